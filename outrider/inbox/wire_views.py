"""The contract's spellings of lists of conversations (contract: master-inbox §0): strict bodies in, exact rows out."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, AliasChoices, BeforeValidator, Field

from outrider.inbox.models import EmailStatus, Filter, Sort, View
from outrider.inbox.untracked import UntrackedFilter
from outrider.kit.validation import LARGEST_ID, Flag, Id, Int, ListOf, StrictWire, Text, Wire, fault, moment
from outrider.mail.quote import new_text_of
from outrider.mail.text import html_to_text, text_to_html
from outrider.messages.history import HistoryItem
from outrider.messages.wire import attachment, history_item

MOST_ROWS = 20
_MOST_UNTRACKED = 100
_LONGEST_SEARCH = 30
_DAY_LENGTH = len("2026-03-30")
_UNTRACKED = "Successfully retrieved master inbox untracked replies"

_Ids = Annotated[ListOf[Id], Field(max_length=10)]


def _status(given: Any) -> Any:
    """In any case, with blanks, underscores or neither."""
    if not isinstance(given, str):
        return given
    key = given.replace("_", "").replace(" ", "").lower()
    return next((status for status in EmailStatus if status.replace(" ", "").lower() == key), given)


def _span(given: list[Any]) -> list[datetime]:
    """Two moments, both included; a date is its whole day."""
    if len(given) != 2:  # noqa: PLR2004
        raise fault("must contain 2 items")
    start, end = (each if each.tzinfo else each.replace(tzinfo=UTC) for each in map(moment, given))
    if len(str(given[1]).strip()) == _DAY_LENGTH:
        end += timedelta(days=1) - timedelta(milliseconds=1)
    return [start, end]


class Categories(StrictWire):
    unassigned: Flag = False
    is_assigned: Flag = Field(default=False, validation_alias="isAssigned")
    category_ids_in: _Ids | None = Field(default=None, validation_alias="categoryIdsIn")
    category_ids_not_in: _Ids | None = Field(default=None, validation_alias="categoryIdsNotIn")


class Filters(StrictWire):
    """How many ids a filter takes differs from view to view."""

    search: Annotated[Text, Field(max_length=_LONGEST_SEARCH)] | None = None
    lead_categories: Categories | None = Field(default=None, validation_alias="leadCategories")
    email_status: ListOf[Annotated[EmailStatus, BeforeValidator(_status)]] | None = Field(
        default=None, validation_alias="emailStatus"
    )
    campaign_id: Annotated[ListOf[Id], Field(max_length=5)] | None = Field(default=None, validation_alias="campaignId")
    email_account_id: _Ids | None = Field(default=None, validation_alias="emailAccountId")
    campaign_team_member_id: _Ids | None = Field(default=None, validation_alias="campaignTeamMemberId")
    campaign_tag_id: _Ids | None = Field(default=None, validation_alias="campaignTagId")
    campaign_client_id: _Ids | None = Field(default=None, validation_alias="campaignClientId")
    reply_time_between: Annotated[ListOf[Any], AfterValidator(_span)] | None = Field(
        default=None, validation_alias="replyTimeBetween"
    )


class ReplyFilters(Filters):
    email_account_id: Annotated[ListOf[Id], Field(max_length=20)] | None = Field(
        default=None, validation_alias="emailAccountId"
    )


class SentFilters(Filters):
    campaign_id: Annotated[ListOf[Id], Field(max_length=15)] | None = Field(default=None, validation_alias="campaignId")
    email_account_id: ListOf[Id] | None = Field(default=None, validation_alias="emailAccountId")


class AnyFilters(Filters):
    sub_sequence_id: Id | None = Field(default=None, validation_alias=AliasChoices("subSequenceId", "subsequenceId"))


def _general(given: Any) -> Any:
    return _one_of(given, _GENERAL)


def _of_reminders(given: Any) -> Any:
    return _one_of(given, (Sort.REMINDER_TIME_DESC, Sort.REMINDER_TIME_ASC, *_GENERAL))


def _of_schedule(given: Any) -> Any:
    return _one_of(given, (Sort.SCHEDULED_TIME_DESC, Sort.SCHEDULED_TIME_ASC, *_GENERAL))


_GENERAL = (Sort.REPLY_TIME_DESC, Sort.SENT_TIME_DESC)


def _one_of(given: Any, known: Sequence[Sort]) -> Any:
    if isinstance(given, str) and given.strip().upper() not in known:
        raise fault(f"must be one of [{', '.join(known)}]")
    return given.strip().upper() if isinstance(given, str) else given


class ListBody(StrictWire):
    """One client sends campaign and client beside the filters; everything else that is unknown is refused."""

    offset: Annotated[Int, Field(ge=0, le=LARGEST_ID)] = 0
    limit: Annotated[Int, Field(ge=1, le=MOST_ROWS)] = MOST_ROWS
    filters: Filters | None = None
    sort_by: Annotated[Sort, BeforeValidator(_general)] | None = Field(default=None, validation_alias="sortBy")
    campaign_id: ListOf[Id] | None = None
    client_id: ListOf[Id] | None = None

    def filter(self) -> Filter:
        given = self.filters or Filters()
        categories = given.lead_categories or Categories()
        start, end = given.reply_time_between or (None, None)
        return Filter(
            search=given.search or None,
            is_unassigned=categories.unassigned,
            is_assigned=categories.is_assigned,
            category_ids=categories.category_ids_in,
            excluded_category_ids=categories.category_ids_not_in,
            email_statuses=given.email_status or (),
            campaign_ids=self.campaign_id if given.campaign_id is None else given.campaign_id,
            mailbox_ids=given.email_account_id,
            member_ids=given.campaign_team_member_id,
            tag_ids=given.campaign_tag_id,
            client_ids=self.client_id if given.campaign_client_id is None else given.campaign_client_id,
            replied_from=start,
            replied_until=end,
            subsequence_id=getattr(given, "sub_sequence_id", None),
        )


class RepliesBody(ListBody):
    filters: ReplyFilters | None = None


class SentBody(ListBody):
    filters: SentFilters | None = None


class AnyBody(ListBody):
    filters: AnyFilters | None = None


class RemindersBody(ListBody):
    sort_by: Annotated[Sort, BeforeValidator(_of_reminders)] | None = Field(default=None, validation_alias="sortBy")


class ScheduledBody(ListBody):
    sort_by: Annotated[Sort, BeforeValidator(_of_schedule)] | None = Field(default=None, validation_alias="sortBy")


class ListQuery(Wire):
    fetch_message_history: Flag = False


class UntrackedQuery(Wire):
    limit: Annotated[Int, Field(ge=1, le=_MOST_UNTRACKED)] = 20
    offset: Annotated[Int, Field(ge=0, le=LARGEST_ID)] = 0
    fetch_attachments: Flag = Field(default=False, validation_alias="fetchAttachments")
    fetch_body: Flag = Field(default=False, validation_alias="fetchBody")
    from_email: Text | None = None
    to_email: Text | None = None
    subject_line: Text | None = None

    def filter(self) -> UntrackedFilter:
        return UntrackedFilter(from_email=self.from_email, to_email=self.to_email, subject=self.subject_line)


def conversation(
    row: Mapping[str, Any], *, history: Iterable[HistoryItem] | None, public_url: str, now: datetime
) -> dict[str, Any]:
    """One row of every list; `history` is there if it was asked for."""
    until = row["snoozed_until"]
    shown = {
        "lead_category_id": row["category_id"],
        "last_sent_time": row["last_sent_at"],
        "last_reply_time": row["last_reply_at"],
        "has_new_unread_email": row["is_unread"],
        "email_account_id": row["mailbox_id"],
        "revenue": f"{row['revenue']:.2f}",
        "is_pushed_to_sub_sequence": row["subsequence_id"] is not None,
        "lead_first_name": row["first_name"],
        "lead_last_name": row["last_name"],
        "lead_email": row["email"],
        "email_lead_id": str(row["lead_id"]),
        "email_lead_map_id": str(row["id"]),
        "lead_status": row["status"],
        "current_sequence_number": row["last_step_number"],
        "sub_sequence_id": row["subsequence_id"],
        "old_replaced_lead_data": None,
        "lead_next_timestamp_to_send": row["due_at"],
        "email_campaign_seq_id": row["next_step_id"],
        "is_important": row["is_important"],
        "is_archived": row["is_archived"],
        "is_snoozed": until is not None and until > now,
        "team_member_id": row["team_member_id"],
        "is_ooo_automated_push_lead": row["has_returned"] or None,
        "email_campaign_id": row["campaign_id"],
        "email_campaign_name": row["campaign_name"],
        "client_id": row["client_id"],
        "belongs_to_sub_sequence": row["parent_campaign_id"] is not None,
        "campaign_sending_schedule": _schedule(row),
        "sequence_count": row["step_count"],
    }
    if history is not None:
        shown["email_history"] = [history_item(item, public_url=public_url) for item in history]
    return shown


def besides(view: View, row: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """What the rows of a view say more than those of others."""
    match view:
        case View.REMINDERS:
            return {
                "reminder_time": row["due_at_"],
                "reminder_message": row["due_text"],
                "reminder_id": str(row["due_id"]),
                "is_overdue": row["due_at_"] <= now,
            }
        case View.SCHEDULED:
            return {"scheduled_time": row["due_at_"], "scheduled_message_id": str(row["due_id"])}
        case View.SNOOZED:
            return {"snoozed_until": row["snoozed_until"]}
        case _:
            return {}


def _schedule(row: Mapping[str, Any]) -> dict[str, Any] | None:
    if row["timezone"] is None:
        return None
    return {"tz": row["timezone"], "days": row["days"], "startHour": row["start_hour"], "endHour": row["end_hour"]}


def page(rows: Sequence[Mapping[str, Any]], *, total: int, offset: int, limit: int) -> dict[str, Any]:
    return {"ok": True, "data": rows, "offset": offset, "limit": limit, "total_count": total}


def untracked(
    rows: Sequence[Mapping[str, Any]], total: int, query: UntrackedQuery, *, public_url: str
) -> dict[str, Any]:
    """The list twice: where the original has it, and where its documentation says it is."""
    replies = [_untracked_reply(row, query, public_url) for row in rows]
    has_more = query.offset + len(rows) < total
    listed = {
        "replies": replies,
        "totalCount": total,
        "pagination": {"limit": query.limit, "offset": query.offset, "totalCount": total, "hasMore": has_more},
    }
    said = {"success": True, "message": _UNTRACKED}
    return {"ok": True, **said, "data": {**said, "data": listed, **listed}}


def _untracked_reply(row: Mapping[str, Any], query: UntrackedQuery, public_url: str) -> dict[str, Any]:
    reply = {
        "id": row["stats_id"],
        "account_id": row["mailbox_id"],
        "message_id": f"<{row['message_id']}>",
        "uid": None,
        "sender_detail": row["from_email"],
        "recipient_detail": row["to_email"],
        "cc": ", ".join(row["cc"]),
        "bcc": "",  # Bcc stands in no header
        "subject": row["subject"],
        "visible_text": new_text_of(row["text"], row["html"]).strip(),
        "reply_picked_time": row["created_at"],
        "is_read": row["is_read"],
        "has_attachment": bool(row["attachments"]),
        "created_at": row["created_at"],
        "updated_at": row["created_at"],
        "from_email": row["from_email"],
        "to_email": row["to_email"],
    }
    if query.fetch_body:
        html, text = row["html"], row["text"]
        reply["body"] = {
            "text": text if text is not None else html_to_text(html or ""),
            "textAsHtml": html if html is not None else text_to_html(text or ""),
        }
    if query.fetch_attachments:
        reply["attachments"] = [
            {
                "id": str(file["id"]),
                "charset": None,
                "is_download_skipped": not file["is_kept"],
                "created_at": row["created_at"],
                **attachment(file, public_url),
            }
            for file in row["attachments"]
        ]
    return reply
