"""The pool heals, transactions end as they should, rows become objects, failures say what to do."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum, StrEnum

import psycopg
import pytest
from psycopg import errors
from psycopg.types.json import Jsonb
from psycopg_pool import PoolTimeout

from outrider.kit.db import (
    Database,
    Db,
    as_records,
    connection_text,
    describe_failure,
    execute,
    fetch_all,
    fetch_dict,
    fetch_dicts,
    fetch_one,
    fetch_value,
)


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Size(IntEnum):
    SMALL = 1


@dataclass(frozen=True, slots=True)
class Thing:
    id: int
    colour: Colour | None
    size: Size
    tags: list[str]
    made_at: datetime | None = None


THINGS = """
    SELECT id, colour, size, tags
    FROM (VALUES (1, 'red', 1, ARRAY['a']), (2, NULL, 1, ARRAY[]::text[])) AS things (id, colour, size, tags)
    ORDER BY id
"""


async def test_fields_typed_as_an_enum_become_that_enum(db: Db) -> None:
    things = await fetch_all(db, Thing, THINGS)
    assert things == [Thing(1, Colour.RED, Size.SMALL, ["a"]), Thing(2, None, Size.SMALL, [])]
    assert things[0].colour is Colour.RED
    assert things[0].size is Size.SMALL


async def test_many_rows_travel_as_one_text(db: Db) -> None:
    things = [
        Thing(1, Colour.RED, Size.SMALL, ["a", 'b"\\'], datetime(2026, 3, 2, 9, 0, 0, 117, tzinfo=UTC)),
        Thing(2, None, Size.SMALL, []),
    ]
    rows = await fetch_all(
        db,
        Thing,
        """
        SELECT *
        FROM json_to_recordset(%(things)s::json)
             AS thing (id bigint, colour text, size integer, tags text[], made_at timestamptz)
        """,
        {"things": as_records(things)},
    )
    assert rows == things


async def test_connections_may_have_settings_of_their_own(database_url: str) -> None:
    database = await Database.open(database_url, settings={"plan_cache_mode": "force_generic_plan"})
    try:
        async with database.connection() as db:
            assert await fetch_value(db, "SHOW plan_cache_mode") == "force_generic_plan"
            assert await fetch_value(db, "SHOW timezone") == "UTC"
    finally:
        await database.close()


async def test_a_value_the_enum_does_not_know_is_an_error(db: Db) -> None:
    with pytest.raises(ValueError, match="green"):
        await fetch_all(db, Thing, "SELECT 1 AS id, 'green' AS colour, 1 AS size, ARRAY['a'] AS tags")


async def test_one_row_or_none(db: Db) -> None:
    assert await fetch_one(db, Thing, THINGS) == Thing(1, Colour.RED, Size.SMALL, ["a"])
    assert await fetch_one(db, Thing, "SELECT 1 AS id WHERE %(id)s = 3", {"id": 4}) is None
    assert await fetch_dict(db, "SELECT 1 AS a, 2 AS b") == {"a": 1, "b": 2}
    assert await fetch_dict(db, "SELECT 1 AS a WHERE false") is None
    assert await fetch_dicts(db, "SELECT a FROM generate_series(1, 2) AS a") == [{"a": 1}, {"a": 2}]


async def test_a_value_is_the_first_column_or_none(db: Db) -> None:
    assert await fetch_value(db, "SELECT %(a)s::int, 2", {"a": 7}) == 7
    assert await fetch_value(db, "SELECT 1 WHERE false") is None
    assert await fetch_value(db, "SELECT 'x' LIKE '%%'") is True


async def test_execute_counts_rows(db: Db) -> None:
    assert await execute(db, "INSERT INTO instance (name, value) VALUES ('a', ''), ('b', '')") == 2
    assert await execute(db, "DELETE FROM instance WHERE name = %(name)s", {"name": "c"}) == 0


async def test_times_come_back_in_utc(db: Db, now: datetime) -> None:
    back = await fetch_value(db, "SELECT %(now)s::timestamptz", {"now": now})
    assert back == now
    assert back.tzinfo is UTC


async def test_json_keeps_times_and_nested_values(db: Db, now: datetime) -> None:
    value = {"at": now, "list": [1, None, {"ü": "ä"}], "big": 2**53}
    back = await fetch_value(db, "SELECT %(value)s::jsonb", {"value": Jsonb(value)})
    assert back == {**value, "at": "2026-03-02T09:00:00+00:00"}


async def count(database: Database) -> int:
    async with database.connection() as db:
        return int(await fetch_value(db, "SELECT count(*) FROM instance"))


INSERT = "INSERT INTO instance (name, value) VALUES (gen_random_uuid()::text, '')"


async def test_a_transaction_commits_at_its_end(database: Database) -> None:
    async with database.transaction() as db:
        await execute(db, INSERT)
        assert await count(database) == 0
    assert await count(database) == 1


async def test_any_exception_rolls_a_transaction_back(database: Database) -> None:
    async def write_and_fail() -> None:
        async with database.transaction() as db:
            await execute(db, INSERT)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await write_and_fail()
    assert await count(database) == 0


async def test_cancelling_rolls_a_transaction_back_and_keeps_the_pool_whole(database: Database) -> None:
    async def write_and_wait() -> None:
        async with database.transaction() as db:
            await execute(db, INSERT)
            await execute(db, "SELECT pg_sleep(60)")

    task = asyncio.create_task(write_and_wait())
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await count(database) == 0


async def test_a_connection_commits_each_statement_by_itself(database: Database) -> None:
    async with database.connection() as db:
        await execute(db, INSERT)
        assert await count(database) == 1


async def test_a_killed_server_process_costs_no_request(database_url: str, database: Database) -> None:
    small = await Database.open(database_url, max_size=1)
    try:
        async with small.connection() as db:
            number = await fetch_value(db, "SELECT pg_backend_pid()")
        async with database.connection() as db:
            await execute(db, "SELECT pg_terminate_backend(%(number)s, 5000)", {"number": number})
        async with small.transaction() as db:
            assert await fetch_value(db, "SELECT pg_backend_pid()") != number
    finally:
        await small.close()


@pytest.mark.parametrize("turns", range(6))
async def test_a_cancellation_that_comes_with_the_awaited_connection_is_heeded(database_url: str, turns: int) -> None:
    """After as many turns of the event loop. A loop that misses it would go on for ever."""
    small = await Database.open(database_url, max_size=1)

    async def use() -> None:
        async with small.transaction():
            pass

    try:
        async with small.connection():
            waiting = asyncio.create_task(use())
            await asyncio.sleep(0.01)
        for _ in range(turns):
            await asyncio.sleep(0)
        is_asked = waiting.cancel()
        await asyncio.wait([waiting])
        assert waiting.cancelled() == is_asked
        async with small.transaction() as db:
            assert await fetch_value(db, "SELECT 1") == 1
    finally:
        await small.close()


async def test_after_a_restart_of_the_server_dead_connections_are_passed_over_at_once(
    database_url: str, database: Database
) -> None:
    """The pool's own way is to wait for 1, 2, 4 … seconds after each, and then to give up."""
    pool = await Database.open(database_url, min_size=6, max_size=6)
    async with AsyncExitStack() as stack:
        held = [await stack.enter_async_context(pool.connection()) for _ in range(6)]
        numbers = [await fetch_value(db, "SELECT pg_backend_pid()") for db in held]
    async with database.connection() as db:
        for number in numbers:
            await execute(db, "SELECT pg_terminate_backend(%(number)s, 5000)", {"number": number})
    async with asyncio.timeout(5), pool.transaction() as db:
        assert await fetch_value(db, "SELECT pg_backend_pid()") not in numbers
    await pool.close()


async def test_a_transaction_whose_server_process_dies_fails_and_the_next_works(
    database_url: str, database: Database
) -> None:
    small = await Database.open(database_url, max_size=1)

    async def die() -> None:
        async with small.transaction() as db:
            number = await fetch_value(db, "SELECT pg_backend_pid()")
            async with database.connection() as other:
                await execute(other, "SELECT pg_terminate_backend(%(number)s, 5000)", {"number": number})
            await execute(db, INSERT)

    try:
        with pytest.raises(psycopg.OperationalError):
            await die()
        assert await count(small) == 0
    finally:
        await small.close()


async def test_opening_without_a_server_tells_the_reason_at_once() -> None:
    with pytest.raises(psycopg.OperationalError) as raised:
        await Database.open("postgresql://nobody@127.0.0.1:9/outrider")
    assert describe_failure(raised.value).startswith("The database cannot be reached.")


async def test_a_wrong_database_name_is_explained(database_url: str) -> None:
    with pytest.raises(psycopg.OperationalError) as raised:
        await Database.open(database_url.replace("worker_", "missing_"))
    assert "does not exist. Create it" in describe_failure(raised.value)


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (errors.DiskFull('could not extend file "base/1/2": No space left on device'), "The disk of the database is"),
        (psycopg.OperationalError("could not write: No space left on device"), "The disk of the database is full"),
        (
            psycopg.OperationalError('connection failed: FATAL:  password authentication failed for user "outrider"'),
            "The database refuses the user or password",
        ),
        (
            psycopg.OperationalError("connection failed: FATAL:  sorry, too many clients already"),
            "The database has no free connections",
        ),
        (errors.AdminShutdown("terminating connection"), "The database cannot be reached"),
        (PoolTimeout("couldn't get a connection after 10.00 sec"), "All database connections stayed busy"),
        (errors.InsufficientPrivilege("permission denied for schema public"), "The database user lacks a right"),
        (
            errors.UndefinedTable('relation "x" does not exist'),
            'The database reported an error: relation "x" does not exist',
        ),
    ],
)
def test_a_failure_says_what_to_do(error: Exception, advice: str) -> None:
    assert describe_failure(error).startswith(advice)
    assert str(error) in describe_failure(error)


def test_options_of_the_operator_are_kept() -> None:
    text = connection_text("postgresql://me@host/db?options=-c%20work_mem%3D1MB&application_name=mine")
    parts = psycopg.conninfo.conninfo_to_dict(text)
    assert parts["options"] == "-c work_mem=1MB -c timezone=UTC"
    assert parts["application_name"] == "mine"
    assert parts["host"] == "host"


async def test_the_database_is_clean_before_each_test_and_what_migrations_brought_is_there(database: Database) -> None:
    assert await count(database) == 0
    async with database.transaction() as db:
        assert await fetch_value(db, "SELECT count(*) FROM categories WHERE user_id IS NULL") > 0
        await execute(db, INSERT)
        await execute(db, "DELETE FROM categories")


async def test_a_second_time_too(database: Database) -> None:
    await test_the_database_is_clean_before_each_test_and_what_migrations_brought_is_there(database)


async def test_time_zones_do_not_move_intervals(db: Db, now: datetime) -> None:
    assert await fetch_value(db, "SELECT %(now)s + interval '1 day'", {"now": now}) == now + timedelta(days=1)
