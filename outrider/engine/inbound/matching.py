"""To which lead does a mail belong? The first rule that matches (product behaviour 6.2).

By the Message-IDs it answers; by a lead who was mailed from this mailbox and the subject; by such a lead alone; by
somebody of a lead's company and the subject. Whatever matches is an outbound campaign mail.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from outrider.kit.db import Db, fetch_all
from outrider.mail.address import domain_of, is_free_mail
from outrider.mail.parse import Incoming
from outrider.mail.subject import subject_key

_REMEMBERED = timedelta(days=180)
_CANDIDATES = 50


@dataclass(frozen=True, slots=True)
class Match:
    """The outbound mail that is answered, with what its campaign wants."""

    id: int
    user_id: int
    campaign_id: int
    campaign_lead_id: int
    lead_id: int
    stats_id: UUID
    message_id: str | None
    server_message_id: str | None
    to_email: str
    subject: str | None
    track_settings: list[str]
    stop_lead_settings: str
    out_of_office_settings: Mapping[str, Any]
    timezone: str | None
    pauses_company: bool
    category_ids: list[int]
    has_reply: bool  # of the lead in this campaign, since this mail

    def is_named_in(self, message_ids: Sequence[str]) -> bool:
        return self.message_id in message_ids or self.server_message_id in message_ids


async def find_match(db: Db, user_id: int, mailbox_id: int, incoming: Incoming, now: datetime) -> Match | None:
    """Return the outbound mail this one belongs to, or None: untracked."""
    by_header = await find_by_message_ids(db, user_id, incoming.thread_ids)
    if by_header is not None or incoming.from_address is None:
        return by_header
    author = incoming.from_address.lower()
    own = await _list_to_address(db, mailbox_id, author, since=now - _REMEMBERED)
    key = subject_key(incoming.subject)
    return _same_subject(own, key) or (own[0] if own else None) or await _by_company(db, mailbox_id, author, key, now)


async def find_by_message_ids(db: Db, user_id: int, message_ids: Sequence[str]) -> Match | None:
    """Return the outbound mail with one of these Message-IDs, the earlier in the list the better."""
    if not message_ids:
        return None
    found = await fetch_all(
        db,
        Match,
        _SELECT
        + """
         WHERE m.user_id = %(user_id)s
           AND m.direction = 'OUT'
           AND m.step_id IS NOT NULL
           AND (m.stats_id = ANY(%(stats_ids)s) AND m.message_id = ANY(%(message_ids)s)
                OR m.server_message_id = ANY(%(message_ids)s))
        """,
        {"user_id": user_id, "message_ids": list(message_ids), "stats_ids": _stats_ids(message_ids)},
    )
    places = {message_id: place for place, message_id in enumerate(message_ids)}

    def place(match: Match) -> int:
        ids = (match.message_id or "", match.server_message_id or "")
        return min(places.get(message_id, len(places)) for message_id in ids)

    return min(found, key=place, default=None)


def _stats_ids(message_ids: Sequence[str]) -> list[UUID]:
    """What the Message-IDs of our mails name, see `Written`."""
    found = []
    for message_id in message_ids:
        with suppress(ValueError):
            found.append(UUID(message_id.partition("@")[0]))
    return found


async def find_latest_to(db: Db, mailbox_id: int, email: str, now: datetime) -> Match | None:
    """Return the latest mail of this mailbox to an address: what a bounce without other marks is about."""
    found = await _list_to_address(db, mailbox_id, email.lower(), since=now - _REMEMBERED)
    return found[0] if found else None


async def _list_to_address(db: Db, mailbox_id: int, email: str, *, since: datetime) -> list[Match]:
    return await fetch_all(
        db,
        Match,
        _SELECT
        + """
          JOIN leads AS l ON l.user_id = m.user_id AND l.email = %(email)s AND l.id = m.lead_id
         WHERE m.mailbox_id = %(mailbox_id)s
           AND m.step_id IS NOT NULL
           AND m.claimed_at >= %(since)s
         ORDER BY m.claimed_at DESC
         LIMIT %(limit)s
        """,
        {"mailbox_id": mailbox_id, "email": email, "since": since, "limit": _CANDIDATES},
    )


async def _by_company(db: Db, mailbox_id: int, author: str, key: str, now: datetime) -> Match | None:
    """A colleague's answer: the same company domain and the same subject."""
    domain = domain_of(author)
    if not key or is_free_mail(domain):
        return None
    found = await fetch_all(
        db,
        Match,
        _SELECT
        + """
          JOIN leads AS l ON l.user_id = m.user_id AND l.domain = %(domain)s AND l.id = m.lead_id
         WHERE m.mailbox_id = %(mailbox_id)s
           AND m.step_id IS NOT NULL
           AND m.claimed_at >= %(since)s
         ORDER BY m.claimed_at DESC
         LIMIT %(limit)s
        """,
        {"mailbox_id": mailbox_id, "domain": domain, "since": now - _REMEMBERED, "limit": _CANDIDATES},
    )
    return _same_subject(found, key)


def _same_subject(matches: Sequence[Match], key: str) -> Match | None:
    return next((match for match in matches if key and subject_key(match.subject or "") == key), None)


_SELECT = """
        SELECT m.id, m.user_id, m.campaign_id, m.campaign_lead_id, m.lead_id, m.stats_id, m.message_id,
               m.server_message_id, m.to_email, m.subject, c.track_settings, c.stop_lead_settings,
               c.out_of_office_detection_settings AS out_of_office_settings, c.timezone,
               c.auto_pause_domain_leads_on_reply AS pauses_company, c.ai_categorisation_options AS category_ids,
               coalesce(cl.last_reply_at >= m.claimed_at, false) AS has_reply
          FROM messages AS m
          JOIN campaigns AS c ON c.id = m.campaign_id
          LEFT JOIN campaign_leads AS cl ON cl.id = m.campaign_lead_id
"""
