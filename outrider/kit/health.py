"""Whether this process and what it needs are well: `/`, `/healthz`, `/readyz`. None of them needs a key."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import psycopg
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from outrider import __version__
from outrider.kit.db import describe_failure, fetch_value
from outrider.kit.exchange import Services, Unavailable
from outrider.kit.log import get_logger
from outrider.kit.migrate import MigrationError, is_up_to_date
from outrider.kit.replies import problem_reply, reply

log = get_logger("health")

NAME = "Outrider"
ENGINE_SILENCE = timedelta(seconds=60)
"""After this long without a heartbeat no engine is taken to run; leases end then too (design §4)."""

Check = Callable[[Services], Awaitable[str | None]]
"""What is wrong, or None."""


def add_checks(app: FastAPI) -> None:
    app.add_route("/", root, include_in_schema=False)
    app.add_route("/healthz", healthz, include_in_schema=False)
    app.add_route("/readyz", readyz, include_in_schema=False)


async def root(request: Request) -> Response:
    if "text/html" in request.headers.get("accept", ""):
        return RedirectResponse("/app/", status_code=302)
    return await healthz(request)


async def healthz(_request: Request) -> Response:
    """Alive: nothing is asked of anybody else."""
    return reply({"ok": True, "name": NAME, "version": __version__})


async def readyz(request: Request) -> Response:
    """Ready: database, migrations and an engine; 503 tells a load balancer to wait."""
    services: Services = request.app.state.services
    findings = {name: await _find(check, services) for name, check in CHECKS.items()}
    checks = {name: "ok" if finding is None else finding for name, finding in findings.items()}
    if any(findings.values()):
        problem = Unavailable()
        problem.extra["checks"] = checks
        return problem_reply(problem)
    return reply({"ok": True, "checks": checks})


async def _find(check: Check, services: Services) -> str | None:
    try:
        return await check(services)
    except (psycopg.Error, Unavailable) as error:
        log.warning("not ready", reason=describe_failure(error))
        return "unreachable"


async def _database(services: Services) -> str | None:
    async with services.database.connection() as db:
        await fetch_value(db, "SELECT 1")
    return None


async def _migrations(services: Services) -> str | None:
    try:
        done = await is_up_to_date(services.database)
    except MigrationError as error:
        return str(error)
    return None if done else "pending: run `outrider migrate`"


async def _engine(services: Services) -> str | None:
    async with services.database.connection() as db:
        last: Any = await fetch_value(db, "SELECT max(heartbeat_at) FROM engines")
    if last is None:
        return "no engine has been started"
    if services.clock.wall() - last > ENGINE_SILENCE:
        return "no engine is running"
    return None


CHECKS: dict[str, Check] = {"database": _database, "migrations": _migrations, "engine": _engine}
