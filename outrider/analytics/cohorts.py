"""Counts of the mails that were sent in a window, with all that became of them whenever it did: C(window).

Leads are distinct inside each campaign. So each group is counted campaign by campaign, and the campaigns are added up:
that is exact for leads, too, and the sets of leads stay small.
"""

from datetime import datetime
from typing import Any

from outrider.analytics import rolled
from outrider.analytics.grouping import By, Grouping
from outrider.analytics.mails import CAMPAIGN, IN_WINDOW, MAIL, Scope
from outrider.analytics.windows import ALWAYS, Window
from outrider.kit.db import Db, fetch_dicts

Counts = dict[str, Any]
NOTHING: Counts = dict.fromkeys(
    (
        "sent",
        "opened",
        "clicked",
        "replied",
        "bounced",
        "sender_bounced",
        "unsubscribed",
        "unique_lead_count",
        "unique_open_count",
        "unique_click_count",
        "replied_lead_count",
        "positive_replied",
        "positive_response_count",
        "neutral_response_count",
        "negative_response_count",
        "follow_up_count",
        "follow_up_reply_count",
        "stopped_lead_count",
        "campaign_count",
    ),
    0,
) | {"is_all_tracked": False}
"""The counts of no mails."""


async def count_by(
    db: Db, scope: Scope, window: Window, by: By, *, midnights: list[datetime] | None = None
) -> list[Counts]:
    """One row for each group that has mails, in no order. `midnights` cut the window `By.DAY`: days count from 1."""
    if scope.is_rolled and rolled.knows(by) and rolled.fits(midnights or [window.start, window.end]):
        return [NOTHING | row for row in await rolled.count_by(db, scope, window, by, midnights=midnights)]
    grouping: Grouping = by.value
    return await fetch_dicts(
        db,
        f"""
        WITH {CAMPAIGN}, {MAIL},
        part AS (
            SELECT {grouping.columns},
                   count(*) AS sent,
                   count(opened_at) AS opened,
                   count(clicked_at) AS clicked,
                   count(replied_at) AS replied,
                   count(bounced_at) AS bounced,
                   count(sender_bounced_at) AS sender_bounced,
                   count(unsubscribed_at) AS unsubscribed,
                   count(DISTINCT lead_email) AS unique_lead_count,
                   count(DISTINCT lead_email) FILTER (WHERE opened_at IS NOT NULL) AS unique_open_count,
                   count(DISTINCT lead_email) FILTER (WHERE clicked_at IS NOT NULL) AS unique_click_count,
                   count(DISTINCT lead_email) FILTER (WHERE replied_at IS NOT NULL) AS replied_lead_count,
                   count(DISTINCT lead_email) FILTER (WHERE replied_at IS NOT NULL AND sentiment_type = 'positive')
                     AS positive_replied,
                   count(replied_at) FILTER (WHERE sentiment_type = 'positive') AS positive_response_count,
                   count(replied_at) FILTER (WHERE sentiment_type = 'neutral') AS neutral_response_count,
                   count(replied_at) FILTER (WHERE sentiment_type = 'negative') AS negative_response_count,
                   count(*) FILTER (WHERE step_number >= 2) AS follow_up_count,
                   count(replied_at) FILTER (WHERE step_number >= 2) AS follow_up_reply_count,
                   count(DISTINCT lead_email) FILTER (WHERE lead_status = 'STOPPED' AND lead_step_id = step_id)
                     AS stopped_lead_count,
                   bool_and(is_open_tracked) AS is_all_tracked
              FROM mail
              {grouping.joins}
             WHERE {IN_WINDOW}
             GROUP BY {grouping.names}, mail.campaign_id
        )
        SELECT {grouping.names},
               sum(sent)::bigint AS sent,
               sum(opened)::bigint AS opened,
               sum(clicked)::bigint AS clicked,
               sum(replied)::bigint AS replied,
               sum(bounced)::bigint AS bounced,
               sum(sender_bounced)::bigint AS sender_bounced,
               sum(unsubscribed)::bigint AS unsubscribed,
               sum(unique_lead_count)::bigint AS unique_lead_count,
               sum(unique_open_count)::bigint AS unique_open_count,
               sum(unique_click_count)::bigint AS unique_click_count,
               sum(replied_lead_count)::bigint AS replied_lead_count,
               sum(positive_replied)::bigint AS positive_replied,
               sum(positive_response_count)::bigint AS positive_response_count,
               sum(neutral_response_count)::bigint AS neutral_response_count,
               sum(negative_response_count)::bigint AS negative_response_count,
               sum(follow_up_count)::bigint AS follow_up_count,
               sum(follow_up_reply_count)::bigint AS follow_up_reply_count,
               sum(stopped_lead_count)::bigint AS stopped_lead_count,
               bool_and(is_all_tracked) AS is_all_tracked,
               count(*) AS campaign_count
          FROM part
         GROUP BY {grouping.names}
        """,  # noqa: S608 - constants
        {**scope.params, **window.bounds, "midnights": midnights},
    )


async def count_all(db: Db, scope: Scope, window: Window = ALWAYS) -> Counts:
    """Return the counts of all mails together."""
    rows = await count_by(db, scope, window, By.EVERYTHING)
    return rows[0] if rows else NOTHING
