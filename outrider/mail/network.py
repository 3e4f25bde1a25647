"""Reaching a mail server, and saying in words for its user why that failed. Used by SMTP and IMAP alike."""

import asyncio
import socket
import ssl
from collections.abc import Callable
from typing import TypeVar

from outrider.kit.guard import is_metadata
from outrider.mail.server import Server

P = TypeVar("P", bound=asyncio.BaseProtocol)
MAX_ADDRESSES = 4  # of one host name; more are not tried


class ForbiddenAddress(OSError):
    """The host name leads to an address we never connect to."""


async def resolve(host: str, port: int) -> list[str]:
    """The host's IP addresses in the system's order; raises OSError.

    Private ones are allowed (decision 53). Where clouds answer with their secrets no mail server lives.
    """
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except ValueError as error:  # too long a label, an empty one, NUL
        raise socket.gaierror(socket.EAI_NONAME, "not a host name") from error
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))[:MAX_ADDRESSES]
    allowed = [address for address in addresses if not is_metadata(address)]
    if not allowed:
        raise ForbiddenAddress
    return allowed


async def connect(factory: Callable[[], P], server: Server, context: ssl.SSLContext | None, *, seconds: float) -> P:
    """Try the addresses of the host in turn; with a context TLS begins at once. Raises OSError."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(seconds):
        addresses = await resolve(server.host, server.port)
        for address in addresses:
            is_last = address == addresses[-1]
            try:
                async with asyncio.timeout(None if is_last else seconds / len(addresses)):
                    _, protocol = await loop.create_connection(
                        factory,
                        address,
                        server.port,
                        ssl=context,
                        server_hostname=server.host if context else None,
                    )
            except OSError:
                if is_last:
                    raise
            else:
                return protocol
    raise AssertionError("a host name has at least one address")


def explain(error: OSError, server: Server) -> str:
    """A sentence about a failure to connect, and what to do about it."""
    reason = error.verify_message if isinstance(error, ssl.SSLCertVerificationError) else error.strerror or str(error)
    sentence = next(sentence for kinds, sentence in _SENTENCES if isinstance(error, kinds))
    if isinstance(error, ssl.SSLError) and getattr(error, "reason", None) in _NO_TLS:
        sentence = "{host}:{port} does not begin with TLS. Choose TLS (STARTTLS) as port type, or the port for SSL."
    return sentence.format(host=server.host, port=server.port, reason=reason)


_NO_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG", "HTTP_REQUEST")

# The first that fits; special kinds of OSError before general ones.
_SENTENCES: tuple[tuple[type[OSError] | tuple[type[OSError], ...], str], ...] = (
    (ForbiddenAddress, "{host} leads to an address where no mail server can be. Check the host name."),
    (socket.gaierror, "The host {host} is not known ({reason}). Check the spelling of the host name."),
    (
        ssl.SSLCertVerificationError,
        "The certificate of {host} is not trusted: {reason}. Use the host name it was made for, or have it renewed.",
    ),
    (ssl.SSLError, "{host}:{port} could not agree on TLS ({reason}). Its TLS is too old or set up wrongly."),
    (
        ConnectionRefusedError,
        "{host}:{port} refused the connection, nothing listens there. Check the host name and the port.",
    ),
    (
        TimeoutError,
        "{host}:{port} did not answer in time. Check the host name, the port and its type; a firewall may block it.",
    ),
    (
        (ConnectionResetError, ConnectionAbortedError, BrokenPipeError),
        "{host}:{port} broke off ({reason}). Check the port and its type (SSL or TLS), or try again in a while.",
    ),
    (OSError, "{host}:{port} cannot be reached ({reason}). Check the host name and the network."),
)
