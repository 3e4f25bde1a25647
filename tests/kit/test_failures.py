"""What a client is told when something goes wrong (contract: conventions §4)."""

import json
from collections.abc import Callable
from urllib.parse import urlencode

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from outrider.kit.db import Database, fetch_value
from outrider.kit.edge import Edge
from outrider.kit.exchange import Exchange, Unavailable, current_exchange
from outrider.kit.failures import InternalError, _problem_of
from tests.support import things as slice_under_test
from tests.support.client import ApiClient


async def test_a_bug_is_a_500_with_the_request_id_and_nothing_else(things: ApiClient) -> None:
    with capture_logs() as lines:
        response = await things.post("/marks/a/crash", headers={"x-request-id": "r7"})
    assert response.status_code == 500
    assert response.json() == {
        "error": "Internal Server Error",
        "message": "An internal server error occurred",
        "statusCode": 500,
        "ok": False,
        "request_id": "r7",
    }
    assert response.headers["x-request-id"] == "r7"
    (line,) = [line for line in lines if line["event"] == "request failed"]
    assert line["request_id"] == "r7"
    assert isinstance(line["exc_info"], RuntimeError)


async def test_a_lost_database_is_503(make_app: Callable[..., Edge], database_url: str) -> None:
    closed = await Database.open(database_url)
    await closed.close()
    async with ApiClient(make_app(closed, apis=(slice_under_test.api,)), user_id=0, key="x" * 20, key_id=0) as client:
        response = await client.get("/things")
    assert response.status_code == 503
    assert response.json()["error"] == "Service Unavailable"
    assert response.headers["retry-after"] == "5"


async def test_before_the_start_and_after_the_end_it_is_503(make_app: Callable[..., Edge]) -> None:
    app = make_app(None, apis=(slice_under_test.api,))
    async with ApiClient(app, user_id=0, key="x" * 20, key_id=0) as client:
        assert (await client.get("/things")).status_code == 503
        assert (await client.get("//healthz")).status_code == 200


async def test_a_killed_backend_costs_at_most_one_503(committed_things: ApiClient, database: Database) -> None:
    async with database.connection() as db:
        await fetch_value(
            db,
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'",
        )
    statuses = [(await committed_things.get("/things")).status_code for _ in range(3)]
    assert statuses[1:] == [200, 200]
    assert statuses[0] in {200, 503}


PATHS = st.sampled_from(["/things", "/things/1", "/things/strict", "/things/anything", "/marks/a", "/things/1/owner"])
TEXTS = st.text(max_size=6) | st.sampled_from(["colors", "owner_id", "limit", "name", "parts", "is_new", "size"])
BODIES = st.binary(max_size=30) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda parts: st.lists(parts, max_size=3) | st.dictionaries(TEXTS, parts, max_size=4),
    max_leaves=8,
).map(lambda value: json.dumps(value).encode("utf-8", "surrogatepass"))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    method=st.sampled_from(["GET", "POST", "DELETE", "PUT", "HEAD"]),
    path=PATHS,
    query=st.lists(st.tuples(TEXTS, TEXTS), max_size=4),
    body=BODIES,
    content_type=st.sampled_from(["application/json", "application/x-www-form-urlencoded", "multipart/form-data", ""]),
)
async def test_no_request_makes_a_500(
    things: ApiClient, *, method: str, path: str, query: list[tuple[str, str]], body: bytes, content_type: str
) -> None:
    address = f"{path}?{urlencode(query, errors='surrogatepass')}"
    response = await things.request(method, address, content=body, headers={"content-type": content_type})
    assert response.status_code in {200, 400, 404}
    if method != "HEAD" and response.status_code != 200:
        assert {"error", "message", "statusCode", "ok"} <= set(response.json())


def exchange() -> Exchange:
    made = Exchange(request_id="r", method="GET", path="/", route_path="/", query=[], query_key=None, address="")
    current_exchange.set(made)
    return made


@pytest.mark.parametrize(
    ("state", "retry_after"),
    [("08006", 5), ("57P01", 5), ("57P03", 5), ("53300", 5), ("53100", 5), ("40P01", 1), ("40001", 1)],
)
def test_states_of_the_database_in_which_to_come_back(state: str, retry_after: int) -> None:
    found = _problem_of(psycopg.errors.lookup(state)("x"), exchange())
    assert isinstance(found, Unavailable)
    assert found.extra["retry_after"] == retry_after


def test_a_full_disk_is_named() -> None:
    assert "disk" in _problem_of(psycopg.errors.DiskFull("x"), exchange()).text


@pytest.mark.parametrize(
    "error", [psycopg.errors.UndefinedTable("x"), psycopg.errors.QueryCanceled("x"), KeyError("x")]
)
def test_other_errors_are_bugs(error: Exception) -> None:
    assert isinstance(_problem_of(error, exchange()), InternalError)
