"""Reports about mails of ours: that they were not delivered, or that somebody called one spam."""

from collections.abc import Sequence
from datetime import datetime

from outrider.engine import bounces
from outrider.engine.bounces import Bounced
from outrider.engine.inbound.arrival import Arrival, store_one
from outrider.engine.inbound.matching import Match, find_by_message_ids, find_latest_to
from outrider.kit.db import Db
from outrider.leads import actions as leads
from outrider.mail.dsn import Bounce
from outrider.messages import doubt, engagement


async def find_reported(db: Db, arrivals: Sequence[Arrival]) -> list[list[Match | None]]:
    """The mails of ours that each reports on: by the returned Message-ID, else the latest to that recipient."""
    asked = [
        (place, arrival, message_id, recipient)
        for place, arrival in enumerate(arrivals)
        for message_id, recipient in _subjects(arrival)
    ]
    named = await find_by_message_ids(
        db, [(arrival.reader.user_id, [message_id] if message_id else []) for _, arrival, message_id, _ in asked]
    )
    addressed = [
        (arrival.reader.user_id, arrival.reader.mailbox_id, recipient.lower() if recipient and not match else "")
        for (_, arrival, _, recipient), match in zip(asked, named, strict=True)
    ]
    latest = await find_latest_to(db, addressed, arrivals[0].now) if any(name for *_, name in addressed) else named
    found: list[list[Match | None]] = [[] for _ in arrivals]
    for (place, *_), by_id, by_recipient in zip(asked, named, latest, strict=True):
        found[place].append(by_id or by_recipient)
    return found


def _subjects(arrival: Arrival) -> list[tuple[str | None, str | None]]:
    """Message-ID and recipient of what it reports on."""
    complaint = arrival.complaint
    if complaint is None:
        return [(failure.original_message_id, failure.recipient) for failure in arrival.failures]
    return [(complaint.original_message_id, complaint.recipient)] if complaint.is_complaint else []


async def take_bounces(db: Db, arrival: Arrival, matches: Sequence[Match | None]) -> bool:
    """Record the mails that bounced; False if the report was taken before."""
    known = [(match, failure) for match, failure in zip(matches, arrival.failures, strict=True) if match]
    report_id = await store_one(db, arrival, "BOUNCE", known[0][0])
    if report_id is None:
        return False
    bounced: list[Bounced] = []
    for match, failure in known:
        reason = " ".join(part for part in (failure.enhanced_code, failure.diagnostic) if part)
        if await engagement.record_bounce(db, match.id, arrival.now, kind=failure.kind, reason=reason):
            await doubt.settle(db, [match.id])
            bounced.append(_bounce_of(match, failure, report_id, arrival.now))
    if bounced:
        await bounces.apply(db, bounced)
    return True


async def take_complaint(db: Db, arrival: Arrival, match: Match | None) -> bool:
    """Whoever calls a mail spam gets no more of them; False if the complaint was taken before."""
    if match is None or await store_one(db, arrival, "COMPLAINT", match) is None:
        return False
    await doubt.settle(db, [match.id])
    await leads.unsubscribe_address(
        db,
        user_id=match.user_id,
        email=match.to_email,
        campaign_lead_id=match.campaign_lead_id,
        message_id=match.id,
        now=arrival.now,
    )
    return True


def _bounce_of(match: Match, report: Bounce, report_id: int, now: datetime) -> Bounced:
    return Bounced(
        user_id=match.user_id,
        campaign_id=match.campaign_id,
        campaign_lead_id=match.campaign_lead_id,
        lead_id=match.lead_id,
        message_id=match.id,
        email=match.to_email,
        kind=report.kind,
        report_id=report_id,
        at=now,
        has_replied=match.has_reply,
    )
