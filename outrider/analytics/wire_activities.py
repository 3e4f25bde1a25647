"""The contract's spelling of what has happened to leads (contract: campaigns, All leads activities)."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from outrider.analytics.wire_campaign_query import ActivitiesQuery
from outrider.messages.history import HistoryItem
from outrider.messages.wire import body_of


def activities(
    rows: Sequence[Mapping[str, Any]], histories: Mapping[int, Sequence[HistoryItem]], query: ActivitiesQuery
) -> dict[str, Any]:
    """One row more than was asked for says that there are more."""
    has_more = len(rows) > query.limit
    return {
        "ok": True,
        "data": [_lead(row, histories.get(row["id"], ())) for row in rows[: query.limit]],
        "hasMore": has_more,
        "pagination": {"offset": query.offset, "limit": query.limit, "has_more": has_more},
    }


def _lead(row: Mapping[str, Any], items: Sequence[HistoryItem]) -> dict[str, Any]:
    replies: defaultdict[Any, list[HistoryItem]] = defaultdict(list)
    for item in items:
        if item.is_reply:
            replies[item.stats_id].append(item)
    return {
        "lead_id": row["lead_id"],
        "email_lead_map_id": row["id"],
        "lead_email": row["email"],
        "campaign_id": row["campaign_id"],
        "campaign_name": row["campaign_name"],
        "campaign_status": row["campaign_status"],
        "status": row["status"],
        "current_seq_num": row["last_step_number"],
        "created_at": row["created_at"],
        "activities": [_activity(item, replies[item.stats_id]) for item in items if not item.is_reply],
    }


def _activity(item: HistoryItem, replies: Sequence[HistoryItem]) -> dict[str, Any]:
    """One mail of ours with its first answer; later ones are the thread's."""
    answers = [_reply(reply) for reply in replies]
    return {
        "stats_id": item.stats_id,
        "message_id": f"<{item.message_id}>" if item.message_id else None,
        "subject": item.subject or "",
        "email_body": body_of(item),
        "sent_time": item.sent_at,
        "from_email": item.from_email,
        "to_email": item.to_email,
        "email_seq_number": item.step_number,
        "open_count": item.open_count,
        "click_count": item.click_count,
        "click_details": dict.fromkeys(item.clicked_urls, True),
        "reply_details": answers[0] if answers else None,
        "thread_replies": answers[1:],
    }


def _reply(item: HistoryItem) -> dict[str, Any]:
    return {
        "time": item.sent_at,
        "reply_email_body": body_of(item),
        "message_id": f"<{item.message_id}>" if item.message_id else None,
    }
