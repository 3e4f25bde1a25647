"""Who is claimed in one round, on a real database: caps, gaps, order, and what is left out."""

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import uuid4

import pytest

from outrider.kit.db import execute, fetch_value
from outrider.messages import ledger
from outrider.messages.models import ManualStepReached
from tests.support.events import hearing
from tests.support.world import World, written


async def test_each_free_mailbox_gets_one_new_lead_in_the_order_of_import(world: World) -> None:
    boxes = [await world.mailbox() for _ in range(3)]
    leads = await world.leads(await world.campaign(boxes), 5)
    attempts = await world.plan()
    assert [attempt.lead.id for attempt in attempts] == leads[:3]
    assert sorted(attempt.mailbox_id for attempt in attempts) == boxes
    assert (await world.row("dispatches", attempts[0].message_id))["state"] == "CLAIMED"


async def test_a_mailbox_with_a_mail_in_flight_is_not_free(world: World) -> None:
    box = await world.mailbox()
    await world.leads(await world.campaign([box]), 2)
    assert len(await world.plan()) == 1
    world.later(hours=1)
    assert await world.plan() == []


async def test_gaps_hold_per_campaign_and_per_mailbox(world: World) -> None:
    box = await world.mailbox(time_to_wait_minutes=5)
    first = await world.campaign([box], min_time_between_emails=30)
    second = await world.campaign([box], min_time_between_emails=30)
    await world.leads(first, 3)
    await world.leads(second, 3)

    async def send() -> int | None:
        attempts = await world.plan()
        if not attempts:
            return None
        await world.settle()
        return attempts[0].campaign.id

    assert await send() == first
    world.later(minutes=5)
    assert await send() is None  # the mailbox's gap has half a minute more
    world.later(minutes=1)
    assert await send() == second  # another campaign, served longest ago
    world.later(minutes=6)
    assert await send() is None  # both campaigns' gaps
    world.later(minutes=20)
    assert await send() == first


async def test_a_follow_up_goes_before_a_new_lead_and_stays_with_its_mailbox(world: World) -> None:
    boxes = [await world.mailbox(), await world.mailbox()]
    campaign = await world.campaign(boxes, steps=2)
    due, other, new, _ = await world.leads(campaign, 4)
    for lead, mailbox_id in ((due, boxes[1]), (other, boxes[0])):
        await world.change(
            "campaign_leads", lead, status="INPROGRESS", mailbox_id=mailbox_id, last_step_number=1, due_at=world.now
        )
    await world.change("campaign_leads", other, due_at=world.now + timedelta(seconds=1))
    attempts = {attempt.lead.id: attempt for attempt in await world.plan()}
    assert set(attempts) == {due, new}
    assert attempts[due].mailbox_id == boxes[1]
    assert attempts[due].step.number == 2
    assert attempts[due].following is None


async def test_the_cap_of_new_leads_holds_within_a_round(world: World) -> None:
    boxes = [await world.mailbox() for _ in range(4)]
    campaign = await world.campaign(boxes, max_new_leads_per_day=3)
    await world.leads(campaign, 10)
    assert len(await world.plan()) == 3
    assert await fetch_value(world.db, "SELECT new_count FROM campaign_days") == 3
    await world.settle()
    world.later(hours=2)
    assert await world.plan() == []
    world.later(days=1)
    assert len(await world.plan()) == 3


async def test_the_daily_cap_of_a_mailbox_counts_all_campaigns(world: World) -> None:
    box = await world.mailbox(max_email_per_day=2)
    for _ in range(3):
        await world.leads(await world.campaign([box], min_time_between_emails=1), 2)
    sent = 0
    for _ in range(10):
        sent += len(await world.plan())
        await world.settle()
        world.later(minutes=5)
    assert sent == 2


async def test_midnight_is_no_double_day(world: World) -> None:
    """Mails of the evening still count on the next morning until they are a day old."""
    box = await world.mailbox(max_email_per_day=2)
    campaign = await world.campaign([box], start_hour="00:00", end_hour="23:59", min_time_between_emails=1)
    await world.leads(campaign, 10)
    world.now = world.now.replace(hour=23)
    for _ in range(2):
        assert len(await world.plan()) == 1
        await world.settle()
        world.later(minutes=3)
    world.later(hours=3)
    assert await world.plan() == []
    world.later(hours=21)
    assert len(await world.plan()) == 1


async def test_new_leads_leave_room_for_follow_ups_that_fall_due_today(world: World) -> None:
    box = await world.mailbox(max_email_per_day=3)
    campaign = await world.campaign([box], steps=2, min_time_between_emails=1)
    leads = await world.leads(campaign, 6)
    for lead in leads[:2]:
        await world.change(
            "campaign_leads",
            lead,
            status="INPROGRESS",
            mailbox_id=box,
            last_step_number=1,
            due_at=world.now + timedelta(hours=4),
        )
    sent = []
    for _ in range(60):
        sent += [attempt.step.number for attempt in await world.plan()]
        await world.settle()
        world.later(minutes=8)
    assert sent == [1, 2, 2]


@pytest.mark.parametrize(
    ("table", "changes"),
    [
        ("campaigns", {"status": "PAUSED"}),
        ("campaigns", {"end_hour": "08:30"}),
        ("campaigns", {"schedule_start_time": datetime.fromisoformat("2026-03-02T12:00Z")}),
        ("mailboxes", {"is_suspended": True}),
        ("mailboxes", {"is_smtp_success": False}),
        ("mailboxes", {"deleted_at": datetime.fromisoformat("2026-03-02T08:00Z")}),
        ("mailboxes", {"max_email_per_day": 0}),
        ("mailbox_states", {"backoff_until": datetime.fromisoformat("2026-03-02T09:30Z")}),
    ],
)
async def test_a_gate_keeps_the_round_empty(world: World, table: str, changes: dict[str, object]) -> None:
    box = await world.mailbox()
    campaign = await world.campaign([box])
    await world.leads(campaign, 1)
    await world.change(table, campaign if table == "campaigns" else box, **changes)
    assert await world.plan() == []


async def test_a_lead_that_may_not_be_mailed_leaves_the_queue_and_the_next_one_goes(world: World) -> None:
    campaign = await world.campaign([await world.mailbox()])
    [gone] = await world.leads(campaign, 1, domain="sub.rival.example")
    [unsubscribed, fine] = await world.leads(campaign, 2)
    await execute(
        world.db,
        """
        INSERT INTO block_list (user_id, email_or_domain, source, created_at)
        VALUES (%(user_id)s, 'rival.example', 'manual', %(now)s)
        """,
        {"user_id": world.user_id, "now": world.now},
    )
    await execute(
        world.db,
        "UPDATE leads SET is_unsubscribed = true WHERE id = (SELECT lead_id FROM campaign_leads WHERE id = %(id)s)",
        {"id": unsubscribed},
    )
    seen = []
    for _ in range(3):
        seen += [attempt.lead.id for attempt in await world.plan()]
    assert seen == [fine]
    rows = [await world.row("campaign_leads", lead) for lead in (gone, unsubscribed)]
    assert [(row["status"], row["hold_reason"]) for row in rows] == [
        ("BLOCKED", "BLOCKLISTED"),
        ("STOPPED", "UNSUBSCRIBED"),
    ]


async def test_a_manual_step_is_announced_and_waits_for_a_person(world: World) -> None:
    box = await world.mailbox()
    campaign = await world.campaign([box], steps=2)
    await execute(world.db, "UPDATE steps SET type = 'MANUAL' WHERE number = 2")
    [lead] = await world.leads(campaign, 1)
    await world.change(
        "campaign_leads", lead, status="INPROGRESS", mailbox_id=box, last_step_number=1, due_at=world.now
    )
    assert await world.plan() == []
    row = await world.row("campaign_leads", lead)
    assert (row["due_at"], row["hold_code"]) == (None, "MANUAL_STEP")


async def test_nobody_is_claimed_twice_even_if_the_queue_says_so(world: World) -> None:
    boxes = [await world.mailbox(), await world.mailbox()]
    campaign = await world.campaign(boxes)
    await world.leads(campaign, 1)
    [attempt] = await world.plan()
    await execute(world.db, "UPDATE mailbox_states SET next_send_at = %(now)s, last_sent_at = NULL", {"now": world.now})
    assert await world.plan() == []
    await world.write([attempt])
    await execute(world.db, "DELETE FROM dispatches")  # as if the row were due again by mistake
    world.later(minutes=30)
    assert await world.plan() == []
    assert (await world.row("messages", attempt.message_id))["campaign_lead_id"] == attempt.lead.id


async def test_nobody_is_written_to_twice_even_if_the_plan_says_so(world: World) -> None:
    await world.leads(await world.campaign([await world.mailbox()]), 1)
    [attempt] = await world.plan()
    assert await ledger.write(world.db, [written(attempt)]) == {attempt.message_id}
    twice = replace(attempt, message_id=attempt.message_id + 1)
    await execute(world.db, "UPDATE dispatches SET message_id = message_id + 1")
    assert await ledger.write(world.db, [written(twice)]) == set()


async def test_another_engine_sees_only_its_own_mailboxes(world: World) -> None:
    await world.leads(await world.campaign([await world.mailbox()]), 2)
    other = uuid4()
    await world.engine(other)
    assert await world.plan(other) == []


async def test_a_mail_that_was_put_off_goes_first_and_keeps_its_identity(world: World) -> None:
    box = await world.mailbox()
    campaign = await world.campaign([box], min_time_between_emails=1)
    first, _ = await world.leads(campaign, 2)
    [attempt] = await world.plan()
    await world.write([attempt])
    await execute(
        world.db,
        "UPDATE dispatches SET state = 'DEFERRED', retry_at = %(at)s",
        {"at": world.now + timedelta(minutes=5)},
    )
    world.later(minutes=3)
    [meanwhile] = await world.plan()
    assert meanwhile.lead.id != first
    await ledger.release(world.db, [meanwhile.message_id])
    world.later(minutes=3)
    [again] = await world.plan()
    assert (again.lead.id, again.message_id, again.stats_id) == (first, attempt.message_id, attempt.stats_id)


async def test_the_same_state_and_time_give_the_same_plan(world: World) -> None:
    boxes = [await world.mailbox() for _ in range(3)]
    await world.leads(await world.campaign(boxes), 6)

    async def dry_run() -> list[tuple[int, int]]:
        async with world.db.transaction(force_rollback=True):
            return [(attempt.lead.id, attempt.mailbox_id) for attempt in await world.plan()]

    assert await dry_run() == await dry_run() != []


async def test_a_first_step_for_a_person_is_announced_once(world: World) -> None:
    campaign = await world.campaign([await world.mailbox()], steps=2)
    await execute(world.db, "UPDATE steps SET type = 'MANUAL' WHERE number = 1")
    await world.leads(campaign, 1)
    with hearing(ManualStepReached) as heard:
        for _ in range(3):
            assert await world.plan() == []
            world.later(hours=1)
    assert [event.step_number for event in heard.events] == [1]


async def test_a_mail_put_off_waits_for_the_gap_of_its_campaign_on_its_mailbox(world: World) -> None:
    """Another mailbox that the campaign may use, or another campaign of the mailbox, does not open it."""
    boxes = [await world.mailbox(), await world.mailbox()]
    campaign = await world.campaign(boxes)
    await world.leads(campaign, 1)
    [attempt] = await world.plan()
    await world.write([attempt])
    await execute(world.db, "UPDATE dispatches SET state = 'DEFERRED', retry_at = %(now)s", {"now": world.now})
    await world.campaign(boxes)
    await execute(
        world.db,
        """
        UPDATE campaign_mailboxes SET next_send_at = %(later)s
        WHERE campaign_id = %(campaign)s AND mailbox_id = %(mailbox)s
        """,
        {"later": world.now + timedelta(hours=2), "campaign": campaign, "mailbox": attempt.mailbox_id},
    )
    world.later(minutes=6)
    assert await world.plan() == []
    world.later(hours=2)
    assert [again.message_id for again in await world.plan()] == [attempt.message_id]


async def test_a_mailbox_that_cannot_be_used_as_it_is_stored_is_disconnected_and_the_others_send(world: World) -> None:
    broken, fine = await world.mailbox(), await world.mailbox()
    await world.change("mailboxes", broken, password=b"sealed with another key")
    await world.leads(await world.campaign([broken, fine]), 2)
    assert [attempt.mailbox_id for attempt in await world.plan()] == [fine]
    mailbox = await world.row("mailboxes", broken)
    assert mailbox["is_smtp_success"] is False
    assert "Save" in mailbox["smtp_failure_error"]
