"""Making and hashing what lets people and programs in: API keys, link and session tokens, passwords."""

import asyncio
import hashlib
import re
import secrets
from uuid import uuid4

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

HINT_LENGTH = 4
_BASE36 = "0123456789abcdefghijklmnopqrstuvwxyz"
_KEY_TAIL = 7
_KEY_FORM = re.compile(r"[!-~]{8,200}")
_HASHER = PasswordHasher()  # argon2id with the parameters of RFC 9106 §4, second choice


def make_key() -> str:
    """`6b0c7e0a-1d7f-4c63-9b0e-3f1c2a9d5e77_k3x9q1z` (contract: conventions §2)."""
    return f"{uuid4()}_{''.join(secrets.choice(_BASE36) for _ in range(_KEY_TAIL))}"


def make_token() -> str:
    """For links and sessions: 256 random bits, fit for an address."""
    return secrets.token_urlsafe(32)


def can_be_key(text: str) -> bool:
    """Opaque, 8 to 200 visible ASCII characters."""
    return _KEY_FORM.fullmatch(text) is not None


def digest(text: str) -> bytes:
    """SHA-256: keys and tokens are random enough to need no slow hash."""
    return hashlib.sha256(text.encode()).digest()


async def hash_password(password: str) -> str:
    """argon2id, about 50 ms of processor, not on the event loop."""
    return await asyncio.to_thread(_HASHER.hash, password)


async def is_password(password: str, password_hash: str | None) -> bool:
    """Takes as long for a person without a password, so that the answer does not tell who is known."""
    return await asyncio.to_thread(_is_password, password, password_hash or await _decoy())


def _is_password(password: str, password_hash: str) -> bool:
    try:
        return _HASHER.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False


_decoys: list[str] = []


async def _decoy() -> str:
    """The hash of a password that nobody has; made once."""
    if not _decoys:
        _decoys.append(await hash_password(make_token()))
    return _decoys[0]
