"""Secrets at rest and signatures, all from one SECRET_KEY.

Each purpose has its own key (HKDF, RFC 5869), so a signature for one thing is never good for another.
Stored secrets: one version byte, 12 bytes nonce, AES-256-GCM (NIST SP 800-38D).
"""

import hashlib
import hmac
import os
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from outrider.kit.db import Db, fetch_value

SIGNATURE_BYTES = 16
_KEY_BYTES = 32
_BLOCK_BYTES = 64
_NONCE_BYTES = 12
_VERSION = b"\x01"
KEY_FILE = "secret.key"


class SealError(Exception):
    """A stored secret cannot be decrypted; the text says what to do."""


class WrongSecretKeyError(Exception):
    """The database was made with another SECRET_KEY; the text says what to do."""


class Vault:
    """Seals and opens secrets, signs and verifies messages."""

    def __init__(self, secret_key: str) -> None:
        self._secret = secret_key.encode()
        self._cipher = AESGCM(self._derive("seal"))
        self._signing: dict[str, tuple[hashlib._Hash, hashlib._Hash]] = {}

    def seal(self, text: str) -> bytes:
        """Encrypt a secret for storage; the same text gives another result each time."""
        nonce = os.urandom(_NONCE_BYTES)
        return _VERSION + nonce + self._cipher.encrypt(nonce, text.encode(), _VERSION)

    def open(self, sealed: bytes) -> str:
        """Decrypt what `seal` gave; raises SealError when it was made with another key or changed."""
        start = len(_VERSION) + _NONCE_BYTES
        version, nonce, ciphertext = sealed[:1], sealed[1:start], sealed[start:]
        if version != _VERSION or not ciphertext:
            raise SealError("A stored secret has an unknown form. Was it written by a newer version of this program?")
        try:
            return self._cipher.decrypt(nonce, ciphertext, version).decode()
        except InvalidTag as error:
            raise SealError("A stored secret cannot be decrypted: OUTRIDER_SECRET_KEY is not the one used.") from error

    def sign(self, message: bytes, *, purpose: str) -> bytes:
        """HMAC-SHA256 (RFC 2104) cut to 16 bytes; a microsecond or two: a mail has six of them."""
        keyed = self._signing.get(purpose)
        if keyed is None:
            keyed = self._signing[purpose] = _take_in_key(self._derive(f"sign:{purpose}"))
        inner, outer = keyed[0].copy(), keyed[1].copy()
        inner.update(message)
        outer.update(inner.digest())
        return outer.digest()[:SIGNATURE_BYTES]

    def verify(self, message: bytes, signature: bytes, *, purpose: str) -> bool:
        """Whether `signature` is ours for this message and purpose; takes the same time whatever differs."""
        return hmac.compare_digest(self.sign(message, purpose=purpose), signature)

    def fingerprint(self) -> str:
        """Tells keys apart without telling the key."""
        return self._derive("fingerprint").hex()[:32]

    def _derive(self, purpose: str) -> bytes:
        return HKDF(SHA256(), _KEY_BYTES, salt=None, info=f"outrider:{purpose}".encode()).derive(self._secret)


def _take_in_key(key: bytes) -> "tuple[hashlib._Hash, hashlib._Hash]":
    """The two hashes of RFC 2104 §2 once they have seen the key; in half the time of the objects of `hmac`."""
    block = key.ljust(_BLOCK_BYTES, b"\0")
    inner, outer = (hashlib.sha256(bytes(octet ^ pad for octet in block)) for pad in (0x36, 0x5C))
    return inner, outer


_process_vault: list[Vault] = []


def set_vault(new: Vault) -> None:
    """Called once when a process starts."""
    _process_vault[:] = [new]


def vault() -> Vault:
    """The vault of this process."""
    if not _process_vault:
        raise RuntimeError("set_vault has not been called in this process")
    return _process_vault[0]


def load_or_create_secret_key(data_dir: Path) -> str:
    """The key in DATA_DIR/secret.key, made at the first start, readable by its owner only."""
    path = data_dir / KEY_FILE
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        _create_key_file(path)
    return path.read_text("ascii").strip()


def _create_key_file(path: Path) -> None:
    """Whole or not at all, and the first of several processes wins."""
    unfinished = path.with_name(f"{path.name}.{os.getpid()}")
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(f"{secrets.token_urlsafe(48)}\n".encode())
        file.flush()
        os.fsync(file.fileno())
    try:
        path.hardlink_to(unfinished)
    except FileExistsError:
        pass
    finally:
        unfinished.unlink()


async def check_secret_key(db: Db, used: Vault) -> None:
    """Remember which key this database belongs to; refuse to go on with another one (decision 52)."""
    known = await fetch_value(
        db,
        """
        INSERT INTO instance (name, value)
        VALUES ('secret_key_fingerprint', %(fingerprint)s)
        ON CONFLICT (name) DO UPDATE SET value = instance.value
        RETURNING value
        """,
        {"fingerprint": used.fingerprint()},
    )
    if known != used.fingerprint():
        raise WrongSecretKeyError(
            "The database was made with another secret key. Set OUTRIDER_SECRET_KEY to the key used before, "
            f"or put the old {KEY_FILE} back into OUTRIDER_DATA_DIR."
        )
