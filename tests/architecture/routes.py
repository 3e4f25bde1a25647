"""Every route of the web application as `METHOD /path`. To accept a change: python -m tests.architecture.routes"""

from pathlib import Path

from fastapi.routing import APIRoute
from starlette.routing import Route

from outrider.asgi import APIS, api_routes, create_app
from outrider.config import load_settings
from outrider.kit.clock import SYSTEM_CLOCK

GOLDEN = Path(__file__).with_name("routes.txt")


def served_routes() -> list[str]:
    app = create_app(load_settings({}), None, SYSTEM_CLOCK)._app.app  # type: ignore[attr-defined]
    routes: list[APIRoute | Route] = [route for route in app.router.routes if isinstance(route, Route)]
    routes += api_routes(APIS)
    lines = [f"{method} {route.path}" for route in routes for method in route.methods or () if method != "HEAD"]
    return sorted(lines, key=lambda line: line.split()[::-1])


if __name__ == "__main__":
    GOLDEN.write_text("\n".join(served_routes()) + "\n", "utf-8")
