"""How commands speak: results on standard output, failures as one sentence on standard error and exit status 1."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import psycopg
from rich.console import Console

from outrider.config import SettingError
from outrider.kit.crypto import WrongSecretKeyError
from outrider.kit.db import describe_failure
from outrider.kit.errors import Problem
from outrider.kit.migrate import MigrationError
from outrider.kit.postgres import EmbeddedPostgresError

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

_EXPECTED = (SettingError, WrongSecretKeyError, MigrationError, EmbeddedPostgresError, Problem)


class Failure(Exception):
    """What a command could not do; the text says what to do about it."""


def fail(text: str) -> NoReturn:
    err.print(f"[red]outrider:[/red] {text}", soft_wrap=True)
    sys.exit(1)


@contextmanager
def clear_failures() -> Iterator[None]:
    """Say expected failures in a sentence; a bug keeps its traceback."""
    try:
        yield
    except (Failure, *_EXPECTED) as error:
        fail(str(error))
    except psycopg.Error as error:
        fail(describe_failure(error))
