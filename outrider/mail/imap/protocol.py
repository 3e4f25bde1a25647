"""aioimaplib's protocol, made fit for hostile servers and lost connections.

What is ours: a lost connection is an awaitable, in the same moment; new mail is noticed during any command; answers are
bounded; lines do not recurse without end; SASL exchanges; STARTTLS. The wire format itself stays the library's.
"""

import asyncio
import logging
import socket
import ssl
from base64 import b64encode
from collections import deque
from collections.abc import Awaitable
from typing import Any, cast

from aioimaplib.aioimaplib import AUTH, CONNECTED, NONAUTH, Command, IMAP4ClientProtocol, IncompleteRead

# It logs what it receives: bodies and addresses.
logging.getLogger("aioimaplib").setLevel(logging.WARNING)

# The library recurses once per line; the shortest line has two bytes.
SLICE = 1024
ALLOWANCE = 4_000_000  # bytes of an answer, unless more was asked for

# A peer that vanished without a word is noticed after about four minutes (seconds, seconds, count).
_KEEPALIVE = (("TCP_KEEPIDLE", 120), ("TCP_KEEPINTVL", 30), ("TCP_KEEPCNT", 4))


class ImapProtocol(IMAP4ClientProtocol):  # type: ignore[misc]  # the library has no types
    """One connection. `lost` is done when it is gone, with the reason as its result."""

    transport: Any  # asyncio.Transport, once connected
    capabilities: set[str]
    current_command: Command | None
    incomplete_line: bytes

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        super().__init__(loop)
        self.greeting: asyncio.Future[bytes] = loop.create_future()
        self.lost: asyncio.Future[str] = loop.create_future()
        self.news = asyncio.Event()  # the server spoke of messages it has (EXISTS)
        self.received_count = 0  # bytes
        self.allowance = ALLOWANCE
        self.answers: deque[bytes] = deque()  # for the challenges of a SASL exchange
        self._unfinished_line: list[bytes] = []
        self._farewell = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        connection = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _KEEPALIVE:
            if hasattr(socket, name):
                connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)

    def connection_lost(self, exc: Exception | None) -> None:
        self._lose(self._farewell or (f"the connection broke: {exc}" if exc else "the server closed the connection"))

    def data_received(self, data: bytes) -> None:
        self.received_count += len(data)
        self.allowance -= len(data)
        if self.lost.done():
            return
        if self.allowance < 0:
            self.abort("the server sends more than it was asked for")
            return
        try:
            for start in range(0, len(data), SLICE):
                self._feed(data[start : start + SLICE])
        except Exception as error:  # noqa: BLE001 - whatever a server makes the library stumble over
            self.abort(f"the server does not speak IMAP: {error}")

    def abort(self, reason: str) -> None:
        self._lose(reason)
        if self.transport is not None:
            self.transport.abort()

    async def start_tls(self, context: ssl.SSLContext, hostname: str, *, seconds: float) -> None:
        """Raises OSError. What the server said in plain text does not count any more (RFC 9051 §6.2.1)."""
        if self.incomplete_line or self._unfinished_line:
            self.abort("the server went on in plain text after STARTTLS")
            raise ConnectionAbortedError("plain text after STARTTLS")
        upgrade = cast(
            "Awaitable[asyncio.Transport]",
            self.loop.start_tls(self.transport, self, context, server_hostname=hostname, ssl_handshake_timeout=seconds),
        )
        self.transport = await upgrade
        self.capabilities = set()

    def _feed(self, piece: bytes) -> None:
        is_in_literal = self.current_command is not None and self.current_command.wait_literal_data()
        if not is_in_literal and b"\n" not in piece:
            self._unfinished_line.append(piece)  # joined once: a line of all UIDs has hundreds of kilobytes
            return
        data = b"".join((self.incomplete_line, *self._unfinished_line, piece))
        self._unfinished_line.clear()
        try:
            self._handle_responses(data, self._handle_line, self.current_command)
            self.incomplete_line = b""
            self.current_command = None
        except IncompleteRead as incomplete:
            self.current_command = incomplete.cmd
            self.incomplete_line = incomplete.data

    def _handle_line(self, line: bytes, current_command: Command | None) -> Command | None:
        if self.state == CONNECTED:
            self._greet(line)
            return None
        return super()._handle_line(line, current_command)

    def _greet(self, line: bytes) -> None:
        words = line.upper().split(maxsplit=2)
        if words[:2] == [b"*", b"PREAUTH"]:
            self.state = AUTH
        elif words[:2] == [b"*", b"OK"]:
            self.state = NONAUTH
        elif words[:2] != [b"*", b"BYE"]:
            self.abort(f"the server greeted with {line[:200].decode('utf-8', 'replace')}")
            return
        if not self.greeting.done():
            self.greeting.set_result(line)

    def _untagged_response(self, line: bytes) -> Command | None:
        words = line.upper().split(maxsplit=3)
        if words[2:3] == [b"EXISTS"]:
            self.news.set()
        elif words[1:2] == [b"CAPABILITY"]:
            self.capabilities = set(line.decode("ascii", "replace").upper().split()[2:])
        elif words[1:2] == [b"BYE"]:
            self._farewell = f"the server said {line[2:200].decode('utf-8', 'replace').rstrip(' .')}"
        return super()._untagged_response(line)

    def _continuation(self, line: bytes) -> None:
        pending = self.pending_sync_command
        if pending is None or pending.name != "AUTHENTICATE":
            super()._continuation(line)
        elif self.answers:
            self.transport.write(b64encode(self.answers.popleft()) + b"\r\n")
        else:
            self.transport.write(b"*\r\n")  # gives up (RFC 9051 §6.2.2)

    def _lose(self, reason: str) -> None:
        """The first reason is the true one."""
        if not self.lost.done():
            self.lost.set_result(reason)


def quoted(text: str) -> str:
    """A quoted string (RFC 9051 §4.3)."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def lines_of(response: Any) -> list[bytes | bytearray]:
    """The answer without the text of its tagged line; literals are bytearrays."""
    return list(response.lines[:-1])
