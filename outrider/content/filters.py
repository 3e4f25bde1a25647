"""The filters of Liquid, each with a bound on what it may make: one expression can neither hang nor fill the memory.

Dates are read with the present moment of the mail, never the machine's clock.
"""

import re
from collections.abc import Callable
from datetime import datetime
from functools import wraps
from typing import Any

from liquid import Environment, RenderContext
from liquid.exceptions import FilterArgumentError
from liquid.filter import with_context, with_environment
from liquid.undefined import is_undefined
from markupsafe import Markup

from outrider.content import dates
from outrider.content.cleaning import clean

MAX_TEXT = 100_000
MAX_ITEMS = 1_000
_MAX_BITS = 256
_TAG = re.compile(r"<[^<>]*>")
_MULTIPLYING = ("replace", "replace_first", "replace_last", "join")

Filter = Callable[..., Any]


def install(environment: Environment) -> None:
    """Bound the built-in filters of an environment and put ours beside them."""
    environment.add_filter("date", _date)
    environment.add_filter("safe", _safe)
    environment.add_filter("strip_html", _strip_html)
    for name, function in environment.filters.items():
        environment.filters[name] = _bound(function, name)


def _bound(function: Filter, name: str) -> Filter:
    @wraps(function)
    def bounded(value: object, *arguments: object, **options: object) -> object:
        if name in _MULTIPLYING:
            _refuse_multiplication(name, value, arguments)
        result: object = function(value, *arguments, **options)
        _refuse_excess(name, result)
        return result

    return bounded


def _refuse_multiplication(name: str, value: object, arguments: tuple[object, ...]) -> None:
    inserted = len(str(arguments[-1])) if arguments else 0
    if name == "join":
        times = len(value) if isinstance(value, list | tuple | range) else 1
    else:
        searched = str(arguments[0]) if arguments else ""
        times = str(value).count(searched)
    if inserted * times > MAX_TEXT:
        raise _excess(name)


def _refuse_excess(name: str, result: object) -> None:
    if isinstance(result, str):
        is_too_much = len(result) > MAX_TEXT
    elif isinstance(result, list | tuple | range):
        is_too_much = len(result) > MAX_ITEMS
    else:
        is_too_much = isinstance(result, int) and result.bit_length() > _MAX_BITS
    if is_too_much:
        raise _excess(name)


def _excess(name: str) -> FilterArgumentError:
    return FilterArgumentError(f'the filter "{name}" makes too much', token=None)


@with_context
def _date(value: object, pattern: object = "%B %d, %Y", *, context: RenderContext) -> object:
    """A date in the notation of strftime; what is no date stays as it is."""
    local: datetime = context.resolve("now")
    if is_undefined(value) or value is None:
        return ""
    moment = dates.read_date("now" if value == "today" else value, local)
    if moment is None or is_undefined(pattern):
        return value
    return moment.strftime(str(pattern).replace("%s", str(int(moment.timestamp()))))


@with_environment
def _safe(value: object, *, environment: Environment) -> object:
    """Let a value's HTML stand, cleaned: the author asks for it, but it is a lead's."""
    return Markup(clean(str(value), images=True)) if environment.autoescape else value  # noqa: S704 # cleaned


def _strip_html(value: object) -> object:
    return _TAG.sub("", "" if value is None else str(value))
