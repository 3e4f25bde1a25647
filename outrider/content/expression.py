"""What stands in double braces: a name we fill ourselves, or an expression for Liquid (product behaviour 3.2, 3.3).

The short forms of other tools are read too: `{{first_name|there}}`, `{{ first_name | "there" }}`,
`{{ first_name | fallback: "there" }}`, `{{ first_name || "there" }}`, `{{Job Title}}`.
"""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from html import unescape

from outrider.content import dates
from outrider.content.variables import fold

Helper = Callable[[datetime], str]

HELPERS: dict[str, Helper] = {
    "sl_time_of_day": dates.time_of_day,
    "sl_time_of_day_cap": lambda local: dates.time_of_day(local).capitalize(),
    "sl_day_of_week": dates.day_of_week,
}
_DEFAULT_DATE_FORMAT = "dddd, MMMM Do"
_MAX_LENGTH = 2_000

_QUOTED = re.compile(r"""("[^"]*"|'[^']*')""")
_PIPE = re.compile(r"""\|(?=(?:[^"']|"[^"]*"|'[^']*')*$)""")
_LITERAL = re.compile(r"""\s*(?:"(?P<double>[^"]*)"|'(?P<single>[^']*)'|(?P<number>-?\d+(?:\.\d+)?))\s*""")
_DEFAULT = re.compile(r"\s*(?:default|fallback)\s*:(?P<literal>.*)", re.DOTALL)
_FALLBACK = re.compile(r"\s*fallback\s*:")
_FILTER_NAME = re.compile(r"\s*(\w+)\s*(:?)")
_IDENTIFIER = re.compile(r"[^\W\d][\w-]*")
_SL_DATE = re.compile(r"sl_date\s+(?P<phrase>\"[^\"]*\"|'[^']*')(?:\s+(?P<format>\"[^\"]*\"|'[^']*'))?")
_LIQUID_HEAD = re.compile(
    r"""["'(\[]|-?\d+(?:\.\d+)?$|(?:true|false|nil|null|empty|blank)$|.*\.(?:size|first|last)$|.*\["""
)
_FOREIGN_FILTERS = {
    "upper": "upcase",
    "uppercase": "upcase",
    "lower": "downcase",
    "lowercase": "downcase",
    "title": "capitalize",
    "titlecase": "capitalize",
    "trim": "strip",
}
_MARKUP = re.compile(r"</?[a-zA-Z][^<>]*>")
_CURLY_QUOTES = str.maketrans("“”„‟‘’‚‛", "\"\"\"\"''''")


class ExpressionError(ValueError):
    """What is wrong inside the braces, and what to write instead."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A place that is filled without Liquid: with a value, else the default; or by a helper."""

    name: str
    folded: str = ""
    default: str = ""  # as it stands in the mail
    helper: Helper | None = None


def slot(name: str, default: str = "") -> Slot:
    return Slot(name, fold(name), default, HELPERS.get(name))


def clean_source(source: str, *, html: bool, is_tag: bool = False) -> str:
    """Undo what editors do to Liquid: entities, mark-up and curly quotes inside the braces.

    Text in quotes stays what it is in an output, since there it is HTML of the author; tags compare it with values.
    """
    if html:
        source = re.sub(r"&quot;|&#34;|&#x22;", '"', source)
        source = re.sub(r"&apos;|&#39;|&#x27;", "'", source)
        parts = _QUOTED.split(source)
        parts[::2] = [unescape(_MARKUP.sub("", part)) for part in parts[::2]]
        source = unescape("".join(parts)) if is_tag else "".join(parts)
    if '"' not in source and "'" not in source:
        source = source.translate(_CURLY_QUOTES)
    return source.replace("\xa0", " ").strip()


def read_output(source: str, *, local_names: Collection[str], filters: Collection[str], html: bool) -> Slot | str:
    """A slot, or the expression in Liquid. Raises ExpressionError."""
    source = clean_source(source, html=html)
    if len(source) > _MAX_LENGTH:
        raise ExpressionError("this expression is too long; shorten it.")
    if source.startswith("sl_date"):
        return _read_sl_date(source)
    head, *rest = [part.strip() for part in _PIPE.split(source)]
    if not head:
        raise ExpressionError("there is no name between the braces; write {{first_name}}.")
    chain = _read_filters(rest, filters)
    root = re.split(r"[.\[]", head, maxsplit=1)[0]
    if root in local_names or _LIQUID_HEAD.match(head):
        return " | ".join((head, *chain))
    if not chain:
        return slot(head)
    if len(chain) == 1 and (default := _read_default(chain[0])) is not None:
        if "{" in default:
            raise ExpressionError("spintax does not work inside the braces; write {{% if %}} with two options instead.")
        return slot(head, default)
    return " | ".join((_liquid_name(head), *chain))


def _read_sl_date(source: str) -> Slot:
    match = _SL_DATE.fullmatch(source)
    if match is None:
        raise ExpressionError('write {{sl_date "2 days from now" "dddd, MMMM Do YYYY"}}.')
    shift = dates.read_phrase(match["phrase"][1:-1])
    if shift is None:
        raise ExpressionError(f'the time {match["phrase"]} is not understood; write "2 days from now".')
    pattern = match["format"][1:-1] if match["format"] else _DEFAULT_DATE_FORMAT
    return Slot(source, helper=lambda local: dates.format_moment(shift(local), pattern))


def _read_filters(parts: list[str], known: Collection[str]) -> list[str]:
    """The chain in proper Liquid. The first may be a default in a short form."""
    parts = [part for part in parts if part]  # `||` of other languages
    if not parts:
        return []
    return [_read_first(parts[0], known), *(_read_filter(part, known) for part in parts[1:])]


def _read_first(part: str, known: Collection[str]) -> str:
    if _LITERAL.fullmatch(part):
        return f"default: {part}"
    if _FALLBACK.match(part):
        return _FALLBACK.sub("default:", part)
    match = _FILTER_NAME.match(part)
    if match and (match[1] in known or match[2] or _looks_like_filter(part, known)):
        return _read_filter(part, known)
    quote = "'" if '"' in part else '"'
    return f"default: {quote}{part}{quote}"


def _looks_like_filter(word: str, known: Collection[str]) -> bool:
    """A misspelt filter, not a fallback: "capitalise", but not "there"."""
    return word in _FOREIGN_FILTERS or bool(get_close_matches(word, known, n=1, cutoff=0.85))


def _read_filter(part: str, known: Collection[str]) -> str:
    match = _FILTER_NAME.match(part)
    name = match[1] if match else part
    if name in known:
        return part
    similar = _FOREIGN_FILTERS.get(name) or next(iter(get_close_matches(name, known, n=1, cutoff=0.7)), None)
    hint = f'did you mean "{similar}"?' if similar else f'for a fallback write default: "{part}".'
    raise ExpressionError(f'the filter "{name}" does not exist; {hint}')


def _read_default(filter_: str) -> str | None:
    match = _DEFAULT.fullmatch(filter_)
    literal = _LITERAL.fullmatch(match["literal"]) if match else None
    if literal is None:
        return None
    return literal["double"] or literal["single"] or literal["number"] or ""


def _liquid_name(head: str) -> str:
    """A name in Liquid's spelling: `Job Title` is `["Job Title"]` there."""
    if _IDENTIFIER.fullmatch(head):
        return head
    quote = "'" if '"' in head else '"'
    return f"[{quote}{head}{quote}]"
