"""SQL on the API keys of clients. Main keys are in `store`."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from outrider.kit.db import Db, execute, fetch_all, fetch_one, fetch_value
from outrider.users.secrets import HINT_LENGTH, digest


@dataclass(frozen=True, slots=True)
class ClientKey:
    """As people see it: the key itself is not kept, unless the operator wants it (`sealed_key`)."""

    id: int
    user_id: int
    client_id: int
    name: str
    hint: str
    sealed_key: bytes | None
    created_at: datetime
    updated_at: datetime
    revoked_at: datetime | None
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class FreshKey:
    """A key that has just been made; `sealed` is what is kept of it besides its hash."""

    text: str
    sealed: bytes | None

    def values(self) -> Mapping[str, Any]:
        return {"key_hash": digest(self.text), "hint": self.text[-HINT_LENGTH:], "sealed_key": self.sealed}


async def list_keys(
    db: Db,
    user_id: int,
    *,
    client_id: int | None,
    is_revoked: bool,
    name: str | None,
    offset: int = 0,
    limit: int | None = None,
) -> list[ClientKey]:
    """Of one client, or of all; those that work, or those that do no more."""
    return await fetch_all(
        db,
        ClientKey,
        """
        SELECT id, user_id, client_id, name, hint, sealed_key, created_at,
               coalesce(updated_at, created_at) AS updated_at,
               revoked_at, last_used_at
        FROM api_keys
        WHERE user_id = %(user_id)s
          AND client_id IS NOT NULL
          AND (%(client_id)s::bigint IS NULL OR client_id = %(client_id)s)
          AND (revoked_at IS NOT NULL) = %(is_revoked)s
          AND (%(name)s::text IS NULL OR strpos(lower(name), lower(%(name)s)) > 0)
        ORDER BY id
        OFFSET %(offset)s
        LIMIT %(limit)s::bigint
        """,
        {
            "user_id": user_id,
            "client_id": client_id,
            "is_revoked": is_revoked,
            "name": name,
            "offset": offset,
            "limit": limit,
        },
    )


async def insert_key(db: Db, user_id: int, key: FreshKey, *, client_id: int, name: str, now: datetime) -> int:
    key_id: int = await fetch_value(
        db,
        """
        INSERT INTO api_keys (user_id, client_id, name, hint, key_hash, sealed_key, created_at)
        VALUES (%(user_id)s, %(client_id)s, %(name)s, %(hint)s, %(key_hash)s, %(sealed_key)s, %(now)s)
        RETURNING id
        """,
        {**key.values(), "user_id": user_id, "client_id": client_id, "name": name, "now": now},
    )
    return key_id


async def find_key(db: Db, user_id: int, key_id: int, *, client_id: int | None) -> ClientKey | None:
    """One that works."""
    return await fetch_one(
        db,
        ClientKey,
        """
        SELECT id, user_id, client_id, name, hint, sealed_key, created_at,
               coalesce(updated_at, created_at) AS updated_at,
               revoked_at, last_used_at
        FROM api_keys
        WHERE user_id = %(user_id)s
          AND id = %(id)s
          AND client_id IS NOT NULL
          AND (%(client_id)s::bigint IS NULL OR client_id = %(client_id)s)
          AND revoked_at IS NULL
        """,
        {"user_id": user_id, "id": key_id, "client_id": client_id},
    )


async def update_key(db: Db, user_id: int, key_id: int, key: FreshKey, *, now: datetime) -> None:
    """From now on the row is another key."""
    await execute(
        db,
        """
        UPDATE api_keys
        SET key_hash = %(key_hash)s,
            hint = %(hint)s,
            sealed_key = %(sealed_key)s,
            updated_at = %(now)s
        WHERE user_id = %(user_id)s
          AND id = %(id)s
        """,
        {**key.values(), "user_id": user_id, "id": key_id, "now": now},
    )


async def revoke_key(db: Db, user_id: int, key_id: int, *, now: datetime) -> None:
    await execute(
        db,
        """
        UPDATE api_keys
        SET revoked_at = %(now)s,
            updated_at = %(now)s,
            sealed_key = NULL
        WHERE user_id = %(user_id)s
          AND id = %(id)s
        """,
        {"user_id": user_id, "id": key_id, "now": now},
    )
