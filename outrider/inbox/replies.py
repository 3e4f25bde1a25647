"""Answers and forwards as people ask for them: who sends, to whom, in which thread, with what below (contract:
master-inbox, Reply To Lead; product behaviour 9). The engine sends them (`engine/handwritten`).
"""

import html as html_text
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from outrider.campaigns.models import Campaign
from outrider.campaigns.store import load_campaign
from outrider.content.cleaning import clean
from outrider.inbox.models import CannotForward, LeadBlocked, MailboxGone, MessageNotFound, NoSuchThread
from outrider.kit.db import Db, fetch_dict, fetch_value
from outrider.leads import conversations
from outrider.leads import store as leads
from outrider.leads.blocks import store as blocks
from outrider.leads.conversations import Conversation
from outrider.mail.address import domain_of
from outrider.mail.message_id import MAX_REFERENCES, canonical, make_message_id
from outrider.mail.text import text_to_html
from outrider.mailboxes.models import Mailbox
from outrider.mailboxes.store import find_mailbox
from outrider.messages import handwritten, received
from outrider.messages.handwritten import Draft
from outrider.messages.received import File

_PREFIXES = re.compile(r"^(?:(?:re|aw|sv|antw)\s*:\s*)+", re.IGNORECASE)
_FORWARDED = re.compile(r"^(?:fwd?|wg)\s*:\s*", re.IGNORECASE)
_TOKEN_BYTES = 16
_QUOTE = '<blockquote style="margin:0 0 0 .8ex;border-left:1px solid #ccc;padding-left:1ex">{}</blockquote>'


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What was asked for; None: as the conversation has it."""

    stats_id: str | None
    lead_id: int | None
    body: str
    answered_id: str | None
    answered_at: datetime | None
    answered_body: str | None
    to_email: str | None
    to_name: str
    cc: Sequence[str]
    bcc: Sequence[str]
    with_signature: bool
    scheduled_at: datetime | None
    condition: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Forward:
    stats_id: str | None
    message_id: str | None
    to: Sequence[str]
    cc: Sequence[str]
    bcc: Sequence[str]
    body: str
    subject: str | None


@dataclass(frozen=True, slots=True)
class _Thread:
    """Where a mail by hand belongs."""

    campaign: Campaign
    place: Conversation
    mailbox: Mailbox
    mail: dict[str, Any]
    email: str


async def draft_reply(
    db: Db, user_id: int, campaign_id: int, asked: Reply, *, scope: int | None, now: datetime
) -> Draft:
    """The mail that answers; raises for whatever stands against it."""
    lead_id = None if asked.stats_id else asked.lead_id
    thread = await _load_thread(db, user_id, campaign_id, asked.stats_id, lead_id=lead_id, scope=scope)
    await _check_lead(db, thread)
    named = canonical(asked.answered_id) if asked.answered_id else None
    answered = await _find_mail(db, user_id, thread.place.id, named, replies_first=False)
    answered = answered or {**thread.mail, "message_id": named or thread.mail["message_id"]}
    is_from_lead = answered["direction"] == "IN"
    body = _html(asked.body)
    if asked.with_signature and thread.mailbox.signature:
        body += f"<br>{thread.mailbox.signature}"
    quoted = _html(asked.answered_body) if asked.answered_body else _stored_html(answered)
    body += _quote(answered["from_email"], asked.answered_at or answered["at"], quoted, zone=thread.campaign.timezone)
    later = asked.scheduled_at if asked.scheduled_at and asked.scheduled_at > now else None
    return Draft(
        **_common(thread),
        kind="MANUAL",
        to_email=asked.to_email or (answered["from_email"] if is_from_lead else thread.email),
        to_name=asked.to_name,
        subject=f"Re: {_PREFIXES.sub('', answered['subject'] or '')}",
        html=body,
        cc=asked.cc,
        bcc=asked.bcc,
        in_reply_to=answered["message_id"],
        references=_references(answered),
        scheduled_at=later,
        schedule_condition=asked.condition,
        is_dropped_by_reply=_is_dropped_by_reply(asked.condition),
    )


async def queue_reply(db: Db, draft: Draft, files: Sequence[File], *, now: datetime) -> None:
    """The engine sends it when it is due; the conversation has been read."""
    message_id = await handwritten.insert(db, draft, now=now)
    await received.insert_files(db, draft.user_id, message_id, files)
    await conversations.set_unread(db, draft.user_id, [draft.campaign_lead_id], is_unread=False)


async def forward(db: Db, user_id: int, campaign_id: int, asked: Forward, *, scope: int | None, now: datetime) -> Draft:
    """One mail of the conversation to others, with its attachments, below what the person says to it."""
    try:
        thread = await _load_thread(db, user_id, campaign_id, asked.stats_id, lead_id=None, scope=scope)
    except NoSuchThread as problem:
        raise CannotForward from problem
    named = canonical(asked.message_id) if asked.message_id else None
    mail = await _find_mail(db, user_id, thread.place.id, named, replies_first=True)
    if mail is None or (asked.message_id and named is None):
        raise MessageNotFound
    draft = Draft(
        **_common(thread),
        kind="FORWARD",
        to_email=asked.to[0],
        more_to=asked.to[1:],
        cc=asked.cc,
        bcc=asked.bcc,
        subject=asked.subject or f"Fwd: {_FORWARDED.sub('', mail['subject'] or '')}",
        html=_html(asked.body) + _forwarded(mail, zone=thread.campaign.timezone),
    )
    message_id = await handwritten.insert(db, draft, now=now)
    count: int = await fetch_value(
        db,
        "SELECT count(*) FROM attachments WHERE user_id = %(user_id)s AND message_id = %(id)s",
        {"user_id": user_id, "id": mail["id"]},
    )
    tokens = [secrets.token_urlsafe(_TOKEN_BYTES) for _ in range(count)]
    await handwritten.copy_files(db, user_id, mail["id"], message_id, tokens)
    return draft


def _common(thread: _Thread) -> dict[str, Any]:
    return {
        "user_id": thread.place.user_id,
        "campaign_id": thread.campaign.id,
        "campaign_lead_id": thread.place.id,
        "lead_id": thread.place.lead_id,
        "mailbox_id": thread.mailbox.id,
        "stats_id": thread.mail["stats_id"],
        "message_id": make_message_id(uuid4(), domain_of(thread.mailbox.from_email)),
        "from_email": thread.mailbox.from_email,
    }


async def _load_thread(
    db: Db, user_id: int, campaign_id: int, stats_id: str | None, *, lead_id: int | None, scope: int | None
) -> _Thread:
    """By the identity of a campaign mail, which all mails of its thread have; else the lead's latest."""
    campaign = await load_campaign(db, user_id, campaign_id, client_id=scope)
    mail = await fetch_dict(
        db,
        """
        SELECT m.id, m.stats_id, m.direction, m.campaign_lead_id, m.mailbox_id, m.from_email, m.to_email, m.subject,
               coalesce(m.server_message_id, m.message_id) AS message_id, m.in_reply_to,
               coalesce(m."references", '{}') AS "references", coalesce(m.sent_at, m.claimed_at) AS at,
               body.html, body.text
          FROM messages AS m
          LEFT JOIN message_bodies AS body ON body.message_id = m.id
         WHERE m.user_id = %(user_id)s
           AND m.campaign_id = %(campaign_id)s
           AND m.step_id IS NOT NULL
           AND m.status <> 'QUEUED'
           AND (m.stats_id = %(stats_id)s OR m.lead_id = %(lead_id)s)
         ORDER BY m.id DESC
         LIMIT 1
        """,
        {"user_id": user_id, "campaign_id": campaign_id, "stats_id": _identity(stats_id), "lead_id": lead_id},
    )
    place = mail and await conversations.find_conversation(db, user_id, mail["campaign_lead_id"], client_id=scope)
    if not mail or not place:
        raise NoSuchThread
    mailbox = await find_mailbox(db, user_id, mail["mailbox_id"], client_id=None)
    if mailbox is None and place.mailbox_id is not None:  # the lead was given to another one
        mailbox = await find_mailbox(db, user_id, place.mailbox_id, client_id=None)
    if mailbox is None:
        raise MailboxGone
    return _Thread(campaign, place, mailbox, mail, mail["to_email"])


def _identity(stats_id: str | None) -> UUID | None:
    """What is none belongs to no mail."""
    try:
        return UUID(stats_id) if stats_id else None
    except ValueError:
        return None


async def _check_lead(db: Db, thread: _Thread) -> None:
    """Who has unsubscribed may be answered; whose address is blocked or dead may not."""
    lead = await leads.find_campaign_lead(db, thread.place.user_id, thread.campaign.id, thread.place.lead_id)
    is_blocked = lead is not None and lead.is_blocked_for_good
    if is_blocked or await blocks.is_blocked(
        db, thread.place.user_id, thread.email, client_id=thread.campaign.client_id, since=None
    ):
        raise LeadBlocked


async def _find_mail(
    db: Db, user_id: int, campaign_lead_id: int, message_id: str | None, *, replies_first: bool
) -> dict[str, Any] | None:
    """The mail of a conversation with this Message-ID, or its latest; `replies_first`: the lead's latest, if any."""
    return await fetch_dict(
        db,
        """
        SELECT m.id, m.stats_id, m.direction, m.from_email, m.to_email, m.subject,
               coalesce(m.server_message_id, m.message_id) AS message_id, m.in_reply_to,
               coalesce(m."references", '{}') AS "references", coalesce(m.sent_at, m.claimed_at) AS at,
               body.html, body.text
          FROM messages AS m
          LEFT JOIN message_bodies AS body ON body.message_id = m.id
         WHERE m.user_id = %(user_id)s
           AND m.campaign_lead_id = %(campaign_lead_id)s
           AND m.kind IN ('CAMPAIGN', 'MANUAL', 'REPLY', 'AUTO_REPLY')
           AND m.status <> 'QUEUED'
           AND (m.sent_at IS NOT NULL OR m.status = 'UNKNOWN')
           AND (%(message_id)s::text IS NULL
                OR m.message_id = %(message_id)s
                OR m.server_message_id = %(message_id)s)
         ORDER BY %(replies_first)s AND m.kind = 'REPLY' DESC, m.sent_at DESC NULLS LAST, m.id DESC
         LIMIT 1
        """,
        {
            "user_id": user_id,
            "campaign_lead_id": campaign_lead_id,
            "message_id": message_id,
            "replies_first": replies_first,
        },
    )


def _references(mail: dict[str, Any]) -> tuple[str, ...]:
    """Those of the mail that is answered and itself (RFC 5322 §3.6.4)."""
    before = mail["references"] or ([mail["in_reply_to"]] if mail["in_reply_to"] else [])
    known = tuple(dict.fromkeys([*before, *([mail["message_id"]] if mail["message_id"] else [])]))
    return known if len(known) <= MAX_REFERENCES else (known[0], *known[1 - MAX_REFERENCES :])


def _is_dropped_by_reply(condition: str | None) -> bool:
    """Whatever says "no reply" with any separator (contract: Reply To Lead, schedule_condition)."""
    return condition is not None and "noreply" in re.sub(r"[^a-z]", "", condition.lower())


def _html(text: str) -> str:
    """What is sent as text has lines, what is sent as HTML has them already."""
    return text if "<" in text else text_to_html(text)


def _stored_html(mail: dict[str, Any]) -> str:
    return clean(mail["html"], images=True) if mail["html"] is not None else text_to_html(mail["text"] or "")


def _quote(author: str, at: datetime | None, body: str, *, zone: str | None) -> str:
    if not body.strip():
        return ""
    when = f"On {_written(at, zone)}, " if at else ""
    return f"<br><div>{when}{html_text.escape(author)} wrote:</div>{_QUOTE.format(body)}"


def _forwarded(mail: dict[str, Any], *, zone: str | None) -> str:
    head = {
        "From": mail["from_email"],
        "Date": _written(mail["at"], zone) if mail["at"] else "",
        "Subject": mail["subject"] or "",
        "To": mail["to_email"],
    }
    lines = "<br>".join(f"{name}: {html_text.escape(value)}" for name, value in head.items() if value)
    return f"<br><div>---------- Forwarded message ----------<br>{lines}</div><br>{_stored_html(mail)}"


def _written(at: datetime, zone: str | None) -> str:
    """In English, whatever the machine speaks."""
    local = at.astimezone(ZoneInfo(zone or "UTC"))
    day = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")[local.weekday()]
    months = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
    return f"{day}, {local.day} {months[local.month - 1]} {local.year} at {local:%H:%M}"
