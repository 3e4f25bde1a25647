"""SQL on mailboxes and their tags. Whether they can log in is in `connections`, warmup settings in `warmups`.

What the engine changes with every mail is in `state`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from outrider.kit.db import Db, execute, fetch_dict, fetch_dicts, fetch_one, fetch_value
from outrider.mailboxes.models import Mailbox, MailboxNotFound, MailboxType

_COLUMNS = """
    id, user_id, client_id, type, from_name, from_email, username, password,
    smtp_host, smtp_port, smtp_port_type, imap_host, imap_port, imap_port_type, imap_username, imap_password,
    max_email_per_day, time_to_wait_minutes, signature, custom_tracking_domain, tracking_domain_checked_at,
    is_tracking_domain_valid, tracking_domain_error, bcc_email, different_reply_to_address, warmup_key, is_suspended,
    is_smtp_success, is_imap_success, smtp_failure_error, imap_failure_error, created_at, updated_at, deleted_at,
    access_token, refresh_token, token_expires_at, token_claimed_until, use_whitelabel_credentials
"""

_NO_TOKEN: dict[str, Any] = {
    "access_token": None,
    "refresh_token": None,
    "token_expires_at": None,
    "use_whitelabel_credentials": False,
}


@dataclass(frozen=True, slots=True)
class AccountFilter:
    """Which accounts a list shows; None does not narrow it down."""

    scope: int | None = None  # the client whose key asks
    ids: Sequence[int] | None = None
    campaign_id: int | None = None
    username: str | None = None
    client_id: int | None = None
    type: MailboxType | None = None
    is_in_use: bool | None = None
    is_warmup_active: bool | None = None
    is_warmup_blocked: bool | None = None
    is_smtp_success: bool | None = None


async def list_accounts(
    db: Db, user_id: int, shown: AccountFilter, *, today: date, offset: int = 0, limit: int | None = None
) -> list[dict[str, Any]]:
    """Mailboxes as people see them, newest first: with the day's count, tags and campaigns, without any secret."""
    return await fetch_dicts(
        db,
        """
        SELECT mailboxes.id, mailboxes.user_id, mailboxes.client_id, mailboxes.type, mailboxes.from_name,
               mailboxes.from_email, mailboxes.username,
               mailboxes.smtp_host, mailboxes.smtp_port, mailboxes.smtp_port_type,
               mailboxes.imap_host, mailboxes.imap_port, mailboxes.imap_port_type, mailboxes.imap_username,
               mailboxes.imap_username IS NOT NULL OR mailboxes.imap_password IS NOT NULL AS is_different_imap_account,
               mailboxes.max_email_per_day, mailboxes.time_to_wait_minutes, mailboxes.signature,
               mailboxes.custom_tracking_domain, mailboxes.tracking_domain_checked_at,
               mailboxes.is_tracking_domain_valid, mailboxes.tracking_domain_error,
               mailboxes.bcc_email, mailboxes.different_reply_to_address,
               mailboxes.warmup_key, mailboxes.is_suspended, mailboxes.is_smtp_success, mailboxes.is_imap_success,
               mailboxes.smtp_failure_error, mailboxes.imap_failure_error, mailboxes.created_at, mailboxes.updated_at,
               mailboxes.access_token IS NOT NULL AS is_oauth, mailboxes.token_expires_at,
               mailboxes.use_whitelabel_credentials,
               coalesce(mailbox_days.campaign_count + mailbox_days.other_count, 0) AS daily_sent_count,
               used.campaign_ids,
               labels.tags
        FROM mailboxes
        LEFT JOIN mailbox_days ON mailbox_days.mailbox_id = mailboxes.id AND mailbox_days.day = %(today)s
        LEFT JOIN mailbox_warmups ON mailbox_warmups.mailbox_id = mailboxes.id
        CROSS JOIN LATERAL (
            SELECT coalesce(array_agg(campaign_id ORDER BY campaign_id), '{}') AS campaign_ids
            FROM campaign_mailboxes
            WHERE mailbox_id = mailboxes.id
        ) AS used
        CROSS JOIN LATERAL (
            SELECT coalesce(
                       jsonb_agg(jsonb_build_object('id', tags.id, 'name', tags.name, 'color', tags.color)
                                 ORDER BY lower(tags.name), tags.id),
                       '[]'
                   ) AS tags
            FROM mailbox_tags
            JOIN tags ON tags.id = mailbox_tags.tag_id
            WHERE mailbox_tags.mailbox_id = mailboxes.id
        ) AS labels
        WHERE mailboxes.user_id = %(user_id)s
          AND mailboxes.deleted_at IS NULL
          AND (%(scope)s::bigint IS NULL OR mailboxes.client_id = %(scope)s)
          AND (%(ids)s::bigint[] IS NULL OR mailboxes.id = ANY(%(ids)s))
          AND (%(client_id)s::bigint IS NULL OR mailboxes.client_id = %(client_id)s)
          AND (%(type)s::text IS NULL OR mailboxes.type = %(type)s)
          AND (%(username)s::text IS NULL
               OR strpos(lower(mailboxes.username), lower(%(username)s)) > 0
               OR strpos(lower(mailboxes.from_email), lower(%(username)s)) > 0)
          AND (%(campaign_id)s::bigint IS NULL
               OR EXISTS (SELECT FROM campaign_mailboxes
                          WHERE mailbox_id = mailboxes.id AND campaign_id = %(campaign_id)s))
          AND (%(is_in_use)s::boolean IS NULL
               OR %(is_in_use)s = EXISTS (SELECT FROM campaign_mailboxes WHERE mailbox_id = mailboxes.id))
          AND (%(is_warmup_active)s::boolean IS NULL
               OR %(is_warmup_active)s = (coalesce(mailbox_warmups.status, 'INACTIVE') = 'ACTIVE'))
          AND (%(is_warmup_blocked)s::boolean IS NULL
               OR %(is_warmup_blocked)s = coalesce(mailbox_warmups.is_warmup_blocked, false))
          AND (%(is_smtp_success)s::boolean IS NULL OR mailboxes.is_smtp_success = %(is_smtp_success)s)
        ORDER BY mailboxes.id DESC
        OFFSET %(offset)s
        LIMIT %(limit)s::bigint
        """,
        {**asdict(shown), "user_id": user_id, "today": today, "offset": offset, "limit": limit},
    )


async def find_mailbox(db: Db, user_id: int, mailbox_id: int, *, client_id: int | None) -> Mailbox | None:
    """A mailbox that is not deleted; with the key of a client (`client_id`) only one of that client."""
    return await fetch_one(
        db,
        Mailbox,
        f"""
        SELECT {_COLUMNS}
        FROM mailboxes
        WHERE user_id = %(user_id)s
          AND id = %(id)s
          AND deleted_at IS NULL
          AND (%(client_id)s::bigint IS NULL OR client_id = %(client_id)s)
        """,  # noqa: S608 - the columns are a constant
        {"user_id": user_id, "id": mailbox_id, "client_id": client_id},
    )


async def load_mailbox(db: Db, user_id: int, mailbox_id: int, *, client_id: int | None) -> Mailbox:
    mailbox = await find_mailbox(db, user_id, mailbox_id, client_id=client_id)
    if mailbox is None:
        raise MailboxNotFound(mailbox_id)
    return mailbox


async def lock_mailbox(db: Db, user_id: int, mailbox_id: int, *, client_id: int | None) -> Mailbox:
    """As load_mailbox; others wait with their changes. Rows that refer to it may still be added meanwhile."""
    mailbox = await fetch_one(
        db,
        Mailbox,
        f"""
        SELECT {_COLUMNS}
        FROM mailboxes
        WHERE user_id = %(user_id)s
          AND id = %(id)s
          AND deleted_at IS NULL
          AND (%(client_id)s::bigint IS NULL OR client_id = %(client_id)s)
        FOR NO KEY UPDATE
        """,  # noqa: S608 - the columns are a constant
        {"user_id": user_id, "id": mailbox_id, "client_id": client_id},
    )
    if mailbox is None:
        raise MailboxNotFound(mailbox_id)
    return mailbox


async def list_visible_ids(db: Db, user_id: int, mailbox_ids: Sequence[int], *, client_id: int | None) -> set[int]:
    """Those of the ids that are mailboxes of the account (of the client, with its key)."""
    rows = await fetch_dicts(
        db,
        """
        SELECT id
        FROM mailboxes
        WHERE user_id = %(user_id)s
          AND id = ANY(%(mailbox_ids)s)
          AND deleted_at IS NULL
          AND (%(client_id)s::bigint IS NULL OR client_id = %(client_id)s)
        """,
        {"user_id": user_id, "mailbox_ids": list(mailbox_ids), "client_id": client_id},
    )
    return {row["id"] for row in rows}


async def find_holder(db: Db, from_email: str) -> dict[str, Any] | None:
    """Who has this address, in whatever account: an address belongs to one mailbox of the whole instance."""
    return await fetch_dict(
        db,
        """
        SELECT id, user_id, client_id
        FROM mailboxes
        WHERE lower(from_email) = lower(%(from_email)s)
          AND deleted_at IS NULL
        """,
        {"from_email": from_email},
    )


async def insert_mailbox(db: Db, values: Mapping[str, Any]) -> int | None:
    """The new id, or None if the address has been taken meanwhile."""
    mailbox_id: int | None = await fetch_value(
        db,
        """
        INSERT INTO mailboxes (
            user_id, client_id, type, from_name, from_email, username, password,
            smtp_host, smtp_port, smtp_port_type, imap_host, imap_port, imap_port_type, imap_username, imap_password,
            max_email_per_day, time_to_wait_minutes, signature, custom_tracking_domain, bcc_email,
            different_reply_to_address, warmup_key, is_suspended, created_at, updated_at,
            access_token, refresh_token, token_expires_at, use_whitelabel_credentials
        )
        VALUES (
            %(user_id)s, %(client_id)s, %(type)s, %(from_name)s, %(from_email)s, %(username)s, %(password)s,
            %(smtp_host)s, %(smtp_port)s, %(smtp_port_type)s,
            %(imap_host)s, %(imap_port)s, %(imap_port_type)s, %(imap_username)s, %(imap_password)s,
            %(max_email_per_day)s, %(time_to_wait_minutes)s, %(signature)s, %(custom_tracking_domain)s, %(bcc_email)s,
            %(different_reply_to_address)s, %(warmup_key)s, %(is_suspended)s, %(now)s, %(now)s,
            %(access_token)s, %(refresh_token)s, %(token_expires_at)s, %(use_whitelabel_credentials)s
        )
        ON CONFLICT (lower(from_email)) WHERE deleted_at IS NULL DO NOTHING
        RETURNING id
        """,
        {**_NO_TOKEN, **values},
    )
    return mailbox_id


async def insert_state(db: Db, user_id: int, mailbox_id: int, *, now: datetime) -> None:
    """A new mailbox is free to send at once."""
    await execute(
        db,
        """
        INSERT INTO mailbox_states (mailbox_id, user_id, next_send_at)
        VALUES (%(mailbox_id)s, %(user_id)s, %(now)s)
        """,
        {"mailbox_id": mailbox_id, "user_id": user_id, "now": now},
    )


async def update_mailbox(db: Db, mailbox: Mailbox) -> None:
    """Write what people edit; the caller holds the lock."""
    await execute(
        db,
        """
        UPDATE mailboxes
        SET client_id = %(client_id)s,
            type = %(type)s,
            from_name = %(from_name)s,
            from_email = %(from_email)s,
            username = %(username)s,
            password = %(password)s,
            smtp_host = %(smtp_host)s,
            smtp_port = %(smtp_port)s,
            smtp_port_type = %(smtp_port_type)s,
            imap_host = %(imap_host)s,
            imap_port = %(imap_port)s,
            imap_port_type = %(imap_port_type)s,
            imap_username = %(imap_username)s,
            imap_password = %(imap_password)s,
            max_email_per_day = %(max_email_per_day)s,
            time_to_wait_minutes = %(time_to_wait_minutes)s,
            signature = %(signature)s,
            custom_tracking_domain = %(custom_tracking_domain)s,
            tracking_domain_checked_at = %(tracking_domain_checked_at)s,
            is_tracking_domain_valid = %(is_tracking_domain_valid)s,
            tracking_domain_error = %(tracking_domain_error)s,
            bcc_email = %(bcc_email)s,
            different_reply_to_address = %(different_reply_to_address)s,
            is_suspended = %(is_suspended)s,
            access_token = %(access_token)s,
            refresh_token = %(refresh_token)s,
            token_expires_at = %(token_expires_at)s,
            token_claimed_until = NULL,
            use_whitelabel_credentials = %(use_whitelabel_credentials)s,
            updated_at = %(updated_at)s
        WHERE id = %(id)s
          AND user_id = %(user_id)s
        """,
        asdict(mailbox),
    )


async def update_daily_caps(db: Db, user_id: int, mailbox_ids: Sequence[int], cap: int, *, now: datetime) -> None:
    await execute(
        db,
        """
        UPDATE mailboxes
           SET max_email_per_day = %(cap)s, updated_at = %(now)s
         WHERE user_id = %(user_id)s
           AND id = ANY(%(ids)s)
        """,
        {"user_id": user_id, "ids": list(mailbox_ids), "cap": cap, "now": now},
    )


async def delete_mailboxes(
    db: Db, user_id: int, mailbox_ids: Sequence[int], *, client_id: int | None, now: datetime
) -> list[int]:
    """Hide them for good and wipe their secrets; the ids that were there."""
    rows = await fetch_dicts(
        db,
        """
        UPDATE mailboxes
        SET deleted_at = %(now)s,
            updated_at = %(now)s,
            password = NULL,
            imap_password = NULL,
            access_token = NULL,
            refresh_token = NULL
        WHERE user_id = %(user_id)s
          AND id = ANY(%(mailbox_ids)s)
          AND deleted_at IS NULL
          AND (%(client_id)s::bigint IS NULL OR client_id = %(client_id)s)
        RETURNING id
        """,
        {"user_id": user_id, "mailbox_ids": list(mailbox_ids), "client_id": client_id, "now": now},
    )
    return [row["id"] for row in rows]


async def delete_tag_mappings(db: Db, user_id: int, mailbox_ids: Sequence[int]) -> None:
    await execute(
        db,
        """
        DELETE FROM mailbox_tags
        WHERE user_id = %(user_id)s
          AND mailbox_id = ANY(%(mailbox_ids)s)
        """,
        {"user_id": user_id, "mailbox_ids": list(mailbox_ids)},
    )


async def update_warmup_key(db: Db, user_id: int, mailbox_id: int, key: str, *, now: datetime) -> None:
    await execute(
        db,
        """
        UPDATE mailboxes
        SET warmup_key = %(key)s,
            updated_at = %(now)s
        WHERE user_id = %(user_id)s
          AND id = %(mailbox_id)s
        """,
        {"user_id": user_id, "mailbox_id": mailbox_id, "key": key, "now": now},
    )
