"""An engine's outbound half against the sandbox, on a database that commits, with a clock that is moved by hand."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from outrider.engine.inbound.readers import Inbound
from outrider.engine.outbound import Outbound
from outrider.engine.recorder import Recorder
from outrider.engine.render import Links, Renderer
from outrider.engine.senders import Senders
from outrider.kit.db import Database, execute, fetch_dicts
from outrider.mail.smtp import Submitter
from outrider.sandbox import ReceivedMail, Sandbox
from tests.support import make
from tests.support.world import World

TRACKING_URL = "https://t.outrider.example"


@asynccontextmanager
async def recording(recorder: Recorder) -> AsyncIterator[None]:
    """Outcomes are stored inside of the block, all of them."""
    task = asyncio.create_task(recorder.run())
    try:
        yield
        await recorder.join()
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@dataclass
class HandClock:
    """Stands still until it is moved."""

    time: datetime
    speed: float = 1.0

    def now(self) -> datetime:
        return self.time

    def wall(self) -> datetime:
        return datetime.now(UTC)

    async def sleep(self, _seconds: float) -> None:
        await asyncio.sleep(0)


@dataclass
class Sending:
    """`await sending.round()` plans, sends and records; `sending.world(db)` arranges things."""

    database: Database
    sandbox: Sandbox
    clock: HandClock
    user_id: int = 0
    engine_id: UUID = field(default_factory=uuid4)
    submitter: Submitter = field(default_factory=Submitter)
    sent_copies: list[tuple[int, bytes]] = field(default_factory=list)
    box_count: int = 0

    async def world(self, db: Any) -> World:
        world = World(db, self.clock.time, self.user_id, engine_id=self.engine_id)
        if self.user_id == 0:
            made = await World.make(db, self.clock.time)
            self.user_id = world.user_id = made.user_id
            await world.engine(self.engine_id)
        return world

    async def mailbox(self, world: World, **given: Any) -> int:
        self.box_count += 1
        address = given.pop("from_email", f"box{self.box_count}@ours.example")
        self.sandbox.add_mailbox(address, "secret")
        return await world.mailbox(
            from_email=address,
            username=address,
            smtp_host=self.sandbox.host,
            smtp_port=self.sandbox.smtp_port,
            smtp_port_type="NONE",
            **given,
        )

    @asynccontextmanager
    async def reading(self, mailbox_ids: Iterable[int]) -> AsyncIterator[None]:
        """These mailboxes are read inside of the block."""
        inbound = Inbound(self.database, self.clock, make.VAULT)  # type: ignore[arg-type]
        task = asyncio.create_task(inbound.run(lambda: mailbox_ids))
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    def recorder(self) -> Recorder:
        return Recorder(self.database, self.clock)  # type: ignore[arg-type]

    def outbound(self, engine_id: UUID | None = None, *, recorder: Recorder | None = None) -> Outbound:
        return Outbound(
            self.database,
            self.clock,  # type: ignore[arg-type]
            make.VAULT,
            engine_id=engine_id or self.engine_id,
            senders=Senders(make.VAULT, tracking_url=TRACKING_URL),
            renderer=Renderer(Links(make.VAULT)),
            submitter=self.submitter,
            recorder=recorder or self.recorder(),
            on_sent=lambda mailbox_id, raw: self.sent_copies.append((mailbox_id, raw)),
        )

    async def round(self) -> int:
        """Everything that is due at this moment; returns how many mails were claimed."""
        recorder = self.recorder()
        outbound = self.outbound(recorder=recorder)
        async with recording(recorder):
            claimed = await outbound.send_due()
            await outbound.finish()
        return claimed

    async def rounds(self, count: int, *, every: timedelta) -> int:
        claimed = 0
        for _ in range(count):
            claimed += await self.round()
            self.clock.time += every
        return claimed

    async def row(self, table: str, row_id: int) -> dict[str, Any]:
        async with self.database.connection() as db:
            return await World(db, self.clock.time, self.user_id).row(table, row_id)

    async def rows(self, sql: str) -> list[dict[str, Any]]:
        async with self.database.connection() as db:
            return await fetch_dicts(db, sql)  # type: ignore[arg-type]

    async def execute(self, sql: str) -> None:
        async with self.database.connection() as db:
            await execute(db, sql)  # type: ignore[arg-type]

    def only_mail(self) -> ReceivedMail:
        assert len(self.sandbox.mails) == 1
        return self.sandbox.mails[0]
