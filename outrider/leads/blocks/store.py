"""SQL on the block list and on what its entries do to leads in campaigns."""

from collections.abc import Sequence
from datetime import datetime

from outrider.kit.db import Db, execute, fetch_all, fetch_dicts, fetch_value
from outrider.leads.blocks.models import BlockEntry, blocking_entries
from outrider.leads.models import HoldReason


async def insert_entries(
    db: Db, user_id: int, entries: Sequence[str], *, client_id: int | None, source: str, now: datetime
) -> list[str]:
    """Add entries; returns the new ones. The same entry may exist for the account and for clients."""
    rows = await fetch_dicts(
        db,
        """
        INSERT INTO block_list (user_id, client_id, email_or_domain, source, created_at)
        SELECT %(user_id)s, %(client_id)s, given.entry, %(source)s, %(now)s
        FROM unnest(%(entries)s::text[]) WITH ORDINALITY AS given (entry, position)
        ORDER BY given.position
        ON CONFLICT (user_id, email_or_domain, coalesce(client_id, 0)) DO NOTHING
        RETURNING email_or_domain
        """,
        {"user_id": user_id, "client_id": client_id, "entries": list(entries), "source": source, "now": now},
    )
    return [row["email_or_domain"] for row in rows]


async def block_open_leads(
    db: Db, user_id: int, entries: Sequence[str], *, client_id: int | None, reason: HoldReason, now: datetime
) -> None:
    """BLOCKED are the open leads in campaigns that these entries match, with a domain its sub-domains too."""
    domains = [entry for entry in entries if "@" not in entry]
    await execute(
        db,
        """
        WITH blocked_domains AS (
            SELECT DISTINCT domain
            FROM leads
            WHERE user_id = %(user_id)s
              AND cardinality(%(domains)s::text[]) > 0
              AND (domain = ANY(%(domains)s::text[]) OR domain LIKE ANY(%(sub_domains)s::text[]))
        ), hit AS (
            SELECT m.id
            FROM leads
            JOIN campaign_leads AS m ON m.lead_id = leads.id
            JOIN campaigns ON campaigns.id = m.campaign_id
            WHERE leads.user_id = %(user_id)s
              AND (leads.email = ANY(%(addresses)s::text[])
                   OR leads.domain = ANY(ARRAY(SELECT domain FROM blocked_domains)))
              AND m.status IN ('STARTED', 'INPROGRESS', 'PAUSED')
              AND (%(client_id)s::bigint IS NULL OR campaigns.client_id = %(client_id)s)
            ORDER BY m.id
            FOR NO KEY UPDATE OF m
        )
        UPDATE campaign_leads AS m
        SET status = 'BLOCKED',
            hold_reason = %(reason)s,
            due_at = NULL,
            resume_at = NULL,
            hold_code = NULL,
            hold_text = NULL,
            hold_until = NULL,
            updated_at = %(now)s
        FROM hit
        WHERE m.id = hit.id
        """,
        {
            "user_id": user_id,
            "client_id": client_id,
            "addresses": [entry for entry in entries if "@" in entry],
            "domains": domains,
            "sub_domains": [f"%.{domain}" for domain in domains],  # no wildcard is a character of a domain
            "reason": reason,
            "now": now,
        },
    )


async def list_entries(
    db: Db,
    user_id: int,
    *,
    client_id: int | None,
    part: str | None,
    blocking: str | None,
    offset: int,
    limit: int | None,
) -> list[BlockEntry]:
    """Newest first. `part`: has this in it; `blocking`: would block this address."""
    return await fetch_all(
        db,
        BlockEntry,
        """
        SELECT id, user_id, client_id, email_or_domain, source, created_at
        FROM block_list
        WHERE user_id = %(user_id)s
          AND (%(client_id)s::bigint IS NULL OR client_id = %(client_id)s)
          AND (%(part)s::text IS NULL OR strpos(email_or_domain, lower(%(part)s)) > 0)
          AND (%(blocking)s::text[] IS NULL OR email_or_domain = ANY(%(blocking)s))
        ORDER BY id DESC
        OFFSET %(offset)s
        LIMIT %(limit)s
        """,
        {
            "user_id": user_id,
            "client_id": client_id,
            "part": part,
            "blocking": None if blocking is None else blocking_entries(blocking.lower()),
            "offset": offset,
            "limit": limit,
        },
    )


async def is_blocked(db: Db, user_id: int, email: str, *, client_id: int | None, since: datetime | None) -> bool:
    """Whether campaigns of this client (None: of the account itself) may not mail the address; `since`: newer entries."""
    return bool(
        await fetch_value(
            db,
            """
            SELECT EXISTS (
                SELECT
                FROM block_list
                WHERE user_id = %(user_id)s
                  AND email_or_domain = ANY(%(entries)s)
                  AND (client_id IS NULL OR client_id = %(client_id)s)
                  AND (%(since)s::timestamptz IS NULL OR created_at > %(since)s)
            )
            """,
            {"user_id": user_id, "entries": blocking_entries(email), "client_id": client_id, "since": since},
        )
    )


async def delete_entry(db: Db, user_id: int, entry_id: int, *, client_id: int | None) -> bool:
    """By id; with the key of a client only one of its own."""
    return bool(
        await execute(
            db,
            """
            DELETE FROM block_list
            WHERE id = %(id)s
              AND user_id = %(user_id)s
              AND (%(client_id)s::bigint IS NULL OR client_id = %(client_id)s)
            """,
            {"id": entry_id, "user_id": user_id, "client_id": client_id},
        )
    )


async def delete_entry_by_name(db: Db, user_id: int, entry: str, *, client_id: int | None) -> bool:
    """The entry of exactly this client, or of the whole account."""
    return bool(
        await execute(
            db,
            """
            DELETE FROM block_list
            WHERE user_id = %(user_id)s
              AND email_or_domain = %(entry)s
              AND coalesce(client_id, 0) = coalesce(%(client_id)s::bigint, 0)
            """,
            {"user_id": user_id, "entry": entry, "client_id": client_id},
        )
    )


async def record_hard_bounce(db: Db, email: str, *, now: datetime) -> None:
    """Known in the whole installation: it belongs to no account."""
    await execute(
        db,
        """
        INSERT INTO hard_bounces (email, created_at)
        VALUES (%(email)s, %(now)s)
        ON CONFLICT DO NOTHING
        """,
        {"email": email, "now": now},
    )


async def widen_to_account(db: Db, user_id: int, client_id: int) -> None:
    """Entries of a client that is going become the account's; the same entry may be there."""
    await execute(
        db,
        """
        WITH gone AS (
            DELETE FROM block_list
            WHERE user_id = %(user_id)s
              AND client_id = %(client_id)s
            RETURNING email_or_domain, source, created_at
        )
        INSERT INTO block_list (user_id, email_or_domain, source, created_at)
        SELECT %(user_id)s, email_or_domain, source, created_at
        FROM gone
        ON CONFLICT (user_id, email_or_domain, coalesce(client_id, 0)) DO NOTHING
        """,
        {"user_id": user_id, "client_id": client_id},
    )
