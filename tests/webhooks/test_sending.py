"""One attempt over real HTTP: headers, signature, what counts as success, and how failures are told."""

import asyncio
import hashlib
import hmac
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from outrider import __version__
from outrider.config import Settings
from outrider.kit.guard import guarded_client
from outrider.webhooks.models import Level
from outrider.webhooks.sending import Answer, Parcel, headers, post
from tests.support.receiver import Receiver, Reply

WALL = datetime(2026, 3, 30, 12, tzinfo=UTC)
REQUEST_ID = UUID("7d444840-9dc0-11d1-b245-5ffdce74fad2")


def parcel(url: str, **given: Any) -> Parcel:
    values: dict[str, Any] = {
        "level": Level.CAMPAIGN,
        "request_id": REQUEST_ID,
        "attempt": 2,
        "payload": {"event_type": "EMAIL_SENT", "subject": "Grüße ✓"},
        "signing_key": "hush",
    }
    return Parcel(url=url, **{**values, **given})


async def send(http: httpx.AsyncClient, url: str, *, seconds: float = 5, **given: Any) -> Answer:
    return await post(http, parcel(url, **given), timeout_seconds=seconds, wall=WALL)


async def test_a_delivery_is_one_signed_json_object(http: httpx.AsyncClient, receiver: Receiver) -> None:
    answer = await send(http, receiver.url)
    [request] = receiver.requests
    assert (request.method, request.path) == ("POST", "/hook?token=abc")
    assert request.json == {"event_type": "EMAIL_SENT", "subject": "Grüße ✓"}
    assert "Grüße ✓".encode() in request.body
    signature = hmac.new(b"hush", request.body, hashlib.sha256).hexdigest()
    named = {
        "content-type": "application/json",
        "user-agent": f"Outrider/{__version__}",
        "x-request-id": str(REQUEST_ID),
        "x-webhook-level": "campaign",
        "x-webhook-attempt": "2",
        "x-smartlead-signature": f"sha256={signature}",
    }
    assert named.items() <= request.headers.items()
    assert "x-webhook-test" not in request.headers
    assert (answer.status_code, answer.error, answer.is_retryable) == (200, None, False)


def test_the_signature_of_rfc_4231() -> None:
    """Test case 2."""
    named = headers(parcel("https://hooks.example.net/", signing_key="Jefe"), b"what do ya want for nothing?")
    assert named["X-Smartlead-Signature"] == ("sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")


async def test_a_trial_says_so(http: httpx.AsyncClient, receiver: Receiver) -> None:
    await send(http, receiver.url, is_test=True)
    assert receiver.requests[0].headers["x-webhook-test"] == "true"


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
async def test_every_2xx_is_success(http: httpx.AsyncClient, receiver: Receiver, status: int) -> None:
    receiver.replies = [Reply(status)]
    answer = await send(http, receiver.url)
    assert (answer.status_code, answer.error) == (status, None)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 599])
async def test_these_are_tried_again(http: httpx.AsyncClient, receiver: Receiver, status: int) -> None:
    receiver.replies = [Reply(status)]
    answer = await send(http, receiver.url)
    assert (answer.status_code, answer.error, answer.is_retryable) == (status, f"HTTP {status}", True)


@pytest.mark.parametrize("status", [301, 302, 307, 304, 400, 401, 403, 404, 410, 422])
async def test_these_are_final(http: httpx.AsyncClient, receiver: Receiver, status: int) -> None:
    receiver.replies = [Reply(status, {"location": receiver.url})]
    answer = await send(http, receiver.url)
    assert (answer.status_code, answer.error, answer.is_retryable) == (status, f"HTTP {status}", False)
    assert len(receiver.requests) == 1


@pytest.mark.parametrize(
    ("status", "said", "wait"),
    [
        (429, "120", timedelta(seconds=120)),
        (503, " 7 ", timedelta(seconds=7)),
        (503, "999999999999", timedelta(hours=1)),
        (503, "Mon, 30 Mar 2026 12:10:00 GMT", timedelta(minutes=10)),
        (503, "Mon, 30 Mar 2026 11:00:00 GMT", timedelta()),
        (503, "Tue, 31 Mar 2026 12:00:00 GMT", timedelta(hours=1)),
        (503, "soon", None),
        (503, "-5", None),
        (500, "120", None),
    ],
)
async def test_retry_after(
    http: httpx.AsyncClient, receiver: Receiver, status: int, said: str, wait: timedelta | None
) -> None:
    receiver.replies = [Reply(status, {"retry-after": said})]
    assert (await send(http, receiver.url)).retry_after == wait


async def test_the_beginning_of_the_answer_is_kept(http: httpx.AsyncClient, receiver: Receiver) -> None:
    receiver.replies = [Reply(400, body=b"n\x00o " + "ü".encode() * 2000)]
    answer = await send(http, receiver.url)
    assert answer.excerpt is not None
    assert answer.excerpt.startswith("no üü")
    assert len(answer.excerpt.encode()) <= 1026


async def test_an_endless_answer_is_not_read_to_its_end(http: httpx.AsyncClient, receiver: Receiver) -> None:
    receiver.replies = [Reply(200, {"content-length": str(10**12)}, b"x" * 200_000)]
    answer = await send(http, receiver.url)
    assert (answer.status_code, answer.error) == (200, None)


async def test_a_body_that_does_not_come_does_not_undo_a_success(http: httpx.AsyncClient, receiver: Receiver) -> None:
    receiver.replies = [Reply(200, {"content-length": "100"}, b"x")]
    answer = await send(http, receiver.url, seconds=0.2)
    assert (answer.status_code, answer.error) == (200, None)


async def test_a_silent_receiver_is_tried_again(http: httpx.AsyncClient, receiver: Receiver) -> None:
    receiver.replies = [Reply(delay=5)]
    answer = await send(http, receiver.url, seconds=0.2)
    assert (answer.status_code, answer.error, answer.is_retryable) == (None, "No answer within 0.2 seconds", True)


async def test_a_connection_that_ends_is_tried_again(http: httpx.AsyncClient, receiver: Receiver) -> None:
    receiver.replies = [Reply(is_silent=True)]
    answer = await send(http, receiver.url)
    assert answer.error is not None
    assert answer.error.startswith("The connection ended before an answer came")
    assert answer.is_retryable


async def test_no_connection_is_tried_again(http: httpx.AsyncClient) -> None:
    server = await asyncio.start_server(lambda _reader, _writer: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    answer = await send(http, f"http://127.0.0.1:{port}/")
    assert answer.error is not None
    assert answer.error.startswith("No connection: ")
    assert answer.is_retryable


async def test_an_unknown_host_is_tried_again(settings: Settings) -> None:
    async def unknown(_host: str, _port: int) -> list[str]:
        raise OSError("no such name")

    async with guarded_client(settings, resolve=unknown) as http:
        answer = await send(http, "http://gone.test/")
    assert (answer.error, answer.is_retryable) == ("No connection: The host gone.test is not known", True)


async def test_no_tls_is_tried_again(http: httpx.AsyncClient, receiver: Receiver) -> None:
    answer = await send(http, receiver.url.replace("http:", "https:"), seconds=0.6)
    assert answer.error is not None
    assert answer.is_retryable


async def test_a_forbidden_target_is_final_and_names_the_setting(settings: Settings, receiver: Receiver) -> None:
    async with guarded_client(replace(settings, allow_private_networks=False)) as http:
        answer = await send(http, receiver.url)
    assert answer.error is not None
    assert "OUTRIDER_ALLOW_PRIVATE_NETWORKS" in answer.error
    assert not answer.is_retryable
    assert receiver.requests == []


@pytest.mark.parametrize("url", ["ftp://hooks.example.net/", "http://", "http://[::1/"])
async def test_an_address_that_cannot_be_used_is_final(http: httpx.AsyncClient, url: str) -> None:
    answer = await send(http, url)
    assert answer.error is not None
    assert not answer.is_retryable


async def test_connections_are_used_again(http: httpx.AsyncClient, receiver: Receiver) -> None:
    await send(http, receiver.url)
    await send(http, receiver.url)
    assert [request.connection for request in receiver.requests] == [1, 1]
