"""A hit on a tracked link or pixel, and what we think of it."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class HitKind(StrEnum):
    """TRAP: a link that nobody sees."""

    OPEN = "OPEN"
    CLICK = "CLICK"
    TRAP = "TRAP"


class Reason(StrEnum):
    """Why a hit is taken for a person's (the first two) or a machine's."""

    BROWSER = "BROWSER"
    DISPLAY_PROXY = "DISPLAY_PROXY"
    OWN_VIEW = "OWN_VIEW"
    TRAP = "TRAP"
    HEAD_REQUEST = "HEAD_REQUEST"
    NO_USER_AGENT = "NO_USER_AGENT"
    APPLE_PREFETCH = "APPLE_PREFETCH"
    SCANNER = "SCANNER"
    GATEWAY = "GATEWAY"
    TOO_EARLY = "TOO_EARLY"
    BURST = "BURST"
    CLICK_WITHOUT_OPEN = "CLICK_WITHOUT_OPEN"


class Revision(StrEnum):
    """What changed a verdict afterwards: a person who gave himself away, or a machine."""

    REPLY = "REPLY"
    HUMAN_HIT = "HUMAN_HIT"
    BURST = "BURST"
    TRAP = "TRAP"


class Confidence(StrEnum):
    """How sure a verdict is. CERTAIN: nobody else does that; HIGH: few exceptions; MEDIUM, LOW: likely."""

    CERTAIN = "CERTAIN"
    HIGH = "HIGH"
    MEDIUM = "MEDIUM"
    LOW = "LOW"


CONFIDENCE = {
    Reason.BROWSER: Confidence.MEDIUM,  # a gateway that looks like one, and hides where it is, passes for a person
    Reason.DISPLAY_PROXY: Confidence.HIGH,
    Reason.OWN_VIEW: Confidence.CERTAIN,
    Reason.TRAP: Confidence.CERTAIN,
    Reason.HEAD_REQUEST: Confidence.CERTAIN,
    Reason.NO_USER_AGENT: Confidence.HIGH,
    Reason.APPLE_PREFETCH: Confidence.HIGH,
    Reason.SCANNER: Confidence.HIGH,
    Reason.GATEWAY: Confidence.HIGH,
    Reason.TOO_EARLY: Confidence.MEDIUM,
    Reason.BURST: Confidence.HIGH,
    Reason.CLICK_WITHOUT_OPEN: Confidence.LOW,
}
REVISED = {
    Revision.REPLY: Confidence.HIGH,
    Revision.HUMAN_HIT: Confidence.MEDIUM,
    Revision.BURST: Confidence.HIGH,
    Revision.TRAP: Confidence.CERTAIN,
}
"""Of a verdict that was changed afterwards: by what changed it."""


@dataclass(frozen=True, slots=True)
class Visit:
    """What came in. `url` is the link's own target, None for the pixel; `session_hash` of a log-in to the web app."""

    message_id: int
    kind: HitKind
    url: str | None
    method: str
    address: str | None
    user_agent: str | None
    session_hash: bytes | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Hit:
    """A visit as it is stored. `is_own`: somebody of the account was it; `verdict` None: not judged yet."""

    id: int
    message_id: int
    kind: HitKind
    url: str | None
    method: str
    address: str | None
    user_agent: str | None
    is_own: bool
    verdict: str | None
    reason: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a hit is judged by: when its mail was handed over, the mail's hits, who was trapped, what was a burst."""

    handed_over_at: datetime
    hits: Sequence[Hit]
    trapped: AbstractSet[str | None]
    burst_ids: AbstractSet[int]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a person or a machine was there, and how we know."""

    is_machine: bool
    reason: Reason

    @property
    def word(self) -> str:
        return "MACHINE" if self.is_machine else "HUMAN"


@dataclass(frozen=True, slots=True)
class Tracked:
    """The mail that hits are about, locked."""

    id: int
    user_id: int
    campaign_id: int
    campaign_lead_id: int
    handed_over_at: datetime
