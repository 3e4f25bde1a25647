"""The contract's spellings of webhooks: lenient bodies in, exact objects out (contract: webhooks §1, §2)."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any
from urllib.parse import urlsplit
from uuid import UUID

import httpx
from pydantic import AliasChoices, BeforeValidator, Field

from outrider.kit.validation import (
    Flag,
    Id,
    Int,
    JsonObject,
    ListOf,
    Moment,
    Text,
    TextOrNumber,
    Wire,
    decoded,
    fault,
    moment,
    reject,
)
from outrider.webhooks.models import (
    BATCH_SIZE,
    DEFAULT_EVENT_TYPES,
    Changes,
    EventType,
    InvalidEventType,
    InvalidUrl,
    Level,
    Retrigger,
    RetriggerStatus,
    Scope,
    Webhook,
    in_order,
)
from outrider.webhooks.sending import Answer
from outrider.webhooks.summary import Row

_ALIASES = {
    "EMAIL_OPENED": EventType.EMAIL_OPEN,
    "OPENED": EventType.EMAIL_OPEN,
    "LEAD_OPENED": EventType.EMAIL_OPEN,
    "LEAD_OPEN": EventType.EMAIL_OPEN,
    "EMAIL_CLICKED": EventType.EMAIL_LINK_CLICK,
    "CLICKED": EventType.EMAIL_LINK_CLICK,
    "LEAD_CLICKED": EventType.EMAIL_LINK_CLICK,
    "LEAD_CLICK": EventType.EMAIL_LINK_CLICK,
    "LINK_CLICKED": EventType.EMAIL_LINK_CLICK,
    "EMAIL_REPLIED": EventType.EMAIL_REPLY,
    "REPLIED": EventType.EMAIL_REPLY,
    "LEAD_REPLIED": EventType.EMAIL_REPLY,
    "EMAIL_BOUNCED": EventType.EMAIL_BOUNCE,
    "BOUNCED": EventType.EMAIL_BOUNCE,
    "LEAD_BOUNCED": EventType.EMAIL_BOUNCE,
    "SENT": EventType.EMAIL_SENT,
    "EMAIL_UNSUBSCRIBED": EventType.LEAD_UNSUBSCRIBED,
    "UNSUBSCRIBED": EventType.LEAD_UNSUBSCRIBED,
    "LEAD_UNSUBSCRIBE": EventType.LEAD_UNSUBSCRIBED,
    "CAMPAIGN_STATUS_CHANGE": EventType.CAMPAIGN_STATUS_CHANGED,
    "UNTRACKED_REPLY": EventType.UNTRACKED_REPLIES,
}
_LEVELS = {"1": Level.USER, "2": Level.CLIENT, "3": Level.CAMPAIGN} | {level.value: level for level in Level}
_FALSY = ("", "0", "false", "null")
_LARGEST_URL = 2048
_LARGEST_TEXT = 255
_LARGEST_PAGE = 1000
_DEFAULT_SPAN = timedelta(days=30)
_DATE_LENGTH = 10


def event_type_named(name: str, *, is_strict: bool) -> EventType:
    """Letter case is ignored, the aliases are ours; raises InvalidEventType."""
    upper = name.strip().upper()
    if upper in EventType.__members__:
        return EventType[upper]
    if upper in _ALIASES and not is_strict:
        return _ALIASES[upper]
    raise InvalidEventType(value=name)


def _names(given: Any) -> Any:
    """A list, a single name, names between commas, or an object with truthy values."""
    given = decoded(given) if isinstance(given, str) else given
    if isinstance(given, str):
        return [name for part in given.split(",") if (name := part.strip())]
    return _keys(given) if isinstance(given, Mapping) else given


def _keys(given: Mapping[str, Any]) -> list[str]:
    return [key for key, value in given.items() if str(value).lower() not in _FALSY and value is not None]


def _id_or_none(given: Any) -> Any:
    return None if given in (0, "0", "") else given


def _text_or_none(given: Any) -> Any:
    return None if isinstance(given, str) and not given.strip() else given


def _level(given: Any) -> Level:
    level = _LEVELS.get(str(given).strip().lower())
    if level is None:
        raise fault("must be one of [user, client, campaign]")
    return level


EventNames = Annotated[list[Text], BeforeValidator(_names)]
ShortText = Annotated[Annotated[Text, Field(max_length=_LARGEST_TEXT)] | None, BeforeValidator(_text_or_none)]
WebhookId = Annotated[Id | None, BeforeValidator(_id_or_none)]
LevelName = Annotated[Level, BeforeValidator(_level)]


class EventSelection(Wire):
    """Event types in all forms that clients send; those given are united."""

    event_types: EventNames | None = None
    events: EventNames | None = None
    event_type: EventNames | None = None
    event_type_map: JsonObject | None = None

    def selected(self, *, is_strict: bool) -> list[EventType] | None:
        """In order; None if nothing was said, raises InvalidEventType for the first bad name."""
        forms = (self.event_types, self.events, self.event_type, self.event_type_map and _keys(self.event_type_map))
        given = [names for names in forms if names is not None]
        if not given:
            return None
        return in_order(event_type_named(name, is_strict=is_strict) for names in given for name in names)


class WebhookBody(EventSelection):
    """What a webhook can be told to be; fields that are not given stay."""

    name: ShortText = Field(default=None, validation_alias=AliasChoices("name", "webhook_name"))
    webhook_url: Annotated[Text, Field(min_length=1, max_length=_LARGEST_URL)] | None = Field(
        default=None, validation_alias=AliasChoices("webhook_url", "url")
    )
    categories: ListOf[TextOrNumber] | None = None
    category_ids: ListOf[TextOrNumber] | None = None
    category_id: ListOf[TextOrNumber] | None = None
    category_id_map: JsonObject | None = None
    is_active: Flag | None = Field(default=None, validation_alias=AliasChoices("is_active", "active", "enabled"))
    secret_key: ShortText = None

    def changes(self, *, is_strict: bool) -> Changes:
        """Raises InvalidUrl, InvalidEventType and, for a set of events without any, a validation problem."""
        event_types = self.selected(is_strict=is_strict)
        if event_types is not None and not event_types:
            _reject_no_event()
        return Changes(
            name=self.name,
            webhook_url=_usable(self.webhook_url),
            event_types=event_types,
            categories=self.category_names(),
            is_active=self.is_active,
            secret_key=self.secret_key,
        )

    def category_names(self) -> list[str] | None:
        """Names and ids in all forms given, united; None if nothing was said, [] clears the filter."""
        forms = (
            self.categories,
            self.category_ids,
            self.category_id,
            None if self.category_id_map is None else _keys(self.category_id_map),
        )
        given = [names for names in forms if names is not None]
        return [name for names in given for name in names if name] if given else None


class CampaignWebhookBody(WebhookBody):
    """Without an id a webhook is created."""

    tolerates = frozenset({"campaign_id", "email_campaign_id", "association_type", "client_id"})

    id: WebhookId = Field(default=None, validation_alias=AliasChoices("id", "webhook_id"))

    def changes(self, *, is_strict: bool) -> Changes:
        if self.id is None and self.webhook_url is None:
            reject('"webhook_url" is required', key="webhook_url")
        changes = super().changes(is_strict=is_strict)
        if self.id is None and changes.event_types is None:
            _reject_no_event()
        if is_strict:
            _check_strict_categories(changes.categories)
        return changes


class WebhookUpdate(WebhookBody):
    """The scope cannot change."""

    tolerates = frozenset({"id", "webhook_id"})


class WebhookCreate(WebhookBody):
    tolerates = frozenset({"id", "webhook_id"})

    association_type: LevelName | None = None
    email_campaign_id: Id | None = Field(
        default=None, validation_alias=AliasChoices("email_campaign_id", "campaign_id")
    )
    client_id: Id | None = None
    force_create: Flag = False
    webhook_type: ShortText = None

    def target(self, *, scope: int | None) -> Scope:
        """What it is for; a client's key (`scope`) means its own client where nothing else is said."""
        level = self.association_type or self._implied_level(scope)
        if level is Level.CAMPAIGN:
            if self.email_campaign_id is None:
                reject('"email_campaign_id" is required', key="email_campaign_id")
            return Scope(level, campaign_id=self.email_campaign_id)
        if level is Level.CLIENT:
            client_id = self.client_id or scope
            if client_id is None:
                reject('"client_id" is required', key="client_id")
            return Scope(level, client_id=client_id)
        return Scope(level)

    def changes(self, *, is_strict: bool) -> Changes:
        if self.webhook_url is None:
            reject('"webhook_url" is required', key="webhook_url")
        changes = super().changes(is_strict=is_strict)
        return Changes(
            name=changes.name,
            webhook_url=changes.webhook_url,
            event_types=changes.event_types or DEFAULT_EVENT_TYPES,
            categories=changes.categories,
            is_active=changes.is_active,
            secret_key=changes.secret_key,
            webhook_type=self.webhook_type,
        )

    def _implied_level(self, scope: int | None) -> Level:
        if self.email_campaign_id is not None:
            return Level.CAMPAIGN
        return Level.CLIENT if self.client_id is not None or scope is not None else Level.USER


class WebhookReference(Wire):
    """Which webhook is to go, in a body or a query."""

    tolerates = frozenset({"campaign_id"})

    id: WebhookId = Field(default=None, validation_alias=AliasChoices("id", "webhook_id"))


def required_id(*references: WebhookReference) -> int:
    """The first id that is given; nothing given never means all."""
    found = next((reference.id for reference in references if reference.id is not None), None)
    return found or reject('"id" is required', key="id")


class WebhookFilter(Wire):
    association_type: LevelName | None = None
    client_id: Int | None = None
    campaign_id: Int | None = Field(default=None, validation_alias=AliasChoices("campaign_id", "email_campaign_id"))


class TrialBody(Wire):
    tolerates = frozenset({"id", "webhook_id"})

    event_type: Text | None = None


def _usable(url: str | None) -> str | None:
    """An http or https address with a host; raises InvalidUrl."""
    if url is None:
        return None
    try:
        parts = urlsplit(url)
        is_usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        httpx.URL(url)  # what is to be delivered to has to be readable for it
    except (ValueError, httpx.InvalidURL):
        is_usable = False
    if not is_usable or any(character.isspace() for character in url):
        raise InvalidUrl(value=url)
    return url


def _reject_no_event() -> None:
    reject('"event_types" does not contain 1 required value(s)', key="event_types")


def _check_strict_categories(categories: Sequence[str] | None) -> None:
    """The original wants at least one (STRICT_COMPAT)."""
    if categories is None:
        reject('"categories" is required', key="categories")
    if not categories:
        reject('"categories" does not contain 1 required value(s)', key="categories")


# time ranges ---------------------------------------------------------------------------------------------------------


def _range_end(given: Any) -> Any:
    """A date means its last moment."""
    if isinstance(given, str) and len(given.strip()) == _DATE_LENGTH:
        return (moment(given) + timedelta(days=1, microseconds=-1)).isoformat()
    return given


class TimeRange(Wire):
    tolerates = frozenset({"campaign_id"})

    from_time: Moment | None = Field(default=None, validation_alias=AliasChoices("fromTime", "from_time", "start_date"))
    to_time: Annotated[Moment, BeforeValidator(_range_end)] | None = Field(
        default=None, validation_alias=AliasChoices("toTime", "to_time", "end_date")
    )

    def bounds(self, now: datetime, *, source: str) -> tuple[datetime, datetime]:
        """Both included; nothing said is the last 30 days."""
        to_time = self.to_time or now
        from_time = self.from_time or to_time - _DEFAULT_SPAN
        if from_time > to_time:
            reject('"toTime" must be larger than or equal to "ref:fromTime"', key="toTime", source=source)
        # times are written with milliseconds: all of the last one is meant
        return from_time, to_time.replace(microsecond=to_time.microsecond // 1000 * 1000 + 999)


class AccountTimeRange(TimeRange):
    campaign_id: Id | None = None


class RetriggerBody(TimeRange, EventSelection):
    webhook_id: Id | None = None


class AccountRetriggerBody(RetriggerBody):
    campaign_id: Id | None = None


class RetriggerQuery(Wire):
    retrigger_id: UUID | None = None


# answers -------------------------------------------------------------------------------------------------------------


def webhook_object(webhook: Webhook) -> dict[str, Any]:
    """As lists show it."""
    return {
        "id": webhook.id,
        "name": webhook.name,
        "created_at": webhook.created_at,
        "updated_at": webhook.updated_at,
        "webhook_url": webhook.webhook_url,
        "email_campaign_id": webhook.campaign_id,
        "event_types": webhook.event_types,
        "categories": webhook.categories,
        "event_type_map": dict.fromkeys(webhook.event_types, True),
        "category_id_map": {str(category_id): True for category_id in webhook.category_ids},
        "association_type": webhook.association_type,
        "client_id": webhook.client_id,
        "is_active": webhook.is_active,
    }


def whole_object(webhook: Webhook) -> dict[str, Any]:
    return {**webhook_object(webhook), "secret_key": webhook.secret_key}


def saved(webhook: Webhook, message: str) -> dict[str, Any]:
    """Old clients read the top level, newer ones `data`."""
    return {
        "ok": True,
        **whole_object(webhook),
        "message": message,
        "success": True,
        "data": {
            "id": webhook.id,
            "name": webhook.name,
            "webhook_url": webhook.webhook_url,
            "event_types": webhook.event_types,
        },
    }


def shown(webhook: Webhook) -> dict[str, Any]:
    found = whole_object(webhook)
    return {"ok": True, **found, "data": found}


DELETED = {"ok": True, "success": True, "message": "Webhook deleted successfully"}


def tested(answer: Answer) -> dict[str, Any]:
    return {
        "ok": answer.error is None,
        "status_code": answer.status_code,
        "duration_ms": answer.duration_ms,
        "error": answer.error,
    }


def publish_summary(
    rows: Sequence[Row],
    *,
    campaign_id: int | None,
    from_time: datetime,
    to_time: datetime,
    retrigger: Retrigger | None,
) -> dict[str, Any]:
    """`success` is a count here."""
    sent = sum(row.sent_count for row in rows)
    successful = sum(row.successful_count for row in rows)
    failed = sum(row.failed_count for row in rows)
    retroactively_failed = sum(row.retroactively_failed_count for row in rows)
    by_type: dict[str, int] = {}
    for row in rows:
        by_type[row.event_type] = by_type.get(row.event_type, 0) + row.sent_count
    return {
        "ok": True,
        "total": sent,
        "success": successful,
        "failed": failed,
        "total_calls": sent,
        "successful_calls": successful,
        "failed_calls": failed + retroactively_failed,
        "success_rate": round(100 * successful / sent, 1) if sent else 0,
        "data": {
            "campaign_id": campaign_id,
            "timeRange": {"from": from_time, "to": to_time},
            "sent_count": sent,
            "successful_count": successful,
            "failed_count": failed,
            "scheduled_for_retry_count": sum(row.scheduled_for_retry_count for row in rows),
            "retroactively_failed_count": retroactively_failed,
            "event_types": {each.value: by_type[each] for each in EventType if each in by_type},
            "summary": [_summary_row(row) for row in rows],
            "retrigger": retrigger_object(retrigger) if retrigger else None,
        },
    }


def _summary_row(row: Row) -> dict[str, Any]:
    return {
        "webhook_id": row.webhook_id,
        "webhook_name": row.webhook_name,
        "webhook_url": row.webhook_url,
        "webhook_level": row.webhook_level,
        "event_type": row.event_type,
        "sent_count": row.sent_count,
        "successful_count": row.successful_count,
        "failed_count": row.failed_count,
        "scheduled_for_retry_count": row.scheduled_for_retry_count,
        "retroactively_failed_count": row.retroactively_failed_count,
        "last_attempt_at": row.last_attempt_at,
        "last_success_at": row.last_success_at,
        "last_status_code": row.last_status_code,
        "last_error": row.last_error,
    }


def retrigger_object(retrigger: Retrigger) -> dict[str, Any]:
    return {
        "retrigger_id": retrigger.id,
        "status": retrigger.status,
        "fromTime": retrigger.from_time,
        "toTime": retrigger.to_time,
        "total_events": retrigger.total_events,
        "batch_size": BATCH_SIZE,
        "total_batches": retrigger.total_batches,
        "processed_batches": retrigger.processed_batches,
        "processed_events": retrigger.processed_events,
        "successful_events": retrigger.successful_events,
        "failed_events": retrigger.failed_events,
        "created_at": retrigger.created_at,
        "updated_at": retrigger.updated_at,
        "completed_at": retrigger.completed_at,
    }


def retriggered(retrigger: Retrigger | None) -> dict[str, Any]:
    """With nothing to do it is done at once, and has no id."""
    retrigger_id = retrigger.id if retrigger else None
    status = retrigger.status if retrigger else RetriggerStatus.COMPLETED
    total = retrigger.total_events if retrigger else 0
    return {
        "ok": True,
        "success": True,
        "message": "Failed events retrigger initiated",
        "retrigger_id": retrigger_id,
        "status": status,
        "retriggered_count": total,
        "total_batches": retrigger.total_batches if retrigger else 0,
        "batch_size": BATCH_SIZE,
        "data": {"retrigger_id": retrigger_id, "status": status, "total_events": total},
    }
