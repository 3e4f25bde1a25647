"""The public routes in a mail: pixel, links, the way out; what a stranger may send them, and what it does."""

import asyncio
import base64
from typing import Any

import pytest

from outrider.kit.clock import Clock
from outrider.kit.crypto import set_vault
from outrider.kit.db import Database, execute, fetch_dicts
from outrider.tracking import actions, tokens
from outrider.wiring import wire
from tests.support import make
from tests.support.client import ApiClient
from tests.support.world import World

BROWSER = {"user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}
TARGET = "https://hexly.example/pricing?a=1&b=2"


class Mailed:
    """A lead who has got a mail a minute ago, and a client that carries no key."""

    def __init__(self, client: ApiClient, database: Database, message: dict[str, Any]) -> None:
        self.client = client
        self.database = database
        self.message = message

    async def call(self, method: str, path: str, **options: Any) -> Any:
        return await self.client.request(method, f"/{path}", key=None, headers=BROWSER, **options)

    @property
    def way_out(self) -> str:
        mail = self.message
        return tokens.unsubscribe_path(make.VAULT, mail["user_id"], mail["campaign_lead_id"], mail["to_email"])

    async def until(self, condition: str) -> None:
        """Hits are answered after a moment even if they are not stored yet."""
        while not await self.rows(f"SELECT FROM messages WHERE {condition}"):  # noqa: ASYNC110 - another session
            await asyncio.sleep(0.01)

    async def rows(self, sql: Any) -> list[dict[str, Any]]:
        async with self.database.connection() as db:
            return await fetch_dicts(db, sql)


@pytest.fixture
async def mailed(database: Database, clock: Clock, make_app: Any, connect: Any) -> Mailed:
    set_vault(make.VAULT)
    wire()
    async with database.transaction() as db:
        world = await World.make(db, clock.now())
        campaign_id = await world.campaign([await world.mailbox()], steps=2)
        await execute(db, "UPDATE campaigns SET stop_lead_settings = 'CLICK_ON_A_LINK'")
        [message] = await world.sent(campaign_id)
        await execute(db, "UPDATE messages SET sent_at = sent_at - interval '1 minute'")
        client = await connect(make_app(database), db, user_id=world.user_id)
    return Mailed(client, database, message)


async def test_opens_and_clicks_are_counted_and_lead_where_the_mail_said(mailed: Mailed) -> None:
    pixel = await mailed.call("GET", tokens.open_path(make.VAULT, mailed.message["id"]))
    assert (pixel.status_code, pixel.headers["content-type"]) == (200, "image/gif")
    link = await mailed.call("GET", tokens.click_path(make.VAULT, mailed.message["id"], TARGET))
    assert (link.status_code, link.headers["location"]) == (302, TARGET)
    for answer in (pixel, link):
        assert "no-store" in answer.headers["cache-control"]
    await mailed.until("open_count = 1 AND click_count = 1")
    [lead] = await mailed.rows("SELECT status, hold_reason FROM campaign_leads")
    assert lead == {"status": "STOPPED", "hold_reason": "CLICKED"}
    assert [row["type"] for row in await mailed.rows("SELECT type FROM message_events ORDER BY id")] == [
        "OPENED",
        "CLICKED",
    ]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_get_never_unsubscribes(mailed: Mailed, method: str) -> None:
    answer = await mailed.call(method, mailed.way_out)
    assert answer.status_code == 200
    assert await mailed.rows("SELECT FROM unsubscribes") == []
    [lead] = await mailed.rows("SELECT status FROM campaign_leads")
    assert lead["status"] == "INPROGRESS"


async def test_a_post_unsubscribes_at_once_and_may_be_repeated(mailed: Mailed) -> None:
    for _ in range(2):
        answer = await mailed.call("POST", mailed.way_out, content="List-Unsubscribe=One-Click")
        assert answer.status_code == 200
    [lead] = await mailed.rows("SELECT status, hold_reason FROM campaign_leads")
    assert lead == {"status": "STOPPED", "hold_reason": "UNSUBSCRIBED"}
    assert len(await mailed.rows("SELECT FROM unsubscribes")) == 1
    events = await mailed.rows("SELECT type FROM message_events")
    assert [event["type"] for event in events] == ["UNSUBSCRIBED"]


async def test_the_page_does_not_let_an_address_write_on_it(mailed: Mailed) -> None:
    path = tokens.unsubscribe_path(make.VAULT, 1, 1, '"<script>alert(1)</script>"@hexly.example')
    page = await mailed.call("GET", path)
    assert "<script" not in page.text
    assert "&lt;script&gt;" in page.text


def _forged(path: str, changed: bytes) -> str:
    """The same signature over another payload."""
    head, _, token = path.rpartition("/")
    token, dot, ending = token.partition(".")
    sealed = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    return f"{head}/{base64.urlsafe_b64encode(sealed[:16] + changed).decode().rstrip('=')}{dot}{ending}"


async def test_what_is_not_signed_by_us_does_nothing(mailed: Mailed) -> None:
    mail = mailed.message
    row = int(mail["id"]).to_bytes(8)
    click = _forged(tokens.click_path(make.VAULT, mail["id"], TARGET), row + b"https://evil.example/")
    assert (await mailed.call("GET", click)).status_code == 404
    other = tokens.unsubscribe_path(make.VAULT, mail["user_id"], mail["campaign_lead_id"], "x@hexly.example")
    swapped = _forged(other, row + row + mail["to_email"].encode())
    assert (await mailed.call("POST", swapped)).status_code == 404
    opened = _forged(tokens.open_path(make.VAULT, 1), row)
    assert (await mailed.call("GET", opened)).status_code == 200  # a broken image would show
    # a token of one purpose is none of another
    for path in (
        mailed.way_out.replace("/u/", "/c/"),
        tokens.click_path(make.VAULT, mail["id"], TARGET).replace("/c/", "/u/"),
    ):
        assert (await mailed.call("POST" if "/u/" in path else "GET", path)).status_code == 404
    for path in ("/c/", "/c/x", "/u/%00", "/u/" + "A" * 3000, "/c/http://evil.example/"):
        assert (await mailed.call("GET", path)).status_code == 404
    assert await mailed.rows("SELECT FROM tracking_hits") == []
    assert await mailed.rows("SELECT FROM unsubscribes") == []


async def test_hits_that_cannot_be_stored_do_not_stop_those_that_follow(
    mailed: Mailed, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = actions.record_hits
    failures = iter([True])

    async def broken_once(db: Any, hits: Any) -> None:
        if next(failures, False):
            raise ValueError("a mistake of ours")
        await real(db, hits)

    monkeypatch.setattr(actions, "record_hits", broken_once)
    for _ in range(2):
        answer = await mailed.call("GET", tokens.open_path(make.VAULT, mailed.message["id"]))
        assert answer.status_code == 200
    await mailed.until("open_count = 1")
