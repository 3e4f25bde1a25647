"""Tags over HTTP: making them, giving them to mailboxes and taking them away, reading them."""

from typing import Any

import pytest

from outrider.kit.db import Db
from tests.support import make
from tests.support.client import ApiClient
from tests.support.shape import assert_shape, example

MAPPING = "/email-accounts/tag-mapping"


async def make_tag(api: ApiClient, name: str = "Cold pool", **given: Any) -> int:
    answer = await api.post("/tags", json={"name": name, **given})
    assert answer.status_code == 200, answer.text
    return int(answer.json()["data"]["id"])


async def names_of(api: ApiClient, mailbox_id: int) -> list[str]:
    account = (await api.get(f"/email-accounts/{mailbox_id}?fetch_tags=true")).json()
    return [tag["name"] for tag in account["tags"]]


# making --------------------------------------------------------------------------------------------------------------


async def test_a_tag_is_made_and_listed_in_both_spellings(api: ApiClient, other_api: ApiClient) -> None:
    assert (await api.get("/email-accounts/tags")).json() == []
    made = (await api.post("/tags", json={"name": " Cold pool ", "color": "#7A5CFA"})).json()
    tag_id = made["data"]["id"]
    tag = {"id": tag_id, "name": "Cold pool", "color": "#7A5CFA"}
    assert made == {"ok": True, "data": {**tag, **{f"tag_{key}": value for key, value in tag.items()}}}
    await make_tag(api, "a first one")
    for path in ("/email-accounts/tags", "/tags"):
        assert [each["name"] for each in (await api.get(path)).json()] == ["a first one", "Cold pool"]
    assert (await other_api.get("/tags")).json() == []


async def test_a_name_is_one_tag(api: ApiClient) -> None:
    tag_id = await make_tag(api, color="#7A5CFA")
    again = (await api.post("/tags", json={"name": "COLD POOL", "color": "#000000"})).json()["data"]
    assert (again["id"], again["name"], again["color"]) == (tag_id, "Cold pool", "#7A5CFA")
    assert (await api.post("/tags", json={"name": "Other"})).json()["data"]["color"] == "#B1FCCF"


@pytest.mark.parametrize("nothing", [None, 0, "", "missing"])
async def test_the_tag_manager_makes_and_changes(api: ApiClient, nothing: Any) -> None:
    body = {"name": "Cold pool", "color": "#7A5CFA"} | ({} if nothing == "missing" else {"id": nothing})
    made = (await api.post("/email-accounts/tag-manager", json=body)).json()
    assert (made["ok"], made["message"]) == (True, "Tag created successfully!")
    changed = await api.post("/email-accounts/tag-manager", json={"id": str(made["data"]["id"]), "name": "Warm"})
    assert changed.json()["message"] == "Tag updated successfully!"
    assert changed.json()["data"] == {**made["data"], "name": "Warm", "tag_name": "Warm"}


@pytest.mark.parametrize(
    ("path", "body", "status", "message"),
    [
        ("/tags", {}, 400, '"name" is required'),
        ("/tags", {"name": ""}, 400, '"name" is not allowed to be empty'),
        (
            "/tags",
            {"name": "x", "color": "red"},
            400,
            '"color" with value "red" fails to match the required pattern: /^#[0-9A-Fa-f]{6}$/',
        ),
        ("/email-accounts/tag-manager", {"color": "#000000"}, 400, '"name" is required'),
        ("/email-accounts/tag-manager", {"id": 424242, "name": "x"}, 404, "Tag not found!"),
    ],
)
async def test_tags_that_cannot_be_saved(
    api: ApiClient, path: str, body: dict[str, Any], status: int, message: str
) -> None:
    answer = await api.post(path, json=body)
    assert (answer.status_code, answer.json()["message"], answer.json()["ok"]) == (status, message, False)


async def test_tags_are_the_accounts_to_change(api: ApiClient, client_api: ApiClient, other_api: ApiClient) -> None:
    tag_id = await make_tag(api)
    assert [each["id"] for each in (await client_api.get("/tags")).json()] == [tag_id]
    assert (await client_api.post("/tags", json={"name": "Mine"})).status_code == 403
    mine = {"id": tag_id, "name": "Mine"}
    assert (await client_api.post("/email-accounts/tag-manager", json=mine)).status_code == 403
    assert (await other_api.post("/email-accounts/tag-manager", json=mine)).status_code == 404


# giving and taking away ----------------------------------------------------------------------------------------------


async def test_adding_answers_for_every_pair(api: ApiClient, db: Db) -> None:
    mailbox_id, first, second = await make.mailbox(db, api.user_id), await make_tag(api), await make_tag(api, "Warm")
    await api.post(MAPPING, json={"email_account_ids": [mailbox_id], "tag_ids": [second]})
    answer = await api.post(
        MAPPING, json={"email_account_ids": [str(mailbox_id), 9999, mailbox_id], "tag_ids": [first, second, 1]}
    )
    body = answer.json()
    assert_shape(body, example("add_tags"))
    assert [list(row.values())[:3] for row in body["data"]["results"]] == [
        [mailbox_id, first, "added"],
        [mailbox_id, second, "skipped"],
        [mailbox_id, 1, "failed"],
        [9999, first, "failed"],
        [9999, second, "failed"],
        [9999, 1, "failed"],
    ]
    reasons = [row.get("reason") for row in body["data"]["results"]]
    assert reasons == [None, "Mapping already exists", "Tag not found", *["Email account not found"] * 3]
    assert body["data"]["summary"] == {"total_processed": 6, "added": 1, "skipped": 1, "failed": 4}
    assert await names_of(api, mailbox_id) == ["Cold pool", "Warm"]


@pytest.mark.parametrize("where", ["body", "query"])
async def test_removing_answers_for_every_pair(api: ApiClient, db: Db, where: str) -> None:
    mailbox_id, first, second = await make.mailbox(db, api.user_id), await make_tag(api), await make_tag(api, "Warm")
    added = await api.post(MAPPING, json={"email_account_ids": [mailbox_id], "tag_ids": [first]})
    mapping_id = added.json()["data"]["results"][0]["mapping_id"]
    if where == "body":
        answer = await api.delete(MAPPING, json={"email_account_ids": [mailbox_id], "tag_ids": [first, second]})
    else:
        answer = await api.delete(f"{MAPPING}?email_account_ids={mailbox_id}&tag_ids={first},{second}")
    assert answer.json() == {
        "success": True,
        "ok": True,
        "message": "Tag removal operation completed",
        "data": {
            "results": [
                {"email_account_id": mailbox_id, "tag_id": first, "action": "deleted", "mapping_id": mapping_id},
                {
                    "email_account_id": mailbox_id,
                    "tag_id": second,
                    "action": "skipped",
                    "reason": "Mapping does not exist",
                },
            ],
            "summary": {"total_processed": 2, "deleted": 1, "skipped": 1, "failed": 0},
        },
    }
    assert await names_of(api, mailbox_id) == []
    assert len((await api.get("/tags")).json()) == 2


async def test_accounts_may_be_named_by_address(api: ApiClient, db: Db) -> None:
    mailbox_id = await make.mailbox(db, api.user_id, from_email="Nora@brightfold.example")
    tag_id = await make_tag(api)
    emails = ["nora@BRIGHTFOLD.example", "x@other.example"]
    answer = (await api.post(MAPPING, json={"emails": emails, "tag_ids": [tag_id]})).json()
    assert [row["action"] for row in answer["data"]["results"]] == ["added", "failed"]
    assert await names_of(api, mailbox_id) == ["Cold pool"]


@pytest.mark.parametrize("method", ["POST", "DELETE"])
@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"tag_ids": [1]}, "email_account_ids must contain at least 1 item"),
        ({"email_account_ids": [], "tag_ids": [1]}, "email_account_ids must contain at least 1 item"),
        (
            {"email_account_ids": list(range(1, 27)), "tag_ids": [1]},
            "email_account_ids must contain less than or equal to 25 items",
        ),
        ({"email_account_ids": [1]}, "tag_ids must contain at least 1 item"),
        (
            {"email_account_ids": [1], "tag_ids": list(range(1, 27))},
            "tag_ids must contain less than or equal to 25 items",
        ),
    ],
)
async def test_lists_of_a_wrong_length(api: ApiClient, method: str, body: dict[str, Any], error: str) -> None:
    answer = await api.request(method, MAPPING, json=body)
    assert answer.status_code == 400
    shown = answer.json()
    assert (shown["success"], shown["message"], shown["error"]) == (False, "Validation error", error)


async def test_what_is_anothers_is_not_found(
    api: ApiClient, other_api: ApiClient, client_api: ApiClient, db: Db
) -> None:
    mailbox_id, tag_id = await make.mailbox(db, api.user_id), await make_tag(api)
    foreign = await make_tag(other_api)
    for caller, tag in ((other_api, foreign), (client_api, tag_id)):
        body = {"email_account_ids": [mailbox_id], "tag_ids": [tag]}
        (row,) = (await caller.post(MAPPING, json=body)).json()["data"]["results"]
        assert row["reason"] == "Email account not found"
    body = {"email_account_ids": [mailbox_id], "tag_ids": [foreign]}
    (row,) = (await api.post(MAPPING, json=body)).json()["data"]["results"]
    assert row["reason"] == "Tag not found"
    assert await names_of(api, mailbox_id) == []


# by address, and as a whole ------------------------------------------------------------------------------------------


async def test_tags_by_address_in_the_order_of_the_question(api: ApiClient, db: Db) -> None:
    first = await make.mailbox(db, api.user_id, from_email="nora@brightfold.example")
    second = await make.mailbox(db, api.user_id, from_email="li@brightfold.example")
    await api.post(MAPPING, json={"email_account_ids": [first], "tag_ids": [await make_tag(api)]})
    asked = ["li@brightfold.example", "NORA@brightfold.example"]
    answer = (await api.post("/email-accounts/tag-list", json={"email_ids": asked})).json()
    assert (answer["success"], answer["ok"]) == (True, True)
    assert [(row["email_account_id"], row["email_id"], len(row["tags"])) for row in answer["data"]] == [
        (second, "li@brightfold.example", 0),
        (first, "NORA@brightfold.example", 1),
    ]
    assert answer["data"][1]["from_email"] == "nora@brightfold.example"


async def test_one_strange_address_hides_all(api: ApiClient, other_api: ApiClient, db: Db) -> None:
    await make.mailbox(db, api.user_id, from_email="nora@brightfold.example")
    await make.mailbox(db, other_api.user_id, from_email="x@other.example")
    asked = {"email_ids": ["nora@brightfold.example", "x@other.example"]}
    answer = await api.post("/email-accounts/tag-list", json=asked)
    assert answer.status_code == 406
    assert answer.json()["message"] == "One or more email accounts do not belong to this user"
    assert (answer.json()["success"], answer.json()["invalid_emails"]) == (False, ["x@other.example"])


@pytest.mark.parametrize("given", [{}, {"email_ids": 5}, {"email_ids": []}, {"email_ids": [5]}])
async def test_addresses_have_to_be_a_list(api: ApiClient, given: dict[str, Any]) -> None:
    answer = await api.post("/email-accounts/tag-list", json=given)
    assert (answer.status_code, answer.json()["success"]) == (400, False)
    assert answer.json()["message"] == "email_ids must be an array"


async def test_the_whole_set_is_replaced(api: ApiClient, db: Db) -> None:
    mailbox_id, old, kept = await make.mailbox(db, api.user_id), await make_tag(api, "Old"), await make_tag(api, "Kept")
    await api.post(MAPPING, json={"email_account_ids": [mailbox_id], "tag_ids": [old, kept]})
    body = {"email_account_ids": [mailbox_id], "tags": [{"id": kept, "name": "Kept"}, {"name": "new"}]}
    answer = await api.post("/email-accounts/tag", json=body)
    assert answer.json() == {"ok": True, "message": "Tags updated successfully"}
    assert await names_of(api, mailbox_id) == ["Kept", "new"]
    unknown = await api.post("/email-accounts/tag", json={"email_account_ids": [9999], "tags": []})
    assert unknown.status_code == 404


# warmup figures ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["warmup-stats", "warmup-status"])
async def test_warmup_that_sent_nothing_is_zeros(
    api: ApiClient, other_api: ApiClient, client_api: ApiClient, db: Db, word: str
) -> None:
    mailbox_id = await make.mailbox(db, api.user_id)
    stats = (await api.get(f"/email-accounts/{mailbox_id}/{word}")).json()
    assert_shape(stats, example("warmup_stats"))
    days = [row["date"] for row in stats["stats_by_date"]]
    assert (len(days), days[0], days[-1]) == (8, "2026-02-23", "2026-03-02")
    assert [row["id"] for row in stats["stats_by_date"]] == list(range(1, 9))
    assert [row["date"] for row in stats["daily_stats"]] == days
    assert (stats["id"], stats["sent_count"], stats["reputation_score"]) == (mailbox_id, "0", 100)
    for stranger in (other_api, client_api):
        answer = await stranger.get(f"/email-accounts/{mailbox_id}/{word}")
        assert answer.status_code == 404
        assert (answer.json()["errorCode"], answer.json()["status"]) == ("ACCOUNT_NOT_FOUND", "error")
