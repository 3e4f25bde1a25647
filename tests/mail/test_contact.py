"""Names that stand beside an address."""

import pytest

from outrider.mail.contact import find_named
from outrider.mail.parse import Correspondent


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Please contact Sam Hale at sam.hale@acme.example.", "Sam Hale"),
        ("Contact Sam Hale (sam.hale@acme.example)", "Sam Hale"),
        ("Sam Hale <sam.hale@acme.example>", "Sam Hale"),
        ("write to sam.hale@acme.example (Sam Hale)", "Sam Hale"),
        ("Mira is away. Sam Hale has taken over and can be reached at sam.hale@acme.example", "Sam Hale"),
        ("an Herrn Dr. Sam Hale, Tel. 040 123, sam.hale@acme.example", "Sam Hale"),
        ("meine Kollegin Samira Hale (sam.hale@acme.example)", "Samira Hale"),
        ("contacter Mme Hale à l'adresse sam.hale@acme.example", "Hale"),
        ("my colleague Sam van der Hale, sam.hale@acme.example", "Sam van der Hale"),
        ("Write to sam.hale@acme.example.", ""),
        ("Tallow Works has moved: sam.hale@acme.example", ""),
        ("I am with Sam Hale. Please write to sam.hale@acme.example", ""),
    ],
)
def test_the_name_beside_an_address(text: str, name: str) -> None:
    assert find_named(text, ["sam.hale@acme.example"]) == Correspondent(name, "sam.hale@acme.example")


def test_a_name_in_another_script_is_taken_if_it_stands_right_before() -> None:
    assert find_named("Ольга Белова, belova@reka.example", ["belova@reka.example"]) == Correspondent(
        "Ольга Белова", "belova@reka.example"
    )


def test_the_letters_of_a_name_need_not_be_ascii() -> None:
    found = find_named("Sabine Krüger: s.krueger@acme.example", ["s.krueger@acme.example"])
    assert found == Correspondent("Sabine Krüger", "s.krueger@acme.example")


def test_the_first_of_several_addresses_is_taken() -> None:
    text = "Ask Sam (sam@acme.example) or Bo (bo@acme.example)"
    assert find_named(text, ["sam@acme.example", "bo@acme.example"]) == Correspondent("Sam", "sam@acme.example")


def test_without_an_address_there_is_nobody() -> None:
    assert find_named("Call Sam Hale.", []) is None
