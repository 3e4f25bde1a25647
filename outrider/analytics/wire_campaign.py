"""The contract's shapes of campaign figures: strings where the original sends strings (contract: campaigns)."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Literal

import orjson
from pydantic import BeforeValidator, Field

from outrider.analytics.wire import cell
from outrider.campaigns.models import Campaign
from outrider.kit.validation import Int, ListOf, Wire, fault, moment

_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_MOST_STEPS = 20
EXPORT_COLUMNS = [
    "id",
    "campaign_lead_map_id",
    "status",
    "category",
    "is_interested",
    "created_at",
    "first_name",
    "last_name",
    "email",
    "phone_number",
    "company_name",
    "website",
    "location",
    "custom_fields",
    "linkedin_profile",
    "company_url",
    "is_unsubscribed",
    "unsubscribed_client_id_map",
    "last_email_sequence_sent",
    "open_count",
    "click_count",
    "reply_count",
]


def _day_or_moment(given: Any) -> date | datetime:
    """A bare date means the whole UTC day; its end depends on which bound it is."""
    if isinstance(given, str) and _DAY.fullmatch(given.strip()):
        try:
            return date.fromisoformat(given.strip())
        except ValueError as error:
            raise fault("must be a valid date") from error
    found = moment(given)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


Bound = Annotated[Any, BeforeValidator(_day_or_moment)]


class StatisticsQuery(Wire):
    offset: Annotated[Int, Field(ge=0)] = 0
    limit: Annotated[Int, Field(ge=1, le=1000)] = 100
    email_sequence_number: ListOf[Annotated[Int, Field(ge=1, le=_MOST_STEPS)]] | None = None
    email_status: Literal["opened", "clicked", "replied", "unsubscribed", "bounced"] | None = None
    sent_time_start_date: Bound | None = None
    sent_time_end_date: Bound | None = None

    def sent_from(self) -> datetime | None:
        return _start_of(self.sent_time_start_date)

    def sent_before(self) -> datetime | None:
        """Both ends are inclusive: a bare date to its end, a moment to its millisecond."""
        bound = self.sent_time_end_date
        if isinstance(bound, datetime):
            return bound + timedelta(milliseconds=1)
        return _start_of(bound + timedelta(days=1)) if isinstance(bound, date) else None


def _start_of(bound: date | datetime | None) -> datetime | None:
    if bound is None or isinstance(bound, datetime):
        return bound
    return datetime(bound.year, bound.month, bound.day, tzinfo=UTC)


def statistics(total: int, rows: Sequence[Mapping[str, Any]], query: StatisticsQuery) -> dict[str, Any]:
    return {
        "total_stats": str(total),
        "data": [_statistics_row(row) for row in rows],
        "offset": query.offset,
        "limit": query.limit,
    }


def _statistics_row(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "stats_id": str(row["stats_id"]),
        "lead_name": " ".join(part for part in (row["first_name"], row["last_name"]) if part),
        "lead_email": row["to_email"],
        "lead_category": row["category"],
        "sequence_number": row["step_number"],
        "email_campaign_seq_id": row["step_id"],
        "seq_variant_id": row["variant_id"],
        "email_subject": row["subject"],
        "email_message": row["body"],
        "sent_time": row["sent_at"],
        "open_time": row["first_opened_at"],
        "click_time": row["first_clicked_at"],
        "reply_time": row["first_replied_at"],
        "open_count": row["open_count"],
        "click_count": row["click_count"],
        "is_unsubscribed": row["unsubscribed_at"] is not None,
        "is_bounced": row["bounce_kind"] in ("HARD", "SOFT"),
        "ignore_reply": row["is_reply_ignored"],
    }


def top_level(
    campaign: Campaign, totals: Mapping[str, Any], leads: Mapping[str, Any], around: Mapping[str, Any]
) -> dict[str, Any]:
    drafted, blocked = int(leads["drafted_count"]), int(leads["block_count"])
    counts = {
        "sent_count": totals["sent_count"],
        "unique_sent_count": totals["unique_sent_count"],
        "open_count": totals["open_count"],
        "unique_open_count": totals["unique_open_count"],
        "click_count": totals["click_count"],
        "unique_click_count": totals["unique_click_count"],
        "reply_count": totals["reply_count"],
        "block_count": blocked,
        "total_count": totals["sent_count"] + drafted + blocked,
        "drafted_count": drafted,
        "bounce_count": totals["bounce_count"],
        "unsubscribed_count": totals["unsubscribed_count"],
        "sequence_count": around["sequence_count"],
    }
    return {
        "id": campaign.id,
        "user_id": campaign.user_id,
        "created_at": campaign.created_at,
        "status": campaign.status,
        "name": campaign.name,
        **{name: str(count) for name, count in counts.items()},
        "tags": around["tags"],
        "client_id": campaign.client_id,
        "client_name": around["client_name"],
        "client_email": around["client_email"],
        "client_company_name": around["client_company_name"],
        "parent_campaign_id": campaign.parent_campaign_id,
        "send_as_plain_text": campaign.send_as_plain_text,
        "campaign_lead_stats": {
            "total": leads["total"],
            "notStarted": leads["not_started"],
            "inprogress": leads["in_progress"],
            "completed": leads["completed"],
            "paused": leads["paused"],
            "stopped": leads["stopped"],
            "blocked": leads["blocked"],
            "interested": leads["interested"],
            "revenue": leads["revenue"],
        },
    }


def export_row(row: Mapping[str, Any]) -> list[Any]:
    """One lead as the 22 columns; what is unknown is empty, what is true is `true`."""
    clients = {str(client_id): True for client_id in row["unsubscribed_client_ids"]}
    values = [
        row["lead_id"],
        row["campaign_lead_map_id"],
        row["status"],
        row["category"],
        row["is_interested"],
        row["created_at"],
        *(row[name] for name in EXPORT_COLUMNS[6:13]),
        _json_or_empty(row["custom_fields"]),
        row["linkedin_profile"],
        row["company_url"],
        row["is_unsubscribed"],
        _json_or_empty(clients),
        row["last_step_number"],
        row["open_count"],
        row["click_count"],
        row["reply_count"],
    ]
    return [cell(value) for value in values]


def _json_or_empty(value: Mapping[str, Any]) -> str:
    return orjson.dumps(value).decode() if value else ""
