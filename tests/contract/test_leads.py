"""Every example, error and alias of the reference's leads, over real HTTP: keys, types, sentences (contract: leads)."""

import json
from dataclasses import dataclass
from typing import Any

import pytest

from outrider.kit.db import Database, execute, fetch_value
from tests.contract.conftest import Caller
from tests.support import make
from tests.support.curl import Answer
from tests.support.leads import ADA, mail, mark_sent
from tests.support.make import NOW
from tests.support.shape import assert_shape, example

EXAMPLES = example("leads")
LEADS = {
    "lead_list": [
        {"email": "ada@hexly.io", **ADA},
        {"email": "bo@tarn.dev"},
    ],
    "settings": {"return_lead_ids": True},
}


@dataclass(frozen=True, slots=True)
class World:
    """A campaign with two leads, one of whom has got a mail; a list, a tag, an entry of the block list."""

    caller: Caller
    ids: dict[str, int]

    def say(self, request: str, body: Any = None) -> Answer:
        """`POST /leads/{lead}/unsubscribe` with the ids of this world."""
        method, _, path = request.partition(" ")
        data = None if body is None else json.dumps(self._filled(body))
        return self.caller.say(method, path.format_map(self.ids), data=data)

    def good(self, request: str, body: Any = None) -> Any:
        answer = self.say(request, body)
        assert answer.status == 200, (request, answer.body)
        return answer.json

    def _filled(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self._filled(each) for key, each in value.items()}
        if isinstance(value, list):
            return [self._filled(each) for each in value]
        is_name = isinstance(value, str) and value.startswith("{") and value.endswith("}")
        return self.ids[value[1:-1]] if is_name else value


@pytest.fixture
async def world(caller: Caller, accounts: Database) -> World:
    world = World(caller, {})
    ids = world.ids
    ids["campaign"] = world.good("POST /campaigns/create", {"name": "Nordic SaaS"})["id"]
    added = world.good("POST /campaigns/{campaign}/leads", LEADS)["emailToLeadIdMap"]["newlyAddedLeads"]
    ids["lead"], ids["other"] = int(added["ada@hexly.io"]), int(added["bo@tarn.dev"])
    listed = world.good("GET /campaigns/{campaign}/leads")
    ids["map"] = int(listed["data"][0]["campaign_lead_map_id"])
    ids["list"] = world.good("POST /lead-list/", {"listName": "Nordic"})["data"]["id"]
    ids["second_list"] = world.good("POST /lead-list/", {"listName": "Baltic"})["data"]["id"]
    ids["tag"] = world.good("POST /tags", {"name": "Tier A", "color": "#2A9D8F"})["data"]["id"]
    world.good("POST /crm/leads/tags", {"leadId": "{lead}", "tagIds": ["{tag}"]})
    world.good("POST /leads/add-domain-block-list", {"domain_block_list": ["rival.io"]})
    ids["entry"] = world.good("GET /leads/get-domain-block-list")[0]["id"]
    async with accounts.transaction() as db:
        user_id = await fetch_value(db, "SELECT user_id FROM campaigns WHERE id = %(id)s", {"id": ids["campaign"]})
        step_id = await make.step(db, user_id, ids["campaign"])
        await mail(db, user_id, ids["campaign"], ids["lead"], step_id=step_id)
        await mark_sent(db, ids["campaign"], ids["lead"], step_id=step_id, at=NOW)
        await execute(
            db, "UPDATE campaign_leads SET last_reply_at = %(now)s WHERE id = %(id)s", {"now": NOW, "id": ids["map"]}
        )
    return world


SHAPES: list[tuple[str, Any, Any]] = [
    ("GET /campaigns/{campaign}/leads?offset=0&limit=10", None, example("list_leads")),
    ("GET /leads/?email=ada@hexly.io", None, example("fetch_lead")),
    ("GET /leads/{lead}/campaigns", None, EXAMPLES["campaigns_of_lead"]),
    ("GET /leads/global-leads", None, EXAMPLES["global_leads"]),
    ("GET /leads/fetch-categories", None, EXAMPLES["categories"]),
    ("GET /campaigns/{campaign}/leads/{lead}/message-history", None, example("message_history")),
    ("GET /leads/{lead}", None, EXAMPLES["lead_by_id"]),
    ("GET /leads/all", None, EXAMPLES["all_leads"]),
    ("GET /leads/{lead}/campaign-overview", None, EXAMPLES["campaign_overview"]),
    ("GET /leads/{map}/sequence-details", None, EXAMPLES["sequence_details"]),
    ("POST /lead-list/", {"listName": "Nordic"}, EXAMPLES["lead_list"]),
    ("GET /lead-list/", None, EXAMPLES["lead_lists"]),
    ("GET /lead-list/{list}", None, EXAMPLES["lead_list"]),
    ("PUT /lead-list/{list}", {"listName": "Arctic"}, EXAMPLES["lead_list"]),
    (
        "POST /lead-list/{list}/import",
        {"leadList": [{"email": "cy@hexly.io"}], "fileName": "a.csv"},
        EXAMPLES["import_to_list"],
    ),
    ("GET /crm/leads/tags?leadId={lead}", None, EXAMPLES["lead_tags"]),
    ("GET /crm/leads/tags", None, EXAMPLES["lead_tags"]),
    (
        "POST /leads/push-to-campaign",
        {"campaignName": "Spring", "action": "copy", "leadList": {"leadIds": ["{lead}"]}},
        EXAMPLES["push_to_campaign"],
    ),
    (
        "POST /leads/leads/push-between-lists",
        {"action": "move", "fromListId": "{list}", "toListId": "{second_list}"},
        EXAMPLES["push_between_lists"],
    ),
]


@pytest.mark.parametrize(("request_line", "body", "shown"), SHAPES, ids=[line for line, _, _ in SHAPES])
def test_an_answer_has_the_shape_of_the_example(world: World, request_line: str, body: Any, shown: Any) -> None:
    answer = world.good(request_line, body)
    assert_shape(answer, shown)
    rows = answer.get("data", answer) if isinstance(answer, dict) else answer
    assert rows, "an empty list has any shape"


def test_the_bulk_history_is_keyed_by_leads(world: World) -> None:
    path = "POST /campaigns/{campaign}/message-history-for-leads/bbfbdsFGHlBr76ruhjvh6fhHL"
    for body in ({"lead_ids": ["{lead}", 999]}, {"lead_ids": None}):
        answer = world.good(path, body)
        assert_shape(answer[str(world.ids["lead"])], example("message_history"))
    assert answer.keys() == {str(world.ids["lead"]), str(world.ids["other"])}


EXACT: list[tuple[str, Any, Any]] = [
    ("POST /campaigns/{campaign}/leads/{lead}/pause", {}, {"ok": True, "data": "success"}),
    ("POST /campaigns/{campaign}/leads/{other}/resume", {}, {"ok": True, "data": "success"}),
    ("DELETE /campaigns/{campaign}/leads/{lead}", None, "success"),
    ("POST /campaigns/{campaign}/leads/{lead}/unsubscribe", None, {"ok": True}),
    ("POST /leads/{lead}/unsubscribe", None, {"ok": True}),
    ("POST /campaigns/{campaign}/leads/{lead}/", {"email": "ada@hexly.io"}, {"ok": True}),
    ("POST /campaigns/{campaign}/leads/{lead}/category", {"category_id": 1, "pause_lead": False}, {"ok": True}),
    (
        "POST /leads/add-domain-block-list",
        {"domain_block_list": ["rival.io", "kim@orr.example"], "client_id": None},
        {
            "ok": True,
            "uploadCount": 2,
            "totalDomainAdded": 1,
            "success": True,
            "message": "1 entries added to block list",
        },
    ),
    (
        "DELETE /leads/delete-domain-block-list?id={entry}",
        None,
        {"ok": True, "success": True, "message": "Entry deleted successfully"},
    ),
    ("GET /leads/?email=nobody@hexly.io", None, {}),
    ("GET /leads/999", None, {"ok": True, "data": []}),
    ("DELETE /leads/{lead}", None, {"ok": True, "message": "success"}),
    (
        "POST /leads/push-to-list",
        {"listId": "{list}", "allLeads": False, "leadIds": ["{lead}"], "action": "move"},
        {"ok": True, "message": "Leads inactivated from all leads successfully"},
    ),
    (
        "POST /leads/campaign/push-to-list",
        {"campaignId": "{campaign}", "listId": "{list}", "leadMapIds": ["{map}"]},
        {"ok": True, "message": "Leads inactivated from all leads successfully"},
    ),
    ("DELETE /lead-list/{list}", None, {"ok": True, "message": "Lead list deleted successfully"}),
    (
        "POST /lead-list/assign-tags",
        {"listIds": ["{list}"], "tagIds": ["{tag}"]},
        {"ok": True, "message": "Tags updated successfully"},
    ),
    (
        "POST /crm/leads/tags",
        {"leadId": "{lead}", "tagIds": ["{tag}"]},
        {"ok": True, "message": "Tags added to lead successfully"},
    ),
]


@pytest.mark.parametrize(("request_line", "body", "wanted"), EXACT, ids=[line for line, _, _ in EXACT])
def test_an_answer_is_what_the_reference_says(world: World, request_line: str, body: Any, wanted: Any) -> None:
    assert world.good(request_line, body) == wanted


def test_a_tag_is_taken_from_a_lead(world: World) -> None:
    (row,) = world.good("GET /crm/leads/tags?leadId={lead}")["data"]
    gone = world.good(f"DELETE /crm/leads/tags/{row['tag_mapping_id']}")
    assert gone == {"ok": True, "message": "Tag removed from lead successfully"}


CAMPAIGN_404 = (404, "Campaign not found - Invalid campaign_id.")
LEAD_404 = (404, "Lead not found - Invalid lead_id.")
LIST_404 = (404, "Lead list not found")
ADA = {"email": "ada@hexly.io"}
ERRORS: list[tuple[str, Any, tuple[int, str]]] = [
    ("POST /campaigns/999/leads", {"lead_list": [ADA]}, CAMPAIGN_404),
    ("POST /campaigns/{campaign}/leads", {"lead_list": [ADA, ADA, {}]}, (400, '"lead_list[2].email" is required')),
    (
        "POST /campaigns/{campaign}/leads",
        {"lead_list": [ADA] * 401},
        (400, '"lead_list" must contain less than or equal to 400 items'),
    ),
    ("POST /campaigns/{campaign}/leads", {"lead_list": []}, (400, '"lead_list" must contain at least 1 items')),
    ("POST /campaigns/{campaign}/leads", {}, (400, '"lead_list" is required')),
    (
        "POST /campaigns/{campaign}/leads",
        {"lead_list": [{**ADA, "custom_fields": {f"f{number}": 1 for number in range(201)}}]},
        (400, '"lead_list[0].custom_fields" must have less than or equal to 200 keys'),
    ),
    (
        "POST /campaigns/{campaign}/leads",
        {"lead_list": [ADA], "settings": {"update": True}},
        (400, '"settings.update" is not allowed'),
    ),
    (
        "POST /campaigns/{campaign}/leads",
        {"lead_list": [{**ADA, "title": "CTO"}]},
        (400, '"lead_list[0].title" is not allowed'),
    ),
    ("POST /campaigns/{campaign}/leads", {"lead_list": [ADA], "update": 1}, (400, '"update" is not allowed')),
    ("POST /campaigns/{campaign}/leads", {"lead_list_ids": [999]}, (400, "Lead list not found")),
    ("GET /campaigns/999/leads", None, CAMPAIGN_404),
    ("GET /campaigns/{campaign}/leads?limit=101", None, (400, '"limit" must be less than or equal to 100')),
    (
        "GET /campaigns/{campaign}/leads?created_at_gt=x",
        None,
        (400, '"created_at_gt" must be in ISO 8601 date format'),
    ),
    (
        "GET /campaigns/{campaign}/leads?status=x",
        None,
        (400, '"status" must be one of [STARTED, INPROGRESS, COMPLETED, PAUSED, STOPPED, BLOCKED]'),
    ),
    ("GET /leads/", None, (400, '"email" is required')),
    ("GET /leads/999/campaigns", None, LEAD_404),
    ("GET /leads/abc/campaigns", None, (400, '"leadId" must be a number')),
    ("GET /leads/global-leads?limit=101", None, (400, '"limit" must be less than or equal to 100')),
    ("GET /campaigns/999/leads/{lead}/message-history", None, CAMPAIGN_404),
    ("GET /campaigns/{campaign}/leads/999/message-history", None, LEAD_404),
    ("POST /campaigns/999/leads/{lead}/pause", {}, CAMPAIGN_404),
    ("POST /campaigns/{campaign}/leads/999/pause", {}, LEAD_404),
    ("POST /campaigns/999/leads/{lead}/resume", {}, CAMPAIGN_404),
    ("POST /campaigns/{campaign}/leads/999/resume", {}, (400, "Invalid lead id")),
    (
        "POST /campaigns/{campaign}/leads/{lead}/resume",
        {"resume_lead_with_delay_days": -1},
        (400, '"resume_lead_with_delay_days" must be larger than or equal to 0'),
    ),
    ("DELETE /campaigns/999/leads/{lead}", None, CAMPAIGN_404),
    ("DELETE /campaigns/{campaign}/leads/999", None, LEAD_404),
    ("POST /campaigns/999/leads/{lead}/unsubscribe", None, CAMPAIGN_404),
    ("POST /campaigns/{campaign}/leads/999/unsubscribe", None, LEAD_404),
    ("POST /leads/999/unsubscribe", None, LEAD_404),
    ("POST /campaigns/999/leads/{lead}", ADA, CAMPAIGN_404),
    ("POST /campaigns/{campaign}/leads/999", ADA, (404, "Invalid request!")),
    ("POST /campaigns/{campaign}/leads/{lead}", {"email": "nora@@hexly"}, (400, '"email" must be a valid email')),
    (
        "POST /campaigns/{campaign}/leads/{lead}",
        {"email": "bo@tarn.dev"},
        (400, "Lead with this email already exists."),
    ),
    ("POST /campaigns/{campaign}/leads/{lead}", {"title": "CTO"}, (400, '"title" is not allowed')),
    ("POST /campaigns/999/leads/{lead}/category", {"category_id": 1}, CAMPAIGN_404),
    ("POST /campaigns/{campaign}/leads/999/category", {"category_id": 1}, LEAD_404),
    ("POST /campaigns/{campaign}/leads/{lead}/category", {"category_id": 77}, (400, "Invalid category_id.")),
    ("POST /campaigns/{campaign}/leads/{lead}/category", {"category_id": "x"}, (400, '"category_id" must be a number')),
    ("POST /campaigns/{campaign}/leads/{lead}/category", {}, (400, '"category_id" is required')),
    ("POST /leads/add-domain-block-list", {}, (400, '"domain_block_list" is required')),
    (
        "POST /leads/add-domain-block-list",
        {"domain_block_list": ["rival.io"], "client_id": 999},
        (400, "Client not found - Invalid client_id."),
    ),
    ("GET /leads/get-domain-block-list?limit=1001", None, (400, '"limit" must be less than or equal to 1000')),
    ("DELETE /leads/delete-domain-block-list?id=999", None, (404, "Block list entry not found")),
    ("DELETE /leads/delete-domain-block-list", None, (400, '"id" is required')),
    ("DELETE /leads/999", None, LEAD_404),
    ("GET /leads/all?limit=1001", None, (400, '"limit" must be less than or equal to 1000')),
    ("GET /leads/999/campaign-overview", None, LEAD_404),
    ("GET /leads/999/sequence-details", None, LEAD_404),
    ("POST /leads/push-to-list", {"listId": 999, "leadIds": ["{lead}"]}, LIST_404),
    (
        "POST /leads/push-to-campaign",
        {"leadList": {"allLeads": True}},
        (400, '"value" must contain at least one of [campaignId, campaignName]'),
    ),
    ("POST /leads/push-to-campaign", {"campaignId": 999, "leadList": {"allLeads": True}}, CAMPAIGN_404),
    (
        "POST /leads/push-to-campaign",
        {"campaignId": "{campaign}", "leadList": {"listId": "{list}", "allLeads": True}},
        (400, '"leadList" contains a conflict between exclusive peers [listId, allLeads]'),
    ),
    ("POST /leads/push-between-lists", {"fromListId": "{list}", "toListId": 999}, LIST_404),
    ("POST /lead-list/", {}, (400, '"listName" is required')),
    ("GET /lead-list/999", None, LIST_404),
    ("PUT /lead-list/999", {"listName": "x"}, LIST_404),
    ("DELETE /lead-list/999", None, LIST_404),
    ("POST /lead-list/999/import", {"leadList": [ADA]}, LIST_404),
    ("POST /lead-list/assign-tags", {"listIds": [999], "tagIds": ["{tag}"]}, LIST_404),
    ("DELETE /crm/leads/tags/999", None, (404, "Tag mapping not found - Invalid tagMappingId.")),
]


@pytest.mark.parametrize("first", range(0, len(ERRORS), 40))  # a key has 60 requests a minute
def test_errors_are_what_the_reference_says(world: World, first: int) -> None:
    """In the one envelope of all areas: `message` says it, and `error` too where no field is to blame."""
    wrong = []
    for request_line, body, (status, text) in ERRORS[first : first + 40]:
        answer = world.say(request_line, body)
        told = answer.json
        is_whole = (told["statusCode"], told["ok"]) == (answer.status, False)
        is_named = told["error"] == ("Bad Request" if "validation" in told else told["message"])
        if (answer.status, told["message"]) != (status, text) or not is_whole or not is_named:
            wrong.append(f"{request_line}: {answer.status} {told}")
    assert not wrong, "\n".join(wrong)


ALIASES: list[tuple[str, str, Any]] = [
    ("GET /leads/?email=ada@hexly.io", "GET /leads?email=ada@hexly.io", None),
    ("GET /leads/?email=ada@hexly.io", "GET /leads/by-email?email=ada@hexly.io", None),
    ("GET /leads/?email=ada@hexly.io", "GET /leads/email?email=ada@hexly.io", None),
    ("GET /leads/fetch-categories", "GET /leads/categories", None),
    ("GET /leads/fetch-categories", "GET /leads/fetch-categories/?client_id=5", None),
    (
        "GET /campaigns/{campaign}/leads/{lead}/message-history",
        "GET /campaigns/{campaign}/leads/{lead}/messages",
        None,
    ),
    ("POST /leads/{lead}/unsubscribe", "POST /leads/{lead}/unsubscribe-all", None),
    (
        "POST /campaigns/{campaign}/leads/{lead}/pause",
        "POST /campaigns/{campaign}/leads/{lead}/status",
        {"status": "PAUSED"},
    ),
    (
        "POST /campaigns/{campaign}/leads/{other}/resume",
        "PATCH /campaigns/{campaign}/leads/{other}/status",
        {"status": "START"},
    ),
    (
        "POST /campaigns/{campaign}/leads/{other}/resume",
        "POST /campaigns/{campaign}/leads/{other}/status",
        {"status": "INPROGRESS"},
    ),
    (
        "POST /campaigns/{campaign}/leads/{map}/manual-complete",
        "POST /campaigns/{campaign}/leads/{lead}/status",
        {"status": "COMPLETED"},
    ),
    (
        "POST /campaigns/{campaign}/leads/{map}/manual-complete",
        "POST /campaigns/{campaign}/leads/{lead}/manual-complete",
        {},
    ),
    ("POST /campaigns/{campaign}/leads/{lead}", "POST /leads/{lead}", {"first_name": "Ida"}),
    ("POST /campaigns/{campaign}/leads/{lead}", "PUT /leads/{lead}", {"firstName": "Ida"}),
    ("POST /campaigns/{campaign}/leads", "POST /campaigns/{campaign}/leads/bulk", {"leads": [ADA]}),
    ("POST /leads/add-domain-block-list", "POST /leads/global-blocklist", {"domain_block_list": ["rival.io"]}),
    ("POST /leads/add-domain-block-list", "POST /leads/block-list", {"domain_block_list": ["rival.io"]}),
    ("GET /leads/get-domain-block-list", "GET /leads/global-blocklist", None),
    ("GET /leads/get-domain-block-list", "GET /leads/domain-block-list", None),
    (
        "POST /leads/leads/push-between-lists",
        "POST /leads/push-between-lists",
        {"from_list_id": "{list}", "to_list_id": "{second_list}", "move": True},
    ),
    ("GET /crm/leads/tags?leadId={lead}", "GET /crm/leads/tags?lead_id={lead}", None),
]


@pytest.mark.parametrize(("documented", "alias", "body"), ALIASES, ids=[alias for _, alias, _ in ALIASES])
def test_an_alias_answers_like_what_it_stands_for(world: World, documented: str, alias: str, body: Any) -> None:
    assert world.good(alias, body) == world.good(documented, body)


@pytest.mark.parametrize(
    ("request_line", "body"),
    [
        ("DELETE /leads/domain-block-list?id={entry}", None),
        ("DELETE /leads/remove-domain-block-list", {"domain": "rival.io", "client_id": None}),
        ("DELETE /leads/delete-domain-block-list", {"id": "{entry}"}),
    ],
)
def test_an_entry_is_deleted_in_any_spelling(world: World, request_line: str, body: Any) -> None:
    world.good(request_line, body)
    assert world.good("GET /leads/get-domain-block-list") == []
