"""SQL of the figures of one campaign: its mails one by one, its leads, steps, variants and mailboxes."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, LiteralString

from outrider.analytics.mails import CAMPAIGN, MAIL, Scope
from outrider.analytics.windows import ALWAYS, Window
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
        **Scope(user_id=user_id, campaign_ids=[campaign_id]).params,
        "step_numbers": list(step_numbers) if step_numbers else None,
        "status": status,
        "sent_from": sent_from,
        "sent_before": sent_before,
        "offset": offset,
        "limit": limit,
    }
    total: int = await fetch_value(db, f"WITH {CAMPAIGN}, {MAIL} SELECT count(*) {_MATCHING}", params)
    rows = await fetch_dicts(
        db,
        f"""
        WITH {CAMPAIGN}, {MAIL},
        page AS (
            SELECT id, category, bounced_at, sent_at
            {_MATCHING}
             ORDER BY sent_at, id
            OFFSET %(offset)s
             LIMIT %(limit)s
        )
        SELECT m.stats_id, m.to_email, m.step_number, m.step_id, m.variant_id, m.subject, m.sent_at, m.open_count,
               m.click_count, m.first_opened_at, m.first_clicked_at, m.first_replied_at, m.unsubscribed_at,
               page.bounced_at, m.is_reply_ignored, coalesce(b.html, b.text) AS body,
               l.first_name, l.last_name, page.category
          FROM page
          JOIN messages AS m ON m.id = page.id AND m.user_id = %(user_id)s
          LEFT JOIN message_bodies AS b ON b.message_id = m.id
          LEFT JOIN leads AS l ON l.id = m.lead_id
         ORDER BY page.sent_at, page.id
        """,  # noqa: S608 - constants
        params,
    )
    return total, rows


_MATCHING: LiteralString = """
              FROM mail
             WHERE (%(step_numbers)s::integer[] IS NULL OR step_number = ANY(%(step_numbers)s))
               AND sent_at >= coalesce(%(sent_from)s::timestamptz, '-infinity')
               AND sent_at < coalesce(%(sent_before)s::timestamptz, 'infinity')
               AND CASE %(status)s::text
                        WHEN 'opened' THEN opened_at IS NOT NULL
                        WHEN 'clicked' THEN clicked_at IS NOT NULL
                        WHEN 'replied' THEN replied_at IS NOT NULL
                        WHEN 'unsubscribed' THEN unsubscribed_at IS NOT NULL
                        WHEN 'bounced' THEN bounced_at IS NOT NULL
                        ELSE true END
"""


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
                  JOIN steps AS s ON s.id = m.step_id AND NOT s.is_analytics_dropped
                 WHERE m.campaign_lead_id = cl.id
                   AND m.sent_at IS NOT NULL
               ) AS figures
         WHERE cl.user_id = %(user_id)s
           AND cl.campaign_id = %(campaign_id)s
           AND cl.id > %(after_id)s
         ORDER BY cl.id
         LIMIT %(limit)s
        """,
        {"user_id": user_id, "campaign_id": campaign_id, "after_id": after_id, "limit": limit},
    )


async def list_mailboxes(
    db: Db, user_id: int, campaign_id: int, *, offset: int = 0, limit: int | None = None
) -> list[dict[str, Any]]:
    """Return the mailboxes that the campaign sends from or has sent from, by id; deleted ones, too."""
    return await fetch_dicts(
        db,
        f"""
        WITH {CAMPAIGN}, {MAIL}
        SELECT mailbox.id, mailbox.from_email
          FROM mailboxes AS mailbox
         WHERE mailbox.user_id = %(user_id)s
           AND (mailbox.id IN (SELECT mailbox_id FROM mail)
                OR mailbox.id IN (SELECT attached.mailbox_id
                                    FROM campaign_mailboxes AS attached
                                    JOIN campaign ON campaign.id = attached.campaign_id))
         ORDER BY mailbox.id
        OFFSET %(offset)s
         LIMIT %(limit)s
        """,  # noqa: S608 - constants
        {**Scope(user_id=user_id, campaign_ids=[campaign_id]).params, "offset": offset, "limit": limit},
    )


async def list_steps(db: Db, user_id: int, campaign_id: int) -> list[dict[str, Any]]:
    """Return the steps that the sequence has now."""
    return await fetch_dicts(
        db,
        """
        SELECT id, number
          FROM steps
         WHERE user_id = %(user_id)s
           AND campaign_id = %(campaign_id)s
           AND deleted_at IS NULL
         ORDER BY number
        """,
        {"user_id": user_id, "campaign_id": campaign_id},
    )


async def list_variants(db: Db, user_id: int, campaign_id: int) -> list[dict[str, Any]]:
    """Return the variants of these steps, deleted ones too, and the step itself where it has none or had none once."""
    return await fetch_dicts(
        db,
        f"""
        WITH {CAMPAIGN}, {MAIL}
        SELECT s.id AS step_id, s.number, v.id AS variant_id, v.variant_label, v.variant_distribution_percentage,
               v.deleted_at IS NOT NULL AS is_deleted, v.position
          FROM steps AS s
          JOIN variants AS v ON v.step_id = s.id
         WHERE s.user_id = %(user_id)s
           AND s.campaign_id = ANY(%(campaign_ids)s)
           AND s.deleted_at IS NULL
         UNION ALL
        SELECT s.id, s.number, NULL, NULL, NULL, false, -1
          FROM steps AS s
         WHERE s.user_id = %(user_id)s
           AND s.campaign_id = ANY(%(campaign_ids)s)
           AND s.deleted_at IS NULL
           AND (NOT EXISTS (SELECT FROM variants AS v WHERE v.step_id = s.id AND v.deleted_at IS NULL)
                OR EXISTS (SELECT FROM mail WHERE mail.step_id = s.id AND mail.variant_id IS NULL))
         ORDER BY number, position, variant_id
        """,  # noqa: S608 - constants
        Scope(user_id=user_id, campaign_ids=[campaign_id]).params,
    )


async def count_unsent(db: Db, user_id: int, campaign_id: int, window: Window = ALWAYS) -> dict[int, dict[str, int]]:
    """Count by step the mails that failed and the steps that leads were spared, each when that happened."""
    rows = await fetch_dicts(
        db,
        """
        SELECT unsent.step_id, count(*) FILTER (WHERE unsent.type = 'FAILED') AS failed,
               count(*) FILTER (WHERE unsent.type = 'SKIPPED') AS skipped
          FROM (SELECT step_id, 'FAILED' AS type, claimed_at AS at
                  FROM messages
                 WHERE user_id = %(user_id)s
                   AND campaign_id = %(campaign_id)s
                   AND step_id IS NOT NULL
                   AND status IN ('FAILED', 'UNKNOWN')
                 UNION ALL
                SELECT (details ->> 'step_id')::bigint, type, occurred_at
                  FROM message_events
                 WHERE user_id = %(user_id)s
                   AND campaign_id = %(campaign_id)s
                   AND type = 'SKIPPED') AS unsent
          JOIN steps AS s ON s.id = unsent.step_id AND NOT s.is_analytics_dropped
         WHERE unsent.at >= coalesce(%(window_start)s::timestamptz, '-infinity')
           AND unsent.at < coalesce(%(window_end)s::timestamptz, 'infinity')
         GROUP BY unsent.step_id
        """,
        {"user_id": user_id, "campaign_id": campaign_id, **window.bounds},
    )
    return {row["step_id"]: row for row in rows}


async def list_leads(
    db: Db,
    user_id: int,
    campaign_id: int,
    *,
    created_after: datetime | None,
    event_after: datetime | None,
    offset: int,
    limit: int,
) -> list[dict[str, Any]]:
    """Return leads that something was sent to, by map id, with their figures."""
    return await fetch_dicts(
        db,
        """
        SELECT cl.id, cl.lead_id, cl.status, l.email, l.first_name, l.last_name, figures.sent_count,
               figures.open_count, figures.click_count, figures.reply_count
          FROM campaign_leads AS cl
          JOIN leads AS l ON l.id = cl.lead_id
         CROSS JOIN LATERAL (
                SELECT count(*) AS sent_count,
                       coalesce(sum(m.open_count), 0) AS open_count,
                       coalesce(sum(m.click_count), 0) AS click_count,
                       count(m.first_replied_at) AS reply_count,
                       max(greatest(m.sent_at, (SELECT max(e.occurred_at)
                                                  FROM message_events AS e
                                                 WHERE e.message_id = m.id
                                                   AND e.type IN ('OPENED', 'CLICKED', 'REPLIED')))) AS last_event_at
                  FROM messages AS m
                  JOIN steps AS s ON s.id = m.step_id AND NOT s.is_analytics_dropped
                 WHERE m.campaign_lead_id = cl.id
                   AND m.sent_at IS NOT NULL
               ) AS figures
         WHERE cl.user_id = %(user_id)s
           AND cl.campaign_id = %(campaign_id)s
           AND figures.sent_count > 0
           AND (%(created_after)s::timestamptz IS NULL OR cl.created_at > %(created_after)s)
           AND (%(event_after)s::timestamptz IS NULL OR figures.last_event_at > %(event_after)s)
         ORDER BY cl.id
        OFFSET %(offset)s
         LIMIT %(limit)s
        """,
        {
            "user_id": user_id,
            "campaign_id": campaign_id,
            "created_after": created_after,
            "event_after": event_after,
            "offset": offset,
            "limit": limit,
        },
    )
