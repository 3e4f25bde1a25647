"""The attempt: render, compose, gates once more, submit, record (product behaviour 1.1, design 4).

Mails of one round are written and handed over together and submitted side by side; what the servers say is gathered
and recorded many at a time. One broken mailbox, text or message never stops the others.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

import psycopg
from psycopg.errors import DeadlockDetected, SerializationFailure

from outrider.engine import record
from outrider.engine.gates import Hold
from outrider.engine.planner import plan, reopen, take_back
from outrider.engine.recipients import UNLIMITED, RecipientLimits
from outrider.engine.record import Result
from outrider.engine.recorder import Recorder
from outrider.engine.render import Rendered, Renderer
from outrider.engine.rounds import Attempt, Span, stats_id
from outrider.engine.senders import Senders
from outrider.kit.clock import Clock
from outrider.kit.crypto import Vault
from outrider.kit.db import Database, Db
from outrider.kit.log import get_logger
from outrider.kit.plain import plain
from outrider.leads import progress
from outrider.mail.codes import Reason, Scope
from outrider.mail.smtp import Envelope, Outcome, Rejected, Submitter, Unknown
from outrider.messages import ledger

log = get_logger("engine")

_LOOK_AGAIN = timedelta(hours=1)
_ROUND_SECONDS = 0.1
_PORTION = 100  # mails that are written in one go, while nothing else moves
_NO_SERVER = Rejected(None, None, "The mailbox has no SMTP server. Set one.", Scope.SENDER, Reason.NOT_SUPPORTED)
_UNFORESEEN = Hold("UNFORESEEN", "This mail could not be prepared. The log of the engine says why.")
_INTERRUPTED = Unknown(None, None, "The submission failed in an unforeseen way.", Scope.CONNECTION, Reason.OTHER)


@plain(frozen=True, slots=True)
class Ready:
    """A mail that only has to be handed over."""

    attempt: Attempt
    rendered: Rendered
    handover: ledger.Handover

    def answered(self, outcome: Outcome, at: datetime) -> Result:
        """What the server said to it."""
        return Result(
            attempt=self.attempt,
            outcome=outcome,
            at=at,
            tries=self.handover.attempt_count - 1,
            first_tried_at=self.handover.first_tried_at,
        )


class Outbound:
    """Sends what is due from the mailboxes of one engine."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        vault: Vault,
        *,
        engine_id: UUID,
        senders: Senders,
        renderer: Renderer,
        submitter: Submitter,
        recorder: Recorder,
        on_sent: Callable[[int, bytes], None],
        recipients: RecipientLimits = UNLIMITED,
    ) -> None:
        self._database = database
        self._clock = clock
        self._vault = vault
        self._engine_id = engine_id
        self._senders = senders
        self._renderer = renderer
        self._submitter = submitter
        self._recorder = recorder
        self._on_sent = on_sent
        self._recipients = recipients
        self._in_flight: set[int] = set()  # ids of the messages
        self._is_idle = asyncio.Event()
        self._is_idle.set()

    async def send_due(self) -> int:
        """One round: claim what is due and hand it over; returns how many were claimed.

        It waits a moment for the answers to be stored: mailboxes are free again then, and the next round, which costs
        the same statements for one mail as for a hundred, is as large as it can be. Servers that take longer than that
        are waited for by nobody.
        """
        attempts = await self.claim_due()
        await self.start(attempts)
        if attempts or self._in_flight:
            await self._all_answered(_ROUND_SECONDS)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._recorder.join(), _ROUND_SECONDS)
        return len(attempts)

    async def claim_due(self, span: Span | None = None) -> list[Attempt]:
        """Claim what is due at this moment, or in a stretch of time."""
        async with self._database.transaction() as db:
            return await self.plan(db, span)

    async def plan(self, db: Db, span: Span | None = None) -> list[Attempt]:
        """The same in the caller's transaction."""
        return await plan(
            db,
            self._engine_id,
            span or Span.at(self._clock.now()),
            senders=self._senders,
            texts=self._renderer.texts,
            stats_id=self._stats_id,
            recipients=self._recipients,
        )

    async def start(self, attempts: Sequence[Attempt]) -> None:
        """Hand the claimed mails over, side by side; the recorder notes what becomes of them."""
        for portion in (attempts[start : start + _PORTION] for start in range(0, len(attempts), _PORTION)):
            for ready in await self.prepare(portion):
                self._in_flight.add(ready.attempt.message_id)
                self._is_idle.clear()
                self._submit(ready)

    def _stats_id(self, campaign_lead_id: int, step_id: int) -> UUID:
        return stats_id(self._vault, campaign_lead_id, step_id)

    async def prepare(self, attempts: Sequence[Attempt]) -> list[Ready]:
        """Write the mails and mark them as being handed over. One that fails unforeseen does not stop the others."""
        try:
            return await self._hand_over(attempts)
        except (DeadlockDetected, SerializationFailure):
            return await self.prepare(attempts)
        except psycopg.OperationalError:
            raise  # the engine starts anew and finds what it has claimed
        except Exception:
            log.exception("mails could not be prepared", message_ids=[attempt.message_id for attempt in attempts])
            if len(attempts) == 1:
                await self._set_aside(attempts[0])
                return []
        return [ready for attempt in attempts for ready in await self.prepare([attempt])]

    async def _hand_over(self, attempts: Sequence[Attempt]) -> list[Ready]:
        """All in one transaction; those that may not go any more are released."""
        now = self._clock.now()
        async with self._database.transaction() as db:
            rendered, holds = await self._renderer.render(db, attempts, self._senders, now)
            written = await _write(db, attempts, rendered)
            handed = await ledger.hand_over(db, written, self._engine_id, now)
            if len(handed) < len(attempts):
                await _release(db, [attempt for attempt in attempts if attempt.message_id not in handed])
            if holds:
                await _hold(db, holds, until=now + _LOOK_AGAIN)
                await reopen(db, [attempt for attempt in attempts if attempt.lead.id in holds])
        return [
            Ready(attempt, rendered[attempt.message_id], handed[attempt.message_id])
            for attempt in attempts
            if attempt.message_id in handed
        ]

    async def _set_aside(self, attempt: Attempt) -> None:
        async with self._database.transaction() as db:
            await _release(db, [attempt])
            await _hold(db, {attempt.lead.id: _UNFORESEEN}, until=self._clock.now() + _LOOK_AGAIN)

    def _submit(self, ready: Ready) -> None:
        attempt, done = ready.attempt, partial(self._done, ready)
        try:
            sender = self._senders[attempt.mailbox_id]
            if sender.server is None:
                done(_NO_SERVER)
                return
            envelope = Envelope(
                sender=sender.mailbox.from_email,
                recipients=(attempt.lead.email, *sender.bcc),
                data=ready.rendered.data,
            )
            self._submitter.submit(sender.server, envelope, done)
        except Exception:  # a mail without an outcome would hold its mailbox for ever
            log.exception("a submission failed", message_id=attempt.message_id, mailbox_id=attempt.mailbox_id)
            done(_INTERRUPTED)

    def _done(self, ready: Ready, outcome: Outcome) -> None:
        """What the server said to a mail; called in the middle of the talk with it, so nothing here waits."""
        result = ready.answered(outcome, self._clock.now())
        self._recorder.put(result)
        self._in_flight.discard(ready.attempt.message_id)
        if not self._in_flight:
            self._is_idle.set()
        if record.is_taken(result):
            self._on_sent(ready.attempt.mailbox_id, ready.rendered.data)

    async def finish(self, *, seconds: float | None = None) -> None:
        """Wait for the mails that are being handed over; what takes longer than this is given up."""
        if not await self._all_answered(seconds):
            self._submitter.give_up()
            await self._all_answered(None)

    async def _all_answered(self, seconds: float | None) -> bool:
        """Whether nothing is in flight within so long."""
        try:
            async with asyncio.timeout(seconds):
                await self._is_idle.wait()
        except TimeoutError:
            return False
        return True


async def _write(db: Db, attempts: Sequence[Attempt], rendered: Mapping[int, Rendered]) -> list[int]:
    """Keep the mails; returns those of which there is no other row."""
    fresh = [a.message_id for a in attempts if a.message_id in rendered and not a.is_repeated]
    again = [a.message_id for a in attempts if a.message_id in rendered and a.is_repeated]
    kept = await ledger.write(db, [rendered[message_id].written for message_id in fresh]) if fresh else set()
    if again:
        await ledger.rewrite(db, [rendered[message_id].written for message_id in again])
    return [*kept, *again]


async def _release(db: Db, attempts: Sequence[Attempt]) -> None:
    """Give claimed mails back: their leads are due again, nothing is counted."""
    released = await ledger.release(db, [attempt.message_id for attempt in attempts])
    await take_back(db, [attempt for attempt in attempts if attempt.message_id in released])


async def _hold(db: Db, holds: Mapping[int, Hold], *, until: datetime) -> None:
    """Keep the reason of leads whose text cannot be made, and look again later: somebody may have mended it."""
    reasons = list(holds.values())
    await progress.record_holds(
        db, list(holds), [hold.code for hold in reasons], [hold.text for hold in reasons], [until] * len(reasons)
    )
