"""Queued work: put into the queue by the transaction that causes it, done by a worker after the commit.

procrastinate underneath, about 300 jobs a second per worker: what happens per mail or per event is a row, and
the job is "work through what is due". Handlers are idempotent: after a crash a job runs again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx
import psycopg
from procrastinate import App, BaseRetryStrategy, PsycopgConnector, RetryDecision, exceptions
from procrastinate.app import WorkerOptions
from procrastinate.jobs import Job as QueuedJob
from psycopg.types.json import Jsonb

from outrider.config import Settings
from outrider.kit.clock import SYSTEM_CLOCK, Clock
from outrider.kit.crypto import Vault
from outrider.kit.db import Database, Db, describe_failure, execute, fetch_value
from outrider.kit.log import get_logger

log = get_logger("jobs")

_WORKER_CONNECTIONS = 3
_SHUTDOWN_SECONDS = 15.0  # SIGTERM gives 20 in all
_HEARTBEAT_SECONDS = 10.0
_STALLED_AFTER_SECONDS = 30.0
_RESCUE_EVERY_SECONDS = 10.0
_RESTART_AFTER_SECONDS = 1.0
_MOST_ATTEMPTS_AFTER_CRASHES = 5
_LONGEST_WAIT_SECONDS = 600
_KEEP_FAILED_DAYS = 30


@dataclass(frozen=True, slots=True)
class JobContext:
    """What a handler works with. It opens its own transactions: `async with ctx.database.transaction() as db`."""

    database: Database
    settings: Settings
    clock: Clock
    vault: Vault
    http: httpx.AsyncClient


Handler = Callable[..., Awaitable[None]]


class UnknownJobError(LookupError):
    """No handler has this name; is the module that defines it imported by wiring.py?"""


@dataclass(frozen=True, slots=True)
class _Job:
    name: str
    handler: Handler
    queue: str
    retry: int
    cron: str | None


_jobs: dict[str, _Job] = {}
_clocks: list[Clock] = [SYSTEM_CLOCK]


def use_clock(clock: Clock) -> None:
    """Called once when a process starts: `at` of `enqueue` is in the time of this clock."""
    _clocks[:] = [clock]


def job(name: str, *, queue: str = "default", retry: int = 0) -> Callable[[Handler], Handler]:
    """Register `async def handler(ctx, **arguments)`; after an error it is run again up to `retry` times."""
    return _registration(name, queue=queue, retry=retry, cron=None)


def periodic(name: str, *, cron: str, queue: str = "default") -> Callable[[Handler], Handler]:
    """Register `async def handler(ctx)`, run by one worker when `cron` says (wall time; field six is seconds)."""
    return _registration(name, queue=queue, retry=0, cron=cron)


def _registration(name: str, *, queue: str, retry: int, cron: str | None) -> Callable[[Handler], Handler]:
    def register(handler: Handler) -> Handler:
        known = _jobs.get(name)
        if known is not None and known.handler is not handler:
            raise ValueError(f"two jobs are called {name}")
        _jobs[name] = _Job(name, handler, queue, retry, cron)
        return handler

    return register


async def enqueue(db: Db, name: str, *, at: datetime | None = None, lock: str | None = None, **arguments: Any) -> None:
    """Queue a job in the caller's transaction; jobs with the same `lock` run one after the other."""
    await enqueue_many(db, name, [arguments], at=at, lock=lock)


async def enqueue_many(
    db: Db,
    name: str,
    arguments: Sequence[Mapping[str, Any]],
    *,
    at: datetime | None = None,
    lock: str | None = None,
) -> None:
    """Queue one job for each of `arguments`, in one statement."""
    if name not in _jobs:
        raise UnknownJobError(name)
    await execute(
        db,
        """
        SELECT procrastinate_defer_jobs_v1(
            array_agg(ROW(%(queue)s, %(name)s, 0, %(lock)s, NULL, args, %(at)s)::procrastinate_job_to_defer_v1)
        )
        FROM unnest(%(arguments)s::jsonb[]) AS args
        """,
        {
            "queue": _jobs[name].queue,
            "name": name,
            "lock": lock,
            "at": None if at is None else _clocks[0].wall_at(at),
            "arguments": [Jsonb(dict(each)) for each in arguments],
        },
    )


async def run_worker(ctx: JobContext, *, queues: Sequence[str] | None = None, concurrency: int = 10) -> None:
    """Work until cancelled; running jobs then get some seconds to end, else they are queued again."""
    async with asyncio.TaskGroup() as group:
        group.create_task(_keep_in_order(ctx.database))
        group.create_task(_work_for_ever(ctx, queues=queues, concurrency=concurrency))


async def run_due_jobs(ctx: JobContext, *, queues: Sequence[str] | None = None) -> None:
    """Work until nothing is due, then return."""
    await _work(ctx, queues=queues, concurrency=1, wait=False)


async def _work_for_ever(ctx: JobContext, *, queues: Sequence[str] | None, concurrency: int) -> None:
    while True:
        try:
            await _work(ctx, queues=queues, concurrency=concurrency, wait=True)
        except (exceptions.ConnectorException, psycopg.Error) as error:
            _raise_if_cancelled()
            log.warning("job worker lost the database", reason=describe_failure(error.__cause__ or error))
        await asyncio.sleep(_RESTART_AFTER_SECONDS)


def _raise_if_cancelled() -> None:
    """A worker that is cancelled while the database is away fails with an error of the database instead."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


async def _work(ctx: JobContext, *, queues: Sequence[str] | None, concurrency: int, wait: bool) -> None:
    options: WorkerOptions = {
        "concurrency": concurrency,
        "wait": wait,
        "listen_notify": wait,
        "install_signal_handlers": False,
        "delete_jobs": "successful",
        "shutdown_graceful_timeout": _SHUTDOWN_SECONDS,
        "update_heartbeat_interval": _HEARTBEAT_SECONDS,
        "stalled_worker_timeout": _STALLED_AFTER_SECONDS,
    }
    if queues is not None:
        options["queues"] = queues
    async with AsyncExitStack() as stack:
        database = await Database.open(ctx.database.url, max_size=_WORKER_CONNECTIONS)
        stack.push_async_callback(database.close)
        app = _application(ctx)
        await app.open_async(database.pool)
        await app.run_worker_async(**options)


def _application(ctx: JobContext) -> App:
    app = App(connector=PsycopgConnector())
    for each in _jobs.values():
        task = app.task(name=each.name, queue=each.queue, retry=_Retry(each.retry))(_bound(each, ctx))
        if each.cron is not None:
            # one waiting, one running: a slow run does not pile up others
            app.periodic(cron=each.cron, lock=each.name, queueing_lock=each.name)(task)
    return app


def _bound(each: _Job, ctx: JobContext) -> Handler:
    async def run(**arguments: Any) -> None:
        if each.cron is not None:
            arguments.pop("timestamp", None)
        await each.handler(ctx, **arguments)

    return run


class _Retry(BaseRetryStrategy):
    """After an error `retries` times, each time later; after a stop of the worker always and at once."""

    def __init__(self, retries: int) -> None:
        self._retries = retries

    def get_retry_decision(self, *, exception: BaseException, job: QueuedJob) -> RetryDecision | None:
        if isinstance(exception, asyncio.CancelledError):
            return RetryDecision(retry_in={"seconds": 0})
        if job.attempts >= self._retries:
            return None
        return RetryDecision(retry_in={"seconds": min(2 ** (job.attempts + 1), _LONGEST_WAIT_SECONDS)})


async def _keep_in_order(database: Database) -> None:
    while True:
        try:
            async with database.connection() as db:
                await rescue_stalled_jobs(db)
                await delete_old_jobs(db)
        except psycopg.Error as error:
            _raise_if_cancelled()
            log.warning("stalled jobs were not looked for", reason=describe_failure(error))
        await asyncio.sleep(_RESCUE_EVERY_SECONDS)


async def rescue_stalled_jobs(db: Db) -> int:
    """Queue again what a dead worker was doing; what has brought down several workers is given up."""
    await execute(db, "SELECT procrastinate_prune_stalled_workers_v1(%(seconds)s)", {"seconds": _STALLED_AFTER_SECONDS})
    rescued = await fetch_value(
        db,
        """
        WITH stalled AS (
            SELECT id, attempts
            FROM procrastinate_jobs
            WHERE status = 'doing' AND worker_id IS NULL  -- the worker's row is gone
            FOR UPDATE SKIP LOCKED
        ), rescued AS (
            UPDATE procrastinate_jobs
            SET
                status = CASE WHEN stalled.attempts < %(most)s THEN 'todo' ELSE 'failed' END::procrastinate_job_status,
                attempts = stalled.attempts + 1,
                scheduled_at = NULL,
                abort_requested = false
            FROM stalled
            WHERE procrastinate_jobs.id = stalled.id
            RETURNING procrastinate_jobs.id
        )
        SELECT count(*) FROM rescued
        """,
        {"most": _MOST_ATTEMPTS_AFTER_CRASHES},
    )
    if rescued:
        log.warning("jobs of a dead worker were queued again", count=rescued)
    return int(rescued)


async def delete_old_jobs(db: Db) -> int:
    """Jobs that failed are kept for some time to be looked at; those that succeeded are gone already."""
    return await execute(
        db,
        """
        DELETE FROM procrastinate_jobs
        WHERE status IN ('succeeded', 'failed', 'cancelled', 'aborted')
            AND NOT EXISTS (
                SELECT
                FROM procrastinate_events
                WHERE procrastinate_events.job_id = procrastinate_jobs.id AND at > now() - %(days)s * interval '1 day'
            )
        """,
        {"days": _KEEP_FAILED_DAYS},
    )
