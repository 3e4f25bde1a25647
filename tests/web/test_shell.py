"""What every page has."""

from typing import Never

import pytest
from psycopg import OperationalError
from starlette.requests import Request

from outrider.web import shell
from tests.web.conftest import Browser, Member


@pytest.mark.parametrize("path", ["/app/", "/app/master-inbox", "/app/nowhere", "/app/mail/1"])
async def test_every_page_is_guarded(browser: Browser, path: str) -> None:
    headers = (await browser.get(path)).headers
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["x-frame-options"] == "DENY"
    policy = headers["content-security-policy"].split("; ")
    assert {"default-src 'none'", "style-src 'self'", "form-action 'self'", "base-uri 'none'"} <= set(policy)
    assert "frame-ancestors 'none'" in policy
    assert not any(word in headers["content-security-policy"] for word in ("unsafe", "script-src", "http", "*"))
    assert "access-control-allow-origin" not in headers


async def test_forms_and_redirects_are_not_kept_either(visitor: Browser, member: Member) -> None:
    for answer in (await visitor.get("/app/"), await visitor.get("/app/log-in"), await visitor.log_in(member.email)):
        assert answer.headers["cache-control"] == "no-store"


async def test_pages_are_not_limited_by_the_rate_of_keys(browser: Browser) -> None:
    assert not [name for name in (await browser.get("/app/")).headers if name.startswith("x-ratelimit")]


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (OperationalError("server closed the connection"), 503, "database does not answer"),
        (RuntimeError("a bug, with a secret inside"), 500, "The server made a mistake"),
    ],
)
async def test_a_failure_is_a_page_without_details(
    visitor: Browser, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, text: str
) -> None:
    async def fail(*_: object, **__: object) -> Never:
        raise error

    monkeypatch.setattr(shell.access, "find_person", fail)
    answer = await visitor.get("/app/", headers={"cookie": "outrider_session=x", "x-request-id": "trace-7"})
    assert answer.status_code == status
    assert text in answer.text
    assert "secret" not in answer.text
    assert "closed the connection" not in answer.text
    assert ("trace-7" in answer.text) is (status == 500)


@pytest.mark.parametrize("address", ["/app/", "/app/master-inbox?leadMap=3"])
def test_addresses_of_ours_are_known(address: str) -> None:
    assert shell.is_inside(address)


def test_the_address_to_come_back_to_is_that_of_the_page() -> None:
    scope = {"type": "http", "path": "/app/mail/1", "query_string": b"", "headers": [], "server": ("o.test", 80)}
    assert shell._log_in_address(Request(scope)) == "/app/log-in?next=%2Fapp%2Fmail%2F1"
