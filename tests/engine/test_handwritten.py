"""Mails that people wrote, from the request to the server and to what it said."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from outrider.engine.handwritten import Handwritten
from outrider.engine.recovery import recover
from outrider.engine.senders import Senders
from outrider.inbox import replies
from outrider.inbox.replies import Reply
from outrider.mail.parse import parse
from outrider.messages import doubt
from outrider.messages.received import File
from outrider.sandbox import GREYLISTED, LOGIN_BUSY, SPAM_POLICY, Fault, Moment
from tests.engine.sending import TRACKING_URL, Sending, recording
from tests.support import make


@dataclass
class Desk:
    """A lead who got the first mail of a campaign, and a person who writes to him."""

    sending: Sending
    campaign_id: int
    lead: int
    mailbox_id: int

    async def write(self, files: tuple[File, ...] = (), **changes: Any) -> int:
        """Ask for an answer; returns the row of the mail."""
        [sent] = await self.sending.rows("SELECT stats_id FROM messages WHERE step_number = 1")
        asked: dict[str, Any] = {
            "stats_id": str(sent["stats_id"]),
            "lead_id": None,
            "body": "<p>Gladly, Ada</p>",
            "answered_id": None,
            "answered_at": None,
            "answered_body": None,
            "to_email": None,
            "to_name": "Ada",
            "cc": (),
            "bcc": (),
            "with_signature": True,
            "scheduled_at": None,
            "condition": None,
        }
        now = self.sending.clock.time
        async with self.sending.database.transaction() as db:
            draft = await replies.draft_reply(
                db, self.sending.user_id, self.campaign_id, Reply(**{**asked, **changes}), scope=None, now=now
            )
            await replies.queue_reply(db, draft, files, now=now)
        return int((await self.sending.rows("SELECT max(id) AS id FROM messages"))[0]["id"])

    @asynccontextmanager
    async def engine(self, engine_id: UUID | None = None) -> AsyncIterator[Handwritten]:
        recorder = self.sending.recorder()
        async with recording(recorder):
            made = Handwritten(
                self.sending.database,
                self.sending.clock,  # type: ignore[arg-type]
                engine_id=engine_id or self.sending.engine_id,
                senders=Senders(make.VAULT, tracking_url=TRACKING_URL),
                submitter=self.sending.submitter,
                recorder=recorder,
                on_sent=lambda mailbox_id, raw: self.sending.sent_copies.append((mailbox_id, raw)),
            )
            yield made
            await made.finish()

    async def send(self) -> int:
        """What is due at this moment; returns how many."""
        async with self.engine() as engine:
            return await engine.send_due()

    async def state(self, message_id: int) -> tuple[str, str]:
        [row] = await self.sending.rows(
            f"""SELECT h.state, m.status FROM handwritten_mails AS h JOIN messages AS m ON m.id = h.message_id
                 WHERE m.id = {message_id}"""  # noqa: S608 - a number
        )
        return row["state"], row["status"]


@pytest.fixture
async def desk(sending: Sending) -> Desk:
    async with sending.database.transaction() as db:
        world = await sending.world(db)
        mailbox_id = await sending.mailbox(world, signature="<p>Nora</p>")
        campaign_id = await world.campaign([mailbox_id], steps=2)
        [lead] = await world.leads(campaign_id, 1)
    assert await sending.round() == 1
    return Desk(sending, campaign_id, lead, mailbox_id)


async def test_an_answer_leaves_in_its_thread_with_everything_it_was_given(desk: Desk) -> None:
    sending = desk.sending
    [first] = sending.sandbox.mails
    files = (File("Preisübersicht €.pdf", "application/pdf", b"\x00\xff" * 500), File("a.txt", "text/plain", b"hello"))
    await sending.execute("UPDATE mailboxes SET bcc_email = 'archive@ours.example'")
    mail_id = await desk.write(files, cc=("boss@hexly.example",), bcc=("hidden@ours.example",))
    sending.clock.time += timedelta(minutes=1)
    assert await desk.send() == 1
    assert await desk.send() == 0
    message = await sending.row("messages", mail_id)
    mails = [mail for mail in sending.sandbox.mails if mail.message_id == message["message_id"]]
    recipients = {mail.recipient for mail in mails}
    assert recipients == {
        "lead1@hexly.example",
        "boss@hexly.example",
        "hidden@ours.example",
        "archive@ours.example",
    }
    mail = mails[0]
    assert (mail.subject, mail.in_reply_to) == (f"Re: {first.subject}", first.message_id)
    assert mail.references == (first.message_id,)
    assert "<p>Gladly, Ada</p><br><p>Nora</p>" in mail.html
    assert "Gladly, Ada" in mail.text
    assert TRACKING_URL not in mail.html.replace(first.html, "")
    assert b"hidden@ours.example" not in mail.raw
    assert b"Cc: boss@hexly.example\r\n" in mail.raw
    got = [(each.name, each.content_type, each.content) for each in parse(mail.raw).attachments]
    assert got == [(file.name, file.type, file.content) for file in files]
    assert (message["status"], message["sent_at"], message["step_number"]) == ("SENT", sending.clock.time, None)
    assert await desk.state(mail_id) == ("ENDED", "SENT")
    lead = await sending.row("campaign_leads", desk.lead)
    assert (lead["status"], lead["last_sent_at"]) == ("INPROGRESS", sending.clock.time)
    assert [event["type"] for event in await sending.rows("SELECT type FROM message_events")] == ["SENT"]
    counts = await sending.rows("SELECT campaign_count FROM mailbox_days")
    assert [row["campaign_count"] for row in counts] == [1]  # no cap counts it
    assert sending.sent_copies[-1] == (desk.mailbox_id, mail.raw)


async def test_the_sequence_goes_on_in_the_thread_that_the_answer_made(desk: Desk) -> None:
    mail_id = await desk.write()
    await desk.send()
    answered = await desk.sending.row("messages", mail_id)
    desk.sending.clock.time += timedelta(days=2)
    assert await desk.sending.round() == 1
    follow_up = desk.sending.sandbox.mails[-1]
    assert follow_up.in_reply_to == answered["message_id"]


async def test_it_waits_for_its_time(desk: Desk) -> None:
    later = desk.sending.clock.time + timedelta(hours=3)
    mail_id = await desk.write(scheduled_at=later)
    desk.sending.clock.time = later - timedelta(seconds=1)
    assert await desk.send() == 0
    desk.sending.clock.time = later
    assert await desk.send() == 1
    assert await desk.state(mail_id) == ("ENDED", "SENT")


async def test_a_planned_answer_does_not_disturb_the_sequence(desk: Desk) -> None:
    """Its time may be long after that of the next step."""
    await desk.write(scheduled_at=desk.sending.clock.time + timedelta(days=30))
    [first] = desk.sending.sandbox.mails
    desk.sending.clock.time += timedelta(days=2)
    assert await desk.sending.round() == 1
    assert desk.sending.sandbox.mails[-1].in_reply_to == first.message_id


async def test_two_engines_send_it_once(desk: Desk) -> None:
    await desk.write()
    before = len(desk.sending.sandbox.mails)
    async with desk.engine() as one, desk.engine() as other, desk.engine(uuid4()) as stranger:
        counts = await asyncio.gather(one.send_due(), other.send_due(), stranger.send_due())
    assert sorted(counts) == [0, 0, 1]
    assert counts[2] == 0  # the mailbox is not its own
    sent = desk.sending.sandbox.mails[before:]
    assert len({mail.message_id for mail in sent}) == 1


async def test_what_a_dead_engine_was_handing_over_is_in_doubt_and_never_sent_again(desk: Desk) -> None:
    mail_id = await desk.write()
    before = len(desk.sending.sandbox.mails)
    dead = uuid4()
    await desk.sending.execute(
        f"""UPDATE handwritten_mails
               SET state = 'HANDING_OVER', engine_id = '{dead}', attempt_count = 1, first_tried_at = due_at"""  # noqa: S608
    )
    async with desk.sending.database.transaction() as db:
        await recover(db, desk.sending.engine_id, desk.sending.clock.time)
    assert await desk.state(mail_id) == ("ENDED", "UNKNOWN")
    assert await desk.send() == 0
    assert len(desk.sending.sandbox.mails) == before
    # found in Sent: it had left
    await desk.sending.execute("UPDATE messages SET claimed_at = created_at WHERE kind = 'MANUAL'")
    async with desk.sending.database.transaction() as db:
        assert [row for row, _ in await doubt.list_doubtful(db, desk.mailbox_id)] == [mail_id]
        await doubt.settle(db, [mail_id])
    assert await desk.state(mail_id) == ("ENDED", "SENT")
    assert [event["type"] for event in await desk.sending.rows("SELECT type FROM message_events")] == ["SENT"]


async def test_a_mail_that_is_not_taken_is_tried_again_for_a_day(desk: Desk) -> None:
    mail_id = await desk.write()
    desk.sending.sandbox.faults.add(Fault(Moment.RCPT, answer=GREYLISTED, times=3))
    start, tries = desk.sending.clock.time, []
    for _ in range(120):
        if await desk.send():
            tries.append(round((desk.sending.clock.time - start).total_seconds() / 60))
        desk.sending.clock.time += timedelta(minutes=1)
    assert tries == [0, 5, 20, 80]
    assert await desk.state(mail_id) == ("ENDED", "SENT")


async def test_after_a_day_it_has_failed(desk: Desk) -> None:
    mail_id = await desk.write()
    desk.sending.sandbox.faults.add(Fault(Moment.RCPT, answer=GREYLISTED, times=None))
    for _ in range(40):
        await desk.send()
        desk.sending.clock.time += timedelta(hours=1)
    assert await desk.state(mail_id) == ("ENDED", "FAILED")


async def test_a_refusal_of_the_mail_is_the_end_of_it(desk: Desk) -> None:
    mail_id = await desk.write()
    desk.sending.sandbox.faults.add(Fault(Moment.DOT, answer=SPAM_POLICY, times=1))
    await desk.send()
    assert await desk.state(mail_id) == ("ENDED", "FAILED")
    assert (await desk.sending.row("campaign_leads", desk.lead))["status"] == "INPROGRESS"


async def test_a_mailbox_that_is_put_off_keeps_its_mail(desk: Desk) -> None:
    mail_id = await desk.write()
    await desk.sending.submitter.close()
    desk.sending.sandbox.faults.add(Fault(Moment.LOGIN, answer=LOGIN_BUSY, times=1))
    await desk.send()
    assert await desk.state(mail_id) == ("WAITING", "QUEUED")
    assert await desk.send() == 0
    desk.sending.clock.time += timedelta(minutes=6)
    assert await desk.send() == 1
    assert await desk.state(mail_id) == ("ENDED", "SENT")


@pytest.mark.parametrize("column", ["is_suspended = true", "is_smtp_success = false", "deleted_at = created_at"])
async def test_a_mailbox_that_cannot_send_keeps_its_mail(desk: Desk, column: str) -> None:
    mail_id = await desk.write()
    await desk.sending.execute(f"UPDATE mailboxes SET {column}")  # noqa: S608 - from above
    assert await desk.send() == 0
    assert await desk.state(mail_id) == ("WAITING", "QUEUED")
