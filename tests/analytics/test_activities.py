"""What has happened to all leads, over HTTP: the worked data set."""

from datetime import datetime
from typing import Any

import pytest

from outrider.kit.db import Db, execute, fetch_value
from tests.analytics.worked import NOW, USER
from tests.support.client import ApiClient
from tests.support.shape import assert_shape, example

PATH = "/campaigns/all-leads-activities"
ALL = ["103 ray", "102 oli", "103 quin", "101 lee", "102 kim", "101 noa", "101 kim", "102 pat", "101 mia"]


@pytest.fixture
def now() -> datetime:
    return NOW


async def ask(api: ApiClient, **query: Any) -> Any:
    answer = await api.get(PATH, params=query or None)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def names(api: ApiClient, **query: Any) -> list[str]:
    rows = (await ask(api, **query))["data"]
    return [f"{row['campaign_id']} {row['lead_email'].partition('@')[0]}" for row in rows]


async def test_leads_come_by_their_latest_event(worked: ApiClient) -> None:
    answer = await ask(worked)
    assert_shape(answer, example("all_leads_activities"))
    assert await names(worked) == ALL
    assert (answer["hasMore"], answer["pagination"]) == (False, {"offset": 0, "limit": 100, "has_more": False})
    ray = answer["data"][0]
    assert {key: value for key, value in ray.items() if key not in {"lead_id", "email_lead_map_id", "activities"}} == {
        "lead_email": "ray@l.example",
        "campaign_id": 103,
        "campaign_name": "Gamma Revival",
        "campaign_status": "COMPLETED",
        "status": "INPROGRESS",
        "current_seq_num": 1,
        "created_at": "2026-03-02T09:00:00.000Z",
    }
    [mail] = ray["activities"]
    assert (mail["sent_time"], mail["email_seq_number"]) == ("2025-08-02T00:10:00.000Z", 1)
    assert (mail["from_email"], mail["to_email"]) == ("cy@orbit.example", "ray@l.example")
    assert (mail["open_count"], mail["reply_details"], mail["thread_replies"]) == (1, None, [])


async def test_answers_stand_with_the_mail_they_answer(worked: ApiClient, db: Db) -> None:
    stats_id = await fetch_value(
        db, "SELECT stats_id FROM messages WHERE campaign_id = 103 AND to_email = 'ray@l.example'", {}
    )
    for number, text in ((1, "Tell me more"), (2, "Are you there?")):
        await execute(
            db,
            """
            WITH answer AS (
                INSERT INTO messages (user_id, direction, kind, campaign_id, campaign_lead_id, lead_id, mailbox_id,
                                      stats_id, message_id, status, from_email, to_email, subject, sent_at, created_at)
                SELECT user_id, 'IN', 'REPLY', campaign_id, campaign_lead_id, lead_id, mailbox_id, stats_id,
                       %(number)s || '@l.example', 'RECEIVED', to_email, from_email, 'Re: Port fees',
                       sent_at + %(number)s * interval '1 hour', sent_at
                FROM messages
                WHERE stats_id = %(stats_id)s
                  AND direction = 'OUT'
                RETURNING id
            )
            INSERT INTO message_bodies (message_id, html) SELECT id, %(text)s FROM answer
            """,
            {"stats_id": stats_id, "number": number, "text": text},
        )
    answer = await ask(worked, campaign_id=103)
    assert_shape(answer, example("all_leads_activities"))
    [mail] = next(row for row in answer["data"] if row["lead_email"] == "ray@l.example")["activities"]
    first = {"time": "2025-08-02T01:10:00.000Z", "reply_email_body": "Tell me more", "message_id": "<1@l.example>"}
    then = {"time": "2025-08-02T02:10:00.000Z", "reply_email_body": "Are you there?", "message_id": "<2@l.example>"}
    assert (mail["reply_details"], mail["thread_replies"]) == (first, [then])


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"campaign_id": 103}, ["103 ray", "103 quin"]),
        ({"campaign_id": "102", "client_id": 77}, ["102 oli", "102 kim", "102 pat"]),
        ({"campaign_id": 77}, []),
        ({"event_time_from": "2025-08-03"}, ["103 ray", "102 oli", "103 quin"]),
        ({"event_time_from": "2025-08-05T09:00:00Z"}, ["103 ray"]),
        ({"event_time_from": "2025-08-05T09:00:01Z"}, []),
        ({"event_time_from": "2025-07-28", "event_time_to": "2025-07-28"}, ["101 kim"]),
        ({"eventTimeFrom": "2025-07-28", "eventTimeTo": "2025-07-28T13:59:59Z"}, []),
        ({"limit": 2}, ALL[:2]),
        ({"limit": "2", "offset": "7"}, ALL[7:]),
        ({"limit": 2, "skip": 9}, []),
    ],
)
async def test_they_are_narrowed_and_paged(worked: ApiClient, query: dict[str, Any], expected: list[str]) -> None:
    assert await names(worked, **query) == expected


async def test_whether_there_are_more_is_said_twice(worked: ApiClient) -> None:
    page = await ask(worked, limit=2, offset=1)
    assert (page["hasMore"], page["pagination"]) == (True, {"offset": 1, "limit": 2, "has_more": True})


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"limit": 1001}, '"limit" must be less than or equal to 1000'),
        ({"limit": 0}, '"limit" must be larger than or equal to 1'),
        ({"offset": -1}, '"offset" must be larger than or equal to 0'),
        ({"campaign_id": "x"}, '"campaign_id" must be a number'),
        ({"event_time_from": "soon"}, "Invalid event_time_from format. Use YYYY-MM-DD or ISO 8601 format."),
        (
            {"event_time_from": "2025-07-28", "event_time_to": "2025-02-30"},
            "Invalid event_time_to format. Use YYYY-MM-DD or ISO 8601 format.",
        ),
        ({"event_time_to": "2025-07-28"}, '"event_time_from" is required'),
        (
            {"event_time_from": "2025-07-28", "event_time_to": "2025-07-27"},
            '"event_time_to" must be larger than or equal to "ref:event_time_from"',
        ),
    ],
)
async def test_what_cannot_be_read_is_refused(worked: ApiClient, query: dict[str, Any], message: str) -> None:
    answer = await worked.get(PATH, params=query)
    assert (answer.status_code, answer.json()["message"]) == (400, message)
    assert answer.json().get("status") == ("error" if message.startswith("Invalid") else None)


async def test_only_ones_own_leads_are_shown(
    worked: ApiClient, other_api: ApiClient, connect: Any, app: Any, db: Db
) -> None:
    assert await names(other_api) == []
    client = await connect(app, db, user_id=USER, client_id=502)
    assert await names(client) == ["102 oli", "102 kim", "102 pat"]
    assert await names(client, campaign_id=101) == []
