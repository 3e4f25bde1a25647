"""A mail as it arrived, read with the standard library only: the sandbox must not share the product's parser.

What it says about itself (subject, thread, texts, links to unsubscribe) is read when somebody asks.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
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
    def message(self) -> EmailMessage:
        return message_from_bytes(self.raw, policy=policy.default)

    def header(self, name: str) -> str:
        """The header's text on one line, decoded; empty if there is none."""
        return " ".join(str(self.message.get(name, "")).split())

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

    def _body(self, kind: str) -> str:
        part = self.message.get_body(preferencelist=(kind,))
        if part is None:
            return ""
        try:
            return str(part.get_content())
        except LookupError:  # a charset nobody knows
            return bytes(part.get_payload(decode=True)).decode("utf-8", "replace")


def _first(found: list[str]) -> str:
    return found[0] if found else ""
