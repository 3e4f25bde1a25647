"""What stands in double braces, in all the spellings people use."""

import pytest

from outrider.content.template import compile_template
from tests.content.rendering import fill

LEAD = {"first_name": "Ada", "Job Title": "Countess", "größe": "7", "a.b": "dotted", "it's": "quoted"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{first_name}}", "Ada"),
        ("{{ first_name }}", "Ada"),
        ("{{First Name}}", "Ada"),
        ("{{ job_title }}", "Countess"),
        ("{{JOB-TITLE}}", "Countess"),
        ("{{ größe }}", "7"),
        ("{{ a.b }}", "dotted"),
        ("{{ it's }}", "quoted"),
        ('{{ ["Job Title"] }}', "Countess"),
        ("{{ Job Title | upcase }}", "COUNTESS"),
        ("{{ a.b | upcase }}", "DOTTED"),
        ("{{ first_name.size }}", "3"),
        ('{{ "text" }}', "text"),
        ("{{ 3 | plus: 4 }}", "7"),
    ],
)
def test_names_are_found_however_they_are_written(text: str, expected: str) -> None:
    assert fill(text, LEAD, html=False) == expected


@pytest.mark.parametrize(
    "text",
    [
        "{{nobody|there}}",
        "{{ nobody | there }}",
        '{{nobody | "there"}}',
        "{{nobody | 'there'}}",
        '{{ nobody | fallback: "there" }}',
        '{{ nobody | default: "there" }}',
        '{{ nobody | default:"there"}}',
        '{{ nobody || "there" }}',
        "{{ nobody | default: “there” }}",
        '{{ nobody | default: "x" | replace: "x", "there" }}',
        '{{ nobody | default: nobody_else | default: "there" }}',
    ],
)
def test_fallbacks_work_in_every_short_form(text: str) -> None:
    assert fill(f"Hi {text},", LEAD, html=False) == "Hi there,"
    assert compile_template(text, html=False).unresolved(LEAD) == ()


def test_a_fallback_may_be_several_words() -> None:
    assert fill("{{nobody|my friend}}", html=False) == "my friend"


def test_a_fallback_is_not_used_when_there_is_a_value() -> None:
    assert fill('{{first_name|there}} {{ first_name | default: "x" }}', LEAD, html=False) == "Ada Ada"


def test_a_bar_in_quotes_is_no_filter() -> None:
    assert fill('{{ nobody | default: "a|b" }}', html=False) == "a|b"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{sl_time_of_day}}", "morning"),
        ("{{ sl_time_of_day_cap }}", "Morning"),
        ("{{sl_day_of_week}}", "Monday"),
        ('{{sl_date "2 days from now" "dddd, MMMM Do YYYY"}}', "Wednesday, April 1st 2026"),
        ("{{ sl_date 'tomorrow' 'D.M.' }}", "31.3."),
        ('{{sl_date "tomorrow"}}', "Tuesday, March 31st"),
        ("{{ sl_day_of_week | upcase }}", "MONDAY"),
        ('{% if sl_time_of_day == "morning" %}early{% endif %}', "early"),
    ],
)
def test_helpers_tell_the_time_of_sending(text: str, expected: str) -> None:
    assert fill(text, html=False) == expected


def test_a_lead_cannot_take_the_place_of_a_helper() -> None:
    assert fill("{{sl_day_of_week}}", {"sl_day_of_week": "Someday"}) == "Monday"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{ <b>first</b>_name }}", "Ada"),
        ("{{&nbsp;first_name&nbsp;}}", "Ada"),
        ("{{ nobody | default: &quot;there&quot; }}", "there"),
        ("{% if 3 &lt; 4 %}yes{% endif %}", "yes"),
        ("{%&nbsp;if <b>first_name</b>&nbsp;%}yes{%&nbsp;endif&nbsp;%}", "yes"),
        ('{% if company == "A &amp; B" %}yes{% endif %}', "yes"),
        ('{{ nobody | default: "A &amp; B" }}', "A &amp; B"),
        ('{{ nobody | default: "<b>you</b>" }}', "<b>you</b>"),
    ],
)
def test_what_html_editors_do_inside_braces_is_undone(text: str, expected: str) -> None:
    assert fill(text, {"first_name": "Ada", "company": "A & B"}) == expected
