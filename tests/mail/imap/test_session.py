"""A session with a real Dovecot: folders, new mail, waiting, Sent, flags; and with servers that lack something."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from itertools import count

import pytest

from outrider.mail.imap import FolderRole, NoSuchFolder, Session, Wake
from outrider.mail.imap import session as module
from outrider.mail.imap.connection import Timeouts
from outrider.mail.server import TlsMode
from outrider.mail.tls import TlsContexts
from tests.support.dovecot import Dovecot, StartDovecot, running_dovecot
from tests.support.imap_servers import faulty_imap

USERS = {f"user{number}@send.example": "secret" for number in range(30)}
_numbers = count()


@pytest.fixture(scope="module")
def server() -> Iterator[Dovecot]:
    with running_dovecot(USERS) as running:
        yield running


@pytest.fixture
def user() -> str:
    """Somebody whose folders are empty."""
    return f"user{next(_numbers)}@send.example"


@pytest.fixture
async def session(server: Dovecot, user: str) -> AsyncIterator[Session]:
    opened = await Session.open(server.server(user), tls=TlsContexts())
    yield opened
    await opened.log_out()


def mail(number: int, body: str = "hello") -> bytes:
    return f"Message-ID: <m{number}@acme.example>\r\nSubject: mail {number}\r\n\r\n{body}\r\n".encode()


@pytest.mark.parametrize("tls", [TlsMode.IMPLICIT, TlsMode.STARTTLS, TlsMode.STARTTLS_IF_OFFERED, TlsMode.NONE])
async def test_all_ways_to_log_in(server: Dovecot, user: str, tls: TlsMode) -> None:
    contexts = TlsContexts(certificate_authorities=server.certificate)
    session = await Session.open(server.server(user, tls), tls=contexts)
    assert "IDLE" in session.capabilities
    assert (await session.select("INBOX")).uid_next == 1
    await session.log_out()


async def test_folders_by_special_use(session: Session) -> None:
    roles = {folder.role: folder.name for folder in await session.folders()}
    assert (roles[FolderRole.INBOX], roles[FolderRole.SENT], roles[FolderRole.JUNK]) == ("INBOX", "Sent", "Junk")


async def test_new_mail_is_fetched_as_it_was_delivered(server: Dovecot, user: str, session: Session) -> None:
    uid_validity, uid_next = await session.select("INBOX")
    assert uid_validity > 0
    assert uid_next == 1
    for number in range(3):
        server.deliver(user, mail(number, "(unbalanced {5}\r\nA1 OK\r\n* 9 EXISTS"))
    await session.select("INBOX")
    fetched = await session.fetch_since(0)
    assert [(message.uid, message.raw) for message in fetched] == [
        (number + 1, mail(number, "(unbalanced {5}\r\nA1 OK\r\n* 9 EXISTS")) for number in range(3)
    ]
    assert all(message.internal_date and "\\Seen" not in message.flags for message in fetched)
    assert [message.uid for message in await session.fetch_since(1, limit=1)] == [2]
    assert await session.fetch_since(3) == []


async def test_a_large_message_is_cut_and_says_so(server: Dovecot, user: str, session: Session) -> None:
    server.deliver(user, mail(1, "x" * 50_000))
    server.deliver(user, mail(2))
    await session.select("INBOX")
    large, small = await session.fetch_since(0, max_size=1_000)
    assert (len(large.raw), large.size > 50_000, large.is_cut) == (1_000, True, True)
    assert (small.raw, small.is_cut) == (mail(2), False)


async def test_a_large_message_keeps_its_place_among_the_others(server: Dovecot, user: str, session: Session) -> None:
    """What is read is remembered by the last UID: one out of order would be passed over after a crash."""
    for number, body in enumerate(("small", "x" * 50_000, "small")):
        server.deliver(user, mail(number, body))
    await session.select("INBOX")
    assert [message.uid for message in await session.fetch_since(0, max_size=1_000)] == [1, 2, 3]


async def test_large_messages_are_not_all_held_at_once(
    server: Dovecot, user: str, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BATCH_BYTES", 1_000)
    monkeypatch.setattr(module, "FULL_BYTES", 100_000)
    for number in range(5):
        server.deliver(user, mail(number, "x" * 60_000))
    await session.select("INBOX")
    assert [message.uid for message in await session.fetch_since(0)] == [1, 2]
    assert [message.uid for message in await session.fetch_since(2)] == [3, 4]
    assert [message.uid for message in await session.fetch_since(4)] == [5]


async def test_many_messages_come_in_batches(
    server: Dovecot, user: str, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BATCH_MESSAGES", 7)
    monkeypatch.setattr(module, "BATCH_BYTES", 300)
    for number in range(20):
        server.deliver(user, mail(number))
    await session.select("INBOX")
    fetched = await session.fetch_since(0)
    assert [message.uid for message in fetched] == list(range(1, 21))
    assert sorted(message.raw for message in fetched) == sorted(mail(number) for number in range(20))


async def test_waiting_ends_with_new_mail(server: Dovecot, user: str, session: Session) -> None:
    await session.select("INBOX")
    waiting = asyncio.ensure_future(session.idle(30))
    await asyncio.sleep(0.1)
    server.deliver(user, mail(1))
    assert await waiting is Wake.NEWS
    assert len(await session.fetch_since(0)) == 1
    assert await session.idle(0.1) is Wake.TIMEOUT


async def test_mail_that_arrives_during_another_command_is_not_slept_over(
    server: Dovecot, user: str, session: Session
) -> None:
    await session.select("INBOX")
    server.deliver(user, mail(1))
    await session.new_uids(0)
    assert await session.idle(30) is Wake.NEWS


async def test_a_killed_server_is_noticed_at_once(dovecot: StartDovecot) -> None:
    server = dovecot({"jo@send.example": "secret"})
    session = await Session.open(server.server("jo@send.example"), tls=TlsContexts())
    await session.select("INBOX")
    waiting = asyncio.ensure_future(session.idle(600))
    await asyncio.sleep(0.1)
    server.kill()
    assert await waiting is Wake.LOST
    assert session.is_lost
    assert await session.idle(600) is Wake.LOST


async def test_a_mail_is_put_into_sent_and_found_by_its_message_id(session: Session) -> None:
    when = datetime(2026, 3, 30, 8, 0, 2, tzinfo=UTC)
    uid = await session.append("Sent", mail(1), when=when)
    assert uid == 1
    assert await session.search_message_id("Sent", "m1@acme.example") == [1]
    assert await session.search_message_id("Sent", "m2@acme.example") == []
    assert await session.search_message_id("INBOX", "m1@acme.example") == []
    await session.select("Sent")
    (message,) = await session.fetch([1])
    assert (message.raw, message.internal_date, "\\Seen" in message.flags) == (mail(1), when, True)


async def test_flags_are_set_and_cleared(server: Dovecot, user: str, session: Session) -> None:
    server.deliver(user, mail(1))
    await session.select("INBOX")
    await session.store([1], add=["\\Seen", "\\Flagged"])
    assert {"\\Seen", "\\Flagged"} <= (await session.fetch([1]))[0].flags
    await session.store([1], remove=["\\Seen"])
    assert "\\Seen" not in (await session.fetch([1]))[0].flags


async def test_a_missing_folder_is_told_and_the_session_goes_on(session: Session) -> None:
    with pytest.raises(NoSuchFolder, match="Größe & Gewicht"):
        await session.select("Größe & Gewicht")
    assert (await session.select("INBOX")).uid_next == 1


async def test_a_vanished_message_is_missing(session: Session) -> None:
    await session.select("INBOX")
    assert await session.fetch([4711]) == []


async def test_cancelling_a_wait_closes_the_session(session: Session) -> None:
    await session.select("INBOX")
    waiting = asyncio.ensure_future(session.idle(600))
    await asyncio.sleep(0.05)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert session.is_lost


async def test_without_idle_the_server_is_asked_now_and_then() -> None:
    noop = ["{tag} OK nothing\r\n", "* 1 EXISTS\r\n{tag} OK\r\n"]
    async with faulty_imap(CAPABILITY="* CAPABILITY IMAP4rev1\r\n{tag} OK\r\n", NOOP=noop) as imap:
        session = await Session.open(imap.server, tls=TlsContexts())
        await session.select("INBOX")
        session.poll_seconds = 0.01
        assert await session.idle(30) is Wake.NEWS
        assert [line.split()[1] for line in imap.lines[-2:]] == ["NOOP", "NOOP"]
        session.close()


async def test_a_server_that_offers_idle_and_refuses_it_is_polled() -> None:
    async with faulty_imap(IDLE="{tag} NO not today\r\n", NOOP="* 1 EXISTS\r\n{tag} OK\r\n") as imap:
        session = await Session.open(imap.server, tls=TlsContexts())
        session.poll_seconds = 0.01
        await session.select("INBOX")
        assert await session.idle(30) is Wake.NEWS
        session.close()


async def test_a_connection_dropped_while_idle_is_noticed() -> None:
    async with faulty_imap() as imap:
        session = await Session.open(imap.server, tls=TlsContexts())
        await session.select("INBOX")
        waiting = asyncio.ensure_future(session.idle(600))
        await imap.until("IDLE")
        imap.hang_up()
        assert await waiting is Wake.LOST


async def test_a_server_that_says_goodbye_is_noticed_too() -> None:
    async with faulty_imap() as imap:
        session = await Session.open(imap.server, tls=TlsContexts())
        await session.select("INBOX")
        waiting = asyncio.ensure_future(session.idle(600))
        await imap.until("IDLE")
        imap.say("* BYE shutting down\r\n")
        imap.connections[-1].close()
        assert await waiting is Wake.LOST


async def test_an_idle_that_never_ends_costs_the_session_and_not_the_engine() -> None:
    async with faulty_imap(DONE="") as imap:
        session = await Session.open(imap.server, tls=TlsContexts())
        await session.select("INBOX")
        session._connection.timeouts = Timeouts(command=0.1)
        assert await session.idle(0.05) is Wake.LOST


async def test_a_wrong_count_of_messages_only_costs_a_look() -> None:
    search = "* SEARCH\r\n{tag} OK\r\n"
    async with faulty_imap(UID_SEARCH=search) as imap:
        session = await Session.open(imap.server, tls=TlsContexts())
        await session.select("INBOX")
        waiting = asyncio.ensure_future(session.idle(600))
        await imap.until("IDLE")
        imap.say("* 0 EXISTS\r\n* 99999 EXISTS\r\n* 7 RECENT\r\n")
        assert await waiting is Wake.NEWS
        assert await session.fetch_since(0) == []
        session.close()


async def test_uids_the_server_does_not_tell_at_select_are_asked_for() -> None:
    select = "* 3 EXISTS\r\n{tag} OK done\r\n"
    status = '* STATUS "INBOX" (UIDNEXT 44 UIDVALIDITY 9)\r\n{tag} OK\r\n'
    async with faulty_imap(SELECT=select, STATUS=status) as imap:
        session = await Session.open(imap.server, tls=TlsContexts())
        assert await session.select("INBOX") == (9, 44)
        session.close()


async def test_the_last_message_is_not_taken_for_a_new_one() -> None:
    async with faulty_imap(UID_SEARCH="* SEARCH 12\r\n{tag} OK\r\n") as imap:
        session = await Session.open(imap.server, tls=TlsContexts())
        await session.select("INBOX")
        assert await session.new_uids(12) == []
        assert imap.lines[-1].endswith("UID SEARCH UID 13:*")
        session.close()
