"""The wire to one server: bytes out, replies in. Knows TLS and time limits, nothing of mail.

An asyncio protocol rather than streams: replies are parsed as they arrive, a closed connection is noticed at once even
while nobody reads, and pipelined replies cost one wake-up.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable
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
        self._transport: asyncio.Transport | None = None
        self._parser = ReplyParser()
        self._replies: deque[Reply] = deque()
        self._lost: str | None = None
        self._is_paused = False
        self._waiter: asyncio.Future[None] | None = None

    @classmethod
    async def connect(cls, server: Server, context: ResumingContext | None, *, seconds: float) -> "Channel":
        """With a context TLS begins at once. Raises OSError."""
        return await network.connect(cls, server, context, seconds=seconds)

    @property
    def is_idle(self) -> bool:
        """Whether it is open and the server has said nothing that nobody asked for."""
        return self._lost is None and not self._replies and self._parser.is_between_replies

    @property
    def unread(self) -> Reply | None:
        """The reply that `read` would give at once."""
        return self._replies[0] if self._replies else None

    @property
    def ssl_object(self) -> Any:
        return self._transport.get_extra_info("ssl_object") if self._transport else None

    @property
    def local_address(self) -> str:
        return str(self._open_transport().get_extra_info("sockname")[0])

    def write(self, octets: bytes) -> None:
        """Raises ChannelLost if it is known that nobody is there; then nothing of it was sent."""
        self._open_transport().write(octets)

    async def drain(self, *, seconds: float) -> None:
        """Wait until everything written was handed to the operating system."""
        while self._is_paused:
            await self._wait(seconds)
        self._open_transport()

    async def read(self, *, seconds: float) -> Reply:
        """The next reply in order; raises ChannelLost or TimeoutError."""
        while not self._replies:
            self._open_transport()
            await self._wait(seconds)
        return self._replies.popleft()

    async def start_tls(self, context: ResumingContext, hostname: str, *, seconds: float) -> None:
        """Raises OSError. Replies sent before the handshake would be taken for answers after it (RFC 3207 §6)."""
        if not self.is_idle:
            self.abort("the server went on in plain text after STARTTLS")
        transport = self._open_transport()
        loop = asyncio.get_running_loop()
        upgrade = cast(
            "Awaitable[asyncio.Transport]",
            loop.start_tls(transport, self, context, server_hostname=hostname, ssl_handshake_timeout=seconds),
        )
        self._transport = await upgrade
        self._transport.set_write_buffer_limits(high=0)

    def close(self) -> None:
        """What was written is still sent."""
        if self._transport:
            self._transport.close()

    def abort(self, reason: str = "the connection was given up") -> None:
        self._lose(reason)
        if self._transport:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=0)

    def data_received(self, data: bytes) -> None:
        if self._lost is not None:
            return
        try:
            for reply in self._parser.feed(data):
                self._replies.append(reply)
        except MalformedReply as error:
            self.abort(f"the server does not speak SMTP: {error}")
        if len(self._replies) > MAX_UNREAD_REPLIES:
            self.abort("the server does not stop talking")
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        self._lose(f"the connection broke: {exc}" if exc else "the server closed the connection")

    def pause_writing(self) -> None:
        self._is_paused = True

    def resume_writing(self) -> None:
        self._is_paused = False
        self._wake()

    def _open_transport(self) -> asyncio.Transport:
        if self._lost is not None or self._transport is None:
            raise ChannelLost(self._lost or "not connected")
        if self._transport.is_closing():
            raise ChannelLost("the server closed the connection")
        return self._transport

    def _lose(self, reason: str) -> None:
        """The first reason is the true one."""
        self._lost = self._lost or reason
        self._is_paused = False
        self._wake()

    async def _wait(self, seconds: float) -> None:
        """Until something happened."""
        loop = asyncio.get_running_loop()
        waiter = self._waiter = loop.create_future()
        timer = loop.call_later(seconds, _expire, waiter, seconds)
        try:
            await waiter
        except TimeoutError:
            self.abort()
            raise
        finally:
            timer.cancel()
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(None)


def _expire(waiter: "asyncio.Future[None]", seconds: float) -> None:
    if not waiter.done():
        waiter.set_exception(TimeoutError(f"no answer within {seconds:g} seconds"))
