"""Subjects compared: what is left of one when the words of mail programs are taken off."""

import re
import tomllib
from functools import cache
from importlib.resources import files

MAX_SUBJECT = 1_000

_TAG = re.compile(r"\[(?:ext|extern|external|external email|externe|esterno|spam|suspected spam|bulk)\]", re.IGNORECASE)
_SPACE = re.compile(r"\s+")


def subject_key(subject: str) -> str:
    """The subject without Re, Fw, AW, Antw, SV, TR, 回复 … and without case, for comparing (product behaviour 6.2)."""
    key = _SPACE.sub(" ", subject[:MAX_SUBJECT]).strip().casefold()
    shorter = _without_prefix(key)
    while shorter != key:
        key, shorter = shorter, _without_prefix(shorter)
    return key


def _without_prefix(key: str) -> str:
    key = _TAG.sub("", key, count=1).strip() if key.startswith("[") else key
    for prefix in _prefixes().values():
        if found := prefix.match(key):
            return key[found.end() :].strip()
    return key


@cache
def _prefixes() -> dict[str, re.Pattern[str]]:
    rules = tomllib.loads((files("outrider.mail") / "rules" / "subjects.toml").read_text(encoding="utf-8"))
    return {kind: _pattern(words) for kind, words in rules.items()}


def _pattern(words: list[str]) -> re.Pattern[str]:
    """One of the words, perhaps a counter, a colon."""
    alternatives = "|".join(re.escape(word.casefold()) for word in sorted(words, key=len, reverse=True))
    return re.compile(rf"(?:{alternatives})\s{{0,2}}(?:\[\d{{1,3}}\]|\(\d{{1,3}}\)|\^?\d{{1,3}})?\s{{0,2}}[:：]")
