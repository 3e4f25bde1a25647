"""A submission server for B2: TLS from the first byte, log-in by password, PIPELINING; it takes mails and counts them.

Of our own because it was the cheapest that was measured: 110 µs of CPU for each mail with its share of the log-in,
against 170 µs of nginx's mail proxy (TLS, AUTH) in front of Postfix's `smtp-sink`. Postfix's `smtpd` is a process for
each connection and writes every mail to its queue. It runs in a process of its own, on uvloop, with OpenSSL's TLS like
the others.
"""

import asyncio
import ssl
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum, auto
from multiprocessing import get_context
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any, cast

import uvloop

from benchmarks.harness import CannotMeasure

_BACKLOG = 4096
_START_SECONDS = 20.0
_EXTENSIONS = (b"PIPELINING", b"SIZE 10485760", b"8BITMIME", b"ENHANCEDSTATUSCODES", b"AUTH PLAIN")
_EHLO = b"250-localhost\r\n" + b"".join(
    b"250%b%b\r\n" % (b" " if word is _EXTENSIONS[-1] else b"-", word) for word in _EXTENSIONS
)


@dataclass(frozen=True, slots=True)
class Submission:
    """A running server. `keep_in`: a folder for the mails it takes."""

    certificate: Path
    port: int
    passwords: Mapping[str, str]
    mails: Any  # counters that the processes share
    sessions: Any  # those with a log-in
    keep_in: Path | None = None

    @property
    def mail_count(self) -> int:
        return int(self.mails.value)

    @property
    def session_count(self) -> int:
        return int(self.sessions.value)


@contextmanager
def serving(
    certificate: Path, *, port: int, passwords: Mapping[str, str], keep_in: Path | None = None
) -> Iterator[Submission]:
    processes = get_context("spawn")
    server = Submission(
        certificate, port, passwords, processes.Value("Q", lock=False), processes.Value("Q", lock=False), keep_in
    )
    is_ready = processes.Event()
    process = processes.Process(target=_run, args=(server, is_ready), daemon=True)
    process.start()
    try:
        if not is_ready.wait(_START_SECONDS):
            raise CannotMeasure("The submission server does not start.")
        yield server
    finally:
        process.terminate()
        process.join()


def _run(server: Submission, is_ready: Event) -> None:
    uvloop.run(_serve(server, is_ready))


async def _serve(server: Submission, is_ready: Event) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server.certificate)
    log_ins = {b64encode(f"\0{name}\0{word}".encode()) for name, word in server.passwords.items()}
    listener = await asyncio.get_running_loop().create_server(
        lambda: _Session(server, log_ins), "127.0.0.1", server.port, ssl=context, backlog=_BACKLOG
    )
    is_ready.set()
    await listener.serve_forever()


class _State(Enum):
    STRANGER = auto()
    KNOWN = auto()  # logged in, between two mails
    SENDER = auto()
    RECIPIENT = auto()
    CONTENT = auto()
    OVER = auto()


_BAD_SEQUENCE = b"503 5.5.1 Bad sequence of commands\r\n"
_FLOW = {
    (_State.KNOWN, b"MAIL"): (_State.SENDER, b"250 2.1.0 Ok\r\n"),
    (_State.SENDER, b"RCPT"): (_State.RECIPIENT, b"250 2.1.5 Ok\r\n"),
    (_State.RECIPIENT, b"RCPT"): (_State.RECIPIENT, b"250 2.1.5 Ok\r\n"),
    (_State.RECIPIENT, b"DATA"): (_State.CONTENT, b"354 End data with <CR><LF>.<CR><LF>\r\n"),
}
"""What a command leads to in a state."""


class _Session(asyncio.Protocol):
    def __init__(self, server: Submission, log_ins: set[bytes]) -> None:
        self._server = server
        self._log_ins = log_ins
        self._received = b""
        self._state = _State.STRANGER

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(b"220 localhost ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        self._received += data
        answers = []
        while self._state is not _State.OVER:
            is_content = self._state is _State.CONTENT
            part, ends, rest = self._received.partition(b"\r\n.\r\n" if is_content else b"\r\n")
            if not ends:
                break
            self._received = rest
            answers.append(self._take(part) if is_content else self._answer(part))
        self._transport.write(b"".join(answers))
        if self._state is _State.OVER:
            self._transport.close()

    def _answer(self, line: bytes) -> bytes:
        verb = line[:4].upper()
        if verb == b"EHLO":
            return _EHLO
        if verb == b"AUTH":
            return self._log_in(line)
        if verb == b"QUIT":
            self._state = _State.OVER
            return b"221 2.0.0 Bye\r\n"
        self._state, answer = _FLOW.get((self._state, verb), (self._state, _BAD_SEQUENCE))
        return answer

    def _log_in(self, line: bytes) -> bytes:
        if line[len("AUTH PLAIN ") :] not in self._log_ins:
            return b"535 5.7.8 Authentication failed\r\n"
        self._state = _State.KNOWN
        self._server.sessions.value += 1
        return b"235 2.7.0 Authentication successful\r\n"

    def _take(self, content: bytes) -> bytes:
        self._state = _State.KNOWN
        self._server.mails.value += 1
        if self._server.keep_in:
            mail = content.replace(b"\r\n..", b"\r\n.") + b"\r\n"
            (self._server.keep_in / f"{self._server.mails.value}").write_bytes(mail)
        return b"250 2.0.0 Ok: queued as %X\r\n" % self._server.mails.value
