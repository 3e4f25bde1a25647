"""The command that writes the generated pages; tests/architecture holds the committed ones to it."""

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from outrider.cli import docs
from outrider.cli.main import make_app

PAGES = {"settings.md", "openapi.json", "compatibility.md", "schema.sql", "reply-categories.md"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of another checkout, with what is written by hand."""
    shutil.copy(docs.DOCS / "compatibility.toml", tmp_path)
    monkeypatch.setattr(docs, "DOCS", tmp_path)
    return tmp_path


def test_pages_are_written_and_then_left_alone(folder: Path) -> None:
    command = make_app(["docs"])
    result = CliRunner().invoke(command, ["docs"])
    assert result.exit_code == 0, result.output
    assert {path.name for path in folder.iterdir()} == {*PAGES, "compatibility.toml"}
    assert all(f"docs/{name} is new." in result.stdout for name in PAGES)
    assert "CREATE TABLE public.messages" in (folder / "schema.sql").read_text("utf-8")
    assert CliRunner().invoke(command, ["docs"]).stdout == ""


def test_an_installed_package_has_no_pages(folder: Path) -> None:
    shutil.rmtree(folder)
    result = CliRunner().invoke(make_app(["docs"]), ["docs"])
    assert result.exit_code == 1
    assert "this works in a checkout only" in result.stderr
