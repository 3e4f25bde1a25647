"""The block list over HTTP: add, fetch, delete, and what entries do to leads on their way."""

from typing import Any

import pytest

from outrider.kit.db import Db, execute, fetch_value
from tests.support import make
from tests.support.client import ApiClient, fresh_client
from tests.support.leads import add, add_one, change_place, place
from tests.support.make import NOW

ADD = "/leads/add-domain-block-list"
LIST = "/leads/get-domain-block-list"
DELETE = "/leads/delete-domain-block-list"


async def post(api: ApiClient, body: Any, *, path: str = ADD, status: int = 200) -> Any:
    answer = await api.post(path, json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


async def entries(api: ApiClient, **params: Any) -> list[str]:
    answer = await api.get(LIST, params=params)
    assert answer.status_code == 200, answer.text
    return [row["email_or_domain"] for row in answer.json()]


async def test_the_example_of_the_reference(api: ApiClient) -> None:
    expected = {
        "ok": True,
        "uploadCount": 2,
        "totalDomainAdded": 2,
        "success": True,
        "message": "2 entries added to block list",
    }
    assert await post(api, {"domain_block_list": ["rival.io", "ada@hexly.io"]}) == expected
    repeated = await post(api, {"domain_block_list": ["rival.io", "ada@hexly.io"], "client_id": None})
    assert (repeated["uploadCount"], repeated["totalDomainAdded"]) == (2, 0)


@pytest.mark.parametrize("path", [ADD, ADD + "/", "/leads/global-blocklist", "/leads/block-list"])
@pytest.mark.parametrize(
    "body",
    [
        {"domain_block_list": ["rival.io"]},
        {"domainBlockList": "rival.io"},
        {"domain": "rival.io"},
        {"domains": ["rival.io"]},
        {"email": "a@rival.io"},
        {"emails": ["a@rival.io"]},
    ],
)
async def test_variants_of_clients_are_read(api: ApiClient, path: str, body: dict[str, Any]) -> None:
    assert (await post(api, body, path=path))["totalDomainAdded"] == 1


async def test_addresses_and_domains_may_come_together(api: ApiClient) -> None:
    await post(api, {"emails": ["a@rival.io"], "domains": ["hexly.io"]})
    assert await entries(api) == ["hexly.io", "a@rival.io"]


async def test_entries_that_cannot_be_read_are_skipped_and_not_counted(api: ApiClient) -> None:
    body = await post(api, {"domain_block_list": ["https://www.Rival.io/about", "nonsense", "a@@b", "", "RIVAL.IO"]})
    assert (body["uploadCount"], body["totalDomainAdded"]) == (2, 1)
    assert await entries(api) == ["rival.io"]


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({}, '"domain_block_list" is required'),
        ({"domain_block_list": []}, '"domain_block_list" is required'),
        ({"domain_block_list": [5]}, '"domain_block_list[0]" must be a string'),
        ({"domain_block_list": ["rival.io"], "client_id": 99}, "Client not found - Invalid client_id."),
        ({"domain_block_list": ["rival.io"], "client_id": "x"}, '"client_id" must be a number'),
    ],
)
async def test_bad_requests_are_refused(api: ApiClient, body: dict[str, Any], text: str) -> None:
    assert (await post(api, body, status=400))["message"] == text
    assert await entries(api) == []


async def test_the_list_is_a_bare_array_newest_first(api: ApiClient, db: Db) -> None:
    client_id = await fresh_client(db, api.user_id, NOW)
    await post(api, {"domain_block_list": ["rival.io"]})
    await post(api, {"domain_block_list": ["ada@hexly.io"], "client_id": client_id})
    rows = (await api.get(LIST)).json()
    newer, older = (row.pop("id") for row in rows)
    assert newer > older
    assert rows == [
        {
            "email_or_domain": "ada@hexly.io",
            "created_at": "2026-03-02T09:00:00.000Z",
            "source": "manual",
            "client_id": client_id,
        },
        {
            "email_or_domain": "rival.io",
            "created_at": "2026-03-02T09:00:00.000Z",
            "source": "manual",
            "client_id": None,
        },
    ]


async def test_the_list_can_be_narrowed(api: ApiClient, db: Db) -> None:
    client_id = await fresh_client(db, api.user_id, NOW)
    await post(api, {"domain_block_list": ["rival.io", "ada@mail.rival.io", "hexly.io"]})
    await post(api, {"domain_block_list": ["tarn.dev"], "client_id": client_id})
    assert await entries(api, filter_email_or_domain="RIVAL") == ["ada@mail.rival.io", "rival.io"]
    assert await entries(api, filter_email_or_domain="%") == []
    assert await entries(api, filter_email_with_domain="Ada@mail.rival.io") == ["ada@mail.rival.io", "rival.io"]
    assert await entries(api, filter_email_with_domain="bo@hexly.io") == ["hexly.io"]
    assert await entries(api, filter_client_id=client_id) == ["tarn.dev"]
    assert await entries(api, client_id=client_id) == ["tarn.dev"]
    assert await entries(api, limit=2, offset=1) == ["hexly.io", "ada@mail.rival.io"]
    answer = await api.get(LIST, params={"limit": 1001})
    assert answer.json()["message"] == '"limit" must be less than or equal to 1000'


@pytest.mark.parametrize("path", ["/leads/global-blocklist", "/leads/domain-block-list"])
async def test_the_list_has_aliases(api: ApiClient, path: str) -> None:
    assert (await api.get(path)).json() == []


@pytest.mark.parametrize("path", [DELETE, "/leads/domain-block-list", "/leads/remove-domain-block-list"])
async def test_an_entry_is_deleted_by_its_id(api: ApiClient, path: str) -> None:
    await post(api, {"domain_block_list": ["rival.io", "hexly.io"]})
    ids = [row["id"] for row in (await api.get(LIST)).json()]
    answer = await api.delete(path, params={"id": ids[0]})
    assert (answer.status_code, answer.json()) == (
        200,
        {"ok": True, "success": True, "message": "Entry deleted successfully"},
    )
    assert (await api.delete(path, json={"id": str(ids[1])})).status_code == 200
    assert await entries(api) == []
    again = await api.delete(path, params={"id": ids[0]})
    assert (again.status_code, again.json()["error"]) == (404, "Block list entry not found")


async def test_an_entry_is_deleted_by_its_name_for_exactly_one_client(api: ApiClient, db: Db) -> None:
    client_id = await fresh_client(db, api.user_id, NOW)
    await post(api, {"domain_block_list": ["rival.io"]})
    await post(api, {"domain_block_list": ["rival.io"], "client_id": client_id})
    path = "/leads/remove-domain-block-list"
    assert (await api.delete(path, json={"domain": "https://Rival.io", "client_id": client_id})).status_code == 200
    assert [row["client_id"] for row in (await api.get(LIST)).json()] == [None]
    assert (await api.delete(path, json={"domain": "nonsense"})).status_code == 404


async def test_a_deletion_needs_an_id(api: ApiClient) -> None:
    answer = await api.delete(DELETE)
    assert (answer.status_code, answer.json()["message"]) == (400, '"id" is required')


async def test_entries_act_on_open_leads_at_once(api: ApiClient, db: Db) -> None:
    campaign_id = await make.campaign(db, api.user_id)
    leads = {
        email: await add_one(api, campaign_id, email)
        for email in (
            "new@rival.io",
            "mid@eu.rival.io",
            "held@rival.io",
            "done@rival.io",
            "gone@rival.io",
            "a@notrival.io",
        )
    }
    for email, status in (("mid@eu.rival.io", "INPROGRESS"), ("held@rival.io", "PAUSED")):
        await change_place(db, campaign_id, leads[email], "status = %(status)s", status=status)
    for email, status in (("done@rival.io", "COMPLETED"), ("gone@rival.io", "STOPPED")):
        await change_place(db, campaign_id, leads[email], "status = %(status)s", status=status)
    await post(api, {"domain_block_list": ["rival.io"]})
    after = {email: await place(db, campaign_id, lead_id) for email, lead_id in leads.items()}
    assert {email: (row["status"], row["hold_reason"]) for email, row in after.items()} == {
        "new@rival.io": ("BLOCKED", "BLOCKLISTED"),
        "mid@eu.rival.io": ("BLOCKED", "BLOCKLISTED"),
        "held@rival.io": ("BLOCKED", "BLOCKLISTED"),
        "done@rival.io": ("COMPLETED", None),
        "gone@rival.io": ("STOPPED", None),
        "a@notrival.io": ("STARTED", None),
    }
    assert after["new@rival.io"]["due_at"] is None
    assert (await add(api, campaign_id, "later@rival.io"))["block_count"] == 1


async def test_an_entry_of_a_client_acts_on_its_campaigns_and_one_without_on_all(
    api: ApiClient, other_api: ApiClient, db: Db
) -> None:
    client_id = await fresh_client(db, api.user_id, NOW)
    own = await make.campaign(db, api.user_id)
    clients = await make.campaign(db, api.user_id, client_id=client_id)
    foreign = await make.campaign(db, other_api.user_id)
    for caller, campaign_id in ((api, own), (api, clients), (other_api, foreign)):
        await add(caller, campaign_id, "a@rival.io", "b@tarn.dev")
    await post(api, {"domain_block_list": ["a@rival.io"], "client_id": client_id})

    async def blocked(campaign_id: int) -> int:
        return int(
            await fetch_value(
                db,
                "SELECT count(*) FROM campaign_leads WHERE campaign_id = %(id)s AND status = 'BLOCKED'",
                {"id": campaign_id},
            )
        )

    assert [await blocked(each) for each in (own, clients, foreign)] == [0, 1, 0]
    await post(api, {"domain_block_list": ["a@rival.io", "tarn.dev"]})
    assert [await blocked(each) for each in (own, clients, foreign)] == [2, 2, 0]


async def test_a_lead_imported_in_spite_of_an_entry_is_not_stopped_by_its_repetition(api: ApiClient, db: Db) -> None:
    campaign_id = await make.campaign(db, api.user_id)
    await post(api, {"domain_block_list": ["rival.io"]})
    answer = await add(api, campaign_id, "a@rival.io", ignore_global_block_list=True)
    lead_id = int(answer["emailToLeadIdMap"]["newlyAddedLeads"]["a@rival.io"])
    await post(api, {"domain_block_list": ["rival.io"]})
    assert (await place(db, campaign_id, lead_id))["status"] == "STARTED"
    await post(api, {"domain_block_list": ["a@rival.io"]})
    assert (await place(db, campaign_id, lead_id))["status"] == "BLOCKED"


async def test_another_account_sees_and_deletes_nothing(api: ApiClient, other_api: ApiClient) -> None:
    await post(api, {"domain_block_list": ["rival.io"]})
    entry_id = (await api.get(LIST)).json()[0]["id"]
    assert await entries(other_api) == []
    assert (await other_api.delete(DELETE, params={"id": entry_id})).status_code == 404
    assert (await other_api.delete(DELETE, json={"domain": "rival.io"})).status_code == 404
    assert await entries(api) == ["rival.io"]


async def test_the_key_of_a_client_writes_and_reads_its_own_entries(
    api: ApiClient, client_api: ApiClient, db: Db
) -> None:
    await post(api, {"domain_block_list": ["rival.io"]})
    await post(client_api, {"domain_block_list": ["hexly.io"]})
    await post(client_api, {"domain_block_list": ["tarn.dev"], "client_id": client_api.client_id})
    assert await entries(client_api) == ["tarn.dev", "hexly.io"]
    other_client = await fresh_client(db, api.user_id, NOW)
    refused = await post(client_api, {"domain_block_list": ["x.io"], "client_id": other_client}, status=403)
    assert refused["error"] == "Permission denied"
    assert await entries(client_api, filter_client_id=other_client) == []
    entry_id = (await api.get(LIST, params={"filter_email_or_domain": "rival"})).json()[0]["id"]
    assert (await client_api.delete(DELETE, params={"id": entry_id})).status_code == 404
    assert (await client_api.delete(DELETE, json={"domain": "rival.io"})).status_code == 404
    assert (await client_api.delete(DELETE, json={"domain": "hexly.io"})).status_code == 200


async def test_leads_stay_blocked_when_the_entry_goes(api: ApiClient, db: Db) -> None:
    campaign_id = await make.campaign(db, api.user_id)
    lead_id = await add_one(api, campaign_id, "a@rival.io")
    await post(api, {"domain_block_list": ["rival.io"]})
    await execute(db, "DELETE FROM block_list")
    assert (await place(db, campaign_id, lead_id))["status"] == "BLOCKED"
