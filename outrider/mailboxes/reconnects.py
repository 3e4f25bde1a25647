"""Logging in again to all mailboxes that failed, a few times a day (contract: email-accounts, Reconnect)."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

from outrider.kit.db import Db, execute, fetch_dicts, fetch_value
from outrider.kit.jobs import enqueue
from outrider.mailboxes import actions, servers
from outrider.mailboxes.models import MailboxNotFound, NoFailedMailbox, TooManyReconnects
from outrider.mailboxes.oauth import Refresher

JOB = "mailboxes.reconnect"
_WINDOW = timedelta(hours=24)
_AT_ONCE = 10


async def start(
    db: Db, user_id: int, mailbox_ids: Sequence[int] | None, *, scope: int | None, limit: int, now: datetime
) -> None:
    """Queue it. The limit counts those that were queued, of all keys; 0 is none."""
    await execute(db, "SELECT id FROM accounts WHERE id = %(user_id)s FOR NO KEY UPDATE", {"user_id": user_id})
    if limit and await _count_since(db, user_id, now - _WINDOW) >= limit:
        raise TooManyReconnects(limit=limit, extra={"ok": True})
    failed = await _list_failed(db, user_id, mailbox_ids, scope=scope)
    if not failed:
        raise NoFailedMailbox(extra={"ok": True})
    reconnect_id = await fetch_value(
        db,
        """
        INSERT INTO mailbox_reconnects (user_id, client_id, mailbox_ids, created_at)
        VALUES (%(user_id)s, %(scope)s, %(mailbox_ids)s, %(now)s)
        RETURNING id
        """,
        {"user_id": user_id, "scope": scope, "mailbox_ids": failed, "now": now},
    )
    await enqueue(db, JOB, user_id=user_id, reconnect_id=reconnect_id)


async def run(refresher: Refresher, user_id: int, reconnect_id: int) -> None:
    """Try each; those that are gone meanwhile are left out. What came of it is kept for the notice."""
    async with refresher.database.connection() as db:
        mailbox_ids = await fetch_value(
            db,
            """
            SELECT mailbox_ids
            FROM mailbox_reconnects
            WHERE user_id = %(user_id)s
              AND id = %(id)s
              AND finished_at IS NULL
            """,
            {"user_id": user_id, "id": reconnect_id},
        )
    connected = 0
    for start_of in range(0, len(mailbox_ids or ()), _AT_ONCE):
        batch = mailbox_ids[start_of : start_of + _AT_ONCE]
        connected += sum(await asyncio.gather(*(_try(refresher, user_id, each) for each in batch)))
    async with refresher.database.transaction() as db:
        await _finish(db, user_id, reconnect_id, connected=connected, now=refresher.clock.now())


async def _try(refresher: Refresher, user_id: int, mailbox_id: int) -> bool:
    await refresher.refresh(mailbox_id)
    try:
        async with refresher.database.connection() as db:
            stored = await actions.load_credentials(db, refresher.vault, user_id, mailbox_id, scope=None)
        verdict = await servers.verify(stored)
        async with refresher.database.transaction() as db:
            now = refresher.clock.now()
            await actions.record_check(db, user_id, mailbox_id, verdict, scope=None, now=now)
    except MailboxNotFound:
        return False
    return verdict.is_success


async def _count_since(db: Db, user_id: int, since: datetime) -> int:
    count: int = await fetch_value(
        db,
        "SELECT count(*) FROM mailbox_reconnects WHERE user_id = %(user_id)s AND created_at > %(since)s",
        {"user_id": user_id, "since": since},
    )
    return count


async def _list_failed(db: Db, user_id: int, mailbox_ids: Sequence[int] | None, *, scope: int | None) -> list[int]:
    """Suspended ones, too."""
    rows = await fetch_dicts(
        db,
        """
        SELECT id
        FROM mailboxes
        WHERE user_id = %(user_id)s
          AND deleted_at IS NULL
          AND NOT (is_smtp_success AND is_imap_success)
          AND (%(scope)s::bigint IS NULL OR client_id = %(scope)s)
          AND (%(mailbox_ids)s::bigint[] IS NULL OR id = ANY(%(mailbox_ids)s))
        ORDER BY id
        """,
        {"user_id": user_id, "scope": scope, "mailbox_ids": None if mailbox_ids is None else list(mailbox_ids)},
    )
    return [row["id"] for row in rows]


async def _finish(db: Db, user_id: int, reconnect_id: int, *, connected: int, now: datetime) -> None:
    await execute(
        db,
        """
        UPDATE mailbox_reconnects
        SET finished_at = %(now)s,
            connected_count = %(connected)s
        WHERE user_id = %(user_id)s
          AND id = %(id)s
          AND finished_at IS NULL
        """,
        {"user_id": user_id, "id": reconnect_id, "connected": connected, "now": now},
    )
