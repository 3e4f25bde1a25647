"""Keys, rate windows, the order of checks and the transaction of a request, as a client meets them."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from outrider.kit.clock import Clock
from outrider.kit.db import Database, fetch_value
from outrider.kit.edge import Edge
from outrider.kit.http import too_many
from tests.support import things as slice_under_test
from tests.support.client import ApiClient, Rollback

Settable = Callable[..., Awaitable[ApiClient]]

UNKNOWN_KEY = "6b0c7e0a-1d7f-4c63-9b0e-3f1c2a9d5e77_k3x9q1z"
WRONG = {"message": "Invalid API Key", "error": "Invalid API Key", "statusCode": 401, "ok": False}
MISSING = {"message": "API key is required.", "error": "API key is required.", "statusCode": 401, "ok": False}


async def answer(client: ApiClient, **options: Any) -> int:
    response = await client.request("POST", options.pop("path", "/things"), key=None, **options)
    return response.status_code


async def test_a_key_is_taken_from_query_header_bearer_or_body(things: ApiClient) -> None:
    name = {"name": "a"}
    assert await answer(things, path=f"/things?api_key={things.key}", json=name) == 200
    assert await answer(things, headers={"X-API-Key": f" {things.key} "}, json=name) == 200
    assert await answer(things, headers={"Authorization": f"Bearer {things.key}"}, json=name) == 200
    assert await answer(things, headers={"Authorization": f"bEARER  {things.key}"}, json=name) == 200
    assert await answer(things, headers={"Authorization": things.key}, json=name) == 200
    assert await answer(things, json={"api_key": things.key, **name}) == 200
    assert await answer(things, data={"api_key": things.key, **name}) == 200


async def test_the_first_place_with_a_key_counts(things: ApiClient) -> None:
    query, body = f"/things?api_key={UNKNOWN_KEY}", {"api_key": things.key, "name": "a"}
    assert await answer(things, path=query, json=body) == 401
    assert await answer(things, headers={"X-API-Key": UNKNOWN_KEY, "Authorization": things.key}, json=body) == 401
    assert await answer(things, path="/things?api_key=", headers={"X-API-Key": ""}, json=body) == 200


async def test_the_key_is_no_unknown_field(things: ApiClient) -> None:
    response = await things.post(f"/things?api_key={things.key}", json={"api_key": things.key, "name": "a"})
    assert response.status_code == 200
    assert "x-ignored-fields" not in response.headers


@pytest.mark.parametrize("key", [UNKNOWN_KEY, "short", "x" * 201, "ä" * 20, "with blank inside"])
async def test_a_wrong_key_is_401_before_anything_else(things: ApiClient, key: str) -> None:
    for path in ("/things", "/things/abc", "/things/999999"):
        response = await things.request("GET", path, key=None, params={"api_key": key})
        assert response.status_code == 401
        assert response.json() == WRONG
        assert response.headers["www-authenticate"] == "ApiKey"
        assert "x-ratelimit-limit" not in response.headers


@pytest.mark.parametrize("path", ["/things", "/things?api_key=", "/things?api_key=%20"])
async def test_a_missing_key_has_its_own_text(things: ApiClient, path: str) -> None:
    response = await things.request("GET", path, key=None)
    assert response.status_code == 401
    assert response.json() == MISSING


async def test_a_client_key_tells_its_client(client_things: ApiClient) -> None:
    answered = (await client_things.post("/things", json={"name": "a"})).json()
    assert answered["client_id"] == client_things.client_id
    assert answered["user_id"] == client_things.user_id


async def test_rate_headers_count_down_and_end_in_429(things_with: Settable, clock: Clock) -> None:
    things = await things_with(rate_limit_requests=3)
    before = math.ceil(clock.wall().timestamp())
    responses = [await things.get(path) for path in ("/things", "/things/abc", "/things/999")]
    assert [response.status_code for response in responses] == [200, 400, 404]
    assert [response.headers["x-ratelimit-remaining"] for response in responses] == ["2", "1", "0"]
    assert {response.headers["x-ratelimit-limit"] for response in responses} == {"3"}
    (reset,) = {int(response.headers["x-ratelimit-reset"]) for response in responses}
    assert before + 60 <= reset <= math.ceil(clock.wall().timestamp()) + 60

    refused = await things.get("/things")
    assert refused.status_code == 429
    seconds = int(refused.headers["retry-after"])
    assert refused.json() == {
        "statusCode": 429,
        "error": "Too Many Requests",
        "message": f"Too many requests. Please retry after {seconds} seconds.",
        "retry_after": seconds,
        "ok": False,
    }
    assert 1 <= seconds <= 60
    assert refused.headers["x-ratelimit-remaining"] == "0"
    assert int(refused.headers["x-ratelimit-reset"]) == reset


def test_a_refusal_waits_at_least_a_second(clock: Clock) -> None:
    wall = clock.wall()
    assert too_many(wall + timedelta(milliseconds=1), wall).extra["retry_after"] == 1
    assert too_many(wall - timedelta(seconds=3), wall).extra["retry_after"] == 1
    assert too_many(wall + timedelta(seconds=16.2), wall).text == "Too many requests. Please retry after 17 seconds."


async def test_no_limit_no_rate_headers(things: ApiClient) -> None:
    assert not [name for name in (await things.get("/things")).headers if name.startswith("x-ratelimit")]


async def test_options_and_health_checks_do_not_count(things_with: Settable) -> None:
    things = await things_with(rate_limit_requests=1)
    await things.options("/things")
    await things.get("//healthz")
    assert (await things.get("/things")).status_code == 200
    assert (await things.get("/things")).status_code == 429


async def test_many_wrong_keys_from_one_address_are_429(things_with: Settable) -> None:
    things = await things_with(failed_auth_per_minute=2)
    statuses = [(await things.request("GET", "/things", key=UNKNOWN_KEY)).status_code for _ in range(4)]
    assert statuses == [401, 401, 429, 429]
    assert (await things.get("/things")).status_code == 200  # others behind the same address


class TestOrderOfChecks:
    """Each request is wrong in all the later ways too."""

    async def test_route_before_body(self, things: ApiClient) -> None:
        response = await things.request("POST", "/nope", key=None, content=b"{")
        assert response.status_code == 404

    async def test_body_syntax_before_key(self, things: ApiClient) -> None:
        response = await things.request("POST", "/things/abc/owner", key=UNKNOWN_KEY, content=b"{")
        assert (response.status_code, response.json()["message"]) == (400, "Invalid JSON body")

    async def test_key_before_validation(self, things: ApiClient) -> None:
        assert (await things.request("POST", "/things/abc/owner", key=UNKNOWN_KEY)).status_code == 401

    async def test_rate_before_validation(self, things_with: Settable) -> None:
        things = await things_with(rate_limit_requests=1)
        await things.get("/things")
        assert (await things.post("/things/abc/owner")).status_code == 429

    async def test_path_before_permission(self, client_things: ApiClient) -> None:
        response = await client_things.post("/things/abc/owner", json={})
        assert response.json()["message"] == '"thing_id" must be a number'

    async def test_query_before_permission(self, client_things: ApiClient) -> None:
        response = await client_things.get("/things?limit=0&owner_id=x")
        assert response.json()["validation"]["source"] == "query"

    async def test_permission_before_body(self, client_things: ApiClient) -> None:
        for body in ({}, {"name": "a"}):
            response = await client_things.post("/things/1/owner", json=body)
            assert response.status_code == 403
            assert response.json()["message"] == "Permission denied"

    async def test_body_before_existence(self, things: ApiClient) -> None:
        response = await things.post("/things/1/owner", json={})
        assert response.json()["message"] == '"name" is required'


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("abc", '"thing_id" must be a number'),
        ("1.5", '"thing_id" must be an integer'),
        ("-1", '"thing_id" must be a positive number'),
        ("0", '"thing_id" must be a positive number'),
        (str(2**63), '"thing_id" must be a number'),
        ("9" * 400, '"thing_id" must be a number'),
        ("1e999", '"thing_id" must be a number'),
    ],
)
async def test_a_malformed_id_is_a_problem_of_params(things: ApiClient, given: str, message: str) -> None:
    response = await things.get(f"/things/{given}")
    assert response.status_code == 400
    assert response.json() == {
        "statusCode": 400,
        "error": "Bad Request",
        "message": message,
        "validation": {"source": "params", "keys": ["thing_id"]},
        "ok": False,
    }


async def test_an_unknown_id_is_404_with_the_envelope(things: ApiClient) -> None:
    text = "Thing not found - Invalid thing_id."
    response = await things.get("/things/101")
    assert response.status_code == 404
    assert response.json() == {"error": text, "message": text, "statusCode": 404, "ok": False}


async def test_a_path_id_may_have_another_name_in_errors(things: ApiClient) -> None:
    assert (await things.get("/owners/7")).json() == {"id": 7}
    refused = (await things.get("/owners/x")).json()
    assert refused["message"] == '"ownerId" must be a number'
    assert refused["validation"] == {"source": "params", "keys": ["ownerId"]}


async def test_times_are_written_with_three_digits(things: ApiClient) -> None:
    response = await things.get("/things/7")
    assert response.json() == {"id": 7, "created_at": "2026-03-30T08:00:02.117Z"}
    assert response.headers["content-type"] == "application/json; charset=utf-8"


async def test_aliases_answer_like_the_endpoint(things: ApiClient) -> None:
    body = {"name": "a"}
    first = (await things.post("/things", json=body)).json()
    assert (await things.post("/thing", json=body)).json() == first
    assert (await things.put("/things", json=body)).json() == first


async def test_delete_reads_a_body(things: ApiClient) -> None:
    for path in ("/things/1", "/things"):
        response = await things.delete(path, json={"name": "a"})
        assert response.json() == {"name": "a"}


async def test_a_missing_body_is_empty(things: ApiClient) -> None:
    assert (await things.post("/things/anything")).json() == {}
    assert (await things.post("/things")).json()["message"] == '"name" is required'


async def test_a_download_is_streamed_after_the_transaction(committed_things: ApiClient) -> None:
    response = await committed_things.get("/things/export")
    assert response.text == "id,name\r\n1,a\r\n"
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    assert response.headers["content-disposition"] == (
        "attachment; filename=\"thi_ngs _.csv\"; filename*=UTF-8''thi%22ngs%20%C3%A4.csv"
    )


class TestTransaction:
    async def test_the_change_is_visible_when_the_head_of_the_answer_is_sent(
        self, committed_things: ApiClient, database: Database
    ) -> None:
        """A commit after the answer would let a client read its own write too early."""
        seen: list[int] = []

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                async with database.connection() as other:
                    seen.append(await fetch_value(other, "SELECT count(*) FROM tags WHERE name = 'visible'"))

        await committed_things.app(_post("/api/v1/marks/visible", committed_things.key), _no_body, send)
        assert seen == [1]

    async def test_a_failing_commit_is_a_clean_500(self, committed_things: ApiClient, database: Database) -> None:
        response = await committed_things.post("/marks/late/late")
        assert response.status_code == 500
        assert response.json()["message"] == "An internal server error occurred"
        assert await marks(database) == []

    @pytest.mark.parametrize(("ending", "status"), [("refused", 400), ("crash", 500)])
    async def test_an_error_undoes_everything(
        self, committed_things: ApiClient, database: Database, ending: str, status: int
    ) -> None:
        assert (await committed_things.post(f"/marks/gone/{ending}")).status_code == status
        assert await marks(database) == []


class TestErrands:
    """Routes that talk to the outside hold no connection while they wait."""

    @pytest.fixture(autouse=True)
    def gates(self) -> None:
        slice_under_test.going_on.clear()
        slice_under_test.let_go.clear()

    async def test_they_know_their_caller_and_count_like_others(self, things_with: Settable) -> None:
        slice_under_test.let_go.set()
        limited = await things_with(rate_limit_requests=1)
        answer = await limited.post("/errands/a")
        assert answer.json() == {"user_id": limited.user_id, "client_id": None, "name": "a"}
        assert answer.headers["x-ratelimit-remaining"] == "0"
        assert (await limited.post("/errands/a")).status_code == 429
        assert (await limited.request("POST", "/errands/a", key="nobody-has-this-key")).status_code == 401

    async def test_many_that_wait_block_nobody(self, small_things: ApiClient) -> None:
        waiting = [asyncio.create_task(small_things.post(f"/errands/{number}")) for number in range(10)]
        await slice_under_test.going_on.wait()
        assert (await small_things.get("/things/1")).status_code == 200
        assert not any(task.done() for task in waiting)
        slice_under_test.let_go.set()
        assert {answer.status_code for answer in await asyncio.gather(*waiting)} == {200}

    @pytest.mark.parametrize("path", ["/marks/a", "/errands/a"])
    async def test_idempotency_keys_need_no_second_connection(self, small_things: ApiClient, path: str) -> None:
        slice_under_test.let_go.set()
        posts = [small_things.post(path, headers={"Idempotency-Key": str(number)}) for number in range(10)]
        async with asyncio.timeout(5):  # the pool itself gives up after ten
            answers = await asyncio.gather(*posts)
        assert {answer.status_code for answer in answers} == {200}


async def test_key_and_rate_cost_one_statement(
    database_url: str, make_app: Callable[..., Edge], connect: Settable
) -> None:
    statements: list[str] = []

    class ListedCursor(psycopg.AsyncCursor[Any]):
        async def execute(self, query: Any, *arguments: Any, **options: Any) -> Any:
            statements.append(str(query))
            return await super().execute(query, *arguments, **options)

    connection = await psycopg.AsyncConnection.connect(database_url, cursor_factory=ListedCursor)
    async with connection, connection.transaction(force_rollback=True):
        app = make_app(Rollback(connection), apis=(slice_under_test.api,), rate_limit_requests=60)
        things = await connect(app, connection)
        statements.clear()
        response = await things.get("/things")
    assert response.headers["x-ratelimit-remaining"] == "59"
    assert len(statements) == 1
    assert "api_keys" in statements[0]
    assert "rate_limits" in statements[0]


async def marks(database: Database) -> list[Any]:
    async with database.connection() as db:
        cursor = await db.execute("SELECT name FROM tags ORDER BY id")
        return [row[0] for row in await cursor.fetchall()]


def _post(path: str, key: str) -> dict[str, Any]:
    return {
        "type": "http",
        "method": "POST",
        "path": path,
        "query_string": b"",
        "headers": [(b"x-api-key", key.encode())],
        "client": ("127.0.0.1", 1),
        "scheme": "http",
        "server": ("outrider.test", 80),
    }


async def _no_body() -> dict[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}
