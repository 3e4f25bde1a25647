"""The web application for tests: `api` calls it as a fresh account, inside the transaction of `db`.

`api.get("/campaigns")` adds /api/v1 and the key. `other_api` is another account, `client_api` the key of a client of
`api`'s account. `await api_on(database)` is the same on a real pool, for what commits or runs side by side.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

import httpx
import pytest
import structlog

from outrider.asgi import APIS, create_app
from outrider.config import Settings
from outrider.kit.clock import Clock
from outrider.kit.db import Database, Db, fetch_value
from outrider.kit.edge import Edge
from outrider.kit.http import Api
from outrider.users import actions

BASE = "/api/v1"


class Rollback(Database):
    """A database of one connection: its transactions are savepoints of the test's."""

    def __init__(self, db: Db) -> None:
        self._db = db

    def connection(self) -> AbstractAsyncContextManager[Db]:
        @asynccontextmanager
        async def same() -> AsyncIterator[Db]:
            yield self._db

        return same()

    def transaction(self) -> AbstractAsyncContextManager[Db]:
        @asynccontextmanager
        async def savepoint() -> AsyncIterator[Db]:
            async with self._db.transaction():
                yield self._db

        return savepoint()


class ApiClient(httpx.AsyncClient):
    """An HTTP client with the key of one account; short paths are below /api/v1."""

    def __init__(self, app: Edge, *, user_id: int, key: str, key_id: int, client_id: int | None = None) -> None:
        super().__init__(transport=httpx.ASGITransport(app), base_url="http://outrider.test")
        self.app = app
        self.user_id = user_id
        self.key = key
        self.key_id = key_id
        self.client_id = client_id

    async def request(self, method: str, url: Any, **options: Any) -> httpx.Response:
        """With the key in a header, unless `key=None` or another is given; absolute paths start with `//`."""
        key = options.pop("key", self.key)
        headers = dict(options.pop("headers", None) or {})
        if key is not None:
            headers["x-api-key"] = key
        return await super().request(method, _full(str(url)), headers=headers, **options)

    async def delete(self, url: Any, **options: Any) -> httpx.Response:
        """httpx's own takes no body."""
        return await self.request("DELETE", url, **options)


def _full(url: str) -> str:
    return url[1:] if url.startswith("//") else BASE + url


@pytest.fixture(autouse=True)
def plain_logs() -> None:
    """structlog's own default draws every traceback with all its variables: a second for each."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            structlog.processors.LogfmtRenderer(),
        ]
    )


@pytest.fixture
def clock(now: datetime) -> Clock:
    """Stands still, near enough: it starts at `now`."""
    return Clock.starting_at(now, speed=1e-9)


@pytest.fixture
def make_app(settings: Settings, clock: Clock) -> Callable[..., Edge]:
    def make(database: Database, *, apis: Sequence[Api] = APIS, **changed: Any) -> Edge:
        return create_app(replace(settings, **changed), database, clock, apis=apis)

    return make


@pytest.fixture
async def connect(now: datetime) -> AsyncIterator[Callable[..., Awaitable[ApiClient]]]:
    """`await connect(app, db)`: a client with a fresh account; `user_id` and `client_id` for a key of a known one."""
    async with AsyncExitStack() as stack:

        async def connected(
            app: Edge, db: Db, *, user_id: int | None = None, client_id: int | None = None
        ) -> ApiClient:
            if user_id is None:
                user_id = await fresh_account(db, now)
            key = await actions.create_key(db, user_id, name="Test", client_id=client_id, now=now)
            client = ApiClient(app, user_id=user_id, key=key.text, key_id=key.id, client_id=client_id)
            return await stack.enter_async_context(client)

        yield connected


async def fresh_account(db: Db, now: datetime) -> int:
    number = await fetch_value(db, "SELECT count(*) FROM accounts")
    account = await actions.create_account(db, email=f"owner{number}@outrider.example", name=None, now=now)
    return account.user_id


async def fresh_client(db: Db, user_id: int, now: datetime, *, permissions: Sequence[str] = ("full_access",)) -> int:
    number = await fetch_value(db, "SELECT count(*) FROM clients")
    return int(
        await fetch_value(
            db,
            """
            INSERT INTO clients (user_id, name, email, permissions, created_at, updated_at)
            VALUES (%(user_id)s, 'Harbor Lane', %(email)s, %(permissions)s, %(now)s, %(now)s)
            RETURNING id
            """,
            {
                "user_id": user_id,
                "email": f"ops{number}@harborlane.example",
                "permissions": list(permissions),
                "now": now,
            },
        )
    )


@pytest.fixture
def app(make_app: Callable[..., Edge], db: Db) -> Edge:
    """The application on the transaction of the test."""
    return make_app(Rollback(db))


@pytest.fixture
async def api(app: Edge, db: Db, connect: Callable[..., Awaitable[ApiClient]]) -> ApiClient:
    """The main key of a fresh account."""
    return await connect(app, db)


@pytest.fixture
async def other_api(app: Edge, db: Db, connect: Callable[..., Awaitable[ApiClient]]) -> ApiClient:
    """The main key of another account."""
    return await connect(app, db)


@pytest.fixture
async def client_api(
    app: Edge, db: Db, api: ApiClient, now: datetime, connect: Callable[..., Awaitable[ApiClient]]
) -> ApiClient:
    """The key of a client in the account of `api`."""
    return await connect(app, db, user_id=api.user_id, client_id=await fresh_client(db, api.user_id, now))
