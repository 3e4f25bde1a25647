"""The account's own categories: which of their descriptions does a reply fit? Pure, and only by words.

A description is a few sentences, or words and phrases separated by commas: `Uses a competitor, such as Lemlist or
Apollo; already has a tool`. What stands in quotation marks is a phrase that must occur as it is. Words fit by their
beginnings, so endings do not matter. A description in one language says nothing about replies in another.
"""

import math
import re
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from outrider.engine.classify.features import normalise, words_of
from outrider.engine.classify.model import trained

_QUOTED = re.compile(r"[\"“”„«»]([^\"“”„«»]{2,80})[\"“”„«»]")
_CLAUSE = re.compile(
    r"[,;.:\n()]|\s[-–]\s"
    r"|\b(?:or|such as|like|e\.g|oder|wie|ou|comme|o|como|of|zoals|come|eller|som)\b"
)
_STEM_LENGTH = 5
_SHORTEST = 3
_PHRASE_CONFIDENCE = 0.9
_FIT = 0.6  # of a clause: below, it does not fit
_SURE_WEIGHT = 3.0  # weight of the words found at which one clause alone is believed


@dataclass(frozen=True, slots=True)
class OwnCategory:
    """A category of the account that the classifier may choose."""

    id: int
    name: str
    description: str


@dataclass(frozen=True, slots=True)
class Fit:
    """The category whose description fits best, how well, and by which words."""

    category: OwnCategory
    confidence: float
    words: Sequence[str]


def best_fit(text: str, categories: Iterable[OwnCategory]) -> Fit | None:
    """The own category that fits a reply best; None if none does at all."""
    plain = normalise(text)
    fits = (_fit(plain, category) for category in categories)
    return max((fit for fit in fits if fit), key=lambda fit: fit.confidence, default=None)


def _fit(plain: str, category: OwnCategory) -> Fit | None:
    phrases = [normalise(phrase) for phrase in _QUOTED.findall(category.description)]
    for phrase in phrases:
        if re.search(rf"(?<!\w){re.escape(phrase)}(?!\w)", plain):
            return Fit(category, _PHRASE_CONFIDENCE, (phrase,))
    written = {_stem(word) for word in words_of(plain)}
    described = normalise(_QUOTED.sub(",", category.description))
    found = [_clause_fit(clause, written) for clause in _CLAUSE.split(described)]
    confidence, words = max(found, key=lambda fit: fit[0], default=(0.0, ()))
    return Fit(category, confidence, words) if confidence else None


def _clause_fit(clause: str, written: set[str]) -> tuple[float, Sequence[str]]:
    """How much of a clause is in the reply, by weight: rare words tell more than common ones."""
    telling = [word for word in words_of(clause) if len(word) >= _SHORTEST and word not in _common_words()]
    total = sum(_weight(word) for word in telling)
    matched = [word for word in telling if _stem(word) in written]
    weight = sum(_weight(word) for word in matched)
    if not total or weight / total < _FIT:
        return 0.0, ()
    return round(weight / total * min(1.0, weight / _SURE_WEIGHT), 2), matched


def _weight(word: str) -> float:
    """A word of everyday replies, which the model has learned, tells less than a name."""
    if word not in trained().weights:
        return _SURE_WEIGHT
    return math.log(1 + len(word))


def _stem(word: str) -> str:
    return word[:_STEM_LENGTH]


@cache
def _common_words() -> frozenset[str]:
    known = tomllib.loads((files("outrider.engine.classify") / "common_words.toml").read_text(encoding="utf-8"))
    return frozenset(word for line in known["common_words"] for word in line.split())
