"""Tokens, and messages that say where and what to do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outrider.content.syntax import MAX_LENGTH, Kind, TemplateError, scan
from outrider.content.template import compile_body, compile_template
from tests.content.rendering import fill


def kinds(text: str) -> list[tuple[Kind, str]]:
    return [(token.kind, token.text) for token in scan(text, html=True)]


def test_outputs_tags_and_sender_tokens_are_set_apart() -> None:
    assert kinds("a {{ b }} {% if c %}%signature%|") == [
        (Kind.TEXT, "a "),
        (Kind.OUTPUT, " b "),
        (Kind.TEXT, " "),
        (Kind.TAG, " if c "),
        (Kind.SENDER, "signature"),
        (Kind.BAR, "|"),
    ]


def test_braces_in_quotes_do_not_end_an_output() -> None:
    assert kinds("""{{ a | append: "}" }}""") == [(Kind.OUTPUT, """ a | append: "}" """)]


def test_a_lone_quote_does_not_swallow_the_next_output() -> None:
    assert kinds("{{ a's }} it's {{ b }}")[0] == (Kind.OUTPUT, " a's ")


def test_other_percent_signs_are_text() -> None:
    assert kinds("100% of %name% at 5%") == [(Kind.TEXT, "100% of %name% at 5%")]


def test_raw_keeps_what_is_inside() -> None:
    assert fill("{% raw %}{{ a }} {b|c} {% if %}{%endraw%}!") == "{{ a }} {b|c} {% if %}!"


def test_comments_vanish() -> None:
    assert fill("a{% comment %} {{ x {% endif %} {b|c} {%- endcomment %}d") == "ad"


def test_dashes_trim_white_space() -> None:
    assert fill("a  {{- first_name -}}  b {%- if first_name -%}  c  {%- endif %} d") == "aAdabc d"


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("Hi {{ first_name", 1, "never closed"),
        ("Hi\n\n{{first_name}, hello", 3, "never closed"),
        ("Hi {first_name}}", 1, 'one "{" is missing'),
        ("a\n{% if x", 2, '"%}"'),
        ("a\n{% if x %} b", 2, "endif"),
        ("a {% endif %}", 1, "closes nothing"),
        ("{% if x %}{% for a in b %}{% endif %}{% endfor %}", 1, '"endif" closes nothing'),
        ("{% raw %} a", 1, "endraw"),
        ("{% include 'x' %}", 1, '"include" does not exist'),
        ("{% render 'x' %}", 1, '"render" does not exist'),
        ("{% piece 0 %}", 1, '"piece" does not exist'),
        ("{% %}", 1, "does not exist"),
        ("{{ }}", 1, "no name"),
        ("{{ a | nonsense: 1 }}", 1, '"nonsense" does not exist'),
        ("{{ a | capitalise }}", 1, 'did you mean "capitalize"'),
        ("{{ a | upper }}", 1, 'did you mean "upcase"'),
        ("{{ a | upcase | there }}", 1, '"there" does not exist'),
        ('{{ a | default: "{x|y}" }}', 1, "spintax does not work"),
        ('{{sl_date "soon"}}', 1, "not understood"),
        ("{{sl_date soon}}", 1, "sl_date"),
        ("\n\n{% if a = b %}{% endif %}", 3, "="),
        ("a\n{% if b %}\n{% for x %}{% endfor %}{% endif %}", 3, "for x"),
        ("x" * (MAX_LENGTH + 1), None, "shorten"),
        ("{{ a | upcase }}" * 2_001, None, "shorten"),
        ("{{ a" + "b" * 2_001 + " }}", 1, "too long"),
    ],
)
def test_broken_texts_are_refused_with_line_and_advice(text: str, line: int | None, message: str) -> None:
    with pytest.raises(TemplateError) as caught:
        compile_template(text, html=False)
    assert message in str(caught.value)
    assert caught.value.line == line


def test_the_line_of_a_plain_body_is_the_line_that_was_typed() -> None:
    with pytest.raises(TemplateError) as caught:
        compile_body("Hello\nthere & <there>\n{{ name")
    assert caught.value.line == 3


@given(st.text("{}|\"' abi<>\n", max_size=80))
def test_no_character_is_lost(text: str) -> None:
    tokens = scan(text, html=True)
    written = (f"{{{{{token.text}}}}}" if token.kind is Kind.OUTPUT else token.text for token in tokens)
    assert "".join(written) == text
