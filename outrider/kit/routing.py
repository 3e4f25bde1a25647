"""Finding the route of a request: a tree of path segments, so that the cost does not grow with the number of routes.

A literal segment wins over a parameter, whatever the order of registration. Paths arrive in one spelling:
repeated and trailing slashes and the old prefixes are gone (contract: conventions §1).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from fastapi.routing import APIRoute
from starlette.datastructures import URLPath
from starlette.routing import BaseRoute, Match, NoMatchFound
from starlette.types import Receive, Scope, Send

from outrider.kit.validation import CONTROL

BASE = "/api/v1"
_SLASHES = re.compile(r"/{2,}")
_OLD_BASES = ("/api/", "/v1/")
_MOVED = {"smart-delivery": "", "smart-prospect": "/search-email-leads"}
"""First segments that some clients put before an area (contract: conventions §1)."""


def canonical(path: str) -> str:
    """The one spelling of a path under which routes are registered."""
    if not path.isprintable():
        path = CONTROL.sub("", path)
    if "//" in path:
        path = _SLASHES.sub("/", path)
    if path.endswith("/") and path != "/":
        path = path[:-1]
    if path != BASE and not path.startswith(BASE + "/"):
        path = _from_old_base(path)
    first = path[len(BASE) + 1 :].partition("/")[0] if path.startswith(BASE + "/") else ""
    if first in _MOVED:
        path = BASE + _MOVED[first] + path[len(BASE) + 1 + len(first) :]
    return path


def _from_old_base(path: str) -> str:
    for base in _OLD_BASES:
        if path.startswith(base):
            return f"{BASE}/{path[len(base) :]}"
    return path


@dataclass(slots=True)
class _Node:
    literals: dict[str, "_Node"] = field(default_factory=dict)
    parameter: "_Node | None" = None
    routes: dict[str, tuple[APIRoute, tuple[str, ...]]] = field(default_factory=dict)
    """By method, with the names of the parameters on the way."""


class RouteTree(BaseRoute):
    """All API routes as one route of the web application."""

    def __init__(self, routes: Iterable[APIRoute]) -> None:
        self.routes = list(routes)
        self._root = _Node()
        for route in self.routes:
            self._add(route)

    def _add(self, route: APIRoute) -> None:
        node = self._root
        names: list[str] = []
        for segment in route.path.split("/")[1:]:
            if segment.startswith("{"):
                names.append(segment.strip("{}"))
                node.parameter = node.parameter or _Node()
                node = node.parameter
            else:
                node = node.literals.setdefault(segment, _Node())
        for method in route.methods or ():
            if method in node.routes:
                raise ValueError(f"{method} {route.path} is registered twice")
            node.routes[method] = (route, tuple(names))

    def find(self, method: str, path: str) -> tuple[APIRoute, dict[str, str]] | None:
        """The route of a request and its path parameters."""
        return _find(self._root, path.split("/")[1:], 0, (), method)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if scope["type"] != "http":
            return Match.NONE, {}
        method = "GET" if scope["method"] == "HEAD" else scope["method"]  # the edge takes the body away
        found = self.find(method, scope["path"])
        if found is None:
            return Match.NONE, {}
        route, parameters = found
        return Match.FULL, {"route": route, "endpoint": route.endpoint, "path_params": parameters}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        route: APIRoute = scope["route"]
        await route.app(scope, receive, send)

    def url_path_for(self, name: str, /, **path_params: object) -> URLPath:
        raise NoMatchFound(name, path_params)


def _find(
    node: _Node, segments: list[str], depth: int, values: tuple[str, ...], method: str
) -> tuple[APIRoute, dict[str, str]] | None:
    if depth == len(segments):
        known = node.routes.get(method)
        return (known[0], dict(zip(known[1], values, strict=True))) if known else None
    segment = segments[depth]
    literal = node.literals.get(segment)
    if literal is not None and (found := _find(literal, segments, depth + 1, values, method)):
        return found
    if node.parameter is not None and segment:
        return _find(node.parameter, segments, depth + 1, (*values, segment), method)
    return None
