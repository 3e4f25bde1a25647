"""Answers: ready bytes, and the one error envelope of all areas (contract: conventions §4, §7, §8)."""

import re
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import orjson
from starlette.responses import Response, StreamingResponse

from outrider.kit.errors import Problem

JSON_TYPE = b"application/json; charset=utf-8"
_PLAIN_NAME = re.compile(r"[A-Za-z0-9._-]+")
_UNSAFE_IN_NAME = re.compile(r'[^ -~]|["\\\\]')
_OPTIONS = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS


class JsonReply(Response):
    """A body that is JSON already."""

    media_type = "application/json"

    def __init__(self, body: bytes, *, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        # not Response.__init__: it encodes what is known to be ready, 5 µs per answer
        self.status_code = status
        self.body = body
        self.background = None
        self.raw_headers = [(b"content-length", b"%d" % len(body)), (b"content-type", JSON_TYPE)]
        for name, value in (headers or {}).items():
            self.raw_headers.append((name.lower().encode("latin-1"), value.encode("latin-1")))


def reply(data: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """JSON: times as 2026-03-30T08:00:02.117Z, dates as 2026-03-30, UUIDs and enums by value."""
    return JsonReply(json_bytes(data), status=status, headers=headers)


def json_bytes(data: Any) -> bytes:
    return orjson.dumps(data, default=_plain, option=_OPTIONS)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return written(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, frozenset | set):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} has no form on the wire")


def written(time: datetime) -> str:
    """`2026-03-30T08:00:02.117Z`, the form of every time of the API; the rest of the microseconds is cut off."""
    if time.tzinfo is not UTC:
        time = time.astimezone(UTC)
    return time.isoformat(timespec="milliseconds")[:-6] + "Z"


def problem_reply(problem: Problem) -> Response:
    """The envelope; `retry_after` among its extra keys becomes the header too."""
    headers: dict[str, str] = {}
    if problem.status == 401:  # noqa: PLR2004
        headers["www-authenticate"] = "ApiKey"
    if "retry_after" in problem.extra:
        headers["retry-after"] = str(problem.extra["retry_after"])
    return reply(problem.envelope(), status=problem.status, headers=headers)


def stream_csv(filename: str, lines: AsyncIterator[str]) -> Response:
    """A download. The lines are made after the transaction of the request has ended: read with `ctx.database`."""
    headers = {"content-disposition": f"attachment; {_named(filename)}"}
    return StreamingResponse(lines, media_type="text/csv; charset=utf-8", headers=headers)


def _named(filename: str) -> str:
    """RFC 6266 §4.1: a plain name is written plainly, as the contract shows it; others also in the extended form."""
    if _PLAIN_NAME.fullmatch(filename):
        return f"filename={filename}"
    ascii_name = _UNSAFE_IN_NAME.sub("_", filename)
    return f"filename=\"{ascii_name}\"; filename*=UTF-8''{quote(filename)}"
