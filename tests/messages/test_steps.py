"""What became of each mail of a lead's sequence (contract: leads, Lead sequence details)."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from outrider.kit.db import Db, execute
from tests.support import make
from tests.support.client import ApiClient
from tests.support.leads import add, add_one, mail, place
from tests.support.make import NOW

NOT_FOUND = (404, "Lead not found - Invalid lead_id.")


@pytest.fixture
async def campaign_id(api: ApiClient, db: Db) -> int:
    return await make.campaign(db, api.user_id, has_step=False)


async def details(api: ApiClient, map_id: int, **params: Any) -> Any:
    answer = await api.get(f"/leads/{map_id}/sequence-details", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_mails_come_oldest_first_one_row_each(api: ApiClient, db: Db, campaign_id: int) -> None:
    lead_id = await add_one(api, campaign_id)
    first, second = [await make.step(db, api.user_id, campaign_id, number=number) for number in (1, 2)]
    map_id = (await place(db, campaign_id, lead_id))["id"]
    nothing = {"ok": True, "message": "Lead sequence details fetched successfully", "data": []}
    assert await details(api, map_id) == nothing
    sent_at = NOW + timedelta(seconds=11)
    await mail(db, api.user_id, campaign_id, lead_id, step_id=second, sent_at=sent_at + timedelta(days=3))
    await mail(db, api.user_id, campaign_id, lead_id, step_id=first, sent_at=sent_at)
    await mail(db, api.user_id, campaign_id, lead_id, step_id=None, kind="REPLY", direction="IN", status="RECEIVED")
    found = await details(api, map_id, campaignId=campaign_id)
    assert found == {
        **nothing,
        "data": [
            {
                "status": "SENT",
                "sent_time": "2026-03-02T09:00:11.000Z",
                "status_message": "Message sent successfully!",
                "email_campaign_seq_id": first,
            },
            {
                "status": "SENT",
                "sent_time": "2026-03-05T09:00:11.000Z",
                "status_message": "Message sent successfully!",
                "email_campaign_seq_id": second,
            },
        ],
    }


@pytest.mark.parametrize(
    ("columns", "retry_at", "status", "text"),
    [
        ({"status": "QUEUED", "sent_at": None}, None, "SCHEDULED", "Message is being sent"),
        (
            {"status": "QUEUED", "sent_at": None, "reply_text": "greylisted"},
            NOW,
            "SCHEDULED",
            "The recipient's mail server asked to try again later: greylisted",
        ),
        ({"status": "BOUNCED", "bounce_reason": "no such user"}, None, "FAILED", "Message bounced: no such user"),
        (
            {"status": "BOUNCED", "reply_text": "550 unknown"},
            None,
            "FAILED",
            "Message bounced: 550 unknown",
        ),
        ({"status": "BOUNCED"}, None, "FAILED", "Message bounced: no reason was given"),
        ({"status": "FAILED", "reply_text": "552 too big", "sent_at": None}, None, "FAILED", "552 too big"),
        ({"status": "FAILED", "sent_at": None}, None, "FAILED", "Message could not be sent"),
        (
            {"status": "UNKNOWN"},
            None,
            "FAILED",
            "It is not known whether the message was sent: the connection broke while it was handed over",
        ),
    ],
)
async def test_a_mail_says_what_became_of_it(
    api: ApiClient, db: Db, campaign_id: int, *, columns: dict[str, Any], retry_at: Any, status: str, text: str
) -> None:
    lead_id = await add_one(api, campaign_id)
    step_id = await make.step(db, api.user_id, campaign_id)
    map_id = (await place(db, campaign_id, lead_id))["id"]
    message_id = await mail(db, api.user_id, campaign_id, lead_id, step_id=step_id, created_at=NOW, **columns)
    if columns["status"] == "QUEUED":
        await execute(
            db,
            """
            INSERT INTO dispatches (message_id, campaign_lead_id, mailbox_id, campaign_id, state, engine_id, retry_at,
                                    claimed_at)
            VALUES (%(id)s, %(map_id)s, 8001, %(campaign_id)s, %(state)s, %(engine)s, %(retry_at)s, %(now)s)
            """,
            {
                "id": message_id,
                "map_id": map_id,
                "campaign_id": campaign_id,
                "state": "DEFERRED" if retry_at else "CLAIMED",
                "engine": uuid4(),
                "retry_at": retry_at,
                "now": NOW,
            },
        )
    (row,) = (await details(api, map_id))["data"]
    assert (row["status"], row["status_message"]) == (status, text)


async def test_only_the_id_of_the_lead_in_the_campaign_is_understood(
    api: ApiClient, other_api: ApiClient, client_api: ApiClient, *, db: Db, campaign_id: int
) -> None:
    lead_id = await add_one(api, campaign_id)
    other = await make.campaign(db, api.user_id)
    await add(api, other, "ada@hexly.io")
    map_id = (await place(db, campaign_id, lead_id))["id"]
    refused = [
        await api.get(f"/leads/{lead_id}/sequence-details"),
        await api.get(f"/leads/{map_id}/sequence-details", params={"campaignId": other}),
        await other_api.get(f"/leads/{map_id}/sequence-details"),
        await client_api.get(f"/leads/{map_id}/sequence-details"),
    ]
    assert [(each.status_code, each.json()["error"]) for each in refused] == [NOT_FOUND] * 4
    answer = await api.get("/leads/abc/sequence-details")
    assert (answer.status_code, answer.json()["message"]) == (400, '"lead_map_id" must be a number')
