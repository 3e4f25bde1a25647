"""Attachments that a request names by address: fetched through the guarded client, within bounds."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote, urljoin, urlsplit

import httpx

from outrider.config import Settings
from outrider.inbox.models import AttachmentUnreachable
from outrider.kit.guard import guarded_client
from outrider.messages.received import File

MOST_FILES = 10
MOST_BYTES = 25 * 1024 * 1024
_SECONDS = 30.0
_MOST_REDIRECTS = 3
_OK = 200


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file by its address; name and type as they were given, else as the address and the server say."""

    url: str
    name: str | None
    type: str | None


async def fetch(settings: Settings, wanted: Sequence[Wanted]) -> list[File]:
    """All of them, or AttachmentUnreachable: a mail without what it names must not leave."""
    files: list[File] = []
    room = MOST_BYTES
    async with guarded_client(settings) as http:
        for each in wanted:
            try:
                async with asyncio.timeout(_SECONDS):
                    file = await _fetch(http, each, room)
            except TimeoutError as error:
                raise AttachmentUnreachable(url=each.url, reason="it took too long") from error
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                raise AttachmentUnreachable(url=each.url, reason=str(error) or type(error).__name__) from error
            room -= file.size
            files.append(file)
    return files


async def _fetch(http: httpx.AsyncClient, wanted: Wanted, room: int) -> File:
    url = wanted.url
    for _ in range(_MOST_REDIRECTS + 1):
        async with http.stream("GET", url) as answer:  # each address on the way is checked by the client
            if answer.is_redirect:
                url = urljoin(url, answer.headers["location"])
                continue
            if answer.status_code != _OK:
                raise AttachmentUnreachable(url=wanted.url, reason=f"the server answered {answer.status_code}")
            content = await _read(answer, wanted, room)
            kind = wanted.type or answer.headers.get("content-type", "").partition(";")[0].strip()
            name = wanted.name or _name_in(url)
            return File(name, kind or "application/octet-stream", content, size=len(content))
    raise AttachmentUnreachable(url=wanted.url, reason="it leads from one address to another")


async def _read(answer: httpx.Response, wanted: Wanted, room: int) -> bytes:
    content = bytearray()
    async for piece in answer.aiter_bytes():
        content += piece
        if len(content) > room:
            raise AttachmentUnreachable(url=wanted.url, reason="all attachments together may have 25 MB")
    return bytes(content)


def _name_in(url: str) -> str:
    return unquote(urlsplit(url).path.rpartition("/")[2]) or "attachment"
