"""To which lead does a mail belong? The first rule that matches (product behaviour 6.2).

By the Message-IDs it answers; by a lead who was mailed from this mailbox and the subject; by such a lead alone; by
somebody of a lead's company and the subject. Whatever matches is an outbound campaign mail. Many mails at a time: one
statement for each rule.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from outrider.kit.db import Db, as_records, fetch_all, fetch_one
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
    is_in_subsequence: bool
    conversation_id: int  # the lead in the campaign in which the conversation began
    has_reply: bool  # of the lead in this campaign, since this mail

    def is_named_in(self, message_ids: Sequence[str]) -> bool:
        return self.message_id in message_ids or self.server_message_id in message_ids


@dataclass(frozen=True, slots=True)
class Letter:
    """What a mail is matched by, and whose it is."""

    user_id: int
    mailbox_id: int
    incoming: Incoming

    @property
    def author(self) -> str:
        return (self.incoming.from_address or "").lower()


async def find_matches(db: Db, letters: Sequence[Letter], now: datetime) -> list[Match | None]:
    """The outbound mail each belongs to, or None: untracked."""
    found = await find_by_message_ids(db, [(letter.user_id, letter.incoming.thread_ids) for letter in letters])
    await _fill(db, found, letters, _by_address, now)
    await _fill(db, found, letters, _by_company, now)
    return found


async def find_by_message_ids(db: Db, wanted: Sequence[tuple[int, Sequence[str]]]) -> list[Match | None]:
    """For each account and its Message-IDs the outbound mail with one of them, the earlier in the list the better."""
    message_ids = sorted({message_id for _, ids in wanted for message_id in ids})
    if not message_ids:
        return [None for _ in wanted]
    matches = await fetch_all(
        db,
        Match,
        f"""
        SELECT {_MATCH}
          FROM messages AS m
               {_ITS_CAMPAIGN}
         WHERE m.user_id = ANY(%(user_ids)s)
           AND m.direction = 'OUT'
           AND m.step_id IS NOT NULL
           AND (m.stats_id = ANY(%(stats_ids)s) AND m.message_id = ANY(%(message_ids)s)
                OR m.server_message_id = ANY(%(message_ids)s))
        """,  # noqa: S608 - constants
        {
            "user_ids": sorted({user_id for user_id, _ in wanted}),
            "message_ids": message_ids,
            "stats_ids": _stats_ids(message_ids),
        },
    )
    by_id = {
        (match.user_id, name): match
        for match in matches
        for name in (match.server_message_id, match.message_id)
        if name is not None
    }
    return [
        next((by_id[user_id, name] for name in message_ids if (user_id, name) in by_id), None)
        for user_id, message_ids in wanted
    ]


def _stats_ids(message_ids: Iterable[str]) -> list[UUID]:
    """What the Message-IDs of our mails name, see `Written`."""
    found = []
    for message_id in message_ids:
        with suppress(ValueError):
            found.append(UUID(message_id.partition("@")[0]))
    return found


async def find_latest_to(db: Db, wanted: Sequence[tuple[int, int, str]], now: datetime) -> list[Match | None]:
    """For each account, mailbox and address the latest mail to it: what a bounce without other marks is about."""
    candidates = await _list_latest(db, wanted, by="email", since=now - _REMEMBERED)
    return [mails[0] if mails else None for mails in candidates]


async def find_latest_of(db: Db, user_id: int, campaign_lead_id: int) -> Match | None:
    """The latest mail that this lead got in this campaign."""
    return await fetch_one(
        db,
        Match,
        f"""
        SELECT {_MATCH}
          FROM messages AS m
               {_ITS_CAMPAIGN}
         WHERE m.user_id = %(user_id)s
           AND m.campaign_lead_id = %(campaign_lead_id)s
           AND m.step_id IS NOT NULL
           AND (m.sent_at IS NOT NULL OR m.is_doubtful)
         ORDER BY m.claimed_at DESC
         LIMIT 1
        """,  # noqa: S608 - constants
        {"user_id": user_id, "campaign_lead_id": campaign_lead_id},
    )


async def _fill(db: Db, found: list[Match | None], letters: Sequence[Letter], rule: Any, now: datetime) -> None:
    """Try a rule on those that have no match yet and have an author."""
    open_places = [place for place, match in enumerate(found) if match is None and letters[place].author]
    if not open_places:
        return
    matches = await rule(db, [letters[place] for place in open_places], now)
    for place, match in zip(open_places, matches, strict=True):
        found[place] = match


async def _by_address(db: Db, letters: Sequence[Letter], now: datetime) -> list[Match | None]:
    wanted = [(letter.user_id, letter.mailbox_id, letter.author) for letter in letters]
    candidates = await _list_latest(db, wanted, by="email", since=now - _REMEMBERED)
    return [
        _same_subject(mails, letter) or (mails[0] if mails else None)
        for mails, letter in zip(candidates, letters, strict=True)
    ]


async def _by_company(db: Db, letters: Sequence[Letter], now: datetime) -> list[Match | None]:
    """A colleague's answer: the same company domain and the same subject."""
    wanted = [(letter.user_id, letter.mailbox_id, _company(letter)) for letter in letters]
    candidates = await _list_latest(db, wanted, by="domain", since=now - _REMEMBERED)
    return [_same_subject(mails, letter) for mails, letter in zip(candidates, letters, strict=True)]


def _company(letter: Letter) -> str:
    """The author's domain; "" if it says nothing."""
    domain = domain_of(letter.author)
    return domain if subject_key(letter.incoming.subject) and not is_free_mail(domain) else ""


def _same_subject(matches: Sequence[Match], letter: Letter) -> Match | None:
    key = subject_key(letter.incoming.subject)
    return next((match for match in matches if key and subject_key(match.subject or "") == key), None)


@dataclass(frozen=True, slots=True)
class _Candidate(Match):
    place: int


async def _list_latest(
    db: Db, wanted: Sequence[tuple[int, int, str]], *, by: Literal["email", "domain"], since: datetime
) -> list[list[_Candidate]]:
    """For each account, mailbox and address (or domain) the latest mails from the one to the other, newest first."""
    rows = [
        {"place": place, "user_id": user_id, "mailbox_id": mailbox_id, "name": name}
        for place, (user_id, mailbox_id, name) in enumerate(wanted)
        if name
    ]
    candidates = await fetch_all(
        db,
        _Candidate,
        f"""
        SELECT {_MATCH}, wanted.place
          FROM json_to_recordset(%(wanted)s::json)
               AS wanted (place integer, user_id bigint, mailbox_id bigint, name text)
         CROSS JOIN LATERAL (
                SELECT sent.id
                  FROM leads
                  JOIN messages AS sent ON sent.lead_id = leads.id
                 WHERE leads.user_id = wanted.user_id
                   AND leads.{by} = wanted.name
                   AND sent.mailbox_id = wanted.mailbox_id
                   AND sent.step_id IS NOT NULL
                   AND sent.claimed_at >= %(since)s
                 ORDER BY sent.claimed_at DESC
                 LIMIT %(limit)s
               ) AS latest
          JOIN messages AS m ON m.id = latest.id
               {_ITS_CAMPAIGN}
         ORDER BY m.claimed_at DESC
        """,  # noqa: S608 - constants
        {"wanted": as_records(rows), "since": since, "limit": _CANDIDATES},
    )
    by_place: dict[int, list[_Candidate]] = defaultdict(list)
    for candidate in candidates:
        by_place[candidate.place].append(candidate)
    return [by_place[place] for place in range(len(wanted))]


_MATCH = """
               m.id, m.user_id, m.campaign_id, m.campaign_lead_id, m.lead_id, m.stats_id, m.message_id,
               m.server_message_id, m.to_email, m.subject, c.track_settings, c.stop_lead_settings,
               c.out_of_office_detection_settings AS out_of_office_settings, c.timezone,
               c.auto_pause_domain_leads_on_reply AS pauses_company, c.ai_categorisation_options AS category_ids,
               c.parent_campaign_id IS NOT NULL AS is_in_subsequence,
               coalesce(cl.parent_campaign_lead_id, m.campaign_lead_id) AS conversation_id,
               coalesce(cl.last_reply_at >= m.claimed_at, false) AS has_reply
"""
_ITS_CAMPAIGN = """
          JOIN campaigns AS c ON c.id = m.campaign_id
          LEFT JOIN campaign_leads AS cl ON cl.id = m.campaign_lead_id
"""
