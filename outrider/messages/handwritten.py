"""Mails that people write, answers and forwards: from the request to the outcome, at most once.

The same promise as the ledger's, for mails that are no step of a sequence and wait for no window. A mail is WAITING
until it is due, then HANDING_OVER: marked and committed by the engine that holds its mailbox, before the server hears
of it. What was surely not taken waits again; what an engine that died was handing over is in doubt and never sent again
by itself (decisions 26 and 27).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from outrider.kit.db import Db, execute, fetch_all, fetch_dict, fetch_dicts, fetch_value


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A mail as it is going to leave. `kind`: MANUAL, an answer in the conversation, or FORWARD, to somebody else."""

    user_id: int
    kind: str
    campaign_id: int
    campaign_lead_id: int
    lead_id: int
    mailbox_id: int
    stats_id: UUID
    message_id: str
    from_email: str
    to_email: str
    subject: str
    html: str
    to_name: str = ""
    more_to: Sequence[str] = ()
    cc: Sequence[str] = ()
    bcc: Sequence[str] = ()
    in_reply_to: str | None = None
    references: Sequence[str] = ()
    scheduled_at: datetime | None = None
    schedule_condition: str | None = None
    is_dropped_by_reply: bool = False


async def insert(db: Db, draft: Draft, *, now: datetime) -> int:
    """Keep a mail, WAITING; returns its row."""
    message_id: int = await fetch_value(
        db,
        """
        INSERT INTO messages (user_id, direction, kind, campaign_id, campaign_lead_id, lead_id, mailbox_id, stats_id,
                              message_id, in_reply_to, "references", status, from_email, to_email, cc, subject,
                              created_at)
        VALUES (%(user_id)s, 'OUT', %(kind)s, %(campaign_id)s, %(campaign_lead_id)s, %(lead_id)s, %(mailbox_id)s,
                %(stats_id)s, %(message_id)s, %(in_reply_to)s, %(references)s, 'QUEUED', %(from_email)s, %(to_email)s,
                %(cc)s, %(subject)s, %(now)s)
        RETURNING id
        """,
        {
            "user_id": draft.user_id,
            "kind": draft.kind,
            "campaign_id": draft.campaign_id,
            "campaign_lead_id": draft.campaign_lead_id,
            "lead_id": draft.lead_id,
            "mailbox_id": draft.mailbox_id,
            "stats_id": draft.stats_id,
            "message_id": draft.message_id,
            "in_reply_to": draft.in_reply_to,
            "references": list(draft.references) or None,
            "from_email": draft.from_email,
            "to_email": draft.to_email,
            "cc": list(draft.cc),
            "subject": draft.subject,
            "now": now,
        },
    )
    await execute(
        db,
        """
        WITH body AS (
            INSERT INTO message_bodies (message_id, html) VALUES (%(id)s, %(html)s)
        )
        INSERT INTO handwritten_mails (message_id, user_id, campaign_lead_id, mailbox_id, to_name, more_to, bcc, state,
                                       scheduled_at, due_at, schedule_condition, is_dropped_by_reply)
        VALUES (%(id)s, %(user_id)s, %(campaign_lead_id)s, %(mailbox_id)s, %(to_name)s, %(more_to)s, %(bcc)s, 'WAITING',
                %(scheduled_at)s, %(due_at)s, %(schedule_condition)s, %(is_dropped_by_reply)s)
        """,
        {
            "id": message_id,
            "html": draft.html,
            "user_id": draft.user_id,
            "campaign_lead_id": draft.campaign_lead_id,
            "mailbox_id": draft.mailbox_id,
            "to_name": draft.to_name,
            "more_to": list(draft.more_to),
            "bcc": list(draft.bcc),
            "scheduled_at": draft.scheduled_at,
            "due_at": draft.scheduled_at or now,
            "schedule_condition": draft.schedule_condition,
            "is_dropped_by_reply": draft.is_dropped_by_reply,
        },
    )
    return message_id


async def copy_files(db: Db, user_id: int, source_id: int, message_id: int, tokens: Sequence[str]) -> None:
    """Let a forwarded mail have the attachments of the one it shows."""
    await execute(
        db,
        """
        INSERT INTO attachments (user_id, message_id, token, name, type, size, content, content_id)
        SELECT file.user_id, %(message_id)s, given.token, file.name, file.type, file.size, file.content, file.content_id
          FROM (SELECT user_id, name, type, size, content, content_id, row_number() OVER (ORDER BY id) AS number
                  FROM attachments
                 WHERE user_id = %(user_id)s
                   AND message_id = %(source_id)s) AS file
          JOIN unnest(%(tokens)s::text[]) WITH ORDINALITY AS given (token, number) USING (number)
        """,
        {"user_id": user_id, "source_id": source_id, "message_id": message_id, "tokens": list(tokens)},
    )


@dataclass(frozen=True, slots=True)
class Due:
    """A mail that is being handed over, for the `attempt_count`-th time since `first_tried_at`."""

    id: int
    user_id: int
    kind: str
    campaign_id: int
    campaign_lead_id: int
    mailbox_id: int
    mailbox_updated_at: datetime
    message_id: str
    to_email: str
    to_name: str
    more_to: list[str]
    cc: list[str]
    bcc: list[str]
    subject: str
    html: str
    in_reply_to: str | None
    references: list[str]
    attempt_count: int
    first_tried_at: datetime


async def claim_due(db: Db, engine_id: UUID, now: datetime, *, limit: int) -> list[Due]:
    """Mark what is due in this engine's mailboxes as being handed over; a mailbox that cannot send keeps its mails."""
    return await fetch_all(
        db,
        Due,
        """
        WITH due AS (
            SELECT h.message_id
              FROM handwritten_mails AS h
              JOIN mailbox_leases AS lease ON lease.mailbox_id = h.mailbox_id AND lease.engine_id = %(engine_id)s
              JOIN mailboxes AS box ON box.id = h.mailbox_id
              LEFT JOIN mailbox_states AS s ON s.mailbox_id = h.mailbox_id
             WHERE h.state = 'WAITING'
               AND h.due_at <= %(now)s
               AND box.deleted_at IS NULL
               AND box.is_smtp_success
               AND NOT box.is_suspended
               AND (s.backoff_until IS NULL OR s.backoff_until <= %(now)s)
             ORDER BY h.due_at, h.message_id
             LIMIT %(limit)s
               FOR UPDATE OF h SKIP LOCKED
        ), handed AS (
            UPDATE handwritten_mails AS h
               SET state = 'HANDING_OVER',
                   engine_id = %(engine_id)s,
                   attempt_count = attempt_count + 1,
                   first_tried_at = coalesce(first_tried_at, %(now)s)
              FROM due
             WHERE h.message_id = due.message_id
            RETURNING h.*
        ), marked AS (
            UPDATE messages AS m
               SET claimed_at = %(now)s
              FROM handed
             WHERE m.id = handed.message_id
        )
        SELECT m.id, m.user_id, m.kind, m.campaign_id, m.campaign_lead_id, m.mailbox_id,
               box.updated_at AS mailbox_updated_at, m.message_id, m.to_email, handed.to_name, handed.more_to, m.cc,
               handed.bcc, m.subject, body.html, m.in_reply_to, coalesce(m."references", '{}') AS "references",
               handed.attempt_count, handed.first_tried_at
          FROM handed
          JOIN messages AS m ON m.id = handed.message_id
          JOIN message_bodies AS body ON body.message_id = m.id
          JOIN mailboxes AS box ON box.id = m.mailbox_id
         ORDER BY m.id
        """,
        {"engine_id": engine_id, "now": now, "limit": limit},
    )


async def list_files(db: Db, message_id: int) -> list[dict[str, Any]]:
    """Name, type and content of a mail's attachments, in their order."""
    return await fetch_dicts(
        db,
        "SELECT name, type, content FROM attachments WHERE message_id = %(id)s AND content IS NOT NULL ORDER BY id",
        {"id": message_id},
    )


async def end(
    db: Db,
    message_id: int,
    *,
    attempt: int,
    status: str,
    at: datetime,
    reply_code: int | None = None,
    enhanced_code: str | None = None,
    reply_text: str | None = None,
) -> bool:
    """Close a mail as SENT, FAILED or UNKNOWN; False if somebody else has settled that attempt meanwhile."""
    changed = await execute(
        db,
        """
        WITH ended AS (
            UPDATE handwritten_mails
               SET state = 'ENDED', ended_at = %(at)s
             WHERE message_id = %(id)s
               AND state = 'HANDING_OVER'
               AND attempt_count = %(attempt)s
            RETURNING message_id, attempt_count
        )
        UPDATE messages AS m
           SET status = %(status)s,
               is_doubtful = %(status)s = 'UNKNOWN',
               sent_at = CASE WHEN %(status)s = 'SENT' THEN %(at)s::timestamptz END,
               attempt_count = ended.attempt_count,
               reply_code = %(reply_code)s,
               enhanced_code = %(enhanced_code)s,
               reply_text = %(reply_text)s
          FROM ended
         WHERE m.id = ended.message_id
        """,
        {
            "id": message_id,
            "attempt": attempt,
            "status": status,
            "at": at,
            "reply_code": reply_code,
            "enhanced_code": enhanced_code,
            "reply_text": reply_text,
        },
    )
    return changed == 1


async def put_off(
    db: Db, message_id: int, *, attempt: int, due_at: datetime, reply_text: str, is_for_mail: bool
) -> bool:
    """A mail that was surely not taken waits again; False if somebody else has settled that attempt meanwhile.

    `is_for_mail`: the day that it is tried for runs; not if it was the mailbox that was refused.
    """
    changed = await execute(
        db,
        """
        WITH waiting AS (
            UPDATE handwritten_mails
               SET state = 'WAITING',
                   due_at = %(due_at)s,
                   first_tried_at = CASE WHEN %(is_for_mail)s THEN first_tried_at END
             WHERE message_id = %(id)s
               AND state = 'HANDING_OVER'
               AND attempt_count = %(attempt)s
            RETURNING message_id
        )
        UPDATE messages AS m
           SET reply_text = %(reply_text)s
          FROM waiting
         WHERE m.id = waiting.message_id
        """,
        {
            "id": message_id,
            "attempt": attempt,
            "due_at": due_at,
            "reply_text": reply_text,
            "is_for_mail": is_for_mail,
        },
    )
    return changed == 1


async def leave_in_doubt(db: Db, engine_id: UUID, now: datetime) -> None:
    """What another engine was handing over in mailboxes that this one holds now, or in deleted ones, is in doubt."""
    await execute(
        db,
        """
        WITH stranded AS (
            SELECT h.message_id
              FROM handwritten_mails AS h
              JOIN mailboxes AS box ON box.id = h.mailbox_id
              LEFT JOIN mailbox_leases AS lease ON lease.mailbox_id = h.mailbox_id
             WHERE h.state = 'HANDING_OVER'
               AND h.engine_id <> %(engine_id)s
               AND (lease.engine_id = %(engine_id)s OR (lease.engine_id IS NULL AND box.deleted_at IS NOT NULL))
               FOR UPDATE OF h
        ), ended AS (
            UPDATE handwritten_mails AS h
               SET state = 'ENDED', ended_at = %(now)s
              FROM stranded
             WHERE h.message_id = stranded.message_id
            RETURNING h.message_id, h.attempt_count
        )
        UPDATE messages AS m
           SET status = 'UNKNOWN', is_doubtful = true, attempt_count = ended.attempt_count
          FROM ended
         WHERE m.id = ended.message_id
        """,
        {"engine_id": engine_id, "now": now},
    )


async def cancel_of(
    db: Db, user_id: int, campaign_lead_ids: Sequence[int], *, only_if_answered: bool, now: datetime
) -> None:
    """All that still wait, or those that were only to go if the lead does not write first."""
    await execute(
        db,
        """
        UPDATE handwritten_mails
           SET state = 'CANCELLED', ended_at = %(now)s
         WHERE user_id = %(user_id)s
           AND campaign_lead_id = ANY(%(ids)s)
           AND state = 'WAITING'
           AND (is_dropped_by_reply OR NOT %(only_if_answered)s)
        """,
        {"user_id": user_id, "ids": list(campaign_lead_ids), "only_if_answered": only_if_answered, "now": now},
    )


async def cancel(db: Db, user_id: int, message_id: int, *, client_id: int | None, now: datetime) -> bool:
    """Take back a mail that is to go later; False if there is none, or it is on its way."""
    changed = await execute(
        db,
        """
        UPDATE handwritten_mails AS h
           SET state = 'CANCELLED', ended_at = %(now)s
         WHERE h.user_id = %(user_id)s
           AND h.message_id = %(id)s
           AND h.state = 'WAITING'
           AND h.scheduled_at IS NOT NULL
           AND (%(client_id)s::bigint IS NULL
                OR EXISTS (SELECT
                             FROM messages AS m
                             JOIN campaigns ON campaigns.id = m.campaign_id
                            WHERE m.id = h.message_id
                              AND campaigns.client_id = %(client_id)s))
        """,
        {"user_id": user_id, "id": message_id, "client_id": client_id, "now": now},
    )
    return changed == 1


async def find_by_message_id(db: Db, user_id: int, message_id: str, *, client_id: int | None) -> dict[str, Any] | None:
    """What became of a mail, by the Message-ID it was given."""
    return await fetch_dict(
        db,
        """
        SELECT m.message_id, m.stats_id, m.status, m.reply_text, h.state, h.scheduled_at, h.attempt_count, h.ended_at,
               h.is_dropped_by_reply
          FROM messages AS m
          JOIN handwritten_mails AS h ON h.message_id = m.id
          JOIN campaigns ON campaigns.id = m.campaign_id
         WHERE m.user_id = %(user_id)s
           AND m.message_id = %(message_id)s
           AND m.step_id IS NULL
           AND (%(client_id)s::bigint IS NULL OR campaigns.client_id = %(client_id)s)
        """,
        {"user_id": user_id, "message_id": message_id, "client_id": client_id},
    )
