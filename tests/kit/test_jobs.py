"""Jobs are queued with the transaction, run after it, run again after trouble, and are cleared away."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import httpx
import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from outrider.config import Settings
from outrider.kit import jobs
from outrider.kit.clock import SYSTEM_CLOCK, Clock
from outrider.kit.crypto import Vault
from outrider.kit.db import Database, execute, fetch_dict, fetch_dicts, fetch_value
from outrider.kit.jobs import (
    JobContext,
    UnknownJobError,
    delete_old_jobs,
    enqueue,
    enqueue_many,
    job,
    periodic,
    rescue_stalled_jobs,
    run_due_jobs,
    run_worker,
    use_clock,
)
from tests.support.database import make_database, make_template

done: list[dict[str, Any]] = []
started = asyncio.Event()
ticked = asyncio.Event()
released = asyncio.Event()


@pytest.fixture(autouse=True)
def handlers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the jobs of these tests, whatever else has been imported."""
    monkeypatch.setattr(jobs, "_jobs", {})
    monkeypatch.setattr(jobs, "_clocks", [SYSTEM_CLOCK])
    done.clear()
    for event in (started, ticked, released):
        event.clear()
    job("test.note")(note)
    job("test.elsewhere", queue="elsewhere")(note)
    job("test.fail", retry=2)(fail)
    job("test.fail_for_good")(fail)
    job("test.wait")(wait)


async def note(_ctx: JobContext, **arguments: Any) -> None:
    done.append(arguments)


async def fail(_ctx: JobContext, **arguments: Any) -> None:
    done.append(arguments)
    raise ValueError("it went wrong")


async def wait(_ctx: JobContext) -> None:
    started.set()
    await released.wait()
    done.append({"waited": True})


@pytest.fixture
async def ctx(database: Database, settings: Settings) -> AsyncIterator[JobContext]:
    async with httpx.AsyncClient() as http:
        yield JobContext(database, settings, SYSTEM_CLOCK, Vault("a-key-only-for-tests"), http)


async def queue(ctx: JobContext, name: str, **arguments: Any) -> None:
    async with ctx.database.transaction() as db:
        await enqueue(db, name, **arguments)


async def states(ctx: JobContext) -> list[str]:
    async with ctx.database.connection() as db:
        return [row["status"] for row in await fetch_dicts(db, "SELECT status FROM procrastinate_jobs ORDER BY id")]


async def test_a_job_runs_with_its_arguments_after_the_commit(ctx: JobContext) -> None:
    await queue(ctx, "test.note", lead_id=3, tags=["ä", None], options={"a": 1})
    await run_due_jobs(ctx)
    assert done == [{"lead_id": 3, "tags": ["ä", None], "options": {"a": 1}}]
    assert await states(ctx) == []


async def test_a_job_of_a_transaction_that_rolled_back_does_not_run(ctx: JobContext) -> None:
    async def queue_and_fail() -> None:
        async with ctx.database.transaction() as db:
            await enqueue(db, "test.note")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await queue_and_fail()
    await run_due_jobs(ctx)
    assert done == []


async def test_many_jobs_are_queued_in_one_statement(ctx: JobContext) -> None:
    async with ctx.database.transaction() as db:
        await enqueue_many(db, "test.note", [{"number": number} for number in range(20)])
        await enqueue_many(db, "test.note", [])
    await run_due_jobs(ctx)
    assert sorted(each["number"] for each in done) == list(range(20))


async def test_a_job_nobody_knows_is_refused_when_it_is_queued(ctx: JobContext) -> None:
    with pytest.raises(UnknownJobError, match=r"test\.unknown"):
        await queue(ctx, "test.unknown")


def test_two_jobs_cannot_have_one_name() -> None:
    with pytest.raises(ValueError, match=r"test\.note"):
        job("test.note")(fail)


async def test_a_job_for_later_waits(ctx: JobContext) -> None:
    await queue(ctx, "test.note", at=SYSTEM_CLOCK.wall() + timedelta(hours=1))
    await queue(ctx, "test.note", at=SYSTEM_CLOCK.wall() - timedelta(hours=1), due=True)
    await run_due_jobs(ctx)
    assert done == [{"due": True}]
    assert await states(ctx) == ["todo"]


async def test_the_time_of_a_job_is_product_time(ctx: JobContext, now: datetime) -> None:
    clock = Clock.starting_at(now, speed=3600)
    use_clock(clock)
    await queue(ctx, "test.note", at=now + timedelta(hours=10))
    async with ctx.database.connection() as db:
        at = await fetch_value(db, "SELECT scheduled_at FROM procrastinate_jobs")
    assert at == clock.wall_at(now + timedelta(hours=10))


async def test_a_worker_takes_only_its_queues(ctx: JobContext) -> None:
    await queue(ctx, "test.note", number=1)
    await queue(ctx, "test.elsewhere", number=2)
    await run_due_jobs(ctx, queues=["elsewhere"])
    assert done == [{"number": 2}]


async def until_done(count: int) -> None:
    while len(done) < count:  # noqa: ASYNC110 - the handler is also used where nobody waits
        await asyncio.sleep(0.01)


async def make_all_due(ctx: JobContext) -> None:
    async with ctx.database.connection() as db:
        await execute(db, "UPDATE procrastinate_jobs SET scheduled_at = NULL WHERE status = 'todo'")


async def test_a_job_that_fails_is_tried_again_as_often_as_it_says(ctx: JobContext) -> None:
    await queue(ctx, "test.fail")
    for attempt in (1, 2, 3):
        await make_all_due(ctx)
        await run_due_jobs(ctx)
        assert len(done) == attempt
    assert await states(ctx) == ["failed"]


async def test_each_new_attempt_waits_longer(ctx: JobContext) -> None:
    await queue(ctx, "test.fail")
    waits = []
    for _ in range(2):
        await make_all_due(ctx)
        await run_due_jobs(ctx)
        async with ctx.database.connection() as db:
            waits.append(await fetch_value(db, "SELECT scheduled_at - now() FROM procrastinate_jobs"))
    assert timedelta(0) < waits[0] < waits[1]


async def test_a_job_without_retry_fails_at_once(ctx: JobContext) -> None:
    await queue(ctx, "test.fail_for_good")
    await run_due_jobs(ctx)
    assert await states(ctx) == ["failed"]
    assert len(done) == 1


async def test_a_running_worker_takes_jobs_as_they_come_and_ends_when_cancelled(ctx: JobContext) -> None:
    worker = asyncio.create_task(run_worker(ctx))
    await queue(ctx, "test.wait")
    async with asyncio.timeout(20):
        await started.wait()
    worker.cancel()
    await asyncio.sleep(0.01)
    assert not worker.done()
    released.set()
    with pytest.raises(asyncio.CancelledError):
        await worker
    assert done == [{"waited": True}]
    assert await states(ctx) == []


async def test_a_job_too_long_for_the_stop_is_queued_again(ctx: JobContext, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "_SHUTDOWN_SECONDS", 0.01)
    worker = asyncio.create_task(run_worker(ctx))
    await queue(ctx, "test.wait")
    async with asyncio.timeout(20):
        await started.wait()
    worker.cancel()
    with pytest.raises(asyncio.CancelledError):
        await worker
    assert done == []
    assert await states(ctx) == ["todo"]
    released.set()
    await run_due_jobs(ctx)
    assert done == [{"waited": True}]


async def test_a_worker_survives_the_loss_of_its_connections(ctx: JobContext, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "_RESTART_AFTER_SECONDS", 0.01)
    worker = asyncio.create_task(run_worker(ctx))
    await queue(ctx, "test.note", number=1)
    async with asyncio.timeout(20):
        await until_done(1)
        async with ctx.database.connection() as db:
            await execute(
                db,
                """
                SELECT pg_terminate_backend(pid, 5000)
                FROM pg_stat_activity
                WHERE datname = current_database() AND pid <> pg_backend_pid()
                """,
            )
        await queue(ctx, "test.note", number=2)
        await until_done(2)
    worker.cancel()
    with pytest.raises(asyncio.CancelledError):
        await worker
    assert done == [{"number": 1}, {"number": 2}]


async def test_a_stop_is_heard_while_the_database_is_away(
    ctx: JobContext, server_url: str, worker_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was not: the error of the lost connection took the place of the cancellation, and the worker went on."""
    monkeypatch.setattr("outrider.kit.db._CONNECT_SECONDS", 1)  # so long it looks for another connection
    url = make_database(server_url, f"away_{worker_id}", await make_template(server_url))
    database = await Database.open(url)
    worker = asyncio.create_task(run_worker(replace(ctx, database=database)))
    async with ctx.database.connection() as db, asyncio.timeout(20):
        listening = "SELECT count(*) FROM pg_stat_activity WHERE datname = %(name)s AND query LIKE 'LISTEN%%'"
        while not await fetch_value(db, listening, {"name": f"away_{worker_id}"}):  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.01)
    await asyncio.to_thread(drop_database, server_url, url)
    worker.cancel()
    await asyncio.wait([worker], timeout=20)
    assert worker.cancelled()
    await database.close()


def drop_database(server_url: str, url: str) -> None:
    with psycopg.connect(server_url, autocommit=True) as db:
        name = sql.Identifier(str(conninfo_to_dict(url)["dbname"]))
        db.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


async def test_a_periodic_job_is_run_by_the_worker(ctx: JobContext) -> None:
    @periodic("test.tick", cron="* * * * * *")
    async def tick(_ctx: JobContext) -> None:
        ticked.set()

    worker = asyncio.create_task(run_worker(ctx))
    async with asyncio.timeout(20):
        await ticked.wait()
    worker.cancel()
    with pytest.raises(asyncio.CancelledError):
        await worker


TAKE_AND_DIE = """
import asyncio, os, signal, sys
from pathlib import Path
import httpx
from outrider.config import Settings
from outrider.kit.clock import SYSTEM_CLOCK
from outrider.kit.crypto import Vault
from outrider.kit.db import Database
from outrider.kit.jobs import JobContext, job, run_due_jobs

@job("test.note")
async def die(ctx, **arguments):
    os.kill(os.getpid(), signal.SIGKILL)

async def main():
    database = await Database.open(sys.argv[1])
    await run_due_jobs(JobContext(database, Settings(), SYSTEM_CLOCK, Vault("x" * 20), httpx.AsyncClient()))

asyncio.run(main())
"""


async def test_the_job_of_a_killed_worker_is_run_by_another(ctx: JobContext) -> None:
    await queue(ctx, "test.note", number=1)
    killed = subprocess.run([sys.executable, "-c", TAKE_AND_DIE, ctx.database.url], check=False)  # noqa: ASYNC221, S603
    assert killed.returncode == -signal.SIGKILL
    assert await states(ctx) == ["doing"]
    async with ctx.database.connection() as db:
        assert await rescue_stalled_jobs(db) == 0
        await execute(db, "UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1 minute'")
        assert await rescue_stalled_jobs(db) == 1
        assert await rescue_stalled_jobs(db) == 0
    await run_due_jobs(ctx)
    assert done == [{"number": 1}]


async def test_a_job_that_brings_down_workers_is_given_up(ctx: JobContext) -> None:
    await queue(ctx, "test.note")
    async with ctx.database.connection() as db:
        await execute(db, "UPDATE procrastinate_jobs SET status = 'doing', attempts = 5")
        assert await rescue_stalled_jobs(db) == 1
        row = await fetch_dict(db, "SELECT status, attempts FROM procrastinate_jobs")
    assert row == {"status": "failed", "attempts": 6}


async def test_failed_jobs_are_kept_for_a_while_and_waiting_ones_for_ever(ctx: JobContext) -> None:
    await queue(ctx, "test.fail_for_good")
    await run_due_jobs(ctx)
    await queue(ctx, "test.note")
    async with ctx.database.connection() as db:
        assert await delete_old_jobs(db) == 0
        await execute(db, "UPDATE procrastinate_events SET at = at - interval '31 days'")
        assert await delete_old_jobs(db) == 1
    assert await states(ctx) == ["todo"]
