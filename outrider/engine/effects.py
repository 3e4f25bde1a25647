"""What an open, a click or a bounce does beyond its mail: the rules of the campaign (contract: campaigns, settings).

`CLICK_ON_A_LINK` ends a sequence on a click, `OPEN_AN_EMAIL` on an open and on a click. Machines do not count: only
events of people arrive here. Too many bounces pause the campaign.
"""

from collections.abc import Sequence
from decimal import Decimal

from outrider.campaigns import actions as campaigns
from outrider.campaigns.models import CampaignStatus
from outrider.campaigns.store import find_campaign
from outrider.engine import store
from outrider.kit.db import Db
from outrider.leads import progress
from outrider.mail.dsn import BounceKind
from outrider.messages.models import LinkClicked, MessageBounced, MessageOpened

_FEWEST_CONTACTED = 20  # a rate of fewer says nothing (decision 11)


async def stop_opened(db: Db, events: Sequence[MessageOpened]) -> None:
    ids = [event.campaign_lead_id for event in events]
    await progress.end_by_rule(db, ids, rules=["OPEN_AN_EMAIL"], reason="OPENED", now=max(e.at for e in events))


async def stop_clicked(db: Db, events: Sequence[LinkClicked]) -> None:
    ids = [event.campaign_lead_id for event in events]
    rules = ["CLICK_ON_A_LINK", "OPEN_AN_EMAIL"]
    await progress.end_by_rule(db, ids, rules=rules, reason="CLICKED", now=max(e.at for e in events))


async def pause_bouncing(db: Db, events: Sequence[MessageBounced]) -> None:
    """Pause a campaign when its share of bounced leads reaches the limit; sender-originated ones do not count."""
    places = {(event.user_id, event.campaign_id) for event in events if event.kind is not BounceKind.SENDER}
    now = max(event.at for event in events)
    for user_id, campaign_id in sorted(places):
        campaign = await find_campaign(db, user_id, campaign_id, client_id=None)
        limit = campaign.bounce_limit if campaign and campaign.status is CampaignStatus.ACTIVE else None
        if campaign is None or limit is None:
            continue
        counts = await store.count_bounced(db, user_id, campaign_id, since=campaign.bounce_measured_from)
        if counts.contacted < _FEWEST_CONTACTED or counts.bounced * 100 < limit * counts.contacted:
            continue
        rate = (Decimal(counts.bounced * 100) / counts.contacted).quantize(Decimal("0.1"))
        await campaigns.auto_pause(db, user_id, campaign_id, bounce_rate=str(rate), threshold=str(limit), now=now)
