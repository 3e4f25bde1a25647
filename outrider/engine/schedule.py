"""When a campaign may send: weekdays and hours in its own zone, also across changes of the clock.

Product behaviour 1.2 and 1.10. The start is inclusive, the end exclusive; a start that does not exist on a day moves to
the next valid minute; of an hour that occurs twice the first occurrence opens and the last one closes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import cache, lru_cache
from zoneinfo import ZoneInfo

from outrider.campaigns.models import days_until

_SEARCHED_DAYS = 8
_NAMES = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")


@dataclass(frozen=True, slots=True)
class Window:
    """One stretch of sending time: `opens_at` <= t < `closes_at`, aware UTC; `day` is the local date."""

    opens_at: datetime
    closes_at: datetime
    day: date


@dataclass(frozen=True, slots=True)
class Schedule:
    """Weekdays (0 = Sunday) and wall-clock hours in an IANA zone."""

    zone: ZoneInfo
    days: frozenset[int]
    start: time
    end: time

    @classmethod
    def of(cls, timezone: str, days: Sequence[int], start_hour: str, end_hour: str) -> "Schedule":
        return cls(_zone(timezone), frozenset(days), time.fromisoformat(start_hour), time.fromisoformat(end_hour))

    def local_day(self, now: datetime) -> date:
        return now.astimezone(self.zone).date()

    def window_on(self, day: date) -> Window | None:
        """Return the window of this local date, or None on a day without one."""
        if (day.weekday() + 1) % 7 not in self.days:
            return None
        return _window(self, day)

    def window_at(self, now: datetime) -> Window | None:
        """Return the window that is open at `now`."""
        window = self.window_on(self.local_day(now))
        return window if window and window.opens_at <= now < window.closes_at else None

    def next_window(self, now: datetime) -> Window | None:
        """Return the window that is open at `now`, or the next one to open."""
        today = self.local_day(now)
        for offset in range(_SEARCHED_DAYS):
            window = self.window_on(today + timedelta(days=offset))
            if window and now < window.closes_at:
                return window
        return None

    def days_later(self, moment: datetime, days: int) -> datetime:
        """Return the same wall-clock time `days` calendar days on, also over a change of the clock."""
        local = moment.astimezone(self.zone)
        return _instant(self.zone, local.date() + timedelta(days=days), local.time(), is_end=False)

    def sending_days_later(self, moment: datetime, days: int) -> datetime:
        """The same with days on which nothing is sent left out."""
        return self.days_later(moment, days_until(self.local_day(moment), days, self.days))

    def in_zone(self, zone: ZoneInfo | None) -> "Schedule":
        """The same days and hours on the clocks of another zone."""
        return replace(self, zone=zone) if zone else self

    def around(self) -> "Schedule":
        """Whole days: where the clocks that count are those of the leads."""
        return _ROUND_THE_CLOCK.in_zone(self.zone)

    def describe(self) -> str:
        days = ", ".join(name for number, name in enumerate(_NAMES) if number in self.days)
        return f"{days} {self.start:%H:%M}-{self.end:%H:%M} {self.zone.key}"


_ROUND_THE_CLOCK = Schedule(ZoneInfo("UTC"), frozenset(range(7)), time(0), time.max)


@cache
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


@lru_cache(maxsize=4096)
def _window(schedule: Schedule, day: date) -> Window:
    return Window(
        opens_at=_instant(schedule.zone, day, schedule.start, is_end=False),
        closes_at=_instant(schedule.zone, day, schedule.end, is_end=True),
        day=day,
    )


def _instant(zone: ZoneInfo, day: date, clock: time, *, is_end: bool) -> datetime:
    """Return the UTC instant of a wall-clock time; one that is skipped becomes the next minute that exists."""
    local = datetime.combine(day, clock.replace(fold=1 if is_end else 0), zone)
    while (moment := local.astimezone(UTC)).astimezone(zone).replace(tzinfo=None) != local.replace(tzinfo=None):
        local = (local + timedelta(minutes=1)).replace(second=0, microsecond=0)
    return moment
