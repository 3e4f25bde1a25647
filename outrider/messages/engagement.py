"""What people do with a mail, added to its row: opens, clicks, replies. Counters equal the events they are made of."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from outrider.kit.db import Db, execute
from outrider.leads.models import LeadUnsubscribed


@dataclass(frozen=True, slots=True)
class Count:
    """One hit on a mail."""

    message_id: int
    is_click: bool
    is_machine: bool
    at: datetime


async def count_hits(db: Db, counts: Sequence[Count]) -> None:
    """Add these hits to their mails; the first of a kind keeps its time. Machines are counted apart."""
    await execute(
        db,
        """
        UPDATE messages AS m
           SET open_count = m.open_count + added.open_count,
               first_opened_at = least(m.first_opened_at, added.first_opened_at),
               click_count = m.click_count + added.click_count,
               first_clicked_at = least(m.first_clicked_at, added.first_clicked_at),
               machine_open_count = m.machine_open_count + added.machine_open_count,
               machine_click_count = m.machine_click_count + added.machine_click_count
          FROM (SELECT message_id,
                       count(*) FILTER (WHERE NOT is_click AND NOT is_machine) AS open_count,
                       min(at) FILTER (WHERE NOT is_click AND NOT is_machine) AS first_opened_at,
                       count(*) FILTER (WHERE is_click AND NOT is_machine) AS click_count,
                       min(at) FILTER (WHERE is_click AND NOT is_machine) AS first_clicked_at,
                       count(*) FILTER (WHERE NOT is_click AND is_machine) AS machine_open_count,
                       count(*) FILTER (WHERE is_click AND is_machine) AS machine_click_count
                  FROM unnest(%(ids)s::bigint[], %(is_click)s::boolean[], %(is_machine)s::boolean[],
                              %(at)s::timestamptz[]) AS hit (message_id, is_click, is_machine, at)
                 GROUP BY message_id) AS added
         WHERE m.id = added.message_id
        """,
        {
            "ids": [count.message_id for count in counts],
            "is_click": [count.is_click for count in counts],
            "is_machine": [count.is_machine for count in counts],
            "at": [count.at for count in counts],
        },
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


async def record_reply(db: Db, message_id: int, at: datetime, *, is_counted: bool) -> None:
    """Mark a mail as answered; an answer that is not counted (out of office) sets only the flag."""
    await execute(
        db,
        """
        UPDATE messages
           SET first_replied_at = CASE WHEN %(is_counted)s THEN least(first_replied_at, %(at)s)
                                       ELSE first_replied_at END,
               is_reply_ignored = is_reply_ignored OR NOT %(is_counted)s
         WHERE id = %(id)s
        """,
        {"id": message_id, "at": at, "is_counted": is_counted},
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
