"""Out of office: what the campaign wants with such an answer, and when its lead goes on (product behaviour 6.3).

The original's words: `ignoreOOOasReply`, `autoReactivateOOO`, `reactivateOOOwithDelay`, `autoCategorizeOOO`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Self
from zoneinfo import ZoneInfo

_WITHOUT_A_DATE = timedelta(days=7)
_SATURDAY = 5


@dataclass(frozen=True, slots=True)
class AbsenceRules:
    """`holds`: the lead is held and goes on by itself afterwards."""

    is_ignored: bool
    is_categorized: bool
    waits_for_return: bool
    delay: timedelta | None

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Self:
        days = settings.get("reactivateOOOwithDelay")
        return cls(
            is_ignored=bool(settings.get("ignoreOOOasReply")),
            is_categorized=bool(settings.get("autoCategorizeOOO")),
            waits_for_return=bool(settings.get("autoReactivateOOO")),
            delay=None if days is None else timedelta(days=days),
        )

    @property
    def holds(self) -> bool:
        return self.waits_for_return or self.delay is not None

    def resumes_at(self, returns_on: date | None, now: datetime, *, zone: str | None) -> datetime:
        """A working day after the return, where the text names one; else after the delay, else a week."""
        if self.waits_for_return and returns_on is not None:
            local = ZoneInfo(zone or "UTC")
            return max(now, datetime.combine(_working_day_after(returns_on), time(), local).astimezone(UTC))
        return now + (_WITHOUT_A_DATE if self.delay is None else self.delay)


def _working_day_after(day: date) -> date:
    later = day + timedelta(days=1)
    while later.weekday() >= _SATURDAY:
        later += timedelta(days=1)
    return later
