"""Leads go on from another mailbox of their campaign: those whose own is gone, disconnected or suspended, or just one.

Product behaviour 1.4, decision 30. Asked for by a person, never done by itself: such mailboxes may come back.
"""

from datetime import datetime

from outrider.campaigns import actions as campaigns
from outrider.campaigns.models import MailboxNotAllowed, NoMailboxes
from outrider.campaigns.store import lock_campaign
from outrider.kit.db import Db, execute, fetch_value
from outrider.leads import sequence, store
from outrider.leads.models import CampaignLead, HoldReason, LeadNotFound, MailboxAssigned


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


async def assign(
    db: Db,
    user_id: int,
    campaign_id: int,
    lead_id: int,
    mailbox_id: int,
    *,
    override: bool,
    client_id: int | None,
    now: datetime,
) -> None:
    """Give one lead a mailbox of its campaign for all mails that are to come; past ones keep theirs.

    One that had stopped because its mailbox was gone goes on. Without `override` a mailbox that still serves is kept.
    """
    await lock_campaign(db, user_id, campaign_id, client_id=client_id)
    campaign_lead_id = await store.find_campaign_lead_id(db, user_id, campaign_id, lead_id)
    if campaign_lead_id is None:
        raise LeadNotFound
    campaign_lead = await store.lock_campaign_lead(db, user_id, campaign_lead_id)
    if not await store.is_attached(db, user_id, campaign_id, mailbox_id):
        raise MailboxNotAllowed(id=mailbox_id)
    if not override and campaign_lead.mailbox_id is not None and await store.has_mailbox(db, campaign_lead):
        raise MailboxAssigned
    await _assign(db, campaign_lead, mailbox_id, now=now)
    if campaign_lead.hold_reason is HoldReason.MAILBOX_GONE:
        await sequence.follow_dates(db, user_id, campaign_id, now=now)
        await campaigns.reactivate(db, user_id, campaign_id, now)


async def _assign(db: Db, campaign_lead: CampaignLead, mailbox_id: int, *, now: datetime) -> None:
    """A mail that waits for another try in the old mailbox is dropped by the engine and made anew for the new one."""
    await execute(
        db,
        """
        UPDATE campaign_leads
        SET mailbox_id = %(mailbox_id)s,
            status = CASE WHEN hold_reason = 'MAILBOX_GONE' THEN 'INPROGRESS' ELSE status END,
            due_at = CASE WHEN hold_reason = 'MAILBOX_GONE' THEN %(now)s ELSE due_at END,
            hold_reason = nullif(hold_reason, 'MAILBOX_GONE'),
            updated_at = %(now)s
        WHERE id = %(id)s
          AND user_id = %(user_id)s
        """,
        {"id": campaign_lead.id, "user_id": campaign_lead.user_id, "mailbox_id": mailbox_id, "now": now},
    )


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
                       OR (m.status = 'STOPPED'
                           AND m.hold_reason = 'MAILBOX_GONE'
                           AND NOT EXISTS (SELECT FROM campaign_leads AS other -- it went on in another subsequence
                                           WHERE other.parent_campaign_lead_id = m.parent_campaign_lead_id
                                             AND other.id > m.id)))
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
