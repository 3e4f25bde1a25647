"""The table of commands."""

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from outrider.cli.main import COMMANDS, make_app

LOADED = "import sys, outrider.cli.{}; print(*(name for name in {!r} if name in sys.modules))"


def python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603 - ours
    return done.stdout.strip()


def test_help_lists_every_command() -> None:
    result = CliRunner().invoke(make_app(), ["--help"], env={"COLUMNS": "200"})
    assert result.exit_code == 0
    for name in COMMANDS:
        assert f" {name} " in result.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_says_what_it_does(name: str) -> None:
    result = CliRunner().invoke(make_app([name]), [name, "--help"], env={"COLUMNS": "200"})
    assert result.exit_code == 0
    assert f"outrider {name}" in result.stdout.replace("root", "outrider")


def test_the_program_runs_as_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "outrider.cli", "key", "--help"], capture_output=True, text=True, check=True
    )
    assert "revoke" in done.stdout


@pytest.mark.parametrize(
    ("module", "needless"),
    [
        ("main", ("psycopg", "pydantic", "outrider.cli.serve")),
        ("serve", ("fastapi", "pydantic", "procrastinate", "pymap", "httpx")),
        ("web", ("typer", "pymap", "outrider.cli.serve")),
        ("engine", ("typer", "fastapi", "uvicorn", "pymap")),
    ],
)
def test_a_process_imports_only_what_it_needs(module: str, needless: tuple[str, ...]) -> None:
    """What is imported without need is paid for at each start (design §2: ready in three seconds) and in memory."""
    assert python(LOADED.format(module, needless)) == ""
