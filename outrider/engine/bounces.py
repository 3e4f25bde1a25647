"""What a bounce does to the lead, whoever reported it: the submission server at once, or a report days later.

Decisions 28 and 29, product behaviour 6.5. Hard: the address goes on the account's block list and its maps are BLOCKED.
Sender-originated: BLOCKED in this campaign only, category 9. Soft: the status stays, the third on a third day is hard.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from outrider.engine import store
from outrider.kit.db import Db
from outrider.kit.events import emit
from outrider.leads import actions as leads
from outrider.leads import progress
from outrider.mail.dsn import BounceKind
from outrider.messages import ledger
from outrider.messages.models import MessageBounced

SENDER_BOUNCE_CATEGORY = 9
_SOFT_DAYS_TO_HARD = 3


@dataclass(frozen=True, slots=True)
class Bounced:
    """A final failure of an outbound mail that is already stored as bounced."""

    user_id: int
    campaign_id: int
    campaign_lead_id: int
    lead_id: int
    message_id: int
    email: str
    kind: BounceKind
    report_id: int | None
    at: datetime
    has_replied: bool = False


async def apply(db: Db, bounces: Sequence[Bounced]) -> None:
    """Record the events of these bounces and what they do to their leads."""
    for bounce in bounces:
        if not bounce.has_replied:  # a bounce after an answer changes nothing for the lead (product behaviour 6.5)
            await _apply_one(db, bounce)
    await ledger.record_events(
        db,
        [
            ledger.EventRow(
                bounce.user_id,
                bounce.campaign_id,
                bounce.campaign_lead_id,
                bounce.message_id,
                "BOUNCED",
                bounce.at,
                {"kind": bounce.kind},
            )
            for bounce in bounces
        ],
    )
    await emit(
        db,
        *(
            MessageBounced(
                bounce.user_id,
                bounce.campaign_id,
                bounce.campaign_lead_id,
                bounce.message_id,
                bounce.at,
                bounce.report_id,
                bounce.kind,
            )
            for bounce in bounces
        ),
    )


async def _apply_one(db: Db, bounce: Bounced) -> None:
    if bounce.kind is BounceKind.SENDER:
        await progress.end(db, [bounce.campaign_lead_id], status="BLOCKED", reason="SENDER_BOUNCE", now=bounce.at)
        await leads.set_category(
            db,
            user_id=bounce.user_id,
            campaign_lead_id=bounce.campaign_lead_id,
            category_id=SENDER_BOUNCE_CATEGORY,
            by_hand=False,
            now=bounce.at,
        )
        return
    days = await store.count_soft_bounce_days(db, bounce.user_id, bounce.email, bounce.at)
    if bounce.kind is BounceKind.HARD or days >= _SOFT_DAYS_TO_HARD:
        await leads.block_bounced_address(
            db, user_id=bounce.user_id, email=bounce.email, campaign_lead_id=bounce.campaign_lead_id, now=bounce.at
        )
