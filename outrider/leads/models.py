"""A lead, a lead in a campaign, what happens to them, and what can be wrong.

Two ids that are never exchanged: the lead's (`lead_id`, from 1,000,000,001) and that of the lead in a campaign
(`campaign_lead_id`, the wire's map id, from 3,000,000,001). Contract: leads §0; product behaviour 0.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import IntEnum, StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from outrider.kit.errors import Conflict, Invalid, NotFound, Problem
from outrider.kit.events import Event


class LeadStatus(StrEnum):
    """Of a lead in a campaign: the first two are on their way, with PAUSED they are open."""

    STARTED = "STARTED"
    INPROGRESS = "INPROGRESS"
    COMPLETED = "COMPLETED"
    PAUSED = "PAUSED"
    STOPPED = "STOPPED"
    BLOCKED = "BLOCKED"


class HoldReason(StrEnum):
    """Why a lead is PAUSED, STOPPED or BLOCKED."""

    MANUAL = "MANUAL"
    REPLIED = "REPLIED"
    OPENED = "OPENED"
    CLICKED = "CLICKED"
    OOO = "OOO"
    DOMAIN_REPLY = "DOMAIN_REPLY"
    MAILBOX_GONE = "MAILBOX_GONE"
    BOUNCED = "BOUNCED"
    UNSUBSCRIBED = "UNSUBSCRIBED"
    BLOCKLISTED = "BLOCKLISTED"
    SUBSEQUENCE = "SUBSEQUENCE"
    SENDER_BOUNCE = "SENDER_BOUNCE"
    DO_NOT_CONTACT = "DO_NOT_CONTACT"
    WRONG_PERSON = "WRONG_PERSON"


class BuiltInCategory(IntEnum):
    """Categories that every account has; ids of its own begin at 100000 (contract: leads, Fetch Lead Categories)."""

    INTERESTED = 1
    MEETING_REQUEST = 2
    NOT_INTERESTED = 3
    DO_NOT_CONTACT = 4
    INFORMATION_REQUEST = 5
    OUT_OF_OFFICE = 6
    WRONG_PERSON = 7
    UNCATEGORIZABLE = 8
    SENDER_BOUNCE = 9


LEAD_FIELDS = (
    "first_name",
    "last_name",
    "phone_number",
    "company_name",
    "website",
    "location",
    "linkedin_profile",
    "company_url",
)
"""The standard fields beside the address, in the order of the wire."""


@dataclass(frozen=True, slots=True)
class Lead:
    """A person, one for each account and address."""

    id: int
    user_id: int
    email: str
    domain: str
    first_name: str | None
    last_name: str | None
    phone_number: str | None
    company_name: str | None
    website: str | None
    location: str | None
    linkedin_profile: str | None
    company_url: str | None
    custom_fields: Mapping[str, Any]
    is_unsubscribed: bool
    unsubscribed_client_ids: list[int]
    created_at: datetime
    updated_at: datetime

    def is_unsubscribed_from(self, client_id: int | None) -> bool:
        """Whether campaigns of this client (None: of the account itself) may not mail the person."""
        return self.is_unsubscribed or client_id in self.unsubscribed_client_ids


@dataclass(frozen=True, slots=True)
class CampaignLead:
    """A lead in a campaign: its status, its step, its mailbox."""

    id: int
    user_id: int
    campaign_id: int
    lead_id: int
    mailbox_id: int | None
    status: LeadStatus
    hold_reason: HoldReason | None
    last_step_id: int | None
    last_step_number: int
    last_sent_at: datetime | None
    last_reply_at: datetime | None
    due_at: datetime | None
    resume_at: datetime | None
    is_completed_by_hand: bool
    is_unsubscribed: bool
    category_id: int | None
    is_category_set_by_hand: bool
    revenue: Decimal
    block_list_ignored_until: datetime | None
    bounces_ignored_until: datetime | None
    hold_code: str | None
    hold_text: str | None
    hold_until: datetime | None
    created_at: datetime
    updated_at: datetime

    @property
    def is_on_its_way(self) -> bool:
        return self.status in {LeadStatus.STARTED, LeadStatus.INPROGRESS}

    @property
    def is_open(self) -> bool:
        """Whether it still gets mail, or may get it again without anybody changing his mind."""
        return self.is_on_its_way or self.status is LeadStatus.PAUSED

    @property
    def is_blocked_for_good(self) -> bool:
        """Blocked for a cause that can only go away by a change of the block list; a refusal of our side passes."""
        return self.status is LeadStatus.BLOCKED and self.hold_reason is not HoldReason.SENDER_BOUNCE


@dataclass(frozen=True, slots=True)
class Category:
    id: int
    name: str
    sentiment_type: str | None
    description: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class StepAhead:
    """The step that a lead gets next."""

    id: int
    number: int
    type: str
    delay_days: int


def days_later(moment: datetime, days: float, *, zone: str | None) -> datetime:
    """The same wall-clock time in that zone so many calendar days on, also over a change of the clock (decision 38)."""
    local = moment.astimezone(ZoneInfo(zone or "UTC"))
    later = local.replace(tzinfo=None) + timedelta(days=days)
    return later.replace(tzinfo=local.tzinfo).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class LeadsAdded(Event):
    user_id: int
    campaign_id: int
    count: int
    at: datetime


@dataclass(frozen=True, slots=True)
class LeadsRemoved(Event):
    """Taken out of campaigns; by the ids that they had there."""

    user_id: int
    campaign_lead_ids: tuple[int, ...]
    at: datetime


@dataclass(frozen=True, slots=True)
class LeadUnsubscribed(Event):
    """One for each campaign of the lead. `message_id`: the mail that was answered with it, if it was one of these."""

    user_id: int
    campaign_id: int
    campaign_lead_id: int
    lead_id: int
    message_id: int | None
    at: datetime


@dataclass(frozen=True, slots=True)
class LeadCategoryUpdated(Event):
    """`is_by_hand`: a person has chosen it, not the program."""

    user_id: int
    campaign_id: int
    campaign_lead_id: int
    old_id: int | None
    new_id: int | None
    at: datetime
    is_by_hand: bool = True


class LeadNotFound(NotFound):
    """Lead not found - Invalid lead_id."""


class CampaignLeadNotFound(NotFound):
    """Lead not found - Invalid lead_map_id."""


class LeadNotInCampaign(NotFound):
    """Invalid request!"""


class MailboxAssigned(Conflict):
    """Lead already has an email account assigned"""


class TagMappingNotFound(NotFound):
    """Tag mapping not found - Invalid tagMappingId."""


class EmailTaken(Conflict):
    """Lead with this email already exists."""


class CategoryNotFound(NotFound):
    """Category not found - Invalid category_id."""


class CategoryNameTaken(Conflict):
    """Category with this name already exists."""


class InvalidCategory(Invalid):
    """Invalid category_id."""


class CannotResume(Conflict):
    """The lead cannot be resumed"""


class InvalidLeadId(CannotResume):
    """Invalid lead id"""


class LastStepReached(CannotResume):
    """This is the last sequence. You cannot resume this lead."""  # noqa: D404


class InSubsequence(CannotResume):
    """The lead is in a subsequence. Stop it there, then resume it here."""


class InvalidSubsequence(Invalid):
    """Invalid sub_sequence_id"""


class SubsequenceStopped(Conflict):
    """The subsequence was stopped for good and sends no more mail. Choose another one."""


class Unreachable(Conflict):
    """The lead has unsubscribed or is blocked, and gets no more mail."""


class DocumentedFailure(Problem):
    """A refusal that the reference answers with a server error; ours only with STRICT_COMPAT (decision 24)."""

    status = 500
