"""SQL of hits. A token names the mail itself, so there is no account to ask for: each row brings its own."""

from collections.abc import Sequence
from datetime import datetime

from outrider.kit.db import Db, execute, fetch_all
from outrider.tracking.models import Hit, Tracked, Verdict


async def lock_tracked(db: Db, message_ids: Sequence[int], burst_since: datetime) -> dict[int, Tracked]:
    """Return the mails of these hits, locked, with the links that were clicked before and just now."""
    rows = await fetch_all(
        db,
        Tracked,
        """
        SELECT m.id, m.user_id, m.campaign_id, m.campaign_lead_id, m.status, m.claimed_at, m.sent_at,
               m.first_opened_at, c.track_settings,
               ARRAY(SELECT DISTINCT h.url FROM tracking_hits AS h
                      WHERE h.message_id = m.id AND h.kind = 'CLICK' AND h.verdict = 'HUMAN') AS clicked_urls,
               ARRAY(SELECT DISTINCT h.url FROM tracking_hits AS h
                      WHERE h.message_id = m.id AND h.kind = 'CLICK' AND h.occurred_at >= %(burst_since)s)
                 AS recent_click_urls
          FROM messages AS m
          JOIN campaigns AS c ON c.id = m.campaign_id
         WHERE m.id = ANY(%(ids)s)
           AND m.direction = 'OUT'
           AND m.kind = 'CAMPAIGN'
         ORDER BY m.id
           FOR NO KEY UPDATE OF m
        """,
        {"ids": list(message_ids), "burst_since": burst_since},
    )
    return {row.id: row for row in rows}


async def insert_hits(db: Db, hits: Sequence[tuple[Hit, Verdict]]) -> None:
    await execute(
        db,
        """
        INSERT INTO tracking_hits (message_id, kind, url, method, address, user_agent, verdict, reason, occurred_at)
        SELECT * FROM unnest(%(message_ids)s::bigint[], %(kinds)s::text[], %(urls)s::text[], %(methods)s::text[],
                             %(addresses)s::text[], %(user_agents)s::text[], %(verdicts)s::text[],
                             %(reasons)s::text[], %(occurred_at)s::timestamptz[])
        """,
        {
            "message_ids": [hit.message_id for hit, _ in hits],
            "kinds": [hit.kind for hit, _ in hits],
            "urls": [hit.url for hit, _ in hits],
            "methods": [hit.method for hit, _ in hits],
            "addresses": [hit.address for hit, _ in hits],
            "user_agents": [hit.user_agent for hit, _ in hits],
            "verdicts": ["MACHINE" if verdict.is_machine else "HUMAN" for _, verdict in hits],
            "reasons": [verdict.reason for _, verdict in hits],
            "occurred_at": [hit.at for hit, _ in hits],
        },
    )
