"""When somebody comes back, in the words of out-of-office notices."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outrider.mail.return_date import LONGEST_ABSENCE, find_return_date

TODAY = date(2026, 3, 5)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I am out of office until 12 March.", date(2026, 3, 12)),
        ("I'm away until March 12th, 2026", date(2026, 3, 12)),
        ("Out until 2026-03-12", date(2026, 3, 12)),
        ("I am out of the office from 9 to 20 March", date(2026, 3, 20)),
        ("I will be back on Monday, March 16", date(2026, 3, 16)),
        ("I return to the office on Tuesday 17 March", date(2026, 3, 17)),
        ("until Monday, the 16th of March", date(2026, 3, 16)),
        ("away 9-13 March", date(2026, 3, 13)),
        ("until January 12", None),
        ("Ich bin bis zum 12. März nicht im Büro", date(2026, 3, 12)),
        ("Ich bin vom 9.3. bis einschl. 13.03.2026 im Urlaub", date(2026, 3, 13)),
        ("vom 30.03. - 10.04.26", date(2026, 4, 10)),
        ("Ab dem 16. März bin ich wieder erreichbar", date(2026, 3, 16)),
        ("Ich bin ab dem 9. März im Urlaub", None),
        ("Je serai absente du 9 au 20 mars inclus", date(2026, 3, 20)),
        ("Je suis absent jusqu'au 20 mars", date(2026, 3, 20)),
        ("de retour le lundi 16 mars", date(2026, 3, 16)),
        ("Estoy fuera hasta el 12 de marzo", date(2026, 3, 12)),
        ("vuelvo el lunes 16 de marzo de 2026", date(2026, 3, 16)),
        ("Sono in ferie fino al 12 marzo", date(2026, 3, 12)),
        ("Estou fora até 12 de março", date(2026, 3, 12)),
        ("Ik ben afwezig tot en met 12 maart", date(2026, 3, 12)),
        ("tillbaka den 16 mars", date(2026, 3, 16)),
    ],
)
def test_the_end_of_an_absence_is_read(text: str, expected: date | None) -> None:
    assert find_return_date(text, today=TODAY) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("until 20/3/2026", date(2026, 3, 20)),
        ("until 3/20", date(2026, 3, 20)),
        ("until 10/3", date(2026, 3, 10)),  # the other reading, October, is too far away
        ("until 3/4", None),
        ("until 04/03/2026", None),
        ("until 4/4", date(2026, 4, 4)),
    ],
)
def test_a_date_that_can_be_read_in_two_ways_is_not_guessed(text: str, expected: date | None) -> None:
    assert find_return_date(text, today=TODAY) == expected


@pytest.mark.parametrize(
    "text",
    [
        "call me on +49 12 34 56 until then",
        "until 1234",
        "until 31 February",
        "until 12 March 2027",
        "I was away until 2 March",
        "until Monday",
        "we met on 12 March",
        "until 99.99.2026",
        "",
    ],
)
def test_numbers_and_other_dates_are_left_alone(text: str) -> None:
    assert find_return_date(text, today=TODAY) is None


def test_without_a_year_the_next_such_day_is_meant() -> None:
    assert find_return_date("bis zum 7. Januar", today=date(2026, 12, 20)) == date(2027, 1, 7)


@given(
    st.text(alphabet=st.sampled_from("until bis au 0123456789./- march"), max_size=80),
    st.dates(date(2000, 1, 1), date(2100, 1, 1)),
)
def test_what_is_found_lies_in_the_next_months(text: str, today: date) -> None:
    found = find_return_date(text, today=today)
    assert found is None or timedelta() <= found - today <= LONGEST_ABSENCE
