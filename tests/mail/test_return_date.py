"""When somebody comes back, in the words of out-of-office notices."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outrider.mail.return_date import find_return_date
from outrider.mail.written_date import LONGEST_ABSENCE

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
        ("I will be back tomorrow", date(2026, 3, 6)),
        ("Back on Monday", date(2026, 3, 9)),
        ("I'm out until next Tuesday", date(2026, 3, 10)),
        ("out until next Friday", date(2026, 3, 13)),  # tomorrow is Friday, and it is not meant
        ("back next week", date(2026, 3, 9)),
        ("I will be back in two weeks", date(2026, 3, 19)),
        ("on leave for the next 3 days", date(2026, 3, 8)),
        ("away until the end of the month", date(2026, 3, 31)),
        ("away until the end of the week", date(2026, 3, 6)),
        ("returning in April", date(2026, 4, 1)),
        ("I return on the 16th", date(2026, 3, 16)),
        ("away March 9-13", date(2026, 3, 13)),
        ("Ich bin morgen wieder da", date(2026, 3, 6)),
        ("ab übermorgen wieder erreichbar", date(2026, 3, 7)),
        ("erst ab KW 12 wieder im Büro", date(2026, 3, 16)),
        ("bis KW 12 im Urlaub", date(2026, 3, 20)),
        ("bis Ende März", date(2026, 3, 31)),
        ("kehre am 19. März zurück", date(2026, 3, 19)),
        ("Je reviens lundi prochain", date(2026, 3, 9)),
        ("absent jusqu'à mi-avril", None),
        ("de retour début avril", date(2026, 4, 1)),
        ("Vuelvo el próximo miércoles", date(2026, 3, 11)),
        ("estaré fuera hasta finales de marzo", date(2026, 3, 31)),
        ("Rientro domani", date(2026, 3, 6)),
        ("Volto na segunda-feira", date(2026, 3, 9)),
        ("Ik ben over twee weken terug", date(2026, 3, 19)),
        ("tillbaka vecka 12", date(2026, 3, 16)),
        ("tilbage på mandag", date(2026, 3, 9)),
        ("Olen lomalla 15.3. asti", date(2026, 3, 15)),
        ("na urlopie do 13 marca", date(2026, 3, 13)),
        ("jsem na dovolené do 13. března", date(2026, 3, 13)),
        ("в отпуске до 16 марта", date(2026, 3, 16)),
        ("16 Mart tarihinde ofiste olacağım", date(2026, 3, 16)),
        ("3月13日まで休暇をいただいております", date(2026, 3, 13)),
        ("将于2026年3月16日返回办公室", date(2026, 3, 16)),
    ],
)
def test_days_as_seen_from_today_and_in_other_scripts(text: str, expected: date | None) -> None:
    assert find_return_date(text, today=TODAY) == expected


@pytest.mark.parametrize(
    "text",
    [
        "Our hours are Monday to Friday. We will reply soon.",
        "Guten Morgen, ich melde mich wieder.",
        "Estaré fuera por la mañana.",
        "I am away from 9 March and will answer when I return.",
        "Within two days somebody will answer.",
    ],
)
def test_office_hours_mornings_and_beginnings_are_no_return(text: str) -> None:
    assert find_return_date(text, today=TODAY) is None


def test_other_dates_of_the_text_show_how_its_author_writes() -> None:
    assert find_return_date("From 20/3. Again from 28/2, until 4/5", today=TODAY) == date(2026, 5, 4)
    assert find_return_date("Away 3/20, until 4/5", today=TODAY) == date(2026, 4, 5)
    assert find_return_date("absent jusqu'au 3/4", today=TODAY) == date(2026, 4, 3)  # only in English it is open


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
