"""One HTTP exchange: made at the edge, filled on the way in, read on the way out."""

import re
from collections.abc import Awaitable, Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlencode
from uuid import uuid4

from starlette.responses import Response
from starlette.types import Scope

from outrider.config import Settings
from outrider.kit.clock import Clock
from outrider.kit.db import Database, Db
from outrider.kit.errors import Problem
from outrider.kit.validation import CONTROL, Notes

KEY_NAME = "api_key"
ANY_KEY = "any key"
"""What reading needs."""
MAIN_KEY = "main key"
"""What is not for clients."""
_EVERY_RIGHT = "full_access"
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")


class Unavailable(Problem):
    """Service Unavailable"""

    status = 503
    title = "Service Unavailable"

    def __init__(self, text: str | None = None, *, retry_after: int = 5) -> None:
        super().__init__(text, extra={"retry_after": retry_after})


@dataclass(frozen=True, slots=True)
class Admission:
    """What the look-up of a key says: whose it is, and where its rate window stands after this request."""

    user_id: int
    key_id: int
    client_id: int | None
    limit: int
    """Requests per window; 0: no limit."""
    count: int
    """Counted requests of this window, this one included; above the limit: refused."""
    window_ends_at: datetime | None
    rights: Sequence[str] = ()
    """What the key of a client may do; `full_access` stands for every right."""

    def may(self, needs: str | None) -> bool:
        """A main key may everything, a client's what has been decided and granted."""
        if self.client_id is None or needs == ANY_KEY:
            return True
        return needs not in (None, MAIN_KEY) and (needs in self.rights or _EVERY_RIGHT in self.rights)


class Authenticate(Protocol):
    """How the kit asks who is calling; given by the slice that owns the keys."""

    async def __call__(
        self, db: Db, key: str | None, *, address: str, settings: Settings, wall: datetime
    ) -> Admission: ...


@dataclass(slots=True)
class Services:
    """What a web process holds for all its requests."""

    settings: Settings
    clock: Clock
    authenticate: Authenticate
    database_or_none: Database | None = None

    @property
    def database(self) -> Database:
        if self.database_or_none is None:
            raise Unavailable
        return self.database_or_none


@dataclass(frozen=True, slots=True)
class Upload:
    """A file of a multipart form, byte for byte."""

    field: str
    file_name: str
    content: bytes


@dataclass(slots=True)
class Exchange:
    """One request and what its answer has to carry."""

    request_id: str
    method: str
    path: str
    """As the client wrote it."""
    route_path: str
    """As routes are registered: one spelling of each address."""
    query: list[tuple[str, str]]
    query_key: str | None
    address: str
    body: Any = field(default_factory=dict)
    body_bytes: bytes = b""
    body_key: str | None = None
    uploads: list[Upload] = field(default_factory=list)
    unknown_query: list[str] = field(default_factory=list)
    notes: Notes = field(default_factory=Notes)
    admission: Admission | None = None
    record: Callable[[Response], Awaitable[None]] | None = None
    """Stores the answer of a request with an Idempotency-Key, in its transaction."""
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    status: int = 0


current_exchange: ContextVar[Exchange] = ContextVar("current_exchange")


def begin_exchange(scope: Scope, *, route_path: str) -> Exchange:
    """Read the head of a request; takes the key out of the query, so that nothing later sees or logs it."""
    query, key = _read_query(scope["query_string"])
    if key is not None:
        scope["query_string"] = urlencode(query).encode("ascii")
    client = scope.get("client")
    return Exchange(
        request_id=_request_id(scope),
        method=scope["method"],
        path=scope["path"],
        route_path=route_path,
        query=query,
        query_key=key,
        address=client[0] if client else "",
    )


def header(scope: Scope, name: bytes) -> str | None:
    """The first header of that (lower-case) name."""
    for key, value in scope["headers"]:
        if key == name:
            return str(value, "latin-1").strip()
    return None


def _request_id(scope: Scope) -> str:
    given = header(scope, b"x-request-id")
    return given if given is not None and _REQUEST_ID.fullmatch(given) else str(uuid4())


def _read_query(raw: bytes) -> tuple[list[tuple[str, str]], str | None]:
    if not raw:
        return [], None
    pairs = parse_qsl(CONTROL.sub("", raw.decode("latin-1")), keep_blank_values=True, errors="replace")
    keys = [value for name, value in pairs if name == KEY_NAME]
    rest = [(CONTROL.sub("", name), CONTROL.sub("", value)) for name, value in pairs if name != KEY_NAME]
    return rest, keys[0] if keys else None
