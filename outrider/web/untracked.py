"""Untracked replies for people: what came to a mailbox and belongs to no lead, and whom to give it to."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from outrider.engine.inbound.attaching import attach
from outrider.inbox import search
from outrider.inbox.actions import load_conversation
from outrider.inbox.untracked import UntrackedFilter, list_untracked
from outrider.kit.db import Db, fetch_all, fetch_one
from outrider.kit.errors import NotAllowed
from outrider.mail.address import domain_of, is_free_mail
from outrider.mail.quote import new_text_of
from outrider.users.models import Role
from outrider.web import forms, mails
from outrider.web.shell import SAFE, NotHere, Visit, number_of, page, show

PATH = "/app/untracked-replies"
_SHOWN, _CANDIDATES = 100, 20
_BEGINNING = 160


class MayOnlyRead(NotAllowed):
    """Your role may only read here. Ask an owner or an admin of the account."""


@dataclass(frozen=True, slots=True)
class UntrackedMail:
    """As `mails.Mail`."""

    id: int
    mailbox_id: int
    from_email: str
    to_email: str
    cc: list[str]
    subject: str | None
    html: str | None
    text: str | None
    sent_at: datetime
    attachments: list[dict[str, Any]]

    @property
    def is_reply(self) -> bool:
        return True


@dataclass(frozen=True, slots=True)
class Candidate:
    """A lead in a campaign who has got mail there."""

    id: int
    email: str
    name: str
    company_name: str | None
    campaign_name: str
    last_sent_at: datetime


@page
async def untracked_list(visit: Visit) -> Response:
    total, rows = await list_untracked(visit.db, visit.user_id, UntrackedFilter(), scope=None, offset=0, limit=_SHOWN)
    replies = [(row, _beginning(row)) for row in rows]
    return show(visit, "untracked_list.html", replies=replies, total=total, path=PATH)


@page
async def untracked(visit: Visit) -> Response:
    """GET: the reply, and leads it may be from; POST: give it to one of them."""
    row_id = number_of(visit.request.path_params["reply_id"])
    if visit.request.method == "POST":
        return await _attach(visit, row_id)
    mail = await _find(visit.db, visit.user_id, row_id)
    if mail is None:
        raise NotHere
    asked = _search_of(visit.request)
    path = f"{PATH}/{mail.id}?{urlencode({'search': asked})}"
    return show(
        visit,
        "untracked.html",
        mail=mails.shown(mail, images_of=mails.asked_images(visit)),
        path=path,
        search=asked,
        candidates=await _list_candidates(visit.db, visit.user_id, mail, asked),
        may_attach=visit.person.role is not Role.VIEWER,
    )


async def _attach(visit: Visit, row_id: int) -> Response:
    fields = await forms.read(visit.request, visit.settings)
    if visit.person.role is Role.VIEWER:
        raise MayOnlyRead
    map_id = number_of(fields.get("lead_map", ""))
    place = await load_conversation(visit.db, visit.user_id, map_id, lead_id=None, campaign_id=None, scope=None)
    await attach(visit.db, visit.user_id, place, row_id=row_id, now=visit.now)
    return RedirectResponse(f"/app/master-inbox?leadMap={place.id}#mail-{row_id}", status_code=303, headers=SAFE)


def _search_of(request: Request) -> str:
    return request.query_params.get("search", "").replace("\0", "").strip()[:100]


def _beginning(row: dict[str, Any]) -> str:
    words = " ".join(new_text_of(row["text"], row["html"]).split())
    return f"{words[:_BEGINNING]}…" if len(words) > _BEGINNING else words


async def _find(db: Db, user_id: int, row_id: int) -> UntrackedMail | None:
    return await fetch_one(
        db,
        UntrackedMail,
        """
        SELECT m.id, m.mailbox_id, m.from_email, m.to_email, m.cc, m.subject, body.html, body.text, m.sent_at,
               ARRAY(SELECT jsonb_build_object('token', file.token, 'name', file.name, 'type', file.type,
                                               'size', file.size, 'content_id', file.content_id,
                                               'is_kept', file.content IS NOT NULL)
                       FROM attachments AS file
                      WHERE file.message_id = m.id
                      ORDER BY file.id) AS attachments
          FROM messages AS m
          LEFT JOIN message_bodies AS body ON body.message_id = m.id
         WHERE m.user_id = %(user_id)s
           AND m.id = %(row_id)s
           AND m.kind = 'UNTRACKED'
        """,
        {"user_id": user_id, "row_id": row_id},
    )


_BY_SEARCH = """
    lower(leads.email || ' ' || coalesce(leads.first_name, '') || ' ' || coalesce(leads.last_name, '')) LIKE %(pattern)s
"""
_BY_COMPANY = "leads.domain = %(domain)s"


async def _list_candidates(db: Db, user_id: int, mail: UntrackedMail, asked: str) -> list[Candidate]:
    """By the words that were searched for; without any those of the author's company. His own mailbox's first."""
    domain = domain_of(mail.from_email.lower()) if "@" in mail.from_email else ""
    if not asked and (not domain or is_free_mail(domain)):
        return []
    return await fetch_all(
        db,
        Candidate,
        f"""
        SELECT place.id, leads.email, concat_ws(' ', leads.first_name, leads.last_name) AS name, leads.company_name,
               campaigns.name AS campaign_name, place.last_sent_at
          FROM leads
          JOIN campaign_leads AS place ON place.lead_id = leads.id
          JOIN campaigns ON campaigns.id = place.campaign_id
         WHERE leads.user_id = %(user_id)s
           AND place.last_sent_at IS NOT NULL
           AND {_BY_SEARCH if asked else _BY_COMPANY}
         ORDER BY place.mailbox_id = %(mailbox_id)s DESC, place.last_sent_at DESC, place.id
         LIMIT %(limit)s
        """,  # noqa: S608 - constants
        {
            "user_id": user_id,
            "pattern": search.pattern(asked),
            "domain": domain,
            "mailbox_id": mail.mailbox_id,
            "limit": _CANDIDATES,
        },
    )
