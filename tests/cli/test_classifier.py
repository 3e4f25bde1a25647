"""The commands around the categories of replies."""

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from outrider.cli import classifier
from outrider.cli.main import make_app

RUNNER = CliRunner()


def run(*arguments: str, given: str | None = None) -> tuple[int, str]:
    result = RUNNER.invoke(make_app(["classifier"]), ["classifier", *arguments], input=given)
    return result.exit_code, " ".join(result.output.split())


@pytest.mark.parametrize(
    ("arguments", "given", "said"),
    [
        (["Das ist uns zu teuer."], None, "3 Not Interested, "),
        (["-"], "Call me on Monday at 10.\n\nOn Mon, 2 Mar 2026, Nora wrote:\n> No interest?\n", "2 Meeting Request, "),
        (["ok"], None, "8 Uncategorizable, "),
    ],
)
def test_a_reply_can_be_asked_about(arguments: list[str], given: str | None, said: str) -> None:
    code, output = run("ask", *arguments, given=given)
    assert (code, output[: len(said)]) == (0, said)


def test_accuracy_is_what_the_page_says() -> None:
    code, output = run("accuracy")
    page = classifier.CORPUS.parents[1] / "docs" / "reply-categories.md"
    assert (code, output) == (0, " ".join(page.read_text("utf-8").split()))


def test_training_writes_the_model_and_the_same_one_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(classifier.CORPUS / "control", tmp_path / "training")
    model = tmp_path / "model.json"
    model.write_bytes(b"")
    monkeypatch.setattr(classifier, "CORPUS", tmp_path)
    monkeypatch.setattr(classifier, "MODEL", model)
    code, output = run("train")
    assert (code, "It is another one now" in output) == (0, True), output
    written = model.read_bytes()
    code, output = run("train")
    assert (code, "It is what it was." in output) == (0, True), output
    assert model.read_bytes() == written


@pytest.mark.parametrize("command", ["train", "accuracy"])
def test_without_a_checkout_there_is_nothing_to_learn_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setattr(classifier, "CORPUS", tmp_path / "none")
    code, _ = run(command)
    assert code == 1
