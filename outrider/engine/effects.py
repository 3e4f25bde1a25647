"""What an open or a click does to a sequence: the stop rules of the campaign (contract: campaigns, settings).

`CLICK_ON_A_LINK` ends it on a click, `OPEN_AN_EMAIL` on an open and on a click. Machines do not count: only events of
people arrive here.
"""

from collections.abc import Sequence

from outrider.kit.db import Db
from outrider.leads import progress
from outrider.messages.models import LinkClicked, MessageOpened


async def stop_opened(db: Db, events: Sequence[MessageOpened]) -> None:
    ids = [event.campaign_lead_id for event in events]
    await progress.end_by_rule(db, ids, rules=["OPEN_AN_EMAIL"], reason="OPENED", now=max(e.at for e in events))


async def stop_clicked(db: Db, events: Sequence[LinkClicked]) -> None:
    ids = [event.campaign_lead_id for event in events]
    rules = ["CLICK_ON_A_LINK", "OPEN_AN_EMAIL"]
    await progress.end_by_rule(db, ids, rules=rules, reason="CLICKED", now=max(e.at for e in events))
