"""The sentences a mailbox's owner reads when a log-in does not work."""

import asyncio
import socket
from pathlib import Path

import pytest

from outrider.mail.server import Server, TlsMode
from outrider.mail.smtp import check
from outrider.mail.tls import TlsContexts
from tests.support.certificates import server_context, write_certificate
from tests.support.smtp_servers import SILENCE, FaultySmtp, faults, reply, running

NORA = Server("127.0.0.1", 0, TlsMode.NONE, "nora", "secret")
AUTH = ("AUTH PLAIN",)


async def error_of(server: Server, *, within: float = 20, tls: TlsContexts | None = None) -> str:
    result = await check(server, timeout=within, tls=tls)
    assert not result.ok
    assert result.error
    assert result.error.endswith(".")
    return result.error


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def test_a_log_in_that_works_says_goodbye() -> None:
    async with running(FaultySmtp(server=NORA, extensions=AUTH)) as smtp:
        result = await check(smtp.server)
        assert result.ok
        assert result.error is None
        assert smtp.lines[-1] == "QUIT"


async def test_a_wrong_password_is_told_in_the_servers_words() -> None:
    wrong = faults({"AUTH": reply("535 authentication failed")})
    async with running(FaultySmtp(wrong, AUTH, server=NORA)) as smtp:
        error = await error_of(smtp.server)
    assert error.startswith("SMTP: 535 authentication failed. Check the user name and the password")


async def test_an_unknown_host_is_told() -> None:
    error = await error_of(Server("no-such-host.invalid", 587, TlsMode.STARTTLS))
    assert error.startswith("SMTP: The host no-such-host.invalid is not known")


async def test_a_closed_port_is_told() -> None:
    port = closed_port()
    error = await error_of(Server("127.0.0.1", port, TlsMode.NONE))
    assert error.startswith(f"SMTP: 127.0.0.1:{port} refused the connection")


async def test_a_silent_server_is_not_waited_for_longer_than_said() -> None:
    async with running(FaultySmtp(faults({"CONNECT": SILENCE}))) as smtp:
        error = await error_of(smtp.server, within=0.2)
    assert "did not answer in time" in error


async def test_a_server_without_starttls_is_told() -> None:
    async with running(FaultySmtp(server=NORA, extensions=AUTH), tls_mode=TlsMode.STARTTLS) as smtp:
        error = await error_of(smtp.server)
    assert "does not offer STARTTLS. Choose SSL" in error


async def test_a_port_that_does_not_begin_with_tls_is_told() -> None:
    async with running(FaultySmtp(server=NORA)) as smtp:
        server = Server("127.0.0.1", smtp.server.port, TlsMode.IMPLICIT)
        error = await error_of(server)
    assert "does not begin with TLS. Choose TLS (STARTTLS)" in error


async def test_a_port_that_begins_with_tls_is_told(tmp_path: Path) -> None:
    secure = FaultySmtp(tls=server_context(write_certificate(tmp_path)))
    async with running(secure, tls_mode=TlsMode.IMPLICIT) as smtp:
        error = await error_of(Server("127.0.0.1", smtp.server.port, TlsMode.STARTTLS), within=0.3)
    assert "its type" in error


@pytest.mark.parametrize(
    ("names", "days", "host", "words"),
    [
        (("localhost",), 1, "localhost", "self"),
        (("localhost",), -1, "localhost", "expired"),
        (("mail.other.example",), 1, "localhost", "mismatch"),
    ],
)
async def test_trouble_with_the_certificate_is_told(
    tmp_path: Path, names: tuple[str, ...], days: int, host: str, words: str
) -> None:
    certificate = write_certificate(tmp_path, names=names, days=days)
    trusted = None if words == "self" else certificate
    secure = FaultySmtp(tls=server_context(certificate))
    async with running(secure, tls_mode=TlsMode.IMPLICIT) as smtp:
        server = Server(host, smtp.server.port, TlsMode.IMPLICIT)
        error = await error_of(server, tls=TlsContexts(certificate_authorities=trusted))
    assert error.startswith(f"SMTP: The certificate of {host} is not trusted: ")
    assert words in error.lower()


async def test_a_server_of_another_kind_is_told() -> None:
    async def http(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()
        await writer.wait_closed()

    listener = await asyncio.start_server(http, "127.0.0.1", 0)
    async with listener:
        error = await error_of(Server("127.0.0.1", listener.sockets[0].getsockname()[1], TlsMode.NONE))
    assert "does not speak SMTP" in error


async def test_a_log_in_that_is_not_offered_is_told() -> None:
    async with running(FaultySmtp(server=NORA, extensions=())) as smtp:
        error = await error_of(smtp.server)
    assert "offers no log-in without encryption. Choose TLS or SSL" in error
