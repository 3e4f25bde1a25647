"""Templates as a whole: compile once, fill for each lead."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outrider.content.html import unsubscribe_text
from outrider.content.template import compile_body, compile_subject, compile_template
from outrider.content.variables import mail_values, sender_values
from tests.content.rendering import LONDON, NOW, fill

BODY = """Hi {{ first_name | default: "there" }},

{I saw|I noticed} that {{company_name}} is in {{ city }}.

{{sender-firstname}}
%signature%"""


def test_a_plain_body_becomes_html() -> None:
    sender = sender_values("Grace Hopper", "grace@example.com", signature="<b>Grace</b>")
    values = mail_values({"first_name": "Ada", "company_name": "A & B"}, custom={"City": "Rome"}, sender=sender)
    assert fill(compile_body(BODY), values, seed=1) in (
        f"Hi Ada,<br>\n<br>\n{verb} that A &amp; B is in Rome.<br>\n<br>\nGrace<br>\n<b>Grace</b>"
        for verb in ("I saw", "I noticed")
    )


def test_a_subject_is_plain_text() -> None:
    assert fill(compile_subject("{{company_name}}: <now>?"), {"company_name": "A & B"}) == "A & B: <now>?"


def test_the_order_of_the_sender_tokens_spellings_does_not_matter() -> None:
    sender = sender_values("Grace Hopper", "grace@example.com")
    text = "%sender-name% {{sender-name}} {{ Sender_Name }} %Sender-Email% %sender-domain%"
    assert fill(text, sender) == "Grace Hopper Grace Hopper Grace Hopper grace@example.com example.com"


def test_the_variables_are_those_a_lead_must_have() -> None:
    text = (
        "{{first_name}} {{ Job Title | upcase }} {% if score > 1 %}{% assign a = b %}{{ a }}{% endif %} {x|{{ c }}}"
        "%signature% {{sender-name}} {{sl_day_of_week}} {{ 'now' | date: '%A' }} {% for d in e %}{{ d }}{% endfor %}"
    )
    assert compile_template(text, html=True).variables() == {"first_name", "Job Title", "score", "b", "c", "e"}


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("{{first_name}} {{company_name}}", ("company_name",)),
        ("{{ company_name | upcase }} {{ Company }}", ("Company", "company_name")),
        ("{{ company_name | default: 'x' }}{{ company_name | upcase | default: 'x' }}", ()),
        ("{% if company_name %}at {{company_name}}{% endif %}", ()),
        ("{% if company_name %}at {{ company_name | upcase }}{% endif %}", ()),
        ("{{ FIRST-NAME }}", ()),
        ("{a|{{ company_name }}}", ("company_name",)),
        ("%signature% {{ sender-name }} {{ sl_time_of_day }} {{ unsubscribe-text }}", ()),
    ],
)
def test_unresolved_names_are_those_that_would_leave_a_gap(text: str, missing: tuple[str, ...]) -> None:
    assert compile_template(text, html=True).unresolved({"first_name": "Ada", "company_name": " "}) == missing


@pytest.mark.parametrize("token", ["%unsubscribe-text%", "{{unsubscribe-text}}", "{{ Unsubscribe Text }}"])
def test_the_place_of_the_unsubscribe_text_is_known(token: str) -> None:
    template = compile_body(f"Hi. {token}")
    assert template.has_unsubscribe_text
    values = mail_values({}, unsubscribe_text=unsubscribe_text("No more", "https://u.example/?a=1&b=2"))
    assert fill(template, values) == 'Hi. <a href="https://u.example/?a=1&amp;b=2">No more</a>'
    assert not compile_body("Hi.").has_unsubscribe_text


def test_a_preview_is_what_is_sent() -> None:
    template = compile_body("{a|b|c} {{first_name}} {d|e}{% if first_name %}{f|g}{% endif %}")
    seed = bytes(range(16))
    assert len({fill(template, seed=seed) for _ in range(3)}) == 1
    assert template.choices(seed) == compile_body("{a|b|c}{d|e}{f|g}").choices(seed)


def test_the_zone_decides_what_time_it_is() -> None:
    template = compile_subject("{{sl_date 'now' 'HH:mm'}}")
    assert template.render({}, seed=1, now=NOW, zone=LONDON) == "08:00"


scalars = st.none() | st.text() | st.integers() | st.floats() | st.booleans()


@given(st.dictionaries(st.text(), scalars, max_size=5), st.text(max_size=30), st.integers())
def test_any_lead_can_be_filled_in(lead: dict[str, object], first_name: str, seed: int) -> None:
    template = compile_body(BODY + "{% if first_name %}{{ first_name | capitalize }}{% endif %}")
    html = fill(template, {**lead, "first_name": first_name}, seed=seed)
    assert html.startswith("Hi")
    assert "\0" not in html
