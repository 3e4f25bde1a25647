"""What the server said becomes what the ledger says: the last step of an attempt.

Design 4 (ledger), decisions 26, 27, 29 and 39. Results of many mails are recorded in one transaction with everything
that follows from them: the lead's next date, counters, events, bounces, waits of the mailbox.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from outrider.engine import bounces, limits
from outrider.engine.bounces import Bounced
from outrider.engine.planner import take_back
from outrider.engine.rounds import Attempt
from outrider.kit.db import Db
from outrider.kit.events import emit
from outrider.kit.plain import plain
from outrider.leads import progress
from outrider.mail.codes import Reason, Scope
from outrider.mail.dsn import BounceKind
from outrider.mail.smtp import Accepted, Deferred, Outcome, Rejected, Unknown
from outrider.mailboxes import actions as mailboxes
from outrider.mailboxes import state
from outrider.messages import doubt, ledger
from outrider.messages.ledger import EventRow
from outrider.messages.models import Deferral, MessageSent, MessageStatus
from outrider.messages.models import Outcome as Recorded

_MAIL_RETRIES = (timedelta(minutes=5), timedelta(minutes=15), timedelta(minutes=60))
MAIL_RETRIED_FOR = timedelta(hours=24)
_MAILBOX_WAITS = (timedelta(minutes=5), timedelta(minutes=15), timedelta(minutes=60))
_NETWORK_WAITS = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=15), timedelta(minutes=60))
_NETWORK_FAILURES = 5
_SOFT_REASONS = frozenset({Reason.MAILBOX_FULL, Reason.RECIPIENT_BUSY, Reason.GREYLISTED})


@plain(frozen=True, slots=True)
class Result:
    """An attempt and what the server said to it at `at`."""

    attempt: Attempt
    outcome: Outcome
    at: datetime
    tries: int
    first_tried_at: datetime


def is_taken(result: Result) -> bool:
    """Whether the server took the mail."""
    return isinstance(result.outcome, Accepted)


async def record(db: Db, results: Sequence[Result]) -> set[int]:
    """Record these results; returns the campaigns in which a lead may have come to its end."""
    finals = [(result, final) for result in results if (final := _final(result)) is not None]
    open_ids = await ledger.record_outcomes(db, [final for _, final in finals]) if finals else set()
    # Those that another engine has settled meanwhile as in doubt were taken after all.
    await doubt.settle(db, [final.id for r, final in finals if is_taken(r) and final.id not in open_ids])
    finals = [(result, final) for result, final in finals if final.id in open_ids]
    bounced = [_bounce(result, final) for result, final in finals if final.bounce_kind]
    if bounced:  # first: a lead that is blocked by it does not become COMPLETED
        await bounces.apply(db, bounced)
    await _advance(db, finals)
    await _tell(db, finals)
    await _put_off(db, [result for result in results if _final(result) is None])
    await state.record_successes(db, [r.attempt.mailbox_id for r in results if is_taken(r)])
    return {result.attempt.campaign.id for result, _ in finals if result.attempt.following is None or _bounced(result)}


def _bounced(result: Result) -> bool:
    return not isinstance(result.outcome, Accepted | Unknown)


def _final(result: Result) -> Recorded | None:
    """Return what to write for good, or None if the mail goes back to due."""
    message_id, at = result.attempt.message_id, result.at
    match result.outcome:
        case Accepted() as said:
            return Recorded(message_id, MessageStatus.SENT, at, said.reply_code, said.enhanced_code, said.text)
        case Unknown() as said:
            return Recorded(message_id, MessageStatus.UNKNOWN, None, None, None, said.text)
        case Rejected(scope=Scope.RECIPIENT) as said:
            kind = BounceKind.SOFT if said.reason in _SOFT_REASONS else BounceKind.HARD
        case Rejected(scope=Scope.MESSAGE) as said:
            kind = BounceKind.SENDER
        case Deferred(scope=Scope.RECIPIENT | Scope.MESSAGE) as said if at - result.first_tried_at >= MAIL_RETRIED_FOR:
            kind = BounceKind.SOFT
        case _:
            return None
    return Recorded(message_id, MessageStatus.BOUNCED, at, said.reply_code, said.enhanced_code, said.text, kind)


async def _advance(db: Db, finals: Sequence[tuple[Result, Recorded]]) -> None:
    """Move the leads on; a mail in doubt counts as sent for the sequence (decision 27)."""
    advances = [
        progress.Advance(
            campaign_lead_id=result.attempt.lead.id,
            mailbox_id=result.attempt.mailbox_id,
            step_id=result.attempt.step.id,
            step_number=result.attempt.step.number,
            sent_at=result.at,
            due_at=limits.next_due(result.attempt.campaign, result.attempt.lead, result.attempt.following, result.at),
        )
        for result, _ in finals
    ]
    if advances:
        await progress.record_advances(db, advances, max(result.at for result, _ in finals))


async def _tell(db: Db, finals: Sequence[tuple[Result, Recorded]]) -> None:
    sent = [(result.attempt, final) for result, final in finals if final.status is MessageStatus.SENT]
    doubtful = [(result.attempt, result.at) for result, final in finals if final.status is MessageStatus.UNKNOWN]
    rows = [_event_row(attempt, "SENT", final.sent_at) for attempt, final in sent if final.sent_at]
    rows += [_event_row(attempt, "FAILED", at) for attempt, at in doubtful]
    if rows:
        await ledger.record_events(db, rows)
    if doubtful:
        await doubt.settle_seen(db, [attempt.message_id for attempt, _ in doubtful])
    await emit(
        db,
        *(
            MessageSent(
                attempt.lead.user_id,
                attempt.campaign.id,
                attempt.lead.id,
                attempt.message_id,
                final.sent_at,
                attempt.step.number,
            )
            for attempt, final in sent
            if final.sent_at
        ),
    )


def _event_row(attempt: Attempt, kind: str, at: datetime) -> EventRow:
    return EventRow(attempt.lead.user_id, attempt.campaign.id, attempt.lead.id, attempt.message_id, kind, at)


def _bounce(result: Result, final: Recorded) -> Bounced:
    lead = result.attempt.lead
    return Bounced(
        user_id=lead.user_id,
        campaign_id=lead.campaign_id,
        campaign_lead_id=lead.id,
        lead_id=lead.lead_id,
        message_id=final.id,
        email=lead.email,
        kind=final.bounce_kind or BounceKind.SOFT,
        report_id=None,
        at=result.at,
    )


async def _put_off(db: Db, results: Sequence[Result]) -> None:
    """Mails that were surely not taken are due again; a mailbox that was refused waits, its mails with it."""
    attempts = {result.attempt.message_id: result.tries + 1 for result in results}
    open_ids = await ledger.lock_handed_over(db, attempts) if attempts else set()
    results = [result for result in results if result.attempt.message_id in open_ids]
    if not results:
        return
    backoffs = await state.lock_backoffs(db, [result.attempt.mailbox_id for result in results])
    deferrals = []
    for result in results:
        said = result.outcome
        if not isinstance(said, Deferred | Rejected):
            continue
        is_for_mail = said.scope in (Scope.RECIPIENT, Scope.MESSAGE)
        if is_for_mail:
            retry_at = result.at + mail_retry(result.tries)
        else:
            retry_at = await hold_mailbox(
                db,
                result.attempt.lead.user_id,
                result.attempt.mailbox_id,
                said,
                backoffs.get(result.attempt.mailbox_id),
                at=result.at,
            )
        deferrals.append(
            Deferral(
                id=result.attempt.message_id,
                retry_at=retry_at,
                reply_code=said.reply_code,
                enhanced_code=said.enhanced_code,
                reply_text=said.text,
                counts=is_for_mail,
            )
        )
    await ledger.defer(db, deferrals)
    await take_back(db, [result.attempt for result in results])


def mail_retry(tries: int) -> timedelta:
    """How long a mail waits that was not taken for the `tries`-th time (from 0)."""
    return _step(_MAIL_RETRIES, tries)


async def hold_mailbox(
    db: Db, user_id: int, mailbox_id: int, said: Deferred | Rejected, backoff: state.Backoff | None, *, at: datetime
) -> datetime:
    """Let the mailbox wait and return until when; a refused log-in or five network failures disconnect it."""
    failures = (backoff.smtp_failure_count if backoff else 0) + 1
    steps = backoff.backoff_step if backoff else 0
    is_network = said.scope is Scope.CONNECTION
    is_login_refused = isinstance(said, Rejected) and said.reason is Reason.AUTHENTICATION
    if is_login_refused or (is_network and failures >= _NETWORK_FAILURES):
        await mailboxes.record_smtp_failure(db, user_id, mailbox_id, error=said.text, now=at)
    if said.reason is Reason.SENDER_QUOTA:
        until = at.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    else:
        until = at + _step(_NETWORK_WAITS if is_network else _MAILBOX_WAITS, steps)
    reason = "its server could not be reached" if is_network else "its server put it off"
    await state.back_off(db, mailbox_id, until, reason=f"{reason}: {said.text}", is_failure=is_network)
    return until


def _step(waits: Sequence[timedelta], count: int) -> timedelta:
    return waits[min(count, len(waits) - 1)]
