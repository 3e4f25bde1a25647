"""Fixtures for all tests: a database that is clean for each of them, settings, the time, the key.

`db` is a transaction that is rolled back, the fast and usual one. `database` is for what commits or opens its
own transactions; what it left is deleted afterwards. Do not use both in one test: they do not see each other.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings as hypothesis_settings

from outrider.config import Settings, load_settings
from outrider.kit.db import Database, Db
from tests.support.database import Cleaner, TestServer, make_database, make_template
from tests.support.network import loopback_only
from tests.support.scheduling import Scheduling

pytest_plugins = ["tests.support.client", "tests.support.world"]

# A slow moment of a shared machine is no failure: no test asserts a time.
hypothesis_settings.register_profile("outrider", deadline=None)
hypothesis_settings.load_profile("outrider")

_SERVER = pytest.StashKey[TestServer]()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """The controller of parallel workers holds the server: each of them may end before the others."""
    stash = node.config.stash
    if _SERVER not in stash:
        stash[_SERVER] = TestServer.start()
        asyncio.run(make_template(stash[_SERVER].url))
    node.workerinput["server_url"] = stash[_SERVER].url


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Scheduling:
    return Scheduling(config, log)


def pytest_unconfigure(config: pytest.Config) -> None:
    if _SERVER in config.stash:
        config.stash[_SERVER].stop()


@pytest.fixture(scope="session", autouse=True)
def _network() -> Iterator[None]:
    with loopback_only():
        yield


@pytest.fixture(scope="session")
def server_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The PostgreSQL of this run, as its superuser."""
    workerinput: dict[str, Any] | None = getattr(request.config, "workerinput", None)
    if workerinput is not None:
        yield workerinput["server_url"]
        return
    server = TestServer.start()
    yield server.url
    server.stop()


@pytest.fixture(scope="session")
async def database_url(server_url: str, request: pytest.FixtureRequest) -> str:
    """The database of this worker, with all migrations."""
    worker = getattr(request.config, "workerinput", {}).get("workerid", "alone")
    return make_database(server_url, f"worker_{worker}", await make_template(server_url))


@pytest.fixture(scope="session")
async def session_pool(database_url: str) -> AsyncIterator[Database]:
    """One pool for all tests of a worker; use `database` or `db`."""
    pool = await Database.open(database_url, max_size=20)
    yield pool
    await pool.close()


@pytest.fixture(scope="session")
def cleaner(database_url: str) -> Cleaner:
    return Cleaner.of(database_url)


@pytest.fixture
async def database(session_pool: Database, cleaner: Cleaner) -> AsyncIterator[Database]:
    """For code that opens transactions itself; everything is deleted after the test."""
    yield session_pool
    await cleaner.clean()


@pytest.fixture
async def db(session_pool: Database) -> AsyncIterator[Db]:
    """An open transaction, rolled back after the test."""
    async with session_pool.connection() as connection, connection.transaction(force_rollback=True):
        yield connection


@pytest.fixture
def now() -> datetime:
    """A Monday morning."""
    return datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


@pytest.fixture
def settings(tmp_path: Path, database_url: str) -> Settings:
    """Settings of a test installation: no limits, loopback allowed."""
    return load_settings(
        {
            "OUTRIDER_DATABASE_URL": database_url,
            "OUTRIDER_DATA_DIR": str(tmp_path),
            "OUTRIDER_SECRET_KEY": "a-key-only-for-tests",
            "OUTRIDER_RATE_LIMIT_REQUESTS": "0",
            "OUTRIDER_RECIPIENT_DOMAIN_PER_MINUTE": "0",
            "OUTRIDER_RECIPIENT_DOMAIN_PER_HOUR": "0",
            "OUTRIDER_ALLOW_PRIVATE_NETWORKS": "true",
        }
    )
