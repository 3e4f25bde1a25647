"""Changing the block list: entries act at once on everybody who is still on his way."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from outrider.clients import store as clients
from outrider.clients.models import ClientDeleted
from outrider.kit.db import Db
from outrider.kit.errors import NotAllowed
from outrider.leads import unsubscribes
from outrider.leads.blocks import store
from outrider.leads.blocks.models import BlockEntryNotFound, normalised_entry
from outrider.leads.models import HoldReason

MANUAL_SOURCE = "manual"
BOUNCE_SOURCE = "Smartlead.ai Bounce Detection"  # exactly these words (contract: leads, Fetch … Block List)


@dataclass(frozen=True, slots=True)
class Added:
    """How many of the given entries could be read, and how many of them were new."""

    entry_count: int
    new_count: int


async def block(
    db: Db,
    user_id: int,
    entries: Sequence[str],
    *,
    client_id: int | None,
    source: str,
    now: datetime,
    reason: HoldReason = HoldReason.BLOCKLISTED,
) -> Added:
    """Add addresses and domains in any spelling; what is neither is skipped and not counted."""
    readable = [name for entry in entries if (name := normalised_entry(entry))]
    new = await store.insert_entries(db, user_id, readable, client_id=client_id, source=source, now=now)
    if new:
        await store.block_open_leads(db, user_id, new, client_id=client_id, reason=reason, now=now)
    return Added(len(readable), len(new))


async def add(
    db: Db, user_id: int, entries: Sequence[str], *, client_id: int | None, scope: int | None, now: datetime
) -> Added:
    """By hand, for the account or one of its clients; `scope` is the client whose key asks."""
    client_id = own_client_id(client_id, scope)
    if client_id is not None:
        await clients.check_reference(db, user_id, client_id, scope=scope)
    return await block(db, user_id, entries, client_id=client_id, source=MANUAL_SOURCE, now=now)


async def remove(db: Db, user_id: int, entry_id: int, *, scope: int | None) -> None:
    """Leads that are BLOCKED stay so until they are resumed."""
    if not await store.delete_entry(db, user_id, entry_id, client_id=scope):
        raise BlockEntryNotFound


async def remove_by_name(db: Db, user_id: int, entry: str, *, client_id: int | None, scope: int | None) -> None:
    name = normalised_entry(entry)
    client_id = own_client_id(client_id, scope)
    if name is None or not await store.delete_entry_by_name(db, user_id, name, client_id=client_id):
        raise BlockEntryNotFound


async def adopt(db: Db, events: Sequence[ClientDeleted]) -> None:
    """What a client wanted to keep out, and who wanted none of its mail, holds for its campaigns when it is gone."""
    for event in events:
        await store.widen_to_account(db, event.user_id, event.client_id)
        await unsubscribes.widen_to_account(db, event.user_id, event.client_id)


def own_client_id(given: int | None, scope: int | None) -> int | None:
    """A client's key writes for its client only: nothing is filled in, another one is refused (contract: clients)."""
    if scope is not None and given not in {None, scope}:
        raise NotAllowed
    return given if scope is None else scope
