"""Days as people write them, in many languages: 16.3., March 16th, next Monday, in two weeks, KW 12, the end of May.

Where a day may be meant in two ways, both are given. Words: `rules/dates.toml`.
"""

import re
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from importlib.resources import files
from typing import Any

FORGOTTEN = timedelta(days=60)
LONGEST_ABSENCE = timedelta(days=250)
LONGEST_IN_DIGITS = timedelta(days=120)  # digits that are longer off are mostly a number taken for a date
_FRIDAY = 4
_LONGEST_SPAN = 60
_WEEK = 7
_MONTHS = 12
_LAST_WEEK = 53

_ISO = r"(?P<iso_year>\d{4})[-/](?P<iso_month>\d{1,2})[-/](?P<iso_day>\d{1,2})"
_DOTTED = (
    r"(?P<dotted_day>\d{1,2})\.\s?(?P<dotted_month>\d{1,2})\b(?:\.|(?=\s|$))(?:\s?(?P<dotted_year>\d{4}|\d{2})\b)?"
)
_SLASHED = r"(?P<first>\d{1,2})[/-](?P<second>\d{1,2})(?:[/-](?P<slashed_year>\d{4}|\d{2})\b)?"
_EAST_ASIAN = (
    r"(?:(?P<asian_year>\d{4})\s?[年년]\s?)?(?P<asian_month>\d{1,2})\s?[月월]\s?(?P<asian_day>\d{1,2})\s?[日号號일]"
)
_DAY_ALONE = (
    r"the (?P<english_day>\d{1,2})(?:st|nd|rd|th)\b|am (?P<german_day>\d{1,2})\.(?!\s?\d)"
    r"|(?:le|el|il|dia|día|den|de) (?P<other_day>\d{1,2})(?::?e)?\b(?![.:/h-]?\d)"
)


@dataclass(frozen=True, slots=True)
class Written:
    """A place in a sentence, and the days it may mean."""

    start: int
    end: int
    days: tuple[date, ...]
    last: date | None = None  # where a week is named, and it is the end that counts
    ends_range: bool = False  # 9-13 March

    def without_doubt(self) -> date | None:
        return self.days[0] if len(set(self.days)) == 1 else None


@dataclass(frozen=True, slots=True)
class Calendar:
    """The patterns of `rules/dates.toml`."""

    months: dict[str, int]
    weekdays: dict[str, int]
    numbers: dict[str, int]
    absolute: re.Pattern[str]
    weekday: re.Pattern[str]
    tomorrow: re.Pattern[str]
    day_after_tomorrow: re.Pattern[str]
    next_week: re.Pattern[str]
    next_month: re.Pattern[str]
    week_number: re.Pattern[str]
    span: re.Pattern[str]
    part_of_month: re.Pattern[str]
    month_alone: re.Pattern[str]
    day_alone: re.Pattern[str]

    def dates(self, sentence: str, today: date, *, day_first: bool | None) -> Iterator[Written]:
        """Days with a month. `day_first`: how the author writes 4/5; None: not known."""
        for found in self.absolute.finditer(sentence):
            readings = list(self._readings(found, day_first=day_first))
            longest = LONGEST_ABSENCE if self._is_named(found) else LONGEST_IN_DIGITS
            days = [day for parts in readings if (day := _around(*parts, today=today, longest=longest))]
            is_range = bool(found["range_from"] or found["day_to"])
            yield Written(found.start(), found.end(), tuple(days), ends_range=is_range)

    def _readings(self, found: re.Match[str], *, day_first: bool | None) -> Iterator[tuple[str | None, int, int]]:
        """Year, month and day in the ways they may be meant."""
        part = found.groupdict()
        if part["first"]:  # 4/5 is the fourth of May here and the fifth of April there
            first, second = int(part["first"]), int(part["second"])
            if day_first is not False:
                yield part["slashed_year"], second, first
            if day_first is not True:
                yield part["slashed_year"], first, second
            return
        for kind in ("iso", "dotted", "asian"):
            if part[f"{kind}_month"]:
                yield part[f"{kind}_year"], int(part[f"{kind}_month"]), int(part[f"{kind}_day"])
        if part["day_before"]:
            yield part["year_after"], self.months[part["month_after"]], int(part["day_before"])
        if part["month_before"]:
            yield part["year_last"], self.months[part["month_before"]], int(part["day_to"] or part["day_after"])

    def _is_named(self, found: re.Match[str]) -> bool:
        years = (found["iso_year"], found["dotted_year"], found["slashed_year"])
        return not (found["dotted_month"] or found["first"]) or any(year and len(year) > len("26") for year in years)

    def coming(self, sentence: str, today: date) -> Iterator[Written]:
        """Weekdays, tomorrow and the day after, next week."""
        for pattern, day in (
            (self.tomorrow, today + timedelta(days=1)),
            (self.day_after_tomorrow, today + timedelta(days=2)),
            (self.next_week, _monday(today) + timedelta(days=_WEEK)),
            (self.next_month, _month_start(today, today.month % _MONTHS + 1)),
        ):
            yield from (Written(found.start(), found.end(), (day,)) for found in pattern.finditer(sentence))
        for found in self.weekday.finditer(sentence):
            yield Written(found.start(), found.end(), (self._weekday(found, today),))

    def _weekday(self, found: re.Match[str], today: date) -> date:
        wanted = self.weekdays[found["weekday"]]
        ahead = (wanted - today.weekday() - 1) % _WEEK + 1
        is_this_week = wanted > today.weekday()
        is_next = found["next_before"] or found["next_after"]
        return today + timedelta(days=ahead + (_WEEK if is_next and is_this_week else 0))

    def spans(self, sentence: str, today: date) -> Iterator[Written]:
        """For two weeks, in three days."""
        for found in self.span.finditer(sentence):
            count = int(found["digits"] or self.numbers[found["number"]])
            days = count * (_WEEK if found["weeks"] else 1)
            if days <= _LONGEST_SPAN:
                yield Written(found.start(), found.end(), (today + timedelta(days=days),))

    def vague(self, sentence: str, today: date) -> Iterator[Written]:
        """Weeks by number, the end of a month, a month alone, the 16th."""
        for found in self.week_number.finditer(sentence):
            if day := _monday_of_week(int(found["week"]), today):
                yield Written(found.start(), found.end(), (day,), day + timedelta(days=_FRIDAY))
        for found in self.part_of_month.finditer(sentence):
            yield Written(found.start(), found.end(), (self._part_of_month(found, today),))
        for found in self.month_alone.finditer(sentence):
            yield Written(found.start(), found.end(), (_month_start(today, self.months[found["alone"]]),))
        for found in self.day_alone.finditer(sentence):
            day = _next_day_of_month(int(found["english_day"] or found["german_day"] or found["other_day"]), today)
            yield Written(found.start(), found.end(), (day,) if day else ())

    def _part_of_month(self, found: re.Match[str], today: date) -> date:
        if found["this_week"]:
            return _monday(today) + timedelta(days=_FRIDAY)
        start = _month_start(today, self.months[found["part_month"]]) if found["part_month"] else today.replace(day=1)
        if found["end_of"]:
            return (start.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
        return start.replace(day=15) if found["middle_of"] else start


def _around(year: str | None, month: int, day: int, *, today: date, longest: timedelta) -> date | None:
    """The day, if it is a recent or a coming one; without a year the one that is."""
    years = (today.year - 1, today.year, today.year + 1) if year is None else (int(f"20{year}"[-4:]),)
    for candidate in years:
        found = _day(candidate, month, day)
        if found and today - FORGOTTEN <= found <= today + longest:
            return found
    return None


def _day(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _monday(today: date) -> date:
    return today - timedelta(days=today.weekday())


def _month_start(today: date, month: int) -> date:
    """The first of this month or of the next one of that name."""
    return date(today.year + (month < today.month), month, 1)


def _monday_of_week(week: int, today: date) -> date | None:
    if not 1 <= week <= _LAST_WEEK:
        return None
    for year in (today.year, today.year + 1):
        try:
            monday = date.fromisocalendar(year, week, 1)
        except ValueError:  # a year without a 53rd week
            continue
        if monday >= _monday(today):
            return monday
    return None


def _next_day_of_month(day: int, today: date) -> date | None:
    for month in (today.month, today.month % _MONTHS + 1):
        found = _day(today.year + (month < today.month), month, day)
        if found and found >= today:
            return found
    return None


def any_of(patterns: list[str]) -> str:
    """An alternation of whole words, the longest first."""
    return rf"(?<!\w)(?:{'|'.join(sorted(patterns, key=len, reverse=True))})(?!\w)"


@cache
def rules() -> dict[str, Any]:
    return tomllib.loads((files("outrider.mail") / "rules" / "dates.toml").read_text(encoding="utf-8"))


@cache
def calendar() -> Calendar:
    source, relative = rules(), rules()["relative"]
    months, weekdays, numbers = (_index(source[name]) for name in ("months", "weekdays", "numbers"))
    month, weekday, number = (_literals(names) for names in (months, weekdays, numbers))
    compiled: Callable[[str], re.Pattern[str]] = re.compile
    return Calendar(
        months={name: place + 1 for name, place in months.items()},
        weekdays=weekdays,
        numbers={name: place + 1 for name, place in numbers.items()},
        absolute=compiled(_absolute(month)),
        weekday=compiled(
            rf"(?:(?P<next_before>{any_of(relative['next'])})\s)?(?<!\w)(?P<weekday>{weekday})(?!\w)"
            rf"(?:\s(?P<next_after>{any_of(relative['next'])}))?"
        ),
        tomorrow=compiled(any_of(relative["tomorrow"])),
        day_after_tomorrow=compiled(any_of(relative["day_after_tomorrow"])),
        next_week=compiled(any_of(relative["next_week"])),
        next_month=compiled(any_of(relative["next_month"])),
        week_number=compiled(
            rf"{any_of(relative['week_number'])}?\s?(?P<week>\d{{1,2}})(?![\d.:/]|\s?(?:days?|uhr|h)\b)"
        ),
        span=compiled(
            rf"{any_of(relative['span'])}\s(?:(?P<digits>\d{{1,2}})|(?P<number>{number}))\s"
            rf"(?:(?P<days>{'|'.join(relative['days'])})|(?P<weeks>{'|'.join(relative['weeks'])}))(?!\w)"
        ),
        part_of_month=compiled(_part_of_month(month, relative)),
        month_alone=compiled(rf"(?<!\w)(?P<alone>{month})(?!\w|\.?\s?\d)"),
        day_alone=compiled(rf"(?<!\w)(?:{_DAY_ALONE})"),
    )


def _absolute(month: str) -> str:
    day_first = (
        r"(?P<range_from>\d{1,2}\.?\s?[-–—]\s?)?"
        r"(?P<day_before>\d{1,2})(?:st|nd|rd|th|er|:?e|\.|º|ª|°)?[\s-]{0,3}(?:of |de |d.)?"
        rf"(?P<month_after>{month})(?!\w)\.?,?(?:[\s-]?(?:de |del )?(?P<year_after>\d{{4}})\b)?"
    )
    month_first = (
        rf"(?P<month_before>{month})\.?\s{{1,3}}(?P<day_after>\d{{1,2}})(?:st|nd|rd|th)?\b"
        r"(?:\s?(?:-|–|to|through|until)\s?(?P<day_to>\d{1,2})(?:st|nd|rd|th)?\b)?(?:,?\s?(?P<year_last>\d{4})\b)?"
    )
    digits = rf"(?<!\d-)(?:{_DOTTED}|{_SLASHED})"
    return rf"(?<![\d.:/])(?:{_ISO}|{day_first}|(?<!\w){month_first}|{_EAST_ASIAN}|{digits})(?!\d)"


def _part_of_month(month: str, relative: dict[str, list[str]]) -> str:
    parts = "|".join(
        rf"(?P<{name}>{'|'.join(sorted(relative[name], key=len, reverse=True))})"
        for name in ("end_of", "middle_of", "beginning_of")
    )
    this = (
        rf"(?P<this_month>{'|'.join(sorted(relative['this_month'], key=len, reverse=True))})"
        rf"|(?P<this_week>{'|'.join(sorted(relative['this_week'], key=len, reverse=True))})"
    )
    return rf"(?<!\w)(?:{parts})\s?(?:(?P<part_month>{month})|{this})(?!\w)"


def _index(names: list[list[str]]) -> dict[str, int]:
    return {name: place for place, spellings in enumerate(names) for name in spellings}


def _literals(names: dict[str, int]) -> str:
    return "|".join(map(re.escape, sorted(names, key=len, reverse=True)))
