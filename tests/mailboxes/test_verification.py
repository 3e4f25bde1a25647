"""Log-in tests on saving and by hand, against the sandbox's servers."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from outrider.kit.db import Db, execute, fetch_dict, fetch_value
from outrider.kit.edge import Edge
from outrider.mailboxes.models import MailboxDisconnected
from outrider.sandbox import Sandbox
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
