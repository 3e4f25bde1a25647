"""Campaigns over HTTP: create, list, get, delete, and who may see them."""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from outrider.kit.db import Db, execute, fetch_value
from outrider.kit.edge import Edge
from tests.support import make
from tests.support.client import ApiClient, Rollback, fresh_client

NOT_FOUND = {
    "ok": False,
    "error": "Campaign not found - Invalid campaign_id.",
    "message": "Campaign not found - Invalid campaign_id.",
    "statusCode": 404,
}
ATTRIBUTES = {
    "id",
    "user_id",
    "created_at",
    "updated_at",
    "status",
    "name",
    "track_settings",
    "scheduler_cron_value",
    "min_time_btwn_emails",
    "max_leads_per_day",
    "stop_lead_settings",
    "schedule_start_time",
    "enable_ai_esp_matching",
    "send_as_plain_text",
    "follow_up_percentage",
    "unsubscribe_text",
    "parent_campaign_id",
    "client_id",
}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


async def create(api: ApiClient, **body: Any) -> dict[str, Any]:
    answer = await api.post("/campaigns/create", json=body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def get(api: ApiClient, campaign_id: int) -> dict[str, Any]:
    answer = await api.get(f"/campaigns/{campaign_id}")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_create_answers_flat(api: ApiClient) -> None:
    body = await create(api, name="Harbour CFO outreach")
    assert body.keys() == {"ok", "id", "name", "created_at"}
    assert (body["ok"], body["name"]) == (True, "Harbour CFO outreach")
    assert isinstance(body["id"], int)
    assert TIME.fullmatch(body["created_at"])


async def test_a_new_campaign_is_drafted_with_the_documented_defaults(api: ApiClient) -> None:
    made = await create(api, name="Harbour")
    assert await get(api, made["id"]) == {
        "id": made["id"],
        "user_id": api.user_id,
        "created_at": made["created_at"],
        "updated_at": made["created_at"],
        "status": "DRAFTED",
        "name": "Harbour",
        "track_settings": [],
        "scheduler_cron_value": None,
        "min_time_btwn_emails": 20,
        "max_leads_per_day": 100,
        "stop_lead_settings": "REPLY_TO_AN_EMAIL",
        "schedule_start_time": None,
        "enable_ai_esp_matching": False,
        "send_as_plain_text": False,
        "follow_up_percentage": 100,
        "unsubscribe_text": None,
        "parent_campaign_id": None,
        "client_id": None,
        "force_plain_text": False,
        "auto_pause_domain_leads_on_reply": False,
        "ignore_ss_mailbox_sending_limit": False,
        "bounce_autopause_threshold": None,
        "domain_level_rate_limit": False,
        "esp_matching_strict": False,
        "count_only_sending_days": False,
        "use_lead_timezone": False,
        "add_unsubscribe_tag": False,
        "out_of_office_detection_settings": {
            "ignoreOOOasReply": False,
            "autoReactivateOOO": False,
            "reactivateOOOwithDelay": None,
            "autoCategorizeOOO": False,
        },
        "ai_categorisation_options": [],
        "on_missing_variable": "blank",
    }


@pytest.mark.parametrize("body", [{}, {"name": None}, {"name": "  "}, {"client_id": None}])
async def test_without_a_name_it_is_untitled(api: ApiClient, body: dict[str, Any]) -> None:
    assert (await create(api, **body))["name"] == "Untitled Campaign"


async def test_names_are_trimmed_and_need_not_be_unique(api: ApiClient) -> None:
    first, second = await create(api, name=" Twin "), await create(api, name="Twin")
    assert first["name"] == second["name"] == "Twin"
    assert first["id"] != second["id"]


async def test_create_has_aliases(api: ApiClient) -> None:
    answer = await api.post("/campaigns", json={"campaign_name": "Old client"})
    assert answer.json()["name"] == "Old client"


async def test_a_name_has_to_be_a_string(api: ApiClient) -> None:
    answer = await api.post("/campaigns/create", json={"name": 7})
    assert answer.status_code == 400
    assert answer.json() == {
        "statusCode": 400,
        "error": "Bad Request",
        "message": '"name" must be a string',
        "validation": {"source": "body", "keys": ["name"]},
        "ok": False,
    }


async def test_an_unknown_client_is_refused(api: ApiClient) -> None:
    answer = await api.post("/campaigns/create", json={"client_id": 99})
    assert answer.status_code == 400
    assert answer.json()["message"] == "Client not found - Invalid client_id."


async def test_a_client_of_the_account_is_taken(api: ApiClient, client_api: ApiClient) -> None:
    made = await create(api, client_id=str(client_api.client_id))
    assert (await get(api, made["id"]))["client_id"] == client_api.client_id


async def test_the_key_of_a_client_creates_its_own_campaigns(client_api: ApiClient, db: Db, now: datetime) -> None:
    made = await create(client_api, name="Own")
    assert (await get(client_api, made["id"]))["client_id"] == client_api.client_id
    sister = await fresh_client(db, client_api.user_id, now)
    answer = await client_api.post("/campaigns/create", json={"client_id": sister})
    assert answer.json()["message"] == "Client not found - Invalid client_id."


async def test_settings_are_taken_at_creation_if_they_can_be_used(api: ApiClient) -> None:
    made = await create(
        api,
        name="Scripted",
        track_settings=["DONT_TRACK_EMAIL_OPEN"],
        stop_lead_settings="BOGUS",
        send_as_plain_text="true",
        follow_up_percentage=400,
        unsubscribe_text="Stop",
        ai_categorisation_options=[1, 77],
        timezone="Europe/Lisbon",
    )
    campaign = await get(api, made["id"])
    assert campaign["track_settings"] == ["DONT_EMAIL_OPEN"]
    assert campaign["stop_lead_settings"] == "REPLY_TO_AN_EMAIL"
    assert campaign["send_as_plain_text"] is True
    assert campaign["follow_up_percentage"] == 100
    assert campaign["unsubscribe_text"] == "Stop"
    assert campaign["ai_categorisation_options"] == []
    assert campaign["scheduler_cron_value"] is None


async def test_the_list_is_a_bare_array_newest_first(api: ApiClient) -> None:
    ids = [(await create(api))["id"] for _ in range(3)]
    rows = (await api.get("/campaigns/")).json()
    assert [row["id"] for row in rows] == ids[::-1]
    assert all(row.keys() == ATTRIBUTES for row in rows)


async def test_an_account_without_campaigns_has_an_empty_list(api: ApiClient) -> None:
    assert (await api.get("/campaigns")).json() == []


async def test_the_list_can_be_paged_and_filtered(api: ApiClient, db: Db) -> None:
    ids = [(await create(api))["id"] for _ in range(3)][::-1]
    await execute(db, "UPDATE campaigns SET status = 'PAUSED' WHERE id = %(id)s", {"id": ids[1]})

    async def listed(query: str) -> list[int]:
        return [row["id"] for row in (await api.get(f"/campaigns?{query}")).json()]

    assert await listed("limit=2&offset=0") == ids[:2]
    assert await listed("limit=2&offset=2") == ids[2:]
    assert await listed("limit=100&offset=100") == []
    assert await listed("status=paused") == [ids[1]]
    assert await listed("status=undefined&limit=None&client_id=") == ids


async def test_the_list_of_a_client(api: ApiClient, client_api: ApiClient) -> None:
    await create(api)
    own = (await create(client_api))["id"]
    query = f"/campaigns?client_id={client_api.client_id}"
    assert [row["id"] for row in (await api.get(query)).json()] == [own]
    assert [row["id"] for row in (await client_api.get("/campaigns")).json()] == [own]
    assert (await api.get("/campaigns?client_id=424242")).json() == []
    assert (await client_api.get("/campaigns?client_id=424242")).json() == []


async def test_a_client_id_has_to_be_a_number(api: ApiClient) -> None:
    answer = await api.get("/campaigns?client_id=abc")
    assert answer.status_code == 400
    assert answer.json()["message"] == '"client_id" must be a number'
    assert answer.json()["validation"] == {"source": "query", "keys": ["client_id"]}


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("limit=0", '"limit" must be larger than or equal to 1'),
        ("offset=-1", '"offset" must be larger than or equal to 0'),
        (
            "status=SLEEPING",
            '"status" must be one of [DRAFTED, ACTIVE, PAUSED, STOPPED, COMPLETED, ARCHIVED]',
        ),
    ],
)
async def test_bad_list_queries_are_named(api: ApiClient, query: str, message: str) -> None:
    answer = await api.get(f"/campaigns?{query}")
    assert (answer.status_code, answer.json()["message"]) == (400, message)


async def test_tags_come_only_when_asked_for(api: ApiClient, db: Db, now: datetime) -> None:
    made = await create(api)
    tag_id = await fetch_value(
        db,
        """
        INSERT INTO tags (user_id, name, color, created_at)
        VALUES (%(user_id)s, 'Q2', '#4F9DDE', %(now)s)
        RETURNING id
        """,
        {"user_id": api.user_id, "now": now},
    )
    await execute(
        db,
        "INSERT INTO campaign_tags (campaign_id, tag_id, user_id) VALUES (%(campaign_id)s, %(tag_id)s, %(user_id)s)",
        {"campaign_id": made["id"], "tag_id": tag_id, "user_id": api.user_id},
    )
    untagged = await create(api)
    expected = [{"tag_id": tag_id, "tag_name": "Q2", "tag_color": "#4F9DDE"}]

    listed = {row["id"]: row["tags"] for row in (await api.get("/campaigns?include_tags=true")).json()}
    assert listed == {made["id"]: expected, untagged["id"]: []}
    assert (await api.get(f"/campaigns/{made['id']}?include_tags=1")).json()["tags"] == expected
    assert "tags" not in await get(api, made["id"])


async def test_delete_removes_a_campaign_whatever_its_status(api: ApiClient, db: Db) -> None:
    campaign_id = await make.campaign(db, api.user_id, status="ACTIVE")
    await make.attach(db, api.user_id, campaign_id, await make.mailbox(db, api.user_id))
    answer = await api.delete(f"/campaigns/{campaign_id}")
    assert (answer.status_code, answer.json()) == (200, {"ok": True})

    again = await api.delete(f"/campaigns/{campaign_id}")
    assert (again.status_code, again.json()) == (404, NOT_FOUND)
    assert await fetch_value(db, "SELECT count(*) FROM steps WHERE campaign_id = %(id)s", {"id": campaign_id}) == 0
    assert (await api.get("/campaigns")).json() == []


async def test_delete_removes_subsequences_too(api: ApiClient, db: Db) -> None:
    parent = await make.campaign(db, api.user_id)
    child = await make.campaign(db, api.user_id)
    await execute(
        db, "UPDATE campaigns SET parent_campaign_id = %(parent)s WHERE id = %(id)s", {"parent": parent, "id": child}
    )
    await api.delete(f"/campaigns/{parent}")
    assert (await api.get(f"/campaigns/{child}")).status_code == 404


CALLS: list[tuple[str, str, dict[str, Any] | None]] = [
    ("GET", "", None),
    ("DELETE", "", None),
    ("POST", "/status", {"status": "PAUSED"}),
    ("POST", "/settings", {"name": "Mine now"}),
    ("PUT", "", {"name": "Mine now"}),
    ("POST", "", {"name": "Mine now"}),
    ("GET", "/settings", None),
    ("POST", "/schedule", {"min_time_btw_emails": 5}),
    ("POST", "/sequences", {"sequences": []}),
    ("GET", "/sequences", None),
    ("POST", "/email-accounts", {"email_account_ids": [1]}),
    ("DELETE", "/email-accounts", {"email_account_ids": [1]}),
    ("DELETE", "/email-accounts/1", None),
    ("GET", "/email-accounts", None),
]


@pytest.mark.parametrize(("method", "path", "body"), CALLS)
async def test_nobody_else_finds_a_campaign(
    api: ApiClient,
    other_api: ApiClient,
    client_api: ApiClient,
    db: Db,
    *,
    method: str,
    path: str,
    body: dict[str, Any] | None,
) -> None:
    campaign_id = await make.campaign(db, api.user_id)
    for stranger in (other_api, client_api):
        answer = await stranger.request(method, f"/campaigns/{campaign_id}{path}", json=body)
        assert (answer.status_code, answer.json()) == (404, NOT_FOUND)
    assert (await get(api, campaign_id))["name"] == "Harbour CFO outreach"


@pytest.mark.parametrize(("method", "path", "body"), CALLS)
async def test_an_id_has_to_be_a_number(api: ApiClient, method: str, path: str, body: dict[str, Any] | None) -> None:
    answer = await api.request(method, f"/campaigns/abc{path}", json=body)
    assert answer.status_code == 400
    assert answer.json()["message"] == '"campaign_id" must be a number'
    assert answer.json()["validation"] == {"source": "params", "keys": ["campaign_id"]}


async def test_strict_compat_answers_an_unknown_campaign_with_nothing(
    make_app: Callable[..., Edge], connect: Callable[..., Any], db: Db
) -> None:
    strict = await connect(make_app(Rollback(db), strict_compat=True), db)
    answer = await strict.get("/campaigns/424242")
    assert (answer.status_code, answer.content) == (200, b"")
    assert (await strict.get("/campaigns/424242/settings")).status_code == 404


async def test_unknown_fields_are_named_or_refused(
    api: ApiClient, make_app: Callable[..., Edge], connect: Callable[..., Any], db: Db
) -> None:
    answer = await api.post("/campaigns/create", json={"name": "Harbour", "colour": "blue", "track_settings": []})
    assert answer.headers["x-ignored-fields"] == "colour"
    strict = await connect(make_app(Rollback(db), strict_compat=True), db)
    answer = await strict.post("/campaigns/create", json={"name": "Harbour", "colour": "blue"})
    assert (answer.status_code, answer.json()["message"]) == (400, '"colour" is not allowed')
