"""Mailboxes that could not submit are tried again: a log-in, no mail (product behaviour 1.4, decision 39).

After 1, 5, 15 and 60 minutes, then every hour, until a log-in works or somebody edits the mailbox. Reading tries by
itself: see `inbound.readers`.
"""

import asyncio
from datetime import timedelta
from uuid import UUID

from outrider.engine import store
from outrider.kit.clock import Clock
from outrider.kit.crypto import SealError, Vault
from outrider.kit.db import Database
from outrider.mailboxes import actions as mailboxes
from outrider.mailboxes import servers, state
from outrider.mailboxes.models import Mailbox

_WAITS = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=15), timedelta(minutes=60))
_AT_ONCE = 20
_UNREADABLE = "The stored password cannot be opened with this OUTRIDER_SECRET_KEY. Enter it again."


async def reconnect(database: Database, clock: Clock, vault: Vault, *, engine_id: UUID) -> int:
    """Try those whose wait is over; returns how many were tried. No connection is held meanwhile."""
    async with database.connection() as db:
        due = await store.list_disconnected(db, engine_id, clock.now(), limit=_AT_ONCE)
        found = {mailbox.id: mailbox for mailbox in await store.list_mailboxes(db, [each.mailbox_id for each in due])}
    tried = [(found[each.mailbox_id], each.backoff_step) for each in due if each.mailbox_id in found]
    errors = await asyncio.gather(*(_error(mailbox, vault) for mailbox, _ in tried))
    for (mailbox, step), error in zip(tried, errors, strict=True):
        await _record(database, clock, mailbox, step=step, error=error)
    return len(tried)


async def _error(mailbox: Mailbox, vault: Vault) -> str | None:
    try:
        server = servers.smtp_server(mailbox, vault)
    except SealError:
        return _UNREADABLE
    return await servers.smtp_error(server)


async def _record(database: Database, clock: Clock, mailbox: Mailbox, *, step: int, error: str | None) -> None:
    now = clock.now()
    async with database.transaction() as db:
        if error is None:
            await mailboxes.record_smtp_success(db, mailbox.user_id, mailbox.id, now=now)
            return
        await mailboxes.record_smtp_failure(db, mailbox.user_id, mailbox.id, error=error, now=now)
        until = now + _WAITS[min(step, len(_WAITS) - 1)]
        await state.back_off(db, mailbox.id, until, reason=f"the log-in failed: {error}", is_failure=True)
