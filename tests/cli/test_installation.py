"""What an operator has set up wrongly is said in a sentence that says what to do."""

import asyncio
import os
import socket
import sys
from asyncio.subprocess import PIPE
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Run


@pytest.fixture
def closed_port() -> Iterator[int]:
    """Bound, so that nobody else takes it, but nobody listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


async def refused(run: Run, **settings: object) -> str:
    """What is said; a traceback would have been raised by `run`."""
    result = await run("account", "list", **settings)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith("outrider: ")
    return result.stderr


async def test_a_database_that_does_not_answer(run: Run, closed_port: int) -> None:
    said = await refused(run, database_url=f"postgresql://me:secret-word@127.0.0.1:{closed_port}/outrider")
    assert "The database cannot be reached." in said
    assert "OUTRIDER_DATABASE_URL" in said
    assert "secret-word" not in said


async def test_a_database_that_does_not_exist(run: Run, database_url: str) -> None:
    said = await refused(run, database_url=database_url.replace("@/", "@/nowhere_"))
    assert "does not exist" in said
    assert "OUTRIDER_DATABASE_URL" in said


@pytest.mark.parametrize(
    ("name", "value"),
    [("port", "eighty"), ("database_url", "mysql://ours"), ("clock", "noon"), ("public_url", "ours.example")],
)
async def test_a_setting_that_cannot_be_read(run: Run, name: str, value: str) -> None:
    said = await refused(run, **{name: value})
    assert f"OUTRIDER_{name.upper()} must be" in said


async def test_a_folder_that_cannot_be_made(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    said = await refused(run, data_dir=file / "data", secret_key=None)
    assert f"The folder {file / 'data'} cannot be used: Not a directory." in said
    assert "OUTRIDER_DATA_DIR" in said


@pytest.fixture
def closed_folder(tmp_path: Path) -> Path:
    tmp_path.chmod(0o500)
    return tmp_path / "data"


async def test_a_folder_that_may_not_be_written(environ: dict[str, str], closed_folder: Path) -> None:
    """In a process of its own: root may write everywhere, unless it gives up that right."""
    words = [sys.executable, "-m", "outrider.cli", "account", "list"]
    if os.geteuid() == 0:
        words = ["setpriv", "--bounding-set=-dac_override", *words]
    del environ["OUTRIDER_SECRET_KEY"]
    around = {name: value for name, value in os.environ.items() if not name.startswith("OUTRIDER_")}
    process = await asyncio.create_subprocess_exec(*words, env={**around, **environ}, stdout=PIPE, stderr=PIPE)
    stdout, stderr = await process.communicate()
    assert (process.returncode, stdout) == (1, b"")
    assert stderr.startswith(f"outrider: The folder {closed_folder} cannot be used: Permission denied.".encode())
    assert b"OUTRIDER_DATA_DIR" in stderr


async def test_another_secret_key_than_the_data_was_sealed_with(installed: Run) -> None:
    await installed("account", "create", "--email", "ann@ours.example")
    said = await refused(installed, secret_key="a-key-that-was-never-used")
    assert "another secret key" in said
    assert "OUTRIDER_SECRET_KEY" in said
    assert (await installed("account", "list")).exit_code == 0


async def test_a_key_is_made_in_the_folder_and_found_again(installed: Run, tmp_path: Path) -> None:
    assert (await installed("account", "list", secret_key=None)).exit_code == 0
    path = tmp_path / "data" / "secret.key"
    assert path.stat().st_mode & 0o777 == 0o600
    assert (await installed("account", "list", secret_key=None)).exit_code == 0
    assert (await installed("account", "list", secret_key=path.read_text().strip())).exit_code == 0
