"""An IMAP server for B9: TLS from the first byte, any log-in, one empty inbox, IDLE.

It counts the connections that have been in IDLE and are still there: for a moment in twenty seconds one looks at Junk.

A process of its own that holds thousands of connections; Dovecot would be a process for each of them.
"""

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any, cast

import uvloop

from benchmarks.harness import CannotMeasure

_BACKLOG = 4096
_START_SECONDS = 60.0
_ANSWERS = {
    b"CAPABILITY": b"* CAPABILITY IMAP4rev1 IDLE UIDPLUS SPECIAL-USE\r\n",
    b"LIST": b'* LIST () "/" INBOX\r\n* LIST (\\Junk) "/" Junk\r\n* LIST (\\Sent) "/" Sent\r\n',
    b"SELECT": b"* FLAGS (\\Seen)\r\n* 0 EXISTS\r\n* OK [UIDVALIDITY 1] valid\r\n* OK [UIDNEXT 1] next\r\n",
    b"UID": b"* SEARCH\r\n",
}


@dataclass(frozen=True, slots=True)
class IdleServer:
    port: int
    idle: Any  # a counter that the processes share

    @property
    def idle_count(self) -> int:
        return int(self.idle.value)


@contextmanager
def serving(certificate: Path, *, port: int) -> Iterator[IdleServer]:
    processes = get_context("spawn")
    server = IdleServer(port, processes.Value("q", lock=False))
    is_ready = processes.Event()
    process = processes.Process(target=_run, args=(server, certificate, is_ready), daemon=True)
    process.start()
    try:
        if not is_ready.wait(_START_SECONDS):
            raise CannotMeasure("The IMAP server does not start.")
        yield server
    finally:
        process.terminate()
        process.join()


def _run(server: IdleServer, certificate: Path, is_ready: Event) -> None:
    uvloop.run(_serve(server, certificate, is_ready))


async def _serve(server: IdleServer, certificate: Path, is_ready: Event) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    listener = await asyncio.get_running_loop().create_server(
        lambda: _Connection(server), "127.0.0.1", server.port, ssl=context, backlog=_BACKLOG
    )
    is_ready.set()
    await listener.serve_forever()


class _Connection(asyncio.Protocol):
    def __init__(self, server: IdleServer) -> None:
        self._server = server
        self._received = b""
        self._idle_tag = b""
        self._has_waited = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(b"* OK hello\r\n")

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the signature is inherited
        self._server.idle.value -= self._has_waited

    def data_received(self, data: bytes) -> None:
        *lines, self._received = (self._received + data).split(b"\r\n")
        for line in lines:
            self._answer(line)

    def _answer(self, line: bytes) -> None:
        tag, _, rest = line.partition(b" ")
        command = rest.partition(b" ")[0].upper()
        if line.upper() == b"DONE":
            self._transport.write(self._idle_tag + b" OK done\r\n")
        elif command == b"IDLE":
            self._idle_tag = tag
            self._server.idle.value += not self._has_waited
            self._has_waited = True
            self._transport.write(b"+ idling\r\n")
        else:
            self._transport.write(_ANSWERS.get(command, b"") + tag + b" OK done\r\n")
