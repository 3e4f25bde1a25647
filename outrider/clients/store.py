"""SQL on clients."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from outrider.clients.models import Client, ClientDraft, ClientNotFound, UnknownClient
from outrider.kit.db import Db, execute, fetch_all, fetch_one, fetch_value

_COLUMNS = """
    id, user_id, uuid, name, email, permissions, logo, logo_url, restricted_category_ids, is_whitelabel,
    is_credit_assigned, email_credits, lead_credits, company, settings, created_at, updated_at
"""


async def list_clients(
    db: Db, user_id: int, *, scope: int | None, search: str | None = None, offset: int = 0, limit: int | None = None
) -> list[Client]:
    """By id; `scope` is the client whose key asks, which sees itself."""
    return await fetch_all(
        db,
        Client,
        f"""
        SELECT {_COLUMNS}
        FROM clients
        WHERE user_id = %(user_id)s
          AND (%(scope)s::bigint IS NULL OR id = %(scope)s)
          AND (%(search)s::text IS NULL OR strpos(lower(name), lower(%(search)s)) > 0
               OR strpos(email, lower(%(search)s)) > 0)
        ORDER BY id
        OFFSET %(offset)s
        LIMIT %(limit)s::bigint
        """,  # noqa: S608 - the columns are a constant
        {"user_id": user_id, "scope": scope, "search": search, "offset": offset, "limit": limit},
    )


async def find_client(db: Db, user_id: int, client_id: int) -> Client | None:
    return await fetch_one(
        db,
        Client,
        f"""
        SELECT {_COLUMNS}
        FROM clients
        WHERE user_id = %(user_id)s
          AND id = %(client_id)s
        """,  # noqa: S608 - the columns are a constant
        {"user_id": user_id, "client_id": client_id},
    )


async def load_client(db: Db, user_id: int, client_id: int, *, scope: int | None) -> Client:
    client = await find_client(db, user_id, client_id) if scope in (None, client_id) else None
    if client is None:
        raise ClientNotFound
    return client


async def lock_client(db: Db, user_id: int, client_id: int, *, scope: int | None) -> Client:
    """As load_client; others wait with their changes."""
    client = await fetch_one(
        db,
        Client,
        f"""
        SELECT {_COLUMNS}
        FROM clients
        WHERE user_id = %(user_id)s
          AND id = %(client_id)s
          AND (%(scope)s::bigint IS NULL OR id = %(scope)s)
        FOR NO KEY UPDATE
        """,  # noqa: S608 - the columns are a constant
        {"user_id": user_id, "client_id": client_id, "scope": scope},
    )
    if client is None:
        raise ClientNotFound
    return client


async def check_reference(db: Db, user_id: int, client_id: int, *, scope: int | None) -> None:
    """Raise UnknownClient unless the account has this client; a client's key (`scope`) knows only its own."""
    is_visible = scope is None or scope == client_id
    if not is_visible or await find_client(db, user_id, client_id) is None:
        raise UnknownClient


async def insert_client(db: Db, user_id: int, draft: ClientDraft, *, now: datetime) -> int | None:
    """The new id, or None if the address belongs to a client or a person of this installation."""
    client_id: int | None = await fetch_value(
        db,
        """
        INSERT INTO clients (
            user_id, name, email, permissions, logo, logo_url, restricted_category_ids, is_whitelabel,
            is_credit_assigned, email_credits, lead_credits, company, settings, created_at, updated_at
        )
        SELECT %(user_id)s, %(name)s, %(email)s, %(permissions)s, %(logo)s, %(logo_url)s,
               %(restricted_category_ids)s, %(is_whitelabel)s, %(is_credit_assigned)s, %(email_credits)s,
               %(lead_credits)s, %(company)s, %(settings)s, %(now)s, %(now)s
        WHERE NOT EXISTS (SELECT FROM people WHERE email = %(email)s)
        ON CONFLICT (email) DO NOTHING
        RETURNING id
        """,
        {**_values(draft), "user_id": user_id, "now": now},
    )
    return client_id


async def is_address_taken(db: Db, email: str, *, by_other_than: int) -> bool:
    """By another client, or by a person, of whatever account: addresses log in."""
    found: bool = await fetch_value(
        db,
        """
        SELECT EXISTS (SELECT FROM clients WHERE email = %(email)s AND id <> %(id)s)
            OR EXISTS (SELECT FROM people WHERE email = %(email)s)
        """,
        {"email": email, "id": by_other_than},
    )
    return found


async def update_client(db: Db, user_id: int, client_id: int, draft: ClientDraft, *, now: datetime) -> None:
    """Write what people edit; the caller holds the lock."""
    await execute(
        db,
        """
        UPDATE clients
        SET name = %(name)s,
            email = %(email)s,
            permissions = %(permissions)s,
            logo = %(logo)s,
            logo_url = %(logo_url)s,
            restricted_category_ids = %(restricted_category_ids)s,
            is_whitelabel = %(is_whitelabel)s,
            is_credit_assigned = %(is_credit_assigned)s,
            email_credits = %(email_credits)s,
            lead_credits = %(lead_credits)s,
            company = %(company)s,
            settings = %(settings)s,
            updated_at = %(now)s
        WHERE user_id = %(user_id)s
          AND id = %(id)s
        """,
        {**_values(draft), "user_id": user_id, "id": client_id, "now": now},
    )


async def update_password_hash(db: Db, user_id: int, client_id: int, password_hash: str) -> None:
    await execute(
        db,
        """
        UPDATE clients
        SET password_hash = %(password_hash)s
        WHERE user_id = %(user_id)s
          AND id = %(id)s
        """,
        {"user_id": user_id, "id": client_id, "password_hash": password_hash},
    )


async def has_active_campaigns(db: Db, user_id: int, client_id: int) -> bool:
    found: bool = await fetch_value(
        db,
        """
        SELECT EXISTS (
            SELECT FROM campaigns WHERE user_id = %(user_id)s AND client_id = %(client_id)s AND status = 'ACTIVE'
        )
        """,
        {"user_id": user_id, "client_id": client_id},
    )
    return found


async def delete_client(db: Db, user_id: int, client_id: int) -> None:
    """Its keys go with it; campaigns and mailboxes become the account's own (foreign keys)."""
    await execute(
        db,
        "DELETE FROM clients WHERE user_id = %(user_id)s AND id = %(id)s",
        {"user_id": user_id, "id": client_id},
    )


def _values(draft: ClientDraft) -> Mapping[str, Any]:
    values = asdict(draft)
    settings = values["settings"]
    return {**values, "settings": None if settings is None else Jsonb(settings)}
