"""A session in which mails are submitted, and what became of each (RFC 5321 §3.3, RFC 2920 pipelining).

The point of no return is the write that holds the final dot. Before it a mail is certainly not taken (Deferred, or
tried on another connection if none of its content was sent); after it, and without an answer, it is Unknown.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

from outrider.mail.codes import Command
from outrider.mail.server import Server
from outrider.mail.smtp.channel import Channel, ChannelLost
from outrider.mail.smtp.envelope import Envelope, dot_stuffed, mail_command, objection, recipient_command
from outrider.mail.smtp.outcome import Accepted, Outcome, disconnected, in_doubt, refused
from outrider.mail.smtp.reply import Reply
from outrider.mail.smtp.session import Capabilities, Timeouts, open_session
from outrider.mail.tls import TlsContexts

CLOSING = 421
LAST_WRITE = 64 * 1024  # octets of content that go out together with the final dot
QUIT_SECONDS = 2.0


class Farewell(ChannelLost):
    """The server said 421, it is about to close (RFC 5321 §3.8), or refused what it had not got yet."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.text)
        self.outcome = outcome


@dataclass(slots=True)
class _Step:
    """A command before the content. `is_ahead`: written together with the ones before it."""

    command: Command | None  # None: RSET, whose reply says nothing
    line: bytes
    is_ahead: bool
    copy: str | None = None  # a recipient beyond the first


class Connection:
    """One logged-in session; one task at a time. Cancelling a submission closes it."""

    def __init__(self, server: Server, channel: Channel, capabilities: Capabilities, timeouts: Timeouts) -> None:
        self.server = server
        self.capabilities = capabilities
        self.message_count = 0
        self.failure: Outcome | None = None  # why the last submission ended early
        self._channel = channel
        self._timeouts = timeouts
        self._is_begun = False  # what comes before the next content went out with the last final dot
        self._needs_reset = False  # a transaction was begun and came to nothing

    @classmethod
    async def open(cls, server: Server, *, tls: TlsContexts, timeouts: Timeouts | None = None) -> Self:
        """Connect and log in; raises OSError or SessionRefused."""
        timeouts = timeouts or Timeouts()
        channel, capabilities = await open_session(server, tls, timeouts)
        return cls(server, channel, capabilities, timeouts)

    @property
    def is_usable(self) -> bool:
        return self._channel.is_idle

    async def submit(self, envelope: Envelope) -> Outcome:
        outcomes = await self.submit_many((envelope,))
        return outcomes[0] if outcomes else self.failure or disconnected("The connection was lost.")

    async def submit_many(self, envelopes: Sequence[Envelope]) -> list[Outcome]:
        """What became of the envelopes, in order.

        Fewer than there are envelopes if the connection ended: no content of the next was sent, `failure` says why.
        """
        outcomes: list[Outcome] = []
        try:
            for envelope, following in zip(envelopes, (*envelopes[1:], None), strict=True):
                outcomes.append(await self._submit(envelope, following))
        except OSError as error:
            self.failure = self._failure(error)
            self._channel.abort()
        except BaseException:
            self._channel.abort()
            raise
        return outcomes

    def abort(self, reason: str) -> None:
        """End it at once, whatever is under way."""
        self._channel.abort(reason)

    async def quit(self) -> None:
        """Say goodbye, without insisting."""
        with suppress(OSError):
            self._channel.write(b"QUIT\r\n")
            await self._channel.read(seconds=QUIT_SECONDS)
        self._channel.close()

    async def _submit(self, envelope: Envelope, following: Envelope | None) -> Outcome:
        unfit = objection(envelope, self.capabilities)
        if unfit:
            return unfit
        unwanted: list[str] = []
        refusal = await self._begin(envelope, unwanted)
        if refusal:
            return refusal
        return await self._send(envelope, following, unwanted)

    async def _begin(self, envelope: Envelope, unwanted: list[str]) -> Outcome | None:
        """MAIL, RCPT, DATA: the refusal, or None if the server waits for the content. Collects unwanted copies."""
        steps = list(self._steps(envelope))
        if not self._is_begun:
            self._write_ahead(steps)
        self._is_begun = self._needs_reset = False
        refusal: Outcome | None = None
        try:
            for step in steps:
                if refusal and not step.is_ahead:
                    break
                reply = await self._ask(step)
                if step.copy and reply.is_refusal:
                    unwanted.append(step.copy)
                elif step.command and reply.is_refusal:
                    refusal = refusal or refused(reply, step.command)
                elif step.command is Command.DATA and refusal:
                    await self._send_nothing()
                    return refusal
        except OSError:
            if refusal is None:
                raise
            self._channel.abort()
        self._needs_reset = refusal is not None
        return refusal

    def _steps(self, envelope: Envelope) -> Iterator[_Step]:
        """DATA goes ahead of the replies only with one recipient: the copies must not get what the lead does not."""
        is_ahead = self.capabilities.pipelining
        if self._needs_reset:
            yield _Step(None, b"RSET\r\n", is_ahead)
        yield _Step(Command.MAIL, mail_command(envelope, self.capabilities), is_ahead)
        lead, *copies = envelope.recipients
        yield _Step(Command.RCPT, recipient_command(lead), is_ahead)
        for copy in copies:
            yield _Step(Command.RCPT, recipient_command(copy), is_ahead, copy)
        yield _Step(Command.DATA, b"DATA\r\n", is_ahead and not copies)

    def _write_ahead(self, steps: Sequence[_Step]) -> None:
        lines = b"".join([step.line for step in steps if step.is_ahead])
        if lines:
            self._channel.write(lines)

    async def _ask(self, step: _Step) -> Reply:
        if not step.is_ahead:
            self._channel.write(step.line)
        is_data = step.command is Command.DATA
        reply = await self._channel.read(seconds=self._timeouts.data if is_data else self._timeouts.command)
        if reply.code == CLOSING:
            raise Farewell(refused(reply, step.command or Command.MAIL))
        if not reply.is_refusal and reply.is_positive is is_data:
            raise ChannelLost(f"the server answered {step.command} with {reply}")
        return reply

    async def _send_nothing(self) -> None:
        """DATA was let through although nobody is to get it: an empty content ends it (RFC 2920 §3.1)."""
        self._channel.write(b".\r\n")
        await self._channel.read(seconds=self._timeouts.command)

    async def _send(self, envelope: Envelope, following: Envelope | None, unwanted: Sequence[str]) -> Outcome:
        content = dot_stuffed(envelope.data)
        beginning, end = content[:-LAST_WRITE], content[-LAST_WRITE:]
        ahead = self._lines_ahead(following)
        try:
            if beginning:
                self._channel.write(beginning)
                await self._channel.drain(seconds=self._timeouts.block)
            self._raise_if_answered()
            self._channel.write(b"".join((end, b".\r\n", ahead)))
        except OSError as error:
            if not beginning:
                raise
            self._channel.abort()
            answer = self._channel.unread
            return refused(answer, Command.CONTENT) if answer and answer.is_refusal else self._failure(error)
        self._is_begun = bool(ahead)
        return await self._verdict(unwanted)

    def _lines_ahead(self, following: Envelope | None) -> bytes:
        """What comes before the next content, to go out with the final dot of this one (RFC 2920 §3.1)."""
        if not following or not self.capabilities.pipelining or objection(following, self.capabilities):
            return b""
        return b"".join([step.line for step in self._steps(following) if step.is_ahead])

    def _raise_if_answered(self) -> None:
        """An answer before the final dot can only be a refusal; with the dot unsent it is certain."""
        if answer := self._channel.unread:
            raise Farewell(refused(answer, Command.CONTENT))

    async def _verdict(self, unwanted: Sequence[str]) -> Outcome:
        """The answer to the final dot."""
        try:
            reply = await self._channel.read(seconds=self._timeouts.termination)
        except OSError as error:
            self._channel.abort()
            return in_doubt(f"The mail was sent, but the server did not confirm it: {error}.")
        self.message_count += 1
        if reply.is_positive:
            return Accepted(reply.code, reply.enhanced_code, str(reply), tuple(unwanted))
        if reply.is_refusal:
            return refused(reply, Command.CONTENT)
        self._channel.abort()
        return in_doubt(f"The server answered the mail with {reply}.", reply)

    def _failure(self, error: OSError) -> Outcome:
        """Nothing, or not all, of the content was sent."""
        if isinstance(error, Farewell):
            return error.outcome
        return disconnected(f"{self.server.host}:{self.server.port}: {error}.")
