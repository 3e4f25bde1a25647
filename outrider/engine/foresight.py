"""When something can be sent next: the moment to which a clock may be moved without missing anything.

For the forecast and the simulation, which have no time to wait. It may name a moment at which nothing is sent after
all; it never passes one by at which something would be.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, time, timedelta
from uuid import UUID

from outrider.engine import gates, limits, store
from outrider.engine.facts import CampaignFacts, MailboxFacts, Pair, SenderDomain
from outrider.engine.gates import Case
from outrider.engine.rounds import load_campaigns
from outrider.engine.store import Wait
from outrider.kit.db import Db

_HOLDS_IN_A_ROW = 5  # a mailbox may wait for its gap, then for its cap, then for its back-off


async def next_moment(db: Db, engine_id: UUID, now: datetime) -> datetime | None:
    """Return the first moment after `now` at which a mailbox of this engine may send something.

    None: nothing changes unless somebody does something.
    """
    mailboxes = {box.id: box for box in await store.list_leased_mailboxes(db, engine_id, now, only_free=False)}
    pairs = await store.list_pairs(db, list(mailboxes)) if mailboxes else []
    if not pairs:
        return None
    round_ = await load_campaigns(db, {pair.campaign_id for pair in pairs}, now)
    limited = [campaign.id for campaign in round_.campaigns.values() if campaign.domain_level_rate_limit]
    domains = {
        (each.campaign_id, each.domain): each
        for each in (await store.list_sender_domains(db, limited) if limited else ())
    }
    waits: dict[tuple[int, int | None], list[datetime]] = {}
    for wait in await store.list_waits(db, pairs, now):
        waits.setdefault((wait.campaign_id, wait.mailbox_id), []).append(_of_today(wait, round_.campaigns, now))
    moments: list[datetime] = []
    for campaign in round_.campaigns.values():
        hold = gates.first_hold(round_.case(campaign.id, is_first_mail=True))
        new_at = hold.retry_at if hold and hold.code == "NEW_LEAD_CAP" else now
        ready = [
            (pair, at)
            for pair in pairs
            if pair.campaign_id == campaign.id and (at := _ready_at(pair, mailboxes, campaign, domains, now))
        ]
        for pair, at in ready:
            due = waits.get((campaign.id, pair.mailbox_id), [])
            new = [max(moment, new_at) for moment in waits.get((campaign.id, None), []) if new_at]
            moments += [_in_window(campaign, max(at, moment)) for moment in (*due, *new)]
        if ready and any(campaign_id == campaign.id for campaign_id, _ in waits):
            moments += _turns_of_the_day(campaign, now)
    return min((moment for moment in moments if moment > now), default=None)


def _of_today(wait: Wait, campaigns: dict[int, CampaignFacts], now: datetime) -> datetime:
    start = campaigns[wait.campaign_id].schedule_start_time
    return max(wait.at, now, start or now)


def _ready_at(
    pair: Pair,
    mailboxes: Mapping[int, MailboxFacts],
    campaign: CampaignFacts,
    domains: Mapping[tuple[int, str], SenderDomain],
    now: datetime,
) -> datetime | None:
    """When this mailbox may next send for this campaign, leads or not."""
    if campaign.hours is None:
        return None
    mailbox, at = mailboxes[pair.mailbox_id], now
    for _ in range(_HOLDS_IN_A_ROW):
        domain = domains.get((campaign.id, mailbox.domain))
        hold = gates.first_hold(Case(now=at, mailbox=mailbox, sender_domain=domain))
        if hold is None:
            break
        if hold.code == "IN_FLIGHT" or hold.retry_at is None:
            return None
        if hold.code == "DAILY_CAP":  # what it has sent today does not count tomorrow
            return hold.retry_at
        at = hold.retry_at
    window = campaign.hours.next_window(at)
    return max(at, limits.ready_at(pair, campaign, window)) if window else None


def _in_window(campaign: CampaignFacts, at: datetime) -> datetime:
    window = campaign.hours.next_window(at) if campaign.hours else None
    return max(at, window.opens_at) if window else at


def _turns_of_the_day(campaign: CampaignFacts, now: datetime) -> Iterator[datetime]:
    """The opening of the next window, and midnight UTC if it is inside of one: counters begin anew."""
    if campaign.hours is None:
        return
    window = campaign.hours.window_at(now)
    following = campaign.hours.next_window(window.closes_at if window else now)
    if following:
        yield following.opens_at
    midnight = datetime.combine(now.date() + timedelta(days=1), time(), now.tzinfo)
    if campaign.hours.window_at(midnight):
        yield midnight
