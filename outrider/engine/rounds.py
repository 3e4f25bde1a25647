"""A round of planning: what is known at one `now`, who is picked, and the mails that come of it."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import UUID

from outrider.campaigns import pace
from outrider.engine import gates, limits, rotation, store
from outrider.engine.facts import CampaignFacts, DayCounts, LeadFacts, MailboxFacts, Pair, StepFacts, VariantFacts
from outrider.engine.gates import Case, Hold
from outrider.kit.db import Db

MOST_MAILS = 100  # of one round; the next round is planned while these are written and handed over


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
        return is_new(self.campaign, self.lead)

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
    days: dict[int, DayCounts]
    pairs: list[Pair] = field(default_factory=list)
    ready: list[Pair] = field(default_factory=list)
    chosen_variants: dict[int, int] = field(default_factory=dict)
    picks: list["Pick"] = field(default_factory=list)
    rejected: dict[int, Hold] = field(default_factory=dict)
    manual: list[tuple[LeadFacts, StepFacts]] = field(default_factory=list)
    ended: list[int] = field(default_factory=list)

    @property
    def is_full(self) -> bool:
        return len(self.picks) >= MOST_MAILS

    def find_step(self, campaign_id: int, step_id: int | None) -> StepFacts | None:
        return next((step for step in self.steps.get(campaign_id, ()) if step.id == step_id), None)

    def day(self, campaign_id: int) -> DayCounts:
        return self.days.setdefault(campaign_id, DayCounts())

    def new_leads_left(self, campaign_id: int) -> int:
        """How many first mails of the campaign may still go today. Those of a subsequence are no new leads."""
        campaign = self.campaigns[campaign_id]
        if campaign.parent_campaign_id is not None:
            return MOST_MAILS
        return campaign.max_new_leads_per_day - self.day(campaign_id).new_count

    def open_for_new(self) -> list[int]:
        """The campaigns, of those that may send, which have room for new leads today."""
        ids = {pair.campaign_id for pair in self.ready}
        return [each for each in ids if gates.first_hold(self.case(each, is_first_mail=True)) is None]

    def case(self, campaign_id: int, *, lead: LeadFacts | None = None, is_first_mail: bool = False) -> Case:
        return Case(
            now=self.now,
            campaign=self.campaigns[campaign_id],
            new_count=self.day(campaign_id).new_count,
            has_steps=bool(self.steps.get(campaign_id)),
            lead=lead,
            is_first_mail=is_first_mail,
        )

    def passes(self, lead: LeadFacts) -> bool:
        campaign = self.campaigns.get(lead.campaign_id)
        if campaign is None:
            return False
        hold = gates.first_hold(self.case(lead.campaign_id, lead=lead, is_first_mail=is_new(campaign, lead)))
        if hold:
            self.rejected[lead.id] = hold
        return hold is None

    def offer(self, lead: LeadFacts, mailbox: MailboxFacts) -> None:
        """Find the step this lead gets; a person's step is announced, a lead without a step has ended."""
        step = rotation.next_step(lead, self.steps.get(lead.campaign_id, ()))
        if step is None:
            self.ended.append(lead.id)
        elif step.type == "MANUAL":
            self.manual.append((lead, step))
        else:
            variants = self.variants.get(step.id, ())
            variant = rotation.choose_variant(variants, step.distribution, self.chosen_variants)
            self.take(Pick(lead, mailbox, step, variant))

    def take(self, pick: "Pick") -> None:
        self.picks.append(pick)
        day = self.day(pick.lead.campaign_id)
        if is_new(self.campaigns[pick.lead.campaign_id], pick.lead):
            day.new_count += 1
        else:
            day.follow_up_count += 1
        del self.mailboxes[pick.mailbox.id]


@dataclass(frozen=True, slots=True)
class Pick:
    """A lead, the mailbox that takes it and the step it gets."""

    lead: LeadFacts
    mailbox: MailboxFacts
    step: StepFacts
    variant: VariantFacts | None


def is_new(campaign: CampaignFacts, lead: LeadFacts) -> bool:
    """Whether its next mail is a first one; in a subsequence it follows on what the lead got before."""
    return lead.last_step_number == 0 and campaign.parent_campaign_id is None


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
