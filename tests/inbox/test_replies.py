"""Answers and forwards as they are asked for over HTTP, and as they wait for the engine."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from outrider.kit.db import Db, execute, fetch_dict, fetch_dicts
from tests.inbox.conversations import SENT_AT, Talk, answer, change, ids, listed, talk
from tests.support import make
from tests.support.client import ApiClient
from tests.support.lists import new_list
from tests.support.make import NOW

LATER = NOW + timedelta(days=1)
QUEUED = "Email added to the queue, will be sent out soon!"


@pytest.fixture
async def here(api: ApiClient, db: Db) -> Talk:
    mailbox_id = await make.mailbox(db, api.user_id, from_email="liv@send.hexsales.io", signature="<p>Liv Berg</p>")
    return await talk(api, db, mailbox_id=mailbox_id)


async def send(
    api: ApiClient,
    here: Talk,
    body: dict[str, Any] | None = None,
    *,
    status: int = 200,
    path: str = "reply-email-thread",
) -> dict[str, Any]:
    sent = {"email_stats_id": str(here.stats_id), "email_body": "<p>Gladly</p>", **(body or {})}
    said = await api.post(f"/campaigns/{here.campaign_id}/reply-email-thread", json=sent)
    assert said.status_code == status, said.text
    return dict(said.json())


async def forward(api: ApiClient, here: Talk, body: dict[str, Any], *, status: int = 200) -> dict[str, Any]:
    said = await api.post(f"/campaigns/{here.campaign_id}/forward-email", json={"stats_id": str(here.stats_id), **body})
    assert said.status_code == status, said.text
    return dict(said.json())


async def queued(db: Db) -> dict[str, Any]:
    """The mail that was asked for last."""
    row = await fetch_dict(
        db,
        """
        SELECT m.*, h.to_name, h.more_to, h.bcc, h.state, h.scheduled_at, h.due_at, h.is_dropped_by_reply,
               h.schedule_condition, body.html
          FROM handwritten_mails AS h
          JOIN messages AS m ON m.id = h.message_id
          JOIN message_bodies AS body ON body.message_id = m.id
         ORDER BY m.id DESC LIMIT 1
        """,
    )
    assert row is not None
    return row


async def test_an_answer_is_queued_in_its_thread(api: ApiClient, db: Db, here: Talk) -> None:
    reply = await fetch_dict(db, "SELECT * FROM messages WHERE kind = 'REPLY'")
    assert reply is not None
    said = await send(api, here)
    mail = await queued(db)
    assert said == {
        "ok": True,
        "success": True,
        "data": "success",
        "message": QUEUED,
        "message_id": f"<{mail['message_id']}>",
        "email_stats_id": str(here.stats_id),
        "scheduled_time": None,
    }
    assert mail["message_id"].endswith("@send.hexsales.io")
    assert (mail["kind"], mail["status"], mail["state"], mail["due_at"]) == ("MANUAL", "QUEUED", "WAITING", NOW)
    assert (mail["stats_id"], mail["mailbox_id"], mail["from_email"]) == (
        here.stats_id,
        here.mailbox_id,
        "liv@send.hexsales.io",
    )
    assert (mail["to_email"], mail["subject"]) == ("ada@hexly.io", "Re: Quick idea for Hexly")
    assert mail["in_reply_to"] == reply["message_id"]
    assert mail["references"] == [reply["message_id"]]
    assert mail["html"].startswith(
        "<p>Gladly</p><br><p>Liv Berg</p><br><div>On Mon, 2 Mar 2026 at 09:00, ada@hexly.io wrote:"
    )
    assert "<p>Tell me more</p></blockquote>" in mail["html"]
    assert await ids(api, "unread-replies") == []
    [row] = (await listed(api, "inbox-replies", fetch_message_history=1))["data"]
    assert row["lead_status"] == "INPROGRESS"  # it stays
    assert len(row["email_history"]) == 2  # what waits is no history


async def test_what_a_request_says_wins(api: ApiClient, db: Db, here: Talk) -> None:
    await send(
        api,
        here,
        {
            "email_body": "One line\nanother",
            "reply_message_id": "<other@hexly.io>",
            "reply_email_time": "2026-03-01T10:30:00Z",
            "reply_email_body": "What they said",
            "to_email": "boss@hexly.io",
            "to_first_name": "Grace",
            "to_last_name": "Hopper",
            "cc": "a@hexly.io, b@hexly.io",
            "bcc_emails": ["c@hexly.io"],
            "add_signature": "false",
            "seq_type": "EMAIL",
        },
    )
    mail = await queued(db)
    assert (mail["to_email"], mail["to_name"], mail["cc"], mail["bcc"]) == (
        "boss@hexly.io",
        "Grace Hopper",
        ["a@hexly.io", "b@hexly.io"],
        ["c@hexly.io"],
    )
    assert mail["in_reply_to"] == "other@hexly.io"
    assert mail["references"][-1] == "other@hexly.io"
    assert "Liv Berg" not in mail["html"]
    assert "One line<br>" in mail["html"].replace("\n", "")
    assert "On Sun, 1 Mar 2026 at 10:30" in mail["html"]
    assert "What they said" in mail["html"]


@pytest.mark.parametrize("body_key", ["email_body", "reply_text", "body"])
async def test_spellings_and_aliases(api: ApiClient, db: Db, here: Talk, body_key: str) -> None:
    base = f"/campaigns/{here.campaign_id}"
    for path, body in (
        (f"{base}/reply-email-thread", {"email_stats_id": str(here.stats_id)}),
        (f"{base}/reply-email-thread", {"emailStatsId": str(here.stats_id)}),
        (f"{base}/reply-email-thread", {"lead_id": here.lead_id}),
        (f"{base}/leads/reply-email-thread", {"email_stats_id": str(here.stats_id)}),
        (f"{base}/leads/{here.lead_id}/reply", {}),
    ):
        said = await api.post(path, json={**body, body_key: "Gladly"})
        assert said.status_code == 200, said.text
        assert (await queued(db))["stats_id"] == here.stats_id


async def test_the_latest_mail_is_answered(api: ApiClient, db: Db) -> None:
    """A colleague's answer goes to the colleague; without an answer the lead is written to again."""
    silent = await talk(api, db, "bo@quay.io", replied_at=None)
    await send(api, silent)
    mail = await queued(db)
    assert (mail["to_email"], mail["in_reply_to"]) == ("bo@quay.io", f"{silent.stats_id}@send.hexsales.io")
    await answer(api, db, silent, at=NOW, email="colleague@quay.io", message_id="c1@quay.io")
    await send(api, silent)
    mail = await queued(db)
    assert (mail["to_email"], mail["in_reply_to"]) == ("colleague@quay.io", "c1@quay.io")


@pytest.mark.parametrize(
    ("accept", "is_text"),
    [
        ("*/*", False),
        ("application/json", False),
        ("application/json, text/plain, */*", False),
        ("text/plain", True),
        ("text/html, text/plain;q=0.5", True),
        ("", False),
    ],
)
async def test_plain_text_for_whom_nothing_else_suits(
    api: ApiClient, here: Talk, accept: str, *, is_text: bool
) -> None:
    said = await api.post(
        f"/campaigns/{here.campaign_id}/reply-email-thread",
        json={"email_stats_id": str(here.stats_id), "email_body": "Hi"},
        headers={"accept": accept},
    )
    assert said.status_code == 200
    if is_text:
        assert said.text == QUEUED
        assert said.headers["content-type"].startswith("text/plain")
    else:
        assert said.json()["message"] == QUEUED


async def test_scheduled_answers_are_listed_and_can_be_cancelled(api: ApiClient, db: Db, here: Talk) -> None:
    said = await send(api, here, {"scheduled_time": LATER.isoformat(), "schedule_condition": "if no-reply"})
    assert said["scheduled_time"] == "2026-03-03T09:00:00.000Z"
    mail = await queued(db)
    assert (mail["scheduled_at"], mail["due_at"], mail["is_dropped_by_reply"]) == (LATER, LATER, True)
    await send(api, here, {"scheduled_time": (LATER + timedelta(days=1)).isoformat(), "schedule_condition": "ALWAYS"})
    assert (await queued(db))["is_dropped_by_reply"] is False
    said = await listed(api, "scheduled")
    [row] = said["data"]  # the earliest decides
    assert (row["scheduled_time"], row["scheduled_message_id"]) == ("2026-03-03T09:00:00.000Z", str(mail["id"]))
    assert said["total_count"] == 1
    assert await listed(api, "scheduled-messages", {"sortBy": "SCHEDULED_TIME_ASC"}) == said
    for _ in range(2):
        gone = await api.delete(f"/master-inbox/scheduled/{mail['id']}")
    assert gone.status_code == 404
    [row] = (await listed(api, "scheduled"))["data"]
    assert row["scheduled_time"] == "2026-03-04T09:00:00.000Z"
    said = (await api.get("/master-inbox/reply-status", params={"message_id": f"<{mail['message_id']}>"})).json()
    assert said["data"]["status"] == "CANCELLED"


async def test_a_time_that_has_passed_is_now(api: ApiClient, db: Db, here: Talk) -> None:
    said = await send(api, here, {"scheduled_time": (NOW - timedelta(hours=1)).isoformat()})
    assert said["scheduled_time"] is None
    assert (await queued(db))["due_at"] == NOW
    assert await ids(api, "scheduled") == []


async def test_an_answer_of_the_lead_cancels_what_was_to_go_without_one(api: ApiClient, db: Db, here: Talk) -> None:
    await send(api, here, {"scheduled_time": LATER.isoformat(), "schedule_condition": "NO_REPLY"})
    await send(api, here, {"scheduled_time": LATER.isoformat()})
    await answer(api, db, here, at=NOW + timedelta(hours=1))
    states = [row["state"] for row in await fetch_dicts(db, "SELECT state FROM handwritten_mails ORDER BY message_id")]
    assert states == ["CANCELLED", "WAITING"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"email_stats_id": None}, '"email_stats_id" is required'),
        ({"email_body": None}, '"email_body" must be a string'),
        ({"email_body": " "}, '"email_body" is not allowed to be empty'),
        ({"to_email": "nobody"}, '"to_email" must be a valid email'),
        ({"cc": "a@b.io, nobody"}, '"cc[1]" must be a valid email'),
        ({"scheduled_time": "soon"}, '"scheduled_time" must be in ISO 8601 date format'),
        ({"attachments": [{"file_name": "x"}]}, '"attachments[0].file_url" is required'),
        ({"attachments": [{"file_url": "ftp://x"}]}, '"attachments[0].file_url" must be a valid uri'),
        (
            {"attachments": [{"file_url": "https://x.io/a"}] * 11},
            '"attachments" must contain less than or equal to 10 items',
        ),
        ({"email_stats_id": str(uuid4())}, "Invalid email_stats_id or campaign_id"),
        ({"email_stats_id": 12}, "Invalid email_stats_id or campaign_id"),
        ({"email_stats_id": None, "lead_id": 77}, "Invalid email_stats_id or campaign_id"),
    ],
)
async def test_what_is_wrong_is_said(api: ApiClient, here: Talk, body: dict[str, Any], message: str) -> None:
    assert (await send(api, here, body, status=400))["message"] == message


async def test_whom_nobody_may_answer(api: ApiClient, other_api: ApiClient, client_api: ApiClient, db: Db) -> None:
    here = await talk(api, db)
    other = await talk(api, db, "bo@quay.io")
    body = {"email_stats_id": str(other.stats_id)}
    assert (await send(api, here, body, status=400))["error"] == "Invalid email_stats_id or campaign_id"
    for caller in (other_api, client_api):
        said = await send(caller, here, status=404)
        assert said["error"] == "Campaign not found - Invalid campaign_id."
        await forward(caller, here, {"to_emails": "x@y.io"}, status=404)
    await change(db, here, "status = 'BLOCKED', hold_reason = 'BOUNCED'")
    assert (await send(api, here, status=400))["error"] == "Lead is blocked."
    await api.post("/master-inbox/block-domains", json={"domains": ["quay.io"]})
    assert (await send(api, other, status=400))["error"] == "Lead is blocked."
    assert await fetch_dicts(db, "SELECT FROM handwritten_mails") == []


async def test_who_has_unsubscribed_may_be_answered(api: ApiClient, here: Talk) -> None:
    await api.post(f"/leads/{here.lead_id}/unsubscribe")
    assert (await send(api, here))["ok"] is True


async def test_a_mailbox_that_is_gone(api: ApiClient, db: Db, here: Talk) -> None:
    await execute(
        db, "UPDATE mailboxes SET deleted_at = %(now)s WHERE id = %(id)s", {"now": NOW, "id": here.mailbox_id}
    )
    for said in (await send(api, here, status=400), await forward(api, here, {"to_emails": "x@y.io"}, status=400)):
        assert (said["ok"], said["error"], said["status"]) == (False, "Email account not found!", "error")
    new = await make.mailbox(db, api.user_id)
    await change(db, here, "mailbox_id = %(id)s", id=new)  # the lead was given to another one
    await send(api, here)
    assert (await queued(db))["mailbox_id"] == new


async def test_a_forward_goes_to_others_with_what_was_said_and_its_files(api: ApiClient, db: Db, here: Talk) -> None:
    reply = await fetch_dict(db, "SELECT * FROM messages WHERE kind = 'REPLY'")
    assert reply is not None
    await execute(
        db,
        """
        INSERT INTO attachments (user_id, message_id, token, name, type, size, content)
        VALUES (%(user_id)s, %(id)s, 't1', 'spec.pdf', 'application/pdf', 3, 'abc')
        """,
        {"user_id": api.user_id, "id": reply["id"]},
    )
    said = await forward(
        api,
        here,
        {"message_id": f"<{reply['message_id']}>", "to_emails": "a@ours.io, b@ours.io", "cc_emails": ["c@ours.io"]}
        | {"forward_email_body": "Look"},
    )
    mail = await queued(db)
    assert said == {"ok": True, "messageId": f"<{mail['message_id']}>", "status": "success", "data": "success"}
    assert (mail["kind"], mail["to_email"], mail["more_to"], mail["cc"]) == (
        "FORWARD",
        "a@ours.io",
        ["b@ours.io"],
        ["c@ours.io"],
    )
    assert (mail["subject"], mail["in_reply_to"]) == ("Fwd: Re: Quick idea for Hexly", None)
    assert mail["html"].startswith("<p>Look</p>")
    assert "Forwarded message" in mail["html"]
    assert "Tell me more" in mail["html"]
    files = await fetch_dicts(
        db, "SELECT name, content, token FROM attachments WHERE message_id = %(id)s", {"id": mail["id"]}
    )
    assert [(file["name"], bytes(file["content"])) for file in files] == [("spec.pdf", b"abc")]
    assert files[0]["token"] != "t1"
    assert await ids(api, "unread-replies") == [here.id]  # nothing of the conversation changes


async def test_forwards_in_other_spellings(api: ApiClient, db: Db, here: Talk) -> None:
    for body in (
        {"to_emails": ["a@ours.io"]},
        {"to": "a@ours.io", "note": "x"},
        {"forward_to_email": "a@ours.io", "reply_message_id": f"{here.stats_id}@send.hexsales.io", "email_body": "x"},
        {"to_emails": "a@ours.io", "forward_email_subject": "Have a look"},
    ):
        await forward(api, here, body)
        assert (await queued(db))["to_email"] == "a@ours.io"
    assert (await queued(db))["subject"] == "Have a look"
    said = await api.post(
        "/email-campaigns/forward-reply-email",
        json={"campaign_id": here.campaign_id, "email_stats_id": str(here.stats_id), "to_emails": "z@ours.io"},
    )
    assert said.json()["status"] == "success"
    assert (await queued(db))["to_email"] == "z@ours.io"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, '"to_emails" is required'),
        ({"to_emails": "x@y.io", "stats_id": None}, '"stats_id" is required'),
        ({"to_emails": "x@y.io", "forward_email_body": 5}, '"forward_email_body" must be a string'),
        ({"to_emails": "x@y.io, nobody"}, "Invalid to_emails - nobody"),
        ({"to_emails": "x@y.io", "message_id": "<no@such>"}, "Message not found!"),
        ({"to_emails": "x@y.io", "stats_id": str(uuid4())}, "Invalid campaign_id or missing required parameters"),
    ],
)
async def test_forwards_that_are_refused(api: ApiClient, here: Talk, body: dict[str, Any], message: str) -> None:
    assert (await forward(api, here, body, status=400))["message"] == message


@pytest.mark.parametrize(
    ("state", "status", "scheduled", "tries", "word"),
    [
        ("WAITING", "QUEUED", False, 0, "QUEUED"),
        ("WAITING", "QUEUED", True, 0, "SCHEDULED"),
        ("WAITING", "QUEUED", True, 1, "QUEUED"),
        ("HANDING_OVER", "QUEUED", False, 1, "QUEUED"),
        ("ENDED", "SENT", False, 1, "COMPLETED"),
        ("ENDED", "FAILED", False, 1, "FAILED"),
        ("ENDED", "UNKNOWN", False, 1, "FAILED"),
        ("CANCELLED", "QUEUED", True, 0, "CANCELLED"),
    ],
)
async def test_what_became_of_it(
    api: ApiClient,
    other_api: ApiClient,
    *,
    db: Db,
    here: Talk,
    state: str,
    status: str,
    scheduled: bool,
    tries: int,
    word: str,
) -> None:
    said = await send(api, here)
    ended_at = NOW if state in {"ENDED", "CANCELLED"} else None
    await execute(
        db,
        """
        UPDATE handwritten_mails
           SET state = %(state)s, scheduled_at = %(scheduled_at)s, attempt_count = %(tries)s, ended_at = %(ended_at)s
        """,
        {"state": state, "scheduled_at": SENT_AT if scheduled else None, "tries": tries, "ended_at": ended_at},
    )
    await execute(db, "UPDATE messages SET status = %(status)s WHERE kind = 'MANUAL'", {"status": status})
    for spelling in (said["message_id"], said["message_id"].strip("<>")):
        shown = (await api.get("/master-inbox/reply-status", params={"message_id": spelling})).json()
        assert (shown["ok"], shown["data"]["status"], shown["data"]["message_id"]) == (True, word, said["message_id"])
        assert shown["data"].keys() == {
            "message_id",
            "status",
            "status_message",
            "event_time",
            "scheduled_time",
            "email_stats_id",
        }
        assert (shown["data"]["event_time"] is not None) == (ended_at is not None)
    if word == "COMPLETED":
        assert shown["data"]["status_message"] == "Email sent successfully!"
    foreign = await other_api.get("/master-inbox/reply-status", params={"message_id": said["message_id"]})
    assert (foreign.status_code, foreign.json()["error"]) == (404, "No reply found for the given message_id")


async def test_reply_status_needs_an_id(api: ApiClient) -> None:
    said = await api.get("/master-inbox/reply-status")
    assert (said.status_code, said.json()["message"]) == (400, '"message_id" is required')


@pytest.mark.parametrize("how", ["from the campaign", "everywhere", "into a list", "from the campaign into a list"])
async def test_what_is_planned_for_a_lead_goes_with_it(api: ApiClient, db: Db, here: Talk, how: str) -> None:
    """Contract: leads, Delete Lead By Campaign ID. What waits for another conversation stays."""
    other = await talk(api, db, "bo@hexly.io", campaign_id=here.campaign_id, mailbox_id=here.mailbox_id)
    for each in (here, other):
        await send(api, each, {"scheduled_time": LATER.isoformat()})
    list_id = await new_list(api)
    match how:
        case "from the campaign":
            done = await api.delete(f"/campaigns/{here.campaign_id}/leads/{here.lead_id}")
        case "everywhere":
            done = await api.delete(f"/leads/{here.lead_id}")
        case "into a list":
            done = await api.post("/leads/push-to-list", json={"listId": list_id, "leadIds": [here.lead_id]})
        case _:
            body = {"listId": list_id, "campaignId": here.campaign_id, "leadMapIds": [here.id]}
            done = await api.post("/leads/campaign/push-to-list", json=body)
    assert done.status_code == 200
    rows = await fetch_dicts(db, "SELECT campaign_lead_id, state FROM handwritten_mails")
    assert {row["campaign_lead_id"]: row["state"] for row in rows} == {here.id: "CANCELLED", other.id: "WAITING"}
