"""SQL on the warmup settings of mailboxes. What they mean is in `warmup`."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

from outrider.kit.db import Db, execute, fetch_all
from outrider.mailboxes.models import Warmup, WarmupDraft

_DELETED_REASON = "Email account is deleted by user action"


async def list_warmups(db: Db, user_id: int, mailbox_ids: Sequence[int]) -> list[Warmup]:
    return await fetch_all(
        db,
        Warmup,
        """
        SELECT id, mailbox_id, user_id, status, max_email_per_day, is_rampup_enabled, rampup_value, reply_rate,
               warmup_min_count, warmup_max_count, auto_adjust_warmup, send_warmups_only_on_weekdays,
               use_custom_domain, is_warmup_blocked, blocked_reason, ramp_started_at, created_at, updated_at
        FROM mailbox_warmups
        WHERE user_id = %(user_id)s
          AND mailbox_id = ANY(%(mailbox_ids)s)
        """,
        {"user_id": user_id, "mailbox_ids": list(mailbox_ids)},
    )


async def end_warmups(db: Db, user_id: int, mailbox_ids: Sequence[int], *, now: datetime) -> None:
    await execute(
        db,
        """
        UPDATE mailbox_warmups
        SET status = 'INACTIVE',
            blocked_reason = %(reason)s,
            updated_at = %(now)s
        WHERE user_id = %(user_id)s
          AND mailbox_id = ANY(%(mailbox_ids)s)
        """,
        {"user_id": user_id, "mailbox_ids": list(mailbox_ids), "reason": _DELETED_REASON, "now": now},
    )


async def suspend_warmup(db: Db, user_id: int, mailbox_id: int, *, is_suspended: bool, now: datetime) -> None:
    """A running warmup pauses with its mailbox and goes on with it."""
    await execute(
        db,
        """
        UPDATE mailbox_warmups
        SET status = CASE WHEN %(is_suspended)s THEN 'PAUSED' ELSE 'ACTIVE' END,
            updated_at = %(now)s
        WHERE user_id = %(user_id)s
          AND mailbox_id = %(mailbox_id)s
          AND status = CASE WHEN %(is_suspended)s THEN 'ACTIVE' ELSE 'PAUSED' END
        """,
        {"user_id": user_id, "mailbox_id": mailbox_id, "is_suspended": is_suspended, "now": now},
    )


async def block_warmup(db: Db, user_id: int, mailbox_id: int, *, reason: str | None, now: datetime) -> None:
    """A mailbox that cannot log in does not warm up; without a reason it does again."""
    await execute(
        db,
        """
        UPDATE mailbox_warmups
        SET is_warmup_blocked = %(reason)s::text IS NOT NULL,
            blocked_reason = %(reason)s,
            updated_at = %(now)s
        WHERE user_id = %(user_id)s
          AND mailbox_id = %(mailbox_id)s
          AND blocked_reason IS DISTINCT FROM %(reason)s
        """,
        {"user_id": user_id, "mailbox_id": mailbox_id, "reason": reason, "now": now},
    )


async def set_auto_adjust_warmup(db: Db, user_id: int, mailbox_ids: Sequence[int], *, now: datetime) -> None:
    """Let warmup give way to campaigns on those of the mailboxes that have warmup settings."""
    await execute(
        db,
        """
        UPDATE mailbox_warmups
        SET auto_adjust_warmup = true,
            updated_at = %(now)s
        WHERE user_id = %(user_id)s
          AND mailbox_id = ANY(%(mailbox_ids)s)
        """,
        {"user_id": user_id, "mailbox_ids": list(mailbox_ids), "now": now},
    )


async def upsert_warmup(db: Db, warmup: WarmupDraft) -> None:
    await execute(
        db,
        """
        INSERT INTO mailbox_warmups (
            mailbox_id, user_id, status, max_email_per_day, is_rampup_enabled, rampup_value, reply_rate,
            warmup_min_count, warmup_max_count, auto_adjust_warmup, send_warmups_only_on_weekdays, use_custom_domain,
            is_warmup_blocked, blocked_reason, ramp_started_at, created_at, updated_at
        )
        VALUES (
            %(mailbox_id)s, %(user_id)s, %(status)s, %(max_email_per_day)s, %(is_rampup_enabled)s, %(rampup_value)s,
            %(reply_rate)s, %(warmup_min_count)s, %(warmup_max_count)s, %(auto_adjust_warmup)s,
            %(send_warmups_only_on_weekdays)s, %(use_custom_domain)s, %(is_warmup_blocked)s, %(blocked_reason)s,
            %(ramp_started_at)s, %(created_at)s, %(updated_at)s
        )
        ON CONFLICT (mailbox_id) DO UPDATE
        SET status = excluded.status,
            max_email_per_day = excluded.max_email_per_day,
            is_rampup_enabled = excluded.is_rampup_enabled,
            rampup_value = excluded.rampup_value,
            reply_rate = excluded.reply_rate,
            warmup_min_count = excluded.warmup_min_count,
            warmup_max_count = excluded.warmup_max_count,
            auto_adjust_warmup = excluded.auto_adjust_warmup,
            send_warmups_only_on_weekdays = excluded.send_warmups_only_on_weekdays,
            use_custom_domain = excluded.use_custom_domain,
            is_warmup_blocked = excluded.is_warmup_blocked,
            blocked_reason = excluded.blocked_reason,
            ramp_started_at = excluded.ramp_started_at,
            updated_at = excluded.updated_at
        """,
        asdict(warmup),
    )
