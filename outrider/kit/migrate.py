"""Numbered plain SQL files, applied forward only, each in a transaction, by one process at a time.

A file is NNNN_name.sql. What was applied is kept with its checksum: a file is never changed after a release.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from psycopg import AsyncConnection

from outrider.kit.clock import SYSTEM_CLOCK
from outrider.kit.db import Database, Db, connection_text, execute, fetch_all, fetch_value

MIGRATIONS = Path(__file__).parent.parent / "migrations"
_LOCK = 7_036_874_417_766  # any number that nobody else uses


class MigrationError(Exception):
    """The database and the migration files do not fit; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Migration:
    version: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        return sha256(self.sql.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Applied:
    version: int
    name: str
    checksum: str


def read_migrations(folder: Path = MIGRATIONS) -> list[Migration]:
    """The files of the folder in order; numbers run from 1 without a gap."""
    paths = sorted(folder.glob("*.sql"))
    migrations = [Migration(_number(path), path.stem, path.read_text("utf-8")) for path in paths]
    if [migration.version for migration in migrations] != list(range(1, len(migrations) + 1)):
        raise MigrationError(f"The files in {folder} are not numbered 0001, 0002 and so on without a gap.")
    return migrations


async def migrate(url: str, folder: Path = MIGRATIONS) -> list[str]:
    """Bring the database up to date; returns the names of what was applied. Safe to call in every process."""
    migrations = read_migrations(folder)
    async with await AsyncConnection.connect(connection_text(url), autocommit=True) as db:
        await execute(db, "SELECT pg_advisory_lock(%(lock)s)", {"lock": _LOCK})  # ends with the connection
        pending = _pending(migrations, await _applied(db))
        for migration in pending:
            await _apply(db, migration)
    return [migration.name for migration in pending]


async def is_up_to_date(database: Database, folder: Path = MIGRATIONS) -> bool:
    """Whether every migration of this program has been applied, and no other."""
    async with database.connection() as db:
        return not _pending(read_migrations(folder), await _applied(db))


def _pending(migrations: Sequence[Migration], applied: Sequence[Applied]) -> list[Migration]:
    if len(applied) > len(migrations):
        raise MigrationError(
            f"The database is newer than this program: it has {applied[-1].name}, which is not known here. "
            "Install the newer program again, or restore a backup made before the update."
        )
    for migration, done in zip(migrations, applied, strict=False):
        if migration.checksum != done.checksum:
            raise MigrationError(
                f"The database was made with another {done.name} than this program has. "
                "Install the program it was made with, or restore a backup into an empty database."
            )
    return list(migrations[len(applied) :])


async def _applied(db: Db) -> list[Applied]:
    if await fetch_value(db, "SELECT to_regclass('schema_migrations')") is None:
        return []
    return await fetch_all(
        db,
        Applied,
        """
        SELECT version, name, checksum
        FROM schema_migrations
        ORDER BY version
        """,
    )


async def _apply(db: Db, migration: Migration) -> None:
    async with db.transaction():
        await db.execute(
            """
            CREATE TABLE IF NOT EXISTS schema_migrations (
                version    integer PRIMARY KEY,
                name       text NOT NULL,
                checksum   text NOT NULL,
                applied_at timestamptz NOT NULL
            )
            """
        )
        await db.execute(migration.sql.encode())
        await execute(
            db,
            """
            INSERT INTO schema_migrations (version, name, checksum, applied_at)
            VALUES (%(version)s, %(name)s, %(checksum)s, %(now)s)
            """,
            {
                "version": migration.version,
                "name": migration.name,
                "checksum": migration.checksum,
                "now": SYSTEM_CLOCK.wall(),
            },
        )


def _number(path: Path) -> int:
    digits = path.stem.partition("_")[0]
    if not digits.isdigit():
        raise MigrationError(f"{path.name} is not named like 0001_initial.sql.")
    return int(digits)
