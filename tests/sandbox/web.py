"""A small web server on loopback that writes down what is asked of it, for tests of people who open and click."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

UNSUBSCRIBE_PAGE = """<html><body><h1>Leave the list?</h1>
<form method="post" action="/confirm/7"><input type="hidden" name="token" value="abc">
<button name="yes" value="1">Yes</button>
<button name="no" value="1">No</button></form></body></html>"""


@dataclass(frozen=True, slots=True)
class Asked:
    method: str
    path: str
    agent: str
    form: dict[str, str]


@dataclass(slots=True)
class Web:
    """What was asked, and the address to build links with. Paths decide the answer."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list)

    def paths(self, method: str = "GET") -> list[str]:
        return [each.path for each in self.asked if each.method == method]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        lines = head.split("\r\n")
        method, path, _ = lines[0].split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        body = (await reader.readexactly(int(headers.get("content-length", "0")))).decode()
        form = {name: values[0] for name, values in parse_qs(body).items()}
        self.asked.append(Asked(method, path, headers.get("user-agent", ""), form))
        writer.write(self._answer(urlsplit(path).path).encode())
        await writer.drain()
        writer.close()

    def _answer(self, path: str) -> str:
        if path.startswith("/c/"):
            return _response("302 Found", "", "Location: https://elsewhere.example/landing\r\n")
        if path.startswith("/there"):
            return _response("302 Found", "", f"Location: {self.url}/arrived\r\n")
        if path.startswith("/u/"):
            return _response("200 OK", UNSUBSCRIBE_PAGE)
        if path.startswith("/broken"):
            return _response("500 Internal Server Error", "")
        return _response("200 OK", "ok")


@asynccontextmanager
async def run_web() -> AsyncIterator[Web]:
    web = Web()
    server = await asyncio.start_server(web.serve, "127.0.0.1", 0)
    web.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield web
    finally:
        server.close()
        await server.wait_closed()


def _response(status: str, body: str, headers: str = "") -> str:
    return (
        f"HTTP/1.1 {status}\r\nContent-Type: text/html\r\n{headers}Content-Length: {len(body)}\r\n"
        f"Connection: close\r\n\r\n{body}"
    )
