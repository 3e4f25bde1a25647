"""Which links are counted, and their rewriting."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outrider.content.links import find_links, rewrite_links
from outrider.content.template import compile_body
from tests.content.rendering import fill


def rewrite(url: str, index: int) -> str:
    return f"https://t.example/c/{index}?u={len(url)}&x"


def rewritten(html: str, **options: object) -> str:
    return rewrite_links(html, lambda url, index: f"[{index}:{url}]", **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ('<a href="https://x.example">x</a>', '<a href="[0:https://x.example]">x</a>'),
        ("<a href='http://x.example'>x</a>", '<a href="[0:http://x.example]">x</a>'),
        ("<a class=y href=https://x.example>x</a>", '<a class=y href="[0:https://x.example]">x</a>'),
        ('<A HREF = "HTTPS://x.example">x</A>', '<A HREF = "[0:HTTPS://x.example]">x</A>'),
        ('<a\nhref="https://x.example"\nstyle="a">x</a>', '<a\nhref="[0:https://x.example]"\nstyle="a">x</a>'),
        ('<a href=" https://x.example/a b ">x</a>', '<a href="[0:https://x.example/a%20b]">x</a>'),
        ('<area href="https://x.example">', '<area href="[0:https://x.example]">'),
        ('<a href="https://x.example/?a=1&amp;b=2">x</a>', '<a href="[0:https://x.example/?a=1&amp;b=2]">x</a>'),
        ('<a href="https://x.example/?a=1&b=2">x</a>', '<a href="[0:https://x.example/?a=1&amp;b=2]">x</a>'),
        (
            '<a href="https://x.example/1">1</a><a href="mailto:a@b.example">m</a><a href="https://x.example/2">2</a>',
            '<a href="[0:https://x.example/1]">1</a><a href="mailto:a@b.example">m</a><a href="[1:https://x.example/2]">2</a>',
        ),
    ],
)
def test_web_links_are_rewritten(html: str, expected: str) -> None:
    assert rewritten(html) == expected


@pytest.mark.parametrize(
    "html",
    [
        '<a href="mailto:ada@example.com">x</a>',
        '<a href="tel:+4912345">x</a>',
        '<a href="#top">x</a>',
        '<a href="/relative">x</a>',
        '<a href="">x</a>',
        "<a>x</a>",
        '<a data-href="https://x.example">x</a>',
        '<abbr href="https://x.example">x</abbr>',
        '<img src="https://x.example/a.png">',
        '<link href="https://x.example/a.css">',
        "https://x.example",
        'a href="https://x.example"',
    ],
)
def test_everything_else_stays(html: str) -> None:
    assert rewritten(html) == html
    assert find_links(html) == []


def test_the_unsubscribe_link_stays() -> None:
    html = '<a href="https://t.example/u/abc?x=1&amp;y">bye</a><a href="https://x.example">x</a>'
    assert rewritten(html, keep=("https://t.example/u/",)) == (
        '<a href="https://t.example/u/abc?x=1&amp;y">bye</a><a href="[0:https://x.example]">x</a>'
    )


@pytest.mark.parametrize("shown", ["https://x.example/", "x.example", "<b>www.x.example</b>"])
def test_a_link_that_shows_its_address_stays_if_asked_for(shown: str) -> None:
    html = f'<a href="https://x.example/">{shown}</a>'
    assert rewritten(html, visible_urls=False) == html
    assert rewritten(html) != html


def test_other_links_are_rewritten_then_too() -> None:
    assert rewritten('<a href="https://x.example/">here</a>', visible_urls=False) == (
        '<a href="[0:https://x.example/]">here</a>'
    )
    assert rewritten('<a href="https://x.example/">', visible_urls=False) == '<a href="[0:https://x.example/]">'


def test_the_new_target_is_escaped() -> None:
    assert rewrite_links('<a href="https://x.example">x</a>', rewrite) == (
        '<a href="https://t.example/c/0?u=17&amp;x">x</a>'
    )


def test_links_with_values_in_them_are_rewritten_with_the_values() -> None:
    body = compile_body('<a href="https://x.example/?c={{ company_name }}&amp;v={a|a}">x</a> %signature%')
    html = fill(body, {"company_name": 'A & "B"'})
    assert find_links(html) == ['https://x.example/?c=A%20&%20"B"&v=a']


def test_links_are_listed_in_order() -> None:
    assert find_links('<a href="https://b.example">b</a><a href="https://a.example">a</a>') == [
        "https://b.example",
        "https://a.example",
    ]


@given(st.text(st.sampled_from("<>aAhref= \"'https:/.&;")))
def test_no_html_makes_it_fail(html: str) -> None:
    assert isinstance(rewrite_links(html, lambda url, _: url), str)


@pytest.mark.parametrize("piece", ["<a ", "<a href=", '<a href="', "<a x='"])
def test_hostile_repetition_is_read_in_one_pass(piece: str) -> None:
    assert rewrite_links(piece * 20_000, rewrite)
