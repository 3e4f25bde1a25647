"""IMAP servers on loopback that behave, or misbehave at a chosen command."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from outrider.mail.server import Server, TlsMode

DROP = "drop"  # close the connection, at the end of a text after it was said
SILENCE = "silence"

_USUAL = {
    "CAPABILITY": "* CAPABILITY IMAP4rev1 IDLE UIDPLUS\r\n{tag} OK done\r\n",
    "LOGIN": "{tag} OK logged in\r\n",
    "SELECT": "* 0 EXISTS\r\n* OK [UIDVALIDITY 7] valid\r\n* OK [UIDNEXT 1] next\r\n{tag} OK [READ-WRITE] done\r\n",
    "IDLE": "+ idling\r\n",
    "DONE": "{tag} OK idle ended\r\n",
    "RESPONSE": "{tag} OK logged in\r\n",  # to a challenge of AUTHENTICATE
    "LOGOUT": "* BYE until later\r\n{tag} OK done\r\n",
}
_LITERAL = re.compile(r"\{(\d+)\}$")


@dataclass(slots=True)
class FaultyImap:
    """`answers` maps a command ("GREETING", "UID FETCH" … ) to what is sent: text with {tag}, DROP or SILENCE.

    A list is used up from the front; what is then left is the usual answer.
    """

    answers: dict[str, str | list[str]] = field(default_factory=dict)
    server: Server = field(default_factory=lambda: Server("127.0.0.1", 0, TlsMode.NONE))
    lines: list[str] = field(default_factory=list)
    connections: list[asyncio.StreamWriter] = field(default_factory=list)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    mails: dict[int, bytes] = field(default_factory=dict)
    """By UID, in every folder; with mails the usual answers are those of a server that has them."""
    gate: asyncio.Barrier | None = None
    """Log-ins are answered when this many have come."""

    async def until(self, command: str) -> None:
        """Wait until a client has sent it."""
        while not any(command in line for line in self.lines):  # noqa: ASYNC110 - it is a test
            await asyncio.sleep(0.005)

    def say(self, text: str) -> None:
        """To the last client, unasked."""
        self.connections[-1].write(text.encode())

    def hang_up(self) -> None:
        self.connections[-1].transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self.tasks.add(task)
        self.connections.append(writer)
        try:
            await self._talk(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.tasks.discard(task)
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._answer("GREETING", "*", reader, writer)
        idle_tag = sasl_tag = ""
        while True:
            line = (await reader.readuntil(b"\r\n")).decode().rstrip("\r\n")
            self.lines.append(line)
            if sasl_tag:
                await self._answer("RESPONSE", sasl_tag, reader, writer)
                sasl_tag = ""
                continue
            tag, _, rest = line.partition(" ")
            words = rest.upper().split()
            if literal := _LITERAL.search(line):
                writer.write(b"+ go ahead\r\n")
                await reader.readexactly(int(literal[1]) + 2)
            if line == "DONE":
                await self._answer("DONE", idle_tag, reader, writer)
                continue
            name = " ".join(words[:2]) if words[:1] == ["UID"] else " ".join(words[:1])
            idle_tag = tag if name == "IDLE" else idle_tag
            if name == "AUTHENTICATE" and str(self.answers.get(name)).startswith("+"):
                sasl_tag = tag
            await self._answer(name, tag, reader, writer)
            if name == "LOGOUT":
                return

    async def _answer(self, name: str, tag: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if name == "LOGIN" and self.gate:
            await self.gate.wait()
        answer = self.answers.get(name)
        if isinstance(answer, list):
            answer = answer.pop(0) if answer else None
        if answer is None and self.mails:
            answer = self._as_it_should(name)
        if answer is None:
            answer = "* OK hello\r\n" if name == "GREETING" else _USUAL.get(name, "{tag} BAD what?\r\n")
        if answer.endswith(DROP):
            writer.write(answer.removesuffix(DROP).replace("{tag}", tag).encode("latin-1"))
            await writer.drain()
            raise ConnectionError
        if answer == SILENCE:
            await reader.read(-1)
            raise ConnectionError
        writer.write(answer.replace("{tag}", tag).encode("latin-1"))
        await writer.drain()

    def _as_it_should(self, name: str) -> str | None:
        """What a server with these mails says to the last command."""
        asked = self.lines[-1] if self.lines else ""
        if name == "SELECT":
            uid_next = max(self.mails) + 1
            return (
                f"* {len(self.mails)} EXISTS\r\n* OK [UIDVALIDITY 7] valid\r\n"
                f"* OK [UIDNEXT {uid_next}] next\r\n{{tag}} OK [READ-WRITE] done\r\n"
            )
        if name == "UID SEARCH":
            first = re.search(r"UID (\d+):", asked.partition("SEARCH")[2])
            found = [str(uid) for uid in self.mails if uid >= int(first[1] if first else 1)]
            return f"* SEARCH {' '.join(found)}\r\n{{tag}} OK done\r\n"
        if name == "UID FETCH":
            listed = "".join(self._fetched(place, uid, asked) for place, uid in enumerate(self.mails, 1))
            return listed + "{tag} OK done\r\n"
        return None

    def _fetched(self, place: int, uid: int, asked: str) -> str:
        """Of each mail, wanted or not: that too is allowed."""
        raw = self.mails[uid]
        body = f" BODY[] {{{len(raw)}}}\r\n{raw.decode('latin-1')}" if "BODY" in asked else ""
        return f"* {place} FETCH (UID {uid} RFC822.SIZE {len(raw)} FLAGS (){body})\r\n"


@asynccontextmanager
async def faulty_imap(**answers: str | list[str]) -> AsyncIterator[FaultyImap]:
    """A running server; names of commands with an underscore for the blank: `UID_FETCH="…"`."""
    imap = FaultyImap({name.replace("_", " "): answer for name, answer in answers.items()})
    listener = await asyncio.start_server(imap.serve, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    imap.server = Server("127.0.0.1", port, TlsMode.NONE, username="jo", password="secret")
    try:
        yield imap
    finally:
        listener.close()
        for writer in imap.connections:
            writer.transport.abort()
        await asyncio.gather(*imap.tasks, return_exceptions=True)
