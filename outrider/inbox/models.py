"""Views of the inbox, their filters and orders, and what can be wrong."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from outrider.kit.errors import Conflict, Invalid, NotFound


class View(StrEnum):
    """Which conversations; `ANY` is every one that the filters leave."""

    REPLIES = "inbox-replies"
    UNREAD = "unread-replies"
    IMPORTANT = "important"
    SNOOZED = "snoozed"
    ARCHIVED = "archived"
    REMINDERS = "reminders"
    SCHEDULED = "scheduled"
    SENT = "sent"
    ASSIGNED = "assigned-me"
    ANY = "views"


class Sort(StrEnum):
    REPLY_TIME_DESC = "REPLY_TIME_DESC"
    SENT_TIME_DESC = "SENT_TIME_DESC"
    REMINDER_TIME_DESC = "REMINDER_TIME_DESC"
    REMINDER_TIME_ASC = "REMINDER_TIME_ASC"
    SCHEDULED_TIME_DESC = "SCHEDULED_TIME_DESC"
    SCHEDULED_TIME_ASC = "SCHEDULED_TIME_ASC"


class EmailStatus(StrEnum):
    OPENED = "Opened"
    CLICKED = "Clicked"
    REPLIED = "Replied"
    UNSUBSCRIBED = "Unsubscribed"
    BOUNCED = "Bounced"
    ACCEPTED = "Accepted"
    NOT_REPLIED = "Not Replied"


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """What a view is narrowed to; None and False: not by this."""

    search: str | None = None
    is_unassigned: bool = False
    is_assigned: bool = False
    category_ids: Sequence[int] | None = None
    excluded_category_ids: Sequence[int] | None = None
    email_statuses: Sequence[EmailStatus] = ()
    campaign_ids: Sequence[int] | None = None
    mailbox_ids: Sequence[int] | None = None
    member_ids: Sequence[int] | None = None
    tag_ids: Sequence[int] | None = None
    client_ids: Sequence[int] | None = None
    replied_from: datetime | None = None
    replied_until: datetime | None = None
    subsequence_id: int | None = None


class TaskStatus(StrEnum):
    PENDING = "pending"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


class Priority(StrEnum):
    LOW = "LOW"
    MEDIUM = "MEDIUM"
    HIGH = "HIGH"


class ConversationNotFound(NotFound):
    """Lead mapping not found"""


class WrongCampaign(Conflict):
    """Invalid campaign_id"""


class InvalidStatsId(Invalid):
    """Invalid email_stats_id"""


class MemberNotFound(NotFound):
    """Team member not found with ID {member_id}"""


class TaskNotFound(NotFound):
    """Task not found - Invalid task_id."""


class NoSuchThread(Invalid):
    """Invalid email_stats_id or campaign_id"""


class CannotForward(Invalid):
    """Invalid campaign_id or missing required parameters"""


class MailboxGone(Conflict):
    """Email account not found!"""


class LeadBlocked(Conflict):
    """Lead is blocked."""


class MessageNotFound(Invalid):
    """Message not found!"""


class InvalidRecipient(Invalid):
    """Invalid to_emails - {address}"""


class AttachmentUnreachable(Invalid):
    """Attachment could not be fetched - {url}: {reason}"""


class ReplyNotFound(NotFound):
    """No reply found for the given message_id"""


class ScheduledNotFound(NotFound):
    """Scheduled message not found - Invalid scheduled_message_id."""
