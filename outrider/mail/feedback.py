"""Feedback reports: a provider passes on that somebody has called a mail of ours spam (RFC 5965)."""

from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from itertools import islice

from outrider.mail.body import MAX_PARTS, children, content_type, lenient
from outrider.mail.decoding import decode_header
from outrider.mail.dsn import original_message_id
from outrider.mail.notice import read_address
from outrider.mail.parse import Incoming

# RFC 5965 §7.3, RFC 6430 and RFC 6591: what is no complaint of a person about a mail.
_NO_COMPLAINTS = frozenset({"not-spam", "auth-failure", "miscategorized"})
# Where providers name who complained; many leave it out, or hide the address.
_RECIPIENT_FIELDS = ("Original-Rcpt-To", "X-HmXmrOriginalRecipient", "Removal-Recipient")


@dataclass(frozen=True, slots=True)
class FeedbackReport:
    feedback_type: str  # abuse, fraud, virus, opt-out, not-spam …
    recipient: str | None
    original_message_id: str | None

    @property
    def is_complaint(self) -> bool:
        return self.feedback_type not in _NO_COMPLAINTS


def read_feedback_report(incoming: Incoming) -> FeedbackReport | None:
    """What the report says; None if a mail is none."""
    nothing: list[Message] = []
    parts = lenient(lambda: list(islice(incoming.message.walk(), MAX_PARTS)), nothing)
    report = next((part for part in parts if content_type(part) == "message/feedback-report"), None)
    if report is None:
        return None
    fields = next(iter(children(report)), report)
    addresses = (read_address(value) for value in _recipients(fields, parts))
    return FeedbackReport(
        feedback_type=(_field(fields, "Feedback-Type") or "abuse").lower()[:40],
        recipient=next((address for address in addresses if address), None),
        original_message_id=original_message_id(incoming),
    )


def _recipients(fields: Message, parts: list[Message]) -> Iterator[str]:
    for source in (fields, *parts):
        yield from (_field(source, name) for name in _RECIPIENT_FIELDS if source.get(name) is not None)
    # The copy of our mail has it, unless the provider has taken it out.
    for part in parts:
        if content_type(part) == "message/rfc822":
            yield from (_field(child, "To") for child in children(part))


def _field(part: Message, name: str) -> str:
    return decode_header(str(part.get(name) or ""))
