"""SQL on imports and their progress."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from outrider.kit.db import Db, execute, fetch_one, fetch_value
from outrider.leads.imports.models import ImportNotFound, ImportStatus, LeadImport

_COLUMNS = """
    id, user_id, campaign_id, file_name, mapping, settings, status, row_count, done_count, result, error, created_at,
    updated_at
"""


async def insert_import(
    db: Db,
    user_id: int,
    campaign_id: int,
    *,
    file_name: str,
    source: bytes,
    mapping: Mapping[str, str | None],
    settings: Mapping[str, Any],
    row_count: int,
    now: datetime,
) -> int:
    import_id: int = await fetch_value(
        db,
        """
        INSERT INTO lead_imports (user_id, campaign_id, file_name, source, mapping, settings, status, row_count,
                                  created_at, updated_at)
        VALUES (%(user_id)s, %(campaign_id)s, %(file_name)s, %(source)s, %(mapping)s, %(settings)s, 'QUEUED',
                %(row_count)s, %(now)s, %(now)s)
        RETURNING id
        """,
        {
            "user_id": user_id,
            "campaign_id": campaign_id,
            "file_name": file_name,
            "source": source,
            "mapping": Jsonb(dict(mapping)),
            "settings": Jsonb(dict(settings)),
            "row_count": row_count,
            "now": now,
        },
    )
    return import_id


async def load_import(db: Db, user_id: int, campaign_id: int, import_id: int) -> LeadImport:
    found = await fetch_one(
        db,
        LeadImport,
        f"""
        SELECT {_COLUMNS}
        FROM lead_imports
        WHERE id = %(id)s
          AND user_id = %(user_id)s
          AND campaign_id = %(campaign_id)s
        """,  # noqa: S608 - the columns are a constant
        {"id": import_id, "user_id": user_id, "campaign_id": campaign_id},
    )
    if found is None:
        raise ImportNotFound
    return found


async def find_import(db: Db, import_id: int) -> LeadImport | None:
    """For the job, which serves all accounts; None if the campaign has been deleted."""
    return await fetch_one(
        db,
        LeadImport,
        f"""
        SELECT {_COLUMNS}
        FROM lead_imports
        WHERE id = %(id)s
        """,  # noqa: S608 - the columns are a constant
        {"id": import_id},
    )


async def find_source(db: Db, import_id: int) -> bytes | None:
    """The file; None when the import is over."""
    source: bytes | None = await fetch_value(
        db,
        """
        SELECT source
        FROM lead_imports
        WHERE id = %(id)s
        """,
        {"id": import_id},
    )
    return source


async def lock_done_count(db: Db, import_id: int) -> int | None:
    """How many rows are done; None if the import is gone. Another run of the same job waits here."""
    done_count: int | None = await fetch_value(
        db,
        """
        SELECT done_count
        FROM lead_imports
        WHERE id = %(id)s
        FOR UPDATE
        """,
        {"id": import_id},
    )
    return done_count


async def record_progress(
    db: Db,
    import_id: int,
    *,
    done_count: int,
    counts: Mapping[str, int],
    skipped: list[list[Any]],
    now: datetime,
) -> None:
    """Add a chunk: its counts by verdict, and [row, address, verdict] of those that were left out."""
    await execute(
        db,
        """
        UPDATE lead_imports
        SET status = 'PROCESSING',
            done_count = %(done_count)s,
            result = jsonb_build_object(
                'counts', (
                    SELECT coalesce(jsonb_object_agg(key, total), '{}')
                    FROM (
                        SELECT key, sum(value::bigint) AS total
                        FROM (
                            SELECT * FROM jsonb_each_text(coalesce(result -> 'counts', '{}'))
                            UNION ALL
                            SELECT * FROM jsonb_each_text(%(counts)s)
                        ) AS each_count
                        GROUP BY key
                    ) AS totals
                ),
                'skipped', coalesce(result -> 'skipped', '[]') || %(skipped)s
            ),
            updated_at = %(now)s
        WHERE id = %(id)s
        """,
        {
            "id": import_id,
            "done_count": done_count,
            "counts": Jsonb(dict(counts)),
            "skipped": Jsonb(skipped),
            "now": now,
        },
    )


async def finish(db: Db, import_id: int, status: ImportStatus, *, now: datetime, error: str | None = None) -> None:
    """The file is not needed any more."""
    await execute(
        db,
        """
        UPDATE lead_imports
        SET status = %(status)s,
            error = %(error)s,
            source = NULL,
            updated_at = %(now)s
        WHERE id = %(id)s
        """,
        {"id": import_id, "status": status, "error": error, "now": now},
    )
