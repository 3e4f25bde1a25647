"""Subsequences: campaigns with a parent, whose leads they take over when something happens (product behaviour 7).

What it is that happens stands in their triggers; who enters, and when, is in `leads/subsequences`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from outrider.campaigns import actions, sequence, store
from outrider.campaigns.models import Campaign, CampaignStatus, CampaignStatusChanged, InvalidSetting, StepDraft
from outrider.clients import store as clients
from outrider.kit.db import Db, as_records, execute, fetch_one
from outrider.kit.errors import Conflict
from outrider.kit.plain import plain


class TriggerType(StrEnum):
    """What a lead of the parent does, or does not do, or becomes."""

    REPLY = "REPLY_AN_EMAIL"
    OPEN = "OPEN_AN_EMAIL"
    CLICK = "CLICK_ON_A_LINK"
    CATEGORY = "LEAD_CATEGORY_UPDATED"
    NO_REPLY = "NO_REPLY"
    NO_OPEN = "NO_OPEN"
    RETURN = "OUT_OF_OFFICE_OVER"


class ParentIsSubsequence(Conflict):
    """Parent campaign cannot be a subsequence"""


@plain(frozen=True, slots=True)
class Trigger:
    """One of the ways into a subsequence.

    `words` are in the answer or the link, `excluded_words` are not in the answer. `step_number` None: any mail of the
    parent. `after_days`: how long nothing has happened.
    """

    type: TriggerType
    event_sub_type: str | None
    category_id: int | None
    words: str | None
    excluded_words: str | None
    step_number: int | None
    event_count: int
    after_days: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SubsequenceDraft:
    """A subsequence as someone wants it.

    `categories`: of each trigger, by id or by name. Settings and schedule are the parent's but for these changes.
    """

    parent_id: int
    name: str
    client_id: int | None
    triggers: Sequence[Trigger]
    categories: Sequence[str | None]
    delay_days: int
    stops_on_parent_reply: bool
    settings: Mapping[str, Any]
    schedule: Mapping[str, Any]
    steps: Sequence[StepDraft]
    mailbox_ids: Sequence[int]
    auto_adjust_warmup: bool


@dataclass(frozen=True, slots=True)
class Subsequence:
    """`position`: of those that fit, the first takes the lead."""

    campaign_id: int
    user_id: int
    parent_campaign_id: int
    position: int
    delay_days: int
    stops_on_parent_reply: bool


async def create(db: Db, user_id: int, draft: SubsequenceDraft, *, scope: int | None, now: datetime) -> Campaign:
    """In DRAFTED, with schedule, settings and mailboxes of its parent; it is configured and started like any other."""
    parent = await store.lock_campaign(db, user_id, draft.parent_id, client_id=scope)
    if parent.parent_campaign_id is not None:
        raise ParentIsSubsequence
    client_id = parent.client_id
    if draft.client_id is not None:
        await clients.check_reference(db, user_id, draft.client_id, scope=scope)
        client_id = draft.client_id
    triggers = await _with_categories(db, user_id, draft)
    campaign_id = await store.insert_campaign(
        db, user_id, draft.name, client_id=client_id, parent_campaign_id=parent.id, now=now
    )
    copy = replace(
        parent, id=campaign_id, name=draft.name, client_id=client_id, schedule_start_time=None, updated_at=now
    )
    await store.update_campaign(db, copy)
    await store.copy_mailboxes(db, user_id, parent.id, campaign_id, now=now)
    await _insert(db, user_id, campaign_id, draft)
    await _insert_triggers(db, user_id, campaign_id, triggers)
    await _apply(db, user_id, campaign_id, draft, scope=scope, now=now)
    return await store.load_campaign(db, user_id, campaign_id, client_id=scope)


async def _with_categories(db: Db, user_id: int, draft: SubsequenceDraft) -> list[Trigger]:
    """The triggers with the ids of their categories."""
    known = await store.list_categories(db, user_id) if any(draft.categories) else {}
    found = []
    for trigger, name in zip(draft.triggers, draft.categories, strict=True):
        if name is not None and name.lower() not in known:
            raise InvalidSetting(name="categoryId", value=name)
        found.append(replace(trigger, category_id=None if name is None else known[name.lower()]))
    return found


async def _apply(
    db: Db, user_id: int, campaign_id: int, draft: SubsequenceDraft, *, scope: int | None, now: datetime
) -> None:
    """What else was sent with it, by the rules of its own endpoint."""
    if draft.settings:
        await actions.change_settings(db, user_id, campaign_id, draft.settings, client_id=scope, now=now)
    if draft.schedule:
        await actions.change_schedule(db, user_id, campaign_id, draft.schedule, client_id=scope, now=now)
    if draft.steps:
        await sequence.save(db, user_id, campaign_id, draft.steps, client_id=scope, now=now)
    if draft.mailbox_ids:
        await actions.add_mailboxes(
            db,
            user_id,
            campaign_id,
            draft.mailbox_ids,
            auto_adjust_warmup=draft.auto_adjust_warmup,
            client_id=scope,
            now=now,
        )


async def begin(db: Db, events: Sequence[CampaignStatusChanged]) -> None:
    """Time begins to run when a subsequence is started first: who was silent before does not enter for that."""
    for event in events:
        if event.current is CampaignStatus.ACTIVE:
            await execute(
                db,
                """
                UPDATE subsequence_triggers
                SET looked_until = %(at)s
                WHERE user_id = %(user_id)s
                  AND campaign_id = %(campaign_id)s
                  AND looked_until IS NULL
                """,
                {"user_id": event.user_id, "campaign_id": event.campaign_id, "at": event.at},
            )


async def record_looks(db: Db, trigger_ids: Sequence[int], until: Sequence[datetime]) -> None:
    """Until when the mails of the parents have been looked at."""
    await execute(
        db,
        """
        UPDATE subsequence_triggers AS t
        SET looked_until = look.until
        FROM unnest(%(trigger_ids)s::bigint[], %(until)s::timestamptz[]) AS look (trigger_id, until)
        WHERE t.id = look.trigger_id
        """,
        {"trigger_ids": list(trigger_ids), "until": list(until)},
    )


async def find(db: Db, user_id: int, campaign_id: int, *, client_id: int | None) -> Subsequence | None:
    """None also for a campaign that is no subsequence."""
    return await fetch_one(
        db,
        Subsequence,
        """
        SELECT s.campaign_id, s.user_id, s.parent_campaign_id, s.position, s.delay_days, s.stops_on_parent_reply
        FROM subsequences AS s
        JOIN campaigns ON campaigns.id = s.campaign_id
        WHERE s.user_id = %(user_id)s
          AND s.campaign_id = %(campaign_id)s
          AND (%(client_id)s::bigint IS NULL OR campaigns.client_id = %(client_id)s)
        """,
        {"user_id": user_id, "campaign_id": campaign_id, "client_id": client_id},
    )


async def _insert(db: Db, user_id: int, campaign_id: int, draft: SubsequenceDraft) -> None:
    """The last in the order of its parent, which the caller has locked."""
    await execute(
        db,
        """
        INSERT INTO subsequences (
            campaign_id, user_id, parent_campaign_id, position, delay_days, stops_on_parent_reply
        )
        SELECT %(campaign_id)s, %(user_id)s, %(parent_id)s, coalesce(max(position), 0) + 1, %(delay_days)s,
               %(stops_on_parent_reply)s
        FROM subsequences
        WHERE user_id = %(user_id)s
          AND parent_campaign_id = %(parent_id)s
        """,
        {
            "campaign_id": campaign_id,
            "user_id": user_id,
            "parent_id": draft.parent_id,
            "delay_days": draft.delay_days,
            "stops_on_parent_reply": draft.stops_on_parent_reply,
        },
    )


async def copy(db: Db, user_id: int, campaign_id: int, copy_id: int, *, parent_id: int) -> None:
    """What makes a campaign a subsequence, for its copy: the last in the order of this parent."""
    params = {"user_id": user_id, "campaign_id": campaign_id, "copy_id": copy_id, "parent_id": parent_id}
    await execute(
        db,
        """
        INSERT INTO subsequences (
            campaign_id, user_id, parent_campaign_id, position, delay_days, stops_on_parent_reply
        )
        SELECT %(copy_id)s, user_id, %(parent_id)s,
               (SELECT coalesce(max(position), 0) + 1 FROM subsequences WHERE parent_campaign_id = %(parent_id)s),
               delay_days, stops_on_parent_reply
        FROM subsequences
        WHERE user_id = %(user_id)s
          AND campaign_id = %(campaign_id)s
        """,
        params,
    )
    await execute(
        db,
        """
        INSERT INTO subsequence_triggers (
            user_id, campaign_id, type, event_sub_type, category_id, words, excluded_words, step_number, event_count,
            after_days
        )
        SELECT user_id, %(copy_id)s, type, event_sub_type, category_id, words, excluded_words, step_number, event_count,
               after_days
        FROM subsequence_triggers
        WHERE user_id = %(user_id)s
          AND campaign_id = %(campaign_id)s
        ORDER BY id
        """,
        params,
    )


async def _insert_triggers(db: Db, user_id: int, campaign_id: int, triggers: Sequence[Trigger]) -> None:
    await execute(
        db,
        """
        INSERT INTO subsequence_triggers (
            user_id, campaign_id, type, event_sub_type, category_id, words, excluded_words, step_number, event_count,
            after_days
        )
        SELECT %(user_id)s, %(campaign_id)s, type, event_sub_type, category_id, words, excluded_words, step_number,
               event_count, after_days
        FROM json_to_recordset(%(triggers)s::json) AS given (
            type text, event_sub_type text, category_id bigint, words text, excluded_words text, step_number integer,
            event_count integer, after_days integer)
        """,
        {"user_id": user_id, "campaign_id": campaign_id, "triggers": as_records(triggers)},
    )
