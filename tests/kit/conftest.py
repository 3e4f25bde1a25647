"""Clients of the tests' own slice."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime

import pytest

from outrider.kit.db import Database, Db
from outrider.kit.edge import Edge
from tests.support import things as slice_under_test
from tests.support.client import ApiClient, Rollback, fresh_client

Connect = Callable[..., Awaitable[ApiClient]]


@pytest.fixture
def things_app(make_app: Callable[..., Edge], db: Db) -> Edge:
    return make_app(Rollback(db), apis=(slice_under_test.api,))


@pytest.fixture
async def things(things_app: Edge, db: Db, connect: Connect) -> ApiClient:
    return await connect(things_app, db)


@pytest.fixture
async def client_things(things_app: Edge, things: ApiClient, db: Db, now: datetime, connect: Connect) -> ApiClient:
    """The key of a client in the account of `things`."""
    return await connect(things_app, db, user_id=things.user_id, client_id=await fresh_client(db, things.user_id, now))


@pytest.fixture
def things_with(make_app: Callable[..., Edge], db: Db, connect: Connect) -> Callable[..., Awaitable[ApiClient]]:
    """`await things_with(strict_compat=True)`: other settings."""

    async def made(**settings: object) -> ApiClient:
        return await connect(make_app(Rollback(db), apis=(slice_under_test.api,), **settings), db)

    return made


@pytest.fixture
async def committed_things(make_app: Callable[..., Edge], database: Database, connect: Connect) -> ApiClient:
    """On a real pool: each request is a transaction of its own."""
    app = make_app(database, apis=(slice_under_test.api,))
    async with database.connection() as db:
        return await connect(app, db)


@pytest.fixture
async def small_things(make_app: Callable[..., Edge], database: Database, connect: Connect) -> AsyncIterator[ApiClient]:
    """As `committed_things`, with a pool of two connections."""
    pool = await Database.open(database.url, max_size=2)
    async with pool.connection() as db:
        client = await connect(make_app(pool, apis=(slice_under_test.api,)), db)
    yield client
    await pool.close()
