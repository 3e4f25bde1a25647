"""Which mails start now: free mailboxes, open campaigns and due leads are brought together and claimed.

Product behaviour 1.1 to 1.8. At most one mail for each free mailbox; its own due follow-ups first, then a new lead of
the campaign it served longest ago. One round is a handful of statements however many mailboxes there are.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import UUID

from outrider.campaigns import pace
from outrider.engine import gates, limits, rotation, store
from outrider.engine.facts import CampaignFacts, LeadFacts, MailboxFacts, Pair, StepFacts, VariantFacts
from outrider.engine.gates import Case, Hold
from outrider.engine.schedule import Window
from outrider.engine.senders import Sender, Senders
from outrider.kit.db import Db
from outrider.kit.events import emit
from outrider.leads import progress
from outrider.mailboxes import actions as mailboxes
from outrider.mailboxes import state
from outrider.messages import ledger
from outrider.messages.models import Claim, ManualStepReached

_CANDIDATES_PER_MAILBOX = 3
_MOST_MAILS = 100  # of one round; the next round is planned while these are written and handed over
_UNUSABLE = "The mailbox cannot be used as it is set up. Save its addresses, password and servers again."
_ENDED = {"UNSUBSCRIBED": ("STOPPED", "UNSUBSCRIBED"), "BLOCK_LIST": ("BLOCKED", "BLOCKLISTED")}


@dataclass(frozen=True, slots=True)
class Attempt:
    """A mail that this engine has claimed and is going to send."""

    message_id: int
    stats_id: UUID
    campaign: CampaignFacts
    step: StepFacts
    following: StepFacts | None
    variant: VariantFacts | None
    lead: LeadFacts
    mailbox_id: int
    claimed_at: datetime
    day: date

    @property
    def is_first_mail(self) -> bool:
        return self.lead.last_step_number == 0

    def use(self) -> pace.Use:
        return pace.Use(
            campaign_id=self.campaign.id,
            mailbox_id=self.mailbox_id,
            next_send_at=limits.next_for_campaign(self.campaign, self.mailbox_id, self.claimed_at),
            day=self.day,
            is_first_mail=self.is_first_mail,
            variant_id=self.variant.id if self.variant else None,
        )


@dataclass
class Round:
    """What one round of planning knows."""

    now: datetime
    mailboxes: dict[int, MailboxFacts]
    campaigns: dict[int, CampaignFacts]
    steps: dict[int, list[StepFacts]]
    variants: dict[int, list[VariantFacts]]
    new_counts: dict[int, int]
    ready: list[Pair] = field(default_factory=list)
    chosen_variants: dict[int, int] = field(default_factory=dict)
    picks: list["Pick"] = field(default_factory=list)
    rejected: dict[int, Hold] = field(default_factory=dict)
    manual: list[tuple[LeadFacts, StepFacts]] = field(default_factory=list)
    ended: list[int] = field(default_factory=list)

    @property
    def is_full(self) -> bool:
        return len(self.picks) >= _MOST_MAILS

    def find_step(self, campaign_id: int, step_id: int | None) -> StepFacts | None:
        return next((step for step in self.steps.get(campaign_id, ()) if step.id == step_id), None)

    def open_for_new(self) -> list[int]:
        """The campaigns, of those that may send, which have room for new leads today."""
        ids = {pair.campaign_id for pair in self.ready}
        return [each for each in ids if gates.first_hold(self.case(each, is_first_mail=True)) is None]

    def case(self, campaign_id: int, *, lead: LeadFacts | None = None, is_first_mail: bool = False) -> Case:
        return Case(
            now=self.now,
            campaign=self.campaigns[campaign_id],
            new_count=self.new_counts.get(campaign_id, 0),
            has_steps=bool(self.steps.get(campaign_id)),
            lead=lead,
            is_first_mail=is_first_mail,
        )


@dataclass(frozen=True, slots=True)
class Pick:
    """A lead, the mailbox that takes it and the step it gets."""

    lead: LeadFacts
    mailbox: MailboxFacts
    step: StepFacts
    variant: VariantFacts | None


async def plan(
    db: Db, engine_id: UUID, now: datetime, *, senders: Senders, stats_id: Callable[[int, int], UUID]
) -> list[Attempt]:
    """Claim one mail for each mailbox that is free and has something due; the caller's transaction commits it.

    `stats_id` gives the identity of (campaign lead, step): the same for ever.
    """
    mailboxes = await store.list_leased_mailboxes(db, engine_id, now, only_free=True)
    if not mailboxes:
        return []
    round_ = await _load_round(db, mailboxes, now)
    if not round_.ready:
        return []
    await _pick_retries(db, round_)
    await _pick_follow_ups(db, round_)
    await _pick_new_leads(db, round_)
    await _record_rejections(db, round_)
    await senders.refresh(db, {pick.mailbox.id: pick.mailbox.updated_at for pick in round_.picks})
    await _disconnect_unusable(db, round_, senders)
    return await _claim(db, round_, engine_id, senders=senders, stats_id=stats_id)


async def _load_round(db: Db, mailboxes: Iterable[MailboxFacts], now: datetime) -> Round:
    free = {mailbox.id: mailbox for mailbox in mailboxes if gates.first_hold(Case(now=now, mailbox=mailbox)) is None}
    pairs = await store.list_pairs(db, list(free)) if free else []
    campaign_ids = {pair.campaign_id for pair in pairs}
    await store.lock_campaigns(db, campaign_ids)
    round_ = await load_campaigns(db, campaign_ids, now)
    round_.mailboxes = free
    windows = {campaign.id: _open_window(round_, campaign) for campaign in round_.campaigns.values()}
    for pair in pairs:
        window = windows.get(pair.campaign_id)  # or the campaign was deleted at this moment
        if window and limits.ready_at(pair, round_.campaigns[pair.campaign_id], window) <= now:
            round_.ready.append(pair)
    return round_


def _open_window(round_: Round, campaign: CampaignFacts) -> Window | None:
    """The window in which the campaign sends now, if nothing holds it."""
    if campaign.schedule is None or gates.first_hold(round_.case(campaign.id)):
        return None
    return campaign.schedule.window_at(round_.now)


async def load_campaigns(db: Db, campaign_ids: Iterable[int], now: datetime) -> Round:
    """Read campaigns with their steps and today's counts."""
    ids = list(campaign_ids)
    if not ids:
        return Round(now, {}, {}, {}, {}, {})
    campaigns = {campaign.id: campaign for campaign in await store.list_campaigns(db, ids)}
    steps: dict[int, list[StepFacts]] = {}
    for step in await store.list_steps(db, ids):
        steps.setdefault(step.campaign_id, []).append(step)
    variants: dict[int, list[VariantFacts]] = {}
    for variant in await store.list_variants(db, ids):
        variants.setdefault(variant.step_id, []).append(variant)
    days = {c.id: c.schedule.local_day(now) for c in campaigns.values() if c.schedule}
    return Round(now, {}, campaigns, steps, variants, await store.count_new_leads(db, days))


async def _pick_retries(db: Db, round_: Round) -> None:
    """A mail that was put off goes before anything else of its mailbox; if its text is gone, it is released soon."""
    ids = await store.list_due_retries(db, round_.ready, round_.now, open_for_new=round_.open_for_new())
    for lead in await _list_in_order(db, ids[:_MOST_MAILS]):
        mailbox = round_.mailboxes.get(lead.retry_mailbox_id or 0)
        step = round_.find_step(lead.campaign_id, lead.retry_step_id)
        if mailbox and step and _passes(round_, lead, is_first_mail=lead.last_step_number == 0):
            variants = round_.variants.get(step.id, ())
            variant = next((variant for variant in variants if variant.id == lead.retry_variant_id), None)
            _take(round_, Pick(lead, mailbox, step, variant))


async def _pick_follow_ups(db: Db, round_: Round) -> None:
    free = [pair for pair in round_.ready if pair.mailbox_id in round_.mailboxes]
    ids = await store.list_due_follow_ups(db, free, round_.now, per_mailbox=_CANDIDATES_PER_MAILBOX) if free else []
    for lead in await _list_in_order(db, ids[: _MOST_MAILS * _CANDIDATES_PER_MAILBOX]):
        mailbox = round_.mailboxes.get(lead.mailbox_id or 0)
        if mailbox and not round_.is_full and _passes(round_, lead):
            _offer(round_, lead, mailbox)


async def _pick_new_leads(db: Db, round_: Round) -> None:
    """A new lead goes to the mailbox that has been idle longest, within the campaign's cap of the day."""
    pairs: dict[int, list[Pair]] = {}
    open_for_new = set(round_.open_for_new())
    for pair in round_.ready:
        if pair.mailbox_id in round_.mailboxes and pair.campaign_id in open_for_new:
            pairs.setdefault(pair.mailbox_id, []).append(pair)
    if not pairs or round_.is_full:
        return
    queues = await _queue_new_leads(db, round_, pairs.values())
    reserved = await _reserved(db, round_, list(pairs)) if any(queues.values()) else {}
    for mailbox in rotation.idle_longest_first(round_.mailboxes[mailbox_id] for mailbox_id in pairs):
        if limits.room_for_new_leads(mailbox, reserved.get(mailbox.id, 0)) > 0:
            _serve(round_, mailbox, pairs[mailbox.id], queues)


def _serve(round_: Round, mailbox: MailboxFacts, pairs: Sequence[Pair], queues: dict[int, list[LeadFacts]]) -> None:
    """Give the mailbox the first new lead that passes, of the campaign it served longest ago."""
    for pair in rotation.served_longest_ago_first(pairs):
        queue = queues.get(pair.campaign_id, [])
        while queue and mailbox.id in round_.mailboxes and not round_.is_full:
            lead = queue.pop(0)
            if _passes(round_, lead):
                _offer(round_, lead, mailbox)


async def _queue_new_leads(db: Db, round_: Round, pairs: Iterable[Sequence[Pair]]) -> dict[int, list[LeadFacts]]:
    wanted: dict[int, int] = {}
    for pair in (pair for group in pairs for pair in group):
        wanted[pair.campaign_id] = wanted.get(pair.campaign_id, 0) + 1
    for campaign_id, count in wanted.items():
        left = round_.campaigns[campaign_id].max_new_leads_per_day - round_.new_counts.get(campaign_id, 0)
        wanted[campaign_id] = min(count, left, _MOST_MAILS - len(round_.picks))
    queues: dict[int, list[LeadFacts]] = {}
    for lead in await _list_in_order(db, await store.lock_new_leads(db, wanted, round_.now)):
        queues.setdefault(lead.campaign_id, []).append(lead)
    return queues


async def _reserved(db: Db, round_: Round, mailbox_ids: Sequence[int]) -> dict[int, int]:
    """Follow-ups that fall due before the last window of today closes keep their place."""
    closes_at = max(
        window.closes_at
        for campaign in round_.campaigns.values()
        if campaign.schedule and (window := campaign.schedule.window_at(round_.now))
    )
    most = max(round_.mailboxes[mailbox_id].max_email_per_day for mailbox_id in mailbox_ids)
    return await store.count_reserved(db, mailbox_ids, closes_at, at_most=most)


async def _list_in_order(db: Db, ids: Sequence[int]) -> list[LeadFacts]:
    if not ids:
        return []
    leads = {lead.id: lead for lead in await store.list_leads(db, ids)}
    return [leads[lead_id] for lead_id in ids if lead_id in leads]


def _passes(round_: Round, lead: LeadFacts, *, is_first_mail: bool = False) -> bool:
    """Whether the lead passes its gates; a first mail that is tried again also needs room in today's new leads."""
    if lead.campaign_id not in round_.campaigns:
        return False
    hold = gates.first_hold(round_.case(lead.campaign_id, lead=lead, is_first_mail=is_first_mail))
    if hold:
        round_.rejected[lead.id] = hold
    return hold is None


def _offer(round_: Round, lead: LeadFacts, mailbox: MailboxFacts) -> None:
    """Find the step this lead gets; a person's step is announced, a lead without a step has ended."""
    step = rotation.next_step(lead, round_.steps.get(lead.campaign_id, ()))
    if step is None:
        round_.ended.append(lead.id)
    elif step.type == "MANUAL":
        round_.manual.append((lead, step))
    else:
        variants = round_.variants.get(step.id, ())
        variant = rotation.choose_variant(variants, step.distribution, round_.chosen_variants)
        _take(round_, Pick(lead, mailbox, step, variant))


def _take(round_: Round, pick: Pick) -> None:
    round_.picks.append(pick)
    if pick.lead.last_step_number == 0:
        campaign_id = pick.lead.campaign_id
        round_.new_counts[campaign_id] = round_.new_counts.get(campaign_id, 0) + 1
    del round_.mailboxes[pick.mailbox.id]


async def _record_rejections(db: Db, round_: Round) -> None:
    """Leads that may never be mailed leave the queue; others keep their reason until it is worth looking again."""
    for code, (status, reason) in _ENDED.items():
        ids = [lead_id for lead_id, hold in round_.rejected.items() if hold.code == code]
        if ids:
            await progress.end(db, ids, status=status, reason=reason, now=round_.now)
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


async def _disconnect_unusable(db: Db, round_: Round, senders: Senders) -> None:
    """A mailbox whose stored values cannot be used has failed until somebody edits it; its picks stay due."""
    for pick in round_.picks:
        if pick.mailbox.id not in senders:
            await mailboxes.record_smtp_failure(
                db, pick.mailbox.user_id, pick.mailbox.id, error=_UNUSABLE, now=round_.now
            )
    round_.picks = [pick for pick in round_.picks if pick.mailbox.id in senders]


async def _claim(
    db: Db, round_: Round, engine_id: UUID, *, senders: Senders, stats_id: Callable[[int, int], UUID]
) -> list[Attempt]:
    again = [pick for pick in round_.picks if pick.lead.retry_message_id is not None]
    fresh = [pick for pick in round_.picks if pick.lead.retry_message_id is None]
    claims = [_claim_of(pick, senders[pick.mailbox.id], stats_id(pick.lead.id, pick.step.id)) for pick in fresh]
    rows = await ledger.claim(db, claims, engine_id, round_.now) if claims else {}
    retried: set[int] = set()
    if again:
        ids = [pick.lead.retry_message_id for pick in again if pick.lead.retry_message_id is not None]
        retried = await ledger.claim_again(db, ids, engine_id, round_.now)
    attempts = [
        _attempt(round_, pick, rows[pick.lead.id], claim.stats_id)
        for pick, claim in zip(fresh, claims, strict=True)
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
    next_send_at = {
        attempt.mailbox_id: limits.next_for_mailbox(mailboxes[attempt.mailbox_id], attempt.campaign.id, round_.now)
        for attempt in attempts
    }
    await pace.record_uses(db, [attempt.use() for attempt in attempts], round_.now)
    await state.record_claims(db, next_send_at, round_.now)


async def take_back(db: Db, attempts: Sequence[Attempt]) -> None:
    """Undo the counts of mails that were not taken; their gaps stay, which hurts nobody."""
    if not attempts:
        return
    await pace.take_back_uses(db, [attempt.use() for attempt in attempts])
    claimed_at = [attempt.claimed_at for attempt in attempts]
    await state.take_back_claims(db, [attempt.mailbox_id for attempt in attempts], claimed_at)


def _claim_of(pick: Pick, sender: Sender, stats_id: UUID) -> Claim:
    return Claim(
        user_id=pick.lead.user_id,
        campaign_id=pick.lead.campaign_id,
        campaign_lead_id=pick.lead.id,
        lead_id=pick.lead.lead_id,
        mailbox_id=pick.mailbox.id,
        step_id=pick.step.id,
        step_number=pick.step.number,
        variant_id=pick.variant.id if pick.variant else None,
        stats_id=stats_id,
        message_id=f"{stats_id}@{sender.domain}",
        from_email=sender.mailbox.from_email,
        to_email=pick.lead.email,
    )


def _attempt(round_: Round, pick: Pick, message_id: int, stats_id: UUID) -> Attempt:
    campaign = round_.campaigns[pick.lead.campaign_id]
    if campaign.schedule is None:
        raise AssertionError("a campaign without a schedule passed its gates")
    return Attempt(
        message_id=message_id,
        stats_id=stats_id,
        campaign=campaign,
        step=pick.step,
        following=rotation.step_after(pick.step, round_.steps[campaign.id], pick.lead.sent_step_ids),
        variant=pick.variant,
        lead=pick.lead,
        mailbox_id=pick.mailbox.id,
        claimed_at=round_.now,
        day=campaign.schedule.local_day(round_.now),
    )
