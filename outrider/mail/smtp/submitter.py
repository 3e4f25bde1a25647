"""Submission with connections kept open: one per mailbox, used again, closed when idle.

A mail is tried on a second connection only if the first was an old one that turned out to be closed before any of the
mail's content was sent. That cannot make two mails of one.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

from outrider.kit.log import get_logger
from outrider.mail import network
from outrider.mail.codes import Reason, Scope
from outrider.mail.server import Server
from outrider.mail.smtp.connection import Connection, Submission
from outrider.mail.smtp.envelope import Envelope
from outrider.mail.smtp.outcome import Deferred, Outcome, Rejected, disconnected, refused, unfit
from outrider.mail.smtp.session import SessionRefused, Timeouts
from outrider.mail.tls import TlsContexts

log = get_logger("smtp")

IDLE_SECONDS = 30.0
MESSAGES_PER_CONNECTION = 50
_GIVEN_UP = Deferred(None, None, "The program ended before the mail was handed over.", Scope.MESSAGE, Reason.OTHER)
_NOT_OPENED = disconnected("The connection could not be made for an unforeseen reason, see the log.", Reason.OTHER)


@dataclass(slots=True)
class _Slot:
    """A mailbox's place: what waits for its connection, the connection, and when it is closed."""

    server: Server
    waiting: deque[Submission] = field(default_factory=deque)
    connection: Connection | None = None
    opening: asyncio.Task[Connection] | None = None
    is_idle: asyncio.Event = field(default_factory=asyncio.Event)
    used_at: float = 0.0  # by the loop's clock
    closing: asyncio.TimerHandle | None = None

    def end_all(self, outcome: Outcome) -> None:
        """All that wait are told this; those that join them meanwhile have their own turn."""
        for _ in range(len(self.waiting)):
            self.waiting.popleft().end(outcome)

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

    def submit(self, server: Server, envelope: Envelope, done: Callable[[Outcome], None]) -> None:
        """`done` is told what became of it, once, now or later. Never raises for what a server or the network does.

        Mails for a mailbox go in order, pipelined from one to the next where the server allows it.
        """
        if self._has_given_up:
            done(_GIVEN_UP)
            return
        slot = self._slots.get(server)
        if slot is None:
            slot = self._slots[server] = _Slot(server)
            slot.is_idle.set()
        slot.waiting.append(Submission(envelope, done))
        if slot.is_idle.is_set():
            slot.is_idle.clear()
            self._go_on(slot)

    async def close(self) -> None:
        """Say goodbye to all servers. Submissions under way are waited for."""
        slots, self._slots = self._slots, {}
        for slot in slots.values():
            await slot.is_idle.wait()
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
            if slot.connection and not slot.is_idle.is_set():
                slot.connection.abort("the program is ending")

    def _go_on(self, slot: _Slot) -> None:
        """Submit what waits, on the connection that is there or on a new one."""
        connection = slot.connection
        if connection and connection.failure:  # it is closed
            if not connection.outcome_count:
                slot.end_all(connection.failure)  # another one would end like it
            connection = slot.connection = None
        if self._has_given_up:
            slot.end_all(_GIVEN_UP)
        if not slot.waiting:
            self._rest(slot)
        elif connection and connection.is_usable and connection.message_count < self._messages_per_connection:
            self._work(slot, connection)
        else:
            slot.opening = asyncio.get_running_loop().create_task(self._open(slot))
            slot.opening.add_done_callback(partial(self._opened, slot))

    def _work(self, slot: _Slot, connection: Connection) -> None:
        connection.work(slot.waiting, partial(self._go_on, slot), at_most=self._messages_per_connection)

    async def _open(self, slot: _Slot) -> Connection:
        await slot.leave()
        return await Connection.open(slot.server, tls=self._tls, timeouts=self._timeouts)

    def _opened(self, slot: _Slot, opening: asyncio.Task[Connection]) -> None:
        slot.opening = None
        error = None if opening.cancelled() else opening.exception()
        if opening.cancelled():
            slot.end_all(_GIVEN_UP)
        elif isinstance(error, OSError | SessionRefused):
            slot.end_all(no_session(error, slot.server))
        elif error:  # a mistake of ours must not hold the mailbox for ever
            log.error("a connection could not be made", host=slot.server.host, exc_info=error)
            slot.end_all(_NOT_OPENED)
        else:
            slot.connection = opening.result()
            self._work(slot, slot.connection)
            return
        self._go_on(slot)

    def _rest(self, slot: _Slot) -> None:
        loop = asyncio.get_running_loop()
        slot.is_idle.set()
        slot.used_at = loop.time()
        if slot.closing is None:
            slot.closing = loop.call_later(self._idle_seconds, self._look_at_idle, slot)

    def _look_at_idle(self, slot: _Slot) -> None:
        """One timer per slot that runs its course, rather than a new one after every mail."""
        loop = asyncio.get_running_loop()
        closes_at = slot.used_at + self._idle_seconds
        if not slot.is_idle.is_set() or loop.time() < closes_at:
            closes_at = max(closes_at, loop.time() + self._idle_seconds / 10)
            slot.closing = loop.call_at(closes_at, self._look_at_idle, slot)
            return
        self._slots.pop(slot.server, None)
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
