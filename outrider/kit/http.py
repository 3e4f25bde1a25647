"""What routes are written with: `Api`, `Ctx`, `reply`, `stream_csv` (docs/how-to/add-an-endpoint.md).

A request is authenticated and counted, then runs in one transaction that commits before the answer is sent. A route
that talks to the outside takes `FreeCtx` instead: it holds no connection, and opens transactions before and after.
Order of checks: route, body, key, rate, path and query, permission, fields of the body; the rest is the slice's.
"""

import math
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from outrider.config import Settings
from outrider.kit import idempotency
from outrider.kit.clock import Clock
from outrider.kit.db import Database, Db
from outrider.kit.errors import TooMany
from outrider.kit.exchange import ANY_KEY, MAIN_KEY, Admission, Exchange, Services, current_exchange, header
from outrider.kit.lenient import LenientRoute, guarded
from outrider.kit.openapi import Refusal, text_answer
from outrider.kit.replies import reply, stream_csv
from outrider.kit.routing import BASE
from outrider.kit.validation import PathId

__all__ = [
    "ANY_KEY",
    "MAIN_KEY",
    "Api",
    "Caller",
    "Context",
    "Ctx",
    "FreeCtx",
    "PathId",
    "reply",
    "services_of",
    "stream_csv",
]

Endpoint = TypeVar("Endpoint", bound=Callable[..., Awaitable[Response]])


@dataclass(slots=True, kw_only=True)
class Caller:
    """Who asks, and when."""

    user_id: int
    key_id: int
    client_id: int | None
    """Set for the key of a client: it sees that client's objects only."""
    now: datetime
    settings: Settings
    request: Request
    clock: Clock

    @property
    def database(self) -> Database:
        """For a `FreeCtx`, and for what is streamed after the transaction has ended."""
        return services_of(self.request).database


@dataclass(slots=True, kw_only=True)
class Context(Caller):
    """The caller and the transaction of this request."""

    db: Db


def services_of(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


async def _open(request: Request) -> AsyncIterator[Context]:
    exchange, services = current_exchange.get(), services_of(request)
    async with services.database.connection() as db:
        admission = await _admit(exchange, services, db, request)
        idempotency_key = idempotency.key_of(request)
        if idempotency_key is None:
            async with db.transaction():
                yield Context(db=db, **_caller(admission, request, services))
            return
    # the connection went back: who holds one while he waits for another may wait for himself
    claim = idempotency.claim_of(idempotency_key, exchange, key_id=admission.key_id, wall=services.clock.wall())
    async with idempotency.claimed(services.database, claim) as db:
        exchange.record = partial(idempotency.record, db, claim)
        yield Context(db=db, **_caller(admission, request, services))


async def _admit_only(request: Request) -> AsyncIterator[Caller]:
    exchange, services = current_exchange.get(), services_of(request)
    async with services.database.connection() as db:
        admission = await _admit(exchange, services, db, request)
    caller = Caller(**_caller(admission, request, services))
    idempotency_key = idempotency.key_of(request)
    if idempotency_key is None:
        yield caller
        return
    claim = idempotency.claim_of(idempotency_key, exchange, key_id=admission.key_id, wall=services.clock.wall())
    async with idempotency.announced(services.database, claim):
        exchange.record = partial(idempotency.record_apart, services.database, claim)
        yield caller


Ctx = Annotated[Context, Depends(_open, scope="function")]
"""The caller and ONE transaction; with the scope "request" the commit would come after the answer."""

FreeCtx = Annotated[Caller, Depends(_admit_only, scope="function")]
"""The caller without a transaction, for routes that wait for the outside: a pool is soon empty otherwise."""


def _caller(admission: Admission, request: Request, services: Services) -> dict[str, Any]:
    return {
        "user_id": admission.user_id,
        "key_id": admission.key_id,
        "client_id": admission.client_id,
        "now": services.clock.now(),
        "settings": services.settings,
        "request": request,
        "clock": services.clock,
    }


async def _admit(exchange: Exchange, services: Services, db: Db, request: Request) -> Admission:
    """Who is calling; raises for a bad key and for one that has used up its window."""
    wall = services.clock.wall()
    admission = await services.authenticate(
        db, _key(exchange, request), address=exchange.address, settings=services.settings, wall=wall
    )
    exchange.admission = admission
    if admission.window_ends_at is None:
        return admission
    exchange.headers += [
        (b"x-ratelimit-limit", b"%d" % admission.limit),
        (b"x-ratelimit-remaining", b"%d" % max(admission.limit - admission.count, 0)),
        (b"x-ratelimit-reset", b"%d" % math.ceil(admission.window_ends_at.timestamp())),
    ]
    if admission.count > admission.limit:
        raise too_many(admission.window_ends_at, wall)
    return admission


def too_many(until: datetime, wall: datetime) -> TooMany:
    """The refusal of a request that came too early (contract: conventions §3)."""
    seconds = max(1, math.ceil((until - wall).total_seconds()))
    return TooMany(f"Too many requests. Please retry after {seconds} seconds.", extra={"retry_after": seconds})


def _key(exchange: Exchange, request: Request) -> str | None:
    """Query, header, bearer, body: the first that is there and not empty (contract: conventions §2)."""
    places = (
        exchange.query_key,
        header(request.scope, b"x-api-key"),
        _bearer(header(request.scope, b"authorization")),
        exchange.body_key,
    )
    return next((key for place in places if place is not None and (key := place.strip())), None)


def _bearer(value: str | None) -> str | None:
    """The key of an Authorization header; the scheme may be missing."""
    if value is None:
        return None
    scheme, blank, rest = value.partition(" ")
    return rest if blank and scheme.lower() == "bearer" else value


class Api:
    """Routes of one area of the reference (`campaigns`, `leads`, …), under which the pages of the API show them.

    `also` names aliases, which the reference does not show: "PATCH" is another method of the same path,
    "POST /campaigns" another method and path, "/leads/by-email" another path. Paths have no trailing slash.
    `needs` is the right without which the key of a client is answered 403, before the body is looked at: a word of the
    product, ANY_KEY or MAIN_KEY. Reading needs ANY_KEY unless it is said otherwise, writing what `writes_need` says;
    where nothing is said, no client's key is let in. `text` is a media type of answers that are no JSON.
    """

    def __init__(self, area: str, *, writes_need: str | None = None) -> None:
        self._area = area
        self._writes_need = writes_need
        self.router = APIRouter(prefix=BASE, route_class=LenientRoute, strict_content_type=False)

    def get(
        self, path: str, *, also: Sequence[str] = (), needs: str | None = ANY_KEY, text: str | None = None
    ) -> Callable[[Endpoint], Endpoint]:
        return self._route("GET", path, also, needs=needs, text=text)

    def post(
        self, path: str, *, also: Sequence[str] = (), needs: str | None = None, text: str | None = None
    ) -> Callable[[Endpoint], Endpoint]:
        return self._route("POST", path, also, needs=needs or self._writes_need, text=text)

    def put(self, path: str, *, also: Sequence[str] = (), needs: str | None = None) -> Callable[[Endpoint], Endpoint]:
        return self._route("PUT", path, also, needs=needs or self._writes_need)

    def patch(self, path: str, *, also: Sequence[str] = (), needs: str | None = None) -> Callable[[Endpoint], Endpoint]:
        return self._route("PATCH", path, also, needs=needs or self._writes_need)

    def delete(
        self, path: str, *, also: Sequence[str] = (), needs: str | None = None
    ) -> Callable[[Endpoint], Endpoint]:
        return self._route("DELETE", path, also, needs=needs or self._writes_need)

    def _route(
        self, method: str, path: str, also: Sequence[str], *, needs: str | None, text: str | None = None
    ) -> Callable[[Endpoint], Endpoint]:
        def register(endpoint: Endpoint) -> Endpoint:
            slice_name = endpoint.__module__.split(".")[-2]
            checked = guarded(endpoint, needs=needs)
            operation_id = f"{slice_name}_{endpoint.__name__}"
            self._add(method, path, checked, operation_id, text=text)
            for number, alias in enumerate(also, start=1):
                alias_method, alias_path = _alias(alias, method, path)
                self._add(alias_method, alias_path, checked, f"{operation_id}_{number}", is_alias=True)
            return endpoint

        return register

    def _add(
        self,
        method: str,
        path: str,
        endpoint: Callable[..., Awaitable[Response]],
        operation_id: str,
        *,
        is_alias: bool = False,
        text: str | None = None,
    ) -> None:
        title, _, rest = (endpoint.__doc__ or "").strip().partition("\n")
        self.router.add_api_route(
            path.rstrip("/"),
            endpoint,
            methods=[method],
            operation_id=operation_id,
            summary=title.removesuffix("."),
            description=rest.strip() or None,
            tags=[self._area],
            include_in_schema=not is_alias,
            responses={"4XX": {"model": Refusal}, **(text_answer(text) if text else {})},
            response_model=None,
        )


def _alias(alias: str, method: str, path: str) -> tuple[str, str]:
    words = alias.split()
    methods = [word for word in words if not word.startswith("/")]
    paths = [word for word in words if word.startswith("/")]
    return (methods[0] if methods else method), (paths[0] if paths else path)
