"""Queries on mails and threads that more than one part of the program asks."""

from collections.abc import Sequence

from outrider.kit.db import Db, fetch_all
from outrider.messages.models import ThreadMail


async def list_threads(db: Db, campaign_lead_ids: Sequence[int]) -> list[ThreadMail]:
    """Return the mails of these leads' conversations, oldest first, with the Message-IDs that the outside knows.

    One in doubt counts as sent (decision 27).
    """
    return await fetch_all(
        db,
        ThreadMail,
        """
        SELECT id, campaign_lead_id, direction, coalesce(server_message_id, message_id) AS message_id, subject,
               in_reply_to, coalesce(sent_at, claimed_at) AS sent_at
          FROM messages
         WHERE campaign_lead_id = ANY(%(ids)s)
           AND step_id IS NOT NULL
           AND status <> 'QUEUED'
         UNION ALL
        SELECT id, campaign_lead_id, direction, coalesce(server_message_id, message_id), subject, in_reply_to, sent_at
          FROM messages
         WHERE campaign_lead_id = ANY(%(ids)s)
           AND step_id IS NULL
           AND kind IN ('REPLY', 'MANUAL')
           AND sent_at IS NOT NULL
         ORDER BY sent_at, id
        """,
        {"ids": list(campaign_lead_ids)},
    )


async def list_conversations(db: Db, campaign_lead_ids: Sequence[int]) -> list[ThreadMail]:
    """The same of leads in subsequences, with all that was written before in the parent and in its other ones."""
    return await fetch_all(
        db,
        ThreadMail,
        """
        WITH part AS MATERIALIZED (
            SELECT cl.id AS campaign_lead_id, cl.id AS part_id
              FROM campaign_leads AS cl
             WHERE cl.id = ANY(%(ids)s)
             UNION
            SELECT cl.id, cl.parent_campaign_lead_id
              FROM campaign_leads AS cl
             WHERE cl.id = ANY(%(ids)s)
               AND cl.parent_campaign_lead_id IS NOT NULL
             UNION
            SELECT cl.id, sibling.id
              FROM campaign_leads AS cl
              JOIN campaign_leads AS sibling ON sibling.parent_campaign_lead_id = cl.parent_campaign_lead_id
             WHERE cl.id = ANY(%(ids)s)
        )
        SELECT m.id, part.campaign_lead_id, m.direction, coalesce(m.server_message_id, m.message_id) AS message_id,
               m.subject, m.in_reply_to, coalesce(m.sent_at, m.claimed_at) AS sent_at
          FROM part
          JOIN messages AS m ON m.campaign_lead_id = part.part_id
         WHERE m.step_id IS NOT NULL
           AND m.status <> 'QUEUED'
         UNION ALL
        SELECT m.id, part.campaign_lead_id, m.direction, coalesce(m.server_message_id, m.message_id), m.subject,
               m.in_reply_to, m.sent_at
          FROM part
          JOIN messages AS m ON m.campaign_lead_id = part.part_id
         WHERE m.step_id IS NULL
           AND m.kind IN ('REPLY', 'MANUAL')
           AND m.sent_at IS NOT NULL
         ORDER BY sent_at, id
        """,
        {"ids": list(campaign_lead_ids)},
    )
