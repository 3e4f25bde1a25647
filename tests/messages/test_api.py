"""Conversations over HTTP."""

from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest
from psycopg.types.json import Jsonb

from outrider.kit.db import Db, execute, fetch_value
from outrider.mail.autoreply import AutoReply, AutoReplyKind
from outrider.mail.parse import Correspondent
from outrider.messages.received import insert_auto_replies
from tests.support import make
from tests.support.client import ApiClient
from tests.support.leads import add_one, mail, place
from tests.support.make import NOW

STATS_ID = UUID("7b1c22d0-5a90-4c1e-9b3f-0d2f6f0a7c11")
SENT_AT = NOW + timedelta(seconds=11)
REPLIED_AT = NOW + timedelta(hours=4, milliseconds=117)


@pytest.fixture
async def campaign_id(api: ApiClient, db: Db) -> int:
    return await make.campaign(db, api.user_id)


@pytest.fixture
async def lead_id(api: ApiClient, campaign_id: int) -> int:
    return await add_one(api, campaign_id)


@pytest.fixture
async def step_id(db: Db, campaign_id: int) -> int:
    return int(await fetch_value(db, "SELECT id FROM steps WHERE campaign_id = %(id)s", {"id": campaign_id}))


async def write(db: Db, message_id: int, html: str | None, text: str | None = None) -> None:
    await execute(
        db,
        "INSERT INTO message_bodies VALUES (%(id)s, %(html)s, %(text)s)",
        {"id": message_id, "html": html, "text": text},
    )


async def click(db: Db, user_id: int, message_id: int, url: str) -> None:
    await execute(
        db,
        """
        INSERT INTO message_events (user_id, message_id, type, occurred_at, details)
        VALUES (%(user_id)s, %(message_id)s, 'CLICKED', %(now)s, %(details)s)
        """,
        {"user_id": user_id, "message_id": message_id, "now": NOW, "details": Jsonb({"url": url})},
    )


async def conversation(
    api: ApiClient, db: Db, campaign_id: int, lead_id: int, step_id: int, **reply_columns: Any
) -> tuple[int, int]:
    """The two mails of the reference's example."""
    sent = await mail(
        db,
        api.user_id,
        campaign_id,
        lead_id,
        step_id=step_id,
        sent_at=SENT_AT,
        stats_id=STATS_ID,
        message_id=f"{STATS_ID}@send.hexsales.io",
        subject="Quick idea for Hexly",
        open_count=2,
        click_count=1,
    )
    await write(db, sent, "<div>Hi Ada</div>")
    await click(db, api.user_id, sent, "https://hexsales.io/demo")
    received = await mail(
        db,
        api.user_id,
        campaign_id,
        lead_id,
        step_id=None,
        sent_at=REPLIED_AT,
        **{
            "direction": "IN",
            "kind": "REPLY",
            "status": "RECEIVED",
            "stats_id": STATS_ID,
            "message_id": "CAF9x@mail.gmail.com",
            "from_email": "ada@hexly.io",
            "to_email": "liv@send.hexsales.io",
            "cc": ["cfo@hexly.io"],
            "subject": "Re: Quick idea for Hexly",
            "answers_id": sent,
            **reply_columns,
        },
    )
    await write(db, received, "<p>Tell me <b>more</b></p>", None)
    await execute(
        db,
        """
        INSERT INTO attachments (user_id, message_id, token, name, type, size, content)
        VALUES (%(user_id)s, %(id)s, '4kQ9', 'my spec.pdf', 'application/pdf', 18211, '')
        """,
        {"user_id": api.user_id, "id": received},
    )
    return sent, received


async def get(api: ApiClient, path: str, **params: Any) -> Any:
    answer = await api.get(path, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


SENT = {
    "type": "SENT",
    "message_id": "<7b1c22d0-5a90-4c1e-9b3f-0d2f6f0a7c11@send.hexsales.io>",
    "stats_id": "7b1c22d0-5a90-4c1e-9b3f-0d2f6f0a7c11",
    "from": "liv@send.hexsales.io",
    "to": "ada@hexly.io",
    "cc": [],
    "bcc": [],
    "time": "2026-03-02T09:00:11.000Z",
    "subject": "Quick idea for Hexly",
    "email_body": "<div>Hi Ada</div>",
    "email_seq_number": "1",
    "open_count": 2,
    "click_count": 1,
    "click_details": {"https://hexsales.io/demo": True},
    "attachments": [],
    "reply_details": None,
}
REPLY = {
    "type": "REPLY",
    "message_id": "<CAF9x@mail.gmail.com>",
    "stats_id": "7b1c22d0-5a90-4c1e-9b3f-0d2f6f0a7c11",
    "from": "ada@hexly.io",
    "to": "liv@send.hexsales.io",
    "cc": ["cfo@hexly.io"],
    "bcc": [],
    "time": "2026-03-02T13:00:00.117Z",
    "subject": "Re: Quick idea for Hexly",
    "email_body": "<p>Tell me <b>more</b></p>",
    "email_seq_number": "1",
    "attachments": [
        {
            "file_name": "my spec.pdf",
            "file_url": "http://127.0.0.1:8000/files/4kQ9/my%20spec.pdf",
            "file_type": "application/pdf",
            "file_size": 18211,
        }
    ],
    "reply_details": None,
}


@pytest.mark.parametrize("name", ["message-history", "messages", "message-history/"])
async def test_a_conversation_is_the_example_of_the_reference(
    api: ApiClient, db: Db, *, campaign_id: int, lead_id: int, step_id: int, name: str
) -> None:
    await conversation(api, db, campaign_id, lead_id, step_id)
    assert await get(api, f"/campaigns/{campaign_id}/leads/{lead_id}/{name}", limit=1) == {
        "history": [SENT, REPLY],
        "from": "liv@send.hexsales.io",
        "to": "ada@hexly.io",
    }


async def test_without_a_mail_there_is_no_history(api: ApiClient, campaign_id: int, lead_id: int) -> None:
    body = await get(api, f"/campaigns/{campaign_id}/leads/{lead_id}/message-history")
    assert body == {"history": [], "from": None, "to": None}


async def test_messages_can_be_narrowed_to_those_after_a_time(
    api: ApiClient, db: Db, *, campaign_id: int, lead_id: int, step_id: int
) -> None:
    await conversation(api, db, campaign_id, lead_id, step_id)
    url = f"/campaigns/{campaign_id}/leads/{lead_id}/message-history"
    body = await get(api, url, event_time_gt="2026-03-02T09:00:11Z")
    assert [item["type"] for item in body["history"]] == ["REPLY"]
    assert (body["from"], body["to"]) == ("liv@send.hexsales.io", "ada@hexly.io")
    assert (await get(api, url, event_time_gt="2026-03-03"))["history"] == []
    answer = await api.get(url, params={"event_time_gt": "yesterday"})
    assert answer.json()["message"] == '"event_time_gt" must be in ISO 8601 date format'


@pytest.mark.parametrize("text", [None, "Tell me more\n"])
async def test_replies_can_be_had_as_plain_text(
    api: ApiClient, db: Db, *, campaign_id: int, lead_id: int, step_id: int, text: str | None
) -> None:
    _, received = await conversation(api, db, campaign_id, lead_id, step_id)
    await execute(
        db, "UPDATE message_bodies SET text = %(text)s WHERE message_id = %(id)s", {"text": text, "id": received}
    )
    url = f"/campaigns/{campaign_id}/leads/{lead_id}/message-history"
    body = await get(api, url, show_plain_text_response="true")
    assert [item["email_body"].strip() for item in body["history"]] == ["<div>Hi Ada</div>", "Tell me more"]


async def test_an_automatic_answer_says_what_was_read_in_it(
    api: ApiClient, db: Db, *, campaign_id: int, lead_id: int, step_id: int
) -> None:
    _, received = await conversation(api, db, campaign_id, lead_id, step_id)
    person = Correspondent("Bo Lund", "bo@hexly.io")
    auto = AutoReply(AutoReplyKind.OUT_OF_OFFICE, "X-Autoreply: yes", date(2026, 3, 16), ("bo@hexly.io",), person)
    await insert_auto_replies(db, [(api.user_id, received, auto)])
    body = await get(api, f"/campaigns/{campaign_id}/leads/{lead_id}/message-history")
    assert [item.get("auto_reply") for item in body["history"]] == [
        None,
        {
            "kind": "OUT_OF_OFFICE",
            "return_date": "2026-03-16",
            "replacement": {"name": "Bo Lund", "email": "bo@hexly.io"},
        },
    ]


async def test_a_mail_without_html_shows_its_text(
    api: ApiClient, db: Db, *, campaign_id: int, lead_id: int, step_id: int
) -> None:
    message_id = await mail(db, api.user_id, campaign_id, lead_id, step_id=step_id)
    await write(db, message_id, None, "Hi Ada\r\n")
    body = await get(api, f"/campaigns/{campaign_id}/leads/{lead_id}/message-history")
    assert body["history"][0]["email_body"] == "Hi Ada\r\n"


async def test_a_reply_by_hand_has_no_step(
    api: ApiClient, db: Db, *, campaign_id: int, lead_id: int, step_id: int
) -> None:
    _, received = await conversation(api, db, campaign_id, lead_id, step_id)
    manual = await mail(
        db, api.user_id, campaign_id, lead_id, step_id=None, kind="MANUAL", sent_at=REPLIED_AT + timedelta(hours=1)
    )
    await mail(
        db,
        api.user_id,
        campaign_id,
        lead_id,
        step_id=None,
        direction="IN",
        kind="REPLY",
        status="RECEIVED",
        answers_id=manual,
        sent_at=REPLIED_AT + timedelta(hours=2),
    )
    body = await get(api, f"/campaigns/{campaign_id}/leads/{lead_id}/message-history")
    assert [(item["type"], item["email_seq_number"]) for item in body["history"]] == [
        ("SENT", "1"),
        ("REPLY", "1"),
        ("SENT", None),
        ("REPLY", None),
    ]
    assert received


async def test_bounce_notices_are_replies_and_the_lead_stays_the_lead(
    api: ApiClient, db: Db, *, campaign_id: int, lead_id: int, step_id: int
) -> None:
    await conversation(api, db, campaign_id, lead_id, step_id, kind="BOUNCE", from_email="mailer-daemon@mx.hexly.io")
    url = f"/campaigns/{campaign_id}/leads/{lead_id}/message-history"
    body = await get(api, url, event_time_gt="2026-03-02T09:00:11Z")
    assert (body["history"][0]["type"], body["history"][0]["from"]) == ("REPLY", "mailer-daemon@mx.hexly.io")
    assert (body["from"], body["to"]) == ("liv@send.hexsales.io", "ada@hexly.io")


@pytest.mark.parametrize(
    ("columns", "is_shown"),
    [
        ({"status": "BOUNCED", "bounced_at": NOW, "bounce_kind": "HARD"}, True),
        ({"status": "QUEUED", "sent_at": None}, False),
        ({"status": "UNKNOWN", "sent_at": None}, False),
        ({"status": "FAILED", "sent_at": None}, False),
        ({"kind": "TEST", "step_id": None}, False),
    ],
)
async def test_only_mails_that_left_are_part_of_a_conversation(
    api: ApiClient, db: Db, *, campaign_id: int, lead_id: int, step_id: int, columns: dict[str, Any], is_shown: bool
) -> None:
    values = {"step_id": step_id, "sent_at": NOW, "created_at": NOW, **columns}
    await mail(db, api.user_id, campaign_id, lead_id, **values)
    body = await get(api, f"/campaigns/{campaign_id}/leads/{lead_id}/message-history")
    assert bool(body["history"]) is is_shown


async def test_links_are_named_once_in_the_order_of_their_first_click(
    api: ApiClient, db: Db, *, campaign_id: int, lead_id: int, step_id: int
) -> None:
    sent, _ = await conversation(api, db, campaign_id, lead_id, step_id)
    for url in ("https://b.example", "https://a.example", "https://hexsales.io/demo"):
        await click(db, api.user_id, sent, url)
    body = await get(api, f"/campaigns/{campaign_id}/leads/{lead_id}/message-history")
    assert list(body["history"][0]["click_details"].items()) == [
        ("https://hexsales.io/demo", True),
        ("https://b.example", True),
        ("https://a.example", True),
    ]


async def test_what_is_unknown_or_foreign_is_404(
    api: ApiClient, other_api: ApiClient, client_api: ApiClient, *, db: Db, campaign_id: int, lead_id: int
) -> None:
    other = await make.campaign(db, api.user_id)
    map_id = (await place(db, campaign_id, lead_id))["id"]
    for campaign, lead in ((other, lead_id), (campaign_id, map_id), (campaign_id, 1_000_000_999)):
        answer = await api.get(f"/campaigns/{campaign}/leads/{lead}/message-history")
        assert (answer.status_code, answer.json()["error"]) == (404, "Lead not found - Invalid lead_id.")
    for stranger in (other_api, client_api):
        answer = await stranger.get(f"/campaigns/{campaign_id}/leads/{lead_id}/message-history")
        assert (answer.status_code, answer.json()["error"]) == (404, "Campaign not found - Invalid campaign_id.")


@pytest.mark.parametrize("everyone", [True, False])
async def test_many_conversations_are_keyed_by_the_lead(
    api: ApiClient, db: Db, *, campaign_id: int, lead_id: int, step_id: int, everyone: bool
) -> None:
    await conversation(api, db, campaign_id, lead_id, step_id)
    silent = await add_one(api, campaign_id, "bo@tarn.dev")
    ids = None if everyone else [lead_id, str(silent), 1_000_000_999]
    answer = await api.post(
        f"/campaigns/{campaign_id}/message-history-for-leads/bbfbdsFGHlBr76ruhjvh6fhHL", json={"lead_ids": ids}
    )
    assert answer.status_code == 200, answer.text
    assert answer.json() == {
        str(lead_id): {"history": [SENT, REPLY], "from": "liv@send.hexsales.io", "to": "ada@hexly.io"},
        str(silent): {"history": [], "from": None, "to": None},
    }
