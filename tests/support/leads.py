"""Leads for tests: `await add(api, campaign_id, "ada@hexly.io")` through the API, the rest straight into the tables."""

from datetime import datetime
from itertools import count
from typing import Any, LiteralString
from uuid import uuid4

from outrider.kit.db import Db, fetch_dict, fetch_value
from tests.support.client import ApiClient
from tests.support.make import NOW

_numbers = count(1)

ADA = {
    "first_name": "Ada",
    "last_name": "Quill",
    "phone_number": "+4670123456",
    "company_name": "Hexly",
    "website": "hexly.io",
    "location": "Lund",
    "custom_fields": {"Title": "CTO"},
    "linkedin_profile": "linkedin.com/in/adaquill",
    "company_url": "hexly.io",
}


async def add(api: ApiClient, campaign_id: int, *leads: str | dict[str, Any], **settings: bool) -> dict[str, Any]:
    """Add leads (addresses or whole leads); returns the answer, with the ids of the leads."""
    rows = [{"email": lead} if isinstance(lead, str) else lead for lead in leads]
    answer = await api.post(
        f"/campaigns/{campaign_id}/leads",
        json={"lead_list": rows, "settings": {"return_lead_ids": True, **settings}},
    )
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def add_one(api: ApiClient, campaign_id: int, email: str = "ada@hexly.io", **fields: Any) -> int:
    """Add one lead; returns its id."""
    answer = await add(api, campaign_id, {"email": email, **fields})
    return int(answer["emailToLeadIdMap"]["newlyAddedLeads"][email])


async def place(db: Db, campaign_id: int, lead_id: int) -> dict[str, Any]:
    """The lead in the campaign: its whole row."""
    row = await find_place(db, campaign_id, lead_id)
    assert row is not None
    return row


async def find_place(db: Db, campaign_id: int, lead_id: int) -> dict[str, Any] | None:
    return await fetch_dict(
        db,
        "SELECT * FROM campaign_leads WHERE campaign_id = %(campaign_id)s AND lead_id = %(lead_id)s",
        {"campaign_id": campaign_id, "lead_id": lead_id},
    )


async def person(db: Db, lead_id: int) -> dict[str, Any]:
    row = await fetch_dict(db, "SELECT * FROM leads WHERE id = %(id)s", {"id": lead_id})
    assert row is not None
    return row


async def change_place(db: Db, campaign_id: int, lead_id: int, assignment: LiteralString, **values: Any) -> None:
    """`await change_place(db, c, l, "status = 'PAUSED'")`."""
    async with db.cursor() as cursor:
        await cursor.execute(
            "UPDATE campaign_leads SET "  # noqa: S608 - literals of tests
            + assignment
            + " WHERE campaign_id = %(campaign_id)s AND lead_id = %(lead_id)s",
            {"campaign_id": campaign_id, "lead_id": lead_id, **values},
        )


async def mail(
    db: Db,
    user_id: int,
    campaign_id: int,
    lead_id: int,
    *,
    step_id: int | None,
    sent_at: datetime | None = NOW,
    **given: Any,
) -> int:
    """A mail of the campaign that was sent to the lead; other columns of `messages` by name."""
    map_id = (await place(db, campaign_id, lead_id))["id"]
    values: dict[str, Any] = {
        "user_id": user_id,
        "direction": "OUT",
        "kind": "CAMPAIGN",
        "campaign_id": campaign_id,
        "campaign_lead_id": map_id,
        "lead_id": lead_id,
        "mailbox_id": 8001,
        "step_id": step_id,
        "step_number": 1 if step_id else None,
        "stats_id": uuid4(),
        "message_id": f"{next(_numbers)}@send.hexsales.io",
        "status": "SENT",
        "from_email": "liv@send.hexsales.io",
        "to_email": "ada@hexly.io",
        "subject": "Quick idea",
        "sent_at": sent_at,
        "created_at": sent_at or NOW,
        **given,
    }
    columns = ", ".join(values)
    marks = ", ".join(f"%({name})s" for name in values)
    async with db.cursor() as cursor:
        await cursor.execute(f"INSERT INTO messages ({columns}) VALUES ({marks}) RETURNING id", values)  # type: ignore[arg-type]  # noqa: S608 - names of this file
        row = await cursor.fetchone()
    assert row is not None
    return int(row[0])


async def mark_sent(
    db: Db, campaign_id: int, lead_id: int, *, step_id: int, number: int = 1, at: datetime = NOW, mailbox_id: int = 8001
) -> None:
    """As the engine leaves a lead after a mail."""
    await change_place(
        db,
        campaign_id,
        lead_id,
        """
        status = 'INPROGRESS', mailbox_id = %(mailbox_id)s, last_step_id = %(step_id)s, last_step_number = %(number)s,
        last_sent_at = %(at)s, due_at = %(at)s
        """,
        mailbox_id=mailbox_id,
        step_id=step_id,
        number=number,
        at=at,
    )


async def count_rows(db: Db, table: LiteralString) -> int:
    return int(await fetch_value(db, "SELECT count(*) FROM " + table))  # noqa: S608 - literals of tests
