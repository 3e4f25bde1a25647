"""Mails in doubt: handed over, and nobody heard what became of them (decision 27). A trace of one settles it."""

from collections.abc import Mapping, Sequence
from typing import Any

from outrider.kit.db import Db, fetch_dicts
from outrider.kit.events import emit
from outrider.messages.models import HandwrittenSent, MessageSent


async def settle(db: Db, message_ids: Sequence[int]) -> None:
    """A mail in doubt was seen (in Sent, opened, answered, bounced): it was SENT when it was handed over (decision 27).

    Its events follow: the SENT event takes the place of the FAILED one, and whoever listens is told. One that a person
    wrote has no such event.
    """
    if not message_ids:
        return
    rows = await fetch_dicts(
        db,
        """
        WITH settled AS (
            UPDATE messages
               SET status = 'SENT', sent_at = claimed_at, is_doubtful = false
             WHERE id = ANY(%(ids)s)
               AND is_doubtful
            RETURNING id, user_id, campaign_id, campaign_lead_id, step_id, step_number, kind, sent_at
        ), renamed AS (
            UPDATE message_events AS e
               SET type = 'SENT', occurred_at = settled.sent_at
              FROM settled
             WHERE e.message_id = settled.id
               AND e.type = 'FAILED'
        )
        SELECT * FROM settled
        """,
        {"ids": list(message_ids)},
    )
    await emit(db, *map(_sent, rows))


def _sent(row: Mapping[str, Any]) -> MessageSent | HandwrittenSent:
    place = row["user_id"], row["campaign_id"], row["campaign_lead_id"], row["id"], row["sent_at"]
    if row["step_id"] is None:
        return HandwrittenSent(*place, is_forward=row["kind"] == "FORWARD")
    return MessageSent(*place, row["step_number"])


async def settle_seen(db: Db, message_ids: Sequence[int]) -> None:
    """Settle those of these mails in doubt that somebody has opened or answered before they were in doubt."""
    rows = await fetch_dicts(
        db,
        """
        SELECT id
          FROM messages
         WHERE id = ANY(%(ids)s)
           AND (first_opened_at IS NOT NULL OR first_clicked_at IS NOT NULL OR first_replied_at IS NOT NULL
                OR bounced_at IS NOT NULL)
        """,
        {"ids": list(message_ids)},
    )
    if rows:
        await settle(db, [row["id"] for row in rows])


async def list_doubtful(db: Db, mailbox_id: int) -> list[tuple[int, str]]:
    """Return (row, Message-ID) of this mailbox's mails in doubt."""
    rows = await fetch_dicts(
        db,
        """
        SELECT id, message_id
          FROM messages
         WHERE mailbox_id = %(mailbox_id)s
           AND is_doubtful
           AND message_id IS NOT NULL
        """,
        {"mailbox_id": mailbox_id},
    )
    return [(row["id"], row["message_id"]) for row in rows]
