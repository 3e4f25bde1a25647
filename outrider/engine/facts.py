"""What a decision looks at: rows of the database as `store` reads them, nothing computed, nothing kept.

One class for each thing that a mail needs: a campaign that is open, a mailbox that is free, a lead that is due.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from operator import attrgetter
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from outrider.engine.schedule import Schedule
from outrider.kit.plain import plain
from outrider.leads.models import LEAD_FIELDS
from outrider.leads.zones import zone_of
from outrider.mail.provider import Provider
from outrider.mailboxes.models import MailboxType

_MERGE_FIELDS = ("email", *LEAD_FIELDS)
_merge_values = attrgetter(*_MERGE_FIELDS)


@plain(frozen=True, slots=True)
class VariantFacts:
    """One A/B text of a step; `share` is None unless the split is by percentage."""

    id: int
    step_id: int
    label: str
    share: float | None
    assigned_count: int
    updated_at: datetime


@plain(frozen=True, slots=True)
class StepFacts:
    """One step; `winner_id`: the variant that has won its A/B test."""

    id: int
    campaign_id: int
    number: int
    type: str
    delay_days: int
    distribution: str
    updated_at: datetime
    winner_id: int | None = None


@plain(frozen=True, slots=True)
class Text:
    """What a step or one of its variants says."""

    step_id: int
    variant_id: int | None
    subject: str
    email_body: str


@dataclass(frozen=True)
class CampaignFacts:
    """A campaign with what its mails need, and how many mailboxes it has.

    `sender_kinds`: type and host of those mailboxes that could send, where matching is strict.
    """

    id: int
    user_id: int
    client_id: int | None
    name: str
    status: str
    timezone: str | None
    days: Sequence[int] | None
    start_hour: str | None
    end_hour: str | None
    min_time_between_emails: int
    max_new_leads_per_day: int
    follow_up_percentage: int
    parent_campaign_id: int | None
    schedule_start_time: datetime | None
    track_settings: Sequence[str]
    unsubscribe_text: str | None
    add_unsubscribe_tag: bool
    send_as_plain_text: bool
    force_plain_text: bool
    on_missing_variable: str
    enable_ai_esp_matching: bool
    esp_matching_strict: bool
    domain_level_rate_limit: bool
    count_only_sending_days: bool
    use_lead_timezone: bool
    sender_kinds: Sequence[str] | None
    hold_code: str | None
    hold_text: str | None
    hold_until: datetime | None
    mailbox_count: int

    @cached_property
    def schedule(self) -> Schedule | None:
        if not (self.timezone and self.days and self.start_hour and self.end_hour):
            return None
        return Schedule.of(self.timezone, self.days, self.start_hour, self.end_hour)

    @cached_property
    def hours(self) -> Schedule | None:
        """When it may send to anybody: where the clocks of the leads count, somewhere the hours are always open."""
        return self.schedule.around() if self.schedule and self.use_lead_timezone else self.schedule

    @property
    def is_pairing_strict(self) -> bool:
        return self.enable_ai_esp_matching and self.esp_matching_strict

    @cached_property
    def providers(self) -> frozenset[Provider]:
        """Those whose leads have a mailbox of their own here."""
        kinds = [kind.partition(" ") for kind in self.sender_kinds or ()]
        return frozenset(found for kind, _, host in kinds if (found := MailboxType(kind).provider(host)).is_known)


@plain(frozen=True, slots=True)
class MailboxFacts:
    """A mailbox with its counters.

    `oldest_in_cap_at`: when the mail was sent that must be a day old before the next one; None while the cap is far.
    """

    id: int
    user_id: int
    domain: str
    type: str
    smtp_host: str | None
    is_suspended: bool
    is_smtp_success: bool
    smtp_failure_error: str | None
    max_email_per_day: int
    time_to_wait_minutes: int | None
    updated_at: datetime
    next_send_at: datetime
    last_sent_at: datetime | None
    backoff_until: datetime | None
    backoff_reason: str | None
    today_count: int
    today_follow_up_count: int
    oldest_in_cap_at: datetime | None
    in_flight_count: int
    hold_code: str | None
    hold_text: str | None
    hold_until: datetime | None

    @property
    def provider(self) -> Provider:
        return MailboxType(self.type).provider(self.smtp_host)


@dataclass(slots=True)
class DayCounts:
    """What a campaign has sent on its own local day."""

    new_count: int = 0
    follow_up_count: int = 0


@plain(frozen=True, slots=True)
class Pair:
    """A mailbox in a campaign: the campaign's own gap on it."""

    campaign_id: int
    mailbox_id: int
    next_send_at: datetime | None
    last_sent_at: datetime | None

    @property
    def key(self) -> tuple[int, int]:
        return self.campaign_id, self.mailbox_id


@dataclass(slots=True)
class SenderDomain:
    """The mailboxes of one domain in a campaign that lets them send one after the other.

    `last_sent_at` and `is_in_flight` are about all mailboxes of the account with that domain.
    """

    campaign_id: int
    user_id: int
    domain: str
    gap_minutes: int
    mailbox_count: int
    last_sent_at: datetime | None
    is_in_flight: bool


@plain(frozen=True, slots=True)
class LeadFacts:
    """A lead in a campaign with everything its gates and its text need.

    `retry_*`: a mail of this lead that was not taken and waits for its next try.
    """

    id: int
    user_id: int
    campaign_id: int
    lead_id: int
    mailbox_id: int | None
    status: str
    last_step_id: int | None
    last_step_number: int
    due_at: datetime | None
    provider: Provider | None
    created_at: datetime
    email: str
    first_name: str | None
    last_name: str | None
    phone_number: str | None
    company_name: str | None
    website: str | None
    location: str | None
    linkedin_profile: str | None
    company_url: str | None
    custom_fields: Mapping[str, Any]
    shares_domain: bool
    is_unsubscribed: bool
    unsubscribed_client_ids: Sequence[int]
    is_unsubscribed_from_campaign: bool
    block_entry: str | None
    sent_step_ids: Sequence[int]
    retry_message_id: int | None
    retry_step_id: int | None
    retry_variant_id: int | None
    retry_stats_id: UUID | None
    retry_mailbox_id: int | None

    @property
    def zone(self) -> ZoneInfo | None:
        """Where the lead is, if that is known for sure."""
        return zone_of(self.custom_fields, self.location)

    @property
    def domain(self) -> str:
        return self.email.rpartition("@")[2]

    def fields(self) -> dict[str, str | None]:
        """Return the standard merge fields by their wire names (contract: leads, section 0)."""
        return dict(zip(_MERGE_FIELDS, _merge_values(self), strict=True))
