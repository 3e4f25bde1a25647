"""The schedule over HTTP: spellings, limits, partial updates, zones."""

from collections.abc import Callable
from typing import Any

import pytest

from outrider.kit.db import Db
from outrider.kit.edge import Edge
from tests.support.client import ApiClient, Rollback

FIRST = {"timezone": "Europe/Lisbon", "days_of_the_week": [1, 2, 3, 4, 5], "start_hour": "08:30", "end_hour": "17:30"}
STORED = {"tz": "Europe/Lisbon", "days": [1, 2, 3, 4, 5], "startHour": "08:30", "endHour": "17:30"}


@pytest.fixture
async def campaign_id(api: ApiClient) -> int:
    return int((await api.post("/campaigns/create", json={})).json()["id"])


async def save(api: ApiClient, campaign_id: int, body: dict[str, Any]) -> dict[str, Any]:
    answer = await api.post(f"/campaigns/{campaign_id}/schedule", json=body)
    assert (answer.status_code, answer.json()) == (200, {"ok": True}), answer.text
    return dict((await api.get(f"/campaigns/{campaign_id}")).json())


async def refusal(api: ApiClient, campaign_id: int, body: dict[str, Any]) -> str:
    before = (await api.get(f"/campaigns/{campaign_id}")).json()
    answer = await api.post(f"/campaigns/{campaign_id}/schedule", json=body)
    assert answer.status_code == 400
    assert (await api.get(f"/campaigns/{campaign_id}")).json() == before
    return str(answer.json()["message"])


async def test_a_schedule_reads_back(api: ApiClient, campaign_id: int) -> None:
    body = {
        **FIRST,
        "min_time_btw_emails": 12,
        "max_new_leads_per_day": 60,
        "schedule_start_time": "2026-03-10T08:00:00.000Z",
    }
    campaign = await save(api, campaign_id, body)
    assert campaign["scheduler_cron_value"] == STORED
    assert (campaign["min_time_btwn_emails"], campaign["max_leads_per_day"]) == (12, 60)
    assert campaign["schedule_start_time"] == "2026-03-10T08:00:00.000Z"


async def test_the_first_one_keeps_the_default_gap_and_cap(api: ApiClient, campaign_id: int) -> None:
    campaign = await save(api, campaign_id, FIRST)
    assert (campaign["min_time_btwn_emails"], campaign["max_leads_per_day"]) == (20, 100)


@pytest.mark.parametrize("field", ["timezone", "days_of_the_week", "start_hour", "end_hour"])
async def test_the_first_one_needs_zone_days_and_hours(api: ApiClient, campaign_id: int, field: str) -> None:
    body = {name: value for name, value in FIRST.items() if name != field}
    assert await refusal(api, campaign_id, body) == f'"{field}" is required'


async def test_the_missing_fields_are_asked_for_in_order(api: ApiClient, campaign_id: int) -> None:
    assert await refusal(api, campaign_id, {}) == '"timezone" is required'
    answer = await api.post(f"/campaigns/{campaign_id}/schedule", json={})
    assert answer.json()["validation"] == {"source": "body", "keys": ["timezone"]}


async def test_later_ones_change_only_what_they_name(api: ApiClient, campaign_id: int) -> None:
    await save(api, campaign_id, {**FIRST, "max_new_leads_per_day": 7})
    campaign = await save(api, campaign_id, {"end_hour": "19:00", "timezone": "", "start_hour": None})
    assert campaign["scheduler_cron_value"] == STORED | {"endHour": "19:00"}
    campaign = await save(api, campaign_id, {"min_time_btw_emails": "3"})
    assert (campaign["min_time_btwn_emails"], campaign["max_leads_per_day"]) == (3, 7)


@pytest.mark.parametrize(
    "body",
    [
        {"tz": "Europe/Lisbon", "days": [1, 2, 3, 4, 5], "startHour": "08:30", "endHour": "17:30"},
        {"schedule": FIRST},
        {"scheduler_cron_value": STORED},
        {**FIRST, "days_of_the_week": "[1,2,3,4,5]"},
        {**FIRST, "days_of_the_week": ["5", 4, "3", 2, 1, 1]},
        {**FIRST, "start_hour": "8:30"},
        {"timezone": "Europe/Lisbon", "daysOfTheWeek": [1, 2, 3, 4, 5], "startHour": "08:30", "end_hour": "17:30"},
    ],
)
async def test_spellings_of_a_schedule(api: ApiClient, campaign_id: int, body: dict[str, Any]) -> None:
    assert (await save(api, campaign_id, body))["scheduler_cron_value"] == STORED


@pytest.mark.parametrize(
    ("given", "stored"), [([7], [0]), ([0, 7, 6], [0, 6]), (3, [3]), ([0, 1, 2, 3, 4, 5, 6], [0, 1, 2, 3, 4, 5, 6])]
)
async def test_sunday_is_0_or_7(api: ApiClient, campaign_id: int, given: Any, stored: list[int]) -> None:
    campaign = await save(api, campaign_id, {**FIRST, "days_of_the_week": given})
    assert campaign["scheduler_cron_value"]["days"] == stored


@pytest.mark.parametrize(
    ("start", "end", "stored"),
    [
        (9, 17, ("09:00", "17:00")),
        ("9", "17", ("09:00", "17:00")),
        ("00:00", "24:00", ("00:00", "23:59")),
        (0, 24, ("00:00", "23:59")),
        ("22:58", "22:59", ("22:58", "22:59")),
    ],
)
async def test_forms_of_hours(api: ApiClient, campaign_id: int, start: Any, end: Any, stored: tuple[str, str]) -> None:
    campaign = await save(api, campaign_id, {**FIRST, "start_hour": start, "end_hour": end})
    assert (campaign["scheduler_cron_value"]["startHour"], campaign["scheduler_cron_value"]["endHour"]) == stored


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "Etc/GMT+12", "America/Argentina/Buenos_Aires"])
async def test_zones_have_iana_names(api: ApiClient, campaign_id: int, zone: str) -> None:
    assert (await save(api, campaign_id, {**FIRST, "timezone": zone}))["scheduler_cron_value"]["tz"] == zone


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"timezone": "Mars/Olympus"}, "Invalid timezone - Mars/Olympus"),
        ({"timezone": "../etc/passwd"}, "Invalid timezone - ../etc/passwd"),
        ({"start_hour": "25:00"}, "Invalid start_hour - 25:00"),
        ({"start_hour": "24:00"}, "Invalid start_hour - 24:00"),
        ({"start_hour": "morning"}, "Invalid start_hour - morning"),
        ({"end_hour": "17:60"}, "Invalid end_hour - 17:60"),
        ({"end_hour": "17.30"}, "Invalid end_hour - 17.30"),
        ({"end_hour": "08:30"}, "startHour cannot be greater that endHour"),
        ({"end_hour": "06:00"}, "startHour cannot be greater that endHour"),
        ({"days_of_the_week": [1, 8]}, '"days_of_the_week[1]" must be less than or equal to 7'),
        ({"days_of_the_week": [-1]}, '"days_of_the_week[0]" must be larger than or equal to 0'),
        ({"days_of_the_week": []}, '"days_of_the_week" must contain at least 1 items'),
        ({"days_of_the_week": ["Monday"]}, '"days_of_the_week[0]" must be a number'),
        ({"min_time_btw_emails": 0}, '"min_time_btw_emails" must be larger than or equal to 1'),
        ({"min_time_btw_emails": 2.5}, '"min_time_btw_emails" must be an integer'),
        ({"max_new_leads_per_day": -1}, '"max_new_leads_per_day" must be larger than or equal to 0'),
        ({"max_new_leads_per_day": 2**31}, '"max_new_leads_per_day" must be less than or equal to 2147483647'),
        ({"schedule_start_time": "tomorrow"}, '"schedule_start_time" must be in ISO 8601 date format'),
    ],
)
async def test_what_cannot_be_is_refused(
    api: ApiClient, campaign_id: int, changed: dict[str, Any], message: str
) -> None:
    assert await refusal(api, campaign_id, {**FIRST, **changed}) == message


async def test_hours_are_compared_with_those_that_are_stored(api: ApiClient, campaign_id: int) -> None:
    await save(api, campaign_id, FIRST)
    assert await refusal(api, campaign_id, {"start_hour": "18:00"}) == "startHour cannot be greater that endHour"


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("2026-03-10T08:00:00Z", "2026-03-10T08:00:00.000Z"),
        ("2026-03-10T08:00:00+02:00", "2026-03-10T06:00:00.000Z"),
        ("2026-07-10 08:00", "2026-07-10T07:00:00.000Z"),
        ("2026-01-10", "2026-01-10T00:00:00.000Z"),
    ],
)
async def test_a_start_time_without_a_zone_is_the_campaigns(
    api: ApiClient, campaign_id: int, given: str, stored: str
) -> None:
    campaign = await save(api, campaign_id, {**FIRST, "schedule_start_time": given})
    assert campaign["schedule_start_time"] == stored


async def test_only_null_clears_the_start_time(api: ApiClient, campaign_id: int) -> None:
    await save(api, campaign_id, {**FIRST, "schedule_start_time": "2026-03-10T08:00:00Z"})
    assert (await save(api, campaign_id, {"schedule_start_time": ""}))["schedule_start_time"] is not None
    assert (await save(api, campaign_id, {"schedule_start_time": None}))["schedule_start_time"] is None


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/schedule"), ("PATCH", "/schedule"), ("PUT", "/schedule/"), ("POST", "")]
)
async def test_methods_and_paths(api: ApiClient, campaign_id: int, method: str, path: str) -> None:
    answer = await api.request(method, f"/campaigns/{campaign_id}{path}", json={**FIRST, "campaign_id": campaign_id})
    assert answer.json() == {"ok": True}
    assert (await api.get(f"/campaigns/{campaign_id}")).json()["scheduler_cron_value"] == STORED


async def test_a_post_on_the_campaign_takes_schedule_and_settings(api: ApiClient, campaign_id: int) -> None:
    await api.post(f"/campaigns/{campaign_id}", json={**FIRST, "name": "Both"})
    campaign = (await api.get(f"/campaigns/{campaign_id}")).json()
    assert (campaign["name"], campaign["scheduler_cron_value"]) == ("Both", STORED)


async def test_strict_compat_wants_three_minutes(
    api: ApiClient, campaign_id: int, make_app: Callable[..., Edge], connect: Callable[..., Any], db: Db
) -> None:
    assert (await save(api, campaign_id, {**FIRST, "min_time_btw_emails": 1}))["min_time_btwn_emails"] == 1
    strict = await connect(make_app(Rollback(db), strict_compat=True), db, user_id=api.user_id)
    answer = await strict.post(f"/campaigns/{campaign_id}/schedule", json={"min_time_btw_emails": 2})
    assert answer.status_code == 400
    assert answer.json()["message"] == '"min_time_btw_emails" must be larger than or equal to 3'
    answer = await strict.post(f"/campaigns/{campaign_id}/schedule", json={"min_time_btw_emails": 3})
    assert answer.json() == {"ok": True}
