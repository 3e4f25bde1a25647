"""SQL on whether the log-ins of a mailbox work: what a test found, and what the engine met."""

from datetime import datetime

from outrider.kit.db import Db, execute, fetch_value
from outrider.mailboxes.models import Verdict


async def record_verdict(db: Db, user_id: int, mailbox_id: int, verdict: Verdict, *, now: datetime) -> None:
    """What a log-in test found; after a success nothing of earlier failures holds the mailbox back."""
    await execute(
        db,
        """
        WITH tested AS (
            UPDATE mailboxes
            SET is_smtp_success = %(smtp_error)s::text IS NULL,
                is_imap_success = %(imap_error)s::text IS NULL,
                smtp_failure_error = %(smtp_error)s,
                imap_failure_error = %(imap_error)s,
                updated_at = %(now)s
            WHERE id = %(mailbox_id)s
              AND user_id = %(user_id)s
            RETURNING id, is_smtp_success, is_imap_success
        )
        UPDATE mailbox_states
        SET smtp_failure_count = CASE WHEN tested.is_smtp_success THEN 0 ELSE smtp_failure_count END,
            backoff_until = CASE WHEN tested.is_smtp_success THEN NULL ELSE backoff_until END,
            backoff_reason = CASE WHEN tested.is_smtp_success THEN NULL ELSE backoff_reason END,
            backoff_step = CASE WHEN tested.is_smtp_success THEN 0 ELSE backoff_step END,
            imap_failure_count = CASE WHEN tested.is_imap_success THEN 0 ELSE imap_failure_count END,
            imap_retry_at = CASE WHEN tested.is_imap_success THEN NULL ELSE imap_retry_at END
        FROM tested
        WHERE mailbox_states.mailbox_id = tested.id
        """,
        {
            "user_id": user_id,
            "mailbox_id": mailbox_id,
            "smtp_error": verdict.smtp_error,
            "imap_error": verdict.imap_error,
            "now": now,
        },
    )


async def record_imap_success(db: Db, user_id: int, mailbox_id: int, *, now: datetime) -> None:
    await execute(
        db,
        """
        UPDATE mailboxes
        SET is_imap_success = true,
            imap_failure_error = NULL,
            updated_at = %(now)s
        WHERE user_id = %(user_id)s
          AND id = %(mailbox_id)s
        """,
        {"user_id": user_id, "mailbox_id": mailbox_id, "now": now},
    )


async def record_smtp_success(db: Db, user_id: int, mailbox_id: int, *, now: datetime) -> bool:
    """Nothing of earlier failures holds the mailbox back; whether it works altogether now."""
    return bool(
        await fetch_value(
            db,
            """
            WITH working AS (
                UPDATE mailboxes
                SET is_smtp_success = true,
                    smtp_failure_error = NULL,
                    updated_at = %(now)s
                WHERE user_id = %(user_id)s
                  AND id = %(mailbox_id)s
                RETURNING id, is_imap_success
            ), free AS (
                UPDATE mailbox_states
                SET smtp_failure_count = 0, backoff_until = NULL, backoff_reason = NULL, backoff_step = 0
                FROM working
                WHERE mailbox_states.mailbox_id = working.id
            )
            SELECT is_imap_success FROM working
            """,
            {"user_id": user_id, "mailbox_id": mailbox_id, "now": now},
        )
    )


async def record_failure(
    db: Db, user_id: int, mailbox_id: int, *, smtp_error: str | None, imap_error: str | None, now: datetime
) -> bool:
    """Note the errors that are given; whether the mailbox worked until now. Who asks first is told so."""
    was_connected: bool | None = await fetch_value(
        db,
        """
        WITH known AS (
            SELECT id, is_smtp_success AND is_imap_success AS was_connected
            FROM mailboxes
            WHERE user_id = %(user_id)s
              AND id = %(mailbox_id)s
              AND deleted_at IS NULL
            FOR NO KEY UPDATE
        )
        UPDATE mailboxes
        SET is_smtp_success = is_smtp_success AND %(smtp_error)s::text IS NULL,
            smtp_failure_error = coalesce(%(smtp_error)s, smtp_failure_error),
            is_imap_success = is_imap_success AND %(imap_error)s::text IS NULL,
            imap_failure_error = coalesce(%(imap_error)s, imap_failure_error),
            updated_at = %(now)s
        FROM known
        WHERE mailboxes.id = known.id
        RETURNING known.was_connected
        """,
        {
            "user_id": user_id,
            "mailbox_id": mailbox_id,
            "smtp_error": smtp_error,
            "imap_error": imap_error,
            "now": now,
        },
    )
    return bool(was_connected)
