"""The route class of the API: reads query and body as clients really send them, then lets FastAPI validate.

FastAPI resolves the key (a dependency) before it looks at parameters, and all parameters before it calls the
endpoint; the checks between query and body stand in `check_before_body`.
"""

from collections.abc import Awaitable, Callable, Coroutine
from functools import wraps
from typing import Any

from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from outrider.kit.body import read_body
from outrider.kit.errors import NotAllowed, ValidationProblem
from outrider.kit.exchange import Exchange, Services, current_exchange
from outrider.kit.query import QueryTable
from outrider.kit.validation import notes
from outrider.kit.wording import first_problem, source_of

Endpoint = Callable[..., Awaitable[Response]]
_NEEDS = "needs"


class LenientRequest(Request):
    """A request whose query and body have been read already."""

    def __init__(self, request: Request, query: list[tuple[str, str]], body: Any) -> None:
        # FastAPI parses as JSON what names no type, and nothing else (see Api: strict_content_type)
        request.scope["headers"] = [pair for pair in request.scope["headers"] if pair[0] != b"content-type"]
        super().__init__(request.scope, request.receive)
        self._arranged = QueryParams(query)
        self._parsed = body

    @property
    def query_params(self) -> QueryParams:
        return self._arranged

    async def body(self) -> bytes:
        return b"{}"  # FastAPI only asks whether there is one

    async def json(self) -> Any:
        return self._parsed


class LenientRoute(APIRoute):
    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        run = super().get_route_handler()
        table = QueryTable(self.dependant)
        needs = needs_of(self.endpoint)

        async def handle(request: Request) -> Response:
            services: Services = request.app.state.services
            exchange = current_exchange.get()
            await read_body(request, exchange, limit=services.settings.max_body_bytes)
            exchange.notes.is_strict = services.settings.strict_compat
            notes.set(exchange.notes)
            query, exchange.unknown_query = table.arrange(exchange.query)
            try:
                response = await run(LenientRequest(request, query, exchange.body))
            except RequestValidationError as error:
                raise _refusal(error, exchange, needs=needs) from error
            except ValidationProblem as problem:  # of a model that looks at several fields
                if problem.source == "body":
                    check_before_body(exchange, needs=needs)
                raise
            if exchange.record is not None and not isinstance(response, StreamingResponse):
                await exchange.record(response)
            return response

        return handle


def _refusal(error: RequestValidationError, exchange: Exchange, *, needs: str | None) -> Exception:
    errors = error.errors()
    if all(source_of(each) == "body" for each in errors):
        check_before_body(exchange, needs=needs)
    return first_problem(errors)


def check_before_body(exchange: Exchange, *, needs: str | None) -> None:
    """What is refused after path and query are known to be right, and before the body is looked at."""
    if exchange.unknown_query and exchange.notes.is_strict:
        name = exchange.unknown_query[0]
        raise ValidationProblem(f'"{name}" is not allowed', source="query", key=name)
    if exchange.admission is not None and not exchange.admission.may(needs):
        raise NotAllowed


def guarded(endpoint: Endpoint, *, needs: str | None) -> Endpoint:
    """The endpoint, called only if nothing between query and body forbids it."""

    @wraps(endpoint)
    async def checked(**values: Any) -> Response:
        check_before_body(current_exchange.get(), needs=needs)
        return await endpoint(**values)

    setattr(checked, _NEEDS, needs)
    return checked


def needs_of(endpoint: Endpoint) -> str | None:
    """What a client's key needs for an endpoint; None: nobody has decided, so it is refused."""
    needs: str | None = getattr(endpoint, _NEEDS, None)
    return needs
