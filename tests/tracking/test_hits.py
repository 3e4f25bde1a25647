"""Visits on their way to a database that is really stopped, and started again."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from outrider.asgi import create_app
from outrider.config import Settings
from outrider.kit.clock import Clock
from outrider.kit.crypto import set_vault
from outrider.kit.db import Database, execute, fetch_value
from outrider.kit.migrate import migrate
from outrider.kit.postgres import EmbeddedPostgres
from outrider.tracking import actions, tokens
from outrider.tracking.rules import load_rules
from outrider.wiring import wire
from tests.support import make
from tests.support.world import World

BROWSER = {"user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}
TARGET = "https://hexly.example/pricing?a=1&b=2"


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[EmbeddedPostgres]:
    postgres = EmbeddedPostgres(tmp_path / "postgres")
    await migrate(postgres.start())
    yield postgres
    postgres.stop()


async def test_links_lead_on_while_the_database_is_away_and_visits_are_kept(
    server: EmbeddedPostgres, settings: Settings, clock: Clock
) -> None:
    set_vault(make.VAULT)
    wire()
    database = await Database.open(server.url)
    async with database.transaction() as db:
        world = await World.make(db, clock.now())
        [mail] = await world.sent(await world.campaign([await world.mailbox()]))
        await execute(db, "UPDATE messages SET sent_at = sent_at - interval '1 minute'")
    app = create_app(settings, database, clock)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://outrider.test", headers=BROWSER
    ) as reader:
        server.stop()
        link = await reader.get(tokens.click_path(make.VAULT, mail["id"], TARGET))
        assert (link.status_code, link.headers["location"]) == (302, TARGET)
        pixel = await reader.get(tokens.open_path(make.VAULT, mail["id"]))
        assert (pixel.status_code, pixel.headers["content-type"]) == (200, "image/gif")
        assert (await reader.get("/c/forged")).status_code == 404
        server.start()
        async with database.connection() as db:
            while await fetch_value(db, "SELECT count(*) FROM tracking_hits") < 2:  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.05)
    async with database.transaction() as db:
        world.db = db
        world.later(hours=1)
        assert await actions.judge_waiting(db, load_rules(), world.now) == 2
        row = await world.row("messages", mail["id"])
    assert (row["open_count"], row["click_count"]) == (1, 1)
    await database.close()
