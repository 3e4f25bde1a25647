"""The outermost layer of the web application: what every answer has, whoever made it.

Request id, one spelling of paths, HEAD, CORS, time limit, log line, metrics (contract: conventions §1, §9, §10).
"""

import asyncio
import re
from time import perf_counter
from urllib.parse import quote, urlencode

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from outrider.config import Settings
from outrider.kit.errors import Problem
from outrider.kit.exchange import KEY_NAME, Exchange, Unavailable, begin_exchange, current_exchange, header
from outrider.kit.log import MASK, get_logger
from outrider.kit.metrics import observe_request, route_pattern
from outrider.kit.replies import problem_reply
from outrider.kit.routing import BASE, canonical

log = get_logger("http")

TIME_LIMIT_SECONDS = 60.0
LONGEST_ADDRESS = 16 * 1024
_EXPOSED = b"x-ratelimit-limit, x-ratelimit-remaining, x-ratelimit-reset, retry-after, x-request-id, x-ignored-fields"
_METHODS = b"GET, POST, PUT, PATCH, DELETE, OPTIONS, HEAD"
_PREFLIGHT_AGE = b"86400"
_MOST_IGNORED = 20
_ADDRESS = re.compile(r"[^/]*@[^/]*")
_NO_NAME = re.compile(r"[^!-+\--~]")
_WEB_APP = "/app"
Headers = list[tuple[bytes, bytes]]


class AddressTooLong(Problem):
    """URI Too Long"""

    status = 414


class Edge:
    """The ASGI application that servers run, around the application with the routes."""

    def __init__(self, app: ASGIApp, *, settings: Settings) -> None:
        self._app = app
        self._origins = frozenset(settings.cors_origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = perf_counter()
        exchange = begin_exchange(scope, route_path=canonical(scope["path"]))
        scope["path"] = exchange.route_path
        current_exchange.set(exchange)
        answer = Answer(send, exchange, self._common(scope, exchange))
        try:
            await self._answer(scope, receive, answer)
        finally:
            seconds = perf_counter() - started
            observe_request(scope, exchange.method, exchange.status, seconds)
            _log(exchange, scope, seconds)

    async def _answer(self, scope: Scope, receive: Receive, answer: "Answer") -> None:
        if len(scope["path"]) + len(scope["query_string"]) > LONGEST_ADDRESS:
            await problem_reply(AddressTooLong())(scope, receive, answer)
        elif answer.exchange.method == "OPTIONS":
            await _preflight(scope)(scope, receive, answer)
        else:
            await self._run(scope, receive, answer)

    async def _run(self, scope: Scope, receive: Receive, answer: "Answer") -> None:
        try:
            async with asyncio.timeout(TIME_LIMIT_SECONDS) as limit:
                answer.limit = limit
                await self._app(scope, receive, answer)
        except Exception as error:
            if answer.is_complete:
                return  # the framework raises what it has answered once more, for servers that log
            if not isinstance(error, TimeoutError) or answer.has_begun:
                raise  # half an answer is out: the server must break the connection
            log.warning(
                "request took too long", request_id=answer.exchange.request_id, path=logged_path(answer.exchange)
            )
            await problem_reply(Unavailable())(scope, receive, answer)

    def _common(self, scope: Scope, exchange: Exchange) -> Headers:
        """Headers of every answer; pages of the web application may be cached and are for their own origin."""
        headers = [(b"x-request-id", exchange.request_id.encode("ascii"))]
        if exchange.route_path == _WEB_APP or exchange.route_path.startswith(_WEB_APP + "/"):
            return headers
        headers += [(b"cache-control", b"no-store"), (b"access-control-expose-headers", _EXPOSED)]
        if "*" in self._origins:
            return [*headers, (b"access-control-allow-origin", b"*")]
        headers.append((b"vary", b"origin"))
        origin = header(scope, b"origin")
        if origin in self._origins:
            headers.append((b"access-control-allow-origin", str(origin).encode("latin-1")))
        return headers


class Answer:
    """ASGI's send, with the headers that every answer gets."""

    def __init__(self, send: Send, exchange: Exchange, common: Headers) -> None:
        self._send = send
        self._common = common
        self.exchange = exchange
        self.limit: asyncio.Timeout | None = None
        self.has_begun = False
        self.is_complete = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            message = self._begin(message)
        elif message["type"] == "http.response.body":
            self.is_complete = not message.get("more_body", False)
            if self.exchange.method == "HEAD":
                message = {**message, "body": b""}
        await self._send(message)

    def _begin(self, message: Message) -> Message:
        self.has_begun = True
        self.exchange.status = message["status"]
        if self.limit is not None and not self.limit.expired():
            self.limit.reschedule(None)  # a download may take longer than its first byte
        headers = [*message.get("headers", ()), *self._common, *self.exchange.headers]
        if ignored := [*self.exchange.unknown_query, *self.exchange.notes.ignored]:
            names = (_NO_NAME.sub("_", name)[:100] for name in dict.fromkeys(ignored))
            headers.append((b"x-ignored-fields", ", ".join([*names][:_MOST_IGNORED]).encode("ascii")))
        return {**message, "headers": headers}


def _preflight(scope: Scope) -> Response:
    """The answer to OPTIONS on any path (contract: conventions §10)."""
    response = Response(status_code=204)
    asked = header(scope, b"access-control-request-headers") or "*"
    response.raw_headers = [
        (b"access-control-allow-methods", _METHODS),
        (b"access-control-allow-headers", asked.encode("latin-1")),
        (b"access-control-max-age", _PREFLIGHT_AGE),
    ]
    return response


def _log(exchange: Exchange, scope: Scope, seconds: float) -> None:
    """Of the API at info. Elsewhere paths hold tokens: the pattern is written, and only for those who look for it."""
    fields = {
        "method": exchange.method,
        "status": exchange.status,
        "milliseconds": round(seconds * 1000, 1),
        "request_id": exchange.request_id,
    }
    if not exchange.route_path.startswith(BASE):
        log.debug("request", route=route_pattern(scope), **fields)
        return
    if exchange.admission is not None:
        fields["user_id"] = exchange.admission.user_id
        fields["key_id"] = exchange.admission.key_id
    log.info("request", path=logged_path(exchange), **fields)


def logged_path(exchange: Exchange) -> str:
    """The address as it may be kept: numbers of the query are shown, other values may be addresses or keys.

    Outside of the API what follows the first segment may be a token.
    """
    if not exchange.route_path.startswith(BASE):
        first, _, rest = exchange.route_path.removeprefix("/").partition("/")
        return f"/{first}/{MASK}" if rest else f"/{first}"
    pairs = [(name, value if value.isdigit() else MASK) for name, value in exchange.query]
    if exchange.query_key is not None:
        pairs.append((KEY_NAME, MASK))
    path = _ADDRESS.sub(MASK, quote(exchange.path, safe="/@:*"))
    return f"{path}?{urlencode(pairs, safe='*')}" if pairs else path
