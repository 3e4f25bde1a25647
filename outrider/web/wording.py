"""States, reasons and figures in the words that people read. The reasons themselves are the engine's (engine/gates).

A hold that ends by itself is `wait` and says when; what needs a person is `stop`.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from outrider.campaigns.models import BOUNCE_LIMIT
from outrider.leads.reasons import Reason
from outrider.web.store import CampaignLine, LeadLine, MailboxLine

_SMALLEST_BASE = 20
_ONE_DECIMAL_BELOW = 9.95
_SAY_WHEN = {"NOT_DUE", "BEFORE_START"}
"""Reasons whose sentence names the time itself."""


class Tone(StrEnum):
    GO = "go"
    WAIT = "wait"
    STOP = "stop"
    INFO = "info"
    NEUTRAL = "neut"


@dataclass(frozen=True, slots=True)
class State:
    """A word for a pill, a sentence beside it, and when it ends by itself."""

    tone: Tone
    word: str
    sentence: str = ""
    until: datetime | None = None


def campaign_state(campaign: CampaignLine, now: datetime) -> State:
    """Whether it sends just now, and if not why."""
    match campaign.status:
        case "DRAFTED":
            return State(Tone.NEUTRAL, "Draft", _what_is_missing(campaign))
        case "PAUSED":
            return _paused_state(campaign)
        case "STOPPED":
            return State(Tone.NEUTRAL, "Stopped", "Stopped for good; nothing more is sent.")
        case "COMPLETED":
            return State(Tone.INFO, "Finished", "Every lead has come to an end. Add leads to go on.")
        case "ARCHIVED":
            return State(Tone.NEUTRAL, "Archived")
        case _:
            return _active_state(campaign, now)


def _paused_state(campaign: CampaignLine) -> State:
    if campaign.hold_code == BOUNCE_LIMIT:
        return State(Tone.STOP, "Needs you", campaign.hold_text or "")
    return State(Tone.NEUTRAL, "Paused", "Nothing is sent until it is started again.")


def _what_is_missing(campaign: CampaignLine) -> str:
    parts = (
        (campaign.has_schedule, "a schedule"),
        (campaign.step_count, "a step"),
        (campaign.mailbox_count, "a mailbox"),
    )
    missing = [name for is_there, name in parts if not is_there]
    if not missing:
        return "Ready. Start it to send."
    *others, last = missing
    return f"Before it can start it needs {', '.join(others)}{' and ' if others else ''}{last}."


def _active_state(campaign: CampaignLine, now: datetime) -> State:
    """The first reason that holds all of it; trouble of a part is a second sentence."""
    return (
        _campaign_hold(campaign, now)
        or _no_leads(campaign)
        or _mailboxes_hold(campaign)
        or _nothing_due(campaign, now)
        or State(Tone.GO, "Sending", _partial_trouble(campaign))
    )


def _campaign_hold(campaign: CampaignLine, now: datetime) -> State | None:
    """The reason that the engine has stored, unless its time is over. Follow-ups go on when first mails may not."""
    text, until = campaign.hold_text, campaign.hold_until
    if text is None or (until and until <= now):
        return None
    if campaign.hold_code == "NEW_LEAD_CAP" and campaign.next_follow_up_at and campaign.next_follow_up_at <= now:
        return State(Tone.GO, "Sending", text)
    if until is None:
        return State(Tone.STOP, "Needs you", text)
    return State(Tone.WAIT, "Waiting", text, None if campaign.hold_code in _SAY_WHEN else until)


def _mailboxes_hold(campaign: CampaignLine) -> State | None:
    if campaign.stopped_count == campaign.mailbox_count:
        return State(Tone.STOP, "Needs you", f"No mailbox can send. {_ended(campaign.stopped_text)}")
    if campaign.stopped_count + campaign.resting_count == campaign.mailbox_count:
        return State(Tone.WAIT, "Waiting", f"All its mailboxes rest. {campaign.resting_text}", campaign.free_at)
    return None


def _no_leads(campaign: CampaignLine) -> State | None:
    return None if campaign.lead_count else State(Tone.STOP, "Needs you", "It has no leads. Add some.")


def _nothing_due(campaign: CampaignLine, now: datetime) -> State | None:
    if campaign.next_due_at is None:
        return State(Tone.STOP, "Needs you", "No email is planned: the leads that are left are on hold.")
    if campaign.next_due_at > now:
        return State(Tone.WAIT, "Waiting", "The next email is not due yet.", campaign.next_due_at)
    return None


def _partial_trouble(campaign: CampaignLine) -> str:
    if not campaign.stopped_count:
        return ""
    return (
        f"{campaign.stopped_count} of {campaign.mailbox_count} mailboxes cannot send. {_ended(campaign.stopped_text)}"
    )


def mailbox_state(mailbox: MailboxLine, now: datetime) -> State:
    """Whether it can work just now, and if not why."""
    if broken := _broken(mailbox):
        return broken
    if mailbox.hold_text and mailbox.hold_until is None and mailbox.hold_code != "IN_FLIGHT":
        return State(Tone.STOP, "Needs you", mailbox.hold_text)
    if mailbox.hold_text and mailbox.hold_until and mailbox.hold_until > now:
        return State(Tone.WAIT, "Resting", mailbox.hold_text, mailbox.hold_until)
    if not mailbox.campaign_count:
        return State(Tone.NEUTRAL, "Not used", "No campaign sends from it.")
    return State(Tone.GO, "Ready")


def _broken(mailbox: MailboxLine) -> State | None:
    if not mailbox.is_smtp_success:
        return State(Tone.STOP, "Cannot log in", f"Sends nothing. {_ended(mailbox.smtp_failure_error)}")
    if mailbox.is_suspended:
        return State(Tone.NEUTRAL, "Suspended", mailbox.hold_text or "Unsuspend it to go on.")
    if not mailbox.is_imap_success:
        return State(Tone.STOP, "Cannot read", f"Replies are not seen. {_ended(mailbox.imap_failure_error)}")
    return None


def lead_state(lead: LeadLine, why: Reason | None) -> State:
    """Where the lead stands, and why the next mail does not go."""
    if lead.status == "COMPLETED" and why is None:
        if lead.last_reply_at:
            return State(Tone.GO, "Replied", "The lead has answered and got every email of the sequence.")
        return State(Tone.NEUTRAL, "Finished", "The lead got every email of the sequence.")
    tone, word = _LEAD_ENDS.get(lead.hold_reason or "", _LEAD_STATES[lead.status])
    if lead.status in {"STARTED", "INPROGRESS", "PAUSED"}:
        tone, word = _LEAD_STATES[lead.status]
    if why is None:
        return State(tone, word)
    return State(tone, word, why.text, None if why.code in _SAY_WHEN else why.retry_at)


_LEAD_STATES = {
    "COMPLETED": (Tone.NEUTRAL, "Finished"),
    "STARTED": (Tone.NEUTRAL, "Not contacted"),
    "INPROGRESS": (Tone.INFO, "In sequence"),
    "PAUSED": (Tone.WAIT, "On hold"),
    "STOPPED": (Tone.NEUTRAL, "Ended"),
    "BLOCKED": (Tone.STOP, "Blocked"),
}
_LEAD_ENDS = {
    "REPLIED": (Tone.GO, "Replied"),
    "OPENED": (Tone.GO, "Reacted"),
    "CLICKED": (Tone.GO, "Reacted"),
    "SUBSEQUENCE": (Tone.INFO, "Moved on"),
    "MAILBOX_GONE": (Tone.STOP, "No mailbox"),
    "UNSUBSCRIBED": (Tone.NEUTRAL, "Unsubscribed"),
    "BOUNCED": (Tone.STOP, "Bounced"),
    "SENDER_BOUNCE": (Tone.STOP, "Bounced"),
}
LEAD_STATUSES = {
    "STARTED": ("not_started", "Not contacted"),
    "INPROGRESS": ("in_progress", "In sequence"),
    "PAUSED": ("paused", "On hold"),
    "STOPPED": ("stopped", "Stopped"),
    "BLOCKED": ("blocked", "Blocked"),
    "COMPLETED": ("completed", "Finished"),
}
"""Status of a lead in a campaign: its name among the figures, its word."""
LEAD_DEEDS = ("contacted", "opened", "clicked", "replied")

EVENTS = {
    "SENT": (Tone.NEUTRAL, "Sent"),
    "OPENED": (Tone.INFO, "Opened"),
    "CLICKED": (Tone.INFO, "Clicked"),
    "REPLIED": (Tone.GO, "Replied"),
    "BOUNCED": (Tone.STOP, "Bounced"),
    "UNSUBSCRIBED": (Tone.NEUTRAL, "Unsubscribed"),
    "FAILED": (Tone.STOP, "Failed"),
}


def summary(states: Sequence[State]) -> str:
    """`Sending 2, Waiting 1`: the answer before the table."""
    counts = Counter(state.word for state in states)
    return ", ".join(f"{word} {count}" for word, count in counts.most_common())


def count(number: int) -> str:
    return f"{number:,}"


def share(part: int, base: int) -> str:
    """`4.1%`; of few people a percentage says nothing."""
    if base < _SMALLEST_BASE:
        return ""
    percent = 100 * part / base
    return f"{percent:.1f}%" if 0 < percent < _ONE_DECIMAL_BELOW else f"{percent:.0f}%"


def moment(at: datetime, now: datetime) -> str:
    """`10:43 UTC` today, `Tue 24 Nov 09:00 UTC` else."""
    if at.date() == now.date():
        return f"{at:%H:%M} UTC"
    year = "" if at.year == now.year else f" {at.year}"
    return f"{at:%a} {at.day} {at:%b}{year} {at:%H:%M} UTC"


def _ended(text: str | None) -> str:
    """An error of a server as a sentence."""
    text = (text or "").strip()
    return text if not text or text.endswith((".", "!", "?")) else text + "."
