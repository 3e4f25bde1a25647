"""Delivering for real: what is due goes out, once, in order, within bounds, and is recorded."""

import asyncio
import hashlib
import hmac
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from outrider.config import Settings
from outrider.kit.clock import Clock
from outrider.kit.crypto import vault
from outrider.kit.db import Database, execute, fetch_dicts, fetch_value
from outrider.kit.guard import guarded_client
from outrider.webhooks import actions, happenings, outbox, recording
from outrider.webhooks.delivery import NOT_WANTED, Deliverer, deliver_due, run
from outrider.webhooks.models import Changes
from tests.support.receiver import Receiver, Reply, Request, receiving
from tests.webhooks import scene
from tests.webhooks.scene import CAMPAIGN, CAMPAIGN_LEAD, MAIL, SENT_AT, USER, WEBHOOK, example

Deliver = Callable[..., Any]


def clock_at(time: datetime) -> Clock:
    """Stands still, near enough."""
    return Clock.starting_at(time, speed=1e-9)


@pytest.fixture
async def world(database: Database, receiver: Receiver) -> Database:
    """The scene of the examples, with a webhook that leads to the receiver."""
    async with database.transaction() as db:
        await scene.play(db, "EMAIL_SENT")
        await scene.set_url(db, receiver.url)
    return database


@pytest.fixture
def deliver(settings: Settings, http: httpx.AsyncClient) -> Deliver:
    """One pass at a given time."""

    async def pass_at(database: Database, time: datetime = SENT_AT, **changed: Any) -> int:
        return await deliver_due(database, clock_at(time), replace(settings, **changed), http)

    return pass_at


async def add_events(database: Database, count: int, **given: Any) -> None:
    async with database.transaction() as db:
        for _ in range(count):
            await scene.event(db, **given)


async def rows(database: Database, table: str = "webhook_deliveries") -> list[dict[str, Any]]:
    async with database.transaction() as db:
        return await fetch_dicts(db, f"SELECT * FROM {table} ORDER BY id")  # type: ignore[arg-type]  # noqa: S608


async def test_an_event_arrives_as_the_contract_shows_it(world: Database, receiver: Receiver, deliver: Deliver) -> None:
    async with world.transaction() as db:
        sent = happenings.Sent(
            user_id=USER,
            campaign_id=CAMPAIGN,
            campaign_lead_id=CAMPAIGN_LEAD,
            message_id=MAIL,
            step_number=1,
            at=SENT_AT,
        )
        await recording.record_sent(db, [sent])
    assert await deliver(world) == 1
    [request] = receiver.requests
    assert request.json == {**example("email_sent"), "webhook_url": receiver.url}
    assert request.path == "/hook?token=abc"
    assert request.headers["x-webhook-level"] == "campaign"
    assert request.headers["x-webhook-attempt"] == "1"
    [row] = await rows(world)
    assert UUID(request.headers["x-request-id"]) == row["request_id"]
    assert (row["state"], row["attempt_count"], row["last_status_code"], row["last_error"]) == (
        "SUCCESSFUL",
        1,
        200,
        None,
    )
    assert row["last_attempt_at"] == row["last_success_at"]
    assert row["next_attempt_at"] is row["leased_until"] is None
    [attempt] = await rows(world, "webhook_attempts")
    assert (attempt["delivery_id"], attempt["attempt"], attempt["status_code"]) == (row["id"], 1, 200)


async def test_what_is_not_due_stays(world: Database, receiver: Receiver, deliver: Deliver) -> None:
    await add_events(world, 1, next_attempt_at=SENT_AT + timedelta(seconds=1))
    assert await deliver(world) == 0
    assert await deliver(world, SENT_AT + timedelta(seconds=1)) == 1


async def test_it_is_signed_with_the_accounts_secret_if_there_is_one(
    world: Database, receiver: Receiver, deliver: Deliver
) -> None:
    await add_events(world, 1)
    await deliver(world)
    async with world.transaction() as db:
        await execute(
            db, "UPDATE accounts SET webhook_signing_secret = %(sealed)s", {"sealed": vault().seal("signing")}
        )
    await add_events(world, 1)
    await deliver(world)
    for request, key in zip(receiver.requests, [scene.SECRET, "signing"], strict=True):
        signature = hmac.new(key.encode(), request.body, hashlib.sha256).hexdigest()
        assert request.headers["x-smartlead-signature"] == f"sha256={signature}"
        assert request.json["secret_key"] == scene.SECRET


SCHEDULE = [
    (timedelta(), 1),
    (timedelta(seconds=53), 1),
    (timedelta(seconds=67), 2),
    (timedelta(seconds=67) + timedelta(minutes=4.4), 2),
    (timedelta(seconds=67) + timedelta(minutes=5.6), 3),
    (timedelta(seconds=67) + timedelta(minutes=5.6 + 26.9), 3),
    (timedelta(seconds=67) + timedelta(minutes=5.6 + 33.1), 4),
    (timedelta(days=9), 4),
]


async def test_a_failing_delivery_is_repeated_after_1_5_and_30_minutes_and_then_given_up(
    world: Database, receiver: Receiver, deliver: Deliver
) -> None:
    receiver.replies = [Reply(503)] * 10
    await add_events(world, 1)
    for after, count in SCHEDULE:
        await deliver(world, SENT_AT + after)
        assert len(receiver.requests) == count, after
    [row] = await rows(world)
    assert (row["state"], row["attempt_count"], row["total_attempts"]) == ("FAILED", 4, 4)
    assert (row["last_status_code"], row["last_error"], row["next_attempt_at"]) == (503, "HTTP 503", None)
    assert [request.headers["x-webhook-attempt"] for request in receiver.requests] == ["1", "2", "3", "4"]
    assert len({request.headers["x-request-id"] for request in receiver.requests}) == 1
    assert len({request.body for request in receiver.requests}) == 1
    assert [attempt["attempt"] for attempt in await rows(world, "webhook_attempts")] == [1, 2, 3, 4]


async def test_the_schedule_is_a_setting(world: Database, receiver: Receiver, deliver: Deliver) -> None:
    receiver.replies = [Reply(500)] * 3
    await add_events(world, 1)
    await deliver(world, webhook_retry_minutes=(2,))
    await deliver(world, SENT_AT + timedelta(minutes=1.7), webhook_retry_minutes=(2,))
    assert len(receiver.requests) == 1
    await deliver(world, SENT_AT + timedelta(minutes=2.3), webhook_retry_minutes=(2,))
    assert [row["state"] for row in await rows(world)] == ["FAILED"]


async def test_a_repetition_may_succeed(world: Database, receiver: Receiver, deliver: Deliver) -> None:
    receiver.replies = [Reply(500)]
    await add_events(world, 1)
    await deliver(world)
    [row] = await rows(world)
    assert (row["state"], row["last_error"]) == ("SCHEDULED", "HTTP 500")
    await deliver(world, SENT_AT + timedelta(minutes=2))
    [row] = await rows(world)
    assert (row["state"], row["last_error"], row["attempt_count"]) == ("SUCCESSFUL", None, 2)


async def test_a_refusal_is_final(world: Database, receiver: Receiver, deliver: Deliver) -> None:
    receiver.replies = [Reply(410, body=b"go away")]
    await add_events(world, 1)
    await deliver(world)
    [row] = await rows(world)
    assert (row["state"], row["attempt_count"], row["last_error"]) == ("FAILED", 1, "HTTP 410")
    [attempt] = await rows(world, "webhook_attempts")
    assert (attempt["error"], attempt["answer"]) == ("HTTP 410", "go away")


async def test_a_private_target_is_final_and_the_error_names_the_setting(
    world: Database, receiver: Receiver, settings: Settings
) -> None:
    closed = replace(settings, allow_private_networks=False)
    await add_events(world, 1)
    async with guarded_client(closed) as http:
        await deliver_due(world, clock_at(SENT_AT), closed, http)
    [row] = await rows(world)
    assert row["state"] == "FAILED"
    assert "OUTRIDER_ALLOW_PRIVATE_NETWORKS" in row["last_error"]
    assert receiver.requests == []


async def test_first_attempts_of_one_lead_keep_their_order(
    world: Database, receiver: Receiver, deliver: Deliver
) -> None:
    async def slower_at_first(request: Request) -> Reply:
        return Reply(delay=0.02 if request.json["number"] < 3 else 0)

    receiver.answer = slower_at_first
    await add_events(world, 6)
    await deliver(world)
    assert [request.json["number"] for request in receiver.requests] == [0, 1, 2, 3, 4, 5]
    assert receiver.most_in_flight == 1


async def test_a_failing_one_does_not_hold_back_later_ones(
    world: Database, receiver: Receiver, deliver: Deliver
) -> None:
    receiver.replies = [Reply(500)]
    await add_events(world, 3)
    await deliver(world)
    assert [request.json["number"] for request in receiver.requests] == [0, 1, 2]
    assert [row["state"] for row in await rows(world)] == ["SCHEDULED", "SUCCESSFUL", "SUCCESSFUL"]


async def test_leads_do_not_wait_for_each_other(world: Database, receiver: Receiver, deliver: Deliver) -> None:
    receiver.answer = _slow
    for lead in range(5):
        await add_events(world, 1, campaign_lead_id=lead)
    await deliver(world)
    assert receiver.most_in_flight == 5


async def test_events_without_a_lead_do_not_wait_for_each_other(
    world: Database, receiver: Receiver, deliver: Deliver
) -> None:
    receiver.answer = _slow
    await add_events(world, 4, campaign_lead_id=None)
    await deliver(world)
    assert receiver.most_in_flight == 4


async def _slow(_request: Request) -> Reply:
    return Reply(delay=0.05)


async def test_only_so_many_are_in_flight_per_webhook_and_process(
    world: Database, receiver: Receiver, deliver: Deliver
) -> None:
    receiver.answer = _slow
    async with world.transaction() as db:
        await scene.webhook(db, 8200, webhook_url=receiver.url)
        await scene.webhook(db, 8300, webhook_url=receiver.url)
    await add_events(world, 20, campaign_lead_id=None, webhook_ids=(WEBHOOK, 8200, 8300))
    most: Counter[str] = Counter()
    now: Counter[str] = Counter()

    async def counting(request: Request) -> Reply:
        webhook_id = str(request.json["webhook_id"])
        now[webhook_id] += 1
        most[webhook_id] = max(most[webhook_id], now[webhook_id])
        await asyncio.sleep(0.02)
        now[webhook_id] -= 1
        return Reply()

    receiver.answer = counting
    assert await deliver(world, webhook_concurrency_each=4, webhook_concurrency=9) == 60
    assert max(most.values()) <= 4
    assert receiver.most_in_flight <= 9


async def test_a_slow_webhook_does_not_hold_back_others(
    world: Database, receiver: Receiver, settings: Settings, http: httpx.AsyncClient
) -> None:
    """With all its places taken by one that never answers, the next cycle still starts the other's."""
    async with receiving() as other:
        async with world.transaction() as db:
            await scene.webhook(db, 8200, webhook_url=other.url)
        never = asyncio.Event()

        async def silent(_request: Request) -> Reply:
            await never.wait()
            return Reply()

        receiver.answer = silent
        await add_events(world, 30, campaign_lead_id=None)
        deliverer = Deliverer(world, clock_at(SENT_AT), settings, http)
        assert await deliverer.cycle() == 10
        await add_events(world, 3, campaign_lead_id=None, webhook_ids=(8200,))
        assert await deliverer.cycle() == 3
        never.set()
        await deliverer.drain()
        await deliverer.cycle()
        await deliverer.drain()
        assert len(other.requests) == 3


async def test_two_processes_deliver_each_event_once(
    world: Database, receiver: Receiver, deliver: Deliver, settings: Settings
) -> None:
    receiver.answer = _slow
    for lead in range(30):
        await add_events(world, 2, campaign_lead_id=lead)
    async with guarded_client(settings) as other:
        counts = await asyncio.gather(
            deliver(world), deliver_due(world, clock_at(SENT_AT), settings, other), deliver(world)
        )
    # who finds nothing free ends early and leaves what is blocked until then to the others
    await deliver(world)
    numbers = Counter(request.json["number"] for request in receiver.requests)
    assert numbers == dict.fromkeys(range(60), 1)
    assert sum(1 for count in counts if count) > 1
    by_lead: dict[int, list[int]] = {}
    for request in receiver.requests:
        by_lead.setdefault(request.json["number"] // 2, []).append(request.json["number"])
    assert all(numbers == sorted(numbers) for numbers in by_lead.values())


async def test_what_a_dead_process_had_in_flight_is_delivered_again(
    world: Database, receiver: Receiver, deliver: Deliver
) -> None:
    wall = Clock().wall()
    await add_events(world, 1, leased_until=wall + timedelta(seconds=50))
    assert await deliver(world) == 0
    async with world.transaction() as db:
        await execute(db, "UPDATE webhook_deliveries SET leased_until = %(at)s", {"at": wall - timedelta(seconds=1)})
    assert await deliver(world) == 1


async def _result_of_first(database: Database, leased_until: datetime) -> outbox.Result:
    [row] = await rows(database)
    return outbox.Result(
        delivery_id=row["id"],
        attempt=1,
        leased_until=leased_until,
        attempted_at=SENT_AT,
        state=outbox.DeliveryState.SUCCESSFUL,
        next_attempt_at=None,
        status_code=200,
        error=None,
        duration_ms=1,
        answer=None,
    )


async def test_the_result_of_a_lease_that_was_lost_changes_nothing_but_the_history(world: Database) -> None:
    wall = Clock().wall()
    await add_events(world, 1, leased_until=wall)
    result = await _result_of_first(world, wall - timedelta(seconds=9))
    async with world.transaction() as db:
        await outbox.record_results(db, [result])
    assert [row["state"] for row in await rows(world)] == ["SCHEDULED"]
    assert len(await rows(world, "webhook_attempts")) == 1


async def test_the_result_of_a_delivery_that_is_gone_is_dropped(world: Database) -> None:
    wall = Clock().wall()
    await add_events(world, 1, leased_until=wall)
    result = await _result_of_first(world, wall)
    async with world.transaction() as db:
        await execute(db, "DELETE FROM campaigns")
        await outbox.record_results(db, [result])
    assert await rows(world, "webhook_attempts") == []


async def test_deleting_a_webhook_fails_what_waits_for_it_and_keeps_the_history(
    world: Database, receiver: Receiver, deliver: Deliver
) -> None:
    receiver.replies = [Reply(500)]
    await add_events(world, 1)
    await deliver(world)
    await add_events(world, 1)
    async with world.transaction() as db:
        await actions.delete(db, USER, WEBHOOK, scope=None, now=SENT_AT)
    assert [(row["state"], row["last_error"]) for row in await rows(world)] == [("FAILED", NOT_WANTED)] * 2
    assert len(await rows(world, "webhook_attempts")) == 1
    assert await deliver(world, SENT_AT + timedelta(days=1)) == 0


async def test_a_delivery_in_flight_stays_failed_when_its_webhook_is_deleted(
    world: Database, receiver: Receiver, settings: Settings, http: httpx.AsyncClient
) -> None:
    receiver.answer = _slow
    await add_events(world, 1)
    deliverer = Deliverer(world, clock_at(SENT_AT), settings, http)
    await deliverer.cycle()
    async with world.transaction() as db:
        await actions.delete(db, USER, WEBHOOK, scope=None, now=SENT_AT)
    await deliverer.drain()
    await deliverer.cycle()
    assert [row["state"] for row in await rows(world)] == ["FAILED"]
    assert len(await rows(world, "webhook_attempts")) == 1


async def test_switching_a_webhook_off_fails_what_waits_for_it(world: Database, deliver: Deliver) -> None:
    await add_events(world, 1)
    async with world.transaction() as db:
        await actions.update(db, USER, WEBHOOK, Changes(is_active=False), scope=None, now=SENT_AT)
    assert [(row["state"], row["last_error"]) for row in await rows(world)] == [("FAILED", NOT_WANTED)]


@pytest.mark.parametrize("change", ["is_active = false", "deleted_at = now()"])
async def test_an_event_recorded_while_its_webhook_went_is_not_sent(
    world: Database, receiver: Receiver, deliver: Deliver, change: str
) -> None:
    await add_events(world, 1)
    async with world.transaction() as db:
        await execute(db, f"UPDATE webhooks SET {change}")  # type: ignore[arg-type]  # noqa: S608
    assert await deliver(world) == 0
    assert receiver.requests == []
    assert [(row["state"], row["last_error"]) for row in await rows(world)] == [("FAILED", NOT_WANTED)]


async def test_the_category_at_the_first_attempt_stays_in_the_event(
    world: Database, receiver: Receiver, deliver: Deliver
) -> None:
    receiver.replies = [Reply(500)]
    await add_events(world, 1, event_type="EMAIL_REPLY")
    for category_id, time in ((2, SENT_AT), (3, SENT_AT + timedelta(minutes=2))):
        async with world.transaction() as db:
            await execute(db, "UPDATE campaign_leads SET category_id = %(id)s", {"id": category_id})
        await deliver(world, time)
    assert [request.json["reply_category"] for request in receiver.requests] == [2, 2]


async def test_a_bug_in_one_delivery_does_not_stop_others(
    world: Database, receiver: Receiver, deliver: Deliver
) -> None:
    async with world.transaction() as db:
        await execute(db, "UPDATE accounts SET webhook_signing_secret = '\\x0102'")
        await scene.account(db, 4712)
        await scene.webhook(db, 8300, level="user", user_id=4712, webhook_url=receiver.url)
    await add_events(world, 1)
    async with world.transaction() as db:
        await execute(
            db,
            """
            WITH event AS (
                INSERT INTO webhook_events (user_id, event_type, occurred_at, payload)
                VALUES (4712, 'EMAIL_SENT', %(at)s, '{}')
                RETURNING id
            )
            INSERT INTO webhook_deliveries (user_id, webhook_id, event_id, state, next_attempt_at)
            SELECT 4712, 8300, id, 'SCHEDULED', %(at)s
            FROM event
            """,
            {"at": SENT_AT},
        )
    await deliver(world)
    first, second = await rows(world)
    assert (first["state"], second["state"]) == ("FAILED", "SUCCESSFUL")
    assert "stored secret" in first["last_error"]


async def test_it_runs_until_cancelled_and_waits_for_what_is_in_flight(
    world: Database, receiver: Receiver, settings: Settings, http: httpx.AsyncClient
) -> None:
    arrived = asyncio.Event()

    async def slow(_request: Request) -> Reply:
        arrived.set()
        return Reply(delay=0.1)

    receiver.answer = slow
    task = asyncio.create_task(run(world, clock_at(SENT_AT), settings, http))
    await add_events(world, 1)
    await asyncio.wait_for(arrived.wait(), 10)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert task.cancelled()
    assert [row["state"] for row in await rows(world)] == ["SUCCESSFUL"]


async def test_many_are_delivered_by_the_running_loop(
    world: Database, receiver: Receiver, settings: Settings, http: httpx.AsyncClient
) -> None:
    async with world.transaction() as db:
        for lead in range(40):
            for _ in range(3):
                await scene.event(db, campaign_lead_id=lead)
    task = asyncio.create_task(run(world, clock_at(SENT_AT), settings, http))
    async with asyncio.timeout(30):
        while await _count(world, "SCHEDULED"):  # noqa: ASYNC110 - it is the database that changes
            await asyncio.sleep(0.02)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert Counter(request.json["number"] for request in receiver.requests) == dict.fromkeys(range(120), 1)
    assert await _count(world, "SUCCESSFUL") == 120


async def _count(database: Database, state: str) -> int:
    async with database.transaction() as db:
        sql = "SELECT count(*) FROM webhook_deliveries WHERE state = %(state)s"
        return int(await fetch_value(db, sql, {"state": state}))
