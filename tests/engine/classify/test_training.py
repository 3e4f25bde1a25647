"""The model in the package is the one that the replies in the repository give, and it is as good as is said."""

from functools import cache

import orjson

from outrider.cli.classifier import CORPUS, MODEL
from outrider.engine.classify.accuracy import CONTROL, HELD_OUT, judge, share_right
from outrider.engine.classify.model import Model, read_model, trained, write_model
from outrider.engine.classify.training import LANGUAGES, read_corpus, train

LARGEST = 1_000_000


@cache
def made() -> Model:
    return train(read_corpus(CORPUS / "training"))


def test_the_model_is_made_from_the_replies() -> None:
    """`exp` may differ in its last digit between machines, and then a weight by a unit."""
    stored = read_model(MODEL.read_bytes())
    assert stored.categories == made().categories
    differing = [
        name
        for name in stored.weights.keys() | made().weights.keys()
        if any(
            abs(one - other) > 1
            for one, other in zip(stored.weights.get(name, [0] * 9), made().weights.get(name, [0] * 9), strict=True)
        )
    ]
    assert differing == [], "Run `outrider classifier train` and `make docs`."


def test_the_model_is_small_and_read_as_it_was_written() -> None:
    content = MODEL.read_bytes()
    assert len(content) < LARGEST
    assert write_model(read_model(content)) == content
    assert orjson.loads(content)["categories"] == [1, 2, 3, 4, 5, 6, 7, 8, 9]


def test_it_is_right_on_replies_that_it_has_not_learned_from() -> None:
    held_out = judge(read_corpus(CORPUS / HELD_OUT))
    assert share_right(held_out) >= 0.85
    for language in LANGUAGES:
        assert share_right([each for each in held_out if each.example.language == language]) >= 0.8, language


def test_where_it_is_sure_it_is_right_on_replies_that_nobody_prepared_for() -> None:
    control = judge(read_corpus(CORPUS / CONTROL))
    assert share_right(control) >= 0.75
    assert share_right([each for each in control if each.verdict.is_decided]) >= 0.85


def test_probabilities_are_some() -> None:
    for text in ("", "ok", "Können wir telefonieren?", "x" * 100_000, "日本語のメール", "\x00\ud83d"):
        guess = trained().guess(text)
        assert abs(sum(guess.probabilities.values()) - 1) < 1e-9, text
