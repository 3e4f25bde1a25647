"""A webhook, its levels, the events it may listen to, and what can be wrong (contract: webhooks §1, §8)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from outrider.kit.errors import Conflict, Invalid, NotFound


class EventType(StrEnum):
    """In the order in which a webhook lists them."""

    EMAIL_SENT = "EMAIL_SENT"
    FIRST_EMAIL_SENT = "FIRST_EMAIL_SENT"
    EMAIL_OPEN = "EMAIL_OPEN"
    EMAIL_LINK_CLICK = "EMAIL_LINK_CLICK"
    EMAIL_REPLY = "EMAIL_REPLY"
    EMAIL_BOUNCE = "EMAIL_BOUNCE"
    LEAD_UNSUBSCRIBED = "LEAD_UNSUBSCRIBED"
    LEAD_CATEGORY_UPDATED = "LEAD_CATEGORY_UPDATED"
    CAMPAIGN_STATUS_CHANGED = "CAMPAIGN_STATUS_CHANGED"
    UNTRACKED_REPLIES = "UNTRACKED_REPLIES"
    MANUAL_STEP_REACHED = "MANUAL_STEP_REACHED"
    EMAIL_ACCOUNT_DISCONNECTED = "EMAIL_ACCOUNT_DISCONNECTED"
    LINKEDIN_DISCONNECTED = "LINKEDIN_DISCONNECTED"
    """Accepted as a name, never fires."""


_ORDER = {event_type: position for position, event_type in enumerate(EventType)}
_NOT_BY_DEFAULT = {EventType.FIRST_EMAIL_SENT, EventType.EMAIL_ACCOUNT_DISCONNECTED, EventType.LINKEDIN_DISCONNECTED}
DEFAULT_EVENT_TYPES = tuple(event_type for event_type in EventType if event_type not in _NOT_BY_DEFAULT)
"""Of a webhook above campaign level that names none."""


def in_order(event_types: Iterable[EventType]) -> list[EventType]:
    """Each once, in the order of the table."""
    return sorted(set(event_types), key=_ORDER.__getitem__)


class Level(StrEnum):
    """Whose events a webhook gets."""

    USER = "user"
    CLIENT = "client"
    CAMPAIGN = "campaign"


class DeliveryState(StrEnum):
    SCHEDULED = "SCHEDULED"
    SUCCESSFUL = "SUCCESSFUL"
    FAILED = "FAILED"


class RetriggerStatus(StrEnum):
    QUEUED = "QUEUED"
    PROCESSING = "PROCESSING"
    COMPLETED = "COMPLETED"
    COMPLETED_WITH_FAILURES = "COMPLETED_WITH_FAILURES"
    FAILED = "FAILED"


class WebhookNotFound(NotFound):
    """Webhook not found - Invalid webhook id."""


class CampaignNotFound(NotFound):
    """Campaign not found - Invalid campaign_id."""


class UnknownClient(Invalid):
    """Client not found - Invalid client_id."""


class InvalidUrl(Invalid):
    """Invalid webhook_url - {value}"""


class InvalidEventType(Invalid):
    """Invalid event_types - {value}"""


class InvalidCategory(Invalid):
    """Invalid category - {value}"""


class WebhookExists(Conflict):
    """Webhook already exists for this url"""


@dataclass(frozen=True, slots=True)
class Webhook:
    id: int
    user_id: int
    association_type: Level
    campaign_id: int | None
    client_id: int | None
    """Of the scope, or of the campaign that is the scope."""
    name: str
    webhook_url: str
    event_types: list[str]
    category_ids: list[int]
    categories: list[str]
    is_active: bool
    secret_key: str
    """Its own, or the account's."""
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Scope:
    """What a new webhook belongs to: the account, a client or a campaign."""

    level: Level
    campaign_id: int | None = None
    client_id: int | None = None


@dataclass(frozen=True, slots=True)
class Changes:
    """What somebody wants a webhook to be; None: not said. Categories are names or ids, as given."""

    name: str | None = None
    webhook_url: str | None = None
    event_types: Sequence[EventType] | None = None
    categories: Sequence[str] | None = None
    is_active: bool | None = None
    secret_key: str | None = None
    webhook_type: str | None = None


@dataclass(frozen=True, slots=True)
class Retrigger:
    """A request to deliver failed events anew, and how far it has come."""

    id: UUID
    campaign_id: int | None
    from_time: datetime
    to_time: datetime
    status: RetriggerStatus
    total_events: int
    processed_events: int
    successful_events: int
    failed_events: int
    created_at: datetime
    updated_at: datetime
    completed_at: datetime | None

    @property
    def total_batches(self) -> int:
        return batches(self.total_events)

    @property
    def processed_batches(self) -> int:
        is_whole = self.processed_events == self.total_events
        return self.total_batches if is_whole else self.processed_events // BATCH_SIZE


BATCH_SIZE = 50


def batches(event_count: int) -> int:
    return -(-event_count // BATCH_SIZE)
