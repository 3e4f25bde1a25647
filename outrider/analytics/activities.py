"""What has happened to leads, whatever their campaign: those with an event in a window, the latest event first."""

from typing import Any

from outrider.analytics.mails import CAMPAIGN, Scope
from outrider.analytics.windows import Window
from outrider.kit.db import Db, fetch_dicts


async def list_active_leads(db: Db, scope: Scope, window: Window, *, offset: int, limit: int) -> list[dict[str, Any]]:
    """Leads in campaigns to whom something was sent, or who opened, clicked or answered, in the window."""
    return await fetch_dicts(
        db,
        f"""
        WITH {CAMPAIGN}, active AS (
            SELECT event.campaign_lead_id, max(event.occurred_at) AS last_event_at
              FROM campaign
              JOIN message_events AS event ON event.campaign_id = campaign.id
             WHERE event.user_id = %(user_id)s
               AND event.type IN ('SENT', 'OPENED', 'CLICKED', 'REPLIED')
               AND event.occurred_at >= coalesce(%(window_start)s::timestamptz, '-infinity')
               AND event.occurred_at < coalesce(%(window_end)s::timestamptz, 'infinity')
             GROUP BY event.campaign_lead_id
        )
        SELECT cl.id, cl.lead_id, leads.email, cl.campaign_id, c.name AS campaign_name, c.status AS campaign_status,
               cl.status, cl.last_step_number, cl.created_at, active.last_event_at
          FROM active
          JOIN campaign_leads AS cl ON cl.id = active.campaign_lead_id
          JOIN leads ON leads.id = cl.lead_id
          JOIN campaigns AS c ON c.id = cl.campaign_id
         ORDER BY active.last_event_at DESC, cl.id DESC
        OFFSET %(offset)s
         LIMIT %(limit)s
        """,  # noqa: S608 - a constant
        {**scope.params, **window.bounds, "offset": offset, "limit": limit},
    )
