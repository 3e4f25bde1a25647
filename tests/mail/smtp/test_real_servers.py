"""Submission to servers written by others: aiosmtpd in this process, Postfix's smtp-sink where it is installed."""

import asyncio
import email
import os
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import policy
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword
from aiosmtpd.smtp import Envelope as TakenEnvelope

from outrider.mail.compose import Skeleton
from outrider.mail.server import Server, TlsMode
from outrider.mail.smtp import Accepted, Deferred, Envelope, Outcome, Rejected, Submitter, Unknown, check
from outrider.mail.tls import TlsContexts
from tests.support import submitting
from tests.support.certificates import server_context, write_certificate

NORA = Skeleton.build(from_address="nora@acme.example", from_name="Nöra")
NOW = datetime(2026, 3, 30, 8, 0, 2, tzinfo=UTC)


def mail(number: int = 0) -> Envelope:
    data = NORA.fill(
        to="jane@x.example",
        subject=f"Grüße {number}",
        text=".\r\n.leading dots\r\nund Umlaute: äöü",
        html="<p>" + "lang " * 300 + "</p>",
        date=NOW,
        message_id=f"{number}@acme.example",
    )
    return Envelope("nora@acme.example", ("jane@x.example",), data)


@dataclass
class Inbox:
    taken: list[TakenEnvelope] = field(default_factory=list)

    async def handle_DATA(self, _server: Any, _session: Any, envelope: TakenEnvelope) -> str:  # noqa: N802
        self.taken.append(envelope)
        return "250 2.0.0 taken"

    def authenticate(self, *asked: Any) -> AuthResult:
        credentials = asked[4]
        return AuthResult(success=credentials == LoginPassword(b"nora", b"secret"), handled=False)


@asynccontextmanager
async def aiosmtpd(inbox: Inbox, certificate: Path) -> AsyncIterator[int]:
    options: dict[str, Any] = {
        "tls_context": server_context(certificate),
        "require_starttls": True,
        "auth_required": True,
        "authenticator": inbox.authenticate,
        "enable_SMTPUTF8": True,
    }
    loop = asyncio.get_running_loop()
    listener = await loop.create_server(lambda: SMTP(inbox, loop=loop, **options), "127.0.0.1", 0)
    async with listener:
        yield listener.sockets[0].getsockname()[1]


async def test_a_composed_mail_arrives_at_aiosmtpd_over_starttls_and_log_in(tmp_path: Path) -> None:
    certificate, inbox = write_certificate(tmp_path), Inbox()
    tls = TlsContexts(certificate_authorities=certificate)
    async with aiosmtpd(inbox, certificate) as port:
        server = Server("127.0.0.1", port, TlsMode.STARTTLS, "nora", "secret")
        submitter = Submitter(tls=tls)
        outcomes = await submitting.submit_many(submitter, server, [mail(number) for number in range(5)])
        await submitter.close()
        assert [type(outcome) for outcome in outcomes] == [Accepted] * 5
        assert [envelope.content for envelope in inbox.taken] == [mail(number).data for number in range(5)]
        assert (await check(server, tls=tls)).ok
        wrong = await check(Server("127.0.0.1", port, TlsMode.STARTTLS, "nora", "wrong"), tls=tls)
        assert wrong.error
        assert wrong.error.startswith("SMTP: 535 5.7.8")
    assert isinstance(inbox.taken[3].content, bytes)
    message = email.message_from_bytes(inbox.taken[3].content, policy=policy.default)
    assert message["Subject"] == "Grüße 3"
    assert message.get_body(("plain",)).get_content().replace("\r", "") == ".\n.leading dots\nund Umlaute: äöü\n"  # type: ignore[union-attr]


@asynccontextmanager
async def smtp_sink(*options: str) -> AsyncIterator[Server]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    user = ("-u", "nobody") if os.geteuid() == 0 else ()
    path = shutil.which("smtp-sink", path=f"{os.environ['PATH']}:/usr/sbin")
    process = await asyncio.create_subprocess_exec(
        path or "smtp-sink", *user, *options, f"127.0.0.1:{port}", "100", stderr=asyncio.subprocess.DEVNULL
    )
    try:
        await _until_it_listens(port)
        yield Server("127.0.0.1", port, TlsMode.NONE)
    finally:
        process.terminate()
        await process.wait()


async def _until_it_listens(port: int) -> None:
    for _ in range(200):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except ConnectionRefusedError:
            await asyncio.sleep(0.02)
        else:
            writer.close()
            await writer.wait_closed()
            return
    raise AssertionError("smtp-sink does not listen")


needs_sink = pytest.mark.skipif(
    shutil.which("smtp-sink", path=f"{os.environ['PATH']}:/usr/sbin") is None,
    reason="Postfix's smtp-sink is not installed",
)


@needs_sink
async def test_many_mailboxes_submit_to_smtp_sink_at_once() -> None:
    submitter = Submitter()
    async with smtp_sink() as server:
        mailboxes = [Server(server.host, server.port, server.tls, local_hostname=f"{n}.example") for n in range(10)]
        found = await asyncio.gather(
            *(submitting.submit_many(submitter, box, [mail(n) for n in range(30)]) for box in mailboxes)
        )
        assert {type(outcome) for outcomes in found for outcome in outcomes} == {Accepted}
        await submitter.close()


@needs_sink
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("-f", "MAIL"), Rejected),
        (("-f", "RCPT"), Rejected),
        (("-f", "DATA"), Rejected),
        (("-f", "."), Rejected),
        (("-r", "RCPT"), Deferred),
        (("-r", "."), Deferred),
        (("-q", "MAIL"), Deferred),
        (("-q", "DATA"), Deferred),
        (("-q", "."), Unknown),
        (("-q", "CONNECT"), Deferred),
        (("-p",), Accepted),  # no pipelining
        (("-e",), Accepted),  # no ESMTP
        (("-8",), Accepted),  # no 8BITMIME
    ],
)
async def test_smtp_sink_on_its_worst_days(options: tuple[str, ...], expected: type[Outcome]) -> None:
    submitter = Submitter()
    async with smtp_sink(*options) as server:
        assert type(await submitting.submit(submitter, server, mail())) is expected
        await submitter.close()
