"""Lists of leads over HTTP: made, filled, tagged, deleted (contract: leads, Lead lists)."""

from typing import Any

import pytest

from outrider.kit.db import Db, execute, fetch_dicts, fetch_value
from tests.support import make
from tests.support.client import ApiClient
from tests.support.leads import add, add_one, count_rows
from tests.support.lists import fill, get, members, new_list, post
from tests.support.make import NOW

TIME = "2026-03-02T09:00:00.000Z"
NOT_FOUND = {
    "ok": False,
    "message": "Lead list not found",
    "data": None,
    "error": "Lead list not found",
    "statusCode": 404,
}


async def test_a_list_is_made_read_renamed_and_deleted(api: ApiClient) -> None:
    made = await post(api, "/lead-list/", {"listName": " Nordic "})
    list_id = made["data"]["id"]
    assert made == {
        "ok": True,
        "data": {
            "id": list_id,
            "list_name": "Nordic",
            "name": "Nordic",
            "created_at": TIME,
            "updated_at": TIME,
            "leads_count": 0,
            "active_leads_count": 0,
            "lead_count": 0,
            "tags": [],
        },
    }
    assert await get(api, f"/lead-list/{list_id}") == made
    renamed = await api.put(f"/lead-list/{list_id}", json={"listName": "Baltic"})
    assert renamed.json()["data"]["list_name"] == "Baltic"
    assert (await api.delete(f"/lead-list/{list_id}/")).json() == {
        "ok": True,
        "message": "Lead list deleted successfully",
    }
    for answer in (
        await api.get(f"/lead-list/{list_id}"),
        await api.put(f"/lead-list/{list_id}", json={"listName": "x"}),
        await api.delete(f"/lead-list/{list_id}"),
        await api.post(f"/lead-list/{list_id}/import", json={"leads": [{"email": "a@b.io"}]}),
    ):
        assert (answer.status_code, answer.json()) == (404, NOT_FOUND)


@pytest.mark.parametrize("key", ["listName", "name", "list_name"])
async def test_the_name_of_a_list_has_three_spellings(api: ApiClient, key: str) -> None:
    assert (await post(api, "/lead-list", {key: "Nordic"}))["data"]["name"] == "Nordic"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, '"listName" is required'),
        ({"listName": " "}, '"listName" is not allowed to be empty'),
        ({"listName": 5}, '"listName" must be a string'),
        ({"listName": "x" * 256}, '"listName" length must be less than or equal to 255 characters long'),
    ],
)
async def test_a_bad_name_is_refused(api: ApiClient, body: dict[str, Any], message: str) -> None:
    assert (await post(api, "/lead-list/", body, status=400))["message"] == message


async def test_lists_come_newest_first_in_pages_and_by_name_and_tag(api: ApiClient) -> None:
    nordic, baltic, other = [await new_list(api, name) for name in ("Nordic", "Baltic 50%", "nordics")]
    tag = (await post(api, "/tags", {"name": "Tier A", "color": "#2A9D8F"}))["data"]["id"]
    await post(api, "/lead-list/assign-tags", {"listIds": [baltic], "tagIds": [tag]})

    async def ids(**params: Any) -> tuple[list[int], int]:
        data = (await get(api, "/lead-list/", **params))["data"]
        return [row["id"] for row in data["lists"]], data["totalCount"]

    assert await ids() == ([other, baltic, nordic], 3)
    assert await ids(limit=1, offset=1) == ([baltic], 3)
    assert await ids(listName="NORD") == ([other, nordic], 2)
    assert await ids(listName="%") == ([baltic], 1)
    assert await ids(tagIds=f"{tag},999") == ([baltic], 1)
    assert await ids(tagIds=999) == ([], 0)
    (row,) = (await get(api, "/lead-list/", tagIds=tag))["data"]["lists"]
    assert row["tags"] == [{"id": tag, "name": "Tier A", "color": "#2A9D8F"}]
    answer = await api.get("/lead-list/", params={"limit": 1001})
    assert answer.json()["message"] == '"limit" must be less than or equal to 1000'


async def test_ten_lists_are_shown_where_no_number_is_named(api: ApiClient) -> None:
    for number in range(11):
        await new_list(api, f"List {number}")
    data = (await get(api, "/lead-list/"))["data"]
    assert (len(data["lists"]), data["totalCount"]) == (10, 11)


async def test_an_import_says_what_became_of_every_row(api: ApiClient, db: Db) -> None:
    list_id = await new_list(api)
    await post(api, "/leads/add-domain-block-list", {"domain_block_list": ["blocked.co"]})
    await fill(api, list_id, "kim@hexly.io")
    answer = await fill(
        api,
        list_id,
        "ada@hexly.io",
        "bo@tarn.dev",
        "nora@@hexly",
        "ADA@hexly.io",
        "kim@hexly.io",
        "x@mail.blocked.co",
    )
    assert answer == {
        "ok": True,
        "data": {"total_leads": 6, "imported": 2, "duplicates": 2, "blocked": 1, "invalid": 1},
    }
    assert await members(db, list_id) == ["kim@hexly.io", "ada@hexly.io", "bo@tarn.dev"]
    about = (await get(api, f"/lead-list/{list_id}"))["data"]
    assert (about["leads_count"], about["active_leads_count"]) == (3, 0)
    assert await count_rows(db, "campaign_leads") == 0


@pytest.mark.parametrize(
    "more",
    [
        {"csvSettings": {"ignoreGlobalBlockList": True}},
        {"csv_settings": {"ignore_global_block_list": "true"}},
        {"ignore_global_block_list": True},
    ],
)
async def test_an_import_may_ignore_the_block_list(api: ApiClient, more: dict[str, Any]) -> None:
    await post(api, "/leads/add-domain-block-list", {"domain_block_list": ["blocked.co"]})
    answer = await fill(api, await new_list(api), "x@blocked.co", **more)
    assert answer["data"]["imported"] == 1


async def test_who_wants_no_mail_may_be_in_a_list_and_is_known_there(api: ApiClient, db: Db) -> None:
    list_id = await new_list(api)
    await execute(
        db,
        "INSERT INTO unsubscribes VALUES (%(user_id)s, 'ada@hexly.io', 0, %(now)s)",
        {"user_id": api.user_id, "now": NOW},
    )
    assert (await fill(api, list_id, "ada@hexly.io"))["data"]["imported"] == 1
    assert (await get(api, "/leads", email="ada@hexly.io"))["is_unsubscribed"] is True


@pytest.mark.parametrize("key", ["leadList", "leads", "lead_list"])
async def test_rows_have_the_spellings_of_leads(api: ApiClient, key: str) -> None:
    list_id = await new_list(api)
    row = {"email": "ada@hexly.io", "firstName": "Ada", "company": "Hexly", "customFields": {"Title": "CTO"}}
    await post(api, f"/lead-list/{list_id}/import", {key: [row], "emailFieldsAdded": {"email": True}})
    lead = await get(api, "/leads", email="ada@hexly.io")
    assert (lead["first_name"], lead["company_name"], lead["custom_fields"]) == ("Ada", "Hexly", {"Title": "CTO"})
    assert lead["lead_campaign_data"] == []


async def test_known_people_get_what_is_new_about_them(api: ApiClient, db: Db) -> None:
    await add_one(api, await make.campaign(db, api.user_id), first_name="Ada", location="Lund")
    list_id = await new_list(api)
    await post(api, f"/lead-list/{list_id}/import", {"leads": [{"email": "ada@hexly.io", "last_name": "Quill"}]})
    lead = await get(api, "/leads", email="ada@hexly.io")
    assert (lead["first_name"], lead["last_name"], lead["location"]) == ("Ada", "Quill", "Lund")


@pytest.mark.parametrize(
    ("body", "message", "key"),
    [
        ({}, '"leadList" is required', "leadList"),
        ({"leads": []}, '"leadList" must contain at least 1 items', "leadList"),
        (
            {"leads": [{"email": "a@b.io"}] * 10_001},
            '"leadList" must contain less than or equal to 10000 items',
            "leadList",
        ),
        ({"leads": [{"email": "a@b.io"}, {"first_name": "x"}]}, '"leadList[1].email" is required', "leadList.1.email"),
        ({"leads": [{"email": "a@b.io", "title": "x"}]}, '"leadList[0].title" is not allowed', "leadList.0.title"),
        ({"leads": ["a@b.io"]}, '"leadList[0]" must be of type object', "leadList.0"),
    ],
)
async def test_a_bad_import_is_refused(api: ApiClient, db: Db, body: dict[str, Any], message: str, key: str) -> None:
    list_id = await new_list(api)
    answer = await post(api, f"/lead-list/{list_id}/import", body, status=400)
    assert (answer["message"], answer["validation"]["keys"]) == (message, [key])
    assert await count_rows(db, "leads") == 0


async def test_10_000_rows_come_in_one_call(api: ApiClient, db: Db) -> None:
    list_id = await new_list(api)
    answer = await fill(api, list_id, *(f"lead{number}@hexly{number % 97}.io" for number in range(10_000)))
    assert answer["data"]["imported"] == 10_000
    assert await count_rows(db, "lead_list_members") == 10_000


async def test_a_deleted_list_takes_along_who_is_nowhere_else(api: ApiClient, db: Db) -> None:
    campaign_id = await make.campaign(db, api.user_id)
    await add(api, campaign_id, "in-campaign@hexly.io")
    first, second = await new_list(api), await new_list(api)
    await fill(api, first, "in-campaign@hexly.io", "in-both@hexly.io", "alone@hexly.io", "gone@hexly.io")
    await fill(api, second, "in-both@hexly.io")
    gone = (await get(api, "/leads", email="gone@hexly.io"))["id"]
    await api.post(f"/leads/{gone}/unsubscribe")
    await api.delete(f"/lead-list/{first}")
    rows = await fetch_dicts(db, "SELECT email FROM leads ORDER BY id")
    assert [row["email"] for row in rows] == ["in-campaign@hexly.io", "in-both@hexly.io"]
    assert await fetch_value(db, "SELECT email FROM unsubscribes") == "gone@hexly.io"  # decision 33


async def test_a_lead_in_a_list_outlives_its_campaign(api: ApiClient, db: Db) -> None:
    campaign_id = await make.campaign(db, api.user_id)
    lead_id = await add_one(api, campaign_id)
    list_id = await new_list(api)
    await fill(api, list_id, "ada@hexly.io")
    await api.delete(f"/campaigns/{campaign_id}/leads/{lead_id}")
    assert await members(db, list_id) == ["ada@hexly.io"]
    assert (await api.delete(f"/leads/{lead_id}")).json() == {"ok": True, "message": "success"}
    assert (await count_rows(db, "leads"), await members(db, list_id)) == (0, [])


async def test_active_leads_of_a_list_are_in_a_campaign_that_goes_on(api: ApiClient, db: Db) -> None:
    list_id = await new_list(api)
    await fill(api, list_id, "draft@hexly.io", "paused@hexly.io", "active@hexly.io", "ended@hexly.io", "free@hexly.io")
    for status, email in (("DRAFTED", "draft"), ("PAUSED", "paused"), ("ACTIVE", "active"), ("STOPPED", "ended")):
        await add(api, await make.campaign(db, api.user_id, status=status), f"{email}@hexly.io")
    about = (await get(api, f"/lead-list/{list_id}"))["data"]
    assert (about["lead_count"], about["active_leads_count"]) == (5, 3)


# tags ----------------------------------------------------------------------------------------------------------------


async def test_tags_are_given_to_lists_and_taken_away(api: ApiClient) -> None:
    lists = [await new_list(api), await new_list(api)]
    first, second = [(await post(api, "/tags", {"name": name}))["data"]["id"] for name in "ab"]
    done = {"ok": True, "message": "Tags updated successfully"}
    assert await post(api, "/lead-list/assign-tags", {"listIds": lists, "tagIds": [first, second]}) == done
    assert await post(api, "/lead-list/assign-tags", {"id": lists[0], "tag_ids": [first]}) == done  # again
    assert await post(api, "/lead-list/assign-tags", {"listIds": lists[1], "removeTagIds": [first]}) == done
    shown = [[tag["id"] for tag in row["tags"]] for row in (await get(api, "/lead-list/"))["data"]["lists"]]
    assert shown == [[second], [first, second]]


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ({"tagIds": [1]}, 400, '"listIds" is required'),
        ({"listIds": [1]}, 400, '"tagIds" is required'),
        ({"listIds": [], "tagIds": [1]}, 400, '"listIds" must contain at least 1 items'),
        ({"listIds": [*range(1, 12)], "tagIds": [1]}, 400, '"listIds" must contain less than or equal to 10 items'),
        ({"listIds": [1], "tagIds": [*range(1, 12)]}, 400, '"tagIds" must contain less than or equal to 10 items'),
        ({"listIds": [999], "tagIds": [1]}, 404, "Lead list not found"),
    ],
)
async def test_tags_that_cannot_be_given_are_refused(
    api: ApiClient, body: dict[str, Any], status: int, message: str
) -> None:
    assert (await post(api, "/lead-list/assign-tags", body, status=status))["message"] == message


async def test_a_tag_of_another_account_is_not_found(api: ApiClient, other_api: ApiClient) -> None:
    strange = (await post(other_api, "/tags", {"name": "x"}))["data"]["id"]
    body = {"listIds": [await new_list(api)], "tagIds": [strange]}
    assert (await post(api, "/lead-list/assign-tags", body, status=404))["message"] == "Tag not found!"


# who may see what ----------------------------------------------------------------------------------------------------


async def test_the_key_of_a_client_sees_its_own_lists_and_their_leads(
    api: ApiClient, client_api: ApiClient, db: Db
) -> None:
    ours, theirs = await new_list(api, "Ours"), await new_list(client_api, "Theirs")
    await fill(api, ours, "ada@hexly.io")
    await fill(client_api, theirs, "bo@tarn.dev")
    assert [row["id"] for row in (await get(api, "/lead-list"))["data"]["lists"]] == [theirs, ours]
    assert [row["id"] for row in (await get(client_api, "/lead-list"))["data"]["lists"]] == [theirs]
    assert await get(client_api, "/leads", email="ada@hexly.io") == {}
    bo = await get(client_api, "/leads", email="bo@tarn.dev")
    assert (await client_api.delete(f"/leads/{bo['id']}")).status_code == 200
    assert await members(db, theirs) == []
    assert (await client_api.delete(f"/lead-list/{ours}")).status_code == 404
    assert await members(db, ours) == ["ada@hexly.io"]


async def test_lists_of_a_client_that_is_gone_are_the_accounts(api: ApiClient, client_api: ApiClient) -> None:
    list_id = await new_list(client_api)
    await api.delete(f"/client/{client_api.client_id}")
    assert (await get(api, f"/lead-list/{list_id}"))["data"]["name"] == "Nordic"


async def test_entries_of_the_client_keep_people_out_of_its_lists(api: ApiClient, client_api: ApiClient) -> None:
    blocked = {"domain_block_list": ["blocked.co"], "client_id": client_api.client_id}
    await post(api, "/leads/add-domain-block-list", blocked)
    assert (await fill(client_api, await new_list(client_api), "x@blocked.co"))["data"]["blocked"] == 1
    assert (await fill(api, await new_list(api), "x@blocked.co"))["data"]["imported"] == 1
