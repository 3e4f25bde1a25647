"""Mailboxes with a token: saved, refreshed, revoked; against a local provider that speaks OAuth and XOAUTH2 only."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest

from outrider.config import SettingError, Settings, load_settings
from outrider.kit.clock import Clock
from outrider.kit.db import Database, execute, fetch_dict, fetch_value
from outrider.kit.edge import Edge
from outrider.kit.jobs import JobContext
from outrider.mailboxes import jobs, servers, store
from outrider.mailboxes.models import MailboxDisconnected
from outrider.mailboxes.oauth import Refresher
from tests.support.client import ApiClient
from tests.support.events import hearing
from tests.support.make import NOW, VAULT
from tests.support.token_provider import TokenProvider, token_provider

PATH = "/email-accounts/save-oauth"
LATER = int((NOW + timedelta(hours=1)).timestamp() * 1000)
TOKEN = {
    "scope": "https://mail.google.com/",
    "token_type": "Bearer",
    "access_token": "access-0",
    "refresh_token": "refresh-1",
    "expiry_date": LATER,
}
ACCOUNT = {
    "from_name": "Li",
    "from_email": "li@brightfold.example",
    "username": "li@brightfold.example",
    "type": "GMAIL",
    "token": TOKEN,
    "warmup_enabled": False,
    "use_whitelabel_credentials": False,
}


@pytest.fixture
async def provider() -> AsyncIterator[TokenProvider]:
    async with token_provider() as running:
        running.valid = {"access-0"}
        yield running


@pytest.fixture
def settings(settings: Settings, provider: TokenProvider) -> Settings:
    assert provider.endpoints is not None
    apps = {
        f"{name}_{part}": f"{name}-{part}"
        for name in ("google", "microsoft")
        for part in ("client_id", "client_secret")
    }
    return replace(
        settings,
        verify_on_save=True,
        google_endpoints=provider.endpoints,
        microsoft_endpoints=provider.endpoints,
        **apps,
    )


@pytest.fixture
async def api(
    database: Database, make_app: Callable[..., Edge], connect: Callable[..., Awaitable[ApiClient]]
) -> ApiClient:
    """On a real pool: a token is refreshed outside of the request's transaction."""
    async with database.transaction() as db:
        return await connect(make_app(database), db)


@pytest.fixture
async def context(database: Database, settings: Settings, clock: Clock) -> AsyncIterator[JobContext]:
    async with httpx.AsyncClient() as http:
        yield JobContext(database, settings, clock, VAULT, http)


async def save(api: ApiClient, path: str = PATH, **changed: Any) -> int:
    answer = await api.post(path, json={**ACCOUNT, **changed})
    assert answer.status_code == 200, answer.text
    return int(answer.json()["emailAccountId"])


async def read(api: ApiClient, mailbox_id: int) -> dict[str, Any]:
    return dict((await api.get(f"/email-accounts/{mailbox_id}")).json())


async def expire(database: Database) -> None:
    async with database.transaction() as db:
        await execute(db, "UPDATE mailboxes SET token_expires_at = %(at)s", {"at": NOW + timedelta(minutes=5)})


# saving --------------------------------------------------------------------------------------------------------------


async def test_a_mailbox_with_a_token_is_tried_and_saved(api: ApiClient, provider: TokenProvider) -> None:
    answer = (await api.post(PATH, json={**ACCOUNT, "warmup_enabled": True})).json()
    mailbox_id = answer["emailAccountId"]
    data = {"id": mailbox_id, "from_email": "li@brightfold.example", "type": "GMAIL"}
    assert answer == {
        "ok": True,
        "message": "OAuth account added successfully",
        "emailAccountId": mailbox_id,
        "warmupKey": answer["warmupKey"],
        "data": {**data, "is_smtp_success": True, "is_imap_success": True},
    }
    assert sorted(provider.log_ins) == [("IMAP", "li@brightfold.example"), ("SMTP", "li@brightfold.example")]
    account = await read(api, mailbox_id)
    hidden = ("password", "smtp_host", "smtp_port", "smtp_port_type", "imap_host", "imap_port", "imap_port_type")
    assert {account[key] for key in hidden} == {None}
    assert (account["expires_at"], account["type"]) == ("2026-03-02T10:00:00.000Z", "GMAIL")
    assert account["warmup_details"]["status"] == "ACTIVE"
    assert "access-0" not in str(account)


@pytest.mark.parametrize(
    ("path", "changed"),
    [
        (PATH, {"type": "outlook"}),
        (PATH, {"token": {"access_token": "access-0", "expires_in": "3600"}}),
        (PATH, {"token": {"access_token": "access-0", "expiry": "2026-03-02T10:00:00Z"}}),
        (PATH, {"username": None, "user_name": None}),
        (PATH, {"token": None, "type": None, "provider": "gmail", "oauth_token": "access-0", "refresh_token": "r"}),
        ("/email-accounts/save", {}),
        ("/email-accounts", {}),
    ],
)
async def test_spellings_and_aliases(api: ApiClient, path: str, changed: dict[str, Any]) -> None:
    account = await read(api, await save(api, path, **changed))
    assert account["expires_at"] == "2026-03-02T10:00:00.000Z"
    assert account["username"] == "li@brightfold.example"


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"from_name": None}, '"from_name" is required'),
        ({"from_email": None}, '"from_email" is required'),
        ({"type": None}, '"type" is required'),
        ({"type": "ZOHO"}, '"type" must be one of [GMAIL, OUTLOOK]'),
        ({"token": None}, '"token" is required'),
        ({"token": {"refresh_token": "refresh-1"}}, '"token.access_token" is required'),
        ({"token": {"access_token": "access-0"}}, '"token.expiry_date" is required'),
        ({"token": {**TOKEN, "access_token": "forged"}}, "Invalid or expired OAuth token"),
        (
            {"token": {**TOKEN, "expiry_date": LATER - 7_200_000, "refresh_token": "gone"}},
            "Invalid or expired OAuth token",
        ),
        ({"token": {"access_token": "access-0", "expiry_date": LATER - 7_200_000}}, "Invalid or expired OAuth token"),
    ],
)
async def test_what_is_not_saved(api: ApiClient, changed: dict[str, Any], message: str) -> None:
    answer = await api.post(PATH, json={**ACCOUNT, **changed})
    assert (answer.status_code, answer.json()["message"], answer.json()["ok"]) == (400, message, False)
    assert (await api.get("/email-accounts")).json() == []


async def test_a_token_without_time_left_is_refreshed_first(api: ApiClient, provider: TokenProvider) -> None:
    mailbox_id = await save(api, token={**TOKEN, "access_token": "old", "expiry_date": LATER - 7_200_000})
    assert provider.asked == [
        {
            "grant_type": "refresh_token",
            "client_id": "google-client_id",
            "client_secret": "google-client_secret",
            "refresh_token": "refresh-1",
        }
    ]
    assert (await read(api, mailbox_id))["expires_at"] == "2026-03-02T09:59:59.000Z"


async def test_an_address_is_added_once_and_changed_by_its_id(api: ApiClient, provider: TokenProvider) -> None:
    mailbox_id = await save(api)
    again = await api.post(PATH, json=ACCOUNT)
    assert (again.status_code, again.json()["errorCode"]) == (400, "ACCOUNT_ALREADY_EXIST")
    unknown = await api.post(PATH, json={**ACCOUNT, "id": 9999})
    assert (unknown.status_code, unknown.json()["errorCode"]) == (404, "ACCOUNT_NOT_FOUND")
    provider.valid = {"access-9"}
    assert (
        await save(api, id=mailbox_id, token={**TOKEN, "access_token": "access-9"}, from_name="Li Tarn") == mailbox_id
    )
    assert (await read(api, mailbox_id))["from_name"] == "Li Tarn"


async def test_without_an_app_it_is_said_what_is_missing(
    database: Database, make_app: Callable[..., Edge], connect: Callable[..., Awaitable[ApiClient]]
) -> None:
    async with database.transaction() as db:
        api = await connect(make_app(database, google_client_id=""), db)
    answer = await api.post(PATH, json=ACCOUNT)
    assert answer.status_code == 400
    assert answer.json()["message"].startswith("Set OUTRIDER_GOOGLE_CLIENT_ID and OUTRIDER_GOOGLE_CLIENT_SECRET")


async def test_a_password_takes_the_place_of_a_token(
    database: Database, api: ApiClient, make_app: Callable[..., Edge], connect: Callable[..., Awaitable[ApiClient]]
) -> None:
    mailbox_id = await save(api)
    async with database.transaction() as db:
        unverified = await connect(make_app(database, verify_on_save=False), db, user_id=api.user_id)
    changed = {"password": "tide-and-rope", "smtp_host": "smtp.tarn.example", "smtp_port": 465}
    assert (await unverified.post(f"/email-accounts/{mailbox_id}", json=changed)).status_code == 200
    account = await read(api, mailbox_id)
    assert account["smtp_host"] == "smtp.tarn.example"
    async with database.connection() as db:
        assert await fetch_value(db, "SELECT access_token FROM mailboxes") is None


@pytest.mark.parametrize("text", ["https://x.example", "x a:1:SSL b:2:SSL", "https://x.example a:1 b:2:SSL"])
def test_endpoints_have_a_form(text: str) -> None:
    with pytest.raises(SettingError, match="token-address"):
        load_settings({"OUTRIDER_GOOGLE_ENDPOINTS": text})


# refreshing ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rotates", [False, True])
async def test_a_token_that_expires_soon_is_refreshed(
    api: ApiClient, database: Database, context: JobContext, provider: TokenProvider, rotates: bool
) -> None:
    provider.rotates = rotates
    mailbox_id = await save(api)
    await jobs.refresh_tokens(context)
    assert provider.asked == []
    for number in (1, 2):
        await expire(database)
        await jobs.refresh_tokens(context)
        assert len(provider.asked) == number
        async with database.connection() as db:
            mailbox = await store.load_mailbox(db, api.user_id, mailbox_id, client_id=None)
        assert mailbox.token_expires_at == NOW + timedelta(seconds=3599)
        for server in (servers.smtp_server(mailbox, VAULT), servers.imap_server(mailbox, VAULT)):
            assert server is not None
            assert server.access_token == f"access-{number}"
    assert [form["refresh_token"] for form in provider.asked] == ["refresh-1", "refresh-2" if rotates else "refresh-1"]


async def test_of_many_one_refreshes_and_the_others_wait_for_it(
    api: ApiClient, database: Database, context: JobContext, provider: TokenProvider
) -> None:
    mailbox_id = await save(api)
    await expire(database)
    refresher = Refresher(database, context.settings, context.clock, VAULT, context.http)
    await asyncio.gather(*(refresher.refresh(mailbox_id) for _ in range(5)), refresher.refresh_due())
    assert len(provider.asked) == 1
    assert (await read(api, mailbox_id))["expires_at"] == "2026-03-02T09:59:59.000Z"


async def test_a_revoked_token_fails_the_mailbox_once(
    api: ApiClient, database: Database, context: JobContext, provider: TokenProvider
) -> None:
    mailbox_id = await save(api)
    provider.refresh_tokens = set()
    await expire(database)
    with hearing(MailboxDisconnected) as heard:
        for _ in range(2):
            await jobs.refresh_tokens(context)
    assert (len(provider.asked), len(heard.events)) == (1, 1)
    account = await read(api, mailbox_id)
    error = "Token has been expired or revoked. Connect the account again."
    assert (account["is_smtp_success"], account["is_imap_success"]) == (False, False)
    assert (account["smtp_failure_error"], account["imap_failure_error"]) == (error, error)
    provider.valid = {"access-9"}
    await save(api, id=mailbox_id, token={**TOKEN, "access_token": "access-9"})
    account = await read(api, mailbox_id)
    assert (account["is_smtp_success"], account["is_imap_success"], account["smtp_failure_error"]) == (True, True, None)


@pytest.mark.parametrize(
    "error",
    [(500, {}), (503, {"error": "temporarily_unavailable"}), (401, {"error": "invalid_client"}), (200, {"x": "y"})],
)
async def test_a_provider_that_is_away_changes_nothing_and_is_asked_again(
    api: ApiClient,
    database: Database,
    context: JobContext,
    provider: TokenProvider,
    error: tuple[int, dict[str, str]],
) -> None:
    mailbox_id = await save(api)
    await expire(database)
    provider.error = error
    await jobs.refresh_tokens(context)
    assert (await read(api, mailbox_id))["is_smtp_success"] is True
    provider.error = None
    async with database.transaction() as db:
        await execute(db, "UPDATE mailboxes SET token_claimed_until = %(at)s", {"at": NOW - timedelta(seconds=1)})
    await jobs.refresh_tokens(context)
    assert (await read(api, mailbox_id))["expires_at"] == "2026-03-02T09:59:59.000Z"


@pytest.mark.parametrize("path", ["test-connection", "reauth"])
async def test_a_log_in_on_request_refreshes_first(
    api: ApiClient, database: Database, provider: TokenProvider, path: str
) -> None:
    mailbox_id = await save(api)
    await expire(database)
    async with database.transaction() as db:
        await execute(db, "UPDATE mailboxes SET is_imap_success = false")
    provider.valid = set()
    answer = (await api.post(f"/email-accounts/{mailbox_id}/{path}")).json()
    assert answer["ok"] is True, answer
    assert len(provider.asked) == 1


async def test_a_deleted_mailbox_keeps_no_token(api: ApiClient, database: Database) -> None:
    await api.delete(f"/email-accounts/{await save(api)}")
    async with database.connection() as db:
        row = await fetch_dict(db, "SELECT access_token, refresh_token, password FROM mailboxes")
    assert row == dict.fromkeys(("access_token", "refresh_token", "password"))
