"""Making accounts, people, keys and links. The texts of keys and tokens exist only in what these return."""

from datetime import datetime, timedelta

from outrider.kit.db import Db
from outrider.kit.validation import reject
from outrider.mail.address import InvalidAddress, parse_address
from outrider.users import store
from outrider.users.models import (
    LINK_LIFETIME,
    LONGEST_PASSWORD,
    SHORTEST_PASSWORD,
    EmailTaken,
    KeyNotFound,
    LinkPurpose,
    LinkUsedUp,
    NewAccount,
    NewKey,
    OwnerNeeded,
    Person,
    Role,
)
from outrider.users.secrets import HINT_LENGTH, digest, hash_password, make_key, make_token


async def create_account(db: Db, *, email: str, name: str | None, now: datetime) -> NewAccount:
    """A workspace with its owner, a main API key, and a link by which the owner sets a password."""
    address = _address(email)
    shown_name = (name or "").strip() or address.partition("@")[0]
    user_id = await store.insert_account(db, shown_name, now=now)
    person_id = await store.insert_person(db, user_id, email=address, name=shown_name, role=Role.OWNER, now=now)
    if person_id is None:
        raise EmailTaken(email=address)
    key = await create_key(db, user_id, name="Main", person_id=person_id, now=now)
    token = await create_link(db, person_id, now=now)
    return NewAccount(user_id=user_id, person_id=person_id, api_key=key.text, link_token=token)


async def invite(db: Db, user_id: int, *, email: str, name: str | None, role: Role, now: datetime) -> str:
    """Somebody for the team; returns the token by which a password is set, and with it the invitation accepted."""
    if role is Role.OWNER:
        raise OwnerNeeded
    address = _address(email)
    shown_name = (name or "").strip() or address.partition("@")[0]
    person_id = await store.insert_person(db, user_id, email=address, name=shown_name, role=role, now=now)
    if person_id is None:
        raise EmailTaken(email=address)
    return await create_link(db, person_id, now=now)


async def remove(db: Db, person: Person) -> None:
    """Out of the team: sessions and links end, keys of the account stay."""
    if person.role is Role.OWNER:
        raise OwnerNeeded
    await store.delete_person(db, person.user_id, person.id)


def _address(email: str) -> str:
    try:
        return parse_address(email).key
    except InvalidAddress:
        reject('"email" must be a valid email', key="email")


async def create_key(
    db: Db,
    user_id: int,
    *,
    name: str,
    now: datetime,
    client_id: int | None = None,
    person_id: int | None = None,
    rate_limit_requests: int | None = None,
) -> NewKey:
    """A key for the account, or for one of its clients; usable at once."""
    text = make_key()
    key_id = await store.insert_key(
        db,
        user_id,
        key_hash=digest(text),
        hint=text[-HINT_LENGTH:],
        name=name,
        client_id=client_id,
        person_id=person_id,
        rate_limit_requests=rate_limit_requests,
        now=now,
    )
    return NewKey(key_id, text)


async def revoke_key(db: Db, user_id: int, key_id: int, *, now: datetime) -> None:
    """From the next request on the key is unknown."""
    if not await store.revoke_key(db, user_id, key_id, now=now):
        raise KeyNotFound


async def create_link(
    db: Db,
    person_id: int,
    *,
    now: datetime,
    purpose: LinkPurpose = LinkPurpose.SET_PASSWORD,
    lifetime: timedelta = LINK_LIFETIME,
) -> str:
    """A token that works once; others of the same person stay valid."""
    token = make_token()
    await store.insert_link(
        db, person_id, token_hash=digest(token), purpose=purpose, expires_at=now + lifetime, now=now
    )
    return token


async def set_password(db: Db, *, token: str, password: str, now: datetime) -> int:
    """Use up a link; returns the person. All sessions of the person end."""
    check_password(password)
    password_hash = await hash_password(password)
    person_id = await store.use_link(db, token_hash=digest(token), purpose=LinkPurpose.SET_PASSWORD, now=now)
    if person_id is None:
        raise LinkUsedUp
    await store.update_password_hash(db, person_id, password_hash, now=now)
    await store.delete_sessions_of(db, person_id)
    return person_id


def check_password(password: str) -> None:
    """8 to 128 characters (decision 45)."""
    if len(password) < SHORTEST_PASSWORD:
        reject(f'"password" length must be at least {SHORTEST_PASSWORD} characters long', key="password")
    if len(password) > LONGEST_PASSWORD:
        reject(f'"password" length must be less than or equal to {LONGEST_PASSWORD} characters long', key="password")
