"""Queued work of figures: the sums follow what was sent and what came back."""

import asyncio
import time

from outrider.analytics import rollup
from outrider.kit.jobs import JobContext, periodic

_SECONDS = 50.0
_SHARE = 20
"""Of its time it works one part and rests the others: sending comes first, a backlog is read in the exact slow way."""


@periodic("analytics.work_off", cron="* * * * *")
async def work_off(ctx: JobContext) -> None:
    """Stretch by stretch, the accounts in turn."""
    ends_at = time.monotonic() + _SECONDS
    async with ctx.database.connection() as db:
        waiting = await rollup.list_behind(db)
    while waiting:
        for user_id in list(waiting):
            began_at = time.monotonic()
            async with ctx.database.transaction() as db:
                done = await rollup.work_off(db, user_id)
            if done < rollup.AT_ONCE:
                waiting.remove(user_id)
            rest = (time.monotonic() - began_at) * (_SHARE - 1)
            if time.monotonic() + rest > ends_at:
                return
            await asyncio.sleep(rest)
