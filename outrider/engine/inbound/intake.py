"""One mail that came in: what it is and what it changes, in the caller's transaction, once.

Order (product behaviour 6.1): our own mail, bounce, auto-reply, answer, not ours. Nothing a message holds can raise
past the reader; a mail that cannot be processed is kept as untracked.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import UUID, uuid5

from outrider.engine import bounces
from outrider.engine.bounces import Bounced
from outrider.engine.inbound.absence import AbsenceRules
from outrider.engine.inbound.matching import Match, find_by_message_ids, find_latest_to, find_match
from outrider.kit.crypto import Vault
from outrider.kit.db import Db
from outrider.kit.events import emit
from outrider.leads import actions as leads
from outrider.leads import progress
from outrider.leads.models import BuiltInCategory
from outrider.mail import autoreply, dsn
from outrider.mail.address import domain_of, is_free_mail
from outrider.mail.autoreply import AutoReply, AutoReplyKind
from outrider.mail.dsn import Bounce
from outrider.mail.parse import Incoming, parse
from outrider.messages import doubt, engagement, ledger, received
from outrider.messages.ledger import EventRow
from outrider.messages.models import ReplyReceived, UntrackedReplyReceived
from outrider.messages.received import File, Received
from outrider.tracking import actions as tracking
from outrider.tracking import tokens

WRONG_PERSON_CATEGORY = 7
_BELIEVED_DATE = timedelta(hours=24)
_UNSUBSCRIBE_SUBJECT = re.compile(r"^\s*unsubscribe\s+(?P<token>[A-Za-z0-9_-]{20,1000})\s*$", re.IGNORECASE)
_NAMESPACE = UUID("6f1d4a0e-8a57-4c5b-9f0e-2f5f3f1f7c11")


@dataclass(frozen=True, slots=True)
class Reader:
    """Whose mail it is."""

    user_id: int
    mailbox_id: int
    address: str


@dataclass(frozen=True, slots=True)
class Arrival:
    """A mail as it came, read, and when."""

    reader: Reader
    raw: bytes
    incoming: Incoming
    now: datetime


async def take_in(db: Db, vault: Vault, reader: Reader, raw: bytes, now: datetime, *, only_matched: bool) -> bool:
    """Process one message; False if it was known, or is of no interest.

    `only_matched`: the first look at a mailbox that was in use before; only what answers a mail of ours is taken.
    """
    arrival = Arrival(reader, raw, parse(raw), now)
    if (arrival.incoming.from_address or "").lower() == reader.address.lower():
        return False
    reports = dsn.read_dsns(arrival.incoming)
    if reports:  # those of a delay or of a delivery are no bounces: nothing follows
        return await _take_bounces(db, arrival, [each for report in reports if (each := dsn.classify_bounce(report))])
    if await _unsubscribes(db, vault, arrival):
        return True
    match = await find_match(db, reader.user_id, reader.mailbox_id, arrival.incoming, now)
    if only_matched and (match is None or not match.is_named_in(arrival.incoming.thread_ids)):
        return False
    return await (_take_answer(db, arrival, match) if match else _take_untracked(db, arrival))


async def keep(db: Db, reader: Reader, raw: bytes, now: datetime) -> None:
    """Keep a mail that could not be processed, for people to look at: nothing is lost."""
    await received.insert(db, _row(Arrival(reader, raw, parse(raw), now), "UNTRACKED", None), now=now)


async def _take_bounces(db: Db, arrival: Arrival, reports: Sequence[Bounce]) -> bool:
    """A report on mails of ours; one that is about nothing we know is dropped."""
    bounced: list[Bounced] = []
    report_id: int | None = None
    for report in reports:
        match = await _bounced_mail(db, arrival, report)
        if match is None:
            continue
        if report_id is None:
            report_id = await received.insert(db, _row(arrival, "BOUNCE", match), now=arrival.now)
            if report_id is None:
                return False
        reason = " ".join(part for part in (report.enhanced_code, report.diagnostic) if part)
        if await engagement.record_bounce(db, match.id, arrival.now, kind=report.kind, reason=reason):
            await doubt.settle(db, [match.id])
            bounced.append(_bounce_of(match, report, report_id, arrival.now))
    if bounced:
        await bounces.apply(db, bounced)
    return report_id is not None


async def _bounced_mail(db: Db, arrival: Arrival, report: Bounce) -> Match | None:
    """The mail by its returned Message-ID, else the latest to that recipient."""
    if report.original_message_id:
        match = await find_by_message_ids(db, arrival.reader.user_id, [report.original_message_id])
        if match is not None:
            return match
    if report.recipient is None:
        return None
    return await find_latest_to(db, arrival.reader.mailbox_id, report.recipient, arrival.now)


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
        has_replied=match.first_replied_at is not None,
    )


async def _unsubscribes(db: Db, vault: Vault, arrival: Arrival) -> bool:
    """The mailto form of List-Unsubscribe (RFC 2369): the subject carries the signed token."""
    found = _UNSUBSCRIBE_SUBJECT.match(arrival.incoming.subject)
    token = tokens.read_unsubscribe(vault, found["token"]) if found else None
    if token is None:
        return False
    await tracking.unsubscribe(db, token, arrival.now)
    return True


async def _take_untracked(db: Db, arrival: Arrival) -> bool:
    reader = arrival.reader
    message_id = await received.insert(db, _row(arrival, "UNTRACKED", None), now=arrival.now)
    if message_id is None:
        return False
    await received.insert_files(db, reader.user_id, message_id, _files(arrival.incoming))
    if autoreply.detect(arrival.incoming, now=arrival.now) is None:
        await emit(db, UntrackedReplyReceived(reader.user_id, reader.mailbox_id, message_id, arrival.now))
    return True


async def _take_answer(db: Db, arrival: Arrival, match: Match) -> bool:
    auto = autoreply.detect(arrival.incoming, now=arrival.now)
    rules = AbsenceRules.of(match.out_of_office_settings)
    is_away = auto is not None and auto.kind is AutoReplyKind.OUT_OF_OFFICE
    counts_as_reply = auto is None or (is_away and not rules.is_ignored)
    row = _row(arrival, "REPLY" if counts_as_reply else "AUTO_REPLY", match, is_ignored=not counts_as_reply)
    message_id = await received.insert(db, row, now=arrival.now)
    if message_id is None:
        return False
    await received.insert_files(db, match.user_id, message_id, _files(arrival.incoming))
    await doubt.settle(db, [match.id])
    if auto is not None and is_away:
        await _follow_absence(db, match, auto, rules, arrival.now)
    if counts_as_reply:
        await _follow_reply(db, match, message_id, row.at, is_human=auto is None)
    elif is_away:
        await engagement.record_reply(db, match.id, row.at, is_counted=False)
    elif auto is not None and auto.kind is AutoReplyKind.GONE:
        await _follow_departure(db, match, arrival.now)
    return True


async def _follow_absence(db: Db, match: Match, auto: AutoReply, rules: AbsenceRules, now: datetime) -> None:
    """The lead waits for the return, if the campaign wants it to; what ends a sequence finds it held already."""
    if rules.holds:
        resumes_at = rules.resumes_at(auto.return_date, now, zone=match.timezone)
        await progress.wait_for_return(db, match.campaign_lead_id, resumes_at, now=now)
    if rules.is_categorized:
        await leads.set_category(
            db,
            user_id=match.user_id,
            campaign_lead_id=match.campaign_lead_id,
            category_id=BuiltInCategory.OUT_OF_OFFICE,
            by_hand=False,
            now=now,
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


async def _follow_departure(db: Db, match: Match, now: datetime) -> None:
    """They are no longer there: the sequence ends, nobody else is told (decision 35)."""
    await progress.end(db, [match.campaign_lead_id], status="STOPPED", reason="WRONG_PERSON", now=now)
    await leads.set_category(
        db,
        user_id=match.user_id,
        campaign_lead_id=match.campaign_lead_id,
        category_id=WRONG_PERSON_CATEGORY,
        by_hand=False,
        now=now,
    )


def _row(arrival: Arrival, kind: str, match: Match | None, *, is_ignored: bool = False) -> Received:
    reader, incoming = arrival.reader, arrival.incoming
    message_id = incoming.message_id or f"{sha256(arrival.raw).hexdigest()}@no-message-id.invalid"
    return Received(
        user_id=reader.user_id,
        mailbox_id=reader.mailbox_id,
        kind=kind,
        stats_id=match.stats_id if match else uuid5(_NAMESPACE, f"{reader.mailbox_id}|{message_id}"),
        message_id=message_id,
        in_reply_to=incoming.in_reply_to[0] if incoming.in_reply_to else None,
        references=incoming.references,
        from_email=incoming.from_address or "",
        to_email=reader.address,
        cc=[each.address for each in incoming.cc if each.address.lower() != reader.address.lower()],
        subject=incoming.subject,
        html=incoming.html,
        text=incoming.text,
        raw=arrival.raw,
        at=_time_of(incoming, arrival.now),
        campaign_id=match.campaign_id if match else None,
        campaign_lead_id=match.campaign_lead_id if match else None,
        lead_id=match.lead_id if match else None,
        answers_id=match.id if match else None,
        is_reply_ignored=is_ignored,
    )


def _time_of(incoming: Incoming, now: datetime) -> datetime:
    """The mail's own date if it is within a day of its arrival, never later than that."""
    date = incoming.date
    return min(date, now) if date and abs(date - now) <= _BELIEVED_DATE else now


def _files(incoming: Incoming) -> list[File]:
    return [
        File(each.name or "attachment", each.content_type, each.content)
        for each in incoming.attachments
        if each.content is not None
    ]
