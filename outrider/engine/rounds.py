"""A round of planning: what is known at one `now`, who is picked, and the mails that come of it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import UUID

from outrider.campaigns import pace
from outrider.engine import gates, limits, rotation, store
from outrider.engine.facts import (
    CampaignFacts,
    DayCounts,
    LeadFacts,
    MailboxFacts,
    Pair,
    SenderDomain,
    StepFacts,
    VariantFacts,
)
from outrider.engine.gates import Case, Hold, Scope
from outrider.engine.recipients import RecipientLimits
from outrider.engine.texts import Texts, Which
from outrider.kit.crypto import Vault
from outrider.kit.db import Db
from outrider.kit.plain import plain

MOST_MAILS = 1000  # of one round: what is claimed is to be handed over soon


@dataclass
class Span:
    """What time a round is about: one moment; in a forecast a stretch in which no mailbox sends twice.

    A stretch ends where a lead may not be mailed.
    """

    now: datetime
    until: datetime

    @classmethod
    def at(cls, now: datetime) -> "Span":
        return cls(now, now)

    @property
    def is_stretch(self) -> bool:
        return self.until > self.now


@plain(frozen=True, slots=True)
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
    def is_repeated(self) -> bool:
        """Whether it was tried before; its row is there."""
        return self.message_id == self.lead.retry_message_id

    @property
    def is_first_mail(self) -> bool:
        return is_new(self.campaign, self.lead, self.step)

    def use(self) -> pace.Use:
        return pace.Use(
            campaign_id=self.campaign.id,
            mailbox_id=self.mailbox_id,
            claimed_at=self.claimed_at,
            next_send_at=limits.next_for_campaign(self.campaign, self.mailbox_id, self.claimed_at),
            day=self.day,
            is_first_mail=self.is_first_mail,
            variant_id=self.variant.id if self.variant else None,
        )


@dataclass
class Round:
    """What one round of planning knows. `now` moves on from one mailbox to the next through the span of the round.

    `opens_at`: when a mailbox that is ready in a campaign may send for it.
    """

    now: datetime
    mailboxes: dict[int, MailboxFacts]
    campaigns: dict[int, CampaignFacts]
    steps: dict[int, list[StepFacts]]
    variants: dict[int, list[VariantFacts]]
    days: dict[int, DayCounts]
    pairs: list[Pair] = field(default_factory=list)
    ready: list[Pair] = field(default_factory=list)
    opens_at: dict[tuple[int, int], datetime] = field(default_factory=dict)
    span: Span = field(init=False)
    chosen_variants: dict[int, int] = field(default_factory=dict)
    picks: list["Pick"] = field(default_factory=list)
    rejected: dict[int, Hold] = field(default_factory=dict)
    manual: list[tuple[LeadFacts, StepFacts]] = field(default_factory=list)
    skipped: list["Skip"] = field(default_factory=list)
    ended: list[int] = field(default_factory=list)
    sender_domains: dict[tuple[int, str], SenderDomain] = field(default_factory=dict)
    recipients: RecipientLimits = field(default_factory=RecipientLimits)
    recent_mails: dict[tuple[int, str], list[datetime]] = field(default_factory=dict)
    texts: Texts = field(default_factory=Texts)

    def __post_init__(self) -> None:
        self.span = Span.at(self.now)

    @property
    def is_full(self) -> bool:
        return len(self.picks) >= MOST_MAILS

    def find_step(self, campaign_id: int, step_id: int | None) -> StepFacts | None:
        return next((step for step in self.steps.get(campaign_id, ()) if step.id == step_id), None)

    def day(self, campaign_id: int) -> DayCounts:
        counts = self.days.get(campaign_id)
        if counts is None:
            counts = self.days[campaign_id] = DayCounts()
        return counts

    def new_leads_left(self, campaign_id: int) -> int:
        """How many first mails of the campaign may still go today. Those of a subsequence are no new leads."""
        campaign = self.campaigns[campaign_id]
        if campaign.parent_campaign_id is not None:
            return MOST_MAILS
        return campaign.max_new_leads_per_day - self.day(campaign_id).new_count

    def has_room_for(self, lead: LeadFacts) -> bool:
        """Whether the lead is no new one, or its campaign takes another one today."""
        return not is_new(self.campaigns[lead.campaign_id], lead) or self.new_leads_left(lead.campaign_id) > 0

    def passes_many_over(self, campaign_id: int) -> bool:
        """Whether many leads may have to wait: those behind them should not wait for the next round."""
        return self.wants_values(campaign_id) or self.campaigns[campaign_id].use_lead_timezone

    def wants_values(self, campaign_id: int) -> bool:
        """Whether texts of this campaign may have no gaps."""
        return self.campaigns[campaign_id].on_missing_variable != "blank"

    def texts_to_look_at(self) -> list[Which]:
        """Those of campaigns that want no gaps; all others are read when they are rendered."""
        return [
            (step, variant)
            for campaign_id in {pair.campaign_id for pair in self.ready}
            if self.wants_values(campaign_id)
            for step in self.steps.get(campaign_id, ())
            for variant in self.variants.get(step.id) or (None,)
        ]

    def open_for_new(self) -> list[int]:
        """The campaigns, of those that may send, which have room for new leads today."""
        ids = {pair.campaign_id for pair in self.ready}
        return [each for each in ids if gates.first_hold(self.case(each, is_first_mail=True)) is None]

    def case(
        self,
        campaign_id: int,
        *,
        lead: LeadFacts | None = None,
        mailbox: MailboxFacts | None = None,
        is_first_mail: bool = False,
        missing: Sequence[str] = (),
    ) -> Case:
        return Case(
            now=self.now,
            campaign=self.campaigns[campaign_id],
            new_count=self.day(campaign_id).new_count,
            has_steps=bool(self.steps.get(campaign_id)),
            lead=lead,
            mailbox=mailbox,
            sender_domain=self.sender_domains.get((campaign_id, mailbox.domain)) if mailbox else None,
            is_first_mail=is_first_mail,
            recipient_free_at=self._recipient_free_at(lead) if lead else None,
            missing=missing,
        )

    def _recipient_free_at(self, lead: LeadFacts) -> datetime | None:
        return self.recipients.free_at(self.recent_mails.get((lead.campaign_id, lead.domain), ()))

    def sender_domain_is_free(self, pair: Pair) -> bool:
        if not self.sender_domains:
            return True
        case = self.case(pair.campaign_id, mailbox=self.mailboxes[pair.mailbox_id])
        return gates.sender_domain_is_free(case) is None

    def passes(self, lead: LeadFacts) -> bool:
        """Whether nothing about the lead keeps it back. Its campaign may send, or it would not be offered."""
        if lead.campaign_id not in self.campaigns:
            return False
        hold = gates.first_hold_of(Scope.LEAD, self.case(lead.campaign_id, lead=lead))
        if hold:
            self._reject(lead, hold)
        return hold is None

    def _reject(self, lead: LeadFacts, hold: Hold) -> None:
        """Later moments are looked at anew: others may go then instead, and this lead again before the end."""
        self.rejected[lead.id] = hold
        self.span.until = min(self.span.until, self.now)

    def offer(self, lead: LeadFacts, mailbox: MailboxFacts) -> None:
        """Find the step this lead gets; a person's step is announced, a lead without a step has ended."""
        step = rotation.next_step(lead, self.steps.get(lead.campaign_id, ()))
        if step is None:
            self.ended.append(lead.id)
        elif step.type == "MANUAL":
            self.manual.append((lead, step))
        else:
            variants = self.variants.get(step.id, ())
            variant = rotation.choose_variant(variants, step, self.chosen_variants)
            pick = Pick(lead, mailbox, step, variant, self.now)
            if not self.wants_values(lead.campaign_id) or self._has_values(pick):
                self.take(pick)

    def _has_values(self, pick: "Pick") -> bool:
        """Whether the text has no gap for this lead; else the lead is held, or the step left out."""
        lead, step = pick.lead, pick.step
        missing = self.texts.missing(step, pick.variant, lead)
        if not missing:
            return True
        if hold := gates.first_hold(self.case(lead.campaign_id, lead=lead, missing=missing)):
            self._reject(lead, hold)
        else:
            following = rotation.step_after(step, self.steps[lead.campaign_id], lead.sent_step_ids)
            self.skipped.append(Skip(lead, step, following, missing, self.now))
        return False

    def take(self, pick: "Pick") -> None:
        self.picks.append(pick)
        if pick.variant:
            self.chosen_variants[pick.variant.id] = self.chosen_variants.get(pick.variant.id, 0) + 1
        day = self.day(pick.lead.campaign_id)
        if is_new(self.campaigns[pick.lead.campaign_id], pick.lead):
            day.new_count += 1
        else:
            day.follow_up_count += 1
        self.recent_mails.get((pick.lead.campaign_id, pick.lead.domain), []).append(self.now)
        for domain in self.sender_domains.values():
            if (domain.user_id, domain.domain) == (pick.mailbox.user_id, pick.mailbox.domain):
                domain.is_in_flight = True
        del self.mailboxes[pick.mailbox.id]


@plain(frozen=True, slots=True)
class Pick:
    """A lead, the mailbox that takes it and the step it gets."""

    lead: LeadFacts
    mailbox: MailboxFacts
    step: StepFacts
    variant: VariantFacts | None
    at: datetime


@plain(frozen=True, slots=True)
class Skip:
    """A step that a lead does not get, because its text would have a gap."""

    lead: LeadFacts
    step: StepFacts
    following: StepFacts | None
    missing: Sequence[str]
    at: datetime


def stats_id(vault: Vault, campaign_lead_id: int, step_id: int) -> UUID:
    """The identity of a mail: the same whenever it is asked for, and nobody can guess it."""
    return UUID(bytes=vault.sign(f"{campaign_lead_id}|{step_id}".encode(), purpose="stats_id"), version=4)


def is_new(campaign: CampaignFacts, lead: LeadFacts, step: StepFacts | None = None) -> bool:
    """Whether its next mail (that of `step`) is a first one; steps may have been done by a person or left out.

    In a subsequence it follows on what the lead got before.
    """
    if campaign.parent_campaign_id is not None:
        return False
    return all(step is not None and step_id == step.id for step_id in lead.sent_step_ids)


def day_of(campaign: CampaignFacts, moment: datetime) -> date:
    """The campaign's own local date."""
    return campaign.schedule.local_day(moment) if campaign.schedule else moment.date()


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
    return Round(now, {}, campaigns, steps, variants, await store.count_days(db, days))
