"""A hit on a tracked link or pixel, and what we think of it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class HitKind(StrEnum):
    OPEN = "OPEN"
    CLICK = "CLICK"


@dataclass(frozen=True, slots=True)
class Hit:
    """One request. `url` is the link's own target, None for the pixel."""

    message_id: int
    kind: HitKind
    url: str | None
    method: str
    address: str | None
    user_agent: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a person or a machine was there, and how we know."""

    is_machine: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Tracked:
    """The mail that a hit is about, locked: what is counted so far and what its campaign wants."""

    id: int
    user_id: int
    campaign_id: int
    campaign_lead_id: int
    status: str
    claimed_at: datetime
    sent_at: datetime | None
    first_opened_at: datetime | None
    track_settings: list[str]
    clicked_urls: list[str]
    recent_click_urls: list[str]
