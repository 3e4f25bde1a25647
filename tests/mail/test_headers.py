"""Header fields: folding, encoded words, injection; read back by the standard parser."""

import email
from email import policy
from email.header import decode_header, make_header

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outrider.mail import headers
from outrider.mail.address import InvalidAddress

LINE_ENDS = "\r\n\x00\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"


def subject_of(field: bytes) -> str:
    return str(email.message_from_bytes(field + b"\r\n", policy=policy.default)["Subject"])


def lines_of(field: bytes) -> list[bytes]:
    assert field.endswith(b"\r\n")
    return field[:-2].split(b"\r\n")


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp"]), max_size=200))
def test_every_subject_is_read_back_as_it_was_written(subject: str) -> None:
    field = headers.unstructured("Subject", subject)
    assert subject_of(field) == subject.strip()
    assert max(map(len, lines_of(field))) <= 998
    assert field.isascii()


@given(st.text())
def test_no_subject_can_end_its_line(subject: str) -> None:
    lines = lines_of(headers.unstructured("Subject", subject))
    assert lines[0].startswith(b"Subject: ")
    assert all(line.startswith(b" ") and line.strip() for line in lines[1:])
    assert not any(octet < 32 or octet > 126 for line in lines for octet in line)


@given(st.text("aü= ?_", min_size=1, max_size=300))
def test_lines_of_encoded_words_keep_to_76_characters(subject: str) -> None:
    field = headers.unstructured("Subject", "ü" + subject)
    assert max(map(len, lines_of(field))) <= 76
    assert subject_of(field) == ("ü" + subject).strip()


@given(st.text("abc ", max_size=400))
def test_a_long_ascii_subject_is_folded_without_losing_a_space(subject: str) -> None:
    field = headers.unstructured("Subject", subject)
    assert subject_of(field) == subject.strip()
    assert b"=?" not in field


@pytest.mark.parametrize(
    ("subject", "field"),
    [
        ("Quick question, Jane", b"Subject: Quick question, Jane\r\n"),
        ("", b"Subject: \r\n"),
        ("Viele Grüße", b"Subject: =?utf-8?q?Viele_Gr=C3=BC=C3=9Fe?=\r\n"),
        ("你好", b"Subject: =?utf-8?b?5L2g5aW9?=\r\n"),
        ("Hi\r\nBcc: x@y.example", b"Subject: Hi Bcc: x@y.example\r\n"),
        ("=?utf-8?q?no?=", b"Subject: =?utf-8?b?PT91dGYtOD9xP25vPz0=?=\r\n"),
        ("lone \ud800 surrogate", b"Subject: lone ? surrogate\r\n"),
    ],
)
def test_the_subject_on_the_wire(subject: str, field: bytes) -> None:
    assert headers.unstructured("Subject", subject) == field


def test_a_word_too_long_for_a_line_is_encoded() -> None:
    field = headers.unstructured("Subject", "x" * 3000)
    assert max(map(len, lines_of(field))) <= 76
    assert subject_of(field) == "x" * 3000


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("", b"From: nora@acme.example\r\n"),
        ("Nora Finch", b'From: "Nora Finch" <nora@acme.example>\r\n'),
        ('Nora "The Fox" \\ Finch, Ltd.', b'From: "Nora \\"The Fox\\" \\\\ Finch, Ltd." <nora@acme.example>\r\n'),
        ("Nörgel", b"From: =?utf-8?q?N=C3=B6rgel?= <nora@acme.example>\r\n"),
        ("Nora\r\nBcc: <x@y.example>", b'From: "Nora Bcc: <x@y.example>" <nora@acme.example>\r\n'),
        ("N" * 60, b'From: "' + b"N" * 60 + b'"\r\n <nora@acme.example>\r\n'),
    ],
)
def test_a_mailbox_on_the_wire(name: str, field: bytes) -> None:
    assert headers.mailbox("From", "nora@acme.example", name) == field


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp"]), max_size=100))
def test_every_display_name_is_read_back_beside_its_address(name: str) -> None:
    field = headers.mailbox("From", "nora@acme.example", name)
    parsed = email.message_from_bytes(field + b"\r\n", policy=policy.default)["From"].addresses
    assert [address.addr_spec for address in parsed] == ["nora@acme.example"]
    assert field.isascii()
    assert max(map(len, lines_of(field))) <= 998
    assert display_name_of(field, parsed[0].display_name) == " ".join(name.split())


def display_name_of(field: bytes, read: str) -> str:
    """The policy's parser keeps the space between two words of a phrase (RFC 2047 §6.2 drops it), the older one not."""
    phrase = field.decode().removeprefix("From: ").rpartition("<")[0].strip()
    return str(make_header(decode_header(phrase))) if "?=\r\n =?" in phrase else read


@pytest.mark.parametrize(
    "address", ["a b@x.example", "a@x.example\r\nBcc: b", "a@x>, <b@y", "no-at-sign", "", "a@b\u2028c"]
)
def test_an_address_that_would_break_the_header_is_refused(address: str) -> None:
    with pytest.raises(InvalidAddress):
        headers.mailbox("To", address)


def test_addresses_in_utf_8_stand_in_the_header_as_they_are() -> None:
    assert headers.mailbox("To", "ñora@acme.example") == "To: ñora@acme.example\r\n".encode()


def test_references_stand_a_line_each_and_broken_ones_are_left_out() -> None:
    field = headers.identifiers("References", ("a@x", "b\r\nBcc: evil@y", "c@x"))
    assert field == b"References: <a@x>\r\n <c@x>\r\n"
    assert headers.identifiers("References", ("b c@x",)) == b""


def test_a_web_address_to_unsubscribe_announces_one_click() -> None:
    field = headers.list_unsubscribe(("https://t.acme.example/u/tok", "mailto:nora@acme.example?subject=tok"))
    assert field == (
        b"List-Unsubscribe: <https://t.acme.example/u/tok>,\r\n <mailto:nora@acme.example?subject=tok>\r\n"
        b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
    )


def test_a_mail_address_alone_is_no_one_click() -> None:
    assert headers.list_unsubscribe(("mailto:a@x.example",)) == b"List-Unsubscribe: <mailto:a@x.example>\r\n"
    assert headers.list_unsubscribe(()) == b""


@pytest.mark.parametrize(
    "uri", ["https://x.example/a b", "https://x.example/\r\nBcc:", "https://x.example/>", "https://x.example/ü"]
)
def test_a_uri_that_is_not_percent_encoded_is_a_programming_error(uri: str) -> None:
    with pytest.raises(ValueError, match="percent-encoded"):
        headers.list_unsubscribe((uri,))
