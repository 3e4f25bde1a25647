"""An installation opened by a command: its settings, its PostgreSQL (started if it is ours), schema and key checked."""

import os
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace

from outrider.config import Settings, load_settings
from outrider.kit.clock import Clock
from outrider.kit.crypto import Vault, check_secret_key, load_or_create_secret_key, set_vault
from outrider.kit.db import Database
from outrider.kit.jobs import use_clock
from outrider.kit.log import set_up_logging
from outrider.kit.migrate import migrate
from outrider.kit.postgres import EmbeddedPostgres
from outrider.webhooks.policy import use_settings
from outrider.wiring import wire

# What is committed stays committed, but a checkpoint may take its time: bulk imports and campaigns write much.
_POSTGRES_SETTINGS = {"shared_buffers": "256MB", "max_wal_size": "2GB", "checkpoint_timeout": "15min"}


@dataclass(frozen=True, slots=True)
class Installation:
    """`settings.database_url` is always set here."""

    settings: Settings
    clock: Clock
    vault: Vault
    postgres: EmbeddedPostgres | None

    @property
    def database_url(self) -> str:
        if self.settings.database_url is None:
            raise AssertionError("an open installation has a database")
        return self.settings.database_url


@contextmanager
def installation(**overrides: object) -> Iterator[Installation]:
    """Read the settings (`overrides` by field name win over the environment) and start what has to run.

    Our own PostgreSQL is stopped at the end if nobody else had started it. Must be called on the main thread.
    """
    settings = load_settings(environment(overrides))
    set_up_logging(settings.log_level)
    vault = Vault(settings.secret_key or load_or_create_secret_key(settings.data_dir))
    set_vault(vault)
    clock = Clock.parse(settings.clock)
    use_clock(clock)
    use_settings(settings)
    wire()
    if settings.database_url is not None:
        yield Installation(settings, clock, vault, None)
        return
    postgres = EmbeddedPostgres(settings.data_dir, settings=_POSTGRES_SETTINGS)
    url = postgres.start()
    try:
        yield Installation(replace(settings, database_url=url), clock, vault, postgres)
    finally:
        postgres.stop()


@asynccontextmanager
async def opened(place: Installation) -> AsyncIterator[Database]:
    """The database with all migrations; refused to a process with another secret key than the data was sealed with."""
    await migrate(place.database_url)
    database = await Database.open(place.database_url, max_size=place.settings.pool_size)
    try:
        async with database.transaction() as db:
            await check_secret_key(db, place.vault)
        yield database
    finally:
        await database.close()


def environment(overrides: Mapping[str, object]) -> dict[str, str]:
    """The environment with some settings replaced; None leaves a setting as it is."""
    given = {f"OUTRIDER_{name.upper()}": str(value) for name, value in overrides.items() if value is not None}
    return {**os.environ, **given}
