"""The OpenAPI document of the API and the page that shows it: `/openapi.json`, `/docs`."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from outrider import __version__
from outrider.kit.reference import STYLE_POLICY, reference_page
from outrider.kit.replies import JsonReply, json_bytes

_ABOUT = """\
Compatible with Smartlead's API: an existing integration changes its base URL and goes on working.
Every path is served with and without a trailing slash. Fields are accepted in snake_case and camelCase.
"""
_LIMITS = {"ge": "minimum", "le": "maximum", "gt": "exclusiveMinimum", "lt": "exclusiveMaximum"}
_KEYS = {
    "query": {"type": "apiKey", "in": "query", "name": "api_key"},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "bearer": {"type": "http", "scheme": "bearer"},
}


class Refusal(BaseModel):
    """What every answer that is not 2xx looks like (contract: conventions §4)."""

    error: str
    message: str
    statusCode: int  # noqa: N815 - the wire
    ok: bool
    validation: dict[str, Any] | None = None


def text_answer(media_type: str) -> dict[int | str, dict[str, Any]]:
    """A good answer that may be this instead of JSON."""
    return {200: {"content": {media_type: {"schema": {"type": "string"}}}}}


def document_of(routes: Sequence[APIRoute]) -> dict[str, Any]:
    document = get_openapi(title="Outrider", version=__version__, description=_ABOUT, routes=routes)
    document.setdefault("components", {})["securitySchemes"] = _KEYS
    document["security"] = [{name: []} for name in _KEYS]
    for operation in (each for methods in document["paths"].values() for each in methods.values()):
        _add_files(operation)
    standardized: dict[str, Any] = _standardized(document)
    return standardized


def _add_files(operation: dict[str, Any]) -> None:
    """What has `format=csv` is answered as a file, too."""
    formats = [each["schema"].get("enum", ()) for each in operation.get("parameters", ()) if each["name"] == "format"]
    if any("csv" in each for each in formats):
        operation["responses"]["200"]["content"] |= text_answer("text/csv")[200]["content"]


def _standardized(part: Any) -> Any:
    """Pydantic 2.14 writes limits of fields with a validator of ours under its own names."""
    if isinstance(part, list):
        return [_standardized(item) for item in part]
    if not isinstance(part, dict):
        return part
    names = _LIMITS if "type" in part else {}
    return {names.get(key, key): _standardized(value) for key, value in part.items()}


def add_reference(app: FastAPI, routes: Sequence[APIRoute]) -> None:
    @cache
    def document() -> dict[str, Any]:
        return document_of(routes)

    @cache
    def page() -> str:
        return reference_page(document())

    async def openapi_json(_request: Request) -> Response:
        return JsonReply(json_bytes(document()))

    async def docs(_request: Request) -> Response:
        return Response(page(), media_type="text/html", headers={"content-security-policy": STYLE_POLICY})

    app.add_route("/openapi.json", openapi_json, include_in_schema=False)
    app.add_route("/docs", docs, include_in_schema=False)
