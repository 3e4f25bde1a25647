"""Lists of leads: of a campaign, of the account, and what a lead is in. Rows stay dicts; `wire` spells them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString

from outrider.kit.db import Db, fetch_dicts, fetch_value
from outrider.leads.models import LeadStatus
from outrider.leads.store import VISIBLE

_LEAD = """
    leads.id AS lead_id, leads.email, leads.first_name, leads.last_name, leads.phone_number, leads.company_name,
    leads.website, leads.location, leads.linkedin_profile, leads.company_url, leads.custom_fields,
    leads.is_unsubscribed, leads.unsubscribed_client_ids, leads.created_at
"""


@dataclass(frozen=True, slots=True)
class LeadFilter:
    """What a list of a campaign's leads is narrowed to. `email_status` is a word of the wire (contract: leads)."""

    status: LeadStatus | None = None
    category_id: int | None = None
    created_after: datetime | None = None
    sent_after: datetime | None = None
    active_after: datetime | None = None
    email_status: str | None = None


# Campaign mails have a step; the index on (campaign lead, step) finds those of one lead.
_MAIL: LiteralString = (
    "EXISTS (SELECT FROM messages AS mail WHERE mail.campaign_lead_id = m.id AND mail.step_id IS NOT NULL AND "
)
EMAIL_STATUSES: dict[str, LiteralString] = {
    "is_opened": _MAIL + "mail.first_opened_at IS NOT NULL)",
    "is_clicked": _MAIL + "mail.first_clicked_at IS NOT NULL)",
    "is_replied": _MAIL + "mail.first_replied_at IS NOT NULL)",
    "is_bounced": _MAIL + "mail.bounce_kind IN ('HARD', 'SOFT'))",
    "is_accepted": _MAIL + "mail.sent_at IS NOT NULL AND mail.bounced_at IS NULL)",
    "not_replied": "m.last_reply_at IS NULL AND " + _MAIL + "mail.sent_at IS NOT NULL)",
    "is_sender_bounced": "m.category_id = 9",
    "is_spam": """
        EXISTS (SELECT FROM messages AS complaint
                WHERE complaint.campaign_lead_id = m.id
                  AND complaint.kind = 'COMPLAINT')
    """,
    "is_unsubscribed": """
        (m.is_unsubscribed
         OR EXISTS (SELECT FROM leads AS person
                    JOIN campaigns AS theirs ON theirs.id = m.campaign_id
                    WHERE person.id = m.lead_id
                      AND (person.is_unsubscribed OR theirs.client_id = ANY(person.unsubscribed_client_ids))))
    """,
}
"""Of a lead in a campaign (`m`), by the words of the wire (contract: leads, List all leads)."""

_MATCHES: LiteralString = """
    m.campaign_id = %(campaign_id)s
    AND (%(status)s::text IS NULL OR m.status = %(status)s)
    AND (%(category_id)s::bigint IS NULL OR m.category_id = %(category_id)s)
    AND (%(created_after)s::timestamptz IS NULL OR m.created_at > %(created_after)s)
    AND (%(sent_after)s::timestamptz IS NULL OR m.last_sent_at > %(sent_after)s)
    AND (%(active_after)s::timestamptz IS NULL OR greatest(m.last_sent_at, m.last_reply_at) > %(active_after)s)
"""


async def list_campaign_leads(
    db: Db,
    user_id: int,
    campaign_id: int,
    only: LeadFilter,
    *,
    offset: int,
    limit: int | None,
) -> tuple[int, list[dict[str, Any]]]:
    """How many leads match, and one page of them in the order of their import."""
    params = {
        "user_id": user_id,
        "campaign_id": campaign_id,
        "status": only.status,
        "category_id": only.category_id,
        "created_after": only.created_after,
        "sent_after": only.sent_after,
        "active_after": only.active_after,
        "offset": offset,
        "limit": limit,
    }
    matches = _MATCHES if only.email_status is None else f"{_MATCHES} AND {EMAIL_STATUSES[only.email_status]}"
    total: int = await fetch_value(
        db,
        f"""
        SELECT count(*)
        FROM campaign_leads AS m
        WHERE m.user_id = %(user_id)s
          AND {matches}
        """,  # noqa: S608 - constants
        params,
    )
    rows = await fetch_dicts(
        db,
        f"""
        SELECT page.*, {_LEAD.replace("leads.created_at", "leads.created_at AS lead_created_at")}
        FROM (
            SELECT m.id, m.lead_id AS of_lead_id, m.category_id, m.status, m.created_at
            FROM campaign_leads AS m
            WHERE m.user_id = %(user_id)s
              AND {matches}
            ORDER BY m.id
            OFFSET %(offset)s
            LIMIT %(limit)s
        ) AS page
        JOIN leads ON leads.id = page.of_lead_id
        ORDER BY page.id
        """,  # noqa: S608 - constants
        params,
    )
    return total, rows


async def list_account_leads(
    db: Db,
    user_id: int,
    *,
    client_id: int | None,
    created_after: datetime | None,
    email: str | None,
    offset: int,
    limit: int | None,
) -> tuple[int, list[dict[str, Any]]]:
    """How many leads match, and one page of them by id, each with its campaigns; a client's key sees its own only."""
    params = {
        "user_id": user_id,
        "client_id": client_id,
        "created_after": created_after,
        "email": email,
        "offset": offset,
        "limit": limit,
    }
    matches = f"""
        {VISIBLE}
        AND (%(created_after)s::timestamptz IS NULL OR leads.created_at > %(created_after)s)
        AND (%(email)s::text IS NULL OR leads.email = %(email)s)
    """
    total: int = await fetch_value(
        db,
        f"SELECT count(*) FROM leads WHERE leads.user_id = %(user_id)s AND {matches}",  # noqa: S608 - constants
        params,
    )
    rows = await fetch_dicts(
        db,
        f"""
        SELECT page.*,
               ARRAY(
                   SELECT jsonb_build_object(
                       'campaign_id', campaigns.id, 'campaign_name', campaigns.name,
                       'campaign_status', campaigns.status, 'map_id', m.id, 'status', m.status,
                       'last_step_number', m.last_step_number, 'last_sent_at', m.last_sent_at,
                       'created_at', m.created_at)
                   FROM campaign_leads AS m
                   JOIN campaigns ON campaigns.id = m.campaign_id
                   WHERE m.lead_id = page.lead_id
                     AND (%(client_id)s::bigint IS NULL OR campaigns.client_id = %(client_id)s)
                   ORDER BY m.id
               ) AS campaigns
        FROM (
            SELECT {_LEAD}
            FROM leads
            WHERE leads.user_id = %(user_id)s
              AND {matches}
            ORDER BY leads.id
            OFFSET %(offset)s
            LIMIT %(limit)s
        ) AS page
        ORDER BY page.lead_id
        """,  # noqa: S608 - constants
        params,
    )
    return total, rows


async def list_memberships(db: Db, user_id: int, lead_id: int, *, client_id: int | None) -> list[dict[str, Any]]:
    """The campaigns that a lead is in, newest last, with its own place in each."""
    return await fetch_dicts(
        db,
        """
        SELECT m.id, m.category_id, m.last_sent_at, m.last_reply_at, campaigns.id AS campaign_id,
               campaigns.name AS campaign_name, campaigns.status AS campaign_status, campaigns.client_id,
               clients.email AS client_email
        FROM campaign_leads AS m
        JOIN campaigns ON campaigns.id = m.campaign_id
        LEFT JOIN clients ON clients.id = campaigns.client_id
        WHERE m.user_id = %(user_id)s
          AND m.lead_id = %(lead_id)s
          AND (%(client_id)s::bigint IS NULL OR campaigns.client_id = %(client_id)s)
        ORDER BY campaigns.id
        """,
        {"user_id": user_id, "lead_id": lead_id, "client_id": client_id},
    )


async def has_leads(db: Db, user_id: int, campaign_id: int) -> bool:
    return bool(
        await fetch_value(
            db,
            """
            SELECT EXISTS (SELECT
                           FROM campaign_leads
                           WHERE user_id = %(user_id)s
                             AND campaign_id = %(campaign_id)s)
            """,
            {"user_id": user_id, "campaign_id": campaign_id},
        )
    )
