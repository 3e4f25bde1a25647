"""Names, values and how they find each other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from outrider.content.variables import Values, as_text, fold, is_sender_field, mail_values, sender_values


def find(values: Values, name: str) -> object:
    return values.find(name, fold(name))


@pytest.mark.parametrize("name", ["Job Title", "job_title", "JOB-TITLE", " job  title ", "Job\xa0Title", "job--title"])
def test_names_that_look_alike_are_the_same_name(name: str) -> None:
    assert fold(name) == "job_title"


def test_composed_and_decomposed_letters_are_the_same_name() -> None:
    assert fold("Größe") == fold("GRO\u0308ẞE")


def test_the_exact_name_wins_over_a_similar_one() -> None:
    values = Values({"job title": "similar", "Job Title": "exact"})
    assert find(values, "Job Title") == "exact"


def test_a_standard_field_beats_a_custom_one_of_the_same_key() -> None:
    values = mail_values({"first_name": "Ada"}, custom={"first_name": "custom", "First Name": "custom too"})
    assert find(values, "first_name") == "Ada"
    assert find(values, "FIRST-NAME") == "Ada"


def test_a_blank_standard_field_leaves_room_for_a_custom_one() -> None:
    values = mail_values({"first_name": None, "last_name": " "}, custom={"first_name": "Ada", "Last Name": "Lovelace"})
    assert find(values, "first_name") == "Ada"
    assert find(values, "last_name") == "Lovelace"


def test_a_lead_cannot_take_the_place_of_the_signature() -> None:
    sender = sender_values("Grace Hopper", "grace@example.com", signature="<b>Grace</b>")
    values = mail_values({}, custom={"signature": "<i>mine</i>"}, sender=sender)
    assert find(values, "signature") == Markup("<b>Grace</b>")


def test_the_tokens_of_a_sender_come_from_name_and_address() -> None:
    values = sender_values("Grace  Brewster Hopper", "grace@mail.example.com")
    assert values["sender-name"] == "Grace Brewster Hopper"
    assert values["sender-firstname"] == "Grace"
    assert values["sender-lastname"] == "Brewster Hopper"
    assert values["sender-domain"] == "mail.example.com"


def test_a_sender_without_a_name_has_blank_tokens() -> None:
    assert sender_values("", "grace@example.com")["sender-firstname"] == ""


@pytest.mark.parametrize("name", ["signature", "sender-name", "Sender_Name", "unsubscribe text"])
def test_names_of_the_sender_are_recognised_in_every_spelling(name: str) -> None:
    assert is_sender_field(name)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (" Ada ", "Ada"),
        (None, ""),
        (True, "true"),
        (False, "false"),
        (3, "3"),
        (3.0, "3"),
        (2.5, "2.5"),
        (1e300, "1e+300"),
        (float("nan"), "nan"),
        (["a", 1, None], "a, 1, "),
    ],
)
def test_values_are_shown_as_a_person_would_write_them(value: object, text: str) -> None:
    assert as_text(value) == text


@given(st.dictionaries(st.text(), st.none() | st.text() | st.integers(0, 10**9) | st.booleans()), st.text())
def test_looking_up_never_fails(values: dict[str, object], name: str) -> None:
    found = find(Values(values), name)
    assert found is None or found in values.values()
