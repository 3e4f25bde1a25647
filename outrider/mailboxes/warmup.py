"""What a change of warmup settings comes to (contract: email-accounts, Add/Update Warmup To Email Account)."""

from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from outrider.kit.validation import reject
from outrider.mailboxes.models import Mailbox, Warmup, WarmupDraft, WarmupStatus

T = TypeVar("T")

DEFAULT_TOTAL = 20
DEFAULT_RAMPUP = 5
DEFAULT_REPLY_RATE = 30
DEFAULT_MIN_COUNT = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmupChange:
    """What somebody wants; None leaves a value as it is."""

    is_enabled: bool | None = None
    total_per_day: int | None = None
    rampup_value: int | None = None  # 0: no ramp
    reply_rate: int | None = None
    is_rampup_enabled: bool | None = None
    min_count: int | None = None
    max_count: int | None = None
    auto_adjust: bool | None = None
    only_on_weekdays: bool | None = None
    use_custom_domain: bool | None = None
    key: str | None = None

    @property
    def is_empty(self) -> bool:
        return self == WarmupChange()


def changed(current: Warmup | None, change: WarmupChange, mailbox: Mailbox, *, now: datetime) -> WarmupDraft | None:
    """The settings after the change; None while warmup has never been enabled and is not now."""
    is_enabled = change.is_enabled if change.is_enabled is not None else True if current is None else None
    if current is None and not is_enabled:
        return None
    total = _first(change.total_per_day, current.max_email_per_day if current else None, DEFAULT_TOTAL)
    rampup = _first(change.rampup_value, current.rampup_value if current else None, DEFAULT_RAMPUP)
    min_count, max_count = _range(current, change, total)
    is_starting = bool(is_enabled) and (current is None or current.status is WarmupStatus.INACTIVE)
    is_unblocked = bool(is_enabled) and mailbox.is_connected
    return WarmupDraft(
        mailbox_id=mailbox.id,
        user_id=mailbox.user_id,
        status=_status(current, mailbox, is_enabled=is_enabled),
        max_email_per_day=total,
        is_rampup_enabled=_is_ramped(current, change, rampup),
        rampup_value=rampup,
        reply_rate=_first(change.reply_rate, current.reply_rate if current else None, DEFAULT_REPLY_RATE),
        warmup_min_count=min_count,
        warmup_max_count=max_count,
        auto_adjust_warmup=_first(change.auto_adjust, current.auto_adjust_warmup if current else None, False),
        send_warmups_only_on_weekdays=_first(
            change.only_on_weekdays, current.send_warmups_only_on_weekdays if current else None, False
        ),
        use_custom_domain=_first(change.use_custom_domain, current.use_custom_domain if current else None, False),
        is_warmup_blocked=current is not None and current.is_warmup_blocked and not is_unblocked,
        blocked_reason=None if current is None or is_unblocked else current.blocked_reason,
        ramp_started_at=now if current is None or is_starting else current.ramp_started_at,
        created_at=now if current is None else current.created_at,
        updated_at=now,
    )


def _status(current: Warmup | None, mailbox: Mailbox, *, is_enabled: bool | None) -> WarmupStatus:
    if is_enabled is None and current is not None:
        return current.status
    if not is_enabled:
        return WarmupStatus.INACTIVE
    return WarmupStatus.PAUSED if mailbox.is_suspended else WarmupStatus.ACTIVE


def _is_ramped(current: Warmup | None, change: WarmupChange, rampup: int) -> bool:
    """As said, else by the new step, else as before."""
    if change.is_rampup_enabled is not None:
        return change.is_rampup_enabled
    if change.rampup_value is None and current is not None:
        return current.is_rampup_enabled
    return rampup > 0


def _range(current: Warmup | None, change: WarmupChange, total: int) -> tuple[int, int]:
    """The least and the most a day; a new total moves the end that is not given."""
    is_new_total = current is None or change.total_per_day is not None
    max_count = _first(change.max_count, None if current is None or is_new_total else current.warmup_max_count, total)
    if change.min_count is None:
        return min(current.warmup_min_count if current else DEFAULT_MIN_COUNT, max_count), max_count
    if change.min_count > max_count:
        reject('"warmup_min_count" must be less than or equal to ref:warmup_max_count', key="warmup_min_count")
    return change.min_count, max_count


def _first(wanted: T | None, current: T | None, default: T) -> T:
    if wanted is not None:
        return wanted
    return default if current is None else current
