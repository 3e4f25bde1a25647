"""Links of a mail: which are counted when clicked, and their rewriting (product behaviour 5).

Done on the mail as it goes out, so links from values, spintax, conditions and the signature are all seen.
"""

import re
from collections.abc import Callable
from html import escape, unescape

from outrider.content.text import is_same_address

Rewrite = Callable[[str, int], str]

# Case is spelled out: a pattern that ignores it cannot search for its first character, and this runs for every mail.
HREF = re.compile(
    r"<[aA](?:[rR][eE][aA])?\s[^<>]*?(?<![\w-])[hH][rR][eE][fF]\s*=\s*"
    r"(\"[^\"]*\"|'[^']*'|[^\s\"'<>]+)[^<>]*>?"
)
_TAG = re.compile(r"<[^<>]*>")
_WHITE = re.compile(r"[\x00-\x20]+")
_LONGEST_TEXT = 2_000


def rewrite_links(html: str, rewrite: Rewrite, *, keep: tuple[str, ...] = (), visible_urls: bool = True) -> str:
    """Replace the target of each link that is counted by `rewrite(url, index)`; `index` numbers those from 0.

    Counted are http and https. Links that begin with one of `keep` stay (the unsubscribe link); so do those whose
    visible text is the URL itself, unless `visible_urls` are counted too.
    """
    pieces: list[str] = []
    position = index = 0
    for match in HREF.finditer(html):
        url = _read_url(match[1])
        if not _is_web(url) or url.startswith(keep):
            continue
        if not visible_urls and _shows(html, match.end(), url):
            continue
        start, end = match.span(1)
        pieces += (html[position:start], '"', escape(rewrite(url, index)), '"')
        position = end
        index += 1
    if not pieces:
        return html
    pieces.append(html[position:])
    return "".join(pieces)


def find_links(html: str) -> list[str]:
    """The targets that would be counted, in order."""
    urls = (_read_url(match[1]) for match in HREF.finditer(html))
    return [url for url in urls if _is_web(url)]


def _is_web(url: str) -> bool:
    return url[:8].lower().startswith(("http://", "https://"))


def _read_url(value: str) -> str:
    """The target as a browser reads it: without quotes, entities decoded, spaces encoded."""
    url = value.strip("\"'")
    if "&" in url:
        url = unescape(url)
    if _WHITE.search(url):
        url = _WHITE.sub(" ", url).strip().replace(" ", "%20")
    return url


def _shows(html: str, start: int, url: str) -> bool:
    end = html.find("</a", start, start + _LONGEST_TEXT)
    return end >= 0 and is_same_address(unescape(_TAG.sub("", html[start:end])), url)
