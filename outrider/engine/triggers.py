"""Which subsequences want which leads: the triggers that something has met, or that time has (product behaviour 7).

Read only, over all accounts at once: what is asked for are leads that the engine has just heard of. Whether they may
enter is in `leads/subsequences`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString

from outrider.kit.db import Db, as_ids, fetch_all, fetch_dicts, fetch_value
from outrider.leads.subsequences import Fit
from outrider.messages.models import LinkClicked, MessageOpened


async def list_engaged(db: Db, events: Sequence[MessageOpened | LinkClicked]) -> list[Fit]:
    """By an open or a click. A click is an open too, whoever has not seen the image."""
    return await fetch_all(
        db,
        Fit,
        """
        SELECT DISTINCT event.campaign_lead_id, s.campaign_id AS subsequence_id
          FROM unnest(%(campaign_lead_ids)s::bigint[], %(message_ids)s::bigint[], %(urls)s::text[])
               AS event (campaign_lead_id, message_id, url)
          JOIN messages AS mail ON mail.id = event.message_id
          JOIN subsequences AS s ON s.parent_campaign_id = mail.campaign_id
          JOIN subsequence_triggers AS t ON t.campaign_id = s.campaign_id
                                        AND t.type IN ('OPEN_AN_EMAIL', 'CLICK_ON_A_LINK')
                                        AND (t.step_number IS NULL OR t.step_number = mail.step_number)
         CROSS JOIN LATERAL (
                SELECT sum(greatest(m.open_count, (m.click_count > 0)::integer)) AS open_count,
                       sum(m.click_count) AS click_count
                  FROM messages AS m
                 WHERE m.campaign_lead_id = event.campaign_lead_id
                   AND m.step_id IS NOT NULL
                   AND (t.step_number IS NULL OR t.step_number = m.step_number)
               ) AS counted
         WHERE CASE t.type
                   WHEN 'OPEN_AN_EMAIL' THEN counted.open_count >= t.event_count
                   ELSE event.url IS NOT NULL
                        AND counted.click_count >= t.event_count
                        AND (t.words IS NULL OR strpos(lower(event.url), lower(t.words)) > 0)
               END
        """,
        {
            "campaign_lead_ids": as_ids(event.campaign_lead_id for event in events),
            "message_ids": as_ids(event.message_id for event in events),
            "urls": [event.url if isinstance(event, LinkClicked) else None for event in events],
        },
    )


async def list_categorised(db: Db, campaign_lead_ids: Sequence[int], category_ids: Sequence[int]) -> list[Fit]:
    """By the category that each of these leads has got."""
    return await fetch_all(
        db,
        Fit,
        """
        SELECT DISTINCT place.id AS campaign_lead_id, s.campaign_id AS subsequence_id
          FROM unnest(%(campaign_lead_ids)s::bigint[], %(category_ids)s::bigint[]) AS given (id, category_id)
          JOIN campaign_leads AS place ON place.id = given.id
          JOIN subsequences AS s ON s.parent_campaign_id = place.campaign_id
          JOIN subsequence_triggers AS t ON t.campaign_id = s.campaign_id
                                        AND t.type = 'LEAD_CATEGORY_UPDATED'
                                        AND t.category_id = given.category_id
        """,
        {"campaign_lead_ids": as_ids(campaign_lead_ids), "category_ids": as_ids(category_ids)},
    )


@dataclass(frozen=True, slots=True)
class Heard:
    """An answer. `text` is what a person wrote, None: a program did; `category_id`: what the lead has got for it."""

    campaign_lead_id: int
    answered_id: int
    text: str | None
    category_id: int | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an answer has to say for a subsequence; None: whatever."""

    campaign_lead_id: int
    subsequence_id: int
    words: str | None
    excluded_words: str | None


async def list_wanted_answers(db: Db, heard: Sequence[Heard]) -> list[Wanted]:
    """The subsequences that wait for an answer to these mails."""
    return await fetch_all(
        db,
        Wanted,
        """
        SELECT place.id AS campaign_lead_id, s.campaign_id AS subsequence_id, t.words, t.excluded_words
          FROM unnest(%(campaign_lead_ids)s::bigint[], %(answered_ids)s::bigint[])
               AS given (campaign_lead_id, answered_id)
          JOIN campaign_leads AS place ON place.id = given.campaign_lead_id
          JOIN subsequences AS s ON s.parent_campaign_id = place.campaign_id
          JOIN subsequence_triggers AS t ON t.campaign_id = s.campaign_id AND t.type = 'REPLY_AN_EMAIL'
         WHERE t.step_number IS NULL
            OR t.step_number = (SELECT step_number FROM messages WHERE id = given.answered_id)
        """,
        {
            "campaign_lead_ids": as_ids(each.campaign_lead_id for each in heard),
            "answered_ids": as_ids(each.answered_id for each in heard),
        },
    )


async def list_returned(db: Db, now: datetime, *, limit: int) -> list[Fit]:
    """By an absence that is over."""
    return await fetch_all(
        db,
        Fit,
        """
        SELECT place.id AS campaign_lead_id, s.campaign_id AS subsequence_id
          FROM subsequence_triggers AS t
          JOIN subsequences AS s ON s.campaign_id = t.campaign_id
          JOIN campaigns AS c ON c.id = s.campaign_id AND c.status IN ('ACTIVE', 'COMPLETED')
          JOIN campaign_leads AS place ON place.campaign_id = s.parent_campaign_id
         WHERE t.type = 'OUT_OF_OFFICE_OVER'
           AND place.status = 'PAUSED'
           AND place.hold_reason = 'OOO'
           AND place.resume_at <= %(now)s
         ORDER BY place.id
         LIMIT %(limit)s
        """,
        {"now": now, "limit": limit},
    )


# Of each trigger, and each step of its parent, the mails after which nothing has happened for its time. Without days
# the lead has to be through, and the time is the delay of its last step, a day at least. A named step counts by itself;
# else nothing at all may have happened. Clocks that are changed move the end by less than three hours.
_SILENT: LiteralString = """
      FROM subsequence_triggers AS t
      JOIN subsequences AS s ON s.campaign_id = t.campaign_id
      JOIN campaigns AS c ON c.id = s.campaign_id AND c.status IN ('ACTIVE', 'COMPLETED')
      JOIN campaigns AS parent ON parent.id = s.parent_campaign_id AND parent.status IN ('ACTIVE', 'COMPLETED')
      JOIN steps ON steps.campaign_id = parent.id
     CROSS JOIN LATERAL (
            SELECT coalesce(t.after_days, greatest(steps.delay_days, 1)) * interval '1 day' AS span,
                   t.step_number IS NULL AND t.after_days IS NULL AS is_for_end
           ) AS term
     CROSS JOIN LATERAL (
            SELECT m.campaign_lead_id, over.at
              FROM messages AS m
              JOIN campaign_leads AS place ON place.id = m.campaign_lead_id
             CROSS JOIN LATERAL (
                    SELECT (m.sent_at AT TIME ZONE coalesce(parent.timezone, 'UTC') + term.span)
                           AT TIME ZONE coalesce(parent.timezone, 'UTC') AS at
                   ) AS over
             WHERE m.campaign_id = parent.id
               AND m.step_id = steps.id
               AND m.sent_at > t.looked_until - term.span - interval '3 hours'
               AND m.sent_at < coalesce(%(until)s::timestamptz, 'infinity') - term.span + interval '3 hours'
               AND over.at > t.looked_until
               AND over.at <= coalesce(%(until)s::timestamptz, 'infinity')
               AND m.bounced_at IS NULL
               AND (place.last_reply_at IS NULL OR (t.step_number IS NOT NULL AND place.last_reply_at < m.sent_at))
               AND CASE
                       WHEN t.step_number IS NOT NULL THEN m.step_number = t.step_number
                       WHEN term.is_for_end THEN
                            place.status = 'COMPLETED'
                            AND NOT EXISTS (SELECT FROM messages AS later
                                             WHERE later.campaign_lead_id = place.id
                                               AND later.step_id IS NOT NULL
                                               AND later.sent_at > m.sent_at)
                       ELSE NOT EXISTS (SELECT FROM messages AS earlier
                                         WHERE earlier.campaign_lead_id = place.id
                                           AND earlier.step_id IS NOT NULL
                                           AND earlier.sent_at < m.sent_at)
                   END
               AND (t.type = 'NO_REPLY'
                    OR (m.is_open_tracked
                        AND NOT EXISTS (SELECT FROM messages AS seen
                                         WHERE seen.campaign_lead_id = place.id
                                           AND seen.step_id IS NOT NULL
                                           AND (t.step_number IS NULL OR seen.id = m.id)
                                           AND seen.open_count + seen.click_count > 0)))
             ORDER BY m.sent_at
             FETCH FIRST %(each)s ROWS WITH TIES
           ) AS silent
     WHERE t.type IN ('NO_REPLY', 'NO_OPEN')
       AND t.looked_until IS NOT NULL
"""


@dataclass(frozen=True, slots=True)
class Silence:
    """A mail after which nothing has happened, and when its time was over."""

    trigger_id: int
    step_id: int
    campaign_lead_id: int
    subsequence_id: int
    at: datetime


async def lock_clocks(db: Db, now: datetime) -> list[int]:
    """Return the triggers that wait for a time, as far as no other engine looks at them just now."""
    rows = await fetch_dicts(
        db,
        """
        SELECT t.id
          FROM subsequence_triggers AS t
          JOIN subsequences AS s ON s.campaign_id = t.campaign_id
          JOIN campaigns AS c ON c.id = s.campaign_id AND c.status IN ('ACTIVE', 'COMPLETED')
          JOIN campaigns AS parent ON parent.id = s.parent_campaign_id AND parent.status IN ('ACTIVE', 'COMPLETED')
         WHERE t.type IN ('NO_REPLY', 'NO_OPEN')
           AND t.looked_until < %(now)s
         ORDER BY t.id
           FOR NO KEY UPDATE OF t SKIP LOCKED
        """,
        {"now": now},
    )
    return [row["id"] for row in rows]


async def list_silent(db: Db, trigger_ids: Sequence[int], until: datetime, *, each: int) -> list[Silence]:
    """Return whose time is over by then, the first of each trigger and step."""
    return await fetch_all(
        db,
        Silence,
        f"""
        SELECT t.id AS trigger_id, steps.id AS step_id, silent.campaign_lead_id, t.campaign_id AS subsequence_id,
               silent.at
        {_SILENT}
           AND t.id = ANY(%(trigger_ids)s::bigint[])
        """,
        {"trigger_ids": as_ids(trigger_ids), "until": until, "each": each},
    )


async def find_next_silence(db: Db) -> datetime | None:
    """Return when the next time is over, if nothing happens."""
    at: datetime | None = await fetch_value(
        db,
        f"SELECT min(silent.at) {_SILENT}",
        {"until": None, "each": 1},
    )
    return at
