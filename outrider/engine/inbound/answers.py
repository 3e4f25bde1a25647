"""Answers to mails of ours, by people and by programs, and what they change (product behaviour 6.3, 6.4).

Many at a time, each of another lead: one statement for each kind of change.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from outrider.engine import subsequences
from outrider.engine.classify.endpoint import endpoint
from outrider.engine.inbound import categories
from outrider.engine.inbound.absence import AbsenceRules
from outrider.engine.inbound.arrival import Arrival, Kept, store
from outrider.engine.inbound.matching import Match
from outrider.engine.triggers import Heard
from outrider.kit.db import Db
from outrider.kit.events import emit
from outrider.kit.jobs import enqueue
from outrider.leads import actions as leads
from outrider.leads import progress
from outrider.leads.progress import Answered
from outrider.mail.address import domain_of, is_free_mail
from outrider.mail.autoreply import AutoReplyKind
from outrider.mail.quote import new_text
from outrider.messages import doubt, engagement, ledger, received
from outrider.messages.engagement import Reply
from outrider.messages.ledger import EventRow
from outrider.messages.models import ReplyReceived


@dataclass(frozen=True, slots=True)
class Answer:
    """A mail, the mail of ours that it answers, and its row once it is stored."""

    arrival: Arrival
    match: Match
    message_id: int = 0

    @property
    def rules(self) -> AbsenceRules:
        return AbsenceRules.of(self.match.out_of_office_settings)

    @property
    def is_human(self) -> bool:
        return self.arrival.auto is None

    @property
    def is_away(self) -> bool:
        return self.arrival.auto is not None and self.arrival.auto.kind is AutoReplyKind.OUT_OF_OFFICE

    @property
    def is_gone(self) -> bool:
        return self.arrival.auto is not None and self.arrival.auto.kind is AutoReplyKind.GONE

    @property
    def is_reply(self) -> bool:
        """As the campaign counts."""
        return self.is_human or (self.is_away and not self.rules.is_ignored)

    @property
    def kind(self) -> str:
        return "REPLY" if self.is_reply else "AUTO_REPLY"

    @property
    def is_opt_out(self) -> bool:
        return self.is_human and self.arrival.asks_for_no_more

    @property
    def is_counted(self) -> bool:
        """In statistics. One that is not tracked stops the sequence all the same."""
        return "DONT_REPLY_TO_AN_EMAIL" not in self.match.track_settings

    @property
    def waits(self) -> bool:
        """An absence after which the lead goes on by itself."""
        return not self.is_human and self.rules.holds

    @property
    def ends_sequence(self) -> bool:
        """An absence that counts as an answer does so too. In a subsequence every answer does (product behaviour 7)."""
        has_end = self.match.stop_lead_settings != "NEVER" or self.match.is_in_subsequence
        return has_end and not self.waits


async def take_answers(db: Db, found: Sequence[tuple[Arrival, Match]]) -> int:
    """Answers of people and programs; returns how many were not taken before."""
    if not found:
        return 0
    given = [Answer(arrival, match) for arrival, match in found]
    ids = await store(db, [_kept(answer) for answer in given])
    new = [
        Answer(answer.arrival, answer.match, message_id)
        for answer, message_id in zip(given, ids, strict=True)
        if message_id is not None
    ]
    if new:
        await follow(db, new)
    return len(new)


async def follow(db: Db, new: Sequence[Answer]) -> None:
    """What answers change, once they are stored."""
    now = new[0].arrival.now
    await doubt.settle(db, [answer.match.id for answer in new])
    for answer in new:
        if answer.is_opt_out:
            await _follow_opt_out(db, answer)
    await _follow_programs(db, [answer for answer in new if not answer.is_human], now)
    await _follow_replies(db, [answer for answer in new if answer.is_reply], now)
    gone = [answer.match.campaign_lead_id for answer in new if answer.is_gone]
    if gone:  # nobody else is told (decision 35)
        await progress.end(db, gone, status="STOPPED", reason="WRONG_PERSON", now=now)
    await subsequences.follow_answers(db, await _categorise(db, new), now=now)


def _kept(answer: Answer) -> Kept:
    return Kept(answer.arrival, answer.kind, answer.match, is_ignored=not answer.is_reply)


async def _follow_opt_out(db: Db, answer: Answer) -> None:
    """An unsubscribe in words: of the lead, and of whoever wrote, in case that is somebody else (decision 31)."""
    match, author = answer.match, answer.arrival.author or answer.match.to_email.lower()
    for email in dict.fromkeys((match.to_email, author)):
        await leads.unsubscribe_address(
            db,
            user_id=match.user_id,
            email=email,
            campaign_lead_id=match.campaign_lead_id,
            message_id=match.id,
            now=answer.arrival.now,
        )


async def _follow_programs(db: Db, answers: Sequence[Answer], now: datetime) -> None:
    """What is known of an absence; what ends a sequence finds its lead held already."""
    if not answers:
        return
    await received.insert_auto_replies(
        db, [(each.match.user_id, each.message_id, each.arrival.auto) for each in answers if each.arrival.auto]
    )
    for each in answers:
        if each.is_away and each.rules.holds and each.arrival.auto:
            returns_on, zone = each.arrival.auto.return_date, each.match.timezone
            resumes_at = each.rules.resumes_at(returns_on, each.arrival.now, zone=zone)
            await progress.wait_for_return(db, each.match.campaign_lead_id, resumes_at, now=now)
    ignored = [each for each in answers if each.is_away and not each.is_reply]
    if ignored:
        replies = [Reply(each.match.id, each.arrival.sent_at, is_counted=False) for each in ignored]
        await engagement.record_replies(db, replies)


async def _follow_replies(db: Db, answers: Sequence[Answer], now: datetime) -> None:
    """Answers (product behaviour 6.4)."""
    if not answers:
        return
    counted = [each for each in answers if each.is_counted]
    if counted:
        replies = [Reply(each.match.id, each.arrival.sent_at, is_counted=True) for each in counted]
        await engagement.record_replies(db, replies)
        await ledger.record_events(db, [_event(each) for each in counted])
    await progress.record_answers(
        db,
        [Answered(each.match.campaign_lead_id, each.arrival.sent_at, each.ends_sequence) for each in answers],
        now=now,
    )
    for each in answers:
        if each.is_human and each.match.pauses_company and not is_free_mail(domain_of(each.match.to_email)):
            await progress.pause_company(db, each.match.campaign_lead_id, each.arrival.sent_at)
    await emit(db, *map(_told, answers))


def _event(answer: Answer) -> EventRow:
    match = answer.match
    return EventRow(
        match.user_id, match.campaign_id, match.campaign_lead_id, match.id, "REPLIED", answer.arrival.sent_at
    )


def _told(answer: Answer) -> ReplyReceived:
    match = answer.match
    return ReplyReceived(
        match.user_id,
        match.campaign_id,
        match.campaign_lead_id,
        answer.message_id,
        answer.arrival.sent_at,
        match.id,
        is_counted=answer.is_counted,
        is_human=answer.is_human,
        waits=answer.waits,
    )


async def _categorise(db: Db, answers: Sequence[Answer]) -> list[Heard]:
    """Now, or by the model that a job asks; what is clear without one is not asked.

    Returns what has been understood. What follows from an answer waits for its category.
    """
    heard = []
    for each in answers:
        match, auto = each.match, each.arrival.auto
        if auto is None and not each.is_opt_out and match.category_ids and endpoint():
            await enqueue(db, categories.JOB, user_id=match.user_id, message_id=each.message_id)
            continue
        verdict = (
            await categories.of_person(db, match, each.arrival.incoming, is_opt_out=each.is_opt_out)
            if auto is None
            else categories.of_machine(match, auto)
        )
        category_id = None
        if verdict is not None:
            category_id = await categories.give(
                db, match.user_id, match.campaign_lead_id, each.message_id, verdict, now=each.arrival.now
            )
        text = new_text(each.arrival.incoming) if auto is None else None
        heard.append(Heard(match.campaign_lead_id, match.id, text, category_id))
    return heard
