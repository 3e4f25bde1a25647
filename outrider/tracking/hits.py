"""Hits gathered for some milliseconds and written together: no redirect waits for a transaction of its own.

A hit is answered when it is stored, or after a moment anyway: a database that is away delays the figures, never the
reader of a mail.
"""

import asyncio
from collections import deque
from collections.abc import Callable

import psycopg

from outrider.kit.db import Database, describe_failure
from outrider.kit.log import get_logger
from outrider.tracking import store
from outrider.tracking.models import Visit

log = get_logger("tracking")

_GATHER_SECONDS = 0.005
_ANSWER_SECONDS = 0.04
_RETRY_SECONDS = 1.0
_AT_MOST = 500
_KEPT = 100_000  # while the database is away; then the oldest are lost


class Gatherer:
    """The hits of one web process on their way to the database."""

    def __init__(self, database: Callable[[], Database]) -> None:
        self._database = database
        self._waiting: deque[Visit] = deque(maxlen=_KEPT)
        self._writer: asyncio.Task[None] | None = None

    async def add(self, hit: Visit) -> None:
        """Return when the hit is stored, or when its reader should not wait any longer."""
        self._waiting.append(hit)
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write())
        await asyncio.wait([self._writer], timeout=_ANSWER_SECONDS)

    async def close(self) -> None:
        """Store what is waiting, if the database lets us."""
        if self._writer is not None and not self._writer.done():
            await asyncio.wait([self._writer], timeout=_RETRY_SECONDS * 2)

    async def _write(self) -> None:
        await asyncio.sleep(_GATHER_SECONDS)
        while self._waiting:
            hits = [self._waiting.popleft() for _ in range(min(len(self._waiting), _AT_MOST))]
            try:
                async with self._database().transaction() as db:
                    await store.insert_visits(db, hits)
            except psycopg.OperationalError as error:
                log.warning("hits wait for the database", count=len(hits), reason=describe_failure(error))
                self._waiting.extendleft(reversed(hits))
                await asyncio.sleep(_RETRY_SECONDS)
            except Exception:  # these are lost; those that follow are not
                log.exception("hits could not be stored", count=len(hits))
