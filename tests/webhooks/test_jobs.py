"""Queued work of webhooks; that of retriggers is in test_retriggers."""

from datetime import UTC, datetime, timedelta

import httpx

from outrider.config import Settings
from outrider.kit.clock import Clock
from outrider.kit.crypto import vault
from outrider.kit.db import Database, fetch_dicts
from outrider.kit.jobs import JobContext
from outrider.webhooks import jobs
from tests.webhooks import scene

NOW = datetime(2026, 3, 30, 10, tzinfo=UTC)


async def test_attempts_are_kept_for_thirty_days(
    database: Database, settings: Settings, http: httpx.AsyncClient
) -> None:
    async with database.transaction() as db:
        await scene.play(db)
        delivery_id = await scene.event(db)
        for days in (29, 31, 300):
            await scene.insert(
                db,
                "webhook_attempts",
                delivery_id=delivery_id,
                attempt=1,
                attempted_at=NOW - timedelta(days=days),
                duration_ms=1,
            )
    clock = Clock.starting_at(NOW, speed=1e-9)
    await jobs.clean_up(JobContext(database=database, settings=settings, clock=clock, vault=vault(), http=http))
    async with database.transaction() as db:
        left = await fetch_dicts(db, "SELECT attempted_at FROM webhook_attempts")
        assert [row["attempted_at"] for row in left] == [NOW - timedelta(days=29)]
        assert len(await scene.deliveries(db)) == 1
