"""Health and readiness; none of it needs a key."""

from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

import pytest

from outrider import __version__
from outrider.kit.clock import Clock
from outrider.kit.db import Database, Db, execute
from outrider.kit.edge import Edge
from outrider.kit.migrate import MIGRATIONS
from tests.support.client import ApiClient


@pytest.mark.parametrize("path", ["//", "//healthz", "//healthz/"])
async def test_alive(things: ApiClient, path: str) -> None:
    response = await things.request("GET", path, key=None)
    assert response.json() == {"ok": True, "name": "Outrider", "version": __version__}


async def test_a_browser_is_sent_to_the_web_app(things: ApiClient) -> None:
    response = await things.request("GET", "//", key=None, headers={"accept": "text/html,*/*;q=0.8"})
    assert response.status_code == 302
    assert response.headers["location"] == "/app/"


async def heartbeat(db: Db, clock: Clock, *, ago: timedelta) -> None:
    at = clock.wall() - ago
    await execute(
        db,
        "INSERT INTO engines (id, lock_key, started_at, heartbeat_at) VALUES (%(id)s, 1, %(at)s, %(at)s)",
        {"id": uuid4(), "at": at},
    )


async def test_ready_with_a_database_and_an_engine(things: ApiClient, db: Db, clock: Clock) -> None:
    await heartbeat(db, clock, ago=timedelta(hours=1))
    await heartbeat(db, clock, ago=timedelta(seconds=5))
    response = await things.request("GET", "//readyz", key=None)
    assert response.status_code == 200
    assert response.json() == {"ok": True, "checks": {"database": "ok", "migrations": "ok", "engine": "ok"}}


async def test_not_ready_without_an_engine(things: ApiClient, db: Db, clock: Clock) -> None:
    response = await things.get("//readyz")
    assert response.status_code == 503
    assert response.headers["retry-after"] == "5"
    assert response.json()["checks"]["engine"] == "no engine has been started"
    await heartbeat(db, clock, ago=timedelta(seconds=61))
    assert (await things.get("//readyz")).json()["checks"]["engine"] == "no engine is running"


async def test_not_ready_before_the_migrations(things: ApiClient, db: Db) -> None:
    last = len(list(MIGRATIONS.glob("*.sql")))
    await execute(db, "DELETE FROM schema_migrations WHERE version = %(last)s", {"last": last})
    assert "outrider migrate" in (await things.get("//readyz")).json()["checks"]["migrations"]


async def test_not_ready_without_a_database(make_app: Callable[..., Edge], database_url: str) -> None:
    closed = await Database.open(database_url)
    await closed.close()
    async with ApiClient(make_app(closed), user_id=0, key="", key_id=0) as client:
        response = await client.get("//readyz")
    assert response.status_code == 503
    assert response.json()["checks"] == {
        "database": "unreachable",
        "migrations": "unreachable",
        "engine": "unreachable",
    }
