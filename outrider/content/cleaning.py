"""Other people's HTML, made safe to show (design 5 and 10): no scripts, no forms, no styles that reach out of the mail,
images from elsewhere only when asked for.

It is the first of three walls; where mails are shown, the page's policy and the frame's sandbox are the others.
"""

import re
from collections import Counter
from collections.abc import Callable
from functools import cache
from html import escape

import nh3

from outrider.content.text import to_text

MAX_LENGTH = 500_000

Resolve = Callable[[str, str], str | None]
"""What is shown instead of the address in an `a` or `img`; None: nothing."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_TAGS = _words(
    "a abbr address b bdi bdo big blockquote br caption center cite code col colgroup dd del details dfn div dl dt em"
    " figcaption figure font h1 h2 h3 h4 h5 h6 hr i img ins kbd li mark ol p pre q s samp small span strike strong sub"
    " summary sup table tbody td tfoot th thead time tr tt u ul var wbr"
)
_GONE_WITH_CONTENT = frozenset({"script", "style", "title", "head", "template", "noscript", "iframe", "object", "svg"})
_ATTRIBUTES = {
    "*": {"align", "dir", "lang", "style", "title"},
    "a": {"href"},
    "col": {"span", "width"},
    "font": {"color", "face", "size"},
    "img": {"alt", "height", "src", "width"},
    "ol": {"start", "type"},
    "table": {"bgcolor", "border", "cellpadding", "cellspacing", "width"},
    "td": {"bgcolor", "colspan", "height", "rowspan", "valign", "width"},
    "th": {"bgcolor", "colspan", "height", "rowspan", "valign", "width"},
    "tr": {"bgcolor", "valign"},
}
# Nothing that fetches (background-image, list-style-image, content) or leaves its place (position, z-index, transform).
_STYLES = _words(
    "background-color border border-bottom border-collapse border-color border-left border-radius border-right"
    " border-spacing border-style border-top border-width color direction display font-family font-size font-style"
    " font-variant font-weight height letter-spacing line-height list-style-type margin margin-bottom margin-left"
    " margin-right margin-top max-width min-width padding padding-bottom padding-left padding-right padding-top"
    " text-align text-decoration text-indent text-transform vertical-align white-space width word-break"
)
_SCHEMES = frozenset({"http", "https", "mailto", "tel", "cid", "data"})
_FETCHED_IMAGE = re.compile(r'<img [^<>]*?\bsrc="(?!data:|cid:)')
_WEB = re.compile(r"https?://", re.IGNORECASE)
_LINK = re.compile(r"(?:https?://|mailto:|tel:)", re.IGNORECASE)
_PICTURE = re.compile(r"(?:data:image/(?:png|gif|jpeg|webp);base64,|cid:)", re.IGNORECASE)

# The parser takes quadratic time over nested elements (100 kB of "<div>": 23 s), and opens formatting anew in each
# block that follows. What exceeds these bounds is shown as text.
_MAX_DEPTH = 500
_MAX_REOPENED = 20_000
_OPENING = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)")
_NEVER_DEEP = _words(
    "area base br col embed hr img input link meta source track wbr p li td th tr tbody thead tfoot dt dd option"
)
_FORMATTING = _words("a b big code em font i nobr s small strike strong tt u")


def as_is(_tag: str, url: str) -> str | None:
    return url


def clean(html: str, *, images: bool = False, resolve: Resolve = as_is) -> str:
    """HTML that can be shown in a frame of ours. Images that are fetched stay out unless asked for."""
    html = html[:MAX_LENGTH].encode("utf-8", "replace").decode()  # mail may hold what is no character
    if _is_hostile(html):
        return f"<p>{escape(to_text(html)).replace(chr(10), '<br>')}</p>"
    cleaner = _usual(images=images) if resolve is as_is else _cleaner(images=images, resolve=resolve)
    return cleaner.clean(html)


def has_remote_images(html: str, *, resolve: Resolve = as_is) -> bool:
    """Whether there is something to ask the reader for."""
    return _FETCHED_IMAGE.search(clean(html, images=True, resolve=resolve)) is not None


@cache
def _usual(*, images: bool) -> nh3.Cleaner:
    """Composing mails cleans values, too, and making one takes longer than using it."""
    return _cleaner(images=images, resolve=as_is)


def _cleaner(*, images: bool, resolve: Resolve) -> nh3.Cleaner:
    return nh3.Cleaner(
        tags=set(_TAGS),
        clean_content_tags=set(_GONE_WITH_CONTENT),
        attributes={tag: set(names) for tag, names in _ATTRIBUTES.items()},
        attribute_filter=_filter(images=images, resolve=resolve),
        url_schemes=set(_SCHEMES),
        filter_style_properties=set(_STYLES),
        set_tag_attribute_values={"a": {"target": "_blank"}},
        link_rel="noopener noreferrer nofollow",
    )


def _filter(*, images: bool, resolve: Resolve) -> Callable[[str, str, str], str | None]:
    """A mail has no address that others could be relative to: those would lead to pages of ours."""

    def kept(tag: str, attribute: str, value: str) -> str | None:
        if attribute not in {"href", "src"}:
            return value
        url = value.strip()
        url = resolve(tag, f"https:{url}" if url.startswith("//") else url) or ""
        if tag == "img":
            return url if _PICTURE.match(url) or (images and _WEB.match(url)) else None
        return url if _LINK.match(url) else None

    return kept


def _is_hostile(html: str) -> bool:
    open_counts: Counter[str] = Counter()
    depth = formats = reopened = 0
    for closing, name in _OPENING.findall(html):
        tag = name.lower()
        if closing and not open_counts[tag]:
            continue  # closes nothing
        step = -1 if closing else 1
        open_counts[tag] += step
        formats += step if tag in _FORMATTING else 0
        depth += step if tag not in _NEVER_DEEP else 0
        reopened += formats if not closing else 0
        if depth > _MAX_DEPTH or reopened > _MAX_REOPENED:
            return True
    return False
