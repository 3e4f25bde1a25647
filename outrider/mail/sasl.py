"""Logging in: the SASL mechanisms mail servers offer, shared by SMTP and IMAP.

PLAIN: RFC 4616. LOGIN: draft-murchison-sasl-login. XOAUTH2: as Google and Microsoft document it.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from enum import StrEnum

from outrider.mail.server import Server


class Mechanism(StrEnum):
    PLAIN = "PLAIN"
    LOGIN = "LOGIN"
    XOAUTH2 = "XOAUTH2"


@dataclass(frozen=True, slots=True)
class Exchange:
    """What the client says: with the command already, or in answer to the server's challenges, one after the other."""

    mechanism: Mechanism
    initial_response: bytes | None = field(default=None, repr=False)
    responses: tuple[bytes, ...] = field(default=(), repr=False)


def choose(offered: Collection[str], server: Server) -> Exchange | None:
    """The exchange for the credentials the server has, if it offers one we speak."""
    names = {name.upper() for name in offered}
    username, password = server.username or "", server.password or ""
    if server.access_token:
        return (
            Exchange(Mechanism.XOAUTH2, xoauth2(username, server.access_token), (b"",)) if "XOAUTH2" in names else None
        )
    if "PLAIN" in names:
        return Exchange(Mechanism.PLAIN, plain(username, password))
    if "LOGIN" in names:
        return Exchange(Mechanism.LOGIN, None, (username.encode(), password.encode()))
    return None


def plain(username: str, password: str) -> bytes:
    return f"\0{username}\0{password}".encode()


def xoauth2(username: str, access_token: str) -> bytes:
    """A refusal comes as a challenge that wants an empty answer."""
    return f"user={username}\x01auth=Bearer {access_token}\x01\x01".encode()
