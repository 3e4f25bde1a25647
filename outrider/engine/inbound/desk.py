"""Where what the mailboxes of an engine read is taken in: whatever has come meanwhile, in one transaction.

A message and the position after it are stored together, so it is processed once, whatever happens. One that cannot be
processed does not stop the others: then they are taken one by one, and that one is kept for people to look at.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

import psycopg
from psycopg.errors import DeadlockDetected, SerializationFailure

from outrider.engine.inbound.arrival import Arrival, Reader
from outrider.engine.inbound.intake import keep, take_in_all
from outrider.kit.clock import Clock
from outrider.kit.crypto import Vault
from outrider.kit.db import Database, Db
from outrider.kit.log import get_logger
from outrider.mail.imap.answers import Fetched
from outrider.mailboxes import state
from outrider.mailboxes.state import FolderPosition

log = get_logger("inbound")

_AT_MOST = 200  # messages of a transaction, but for the last delivery
_LARGE = 200_000  # bytes: reading it takes long enough to be worth a thread
_ATTEMPTS = 5  # when others are in the way


@dataclass(frozen=True, eq=False)
class Delivery:
    """Messages of one folder in the order of their UIDs. `position`: what was read last once they are taken in."""

    arrivals: Sequence[Arrival]
    position: FolderPosition | None
    is_stored: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    @property
    def mailbox_id(self) -> int:
        return self.arrivals[0].reader.mailbox_id


class Desk:
    """The queue of one engine and the loop that works it off."""

    def __init__(self, database: Database, clock: Clock, vault: Vault) -> None:
        self._database = database
        self._clock = clock
        self._vault = vault
        self._deliveries: asyncio.Queue[Delivery] = asyncio.Queue()

    async def take_in(
        self, reader: Reader, messages: Sequence[Fetched], *, folder: str, uid_validity: int, only_matched: bool
    ) -> None:
        """Process messages of a folder; returns when they are stored. Raises psycopg.Error.

        `only_matched`: a first look, which is remembered when it has ended, so that all of it is one.
        """
        now = self._clock.now()
        arrivals = [
            Arrival(reader, message.raw, now, only_matched=only_matched, is_cut=message.is_cut) for message in messages
        ]
        position = None if only_matched else FolderPosition(folder, uid_validity, messages[-1].uid)
        for arrival in arrivals:
            await _study(arrival)
        delivery = Delivery(arrivals, position)
        self._deliveries.put_nowait(delivery)
        await delivery.is_stored

    async def run(self) -> None:
        """Store what comes, until cancelled."""
        while True:
            deliveries = [await self._deliveries.get()]
            count = len(deliveries[0].arrivals)
            while count < _AT_MOST and not self._deliveries.empty():
                deliveries.append(self._deliveries.get_nowait())
                count += len(deliveries[-1].arrivals)
            await self._store(deliveries)

    async def _store(self, deliveries: Sequence[Delivery]) -> None:
        try:
            await self._store_together(deliveries)
        except psycopg.OperationalError as error:
            _end(deliveries, error)
        except Exception:  # noqa: BLE001 - which of them it was is found out, and logged, one by one
            for delivery in deliveries:
                await self._store_one_by_one(delivery)
        else:
            _end(deliveries)

    async def _store_together(self, deliveries: Sequence[Delivery]) -> None:
        now = self._clock.now()
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                async with self._database.transaction() as db:
                    arrivals = [arrival for delivery in deliveries for arrival in delivery.arrivals]
                    await take_in_all(db, self._vault, arrivals)
                    await _remember(db, deliveries, now)
            except (DeadlockDetected, SerializationFailure):
                if attempt == _ATTEMPTS:
                    raise
            else:
                return

    async def _store_one_by_one(self, delivery: Delivery) -> None:
        now = self._clock.now()
        try:
            async with self._database.transaction() as db:
                for arrival in delivery.arrivals:
                    await self._store_or_keep(db, arrival)
                await _remember(db, [delivery], now)
        except psycopg.Error as error:
            _end([delivery], error)
        else:
            _end([delivery])

    async def _store_or_keep(self, db: Db, arrival: Arrival) -> None:
        try:
            async with db.transaction():
                await take_in_all(db, self._vault, [arrival])
        except psycopg.OperationalError:
            raise
        except Exception:  # the message is kept for people to look at, the mailbox goes on
            log.exception("a message could not be processed", mailbox_id=arrival.reader.mailbox_id)
            await keep(db, arrival)


async def _study(arrival: Arrival) -> None:
    """Before the transaction, and so that others have their turn. What fails here fails again where it is told."""
    with suppress(Exception):
        if len(arrival.raw) > _LARGE:
            await asyncio.to_thread(arrival.study)
        else:
            arrival.study()
            await asyncio.sleep(0)


async def _remember(db: Db, deliveries: Sequence[Delivery], now: datetime) -> None:
    positions = [(each.mailbox_id, each.position) for each in deliveries if each.position]
    if positions:
        await state.record_positions(db, positions, now=now)


def _end(deliveries: Sequence[Delivery], error: Exception | None = None) -> None:
    """Tell those who wait; one whose mailbox was given up meanwhile waits no more."""
    for delivery in deliveries:
        if delivery.is_stored.done():
            continue
        if error is None:
            delivery.is_stored.set_result(None)
        else:
            delivery.is_stored.set_exception(error)
