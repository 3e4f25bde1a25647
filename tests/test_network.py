"""The guard that keeps tests on this machine works."""

import asyncio
import socket

import pytest

from tests.support.network import OutsideError


async def test_another_machine_cannot_be_reached_from_a_test() -> None:
    with pytest.raises(OutsideError, match=r"192\.0\.2\.1"):
        await asyncio.open_connection("192.0.2.1", 25)
    with socket.socket() as plain, pytest.raises(OutsideError):
        plain.connect(("192.0.2.1", 25))


async def test_loopback_can() -> None:
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
