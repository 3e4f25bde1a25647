"""What the database says about a campaign's mails, for comparing it with itself and with what the sandbox saw."""

from dataclasses import dataclass
from typing import Any

from outrider.kit.db import Db, fetch_all, fetch_dicts, fetch_value


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail of a campaign with the events that were recorded for it, by type."""

    id: int
    campaign_lead_id: int
    step_number: int
    mailbox_id: int
    message_id: str
    to_email: str
    status: str
    open_count: int
    click_count: int
    is_replied: bool
    is_bounced: bool
    is_unsubscribed: bool
    events: dict[str, int]

    def of(self, kind: str) -> int:
        return self.events.get(kind, 0)


async def list_mails(db: Db, campaign_id: int) -> list[Mail]:
    return await fetch_all(
        db,
        Mail,
        """
        SELECT m.id, m.campaign_lead_id, m.step_number, m.mailbox_id, m.message_id, m.to_email, m.status,
               m.open_count, m.click_count, m.first_replied_at IS NOT NULL AS is_replied,
               m.bounced_at IS NOT NULL AS is_bounced, m.unsubscribed_at IS NOT NULL AS is_unsubscribed,
               coalesce((SELECT jsonb_object_agg(e.type, e.count)
                           FROM (SELECT type, count(*) FROM message_events WHERE message_id = m.id GROUP BY type) AS e),
                        '{}') AS events
          FROM messages AS m
         WHERE m.campaign_id = %(campaign_id)s
           AND m.step_id IS NOT NULL
         ORDER BY m.id
        """,
        {"campaign_id": campaign_id},
    )


async def list_leads(db: Db, campaign_id: int) -> list[dict[str, Any]]:
    return await fetch_dicts(
        db,
        """
        SELECT cl.id, l.email, cl.status, cl.hold_reason, cl.last_step_number, cl.due_at, cl.mailbox_id
          FROM campaign_leads AS cl
          JOIN leads AS l ON l.id = cl.lead_id
         WHERE cl.campaign_id = %(campaign_id)s
        """,
        {"campaign_id": campaign_id},
    )


async def count_dispatches(db: Db, campaign_id: int) -> int:
    sql = "SELECT count(*) FROM dispatches WHERE campaign_id = %(campaign_id)s"
    return int(await fetch_value(db, sql, {"campaign_id": campaign_id}))


async def sum_days(db: Db, campaign_id: int) -> dict[str, int]:
    """First mails and follow-ups, as the campaign's days count them."""
    (row,) = await fetch_dicts(
        db,
        """
        SELECT coalesce(sum(new_count), 0)::int AS first_mails, coalesce(sum(follow_up_count), 0)::int AS follow_ups
          FROM campaign_days
         WHERE campaign_id = %(campaign_id)s
        """,
        {"campaign_id": campaign_id},
    )
    return row


async def sum_mailbox_days(db: Db, mailbox_ids: list[int]) -> dict[int, int]:
    rows = await fetch_dicts(
        db,
        """
        SELECT mailbox_id, sum(campaign_count)::int AS count
          FROM mailbox_days
         WHERE mailbox_id = ANY(%(mailbox_ids)s)
         GROUP BY mailbox_id
        """,
        {"mailbox_ids": mailbox_ids},
    )
    return {row["mailbox_id"]: row["count"] for row in rows}


async def count_variants(db: Db, campaign_id: int) -> tuple[dict[int, int], dict[int, int]]:
    """How often each variant was given out: by its counter, and by the mails themselves."""
    rows = await fetch_dicts(
        db,
        """
        SELECT v.id, coalesce(c.assigned_count, 0)::int AS counted,
               (SELECT count(*)::int FROM messages AS m WHERE m.variant_id = v.id) AS found
          FROM variants AS v
          LEFT JOIN variant_counts AS c ON c.variant_id = v.id
         WHERE v.campaign_id = %(campaign_id)s
        """,
        {"campaign_id": campaign_id},
    )
    return {row["id"]: row["counted"] for row in rows}, {row["id"]: row["found"] for row in rows}


async def count_acts(db: Db, campaign_id: int) -> dict[str, int]:
    """What has been heard of people: hits, unsubscribes, and mails that belong to the campaign."""
    (row,) = await fetch_dicts(
        db,
        """
        SELECT count(*) FILTER (WHERE type = 'OPENED') AS opened,
               count(*) FILTER (WHERE type = 'CLICKED') AS clicked,
               count(*) FILTER (WHERE type = 'UNSUBSCRIBED') AS unsubscribed,
               (SELECT count(*) FROM messages WHERE campaign_id = %(campaign_id)s AND direction = 'IN') AS received
          FROM message_events
         WHERE campaign_id = %(campaign_id)s
        """,
        {"campaign_id": campaign_id},
    )
    return row
