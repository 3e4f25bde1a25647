"""People, roles, keys and links; what can be wrong with them."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from outrider.kit.errors import Conflict, Invalid, NotFound, Problem

LINK_LIFETIME = timedelta(days=7)
SESSION_COOKIE = "outrider_session"  # with a prefix where https allows one (web/forms)
SESSION_LIFETIME = timedelta(days=30)
SHORTEST_PASSWORD = 8
LONGEST_PASSWORD = 128


class Role(StrEnum):
    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"
    INBOX = "inbox"
    VIEWER = "viewer"


class LinkPurpose(StrEnum):
    SET_PASSWORD = "set_password"  # noqa: S105 - a purpose, not a password


@dataclass(frozen=True, slots=True)
class Account:
    id: int
    name: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Person:
    id: int
    user_id: int
    email: str
    name: str
    role: Role


@dataclass(frozen=True, slots=True)
class TeamMember:
    """A person as the others of the account see it; who has no password yet is only invited."""

    id: int
    name: str
    email: str
    role: Role
    is_active: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ApiKey:
    """The key itself is not kept: `hint` are its last characters."""

    id: int
    user_id: int
    client_id: int | None
    person_id: int | None
    name: str
    hint: str
    rate_limit_requests: int | None
    created_at: datetime
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class NewKey:
    """The only moment at which the text of a key is known."""

    id: int
    text: str


@dataclass(frozen=True, slots=True)
class NewAccount:
    """What the owner is told once."""

    user_id: int
    person_id: int
    api_key: str
    link_token: str


@dataclass(frozen=True, slots=True)
class Failures:
    """Wrong keys or passwords that came from one address in its window."""

    count: int
    window_ends_at: datetime


class KeyMissing(Problem):
    """API key is required."""

    status = 401


class KeyInvalid(Problem):
    """Invalid API Key"""

    status = 401


class UnknownTeamMember(Invalid):
    """Team member not found"""


class OwnerNeeded(Conflict):
    """The owner of an account can be neither invited nor removed"""


class EmailTaken(Conflict):
    """User with email {email} already exists"""


class KeyNotFound(NotFound):
    """API key not found - Invalid id."""


class LinkUsedUp(Invalid):
    """The link is no longer valid. Ask for a new one."""


class LogInRefused(Invalid):
    """E-mail or password is wrong"""
