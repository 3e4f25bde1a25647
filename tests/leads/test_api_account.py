"""Leads of the whole account over HTTP: the cursor list with its filters, the overview of a lead, its tags."""

from datetime import timedelta
from typing import Any

import pytest

from outrider.kit.db import Db, execute, fetch_value
from tests.support import make
from tests.support.client import ApiClient, fresh_client
from tests.support.leads import ADA, add, add_one, change_place, mail, mark_sent, place
from tests.support.lists import fill, get, new_list, post
from tests.support.make import NOW

LEAD_NOT_FOUND = (404, "Lead not found - Invalid lead_id.")


@pytest.fixture
async def campaign_id(api: ApiClient, db: Db) -> int:
    return await make.campaign(db, api.user_id)


async def found(api: ApiClient, **params: Any) -> str:
    """The first letters of the leads in the list."""
    leads = (await get(api, "/leads/all", **params))["data"]["leads"]
    return "".join(lead["email"][0] for lead in leads)


# cursor --------------------------------------------------------------------------------------------------------------


async def test_the_cursor_list_has_whole_leads(api: ApiClient, campaign_id: int) -> None:
    lead_id = await add_one(api, campaign_id, **ADA)
    assert await get(api, "/leads/all") == {
        "ok": True,
        "data": {
            "leads": [
                {
                    "id": str(lead_id),
                    "email": "ada@hexly.io",
                    **ADA,
                    "is_unsubscribed": False,
                    "unsubscribed_client_id_map": {},
                    "created_at": "2026-03-02T09:00:00.000Z",
                }
            ],
            "lastSeenLeadId": lead_id,
            "hasMore": False,
        },
    }


async def test_the_cursor_walks_through_all_leads_once(api: ApiClient, campaign_id: int) -> None:
    await add(api, campaign_id, *(f"{letter}@hexly.io" for letter in "abcdefg"))
    seen, after, pages = "", 0, []
    while True:
        data = (await get(api, "/leads/all", limit=3, lastSeenLeadId=after))["data"]
        seen += "".join(lead["email"][0] for lead in data["leads"])
        pages.append((len(data["leads"]), data["hasMore"]))
        if not data["hasMore"]:
            break
        after = data["lastSeenLeadId"]
    assert (seen, pages) == ("abcdefg", [(3, True), (3, True), (1, False)])
    last = await get(api, "/leads/all", last_seen_lead_id=data["lastSeenLeadId"])
    assert last["data"] == {"leads": [], "lastSeenLeadId": None, "hasMore": False}


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"limit": 1001}, '"limit" must be less than or equal to 1000'),
        ({"limit": 0}, '"limit" must be larger than or equal to 1'),
        ({"lastSeenLeadId": -1}, '"lastSeenLeadId" must be larger than or equal to 0'),
        ({"leadType": "x"}, '"leadType" must be one of [active, yet_to_use, previously_active, archived]'),
        (
            {"status": "DONE"},
            '"status[0]" must be one of [STARTED, INPROGRESS, COMPLETED, PAUSED, STOPPED, BLOCKED]',
        ),
        ({"campaignId": "x"}, '"campaignId[0]" must be a number'),
        (
            {"espDomainType": "x"},
            '"espDomainType[0]" must be one of [OTHER, GOOGLE, MICROSOFT, ZOHO, YAHOO, GATEWAY]',
        ),
        ({"replyDateFrom": "x"}, '"replyDateFrom" must be in ISO 8601 date format'),
        ({"importedDate": "x"}, '"importedDate" must be in ISO 8601 date format'),
    ],
)
async def test_a_bad_query_is_refused(api: ApiClient, params: dict[str, Any], message: str) -> None:
    answer = await api.get("/leads/all", params=params)
    assert (answer.status_code, answer.json()["message"]) == (400, message)


async def test_every_filter_finds_what_it_says(api: ApiClient, db: Db, campaign_id: int) -> None:
    """a: answered, of a person, by a mailbox; b: has a category; c: paused; d: elsewhere; e: in a list only."""
    ids = {letter: await add_one(api, campaign_id, f"{letter}@{letter}.hexly.io") for letter in "abc"}
    client_id = await fresh_client(db, api.user_id, NOW)
    other = await make.campaign(db, api.user_id, client_id=client_id, status="STOPPED")
    await add(api, other, "d@d.hexly.io")
    list_id = await new_list(api)
    await fill(api, list_id, "e@e.hexly.io", "a@a.hexly.io")
    step_id = await make.step(db, api.user_id, campaign_id, number=2)
    await mark_sent(db, campaign_id, ids["a"], step_id=step_id, mailbox_id=8801)
    await mail(db, api.user_id, campaign_id, ids["a"], step_id=step_id, first_opened_at=NOW)
    person_id = await fetch_value(db, "SELECT min(id) FROM people WHERE user_id = %(id)s", {"id": api.user_id})
    await change_place(
        db, campaign_id, ids["a"], "team_member_id = %(person)s, last_reply_at = %(at)s", person=person_id, at=NOW
    )
    await change_place(db, campaign_id, ids["b"], "category_id = 3")
    await change_place(db, campaign_id, ids["c"], "status = 'PAUSED'")
    tag = (await post(api, "/tags", {"name": "Tier A"}))["data"]["id"]
    await post(api, "/crm/leads/tags", {"leadId": ids["b"], "tagIds": [tag]})
    await execute(
        db,
        "INSERT INTO campaign_tags (user_id, campaign_id, tag_id) VALUES (%(user_id)s, %(campaign_id)s, %(tag)s)",
        {"user_id": api.user_id, "campaign_id": other, "tag": tag},
    )
    await execute(
        db,
        """
        INSERT INTO domain_providers (domain, provider, looked_up_at)
        VALUES ('a.hexly.io', 'GOOGLE', %(now)s), ('b.hexly.io', 'GATEWAY', %(now)s)
        """,
        {"now": NOW},
    )
    await execute(
        db,
        "UPDATE leads SET created_at = %(then)s WHERE id = %(id)s",
        {"then": NOW - timedelta(days=1), "id": ids["c"]},
    )
    expected = [
        ({}, "abcde"),
        ({"campaignId": campaign_id}, "abc"),
        ({"campaignId": f"{campaign_id},{other}"}, "abcd"),
        ({"listId": list_id}, "ae"),
        ({"clientId": client_id}, "d"),
        ({"status": "paused"}, "c"),
        ({"status": "PAUSED,INPROGRESS"}, "ac"),
        ({"emailStatus": "is_opened"}, "a"),
        ({"leadType": "active"}, "abc"),
        ({"leadType": "previously_active"}, "d"),
        ({"leadType": "YET_TO_USE"}, "e"),
        ({"leadType": "archived"}, ""),
        ({"leadEmail": "B@b.hexly.io"}, "b"),
        ({"leadEmail": "@C."}, "c"),
        ({"leadEmail": "%"}, ""),
        ({"leadCategoryIds": 3}, "b"),
        ({"unCategorized": "true"}, "acd"),
        ({"unCategorized": "true", "leadCategoryIds": 3, "campaignId": campaign_id}, "abc"),
        ({"emailAccountId": 8801}, "a"),
        ({"teamMemberId": person_id}, "a"),
        ({"emailCampaignSeqId": step_id}, "a"),
        ({"campaignTagId": tag}, "d"),
        ({"tagIds": tag}, "b"),
        ({"replyDateFrom": "2026-03-02", "replyDateTo": "2026-03-02"}, "a"),
        ({"replyDateFrom": "2026-03-03"}, ""),
        ({"replyDateTo": "2026-03-01"}, ""),
        ({"importedDate": "2026-03-01"}, "c"),
        ({"espDomainType": "GOOGLE"}, "a"),
        ({"espDomainType": "1,5"}, "ab"),
        ({"espDomainType": 0}, "cde"),
        ({"segType": "SEG"}, "b"),
        ({"segType": "non_seg", "campaignId": campaign_id}, "ac"),
        ({"status": "STARTED", "campaignId": other}, "d"),
        ({"status": "INPROGRESS", "campaignId": other}, ""),
    ]
    assert [(params, await found(api, **params)) for params, _ in expected] == expected


async def test_what_is_said_of_a_campaign_holds_of_the_same_campaign(api: ApiClient, db: Db, campaign_id: int) -> None:
    other = await make.campaign(db, api.user_id)
    lead_id = await add_one(api, campaign_id)
    await add(api, other, "ada@hexly.io")
    await change_place(db, other, lead_id, "status = 'PAUSED'")
    assert await found(api, status="PAUSED", campaignId=other) == "a"
    assert await found(api, status="PAUSED", campaignId=campaign_id) == ""


@pytest.mark.parametrize(
    ("statuses", "is_archived", "expected"),
    [
        (["DRAFTED"], False, "active"),
        (["ACTIVE", "STOPPED"], False, "active"),
        (["PAUSED"], False, "active"),
        (["STOPPED", "COMPLETED"], False, "previously_active"),
        (["COMPLETED"], True, "previously_active"),
        ([], False, "yet_to_use"),
        ([], True, "archived"),
    ],
)
async def test_a_lead_has_one_type(
    api: ApiClient, db: Db, statuses: list[str], *, is_archived: bool, expected: str
) -> None:
    await fill(api, await new_list(api), "ada@hexly.io")
    await execute(db, "UPDATE lead_list_members SET is_archived = %(flag)s", {"flag": is_archived})
    for status in statuses:
        await add(api, await make.campaign(db, api.user_id, status="PAUSED"), "ada@hexly.io")
        await execute(
            db,
            "UPDATE campaigns SET status = %(status)s WHERE id = (SELECT max(id) FROM campaigns)",
            {"status": status},
        )
    types = ("active", "yet_to_use", "previously_active", "archived")
    assert [each for each in types if await found(api, leadType=each)] == [expected]


async def test_the_key_of_a_client_walks_through_its_own_leads(
    api: ApiClient, client_api: ApiClient, other_api: ApiClient, *, db: Db, campaign_id: int
) -> None:
    own = await make.campaign(db, api.user_id, client_id=client_api.client_id, status="STOPPED")
    await add(api, campaign_id, "a@hexly.io", "b@hexly.io")
    await add(api, own, "b@hexly.io")
    await fill(client_api, await new_list(client_api), "c@hexly.io")
    assert (await found(api), await found(client_api), await found(other_api)) == ("abc", "bc", "")
    assert await found(client_api, leadType="previously_active") == "b"  # what others do with it is not seen
    assert await found(client_api, campaignId=campaign_id) == ""


# overview ------------------------------------------------------------------------------------------------------------


async def test_the_overview_tells_where_a_lead_stands(api: ApiClient, db: Db, campaign_id: int) -> None:
    lead_id = await add_one(api, campaign_id, first_name="Ada", last_name="Quill")
    other = await make.campaign(db, api.user_id, status="ACTIVE")
    await add(api, other, "ada@hexly.io")
    await mark_sent(db, campaign_id, lead_id, step_id=7, at=NOW)
    await change_place(db, campaign_id, lead_id, "revenue = 12.5, category_id = 1")
    await change_place(db, other, lead_id, "status = 'STOPPED', due_at = NULL")
    await execute(db, "INSERT INTO domain_providers VALUES ('hexly.io', 'MICROSOFT', %(now)s)", {"now": NOW})
    first, second = [(await place(db, each, lead_id))["id"] for each in (campaign_id, other)]
    assert await get(api, f"/leads/{lead_id}/campaign-overview") == {
        "ok": True,
        "message": "Campaign lead overview fetched successfully",
        "data": {
            "id": str(lead_id),
            "email": "ada@hexly.io",
            "last_name": "Quill",
            "first_name": "Ada",
            "phone_number": None,
            "company_name": None,
            "website": None,
            "company_url": None,
            "location": None,
            "custom_fields": {},
            "linkedin_profile": None,
            "esp_domain_type": 2,
            "email_campaign_leads_mappings": [
                {
                    "id": first,
                    "status": "INPROGRESS",
                    "lead_category_id": 1,
                    "revenue": 12.5,
                    "current_seq_num": 1,
                    "next_timestamp_to_reach": "2026-03-02T09:00:00.000Z",
                    "email_campaign_id": campaign_id,
                    "email_campaign": {"id": campaign_id, "name": "Harbour CFO outreach", "status": "DRAFTED"},
                },
                {
                    "id": second,
                    "status": "STOPPED",
                    "lead_category_id": None,
                    "revenue": 0,
                    "current_seq_num": None,
                    "next_timestamp_to_reach": None,
                    "email_campaign_id": other,
                    "email_campaign": {"id": other, "name": "Harbour CFO outreach", "status": "ACTIVE"},
                },
            ],
        },
    }


async def test_the_overview_shows_a_client_its_own_campaigns(
    api: ApiClient, client_api: ApiClient, db: Db, campaign_id: int
) -> None:
    own = await make.campaign(db, api.user_id, client_id=client_api.client_id)
    shared = await add_one(api, campaign_id)
    hidden = await add_one(api, campaign_id, "bo@hexly.io")
    await add(api, own, "ada@hexly.io")
    rows = (await get(client_api, f"/leads/{shared}/campaign-overview"))["data"]["email_campaign_leads_mappings"]
    assert [row["email_campaign_id"] for row in rows] == [own]
    for lead_id in (hidden, 999):
        answer = await client_api.get(f"/leads/{lead_id}/campaign-overview")
        assert (answer.status_code, answer.json()["error"]) == LEAD_NOT_FOUND


# tags ----------------------------------------------------------------------------------------------------------------


async def test_tags_are_given_to_a_lead_and_taken_away(api: ApiClient, campaign_id: int) -> None:
    lead_id = await add_one(api, campaign_id)
    ids = [
        (await post(api, "/tags", {"name": name, "color": "#2A9D8F"}))["data"]["id"] for name in ("Tier B", "Tier A")
    ]
    added = {"ok": True, "message": "Tags added to lead successfully"}
    assert await post(api, "/crm/leads/tags", {"leadId": lead_id, "tagIds": ids}) == added
    assert await post(api, "/crm/leads/tags", {"lead_id": str(lead_id), "tag_ids": ids[0]}) == added  # again
    for name in ("leadId", "lead_id"):
        rows = (await get(api, "/crm/leads/tags", **{name: lead_id}))["data"]
        assert [(row["id"], row["name"], row["color"]) for row in rows] == [
            (ids[1], "Tier A", "#2A9D8F"),
            (ids[0], "Tier B", "#2A9D8F"),
        ]
    mapping = rows[0]["tag_mapping_id"]
    gone = await api.delete(f"/crm/leads/tags/{mapping}")
    assert gone.json() == {"ok": True, "message": "Tag removed from lead successfully"}
    assert [row["id"] for row in (await get(api, "/crm/leads/tags", leadId=lead_id))["data"]] == [ids[0]]
    again = await api.delete(f"/crm/leads/tags/{mapping}")
    assert (again.status_code, again.json()["error"]) == (404, "Tag mapping not found - Invalid tagMappingId.")
    assert await get(api, "/crm/leads/tags") == {
        "ok": True,
        "data": [
            {"id": ids[1], "tag_mapping_id": None, "name": "Tier A", "color": "#2A9D8F"},
            {"id": ids[0], "tag_mapping_id": None, "name": "Tier B", "color": "#2A9D8F"},
        ],
    }


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ({"tagIds": [1]}, 400, '"leadId" is required'),
        ({"leadId": 1}, 400, '"tagIds" is required'),
        ({"leadId": 1, "tagIds": []}, 400, '"tagIds" must contain at least 1 items'),
        ({"leadId": 999, "tagIds": [1]}, *LEAD_NOT_FOUND),
        ({"leadId": "{lead}", "tagIds": [999]}, 404, "Tag not found!"),
    ],
)
async def test_tags_that_cannot_be_given_are_refused(
    api: ApiClient, campaign_id: int, body: dict[str, Any], status: int, message: str
) -> None:
    lead_id = await add_one(api, campaign_id)
    sent = {name: lead_id if value == "{lead}" else value for name, value in body.items()}
    assert (await post(api, "/crm/leads/tags", sent, status=status))["message"] == message


async def test_tags_of_a_lead_are_of_whom_the_lead_is(
    api: ApiClient, client_api: ApiClient, other_api: ApiClient, *, campaign_id: int
) -> None:
    lead_id = await add_one(api, campaign_id)
    tag = (await post(api, "/tags", {"name": "Tier A"}))["data"]["id"]
    await post(api, "/crm/leads/tags", {"leadId": lead_id, "tagIds": [tag]})
    (row,) = (await get(api, "/crm/leads/tags", leadId=lead_id))["data"]
    for stranger in (client_api, other_api):
        assert (await get(stranger, "/crm/leads/tags", leadId=lead_id))["data"] == []
        await post(stranger, "/crm/leads/tags", {"leadId": lead_id, "tagIds": [tag]}, status=404)
        assert (await stranger.delete(f"/crm/leads/tags/{row['tag_mapping_id']}")).status_code == 404
