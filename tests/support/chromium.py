"""A real Chromium for tests, and everywhere else that it might want to go: every name leads to one server on loopback.

Skipped where none is installed (Debian: chromium); CI installs it. Playwright drives it and brings no browser itself.
"""

import asyncio
import os
import shutil
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
import uvicorn
from playwright.async_api import Browser, async_playwright

from outrider.kit.edge import Edge

BINARY = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
needs_chromium = pytest.mark.skipif(BINARY is None, reason="Chromium is not installed")

_GIF = bytes.fromhex("47494638396101000100800000ffffff00000021f90400000000002c00000000010001000002024401003b")


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that reached the server of everywhere else; of one over TLS only the name of the host is known."""

    host: str
    path: str
    headers: dict[str, str]


@dataclass(slots=True)
class Elsewhere:
    """Writes down who asks for what. `pages` are documents by host and path, with headers of their own."""

    port: int = 0
    asked: list[Asked] = field(default_factory=list)
    pages: dict[tuple[str, str], tuple[str, dict[str, str]]] = field(default_factory=dict)

    def heard(self, host: str) -> list[Asked]:
        """What a host was asked for; the browser itself asks its maker's hosts for this and that."""
        return [each for each in self.asked if each.host == host or (not each.host and host in each.path)]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await _read_head(reader):
                lines = head.decode("latin-1").split("\r\n")
                headers = {
                    name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])
                }
                parts = lines[0].split(" ")
                asked = Asked(
                    headers.get("host", ""), parts[1] if "host" in headers else head.decode("latin-1"), headers
                )
                self.asked.append(asked)
                writer.write(self._answer(asked))
                await writer.drain()
        finally:
            writer.close()

    def _answer(self, asked: Asked) -> bytes:
        page = self.pages.get((asked.host, asked.path.partition("?")[0]))
        if page is None:
            kind, body, more = ("image/gif", _GIF, {}) if asked.path.endswith(".gif") else ("text/plain", b"", {})
        else:
            kind, body, more = "text/html; charset=utf-8", page[0].encode("utf-8", "replace"), page[1]
        lines = [f"{name}: {value}" for name, value in {"access-control-allow-origin": "*", **more}.items()]
        head = "\r\n".join(["HTTP/1.1 200 OK", f"content-type: {kind}", f"content-length: {len(body)}", *lines])
        return head.encode() + b"\r\n\r\n" + body


async def _read_head(reader: asyncio.StreamReader) -> bytes:
    """Up to the empty line; whatever came, if it is no HTTP."""
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        return error.partial
    except (asyncio.LimitOverrunError, ConnectionError):
        return b""


@asynccontextmanager
async def running_elsewhere() -> AsyncIterator[Elsewhere]:
    elsewhere = Elsewhere()
    server = await asyncio.start_server(elsewhere.serve, "127.0.0.1", 0)
    elsewhere.port = server.sockets[0].getsockname()[1]
    try:
        yield elsewhere
    finally:
        server.close()


@asynccontextmanager
async def running_chromium(elsewhere: Elsewhere) -> AsyncIterator[Browser]:
    """Whatever name it looks up is `elsewhere`; only 127.0.0.1 is what it is."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=BINARY,
            args=[
                f"--host-resolver-rules=MAP * 127.0.0.1:{elsewhere.port}, EXCLUDE 127.0.0.1",
                "--disable-background-networking",
                "--disable-features=IsolateSandboxedIframes",  # a process for each frame: nothing but slower
            ],
            env={**os.environ, "LANGUAGE": "en"},
        )
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def serving(make: Callable[[str], Edge]) -> AsyncIterator[str]:
    """An application on a port of its own; `make` is told the address that it will have."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    config = uvicorn.Config(
        make(address), log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.01)
        yield address
    finally:
        server.should_exit = True
        await task
        listener.close()
