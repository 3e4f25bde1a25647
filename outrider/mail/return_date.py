"""When somebody who is out of office comes back, as far as the notice says it in so many words.

Right where it answers: a date counts only after words that end an absence, within the next months, and only if it can
be read in one way. Weekdays and "next week" are not read. Words: `rules/dates.toml`.
"""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from importlib.resources import files

MAX_TEXT = 2_000
FORGOTTEN = timedelta(days=60)
LONGEST_ABSENCE = timedelta(days=120)  # a longer one is mostly another number taken for a date

_ISO = r"(?P<iso_year>\d{4})-(?P<iso_month>\d{1,2})-(?P<iso_day>\d{1,2})"
_DOTTED = r"(?P<dotted_day>\d{1,2})\.\s?(?P<dotted_month>\d{1,2})\.(?:\s?(?P<dotted_year>\d{4}|\d{2})\b)?"
_SLASHED = r"(?P<first>\d{1,2})[/-](?P<second>\d{1,2})(?:[/-](?P<slashed_year>\d{4}|\d{2})\b)?"


def find_return_date(text: str, *, today: date) -> date | None:
    """The latest date the notice gives for the end of the absence."""
    words = _words()
    dates = (words.read(found, today) for found in words.pattern.finditer(text[:MAX_TEXT].lower()))
    return max((day for day in dates if day is not None), default=None)


@dataclass(frozen=True, slots=True)
class _Words:
    pattern: re.Pattern[str]
    months: dict[str, int]

    def read(self, found: re.Match[str], today: date) -> date | None:
        # A notice may be forgotten: a day just past is a possible meaning, though none to act on.
        meant = {day for parts in self._readings(found) if (day := _around(*parts, today=today))}
        day = meant.pop() if len(meant) == 1 else None
        return day if day and day >= today else None

    def _readings(self, found: re.Match[str]) -> Iterator[tuple[str | None, int, int]]:
        """Year, month and day in the ways they may be meant."""
        if found["iso_year"]:
            yield found["iso_year"], int(found["iso_month"]), int(found["iso_day"])
        elif found["dotted_day"]:
            yield found["dotted_year"], int(found["dotted_month"]), int(found["dotted_day"])
        elif found["first"]:  # 4/5 is the fourth of May here and the fifth of April there
            yield found["slashed_year"], int(found["second"]), int(found["first"])
            yield found["slashed_year"], int(found["first"]), int(found["second"])
        elif found["day_before"]:
            yield found["year_after"], self.months[found["month_after"]], int(found["day_before"])
        else:
            yield found["year_last"], self.months[found["month_before"]], int(found["day_after"])


def _around(year: str | None, month: int, day: int, *, today: date) -> date | None:
    """The day, if it is a recent or a coming one; without a year the one that is."""
    years = (today.year - 1, today.year, today.year + 1) if year is None else (int(f"20{year}"[-4:]),)
    for candidate in years:
        try:
            found = date(candidate, month, day)
        except ValueError:
            continue
        if today - FORGOTTEN <= found <= today + LONGEST_ABSENCE:
            return found
    return None


@cache
def _words() -> _Words:
    rules = tomllib.loads((files("outrider.mail") / "rules" / "dates.toml").read_text(encoding="utf-8"))
    months = {name: number for number, names in enumerate(rules["months"], 1) for name in names}
    month = "|".join(map(re.escape, sorted(months, key=len, reverse=True)))
    filler = "|".join(map(re.escape, sorted(rules["fillers"], key=len, reverse=True)))
    day_first = (
        r"(?P<day_before>\d{1,2})(?:st|nd|rd|th|er|\.|º|ª|°)?[\s-]{0,3}(?:of |de |d.)?"
        rf"(?P<month_after>{month})\b\.?,?(?:\s?(?:de |del )?(?P<year_after>\d{{4}})\b)?"
    )
    month_first = (
        rf"(?P<month_before>{month})\.?\s{{1,3}}(?P<day_after>\d{{1,2}})(?:st|nd|rd|th)?\b"
        r"(?:,?\s?(?P<year_last>\d{4})\b)?"
    )
    cue = rf"(?:\b(?:{'|'.join(rules['cues'])})(?!\w)|\d\.?\s?[-–—])"
    gap = rf"[\s,:(]{{0,3}}(?:(?:{filler})\b\.?[\s,]{{1,3}}){{0,4}}"
    day = rf"(?:{_ISO}|{day_first}|{month_first}|{_DOTTED}|{_SLASHED})"
    return _Words(re.compile(rf"{cue}{gap}{day}(?!\d)"), months)
