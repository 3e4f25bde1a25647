"""A session in which mails are submitted, and what became of each (RFC 5321 §3.3, RFC 2920 pipelining).

The point of no return is the write that holds the final dot. Before it a mail is certainly not taken (Deferred, or
tried on another connection if none of its content was sent); after it, and without an answer, it is Unknown.
"""

from collections import deque
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Self, TypeVar

from outrider.kit.log import get_logger
from outrider.mail.codes import Command
from outrider.mail.server import Server
from outrider.mail.smtp.channel import Channel, ChannelLost
from outrider.mail.smtp.envelope import Envelope, dot_stuffed, mail_command, objection, recipient_command
from outrider.mail.smtp.outcome import Accepted, Outcome, disconnected, in_doubt, refused
from outrider.mail.smtp.reply import Reply
from outrider.mail.smtp.session import Capabilities, Timeouts, open_session
from outrider.mail.tls import TlsContexts

log = get_logger("smtp")

MAIL, RCPT, DATA, CONTENT = Command.MAIL, Command.RCPT, Command.DATA, Command.CONTENT  # an enum is slow to ask
DONE, GO_ON = 2, 3  # first digits of replies (RFC 5321 §4.2.1)
CLOSING = 421
LAST_WRITE = 64 * 1024  # octets of content that go out together with the final dot
QUIT_SECONDS = 2.0

T = TypeVar("T")
Talk = Generator[float, None, T]
"""What is said and heard in a row. It yields where it waits: the seconds that it is ready to."""

_Line = tuple[Command | None, bytes, str | None]
"""A command, how it is said, and the copy it is about."""


class Farewell(ChannelLost):
    """The server said 421, it is about to close (RFC 5321 §3.8), or refused what it had not got yet."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.text)
        self.outcome = outcome


@dataclass(slots=True)
class Submission:
    """A mail that waits for its turn; `done` is told what became of it, once."""

    envelope: Envelope
    done: Callable[[Outcome], None]

    def end(self, outcome: Outcome) -> None:
        """A caller that fails must not hold up the mails of others."""
        try:
            self.done(outcome)
        except Exception:
            log.exception("what became of a mail was not noted", outcome=type(outcome).__name__)


class Connection:
    """One logged-in session. It talks in the callbacks of its channel: a mail costs no task and no future."""

    def __init__(self, server: Server, channel: Channel, capabilities: Capabilities, timeouts: Timeouts) -> None:
        self.server = server
        self.capabilities = capabilities
        self.message_count = 0  # that the server answered, with their content
        self.outcome_count = 0  # those and the ones refused before
        self.failure: Outcome | None = None  # why the work ended early
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

    def work(self, waiting: deque[Submission], at_end: Callable[[], None], *, at_most: int) -> None:
        """Submit what waits, and what joins it meanwhile, until `at_most` mails were sent on this connection.

        Those that are left at the end have certainly not been taken: no content of them was sent, `failure` says why.
        """
        self._talk = self._submit_all(waiting, at_most)
        self._at_end = at_end
        self._go_on()

    def abort(self, reason: str) -> None:
        """End it at once, whatever is under way."""
        self._channel.abort(reason)

    async def quit(self) -> None:
        """Say goodbye, without insisting."""
        with suppress(OSError):
            self._channel.write(b"QUIT\r\n")
            await self._channel.read(seconds=QUIT_SECONDS)
        self._channel.close()

    def _go_on(self) -> None:
        """Something happened: talk until there is something to wait for again, or nothing to do."""
        try:
            self._channel.listen(self._go_on, seconds=next(self._talk))
        except StopIteration:
            self._at_end()
        except OSError as error:
            self.failure = self._failure(error)
            self._channel.abort()
            self._at_end()

    def _submit_all(self, waiting: deque[Submission], at_most: int) -> Talk[None]:
        while waiting and self.message_count < at_most:
            is_last = len(waiting) == 1 or self.message_count + 1 >= at_most
            outcome = yield from self._submit(waiting[0].envelope, None if is_last else waiting[1].envelope)
            self.outcome_count += 1
            waiting.popleft().end(outcome)

    def _submit(self, envelope: Envelope, following: Envelope | None) -> Talk[Outcome]:
        unfit = None if self._is_begun else objection(envelope, self.capabilities)
        if unfit:
            return unfit
        unwanted: list[str] = []
        try:
            refusal = yield from self._begin(envelope, unwanted)
            return refusal or (yield from self._send(envelope, following, unwanted))
        except OSError:
            raise
        except Exception:  # a mistake of ours
            log.exception("a submission failed")
            self._channel.abort()
            return in_doubt("The submission failed in an unforeseen way.")

    def _begin(self, envelope: Envelope, unwanted: list[str]) -> Talk[Outcome | None]:
        """MAIL, RCPT, DATA: the refusal, or None if the server waits for the content. Collects unwanted copies."""
        commands = self._commands(envelope)
        ahead_count = self._ahead_count(envelope, commands)
        if not self._is_begun:
            self._channel.write(_written(commands[:ahead_count]))
        self._is_begun = self._needs_reset = False
        refusal: Outcome | None = None
        try:
            for place, (command, line, copy) in enumerate(commands):
                if place >= ahead_count:
                    if refusal:
                        break
                    self._channel.write(line)
                reply = self._channel.take() or (
                    yield from self._wait(self._timeouts.data if command is DATA else self._timeouts.command)
                )
                if not _is_refusal(reply, command):
                    if refusal and command is DATA:
                        yield from self._send_nothing()
                        return refusal
                elif copy:
                    unwanted.append(copy)
                else:
                    refusal = refusal or refused(reply, command or MAIL)
        except OSError:
            if refusal is None:
                raise
            self._channel.abort()
        self._needs_reset = refusal is not None
        return refusal

    def _commands(self, envelope: Envelope) -> list[_Line]:
        """What comes before the content; None is RSET."""
        lead, *copies = envelope.recipients
        return [
            *([(None, b"RSET\r\n", None)] if self._needs_reset else ()),
            (MAIL, mail_command(envelope, self.capabilities), None),
            (RCPT, recipient_command(lead), None),
            *[(RCPT, recipient_command(copy), copy) for copy in copies],
            (DATA, b"DATA\r\n", None),
        ]

    def _ahead_count(self, envelope: Envelope, commands: Sequence[object]) -> int:
        """How many are written before the first is answered (RFC 2920 §3.1).

        DATA is one of them only with one recipient: the copies must not get what the lead does not.
        """
        if not self.capabilities.pipelining:
            return 0
        return len(commands) if len(envelope.recipients) == 1 else len(commands) - 1

    def _send_nothing(self) -> Talk[None]:
        """DATA was let through although nobody is to get it: an empty content ends it (RFC 2920 §3.1)."""
        self._channel.write(b".\r\n")
        yield from self._wait(self._timeouts.command)

    def _send(self, envelope: Envelope, following: Envelope | None, unwanted: Sequence[str]) -> Talk[Outcome]:
        content = dot_stuffed(envelope.data)
        beginning, end = content[:-LAST_WRITE], content[-LAST_WRITE:]
        ahead = self._lines_ahead(following)
        try:
            if beginning:
                self._channel.write(beginning)
                while self._channel.is_full:
                    yield self._timeouts.block
            self._raise_if_answered()
            self._channel.write(b"".join((end, b".\r\n", ahead)))
        except OSError as error:
            if not beginning:
                raise
            self._channel.abort()
            answer = self._channel.unread
            return refused(answer, CONTENT) if answer and answer.is_refusal else self._failure(error)
        self._is_begun = bool(ahead)
        return (yield from self._verdict(unwanted))

    def _lines_ahead(self, following: Envelope | None) -> bytes:
        """What comes before the next content, to go out with the final dot of this one (RFC 2920 §3.1)."""
        if not following or not self.capabilities.pipelining or objection(following, self.capabilities):
            return b""
        commands = self._commands(following)
        return _written(commands[: self._ahead_count(following, commands)])

    def _raise_if_answered(self) -> None:
        """An answer before the final dot can only be a refusal; with the dot unsent it is certain."""
        if answer := self._channel.unread:
            raise Farewell(refused(answer, CONTENT))

    def _verdict(self, unwanted: Sequence[str]) -> Talk[Outcome]:
        """The answer to the final dot."""
        try:
            reply = yield from self._wait(self._timeouts.termination)
        except OSError as error:
            self._channel.abort()
            return in_doubt(f"The mail was sent, but the server did not confirm it: {error}.")
        self.message_count += 1
        if reply.is_positive:
            return Accepted(reply.code, reply.enhanced_code, str(reply), tuple(unwanted))
        if reply.is_refusal:
            return refused(reply, CONTENT)
        self._channel.abort()
        return in_doubt(f"The server answered the mail with {reply}.", reply)

    def _wait(self, seconds: float) -> Talk[Reply]:
        while (reply := self._channel.take()) is None:
            yield seconds
        return reply

    def _failure(self, error: OSError) -> Outcome:
        """Nothing, or not all, of the content was sent."""
        if isinstance(error, Farewell):
            return error.outcome
        return disconnected(f"{self.server.host}:{self.server.port}: {error}.")


def _is_refusal(reply: Reply, command: Command | None) -> bool:
    """Whether it is a no; what is neither yes nor no ends the connection. What is said to RSET says nothing."""
    if reply.code // 100 == (GO_ON if command is DATA else DONE):
        return False
    if reply.code == CLOSING:
        raise Farewell(refused(reply, command or MAIL))
    if reply.is_refusal:
        return command is not None
    raise ChannelLost(f"the server answered {command} with {reply}")


def _written(commands: Sequence[_Line]) -> bytes:
    return b"".join([line for _, line, _ in commands])
