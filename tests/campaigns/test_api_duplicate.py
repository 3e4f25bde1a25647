"""A campaign is duplicated over HTTP: what comes along and what does not."""

from typing import Any

import pytest

from outrider.kit.db import Db, execute, fetch_dicts, fetch_value
from tests.support import make
from tests.support.client import ApiClient, fresh_client
from tests.support.leads import add_one

SETTINGS = {
    "track_settings": ["DONT_EMAIL_OPEN"],
    "stop_lead_settings": "CLICK_ON_A_LINK",
    "unsubscribe_text": "No more",
    "follow_up_percentage": 40,
    "bounce_autopause_threshold": "5",
    "ai_categorisation_options": [1, 3],
    "send_as_plain_text": True,
}
SCHEDULE = {
    "timezone": "Europe/Lisbon",
    "days_of_the_week": [1, 3],
    "start_hour": "08:30",
    "end_hour": "17:30",
    "min_time_btw_emails": 12,
    "max_new_leads_per_day": 60,
    "schedule_start_time": "2026-03-09T08:00:00Z",
}
STEPS = [
    {
        "seq_number": 1,
        "variant_distribution_type": "MANUAL_PERCENTAGE",
        "seq_variants": [
            {"variant_label": "A", "subject": "Fees", "email_body": "Hi", "variant_distribution_percentage": 70},
            {"variant_label": "B", "subject": "Costs", "email_body": "Ho", "variant_distribution_percentage": 30},
        ],
    },
    {"seq_number": 2, "seq_delay_details": {"delay_in_days": 3}, "subject": "", "email_body": "Any thoughts?"},
]
OWN = {"id", "created_at", "updated_at", "email_campaign_id", "email_campaign_seq_id"}


async def good(api: ApiClient, method: str, path: str, body: Any = None) -> Any:
    answer = await api.request(method, path, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def original(api: ApiClient, db: Db, *, client_id: int | None = None) -> int:
    made = await good(api, "POST", "/campaigns/create", {"name": "Harbour", "client_id": client_id})
    campaign_id = int(made["id"])
    await good(api, "POST", f"/campaigns/{campaign_id}/settings", SETTINGS)
    await good(api, "POST", f"/campaigns/{campaign_id}/schedule", SCHEDULE)
    await good(api, "POST", f"/campaigns/{campaign_id}/sequences", {"sequences": STEPS})
    for _ in range(2):
        await make.attach(db, api.user_id, campaign_id, await make.mailbox(db, api.user_id))
    await add_one(api, campaign_id)
    hook = {"webhook_url": "https://hooks.example.net", "event_types": ["EMAIL_SENT"]}
    await good(api, "POST", f"/campaigns/{campaign_id}/webhooks", hook)
    await execute(db, "UPDATE campaigns SET status = 'ACTIVE' WHERE id = %(id)s", {"id": campaign_id})
    return campaign_id


def without_its_own(value: Any) -> Any:
    """What two campaigns have in common: no ids, no times."""
    if isinstance(value, list):
        return [without_its_own(each) for each in value]
    if isinstance(value, dict):
        return {key: without_its_own(each) for key, each in value.items() if key not in OWN}
    return value


async def test_the_copy_has_everything_but_what_happened(api: ApiClient, db: Db) -> None:
    campaign_id = await original(api, db)
    answer = await good(api, "POST", f"/campaigns/{campaign_id}/duplicate", {})
    assert answer == {"ok": True, "newCampaignId": answer["newCampaignId"]}
    copy_id = answer["newCampaignId"]
    was, copy = [await good(api, "GET", f"/campaigns/{each}") for each in (campaign_id, copy_id)]
    assert without_its_own(copy) == without_its_own(was) | {
        "name": "Harbour - copy",
        "status": "DRAFTED",
        "schedule_start_time": None,
    }
    assert was["schedule_start_time"] is not None
    steps, copied = [await good(api, "GET", f"/campaigns/{each}/sequences") for each in (campaign_id, copy_id)]
    assert without_its_own(copied) == without_its_own(steps)
    assert not {step["id"] for step in steps} & {step["id"] for step in copied}
    boxes, same = [await good(api, "GET", f"/campaigns/{each}/email-accounts") for each in (campaign_id, copy_id)]
    assert [box["id"] for box in same] == [box["id"] for box in boxes]
    assert len(same) == 2
    assert (await good(api, "GET", f"/campaigns/{copy_id}/leads"))["total_leads"] == "0"
    assert await good(api, "GET", f"/campaigns/{copy_id}/webhooks") == []
    assert (await good(api, "POST", f"/campaigns/{copy_id}/status", {"status": "START"}))["ok"] is True


async def test_an_empty_campaign_is_copied_too(api: ApiClient) -> None:
    campaign_id = (await good(api, "POST", "/campaigns/create", {}))["id"]
    copy_id = (await good(api, "POST", f"/campaigns/{campaign_id}/duplicate"))["newCampaignId"]
    assert (await good(api, "GET", f"/campaigns/{copy_id}"))["name"] == "Untitled Campaign - copy"


@pytest.mark.parametrize(
    ("body", "keeps"),
    [
        ({}, False),
        ({"duplicate_client_label": True}, True),
        ({"duplicateClientLabel": "true"}, True),
        ({"duplicate_client_label": "false"}, False),
    ],
)
async def test_the_client_stays_only_if_asked_for(api: ApiClient, db: Db, now: Any, body: Any, keeps: bool) -> None:
    client_id = await fresh_client(db, api.user_id, now)
    campaign_id = await original(api, db, client_id=client_id)
    copy_id = (await good(api, "POST", f"/campaigns/{campaign_id}/duplicate", body))["newCampaignId"]
    assert (await good(api, "GET", f"/campaigns/{copy_id}"))["client_id"] == (client_id if keeps else None)


async def test_what_a_client_copies_is_the_clients(api: ApiClient, client_api: ApiClient, db: Db) -> None:
    campaign_id = (await good(client_api, "POST", "/campaigns/create", {}))["id"]
    copy_id = (await good(client_api, "POST", f"/campaigns/{campaign_id}/duplicate"))["newCampaignId"]
    was, copy = [await good(client_api, "GET", f"/campaigns/{each}") for each in (campaign_id, copy_id)]
    assert copy["client_id"] == was["client_id"]


@pytest.mark.parametrize("with_subsequences", [True, False])
async def test_subsequences_come_along_if_asked_for(api: ApiClient, db: Db, with_subsequences: bool) -> None:
    campaign_id = await original(api, db)
    for trigger in ("NO_REPLY", "CLICKED"):
        given = {"parent_campaign_id": campaign_id, "trigger": trigger, "delayForNewLeads": 2, "sequences": STEPS}
        await good(api, "POST", "/campaigns/create-subsequence", given)
    body = {"duplicate_sub_sequence": with_subsequences}
    copy_id = (await good(api, "POST", f"/campaigns/{campaign_id}/duplicate", body))["newCampaignId"]
    listed = await good(api, "GET", "/campaigns")
    children = [each for each in listed if each["parent_campaign_id"] == copy_id]
    assert len(children) == (2 if with_subsequences else 0)
    kept = await fetch_dicts(
        db,
        """
        SELECT s.position, s.delay_days, t.type
        FROM subsequences AS s JOIN subsequence_triggers AS t USING (campaign_id)
        WHERE s.parent_campaign_id = %(id)s ORDER BY s.position
        """,
        {"id": copy_id},
    )
    wanted = [(1, 2, "NO_REPLY"), (2, 2, "CLICK_ON_A_LINK")]
    assert [tuple(row.values()) for row in kept] == (wanted if with_subsequences else [])
    for child in children:
        assert child["status"] == "DRAFTED"
        assert len(await good(api, "GET", f"/campaigns/{child['id']}/sequences")) == len(STEPS)


async def test_what_is_not_there_is_not_copied(api: ApiClient, other_api: ApiClient, db: Db) -> None:
    campaign_id = await make.campaign(db, api.user_id)
    count = await fetch_value(db, "SELECT count(*) FROM campaigns")
    for caller, path in ((other_api, campaign_id), (api, 77)):
        answer = await caller.post(f"/campaigns/{path}/duplicate", json={})
        wanted = {"error": "Invalid campaign Id!", "message": "Invalid campaign Id!", "statusCode": 404, "ok": False}
        assert (answer.status_code, answer.json()) == (404, wanted)
    assert await fetch_value(db, "SELECT count(*) FROM campaigns") == count
