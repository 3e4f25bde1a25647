"""The figures of an account from the sums of `rollup`: the same numbers as from `mails`, for accounts of millions.

Mails add up by quarters of an hour. Leads do not: the leads of a window are its mails that are the first of their lead
(a sum), and those whose lead had its mail before in front of the window. The latter are looked for where they mostly
are, in the first two weeks, and among the few mails that came later than that after the one before. Answers are few and
are read one by one, with the category that their lead has now.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, LiteralString

from outrider.analytics.grouping import By, Grouping
from outrider.analytics.mails import CAMPAIGN, Scope
from outrider.analytics.windows import Window
from outrider.kit.db import Db, fetch_dict, fetch_dicts

_QUARTER = timedelta(minutes=15)
_DAY = timedelta(days=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BY_CAMPAIGN = {By.EVERYTHING, By.CAMPAIGN, By.CLIENT}
_KNOWN = {*_BY_CAMPAIGN, By.ADDRESS, By.DOMAIN, By.PROVIDER, By.PROVIDER_AND_TAG, By.DAY, By.MEMBER}


def fits(instants: Sequence[datetime | None]) -> bool:
    """Whether sums have these edges: they do where a zone is a number of quarters of an hour from UTC."""
    return all(at is not None and not (at - _EPOCH) % _QUARTER for at in instants)


def knows(by: By) -> bool:
    """Whether sums know these groups; those of one campaign are counted from its mails."""
    return by in _KNOWN


async def count_by(
    db: Db, scope: Scope, window: Window, by: By, *, midnights: Sequence[datetime] | None
) -> list[dict[str, Any]]:
    """As `cohorts.count_by`, with what reports over an account show."""
    params = {**scope.params, **window.bounds, "is_everything": scope.is_everything}
    if by is By.DAY and midnights:
        return await fetch_dicts(db, _DAYS, {**params, "midnights": list(midnights), "long": _long_days(midnights)})
    if by is By.MEMBER:
        return await fetch_dicts(db, _MEMBERS, params)
    asked = _campaigns(by.value) if by in _BY_CAMPAIGN else _senders(by.value)
    return await fetch_dicts(db, asked, {**params, **_whole_days(window)})


def _long_days(midnights: Sequence[datetime]) -> list[int]:
    """The numbers of days of more than 24 hours."""
    return [number for number, (start, end) in enumerate(pairwise(midnights), 1) if end - start > _DAY]


def _whole_days(window: Window) -> dict[str, datetime]:
    """The UTC days that a window holds as a whole, from one instant to another; none: both are its end."""
    start, end = window.start or _EPOCH, window.end or _EPOCH  # `fits` has seen that it has both
    first = _EPOCH - (_EPOCH - start) // _DAY * _DAY
    last = _EPOCH + (end - _EPOCH) // _DAY * _DAY
    return {"first_day": first, "last_day": last} if first < last else {"first_day": end, "last_day": end}


# Mails of the window whose lead had its mail (or opened mail) before that in front of the window.
_ACROSS: LiteralString = """
        sent_across AS NOT MATERIALIZED (
            SELECT campaign_id, mailbox_id, from_email, is_moved
              FROM counted_mails
             WHERE user_id = %(user_id)s
               AND sent_at >= %(window_start)s
               AND sent_at < least(%(window_end)s, %(window_start)s + interval '14 days')
               AND previous_sent_at < %(window_start)s
             UNION ALL
            SELECT campaign_id, mailbox_id, from_email, is_moved
              FROM counted_mails
             WHERE user_id = %(user_id)s
               AND sent_at >= %(window_start)s + interval '14 days'
               AND sent_at < %(window_end)s
               AND sent_at - previous_sent_at > interval '14 days'
               AND previous_sent_at < %(window_start)s
        ), opened_across AS NOT MATERIALIZED (
            SELECT campaign_id, mailbox_id, from_email, is_moved
              FROM counted_mails
             WHERE user_id = %(user_id)s
               AND opened_at IS NOT NULL
               AND sent_at >= %(window_start)s
               AND sent_at < least(%(window_end)s, %(window_start)s + interval '14 days')
               AND previous_opened_sent_at < %(window_start)s
             UNION ALL
            SELECT campaign_id, mailbox_id, from_email, is_moved
              FROM counted_mails
             WHERE user_id = %(user_id)s
               AND sent_at >= %(window_start)s + interval '14 days'
               AND sent_at < %(window_end)s
               AND sent_at - previous_opened_sent_at > interval '14 days'
               AND previous_opened_sent_at < %(window_start)s
        )
"""

# The sums of a window: whole UTC days, and the quarters of an hour around them.
_SUMS: LiteralString = """
        piece AS NOT MATERIALIZED (
            SELECT t.campaign_id, sent, opened, clicked, replied, bounced, unsubscribed, follow_up_count,
                   follow_up_reply_count, untracked, first_sent, first_opened
              FROM campaign
              JOIN mail_totals AS t ON t.campaign_id = campaign.id
             WHERE t.day >= (%(first_day)s::timestamptz AT TIME ZONE 'UTC')::date
               AND t.day < (%(last_day)s::timestamptz AT TIME ZONE 'UTC')::date
             UNION ALL
            SELECT q.campaign_id, sent, opened, clicked, replied, bounced, unsubscribed, follow_up_count,
                   follow_up_reply_count, untracked, first_sent, first_opened
              FROM campaign
              JOIN mail_quarters AS q ON q.campaign_id = campaign.id
             WHERE q.at >= %(window_start)s
               AND q.at < %(first_day)s
             UNION ALL
            SELECT q.campaign_id, sent, opened, clicked, replied, bounced, unsubscribed, follow_up_count,
                   follow_up_reply_count, untracked, first_sent, first_opened
              FROM campaign
              JOIN mail_quarters AS q ON q.campaign_id = campaign.id
             WHERE q.at >= %(last_day)s
               AND q.at < %(window_end)s
        )
"""

# Answered mails with the sentiment of their lead's category.
_ANSWERED: LiteralString = """
        answered AS NOT MATERIALIZED (
            SELECT mail.campaign_id, mail.mailbox_id, mail.from_email, mail.chain_id, mail.chain_began_at,
                   mail.sent_at, mail.replied_at, k.id AS category_id, k.name AS category, k.sentiment_type
              FROM counted_mails AS mail
              JOIN campaign ON campaign.id = mail.campaign_id
              LEFT JOIN campaign_leads AS cl
                ON cl.user_id = %(user_id)s AND cl.campaign_id = mail.campaign_id AND cl.lead_id = mail.lead_id
               AND cl.category_id IS NOT NULL
              LEFT JOIN categories AS k ON k.id = cl.category_id
             WHERE mail.user_id = %(user_id)s
               AND mail.replied_at IS NOT NULL
        )
"""
OF_GAPS: LiteralString = """
        SELECT floor(avg(microseconds))::bigint AS average,
               floor(percentile_cont(0.5) WITHIN GROUP (ORDER BY microseconds))::bigint AS median,
               count(*) FILTER (WHERE microseconds < 3600000000) AS within_hour,
               count(*) FILTER (WHERE microseconds < 6 * 3600000000) AS within_6_hours,
               count(*) FILTER (WHERE microseconds < 24 * 3600000000) AS within_day,
               count(*) FILTER (WHERE microseconds < 72 * 3600000000) AS within_3_days,
               count(*) FILTER (WHERE microseconds < 168 * 3600000000) AS within_week,
               count(*) AS total
          FROM gap
"""
ANSWERS_OF_LEADS: LiteralString = """
        SELECT lead.team_member_id,
               floor(avg((extract(epoch FROM answer.sent_at - asked.at) * 1000000)::bigint))::bigint AS microseconds
          FROM lead
          JOIN messages AS answer ON answer.campaign_lead_id = lead.campaign_lead_id AND answer.step_id IS NULL
         CROSS JOIN LATERAL (
                SELECT max(event.occurred_at) AS at
                  FROM message_events AS event
                 WHERE event.campaign_id = lead.campaign_id
                   AND event.campaign_lead_id = lead.campaign_lead_id
                   AND event.type = 'REPLIED'
                   AND event.occurred_at < answer.sent_at
               ) AS asked
         WHERE answer.user_id = %(user_id)s
           AND answer.kind = 'MANUAL'
           AND asked.at IS NOT NULL
"""
"""How long they waited for our answers, to be grouped by whose leads they are. `lead`: a lead of somebody each."""
_SENT_IN_WINDOW: LiteralString = """
               sent_at >= %(window_start)s
               AND sent_at < %(window_end)s
"""


def _campaigns(grouping: Grouping) -> LiteralString:
    return f"""
        WITH {CAMPAIGN}, {_ACROSS}, {_ANSWERED}, {_SUMS},
        summed AS (
            SELECT campaign_id,
                   sum(sent) AS sent, sum(opened) AS opened, sum(clicked) AS clicked, sum(replied) AS replied,
                   sum(bounced) AS bounced, sum(unsubscribed) AS unsubscribed,
                   sum(follow_up_count) AS follow_up_count, sum(follow_up_reply_count) AS follow_up_reply_count,
                   sum(untracked) AS untracked, sum(first_sent) AS first_sent, sum(first_opened) AS first_opened
              FROM piece
             GROUP BY campaign_id
            HAVING sum(sent) > 0
        ), reached AS (
            SELECT campaign_id, count(*) AS lead_count FROM sent_across GROUP BY campaign_id
        ), opening AS (
            SELECT campaign_id, count(*) AS lead_count FROM opened_across GROUP BY campaign_id
        ), answering AS (
            SELECT campaign_id,
                   count(DISTINCT chain_id) AS lead_count,
                   count(DISTINCT chain_id) FILTER (WHERE sentiment_type = 'positive') AS positive_lead_count,
                   count(*) FILTER (WHERE sentiment_type = 'positive') AS positive,
                   count(*) FILTER (WHERE sentiment_type = 'neutral') AS neutral,
                   count(*) FILTER (WHERE sentiment_type = 'negative') AS negative
              FROM answered
             WHERE {_SENT_IN_WINDOW}
             GROUP BY campaign_id
        ), mail AS (
            SELECT summed.*, campaign.client_id,
                   first_sent + coalesce(reached.lead_count, 0) AS unique_lead_count,
                   first_opened + coalesce(opening.lead_count, 0) AS unique_open_count,
                   coalesce(answering.lead_count, 0) AS replied_lead_count,
                   coalesce(answering.positive_lead_count, 0) AS positive_replied,
                   coalesce(answering.positive, 0) AS positive_response_count,
                   coalesce(answering.neutral, 0) AS neutral_response_count,
                   coalesce(answering.negative, 0) AS negative_response_count
              FROM summed
              JOIN campaign ON campaign.id = summed.campaign_id
              LEFT JOIN reached ON reached.campaign_id = summed.campaign_id
              LEFT JOIN opening ON opening.campaign_id = summed.campaign_id
              LEFT JOIN answering ON answering.campaign_id = summed.campaign_id
        ), part AS (
            SELECT {grouping.columns}, sent, opened, clicked, replied, bounced, unsubscribed, follow_up_count,
                   follow_up_reply_count, untracked, unique_lead_count, unique_open_count, replied_lead_count,
                   positive_replied, positive_response_count, neutral_response_count, negative_response_count
              FROM mail
              {grouping.joins}
        )
        SELECT {grouping.names},
               sum(sent)::bigint AS sent,
               sum(opened)::bigint AS opened,
               sum(clicked)::bigint AS clicked,
               sum(replied)::bigint AS replied,
               sum(bounced)::bigint AS bounced,
               sum(unsubscribed)::bigint AS unsubscribed,
               sum(unique_lead_count)::bigint AS unique_lead_count,
               sum(unique_open_count)::bigint AS unique_open_count,
               sum(replied_lead_count)::bigint AS replied_lead_count,
               sum(positive_replied)::bigint AS positive_replied,
               sum(positive_response_count)::bigint AS positive_response_count,
               sum(neutral_response_count)::bigint AS neutral_response_count,
               sum(negative_response_count)::bigint AS negative_response_count,
               sum(follow_up_count)::bigint AS follow_up_count,
               sum(follow_up_reply_count)::bigint AS follow_up_reply_count,
               sum(untracked) = 0 AS is_all_tracked,
               count(*) AS campaign_count
          FROM part
         GROUP BY {grouping.names}
    """  # noqa: S608 - constants


def _senders(grouping: Grouping) -> LiteralString:
    """By mailbox, address, domain, provider, tag. Leads with mails of several senders are counted one by one."""
    return f"""
        WITH {CAMPAIGN}, {_ACROSS}, {_ANSWERED},
        piece AS (
            SELECT d.campaign_id, d.mailbox_id, d.from_email, sum(sent) AS sent, sum(opened) AS opened,
                   sum(clicked) AS clicked, sum(replied) AS replied, sum(bounced) AS bounced,
                   sum(untracked) AS untracked, sum(first_sent) AS lead_count, sum(first_opened) AS open_lead_count
              FROM campaign
              JOIN mail_days AS d ON d.campaign_id = campaign.id
             WHERE d.day >= (%(first_day)s::timestamptz AT TIME ZONE 'UTC')::date
               AND d.day < (%(last_day)s::timestamptz AT TIME ZONE 'UTC')::date
             GROUP BY d.campaign_id, d.mailbox_id, d.from_email
             UNION ALL
            SELECT mail.campaign_id, mail.mailbox_id, mail.from_email, count(*), count(opened_at), count(clicked_at),
                   count(replied_at), count(bounced_at), count(*) FILTER (WHERE NOT is_open_tracked),
                   count(*) FILTER (WHERE previous_sent_at IS NULL),
                   count(opened_at) FILTER (WHERE previous_opened_sent_at IS NULL)
              FROM (SELECT * FROM counted_mails
                     WHERE user_id = %(user_id)s
                       AND sent_at >= %(window_start)s
                       AND sent_at < %(first_day)s
                     UNION ALL
                    SELECT * FROM counted_mails
                     WHERE user_id = %(user_id)s
                       AND sent_at >= %(last_day)s
                       AND sent_at < %(window_end)s) AS mail
             WHERE NOT is_moved
             GROUP BY mail.campaign_id, mail.mailbox_id, mail.from_email
             UNION ALL
            SELECT campaign_id, mailbox_id, from_email, 0, 0, 0, 0, 0, 0, count(*), 0
              FROM sent_across
             WHERE NOT is_moved
             GROUP BY campaign_id, mailbox_id, from_email
             UNION ALL
            SELECT campaign_id, mailbox_id, from_email, 0, 0, 0, 0, 0, 0, 0, count(*)
              FROM opened_across
             WHERE NOT is_moved
             GROUP BY campaign_id, mailbox_id, from_email
        ), moved AS (
            SELECT *
              FROM counted_mails
             WHERE user_id = %(user_id)s
               AND is_moved
               AND {_SENT_IN_WINDOW}
        ), positive AS (
            SELECT *
              FROM answered
             WHERE {_SENT_IN_WINDOW}
               AND sentiment_type = 'positive'
        ), part AS (
            SELECT {grouping.columns}, mail.campaign_id, sum(sent) AS sent, sum(opened) AS opened,
                   sum(clicked) AS clicked, sum(replied) AS replied, sum(bounced) AS bounced,
                   sum(untracked) AS untracked, sum(lead_count) AS unique_lead_count,
                   sum(open_lead_count) AS unique_open_count, 0 AS positive_replied
              FROM piece AS mail
              JOIN campaign ON campaign.id = mail.campaign_id
              {grouping.joins}
             GROUP BY {grouping.names}, mail.campaign_id
             UNION ALL
            SELECT {grouping.columns}, mail.campaign_id, count(*), count(opened_at), count(clicked_at),
                   count(replied_at), count(bounced_at), count(*) FILTER (WHERE NOT is_open_tracked),
                   count(DISTINCT chain_id), count(DISTINCT chain_id) FILTER (WHERE opened_at IS NOT NULL), 0
              FROM moved AS mail
              JOIN campaign ON campaign.id = mail.campaign_id
              {grouping.joins}
             GROUP BY {grouping.names}, mail.campaign_id
             UNION ALL
            SELECT {grouping.columns}, mail.campaign_id, 0, 0, 0, 0, 0, 0, 0, 0, count(DISTINCT chain_id)
              FROM positive AS mail
              {grouping.joins}
             GROUP BY {grouping.names}, mail.campaign_id
        )
        SELECT {grouping.names},
               sum(sent)::bigint AS sent,
               sum(opened)::bigint AS opened,
               sum(clicked)::bigint AS clicked,
               sum(replied)::bigint AS replied,
               sum(bounced)::bigint AS bounced,
               sum(unique_lead_count)::bigint AS unique_lead_count,
               sum(unique_open_count)::bigint AS unique_open_count,
               sum(positive_replied)::bigint AS positive_replied,
               sum(untracked) = 0 AS is_all_tracked,
               count(DISTINCT campaign_id) FILTER (WHERE sent > 0) AS campaign_count
          FROM part
         GROUP BY {grouping.names}
        HAVING sum(sent) > 0
    """  # noqa: S608 - constants


# Quarters of an hour, of the account where everything is asked for: one of the two is never read.
_QUARTERS: LiteralString = """
            SELECT at, sent, opened, replied, bounced, unsubscribed, opens, clicks, replies, bounces, unsubscribes
              FROM account_quarters
             WHERE %(is_everything)s
               AND user_id = %(user_id)s
               AND at >= %(window_start)s
               AND at < %(window_end)s
             UNION ALL
            SELECT q.at, sent, opened, replied, bounced, unsubscribed, opens, clicks, replies, bounces, unsubscribes
              FROM campaign
              JOIN mail_quarters AS q ON q.campaign_id = campaign.id
             WHERE NOT %(is_everything)s
               AND q.at >= %(window_start)s
               AND q.at < %(window_end)s
"""

# Distinct leads of a day: its mails without those whose lead had another one before on that day. Two mails of a lead on
# one day are less than 24 hours apart, but for the days that are longer.
_DAYS: LiteralString = f"""
        WITH {CAMPAIGN}, {_ANSWERED},
        summed AS (
            {_QUARTERS}
        ), day AS (
            SELECT width_bucket(at, %(midnights)s::timestamptz[]) AS day, sum(sent)::bigint AS sent,
                   sum(opened)::bigint AS opened, sum(replied)::bigint AS replied, sum(bounced)::bigint AS bounced,
                   sum(unsubscribed)::bigint AS unsubscribed
              FROM summed
             GROUP BY day
            HAVING sum(sent) > 0
        ), again AS (
            SELECT width_bucket(mail.sent_at, %(midnights)s::timestamptz[]) AS day, count(*) AS mail_count
              FROM (SELECT campaign_id, sent_at, previous_sent_at
                      FROM counted_mails
                     WHERE user_id = %(user_id)s
                       AND sent_at - previous_sent_at < interval '24 hours'
                       AND {_SENT_IN_WINDOW}
                     UNION ALL
                    SELECT mail.campaign_id, mail.sent_at, mail.previous_sent_at
                      FROM unnest(%(long)s::integer[]) AS number
                      JOIN counted_mails AS mail
                        ON mail.user_id = %(user_id)s
                       AND mail.sent_at >= (%(midnights)s::timestamptz[])[number]
                       AND mail.sent_at < (%(midnights)s::timestamptz[])[number + 1]
                     WHERE mail.sent_at - mail.previous_sent_at >= interval '24 hours') AS mail
              JOIN campaign ON campaign.id = mail.campaign_id
             WHERE width_bucket(mail.sent_at, %(midnights)s::timestamptz[])
                   = width_bucket(mail.previous_sent_at, %(midnights)s::timestamptz[])
             GROUP BY day
        ), positive AS (
            SELECT day, count(*) AS lead_count
              FROM (SELECT DISTINCT width_bucket(sent_at, %(midnights)s::timestamptz[]) AS day, chain_id
                      FROM answered
                     WHERE {_SENT_IN_WINDOW}
                       AND sentiment_type = 'positive') AS lead
             GROUP BY day
        )
        SELECT day.day, sent, opened, replied, bounced, unsubscribed,
               sent - coalesce(again.mail_count, 0) AS unique_lead_count,
               coalesce(positive.lead_count, 0) AS positive_replied
          FROM day
          LEFT JOIN again ON again.day = day.day
          LEFT JOIN positive ON positive.day = day.day
"""  # noqa: S608 - constants

_MEMBERS: LiteralString = f"""
        WITH {CAMPAIGN},
        part AS (
            SELECT cl.team_member_id, mail.campaign_id,
                   count(*) AS sent, count(opened_at) AS opened, count(replied_at) AS replied,
                   count(bounced_at) AS bounced,
                   count(DISTINCT chain_id) AS unique_lead_count,
                   count(DISTINCT chain_id) FILTER (WHERE opened_at IS NOT NULL) AS unique_open_count,
                   count(DISTINCT chain_id) FILTER (WHERE replied_at IS NOT NULL AND k.sentiment_type = 'positive')
                     AS positive_replied,
                   bool_and(is_open_tracked) AS is_all_tracked
              FROM campaign
              JOIN campaign_leads AS cl
                ON cl.user_id = %(user_id)s AND cl.campaign_id = campaign.id AND cl.team_member_id IS NOT NULL
              LEFT JOIN categories AS k ON k.id = cl.category_id
              JOIN counted_mails AS mail ON mail.lead_id = cl.lead_id AND mail.campaign_id = cl.campaign_id
             WHERE {_SENT_IN_WINDOW}
             GROUP BY cl.team_member_id, mail.campaign_id
        )
        SELECT team_member_id,
               sum(sent)::bigint AS sent,
               sum(opened)::bigint AS opened,
               sum(replied)::bigint AS replied,
               sum(bounced)::bigint AS bounced,
               sum(unique_lead_count)::bigint AS unique_lead_count,
               sum(unique_open_count)::bigint AS unique_open_count,
               sum(positive_replied)::bigint AS positive_replied,
               bool_and(is_all_tracked) AS is_all_tracked,
               count(*) AS campaign_count
          FROM part
         GROUP BY team_member_id
"""  # noqa: S608 - constants


async def count_new_leads(db: Db, scope: Scope, window: Window) -> dict[str, int]:
    """As `moments.count_new_leads`."""
    found = await fetch_dict(
        db,
        f"""
        WITH {CAMPAIGN}, {_ACROSS}, {_SUMS},
        first AS (
            SELECT coalesce(sum(first_sent), 0)::bigint AS lead_count FROM piece
        ), known AS (
            SELECT count(*) AS lead_count FROM sent_across JOIN campaign ON campaign.id = sent_across.campaign_id
        )
        SELECT first.lead_count + known.lead_count AS total, first.lead_count AS new FROM first CROSS JOIN known
        """,  # noqa: S608 - constants
        {**scope.params, **window.bounds, **_whole_days(window)},
    )
    return found or {"total": 0, "new": 0}


async def count_events(db: Db, scope: Scope, midnights: Sequence[datetime]) -> dict[int, dict[str, Any]]:
    """As `moments.count_events`, without leads."""
    rows = await fetch_dicts(
        db,
        f"""
        WITH {CAMPAIGN},
        summed AS (
            {_QUARTERS}
        )
        SELECT width_bucket(at, %(midnights)s::timestamptz[]) AS day,
               sum(sent)::bigint AS sent,
               sum(opens)::bigint AS opened,
               sum(clicks)::bigint AS clicked,
               sum(replies)::bigint AS replied,
               sum(bounces)::bigint AS bounced,
               sum(unsubscribes)::bigint AS unsubscribed
          FROM summed
         GROUP BY day
        """,  # noqa: S608 - constants
        _of_days(scope, midnights),
    )
    return {row["day"]: row for row in rows}


async def count_positive_replies(db: Db, scope: Scope, midnights: Sequence[datetime]) -> dict[int, int]:
    """As `moments.count_positive_replies`."""
    rows = await fetch_dicts(
        db,
        f"""
        WITH {CAMPAIGN}, {_ANSWERED},
        answer AS (
            SELECT min(replied_at) AS at
              FROM answered
             WHERE sentiment_type = 'positive'
             GROUP BY chain_id
        )
        SELECT width_bucket(at, %(midnights)s::timestamptz[]) AS day, count(*) AS lead_count
          FROM answer
         WHERE at >= %(window_start)s
           AND at < %(window_end)s
         GROUP BY day
        """,  # noqa: S608 - constants
        _of_days(scope, midnights),
    )
    return {row["day"]: row["lead_count"] for row in rows}


async def measure_first_replies(db: Db, scope: Scope, window: Window) -> dict[str, Any]:
    """As `moments.measure_first_replies`."""
    found = await fetch_dict(
        db,
        f"""
        WITH {CAMPAIGN},
        gap AS (
            SELECT DISTINCT mail.chain_id, (extract(epoch FROM first_at - chain_began_at) * 1000000)::bigint
                     AS microseconds
              FROM (SELECT campaign_id, chain_id, chain_began_at, sent_at, replied_at,
                           min(replied_at) OVER (PARTITION BY chain_id) AS first_at
                      FROM counted_mails
                     WHERE user_id = %(user_id)s
                       AND replied_at IS NOT NULL) AS mail
              JOIN campaign ON campaign.id = mail.campaign_id
             WHERE replied_at = first_at
               AND {_SENT_IN_WINDOW}
        )
        {OF_GAPS}
        """,  # noqa: S608 - constants
        {**scope.params, **window.bounds},
    )
    return found or {}


async def count_categories(db: Db, scope: Scope, window: Window) -> list[dict[str, Any]]:
    """As `moments.count_categories`."""
    return await fetch_dicts(
        db,
        f"""
        WITH {CAMPAIGN}, {_ANSWERED}
        SELECT category_id, category AS name, sentiment_type, count(*) AS response_count
          FROM answered
         WHERE {_SENT_IN_WINDOW}
         GROUP BY category_id, category, sentiment_type
         ORDER BY array_position(ARRAY['positive', 'neutral', 'negative'], sentiment_type) NULLS FIRST,
                  response_count DESC, coalesce(category_id, 0)
        """,  # noqa: S608 - constants
        {**scope.params, **window.bounds},
    )


async def measure_answers(db: Db, scope: Scope, window: Window) -> dict[int, int]:
    """As `moments.measure_answers`: begins with what was written by hand, which is less than what was sent."""
    rows = await fetch_dicts(
        db,
        f"""
        WITH {CAMPAIGN},
        lead AS (
            SELECT cl.id AS campaign_lead_id, cl.campaign_id, cl.lead_id, cl.team_member_id
              FROM campaign
              JOIN campaign_leads AS cl
                ON cl.user_id = %(user_id)s AND cl.campaign_id = campaign.id AND cl.team_member_id IS NOT NULL
        )
        {ANSWERS_OF_LEADS}
           AND EXISTS (SELECT
                         FROM counted_mails AS mail
                        WHERE mail.lead_id = lead.lead_id
                          AND mail.campaign_id = lead.campaign_id
                          AND {_SENT_IN_WINDOW})
         GROUP BY lead.team_member_id
        """,  # noqa: S608 - constants
        {**scope.params, **window.bounds},
    )
    return {row["team_member_id"]: row["microseconds"] for row in rows}


async def find_first_sent_at(db: Db, scope: Scope) -> datetime | None:
    """As `moments.find_first_sent_at`."""
    found = await fetch_dict(
        db,
        f"""
        WITH {CAMPAIGN}
        SELECT mail.sent_at
          FROM counted_mails AS mail
         WHERE mail.user_id = %(user_id)s
           AND EXISTS (SELECT FROM campaign WHERE campaign.id = mail.campaign_id)
         ORDER BY mail.sent_at
         LIMIT 1
        """,  # noqa: S608 - constants
        scope.params,
    )
    return found["sent_at"] if found else None


def _of_days(scope: Scope, midnights: Sequence[datetime]) -> dict[str, Any]:
    return {
        **scope.params,
        "is_everything": scope.is_everything,
        "midnights": list(midnights),
        "window_start": midnights[0],
        "window_end": midnights[-1],
    }
