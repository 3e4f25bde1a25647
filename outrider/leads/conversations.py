"""A lead in a campaign as a conversation: its place in the inbox (product behaviour 9; contract: master-inbox).

Unread, important, archived, snoozed, whose it is, what it is worth. Nothing of this moves the lead along.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from outrider.kit.db import Db, execute, fetch_dicts, fetch_one


@dataclass(frozen=True, slots=True)
class Conversation:
    """Where the conversation is, and with whom."""

    id: int
    user_id: int
    campaign_id: int
    lead_id: int
    mailbox_id: int | None


async def find_conversation(
    db: Db, user_id: int, campaign_lead_id: int, *, client_id: int | None
) -> Conversation | None:
    return await fetch_one(
        db,
        Conversation,
        """
        SELECT cl.id, cl.user_id, cl.campaign_id, cl.lead_id, cl.mailbox_id
          FROM campaign_leads AS cl
          JOIN campaigns ON campaigns.id = cl.campaign_id
         WHERE cl.user_id = %(user_id)s
           AND cl.id = %(id)s
           AND (%(client_id)s::bigint IS NULL OR campaigns.client_id = %(client_id)s)
        """,
        {"user_id": user_id, "id": campaign_lead_id, "client_id": client_id},
    )


async def find_conversation_of(
    db: Db, user_id: int, lead_id: int, *, campaign_id: int | None, client_id: int | None
) -> Conversation | None:
    """By the lead's own id: the one in that campaign, else the latest."""
    return await fetch_one(
        db,
        Conversation,
        """
        SELECT cl.id, cl.user_id, cl.campaign_id, cl.lead_id, cl.mailbox_id
          FROM campaign_leads AS cl
          JOIN campaigns ON campaigns.id = cl.campaign_id
         WHERE cl.user_id = %(user_id)s
           AND cl.lead_id = %(lead_id)s
           AND (%(campaign_id)s::bigint IS NULL OR cl.campaign_id = %(campaign_id)s)
           AND (%(client_id)s::bigint IS NULL OR campaigns.client_id = %(client_id)s)
         ORDER BY greatest(cl.last_reply_at, cl.last_sent_at) DESC NULLS LAST, cl.id DESC
         LIMIT 1
        """,
        {"user_id": user_id, "lead_id": lead_id, "campaign_id": campaign_id, "client_id": client_id},
    )


async def record_answers(db: Db, user_id: int, campaign_lead_ids: Sequence[int]) -> None:
    """The lead has written: the conversation is back in the inbox, unread."""
    await execute(
        db,
        """
        UPDATE campaign_leads
           SET is_unread = true, is_archived = false, snoozed_until = NULL
         WHERE user_id = %(user_id)s
           AND id = ANY(%(ids)s)
        """,
        {"user_id": user_id, "ids": list(campaign_lead_ids)},
    )


async def record_handwritten(db: Db, user_id: int, campaign_lead_id: int, *, sent_at: datetime) -> None:
    """A person's answer has left. The sequence stays as it is."""
    await execute(
        db,
        """
        UPDATE campaign_leads
           SET last_sent_at = greatest(last_sent_at, %(sent_at)s), updated_at = %(sent_at)s
         WHERE user_id = %(user_id)s
           AND id = %(id)s
        """,
        {"user_id": user_id, "id": campaign_lead_id, "sent_at": sent_at},
    )


async def set_unread(db: Db, user_id: int, campaign_lead_ids: Sequence[int], *, is_unread: bool) -> None:
    await execute(
        db,
        """
        UPDATE campaign_leads
           SET is_unread = %(is_unread)s
         WHERE user_id = %(user_id)s
           AND id = ANY(%(ids)s)
           AND is_unread <> %(is_unread)s
        """,
        {"user_id": user_id, "ids": sorted(campaign_lead_ids), "is_unread": is_unread},
    )


async def set_important(db: Db, user_id: int, campaign_lead_id: int, *, is_important: bool) -> None:
    await execute(
        db,
        "UPDATE campaign_leads SET is_important = %(flag)s WHERE user_id = %(user_id)s AND id = %(id)s",
        {"user_id": user_id, "id": campaign_lead_id, "flag": is_important},
    )


async def set_archived(db: Db, user_id: int, campaign_lead_id: int, *, is_archived: bool) -> None:
    """Out of the inbox until the lead writes again."""
    await execute(
        db,
        "UPDATE campaign_leads SET is_archived = %(flag)s WHERE user_id = %(user_id)s AND id = %(id)s",
        {"user_id": user_id, "id": campaign_lead_id, "flag": is_archived},
    )


async def snooze(db: Db, user_id: int, campaign_lead_id: int, *, until: datetime | None) -> None:
    """Out of the inbox until then; None brings it back."""
    await execute(
        db,
        "UPDATE campaign_leads SET snoozed_until = %(until)s WHERE user_id = %(user_id)s AND id = %(id)s",
        {"user_id": user_id, "id": campaign_lead_id, "until": until},
    )


async def assign(db: Db, user_id: int, campaign_lead_id: int, *, person_id: int | None) -> None:
    await execute(
        db,
        "UPDATE campaign_leads SET team_member_id = %(person_id)s WHERE user_id = %(user_id)s AND id = %(id)s",
        {"user_id": user_id, "id": campaign_lead_id, "person_id": person_id},
    )


async def set_revenue(db: Db, user_id: int, campaign_lead_id: int, *, revenue: Decimal) -> None:
    await execute(
        db,
        "UPDATE campaign_leads SET revenue = %(revenue)s WHERE user_id = %(user_id)s AND id = %(id)s",
        {"user_id": user_id, "id": campaign_lead_id, "revenue": revenue},
    )


async def wake(db: Db, now: datetime) -> list[int]:
    """Bring back what was snoozed until now, unread; of all accounts. Returns which."""
    rows = await fetch_dicts(
        db,
        """
        WITH due AS (
            SELECT id
              FROM campaign_leads
             WHERE snoozed_until <= %(now)s
             ORDER BY id
               FOR NO KEY UPDATE SKIP LOCKED
        )
        UPDATE campaign_leads AS cl
           SET snoozed_until = NULL, is_unread = true
          FROM due
         WHERE cl.id = due.id
        RETURNING cl.id
        """,
        {"now": now},
    )
    return [row["id"] for row in rows]
