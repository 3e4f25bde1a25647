"""The signed tokens in a mail's links: which mail was opened, which link of it clicked, who wants no more mail.

A token carries what it stands for, so a redirect works while the database is away and nobody can point it elsewhere
(no open redirect); the unsubscribe token works for ever, even after the lead was deleted (product behaviour 2.6, 5).
"""

import base64
import binascii
import struct
from dataclasses import dataclass

from outrider.kit.crypto import Vault

_OPEN = "tracking.open"
_CLICK = "tracking.click"
_UNSUBSCRIBE = "tracking.unsubscribe"
_SIGNATURE_SIZE = 16
_ID = struct.Struct(">Q")
_IDS = struct.Struct(">QQ")
_URL_SAFE = bytes.maketrans(b"+/", b"-_")


@dataclass(frozen=True, slots=True)
class Click:
    """A link of a mail: `message_id` is the row, `url` the link's own target."""

    message_id: int
    url: str

    @property
    def is_trap(self) -> bool:
        """A link that nobody sees, with no target: what follows it is a program."""
        return not self.url


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """Who wants no more mail, from which mail's lead in a campaign."""

    user_id: int
    campaign_lead_id: int
    email: str


def open_path(vault: Vault, message_id: int) -> str:
    return f"/o/{_seal(vault, _OPEN, _ID.pack(message_id))}.gif"


def click_path(vault: Vault, message_id: int, url: str) -> str:
    return f"/c/{_seal(vault, _CLICK, _ID.pack(message_id) + url.encode())}"


def trap_path(vault: Vault, message_id: int) -> str:
    return click_path(vault, message_id, "")


def unsubscribe_path(vault: Vault, user_id: int, campaign_lead_id: int, email: str) -> str:
    return f"/u/{_seal(vault, _UNSUBSCRIBE, _IDS.pack(user_id, campaign_lead_id) + email.encode())}"


def read_open(vault: Vault, token: str) -> int | None:
    """Return the row of the opened mail, or None for a token that is not ours."""
    payload = _unseal(vault, _OPEN, token)
    return _ID.unpack(payload)[0] if payload and len(payload) == _ID.size else None


def read_click(vault: Vault, token: str) -> Click | None:
    payload = _unseal(vault, _CLICK, token)
    if payload is None:
        return None
    return Click(_ID.unpack_from(payload)[0], payload[_ID.size :].decode())


def read_unsubscribe(vault: Vault, token: str) -> Unsubscribe | None:
    payload = _unseal(vault, _UNSUBSCRIBE, token)
    if payload is None:
        return None
    user_id, campaign_lead_id = _IDS.unpack_from(payload)
    return Unsubscribe(user_id, campaign_lead_id, payload[_IDS.size :].decode())


def _seal(vault: Vault, purpose: str, payload: bytes) -> str:
    signature = vault.sign(payload, purpose=purpose)
    return binascii.b2a_base64(signature + payload, newline=False).translate(_URL_SAFE, b"=").decode()


def _unseal(vault: Vault, purpose: str, token: str) -> bytes | None:
    try:
        sealed = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except (binascii.Error, ValueError):
        return None
    signature, payload = sealed[:_SIGNATURE_SIZE], sealed[_SIGNATURE_SIZE:]
    return payload if vault.verify(payload, signature, purpose=purpose) else None
