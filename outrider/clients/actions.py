"""What changes clients. Their keys are in `keys`."""

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from datetime import datetime
from typing import Any

from outrider.clients import store
from outrider.clients.models import (
    DEFAULT_PERMISSIONS,
    Client,
    ClientActive,
    ClientDeleted,
    ClientDraft,
    ClientExists,
    InvalidPermission,
    is_permission,
)
from outrider.kit.db import Db
from outrider.kit.events import emit
from outrider.users.actions import check_password
from outrider.users.secrets import hash_password

_DEFAULTS = {
    "permissions": list(DEFAULT_PERMISSIONS),
    "logo": None,
    "logo_url": None,
    "restricted_category_ids": [],
    "is_credit_assigned": False,
    "email_credits": 0,
    "lead_credits": 0,
    "company": None,
    "settings": None,
}
_DRAFT = tuple(each.name for each in fields(ClientDraft))


async def create(db: Db, user_id: int, changes: Mapping[str, Any], *, password: str | None, now: datetime) -> Client:
    """With the password, if there is one, by which the client logs in."""
    _check(changes.get("permissions"), password)
    values = {**_DEFAULTS, "is_whitelabel": bool(changes.get("logo") or changes.get("logo_url")), **changes}
    draft = ClientDraft(**values)
    client_id = await store.insert_client(db, user_id, draft, now=now)
    if client_id is None:
        raise ClientExists(email=draft.email)
    await _set_password(db, user_id, client_id, password)
    return await store.load_client(db, user_id, client_id, scope=None)


async def update(
    db: Db,
    user_id: int,
    client_id: int,
    changes: Mapping[str, Any],
    *,
    password: str | None,
    scope: int | None,
    now: datetime,
) -> Client:
    """Only what is given. Fewer rights count from the next request of the client's keys on."""
    _check(changes.get("permissions"), password)
    client = await store.lock_client(db, user_id, client_id, scope=scope)
    draft = replace(ClientDraft(**{name: getattr(client, name) for name in _DRAFT}), **changes)
    if draft.email != client.email and await store.is_address_taken(db, draft.email, by_other_than=client_id):
        raise ClientExists(email=draft.email)
    await store.update_client(db, user_id, client_id, draft, now=now)
    await _set_password(db, user_id, client_id, password)
    return await store.load_client(db, user_id, client_id, scope=None)


async def delete(db: Db, user_id: int, client_id: int, *, now: datetime) -> None:
    """Its keys and webhooks go with it; what it had becomes the account's own."""
    await store.lock_client(db, user_id, client_id, scope=None)
    if await store.has_active_campaigns(db, user_id, client_id):
        raise ClientActive
    await emit(db, ClientDeleted(user_id, client_id, at=now))
    await store.delete_client(db, user_id, client_id)


def _check(permissions: Sequence[str] | None, password: str | None) -> None:
    for word in permissions or ():
        if not is_permission(word):
            raise InvalidPermission(word=word)
    if password is not None:
        check_password(password)


async def _set_password(db: Db, user_id: int, client_id: int, password: str | None) -> None:
    if password is not None:
        await store.update_password_hash(db, user_id, client_id, await hash_password(password))
