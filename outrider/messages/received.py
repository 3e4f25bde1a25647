"""Mail that came in, stored once: the row, its body, its bytes, its attachments."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from outrider.kit.db import Db, as_ids, as_records, execute, fetch_dicts
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


async def insert(db: Db, mails: Sequence[Received], *, now: datetime) -> list[int | None]:
    """Store mails; for each its id, None if its mailbox has had it before, whatever folder it is in now."""
    rows = await fetch_dicts(
        db,
        """
        WITH given AS MATERIALIZED (
            SELECT *
              FROM json_to_recordset(%(mails)s::json)
                   AS mail (user_id bigint, mailbox_id bigint, kind text, stats_id uuid, message_id text,
                            in_reply_to text, "references" text[], from_email text, to_email text, cc text[],
                            subject text, at timestamptz, campaign_id bigint, campaign_lead_id bigint, lead_id bigint,
                            answers_id bigint, is_reply_ignored boolean)
        )
        INSERT INTO messages (user_id, direction, kind, campaign_id, campaign_lead_id, lead_id, mailbox_id, stats_id,
                              message_id, in_reply_to, "references", answers_id, status, from_email, to_email, cc,
                              subject, sent_at, is_reply_ignored, created_at)
        SELECT user_id, 'IN', kind, campaign_id, campaign_lead_id, lead_id, mailbox_id, stats_id, message_id,
               in_reply_to, "references", answers_id, 'RECEIVED', from_email, to_email, cc, subject, at,
               is_reply_ignored, %(now)s
          FROM given
            ON CONFLICT DO NOTHING
        RETURNING id, mailbox_id, message_id
        """,
        {"mails": as_records([_head(mail) for mail in mails]), "now": now},
    )
    ids = {(row["mailbox_id"], row["message_id"]): row["id"] for row in rows}
    found: list[int | None] = [ids.pop((mail.mailbox_id, mail.message_id), None) for mail in mails]  # the first of two
    await _insert_contents(db, [(number, mail) for number, mail in zip(found, mails, strict=True) if number], now=now)
    return found


def _head(mail: Received) -> dict[str, Any]:
    left_out = {"html", "text", "raw"}
    return {each.name: getattr(mail, each.name) for each in fields(mail) if each.name not in left_out}


async def _insert_contents(db: Db, mails: Sequence[tuple[int, Received]], *, now: datetime) -> None:
    if not mails:
        return
    await execute(
        db,
        """
        WITH body AS (
            INSERT INTO message_bodies (message_id, html, text)
            SELECT id, html, text
              FROM json_to_recordset(%(bodies)s::json) AS given (id bigint, html text, text text)
        )
        INSERT INTO message_sources (message_id, raw, created_at)
        SELECT id, raw, %(now)s
          FROM unnest(%(ids)s::bigint[], %(raws)b::bytea[]) AS given (id, raw)
        """,
        {
            "bodies": as_records([{"id": number, "html": mail.html, "text": mail.text} for number, mail in mails]),
            "ids": as_ids(number for number, _ in mails),
            "raws": [mail.raw for _, mail in mails],
            "now": now,
        },
    )


async def insert_auto_replies(db: Db, answers: Sequence[tuple[int, int, AutoReply]]) -> None:
    """Keep what automatic answers say: account, row, answer."""
    if not answers:
        return
    rows = [
        {
            "user_id": user_id,
            "message_id": message_id,
            "kind": auto.kind,
            "evidence": auto.evidence,
            "returns_on": auto.return_date,
            "name": auto.replacement.name if auto.replacement else "",
            "email": auto.replacement.address if auto.replacement else None,
        }
        for user_id, message_id, auto in answers
    ]
    await execute(
        db,
        """
        INSERT INTO auto_replies (message_id, user_id, kind, evidence, returns_on, replacement_name, replacement_email)
        SELECT message_id, user_id, kind, evidence, returns_on, name, email
          FROM json_to_recordset(%(rows)s::json)
               AS given (message_id bigint, user_id bigint, kind text, evidence text, returns_on date, name text,
                         email text)
            ON CONFLICT DO NOTHING  -- of an untracked reply it was known already
        """,
        {"rows": as_records(rows)},
    )


async def attach(
    db: Db,
    user_id: int,
    message_id: int,
    *,
    kind: str,
    stats_id: UUID,
    campaign_id: int,
    campaign_lead_id: int,
    lead_id: int,
    answers_id: int,
    is_reply_ignored: bool,
) -> None:
    """Let an untracked reply be an answer to a mail of ours."""
    await execute(
        db,
        """
        UPDATE messages
           SET kind = %(kind)s, stats_id = %(stats_id)s, campaign_id = %(campaign_id)s,
               campaign_lead_id = %(campaign_lead_id)s, lead_id = %(lead_id)s, answers_id = %(answers_id)s,
               is_reply_ignored = %(is_reply_ignored)s
         WHERE user_id = %(user_id)s
           AND id = %(id)s
           AND kind = 'UNTRACKED'
        """,
        {
            "user_id": user_id,
            "id": message_id,
            "kind": kind,
            "stats_id": stats_id,
            "campaign_id": campaign_id,
            "campaign_lead_id": campaign_lead_id,
            "lead_id": lead_id,
            "answers_id": answers_id,
            "is_reply_ignored": is_reply_ignored,
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
