"""Choices from a seed, counting, and what is no spintax."""

import re
from collections.abc import Iterator
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outrider.content.spintax import choose
from outrider.content.syntax import TemplateError
from outrider.content.template import compile_template
from tests.content.rendering import ADA, fill


def outcomes(text: str, seeds: int = 300) -> set[str]:
    template = compile_template(text, html=True)
    return {fill(template, seed=seed) for seed in range(seeds)}


def test_each_option_is_taken_by_some_seed() -> None:
    assert outcomes("{a|b|c}") == {"a", "b", "c"}


def test_options_are_taken_evenly() -> None:
    counts = [sum(choose((3,), seed, purpose=b"body") == (option,) for seed in range(3_000)) for option in range(3)]
    assert all(900 < count < 1_100 for count in counts)


def test_groups_choose_independently() -> None:
    assert outcomes("{a|b}{c|d}") == {"ac", "ad", "bc", "bd"}


def test_groups_nest() -> None:
    assert outcomes("{a|{b|c}d|{e|{f|g}}}") == {"a", "bd", "cd", "e", "f", "g"}


def test_a_nested_group_may_come_first() -> None:
    assert outcomes("{{Hi|Hello} there|Good day}") == {"Hi there", "Hello there", "Good day"}


def test_an_option_may_be_empty() -> None:
    assert outcomes("very{ very|} good") == {"very very good", "very good"}


def test_an_empty_option_leaves_no_gap() -> None:
    assert outcomes("Hi {there|}, how") == {"Hi there, how", "Hi, how"}


def test_variables_work_inside_an_option() -> None:
    assert outcomes("{Hi {{first_name}}|{{ last_name | default: 'x' }}{{gone|friend}}}") == {"Hi Ada", "Lovelacefriend"}


def test_liquid_works_inside_an_option() -> None:
    text = "{{% if first_name %}Hi {{ first_name | upcase }}{% endif %}|{a|{% if gone %}b{% else %}c{% endif %}}}"
    assert outcomes(text) == {"Hi ADA", "a", "c"}


def test_spintax_works_inside_liquid() -> None:
    assert outcomes("{% if first_name %}{a|b}{% else %}{c|d}{% endif %}") == {"a", "b"}


def test_sender_tokens_work_inside_an_option() -> None:
    template = compile_template("{%sender-name%|%sender-firstname%}", html=True)
    values = {"sender-name": "Grace Hopper", "sender-firstname": "Grace"}
    assert {fill(template, values, seed=seed) for seed in range(50)} == {"Grace Hopper", "Grace"}


@pytest.mark.parametrize("value", ["{x|y}", "a|b", "}", "{", "{{first_name}}", "{% if x %}", "%signature%"])
def test_a_value_is_never_spintax_or_liquid(value: str) -> None:
    assert fill("{{{first_name}}|{{ first_name }}} {{ first_name | strip }}", {"first_name": value}, html=False) == (
        f"{value} {value}"
    )


@pytest.mark.parametrize(
    "text", ["p { color: red }", "@media x { a { b: c } }", "{", "}", "a | b", "} | {", "{}", "{ {a} }", "{first_name}"]
)
def test_braces_without_a_bar_stay(text: str) -> None:
    assert fill(text) == text


def test_a_style_sheet_is_no_spintax() -> None:
    text = "<style>a[lang|=en] { b: c } {x|y}</style>{z|z}"
    assert fill(text) == "<style>a[lang|=en] { b: c } {x|y}</style>z"


def test_the_same_seed_makes_the_same_choices_as_number_and_as_bytes() -> None:
    seed = bytes(range(16))
    assert choose((7,) * 20, seed, purpose=b"body") == choose((7,) * 20, int.from_bytes(seed, "big"), purpose=b"body")


def test_subject_and_body_do_not_choose_in_step() -> None:
    pairs = {(choose((2,), seed, purpose=b"body"), choose((2,), seed, purpose=b"subject")) for seed in range(50)}
    assert len(pairs) == 4


def test_what_is_written_further_down_changes_no_choice() -> None:
    every = choose((5,) * 1_000, 42, purpose=b"body")
    for count in (1, 3, 16, 17, 40):
        assert choose((5,) * count, 42, purpose=b"body") == every[:count]
    assert all(len(set(every[start : start + 16])) > 1 for start in range(0, 1_000, 16))


@pytest.mark.parametrize(
    ("text", "position"),
    [("Hi {a|b", 3), ("x\ny {a|{b|c}", 4), ("{a|b} {c|d", 6)],
)
def test_spintax_that_never_ends_is_refused(text: str, position: int) -> None:
    with pytest.raises(TemplateError, match="never ends") as caught:
        compile_template(text, html=True)
    assert caught.value.position == position


def test_a_tag_that_crosses_an_option_is_refused() -> None:
    with pytest.raises(TemplateError, match="same spintax option"):
        compile_template("{{% if first_name %}a|b{% endif %}}", html=True)


def test_deep_nesting_and_many_groups_are_refused() -> None:
    with pytest.raises(TemplateError, match="deep"):
        compile_template("{a|" * 30 + "}" * 30, html=True)
    with pytest.raises(TemplateError, match="groups"):
        compile_template("{a|b}" * 1_001, html=True)


@pytest.mark.parametrize(
    ("text", "count"),
    [("a", 1), ("", 1), ("{a|b}", 2), ("{a|b}{c|d|}", 6), ("{a|{b|c}{d|e}|}", 6), ("{a}", 1), ("{a|b}" * 100, 2**100)],
)
def test_combinations_are_counted(text: str, count: int) -> None:
    assert compile_template(text, html=True).combinations == count


# A small grammar: texts whose outcomes can be listed by other means.
words = st.text("abc", min_size=1, max_size=2)
texts = st.recursive(
    words,
    lambda inner: st.lists(
        words | st.lists(inner, min_size=2, max_size=3).map(lambda options: "{" + "|".join(options) + "}"),
        min_size=1,
        max_size=2,
    ).map("".join),
    max_leaves=6,
)
_INNERMOST = re.compile(r"\{([^{}]*)\}")


def spell_out(text: str) -> Iterator[str]:
    """Every choice, by replacing one innermost group after the other."""
    match = _INNERMOST.search(text)
    if match is None:
        yield text
        return
    for option in match[1].split("|"):
        yield from spell_out(text[: match.start()] + option + text[match.end() :])


@given(texts, st.integers(0, 2**128))
def test_a_text_becomes_one_of_its_outcomes(text: str, seed: int) -> None:
    assert fill(text, seed=seed) in set(spell_out(text))


@given(st.lists(st.integers(1, 3), max_size=4))
def test_the_count_equals_the_enumeration(sizes: list[int]) -> None:
    groups = [[f"{number}{option}" for option in range(size + 1)] for number, size in enumerate(sizes)]
    template = compile_template(" ".join("{" + "|".join(options) + "}" for options in groups), html=True)
    assert template.combinations == len(list(product(*groups)))


@given(st.text("ab{|}% \"'\n", max_size=60), st.integers())
def test_any_text_is_filled_or_refused_and_always_the_same(text: str, seed: int) -> None:
    try:
        template = compile_template(text, html=True)
    except TemplateError:
        return
    assert fill(template, ADA, seed=seed) == fill(compile_template(text, html=True), ADA, seed=seed)
    assert template.combinations >= 1
