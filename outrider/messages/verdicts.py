"""What the classifier made of a reply. The category of the lead itself is in `leads`, and people may change it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from outrider.kit.db import Db, execute, fetch_all


@dataclass(frozen=True, slots=True)
class ReplyVerdict:
    """`source` says what decided: RULE, DESCRIPTION, MODEL, ENDPOINT or HEADERS; `reason` is a sentence for people."""

    message_id: int
    category_id: int
    confidence: float
    source: str
    reason: str


async def record(db: Db, user_id: int, verdict: ReplyVerdict, *, now: datetime) -> bool:
    """Once for each reply; False if it had one."""
    count = await execute(
        db,
        """
        INSERT INTO reply_verdicts (message_id, user_id, category_id, confidence, source, reason, created_at)
        VALUES (%(message_id)s, %(user_id)s, %(category_id)s, %(confidence)s, %(source)s, %(reason)s, %(now)s)
            ON CONFLICT DO NOTHING
        """,
        {
            "message_id": verdict.message_id,
            "user_id": user_id,
            "category_id": verdict.category_id,
            "confidence": verdict.confidence,
            "source": verdict.source,
            "reason": verdict.reason,
            "now": now,
        },
    )
    return count == 1


@dataclass(frozen=True, slots=True)
class NamedVerdict(ReplyVerdict):
    """With the name of the category."""

    name: str


async def list_verdicts(db: Db, user_id: int, message_ids: Sequence[int]) -> dict[int, NamedVerdict]:
    """By message; a reply that was not categorised has none."""
    found = await fetch_all(
        db,
        NamedVerdict,
        """
        SELECT v.message_id, v.category_id, v.confidence, v.source, v.reason, c.name
          FROM reply_verdicts AS v
          JOIN categories AS c ON c.id = v.category_id
         WHERE v.user_id = %(user_id)s
           AND v.message_id = ANY(%(message_ids)s)
        """,
        {"user_id": user_id, "message_ids": list(message_ids)},
    )
    return {verdict.message_id: verdict for verdict in found}
