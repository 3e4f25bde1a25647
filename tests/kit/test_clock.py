"""Virtual time is the same in all processes and runs as fast as it says."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outrider.kit.clock import SYSTEM_CLOCK, Clock, InvalidClock

ORIGIN = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
VIRTUAL = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def test_the_system_clock_shows_the_time_of_the_machine_in_utc() -> None:
    before = SYSTEM_CLOCK.wall()
    shown = SYSTEM_CLOCK.now()
    assert before <= shown <= SYSTEM_CLOCK.wall()
    assert shown.utcoffset() == timedelta(0)


def test_a_second_of_the_wall_is_an_hour_at_speed_3600() -> None:
    clock = Clock(ORIGIN, VIRTUAL, 3600.0)
    assert clock.at(ORIGIN + timedelta(seconds=2)) == VIRTUAL + timedelta(hours=2)


def test_a_clock_that_starts_now_shows_the_given_time_and_goes_on() -> None:
    clock = Clock.starting_at(VIRTUAL, speed=1000)
    first, second = clock.now(), clock.now()
    assert VIRTUAL <= first <= second


async def test_sleeping_a_virtual_hour_takes_an_hour_on_the_virtual_clock() -> None:
    clock = Clock.starting_at(VIRTUAL, speed=360_000)
    before = clock.now()
    await clock.sleep(3600)
    assert clock.now() - before >= timedelta(hours=1)


async def test_sleeping_until_a_time_that_has_passed_returns_at_once() -> None:
    clock = Clock.starting_at(VIRTUAL, speed=1)
    await clock.sleep_until(VIRTUAL - timedelta(days=1))
    await clock.sleep_until(clock.now() + timedelta(milliseconds=5))
    assert clock.now() >= VIRTUAL + timedelta(milliseconds=5)


@given(
    wall=st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    virtual=st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    speed=st.floats(0.001, 1_000_000),
)
def test_a_clock_read_back_from_its_text_is_the_same(wall: datetime, virtual: datetime, speed: float) -> None:
    clock = Clock(wall, virtual, speed)
    assert Clock.parse(clock.format()) == clock


@pytest.mark.parametrize("text", [None, ""])
def test_no_text_is_the_time_of_the_machine(text: str | None) -> None:
    assert Clock.parse(text) == SYSTEM_CLOCK
    assert SYSTEM_CLOCK.format() == ""
    assert SYSTEM_CLOCK.at(ORIGIN) == SYSTEM_CLOCK.wall_at(ORIGIN) == ORIGIN


def test_times_with_an_offset_are_read_as_utc() -> None:
    clock = Clock.parse("2026-01-05T09:00:00+01:00/2026-03-02T09:00:00Z/3600")
    assert clock == Clock(ORIGIN, VIRTUAL, 3600.0)


@pytest.mark.parametrize(
    "text",
    [
        "now",
        "2026-01-05T08:00:00Z/2026-03-02T09:00:00Z",
        "2026-01-05T08:00:00/2026-03-02T09:00:00Z/2",
        "2026-01-05T08:00:00Z/2026-03-02T09:00:00Z/fast",
        "2026-01-05T08:00:00Z/2026-03-02T09:00:00Z/0",
        "2026-01-05T08:00:00Z/2026-03-02T09:00:00Z/-1",
        "2026-01-05T08:00:00Z/2026-03-02T09:00:00Z/nan",
        "2026-01-05T08:00:00Z/2026-03-02T09:00:00Z/inf",
    ],
)
def test_a_text_that_is_no_clock_is_refused(text: str) -> None:
    with pytest.raises(InvalidClock, match="must"):
        Clock.parse(text)


def test_the_wall_time_of_a_virtual_time_is_the_way_back() -> None:
    clock = Clock(ORIGIN, VIRTUAL, 3600.0)
    assert clock.wall_at(VIRTUAL + timedelta(hours=2)) == ORIGIN + timedelta(seconds=2)
