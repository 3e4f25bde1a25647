"""What people do with conversations, and what the time does: reminders and snoozes that are over."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from outrider.inbox import search, store
from outrider.inbox.models import (
    ConversationNotFound,
    InvalidStatsId,
    MemberNotFound,
    Priority,
    TaskNotFound,
    TaskStatus,
    WrongCampaign,
)
from outrider.kit.db import Db
from outrider.leads import actions as leads
from outrider.leads import conversations
from outrider.leads import store as lead_store
from outrider.leads.blocks import actions as blocks
from outrider.leads.conversations import Conversation
from outrider.leads.models import InvalidCategory, LeadNotFound, LeadsRemoved
from outrider.messages import handwritten
from outrider.messages.models import HandwrittenSent, ReplyReceived
from outrider.users import store as users


async def load_conversation(
    db: Db,
    user_id: int,
    campaign_lead_id: int | None,
    *,
    lead_id: int | None,
    campaign_id: int | None,
    scope: int | None,
) -> Conversation:
    """By the id of the lead in the campaign, else by the lead's own and the campaign's."""
    place: Conversation | None = None
    if campaign_lead_id is not None:
        place = await conversations.find_conversation(db, user_id, campaign_lead_id, client_id=scope)
    elif lead_id is not None:
        place = await conversations.find_conversation_of(db, user_id, lead_id, campaign_id=campaign_id, client_id=scope)
    if place is None:
        raise ConversationNotFound
    return place


async def receive(db: Db, events: Sequence[ReplyReceived]) -> None:
    """Answers put their conversations on top, unread, wherever they were put away."""
    by_account: dict[int, set[int]] = defaultdict(set)
    for event in events:
        by_account[event.user_id].add(event.campaign_lead_id)
    for user_id, ids in by_account.items():
        await conversations.record_answers(db, user_id, sorted(ids))
        now = max(event.at for event in events)
        await handwritten.cancel_of(db, user_id, sorted(ids), only_if_answered=True, now=now)
        await search.add_texts(db, user_id, sorted(ids))


async def forget(db: Db, events: Sequence[LeadsRemoved]) -> None:
    """Answers that are planned for leads who are taken out of a campaign do not go (contract: leads, Delete Lead)."""
    for event in events:
        await handwritten.cancel_of(db, event.user_id, event.campaign_lead_ids, only_if_answered=False, now=event.at)


async def follow_sent(db: Db, events: Sequence[HandwrittenSent]) -> None:
    """Who was answered need not be remembered any more; a forward changes nothing."""
    for event in events:
        if event.is_forward:
            continue
        await conversations.record_handwritten(db, event.user_id, event.campaign_lead_id, sent_at=event.at)
        await store.finish_reminders(db, event.user_id, event.campaign_lead_id, now=event.at)
        await search.add_texts(db, event.user_id, [event.campaign_lead_id])


async def wake(db: Db, now: datetime) -> None:
    """What was snoozed until now is back, and what is to be remembered is unread."""
    await conversations.wake(db, now)
    due: dict[int, set[int]] = defaultdict(set)
    for user_id, campaign_lead_id in await store.tell_reminders(db, now):
        due[user_id].add(campaign_lead_id)
    for user_id, ids in due.items():
        await conversations.set_unread(db, user_id, sorted(ids), is_unread=True)


async def remind(
    db: Db, place: Conversation, *, stats_id: str | None, text: str, remind_at: datetime, now: datetime
) -> dict[str, Any]:
    """A time in the past is due at once. Without a `stats_id` it is about the latest mail."""
    message_id = await store.find_message_id(db, place.user_id, place.id, stats_id)
    if message_id is None and stats_id is not None:
        raise InvalidStatsId
    return await store.insert_reminder(db, place, message_id=message_id, text=text, remind_at=remind_at, now=now)


async def change_category(
    db: Db, place: Conversation, category_id: int | None, *, name: str | None, now: datetime
) -> None:
    """By id or by name; neither: the lead has no category any more."""
    if category_id is not None or name is not None:
        category_id = await lead_store.find_category_id(db, place.user_id, category_id=category_id, name=name)
        if category_id is None:
            raise InvalidCategory
    await leads.set_category(
        db, user_id=place.user_id, campaign_lead_id=place.id, category_id=category_id, by_hand=True, now=now
    )


async def assign(db: Db, place: Conversation, person_id: int | None) -> None:
    if person_id is not None and await users.find_person(db, place.user_id, person_id) is None:
        raise MemberNotFound(member_id=person_id)
    await conversations.assign(db, place.user_id, place.id, person_id=person_id)


async def resume(
    db: Db, place: Conversation, *, campaign_id: int | None, delay_days: float, scope: int | None, now: datetime
) -> int | None:
    """The next step is due so many days from now; returns it."""
    if campaign_id not in {None, place.campaign_id}:
        raise WrongCampaign
    await leads.resume(
        db,
        place.user_id,
        place.campaign_id,
        place.lead_id,
        delay_days=delay_days,
        is_from_now=True,
        client_id=scope,
        now=now,
    )
    lead = await lead_store.lock_campaign_lead(db, place.user_id, place.id)
    return next((step.id for step in await lead_store.list_next_steps(db, lead)), None)


async def block_domains(
    db: Db, user_id: int, entries: Sequence[str], *, source: str, scope: int | None, now: datetime
) -> int:
    """Whole domains, also those of addresses; returns how many of the given are blocked now."""
    domains = [entry.rpartition("@")[2] for entry in entries]
    return (await blocks.block(db, user_id, domains, client_id=scope, source=source, now=now)).entry_count


async def change_task(
    db: Db,
    user_id: int,
    task_id: int,
    *,
    status: TaskStatus | None,
    name: str | None,
    description: str | None,
    priority: Priority | None,
    due_at: datetime | None,
    scope: int | None,
    now: datetime,
) -> dict[str, Any]:
    if not await store.list_tasks(db, user_id, task_id=task_id, scope=scope):
        raise TaskNotFound
    await store.update_task(
        db,
        user_id,
        task_id,
        status=status,
        name=name,
        description=description,
        priority=priority,
        due_at=due_at,
        now=now,
    )
    [task] = await store.list_tasks(db, user_id, task_id=task_id, scope=scope)
    return task


async def load_place_of_lead(
    db: Db, user_id: int, lead_id: int, *, campaign_id: int | None, scope: int | None
) -> Conversation | None:
    """Where something on a person stands: the conversation in that campaign, else the latest; None without any."""
    place = await conversations.find_conversation_of(db, user_id, lead_id, campaign_id=campaign_id, client_id=scope)
    if place is None and (
        campaign_id is not None or await lead_store.find_lead(db, user_id, lead_id, client_id=scope) is None
    ):
        raise LeadNotFound
    return place
