"""People and machines side by side: what a campaign's mails met, and why each visit is taken for what it is."""

from typing import Any

from outrider.analytics.mails import CAMPAIGN, IN_WINDOW, MAIL, Scope
from outrider.analytics.windows import Window
from outrider.kit.db import Db, fetch_dict, fetch_dicts


async def load_engagement(db: Db, scope: Scope, window: Window) -> dict[str, Any]:
    """Count hits, mails and leads, of people and of machines, over the mails that were sent in the window."""
    found = await fetch_dict(
        db,
        f"""
        WITH {CAMPAIGN}, {MAIL}
        SELECT count(DISTINCT lead_email) AS lead_count,
               coalesce(sum(open_count), 0)::bigint AS human_opens,
               count(opened_at) AS human_opened_mails,
               count(DISTINCT lead_email) FILTER (WHERE opened_at IS NOT NULL) AS human_opened_leads,
               coalesce(sum(machine_open_count), 0)::bigint AS machine_opens,
               count(*) FILTER (WHERE machine_open_count > 0) AS machine_opened_mails,
               count(DISTINCT lead_email) FILTER (WHERE machine_open_count > 0) AS machine_opened_leads,
               count(*) FILTER (WHERE machine_open_count > 0 AND opened_at IS NULL) AS only_machine_opened_mails,
               coalesce(sum(click_count), 0)::bigint AS human_clicks,
               count(clicked_at) AS human_clicked_mails,
               count(DISTINCT lead_email) FILTER (WHERE clicked_at IS NOT NULL) AS human_clicked_leads,
               coalesce(sum(machine_click_count), 0)::bigint AS machine_clicks,
               count(*) FILTER (WHERE machine_click_count > 0) AS machine_clicked_mails,
               count(DISTINCT lead_email) FILTER (WHERE machine_click_count > 0) AS machine_clicked_leads,
               count(*) FILTER (WHERE machine_click_count > 0 AND clicked_at IS NULL) AS only_machine_clicked_mails
          FROM mail
         WHERE {IN_WINDOW}
        """,  # noqa: S608 - constants
        {**scope.params, **window.bounds},
    )
    return found or {}


async def list_reasons(db: Db, scope: Scope, window: Window) -> list[dict[str, Any]]:
    """Count the visits that are kept, by kind, verdict, reason and what revised it; the most frequent first."""
    return await fetch_dicts(
        db,
        f"""
        WITH {CAMPAIGN}, {MAIL}
        SELECT hit.kind, coalesce(hit.verdict, 'WAITING') AS verdict, hit.reason, hit.revision,
               count(*) AS hit_count, count(DISTINCT hit.message_id) AS mail_count
          FROM mail
          JOIN tracking_hits AS hit ON hit.message_id = mail.id
         WHERE {IN_WINDOW}
         GROUP BY hit.kind, coalesce(hit.verdict, 'WAITING'), hit.reason, hit.revision
         ORDER BY hit_count DESC, hit.kind, verdict, hit.reason NULLS FIRST, hit.revision NULLS FIRST
        """,  # noqa: S608 - constants
        {**scope.params, **window.bounds},
    )
