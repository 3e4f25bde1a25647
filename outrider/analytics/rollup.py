"""Keeping `counted_mails` and their sums true: works off what the triggers of `messages` noted.

A note names a mail that changed. All mails of its lead are then taken as they are now, and the sums move by the
difference to what was kept of them, in one statement: note, mails and sums are at any moment of one state. So whoever
works off all notes that he sees, and then reads, reads what `mails` would have told him.
"""

from collections.abc import Sequence
from typing import LiteralString

from outrider.kit.db import Database, Db, execute, fetch_dicts, fetch_value

AT_ONCE = 20_000
"""Notes of one stretch, and the most that somebody who asks for figures works off himself: about half a second."""
_LOCK = (
    0x6F75_7472  # 1869968498, taken by a trigger of campaigns, too; with the account: one works off its notes at a time
)


async def list_behind(db: Db) -> list[int]:
    """Return the accounts that have notes."""
    rows = await fetch_dicts(
        db,
        """
        WITH RECURSIVE account AS (
            SELECT min(user_id) AS id FROM mail_changes
             UNION ALL
            SELECT (SELECT min(user_id) FROM mail_changes WHERE user_id > account.id) FROM account WHERE id IS NOT NULL
        )
        SELECT id FROM account WHERE id IS NOT NULL
        """,
    )
    return [row["id"] for row in rows]


async def is_current(database: Database, user_id: int) -> bool:
    """Bring the account up to date if that is done in a moment; whether it is."""
    async with database.transaction() as db:
        waiting: int = await fetch_value(
            db,
            """
            SELECT count(*)
              FROM (SELECT FROM mail_changes WHERE user_id = %(user_id)s LIMIT %(most)s) AS note
            """,
            {"user_id": user_id, "most": AT_ONCE + 1},
        )
        if 0 < waiting <= AT_ONCE:
            await work_off(db, user_id)
    return waiting <= AT_ONCE


async def give_room(db: Db) -> None:
    """Let this transaction sort and hash the answers of a big account in memory."""
    await execute(db, "SET LOCAL work_mem = '64MB'")


async def work_off(db: Db, user_id: int, *, at_once: int = AT_ONCE) -> int:
    """Work off a stretch of notes; returns how many."""
    await execute(
        db,
        "SELECT pg_advisory_xact_lock(%(lock)s, (%(user_id)s %% 2147483647)::integer)",
        {"lock": _LOCK, "user_id": user_id},
    )
    await execute(
        db, "SET LOCAL enable_seqscan = off"
    )  # rows are looked up, whatever the statistics make of new tables
    done: int = await fetch_value(db, _WORK_OFF, {"user_id": user_id, "at_once": at_once})
    return done


# What is summed, in the order of the columns: of campaigns (by quarters of an hour and days), of accounts (by
# quarters), of senders in campaigns (by days).
_SUMS = (
    *("sent", "opened", "clicked", "replied", "bounced", "unsubscribed", "follow_up_count", "follow_up_reply_count"),
    *("untracked", "first_sent", "first_opened", "opens", "clicks", "replies", "bounces", "unsubscribes"),
)
_ACCOUNT_SUMS = (
    *("sent", "opened", "replied", "bounced", "unsubscribed", "opens", "clicks", "replies", "bounces", "unsubscribes"),
)
_DAY_SUMS = ("sent", "opened", "clicked", "replied", "bounced", "untracked", "first_sent", "first_opened")


def _summed(names: Sequence[str]) -> str:
    return ", ".join(f"sum({name})" for name in names)


def _added(names: Sequence[str]) -> str:
    """What is new comes to what is known."""
    return ", ".join(f"{name} = known.{name} + excluded.{name}" for name in names)


def _has_moved(names: Sequence[str]) -> str:
    return f"({', '.join(names)}) <> ({', '.join('0' for _ in names)})"


_KEPT: LiteralString = """
                   message_id, user_id, campaign_id, lead_email, lead_id, mailbox_id, from_email, step_number,
                   is_open_tracked, sent_at, opened_at, clicked_at, replied_at, bounced_at, unsubscribed_at
"""

_WORK_OFF: LiteralString = f"""
        WITH note AS (
            DELETE FROM mail_changes
             WHERE ctid = ANY(ARRAY(SELECT ctid FROM mail_changes WHERE user_id = %(user_id)s LIMIT %(at_once)s))
            RETURNING message_id
        ), changed AS MATERIALIZED (
            SELECT DISTINCT message_id FROM note
        ), live AS MATERIALIZED (
            SELECT m.id AS message_id, m.user_id, m.campaign_id, lower(m.to_email) AS lead_email, m.lead_id,
                   m.mailbox_id, lower(m.from_email) AS from_email, m.step_number, m.is_open_tracked, m.sent_at,
                   m.first_opened_at AS opened_at, m.first_clicked_at AS clicked_at, m.first_replied_at AS replied_at,
                   CASE WHEN m.bounce_kind IN ('HARD', 'SOFT') THEN m.bounced_at END AS bounced_at, m.unsubscribed_at
              FROM changed
              JOIN messages AS m ON m.id = changed.message_id
              JOIN steps AS s ON s.id = m.step_id AND NOT s.is_analytics_dropped
             WHERE m.user_id = %(user_id)s
               AND m.sent_at IS NOT NULL
        ), lead AS MATERIALIZED (
            SELECT campaign_id, lead_email COLLATE "C" AS lead_email FROM live
             UNION
            SELECT campaign_id, lead_email FROM changed JOIN counted_mails USING (message_id)
        ), before AS MATERIALIZED (
            SELECT mail.*
              FROM lead
             CROSS JOIN LATERAL (SELECT *
                                   FROM counted_mails AS c
                                  WHERE c.campaign_id = lead.campaign_id
                                    AND c.lead_email = lead.lead_email
                                 OFFSET 0) AS mail
        ), after AS MATERIALIZED (
            SELECT {_KEPT},
                   first_value(message_id) OVER in_order AS chain_id,
                   first_value(sent_at) OVER in_order AS chain_began_at,
                   lag(sent_at) OVER in_order AS previous_sent_at,
                   CASE WHEN opened_at IS NOT NULL
                        THEN max(sent_at) FILTER (WHERE opened_at IS NOT NULL)
                             OVER (in_order ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) END
                     AS previous_opened_sent_at,
                   min(ARRAY[mailbox_id::text, from_email]) OVER of_lead
                     <> max(ARRAY[mailbox_id::text, from_email]) OVER of_lead AS is_moved
              FROM (SELECT {_KEPT} FROM live
                     UNION ALL
                    SELECT {_KEPT} FROM before WHERE message_id NOT IN (SELECT message_id FROM changed)) AS mail
            WINDOW of_lead AS (PARTITION BY campaign_id, lead_email COLLATE "C"),
                   in_order AS (PARTITION BY campaign_id, lead_email COLLATE "C" ORDER BY sent_at, message_id)
        ), new AS MATERIALIZED (
            SELECT * FROM after EXCEPT SELECT * FROM before
        ), old AS MATERIALIZED (
            SELECT * FROM before EXCEPT SELECT * FROM after
        ), gone AS (
            DELETE FROM counted_mails
             WHERE message_id = ANY(ARRAY(SELECT message_id FROM old EXCEPT SELECT message_id FROM new))
        ), kept AS (
            INSERT INTO counted_mails AS known
            SELECT * FROM new
                ON CONFLICT (message_id) DO UPDATE
               SET campaign_id = excluded.campaign_id,
                   lead_email = excluded.lead_email,
                   lead_id = excluded.lead_id,
                   mailbox_id = excluded.mailbox_id,
                   from_email = excluded.from_email,
                   step_number = excluded.step_number,
                   is_open_tracked = excluded.is_open_tracked,
                   sent_at = excluded.sent_at,
                   opened_at = excluded.opened_at,
                   clicked_at = excluded.clicked_at,
                   replied_at = excluded.replied_at,
                   bounced_at = excluded.bounced_at,
                   unsubscribed_at = excluded.unsubscribed_at,
                   chain_id = excluded.chain_id,
                   chain_began_at = excluded.chain_began_at,
                   previous_sent_at = excluded.previous_sent_at,
                   previous_opened_sent_at = excluded.previous_opened_sent_at,
                   is_moved = excluded.is_moved
        ), difference AS MATERIALIZED (
            SELECT 1 AS sign, new.* FROM new
             UNION ALL
            SELECT -1, old.* FROM old
        ), quarter AS (
            SELECT campaign_id, date_bin('15 minutes', event.at, 'epoch') AS at,
                   coalesce(sum(sign) FILTER (WHERE kind = 'S'), 0) AS sent,
                   coalesce(sum(sign) FILTER (WHERE kind = 'S' AND opened_at IS NOT NULL), 0) AS opened,
                   coalesce(sum(sign) FILTER (WHERE kind = 'S' AND clicked_at IS NOT NULL), 0) AS clicked,
                   coalesce(sum(sign) FILTER (WHERE kind = 'S' AND replied_at IS NOT NULL), 0) AS replied,
                   coalesce(sum(sign) FILTER (WHERE kind = 'S' AND bounced_at IS NOT NULL), 0) AS bounced,
                   coalesce(sum(sign) FILTER (WHERE kind = 'S' AND unsubscribed_at IS NOT NULL), 0) AS unsubscribed,
                   coalesce(sum(sign) FILTER (WHERE kind = 'S' AND step_number >= 2), 0) AS follow_up_count,
                   coalesce(sum(sign) FILTER (WHERE kind = 'S' AND step_number >= 2 AND replied_at IS NOT NULL), 0)
                     AS follow_up_reply_count,
                   coalesce(sum(sign) FILTER (WHERE kind = 'S' AND NOT is_open_tracked), 0) AS untracked,
                   coalesce(sum(sign) FILTER (WHERE kind = 'S' AND previous_sent_at IS NULL), 0) AS first_sent,
                   coalesce(sum(sign) FILTER (WHERE kind = 'S' AND opened_at IS NOT NULL
                                                AND previous_opened_sent_at IS NULL), 0) AS first_opened,
                   coalesce(sum(sign) FILTER (WHERE kind = 'O'), 0) AS opens,
                   coalesce(sum(sign) FILTER (WHERE kind = 'C'), 0) AS clicks,
                   coalesce(sum(sign) FILTER (WHERE kind = 'R'), 0) AS replies,
                   coalesce(sum(sign) FILTER (WHERE kind = 'B'), 0) AS bounces,
                   coalesce(sum(sign) FILTER (WHERE kind = 'U'), 0) AS unsubscribes
              FROM difference
             CROSS JOIN LATERAL (
                    VALUES ('S', sent_at), ('O', opened_at), ('C', clicked_at), ('R', replied_at), ('B', bounced_at),
                           ('U', unsubscribed_at)
                   ) AS event (kind, at)
             WHERE event.at IS NOT NULL
             GROUP BY campaign_id, date_bin('15 minutes', event.at, 'epoch')
        ), quarters AS (
            INSERT INTO mail_quarters AS known
            SELECT *
              FROM quarter
             WHERE {_has_moved(_SUMS)}
                ON CONFLICT (campaign_id, at) DO UPDATE
               SET {_added(_SUMS)}
        ), totals AS (
            INSERT INTO mail_totals AS known
            SELECT campaign_id, (at AT TIME ZONE 'UTC')::date,
                   {_summed(_SUMS)}
              FROM quarter
             GROUP BY campaign_id, (at AT TIME ZONE 'UTC')::date
                ON CONFLICT (campaign_id, day) DO UPDATE
               SET {_added(_SUMS)}
        ), account AS (
            INSERT INTO account_quarters AS known
            SELECT %(user_id)s, at,
                   {_summed(_ACCOUNT_SUMS)}
              FROM quarter
             GROUP BY at
                ON CONFLICT (user_id, at) DO UPDATE
               SET {_added(_ACCOUNT_SUMS)}
        ), day AS (
            SELECT campaign_id, mailbox_id, from_email, (sent_at AT TIME ZONE 'UTC')::date AS day,
                   sum(sign) AS sent,
                   sum(sign * (opened_at IS NOT NULL)::integer) AS opened,
                   sum(sign * (clicked_at IS NOT NULL)::integer) AS clicked,
                   sum(sign * (replied_at IS NOT NULL)::integer) AS replied,
                   sum(sign * (bounced_at IS NOT NULL)::integer) AS bounced,
                   sum(sign * (NOT is_open_tracked)::integer) AS untracked,
                   sum(sign * (previous_sent_at IS NULL)::integer) AS first_sent,
                   sum(sign * (opened_at IS NOT NULL AND previous_opened_sent_at IS NULL)::integer) AS first_opened
              FROM difference
             WHERE NOT is_moved
             GROUP BY campaign_id, mailbox_id, from_email, (sent_at AT TIME ZONE 'UTC')::date
        ), days AS (
            INSERT INTO mail_days AS known
            SELECT *
              FROM day
             WHERE {_has_moved(_DAY_SUMS)}
                ON CONFLICT (campaign_id, mailbox_id, from_email, day) DO UPDATE
               SET {_added(_DAY_SUMS)}
        )
        SELECT count(*) FROM note
"""  # noqa: S608 - constants
