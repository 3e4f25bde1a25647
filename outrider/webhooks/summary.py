"""How deliveries went, per webhook and event type (contract: webhooks, Get Webhooks Publish Summary). Only reads."""

from dataclasses import dataclass
from datetime import datetime

from outrider.kit.db import Db, fetch_all
from outrider.webhooks.models import EventType, Level


@dataclass(frozen=True, slots=True)
class Row:
    """Events of one type and one webhook. Each is in exactly one of the four states."""

    webhook_id: int
    webhook_name: str
    webhook_url: str
    webhook_level: Level
    event_type: EventType
    sent_count: int
    successful_count: int
    failed_count: int
    scheduled_for_retry_count: int
    retroactively_failed_count: int
    last_attempt_at: datetime | None
    last_success_at: datetime | None
    last_status_code: int | None
    last_error: str | None


async def list_rows(
    db: Db, user_id: int, *, scope: int | None, campaign_id: int | None, from_time: datetime, to_time: datetime
) -> list[Row]:
    """By the time of the event, both ends included; without a campaign all that the key may see.

    What happened outside of campaigns counts for the campaign of the webhook that was told.
    """
    return await fetch_all(
        db,
        Row,
        """
        WITH event AS (
            SELECT webhook_events.id, webhook_events.event_type, webhook_events.campaign_id
            FROM campaigns
            JOIN webhook_events ON webhook_events.campaign_id = campaigns.id
            WHERE campaigns.user_id = %(user_id)s
              AND (%(campaign_id)s::bigint IS NULL OR campaigns.id = %(campaign_id)s)
              AND (%(scope)s::bigint IS NULL OR campaigns.client_id = %(scope)s)
              AND webhook_events.occurred_at BETWEEN %(from_time)s AND %(to_time)s
            UNION ALL
            SELECT id, event_type, NULL
            FROM webhook_events
            WHERE user_id = %(user_id)s
              AND campaign_id IS NULL
              AND occurred_at BETWEEN %(from_time)s AND %(to_time)s
        )
        SELECT webhooks.id AS webhook_id, webhooks.name AS webhook_name, webhooks.webhook_url,
               webhooks.association_type AS webhook_level, event.event_type,
               count(*) AS sent_count,
               count(*) FILTER (WHERE delivery.state = 'SUCCESSFUL') AS successful_count,
               count(*) FILTER (WHERE delivery.state = 'FAILED' AND NOT delivery.is_retriggered) AS failed_count,
               count(*) FILTER (WHERE delivery.state = 'SCHEDULED') AS scheduled_for_retry_count,
               count(*) FILTER (WHERE delivery.state = 'FAILED' AND delivery.is_retriggered)
                   AS retroactively_failed_count,
               max(delivery.last_attempt_at) AS last_attempt_at,
               max(delivery.last_success_at) AS last_success_at,
               (array_agg(delivery.last_status_code
                          ORDER BY delivery.last_attempt_at DESC NULLS LAST, delivery.id DESC))[1] AS last_status_code,
               (array_agg(delivery.last_error
                          ORDER BY delivery.last_attempt_at DESC NULLS LAST, delivery.id DESC))[1] AS last_error
        FROM event
        JOIN webhook_deliveries AS delivery ON delivery.event_id = event.id
        JOIN webhooks ON webhooks.id = delivery.webhook_id
        LEFT JOIN campaigns AS of_webhook ON of_webhook.id = webhooks.campaign_id
        WHERE (
                  %(campaign_id)s::bigint IS NULL
                  OR event.campaign_id IS NOT NULL
                  OR webhooks.campaign_id = %(campaign_id)s
              )
          AND (%(scope)s::bigint IS NULL OR webhooks.client_id = %(scope)s OR of_webhook.client_id = %(scope)s)
        GROUP BY webhooks.id, event.event_type
        ORDER BY webhooks.id, event.event_type
        """,
        {
            "user_id": user_id,
            "scope": scope,
            "campaign_id": campaign_id,
            "from_time": from_time,
            "to_time": to_time,
        },
    )
