"""From the bytes of a mail to clean text: charsets as they really occur and encoded words (RFC 2047).

Clean means: no NUL and no lone surrogates, which PostgreSQL and UTF-8 refuse.
"""

import base64
import binascii
import codecs
import quopri
import re

# What senders write and what they mean: the supersets browsers use (WHATWG Encoding), and misspellings.
_MEANT = {
    "ascii": "cp1252",
    "us-ascii": "cp1252",
    "ansi_x3.4-1968": "cp1252",
    "iso-8859-1": "cp1252",
    "iso8859-1": "cp1252",
    "latin1": "cp1252",
    "latin-1": "cp1252",
    "iso-8859-8-i": "iso-8859-8",
    "iso-8859-9": "cp1254",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "x-gbk": "gb18030",
    "gb_2312-80": "gb18030",
    "ks_c_5601-1987": "cp949",
    "euc-kr": "cp949",
    "shift_jis": "cp932",
    "x-sjis": "cp932",
    "tis-620": "cp874",
    "x-mac-roman": "mac-roman",
    "unicode-1-1-utf-7": "utf-7",
    "unicode-1-1-utf-8": "utf-8",
    "cp-850": "cp850",
}
_MEANS_NOTHING = frozenset({"", "ascii", "us-ascii", "ansi_x3.4-1968", "unknown-8bit", "x-unknown", "8bit", "binary"})
# Python codecs that are no charsets of mail; the first two take quadratic time.
_NO_CHARSETS = frozenset({"idna", "punycode", "undefined", "unicode_escape", "raw_unicode_escape"})
_CHARSET_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:+-]{0,39}")

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_NO_ESCAPE = re.compile("[\ud800-\udc7f\udd00-\udfff]")  # PEP 383 uses U+DC80 to U+DCFF
_SPACE_OR_CONTROL = re.compile(r"[\x00-\x20\x7f\x85\u2028\u2029]+")
# RFC 2047 §2, with the language of RFC 2231 §5; blanks inside the text are a common mistake and are let pass.
_ENCODED_WORD = re.compile(r"=\?([^?*\s]{1,60})(?:\*[^?\s]{0,40})?\?([bBqQ])\?([^?]*)\?=")


def decode_text(data: bytes, charset: str | None) -> str:
    """The text of some bytes in the charset their sender named, or in the one he probably used."""
    name = (charset or "").strip().strip("\"'").lower()
    if name in _MEANS_NOTHING or not _CHARSET_NAME.fullmatch(name):
        return clean(_guess(data))
    try:
        codec = codecs.lookup(_MEANT.get(name, name)).name
        if codec in _NO_CHARSETS:
            return clean(_guess(data))
        return clean(data.decode(codec, "replace"))
    except (LookupError, ValueError):  # unknown, or a codec that is not for text
        return clean(_guess(data))


def decode_header(raw: str) -> str:
    """The text of a header's value: unfolded, decoded, on one line."""
    text = restore_8bit(raw)
    if "=?" in text:
        text = _decode_words(text)
    return _SPACE_OR_CONTROL.sub(" ", clean(text)).strip()


def clean(text: str) -> str:
    """The text without what cannot be stored: NUL is dropped, half a surrogate pair becomes U+FFFD."""
    return _UNSTORABLE.sub(lambda found: "" if found[0] == "\x00" else "\ufffd", text.removeprefix("\ufeff"))


def _guess(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def restore_8bit(raw: str) -> str:
    """Undo the escapes with which the standard library carries bytes above 127 in headers."""
    if not _UNSTORABLE.search(raw):
        return raw
    return _guess(_NO_ESCAPE.sub("\ufffd", raw).encode("utf-8", "surrogateescape"))


def _decode_words(text: str) -> str:
    """Decode encoded words; neighbours are joined as bytes first, since many senders cut inside a character."""
    pieces: list[str] = []
    charset, held = "", b""
    position = 0
    for word in _ENCODED_WORD.finditer(text):
        gap = text[position : word.start()]
        # RFC 2047 §6.2: white space between two encoded words is not part of the text.
        is_next_to_word = position > 0 and not gap.strip()
        if not is_next_to_word or word[1].lower() != charset:
            pieces.append(decode_text(held, charset) if held else "")
            held = b""
        if not is_next_to_word:
            pieces.append(gap)
        charset = word[1].lower()
        held += _word_bytes(word[2], word[3])
        position = word.end()
    pieces.append(decode_text(held, charset) if held else "")
    pieces.append(text[position:])
    return "".join(pieces)


def _word_bytes(encoding: str, text: str) -> bytes:
    data = text.encode("utf-8", "replace")
    if encoding in "qQ":
        return quopri.decodestring(data.replace(b"_", b" "), header=False)
    letters = re.sub(rb"[^A-Za-z0-9+/]", b"", data)
    # One letter over carries no byte; without it any length can be padded.
    letters = letters[:-1] if len(letters) % 4 == 1 else letters
    try:
        return base64.b64decode(letters + b"=" * (-len(letters) % 4))
    except binascii.Error:
        return data
