"""A mail that has come, and the row it is kept in."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import UUID, uuid5

from outrider.engine.inbound.matching import Match
from outrider.kit.db import Db
from outrider.mail.parse import Incoming
from outrider.messages import received
from outrider.messages.received import File, Received

_BELIEVED_DATE = timedelta(hours=24)
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

    @property
    def sent_at(self) -> datetime:
        """The mail's own date if it is within a day of its arrival, never later than that."""
        date = self.incoming.date
        return min(date, self.now) if date and abs(date - self.now) <= _BELIEVED_DATE else self.now


async def store(db: Db, arrival: Arrival, kind: str, match: Match | None, *, is_ignored: bool = False) -> int | None:
    """Keep a mail with its attachments; None if this mailbox has had it before."""
    message_id = await received.insert(db, _row(arrival, kind, match, is_ignored=is_ignored), now=arrival.now)
    if message_id is not None:
        await received.insert_files(db, arrival.reader.user_id, message_id, _files(arrival.incoming))
    return message_id


def _row(arrival: Arrival, kind: str, match: Match | None, *, is_ignored: bool) -> Received:
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
        at=arrival.sent_at,
        campaign_id=match.campaign_id if match else None,
        campaign_lead_id=match.campaign_lead_id if match else None,
        lead_id=match.lead_id if match else None,
        answers_id=match.id if match else None,
        is_reply_ignored=is_ignored,
    )


def _files(incoming: Incoming) -> list[File]:
    return [
        File(each.name or "attachment", each.content_type, each.content, size=each.size, content_id=each.content_id)
        for each in incoming.attachments
    ]
