"""A mail server as a mailbox's owner describes it: host, port, TLS and credentials; the same for SMTP and IMAP.

RFC 8314 (implicit TLS), RFC 3207 (STARTTLS); the wire's port types: contract, email-accounts "Create an Email Account".
"""

from dataclasses import dataclass, field
from enum import StrEnum

IMPLICIT_TLS_PORTS = frozenset({465, 993})
RELAY_PORT = 25


class TlsMode(StrEnum):
    IMPLICIT = "IMPLICIT"  # TLS from the first byte
    STARTTLS = "STARTTLS"  # plain, then upgraded; without the upgrade there is no log-in
    STARTTLS_IF_OFFERED = "STARTTLS_IF_OFFERED"
    NONE = "NONE"


@dataclass(frozen=True, slots=True)
class Server:
    """Where to log in, and as whom. Equal servers may share a connection."""

    host: str
    port: int
    tls: TlsMode
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    access_token: str | None = field(default=None, repr=False)  # OAuth: used instead of the password
    local_hostname: str | None = None  # what we say in EHLO; None: the address of our side
    verify_certificates: bool = True


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The outcome of a log-in test; `error` is a sentence for the owner of the mailbox that says what to do."""

    ok: bool
    error: str | None = None


def tls_mode(port_type: str | None, port: int) -> TlsMode:
    """The TLS mode for a port type of the wire (`SSL`, `TLS`, `STARTTLS`, `NONE`), or for the port alone."""
    kind = (port_type or "").strip().upper()
    if kind == "NONE":
        return TlsMode.NONE
    if kind == "SSL" or (not kind and port in IMPLICIT_TLS_PORTS):
        return TlsMode.IMPLICIT
    # Port 25 is for relays, which encrypt when they can (RFC 7435); on submission ports it must succeed.
    return TlsMode.STARTTLS_IF_OFFERED if port == RELAY_PORT else TlsMode.STARTTLS
