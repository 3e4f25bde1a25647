"""The spelling of a lead's address."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outrider.leads.emails import email_key
from outrider.mail.address import InvalidAddress, parse_address


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("Ada@Hexly.io", "ada@hexly.io"),
        (" ada.quill+x@mail.hexly.co.uk\n", "ada.quill+x@mail.hexly.co.uk"),
        ("\u200bada@hexly.io\ufeff", "ada@hexly.io"),
        ('"ada quill"@hexly.io', '"ada quill"@hexly.io'),
        ("ÅSA@hexly.io", "åsa@hexly.io"),
        ("ada@hexly.io.", "ada@hexly.io"),
        ("a" * 64 + "@hexly.io", "a" * 64 + "@hexly.io"),
        ("a" * 65 + "@hexly.io", None),
        ("ada@localhost", None),
        ("ada@[192.0.2.1]", None),
        ("ada@hexly.c-m.", "ada@hexly.c-m"),
        ("ada @hexly.io", None),
        ("Ada <ada@hexly.io>", None),
    ],
)
def test_an_address_has_one_spelling(text: str, key: str | None) -> None:
    assert email_key(text) == key


_parts = st.from_regex(r"[a-zA-Z0-9_+.-]{1,34}", fullmatch=True)
_domains = st.from_regex(r"[a-zA-Z0-9-]{1,6}(\.[a-zA-Z0-9-]{1,6}){0,4}", fullmatch=True)


@given(_parts, _domains)
def test_the_quick_way_agrees_with_the_rules_of_mail(localpart: str, domain: str) -> None:
    text = f"{localpart}@{domain}"
    try:
        address = parse_address(text)
    except InvalidAddress:
        expected = None
    else:
        expected = address.key if address.has_public_domain else None
    assert email_key(text) == expected


@given(st.text(max_size=40), st.text(max_size=40))
def test_a_spelling_stays_as_it_is_and_is_lower_case(localpart: str, domain: str) -> None:
    key = email_key(f"{localpart}@{domain}.io")
    assert key is None or (email_key(key) == key and key == key.lower())
