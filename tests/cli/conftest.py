"""`run("account", "list")` is a command of the operator on the database of the tests, in this process."""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
import structlog
from typer.testing import CliRunner, Result

from outrider.cli.main import make_app
from outrider.kit import crypto
from outrider.kit.db import Database

SECRET_KEY = "a-key-only-for-tests"
Run = Callable[..., Awaitable[Result]]


@pytest.fixture
def environ(tmp_path: Path, database_url: str) -> dict[str, str]:
    return {
        "OUTRIDER_DATA_DIR": str(tmp_path / "data"),
        "OUTRIDER_DATABASE_URL": database_url,
        "OUTRIDER_SECRET_KEY": SECRET_KEY,
        "OUTRIDER_PUBLIC_URL": "https://outreach.example",
        "COLUMNS": "200",
    }


@pytest.fixture
def run(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Settings by field name; None takes one away."""
    for name in [name for name in os.environ if name.startswith("OUTRIDER_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(crypto, "_process_vault", [])
    configure = structlog.configure
    # A logger that is kept at its first use is deaf to what later tests set up.
    monkeypatch.setattr(
        structlog, "configure", lambda **options: configure(**{**options, "cache_logger_on_first_use": False})
    )
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level

    async def invoke(*words: str, **settings: object) -> Result:
        changed = {f"OUTRIDER_{name.upper()}": None if each is None else str(each) for name, each in settings.items()}
        command = make_app([words[0]])
        result = await asyncio.to_thread(CliRunner().invoke, command, words, env={**environ, **changed})
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    yield invoke
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def installed(run: Run, database: Database) -> Run:
    """The same; what it leaves in the database is deleted afterwards."""
    return run
