"""Leads whose mailbox is gone, disconnected or suspended go on from the campaign's other mailboxes.

Product behaviour 1.4, decision 30. Asked for by a person, never done by itself: such mailboxes may come back.
"""

from datetime import datetime

from outrider.campaigns import actions as campaigns
from outrider.campaigns.models import NoMailboxes
from outrider.campaigns.store import lock_campaign
from outrider.kit.db import Db, fetch_value
from outrider.leads import sequence


async def reallocate(db: Db, user_id: int, campaign_id: int, *, client_id: int | None, now: datetime) -> int:
    """Move them and return how many there were; their threads go on with the old References.

    Raises NoMailboxes if the campaign has no mailbox that could send.
    """
    await lock_campaign(db, user_id, campaign_id, client_id=client_id)
    if not await _has_sender(db, user_id, campaign_id):
        raise NoMailboxes
    moved = await _move(db, user_id, campaign_id, now=now)
    if moved:
        await sequence.follow_dates(db, user_id, campaign_id, now=now)
        await campaigns.reactivate(db, user_id, campaign_id, now)
    return moved


async def _has_sender(db: Db, user_id: int, campaign_id: int) -> bool:
    return bool(
        await fetch_value(
            db,
            """
            SELECT EXISTS (
                SELECT FROM campaign_mailboxes
                JOIN mailboxes ON mailboxes.id = campaign_mailboxes.mailbox_id
                WHERE campaign_mailboxes.user_id = %(user_id)s
                  AND campaign_mailboxes.campaign_id = %(campaign_id)s
                  AND mailboxes.deleted_at IS NULL
                  AND mailboxes.is_smtp_success
                  AND NOT mailboxes.is_suspended
            )
            """,
            {"user_id": user_id, "campaign_id": campaign_id},
        )
    )


async def _move(db: Db, user_id: int, campaign_id: int, *, now: datetime) -> int:
    """Spread evenly. A lead whose first mail waits for another try in such a mailbox is one of them."""
    return int(
        await fetch_value(
            db,
            """
            WITH attached AS (
                SELECT mailboxes.id,
                       mailboxes.deleted_at IS NULL
                       AND mailboxes.is_smtp_success
                       AND NOT mailboxes.is_suspended AS sends
                FROM campaign_mailboxes
                JOIN mailboxes ON mailboxes.id = campaign_mailboxes.mailbox_id
                WHERE campaign_mailboxes.user_id = %(user_id)s
                  AND campaign_mailboxes.campaign_id = %(campaign_id)s
            ), senders AS (
                SELECT id, row_number() OVER (ORDER BY id) - 1 AS position, count(*) OVER () AS sender_count
                FROM attached
                WHERE sends
            ), orphans AS (
                SELECT m.id, row_number() OVER (ORDER BY m.id) - 1 AS position
                FROM campaign_leads AS m
                LEFT JOIN dispatches ON dispatches.campaign_lead_id = m.id
                WHERE m.user_id = %(user_id)s
                  AND m.campaign_id = %(campaign_id)s
                  AND (m.status IN ('STARTED', 'INPROGRESS', 'PAUSED')
                       OR (m.status = 'STOPPED' AND m.hold_reason = 'MAILBOX_GONE'))
                  AND coalesce(dispatches.state, 'DEFERRED') = 'DEFERRED'
                  AND coalesce(m.mailbox_id, dispatches.mailbox_id) NOT IN (SELECT id FROM senders)
            ), moved AS (
                UPDATE campaign_leads AS m
                SET mailbox_id = senders.id,
                    status = CASE WHEN m.status = 'STOPPED' THEN 'INPROGRESS' ELSE m.status END,
                    due_at = CASE WHEN m.status = 'STOPPED' THEN %(now)s ELSE m.due_at END,
                    hold_reason = CASE WHEN m.hold_reason = 'MAILBOX_GONE' THEN NULL ELSE m.hold_reason END,
                    updated_at = %(now)s
                FROM orphans
                JOIN senders ON senders.position = orphans.position %% senders.sender_count
                WHERE m.id = orphans.id
                RETURNING m.id
            )
            SELECT count(*) FROM moved
            """,
            {"user_id": user_id, "campaign_id": campaign_id, "now": now},
        )
    )
