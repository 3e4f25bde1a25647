"""One attempt: a signed POST and what the receiver made of it (contract: webhooks §4). Never raises for a receiver."""

import asyncio
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from uuid import UUID

import httpx
import orjson

from outrider import __version__
from outrider.kit.guard import ForbiddenTarget
from outrider.kit.validation import CONTROL
from outrider.webhooks.models import Level
from outrider.webhooks.payloads import Payload

_CONNECT_SECONDS = 10.0
_READ_BYTES = 65_536
_KEPT_BYTES = 1024
_RETRYABLE = {408, 425, 429}
_WITH_RETRY_AFTER = {429, 503}
_LONGEST_WAIT = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Parcel:
    """All that one POST needs."""

    url: str
    level: Level
    request_id: UUID
    attempt: int
    payload: Payload
    signing_key: str
    is_test: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of an attempt; `error` is None after a 2xx only."""

    status_code: int | None
    error: str | None
    is_retryable: bool
    duration_ms: int
    retry_after: timedelta | None = None
    excerpt: str | None = None
    """The beginning of the answer's body."""


@dataclass(frozen=True, slots=True)
class _Failure:
    error: str
    is_retryable: bool


async def post(http: httpx.AsyncClient, parcel: Parcel, *, timeout_seconds: float, wall: datetime) -> Answer:
    """Deliver once. `http` is a guarded client; `wall` is what a date in Retry-After is compared with."""
    started = asyncio.get_running_loop().time()
    said = await _exchange(http, parcel, timeout_seconds=timeout_seconds)
    duration_ms = round((asyncio.get_running_loop().time() - started) * 1000)
    if isinstance(said, _Failure):
        return Answer(None, said.error, said.is_retryable, duration_ms)
    response, excerpt = said
    status = response.status_code
    wait = _retry_after(response.headers.get("retry-after", ""), wall) if status in _WITH_RETRY_AFTER else None
    return Answer(
        status_code=status,
        error=None if response.is_success else f"HTTP {status}",
        is_retryable=status in _RETRYABLE or response.is_server_error,
        duration_ms=duration_ms,
        retry_after=wait,
        excerpt=excerpt,
    )


def headers(parcel: Parcel, body: bytes) -> dict[str, str]:
    named = {
        "Content-Type": "application/json",
        "User-Agent": f"Outrider/{__version__}",
        "Accept-Encoding": "identity",
        "X-Request-Id": str(parcel.request_id),
        "X-Webhook-Level": parcel.level,
        "X-Webhook-Attempt": str(parcel.attempt),
        "X-Smartlead-Signature": f"sha256={hmac.digest(parcel.signing_key.encode(), body, 'sha256').hex()}",
    }
    return named | ({"X-Webhook-Test": "true"} if parcel.is_test else {})


async def _exchange(
    http: httpx.AsyncClient, parcel: Parcel, *, timeout_seconds: float
) -> tuple[httpx.Response, str] | _Failure:
    body = orjson.dumps(parcel.payload)
    response: httpx.Response | None = None
    excerpt = bytearray()
    try:
        request = http.build_request(
            "POST",
            parcel.url,
            content=body,
            headers=headers(parcel, body),
            timeout=httpx.Timeout(timeout_seconds, connect=_connect_seconds(timeout_seconds)),
        )
        async with asyncio.timeout(timeout_seconds):
            response = await http.send(request, stream=True)
            await _read(response, excerpt)
    except (TimeoutError, httpx.HTTPError, httpx.InvalidURL) as error:
        # once there is a status the receiver has decided; what it says beyond that matters to nobody
        if response is None:
            return _Failure(_explain(error, timeout_seconds), _is_retryable(error))
    finally:
        if response is not None:
            await response.aclose()
    return response, CONTROL.sub("", excerpt[:_KEPT_BYTES].decode("utf-8", "replace"))


async def _read(response: httpx.Response, excerpt: bytearray) -> None:
    """The body, as far as it is of interest: to the end, so that the connection can be used again, if that is near."""
    read_count = 0
    async for chunk in response.aiter_raw():
        read_count += len(chunk)
        if len(excerpt) < _KEPT_BYTES:
            excerpt += chunk
        if read_count >= _READ_BYTES:
            return


def _connect_seconds(timeout_seconds: float) -> float:
    """TCP and TLS each may take this long; less than the whole, which would cut off a TLS handshake uncleanly."""
    return min(_CONNECT_SECONDS, timeout_seconds / 3)


def _is_retryable(error: Exception) -> bool:
    return not isinstance(error, ForbiddenTarget | httpx.InvalidURL | httpx.UnsupportedProtocol)


def _explain(error: Exception, timeout_seconds: float) -> str:
    match error:
        case httpx.ConnectTimeout():
            return f"No connection within {_connect_seconds(timeout_seconds):g} seconds"
        case TimeoutError() | httpx.TimeoutException():
            return f"No answer within {timeout_seconds:g} seconds"
        case ForbiddenTarget():
            return str(error)
        case httpx.ConnectError():
            return f"No connection: {error}"
        case httpx.InvalidURL() | httpx.UnsupportedProtocol():
            return f"The address cannot be used: {error}"
        case _:
            return f"The connection ended before an answer came: {str(error) or type(error).__name__}"


def _retry_after(text: str, wall: datetime) -> timedelta | None:
    """RFC 9110 §10.2.3: seconds or a date."""
    text = text.strip()
    if text.isascii() and text.isdigit():
        return min(timedelta(seconds=int(text[:9])), _LONGEST_WAIT)
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    return min(max(date - wall, timedelta()), _LONGEST_WAIT) if date.tzinfo else None
