"""From what happened to events and deliveries, in the transaction in which it happened (wiring.py subscribes these).

First one cheap query: does anybody listen? Mostly nobody does. Else one query per kind of facts and one statement for
all rows, however many happenings there are.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from outrider.kit.db import Db
from outrider.webhooks import coverage, facts, outbox, payloads
from outrider.webhooks.coverage import Candidate
from outrider.webhooks.facts import MailFacts
from outrider.webhooks.happenings import (
    Bounced,
    CategoryUpdated,
    Clicked,
    Disconnected,
    InCampaign,
    InMailbox,
    ManualStepReached,
    Opened,
    Replied,
    Sent,
    StatusChanged,
    Unsubscribed,
    UntrackedReplyReceived,
    WithLead,
    WithMail,
)
from outrider.webhooks.models import EventType, Level
from outrider.webhooks.outbox import NewEvent
from outrider.webhooks.payloads import Payload
from outrider.webhooks.policy import Policy, policy
from outrider.webhooks.received import list_received

H = TypeVar("H", bound=InCampaign | InMailbox)
C = TypeVar("C", bound=InCampaign)
B = TypeVar("B", bound=InMailbox)
M = TypeVar("M", bound=WithMail)

_CATEGORISATION = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Told(Generic[H]):
    """A happening of which somebody is told: as which event, and who."""

    happened: H
    event_type: EventType
    webhook_ids: tuple[int, ...]

    def event(self, payload: Payload, *, at: datetime | None = None, due_at: datetime | None = None) -> NewEvent:
        """The rows to be; `at` is the event's time where it differs from when we learnt of it."""
        happened = self.happened
        return NewEvent(
            user_id=happened.user_id,
            campaign_id=happened.campaign_id if isinstance(happened, InCampaign) else None,
            campaign_lead_id=happened.campaign_lead_id if isinstance(happened, WithLead) else None,
            event_type=self.event_type,
            occurred_at=at or happened.at,
            due_at=due_at or happened.at,
            payload=payload,
            webhook_ids=self.webhook_ids,
        )


async def record_sent(db: Db, mails: Sequence[Sent]) -> None:
    """EMAIL_SENT, and FIRST_EMAIL_SENT for the first step."""
    told = await _in_campaigns(
        db,
        mails,
        EventType.EMAIL_SENT,
        EventType.FIRST_EMAIL_SENT,
        wants=lambda mail, event_type, _: event_type is EventType.EMAIL_SENT or mail.step_number == 1,
    )
    await _insert_mail_events(db, told, payloads.sent, at=lambda mail: mail.sent_at)


async def record_opened(db: Db, mails: Sequence[Opened]) -> None:
    await _insert_mail_events(db, await _in_campaigns(db, mails, EventType.EMAIL_OPEN), payloads.opened)


async def record_clicked(db: Db, mails: Sequence[Clicked]) -> None:
    await _insert_mail_events(db, await _in_campaigns(db, mails, EventType.EMAIL_LINK_CLICK), payloads.clicked)


async def record_replied(db: Db, replies: Sequence[Replied]) -> None:
    """EMAIL_REPLY. Where replies are categorised automatically, it waits some seconds for the category."""
    told = await _in_campaigns(db, replies, EventType.EMAIL_REPLY)
    if not told:
        return
    user_ids = _users(told)
    mails = await facts.list_mails(db, user_ids, [each.happened.message_id for each in told])
    received = await list_received(db, user_ids, [each.happened.reply_id for each in told])
    addresses = set[str]().union(*(reply.reply.addresses() for reply in received.values()))
    own = await facts.list_own_addresses(db, user_ids, addresses)
    events = []
    for each in told:
        happened = each.happened
        mail, reply = mails.get(happened.message_id), received.get(happened.reply_id)
        if mail is None or reply is None:
            continue
        payload = payloads.replied(happened, mail, reply, own.get(happened.user_id, ()), policy())
        due_at = happened.at + _CATEGORISATION if mail.waits_for_category else happened.at
        events.append(each.event(payload, at=reply.letter.at, due_at=due_at))
    await outbox.insert_events(db, events)


async def record_bounced(db: Db, bounces: Sequence[Bounced]) -> None:
    told = await _in_campaigns(db, bounces, EventType.EMAIL_BOUNCE)
    if not told:
        return
    report_ids = [each.happened.report_id for each in told if each.happened.report_id is not None]
    reports = await facts.list_letters(db, _users(told), report_ids) if report_ids else {}

    def build(happened: Bounced, mail: MailFacts) -> Payload:
        return payloads.bounced(happened, mail, reports.get(happened.report_id or 0), policy())

    await _insert_mail_events(db, told, lambda happened, mail, _: build(happened, mail), at=lambda mail: mail.sent_at)


async def record_unsubscribed(db: Db, unsubscribes: Sequence[Unsubscribed]) -> None:
    told = await _in_campaigns(db, unsubscribes, EventType.LEAD_UNSUBSCRIBED)
    if not told:
        return
    user_ids = _users(told)
    people = await facts.list_people(db, user_ids, [each.happened.campaign_lead_id for each in told])
    mail_ids = {each.happened.message_id for each in told} | {person.last_mail_id for person in people.values()}
    mails = await facts.list_mails(db, user_ids, [number for number in mail_ids if number is not None])
    events = []
    for each in told:
        person = people.get(each.happened.campaign_lead_id)
        if person is not None:
            mail = mails.get(each.happened.message_id or 0) or mails.get(person.last_mail_id or 0)
            events.append(each.event(payloads.unsubscribed(each.happened, person, mail, policy())))
    await outbox.insert_events(db, events)


async def record_category_updated(db: Db, updates: Sequence[CategoryUpdated]) -> None:
    """LEAD_CATEGORY_UPDATED; an EMAIL_REPLY that waits for the category need not wait any longer."""
    await outbox.hasten_replies(db, [(update.user_id, update.campaign_lead_id, update.at) for update in updates])
    told = await _in_campaigns(
        db,
        updates,
        EventType.LEAD_CATEGORY_UPDATED,
        wants=lambda update, _, candidate: coverage.wants_category(candidate, update.new_id),
    )
    if not told:
        return
    user_ids, lead_ids = _users(told), [each.happened.campaign_lead_id for each in told]
    people = await facts.list_people(db, user_ids, lead_ids)
    threads = await facts.list_threads(db, user_ids, lead_ids)
    categories = await facts.list_categories(
        db, user_ids, [number for each in told for number in (each.happened.old_id, each.happened.new_id) if number]
    )
    await outbox.insert_events(
        db,
        [
            each.event(
                payloads.category_updated(
                    each.happened, person, threads.get(person.campaign_lead_id, ()), categories, policy()
                )
            )
            for each in told
            if (person := people.get(each.happened.campaign_lead_id))
        ],
    )


async def record_status_changed(db: Db, changes: Sequence[StatusChanged]) -> None:
    told = await _in_campaigns(db, changes, EventType.CAMPAIGN_STATUS_CHANGED)
    if not told:
        return
    campaigns = await facts.list_campaigns(db, _users(told), [each.happened.campaign_id for each in told])
    await outbox.insert_events(
        db,
        [
            each.event(payloads.status_changed(each.happened, campaign, policy()))
            for each in told
            if (campaign := campaigns.get(each.happened.campaign_id))
        ],
    )


async def record_manual_step_reached(db: Db, reached: Sequence[ManualStepReached]) -> None:
    told = await _in_campaigns(db, reached, EventType.MANUAL_STEP_REACHED)
    if not told:
        return
    user_ids = _users(told)
    people = await facts.list_people(db, user_ids, [each.happened.campaign_lead_id for each in told])
    steps = await facts.list_steps(db, user_ids, [each.happened.step_id for each in told])
    categories = await facts.list_categories(
        db, user_ids, [person.category_id for person in people.values() if person.category_id]
    )
    events = []
    for each in told:
        person, step = people.get(each.happened.campaign_lead_id), steps.get(each.happened.step_id)
        if person is not None and step is not None:
            category = categories.get(person.category_id or 0)
            payload = payloads.manual_step_reached(each.happened, person, step, category, policy())
            events.append(each.event(payload))
    await outbox.insert_events(db, events)


async def record_untracked_replies(db: Db, replies: Sequence[UntrackedReplyReceived]) -> None:
    """UNTRACKED_REPLIES, to webhooks of every level that has to do with the mailbox, each once."""
    told = await _in_mailboxes(db, replies, EventType.UNTRACKED_REPLIES)
    if not told:
        return
    user_ids = _users(told)
    mailboxes = await facts.list_mailboxes(db, user_ids, [each.happened.mailbox_id for each in told])
    received = await list_received(db, user_ids, [each.happened.message_id for each in told])
    events = []
    for each in told:
        mailbox, reply = mailboxes.get(each.happened.mailbox_id), received.get(each.happened.message_id)
        if mailbox is not None and reply is not None:
            payload = payloads.untracked_reply(each.happened, mailbox, reply, policy())
            events.append(each.event(payload, at=reply.letter.at))
    await outbox.insert_events(db, events)


async def record_disconnected(db: Db, disconnections: Sequence[Disconnected]) -> None:
    """EMAIL_ACCOUNT_DISCONNECTED, which campaigns are not told of."""
    told = await _in_mailboxes(
        db,
        disconnections,
        EventType.EMAIL_ACCOUNT_DISCONNECTED,
        wants=lambda candidate: candidate.level is not Level.CAMPAIGN,
    )
    if not told:
        return
    mailboxes = await facts.list_mailboxes(db, _users(told), [each.happened.mailbox_id for each in told])
    await outbox.insert_events(
        db,
        [
            each.event(payloads.disconnected(each.happened, mailbox, policy()))
            for each in told
            if (mailbox := mailboxes.get(each.happened.mailbox_id))
        ],
    )


async def _insert_mail_events(
    db: Db,
    told: Sequence[Told[M]],
    build: Callable[[M, MailFacts, Policy], Payload],
    *,
    at: Callable[[MailFacts], datetime] | None = None,
) -> None:
    """Events of which the mail and its lead are all there is to know."""
    if not told:
        return
    mails = await facts.list_mails(db, _users(told), [each.happened.message_id for each in told])
    await outbox.insert_events(
        db,
        [
            each.event(build(each.happened, mail, policy()), at=at(mail) if at else None)
            for each in told
            if (mail := mails.get(each.happened.message_id))
        ],
    )


async def _in_campaigns(
    db: Db,
    happened: Sequence[C],
    *event_types: EventType,
    wants: Callable[[C, EventType, Candidate], bool] = lambda _happened, _type, _candidate: True,
) -> list[Told[C]]:
    """Which of these somebody is told of, and who: one query."""
    if not happened:
        return []
    covered = await coverage.of_campaigns(db, {(each.user_id, each.campaign_id) for each in happened}, event_types)
    if not covered:
        return []
    told = []
    for each in happened:
        for event_type in event_types:
            candidates = coverage.receivers(covered.of(each.campaign_id, event_type), policy().priority)
            webhook_ids = tuple(its.webhook_id for its in candidates if wants(each, event_type, its))
            if webhook_ids:
                told.append(Told(each, event_type, webhook_ids))
    return told


async def _in_mailboxes(
    db: Db,
    happened: Sequence[B],
    event_type: EventType,
    *,
    wants: Callable[[Candidate], bool] = lambda _candidate: True,
) -> list[Told[B]]:
    """The same for events outside of campaigns; here no level goes before another (contract: webhooks §3.4)."""
    if not happened:
        return []
    covered = await coverage.of_mailboxes(db, {(each.user_id, each.mailbox_id) for each in happened}, [event_type])
    told = []
    for each in happened:
        webhook_ids = tuple(its.webhook_id for its in covered.of(each.mailbox_id, event_type) if wants(its))
        if webhook_ids:
            told.append(Told(each, event_type, webhook_ids))
    return told


def _users(told: Iterable[Told[H]]) -> list[int]:
    return sorted({each.happened.user_id for each in told})
