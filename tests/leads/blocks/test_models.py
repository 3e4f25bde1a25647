"""How entries of the block list are spelled, and which ones block an address."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outrider.leads.blocks.models import blocking_entries, normalised_entry


@pytest.mark.parametrize(
    ("text", "entry"),
    [
        ("rival.io", "rival.io"),
        (" Rival.IO ", "rival.io"),
        ("@rival.io", "rival.io"),
        ("www.rival.io", "rival.io"),
        ("https://www.rival.io/pricing?x=1#y", "rival.io"),
        ("http://rival.io:8080", "rival.io"),
        ("*.rival.io", "rival.io"),
        ("rival.io.", "rival.io"),
        ("eu.rival.io", "eu.rival.io"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("Ada@Rival.io", "ada@rival.io"),
        ("mailto:ada@rival.io?subject=x", "ada@rival.io"),
        ("ada@bücher.example", "ada@xn--bcher-kva.example"),
        ("rival", None),
        ("", None),
        ("@", None),
        ("a@@rival.io", None),
        ("a b@rival.io", None),
        ("a@localhost", None),
        ("192.0.2.1", None),
        ("[192.0.2.1]", None),
        ("rival io", None),
    ],
)
def test_an_entry_has_one_spelling(text: str, entry: str | None) -> None:
    assert normalised_entry(text) == entry


@given(st.text(max_size=60))
def test_whatever_is_read_stays_as_it_is(text: str) -> None:
    entry = normalised_entry(text)
    assert entry is None or normalised_entry(entry) == entry


def test_an_address_is_blocked_by_itself_and_every_domain_above_it() -> None:
    assert blocking_entries("ada@eu.mail.rival.io") == [
        "ada@eu.mail.rival.io",
        "eu.mail.rival.io",
        "mail.rival.io",
        "rival.io",
    ]
