"""The application as a server makes and runs it."""

import asyncio
from collections.abc import Callable
from typing import Any, Self

import pytest

from outrider import asgi
from outrider.asgi import APIS, application, create_app
from outrider.config import Settings, load_settings
from outrider.kit import crypto
from outrider.kit.clock import SYSTEM_CLOCK
from outrider.kit.edge import Edge
from tests.support import things as slice_under_test
from tests.support.client import ApiClient


class Serving:
    """Plays the server's part in the lifespan of an application."""

    def __init__(self, app: Edge) -> None:
        self._app = app
        self._to_app: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._from_app: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def __aenter__(self) -> Self:
        scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
        self._task = asyncio.create_task(
            self._app(scope, self._to_app.get, self._from_app.put)  # type: ignore[arg-type] # messages are dicts here
        )
        self._task.add_done_callback(lambda task: task.cancelled() or task.exception())
        await self._tell("lifespan.startup")
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self._tell("lifespan.shutdown")
        await self._task

    async def _tell(self, event: str) -> None:
        await self._to_app.put({"type": event})
        answer = await self._from_app.get()
        if answer["type"] != f"{event}.complete":
            raise RuntimeError(answer["message"])


async def test_the_lifespan_opens_and_closes_the_database(settings: Settings) -> None:
    app = create_app(settings, None, SYSTEM_CLOCK, apis=(slice_under_test.api,))
    async with ApiClient(app, user_id=0, key="not-a-known-key", key_id=0) as client:
        assert (await client.get("/things")).status_code == 503
        async with Serving(app):
            assert (await client.get("/things")).status_code == 401
        assert (await client.get("/things")).status_code == 503


async def test_without_an_address_of_a_database_it_does_not_start() -> None:
    app = create_app(load_settings({}), None, SYSTEM_CLOCK)
    with pytest.raises(RuntimeError, match="OUTRIDER_DATABASE_URL is not set"):
        async with Serving(app):
            pass


async def test_a_given_database_stays_open(make_app: Callable[..., Edge], database: Any) -> None:
    app = make_app(database, apis=(slice_under_test.api,))
    async with Serving(app):
        pass
    async with database.connection() as db:
        assert (await db.execute("SELECT 1")).rowcount == 1


def test_a_server_makes_it_from_the_environment(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUTRIDER_DATABASE_URL", settings.database_url or "")
    monkeypatch.setenv("OUTRIDER_SECRET_KEY", "a-key-of-this-test-alone")
    levels: list[str] = []
    monkeypatch.setattr(asgi, "set_up_logging", levels.append)
    before = list(crypto._process_vault)
    try:
        assert isinstance(application(), Edge)
        assert crypto.vault().fingerprint() == crypto.Vault("a-key-of-this-test-alone").fingerprint()
    finally:
        crypto._process_vault[:] = before
    assert levels == ["info"]


async def test_the_routes_of_the_product_and_their_documents_can_be_shown(api: ApiClient) -> None:
    document = (await api.get("//openapi.json")).json()
    ids = [operation["operationId"] for methods in document["paths"].values() for operation in methods.values()]
    assert len(ids) == len(set(ids))
    assert len(ids) >= len(APIS)
    assert (await api.get("//docs")).status_code == 200


async def test_every_title_of_the_product_is_written_once(api: ApiClient) -> None:
    document = (await api.get("//openapi.json")).json()
    titles = [operation["summary"] for methods in document["paths"].values() for operation in methods.values()]
    assert sorted(titles) == sorted(set(titles))
    assert all(titles)


async def test_no_route_of_the_api_answers_without_a_key(api: ApiClient) -> None:
    document = (await api.get("//openapi.json")).json()
    for path, methods in document["paths"].items():
        for method in methods:
            response = await api.request(method.upper(), f"/{path.replace('{', '').replace('}', '')}", key=None)
            assert response.status_code == 401, (method, path)
