"""What every answer has, whoever made it (contract: conventions §1, §8, §9, §10)."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send
from structlog.testing import capture_logs

from outrider.config import Settings
from outrider.kit import edge
from outrider.kit.edge import Edge, logged_path
from outrider.kit.exchange import begin_exchange
from tests.support.client import ApiClient

Settable = Callable[..., Awaitable[ApiClient]]


@pytest.mark.parametrize(
    "path",
    [
        "//api/v1/things",
        "//api/v1/things/",
        "//api/v1//things//",
        "////api/v1/things",
        "//api/things",
        "//v1/things/",
        "//api/v1/smart-delivery/things",
        "//v1/smart-delivery/things/",
        "//api/smart-delivery/things",
        "//api/v1/thi%00ngs",
    ],
)
async def test_every_spelling_of_a_path_is_answered_directly(things: ApiClient, path: str) -> None:
    response = await things.get(path)
    assert response.status_code == 200
    assert response.json()["user_id"] == things.user_id


async def test_a_post_keeps_its_body_with_a_trailing_slash(things: ApiClient) -> None:
    response = await things.post("/things/", json={"name": "a"})
    assert response.json()["body"]["name"] == "a"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "//api/v1/nope"),
        ("PATCH", "//api/v1/things"),
        ("GET", "//api/v1/Things"),
        ("GET", "//nope"),
        ("BREW", "//api/v1/things/"),
        ("POST", "//healthz"),
    ],
)
async def test_an_unknown_route_or_method_is_a_json_404(things: ApiClient, method: str, path: str) -> None:
    response = await things.request(method, path, key=None)
    assert response.status_code == 404
    assert response.json() == {
        "error": "Not Found",
        "message": f"Cannot {method} {path[1:]}",
        "statusCode": 404,
        "ok": False,
    }
    assert response.headers["content-type"] == "application/json; charset=utf-8"
    assert "allow" not in response.headers


async def test_head_is_get_without_the_body(things: ApiClient) -> None:
    whole = await things.get("/things/1")
    head = await things.head("/things/1")
    assert head.status_code == 200
    assert head.content == b""
    assert head.headers["content-length"] == str(len(whole.content))
    assert (await things.head("/things/abc")).status_code == 400


async def test_preflight_needs_no_key_and_knows_every_path(things: ApiClient) -> None:
    asked = {"origin": "https://crm.example", "access-control-request-headers": "x-api-key, content-type"}
    for path in ("/things", "/nope", "//", "//nowhere/at/all/"):
        response = await things.request("OPTIONS", path, key=None, headers=asked)
        assert response.status_code == 204
        assert response.content == b""
        assert response.headers["access-control-allow-origin"] == "*"
        assert response.headers["access-control-allow-methods"] == "GET, POST, PUT, PATCH, DELETE, OPTIONS, HEAD"
        assert response.headers["access-control-allow-headers"] == "x-api-key, content-type"
        assert response.headers["access-control-max-age"] == "86400"
        assert "access-control-allow-credentials" not in response.headers


@pytest.mark.parametrize("path", ["/things", "/things/abc", "/nope", "/marks/a/crash", "//healthz"])
async def test_errors_carry_the_cors_headers_too(things: ApiClient, path: str) -> None:
    method = "POST" if path.endswith("crash") else "GET"
    response = await things.request(method, path)
    assert response.headers["access-control-allow-origin"] == "*"
    assert "x-ratelimit-remaining, x-ratelimit-reset" in response.headers["access-control-expose-headers"]
    assert response.headers["cache-control"] == "no-store"


async def test_origins_can_be_a_list(things_with: Settable) -> None:
    things = await things_with(cors_origins=("https://crm.example",))
    known = await things.get("/things", headers={"origin": "https://crm.example"})
    foreign = await things.get("/things", headers={"origin": "https://evil.example"})
    assert known.headers["access-control-allow-origin"] == "https://crm.example"
    assert "access-control-allow-origin" not in foreign.headers
    assert foreign.headers["vary"] == known.headers["vary"] == "origin"


async def test_a_request_id_is_kept_or_made(things: ApiClient) -> None:
    given = await things.get("/things", headers={"x-request-id": "job-7.a_B"})
    assert given.headers["x-request-id"] == "job-7.a_B"
    for bad in ("", "a b", "x" * 129, "ä", "a;b"):
        response = await things.get("/things", headers={"x-request-id": bad.encode()})
        assert UUID(response.headers["x-request-id"]).version == 4


async def test_large_answers_are_compressed_if_the_client_can(things: ApiClient) -> None:
    packed = await things.get("/things/large", headers={"accept-encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert len(packed.json()["text"]) == 5000
    plain = await things.get("/things/large", headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    small = await things.get("/things", headers={"accept-encoding": "gzip"})
    assert "content-encoding" not in small.headers


async def test_ignored_fields_are_listed(things: ApiClient) -> None:
    body = {"name": "a", "colour": 1, "parts": [{"name": "p", "weight": 2}], "bad, name": 3}
    response = await things.post("/things?dry_run=true&name=x", json=body)
    assert response.status_code == 200
    assert response.headers["x-ignored-fields"] == "dry_run, name, weight, colour, bad__name"
    many = await things.post("/things", json={"name": "a", **{f"x{number}": 1 for number in range(30)}})
    assert len(many.headers["x-ignored-fields"].split(", ")) == 20


async def test_strict_compat_refuses_unknown_fields(things_with: Settable) -> None:
    things = await things_with(strict_compat=True)
    query = await things.post("/things?dry_run=1", json={"name": "a"})
    assert query.json()["message"] == '"dry_run" is not allowed'
    assert query.json()["validation"] == {"source": "query", "keys": ["dry_run"]}
    body = await things.post("/things", json={"name": "a", "parts": [{"name": "p", "weight": 2}]})
    assert body.json()["message"] == '"parts[0].weight" is not allowed'
    assert body.json()["validation"] == {"source": "body", "keys": ["parts.0.weight"]}
    assert (await things.post("/things", json={"colour": 1})).json()["message"] == '"name" is required'


async def test_a_very_long_address_is_refused(things: ApiClient) -> None:
    response = await things.get("/things?search=" + "x" * 17_000)
    assert response.status_code == 414
    assert response.json()["error"] == "URI Too Long"


async def test_the_log_line_has_ids_and_no_secret(things: ApiClient) -> None:
    with capture_logs() as lines:
        await things.request(
            "GET",
            f"/things/?api_key={things.key}&q=nora@hexly.example&limit=5",
            headers={"x-request-id": "r1"},
            key=None,
        )
    (line,) = [line for line in lines if line["event"] == "request"]
    assert line["path"] == "/api/v1/things/?q=***&limit=5&api_key=***"
    assert line["request_id"] == "r1"
    assert line["user_id"] == things.user_id
    assert line["key_id"] == things.key_id
    assert line["status"] == 200
    assert things.key not in repr(lines)


async def test_no_log_line_shows_the_key_of_a_body_or_a_crash(things: ApiClient) -> None:
    with capture_logs() as lines:
        await things.request("POST", "/marks/a/crash", json={"api_key": things.key}, key=None)
        await things.request("GET", f"/nope?api_key={things.key}", key=None)
    assert {line["event"] for line in lines} == {"request", "request failed"}
    assert things.key not in repr(lines)


@pytest.mark.parametrize(
    ("path", "logged"),
    [
        ("/api/v1/leads/nora@hexly.example/x", "/api/v1/leads/***/x"),
        ("/api/v1/campaigns/7/leads", "/api/v1/campaigns/7/leads"),
        ("/u/a-signed-token", "/u/***"),
        ("/healthz", "/healthz"),
    ],
)
def test_what_is_logged_of_a_path_names_nobody(path: str, logged: str) -> None:
    exchange = begin_exchange({"method": "GET", "path": path, "query_string": b"", "headers": []}, route_path=path)
    assert logged_path(exchange) == logged


class TestTimeLimit:
    @pytest.fixture(autouse=True)
    def short_limit(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(edge, "TIME_LIMIT_SECONDS", 0.05)

    async def test_a_request_that_takes_too_long_is_503(self, settings: Settings) -> None:
        was_cancelled = asyncio.Event()

        async def endless(_scope: Scope, _receive: Receive, _send: Send) -> None:
            try:
                await asyncio.Event().wait()
            finally:
                was_cancelled.set()

        messages = await run(Edge(endless, settings=settings))
        assert messages[0]["status"] == 503
        assert (b"retry-after", b"5") in messages[0]["headers"]
        assert was_cancelled.is_set()

    async def test_a_download_may_take_longer(self, settings: Settings) -> None:
        async def lines() -> AsyncIterator[str]:
            yield "a"
            await asyncio.sleep(0.1)
            yield "b"

        messages = await run(Edge(StreamingResponse(lines()), settings=settings))
        assert b"".join(message.get("body", b"") for message in messages) == b"ab"

    async def test_half_an_answer_breaks_the_connection(self, settings: Settings) -> None:
        async def lines() -> AsyncIterator[str]:
            yield "a"
            raise ValueError("a bug")

        with pytest.raises(ValueError, match="a bug"):
            await run(Edge(StreamingResponse(lines()), settings=settings))


async def test_pages_of_the_web_app_have_no_api_headers(settings: Settings) -> None:
    messages = await run(Edge(Response("page"), settings=settings), path="/app/campaigns")
    names = {name for name, _ in messages[0]["headers"]}
    assert b"x-request-id" in names
    assert not {b"cache-control", b"access-control-allow-origin"} & names


async def test_what_is_not_http_passes_through(settings: Settings) -> None:
    seen: list[str] = []

    async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
        seen.append(scope["type"])

    await run(Edge(app, settings=settings), type="lifespan")
    assert seen == ["lifespan"]


async def run(app: Edge, **changed: Any) -> list[Any]:
    """The messages an application sends for a GET."""
    messages: list[Any] = []
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/api/v1/x",
        "query_string": b"",
        "headers": [],
        "client": None,
        **changed,
    }

    async def receive() -> dict[str, Any]:
        await asyncio.Event().wait()
        return {}

    async def send(message: Any) -> None:
        messages.append(message)

    await app(scope, receive, send)
    return messages
