"""TLS towards mail servers: contexts made once, sessions resumed (RFC 8446 §2.2, RFC 5077).

Making a context reads all trusted certificates, 30 to 48 ms; resuming a session saves the server's signature and,
over a real network, a round trip. asyncio has no parameter for it, hence the subclass.
"""

import ssl
from collections import OrderedDict
from functools import cache
from pathlib import Path
from typing import Any, Self

from outrider.mail.server import Server

MAX_SESSIONS = 2000  # host names remembered per context


class ResumingContext(ssl.SSLContext):
    """A client context that offers each host the last session it had with it. A session belongs to its context."""

    sessions: OrderedDict[str, ssl.SSLSession]

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        """What asyncio and uvloop call for every connection."""
        if session is None and isinstance(server_hostname, str):
            session = self.sessions.get(server_hostname)
        return super().wrap_bio(incoming, outgoing, server_side, server_hostname, session)

    def remember(self, host: str, ssl_object: Any) -> None:
        """Keep the session of a connection. With TLS 1.3 it is there only after the server's first answer."""
        session = getattr(ssl_object, "session", None)
        if session is None or not session.has_ticket:
            return
        self.sessions[host] = session
        self.sessions.move_to_end(host)
        if len(self.sessions) > MAX_SESSIONS:
            self.sessions.popitem(last=False)


class TlsContexts:
    """The two contexts a process needs: one that verifies certificates and one that does not."""

    def __init__(self, *, certificate_authorities: Path | None = None) -> None:
        """`certificate_authorities`: a PEM file trusted beside the system's."""
        self._certificate_authorities = certificate_authorities
        self._contexts: dict[bool, ResumingContext] = {}

    def context(self, server: Server) -> ResumingContext:
        is_verifying = server.verify_certificates
        if is_verifying not in self._contexts:
            self._contexts[is_verifying] = self._make(is_verifying=is_verifying)
        return self._contexts[is_verifying]

    @classmethod
    @cache
    def shared(cls) -> Self:
        """Those of this process, for everyone who trusts what the system trusts."""
        return cls()

    def _make(self, *, is_verifying: bool) -> ResumingContext:
        context = ResumingContext(ssl.PROTOCOL_TLS_CLIENT)
        context.sessions = OrderedDict()
        context.minimum_version = ssl.TLSVersion.TLSv1_2  # RFC 8996
        if not is_verifying:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            return context
        context.load_default_certs()
        if self._certificate_authorities:
            context.load_verify_locations(self._certificate_authorities)
        return context
