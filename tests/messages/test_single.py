"""A mail by itself over HTTP, submitted to the sandbox."""

from base64 import b64encode
from collections.abc import AsyncIterator
from email import message_from_bytes
from email.policy import default
from typing import Any

import pytest

from outrider.kit.crypto import set_vault
from outrider.kit.db import Db, execute
from outrider.sandbox import Sandbox
from tests.support import make
from tests.support.client import ApiClient
from tests.support.shape import assert_shape

PATH = "/send-email/initiate"
ADDRESS = "nora@brightfold.example"
TO = "ida@client-mail.example"
MAIL = {"to": TO, "subject": "Papers", "body": "<p>Hello <b>Ida</b></p>", "fromEmail": ADDRESS}
SENT = {
    "success": True,
    "ok": True,
    "message": "Email sent successfully",
    "data": {
        "message": "Email sent successfully",
        "message_id": "<5c1e@brightfold.io>",
        "trackId": "0f1c4a52-6f0e-4b7b-9d55-3d0e2f4a7c11",
    },
}


@pytest.fixture(autouse=True)
def _vault() -> None:
    set_vault(make.VAULT)


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox() as running:
        running.add_mailbox(ADDRESS, "secret")
        running.add_mailbox(TO, "other")
        yield running


async def connected(db: Db, user_id: int, sandbox: Sandbox, **given: Any) -> int:
    return await make.mailbox(
        db,
        user_id,
        **{
            "from_email": ADDRESS,
            "username": ADDRESS,
            "smtp_host": sandbox.host,
            "smtp_port": sandbox.smtp_port,
            "smtp_port_type": "NONE",
            **given,
        },
    )


async def test_it_is_submitted_at_once_and_counted(api: ApiClient, db: Db, sandbox: Sandbox) -> None:
    mailbox_id = await connected(db, api.user_id, sandbox, max_email_per_day=0, signature="<p>Nora</p>")
    answer = await api.post(PATH, json=MAIL)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert_shape(body, SENT)
    (mail,) = sandbox.mails_to(TO)
    message = message_from_bytes(mail.raw, policy=default)
    assert message["Message-ID"] == body["data"]["message_id"] == f"<{body['data']['trackId']}@brightfold.example>"
    assert (message["From"], message["To"], message["Subject"]) == (f"Nora Quist <{ADDRESS}>", TO, "Papers")
    parts = {part.get_content_type(): part.get_content().strip() for part in message.walk() if not part.is_multipart()}
    assert parts == {"text/plain": "Hello Ida", "text/html": "<p>Hello <b>Ida</b></p>"}
    account = (await api.get(f"/email-accounts/{mailbox_id}")).json()
    assert account["daily_sent_count"] == 1
    await api.post(PATH, json=MAIL)
    assert (await api.get(f"/email-accounts/{mailbox_id}")).json()["daily_sent_count"] == 2


async def test_spellings_files_and_what_is_given(api: ApiClient, db: Db, sandbox: Sandbox) -> None:
    mailbox_id = await connected(db, api.user_id, sandbox)
    content = b64encode(b"%PDF").decode()
    body = {
        "to_email": TO,
        "subject": "Papers",
        "body": "Plain & simple",
        "email_account_id": str(mailbox_id),
        "fromName": "Nora of Brightfold",
        "reply_to": "desk@brightfold.example",
        "attachments": [
            {"filename": "a.pdf", "content": content, "mimeType": "application/pdf"},
            {"filename": "b.pdf", "content": f"data:application/pdf;base64,{content}"},
        ],
    }
    answer = await api.post(PATH, json=body)
    assert answer.status_code == 200, answer.text
    (mail,) = sandbox.mails_to(TO)
    message = message_from_bytes(mail.raw, policy=default)
    assert (message["From"], message["Reply-To"]) == (f"Nora of Brightfold <{ADDRESS}>", "desk@brightfold.example")
    text, *files = (part for part in message.walk() if not part.is_multipart())
    assert text.get_content().strip() == "Plain & simple"
    assert [(part.get_filename(), part.get_content()) for part in files] == [("a.pdf", b"%PDF"), ("b.pdf", b"%PDF")]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"to": None}, '"to" is required'),
        ({"to": "ida"}, '"to" must be a valid email'),
        ({"subject": None}, '"subject" is required'),
        ({"body": ""}, '"body" is not allowed to be empty'),
        ({"fromEmail": None}, '"value" must contain at least one of [fromEmail, fromEmailId]'),
        (
            {"attachments": [{"filename": "a", "content": "%%%"}]},
            '"attachments[0].content" must be a valid base64 string',
        ),
        ({"attachments": [{"content": "aGk="}]}, '"attachments[0].filename" is required'),
    ],
)
async def test_what_is_no_mail(api: ApiClient, changed: dict[str, Any], message: str) -> None:
    given = {key: value for key, value in {**MAIL, **changed}.items() if value is not None}
    answer = await api.post(PATH, json=given)
    assert (answer.status_code, answer.json()["message"]) == (400, message)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("UPDATE mailboxes SET is_suspended = true", "The email account is suspended."),
        (
            "UPDATE mailboxes SET is_smtp_success = false, smtp_failure_error = '535 no'",
            "The email account is disconnected: 535 no",
        ),
        ("UPDATE mailboxes SET smtp_host = NULL", "The email account has no SMTP server."),
    ],
)
async def test_senders_that_cannot_send(api: ApiClient, db: Db, sandbox: Sandbox, change: Any, reason: str) -> None:
    await connected(db, api.user_id, sandbox)
    await execute(db, change)
    answer = await api.post(PATH, json=MAIL)
    assert (answer.status_code, answer.json()["success"], answer.json()["error"]) == (400, False, reason)
    assert sandbox.mails_to(TO) == []


@pytest.mark.parametrize("entry", [TO, "client-mail.example"])
async def test_who_is_on_the_block_list_gets_none(api: ApiClient, db: Db, sandbox: Sandbox, entry: str) -> None:
    await connected(db, api.user_id, sandbox)
    await api.post("/leads/add-domain-block-list", json={"domain_block_list": [entry]})
    answer = await api.post(PATH, json=MAIL)
    assert (answer.status_code, answer.json()["error"]) == (400, "The recipient is on the block list.")
    assert sandbox.mails_to(TO) == []


async def test_what_the_server_refuses_is_told_in_its_words(api: ApiClient, db: Db, sandbox: Sandbox) -> None:
    mailbox_id = await connected(db, api.user_id, sandbox, password=make.VAULT.seal("wrong"))
    answer = await api.post(PATH, json=MAIL)
    assert (answer.status_code, answer.json()["success"]) == (400, False)
    assert "535" in answer.json()["error"] or "refused" in answer.json()["error"]
    assert (await api.get(f"/email-accounts/{mailbox_id}")).json()["daily_sent_count"] == 0


async def test_nobody_sends_from_anothers_mailbox(
    api: ApiClient, other_api: ApiClient, client_api: ApiClient, db: Db, sandbox: Sandbox
) -> None:
    mailbox_id = await connected(db, api.user_id, sandbox)
    for caller in (other_api, client_api):
        for named in ({"fromEmail": ADDRESS}, {"fromEmail": None, "fromEmailId": mailbox_id}):
            answer = await caller.post(PATH, json={**MAIL, **named})
            assert (answer.status_code, answer.json()["success"]) == (404, False)
            assert answer.json()["error"] == "Email account not found"
    assert sandbox.mails_to(TO) == []
