"""A history of an account: who was mailed when, and what happened. It is stored by the product's own writers of events.

Nothing here knows of figures. What they must be is said by the contract (worked.json) and by `recount`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import orjson

from outrider.kit.db import Db, execute
from outrider.messages import engagement, ledger
from outrider.messages.engagement import MachineHits
from outrider.messages.ledger import EventRow
from tests.support.make import NOW

SENTIMENTS = {
    1: "positive",
    2: "positive",
    3: "negative",
    4: "negative",
    5: "positive",
    6: "neutral",
    7: "neutral",
    8: None,
    9: None,
}
CATEGORY_NAMES = {
    1: "Interested",
    2: "Meeting Request",
    3: "Not Interested",
    4: "Do Not Contact",
    5: "Information Request",
    6: "Out Of Office",
    7: "Wrong Person",
    8: "Uncategorizable by Ai",
    9: "Sender Originated Bounce",
}


@dataclass(frozen=True)
class Client:
    id: int
    name: str
    created_at: datetime
    email: str
    uuid: UUID | None = None
    logo: str | None = None


@dataclass(frozen=True)
class Campaign:
    id: int
    name: str
    client_id: int | None
    status: str = "ACTIVE"
    created_at: datetime = NOW
    is_tracked: bool = True
    step_count: int = 3


@dataclass(frozen=True)
class Mailbox:
    id: int
    address: str
    type: str
    client_id: int | None = None
    tags: tuple[int, ...] = ()
    campaigns: tuple[int, ...] = ()
    is_imap_success: bool = True
    warmup: str | None = None


@dataclass(frozen=True)
class Event:
    """OPEN, CLICK (`is_machine`: of a program), REPLY, BOUNCE, SENDER_BOUNCE, UNSUBSCRIBE."""

    type: str
    at: datetime
    is_machine: bool = False


@dataclass(frozen=True)
class Mail:
    campaign_id: int
    lead: str
    mailbox_id: int
    step: int
    sent_at: datetime
    events: tuple[Event, ...] = ()
    is_tracked: bool = True

    def first(self, *types: str) -> datetime | None:
        """When the first such event of a person happened."""
        return min((event.at for event in self.events if event.type in types and not event.is_machine), default=None)


@dataclass(frozen=True)
class Lead:
    """What a lead of a campaign is now."""

    campaign_id: int
    email: str
    category_id: int | None = None
    status: str = "INPROGRESS"
    member_id: int | None = None


@dataclass(frozen=True)
class ManualReply:
    campaign_id: int
    lead: str
    at: datetime


@dataclass
class History:
    clients: Sequence[Client] = ()
    campaigns: Sequence[Campaign] = ()
    mailboxes: Sequence[Mailbox] = ()
    mails: Sequence[Mail] = ()
    leads: Sequence[Lead] = ()
    tags: Sequence[tuple[int, str, str]] = ()
    manual_replies: Sequence[ManualReply] = ()
    people: Sequence[tuple[int, str]] = ()
    dropped: frozenset[tuple[int, int]] = frozenset()
    """Campaign and number of steps whose sequence was emptied."""
    message_ids: dict[int, int] = field(default_factory=dict)

    def campaign(self, campaign_id: int) -> Campaign:
        return next(each for each in self.campaigns if each.id == campaign_id)

    def mailbox(self, mailbox_id: int) -> Mailbox:
        return next(each for each in self.mailboxes if each.id == mailbox_id)

    def lead(self, campaign_id: int, email: str) -> Lead | None:
        return next((each for each in self.leads if (each.campaign_id, each.email) == (campaign_id, email)), None)


async def put(db: Db, table: str, rows: Sequence[dict[str, Any]]) -> None:
    """Rows as they are; what they do not name has its default."""
    if rows:
        columns = ", ".join(f'"{name}"' for name in rows[0])
        await execute(
            db,
            f"INSERT INTO {table} ({columns}) SELECT {columns} FROM json_populate_recordset(NULL::{table}, %(rows)s)",  # type: ignore[arg-type]  # noqa: S608
            {"rows": orjson.dumps(rows).decode()},
        )


async def store(db: Db, user_id: int, history: History) -> None:
    """Ids of campaigns, clients, mailboxes and people are those of the history; the others are counted on from 10^6."""
    made = {"user_id": user_id, "created_at": NOW, "updated_at": NOW}
    base = user_id * 1_000_000
    emails = sorted({lead.email for lead in history.leads} | {mail.lead for mail in history.mails})
    lead_ids = {email: base + number for number, email in enumerate(emails)}
    map_ids = {(lead.campaign_id, lead.email): base + number for number, lead in enumerate(history.leads)}
    step_ids = {
        (campaign.id, number): base + campaign.id * 100 + number
        for campaign in history.campaigns
        for number in range(1, campaign.step_count + 1)
    }
    await put(
        db,
        "clients",
        [
            made
            | {
                "id": client.id,
                "name": client.name,
                "email": client.email,
                "uuid": client.uuid or uuid4(),
                "logo": client.logo,
                "permissions": [],
                "restricted_category_ids": [],
                "is_whitelabel": False,
                "is_credit_assigned": False,
                "email_credits": 0,
                "lead_credits": 0,
                "created_at": client.created_at,
            }
            for client in history.clients
        ],
    )
    await put(
        db,
        "people",
        [
            made | {"id": id_, "name": name, "email": f"p{id_}@team.example", "role": "member", "password_hash": "x"}
            for id_, name in history.people
        ],
    )
    await _put_campaigns(db, history, made, step_ids)
    await _put_mailboxes(db, history, made)
    of_lead = {"custom_fields": {}, "is_unsubscribed": False, "unsubscribed_client_ids": []}
    await put(db, "leads", [made | of_lead | {"id": id_, "email": email} for email, id_ in lead_ids.items()])
    last = {(mail.campaign_id, mail.lead): mail for mail in sorted(history.mails, key=lambda mail: mail.sent_at)}
    await put(
        db,
        "campaign_leads",
        [
            made
            | {
                "id": map_ids[lead.campaign_id, lead.email],
                "campaign_id": lead.campaign_id,
                "lead_id": lead_ids[lead.email],
                "status": lead.status,
                "category_id": lead.category_id,
                "team_member_id": lead.member_id,
                "is_unread": False,
                "is_important": False,
                "is_archived": False,
                "last_step_number": last[key].step if (key := (lead.campaign_id, lead.email)) in last else 0,
                "last_step_id": step_ids[lead.campaign_id, last[key].step] if key in last else None,
                "is_completed_by_hand": False,
                "is_unsubscribed": False,
                "is_category_set_by_hand": False,
                "revenue": 0,
            }
            for lead in history.leads
        ],
    )
    await _put_mails(db, history, Ids(user_id, lead_ids, map_ids, step_ids))


async def _put_campaigns(db: Db, history: History, made: dict[str, Any], step_ids: dict[tuple[int, int], int]) -> None:
    for campaign in history.campaigns:
        await execute(
            db,
            """
            INSERT INTO campaigns (id, user_id, client_id, name, status, created_at, updated_at)
            VALUES (%(id)s, %(user_id)s, %(client_id)s, %(name)s, %(status)s, %(created_at)s, %(created_at)s)
            """,
            {
                "id": campaign.id,
                "user_id": made["user_id"],
                "client_id": campaign.client_id,
                "name": campaign.name,
                "status": campaign.status,
                "created_at": campaign.created_at,
            },
        )
    await put(
        db,
        "steps",
        [
            made
            | {
                "id": step_id,
                "campaign_id": campaign_id,
                "number": number,
                "type": "EMAIL",
                "delay_days": 1,
                "subject": "Port fees",
                "email_body": "Hello",
                "variant_distribution_type": "MANUAL_EQUAL",
                "is_analytics_dropped": (campaign_id, number) in history.dropped,
                "deleted_at": NOW if (campaign_id, number) in history.dropped else None,
            }
            for (campaign_id, number), step_id in step_ids.items()
        ],
    )


async def _put_mailboxes(db: Db, history: History, made: dict[str, Any]) -> None:
    for mailbox in history.mailboxes:
        await execute(
            db,
            """
            INSERT INTO mailboxes (id, user_id, client_id, type, from_name, from_email, warmup_key, is_imap_success,
                                   created_at, updated_at)
            VALUES (%(id)s, %(user_id)s, %(client_id)s, %(type)s, 'Nora', %(address)s, 'maple-otter', %(imap)s,
                    %(now)s, %(now)s)
            """,
            {
                "id": mailbox.id,
                "user_id": made["user_id"],
                "client_id": mailbox.client_id,
                "type": mailbox.type,
                "address": mailbox.address,
                "imap": mailbox.is_imap_success,
                "now": NOW,
            },
        )
        if mailbox.warmup:
            await execute(
                db,
                """
                INSERT INTO mailbox_warmups (mailbox_id, user_id, status, created_at, updated_at)
                VALUES (%(id)s, %(user_id)s, %(status)s, %(now)s, %(now)s)
                """,
                {"id": mailbox.id, "user_id": made["user_id"], "status": mailbox.warmup, "now": NOW},
            )
    user_id, base = made["user_id"], made["user_id"] * 1_000_000
    await put(
        db,
        "tags",
        [
            {"id": id_, "user_id": user_id, "name": name, "color": color, "created_at": NOW}
            for id_, name, color in history.tags
        ],
    )
    pairs = [(mailbox.id, tag) for mailbox in history.mailboxes for tag in mailbox.tags]
    await put(
        db,
        "mailbox_tags",
        [
            {"id": base + number, "user_id": user_id, "mailbox_id": mailbox_id, "tag_id": tag_id}
            for number, (mailbox_id, tag_id) in enumerate(pairs)
        ],
    )
    attached = [(mailbox.id, campaign_id) for mailbox in history.mailboxes for campaign_id in mailbox.campaigns]
    for mailbox_id, campaign_id in attached:
        await execute(
            db,
            """
            INSERT INTO campaign_mailboxes (user_id, campaign_id, mailbox_id, created_at, updated_at)
            VALUES (%(user_id)s, %(campaign_id)s, %(mailbox_id)s, %(now)s, %(now)s)
            """,
            {"user_id": user_id, "campaign_id": campaign_id, "mailbox_id": mailbox_id, "now": NOW},
        )


@dataclass(frozen=True)
class Ids:
    user_id: int
    leads: dict[str, int]
    campaign_leads: dict[tuple[int, str], int]
    steps: dict[tuple[int, int], int]


async def _put_mails(db: Db, history: History, ids: Ids) -> None:
    user_id, lead_ids, map_ids, step_ids = ids.user_id, ids.leads, ids.campaign_leads, ids.steps
    base = user_id * 1_000_000
    out = {"user_id": user_id, "direction": "OUT", "kind": "CAMPAIGN", "status": "SENT", "cc": [], "created_at": NOW}
    zero = dict.fromkeys(
        ("attempt_count", "open_count", "click_count", "machine_open_count", "machine_click_count"), 0
    ) | {"is_reply_ignored": False, "is_read": False}
    rows, gone = [], 900_000
    for number, mail in enumerate(history.mails):
        history.message_ids[number] = base + number
        gone += 1  # the row of a lead that was taken out of its campaign; its mails keep naming it
        rows.append(
            out
            | zero
            | {
                "id": base + number,
                "campaign_id": mail.campaign_id,
                "campaign_lead_id": map_ids.get((mail.campaign_id, mail.lead), base + gone),
                "lead_id": lead_ids[mail.lead],
                "mailbox_id": mail.mailbox_id,
                "step_id": step_ids[mail.campaign_id, mail.step],
                "step_number": mail.step,
                "stats_id": UUID(int=base + number),
                "message_id": f"{base + number}@mails.example",
                "from_email": history.mailbox(mail.mailbox_id).address,
                "to_email": mail.lead,
                "subject": "Port fees",
                "sent_at": mail.sent_at,
                "claimed_at": mail.sent_at - timedelta(seconds=2),
                "is_open_tracked": mail.is_tracked,
            }
        )
    await put(db, "messages", rows)
    await put(
        db,
        "messages",
        [
            out
            | zero
            | {
                "id": base + 500_000 + number,
                "kind": "MANUAL",
                "campaign_id": reply.campaign_id,
                "campaign_lead_id": map_ids[reply.campaign_id, reply.lead],
                "lead_id": lead_ids[reply.lead],
                "mailbox_id": history.mailboxes[0].id,
                "stats_id": UUID(int=base + 500_000 + number),
                "message_id": f"manual{base + number}@mails.example",
                "from_email": history.mailboxes[0].address,
                "to_email": reply.lead,
                "subject": "Re: Port fees",
                "sent_at": reply.at,
                "is_open_tracked": False,
            }
            for number, reply in enumerate(history.manual_replies)
        ],
    )
    await _tell(db, user_id, history, map_ids)


async def _tell(db: Db, user_id: int, history: History, map_ids: dict[tuple[int, str], int]) -> None:
    """Events as the product writes them: into the list, and from there on to the mail."""
    listed: list[EventRow] = []
    machines: list[MachineHits] = []
    for number, mail in enumerate(history.mails):
        message_id = history.message_ids[number]

        def line(kind: str, at: datetime, mail: Mail = mail, message_id: int = message_id) -> EventRow:
            map_id = map_ids.get((mail.campaign_id, mail.lead))
            return EventRow(user_id, mail.campaign_id, map_id, message_id, kind, at)

        listed.append(line("SENT", mail.sent_at))
        hits = [event for event in mail.events if event.type in {"OPEN", "CLICK"}]
        listed += [
            line({"OPEN": "OPENED", "CLICK": "CLICKED"}[event.type], event.at) for event in hits if not event.is_machine
        ]
        if hits:
            opens = sum(event.is_machine and event.type == "OPEN" for event in hits)
            clicks = sum(event.is_machine and event.type == "CLICK" for event in hits)
            machines.append(MachineHits(message_id, open_count=opens, click_count=clicks))
        listed += [line("REPLIED", event.at) for event in mail.events if event.type == "REPLY"]
        listed += [line("BOUNCED", event.at) for event in mail.events if event.type.endswith("BOUNCE")]
        listed += [line("UNSUBSCRIBED", event.at) for event in mail.events if event.type == "UNSUBSCRIBE"]
        for event in sorted(mail.events, key=lambda event: event.at):
            if event.type == "REPLY":
                await engagement.record_replies(db, [engagement.Reply(message_id, event.at, is_counted=True)])
            elif event.type in {"BOUNCE", "SENDER_BOUNCE"}:
                kind = "HARD" if event.type == "BOUNCE" else "SENDER"
                await engagement.record_bounce(db, message_id, event.at, kind=kind, reason="5.1.1")
            elif event.type == "UNSUBSCRIBE":
                await execute(
                    db,
                    "UPDATE messages SET unsubscribed_at = least(unsubscribed_at, %(at)s) WHERE id = %(id)s",
                    {"id": message_id, "at": event.at},
                )
    await ledger.record_events(db, listed)
    if machines:
        await engagement.count_hits(db, machines)


def at(month_day_time: str, year: int = 2025) -> datetime:
    """`07-28 14:00:00` in UTC."""
    return datetime.fromisoformat(f"{year}-{month_day_time}").replace(tzinfo=UTC)
