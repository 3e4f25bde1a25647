"""Figures by when something happened, not by when the mail went out: days of events, first answers."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from outrider.analytics import rolled
from outrider.analytics.mails import CAMPAIGN, MAIL, Scope
from outrider.analytics.rolled import ANSWERS_OF_LEADS, OF_GAPS
from outrider.analytics.windows import Window
from outrider.kit.db import Db, fetch_dict, fetch_dicts, fetch_value


async def count_events(db: Db, scope: Scope, midnights: Sequence[datetime]) -> dict[int, dict[str, Any]]:
    """Count what happened on each day, by the number of the day from 1; days without anything are left out.

    Mails count where they were sent, opens, clicks, answers, bounces and unsubscribes each where they happened. Leads
    are distinct within a day and a campaign.
    """
    if scope.is_rolled and rolled.fits(midnights):
        return await rolled.count_events(db, scope, midnights)
    rows = await fetch_dicts(
        db,
        f"""
        WITH {CAMPAIGN}, {MAIL},
        part AS (
            SELECT width_bucket(event.at, %(midnights)s::timestamptz[]) AS day, mail.campaign_id,
                   count(*) FILTER (WHERE event.type = 'SENT') AS sent,
                   count(*) FILTER (WHERE event.type = 'OPENED') AS opened,
                   count(*) FILTER (WHERE event.type = 'CLICKED') AS clicked,
                   count(*) FILTER (WHERE event.type = 'REPLIED') AS replied,
                   count(*) FILTER (WHERE event.type = 'BOUNCED') AS bounced,
                   count(*) FILTER (WHERE event.type = 'UNSUBSCRIBED') AS unsubscribed,
                   count(DISTINCT lead_email) FILTER (WHERE event.type = 'SENT') AS unique_lead_count,
                   count(DISTINCT lead_email) FILTER (WHERE event.type = 'OPENED') AS unique_open_count,
                   count(DISTINCT lead_email) FILTER (WHERE event.type = 'CLICKED') AS unique_click_count,
                   count(DISTINCT lead_email) FILTER (WHERE event.type = 'REPLIED') AS replied_lead_count,
                   count(DISTINCT lead_email) FILTER (WHERE event.type = 'REPLIED' AND sentiment_type = 'positive')
                     AS positive_replied
              FROM mail
             CROSS JOIN LATERAL (
                    VALUES ('SENT', sent_at), ('OPENED', opened_at), ('CLICKED', clicked_at), ('REPLIED', replied_at),
                           ('BOUNCED', bounced_at), ('UNSUBSCRIBED', unsubscribed_at)
                   ) AS event (type, at)
             WHERE event.at >= %(window_start)s
               AND event.at < %(window_end)s
             GROUP BY day, mail.campaign_id
        )
        SELECT day,
               sum(sent)::bigint AS sent,
               sum(opened)::bigint AS opened,
               sum(clicked)::bigint AS clicked,
               sum(replied)::bigint AS replied,
               sum(bounced)::bigint AS bounced,
               sum(unsubscribed)::bigint AS unsubscribed,
               sum(unique_lead_count)::bigint AS unique_lead_count,
               sum(unique_open_count)::bigint AS unique_open_count,
               sum(unique_click_count)::bigint AS unique_click_count,
               sum(replied_lead_count)::bigint AS replied_lead_count,
               sum(positive_replied)::bigint AS positive_replied
          FROM part
         GROUP BY day
        """,  # noqa: S608 - constants
        {
            **scope.params,
            "midnights": list(midnights),
            "window_start": midnights[0],
            "window_end": midnights[-1],
        },
    )
    return {row["day"]: row for row in rows}


async def count_positive_replies(db: Db, scope: Scope, midnights: Sequence[datetime]) -> dict[int, int]:
    """Count positive leads, each on the day of its first answer, by the number of the day from 1."""
    if scope.is_rolled:
        return await rolled.count_positive_replies(db, scope, midnights)
    rows = await fetch_dicts(
        db,
        f"""
        WITH {CAMPAIGN}, {MAIL},
        answer AS (
            SELECT campaign_id, lead_email, min(replied_at) AS at
              FROM mail
             WHERE replied_at IS NOT NULL
               AND sentiment_type = 'positive'
             GROUP BY campaign_id, lead_email
        )
        SELECT width_bucket(at, %(midnights)s::timestamptz[]) AS day, count(*) AS lead_count
          FROM answer
         WHERE at >= %(window_start)s
           AND at < %(window_end)s
         GROUP BY day
        """,  # noqa: S608 - constants
        {
            **scope.params,
            "midnights": list(midnights),
            "window_start": midnights[0],
            "window_end": midnights[-1],
        },
    )
    return {row["day"]: row["lead_count"] for row in rows}


async def count_new_leads(db: Db, scope: Scope, window: Window) -> dict[str, int]:
    """Count the leads that were mailed in the window, and those of them whose first mail that was."""
    if scope.is_rolled and rolled.fits([window.start, window.end]):
        return await rolled.count_new_leads(db, scope, window)
    found = await fetch_dict(
        db,
        f"""
        WITH {CAMPAIGN}, {MAIL}
        SELECT count(*) AS total, count(*) FILTER (WHERE first_sent_at >= %(window_start)s) AS new
          FROM (SELECT min(sent_at) AS first_sent_at
                  FROM mail
                 WHERE sent_at < %(window_end)s
                 GROUP BY campaign_id, lead_email
                HAVING max(sent_at) >= %(window_start)s) AS lead
        """,  # noqa: S608 - constants
        {**scope.params, **window.bounds},
    )
    return found or {"total": 0, "new": 0}


async def measure_first_replies(db: Db, scope: Scope, window: Window) -> dict[str, Any]:
    """How long leads took from their very first mail to their first answer, which was to a mail of the window.

    `average` and `median` are in microseconds, None without any; `distribution` counts by the limits of `hours`.
    """
    if scope.is_rolled:
        return await rolled.measure_first_replies(db, scope, window)
    found = await fetch_dict(
        db,
        f"""
        WITH {CAMPAIGN}, {MAIL},
        lead AS (
            SELECT campaign_id, lead_email, min(sent_at) AS first_sent_at, min(replied_at) AS first_replied_at
              FROM mail
             GROUP BY campaign_id, lead_email
            HAVING min(replied_at) IS NOT NULL
        ), gap AS (
            SELECT (extract(epoch FROM first_replied_at - first_sent_at) * 1000000)::bigint AS microseconds
              FROM lead
             WHERE EXISTS (SELECT
                             FROM mail
                            WHERE mail.campaign_id = lead.campaign_id
                              AND mail.lead_email = lead.lead_email
                              AND mail.replied_at = lead.first_replied_at
                              AND mail.sent_at >= %(window_start)s
                              AND mail.sent_at < %(window_end)s)
        )
        {OF_GAPS}
        """,  # noqa: S608 - constants
        {**scope.params, **window.bounds},
    )
    return found or {}


async def measure_answers(db: Db, scope: Scope, window: Window) -> dict[int, int]:
    """How long leads mailed in the window waited for our answers: the mean in microseconds, by whose lead it is.

    An answer is measured from the newest word of the lead before it.
    """
    if scope.is_rolled:
        return await rolled.measure_answers(db, scope, window)
    rows = await fetch_dicts(
        db,
        f"""
        WITH {CAMPAIGN}, {MAIL},
        lead AS (
            SELECT DISTINCT campaign_id, campaign_lead_id, team_member_id
              FROM mail
             WHERE sent_at >= %(window_start)s
               AND sent_at < %(window_end)s
               AND team_member_id IS NOT NULL
        )
        {ANSWERS_OF_LEADS}
         GROUP BY lead.team_member_id
        """,  # noqa: S608 - constants
        {**scope.params, **window.bounds},
    )
    return {row["team_member_id"]: row["microseconds"] for row in rows}


async def count_categories(db: Db, scope: Scope, window: Window) -> list[dict[str, Any]]:
    """Count answered mails of the window by the category that their lead has now: without sentiment first."""
    if scope.is_rolled:
        return await rolled.count_categories(db, scope, window)
    return await fetch_dicts(
        db,
        f"""
        WITH {CAMPAIGN}, {MAIL}
        SELECT category_id, category AS name, sentiment_type, count(*) AS response_count
          FROM mail
         WHERE replied_at IS NOT NULL
           AND sent_at >= %(window_start)s
           AND sent_at < %(window_end)s
         GROUP BY category_id, category, sentiment_type
         ORDER BY array_position(ARRAY['positive', 'neutral', 'negative'], sentiment_type) NULLS FIRST,
                  response_count DESC, coalesce(category_id, 0)
        """,  # noqa: S608 - constants
        {**scope.params, **window.bounds},
    )


async def find_first_sent_at(db: Db, scope: Scope) -> datetime | None:
    """When the first mail went out."""
    if scope.is_rolled:
        return await rolled.find_first_sent_at(db, scope)
    found: datetime | None = await fetch_value(
        db,
        f"WITH {CAMPAIGN}, {MAIL} SELECT min(sent_at) FROM mail",  # noqa: S608 - constants
        scope.params,
    )
    return found
