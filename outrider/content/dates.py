"""Words for dates and times of the day in the reader's zone (product behaviour 3.2).

Phrases such as "2 days from now", formats as moment.js writes them, and reading dates that stand in a lead's fields.
English, whatever the locale of the machine.
"""

import re
from calendar import monthrange
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from outrider.kit.calendar_names import DAYS, MONTHS

Shift = Callable[[datetime], datetime]

_NOON, _EVENING = 12, 17
_SATURDAY = 5


def time_of_day(local: datetime) -> str:
    if local.hour < _NOON:
        return "morning"
    return "afternoon" if local.hour < _EVENING else "evening"


def day_of_week(local: datetime) -> str:
    return DAYS[local.weekday()]


# --- phrases ---------------------------------------------------------------------------------------------------------

_NUMBERS = {
    word: number
    for number, words in enumerate(
        ("a an one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"), start=1
    )
    for word in words.split()
}
_FIXED = {"now": 0, "today": 0, "tomorrow": 1, "yesterday": -1, "day after tomorrow": 2, "the day after tomorrow": 2}
_UNITS = r"minute|hour|business day|working day|weekday|day|week|month|year"
_DISTANCE = re.compile(
    rf"(?P<sign>[+-]?)(?:in )?(?P<number>\d{{1,5}}|{'|'.join(_NUMBERS)}) (?P<unit>{_UNITS})s?"
    r"(?: (?P<end>from now|from today|later|ahead|ago|before now|earlier))?",
)
_NEXT = re.compile(rf"(?:(?P<which>next|this|coming|last) )?(?P<what>{'|'.join(DAYS).lower()}|week|month|year)")
_LONGEST_DAYS = 36_500
_DAYS_OF = {"minute": 0, "hour": 0, "day": 1, "weekday": 1, "week": 7, "month": 31, "year": 366}


def read_phrase(phrase: str) -> Shift | None:
    """What a phrase does to the present moment, or None if it is not understood."""
    phrase = " ".join(phrase.lower().split())
    if phrase in _FIXED:
        return _shift("day", _FIXED[phrase])
    if match := _DISTANCE.fullmatch(phrase):
        return _read_distance(match)
    if match := _NEXT.fullmatch(phrase):
        return _read_next(match["which"] or "", match["what"])
    return None


def _read_distance(match: re.Match[str]) -> Shift | None:
    count = _NUMBERS.get(match["number"]) or int(match["number"])
    unit = "weekday" if match["unit"] in ("business day", "working day") else match["unit"]
    if count * _DAYS_OF[unit] > _LONGEST_DAYS:
        return None
    is_past = match["sign"] == "-" or match["end"] in ("ago", "before now", "earlier")
    return _shift(unit, -count if is_past else count)


def _read_next(which: str, what: str) -> Shift | None:
    if what in _DAYS_OF:
        counts = {"next": 1, "coming": 1, "this": 0, "last": -1}
        return _shift(what, counts[which]) if which else None
    day = [name.lower() for name in DAYS].index(what)
    if which == "last":
        return lambda local: local - timedelta(days=(local.weekday() - day - 1) % 7 + 1)
    earliest = 0 if which == "this" else 1
    return lambda local: local + timedelta(days=(day - local.weekday() - earliest) % 7 + earliest)


def _shift(unit: str, count: int) -> Shift:
    if unit in ("minute", "hour"):
        # Real time, also over a change of the clocks; days and longer keep the time on the clock.
        step = timedelta(minutes=count) if unit == "minute" else timedelta(hours=count)
        return lambda local: (local.astimezone(UTC) + step).astimezone(local.tzinfo)
    if unit in ("month", "year"):
        months = count * 12 if unit == "year" else count
        return lambda local: _add_months(local, months)
    if unit == "weekday":
        return lambda local: _add_weekdays(local, count)
    return lambda local: local + timedelta(days=count * _DAYS_OF[unit])


def _add_months(local: datetime, months: int) -> datetime:
    year, month = divmod(local.year * 12 + local.month - 1 + months, 12)
    return local.replace(year=year, month=month + 1, day=min(local.day, monthrange(year, month + 1)[1]))


def _add_weekdays(local: datetime, count: int) -> datetime:
    step = timedelta(days=1 if count > 0 else -1)
    left = abs(count)
    while left:
        local += step
        left -= local.weekday() < _SATURDAY
    return local


# --- formats ---------------------------------------------------------------------------------------------------------


def _ordinal(number: int) -> str:
    teens = 10 <= number % 100 <= 20  # noqa: PLR2004 # 11th, 12th, 13th
    return f"{number}{'th' if teens else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"


def _hour12(local: datetime) -> int:
    return local.hour % 12 or 12


def _offset(local: datetime, separator: str) -> str:
    offset = local.strftime("%z")[:5]
    return f"{offset[:3]}{separator}{offset[3:]}"


# https://momentjs.com/docs/#/displaying/format/
_TOKENS: dict[str, Callable[[datetime], str]] = {
    "YYYY": lambda t: f"{t.year:04}",
    "YY": lambda t: f"{t.year % 100:02}",
    "Qo": lambda t: _ordinal((t.month + 2) // 3),
    "Q": lambda t: str((t.month + 2) // 3),
    "MMMM": lambda t: MONTHS[t.month - 1],
    "MMM": lambda t: MONTHS[t.month - 1][:3],
    "MM": lambda t: f"{t.month:02}",
    "Mo": lambda t: _ordinal(t.month),
    "M": lambda t: str(t.month),
    "DDDD": lambda t: f"{t.timetuple().tm_yday:03}",
    "DDDo": lambda t: _ordinal(t.timetuple().tm_yday),
    "DDD": lambda t: str(t.timetuple().tm_yday),
    "DD": lambda t: f"{t.day:02}",
    "Do": lambda t: _ordinal(t.day),
    "D": lambda t: str(t.day),
    "dddd": lambda t: DAYS[t.weekday()],
    "ddd": lambda t: DAYS[t.weekday()][:3],
    "dd": lambda t: DAYS[t.weekday()][:2],
    "do": lambda t: _ordinal(t.isoweekday() % 7),
    "d": lambda t: str(t.isoweekday() % 7),
    "E": lambda t: str(t.isoweekday()),
    "WW": lambda t: f"{t.isocalendar().week:02}",
    "Wo": lambda t: _ordinal(t.isocalendar().week),
    "W": lambda t: str(t.isocalendar().week),
    "HH": lambda t: f"{t.hour:02}",
    "H": lambda t: str(t.hour),
    "hh": lambda t: f"{_hour12(t):02}",
    "h": lambda t: str(_hour12(t)),
    "kk": lambda t: f"{t.hour or 24:02}",
    "k": lambda t: str(t.hour or 24),
    "mm": lambda t: f"{t.minute:02}",
    "m": lambda t: str(t.minute),
    "ss": lambda t: f"{t.second:02}",
    "s": lambda t: str(t.second),
    "A": lambda t: "AM" if t.hour < _NOON else "PM",
    "a": lambda t: "am" if t.hour < _NOON else "pm",
    "ZZ": lambda t: _offset(t, ""),
    "Z": lambda t: _offset(t, ":"),
    "X": lambda t: str(int(t.timestamp())),
    "x": lambda t: str(int(t.timestamp() * 1000)),
    "LTS": lambda t: format_moment(t, "h:mm:ss A"),
    "LT": lambda t: format_moment(t, "h:mm A"),
    "LLLL": lambda t: format_moment(t, "dddd, MMMM D, YYYY h:mm A"),
    "LLL": lambda t: format_moment(t, "MMMM D, YYYY h:mm A"),
    "LL": lambda t: format_moment(t, "MMMM D, YYYY"),
    "L": lambda t: format_moment(t, "MM/DD/YYYY"),
}
_FORMAT = re.compile(r"\[([^\]]*)\]|" + "|".join(sorted(_TOKENS, key=len, reverse=True)))


def format_moment(moment: datetime, pattern: str) -> str:
    """A moment in the notation of moment.js; text in square brackets stays."""
    return _FORMAT.sub(lambda match: _TOKENS[match[0]](moment) if match[1] is None else match[1], pattern)


# --- dates in fields -------------------------------------------------------------------------------------------------

_SPELLINGS = (
    "%B %d, %Y",
    "%b %d, %Y",
    "%B %d %Y",
    "%d %B %Y",
    "%d %b %Y",
    "%m/%d/%Y",
    "%d.%m.%Y",
    "%Y/%m/%d",
    "%Y-%m-%d %H:%M",
)
_LATEST_SECONDS = 253_000_000_000


def read_date(value: object, local: datetime) -> datetime | None:
    """A date written in a field, in the zone of `local`, the present moment; None if it is none."""
    if isinstance(value, datetime):
        return value.astimezone(local.tzinfo) if value.tzinfo else value.replace(tzinfo=local.tzinfo)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return datetime.fromtimestamp(value, local.tzinfo) if 0 <= value < _LATEST_SECONDS else None
    text = str(value).strip()
    if text.isascii() and text.isdigit() and len(text) > len("20260131"):
        return read_date(int(text[:15]), local)
    if shift := read_phrase(text):
        return shift(local)
    return _read_spelling(text, local)


def _read_spelling(text: str, local: datetime) -> datetime | None:
    with suppress(ValueError, OverflowError):
        return read_date(datetime.fromisoformat(text), local)
    for spelling in _SPELLINGS:
        with suppress(ValueError):
            return datetime.strptime(text, spelling).replace(tzinfo=local.tzinfo)
    with suppress(ValueError, OverflowError, TypeError, IndexError):
        return read_date(parsedate_to_datetime(text), local)
    return None
