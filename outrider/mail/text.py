"""Between the plain-text and the HTML form of a message."""

import re
from collections.abc import Container, Iterator
from html import escape

from selectolax.lexbor import LexborHTMLParser, LexborNode

MAX_HTML = 1_000_000  # characters looked at when text is made from HTML
_SILENT = frozenset({"head", "script", "style", "title", "template", "noscript"})
_PARAGRAPHS = frozenset({"p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "pre", "table", "blockquote"})
_BLOCKS = _PARAGRAPHS | frozenset(
    {"div", "tr", "li", "hr", "section", "article", "header", "footer", "address", "dl", "dt", "dd", "center", "form"}
)
_MAX_QUOTE_DEPTH = 10
# The parser takes quadratic time over nested elements (100,000: 19 s). How deep they really are only a parser knows,
# so those that can nest are counted.
MAX_NESTABLE = 15_000
_TAG = re.compile(r"<[^<>]*>")
_TAG_START = re.compile(r"<([a-zA-Z][a-zA-Z0-9]*)")
_NEVER_NESTED = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
    | {"p", "li", "td", "th", "tr", "tbody", "thead", "dt", "dd", "option"}
)
_WHITE = re.compile(r"[ \t\r\n\f\xa0\u200b]+")
_PARAGRAPH_END = re.compile(r"\n[ \t]*(?:\n[ \t]*)+")


def text_to_html(text: str) -> str:
    """A plain-text message as HTML: escaped, a paragraph for each block of lines."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    if not lines:
        return ""
    return "".join(f"<p>{escape(block).replace(chr(10), '<br>')}</p>" for block in _PARAGRAPH_END.split(lines))


def html_to_text(html: str) -> str:
    """What a reader sees of an HTML message, as lines; quotes begin with `> ` as in a plain-text message."""
    tree = parse_html(html)
    if tree is None or tree.root is None:
        return _WHITE.sub(" ", _TAG.sub("\n", html[:MAX_HTML])).strip()
    return node_text(tree.root)


def parse_html(html: str) -> LexborHTMLParser | None:
    """The document, or None if it has more elements than can be looked at in good time."""
    html = html[:MAX_HTML]
    nestable_count = sum(1 for tag in _TAG_START.finditer(html) if tag[1].lower() not in _NEVER_NESTED)
    return LexborHTMLParser(html) if nestable_count <= MAX_NESTABLE else None


def node_text(root: LexborNode, *, without: Container[int] = (), until: Container[int] = ()) -> str:
    """The text of a part of an HTML document; the two sets hold the `mem_id` of nodes to leave out, or to end at."""
    page = _Page()
    for node, is_start in _walk(root, without):
        if node.mem_id in until:
            break
        if node.is_text_node:
            page.write(_WHITE.sub(" ", node.text_content or ""))
        else:
            page.mark(node.tag or "", is_start=is_start)
    return page.finish()


def _walk(root: LexborNode, without: Container[int]) -> Iterator[tuple[LexborNode, bool]]:
    """Start and end of each node in reading order; a loop, since mail nests as deeply as its sender likes."""
    stack: list[tuple[LexborNode, bool]] = [(root, True)]
    while stack:
        node, is_start = stack.pop()
        if node.tag in _SILENT or node.is_comment_node or node.mem_id in without:
            continue
        yield node, is_start
        if not is_start or node.is_text_node:
            continue
        stack.append((node, False))
        stack.extend((child, True) for child in reversed(list(node.iter(include_text=True))))


class _Page:
    """Lines that are being written: blocks begin a line, paragraphs leave one blank, quotes are marked."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._line = ""
        self._quote_depth = 0
        self._wants_blank = False

    def write(self, text: str) -> None:
        if not self._line:
            text = text.lstrip(" ")
        elif self._line.endswith(" ") and text.startswith(" "):
            text = text[1:]
        self._line += text

    def mark(self, tag: str, *, is_start: bool) -> None:
        if tag == "br" and is_start:
            self._end_line(keep_empty=True)
        if tag in _BLOCKS:
            self._end_line()
        if tag in _PARAGRAPHS:
            self._wants_blank = True
        if tag in {"td", "th"} and self._line:
            self.write(" ")
        if tag == "li" and is_start:
            self._line = "- "
        if tag == "blockquote":
            self._quote_depth += 1 if is_start else -1

    def finish(self) -> str:
        self._end_line()
        return "\n".join(self._lines).strip("\n")

    def _end_line(self, *, keep_empty: bool = False) -> None:
        line = self._line.rstrip(" ")
        self._line = ""
        if not line and not keep_empty:
            return
        prefix = "> " * min(self._quote_depth, _MAX_QUOTE_DEPTH)
        if self._wants_blank and self._lines and self._lines[-1]:
            self._lines.append("")
        self._wants_blank = False
        # No more than one blank line in a row.
        if line or (self._lines and self._lines[-1]):
            self._lines.append(prefix + line if line else "")
