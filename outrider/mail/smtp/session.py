"""From a server's address to a session that is ready for mail: greeting, EHLO, STARTTLS, AUTH.

RFC 5321 §3.1–3.2, RFC 1869, RFC 3207, RFC 4954. Raises SessionRefused, or OSError when the wire fails.
"""

import ipaddress
from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from outrider.mail import sasl
from outrider.mail.codes import Command, Reason, Scope, is_permanent
from outrider.mail.server import Server, TlsMode
from outrider.mail.smtp.channel import Channel
from outrider.mail.smtp.reply import Reply
from outrider.mail.tls import ResumingContext, TlsContexts

GREETING, AUTH_DONE, AUTH_CONTINUES = 220, 235, 334
MAX_CHALLENGES = 5


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds. RFC 5321 §4.5.3.2 asks for minutes; a mailbox that waits holds up nobody else, but a stop does."""

    connect: float = 20
    command: float = 60
    data: float = 60
    block: float = 120
    termination: float = 300  # too short would leave mails in doubt that were taken


class SessionRefused(Exception):
    """The server answered and there is no session; the text is a sentence for the mailbox's owner."""

    def __init__(self, sentence: str, *, command: Command, reply: Reply | None, scope: Scope, reason: Reason) -> None:
        super().__init__(sentence)
        self.command = command
        self.reply = reply
        self.scope = scope  # of use where there is no reply
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What the server offers in its answer to EHLO."""

    pipelining: bool = False
    starttls: bool = False
    eight_bit_mime: bool = False
    smtputf8: bool = False
    size: int | None = None  # None: not offered; 0: offered without a limit (RFC 1870 §4)
    mechanisms: frozenset[str] = frozenset()

    @classmethod
    def read(cls, lines: Iterable[str]) -> Self:
        """The lines after the first."""
        words = [line.upper().replace("=", " ").split() for line in lines]  # old servers write AUTH=LOGIN
        keywords = {line[0]: line[1:] for line in words if line}
        mechanisms = frozenset(word for line in words if line and line[0] == "AUTH" for word in line[1:])
        return cls(
            pipelining="PIPELINING" in keywords,
            starttls="STARTTLS" in keywords,
            eight_bit_mime="8BITMIME" in keywords,
            smtputf8="SMTPUTF8" in keywords,
            size=_size(keywords["SIZE"]) if "SIZE" in keywords else None,
            mechanisms=mechanisms,
        )


async def open_session(server: Server, tls: TlsContexts, timeouts: Timeouts) -> tuple[Channel, Capabilities]:
    is_implicit = server.tls is TlsMode.IMPLICIT
    context = None if server.tls is TlsMode.NONE else tls.context(server)
    channel = await Channel.connect(server, context if is_implicit else None, seconds=timeouts.connect)
    try:
        capabilities = await _Opening(server, channel, timeouts).run(context)
    except BaseException:
        channel.abort()
        raise
    return channel, capabilities


@dataclass(slots=True)
class _Opening:
    server: Server
    channel: Channel
    timeouts: Timeouts

    async def run(self, context: ResumingContext | None) -> Capabilities:
        greeting = await self.channel.read(seconds=self.timeouts.command)
        if greeting.code != GREETING:
            raise _refused(greeting, Command.CONNECT, "Try again in a while, or ask the server's operator.")
        capabilities = await self._ehlo()
        if context and self.server.tls is not TlsMode.IMPLICIT:
            capabilities = await self._upgrade(capabilities, context)
        if context:
            context.remember(self.server.host, self.channel.ssl_object)
        if self.server.username:
            await self._log_in(capabilities)
        return capabilities

    async def _ehlo(self) -> Capabilities:
        name = self.server.local_hostname or _literal(self.channel.local_address)
        reply = await self._ask(f"EHLO {name}")
        if reply.is_positive:
            return Capabilities.read(reply.lines[1:])
        if is_permanent(reply.code):  # a server from before 1995 (RFC 5321 §4.1.4)
            reply = await self._ask(f"HELO {name}")
        if not reply.is_positive:
            raise _refused(reply, Command.EHLO, "Check the host name and the port, or try again in a while.")
        return Capabilities()

    async def _upgrade(self, capabilities: Capabilities, context: ResumingContext) -> Capabilities:
        if not capabilities.starttls:
            if self.server.tls is TlsMode.STARTTLS_IF_OFFERED:
                return capabilities
            raise SessionRefused(
                f"{self.server.host}:{self.server.port} does not offer STARTTLS."
                " Choose SSL as port type with the port for it (usually 465), or NONE if the network can be trusted.",
                command=Command.STARTTLS, reply=None, scope=Scope.CONNECTION, reason=Reason.TLS,
            )  # fmt: skip
        reply = await self._ask("STARTTLS")
        if reply.code != GREETING:
            raise _refused(reply, Command.STARTTLS, "Try again in a while, or choose SSL with port 465.")
        await self.channel.start_tls(context, self.server.host, seconds=self.timeouts.connect)
        return await self._ehlo()  # what was said in plain text does not count (RFC 3207 §4.2)

    async def _log_in(self, capabilities: Capabilities) -> None:
        exchange = sasl.choose(capabilities.mechanisms, self.server)
        if exchange is None:
            raise _no_mechanism(capabilities, self.server)
        reply = await self._exchange(exchange)
        if reply.code != AUTH_DONE:
            raise _refused(
                reply,
                Command.AUTH,
                "Check the user name and the password; many providers want an app password for mail programs.",
            )

    async def _exchange(self, exchange: sasl.Exchange) -> Reply:
        initial = exchange.initial_response
        command = f"AUTH {exchange.mechanism}"
        reply = await self._ask(command if initial is None else f"{command} {_base64(initial)}")
        for response in (*exchange.responses, *[b"*"] * MAX_CHALLENGES):
            if reply.code != AUTH_CONTINUES:
                break
            reply = await self._ask("*" if response == b"*" else _base64(response))  # * gives up (RFC 4954 §4)
        return reply

    async def _ask(self, line: str) -> Reply:
        self.channel.write(f"{line}\r\n".encode())
        return await self.channel.read(seconds=self.timeouts.command)


def _refused(reply: Reply, command: Command, advice: str) -> SessionRefused:
    sentence = f"{str(reply).rstrip('. ')}. {advice}"
    return SessionRefused(sentence, command=command, reply=reply, scope=Scope.CONNECTION, reason=Reason.OTHER)


def _no_mechanism(capabilities: Capabilities, server: Server) -> SessionRefused:
    if capabilities.mechanisms:
        offered = ", ".join(sorted(capabilities.mechanisms))
        wanted = "a password" if not server.access_token else "an access token"
        sentence = f"The server takes no log-in with {wanted}; it offers {offered}. Ask its operator to allow it."
    elif server.tls is TlsMode.NONE:
        sentence = "The server offers no log-in without encryption. Choose TLS or SSL as port type."
    else:
        sentence = "The server offers no log-in on this port. Check the port; 587 and 465 are those for mail programs."
    return SessionRefused(sentence, command=Command.AUTH, reply=None, scope=Scope.SENDER, reason=Reason.AUTHENTICATION)


def _literal(address: str) -> str:
    """The address of our side as EHLO wants it when there is no name (RFC 5321 §4.1.3)."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    return f"[IPv6:{ip}]" if ip.version == 6 else f"[{ip}]"  # noqa: PLR2004


def _base64(octets: bytes) -> str:
    return b64encode(octets).decode("ascii")


def _size(parameters: list[str]) -> int:
    return int(parameters[0]) if parameters and parameters[0].isdigit() else 0
