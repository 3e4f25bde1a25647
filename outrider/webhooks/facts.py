"""What payloads are made of, read for all events of a batch at once. Only reads; no query per event."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from outrider.kit.db import Db, fetch_all, fetch_dicts

_HEAD_BYTES = 100_000


@dataclass(frozen=True, slots=True)
class CampaignFacts:
    campaign_id: int
    campaign_name: str
    campaign_status: str
    client_id: int | None


@dataclass(frozen=True, slots=True)
class LeadFacts(CampaignFacts):
    campaign_lead_id: int
    lead_id: int
    lead_email: str
    first_name: str | None
    last_name: str | None

    @property
    def full_name(self) -> str:
        return " ".join(name for name in (self.first_name, self.last_name) if name)


@dataclass(frozen=True, slots=True)
class MailFacts(LeadFacts):
    """A mail that was sent, and its lead."""

    id: int
    kind: str
    stats_id: UUID
    message_id: str | None
    from_email: str
    step_number: int
    subject: str
    sent_at: datetime
    html: str | None
    text: str | None
    bounce_kind: str | None
    bounce_reason: str | None
    bounced_at: datetime | None
    reply_text: str | None
    waits_for_category: bool
    """A reply may be categorised automatically in a moment, and has not been yet."""


@dataclass(frozen=True, slots=True)
class PersonFacts(LeadFacts):
    """All that is stored of a lead in a campaign."""

    phone_number: str | None
    company_name: str | None
    website: str | None
    location: str | None
    linkedin_profile: str | None
    company_url: str | None
    custom_fields: dict[str, Any]
    unsubscribed_client_ids: list[int]
    category_id: int | None
    last_step_number: int
    from_email: str
    last_mail_id: int | None


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail that was received, or one of a thread; `at`: when it was sent, or says that it was."""

    id: int
    campaign_lead_id: int | None
    direction: str
    stats_id: UUID
    message_id: str | None
    from_email: str
    to_email: str
    cc: list[str]
    subject: str | None
    at: datetime
    html: str | None
    text: str | None


@dataclass(frozen=True, slots=True)
class MailboxFacts:
    id: int
    client_id: int | None
    type: str
    from_name: str
    from_email: str
    is_smtp_success: bool
    is_imap_success: bool
    smtp_failure_error: str | None
    imap_failure_error: str | None


@dataclass(frozen=True, slots=True)
class StepFacts:
    id: int
    type: str
    subject: str


@dataclass(frozen=True, slots=True)
class CategoryFacts:
    id: int
    name: str
    sentiment_type: str | None


async def list_mails(db: Db, user_ids: Collection[int], message_ids: Collection[int]) -> dict[int, MailFacts]:
    """By row id. The lead's address is the one it has now; a lead that was deleted keeps the mail's."""
    found = await fetch_all(
        db,
        MailFacts,
        """
        SELECT messages.id, messages.kind, messages.stats_id, messages.message_id, messages.from_email,
               coalesce(messages.step_number, campaign_leads.last_step_number, 0) AS step_number,
               coalesce(messages.subject, '') AS subject,
               coalesce(messages.sent_at, messages.claimed_at, messages.created_at) AS sent_at,
               message_bodies.html, message_bodies.text, messages.bounce_kind, messages.bounce_reason,
               messages.bounced_at, messages.reply_text,
               campaigns.id AS campaign_id, campaigns.name AS campaign_name, campaigns.status AS campaign_status,
               campaigns.client_id, messages.campaign_lead_id, messages.lead_id,
               coalesce(leads.email, messages.to_email) AS lead_email, leads.first_name, leads.last_name,
               campaign_leads.category_id IS NULL AND campaigns.ai_categorisation_options <> '{}' AS waits_for_category
        FROM messages
        JOIN campaigns ON campaigns.id = messages.campaign_id
        LEFT JOIN message_bodies ON message_bodies.message_id = messages.id
        LEFT JOIN campaign_leads ON campaign_leads.id = messages.campaign_lead_id
        LEFT JOIN leads ON leads.id = messages.lead_id
        WHERE messages.user_id = ANY(%(user_ids)s)
          AND messages.id = ANY(%(ids)s)
          AND messages.direction = 'OUT'
        """,
        {"user_ids": list(user_ids), "ids": list(message_ids)},
    )
    return {mail.id: mail for mail in found}


async def list_people(db: Db, user_ids: Collection[int], campaign_lead_ids: Collection[int]) -> dict[int, PersonFacts]:
    """By campaign lead."""
    found = await fetch_all(
        db,
        PersonFacts,
        """
        SELECT campaigns.id AS campaign_id, campaigns.name AS campaign_name, campaigns.status AS campaign_status,
               campaigns.client_id, campaign_leads.id AS campaign_lead_id, leads.id AS lead_id,
               leads.email AS lead_email, leads.first_name, leads.last_name, leads.phone_number, leads.company_name,
               leads.website, leads.location, leads.linkedin_profile, leads.company_url, leads.custom_fields,
               leads.unsubscribed_client_ids, campaign_leads.category_id, campaign_leads.last_step_number,
               coalesce(mailboxes.from_email, last_mail.from_email, '') AS from_email, last_mail.id AS last_mail_id
        FROM campaign_leads
        JOIN campaigns ON campaigns.id = campaign_leads.campaign_id
        JOIN leads ON leads.id = campaign_leads.lead_id
        LEFT JOIN mailboxes ON mailboxes.id = campaign_leads.mailbox_id
        LEFT JOIN LATERAL (
            SELECT messages.id, messages.from_email
            FROM messages
            WHERE messages.campaign_lead_id = campaign_leads.id
              AND messages.step_id IS NOT NULL
              AND messages.sent_at IS NOT NULL
            ORDER BY messages.sent_at DESC, messages.id DESC
            LIMIT 1
        ) AS last_mail ON true
        WHERE campaign_leads.user_id = ANY(%(user_ids)s)
          AND campaign_leads.id = ANY(%(ids)s)
        """,
        {"user_ids": list(user_ids), "ids": list(campaign_lead_ids)},
    )
    return {person.campaign_lead_id: person for person in found}


async def list_campaigns(db: Db, user_ids: Collection[int], campaign_ids: Collection[int]) -> dict[int, CampaignFacts]:
    found = await fetch_all(
        db,
        CampaignFacts,
        """
        SELECT id AS campaign_id, name AS campaign_name, status AS campaign_status, client_id
        FROM campaigns
        WHERE user_id = ANY(%(user_ids)s)
          AND id = ANY(%(ids)s)
        """,
        {"user_ids": list(user_ids), "ids": list(campaign_ids)},
    )
    return {campaign.campaign_id: campaign for campaign in found}


async def list_letters(db: Db, user_ids: Collection[int], message_ids: Collection[int]) -> dict[int, Letter]:
    """Received mails by row id."""
    found = await fetch_all(
        db,
        Letter,
        """
        SELECT messages.id, messages.campaign_lead_id, messages.direction, messages.stats_id, messages.message_id,
               messages.from_email, messages.to_email, messages.cc, messages.subject,
               coalesce(messages.sent_at, messages.created_at) AS at, message_bodies.html, message_bodies.text
        FROM messages
        LEFT JOIN message_bodies ON message_bodies.message_id = messages.id
        WHERE messages.user_id = ANY(%(user_ids)s)
          AND messages.id = ANY(%(ids)s)
          AND messages.direction = 'IN'
        """,
        {"user_ids": list(user_ids), "ids": list(message_ids)},
    )
    return {letter.id: letter for letter in found}


async def list_threads(
    db: Db, user_ids: Collection[int], campaign_lead_ids: Collection[int]
) -> Mapping[int, Sequence[Letter]]:
    """The conversation of each lead in its campaign, oldest first: what was sent, and what people answered."""
    # two branches for two partial indexes
    found = await fetch_all(
        db,
        Letter,
        """
        SELECT thread.id, thread.campaign_lead_id, thread.direction, thread.stats_id, thread.message_id,
               thread.from_email, thread.to_email, thread.cc, thread.subject, thread.sent_at AS at,
               message_bodies.html, message_bodies.text
        FROM (
            SELECT *
            FROM messages
            WHERE campaign_lead_id = ANY(%(ids)s)
              AND step_id IS NOT NULL
            UNION ALL
            SELECT *
            FROM messages
            WHERE campaign_lead_id = ANY(%(ids)s)
              AND step_id IS NULL
              AND kind IN ('MANUAL', 'REPLY')
        ) AS thread
        LEFT JOIN message_bodies ON message_bodies.message_id = thread.id
        WHERE thread.user_id = ANY(%(user_ids)s)
          AND thread.sent_at IS NOT NULL
        ORDER BY thread.sent_at, thread.id
        """,
        {"user_ids": list(user_ids), "ids": list(campaign_lead_ids)},
    )
    threads: dict[int, list[Letter]] = defaultdict(list)
    for letter in found:
        threads[letter.campaign_lead_id or 0].append(letter)
    return threads


async def list_heads(db: Db, user_ids: Collection[int], message_ids: Collection[int]) -> dict[int, bytes]:
    """The beginning of received mails as they came, where they are still kept; enough for all headers."""
    rows = await fetch_dicts(
        db,
        """
        SELECT message_sources.message_id, substring(message_sources.raw FROM 1 FOR %(length)s) AS head
        FROM message_sources
        JOIN messages ON messages.id = message_sources.message_id
        WHERE messages.user_id = ANY(%(user_ids)s)
          AND messages.id = ANY(%(ids)s)
        """,
        {"user_ids": list(user_ids), "ids": list(message_ids), "length": _HEAD_BYTES},
    )
    return {row["message_id"]: bytes(row["head"]) for row in rows}


async def list_own_addresses(
    db: Db, user_ids: Collection[int], addresses: Collection[str]
) -> Mapping[int, Collection[str]]:
    """Which of these (lower-case) addresses are connected mailboxes, by account."""
    rows = await fetch_dicts(
        db,
        """
        SELECT user_id, lower(from_email) AS address
        FROM mailboxes
        WHERE user_id = ANY(%(user_ids)s)
          AND lower(from_email) = ANY(%(addresses)s)
          AND deleted_at IS NULL
        """,
        {"user_ids": list(user_ids), "addresses": list(addresses)},
    )
    found: dict[int, set[str]] = defaultdict(set)
    for row in rows:
        found[row["user_id"]].add(row["address"])
    return found


async def list_mailboxes(db: Db, user_ids: Collection[int], mailbox_ids: Collection[int]) -> dict[int, MailboxFacts]:
    found = await fetch_all(
        db,
        MailboxFacts,
        """
        SELECT id, client_id, type, from_name, from_email, is_smtp_success, is_imap_success, smtp_failure_error,
               imap_failure_error
        FROM mailboxes
        WHERE user_id = ANY(%(user_ids)s)
          AND id = ANY(%(ids)s)
        """,
        {"user_ids": list(user_ids), "ids": list(mailbox_ids)},
    )
    return {mailbox.id: mailbox for mailbox in found}


async def list_steps(db: Db, user_ids: Collection[int], step_ids: Collection[int]) -> dict[int, StepFacts]:
    found = await fetch_all(
        db,
        StepFacts,
        """
        SELECT id, type, subject
        FROM steps
        WHERE user_id = ANY(%(user_ids)s)
          AND id = ANY(%(ids)s)
        """,
        {"user_ids": list(user_ids), "ids": list(step_ids)},
    )
    return {step.id: step for step in found}


async def list_categories(db: Db, user_ids: Collection[int], category_ids: Collection[int]) -> dict[int, CategoryFacts]:
    found = await fetch_all(
        db,
        CategoryFacts,
        """
        SELECT id, name, sentiment_type
        FROM categories
        WHERE (user_id IS NULL OR user_id = ANY(%(user_ids)s))
          AND id = ANY(%(ids)s)
        """,
        {"user_ids": list(user_ids), "ids": list(category_ids)},
    )
    return {category.id: category for category in found}
