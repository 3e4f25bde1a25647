"""What a process leaves behind when it dies or is thought dead, and what the others make of it: nothing twice."""

import asyncio
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from outrider.engine import record, recovery
from outrider.engine.record import Result
from outrider.engine.rounds import Attempt
from outrider.kit.db import execute
from outrider.mail.codes import Reason, Scope
from outrider.mail.smtp import Accepted, Deferred, Outcome
from outrider.messages import engagement, ledger
from outrider.sandbox import GREYLISTED, Fault, Moment
from tests.engine.sending import Sending
from tests.support import make
from tests.support.world import World, written

TAKEN = Accepted(250, "2.0.0", "250 2.0.0 taken")
LATER = Deferred(451, "4.7.1", "451 4.7.1 later", Scope.RECIPIENT, Reason.GREYLISTED)


async def _campaign(sending: Sending, **changes: object) -> tuple[int, list[int], int]:
    """One mailbox, one campaign with two steps, one lead; returns (campaign, leads in it, mailbox)."""
    async with sending.database.transaction() as db:
        world = await sending.world(db)
        mailbox_id = await sending.mailbox(world)
        campaign_id = await world.campaign([mailbox_id], steps=2, min_time_between_emails=1, **changes)
        return campaign_id, await world.leads(campaign_id, 1), mailbox_id


async def _claimed(sending: Sending) -> Attempt:
    async with sending.database.transaction() as db:
        [attempt] = await sending.outbound().plan(db)
    return attempt


async def _handed_over(sending: Sending) -> tuple[Attempt, int]:
    """A mail whose engine dies before the server's answer; returns it with the number of its try."""
    attempt = await _claimed(sending)
    async with sending.database.transaction() as db:
        if not attempt.is_repeated:
            await ledger.write(db, [written(attempt)])
        handed = await ledger.hand_over(db, [attempt.message_id], sending.engine_id, sending.clock.time)
    return attempt, handed[attempt.message_id].attempt_count


async def _take_over(sending: Sending) -> UUID:
    """Another engine gets the mailboxes of the one that is thought dead; it works under this name from then on."""
    other = uuid4()
    async with sending.database.transaction() as db:
        await World(db, sending.clock.time, sending.user_id).engine(other)
        await execute(db, "UPDATE mailbox_leases SET engine_id = %(other)s", {"other": other})
        await recovery.recover(db, other, sending.clock.time)
    sending.engine_id = other
    return other


async def _record(sending: Sending, attempt: Attempt, outcome: Outcome, *, attempt_count: int = 1) -> None:
    time = sending.clock.time
    async with sending.database.transaction() as db:
        await record.record(db, [Result(attempt, outcome, time, attempt_count - 1, time)])


async def _counts(sending: Sending) -> tuple[int, int]:
    [row] = await sending.rows(
        """SELECT (SELECT sum(campaign_count) FROM mailbox_days) AS mailbox,
                  (SELECT sum(new_count) FROM campaign_days) AS campaign"""
    )
    return row["mailbox"], row["campaign"]


async def test_what_was_only_claimed_goes_back_and_is_sent_once_by_another(sending: Sending) -> None:
    await _campaign(sending)
    await _claimed(sending)
    await _take_over(sending)
    assert await sending.rows("SELECT id FROM messages") == []
    assert await _counts(sending) == (0, 0)
    sending.clock.time += timedelta(minutes=5)
    assert await sending.round() == 1
    assert len(sending.sandbox.mails) == 1
    assert await _counts(sending) == (1, 1)


async def test_what_was_handed_over_is_in_doubt_once_and_the_sequence_goes_on(sending: Sending) -> None:
    _, [lead], _ = await _campaign(sending)
    await _handed_over(sending)
    for _ in range(2):
        await _take_over(sending)
    [message] = await sending.rows("SELECT status, attempt_count FROM messages")
    assert (message["status"], message["attempt_count"]) == ("UNKNOWN", 1)
    assert [row["type"] for row in await sending.rows("SELECT type FROM message_events")] == ["FAILED"]
    assert await _counts(sending) == (1, 1)
    row = await sending.row("campaign_leads", lead)
    assert (row["status"], row["last_step_number"]) == ("INPROGRESS", 1)
    sending.clock.time += timedelta(days=1)
    await sending.round()
    assert [mail.text.strip() for mail in sending.sandbox.mails] == ["Hello, once more"]


async def test_an_answer_that_comes_late_ends_the_doubt(sending: Sending) -> None:
    await _campaign(sending)
    attempt, _ = await _handed_over(sending)
    await _take_over(sending)
    for _ in range(2):
        await _record(sending, attempt, TAKEN)
    [message] = await sending.rows("SELECT status, sent_at FROM messages")
    assert (message["status"], message["sent_at"]) == ("SENT", attempt.claimed_at)
    assert [row["type"] for row in await sending.rows("SELECT type FROM message_events")] == ["SENT"]


async def test_a_refusal_that_comes_late_changes_nothing(sending: Sending) -> None:
    await _campaign(sending)
    attempt, _ = await _handed_over(sending)
    await _take_over(sending)
    await _record(sending, attempt, LATER)
    [message] = await sending.rows("SELECT status FROM messages")
    assert message["status"] == "UNKNOWN"
    assert await sending.rows("SELECT message_id FROM dispatches") == []
    assert await _counts(sending) == (1, 1)


async def test_a_deferral_recorded_twice_does_not_put_off_the_next_try(sending: Sending) -> None:
    """The commit reached the database, its confirmation did not reach us: the same result comes again."""
    await _campaign(sending)
    attempt, _ = await _handed_over(sending)
    await _record(sending, attempt, LATER)
    assert await _counts(sending) == (0, 0)
    sending.clock.time += timedelta(minutes=6)
    again, attempt_count = await _handed_over(sending)
    assert (again.message_id, attempt_count) == (attempt.message_id, 2)
    await _record(sending, attempt, LATER)
    [dispatch] = await sending.rows("SELECT state FROM dispatches")
    assert dispatch["state"] == "HANDING_OVER"
    assert await _counts(sending) == (1, 1)


async def test_a_campaign_deleted_while_a_server_puts_its_mail_off_leaves_nothing(sending: Sending) -> None:
    await _campaign(sending)
    attempt, _ = await _handed_over(sending)
    await sending.execute("DELETE FROM campaigns")
    for outcome in (LATER, TAKEN):
        await _record(sending, attempt, outcome)
    await _take_over(sending)
    for table in ("messages", "dispatches", "campaign_days", "message_events"):
        assert await sending.rows(f"SELECT * FROM {table}") == []  # noqa: S608 - names from above


async def test_mails_of_a_deleted_mailbox_are_settled_although_nobody_holds_it(sending: Sending) -> None:
    await _campaign(sending)
    await _handed_over(sending)
    await sending.execute("UPDATE mailboxes SET deleted_at = now()")
    await sending.execute("DELETE FROM mailbox_leases")
    await _take_over(sending)
    [message] = await sending.rows("SELECT status FROM messages")
    assert message["status"] == "UNKNOWN"


async def test_a_mail_of_a_lead_taken_out_meanwhile_is_in_doubt_and_told(sending: Sending) -> None:
    await _campaign(sending)
    await _handed_over(sending)
    await sending.execute("DELETE FROM campaign_leads")
    await _take_over(sending)
    [message] = await sending.rows("SELECT status FROM messages")
    assert message["status"] == "UNKNOWN"
    assert [row["type"] for row in await sending.rows("SELECT type FROM message_events")] == ["FAILED"]


async def test_a_mail_that_was_opened_before_its_engine_died_is_not_in_doubt(sending: Sending) -> None:
    await _campaign(sending)
    await _handed_over(sending)
    await sending.execute("UPDATE messages SET first_opened_at = now(), open_count = 1")
    await _take_over(sending)
    [message] = await sending.rows("SELECT status FROM messages")
    assert message["status"] == "SENT"


async def test_a_report_that_is_faster_than_the_answer_of_the_server_stays(sending: Sending) -> None:
    """A submission server on the same machine returns a mail within milliseconds."""
    await _campaign(sending)
    attempt, attempt_count = await _handed_over(sending)
    async with sending.database.transaction() as db:
        await engagement.record_bounce(db, attempt.message_id, sending.clock.time, kind="HARD", reason="5.1.1 unknown")
    await _record(sending, attempt, TAKEN, attempt_count=attempt_count)
    [message] = await sending.rows("SELECT status, bounce_kind, bounced_at, bounce_reason FROM messages")
    assert (message["status"], message["bounce_kind"], message["bounce_reason"]) == ("SENT", "HARD", "5.1.1 unknown")
    assert message["bounced_at"] == sending.clock.time


async def test_a_lead_that_is_just_being_stopped_is_not_handed_over(sending: Sending) -> None:
    _, [lead], _ = await _campaign(sending)
    attempt = await _claimed(sending)
    async with sending.database.transaction() as stopping:
        await execute(stopping, "UPDATE campaign_leads SET status = 'STOPPED'")
        async with sending.database.transaction() as db:
            assert await ledger.hand_over(db, [attempt.message_id], sending.engine_id, sending.clock.time) == {}
    assert (await sending.row("campaign_leads", lead))["status"] == "STOPPED"


async def test_a_mailbox_that_is_down_for_days_does_not_count_against_its_mails(sending: Sending) -> None:
    _, [lead], _ = await _campaign(sending, start_hour="00:00", end_hour="23:59")
    await sending.execute("UPDATE mailboxes SET smtp_port = 1, imap_port = smtp_port")
    await sending.round()
    sending.clock.time += timedelta(days=3)
    await sending.execute("UPDATE mailboxes SET smtp_port = imap_port, updated_at = now()")
    sending.sandbox.faults.add(Fault(Moment.RCPT, answer=GREYLISTED, times=1))
    await sending.rounds(3, every=timedelta(minutes=15))
    assert len(sending.sandbox.mails) == 1
    assert (await sending.row("campaign_leads", lead))["last_step_number"] == 1


async def test_a_retry_whose_text_was_removed_makes_room_for_what_the_sequence_says_now(sending: Sending) -> None:
    await _campaign(sending)
    sending.sandbox.faults.add(Fault(Moment.RCPT, answer=GREYLISTED, times=1))
    await sending.round()
    await sending.execute("UPDATE steps SET deleted_at = now() WHERE number = 1")
    async with sending.database.transaction() as db:
        await ledger.release_idle(db)
    sending.clock.time += timedelta(minutes=10)
    await sending.execute("UPDATE steps SET subject = 'Now first'")
    await sending.round()
    assert [mail.subject for mail in sending.sandbox.mails] == ["Now first"]


async def test_outcomes_wait_for_a_database_that_is_away(sending: Sending) -> None:
    """The recorder keeps what it has; here the row is locked by somebody until the statement times out."""
    await _campaign(sending)
    recorder = sending.recorder()
    outbound = sending.outbound(recorder=recorder)
    await outbound.send_due()
    await outbound.finish()
    task = asyncio.create_task(recorder.run())
    async with sending.database.transaction() as db:
        await execute(db, "SELECT FROM campaign_leads FOR UPDATE")
        await asyncio.sleep(0.05)
        await execute(
            db,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid() AND wait_event_type = 'Lock'",
        )
    await recorder.join()
    task.cancel()
    [message] = await sending.rows("SELECT status FROM messages")
    assert message["status"] == "SENT"


async def test_a_lead_whose_mailbox_left_the_campaign_while_its_mail_was_on_its_way_stops(sending: Sending) -> None:
    _, [lead], mailbox_id = await _campaign(sending)
    attempt, _ = await _handed_over(sending)
    await sending.execute("DELETE FROM campaign_mailboxes")
    await _record(sending, attempt, TAKEN)
    row = await sending.row("campaign_leads", lead)
    assert (row["status"], row["hold_reason"], row["due_at"]) == ("STOPPED", "MAILBOX_GONE", None)
    assert (row["mailbox_id"], row["last_step_number"]) == (mailbox_id, 1)


async def test_a_lead_that_got_another_mailbox_while_its_mail_was_on_its_way_keeps_it(sending: Sending) -> None:
    campaign_id, [lead], _ = await _campaign(sending)
    attempt, _ = await _handed_over(sending)
    async with sending.database.transaction() as db:
        world = await sending.world(db)
        other = await sending.mailbox(world)
        await make.attach(db, sending.user_id, campaign_id, other)
        await world.change("campaign_leads", lead, mailbox_id=other)
    await _record(sending, attempt, TAKEN)
    row = await sending.row("campaign_leads", lead)
    assert (row["status"], row["mailbox_id"]) == ("INPROGRESS", other)


async def test_a_claim_that_is_taken_away_while_its_text_is_written_leaves_nothing_behind(sending: Sending) -> None:
    """The other engine does not see the text, for it is not committed; nobody else would ever remove it."""
    await _campaign(sending)
    outbound = sending.outbound()
    claimed = await outbound.claim_due()
    waiting = asyncio.Event()
    write = ledger.write

    async def write_slowly(*given: object) -> set[int]:
        written = await write(*given)  # type: ignore[arg-type]
        waiting.set()
        await _take_over(sending)
        return written

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ledger, "write", write_slowly)
        assert await outbound.prepare(claimed) == []
    assert waiting.is_set()
    assert await sending.rows("SELECT id FROM messages") == []
    sending.clock.time += timedelta(minutes=5)
    assert await sending.round() == 1
    assert len(sending.sandbox.mails) == 1
    assert await _counts(sending) == (1, 1)
