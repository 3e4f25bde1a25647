"""Delivering failed events again: what is taken, in which batches, what becomes of it, and how it is told."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from outrider.config import Settings
from outrider.kit.clock import Clock
from outrider.kit.crypto import vault
from outrider.kit.db import Database, Db, execute, fetch_value
from outrider.kit.edge import Edge
from outrider.kit.jobs import JobContext, run_due_jobs
from outrider.webhooks import actions, jobs, retriggers
from outrider.webhooks.delivery import deliver_due, run
from outrider.webhooks.models import Changes
from tests.support.client import ApiClient
from tests.support.receiver import Receiver, Reply
from tests.webhooks import scene
from tests.webhooks.scene import CAMPAIGN, USER, WEBHOOK, deliveries
from tests.webhooks.test_api import UNKNOWN_CAMPAIGN, refused

PATH = f"/campaigns/{CAMPAIGN}/webhooks/retrigger-failed-events"
MARCH = {"fromTime": "2026-03-01", "toTime": "2026-03-31"}
AT = datetime(2026, 3, 30, 10, tzinfo=UTC)
FAILED: dict[str, Any] = {"state": "FAILED", "next_attempt_at": None, "attempt_count": 4, "total_attempts": 4}


async def add(db: Db, count: int = 1, **given: Any) -> None:
    for number in range(count):
        occurred_at = given.get("occurred_at", AT - timedelta(seconds=number))
        await scene.event(db, **{**FAILED, "campaign_lead_id": None, **given, "occurred_at": occurred_at})


@pytest.fixture
async def place(api: ApiClient, db: Db) -> int:
    """The campaign of the examples in the account of the key."""
    await scene.campaign(db, user_id=api.user_id)
    await scene.webhook(db, user_id=api.user_id)
    return api.user_id


async def start(api: ApiClient, path: str = PATH, **body: Any) -> dict[str, Any]:
    answer = await api.post(path, json={**MARCH, **body})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


@pytest.mark.parametrize("path", [PATH, PATH.removesuffix("-failed-events")])
async def test_starting_answers_as_the_contract_shows(api: ApiClient, db: Db, place: int, path: str) -> None:
    await add(db, 120, user_id=place)
    found = await start(api, path)
    number = found["retrigger_id"]
    expected = scene.example("retriggered")
    assert found == {**expected, "retrigger_id": number, "data": {**expected["data"], "retrigger_id": number}}
    assert UUID(number)


async def test_with_nothing_to_do_it_is_completed_at_once(api: ApiClient, db: Db, place: int) -> None:
    found = await start(api)
    assert (found["ok"], found["retrigger_id"], found["status"]) == (True, None, "COMPLETED")
    assert (found["retriggered_count"], found["total_batches"], found["batch_size"]) == (0, 0, 50)
    assert found["data"] == {"retrigger_id": None, "status": "COMPLETED", "total_events": 0}
    assert (await api.get(PATH)).json() == {"ok": True, "data": []}
    assert await fetch_value(db, "SELECT count(*) FROM procrastinate_jobs") == 0


async def test_what_is_taken_is_scheduled_and_waits_for_its_batch(api: ApiClient, db: Db, place: int) -> None:
    await add(db, user_id=place)
    await start(api)
    [row] = await deliveries(db)
    assert (row["state"], row["is_retriggered"], row["attempt_count"], row["total_attempts"]) == (
        "SCHEDULED",
        True,
        0,
        4,
    )
    assert row["next_attempt_at"] is None


TAKEN: list[tuple[dict[str, Any], bool]] = [
    ({}, True),
    ({"is_retriggered": True}, True),
    ({"state": "SCHEDULED"}, False),
    ({"state": "SUCCESSFUL"}, False),
    ({"occurred_at": datetime(2026, 2, 28, 23, 59, tzinfo=UTC)}, False),
    ({"occurred_at": datetime(2026, 3, 1, tzinfo=UTC)}, True),
    ({"occurred_at": datetime(2026, 3, 31, 23, 59, 59, 999_999, tzinfo=UTC)}, True),
    ({"occurred_at": datetime(2026, 4, 1, tzinfo=UTC)}, False),
    ({"campaign_id": None}, True),
]


@pytest.mark.parametrize(("given", "is_taken"), TAKEN)
async def test_which_events_are_taken(
    api: ApiClient, db: Db, place: int, given: dict[str, Any], is_taken: bool
) -> None:
    await add(db, user_id=place, **given)
    assert (await start(api))["retriggered_count"] == int(is_taken)


@pytest.mark.parametrize("change", ["is_active = false", "deleted_at = now()"])
async def test_a_webhook_that_is_gone_gets_nothing(api: ApiClient, db: Db, place: int, change: str) -> None:
    await add(db, user_id=place)
    await execute(db, f"UPDATE webhooks SET {change}")  # type: ignore[arg-type]  # noqa: S608
    assert (await start(api))["retriggered_count"] == 0


@pytest.mark.parametrize(
    ("body", "count"),
    [
        ({"webhook_id": WEBHOOK}, 2),
        ({"webhook_id": "99"}, 0),
        ({"event_types": ["EMAIL_SENT"]}, 1),
        ({"event_types": "replied"}, 1),
        ({"event_types": []}, 2),
        ({"fromTime": "2026-04-01", "toTime": "2026-04-02"}, 0),
    ],
)
async def test_narrowing_it_down(api: ApiClient, db: Db, place: int, body: dict[str, Any], count: int) -> None:
    await add(db, user_id=place)
    await add(db, user_id=place, event_type="EMAIL_REPLY")
    assert (await start(api, **body))["retriggered_count"] == count


async def test_without_a_body_the_last_thirty_days_are_meant(api: ApiClient, db: Db, place: int, now: datetime) -> None:
    await add(db, user_id=place, occurred_at=now - timedelta(days=29))
    await add(db, user_id=place, occurred_at=now - timedelta(days=31))
    answer = await api.post(PATH)
    assert answer.json()["retriggered_count"] == 1


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"fromTime": "x"}, '"fromTime" must be in ISO 8601 date format'),
        ({"fromTime": "2026-03-02", "toTime": "2026-03-01"}, '"toTime" must be larger than or equal to "ref:fromTime"'),
        ({"event_types": ["NOPE"]}, "Invalid event_types - NOPE"),
    ],
)
async def test_what_cannot_be_asked_for(api: ApiClient, place: int, body: dict[str, Any], message: str) -> None:
    assert (await refused(api, "POST", PATH, json=body))["message"] == message


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_other_accounts_and_clients_do_not_find_the_campaign(
    other_api: ApiClient, client_api: ApiClient, place: int, method: str
) -> None:
    for client in (other_api, client_api):
        assert await refused(client, method, PATH, 404) == UNKNOWN_CAMPAIGN


async def test_a_second_call_skips_what_is_running(api: ApiClient, db: Db, place: int) -> None:
    await add(db, 3, user_id=place)
    first = await start(api)
    again = await start(api)
    assert (again["retrigger_id"], again["status"]) == (first["retrigger_id"], "QUEUED")
    await add(db, user_id=place)
    second = await start(api)
    assert second["retrigger_id"] != first["retrigger_id"]
    assert second["retriggered_count"] == 1


async def test_what_has_failed_again_in_a_running_one_stays_with_it(api: ApiClient, db: Db, place: int) -> None:
    await add(db, 2, user_id=place)
    first = await start(api)
    await execute(
        db, "UPDATE webhook_deliveries SET state = 'FAILED' WHERE id = (SELECT min(id) FROM webhook_deliveries)"
    )
    assert (await start(api))["retrigger_id"] == first["retrigger_id"]


async def test_the_status_lists_newest_first(api: ApiClient, db: Db, place: int) -> None:
    await add(db, user_id=place)
    first = (await start(api))["retrigger_id"]
    await execute(db, "UPDATE webhook_retriggers SET created_at = created_at - interval '1 hour'")
    await add(db, user_id=place)
    second = (await start(api))["retrigger_id"]
    jobs_found = (await api.get(PATH)).json()
    assert [each["retrigger_id"] for each in jobs_found["data"]] == [second, first]
    assert jobs_found["data"][0] == {
        "retrigger_id": second,
        "status": "QUEUED",
        "fromTime": "2026-03-01T00:00:00.000Z",
        "toTime": "2026-03-31T23:59:59.999Z",
        "total_events": 1,
        "batch_size": 50,
        "total_batches": 1,
        "processed_batches": 0,
        "processed_events": 0,
        "successful_events": 0,
        "failed_events": 0,
        "created_at": "2026-03-02T09:00:00.000Z",
        "updated_at": "2026-03-02T09:00:00.000Z",
        "completed_at": None,
    }
    only = (await api.get(f"{PATH}?retrigger_id={first}")).json()
    assert [each["retrigger_id"] for each in only["data"]] == [first]
    summary = (await api.get(f"/campaigns/{CAMPAIGN}/webhooks/summary")).json()
    assert summary["data"]["retrigger"] == jobs_found["data"][0]
    assert summary["data"]["retrigger"].keys() == scene.example("summary")["data"]["retrigger"].keys()


async def test_a_retrigger_id_that_is_none(api: ApiClient, place: int) -> None:
    assert (await refused(api, "GET", f"{PATH}?retrigger_id=7"))["message"] == '"retrigger_id" must be a valid GUID'


async def test_all_campaigns_at_once(
    api: ApiClient, other_api: ApiClient, client_api: ApiClient, db: Db, place: int
) -> None:
    own = await scene.campaign(db, 6000, user_id=place, client_id=client_api.client_id)
    await scene.webhook(db, 8200, campaign_id=own, user_id=place)
    await scene.webhook(db, 8300, level="user", user_id=place)
    await add(db, user_id=place)
    await add(db, user_id=place, campaign_id=own, webhook_ids=(8200, 8300))
    path = "/webhooks/retrigger-failed-events"
    assert (await start(other_api, path))["retriggered_count"] == 0
    of_client = await start(client_api, path)
    assert of_client["retriggered_count"] == 1
    of_account = await start(api, path)
    assert of_account["retriggered_count"] == 2
    assert [each["retrigger_id"] for each in (await client_api.get(path)).json()["data"]] == [of_client["retrigger_id"]]
    assert len((await api.get(path)).json()["data"]) == 2
    assert (await other_api.get(path)).json()["data"] == []
    assert (await api.get(PATH)).json()["data"] == []
    assert await refused(api, "POST", path, 404, json={"campaign_id": 99}) == UNKNOWN_CAMPAIGN


async def test_all_of_one_campaign_by_the_other_path(api: ApiClient, db: Db, place: int) -> None:
    await scene.campaign(db, 6000, user_id=place)
    await add(db, user_id=place)
    path = "/webhooks/retrigger-failed-events"
    assert (await start(api, path, campaign_id=6000))["retriggered_count"] == 0
    assert (await start(api, path, campaign_id=CAMPAIGN))["retriggered_count"] == 1
    assert len((await api.get(PATH)).json()["data"]) == 1


# the job -------------------------------------------------------------------------------------------------------------


@pytest.fixture
async def committed(
    database: Database,
    receiver: Receiver,
    make_app: Callable[..., Edge],
    connect: Callable[..., Awaitable[ApiClient]],
) -> ApiClient:
    """The examples' account over HTTP, on a real pool, with a webhook that leads to the receiver."""
    async with database.transaction() as db:
        await scene.play(db, "EMAIL_SENT")
        await scene.set_url(db, receiver.url)
        return await connect(make_app(database), db, user_id=USER)


def context(database: Database, settings: Settings, http: httpx.AsyncClient, clock: Clock) -> JobContext:
    return JobContext(database=database, settings=settings, clock=clock, vault=vault(), http=http)


async def status(api: ApiClient) -> dict[str, Any]:
    return dict((await api.get(PATH)).json()["data"][0])


async def test_batches_go_one_after_the_other_until_all_is_told(
    database: Database, committed: ApiClient, receiver: Receiver, settings: Settings, http: httpx.AsyncClient
) -> None:
    async with database.transaction() as db:
        await add(db, 120)
    await start(committed)
    clock = Clock.starting_at(AT, speed=50)
    delivering = asyncio.create_task(run(database, clock, settings, http))
    async with asyncio.timeout(30):
        await run_due_jobs(context(database, settings, http, clock))
        while (await status(committed))["status"] != "COMPLETED":  # noqa: ASYNC110 - the database is waited for
            await asyncio.sleep(0.05)
    delivering.cancel()
    with suppress(asyncio.CancelledError):
        await delivering
    found = await status(committed)
    assert (found["processed_batches"], found["processed_events"], found["successful_events"]) == (3, 120, 120)
    assert found["completed_at"] is not None
    numbers = [request.json["number"] for request in receiver.requests]
    assert Counter(numbers) == dict.fromkeys(range(120), 1)
    # event 0 is the newest, and no event of a batch comes before all of the one before it have been tried
    assert sorted(numbers[:50]) == list(range(70, 120))
    assert sorted(numbers[50:100]) == list(range(20, 70))


async def test_the_next_batch_waits_for_the_last_one(
    database: Database, committed: ApiClient, receiver: Receiver, settings: Settings, http: httpx.AsyncClient
) -> None:
    async with database.transaction() as db:
        await add(db, 60)
    number = UUID((await start(committed))["retrigger_id"])
    clock = Clock.starting_at(AT, speed=1e-9)

    async def release() -> bool:
        async with database.transaction() as db:
            return await retriggers.release_batch(db, USER, number, now=clock.now())

    assert await release()
    assert await release()
    assert await deliver_due(database, clock, settings, http) == 50
    found = await status(committed)
    assert (found["status"], found["processed_batches"], found["processed_events"]) == ("PROCESSING", 1, 50)
    assert not await release()
    assert await deliver_due(database, clock, settings, http) == 10
    assert (await status(committed))["status"] == "COMPLETED"


async def test_each_event_gets_a_fresh_round_of_attempts(
    database: Database, committed: ApiClient, receiver: Receiver, settings: Settings, http: httpx.AsyncClient
) -> None:
    receiver.replies = [Reply(500)] * 4
    async with database.transaction() as db:
        await add(db)
        [before] = await deliveries(db)
    number = UUID((await start(committed))["retrigger_id"])
    async with database.transaction() as db:
        await retriggers.release_batch(db, USER, number, now=AT)
    for minutes in (0, 2, 8, 45):
        assert await deliver_due(
            database, Clock.starting_at(AT + timedelta(minutes=minutes), speed=1e-9), settings, http
        )
    async with database.transaction() as db:
        [row] = await deliveries(db)
    assert (row["state"], row["is_retriggered"], row["attempt_count"], row["total_attempts"]) == ("FAILED", True, 4, 8)
    assert {request.headers["x-request-id"] for request in receiver.requests} == {str(before["request_id"])}
    assert [request.headers["x-webhook-attempt"] for request in receiver.requests] == ["5", "6", "7", "8"]
    found = await status(committed)
    assert (found["status"], found["failed_events"]) == ("COMPLETED_WITH_FAILURES", 1)
    assert found["completed_at"] is not None


async def test_an_event_that_failed_again_may_be_taken_once_more(
    database: Database, committed: ApiClient, receiver: Receiver, settings: Settings, http: httpx.AsyncClient
) -> None:
    receiver.replies = [Reply(400)]
    clock = Clock.starting_at(AT, speed=1e-9)
    async with database.transaction() as db:
        await add(db)
    for expected in ("COMPLETED_WITH_FAILURES", "COMPLETED"):
        await start(committed)
        await run_due_jobs(context(database, settings, http, clock))
        await deliver_due(database, clock, settings, http)
        assert (await status(committed))["status"] == expected


async def test_switching_the_webhook_off_ends_it(database: Database, committed: ApiClient) -> None:
    async with database.transaction() as db:
        await add(db, 2)
    await start(committed)
    async with database.transaction() as db:
        await actions.update(db, USER, WEBHOOK, Changes(is_active=False), scope=None, now=AT)
    found = await status(committed)
    assert (found["status"], found["failed_events"], found["processed_events"]) == ("COMPLETED_WITH_FAILURES", 2, 2)


async def test_the_job_may_run_twice(
    database: Database, committed: ApiClient, receiver: Receiver, settings: Settings, http: httpx.AsyncClient
) -> None:
    async with database.transaction() as db:
        await add(db, 3)
    number = (await start(committed))["retrigger_id"]
    ctx = context(database, settings, http, Clock.starting_at(AT, speed=1000))
    await jobs.retrigger(ctx, user_id=USER, retrigger_id=number)
    await jobs.retrigger(ctx, user_id=USER, retrigger_id=number)
    await deliver_due(database, ctx.clock, settings, http)
    await jobs.retrigger(ctx, user_id=USER, retrigger_id=number)
    assert len(receiver.requests) == 3
    assert (await status(committed))["status"] == "COMPLETED"


async def test_a_job_that_breaks_gives_its_events_back(
    database: Database,
    committed: ApiClient,
    settings: Settings,
    http: httpx.AsyncClient,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with database.transaction() as db:
        await add(db, 3)
    number = (await start(committed))["retrigger_id"]

    async def broken(*_arguments: Any, **_named: Any) -> bool:
        raise RuntimeError("a bug")

    with monkeypatch.context() as patch:
        patch.setattr(retriggers, "release_batch", broken)
        with pytest.raises(RuntimeError):
            await jobs.retrigger(context(database, settings, http, Clock()), user_id=USER, retrigger_id=number)
    found = await status(committed)
    assert (found["status"], found["completed_at"] is None) == ("FAILED", False)
    async with database.transaction() as db:
        assert {row["state"] for row in await deliveries(db)} == {"FAILED"}
