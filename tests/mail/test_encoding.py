"""Body texts: read back exactly, in lines that every server takes, in the shortest encoding."""

from base64 import b64decode
from collections.abc import Callable
from quopri import decodestring

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outrider.mail.encoding import EncodedText, crlf_lines, encode_text

DECODERS: dict[bytes, Callable[[bytes], bytes]] = {
    b"7bit": bytes,
    b"quoted-printable": decodestring,
    b"base64": b64decode,
}


def decoded(body: EncodedText) -> str:
    return DECODERS[body.transfer_encoding](body.content).decode()


@given(st.text(max_size=2000))
def test_every_text_is_read_back(text: str) -> None:
    body = encode_text(text)
    assert decoded(body) == crlf_lines(text)
    assert body.content.isascii()
    assert body.content.endswith(b"\r\n")
    limit = 998 if body.transfer_encoding == b"7bit" else 76
    assert all(len(line) <= limit and b"\r" not in line and b"\n" not in line for line in body.content.split(b"\r\n"))


@given(st.text("a .\t=ü\r\n\0", max_size=400), st.integers(0, 1200))
def test_dots_blanks_and_line_ends_survive(text: str, indent: int) -> None:
    assert decoded(encode_text("x" * indent + text)) == crlf_lines("x" * indent + text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", b"7bit"),
        ("x" * 998, b"7bit"),
        ("x" * 999, b"quoted-printable"),
        ("=" * 999, b"base64"),
        ("Schöne Grüße aus dem Süden, wo alles blüht", b"quoted-printable"),
        ("株式会社のご担当者様へ", b"base64"),
        ("", b"7bit"),
    ],
)
def test_the_shortest_encoding_is_taken(text: str, expected: bytes) -> None:
    assert encode_text(text).transfer_encoding == expected


@given(st.text("aü", min_size=1, max_size=300))
def test_no_other_encoding_would_have_been_shorter_by_much(text: str) -> None:
    octets = crlf_lines(text).encode()
    escaped = sum(octet > 126 for octet in octets)
    shortest = min(len(octets) + 2 * escaped, len(octets) * 4 / 3)
    if escaped:
        assert len(encode_text(text).content) <= shortest * 1.06 + 6


def test_all_line_ends_become_crlf_and_nul_is_dropped() -> None:
    assert crlf_lines("a\nb\r\nc\rd\0e") == "a\r\nb\r\nc\r\nde\r\n"
    assert crlf_lines("a\r\n") == "a\r\n"
    assert crlf_lines("") == "\r\n"
