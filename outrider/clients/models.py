"""A client and what can be wrong with a reference to one."""

from dataclasses import dataclass
from datetime import datetime

from outrider.kit.errors import Invalid


class UnknownClient(Invalid):
    """Client not found - Invalid client_id."""


@dataclass(frozen=True, slots=True)
class Client:
    id: int
    user_id: int
    name: str
    email: str
    company: str | None
    created_at: datetime
    updated_at: datetime
