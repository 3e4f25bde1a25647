"""`outrider doctor`: looks at what the program needs and says what to do about what is wrong. It changes nothing."""

import asyncio
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psycopg

from outrider.cli.console import Failure, out
from outrider.cli.installation import own_postgres
from outrider.cli.processes import listen
from outrider.cli.serve import ask
from outrider.config import SettingError, Settings, load_settings
from outrider.kit.crypto import KEY_FILE, Vault, WrongSecretKeyError, check_secret_key
from outrider.kit.db import Database, describe_failure
from outrider.kit.migrate import MigrationError, is_up_to_date
from outrider.kit.postgres import EmbeddedPostgresError, connect_url

_OLDEST_PYTHON = (3, 11)
_MEBIBYTE = 1024 * 1024
_LEAST_FREE = 500 * _MEBIBYTE
_FOR_OTHERS = 0o077


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, and how it is or what to do about it."""

    subject: str
    text: str
    is_trouble: bool = False


def doctor() -> None:
    """Check Python, settings, DATA_DIR, database, secret key and port, and say what to do about each trouble."""
    has_trouble = False
    for finding in examine(os.environ):
        mark = "[red]wrong[/red]" if finding.is_trouble else "[green]fine[/green] "
        out.print(f"{mark}  {finding.subject:9} {finding.text}", soft_wrap=True)
        has_trouble = has_trouble or finding.is_trouble
    sys.exit(1 if has_trouble else 0)


def examine(environ: Mapping[str, str]) -> Iterator[Finding]:
    yield _python()
    try:
        settings = load_settings(environ)
    except SettingError as error:
        yield Finding("settings", str(error), is_trouble=True)
        return
    yield _data_dir(settings.data_dir.absolute())
    yield from _database(settings)
    yield _port(settings.host, settings.port)


def _python() -> Finding:
    version = ".".join(str(number) for number in sys.version_info[:3])
    if sys.version_info[:2] < _OLDEST_PYTHON:
        return Finding("Python", f"{version} is too old. Install 3.11 or newer and run `make setup`.", is_trouble=True)
    return Finding("Python", version)


def _data_dir(folder: Path) -> Finding:
    place = next(each for each in (folder, *folder.parents) if each.exists())
    try:
        tempfile.TemporaryFile(dir=place).close()
    except OSError as error:
        text = f"{folder} cannot be written: {error.strerror}. Change its owner, or set OUTRIDER_DATA_DIR."
        return Finding("folder", text, is_trouble=True)
    free = shutil.disk_usage(place).free
    if free < _LEAST_FREE:
        text = f"{folder} has {free // _MEBIBYTE} MB left. Free some space on its disk, or set OUTRIDER_DATA_DIR."
        return Finding("folder", text, is_trouble=True)
    return Finding("folder", f"{folder}, {free // _MEBIBYTE:,} MB free.")


def _database(settings: Settings) -> Iterator[Finding]:
    url = settings.database_url or connect_url(settings.data_dir)
    if url is not None:
        yield from asyncio.run(_examine_database(settings, url))
        return
    postgres = own_postgres(settings)
    if not postgres.is_made:
        yield Finding("database", "There is none yet; `outrider serve` makes it.")
        return
    try:
        yield from asyncio.run(_examine_database(settings, postgres.start()))
    except EmbeddedPostgresError as error:
        yield Finding("database", str(error), is_trouble=True)
    finally:
        postgres.stop()


async def _examine_database(settings: Settings, url: str) -> list[Finding]:
    try:
        database = await Database.open(url, max_size=2)
    except psycopg.Error as error:
        return [Finding("database", describe_failure(error), is_trouble=True)]
    try:
        schema = await _schema(database)
        key = [] if schema.is_trouble else [await _secret_key(database, settings)]
        return [Finding("database", "It answers."), schema, *key]
    finally:
        await database.close()


async def _schema(database: Database) -> Finding:
    try:
        if await is_up_to_date(database):
            return Finding("schema", "It is up to date.")
    except MigrationError as error:
        return Finding("schema", str(error), is_trouble=True)
    return Finding("schema", "It is not up to date. Run `outrider migrate` or `outrider serve`.", is_trouble=True)


async def _secret_key(database: Database, settings: Settings) -> Finding:
    path = settings.data_dir.absolute() / KEY_FILE
    if settings.secret_key is None and not path.exists():
        text = f"There is no {path}. Put it back, or set OUTRIDER_SECRET_KEY to the key used before."
        return Finding("key", text, is_trouble=True)
    if settings.secret_key is None and path.stat().st_mode & _FOR_OTHERS:
        return Finding("key", f"Others can read {path}. Run: chmod 600 {path}", is_trouble=True)
    vault = Vault(settings.secret_key or path.read_text("ascii").strip())
    try:
        async with database.connection() as db, db.transaction(force_rollback=True):
            await check_secret_key(db, vault)
    except WrongSecretKeyError as error:
        return Finding("key", str(error), is_trouble=True)
    return Finding("key", "It fits the database.")


def _port(host: str, port: int) -> Finding:
    if b'"name":"Outrider"' in (ask(host, port, "/healthz") or b""):
        return Finding("port", f"Outrider itself answers on {host}:{port}.")
    try:
        listen(host, port).close()
    except Failure as error:
        return Finding("port", str(error), is_trouble=True)
    return Finding("port", f"{host}:{port} is free.")
