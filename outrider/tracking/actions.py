"""Hits become verdicts, counters, events: many in one transaction."""

from collections.abc import Sequence
from datetime import datetime

from outrider.kit.db import Db
from outrider.kit.events import Event, emit
from outrider.leads import actions as leads
from outrider.messages import doubt, engagement, ledger
from outrider.messages.ledger import EventRow
from outrider.messages.models import LinkClicked, MessageOpened
from outrider.tracking import store
from outrider.tracking.models import Hit, HitKind, Tracked, Verdict
from outrider.tracking.tokens import Unsubscribe
from outrider.tracking.verdict import BURST, judge

_UNTRACKED = {HitKind.OPEN: "DONT_EMAIL_OPEN", HitKind.CLICK: "DONT_LINK_CLICK"}


async def record_hits(db: Db, hits: Sequence[Hit]) -> None:
    """Keep these hits with their verdicts; human ones count. A hit on a mail that is gone is dropped."""
    ordered = sorted(hits, key=lambda hit: hit.at)
    mails = await store.lock_tracked(db, list({hit.message_id for hit in hits}), ordered[0].at - BURST)
    judged: list[tuple[Hit, Verdict]] = []
    for hit in ordered:
        mail = mails.get(hit.message_id)
        if mail is not None and _UNTRACKED[hit.kind] not in mail.track_settings:
            recent = [h.url for h, _ in judged if h.message_id == mail.id and h.url and hit.at - h.at <= BURST]
            urls = [*mail.recent_click_urls, *recent]
            judged.append((hit, judge(hit, handed_over_at=mail.sent_at or mail.claimed_at, recent_urls=urls)))
    if not judged:
        return
    await store.insert_hits(db, judged)
    await _count(db, judged)
    human = [hit for hit, verdict in judged if not verdict.is_machine]
    if human:
        await doubt.settle(db, [hit.message_id for hit in human])
        await ledger.record_events(db, [_event_row(mails[hit.message_id], hit) for hit in human])
        await emit(db, *_events(mails, human))


async def _count(db: Db, judged: Sequence[tuple[Hit, Verdict]]) -> None:
    await engagement.count_hits(
        db,
        [
            engagement.Count(
                message_id=hit.message_id, is_click=hit.kind is HitKind.CLICK, is_machine=verdict.is_machine, at=hit.at
            )
            for hit, verdict in judged
        ],
    )


def _event_row(mail: Tracked, hit: Hit) -> EventRow:
    kind = "OPENED" if hit.kind is HitKind.OPEN else "CLICKED"
    details: dict[str, object] | None = {"url": hit.url} if hit.url else None
    return EventRow(mail.user_id, mail.campaign_id, mail.campaign_lead_id, mail.id, kind, hit.at, details)


def _events(mails: dict[int, Tracked], hits: Sequence[Hit]) -> list[Event]:
    """The first open of a mail and the first click of each of its links are marked."""
    opened = {mail.id for mail in mails.values() if mail.first_opened_at is not None}
    clicked = {(mail.id, url) for mail in mails.values() for url in mail.clicked_urls}
    events: list[Event] = []
    for hit in hits:
        mail = mails[hit.message_id]
        if hit.kind is HitKind.OPEN:
            is_first = mail.id not in opened
            opened.add(mail.id)
            events.append(
                MessageOpened(mail.user_id, mail.campaign_id, mail.campaign_lead_id, mail.id, hit.at, is_first)
            )
        elif hit.url is not None:
            is_first = (mail.id, hit.url) not in clicked
            clicked.add((mail.id, hit.url))
            events.append(
                LinkClicked(mail.user_id, mail.campaign_id, mail.campaign_lead_id, mail.id, hit.at, hit.url, is_first)
            )
    return events


async def unsubscribe(db: Db, token: Unsubscribe, now: datetime) -> None:
    """The person wants no more mail, whether the lead still exists or not."""
    await leads.unsubscribe_address(
        db, user_id=token.user_id, email=token.email, campaign_lead_id=token.campaign_lead_id, now=now
    )
