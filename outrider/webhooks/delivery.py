"""Sending what is due, for ever: any number of processes may do it side by side.

A cycle is one short transaction: record what has come back, claim what may go out. In between the receivers answer, as
many at once as the settings allow. A claim is a lease in real time: what a dead process had in flight is sent again by
another one (at least once).
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

import httpx
import psycopg

from outrider.config import Settings
from outrider.kit.clock import Clock
from outrider.kit.crypto import SealError, vault
from outrider.kit.db import Database, Db, describe_failure
from outrider.kit.log import get_logger
from outrider.webhooks import outbox, payloads, retriggers, sending
from outrider.webhooks.models import DeliveryState, EventType
from outrider.webhooks.outbox import Delivery, Result
from outrider.webhooks.retries import after
from outrider.webhooks.sending import Answer, Parcel

log = get_logger("webhooks")

NOT_WANTED = "The webhook was deleted or switched off"
_POLL_SECONDS = 0.2
_GATHER_SECONDS = 0.01
_LEASE_SLACK = timedelta(seconds=15)
_FINISH_SECONDS = 10.0


async def run(database: Database, clock: Clock, settings: Settings, http: httpx.AsyncClient) -> None:
    """Deliver until cancelled; `http` is a guarded client (kit.guard). What is in flight then is waited for a while."""
    deliverer = Deliverer(database, clock, settings, http)
    try:
        while True:
            await deliverer.cycle()
            await deliverer.wait()
    except asyncio.CancelledError:
        await deliverer.finish()
        raise
    finally:
        deliverer.abandon()


async def deliver_due(database: Database, clock: Clock, settings: Settings, http: httpx.AsyncClient) -> int:
    """Deliver until nothing is due; how many attempts that took."""
    deliverer = Deliverer(database, clock, settings, http)
    count = 0
    while started := await deliverer.cycle():
        count += started
        await deliverer.drain()
    return count


class Deliverer:
    """The deliveries that one process has in flight."""

    def __init__(self, database: Database, clock: Clock, settings: Settings, http: httpx.AsyncClient) -> None:
        self._database = database
        self._clock = clock
        self._settings = settings
        self._http = http
        self._in_flight: dict[asyncio.Task[Result], Delivery] = {}

    async def cycle(self) -> int:
        """Record what has come back and start what is due and has room; how many were started."""
        done = [task for task in self._in_flight if task.done()]
        room = self._settings.webhook_concurrency - len(self._in_flight) + len(done)
        async with self._database.transaction() as db:
            await self._record(db, [task.result() for task in done])
            claimed = await self._claim(db, room) if room else []
        for task in done:
            del self._in_flight[task]
        for delivery in claimed:
            self._in_flight[asyncio.create_task(self._attempt(delivery))] = delivery
        return len(claimed)

    async def wait(self) -> None:
        """Until something has come back, or it is time to look again."""
        if not self._in_flight:
            await asyncio.sleep(_POLL_SECONDS)
            return
        await asyncio.wait(self._in_flight, timeout=_POLL_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.sleep(_GATHER_SECONDS)  # answers come in swarms

    async def drain(self) -> None:
        """Until everything in flight has come back."""
        if self._in_flight:
            await asyncio.wait(self._in_flight)

    async def finish(self) -> None:
        """The process ends: let what is in flight come back, and give back the rest."""
        if not self._in_flight:
            return
        await asyncio.wait(self._in_flight, timeout=_FINISH_SECONDS)
        results = [task.result() for task in self._in_flight if task.done()]
        lost = [delivery for task, delivery in self._in_flight.items() if not task.done()]
        try:
            async with self._database.transaction() as db:
                await self._record(db, results)
                await outbox.release(db, lost)
        except psycopg.Error as error:
            log.warning("webhook deliveries will be repeated", reason=describe_failure(error), count=len(results))

    def abandon(self) -> None:
        for task in self._in_flight:
            task.cancel()

    async def _claim(self, db: Db, room: int) -> list[Delivery]:
        wall = self._clock.wall()
        claimed = await outbox.claim(
            db,
            now=self._clock.now(),
            wall=wall,
            leased_until=wall + timedelta(seconds=self._settings.webhook_timeout_seconds) + _LEASE_SLACK,
            limit=room,
            limit_each=self._settings.webhook_concurrency_each,
            in_flight=Counter(each.webhook_id for task, each in self._in_flight.items() if not task.done()),
        )
        wanted = [delivery for delivery in claimed if delivery.is_wanted]
        if len(wanted) < len(claimed):
            unwanted = [delivery.id for delivery in claimed if not delivery.is_wanted]
            touched = await outbox.cancel(db, unwanted, error=NOT_WANTED)
            await retriggers.refresh(db, touched, now=self._clock.now())
        await _add_categories(db, wanted)
        return wanted

    async def _attempt(self, delivery: Delivery) -> Result:
        answer = await self._post(delivery)
        now = self._clock.now()
        state, next_attempt_at = after(
            answer,
            attempt=delivery.attempt_count + 1,
            minutes=self._settings.webhook_retry_minutes,
            seed=str(delivery.id),
            now=now,
        )
        return Result(
            delivery_id=delivery.id,
            attempt=delivery.total_attempts + 1,
            leased_until=delivery.leased_until,
            attempted_at=now,
            state=state,
            next_attempt_at=next_attempt_at,
            status_code=answer.status_code,
            error=answer.error,
            duration_ms=answer.duration_ms,
            answer=answer.excerpt,
        )

    async def _post(self, delivery: Delivery) -> Answer:
        try:
            return await sending.post(
                self._http,
                _parcel(delivery),
                timeout_seconds=self._settings.webhook_timeout_seconds,
                wall=self._clock.wall(),
            )
        except SealError as error:
            return Answer(None, str(error), is_retryable=False, duration_ms=0)
        except Exception as error:  # one bad delivery never stops the others
            log.exception("webhook delivery failed", delivery_id=delivery.id, webhook_id=delivery.webhook_id)
            return Answer(None, f"Internal error: {type(error).__name__}", is_retryable=True, duration_ms=0)

    async def _record(self, db: Db, results: Sequence[Result]) -> None:
        for result in results:
            if result.state is DeliveryState.FAILED:
                log.info("webhook delivery given up", delivery_id=result.delivery_id, reason=result.error)
        if results:
            touched = await outbox.record_results(db, results)
            await retriggers.refresh(db, touched, now=self._clock.now())


def _parcel(delivery: Delivery) -> Parcel:
    sealed = delivery.signing_secret
    return Parcel(
        url=delivery.url,
        level=delivery.level,
        request_id=delivery.request_id,
        attempt=delivery.total_attempts + 1,
        payload=payloads.addressed(
            delivery.payload,
            event_type=delivery.event_type,
            webhook_id=delivery.webhook_id,
            name=delivery.name,
            url=delivery.url,
            secret_key=delivery.secret_key,
            created_at=delivery.webhook_created_at,
        ),
        signing_key=delivery.secret_key if sealed is None else vault().open(sealed),
    )


async def _add_categories(db: Db, deliveries: Sequence[Delivery]) -> None:
    """The category of the lead belongs into EMAIL_REPLY as soon as it is told for the first time."""
    replies = [
        delivery
        for delivery in deliveries
        if delivery.event_type is EventType.EMAIL_REPLY
        and not delivery.total_attempts
        and "reply_category" not in delivery.payload
    ]
    if not replies:
        return
    categories = await outbox.freeze_categories(db, {delivery.event_id for delivery in replies})
    for delivery in replies:
        if delivery.event_id in categories:
            delivery.payload["reply_category"] = categories[delivery.event_id]
