"""The contract's spellings of conversations (contract: leads, Fetch Lead Message History Based on Campaign)."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from pydantic import AliasChoices, Field

from outrider.kit.validation import Flag, Id, ListOf, Moment, Wire
from outrider.mail.text import html_to_text
from outrider.messages.history import HistoryItem, SentStep


class HistoryQuery(Wire):
    """`limit` and `offset` have no effect on a conversation."""

    tolerates = frozenset({"limit", "offset"})

    event_time_gt: Moment | None = None
    show_plain_text_response: Flag = False


class BulkQuery(Wire):
    event_time_gt: Moment | None = None


class StepsQuery(Wire):
    campaign_id: Id | None = Field(default=None, validation_alias="campaignId")


class BulkBody(Wire):
    """null is every lead of the campaign."""

    lead_ids: ListOf[Id] | None = Field(default=None, validation_alias=AliasChoices("lead_ids", "lead_id"))


def history(
    items: Sequence[HistoryItem], email: str, *, public_url: str, plain_replies: bool = False
) -> dict[str, Any]:
    """The conversation, and who talks: `from` is our mailbox, `to` the lead, both null where nothing was said."""
    return {
        "history": [history_item(item, public_url=public_url, plain_replies=plain_replies) for item in items],
        "from": _mailbox(items),
        "to": email if items else None,
    }


def sequence_details(steps: Sequence[SentStep]) -> dict[str, Any]:
    return {
        "ok": True,
        "message": "Lead sequence details fetched successfully",
        "data": [
            {
                "status": _STEP_STATUSES[step.status],
                "sent_time": step.sent_at,
                "status_message": _status_message(step),
                "email_campaign_seq_id": step.step_id,
            }
            for step in steps
        ],
    }


# A mail that the recipient's side refused or returned has failed for whoever asks about one lead.
_STEP_STATUSES = {
    "QUEUED": "SCHEDULED",
    "SENT": "SENT",
    "BOUNCED": "FAILED",
    "FAILED": "FAILED",
    "UNKNOWN": "FAILED",
}


def _status_message(step: SentStep) -> str:
    match step.status:
        case "SENT":
            return "Message sent successfully!"
        case "QUEUED" if step.retry_at is not None:
            return f"The recipient's mail server asked to try again later: {step.reply_text or 'no reason was given'}"
        case "QUEUED":
            return "Message is being sent"
        case "BOUNCED":
            return f"Message bounced: {step.bounce_reason or step.reply_text or 'no reason was given'}"
        case "UNKNOWN":
            return "It is not known whether the message was sent: the connection broke while it was handed over"
        case _:
            return step.reply_text or "Message could not be sent"


def _mailbox(items: Sequence[HistoryItem]) -> str | None:
    return next((item.to_email if item.is_reply else item.from_email for item in items), None)


def history_item(item: HistoryItem, *, public_url: str, plain_replies: bool = False) -> dict[str, Any]:
    """One mail of a conversation."""
    body: dict[str, Any] = {
        "type": "REPLY" if item.is_reply else "SENT",
        "message_id": f"<{item.message_id}>" if item.message_id else None,
        "stats_id": item.stats_id,
        "from": item.from_email,
        "to": item.to_email,
        "cc": item.cc,
        "bcc": [],  # Bcc stands in no header: a mail with one is recorded without it
        "time": item.sent_at,
        "subject": item.subject or "",
        "email_body": body_of(item, as_plain_text=plain_replies and item.is_reply),
        "email_seq_number": str(item.step_number) if item.step_number else None,
        "reply_details": None,
        "attachments": [attachment(file, public_url) for file in item.attachments],
    }
    if not item.is_reply:
        body["open_count"] = item.open_count
        body["click_count"] = item.click_count
        body["click_details"] = dict.fromkeys(item.clicked_urls, True)
    if item.auto_reply:  # beyond the reference
        body["auto_reply"] = item.auto_reply
    return body


def body_of(item: HistoryItem, *, as_plain_text: bool = False) -> str:
    if as_plain_text:
        return item.text if item.text is not None else html_to_text(item.html or "")
    return (item.html if item.html is not None else item.text) or ""


def attachment(file: dict[str, Any], public_url: str) -> dict[str, Any]:
    return {
        "file_name": file["name"],
        "file_url": f"{public_url}/files/{file['token']}/{quote(file['name'])}",
        "file_type": file["type"],
        "file_size": file["size"],
    }
