"""Who a notice names beside an address: "Sam Hale (sam@acme.example)", "Frau Lang, p.lang@acme.example"."""

import re
import tomllib
import unicodedata
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from outrider.mail.parse import Correspondent

_SEEN_BEFORE = 120  # characters
_LONGEST_NAME = 4  # words

_SENTENCE_END = re.compile(r"[.!?;]\s+(?=[^\W\d_])|\n\s*\n")
_WORD = r"[^\W\d_](?:[^\W\d_]|['’.-](?=[^\W\d_]))*"
_PARTICLE = r"(?:de|der|den|del|della|di|da|dos|van|von|zu|ten|ter|la|le|bin|al)"
_NAME = re.compile(rf"(?<![\w@.]){_WORD}(?:\s+(?:{_PARTICLE}\s+){{0,2}}{_WORD}){{0,3}}")
_BETWEEN_PARTS = re.compile(r"[\s'’.-]+")
_NOT_DECOMPOSED = str.maketrans({"ß": "ss", "ø": "o", "ł": "l", "æ": "a"})
_UMLAUT = re.compile(r"([aou])e")
_NEAR = re.compile(r"[\s,:;(<\[–—-]*(?:mailto:)?[\s(<\[]*$")
_AFTER = re.compile(rf"^>?\s?[(\[](?P<name>{_NAME.pattern})[)\]]")


def find_named(text: str, addresses: Sequence[str]) -> Correspondent | None:
    """The first of these addresses that the text names, with the name that stands beside it."""
    if not addresses:
        return None
    address = addresses[0]
    place = text.lower().find(address.lower())
    if place < 0:  # written with capitals, or in another script, than it is kept
        return Correspondent("", address)
    before = _SENTENCE_END.split(text[max(0, place - _SEEN_BEFORE) : place])[-1]
    after = _AFTER.match(text[place + len(address) :])
    return Correspondent((after and _without_title(after["name"])) or _name_in(before, address), address)


def _name_in(before: str, address: str) -> str:
    """The last name before the address that its localpart recalls, or one in another script right before it."""
    localpart = _letters(address.partition("@")[0])
    words = list(re.finditer(_WORD, before))
    for last in range(len(words) - 1, -1, -1):
        name = _without_title(_run_up_to(before, words, last))
        parts = [_letters(part) for part in _BETWEEN_PARTS.split(name)]
        is_recalled = any(len(part) > 1 and part in localpart for part in parts)
        is_foreign = not any(parts) and _NEAR.match(before[words[last].end() :])
        if name and (is_recalled or is_foreign):
            return name
    return ""


def _run_up_to(before: str, words: Sequence[re.Match[str]], last: int) -> str:
    """The words with capitals, and particles between them, that end at this one."""
    first = last
    if not words[last][0][0].isupper():
        return ""
    for place in range(last - 1, max(-1, last - 2 * _LONGEST_NAME), -1):
        gap = before[words[place].end() : words[place + 1].start()]
        if gap.strip():
            break
        if words[place][0][0].isupper():
            first = place
        elif not re.fullmatch(_PARTICLE, words[place][0]):
            break
    return before[words[first].start() : words[last].end()]


def _without_title(name: str) -> str:
    words = name.split()
    while words and words[0].rstrip(".").lower() in _titles():
        words.pop(0)
    return " ".join(words)


def _letters(text: str) -> str:
    """In ASCII, as addresses are; ü is u here and ue there."""
    spelled = unicodedata.normalize("NFKD", text.lower().translate(_NOT_DECOMPOSED))
    return _UMLAUT.sub(r"\1", "".join(letter for letter in spelled if letter.isascii() and letter.isalpha()))


@cache
def _titles() -> frozenset[str]:
    rules = tomllib.loads((files("outrider.mail") / "rules" / "autoreplies.toml").read_text(encoding="utf-8"))
    return frozenset(rules["replacement"]["titles"])
