"""Liquid for authors, and its bounds."""

from collections.abc import Mapping
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outrider.content.liquid import TAGS
from outrider.content.syntax import TemplateError
from outrider.content.template import Template, compile_template
from tests.content.rendering import fill

LEAD = {
    "first_name": "Ada",
    "employees": "1,200",
    "active": "true",
    "score": 7,
    "tags": "red, green ,blue",
    "won": True,
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{% if first_name %}a{% else %}b{% endif %}", "a"),
        ("{% if nobody %}a{% elsif first_name == 'Ada' %}b{% endif %}", "b"),
        ("{% unless nobody %}a{% endunless %}", "a"),
        ("{% case first_name %}\n{% when 'Bob', 'Ada' %}a{% else %}b{% endcase %}", "a"),
        (
            "{% assign parts = tags | split: ',' %}{% for p in parts %}[{{ p | strip }}]{% endfor %}",
            "[red][green][blue]",
        ),
        ("{% for i in (1..3) %}{{ i }}{% unless forloop.last %}, {% endunless %}{% endfor %}", "1, 2, 3"),
        ("{% for i in (1..9) %}{% if i > 2 %}{% break %}{% endif %}{{i}}{% endfor %}", "12"),
        ("{% capture x %}{{ first_name }}!{% endcapture %}{{ x }}{{ x | upcase }}", "Ada!ADA!"),
        ("{% assign first_name = 'Bob' %}{{first_name}} {{ first_name | default: 'x' }}", "Bob Bob"),
        ("{% cycle 'a', 'b' %}{% cycle 'a', 'b' %}{% increment n %}{% increment n %}", "ab01"),
        ("{{ tags | split: ',' | first | capitalize }}", "Red"),
        ("{{ first_name | append: '!' | upcase | truncate: 3, '' }}", "ADA"),
        ("{{ score | plus: 1 }} {{ score | times: 2.0 }} {{ employees | remove: ',' | divided_by: 7 }}", "8 14 171"),
        ("{{ 'now' | date: '%Y-%m-%d %H:%M %Z' }}", "2026-03-30 08:00 BST"),
        ("{{ 'today' | date: '%A' }} {{ now | date: '%Y' }}", "Monday 2026"),
        ("{{ '2026-12-24' | date: '%-d %B' }}", "24 December"),
        ("{{ 'now' | date: '%s' | plus: 86400 | date: '%A' }}", "Tuesday"),
        ("{{ 'no date' | date: '%A' }}", "no date"),
        ("{{ nobody | date: '%A' }}x", "x"),
        ("{% # a comment %}x", "x"),
    ],
)
def test_liquid_works(text: str, expected: str) -> None:
    assert fill(text, LEAD, html=False) == expected


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ('nobody != ""', False),
        ('nobody == ""', True),
        ("nobody == blank", True),
        ("nobody == nil", True),
        ('first_name != ""', True),
        ("employees > 1000", True),
        ("employees > 2000", False),
        ("employees >= score", True),
        ("score < employees", True),
        ("score == 7", True),
        ('score == "7"', True),
        ('"10" > "9"', True),
        ("first_name > 5", False),
        ("first_name < 5", False),
        ("nobody > 5", False),
        ("nobody < 5", False),
        ("nobody <= 5", False),
        ("active == true", True),
        ("active != false", True),
        ("won == true", True),
        ("won", True),
        ("tags contains 'green'", True),
        ("nobody contains 'green'", False),
        ("First-Name == 'Ada' and employees == 1200", True),
    ],
)
def test_conditions_suit_values_from_csv_files(condition: str, holds: bool) -> None:
    assert fill(f"{{% if {condition} %}}yes{{% else %}}no{{% endif %}}", LEAD, html=False) == ("yes" if holds else "no")


def test_a_loop_variable_hides_a_field_of_the_same_name() -> None:
    assert fill("{% for first_name in (1..2) %}{{first_name}}{% endfor %}", LEAD) == "12"


def test_values_stay_escaped_through_every_filter() -> None:
    lead = {"x": "<script>&\"'"}
    filters = compile_template("{{ x | upcase }}", html=True)._liquid._template.env.filters  # type: ignore[union-attr]
    unescaped = []
    for name in filters:
        for arguments in ("", ": '1'", ": x", ": '1', x"):
            try:
                filled = fill(f"{{{{ x | {name}{arguments} }}}}{{{{ 'a1' | {name}{arguments} }}}}", lead)
            except TemplateError:
                continue
            unescaped += [name] if "<script" in filled.lower() else []
    assert unescaped == []


def test_html_that_an_author_lets_in_is_cleaned() -> None:
    assert fill("{{ x | safe }}", {"x": "<b onclick='y()'>a</b><script>z</script>"}) == "<b>a</b>"


@pytest.mark.parametrize(
    "text",
    [
        "{% for i in (1..10001) %}{% endfor %}",
        "{% for i in (1..3000000000000000000000) %}{% endfor %}",
        "{% for i in (1..99999999) reversed %}{% endfor %}",
        "{% for i in (1..200) %}{% for j in (1..200) %}{% endfor %}{% endfor %}",
        "{% for i in (1..6000) %}{% endfor %}{% for i in (1..6000) %}{% endfor %}",
        "{% for i in (1..9000) %}" + "x" * 100 + "{% endfor %}",
        "{% assign s = 'aaaaaaaaaa' %}{% for i in (1..9000) %}{% assign s = s | append: s %}{% endfor %}",
        "{% assign n = 10 %}{% for i in (1..9000) %}{% assign n = n | times: n %}{% endfor %}",
        "{% capture s %}{% for i in (1..9000) %}" + "x" * 100 + "{% endfor %}{% endcapture %}",
        "{{ 'aaaaaaaaaa' | " + " | ".join(["replace: '', 'bbbbbbbbbb'"] * 10) + " }}",
        "{% assign l = '" + "a" * 900 + "' | split: '' %}{{ l | join: '" + "x" * 900 + "' }}",
        "{{ x | split: '' }}",
        "{% for i in (1..9000) %}" + "{% if true %}{% endif %}" * 900 + "{% endfor %}",
    ],
)
def test_work_without_bounds_is_stopped(text: str) -> None:
    with pytest.raises(TemplateError):
        fill(text, {"x": "y" * 2_000})


@pytest.mark.parametrize(
    "text",
    [
        "{{ (1..3000000) | join: '' }}",
        "{% assign x = (1..3000000) %}",
        "{{ a | upcase" + " | upcase" * 11 + " }}",
        "{% if a %}" * 40 + "{% endif %}" * 40,
    ],
)
def test_what_could_not_be_bounded_is_refused_at_once(text: str) -> None:
    with pytest.raises(TemplateError):
        compile_template(text, html=True)


def test_a_long_loop_within_the_bounds_is_fine() -> None:
    assert fill("{% for i in (1..500) %}{{ i }}{% endfor %}").endswith("499500")


def test_no_attribute_of_an_object_can_be_reached() -> None:
    assert fill("a{{ first_name.__class__ }}{{ x.__class__.__mro__ }}{{ first_name['__class__'] }}b") == "ab"


def test_a_filter_that_cannot_work_with_a_value_is_a_template_error() -> None:
    with pytest.raises(TemplateError):
        fill("{{ x | divided_by: 0 }}", {"x": "1"})
    with pytest.raises(TemplateError):
        fill("{{ x | base64_decode }}", {"x": "ä"})


def test_every_tag_that_is_offered_exists() -> None:
    blocks = (
        "{% if a %}{% elsif b %}{% else %}{% endif %}{% unless a %}{% endunless %}{% ifchanged %}{% endifchanged %}"
    )
    others = "{% case a %}{% when 1 %}{% endcase %}{% for a in b %}{% break %}{% continue %}{% endfor %}{% cycle 'a' %}"
    more = "{% assign a = 1 %}{% capture a %}{% endcapture %}{% increment a %}{% decrement a %}{% # x %}"
    text = blocks + others + more
    assert all(f"{{% {name}" in text for name in TAGS)
    compile_template(text, html=True)


names = st.sampled_from(["first_name", "nobody", "x y", "'a'", "1", "nil"])
pieces = st.one_of(
    names.map("{{{{ {} | upcase }}}}".format),
    names.map("{{% if {} %}}".format),
    st.sampled_from(
        ["{% endif %}", "{% else %}", "{a|", "}", "text ", "{% for i in (1..3) %}", "{% endfor %}", "{{ i }}"]
    ),
)


@given(st.lists(pieces, max_size=8).map("".join), st.integers())
def test_any_mixture_is_filled_or_refused(text: str, seed: int) -> None:
    with suppress(TemplateError):
        assert isinstance(fill(text, LEAD, seed=seed), str)


answers = st.sampled_from([None, "", " ", "Ada", "ada ", "1", 1, 1.0, True, "true", ["Ada"], {"a": "Ada"}, "<b>", "\n"])
asking = st.sampled_from(
    [
        "{% if first_name == 'Ada' %}",
        "{% if nobody == 1 %}",
        "{% unless first_name %}",
        "{% endif %}",
        "{% endunless %}",
        "{% else %}",
        "{{ first_name | upcase }}",
        "{{ nobody }}",
        "{{ [first_name] }}",
        "{% assign nobody = first_name %}",
        "{% capture first_name %}{a|b} {{ nobody }}{% endcapture %}",
        "{% ifchanged %}{{first_name}}{% endifchanged %}",
        "{% for i in (1..3) %}{{first_name}}, {% endfor %}",
        "{a|{{ first_name | downcase }}|{{ nobody }}}",
        "{one|two} {{first_name}} ",
        "{{ 'now' | date: '%H' }} {{sl_day_of_week}}",
    ]
)


@given(
    st.lists(asking, max_size=6).map("".join),
    st.lists(st.tuples(answers, answers, st.integers(0, 5)), min_size=2, max_size=8),
    st.booleans(),
)
def test_what_is_remembered_of_others_changes_no_mail(
    text: str, leads: list[tuple[object, object, int]], html: bool
) -> None:
    try:
        used = compile_template(text, html=html)
    except TemplateError:
        return
    for first_name, nobody, seed in leads:
        values = {"first_name": first_name, "nobody": nobody, "Ada": nobody}
        assert outcome(used, values, seed) == outcome(compile_template(text, html=html), values, seed)


def outcome(template: Template, values: Mapping[str, object], seed: int) -> str:
    try:
        return fill(template, values, seed=seed)
    except TemplateError as error:
        return f"refused: {error}"
