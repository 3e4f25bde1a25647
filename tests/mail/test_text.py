"""Plain text and HTML, each made from the other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outrider.mail.text import html_to_text, text_to_html


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("Who are you?\n", "<p>Who are you?</p>"),
        ("one\r\ntwo\r\n\r\nthree", "<p>one<br>two</p><p>three</p>"),
        ('a < b & "c"\n\n \n\n<script>', "<p>a &lt; b &amp; &quot;c&quot;</p><p>&lt;script&gt;</p>"),
        ("> quoted", "<p>&gt; quoted</p>"),
        ("  \n", ""),
        ("", ""),
    ],
)
def test_plain_text_is_escaped_and_wrapped(text: str, html: str) -> None:
    assert text_to_html(text) == html


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<div>one</div><div>two</div>", "one\ntwo"),
        ("<p>one</p><p>two<br>three</p>", "one\n\ntwo\nthree"),
        ("one<br><br><br>two", "one\n\ntwo"),
        ("a\n  b&nbsp;<b>c</b>", "a b c"),
        ("<ul><li>one</li><li>two</li></ul>", "- one\n- two"),
        ("said<blockquote>you<br>said</blockquote>", "said\n\n> you\n> said"),
        ("<title>t</title><style>s</style><script>x()</script><!-- c -->text", "text"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc"),
        ("", ""),
    ],
)
def test_html_becomes_the_lines_a_reader_sees(html: str, text: str) -> None:
    assert html_to_text(html) == text


@given(st.lists(st.text(alphabet=st.characters(categories=["L", "N"]), min_size=1, max_size=12), max_size=5))
def test_words_survive_both_ways(words: list[str]) -> None:
    assert html_to_text(text_to_html("\n".join(words))) == "\n".join(words)


@given(st.text(alphabet="<>divpblockquote/ =\"'&;!-x", max_size=200))
def test_any_html_gives_some_text(html: str) -> None:
    assert isinstance(html_to_text(html), str)


@pytest.mark.parametrize("html", ["<div>" * 100_000 + "x", "<blockquote>" * 14_000 + "x", "<" * 1_000_000])
def test_hostile_html_is_read_in_bounded_time(html: str) -> None:
    assert len(html_to_text(html)) <= len(html)
