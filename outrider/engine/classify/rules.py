"""What needs no learning: replies without a word, and people who ask to get no more mail (product behaviour 6.6)."""

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from outrider.engine.classify.features import normalise

_MOST_WORDS = 60  # who writes more than this has more to say than that
_WORD = re.compile(r"[^\W\d_]")
_NO_WORDS = re.compile(r"[^\w'-]+")


def says_nothing(text: str) -> bool:
    """Whether there is not even one letter: punctuation, emoji, a number."""
    return _WORD.search(text) is None


def removal_words(text: str) -> str | None:
    """The words by which somebody asks to get no more mail; None if nobody does.

    It is plain or it is none: whoever is unsubscribed by mistake is lost, and category 4 catches the rest.
    """
    rules, plain = _rules(), normalise(text)
    if len(plain.split()) > _MOST_WORDS or rules.not_asked.search(plain):
        return None
    bare = _NO_WORDS.sub(" ", rules.around.sub(" ", plain)).strip()
    alone = rules.removal_alone.fullmatch(bare)
    found = alone or rules.removal.search(plain)
    return found[0].strip() if found else None


@dataclass(frozen=True, slots=True)
class _Rules:
    removal_alone: re.Pattern[str]
    removal: re.Pattern[str]
    around: re.Pattern[str]
    not_asked: re.Pattern[str]


@cache
def _rules() -> _Rules:
    known = tomllib.loads((files("outrider.engine.classify") / "rules.toml").read_text(encoding="utf-8"))
    return _Rules(
        removal_alone=re.compile("|".join(known["removal_alone"])),
        removal=re.compile(rf"(?<!\w)(?:{'|'.join(known['removal'])})"),
        around=re.compile(rf"(?<!\w)(?:{'|'.join(known['around'])})(?!\w)"),
        not_asked=re.compile(rf"(?<!\w)(?:{'|'.join(known['not_asked'])})"),
    )
