"""What this process counts for Prometheus; `GET /metrics` shows it, beside the process's own figures."""

from prometheus_client import CONTENT_TYPE_LATEST, Counter, Histogram, generate_latest
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

REQUESTS = Counter("outrider_http_requests", "HTTP requests answered.", ["method", "route", "status"])
DURATION = Histogram(
    "outrider_http_request_duration_seconds",
    "Time from the request to the head of the answer.",
    ["route"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0),
)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
UNKNOWN_ROUTE = "unknown"


def observe_request(scope: Scope, method: str, status: int, seconds: float) -> None:
    pattern = route_pattern(scope)
    REQUESTS.labels(method if method in _METHODS else "other", pattern, status).inc()
    DURATION.labels(pattern).observe(seconds)


def route_pattern(scope: Scope) -> str:
    """`/api/v1/campaigns/{campaign_id}`: a client cannot make new time series, and no token gets into a log."""
    if "route" in scope:
        return str(getattr(scope["route"], "path", UNKNOWN_ROUTE))
    return str(getattr(scope.get("endpoint"), "__name__", UNKNOWN_ROUTE))


async def metrics(_request: Request) -> Response:
    return Response(generate_latest(), headers={"content-type": CONTENT_TYPE_LATEST})
