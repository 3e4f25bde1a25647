"""What servers said, kept until it is stored: many outcomes in one transaction.

It lives as long as the process, longer than an engine that starts anew because the database was away: an outcome that
is known is never turned into a doubt.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

import psycopg

from outrider.campaigns import actions as campaigns
from outrider.engine import record
from outrider.engine.record import Result
from outrider.kit.clock import Clock
from outrider.kit.db import Database, Db, describe_failure
from outrider.kit.log import get_logger
from outrider.leads import progress
from outrider.messages import ledger
from outrider.messages.models import MessageStatus, Outcome

log = get_logger("engine")

_AT_MOST = 500
_GATHER_SECONDS = 0.05  # unless nobody is missing: only the mailbox waits for an outcome, and has a pause anyway
_RETRY_SECONDS = 1.0


class Recorder:
    """A queue of results and the loop that stores them."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._results: asyncio.Queue[Result] = asyncio.Queue()
        self._are_all_here = asyncio.Event()
        self._kept: set[asyncio.Task[None]] = set()

    def put(self, result: Result) -> None:
        self._results.put_nowait(result)

    def keep(self, store: Callable[[Db], Awaitable[None]], *, message_id: int) -> None:
        """Store what became of another kind of mail, in a transaction, again and again until the database takes it."""
        task = asyncio.create_task(self._keep(store, message_id))
        self._kept.add(task)
        task.add_done_callback(self._kept.discard)

    async def _keep(self, store: Callable[[Db], Awaitable[None]], message_id: int) -> None:
        while True:
            try:
                async with self._database.transaction() as db:
                    await store(db)
            except psycopg.OperationalError as error:
                log.warning("an outcome waits for the database", message_id=message_id, reason=describe_failure(error))
                await asyncio.sleep(_RETRY_SECONDS)
            except Exception:
                log.exception("an outcome could not be stored", message_id=message_id)
                return
            else:
                return

    async def run(self) -> None:
        """Store results until cancelled."""
        while True:
            results = [await self._results.get()]
            with suppress(TimeoutError):
                await asyncio.wait_for(self._are_all_here.wait(), _GATHER_SECONDS)
            self._are_all_here.clear()
            while len(results) < _AT_MOST and not self._results.empty():
                results.append(self._results.get_nowait())
            await self._store(results)
            for _ in results:
                self._results.task_done()

    async def join(self) -> None:
        """Wait until everything is stored."""
        self._are_all_here.set()
        await self._results.join()
        if self._kept:
            await asyncio.wait(self._kept)

    async def _store(self, results: Sequence[Result]) -> None:
        """Try until the database takes them; if one of them cannot be stored, it does not stop the others."""
        while True:
            try:
                await self.record(results)
            except psycopg.OperationalError as error:
                log.warning("outcomes wait for the database", count=len(results), reason=describe_failure(error))
                await asyncio.sleep(_RETRY_SECONDS)
            except Exception:
                message_ids = [result.attempt.message_id for result in results]
                log.exception("outcomes could not be stored", message_ids=message_ids)
                if len(results) == 1:
                    await self._leave_in_doubt(results[0])
                else:
                    for result in results:
                        await self._store([result])
                return
            else:
                return

    async def record(self, results: Sequence[Result]) -> None:
        """Store these now. Campaigns end in a transaction of their own: who locks one locks its leads after it."""
        async with self._database.transaction() as db:
            touched = await record.record(db, results)
        if not touched:
            return
        async with self._database.transaction() as db:
            for user_id, campaign_id in await progress.list_finished_campaigns(db, list(touched)):
                await campaigns.complete(db, user_id, campaign_id, self._clock.now())

    async def _leave_in_doubt(self, result: Result) -> None:
        """A mistake of ours must not hold the mailbox for ever: the mail is closed, and never sent again."""
        message_id = result.attempt.message_id
        try:
            async with self._database.transaction() as db:
                await ledger.record_outcomes(db, [Outcome(message_id, MessageStatus.UNKNOWN, None)])
        except psycopg.Error as error:
            log.warning("a mail stays open", message_id=message_id, reason=describe_failure(error))
