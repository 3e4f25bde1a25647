"""An engine process: `python -m outrider.cli.engine PARENT_PID`, started by `processes` only."""

import asyncio
import gc
import signal

import uvloop

from outrider.cli import child
from outrider.config import Settings
from outrider.engine.classify import endpoint as classifier
from outrider.engine.worker import PLANS, Engine
from outrider.kit.clock import Clock
from outrider.kit.crypto import Vault, load_or_create_secret_key, set_vault
from outrider.kit.db import Database
from outrider.kit.guard import guarded_client
from outrider.kit.jobs import use_clock
from outrider.webhooks.policy import use_settings
from outrider.wiring import wire

_LONGEST_FINISH_SECONDS = 25  # the parent waits for 20


def main() -> None:
    """Send, read and deliver until SIGTERM."""
    settings, _ = child.begin()
    collect_seldom()
    uvloop.run(_run(settings))


def collect_seldom() -> None:
    """What was imported stays; a mail makes many objects and few circles, so they are looked for less often."""
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)


async def _run(settings: Settings) -> None:
    vault = Vault(settings.secret_key or load_or_create_secret_key(settings.data_dir))
    set_vault(vault)
    clock = Clock.parse(settings.clock)
    use_clock(clock)
    use_settings(settings)
    classifier.use_settings(settings)
    wire()
    stop = _stop_on_signals()
    if settings.database_url is None:
        raise AssertionError("the parent passes the database on")
    database = await Database.open(settings.database_url, max_size=settings.pool_size, settings=PLANS)
    try:
        async with guarded_client(settings, verify=settings.webhook_verify_tls) as http:
            await Engine(database, settings, clock, vault, http=http).run(stop)
    finally:
        await database.close()


def _stop_on_signals() -> asyncio.Event:
    stop = asyncio.Event()

    def finish() -> None:
        signal.alarm(_LONGEST_FINISH_SECONDS)  # ends the process: an orphan has nobody who would kill it
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, finish)
    return stop


if __name__ == "__main__":
    main()
