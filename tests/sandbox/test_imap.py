import asyncio
import imaplib
from collections.abc import Callable
from typing import Any

import aioimaplib
import pytest

from outrider.sandbox import LOGIN_BUSY, Fault, Moment, Sandbox
from tests.sandbox.writing import PASSWORD, SENDER, campaign_mail, send

MAIL = b"Subject: Hi\r\nMessage-ID: <one@x>\r\n\r\nText\r\n"


async def with_imaplib(sandbox: Sandbox, work: Callable[[imaplib.IMAP4], Any]) -> Any:
    """Run what the standard library's client does, logged in, in a thread."""

    def run() -> Any:
        client = imaplib.IMAP4(sandbox.host, sandbox.imap_port, timeout=10)
        try:
            client.login(SENDER, PASSWORD)
            return work(client)
        finally:
            client.shutdown()

    return await asyncio.to_thread(run)


async def idling_client(sandbox: Sandbox) -> aioimaplib.IMAP4:
    client = aioimaplib.IMAP4(host=sandbox.host, port=sandbox.imap_port, timeout=10)
    await client.wait_hello_from_server()
    await client.login(SENDER, PASSWORD)
    await client.select("INBOX")
    return client


async def test_an_account_has_the_usual_folders_with_their_use(sandbox: Sandbox) -> None:
    _, lines = await with_imaplib(sandbox, lambda client: client.list())
    assert lines == [
        b'(\\HasNoChildren) "/" INBOX',
        b'(\\HasNoChildren \\Sent) "/" Sent',
        b'(\\HasNoChildren \\Junk) "/" Junk',
        b'(\\HasNoChildren \\Trash) "/" Trash',
    ]


async def test_capabilities_name_idle_and_special_use(sandbox: Sandbox) -> None:
    _, lines = await with_imaplib(sandbox, lambda client: client.capability())
    assert {b"IDLE", b"SPECIAL-USE", b"UIDPLUS", b"MOVE"} <= set(lines[0].split())


@pytest.mark.parametrize(("username", "password"), [(SENDER, "wrong"), ("nobody@ours.example", PASSWORD)])
async def test_a_wrong_log_in_is_answered_with_no(sandbox: Sandbox, username: str, password: str) -> None:
    client = aioimaplib.IMAP4(host=sandbox.host, port=sandbox.imap_port, timeout=10)
    await client.wait_hello_from_server()
    answer = await client.login(username, password)
    assert answer.result == "NO"
    assert answer.lines[0].startswith(b"[AUTHENTICATIONFAILED]")
    await client.logout()
    assert sandbox.tally().rejected_logins == {username: 1}


async def test_the_user_name_may_be_in_other_letters(sandbox: Sandbox) -> None:
    def log_in() -> str:
        with imaplib.IMAP4(sandbox.host, sandbox.imap_port, timeout=10) as client:
            return client.login(SENDER.upper(), PASSWORD)[0]

    assert await asyncio.to_thread(log_in) == "OK"


@pytest.mark.parametrize(("fault", "code"), [(LOGIN_BUSY, b"[INUSE]"), (None, b"EOF")])
async def test_log_ins_can_be_refused_or_dropped_for_a_time(sandbox: Sandbox, fault: Any, code: bytes) -> None:
    sandbox.faults.add(Fault(Moment.IMAP_LOGIN, answer=fault, drops=fault is None))
    with pytest.raises(imaplib.IMAP4.error) as refused:
        await with_imaplib(sandbox, lambda client: client.noop())
    assert code.decode() in str(refused.value)
    assert (await with_imaplib(sandbox, lambda client: client.noop()))[0] == "OK"


async def test_mail_put_into_the_inbox_can_be_fetched_and_found(sandbox: Sandbox) -> None:
    await sandbox.put(SENDER, MAIL)

    def fetch(client: imaplib.IMAP4) -> list[Any]:
        client.select("INBOX")
        found = client.uid("SEARCH", "HEADER", "Message-ID", "<one@x>")[1]
        return [found, client.uid("FETCH", "1:*", "(FLAGS BODY.PEEK[])")[1][0][1]]

    assert await with_imaplib(sandbox, fetch) == [[b"101"], MAIL]
    assert await sandbox.inbox(SENDER) == [MAIL]


async def test_a_client_files_its_copy_in_sent(sandbox: Sandbox) -> None:
    await with_imaplib(sandbox, lambda client: client.append("Sent", "(\\Seen)", None, MAIL))
    assert await sandbox.folder(SENDER, "Sent") == [MAIL]


async def test_whoever_idles_is_told_of_new_mail(sandbox: Sandbox) -> None:
    client = await idling_client(sandbox)
    idle = await client.idle_start(timeout=10)
    await sandbox.put(SENDER, MAIL)
    assert b"1 EXISTS" in await client.wait_server_push(timeout=20)
    client.idle_done()
    await asyncio.wait_for(idle, 20)
    await client.logout()


async def test_idle_tells_of_mail_that_came_just_before_it_began(sandbox: Sandbox) -> None:
    client = await idling_client(sandbox)
    await sandbox.put(SENDER, MAIL)
    await client.idle_start(timeout=10)
    assert b"1 EXISTS" in await client.wait_server_push(timeout=20)
    client.idle_done()
    await client.logout()


async def test_no_mail_of_a_burst_stays_unannounced(sandbox: Sandbox) -> None:
    client = await idling_client(sandbox)
    await client.idle_start(timeout=10)
    await asyncio.gather(*(sandbox.put(SENDER, MAIL) for _ in range(50)))
    told: list[bytes] = []
    async with asyncio.timeout(20):
        while b"50 EXISTS" not in told:
            told += await client.wait_server_push(timeout=20)
    client.idle_done()
    await client.logout()


async def test_connections_can_be_dropped_and_clients_that_die_leave_nothing_behind(sandbox: Sandbox) -> None:
    lost = asyncio.Event()

    def note_loss(_: Exception | None) -> None:
        lost.set()

    dropped = aioimaplib.IMAP4(host=sandbox.host, port=sandbox.imap_port, timeout=10, conn_lost_cb=note_loss)
    await dropped.wait_hello_from_server()
    _, dying = await asyncio.open_connection(sandbox.host, sandbox.imap_port)
    dying.write(b"a LOGIN half a li")
    dying.transport.abort()
    await sandbox.drop_connections()
    await asyncio.wait_for(lost.wait(), 20)
    assert (await with_imaplib(sandbox, lambda client: client.noop()))[0] == "OK"


async def test_mail_between_own_mailboxes_is_delivered_with_its_trace(sandbox: Sandbox) -> None:
    sandbox.add_mailbox("you@ours.example", "other")
    raw = campaign_mail("you@ours.example")
    await send(sandbox, ("You@Ours.example", raw))
    [delivered] = await sandbox.inbox("you@ours.example")
    assert delivered.endswith(raw)
    assert delivered.startswith(b"Return-Path: <me@ours.example>\r\nDelivered-To: you@ours.example\r\nReceived: ")
    assert sandbox.tally().people == {}
