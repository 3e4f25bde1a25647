"""A mailbox, its warmup settings, what happens to them, and what can be wrong."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

from outrider.kit.errors import Invalid, NotFound
from outrider.kit.events import Event
from outrider.mail.provider import Provider, provider_of


class MailboxType(StrEnum):
    """The provider, as far as it makes a difference."""

    SMTP = "SMTP"
    GMAIL = "GMAIL"
    ZOHO = "ZOHO"
    OUTLOOK = "OUTLOOK"

    @classmethod
    def of_host(cls, host: str) -> Self:
        """The provider that a mail server's name gives away."""
        name = host.lower()
        for words, kind in _HOST_WORDS:
            if any(word in name for word in words):
                return cls(kind)
        return cls("SMTP")

    def provider(self, smtp_host: str | None) -> Provider:
        """Who sends for a mailbox of this type with this host."""
        return _PROVIDERS.get(self.value) or provider_of([smtp_host or ""])


_PROVIDERS = {"GMAIL": Provider.GOOGLE, "OUTLOOK": Provider.MICROSOFT, "ZOHO": Provider.ZOHO}
_HOST_WORDS = (
    (("gmail", "google"), "GMAIL"),
    (("office365", "outlook"), "OUTLOOK"),
    (("zoho",), "ZOHO"),
)


class PortType(StrEnum):
    """How a connection is encrypted, in the wire's words: SSL is from the first byte, TLS and STARTTLS upgrade."""

    SSL = "SSL"
    TLS = "TLS"
    STARTTLS = "STARTTLS"
    NONE = "NONE"

    @classmethod
    def of_port(cls, port: int) -> Self:
        """The usual one where none is named (contract: email-accounts, Create an Email Account)."""
        return cls("SSL" if port in _IMPLICIT_TLS_PORTS else "TLS")


_IMPLICIT_TLS_PORTS = frozenset({465, 993})


class WarmupStatus(StrEnum):
    ACTIVE = "ACTIVE"
    INACTIVE = "INACTIVE"
    PAUSED = "PAUSED"


@dataclass(frozen=True, slots=True)
class Mailbox:
    id: int
    user_id: int
    client_id: int | None
    type: MailboxType
    from_name: str
    from_email: str
    username: str | None
    password: bytes | None = field(repr=False)
    smtp_host: str | None
    smtp_port: int | None
    smtp_port_type: PortType | None
    imap_host: str | None
    imap_port: int | None
    imap_port_type: PortType | None
    imap_username: str | None
    imap_password: bytes | None = field(repr=False)
    max_email_per_day: int
    time_to_wait_minutes: int | None
    signature: str | None
    custom_tracking_domain: str | None
    tracking_domain_checked_at: datetime | None
    is_tracking_domain_valid: bool
    tracking_domain_error: str | None
    bcc_email: str | None
    different_reply_to_address: str | None
    warmup_key: str
    is_suspended: bool
    is_smtp_success: bool
    is_imap_success: bool
    smtp_failure_error: str | None
    imap_failure_error: str | None
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None
    access_token: bytes | None = field(default=None, repr=False)
    refresh_token: bytes | None = field(default=None, repr=False)
    token_expires_at: datetime | None = None
    token_claimed_until: datetime | None = None
    use_whitelabel_credentials: bool = False

    @property
    def is_connected(self) -> bool:
        return self.is_smtp_success and self.is_imap_success

    @property
    def is_usable(self) -> bool:
        """Whether it may send at all, whatever its limits say just now."""
        return self.deleted_at is None and not self.is_suspended and self.is_connected


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a log-in needs, in the clear: as given by a person or opened from the store. Never stored, never logged."""

    username: str | None
    password: str | None = field(repr=False)
    smtp_host: str | None
    smtp_port: int | None
    smtp_port_type: PortType | None
    imap_host: str | None
    imap_port: int | None
    imap_port_type: PortType | None
    imap_username: str | None  # None: as SMTP
    imap_password: str | None = field(repr=False)  # None: as SMTP
    access_token: str | None = field(default=None, repr=False)  # OAuth: instead of the passwords
    refresh_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the two servers said to a log-in."""

    smtp_error: str | None
    imap_error: str | None

    @property
    def is_smtp_success(self) -> bool:
        return self.smtp_error is None

    @property
    def is_imap_success(self) -> bool:
        return self.imap_error is None

    @property
    def is_success(self) -> bool:
        return self.is_smtp_success and self.is_imap_success

    @property
    def text(self) -> str:
        """Both errors in one line, each with the name of its protocol."""
        named = (("SMTP", self.smtp_error), ("IMAP", self.imap_error))
        return "; ".join(f"{name}: {error}" for name, error in named if error)


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmupDraft:
    """Warmup settings of a mailbox, as they are to be stored."""

    mailbox_id: int
    user_id: int
    status: WarmupStatus
    max_email_per_day: int
    is_rampup_enabled: bool
    rampup_value: int
    reply_rate: int
    warmup_min_count: int
    warmup_max_count: int
    auto_adjust_warmup: bool
    send_warmups_only_on_weekdays: bool
    use_custom_domain: bool
    is_warmup_blocked: bool
    blocked_reason: str | None
    ramp_started_at: datetime | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Warmup(WarmupDraft):
    id: int

    def is_ramp_over(self, now: datetime) -> bool:
        """Whether the daily number has grown to its maximum: day n has min + step * (n - 1)."""
        if not self.is_rampup_enabled or self.ramp_started_at is None:
            return True
        days = (now.date() - self.ramp_started_at.date()).days
        return self.warmup_min_count + self.rampup_value * days >= self.max_email_per_day


@dataclass(frozen=True, slots=True)
class MailboxDisconnected(Event):
    """A mailbox that worked has failed."""

    user_id: int
    mailbox_id: int
    at: datetime


@dataclass(frozen=True, slots=True)
class MailboxesDeleted(Event):
    user_id: int
    mailbox_ids: tuple[int, ...]
    at: datetime


class MailboxNotFound(NotFound):
    """Email account not found!"""

    def __init__(self, mailbox_id: int | None, *, extra: Mapping[str, Any] | None = None) -> None:
        super().__init__(
            extra={
                "errorCode": "ACCOUNT_NOT_FOUND",
                "emailAccountId": mailbox_id,
                "error": "Email account not found",
                **(extra or {}),
            }
        )


class MailboxExists(Invalid):
    """Email account already exist. Please pass id to update it"""

    def __init__(self, mailbox_id: int) -> None:
        super().__init__(extra={"errorCode": "ACCOUNT_ALREADY_EXIST", "emailAccountId": mailbox_id})


class MailboxTaken(Invalid):
    """Email account already added by other user."""

    def __init__(self) -> None:
        super().__init__(extra={"errorCode": "ACCOUNT_ALREADY_EXIST", "emailAccountId": None})


class VerificationFailed(Invalid):
    """Email account verification failed. Please verify account details."""

    def __init__(self, verdict: Verdict, *, mailbox_id: int | None) -> None:
        super().__init__(
            extra={"errorCode": "ACCOUNT_VERIFICATION_FAILED", "emailAccountId": mailbox_id, "error": verdict.text}
        )


class TagNotFound(NotFound):
    """Tag not found!"""


class TooManyReconnects(Invalid):
    """Bulk reconnect API cannot be consumed more than {limit} times a day"""


class NoFailedMailbox(NotFound):
    """No failed email account found!"""


class UnknownMailbox(Invalid):
    """Email account not found or does not belong to you"""


class OAuthNotConfigured(Invalid):
    """Set OUTRIDER_{name}_CLIENT_ID and OUTRIDER_{name}_CLIENT_SECRET, or use an SMTP and IMAP password."""


class InvalidToken(Invalid):
    """Invalid or expired OAuth token"""
