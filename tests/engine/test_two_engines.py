"""Two engines, one database, connections that are cut again and again: nothing is sent twice, every count is right."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from uuid import uuid4

from outrider.config import Settings
from outrider.engine import store
from outrider.engine.worker import Engine
from outrider.kit.clock import Clock
from outrider.kit.db import Database, Db, execute, fetch_dicts
from outrider.kit.guard import guarded_client
from outrider.mailboxes import state
from outrider.sandbox import GREYLISTED, Fault, Moment, Pace, People, Sandbox
from tests.support import make
from tests.support.world import World

_QUIET = People(open=0, click=0, reply=0, out_of_office=0, unsubscribe=0, bounce_at_rcpt=0, bounce_later=0)
_SPEED = 36_000  # a day in two and a half seconds
_CAP = 10
_CUT = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


@asynccontextmanager
async def _engine(url: str, settings: Settings, clock: Clock) -> AsyncIterator[None]:
    """One engine with a pool of its own, as in a process of its own."""
    stop = asyncio.Event()
    database = await Database.open(url, max_size=6)
    async with guarded_client(settings) as http:
        task = asyncio.create_task(Engine(database, settings, clock, make.VAULT, http=http).run(stop))
        try:
            yield
        finally:
            stop.set()
            await task
            await database.close()


async def _campaign(database: Database, sandbox: Sandbox, now: datetime) -> None:
    """Two steps for 18 leads from six mailboxes, at most ten new leads a day."""
    async with database.transaction() as db:
        world = await World.make(db, now)
        boxes = []
        for number in range(6):
            address = f"box{number}@ours.example"
            sandbox.add_mailbox(address, "secret")
            server = {"smtp_host": sandbox.host, "smtp_port": sandbox.smtp_port, "smtp_port_type": "NONE"}
            boxes.append(await world.mailbox(from_email=address, username=address, imap_host=None, **server))
        every_day = {"start_hour": "00:00", "end_hour": "23:59", "days": [0, 1, 2, 3, 4, 5, 6]}
        campaign_id = await world.campaign(boxes, steps=2, max_new_leads_per_day=_CAP, **every_day)
        await world.leads(campaign_id, 18)
        await execute(db, "DELETE FROM engines")


async def test_a_campaign_of_two_engines_whose_connections_are_cut_ends_with_every_count_right(
    database: Database, settings: Settings, now: datetime
) -> None:
    async def rows(sql: Any) -> list[dict[str, Any]]:
        async with database.connection() as db:
            return await fetch_dicts(db, sql)

    clock = Clock.starting_at(now, speed=_SPEED)
    async with Sandbox(people=_QUIET, pace=Pace()) as sandbox:
        await _campaign(database, sandbox, now)
        sandbox.faults.add(Fault(Moment.RCPT, answer=GREYLISTED, times=3))
        sandbox.faults.add(Fault(Moment.ANSWER, drops=True, times=2))
        async with _engine(database.url, settings, clock), _engine(database.url, settings, clock):
            for _ in range(4):
                await asyncio.sleep(0.8)
                await rows(_CUT)
            while not await rows("SELECT FROM campaigns WHERE status = 'COMPLETED'"):  # noqa: ASYNC110 - others do it
                await asyncio.sleep(0.1)
        sent = Counter((mail.recipient, mail.text) for mail in sandbox.mails)
    assert max(sent.values()) == 1
    messages = Counter(row["status"] for row in await rows("SELECT status FROM messages"))
    assert messages.total() == 36
    assert messages["SENT"] <= len(sandbox.mails) <= messages["SENT"] + messages["UNKNOWN"]
    events = Counter(row["type"] for row in await rows("SELECT type FROM message_events"))
    told_as = {"SENT": "SENT", "UNKNOWN": "FAILED", "BOUNCED": "BOUNCED"}  # put off for a day: that is soon over here
    assert events == {told_as[status]: count for status, count in messages.items()}
    days = await rows("SELECT new_count, follow_up_count FROM campaign_days")
    assert max(day["new_count"] for day in days) <= _CAP
    assert sum(day["new_count"] + day["follow_up_count"] for day in days) == 36
    [boxes] = await rows("SELECT sum(campaign_count) AS mail_count FROM mailbox_days")
    assert boxes["mail_count"] == 36
    assert await rows("SELECT message_id FROM dispatches") == []


async def test_an_engine_leaves_out_what_the_other_one_is_just_planning(database: Database, now: datetime) -> None:
    async with database.transaction() as db:
        world = await World.make(db, now)
        shared, own = await world.mailbox(), await world.mailbox()
        busy, free = await world.campaign([shared]), await world.campaign([own])
        await world.leads(busy, 1)
        await world.leads(free, 1)
    async with database.transaction() as other:
        assert await store.lock_campaigns(other, [busy]) == {busy}
        async with database.transaction() as db:
            world.db = db
            assert [attempt.campaign.id for attempt in await world.plan()] == [free]
    async with database.transaction() as db:
        world.db = db
        assert [attempt.campaign.id for attempt in await world.plan()] == [busy]


async def test_an_engine_waits_where_the_other_one_is_planning_all_it_has(database: Database, now: datetime) -> None:
    async with database.transaction() as db:
        world = await World.make(db, now)
        await world.leads(await world.campaign([await world.mailbox()]), 1)

    async def plan() -> int:
        async with database.transaction() as db:
            world.db = db
            return len(await world.plan())

    async with database.transaction() as other:
        [campaign] = await fetch_dicts(other, "SELECT id FROM campaigns")
        await store.lock_campaigns(other, [campaign["id"]])
        planning = asyncio.create_task(plan())
        await _until_somebody_waits(other)
    assert await planning == 1


async def _until_somebody_waits(db: Db) -> None:
    while not await fetch_dicts(db, "SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"):  # noqa: ASYNC110 - another's
        await asyncio.sleep(0.01)


async def test_the_mailboxes_of_a_campaign_go_to_one_engine(database: Database, now: datetime) -> None:
    first, second = uuid4(), uuid4()
    async with database.transaction() as db:
        world = await World.make(db, now)
        boxes = [await world.mailbox() for _ in range(6)]
        await world.campaign(boxes[::2])
        await world.campaign(boxes[1::2])
        await execute(db, "DELETE FROM mailbox_leases")
        await world.engine(first)
        await world.engine(second)
        assert len(await state.claim_leases(db, first, now, at_most=6)) == 6
        let_go = await state.give_up_leases(db, first, keep=3)
        assert set(let_go) == set(boxes[1::2])
        assert set(await state.claim_leases(db, second, now, at_most=3)) == set(boxes[1::2])
