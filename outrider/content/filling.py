"""One mail being filled: values, choices and the present moment, and how an empty place closes up (product behaviour
3.1, 3.5).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TypeAlias
from zoneinfo import ZoneInfo

from markupsafe import Markup, escape

from outrider.content.expression import Slot
from outrider.content.text import to_text
from outrider.content.variables import Values, as_text

# Control characters are taken out of bodies and values at the edge, so these two are free. A stray one does no harm.
EMPTY = "\0"  # a place that was left empty
LINE_BREAK = "\1"  # a line break in a value

Parts: TypeAlias = tuple["str | int | Choice", ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """A spintax group, ready to be written: one of these options."""

    index: int
    options: tuple["str | Parts", ...]


_is_special = re.compile(r"""[&<>"'\r\n]|^\s|\s\Z|^\Z""").search


class Filling:
    """The state of one render."""

    def __init__(self, values: Values, choices: Sequence[int], *, now: datetime, zone: ZoneInfo, html: bool) -> None:
        self.values = values
        self.choices = choices
        self.slot_texts: list[str] = []
        self._now = now
        self._zone = zone
        self._html = html

    @cached_property
    def local(self) -> datetime:
        return self._now.astimezone(self._zone)

    def fill(self, slots: Sequence[Slot]) -> None:
        self.slot_texts = [self._text_of(slot) for slot in slots]

    def _text_of(self, slot: Slot) -> str:
        if slot.helper is not None:
            return slot.helper(self.local)
        value = self.values.get(slot.name)
        if value.__class__ is str and not _is_special(value):
            return value  # most are like this
        value = self.values.find(slot.name, slot.folded)
        if value is None:
            return slot.default or EMPTY
        return self.show(as_text(value))

    def show(self, text: str) -> str:
        """A value as it stands in the mail."""
        if not text:
            return EMPTY
        if not self._html:
            return to_text(text) or EMPTY if isinstance(text, Markup) else text
        if isinstance(text, Markup):
            return text
        if "\n" in text or "\r" in text:
            text = LINE_BREAK.join(text.splitlines())
        return str(escape(text))

    def write(self, parts: Parts, out: list[str]) -> None:
        """Append the parts in order; a number stands for a slot."""
        texts = self.slot_texts
        for part in parts:
            if isinstance(part, str):
                out.append(part)
            elif isinstance(part, int):
                out.append(texts[part])
            else:
                chosen = part.options[self.choices[part.index]]
                if isinstance(chosen, str):
                    out.append(chosen)
                else:
                    self.write(chosen, out)


# Bounded repetition, so that long runs of spaces or tags are not looked at again and again.
_SPACE = r"(?:[ \t\xa0]|&nbsp;)"
_INLINE = r"(?:b|i|u|s|em|strong|span|font|small|big|a)"
_EMPTY_PLACE = re.compile(
    rf"(?P<before>{_SPACE}{{0,20}}+)(?P<opened>(?:<{_INLINE}\b[^<>]*>){{0,8}}+){EMPTY}"
    rf"(?P<after>(?:{_SPACE}|{EMPTY}){{0,40}}+)(?P<closed>(?:</{_INLINE}>){{0,8}}+)(?P<behind>{_SPACE}{{0,20}}+)",
    re.IGNORECASE,
)
_PUNCTUATION = frozenset(",.;:!?…")
_TAG_OR_BREAK = re.compile(f"<[^<>]*>|{LINE_BREAK}")


def settle(text: str) -> str:
    """Close up the places that were left empty, and put line breaks of values in the form that fits where they are."""
    if EMPTY in text:
        text = _EMPTY_PLACE.sub(_close_up, text).replace(EMPTY, "")
    if LINE_BREAK in text:
        text = _TAG_OR_BREAK.sub(_break_line, text)
    return text


def _close_up(match: re.Match[str]) -> str:
    """Drop the double space, and the space before a punctuation mark or at either end of a line."""
    before, tags = match["before"], match["opened"] + match["closed"]
    after = match["behind"] or match["after"].replace(EMPTY, "")
    whole, start, end = match.string, match.start(), match.end()
    if end == len(whole) or whole[end] in _PUNCTUATION or whole[end] == "\n":
        return tags
    if start == 0 or whole[start - 1] == "\n":
        return before + tags
    return before + tags + ("" if before else after)


def _break_line(match: re.Match[str]) -> str:
    found = match[0]
    return "<br>" if found == LINE_BREAK else found.replace(LINE_BREAK, " ")
