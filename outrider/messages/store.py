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
