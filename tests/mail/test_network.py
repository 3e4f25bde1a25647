"""Finding a server's addresses, and sentences about what went wrong."""

import socket
import ssl

import pytest

from outrider.mail.network import ForbiddenAddress, explain, resolve
from outrider.mail.server import Server, TlsMode

SERVER = Server("smtp.acme.example", 587, TlsMode.STARTTLS)


async def test_a_name_is_resolved_and_an_address_stays_itself() -> None:
    assert "127.0.0.1" in await resolve("localhost", 25) or "::1" in await resolve("localhost", 25)
    assert await resolve("127.0.0.1", 25) == ["127.0.0.1"]


@pytest.mark.parametrize(
    "host",
    ["169.254.169.254", "fe80::1", "fd00:ec2::254", "::ffff:169.254.169.254", "168.63.129.16", "64:ff9b::a9fe:a9fe"],
)
async def test_where_clouds_keep_their_secrets_is_never_connected_to(host: str) -> None:
    with pytest.raises(ForbiddenAddress):
        await resolve(host, 25)


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a..example", ".example", "x" * 64 + ".example", "a\0b"])
async def test_an_unknown_host_raises_what_can_be_explained(host: str) -> None:
    with pytest.raises(socket.gaierror) as caught:
        await resolve(host, 25)
    assert "is not known" in explain(caught.value, SERVER)


@pytest.mark.parametrize(
    ("error", "beginning"),
    [
        (ForbiddenAddress(), "smtp.acme.example leads to an address"),
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "The host smtp.acme.example is not known"),
        (ConnectionRefusedError(111, "Connection refused"), "smtp.acme.example:587 refused the connection"),
        (TimeoutError(), "smtp.acme.example:587 did not answer in time"),
        (
            ConnectionResetError("the server closed the connection"),
            "smtp.acme.example:587 broke off (the server closed",
        ),
        (OSError(113, "No route to host"), "smtp.acme.example:587 cannot be reached (No route to host)"),
        (ssl.SSLError(1, "[SSL] unsupported protocol"), "smtp.acme.example:587 could not agree on TLS"),
    ],
)
def test_a_failure_is_a_sentence_that_says_what_to_do(error: OSError, beginning: str) -> None:
    sentence = explain(error, SERVER)
    assert sentence.startswith(beginning)
    assert sentence.endswith(".")
