"""SQL on imports and their progress."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from outrider.kit.db import Db, execute, fetch_all, fetch_one, fetch_value
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


async def list_imports(
    db: Db, user_id: int, campaign_id: int, *, offset: int, limit: int | None
) -> tuple[int, list[LeadImport]]:
    """How many there were, and a page of them, newest first; of what became of the rows only the counts."""
    params = {"user_id": user_id, "campaign_id": campaign_id, "offset": offset, "limit": limit}
    total: int = await fetch_value(
        db,
        "SELECT count(*) FROM lead_imports WHERE user_id = %(user_id)s AND campaign_id = %(campaign_id)s",
        params,
    )
    rows = await fetch_all(
        db,
        LeadImport,
        """
        SELECT id, user_id, campaign_id, file_name, mapping, settings, status, row_count, done_count,
               result - 'skipped' AS result, error, created_at, updated_at
        FROM lead_imports
        WHERE user_id = %(user_id)s
          AND campaign_id = %(campaign_id)s
        ORDER BY id DESC
        OFFSET %(offset)s
        LIMIT %(limit)s
        """,
        params,
    )
    return total, rows


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


async def list_given_up(db: Db, job_name: str) -> list[LeadImport]:
    """Imports of all accounts that are not over and that no job works on, locked."""
    return await fetch_all(
        db,
        LeadImport,
        f"""
        SELECT {_COLUMNS}
        FROM lead_imports
        WHERE status IN ('QUEUED', 'PROCESSING')
          AND NOT EXISTS (
                SELECT
                FROM procrastinate_jobs
                WHERE procrastinate_jobs.task_name = %(job_name)s
                  AND procrastinate_jobs.status IN ('todo', 'doing')
                  AND (procrastinate_jobs.args ->> 'import_id')::bigint = lead_imports.id)
        ORDER BY id
        FOR UPDATE SKIP LOCKED
        """,  # noqa: S608 - the columns are a constant
        {"job_name": job_name},
    )


async def give_up(db: Db, import_id: int, *, error: str, now: datetime) -> None:
    """The file stays, so that it can go on."""
    await execute(
        db,
        """
        UPDATE lead_imports
        SET status = 'FAILED',
            error = %(error)s,
            updated_at = %(now)s
        WHERE id = %(id)s
        """,
        {"id": import_id, "error": error, "now": now},
    )


async def resume(db: Db, user_id: int, campaign_id: int, import_id: int, *, now: datetime) -> bool:
    """Queue one that was given up; whether it was, and its file is still there."""
    return bool(
        await execute(
            db,
            """
            UPDATE lead_imports
            SET status = 'QUEUED',
                error = NULL,
                updated_at = %(now)s
            WHERE id = %(id)s
              AND user_id = %(user_id)s
              AND campaign_id = %(campaign_id)s
              AND status = 'FAILED'
              AND source IS NOT NULL
            """,
            {"id": import_id, "user_id": user_id, "campaign_id": campaign_id, "now": now},
        )
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
