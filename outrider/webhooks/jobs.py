"""Queued work of webhooks. Deliveries themselves are rows that `delivery` works through."""

import asyncio
from datetime import timedelta
from uuid import UUID

import psycopg

from outrider.kit.jobs import JobContext, job, periodic
from outrider.kit.log import get_logger
from outrider.webhooks import outbox, retriggers

log = get_logger("webhooks")

_BETWEEN_BATCHES_SECONDS = 1.0
_SHORTEST_PAUSE_SECONDS = 0.05  # on a fast clock
_KEPT = timedelta(days=30)
_DELETED_AT_ONCE = 10_000


@job(retriggers.JOB, retry=10)
async def retrigger(ctx: JobContext, *, user_id: int, retrigger_id: str) -> None:
    """Release batch after batch; their deliveries then take their course."""
    number = UUID(retrigger_id)
    pause = max(_BETWEEN_BATCHES_SECONDS / ctx.clock.speed, _SHORTEST_PAUSE_SECONDS)
    try:
        while await _release(ctx, user_id, number):  # noqa: ASYNC110 - it is other processes that are waited for
            await asyncio.sleep(pause)
    except psycopg.OperationalError:
        raise  # the database is away; the job is run again
    except Exception:
        log.exception("retrigger failed", retrigger_id=retrigger_id)
        async with ctx.database.transaction() as db:
            await retriggers.give_up(db, user_id, number, now=ctx.clock.now())
        raise


@periodic("webhooks.clean_up", cron="17 * * * *")
async def clean_up(ctx: JobContext) -> None:
    """Attempts are kept for 30 days (decision 50)."""
    before = ctx.clock.now() - _KEPT
    deleted = _DELETED_AT_ONCE
    while deleted == _DELETED_AT_ONCE:
        async with ctx.database.transaction() as db:
            deleted = await outbox.delete_attempts(db, before=before, limit=_DELETED_AT_ONCE)


async def _release(ctx: JobContext, user_id: int, retrigger_id: UUID) -> bool:
    async with ctx.database.transaction() as db:
        return await retriggers.release_batch(db, user_id, retrigger_id, now=ctx.clock.now())
