"""The forecast against the engine itself: what was foreseen is what then happens, mail for mail."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from outrider.campaigns.models import CampaignStatus, NoMailboxes
from outrider.engine.forecast import Forecast, WhatIf, forecast
from outrider.engine.foresight import next_moment
from outrider.engine.recipients import UNLIMITED, RecipientLimits
from outrider.engine.rehearsal import Rehearsal
from outrider.engine.rounds import Span
from outrider.kit.clock import StandingClock
from outrider.kit.db import execute, fetch_dicts, fetch_value
from outrider.mail.smtp import Accepted
from tests.engine.sending import TRACKING_URL, Sending
from tests.support import make

_PATIENCE = 2000
HELD_UNTIL = datetime(2026, 3, 3, 12, 1, tzinfo=UTC)


async def foresee(sending: Sending, campaign_id: int, **what_if: object) -> Forecast:
    return await forecast(
        sending.database,
        make.VAULT,
        sending.user_id,
        campaign_id,
        client_id=None,
        now=sending.clock.now(),
        tracking_url=TRACKING_URL,
        recipients=UNLIMITED,
        what_if=WhatIf(**what_if),  # type: ignore[arg-type]
    )


async def run(sending: Sending) -> None:
    """The engine against real SMTP, at every moment at which it may have something to do."""
    for _ in range(_PATIENCE):
        await sending.round()
        async with sending.database.transaction() as db:
            moment = await next_moment(db, sending.engine_id, sending.clock.now())
        if moment is None:
            return
        sending.clock.time = moment
    raise AssertionError("the campaign does not come to its end")


async def sent(sending: Sending, campaign_id: int) -> list[tuple[datetime, str, int, int | None, int]]:
    async with sending.database.connection() as db:
        rows = await fetch_dicts(
            db,
            """
            SELECT sent_at, to_email, step_number, variant_id, mailbox_id
            FROM messages WHERE campaign_id = %(campaign_id)s ORDER BY sent_at, to_email
            """,
            {"campaign_id": campaign_id},
        )
    return [tuple(row.values()) for row in rows]  # type: ignore[misc]


def foreseen(result: Forecast) -> list[tuple[datetime, str, int, int | None, int]]:
    mails = sorted(result.mails, key=lambda mail: (mail.at, mail.email))
    return [(mail.at, mail.email, mail.step_number, mail.variant_id, mail.mailbox_id) for mail in mails]


async def test_what_is_foreseen_happens_mail_for_mail(sending: Sending) -> None:
    async with sending.database.transaction() as db:
        world = await sending.world(db)
        boxes = [await sending.mailbox(world, max_email_per_day=cap) for cap in (4, 6, 50)]
        campaign_id = await world.campaign(boxes, steps=3, min_time_between_emails=25, max_new_leads_per_day=9)
        other_id = await world.campaign(boxes[1:], steps=2, min_time_between_emails=40)
        await world.leads(campaign_id, 25)
        await world.leads(other_id, 10)
    before = await sending.rows("SELECT * FROM campaign_leads ORDER BY id")
    result = await foresee(sending, campaign_id)
    other = await foresee(sending, other_id)
    assert await sending.rows("SELECT * FROM campaign_leads ORDER BY id") == before, "a forecast changes nothing"
    await run(sending)
    mails = await sent(sending, campaign_id)
    assert len(mails) == 75
    assert foreseen(result) == mails
    assert foreseen(other) == await sent(sending, other_id)
    assert len(sending.sandbox.mails) == 95
    assert result.completed_at == max(mail[0] for mail in mails)


LIMITED = RecipientLimits(per_minute=1, per_hour=4)


@pytest.mark.parametrize(
    ("changes", "companies", "recipients"),
    [
        ({"follow_up_percentage": 40}, 30, UNLIMITED),
        ({"follow_up_percentage": 0, "max_new_leads_per_day": 7}, 30, UNLIMITED),
        ({}, 3, LIMITED),
        ({"follow_up_percentage": 60}, 5, LIMITED),
        ({"use_lead_timezone": True}, 30, UNLIMITED),
        ({"enable_ai_esp_matching": True}, 30, UNLIMITED),
        ({"enable_ai_esp_matching": True, "esp_matching_strict": True}, 5, LIMITED),
        ({"domain_level_rate_limit": True}, 30, UNLIMITED),
        ({"count_only_sending_days": True, "days": [1, 4]}, 30, UNLIMITED),
        ({"schedule_start_time": datetime(2026, 3, 3, 11, 17, tzinfo=UTC)}, 30, UNLIMITED),
    ],
)
async def test_in_whole_stretches_it_comes_out_as_moment_by_moment(
    sending: Sending, changes: dict[str, Any], companies: int, recipients: RecipientLimits
) -> None:
    """Two campaigns share mailboxes whose caps of 24 hours fill; a lead is away, one waits, one is blocked."""
    async with sending.database.transaction() as db:
        world = await sending.world(db)
        hosts = ("smtp.gmail.com", "smtp.office365.com", "smtp.quaydesk.example", "smtp.gmail.com")
        boxes = [
            await world.mailbox(from_email=f"nora{n}@q{n % 2}.example", smtp_host=host, max_email_per_day=5 + n)
            for n, host in enumerate(hosts)
        ]
        campaign_id = await world.campaign(boxes, steps=3, min_time_between_emails=20, **changes)
        other_id = await world.campaign(boxes[2:], steps=2, min_time_between_emails=35)
        places = [
            place
            for number in range(companies)
            for place in await world.leads(campaign_id, 30 // companies, domain=f"hexly{number}.example")
        ]
        await world.leads(other_id, 12, domain="other.example")
        providers = "UPDATE campaign_leads SET provider = (ARRAY['GOOGLE', 'MICROSOFT', 'OTHER'])[1 + id %% 3]"
        await execute(db, providers)
        places_of_leads = "UPDATE leads SET location = (ARRAY['Berlin, Germany', 'Tokyo, Japan', NULL])[1 + id %% 3]"
        await execute(db, places_of_leads)
        await world.change("campaign_leads", places[3], hold_code="MISSING_VARIABLE", hold_until=HELD_UNTIL)
        await world.change("campaign_leads", places[4], status="PAUSED", hold_reason="OOO", resume_at=HELD_UNTIL)
        await world.change("campaign_leads", places[5], is_unsubscribed=True)
    result = await forecast(
        sending.database,
        make.VAULT,
        sending.user_id,
        campaign_id,
        client_id=None,
        now=sending.clock.now(),
        tracking_url=TRACKING_URL,
        recipients=recipients,
    )
    rehearsal = Rehearsal(
        sending.database,
        StandingClock(sending.clock.now()),
        make.VAULT,
        engine_id=sending.engine_id,
        tracking_url=TRACKING_URL,
        recipients=recipients,
        submit=lambda _mail: Accepted(250, None, "taken"),
    )
    moment: datetime | None = sending.clock.now()
    while moment:
        rehearsal.clock.move_to(moment)
        await rehearsal.turn(Span.at(moment))
        moment = await rehearsal.next_moment()
    mails = await sent(sending, campaign_id)
    assert len(mails) == 29 * 3
    assert foreseen(result) == mails
    async with sending.database.connection() as db:
        status = await fetch_value(db, "SELECT status FROM campaigns WHERE id = %(id)s", {"id": campaign_id})
    assert (status, result.completed_at) == ("COMPLETED", max(mail[0] for mail in mails))


async def test_a_running_campaign_is_foreseen_from_the_middle(sending: Sending) -> None:
    async with sending.database.transaction() as db:
        world = await sending.world(db)
        boxes = [await sending.mailbox(world) for _ in range(3)]
        campaign_id = await world.campaign(boxes, steps=3, min_time_between_emails=30)
        leads = await world.leads(campaign_id, 30)
    for _ in range(20):
        await sending.round()
        sending.clock.time += timedelta(minutes=10)
    async with sending.database.transaction() as db:
        await execute(
            db, "UPDATE campaign_leads SET status = 'STOPPED', due_at = NULL WHERE id = %(id)s", {"id": leads[2]}
        )
    until_now = len(await sent(sending, campaign_id))
    result = await foresee(sending, campaign_id)
    await run(sending)
    assert foreseen(result) == (await sent(sending, campaign_id))[until_now:]
    assert until_now > 10
    assert leads[2] not in {mail.campaign_lead_id for mail in result.mails}


async def test_one_that_was_not_started_is_foreseen_as_if_started_now(sending: Sending) -> None:
    async with sending.database.transaction() as db:
        world = await sending.world(db)
        campaign_id = await world.campaign([await sending.mailbox(world)], status="DRAFTED")
        await world.leads(campaign_id, 3)
    result = await foresee(sending, campaign_id)
    assert len(result.mails) == 3
    assert (await sending.row("campaigns", campaign_id))["status"] == CampaignStatus.DRAFTED


async def test_what_a_start_would_refuse_is_refused(sending: Sending) -> None:
    async with sending.database.transaction() as db:
        world = await sending.world(db)
        campaign_id = await world.campaign([], status="DRAFTED")
        await world.leads(campaign_id, 3)
    with pytest.raises(NoMailboxes):
        await foresee(sending, campaign_id)


async def test_what_if(sending: Sending) -> None:
    """One mailbox, a window of ten hours: each change shows in the number of a day and in what binds."""
    async with sending.database.transaction() as db:
        world = await sending.world(db)
        first, second = [await sending.mailbox(world, max_email_per_day=100) for _ in range(2)]
        campaign_id = await world.campaign([first], steps=1, min_time_between_emails=60)
        await world.leads(campaign_id, 60)
    cases = {
        "as it is": ({}, "GAP"),
        "cap": ({"max_email_per_day": 5}, "DAILY_CAP"),
        "new leads": ({"max_new_leads_per_day": 3}, "NEW_LEAD_CAP"),
        "gap": ({"min_time_between_emails": 2}, "NOTHING_DUE"),
        "mailboxes": ({"mailbox_ids": (first, second)}, "GAP"),
        "another mailbox": ({"mailbox_ids": (second,)}, "GAP"),
    }
    tuesday = sending.clock.now().date() + timedelta(days=1)
    found = {}
    for name, (changes, code) in cases.items():
        result = await foresee(sending, campaign_id, **changes)
        assert len(result.mails) == 60, name
        binds = result.binds_most()
        assert binds is not None, name
        assert binds.code == code, name
        found[name] = Counter(mail.day for mail in result.mails)[tuesday]
        if name == "another mailbox":
            assert {mail.mailbox_id for mail in result.mails} == {second}
    assert found["cap"] == 5
    assert found["new leads"] == 3
    assert found["mailboxes"] in (18, 19, 20), "twice nine or ten"
    assert found["as it is"] in (9, 10)
    assert found["gap"] == 0, "all on Monday"
    async with sending.database.connection() as db:
        assert await fetch_value(db, "SELECT count(*) FROM messages") == 0
        assert await fetch_value(db, "SELECT count(*) FROM campaign_mailboxes") == 1


async def test_leads_that_get_nothing_are_counted_by_reason(sending: Sending) -> None:
    async with sending.database.transaction() as db:
        world = await sending.world(db)
        campaign_id = await world.campaign([await sending.mailbox(world)])
        leads = await world.leads(campaign_id, 4)
        await execute(
            db,
            "UPDATE campaign_leads SET status = 'PAUSED', hold_reason = 'MANUAL' WHERE id = %(id)s",
            {"id": leads[0]},
        )
    result = await foresee(sending, campaign_id)
    assert len(result.mails) == 3
    assert result.completed_at is None
    assert {code: count for (code, _), count in result.left.items()} == {"MANUAL": 1}
