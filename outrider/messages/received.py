"""Mail that came in, stored once: the row, its body, its bytes, its attachments."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from outrider.kit.db import Db, execute, fetch_value
from outrider.mail.autoreply import AutoReply

_TOKEN_BYTES = 16


@dataclass(frozen=True, slots=True)
class Received:
    """A mail as it is kept. `kind`: REPLY, AUTO_REPLY, BOUNCE, COMPLAINT or UNTRACKED.

    Lead and thread only where it has one.
    """

    user_id: int
    mailbox_id: int
    kind: str
    stats_id: UUID
    message_id: str
    in_reply_to: str | None
    references: Sequence[str]
    from_email: str
    to_email: str
    cc: Sequence[str]
    subject: str
    html: str | None
    text: str | None
    raw: bytes
    at: datetime
    campaign_id: int | None = None
    campaign_lead_id: int | None = None
    lead_id: int | None = None
    answers_id: int | None = None
    is_reply_ignored: bool = False


@dataclass(frozen=True, slots=True)
class File:
    """An attachment. Without content: one that is beyond the bounds (`mail.body`), its size is told."""

    name: str
    type: str
    content: bytes | None
    size: int = 0
    content_id: str | None = None


async def insert(db: Db, mail: Received, *, now: datetime) -> int | None:
    """Store a mail; None if this mailbox has had it before, whatever folder it is in now."""
    message_id: int | None = await fetch_value(
        db,
        """
        INSERT INTO messages (user_id, direction, kind, campaign_id, campaign_lead_id, lead_id, mailbox_id, stats_id,
                              message_id, in_reply_to, "references", answers_id, status, from_email, to_email, cc,
                              subject, sent_at, is_reply_ignored, created_at)
        VALUES (%(user_id)s, 'IN', %(kind)s, %(campaign_id)s, %(campaign_lead_id)s, %(lead_id)s, %(mailbox_id)s,
                %(stats_id)s, %(message_id)s, %(in_reply_to)s, %(references)s, %(answers_id)s, 'RECEIVED',
                %(from_email)s, %(to_email)s, %(cc)s, %(subject)s, %(at)s, %(is_reply_ignored)s, %(now)s)
            ON CONFLICT DO NOTHING
        RETURNING id
        """,
        {
            "user_id": mail.user_id,
            "kind": mail.kind,
            "campaign_id": mail.campaign_id,
            "campaign_lead_id": mail.campaign_lead_id,
            "lead_id": mail.lead_id,
            "mailbox_id": mail.mailbox_id,
            "stats_id": mail.stats_id,
            "message_id": mail.message_id,
            "in_reply_to": mail.in_reply_to,
            "references": list(mail.references),
            "answers_id": mail.answers_id,
            "from_email": mail.from_email,
            "to_email": mail.to_email,
            "cc": list(mail.cc),
            "subject": mail.subject,
            "at": mail.at,
            "is_reply_ignored": mail.is_reply_ignored,
            "now": now,
        },
    )
    if message_id is None:
        return None
    await execute(
        db,
        """
        WITH body AS (
            INSERT INTO message_bodies (message_id, html, text) VALUES (%(id)s, %(html)s, %(text)s)
        )
        INSERT INTO message_sources (message_id, raw, created_at) VALUES (%(id)s, %(raw)s, %(now)s)
        """,
        {"id": message_id, "html": mail.html, "text": mail.text, "raw": mail.raw, "now": now},
    )
    return message_id


async def insert_auto_reply(db: Db, user_id: int, message_id: int, auto: AutoReply) -> None:
    """Keep what an automatic answer says."""
    person = auto.replacement
    await execute(
        db,
        """
        INSERT INTO auto_replies (message_id, user_id, kind, evidence, returns_on, replacement_name, replacement_email)
        VALUES (%(message_id)s, %(user_id)s, %(kind)s, %(evidence)s, %(returns_on)s, %(name)s, %(email)s)
        """,
        {
            "message_id": message_id,
            "user_id": user_id,
            "kind": auto.kind,
            "evidence": auto.evidence,
            "returns_on": auto.return_date,
            "name": person.name if person else "",
            "email": person.address if person else None,
        },
    )


async def insert_files(db: Db, user_id: int, message_id: int, files: Sequence[File]) -> None:
    """Keep attachments under names nobody can guess (decision 49)."""
    if not files:
        return
    await execute(
        db,
        """
        INSERT INTO attachments (user_id, message_id, token, name, type, size, content, content_id)
        SELECT %(user_id)s, %(message_id)s, token, name, type, coalesce(length(content), size), content, content_id
          FROM unnest(%(tokens)s::text[], %(names)s::text[], %(types)s::text[], %(sizes)s::integer[],
                      %(contents)s::bytea[], %(content_ids)s::text[])
               AS file (token, name, type, size, content, content_id)
        """,
        {
            "user_id": user_id,
            "message_id": message_id,
            "tokens": [secrets.token_urlsafe(_TOKEN_BYTES) for _ in files],
            "names": [file.name for file in files],
            "types": [file.type for file in files],
            "sizes": [file.size for file in files],
            "contents": [file.content for file in files],
            "content_ids": [file.content_id for file in files],
        },
    )
