from collections.abc import AsyncIterator

import pytest

from outrider.sandbox.browser import USER_AGENTS, Browser, images, is_here, links, unsubscribe_links
from tests.sandbox.web import Asked, Web


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    running = Browser()
    yield running
    await running.close()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:8000/o/x.gif", True),
        ("http://127.8.9.10/", True),
        ("https://[::1]/x", True),
        ("http://localhost:1/", True),
        ("http://track.localhost/", True),
        ("http://example.com/", False),
        ("http://localhost.example.com/", False),
        ("http://10.0.0.1/", False),
        ("mailto:me@localhost", False),
        ("/relative", False),
        ("", False),
    ],
)
def test_only_this_machine_is_visited(url: str, expected: bool) -> None:
    assert is_here(url) is expected


def test_links_are_those_a_person_sees_and_might_like() -> None:
    html = """<a href="http://a/1">One</a><a href="http://a/1">again</a><a href="http://a/2"><img src="http://a/i"></a>
        <a href="http://a/3"></a><div style="DISPLAY : none"><p><a href="http://a/4">trap</a></p></div>
        <a href="http://a/5">Unsubscribe here</a><a href="http://a/6">Vom Newsletter abmelden</a><a>nothing</a>"""
    assert links(html) == ["http://a/1", "http://a/2"]
    assert unsubscribe_links(html) == ["http://a/5", "http://a/6"]
    assert images(html) == ["http://a/i"]


async def test_a_redirect_to_another_machine_is_read_and_not_followed(browser: Browser, web: Web) -> None:
    visit = await browser.get(f"{web.url}/c/1", agent=USER_AGENTS[0])
    assert (visit.status, visit.target) == (302, "https://elsewhere.example/landing")
    assert visit.has_worked
    assert web.asked == [Asked("GET", "/c/1", USER_AGENTS[0], {})]


async def test_a_redirect_on_this_machine_is_followed(browser: Browser, web: Web) -> None:
    await browser.get(f"{web.url}/there", agent=USER_AGENTS[0])
    assert web.paths() == ["/there", "/arrived"]


async def test_one_click_is_a_post_with_the_body_of_rfc_8058(browser: Browser, web: Web) -> None:
    assert (await browser.post_one_click(f"{web.url}/u/1")).has_worked
    assert [(each.method, each.form) for each in web.asked] == [("POST", {"List-Unsubscribe": "One-Click"})]


async def test_the_button_of_a_page_sends_its_form(browser: Browser, web: Web) -> None:
    visit = await browser.press_button(f"{web.url}/u/7", agent=USER_AGENTS[1])
    assert visit.has_worked
    assert [(each.method, each.path) for each in web.asked] == [("GET", "/u/7"), ("POST", "/confirm/7")]
    assert web.asked[1].form == {"token": "abc", "yes": "1"}


async def test_pages_without_a_button_errors_and_silence_are_no_success(browser: Browser, web: Web) -> None:
    assert not (await browser.press_button(f"{web.url}/plain", agent="x")).has_worked
    assert not (await browser.press_button(f"{web.url}/broken", agent="x")).has_worked
    assert not (await browser.get(f"{web.url}/broken", agent="x")).has_worked
    assert (await browser.get("http://127.0.0.1:1/", agent="x")).status is None
    assert (await browser.get("http://example.com/", agent="x")).status is None
