"""Errors a caller can do something about: each has a status and a sentence for the user.

A slice names its own by meaning and puts the default sentence into the docstring:

    class CampaignNotFound(NotFound):
        \"\"\"Campaign not found - Invalid campaign_id.\"\"\"

    class InvalidTimezone(Invalid):
        \"\"\"Invalid timezone - {value}\"\"\"

    raise InvalidTimezone(value=zone)

Tree: Problem › NotFound 404 · Invalid 400 · Conflict 400 · NotAllowed 403 · TooMany 429 · ValidationProblem 400.
"""

from collections.abc import Mapping
from inspect import cleandoc
from typing import Any, ClassVar


class Problem(Exception):
    """An internal server error occurred"""

    status: ClassVar[int] = 500
    title: ClassVar[str | None] = None
    """The `error` of the envelope; the sentence itself where it is None (contract: conventions §4)."""

    def __init__(
        self,
        text: str | None = None,
        *,
        extra: Mapping[str, Any] | None = None,
        **values: Any,
    ) -> None:
        self.text = text if text is not None else self._default_text(values)
        self.extra: dict[str, Any] = dict(extra or {})
        super().__init__(self.text)

    @classmethod
    def _default_text(cls, values: Mapping[str, Any]) -> str:
        text = cleandoc(cls.__doc__ or "")
        return text.format_map(values) if values else text

    def envelope(self) -> dict[str, Any]:
        """The body of the answer (contract: conventions §4); `extra` adds keys and may replace them."""
        return {
            "error": self.title or self.text,
            "message": self.text,
            "statusCode": self.status,
            "ok": False,
            **self.extra,
        }


class NotFound(Problem):
    """Not Found"""

    status = 404


class Invalid(Problem):
    """Bad Request"""

    status = 400


class Conflict(Problem):
    """The object is not in a state that allows this"""

    status = 400


class NotAllowed(Problem):
    """Permission denied"""

    status = 403


class TooMany(Problem):
    """Too Many Requests"""

    status = 429
    title = "Too Many Requests"


class ValidationProblem(Problem):
    """One field of a request is wrong; the sentence and the key are joi's (contract: conventions §5)."""

    status = 400
    title = "Bad Request"

    def __init__(self, message: str, *, source: str, key: str) -> None:
        super().__init__(message, extra={"validation": {"source": source, "keys": [key]}})
        self.source = source
        self.key = key
