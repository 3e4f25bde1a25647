"""Log-in tests on saving and by hand, against the sandbox's servers."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from outrider.kit.db import Database, Db, execute, fetch_dict, fetch_value
from outrider.kit.edge import Edge
from outrider.mailboxes import servers
from outrider.mailboxes.models import MailboxDisconnected, Verdict
from outrider.sandbox import Sandbox
from tests.support import make
from tests.support.client import ApiClient, Rollback
from tests.support.events import hearing

ADDRESS = "nora@brightfold.example"


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox() as running:
        running.add_mailbox(ADDRESS, "secret")
        yield running


@pytest.fixture
async def verifying_api(
    make_app: Callable[..., Edge], connect: Callable[..., Any], db: Db, api: ApiClient
) -> ApiClient:
    """As `api`, of an installation that verifies on saving."""
    client: ApiClient = await connect(make_app(Rollback(db), verify_on_save=True), db, user_id=api.user_id)
    return client


def account(sandbox: Sandbox, **changed: Any) -> dict[str, Any]:
    return {
        "from_name": "Nora",
        "from_email": ADDRESS,
        "password": "secret",
        "smtp_host": sandbox.host,
        "smtp_port": sandbox.smtp_port,
        "smtp_port_type": "NONE",
        "imap_host": sandbox.host,
        "imap_port": sandbox.imap_port,
        "imap_port_type": "NONE",
        **changed,
    }


async def test_a_working_account_is_saved(verifying_api: ApiClient, sandbox: Sandbox) -> None:
    answer = await verifying_api.post("/email-accounts/save", json=account(sandbox))
    assert answer.status_code == 200, answer.text
    assert answer.json()["data"]["is_imap_success"] is True


async def test_a_wrong_password_is_not_stored(verifying_api: ApiClient, sandbox: Sandbox) -> None:
    answer = await verifying_api.post("/email-accounts/save", json=account(sandbox, password="wrong"))
    body = answer.json()
    assert answer.status_code == 400
    assert body["message"] == "Email account verification failed. Please verify account details."
    assert (body["ok"], body["errorCode"], body["emailAccountId"]) == (False, "ACCOUNT_VERIFICATION_FAILED", None)
    assert body["error"].startswith("SMTP: ")
    assert "IMAP: " in body["error"]
    assert "wrong" not in answer.text.replace("wrongly", "")
    assert (await verifying_api.get("/email-accounts")).json() == []


async def test_an_unreachable_server_is_explained(verifying_api: ApiClient, sandbox: Sandbox) -> None:
    async with Sandbox() as other:
        dead_port = other.smtp_port
    answer = await verifying_api.post("/email-accounts/save", json=account(sandbox, smtp_port=dead_port))
    assert answer.status_code == 400
    assert "refused the connection" in answer.json()["error"]
    assert "IMAP" not in answer.json()["error"]


async def test_only_new_credentials_are_tried(verifying_api: ApiClient, sandbox: Sandbox, db: Db) -> None:
    saved = await verifying_api.post("/email-accounts/save", json=account(sandbox))
    mailbox_id = saved.json()["emailAccountId"]
    path = f"/email-accounts/{mailbox_id}"
    sandbox.add_mailbox(ADDRESS, "changed")
    assert (await verifying_api.post(path, json={"signature": "<p>Hi</p>", "password": "secret"})).status_code == 200

    answer = await verifying_api.post(path, json={"signature": "<p>New</p>", "password": "wrong"})
    assert answer.status_code == 400
    assert answer.json()["emailAccountId"] == mailbox_id
    assert await fetch_value(db, "SELECT signature FROM mailboxes") == "<p>Hi</p>"

    await execute(db, "UPDATE mailboxes SET is_smtp_success = false, smtp_failure_error = '535'")
    await execute(db, "UPDATE mailbox_states SET backoff_until = now(), smtp_failure_count = 3, backoff_step = 2")
    assert (await verifying_api.post(path, json={"password": "changed"})).status_code == 200
    row = await fetch_dict(
        db,
        """
        SELECT is_smtp_success, smtp_failure_error, backoff_until, smtp_failure_count, backoff_step
        FROM mailboxes
        JOIN mailbox_states ON mailbox_id = id
        """,
    )
    assert row is not None
    assert list(row.values()) == [True, None, None, 0, 0]


async def test_testing_a_stored_account_updates_its_flags(api: ApiClient, sandbox: Sandbox) -> None:
    saved = await api.post("/email-accounts/save", json=account(sandbox))
    mailbox_id = saved.json()["emailAccountId"]
    answer = await api.post(f"/email-accounts/{mailbox_id}/test-connection")
    assert (answer.status_code, answer.json()) == (
        200,
        {
            "ok": True,
            "success": True,
            "message": "Connection verified",
            "smtp_status": "CONNECTED",
            "imap_status": "CONNECTED",
            "data": {
                "id": mailbox_id,
                "is_smtp_success": True,
                "is_imap_success": True,
                "smtp_failure_error": None,
                "imap_failure_error": None,
            },
        },
    )


async def test_a_failing_account_is_told_about_once(api: ApiClient, sandbox: Sandbox) -> None:
    body = account(sandbox, imap_password="wrong", warmup_enabled=True)
    mailbox_id = (await api.post("/email-accounts/save", json=body)).json()["emailAccountId"]
    with hearing(MailboxDisconnected) as heard:
        for _ in range(2):
            answer = (await api.post(f"/email-accounts/{mailbox_id}/test")).json()
            assert (answer["ok"], answer["success"]) == (False, False)
            assert (answer["smtp_status"], answer["imap_status"]) == ("CONNECTED", "FAILED")
    assert [event.mailbox_id for event in heard.events] == [mailbox_id]
    shown = (await api.get(f"/email-accounts/{mailbox_id}")).json()
    assert (shown["is_smtp_success"], shown["is_imap_success"]) == (True, False)
    assert shown["imap_failure_error"] == answer["data"]["imap_failure_error"]
    assert shown["warmup_details"]["is_warmup_blocked"] is True
    assert shown["warmup_details"]["blocked_reason"].startswith("IMAP: ")

    sandbox.add_mailbox(ADDRESS, "secret")
    await api.post(f"/email-accounts/{mailbox_id}", json={"imap_password": "secret"})
    shown = (await api.get(f"/email-accounts/{mailbox_id}")).json()
    assert (shown["is_imap_success"], shown["warmup_details"]["is_warmup_blocked"]) == (True, False)


async def test_credentials_can_be_tried_without_storing(api: ApiClient, sandbox: Sandbox) -> None:
    answer = await api.post("/email-accounts/test-connection", json=account(sandbox))
    assert (answer.json()["ok"], answer.json()["data"]["id"]) == (True, None)
    answer = await api.post("/email-accounts/test-connection", json=account(sandbox, password="wrong"))
    assert (answer.status_code, answer.json()["ok"]) == (200, False)
    assert answer.json()["smtp_status"] == "FAILED"
    assert (await api.get("/email-accounts")).json() == []


@pytest.mark.parametrize("field", ["password", "smtp_host", "smtp_port", "imap_host", "imap_port"])
async def test_trying_needs_credentials(api: ApiClient, sandbox: Sandbox, field: str) -> None:
    answer = await api.post("/email-accounts/test-connection", json=account(sandbox, **{field: None}))
    assert (answer.status_code, answer.json()["message"]) == (400, f'"{field}" is required')


async def test_log_ins_that_are_waited_for_hold_no_connection(
    make_app: Callable[..., Edge], connect: Callable[..., Any], database: Database
) -> None:
    """Ten saves beside a server that never says a word, on a pool of two."""
    is_called = asyncio.Event()

    async def never_answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        is_called.set()
        writers.append(writer)

    writers: list[asyncio.StreamWriter] = []
    silent = await asyncio.start_server(never_answer, "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    pool = await Database.open(database.url, max_size=2)
    async with pool.connection() as db:
        client = await connect(make_app(pool, verify_on_save=True), db)
        mailbox_id = await make.mailbox(db, client.user_id, smtp_host="127.0.0.1", smtp_port=port, imap_host=None)
    bodies = [
        {
            "from_name": "Nora",
            "from_email": f"slow{number}@brightfold.example",
            "password": "secret",
            **{f"{protocol}_host": "127.0.0.1" for protocol in ("smtp", "imap")},
            **{f"{protocol}_port": port for protocol in ("smtp", "imap")},
        }
        for number in range(10)
    ]
    waiting = [asyncio.create_task(client.post("/email-accounts/save", json=body)) for body in bodies]
    waiting.append(asyncio.create_task(client.post(f"/email-accounts/{mailbox_id}/test-connection")))
    waiting.append(asyncio.create_task(client.post(f"/email-accounts/{mailbox_id}", json={"password": "other"})))
    waiting.append(asyncio.create_task(client.post("/email-accounts/test-connection", json=bodies[0])))
    await is_called.wait()
    listed = await client.get("/email-accounts")
    assert [each["id"] for each in listed.json()] == [mailbox_id]
    assert not any(task.done() for task in waiting)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    for writer in writers:
        writer.close()
    silent.close()
    await pool.close()


async def test_what_others_change_during_a_test_stays(
    verifying_api: ApiClient, sandbox: Sandbox, db: Db, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = await verifying_api.post("/email-accounts/save", json=account(sandbox))
    mailbox_id = saved.json()["emailAccountId"]

    async def verify_slowly(_credentials: object) -> Verdict:
        await execute(db, "UPDATE mailboxes SET imap_host = 'imap.elsewhere.example'")
        return Verdict(smtp_error=None, imap_error=None)

    monkeypatch.setattr(servers, "verify", verify_slowly)
    await verifying_api.post(f"/email-accounts/{mailbox_id}", json={"smtp_host": "smtp.elsewhere.example"})
    row = await fetch_dict(db, "SELECT smtp_host, imap_host FROM mailboxes")
    assert row == {"smtp_host": "smtp.elsewhere.example", "imap_host": "imap.elsewhere.example"}


async def test_a_password_that_cannot_be_opened_any_more_can_be_replaced(
    verifying_api: ApiClient, sandbox: Sandbox, db: Db
) -> None:
    saved = await verifying_api.post("/email-accounts/save", json=account(sandbox))
    path = f"/email-accounts/{saved.json()['emailAccountId']}"
    await execute(db, "UPDATE mailboxes SET password = 'sealed with another key'")
    assert (await verifying_api.post(f"{path}/test-connection")).json()["ok"] is False
    assert (await verifying_api.post(path, json={"password": "secret"})).status_code == 200
    assert (await verifying_api.post(f"{path}/test-connection")).json()["ok"] is True
