"""Header fields as bytes: folded, encoded and safe against injection, each ending in CRLF.

RFC 5322 §2.2 (fields, folding), RFC 2047 (encoded words), RFC 6532 (UTF-8 addresses), RFC 2369 and 8058 (unsubscribe).
"""

import re
from binascii import b2a_base64
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from email.utils import format_datetime
from functools import lru_cache

from outrider.mail.address import InvalidAddress
from outrider.mail.message_id import is_canonical

MAX_LINE = 78  # RFC 5322 §2.1.1: should; the limit that must be kept is 998
MAX_UNBROKEN = 900  # a longer piece without a space cannot be folded and is encoded instead
MAX_ENCODED_LINE = 76  # RFC 2047 §2
WORD_DELIMITERS = len("=?utf-8?q?" + "?=")

# C0, DEL, C1 and the two Unicode separators: all that some program takes for the end of a line.
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_FOLDABLE = re.compile(r" *[^ ]+")
_PRINTABLE_ASCII = re.compile(r"[ -~]*")
_ADDRESS = re.compile(r'(?:[^\s<>",;()\x00-\x1f\x7f]+|"[^\x00-\x1f\x7f]*")@[^\s<>",;()\x00-\x1f\x7f]+')
_URI = re.compile(r"[!-;=?-~]+")

# Only what RFC 2047 §5 (3) allows in a phrase; it is right in every other place too.
_PLAIN_IN_WORD = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!*+-/ "
_Q = [chr(octet) if octet in _PLAIN_IN_WORD else f"={octet:02X}" for octet in range(256)]
_Q[ord(" ")] = "_"


def single_line(text: str) -> str:
    """The text as a header can hold it: control characters become spaces, the ends are trimmed."""
    if not _PRINTABLE_ASCII.fullmatch(text):
        text = _CONTROLS.sub(" ", text).encode("utf-8", "replace").decode()
    return text.strip()


def unstructured(name: str, text: str) -> bytes:
    """A field of free text, such as Subject."""
    value = single_line(text)
    offset = len(name) + 2
    if _needs_encoding(value):
        value = _encoded_words(value, offset)
    elif offset + len(value) > MAX_LINE:
        value = _folded(value, offset)
    return f"{name}: {value}\r\n".encode("ascii")


def mailbox(name: str, address: str, display_name: str = "") -> bytes:
    """A field with one address: `From: "Nora Finch" <nora@acme.example>`; raises InvalidAddress."""
    if not _ADDRESS.fullmatch(address):
        raise InvalidAddress("The address cannot stand in a header.")
    phrase = _phrase(" ".join(single_line(display_name).split()), len(name) + 2) if display_name else ""
    if not phrase:
        return f"{name}: {address}\r\n".encode()
    column = len(name) + 2 + len(phrase) if "\n" not in phrase else len(phrase) - phrase.rindex("\n")
    gap = " " if column + len(address) + len(" <>") <= MAX_LINE else "\r\n "
    return f"{name}: {phrase}{gap}<{address}>\r\n".encode()


def addresses(name: str, bare: Sequence[str]) -> bytes:
    """A field with bare addresses, one a line; raises InvalidAddress."""
    if not all(map(_ADDRESS.fullmatch, bare)):
        raise InvalidAddress("The address cannot stand in a header.")
    return _list_field(name, bare, separator=",")


def identifiers(name: str, message_ids: Sequence[str]) -> bytes:
    """Message-ID, In-Reply-To or References, an identifier a line; those that cannot be written are left out."""
    written = [f"<{message_id}>" for message_id in message_ids if is_canonical(message_id)]
    return _list_field(name, written, separator="") if written else b""


def date(moment: datetime) -> bytes:
    """The Date field, in the zone the moment carries."""
    return _date(moment, moment.utcoffset())


@lru_cache(maxsize=64)  # many mails are made at one moment
def _date(moment: datetime, _offset: timedelta | None) -> bytes:
    """The same moment in two zones is one key but for its offset."""
    return f"Date: {format_datetime(moment)}\r\n".encode("ascii")


def list_unsubscribe(uris: Sequence[str]) -> bytes:
    """List-Unsubscribe and, if a web address is among the URIs, the field that announces one-click (RFC 8058 §3.1)."""
    if not uris:
        return b""
    if not all(map(_URI.fullmatch, uris)):
        raise ValueError("A URI in List-Unsubscribe has to be percent-encoded.")
    field = _list_field("List-Unsubscribe", [f"<{uri}>" for uri in uris], separator=",")
    if not any(uri.startswith(("https:", "http:")) for uri in uris):
        return field
    return field + b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"


def _list_field(name: str, items: Sequence[str], *, separator: str) -> bytes:
    value = f"{separator}\r\n ".join(items)
    return f"{name}: {value}\r\n".encode()


def _needs_encoding(value: str) -> bool:
    """Whether it is not ASCII, would be taken for an encoded word, or cannot be folded."""
    if not value.isascii() or "=?" in value:
        return True
    return len(value) > MAX_UNBROKEN and max(map(len, value.split(" "))) > MAX_UNBROKEN


def _phrase(display_name: str, offset: int) -> str:
    if not display_name:
        return ""
    if _needs_encoding(display_name) or len(display_name) > MAX_UNBROKEN:
        return _encoded_words(display_name, offset)
    return '"' + display_name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _folded(value: str, offset: int) -> str:
    """Broken before spaces, so that unfolding gives the same text again."""
    lines: list[str] = []
    line, room = "", MAX_LINE - offset
    for piece in _FOLDABLE.findall(value):
        if line and len(line) + len(piece) > room:
            lines.append(line)
            line, room = "", MAX_LINE
        line += piece
    return "\r\n".join([*lines, line])


def _encoded_words(value: str, offset: int) -> str:
    """The whole value as encoded words in UTF-8: Q for Latin scripts, which stay readable, B for the others."""
    octets = value.encode()
    escaped = len(octets.translate(None, _PLAIN_IN_WORD))
    words = _q_words(value, offset) if escaped * 3 <= len(octets) else _b_words(octets, offset)
    return "\r\n ".join(words)


def _q_words(value: str, offset: int) -> Iterator[str]:
    """A word never splits a character (RFC 2047 §5)."""
    word, room = "", MAX_ENCODED_LINE - WORD_DELIMITERS - offset
    for character in value:
        encoded = _Q[ord(character)] if character < "\x80" else "".join([_Q[octet] for octet in character.encode()])
        if len(word) + len(encoded) > room:
            yield f"=?utf-8?q?{word}?="
            word, room = "", MAX_ENCODED_LINE - WORD_DELIMITERS - 1
        word += encoded
    yield f"=?utf-8?q?{word}?="


def _b_words(octets: bytes, offset: int) -> Iterator[str]:
    start = 0
    while start < len(octets):
        end = start + (MAX_ENCODED_LINE - WORD_DELIMITERS - offset) // 4 * 3
        while end < len(octets) and octets[end] & 0xC0 == 0x80:  # noqa: PLR2004 - the middle of a character
            end -= 1
        yield f"=?utf-8?b?{b2a_base64(octets[start:end], newline=False).decode('ascii')}?="
        start, offset = end, 1
