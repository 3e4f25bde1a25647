"""An installation opened by a command: its settings, its PostgreSQL (started if it is ours), schema and key checked.

Nothing is subscribed to events: a command that changes what others listen to calls `wiring.wire` first.
"""

import os
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace

from outrider.cli.console import Failure
from outrider.config import Settings, load_settings, variable
from outrider.kit.clock import Clock, InvalidClock
from outrider.kit.crypto import Vault, check_secret_key, load_or_create_secret_key, set_vault
from outrider.kit.db import Database
from outrider.kit.log import set_up_logging
from outrider.kit.migrate import migrate
from outrider.kit.postgres import EmbeddedPostgres

# What is committed stays committed, but a checkpoint may take its time: bulk imports and campaigns write much.
_POSTGRES_SETTINGS = {"shared_buffers": "256MB", "max_wal_size": "2GB", "checkpoint_timeout": "15min"}


@dataclass(frozen=True, slots=True)
class Installation:
    """`settings.database_url` is always set here; `environ` is what the settings were read from."""

    settings: Settings
    environ: Mapping[str, str]
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
    environ = environment(overrides)
    settings = load_settings(environ)
    set_up_logging(settings.log_level)
    vault = Vault(settings.secret_key or _stored_key(settings))
    set_vault(vault)
    clock = _clock(settings)
    if settings.database_url is not None:
        yield Installation(settings, environ, clock, vault, None)
        return
    postgres = own_postgres(settings)
    try:
        url = postgres.start()
        yield Installation(replace(settings, database_url=url), environ, clock, vault, postgres)
    finally:
        postgres.stop()


def own_postgres(settings: Settings) -> EmbeddedPostgres:
    return EmbeddedPostgres(settings.data_dir, settings=_POSTGRES_SETTINGS)


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
    given = {variable(name): str(value) for name, value in overrides.items() if value is not None}
    return {**os.environ, **given}


def _clock(settings: Settings) -> Clock:
    try:
        return Clock.parse(settings.clock)
    except InvalidClock as error:
        raise Failure(f"{variable('clock')} {error}.") from error


def _stored_key(settings: Settings) -> str:
    try:
        return load_or_create_secret_key(settings.data_dir)
    except OSError as error:
        raise Failure(
            f"The folder {settings.data_dir.absolute()} cannot be used: {error.strerror}. "
            "Change its owner, or choose another one by OUTRIDER_DATA_DIR."
        ) from error
