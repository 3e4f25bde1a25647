"""When something can be sent next: the moment to which a clock may be moved without missing anything.

For the forecast and the simulation, which have no time to wait. It may name a moment at which nothing is sent after
all; it never passes one by at which something would be.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, time, timedelta
from uuid import UUID

from outrider.engine import gates, limits, store, triggers
from outrider.engine.facts import CampaignFacts, MailboxFacts, Pair, SenderDomain
from outrider.engine.gates import Case
from outrider.engine.rounds import Span, load_campaigns
from outrider.engine.store import Wait
from outrider.kit.db import Db

_DAY = timedelta(days=1)
_INSTANT = timedelta(microseconds=1)
_HOLDS_IN_A_ROW = 5  # a mailbox may wait for its gap, then for its cap, then for its back-off


async def next_moment(db: Db, engine_id: UUID, now: datetime) -> datetime | None:
    """Return the first moment after `now` at which a mailbox of this engine may send something.

    None: nothing changes unless somebody does something.
    """
    span = await next_span(db, engine_id, now, is_stretch=False)
    return span.now if span else None


async def next_span(db: Db, engine_id: UUID, now: datetime, *, is_stretch: bool) -> Span | None:
    """The same; as a stretch with the time in which no mailbox can send twice and nothing begins or ends."""
    mailboxes = {box.id: box for box in await store.list_leased_mailboxes(db, engine_id, now)}
    pairs = await store.list_pairs(db, list(mailboxes)) if mailboxes else []
    silence = await triggers.find_next_silence(db)
    silent_at = None if silence is None else max(silence, now + _INSTANT)
    if not pairs:
        return Span.at(silent_at) if silent_at else None
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
    changes = await store.next_changes(db, round_.campaigns, mailboxes, now)
    if "RETURN" in changes or any(moment > now for moment in moments):
        moments += [at for kind, at in changes.items() if kind in ("RETURN", "LOOK")]
    if silent_at:
        moments.append(silent_at)
    begins_at = min((moment for moment in moments if moment > now), default=None)
    if begins_at is None:
        return None
    is_coupled = bool(limited) or any(campaign.enable_ai_esp_matching for campaign in round_.campaigns.values())
    if not is_stretch or is_coupled:  # what a mailbox may send depends on what others send meanwhile
        return Span.at(begins_at)
    changes = await store.next_changes(db, round_.campaigns, mailboxes, begins_at)
    ends = [
        *changes.values(),
        *([silent_at] if silent_at else ()),
        *_turns(round_.campaigns.values(), begins_at),
        begins_at + _shortest_gap(pairs, mailboxes, round_.campaigns),
    ]
    return Span(begins_at, min(moment for moment in ends if moment > begins_at) - _INSTANT)


def _turns(campaigns: Iterable[CampaignFacts], now: datetime) -> Iterator[datetime]:
    """When something begins or ends because of the time of day."""
    yield datetime.combine(now.date() + _DAY, time(), now.tzinfo)
    for campaign in campaigns:
        if campaign.schedule_start_time:
            yield campaign.schedule_start_time
        if campaign.hours and (window := campaign.hours.next_window(now)):
            yield window.opens_at if window.opens_at > now else window.closes_at


def _shortest_gap(
    pairs: Sequence[Pair], mailboxes: Mapping[int, MailboxFacts], campaigns: Mapping[int, CampaignFacts]
) -> timedelta:
    """How long every mailbox pauses at least after a mail; one that serves a single campaign keeps that one's gap."""
    gaps: dict[int, list[int]] = {}
    for pair in pairs:
        if campaign := campaigns.get(pair.campaign_id):
            gaps.setdefault(pair.mailbox_id, []).append(campaign.min_time_between_emails)
    return limits.SHORTEST_JITTER + timedelta(
        minutes=min(
            max(mailboxes[mailbox_id].time_to_wait_minutes or 0, of_campaigns[0] if len(of_campaigns) == 1 else 0)
            for mailbox_id, of_campaigns in gaps.items()
        )
    )


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
