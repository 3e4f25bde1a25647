"""Two hundred hostile mails in a real Chromium: each of the walls holds by itself, and on the real page all of them.

Every mail is opened without any wall first, and has to do there what it claims: what is harmless anyway proves nothing.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from email.message import EmailMessage
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, BrowserContext, Dialog, Error, Frame, Page, Request

from outrider.content.cleaning import clean
from outrider.engine.inbound.arrival import Reader
from outrider.engine.inbound.intake import take_in
from outrider.kit.db import Database, fetch_value
from outrider.kit.edge import Edge
from outrider.web import mails, shell
from tests.support import make
from tests.support.chromium import Elsewhere, needs_chromium, running_chromium, running_elsewhere, serving
from tests.support.world import World
from tests.web.conftest import PASSWORD, make_member
from tests.web.hostile_mails import HOST, MAILS, Does, Hostile

pytestmark = needs_chromium

_PLAIN = "walls.example"  # where mails are shown without the walls of the application
_FRAMES_AT_ONCE = 16
_PATIENCE = 120_000  # milliseconds, on a machine that does something else, too
_CLICK_INSIDE = """() => {
  for (const each of document.querySelectorAll('a:not([href^="http"], [href^="//"], [target]), button, area, ' +
                                               '[onclick], input[type=submit], summary, svg a *'))
    each.dispatchEvent(new MouseEvent('click', {bubbles: true, cancelable: true}));
}"""
_CLICK_ALL = _CLICK_INSIDE.replace(", [target]", "")
"""Links that lead out of the frame, too: without walls they would take the page itself away."""
_READ_ANEW = "() => { document.body.innerHTML = document.body.innerHTML }"
"""What a program does that cleans a mail and writes it down again; some mails live on that."""
_OPEN_ALL = """() => {
  document.querySelectorAll('details').forEach(each => { each.open = true });
  document.querySelectorAll('iframe').forEach(each => { each.loading = 'eager' });
  return document.documentElement.outerHTML;
}"""
_SHOWN = """() => {
  let cookie = 'readable';
  try { document.cookie } catch { cookie = 'refused' }
  return {
    origin: window.origin,
    cookie,
    dangers: document.querySelectorAll('script, iframe, object, embed, form, input, base, link, svg, math, [id], ' +
                                       '[name]:not(meta)').length,
    links: [...document.querySelectorAll('a, area')].map(each =>
        [each.tagName, each.hasAttribute('href') && each.protocol, each.rel, each.target]),
  };
}"""


@dataclass(slots=True)
class Heard:
    """What a page did: scripts that ran, dialogs, requests."""

    ran: set[int] = field(default_factory=set)
    dialogs: list[str] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)

    def foreign(self, origin: str) -> list[str]:
        """Requests to anywhere but this origin."""
        return [
            f"{each.resource_type} {each.url[:200]}"
            for each in self.requests
            if not each.url.startswith((f"{origin}/", "data:", "about:"))
        ]


@pytest.fixture(scope="module")
async def elsewhere() -> AsyncIterator[Elsewhere]:
    async with running_elsewhere() as running:
        yield running


@pytest.fixture(scope="module")
async def chromium(elsewhere: Elsewhere) -> AsyncIterator[Browser]:
    async with running_chromium(elsewhere) as browser:
        yield browser


@pytest.fixture(autouse=True)
def _forget(elsewhere: Elsewhere) -> Iterator[None]:
    yield
    elsewhere.asked.clear()
    elsewhere.pages.clear()


@asynccontextmanager
async def opened(chromium: Browser) -> AsyncIterator[tuple[BrowserContext, Page, Heard]]:
    """A fresh window; `ran` is there for every script of every frame, whatever it may do else."""
    heard = Heard()
    context = await chromium.new_context(locale="en-GB")
    context.set_default_timeout(_PATIENCE)
    await context.expose_binding("ran", lambda _source, number=0: heard.ran.add(number))
    context.on("request", lambda request: heard.requests.append(request))  # noqa: PLW0108 - it marks what it is given
    page = await context.new_page()

    async def dismiss(dialog: Dialog) -> None:
        heard.dialogs.append(dialog.message)
        await dialog.dismiss()

    page.on("dialog", dismiss)
    try:
        yield context, page, heard
    finally:
        await context.close()


async def until(is_so: Callable[[], bool]) -> None:
    """For what comes by itself; whoever asks afterwards says what is missing."""
    for _ in range(300):
        if is_so():
            return
        await asyncio.sleep(0.1)


async def in_frames(page: Page, script: str, *, numbers: set[int] | None = None) -> list[Any]:
    """The answers of all frames but the page itself, or of these mails'; a frame that went away has none."""
    places = asyncio.Semaphore(_FRAMES_AT_ONCE)
    frames = [frame for frame in page.frames if frame != page.main_frame]
    if numbers is not None:
        frames = [frame for frame in frames if frame.url in {f"http://{_PLAIN}/{number}" for number in numbers}]

    async def ask(frame: Frame) -> Any:
        async with places:
            try:
                return await asyncio.wait_for(frame.evaluate(script), 3)
            except (Error, TimeoutError):
                return None

    return await asyncio.gather(*map(ask, frames))


async def settled(page: Page, *, click: str = _CLICK_ALL) -> None:
    await page.wait_for_load_state("load")
    await in_frames(page, click)
    await page.wait_for_timeout(700)


async def show_plainly(
    page: Page, elsewhere: Elsewhere, bodies: dict[int, str], *, policy: str | None = None, attributes: str = ""
) -> None:
    """Mails in frames of a page that is not ours, each a document of its own."""
    headers = {"content-security-policy": policy} if policy else {}
    for number, body in bodies.items():
        elsewhere.pages[_PLAIN, f"/{number}"] = (f"<!doctype html><html><body>{body}</body></html>", headers)
    frames = "".join(f'<iframe src="/{number}" {attributes}></iframe>' for number in bodies)
    # What keeps frames from being led elsewhere is the policy of the page around them.
    elsewhere.pages[_PLAIN, "/"] = (frames, {"content-security-policy": shell.POLICY} if policy else {})
    await page.goto(f"http://{_PLAIN}/")
    await settled(page, click=_CLICK_ALL if policy else _CLICK_INSIDE)


def numbers_asked(elsewhere: Elsewhere) -> set[int]:
    found = (re.match(r"/(\d+)", each.path) for each in elsewhere.heard(HOST))
    return {int(match[1]) for match in found if match}


def named(numbers: set[int]) -> list[str]:
    return [f"{mail.number} {mail.name}" for mail in MAILS if mail.number in numbers]


def achieved(mail: Hostile, ran: set[int], mutated: set[int], asked: set[int]) -> Does:
    """A script that is asked for from elsewhere does both."""
    if mail.number in ran:
        return Does.RUNS
    if mail.number in asked:
        return Does.ASKS
    return Does.MUTATES if mail.number in mutated else Does.NOTHING


async def test_without_walls_each_mail_does_what_it_is_for(chromium: Browser, elsewhere: Elsewhere) -> None:
    mutating = {mail.number for mail in MAILS if mail.does is Does.MUTATES}
    acting = {mail.number for mail in MAILS if mail.does is not Does.NOTHING} - mutating
    async with opened(chromium) as (_, page, heard):
        await show_plainly(page, elsewhere, {mail.number: mail.html for mail in MAILS})
        await until(lambda: acting <= heard.ran | numbers_asked(elsewhere))
        ran = set(heard.ran)
        await in_frames(page, _READ_ANEW, numbers=mutating)
        await until(lambda: mutating <= heard.ran)
        asked = numbers_asked(elsewhere)
    wrong = {mail.name: done for mail in MAILS if (done := achieved(mail, ran, heard.ran, asked)) is not mail.does}
    assert not wrong


async def test_cleaned_mails_are_harmless_without_other_walls(chromium: Browser, elsewhere: Elsewhere) -> None:
    async with opened(chromium) as (_, page, heard):
        await show_plainly(page, elsewhere, {mail.number: clean(mail.html) for mail in MAILS})
        assert not heard.foreign(f"http://{_PLAIN}")
        await in_frames(page, _READ_ANEW)
        await page.wait_for_timeout(500)
    assert not heard.ran, named(heard.ran)
    assert not heard.dialogs
    assert not elsewhere.heard(HOST)


async def test_policy_and_sandbox_hold_mails_that_were_not_cleaned(chromium: Browser, elsewhere: Elsewhere) -> None:
    policy = mails.POLICY.format(images="")
    attributes = 'sandbox="allow-popups allow-popups-to-escape-sandbox"'
    async with opened(chromium) as (_, page, heard):
        bodies = {mail.number: mail.html for mail in MAILS}
        await show_plainly(page, elsewhere, bodies, policy=policy, attributes=attributes)
    assert not heard.ran, named(heard.ran)
    assert not heard.dialogs
    assert not numbers_asked(elsewhere), named(numbers_asked(elsewhere))


@dataclass(frozen=True, slots=True)
class Site:
    """The application with a person who has got all these mails, each an answer of the same lead."""

    address: str
    email: str
    map_id: int
    message_ids: dict[int, int]


@pytest.fixture
async def site(
    database: Database, make_app: Callable[..., Edge], now: datetime, request: pytest.FixtureRequest
) -> AsyncIterator[Site]:
    chosen: list[Hostile] = request.param
    async with database.transaction() as db:
        member = await make_member(db, "nora@hexly.example")
        world = World(db, now, member.user_id)
        await world.engine(world.engine_id)
        campaign_id = await world.campaign([await world.mailbox()])
        [sent] = await world.sent(campaign_id)
        reader = Reader(member.user_id, sent["mailbox_id"], sent["from_email"])
        message_ids = {}
        for mail in chosen:
            raw = raw_reply(mail, sent)
            assert await take_in(db, make.VAULT, reader, raw, now, only_matched=False)
            message_ids[mail.number] = await fetch_value(db, "SELECT max(id) FROM messages")
    async with serving(lambda address: make_app(database, public_url=address)) as address:
        yield Site(address, member.email, sent["campaign_lead_id"], message_ids)


def raw_reply(mail: Hostile, sent: dict[str, Any]) -> bytes:
    letter = EmailMessage()
    letter["From"] = f"Ada <{sent['to_email']}>"
    letter["To"] = sent["from_email"]
    letter["Subject"] = f"Re: Port fees, {mail.number}"
    letter["Message-ID"] = f"<hostile-{mail.number}@hexly.example>"
    letter["In-Reply-To"] = f"<{sent['message_id']}>"
    letter.set_content(mail.html.encode("utf-8", "surrogatepass"), maintype="text", subtype="html")
    del letter["Content-Disposition"]
    return letter.as_bytes()


async def log_in(page: Page, site: Site) -> None:
    await page.goto(f"{site.address}/app/log-in")
    await page.fill("[name=email]", site.email)
    await page.fill("[name=password]", PASSWORD)
    await page.click("button:has-text('Log in')")
    await page.wait_for_url("**/app/")


@pytest.mark.parametrize("site", [MAILS], indirect=True, ids=["all"])
async def test_on_the_real_page_nothing_runs_and_nothing_is_asked_for(
    chromium: Browser, elsewhere: Elsewhere, site: Site
) -> None:
    async with opened(chromium) as (context, page, heard):
        await log_in(page, site)
        cookies = await context.cookies()
        await page.goto(f"{site.address}/app/master-inbox?leadMap={site.map_id}")
        before, title = await page.evaluate(_OPEN_ALL), await page.title()
        await until(lambda: sum("/app/mail/" in frame.url for frame in page.frames) > len(MAILS))
        await settled(page)
        assert not heard.ran, named(heard.ran)
        assert not heard.dialogs
        assert not heard.foreign(site.address)
        assert not elsewhere.heard(HOST)
        paths = {urlsplit(each.url).path for each in heard.requests if each.url.startswith("http")}
        mails_asked = {path for path in paths if path.startswith("/app/mail/")}
        assert len(mails_asked) == len(MAILS) + 1  # and the mail of the campaign
        assert {path for path in paths - mails_asked if not path.startswith("/app/static/")} <= {
            "/app/log-in",
            "/app/",
            "/app/master-inbox",
        }
        assert await page.evaluate("document.documentElement.outerHTML") == before
        assert (await page.title(), await context.cookies(), len(context.pages)) == (title, cookies, 1)
        shown = [each for each in await in_frames(page, _SHOWN) if each]
        assert len(shown) == len(MAILS) + 1
        assert {each["origin"] for each in shown} == {"null"}
        assert {each["cookie"] for each in shown} == {"refused"}
        assert not [each for each in shown if each["dangers"]]
        for _, protocol, rel, target in (link for each in shown for link in each["links"] if link[1]):
            assert protocol in {"http:", "https:", "mailto:", "tel:"}
            assert set(rel.split()) >= {"noopener", "noreferrer"}
            assert target == "_blank"


PICTURES = [mail for mail in MAILS if f'src="http://{HOST}' in clean(mail.html, images=True).lower()]


@pytest.mark.parametrize("site", [PICTURES], indirect=True, ids=["pictures"])
async def test_images_that_were_asked_for_are_all_that_is_asked_for(
    chromium: Browser, elsewhere: Elsewhere, site: Site
) -> None:
    """One mail after the other, by the button on the page; only a link that is clicked leads anywhere else."""
    assert len(PICTURES) >= 7
    async with opened(chromium) as (context, page, heard):
        await log_in(page, site)
        await page.goto(f"{site.address}/app/master-inbox?leadMap={site.map_id}")
        for mail in PICTURES:
            message_id = site.message_ids[mail.number]
            article = page.locator(f"#mail-{message_id}")
            if not await article.locator("a:has-text('Show images')").is_visible():
                await article.locator("summary:has-text('Whole email')").click()
            await article.locator("a:has-text('Show images')").click()
            await article.locator("a:has-text('Hide images')").wait_for()
            await until(lambda number=mail.number: number in numbers_asked(elsewhere))
            await settled(page)
        assert not heard.ran, named(heard.ran)
        assert not heard.dialogs
        assert {kind.partition(" ")[0] for kind in heard.foreign(site.address)} == {"image"}
        asked = elsewhere.heard(HOST)
        assert numbers_asked(elsewhere) == {mail.number for mail in PICTURES}
        assert {each.headers["accept"].partition("/")[0] for each in asked} == {"image"}
        assert not [each for each in asked if {"referer", "cookie", "origin"} & each.headers.keys()]
        assert len(context.pages) == 1


LINKS = [mail for mail in MAILS if mail.name == "link that keeps its opener"]


@pytest.mark.parametrize("site", [LINKS], indirect=True, ids=["link"])
async def test_a_link_opens_a_window_that_knows_nothing_of_ours(
    chromium: Browser, elsewhere: Elsewhere, site: Site
) -> None:
    async with opened(chromium) as (context, page, _):
        await log_in(page, site)
        await page.goto(f"{site.address}/app/master-inbox?leadMap={site.map_id}")
        article = page.locator(f"#mail-{site.message_ids[LINKS[0].number]}")
        await article.locator("summary:has-text('Whole email')").click()
        async with context.expect_page() as window:
            await article.frame_locator("iframe").locator("a").click()
        other = await window.value
        await other.wait_for_load_state()
        assert other.url == f"http://{HOST}/{LINKS[0].number}"
        assert await other.evaluate("window.opener") is None
        [visit] = [each for each in elsewhere.heard(HOST) if each.path == f"/{LINKS[0].number}"]
        assert not {"referer", "cookie"} & visit.headers.keys()
