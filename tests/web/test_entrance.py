"""Getting in and out."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from outrider.kit.clock import SYSTEM_CLOCK
from outrider.kit.db import Db, execute, fetch_value
from outrider.kit.edge import Edge
from outrider.users import actions
from tests.support.client import Rollback
from tests.web.conftest import PASSWORD, Browser, Member, token_of

pytestmark = pytest.mark.usefixtures("member")


async def test_a_browser_is_led_from_the_root_to_the_form(visitor: Browser) -> None:
    root = await visitor.get("/", headers={"accept": "text/html"})
    assert root.headers["location"] == "/app/"
    answer = await visitor.get("/app/")
    assert (answer.status_code, answer.headers["location"]) == (303, "/app/log-in")


async def test_the_right_password_opens_a_session(visitor: Browser, member: Member) -> None:
    answer = await visitor.log_in(f" {member.email.upper()} ")
    assert (answer.status_code, answer.headers["location"]) == (303, "/app/")
    cookie = answer.headers["set-cookie"].lower()
    assert all(
        flag in cookie for flag in ("outrider_session=", "httponly", "samesite=lax", "path=/", "max-age=2592000")
    )
    assert "secure" not in cookie
    assert "Hexly AB" in await visitor.page("/app/")


async def test_one_goes_on_to_where_one_wanted_to_go(visitor: Browser, member: Member) -> None:
    answer = await visitor.get("/app/master-inbox?leadMap=12")
    assert answer.headers["location"] == "/app/log-in?next=%2Fapp%2Fmaster-inbox%3FleadMap%3D12"
    assert 'value="/app/master-inbox?leadMap=12"' in await visitor.page(answer.headers["location"])
    done = await visitor.log_in(member.email, next="/app/master-inbox?leadMap=12")
    assert done.headers["location"] == "/app/master-inbox?leadMap=12"


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example/app/",
        "//evil.example/app/",
        "/app//evil.example",
        "/app/\\evil.example",
        "/api/v1/x",
        "",
        "/app/\n",
    ],
)
async def test_no_address_leads_out_of_the_app(visitor: Browser, member: Member, address: str) -> None:
    answer = await visitor.log_in(member.email, next=address)
    assert answer.headers["location"] == "/app/"


@pytest.mark.parametrize("email", ["nora@hexly.example", "nobody@hexly.example", "", '"><script>'])
async def test_a_wrong_password_says_the_same_whoever_asks(visitor: Browser, email: str) -> None:
    answer = await visitor.log_in(email, "wrong-password")
    assert answer.status_code == 400
    assert "The email or the password is wrong." in answer.text
    assert "wrong-password" not in answer.text
    assert "<script" not in answer.text
    assert "outrider_session" not in answer.headers.get("set-cookie", "")


async def test_after_too_many_wrong_ones_the_right_one_waits_too(
    make_app: Callable[..., Edge], db: Db, member: Member
) -> None:
    async with Browser(make_app(Rollback(db), failed_auth_per_minute=2)) as visitor:
        for _ in range(2):
            assert (await visitor.log_in(member.email, "wrong-password")).status_code == 400
        answer = await visitor.log_in(member.email)
        assert answer.status_code == 429
        assert 0 < int(answer.headers["retry-after"]) <= 60
        assert f"Try again in {answer.headers['retry-after']} seconds" in answer.text
        assert "set-cookie" not in answer.headers
        await execute(db, "UPDATE failed_authentications SET window_started_at = window_started_at - interval '1 min'")
        assert (await visitor.log_in(member.email)).status_code == 303


async def test_logging_out_ends_the_session_everywhere(browser: Browser, db: Db) -> None:
    session = browser.cookies["outrider_session"]
    answer = await browser.submit("/app/log-out", on="/app/")
    assert (answer.status_code, answer.headers["location"]) == (303, "/app/log-in")
    assert "outrider_session" not in browser.cookies
    assert await fetch_value(db, "SELECT count(*) FROM sessions") == 0
    again = await browser.get("/app/", headers={"cookie": f"outrider_session={session}"})
    assert again.status_code == 303


async def test_a_log_out_from_elsewhere_does_nothing(browser: Browser) -> None:
    answer = await browser.post("/app/log-out", data={})
    assert answer.status_code == 403
    assert "Nothing was changed" in answer.text
    await browser.page("/app/")
    assert (await browser.get("/app/log-out")).status_code == 404


async def test_who_is_in_needs_no_form(browser: Browser) -> None:
    assert (await browser.get("/app/log-in")).headers["location"] == "/app/"


async def test_over_https_cookies_are_for_https_and_this_host_only(
    make_app: Callable[..., Edge], db: Db, member: Member
) -> None:
    async with Browser(make_app(Rollback(db), public_url="https://mail.hexly.example")) as visitor:
        visitor.base_url = "https://o.test"  # type: ignore[assignment] # httpx's setter takes text
        answer = await visitor.log_in(member.email)
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith("__Host-outrider_session=")
        assert "; Secure" in cookie
        assert "domain" not in cookie.lower()


async def test_a_link_sets_a_password_once(visitor: Browser, db: Db, member: Member) -> None:
    assert member.email in await visitor.page(member.link)
    await visitor.page(member.link)  # a mail program that looks at links uses nothing up
    done = await visitor.submit(member.link, password="a longer secret", repeated="a longer secret")
    assert (done.status_code, done.headers["location"]) == (303, "/app/")
    assert "Hexly AB" in await visitor.page("/app/")

    again = await visitor.get(member.link)
    assert again.status_code == 410
    assert "outrider user link" in again.text
    page = await visitor.page("/app/")
    sent = {"form_token": token_of(page), "password": "another secret", "repeated": "another secret"}
    assert (await visitor.post(member.link, data=sent)).status_code == 410

    visitor.cookies.clear()
    assert (await visitor.log_in(member.email, PASSWORD)).status_code == 400
    assert (await visitor.log_in(member.email, "a longer secret")).status_code == 303


async def test_a_new_password_ends_other_log_ins(browser: Browser, visitor: Browser, member: Member) -> None:
    await visitor.submit(member.link, password="a longer secret", repeated="a longer secret")
    assert (await browser.get("/app/")).status_code == 303


@pytest.mark.parametrize(
    ("password", "repeated", "text"),
    [("short", "short", "8 to 128"), ("x" * 129, "x" * 129, "8 to 128"), ("long enough", "long enuogh", "differ")],
)
async def test_a_bad_password_uses_nothing_up(
    visitor: Browser, member: Member, password: str, repeated: str, text: str
) -> None:
    answer = await visitor.submit(member.link, password=password, repeated=repeated)
    assert answer.status_code == 400
    assert text in answer.text
    await visitor.page(member.link)


async def test_a_link_that_is_too_old_or_made_up_says_what_to_do(visitor: Browser, db: Db, member: Member) -> None:
    old = await actions.create_link(db, member.person_id, now=SYSTEM_CLOCK.wall() - timedelta(days=7, minutes=1))
    for token in (old, "made-up", "é"):
        answer = await visitor.get(f"/app/set-password/{token}")
        assert answer.status_code == 410
        assert "outrider user link" in answer.text


async def test_a_password_is_not_set_from_another_site(visitor: Browser, member: Member) -> None:
    answer = await visitor.post(member.link, data={"password": "a longer secret", "repeated": "a longer secret"})
    assert answer.status_code == 403
    await visitor.page(member.link)


async def test_a_token_of_another_browser_is_worth_nothing(visitor: Browser, browser: Browser, member: Member) -> None:
    token = token_of(await browser.page("/app/"))
    await visitor.page("/app/log-in")
    answer = await visitor.post("/app/log-in", data={"form_token": token, "email": member.email, "password": PASSWORD})
    assert answer.status_code == 403


async def test_without_an_account_the_form_says_how_to_make_one(visitor: Browser, db: Db) -> None:
    await execute(db, "DELETE FROM accounts")
    assert "outrider account create" in await visitor.page("/app/log-in")
