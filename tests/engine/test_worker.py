"""The engine as a whole, in this process: what a stop and a database that goes away do to mails on their way."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest

from outrider.config import Settings
from outrider.engine import worker
from outrider.engine.worker import Engine
from outrider.inbox import replies
from outrider.inbox.replies import Reply
from outrider.kit.clock import Clock
from outrider.kit.db import Database, execute, fetch_dicts
from outrider.kit.guard import guarded_client
from tests.support import make
from tests.support.smtp_servers import SILENCE, USUAL, FaultySmtp, faults, running
from tests.support.world import World


@asynccontextmanager
async def _engine(database: Database, settings: Settings, now: datetime) -> AsyncIterator[Callable[[], None]]:
    """An engine that runs inside of the block; call what is given to stop it. It has ended when the block has."""
    stop = asyncio.Event()
    async with guarded_client(settings) as http:
        engine = Engine(database, settings, Clock.starting_at(now, speed=1), make.VAULT, http=http)
        task = asyncio.create_task(engine.run(stop))
        try:
            yield stop.set
        finally:
            stop.set()
            await task


async def _lead_to_mail(database: Database, now: datetime, smtp: FaultySmtp) -> None:
    """A campaign that was started yesterday, so that nothing waits for the first minutes of its day."""
    async with database.transaction() as db:
        world = await World.make(db, now)
        mailbox_id = await make.mailbox(
            db,
            world.user_id,
            smtp_host=smtp.server.host,
            smtp_port=smtp.server.port,
            smtp_port_type="NONE",
            username=None,
            imap_host=None,
            imap_port=None,
        )
        await world.leads(await world.campaign([mailbox_id], min_time_between_emails=1), 1)
        await execute(db, "DELETE FROM engines")


async def _answer_by_hand(database: Database, now: datetime, smtp: FaultySmtp) -> None:
    """A lead got his only mail, and a person has written to him."""
    async with database.transaction() as db:
        world = await World.make(db, now)
        mailbox_id = await world.mailbox(
            smtp_host=smtp.server.host,
            smtp_port=smtp.server.port,
            smtp_port_type="NONE",
            username=None,
            imap_host=None,
            imap_port=None,
        )
        campaign_id = await world.campaign([mailbox_id])
        [mail] = await world.sent(campaign_id)
        asked = Reply(
            stats_id=str(mail["stats_id"]),
            lead_id=None,
            body="Gladly",
            answered_id=None,
            answered_at=None,
            answered_body=None,
            to_email=None,
            to_name="",
            cc=(),
            bcc=(),
            with_signature=False,
            scheduled_at=None,
            condition=None,
        )
        draft = await replies.draft_reply(db, world.user_id, campaign_id, asked, scope=None, now=now)
        await replies.queue_reply(db, draft, (), now=now)
        await execute(db, "DELETE FROM engines")


async def _rows(database: Database, sql: Any) -> list[dict[str, Any]]:
    async with database.connection() as db:
        return await fetch_dicts(db, sql)


async def _until(database: Database, sql: str) -> None:
    """Ask until there is a row; a connection of ours may have been ended too."""
    while True:
        with suppress(psycopg.OperationalError):
            if await _rows(database, sql):
                return
        await asyncio.sleep(0.02)


async def test_a_running_engine_sends_what_people_wrote(database: Database, settings: Settings, now: datetime) -> None:
    async with running(FaultySmtp(faults({}))) as smtp:
        await _answer_by_hand(database, now, smtp)
        async with _engine(database, settings, now):
            await _until(database, "SELECT FROM messages WHERE kind = 'MANUAL' AND status = 'SENT'")
    assert [row["state"] for row in await _rows(database, "SELECT state FROM handwritten_mails")] == ["ENDED"]


async def test_a_stop_does_not_wait_for_a_server_that_hangs_over_what_a_person_wrote(
    database: Database, settings: Settings, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "_FINISH_SECONDS", 0.1)
    async with running(FaultySmtp(faults({"CONTENT": [SILENCE]}))) as smtp:
        await _answer_by_hand(database, now, smtp)
        async with _engine(database, settings, now) as stop:
            await smtp.has_fallen_silent.wait()
            stop()
    [message] = await _rows(database, "SELECT status, is_doubtful FROM messages WHERE kind = 'MANUAL'")
    assert message == {"status": "UNKNOWN", "is_doubtful": True}


async def test_a_stop_does_not_wait_for_a_server_that_hangs(
    database: Database, settings: Settings, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "_FINISH_SECONDS", 0.1)
    async with running(FaultySmtp(faults({"CONTENT": [SILENCE]}))) as smtp:
        await _lead_to_mail(database, now, smtp)
        async with _engine(database, settings, now) as stop:
            await smtp.has_fallen_silent.wait()
            stop()
    [message] = await _rows(database, "SELECT status FROM messages")
    assert message["status"] == "UNKNOWN"
    for table in ("dispatches", "engines", "mailbox_leases"):
        assert await _rows(database, f"SELECT * FROM {table}") == []  # noqa: S608 - names from above


async def test_what_a_server_says_while_the_database_is_away_is_kept(
    database: Database, settings: Settings, now: datetime
) -> None:
    slow = FaultySmtp(faults({"CONTENT": [replace(USUAL, delay=0.5)]}))
    async with running(slow) as smtp:
        await _lead_to_mail(database, now, smtp)
        async with _engine(database, settings, now):
            await _until(database, "SELECT FROM dispatches WHERE state = 'HANDING_OVER'")
            [before] = await _rows(database, "SELECT id FROM engines")
            await _rows(
                database,
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()",
            )
            await _until(database, f"SELECT FROM engines WHERE id <> '{before['id']}'")
    [message] = await _rows(database, "SELECT status, attempt_count FROM messages")
    assert (message["status"], message["attempt_count"]) == ("SENT", 1)
    assert [row["type"] for row in await _rows(database, "SELECT type FROM message_events")] == ["SENT"]
    assert len(slow.mails) == 1


async def test_an_engine_decides_a_test_whose_time_has_come(
    database: Database, settings: Settings, now: datetime
) -> None:
    async with database.transaction() as db:
        world = await World.make(db, now)
        campaign_id = await world.campaign([])
        await world.leads(campaign_id, 10)
        await execute(
            db,
            """
            UPDATE steps SET variant_distribution_type = 'AI_EQUAL', winning_metric_property = 'OPEN_RATE',
                             lead_distribution_percentage = 20
            """,
        )
        await execute(
            db,
            """
            WITH texts AS (
                INSERT INTO variants (user_id, campaign_id, step_id, position, variant_label, subject, email_body,
                                      created_at, updated_at)
                SELECT user_id, campaign_id, id, label.position, label.name, 'Fees', 'Hello', created_at, created_at
                FROM steps, (VALUES (1, 'A'), (2, 'B')) AS label (position, name)
                RETURNING *
            )
            INSERT INTO messages (user_id, direction, kind, campaign_id, mailbox_id, step_id, variant_id, stats_id,
                                  status, from_email, to_email, sent_at, first_opened_at, created_at)
            SELECT user_id, 'OUT', 'CAMPAIGN', campaign_id, 1, step_id, id, gen_random_uuid(), 'SENT', 'a@x', 'b@y',
                   %(sent_at)s, CASE WHEN variant_label = 'B' THEN %(sent_at)s::timestamptz END, created_at
            FROM texts
            """,
            {"sent_at": now - timedelta(hours=24)},
        )
        await execute(db, "DELETE FROM engines")
    async with _engine(database, settings, now):
        await _until(database, "SELECT FROM variant_decisions")
    [decision] = await _rows(
        database,
        "SELECT reason, variant_label FROM variant_decisions JOIN variants ON variants.id = winner_id",
    )
    assert decision == {"reason": "HIGHER_RATE", "variant_label": "B"}
