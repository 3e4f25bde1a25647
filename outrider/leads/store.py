"""SQL on leads and on leads in campaigns, one at a time. Lists are in `listing`, adding many in `addition`."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from outrider.kit.db import Db, execute, fetch_all, fetch_dicts, fetch_one, fetch_value
from outrider.leads.models import (
    LEAD_FIELDS,
    CampaignLead,
    CampaignLeadNotFound,
    Category,
    HoldReason,
    Lead,
    LeadNotFound,
    LeadStatus,
    StepAhead,
)

LEAD_COLUMNS = """
    leads.id, leads.user_id, leads.email, leads.domain, leads.first_name, leads.last_name, leads.phone_number,
    leads.company_name, leads.website, leads.location, leads.linkedin_profile, leads.company_url, leads.custom_fields,
    leads.is_unsubscribed, leads.unsubscribed_client_ids, leads.created_at, leads.updated_at
"""
_CAMPAIGN_LEAD = """
    m.id, m.user_id, m.campaign_id, m.lead_id, m.mailbox_id, m.status, m.hold_reason, m.last_step_id,
    m.last_step_number, m.last_sent_at, m.last_reply_at, m.due_at, m.resume_at, m.is_completed_by_hand,
    m.is_unsubscribed, m.category_id, m.is_category_set_by_hand, m.revenue, m.block_list_ignored_until,
    m.bounces_ignored_until, m.hold_code, m.hold_text, m.hold_until, m.created_at, m.updated_at
"""
# The key of a client sees a lead only through the campaigns and lists of that client (contract: clients).
VISIBLE = """
    leads.user_id = %(user_id)s
    AND (%(client_id)s::bigint IS NULL
         OR EXISTS (SELECT
                    FROM campaign_leads
                    JOIN campaigns ON campaigns.id = campaign_leads.campaign_id
                    WHERE campaign_leads.lead_id = leads.id
                      AND campaigns.client_id = %(client_id)s)
         OR EXISTS (SELECT
                    FROM lead_list_members
                    JOIN lead_lists ON lead_lists.id = lead_list_members.list_id
                    WHERE lead_list_members.lead_id = leads.id
                      AND lead_lists.client_id = %(client_id)s))
"""


async def find_lead(db: Db, user_id: int, lead_id: int, *, client_id: int | None) -> Lead | None:
    return await fetch_one(
        db,
        Lead,
        f"""
        SELECT {LEAD_COLUMNS}
        FROM leads
        WHERE leads.id = %(id)s
          AND {VISIBLE}
        """,  # noqa: S608 - constants
        {"user_id": user_id, "id": lead_id, "client_id": client_id},
    )


async def find_lead_by_email(db: Db, user_id: int, email: str, *, client_id: int | None) -> Lead | None:
    return await fetch_one(
        db,
        Lead,
        f"""
        SELECT {LEAD_COLUMNS}
        FROM leads
        WHERE leads.email = %(email)s
          AND {VISIBLE}
        """,  # noqa: S608 - constants
        {"user_id": user_id, "email": email, "client_id": client_id},
    )


async def lock_lead(db: Db, user_id: int, lead_id: int, *, client_id: int | None) -> Lead:
    lead = await fetch_one(
        db,
        Lead,
        f"""
        SELECT {LEAD_COLUMNS}
        FROM leads
        WHERE leads.id = %(id)s
          AND {VISIBLE}
        FOR NO KEY UPDATE
        """,  # noqa: S608 - constants
        {"user_id": user_id, "id": lead_id, "client_id": client_id},
    )
    if lead is None:
        raise LeadNotFound
    return lead


async def find_campaign_lead(db: Db, user_id: int, campaign_id: int, lead_id: int) -> CampaignLead | None:
    """By the lead's own id; locked, as everybody who asks is going to change it."""
    return await fetch_one(
        db,
        CampaignLead,
        f"""
        SELECT {_CAMPAIGN_LEAD}
        FROM campaign_leads AS m
        WHERE m.user_id = %(user_id)s
          AND m.campaign_id = %(campaign_id)s
          AND m.lead_id = %(lead_id)s
        FOR NO KEY UPDATE
        """,  # noqa: S608 - constants
        {"user_id": user_id, "campaign_id": campaign_id, "lead_id": lead_id},
    )


async def load_lead_id(db: Db, user_id: int, campaign_lead_id: int) -> int:
    """Whose map this is."""
    lead_id: int | None = await fetch_value(
        db,
        """
        SELECT lead_id
        FROM campaign_leads
        WHERE user_id = %(user_id)s
          AND id = %(id)s
        """,
        {"user_id": user_id, "id": campaign_lead_id},
    )
    if lead_id is None:
        raise CampaignLeadNotFound
    return lead_id


async def find_client_id(db: Db, user_id: int, campaign_lead_id: int) -> int | None:
    """The client whose campaign the lead is in, or was when it got its mails; None for the account itself."""
    client_id: int | None = await fetch_value(
        db,
        """
        SELECT campaigns.client_id
        FROM campaigns
        WHERE campaigns.user_id = %(user_id)s
          AND campaigns.id = coalesce(
                (SELECT campaign_id FROM campaign_leads WHERE id = %(id)s),
                (SELECT campaign_id FROM messages
                 WHERE campaign_lead_id = %(id)s AND step_id IS NOT NULL
                 LIMIT 1))
        """,
        {"user_id": user_id, "id": campaign_lead_id},
    )
    return client_id


async def has_map(db: Db, user_id: int, campaign_lead_id: int) -> bool:
    """Whether the lead is still in the campaign."""
    found: bool = await fetch_value(
        db,
        "SELECT EXISTS (SELECT FROM campaign_leads WHERE user_id = %(user_id)s AND id = %(id)s)",
        {"user_id": user_id, "id": campaign_lead_id},
    )
    return found


async def list_lead_ids(db: Db, user_id: int, *, campaign_lead_id: int | None, email: str) -> list[int]:
    """Who got a mail: the lead of this map, and the one that has the address now, in the order of locks."""
    rows = await fetch_dicts(
        db,
        """
        SELECT lead_id AS id
        FROM campaign_leads
        WHERE user_id = %(user_id)s
          AND id = %(campaign_lead_id)s
        UNION
        SELECT id
        FROM leads
        WHERE user_id = %(user_id)s
          AND email = %(email)s
        ORDER BY id
        """,
        {"user_id": user_id, "campaign_lead_id": campaign_lead_id, "email": email},
    )
    return [row["id"] for row in rows]


async def list_ids_by_email(db: Db, user_id: int, emails: Sequence[str]) -> list[int]:
    rows = await fetch_dicts(
        db,
        """
        SELECT id
        FROM leads
        WHERE user_id = %(user_id)s
          AND email = ANY(%(emails)s)
        ORDER BY id
        """,
        {"user_id": user_id, "emails": list(emails)},
    )
    return [row["id"] for row in rows]


async def lock_campaign_lead(db: Db, user_id: int, campaign_lead_id: int) -> CampaignLead:
    """By the id of the lead in the campaign (the map id)."""
    campaign_lead = await fetch_one(
        db,
        CampaignLead,
        f"""
        SELECT {_CAMPAIGN_LEAD}
        FROM campaign_leads AS m
        WHERE m.user_id = %(user_id)s
          AND m.id = %(id)s
        FOR NO KEY UPDATE
        """,  # noqa: S608 - constants
        {"user_id": user_id, "id": campaign_lead_id},
    )
    if campaign_lead is None:
        raise CampaignLeadNotFound
    return campaign_lead


async def find_campaign_lead_id(db: Db, user_id: int, campaign_id: int, lead_id: int) -> int | None:
    """The map id of a lead in a campaign."""
    campaign_lead_id: int | None = await fetch_value(
        db,
        """
        SELECT id
        FROM campaign_leads
        WHERE user_id = %(user_id)s
          AND campaign_id = %(campaign_id)s
          AND lead_id = %(lead_id)s
        """,
        {"user_id": user_id, "campaign_id": campaign_id, "lead_id": lead_id},
    )
    return campaign_lead_id


async def update_status(
    db: Db,
    campaign_lead: CampaignLead,
    status: LeadStatus,
    *,
    reason: HoldReason | None,
    now: datetime,
    due_at: datetime | None = None,
    is_completed_by_hand: bool = False,
) -> None:
    """A person's decision: what was planned and what held the lead back until now is over."""
    await execute(
        db,
        """
        UPDATE campaign_leads
        SET status = %(status)s,
            hold_reason = %(reason)s,
            due_at = %(due_at)s,
            resume_at = NULL,
            is_completed_by_hand = %(is_completed_by_hand)s,
            hold_code = NULL,
            hold_text = NULL,
            hold_until = NULL,
            updated_at = %(now)s
        WHERE id = %(id)s
          AND user_id = %(user_id)s
        """,
        {
            "id": campaign_lead.id,
            "user_id": campaign_lead.user_id,
            "status": status,
            "reason": reason,
            "due_at": due_at,
            "is_completed_by_hand": is_completed_by_hand,
            "now": now,
        },
    )


async def record_step_done(
    db: Db, campaign_lead: CampaignLead, step: StepAhead, *, due_at: datetime | None, now: datetime
) -> None:
    """A person has done a step; the next one, if any, is due at `due_at`. The status is that of mails and stays."""
    await execute(
        db,
        """
        UPDATE campaign_leads
        SET last_step_id = %(step_id)s,
            last_step_number = %(step_number)s,
            due_at = %(due_at)s,
            hold_code = NULL,
            hold_text = NULL,
            hold_until = NULL,
            updated_at = %(now)s
        WHERE id = %(id)s
          AND user_id = %(user_id)s
        """,
        {
            "id": campaign_lead.id,
            "user_id": campaign_lead.user_id,
            "step_id": step.id,
            "step_number": step.number,
            "due_at": due_at,
            "now": now,
        },
    )


async def record_unsubscribed_from_campaign(db: Db, campaign_lead: CampaignLead, *, now: datetime) -> None:
    await execute(
        db,
        """
        UPDATE campaign_leads
        SET is_unsubscribed = true,
            updated_at = %(now)s
        WHERE id = %(id)s
          AND user_id = %(user_id)s
        """,
        {"id": campaign_lead.id, "user_id": campaign_lead.user_id, "now": now},
    )


async def update_category(
    db: Db, campaign_lead: CampaignLead, category_id: int | None, *, by_hand: bool, now: datetime
) -> None:
    await execute(
        db,
        """
        UPDATE campaign_leads
        SET category_id = %(category_id)s,
            is_category_set_by_hand = %(by_hand)s,
            updated_at = %(now)s
        WHERE id = %(id)s
          AND user_id = %(user_id)s
        """,
        {
            "id": campaign_lead.id,
            "user_id": campaign_lead.user_id,
            "category_id": category_id,
            "by_hand": by_hand,
            "now": now,
        },
    )


async def ignore_bounces_so_far(db: Db, campaign_lead: CampaignLead, *, now: datetime) -> None:
    """The cause of a bounce is gone: what was known of the address before counts no more in this campaign."""
    await execute(
        db,
        """
        UPDATE campaign_leads
        SET bounces_ignored_until = %(now)s
        WHERE id = %(id)s
          AND user_id = %(user_id)s
        """,
        {"id": campaign_lead.id, "user_id": campaign_lead.user_id, "now": now},
    )


async def block_bounced(db: Db, user_id: int, campaign_lead_id: int, *, now: datetime) -> None:
    """BLOCKED even if COMPLETED; a bounce after a reply changes nothing (product behaviour 6.5)."""
    await execute(
        db,
        """
        UPDATE campaign_leads
        SET status = 'BLOCKED',
            hold_reason = 'BOUNCED',
            due_at = NULL,
            resume_at = NULL,
            hold_code = NULL,
            hold_text = NULL,
            hold_until = NULL,
            updated_at = %(now)s
        WHERE id = %(id)s
          AND user_id = %(user_id)s
          AND last_reply_at IS NULL
        """,
        {"id": campaign_lead_id, "user_id": user_id, "now": now},
    )


async def list_next_steps(db: Db, campaign_lead: CampaignLead) -> list[StepAhead]:
    """The steps that this lead still gets, in order: after the one it got last, found by its id or else by its number.

    A mail that waits for another try is still ahead (contract: campaigns, Save Campaign Sequence).
    """
    return await fetch_all(
        db,
        StepAhead,
        """
        SELECT steps.id, steps.number, steps.type, steps.delay_days
        FROM steps
        LEFT JOIN steps AS last ON last.id = %(last_step_id)s AND last.deleted_at IS NULL
        WHERE steps.user_id = %(user_id)s
          AND steps.campaign_id = %(campaign_id)s
          AND steps.deleted_at IS NULL
          AND steps.number > coalesce(last.number, %(last_step_number)s)
          AND NOT EXISTS (
                SELECT
                FROM messages
                WHERE messages.campaign_lead_id = %(campaign_lead_id)s
                  AND messages.step_id = steps.id
                  AND messages.status <> 'QUEUED')
        ORDER BY steps.number
        """,
        {
            "user_id": campaign_lead.user_id,
            "campaign_id": campaign_lead.campaign_id,
            "campaign_lead_id": campaign_lead.id,
            "last_step_id": campaign_lead.last_step_id,
            "last_step_number": campaign_lead.last_step_number,
        },
    )


async def has_mailbox(db: Db, campaign_lead: CampaignLead) -> bool:
    """Whether the mailbox that the lead is tied to still serves the campaign; a lead without one is free."""
    if campaign_lead.mailbox_id is None:
        return True
    return await is_attached(db, campaign_lead.user_id, campaign_lead.campaign_id, campaign_lead.mailbox_id)


async def is_attached(db: Db, user_id: int, campaign_id: int, mailbox_id: int) -> bool:
    return bool(
        await fetch_value(
            db,
            """
            SELECT EXISTS (
                SELECT
                FROM campaign_mailboxes
                WHERE user_id = %(user_id)s
                  AND campaign_id = %(campaign_id)s
                  AND mailbox_id = %(mailbox_id)s
            )
            """,
            {"user_id": user_id, "campaign_id": campaign_id, "mailbox_id": mailbox_id},
        )
    )


async def update_lead(
    db: Db, lead: Lead, fields: Mapping[str, Any], *, custom_fields: Mapping[str, Any], now: datetime
) -> None:
    """Write the standard fields that are given; custom fields are merged, null deletes a key."""
    await execute(
        db,
        """
        UPDATE leads
        SET email = %(email)s,
            first_name = %(first_name)s,
            last_name = %(last_name)s,
            phone_number = %(phone_number)s,
            company_name = %(company_name)s,
            website = %(website)s,
            location = %(location)s,
            linkedin_profile = %(linkedin_profile)s,
            company_url = %(company_url)s,
            custom_fields = (custom_fields || %(custom_fields)s) - %(deleted)s::text[],
            updated_at = %(now)s
        WHERE id = %(id)s
          AND user_id = %(user_id)s
        """,
        {
            **{column: fields.get(column, getattr(lead, column)) for column in ("email", *LEAD_FIELDS)},
            "custom_fields": Jsonb({key: value for key, value in custom_fields.items() if value is not None}),
            "deleted": [key for key, value in custom_fields.items() if value is None],
            "id": lead.id,
            "user_id": lead.user_id,
            "now": now,
        },
    )


async def delete_campaign_leads(
    db: Db,
    user_id: int,
    lead_ids: Sequence[int],
    *,
    client_id: int | None,
    campaign_id: int | None = None,
    but: int | None = None,
) -> list[int]:
    """Take leads out of this campaign, or out of all except `but`; with the key of a client out of that client's.

    Returns the ids that they had there.
    """
    rows = await fetch_dicts(
        db,
        """
        DELETE FROM campaign_leads AS m
        USING campaigns
        WHERE m.user_id = %(user_id)s
          AND m.lead_id = ANY(%(lead_ids)s)
          AND campaigns.id = m.campaign_id
          AND (%(campaign_id)s::bigint IS NULL OR m.campaign_id = %(campaign_id)s)
          AND (%(but)s::bigint IS NULL OR m.campaign_id <> %(but)s)
          AND (%(client_id)s::bigint IS NULL OR campaigns.client_id = %(client_id)s)
        RETURNING m.id
        """,
        {
            "user_id": user_id,
            "lead_ids": list(lead_ids),
            "campaign_id": campaign_id,
            "but": but,
            "client_id": client_id,
        },
    )
    return [row["id"] for row in rows]


async def delete_lost_leads(db: Db, user_id: int, lead_ids: Sequence[int], *, now: datetime) -> None:
    """Forget people who are in no campaign and in no list; who of them wants no mail stays known (decision 33)."""
    await execute(
        db,
        """
        WITH gone AS (
            DELETE FROM leads
            WHERE id = ANY(%(ids)s)
              AND user_id = %(user_id)s
              AND NOT EXISTS (SELECT FROM campaign_leads WHERE campaign_leads.lead_id = leads.id)
              AND NOT EXISTS (SELECT FROM lead_list_members WHERE lead_list_members.lead_id = leads.id)
            RETURNING user_id, email, is_unsubscribed
        )
        INSERT INTO unsubscribes (user_id, email, client_id, created_at)
        SELECT user_id, email, 0, %(now)s
        FROM gone
        WHERE is_unsubscribed
        ON CONFLICT DO NOTHING
        """,
        {"ids": list(lead_ids), "user_id": user_id, "now": now},
    )


async def find_category_id(db: Db, user_id: int, *, category_id: int | None, name: str | None) -> int | None:
    """A category of the account, built in or its own, by id or by name."""
    found: int | None = await fetch_value(
        db,
        """
        SELECT id
        FROM categories
        WHERE (user_id IS NULL OR user_id = %(user_id)s)
          AND (id = %(category_id)s OR lower(name) = lower(%(name)s))
        ORDER BY id
        LIMIT 1
        """,
        {"user_id": user_id, "category_id": category_id, "name": name},
    )
    return found


async def list_categories(db: Db, user_id: int, *, client_id: int | None) -> list[Category]:
    """Those built in and the account's own; a client (`client_id`) does not see what is hidden from it."""
    return await fetch_all(
        db,
        Category,
        """
        SELECT id, name, sentiment_type, description, created_at
        FROM categories
        WHERE (user_id IS NULL OR user_id = %(user_id)s)
          AND NOT EXISTS (
              SELECT FROM clients
              WHERE clients.user_id = %(user_id)s
                AND clients.id = %(client_id)s
                AND categories.id = ANY(clients.restricted_category_ids)
          )
        ORDER BY id
        """,
        {"user_id": user_id, "client_id": client_id},
    )
