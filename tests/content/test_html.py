"""Bodies as HTML, and what is put at their end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from outrider.content.html import append_before_body_end, as_html, footer, unsubscribe_text
from outrider.content.template import compile_body
from outrider.content.text import to_text
from tests.content.rendering import fill


@pytest.mark.parametrize(
    ("body", "html"),
    [
        ("Hello", "Hello"),
        ("one\ntwo\r\nthree\rfour", "one<br>\ntwo<br>\nthree<br>\nfour"),
        ("one\n\ntwo", "one<br>\n<br>\ntwo"),
        ("\nHi\n", "Hi"),
        ("I <3 you & 2 > 1", "I &lt;3 you &amp; 2 &gt; 1"),
        ("mail <ada@example.com>", "mail &lt;ada@example.com&gt;"),
        ("a &amp; b &nbsp; &#8211; &x", "a &amp; b &nbsp; &#8211; &amp;x"),
        ("<div>Hello</div>", "<div>Hello</div>"),
        ("one<br>two", "one<br>two"),
        ("one<br>\ntwo", "one<br>\ntwo"),
        ("one<br>\n\ntwo", "one<br>\n<br>\ntwo"),
        ("one <b>x</b>\ntwo & three", "one <b>x</b><br>\ntwo & three"),
        ("<div>one</div>\n<div>two</div>", "<div>one</div>\n<div>two</div>"),
        ("one\n<div>two</div>\nthree", "one\n<div>two</div>\nthree"),
        ("one\n\n<div>two</div>", "one<br>\n\n<div>two</div>"),
        ("<p>one\ntwo</p>\n<p>three</p>", "<p>one\ntwo</p>\n<p>three</p>"),
        ("<html><body>\none\n</body></html>", "<html><body>\none\n</body></html>"),
    ],
)
def test_line_ends_and_tags_both_break_lines(body: str, html: str) -> None:
    assert as_html(body) == html


def test_liquid_survives_in_a_plain_body() -> None:
    body = '{% if employees > 5 %}\nbig & <strong>\n{% else %}\nsmall\n{% endif %}\n{{ x | default: "a & b" }}'
    assert fill(compile_body(body.replace("<strong>", "<3")), {"employees": 7}) == "big &amp; &lt;3<br>\na &amp; b"


def test_a_line_of_tags_alone_is_no_line() -> None:
    assert as_html("a\n{% if x %}\nb\n{% endif %}\nc") == "a<br>\n{% if x %}b<br>\n{% endif %}c"


def test_a_line_end_inside_braces_is_no_line() -> None:
    assert fill(compile_body('a\n{{ x |\n default: "b" }}')) == "a<br>\nb"


@given(st.text(st.sampled_from("ab <>/&;\n{}%divbrp!-")))
def test_as_html_never_fails_and_keeps_the_words(body: str) -> None:
    assert [c for c in as_html(body) if c == "a"] >= [c for c in body if c == "a"]


@given(st.text("ab <>&\n", max_size=40))
def test_a_plain_body_reads_as_it_was_written(body: str) -> None:
    read = to_text(as_html(body))
    if not any(tag in body for tag in ("<a", "<b")):
        assert read.split() == body.split()


def test_snippets_go_before_the_end_of_the_body() -> None:
    assert append_before_body_end("<html><body>a</body></html>", "X") == "<html><body>aX</body></html>"
    assert append_before_body_end("<BODY>İa</BODY>", "X") == "<BODY>İaX</BODY>"
    assert append_before_body_end("a", "X") == "aX"
    assert append_before_body_end("a", "") == "a"


def test_the_unsubscribe_text_is_a_link_or_only_words() -> None:
    assert unsubscribe_text(" No <more> ", "https://u.example/?a&b") == Markup(
        '<a href="https://u.example/?a&amp;b">No &lt;more&gt;</a>'
    )
    assert unsubscribe_text("No <more>", None) == Markup("No &lt;more&gt;")
    assert unsubscribe_text(" ", "https://u.example") == Markup("")


def test_the_footer_is_a_block_of_its_own() -> None:
    assert to_text("<div>a</div>" + footer(unsubscribe_text("No more", "https://u.example"))) == (
        "a\nNo more (https://u.example)"
    )
