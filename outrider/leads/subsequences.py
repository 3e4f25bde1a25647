"""Leads on their way from a campaign into one of its subsequences, and out of it again (product behaviour 7).

Set-based: one statement for many leads of many accounts. That nobody is in two subsequences of a campaign at once, or
twice in one, is stated by unique indexes: whoever comes second adds nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from outrider.campaigns import actions as campaigns
from outrider.campaigns import subsequences
from outrider.campaigns.store import load_campaign
from outrider.kit.db import Db, execute, fetch_dicts
from outrider.leads import progress, store
from outrider.leads.blocks import store as block_store
from outrider.leads.models import (
    HoldReason,
    InvalidSubsequence,
    LeadNotFound,
    LeadStatus,
    SubsequenceStopped,
    Unreachable,
)


class Cause(StrEnum):
    """What moves a lead; the less it is a word of somebody, the more has to be as usual."""

    WORD = "WORD"  # the lead has answered, or its answer has got a category
    DEED = "DEED"  # it has opened or clicked, or has done nothing
    RETURN = "RETURN"  # its absence is over
    PERSON = "PERSON"  # somebody of the account has chosen a category
    PUSH = "PUSH"  # somebody has moved it


@dataclass(frozen=True, slots=True)
class Fit:
    """A lead in a campaign, and a subsequence of it that wants the lead."""

    campaign_lead_id: int
    subsequence_id: int


async def enter(
    db: Db,
    fits: Sequence[Fit],
    cause: Cause,
    *,
    now: datetime,
    delay_days: float | None = None,
    ends_on_parent_reply: bool = False,
) -> list[int]:
    """Move leads into the first subsequence that fits; returns who moved, by the ids in the parent.

    There they are due after its delay, from the same mailbox if it has that. In the parent they stop, but who has
    COMPLETED it stays so.
    """
    rows = await fetch_dicts(
        db,
        """
        WITH place AS MATERIALIZED (
            SELECT *
              FROM campaign_leads
             WHERE id = ANY(%(ids)s)
             ORDER BY id
               FOR NO KEY UPDATE
        ), chosen AS (
            SELECT DISTINCT ON (place.id)
                   place.*, s.campaign_id AS subsequence_id, s.delay_days, coalesce(c.timezone, 'UTC') AS zone
              FROM unnest(%(ids)s::bigint[], %(subsequence_ids)s::bigint[]) AS fit (campaign_lead_id, subsequence_id)
              JOIN place ON place.id = fit.campaign_lead_id
              JOIN subsequences AS s ON s.campaign_id = fit.subsequence_id
                                    AND s.parent_campaign_id = place.campaign_id
              JOIN campaigns AS c ON c.id = s.campaign_id
              JOIN campaigns AS parent ON parent.id = s.parent_campaign_id
              JOIN leads AS l ON l.id = place.lead_id
             WHERE NOT place.is_unsubscribed
               AND NOT l.is_unsubscribed
               AND NOT l.unsubscribed_client_ids @> ARRAY[c.client_id]
               -- COMPLETED is a subsequence whose leads are through, not one that takes no more
               AND (c.status IN ('ACTIVE', 'COMPLETED') OR %(cause)s = 'PUSH')
               AND NOT EXISTS (SELECT FROM campaign_leads AS before
                                WHERE before.campaign_id = s.campaign_id AND before.lead_id = place.lead_id)
               AND NOT EXISTS (
                       SELECT
                         FROM campaign_leads AS sibling
                        WHERE sibling.parent_campaign_lead_id = place.id
                          AND (sibling.status IN ('STARTED', 'INPROGRESS', 'PAUSED')
                               -- somebody or something has ended it there: what has not happened begins no other
                               OR (%(cause)s = 'DEED'
                                   AND (sibling.status <> 'COMPLETED' OR sibling.last_reply_at IS NOT NULL))))
               AND CASE %(cause)s
                       WHEN 'PUSH' THEN true
                       WHEN 'PERSON' THEN place.status <> 'BLOCKED'
                       WHEN 'RETURN' THEN place.status = 'PAUSED' AND place.hold_reason = 'OOO'
                       WHEN 'WORD' THEN
                            place.status <> 'BLOCKED'
                            AND (place.hold_reason IS NULL
                                 OR place.hold_reason NOT IN ('MANUAL', 'UNSUBSCRIBED', 'DO_NOT_CONTACT',
                                                              'WRONG_PERSON'))
                       ELSE
                            (place.status IN ('STARTED', 'INPROGRESS', 'COMPLETED')
                             OR (place.status = 'STOPPED'
                                 AND place.hold_reason IN ('OPENED', 'CLICKED', 'SUBSEQUENCE')))
                            AND NOT place.is_completed_by_hand
                            AND (place.last_reply_at IS NULL OR parent.stop_lead_settings = 'NEVER')
                   END
             ORDER BY place.id, s.position
        ), entered AS (
            INSERT INTO campaign_leads (user_id, campaign_id, lead_id, mailbox_id, status, due_at, provider,
                                        block_list_ignored_until, bounces_ignored_until, team_member_id,
                                        parent_campaign_lead_id, ends_on_parent_reply, created_at, updated_at)
            SELECT user_id, subsequence_id, lead_id,
                   (SELECT cm.mailbox_id
                      FROM campaign_mailboxes AS cm
                     WHERE cm.campaign_id = subsequence_id AND cm.mailbox_id = chosen.mailbox_id),
                   'STARTED',
                   (%(now)s::timestamptz AT TIME ZONE zone
                    + coalesce(%(delay_days)s::float8, delay_days) * interval '1 day') AT TIME ZONE zone,
                   provider, block_list_ignored_until, bounces_ignored_until, team_member_id, id,
                   %(ends_on_parent_reply)s, %(now)s, %(now)s
              FROM chosen
             ORDER BY id
                ON CONFLICT DO NOTHING
            RETURNING parent_campaign_lead_id, user_id, campaign_id
        ), left_behind AS (
            UPDATE campaign_leads AS m
               SET status = CASE WHEN m.status = 'COMPLETED' THEN m.status ELSE 'STOPPED' END,
                   hold_reason = CASE WHEN m.status = 'COMPLETED' THEN m.hold_reason ELSE 'SUBSEQUENCE' END,
                   due_at = NULL,
                   resume_at = NULL,
                   hold_code = NULL,
                   hold_text = NULL,
                   hold_until = NULL,
                   updated_at = %(now)s
              FROM entered
             WHERE m.id = entered.parent_campaign_lead_id
        )
        SELECT parent_campaign_lead_id AS campaign_lead_id, user_id, campaign_id
          FROM entered
         ORDER BY 1
        """,
        {
            "ids": [fit.campaign_lead_id for fit in fits],
            "subsequence_ids": [fit.subsequence_id for fit in fits],
            "cause": cause,
            "delay_days": delay_days,
            "ends_on_parent_reply": ends_on_parent_reply,
            "now": now,
        },
    )
    for user_id, campaign_id in sorted({(row["user_id"], row["campaign_id"]) for row in rows}):
        await campaigns.reactivate(db, user_id, campaign_id, now)
    return [row["campaign_lead_id"] for row in rows]


async def push(
    db: Db,
    user_id: int,
    campaign_lead_id: int,
    subsequence_id: int,
    *,
    delay_days: float | None,
    ends_on_parent_reply: bool,
    client_id: int | None,
    now: datetime,
) -> float:
    """By hand: out of the parent, and of another subsequence; returns after how many days its first mail is due.

    Who is or was in that subsequence stays as it is.
    """
    subsequence = await subsequences.find(db, user_id, subsequence_id, client_id=client_id)
    place = await store.lock_campaign_lead(db, user_id, campaign_lead_id)
    if subsequence is None or subsequence.parent_campaign_id != place.campaign_id:
        raise InvalidSubsequence
    delay_days = subsequence.delay_days if delay_days is None else delay_days
    if await store.find_campaign_lead_id(db, user_id, subsequence_id, place.lead_id) is not None:
        return delay_days
    campaign = await load_campaign(db, user_id, subsequence_id, client_id=None)
    lead = await store.find_lead(db, user_id, place.lead_id, client_id=None)
    if lead is None:
        raise LeadNotFound
    since = place.block_list_ignored_until
    if (
        place.status is LeadStatus.BLOCKED
        or place.is_unsubscribed
        or lead.is_unsubscribed_from(campaign.client_id)
        or await block_store.is_blocked(db, user_id, lead.email, client_id=campaign.client_id, since=since)
    ):
        raise Unreachable
    if campaign.is_over:
        raise SubsequenceStopped
    await _leave(db, user_id, place.id, now=now)
    await enter(
        db,
        [Fit(place.id, subsequence_id)],
        Cause.PUSH,
        delay_days=delay_days,
        ends_on_parent_reply=ends_on_parent_reply,
        now=now,
    )
    return delay_days


async def _leave(db: Db, user_id: int, parent_campaign_lead_id: int, *, now: datetime) -> None:
    """Out of the subsequence that the lead is in, for another one."""
    rows = await fetch_dicts(
        db,
        """
        SELECT id
          FROM campaign_leads
         WHERE user_id = %(user_id)s
           AND parent_campaign_lead_id = %(id)s
        """,
        {"user_id": user_id, "id": parent_campaign_lead_id},
    )
    await progress.end(db, [row["id"] for row in rows], status="STOPPED", reason=HoldReason.SUBSEQUENCE, now=now)


async def end_answered(db: Db, campaign_lead_ids: Sequence[int], *, now: datetime) -> None:
    """These leads have answered in the parent: the subsequences that end for that end, and grow on for nobody."""
    await execute(
        db,
        """
        UPDATE campaign_leads AS m
           SET status = CASE WHEN m.status = 'COMPLETED' THEN m.status ELSE 'STOPPED' END,
               hold_reason = 'REPLIED', due_at = NULL, resume_at = NULL, updated_at = %(now)s,
               hold_code = NULL, hold_text = NULL, hold_until = NULL
          FROM subsequences AS s
         WHERE m.parent_campaign_lead_id = ANY(%(ids)s)
           AND s.campaign_id = m.campaign_id
           AND (m.ends_on_parent_reply OR s.stops_on_parent_reply)
           AND m.status IN ('STARTED', 'INPROGRESS', 'PAUSED', 'COMPLETED')
        """,
        {"ids": list(campaign_lead_ids), "now": now},
    )


async def is_elsewhere(db: Db, user_id: int, campaign_lead_id: int) -> bool:
    """Whether the lead is on its way in a subsequence of this campaign, or in another one of its parent."""
    rows = await fetch_dicts(
        db,
        """
        SELECT
          FROM campaign_leads AS m
          JOIN campaign_leads AS other ON other.parent_campaign_lead_id IN (m.id, m.parent_campaign_lead_id)
         WHERE m.user_id = %(user_id)s
           AND m.id = %(id)s
           AND other.id <> m.id
           AND other.status IN ('STARTED', 'INPROGRESS', 'PAUSED')
         LIMIT 1
        """,
        {"user_id": user_id, "id": campaign_lead_id},
    )
    return bool(rows)
