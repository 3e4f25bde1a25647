"""The contract's spellings of what is done to conversations: lenient bodies in, exact answers out."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, AliasChoices, BeforeValidator, Field, model_validator

from outrider.inbox.models import Priority, TaskStatus
from outrider.kit.validation import Flag, Id, ListOf, Moment, Number, Text, TextOrNumber, Wire, fault, reject

LONGEST_DELAY_DAYS = 36_500
_LARGEST_REVENUE = 10**15
_SMALLEST_SECONDS = 3_600
_DAY_SECONDS = 86_400


def _filled(given: str) -> str:
    if not given.strip():
        raise fault("is not allowed to be empty")
    return given


Filled = Annotated[Text, AfterValidator(_filled)]


class Target(Wire):
    """The conversation: by the id of the lead in the campaign; some clients send the lead's and the campaign's."""

    email_lead_map_id: Id | None = Field(
        default=None, validation_alias=AliasChoices("email_lead_map_id", "campaign_lead_map_id", "lead_map_id")
    )
    lead_id: Id | None = None
    campaign_id: Id | None = None

    @model_validator(mode="after")
    def _has_one(self) -> "Target":
        if self.email_lead_map_id is None and self.lead_id is None:
            reject('"email_lead_map_id" is required', key="email_lead_map_id")
        return self


class ReadStatus(Target):
    read_status: Flag = Field(validation_alias=AliasChoices("read_status", "is_read"))


class Important(Target):
    is_important: Flag = True


class Archive(Target):
    is_archived: Flag = True


class Snooze(Target):
    """null brings it back."""

    snooze_until: Moment | None = Field(validation_alias=AliasChoices("snooze_until", "snoozed_until", "snooze_time"))


class CategoryChange(Target):
    """By id or, as an alias, by name; null takes it away, missing is an error."""

    category_id: Id | None = None
    category: Text | None = None

    @model_validator(mode="after")
    def _has_category(self) -> "CategoryChange":
        if not self.model_fields_set & {"category_id", "category"}:
            reject('"category_id" is required', key="category_id")
        return self


class Revenue(Target):
    revenue: Annotated[Number, Field(ge=0, le=_LARGEST_REVENUE)]

    def amount(self) -> Decimal:
        return Decimal(str(self.revenue)).quantize(Decimal("0.01"))


class Member(Target):
    """null: nobody's."""

    team_member_id: Id | None


class Reminder(Target):
    email_stats_id: TextOrNumber | None = None
    message: Text = Field(default="Reminder", validation_alias=AliasChoices("message", "note"))
    reminder_time: Moment = Field(validation_alias=AliasChoices("reminder_time", "reminder_date"))


class Note(Target):
    note_message: Filled = Field(validation_alias=AliasChoices("note_message", "note"))


def _upper(given: Any) -> Any:
    return given.strip().upper() if isinstance(given, str) else given


def _lower(given: Any) -> Any:
    return given.strip().lower() if isinstance(given, str) else given


class Task(Target):
    name: Filled = Field(validation_alias=AliasChoices("name", "title", "task"))
    description: Text | None = None
    priority: Annotated[Priority, BeforeValidator(_upper)] = Priority.MEDIUM
    due_date: Moment | None = None


class LeadNote(Wire):
    lead_id: Id
    note: Filled = Field(validation_alias=AliasChoices("note", "note_message"))
    campaign_id: Id | None = None


class LeadTask(Wire):
    lead_id: Id
    task: Filled = Field(validation_alias=AliasChoices("task", "name", "title"))
    description: Text | None = None
    priority: Annotated[Priority, BeforeValidator(_upper)] = Priority.MEDIUM
    due_date: Moment | None = None
    campaign_id: Id | None = None


class TaskChange(Wire):
    """Only what is sent changes."""

    status: Annotated[TaskStatus, BeforeValidator(_lower)] | None = None
    name: Filled | None = Field(default=None, validation_alias=AliasChoices("name", "title", "task"))
    description: Text | None = None
    priority: Annotated[Priority, BeforeValidator(_upper)] | None = None
    due_date: Moment | None = None


class Resume(Target):
    """The campaign need not be named; if it is, it has to be the conversation's."""

    resume_delay_days: Annotated[Number, Field(ge=0, le=LONGEST_DELAY_DAYS)] | None = None


def _delay_days(given: float) -> float:
    """Days; so large a number is one of seconds, rounded to days, half up and at least one."""
    if given < _SMALLEST_SECONDS:
        return given
    return max(1, int(given / _DAY_SECONDS + 0.5))


class Push(Target):
    """Into a subsequence; without a delay after the subsequence's own."""

    sub_sequence_id: Id = Field(validation_alias=AliasChoices("sub_sequence_id", "subsequence_id"))
    sub_sequence_delay_time: (
        Annotated[Number, Field(ge=0, le=LONGEST_DELAY_DAYS * _DAY_SECONDS), AfterValidator(_delay_days)] | None
    ) = None
    stop_lead_on_parent_campaign_reply: Flag = False


class BlockDomains(Wire):
    domains: Annotated[ListOf[Text], Field(min_length=1)]
    source: Text = "manual"


def done(message: str, **data: Any) -> dict[str, Any]:
    return {"ok": True, "message": message, "data": {"success": True, **data}}


def read(*, is_read: bool) -> dict[str, Any]:
    return done(f"Lead marked as {'read' if is_read else 'unread'} successfully", updated=1)


def pushed(subsequence_id: int, delay_days: float) -> dict[str, Any]:
    days = int(delay_days) if float(delay_days).is_integer() else delay_days
    return done("Lead pushed to subsequence successfully", sub_sequence_id=subsequence_id, delay_days=days)


def made(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"id": str(row["id"]), "created_at": row["created_at"]}


def note(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": row["id"],
        "lead_id": row["lead_id"],
        "email_lead_map_id": row["campaign_lead_id"],
        "note_message": row["text"],
        "created_by": row["author"],
        "created_at": row["created_at"],
    }


def task(row: Mapping[str, Any]) -> dict[str, Any]:
    due_at: datetime | None = row["due_at"]
    return {
        "id": row["id"],
        "lead_id": row["lead_id"],
        "email_lead_map_id": row["campaign_lead_id"],
        "name": row["name"],
        "description": row["description"],
        "priority": row["priority"],
        "due_date": due_at,
        "status": row["status"],
        "created_at": row["created_at"],
    }
