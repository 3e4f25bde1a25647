"""The contract's spellings of clients and their keys: lenient bodies in, exact JSON out (contract: clients).

`client_permision` and `retricted_category` are the original's own; production code reads them.
"""

from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, AliasChoices, BeforeValidator, Field

from outrider.clients.keys import ShownKey
from outrider.clients.models import Client
from outrider.kit.validation import Email, Flag, Id, Int, JsonObject, ListOf, Text, Wire, decoded, fault, reject

_LARGEST_LOGO = 2 * 2**20
_LARGEST_NUMBER = 2**53 - 1


def _words(given: Any) -> Any:
    """A list of texts, one text, or a list that is written as JSON."""
    value = decoded(given) if isinstance(given, str) else given
    words = [value] if isinstance(value, str) else value
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise fault("must be an array")
    return [word.strip() for word in words if word.strip()]


def _address(url: str) -> str:
    if not url:
        return url
    try:
        parts = urlsplit(url)
        is_usable = parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        is_usable = False
    if not is_usable:
        raise fault("must be a valid uri")
    return url


def _lower(given: Any) -> Any:
    return given.strip().lower() if isinstance(given, str) else given


_Name = Annotated[Text, Field(min_length=1, max_length=255)]
_Count = Annotated[Int, Field(ge=0, le=_LARGEST_NUMBER)]


class ClientSave(Wire):
    """Without an id a new client, with one a change of it: only what is given."""

    id: Annotated[Int, Field(ge=0)] | None = None
    name: _Name | None = None
    email: Email | None = None
    permission: Annotated[list[str], BeforeValidator(_words)] | None = Field(
        default=None, validation_alias=AliasChoices("permission", "permissions")
    )
    password: str | None = None
    logo: Annotated[str, Field(max_length=_LARGEST_LOGO)] | None = None
    logo_url: Annotated[Text, Field(max_length=2048), AfterValidator(_address)] | None = None
    retricted_category: ListOf[Id] | None = Field(
        default=None, validation_alias=AliasChoices("retricted_category", "restricted_category")
    )
    is_credit_assigned: Flag | None = None
    email_credits: _Count | None = None
    lead_credits: _Count | None = None
    uuid: Any = None
    is_whitelabel: Flag | None = None
    organization: Text | None = None
    settings: JsonObject | None = None

    def check_completeness(self) -> None:
        for name in ("name", "email"):
            if getattr(self, name) is None:
                reject(f'"{name}" is required', key=name)

    @property
    def is_own_password(self) -> bool:
        """Whether this is what a client may change of itself."""
        return self.model_fields_set <= {"id", "password"}

    def changes(self) -> dict[str, Any]:
        """By column; null and "" clear what is a brand, and leave everything else."""
        given = {column: getattr(self, name) for name, column in _COLUMNS.items() if name in self.model_fields_set}
        changes = {column: value for column, value in given.items() if value is not None or column in _CLEARABLE}
        for column in _CLEARABLE & changes.keys():
            changes[column] = changes[column] or None
        if "email" in changes:
            changes["email"] = changes["email"].lower()
        return changes


_COLUMNS = {
    "name": "name",
    "email": "email",
    "permission": "permissions",
    "logo": "logo",
    "logo_url": "logo_url",
    "retricted_category": "restricted_category_ids",
    "is_credit_assigned": "is_credit_assigned",
    "email_credits": "email_credits",
    "lead_credits": "lead_credits",
    "is_whitelabel": "is_whitelabel",
    "organization": "company",
    "settings": "settings",
}
_CLEARABLE = frozenset({"logo", "logo_url"})


class ClientFilter(Wire):
    search: Text | None = None


class ClientReference(Wire):
    id: Id | None = Field(default=None, validation_alias=AliasChoices("id", "client_id"))


class KeyCreate(Wire):
    tolerates = frozenset({"permissions"})

    client_id: Id | None = Field(default=None, validation_alias=AliasChoices("clientId", "client_id"))
    key_name: Annotated[Text, Field(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9 _-]+$")] = Field(
        validation_alias=AliasChoices("keyName", "key_name", "name")
    )


class KeyFilter(Wire):
    client_id: Id | None = Field(default=None, validation_alias=AliasChoices("clientId", "client_id"))
    status: Annotated[Literal["active", "inactive"], BeforeValidator(_lower)] = "active"
    key_name: Text | None = Field(default=None, validation_alias=AliasChoices("keyName", "key_name"))


class KeyReference(Wire):
    id: Id | None = None


# answers -------------------------------------------------------------------------------------------------------------


def client_object(client: Client) -> dict[str, Any]:
    return {
        "id": client.id,
        "name": client.name,
        "email": client.email,
        "uuid": client.uuid,
        "created_at": client.created_at,
        "updated_at": client.updated_at,
        "user_id": client.user_id,
        "logo": client.logo,
        "logo_url": client.logo_url,
        "client_permision": {
            "permission": client.permissions,
            "retricted_category": client.restricted_category_ids,
        },
        "permission": client.permissions,
        "is_whitelabel": client.is_whitelabel,
        "is_credit_assigned": client.is_credit_assigned,
        "email_credits": client.email_credits,
        "lead_credits": client.lead_credits,
        "organization": client.company,
        "settings": client.settings,
        "status": "active",
    }


def saved(client: Client, password: str | None) -> dict[str, Any]:
    """Old clients read the top level, newer ones `data`; the password is the one that was just sent."""
    return {
        "ok": True,
        "success": True,
        "message": "Client saved successfully",
        "clientId": client.id,
        "id": client.id,
        "name": client.name,
        "email": client.email,
        "password": password,
        "uuid": client.uuid,
        "permission": client.permissions,
        "logo": client.logo,
        "logo_url": client.logo_url,
        "created_at": client.created_at,
        "data": {
            "id": client.id,
            "name": client.name,
            "email": client.email,
            "uuid": client.uuid,
            "permission": client.permissions,
            "logo": client.logo,
            "logo_url": client.logo_url,
            "is_credit_assigned": client.is_credit_assigned,
            "email_credits": client.email_credits,
            "lead_credits": client.lead_credits,
            "api_key": None,
            "created_at": client.created_at,
        },
    }


def key_object(key: ShownKey) -> dict[str, Any]:
    row = key.row
    return {
        "id": row.id,
        "user_id": row.user_id,
        "client_id": row.client_id,
        "key_name": row.name,
        "api_key": key.text,
        "status": "active" if row.revoked_at is None else "inactive",
        "created_at": row.created_at,
        "updated_at": row.updated_at,
        "deleted_at": row.revoked_at,
        "last_used_at": row.last_used_at,
    }


def done(message: str, **further: Any) -> dict[str, Any]:
    return {"ok": True, "success": True, "message": message, **further}
