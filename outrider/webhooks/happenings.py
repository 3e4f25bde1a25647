"""What the rest of the product tells this slice, in plain ids: wiring.py makes them from the events of other slices.

`message_id` is the row of a mail, never its Message-ID.
"""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class InCampaign:
    """Something that happened in a campaign."""

    user_id: int
    campaign_id: int
    at: datetime


@dataclass(frozen=True, slots=True)
class StatusChanged(InCampaign):
    """`bounce_rate` and `threshold` after an auto-pause, in percent."""

    previous: str
    current: str
    bounce_rate: str | None = None
    threshold: str | None = None


@dataclass(frozen=True, slots=True)
class WithLead(InCampaign):
    campaign_lead_id: int


@dataclass(frozen=True, slots=True)
class Unsubscribed(WithLead):
    """`message_id`: the mail whose link was used, if it was one."""

    message_id: int | None


@dataclass(frozen=True, slots=True)
class CategoryUpdated(WithLead):
    old_id: int | None
    new_id: int | None


@dataclass(frozen=True, slots=True)
class ManualStepReached(WithLead):
    step_id: int
    step_number: int


@dataclass(frozen=True, slots=True)
class WithMail(WithLead):
    """`message_id`: the mail that was sent."""

    message_id: int


@dataclass(frozen=True, slots=True)
class Sent(WithMail):
    step_number: int


@dataclass(frozen=True, slots=True)
class Opened(WithMail):
    """The first time that a person opened this mail."""


@dataclass(frozen=True, slots=True)
class Clicked(WithMail):
    """The first time that a person followed this link of this mail."""

    url: str


@dataclass(frozen=True, slots=True)
class Replied(WithMail):
    """`message_id` is answered by `reply_id`."""

    reply_id: int


@dataclass(frozen=True, slots=True)
class Bounced(WithMail):
    """`report_id`: the mail that reported it; None if the server refused the recipient at once."""

    report_id: int | None


@dataclass(frozen=True, slots=True)
class InMailbox:
    """Something that happened in a mailbox, outside of all campaigns."""

    user_id: int
    mailbox_id: int
    at: datetime


@dataclass(frozen=True, slots=True)
class UntrackedReplyReceived(InMailbox):
    message_id: int


@dataclass(frozen=True, slots=True)
class Disconnected(InMailbox):
    pass
