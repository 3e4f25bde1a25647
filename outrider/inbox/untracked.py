"""Replies that belong to no lead (contract: master-inbox, Fetch Untracked Replies)."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from outrider.kit.db import Db, fetch_dicts, fetch_value

_OF_SCOPE = """
        m.user_id = %(user_id)s
        AND m.kind = 'UNTRACKED'
        AND (%(scope)s::bigint IS NULL
             OR m.mailbox_id IN (SELECT id FROM mailboxes WHERE user_id = %(user_id)s AND client_id = %(scope)s))
"""
_WHERE = f"""
        {_OF_SCOPE}
        AND (%(from_email)s::text IS NULL OR lower(m.from_email) = lower(%(from_email)s))
        AND (%(to_email)s::text IS NULL OR lower(m.to_email) = lower(%(to_email)s))
        AND (%(subject)s::text IS NULL OR strpos(lower(m.subject), lower(%(subject)s)) > 0)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class UntrackedFilter:
    from_email: str | None = None
    to_email: str | None = None
    subject: str | None = None


async def list_untracked(
    db: Db, user_id: int, given: UntrackedFilter, *, scope: int | None, offset: int, limit: int
) -> tuple[int, list[dict[str, Any]]]:
    """How many there are, and the page, newest first; bodies and attachments come along."""
    params = {
        "user_id": user_id,
        "scope": scope,
        "from_email": given.from_email,
        "to_email": given.to_email,
        "subject": given.subject,
        "offset": offset,
        "limit": limit,
    }
    total: int = await fetch_value(db, f"SELECT count(*) FROM messages AS m WHERE {_WHERE}", params)  # noqa: S608 - a constant
    rows = await fetch_dicts(
        db,
        f"""
        SELECT page.*, body.html, body.text,
               ARRAY(SELECT jsonb_build_object('id', file.id, 'token', file.token, 'name', file.name,
                                               'type', file.type, 'size', file.size,
                                               'is_kept', file.content IS NOT NULL)
                       FROM attachments AS file
                      WHERE file.message_id = page.id
                      ORDER BY file.id) AS attachments
          FROM (SELECT m.id, m.stats_id, m.mailbox_id, m.message_id, m.from_email, m.to_email, m.cc, m.subject,
                       m.is_read, m.created_at
                  FROM messages AS m
                 WHERE {_WHERE}
                 ORDER BY m.id DESC
                OFFSET %(offset)s
                 LIMIT %(limit)s) AS page
          LEFT JOIN message_bodies AS body ON body.message_id = page.id
         ORDER BY page.id DESC
        """,  # noqa: S608 - a constant
        params,
    )
    return total, rows


async def is_visible(db: Db, user_id: int, reply_id: UUID, *, scope: int | None) -> bool:
    """Whether this untracked reply came to a mailbox that whoever asks may know."""
    params = {"user_id": user_id, "scope": scope, "reply_id": reply_id}
    return bool(
        await fetch_value(
            db,
            f"""
            SELECT EXISTS (SELECT FROM messages AS m WHERE {_OF_SCOPE} AND m.stats_id = %(reply_id)s)
            """,  # noqa: S608 - a constant
            params,
        )
    )
