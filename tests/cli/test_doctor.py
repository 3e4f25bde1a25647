"""The doctor looks at everything, says what to do, and changes nothing."""

import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from outrider.kit.db import Database, fetch_value
from tests.cli.conftest import Run
from tests.support.database import make_database


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def findings(run: Run, *, wrong: set[str], **settings: object) -> dict[str, str]:
    """By subject; `wrong` are those that something has to be done about."""
    result = await run("doctor", **settings)
    lines = re.findall(r"^(fine|wrong) +(\w+) +(.*)$", result.stdout, re.MULTILINE)
    assert {subject for mark, subject, _ in lines if mark == "wrong"} == wrong, result.stdout
    assert result.exit_code == bool(wrong)
    return {subject: text for _, subject, text in lines}


async def test_all_is_well(installed: Run, free_port: int) -> None:
    await installed("account", "create", "--email", "ann@ours.example")
    found = await findings(installed, wrong=set(), port=free_port)
    assert list(found) == ["Python", "folder", "database", "schema", "key", "port"]


async def test_before_the_first_start_nothing_is_made(run: Run, tmp_path: Path, free_port: int) -> None:
    found = await findings(run, wrong=set(), database_url=None, secret_key=None, port=free_port)
    assert found["database"] == "There is none yet; `outrider serve` makes it."
    assert not (tmp_path / "data").exists()


async def test_a_bad_setting_is_named(run: Run) -> None:
    found = await findings(run, wrong={"settings"}, port="eighty")
    assert found["settings"].startswith("OUTRIDER_PORT must be")


async def test_a_folder_that_cannot_be_written(run: Run, tmp_path: Path, free_port: int, installed: Run) -> None:
    file = tmp_path / "file"
    file.touch()
    found = await findings(run, wrong={"folder"}, data_dir=file, port=free_port)
    assert "OUTRIDER_DATA_DIR" in found["folder"]


async def test_a_database_that_is_away(run: Run, free_port: int) -> None:
    url = f"postgresql://me@127.0.0.1:{free_port}/outrider"
    found = await findings(run, wrong={"database"}, database_url=url, port=free_port)
    assert "OUTRIDER_DATABASE_URL" in found["database"]
    assert "key" not in found


async def test_a_schema_that_is_old(run: Run, server_url: str, worker_id: str, free_port: int) -> None:
    url = make_database(server_url, f"old_{worker_id}", "template1")
    found = await findings(run, wrong={"schema"}, database_url=url, port=free_port)
    assert "outrider migrate" in found["schema"]


async def test_another_secret_key(installed: Run, free_port: int) -> None:
    await installed("account", "create", "--email", "ann@ours.example")
    found = await findings(installed, wrong={"key"}, secret_key="a-key-that-was-never-used", port=free_port)
    assert "OUTRIDER_SECRET_KEY" in found["key"]


async def test_the_key_is_not_claimed_by_looking(installed: Run, database: Database, free_port: int) -> None:
    await findings(installed, wrong=set(), port=free_port)
    async with database.connection() as db:
        assert await fetch_value(db, "SELECT count(*) FROM instance") == 0


async def test_a_missing_and_an_open_key_file(installed: Run, tmp_path: Path, free_port: int) -> None:
    found = await findings(installed, wrong={"key"}, secret_key=None, port=free_port)
    assert str(tmp_path / "data" / "secret.key") in found["key"]
    await installed("account", "list", secret_key=None)
    (tmp_path / "data" / "secret.key").chmod(0o644)
    found = await findings(installed, wrong={"key"}, secret_key=None, port=free_port)
    assert "chmod 600" in found["key"]


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


async def test_a_port_in_use(installed: Run, taken_port: int) -> None:
    found = await findings(installed, wrong={"port"}, port=taken_port)
    assert f"--port {taken_port + 1}" in found["port"]
