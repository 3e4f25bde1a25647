"""A mail that has come, read: all that its bytes tell without the database; and the row it is kept in."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from hashlib import sha256
from uuid import UUID, uuid5

from outrider.engine.inbound.matching import Match
from outrider.kit.crypto import Vault
from outrider.kit.db import Db
from outrider.mail import autoreply, dsn, feedback
from outrider.mail.autoreply import AutoReply
from outrider.mail.dsn import Bounce, Dsn
from outrider.mail.feedback import FeedbackReport
from outrider.mail.opt_out import asks_for_no_more
from outrider.mail.parse import Incoming, parse
from outrider.messages import received
from outrider.messages.received import File, Received
from outrider.tracking import tokens
from outrider.tracking.tokens import Unsubscribe

_BELIEVED_DATE = timedelta(hours=24)
_NAMESPACE = UUID("6f1d4a0e-8a57-4c5b-9f0e-2f5f3f1f7c11")
_UNSUBSCRIBE_SUBJECT = re.compile(r"^\s*unsubscribe\s+(?P<token>[A-Za-z0-9_-]{20,1000})\s*$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Reader:
    """Whose mail it is."""

    user_id: int
    mailbox_id: int
    address: str


@dataclass(frozen=True, eq=False)
class Arrival:
    """A mail as it came, and when. What it says is found out once, where it is asked for first.

    `only_matched`: the first look at a mailbox that was in use before; only what answers a mail of ours is taken.
    `is_cut`: the mail was larger, these are its first bytes. `came_at`: of one that came earlier than it is dealt with.
    """

    reader: Reader
    raw: bytes
    now: datetime
    only_matched: bool = False
    is_cut: bool = False
    came_at: datetime | None = None

    @cached_property
    def incoming(self) -> Incoming:
        return parse(self.raw, is_cut=self.is_cut)

    @cached_property
    def author(self) -> str | None:
        address = self.incoming.from_address
        return address.lower() if address else None

    @cached_property
    def message_id(self) -> str:
        """Its own, or one made of its bytes: by it a mail is known again."""
        return self.incoming.message_id or f"{sha256(self.raw).hexdigest()}@no-message-id.invalid"

    @cached_property
    def sent_at(self) -> datetime:
        """The mail's own date if it is within a day of its arrival, never later than that."""
        date, came_at = self.incoming.date, self.came_at or self.now
        return min(date, came_at) if date and abs(date - came_at) <= _BELIEVED_DATE else came_at

    @cached_property
    def complaint(self) -> FeedbackReport | None:
        return feedback.read_feedback_report(self.incoming)

    @cached_property
    def reports(self) -> tuple[Dsn, ...]:
        return dsn.read_dsns(self.incoming)

    @cached_property
    def failures(self) -> list[Bounce]:
        return [failure for report in self.reports if (failure := dsn.classify_bounce(report))]

    @cached_property
    def auto(self) -> AutoReply | None:
        """None: a person wrote it."""
        return autoreply.detect(self.incoming, now=self.came_at or self.now)

    @cached_property
    def asks_for_no_more(self) -> bool:
        return asks_for_no_more(self.incoming)

    @property
    def is_of_no_interest(self) -> bool:
        """Our own mail, or a report that only tells of a delay or a delivery."""
        if self.author == self.reader.address.lower():
            return True
        return self.complaint is None and bool(self.reports) and not self.failures

    def unsubscribe(self, vault: Vault) -> Unsubscribe | None:
        """The mailto form of List-Unsubscribe (RFC 2369): the subject carries the signed token."""
        found = _UNSUBSCRIBE_SUBJECT.match(self.incoming.subject)
        return tokens.read_unsubscribe(vault, found["token"]) if found else None

    def study(self) -> None:
        """Find out now what will be asked: it takes a millisecond, and no database."""
        if not self.is_of_no_interest:
            _ = self.auto, self.asks_for_no_more


@dataclass(frozen=True, slots=True)
class Kept:
    """What a mail is to be kept as; `kind` as in `Received`."""

    arrival: Arrival
    kind: str
    match: Match | None = None
    is_ignored: bool = False


async def store(db: Db, mails: Sequence[Kept]) -> list[int | None]:
    """Keep mails with their attachments; the row of each, None if its mailbox has had it before."""
    if not mails:
        return []
    ids = await received.insert(db, [_row(mail) for mail in mails], now=mails[0].arrival.now)
    for mail, message_id in zip(mails, ids, strict=True):
        if message_id is not None and mail.arrival.incoming.attachments:
            files = _files(mail.arrival.incoming)
            await received.insert_files(db, mail.arrival.reader.user_id, message_id, files)
    return ids


async def store_one(db: Db, arrival: Arrival, kind: str, match: Match | None) -> int | None:
    [message_id] = await store(db, [Kept(arrival, kind, match)])
    return message_id


def _row(mail: Kept) -> Received:
    arrival, match = mail.arrival, mail.match
    reader, incoming = arrival.reader, arrival.incoming
    return Received(
        user_id=reader.user_id,
        mailbox_id=reader.mailbox_id,
        kind=mail.kind,
        stats_id=match.stats_id if match else uuid5(_NAMESPACE, f"{reader.mailbox_id}|{arrival.message_id}"),
        message_id=arrival.message_id,
        in_reply_to=incoming.in_reply_to[0] if incoming.in_reply_to else None,
        references=incoming.references,
        from_email=incoming.from_address or "",
        to_email=reader.address,
        cc=[each.address for each in incoming.cc if each.address.lower() != reader.address.lower()],
        subject=incoming.subject,
        html=incoming.html,
        text=incoming.text,
        raw=arrival.raw,
        at=arrival.sent_at,
        campaign_id=match.campaign_id if match else None,
        campaign_lead_id=match.campaign_lead_id if match else None,
        lead_id=match.lead_id if match else None,
        answers_id=match.id if match else None,
        is_reply_ignored=mail.is_ignored,
    )


def _files(incoming: Incoming) -> list[File]:
    return [
        File(each.name or "attachment", each.content_type, each.content, size=each.size, content_id=each.content_id)
        for each in incoming.attachments
    ]
