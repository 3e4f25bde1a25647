"""A session with an IMAP server as the engine uses it: folders, new mail, waiting for more, Sent, flags."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple, Self

from outrider.mail.imap import answers
from outrider.mail.imap.answers import Fetched
from outrider.mail.imap.connection import Connection, Timeouts
from outrider.mail.imap.errors import CommandRefused, ConnectionLost, ImapError, NoSuchFolder
from outrider.mail.imap.folders import Folder, encode_name, read_folders
from outrider.mail.imap.opening import open_connection
from outrider.mail.imap.protocol import ALLOWANCE, lines_of, quoted
from outrider.mail.server import Server
from outrider.mail.tls import TlsContexts

MAX_MESSAGE = 25_000_000  # bytes; of a larger one the beginning is fetched
BATCH_BYTES = 8_000_000  # of one FETCH
BATCH_MESSAGES = 50
DATES_AT_ONCE = 500
FULL_BYTES = 32_000_000  # of a call: then the rest waits for the next
LONGEST_IDLE = 29 * 60.0  # servers end a longer one (RFC 2177)
_MOST_ON_THE_WAY = timedelta(days=7)  # a mail between its date and its arrival
POLL_SECONDS = 60.0  # for servers without IDLE


class Wake(StrEnum):
    """Why waiting ended."""

    NEWS = "NEWS"  # the server has messages we have not heard of
    TIMEOUT = "TIMEOUT"
    LOST = "LOST"  # the connection is gone


class Selected(NamedTuple):
    uid_validity: int
    uid_next: int


class Session:
    """Made by `open`. One task at a time; cancelling a call closes the session. Everything raises ImapError."""

    def __init__(self, connection: Connection) -> None:
        self.poll_seconds = POLL_SECONDS
        self._connection = connection
        self._is_idle_refused = False

    @classmethod
    async def open(cls, server: Server, *, tls: TlsContexts, timeouts: Timeouts | None = None) -> Self:
        """Connect and log in, with the password or the access token of the server."""
        return cls(await open_connection(server, tls, timeouts or Timeouts()))

    @property
    def capabilities(self) -> frozenset[str]:
        """In capitals."""
        return self._connection.capabilities

    @property
    def is_lost(self) -> bool:
        return self._connection.is_lost

    async def folders(self) -> list[Folder]:
        arguments = ['""', '"*"']
        if {"SPECIAL-USE", "LIST-EXTENDED"} <= self.capabilities:
            arguments.append("RETURN (SPECIAL-USE)")  # RFC 6154 §2
        response = await self._connection.run(self._connection.command("LIST", *arguments))
        return read_folders(lines_of(response))

    async def select(self, folder: str, *, read_only: bool = False) -> Selected:
        """Open a folder for reading and writing."""
        protocol = self._connection.protocol
        name = "EXAMINE" if read_only else "SELECT"
        try:
            response = await self._connection.run(self._connection.command(name, _wire(folder)))
        except CommandRefused as refused:
            protocol.state = "AUTH"  # RFC 9051 §6.3.2: a refused SELECT leaves no folder open
            raise NoSuchFolder(f"There is no folder {folder!r}, or it cannot be opened. {refused}") from refused
        protocol.state = "SELECTED"
        protocol.news.clear()
        lines = lines_of(response)
        uid_validity = answers.status_number(lines, "UIDVALIDITY")
        uid_next = answers.status_number(lines, "UIDNEXT")
        if uid_validity is None or uid_next is None:  # old servers tell only when asked (RFC 9051 §6.3.2)
            uid_validity, uid_next = await self._status(folder)
        return Selected(uid_validity, uid_next)

    async def new_uids(self, since_uid: int) -> list[int]:
        """The UIDs above `since_uid` in the selected folder, ascending."""
        found = await self._search("UID", f"{since_uid + 1}:*")
        return [uid for uid in found if uid > since_uid]  # "*" is the last message, be it new or not

    async def uids_since(self, since: datetime) -> list[int]:
        """The messages of the selected folder that came since then, ascending, some of the day before with them.

        Where all were put in anew, as after a move to another server, their own dates tell.
        """
        day = (since - timedelta(days=1)).date()  # of whatever zone the server's days are (RFC 9051 §6.4.4)
        dated = answers.search_date(day - _MOST_ON_THE_WAY)
        return await self._search("SINCE", answers.search_date(day), "SENTSINCE", dated)

    async def received_between(self, first: datetime, last: datetime) -> dict[int, datetime]:
        """When the messages of the selected folder that came in this time were received, by UID; both ends count."""
        # SEARCH knows days of the server's zone only (RFC 9051 §6.4.4), so a day more on both sides is looked at.
        day = timedelta(days=1)
        since, before = answers.search_date((first - day).date()), answers.search_date((last + 2 * day).date())
        uids = await self._search("SINCE", since, "BEFORE", before)
        received: dict[int, datetime] = {}
        for start in range(0, len(uids), DATES_AT_ONCE):
            batch = _set(uids[start : start + DATES_AT_ONCE])
            received |= answers.dates(await self._uid("FETCH", batch, "(UID INTERNALDATE)"))
        return {uid: when for uid, when in received.items() if first <= when <= last}

    async def fetch_since(self, uid: int, *, limit: int = 200, max_size: int = MAX_MESSAGE) -> list[Fetched]:
        """The next messages above `uid` in the selected folder, ascending: at most `limit`, fewer if they are large."""
        return await self.fetch((await self.new_uids(uid))[:limit], max_size=max_size, most_bytes=FULL_BYTES)

    async def fetch(
        self, uids: Sequence[int], *, max_size: int = MAX_MESSAGE, most_bytes: int | None = None
    ) -> list[Fetched]:
        """Messages by UID, ascending, without marking them as read; what has vanished meanwhile is missing.

        Of messages above `max_size` the first bytes are fetched; `size` tells. Once there are `most_bytes` it ends.
        """
        fetched: list[Fetched] = []
        total = 0
        wanted = sorted(uids)
        for start in range(0, len(wanted), BATCH_MESSAGES):
            sizes = await self._sizes(wanted[start : start + BATCH_MESSAGES])
            for batch in _batches(sizes, max_size):
                messages = sorted(await self._bodies(batch, sizes, max_size), key=lambda message: message.uid)
                fetched += messages
                total += sum(len(message.raw) for message in messages)
                if most_bytes is not None and total >= most_bytes:
                    return fetched
        return fetched

    async def idle(self, seconds: float) -> Wake:
        """Wait until the selected folder has something new, the time is over, or the connection is lost."""
        protocol = self._connection.protocol
        try:
            if not protocol.news.is_set() and not self.is_lost:
                await self._wait(min(seconds, LONGEST_IDLE))
        except ImapError:
            return Wake.LOST
        if self.is_lost:
            return Wake.LOST
        is_news = protocol.news.is_set()
        protocol.news.clear()
        return Wake.NEWS if is_news else Wake.TIMEOUT

    async def search_message_id(self, folder: str, message_id: str) -> list[int]:
        """The UIDs of the mails with that Message-ID (canonical, without brackets) in a folder, which gets selected."""
        await self.select(folder)
        return await self._search("HEADER", "Message-ID", quoted(f"<{message_id}>"))

    async def append(
        self, folder: str, raw: bytes, *, flags: Iterable[str] = ("\\Seen",), when: datetime | None = None
    ) -> int | None:
        """Put a mail (CRLF lines) into a folder; its UID, if the server tells (UIDPLUS)."""
        protocol = self._connection.protocol
        date = [answers.internal_date(when)] if when else []
        command = self._connection.command("APPEND", _wire(folder), f"({' '.join(flags)})", *date, f"{{{len(raw)}}}")
        protocol.literal_data = raw
        try:
            response = await self._connection.run(command)
        finally:
            protocol.literal_data = None
        return answers.appended_uid(bytes(response.lines[-1]))

    async def store(self, uids: Sequence[int], *, add: Iterable[str] = (), remove: Iterable[str] = ()) -> None:
        """Set and clear flags of messages in the selected folder."""
        for sign, flags in (("+", tuple(add)), ("-", tuple(remove))):
            if flags and uids:
                arguments = (_set(uids), f"{sign}FLAGS.SILENT", f"({' '.join(flags)})")
                await self._uid("STORE", *arguments, answered_by="FETCH")

    async def log_out(self) -> None:
        await self._connection.log_out()

    def close(self) -> None:
        """Without a goodbye."""
        self._connection.close()

    async def _status(self, folder: str) -> tuple[int, int]:
        command = self._connection.command("STATUS", _wire(folder), "(UIDVALIDITY UIDNEXT)")
        lines = lines_of(await self._connection.run(command))
        uid_validity = answers.status_number(lines, "UIDVALIDITY")
        uid_next = answers.status_number(lines, "UIDNEXT")
        if uid_validity is None or uid_next is None:
            raise CommandRefused(
                f"{self._connection.server.host} gives no UIDs for {folder!r}; mail cannot be told apart."
            )
        return uid_validity, uid_next

    async def _search(self, *criteria: str) -> list[int]:
        return answers.search_result(await self._uid("SEARCH", *criteria))

    async def _sizes(self, uids: Sequence[int]) -> dict[int, int]:
        return answers.sizes(await self._uid("FETCH", _set(uids), "(UID RFC822.SIZE)"))

    async def _bodies(self, uids: Sequence[int], sizes: dict[int, int], max_size: int) -> list[Fetched]:
        is_cut = sizes[uids[0]] > max_size
        body = f"BODY.PEEK[]<0.{max_size}>" if is_cut else "BODY.PEEK[]"
        # Servers are known to count sizes wrongly, so there is room for twice as much.
        expected = sum(min(sizes[uid], max_size) for uid in uids)
        lines = await self._uid(
            "FETCH", _set(uids), f"(UID RFC822.SIZE FLAGS INTERNALDATE {body})", allowance=2 * expected + ALLOWANCE
        )
        messages = [replace(message, is_cut=is_cut) for message in answers.messages(lines)]
        if any(message.is_broken for message in messages):
            raise ConnectionLost(f"{self._connection.server.host} sends messages that do not end where it says.")
        return messages

    async def _uid(
        self, name: str, *arguments: str, answered_by: str | None = None, allowance: int = ALLOWANCE
    ) -> answers.Lines:
        command = self._connection.command(name, *arguments, prefix="UID", answered_by=answered_by)
        return lines_of(await self._connection.run(command, allowance=allowance))

    async def _wait(self, seconds: float) -> None:
        """Until there is news, the time is over, or the connection is lost."""
        if "IDLE" in self.capabilities and not self._is_idle_refused:
            with suppress(CommandRefused):
                await self._connection.idle(seconds)
                return
            self._is_idle_refused = True
        await self._poll(seconds)

    async def _poll(self, seconds: float) -> None:
        protocol = self._connection.protocol
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while not protocol.news.is_set() and not self.is_lost and loop.time() < end:
            await asyncio.wait({protocol.lost}, timeout=min(self.poll_seconds, end - loop.time()))
            if not self.is_lost:
                await self._connection.run(self._connection.command("NOOP"))


def _batches(sizes: dict[int, int], max_size: int) -> Iterator[list[int]]:
    """UIDs to be fetched together, ascending: small ones by bytes, each that is too large alone."""
    batch: list[int] = []
    total = 0
    for uid, size in sorted(sizes.items()):
        if batch and (size > max_size or total + size > BATCH_BYTES):
            yield batch
            batch, total = [], 0
        if size > max_size:
            yield [uid]
            continue
        batch.append(uid)
        total += size
    if batch:
        yield batch


def _set(uids: Sequence[int]) -> str:
    """A sequence set with ranges: `3:5,9`."""
    ranges: list[list[int]] = []
    for uid in sorted(uids):
        if ranges and uid == ranges[-1][1] + 1:
            ranges[-1][1] = uid
        else:
            ranges.append([uid, uid])
    return ",".join(str(first) if first == last else f"{first}:{last}" for first, last in ranges)


def _wire(folder: str) -> str:
    return quoted(encode_name(folder))
