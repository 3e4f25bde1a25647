"""Addresses: what is accepted, how it is spelled afterwards, and whose domain it is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outrider.mail.address import (
    InvalidAddress,
    domain_of,
    is_free_mail,
    normalise,
    parse_address,
    parse_address_list,
    registrable_domain,
    shown_domain,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nora@acme.example", "nora@acme.example"),
        ("  Nora.Finch@ACME.Example.\n", "Nora.Finch@acme.example"),
        ("\u200bnora@acme.example\ufeff", "nora@acme.example"),
        ("nora+sales@acme.example", "nora+sales@acme.example"),
        ("o'brien@acme.example", "o'brien@acme.example"),
        ('"nora"@acme.example', "nora@acme.example"),
        ('"nora finch"@acme.example', '"nora finch"@acme.example'),
        ('"no\\ra"@acme.example', "nora@acme.example"),
        ('"a\\"b"@acme.example', '"a\\"b"@acme.example'),
        ('"a@b"@acme.example', '"a@b"@acme.example'),
        ("nora@münchen.example", "nora@xn--mnchen-3ya.example"),
        ("nora@MÜNCHEN.example", "nora@xn--mnchen-3ya.example"),
        ("nora@acme。example", "nora@acme.example"),
        ("ñora@acme.example", "ñora@acme.example"),
        ("用户@例子.example", "用户@xn--fsqu00a.example"),
        ("nora@[192.0.2.1]", "nora@[192.0.2.1]"),
        ("nora@[ipv6:2001:DB8::1]", "nora@[IPv6:2001:db8::1]"),
        ("nora@localhost", "nora@localhost"),
    ],
)
def test_an_address_has_one_spelling(text: str, expected: str) -> None:
    assert normalise(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nora",
        "@acme.example",
        "nora@",
        "nora finch@acme.example",
        "nora.@acme.example",
        ".nora@acme.example",
        "no..ra@acme.example",
        "nora@acme..example",
        "nora@-acme.example",
        "nora@acme_x.example",
        "nora@192.0.2.1",
        "nora@[300.0.2.1]",
        "nora@acme.example\r\nBcc: x@y.example",
        "nora\r\nBcc:x@acme.example",
        "<nora@acme.example>",
        "nora@acme.example, x@y.example",
        "no\u200bra@acme.example",
        "no\u00a0ra@acme.example",
        '"unclosed@acme.example',
        "x" * 65 + "@acme.example",
        "nora@" + "x" * 64 + ".example",
        "nora@" + "x." * 130 + "example",
        "nora@xn--\u00fc.example",
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(InvalidAddress):
        parse_address(text)


def test_the_a_label_is_stored_and_the_u_label_is_shown() -> None:
    address = parse_address("nora@münchen.example")
    assert address.domain == "xn--mnchen-3ya.example"
    assert address.shown == "nora@münchen.example"
    assert shown_domain("xn--a.example") == "xn--a.example"  # no punycode: stays as it is


def test_only_the_localpart_decides_whether_smtputf8_is_needed() -> None:
    assert parse_address("ñora@acme.example").needs_smtputf8
    assert not parse_address("nora@münchen.example").needs_smtputf8


def test_addresses_are_compared_without_regard_to_case() -> None:
    assert parse_address("Nora@ACME.example").key == parse_address("nora@acme.example").key


def test_host_names_and_ip_literals_are_no_public_domains() -> None:
    assert parse_address("nora@acme.example").has_public_domain
    assert not parse_address("nora@localhost").has_public_domain
    assert not parse_address("nora@[192.0.2.1]").has_public_domain


def test_a_typed_list_may_be_separated_by_anything() -> None:
    found = parse_address_list(" a@x.example, b@x.example;c@x.example\nd@x.example,")
    assert [address.localpart for address in found] == ["a", "b", "c", "d"]
    assert parse_address_list("") == ()


@pytest.mark.parametrize(
    ("domain", "expected"),
    [
        ("acme.com", "acme.com"),
        ("eu.mail.acme.co.uk", "acme.co.uk"),
        ("Eu.Acme.Example.", "acme.example"),
        ("x.blogspot.com", "x.blogspot.com"),  # the private section counts
        ("co.uk", None),
        ("localhost", None),
        ("[192.0.2.1]", None),
        ("", None),
    ],
)
def test_the_registrable_domain_is_one_label_below_the_public_suffix(domain: str, expected: str | None) -> None:
    assert registrable_domain(domain) == expected


@pytest.mark.parametrize("domain", ["gmail.com", "yahoo.co.uk", "YAHOO.de", "gmx.net", "yandex.com.tr", "mail.gmx.at"])
def test_free_mail_is_recognised_in_all_countries(domain: str) -> None:
    assert is_free_mail(domain)


@pytest.mark.parametrize("domain", ["acme.com", "yahoo.acme.com", "gmail.acme.com", "com", "[192.0.2.1]"])
def test_a_company_domain_is_no_free_mail(domain: str) -> None:
    assert not is_free_mail(domain)


def test_the_free_mail_list_can_be_extended() -> None:
    assert is_free_mail("mail.isp.example", more=frozenset({"isp.example"}))


def test_the_contracts_free_mail_list_is_complete() -> None:
    # fmt: off
    listed = [
        "gmail.com", "googlemail.com", "outlook.com", "hotmail.com", "live.com", "msn.com", "yahoo.com",
        "ymail.com", "rocketmail.com", "aol.com", "icloud.com", "me.com", "mac.com", "proton.me",
        "protonmail.com", "pm.me", "gmx.de", "web.de", "t-online.de", "freenet.de", "mail.com", "zoho.com",
        "yandex.ru", "mail.ru", "qq.com", "163.com", "126.com", "fastmail.com", "hey.com", "tutanota.com",
        "comcast.net", "verizon.net", "att.net", "btinternet.com", "orange.fr", "free.fr", "laposte.net",
        "libero.it", "wp.pl", "o2.pl", "seznam.cz",
    ]
    # fmt: on
    assert [domain for domain in listed if not is_free_mail(domain)] == []


def test_the_domain_of_a_text_without_at_sign_is_empty() -> None:
    assert domain_of("nora@acme.example") == "acme.example"
    assert domain_of("nora") == ""


@given(st.text(max_size=80))
def test_a_canonical_address_parses_to_itself_and_has_no_line_breaks(text: str) -> None:
    try:
        address = parse_address(text)
    except InvalidAddress:
        return
    assert parse_address(str(address)) == address
    assert str(address).isprintable()


@given(st.from_regex(r"[a-zA-Z0-9.+\"\\ ]{1,12}@[a-zA-Z0-9ü.\[\]:-]{1,20}", fullmatch=True))
def test_things_that_look_like_addresses_parse_to_themselves_or_not_at_all(text: str) -> None:
    try:
        address = parse_address(text)
    except InvalidAddress:
        return
    assert parse_address(str(address)) == address
