"""Which mails start now: free mailboxes, open campaigns and due leads are brought together and claimed.

Product behaviour 1.1 to 1.8. At most one mail for each free mailbox: a retry, else one of its own due follow-ups or a
new lead, as `turns` says. One round is a handful of statements however many mailboxes there are.
"""

from collections.abc import Callable, Iterable, Sequence
from uuid import UUID

from outrider.campaigns import pace
from outrider.engine import choice, gates, limits, rotation, store
from outrider.engine.facts import CampaignFacts, MailboxFacts
from outrider.engine.gates import Case, Scope
from outrider.engine.recipients import RecipientLimits
from outrider.engine.rounds import Attempt, Pick, Round, Span, day_of, load_campaigns
from outrider.engine.schedule import Window
from outrider.engine.senders import Senders
from outrider.engine.texts import Texts
from outrider.kit.db import Db
from outrider.kit.events import emit
from outrider.leads import progress
from outrider.mailboxes import actions as mailboxes
from outrider.mailboxes import state
from outrider.messages import ledger
from outrider.messages.ledger import EventRow
from outrider.messages.models import Claim, ManualStepReached

_UNUSABLE = "The mailbox cannot be used as it is set up. Save its addresses, password and servers again."
_WAITING = frozenset({"MISSING_VARIABLE", "PROVIDER_LOOKUP", "RECIPIENT_DOMAIN", "OUTSIDE_LEAD_HOURS"})
_MOST_ROUNDS = 20  # of one turn
_ENDED = {"UNSUBSCRIBED": ("STOPPED", "UNSUBSCRIBED"), "BLOCK_LIST": ("BLOCKED", "BLOCKLISTED")}


async def plan(
    db: Db,
    engine_id: UUID,
    span: Span,
    *,
    senders: Senders,
    texts: Texts,
    stats_id: Callable[[int, int], UUID],
    recipients: RecipientLimits,
) -> list[Attempt]:
    """Claim one mail for each mailbox that is free and has something due; the caller's transaction commits it.

    Where nobody was picked because those in front may not be mailed, those behind them are looked at in the same turn.
    `span`: this moment; a stretch is for the forecast. `stats_id` gives the identity of (campaign lead, step): the same
    for ever.
    """
    for _ in range(_MOST_ROUNDS):
        mailboxes = await store.list_free_mailboxes(db, engine_id, span.now, until=span.until)
        round_ = await _load_round(db, mailboxes, span) if mailboxes else None
        if round_ is None or not round_.ready:
            return []
        round_.texts, round_.recipients = texts, recipients
        await texts.load(db, round_.texts_to_look_at())
        await choice.pick(db, round_)
        has_made_way = await _record_rejections(db, round_)
        await senders.refresh(db, {pick.mailbox.id: pick.mailbox.updated_at for pick in round_.picks})
        await _disconnect_unusable(db, round_, senders)
        if round_.picks or not has_made_way:
            return await _claim(db, round_, engine_id, stats_id=stats_id)
    return []


async def _load_round(db: Db, mailboxes: Iterable[MailboxFacts], span: Span) -> Round:
    free_at = {mailbox.id: max(span.now, limits.free_at(mailbox)) for mailbox in mailboxes}
    free = {
        mailbox.id: mailbox
        for mailbox in mailboxes
        if (at := free_at[mailbox.id]) <= span.until
        and gates.first_hold_of(Scope.MAILBOX, Case(now=at, mailbox=mailbox)) is None
    }
    pairs = rotation.served_longest_ago_first(await store.list_pairs(db, list(free))) if free else []
    campaign_ids = await store.lock_campaigns(db, {pair.campaign_id for pair in pairs})
    round_ = await load_campaigns(db, campaign_ids, span.now)
    round_.mailboxes, round_.pairs, round_.span = free, pairs, span
    await _load_sender_domains(db, round_)
    windows = {campaign.id: _open_window(round_, campaign) for campaign in round_.campaigns.values()}
    for pair in pairs:
        window = windows.get(pair.campaign_id)  # or another engine plans the campaign, or it was just deleted
        opens_at = limits.ready_at(pair, round_.campaigns[pair.campaign_id], window) if window else None
        if opens_at and opens_at <= span.until:
            round_.ready.append(pair)
            round_.opens_at[pair.key] = max(opens_at, free_at[pair.mailbox_id])
    round_.ready = [pair for pair in round_.ready if round_.sender_domain_is_free(pair)]
    return round_


async def _load_sender_domains(db: Db, round_: Round) -> None:
    limited = [campaign for campaign in round_.campaigns.values() if campaign.domain_level_rate_limit]
    if limited:
        await store.lock_sender_domains(db, {campaign.user_id for campaign in limited})
        domains = await store.list_sender_domains(db, [campaign.id for campaign in limited])
        round_.sender_domains = {(domain.campaign_id, domain.domain): domain for domain in domains}


def _open_window(round_: Round, campaign: CampaignFacts) -> Window | None:
    """The window in which the campaign sends now, if nothing holds it."""
    if campaign.hours is None or gates.first_hold(round_.case(campaign.id)):
        return None
    return campaign.hours.window_at(round_.now)


async def _record_rejections(db: Db, round_: Round) -> bool:
    """Leads that may never be mailed leave the queue; others keep their reason until it is worth looking again.

    Returns whether any of them is out of the way of those behind it.
    """
    ended = [lead_id for lead_id, hold in round_.rejected.items() if hold.code in _ENDED]
    for code, (status, reason) in _ENDED.items():
        ids = [lead_id for lead_id, hold in round_.rejected.items() if hold.code == code]
        if ids:
            await progress.end(db, ids, status=status, reason=reason, now=round_.now)
    if held := {lead_id: hold for lead_id, hold in round_.rejected.items() if hold.code in _WAITING}:
        await progress.record_holds(
            db,
            list(held),
            [hold.code for hold in held.values()],
            [hold.text for hold in held.values()],
            [hold.retry_at for hold in held.values()],
        )
    if round_.skipped:
        await _record_skips(db, round_)
    if round_.ended:
        await progress.complete(db, round_.ended, round_.now)
    if round_.manual:
        await progress.wait_for_person(db, [lead.id for lead, _ in round_.manual], round_.now)
        await emit(
            db,
            *(
                ManualStepReached(lead.user_id, lead.campaign_id, lead.id, step.id, step.number, round_.now)
                for lead, step in round_.manual
            ),
        )
    return bool(ended or held or round_.skipped or round_.ended or round_.manual)


async def _record_skips(db: Db, round_: Round) -> None:
    """The next step is due as if this one had been sent at this moment."""
    skips = [
        progress.Skip(
            campaign_lead_id=skip.lead.id,
            step_id=skip.step.id,
            step_number=skip.step.number,
            due_at=limits.next_due(round_.campaigns[skip.lead.campaign_id], skip.lead, skip.following, skip.at),
        )
        for skip in round_.skipped
    ]
    await progress.record_skips(db, skips, round_.now)
    await ledger.record_events(
        db,
        [
            EventRow(
                user_id=skip.lead.user_id,
                campaign_id=skip.lead.campaign_id,
                campaign_lead_id=skip.lead.id,
                message_id=None,
                type="SKIPPED",
                occurred_at=skip.at,
                details={"step_id": skip.step.id, "step_number": skip.step.number, "missing": list(skip.missing)},
            )
            for skip in round_.skipped
        ],
    )


async def _disconnect_unusable(db: Db, round_: Round, senders: Senders) -> None:
    """A mailbox whose stored values cannot be used has failed until somebody edits it; its picks stay due."""
    for pick in round_.picks:
        if pick.mailbox.id not in senders:
            await mailboxes.record_smtp_failure(
                db, pick.mailbox.user_id, pick.mailbox.id, error=_UNUSABLE, now=round_.now
            )
    round_.picks = [pick for pick in round_.picks if pick.mailbox.id in senders]


async def _claim(db: Db, round_: Round, engine_id: UUID, *, stats_id: Callable[[int, int], UUID]) -> list[Attempt]:
    again = [pick for pick in round_.picks if pick.lead.retry_message_id is not None]
    fresh = [pick for pick in round_.picks if pick.lead.retry_message_id is None]
    claims = [
        Claim(pick.lead.campaign_id, pick.lead.id, pick.mailbox.id, pick.variant.id if pick.variant else None, pick.at)
        for pick in fresh
    ]
    rows = await ledger.claim(db, claims, engine_id) if claims else {}
    retried: set[int] = set()
    if again:
        ids = [pick.lead.retry_message_id for pick in again if pick.lead.retry_message_id is not None]
        retried = await ledger.claim_again(db, ids, engine_id, round_.span.now)
    attempts = [
        _attempt(round_, pick, rows[pick.lead.id], stats_id(pick.lead.id, pick.step.id))
        for pick in fresh
        if pick.lead.id in rows
    ]
    repeated = [
        _attempt(round_, pick, pick.lead.retry_message_id, pick.lead.retry_stats_id)
        for pick in again
        if pick.lead.retry_message_id in retried and pick.lead.retry_stats_id
    ]
    await _count(db, round_, repeated + attempts)
    return repeated + attempts


async def _count(db: Db, round_: Round, attempts: Sequence[Attempt]) -> None:
    if not attempts:
        return
    mailboxes = {pick.mailbox.id: pick.mailbox for pick in round_.picks}
    uses = [
        state.MailboxUse(
            attempt.mailbox_id,
            attempt.claimed_at,
            limits.next_for_mailbox(mailboxes[attempt.mailbox_id], attempt.campaign.id, attempt.claimed_at),
            is_follow_up=not attempt.is_first_mail,
        )
        for attempt in attempts
    ]
    await pace.record_uses(db, [attempt.use() for attempt in attempts])
    await state.record_claims(db, uses)


async def take_back(db: Db, attempts: Sequence[Attempt]) -> None:
    """Undo the counts of mails that were not taken."""
    await take_back_uses(db, [attempt.use() for attempt in attempts])


async def reopen(db: Db, attempts: Sequence[Attempt]) -> None:
    """Mails that could not be made cost their mailboxes no gap: many leads may have no text."""
    await pace.reopen(db, [attempt.use() for attempt in attempts])
    await state.reopen(db, [attempt.mailbox_id for attempt in attempts], [attempt.claimed_at for attempt in attempts])


async def take_back_uses(db: Db, uses: Sequence[pace.Use]) -> None:
    """The same for mails of which only this is known; their gaps stay, which hurts nobody."""
    if not uses:
        return
    await pace.take_back_uses(db, uses)
    mails = [state.TakenBack(use.mailbox_id, use.claimed_at, is_follow_up=not use.is_first_mail) for use in uses]
    await state.take_back_claims(db, mails)


def _attempt(round_: Round, pick: Pick, message_id: int, stats_id: UUID) -> Attempt:
    campaign = round_.campaigns[pick.lead.campaign_id]
    return Attempt(
        message_id=message_id,
        stats_id=stats_id,
        campaign=campaign,
        step=pick.step,
        following=rotation.step_after(pick.step, round_.steps[campaign.id], pick.lead.sent_step_ids),
        variant=pick.variant,
        lead=pick.lead,
        mailbox_id=pick.mailbox.id,
        claimed_at=pick.at,
        day=day_of(campaign, pick.at),
    )
