"""Marks: characters that stand for words in a text that is worked through before the words are known.

What is done to a text with marks in it is done to every text that has other words in these places, provided that no
step looks at the words. `refuse_entangled` and `is_same_address` tell: they raise `Entangled` where one might. What
words are is said in `filling`.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from html import unescape
from typing import Self

from outrider.content import text
from outrider.content.filling import Choice, Filling, Parts, Script, are_words, has_words_only
from outrider.content.links import HREF

_FIRST = 0x100000  # the last private plane of Unicode: no text of a person has these characters, and words never do
_MARK = "[\U00100000-\U0010ffff]"
_MARKS = re.compile(_MARK)
_AROUND_MARKS = re.compile(f"({_MARK})")
_TAG = re.compile(r"<[^<>\"']*(?:(?:\"[^\"<>]*\"|'[^'<>]*')[^<>\"']*)*>")  # with its quotes in pairs
_ANY_TAG = re.compile(r"(<[^<>]*>)")
_HALF_ENTITY = re.compile(f"&[#0-9A-Za-z]*{_MARK}")
_BEGINNINGS = ("https://www.", "http://www.", "www.")
_WEB = re.compile(r"https?://[^\s&]")

Place = int | Choice


class Entangled(Exception):
    """What becomes of a text depends on the words that come into it."""


def mark(number: int) -> str:
    return chr(_FIRST + number)


def has_marks(marked: str) -> bool:
    return _MARKS.search(marked) is not None


def _count(marked: str) -> int:
    return len(_MARKS.findall(marked))


@lru_cache(maxsize=4096)  # mostly signatures, the same in all mails of a mailbox
def outline(html: str) -> tuple[tuple[str | None, ...], tuple[str, ...]]:
    """HTML without its words, and these: the signatures of many mailboxes differ in nothing else."""
    pieces: list[str | None] = []
    words: list[str] = []
    for number, piece in enumerate(_ANY_TAG.split(html)):
        text = piece.strip()
        if number % 2 or not are_words(text):
            pieces.append(piece)
            continue
        before, _, after = piece.partition(text)
        pieces += (before, None, after)
        words.append(text)
    return tuple(pieces), tuple(words)


def lay_out(
    script: Script, filling: Filling, odd: Mapping[int, Sequence[str | int]], *, first: int
) -> tuple[str, list[Place]]:
    """The text with marks in its places, numbered from `first`, and what comes into these. `odd` comes in at once."""
    places: dict[Place, str] = {}

    def write(parts: Parts) -> str:
        return "".join(map(write_part, parts))

    def write_part(part: str | Place) -> str:
        if isinstance(part, str):
            return _literal(part)
        if isinstance(part, int) and part in odd:
            return "".join(map(write_part, odd[part]))
        if isinstance(part, int) or has_words_only(part):
            return places.setdefault(part, mark(first + len(places)))
        chosen = part.options[filling.choices[part.index]]
        return _literal(chosen) if isinstance(chosen, str) else write(chosen)

    return write(script.parts), list(places)


def _literal(source: str) -> str:
    if has_marks(source):
        raise Entangled
    return source


def refuse_entangled(html: str) -> None:
    """Marks stand between tags, or in the address of a link behind the name of its host has begun."""
    shown = text.without_hidden(html)
    if not _count(html) == _count(shown) == _count(unescape(html)) or _HALF_ENTITY.search(html):
        raise Entangled
    for found in _TAG.finditer(shown):
        if has_marks(found[0]):
            _refuse_entangled_tag(found[0])
    if not {"<", ">"}.isdisjoint(_TAG.sub("", shown)):
        raise Entangled


def _refuse_entangled_tag(tag: str) -> None:
    link = HREF.match(tag)
    if link is None or tag[link.start(1)] not in "\"'":
        raise Entangled
    start, end = link.span(1)
    if has_marks(tag[:start]) or has_marks(tag[end:]) or not _WEB.match(head(tag[start + 1 : end])):
        raise Entangled


def is_same_address(shown: str, url: str) -> bool:
    """The question of `text.is_same_address`, where the answer is the same for all words."""
    if not has_marks(shown) and not has_marks(url):
        return text.is_same_address(shown, url)
    if any(_may_become_scheme(address) for address in (shown, url)):
        raise Entangled
    for one, other in ((shown, url), (url, shown)):
        if has_marks(one) and text.bare_address(head(other)).startswith(text.bare_address(head(one))):
            raise Entangled
    return False


def _may_become_scheme(address: str) -> bool:
    """Whether so little stands before the first mark that the words may be part of what does not count."""
    begun = head(address).strip().casefold()
    return has_marks(address) and any(beginning.startswith(begun) for beginning in _BEGINNINGS)


def head(address: str) -> str:
    """What stands before the first mark."""
    return _MARKS.split(address, maxsplit=1)[0]


@dataclass(frozen=True, slots=True)
class Cut:
    """A text cut at its marks, ready for words."""

    pieces: list[str]  # the text between the marks; every second one is to be filled
    order: tuple[int, ...]  # the numbers of the marks

    @classmethod
    def of(cls, marked: str) -> Self:
        pieces = _AROUND_MARKS.split(marked)
        return cls(pieces, tuple(ord(piece) - _FIRST for piece in pieces[1::2]))

    def fill(self, words: Sequence[str]) -> str:
        """The text with these words, by the numbers of the marks."""
        pieces = self.pieces.copy()
        pieces[1::2] = [words[number] for number in self.order]
        return "".join(pieces)
