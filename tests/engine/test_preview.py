"""Previews over HTTP: what they show is what the engine then sends, byte for byte."""

import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from outrider.kit.db import execute, fetch_value
from tests.engine.sending import TRACKING_URL, Sending
from tests.support import make
from tests.support.client import ApiClient
from tests.support.world import World

_TOKEN = re.compile(r"(/[ocu]/)[\w.-]+|(subject=unsubscribe%20)[\w-]+")
BODY = """<p>{Hi|Hello|Good day} {{first_name}}, {{sl_time_of_day}} in {{City}}, <a href="https://x.example/?a=1&amp;b">look</a></p>
%signature%"""


@pytest.fixture
async def preview(
    sending: Sending, make_app: Callable[..., Any], connect: Callable[..., Awaitable[ApiClient]]
) -> Callable[..., Awaitable[dict[str, Any]]]:
    """Ask for a preview with the key of the account that sends."""
    clients: list[ApiClient] = []

    async def shown(campaign_id: int, **query: Any) -> dict[str, Any]:
        if not clients:
            app = make_app(sending.database, tracking_url=TRACKING_URL)
            async with sending.database.transaction() as db:
                clients.append(await connect(app, db, user_id=sending.user_id))
        answer = await clients[0].get(f"/campaigns/{campaign_id}/preview", params=query)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    return shown


async def _campaign(sending: Sending, *, leads: int = 1, steps: int = 1, **changes: Any) -> tuple[int, list[int], int]:
    async with sending.database.transaction() as db:
        world = await sending.world(db)
        mailbox_id = await sending.mailbox(world, signature="<p>Nora</p>")
        campaign_id = await world.campaign([mailbox_id], steps=steps, min_time_between_emails=1, **changes)
        await execute(db, "UPDATE steps SET email_body = %(body)s, delay_days = 0", {"body": BODY})
        return campaign_id, await world.leads(campaign_id, leads), mailbox_id


def without_tokens(text: str) -> str:
    return _TOKEN.sub(r"\1\2", text)


@pytest.mark.parametrize(
    "changes",
    [
        {"track_settings": ["DONT_EMAIL_OPEN", "DONT_LINK_CLICK"]},
        {"send_as_plain_text": True},
        {"timezone": "Asia/Kolkata", "send_as_plain_text": True, "end_hour": "23:59"},
    ],
)
async def test_without_addresses_of_ours_every_byte_is_the_same(
    sending: Sending, preview: Callable[..., Awaitable[dict[str, Any]]], changes: dict[str, Any]
) -> None:
    campaign_id, _, _ = await _campaign(sending, **changes)
    shown = await preview(campaign_id)
    assert await sending.round() == 1
    assert shown["source"].encode() == sending.sent_copies[0][1]
    assert sending.only_mail().subject == shown["subject"]


async def test_with_them_everything_else_is_the_same(
    sending: Sending, preview: Callable[..., Awaitable[dict[str, Any]]]
) -> None:
    campaign_id, _, mailbox_id = await _campaign(
        sending, leads=3, steps=3, unsubscribe_text="No more mails", add_unsubscribe_tag=True, timezone="Europe/Lisbon"
    )
    for _ in range(3):
        for _ in range(3):
            places = await sending.rows("SELECT lead_id FROM campaign_leads WHERE status <> 'COMPLETED' ORDER BY id")
            shown = {
                each["to_email"]: each
                for each in [await preview(campaign_id, lead_id=place["lead_id"]) for place in places]
            }
            before = len(sending.sandbox.mails)
            assert await sending.round() == 1
            mail = sending.sandbox.mails[before]
            told = shown[mail.recipient]
            sent = mail.message
            read = type(mail)(0, mail.at, None, "", "", told["source"].encode())
            assert [(name, without_tokens(value)) for name, value in sent.raw_items()] == [
                (name, without_tokens(value)) for name, value in read.message.raw_items()
            ]
            assert without_tokens(mail.html) == without_tokens(read.html)
            assert without_tokens(mail.text) == without_tokens(read.text)
            assert (told["email_account_id"], told["hold"]) == (mailbox_id, None)
            [kept] = await sending.rows("SELECT html FROM message_bodies ORDER BY message_id DESC LIMIT 1")
            assert without_tokens(kept["html"]) == without_tokens(told["html"])
            await sending.execute(
                "UPDATE mailbox_states SET next_send_at = '2026-01-01'; "
                "UPDATE campaign_mailboxes SET next_send_at = '2026-01-01'; "
                "UPDATE campaign_leads SET due_at = '2026-01-01' WHERE due_at IS NOT NULL"
            )
    assert len(sending.sandbox.mails) == 9


async def test_a_preview_takes_nobody_out_counts_nothing_and_claims_nothing(
    sending: Sending, preview: Callable[..., Awaitable[dict[str, Any]]]
) -> None:
    campaign_id, _, _ = await _campaign(sending, unsubscribe_text="No more", add_unsubscribe_tag=True)
    shown = await preview(campaign_id)
    assert set(re.findall(rf"{TRACKING_URL}(/\w/[\w.]+)", shown["html"])) == {"/u/preview"}
    assert await sending.rows("SELECT id FROM messages") == []
    assert await sending.rows("SELECT day FROM campaign_days") == []


@pytest.fixture
async def api(world: World, app: Any, connect: Any) -> ApiClient:
    client: ApiClient = await connect(app, world.db, user_id=world.user_id)
    return client


async def ask(api: ApiClient, campaign_id: int, **query: Any) -> dict[str, Any]:
    answer = await api.get(f"/campaigns/{campaign_id}/preview", params=query)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def refusal(api: ApiClient, campaign_id: int, **query: Any) -> tuple[int, str]:
    answer = await api.get(f"/campaigns/{campaign_id}/preview", params=query)
    return answer.status_code, answer.json()["message"]


async def _with_variants(world: World, campaign_id: int) -> None:
    await execute(
        world.db,
        """
        INSERT INTO variants (user_id, campaign_id, step_id, position, variant_label, subject, email_body, created_at,
                              updated_at)
        SELECT user_id, campaign_id, id, label.position, label.name, 'Text ' || label.name, 'Hello', created_at,
               created_at
        FROM steps, (VALUES (1, 'A'), (2, 'B')) AS label (position, name)
        WHERE number = 1 AND campaign_id = %(id)s
        """,
        {"id": campaign_id},
    )


async def test_everything_that_a_preview_says(world: World, api: ApiClient) -> None:
    box = await world.mailbox(from_name="Nora Quist")
    campaign = await world.campaign([box])
    await execute(
        world.db,
        "UPDATE steps SET subject = '{Port|Harbour} fees', email_body = 'Hi {{first_name}},\nin {{City}} {a|b|c}'",
    )
    [lead] = await world.leads(campaign, 1)
    shown = await ask(api, campaign)
    assert shown["subject"] in {"Port fees", "Harbour fees"}
    assert re.fullmatch(r"Hi Ada,<br>\nin [abc]", shown["html"])
    assert re.fullmatch(r"Hi Ada,\nin [abc]", shown["text"])
    assert (shown["combination_count"], shown["unresolved_variables"]) == (6, ["City"])
    assert (shown["campaign_lead_map_id"], shown["to_email"]) == (lead, "lead1@hexly.example")
    assert (shown["email_account_id"], shown["from_name"]) == (box, "Nora Quist")
    assert (shown["seq_number"], shown["seq_variant_id"], shown["in_reply_to"]) == (1, None, None)
    assert shown["rendered_at"] == "2026-03-02T09:00:00.000Z"
    assert shown["source"].startswith("Date: Mon, 02 Mar 2026 09:00:00 +0000\r\n")


async def test_a_variant_is_shown_by_label_or_id_and_else_the_one_that_comes_next(world: World, api: ApiClient) -> None:
    campaign = await world.campaign([await world.mailbox()])
    await _with_variants(world, campaign)
    await world.leads(campaign, 2)
    second = await fetch_value(world.db, "SELECT id FROM variants WHERE variant_label = 'B'")
    for query, subject in (({}, "Text A"), ({"variant": "b"}, "Text B"), ({"variant": str(second)}, "Text B")):
        assert (await ask(api, campaign, **query))["subject"] == subject
    await world.plan()
    assert (await ask(api, campaign))["subject"] == "Text B"
    assert await refusal(api, campaign, variant="C") == (400, "Variant not found - C")


async def test_a_follow_up_is_shown_in_the_thread_that_it_will_continue(world: World, api: ApiClient) -> None:
    campaign = await world.campaign([await world.mailbox()], steps=3)
    await world.leads(campaign, 1)
    third = await ask(api, campaign, seq_number=3)
    assert third["subject"] == "Re: Port fees"
    assert third["source"].count("@brightfold.example>") >= 4  # itself, the one it answers, and both before it
    assert (await ask(api, campaign, seq_number=1))["in_reply_to"] is None


async def test_without_leads_a_sample_is_shown(world: World, api: ApiClient) -> None:
    campaign = await world.campaign([await world.mailbox()])
    await execute(world.db, "UPDATE steps SET email_body = 'Hi {{first_name}} of {{company_name}}'")
    shown = await ask(api, campaign)
    assert shown["html"] == "Hi Ada of Analytical Engines"
    assert (shown["lead_id"], shown["campaign_lead_map_id"]) == (None, None)


async def test_a_mail_that_would_be_held_says_why(world: World, api: ApiClient) -> None:
    campaign = await world.campaign([await world.mailbox()])
    await execute(world.db, "UPDATE steps SET subject = '{{nothing}}'")
    await world.leads(campaign, 1)
    shown = await ask(api, campaign)
    assert (shown["hold"]["code"], shown["subject"], shown["source"]) == ("EMPTY_SUBJECT", None, None)
    await execute(
        world.db, "UPDATE steps SET email_body = '{%% if x %%}', updated_at = updated_at + interval '1 second'"
    )
    assert (await ask(api, campaign))["hold"]["code"] == "TEMPLATE"


async def test_a_mail_that_is_planned_for_later_is_shown_as_of_then(world: World, api: ApiClient) -> None:
    box = await world.mailbox()
    campaign = await world.campaign([box], steps=2)
    await execute(world.db, "UPDATE steps SET email_body = 'On {{sl_day_of_week}}'")
    [lead] = await world.leads(campaign, 1)
    assert (await ask(api, campaign))["html"] == "On Monday"
    due_at = world.now + timedelta(days=3, hours=20)
    await world.change("campaign_leads", lead, status="INPROGRESS", mailbox_id=box, last_step_number=1, due_at=due_at)
    shown = await ask(api, campaign, seq_number=2)
    assert (shown["html"], shown["rendered_at"]) == ("On Friday", "2026-03-06T08:00:00.000Z")


async def test_another_mailbox_can_be_looked_at(world: World, api: ApiClient) -> None:
    boxes = [await world.mailbox(from_name="Nora"), await world.mailbox(from_name="Kim")]
    campaign = await world.campaign(boxes)
    assert (await ask(api, campaign))["from_name"] == "Nora"
    assert (await ask(api, campaign, email_account_id=boxes[1]))["from_name"] == "Kim"
    await world.change("mailboxes", boxes[0], is_suspended=True)
    assert (await ask(api, campaign))["from_name"] == "Kim"


async def test_texts_can_be_looked_at_before_mailboxes_are_attached(world: World, api: ApiClient) -> None:
    campaign = await world.campaign([])
    assert await refusal(api, campaign) == (400, "Campaign has no email accounts")
    boxes = [await world.mailbox(), await world.mailbox()]
    assert (await ask(api, campaign))["email_account_id"] == boxes[0]
    assert (await ask(api, campaign, email_account_id=boxes[1]))["email_account_id"] == boxes[1]


async def test_what_does_not_exist_is_refused(world: World, api: ApiClient, other_api: ApiClient) -> None:
    box = await world.mailbox()
    campaign = await world.campaign([box])
    assert await refusal(api, campaign, lead_id=1) == (404, "Lead not found - Invalid lead_id.")
    assert await refusal(api, campaign, seq_number=2) == (400, "Sequence not found")
    assert await refusal(api, campaign, email_account_id=1) == (
        400,
        "Email account id - 1 not allowed. Permission Error.",
    )
    assert await refusal(other_api, campaign) == (404, "Campaign not found - Invalid campaign_id.")
    empty = await make.campaign(world.db, world.user_id, has_step=False)
    assert await refusal(api, empty) == (400, "Sequence not found")
