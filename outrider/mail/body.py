"""The body of a received mail: which MIME parts are its text, its HTML and its attachments (RFC 2046, RFC 2183)."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from email.message import Message
from typing import Any, TypeVar

from outrider.mail.decoding import clean, decode_header, decode_text
from outrider.mail.text import html_to_text, text_to_html

MAX_TEXT = 2_000_000  # characters kept of each of the two forms
MAX_DEPTH = 20
MAX_PARTS = 300
MAX_ATTACHMENTS = 100  # what is beyond one of these three bounds is listed without its content
MAX_ATTACHMENT = 20_000_000  # bytes of one
MAX_CONTENT = 25_000_000  # bytes of all together
MAX_NAME = 200

T = TypeVar("T")

# Parts of reports that are for programs (RFC 3462, RFC 8098, RFC 5965); `dsn` reads them from the message itself.
_FOR_PROGRAMS = frozenset(
    {"message/delivery-status", "message/global-delivery-status", "message/disposition-notification"}
    | {"message/feedback-report", "text/rfc822-headers", "message/global-headers"}
)
# Nor marks of the writing direction: they make "exe.fdp" of a name that ends in "pdf.exe".
_NOT_IN_NAMES = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|\u200e\u200f\u202a-\u202e\u2066-\u2069]+')


@dataclass(frozen=True, slots=True)
class Attachment:
    name: str  # safe as a file name; "" if the sender gave none
    content_type: str
    size: int  # bytes
    content: bytes | None = field(repr=False)  # None: not kept, too large or one too many
    content_id: str | None = None
    is_inline: bool = False


@dataclass(frozen=True, slots=True)
class Body:
    """`text` and `html` as their sender made them; None: that form is missing."""

    text: str | None
    html: str | None
    attachments: tuple[Attachment, ...]


def read_body(message: Message, *, is_cut: bool = False) -> Body:
    """`is_cut`: only the beginning of the message is there, so its last attachment is a fragment."""
    reader = _Reader()
    body = _in_sequence(reader.read(message, 0))
    attachments = reader.attachments
    if is_cut and attachments:
        attachments[-1] = replace(attachments[-1], content=None)
    return Body(
        text=body.text[:MAX_TEXT] if body.text is not None else None,
        html=body.html[:MAX_TEXT] if body.html is not None else None,
        attachments=tuple(attachments),
    )


def lenient(read: Callable[[], T], default: T) -> T:
    """What `read` returns, or the default: for calls of the standard library, which stumbles over many a header."""
    try:
        return read()
    except Exception:  # noqa: BLE001 - LookupError, ValueError, IndexError, AttributeError and more have been seen
        return default


def children(part: Message) -> list[Message]:
    """The parts of a part; none if it has no parts but content."""
    content: Any = part.get_payload() if part.is_multipart() else []
    return [child for child in content if isinstance(child, Message)]


def part_bytes(part: Message) -> bytes:
    """The content of a part without its transfer encoding."""
    content: Any = lenient(lambda: part.get_payload(decode=True), None)
    if isinstance(content, bytes):
        return content
    undecoded: Any = lenient(part.get_payload, None)
    return undecoded.encode("utf-8", "surrogateescape") if isinstance(undecoded, str) else b""


def part_text(part: Message) -> str:
    """The content of a text part, decoded, with plain line ends."""
    charset: str | None = lenient(part.get_content_charset, None)
    return decode_text(part_bytes(part), charset).replace("\r\n", "\n").replace("\r", "\n")


def content_type(part: Message) -> str:
    return clean(lenient(part.get_content_type, "text/plain"))


@dataclass(frozen=True, slots=True)
class _Piece:
    text: str | None = None
    html: str | None = None


class _Reader:
    """Walks the parts once and sorts them."""

    def __init__(self) -> None:
        self.attachments: list[Attachment] = []
        self._part_count = 0
        self._kept_bytes = 0

    def read(self, part: Message, depth: int) -> list[_Piece]:
        self._part_count += 1
        if depth > MAX_DEPTH or self._part_count > MAX_PARTS:
            return []
        kind = content_type(part)
        if kind in _FOR_PROGRAMS:
            return []
        if kind.startswith("multipart/"):
            return self._read_multipart(part, kind, depth)
        if kind in {"text/plain", "text/html"} and not _is_attached(part):
            text = part_text(part)
            return [_Piece(html=text.rstrip("\n")) if kind == "text/html" else _Piece(text=text)]
        self._attach(part, kind)
        return []

    def _read_multipart(self, part: Message, kind: str, depth: int) -> list[_Piece]:
        if not part.is_multipart():  # the boundary never came
            return [_Piece(text=part_text(part))]
        pieces = [self.read(child, depth + 1) for child in children(part)]
        if kind == "multipart/alternative":
            return [_of_alternatives(map(_in_sequence, pieces))]
        return [piece for group in pieces for piece in group]

    def _attach(self, part: Message, kind: str) -> None:
        content = _embedded(part) if part.is_multipart() else part_bytes(part)
        is_kept = (
            len(self.attachments) < MAX_ATTACHMENTS
            and len(content) <= MAX_ATTACHMENT
            and self._kept_bytes + len(content) <= MAX_CONTENT
        )
        self._kept_bytes += len(content) if is_kept else 0
        identifier = decode_header(str(part.get("Content-ID") or "")).strip("<>")
        self.attachments.append(
            Attachment(
                name=_file_name(part),
                content_type=kind,
                size=len(content),
                content=content if is_kept else None,
                content_id=identifier or None,
                is_inline=_disposition(part) == "inline" or bool(identifier),
            )
        )


def _in_sequence(pieces: list[_Piece]) -> _Piece:
    """Parts that follow each other, as one; Apple Mail puts text between pictures that way."""
    texts = [piece.text for piece in pieces if piece.text is not None]
    if all(piece.html is None for piece in pieces):
        return _Piece(text="\n".join(texts) if texts else None)
    html = "".join(piece.html if piece.html is not None else text_to_html(piece.text or "") for piece in pieces)
    if not texts:
        return _Piece(html=html)
    text = "\n".join(piece.text if piece.text is not None else html_to_text(piece.html or "") for piece in pieces)
    return _Piece(text=text, html=html)


def _of_alternatives(pieces: Iterable[_Piece]) -> _Piece:
    """The best of each form: the last one is the richest (RFC 2046 §5.1.4)."""
    text = html = None
    for piece in pieces:
        text = text if piece.text is None else piece.text
        html = html if piece.html is None else piece.html
    return _Piece(text, html)


def _is_attached(part: Message) -> bool:
    return _disposition(part) == "attachment" or bool(_file_name(part))


def _disposition(part: Message) -> str:
    return lenient(part.get_content_disposition, None) or ""


def _file_name(part: Message) -> str:
    name = decode_header(lenient(part.get_filename, None) or "")
    return _NOT_IN_NAMES.sub("_", name).strip(". ")[-MAX_NAME:]


def _embedded(part: Message) -> bytes:
    """A forwarded message or other nested part as it came."""
    return b"\r\n".join(lenient(child.as_bytes, b"") for child in children(part))
