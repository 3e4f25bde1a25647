"""HTML of ours as plain text: the text part of a mail, and whole mails in plain-text mode (product behaviour 2.3).

A scanner, not a parser: it runs for every mail. Mail of others is read in the mail package.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from html import unescape
from typing import Any

# Case is spelled out: a pattern that ignores it cannot search for its first character, and this runs for every mail.
_HIDDEN = re.compile(
    r"<!--.*?(?:-->|\Z)"
    r"|<([hH][eE][aA][dD]|[tT][iI][tT][lL][eE]|[sS][tT][yY][lL][eE]|[sS][cC][rR][iI][pP][tT])\b.*?(?:</\1\b[^<>]*>|\Z)",
    re.DOTALL,
)
# Loops are unrolled: a possessive group loses its way before Python 3.11.5 (gh-106052).
_INSIDE = r"[^<>\"']*+(?:(?:\"[^\"]*+\"|'[^']*+')[^<>\"']*+)*|[^<>]*+"
_TAG = re.compile(rf"<(/?)([a-zA-Z][a-zA-Z0-9]*)({_INSIDE})>|<![^<>]*>")
_RUN = re.compile(rf"([^<]+)|((?:</?[a-zA-Z][a-zA-Z0-9]*(?:{_INSIDE})>|<![^<>]*>)+)|<")
_ATTRIBUTES = {
    name: re.compile(rf"(?<![\w-]){name}\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]+))", re.IGNORECASE)
    for name in ("href", "alt")
}
_LINES = (
    "div",
    "tr",
    "section",
    "article",
    "header",
    "footer",
    "main",
    "address",
    "center",
    "form",
    "dt",
    "dd",
    "body",
)
_PARAGRAPHS = ("p", "h1", "h2", "h3", "h4", "h5", "h6", "table", "blockquote", "dl")
_BREAKS = dict.fromkeys(_LINES, 1) | dict.fromkeys(_PARAGRAPHS, 2)
_MOST_BREAKS = 3
IsSame = Callable[[str, str], bool]
_CONTACT = re.compile(r"^(?:mailto|tel):", re.IGNORECASE)
_SCHEME = re.compile(r"(?:https?://)?(?:www\.)?", re.IGNORECASE)


def to_text(html: str, *, is_same: IsSame | None = None) -> str:
    """What a reader sees, in lines: links as "text (url)", lists with dashes or numbers, paragraphs apart.

    A link is written once if `is_same`, by default `is_same_address`, says so of its text and its address.
    """
    if "<" not in html:
        return " ".join(unescape(html).split())
    writer = _Writer(is_same or is_same_address)
    for text, tags in _RUN.findall(without_hidden(html)):
        if tags:
            for act, argument in _read_tags(tags):
                act(writer, argument)
        else:
            writer.write(text or "<")
    return writer.finish()


def without_hidden(html: str) -> str:
    """Without comments, style sheets and the like."""
    return _HIDDEN.sub("", html)


class _Writer:
    """Text that is being written. White space waits until something visible follows."""

    def __init__(self, is_same: IsSame) -> None:
        self._is_same = is_same
        self._pieces: list[str] = []
        self._breaks = 0
        self._space = False
        self._lists: list[int | None] = []  # the next number; None for dashes
        self._link: tuple[str, int] | None = None  # its address and where its text begins
        self._pre = 0

    def finish(self) -> str:
        return "".join(self._pieces).rstrip(" ")

    def write(self, source: str) -> None:
        text = unescape(source) if "&" in source else source
        if self._pre:
            self._write_lines(text)
            return
        words = text.split()
        if not words:
            self._space = True
            return
        self._space = self._space or text[0].isspace()
        self._put(" ".join(words))
        self._space = text[-1].isspace()

    def end_line(self, breaks: int = 1) -> None:
        """The end of a line, or with 2 of a paragraph."""
        self._breaks = max(self._breaks, breaks)

    def break_line(self, _attributes: str) -> None:
        self._breaks = min(self._breaks + 1, _MOST_BREAKS)

    def open_link(self, attributes: str) -> None:
        self._link = (_attribute(attributes, "href"), len(self._pieces))

    def open_numbers(self, _attributes: str) -> None:
        self._open_list(1)

    def open_dashes(self, _attributes: str) -> None:
        self._open_list(None)

    def open_cell(self, _attributes: str) -> None:
        self._space = True

    def show_image(self, attributes: str) -> None:
        if alternative := _attribute(attributes, "alt"):
            self._put(alternative)

    def draw_rule(self, _attributes: str) -> None:
        self.end_line()
        self._put("-" * 10)
        self.end_line()

    def open_pre(self, _attributes: str) -> None:
        self.end_line(2)
        self._pre += 1

    def close_pre(self, _attributes: str) -> None:
        self.end_line(2)
        self._pre = max(self._pre - 1, 0)

    def close_item(self, _attributes: str) -> None:
        self.end_line()

    def _open_list(self, number: int | None) -> None:
        self.end_line(1 if self._lists else 2)
        self._lists.append(number)

    def close_list(self, _attributes: str) -> None:
        if self._lists:
            self._lists.pop()
        self.end_line(1 if self._lists else 2)

    def _put(self, text: str) -> None:
        if self._breaks and self._pieces:
            self._pieces.append("\n" * self._breaks)
        elif self._space and self._pieces and not self._pieces[-1].endswith(" "):
            self._pieces.append(" ")
        self._breaks, self._space = 0, False
        self._pieces.append(text)

    def _write_lines(self, text: str) -> None:
        for number, line in enumerate(text.splitlines() or [text]):
            if number:
                self._breaks = min(self._breaks + 1, _MOST_BREAKS)
            if line.strip():
                self._put(line.rstrip())
        if text.endswith("\n"):
            self._breaks = min(self._breaks + 1, _MOST_BREAKS)

    def open_item(self, _attributes: str) -> None:
        self.end_line()
        number = self._lists[-1] if self._lists else None
        indent = "  " * (len(self._lists) - 1)
        if number is None:
            self._put(f"{indent}- ")
        else:
            self._lists[-1] = number + 1
            self._put(f"{indent}{number}. ")

    def close_link(self, _attributes: str) -> None:
        if self._link is None:
            return
        (url, start), self._link = self._link, None
        text = "".join(self._pieces[start:]).strip()
        shown = _CONTACT.sub("", url)
        if not shown or shown.startswith("#") or self._is_same(text, shown):
            return
        if text:
            self._space = True
            shown = f"({shown})"
        self._put(shown)


_OPENING = {
    "br": _Writer.break_line,
    "a": _Writer.open_link,
    "ul": _Writer.open_dashes,
    "ol": _Writer.open_numbers,
    "li": _Writer.open_item,
    "td": _Writer.open_cell,
    "th": _Writer.open_cell,
    "img": _Writer.show_image,
    "hr": _Writer.draw_rule,
    "pre": _Writer.open_pre,
}
_CLOSING = {
    "a": _Writer.close_link,
    "li": _Writer.close_item,
    "ul": _Writer.close_list,
    "ol": _Writer.close_list,
    "pre": _Writer.close_pre,
}
_Act = tuple[Callable[[_Writer, Any], None], object]


@lru_cache(maxsize=1024)  # mostly the same ones again, in every mail and between many words
def _read_tags(tags: str) -> tuple[_Act, ...]:
    """What the writer does at tags that stand side by side."""
    acts: list[_Act] = []
    for closing, name, attributes in _TAG.findall(tags):
        tag = name.lower()
        act: _Act | None = None
        if breaks := _BREAKS.get(tag):
            act = (_Writer.end_line, breaks)
        elif method := (_CLOSING if closing else _OPENING).get(tag):
            act = (method, attributes)
        if act and not (acts and acts[-1] == act and breaks):  # a line that has ended ends once
            acts.append(act)
    return tuple(acts)


def is_same_address(text: str, url: str) -> bool:
    """Whether a visible text is the URL itself, as a reader would say."""
    return bare_address(text) == bare_address(url)


def bare_address(address: str) -> str:
    """What counts of an address when two are compared."""
    return _SCHEME.sub("", address.strip(), count=1).rstrip("/").casefold()


def _attribute(attributes: str, name: str) -> str:
    match = _ATTRIBUTES[name].search(attributes)
    if match is None:
        return ""
    return " ".join(unescape(match[1] or match[2] or match[3] or "").split())
