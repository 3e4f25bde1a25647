"""Words for mails: their states, the claim that starts one, and the events that follow."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from outrider.kit.events import Event
from outrider.kit.plain import plain
from outrider.mail.dsn import BounceKind


class MessageStatus(StrEnum):
    QUEUED = "QUEUED"
    SENT = "SENT"
    FAILED = "FAILED"
    UNKNOWN = "UNKNOWN"
    BOUNCED = "BOUNCED"
    RECEIVED = "RECEIVED"


@plain(frozen=True, slots=True)
class Claim:
    """A lead that is about to get a mail from a mailbox."""

    campaign_id: int
    campaign_lead_id: int
    mailbox_id: int
    variant_id: int | None
    claimed_at: datetime


@plain(frozen=True, slots=True)
class Written:
    """A mail as it leaves: kept before it is handed over. `text` only where there is no HTML."""

    id: int
    user_id: int
    campaign_id: int
    campaign_lead_id: int
    lead_id: int
    mailbox_id: int
    step_id: int
    step_number: int
    variant_id: int | None
    stats_id: UUID
    message_id: str
    from_email: str
    to_email: str
    subject: str
    html: str | None
    text: str | None
    in_reply_to: str | None
    references: tuple[str, ...]
    is_open_tracked: bool


@plain(frozen=True, slots=True)
class Outcome:
    """What became of a mail. `sent_at` is None unless the server took it (or refused the recipient for good)."""

    id: int
    status: MessageStatus
    sent_at: datetime | None
    reply_code: int | None = None
    enhanced_code: str | None = None
    reply_text: str | None = None
    bounce_kind: BounceKind | None = None


@plain(frozen=True, slots=True)
class Deferral:
    """The mail was surely not taken; it is tried again at `retry_at`.

    `counts`: against the day that it is tried for; not if it was the mailbox that was refused.
    """

    id: int
    retry_at: datetime
    reply_code: int | None
    enhanced_code: str | None
    reply_text: str
    counts: bool


@plain(frozen=True, slots=True)
class ThreadMail:
    """A mail of a lead's conversation, as threading needs it."""

    id: int
    campaign_lead_id: int
    direction: str
    message_id: str | None
    subject: str | None
    in_reply_to: str | None
    sent_at: datetime


@plain(frozen=True, slots=True)
class MessageEvent(Event):
    """Base of what happens to an outbound mail; `message_id` is the row of the mail."""

    user_id: int
    campaign_id: int
    campaign_lead_id: int
    message_id: int
    at: datetime


@plain(frozen=True, slots=True)
class MessageSent(MessageEvent):
    step_number: int


@plain(frozen=True, slots=True)
class HandwrittenSent(MessageEvent):
    """A mail that a person wrote has left; `is_forward`: to somebody else, it is no part of the conversation."""

    is_forward: bool


@plain(frozen=True, slots=True)
class MessageOpened(MessageEvent):
    is_first: bool


@plain(frozen=True, slots=True)
class LinkClicked(MessageEvent):
    url: str
    is_first_of_link: bool


@plain(frozen=True, slots=True)
class ReplyReceived(MessageEvent):
    """`message_id` is the row of the reply, `answers_id` that of the mail it answers; `is_counted`: in statistics.

    `is_human`: a person wrote it, not a program that answers while he is away; `waits`: until he is back, the lead is
    held.
    """

    answers_id: int
    is_counted: bool
    is_human: bool = True
    waits: bool = False


@plain(frozen=True, slots=True)
class MessageBounced(MessageEvent):
    """`report_id`: the row of the report; None when the server refused the recipient at once."""

    report_id: int | None
    kind: BounceKind


@plain(frozen=True, slots=True)
class UntrackedReplyReceived(Event):
    user_id: int
    mailbox_id: int
    message_id: int
    at: datetime


@plain(frozen=True, slots=True)
class ManualStepReached(Event):
    user_id: int
    campaign_id: int
    campaign_lead_id: int
    step_id: int
    step_number: int
    at: datetime
