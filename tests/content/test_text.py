"""HTML of ours as plain text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outrider.content.text import is_same_address, to_text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("", ""),
        ("a &amp;  b\n c&nbsp;d", "a & b c d"),
        ("one<br>two<br/>three", "one\ntwo\nthree"),
        ("one<br><br>two", "one\n\ntwo"),
        ("<div>one</div><div>two</div>", "one\ntwo"),
        ("<div>one</div><div><br></div><div>two</div>", "one\n\ntwo"),
        ("<div>one<br></div><div>two</div>", "one\ntwo"),
        ("<div>one</div>\n\n<div>two</div>", "one\ntwo"),
        ("<p>one</p><p>two</p>", "one\n\ntwo"),
        ("<P CLASS=x>one</P >two", "one\n\ntwo"),
        ("<h1>Title</h1>text", "Title\n\ntext"),
        ("<b>bold</b> and <i>it</i>alic", "bold and italic"),
        ("a<b> b</b>c", "a bc"),
        ("<ul><li>one</li><li>two</li></ul>after", "- one\n- two\n\nafter"),
        ("<ol><li>one<li>two</ol>", "1. one\n2. two"),
        ("<ul><li>one<ul><li>inner</li></ul></li><li>two</li></ul>", "- one\n  - inner\n- two"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc"),
        ("a<hr>b", "a\n----------\nb"),
        ("<pre>a\n  b\n\nc</pre>d", "a\n  b\n\nc\n\nd"),
        ('<a href="https://x.example/?a=1&amp;b=2">here</a>.', "here (https://x.example/?a=1&b=2)."),
        ("<a href='https://x.example/'>https://x.example</a>", "https://x.example"),
        ('<a href="https://www.x.example/">x.example</a>', "x.example"),
        ('<a href="mailto:ada@example.com">ada@example.com</a>', "ada@example.com"),
        ('<a href="mailto:ada@example.com">write</a>', "write (ada@example.com)"),
        ('<a href="#top">up</a>', "up"),
        ("<a>nothing</a>", "nothing"),
        ('<a href="https://x.example"><img src="y.png" alt="Logo"></a>', "Logo (https://x.example)"),
        ('<a href="https://x.example"><img src="y.png"></a>', "https://x.example"),
        ('<a data-href="no" href=https://x.example>x</a>', "x (https://x.example)"),
        ('<img alt="a > b">c', "a > bc"),
        ("<style>p{}</style><title>t</title>a<script>if(a<b){}</script><!-- c <b> -->b", "ab"),
        ("<!doctype html><html><head><title>t</title></head><body>a</body></html>", "a"),
        ("<!-- never closed <b>a", ""),
        ("<style>never closed", ""),
        ("2 < 3 <4 > 1", "2 < 3 <4 > 1"),
        ("</ul></a></li></pre>a", "a"),
        ("a\x0bb", "a b"),
    ],
)
def test_what_a_reader_sees(html: str, text: str) -> None:
    assert to_text(html) == text


def test_a_whole_mail() -> None:
    html = (
        "<div>Hi Ada,</div><div><br></div><div>Two ports:</div><ul><li>Hamburg</li><li>Malm&ouml;</li></ul>"
        '<div>See <a href="https://x.example/a">this page</a>.<br>Best</div><img src="pixel.gif" alt="">'
    )
    assert to_text(html) == (
        "Hi Ada,\n\nTwo ports:\n\n- Hamburg\n- Malmö\n\nSee this page (https://x.example/a).\nBest"
    )


@pytest.mark.parametrize("text", ["https://x.example", " X.EXAMPLE/ ", "http://www.x.example"])
def test_a_text_can_be_the_address_itself(text: str) -> None:
    assert is_same_address(text, "https://x.example/")


def test_another_text_is_not_the_address() -> None:
    assert not is_same_address("our page", "https://x.example/")
    assert not is_same_address("x.example", "https://x.example/path")


@given(st.text(st.sampled_from("ab <>/&;\n\"'!-=") | st.characters()))
def test_no_html_makes_it_fail(html: str) -> None:
    assert isinstance(to_text(html), str)


@given(
    st.lists(st.sampled_from(["<ul>", "</ul>", "<li>", "<ol>", "<a href='x'>", "</a>", "<pre>", "a\n", "<p>", "<br>"]))
)
def test_no_order_of_tags_makes_it_fail(tags: list[str]) -> None:
    assert to_text("".join(tags)).count("a") >= tags.count("a\n")


@pytest.mark.parametrize("piece", ["<", "<!--", "<a ", '<a "', "<style>", "&", "<a href=", "</", "<p title='"])
def test_hostile_repetition_is_read_in_one_pass(piece: str) -> None:
    assert isinstance(to_text(piece * 20_000), str)
