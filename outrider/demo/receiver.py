"""A webhook receiver on loopback: what any integration would write, in a few lines."""

import asyncio
import socket
from collections import Counter, deque
from typing import Any, Self

import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_LATEST = 8


class Receiver:
    """Counts deliveries; one that comes twice (the same request id) counts once."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self._host = host
        self._seen: set[str] = set()
        self._server: uvicorn.Server | None = None
        self._task: asyncio.Task[None] | None = None
        self.counts: Counter[str] = Counter()
        self.latest: deque[str] = deque(maxlen=_LATEST)
        self.url = ""

    async def __aenter__(self) -> Self:
        listener = socket.create_server((self._host, 0))
        self.url = f"http://{self._host}:{listener.getsockname()[1]}/hook"
        app = Starlette(routes=[Route("/hook", self._receive, methods=["POST"])])
        self._server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, lifespan="off"))
        # `_serve` leaves the signals to the program around us.
        self._task = asyncio.create_task(self._server._serve([listener]))  # noqa: SLF001
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None and self._task is not None:
            self._server.should_exit = True
            await self._task

    @property
    def total(self) -> int:
        return self.counts.total()

    async def _receive(self, request: Request) -> Response:
        payload: dict[str, Any] = orjson.loads(await request.body())
        request_id = request.headers["x-request-id"]
        if request_id not in self._seen:
            self._seen.add(request_id)
            self.counts[payload["event_type"]] += 1
            self.latest.append(payload["description"].strip())
        return Response(status_code=204)
