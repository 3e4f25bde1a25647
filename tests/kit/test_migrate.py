"""Migrations run once, in order, whole or not at all, and refuse what does not fit."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest
from procrastinate.schema import SchemaManager

from outrider.kit.db import Database, execute, fetch_value
from outrider.kit.migrate import MIGRATIONS, MigrationError, is_up_to_date, migrate, read_migrations
from tests.support.database import make_database


@pytest.fixture
async def empty_url(server_url: str, database_url: str) -> str:
    """A database without any table, for this worker."""
    name = psycopg.conninfo.conninfo_to_dict(database_url)["dbname"]
    return make_database(server_url, f"{name}_empty", "template1")


@pytest.fixture
async def empty(empty_url: str) -> AsyncIterator[Database]:
    database = await Database.open(empty_url)
    yield database
    await database.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "0001_first.sql").write_text("CREATE TABLE a (x int); INSERT INTO a VALUES (1); -- 100 %")
    (tmp_path / "0002_second.sql").write_text("CREATE TABLE b (x int);")
    return tmp_path


async def test_what_is_new_is_applied_and_only_that(empty_url: str, empty: Database, folder: Path) -> None:
    assert not await is_up_to_date(empty, folder)
    assert await migrate(empty_url, folder) == ["0001_first", "0002_second"]
    assert await migrate(empty_url, folder) == []
    (folder / "0003_third.sql").write_text("CREATE TABLE c (x int);")
    assert not await is_up_to_date(empty, folder)
    assert await migrate(empty_url, folder) == ["0003_third"]
    assert await is_up_to_date(empty, folder)


async def test_processes_that_start_together_apply_each_file_once(empty_url: str, folder: Path) -> None:
    applied = await asyncio.gather(*(migrate(empty_url, folder) for _ in range(4)))
    assert sorted(applied) == [[], [], [], ["0001_first", "0002_second"]]


async def test_a_file_that_fails_leaves_nothing_of_itself(empty_url: str, empty: Database, folder: Path) -> None:
    (folder / "0002_second.sql").write_text("CREATE TABLE b (x int); SELECT 1 / 0;")
    with pytest.raises(psycopg.errors.DivisionByZero):
        await migrate(empty_url, folder)
    async with empty.connection() as db:
        assert await fetch_value(db, "SELECT to_regclass('a')") is not None
        assert await fetch_value(db, "SELECT to_regclass('b')") is None
    (folder / "0002_second.sql").write_text("CREATE TABLE b (x int);")
    assert await migrate(empty_url, folder) == ["0002_second"]


async def test_a_database_that_is_newer_than_the_program_is_refused(
    empty_url: str, empty: Database, folder: Path
) -> None:
    await migrate(empty_url, folder)
    (folder / "0002_second.sql").unlink()
    with pytest.raises(MigrationError, match="newer than this program: it has 0002_second"):
        await migrate(empty_url, folder)
    with pytest.raises(MigrationError, match="newer"):
        await is_up_to_date(empty, folder)


async def test_a_file_that_was_changed_afterwards_is_refused(empty_url: str, folder: Path) -> None:
    await migrate(empty_url, folder)
    (folder / "0001_first.sql").write_text("CREATE TABLE other (x int);")
    with pytest.raises(MigrationError, match="another 0001_first"):
        await migrate(empty_url, folder)


@pytest.mark.parametrize("name", ["0004_gap.sql", "0002_twice.sql", "third.sql"])
def test_files_must_be_numbered_without_a_gap(folder: Path, name: str) -> None:
    (folder / name).write_text("SELECT 1;")
    with pytest.raises(MigrationError):
        read_migrations(folder)


def test_the_job_tables_are_those_of_the_installed_procrastinate() -> None:
    assert SchemaManager.get_schema().strip() in (MIGRATIONS / "0002_jobs.sql").read_text("utf-8")


async def test_the_product_itself_migrates_an_empty_database(empty_url: str, empty: Database) -> None:
    names = await migrate(empty_url)
    assert names == [migration.name for migration in read_migrations()]
    async with empty.connection() as db:
        assert await execute(db, "SELECT FROM schema_migrations") == len(names)
        assert await fetch_value(db, "SELECT similarity('Müller', 'müller')") == 1
