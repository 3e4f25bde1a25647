"""The sending window in any zone and on the days when the clock changes."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outrider.engine.schedule import Schedule

ALL_DAYS = range(7)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@pytest.mark.parametrize(
    ("zone", "day", "hours", "opens", "closes"),
    [
        ("Europe/Lisbon", "2026-07-01", ("09:00", "17:00"), "2026-07-01T08:00Z", "2026-07-01T16:00Z"),
        ("Asia/Kolkata", "2026-07-01", ("09:00", "17:00"), "2026-07-01T03:30Z", "2026-07-01T11:30Z"),
        # Spring forward, north: 02:30 does not exist, the next valid minute is 03:00 CEST.
        ("Europe/Berlin", "2026-03-29", ("02:30", "17:00"), "2026-03-29T01:00Z", "2026-03-29T15:00Z"),
        ("Europe/Berlin", "2026-03-29", ("01:00", "02:30"), "2026-03-29T00:00Z", "2026-03-29T01:00Z"),
        # Fall back, north: 02:30 occurs twice; the first opens, the last closes.
        ("Europe/Berlin", "2026-10-25", ("02:30", "17:00"), "2026-10-25T00:30Z", "2026-10-25T16:00Z"),
        ("Europe/Berlin", "2026-10-25", ("01:00", "02:30"), "2026-10-24T23:00Z", "2026-10-25T01:30Z"),
        # South: spring forward in October, fall back in April.
        ("Australia/Sydney", "2026-10-04", ("02:15", "09:00"), "2026-10-03T16:00Z", "2026-10-03T22:00Z"),
        ("Australia/Sydney", "2026-04-05", ("02:15", "09:00"), "2026-04-04T15:15Z", "2026-04-04T23:00Z"),
        # A whole day of 23 and of 25 hours.
        ("America/New_York", "2026-03-08", ("00:00", "23:59"), "2026-03-08T05:00Z", "2026-03-09T03:59Z"),
        ("America/New_York", "2026-11-01", ("00:00", "23:59"), "2026-11-01T04:00Z", "2026-11-02T04:59Z"),
    ],
)
def test_a_window_follows_the_wall_clock(zone: str, day: str, hours: tuple[str, str], opens: str, closes: str) -> None:
    window = Schedule.of(zone, ALL_DAYS, *hours).window_on(date.fromisoformat(day))
    assert window is not None
    assert (window.opens_at, window.closes_at) == (at(opens), at(closes))


def test_the_start_is_inside_and_the_end_is_not() -> None:
    schedule = Schedule.of("UTC", [1], "09:00", "17:00")
    monday = "2026-11-23"
    assert schedule.window_at(at(f"{monday}T09:00Z"))
    assert schedule.window_at(at(f"{monday}T16:59:59.999Z"))
    assert not schedule.window_at(at(f"{monday}T08:59:59Z"))
    assert not schedule.window_at(at(f"{monday}T17:00Z"))


def test_zero_is_sunday() -> None:
    sunday, monday = date(2026, 11, 22), date(2026, 11, 23)
    schedule = Schedule.of("UTC", [0], "09:00", "17:00")
    assert schedule.window_on(sunday)
    assert not schedule.window_on(monday)


def test_the_next_window_skips_days_without_sending() -> None:
    schedule = Schedule.of("Europe/Lisbon", [1, 2, 3, 4, 5], "09:00", "17:00")
    window = schedule.next_window(at("2026-11-20T17:00Z"))  # Friday, just closed
    assert window is not None
    assert window.opens_at == at("2026-11-23T09:00Z")


@pytest.mark.parametrize(
    ("sent", "days", "due"),
    [
        ("2026-03-27T09:30+01:00", 3, "2026-03-30T09:30+02:00"),  # over the spring change
        ("2026-10-23T09:30+02:00", 3, "2026-10-26T09:30+01:00"),  # over the autumn change
        ("2026-03-28T02:30+01:00", 1, "2026-03-29T03:00+02:00"),  # into the hour that is skipped
    ],
)
def test_days_later_keeps_the_wall_clock(sent: str, days: int, due: str) -> None:
    schedule = Schedule.of("Europe/Berlin", ALL_DAYS, "09:00", "17:00")
    assert schedule.days_later(at(sent), days) == at(due)


@given(
    zone=st.sampled_from(["Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Asia/Kolkata", "Pacific/Apia"]),
    moment=st.datetimes(datetime(2024, 1, 1), datetime(2030, 1, 1)),  # noqa: DTZ001
    days=st.sets(st.integers(0, 6), min_size=1),
    hours=st.tuples(st.integers(0, 22), st.integers(0, 59), st.integers(1, 60)),
)
def test_the_next_window_is_open_or_opens_within_a_week(
    zone: str, moment: datetime, days: set[int], hours: tuple[int, int, int]
) -> None:
    start = timedelta(hours=hours[0], minutes=hours[1])
    end = min(start + timedelta(minutes=hours[2]), timedelta(hours=23, minutes=59))
    texts = [f"{span.seconds // 3600:02}:{span.seconds // 60 % 60:02}" for span in (start, end)]
    schedule = Schedule.of(zone, days, texts[0], texts[1])
    now = moment.replace(tzinfo=UTC)
    window = schedule.next_window(now)
    assert window is not None
    assert window.opens_at <= window.closes_at
    assert now < window.closes_at
    assert window.opens_at - now <= timedelta(days=8)
