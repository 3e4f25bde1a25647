"""Why nothing is sent, over HTTP: campaigns that stand still, each for its own reason, and the API says which."""

from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from outrider.campaigns import actions as campaigns
from outrider.engine.outbound import Outbound
from outrider.engine.recipients import RecipientLimits
from outrider.engine.recorder import Recorder
from outrider.engine.render import Links, Renderer
from outrider.engine.senders import Senders
from outrider.engine.survey import explain, survey
from outrider.kit.db import execute, fetch_value
from outrider.leads import actions as leads
from outrider.leads.blocks import actions as blocks
from outrider.leads.models import HoldReason
from outrider.mail.smtp import Submitter
from outrider.mailboxes import actions as mailboxes
from outrider.mailboxes import state
from tests.engine.sending import TRACKING_URL, HandClock
from tests.support import make
from tests.support.client import ApiClient, Rollback, fresh_client
from tests.support.world import World

MIDNIGHT = "2026-03-03T00:00:00.000Z"


async def look(world: World) -> None:
    """What engines do again and again: send what is due, and store the reasons of what is not."""
    clock = HandClock(world.now)
    outbound = Outbound(
        Rollback(world.db),
        clock,  # type: ignore[arg-type]
        make.VAULT,
        engine_id=world.engine_id,
        senders=Senders(make.VAULT, tracking_url=TRACKING_URL),
        renderer=Renderer(Links(make.VAULT)),
        submitter=Submitter(),
        recorder=Recorder(Rollback(world.db), clock),  # type: ignore[arg-type]
        on_sent=lambda _mailbox_id, _raw: None,
        recipients=world.recipients,
    )
    await outbound.send_due()
    await outbound.finish()
    await survey(world.db, world.engine_id, world.now)
    await execute(
        world.db,
        "UPDATE engines SET heartbeat_at = %(wall)s WHERE id = %(id)s",
        {"wall": datetime.now(UTC), "id": world.engine_id},
    )


@pytest.fixture
async def api(world: World, app: Any, connect: Any) -> ApiClient:
    client: ApiClient = await connect(app, world.db, user_id=world.user_id)
    return client


async def why(api: ApiClient, campaign_id: int, **params: Any) -> dict[str, Any]:
    answer = await api.get(f"/campaigns/{campaign_id}/why-not-sent", params=params)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


Arrange = Callable[[World], Awaitable[int]]
_cases: list[tuple[Arrange, str, str, str | None, str]] = []


def stands_still(scope: str, code: str, retry_at: str | None, words: str) -> Callable[[Arrange], Arrange]:
    """A campaign that sends nothing: whose reason, which, until when, and what its sentence says."""

    def listed(arrange: Arrange) -> Arrange:
        _cases.append((arrange, scope, code, retry_at, words))
        return arrange

    return listed


async def campaign_with_leads(world: World, *, steps: int = 1, count: int = 2, **changes: Any) -> int:
    campaign_id = await world.campaign([await world.mailbox()], steps=steps, **changes)
    await world.leads(campaign_id, count)
    return campaign_id


@stands_still("CAMPAIGN", "CAMPAIGN_NOT_ACTIVE", None, "The campaign is paused.")
async def paused(world: World) -> int:
    return await campaign_with_leads(world, status="PAUSED")


@stands_still("CAMPAIGN", "CAMPAIGN_NOT_ACTIVE", None, "cannot be started again; duplicate it")
async def stopped(world: World) -> int:
    return await campaign_with_leads(world, status="STOPPED")


@stands_still("CAMPAIGN", "NO_STEPS", None, "The sequence is empty.")
async def without_a_sequence(world: World) -> int:
    return await campaign_with_leads(world, steps=0)


@stands_still("CAMPAIGN", "NO_MAILBOX", None, "No mailbox is attached")
async def without_a_mailbox(world: World) -> int:
    campaign_id = await world.campaign([])
    await world.leads(campaign_id, 2)
    return campaign_id


@stands_still("CAMPAIGN", "NO_LEADS", None, "has no leads")
async def without_leads(world: World) -> int:
    return await world.campaign([await world.mailbox()])


@stands_still("CAMPAIGN", "BEFORE_START", "2026-03-04T12:00:00.000Z", "starts on 04 Mar 2026 12:00")
async def before_its_start(world: World) -> int:
    return await campaign_with_leads(world, schedule_start_time=datetime(2026, 3, 4, 12, tzinfo=UTC))


@stands_still("CAMPAIGN", "NO_SCHEDULE", None, "has no schedule")
async def without_a_schedule(world: World) -> int:
    return await campaign_with_leads(world, timezone=None, days=None, start_hour=None, end_hour=None)


@stands_still("CAMPAIGN", "OUTSIDE_WINDOW", "2026-03-03T08:00:00.000Z", "Outside the sending hours")
async def outside_its_hours(world: World) -> int:
    return await campaign_with_leads(world, end_hour="08:30")


@stands_still("CAMPAIGN", "NEW_LEAD_CAP", "2026-03-03T08:00:00.000Z", "Today's 1 new leads have been contacted")
async def at_its_cap_of_new_leads(world: World) -> int:
    campaign_id = await world.campaign([await world.mailbox()], max_new_leads_per_day=1)
    await world.leads(campaign_id, 3)
    assert len(await world.plan()) == 1
    await world.settle()
    return campaign_id


@stands_still("MAILBOX", "MAILBOX_DISCONNECTED", None, "cannot log in: 535 wrong password")
async def with_a_disconnected_mailbox(world: World) -> int:
    mailbox_id = await world.mailbox()
    campaign_id = await world.campaign([mailbox_id])
    await world.leads(campaign_id, 2)
    await mailboxes.record_smtp_failure(world.db, world.user_id, mailbox_id, error="535 wrong password.", now=world.now)
    return campaign_id


@stands_still("MAILBOX", "MAILBOX_SUSPENDED", None, "The mailbox is suspended.")
async def with_a_suspended_mailbox(world: World) -> int:
    campaign_id = await world.campaign([await world.mailbox(is_suspended=True)])
    await world.leads(campaign_id, 2)
    return campaign_id


@stands_still("MAILBOX", "DAILY_CAP", MIDNIGHT, "has sent its 1 mails of today")
async def at_the_daily_limit(world: World) -> int:
    campaign_id = await world.campaign([await world.mailbox(max_email_per_day=1)])
    await world.leads(campaign_id, 2)
    assert len(await world.plan()) == 1
    await world.settle()
    return campaign_id


@stands_still("MAILBOX", "DAILY_CAP", None, "daily limit of the mailbox is 0")
async def with_a_limit_of_nothing(world: World) -> int:
    campaign_id = await world.campaign([await world.mailbox(max_email_per_day=0)])
    await world.leads(campaign_id, 2)
    return campaign_id


@stands_still("MAILBOX", "ROLLING_CAP", "2026-03-02T20:00:00.000Z", "mails of the last 24 hours")
async def at_the_limit_of_any_day(world: World) -> int:
    campaign_id = await world.campaign([await world.mailbox(max_email_per_day=1)])
    await world.leads(campaign_id, 2)
    assert len(await world.plan()) == 1
    await world.settle()
    await execute(world.db, "UPDATE messages SET claimed_at = '2026-03-01 20:00Z'")
    await execute(world.db, "UPDATE mailbox_days SET day = '2026-03-01'")
    return campaign_id


@stands_still("MAILBOX", "GAP", "2026-03-02T09:45:00.000Z", "The pause between two mails")
async def within_the_gap_of_the_mailbox(world: World) -> int:
    mailbox_id = await world.mailbox(time_to_wait_minutes=45)
    campaign_id = await world.campaign([mailbox_id])
    await world.leads(campaign_id, 2)
    await world.change("mailbox_states", mailbox_id, next_send_at=world.now + timedelta(minutes=45))
    return campaign_id


@stands_still("MAILBOX", "GAP", "2026-03-02T09:20:00.000Z", "between two mails of this campaign")
async def within_the_gap_of_the_campaign(world: World) -> int:
    campaign_id = await campaign_with_leads(world)
    await execute(world.db, "UPDATE campaign_mailboxes SET next_send_at = '2026-03-02 09:20Z'")
    return campaign_id


@stands_still("MAILBOX", "BACKOFF", "2026-03-02T09:15:00.000Z", "421 too many connections")
async def put_off_by_the_provider(world: World) -> int:
    mailbox_id = await world.mailbox()
    campaign_id = await world.campaign([mailbox_id])
    await world.leads(campaign_id, 2)
    until = world.now + timedelta(minutes=15)
    reason = "its server put it off: 421 too many connections"
    await state.back_off(world.db, mailbox_id, until, reason=reason, is_failure=False)
    return campaign_id


@stands_still("LEAD", "BLOCKLISTED", None, "on the block list")
async def with_blocked_leads(world: World) -> int:
    campaign_id = await campaign_with_leads(world)
    await blocks.block(
        world.db,
        world.user_id,
        ["hexly.example"],
        client_id=None,
        source="manual",
        reason=HoldReason.BLOCKLISTED,
        now=world.now,
    )
    return campaign_id


@stands_still("LEAD", "UNSUBSCRIBED", None, "has unsubscribed")
async def with_unsubscribed_leads(world: World) -> int:
    campaign_id = await campaign_with_leads(world, count=1)
    await leads.unsubscribe_address(
        world.db, user_id=world.user_id, email="lead1@hexly.example", campaign_lead_id=None, now=world.now
    )
    return campaign_id


@stands_still("LEAD", "TEMPLATE", "2026-03-02T10:00:00.000Z", "The text of step 1 fails")
async def with_a_text_that_cannot_be_filled(world: World) -> int:
    campaign_id = await campaign_with_leads(world, count=1)
    await execute(world.db, "UPDATE steps SET email_body = '{{ first_name | divided_by: 0 }}'")
    return campaign_id


@stands_still("LEAD", "EMPTY_BODY", "2026-03-02T10:00:00.000Z", "The text of step 1 is empty for this lead")
async def with_a_text_that_is_empty(world: World) -> int:
    campaign_id = await campaign_with_leads(world, count=1)
    await execute(world.db, "UPDATE steps SET email_body = '{{ title }}'")
    return campaign_id


@stands_still("LEAD", "MANUAL_STEP", None, "done by a person")
async def at_a_step_for_a_person(world: World) -> int:
    campaign_id = await campaign_with_leads(world, count=1)
    await execute(world.db, "UPDATE steps SET type = 'MANUAL'")
    return campaign_id


@stands_still("LEAD", "MISSING_VARIABLE", "2026-03-02T10:00:00.000Z", "The lead has no title")
async def with_a_gap_in_the_text(world: World) -> int:
    campaign_id = await campaign_with_leads(world, count=1, on_missing_variable="hold")
    await execute(world.db, "UPDATE steps SET email_body = 'Hello {{ title }}'")
    return campaign_id


@stands_still("LEAD", "RECIPIENT_DOMAIN", "2026-03-02T09:01:00.000Z", "hexly.example")
async def with_one_company_only(world: World) -> int:
    world.recipients = RecipientLimits(per_minute=1, per_hour=10)
    campaign_id = await world.campaign([await world.mailbox(), await world.mailbox()])
    await world.leads(campaign_id, 2)
    assert len(await world.plan()) == 1
    await world.settle()
    return campaign_id


@stands_still("LEAD", "NOT_DUE", "2026-03-04T09:00:00.000Z", "next mail")
async def with_nothing_due(world: World) -> int:
    campaign_id = await campaign_with_leads(world, steps=2)
    await execute(
        world.db,
        """
        UPDATE campaign_leads
           SET status = 'INPROGRESS', last_step_number = 1, due_at = '2026-03-04 09:00Z',
               mailbox_id = (SELECT min(id) FROM mailboxes)
        """,
    )
    return campaign_id


@stands_still("LEAD", "MANUAL", None, "Paused")
async def with_paused_leads(world: World) -> int:
    campaign_id = await campaign_with_leads(world)
    await execute(world.db, "UPDATE campaign_leads SET status = 'PAUSED', hold_reason = 'MANUAL'")
    return campaign_id


@pytest.mark.parametrize(("arrange", "scope", "code", "retry_at", "words"), _cases, ids=[c[0].__name__ for c in _cases])
async def test_a_campaign_that_stands_still_says_why(
    *, world: World, api: ApiClient, arrange: Arrange, scope: str, code: str, retry_at: str | None, words: str
) -> None:
    campaign_id = await arrange(world)
    await look(world)
    answer = await why(api, campaign_id)
    reason = answer["campaign"]["reason"]
    assert (reason["scope"], reason["code"], reason["retry_at"]) == (scope, code, retry_at)
    assert words in reason["text"]
    assert reason["what_to_do"]
    for lead in answer["data"]:
        assert (lead["reason"]["code"], lead["reason"]["retry_at"]) == (code, retry_at)
    if scope == "MAILBOX":
        assert [box["reason"]["code"] for box in answer["mailboxes"]] == [code]


async def test_nothing_is_missing_while_the_engine_is_not_running(world: World, api: ApiClient) -> None:
    campaign_id = await campaign_with_leads(world)
    answer = await why(api, campaign_id)
    assert answer["engine"] == {"is_running": False}
    assert answer["campaign"]["reason"]["code"] == "NO_ENGINE"
    await look(world)
    answer = await why(api, campaign_id)
    assert answer["engine"] == {"is_running": True}


async def test_a_campaign_that_paused_itself_says_so_until_it_is_started(world: World, api: ApiClient) -> None:
    campaign_id = await campaign_with_leads(world)
    await campaigns.auto_pause(world.db, world.user_id, campaign_id, bounce_rate="7.5", threshold="5", now=world.now)
    await look(world)
    reason = (await why(api, campaign_id))["campaign"]["reason"]
    assert (reason["code"], reason["text"]) == (
        "BOUNCE_LIMIT",
        "Paused by itself: 7.5% of the contacted leads bounced, the limit is 5%.",
    )
    assert (await api.post(f"/campaigns/{campaign_id}/status", json={"status": "START"})).status_code == 200
    assert (await why(api, campaign_id))["campaign"]["reason"] is None


async def test_what_the_answer_is_made_of(world: World, api: ApiClient) -> None:
    """The example of docs/how-to/see-why-nothing-is-sent.md."""
    mailbox_id = await world.mailbox(from_email="nora@brightfold.example", max_email_per_day=1)
    campaign_id = await world.campaign([mailbox_id], steps=2)
    sent, waiting, answered = await world.leads(campaign_id, 3)
    assert [attempt.lead.id for attempt in await world.plan()] == [sent]
    await world.settle()
    await world.change("campaign_leads", answered, status="STOPPED", hold_reason="REPLIED")
    await look(world)
    cap = {
        "scope": "MAILBOX",
        "code": "DAILY_CAP",
        "text": "The mailbox has sent its 1 mails of today.",
        "what_to_do": "Wait for tomorrow (UTC), raise the daily limit, or attach more mailboxes.",
        "retry_at": MIDNIGHT,
    }
    replied = {
        "scope": "LEAD",
        "code": "REPLIED",
        "text": "The lead has answered.",
        "what_to_do": "Answer it. Resume the lead if the sequence should go on all the same.",
        "retry_at": None,
    }
    people = [await world.row("campaign_leads", each) for each in (waiting, answered)]
    assert await why(api, campaign_id) == {
        "ok": True,
        "campaign": {"id": campaign_id, "name": "Harbour CFO outreach", "status": "ACTIVE", "reason": cap},
        "engine": {"is_running": True},
        "mailboxes": [{"id": mailbox_id, "from_email": "nora@brightfold.example", "reason": cap}],
        "summary": [{"lead_count": 1, **cap}, {"lead_count": 1, **replied}],
        "total_leads": 2,
        "offset": 0,
        "limit": 100,
        "data": [
            {
                "campaign_lead_map_id": str(waiting),
                "lead_id": people[0]["lead_id"],
                "email": "lead2@hexly.example",
                "status": "STARTED",
                "email_account_id": mailbox_id,
                "reason": cap,
            },
            {
                "campaign_lead_map_id": str(answered),
                "lead_id": people[1]["lead_id"],
                "email": "lead3@hexly.example",
                "status": "STOPPED",
                "email_account_id": mailbox_id,
                "reason": replied,
            },
        ],
    }


async def test_the_leads_come_in_pages_and_by_reason(world: World, api: ApiClient) -> None:
    campaign_id = await campaign_with_leads(world, status="PAUSED", count=5)
    await execute(
        world.db,
        "UPDATE campaign_leads SET status = 'STOPPED', hold_reason = 'REPLIED' WHERE id %% 2 = 0",
    )
    everybody = (await why(api, campaign_id))["data"]
    page = await why(api, campaign_id, offset=1, limit=2)
    assert (page["data"], page["total_leads"]) == (everybody[1:3], 5)
    answered = [lead for lead in everybody if lead["reason"]["code"] == "REPLIED"]
    assert 0 < len(answered) < len(everybody)
    for asked in ("REPLIED", "replied", ["REPLIED", "DAILY_CAP"], "REPLIED,GAP"):
        only = await why(api, campaign_id, code=asked)
        assert (only["data"], only["total_leads"]) == (answered, len(answered))
    assert (await why(api, campaign_id, code="GAP"))["data"] == []


async def test_nobody_else_asks(world: World, other_api: ApiClient, app: Any, connect: Any) -> None:
    campaign_id = await campaign_with_leads(world)
    client_id = await fresh_client(world.db, world.user_id, world.now)
    foreign: ApiClient = await connect(app, world.db, user_id=world.user_id, client_id=client_id)
    for stranger in (other_api, foreign):
        answer = await stranger.get(f"/campaigns/{campaign_id}/why-not-sent")
        assert (answer.status_code, answer.json()["error"]) == (404, "Campaign not found - Invalid campaign_id.")
    await world.change("campaigns", campaign_id, client_id=client_id)
    assert len((await why(foreign, campaign_id))["data"]) == 2


async def test_of_several_mailboxes_the_one_that_is_free_first_is_named(world: World, api: ApiClient) -> None:
    boxes = [await world.mailbox(from_email=f"box{number}@brightfold.example") for number in range(3)]
    campaign_id = await world.campaign(boxes)
    [lead] = await world.leads(campaign_id, 1)
    await world.change("mailboxes", boxes[0], is_suspended=True)
    for number, mailbox_id in enumerate(boxes[1:]):
        until = world.now + timedelta(minutes=30 - number)
        await state.back_off(world.db, mailbox_id, until, reason="its server put it off: 421", is_failure=False)
    await look(world)
    [reason] = await explain(world.db, world.user_id, campaign_id, world.now)
    assert (reason.campaign_lead_id, reason.code, reason.mailbox_id) == (lead, "BACKOFF", boxes[2])
    assert reason.text == (
        "None of the 3 mailboxes of the campaign can send just now. "
        "The first is box2@brightfold.example: Waiting because its server put it off: 421."
    )
    await execute(
        world.db, "UPDATE mailbox_states SET backoff_until = NULL WHERE mailbox_id = %(id)s", {"id": boxes[1]}
    )
    await survey(world.db, world.engine_id, world.now)
    [reason] = await explain(world.db, world.user_id, campaign_id, world.now)
    assert reason.code == "IN_QUEUE"


MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("due", "lead", "campaign", "mailbox", "expected", "after"),
    [
        # when is the lead due, and until when is what held: minutes from now; `None` of a hold: until somebody acts
        (None, {}, {}, {}, "IN_QUEUE", None),
        (-5, {}, {}, {}, "IN_QUEUE", None),
        (30, {}, {}, {}, "NOT_DUE", 30),
        (30, {}, {"PAUSE": 20}, {}, "NOT_DUE", 30),  # the longer of two waits
        (30, {}, {"PAUSE": 40}, {}, "PAUSE", 40),
        (30, {}, {"PAUSE": None}, {}, "PAUSE", None),  # what needs a person before what passes
        (-5, {}, {"PAUSE": 20}, {"CAP": 50}, "PAUSE", 20),  # campaign, lead, mailbox: in this order
        (-5, {"TEXT": 30}, {"PAUSE": 20}, {"CAP": 50}, "PAUSE", 20),
        (-5, {"TEXT": 30}, {}, {"CAP": 50}, "TEXT", 30),
        (-5, {}, {}, {"CAP": 50}, "CAP", 50),
        (30, {}, {}, {"CAP": 20}, "NOT_DUE", 30),
        (30, {}, {}, {"CAP": 50}, "CAP", 50),
        (30, {}, {}, {"CAP": None}, "CAP", None),
        (-5, {"TEXT": -1}, {"PAUSE": -1}, {"CAP": -1}, "IN_QUEUE", None),  # what is over
        (-5, {}, {}, {"IN_FLIGHT": None}, "IN_QUEUE", None),  # a mailbox that works
        (-5, {}, {"NEW_LEAD_CAP": 60}, {}, "IN_QUEUE", None),  # holds first mails only
    ],
)
async def test_one_reason_of_several_is_shown(
    *,
    world: World,
    due: int | None,
    lead: dict[str, int | None],
    campaign: dict[str, int | None],
    mailbox: dict[str, int | None],
    expected: str,
    after: int | None,
) -> None:
    def at(minutes: int | None) -> datetime | None:
        return None if minutes is None else world.now + minutes * MINUTE

    mailbox_id = await world.mailbox()
    campaign_id = await world.campaign([mailbox_id], steps=2)
    [lead_id] = await world.leads(campaign_id, 1)
    await world.change(
        "campaign_leads", lead_id, status="INPROGRESS", last_step_number=1, mailbox_id=mailbox_id, due_at=at(due)
    )
    for table, row_id, holds in (
        ("campaign_leads", lead_id, lead),
        ("campaigns", campaign_id, campaign),
        ("mailbox_states", mailbox_id, mailbox),
    ):
        for code, until in holds.items():
            await world.change(table, row_id, hold_code=code, hold_text=f"{code}.", hold_until=at(until))
    [reason] = await explain(world.db, world.user_id, campaign_id, world.now)
    assert (reason.code, reason.retry_at) == (expected, at(after))
    assert reason.text


async def test_every_lead_that_was_not_sent_all_has_one_reason(world: World, api: ApiClient) -> None:
    """Invariant 10: every status with every end, mails that are on their way or put off, and holds of all kinds."""
    campaign_id = await world.campaign([await world.mailbox(), await world.mailbox()], steps=2)
    ends: list[dict[str, Any]] = [
        {"status": status, "hold_reason": reason}
        for status in ("PAUSED", "STOPPED", "BLOCKED")
        for reason in (None, *HoldReason)
    ]
    ends += [{"status": status, "due_at": due} for status in ("STARTED", "INPROGRESS") for due in (None, world.now)]
    ends += [{"status": "STARTED", "hold_code": "MANUAL_STEP", "hold_text": "A step of a person."}]
    ends += [{"status": "COMPLETED", "is_completed_by_hand": True}, {"status": "COMPLETED"}]
    ids = await world.leads(campaign_id, len(ends) + 3)
    for lead_id, change in zip(ids, ends, strict=False):
        await world.change("campaign_leads", lead_id, **change)
    for lead_id, state_ in zip(ids[-3:], ("CLAIMED", "HANDING_OVER", "DEFERRED"), strict=True):
        await _on_its_way(world, campaign_id, lead_id, state_)
    got_all = ids[len(ends) - 1]
    first = await why(api, campaign_id, limit=30)
    second = await why(api, campaign_id, limit=1000, offset=30)
    found = {int(lead["campaign_lead_map_id"]): lead["reason"] for lead in (*first["data"], *second["data"])}
    assert len(found) == len(first["data"]) + len(second["data"]) == first["total_leads"]
    assert found.keys() == set(ids) - {got_all}
    assert all(reason["text"] and reason["what_to_do"] for reason in found.values())
    counts = {group["code"]: group["lead_count"] for group in first["summary"]}
    assert counts == Counter(reason["code"] for reason in found.values())
    assert [found[each]["code"] for each in ids[-3:]] == ["IN_FLIGHT", "IN_FLIGHT", "PUT_OFF"]
    assert found[ids[-1]]["text"] == "The recipient's mail server asked to try again later: 450 4.2.1 greylisted."


async def _on_its_way(world: World, campaign_id: int, lead_id: int, state_: str) -> None:
    mailbox_id = await world.mailbox()
    message_id = await fetch_value(
        world.db,
        """
        INSERT INTO messages (user_id, direction, kind, campaign_id, campaign_lead_id, mailbox_id, stats_id, status,
                              from_email, to_email, reply_text, created_at)
        VALUES (%(user_id)s, 'OUT', 'CAMPAIGN', %(campaign_id)s, %(lead_id)s, %(mailbox_id)s, gen_random_uuid(),
                'QUEUED', 'us@brightfold.example', 'them@hexly.example', '450 4.2.1 greylisted.', %(now)s)
        RETURNING id
        """,
        {
            "user_id": world.user_id,
            "campaign_id": campaign_id,
            "lead_id": lead_id,
            "mailbox_id": mailbox_id,
            "now": world.now,
        },
    )
    await execute(
        world.db,
        """
        INSERT INTO dispatches (message_id, campaign_lead_id, mailbox_id, campaign_id, state, engine_id, claimed_at,
                                retry_at)
        VALUES (%(message_id)s, %(lead_id)s, %(mailbox_id)s, %(campaign_id)s, %(state)s, %(engine_id)s, %(now)s,
                CASE WHEN %(state)s = 'DEFERRED' THEN %(now)s + interval '5 minutes' END)
        """,
        {
            "message_id": message_id,
            "lead_id": lead_id,
            "mailbox_id": mailbox_id,
            "campaign_id": campaign_id,
            "state": state_,
            "engine_id": world.engine_id,
            "now": world.now,
        },
    )


async def test_a_lead_shows_its_reason_wherever_it_is_read(world: World, api: ApiClient) -> None:
    campaign_id = await campaign_with_leads(world, status="PAUSED", count=1)
    expected = {
        "scope": "CAMPAIGN",
        "code": "CAMPAIGN_NOT_ACTIVE",
        "text": "The campaign is paused. Start it to send.",
        "what_to_do": "Start the campaign.",
        "retry_at": None,
    }
    [listed] = (await api.get(f"/campaigns/{campaign_id}/leads")).json()["data"]
    assert listed["why_not_sent"] == expected
    [membership] = (await api.get("/leads", params={"email": "lead1@hexly.example"})).json()["lead_campaign_data"]
    assert membership["why_not_sent"] == expected
    await execute(world.db, "UPDATE campaign_leads SET status = 'COMPLETED'")
    [listed] = (await api.get(f"/campaigns/{campaign_id}/leads")).json()["data"]
    assert listed["why_not_sent"] is None
