"""The way in and out: log in, log out, and set a password by a link that works once."""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from outrider.kit.errors import TooMany
from outrider.kit.exchange import Services, current_exchange
from outrider.kit.http import services_of
from outrider.users import access, actions
from outrider.users import store as users
from outrider.users.models import (
    LONGEST_PASSWORD,
    SESSION_LIFETIME,
    SHORTEST_PASSWORD,
    LinkPurpose,
    LinkUsedUp,
    LogInRefused,
    Person,
)
from outrider.users.secrets import digest
from outrider.web import forms, store
from outrider.web.shell import HOME, LOG_IN, SAFE, in_words, is_inside, person_of, render, set_cookie


@in_words
async def log_in(request: Request) -> Response:
    """GET shows the form, POST opens a session and goes on to where the person wanted to go."""
    services = services_of(request)
    if request.method == "POST":
        fields = await forms.read(request, services.settings)
        try:
            return await _enter(services, fields)
        except (LogInRefused, TooMany) as problem:
            return await _log_in_form(request, services, fields, problem=problem)
    async with services.database.transaction() as db:
        if await person_of(request, db, services):
            return RedirectResponse(HOME, status_code=303, headers=SAFE)
    return await _log_in_form(request, services, {"next": request.query_params.get("next", HOME)})


async def _enter(services: Services, fields: Mapping[str, str]) -> Response:
    """Not in a transaction: failures stay counted."""
    wall = services.clock.wall()
    async with services.database.connection() as db:
        token = await access.log_in(
            db,
            fields.get("email", ""),
            fields.get("password", ""),
            address=current_exchange.get().address,
            settings=services.settings,
            now=wall,
            wall=wall,
        )
    address = fields.get("next", "")
    response = RedirectResponse(address if is_inside(address) else HOME, status_code=303, headers=SAFE)
    name, seconds = forms.session_cookie(services.settings), int(SESSION_LIFETIME.total_seconds())
    set_cookie(response, name, token, services.settings, seconds=seconds)
    return response


async def _log_in_form(
    request: Request, services: Services, fields: Mapping[str, str], *, problem: LogInRefused | TooMany | None = None
) -> Response:
    async with services.database.transaction() as db:
        has_accounts = await store.has_accounts(db)
    error = None
    if problem:
        seconds = problem.extra.get("retry_after")
        error = (
            f"Too many wrong passwords came from your address. Try again in {seconds} seconds."
            if seconds
            else "The email or the password is wrong."
        )
    response = render(
        request,
        "log_in.html",
        status=problem.status if problem else 200,
        email=fields.get("email", ""),
        address=fields.get("next", HOME),
        error=error,
        has_accounts=has_accounts,
    )
    if problem and "retry_after" in problem.extra:
        response.headers["retry-after"] = str(problem.extra["retry_after"])
    return response


@in_words
async def log_out(request: Request) -> Response:
    """End the session, here and in the database."""
    services = services_of(request)
    await forms.read(request, services.settings)
    name = forms.session_cookie(services.settings)
    if token := request.cookies.get(name):
        async with services.database.transaction() as db:
            await access.log_out(db, token)
    response = RedirectResponse(LOG_IN, status_code=303, headers=SAFE)
    response.delete_cookie(name, path="/", httponly=True, samesite="lax", secure=forms.is_secure(services.settings))
    return response


@in_words
async def set_password(request: Request) -> Response:
    """A link that works once: GET asks for the password and uses nothing up, POST sets it and logs in."""
    services = services_of(request)
    token, now = request.path_params["token"], services.clock.wall()
    fields = await forms.read(request, services.settings) if request.method == "POST" else {}
    async with services.database.transaction() as db:
        person = await users.find_person_by_link(
            db, token_hash=digest(token), purpose=LinkPurpose.SET_PASSWORD, now=now
        )
        if person is None:
            return _link_is_over(request)
        error = _fault_of(fields) if fields else None
        if error or not fields:
            return _password_form(request, person, error)
        try:
            await actions.set_password(db, token=token, password=fields["password"], now=now)
        except LinkUsedUp:  # by another browser in this moment
            return _link_is_over(request)
    return await _enter(services, {**fields, "email": person.email, "next": HOME})


def _fault_of(fields: Mapping[str, str]) -> str | None:
    password = fields.get("password", "")
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        return f"The password needs {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters."
    if password != fields.get("repeated"):
        return "The two passwords differ. Type both again."
    return None


def _password_form(request: Request, person: Person, error: str | None) -> Response:
    return render(
        request,
        "set_password.html",
        status=400 if error else 200,
        email=person.email,
        error=error,
        shortest=SHORTEST_PASSWORD,
        longest=LONGEST_PASSWORD,
    )


def _link_is_over(request: Request) -> Response:
    text = (
        "Links to set a password work once, for seven days. If the password is set, log in with it. "
        "Otherwise ask whoever runs this server for a new link:"
    )
    command = "outrider user link --email you@example.com"
    return render(request, "message.html", status=410, title="This link is used up", text=text, command=command)
