"""Answers to mails of ours, by people and by programs, and what they change (product behaviour 6.3, 6.4)."""

from datetime import datetime

from outrider.engine.classify.endpoint import endpoint
from outrider.engine.inbound import categories
from outrider.engine.inbound.absence import AbsenceRules
from outrider.engine.inbound.arrival import Arrival, store
from outrider.engine.inbound.matching import Match
from outrider.kit.db import Db
from outrider.kit.events import emit
from outrider.kit.jobs import enqueue
from outrider.leads import actions as leads
from outrider.leads import progress
from outrider.mail import autoreply
from outrider.mail.address import domain_of, is_free_mail
from outrider.mail.autoreply import AutoReplyKind
from outrider.mail.opt_out import asks_for_no_more
from outrider.messages import doubt, engagement, ledger, received
from outrider.messages.ledger import EventRow
from outrider.messages.models import ReplyReceived


async def take_answer(db: Db, arrival: Arrival, match: Match) -> bool:
    """An answer of a person or a program; False if it was taken before."""
    auto = autoreply.detect(arrival.incoming, now=arrival.now)
    rules = AbsenceRules.of(match.out_of_office_settings)
    is_away = auto is not None and auto.kind is AutoReplyKind.OUT_OF_OFFICE
    counts_as_reply = auto is None or (is_away and not rules.is_ignored)
    kind = "REPLY" if counts_as_reply else "AUTO_REPLY"
    message_id = await store(db, arrival, kind, match, is_ignored=not counts_as_reply)
    if message_id is None:
        return False
    await doubt.settle(db, [match.id])
    is_opt_out = auto is None and asks_for_no_more(arrival.incoming)
    if is_opt_out:
        await _follow_opt_out(db, match, arrival)
    if auto is not None:
        await received.insert_auto_reply(db, match.user_id, message_id, auto)
        if is_away and rules.holds:  # what ends a sequence finds it held already
            resumes_at = rules.resumes_at(auto.return_date, arrival.now, zone=match.timezone)
            await progress.wait_for_return(db, match.campaign_lead_id, resumes_at, now=arrival.now)
    if counts_as_reply:
        await _follow_reply(db, match, message_id, arrival.sent_at, is_human=auto is None)
    elif is_away:
        await engagement.record_reply(db, match.id, arrival.sent_at, is_counted=False)
    elif auto is not None and auto.kind is AutoReplyKind.GONE:  # nobody else is told (decision 35)
        await progress.end(db, [match.campaign_lead_id], status="STOPPED", reason="WRONG_PERSON", now=arrival.now)
    if auto is None and not is_opt_out and match.category_ids and endpoint():
        await enqueue(db, categories.JOB, user_id=match.user_id, message_id=message_id)
        return True
    verdict = (
        await categories.of_person(db, match, arrival.incoming, is_opt_out=is_opt_out)
        if auto is None
        else categories.of_machine(match, auto)
    )
    if verdict is not None:
        await categories.give(db, match.user_id, match.campaign_lead_id, message_id, verdict, now=arrival.now)
    return True


async def _follow_opt_out(db: Db, match: Match, arrival: Arrival) -> None:
    """An unsubscribe in words: of the lead, and of whoever wrote, in case that is somebody else (decision 31)."""
    author = (arrival.incoming.from_address or match.to_email).lower()
    for email in dict.fromkeys((match.to_email, author)):
        await leads.unsubscribe_address(
            db,
            user_id=match.user_id,
            email=email,
            campaign_lead_id=match.campaign_lead_id,
            message_id=match.id,
            now=arrival.now,
        )


async def _follow_reply(db: Db, match: Match, message_id: int, at: datetime, *, is_human: bool) -> None:
    """An answer (product behaviour 6.4). One that is not tracked stops the sequence all the same.

    An absence that counts as an answer stops it too, unless the lead waits for the return.
    """
    is_counted = "DONT_REPLY_TO_AN_EMAIL" not in match.track_settings
    if is_counted:
        await engagement.record_reply(db, match.id, at, is_counted=True)
        row = EventRow(match.user_id, match.campaign_id, match.campaign_lead_id, match.id, "REPLIED", at)
        await ledger.record_events(db, [row])
    await progress.record_replies(db, [match.campaign_lead_id], at)
    waits = not is_human and AbsenceRules.of(match.out_of_office_settings).holds
    if match.stop_lead_settings != "NEVER" and not waits:
        await progress.end(db, [match.campaign_lead_id], status="STOPPED", reason="REPLIED", now=at)
    if is_human and match.pauses_company and not is_free_mail(domain_of(match.to_email)):
        await progress.pause_company(db, match.campaign_lead_id, at)
    await emit(
        db,
        ReplyReceived(
            match.user_id,
            match.campaign_id,
            match.campaign_lead_id,
            message_id,
            at,
            match.id,
            is_counted=is_counted,
            is_human=is_human,
        ),
    )
