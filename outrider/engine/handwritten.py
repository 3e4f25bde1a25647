"""Mails that people wrote leave: what is due in this engine's mailboxes is marked, composed, submitted, recorded.

They wait for no window and count against no cap, but their mailbox must be able to send. Their ledger is in
`messages/handwritten`; what the server says means the same as for mails of campaigns (decision 26).
"""

import asyncio
from collections.abc import Callable
from datetime import datetime
from functools import partial
from uuid import UUID
from zoneinfo import ZoneInfo

from outrider.content.text import to_text
from outrider.engine.record import MAIL_RETRIED_FOR, hold_mailbox, mail_retry
from outrider.engine.recorder import Recorder
from outrider.engine.senders import Sender, Senders
from outrider.kit.clock import Clock
from outrider.kit.db import Database, Db
from outrider.kit.events import emit
from outrider.kit.log import get_logger
from outrider.mail import compose
from outrider.mail.attach import File, attach
from outrider.mail.codes import Reason, Scope
from outrider.mail.smtp import Accepted, Deferred, Envelope, Outcome, Rejected, Submitter, Unknown
from outrider.mailboxes import state
from outrider.messages import handwritten
from outrider.messages.handwritten import Due
from outrider.messages.models import HandwrittenSent

log = get_logger("engine")

_AT_ONCE = 50
_UTC = ZoneInfo("UTC")
_UNUSABLE = Rejected(
    None,
    None,
    "The mailbox cannot be used as it is set up. Save its addresses, password and servers again.",
    Scope.SENDER,
    Reason.NOT_SUPPORTED,
)
_UNREADABLE = "The mail could not be composed. The log of the engine says why."


class Handwritten:
    """Sends what people wrote from the mailboxes of one engine."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        engine_id: UUID,
        senders: Senders,
        submitter: Submitter,
        recorder: Recorder,
        on_sent: Callable[[int, bytes], None],
    ) -> None:
        self._database = database
        self._clock = clock
        self._engine_id = engine_id
        self._senders = senders
        self._submitter = submitter
        self._recorder = recorder
        self._on_sent = on_sent
        self._in_flight: set[asyncio.Future[None]] = set()

    async def send_due(self) -> int:
        """Hand over what is due; returns how many. What becomes of them is recorded as the servers answer."""
        now = self._clock.now()
        async with self._database.transaction() as db:
            due = await handwritten.claim_due(db, self._engine_id, now, limit=_AT_ONCE)
            await self._senders.refresh(db, {mail.mailbox_id: mail.mailbox_updated_at for mail in due})
        for mail in due:
            await self._submit(mail, now)
        return len(due)

    async def _submit(self, mail: Due, now: datetime) -> None:
        if mail.mailbox_id not in self._senders or (server := self._senders[mail.mailbox_id].server) is None:
            self._record(mail, _UNUSABLE)
            return
        sender = self._senders[mail.mailbox_id]
        try:
            data = await self._compose(mail, sender, now)
            envelope = Envelope(
                sender=sender.mailbox.from_email,
                recipients=tuple(dict.fromkeys((mail.to_email, *mail.more_to, *mail.cc, *mail.bcc, *sender.bcc))),
                data=data,
            )
        except Exception:  # a mail without an outcome would wait for ever
            log.exception("a mail could not be composed", message_id=mail.id)
            self._record(mail, Rejected(None, None, _UNREADABLE, Scope.MESSAGE, Reason.OTHER))
            return
        done = asyncio.get_running_loop().create_future()
        self._in_flight.add(done)
        done.add_done_callback(self._in_flight.discard)
        self._submitter.submit(server, envelope, partial(self._answered, mail, data, done))

    def _answered(self, mail: Due, data: bytes, done: "asyncio.Future[None]", outcome: Outcome) -> None:
        self._record(mail, outcome)
        if isinstance(outcome, Accepted):
            self._on_sent(mail.mailbox_id, data)
        done.set_result(None)

    def _record(self, mail: Due, outcome: Outcome) -> None:
        self._recorder.keep(partial(_record, mail=mail, outcome=outcome, at=self._clock.now()), message_id=mail.id)

    async def _compose(self, mail: Due, sender: Sender, now: datetime) -> bytes:
        async with self._database.connection() as db:
            files = await handwritten.list_files(db, mail.id)
        raw = compose.write(
            sender.skeleton,
            to=(mail.to_email, *mail.more_to),
            to_name=mail.to_name,
            cc=mail.cc,
            subject=mail.subject,
            html=mail.html,
            text=to_text(mail.html),
            date=now.astimezone(_UTC),
            message_id=mail.message_id,
            in_reply_to=mail.in_reply_to,
            references=mail.references,
        )
        return attach(raw, [File(file["name"], bytes(file["content"]), file["type"]) for file in files])

    async def finish(self, *, seconds: float | None = None) -> None:
        """Wait for the mails that are being handed over; what takes longer than this is given up."""
        if self._in_flight:
            await asyncio.wait(self._in_flight, timeout=seconds)
        if self._in_flight:
            self._submitter.give_up()
            await asyncio.wait(self._in_flight)


async def _record(db: Db, *, mail: Due, outcome: Outcome, at: datetime) -> None:
    match outcome:
        case Accepted() as said:
            is_ours = await handwritten.end(
                db,
                mail.id,
                attempt=mail.attempt_count,
                status="SENT",
                at=at,
                reply_code=said.reply_code,
                enhanced_code=said.enhanced_code,
                reply_text=said.text,
            )
            if is_ours:
                await state.record_successes(db, [mail.mailbox_id])
                await emit(
                    db,
                    HandwrittenSent(
                        mail.user_id,
                        mail.campaign_id,
                        mail.campaign_lead_id,
                        mail.id,
                        at,
                        is_forward=mail.kind == "FORWARD",
                    ),
                )
        case Unknown() as said:
            await handwritten.end(
                db, mail.id, attempt=mail.attempt_count, status="UNKNOWN", at=at, reply_text=said.text
            )
        case Deferred(scope=Scope.SENDER | Scope.CONNECTION) | Rejected(scope=Scope.SENDER | Scope.CONNECTION) as said:
            backoffs = await state.lock_backoffs(db, [mail.mailbox_id])
            until = await hold_mailbox(db, mail.user_id, mail.mailbox_id, said, backoffs.get(mail.mailbox_id), at=at)
            await handwritten.put_off(
                db, mail.id, attempt=mail.attempt_count, due_at=until, reply_text=said.text, is_for_mail=False
            )
        case Deferred() as said if at - mail.first_tried_at < MAIL_RETRIED_FOR:
            due_at = at + mail_retry(mail.attempt_count - 1)
            await handwritten.put_off(
                db, mail.id, attempt=mail.attempt_count, due_at=due_at, reply_text=said.text, is_for_mail=True
            )
        case _ as said:
            await handwritten.end(
                db,
                mail.id,
                attempt=mail.attempt_count,
                status="FAILED",
                at=at,
                reply_code=said.reply_code,
                enhanced_code=said.enhanced_code,
                reply_text=said.text,
            )
