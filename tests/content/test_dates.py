"""Phrases, moment.js formats and dates in fields."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outrider.content.dates import day_of_week, format_moment, read_date, read_phrase, time_of_day

BERLIN = ZoneInfo("Europe/Berlin")
FRIDAY = datetime(2026, 3, 27, 10, 5, 9, tzinfo=BERLIN)  # the clocks change on Sunday


@pytest.mark.parametrize(
    ("hour", "word"),
    [(0, "morning"), (11, "morning"), (12, "afternoon"), (16, "afternoon"), (17, "evening"), (23, "evening")],
)
def test_the_time_of_day_has_three_words(hour: int, word: str) -> None:
    assert time_of_day(FRIDAY.replace(hour=hour)) == word


def test_the_day_is_named() -> None:
    assert day_of_week(FRIDAY) == "Friday"


@pytest.mark.parametrize(
    ("phrase", "expected"),
    [
        ("now", "2026-03-27 10:05"),
        ("Today", "2026-03-27 10:05"),
        ("tomorrow", "2026-03-28 10:05"),
        ("yesterday", "2026-03-26 10:05"),
        ("day after tomorrow", "2026-03-29 10:05"),
        ("2 days from now", "2026-03-29 10:05"),  # the same time on the clock although the clocks change
        ("in 3  days", "2026-03-30 10:05"),
        ("a week from today", "2026-04-03 10:05"),
        ("two weeks later", "2026-04-10 10:05"),
        ("1 day ago", "2026-03-26 10:05"),
        ("-1 day", "2026-03-26 10:05"),
        ("1 business day from now", "2026-03-30 10:05"),
        ("6 working days from now", "2026-04-06 10:05"),
        ("1 weekday ago", "2026-03-26 10:05"),
        ("48 hours from now", "2026-03-29 11:05"),  # real hours
        ("30 minutes from now", "2026-03-27 10:35"),
        ("1 month from now", "2026-04-27 10:05"),
        ("11 months from now", "2027-02-27 10:05"),
        ("1 year from now", "2027-03-27 10:05"),
        ("next monday", "2026-03-30 10:05"),
        ("next friday", "2026-04-03 10:05"),
        ("this friday", "2026-03-27 10:05"),
        ("friday", "2026-04-03 10:05"),
        ("last friday", "2026-03-20 10:05"),
        ("last thursday", "2026-03-26 10:05"),
        ("next week", "2026-04-03 10:05"),
        ("next month", "2026-04-27 10:05"),
    ],
)
def test_phrases_are_understood(phrase: str, expected: str) -> None:
    shift = read_phrase(phrase)
    assert shift is not None
    assert f"{shift(FRIDAY):%Y-%m-%d %H:%M}" == expected


def test_a_month_after_the_31st_is_the_last_day_of_a_shorter_month() -> None:
    shift = read_phrase("1 month from now")
    assert shift is not None
    assert f"{shift(datetime(2026, 1, 31, tzinfo=UTC)):%Y-%m-%d}" == "2026-02-28"


@pytest.mark.parametrize("phrase", ["", "soon", "99999 years from now", "2 parsecs from now", "week", "month"])
def test_other_phrases_are_not(phrase: str) -> None:
    assert read_phrase(phrase) is None


@given(st.text())
def test_reading_phrases_and_dates_never_fails(text: str) -> None:
    shift = read_phrase(text)
    assert shift is None or shift(FRIDAY)
    date = read_date(text, FRIDAY)
    assert date is None or date.tzinfo is not None


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("dddd, MMMM Do YYYY", "Friday, March 27th 2026"),
        ("ddd dd d E", "Fri Fr 5 5"),
        ("D/M/YY DD.MM.YYYY", "27/3/26 27.03.2026"),
        ("h:mm A, hh:mm:ss a", "10:05 AM, 10:05:09 am"),
        ("HH:mm:ss k Z ZZ", "10:05:09 10 +01:00 +0100"),
        ("[the] Do [of] MMMM", "the 27th of March"),
        ("Qo [quarter], W DDD", "1st quarter, 13 86"),
        ("LL", "March 27, 2026"),
        ("X", "1774602309"),
    ],
)
def test_formats_are_those_of_moment_js(pattern: str, expected: str) -> None:
    assert format_moment(FRIDAY, pattern) == expected


@pytest.mark.parametrize(
    ("day", "expected"), [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (12, "12th"), (21, "21st")]
)
def test_ordinals(day: int, expected: str) -> None:
    assert format_moment(FRIDAY.replace(day=day), "Do") == expected


@pytest.mark.parametrize(
    "written",
    [
        "2026-04-01",
        "20260401",
        "2026-04-01T00:00:00",
        "2026-03-31T22:00:00Z",
        "April 1, 2026",
        "1 Apr 2026",
        "04/01/2026",
        "1.4.2026",
        "Wed, 01 Apr 2026 00:00:00 +0200",
        "1774994400",
        1774994400,
        1774994400.0,
        datetime(2026, 3, 31, 22, tzinfo=UTC),
        datetime(2026, 4, 1),  # noqa: DTZ001 # a date without a zone is meant in the reader's
    ],
)
def test_dates_in_fields_are_read(written: object) -> None:
    assert read_date(written, FRIDAY) == datetime(2026, 4, 1, tzinfo=BERLIN)


@pytest.mark.parametrize(
    "written", ["soon", "", "31.31.2026", -5, 1e20, float("nan"), True, None, "0001-01-01T00:00+14:00"]
)
def test_what_is_no_date_is_none(written: object) -> None:
    assert read_date(written, FRIDAY) is None
