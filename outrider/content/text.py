"""HTML of ours as plain text: the text part of a mail, and whole mails in plain-text mode (product behaviour 2.3).

A scanner, not a parser: it runs for every mail. Mail of others is read in the mail package.
"""

import re
from html import unescape

# Case is spelled out: a pattern that ignores it cannot search for its first character, and this runs for every mail.
_HIDDEN = re.compile(
    r"<!--.*?(?:-->|\Z)"
    r"|<([hH][eE][aA][dD]|[tT][iI][tT][lL][eE]|[sS][tT][yY][lL][eE]|[sS][cC][rR][iI][pP][tT])\b.*?(?:</\1\b[^<>]*>|\Z)",
    re.DOTALL,
)
# Loops are unrolled: a possessive group loses its way before Python 3.11.5 (gh-106052).
_TOKEN = re.compile(
    r"([^<]+)"
    r"|<(/?)([a-zA-Z][a-zA-Z0-9]*)([^<>\"']*+(?:(?:\"[^\"]*+\"|'[^']*+')[^<>\"']*+)*|[^<>]*+)>"
    r"|<![^<>]*>"
    r"|(<)",
)
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
_CONTACT = re.compile(r"^(?:mailto|tel):", re.IGNORECASE)
_SCHEME = re.compile(r"(?:https?://)?(?:www\.)?", re.IGNORECASE)


def to_text(html: str) -> str:
    """What a reader sees, in lines: links as "text (url)", lists with dashes or numbers, paragraphs apart."""
    if "<" not in html:
        return " ".join(unescape(html).split())
    writer = _Writer()
    for text, closing, name, attributes, lone in _TOKEN.findall(_HIDDEN.sub("", html)):
        if text or lone:
            writer.write(text or lone)
            continue
        tag = name.lower()
        if breaks := _BREAKS.get(tag):
            writer.end_line(breaks)
        elif closing:
            writer.close(tag)
        else:
            writer.open(tag, attributes)
    return writer.finish()


class _Writer:
    """Text that is being written. White space waits until something visible follows."""

    def __init__(self) -> None:
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

    def open(self, name: str, attributes: str) -> None:
        if name == "br":
            self._breaks = min(self._breaks + 1, _MOST_BREAKS)
        elif name == "a":
            self._link = (_attribute(attributes, "href"), len(self._pieces))
        elif name in ("ul", "ol"):
            self.end_line(1 if self._lists else 2)
            self._lists.append(1 if name == "ol" else None)
        elif name == "li":
            self._open_item()
        elif name in ("td", "th"):
            self._space = True
        elif name == "img" and (alternative := _attribute(attributes, "alt")):
            self._put(alternative)
        elif name == "hr":
            self.end_line()
            self._put("-" * 10)
            self.end_line()
        elif name == "pre":
            self.end_line(2)
            self._pre += 1

    def close(self, name: str) -> None:
        if name == "a":
            self._close_link()
        elif name == "li":
            self.end_line()
        elif name in ("ul", "ol"):
            if self._lists:
                self._lists.pop()
            self.end_line(1 if self._lists else 2)
        elif name == "pre":
            self.end_line(2)
            self._pre = max(self._pre - 1, 0)

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

    def _open_item(self) -> None:
        self.end_line()
        number = self._lists[-1] if self._lists else None
        indent = "  " * (len(self._lists) - 1)
        if number is None:
            self._put(f"{indent}- ")
        else:
            self._lists[-1] = number + 1
            self._put(f"{indent}{number}. ")

    def _close_link(self) -> None:
        if self._link is None:
            return
        (url, start), self._link = self._link, None
        text = "".join(self._pieces[start:]).strip()
        shown = _CONTACT.sub("", url)
        if not shown or shown.startswith("#") or is_same_address(text, shown):
            return
        if text:
            self._space = True
            shown = f"({shown})"
        self._put(shown)


def is_same_address(text: str, url: str) -> bool:
    """Whether a visible text is the URL itself, as a reader would say."""
    return _bare(text) == _bare(url)


def _bare(address: str) -> str:
    return _SCHEME.sub("", address.strip(), count=1).rstrip("/").casefold()


def _attribute(attributes: str, name: str) -> str:
    match = _ATTRIBUTES[name].search(attributes)
    if match is None:
        return ""
    return " ".join(unescape(match[1] or match[2] or match[3] or "").split())
