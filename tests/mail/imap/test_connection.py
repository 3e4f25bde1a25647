"""Servers that answer badly, or not at all, in the middle of a session."""

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outrider.mail.imap import CommandRefused, ConnectionLost, ImapError, Session, TimedOut, Timeouts
from outrider.mail.imap.answers import messages
from outrider.mail.imap.protocol import ImapProtocol, lines_of
from outrider.mail.tls import TlsContexts
from tests.support.imap_servers import DROP, SILENCE, FaultyImap, faulty_imap

SEARCH = "* SEARCH 1 2\r\n{tag} OK\r\n"
SIZES = "* 1 FETCH (UID 1 RFC822.SIZE 5)\r\n* 2 FETCH (UID 2 RFC822.SIZE 5)\r\n{tag} OK\r\n"


async def opened(imap: FaultyImap) -> Session:
    session = await Session.open(imap.server, tls=TlsContexts())
    await session.select("INBOX")
    return session


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (DROP, ConnectionLost),
        (SILENCE, TimedOut),
        ("", TimedOut),
        ("* 1 FETCH (UID 1 BODY[] {5000}\r\nshort)\r\n{tag} OK\r\n", TimedOut),
        ("* 1 FETCH (UID 1 BODY[] {99999999999999999999999999}\r\n", TimedOut),
        ("* 1 FETCH (UID 1 BODY[] {40000000}\r\n" + "x" * 30_000_000, ConnectionLost),
        ("* 1 FETCH (UID 1 BODY[] {" + "9" * 5000 + "}\r\nx", ConnectionLost),
        ("Z9 OK whose tag is this?\r\n", ConnectionLost),
        ("{tag} NO [SERVERBUG] disk full\r\n", CommandRefused),
        ("{tag} BAD no\r\n", CommandRefused),
        ("\xff\xfe garbage\r\n* \xff garbage\r\n", ImapError),
        ("* " + "nested " * 2_000_000, ConnectionLost),
    ],
)
async def test_a_bad_answer_to_fetch_is_one_error(answer: str, kind: type[ImapError]) -> None:
    async with faulty_imap(UID_SEARCH=SEARCH, UID_FETCH=[SIZES, answer]) as imap:
        session = await opened(imap)
        if kind is TimedOut:
            session._connection.timeouts = Timeouts(command=0.1)
        with pytest.raises(kind):
            await session.fetch_since(0)
        assert session.is_lost == (kind is not CommandRefused)
        session.close()


async def test_a_body_that_goes_on_after_its_end_is_not_taken_for_a_mail() -> None:
    fetch = "* 1 FETCH (UID 1 BODY[] {3}\r\nabcdef\r\nmore)\r\n* 2 FETCH (UID 2 BODY[] {2}\r\nok)\r\n{tag} OK\r\n"
    async with faulty_imap(UID_SEARCH=SEARCH, UID_FETCH=[SIZES, fetch]) as imap:
        session = await opened(imap)
        with pytest.raises(ConnectionLost, match="do not end where it says"):
            await session.fetch_since(0)
        session.close()


async def test_a_refused_command_leaves_the_session_usable() -> None:
    async with faulty_imap(UID_SEARCH=["{tag} NO not now\r\n", SEARCH]) as imap:
        session = await opened(imap)
        with pytest.raises(CommandRefused, match="not now"):
            await session.new_uids(0)
        assert await session.new_uids(0) == [1, 2]
        session.close()


async def test_thousands_of_lines_at_once_are_read() -> None:
    folders = "".join(f'* LIST () "/" "folder {number}"\r\n' for number in range(5_000))
    expunged = "* 1 EXPUNGE\r\n" * 5_000
    async with faulty_imap(LIST=folders + expunged + "{tag} OK\r\n") as imap:
        session = await opened(imap)
        assert len(await session.folders()) == 5_000
        session.close()


async def test_a_search_result_of_hundreds_of_thousands_is_read() -> None:
    numbers = " ".join(str(number) for number in range(1, 200_001))
    async with faulty_imap(UID_SEARCH=f"* SEARCH {numbers}\r\n{{tag}} OK\r\n") as imap:
        session = await Session.open(imap.server, tls=TlsContexts())
        await session.select("INBOX")
        assert len(await session.new_uids(100_000)) == 100_000
        session.close()


async def test_a_refused_append_leaves_nothing_behind() -> None:
    async with faulty_imap(APPEND=["{tag} NO [OVERQUOTA] full\r\n"]) as imap:
        session = await opened(imap)
        with pytest.raises(CommandRefused, match="full"):
            await session.append("Sent", b"Subject: x\r\n\r\n")
        session.close()


class Wire:
    """The other end of a protocol that is fed by hand."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.is_aborted = False

    def write(self, octets: bytes) -> None:
        self.sent.append(octets)

    def abort(self) -> None:
        self.is_aborted = True

    def get_extra_info(self, _: str) -> Any:
        class Socket:
            def setsockopt(self, *_: int) -> None:
                pass

        return Socket()


bodies = st.lists(
    st.binary(max_size=80) | st.sampled_from([b"", b")\r\n", b"{5}\r\n", b"* 1 EXISTS\r\nA1 OK\r\n", b"("]), max_size=4
)


@settings(max_examples=150, deadline=None)
@given(bodies, st.lists(st.integers(1, 90), max_size=20))
def test_messages_are_the_same_in_whatever_pieces_they_arrive(contents: list[bytes], cuts: list[int]) -> None:
    contents = [content for content in contents if content]

    async def fetch() -> list[bytes]:
        protocol = ImapProtocol()
        wire = Wire()
        protocol.connection_made(wire)
        protocol.data_received(b"* PREAUTH hello\r\n")
        protocol.state = "SELECTED"
        fetching = asyncio.create_task(protocol.fetch("1:*", "(UID BODY.PEEK[])", by_uid=False))
        await asyncio.sleep(0)
        tag = wire.sent[-1].split()[0]
        answer = b"".join(
            b"* %d FETCH (UID %d BODY[] {%d}\r\n%b)\r\n" % (number, number, len(content), content)
            for number, content in enumerate(contents, 1)
        )
        data = answer + tag + b" OK done\r\n"
        for cut in cuts:
            protocol.data_received(data[:cut])
            data = data[cut:]
        protocol.data_received(data)
        return [message.raw for message in messages(lines_of(await fetching))]

    assert asyncio.run(fetch()) == contents
