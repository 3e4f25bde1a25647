"""A list of leads, and what can be wrong with it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from outrider.kit.errors import Invalid, NotFound


class Push(StrEnum):
    """What becomes of leads where they come from."""

    COPY = "copy"
    MOVE = "move"


@dataclass(frozen=True, slots=True)
class LeadList:
    """`active_lead_count`: those in a campaign that goes on. `tags`: id, name, color."""

    id: int
    user_id: int
    client_id: int | None
    name: str
    created_at: datetime
    updated_at: datetime
    lead_count: int
    active_lead_count: int
    tags: list[dict[str, Any]]


class LeadListNotFound(NotFound):
    """Lead list not found"""

    def __init__(self) -> None:
        super().__init__(extra={"data": None})


class UnknownLeadList(Invalid):
    """Lead list not found"""


class SameList(Invalid):
    """A list cannot be pushed into itself"""
