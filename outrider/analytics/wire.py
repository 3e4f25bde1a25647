"""The contract's shapes of the account's figures: one envelope, one key in `data` for each endpoint."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Literal

from starlette.responses import Response

from outrider.analytics.cohorts import NOTHING, Counts
from outrider.analytics.rates import (
    length,
    percent,
    quotient,
    rates,
    rounded_quotient,
    short_percent,
    whole_percent,
)
from outrider.config import ReplyRateOf
from outrider.kit.calendar_names import DAYS, MONTHS
from outrider.kit.replies import reply
from outrider.kit.tables import cell, csv_lines

_STATUSES = {
    "ACTIVE": "Active",
    "PAUSED": "Paused",
    "DRAFTED": "Drafted",
    "COMPLETED": "Completed",
    "STOPPED": "Stopped",
}
_PROVIDERS = {"GMAIL": "Gmail", "OUTLOOK": "Outlook"}
_SENTIMENTS = ("positive", "neutral", "negative")
_UNCATEGORIZED = "Uncategorized"
_EVENTS = ("sent", "opened", "replied", "bounced", "unsubscribed")
_HEALTH = (
    "sent",
    "opened",
    "replied",
    "positive_replied",
    "bounced",
    "unique_lead_count",
    "unique_open_count",
)
_HEALTH_RATES = ("open_rate", "reply_rate", "positive_reply_rate", "bounce_rate")
_RANGES = (
    ("0-1h", "within_hour"),
    ("1-6h", "within_6_hours"),
    ("6-24h", "within_day"),
    ("1-3d", "within_3_days"),
    ("3-7d", "within_week"),
    ("7d+", "total"),
)
Row = Mapping[str, Any]


def answer(
    message: str, data: Mapping[str, Any], *, rows: Sequence[Row] | Row, form: Literal["json", "csv"], name: str
) -> Response:
    """The envelope of all these endpoints; as a file only the rows."""
    if form == "json":
        return reply({"success": True, "ok": True, "message": message, "data": data})
    return csv_file(name, rows if isinstance(rows, Sequence) else [rows])


def csv_file(name: str, rows: Sequence[Row]) -> Response:
    """One line for each row; what is nested gets a column of its own for each part."""
    flat = [dict(_flattened(row)) for row in rows]
    columns = list(dict.fromkeys(column for row in flat for column in row))
    lines = [columns, *([cell(row.get(column)) for column in columns] for row in flat)]
    headers = {"content-disposition": f"attachment; filename={name}.csv"}
    text = csv_lines(lines) if columns else ""
    return Response(text, media_type="text/csv; charset=utf-8", headers=headers)


def _flattened(row: Row, prefix: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, value in row.items():
        if isinstance(value, Mapping):
            found += _flattened(value, f"{prefix}{name}.")
        elif not isinstance(value, list):
            found.append((prefix + name, value))
    return found


# --- what there is now -----------------------------------------------------------------------------------------------


def months_back(now: datetime, count: int = 12) -> list[date]:
    """The first days of the last months, the current one last, and of the next one."""
    number = now.year * 12 + now.month - 1
    return [date(month // 12, month % 12 + 1, 1) for month in range(number - count + 1, number + 2)]


def monthly(months: Sequence[date], counts: Mapping[int, int]) -> list[dict[str, Any]]:
    """Months with clients, the last one first."""
    rows = [
        {"month": MONTHS[month.month - 1], "count": str(counts[number]), "year": month.year}
        for number, month in enumerate(months, start=1)
        if counts.get(number)
    ]
    return rows[::-1]


def statuses(counts: Mapping[str, int]) -> list[dict[str, Any]]:
    rows = [(name, counts.get(status, 0)) for status, name in _STATUSES.items()]
    rows.append(("Campaigns with Smart Servers", 0))
    if archived := counts.get("ARCHIVED", 0):
        rows.append(("Archived", archived))
    return [{"status": name, "total_count": str(count) if count else 0, "count": count} for name, count in rows]


# --- counts of mails -------------------------------------------------------------------------------------------------


def overall(counts: Counts, positive_replied: int, of: ReplyRateOf) -> dict[str, Any]:
    """Positive leads count where they answered, everything else where it was sent."""
    shown = {**counts, "positive_replied": positive_replied}
    names = ("sent", "opened", "replied", "bounced", "unique_lead_count", "unique_open_count", "positive_replied")
    return _counts(shown, names) | _rates(shown, of, _HEALTH_RATES)


def day_rows(days: Sequence[date], counts: Mapping[int, Row], names: Mapping[str, str]) -> list[dict[str, Any]]:
    """Every day of the range, with what `names` says of it: the name on the wire and ours."""
    return [
        {
            "date": f"{day.day} {MONTHS[day.month - 1][:3]}",
            "day_name": DAYS[day.weekday()],
            "email_engagement_metrics": {name: counts.get(number, NOTHING)[ours] for name, ours in names.items()},
            "iso_date": day,
        }
        for number, day in enumerate(days, start=1)
    ]


EVENT_DAY = {name: name for name in _EVENTS}
SENT_DAY = EVENT_DAY | {"positive_replied": "positive_replied", "unique_lead_reached": "unique_lead_count"}
POSITIVE_DAY = {"positive_replied": "positive_replied"}


def ranked(rows: Sequence[Counts], *names: str, by: Sequence[str] = ("sent",)) -> list[Counts]:
    """The largest first, then by name or id."""
    return sorted(rows, key=lambda row: (*(-row[count] for count in by), *(row[name] for name in names)))


def campaign_performance(row: Counts, of: ReplyRateOf) -> dict[str, Any]:
    return {
        "id": row["campaign_id"],
        "campaign_name": row["campaign_name"],
        **_counts(row, ("sent", "opened", "replied", "bounced")),
        **_rates(row, of, ("open_rate", "reply_rate", "bounce_rate", "positive_reply_rate")),
        **_counts(row, ("positive_replied", "unique_lead_count", "unique_open_count")),
    }


def campaign_responses(row: Counts) -> dict[str, Any]:
    positive, neutral = row["positive_response_count"], row["neutral_response_count"]
    negative, replied = row["negative_response_count"], row["replied"]
    return {
        "email_campaign_id": row["campaign_id"],
        "email_campaign_name": row["campaign_name"],
        "leads_contacted": row["unique_lead_count"],
        "not_replied": row["unique_lead_count"] - row["replied_lead_count"],
        "total_response": replied,
        "total_unique_response": row["replied_lead_count"],
        "unrecognised_response": replied - positive - neutral - negative,
        "total_positive_response": positive,
        "total_negative_response": negative,
        "total_neutral_response": neutral,
        "campaign_id": row["campaign_id"],
        "campaign_name": row["campaign_name"],
        "positive_reply": positive,
        "neutral_reply": neutral,
        "negative_reply": negative,
    }


def client_performance(row: Counts, of: ReplyRateOf) -> dict[str, Any]:
    return {
        "client_id": row["client_id"],
        "client_name": row["client_name"],
        "total_campaigns_count": str(row["campaign_count"]),
        "campaign_stats": {
            **_counts(row, ("sent", "opened", "replied", "positive_replied")),
            **_rates(row, of, ("client_health", "open_rate", "reply_rate", "positive_reply_rate")),
            **_counts(row, ("unique_open_count", "unique_lead_count")),
        },
    }


def is_client(row: Counts, words: str | None) -> bool:
    """Whether a filter means this client: by its id, or by a part of its name or address."""
    if not words:
        return True
    if words.isascii() and words.isdigit():
        return bool(row["client_id"] == int(words))
    wanted = words.casefold()
    return wanted in row["client_name"].casefold() or wanted in row["client_email"].casefold()


def follow_ups(counts: Counts) -> dict[str, Any]:
    sent, replied = counts["follow_up_count"], counts["follow_up_reply_count"]
    rate = percent(replied, sent)
    average = quotient(sent, counts["campaign_count"])
    return {
        "followup_reply_rate": rate,
        "followup_stats": {
            "total_followups": sent,
            "followup_replies": replied,
            "followup_reply_rate": rate,
            "avg_followups_per_campaign": int(average) if average.is_integer() else average,
        },
    }


def reply_times(found: Row) -> dict[str, Any]:
    """`found` counts up to each limit; a range is what its limit adds."""
    below = [0, *(found[name] for _, name in _RANGES)]
    return {
        "average_time_diff": length(timedelta(microseconds=found["average"] or 0)),
        "median_time_diff": length(timedelta(microseconds=found["median"] or 0)),
        "distribution": [
            {"time_range": name, "count": found[ours] - before}
            for (name, ours), before in zip(_RANGES, below, strict=False)
        ],
    }


def leads_for_first_reply(counts: Counts) -> int:
    return rounded_quotient(counts["unique_lead_count"], counts["replied_lead_count"])


def categories(rows: Sequence[Row]) -> dict[str, Any]:
    total = sum(row["response_count"] for row in rows)
    return {
        "filter": [{"sentiment_type": sentiment} for sentiment in _SENTIMENTS],
        "leadResponseGrouping": [_category(row, total) for row in rows],
    }


def _category(row: Row, total: int) -> dict[str, Any]:
    name = row["name"] or _UNCATEGORIZED
    sentiment = {"sentiment_type": row["sentiment_type"]} if row["sentiment_type"] else {}
    return {
        "total_response": row["response_count"],
        "name": name,
        **sentiment,
        "percentage": short_percent(row["response_count"], total),
        "category": name,
    }


def lead_stats(total: int, new: int) -> dict[str, Any]:
    share = whole_percent(new, total)
    return {
        "count": {"total": total, "new": new, "follow_up": total - new},
        "percentage": {"new": f"{share}%", "follow_up": f"{100 - share if total else 0}%"},
    }


def domain_health(row: Counts, of: ReplyRateOf) -> dict[str, Any]:
    return {"domain": row["domain"], **_health(row, of)}


def address_health(row: Counts, of: ReplyRateOf) -> dict[str, Any]:
    return {"from_email": row["from_email"], "email_account": row["from_email"], **_health(row, of)}


def provider_performance(row: Counts, of: ReplyRateOf) -> dict[str, Any]:
    """All counts are texts."""
    provider = row["mailbox_type"]
    shown = {name: str(count) for name, count in _counts(row, _HEALTH).items()}
    return {
        "email_provider": provider,
        "provider": _PROVIDERS.get(provider, provider),
        **_tag(row),
        **shown,
        **_rates(row, of, _HEALTH_RATES),
    }


def team_member(member: Row, counts: Counts, waited: int | None, of: ReplyRateOf) -> dict[str, Any]:
    """Rates of nothing are the number 0 here. Nobody has a picture yet."""
    found = rates(counts, of)
    return {
        "id": member["id"],
        "name": member["name"],
        "profile_pic_url": None,
        "lead_count": counts["unique_lead_count"],
        "campaign_count": counts["campaign_count"],
        "reply_count": counts["replied"],
        "positive_reply_count": counts["positive_replied"],
        "reply_rate": found["reply_rate"] if counts["unique_lead_count"] else 0,
        "positive_reply_rate": found["positive_reply_rate"] if counts["replied"] else 0,
        "average_reply_time": 0 if waited is None else length(timedelta(microseconds=waited)),
        **_counts(counts, ("unique_open_count", "sent", "opened", "replied", "bounced")),
    }


def _tag(row: Counts) -> dict[str, Any]:
    if "tag_id" not in row:
        return {}
    return {
        "tag_id": row["tag_id"],
        "tag_name": row["tag_name"],
        "tag_color": row["tag_color"],
        "tag": row["tag_name"],
    }


def _health(row: Counts, of: ReplyRateOf) -> dict[str, Any]:
    return _counts(row, _HEALTH) | _rates(row, of, _HEALTH_RATES)


def _counts(row: Counts, names: Sequence[str]) -> dict[str, int]:
    return {name: row[name] for name in names}


def _rates(row: Counts, of: ReplyRateOf, names: Sequence[str]) -> dict[str, str]:
    found = rates(row, of)
    return {name: found[name] for name in names}
