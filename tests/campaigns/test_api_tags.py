"""Tags of campaigns over HTTP, and mailboxes that are attached by their tags."""

from typing import Any

import pytest

from outrider.kit.db import Db, execute, fetch_dicts
from tests.support import make
from tests.support.client import ApiClient


async def tag(api: ApiClient, name: str) -> int:
    return int((await api.post("/tags", json={"name": name})).json()["data"]["id"])


async def tags_of(api: ApiClient, campaign_id: int) -> list[str]:
    shown = (await api.get(f"/campaigns/{campaign_id}", params={"include_tags": "true"})).json()
    return [each["tag_name"] for each in shown["tags"]]


async def test_campaigns_get_tags_and_lose_them(api: ApiClient, db: Db) -> None:
    first, second = [await make.campaign(db, api.user_id) for _ in range(2)]
    hot, cold = await tag(api, "Hot"), await tag(api, "Cold")
    body = {"campaign_ids": [first, str(second)], "tag_ids": [hot, cold]}
    for _ in range(2):  # again: nothing to do
        answer = await api.post("/campaigns/tags", json=body)
        assert (answer.status_code, answer.json()) == (200, {"ok": True})
    assert [await tags_of(api, each) for each in (first, second)] == [["Cold", "Hot"]] * 2
    answer = await api.request("DELETE", "/campaigns/tags", json={"campaignIds": first, "tagIds": hot})
    assert (answer.status_code, answer.json()) == (200, {"ok": True})
    assert [await tags_of(api, each) for each in (first, second)] == [["Cold"], ["Cold", "Hot"]]


@pytest.mark.parametrize("method", ["POST", "DELETE"])
@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"campaign_ids": None}, '"campaign_ids" is required'),
        ({"campaign_ids": []}, '"campaign_ids" must contain at least 1 items'),
        ({"tag_ids": None}, '"tag_ids" is required'),
        ({"tag_ids": ["x"]}, '"tag_ids[0]" must be a number'),
        ({"campaign_ids": [77]}, "Campaign not found - Invalid campaign_id."),
        ({"tag_ids": [77]}, "Tag not found!"),
    ],
)
async def test_nothing_is_changed_when_something_is_wrong(
    api: ApiClient, db: Db, method: str, changed: dict[str, Any], message: str
) -> None:
    body = {"campaign_ids": [await make.campaign(db, api.user_id)], "tag_ids": [await tag(api, "Hot")]}
    given = {key: value for key, value in {**body, **changed}.items() if value is not None}
    answer = await api.request(method, "/campaigns/tags", json=given)
    assert (answer.status_code, answer.json()["message"]) == (400, message)
    assert await fetch_dicts(db, "SELECT * FROM campaign_tags", {}) == []


async def test_mailboxes_are_attached_by_tag(api: ApiClient, db: Db) -> None:
    campaign_id = await make.campaign(db, api.user_id)
    hot, cold = await tag(api, "Hot"), await tag(api, "Cold")
    boxes = [await make.mailbox(db, api.user_id) for _ in range(4)]
    await api.post("/email-accounts/tag-mapping", json={"email_account_ids": boxes[:2], "tag_ids": [hot]})
    await api.post("/email-accounts/tag-mapping", json={"email_account_ids": boxes[1:3], "tag_ids": [cold]})
    await execute(db, "UPDATE mailboxes SET deleted_at = %(now)s WHERE id = %(id)s", {"now": make.NOW, "id": boxes[0]})
    path = f"/campaigns/{campaign_id}/email-accounts/by-tag"
    answer = (await api.post(path, json={"tag_ids": [hot, cold]})).json()
    assert [each["email_account_id"] for each in answer["result"]] == boxes[1:3]
    assert answer["result"][0].keys() == {"id", "email_campaign_id", "email_account_id", "updated_at"}
    attached = (await api.get(f"/campaigns/{campaign_id}/email-accounts")).json()
    assert sorted(each["id"] for each in attached) == boxes[1:3]
    unused = await tag(api, "Unused")
    assert (await api.post(path, json={"tag_id": unused})).json() == {"ok": True, "result": []}


@pytest.mark.parametrize(("body", "message"), [({}, '"tag_ids" is required'), ({"tag_ids": [77]}, "Tag not found!")])
async def test_by_an_unknown_tag_nothing_is_attached(api: ApiClient, db: Db, body: Any, message: str) -> None:
    campaign_id = await make.campaign(db, api.user_id)
    answer = await api.post(f"/campaigns/{campaign_id}/email-accounts/by-tag", json=body)
    assert (answer.status_code, answer.json()["message"]) == (400, message)
