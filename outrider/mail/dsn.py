"""Delivery reports: what a server says about a mail it could not deliver, and what that means for the address.

RFC 3464 (reports), RFC 3462 (multipart/report). Servers that write for people only are read by `notice`. What an answer
of a server means is in `codes`, the same as at submission; what only reports say, in `rules/bounces.toml`.
"""

import re
import tomllib
from dataclasses import dataclass
from email import message_from_string
from email.message import Message
from enum import StrEnum
from functools import cache
from importlib.resources import files
from itertools import islice
from typing import Any

from outrider.mail.body import MAX_PARTS, children, content_type, lenient, part_text
from outrider.mail.codes import Command, Reason, Scope, classify
from outrider.mail.decoding import decode_header
from outrider.mail.message_id import canonical
from outrider.mail.notice import (
    find_enhanced_code,
    find_reply_code,
    notice_text,
    read_address,
    read_notices,
    whole_text,
    words_about,
)
from outrider.mail.parse import Incoming

MAX_DIAGNOSTIC = 1_000
MAX_RECIPIENTS = 50


_BLANK_LINE = re.compile(r"\n[ \t]*\n\s*")
_TYPE = re.compile(r"^\s*[A-Za-z0-9-]{1,30}\s*;\s*")
_MESSAGE_ID_LINE = re.compile(r"^[> \t]*message-id:[ \t]*(?:\n[ \t]+)?(<[^<>]+>)", re.IGNORECASE | re.MULTILINE)


class Action(StrEnum):
    """RFC 3464 §2.3.3."""

    FAILED = "failed"
    DELAYED = "delayed"
    DELIVERED = "delivered"
    RELAYED = "relayed"
    EXPANDED = "expanded"


class BounceKind(StrEnum):
    HARD = "HARD"  # the address does not work
    SOFT = "SOFT"  # it may work another day
    SENDER = "SENDER"  # sender originated: we are the cause


@dataclass(frozen=True, slots=True)
class Dsn:
    """What a report says about one recipient."""

    action: Action
    final_recipient: str | None = None
    original_recipient: str | None = None
    status: str | None = None  # enhanced code
    diagnostic_code: str = ""  # the answer of the server that refused, or the words of the notice
    reporting_mta: str | None = None
    remote_mta: str | None = None
    original_message_id: str | None = None

    @property
    def recipient(self) -> str | None:
        """The address we wrote to; the final one may be behind an alias (RFC 3464 §2.3.1)."""
        return self.original_recipient or self.final_recipient


@dataclass(frozen=True, slots=True)
class Bounce:
    """Our verdict on a final failure."""

    kind: BounceKind
    recipient: str | None
    enhanced_code: str | None
    diagnostic: str
    original_message_id: str | None


def read_dsn(incoming: Incoming) -> Dsn | None:
    """What a mail reports about the delivery of another, the worst news first; None if it is no report."""
    dsns = read_dsns(incoming)
    return next((dsn for dsn in dsns if dsn.action is Action.FAILED), dsns[0] if dsns else None)


def read_dsns(incoming: Incoming) -> tuple[Dsn, ...]:
    """The same for each recipient."""
    returned_id = original_message_id(incoming)
    return _from_report(incoming, returned_id) or tuple(
        Dsn(
            action=Action.DELAYED if notice.is_late else Action.FAILED,
            final_recipient=notice.recipient,
            status=find_enhanced_code(notice.reason),
            diagnostic_code=notice.reason[:MAX_DIAGNOSTIC],
            original_message_id=returned_id,
        )
        for notice in read_notices(incoming)
        # One that says neither which mail nor to whom is about something else: a quota, a quarantine.
        if notice.recipient or returned_id
    )


def classify_bounce(dsn: Dsn) -> Bounce | None:
    """The verdict; None unless the failure is final (a `delayed` notice is no bounce)."""
    if dsn.action is not Action.FAILED:
        return None
    enhanced_code = _enhanced_code(dsn.status, dsn.diagnostic_code)
    return Bounce(
        kind=bounce_kind(enhanced_code, dsn.diagnostic_code),
        recipient=dsn.recipient,
        enhanced_code=enhanced_code,
        diagnostic=dsn.diagnostic_code,
        original_message_id=dsn.original_message_id,
    )


def bounce_kind(enhanced_code: str | None, diagnostic: str) -> BounceKind:
    """What a final failure means, from its code and the words of the server."""
    reply_code = find_reply_code(diagnostic)
    verdict = classify(reply_code, enhanced_code, diagnostic, command=Command.RCPT)
    if verdict.scope is Scope.SENDER or verdict.reason is Reason.CONTENT:
        return BounceKind.SENDER
    described = f"{enhanced_code or ''} {diagnostic}".strip()
    rule = next((rule for rule in _rules() if rule.text.search(described)), None)
    kind = rule.kind if rule else _kind_of(verdict.scope, verdict.reason)
    # Product behaviour 6.5: 4.x.x is soft, even if the server calls the user unknown.
    is_transient = (enhanced_code or "").startswith("4") and not (rule and rule.even_if_transient)
    return BounceKind.SOFT if kind is BounceKind.HARD and is_transient else kind


def _kind_of(scope: Scope, reason: Reason) -> BounceKind:
    if scope in {Scope.SENDER, Scope.MESSAGE}:
        return BounceKind.SENDER
    # A refusal without a reason does not put an address on the block list.
    is_gone = reason in {Reason.UNKNOWN_RECIPIENT, Reason.RECIPIENT_DISABLED}
    return BounceKind.HARD if is_gone else BounceKind.SOFT


def _from_report(incoming: Incoming, returned_id: str | None) -> tuple[Dsn, ...]:
    status_part = next((part for part in _parts(incoming) if _is_status(part)), None)
    if status_part is None:
        return ()
    blocks = _blocks(status_part)
    general = next((block for block in blocks if "Reporting-MTA" in block), Message())
    recipients = [block for block in blocks if "Final-Recipient" in block or "Action" in block]
    return tuple(_dsn_of_block(block, general, incoming, returned_id) for block in recipients[:MAX_RECIPIENTS])


def _blocks(part: Message) -> list[Message]:
    """The groups of fields. The parser makes a message of each, if the part is named and encoded as it expects."""
    blocks = children(part)
    if any("Final-Recipient" in block or "Action" in block for block in blocks):
        return blocks
    # message/global-delivery-status (RFC 6533) is one message to the parser: a head and a body.
    text = "\n\n".join(lenient(block.as_string, "") for block in blocks) or part_text(part)
    return [message_from_string(group) for group in _BLANK_LINE.split(text.strip())[: MAX_RECIPIENTS + 1]]


def _dsn_of_block(block: Message, general: Message, incoming: Incoming, returned_id: str | None) -> Dsn:
    final = _recipient(block, "Final-Recipient") or _recipient(block, "X-Actual-Recipient")
    status = find_enhanced_code(_field(block, "Status"))
    diagnostic = _untyped(_field(block, "Diagnostic-Code"))
    return Dsn(
        action=_action(_field(block, "Action"), status),
        final_recipient=final,
        original_recipient=_recipient(block, "Original-Recipient"),
        status=status,
        diagnostic_code=(diagnostic or words_about(notice_text(incoming), final))[:MAX_DIAGNOSTIC],
        reporting_mta=_untyped(_field(general, "Reporting-MTA")) or None,
        remote_mta=_untyped(_field(block, "Remote-MTA")) or None,
        original_message_id=returned_id,
    )


def _action(value: str, status: str | None) -> Action:
    word = value.lower()
    for action in Action:
        if word.startswith(action.value[:4]):  # "fail", "failure" and comments behind it have been seen
            return action
    # Missing, or a word of the server's own ("error"): the class of the code says the same (RFC 3463 §2).
    by_class = {"2": Action.DELIVERED, "4": Action.DELAYED}
    return by_class.get((status or "5")[0], Action.FAILED)


def _parts(incoming: Incoming) -> list[Message]:
    return lenient(lambda: list(islice(incoming.message.walk(), MAX_PARTS)), [])


def _is_status(part: Message) -> bool:
    return content_type(part) in {"message/delivery-status", "message/global-delivery-status"}


def _field(block: Message, name: str) -> str:
    value: Any = block.get(name)
    return decode_header(str(value)) if value is not None else ""


def _untyped(value: str) -> str:
    """`smtp; 550 no` without its type (RFC 3464 §2.1.2)."""
    return _TYPE.sub("", value, count=1).strip()


def _recipient(block: Message, name: str) -> str | None:
    return read_address(_untyped(_field(block, name)))


def _enhanced_code(status: str | None, diagnostic: str) -> str | None:
    """The most telling code: many servers report 5.0.0 and let the one they got speak."""
    if status and not status.endswith(".0.0"):
        return status
    return find_enhanced_code(diagnostic) or status


def original_message_id(incoming: Incoming) -> str | None:
    """From the returned message or its headers; else from the copy in the text; else from the report's own thread."""
    for part in _parts(incoming)[1:]:
        kind = content_type(part)
        if kind in {"text/rfc822-headers", "message/global-headers"}:
            identifier = canonical(_field(message_from_string(part_text(part).lstrip()), "Message-ID"))
        elif kind not in {"message/delivery-status", "message/global-delivery-status"}:
            identifier = canonical(_field(part, "Message-ID"))
        else:
            continue
        if identifier:
            return identifier
    found = _MESSAGE_ID_LINE.search(whole_text(incoming))
    in_text = canonical(found[1]) if found else None
    return in_text or next(iter(incoming.thread_ids), None)


@dataclass(frozen=True, slots=True)
class _Rule:
    kind: BounceKind
    text: re.Pattern[str]
    even_if_transient: bool


@cache
def _rules() -> tuple[_Rule, ...]:
    rules = tomllib.loads((files("outrider.mail") / "rules" / "bounces.toml").read_text(encoding="utf-8"))
    return tuple(
        _Rule(BounceKind(rule["kind"]), re.compile(rule["text"], re.IGNORECASE), rule.get("even_if_transient", False))
        for rule in rules["rule"]
    )
