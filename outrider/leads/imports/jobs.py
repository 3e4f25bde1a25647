"""Working through an import: chunk by chunk, each with its position in one transaction.

A run that was killed goes on after the last chunk that was committed. Nothing is added twice: the addresses of the
rows before are known again, and the database knows those that were added.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from itertools import islice

from outrider.campaigns.store import lock_campaign
from outrider.kit.db import Db
from outrider.kit.jobs import JobContext, enqueue, job, periodic
from outrider.kit.log import get_logger
from outrider.leads import addition
from outrider.leads.imports import store
from outrider.leads.imports.columns import LeadReader
from outrider.leads.imports.models import ImportStatus, LeadImport, UnreadableTable
from outrider.leads.imports.table import Row, read_table
from outrider.leads.judging import Rules, Verdict

log = get_logger("leads")

_JOB = "leads.import"
_ROWS_PER_CHUNK = 2000
_LONGEST_SHOWN = 320  # characters of what should have been an address
_GIVEN_UP = (
    "The import stopped after {0.done_count} of {0.row_count} rows: the program failed there several times. "
    "Nothing was imported twice. Resume it, or import the other rows as a file of their own."
)
TOO_LONG = "TOO_LONG"
"""Beside the verdicts of `addition`: a row with more cells than the header."""


async def enqueue_import(db: Db, import_id: int, *, campaign_id: int) -> None:
    """Imports into one campaign run one after the other."""
    await enqueue(db, _JOB, lock=f"{_JOB} {campaign_id}", import_id=import_id)


@job(_JOB, retry=5)
async def import_leads(ctx: JobContext, import_id: int) -> None:
    """Work through an import, from where it stands."""
    async with ctx.database.connection() as db:
        found = await store.find_import(db, import_id)
        source = await store.find_source(db, import_id)
    if found is None or found.is_over or source is None:
        return
    try:
        work = _begin(found, source)
    except UnreadableTable as problem:
        async with ctx.database.transaction() as db:
            await store.finish(db, import_id, ImportStatus.FAILED, error=problem.text, now=ctx.clock.now())
        return
    while await _add_chunk(ctx, work):
        pass


@periodic("leads.end_given_up_imports", cron="* * * * *")
async def end_given_up(ctx: JobContext) -> None:
    """An import whose job has been given up, after several errors or crashes, ends with a reason; it can be resumed."""
    async with ctx.database.transaction() as db:
        for found in await store.list_given_up(db, _JOB):
            log.warning("import given up", import_id=found.id, done_count=found.done_count)
            await store.give_up(db, found.id, error=_GIVEN_UP.format(found), now=ctx.clock.now())


@dataclass(slots=True)
class _Work:
    """An import under way: the rows that are left, and the addresses of those before."""

    about: LeadImport
    rules: Rules
    reader: LeadReader
    rows: Iterator[Row]
    seen: set[str]
    done_count: int


def _begin(about: LeadImport, source: bytes) -> _Work:
    table = read_table(source, encoding=about.settings["encoding"], delimiter=about.settings["delimiter"])
    reader = LeadReader(table, about.mapping)
    rows = table.rows()
    seen = reader.emails(islice(rows, about.done_count))
    rules = Rules(**{rule.name: about.settings[rule.name] for rule in fields(Rules)})
    return _Work(about, rules, reader, rows, seen, about.done_count)


async def _add_chunk(ctx: JobContext, work: _Work) -> bool:
    """Add the next rows; whether there may be more."""
    rows = list(islice(work.rows, _ROWS_PER_CHUNK))
    now = ctx.clock.now()
    async with ctx.database.transaction() as db:
        if await store.lock_done_count(db, work.about.id) != work.done_count:
            return False  # the campaign was deleted, or another run has gone on with it
        if not rows:
            await store.finish(db, work.about.id, ImportStatus.COMPLETED, now=now)
            log.info("import finished", import_id=work.about.id, campaign_id=work.about.campaign_id)
            return False
        campaign = await lock_campaign(db, work.about.user_id, work.about.campaign_id, client_id=None)
        readable = [row for row in rows if not row.is_too_long]
        leads = [work.reader.read(row) for row in readable]
        added = await addition.add(db, campaign, leads, work.rules, now=now, seen=work.seen)
        verdicts = {row.number: verdict.value for row, verdict in zip(readable, added.verdicts, strict=True)}
        work.done_count += len(rows)
        await store.record_progress(
            db,
            work.about.id,
            done_count=work.done_count,
            counts=_counts(rows, verdicts),
            skipped=_skipped(work, rows, verdicts),
            now=now,
        )
    return True


def _counts(rows: Sequence[Row], verdicts: dict[int, str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for row in rows:
        word = verdicts.get(row.number, TOO_LONG)
        counts[word] = counts.get(word, 0) + 1
    return counts


def _skipped(work: _Work, rows: Sequence[Row], verdicts: dict[int, str]) -> list[list[object]]:
    return [
        [row.number, work.reader.read(row).email[:_LONGEST_SHOWN], verdicts.get(row.number, TOO_LONG)]
        for row in rows
        if verdicts.get(row.number) != Verdict.ADDED
    ]
