"""SQL on clients."""

from outrider.clients.models import Client, UnknownClient
from outrider.kit.db import Db, fetch_one


async def find_client(db: Db, user_id: int, client_id: int) -> Client | None:
    return await fetch_one(
        db,
        Client,
        """
        SELECT id, user_id, name, email, company, created_at, updated_at
        FROM clients
        WHERE user_id = %(user_id)s
          AND id = %(client_id)s
        """,
        {"user_id": user_id, "client_id": client_id},
    )


async def check_reference(db: Db, user_id: int, client_id: int, *, scope: int | None) -> None:
    """Raise UnknownClient unless the account has this client; a client's key (`scope`) knows only its own."""
    is_visible = scope is None or scope == client_id
    if not is_visible or await find_client(db, user_id, client_id) is None:
        raise UnknownClient
