"""Files in a mail: a composed mail becomes the first part of a multipart/mixed (RFC 2046 §5.1.3, 2183, 2231)."""

import re
from base64 import encodebytes
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from urllib.parse import quote

_MIME = b"MIME-Version: 1.0\r\n"
_TYPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]{0,60}/[A-Za-z0-9][A-Za-z0-9.+_-]{0,80}")
_ANY_TYPE = "application/octet-stream"
_UNSAFE = re.compile(r'[\x00-\x1f\x7f"\\/]')
_LONGEST_NAME = 150
_PIECE = 5  # characters, of twelve octets at most


@dataclass(frozen=True, slots=True)
class File:
    name: str
    content: bytes = field(repr=False)
    mime_type: str = _ANY_TYPE


def attach(raw: bytes, files: Sequence[File]) -> bytes:
    """The mail that `Skeleton.fill` made, with files; without any it is as it was."""
    if not files:
        return raw
    head, _, body = raw.partition(_MIME)
    boundary = b"=_" + blake2b(raw, digest_size=12).hexdigest().encode("ascii")  # base64 never holds `=_`
    while boundary in body:
        boundary += b"_"
    parts = [body.rstrip(b"\r\n"), *map(_part, files)]
    opened = b"".join(b"--%b\r\n%b\r\n" % (boundary, part) for part in parts)
    return b'%b%bContent-Type: multipart/mixed; boundary="%b"\r\n\r\n%b--%b--\r\n' % (
        head,
        _MIME,
        boundary,
        opened,
        boundary,
    )


def _part(file: File) -> bytes:
    mime_type = file.mime_type if _TYPE.fullmatch(file.mime_type) else _ANY_TYPE
    if mime_type.lower().startswith(("multipart/", "message/")):
        mime_type = _ANY_TYPE  # base64 is not allowed there (RFC 2045 §6.4)
    head = (
        f"Content-Type: {mime_type}\r\n"
        f"Content-Disposition: attachment;\r\n {_file_name(file.name)}\r\n"
        "Content-Transfer-Encoding: base64\r\n\r\n"
    )
    return head.encode("ascii") + encodebytes(file.content).replace(b"\n", b"\r\n").rstrip(b"\r\n")


def _file_name(name: str) -> str:
    safe = _UNSAFE.sub("_", name).strip()[:_LONGEST_NAME] or "file"
    if safe.isascii():
        return f'filename="{safe}"'
    # RFC 2231 §3: in pieces, as a line could be too long for a mail; none of them splits a character
    pieces = [quote(safe[at : at + _PIECE], safe="") for at in range(0, len(safe), _PIECE)]
    pieces[0] = f"UTF-8''{pieces[0]}"
    if len(pieces) == 1:
        return f"filename*={pieces[0]}"
    return ";\r\n ".join(f"filename*{number}*={piece}" for number, piece in enumerate(pieces))
