"""A campaign, its steps and variants, what happens to them, and what can be wrong.

Product behaviour 0 (state machine), 1.10 to 1.12; contract: campaigns.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any

from outrider.kit.errors import Conflict, Invalid, NotFound
from outrider.kit.events import Event

_WEEK = 7


class CampaignStatus(StrEnum):
    DRAFTED = "DRAFTED"
    ACTIVE = "ACTIVE"
    PAUSED = "PAUSED"
    STOPPED = "STOPPED"
    COMPLETED = "COMPLETED"
    ARCHIVED = "ARCHIVED"


BOUNCE_LIMIT = "BOUNCE_LIMIT"
"""The reason that a PAUSED campaign keeps when it was not a person who paused it."""
_NOT_ACTIVE = {
    CampaignStatus.STOPPED: "A stopped campaign cannot be started again; duplicate it.",
    CampaignStatus.COMPLETED: "Every lead has got all its mails. Add leads to go on.",
}


def why_not_active(status: CampaignStatus) -> str:
    """A sentence for a person: what the campaign is, and how it sends again."""
    return f"The campaign is {status.lower()}. {_NOT_ACTIVE.get(status, 'Start it to send.')}"


class StatusVerb(StrEnum):
    """What a person can ask of a campaign."""

    START = "START"
    PAUSED = "PAUSED"
    STOPPED = "STOPPED"
    ARCHIVED = "ARCHIVED"


class Untracked(StrEnum):
    """What a campaign does not track (`track_settings`)."""

    OPENS = "DONT_EMAIL_OPEN"
    CLICKS = "DONT_LINK_CLICK"
    REPLIES = "DONT_REPLY_TO_AN_EMAIL"


class StopRule(StrEnum):
    """What ends a lead's sequence: each rule but NEVER includes those before it."""

    REPLY = "REPLY_TO_AN_EMAIL"
    CLICK = "CLICK_ON_A_LINK"
    OPEN = "OPEN_AN_EMAIL"
    NEVER = "NEVER"


class OnMissingVariable(StrEnum):
    """What becomes of a mail whose text would have a gap: it is sent so, waits for the value, or is left out."""

    BLANK = "blank"
    HOLD = "hold"
    SKIP_STEP = "skip_step"


class StepType(StrEnum):
    EMAIL = "EMAIL"
    MANUAL = "MANUAL"


class VariantDistribution(StrEnum):
    MANUAL_EQUAL = "MANUAL_EQUAL"
    MANUAL_PERCENTAGE = "MANUAL_PERCENTAGE"
    AI_EQUAL = "AI_EQUAL"


class WinningMetric(StrEnum):
    OPEN_RATE = "OPEN_RATE"
    CLICK_RATE = "CLICK_RATE"
    REPLY_RATE = "REPLY_RATE"
    POSITIVE_REPLY_RATE = "POSITIVE_REPLY_RATE"


class CampaignNotFound(NotFound):
    """Campaign not found - Invalid campaign_id."""


class UnknownCampaign(Invalid):
    """Campaign not found - Invalid campaign_id."""


class UnknownOriginal(NotFound):
    """Invalid campaign Id!"""


class UnknownTag(Invalid):
    """Tag not found!"""


class CampaignStopped(Conflict):
    """Campaign is stopped and cannot be restarted"""


class NoSchedule(Conflict):
    """Campaign schedule is not set"""


class NothingToSend(Conflict):
    """Campaign has no sequences"""


class NoMailboxes(Conflict):
    """Campaign has no email accounts"""


class LastMailbox(Conflict):
    """At least one email account must remain in an active campaign"""


class MailboxNotAllowed(Invalid):
    """Email account id - {id} not allowed. Permission Error."""


class UnknownStep(Invalid):
    """Invalid sequence id - {id}"""


class UnknownStepNumber(Invalid):
    """Sequence {number} has no A/B test that finds a winner"""


class UnknownVariant(Invalid):
    """Variant not found - {value}"""


class IncompleteDistribution(Invalid):
    """Variant distribution percentage should add up to 100"""


class BrokenText(Invalid):
    """The {field} of {place} cannot be used. {error}"""


class InvalidSetting(Invalid):
    """Invalid {name} value - {value}"""


class ContradictoryOutOfOffice(Invalid):
    """autoReactivateOOO and autoCategorizeOOO cannot both be true"""


class InvalidTimezone(Invalid):
    """Invalid timezone - {value}"""


class InvalidHour(Invalid):
    """Invalid {name} - {value}"""


class EmptyWindow(Invalid):
    """startHour cannot be greater that endHour"""  # sic: the original's words


def days_until(day: date, count: int, sending_days: Collection[int] | None) -> int:
    """Return how many calendar days after `day` the count-th sending day (0 = Sunday) comes; without any, `count`."""
    if count <= 0 or not sending_days:
        return count
    weeks, rest = divmod(count, len(sending_days))
    later = weeks * _WEEK
    while rest:
        later += 1
        rest -= (day + timedelta(days=later)).isoweekday() % _WEEK in sending_days
    while (day + timedelta(days=later)).isoweekday() % _WEEK not in sending_days:
        later -= 1  # whole weeks from a day that is none: the last one counted
    return later


@dataclass(frozen=True, slots=True)
class Campaign:
    id: int
    user_id: int
    client_id: int | None
    parent_campaign_id: int | None
    name: str
    status: CampaignStatus
    is_stopped_for_good: bool
    timezone: str | None
    days: list[int] | None
    start_hour: str | None
    end_hour: str | None
    min_time_between_emails: int
    max_new_leads_per_day: int
    schedule_start_time: datetime | None
    track_settings: list[str]
    stop_lead_settings: StopRule
    unsubscribe_text: str | None
    add_unsubscribe_tag: bool
    send_as_plain_text: bool
    force_plain_text: bool
    follow_up_percentage: int
    enable_ai_esp_matching: bool
    esp_matching_strict: bool
    count_only_sending_days: bool
    use_lead_timezone: bool
    auto_pause_domain_leads_on_reply: bool
    ignore_ss_mailbox_sending_limit: bool
    bounce_autopause_threshold: str | None
    bounce_measured_from: datetime | None
    domain_level_rate_limit: bool
    out_of_office_detection_settings: dict[str, Any]
    ai_categorisation_options: list[int]
    on_missing_variable: OnMissingVariable
    hold_code: str | None
    hold_text: str | None
    hold_until: datetime | None
    created_at: datetime
    updated_at: datetime

    @property
    def has_schedule(self) -> bool:
        return self.timezone is not None

    @property
    def is_over(self) -> bool:
        """Whether it was stopped, for good."""
        return self.status is CampaignStatus.STOPPED or self.is_stopped_for_good

    @property
    def tracks_opens(self) -> bool:
        return Untracked.OPENS not in self.track_settings

    @property
    def tracks_clicks(self) -> bool:
        return Untracked.CLICKS not in self.track_settings

    @property
    def counts_replies(self) -> bool:
        return Untracked.REPLIES not in self.track_settings

    @property
    def bounce_limit(self) -> Decimal | None:
        """The percentage of bounced leads that pauses the campaign; None: never."""
        try:
            limit = Decimal(self.bounce_autopause_threshold or "100")
        except InvalidOperation:
            return None
        return limit if limit < _ALL else None

    def after(self, verb: StatusVerb) -> CampaignStatus:
        """The status a verb leads to, the same one if there is nothing to do; raises CampaignStopped."""
        if self.is_over and verb in {StatusVerb.START, StatusVerb.PAUSED}:
            raise CampaignStopped
        return CampaignStatus.ACTIVE if verb is StatusVerb.START else CampaignStatus(verb)


@dataclass(frozen=True, slots=True)
class Step:
    """One entry of the sequence: inline (its own subject and body) or with variants, whose texts count then."""

    id: int
    user_id: int
    campaign_id: int
    number: int
    type: StepType
    delay_days: int
    subject: str
    email_body: str
    variant_distribution_type: VariantDistribution
    winning_metric_property: WinningMetric | None
    lead_distribution_percentage: int | None
    is_analytics_dropped: bool
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None


@dataclass(frozen=True, slots=True)
class Variant:
    id: int
    user_id: int
    campaign_id: int
    step_id: int
    position: int
    variant_label: str
    subject: str
    email_body: str
    optional_email_body_1: str | None
    variant_distribution_percentage: Decimal | None
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None


@dataclass(frozen=True, slots=True)
class VariantDraft:
    """A variant as someone wants it; with an id it replaces that one."""

    id: int | None
    variant_label: str
    subject: str
    email_body: str
    optional_email_body_1: str | None
    variant_distribution_percentage: Decimal | None


@dataclass(frozen=True, slots=True)
class StepDraft:
    """A step as someone wants it, in the order of the sequence; with an id it replaces that one."""

    id: int | None
    type: StepType
    delay_days: int
    subject: str
    email_body: str
    variant_distribution_type: VariantDistribution
    winning_metric_property: WinningMetric | None
    lead_distribution_percentage: int | None
    variants: tuple[VariantDraft, ...]

    def check_distribution(self) -> None:
        """Raise IncompleteDistribution when percentages are asked for and the usable ones miss 100."""
        if self.variant_distribution_type is not VariantDistribution.MANUAL_PERCENTAGE or len(self.variants) < _PAIR:
            return
        if sum(shares([variant.variant_distribution_percentage for variant in self.variants])) != _ALL:
            raise IncompleteDistribution


_PAIR = 2
_ALL = Decimal(100)
_USABLE_VARIANTS = 10


def shares(percentages: list[Decimal | None]) -> list[Decimal]:
    """The share of each variant in MANUAL_PERCENTAGE: at most ten, up to 100 together, the last one clipped.

    A single variant has all of it. Contract: campaigns, Save Campaign Sequence.
    """
    if len(percentages) == 1:
        return [_ALL]
    left = _ALL
    taken: list[Decimal] = []
    for position, percentage in enumerate(percentages):
        share = min(percentage or Decimal(0), left) if position < _USABLE_VARIANTS else Decimal(0)
        left -= share
        taken.append(share)
    return taken


@dataclass(frozen=True, slots=True)
class CampaignStatusChanged(Event):
    user_id: int
    campaign_id: int
    previous: CampaignStatus
    current: CampaignStatus
    at: datetime
    bounce_rate: str | None = None
    threshold: str | None = None


@dataclass(frozen=True, slots=True)
class StepsChanged(Event):
    """The sequence was replaced; `is_emptied`: it has no steps any more."""

    user_id: int
    campaign_id: int
    at: datetime
    is_emptied: bool


@dataclass(frozen=True, slots=True)
class MissingVariableRuleChanged(Event):
    """What becomes of a mail with a gap was decided anew (`on_missing_variable`)."""

    user_id: int
    campaign_id: int
    at: datetime


@dataclass(frozen=True, slots=True)
class MailboxRemoved(Event):
    """Mailboxes were taken out of a campaign; `reallocate`: their leads go on from the others."""

    user_id: int
    campaign_id: int
    mailbox_ids: tuple[int, ...]
    reallocate: bool
    at: datetime
