"""Choosing leads of the whole account by what they are and where they are: for the cursor list and for pushes.

A statement holds only the conditions that were asked for, so that each is planned for what it is. All that is said of a
lead in a campaign (`m`) holds of the same campaign.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from enum import StrEnum
from typing import Any, LiteralString

from outrider.kit.db import Db, fetch_all
from outrider.leads.emails import email_key
from outrider.leads.listing import EMAIL_STATUSES
from outrider.leads.models import Lead, LeadStatus
from outrider.leads.store import LEAD_COLUMNS


class LeadType(StrEnum):
    """In a campaign that goes on, in none yet, only in campaigns that have ended, moved out of its campaigns."""

    ACTIVE = "active"
    YET_TO_USE = "yet_to_use"
    PREVIOUSLY_ACTIVE = "previously_active"
    ARCHIVED = "archived"


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Everything that is given holds; nothing given means all leads. `email`: an address, or a part of addresses."""

    lead_ids: Sequence[int] | None = None
    campaign_lead_ids: Sequence[int] | None = None
    list_ids: Sequence[int] | None = None
    lead_type: LeadType | None = None
    email: str | None = None
    imported_on: date | None = None
    tag_ids: Sequence[int] | None = None
    providers: Sequence[str] | None = None
    is_behind_gateway: bool | None = None
    campaign_ids: Sequence[int] | None = None
    statuses: Sequence[LeadStatus] | None = None
    category_ids: Sequence[int] | None = None
    is_uncategorized: bool | None = None
    mailbox_ids: Sequence[int] | None = None
    email_status: str | None = None
    person_ids: Sequence[int] | None = None
    step_ids: Sequence[int] | None = None
    campaign_tag_ids: Sequence[int] | None = None
    client_ids: Sequence[int] | None = None
    replied_from: datetime | None = None
    replied_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Chosen:
    id: int
    email: str


# The key of a client (`scope`) sees a lead through the campaigns and lists of that client. That the cursor (`after_id`)
# holds of both sides, PostgreSQL does not see by itself: then it reads on in the index of the campaign or list.
_PLACES: LiteralString = """
    FROM campaign_leads AS m
    JOIN campaigns ON campaigns.id = m.campaign_id
    WHERE m.lead_id = leads.id
      AND m.lead_id > %(after_id)s
      AND (%(scope)s::bigint IS NULL OR campaigns.client_id = %(scope)s)
"""
_MEMBERSHIPS: LiteralString = """
    FROM lead_list_members AS member
    JOIN lead_lists ON lead_lists.id = member.list_id
    WHERE member.lead_id = leads.id
      AND member.lead_id > %(after_id)s
      AND (%(scope)s::bigint IS NULL OR lead_lists.client_id = %(scope)s)
"""
_GOES_ON: LiteralString = "campaigns.status IN ('DRAFTED', 'ACTIVE', 'PAUSED')"
_TYPES: dict[LeadType, LiteralString] = {
    LeadType.ACTIVE: f"EXISTS (SELECT {_PLACES} AND {_GOES_ON})",
    LeadType.PREVIOUSLY_ACTIVE: f"EXISTS (SELECT {_PLACES}) AND NOT EXISTS (SELECT {_PLACES} AND {_GOES_ON})",
    LeadType.YET_TO_USE: f"NOT EXISTS (SELECT {_PLACES}) AND NOT EXISTS (SELECT {_MEMBERSHIPS} AND member.is_archived)",
    LeadType.ARCHIVED: f"NOT EXISTS (SELECT {_PLACES}) AND EXISTS (SELECT {_MEMBERSHIPS} AND member.is_archived)",
}
_PROVIDER: LiteralString = (
    "coalesce((SELECT provider FROM domain_providers WHERE domain_providers.domain = leads.domain), 'OTHER')"
)
_ABOUT_LEADS: dict[str, LiteralString] = {
    "lead_ids": "leads.id = ANY(%(lead_ids)s)",
    "list_ids": """
        EXISTS (SELECT FROM lead_list_members AS member
                WHERE member.list_id = ANY(%(list_ids)s)
                  AND member.lead_id = leads.id
                  AND member.lead_id > %(after_id)s)
    """,
    "imported_on": """
        leads.created_at >= %(imported_on)s::date::timestamp AT TIME ZONE 'UTC'
        AND leads.created_at < (%(imported_on)s::date + 1)::timestamp AT TIME ZONE 'UTC'
    """,
    "tag_ids": "EXISTS (SELECT FROM lead_tags WHERE lead_id = leads.id AND tag_id = ANY(%(tag_ids)s))",
    "providers": f"{_PROVIDER} = ANY(%(providers)s)",
    "is_behind_gateway": f"({_PROVIDER} = 'GATEWAY') = %(is_behind_gateway)s",
}
_ABOUT_PLACES: dict[str, LiteralString] = {
    "campaign_lead_ids": "m.id = ANY(%(campaign_lead_ids)s)",
    "campaign_ids": "m.campaign_id = ANY(%(campaign_ids)s)",
    "statuses": "m.status = ANY(%(statuses)s)",
    "mailbox_ids": "m.mailbox_id = ANY(%(mailbox_ids)s)",
    "person_ids": "m.team_member_id = ANY(%(person_ids)s)",
    "step_ids": "m.last_step_id = ANY(%(step_ids)s)",
    "campaign_tag_ids": """
        EXISTS (SELECT FROM campaign_tags WHERE campaign_id = m.campaign_id AND tag_id = ANY(%(campaign_tag_ids)s))
    """,
    "client_ids": "campaigns.client_id = ANY(%(client_ids)s)",
    "replied_from": "m.last_reply_at >= %(replied_from)s",
    "replied_until": "m.last_reply_at <= %(replied_until)s",
}
# Part of an address: the first half is what the index of names and addresses can find.
_PART: LiteralString = """
    lower(leads.email || ' ' || coalesce(leads.first_name, '') || ' ' || coalesce(leads.last_name, '')) LIKE %(pattern)s
    AND strpos(leads.email, %(email)s) > 0
"""


def _where(selection: Selection, *, scope: int | None) -> LiteralString:
    given = {each.name for each in fields(selection) if getattr(selection, each.name) is not None}
    conditions: list[LiteralString] = [text for name, text in _ABOUT_LEADS.items() if name in given]
    if scope is not None:
        conditions.append(f"(EXISTS (SELECT {_PLACES}) OR EXISTS (SELECT {_MEMBERSHIPS}))")
    if selection.lead_type is not None:
        conditions.append(_TYPES[selection.lead_type])
    if selection.email is not None:
        conditions.append(_PART if email_key(selection.email) is None else "leads.email = %(email)s")
    places: list[LiteralString] = [text for name, text in _ABOUT_PLACES.items() if name in given]
    if selection.category_ids is not None or selection.is_uncategorized:
        places.append("(m.category_id = ANY(%(category_ids)s) OR (%(is_uncategorized)s AND m.category_id IS NULL))")
    if selection.email_status is not None:
        places.append(EMAIL_STATUSES[selection.email_status])
    if places:
        conditions.append(f"EXISTS (SELECT {_PLACES} AND {' AND '.join(places)})")
    return "".join(f" AND {condition}" for condition in conditions)


def _params(selection: Selection, user_id: int, *, scope: int | None) -> dict[str, Any]:
    values = {each.name: getattr(selection, each.name) for each in fields(selection)}
    part = (selection.email or "").lower()
    escaped = part.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return {
        **{name: list(value) if isinstance(value, tuple | list) else value for name, value in values.items()},
        "email": email_key(part) or part,
        "pattern": f"%{escaped}%",
        "category_ids": list(selection.category_ids or ()),
        "is_uncategorized": bool(selection.is_uncategorized),
        "user_id": user_id,
        "scope": scope,
    }


async def list_page(
    db: Db, user_id: int, selection: Selection, *, scope: int | None, after_id: int, limit: int
) -> list[Lead]:
    """The leads after this one, by id."""
    return await fetch_all(
        db,
        Lead,
        f"""
        SELECT {LEAD_COLUMNS}
        FROM leads
        WHERE leads.user_id = %(user_id)s
          AND leads.id > %(after_id)s
          {_where(selection, scope=scope)}
        ORDER BY leads.id
        LIMIT %(limit)s
        """,  # noqa: S608 - constants
        {**_params(selection, user_id, scope=scope), "after_id": after_id, "limit": limit},
    )


async def list_chosen(db: Db, user_id: int, selection: Selection, *, scope: int | None) -> list[Chosen]:
    """All of them, by id."""
    return await fetch_all(
        db,
        Chosen,
        f"""
        SELECT leads.id, leads.email
        FROM leads
        WHERE leads.user_id = %(user_id)s
          {_where(selection, scope=scope)}
        ORDER BY leads.id
        """,  # noqa: S608 - constants
        {**_params(selection, user_id, scope=scope), "after_id": 0},
    )
