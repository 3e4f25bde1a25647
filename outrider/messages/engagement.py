"""What people do with a mail, added to its row: opens, clicks, replies. Counters equal the events they are made of."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from outrider.kit.db import Db, as_records, execute
from outrider.kit.plain import plain
from outrider.leads.models import LeadUnsubscribed


@dataclass(frozen=True, slots=True)
class MachineHits:
    """How many more (or fewer) opens and clicks of a mail are taken for those of machines."""

    message_id: int
    open_count: int = 0
    click_count: int = 0


async def count_hits(db: Db, machines: Sequence[MachineHits]) -> None:
    """Bring the figures of these mails up to date: those of people from their events, machines are counted apart."""
    await execute(
        db,
        """
        UPDATE messages AS m
           SET open_count = people.open_count,
               first_opened_at = people.first_opened_at,
               click_count = people.click_count,
               first_clicked_at = people.first_clicked_at,
               machine_open_count = m.machine_open_count + added.open_count,
               machine_click_count = m.machine_click_count + added.click_count
          FROM json_to_recordset(%(machines)s::json)
               AS added (message_id bigint, open_count integer, click_count integer)
         CROSS JOIN LATERAL (
                SELECT count(*) FILTER (WHERE type = 'OPENED') AS open_count,
                       min(occurred_at) FILTER (WHERE type = 'OPENED') AS first_opened_at,
                       count(*) FILTER (WHERE type = 'CLICKED') AS click_count,
                       min(occurred_at) FILTER (WHERE type = 'CLICKED') AS first_clicked_at
                  FROM message_events
                 WHERE message_events.message_id = added.message_id
               ) AS people
         WHERE m.id = added.message_id
        """,
        {"machines": as_records(sorted(machines, key=lambda each: each.message_id))},
    )


async def record_unsubscribes(db: Db, events: Sequence[LeadUnsubscribed]) -> None:
    """Attribute each unsubscribe to the mail whose link was used, else to the lead's latest one in that campaign.

    One line in the event list for each, also where no mail was sent.
    """
    await execute(
        db,
        """
        WITH told AS (
            SELECT * FROM unnest(%(user_ids)s::bigint[], %(campaign_ids)s::bigint[], %(campaign_lead_ids)s::bigint[],
                                 %(message_ids)s::bigint[], %(at)s::timestamptz[])
                     AS event (user_id, campaign_id, campaign_lead_id, given_id, at)
        ), attributed AS (
            SELECT told.*, coalesce(told.given_id, latest.id) AS message_id
              FROM told
              LEFT JOIN LATERAL (
                    SELECT m.id
                      FROM messages AS m
                     WHERE m.campaign_lead_id = told.campaign_lead_id
                       AND m.step_id IS NOT NULL
                       AND m.sent_at IS NOT NULL
                     ORDER BY m.sent_at DESC, m.id DESC
                     LIMIT 1
                   ) AS latest ON true
        ), marked AS (
            UPDATE messages AS m
               SET unsubscribed_at = coalesce(m.unsubscribed_at, attributed.at)
              FROM attributed
             WHERE m.id = attributed.message_id
        )
        INSERT INTO message_events (user_id, campaign_id, campaign_lead_id, message_id, type, occurred_at)
        SELECT user_id, campaign_id, campaign_lead_id, message_id, 'UNSUBSCRIBED', at
          FROM attributed
        """,
        {
            "user_ids": [event.user_id for event in events],
            "campaign_ids": [event.campaign_id for event in events],
            "campaign_lead_ids": [event.campaign_lead_id for event in events],
            "message_ids": [event.message_id for event in events],
            "at": [event.at for event in events],
        },
    )


@plain(frozen=True, slots=True)
class Reply:
    """An answer to a mail (`message_id`) of ours; one that is not counted (out of office) sets only the flag."""

    message_id: int
    at: datetime
    is_counted: bool


async def record_replies(db: Db, replies: Sequence[Reply]) -> None:
    """Mark mails as answered."""
    await execute(
        db,
        """
        UPDATE messages AS m
           SET first_replied_at = least(m.first_replied_at, reply.at),
               is_reply_ignored = m.is_reply_ignored OR reply.is_ignored
          FROM (SELECT message_id, min(at) FILTER (WHERE is_counted) AS at, NOT bool_and(is_counted) AS is_ignored
                  FROM json_to_recordset(%(replies)s::json)
                       AS given (message_id bigint, at timestamptz, is_counted boolean)
                 GROUP BY message_id
                 ORDER BY message_id) AS reply
         WHERE m.id = reply.message_id
        """,
        {"replies": as_records(replies)},
    )


async def record_bounce(db: Db, message_id: int, at: datetime, *, kind: str, reason: str) -> bool:
    """Mark a mail as bounced; False if it was before."""
    changed = await execute(
        db,
        """
        UPDATE messages
           SET bounced_at = %(at)s, bounce_kind = %(kind)s, bounce_reason = %(reason)s
         WHERE id = %(id)s
           AND bounced_at IS NULL
        """,
        {"id": message_id, "at": at, "kind": kind, "reason": reason},
    )
    return changed == 1
