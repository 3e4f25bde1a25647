"""Starting an import: the file is read once to tell at once what is wrong with it, the rest is a job's."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime

from outrider.campaigns.store import load_campaign
from outrider.kit.db import Db
from outrider.leads.imports import store
from outrider.leads.imports.columns import LeadReader, match_columns
from outrider.leads.imports.jobs import enqueue_import
from outrider.leads.imports.models import ImportNotResumable, UnreadableTable
from outrider.leads.imports.table import Row, Table, read_table
from outrider.leads.judging import NewLead, Rules

_SHOWN_ROWS = 5


@dataclass(frozen=True, slots=True)
class Source:
    """A file as it arrived, and what the sender says of it; what is not said is found out."""

    file_name: str
    content: bytes
    encoding: str | None
    delimiter: str | None
    mapping: Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class Outlook:
    """What would be imported, and how: the file as it was understood, the field of each column, the first rows."""

    table: Table
    mapping: Mapping[str, str | None]
    row_count: int
    unreadable_count: int
    first_rows: list[Row]
    first_leads: list[NewLead]


def look(source: Source) -> Outlook:
    """Read a file without importing it."""
    table = read_table(source.content, encoding=source.encoding, delimiter=source.delimiter)
    mapping = match_columns(table, source.mapping)
    reader = LeadReader(table, mapping)
    row_count = unreadable_count = 0
    first_rows: list[Row] = []
    for row in table.rows():
        row_count += 1
        unreadable_count += row.is_too_long or not reader.emails([row])
        if len(first_rows) < _SHOWN_ROWS:
            first_rows.append(row)
    return Outlook(table, mapping, row_count, unreadable_count, first_rows, [reader.read(row) for row in first_rows])


async def start(
    db: Db, user_id: int, campaign_id: int, source: Source, rules: Rules, *, client_id: int | None, now: datetime
) -> int:
    """Queue an import; returns its id."""
    await load_campaign(db, user_id, campaign_id, client_id=client_id)
    table = read_table(source.content, encoding=source.encoding, delimiter=source.delimiter)
    mapping = match_columns(table, source.mapping)
    row_count = sum(1 for _ in table.rows())
    if not row_count:
        raise UnreadableTable("The file has no rows below its header.")
    import_id = await store.insert_import(
        db,
        user_id,
        campaign_id,
        file_name=source.file_name,
        source=source.content,
        mapping=mapping,
        settings={**asdict(rules), "encoding": table.encoding, "delimiter": table.delimiter},
        row_count=row_count,
        now=now,
    )
    await enqueue_import(db, import_id, campaign_id=campaign_id)
    return import_id


async def resume(
    db: Db, user_id: int, campaign_id: int, import_id: int, *, client_id: int | None, now: datetime
) -> None:
    """Go on with an import that was given up, after the rows that are done."""
    await load_campaign(db, user_id, campaign_id, client_id=client_id)
    await store.load_import(db, user_id, campaign_id, import_id)
    if not await store.resume(db, user_id, campaign_id, import_id, now=now):
        raise ImportNotResumable
    await enqueue_import(db, import_id, campaign_id=campaign_id)
