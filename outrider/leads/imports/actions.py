"""Starting an import: the file is read once to tell at once what is wrong with it, the rest is a job's."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime

from outrider.campaigns.store import load_campaign
from outrider.kit.db import Db
from outrider.leads.imports import store
from outrider.leads.imports.columns import match_columns
from outrider.leads.imports.jobs import enqueue_import
from outrider.leads.imports.models import UnreadableTable
from outrider.leads.imports.table import read_table
from outrider.leads.judging import Rules


@dataclass(frozen=True, slots=True)
class Source:
    """A file as it arrived, and what the sender says of it; what is not said is found out."""

    file_name: str
    content: bytes
    encoding: str | None
    delimiter: str | None
    mapping: Mapping[str, str | None]


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
