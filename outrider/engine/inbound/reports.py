"""Reports about mails of ours: that they were not delivered, or that somebody called one spam."""

from collections.abc import Sequence
from datetime import datetime

from outrider.engine import bounces
from outrider.engine.bounces import Bounced
from outrider.engine.inbound.arrival import Arrival, store
from outrider.engine.inbound.matching import Match, find_by_message_ids, find_latest_to
from outrider.kit.db import Db
from outrider.leads import actions as leads
from outrider.mail.dsn import Bounce
from outrider.mail.feedback import FeedbackReport
from outrider.messages import doubt, engagement


async def take_bounces(db: Db, arrival: Arrival, reports: Sequence[Bounce]) -> bool | None:
    """Record the mails that bounced; None if the report is about nothing we know, False if it was taken before."""
    bounced: list[Bounced] = []
    report_id: int | None = None
    for report in reports:
        match = await _find_mail(db, arrival, report.original_message_id, report.recipient)
        if match is None:
            continue
        if report_id is None:
            report_id = await store(db, arrival, "BOUNCE", match)
            if report_id is None:
                return False
        reason = " ".join(part for part in (report.enhanced_code, report.diagnostic) if part)
        if await engagement.record_bounce(db, match.id, arrival.now, kind=report.kind, reason=reason):
            await doubt.settle(db, [match.id])
            bounced.append(_bounce_of(match, report, report_id, arrival.now))
    if bounced:
        await bounces.apply(db, bounced)
    return None if report_id is None else True


async def take_complaint(db: Db, arrival: Arrival, report: FeedbackReport) -> bool | None:
    """Whoever calls a mail spam gets no more of them; what is answered is as for bounces."""
    match = await _find_mail(db, arrival, report.original_message_id, report.recipient)
    if match is None:
        return None
    if await store(db, arrival, "COMPLAINT", match) is None:
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


async def _find_mail(db: Db, arrival: Arrival, message_id: str | None, recipient: str | None) -> Match | None:
    """The mail by its returned Message-ID, else the latest to that recipient."""
    if message_id:
        match = await find_by_message_ids(db, arrival.reader.user_id, [message_id])
        if match is not None:
            return match
    return await find_latest_to(db, arrival.reader.mailbox_id, recipient, arrival.now) if recipient else None


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
