"""A browser of a person: keeps cookies, sends forms with the token of the page they stand on."""

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from typing import Any

import httpx
import pytest
from argon2 import PasswordHasher

from outrider.engine.inbound.arrival import Reader
from outrider.engine.inbound.intake import take_in
from outrider.kit.clock import SYSTEM_CLOCK
from outrider.kit.crypto import set_vault
from outrider.kit.db import Db, fetch_value
from outrider.kit.edge import Edge
from outrider.users import actions, secrets
from tests.support import make
from tests.support.make import VAULT
from tests.support.world import World

PASSWORD = "tide-and-rope-44"
_TOKEN = re.compile(r'name="form_token" value="([^"]+)"')


class Browser(httpx.AsyncClient):
    """No redirect is followed by itself."""

    def __init__(self, app: Edge) -> None:
        super().__init__(transport=httpx.ASGITransport(app, client=("198.51.100.7", 40_000)), base_url="http://o.test")
        self.app = app

    async def page(self, path: str) -> str:
        """The text of a page that is there."""
        answer = await self.get(path)
        assert answer.status_code == 200, (answer.status_code, answer.headers.get("location"), answer.text)
        return answer.text

    async def submit(self, path: str, *, on: str | None = None, **fields: str) -> httpx.Response:
        """Open a page, fill in its form and send it; `on`: where the form stands, if it is sent elsewhere."""
        return await self.post(path, data={"form_token": token_of(await self.page(on or path)), **fields})

    async def log_in(self, email: str, password: str = PASSWORD, **more: str) -> httpx.Response:
        return await self.submit("/app/log-in", email=email, password=password, **more)


def token_of(page: str) -> str:
    found = _TOKEN.search(page)
    assert found, page
    return found[1]


@dataclass(frozen=True, slots=True)
class Member:
    """The owner of an account; `link` sets another password."""

    user_id: int
    person_id: int
    email: str
    link: str


@pytest.fixture(autouse=True)
def process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its key; and passwords are hashed with less work than they deserve."""
    set_vault(VAULT)
    monkeypatch.setattr(secrets, "_HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


async def make_member(db: Db, email: str) -> Member:
    wall = SYSTEM_CLOCK.wall()
    made = await actions.create_account(db, email=email, name="Hexly AB", now=wall)
    await actions.set_password(db, token=made.link_token, password=PASSWORD, now=wall)
    link = await actions.create_link(db, made.person_id, now=wall)
    return Member(made.user_id, made.person_id, email, f"/app/set-password/{link}")


@pytest.fixture
async def member(db: Db) -> Member:
    return await make_member(db, "nora@hexly.example")


@pytest.fixture
async def other(db: Db) -> Member:
    """The owner of another account."""
    return await make_member(db, "jo@rivals.example")


@pytest.fixture
async def browsers() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture
async def visitor(app: Edge, browsers: AsyncExitStack) -> Browser:
    """Nobody we know."""
    return await browsers.enter_async_context(Browser(app))


@pytest.fixture
async def browser(app: Edge, browsers: AsyncExitStack, member: Member) -> Browser:
    """Logged in as `member`."""
    opened = await browsers.enter_async_context(Browser(app))
    await opened.log_in(member.email)
    return opened


@pytest.fixture
async def other_browser(app: Edge, browsers: AsyncExitStack, other: Member) -> Browser:
    opened = await browsers.enter_async_context(Browser(app))
    await opened.log_in(other.email)
    return opened


class Talk:
    """A lead who got a mail; his answers arrive as they would."""

    def __init__(self, world: World, sent: dict[str, Any]) -> None:
        self.db = world.db
        self.now = world.now
        self.user_id = world.user_id
        self.sent = sent
        self.path = f"/app/master-inbox?leadMap={sent['campaign_lead_id']}"

    def letter(self, html: str | None = None, text: str | None = None) -> EmailMessage:
        letter = EmailMessage()
        letter["From"] = f"Ada <{self.sent['to_email']}>"
        letter["To"] = self.sent["from_email"]
        letter["Subject"] = "Re: Port fees"
        letter["In-Reply-To"] = f"<{self.sent['message_id']}>"
        if text is not None:
            letter.set_content(text)
        if html is not None:
            letter.set_content(html, subtype="html") if text is None else letter.add_alternative(html, subtype="html")
        return letter

    async def take_in(self, letter: EmailMessage) -> int:
        reader = Reader(self.user_id, self.sent["mailbox_id"], self.sent["from_email"])
        assert await take_in(self.db, make.VAULT, reader, letter.as_bytes(), self.now, only_matched=False)
        return int(await fetch_value(self.db, "SELECT max(id) FROM messages"))


@pytest.fixture
async def talk(db: Db, member: Member, now: datetime) -> Talk:
    world = World(db, now, member.user_id)
    await world.engine(world.engine_id)
    campaign_id = await world.campaign([await world.mailbox()])
    [sent] = await world.sent(campaign_id)
    return Talk(world, sent)
