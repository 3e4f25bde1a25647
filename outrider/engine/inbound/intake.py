"""One mail that came in: what it is and what it changes, in the caller's transaction, once.

Order (product behaviour 6.1): our own mail, reports on mails of ours, auto-reply, answer, not ours. Nothing a message
holds can raise past the reader; a mail that cannot be processed is kept as untracked.
"""

import re
from datetime import datetime

from outrider.engine.inbound.answers import take_answer
from outrider.engine.inbound.arrival import Arrival, Reader, store
from outrider.engine.inbound.matching import find_match
from outrider.engine.inbound.reports import take_bounces, take_complaint
from outrider.kit.crypto import Vault
from outrider.kit.db import Db
from outrider.kit.events import emit
from outrider.leads import actions as leads
from outrider.mail import autoreply, dsn, feedback
from outrider.mail.opt_out import asks_for_no_more
from outrider.mail.parse import parse
from outrider.messages import received
from outrider.messages.models import UntrackedReplyReceived
from outrider.tracking import actions as tracking
from outrider.tracking import tokens

_UNSUBSCRIBE_SUBJECT = re.compile(r"^\s*unsubscribe\s+(?P<token>[A-Za-z0-9_-]{20,1000})\s*$", re.IGNORECASE)


async def take_in(
    db: Db, vault: Vault, reader: Reader, raw: bytes, now: datetime, *, only_matched: bool, is_cut: bool = False
) -> bool:
    """Process one message; False if it was known, or is of no interest.

    `only_matched`: the first look at a mailbox that was in use before; only what answers a mail of ours is taken.
    """
    arrival = Arrival(reader, raw, parse(raw, is_cut=is_cut), now)
    if (arrival.incoming.from_address or "").lower() == reader.address.lower():
        return False
    is_taken = await _take_report(db, arrival)
    if is_taken is not None:
        return is_taken
    if await _unsubscribes(db, vault, arrival):
        return True
    match = await find_match(db, reader.user_id, reader.mailbox_id, arrival.incoming, now)
    if only_matched and (match is None or not match.is_named_in(arrival.incoming.thread_ids)):
        return False
    return await (take_answer(db, arrival, match) if match else _take_untracked(db, arrival))


async def keep(db: Db, reader: Reader, raw: bytes, now: datetime, *, is_cut: bool = False) -> None:
    """Keep a mail that could not be processed, for people to look at: nothing is lost."""
    await store(db, Arrival(reader, raw, parse(raw, is_cut=is_cut), now), "UNTRACKED", None)


async def _take_report(db: Db, arrival: Arrival) -> bool | None:
    """None if it is no report about a campaign's mail. One that only tells of a delay or a delivery is passed over."""
    complaint = feedback.read_feedback_report(arrival.incoming)
    if complaint is not None:
        return await take_complaint(db, arrival, complaint) if complaint.is_complaint else None
    reports = dsn.read_dsns(arrival.incoming)
    failures = [failure for report in reports if (failure := dsn.classify_bounce(report))]
    if reports and not failures:
        return False
    return await take_bounces(db, arrival, failures)


async def _unsubscribes(db: Db, vault: Vault, arrival: Arrival) -> bool:
    """The mailto form of List-Unsubscribe (RFC 2369): the subject carries the signed token."""
    found = _UNSUBSCRIBE_SUBJECT.match(arrival.incoming.subject)
    token = tokens.read_unsubscribe(vault, found["token"]) if found else None
    if token is None:
        return False
    await tracking.unsubscribe(db, token, arrival.now)
    return True


async def _take_untracked(db: Db, arrival: Arrival) -> bool:
    """Nobody is told of programs. Who asks for no more mail gets none, from whatever mailbox it came."""
    reader, incoming = arrival.reader, arrival.incoming
    message_id = await store(db, arrival, "UNTRACKED", None)
    if message_id is None:
        return False
    auto = autoreply.detect(incoming, now=arrival.now)
    if auto is not None:
        await received.insert_auto_reply(db, reader.user_id, message_id, auto)
    if auto is not None or dsn.read_dsns(incoming) or feedback.read_feedback_report(incoming):
        return True
    if incoming.from_address and asks_for_no_more(incoming):
        await leads.unsubscribe_known_address(
            db, user_id=reader.user_id, email=incoming.from_address.lower(), now=arrival.now
        )
    await emit(db, UntrackedReplyReceived(reader.user_id, reader.mailbox_id, message_id, arrival.now))
    return True
