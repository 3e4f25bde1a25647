"""Messages read live, and logging in again, against the sandbox's servers."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest

from outrider.config import Settings
from outrider.kit.clock import Clock
from outrider.kit.db import Database, Db, execute, fetch_dict, fetch_value
from outrider.kit.jobs import JobContext
from outrider.mail.imap import Session
from outrider.mail.server import Server, TlsMode
from outrider.mail.tls import TlsContexts
from outrider.mailboxes import jobs
from outrider.mailboxes.models import MailboxDisconnected
from outrider.sandbox import Sandbox
from tests.support import make
from tests.support.client import ApiClient, fresh_account
from tests.support.events import hearing
from tests.support.imap_servers import faulty_imap
from tests.support.shape import assert_shape, example

ADDRESS = "nora@brightfold.example"
MAIL = """\
From: Ida Brandt <ida@client-mail.example>
To: nora@brightfold.example
Subject: Re: pilot next week
Date: Mon, 02 Mar 2026 08:00:00 +0000
Message-ID: <b7f1@client-mail.example>
References: <a1@brightfold.example>
MIME-Version: 1.0
Content-Type: multipart/alternative; boundary=b

--b
Content-Type: text/plain; charset=utf-8

Tuesday works for us
--b
Content-Type: text/html; charset=utf-8

<p>Tuesday works for us</p>
--b--
"""
UNKNOWN = {"errorCode": "ACCOUNT_NOT_FOUND", "success": False, "emailAccountId": 9999}


def mail(subject: str = "Re: pilot next week", number: str = "b7f1") -> bytes:
    text = MAIL.replace("Re: pilot next week", subject).replace("b7f1", number)
    return text.replace("\n", "\r\n").encode()


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox() as running:
        running.add_mailbox(ADDRESS, "secret")
        yield running


def at(sandbox: Sandbox, **given: Any) -> dict[str, Any]:
    """A mailbox of the sandbox for `make.mailbox`."""
    return {
        "from_email": ADDRESS,
        "username": ADDRESS,
        "password": make.VAULT.seal("secret"),
        "smtp_host": sandbox.host,
        "smtp_port": sandbox.smtp_port,
        "smtp_port_type": "NONE",
        "imap_host": sandbox.host,
        "imap_port": sandbox.imap_port,
        "imap_port_type": "NONE",
        **given,
    }


async def fetch(api: ApiClient, mailbox_id: int, **body: Any) -> dict[str, Any]:
    answer = await api.post(f"/email-accounts/{mailbox_id}/fetch-messages", json=body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json()["data"])


# one mailbox ---------------------------------------------------------------------------------------------------------


async def test_messages_are_those_of_the_server(api: ApiClient, db: Db, sandbox: Sandbox) -> None:
    mailbox_id = await make.mailbox(db, api.user_id, **at(sandbox))
    await sandbox.put(ADDRESS, mail(), at=make.NOW - timedelta(hours=1))
    answer = await api.post(f"/email-accounts/{mailbox_id}/fetch-messages", json={"includeBody": "true"})
    body = answer.json()
    shown = example("fetch_messages")
    assert_shape(body, shown)
    assert (body["success"], body["accountId"]) == (True, str(mailbox_id))
    (message,) = body["data"]["messages"]
    (wanted,) = shown["data"]["messages"]
    told = ("subject", "from", "gmailMessageId", "internetMessageId", "snippet", "labelIds", "folders")
    assert {key: message[key] for key in told} == {key: wanted[key] for key in told}
    assert message["to"] == ADDRESS
    assert message["timestamp"] == "2026-03-02T08:00:00.000Z"
    assert message["date"] == "Mon, 02 Mar 2026 08:00:00 +0000"
    assert {key: text.strip() for key, text in message["body"].items()} == wanted["body"]
    assert message["sizeEstimate"] == len(mail())
    assert (body["data"]["totalCount"], body["data"]["processedCount"]) == (1, 1)
    assert body["data"]["folders"] == [{"name": "INBOX", "count": 1}]


async def test_reading_changes_no_flag(api: ApiClient, db: Db, sandbox: Sandbox) -> None:
    mailbox_id = await make.mailbox(db, api.user_id, **at(sandbox))
    await sandbox.put(ADDRESS, mail(), at=make.NOW)
    first = await fetch(api, mailbox_id)
    assert "body" not in first["messages"][0]
    assert await fetch(api, mailbox_id) == first
    session = await Session.open(
        Server(sandbox.host, sandbox.imap_port, TlsMode.NONE, ADDRESS, "secret"), tls=TlsContexts.shared()
    )
    await session.select("INBOX")
    assert [each.flags - {"\\Recent"} for each in await session.fetch_since(0)] == [frozenset()]
    session.close()


async def test_the_newest_come_first_and_the_rest_is_counted(api: ApiClient, db: Db, sandbox: Sandbox) -> None:
    mailbox_id = await make.mailbox(db, api.user_id, **at(sandbox))
    for hours, folder in ((3, "INBOX"), (1, "Junk"), (2, "Sent"), (30, "INBOX")):
        raw = mail(f"{hours} hours ago", str(hours))
        await sandbox.put(ADDRESS, raw, at=make.NOW - timedelta(hours=hours), folder=folder)
    data = await fetch(api, mailbox_id, limit="2")
    assert [message["subject"] for message in data["messages"]] == ["1 hours ago", "2 hours ago"]
    assert (data["totalCount"], data["processedCount"]) == (3, 2)
    assert len({message["messageId"] for message in data["messages"]}) == 2
    assert len({message["threadId"] for message in data["messages"]}) == 1


@pytest.mark.parametrize(
    ("folder", "subjects"),
    [
        (None, ["in", "junk", "sent"]),
        ("inbox", ["in"]),
        ("SPAM", ["junk"]),
        ("junk", ["junk"]),
        ("Sent", ["sent"]),
        ("TRASH", []),
    ],
)
async def test_folders_by_use_and_by_name(
    api: ApiClient, db: Db, sandbox: Sandbox, folder: str | None, subjects: list[str]
) -> None:
    mailbox_id = await make.mailbox(db, api.user_id, **at(sandbox))
    for name, subject in (("INBOX", "in"), ("Junk", "junk"), ("Sent", "sent")):
        await sandbox.put(ADDRESS, mail(subject, subject), at=make.NOW, folder=name)
    data = await fetch(api, mailbox_id, folder=folder)
    assert sorted(message["subject"] for message in data["messages"]) == subjects


@pytest.mark.parametrize(
    ("body", "count"),
    [
        ({}, 1),
        ({"from": "2026-02-01"}, 2),
        ({"from_time": "2026-02-20T09:00:00Z", "to_time": "2026-02-20T09:00:00Z"}, 1),
        ({"to": "2026-02-20T09:00:00Z"}, 1),
        ({"from": "2026-02-20T09:00:01Z", "to": "2026-03-01"}, 0),
        ({"from": "0001-01-01", "to": "9999-12-31"}, 2),
        ({"from": "0001-01-01", "to": "0001-01-02"}, 0),
        ({"to": "0001-01-01"}, 0),
    ],
)
async def test_both_ends_of_the_time_count(
    api: ApiClient, db: Db, sandbox: Sandbox, body: dict[str, Any], count: int
) -> None:
    mailbox_id = await make.mailbox(db, api.user_id, **at(sandbox))
    await sandbox.put(ADDRESS, mail(), at=make.NOW)
    await sandbox.put(ADDRESS, mail(number="b8"), at=make.NOW - timedelta(days=10))
    assert (await fetch(api, mailbox_id, **body))["totalCount"] == count


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"limit": 0}, '"limit" must be larger than or equal to 1'),
        ({"limit": 501}, '"limit" must be less than or equal to 500'),
        ({"from": "yesterday"}, '"from" must be in ISO 8601 date format'),
        ({"from": "2026-03-02", "to": "2026-03-01"}, '"to" must be larger than or equal to "ref:from"'),
    ],
)
async def test_questions_that_make_no_sense(api: ApiClient, db: Db, body: dict[str, Any], message: str) -> None:
    mailbox_id = await make.mailbox(db, api.user_id)
    answer = await api.post(f"/email-accounts/{mailbox_id}/fetch-messages", json=body)
    assert (answer.status_code, answer.json()["message"]) == (400, message)


async def test_an_unknown_folder_is_said(api: ApiClient, db: Db, sandbox: Sandbox) -> None:
    mailbox_id = await make.mailbox(db, api.user_id, **at(sandbox))
    answer = await api.post(f"/email-accounts/{mailbox_id}/fetch-messages", json={"folder": "Projects"})
    assert answer.status_code == 400
    assert (answer.json()["success"], answer.json()["accountId"]) == (False, str(mailbox_id))
    assert answer.json()["message"] == "Folder not found"


async def test_a_refused_log_in_is_remembered_and_told(api: ApiClient, db: Db, sandbox: Sandbox) -> None:
    mailbox_id = await make.mailbox(db, api.user_id, **at(sandbox, password=make.VAULT.seal("wrong")))
    hook = {"webhook_url": "https://hooks.example.net/x", "event_types": ["EMAIL_ACCOUNT_DISCONNECTED"]}
    await api.post("/webhook/create", json=hook)
    with hearing(MailboxDisconnected) as heard:
        for _ in range(2):
            answer = await api.post(f"/email-accounts/{mailbox_id}/fetch-messages")
    assert answer.status_code == 400
    assert (answer.json()["success"], answer.json()["message"]) == (False, "Failed to fetch messages")
    assert len(heard.events) == 1
    told = await fetch_dict(db, "SELECT event_type, payload, count(*) OVER () FROM webhook_events")
    assert told is not None
    assert (told["event_type"], told["count"]) == ("EMAIL_ACCOUNT_DISCONNECTED", 1)
    assert told["payload"].items() >= {"email_account_id": mailbox_id, "is_imap_success": False}.items()
    account = (await api.get(f"/email-accounts/{mailbox_id}")).json()
    assert (account["is_imap_success"], account["is_smtp_success"]) == (False, True)
    assert account["imap_failure_error"] == answer.json()["error"]


async def test_a_server_that_is_away_says_nothing_of_the_log_in(api: ApiClient, db: Db, sandbox: Sandbox) -> None:
    async with Sandbox() as other:
        dead = other.imap_port
    mailbox_id = await make.mailbox(db, api.user_id, **at(sandbox, imap_port=dead))
    answer = await api.post(f"/email-accounts/{mailbox_id}/fetch-messages")
    assert answer.status_code == 400
    assert "refused the connection" in answer.json()["error"]
    assert (await api.get(f"/email-accounts/{mailbox_id}")).json()["is_imap_success"] is True


async def test_a_foreign_mailbox_is_not_read(
    api: ApiClient, other_api: ApiClient, client_api: ApiClient, db: Db, sandbox: Sandbox
) -> None:
    mailbox_id = await make.mailbox(db, api.user_id, **at(sandbox))
    for caller, wanted in ((other_api, mailbox_id), (client_api, mailbox_id), (api, 9999)):
        answer = await caller.post(f"/email-accounts/{wanted}/fetch-messages")
        assert answer.status_code == 404
        assert answer.json().items() >= {**UNKNOWN, "emailAccountId": wanted}.items()


# several -------------------------------------------------------------------------------------------------------------

BULK = "/email-accounts/multi/fetch-messages"


@pytest.mark.parametrize("is_wrapped", [False, True])
async def test_each_of_several_succeeds_or_fails_by_itself(
    api: ApiClient, other_api: ApiClient, db: Db, sandbox: Sandbox, is_wrapped: bool
) -> None:
    sandbox.add_mailbox("li@brightfold.example", "secret")
    good = await make.mailbox(db, api.user_id, **at(sandbox))
    bad = await make.mailbox(
        db,
        api.user_id,
        **at(sandbox, from_email="li@brightfold.example", username="li", password=make.VAULT.seal("no")),
    )
    foreign = await make.mailbox(db, other_api.user_id)
    await sandbox.put(ADDRESS, mail(), at=make.NOW)
    items = [
        {"account_id": bad},
        {"account_id": str(good), "limit": 5, "includeBody": True},
        {"account_id": foreign},
        {"account_id": good, "folder": "Projects"},
    ]
    answer = await api.post(BULK, json={"accounts": items} if is_wrapped else items)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    shown = example("fetch_messages_in_bulk")["results"]
    assert body["results"][1].keys() == shown[0].keys()
    assert body["results"][1]["data"].keys() == shown[0]["data"].keys()
    assert body["results"][2] == {**shown[1], "account_id": foreign}
    assert [(row["account_id"], row["status"]) for row in body["results"]] == [
        (bad, "error"),
        (good, "success"),
        (foreign, "error"),
        (good, "error"),
    ]
    assert [row.get("error") for row in body["results"]][1:] == [None, "Account not found", "Folder not found"]
    assert body["results"][1]["data"]["messages"][0]["body"]["text"].strip() == "Tuesday works for us"
    assert body["summary"] == {"total": 4, "success": 1, "error": 3}


async def test_ten_are_read_side_by_side(api: ApiClient, db: Db) -> None:
    """Nobody gets an answer before all ten have logged in: one after the other would wait for ever."""
    answers = {
        "LIST": '* LIST () "/" INBOX\r\n{tag} OK done\r\n',
        "EXAMINE": "* OK [UIDVALIDITY 7] valid\r\n* OK [UIDNEXT 1] next\r\n{tag} OK [READ-ONLY] done\r\n",
        "UID_SEARCH": "* SEARCH\r\n{tag} OK done\r\n",
    }
    async with faulty_imap(**answers) as imap:
        ids = [
            await make.mailbox(
                db,
                api.user_id,
                imap_host=imap.server.host,
                imap_port=imap.server.port,
                imap_port_type="NONE",
            )
            for _ in range(10)
        ]
        imap.gate = asyncio.Barrier(10)
        answer = await api.post(BULK, json=[{"account_id": each} for each in ids])
    assert [row["account_id"] for row in answer.json()["results"]] == ids
    assert answer.json()["summary"] == {"total": 10, "success": 10, "error": 0}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, '"value" must be an array'),
        ({"account_id": 1}, '"value" must be an array'),
        ([], '"value" must contain at least 1 items'),
        ([{"account_id": 1}] * 11, '"value" must contain less than or equal to 10 items'),
        ([{"account_id": 1}, {"limit": 5}], '"[1].account_id" is required'),
        ([{"account_id": 1, "limit": 501}], '"[0].limit" must be less than or equal to 500'),
        (
            [{"account_id": 1, "from": "2026-03-02", "to": "2026-03-01"}],
            '"[0].to" must be larger than or equal to "ref:from"',
        ),
    ],
)
async def test_lists_that_are_refused(api: ApiClient, body: Any, message: str) -> None:
    answer = await api.post(BULK, json=body)
    assert (answer.status_code, answer.json()["message"]) == (400, message)


# logging in again ----------------------------------------------------------------------------------------------------

RECONNECT = "/email-accounts/reconnect-failed-email-accounts"
QUEUED = {
    "ok": True,
    "message": "Email account(s) added to the queue to reconnect. We will send you an email once completed.",
}


async def failed_mailbox(db: Db, user_id: int, **given: Any) -> int:
    mailbox_id = await make.mailbox(db, user_id, **given)
    await execute(
        db,
        "UPDATE mailboxes SET is_smtp_success = false, smtp_failure_error = '535' WHERE id = %(id)s",
        {"id": mailbox_id},
    )
    return mailbox_id


@pytest.mark.parametrize("path", [RECONNECT, "/email-accounts/reconnect"])
async def test_reconnecting_is_queued_three_times_a_day(api: ApiClient, db: Db, path: str) -> None:
    mailbox_id = await failed_mailbox(db, api.user_id)
    for body in (None, {}, {"email_account_ids": [mailbox_id]}):
        answer = await api.post(path, json=body)
        assert (answer.status_code, answer.json()) == (200, QUEUED)
    refused = await api.post(path)
    assert refused.status_code == 400
    assert refused.json()["ok"] is True
    assert refused.json()["message"] == "Bulk reconnect API cannot be consumed more than 3 times a day"
    await execute(db, "UPDATE mailbox_reconnects SET created_at = created_at - interval '25 hours'")
    assert (await api.post(path)).status_code == 200


async def test_without_a_failed_mailbox_there_is_nothing_to_do(
    api: ApiClient, other_api: ApiClient, client_api: ApiClient, db: Db
) -> None:
    await make.mailbox(db, api.user_id)
    failed = await failed_mailbox(db, other_api.user_id)
    for caller in (api, client_api):
        for body in ({}, {"email_account_ids": [failed]}):
            answer = await caller.post(RECONNECT, json=body)
            assert answer.status_code == 404
            assert (answer.json()["ok"], answer.json()["message"]) == (True, "No failed email account found!")
    assert await fetch_value(db, "SELECT count(*) FROM mailbox_reconnects") == 0


@pytest.fixture
async def job_context(database: Database, settings: Settings, clock: Clock) -> AsyncIterator[JobContext]:
    async with httpx.AsyncClient() as http:
        yield JobContext(database, settings, clock, make.VAULT, http)


async def test_the_job_logs_in_again_and_keeps_what_came_of_it(
    database: Database,
    job_context: JobContext,
    sandbox: Sandbox,
    connect: Any,
    make_app: Callable[..., Any],
) -> None:
    async with database.transaction() as db:
        user_id = await fresh_account(db, make.NOW)
        api: ApiClient = await connect(make_app(database), db, user_id=user_id)
        good = await failed_mailbox(db, user_id, **at(sandbox, is_suspended=True))
        bad = await failed_mailbox(db, user_id)
        gone = await failed_mailbox(db, user_id)
    assert (await api.post(RECONNECT)).json() == QUEUED
    await api.delete(f"/email-accounts/{gone}")
    async with database.connection() as db:
        reconnect_id = await fetch_value(db, "SELECT id FROM mailbox_reconnects")
    for _ in range(2):  # a job may be run twice
        await jobs.reconnect(job_context, user_id=user_id, reconnect_id=reconnect_id)
    accounts = {row["id"]: row for row in (await api.get("/email-accounts")).json()}
    assert accounts[good]["is_smtp_success"] is True
    assert accounts[good]["smtp_failure_error"] is None
    assert accounts[bad]["is_smtp_success"] is False
    assert accounts[bad]["smtp_failure_error"] != "535"
    async with database.connection() as db:
        kept = await fetch_dict(db, "SELECT connected_count, finished_at, mailbox_ids FROM mailbox_reconnects")
    assert kept == {"connected_count": 1, "finished_at": make.NOW, "mailbox_ids": [good, bad, gone]}


async def test_one_account_is_connected_again(api: ApiClient, db: Db, sandbox: Sandbox) -> None:
    mailbox_id = await failed_mailbox(db, api.user_id, **at(sandbox))
    done = {"provider": "SMTP", "emailAccountId": mailbox_id}
    answer = (await api.post(f"/email-accounts/{mailbox_id}/reauth", json={})).json()
    text = "Email account reconnected successfully"
    assert answer == {"ok": True, "reauthenticated": True, "skipped": False, "message": text, **done}
    again = (await api.post(f"/email-accounts/{mailbox_id}/reauth")).json()
    assert (again["ok"], again["reauthenticated"], again["skipped"]) == (True, False, True)


async def test_an_account_that_cannot_be_connected_says_why(
    api: ApiClient, other_api: ApiClient, db: Db, sandbox: Sandbox
) -> None:
    mailbox_id = await failed_mailbox(db, api.user_id, **at(sandbox, password=make.VAULT.seal("wrong")))
    answer = await api.post(f"/email-accounts/{mailbox_id}/reauth")
    assert (answer.status_code, answer.json()["ok"], answer.json()["reauthenticated"]) == (200, False, False)
    assert answer.json()["message"].startswith("SMTP: ")
    assert (await other_api.post(f"/email-accounts/{mailbox_id}/reauth")).status_code == 404
