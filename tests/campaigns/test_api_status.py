"""The status of a campaign over HTTP: every transition, the conditions of a start, the event."""

from collections.abc import Iterator
from typing import Any

import pytest

from outrider.campaigns import store
from outrider.campaigns.models import CampaignStatusChanged
from outrider.kit.db import Db, execute, fetch_value
from tests.support import make
from tests.support.client import ApiClient
from tests.support.events import Heard, hearing


@pytest.fixture
def changes() -> Iterator[Heard]:
    with hearing(CampaignStatusChanged) as heard:
        yield heard


async def ready_campaign(db: Db, user_id: int, status: str) -> int:
    campaign_id = await make.campaign(db, user_id, status=status)
    await make.attach(db, user_id, campaign_id, await make.mailbox(db, user_id))
    return campaign_id


async def send(api: ApiClient, campaign_id: int, status: Any) -> tuple[int, dict[str, Any]]:
    answer = await api.post(f"/campaigns/{campaign_id}/status", json={"status": status})
    return answer.status_code, answer.json()


async def status_of(db: Db, campaign_id: int) -> str:
    return str(await fetch_value(db, "SELECT status FROM campaigns WHERE id = %(id)s", {"id": campaign_id}))


STOPPED = "refused"
TRANSITIONS = [
    (before, verb, after)
    for before, afters in {
        "DRAFTED": ("ACTIVE", "PAUSED", "STOPPED", "ARCHIVED"),
        "ACTIVE": ("ACTIVE", "PAUSED", "STOPPED", "ARCHIVED"),
        "PAUSED": ("ACTIVE", "PAUSED", "STOPPED", "ARCHIVED"),
        "COMPLETED": ("ACTIVE", "PAUSED", "STOPPED", "ARCHIVED"),
        "STOPPED": (STOPPED, STOPPED, "STOPPED", "ARCHIVED"),
        "ARCHIVED": ("ACTIVE", "PAUSED", "STOPPED", "ARCHIVED"),
    }.items()
    for verb, after in zip(("START", "PAUSED", "STOPPED", "ARCHIVED"), afters, strict=True)
]


@pytest.mark.parametrize(("before", "verb", "after"), TRANSITIONS)
async def test_each_transition(api: ApiClient, db: Db, changes: Heard, *, before: str, verb: str, after: str) -> None:
    campaign_id = await ready_campaign(db, api.user_id, before)
    status, body = await send(api, campaign_id, verb)
    if after == STOPPED:
        assert (status, body["error"]) == (400, "Campaign is stopped and cannot be restarted")
        assert await status_of(db, campaign_id) == before
        return
    assert (status, body) == (200, {"ok": True})
    assert await status_of(db, campaign_id) == after
    told = [(event.campaign_id, event.previous, event.current) for event in changes.events]
    assert told == ([] if before == after else [(campaign_id, before, after)])


async def test_only_a_real_change_is_a_change_of_the_campaign(api: ApiClient, db: Db) -> None:
    campaign_id = await ready_campaign(db, api.user_id, "PAUSED")
    await execute(db, "UPDATE campaigns SET updated_at = '2020-01-01Z'")
    await send(api, campaign_id, "PAUSED")
    assert (await api.get(f"/campaigns/{campaign_id}")).json()["updated_at"] == "2020-01-01T00:00:00.000Z"
    await send(api, campaign_id, "START")
    assert (await api.get(f"/campaigns/{campaign_id}")).json()["updated_at"].startswith("2026-03-02T09:00:00.0")


async def test_a_stop_is_remembered_through_the_archive(api: ApiClient, db: Db) -> None:
    campaign_id = await ready_campaign(db, api.user_id, "STOPPED")
    await send(api, campaign_id, "ARCHIVED")
    assert (await send(api, campaign_id, "START"))[0] == 400
    assert (await send(api, campaign_id, "PAUSED"))[0] == 400
    assert (await send(api, campaign_id, "STOPPED"))[0] == 200


@pytest.mark.parametrize(
    ("spelling", "after"),
    [
        ("START", "ACTIVE"),
        ("start", "ACTIVE"),
        ("ACTIVE", "ACTIVE"),
        ("Resume", "ACTIVE"),
        ("PAUSE", "PAUSED"),
        ("paused", "PAUSED"),
        ("STOP", "STOPPED"),
        (" STOPPED ", "STOPPED"),
        ("ARCHIVE", "ARCHIVED"),
        ("ARCHIVED", "ARCHIVED"),
    ],
)
async def test_spellings_of_the_verbs(api: ApiClient, db: Db, spelling: str, after: str) -> None:
    campaign_id = await ready_campaign(db, api.user_id, "DRAFTED")
    assert (await send(api, campaign_id, spelling))[0] == 200
    assert await status_of(db, campaign_id) == after


@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT"])
async def test_methods(api: ApiClient, db: Db, method: str) -> None:
    campaign_id = await ready_campaign(db, api.user_id, "DRAFTED")
    answer = await api.request(
        method,
        f"/campaigns/{campaign_id}/status/",
        content='{"status": "START"}',
        headers={"content-type": "text/plain"},
    )
    assert (answer.status_code, answer.json()) == (200, {"ok": True})
    assert await status_of(db, campaign_id) == "ACTIVE"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, '"status" is required'),
        ({"status": "COMPLETED"}, '"status" must be one of [PAUSED, STOPPED, START]'),
        ({"status": "DRAFTED"}, '"status" must be one of [PAUSED, STOPPED, START]'),
        ({"status": 1}, '"status" must be one of [PAUSED, STOPPED, START]'),
        ({"status": None}, '"status" must be one of [PAUSED, STOPPED, START]'),
    ],
)
async def test_other_values_are_refused(api: ApiClient, db: Db, body: dict[str, Any], message: str) -> None:
    campaign_id = await make.campaign(db, api.user_id)
    answer = await api.post(f"/campaigns/{campaign_id}/status", json=body)
    assert (answer.status_code, answer.json()["message"]) == (400, message)
    assert answer.json()["error"] == "Bad Request"


async def test_a_start_needs_schedule_steps_and_mailbox(api: ApiClient, db: Db) -> None:
    campaign_id = (await api.post("/campaigns/create", json={})).json()["id"]

    async def refusal() -> str:
        status, body = await send(api, campaign_id, "START")
        assert (status, body["ok"], body["error"]) == (400, False, body["message"])
        return str(body["message"])

    assert await refusal() == "Campaign schedule is not set"
    schedule = {"timezone": "UTC", "days_of_the_week": [1], "start_hour": "09:00", "end_hour": "17:00"}
    await api.post(f"/campaigns/{campaign_id}/schedule", json=schedule)
    assert await refusal() == "Campaign has no sequences"
    await api.post(f"/campaigns/{campaign_id}/sequences", json={"sequences": [{"seq_number": 1, "subject": "Empty"}]})
    assert await refusal() == "Campaign has no sequences"
    variants = [{"subject": "Hi", "email_body": "<p>Hi</p>"}]
    await api.post(
        f"/campaigns/{campaign_id}/sequences", json={"sequences": [{"seq_number": 1, "seq_variants": variants}]}
    )
    assert await refusal() == "Campaign has no email accounts"
    mailbox_id = await make.mailbox(db, api.user_id)
    await api.post(f"/campaigns/{campaign_id}/email-accounts", json={"email_account_ids": [mailbox_id]})
    assert (await send(api, campaign_id, "START"))[0] == 200


async def test_bounces_are_counted_anew_after_a_start_by_hand(api: ApiClient, db: Db) -> None:
    campaign_id = await ready_campaign(db, api.user_id, "PAUSED")
    await send(api, campaign_id, "START")
    campaign = await store.load_campaign(db, api.user_id, campaign_id, client_id=None)
    assert campaign.bounce_measured_from == campaign.updated_at


async def test_the_key_of_a_client_starts_its_own_campaign(client_api: ApiClient, db: Db) -> None:
    campaign_id = await make.campaign(db, client_api.user_id, client_id=client_api.client_id)
    await make.attach(db, client_api.user_id, campaign_id, await make.mailbox(db, client_api.user_id))
    assert await send(client_api, campaign_id, "START") == (200, {"ok": True})
