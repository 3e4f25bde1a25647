"""B6: decisions per second of the planner, against a plain `UPDATE … SKIP LOCKED` of as many rows.

100,000 follow-ups are due, in 50 campaigns on 1,000 mailboxes, each mailbox in two of them. A decision is a mail that
is claimed: gates, turns, caps, gaps, variants, counters, the row of the ledger, committed. As `serve` does it on two
cores, two engines share the mailboxes. Between two waves, untimed, the mails count as sent and the clock moves on, so
that every mailbox is free again; the first wave, in which passwords are opened and statements planned, is not counted.
"""

import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from uuid import UUID, uuid4

import uvloop

from benchmarks.harness import CannotMeasure, Measurement
from outrider.campaigns import actions as campaigns
from outrider.campaigns import sequence
from outrider.campaigns.models import StatusVerb, StepDraft, StepType, VariantDistribution
from outrider.cli.engine import collect_seldom
from outrider.engine.rehearsal import Rehearsal
from outrider.engine.worker import PLANS
from outrider.kit.clock import StandingClock
from outrider.kit.crypto import Vault
from outrider.kit.db import Database, Db, execute
from outrider.kit.migrate import migrate
from outrider.kit.postgres import EmbeddedPostgres
from outrider.mail.smtp import Accepted
from outrider.mailboxes import state
from outrider.mailboxes.store import insert_mailbox, insert_state
from outrider.users.actions import create_account
from outrider.wiring import wire

FULL = 100_000
_MAILBOXES = 1_000
_CAMPAIGNS = 50
_CAMPAIGNS_EACH = 2
_ENGINES = 2
_WAVES = 5
_BATCH = 100  # rows of one UPDATE: as many as a round of the planner has mails
_MONDAY = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
_LATER = timedelta(minutes=30)
_POSTGRES_SETTINGS = {"shared_buffers": "256MB", "max_wal_size": "2GB", "checkpoint_timeout": "15min"}  # as `serve`


def measure(leads: int) -> list[Measurement]:
    wire()
    with tempfile.TemporaryDirectory(prefix="outrider-bench-") as name:
        postgres = EmbeddedPostgres(Path(name) / "data", settings=_POSTGRES_SETTINGS)
        url = postgres.start()
        try:
            before, (claimed, seconds), after = uvloop.run(_measure(url, leads))
        finally:
            postgres.stop()
    return [
        Measurement(
            name="B6",
            what=f"claims, {leads:,} due leads, {_MAILBOXES:,} mailboxes, {_CAMPAIGNS} campaigns, {_ENGINES} engines",
            unit="claims/s",
            value=claimed / seconds,
            yardstick=(before + after) / 2,
            against=f"UPDATE … SKIP LOCKED, {_BATCH} rows at a time, before and after",
            must=0.2,
            aim=0.5,
            notes=(
                f"{claimed:,} mails claimed in {seconds:.2f} s; UPDATE {before:,.0f} rows/s before, {after:,.0f} after",
                *([] if leads >= FULL else [f"fewer leads than the full size: --leads {FULL}"]),
            ),
        )
    ]


async def _measure(url: str, leads: int) -> tuple[float, tuple[int, float], float]:
    await migrate(url)
    database = await Database.open(url, settings=PLANS)
    try:
        async with database.transaction() as db:
            await _fill(db, leads)
            await _fill_queue(db, leads)
        async with database.connection() as db:
            await execute(db, "ANALYZE")
        before = await _update(database)
        claims = await _claim(database)
        return before, claims, await _update(database)
    finally:
        await database.close()


async def _fill(db: Db, leads: int) -> None:
    account = await create_account(db, email="bench@quaydesk.example", name=None, now=_MONDAY)
    mailbox_ids = [await _mailbox(db, account.user_id, number) for number in range(_MAILBOXES)]
    for number in range(_CAMPAIGNS):
        boxes = [box for place, box in enumerate(mailbox_ids) if (place - number) % _CAMPAIGNS < _CAMPAIGNS_EACH]
        await _campaign(db, account.user_id, boxes)
    await execute(
        db,
        """
        INSERT INTO leads (user_id, email, first_name, created_at, updated_at)
        SELECT %(user_id)s, format('lead%%s@d%%s.example', n, n), 'Ada', %(now)s, %(now)s
          FROM generate_series(1, %(leads)s) AS n
        """,
        {"user_id": account.user_id, "leads": leads, "now": _MONDAY},
    )
    await execute(
        db,
        """
        WITH pair AS (
            SELECT campaign_id, mailbox_id, row_number() OVER (ORDER BY mailbox_id, campaign_id) - 1 AS place
              FROM campaign_mailboxes
        ), lead AS (
            SELECT id, row_number() OVER (ORDER BY id) - 1 AS place FROM leads
        )
        INSERT INTO campaign_leads (user_id, campaign_id, lead_id, mailbox_id, status, last_step_number, last_step_id,
                                    last_sent_at, due_at, created_at, updated_at)
        SELECT %(user_id)s, pair.campaign_id, lead.id, pair.mailbox_id, 'INPROGRESS', 1, step.id,
               %(now)s - interval '3 days', %(now)s - interval '1 hour' + lead.place * interval '10 milliseconds',
               %(now)s, %(now)s
          FROM lead
          JOIN pair ON pair.place = lead.place %% (SELECT count(*) FROM pair)
          JOIN steps AS step ON step.campaign_id = pair.campaign_id AND step.number = 1
        """,
        {"user_id": account.user_id, "now": _MONDAY},
    )


async def _mailbox(db: Db, user_id: int, number: int) -> int:
    address = f"nora{number}@quaydesk{number % 40}.example"
    mailbox_id = await insert_mailbox(
        db,
        {
            "user_id": user_id,
            "client_id": None,
            "type": "SMTP",
            "from_name": "Nora Quist",
            "from_email": address,
            "username": None,
            "password": None,
            "smtp_host": "127.0.0.1",
            "smtp_port": 25,
            "smtp_port_type": "NONE",
            "imap_host": None,
            "imap_port": None,
            "imap_port_type": None,
            "imap_username": None,
            "imap_password": None,
            "max_email_per_day": 1_000,
            "time_to_wait_minutes": 1,
            "signature": None,
            "custom_tracking_domain": None,
            "bcc_email": None,
            "different_reply_to_address": None,
            "warmup_key": "maple-otter",
            "is_suspended": False,
            "now": _MONDAY,
        },
    )
    if mailbox_id is None:
        raise CannotMeasure("A mailbox could not be made.")
    await insert_state(db, user_id, mailbox_id, now=_MONDAY - _LATER)
    return mailbox_id


async def _campaign(db: Db, user_id: int, mailbox_ids: list[int]) -> None:
    made = await campaigns.create(db, user_id, "Bench", client_id=None, scope=None, settings={}, now=_MONDAY)
    schedule = {
        "timezone": "UTC",
        "days": list(range(7)),
        "start_hour": "00:00",
        "end_hour": "23:59",
        "min_time_between_emails": 10,
        "max_new_leads_per_day": 1_000,
    }
    await campaigns.change_schedule(db, user_id, made.id, schedule, client_id=None, now=_MONDAY)
    drafts = [
        StepDraft(None, StepType.EMAIL, days, subject, "Hello", VariantDistribution.MANUAL_EQUAL, None, None, ())
        for days, subject in ((0, "Port fees"), (2, ""), (2, ""))
    ]
    await sequence.save(db, user_id, made.id, drafts, client_id=None, now=_MONDAY)
    await campaigns.add_mailboxes(
        db, user_id, made.id, mailbox_ids, auto_adjust_warmup=False, client_id=None, now=_MONDAY
    )
    await campaigns.change_status(db, user_id, made.id, StatusVerb.START, client_id=None, now=_MONDAY)


async def _claim(database: Database) -> tuple[int, float]:
    """Waves in which every mailbox gets a mail; returns the mails and the seconds of the planners."""
    total, seconds = 0, 0.0
    async with database.transaction() as db:
        engine_ids = [await _lease(db, number) for number in range(_ENGINES)]
    with ExitStack() as stack:
        engines = [stack.enter_context(_engine(database.url, engine_id)) for engine_id in engine_ids]
        for wave in range(1 + _WAVES):
            now = _MONDAY + wave * _LATER
            for engine in engines:
                engine.send(now)
            told = [engine.recv() for engine in engines]
            if wave:
                total += sum(claimed for claimed, _, _ in told)
                seconds += max(end for _, _, end in told) - min(start for _, start, _ in told)
            async with database.transaction() as db:
                await _settle(db, now)
    if total != _WAVES * _MAILBOXES:
        raise CannotMeasure(f"{total} mails were claimed, {_WAVES * _MAILBOXES} expected.")
    return total, seconds


async def _lease(db: Db, number: int) -> UUID:
    engine_id = uuid4()
    await state.register_engine(db, engine_id, number, _MONDAY)
    await state.claim_leases(db, engine_id, _MONDAY, at_most=_MAILBOXES // _ENGINES)
    return engine_id


@contextmanager
def _engine(url: str, engine_id: UUID) -> Iterator[Connection]:
    """A process that is told moments, and tells how much it has claimed at each, from when to when."""
    ours, theirs = get_context("spawn").Pipe()
    process = get_context("spawn").Process(target=_plan, args=(url, engine_id, theirs))
    process.start()
    theirs.close()
    try:
        yield ours
    finally:
        ours.close()
        process.join()


def _plan(url: str, engine_id: UUID, asked: Connection) -> None:
    wire()
    collect_seldom()
    uvloop.run(_answer(url, engine_id, asked))


async def _answer(url: str, engine_id: UUID, asked: Connection) -> None:
    database, clock = await Database.open(url, settings=PLANS), StandingClock(_MONDAY)
    rehearsal = Rehearsal(
        database,
        clock,
        Vault("only for this benchmark"),
        engine_id=engine_id,
        tracking_url="https://t.example",
        submit=lambda _mail: Accepted(250, None, "taken"),
    )
    try:
        while True:
            try:
                clock.move_to(asked.recv())
            except EOFError:  # it was the last wave
                return
            total, started_at = 0, time.monotonic()
            while claimed := await rehearsal.claim():
                total += len(claimed)
            asked.send((total, started_at, time.monotonic()))
    finally:
        await database.close()


async def _settle(db: Db, now: datetime) -> None:
    """As if every mail had been sent."""
    await execute(
        db,
        """
        UPDATE campaign_leads SET due_at = %(now)s + interval '2 days', last_step_number = 2
         WHERE id IN (SELECT campaign_lead_id FROM dispatches)
        """,
        {"now": now},
    )
    await execute(db, "DELETE FROM dispatches")


async def _fill_queue(db: Db, leads: int) -> None:
    """A plain queue for the yardstick, as many rows due in it as leads."""
    await execute(
        db,
        "CREATE TABLE plain_queue (id bigint PRIMARY KEY, due_at timestamptz NOT NULL, taken_at timestamptz)",
    )
    await execute(db, "CREATE INDEX plain_queue_due ON plain_queue (due_at) WHERE taken_at IS NULL")
    await execute(
        db,
        """
        INSERT INTO plain_queue (id, due_at)
        SELECT n, %(now)s - n * interval '10 milliseconds'
          FROM generate_series(1, %(leads)s) AS n
        """,
        {"now": _MONDAY, "leads": leads},
    )


async def _update(database: Database) -> float:
    """The yardstick: rows per second that are taken from a queue by who decides nothing, each row once."""
    rows, started_at = 0, time.monotonic()
    for _ in range(_WAVES * _MAILBOXES // _BATCH):
        async with database.transaction() as db:
            rows += await execute(
                db,
                """
                UPDATE plain_queue SET taken_at = %(now)s
                 WHERE id IN (SELECT id
                                FROM plain_queue
                               WHERE taken_at IS NULL
                                 AND due_at <= %(now)s
                               ORDER BY due_at
                               LIMIT %(batch)s
                                 FOR UPDATE SKIP LOCKED)
                """,
                {"now": _MONDAY, "batch": _BATCH},
            )
    return rows / (time.monotonic() - started_at)
