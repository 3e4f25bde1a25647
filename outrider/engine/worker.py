"""The engine as a process: it leases mailboxes and, for these, sends what is due and reads what comes in.

Loops side by side, each repeated for ever: leases, sending, reasons, log-ins, incoming mail, opens and clicks,
webhooks, jobs. When the database goes away they all end and are started anew under another name, so nothing is done on
a lease that was lost; only what servers have said is kept until it is stored.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import TypeVar
from uuid import UUID, uuid4

import httpx
import psycopg
from psycopg.errors import DeadlockDetected, SerializationFailure

from outrider.config import Settings
from outrider.engine import survey
from outrider.engine.handwritten import Handwritten
from outrider.engine.inbound import Inbound
from outrider.engine.leases import LeaseLost, Leases
from outrider.engine.outbound import Outbound
from outrider.engine.recipients import RecipientLimits
from outrider.engine.reconnect import reconnect
from outrider.engine.recorder import Recorder
from outrider.engine.render import Links, Renderer
from outrider.engine.senders import Senders
from outrider.kit.clock import Clock
from outrider.kit.crypto import Vault
from outrider.kit.db import Database, describe_failure
from outrider.kit.jobs import JobContext, run_worker
from outrider.kit.log import get_logger
from outrider.mail.smtp import Submitter
from outrider.tracking import actions as tracking
from outrider.tracking.rules import load_rules
from outrider.webhooks import delivery

log = get_logger("engine")
T = TypeVar("T")

_BEAT_SECONDS = 2.0
_IDLE_SECONDS = (0.02, 1.0)  # between two looks at what is due: never less, never more, on the wall
_IDLE_VIRTUAL_SECONDS = 20.0
_SURVEY_VIRTUAL_SECONDS = 60.0
_SURVEY_SECONDS = (0.5, 5.0)
_BY_HAND_SECONDS = 1.0
_RECONNECT_VIRTUAL_SECONDS = 30.0
_RECONNECT_SECONDS = (0.5, 30.0)
_JUDGE_SECONDS = (0.1, 1.0)
_RESTART_SECONDS = 1.0
_FINISH_SECONDS = 14.0  # for servers to take what is being handed over; SIGTERM gives 20 in all
_RECORD_SECONDS = 3.0  # for the database to take what they said

PLANS = {"plan_cache_mode": "force_generic_plan", "enable_seqscan": "off", "enable_memoize": "off"}
"""Settings of the engine's connections. It looks rows up by key, in the same few statements again and again: they are
planned once, not each time, and by index even if their tables are still empty at that moment. Each row is looked up
for another key, so nothing is remembered for the next."""


class Engine:
    """One engine; `run` returns after `stop` is set and everything in flight has ended."""

    def __init__(
        self, database: Database, settings: Settings, clock: Clock, vault: Vault, *, http: httpx.AsyncClient
    ) -> None:
        self._database = database
        self._settings = settings
        self._clock = clock
        self._vault = vault
        self._http = http
        self._rules = load_rules(settings.tracking_rules)

    async def run(self, stop: asyncio.Event) -> None:
        recorder = Recorder(self._database, self._clock)
        recording = asyncio.create_task(recorder.run())
        try:
            while not stop.is_set():
                try:
                    await self._serve(stop, recorder)
                except* (psycopg.OperationalError, LeaseLost) as group:
                    log.warning("engine starts anew", reason=describe_failure(_first(group)))
                    await _first_to_end(recorder.join(), stop.wait())  # what is known goes before what is in doubt
                    await _first_to_end(asyncio.sleep(_RESTART_SECONDS), stop.wait())
        finally:
            recording.cancel()

    async def _serve(self, stop: asyncio.Event, recorder: Recorder) -> None:
        engine_id = uuid4()
        leases = Leases(self._database, self._clock, engine_id=engine_id)
        senders = Senders(self._vault, tracking_url=self._settings.tracking_url)
        inbound = Inbound(self._database, self._clock, self._vault)
        submitter = Submitter()
        outbound = Outbound(
            self._database,
            self._clock,
            self._vault,
            engine_id=engine_id,
            senders=senders,
            renderer=Renderer(Links(self._vault)),
            submitter=submitter,
            recorder=recorder,
            on_sent=inbound.keep_copy,
            recipients=RecipientLimits.of(self._settings),
        )
        by_hand = Handwritten(
            self._database,
            self._clock,
            engine_id=engine_id,
            senders=senders,
            submitter=submitter,
            recorder=recorder,
            on_sent=inbound.keep_copy,
        )
        try:
            await leases.start()
            await leases.renew()
            log.info("engine started", engine_id=str(engine_id), mailboxes=len(leases.mailbox_ids))
            async with asyncio.TaskGroup() as group:
                reader = group.create_task(inbound.run(lambda: leases.mailbox_ids))
                sender = group.create_task(self._send_until(stop, outbound))
                writer = group.create_task(self._send_by_hand_until(stop, by_hand))
                loops = [
                    group.create_task(_repeat(leases.renew, lambda: _BEAT_SECONDS)),
                    group.create_task(_repeat(lambda: self._survey(engine_id), self._survey_pause)),
                    group.create_task(_repeat(lambda: self._reconnect(engine_id), self._reconnect_pause)),
                    group.create_task(_repeat(self._judge, self._judge_pause)),
                    group.create_task(delivery.run(self._database, self._clock, self._settings, self._http)),
                    group.create_task(run_worker(self._job_context())),
                ]
                await stop.wait()
                await writer
                await sender  # it ends with its turn: what was claimed is handed over, not dropped halfway
                for loop in loops:
                    loop.cancel()
                await _finish(outbound, by_hand)  # while the others come to their end
                reader.cancel()
        finally:
            await _finish(outbound, by_hand)
            await submitter.close()
            await _first_to_end(recorder.join(), asyncio.sleep(_RECORD_SECONDS))
            await _quietly(leases.give_up())

    def _job_context(self) -> JobContext:
        return JobContext(
            database=self._database, settings=self._settings, clock=self._clock, vault=self._vault, http=self._http
        )

    async def _send_until(self, stop: asyncio.Event, outbound: Outbound) -> None:
        """Round after round, without a pause as long as something is due."""
        while not stop.is_set():
            if not await _guarded(outbound.send_due):
                await asyncio.sleep(_clamp(_IDLE_VIRTUAL_SECONDS / self._clock.speed, _IDLE_SECONDS))

    async def _send_by_hand_until(self, stop: asyncio.Event, by_hand: Handwritten) -> None:
        """A person may be waiting to see it go, so it is looked for once a second."""
        while not stop.is_set():
            if not await _guarded(by_hand.send_due):
                await _first_to_end(asyncio.sleep(_BY_HAND_SECONDS), stop.wait())

    async def _reconnect(self, engine_id: UUID) -> None:
        await reconnect(self._database, self._clock, self._vault, engine_id=engine_id)

    def _reconnect_pause(self) -> float:
        return _clamp(_RECONNECT_VIRTUAL_SECONDS / self._clock.speed, _RECONNECT_SECONDS)

    async def _judge(self) -> None:
        """Opens and clicks that came in: many a turn, until none waits."""
        judged = 1
        while judged:
            async with self._database.transaction() as db:
                judged = await tracking.judge_waiting(db, self._rules, self._clock.now())

    def _judge_pause(self) -> float:
        return _clamp(self._rules.burst_time.total_seconds() / self._clock.speed, _JUDGE_SECONDS)

    def _survey_pause(self) -> float:
        return _clamp(_SURVEY_VIRTUAL_SECONDS / self._clock.speed, _SURVEY_SECONDS)

    async def _survey(self, engine_id: UUID) -> None:
        async with self._database.transaction() as db:
            await survey.tend(db, engine_id, self._clock.now())


async def _finish(outbound: Outbound, by_hand: Handwritten) -> None:
    """Both have the same time, as they wait for the same servers."""
    await asyncio.gather(outbound.finish(seconds=_FINISH_SECONDS), by_hand.finish(seconds=_FINISH_SECONDS))


async def _repeat(act: Callable[[], Awaitable[object]], pause: Callable[[], float]) -> None:
    while True:
        await _guarded(act)
        await asyncio.sleep(pause())


async def _guarded(act: Callable[[], Awaitable[T]]) -> T | None:
    """One turn of a loop. A turn that fails is told and costs a moment; the loop goes on."""
    try:
        return await act()
    except (DeadlockDetected, SerializationFailure) as error:
        log.warning("a turn of the engine is tried again", reason=describe_failure(error))
        return None
    except (psycopg.OperationalError, LeaseLost):
        raise  # the engine starts anew
    except Exception:
        log.exception("a turn of the engine failed")
        await asyncio.sleep(_RESTART_SECONDS)
        return None


async def _quietly(act: Awaitable[None]) -> None:
    """The database may be what has failed; others will notice by themselves that this engine is gone."""
    try:
        await act
    except psycopg.Error as error:
        log.warning("leases are left to expire", reason=describe_failure(error))


async def _first_to_end(*acts: Coroutine[object, object, object]) -> None:
    """Wait for one of them; the others are given up."""
    tasks = [asyncio.create_task(act) for act in acts]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()


def _clamp(value: float, bounds: tuple[float, float]) -> float:
    return min(max(value, bounds[0]), bounds[1])


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
