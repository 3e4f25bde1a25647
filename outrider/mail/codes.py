"""What a refusal means: whom it blames and why. The rules are data, in `rules/refusals.toml`; the first that fits wins.

Reply codes: RFC 5321 §4.2. Enhanced codes: RFC 3463 and the registry of RFC 5248.
Whether a failure is transient is the first digit's word alone; the rules never overrule it.
"""

import re
import tomllib
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Any, Self

MAX_TEXT = 500  # characters of a reply that are looked at


class Command(StrEnum):
    """What was answered."""

    CONNECT = "CONNECT"  # the greeting
    EHLO = "EHLO"
    STARTTLS = "STARTTLS"
    AUTH = "AUTH"
    MAIL = "MAIL"
    RCPT = "RCPT"
    DATA = "DATA"
    CONTENT = "CONTENT"  # the final dot


class Scope(StrEnum):
    """Who or what was refused: the lead's address, the mailbox, this mail, or the connection as such."""

    RECIPIENT = "recipient"
    SENDER = "sender"
    MESSAGE = "message"
    CONNECTION = "connection"


class Reason(StrEnum):
    UNKNOWN_RECIPIENT = "unknown_recipient"
    RECIPIENT_DISABLED = "recipient_disabled"
    RECIPIENT_BUSY = "recipient_busy"
    RECIPIENT_REFUSED = "recipient_refused"
    MAILBOX_FULL = "mailbox_full"
    GREYLISTED = "greylisted"
    AUTHENTICATION = "authentication"
    SENDER_QUOTA = "sender_quota"
    SENDER_REFUSED = "sender_refused"
    REPUTATION = "reputation"
    CONTENT = "content"
    POLICY = "policy"
    TOO_LARGE = "too_large"
    TOO_MANY_RECIPIENTS = "too_many_recipients"
    NOT_SUPPORTED = "not_supported"
    SERVER_BUSY = "server_busy"
    UNREACHABLE = "unreachable"
    TLS = "tls"
    PROTOCOL = "protocol"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Verdict:
    scope: Scope
    reason: Reason


def is_transient(reply_code: int) -> bool:
    return 400 <= reply_code < 500  # noqa: PLR2004 - RFC 5321 §4.2.1


def is_permanent(reply_code: int) -> bool:
    return 500 <= reply_code < 600  # noqa: PLR2004


def classify(
    reply_code: int | None,
    enhanced_code: str | None,
    text: str,
    *,
    command: Command | None = None,
) -> Verdict:
    """Whom a 4xx or 5xx reply blames. Without a command (a delivery report) the rules for all commands apply."""
    code, enhanced, lowered = str(reply_code or ""), enhanced_code or "", text[:MAX_TEXT].lower()
    for rule in _rules():
        if rule.fits(code, enhanced, lowered, command):
            return rule.verdict
    raise AssertionError("the last rule of refusals.toml fits everything")


@dataclass(frozen=True, slots=True)
class _Rule:
    verdict: Verdict
    commands: frozenset[Command]  # empty: any
    reply_code: re.Pattern[str] | None
    enhanced_code: re.Pattern[str] | None
    text: re.Pattern[str] | None

    @classmethod
    def read(cls, entry: dict[str, Any]) -> Self:
        unknown = entry.keys() - {"scope", "reason", "commands", "reply", "enhanced", "text"}
        if unknown:
            raise ValueError(f"unknown keys in a rule of refusals.toml: {unknown}")
        return cls(
            verdict=Verdict(Scope(entry["scope"]), Reason(entry["reason"])),
            commands=frozenset(map(Command, entry.get("commands", ()))),
            reply_code=_codes(entry.get("reply", ())),
            enhanced_code=_codes(entry.get("enhanced", ())),
            text=re.compile("|".join(entry["text"])) if "text" in entry else None,
        )

    def fits(self, reply_code: str, enhanced_code: str, text: str, command: Command | None) -> bool:
        """All conditions the rule names must hold."""
        if self.commands and command not in self.commands:
            return False
        if self.reply_code and not self.reply_code.fullmatch(reply_code):
            return False
        if self.enhanced_code and not self.enhanced_code.fullmatch(enhanced_code):
            return False
        return self.text is None or self.text.search(text) is not None


def _codes(patterns: list[str] | tuple[()]) -> re.Pattern[str] | None:
    """`x` is any digit, `*` any number, an empty pattern the absence of a code."""
    if not patterns:
        return None
    alternatives = (re.escape(pattern).replace("x", r"\d").replace(r"\*", r"\d+") for pattern in patterns)
    return re.compile("|".join(alternatives))


@cache
def _rules() -> tuple[_Rule, ...]:
    source = (files("outrider.mail") / "rules" / "refusals.toml").read_text(encoding="utf-8")
    return tuple(_Rule.read(entry) for entry in tomllib.loads(source)["rule"])
