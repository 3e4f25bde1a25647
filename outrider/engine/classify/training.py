"""Learns the model from the replies in `corpus/replies/training`, and measures it on those in `held_out`.

Nothing is ever trained on, or adjusted to, the held-out part. The same replies give the same model.
"""

import math
import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from outrider.engine.classify.features import features_of
from outrider.engine.classify.model import UNIT, Model, scaled, softmax
from outrider.leads.models import BuiltInCategory
from outrider.mail.quote import visible_text

LANGUAGES = ("en", "de", "fr", "es", "pt", "nl", "it", "sv")
_ROUNDS = 6
_RATE = 0.5
_FEWEST = 3  # replies a feature must occur in
_SEED = 1
_SMALL = 0.05  # how far from certain a reply may stay
_BEGIN = 1e-6  # of the sums of squares, so that nothing is divided by 0


@dataclass(frozen=True, slots=True)
class Example:
    """A reply of the corpus and the category it belongs to."""

    language: str
    category: BuiltInCategory
    text: str

    @property
    def new_text(self) -> str:
        return visible_text(self.text)


def read_corpus(folder: Path) -> list[Example]:
    """All replies of a part: a file for each language, in it a list for each category."""
    return [
        Example(language, BuiltInCategory[name.upper()], text)
        for language in LANGUAGES
        for name, texts in tomllib.loads((folder / f"{language}.toml").read_text("utf-8")).items()
        for text in texts
    ]


def train(examples: Sequence[Example]) -> Model:
    """Multinomial logistic regression by stochastic gradients, each weight with a pace of its own (AdaGrad)."""
    categories = list(BuiltInCategory)
    documents = _documents(examples)
    names = {name for document, _ in documents for name in document}
    weights = {name: [0.0] * len(categories) for name in names}
    squares = {name: [_BEGIN] * len(categories) for name in names}
    dice = Random(_SEED)  # noqa: S311 - an order, no secret
    for _ in range(_ROUNDS):
        dice.shuffle(documents)
        for document, category in documents:
            place = categories.index(category)
            errors = softmax(_scores(weights, document, len(categories)))
            errors[place] -= 1
            if -errors[place] < _SMALL:
                continue  # this one is learned
            for name, value in document.items():
                slopes = [error * value for error in errors]
                squares[name] = seen = [sum_ + slope * slope for sum_, slope in zip(squares[name], slopes, strict=True)]
                weights[name] = [
                    weight - _RATE * slope / math.sqrt(sum_)
                    for weight, slope, sum_ in zip(weights[name], slopes, seen, strict=True)
                ]
    rounded = {name: [round(value / UNIT) for value in row] for name, row in weights.items()}
    return Model([int(category) for category in categories], {name: row for name, row in rounded.items() if any(row)})


def _documents(examples: Sequence[Example]) -> list[tuple[dict[str, float], BuiltInCategory]]:
    """What each reply is made of, without what is too rare to learn from."""
    found = [(features_of(example.new_text), example.category) for example in examples]
    counts = Counter(name for document, _ in found for name in document)
    return [
        (scaled({name: weight for name, weight in document.items() if counts[name] >= _FEWEST}), category)
        for document, category in found
    ]


def _scores(weights: Mapping[str, Sequence[float]], document: Mapping[str, float], count: int) -> list[float]:
    scores = [0.0] * count
    for name, value in document.items():
        scores = [score + weight * value for score, weight in zip(scores, weights[name], strict=True)]
    return scores
