"""API keys of clients (contract: clients, Create New Client API Key).

The text of a key is shown when it is made and never again, unless the operator wants it kept (CLIENT_KEYS_PLAINTEXT).
"""

from dataclasses import dataclass
from datetime import datetime

from outrider.clients import store
from outrider.clients.models import KeyGone, KeyNameTaken, TooManyKeys
from outrider.kit.crypto import Vault
from outrider.kit.db import Db
from outrider.users import client_keys
from outrider.users.client_keys import ClientKey, FreshKey
from outrider.users.secrets import make_key

_MOST = 50
_MASK = "****"


@dataclass(frozen=True, slots=True)
class ShownKey:
    """A key and what may be seen of it."""

    row: ClientKey
    text: str


async def create(db: Db, vault: Vault | None, user_id: int, client_id: int, *, name: str, now: datetime) -> ShownKey:
    """`vault`: keep the text, too. Raises ClientNotFound."""
    await store.lock_client(db, user_id, client_id, scope=None)
    known = await client_keys.list_keys(db, user_id, client_id=client_id, is_revoked=False, name=None)
    if name.lower() in {key.name.lower() for key in known}:
        raise KeyNameTaken
    if len(known) >= _MOST:
        raise TooManyKeys
    fresh = _fresh(vault)
    key_id = await client_keys.insert_key(db, user_id, fresh, client_id=client_id, name=name, now=now)
    return ShownKey(await _load(db, user_id, key_id, client_id=client_id), fresh.text)


async def reset(
    db: Db, vault: Vault | None, user_id: int, key_id: int, *, client_id: int | None, now: datetime
) -> ShownKey:
    """Another text for the same key; the old one stops working at once."""
    await _load(db, user_id, key_id, client_id=client_id)
    fresh = _fresh(vault)
    await client_keys.update_key(db, user_id, key_id, fresh, now=now)
    return ShownKey(await _load(db, user_id, key_id, client_id=client_id), fresh.text)


async def revoke(db: Db, user_id: int, key_id: int, *, client_id: int | None, now: datetime) -> None:
    await _load(db, user_id, key_id, client_id=client_id)
    await client_keys.revoke_key(db, user_id, key_id, now=now)


def shown(row: ClientKey, vault: Vault | None) -> ShownKey:
    """`vault`: in full, if it was kept."""
    if vault is None or row.sealed_key is None:
        return ShownKey(row, _MASK + row.hint)
    return ShownKey(row, vault.open(row.sealed_key))


async def _load(db: Db, user_id: int, key_id: int, *, client_id: int | None) -> ClientKey:
    key = await client_keys.find_key(db, user_id, key_id, client_id=client_id)
    if key is None:
        raise KeyGone
    return key


def _fresh(vault: Vault | None) -> FreshKey:
    text = make_key()
    return FreshKey(text, None if vault is None else vault.seal(text))
