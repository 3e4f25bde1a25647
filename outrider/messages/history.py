"""The conversation with a lead in a campaign: what was sent and what came back, oldest first."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from outrider.kit.db import Db, fetch_all, fetch_value


@dataclass(frozen=True, slots=True)
class HistoryItem:
    """A mail of a conversation. `step_number`: of the mail itself, of a reply that of the mail it answers.

    `clicked_urls` and `attachments` (token, name, type, size, content_id, is_kept) are in the order in which they came.
    `auto_reply` (kind, return_date, replacement) is what a program said that answered.
    """

    id: int
    campaign_lead_id: int
    direction: str
    stats_id: UUID
    message_id: str | None
    from_email: str
    to_email: str
    cc: list[str]
    subject: str | None
    html: str | None
    text: str | None
    step_number: int | None
    sent_at: datetime
    open_count: int
    click_count: int
    clicked_urls: list[str]
    attachments: list[dict[str, Any]]
    auto_reply: dict[str, Any] | None

    @property
    def is_reply(self) -> bool:
        return self.direction == "IN"


async def list_history(
    db: Db, user_id: int, campaign_lead_ids: Sequence[int], *, after: datetime | None = None
) -> list[HistoryItem]:
    """Mails that left (or were refused at once), replies, automatic answers and bounce notices; no test mails, and
    no forwards, which are to others.
    """
    return await fetch_all(
        db,
        HistoryItem,
        """
        WITH mails AS (
            SELECT id, campaign_lead_id, direction, stats_id, message_id, from_email, to_email, cc, subject,
                   step_number, answers_id, sent_at, open_count, click_count
              FROM messages
             WHERE user_id = %(user_id)s
               AND campaign_lead_id = ANY(%(campaign_lead_ids)s)
               AND step_id IS NOT NULL
               AND sent_at IS NOT NULL
             UNION ALL  -- each half has its own index
            SELECT id, campaign_lead_id, direction, stats_id, message_id, from_email, to_email, cc, subject,
                   step_number, answers_id, sent_at, open_count, click_count
              FROM messages
             WHERE user_id = %(user_id)s
               AND campaign_lead_id = ANY(%(campaign_lead_ids)s)
               AND step_id IS NULL
               AND kind NOT IN ('TEST', 'FORWARD')
               AND sent_at IS NOT NULL
        )
        SELECT mails.id, mails.campaign_lead_id, mails.direction, mails.stats_id, mails.message_id, mails.from_email,
               mails.to_email, mails.cc, mails.subject, body.html, body.text,
               CASE WHEN mails.direction = 'IN' THEN answered.step_number ELSE mails.step_number END AS step_number,
               mails.sent_at, mails.open_count, mails.click_count,
               ARRAY(SELECT event.details ->> 'url'
                       FROM message_events AS event
                      WHERE event.message_id = mails.id
                        AND event.type = 'CLICKED'
                        AND event.details ? 'url'
                      GROUP BY event.details ->> 'url'
                      ORDER BY min(event.id)) AS clicked_urls,
               ARRAY(SELECT jsonb_build_object('token', file.token, 'name', file.name, 'type', file.type,
                                               'size', file.size, 'content_id', file.content_id,
                                               'is_kept', file.content IS NOT NULL)
                       FROM attachments AS file
                      WHERE file.message_id = mails.id
                      ORDER BY file.id) AS attachments,
               CASE WHEN auto.message_id IS NOT NULL THEN jsonb_build_object(
                    'kind', auto.kind,
                    'return_date', auto.returns_on,
                    'replacement', CASE WHEN auto.replacement_email IS NOT NULL THEN jsonb_build_object(
                         'name', auto.replacement_name, 'email', auto.replacement_email) END)
               END AS auto_reply
          FROM mails
          LEFT JOIN auto_replies AS auto ON auto.message_id = mails.id
          LEFT JOIN message_bodies AS body ON body.message_id = mails.id
          LEFT JOIN messages AS answered ON answered.id = mails.answers_id
         WHERE (%(after)s::timestamptz IS NULL OR mails.sent_at > %(after)s)
         ORDER BY mails.sent_at, mails.id
        """,
        {"user_id": user_id, "campaign_lead_ids": list(campaign_lead_ids), "after": after},
    )


@dataclass(frozen=True, slots=True)
class SentStep:
    """A mail of the sequence, sent or on its way."""

    step_id: int
    status: str
    sent_at: datetime | None
    bounce_reason: str | None
    reply_text: str | None
    retry_at: datetime | None


async def list_steps(
    db: Db, user_id: int, campaign_lead_id: int, *, campaign_id: int | None, client_id: int | None
) -> list[SentStep] | None:
    """The mails of the sequence that a lead has got or is getting, oldest first; None if there is no such place."""
    found = await fetch_value(
        db,
        """
        SELECT m.id
          FROM campaign_leads AS m
          JOIN campaigns ON campaigns.id = m.campaign_id
         WHERE m.user_id = %(user_id)s
           AND m.id = %(id)s
           AND (%(campaign_id)s::bigint IS NULL OR m.campaign_id = %(campaign_id)s)
           AND (%(client_id)s::bigint IS NULL OR campaigns.client_id = %(client_id)s)
        """,
        {"user_id": user_id, "id": campaign_lead_id, "campaign_id": campaign_id, "client_id": client_id},
    )
    if found is None:
        return None
    return await fetch_all(
        db,
        SentStep,
        """
        SELECT mail.step_id, mail.status, mail.sent_at, mail.bounce_reason, mail.reply_text, dispatches.retry_at
          FROM messages AS mail
          LEFT JOIN dispatches ON dispatches.message_id = mail.id
         WHERE mail.user_id = %(user_id)s
           AND mail.campaign_lead_id = %(id)s
           AND mail.step_id IS NOT NULL
         ORDER BY coalesce(mail.sent_at, mail.created_at), mail.id
        """,
        {"user_id": user_id, "id": campaign_lead_id},
    )


@dataclass(frozen=True, slots=True)
class Place:
    """A lead in a campaign, and under which address it is written to."""

    id: int
    lead_id: int
    email: str


async def list_places(db: Db, user_id: int, campaign_id: int, lead_ids: Sequence[int] | None) -> list[Place]:
    """These leads in a campaign, or all its leads."""
    return await fetch_all(
        db,
        Place,
        """
        SELECT m.id, m.lead_id, leads.email
          FROM campaign_leads AS m
          JOIN leads ON leads.id = m.lead_id
         WHERE m.user_id = %(user_id)s
           AND m.campaign_id = %(campaign_id)s
           AND (%(lead_ids)s::bigint[] IS NULL OR m.lead_id = ANY(%(lead_ids)s))
         ORDER BY m.id
        """,
        {"user_id": user_id, "campaign_id": campaign_id, "lead_ids": None if lead_ids is None else list(lead_ids)},
    )
