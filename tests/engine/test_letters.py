"""Form letters: whatever the text and the lead, the body is the one that is made without a form, byte for byte."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from benchmarks.campaigning import BODIES
from outrider.content.syntax import TemplateError
from outrider.content.template import Template, compile_body
from outrider.content.variables import mail_values, sender_values
from outrider.engine.letters import Body, Letters, Wrapping
from tests.content.rendering import LONDON, NOW

WRAPPING = Wrapping(
    tracking_url="https://t.example",
    words="No more & thanks",
    has_footer=True,
    is_plain=False,
    counts_clicks=True,
    counts_openings=True,
)
SENDERS = [
    sender_values(
        f"{name} Quist", f"{name}@ours.example", signature=f"<p>{name}<br>\nQuist {shown}<p><b>{name}</b></p>"
    )
    for name, shown in (
        ("Nora", '<a href="https://ours.example">us</a>'),
        ("Kim &amp; Co", '<a href="https://ours.example">us &lt; them</a>'),
        (".Ida", '<a href="https://ours.example">https://ours.example</a>'),
    )
]


@dataclass
class Paths:
    """Those of one mail, spelt so that they can be read again."""

    number: int

    @property
    def way_out(self) -> str:
        return f"/u/{self.number}"

    def click(self, url: str) -> str:
        return f"/c/{self.number}-{url.encode().hex()}"

    def trap(self) -> str:
        return self.click("")

    def opening(self) -> str:
        return f"/o/{self.number}.gif"


def write(
    letters: Letters, template: Template, lead: Mapping[str, Any], *, seed: int, wrapping: Wrapping = WRAPPING
) -> Body | str:
    """The body, or why there is none."""
    paths = Paths(seed)
    goodbye = wrapping.goodbye(paths.way_out)
    values = mail_values({}, custom=lead, sender=SENDERS[seed % len(SENDERS)], unsubscribe_text=goodbye)
    filling = template.begin(values, seed=seed, now=NOW, zone=LONDON)
    try:
        return letters.write(template, filling, wrapping, paths, goodbye=goodbye)
    except TemplateError as error:
        return str(error)


wrappings = [
    Wrapping("https://t.example", words, footer, plain, clicks, openings)
    for words, (footer, plain, clicks, openings) in product(
        ("", "No more & thanks", "https://t.example/u/"), product((True, False), repeat=4)
    )
]


def split(pieces: str) -> list[str]:
    return pieces.split("¦")


TEXTS = split(
    "Ada¦New York¦O'Brien & Sons¦AT&T¦a&amp;b¦amp;¦lt;b¦#39;¦#¦Zoë¦日本¦e\u0301¦-¦.NET¦, x¦x,¦href¦=x¦x=¦mailto:x¦http://"
    "¦https://x.example/?a=1&b=2¦www.x.example¦x.example¦x.example/¦/u/1¦t.example/u/1¦ttps://x.example¦1¦false¦¦ ¦ a"
    '¦a ¦a  b¦a\nb¦\r\n¦a\tb¦\xa0¦\u2028¦\u200b¦\0¦\1¦\x85¦\U00100003¦<b>x</b>¦<script>¦x"y¦{a|b}¦{{x}}¦{% if x %}'
)
SNIPPETS = split(
    "{{x}}¦{{x}}, ¦ {{x}} ¦{{ y }}¦{{City}}¦{{gone}}¦ {{gone | default: 'a b'}}¦{{gone|'<b>c</b>'}}¦{{sl_time_of_day}}"
    "¦{a|b c}¦{a|}¦{ a|b }¦{<b>x</b>|y}¦{Hi {{x}}|{x|{{y}} z}}¦{{{x}}|{{gone}}}¦{&amp;|&}¦{.|!}¦&am{p|n};"
    "¦{%signature%|a}"
    "¦<b>¦</b>¦<p>¦</p>\n¦<div>¦</div>¦<ul><li>¦</li></ul>¦<ol><li>¦<table><tr><td>¦</td>¦<br>¦\n¦ ¦, ¦<pre>¦</pre>"
    "¦</body>¦<hr>¦&amp;¦&¦&nbsp;¦&copy¦&#3¦& ¦word¦&#x100003;¦\U00100003¦&{{x}};¦&#{{x}};¦'¦<¦>¦ < ¦<p title=it's>"
    '¦"¦title="'
    "¦<b¦<{{x}}>¦<a href='https://x.example/?a={{x}}&b=1'>¦<a href='https://x.example/{a|b c}'>¦<a href='{{x}}'>"
    "¦{{x}}</a>¦here {{x}}</a>¦x.example/</a>¦</a>¦link</a>¦<a href='https://{{x}}.example'>¦<a href='mailto:{{x}}'>"
    "¦<a href=https://x.example/{{x}}>¦<a href=https://x.example/>¦<a title='{{x}}' href='https://x.example/'>"
    "¦<a href='https://t.example/u/{{x}}'>¦<a href='https://t.ex{{x}}'>¦<a href='https://t.example/u/1'>o</a>"
    "¦<a href=' https://x.example/a b{{x}} '>¦<a href='https://x.example/&am{{x}}'>¦<area href='https://x.example'>"
    "¦<img alt='{{x}}' src='{{x}}'>¦<img alt='a'>¦<!-- ¦ -->¦<style>¦</style{{x}}>¦<head{{x}}>¦%signature%"
    "¦%sender-name%"
    "¦%unsubscribe-text%¦{{unsubscribe-text}}¦{{ x | upcase }}¦{{ x | safe }}¦{{ 'now' | date: '%H' }}¦{{ [x] }}"
    "¦{{ y | default: x }}¦{{ x.size }}¦{{ z }}¦{{ i }}¦{% if x %}¦{% if x == 'Ada' %}¦{% unless y %}¦{% else %}"
    "¦{% endif %}¦{% endunless %}¦{% for i in (1..2) %}¦{% endfor %}¦{% assign z = x %}¦{% capture z %}"
    "¦{% endcapture %}"
)
words = st.sampled_from([*TEXTS, "x" * 2_000, None, 5, 1.0, True, ["a", "b"], {"a": "b"}])
leads = st.fixed_dictionaries({"x": words | st.text(max_size=8), "y": words, "City": words})
templates = st.lists(st.sampled_from(SNIPPETS), min_size=1, max_size=10).map("".join)


@settings(max_examples=400)
@given(templates, st.lists(leads, min_size=2, max_size=5), st.sampled_from(wrappings), st.integers(0, 3))
@example('<a href="https://x.example/?a={{x}}">x</a>', [{"x": "a b"}, {"x": "O'B & C"}], WRAPPING, 0)
@example("<p>{a|b} {{x}} {{gone}}, %signature%%unsubscribe-text%</p>", [{"x": "a"}, {"x": "b"}], WRAPPING, 0)
def test_a_form_gives_the_body_that_is_made_without(
    text: str, several: list[dict[str, Any]], wrapping: Wrapping, seed: int
) -> None:
    try:
        template = compile_body(text)
    except TemplateError:
        return
    letters, none = Letters(), Letters(most_forms=0)
    for number, lead in enumerate(several):
        given_seed = seed + number // 2
        made = write(letters, template, lead, seed=given_seed, wrapping=wrapping)
        assert made == write(none, compile_body(text), lead, seed=given_seed, wrapping=wrapping)


def people() -> Iterator[dict[str, Any]]:
    for name, city, role in product(("Ada", "Zoë", "O'Neill"), ("Porto", "New York"), ("CFO", "CTO", None)):
        yield {"first_name": name, "location": city, "role": role, "company_name": f"{name} & Sons", "employees": 7}


@pytest.mark.parametrize("body", BODIES)
def test_the_texts_of_the_benchmark_come_out_the_same(body: str) -> None:
    template, letters, none = compile_body(body), Letters(), Letters(most_forms=0)
    for seed, lead in enumerate(people()):
        assert write(letters, template, lead, seed=seed) == write(none, template, lead, seed=seed)


def test_forms_are_forgotten_when_there_are_too_many() -> None:
    template, letters, none = (
        compile_body("{<b>a</b>|b|c|<i>d</i>} {{x}}"),
        Letters(most_forms=2),
        Letters(most_forms=0),
    )
    for seed in range(30):
        assert write(letters, template, {"x": seed}, seed=seed) == write(none, template, {"x": seed}, seed=seed)
