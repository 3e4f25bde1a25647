"""A connection to an IMAP server: asked, waited on, closed. Every command is raced against loss and time.

RFC 9051, RFC 2177 (IDLE). Made by `opening`. Raises ImapError.
"""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from aioimaplib.aioimaplib import AioImapException, Command

from outrider.mail.imap.errors import CommandRefused, ConnectionLost, ImapError, TimedOut
from outrider.mail.imap.protocol import ALLOWANCE, ImapProtocol
from outrider.mail.server import Server

MAX_WAITS = 40  # a server that sends a byte now and then does not hold us for ever
LOGOUT_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds."""

    connect: float = 20
    command: float = 30  # without a byte from the server


class Connection:
    """One task at a time. Cancelling a command closes the connection."""

    def __init__(self, server: Server, protocol: ImapProtocol, timeouts: Timeouts) -> None:
        self.server = server
        self.protocol = protocol
        self.timeouts = timeouts

    @property
    def capabilities(self) -> frozenset[str]:
        return frozenset(self.protocol.capabilities)

    @property
    def is_lost(self) -> bool:
        return self.protocol.lost.done()

    def command(self, name: str, *arguments: str, prefix: str | None = None, answered_by: str | None = None) -> Command:
        """`answered_by`: the untagged answer that belongs to it, if it has another name."""
        protocol = self.protocol
        return Command(name, protocol.new_tag(), *arguments, prefix=prefix, untagged_resp_name=answered_by)

    async def run(self, command: Command, *, allowance: int = ALLOWANCE) -> Any:
        """The response to a command that was not refused. `allowance`: bytes of it that are accepted."""
        self.protocol.allowance = allowance
        response = await self.race(self.protocol.execute(command))
        if response.result != "OK":
            raise CommandRefused(f"{self.server.host} refused {command.name}: {text_of(response)}.")
        return response

    async def race(self, answer: Coroutine[Any, Any, Any]) -> Any:
        """The answer, unless the connection is lost or the server is silent for too long."""
        protocol, seconds = self.protocol, self.timeouts.command
        if self.is_lost:
            answer.close()
            raise self._lost()
        task = asyncio.ensure_future(answer)
        try:
            for _ in range(MAX_WAITS):
                count = protocol.received_count
                await self._first_of(task, seconds=seconds)
                if task.done() or protocol.received_count == count:
                    break
            return self._result(task, f"did not answer within {seconds:g} seconds")
        except AioImapException as error:
            protocol.abort(str(error))
            raise ConnectionLost(f"{self.server.host} and we lost each other: {error}.") from error
        except BaseException:
            protocol.abort("the connection was given up")
            raise
        finally:
            await _cancel(task)

    async def idle(self, seconds: float) -> None:
        """IDLE until there is news or the time is over; raises CommandRefused if the server will not."""
        protocol, patience = self.protocol, self.timeouts.command
        protocol.allowance = ALLOWANCE
        command = asyncio.ensure_future(protocol.execute(self.command("IDLE")))
        started = asyncio.ensure_future(protocol.wait_for_idle_response())
        news = asyncio.ensure_future(protocol.news.wait())
        try:
            await self._first_of(command, started, seconds=patience)
            if started.done():
                await self._first_of(command, news, seconds=seconds)
            if started.done() and not command.done():
                protocol.idle_done()
                await self._first_of(command, seconds=patience)
            response = self._result(command, "did not answer to IDLE")
        except BaseException:
            protocol.abort("the connection was given up")
            raise
        finally:
            await _cancel(command, started, news)
        if response.result != "OK":
            raise CommandRefused(f"{self.server.host} refused IDLE: {text_of(response)}.")

    async def log_out(self) -> None:
        """Say goodbye, without insisting."""
        with suppress(ImapError, TimeoutError):
            async with asyncio.timeout(LOGOUT_SECONDS):
                await self.run(self.command("LOGOUT"))
        self.close()

    def close(self) -> None:
        if self.protocol.transport is not None:
            self.protocol.transport.close()

    async def _first_of(self, *tasks: asyncio.Future[Any], seconds: float) -> None:
        """Wait for one of them; raises ConnectionLost."""
        lost = self.protocol.lost
        await asyncio.wait({*tasks, lost}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if lost.done() and not any(task.done() for task in tasks):
            raise self._lost()

    def _lost(self) -> ConnectionLost:
        return ConnectionLost(f"The connection to {self.server.host} was lost: {self.protocol.lost.result()}.")

    def _result(self, task: asyncio.Future[Any], complaint: str) -> Any:
        if not task.done():
            raise TimedOut(f"{self.server.host} {complaint}.")
        return task.result()


def text_of(response: Any) -> str:
    """What the server says in its tagged line."""
    text = bytes(response.lines[-1]) if response.lines else b""
    return text[:300].decode("utf-8", "replace").strip().rstrip(".") or str(response.result)


async def _cancel(*tasks: asyncio.Future[Any]) -> None:
    """End tasks that may still run, and hear what they would say to nobody."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
