"""Requests as `curl` sends them: what a test says and nothing else, over a real connection.

    say("POST", f"{url}/api/v1/campaigns/create?api_key={key}", data='{"name": "Autumn"}').json["id"]

With `data` alone the content type is that of a form, as with curl: many integrations post JSON so.
"""

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

JSON = "application/json; charset=utf-8"
_FORM = "application/x-www-form-urlencoded"
_SECONDS = 60


@dataclass(frozen=True)  # not slotted: what is read is kept on the instance
class Answer:
    """What came back, header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @cached_property
    def json(self) -> Any:
        """The body, which must say of itself that it is JSON."""
        assert self.headers.get("content-type") == JSON, f"{self.status} {self.headers} {self.body[:500]!r}"
        return json.loads(self.body)


def say(
    method: str, url: str, *, data: str | bytes | None = None, headers: Mapping[str, str | None] | None = None
) -> Answer:
    """One request on a connection of its own; a header that is None is left out."""
    parts = urlsplit(url)
    body = data.encode() if isinstance(data, str) else data
    given: dict[str, str | None] = {"Host": parts.netloc, "User-Agent": "curl/8.5.0", "Accept": "*/*"}
    if body is not None:
        given |= {"Content-Type": _FORM, "Content-Length": str(len(body))}
    given |= dict(headers or {})
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=_SECONDS)
    try:
        connection.putrequest(
            method,
            f"{parts.path}?{parts.query}" if parts.query else parts.path,
            skip_host=True,
            skip_accept_encoding=True,
        )
        for name, value in given.items():
            if value is not None:
                connection.putheader(name, value)
        connection.endheaders(body)
        answer = connection.getresponse()
        named = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(answer.status, named, answer.read())
    finally:
        connection.close()
