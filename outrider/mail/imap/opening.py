"""From a server's address to a connection that is logged in: greeting, STARTTLS, log-in.

RFC 9051 §6.2, RFC 3207 (STARTTLS), RFC 4959 (initial response), RFC 5530 (response codes). Raises ImapError.
"""

import asyncio
import re
from base64 import b64encode
from collections.abc import Sequence
from typing import Any

from aioimaplib.aioimaplib import AUTH, Command

from outrider.mail import network, sasl
from outrider.mail.imap.connection import Connection, Timeouts, text_of
from outrider.mail.imap.errors import ConnectionLost, ImapError, LoginRefused, ServerBusy, Unreachable
from outrider.mail.imap.protocol import ALLOWANCE, ImapProtocol, quoted
from outrider.mail.server import Server, TlsMode
from outrider.mail.tls import ResumingContext, TlsContexts

_ADVICE = (
    "Check the user name and the password; many providers want an app password, or IMAP switched on in their settings."
)
# RFC 5530 §3, and the words of Gmail, Dovecot and Exchange for "not now".
_NOT_NOW = re.compile(
    r"\[(?:UNAVAILABLE|INUSE|LIMIT|SERVERBUG|CONTACTADMIN)\]|too many|temporar|try again|later|but not connected"
    r"|rate limit|server (?:busy|error)|internal",
    re.IGNORECASE,
)
_RESPONSE_CODE = re.compile(r"^\[[A-Z0-9-]+[^\]]*\]\s*")
_CAPABILITY_CODE = re.compile(rb"\[CAPABILITY ([^\]]*)\]", re.IGNORECASE)


async def open_connection(server: Server, tls: TlsContexts, timeouts: Timeouts) -> Connection:
    context = None if server.tls is TlsMode.NONE else tls.context(server)
    is_implicit = server.tls is TlsMode.IMPLICIT
    try:
        protocol = await network.connect(
            ImapProtocol, server, context if is_implicit else None, seconds=timeouts.connect
        )
    except OSError as error:
        raise Unreachable(network.explain(error, server)) from error
    connection = Connection(server, protocol, timeouts)
    try:
        await _Opening(connection).run(context)
    except BaseException:
        protocol.abort("the connection was given up")
        raise
    return connection


class _Opening:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._protocol = connection.protocol
        self._server = connection.server

    async def run(self, context: ResumingContext | None) -> None:
        await self._hear_greeting()
        await self._run("CAPABILITY")
        if context and self._server.tls is not TlsMode.IMPLICIT:
            await self._upgrade(context)
        if context:
            context.remember(self._server.host, self._protocol.transport.get_extra_info("ssl_object"))
        if self._server.username and self._protocol.state != AUTH:
            await self._log_in()

    async def _run(self, name: str) -> Any:
        return await self._connection.run(self._connection.command(name))

    async def _hear_greeting(self) -> None:
        try:
            greeting: bytes = await self._connection.race(_heard(self._protocol.greeting))
        except ConnectionLost as lost:
            raise Unreachable(f"{lost} Check the port and its type (SSL or TLS).") from lost
        if b"BYE" in greeting.upper().split()[:2]:
            text = greeting[:300].decode("utf-8", "replace").partition("BYE ")[2].rstrip(".")
            raise ServerBusy(f"{self._server.host} takes no connection at the moment: {_without_code(text)}.")

    async def _upgrade(self, context: ResumingContext) -> None:
        if "STARTTLS" not in self._connection.capabilities:
            if self._server.tls is TlsMode.STARTTLS_IF_OFFERED:
                return
            raise Unreachable(
                f"{self._server.host}:{self._server.port} does not offer STARTTLS."
                " Choose SSL as port type with the port for it (usually 993), or NONE if the network can be trusted."
            )
        await self._run("STARTTLS")
        try:
            await self._protocol.start_tls(context, self._server.host, seconds=self._connection.timeouts.connect)
        except OSError as error:
            raise Unreachable(network.explain(error, self._server)) from error
        await self._run("CAPABILITY")

    async def _log_in(self) -> None:
        protocol = self._protocol
        command = self._login_command()
        protocol.allowance = ALLOWANCE
        protocol.capabilities = set()  # those of before the log-in do not count (RFC 9051 §6.2.3)
        try:
            response = await self._connection.race(protocol.execute(command))
        except ConnectionLost as lost:
            raise ServerBusy(f"{self._server.host} broke off at log-in. {lost}") from lost
        if response.result != "OK":
            raise self._refusal(text_of(response))
        protocol.state = AUTH
        protocol.capabilities |= _capabilities_in(response.lines)
        if not protocol.capabilities:
            await self._run("CAPABILITY")

    def _login_command(self) -> Command:
        """LOGIN, which every server knows; SASL for tokens and for what a quoted string cannot hold."""
        username, password = self._server.username or "", self._server.password or ""
        capabilities = self._connection.capabilities
        is_quotable = not self._server.access_token and f"{username}{password}".isascii()
        if is_quotable and "LOGINDISABLED" not in capabilities:
            return self._command("LOGIN", quoted(username), quoted(password))
        offered = {name.removeprefix("AUTH=") for name in capabilities if name.startswith("AUTH=")}
        exchange = sasl.choose(offered, self._server)
        if exchange is None:
            raise self._no_login()
        return self._sasl_command(exchange, is_at_once="SASL-IR" in capabilities)

    def _sasl_command(self, exchange: sasl.Exchange, *, is_at_once: bool) -> Command:
        initial = exchange.initial_response
        says_initial = initial is not None and is_at_once
        spoken = exchange.responses if initial is None or says_initial else (initial, *exchange.responses)
        self._protocol.answers.clear()
        self._protocol.answers.extend(spoken)
        arguments = [b64encode(initial).decode("ascii")] if initial is not None and says_initial else []
        return self._command("AUTHENTICATE", exchange.mechanism, *arguments)

    def _command(self, name: str, *arguments: str) -> Command:
        try:
            return self._connection.command(name, *arguments)
        except ValueError as error:  # NUL, CR or LF, which would end the command
            raise LoginRefused("The user name or the password has a line break in it. Type it again.") from error

    def _refusal(self, text: str) -> ImapError:
        said = _without_code(text)
        if _NOT_NOW.search(text):
            return ServerBusy(f"{self._server.host} takes no log-in at the moment: {said}.")
        return LoginRefused(f"{self._server.host} refused the log-in of {self._server.username}: {said}. {_ADVICE}")

    def _no_login(self) -> LoginRefused:
        if self._server.tls is TlsMode.NONE and "LOGINDISABLED" in self._connection.capabilities:
            return LoginRefused("The server takes no log-in without encryption. Choose TLS or SSL as port type.")
        wanted = "an access token" if self._server.access_token else "this password"
        return LoginRefused(f"{self._server.host} takes no log-in with {wanted}. Ask its operator to allow it.")


async def _heard(greeting: asyncio.Future[bytes]) -> bytes:
    return await asyncio.shield(greeting)


def _without_code(text: str) -> str:
    return _RESPONSE_CODE.sub("", text) or text


def _capabilities_in(lines: Sequence[bytes | bytearray]) -> set[str]:
    """`A1 OK [CAPABILITY IMAP4rev1 IDLE] Logged in` (RFC 9051 §7.1)."""
    found = _CAPABILITY_CODE.search(b" ".join(map(bytes, lines)))
    return set(found[1].decode("ascii", "replace").upper().split()) if found else set()
