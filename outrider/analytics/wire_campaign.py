"""The contract's shapes of campaign figures: strings where the original sends strings (contract: campaigns)."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from outrider.analytics.rates import percent
from outrider.analytics.wire_campaign_query import LeadsQuery, RangeQuery, StatisticsQuery
from outrider.campaigns.models import Campaign
from outrider.kit.tables import cell
from outrider.messages.history import HistoryItem
from outrider.messages.wire import history
from outrider.tracking.models import CONFIDENCE, REVISED

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
        "is_bounced": row["bounced_at"] is not None,
        "ignore_reply": row["is_reply_ignored"],
    }


Row = Mapping[str, Any]


def top_level(campaign: Campaign, counts: Row, leads: Row, around: Row) -> dict[str, Any]:
    return {
        **_heading(campaign),
        **_texts(counts, leads),
        "sequence_count": str(around["sequence_count"]),
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


def by_date(campaign: Campaign, query: RangeQuery, counts: Row, lifetime: Row, leads: Row) -> dict[str, Any]:
    """What happened in the range; planned mails, and with them the total, are those of the whole life."""
    texts = _texts(counts, leads) | {"total_count": str(total(lifetime, leads))}
    return {**_heading(campaign), "start_date": query.start_date, "end_date": query.end_date, **texts}


def top_level_by_date(
    campaign: Campaign, query: RangeQuery, counts: Row, unsent: Mapping[int, Row], total: int
) -> dict[str, Any]:
    return {
        **_heading(campaign),
        "start_date": query.start_date,
        "end_date": query.end_date,
        "total_count": total,
        "sent_count": counts["sent"],
        "skipped_count": sum(row["skipped"] for row in unsent.values()),
        "open_count": counts["opened"],
        "click_count": counts["clicked"],
        "reply_count": counts["replied_lead_count"],
        "positive_reply_count": counts["positive_replied"],
        "bounce_count": counts["bounced"],
        "failed_count": sum(row["failed"] for row in unsent.values()),
        "stopped_count": counts["stopped_lead_count"],
        "unsubscribed_count": counts["unsubscribed"],
    }


def _heading(campaign: Campaign) -> dict[str, Any]:
    return {
        "id": campaign.id,
        "user_id": campaign.user_id,
        "created_at": campaign.created_at,
        "status": campaign.status,
        "name": campaign.name,
    }


def _texts(counts: Row, leads: Row) -> dict[str, str]:
    """The counters that the original sends as texts."""
    found = {
        "sent_count": counts["sent"],
        "unique_sent_count": counts["unique_lead_count"],
        "open_count": counts["opened"],
        "unique_open_count": counts["unique_open_count"],
        "click_count": counts["clicked"],
        "unique_click_count": counts["unique_click_count"],
        "reply_count": counts["replied_lead_count"],
        "block_count": int(leads["block_count"]),
        "total_count": total(counts, leads),
        "drafted_count": int(leads["drafted_count"]),
        "bounce_count": counts["bounced"],
        "unsubscribed_count": counts["unsubscribed"],
    }
    return {name: str(count) for name, count in found.items()}


def total(counts: Row, leads: Row) -> int:
    return int(counts["sent"] + leads["drafted_count"] + leads["block_count"])


def mailbox(row: Row, counts: Row) -> dict[str, Any]:
    return {
        "email_account_id": row["id"],
        "from_email": row["from_email"],
        "sent_count": counts["sent"],
        "open_count": counts["opened"],
        "click_count": counts["clicked"],
        "reply_count": counts["replied_lead_count"],
        "bounce_count": counts["bounced"],
        "sender_bounce_count": counts["sender_bounced"],
        "unsubscribed_count": counts["unsubscribed"],
    }


def step(row: Row, counts: Row, unsent: Row) -> dict[str, Any]:
    return {
        "email_campaign_seq_id": row["id"],
        "sent_count": counts["sent"],
        "skipped_count": unsent["skipped"],
        "open_count": counts["opened"],
        "click_count": counts["clicked"],
        "reply_count": counts["replied_lead_count"],
        "bounce_count": counts["bounced"],
        "unsubscribed_count": counts["unsubscribed"],
        "failed_count": unsent["failed"],
        "stopped_count": counts["stopped_lead_count"],
        "ln_connection_req_pending_count": 0,
        "ln_connection_req_accepted_count": 0,
        "ln_connection_req_skipped_sent_msg_count": 0,
        "positive_reply_count": counts["positive_replied"],
        "seq_number": row["number"],
        "sender_bounce_count": counts["sender_bounced"],
    }


def variant(row: Row, counts: Row) -> dict[str, Any]:
    return {
        "seq_variant_id": row["variant_id"],
        "variant_label": row["variant_label"],
        "email_campaign_seq_id": row["step_id"],
        "seq_number": row["number"],
        "variant_distribution_percentage": row["variant_distribution_percentage"],
        "is_deleted": row["is_deleted"],
        "sent_count": counts["sent"],
        "open_count": counts["opened"],
        "click_count": counts["clicked"],
        "reply_count": counts["replied_lead_count"],
        "positive_reply_count": counts["positive_replied"],
        "bounce_count": counts["bounced"],
        "unsubscribed_count": counts["unsubscribed"],
    }


def engagement(found: Row, reasons: Sequence[Row]) -> dict[str, Any]:
    return {
        "lead_count": found["lead_count"],
        "opens": _hits(found, "open"),
        "clicks": _hits(found, "click"),
        "reasons": reasons,
    }


def _hits(found: Row, kind: str) -> dict[str, Any]:
    """`machine_only`: mails that nobody but machines has met. The rates are of leads."""
    human, machine = found[f"human_{kind}ed_leads"], found[f"machine_{kind}ed_leads"]
    return {
        "human": {
            "hit_count": found[f"human_{kind}s"],
            "mail_count": found[f"human_{kind}ed_mails"],
            "lead_count": human,
        },
        "machine": {
            "hit_count": found[f"machine_{kind}s"],
            "mail_count": found[f"machine_{kind}ed_mails"],
            "lead_count": machine,
        },
        "machine_only": {"mail_count": found[f"only_machine_{kind}ed_mails"]},
        "rate": percent(human, found["lead_count"]),
        "rate_of_machines": percent(machine, found["lead_count"]),
    }


def reason(row: Row) -> dict[str, Any]:
    """One reason why visits are taken for what they are; what waits to be judged has none."""
    confidence = REVISED.get(row["revision"]) if row["revision"] else CONFIDENCE.get(row["reason"])
    return {
        "type": row["kind"],
        "verdict": row["verdict"],
        "reason": row["reason"],
        "revised_by": row["revision"],
        "confidence": confidence,
        "hit_count": row["hit_count"],
        "mail_count": row["mail_count"],
    }


def leads(
    rows: Sequence[Row], histories: Mapping[int, Sequence[HistoryItem]], query: LeadsQuery, *, public_url: str
) -> dict[str, Any]:
    """One row more than was asked for says that there are more."""
    return {
        "hasMore": len(rows) > query.limit,
        "data": [_lead(row, histories.get(row["id"], ()), public_url) for row in rows[: query.limit]],
        "skip": query.offset,
        "limit": query.limit,
    }


def _lead(row: Row, items: Sequence[HistoryItem], public_url: str) -> dict[str, Any]:
    return {
        "lead_id": row["lead_id"],
        "email_lead_map_id": row["id"],
        "lead_name": " ".join(part for part in (row["first_name"], row["last_name"]) if part),
        "lead_email": row["email"],
        "status": row["status"],
        **history(items, row["email"], public_url=public_url),
        "sent_count": row["sent_count"],
        "open_count": row["open_count"],
        "click_count": row["click_count"],
        "reply_count": row["reply_count"],
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
