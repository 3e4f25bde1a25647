"""Conversations for tests of the inbox: a lead in a campaign who got a mail and, if wanted, has answered."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, LiteralString
from uuid import UUID, uuid4

from outrider.inbox import actions
from outrider.kit.db import Db, execute, fetch_value
from outrider.messages.models import ReplyReceived
from tests.support import make
from tests.support.client import ApiClient
from tests.support.leads import add_one, change_place, mail, mark_sent, place

SENT_AT = make.NOW - timedelta(days=3)


@dataclass(frozen=True, slots=True)
class Talk:
    """Ids of a conversation; `id` is that of the lead in the campaign."""

    id: int
    campaign_id: int
    lead_id: int
    mailbox_id: int
    stats_id: UUID
    mail_id: int


async def write(db: Db, message_id: int, html: str | None, text: str | None = None) -> None:
    await execute(
        db,
        "INSERT INTO message_bodies (message_id, html, text) VALUES (%(id)s, %(html)s, %(text)s)",
        {"id": message_id, "html": html, "text": text},
    )


async def talk(
    api: ApiClient,
    db: Db,
    email: str = "ada@hexly.io",
    *,
    campaign_id: int | None = None,
    mailbox_id: int | None = None,
    replied_at: datetime | None = make.NOW,
    sent_at: datetime | None = SENT_AT,
    text: str = "Tell me more",
    **fields: Any,
) -> Talk:
    """In a campaign of its own unless one is named; `replied_at` None: no answer, `sent_at` None: no mail either."""
    if campaign_id is None:
        campaign_id = await make.campaign(db, api.user_id, status="ACTIVE")
    if mailbox_id is None:
        mailbox_id = await make.mailbox(db, api.user_id)
    lead_id = await add_one(api, campaign_id, email, **fields)
    map_id = (await place(db, campaign_id, lead_id))["id"]
    stats_id, mail_id = uuid4(), 0
    if sent_at is not None:
        step_id = int(
            await fetch_value(db, "SELECT min(id) FROM steps WHERE campaign_id = %(id)s", {"id": campaign_id})
        )
        mail_id = await mail(
            db,
            api.user_id,
            campaign_id,
            lead_id,
            step_id=step_id,
            sent_at=sent_at,
            stats_id=stats_id,
            message_id=f"{stats_id}@send.hexsales.io",
            mailbox_id=mailbox_id,
            to_email=email,
            subject="Quick idea for Hexly",
        )
        await write(db, mail_id, "<div>Hi Ada</div>")
        await mark_sent(db, campaign_id, lead_id, step_id=step_id, at=sent_at, mailbox_id=mailbox_id)
    made = Talk(map_id, campaign_id, lead_id, mailbox_id, stats_id, mail_id)
    if replied_at is not None:
        await answer(api, db, made, at=replied_at, text=text, email=email)
    return made


async def answer(
    api: ApiClient,
    db: Db,
    talk: Talk,
    *,
    at: datetime,
    text: str = "Tell me more",
    email: str = "ada@hexly.io",
    message_id: str | None = None,
) -> int:
    """As the engine takes in an answer; returns the row of the mail."""
    reply_id = await mail(
        db,
        api.user_id,
        talk.campaign_id,
        talk.lead_id,
        step_id=None,
        sent_at=at,
        direction="IN",
        kind="REPLY",
        status="RECEIVED",
        stats_id=talk.stats_id,
        message_id=message_id or f"{uuid4()}@hexly.io",
        from_email=email,
        to_email="liv@send.hexsales.io",
        subject="Re: Quick idea for Hexly",
        answers_id=talk.mail_id,
        mailbox_id=talk.mailbox_id,
    )
    await write(db, reply_id, f"<p>{text}</p>")
    await change_place(db, talk.campaign_id, talk.lead_id, "last_reply_at = %(at)s", at=at)
    await actions.receive(
        db,
        [ReplyReceived(api.user_id, talk.campaign_id, talk.id, reply_id, at, talk.mail_id, is_counted=True)],
    )
    return reply_id


async def change(db: Db, talk: Talk, assignment: LiteralString, **values: Any) -> None:
    await change_place(db, talk.campaign_id, talk.lead_id, assignment, **values)


async def listed(api: ApiClient, view: str, body: dict[str, Any] | None = None, **params: Any) -> dict[str, Any]:
    """What a view answers."""
    said = await api.post(f"/master-inbox/{view}", json=body or {}, params=params)
    assert said.status_code == 200, said.text
    return dict(said.json())


async def ids(api: ApiClient, view: str, body: dict[str, Any] | None = None) -> list[int]:
    """The conversations of a view in their order."""
    return [int(row["email_lead_map_id"]) for row in (await listed(api, view, body))["data"]]
