"""Unsubscribing over HTTP: from one campaign, from all of them."""

from typing import Any

import pytest

from outrider.kit.db import Db, fetch_dicts
from outrider.leads.models import LeadUnsubscribed
from tests.support import make
from tests.support.client import ApiClient, fresh_client
from tests.support.events import hearing
from tests.support.leads import add, add_one, change_place, person, place
from tests.support.make import NOW


@pytest.fixture
async def campaign_id(api: ApiClient, db: Db) -> int:
    return await make.campaign(db, api.user_id)


@pytest.fixture
async def lead_id(api: ApiClient, campaign_id: int) -> int:
    return await add_one(api, campaign_id)


async def post(api: ApiClient, path: str) -> Any:
    answer = await api.post(path)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def unsubscribes(db: Db) -> list[tuple[str, int]]:
    return [(row["email"], row["client_id"]) for row in await fetch_dicts(db, "SELECT * FROM unsubscribes ORDER BY 3")]


async def test_from_one_campaign_the_others_go_on(api: ApiClient, db: Db, campaign_id: int, lead_id: int) -> None:
    other = await make.campaign(db, api.user_id)
    await add(api, other, "ada@hexly.io")
    with hearing(LeadUnsubscribed) as heard:
        for _ in range(2):
            assert await post(api, f"/campaigns/{campaign_id}/leads/{lead_id}/unsubscribe") == {"ok": True}
    mine = await place(db, campaign_id, lead_id)
    assert (mine["status"], mine["hold_reason"], mine["is_unsubscribed"]) == ("STOPPED", "UNSUBSCRIBED", True)
    assert (await place(db, other, lead_id))["status"] == "STARTED"
    assert not (await person(db, lead_id))["is_unsubscribed"]
    assert heard.events == [LeadUnsubscribed(api.user_id, campaign_id, mine["id"], lead_id, None, NOW)]
    assert await unsubscribes(db) == []


async def test_from_one_campaign_a_finished_lead_keeps_its_status(
    api: ApiClient, db: Db, campaign_id: int, lead_id: int
) -> None:
    await change_place(db, campaign_id, lead_id, "status = 'COMPLETED'")
    with hearing(LeadUnsubscribed) as heard:
        await post(api, f"/campaigns/{campaign_id}/leads/{lead_id}/unsubscribe")
    mine = await place(db, campaign_id, lead_id)
    assert (mine["status"], mine["is_unsubscribed"], len(heard.events)) == ("COMPLETED", True, 1)


@pytest.mark.parametrize("path", ["unsubscribe", "unsubscribe-all", "unsubscribe/"])
async def test_from_all_campaigns_every_open_one_stops_and_every_one_is_told(
    api: ApiClient, db: Db, campaign_id: int, lead_id: int, path: str
) -> None:
    client_id = await fresh_client(db, api.user_id, NOW)
    clients_campaign = await make.campaign(db, api.user_id, client_id=client_id)
    finished = await make.campaign(db, api.user_id)
    told = await make.campaign(db, api.user_id)
    for each in (clients_campaign, finished, told):
        await add(api, each, "ada@hexly.io")
    await change_place(db, clients_campaign, lead_id, "status = 'PAUSED', hold_reason = 'MANUAL'")
    await change_place(db, finished, lead_id, "status = 'COMPLETED'")
    await post(api, f"/campaigns/{told}/leads/{lead_id}/unsubscribe")
    with hearing(LeadUnsubscribed) as heard:
        for _ in range(2):
            assert await post(api, f"/leads/{lead_id}/{path}") == {"ok": True}
    assert [event.campaign_id for event in heard.events] == [campaign_id, clients_campaign, finished]
    row = await person(db, lead_id)
    assert (row["is_unsubscribed"], row["unsubscribed_client_ids"]) == (True, [client_id])
    statuses = [(await place(db, each, lead_id))["status"] for each in (campaign_id, clients_campaign, finished, told)]
    assert statuses == ["STOPPED", "STOPPED", "COMPLETED", "STOPPED"]
    assert await unsubscribes(db) == [("ada@hexly.io", 0)]
    body = (await api.get("/leads", params={"email": "ada@hexly.io"})).json()
    assert (body["is_unsubscribed"], body["unsubscribed_client_id_map"]) == (True, {str(client_id): True})


async def test_later_imports_skip_the_person_also_after_the_lead_was_deleted(
    api: ApiClient, campaign_id: int, lead_id: int
) -> None:
    await post(api, f"/leads/{lead_id}/unsubscribe")
    await api.delete(f"/leads/{lead_id}")
    answer = await add(api, campaign_id, "ada@hexly.io")
    assert (answer["unsubscribed_leads"], answer["added_count"]) == (["ada@hexly.io"], 0)


async def test_unknown_leads_are_404(api: ApiClient, other_api: ApiClient, client_api: ApiClient, lead_id: int) -> None:
    for stranger, some_id in ((api, 1_000_000_999), (other_api, lead_id), (client_api, lead_id)):
        answer = await stranger.post(f"/leads/{some_id}/unsubscribe")
        assert (answer.status_code, answer.json()["error"]) == (404, "Lead not found - Invalid lead_id.")


async def test_the_key_of_a_client_unsubscribes_from_its_own_campaigns(
    api: ApiClient, client_api: ApiClient, db: Db, campaign_id: int, lead_id: int
) -> None:
    own = await make.campaign(db, api.user_id, client_id=client_api.client_id)
    await add(api, own, "ada@hexly.io")
    with hearing(LeadUnsubscribed) as heard:
        await post(client_api, f"/leads/{lead_id}/unsubscribe")
    assert [event.campaign_id for event in heard.events] == [own]
    assert (await place(db, campaign_id, lead_id))["status"] == "STARTED"
    assert not (await person(db, lead_id))["is_unsubscribed"]
    assert await unsubscribes(db) == [("ada@hexly.io", client_api.client_id)]
