"""SQL of hits. A token names the mail itself, so there is no account to ask for: each row brings its own."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from outrider.kit.db import Db, execute, fetch_all, fetch_dicts, fetch_value
from outrider.tracking.models import Hit, Revision, Tracked, Verdict, Visit

# Somebody of the account: with the session of a log-in, or from where one of its people is logged in.
_HIT = """
    h.id, h.message_id, h.kind, h.url, h.method, h.address, h.user_agent, h.verdict, h.reason, h.occurred_at AS at,
    EXISTS (SELECT
              FROM sessions AS s
              JOIN people AS p ON p.id = s.person_id
             WHERE p.user_id = m.user_id
               AND s.expires_at > h.occurred_at
               AND (s.token_hash = h.session_hash OR s.address = h.address)) AS is_own
"""


async def insert_visits(db: Db, visits: Sequence[Visit]) -> None:
    """Keep what came in. Nothing is kept of a mail that is gone, or of what its campaign does not track."""
    await execute(
        db,
        """
        INSERT INTO tracking_hits (message_id, kind, url, method, address, user_agent, session_hash, occurred_at)
        SELECT hit.*
          FROM unnest(%(message_ids)s::bigint[], %(kinds)s::text[], %(urls)s::text[], %(methods)s::text[],
                      %(addresses)s::text[], %(user_agents)s::text[], %(session_hashes)s::bytea[],
                      %(occurred_at)s::timestamptz[])
               AS hit (message_id, kind, url, method, address, user_agent, session_hash, occurred_at)
          JOIN messages AS m ON m.id = hit.message_id
          JOIN campaigns AS c ON c.id = m.campaign_id
         WHERE m.direction = 'OUT'
           AND m.kind = 'CAMPAIGN'
           AND NOT CASE hit.kind WHEN 'OPEN' THEN 'DONT_EMAIL_OPEN' ELSE 'DONT_LINK_CLICK' END = ANY(c.track_settings)
        """,
        {
            "message_ids": [each.message_id for each in visits],
            "kinds": [each.kind for each in visits],
            "urls": [each.url for each in visits],
            "methods": [each.method for each in visits],
            "addresses": [each.address for each in visits],
            "user_agents": [each.user_agent for each in visits],
            "session_hashes": [each.session_hash for each in visits],
            "occurred_at": [each.at for each in visits],
        },
    )


async def list_waiting_mails(db: Db, before: datetime, *, limit: int) -> list[int]:
    """Return mails with hits that can be judged now, those that wait longest first."""
    rows = await fetch_dicts(
        db,
        """
        SELECT message_id
          FROM (SELECT message_id, occurred_at
                  FROM tracking_hits
                 WHERE verdict IS NULL
                   AND occurred_at <= %(before)s
                 ORDER BY occurred_at
                 LIMIT %(limit)s) AS waiting
         GROUP BY message_id
        """,
        {"before": before, "limit": limit},
    )
    return [row["message_id"] for row in rows]


async def drop_orphans(db: Db, message_ids: Sequence[int]) -> None:
    """A mail may have been deleted since."""
    await execute(
        db,
        """
        DELETE FROM tracking_hits AS h
         WHERE h.message_id = ANY(%(ids)s)
           AND h.verdict IS NULL
           AND NOT EXISTS (SELECT FROM messages WHERE messages.id = h.message_id)
        """,
        {"ids": list(message_ids)},
    )


async def lock_tracked(db: Db, message_ids: Sequence[int]) -> dict[int, Tracked]:
    """Return these mails, locked; those that somebody else has locked wait for the next turn."""
    rows = await fetch_all(
        db,
        Tracked,
        """
        SELECT id, user_id, campaign_id, campaign_lead_id, coalesce(sent_at, claimed_at) AS handed_over_at
          FROM messages
         WHERE id = ANY(%(ids)s)
         ORDER BY id
           FOR NO KEY UPDATE SKIP LOCKED
        """,
        {"ids": list(message_ids)},
    )
    return {row.id: row for row in rows}


async def list_hits(db: Db, message_ids: Sequence[int], *, each: int) -> list[Hit]:
    """Return hits of these mails in order: those that wait longest, then those that were judged last."""
    return await fetch_all(
        db,
        Hit,
        f"""
        SELECT {_HIT}
          FROM messages AS m
         CROSS JOIN LATERAL (
                SELECT *
                  FROM tracking_hits
                 WHERE tracking_hits.message_id = m.id
                 ORDER BY verdict IS NULL DESC, CASE WHEN verdict IS NULL THEN id ELSE -id END
                 LIMIT %(each)s
               ) AS h
         WHERE m.id = ANY(%(ids)s)
         ORDER BY h.occurred_at, h.id
        """,  # noqa: S608 - constants
        {"ids": list(message_ids), "each": each},
    )


async def update_verdicts(db: Db, judged: Sequence[tuple[Hit, Verdict]]) -> None:
    await execute(
        db,
        """
        UPDATE tracking_hits AS h
           SET verdict = judged.verdict, reason = judged.reason
          FROM unnest(%(ids)s::bigint[], %(verdicts)s::text[], %(reasons)s::text[]) AS judged (id, verdict, reason)
         WHERE h.id = judged.id
        """,
        {
            "ids": [hit.id for hit, _ in judged],
            "verdicts": [verdict.word for _, verdict in judged],
            "reasons": [verdict.reason for _, verdict in judged],
        },
    )


async def revise(db: Db, hit_ids: Sequence[int], verdict: str, revision: Revision, now: datetime) -> None:
    """Another verdict than before; the first reason stays, and what changed it stands beside it."""
    await execute(
        db,
        """
        UPDATE tracking_hits
           SET verdict = %(verdict)s, revision = %(revision)s, revised_at = %(now)s
         WHERE id = ANY(%(ids)s)
        """,
        {"ids": list(hit_ids), "verdict": verdict, "revision": revision, "now": now},
    )


async def list_prefetches(db: Db, message_ids: Sequence[int]) -> list[Hit]:
    """Return the first unseen fetch of each of these mails that nobody has opened visibly."""
    return await fetch_all(
        db,
        Hit,
        f"""
        SELECT DISTINCT ON (h.message_id) {_HIT}
          FROM tracking_hits AS h
          JOIN messages AS m ON m.id = h.message_id
         WHERE h.message_id = ANY(%(ids)s)
           AND h.kind = 'OPEN'
           AND h.verdict = 'MACHINE'
           AND h.reason = 'APPLE_PREFETCH'
           AND NOT EXISTS (SELECT
                             FROM tracking_hits AS other
                            WHERE other.message_id = h.message_id
                              AND other.kind = 'OPEN'
                              AND other.verdict = 'HUMAN')
         ORDER BY h.message_id, h.occurred_at, h.id
        """,  # noqa: S608 - constants
        {"ids": list(message_ids)},
    )


async def list_campaign_hits(
    db: Db,
    user_id: int,
    campaign_id: int,
    *,
    lead_id: int | None,
    verdict: str | None,
    offset: int,
    limit: int | None,
) -> tuple[int, list[dict[str, Any]]]:
    """How many visits of a campaign's mails match, and one page of them, the latest first."""
    params = {
        "user_id": user_id,
        "campaign_id": campaign_id,
        "lead_id": lead_id,
        "verdict": verdict,
        "offset": offset,
        "limit": limit,
    }
    matches = """
          FROM messages AS m
          JOIN tracking_hits AS h ON h.message_id = m.id
         WHERE m.user_id = %(user_id)s
           AND m.campaign_id = %(campaign_id)s
           AND (%(lead_id)s::bigint IS NULL OR m.lead_id = %(lead_id)s)
           AND (%(verdict)s::text IS NULL OR coalesce(h.verdict, 'WAITING') = %(verdict)s)
    """
    total: int = await fetch_value(db, "SELECT count(*)" + matches, params)
    rows = await fetch_dicts(
        db,
        """
        SELECT h.id, h.kind, h.url, h.method, h.address, h.user_agent, coalesce(h.verdict, 'WAITING') AS verdict,
               h.reason, h.revision, h.revised_at, h.occurred_at, m.stats_id, m.lead_id, m.campaign_lead_id, m.to_email,
               m.step_number
        """
        + matches
        + " ORDER BY h.occurred_at DESC, h.id DESC OFFSET %(offset)s LIMIT %(limit)s",
        params,
    )
    return total, rows
