"""Which mailboxes this process serves: leases taken, renewed, shared and given up.

One heartbeat renews them all. A session advisory lock on a connection of its own tells the others at once when the
process is gone; silence for a minute tells it when the network is what failed. All of it on real time.
"""

import secrets
from uuid import UUID

import psycopg

from outrider.engine import recovery
from outrider.kit.clock import Clock
from outrider.kit.db import Database, Db, connection_text, execute
from outrider.mailboxes import state
from outrider.messages import ledger


class LeaseLost(Exception):
    """Others have declared this engine dead: it must not send under its old name."""


class Leases:
    """The leases of one engine, for as long as its connection lives."""

    def __init__(self, database: Database, clock: Clock, *, engine_id: UUID) -> None:
        self._database = database
        self._clock = clock
        self._engine_id = engine_id
        self._session: Db | None = None
        self.mailbox_ids: set[int] = set()

    async def start(self) -> None:
        """Register this engine; its lock lives as long as the connection."""
        lock_key = secrets.randbits(62)
        self._session = await psycopg.AsyncConnection.connect(connection_text(self._database.url), autocommit=True)
        await execute(self._session, "SELECT pg_advisory_lock(%(key)s)", {"key": lock_key})
        await state.register_engine(self._session, self._engine_id, lock_key, self._clock.wall())

    async def renew(self) -> None:
        """Beat, take over from the dead, share fairly, and settle what the dead have left behind."""
        if self._session is None or not await state.beat(self._session, self._engine_id, self._clock.wall()):
            raise LeaseLost
        async with self._database.transaction() as db:
            await state.remove_dead_engines(db, self._clock.wall())
        async with self._database.transaction() as db:
            mailbox_count, engine_count = await state.count_shares(db)
            share = -(-mailbox_count // max(engine_count, 1))
            self.mailbox_ids -= set(await state.give_up_leases(db, self._engine_id, keep=share))
            room = share - len(self.mailbox_ids)
            if room > 0:
                taken = await state.claim_leases(db, self._engine_id, self._clock.wall(), at_most=room)
                self.mailbox_ids |= set(taken)
        async with self._database.transaction() as db:
            await recovery.recover(db, self._engine_id, self._clock.now())
            await ledger.release_idle(db)

    async def give_up(self) -> None:
        """Let others take over at once."""
        session, self._session = self._session, None
        self.mailbox_ids.clear()
        if session is None:
            return
        try:
            await state.remove_engine(session, self._engine_id)
        finally:
            await session.close()
