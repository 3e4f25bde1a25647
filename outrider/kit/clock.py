"""The only place that reads the time of the machine. Everything else is handed a Clock or a `now`.

A clock may run on virtual time (demo, tests): virtual = origin_virtual + (wall - origin_wall) * speed.
All processes of one installation share the mapping through the setting CLOCK, so they agree on the time.
"""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

_FORM = "<wall time>/<virtual time>/<speed>, for example 2026-01-05T08:00:00Z/2026-03-02T09:00:00Z/3600"


class InvalidClock(ValueError):
    """The text of a virtual clock cannot be read."""


@dataclass(frozen=True, slots=True)
class Clock:
    """`Clock()` shows the time of the machine; with origins it shows virtual time."""

    origin_wall: datetime | None = None
    origin_virtual: datetime | None = None
    speed: float = 1.0

    @classmethod
    def starting_at(cls, virtual: datetime, *, speed: float) -> Self:
        """A clock that shows `virtual` at this moment and runs `speed` times faster than the wall."""
        return cls(origin_wall=_machine_time(), origin_virtual=virtual, speed=speed)

    @classmethod
    def parse(cls, text: str | None) -> Self:
        """Read the setting CLOCK; nothing or an empty text is the time of the machine."""
        if not text:
            return cls()
        try:
            wall, virtual, speed_text = text.split("/")
            origin_wall, origin_virtual = _read_time(wall), _read_time(virtual)
            speed = float(speed_text)
        except ValueError as error:
            raise InvalidClock(f"must be {_FORM}, not {text!r}") from error
        if not 0 < speed < float("inf"):
            raise InvalidClock(f"must have a speed above 0, not {speed_text!r}")
        return cls(origin_wall=origin_wall, origin_virtual=origin_virtual, speed=speed)

    def format(self) -> str:
        """The text that `parse` reads; empty for the time of the machine."""
        if self.origin_wall is None or self.origin_virtual is None:
            return ""
        return f"{self.origin_wall.isoformat()}/{self.origin_virtual.isoformat()}/{self.speed!r}"

    def now(self) -> datetime:
        """The time of the product: schedules, sending, what users see. Aware, UTC."""
        return self.at(_machine_time())

    def at(self, wall: datetime) -> datetime:
        """The virtual time that belongs to a wall time."""
        if self.origin_wall is None or self.origin_virtual is None:
            return wall
        return self.origin_virtual + (wall - self.origin_wall) * self.speed

    def wall(self) -> datetime:
        """The time of the machine, whatever the speed: leases, heartbeats, rate limits. Aware, UTC."""
        return _machine_time()

    def wall_at(self, virtual: datetime) -> datetime:
        """The wall time at which the clock shows `virtual`."""
        if self.origin_wall is None or self.origin_virtual is None:
            return virtual
        return self.origin_wall + (virtual - self.origin_virtual) / self.speed

    async def sleep(self, seconds: float) -> None:
        """Wait for so many virtual seconds."""
        await asyncio.sleep(seconds / self.speed)

    async def sleep_until(self, virtual: datetime) -> None:
        """Wait until the clock shows `virtual`; returns at once if it does already."""
        wait: timedelta = self.wall_at(virtual) - _machine_time()
        await asyncio.sleep(max(0.0, wait.total_seconds()))


class StandingClock(Clock):
    """Stands still until it is moved: for the forecast and the simulation, which need no waiting."""

    __slots__ = ("_time",)
    _time: datetime

    def __init__(self, time: datetime) -> None:
        super().__init__()
        self.move_to(time)

    def move_to(self, time: datetime) -> None:
        object.__setattr__(self, "_time", time)

    def now(self) -> datetime:
        return self._time


def _machine_time() -> datetime:
    return datetime.now(UTC)


def _read_time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError("a time zone is missing")
    return time.astimezone(UTC)


SYSTEM_CLOCK = Clock()
