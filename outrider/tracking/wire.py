"""The list of raw hits, as it is asked for and answered. It is ours: the reference has none."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BeforeValidator

from outrider.kit.validation import Id, Wire


class HitVerdict(StrEnum):
    """WAITING: what came with it is not known yet."""

    HUMAN = "HUMAN"
    MACHINE = "MACHINE"
    WAITING = "WAITING"


def _upper(given: Any) -> Any:
    return given.strip().upper() if isinstance(given, str) else given


class HitQuery(Wire):
    lead_id: Id | None = None
    verdict: Annotated[HitVerdict, BeforeValidator(_upper)] | None = None


def hit_object(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": row["id"],
        "event_time": row["occurred_at"],
        "type": row["kind"],
        "url": row["url"],
        "verdict": row["verdict"],
        "reason": row["reason"],
        "revised_by": row["revision"],
        "revised_at": row["revised_at"],
        "method": row["method"],
        "ip": row["address"],
        "user_agent": row["user_agent"],
        "stats_id": row["stats_id"],
        "lead_id": row["lead_id"],
        "campaign_lead_map_id": str(row["campaign_lead_id"]),
        "email": row["to_email"],
        "sequence_number": row["step_number"],
    }
