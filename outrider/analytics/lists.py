"""What there is now: campaigns, clients, mailboxes, the team. Nothing of this is a count of mails."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from outrider.analytics.mails import Scope
from outrider.kit.db import Db, fetch_dict, fetch_dicts


async def list_campaigns(db: Db, scope: Scope) -> list[dict[str, Any]]:
    """Return every campaign, subsequences included, newest first."""
    return await fetch_dicts(
        db,
        """
        SELECT id, name, status, user_id, client_id, created_at
          FROM campaigns
         WHERE user_id = %(user_id)s
           AND (%(key_client_id)s::bigint IS NULL OR client_id = %(key_client_id)s)
           AND (%(client_ids)s::bigint[] IS NULL OR client_id = ANY(%(client_ids)s))
         ORDER BY created_at DESC, id DESC
        """,
        scope.params,
    )


async def count_statuses(db: Db, scope: Scope) -> dict[str, int]:
    """Return how many campaigns are in each status; those without any are left out."""
    rows = await fetch_dicts(
        db,
        """
        SELECT status, count(*) AS campaign_count
          FROM campaigns
         WHERE user_id = %(user_id)s
           AND (%(key_client_id)s::bigint IS NULL OR client_id = %(key_client_id)s)
           AND (%(client_ids)s::bigint[] IS NULL OR client_id = ANY(%(client_ids)s))
         GROUP BY status
        """,
        scope.params,
    )
    return {row["status"]: row["campaign_count"] for row in rows}


async def list_clients(db: Db, scope: Scope) -> list[dict[str, Any]]:
    """Return the clients, newest first."""
    return await fetch_dicts(
        db,
        """
        SELECT id, name, email, uuid, created_at, user_id, logo, logo_url
          FROM clients
         WHERE user_id = %(user_id)s
           AND (%(key_client_id)s::bigint IS NULL OR id = %(key_client_id)s)
           AND (%(client_ids)s::bigint[] IS NULL OR id = ANY(%(client_ids)s))
         ORDER BY created_at DESC, id DESC
        """,
        scope.params,
    )


async def count_clients_by_month(db: Db, scope: Scope, midnights: Sequence[datetime]) -> dict[int, int]:
    """Return how many clients were made in each month, by its number from 1; `midnights` are where months begin."""
    rows = await fetch_dicts(
        db,
        """
        SELECT width_bucket(created_at, %(midnights)s::timestamptz[]) AS month, count(*) AS client_count
          FROM clients
         WHERE user_id = %(user_id)s
           AND (%(key_client_id)s::bigint IS NULL OR id = %(key_client_id)s)
           AND (%(client_ids)s::bigint[] IS NULL OR id = ANY(%(client_ids)s))
           AND created_at >= %(first)s
           AND created_at < %(last)s
         GROUP BY month
        """,
        {**scope.params, "midnights": list(midnights), "first": midnights[0], "last": midnights[-1]},
    )
    return {row["month"]: row["client_count"] for row in rows}


async def count_mailboxes(db: Db, scope: Scope) -> dict[str, int]:
    """Return how many mailboxes there are, are attached to a campaign, cannot log in, send without a warmup."""
    found = await fetch_dict(
        db,
        """
        SELECT count(*) AS total_connected,
               count(*) FILTER (WHERE is_in_use) AS in_use,
               count(*) FILTER (WHERE NOT (is_smtp_success AND is_imap_success)) AS disconnected,
               count(*) FILTER (WHERE is_in_use AND warmup IS DISTINCT FROM 'ACTIVE') AS enabled_without_warmup
          FROM (SELECT m.is_smtp_success, m.is_imap_success, w.status AS warmup,
                       EXISTS (SELECT FROM campaign_mailboxes AS cm WHERE cm.mailbox_id = m.id) AS is_in_use
                  FROM mailboxes AS m
                  LEFT JOIN mailbox_warmups AS w ON w.mailbox_id = m.id
                 WHERE m.user_id = %(user_id)s
                   AND m.deleted_at IS NULL
                   AND (%(key_client_id)s::bigint IS NULL OR m.client_id = %(key_client_id)s)
                   AND (%(client_ids)s::bigint[] IS NULL OR m.client_id = ANY(%(client_ids)s))) AS mailbox
        """,
        scope.params,
    )
    return found or {}


async def list_team(db: Db, user_id: int) -> list[dict[str, Any]]:
    """Return the people of the account; who has no password yet is only invited."""
    return await fetch_dicts(
        db,
        """
        SELECT id, name, password_hash IS NOT NULL AS is_active
          FROM people
         WHERE user_id = %(user_id)s
        """,
        {"user_id": user_id},
    )
