"""SMTP servers on loopback that behave, or misbehave at a chosen point."""

import asyncio
import ssl
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace

from outrider.mail.server import Server, TlsMode


@dataclass(frozen=True, slots=True)
class Fault:
    """What the server does instead of its usual answer."""

    reply: str | None = None  # sent as it is, without adding CRLF
    drop: bool = False
    silent: bool = False
    delay: float = 0.0


DROP = Fault(drop=True)
SILENCE = Fault(silent=True)
USUAL = Fault()


def reply(text: str, *, drop: bool = False) -> Fault:
    return Fault(reply=f"{text}\r\n", drop=drop)


@dataclass(slots=True)
class Received:
    sender: str
    recipients: list[str]
    content: bytes


@dataclass(slots=True)
class FaultySmtp:
    """`faults` maps a point to what happens there, in order.

    Points: CONNECT EHLO HELO STARTTLS AUTH MAIL RCPT DATA CONTENT RSET QUIT.
    """

    faults: dict[str, list[Fault]] = field(default_factory=dict)
    extensions: tuple[str, ...] = ("PIPELINING", "SIZE 1000000", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES")
    tls: ssl.SSLContext | None = None
    read_content: int | None = None  # octets of content after which the connection is dropped
    password: str = "secret"
    server: Server = field(default_factory=lambda: Server("127.0.0.1", 0, TlsMode.NONE))
    mails: list[Received] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    is_ahead: list[str] = field(default_factory=list)  # commands after which more was waiting already
    connection_count: int = 0
    resumed_count: int = 0
    conversations: dict[asyncio.Task[None], asyncio.StreamWriter] = field(default_factory=dict)
    has_fallen_silent: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connection_count += 1
        task = asyncio.current_task()
        assert task
        self.conversations[task] = writer
        try:
            await _Dialogue(self, reader, writer).run()
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        finally:
            writer.close()
            with suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()
            del self.conversations[task]

    def fault(self, point: str) -> Fault:
        waiting = self.faults.get(point)
        return waiting.pop(0) if waiting else USUAL


class _Hangup(ConnectionError):
    pass


@dataclass(slots=True)
class _Dialogue:
    owner: FaultySmtp
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    sender: str | None = None
    recipients: list[str] = field(default_factory=list)
    is_secure: bool = False

    async def run(self) -> None:
        self._note_tls()
        await self.answer("CONNECT", "220 sandbox.example ESMTP")
        while True:
            line = (await self.reader.readuntil(b"\r\n")).decode().rstrip("\r\n")
            self.owner.lines.append(line)
            await asyncio.sleep(0)
            if getattr(self.reader, "_buffer"):  # noqa: B009 - private to everyone but us
                self.owner.is_ahead.append(line)
            verb = line.split(" ")[0].split(":")[0].upper()
            await getattr(self, f"do_{verb.lower()}", self.do_unknown)(line)

    def _note_tls(self) -> None:
        ssl_object = self.writer.get_extra_info("ssl_object")
        if ssl_object is not None:
            self.is_secure = True
            self.owner.resumed_count += bool(ssl_object.session_reused)

    async def answer(self, point: str, usual: str) -> bool:
        """Whether the usual answer was given."""
        fault = self.owner.fault(point)
        await asyncio.sleep(fault.delay)
        if fault.silent:
            self.owner.has_fallen_silent.set()
            await self.reader.read(-1)
            raise _Hangup
        if fault.reply is not None:
            await self.say(fault.reply)
        if fault.drop:
            raise _Hangup
        if fault.reply is None:
            await self.say(f"{usual}\r\n")
        return fault.reply is None

    async def say(self, text: str) -> None:
        if self.writer.is_closing():
            raise _Hangup
        self.writer.write(text.encode())
        await self.writer.drain()

    async def do_ehlo(self, _: str) -> None:
        extensions = [*self.owner.extensions]
        if self.owner.tls and not self.is_secure:
            extensions.append("STARTTLS")
        lines = ["sandbox.example", *extensions]
        await self.answer(
            "EHLO", "\r\n".join(f"250{'-' if n < len(lines) else ' '}{text}" for n, text in enumerate(lines, 1))
        )

    async def do_helo(self, _: str) -> None:
        await self.answer("HELO", "250 sandbox.example")

    async def do_starttls(self, _: str) -> None:
        assert self.owner.tls
        if await self.answer("STARTTLS", "220 go ahead"):
            await self.writer.start_tls(self.owner.tls)
            self._note_tls()

    async def do_auth(self, _: str) -> None:
        await self.answer("AUTH", "235 2.7.0 accepted")

    async def do_mail(self, line: str) -> None:
        if self.sender is not None:
            await self.say("503 5.5.1 nested MAIL\r\n")
        elif await self.answer("MAIL", "250 2.1.0 ok"):
            self.sender = line.partition("<")[2].partition(">")[0]

    async def do_rcpt(self, line: str) -> None:
        if self.sender is None:
            await self.say("503 5.5.1 need MAIL\r\n")
        elif await self.answer("RCPT", "250 2.1.5 ok"):
            self.recipients.append(line.partition("<")[2].partition(">")[0])

    async def do_data(self, _: str) -> None:
        if not self.recipients and "DATA" not in self.owner.faults:
            await self.say("554 5.5.1 no valid recipients\r\n")
            return
        if not await self.answer("DATA", "354 go ahead"):
            return
        await self.take_content()

    async def take_content(self) -> None:
        if self.owner.read_content is not None:
            await self.reader.readexactly(self.owner.read_content)
            raise _Hangup
        lines: list[bytes] = []
        while lines[-1:] != [b".\r\n"]:
            lines.append(await self.reader.readuntil(b"\r\n"))
        content = b"".join(line.removeprefix(b".") for line in lines[:-1])
        sender, recipients, self.sender, self.recipients = self.sender, self.recipients, None, []
        if await self.answer("CONTENT", "250 2.0.0 queued"):
            self.owner.mails.append(Received(sender or "", recipients, content))

    async def do_rset(self, _: str) -> None:
        self.sender, self.recipients = None, []
        await self.answer("RSET", "250 2.0.0 ok")

    async def do_quit(self, _: str) -> None:
        await self.answer("QUIT", "221 2.0.0 bye")
        raise _Hangup

    async def do_unknown(self, _: str) -> None:
        await self.say("500 5.5.2 what?\r\n")


@asynccontextmanager
async def running(smtp: FaultySmtp, *, tls_mode: TlsMode = TlsMode.NONE) -> AsyncIterator[FaultySmtp]:
    """The server listens, and `smtp.server` says how to reach it."""
    context = smtp.tls if tls_mode is TlsMode.IMPLICIT else None
    listener = await asyncio.start_server(smtp.serve, "127.0.0.1", 0, ssl=context, limit=2**22)
    port = listener.sockets[0].getsockname()[1]
    smtp.server = replace(smtp.server, port=port, tls=tls_mode)
    try:
        yield smtp
    finally:
        listener.close()
        for writer in smtp.conversations.values():
            writer.transport.abort()
        await asyncio.gather(*smtp.conversations)
        await listener.wait_closed()


def faults(by_point: Mapping[str, Fault | Iterable[Fault]]) -> dict[str, list[Fault]]:
    found: dict[str, list[Fault]] = defaultdict(list)
    for point, fault in by_point.items():
        found[point].extend([fault] if isinstance(fault, Fault) else fault)
    return dict(found)
