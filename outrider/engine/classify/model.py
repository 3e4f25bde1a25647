"""A linear model on the features of a reply: weights from `model.json`, which `training` makes.

Multinomial logistic regression. The file holds whole numbers, so that training gives the same file on every machine.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import orjson

from outrider.engine.classify.features import CONCEPT_SIGN, features_of

UNIT = 1 / 16  # of a stored weight
SHARPNESS = 1.5  # makes confidences as large as they deserve; found by cross-validation on the training part
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Guess:
    """How likely each category is, and what speaks for the likeliest."""

    probabilities: Mapping[int, float]
    evidence: Sequence[str]


@dataclass(frozen=True, slots=True)
class Model:
    """`weights`: of each feature for each category, in units."""

    categories: Sequence[int]
    weights: Mapping[str, Sequence[int]]

    def guess(self, text: str) -> Guess:
        found = scaled({name: weight for name, weight in features_of(text).items() if name in self.weights})
        scores = [0.0] * len(self.categories)
        for name, weight in found.items():
            for place, value in enumerate(self.weights[name]):
                if value:
                    scores[place] += value * weight
        likely = softmax([score * UNIT * SHARPNESS for score in scores])
        best = max(range(len(likely)), key=likely.__getitem__)
        return Guess(dict(zip(self.categories, likely, strict=True)), self._evidence(found, best))

    def _evidence(self, found: Mapping[str, float], best: int) -> list[str]:
        """The concepts, or else the words, that weigh most for a category."""
        weighed = sorted(
            ((self.weights[name][best] * weight, name) for name, weight in found.items()), key=lambda each: -each[0]
        )
        telling = [name for value, name in weighed if value > 0]
        concepts = [name for name in telling if name.startswith(CONCEPT_SIGN) and not name.endswith((" alone", "none"))]
        words = [f"“{name}”" for name in telling if name.replace(" ", "").isalpha()]
        return [name.removeprefix(CONCEPT_SIGN).replace("_", " ") for name in concepts][:_SHOWN] or words[:_SHOWN]


def scaled(found: Mapping[str, float]) -> dict[str, float]:
    """Of length 1, so that long replies are not surer than short ones."""
    length = math.sqrt(sum(weight * weight for weight in found.values())) or 1.0
    return {name: weight / length for name, weight in found.items()}


def softmax(scores: Sequence[float]) -> list[float]:
    highest = max(scores)
    powers = [math.exp(score - highest) for score in scores]
    total = sum(powers)
    return [power / total for power in powers]


@cache
def trained() -> Model:
    """The model that comes with the program."""
    return read_model((files("outrider.engine.classify") / "model.json").read_bytes())


def read_model(content: bytes) -> Model:
    stored: dict[str, Any] = orjson.loads(content)
    return Model(stored["categories"], stored["weights"])


def write_model(model: Model) -> bytes:
    """One feature a line, in the order of the alphabet: two versions can be compared."""
    rows = ",\n".join(
        f"{orjson.dumps(name).decode()}:{orjson.dumps(list(model.weights[name])).decode()}"
        for name in sorted(model.weights)
    )
    return f'{{"categories":{orjson.dumps(list(model.categories)).decode()},"weights":{{\n{rows}\n}}}}\n'.encode()
