"""Pushing a conversation into a subsequence, over HTTP (contract: master-inbox, Push Lead To Subsequence)."""

from datetime import timedelta
from typing import Any

import pytest

from outrider.kit.db import Db, execute
from tests.inbox.conversations import Talk, listed, talk
from tests.support import make
from tests.support.client import ApiClient, fresh_client
from tests.support.leads import change_place, find_place, place
from tests.support.make import NOW

PUSH = "/master-inbox/push-to-subsequence"
UNREACHABLE = "The lead has unsubscribed or is blocked, and gets no more mail."
STOPPED = "The subsequence was stopped for good and sends no more mail. Choose another one."


@pytest.fixture
async def here(api: ApiClient, db: Db) -> Talk:
    """Somebody who has answered the first of two mails."""
    made = await talk(api, db)
    await make.attach(db, api.user_id, made.campaign_id, made.mailbox_id)
    await make.step(db, api.user_id, made.campaign_id, number=2)
    return made


async def subsequence(api: ApiClient, parent_id: int, **body: Any) -> int:
    made = await api.post("/campaigns/create-subsequence", json={"parent_campaign_id": parent_id, **body})
    assert made.status_code == 200, made.text
    return int(made.json()["id"])


async def push(api: ApiClient, here: Talk, subsequence_id: int, **body: Any) -> dict[str, Any]:
    said = await api.post(PUSH, json={"email_lead_map_id": here.id, "sub_sequence_id": subsequence_id, **body})
    assert said.status_code == 200, said.text
    return dict(said.json())


async def refusal(api: ApiClient, **body: Any) -> tuple[int, str, bool]:
    said = await api.post(PUSH, json=body)
    return said.status_code, said.json()["message"], said.json()["ok"]


async def test_the_lead_goes_on_in_the_subsequence(api: ApiClient, db: Db, here: Talk) -> None:
    subsequence_id = await subsequence(api, here.campaign_id)
    assert await push(api, here, subsequence_id, sub_sequence_delay_time=3) == {
        "ok": True,
        "message": "Lead pushed to subsequence successfully",
        "data": {"success": True, "sub_sequence_id": subsequence_id, "delay_days": 3},
    }
    there = await place(db, subsequence_id, here.lead_id)
    assert (there["status"], there["due_at"], there["mailbox_id"]) == (
        "STARTED",
        NOW + timedelta(days=3),
        here.mailbox_id,
    )
    left = await place(db, here.campaign_id, here.lead_id)
    assert (left["status"], left["hold_reason"]) == ("STOPPED", "SUBSEQUENCE")


async def test_the_inbox_says_where_it_went_and_where_it_came_from(api: ApiClient, db: Db, here: Talk) -> None:
    subsequence_id = await subsequence(api, here.campaign_id)
    [row] = (await listed(api, "views"))["data"]
    assert (row["is_pushed_to_sub_sequence"], row["sub_sequence_id"], row["belongs_to_sub_sequence"]) == (
        False,
        None,
        False,
    )
    await push(api, here, subsequence_id)
    rows = {row["email_campaign_id"]: row for row in (await listed(api, "views"))["data"]}
    assert rows.keys() == {here.campaign_id, subsequence_id}
    row, there = rows[here.campaign_id], rows[subsequence_id]
    assert (row["is_pushed_to_sub_sequence"], row["sub_sequence_id"]) == (True, subsequence_id)
    assert (there["is_pushed_to_sub_sequence"], there["belongs_to_sub_sequence"]) == (False, True)
    [found] = (await listed(api, "views", {"filters": {"subSequenceId": subsequence_id}}))["data"]
    assert found["email_campaign_id"] == subsequence_id


async def test_who_is_through_stays_completed(api: ApiClient, db: Db, here: Talk) -> None:
    await change_place(db, here.campaign_id, here.lead_id, "status = 'COMPLETED'")
    await push(api, here, await subsequence(api, here.campaign_id))
    assert (await place(db, here.campaign_id, here.lead_id))["status"] == "COMPLETED"


@pytest.mark.parametrize(
    ("given", "own", "days"),
    [
        ({}, 0, 0),
        ({}, 4, 4),
        ({"sub_sequence_delay_time": None}, 4, 4),
        ({"sub_sequence_delay_time": 0}, 4, 0),
        ({"sub_sequence_delay_time": "2"}, 0, 2),
        ({"subSequenceDelayTime": 2}, 0, 2),
        ({"sub_sequence_delay_time": 0.5}, 0, 0.5),
        ({"sub_sequence_delay_time": 3_599}, 0, 3_599),
        ({"sub_sequence_delay_time": 3_600}, 0, 1),  # seconds from here on
        ({"sub_sequence_delay_time": 86_400}, 0, 1),
        ({"sub_sequence_delay_time": 129_599}, 0, 1),
        ({"sub_sequence_delay_time": 129_600}, 0, 2),  # half up
        ({"sub_sequence_delay_time": 259_200}, 0, 3),
    ],
)
async def test_the_delay_is_in_days(
    *, api: ApiClient, db: Db, here: Talk, given: dict[str, Any], own: int, days: float
) -> None:
    subsequence_id = await subsequence(api, here.campaign_id, delayForNewLeads=own)
    assert (await push(api, here, subsequence_id, **given))["data"]["delay_days"] == days
    assert (await place(db, subsequence_id, here.lead_id))["due_at"] == NOW + timedelta(days=days)


@pytest.mark.parametrize(
    ("given", "flag"),
    [
        ({}, False),
        ({"stop_lead_on_parent_campaign_reply": True}, True),
        ({"stopLeadOnParentCampaignReply": "true"}, True),
        ({"stop_lead_on_parent_campaign_reply": 0}, False),
    ],
)
async def test_the_flag_is_kept_with_the_lead(
    api: ApiClient, db: Db, here: Talk, given: dict[str, Any], *, flag: bool
) -> None:
    subsequence_id = await subsequence(api, here.campaign_id)
    await push(api, here, subsequence_id, **given)
    assert (await place(db, subsequence_id, here.lead_id))["ends_on_parent_reply"] is flag


async def test_lenient_names(api: ApiClient, db: Db, here: Talk) -> None:
    subsequence_id = await subsequence(api, here.campaign_id)
    body = {"lead_map_id": str(here.id), "subsequence_id": str(subsequence_id)}
    assert (await api.post(PUSH, json=body)).status_code == 200
    assert await find_place(db, subsequence_id, here.lead_id)


async def test_a_second_push_into_the_same_adds_nothing(api: ApiClient, db: Db, here: Talk) -> None:
    subsequence_id = await subsequence(api, here.campaign_id)
    await push(api, here, subsequence_id, sub_sequence_delay_time=3)
    before = await place(db, subsequence_id, here.lead_id)
    assert (await push(api, here, subsequence_id, sub_sequence_delay_time=5))["data"]["success"] is True
    assert await place(db, subsequence_id, here.lead_id) == before


async def test_a_push_into_another_one_ends_the_first(api: ApiClient, db: Db, here: Talk) -> None:
    first, second = await subsequence(api, here.campaign_id), await subsequence(api, here.campaign_id)
    await push(api, here, first)
    await push(api, here, second)
    places = [await place(db, campaign_id, here.lead_id) for campaign_id in (first, second)]
    assert [(each["status"], each["hold_reason"]) for each in places] == [("STOPPED", "SUBSEQUENCE"), ("STARTED", None)]


@pytest.mark.parametrize("status", ["ACTIVE", "PAUSED", "COMPLETED", "DRAFTED"])
async def test_a_subsequence_that_does_not_run_keeps_the_lead_for_later(
    api: ApiClient, db: Db, here: Talk, status: str
) -> None:
    subsequence_id = await subsequence(api, here.campaign_id)
    await execute(db, "UPDATE campaigns SET status = %(s)s WHERE id = %(id)s", {"s": status, "id": subsequence_id})
    await push(api, here, subsequence_id)
    shown = (await api.get(f"/campaigns/{subsequence_id}")).json()["status"]
    assert shown == ("ACTIVE" if status == "COMPLETED" else status)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ("UPDATE leads SET is_unsubscribed = true", UNREACHABLE),
        ("UPDATE campaign_leads SET is_unsubscribed = true", UNREACHABLE),
        ("UPDATE campaign_leads SET status = 'BLOCKED'", UNREACHABLE),
        (
            """
            INSERT INTO block_list (user_id, email_or_domain, source, created_at)
            SELECT user_id, 'hexly.io', 'manual', created_at FROM leads
            """,
            UNREACHABLE,
        ),
        ("UPDATE campaigns SET status = 'STOPPED' WHERE parent_campaign_id IS NOT NULL", STOPPED),
    ],
)
async def test_who_would_get_no_mail_stays_where_he_is(
    api: ApiClient, db: Db, here: Talk, change: str, text: str
) -> None:
    subsequence_id = await subsequence(api, here.campaign_id)
    await execute(db, change)  # type: ignore[arg-type]
    before = await place(db, here.campaign_id, here.lead_id)
    said = await refusal(api, email_lead_map_id=here.id, sub_sequence_id=subsequence_id)
    assert said == (400, text, False)
    assert await find_place(db, subsequence_id, here.lead_id) is None
    assert await place(db, here.campaign_id, here.lead_id) == before


async def test_it_has_to_be_a_subsequence_of_the_conversations_campaign(api: ApiClient, db: Db, here: Talk) -> None:
    other = await make.campaign(db, api.user_id)
    strangers = await subsequence(api, other)
    own = await subsequence(api, here.campaign_id)
    await push(api, here, own)
    inside = (await place(db, own, here.lead_id))["id"]
    sibling = await subsequence(api, here.campaign_id)
    for map_id, subsequence_id in (
        (here.id, strangers),
        (here.id, other),
        (here.id, here.campaign_id),
        (here.id, 999_999_999),
        (inside, sibling),
    ):
        said = await refusal(api, email_lead_map_id=map_id, sub_sequence_id=subsequence_id)
        assert said == (400, "Invalid sub_sequence_id", False)


async def test_a_clients_key_pushes_into_what_is_the_clients(api: ApiClient, db: Db, connect: Any) -> None:
    client_id = await fresh_client(db, api.user_id, NOW)
    campaign_id = await make.campaign(db, api.user_id, status="ACTIVE", client_id=client_id)
    here = await talk(api, db, campaign_id=campaign_id)
    caller = await connect(api.app, db, user_id=api.user_id, client_id=client_id)
    other_client = await fresh_client(db, api.user_id, NOW)
    foreign = await subsequence(api, campaign_id, client_id=other_client)
    own = await subsequence(api, campaign_id)
    said = await refusal(caller, email_lead_map_id=here.id, sub_sequence_id=foreign)
    assert said == (400, "Invalid sub_sequence_id", False)
    await push(caller, here, own)


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        ({"sub_sequence_id": 1}, 400, '"email_lead_map_id" is required'),
        ({"email_lead_map_id": 1}, 400, '"sub_sequence_id" is required'),
        ({"email_lead_map_id": "x", "sub_sequence_id": 1}, 400, '"email_lead_map_id" must be a number'),
        ({"email_lead_map_id": 1, "sub_sequence_id": "x"}, 400, '"sub_sequence_id" must be a number'),
        (
            {"email_lead_map_id": 1, "sub_sequence_id": 1, "sub_sequence_delay_time": -1},
            400,
            '"sub_sequence_delay_time" must be larger than or equal to 0',
        ),
        (
            {"email_lead_map_id": 1, "sub_sequence_id": 1, "stop_lead_on_parent_campaign_reply": "so"},
            400,
            '"stop_lead_on_parent_campaign_reply" must be a boolean',
        ),
        ({"email_lead_map_id": 999_999_999, "sub_sequence_id": 1}, 404, "Lead mapping not found"),
    ],
)
async def test_what_is_wrong_is_named(api: ApiClient, body: dict[str, Any], status: int, text: str) -> None:
    assert await refusal(api, **body) == (status, text, False)
