"""Categories of an account's own: by the main key, with a name nobody else has."""

from typing import Any

import pytest

from outrider.kit.db import Db
from tests.support import make
from tests.support.client import ApiClient


async def create(api: ApiClient, status: int = 200, **body: Any) -> Any:
    answer = await api.post("/leads/categories", json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


async def test_an_own_category_is_listed_after_the_built_in_ones(api: ApiClient, other_api: ApiClient) -> None:
    made = await create(api, name=" Competitor ", sentiment_type="negative", description="Uses Lemlist or Apollo")
    assert made["id"] >= 100_000
    assert {key: made[key] for key in ("name", "sentiment_type", "description")} == {
        "name": "Competitor",
        "sentiment_type": "negative",
        "description": "Uses Lemlist or Apollo",
    }
    listed = (await api.get("/leads/fetch-categories")).json()
    assert listed[-1] == {key: value for key, value in made.items() if key != "description"}
    assert len((await other_api.get("/leads/fetch-categories")).json()) == 9


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        ({}, 400, '"name" is required'),
        ({"name": ""}, 400, '"name" is not allowed to be empty'),
        ({"name": "x" * 101}, 400, '"name" length must be less than or equal to 100 characters long'),
        (
            {"name": "A", "sentiment_type": "happy"},
            400,
            '"sentiment_type" must be one of [positive, negative, neutral]',
        ),
        ({"name": "interested"}, 400, "Category with this name already exists."),
        ({"name": "LATER"}, 400, "Category with this name already exists."),
    ],
)
async def test_what_cannot_be_made(api: ApiClient, body: dict[str, Any], status: int, text: str) -> None:
    await create(api, name="Later")
    assert (await create(api, status, **body))["message"] == text


async def test_only_what_is_given_changes(api: ApiClient) -> None:
    made = await create(api, name="Later", sentiment_type="neutral", description="next year")
    path = f"/leads/categories/{made['id']}"
    assert (await api.patch(path, json={"name": "later"})).json() == {**made, "name": "later"}
    assert (await api.put(path, json={"description": None})).json() == {**made, "name": "later", "description": None}
    assert (await api.patch(path, json={"name": None})).status_code == 400
    assert (await api.patch(path, json={"name": "Wrong Person"})).status_code == 400


async def test_what_is_not_ones_own_cannot_be_changed(
    api: ApiClient, other_api: ApiClient, client_api: ApiClient
) -> None:
    made = await create(api, name="Later")
    for stranger, path, status in (
        (api, "/leads/categories/1", 404),
        (api, "/leads/categories/999999", 404),
        (other_api, f"/leads/categories/{made['id']}", 404),
        (client_api, f"/leads/categories/{made['id']}", 403),
    ):
        assert (await stranger.patch(path, json={"description": "x"})).status_code == status, path
    assert (await client_api.post("/leads/categories", json={"name": "Mine"})).status_code == 403


async def test_a_campaign_may_choose_it(api: ApiClient, db: Db) -> None:
    campaign_id = await make.campaign(db, api.user_id)
    made = await create(api, name="Competitor", description="Lemlist")
    settings = {"ai_categorisation_options": ["Competitor", 1]}
    assert (await api.post(f"/campaigns/{campaign_id}/settings", json=settings)).status_code == 200
    campaign = (await api.get(f"/campaigns/{campaign_id}")).json()
    assert campaign["ai_categorisation_options"] == [made["id"], 1]
