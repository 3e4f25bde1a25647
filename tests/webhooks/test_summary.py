"""The publish summary over HTTP: four states, ranges of time, who sees what."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from outrider.kit.db import Db, execute
from tests.support.client import ApiClient
from tests.webhooks import scene
from tests.webhooks.scene import CAMPAIGN, WEBHOOK
from tests.webhooks.test_api import UNKNOWN_CAMPAIGN, refused

PATH = f"/campaigns/{CAMPAIGN}/webhooks/summary"
MARCH = "?fromTime=2026-03-01&toTime=2026-03-31"
AT = datetime(2026, 3, 30, 10, 2, 11, 4_000, tzinfo=UTC)
SUCCESS_AT = datetime(2026, 3, 30, 9, 58, 40, 311_000, tzinfo=UTC)
STATES: dict[str, dict[str, Any]] = {
    "successful": {"state": "SUCCESSFUL", "last_attempt_at": SUCCESS_AT, "last_success_at": SUCCESS_AT},
    "failed": {"state": "FAILED", "last_attempt_at": SUCCESS_AT, "last_error": "HTTP 400"},
    "scheduled": {"state": "SCHEDULED", "last_attempt_at": AT, "last_status_code": 503, "last_error": "HTTP 503"},
    "retroactively": {"state": "FAILED", "is_retriggered": True, "last_attempt_at": SUCCESS_AT},
    "retriggered": {"state": "SUCCESSFUL", "is_retriggered": True},
    "again": {"state": "SCHEDULED", "is_retriggered": True},
}


@pytest.fixture(autouse=True)
async def _place(api: ApiClient, db: Db) -> None:
    """The campaign of the examples in the account of the key."""
    await scene.campaign(db, user_id=api.user_id)
    await scene.webhook(db, WEBHOOK, "EMAIL_SENT", "EMAIL_REPLY", user_id=api.user_id)


async def add(db: Db, api: ApiClient, *states: str, **given: Any) -> None:
    for state in states:
        await scene.event(db, user_id=api.user_id, **{"occurred_at": AT, **STATES[state], **given})


async def test_the_example_of_the_contract(api: ApiClient, db: Db) -> None:
    await add(db, api, *["successful"] * 28, "failed", "scheduled", event_type="EMAIL_SENT")
    await add(db, api, *["successful"] * 9, "failed", "scheduled", "retroactively", event_type="EMAIL_REPLY")
    expected = scene.example("summary")
    found = (await api.get(PATH + MARCH)).json()
    row = found["data"]["summary"][0]
    assert row == {**expected["data"]["summary"][0], "event_type": "EMAIL_REPLY"}
    assert found["data"]["summary"][1]["event_type"] == "EMAIL_SENT"
    assert found["data"].keys() == expected["data"].keys()
    assert {key: found[key] for key in found if key != "data"} == {
        key: expected[key] for key in expected if key != "data"
    }
    counts = ("sent_count", "successful_count", "failed_count", "scheduled_for_retry_count")
    assert {key: found["data"][key] for key in counts} == {key: expected["data"][key] for key in counts}
    assert found["data"]["retroactively_failed_count"] == 1
    assert found["data"]["event_types"] == {"EMAIL_SENT": 30, "EMAIL_REPLY": 12}
    assert found["data"]["timeRange"] == expected["data"]["timeRange"]
    assert found["data"]["retrigger"] is None


@pytest.mark.parametrize(
    ("state", "counter"),
    [
        ("successful", "successful_count"),
        ("failed", "failed_count"),
        ("scheduled", "scheduled_for_retry_count"),
        ("retroactively", "retroactively_failed_count"),
        ("retriggered", "successful_count"),
        ("again", "scheduled_for_retry_count"),
    ],
)
async def test_each_delivery_is_in_one_state(api: ApiClient, db: Db, state: str, counter: str) -> None:
    await add(db, api, state)
    data = (await api.get(PATH + MARCH)).json()["data"]
    counters = ("successful_count", "failed_count", "scheduled_for_retry_count", "retroactively_failed_count")
    assert {name: data[name] for name in counters} == {name: int(name == counter) for name in counters}
    assert data["sent_count"] == 1


async def test_nothing_sent(api: ApiClient) -> None:
    found = (await api.get(PATH)).json()
    assert (found["ok"], found["total"], found["success"], found["success_rate"]) == (True, 0, 0, 0)
    assert found["data"]["summary"] == []
    assert found["data"]["event_types"] == {}


async def test_rows_per_webhook_and_event_with_deleted_ones(api: ApiClient, db: Db) -> None:
    await scene.webhook(db, 8200, level="user", user_id=api.user_id, name="All")
    await add(db, api, "successful", event_type="EMAIL_SENT", webhook_ids=(8200, WEBHOOK))
    await add(db, api, "successful", event_type="EMAIL_REPLY", webhook_ids=(8200,))
    await api.delete(f"/webhook/delete/{WEBHOOK}")
    rows = (await api.get(PATH + MARCH)).json()["data"]["summary"]
    assert [(row["webhook_id"], row["webhook_level"], row["event_type"]) for row in rows] == [
        (WEBHOOK, "campaign", "EMAIL_SENT"),
        (8200, "user", "EMAIL_REPLY"),
        (8200, "user", "EMAIL_SENT"),
    ]


RANGES = [
    ("?fromTime=2026-03-30T10:02:11.004Z&toTime=2026-03-30T10:02:11.004Z", 1),
    ("?fromTime=2026-03-30T10:02:11.005Z&toTime=2026-04-01", 0),
    ("?fromTime=2026-03-01&toTime=2026-03-30T10:02:11.003Z", 0),
    ("?fromTime=2026-03-30&toTime=2026-03-30", 1),
    ("?from_time=2026-03-30&to_time=2026-03-30", 1),
    ("?start_date=2026-03-30&end_date=2026-03-30", 1),
    ("?startDate=2026-03-30&endDate=2026-03-30", 1),
    ("?fromTime=2026-03-30T12:00:00%2B02:00&toTime=2026-03-30T12:05:00%2B02:00", 1),
    ("?toTime=2026-04-29T10:02:11.003Z", 1),
    ("?toTime=2026-04-29T10:02:11.006Z", 0),
    ("", 0),
]


@pytest.mark.parametrize(("query", "count"), RANGES)
async def test_ranges_include_both_ends(api: ApiClient, db: Db, query: str, count: int) -> None:
    await add(db, api, "successful", occurred_at=AT + timedelta(microseconds=500))
    assert (await api.get(PATH + query)).json()["total"] == count


async def test_without_a_range_the_last_thirty_days_are_meant(api: ApiClient) -> None:
    found = (await api.get(PATH)).json()["data"]["timeRange"]
    assert found == {"from": "2026-01-31T09:00:00.000Z", "to": "2026-03-02T09:00:00.000Z"}


@pytest.mark.parametrize(
    ("query", "message", "key"),
    [
        ("?fromTime=yesterday", '"fromTime" must be in ISO 8601 date format', "fromTime"),
        ("?toTime=2026-02-31", '"toTime" must be in ISO 8601 date format', "toTime"),
        (
            "?fromTime=2026-03-02&toTime=2026-03-01",
            '"toTime" must be larger than or equal to "ref:fromTime"',
            "toTime",
        ),
    ],
)
@pytest.mark.parametrize("path", [PATH, "/webhooks/publish-summary"])
async def test_ranges_that_are_none(api: ApiClient, path: str, query: str, message: str, key: str) -> None:
    assert await refused(api, "GET", path + query) == {
        "statusCode": 400,
        "error": "Bad Request",
        "message": message,
        "validation": {"source": "query", "keys": [key]},
        "ok": False,
    }


@pytest.mark.parametrize("path", [PATH, PATH.replace("summary", "publish-summary")])
async def test_other_accounts_and_clients_do_not_find_the_campaign(
    other_api: ApiClient, client_api: ApiClient, path: str
) -> None:
    for client in (other_api, client_api):
        assert await refused(client, "GET", path, 404) == UNKNOWN_CAMPAIGN


async def test_all_campaigns_at_once(api: ApiClient, other_api: ApiClient, client_api: ApiClient, db: Db) -> None:
    own = await scene.campaign(db, 6000, user_id=api.user_id, client_id=client_api.client_id)
    await scene.webhook(db, 8200, campaign_id=own, user_id=api.user_id)
    await scene.webhook(db, 8300, level="user", user_id=api.user_id)
    await add(db, api, "successful")
    await add(db, api, "failed", campaign_id=own, webhook_ids=(8200, 8300))
    await add(db, api, "successful", campaign_id=None, event_type="UNTRACKED_REPLIES", webhook_ids=(8300,))
    path = f"/webhooks/publish-summary{MARCH}"
    found = (await api.get(path)).json()
    assert (found["total"], found["data"]["campaign_id"]) == (4, None)
    assert (await api.get(f"{path}&campaign_id={own}")).json()["total"] == 2
    assert await refused(api, "GET", f"{path}&campaign_id=99", 404) == UNKNOWN_CAMPAIGN
    assert [row["webhook_id"] for row in (await client_api.get(path)).json()["data"]["summary"]] == [8200]
    assert (await other_api.get(path)).json()["total"] == 0


async def test_what_happened_outside_of_campaigns_counts_for_the_campaign_of_the_webhook(
    api: ApiClient, db: Db
) -> None:
    await scene.webhook(db, 8300, level="user", user_id=api.user_id)
    await add(db, api, "successful", campaign_id=None, event_type="UNTRACKED_REPLIES", webhook_ids=(WEBHOOK, 8300))
    rows = (await api.get(PATH + MARCH)).json()["data"]["summary"]
    assert [row["webhook_id"] for row in rows] == [WEBHOOK]


async def test_the_last_error_is_that_of_the_last_attempt(api: ApiClient, db: Db) -> None:
    await add(db, api, "scheduled")
    await add(db, api, "successful", last_attempt_at=AT + timedelta(seconds=1), last_status_code=200)
    row = (await api.get(PATH + MARCH)).json()["data"]["summary"][0]
    assert (row["last_status_code"], row["last_error"]) == (200, None)
    await execute(db, "UPDATE webhook_deliveries SET last_attempt_at = NULL, last_error = 'x'")
    row = (await api.get(PATH + MARCH)).json()["data"]["summary"][0]
    assert (row["last_attempt_at"], row["last_error"]) == (None, "x")
