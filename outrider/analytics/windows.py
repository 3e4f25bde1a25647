"""Days of a time zone as instants: a day may have 23 or 25 hours, or none (contract: analytics, Window)."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

_OFFSET = re.compile(r"(?:UTC|GMT)?([+-]?)(\d{1,2})(?::?([0-5]\d))?", re.IGNORECASE)
_ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Window:
    """From an instant, which belongs to it, until another, which does not. None: without that bound."""

    start: datetime | None = None
    end: datetime | None = None

    @property
    def bounds(self) -> dict[str, datetime | None]:
        """As parameters of a query."""
        return {"window_start": self.start, "window_end": self.end}


ALWAYS = Window()


@dataclass(frozen=True, slots=True)
class Days:
    """Calendar days, the last one included, on the clocks of a zone."""

    first: date
    last: date
    zone: tzinfo = UTC

    @property
    def edges(self) -> list[datetime]:
        """Where the first day begins, and where the last one ends."""
        return [start_of(self.first, self.zone), start_of(self.last + _ONE_DAY, self.zone)]

    @property
    def window(self) -> Window:
        return Window(*self.edges)

    @property
    def dates(self) -> list[date]:
        return [self.first + timedelta(days=number) for number in range((self.last - self.first).days + 1)]

    @property
    def midnights(self) -> list[datetime]:
        """Where each day begins, and where the last one ends."""
        return [start_of(day, self.zone) for day in (*self.dates, self.last + _ONE_DAY)]


def start_of(day: date, zone: tzinfo) -> datetime:
    """The first instant of a day: where clocks skip midnight, that is when they do (PEP 495, fold=0)."""
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def find_zone(name: str) -> tzinfo | None:
    """A zone by its IANA name, whatever its case, or a fixed offset: `+05:30`, `5:30`, `-0400`, `Z`."""
    wanted = name.strip()
    if wanted.upper() == "Z":
        return UTC
    known = _zones().get(wanted.casefold().replace(" ", "_"))
    if known:
        return UTC if known == "UTC" else ZoneInfo(known)
    offset = _OFFSET.fullmatch(wanted)
    if offset is None:
        return None
    sign, hours, minutes = offset.groups()
    distance = timedelta(hours=int(hours), minutes=int(minutes or 0))
    if distance >= _ONE_DAY:
        return None
    return timezone(-distance if sign == "-" else distance)


@cache
def _zones() -> dict[str, str]:
    return {name.casefold(): name for name in available_timezones()}
