"""Submission with connections kept open: one per mailbox, used again, closed when idle.

A mail is tried on a second connection only if the first was an old one that turned out to be closed before any of the
mail's content was sent. That cannot make two mails of one.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from outrider.mail import network
from outrider.mail.codes import Reason, Scope
from outrider.mail.server import Server
from outrider.mail.smtp.connection import Connection
from outrider.mail.smtp.envelope import Envelope
from outrider.mail.smtp.outcome import Deferred, Outcome, Rejected, disconnected, refused, unfit
from outrider.mail.smtp.session import SessionRefused, Timeouts
from outrider.mail.tls import TlsContexts

IDLE_SECONDS = 30.0
MESSAGES_PER_CONNECTION = 50
_GIVEN_UP = Deferred(None, None, "The program ended before the mail was handed over.", Scope.MESSAGE, Reason.OTHER)


@dataclass(slots=True)
class _Slot:
    """A mailbox's place: its connection, who may use it, and when it is closed."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    connection: Connection | None = None
    opening: asyncio.Task[Connection] | None = None
    used_at: float = 0.0  # by the loop's clock
    closing: asyncio.TimerHandle | None = None

    async def leave(self) -> None:
        connection, self.connection = self.connection, None
        if connection:
            await connection.quit()


class Submitter:
    """Equal servers, that is the same host and log-in, share a connection and take turns on it."""

    def __init__(
        self,
        *,
        tls: TlsContexts | None = None,
        timeouts: Timeouts | None = None,
        idle_seconds: float = IDLE_SECONDS,
        messages_per_connection: int = MESSAGES_PER_CONNECTION,
    ) -> None:
        self._tls = tls or TlsContexts.shared()
        self._timeouts = timeouts or Timeouts()
        self._idle_seconds = idle_seconds
        self._messages_per_connection = messages_per_connection
        self._slots: dict[Server, _Slot] = {}
        self._farewells: set[asyncio.Task[None]] = set()
        self._has_given_up = False

    @property
    def connection_count(self) -> int:
        return sum(slot.connection is not None for slot in self._slots.values())

    async def submit(self, server: Server, envelope: Envelope) -> Outcome:
        """Never raises for what a server or the network does."""
        (outcome,) = await self.submit_many(server, (envelope,))
        return outcome

    async def submit_many(self, server: Server, envelopes: Sequence[Envelope]) -> list[Outcome]:
        """What became of each, in order; pipelined from one mail to the next where the server allows it."""
        slot = self._slots.setdefault(server, _Slot())
        async with slot.lock:
            try:
                return await self._submit_all(server, slot, envelopes)
            finally:
                self._close_when_idle(server, slot)

    async def close(self) -> None:
        """Say goodbye to all servers. Submissions under way are waited for."""
        slots, self._slots = self._slots, {}
        for slot in slots.values():
            async with slot.lock:
                if slot.closing:
                    slot.closing.cancel()
                self._say_goodbye(slot)
        await asyncio.gather(*self._farewells)

    def give_up(self) -> None:
        """Break off what is under way, and begin nothing more: every submission ends at once with its true outcome."""
        self._has_given_up = True
        for slot in self._slots.values():
            if slot.opening:
                slot.opening.cancel()
            if slot.connection and slot.lock.locked():
                slot.connection.abort("the program is ending")

    async def _submit_all(self, server: Server, slot: _Slot, envelopes: Sequence[Envelope]) -> list[Outcome]:
        outcomes: list[Outcome] = []
        while rest := envelopes[len(outcomes) :]:
            if self._has_given_up:
                return outcomes + [_GIVEN_UP] * len(rest)
            connection = await self._connection_to_reuse(slot)
            is_new = connection is None
            if connection is None:
                try:
                    connection = slot.connection = await self._open(server, slot)
                except (OSError, SessionRefused) as error:
                    return outcomes + [no_session(error, server)] * len(rest)
                if connection is None:
                    continue
            room = self._messages_per_connection - connection.message_count
            done = await connection.submit_many(rest[:room])
            if is_new and not done:
                return outcomes + [connection.failure or disconnected("The connection was lost.")] * len(rest)
            outcomes += done
        return outcomes

    async def _open(self, server: Server, slot: _Slot) -> Connection | None:
        """In a task of its own, so that `give_up` can end it without ending its caller; None if it did."""
        opening = Connection.open(server, tls=self._tls, timeouts=self._timeouts)
        task = slot.opening = asyncio.get_running_loop().create_task(opening)
        try:
            return await task
        except asyncio.CancelledError:
            caller = asyncio.current_task()
            if self._has_given_up and caller is not None and not caller.cancelling():
                return None
            raise
        finally:
            slot.opening = None

    async def _connection_to_reuse(self, slot: _Slot) -> Connection | None:
        connection = slot.connection
        if connection and connection.is_usable and connection.message_count < self._messages_per_connection:
            return connection
        await slot.leave()
        return None

    def _close_when_idle(self, server: Server, slot: _Slot) -> None:
        if self._slots.get(server) is not slot:  # closed meanwhile
            self._say_goodbye(slot)
            return
        loop = asyncio.get_running_loop()
        slot.used_at = loop.time()
        if slot.closing is None:
            slot.closing = loop.call_later(self._idle_seconds, self._look_at_idle, server, slot)

    def _look_at_idle(self, server: Server, slot: _Slot) -> None:
        """One timer per slot that runs its course, rather than a new one after every mail."""
        loop = asyncio.get_running_loop()
        closes_at = slot.used_at + self._idle_seconds
        if slot.lock.locked() or loop.time() < closes_at:
            closes_at = max(closes_at, loop.time() + self._idle_seconds / 10)
            slot.closing = loop.call_at(closes_at, self._look_at_idle, server, slot)
            return
        self._slots.pop(server, None)
        self._say_goodbye(slot)

    def _say_goodbye(self, slot: _Slot) -> None:
        task = asyncio.get_running_loop().create_task(slot.leave())
        self._farewells.add(task)
        task.add_done_callback(self._farewells.discard)


def no_session(error: OSError | SessionRefused, server: Server) -> Deferred | Rejected:
    """The outcome of every mail that waits for a connection which did not come about."""
    if isinstance(error, OSError):
        return disconnected(network.explain(error, server))
    if error.reply is None:
        return unfit(str(error), error.scope, error.reason)
    if not error.reply.is_refusal:
        return disconnected(str(error), Reason.PROTOCOL)
    return replace(refused(error.reply, error.command), text=str(error))
