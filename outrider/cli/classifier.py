"""`outrider classifier`: trains the model that categorises replies, measures it, and says what it makes of a text."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from outrider.cli.console import Failure, clear_failures, out
from outrider.engine.classify import model
from outrider.engine.classify.accuracy import ALL, accuracy_page, title
from outrider.engine.classify.training import read_corpus, train
from outrider.engine.classify.verdict import classify
from outrider.mail.quote import visible_text

CORPUS = Path(__file__).parents[2] / "corpus" / "replies"
MODEL = Path(model.__file__).with_name("model.json")

classifier = typer.Typer(no_args_is_help=True, help="Train and measure what categorises replies.")


@classifier.command("train")
def train_model() -> None:
    """Make the model from the replies in corpus/replies/training of a checkout."""
    with clear_failures():
        examples = read_corpus(_corpus() / "training")
        content = model.write_model(train(examples))
        is_new = content != MODEL.read_bytes()
        MODEL.write_bytes(content)
        said = "It is another one now: run `make docs`, too." if is_new else "It is what it was."
        out.print(f"{len(examples):,} replies, {len(content) / 1024:,.0f} KiB. {said}")


@classifier.command("accuracy")
def accuracy() -> None:
    """Print how often it is right, by category and language, on replies that it has not learned from."""
    with clear_failures():
        out.out(accuracy_page(_corpus()))


@classifier.command("ask")
def ask(text: Annotated[str, typer.Argument(help="A reply; `-` reads it from standard input.")]) -> None:
    """Say which category a reply would get, how sure that is, and why."""
    written = sys.stdin.read() if text == "-" else text
    verdict = classify(visible_text(written), allowed=ALL)
    out.print(f"{verdict.category_id} {title(verdict.category_id)}, {verdict.confidence:.2f}. {verdict.reason}")


def _corpus() -> Path:
    if not CORPUS.is_dir():
        raise Failure("There is no folder corpus beside the package: this works in a checkout only.")
    return CORPUS
