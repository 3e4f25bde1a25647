"""A mail as it arrived, read with the standard library only: the sandbox must not share the product's parser.

What it says about itself (subject, thread, texts, links to unsubscribe) is read when somebody asks.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.headerregistry import Address
from email.message import Message
from email.utils import parseaddr
from functools import cached_property

MESSAGE_ID = re.compile(r"<([^<>\s]+)>")
_REPLY_PREFIX = re.compile(r"^(?:(?:re|aw|antw|fw|fwd|wg)\s*:\s*)+", re.IGNORECASE)
_TAG = re.compile(r"<[^>]*>")


@dataclass(frozen=True)  # not slotted: what is read is kept on the instance
class ReceivedMail:
    """One mail for one recipient, taken with 250 (or taken and the answer lost)."""

    number: int
    at: datetime
    login: str | None
    envelope_sender: str
    recipient: str
    raw: bytes

    @cached_property
    def message(self) -> Message:
        return message_from_bytes(self.raw)  # the newer policies read each header as a whole: ten times slower

    def header(self, name: str) -> str:
        """The first such header's text on one line, decoded; empty if there is none."""
        return _decoded(self._raw_header(name))

    @cached_property
    def author(self) -> Address:
        """Whom an answer goes to: Reply-To, else From (RFC 5322 §3.6.2), else the envelope sender."""
        for name in ("Reply-To", "From"):
            display_name, address = parseaddr(self._raw_header(name))
            if "@" in address:
                return address_of(address, name=_decoded(display_name))
        return address_of(self.envelope_sender)

    @cached_property
    def message_id(self) -> str:
        return _first(MESSAGE_ID.findall(self.header("Message-ID")))

    @cached_property
    def subject(self) -> str:
        return self.header("Subject")

    @cached_property
    def thread_subject(self) -> str:
        """The subject without Re: and the like."""
        return _REPLY_PREFIX.sub("", self.subject)

    @cached_property
    def in_reply_to(self) -> str:
        return _first(MESSAGE_ID.findall(self.header("In-Reply-To")))

    @cached_property
    def references(self) -> tuple[str, ...]:
        return tuple(MESSAGE_ID.findall(self.header("References")))

    @cached_property
    def html(self) -> str:
        return self._body("html")

    @cached_property
    def text(self) -> str:
        """The text part; without one, the HTML without its tags."""
        return self._body("plain") or _TAG.sub(" ", self.html)

    @cached_property
    def unsubscribe_addresses(self) -> tuple[str, ...]:
        """The addresses of List-Unsubscribe (RFC 2369), in their order."""
        return tuple(MESSAGE_ID.findall(self.header("List-Unsubscribe")))

    @cached_property
    def offers_one_click(self) -> bool:
        """RFC 8058 §3.1."""
        return self.header("List-Unsubscribe-Post").lower() == "list-unsubscribe=one-click"

    def _raw_header(self, name: str) -> str:
        values = (value for each, value in self.message.raw_items() if each.lower() == name.lower())
        value = " ".join(next(values, "").split())
        return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")

    def _body(self, kind: str) -> str:
        for part in self.message.walk():
            if part.get_content_type() == f"text/{kind}" and part.get_content_disposition() != "attachment":
                return _read(part)
        return ""


def address_of(address: str, *, name: str = "") -> Address:
    """Taken apart by hand: given as a whole, the class refuses addresses beyond ASCII."""
    localpart, _, domain = address.rpartition("@")
    return Address(name, localpart, domain)


def _read(part: Message) -> str:
    content = part.get_payload(decode=True)
    if not isinstance(content, bytes):
        return ""
    try:
        text = content.decode(part.get_content_charset("utf-8"), "replace")
    except LookupError:  # a charset nobody knows
        text = content.decode("utf-8", "replace")
    return text.replace("\r\n", "\n")


def _decoded(text: str) -> str:
    try:
        return str(make_header(decode_header(text)))
    except (LookupError, HeaderParseError, UnicodeError):
        return text


def _first(found: list[str]) -> str:
    return found[0] if found else ""
