"""The contract's spellings of leads: lenient bodies in, exact objects out (contract: leads). Adding: `wire_add`."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from fastapi import Path
from pydantic import AliasChoices, BeforeValidator, Field, model_validator

from outrider.kit.validation import (
    Flag,
    Id,
    JsonObject,
    Moment,
    Number,
    PathId,
    StrictWire,
    Text,
    TextOrNumber,
    Wire,
    reject,
)
from outrider.leads.emails import email_key
from outrider.leads.listing import LeadFilter
from outrider.leads.models import LEAD_FIELDS, Category, Lead, LeadStatus, StepAhead
from outrider.leads.reasons import Reason, Why

LeadId = Annotated[PathId, Path(alias="leadId")]
"""The lead's own id in a path (contract: leads §0, Errors)."""
MAX_CUSTOM_FIELDS = 200
_LONGEST_DELAY_DAYS = 36_500


def _upper(given: Any) -> Any:
    return given.strip().upper() if isinstance(given, str) else given


class EmailStatus(StrEnum):
    IS_OPENED = "is_opened"
    IS_CLICKED = "is_clicked"
    IS_REPLIED = "is_replied"
    IS_BOUNCED = "is_bounced"
    IS_UNSUBSCRIBED = "is_unsubscribed"
    IS_SPAM = "is_spam"
    IS_ACCEPTED = "is_accepted"
    NOT_REPLIED = "not_replied"
    IS_SENDER_BOUNCED = "is_sender_bounced"


class CampaignLeadQuery(Wire):
    created_at_gt: Moment | None = None
    last_sent_time_gt: Moment | None = None
    event_time_gt: Moment | None = None
    status: Annotated[LeadStatus, BeforeValidator(_upper)] | None = None
    lead_category_id: Id | None = None
    email_status: EmailStatus | None = Field(default=None, validation_alias=AliasChoices("emailStatus", "email_status"))

    def filter(self) -> LeadFilter:
        return LeadFilter(
            status=self.status,
            category_id=self.lead_category_id,
            created_after=self.created_at_gt,
            sent_after=self.last_sent_time_gt,
            active_after=self.event_time_gt,
            email_status=self.email_status,
        )


class AccountLeadQuery(Wire):
    created_at_gt: Moment | None = None
    email: Text | None = None


class EmailQuery(Wire):
    email: Text

    def addresses(self) -> list[str]:
        """Under which addresses to look: some clients send a plus that means a plus and arrives as a blank."""
        spellings = (self.email, self.email.replace(" ", "+"))
        return list(dict.fromkeys(key for each in spellings if (key := email_key(each))))


class Resume(Wire):
    resume_lead_with_delay_days: Annotated[Number, Field(ge=0, le=_LONGEST_DELAY_DAYS)] | None = None


class StatusVerb(StrEnum):
    PAUSED = "PAUSED"
    INPROGRESS = "INPROGRESS"
    START = "START"
    COMPLETED = "COMPLETED"
    STOPPED = "STOPPED"


class StatusChange(Resume):
    status: Annotated[StatusVerb, BeforeValidator(_upper)]


class CategoryChange(Wire):
    """The category by id or, as an alias, by its name; null takes it away, missing is an error."""

    category_id: Id | None = None
    category: Text | None = None
    pause_lead: Flag = False

    @model_validator(mode="after")
    def _has_one(self) -> "CategoryChange":
        if not self.model_fields_set & {"category_id", "category"}:
            reject('"category_id" is required', key="category_id")
        return self


class Sentiment(StrEnum):
    POSITIVE = "positive"
    NEGATIVE = "negative"
    NEUTRAL = "neutral"


class OwnCategoryChange(Wire):
    """`description`: what replies belong there, for the classifier; without one it never chooses the category."""

    name: Annotated[Text, Field(min_length=1, max_length=100)] | None = None
    sentiment_type: Sentiment | None = Field(default=None, validation_alias=AliasChoices("sentiment_type", "sentiment"))
    description: Annotated[Text, Field(max_length=2_000)] | None = None

    def fields(self) -> dict[str, Any]:
        if "name" in self.model_fields_set and self.name is None:
            reject('"name" must be a string', key="name")
        return {name: getattr(self, name) for name in ("name", "sentiment_type", "description") if self._has(name)}

    def _has(self, name: str) -> bool:
        return name in self.model_fields_set


class OwnCategory(OwnCategoryChange):
    @model_validator(mode="after")
    def _has_name(self) -> "OwnCategory":
        if self.name is None:
            reject('"name" is required', key="name")
        return self


class LeadChange(StrictWire):
    """Only what is sent changes; "" empties a field. `id` and `campaign_id` are told by the path."""

    tolerates = frozenset({"id", "lead_id", "campaign_id"})

    email: Text | None = None
    first_name: Text | None = None
    last_name: Text | None = None
    phone_number: TextOrNumber | None = Field(default=None, validation_alias=AliasChoices("phone_number", "phone"))
    company_name: Text | None = Field(default=None, validation_alias=AliasChoices("company_name", "company"))
    website: Text | None = None
    location: Text | None = None
    linkedin_profile: Text | None = None
    company_url: Text | None = None
    custom_fields: JsonObject | None = None

    def fields(self) -> dict[str, str | None]:
        """The standard fields that are sent, by column; raises for an address that is none."""
        given: dict[str, str | None] = {
            name: value or None for name in LEAD_FIELDS if (value := getattr(self, name)) is not None
        }
        if self.email:
            key = email_key(self.email)
            if key is None:
                reject('"email" must be a valid email', key="email")
            given["email"] = key
        return given

    @model_validator(mode="after")
    def _check_custom_fields(self) -> "LeadChange":
        problem = custom_field_problem(self.custom_fields or {})
        if problem:
            reject(f'"custom_fields{problem[0]}" {problem[1]}', key=f"custom_fields{problem[0]}")
        return self


def custom_field_problem(fields: Mapping[str, Any]) -> tuple[str, str] | None:
    """Where (`.Title`) and what is wrong with custom fields."""
    if len(fields) > MAX_CUSTOM_FIELDS:
        return "", f"must have less than or equal to {MAX_CUSTOM_FIELDS} keys"
    for name, value in fields.items():
        if isinstance(value, dict | list):
            return f".{name}", "must be a string"
    return None


# out -----------------------------------------------------------------------------------------------------------------


def lead_object(lead: Lead) -> dict[str, Any]:
    """Of look-ups: the id is a string, for it is a column of the row itself (contract: leads §0, Numeric types)."""
    return {
        "id": str(lead.id),
        "first_name": lead.first_name,
        "last_name": lead.last_name,
        "email": lead.email,
        "created_at": lead.created_at,
        "phone_number": lead.phone_number,
        "company_name": lead.company_name,
        "website": lead.website,
        "location": lead.location,
        "custom_fields": lead.custom_fields,
        "linkedin_profile": lead.linkedin_profile,
        "company_url": lead.company_url,
        "is_unsubscribed": lead.is_unsubscribed,
        "unsubscribed_client_id_map": _client_map(lead.unsubscribed_client_ids),
    }


def reason_object(why: Why | None) -> dict[str, Any] | None:
    """Why something is not sent: ours, in keys of its own (`why_not_sent`); null when nothing is in the way."""
    if why is None:
        return None
    return {
        "scope": why.scope,
        "code": why.code,
        "text": why.text,
        "what_to_do": why.advice,
        "retry_at": why.retry_at,
    }


def memberships(rows: Sequence[Mapping[str, Any]], why: Mapping[int, Reason]) -> list[dict[str, Any]]:
    """`lead_campaign_data`: the campaigns of one lead."""
    return [
        {
            "campaign_id": row["campaign_id"],
            "campaign_name": row["campaign_name"],
            "campaign_status": row["campaign_status"],
            "campaign_lead_map_id": row["id"],
            "lead_category_id": row["category_id"],
            "last_sent_at": _short(row["last_sent_at"]),
            "last_reply_at": _short(row["last_reply_at"]),
            "last_activity_at": _short(_latest(row["last_sent_at"], row["last_reply_at"])),
            "client_id": row["client_id"],
            "client_email": row["client_email"],
            "why_not_sent": reason_object(why.get(row["id"])),
        }
        for row in rows
    ]


def campaigns_of_lead(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{"id": row["campaign_id"], "status": row["campaign_status"], "name": row["campaign_name"]} for row in rows]


def campaign_leads(
    total: int, rows: Sequence[Mapping[str, Any]], why: Mapping[int, Reason], *, offset: int, limit: int | None
) -> dict[str, Any]:
    """The list by campaign: the total and the map id are strings, the lead's id inside is a number."""
    return {
        "total_leads": str(total),
        "offset": offset,
        "limit": limit,
        "data": [
            {
                "campaign_lead_map_id": str(row["id"]),
                "lead_category_id": row["category_id"],
                "status": row["status"],
                "created_at": row["created_at"],
                "why_not_sent": reason_object(why.get(row["id"])),
                "lead": {
                    "id": row["lead_id"],
                    "first_name": row["first_name"],
                    "last_name": row["last_name"],
                    "email": row["email"],
                    "phone_number": row["phone_number"],
                    "company_name": row["company_name"],
                    "website": row["website"],
                    "location": row["location"],
                    "custom_fields": row["custom_fields"],
                    "linkedin_profile": row["linkedin_profile"],
                    "company_url": row["company_url"],
                    "is_unsubscribed": row["is_unsubscribed"],
                    "unsubscribed_client_id_map": _client_map(row["unsubscribed_client_ids"]) or None,
                },
            }
            for row in rows
        ],
    }


def account_leads(
    total: int, rows: Sequence[Mapping[str, Any]], *, user_id: int, offset: int, limit: int | None
) -> dict[str, Any]:
    return {
        "data": [
            {
                "id": str(row["lead_id"]),
                "email": row["email"],
                "first_name": row["first_name"],
                "last_name": row["last_name"],
                "company_name": row["company_name"],
                "website": row["website"],
                "company_url": row["company_url"],
                "phone_number": row["phone_number"],
                "location": row["location"],
                "custom_fields": row["custom_fields"],
                "linkedin_profile": row["linkedin_profile"],
                "created_at": row["created_at"],
                "user_id": user_id,
                "campaigns": [_account_membership(each) for each in row["campaigns"]],
            }
            for row in rows
        ],
        "skip": offset,
        "limit": limit,
        "hasMore": offset + len(rows) < total,
        "total_leads": total,
    }


def _account_membership(row: Mapping[str, Any]) -> dict[str, Any]:
    """Built from JSON of the database, where times are texts."""
    sent_at = row["last_sent_at"]
    return {
        "campaign_id": row["campaign_id"],
        "lead_status": row["status"],
        "campaign_name": row["campaign_name"],
        "lead_added_at": _short(datetime.fromisoformat(row["created_at"])),
        "campaign_status": row["campaign_status"],
        "email_lead_map_id": row["map_id"],
        "lead_last_seq_number": row["last_step_number"] or None,
        "latest_sent_time": datetime.fromisoformat(sent_at) if sent_at else None,
    }


def category_object(category: Category) -> dict[str, Any]:
    return {
        "id": category.id,
        "created_at": category.created_at,
        "name": category.name,
        "sentiment_type": category.sentiment_type,
    }


def own_category_object(category: Category) -> dict[str, Any]:
    return {**category_object(category), "description": category.description}


def completion(following: StepAhead | None) -> dict[str, Any]:
    return {
        "ok": True,
        "status": {
            "isLastSequence": following is None,
            "nextSequence": following and {"id": following.id, "delayInDays": following.delay_days},
        },
        "success": True,
        "message": "Lead marked as complete",
    }


def _client_map(client_ids: Sequence[int]) -> dict[str, bool]:
    return {str(client_id): True for client_id in client_ids}


def _latest(*moments: datetime | None) -> datetime | None:
    return max((moment for moment in moments if moment is not None), default=None)


def _short(moment: datetime | None) -> str | None:
    """`2026-02-04T09:00:11+00:00`, the spelling of some times of leads (contract: leads §0, Timestamps)."""
    return moment.isoformat(timespec="seconds") if moment else None
