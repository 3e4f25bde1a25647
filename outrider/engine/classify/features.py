"""What the model sees of a reply: concepts, words, pairs of words and pieces of words. Pure.

`text` is the new text of a reply (`mail.quote`): the model never reads quotes or signatures.
"""

import re
import tomllib
import unicodedata
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from itertools import pairwise

MAX_TEXT = 1_500  # characters: who has not said what he wants by then will not
CONCEPT_SIGN = "@"
_CONCEPT, _WORD, _PIECE = 3.0, 1.0, 0.5  # how much each kind counts; found by cross-validation on the training part
_PIECE_LENGTH = 4
_STEM_LENGTH = 5  # characters that stand for a word with its endings
_LENGTHS = (2, 5, 12, 30)  # words: where another class of length begins
_WORDS = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*|[?!]|\d+")
_PLAIN = str.maketrans({"’": "'", "‘": "'", "´": "'", "`": "'", "ß": "ss", "ø": "o", "æ": "ae", "œ": "oe"})
_SPACE = re.compile(r"\s+")


def normalise(text: str) -> str:
    """Small letters, no accents, single spaces: as careless people type, whatever the language."""
    letters = unicodedata.normalize("NFKD", text[:MAX_TEXT].lower().translate(_PLAIN))
    return _SPACE.sub(" ", "".join(letter for letter in letters if not unicodedata.combining(letter))).strip()


def words_of(text: str) -> list[str]:
    """The words of a normalised text, numbers as `0`, and its question and exclamation marks."""
    return ["0" if word.isdecimal() else word for word in _WORDS.findall(text)]


def features_of(text: str) -> dict[str, float]:
    """What is in a text, and how much it counts; concepts begin with `@`."""
    plain = normalise(text)
    found: dict[str, float] = {}
    for feature, weight in _features(words_of(plain), concepts_in(plain)):
        found.setdefault(feature, weight)
    return found


def concepts_in(plain: str) -> list[str]:
    """The concepts that a normalised text speaks of."""
    return [name for name, pattern in _concepts() if pattern.search(plain)]


def _features(words: list[str], concepts: list[str]) -> Iterator[tuple[str, float]]:
    yield "=", _WORD  # what is true of every reply
    yield f"={sum(1 for length in _LENGTHS if len(words) > length)}", _WORD
    for concept in concepts or ["none"]:
        yield CONCEPT_SIGN + concept, _CONCEPT
    if len(concepts) == 1:
        yield f"{CONCEPT_SIGN}{concepts[0]} alone", _CONCEPT
    for word in words:
        yield word, _WORD
        if len(word) > _STEM_LENGTH:
            yield f"{word[:_STEM_LENGTH]}*", _WORD
    for pair in pairwise(words):
        yield " ".join(pair), _WORD
    for word in words:
        padded = f"<{word}>"
        for start in range(len(padded) - _PIECE_LENGTH + 1):
            yield padded[start : start + _PIECE_LENGTH], _PIECE


@cache
def _concepts() -> tuple[tuple[str, re.Pattern[str]], ...]:
    known = tomllib.loads((files("outrider.engine.classify") / "concepts.toml").read_text(encoding="utf-8"))
    return tuple((name, re.compile(rf"(?<!\w)(?:{'|'.join(patterns)})")) for name, patterns in known.items())
