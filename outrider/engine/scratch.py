"""A scratch copy of what the engine works on: temporary tables that hide the real ones from the very same code.

For the forecast: the real engine runs on the copy, and nothing of it is ever seen or kept. The connection looks for
tables in its temporary schema only: a table that is missing there is an error, never the real one.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from datetime import datetime
from typing import LiteralString

import psycopg
from psycopg import sql

from outrider.engine.worker import PLANS
from outrider.kit.db import Database, Db, connection_text, execute, fetch_dicts

_LOCK = 7432  # one at a time for each account
_SETTINGS = {**PLANS, "temp_buffers": "64MB"}
_LEADS: LiteralString = "SELECT id FROM pg_temp.campaign_leads"
_CAMPAIGNS: LiteralString = "SELECT id FROM pg_temp.campaigns"
_MAILBOXES: LiteralString = "SELECT id FROM pg_temp.mailboxes"

# Table and condition on its rows (`this`), in this order: later ones look at earlier ones.
_ROWS: tuple[tuple[LiteralString, LiteralString], ...] = (
    (
        "campaigns",
        """
        this.user_id = %(user_id)s
        AND this.id IN (
            -- it, those that share a mailbox with it, those that share one with these, and so on
            WITH RECURSIVE related AS (
                SELECT %(campaign_id)s::bigint AS id
                 UNION
                SELECT theirs.campaign_id
                  FROM related
                  JOIN public.campaign_mailboxes AS mine ON mine.campaign_id = related.id
                  JOIN public.campaign_mailboxes AS theirs ON theirs.mailbox_id = mine.mailbox_id
                  JOIN public.campaigns AS c ON c.id = theirs.campaign_id
                                            -- a subsequence whose leads are through takes more
                                            AND (c.status = 'ACTIVE'
                                                 OR (c.status = 'COMPLETED' AND c.parent_campaign_id IS NOT NULL))
            )
            SELECT id FROM related)
        """,
    ),
    ("subsequences", f"this.campaign_id IN ({_CAMPAIGNS}) AND this.parent_campaign_id IN ({_CAMPAIGNS})"),
    ("subsequence_triggers", "this.campaign_id IN (SELECT campaign_id FROM pg_temp.subsequences)"),
    ("steps", f"this.campaign_id IN ({_CAMPAIGNS})"),
    ("variants", f"this.campaign_id IN ({_CAMPAIGNS})"),
    ("variant_tests", f"this.campaign_id IN ({_CAMPAIGNS})"),
    ("variant_counts", "this.variant_id IN (SELECT id FROM pg_temp.variants)"),
    ("campaign_days", f"this.campaign_id IN ({_CAMPAIGNS}) AND this.day >= %(now)s::date - 2"),
    ("campaign_mailboxes", f"this.campaign_id IN ({_CAMPAIGNS})"),
    (
        "mailboxes",
        """
        this.user_id = %(user_id)s
        AND (this.id IN (SELECT mailbox_id FROM pg_temp.campaign_mailboxes) OR this.id = ANY(%(mailbox_ids)s))
        """,
    ),
    ("mailbox_states", f"this.mailbox_id IN ({_MAILBOXES})"),
    ("mailbox_days", f"this.mailbox_id IN ({_MAILBOXES}) AND this.day >= %(now)s::date - 2"),
    (
        # Leads that have ended: where a campaign is started anew they may go on, in an A/B test they have decided. They
        # may enter a subsequence when their time is over, and those who were in one enter it no more.
        "campaign_leads",
        f"""
        (this.campaign_id IN ({_CAMPAIGNS}) AND this.status IN ('STARTED', 'INPROGRESS', 'PAUSED'))
        OR (this.campaign_id IN (SELECT id FROM pg_temp.campaigns WHERE status = 'COMPLETED')
            AND this.status = 'COMPLETED')
        OR this.campaign_id IN (SELECT campaign_id FROM pg_temp.steps
                                 WHERE variant_distribution_type = 'AI_EQUAL' AND deleted_at IS NULL)
        OR this.campaign_id IN (SELECT unnest(ARRAY[s.parent_campaign_id, s.campaign_id])
                                  FROM pg_temp.subsequences AS s
                                  JOIN pg_temp.subsequence_triggers AS t ON t.campaign_id = s.campaign_id
                                 WHERE t.looked_until IS NOT NULL AND t.type IN ('NO_REPLY', 'NO_OPEN'))
        """,  # noqa: S608 - constants
    ),
    ("categories", "this.id IN (SELECT category_id FROM pg_temp.campaign_leads)"),
    ("leads", "this.id IN (SELECT lead_id FROM pg_temp.campaign_leads)"),
    ("block_list", "this.user_id = %(user_id)s"),
    ("dispatches", f"this.campaign_lead_id IN ({_LEADS})"),
    ("messages", f"this.campaign_lead_id IN ({_LEADS})"),
    (
        "messages",  # of other leads, for the cap of 24 hours
        f"""
        this.mailbox_id IN ({_MAILBOXES})
        AND this.step_id IS NOT NULL
        AND this.claimed_at > %(now)s - interval '1 day'
        ON CONFLICT DO NOTHING
        """,
    ),
)


class Scratch(Database):
    """One connection: whoever asks for a transaction works in the one that is open.

    `settle` now and then: rows that are changed again and again are cleared away only after a commit.
    """

    def __init__(self, database: Database, db: Db) -> None:
        super().__init__(database.url, database.pool)
        self.db = db

    def transaction(self) -> AbstractAsyncContextManager[Db]:
        return nullcontext(self.db)

    def connection(self) -> AbstractAsyncContextManager[Db]:
        return nullcontext(self.db)

    async def settle(self) -> None:
        await self.db.commit()


@asynccontextmanager
async def scratch_copy(
    database: Database, user_id: int, campaign_id: int, now: datetime, *, mailbox_ids: Sequence[int] = ()
) -> AsyncIterator[Scratch]:
    """Copy a campaign, every ACTIVE one that it shares mailboxes with, and all that their mails depend on.

    `mailbox_ids`: further mailboxes to copy. Everything is gone when the block ends.
    """
    params = {"user_id": user_id, "campaign_id": campaign_id, "now": now, "mailbox_ids": list(mailbox_ids)}
    async with await psycopg.AsyncConnection.connect(connection_text(database.url, _SETTINGS)) as db:
        await execute(
            db, "SELECT pg_advisory_lock(%(kind)s, %(user_id)s::integer)", {"kind": _LOCK, "user_id": user_id}
        )
        columns = await _copy_shapes(db)
        await _copy_rows(db, columns, params)
        await execute(db, "SET search_path = pg_temp, pg_catalog")
        scratch = Scratch(database, db)
        await scratch.settle()
        yield scratch


async def _copy_shapes(db: Db) -> dict[str, list[str]]:
    """Make an empty copy of every table; returns the columns of each that are stored."""
    rows = await fetch_dicts(
        db,
        """
        SELECT c.relname AS name,
               array_agg(a.attname::text ORDER BY a.attnum) FILTER (WHERE a.attgenerated = '') AS columns
          FROM pg_class AS c
          JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
         WHERE c.relnamespace = 'public'::regnamespace
           AND c.relkind = 'r'
           AND c.relname NOT LIKE 'procrastinate%%'
         GROUP BY c.relname
        """,
    )
    statement = sql.SQL("CREATE TEMPORARY TABLE {0} (LIKE public.{0} INCLUDING ALL)")
    await db.execute(sql.SQL("; ").join(statement.format(sql.Identifier(row["name"])) for row in rows))
    await _drop_search_indexes(db)
    return {row["name"]: row["columns"] for row in rows}


async def _drop_search_indexes(db: Db) -> None:
    """The engine looks for no words, and filling these is most of the work."""
    rows = await fetch_dicts(
        db,
        """
        SELECT c.relname AS name
          FROM pg_class AS c
          JOIN pg_am ON pg_am.oid = c.relam
         WHERE c.relnamespace = pg_my_temp_schema()
           AND c.relkind = 'i'
           AND pg_am.amname = 'gin'
        """,
    )
    for row in rows:
        await db.execute(sql.SQL("DROP INDEX pg_temp.{0}").format(sql.Identifier(row["name"])))


async def _copy_rows(db: Db, columns: Mapping[str, Sequence[str]], params: Mapping[str, object]) -> None:
    statement = sql.SQL("INSERT INTO pg_temp.{0} ({1}) SELECT {1} FROM public.{0} AS this WHERE ")
    for table, condition in _ROWS:
        names = sql.SQL(", ").join(map(sql.Identifier, columns[table]))
        await db.execute(statement.format(sql.Identifier(table), names) + sql.SQL(condition), params)
    await _number_on(db)


async def _number_on(db: Db) -> None:
    """Rows that are made here must not get the number of one that was copied."""
    rows = await fetch_dicts(
        db,
        """
        SELECT c.relname AS name, pg_get_serial_sequence(format('pg_temp.%%I', c.relname), 'id') AS sequence
          FROM pg_class AS c
          JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname = 'id' AND a.attidentity <> ''
         WHERE c.relnamespace = pg_my_temp_schema()
        """,
    )
    statement = sql.SQL("SELECT setval({0}, coalesce(max(id), 0) + 1) FROM pg_temp.{1}")
    for row in rows:
        if row["name"] in {table for table, _ in _ROWS}:
            await db.execute(statement.format(sql.Literal(row["sequence"]), sql.Identifier(row["name"])))
