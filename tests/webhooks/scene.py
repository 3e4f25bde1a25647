"""The world of the contract's examples: one account, a campaign, a lead, a mail and its reply, with their ids."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from outrider.kit.db import Db, execute, fetch_dicts, fetch_value

USER = 4711
CAMPAIGN = 5521
LEAD = 90417
CAMPAIGN_LEAD = 120553
MAILBOX = 77
STEP = 9901
MAIL = 500
REPLY = 501
WEBHOOK = 8123
SECRET = "0d9f6a52-6f0e-4b3c-9a55-2a4e4c0f7b11"
STATS_ID = "5a3e0d1c-7b52-4c0e-8f7d-0a1b2c3d4e5f"
CREATED_AT = datetime(2026, 3, 2, 9, 14, 21, 530_000, tzinfo=UTC)
SENT_AT = datetime(2026, 3, 30, 8, 0, 2, 117_000, tzinfo=UTC)
REPLIED_AT = datetime(2026, 3, 30, 11, 42, 8, tzinfo=UTC)
EXAMPLES = Path(__file__).parent / "examples"


def example(name: str) -> Any:
    """One of the contract's own."""
    return json.loads((EXAMPLES / f"{name}.json").read_text("utf-8"))


async def insert(db: Db, table: str, **values: Any) -> int:
    """One row; returns its id, if the table has one."""
    columns = ", ".join(f'"{name}"' for name in values)
    places = ", ".join(f"%({name})s" for name in values)
    adapted = {name: Jsonb(value) if isinstance(value, dict) else value for name, value in values.items()}
    row = await fetch_dicts(db, f"INSERT INTO {table} ({columns}) VALUES ({places}) RETURNING *", adapted)  # type: ignore[arg-type]  # noqa: S608
    return int(row[0].get("id", 0)) if not isinstance(row[0].get("id"), UUID) else 0


async def account(db: Db, user_id: int = USER) -> int:
    return await insert(
        db,
        "accounts",
        id=user_id,
        name="Outreach",
        webhook_secret=SECRET if user_id == USER else UUID(int=user_id),
        created_at=CREATED_AT,
        updated_at=CREATED_AT,
    )


async def client(db: Db, client_id: int = 31, user_id: int = USER) -> int:
    return await insert(
        db,
        "clients",
        id=client_id,
        user_id=user_id,
        name="Harbor Lane",
        email=f"ops{client_id}@harborlane.example",
        created_at=CREATED_AT,
        updated_at=CREATED_AT,
    )


async def campaign(db: Db, campaign_id: int = CAMPAIGN, *, user_id: int = USER, **given: Any) -> int:
    values = {"name": "Spring pilots", "status": "ACTIVE", **given}
    return await insert(
        db, "campaigns", id=campaign_id, user_id=user_id, created_at=CREATED_AT, updated_at=CREATED_AT, **values
    )


async def mailbox(db: Db, mailbox_id: int = MAILBOX, *, user_id: int = USER, **given: Any) -> int:
    values = {"from_email": "jo@send.example", "from_name": "Jo", "type": "SMTP", **given}
    return await insert(
        db,
        "mailboxes",
        id=mailbox_id,
        user_id=user_id,
        warmup_key="maple-otter",
        created_at=CREATED_AT,
        updated_at=CREATED_AT,
        **values,
    )


async def attach(db: Db, campaign_id: int = CAMPAIGN, mailbox_id: int = MAILBOX) -> None:
    await insert(
        db,
        "campaign_mailboxes",
        user_id=USER,
        campaign_id=campaign_id,
        mailbox_id=mailbox_id,
        created_at=CREATED_AT,
        updated_at=CREATED_AT,
    )


async def lead(
    db: Db,
    lead_id: int = LEAD,
    campaign_lead_id: int = CAMPAIGN_LEAD,
    *,
    campaign_id: int = CAMPAIGN,
    user_id: int = USER,
    last_step_number: int = 1,
    category_id: int | None = None,
    **given: Any,
) -> int:
    """A person and her place in the campaign."""
    values = {
        "email": "mira@tallowworks.example",
        "first_name": "Mira",
        "last_name": "Voss",
        "company_name": "Tallow Works",
        **given,
    }
    await insert(db, "leads", id=lead_id, user_id=user_id, created_at=CREATED_AT, updated_at=CREATED_AT, **values)
    return await insert(
        db,
        "campaign_leads",
        id=campaign_lead_id,
        user_id=user_id,
        campaign_id=campaign_id,
        lead_id=lead_id,
        mailbox_id=MAILBOX,
        status="INPROGRESS",
        last_step_number=last_step_number,
        category_id=category_id,
        created_at=CREATED_AT,
        updated_at=CREATED_AT,
    )


async def mail(
    db: Db, number: int = MAIL, *, html: str | None = "<p>Hello Mira</p>", text: str | None = None, **given: Any
) -> int:
    """A campaign mail that was sent."""
    stats_id = given.pop("stats_id", STATS_ID)
    values = {
        "user_id": USER,
        "direction": "OUT",
        "kind": "CAMPAIGN",
        "campaign_id": CAMPAIGN,
        "campaign_lead_id": CAMPAIGN_LEAD,
        "lead_id": LEAD,
        "mailbox_id": MAILBOX,
        "step_id": STEP,
        "step_number": 1,
        "message_id": f"{stats_id}@send.example",
        "status": "SENT",
        "from_email": "jo@send.example",
        "to_email": "mira@tallowworks.example",
        "subject": "Idea for Tallow Works",
        "sent_at": SENT_AT,
        "created_at": SENT_AT,
        **given,
    }
    await insert(db, "messages", id=number, stats_id=stats_id, **values)
    await insert(db, "message_bodies", message_id=number, html=html, text=text)
    return number


async def reply(
    db: Db,
    number: int = REPLY,
    *,
    html: str | None = "<div>Sounds good, Tuesday?</div><blockquote>Hello Mira</blockquote>",
    text: str | None = None,
    raw: bytes | None = None,
    **given: Any,
) -> int:
    """An answer to the mail."""
    values = {
        "user_id": USER,
        "direction": "IN",
        "kind": "REPLY",
        "campaign_id": CAMPAIGN,
        "campaign_lead_id": CAMPAIGN_LEAD,
        "lead_id": LEAD,
        "mailbox_id": MAILBOX,
        "stats_id": STATS_ID,
        "message_id": "CAK9x+qd71@mail.tallowworks.example",
        "answers_id": MAIL,
        "status": "RECEIVED",
        "from_email": "sam@tallowworks.example",
        "to_email": "jo@send.example",
        "cc": ["sam@tallowworks.example"],
        "subject": "Re: Idea for Tallow Works",
        "sent_at": REPLIED_AT,
        "created_at": REPLIED_AT,
        **given,
    }
    await insert(db, "messages", id=number, **values)
    await insert(db, "message_bodies", message_id=number, html=html, text=text)
    if raw is not None:
        await insert(db, "message_sources", message_id=number, raw=raw, created_at=REPLIED_AT)
    return number


async def webhook(
    db: Db, webhook_id: int = WEBHOOK, *event_types: str, level: str = "campaign", user_id: int = USER, **given: Any
) -> int:
    values = {
        "association_type": level,
        "campaign_id": CAMPAIGN if level == "campaign" else None,
        "name": "CRM replies",
        "webhook_url": "https://hooks.example.net/sl/7f2c",
        **given,
    }
    return await insert(
        db,
        "webhooks",
        id=webhook_id,
        user_id=user_id,
        event_types=list(event_types) or ["EMAIL_SENT"],
        created_at=CREATED_AT,
        updated_at=CREATED_AT,
        **values,
    )


async def play(db: Db, *event_types: str, **campaign_values: Any) -> None:
    """Everything: the account, its campaign with a lead and a mail, and a webhook for these events."""
    await account(db)
    await campaign(db, **campaign_values)
    await mailbox(db)
    await attach(db)
    await lead(db)
    await mail(db)
    await webhook(db, WEBHOOK, *event_types)


async def event(
    db: Db,
    *,
    webhook_ids: tuple[int, ...] = (WEBHOOK,),
    event_type: str = "EMAIL_SENT",
    occurred_at: datetime = SENT_AT,
    campaign_lead_id: int | None = CAMPAIGN_LEAD,
    campaign_id: int | None = CAMPAIGN,
    user_id: int = USER,
    **delivery: Any,
) -> int:
    """An event with a delivery for each webhook, in any state; the id of the last delivery."""
    event_id = await insert(
        db,
        "webhook_events",
        user_id=user_id,
        campaign_id=campaign_id,
        campaign_lead_id=campaign_lead_id,
        event_type=event_type,
        occurred_at=occurred_at,
        payload={"number": await fetch_value(db, "SELECT count(*) FROM webhook_events")},
    )
    values = {"state": "SCHEDULED", "next_attempt_at": occurred_at, **delivery}
    delivery_id = 0
    for webhook_id in webhook_ids:
        delivery_id = await insert(
            db,
            "webhook_deliveries",
            user_id=user_id,
            webhook_id=webhook_id,
            event_id=event_id,
            campaign_lead_id=campaign_lead_id,
            **values,
        )
    return delivery_id


async def set_url(db: Db, url: str) -> None:
    await execute(db, "UPDATE webhooks SET webhook_url = %(url)s", {"url": url})


async def deliveries(db: Db) -> list[dict[str, Any]]:
    return await fetch_dicts(db, "SELECT * FROM webhook_deliveries ORDER BY id")
