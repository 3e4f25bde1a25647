"""Marks: where words may stand so that nothing depends on them, and what words are."""

import pytest

from outrider.content.filling import are_words
from outrider.content.marks import Cut, Entangled, is_same_address, mark, refuse_entangled

M = mark(0)


@pytest.mark.parametrize(
    "html",
    [
        M,
        f"Hi {M}, <b>{M}</b> &amp; {M}",
        f'<p title="a">{M}</p><!-- a -->',
        f'<a class="b" href="https://x.example/?a={M}&b={M}">{M}</a>',
        f"<A HREF='http://x.example/{M}' title='t'>",
        f"<!doctype html><head><title>a</title></head><body>{M}</body>",
    ],
)
def test_words_may_stand_between_tags_and_in_addresses(html: str) -> None:
    refuse_entangled(html)


@pytest.mark.parametrize(
    "html",
    [
        f"<{M}>",
        f"<b {M}>",
        f"<b{M}>",
        f'<p title="{M}">',
        f'<img src="https://x.example/{M}" alt="a">',
        f'<a title="{M}" href="https://x.example">',
        f'<a href="https://x.example" title="{M}">',
        f'<a title="href=x" href="https://x.example/{M}">',
        f'<a href="{M}">',
        f'<a href="https://{M}">',
        f'<a href="mailto:{M}">',
        f'<a href=" https://x.example/{M}">',
        f"<a href=https://x.example/{M}>",
        f"a < b {M}",
        f"{M} > b",
        f"<b {M}",
        f"<p title=it's>{M}<b'>",
        f"<!-- {M} -->",
        f"<style>{M}</style>",
        f"<style>a</style{M}>",
        f"<head{M}>",
        f"&{M}",
        f"&am{M}",
        f"&#{M};",
        f'<a href="https://x.example/?a=1&reg{M}">',
        f"&#x100000; {M}",
    ],
)
def test_they_may_not_stand_where_something_depends_on_them(html: str) -> None:
    with pytest.raises(Entangled):
        refuse_entangled(html)


@pytest.mark.parametrize(
    ("shown", "url", "same"),
    [
        ("the guide", f"https://x.example/{M}", False),
        (f"the guide for {M}", "https://x.example/", False),
        ("x.example", "https://www.x.example/", True),
        ("", f"https://x.example/{M}", False),
        (M, f"https://x.example/{M}", None),
        (f"x.example/{M}", f"https://x.example/{M}", None),
        ("x.example", f"https://x.example{M}", None),
        (f"ht{M}", "https://x.example/", None),
        (f"www{M}", "https://x.example/", None),
        ("the guide", f"https://{M}", None),
    ],
)
def test_two_addresses_are_the_same_or_not_or_it_depends(shown: str, url: str, same: bool | None) -> None:
    if same is None:
        with pytest.raises(Entangled):
            is_same_address(shown, url)
    else:
        assert is_same_address(shown, url) is same


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Ada", True),
        ("New York", True),
        ("日本 Ltd.", True),
        ("O&#39;Brien &amp; Sons", True),
        ("https://x.example/?a=1", True),
        ("", False),
        (" a", False),
        ("a ", False),
        ("a  b", False),
        ("a\nb", False),
        ("a\xa0b", False),
        ("a\0", False),
        (".NET", False),
        ("<b>", False),
        ("a & b", False),
        ("&copy;", False),
        ('"', False),
        (M, False),
        ("a" * 50_000 + "<", False),
    ],
)
def test_what_words_are(text: str, expected: bool) -> None:
    assert bool(are_words(text)) is expected


@pytest.mark.parametrize("marked", ["", "a", M, f"a{M}b", f"{M}{mark(1)}", f"{mark(1)} {M} {mark(1)}"])
def test_a_cut_text_is_filled_by_the_numbers_of_its_marks(marked: str) -> None:
    assert Cut.of(marked).fill(["x", "y"]) == marked.replace(M, "x").replace(mark(1), "y")
