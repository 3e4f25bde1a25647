"""The sandbox's submission server (RFC 6409), small and strict, with trouble on demand.

It offers PIPELINING, 8BITMIME, SMTPUTF8, SIZE, AUTH PLAIN and LOGIN, and with a certificate STARTTLS.
A mail whose last dot arrived is taken, even if the client died right after it: a sender has to survive that.
"""

import asyncio
import binascii
import re
import ssl
from base64 import b64decode
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import cast

from outrider.kit.log import get_logger
from outrider.sandbox.faults import Fault, Faults, Moment
from outrider.sandbox.people import Refusal

log = get_logger("sandbox")

CRLF = b"\r\n"
END_OF_MAIL = b"\r\n.\r\n"
LONGEST_COMMAND = 4_096
LARGEST_MAIL = 26_214_400
IDLE_SECONDS = 300
_PATH = r'\s*<((?:"(?:[^"\\]|\\.)*"|[^<>"])*)>\s*(.*)'
_FROM = re.compile("FROM:" + _PATH, re.IGNORECASE)
_TO = re.compile("TO:" + _PATH, re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Submission:
    """One mail as it was handed over: the envelope, and the bytes without their dot-stuffing."""

    login: str | None
    envelope_sender: str
    recipients: tuple[str, ...]
    raw: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpHost:
    """What the server asks the sandbox, and what it was told about itself."""

    name: str
    checks_login: Callable[[str, str], bool]
    refuses: Callable[[str], Refusal | None]
    takes: Callable[[Submission], Awaitable[str]]
    faults: Faults
    requires_login: bool = True
    tls: ssl.SSLContext | None = None


@dataclass(slots=True)
class _Transaction:
    """What MAIL and RCPT have said so far."""

    sender: str | None = None
    recipients: list[str] = field(default_factory=list)
    allows_utf8: bool = False


class SmtpConnection(asyncio.Protocol):
    """One client, from greeting to QUIT or its death."""

    def __init__(self, host: SmtpHost, open_connections: "set[SmtpConnection]") -> None:
        self._host = host
        self._open_connections = open_connections
        self._input = bytearray()
        self._output = bytearray()
        self._arrived = asyncio.Event()
        self._gone = asyncio.Event()
        self._is_secure = False
        self._has_greeted = False
        self._login: str | None = None
        self._transaction = _Transaction()
        self.task: asyncio.Task[None] | None = None

    # --- the wire

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._is_secure = transport.get_extra_info("ssl_object") is not None
        self._open_connections.add(self)
        self.task = asyncio.get_running_loop().create_task(self._serve())

    def data_received(self, data: bytes) -> None:
        self._input += data
        self._arrived.set()

    def eof_received(self) -> bool:
        self._gone.set()
        self._arrived.set()
        return not self._is_secure  # what was sent before is still worked through, then the connection is closed

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the name is of asyncio
        self._gone.set()
        self._arrived.set()

    def abort(self) -> None:
        """Cut the connection without a word."""
        self._gone.set()
        self._transport.abort()
        self._arrived.set()

    async def _more(self) -> None:
        """Say what is to be said, then wait for input."""
        if self._gone.is_set():
            raise ConnectionResetError
        self._flush()
        self._arrived.clear()
        async with asyncio.timeout(IDLE_SECONDS):
            await self._arrived.wait()

    def _flush(self) -> None:
        if self._output and not self._transport.is_closing():
            self._transport.write(bytes(self._output))
        self._output.clear()

    def _answer(self, line: str) -> None:
        self._output += line.encode("utf-8", "surrogateescape") + CRLF

    async def _line(self) -> str:
        searched = 0
        while (end := self._input.find(b"\n", searched)) < 0:
            searched = len(self._input)
            if searched > LONGEST_COMMAND:
                self._answer("500 5.5.2 Line too long")
                raise ConnectionAbortedError
            await self._more()
        line = bytes(self._input[:end])
        del self._input[: end + 1]
        return line.rstrip(b"\r").decode("utf-8", "surrogateescape")

    async def _content(self) -> bytes | None:
        """The mail up to the line with the dot, dots unstuffed (RFC 5321 §4.5.2); None if it is too large."""
        self._input[:0] = CRLF  # the end of the line before: the mail may be empty
        searched, is_too_large = 0, False
        while (end := self._input.find(END_OF_MAIL, searched)) < 0:
            if len(self._input) > LARGEST_MAIL:
                is_too_large = True
                del self._input[: -len(END_OF_MAIL)]
            searched = max(0, len(self._input) - len(END_OF_MAIL))
            await self._more()
        stuffed = bytes(self._input[: end + len(CRLF)])
        del self._input[: end + len(END_OF_MAIL)]
        return None if is_too_large else stuffed.replace(b"\r\n.", CRLF)[len(CRLF) :]

    # --- the conversation

    async def _serve(self) -> None:
        try:
            await self._converse()
        except (ConnectionError, ssl.SSLError, asyncio.CancelledError):
            pass
        except TimeoutError:
            self._answer(f"421 4.4.2 {self._host.name} Error: timeout exceeded")
        except Exception:
            log.exception("smtp_connection_failed")
            self._answer("421 4.3.0 Internal error")
        finally:
            self._flush()
            self._transport.close()
            self._open_connections.discard(self)

    async def _converse(self) -> None:
        if await self._meets_fault(Moment.CONNECT):
            return
        self._answer(f"220 {self._host.name} ESMTP sandbox")
        while True:
            verb, _, argument = (await self._line()).partition(" ")
            if verb.upper() == "QUIT":
                self._answer("221 2.0.0 Bye")
                return
            await self._obey(verb.upper(), argument.strip())

    async def _obey(self, verb: str, argument: str) -> None:
        match verb:
            case "EHLO" | "HELO":
                self._greet(verb)
            case "STARTTLS":
                await self._start_tls()
            case "AUTH":
                await self._authenticate(argument)
            case "MAIL":
                await self._mail(argument)
            case "RCPT":
                await self._rcpt(argument)
            case "DATA":
                await self._data()
            case "RSET":
                self._transaction = _Transaction()
                self._answer("250 2.0.0 Ok")
            case "NOOP":
                self._answer("250 2.0.0 Ok")
            case "VRFY":
                self._answer("252 2.1.5 Send some mail, I will try my best")
            case _:
                self._answer("500 5.5.2 Error: command not recognized")

    async def _meets_fault(self, moment: Moment, *, recipients: tuple[str, ...] = ()) -> bool:
        """Suffer what is planned for this moment; whether it has answered in place of the server."""
        mailbox = (self._login or self._transaction.sender or "").lower()
        fault = self._host.faults.due(moment, mailbox=mailbox, recipients=recipients)
        return fault is not None and await self._suffer(fault, recipients)

    async def _suffer(self, fault: Fault, recipients: tuple[str, ...]) -> bool:
        self._flush()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._gone.wait(), fault.waits)
        if fault.drops:
            raise ConnectionAbortedError
        if fault.answer is None:
            return False
        self._answer(fault.answer.line(recipients[0] if recipients else ""))
        return True

    def _greet(self, verb: str) -> None:
        self._has_greeted = True
        self._transaction = _Transaction()
        if verb == "HELO":
            self._answer(f"250 {self._host.name}")
            return
        offers = [self._host.name, "PIPELINING", f"SIZE {LARGEST_MAIL}", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES"]
        if self._host.tls is not None and not self._is_secure:
            offers.append("STARTTLS")
        offers.append("AUTH PLAIN LOGIN")
        for offer in offers[:-1]:
            self._answer(f"250-{offer}")
        self._answer(f"250 {offers[-1]}")

    async def _start_tls(self) -> None:
        """RFC 3207: what the client sent before the handshake is thrown away, what it said is forgotten."""
        if self._host.tls is None or self._is_secure:
            self._answer("454 4.7.0 TLS not available")
            return
        self._answer("220 2.0.0 Ready to start TLS")
        self._flush()
        self._input.clear()
        loop = asyncio.get_running_loop()
        secured = await loop.start_tls(self._transport, self, self._host.tls, server_side=True)
        if secured is None:
            raise ConnectionResetError
        self._transport = secured
        self._is_secure = True
        self._has_greeted = False
        self._login = None
        self._transaction = _Transaction()

    # --- AUTH (RFC 4954)

    async def _authenticate(self, argument: str) -> None:
        if self._login is not None or not self._has_greeted:
            self._answer("503 5.5.1 Error: not now")
            return
        mechanism, _, initial = argument.partition(" ")
        try:
            credentials = await self._credentials(mechanism.upper(), initial)
        except (binascii.Error, ValueError):
            self._answer("501 5.5.2 Cannot decode the credentials")
            return
        if credentials is None:
            self._answer("504 5.5.4 Unrecognized authentication type")
            return
        await self._log_in(*credentials)

    async def _credentials(self, mechanism: str, initial: str) -> tuple[str, str] | None:
        if mechanism == "PLAIN":
            _, username, password = _decoded(initial or await self._challenge("")).split("\0")
            return username, password
        if mechanism == "LOGIN":
            username = _decoded(initial or await self._challenge("VXNlcm5hbWU6"))
            return username, _decoded(await self._challenge("UGFzc3dvcmQ6"))
        return None

    async def _challenge(self, prompt: str) -> str:
        self._answer(f"334 {prompt}")
        return await self._line()

    async def _log_in(self, username: str, password: str) -> None:
        fault = self._host.faults.due(Moment.LOGIN, mailbox=username.lower())
        if fault is not None and await self._suffer(fault, ()):
            return
        if not self._host.checks_login(username, password):
            self._answer("535 5.7.8 Error: authentication failed")
            return
        self._login = username.lower()
        self._answer("235 2.7.0 Authentication successful")

    # --- a mail (RFC 5321 §3.3)

    async def _mail(self, argument: str) -> None:
        path = _FROM.fullmatch(argument)
        if problem := self._problem_of_mail(path):
            self._answer(problem)
            return
        address, parameters = cast("re.Match[str]", path).groups()
        allows_utf8 = "SMTPUTF8" in parameters.upper().split()
        if problem := _problem_of_parameters(parameters) or _problem_of_address(address, allows_utf8=allows_utf8):
            self._answer(problem)
            return
        self._transaction = _Transaction(sender=address, allows_utf8=allows_utf8)
        if await self._meets_fault(Moment.MAIL):
            self._transaction = _Transaction()
        else:
            self._answer("250 2.1.0 Ok")

    def _problem_of_mail(self, path: re.Match[str] | None) -> str | None:
        if not self._has_greeted:
            return "503 5.5.1 Error: send EHLO first"
        if self._host.requires_login and self._login is None:
            return "530 5.7.0 Authentication required"
        if self._transaction.sender is not None:
            return "503 5.5.1 Error: nested MAIL command"
        if path is None:
            return "501 5.5.4 Syntax: MAIL FROM:<address>"
        return None

    async def _rcpt(self, argument: str) -> None:
        path = _TO.fullmatch(argument)
        if self._transaction.sender is None:
            self._answer("503 5.5.1 Error: need MAIL command")
            return
        if path is None or "@" not in path[1] or path[2]:
            self._answer("501 5.1.3 Syntax: RCPT TO:<address>")
            return
        address = path[1]
        if problem := _problem_of_address(address, allows_utf8=self._transaction.allows_utf8):
            self._answer(problem)
            return
        if await self._meets_fault(Moment.RCPT, recipients=(address.lower(),)):
            return
        if refusal := self._host.refuses(address):
            self._answer(refusal.line(address))
            return
        self._transaction.recipients.append(address)
        self._answer("250 2.1.5 Ok")

    async def _data(self) -> None:
        if not self._transaction.recipients:
            self._answer("554 5.5.1 Error: no valid recipients")
            return
        recipients = tuple(address.lower() for address in self._transaction.recipients)
        if await self._meets_fault(Moment.DATA, recipients=recipients):
            return
        self._answer("354 End data with <CR><LF>.<CR><LF>")
        await self._meets_fault(Moment.CONTENT, recipients=recipients)
        raw = await self._content()
        if raw is None:
            self._answer("552 5.3.4 Error: message too large")
        else:
            await self._take(recipients, raw)
        self._transaction = _Transaction()

    async def _take(self, recipients: tuple[str, ...], raw: bytes) -> None:
        if await self._meets_fault(Moment.DOT, recipients=recipients):
            return
        transaction = self._transaction
        submission = Submission(self._login, transaction.sender or "", tuple(transaction.recipients), raw)
        queue_id = await self._host.takes(submission)
        if not await self._meets_fault(Moment.ANSWER, recipients=recipients):
            self._answer(f"250 2.0.0 Ok: queued as {queue_id}")


def _decoded(text: str) -> str:
    return b64decode(text, validate=True).decode()


def _problem_of_parameters(parameters: str) -> str | None:
    for parameter in parameters.upper().split():
        name, _, value = parameter.partition("=")
        if name == "SIZE" and value.isdigit() and int(value) > LARGEST_MAIL:
            return "552 5.3.4 Error: message too large"
        if parameter not in {"BODY=7BIT", "BODY=8BITMIME", "SMTPUTF8", "AUTH=<>"} and name != "SIZE":
            return f"555 5.5.4 Unsupported option: {parameter}"
    return None


def _problem_of_address(address: str, *, allows_utf8: bool) -> str | None:
    """RFC 6531 §3.5: an address beyond ASCII needs SMTPUTF8."""
    if address.isascii() or allows_utf8:
        return None
    return "553 5.6.7 Address beyond ASCII without SMTPUTF8"
