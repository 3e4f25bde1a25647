"""`Idempotency-Key` (contract: conventions §9)."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest

from outrider.kit import idempotency
from outrider.kit.db import Database, execute, fetch_value
from tests.support import things as slice_under_test
from tests.support.client import ApiClient

ONCE = {"Idempotency-Key": "once"}


async def count_marks(database: Database) -> int:
    async with database.connection() as db:
        return int(await fetch_value(db, "SELECT count(*) FROM tags"))


async def test_the_first_answer_is_replayed(committed_things: ApiClient, database: Database) -> None:
    first = await committed_things.post("/marks/a", headers=ONCE)
    again = await committed_things.post("/marks/a", headers=ONCE)
    assert first.json() == again.json() == {"count": 1}
    assert "idempotent-replay" not in first.headers
    assert again.headers["idempotent-replay"] == "true"
    assert again.headers["content-type"] == first.headers["content-type"]
    assert again.headers["x-request-id"] != first.headers["x-request-id"]
    assert await count_marks(database) == 1


async def test_a_refusal_is_replayed_too(committed_things: ApiClient) -> None:
    for path, body in (("/marks/a/refused", {}), ("/things", {"name": ""}), ("/things/abc/owner", {})):
        first = await committed_things.post(path, headers=ONCE, json=body)
        again = await committed_things.post(path, headers=ONCE, json=body)
        assert first.status_code == again.status_code == 400
        assert first.json() == again.json()
        assert again.headers["idempotent-replay"] == "true"


async def test_a_refusal_leaves_no_trace_of_its_change(committed_things: ApiClient, database: Database) -> None:
    await committed_things.post("/marks/a/refused", headers=ONCE)
    assert await count_marks(database) == 0


async def test_a_crash_is_not_remembered(committed_things: ApiClient, database: Database) -> None:
    for _ in range(2):
        crashed = await committed_things.post("/marks/a/crash", headers=ONCE)
        assert crashed.status_code == 500
        assert "idempotent-replay" not in crashed.headers
    assert await count_marks(database) == 0


async def test_another_request_under_the_same_key_is_refused(committed_things: ApiClient) -> None:
    await committed_things.post("/things", headers=ONCE, json={"name": "a"})
    for path, body in (("/things", {"name": "b"}), ("/things?x=1", {"name": "a"})):
        response = await committed_things.post(path, headers=ONCE, json=body)
        assert response.status_code == 400
        assert response.json()["message"] == "Idempotency-Key reused with a different request"


async def test_a_key_counts_for_one_method_and_path(committed_things: ApiClient) -> None:
    await committed_things.post("/marks/a", headers=ONCE)
    assert (await committed_things.post("/marks/b", headers=ONCE)).json() == {"count": 2}
    assert (await committed_things.post("/marks/a/", headers=ONCE)).headers["idempotent-replay"] == "true"


async def test_a_get_is_never_replayed(committed_things: ApiClient) -> None:
    await committed_things.get("/things/1", headers=ONCE)
    assert "idempotent-replay" not in (await committed_things.get("/things/1", headers=ONCE)).headers


async def test_a_download_is_made_anew(committed_things: ApiClient) -> None:
    for _ in range(2):
        response = await committed_things.post("/things/export", headers=ONCE)
        assert response.text == "id,name\r\n1,a\r\n"
        assert "idempotent-replay" not in response.headers


async def test_keys_have_a_length(things: ApiClient) -> None:
    assert (await things.post("/marks/a", headers={"Idempotency-Key": "x" * 255})).status_code == 200
    response = await things.post("/marks/a", headers={"Idempotency-Key": "x" * 256})
    assert response.status_code == 400
    assert "less than or equal to 255 characters" in response.json()["message"]


async def test_answers_are_kept_for_a_day(committed_things: ApiClient, database: Database) -> None:
    await committed_things.post("/marks/a", headers=ONCE)
    await age(database, timedelta(hours=23))
    assert (await committed_things.post("/marks/a", headers=ONCE)).json() == {"count": 1}
    await age(database, timedelta(hours=2))
    assert (await committed_things.post("/marks/a", headers=ONCE)).json() == {"count": 2}
    assert (await committed_things.post("/marks/a", headers=ONCE)).headers["idempotent-replay"] == "true"


async def test_old_answers_are_deleted(committed_things: ApiClient, database: Database) -> None:
    await committed_things.post("/marks/a", headers=ONCE)
    await age(database, timedelta(hours=25))
    await committed_things.post("/marks/b", headers={"Idempotency-Key": "other"})
    async with database.connection() as db:
        assert await fetch_value(db, "SELECT count(*) FROM idempotent_replies") == 1


async def age(database: Database, by: timedelta) -> None:
    async with database.connection() as db:
        await execute(db, "UPDATE idempotent_replies SET created_at = created_at - %(by)s", {"by": by})


class TestAtTheSameTime:
    @pytest.fixture(autouse=True)
    def gates(self) -> None:
        slice_under_test.going_on.clear()
        slice_under_test.let_go.clear()

    async def start(self, client: ApiClient) -> tuple[asyncio.Task[httpx.Response], asyncio.Task[httpx.Response]]:
        first = asyncio.create_task(client.post("/marks/a/slow", headers=ONCE))
        await slice_under_test.going_on.wait()
        return first, asyncio.create_task(client.post("/marks/a/slow", headers=ONCE))

    async def test_the_second_waits_for_the_first(self, committed_things: ApiClient, database: Database) -> None:
        first, second = await self.start(committed_things)
        await asyncio.sleep(0.05)
        assert not second.done()
        slice_under_test.let_go.set()
        assert (await first).json() == (await second).json() == {"count": 1}
        assert (await second).headers["idempotent-replay"] == "true"
        assert await count_marks(database) == 1

    async def test_the_second_takes_over_if_the_first_fails(
        self, committed_things: ApiClient, database: Database
    ) -> None:
        first, second = await self.start(committed_things)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        slice_under_test.let_go.set()
        assert (await second).json() == {"count": 1}
        assert await count_marks(database) == 1

    async def test_who_waits_too_long_is_told_to_come_back(
        self, committed_things: ApiClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(idempotency, "_WAIT_SECONDS", 0.1)
        first, second = await self.start(committed_things)
        refused = await second
        assert refused.status_code == 503
        assert refused.headers["retry-after"] == "1"
        slice_under_test.let_go.set()
        assert (await first).status_code == 200


async def test_keys_of_different_callers_do_not_meet(
    committed_things: ApiClient, database: Database, connect: Callable[..., Any]
) -> None:
    async with database.connection() as db:
        other = await connect(committed_things.app, db)
    await committed_things.post("/marks/a", headers=ONCE)
    response = await other.post("/marks/a", headers=ONCE)
    assert "idempotent-replay" not in response.headers


class TestErrands:
    """Routes that hold no connection: a row says that the first is running."""

    @pytest.fixture(autouse=True)
    def gates(self) -> None:
        slice_under_test.going_on.clear()
        slice_under_test.let_go.set()

    @pytest.mark.parametrize(("name", "status"), [("a", 200), ("refused", 400)])
    async def test_the_first_answer_is_replayed(self, committed_things: ApiClient, name: str, status: int) -> None:
        first = await committed_things.post(f"/errands/{name}", headers=ONCE)
        again = await committed_things.post(f"/errands/{name}", headers=ONCE)
        assert first.status_code == again.status_code == status
        assert first.json() == again.json()
        assert "idempotent-replay" not in first.headers
        assert again.headers["idempotent-replay"] == "true"

    async def test_a_crash_is_not_remembered(self, committed_things: ApiClient, database: Database) -> None:
        for _ in range(2):
            assert (await committed_things.post("/errands/crash", headers=ONCE)).status_code == 500
        async with database.connection() as db:
            assert await fetch_value(db, "SELECT count(*) FROM idempotent_replies") == 0

    async def test_the_second_waits_for_the_first(self, committed_things: ApiClient, database: Database) -> None:
        slice_under_test.let_go.clear()
        first = asyncio.create_task(committed_things.post("/errands/a", headers=ONCE))
        await slice_under_test.going_on.wait()
        second = asyncio.create_task(committed_things.post("/errands/a", headers=ONCE))
        await asyncio.sleep(0.05)
        assert not second.done()
        slice_under_test.let_go.set()
        assert (await first).json() == (await second).json()
        assert (await second).headers["idempotent-replay"] == "true"
        assert await count_marks(database) == 1

    async def test_one_whose_process_died_is_run_anew(self, committed_things: ApiClient, database: Database) -> None:
        await committed_things.post("/errands/a", headers=ONCE)
        async with database.connection() as db:
            await execute(db, "UPDATE idempotent_replies SET status = NULL")
        await age(database, timedelta(minutes=2))
        again = await committed_things.post("/errands/a", headers=ONCE)
        assert "idempotent-replay" not in again.headers
        assert await count_marks(database) == 2
