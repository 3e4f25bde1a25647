"""What the client is told when something goes wrong: always the error envelope (contract: conventions §4)."""

import psycopg
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from outrider.kit.db import describe_failure
from outrider.kit.edge import logged_path
from outrider.kit.errors import NotFound, Problem
from outrider.kit.exchange import Exchange, Unavailable, current_exchange
from outrider.kit.idempotency import Replayed
from outrider.kit.log import get_logger
from outrider.kit.replies import problem_reply
from outrider.kit.wording import first_problem

log = get_logger("http")

_AWAY = ("08", "53", "57P")
"""SQLSTATE of a lost connection, of too few resources, of a server that stops or starts (PostgreSQL appendix A)."""
_BEATEN = "40"
"""Deadlock or serialization failure: another transaction won, the client may try again at once."""
_UNKNOWN = (404, 405)


class UnknownRoute(NotFound):
    """Cannot {method} {path}"""

    title = "Not Found"


class InternalError(Problem):
    """An internal server error occurred"""

    status = 500
    title = "Internal Server Error"


class FrameworkRefusal(Problem):
    """Whatever else the framework refuses, in its own words."""

    def __init__(self, text: str, *, status: int) -> None:
        super().__init__(text)
        self.status = status  # type: ignore[misc] # each refusal has its own


def handle_failures(app: FastAPI) -> None:
    for kind in (Problem, RequestValidationError, HTTPException, Replayed, Exception):
        app.add_exception_handler(kind, _answer)


async def _answer(_request: Request, error: Exception) -> Response:
    if isinstance(error, Replayed):
        return error.response
    return problem_reply(_problem_of(error, current_exchange.get()))


def _problem_of(error: Exception, exchange: Exchange) -> Problem:
    if isinstance(error, Problem):
        return error
    if isinstance(error, RequestValidationError):
        return first_problem(error.errors())
    if isinstance(error, HTTPException):
        return _refusal(error, exchange)
    if isinstance(error, psycopg.OperationalError) and (away := _database_is_away(error, exchange)):
        return away
    log.error("request failed", request_id=exchange.request_id, path=logged_path(exchange), exc_info=error)
    return InternalError(extra={"request_id": exchange.request_id})


def _refusal(error: HTTPException, exchange: Exchange) -> Problem:
    """Of the framework: a wrong method is an unknown route, never 405."""
    if error.status_code in _UNKNOWN:
        return UnknownRoute(method=exchange.method, path=exchange.path)
    return FrameworkRefusal(error.detail, status=error.status_code)


def _database_is_away(error: psycopg.OperationalError, exchange: Exchange) -> Unavailable | None:
    state = error.sqlstate
    if state is not None and state.startswith(_BEATEN):
        return Unavailable(retry_after=1)
    if state is not None and not state.startswith(_AWAY):
        return None
    log.error("database is away", request_id=exchange.request_id, reason=describe_failure(error))
    return (
        Unavailable("The disk of the database is full") if isinstance(error, psycopg.errors.DiskFull) else Unavailable()
    )
