"""What every page has: who asks, one transaction, security headers, and failures in words instead of JSON."""

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from hashlib import sha256
from http import HTTPStatus
from importlib.resources import files
from typing import Any
from urllib.parse import urlencode

import jinja2
import psycopg
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from outrider.config import Settings
from outrider.kit.clock import Clock
from outrider.kit.db import Db, describe_failure
from outrider.kit.errors import NotFound, Problem
from outrider.kit.exchange import Services, Unavailable, current_exchange
from outrider.kit.failures import InternalError
from outrider.kit.http import services_of
from outrider.kit.log import get_logger
from outrider.users import access
from outrider.users.models import Person
from outrider.web import forms, store, wording

log = get_logger("web")

HOME = "/app/"
LOG_IN = "/app/log-in"
STATIC = {
    "tokens.css": "text/css",
    "app.css": "text/css",
    "icon.svg": "image/svg+xml",
}
FILES = {name: (files(__package__) / "static" / name).read_bytes() for name in STATIC}
VERSION = sha256(b"".join(FILES.values())).hexdigest()[:12]
POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; frame-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
_LONGEST_NUMBER = 19  # digits: what is shorter fits into a bigint
SAFE = {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "x-robots-tag": "noindex",
}

Handler = Callable[[Request], Awaitable[Response]]

_templates = jinja2.Environment(
    loader=jinja2.PackageLoader("outrider.web"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.filters.update(count=wording.count)
_templates.globals.update(share=wording.share, moment=wording.moment, version=VERSION)


class NotHere(NotFound):
    """There is no such page, or it is not in your account."""


@dataclass(frozen=True, slots=True)
class Visit:
    """A request of somebody who is logged in, and its transaction."""

    request: Request
    db: Db
    person: Person
    account_name: str
    now: datetime
    clock: Clock
    settings: Settings

    @property
    def user_id(self) -> int:
        return self.person.user_id


def page(handler: Callable[[Visit], Awaitable[Response]]) -> Handler:
    """For those who are logged in; others log in first and then come back. Sessions run on real time."""

    @wraps(handler)
    async def endpoint(request: Request) -> Response:
        services = services_of(request)
        async with services.database.transaction() as db:
            person = await person_of(request, db, services)
            if person is None:
                return RedirectResponse(_log_in_address(request), status_code=303, headers=SAFE)
            name = await store.find_account_name(db, person.user_id)
            visit = Visit(request, db, person, name, services.clock.now(), services.clock, services.settings)
            return await handler(visit)

    return in_words(endpoint)


def in_words(handler: Handler) -> Handler:
    """What goes wrong is a page, not JSON."""

    @wraps(handler)
    async def endpoint(request: Request) -> Response:
        try:
            return await handler(request)
        except Exception as error:  # noqa: BLE001 - the edge
            return _failure(request, _problem_of(error))

    return endpoint


def _problem_of(error: Exception) -> Problem:
    """The path is not logged: it may hold a token."""
    if isinstance(error, Problem):
        return error
    request_id = current_exchange.get().request_id
    if isinstance(error, psycopg.OperationalError):
        log.error("database is away", request_id=request_id, reason=describe_failure(error))
        return Unavailable("The database does not answer just now. Try again in a moment.")
    log.error("page failed", request_id=request_id, exc_info=error)
    return InternalError(f"The server made a mistake. Its log says more under {request_id}.")


async def person_of(request: Request, db: Db, services: Services) -> Person | None:
    token = request.cookies.get(forms.session_cookie(services.settings))
    return await access.find_person(db, token, now=services.clock.wall()) if token else None


def number_of(text: str) -> int:
    """An id in an address; whatever is none belongs to nothing."""
    if not (text.isascii() and text.isdigit() and len(text) < _LONGEST_NUMBER):
        raise NotHere
    return int(text)


def show(visit: Visit, template: str, **values: Any) -> Response:
    """A page of the app proper."""
    return render(visit.request, template, visit=visit, now=visit.now, **values)


def render(
    request: Request, template: str, *, status: int = 200, visit: Visit | None = None, **values: Any
) -> Response:
    """Any page. One with a form needs something to bind it to: a browser without a cookie gets one."""
    settings = services_of(request).settings
    known = forms.binding_of(request, settings)
    binding = known or secrets.token_urlsafe()
    text = _templates.get_template(template).render(visit=visit, form_token=forms.make_token(binding), **values)
    headers = {**SAFE, "content-security-policy": POLICY, "x-frame-options": "DENY"}
    response = Response(text, status_code=status, headers=headers, media_type="text/html")
    if known is None:
        set_cookie(response, forms.browser_cookie(settings), binding, settings)
    return response


def set_cookie(response: Response, name: str, value: str, settings: Settings, *, seconds: int | None = None) -> None:
    """Lax: a link in a webhook's message opens the page, a form of another site is not logged in."""
    response.set_cookie(
        name, value, max_age=seconds, path="/", httponly=True, samesite="lax", secure=forms.is_secure(settings)
    )


def _failure(request: Request, problem: Problem) -> Response:
    response = render(
        request, "message.html", status=problem.status, title=HTTPStatus(problem.status).phrase, text=problem.text
    )
    if "retry_after" in problem.extra:
        response.headers["retry-after"] = str(problem.extra["retry_after"])
    return response


def _log_in_address(request: Request) -> str:
    path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return LOG_IN if path == HOME.rstrip("/") else f"{LOG_IN}?{urlencode({'next': path})}"


def is_inside(address: str) -> bool:
    """Whether an address to go on to is a page of ours: no other host, whatever a browser makes of slashes."""
    return address.startswith(HOME) and "\\" not in address and "//" not in address and address.isprintable()
