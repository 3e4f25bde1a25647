"""The wire to one server: bytes out, replies in. Knows TLS and time limits, nothing of mail.

An asyncio protocol rather than streams: replies are parsed as they arrive, a closed connection is noticed at once even
while nobody reads, and pipelined replies cost one wake-up. Who waits leaves a function to call: a mail needs no task.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, cast

from outrider.mail import network
from outrider.mail.server import Server
from outrider.mail.smtp.reply import MalformedReply, Reply, ReplyParser
from outrider.mail.tls import ResumingContext

MAX_UNREAD_REPLIES = 1000


class ChannelLost(ConnectionResetError):
    """The connection is gone, or of no more use."""


class Channel(asyncio.Protocol):
    """Made by `connect`. After ChannelLost or TimeoutError it is dead; what the server had said before can be read."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._parser = ReplyParser()
        self._replies: deque[Reply] = deque()
        self._lost: ChannelLost | TimeoutError | None = None
        self._is_paused = False
        self._listener: Callable[[], None] | None = None
        self._patience = 0.0  # of the listener, in seconds
        self._ends_at = 0.0  # when it is at its end, by the loop's clock
        self._timer: asyncio.TimerHandle | None = None
        self._looks_at = 0.0

    @classmethod
    async def connect(cls, server: Server, context: ResumingContext | None, *, seconds: float) -> "Channel":
        """With a context TLS begins at once. Raises OSError."""
        return await network.connect(cls, server, context, seconds=seconds)

    @property
    def is_idle(self) -> bool:
        """Whether it is open and the server has said nothing that nobody asked for."""
        return self._lost is None and not self._replies and self._parser.is_between_replies

    @property
    def is_full(self) -> bool:
        """Whether something written was not handed to the operating system yet."""
        return self._is_paused

    @property
    def unread(self) -> Reply | None:
        """The reply that `take` would give."""
        return self._replies[0] if self._replies else None

    @property
    def ssl_object(self) -> Any:
        return self._transport.get_extra_info("ssl_object") if self._transport else None

    @property
    def local_address(self) -> str:
        return str(self._open_transport().get_extra_info("sockname")[0])

    def write(self, octets: bytes) -> None:
        """Raises ChannelLost or TimeoutError if it is known that nobody is there; then nothing of it was sent."""
        self._open_transport().write(octets)

    def take(self) -> Reply | None:
        """The next reply in order, if it is there; raises ChannelLost or TimeoutError if none will come."""
        if self._replies:
            return self._replies.popleft()
        if self._lost is not None:
            self._open_transport()
        return None

    def listen(self, listener: Callable[[], None], *, seconds: float) -> None:
        """Call it once, as soon as anything has happened; if nothing does for so long, that is the end of the channel.

        One timer that runs its course, rather than a new one for every reply.
        """
        self._listener = listener
        self._patience = seconds
        self._ends_at = self._loop.time() + seconds
        if self._timer is None or self._ends_at < self._looks_at:
            self._look_later()

    async def read(self, *, seconds: float) -> Reply:
        """The next reply in order; raises ChannelLost or TimeoutError."""
        while (reply := self.take()) is None:
            happened = asyncio.Event()
            self.listen(happened.set, seconds=seconds)
            await happened.wait()
        return reply

    async def start_tls(self, context: ResumingContext, hostname: str, *, seconds: float) -> None:
        """Raises OSError. Replies sent before the handshake would be taken for answers after it (RFC 3207 §6)."""
        if not self.is_idle:
            self.abort("the server went on in plain text after STARTTLS")
        transport = self._open_transport()
        upgrade = cast(
            "Awaitable[asyncio.Transport]",
            self._loop.start_tls(transport, self, context, server_hostname=hostname, ssl_handshake_timeout=seconds),
        )
        self._transport = await upgrade
        self._transport.set_write_buffer_limits(high=0)

    def close(self) -> None:
        """What was written is still sent."""
        if self._transport:
            self._transport.close()

    def abort(self, reason: str = "the connection was given up") -> None:
        self._end(ChannelLost(reason))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=0)

    def data_received(self, data: bytes) -> None:
        if self._lost is not None:
            return
        try:
            self._replies.extend(self._parser.feed(data))
        except MalformedReply as error:
            self.abort(f"the server does not speak SMTP: {error}")
        if len(self._replies) > MAX_UNREAD_REPLIES:
            self.abort("the server does not stop talking")
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        self._lose(ChannelLost(f"the connection broke: {exc}" if exc else "the server closed the connection"))

    def pause_writing(self) -> None:
        self._is_paused = True

    def resume_writing(self) -> None:
        self._is_paused = False
        self._wake()

    def _open_transport(self) -> asyncio.Transport:
        if self._lost is not None:
            raise type(self._lost)(str(self._lost))
        if self._transport is None:
            raise ChannelLost("not connected")
        if self._transport.is_closing():
            raise ChannelLost("the server closed the connection")
        return self._transport

    def _end(self, error: ChannelLost | TimeoutError) -> None:
        if self._transport:
            self._transport.abort()
        self._lose(error)

    def _lose(self, error: ChannelLost | TimeoutError) -> None:
        """The first error is the true one."""
        self._lost = self._lost or error
        self._is_paused = False
        if self._timer:
            self._timer.cancel()
            self._timer = None
        self._wake()

    def _wake(self) -> None:
        listener, self._listener = self._listener, None
        if listener:
            listener()

    def _look_later(self) -> None:
        if self._timer:
            self._timer.cancel()
        self._looks_at = self._ends_at
        self._timer = self._loop.call_at(self._looks_at, self._look)

    def _look(self) -> None:
        self._timer = None
        if self._listener is None:
            return
        if self._loop.time() < self._ends_at:
            self._look_later()
        else:
            self._end(TimeoutError(f"no answer within {self._patience:g} seconds"))
