"""What becomes of leads when their campaign changes under them: its sequence, its mailboxes, its status.

Handlers of events, one statement for all leads of a campaign (contract: campaigns, Save Campaign Sequence and Remove
Email Account; decision 30).
"""

from collections.abc import Sequence
from datetime import datetime

from outrider.campaigns.models import (
    CampaignStatus,
    CampaignStatusChanged,
    MailboxRemoved,
    MissingVariableRuleChanged,
    StepsChanged,
)
from outrider.kit.db import Db, execute
from outrider.leads import progress


async def follow_steps(db: Db, events: Sequence[StepsChanged]) -> None:
    """When everything was emptied, every lead keeps its status and nothing is sent."""
    for event in events:
        if not event.is_emptied:
            await progress.forget_text_holds(db, event.user_id, campaign_id=event.campaign_id)
            await follow_dates(db, event.user_id, event.campaign_id, now=event.at)


async def follow_rule(db: Db, events: Sequence[MissingVariableRuleChanged]) -> None:
    for event in events:
        await progress.forget_text_holds(db, event.user_id, campaign_id=event.campaign_id)


async def follow_start(db: Db, events: Sequence[CampaignStatusChanged]) -> None:
    """Steps may have been added while the campaign was at rest."""
    for event in events:
        if event.current is CampaignStatus.ACTIVE:
            await follow_dates(db, event.user_id, event.campaign_id, now=event.at)


async def follow_mailboxes(db: Db, events: Sequence[MailboxRemoved]) -> None:
    for event in events:
        if event.reallocate:
            await _reallocate(db, event)
        await _release(db, event)


async def follow_dates(db: Db, user_id: int, campaign_id: int, *, now: datetime) -> None:
    """Every lead in mid-sequence gets the date of what is now its next step.

    Without a step left it is COMPLETED. One that was COMPLETED only because the steps ran out goes on if the campaign
    is ACTIVE, unless it was completed by hand, has answered or may not be mailed; if its mailbox has left the campaign
    meanwhile, it is STOPPED for that. A lead whose mail is on its way is dated by what becomes of that mail.
    """
    await execute(
        db,
        """
        WITH place AS (
            SELECT m.id, m.status, m.last_sent_at, m.hold_code,
                   m.mailbox_id IS NULL
                   OR EXISTS (SELECT FROM campaign_mailboxes AS cm
                              WHERE cm.campaign_id = m.campaign_id AND cm.mailbox_id = m.mailbox_id) AS has_mailbox,
                   next.id AS step_id, next.type AS step_type,
                   CASE WHEN campaigns.count_only_sending_days AND next.delay_days > 0 AND campaigns.days <> '{}'
                        THEN (SELECT later
                              FROM generate_series(1, next.delay_days * 7) AS later
                              WHERE extract(dow FROM (coalesce(m.last_sent_at, %(now)s)
                                                      AT TIME ZONE coalesce(campaigns.timezone, 'UTC'))::date + later)
                                    = ANY(campaigns.days)
                              ORDER BY later
                              OFFSET next.delay_days - 1
                              LIMIT 1)
                        ELSE next.delay_days END AS delay_days,
                   coalesce(campaigns.timezone, 'UTC') AS zone,
                   greatest(campaigns.min_time_between_emails, 1) * interval '1 minute' AS gap
            FROM campaign_leads AS m
            JOIN campaigns ON campaigns.id = m.campaign_id
            LEFT JOIN steps AS last ON last.id = m.last_step_id AND last.deleted_at IS NULL
            LEFT JOIN LATERAL (
                    SELECT steps.id, steps.type, steps.delay_days
                    FROM steps
                    WHERE steps.campaign_id = m.campaign_id
                      AND steps.deleted_at IS NULL
                      AND steps.number > coalesce(last.number, m.last_step_number)
                      AND NOT EXISTS (SELECT FROM messages
                                      WHERE messages.campaign_lead_id = m.id AND messages.step_id = steps.id)
                    ORDER BY steps.number
                    LIMIT 1
                 ) AS next ON true
            WHERE m.user_id = %(user_id)s
              AND m.campaign_id = %(campaign_id)s
              AND m.last_step_number > 0
              AND NOT EXISTS (SELECT FROM dispatches WHERE dispatches.campaign_lead_id = m.id)
              AND (m.status IN ('INPROGRESS', 'PAUSED')
                   OR (m.status = 'COMPLETED'
                       AND campaigns.status = 'ACTIVE'
                       AND next.id IS NOT NULL
                       AND NOT m.is_completed_by_hand
                       AND m.hold_reason IS NULL
                       AND NOT m.is_unsubscribed
                       -- it went on in a subsequence, or has left this one for another
                       AND NOT EXISTS (SELECT FROM campaign_leads AS other
                                       WHERE other.parent_campaign_lead_id = m.id
                                          OR (other.parent_campaign_lead_id = m.parent_campaign_lead_id
                                              AND other.id > m.id))
                       AND (m.last_reply_at IS NULL OR campaigns.stop_lead_settings = 'NEVER')
                       AND EXISTS (SELECT FROM leads
                                   WHERE leads.id = m.lead_id
                                     AND NOT leads.is_unsubscribed
                                     AND NOT leads.unsubscribed_client_ids @> ARRAY[campaigns.client_id])
                       AND NOT EXISTS (
                               SELECT
                               FROM messages AS mail
                               WHERE mail.campaign_lead_id = m.id
                                 AND mail.step_id IS NOT NULL
                                 AND CASE campaigns.stop_lead_settings
                                         WHEN 'OPEN_AN_EMAIL' THEN coalesce(mail.first_opened_at, mail.first_clicked_at)
                                         WHEN 'CLICK_ON_A_LINK' THEN mail.first_clicked_at
                                     END IS NOT NULL)))
        ), ahead AS (
            SELECT id,
                   CASE WHEN step_id IS NULL THEN 'COMPLETED'
                        WHEN status = 'PAUSED' THEN 'PAUSED'
                        WHEN status = 'COMPLETED' AND NOT has_mailbox THEN 'STOPPED'
                        ELSE 'INPROGRESS' END AS status,
                   -- a person has been told of the step already
                   hold_code IS NOT DISTINCT FROM 'MANUAL_STEP' AND step_type IS NOT DISTINCT FROM 'MANUAL' AS waits,
                   CASE WHEN delay_days = 0 THEN coalesce(last_sent_at, %(now)s) + gap
                        ELSE (coalesce(last_sent_at, %(now)s) AT TIME ZONE zone + delay_days * interval '1 day')
                             AT TIME ZONE zone END AS due_at
            FROM place
        ), planned AS (
            SELECT id, status, waits,
                   CASE WHEN status = 'INPROGRESS' AND NOT waits THEN due_at END AS due_at
            FROM ahead
        )
        UPDATE campaign_leads AS m
        SET status = planned.status,
            due_at = planned.due_at,
            hold_reason = CASE planned.status WHEN 'COMPLETED' THEN NULL WHEN 'STOPPED' THEN 'MAILBOX_GONE'
                                              ELSE m.hold_reason END,
            resume_at = CASE WHEN planned.status = 'PAUSED' THEN m.resume_at END,
            hold_code = CASE WHEN planned.waits THEN m.hold_code END,
            hold_text = CASE WHEN planned.waits THEN m.hold_text END,
            hold_until = NULL,
            updated_at = %(now)s
        FROM planned
        WHERE m.id = planned.id
          AND (m.status, m.due_at) IS DISTINCT FROM (planned.status, planned.due_at)
        """,
        {"user_id": user_id, "campaign_id": campaign_id, "now": now},
    )


async def _reallocate(db: Db, event: MailboxRemoved) -> None:
    """Leads in mid-sequence go on from the campaign's other mailboxes, those that can send, spread evenly over them."""
    await execute(
        db,
        """
        WITH senders AS (
            SELECT campaign_mailboxes.mailbox_id,
                   row_number() OVER (PARTITION BY sends ORDER BY campaign_mailboxes.mailbox_id) - 1 AS position,
                   count(*) OVER (PARTITION BY sends) AS sender_count,
                   rank() OVER (ORDER BY sends DESC) AS preference
            FROM campaign_mailboxes
            JOIN mailboxes ON mailboxes.id = campaign_mailboxes.mailbox_id
            CROSS JOIN LATERAL (SELECT mailboxes.is_smtp_success AND NOT mailboxes.is_suspended AS sends) AS state
            WHERE campaign_mailboxes.user_id = %(user_id)s
              AND campaign_mailboxes.campaign_id = %(campaign_id)s
              AND mailboxes.deleted_at IS NULL
        ), orphans AS (
            SELECT id, row_number() OVER (ORDER BY id) - 1 AS position
            FROM campaign_leads
            WHERE user_id = %(user_id)s
              AND campaign_id = %(campaign_id)s
              AND mailbox_id = ANY(%(mailbox_ids)s)
              AND status IN ('INPROGRESS', 'PAUSED')
        )
        UPDATE campaign_leads AS m
        SET mailbox_id = senders.mailbox_id,
            updated_at = %(now)s
        FROM orphans
        JOIN senders ON senders.preference = 1 AND senders.position = orphans.position %% senders.sender_count
        WHERE m.id = orphans.id
        """,
        {
            "user_id": event.user_id,
            "campaign_id": event.campaign_id,
            "mailbox_ids": list(event.mailbox_ids),
            "now": event.at,
        },
    )


async def _release(db: Db, event: MailboxRemoved) -> None:
    """A lead without a mail is free for the others; one in mid-sequence stops until it is re-allocated.

    PAUSED leads stay so: whether they can go on is asked when they are resumed.
    """
    await execute(
        db,
        """
        UPDATE campaign_leads
        SET mailbox_id = CASE WHEN status = 'STARTED' THEN NULL ELSE mailbox_id END,
            hold_reason = CASE WHEN status = 'INPROGRESS' THEN 'MAILBOX_GONE' ELSE hold_reason END,
            due_at = CASE WHEN status = 'INPROGRESS' THEN NULL ELSE due_at END,
            status = CASE WHEN status = 'INPROGRESS' THEN 'STOPPED' ELSE status END,
            hold_code = NULL,
            hold_text = NULL,
            hold_until = NULL,
            updated_at = %(now)s
        WHERE user_id = %(user_id)s
          AND campaign_id = %(campaign_id)s
          AND mailbox_id = ANY(%(mailbox_ids)s)
          AND status IN ('STARTED', 'INPROGRESS')
        """,
        {
            "user_id": event.user_id,
            "campaign_id": event.campaign_id,
            "mailbox_ids": list(event.mailbox_ids),
            "now": event.at,
        },
    )
