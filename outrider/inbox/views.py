"""The views: which conversations, in which order, narrowed to what (contract: master-inbox §0).

A statement holds only the conditions that were asked for, so that each is planned for what it is. A view as it is, is
read off one index, backwards, until the page is full; what is narrowed is found first and sorted then. `place` is the
lead in its campaign.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString

from outrider.inbox import search
from outrider.inbox.models import EmailStatus, Filter, Sort, View
from outrider.kit.db import Db, fetch_dicts, fetch_value

_AWAKE: LiteralString = "(place.snoozed_until IS NULL OR place.snoozed_until <= %(now)s)"
_VIEWS: dict[View, tuple[LiteralString, ...]] = {
    View.REPLIES: ("place.last_reply_at IS NOT NULL", "NOT place.is_archived", _AWAKE),
    View.UNREAD: ("place.is_unread", "place.last_reply_at IS NOT NULL", "NOT place.is_archived", _AWAKE),
    View.IMPORTANT: ("place.is_important",),
    View.SNOOZED: ("place.snoozed_until > %(now)s",),
    View.ARCHIVED: ("place.is_archived",),
    View.REMINDERS: (),
    View.SCHEDULED: (),
    View.SENT: ("place.last_sent_at IS NOT NULL",),
    View.ASSIGNED: (
        "place.team_member_id IS NOT NULL",
        "(%(person_id)s::bigint IS NULL OR place.team_member_id = %(person_id)s)",
    ),
    View.ANY: (),
}
_ORDERS: dict[Sort, LiteralString] = {
    Sort.REPLY_TIME_DESC: "place.last_reply_at DESC NULLS LAST, place.id DESC",
    Sort.SENT_TIME_DESC: "place.last_sent_at DESC NULLS LAST, place.id DESC",
    Sort.REMINDER_TIME_DESC: "due.at DESC, place.id DESC",
    Sort.REMINDER_TIME_ASC: "due.at, place.id DESC",
    Sort.SCHEDULED_TIME_DESC: "due.at DESC, place.id DESC",
    Sort.SCHEDULED_TIME_ASC: "due.at, place.id DESC",
}
# What a view is about besides the conversation: the earliest that is open decides.
_DUE: dict[View, LiteralString] = {
    View.REMINDERS: """
        JOIN (SELECT DISTINCT ON (campaign_lead_id) campaign_lead_id, remind_at AS at, id, text
                FROM reminders
               WHERE user_id = %(user_id)s
                 AND done_at IS NULL
               ORDER BY campaign_lead_id, remind_at, id) AS due ON due.campaign_lead_id = place.id
    """,
    View.SCHEDULED: """
        JOIN (SELECT DISTINCT ON (campaign_lead_id) campaign_lead_id, due_at AS at, message_id AS id, NULL AS text
                FROM handwritten_mails
               WHERE user_id = %(user_id)s
                 AND state = 'WAITING'
                 AND scheduled_at IS NOT NULL
                 AND due_at > %(now)s
               ORDER BY campaign_lead_id, due_at, message_id) AS due ON due.campaign_lead_id = place.id
    """,
}
_NOTHING_DUE: LiteralString = (
    "CROSS JOIN (SELECT NULL::timestamptz AS at, NULL::bigint AS id, NULL::text AS text) AS due"
)

_MAIL: LiteralString = (
    "EXISTS (SELECT FROM messages AS mail WHERE mail.campaign_lead_id = place.id AND mail.step_id IS NOT NULL AND "
)
_STATUSES: dict[EmailStatus, LiteralString] = {
    EmailStatus.OPENED: _MAIL + "mail.first_opened_at IS NOT NULL)",
    EmailStatus.CLICKED: _MAIL + "mail.first_clicked_at IS NOT NULL)",
    EmailStatus.REPLIED: "place.last_reply_at IS NOT NULL",
    EmailStatus.UNSUBSCRIBED: """
        (place.is_unsubscribed
         OR EXISTS (SELECT
                      FROM leads
                      JOIN campaigns ON campaigns.id = place.campaign_id
                     WHERE leads.id = place.lead_id
                       AND (leads.is_unsubscribed OR campaigns.client_id = ANY(leads.unsubscribed_client_ids))))
    """,
    EmailStatus.BOUNCED: _MAIL + "mail.bounce_kind IN ('HARD', 'SOFT'))",
    EmailStatus.ACCEPTED: _MAIL + "mail.sent_at IS NOT NULL AND mail.bounced_at IS NULL)",
    EmailStatus.NOT_REPLIED: "(place.last_reply_at IS NULL AND place.last_sent_at IS NOT NULL)",
}
_OF_CLIENTS: LiteralString = """
    place.campaign_id IN (SELECT id FROM campaigns WHERE user_id = %(user_id)s AND client_id = ANY(%(client_ids)s))
"""
_OF_TAGS: LiteralString = """
    place.campaign_id IN (SELECT campaign_id
                            FROM campaign_tags
                           WHERE user_id = %(user_id)s
                             AND tag_id = ANY(%(tag_ids)s))
"""
_OF_SUBSEQUENCE: LiteralString = """
    place.campaign_id IN (SELECT id
                            FROM campaigns
                           WHERE user_id = %(user_id)s
                             AND id = %(subsequence_id)s
                             AND parent_campaign_id IS NOT NULL)
"""
_FOUND: LiteralString = "(place.id = ANY(%(found_places)s) OR place.lead_id = ANY(%(found_leads)s))"
# For words that are everywhere: row by row, in the order of the view, until the page is full. Scalar subqueries, as
# PostgreSQL would look through all texts once for an EXISTS below an OR.
_WALKED: LiteralString = """
    (coalesce((SELECT true
                 FROM leads
                WHERE leads.id = place.lead_id
                  AND lower(leads.email || ' ' || coalesce(leads.first_name, '') || ' '
                            || coalesce(leads.last_name, '')) LIKE %(pattern)s), false)
     OR coalesce((SELECT true
                    FROM message_texts
                   WHERE message_texts.campaign_lead_id = place.id
                     AND message_texts.text LIKE %(pattern)s
                   LIMIT 1), false))
"""
_SCOPE: LiteralString = """
    place.campaign_id IN (SELECT id FROM campaigns WHERE user_id = %(user_id)s AND client_id = %(scope)s)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What to list: a view, for whom (`scope`: the client whose key asks), narrowed, sorted, and which page."""

    view: View
    filter: Filter
    sort: Sort
    offset: int
    limit: int
    scope: int | None
    person_id: int | None
    now: datetime


@dataclass(slots=True)
class Asked:
    """Conditions and their values. `is_narrow`: more than those of the view."""

    conditions: list[LiteralString]
    params: dict[str, Any]
    is_narrow: bool = False

    @property
    def where(self) -> LiteralString:
        return "".join(f" AND {condition}" for condition in self.conditions)

    def append(self, condition: LiteralString, **params: Any) -> None:
        self.conditions.append(condition)
        self.params |= params
        self.is_narrow = True


async def list_rows(db: Db, user_id: int, listing: Listing) -> tuple[int, list[dict[str, Any]]]:
    """How many conversations there are, and those of the page; `wire` spells them.

    Of a search for what is everywhere nobody counts the hits: then it says how many there are at least.
    """
    asked = _conditions(listing)
    if listing.filter.search is not None:
        found = await search.find(db, user_id, listing.filter.search)
        if found is None:
            asked.append(_WALKED, pattern=search.pattern(listing.filter.search))
            rows = await _list_first(db, user_id, listing, asked, limit=listing.limit + 1)
            return listing.offset + len(rows), rows[: listing.limit]
        asked.append(_FOUND, found_places=found.campaign_lead_ids, found_leads=found.lead_ids)
    if asked.is_narrow or listing.view in _DUE:
        return await _list_all(db, user_id, listing, asked)
    rows = await _list_first(db, user_id, listing, asked, limit=listing.limit)
    if len(rows) < listing.limit and (rows or listing.offset == 0):
        return listing.offset + len(rows), rows
    return await _count(db, user_id, listing, asked), rows


async def _list_first(db: Db, user_id: int, listing: Listing, asked: Asked, *, limit: int) -> list[dict[str, Any]]:
    """The page, off the index of the view."""
    order = _ORDERS[listing.sort]
    return await fetch_dicts(
        db,
        f"""
        SELECT {_COLUMNS}, due.at AS due_at_, due.id AS due_id, due.text AS due_text
          FROM (SELECT place.id, due.at, due.id AS due_id, due.text
                  FROM campaign_leads AS place {_DUE.get(listing.view, _NOTHING_DUE)}
                 WHERE place.user_id = %(user_id)s {asked.where}
                 ORDER BY {order}
                OFFSET %(offset)s
                 LIMIT %(limit)s) AS page
         CROSS JOIN LATERAL (SELECT page.at, page.due_id AS id, page.text) AS due
          JOIN campaign_leads AS place ON place.id = page.id
          {_JOINS}
         ORDER BY {order}
        """,  # noqa: S608 - constants
        {**asked.params, "user_id": user_id, "now": listing.now, "offset": listing.offset, "limit": limit},
    )


async def _count(db: Db, user_id: int, listing: Listing, asked: Asked) -> int:
    return int(
        await fetch_value(
            db,
            f"""
            SELECT count(*)
              FROM campaign_leads AS place
             WHERE place.user_id = %(user_id)s {asked.where}
            """,  # noqa: S608 - constants
            {**asked.params, "user_id": user_id, "now": listing.now},
        )
    )


async def _list_all(db: Db, user_id: int, listing: Listing, asked: Asked) -> tuple[int, list[dict[str, Any]]]:
    """The page and the number of all, which are found first: a limit would mislead the planner where few are left."""
    order = _ORDERS[listing.sort]
    rows = await fetch_dicts(
        db,
        f"""
        WITH hit AS MATERIALIZED (
            SELECT place.id, place.last_reply_at, place.last_sent_at, due.at, due.id AS due_id, due.text
              FROM campaign_leads AS place {_DUE.get(listing.view, _NOTHING_DUE)}
             WHERE place.user_id = %(user_id)s {asked.where}
        ), page AS (
            SELECT place.*
              FROM hit AS place
             CROSS JOIN LATERAL (SELECT place.at, place.due_id AS id) AS due
             ORDER BY {order}
            OFFSET %(offset)s
             LIMIT %(limit)s
        ), counted AS (
            SELECT count(*) AS total FROM hit
        )
        SELECT counted.total, shown.*
          FROM counted
          LEFT JOIN (SELECT {_COLUMNS}, due.at AS due_at_, due.id AS due_id, due.text AS due_text
                       FROM page
                      CROSS JOIN LATERAL (SELECT page.at, page.due_id AS id, page.text) AS due
                       JOIN campaign_leads AS place ON place.id = page.id
                       {_JOINS}
                      ORDER BY {order}) AS shown ON true
        """,  # noqa: S608 - constants
        {**asked.params, "user_id": user_id, "now": listing.now, "offset": listing.offset, "limit": listing.limit},
    )
    return int(rows[0]["total"]), [row for row in rows if row["id"] is not None]


async def find_row(db: Db, user_id: int, campaign_lead_id: int, *, scope: int | None) -> dict[str, Any] | None:
    """One conversation, as the views show it."""
    rows = await fetch_dicts(
        db,
        f"""
        SELECT {_COLUMNS}
          FROM campaign_leads AS place
          {_JOINS}
         WHERE place.user_id = %(user_id)s
           AND place.id = %(id)s
           AND (%(scope)s::bigint IS NULL OR campaigns.client_id = %(scope)s)
        """,  # noqa: S608 - constants
        {"user_id": user_id, "id": campaign_lead_id, "scope": scope},
    )
    return rows[0] if rows else None


def _conditions(listing: Listing) -> Asked:
    """Those of the view, and of every filter but the search."""
    given = listing.filter
    asked = Asked(list(_VIEWS[listing.view]), {"person_id": listing.person_id})
    optional: Sequence[tuple[LiteralString, str, Any]] = (
        ("NOT coalesce(place.category_id = ANY(%(excluded)s), false)", "excluded", given.excluded_category_ids),
        ("place.campaign_id = ANY(%(campaign_ids)s)", "campaign_ids", given.campaign_ids),
        ("place.mailbox_id = ANY(%(mailbox_ids)s)", "mailbox_ids", given.mailbox_ids),
        ("place.team_member_id = ANY(%(member_ids)s)", "member_ids", given.member_ids),
        (_OF_TAGS, "tag_ids", given.tag_ids),
        (_OF_CLIENTS, "client_ids", given.client_ids),
        ("place.last_reply_at >= %(replied_from)s", "replied_from", given.replied_from),
        ("place.last_reply_at <= %(replied_until)s", "replied_until", given.replied_until),
        (_OF_SUBSEQUENCE, "subsequence_id", given.subsequence_id),
        (_SCOPE, "scope", listing.scope),
    )
    for condition, name, value in optional:
        if value is not None:
            asked.append(condition, **{name: value})
    if categories := _categories(given):
        asked.append(f"({' OR '.join(categories)})", category_ids=list(given.category_ids or ()))
    if given.email_statuses:
        asked.append(f"({' OR '.join(_STATUSES[status] for status in given.email_statuses)})")
    return asked


def _categories(given: Filter) -> list[LiteralString]:
    """Any of these: without a category, with one, with one of some."""
    choices: list[LiteralString] = []
    if given.is_unassigned:
        choices.append("place.category_id IS NULL")
    if given.is_assigned:
        choices.append("place.category_id IS NOT NULL")
    if given.category_ids is not None:
        choices.append("place.category_id = ANY(%(category_ids)s)")
    return choices


_COLUMNS: LiteralString = """
    place.id, place.lead_id, place.campaign_id, place.mailbox_id, place.status, place.category_id, place.last_sent_at,
    place.last_reply_at, place.due_at, place.last_step_number, place.revenue, place.is_unread, place.is_important,
    place.is_archived, place.snoozed_until, place.team_member_id, place.has_returned,
    leads.email, leads.first_name, leads.last_name, campaigns.name AS campaign_name,
    campaigns.client_id, campaigns.parent_campaign_id, campaigns.timezone,
    campaigns.days, campaigns.start_hour, campaigns.end_hour,
    (SELECT count(*) FROM steps WHERE steps.campaign_id = place.campaign_id AND steps.deleted_at IS NULL) AS step_count,
    (SELECT steps.id
       FROM steps
      WHERE place.status IN ('STARTED', 'INPROGRESS', 'PAUSED')
        AND steps.campaign_id = place.campaign_id
        AND steps.deleted_at IS NULL
        AND steps.number > place.last_step_number
      ORDER BY steps.number
      LIMIT 1) AS next_step_id,
    (SELECT child.campaign_id
       FROM campaign_leads AS child
       JOIN campaigns AS subsequence ON subsequence.id = child.campaign_id
      WHERE child.lead_id = place.lead_id
        AND subsequence.parent_campaign_id = place.campaign_id
      ORDER BY child.id DESC
      LIMIT 1) AS subsequence_id
"""
_JOINS: LiteralString = """
    JOIN leads ON leads.id = place.lead_id
    JOIN campaigns ON campaigns.id = place.campaign_id
"""
