"""One mail being filled: values, choices and the present moment, and how an empty place closes up (product behaviour
3.1, 3.5).
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
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


# Words: what stands in a mail as it is, in HTML and in plain text, and changes nothing around it. No mark-up, no white
# space but single spaces inside, nothing that an empty place before it would close up to, no marks (`marks`).
_LETTER = r"[^\s&<>\"'\x00-\x1f\x7f-\x9f\U00100000-\U0010ffff]"
_ESCAPED = rf"(?=[^ ]){_LETTER}*(?:&(?:amp|lt|gt|#3[49]);{_LETTER}*)*"
_NO_PUNCTUATION = "(?![,.;:!?…])"
_are_plain_words = re.compile(rf"{_NO_PUNCTUATION}{_LETTER}+(?: {_LETTER}+)*").fullmatch
are_words = re.compile(rf"{_NO_PUNCTUATION}{_ESCAPED}(?: {_ESCAPED})*").fullmatch


@dataclass(frozen=True, slots=True, eq=False)
class Script:
    """One way through a text: what is left of it when Liquid has decided.

    `forks`: spintax groups with an option that is more than words. `outputs`: what Liquid writes into places of it,
    numbered behind the slots.
    """

    parts: Parts
    outputs: tuple[Callable[["Filling"], str], ...] = ()
    forks: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "forks", tuple(dict.fromkeys(_forks(self.parts))))


def has_words_only(choice: Choice) -> bool:
    """Whether each option is words, as far as its own text goes."""
    return all(are_words(_outline(option)) for option in choice.options)


def _outline(option: str | Parts) -> str:
    """The text of an option with a letter for what is filled in."""
    if isinstance(option, str):
        return option
    return "".join(
        part if isinstance(part, str) else "x" if isinstance(part, int) or has_words_only(part) else EMPTY
        for part in option
    )


def _forks(parts: Iterable["str | int | Choice"]) -> Iterator[int]:
    for part in parts:
        if isinstance(part, Choice) and not has_words_only(part):
            yield part.index
            for option in part.options:
                yield from _forks(option) if not isinstance(option, str) else ()


class Filling:
    """The state of one render.

    `odd`: the texts that are more than words, by their slot: empty places, and HTML of the sender or the author.
    `is_odd`: a value of the lead is more than words, too. `inner`: the words inside that HTML, where it was looked at.
    """

    def __init__(self, values: Values, choices: Sequence[int], *, now: datetime, zone: ZoneInfo, html: bool) -> None:
        self.values = values
        self.choices = choices
        self.slot_texts: list[str] = []
        self.odd: list[tuple[int, str]] = []
        self.is_odd = False
        self.inner: tuple[str, ...] = ()
        self._now = now
        self._zone = zone
        self._html = html

    @cached_property
    def local(self) -> datetime:
        return self._now.astimezone(self._zone)

    def fill(self, slots: Iterable[Slot]) -> None:
        """Look up what stands in the places of a text."""
        get, texts = self.values.get, self.slot_texts
        for slot in slots:
            value = get(slot.name) if slot.helper is None else None
            if value.__class__ is str and _are_plain_words(value):
                texts.append(value)  # most are like this
            else:
                text = self._text_of(slot)
                self._put(text, is_ours=isinstance(text, Markup) or text in (EMPTY, slot.default))

    def compute(self, outputs: Iterable[Callable[["Filling"], str]]) -> None:
        """The same for what Liquid writes."""
        for output in outputs:
            text = output(self)
            self._put(text, is_ours=text == EMPTY)

    def _put(self, text: str, *, is_ours: bool) -> None:
        if not are_words(text):
            self.odd.append((len(self.slot_texts), text))
            self.is_odd = self.is_odd or not is_ours
        self.slot_texts.append(text)

    def _text_of(self, slot: Slot) -> str:
        if slot.helper is not None:
            return slot.helper(self.local)
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

    def words(self, places: Iterable["int | Choice"]) -> list[str] | None:
        """What stands in these places; None if it is more than words. Numbers below 0 count the inner words."""
        words: list[str] = []
        for place in places:
            if isinstance(place, int):
                words.append(self.slot_texts[place] if place >= 0 else self.inner[~place])
                continue
            text = place.options[self.choices[place.index]]
            if not isinstance(text, str):
                out: list[str] = []
                self.write(text, out)
                text = "".join(out)
                if not are_words(text):
                    return None
            words.append(text)
        return words


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
