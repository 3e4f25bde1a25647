"""Made-up payloads, one per event type, for trying a webhook out."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from outrider.webhooks import payloads
from outrider.webhooks.facts import (
    CampaignFacts,
    CategoryFacts,
    Letter,
    MailboxFacts,
    MailFacts,
    PersonFacts,
    StepFacts,
)
from outrider.webhooks.happenings import (
    Bounced,
    CategoryUpdated,
    Clicked,
    Disconnected,
    ManualStepReached,
    Opened,
    Replied,
    Sent,
    StatusChanged,
    Unsubscribed,
    UntrackedReplyReceived,
)
from outrider.webhooks.models import EventType
from outrider.webhooks.payloads import Payload
from outrider.webhooks.policy import Policy
from outrider.webhooks.received import Received

_STATS_ID = UUID("5a3e0d1c-7b52-4c0e-8f7d-0a1b2c3d4e5f")
_OURS, _THEIRS = "jo@send.example", "mira@tallowworks.example"
_CAMPAIGN: dict[str, Any] = {"campaign_name": "Sample campaign", "campaign_status": "ACTIVE", "client_id": None}
_LEAD: dict[str, Any] = {
    "campaign_lead_id": 120553,
    "lead_id": 90417,
    "lead_email": _THEIRS,
    "first_name": "Mira",
    "last_name": "Voss",
}
_NUMBER = 1
_INTERESTED = CategoryFacts(id=1, name="Interested", sentiment_type="positive")


def sample(event_type: EventType, *, campaign_id: int | None, now: datetime, policy: Policy) -> Payload:
    """What a receiver of this event would get, with names that do not exist."""
    return _Sample(campaign_id or _NUMBER, now, policy).of(event_type)


class _Sample:
    def __init__(self, campaign_id: int, now: datetime, policy: Policy) -> None:
        self._now = now
        self._policy = policy
        self._place: dict[str, Any] = {"user_id": _NUMBER, "campaign_id": campaign_id, "at": now}
        self._campaign: dict[str, Any] = {"campaign_id": campaign_id, **_CAMPAIGN}

    def of(self, event_type: EventType) -> Payload:
        return self._builders()[event_type]()

    def _builders(self) -> dict[EventType, Callable[[], Payload]]:
        mail, person, mailbox, policy = self._mail, self._person, self._mailbox, self._policy
        mail_place, lead_place, mailbox_place = self._mail_place, self._lead_place, self._mailbox_place
        sent, lost = Sent(**mail_place, step_number=1), Disconnected(**mailbox_place)
        click = Clicked(**mail_place, url="https://send.example/pricing")
        reply, received = Replied(**mail_place, reply_id=_NUMBER), self._received
        untracked = UntrackedReplyReceived(**mailbox_place, message_id=_NUMBER)
        change = StatusChanged(**self._place, previous="ACTIVE", current="PAUSED")
        update = CategoryUpdated(**lead_place, old_id=None, new_id=_INTERESTED.id)
        step = StepFacts(id=_NUMBER, type="MANUAL", subject="")
        reached = ManualStepReached(**lead_place, step_id=_NUMBER, step_number=2)
        return {
            EventType.EMAIL_SENT: lambda: payloads.sent(sent, mail, policy),
            EventType.FIRST_EMAIL_SENT: lambda: payloads.sent(sent, mail, policy),
            EventType.EMAIL_OPEN: lambda: payloads.opened(Opened(**mail_place), mail, policy),
            EventType.EMAIL_LINK_CLICK: lambda: payloads.clicked(click, mail, policy),
            EventType.EMAIL_REPLY: lambda: payloads.replied(reply, mail, received, (), policy),
            EventType.EMAIL_BOUNCE: lambda: payloads.bounced(Bounced(**mail_place, report_id=None), mail, None, policy),
            EventType.LEAD_UNSUBSCRIBED: lambda: payloads.unsubscribed(
                Unsubscribed(**lead_place, message_id=_NUMBER), person, mail, policy
            ),
            EventType.LEAD_CATEGORY_UPDATED: lambda: payloads.category_updated(
                update, person, [received.letter], {_INTERESTED.id: _INTERESTED}, policy
            ),
            EventType.CAMPAIGN_STATUS_CHANGED: lambda: payloads.status_changed(
                change, CampaignFacts(**self._campaign), policy
            ),
            EventType.UNTRACKED_REPLIES: lambda: payloads.untracked_reply(untracked, mailbox, received, policy),
            EventType.MANUAL_STEP_REACHED: lambda: payloads.manual_step_reached(reached, person, step, None, policy),
            EventType.EMAIL_ACCOUNT_DISCONNECTED: lambda: payloads.disconnected(lost, mailbox, policy),
            EventType.LINKEDIN_DISCONNECTED: lambda: payloads.disconnected(lost, mailbox, policy),
        }

    @property
    def _lead_place(self) -> dict[str, Any]:
        return {**self._place, "campaign_lead_id": _LEAD["campaign_lead_id"]}

    @property
    def _mailbox_place(self) -> dict[str, Any]:
        return {"user_id": _NUMBER, "mailbox_id": _NUMBER, "at": self._now}

    @property
    def _mail_place(self) -> dict[str, Any]:
        return {**self._lead_place, "message_id": _NUMBER}

    @property
    def _mail(self) -> MailFacts:
        return MailFacts(
            **self._campaign,
            **_LEAD,
            id=_NUMBER,
            kind="CAMPAIGN",
            stats_id=_STATS_ID,
            message_id=f"{_STATS_ID}@send.example",
            from_email=_OURS,
            step_number=1,
            subject="Idea for Tallow Works",
            sent_at=self._now - timedelta(hours=1),
            html="<p>Hello Mira</p>",
            text=None,
            bounce_kind="HARD",
            bounce_reason="5.1.1 No such user",
            bounced_at=None,
            reply_text="No such user",
            waits_for_category=False,
        )

    @property
    def _person(self) -> PersonFacts:
        return PersonFacts(
            **self._campaign,
            **_LEAD,
            phone_number=None,
            company_name="Tallow Works",
            website="tallowworks.example",
            location=None,
            linkedin_profile=None,
            company_url=None,
            custom_fields={},
            unsubscribed_client_ids=[],
            category_id=None,
            last_step_number=1,
            from_email=_OURS,
            last_mail_id=_NUMBER,
        )

    @property
    def _received(self) -> Received:
        letter = Letter(
            id=_NUMBER,
            campaign_lead_id=_LEAD["campaign_lead_id"],
            direction="IN",
            stats_id=_STATS_ID,
            message_id="CAK9x+qd71@mail.tallowworks.example",
            from_email=_THEIRS,
            to_email=_OURS,
            cc=[],
            subject="Re: Idea for Tallow Works",
            at=self._now,
            html="<div>Sounds good, Tuesday?</div>",
            text="Sounds good, Tuesday?\n",
        )
        return Received(letter, None)

    @property
    def _mailbox(self) -> MailboxFacts:
        return MailboxFacts(
            id=_NUMBER,
            client_id=None,
            type="SMTP",
            from_name="Jo",
            from_email=_OURS,
            is_smtp_success=False,
            is_imap_success=True,
            smtp_failure_error="535 5.7.8 Authentication failed",
            imap_failure_error=None,
        )
