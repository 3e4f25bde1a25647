"""The public routes in a mail: pixel, links, the way out; what a stranger may send them, and what it does."""

import asyncio
import base64
from datetime import timedelta
from typing import Any

import pytest

from outrider.kit.clock import Clock
from outrider.kit.crypto import set_vault
from outrider.kit.db import Database, execute, fetch_dicts, fetch_value
from outrider.tracking import actions, store, tokens
from outrider.tracking.rules import load_rules
from outrider.users import store as users
from outrider.users.secrets import digest
from outrider.wiring import wire
from tests.support import make
from tests.support.client import ApiClient, fresh_account
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

    async def judged(self, count: int) -> None:
        """A visit is answered after a moment even if it is not stored yet; then it is judged, as by the engine."""
        while len(await self.rows("SELECT FROM tracking_hits")) < count:  # noqa: ASYNC110 - another session
            await asyncio.sleep(0.01)
        async with self.database.transaction() as db:
            await actions.judge_waiting(db, load_rules(), make.NOW + timedelta(hours=1))

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
    await mailed.judged(2)
    [mail] = await mailed.rows("SELECT open_count, click_count FROM messages")
    assert mail == {"open_count": 1, "click_count": 1}
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
    real = store.insert_visits
    failures = iter([True])

    async def broken_once(db: Any, visits: Any) -> None:
        if next(failures, False):
            raise ValueError("a mistake of ours")
        await real(db, visits)

    monkeypatch.setattr(store, "insert_visits", broken_once)
    for _ in range(2):
        answer = await mailed.call("GET", tokens.open_path(make.VAULT, mailed.message["id"]))
        assert answer.status_code == 200
    await mailed.judged(1)


async def test_the_link_that_nobody_sees_leads_nowhere_and_gives_machines_away(mailed: Mailed) -> None:
    opened = tokens.open_path(make.VAULT, mailed.message["id"])
    trap = tokens.trap_path(make.VAULT, mailed.message["id"])
    assert trap.startswith("/c/")  # a link like the others
    assert (await mailed.call("GET", opened)).status_code == 200
    page = await mailed.call("GET", trap)
    assert (page.status_code, "location" in page.headers) == (200, False)
    await mailed.judged(2)
    hits = await mailed.rows("SELECT kind, verdict, reason FROM tracking_hits ORDER BY id")
    assert [tuple(hit.values()) for hit in hits] == [("OPEN", "MACHINE", "TRAP"), ("TRAP", "MACHINE", "TRAP")]
    [mail] = await mailed.rows("SELECT open_count, machine_open_count, machine_click_count FROM messages")
    assert mail == {"open_count": 0, "machine_open_count": 1, "machine_click_count": 0}


async def test_the_raw_visits_can_be_read_with_their_verdicts(mailed: Mailed, make_app: Any, connect: Any) -> None:
    await mailed.call("GET", tokens.open_path(make.VAULT, mailed.message["id"]))
    await mailed.judged(1)
    await mailed.call("HEAD", tokens.click_path(make.VAULT, mailed.message["id"], TARGET))
    campaign_id = mailed.message["campaign_id"]

    async def hits(**params: Any) -> Any:
        answer = await mailed.client.get(f"/campaigns/{campaign_id}/tracking-hits", params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    found = await hits()
    assert [(hit["type"], hit["verdict"], hit["reason"]) for hit in found["data"]] == [
        ("CLICK", "WAITING", None),
        ("OPEN", "HUMAN", "BROWSER"),
    ]
    opened = found["data"][1]
    assert {key: opened[key] for key in ("user_agent", "ip", "email", "sequence_number", "url", "revised_by")} == {
        "user_agent": BROWSER["user-agent"],
        "ip": "127.0.0.1",
        "email": mailed.message["to_email"],
        "sequence_number": 1,
        "url": None,
        "revised_by": None,
    }
    assert (await hits(verdict="human"))["data"] == [opened]
    assert (await hits(lead_id=mailed.message["lead_id"], limit=1, offset=1))["data"] == [opened]
    assert (await hits(lead_id=1))["total"] == 0
    async with mailed.database.transaction() as db:
        stranger = await connect(make_app(mailed.database), db)
    assert (await stranger.get(f"/campaigns/{campaign_id}/tracking-hits")).status_code == 404


async def test_who_looks_at_his_own_mail_is_not_counted(mailed: Mailed) -> None:
    """With the cookie of the web app, whatever its name begins with; that of another account is a reader's."""
    async with mailed.database.transaction() as db:
        tokens_of = {}
        for user_id in (mailed.message["user_id"], await fresh_account(db, make.NOW)):
            person = await fetch_value(db, "SELECT min(id) FROM people WHERE user_id = %(id)s", {"id": user_id})
            tokens_of[user_id] = f"token-{user_id}"
            await users.insert_session(
                db,
                person,
                token_hash=digest(tokens_of[user_id]),
                address=None,
                expires_at=make.NOW + timedelta(days=1),
                now=make.NOW,
            )
    mine, theirs = tokens_of.values()
    link = tokens.click_path(make.VAULT, mailed.message["id"], TARGET)
    for name, token in (("outrider_session", mine), ("__Host-outrider_session", mine), ("outrider_session", theirs)):
        answer = await mailed.client.request(
            "GET", f"/{link}", key=None, headers={**BROWSER, "cookie": f"{name}={token}"}
        )
        assert answer.status_code == 302
    await mailed.judged(3)
    hits = await mailed.rows("SELECT reason FROM tracking_hits ORDER BY id")
    assert [hit["reason"] for hit in hits] == ["OWN_VIEW", "OWN_VIEW", "BROWSER"]
