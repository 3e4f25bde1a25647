"""A received mail, from bytes to values. Never raises for what the bytes say, and bounds whatever it keeps.

RFC 5322 (fields), RFC 2047 (encoded words). 15 MB take about a second: the caller reads large mails in a thread.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import Message
from email.parser import BytesHeaderParser, BytesParser
from email.policy import Compat32
from email.utils import getaddresses, parsedate_to_datetime

from outrider.mail.address import InvalidAddress, normalise
from outrider.mail.body import Attachment, lenient, read_body
from outrider.mail.decoding import clean, decode_header, restore_8bit
from outrider.mail.message_id import canonical, parse_references
from outrider.mail.text import text_to_html

MAX_MESSAGE = 30_000_000  # bytes
MAX_LINES = 500_000  # 30 MB of base64 have 400,000
MAX_HEADER_BLOCK = 500_000  # bytes
MAX_COMPARISONS = 5_000_000  # of lines with boundaries: the parser compares each line with each open boundary
MAX_DELIMITERS = 20_000
MAX_VALUE = 64_000  # characters of one header; To may be long
MAX_PARAMETERS = 2_000  # of Content-Type and the like, which are read in quadratic time
MAX_SUBJECT = 1_000
MAX_ADDRESSES = 500
EARLIEST = datetime(1980, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Correspondent:
    """A person in an address header; the address is canonical, the name may be empty."""

    name: str
    address: str


class Headers:
    """The fields at the top of a message, decoded when asked for. Names are compared without case."""

    __slots__ = ("_fields",)

    def __init__(self, fields: Iterator[tuple[str, str]]) -> None:
        self._fields: dict[str, list[str]] = {}
        for name, value in fields:
            self._fields.setdefault(name.lower(), []).append(value)

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._fields

    def get(self, name: str) -> str | None:
        """The decoded value of the first such field."""
        values = self._fields.get(name.lower())
        return decode_header(values[0]) if values else None

    def get_all(self, name: str) -> tuple[str, ...]:
        return tuple(decode_header(value) for value in self._fields.get(name.lower(), ()))

    def undecoded(self, name: str) -> tuple[str, ...]:
        """The values as they came, still folded and with encoded words."""
        return tuple(self._fields.get(name.lower(), ()))


@dataclass(frozen=True, slots=True)
class Incoming:
    message_id: str | None  # canonical, as are all identifiers
    in_reply_to: tuple[str, ...]
    references: tuple[str, ...]
    authors: tuple[Correspondent, ...]  # From; more than one is rare, none is broken
    sender: Correspondent | None
    reply_to: tuple[Correspondent, ...]
    to: tuple[Correspondent, ...]
    cc: tuple[Correspondent, ...]
    subject: str
    date: datetime | None  # UTC; None: missing or absurd
    text: str | None
    html: str | None  # as received: not cleaned, not to be shown
    attachments: tuple[Attachment, ...]
    size: int  # bytes
    headers: Headers = field(repr=False)
    message: Message = field(repr=False)  # the parts, for `dsn`

    @property
    def from_address(self) -> str | None:
        return self.authors[0].address if self.authors else None

    @property
    def from_name(self) -> str:
        return self.authors[0].name if self.authors else ""

    @property
    def thread_ids(self) -> tuple[str, ...]:
        """The mails it may answer, the most probable first."""
        return tuple(dict.fromkeys((*self.in_reply_to, *reversed(self.references))))

    @property
    def html_form(self) -> str:
        """The HTML as received; for plain-text mail its text, escaped and wrapped (contract: webhooks, EMAIL_REPLY)."""
        return self.html if self.html is not None else text_to_html(self.text or "")


def parse(raw: bytes, *, is_cut: bool = False) -> Incoming:
    """`is_cut`: the mail was larger, these are its first bytes."""
    message = _read(raw)
    headers = Headers((clean(name), value) for name, value in message.items() if isinstance(value, str))
    body = read_body(message, is_cut=is_cut or len(raw) > MAX_MESSAGE)
    senders = _correspondents(headers, "Sender")
    return Incoming(
        message_id=canonical(headers.get("Message-ID") or ""),
        in_reply_to=_identifiers(headers, "In-Reply-To"),
        references=_identifiers(headers, "References"),
        authors=_correspondents(headers, "From"),
        sender=senders[0] if senders else None,
        reply_to=_correspondents(headers, "Reply-To"),
        to=_correspondents(headers, "To"),
        cc=_correspondents(headers, "Cc"),
        subject=(headers.get("Subject") or "")[:MAX_SUBJECT],
        date=parse_date(headers.get("Date") or ""),
        text=body.text,
        html=body.html,
        attachments=body.attachments,
        size=len(raw),
        headers=headers,
        message=message,
    )


def parse_date(text: str) -> datetime | None:
    """A Date header in UTC; None if it is missing, broken or before there was mail."""
    date = local_date(text)
    return lenient(lambda: date.astimezone(UTC), None) if date else None


def local_date(text: str) -> datetime | None:
    """The same on the clock of its author."""
    date = lenient(lambda: parsedate_to_datetime(text), None)
    if date is None:
        return None
    # "-0000" means UTC of an unknown zone (RFC 5322 §3.3); the standard library gives it without a zone.
    aware = date if date.tzinfo else date.replace(tzinfo=UTC)
    return aware if aware >= EARLIEST else None


class _AsReceived(Compat32):
    """Header values stay the strings they were, bounded before the parser itself looks into them."""

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        name, value = super().header_source_parse(sourcelines)
        return name, value[: MAX_PARAMETERS if name.lower().startswith("content-") else MAX_VALUE]

    def header_fetch_parse(self, name: str, value: str) -> str:  # noqa: ARG002 - the signature is inherited
        return value


_POLICY = _AsReceived()
_END_OF_HEADERS = re.compile(rb"\r?\n\r?\n")


def _read(raw: bytes) -> Message:
    raw = _bounded(raw)
    as_one_text = BytesHeaderParser(policy=_POLICY).parsebytes
    if _is_absurd(raw):
        return as_one_text(raw)
    try:
        return BytesParser(policy=_POLICY).parsebytes(raw)
    except Exception:  # noqa: BLE001 - RecursionError for parts in parts, TypeError for parameters such as boundary*0
        return as_one_text(raw)


def _bounded(raw: bytes) -> bytes:
    raw = raw[:MAX_MESSAGE]
    if raw.count(b"\n") > MAX_LINES:
        raw = b"\n".join(raw.split(b"\n", MAX_LINES)[:MAX_LINES])
    end = _END_OF_HEADERS.search(raw)
    if end is None or end.start() <= MAX_HEADER_BLOCK:
        return raw if end else raw[:MAX_HEADER_BLOCK]
    return raw[:MAX_HEADER_BLOCK] + raw[end.start() :]


def _is_absurd(raw: bytes) -> bool:
    """Whether taking the parts apart would take long; then the body is read as one text."""
    boundary_count = raw.lower().count(b"boundary")
    return boundary_count * raw.count(b"\n") > MAX_COMPARISONS or raw.count(b"\n--") > MAX_DELIMITERS


def _identifiers(headers: Headers, name: str) -> tuple[str, ...]:
    return parse_references(" ".join(headers.get_all(name)))


def _correspondents(headers: Headers, name: str) -> tuple[Correspondent, ...]:
    """The valid addresses of a header, each once."""
    # Decoded only after the addresses are told apart: an encoded name may hold commas (RFC 2047 §5).
    values = [restore_8bit(value).replace("\r\n", "").replace("\n", "") for value in headers.undecoded(name)]
    found: dict[str, Correspondent] = {}
    nothing: list[tuple[str, str]] = []
    for display_name, address in lenient(lambda: getaddresses(values), nothing)[:MAX_ADDRESSES]:
        try:
            canonical_address = normalise(decode_header(address))
        except InvalidAddress:
            continue
        found.setdefault(canonical_address, Correspondent(decode_header(display_name), canonical_address))
    return tuple(found.values())
