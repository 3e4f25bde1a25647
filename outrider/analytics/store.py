"""SQL of the figures of one campaign. One row of `messages` with a step is one mail of the sequence."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, LiteralString

from outrider.kit.db import Db, fetch_dict, fetch_dicts, fetch_value


async def list_statistics(
    db: Db,
    user_id: int,
    campaign_id: int,
    *,
    step_numbers: Sequence[int] | None,
    status: str | None,
    sent_from: datetime | None,
    sent_before: datetime | None,
    offset: int,
    limit: int,
) -> tuple[int, list[dict[str, Any]]]:
    """Return how many mails match, and one page of them in the order of sending: new ones append."""
    params = {
        "user_id": user_id,
        "campaign_id": campaign_id,
        "step_numbers": list(step_numbers) if step_numbers else None,
        "status": status,
        "sent_from": sent_from,
        "sent_before": sent_before,
        "offset": offset,
        "limit": limit,
    }
    total: int = await fetch_value(db, f"SELECT count(*) {_MATCHING}", params)
    rows = await fetch_dicts(
        db,
        f"""
        SELECT m.stats_id, m.to_email, m.step_number, m.step_id, m.variant_id, m.subject, m.sent_at, m.open_count,
               m.click_count, m.first_opened_at, m.first_clicked_at, m.first_replied_at, m.unsubscribed_at,
               m.bounce_kind, m.is_reply_ignored, coalesce(b.html, b.text) AS body,
               l.first_name, l.last_name, c.name AS category
          FROM (SELECT m.* {_MATCHING}
                 ORDER BY m.sent_at, m.id
                OFFSET %(offset)s
                 LIMIT %(limit)s) AS m
          LEFT JOIN message_bodies AS b ON b.message_id = m.id
          LEFT JOIN leads AS l ON l.id = m.lead_id
          LEFT JOIN campaign_leads AS cl ON cl.id = m.campaign_lead_id
          LEFT JOIN categories AS c ON c.id = cl.category_id
         ORDER BY m.sent_at, m.id
        """,  # noqa: S608 - a constant
        params,
    )
    return total, rows


_MATCHING: LiteralString = """
          FROM messages AS m
          JOIN steps AS s ON s.id = m.step_id AND NOT s.is_analytics_dropped
         WHERE m.user_id = %(user_id)s
           AND m.campaign_id = %(campaign_id)s
           AND m.sent_at IS NOT NULL
           AND (%(step_numbers)s::integer[] IS NULL OR m.step_number = ANY(%(step_numbers)s))
           AND (%(sent_from)s::timestamptz IS NULL OR m.sent_at >= %(sent_from)s)
           AND (%(sent_before)s::timestamptz IS NULL OR m.sent_at < %(sent_before)s)
           AND CASE %(status)s::text
                    WHEN 'opened' THEN m.first_opened_at IS NOT NULL
                    WHEN 'clicked' THEN m.first_clicked_at IS NOT NULL
                    WHEN 'replied' THEN m.first_replied_at IS NOT NULL
                    WHEN 'unsubscribed' THEN m.unsubscribed_at IS NOT NULL
                    WHEN 'bounced' THEN m.bounce_kind IN ('HARD', 'SOFT')
                    ELSE true END
"""


async def load_totals(db: Db, user_id: int, campaign_id: int) -> dict[str, Any]:
    """Return the counters of all mails of the campaign: rows with at least one such event, and distinct leads."""
    totals = await fetch_dict(
        db,
        """
        SELECT count(*) AS sent_count,
               count(DISTINCT m.campaign_lead_id) AS unique_sent_count,
               count(*) FILTER (WHERE m.first_opened_at IS NOT NULL) AS open_count,
               count(DISTINCT m.campaign_lead_id) FILTER (WHERE m.first_opened_at IS NOT NULL) AS unique_open_count,
               count(*) FILTER (WHERE m.first_clicked_at IS NOT NULL) AS click_count,
               count(DISTINCT m.campaign_lead_id) FILTER (WHERE m.first_clicked_at IS NOT NULL) AS unique_click_count,
               count(DISTINCT m.campaign_lead_id) FILTER (WHERE m.first_replied_at IS NOT NULL) AS reply_count,
               count(*) FILTER (WHERE m.bounce_kind IN ('HARD', 'SOFT')) AS bounce_count,
               count(*) FILTER (WHERE m.bounce_kind = 'SENDER') AS sender_bounce_count,
               count(*) FILTER (WHERE m.unsubscribed_at IS NOT NULL) AS unsubscribed_count
          FROM messages AS m
          JOIN steps AS s ON s.id = m.step_id AND NOT s.is_analytics_dropped
         WHERE m.user_id = %(user_id)s
           AND m.campaign_id = %(campaign_id)s
           AND m.sent_at IS NOT NULL
        """,
        {"user_id": user_id, "campaign_id": campaign_id},
    )
    return totals or {}


async def load_lead_totals(db: Db, user_id: int, campaign_id: int) -> dict[str, Any]:
    """Return how many leads are where, and how many mails are still planned or were suppressed."""
    totals = await fetch_dict(
        db,
        """
        SELECT count(*) AS total,
               count(*) FILTER (WHERE cl.status = 'STARTED') AS not_started,
               count(*) FILTER (WHERE cl.status = 'INPROGRESS') AS in_progress,
               count(*) FILTER (WHERE cl.status = 'COMPLETED') AS completed,
               count(*) FILTER (WHERE cl.status = 'PAUSED') AS paused,
               count(*) FILTER (WHERE cl.status = 'STOPPED') AS stopped,
               count(*) FILTER (WHERE cl.status = 'BLOCKED') AS blocked,
               count(*) FILTER (WHERE c.sentiment_type = 'positive') AS interested,
               coalesce(sum(cl.revenue), 0) AS revenue,
               coalesce(sum(ahead.step_count) FILTER (WHERE cl.status IN ('STARTED', 'INPROGRESS', 'PAUSED')), 0)
                 AS drafted_count,
               count(*) FILTER (WHERE cl.status = 'BLOCKED' AND cl.hold_reason = 'BLOCKLISTED') AS block_count
          FROM campaign_leads AS cl
          LEFT JOIN categories AS c ON c.id = cl.category_id
          LEFT JOIN (SELECT taken.number, count(s.id) AS step_count
                       FROM (SELECT DISTINCT last_step_number AS number
                               FROM campaign_leads
                              WHERE campaign_id = %(campaign_id)s) AS taken
                       LEFT JOIN steps AS s
                         ON s.campaign_id = %(campaign_id)s AND s.deleted_at IS NULL AND s.type = 'EMAIL'
                        AND s.number > taken.number
                      GROUP BY taken.number) AS ahead ON ahead.number = cl.last_step_number
         WHERE cl.user_id = %(user_id)s
           AND cl.campaign_id = %(campaign_id)s
        """,
        {"user_id": user_id, "campaign_id": campaign_id},
    )
    return totals or {}


async def load_surroundings(db: Db, user_id: int, campaign_id: int) -> dict[str, Any]:
    """Return the campaign's client, tags and number of steps."""
    found = await fetch_dict(
        db,
        """
        SELECT cl.name AS client_name, cl.email AS client_email, cl.company AS client_company_name,
               (SELECT count(*) FROM steps AS s WHERE s.campaign_id = c.id AND s.deleted_at IS NULL) AS sequence_count,
               (SELECT coalesce(jsonb_agg(jsonb_build_object('id', t.id, 'name', t.name, 'color', t.color)
                                          ORDER BY t.id), '[]')
                  FROM campaign_tags AS ct
                  JOIN tags AS t ON t.id = ct.tag_id
                 WHERE ct.campaign_id = c.id) AS tags
          FROM campaigns AS c
          LEFT JOIN clients AS cl ON cl.id = c.client_id
         WHERE c.user_id = %(user_id)s
           AND c.id = %(campaign_id)s
        """,
        {"user_id": user_id, "campaign_id": campaign_id},
    )
    return found or {}


async def list_export_rows(
    db: Db, user_id: int, campaign_id: int, *, after_id: int, limit: int
) -> list[dict[str, Any]]:
    """Return the next leads of the campaign by map id, with their figures."""
    return await fetch_dicts(
        db,
        """
        SELECT cl.id AS campaign_lead_map_id, cl.lead_id, cl.status, c.name AS category,
               c.sentiment_type IS NOT DISTINCT FROM 'positive' AS is_interested, cl.created_at,
               l.first_name, l.last_name, l.email, l.phone_number, l.company_name, l.website, l.location,
               l.custom_fields, l.linkedin_profile, l.company_url,
               l.is_unsubscribed OR cl.is_unsubscribed AS is_unsubscribed, l.unsubscribed_client_ids,
               cl.last_step_number, figures.open_count, figures.click_count, figures.reply_count
          FROM campaign_leads AS cl
          JOIN leads AS l ON l.id = cl.lead_id
          LEFT JOIN categories AS c ON c.id = cl.category_id
         CROSS JOIN LATERAL (
                SELECT coalesce(sum(m.open_count), 0) AS open_count,
                       coalesce(sum(m.click_count), 0) AS click_count,
                       count(m.first_replied_at) AS reply_count
                  FROM messages AS m
                 WHERE m.campaign_lead_id = cl.id
                   AND m.step_id IS NOT NULL
               ) AS figures
         WHERE cl.user_id = %(user_id)s
           AND cl.campaign_id = %(campaign_id)s
           AND cl.id > %(after_id)s
         ORDER BY cl.id
         LIMIT %(limit)s
        """,
        {"user_id": user_id, "campaign_id": campaign_id, "after_id": after_id, "limit": limit},
    )
