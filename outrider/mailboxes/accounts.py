"""Mailboxes as people see them, with their warmup: read once for the list, the single account and a campaign's list."""

from datetime import datetime
from typing import Any

from outrider.kit.db import Db
from outrider.mailboxes import store, wire
from outrider.mailboxes.store import AccountFilter
from outrider.mailboxes.warmups import list_warmups


async def list_accounts(
    db: Db,
    user_id: int,
    shown: AccountFilter,
    *,
    now: datetime,
    offset: int = 0,
    limit: int | None = None,
    with_campaigns: bool = False,
) -> list[dict[str, Any]]:
    """In the form of lists."""
    rows = await store.list_accounts(db, user_id, shown, today=now.date(), offset=offset, limit=limit)
    warmups = {warmup.mailbox_id: warmup for warmup in await list_warmups(db, user_id, [row["id"] for row in rows])}
    return [
        wire.account(row, warmups.get(row["id"]), now=now, is_listed=True, with_campaigns=with_campaigns)
        for row in rows
    ]


async def find_account(
    db: Db,
    user_id: int,
    mailbox_id: int,
    *,
    scope: int | None,
    now: datetime,
    with_campaigns: bool = False,
    with_tags: bool = False,
) -> dict[str, Any] | None:
    """In the form of a single account."""
    shown = AccountFilter(scope=scope, ids=[mailbox_id])
    rows = await store.list_accounts(db, user_id, shown, today=now.date())
    if not rows:
        return None
    warmups = await list_warmups(db, user_id, [mailbox_id])
    return wire.account(
        rows[0],
        warmups[0] if warmups else None,
        now=now,
        is_listed=False,
        with_campaigns=with_campaigns,
        with_tags=with_tags,
    )
