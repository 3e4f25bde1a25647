"""Texts as MIME body parts that every server can carry: lines in CRLF, a transfer encoding chosen by length.

RFC 2045 §6 (7bit, quoted-printable, base64), RFC 5321 §4.5.3.1.6 (line length). 8bit is never assumed.
"""

from binascii import b2a_base64, b2a_qp
from typing import NamedTuple

MAX_LINE_OCTETS = 998  # RFC 5322 §2.1.1
BASE64_LINE = 57  # octets that make 76 characters (RFC 2045 §6.8)
_ASCII = bytes(range(128))


class EncodedText(NamedTuple):
    transfer_encoding: bytes
    content: bytes  # ends in CRLF


def encode_text(text: str) -> EncodedText:
    """7bit if the text is ASCII with lines short enough, else quoted-printable or base64, whichever is shorter."""
    octets = crlf_lines(text).encode("utf-8", "replace")
    if octets.isascii() and has_short_lines(octets):
        return EncodedText(b"7bit", octets)
    quoted = EncodedText(b"quoted-printable", b2a_qp(octets))
    if not _may_favour_base64(octets):
        return quoted
    encoded = EncodedText(b"base64", base64_lines(octets))
    return min(quoted, encoded, key=lambda candidate: len(candidate.content))


def crlf_lines(text: str) -> str:
    """All kinds of line ends become CRLF, also the last; NUL, which RFC 5322 §2.2 bars, is dropped."""
    if "\0" in text:
        text = text.replace("\0", "")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not text.endswith("\n"):
        text += "\n"
    return text.replace("\n", "\r\n")


def has_short_lines(octets: bytes) -> bool:
    return len(octets) <= MAX_LINE_OCTETS or max(map(len, octets.split(b"\r\n"))) <= MAX_LINE_OCTETS


def base64_lines(octets: bytes) -> bytes:
    pieces = [b2a_base64(octets[at : at + BASE64_LINE], newline=False) for at in range(0, len(octets), BASE64_LINE)]
    return b"\r\n".join([*pieces, b""])


def _may_favour_base64(octets: bytes) -> bool:
    """Quoted-printable adds two octets for each one escaped, base64 a third of all: below an eighth it cannot win."""
    escaped = len(octets.translate(None, _ASCII)) + octets.count(b"=")
    return escaped * 8 > len(octets)
