"""Who is told what: the table of events and their handlers. Subscribers run in the transaction of the change."""

from outrider.campaigns import actions as campaigns
from outrider.campaigns.models import CampaignStatusChanged, MailboxRemoved, StepsChanged
from outrider.engine import effects
from outrider.kit.events import subscribe
from outrider.leads import sequence
from outrider.leads.models import LeadUnsubscribed
from outrider.mailboxes.models import MailboxesDeleted
from outrider.messages import engagement
from outrider.messages.models import LinkClicked, MessageOpened


def wire() -> None:
    """Subscribe everybody; called once when a process starts, harmless when called again."""
    subscribe(MailboxesDeleted, campaigns.forget_mailboxes)
    subscribe(StepsChanged, sequence.follow_steps)
    subscribe(CampaignStatusChanged, sequence.follow_start)
    subscribe(MailboxRemoved, sequence.follow_mailboxes)
    subscribe(LeadUnsubscribed, engagement.record_unsubscribes)
    subscribe(MessageOpened, effects.stop_opened)
    subscribe(LinkClicked, effects.stop_clicked)
