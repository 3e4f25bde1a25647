"""A process of the tree: `python -m outrider.cli.child web FD` or `… engine`. Started by `processes` only."""

import asyncio
import ctypes
import os
import signal
import socket
import sys

import uvicorn
import uvloop

from outrider.config import Settings, load_settings
from outrider.engine.worker import Engine
from outrider.kit.clock import Clock
from outrider.kit.crypto import Vault, load_or_create_secret_key, set_vault
from outrider.kit.db import Database
from outrider.kit.guard import guarded_client
from outrider.kit.jobs import use_clock
from outrider.kit.log import set_up_logging
from outrider.webhooks.policy import use_settings
from outrider.wiring import wire

_PR_SET_PDEATHSIG = 1
_FINISH_SECONDS = 15


def end_with_parent() -> None:
    """Ask the kernel for SIGTERM when the parent is gone, however it went (prctl(2), Linux)."""
    if not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() == 1 and os.getpid() != 1:
        sys.exit(1)  # it went before we asked


def serve_web(descriptor: int) -> None:
    """Answer requests on the shared socket until SIGTERM."""
    config = uvicorn.Config(
        "outrider.asgi:application",
        factory=True,
        loop="uvloop",
        http="httptools",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=True,
        timeout_graceful_shutdown=_FINISH_SECONDS,
    )
    listener = socket.socket(fileno=descriptor)
    uvicorn.Server(config).run(sockets=[listener])


async def run_engine(settings: Settings) -> None:
    """Send, read and deliver until SIGTERM."""
    set_up_logging(settings.log_level)
    vault = Vault(settings.secret_key or load_or_create_secret_key(settings.data_dir))
    set_vault(vault)
    clock = Clock.parse(settings.clock)
    use_clock(clock)
    use_settings(settings)
    wire()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    if settings.database_url is None:
        raise AssertionError("the parent passes the database on")
    database = await Database.open(settings.database_url, max_size=settings.pool_size)
    try:
        async with guarded_client(settings, verify=settings.webhook_verify_tls) as http:
            await Engine(database, settings, clock, vault, http=http).run(stop)
    finally:
        await database.close()


def main() -> None:
    end_with_parent()
    role, *rest = sys.argv[1:]
    if role == "web":
        serve_web(int(rest[0]))
    else:
        uvloop.run(run_engine(load_settings(os.environ)))


if __name__ == "__main__":
    main()
