"""Bodies as HTML, and what is put at their end (product behaviour 2.3, 2.5)."""

import re

from markupsafe import Markup, escape

_KNOWN_TAG = re.compile(
    r"</?(?:a|abbr|address|area|article|b|big|blockquote|body|br|button|caption|center|cite|code|col|colgroup|dd|del|div"
    r"|dl|dt|em|figure|figcaption|font|footer|form|h[1-6]|head|header|hr|html|i|img|ins|kbd|li|main|map|mark|meta|nav|ol"
    r"|p|pre|q|s|samp|section|small|span|strike|strong|style|sub|sup|table|tbody|td|tfoot|th|thead|title|tr|u|ul|var)"
    r"(?:\s[^<>]*)?/?>|<!--|<!doctype\b",
    re.IGNORECASE,
)
# With one of these it is a document, whose line ends mean nothing; without, it is lines, maybe with some tags.
_DOCUMENT_TAG = re.compile(
    r"<(?:!doctype|html|head|body|style|table|p|h[1-6]|ul|ol|pre|center|section|article|main)\b", re.IGNORECASE
)
# Loops are unrolled: a possessive group loses its way before Python 3.11.5 (gh-106052).
_LIQUID = re.compile(r"(\{\{[^{}]*\}\}|\{%[^%]*+(?:%(?!\})[^%]*+)*%\})")
_LINE_OF_TAGS = re.compile(r"^[ \t]*+((?:\{%[^%\n]*+(?:%(?!\})[^%\n]*+)*%\}[ \t]*+)+)\n", re.MULTILINE)
_BARE_AMPERSAND = re.compile(r"&(?!#?\w{1,31};)")
_LINE_END = re.compile(
    r"(?P<before><(?:br|hr|/?div|/?blockquote|/?address)\b[^<>]*>[ \t]*)?\n"
    r"(?P<after>(?=[ \t]*<(?:hr|/?div|/?blockquote|/?address)\b))?",
    re.IGNORECASE,
)


def as_html(body: str) -> str:
    """A body as HTML, whether it came as HTML, as plain lines, or as both: `<br>`, `<div>` and line ends all break."""
    body = body.replace("\r\n", "\n").replace("\r", "\n").strip("\n")
    if _DOCUMENT_TAG.search(body):
        return body
    if not _KNOWN_TAG.search(body):
        body = _BARE_AMPERSAND.sub("&amp;", body).replace("<", "&lt;").replace(">", "&gt;")
    if "\n" not in body:
        return body
    pieces = _LIQUID.split(_LINE_OF_TAGS.sub(r"\1", body))
    pieces[::2] = [_LINE_END.sub(_break_line, piece) for piece in pieces[::2]]
    return "".join(pieces)


def _break_line(match: re.Match[str]) -> str:
    """A line end beside a tag that breaks by itself would break twice."""
    return match[0] if match["before"] or match["after"] is not None else "<br>\n"


def append_before_body_end(html: str, snippet: str) -> str:
    """The footer or the pixel at the end of what is shown."""
    if not snippet:
        return html
    end = max(html.rfind("</body"), html.rfind("</BODY"))
    return html + snippet if end < 0 else html[:end] + snippet + html[end:]


def unsubscribe_text(text: str, url: str | None) -> Markup:
    """What the reader clicks to get no more mails; without an address, as in test mails, only the words.

    Without words there is nothing to click: a link that nobody sees is what filters look for.
    """
    words = escape(text.strip())
    return Markup(f'<a href="{escape(url)}">{words}</a>') if url and words else words  # noqa: S704 # escaped


def footer(content: Markup) -> str:
    """A last paragraph of its own."""
    return f'<div style="margin-top:24px">{content}</div>'
