"""What the search of the inbox looks through: who the leads are, and the texts of conversations that have an answer.

Campaign mails to people who never wrote are not in it: they say what the steps say. Both have a trigram index.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from outrider.kit.db import Db, execute, fetch_dicts, fetch_one
from outrider.mail.text import html_to_text

_LONGEST_HTML = 100_000
_LONGEST_TEXT = 20_000
_MOST_HITS = 5_000  # what is found more often is no answer to a question, and costs seconds to count
_SHORTEST = 3  # a trigram


@dataclass(frozen=True, slots=True)
class Found:
    """Whose texts and who matches."""

    campaign_lead_ids: list[int]
    lead_ids: list[int]


async def find(db: Db, user_id: int, text: str) -> Found | None:
    """All conversations and leads with this in them; None: too many, or too short to be looked up."""
    if len(text) < _SHORTEST:
        return None
    # for this transaction: that a word may be anywhere is no reason to read everything
    await execute(db, "SET LOCAL enable_seqscan = off")
    found = await fetch_one(
        db,
        Found,
        """
        SELECT ARRAY(SELECT campaign_lead_id
                       FROM message_texts
                      WHERE user_id = %(user_id)s
                        AND text LIKE %(pattern)s
                      LIMIT %(limit)s) AS campaign_lead_ids,
               ARRAY(SELECT id
                       FROM leads
                      WHERE user_id = %(user_id)s
                        AND lower(email || ' ' || coalesce(first_name, '') || ' ' || coalesce(last_name, ''))
                            LIKE %(pattern)s
                      LIMIT %(limit)s) AS lead_ids
        """,
        {"user_id": user_id, "pattern": pattern(text), "limit": _MOST_HITS + 1},
    )
    if found is None or max(len(found.campaign_lead_ids), len(found.lead_ids)) > _MOST_HITS:
        return None
    return found


def pattern(text: str) -> str:
    """For LIKE on lower case; the signs that mean something there mean themselves."""
    literal = text.lower().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{literal}%"


async def add_texts(db: Db, user_id: int, campaign_lead_ids: Sequence[int]) -> None:
    """Add the mails of these conversations that are not in it yet."""
    mails = await fetch_dicts(
        db,
        """
        WITH mails AS (
            SELECT id, campaign_lead_id, subject
              FROM messages
             WHERE user_id = %(user_id)s
               AND campaign_lead_id = ANY(%(ids)s)
               AND step_id IS NOT NULL
               AND sent_at IS NOT NULL
             UNION ALL  -- each half has its own index
            SELECT id, campaign_lead_id, subject
              FROM messages
             WHERE user_id = %(user_id)s
               AND campaign_lead_id = ANY(%(ids)s)
               AND step_id IS NULL
               AND kind IN ('REPLY', 'AUTO_REPLY', 'MANUAL')
               AND sent_at IS NOT NULL
        )
        SELECT mails.id, mails.campaign_lead_id, mails.subject, body.html, body.text
          FROM mails
          LEFT JOIN message_bodies AS body ON body.message_id = mails.id
         WHERE NOT EXISTS (SELECT FROM message_texts WHERE message_texts.message_id = mails.id)
        """,
        {"user_id": user_id, "ids": list(campaign_lead_ids)},
    )
    if not mails:
        return
    await execute(
        db,
        """
        INSERT INTO message_texts (message_id, user_id, campaign_lead_id, text)
        SELECT id, %(user_id)s, campaign_lead_id, lower(text)
          FROM unnest(%(ids)s::bigint[], %(places)s::bigint[], %(texts)s::text[]) AS mail (id, campaign_lead_id, text)
            ON CONFLICT DO NOTHING
        """,
        {
            "user_id": user_id,
            "ids": [mail["id"] for mail in mails],
            "places": [mail["campaign_lead_id"] for mail in mails],
            "texts": [_searchable(mail["subject"], mail["text"], mail["html"]) for mail in mails],
        },
    )


def _searchable(subject: str | None, text: str | None, html: str | None) -> str:
    body = text if text is not None else html_to_text((html or "")[:_LONGEST_HTML])
    return f"{subject or ''}\n{body}"[:_LONGEST_TEXT]
