"""Values in their places, and how empty places close up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from outrider.content.filling import settle
from tests.content.rendering import fill


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hi {{gone}}, how are you", "Hi, how are you"),
        ("Hi {{ gone | upcase }}, how are you", "Hi, how are you"),
        ("Hi {% if gone %}{{gone}}{% endif %}, how", "Hi, how"),
        ("at {{gone}} today", "at today"),
        ("Thanks {{gone}}!", "Thanks!"),
        ("{{gone}} hello", "hello"),
        ("Bye {{gone}}", "Bye"),
        ("Hi {{gone}} {{gone2}} {{gone}}, how", "Hi, how"),
        ("Hi&nbsp;{{gone}}, how", "Hi, how"),
        ("Hi <b>{{gone}}</b>, how", "Hi<b></b>, how"),
        ("Hi <b>{{gone}}</b> there", "Hi <b></b>there"),
        ("a-{{gone}}-b", "a--b"),
        ("two  spaces stay, {{gone}} and so on", "two  spaces stay, and so on"),
        ('<a href="https://x.example/?n={{gone}}">x</a>', '<a href="https://x.example/?n=">x</a>'),
    ],
)
def test_an_empty_place_closes_up(text: str, expected: str) -> None:
    assert fill(text) == expected


@pytest.mark.parametrize("value", [None, "", "  ", "\n"])
def test_blank_values_are_missing_values(value: object) -> None:
    assert fill("Hi {{x}}, {{ x | default: 'a' }}{% if x %}b{% endif %}", {"x": value}) == "Hi, a"


def test_values_are_escaped_in_html() -> None:
    lead = {"first_name": """<script>alert("1 & '2'")</script>"""}
    expected = "&lt;script&gt;alert(&#34;1 &amp; &#39;2&#39;&#34;)&lt;/script&gt;"
    assert fill("{{first_name}}", lead) == expected
    assert fill("{{ first_name | strip }}", lead) == expected
    assert fill('{{ "" | append: first_name }}', lead) == expected


def test_values_are_not_escaped_in_a_subject() -> None:
    assert fill("{{x}} {{ x | strip }}", {"x": "A & <B>"}, html=False) == "A & <B> A & <B>"


def test_html_of_the_sender_stands_as_it_is() -> None:
    assert fill("%signature%", {"signature": Markup("<b>Ada</b>")}) == "<b>Ada</b>"


def test_a_signature_in_a_subject_is_text() -> None:
    assert fill("a %signature%", {"signature": Markup("<b>Ada</b><br>&amp; Co")}, html=False) == "a Ada & Co"


def test_lines_of_a_value_are_lines_of_the_mail() -> None:
    lead = {"note": "one\r\ntwo\n\nthree"}
    assert fill("<p>{{note}}</p>", lead) == "<p>one<br>two<br><br>three</p>"
    assert fill("<p>{{ note | strip }}</p>", lead) == "<p>one<br>two<br><br>three</p>"


def test_lines_of_a_value_are_spaces_in_attributes_and_subjects() -> None:
    lead = {"note": "one\ntwo"}
    assert fill('<img alt="{{note}}">', lead) == '<img alt="one two">'
    assert fill("About {{note}}", lead, html=False) == "About one two"


def test_a_subject_is_one_line_without_wide_gaps() -> None:
    assert fill(" a\r\nBcc: x@example.com  b ", html=False) == "a Bcc: x@example.com b"


@given(st.text(), st.booleans())
def test_any_value_can_be_filled_in(value: str, is_html: bool) -> None:
    filled = fill("x {{v}} {{ v | upcase }} y", {"v": value}, html=is_html)
    assert filled.startswith("x")
    assert filled.endswith("y")
    if is_html:
        assert "<" not in filled.replace("<br>", "")


@given(st.text())
def test_without_empty_places_nothing_is_touched(text: str) -> None:
    text = text.replace("\0", "").replace("\1", "")
    assert settle(text) == text
