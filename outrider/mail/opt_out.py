"""Answers that ask for no more mail, in plain words: an unsubscribe, found without a model (product behaviour 6.6).

When in doubt it is none: people also talk about unsubscribing. Words: `rules/opt_outs.toml`.
"""

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from outrider.mail.parse import Incoming
from outrider.mail.patterns import AnyOf
from outrider.mail.quote import new_text

LOOKED_AT = 800  # characters of the new text
_SEEN_BEFORE = 24  # characters

_TYPOGRAPHIC = str.maketrans({"’": "'", "‘": "'", "\u00a0": " "})
_AROUND = " \t\"'*_.,;:!?-–—()[]<>"


def asks_for_no_more(incoming: Incoming) -> bool:
    """Whether the new text, or the subject of a mail without any, asks to be taken off."""
    text = new_text(incoming)[:LOOKED_AT].lower().translate(_TYPOGRAPHIC)
    lines = [line.strip(_AROUND) for line in text.splitlines() if line.strip(_AROUND)]
    rules = _rules()
    if not lines:
        return rules.whole.fullmatch(incoming.subject.lower().strip(_AROUND)) is not None
    if rules.whole.fullmatch(lines[0]):
        return True
    return any(not rules.negated.search(_before(text, found)) for found in rules.sentence.finditer(text))


def _before(text: str, found: re.Match[str]) -> str:
    """What stands before it in the same sentence."""
    before = text[max(0, found.start() - _SEEN_BEFORE) : found.start()]
    return re.split(r"[.!?\n]", before)[-1]


@dataclass(frozen=True, slots=True)
class _Rules:
    whole: re.Pattern[str]
    sentence: AnyOf
    negated: re.Pattern[str]


@cache
def _rules() -> _Rules:
    rules = tomllib.loads((files("outrider.mail") / "rules" / "opt_outs.toml").read_text(encoding="utf-8"))
    polite = f"(?:{'|'.join(rules['polite'])})"
    around = r"[\s,.!:;-]{0,3}"
    return _Rules(
        whole=re.compile(rf"(?:{polite}{around}){{0,2}}(?:{'|'.join(rules['whole'])})(?:{around}{polite}){{0,3}}"),
        sentence=AnyOf([*rules["sentence"], *rules["objection"]], re.MULTILINE),
        negated=re.compile(rf"\b(?:{'|'.join(rules['negated'])})\b"),
    )
