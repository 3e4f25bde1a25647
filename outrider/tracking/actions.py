"""Hits become verdicts, counters, events: stored as they come, judged a moment later, many in one transaction.

A hit cannot be judged at once: that a program checks every link of a mail is only seen when it has. Nothing is changed
silently afterwards: the first reason stays, and beside it stands what revised it.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime

from outrider.kit.db import Db
from outrider.kit.events import Event, emit
from outrider.leads import actions as leads
from outrider.messages import doubt, engagement, ledger
from outrider.messages.ledger import EventRow
from outrider.messages.models import LinkClicked, MessageOpened, ReplyReceived
from outrider.tracking import store
from outrider.tracking.models import Hit, HitKind, Reason, Revision, Surroundings, Tracked
from outrider.tracking.rules import Rules
from outrider.tracking.tokens import Unsubscribe
from outrider.tracking.verdict import find_bursts, judge

_MOST_HITS = 1_000  # of one turn
_MOST_HITS_EACH = 100  # of one mail that are looked at again
_REVISED = {Reason.BURST: Revision.BURST, Reason.TRAP: Revision.TRAP}


async def judge_waiting(db: Db, rules: Rules, now: datetime) -> int:
    """Judge the hits whose company is known by now; returns how many. Human ones count."""
    waiting = await store.list_waiting_mails(db, now - rules.burst_time, limit=_MOST_HITS)
    if not waiting:
        return 0
    await store.drop_orphans(db, waiting)
    mails = await store.lock_tracked(db, waiting)
    around = _surroundings(mails, await store.list_hits(db, list(mails), each=_MOST_HITS_EACH), rules)
    judged = [
        (hit, judge(hit, each, rules))
        for each in around.values()
        for hit in each.hits
        if hit.verdict is None and hit.at <= now - rules.burst_time
    ]
    if not judged:
        return 0
    await store.update_verdicts(db, judged)
    human = [hit for hit, verdict in judged if not verdict.is_machine]
    confirmed = await _confirm(db, {hit.message_id for hit in human}, Revision.HUMAN_HIT, now)
    exposed = await _expose(db, mails, around.values(), rules, now)
    await _tell(
        db,
        mails,
        [*confirmed, *human],
        seen={(hit.message_id, hit.url) for each in around.values() for hit in each.hits if hit.verdict == "HUMAN"},
        machines=[*(hit for hit, verdict in judged if verdict.is_machine), *exposed],
    )
    return len(judged)


async def confirm_opens(db: Db, events: Sequence[ReplyReceived]) -> None:
    """Whoever answers a mail has read it, though its image was fetched unseen (subscribed to ReplyReceived)."""
    mails = await store.lock_tracked(db, [event.answers_id for event in events if event.is_human])
    confirmed = await _confirm(db, set(mails), Revision.REPLY, max(event.at for event in events))
    if confirmed:
        await _tell(db, mails, confirmed, seen=set(), machines=[])


def _surroundings(mails: dict[int, Tracked], hits: Sequence[Hit], rules: Rules) -> dict[int, Surroundings]:
    grouped: dict[int, list[Hit]] = {message_id: [] for message_id in mails}
    for hit in hits:
        grouped[hit.message_id].append(hit)
    return {
        message_id: Surroundings(
            handed_over_at=mails[message_id].handed_over_at,
            hits=found,
            trapped={hit.address for hit in found if hit.kind is HitKind.TRAP and hit.address},
            burst_ids=find_bursts(found, rules),
        )
        for message_id, found in grouped.items()
    }


async def _confirm(db: Db, message_ids: AbstractSet[int], revision: Revision, now: datetime) -> list[Hit]:
    """The unseen fetch of a mail that a person has read after all becomes the open that it stood for."""
    prefetches = await store.list_prefetches(db, list(message_ids)) if message_ids else []
    if prefetches:
        await store.revise(db, [hit.id for hit in prefetches], "HUMAN", revision, now)
    return prefetches


async def _expose(
    db: Db, mails: dict[int, Tracked], around: Iterable[Surroundings], rules: Rules, now: datetime
) -> list[Hit]:
    """Hits that passed for a person's before the rest of their burst came, or before their visitor was trapped."""
    exposed: list[Hit] = []
    for each in around:
        for hit in each.hits:
            revision = _REVISED.get(judge(hit, each, rules).reason) if hit.verdict == "HUMAN" else None
            if revision:
                await store.revise(db, [hit.id], "MACHINE", revision, now)
                exposed.append(hit)
    if exposed:
        await ledger.delete_events(db, [_event_row(mails[hit.message_id], hit) for hit in exposed])
    return exposed


async def _tell(
    db: Db, mails: dict[int, Tracked], human: Sequence[Hit], *, seen: set[tuple[int, str | None]], machines: list[Hit]
) -> None:
    """What people did becomes events; the figures follow. `seen`: mails and links that a person was at before."""
    human = sorted(human, key=lambda hit: (hit.at, hit.id))
    if human:
        await doubt.settle(db, list({hit.message_id for hit in human}))
        await ledger.record_events(db, [_event_row(mails[hit.message_id], hit) for hit in human])
    await engagement.count_hits(db, _machine_hits(human, machines))
    await emit(db, *_events(mails, human, seen))


def _machine_hits(human: Sequence[Hit], machines: Sequence[Hit]) -> list[engagement.MachineHits]:
    """Those of machines are added; one that was confirmed as a person's is taken away."""
    opens: Counter[int] = Counter(hit.message_id for hit in machines if hit.kind is HitKind.OPEN)
    clicks: Counter[int] = Counter(hit.message_id for hit in machines if hit.kind is HitKind.CLICK)
    opens.subtract(hit.message_id for hit in human if hit.verdict == "MACHINE")
    return [
        engagement.MachineHits(message_id, open_count=opens[message_id], click_count=clicks[message_id])
        for message_id in {hit.message_id for hit in (*human, *machines)}
    ]


def _event_row(mail: Tracked, hit: Hit) -> EventRow:
    kind = "OPENED" if hit.kind is HitKind.OPEN else "CLICKED"
    details: dict[str, object] | None = {"url": hit.url} if hit.url else None
    return EventRow(mail.user_id, mail.campaign_id, mail.campaign_lead_id, mail.id, kind, hit.at, details)


def _events(mails: dict[int, Tracked], hits: Sequence[Hit], seen: set[tuple[int, str | None]]) -> list[Event]:
    """The first open of a mail and the first click of each of its links are marked."""
    events: list[Event] = []
    for hit in hits:
        mail = mails[hit.message_id]
        is_first = (hit.message_id, hit.url) not in seen
        seen.add((hit.message_id, hit.url))
        if hit.url is None:
            events.append(
                MessageOpened(mail.user_id, mail.campaign_id, mail.campaign_lead_id, mail.id, hit.at, is_first)
            )
        else:
            events.append(
                LinkClicked(mail.user_id, mail.campaign_id, mail.campaign_lead_id, mail.id, hit.at, hit.url, is_first)
            )
    return events


async def unsubscribe(db: Db, token: Unsubscribe, now: datetime) -> None:
    """The person wants no more mail, whether the lead still exists or not."""
    await leads.unsubscribe_address(
        db, user_id=token.user_id, email=token.email, campaign_lead_id=token.campaign_lead_id, now=now
    )
