"""SQL of accounts, people, keys and links."""

from datetime import datetime, timedelta

from outrider.kit.db import Db, execute, fetch_all, fetch_one, fetch_value
from outrider.kit.exchange import Admission
from outrider.users.models import Account, ApiKey, Failures, LinkPurpose, Person, Role, TeamMember

_NOTED_EVERY = timedelta(minutes=1)
"""How exact `last_used_at` is: a write for every request would make the busiest rows of all."""


async def insert_account(db: Db, name: str, *, now: datetime) -> int:
    sql = """
        INSERT INTO accounts (name, created_at, updated_at)
        VALUES (%(name)s, %(now)s, %(now)s)
        RETURNING id
    """
    return int(await fetch_value(db, sql, {"name": name, "now": now}))


async def list_accounts(db: Db) -> list[Account]:
    sql = """
        SELECT id, name, created_at, updated_at
        FROM accounts
        ORDER BY id
    """
    return await fetch_all(db, Account, sql)


async def insert_person(db: Db, user_id: int, *, email: str, name: str, role: Role, now: datetime) -> int | None:
    """None if the address belongs to somebody already."""
    sql = """
        INSERT INTO people (user_id, email, name, role, created_at, updated_at)
        SELECT %(user_id)s, %(email)s, %(name)s, %(role)s, %(now)s, %(now)s
        WHERE NOT EXISTS (SELECT FROM clients WHERE email = %(email)s)
        ON CONFLICT (email) DO NOTHING
        RETURNING id
    """
    found = await fetch_value(
        db, sql, {"user_id": user_id, "email": email, "name": name, "role": role.value, "now": now}
    )
    return None if found is None else int(found)


async def find_person_by_email(db: Db, email: str) -> Person | None:
    """Of any account: addresses are unique over the whole installation."""
    sql = """
        SELECT id, user_id, email, name, role
        FROM people
        WHERE email = %(email)s
    """
    return await fetch_one(db, Person, sql, {"email": email})


async def find_owner(db: Db, user_id: int) -> Person | None:
    sql = """
        SELECT id, user_id, email, name, role
        FROM people
        WHERE user_id = %(user_id)s
          AND role = 'owner'
        ORDER BY id
        LIMIT 1
    """
    return await fetch_one(db, Person, sql, {"user_id": user_id})


async def find_person(db: Db, user_id: int, person_id: int) -> Person | None:
    sql = """
        SELECT id, user_id, email, name, role
        FROM people
        WHERE user_id = %(user_id)s
          AND id = %(person_id)s
    """
    return await fetch_one(db, Person, sql, {"user_id": user_id, "person_id": person_id})


async def find_person_of_key(db: Db, user_id: int, key_id: int) -> Person | None:
    """Who acts with an API key: the person who made it, else the owner (decision 47)."""
    sql = """
        SELECT people.id, people.user_id, people.email, people.name, people.role
        FROM api_keys
        JOIN people ON people.id = api_keys.person_id
        WHERE api_keys.user_id = %(user_id)s
          AND api_keys.id = %(key_id)s
    """
    return await fetch_one(db, Person, sql, {"user_id": user_id, "key_id": key_id}) or await find_owner(db, user_id)


async def list_owners(db: Db) -> list[Person]:
    """Of all accounts, for the operator."""
    sql = """
        SELECT id, user_id, email, name, role
        FROM people
        WHERE role = 'owner'
        ORDER BY user_id, id
    """
    return await fetch_all(db, Person, sql)


async def list_team(db: Db, user_id: int) -> list[TeamMember]:
    """The people of an account, owners too, by id."""
    sql = """
        SELECT id, name, email, role, password_hash IS NOT NULL AS is_active, created_at
        FROM people
        WHERE user_id = %(user_id)s
        ORDER BY id
    """
    return await fetch_all(db, TeamMember, sql, {"user_id": user_id})


async def find_team_member(db: Db, user_id: int, person_id: int) -> Person | None:
    sql = """
        SELECT id, user_id, email, name, role
        FROM people
        WHERE user_id = %(user_id)s
          AND id = %(id)s
    """
    return await fetch_one(db, Person, sql, {"user_id": user_id, "id": person_id})


async def delete_person(db: Db, user_id: int, person_id: int) -> None:
    """Log-ins and links go with it; keys stay, and notes keep what was written."""
    sql = """
        DELETE FROM people
        WHERE user_id = %(user_id)s
          AND id = %(id)s
    """
    await execute(db, sql, {"user_id": user_id, "id": person_id})


async def find_password_hash(db: Db, person_id: int) -> str | None:
    found = await fetch_value(db, "SELECT password_hash FROM people WHERE id = %(id)s", {"id": person_id})
    return None if found is None else str(found)


async def update_password_hash(db: Db, person_id: int, password_hash: str, *, now: datetime) -> None:
    sql = """
        UPDATE people
        SET password_hash = %(password_hash)s, updated_at = %(now)s
        WHERE id = %(id)s
    """
    await execute(db, sql, {"id": person_id, "password_hash": password_hash, "now": now})


async def insert_link(
    db: Db, person_id: int, *, token_hash: bytes, purpose: LinkPurpose, expires_at: datetime, now: datetime
) -> None:
    sql = """
        INSERT INTO one_time_links (token_hash, person_id, purpose, expires_at, created_at)
        VALUES (%(token_hash)s, %(person_id)s, %(purpose)s, %(expires_at)s, %(now)s)
    """
    await execute(
        db,
        sql,
        {
            "token_hash": token_hash,
            "person_id": person_id,
            "purpose": purpose.value,
            "expires_at": expires_at,
            "now": now,
        },
    )


async def find_person_by_link(db: Db, *, token_hash: bytes, purpose: LinkPurpose, now: datetime) -> Person | None:
    """Whose link it is, while it is valid; the link stays valid."""
    sql = """
        SELECT people.id, people.user_id, people.email, people.name, people.role
        FROM one_time_links
        JOIN people ON people.id = one_time_links.person_id
        WHERE one_time_links.token_hash = %(token_hash)s
          AND one_time_links.purpose = %(purpose)s
          AND one_time_links.used_at IS NULL
          AND one_time_links.expires_at > %(now)s
    """
    return await fetch_one(db, Person, sql, {"token_hash": token_hash, "purpose": purpose.value, "now": now})


async def use_link(db: Db, *, token_hash: bytes, purpose: LinkPurpose, now: datetime) -> int | None:
    """The person of a valid link, which is used up with it; of two at the same time one gets None."""
    sql = """
        UPDATE one_time_links
        SET used_at = %(now)s
        WHERE token_hash = %(token_hash)s
          AND purpose = %(purpose)s
          AND used_at IS NULL
          AND expires_at > %(now)s
        RETURNING person_id
    """
    found = await fetch_value(db, sql, {"token_hash": token_hash, "purpose": purpose.value, "now": now})
    return None if found is None else int(found)


async def insert_session(
    db: Db, person_id: int, *, token_hash: bytes, address: str | None, expires_at: datetime, now: datetime
) -> None:
    sql = """
        INSERT INTO sessions (token_hash, person_id, address, created_at, expires_at)
        VALUES (%(token_hash)s, %(person_id)s, %(address)s, %(now)s, %(expires_at)s)
    """
    await execute(
        db,
        sql,
        {
            "token_hash": token_hash,
            "person_id": person_id,
            "address": address,
            "now": now,
            "expires_at": expires_at,
        },
    )


async def find_person_by_session(db: Db, *, token_hash: bytes, now: datetime) -> Person | None:
    sql = """
        SELECT people.id, people.user_id, people.email, people.name, people.role
        FROM sessions
        JOIN people ON people.id = sessions.person_id
        WHERE sessions.token_hash = %(token_hash)s
          AND sessions.expires_at > %(now)s
    """
    return await fetch_one(db, Person, sql, {"token_hash": token_hash, "now": now})


async def delete_session(db: Db, *, token_hash: bytes) -> None:
    await execute(db, "DELETE FROM sessions WHERE token_hash = %(token_hash)s", {"token_hash": token_hash})


async def delete_sessions_of(db: Db, person_id: int) -> None:
    await execute(db, "DELETE FROM sessions WHERE person_id = %(person_id)s", {"person_id": person_id})


async def insert_key(
    db: Db,
    user_id: int,
    *,
    key_hash: bytes,
    hint: str,
    name: str,
    client_id: int | None,
    person_id: int | None,
    rate_limit_requests: int | None,
    now: datetime,
) -> int:
    sql = """
        INSERT INTO api_keys (user_id, client_id, person_id, name, hint, key_hash, rate_limit_requests, created_at)
        VALUES (%(user_id)s, %(client_id)s, %(person_id)s, %(name)s, %(hint)s, %(key_hash)s, %(rate_limit_requests)s, %(now)s)
        RETURNING id
    """
    return int(
        await fetch_value(
            db,
            sql,
            {
                "user_id": user_id,
                "client_id": client_id,
                "person_id": person_id,
                "name": name,
                "hint": hint,
                "key_hash": key_hash,
                "rate_limit_requests": rate_limit_requests,
                "now": now,
            },
        )
    )


async def list_keys(db: Db, user_id: int) -> list[ApiKey]:
    """Revoked ones too, oldest first."""
    sql = """
        SELECT id, user_id, client_id, person_id, name, hint, rate_limit_requests, created_at, revoked_at
        FROM api_keys
        WHERE user_id = %(user_id)s
        ORDER BY id
    """
    return await fetch_all(db, ApiKey, sql, {"user_id": user_id})


async def revoke_key(db: Db, user_id: int, key_id: int, *, now: datetime) -> bool:
    """False for a key that is unknown or revoked already."""
    sql = """
        UPDATE api_keys
        SET revoked_at = %(now)s
        WHERE user_id = %(user_id)s
          AND id = %(id)s
          AND revoked_at IS NULL
    """
    return await execute(db, sql, {"user_id": user_id, "id": key_id, "now": now}) == 1


async def record_request(
    db: Db, key_hash: bytes, *, default_limit: int, window: timedelta, wall: datetime
) -> Admission | None:
    """Whose key it is, and the request counted in the key's window: one statement, for every API request.

    A refused request leaves the counter at the limit + 1, however often it comes (contract: conventions §3).
    """
    sql = """
        WITH caller AS (
          SELECT api_keys.id, api_keys.user_id, api_keys.client_id, clients.permissions AS rights,
                 coalesce(api_keys.rate_limit_requests, %(default_limit)s) AS request_limit
          FROM api_keys
          LEFT JOIN clients ON clients.id = api_keys.client_id
          WHERE api_keys.key_hash = %(key_hash)s
            AND api_keys.revoked_at IS NULL
        ), noted AS (
          UPDATE api_keys
          SET last_used_at = %(wall)s
          FROM caller
          WHERE api_keys.id = caller.id
            AND (api_keys.last_used_at IS NULL OR api_keys.last_used_at < %(noted_before)s)
        ), counted AS (
          INSERT INTO rate_limits AS counter (key_id, window_started_at, request_count)
          SELECT id, %(wall)s, 1
          FROM caller
          WHERE request_limit > 0
          ON CONFLICT (key_id) DO UPDATE
          SET window_started_at = CASE WHEN counter.window_started_at > %(expired)s THEN counter.window_started_at ELSE %(wall)s END,
              request_count = CASE
                WHEN counter.window_started_at > %(expired)s THEN least(counter.request_count, (SELECT request_limit FROM caller)) + 1
                ELSE 1
              END
          RETURNING key_id, window_started_at, request_count
        )
        SELECT caller.user_id,
               caller.id AS key_id,
               caller.client_id,
               caller.request_limit AS limit,
               coalesce(counted.request_count, 0) AS count,
               counted.window_started_at + %(window)s AS window_ends_at,
               coalesce(caller.rights, '{}') AS rights
        FROM caller
        LEFT JOIN counted ON counted.key_id = caller.id
    """
    return await fetch_one(
        db,
        Admission,
        sql,
        {
            "key_hash": key_hash,
            "default_limit": default_limit,
            "wall": wall,
            "expired": wall - window,
            "window": window,
            "noted_before": wall - _NOTED_EVERY,
        },
    )


async def record_failure(db: Db, address: str, *, window: timedelta, wall: datetime) -> Failures:
    """Count a wrong key of an address."""
    sql = """
        INSERT INTO failed_authentications AS counter (address, window_started_at, failure_count)
        VALUES (%(address)s, %(wall)s, 1)
        ON CONFLICT (address) DO UPDATE
        SET window_started_at = CASE WHEN counter.window_started_at > %(expired)s THEN counter.window_started_at ELSE %(wall)s END,
            failure_count = CASE WHEN counter.window_started_at > %(expired)s THEN counter.failure_count + 1 ELSE 1 END
        RETURNING failure_count AS count, window_started_at + %(window)s AS window_ends_at
    """
    counted = await fetch_one(
        db, Failures, sql, {"address": address, "wall": wall, "expired": wall - window, "window": window}
    )
    if counted is None:
        raise AssertionError("an upsert returns its row")
    return counted


async def find_failures(db: Db, address: str, *, window: timedelta, wall: datetime) -> Failures | None:
    """Of the window that is open at this moment."""
    sql = """
        SELECT failure_count AS count, window_started_at + %(window)s AS window_ends_at
        FROM failed_authentications
        WHERE address = %(address)s
          AND window_started_at > %(expired)s
    """
    return await fetch_one(db, Failures, sql, {"address": address, "window": window, "expired": wall - window})


async def delete_failures(db: Db, *, before: datetime) -> None:
    """Addresses whose window has long ended."""
    await execute(db, "DELETE FROM failed_authentications WHERE window_started_at < %(before)s", {"before": before})
