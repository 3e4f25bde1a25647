"""Taking leads out of campaigns: what they were sent stays and counts, what is planned for them is dropped."""

from collections.abc import Sequence
from datetime import datetime

from outrider.kit.db import Db
from outrider.kit.events import emit
from outrider.leads import store
from outrider.leads.models import LeadsRemoved


async def take_out(
    db: Db,
    user_id: int,
    lead_ids: Sequence[int],
    *,
    client_id: int | None,
    now: datetime,
    campaign_id: int | None = None,
    but: int | None = None,
) -> int:
    """Out of this campaign, or out of all except `but`; returns out of how many."""
    removed = await store.delete_campaign_leads(
        db, user_id, lead_ids, client_id=client_id, campaign_id=campaign_id, but=but
    )
    if removed:
        await emit(db, LeadsRemoved(user_id, tuple(removed), now))
    return len(removed)
