"""The database of the tests: one PostgreSQL per test run, one database per worker, made from the migrations.

Clusters are kept between runs in the temporary directory, so a run starts in tenths of a second. Runs at the
same time use different ones: each is held by a file lock.
"""

import fcntl
import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import IO, Any, Self
from urllib.parse import quote

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from outrider.kit.migrate import MIGRATIONS, migrate
from outrider.kit.postgres import ROLE, EmbeddedPostgres

_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "shared_buffers": "64MB",
    "autovacuum": "off",
}
_KEPT_TABLES = ("schema_migrations",)


class TestServer:
    """A PostgreSQL of this test run, with a template database that has all migrations."""

    __test__ = False

    def __init__(self, postgres: EmbeddedPostgres, lock: IO[bytes]) -> None:
        self._postgres = postgres
        self._lock = lock

    @classmethod
    def start(cls) -> Self:
        folder, lock = _free_folder()
        postgres = EmbeddedPostgres(folder, settings=_SETTINGS)
        postgres.start()
        return cls(postgres, lock)

    @property
    def url(self) -> str:
        """The database `postgres`, as the superuser."""
        return self._postgres.superuser_url

    def stop(self) -> None:
        self._postgres.stop()
        self._lock.close()


def _free_folder() -> tuple[Path, IO[bytes]]:
    parent = Path(tempfile.gettempdir()) / f"outrider-tests-{os.getuid()}"
    parent.mkdir(mode=0o700, exist_ok=True)
    for number in count(1):
        folder = parent / str(number)
        folder.mkdir(mode=0o700, exist_ok=True)
        lock = (folder / "lock").open("wb")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            continue
        return folder, lock
    raise AssertionError


async def make_template(server_url: str, migrations: Path = MIGRATIONS) -> str:
    """A database with all migrations and, in the schema `seed`, copies of the rows they brought; made once."""
    name = f"template_{_fingerprint(migrations)}"
    with psycopg.connect(server_url, autocommit=True) as db:
        known = [row[0] for row in db.execute("SELECT datname FROM pg_database WHERE datname ~ '^(template_|new_)'")]
        if name in known:
            return name
        for old in known:
            _drop(db, old)
        _create(db, "new_template", "template1")
        await migrate(database_url(server_url, "new_template"), migrations)
        with psycopg.connect(make_conninfo(server_url, dbname="new_template"), autocommit=True) as template:
            _keep_seed_rows(template)
        db.execute(sql.SQL("ALTER DATABASE new_template RENAME TO {}").format(sql.Identifier(name)))
    return name


def make_database(server_url: str, name: str, template: str) -> str:
    """A fresh copy of the template; returns its address."""
    with psycopg.connect(server_url, autocommit=True) as db:
        _drop(db, name)
        _create(db, name, template)
    return database_url(server_url, name)


def database_url(server_url: str, name: str) -> str:
    """The database as the role that the product uses."""
    host = str(conninfo_to_dict(server_url)["host"])
    return f"postgresql://{ROLE}@/{name}?host={quote(host, safe='')}"


@dataclass(frozen=True, slots=True)
class Cleaner:
    """Brings a database back to what the migrations made; knows its tables once."""

    url: str
    tables: tuple[str, ...]
    seeded: tuple[str, ...]

    @classmethod
    def of(cls, url: str) -> Self:
        superuser_url = make_conninfo(url, user="postgres")
        with psycopg.connect(superuser_url, autocommit=True) as db:
            seeded = tuple(_table_names(db, "seed"))
            tables = tuple(name for name in _table_names(db, "public") if name not in {*seeded, *_KEPT_TABLES})
        return cls(superuser_url, tables, seeded)

    async def clean(self) -> None:
        async with await psycopg.AsyncConnection.connect(self.url) as db:
            await db.execute("SET session_replication_role = replica")  # no triggers, no foreign keys
            cursor = await db.execute(_which_have_rows(self.tables))
            filled = [row[0] async for row in cursor]
            for table in (*filled, *self.seeded):
                await db.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)))
            for table in self.seeded:
                await db.execute(_copy(("seed", table), ("public", table), await _stored_columns(db, table)))


def _fingerprint(migrations: Path) -> str:
    digest = sha256(Path(__file__).read_bytes())
    for path in sorted(migrations.glob("*.sql")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _create(db: psycopg.Connection[Any], name: str, template: str) -> None:
    statement = sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {} STRATEGY file_copy")
    db.execute(statement.format(*map(sql.Identifier, (name, ROLE, template))))


def _drop(db: psycopg.Connection[Any], name: str) -> None:
    db.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def _keep_seed_rows(db: psycopg.Connection[Any]) -> None:
    tables = [name for name in _table_names(db, "public") if name not in _KEPT_TABLES]
    db.execute("CREATE SCHEMA seed")
    for (table,) in db.execute(_which_have_rows(tables)).fetchall() if tables else ():
        statement = sql.SQL("CREATE TABLE seed.{0} AS TABLE public.{0}")
        db.execute(statement.format(sql.Identifier(table)))


def _table_names(db: psycopg.Connection[Any], schema: str) -> list[str]:
    rows = db.execute(
        """
        SELECT relname
        FROM pg_class
        WHERE relkind = 'r' AND relnamespace = %(schema)s::regnamespace
        ORDER BY relname
        """,
        {"schema": schema},
    )
    return [row[0] for row in rows]


def _which_have_rows(tables: Iterable[str]) -> sql.Composed:
    parts = (
        sql.SQL("SELECT {} WHERE EXISTS (SELECT FROM public.{})").format(sql.Literal(table), sql.Identifier(table))
        for table in tables
    )
    return sql.SQL(" UNION ALL ").join(parts)


async def _stored_columns(db: psycopg.AsyncConnection[Any], table: str) -> list[str]:
    cursor = await db.execute(
        """
        SELECT attname
        FROM pg_attribute
        WHERE attrelid = %(table)s::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
        """,
        {"table": f"public.{table}"},
    )
    return [row[0] async for row in cursor]


def _copy(source: tuple[str, str], target: tuple[str, str], columns: Iterable[str]) -> sql.Composed:
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    statement = sql.SQL("INSERT INTO {target} ({names}) OVERRIDING SYSTEM VALUE SELECT {names} FROM {source}")
    return statement.format(target=sql.Identifier(*target), source=sql.Identifier(*source), names=names)
