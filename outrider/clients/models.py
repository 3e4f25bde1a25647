"""A client, what it may do, and what can be wrong with one (contract: clients)."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from outrider.kit.errors import Conflict, Invalid, NotFound
from outrider.kit.events import Event

PERMISSIONS = (
    "full_access",
    "reply_master_inbox",
    "campaigns",
    "leads",
    "email_accounts",
    "webhooks",
    "smart_delivery",
    "smart_senders",
    "smart_prospect",
    "view_only",
)
"""What has an effect; other words of that form are stored, clients of the API may know what they mean."""
DEFAULT_PERMISSIONS = ("reply_master_inbox",)
_FORM = re.compile(r"[a-z][a-z0-9_]{2,63}")
_LONGEST_BRAND_NAME = 255


def is_permission(word: str) -> bool:
    return word in PERMISSIONS or _FORM.fullmatch(word) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientDraft:
    """What people say of a client."""

    name: str
    email: str
    permissions: list[str]
    logo: str | None
    logo_url: str | None
    restricted_category_ids: list[int]
    is_whitelabel: bool
    is_credit_assigned: bool
    email_credits: int
    lead_credits: int
    company: str | None
    settings: dict[str, Any] | None

    @property
    def brand_name(self) -> str:
        """How the client's company is called where a name is wanted: `logo` may be one, or an image."""
        is_image = self.logo is None or self.logo.startswith("data:image/") or len(self.logo) > _LONGEST_BRAND_NAME
        return self.name if is_image or not self.logo else self.logo


@dataclass(frozen=True, slots=True, kw_only=True)
class Client(ClientDraft):
    id: int
    user_id: int
    uuid: UUID
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class ClientDeleted(Event):
    """About to be gone: who has rows of it makes them the account's own."""

    user_id: int
    client_id: int
    at: datetime


class UnknownClient(Invalid):
    """Client not found - Invalid client_id."""


class ClientNotFound(NotFound):
    """Client not found - Invalid client id."""


class InvalidPermission(Invalid):
    """Invalid permission - {word}"""


class ClientExists(Conflict):
    """Client with email {email} already exists"""


class ClientActive(Conflict):
    """Client has active campaigns"""


class KeyNameTaken(Conflict):
    """API key name already exists"""


class TooManyKeys(Conflict):
    """API key limit reached"""


class KeyGone(NotFound):
    """API key not found"""
