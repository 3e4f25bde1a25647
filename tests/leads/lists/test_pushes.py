"""Pushes between lists and campaigns over HTTP (contract: leads, Move leads to a list … Push between lists)."""

from typing import Any

import pytest

from outrider.kit.db import Db, fetch_dicts, fetch_value
from outrider.leads.models import LeadsAdded
from tests.support import make
from tests.support.client import ApiClient
from tests.support.events import hearing
from tests.support.leads import add, add_one, change_place, mail, place
from tests.support.lists import fill, get, members, new_list, post

DONE = {"ok": True, "message": "Leads inactivated from all leads successfully"}


@pytest.fixture
async def campaign_id(api: ApiClient, db: Db) -> int:
    return await make.campaign(db, api.user_id)


async def in_campaign(db: Db, campaign_id: int) -> list[str]:
    rows = await fetch_dicts(
        db,
        """
        SELECT email
        FROM campaign_leads
        JOIN leads ON leads.id = lead_id
        WHERE campaign_id = %(id)s
        ORDER BY campaign_leads.id
        """,
        {"id": campaign_id},
    )
    return [row["email"].partition("@")[0] for row in rows]


async def names(db: Db, list_id: int) -> str:
    return " ".join(email.partition("@")[0] for email in await members(db, list_id))


# into lists ----------------------------------------------------------------------------------------------------------


async def test_moved_leads_leave_all_their_campaigns(api: ApiClient, db: Db, campaign_id: int) -> None:
    other, list_id = await make.campaign(db, api.user_id), await new_list(api)
    ada = await add_one(api, campaign_id)
    await add(api, campaign_id, "bo@hexly.io")
    await add(api, other, "ada@hexly.io")
    await mail(db, api.user_id, campaign_id, ada, step_id=await fetch_value(db, "SELECT min(id) FROM steps"))
    assert await post(api, "/leads/push-to-list", {"listId": list_id, "leadIds": [ada, 999]}) == DONE
    assert (await in_campaign(db, campaign_id), await in_campaign(db, other)) == (["bo"], [])
    assert await names(db, list_id) == "ada"
    assert await fetch_value(db, "SELECT count(*) FROM messages") == 1  # what was sent keeps counting
    assert [row["email"] for row in (await get(api, "/leads/all", leadType="archived"))["data"]["leads"]] == [
        "ada@hexly.io"
    ]


async def test_copied_leads_stay_in_their_campaigns(api: ApiClient, db: Db, campaign_id: int) -> None:
    list_id = await new_list(api)
    ada = await add_one(api, campaign_id)
    for _ in range(2):
        await post(api, "/leads/push-to-list", {"list_id": list_id, "lead_ids": str(ada), "action": "COPY"})
    assert (await in_campaign(db, campaign_id), await names(db, list_id)) == (["ada"], "ada")
    assert (await get(api, "/leads/all", leadType="archived"))["data"]["leads"] == []


async def test_all_leads_that_pass_the_filters_are_moved(api: ApiClient, db: Db, campaign_id: int) -> None:
    list_id = await new_list(api)
    ids = {name: await add_one(api, campaign_id, f"{name}@hexly.io") for name in ("ada", "bo", "cy")}
    await change_place(db, campaign_id, ids["ada"], "category_id = 3")
    await change_place(db, campaign_id, ids["bo"], "category_id = 4")
    filters = {"leadCategoryIds": "3, 4", "campaignId": str(campaign_id), "status": "STARTED"}
    assert await post(api, "/leads/push-to-list", {"listId": list_id, "allLeads": True, "filters": filters}) == DONE
    assert (await in_campaign(db, campaign_id), await names(db, list_id)) == (["cy"], "ada bo")


async def test_leads_of_a_campaign_leave_that_campaign_only(api: ApiClient, db: Db, campaign_id: int) -> None:
    other, list_id = await make.campaign(db, api.user_id), await new_list(api)
    for campaign in (campaign_id, other):
        await add(api, campaign, "ada@hexly.io", "bo@hexly.io", "cy@hexly.io")
    ada = (await get(api, "/leads", email="ada@hexly.io"))["id"]
    mine, strange = [(await place(db, each, int(ada)))["id"] for each in (campaign_id, other)]
    path = "/leads/campaign/push-to-list"
    ids = {"campaignId": campaign_id, "listId": list_id}
    assert await post(api, path, {**ids, "leadMapIds": [mine, strange]}) == DONE
    assert (await in_campaign(db, campaign_id), await names(db, list_id)) == (["bo", "cy"], "ada")
    await post(api, path, {**ids, "allLeads": True, "action": "copy"})
    assert (await in_campaign(db, campaign_id), await names(db, list_id)) == (["bo", "cy"], "ada bo cy")
    await post(api, path, {**ids, "allLeads": "true"})
    assert (await in_campaign(db, campaign_id), await in_campaign(db, other)) == ([], ["ada", "bo", "cy"])


@pytest.mark.parametrize(
    ("path", "body", "status", "message"),
    [
        ("/leads/push-to-list", {"leadIds": [1]}, 400, '"listId" is required'),
        ("/leads/push-to-list", {"listId": 1}, 400, '"leadIds" is required'),
        ("/leads/push-to-list", {"listId": 1, "allLeads": True, "leadIds": [1]}, 400, '"leadIds" is not allowed'),
        ("/leads/push-to-list", {"listId": 1, "leadIds": []}, 400, '"leadIds" must contain at least 1 items'),
        (
            "/leads/push-to-list",
            {"listId": 1, "leadIds": [*range(1, 10_002)]},
            400,
            '"leadIds" must contain less than or equal to 10000 items',
        ),
        (
            "/leads/push-to-list",
            {"listId": 1, "leadIds": [1], "action": "cut"},
            400,
            '"action" must be one of [copy, move]',
        ),
        (
            "/leads/push-to-list",
            {"listId": 1, "allLeads": True, "filters": {"colour": "red"}},
            400,
            '"filters.colour" is not allowed',
        ),
        (
            "/leads/push-to-list",
            {"listId": 1, "allLeads": True, "filters": {"leadType": "new"}},
            400,
            '"filters.leadType" must be one of [active, yet_to_use, previously_active, archived]',
        ),
        ("/leads/push-to-list", {"listId": 999, "leadIds": [1]}, 404, "Lead list not found"),
        ("/leads/campaign/push-to-list", {"listId": 1, "allLeads": True}, 400, '"campaignId" is required'),
        ("/leads/campaign/push-to-list", {"listId": 1, "campaignId": 1}, 400, '"leadMapIds" is required'),
        (
            "/leads/campaign/push-to-list",
            {"listId": 1, "campaignId": 999, "allLeads": True},
            404,
            "Campaign not found - Invalid campaign_id.",
        ),
        ("/leads/push-between-lists", {"fromListId": 1}, 400, '"toListId" is required'),
        (
            "/leads/push-between-lists",
            {"toListId": 1},
            400,
            '"value" must contain at least one of [leadIds, fromListId]',
        ),
        ("/leads/push-between-lists", {"toListId": 999, "leadIds": [1]}, 404, "Lead list not found"),
        ("/leads/push-between-lists", {"toListId": 7, "fromListId": 7}, 400, "A list cannot be pushed into itself"),
        (
            "/leads/push-to-campaign",
            {"leadList": {"listId": 1}},
            400,
            '"value" must contain at least one of [campaignId, campaignName]',
        ),
        (
            "/leads/push-to-campaign",
            {"campaignId": 1},
            400,
            '"leadList" must contain at least one of [listId, leadIds, allLeads]',
        ),
        (
            "/leads/push-to-campaign",
            {"campaignId": 1, "leadList": {"listId": 1, "leadIds": [1]}},
            400,
            '"leadList" contains a conflict between exclusive peers [listId, leadIds]',
        ),
        (
            "/leads/push-to-campaign",
            {"campaignId": 1, "leadList": {"tag": 1}},
            400,
            '"leadList.tag" is not allowed',
        ),
        (
            "/leads/push-to-campaign",
            {"campaignId": 1, "leadList": {"listId": 1}, "csvSettings": {"ignoreAll": True}},
            400,
            '"csvSettings.ignoreAll" is not allowed',
        ),
        (
            "/leads/push-to-campaign",
            {"campaignId": 999, "leadList": {"allLeads": True}},
            404,
            "Campaign not found - Invalid campaign_id.",
        ),
    ],
)
async def test_a_push_that_is_not_clear_is_refused(
    api: ApiClient, path: str, body: dict[str, Any], status: int, message: str
) -> None:
    assert (await post(api, path, body, status=status))["message"] == message


# into campaigns ------------------------------------------------------------------------------------------------------


async def test_a_list_is_pushed_to_a_campaign_with_the_checks_of_an_import(
    api: ApiClient, db: Db, campaign_id: int
) -> None:
    list_id = await new_list(api)
    await fill(api, list_id, "ada@hexly.io", "bo@hexly.io", "cy@hexly.io", "eve@blocked.co", "kim@hexly.io")
    await post(api, "/leads/add-domain-block-list", {"domain_block_list": ["blocked.co"]})
    await add(api, campaign_id, "kim@hexly.io")
    bo = (await get(api, "/leads", email="bo@hexly.io"))["id"]
    await api.post(f"/leads/{bo}/unsubscribe")
    with hearing(LeadsAdded) as heard:
        answer = await post(
            api, "/leads/push-to-campaign", {"campaignId": campaign_id, "leadList": {"listId": list_id}}
        )
    assert answer == {
        "ok": True,
        "message": "Leads pushed to campaign successfully",
        "data": {
            "total_leads": 5,
            "pushed": 2,
            "duplicates": 1,
            "campaign_id": campaign_id,
            "skipped_by_reason": {
                "Already exists in this campaign": 1,
                "On global block list": 1,
                "Unsubscribed": 1,
            },
        },
    }
    assert await in_campaign(db, campaign_id) == ["kim", "ada", "cy"]
    assert await names(db, list_id) == "ada bo cy eve kim"
    assert [event.count for event in heard.events] == [2]


@pytest.mark.parametrize(
    "flags",
    [
        {"csvSettings": {"ignoreGlobalBlockList": True}},
        {"settings": {"ignore_global_block_list": True}},
        {"ignore_global_block_list": 1},
    ],
)
async def test_checks_may_be_left_out(api: ApiClient, db: Db, campaign_id: int, *, flags: dict[str, Any]) -> None:
    list_id = await new_list(api)
    await fill(api, list_id, "x@blocked.co")
    await post(api, "/leads/add-domain-block-list", {"domain_block_list": ["blocked.co"]})
    await post(api, "/leads/push-to-campaign", {"id": list_id, "campaign_id": campaign_id, **flags})
    assert await in_campaign(db, campaign_id) == ["x"]


@pytest.mark.parametrize(
    ("action", "left_in_list", "left_in_other", "flags"),
    [
        ("copy", "ada bo", ["ada"], {"ignoreDuplicateLeadsInOtherCampaign": True}),
        ("move", "", ["ada"], {}),
        ("move", "ada", ["ada"], {"ignoreDuplicateLeadsInOtherCampaign": True}),
    ],
)
async def test_a_moved_list_is_emptied_of_who_came_in(
    api: ApiClient,
    db: Db,
    campaign_id: int,
    *,
    action: str,
    left_in_list: str,
    left_in_other: list[str],
    flags: dict[str, bool],
) -> None:
    list_id, other = await new_list(api), await make.campaign(db, api.user_id)
    await fill(api, list_id, "ada@hexly.io", "bo@hexly.io")
    await add(api, other, "ada@hexly.io")
    body = {"campaignId": campaign_id, "action": action, "leadList": {"listId": list_id}, "csvSettings": flags}
    await post(api, "/leads/push-to-campaign", body)
    assert await names(db, list_id) == left_in_list
    assert await in_campaign(db, other) == left_in_other
    assert await in_campaign(db, campaign_id) == (["bo"] if left_in_list == "ada" else ["ada", "bo"])


async def test_moved_leads_leave_their_other_campaigns_and_lists(api: ApiClient, db: Db, campaign_id: int) -> None:
    list_id, other = await new_list(api), await make.campaign(db, api.user_id)
    await fill(api, list_id, "ada@hexly.io", "bo@hexly.io")
    await add(api, other, "ada@hexly.io", "bo@hexly.io")
    ada = int((await get(api, "/leads", email="ada@hexly.io"))["id"])
    await post(api, "/leads/push-to-campaign", {"campaign_id": campaign_id, "lead_ids": [ada], "action": "move"})
    assert (await in_campaign(db, campaign_id), await in_campaign(db, other)) == (["ada"], ["bo"])
    assert await names(db, list_id) == "bo"


async def test_all_leads_are_pushed_as_far_as_the_filters_go(api: ApiClient, db: Db, campaign_id: int) -> None:
    list_id, other = await new_list(api), await make.campaign(db, api.user_id, status="COMPLETED")
    await fill(api, list_id, "ada@hexly.io", "bo@hexly.io")
    await add(api, other, "cy@hexly.io")
    body = {"campaignId": campaign_id, "leadList": {"allLeads": True}, "filters": {"leadType": "yet_to_use"}}
    assert (await post(api, "/leads/push-to-campaign", body))["data"]["pushed"] == 2
    assert await in_campaign(db, campaign_id) == ["ada", "bo"]


async def test_a_campaign_is_found_by_its_name_or_made(api: ApiClient, db: Db) -> None:
    ada, bo = [await add_one(api, await make.campaign(db, api.user_id), f"{name}@hexly.io") for name in ("ada", "bo")]
    made = await post(api, "/leads/push-to-campaign", {"campaignName": "Spring", "leadList": {"leadIds": [ada]}})
    found = await post(api, "/leads/push-to-campaign", {"campaignName": "Spring", "leadList": {"leadIds": [bo]}})
    campaign_id = made["data"]["campaign_id"]
    assert found["data"]["campaign_id"] == campaign_id
    about = await get(api, f"/campaigns/{campaign_id}")
    assert (about["name"], about["status"]) == ("Spring", "DRAFTED")
    assert await in_campaign(db, campaign_id) == ["ada", "bo"]


async def test_a_completed_campaign_goes_on_with_the_new_leads(api: ApiClient, db: Db) -> None:
    campaign_id, list_id = await make.campaign(db, api.user_id, status="COMPLETED"), await new_list(api)
    await fill(api, list_id, "ada@hexly.io")
    await post(api, "/leads/push-to-campaign", {"campaignId": campaign_id, "leadList": {"listId": list_id}})
    assert (await get(api, f"/campaigns/{campaign_id}"))["status"] == "ACTIVE"


async def test_leads_of_lists_are_added_as_if_they_were_uploaded(api: ApiClient, db: Db, campaign_id: int) -> None:
    lists = [await new_list(api), await new_list(api)]
    await fill(api, lists[0], "ada@hexly.io", "bo@hexly.io")
    await fill(api, lists[1], "bo@hexly.io", "kim@hexly.io")
    await add(api, campaign_id, "kim@hexly.io")
    body = {"lead_list_ids": lists, "settings": {"return_lead_ids": True}}
    answer = await post(api, f"/campaigns/{campaign_id}/leads", body)
    told = {key: answer[key] for key in ("upload_count", "total_leads", "already_added_to_campaign", "skipped_leads")}
    assert told == {
        "upload_count": 3,
        "total_leads": 2,
        "already_added_to_campaign": 1,
        "skipped_leads": [{"email": "kim@hexly.io", "reason": "Already exists in this campaign"}],
    }
    assert answer["emailToLeadIdMap"]["newlyAddedLeads"].keys() == {"ada@hexly.io", "bo@hexly.io"}
    assert await in_campaign(db, campaign_id) == ["kim", "ada", "bo"]
    body = {"lead_list_ids": [lists[0], 999]}
    assert (await post(api, f"/campaigns/{campaign_id}/leads", body, status=400))["message"] == "Lead list not found"


# between lists -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/leads/leads/push-between-lists", "/leads/push-between-lists/"])
@pytest.mark.parametrize(
    ("body", "first", "second"),
    [
        ({"action": "copy"}, "ada bo", "ada bo cy"),
        ({"action": "move"}, "", "ada bo cy"),
        ({"move": True}, "", "ada bo cy"),
        ({}, "ada bo", "ada bo cy"),
        ({"action": "move", "lead_ids": ["{ada}"]}, "bo", "ada cy"),
    ],
)
async def test_a_list_is_pushed_into_another(
    api: ApiClient, db: Db, *, path: str, body: dict[str, Any], first: str, second: str
) -> None:
    source, target = await new_list(api), await new_list(api)
    await fill(api, source, "ada@hexly.io", "bo@hexly.io")
    await fill(api, target, "cy@hexly.io")
    ada = (await get(api, "/leads", email="ada@hexly.io"))["id"]
    body = {**body, "from_list_id": source, "toListId": target}
    if "lead_ids" in body:
        body["lead_ids"] = [ada]
    count = 1 if "lead_ids" in body else 2
    assert await post(api, path, body) == {"ok": True, "data": {"total_leads_moved": count}}
    assert (await names(db, source), await names(db, target)) == (first, second)


async def test_leads_that_are_named_leave_all_other_lists(api: ApiClient, db: Db) -> None:
    lists = [await new_list(api) for _ in range(3)]
    for each in lists[:2]:
        await fill(api, each, "ada@hexly.io", "bo@hexly.io")
    ada = (await get(api, "/leads", email="ada@hexly.io"))["id"]
    await post(api, "/leads/push-between-lists", {"action": "move", "leadIds": [ada], "toListId": lists[2]})
    assert [await names(db, each) for each in lists] == ["bo", "bo", "ada"]


async def test_who_is_archived_stays_so_in_another_list(api: ApiClient, db: Db, campaign_id: int) -> None:
    ada = await add_one(api, campaign_id)
    source, target = await new_list(api), await new_list(api)
    await post(api, "/leads/push-to-list", {"listId": source, "leadIds": [ada]})
    await post(api, "/leads/push-between-lists", {"action": "move", "fromListId": source, "toListId": target})
    assert len((await get(api, "/leads/all", leadType="archived"))["data"]["leads"]) == 1
    await post(api, "/leads/push-to-campaign", {"campaignId": campaign_id, "leadList": {"listId": target}})
    assert (await get(api, "/leads/all", leadType="archived"))["data"]["leads"] == []


# who may do what -----------------------------------------------------------------------------------------------------


async def test_the_key_of_a_client_moves_what_is_its_own(
    api: ApiClient, client_api: ApiClient, db: Db, campaign_id: int
) -> None:
    own = await make.campaign(db, api.user_id, client_id=client_api.client_id)
    await add(api, own, "ada@hexly.io")
    await add(api, campaign_id, "ada@hexly.io", "bo@hexly.io")
    ours, theirs = await new_list(api), await new_list(client_api)
    for body in ({"listId": ours, "allLeads": True}, {"listId": ours, "leadIds": [1]}):
        assert (await post(client_api, "/leads/push-to-list", body, status=404))["message"] == "Lead list not found"
    await post(client_api, "/leads/push-to-list", {"listId": theirs, "allLeads": True})
    assert (await in_campaign(db, own), await in_campaign(db, campaign_id)) == ([], ["ada", "bo"])
    assert await names(db, theirs) == "ada"
    body = {"campaignId": campaign_id, "leadList": {"listId": theirs}}
    await post(client_api, "/leads/push-to-campaign", body, status=404)
    made = await post(client_api, "/leads/push-to-campaign", {"campaignName": "Own", "leadList": {"allLeads": True}})
    assert await in_campaign(db, made["data"]["campaign_id"]) == ["ada"]
    assert (await get(client_api, f"/campaigns/{made['data']['campaign_id']}"))["client_id"] == client_api.client_id
