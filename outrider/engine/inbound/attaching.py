"""An untracked reply that a person gives to a lead: from then on it is what it would have been, had it been matched.

Once: whoever comes second does not find it any more. What follows (stop rules, category, webhooks) is `answers`' own.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from outrider.engine.inbound.answers import Answer, follow
from outrider.engine.inbound.arrival import Arrival, Reader
from outrider.engine.inbound.matching import Match, find_by_message_ids, find_latest_of
from outrider.kit.db import Db, fetch_one
from outrider.kit.errors import Conflict, NotFound
from outrider.leads.conversations import Conversation
from outrider.mail.text import html_to_text
from outrider.messages import received


class UntrackedReplyNotFound(NotFound):
    """Untracked reply not found - it may belong to a lead already."""


class NeverMailed(Conflict):
    """The lead has got no email in this campaign that the reply could be an answer to."""


class NoAnswer(Conflict):
    """A report of a mail server is no answer of a lead and cannot be attached to one."""


@dataclass(frozen=True, slots=True)
class Untracked:
    id: int
    user_id: int
    mailbox_id: int
    to_email: str
    created_at: datetime
    html: str | None
    text: str | None
    raw: bytes | None

    def arrival(self, now: datetime) -> Arrival:
        """As it came; when its source is not kept any more, its text has to do."""
        text = self.text if self.text is not None else html_to_text(self.html or "")
        raw = self.raw or f"Content-Type: text/plain; charset=utf-8\n\n{text}".encode("utf-8", "replace")
        return Arrival(Reader(self.user_id, self.mailbox_id, self.to_email), bytes(raw), now, came_at=self.created_at)


async def attach(
    db: Db, user_id: int, place: Conversation, *, now: datetime, reply_id: UUID | None = None, row_id: int | None = None
) -> Match:
    """By the id of the wire or by its row; returns the mail that it is an answer to now."""
    untracked = await _lock(db, user_id, reply_id=reply_id, row_id=row_id)
    arrival = untracked.arrival(now)
    if arrival.reports or arrival.complaint:
        raise NoAnswer
    match = await _find_mail(db, place, arrival)
    if match is None:
        raise NeverMailed
    answer = Answer(arrival, match, untracked.id)
    await received.attach(
        db,
        user_id,
        untracked.id,
        kind=answer.kind,
        stats_id=match.stats_id,
        campaign_id=match.campaign_id,
        campaign_lead_id=match.campaign_lead_id,
        lead_id=match.lead_id,
        answers_id=match.id,
        is_reply_ignored=not answer.is_reply,
    )
    await follow(db, [answer])
    return match


async def _find_mail(db: Db, place: Conversation, arrival: Arrival) -> Match | None:
    """The mail of this lead that it names, else the latest."""
    [named] = await find_by_message_ids(db, [(place.user_id, arrival.incoming.thread_ids)])
    if named is not None and named.campaign_lead_id == place.id:
        return named
    return await find_latest_of(db, place.user_id, place.id)


async def _lock(db: Db, user_id: int, *, reply_id: UUID | None, row_id: int | None) -> Untracked:
    found = await fetch_one(
        db,
        Untracked,
        """
        SELECT m.id, m.user_id, m.mailbox_id, m.to_email, m.created_at, body.html, body.text, source.raw
          FROM messages AS m
          LEFT JOIN message_bodies AS body ON body.message_id = m.id
          LEFT JOIN message_sources AS source ON source.message_id = m.id
         WHERE m.user_id = %(user_id)s
           AND m.kind = 'UNTRACKED'
           AND (m.stats_id = %(reply_id)s OR m.id = %(row_id)s)
           FOR UPDATE OF m
        """,
        {"user_id": user_id, "reply_id": reply_id, "row_id": row_id},
    )
    if found is None:
        raise UntrackedReplyNotFound
    return found
