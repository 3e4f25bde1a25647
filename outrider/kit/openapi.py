"""The OpenAPI document of the API."""

from typing import Any

from pydantic import BaseModel


class Refusal(BaseModel):
    """What every answer that is not 2xx looks like (contract: conventions §4)."""

    error: str
    message: str
    statusCode: int  # noqa: N815 - the wire
    ok: bool
    validation: dict[str, Any] | None = None
