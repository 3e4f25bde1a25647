"""Who is told what: the table of events and their handlers. Subscribers run in the transaction of the change.

Webhooks know none of the slices that tell them something: the adapters below put events into their words.
"""

from collections.abc import Sequence

from outrider.analytics.jobs import work_off
from outrider.campaigns import actions as campaigns
from outrider.campaigns import subsequences as clocks
from outrider.campaigns.models import (
    CampaignStatusChanged,
    MailboxRemoved,
    MissingVariableRuleChanged,
    StepsChanged,
)
from outrider.clients.models import ClientDeleted
from outrider.engine import effects, subsequences
from outrider.engine.inbound.jobs import categorise_reply
from outrider.inbox import actions as inbox
from outrider.kit.db import Db
from outrider.kit.events import subscribe
from outrider.leads import sequence
from outrider.leads.blocks import actions as blocks
from outrider.leads.imports.jobs import import_leads
from outrider.leads.models import LeadCategoryUpdated, LeadsRemoved, LeadUnsubscribed
from outrider.leads.providers.jobs import look_up_providers
from outrider.mailboxes.jobs import check_tracking_domain, check_tracking_domains, reconnect, refresh_tokens
from outrider.mailboxes.models import MailboxDisconnected, MailboxesDeleted
from outrider.messages import engagement
from outrider.messages.models import (
    HandwrittenSent,
    LinkClicked,
    ManualStepReached,
    MessageBounced,
    MessageOpened,
    MessageSent,
    ReplyReceived,
    UntrackedReplyReceived,
)
from outrider.tracking import actions as tracking
from outrider.webhooks import happenings, jobs, recording


def wire() -> None:
    """Subscribe everybody; called once when a process starts, harmless when called again."""
    subscribe(ClientDeleted, blocks.adopt)
    subscribe(MailboxesDeleted, campaigns.forget_mailboxes)
    subscribe(StepsChanged, sequence.follow_steps)
    subscribe(MissingVariableRuleChanged, sequence.follow_rule)
    subscribe(CampaignStatusChanged, sequence.follow_start)
    subscribe(CampaignStatusChanged, clocks.begin)
    subscribe(MailboxRemoved, sequence.follow_mailboxes)
    subscribe(LeadUnsubscribed, engagement.record_unsubscribes)
    subscribe(MessageOpened, effects.stop_opened)
    subscribe(LinkClicked, effects.stop_clicked)
    subscribe(MessageOpened, subsequences.follow_engagement)
    subscribe(LinkClicked, subsequences.follow_engagement)
    subscribe(LeadCategoryUpdated, subsequences.follow_chosen_categories)
    subscribe(ReplyReceived, subsequences.end_answered)
    subscribe(ReplyReceived, tracking.confirm_opens)
    subscribe(ReplyReceived, inbox.receive)
    subscribe(LeadsRemoved, inbox.forget)
    subscribe(HandwrittenSent, inbox.follow_sent)
    subscribe(MessageBounced, effects.pause_bouncing)
    _subscribe_webhooks()


JOBS = (
    categorise_reply,
    import_leads,
    look_up_providers,
    check_tracking_domain,
    check_tracking_domains,
    reconnect,
    refresh_tokens,
    jobs.retrigger,
    jobs.clean_up,
    work_off,
)
"""Handlers of queued work register themselves when they are imported."""


def _subscribe_webhooks() -> None:
    subscribe(MessageSent, _tell_sent)
    subscribe(MessageOpened, _tell_opened)
    subscribe(LinkClicked, _tell_clicked)
    subscribe(ReplyReceived, _tell_replied)
    subscribe(MessageBounced, _tell_bounced)
    subscribe(LeadUnsubscribed, _tell_unsubscribed)
    subscribe(LeadCategoryUpdated, _tell_category_updated)
    subscribe(CampaignStatusChanged, _tell_status_changed)
    subscribe(UntrackedReplyReceived, _tell_untracked)
    subscribe(ManualStepReached, _tell_manual_step)
    subscribe(MailboxDisconnected, _tell_disconnected)


async def _tell_sent(db: Db, events: Sequence[MessageSent]) -> None:
    await recording.record_sent(
        db,
        [
            happenings.Sent(
                user_id=event.user_id,
                campaign_id=event.campaign_id,
                campaign_lead_id=event.campaign_lead_id,
                message_id=event.message_id,
                step_number=event.step_number,
                at=event.at,
            )
            for event in events
        ],
    )


async def _tell_opened(db: Db, events: Sequence[MessageOpened]) -> None:
    await recording.record_opened(
        db,
        [
            happenings.Opened(
                user_id=event.user_id,
                campaign_id=event.campaign_id,
                campaign_lead_id=event.campaign_lead_id,
                message_id=event.message_id,
                at=event.at,
            )
            for event in events
            if event.is_first
        ],
    )


async def _tell_clicked(db: Db, events: Sequence[LinkClicked]) -> None:
    await recording.record_clicked(
        db,
        [
            happenings.Clicked(
                user_id=event.user_id,
                campaign_id=event.campaign_id,
                campaign_lead_id=event.campaign_lead_id,
                message_id=event.message_id,
                url=event.url,
                at=event.at,
            )
            for event in events
            if event.is_first_of_link
        ],
    )


async def _tell_replied(db: Db, events: Sequence[ReplyReceived]) -> None:
    await recording.record_replied(
        db,
        [
            happenings.Replied(
                user_id=event.user_id,
                campaign_id=event.campaign_id,
                campaign_lead_id=event.campaign_lead_id,
                message_id=event.answers_id,
                reply_id=event.message_id,
                at=event.at,
            )
            for event in events
            if event.is_counted
        ],
    )


async def _tell_bounced(db: Db, events: Sequence[MessageBounced]) -> None:
    await recording.record_bounced(
        db,
        [
            happenings.Bounced(
                user_id=event.user_id,
                campaign_id=event.campaign_id,
                campaign_lead_id=event.campaign_lead_id,
                message_id=event.message_id,
                report_id=event.report_id,
                at=event.at,
            )
            for event in events
        ],
    )


async def _tell_unsubscribed(db: Db, events: Sequence[LeadUnsubscribed]) -> None:
    await recording.record_unsubscribed(
        db,
        [
            happenings.Unsubscribed(
                user_id=event.user_id,
                campaign_id=event.campaign_id,
                campaign_lead_id=event.campaign_lead_id,
                message_id=event.message_id,
                at=event.at,
            )
            for event in events
        ],
    )


async def _tell_category_updated(db: Db, events: Sequence[LeadCategoryUpdated]) -> None:
    await recording.record_category_updated(
        db,
        [
            happenings.CategoryUpdated(
                user_id=event.user_id,
                campaign_id=event.campaign_id,
                campaign_lead_id=event.campaign_lead_id,
                old_id=event.old_id,
                new_id=event.new_id,
                at=event.at,
            )
            for event in events
        ],
    )


async def _tell_status_changed(db: Db, events: Sequence[CampaignStatusChanged]) -> None:
    await recording.record_status_changed(
        db,
        [
            happenings.StatusChanged(
                user_id=event.user_id,
                campaign_id=event.campaign_id,
                previous=event.previous,
                current=event.current,
                bounce_rate=event.bounce_rate,
                threshold=event.threshold,
                at=event.at,
            )
            for event in events
        ],
    )


async def _tell_untracked(db: Db, events: Sequence[UntrackedReplyReceived]) -> None:
    await recording.record_untracked_replies(
        db,
        [
            happenings.UntrackedReplyReceived(
                user_id=event.user_id, mailbox_id=event.mailbox_id, message_id=event.message_id, at=event.at
            )
            for event in events
        ],
    )


async def _tell_manual_step(db: Db, events: Sequence[ManualStepReached]) -> None:
    await recording.record_manual_step_reached(
        db,
        [
            happenings.ManualStepReached(
                user_id=event.user_id,
                campaign_id=event.campaign_id,
                campaign_lead_id=event.campaign_lead_id,
                step_id=event.step_id,
                step_number=event.step_number,
                at=event.at,
            )
            for event in events
        ],
    )


async def _tell_disconnected(db: Db, events: Sequence[MailboxDisconnected]) -> None:
    await recording.record_disconnected(
        db,
        [happenings.Disconnected(user_id=event.user_id, mailbox_id=event.mailbox_id, at=event.at) for event in events],
    )
