"""Charsets as they really occur."""

import base64
import encodings.aliases

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outrider.mail.decoding import clean, decode_header, decode_text


@pytest.mark.parametrize(
    ("data", "charset", "expected"),
    [
        ("Grüße".encode(), "utf-8", "Grüße"),
        ("Grüße".encode(), None, "Grüße"),
        ("Grüße".encode(), "us-ascii", "Grüße"),
        ("Grüße".encode("latin-1"), "us-ascii", "Grüße"),
        ("Grüße".encode("latin-1"), "x-unknown-charset", "Grüße"),
        ("“Grüße”".encode("cp1252"), "iso-8859-1", "“Grüße”"),
        ("你好镕".encode("gb18030"), "gb2312", "你好镕"),
        ("똠방각하".encode("cp949"), "ks_c_5601-1987", "똠방각하"),
        ("①ございます".encode("cp932"), "Shift_JIS", "①ございます"),
        ("Привет".encode("koi8-r"), '"KOI8-R"', "Привет"),
        (b"caf\xe9", "utf-8", "caf\ufffd"),
        (b"plain", "zlib", "plain"),
        (b"plain", "idna", "plain"),
        (b"plain", "../../etc/passwd", "plain"),
        (b"plain", "utf-8\x00", "plain"),
        (b"\xef\xbb\xbfwith BOM", "utf-8", "with BOM"),
        (b"a\x00b", "utf-8", "ab"),
    ],
)
def test_text_is_decoded_as_its_sender_meant_it(data: bytes, charset: str | None, expected: str) -> None:
    assert decode_text(data, charset) == expected


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("plain", "plain"),
        ("=?utf-8?q?Gr=C3=BC=C3=9Fe?=", "Grüße"),
        ("=?UTF-8?B?R3LDvMOfZQ==?= aus Bonn", "Grüße aus Bonn"),
        ("=?utf-8?q?one?= =?utf-8?q?_two?=", "one two"),
        ("=?utf-8?q?one?=\r\n =?iso-8859-1?q?=FC?=", "oneü"),
        ("a =?utf-8?q?b?= c =?utf-8?q?d?=", "a b c d"),
        ("=?utf-8?B?R3LD?= =?utf-8?B?vMOfZQ==?=", "Grüße"),  # cut inside a character
        ("=?utf-8*en?q?hello?=", "hello"),
        ("=?utf-8?q?two words?=", "two words"),
        ("=?utf-8?B?R3LDvMOfZQ?=", "Grüße"),  # padding forgotten
        ("=?utf-8?B?R?=", ""),
        ("=?nonsense?q?caf=E9?=", "café"),
        ("=?utf-8?x?what?=", "=?utf-8?x?what?="),
        ("folded\r\n\tvalue", "folded value"),
        ("evil\x00\r\nBcc: x", "evil Bcc: x"),
        (b"Gr\xc3\xbc\xc3\x9fe".decode("ascii", "surrogateescape"), "Grüße"),
        (b"Gr\xfc\xdfe".decode("ascii", "surrogateescape"), "Grüße"),
    ],
)
def test_headers_are_decoded_on_one_line(raw: str, expected: str) -> None:
    assert decode_header(raw) == expected


@given(st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc", "Z"]), max_size=40))
def test_encoded_words_give_their_text_back(text: str) -> None:
    word = base64.b64encode(text.encode()).decode()
    expected = "" if not text else clean(text)
    assert decode_header(f"=?utf-8?b?{word}?=") == expected


@given(st.binary(max_size=80), st.sampled_from(sorted(encodings.aliases.aliases)) | st.text(max_size=12))
def test_whatever_is_decoded_can_be_stored(data: bytes, charset: str) -> None:
    text = decode_text(data, charset)
    assert "\x00" not in text
    text.encode("utf-8")


@given(st.text(alphabet=st.characters(codec=None), max_size=60) | st.text(alphabet="=?utf-8bQ_\r\n /+A", max_size=60))
def test_whatever_a_header_holds_can_be_stored(raw: str) -> None:
    text = decode_header(raw)
    assert text == text.strip()
    assert "\x00" not in text
    text.encode("utf-8")
