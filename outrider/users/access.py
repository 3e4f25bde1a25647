"""Who may come in: API keys for programs, e-mail and password for people; guessing is slowed (conventions §2).

A wrong key from an address that has sent too many is answered 429 instead of 401. Right keys from there still work:
many users share an address, and a key has far too many possible values to be found by guessing. Passwords have not:
after too many wrong ones from an address none is looked at until its minute is over. The two are counted apart.
"""

from datetime import datetime, timedelta
from ipaddress import ip_address

from outrider.config import Settings
from outrider.kit.db import Db
from outrider.kit.exchange import Admission
from outrider.kit.http import too_many
from outrider.users import store
from outrider.users.models import SESSION_LIFETIME, KeyInvalid, KeyMissing, LogInRefused, Person
from outrider.users.secrets import can_be_key, digest, is_password, make_token

_FAILURE_WINDOW = timedelta(minutes=1)
_FORGET_AFTER = timedelta(hours=1)


async def authenticate(db: Db, key: str | None, *, address: str, settings: Settings, wall: datetime) -> Admission:
    """Find the key and count the request, in one round trip; `db` commits each statement by itself."""
    if not key:
        raise KeyMissing
    window = timedelta(seconds=settings.rate_limit_window_seconds)
    if can_be_key(key):
        admission = await store.record_request(
            db, digest(key), default_limit=settings.rate_limit_requests, window=window, wall=wall
        )
        if admission is not None:
            return admission
    await _count_failure(db, address, settings=settings, wall=wall)
    raise KeyInvalid


async def log_in(
    db: Db, email: str, password: str, *, address: str, settings: Settings, now: datetime, wall: datetime
) -> str:
    """Open a session; returns its token. `db` commits each statement by itself: failures are counted."""
    guesser = f"log-in {address}"
    await _refuse_guesser(db, guesser, settings=settings, wall=wall)
    person = await store.find_person_by_email(db, email.strip().lower())
    password_hash = await store.find_password_hash(db, person.id) if person else None
    if not await is_password(password, password_hash) or person is None:
        await _count_failure(db, guesser, settings=settings, wall=wall)
        raise LogInRefused
    token = make_token()
    await store.insert_session(
        db,
        person.id,
        token_hash=digest(token),
        address=_public(address),
        expires_at=now + SESSION_LIFETIME,
        now=now,
    )
    return token


def _public(address: str) -> str | None:
    """An address that tells people apart: inside of a network, or on one machine, everybody has the same."""
    try:
        return address if ip_address(address).is_global else None
    except ValueError:
        return None


async def find_person(db: Db, session_token: str, *, now: datetime) -> Person | None:
    """Who is logged in with this token."""
    return await store.find_person_by_session(db, token_hash=digest(session_token), now=now)


async def log_out(db: Db, session_token: str) -> None:
    await store.delete_session(db, token_hash=digest(session_token))


async def _refuse_guesser(db: Db, address: str, *, settings: Settings, wall: datetime) -> None:
    """Before the password is looked at: a right one among many guesses must not get in."""
    limit = settings.failed_auth_per_minute
    failures = await store.find_failures(db, address, window=_FAILURE_WINDOW, wall=wall) if limit else None
    if failures is not None and failures.count >= limit:
        raise too_many(failures.window_ends_at, wall)


async def _count_failure(db: Db, address: str, *, settings: Settings, wall: datetime) -> None:
    limit = settings.failed_auth_per_minute
    if limit == 0:
        return
    failures = await store.record_failure(db, address, window=_FAILURE_WINDOW, wall=wall)
    if failures.count == 1:
        await store.delete_failures(db, before=wall - _FORGET_AFTER)
    if failures.count > limit:
        raise too_many(failures.window_ends_at, wall)
