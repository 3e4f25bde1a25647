"""The contract's spellings of answers and forwards (contract: master-inbox, Reply To Lead …, Forward a reply)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, AliasChoices, BeforeValidator, Field, model_validator

from outrider.inbox.attachments import MOST_FILES, Wanted
from outrider.inbox.models import InvalidRecipient
from outrider.inbox.replies import Forward, Reply
from outrider.kit.validation import (
    Body,
    Email,
    Flag,
    Id,
    ListOf,
    Moment,
    Text,
    TextOrNumber,
    Wire,
    fault,
    reject,
)
from outrider.mail.address import InvalidAddress, parse_address_list
from outrider.messages.handwritten import Draft

QUEUED = "Email added to the queue, will be sent out soon!"
_SENT = "Email sent successfully!"
_IN_DOUBT = "Nobody heard what became of it. It is not sent again by itself; look into Sent."
_MOST_RECIPIENTS = 50


def _split(given: Any) -> Any:
    """Addresses separated by commas or in a list."""
    if isinstance(given, str):
        given = [given]
    if not isinstance(given, list):
        return given
    parts = [part for each in given for part in (each.split(",") if isinstance(each, str) else [each])]
    stripped = [part.strip() if isinstance(part, str) else part for part in parts]
    return [part for part in stripped if part != ""]


_Addresses = Annotated[list[Email], Field(max_length=_MOST_RECIPIENTS), BeforeValidator(_split)]


def _uri(given: str) -> str:
    try:
        parts = urlsplit(given)
    except ValueError as error:
        raise fault("must be a valid uri") from error
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise fault("must be a valid uri")
    return given


class AttachmentWish(Wire):
    tolerates = frozenset({"file_size", "fileSize"})

    file_name: Text | None = None
    file_url: Annotated[Text, AfterValidator(_uri)]
    file_type: Text | None = None


class ReplyBody(Wire):
    """`seq_type` has no effect; the lead is looked for only where no mail of the thread is named."""

    tolerates = frozenset({"seq_type", "seqType", "campaign_id"})

    email_stats_id: TextOrNumber | None = Field(
        default=None, validation_alias=AliasChoices("email_stats_id", "stats_id")
    )
    email_body: Body = Field(validation_alias=AliasChoices("email_body", "reply_text", "body"))
    reply_message_id: Text | None = None
    reply_email_time: Moment | None = None
    reply_email_body: Body | None = None
    to_email: Email | None = None
    to_first_name: Text | None = None
    to_last_name: Text | None = None
    cc: _Addresses | None = Field(default=None, validation_alias=AliasChoices("cc", "cc_emails"))
    bcc: _Addresses | None = Field(default=None, validation_alias=AliasChoices("bcc", "bcc_emails"))
    add_signature: Flag = True
    scheduled_time: Moment | None = None
    schedule_condition: Text | None = None
    attachments: Annotated[ListOf[AttachmentWish], Field(max_length=MOST_FILES)] | None = None
    lead_id: Id | None = None

    @model_validator(mode="after")
    def _is_enough(self) -> "ReplyBody":
        if not self.email_stats_id and self.lead_id is None:
            reject('"email_stats_id" is required', key="email_stats_id")
        if not self.email_body.strip():
            reject('"email_body" is not allowed to be empty', key="email_body")
        return self

    def reply(self) -> Reply:
        return Reply(
            stats_id=self.email_stats_id or None,
            lead_id=self.lead_id,
            body=self.email_body,
            answered_id=self.reply_message_id,
            answered_at=self.reply_email_time,
            answered_body=self.reply_email_body,
            to_email=self.to_email,
            to_name=" ".join(part for part in (self.to_first_name, self.to_last_name) if part),
            cc=self.cc or (),
            bcc=self.bcc or (),
            with_signature=self.add_signature,
            scheduled_at=self.scheduled_time,
            condition=self.schedule_condition,
        )

    def files(self) -> list[Wanted]:
        return [Wanted(each.file_url, each.file_name, each.file_type) for each in self.attachments or ()]


class LeadReplyBody(ReplyBody):
    """The lead stands in the path."""

    lead_id: Id | None = None

    @model_validator(mode="after")
    def _is_enough(self) -> "LeadReplyBody":
        if not self.email_body.strip():
            reject('"email_body" is not allowed to be empty', key="email_body")
        return self


class ForwardBody(Wire):
    message_id: Text | None = Field(default=None, validation_alias=AliasChoices("message_id", "reply_message_id"))
    stats_id: TextOrNumber | None = Field(default=None, validation_alias=AliasChoices("stats_id", "email_stats_id"))
    to_emails: Annotated[list[Any], BeforeValidator(_split), Field(min_length=1, max_length=_MOST_RECIPIENTS)] = Field(
        validation_alias=AliasChoices("to_emails", "to", "forward_to_email")
    )
    forward_email_body: Body = Field(
        default="", validation_alias=AliasChoices("forward_email_body", "email_body", "note")
    )
    forward_email_subject: Text | None = None
    cc_emails: _Addresses | None = Field(default=None, validation_alias=AliasChoices("cc_emails", "cc"))
    bcc_emails: _Addresses | None = Field(default=None, validation_alias=AliasChoices("bcc_emails", "bcc"))

    @model_validator(mode="after")
    def _is_enough(self) -> "ForwardBody":
        if not self.stats_id:
            reject('"stats_id" is required', key="stats_id")
        return self

    def forward(self) -> Forward:
        return Forward(
            stats_id=self.stats_id,
            message_id=self.message_id,
            to=[_recipient(each) for each in self.to_emails],
            cc=self.cc_emails or (),
            bcc=self.bcc_emails or (),
            body=self.forward_email_body,
            subject=self.forward_email_subject or None,
        )


class NamedForwardBody(ForwardBody):
    campaign_id: Id


class StatusQuery(Wire):
    message_id: Annotated[Text, Field(min_length=1)]


def _recipient(given: Any) -> str:
    try:
        (address,) = parse_address_list(str(given))
    except (InvalidAddress, ValueError) as error:
        raise InvalidRecipient(address=given) from error
    return str(address)


def queued(draft: Draft) -> dict[str, Any]:
    """Everything that any documentation of the reference shows, in one (decision 13)."""
    return {
        "ok": True,
        "success": True,
        "data": "success",
        "message": QUEUED,
        "message_id": f"<{draft.message_id}>",
        "email_stats_id": draft.stats_id,
        "scheduled_time": draft.scheduled_at,
    }


def forwarded(draft: Draft) -> dict[str, Any]:
    return {"ok": True, "messageId": f"<{draft.message_id}>", "status": "success", "data": "success"}


def status(row: Mapping[str, Any]) -> dict[str, Any]:
    word, sentence = _status(row)
    ended_at: datetime | None = row["ended_at"]
    return {
        "ok": True,
        "data": {
            "message_id": f"<{row['message_id']}>",
            "status": word,
            "status_message": sentence,
            "event_time": ended_at,
            "scheduled_time": row["scheduled_at"],
            "email_stats_id": row["stats_id"],
        },
    }


def _status(row: Mapping[str, Any]) -> tuple[str, str]:
    match row["state"], row["status"]:
        case "CANCELLED", _:
            return "CANCELLED", "Email was cancelled before it was sent."
        case "WAITING", _ if row["scheduled_at"] is not None and not row["attempt_count"]:
            return "SCHEDULED", "Email is scheduled."
        case (("WAITING" | "HANDING_OVER"), _):
            return "QUEUED", f"Not taken yet: {row['reply_text']}" if row["reply_text"] else QUEUED
        case _, "SENT":
            return "COMPLETED", _SENT
        case _, "UNKNOWN":
            return "FAILED", _IN_DOUBT
        case _:
            return "FAILED", row["reply_text"] or "Email was not taken."
