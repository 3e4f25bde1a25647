"""A mailbox's own host for links: DNS and probe, what is kept of it, and who uses it."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from outrider.config import Settings
from outrider.engine.senders import Senders
from outrider.kit.crypto import Vault
from outrider.kit.db import Db, execute, fetch_dicts
from outrider.mail import dns
from outrider.mail.dns import Resolver
from outrider.mailboxes import tracking_domains
from outrider.mailboxes.tracking_domains import Checker, host_of
from tests.support import make
from tests.support.client import ApiClient, Rollback
from tests.support.dns_server import DnsServer, dns_server

OURS = "https://track.outrider.example"
HOST = "go.acme.example"


@pytest.fixture
async def server() -> AsyncIterator[DnsServer]:
    async with dns_server() as server:
        server.aliases[HOST] = "track.outrider.example."
        yield server


@pytest.fixture
async def checker(settings: Settings, server: DnsServer, app: Any) -> AsyncIterator[Checker]:
    """The network leads to our own application, whatever the host."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as http:
        yield Checker(replace(settings, tracking_url=OURS), make.VAULT, Resolver([server.address]), http)


@pytest.mark.parametrize(
    ("typed", "host"),
    [
        ("go.acme.example", "go.acme.example"),
        (" https://Go.Acme.example/ ", "go.acme.example"),
        ("http://go.acme.example:8443/x?y", "go.acme.example"),
        ("go.acme.example.", "go.acme.example"),
        ("klick.bücher.example", "klick.xn--bcher-kva.example"),
        ("", None),
        (None, None),
        ("https://", None),
        ("[half", None),
    ],
)
def test_a_host_is_read_as_people_type_it(typed: str | None, host: str | None) -> None:
    assert host_of(typed) == host


async def test_a_host_that_leads_here_is_good(checker: Checker) -> None:
    assert await checker.find_problem(HOST) is None
    assert await checker.find_problem(f"https://{HOST}/") is None


async def test_our_own_host_needs_no_alias(checker: Checker) -> None:
    assert await checker.find_problem("track.outrider.example") is None


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("localhost", "is no host name"),
        ("not a host", "is no host name"),
        ("nowhere.acme.example", "has no CNAME record. Set a CNAME record for nowhere.acme.example to track.outrider"),
        ("mail.acme.example", "has no CNAME record"),
        ("other.acme.example", "leads to track.elsewhere.example. Set a CNAME record for other.acme.example to track."),
        ("broken.acme.example", "The DNS could not be asked"),
    ],
)
async def test_a_name_that_does_not_lead_here_says_what_to_set(
    checker: Checker, server: DnsServer, monkeypatch: pytest.MonkeyPatch, typed: str, words: str
) -> None:
    monkeypatch.setattr(dns, "_SECONDS", 0.5)
    server.aliases["other.acme.example"] = "track.elsewhere.example."
    server.mail["mail.acme.example"] = []
    server.broken.add("broken.acme.example")
    assert words in (await checker.find_problem(typed) or "")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (httpx.Response(404, text="not here"), "does not lead to this installation"),
        (httpx.Response(200, text=tracking_domains.proof(Vault("the key of another one"), HOST)), "this installation"),
        (httpx.Response(200, text=tracking_domains.proof(make.VAULT, "go.other.example")), "this installation"),
        (httpx.ConnectError("certificate verify failed"), "cannot be reached over HTTPS: certificate verify failed"),
    ],
)
async def test_a_host_behind_which_somebody_else_sits_is_not_used(
    settings: Settings, server: DnsServer, answer: httpx.Response | httpx.ConnectError, words: str
) -> None:
    def respond(request: httpx.Request) -> httpx.Response:
        assert (request.url.scheme, request.url.host) == ("https", HOST)
        if isinstance(answer, httpx.ConnectError):
            raise answer
        return answer

    async with httpx.AsyncClient(transport=httpx.MockTransport(respond)) as http:
        checker = Checker(replace(settings, tracking_url=OURS), make.VAULT, Resolver([server.address]), http)
        assert words in (await checker.find_problem(HOST) or "")


async def shown(api: ApiClient, mailbox_id: int) -> Any:
    return (await api.get(f"/email-accounts/{mailbox_id}")).json()["custom_tracking_domain_status"]


async def sender_url(db: Db, mailbox_id: int, now: datetime) -> str:
    senders = Senders(make.VAULT, tracking_url=OURS)
    await senders.refresh(db, {mailbox_id: now})
    return senders[mailbox_id].tracking_url


async def test_the_state_is_kept_with_its_time_and_error_and_the_shared_host_serves_until_then(
    api: ApiClient, db: Db, checker: Checker, server: DnsServer, now: datetime
) -> None:
    mailbox_id = await make.mailbox(db, api.user_id)
    assert await shown(api, mailbox_id) is None
    saved = await api.post(f"/email-accounts/{mailbox_id}", json={"custom_tracking_url": f"https://{HOST}/"})
    assert saved.status_code == 200
    jobs = await fetch_dicts(db, "SELECT args FROM procrastinate_jobs WHERE task_name LIKE '%%check_tracking_domain'")
    assert [job["args"] for job in jobs] == [{"mailbox_id": mailbox_id}]
    assert await shown(api, mailbox_id) == {"is_verified": False, "checked_at": None, "error": None}
    assert await sender_url(db, mailbox_id, now) == OURS

    await tracking_domains.check(Rollback(db), checker, mailbox_id, now)
    assert await shown(api, mailbox_id) == {
        "is_verified": True,
        "checked_at": "2026-03-02T09:00:00.000Z",
        "error": None,
    }
    assert await sender_url(db, mailbox_id, now) == f"https://{HOST}"

    server.aliases[HOST] = "gone.example."
    await tracking_domains.check(Rollback(db), checker, mailbox_id, now + timedelta(days=1))
    state = await shown(api, mailbox_id)
    assert (state["is_verified"], state["checked_at"]) == (False, "2026-03-03T09:00:00.000Z")
    assert "leads to gone.example" in state["error"]
    assert await sender_url(db, mailbox_id, now) == OURS

    await api.post(f"/email-accounts/{mailbox_id}", json={"custom_tracking_url": "go.other.example"})
    assert await shown(api, mailbox_id) == {"is_verified": False, "checked_at": None, "error": None}


async def test_what_was_changed_during_the_check_is_not_judged_by_it(
    api: ApiClient, db: Db, checker: Checker, now: datetime
) -> None:
    mailbox_id = await make.mailbox(db, api.user_id, custom_tracking_domain=HOST)

    class Slow(Checker):
        async def find_problem(self, typed: str) -> str | None:
            await execute(db, "UPDATE mailboxes SET custom_tracking_domain = 'go.other.example'")
            return await checker.find_problem(typed)

    slow = Slow.__new__(Slow)
    await tracking_domains.check(Rollback(db), slow, mailbox_id, now)
    assert await shown(api, mailbox_id) == {"is_verified": False, "checked_at": None, "error": None}


@pytest.mark.parametrize(
    ("is_valid", "hours", "is_due"),
    [(False, None, True), (False, 0.9, False), (False, 1, True), (True, 23, False), (True, 24, True)],
)
async def test_valid_ones_are_looked_at_daily_others_hourly(
    *, api: ApiClient, db: Db, now: datetime, is_valid: bool, hours: float | None, is_due: bool
) -> None:
    mailbox_id = await make.mailbox(db, api.user_id, custom_tracking_domain=HOST)
    checked_at = None if hours is None else now - timedelta(hours=hours)
    await execute(
        db,
        "UPDATE mailboxes SET is_tracking_domain_valid = %(is_valid)s, tracking_domain_checked_at = %(at)s",
        {"is_valid": is_valid, "at": checked_at},
    )
    assert await tracking_domains.list_due(db, now) == ([mailbox_id] if is_due else [])


async def test_it_is_checked_on_request(
    make_app: Any, connect: Any, db: Db, server: DnsServer, other_api: ApiClient
) -> None:
    app = make_app(Rollback(db), dns_resolvers=(server.address,), tracking_url=OURS)
    api: ApiClient = await connect(app, db)
    mailbox_id = await make.mailbox(db, api.user_id, custom_tracking_domain="other.acme.example")
    server.aliases["other.acme.example"] = "elsewhere.example."
    path = f"/email-accounts/{mailbox_id}/check-tracking-domain"
    answer = (await api.post(path)).json()
    assert answer["data"]["custom_tracking_domain"] == "other.acme.example"
    assert "leads to elsewhere.example" in answer["data"]["custom_tracking_domain_status"]["error"]
    assert (await other_api.post(path)).status_code == 404
