"""The team over HTTP, and who of it looks after a campaign."""

from datetime import datetime
from typing import Any

import pytest

from outrider.kit.db import Db, fetch_value
from outrider.users import actions
from outrider.users.models import Role
from tests.support import make
from tests.support.client import ApiClient
from tests.support.shape import assert_shape

MEMBER = {
    "id": 3,
    "name": "Noor Hale",
    "email": "noor@example.org",
    "role": "member",
    "status": "active",
    "created_at": "2026-01-05T10:00:00.000Z",
}


async def invite(db: Db, api: ApiClient, now: datetime) -> str:
    return await actions.invite(db, api.user_id, email="Noor@example.org", name="Noor Hale", role=Role.MEMBER, now=now)


async def test_the_team_is_listed_with_its_roles(api: ApiClient, other_api: ApiClient, db: Db, now: datetime) -> None:
    token = await invite(db, api, now)
    answer = (await api.get("/team-members")).json()
    assert_shape(answer, {"ok": True, "data": [MEMBER]})
    assert [(each["email"], each["role"], each["status"]) for each in answer["data"]][1:] == [
        ("noor@example.org", "member", "invited")
    ]
    await actions.set_password(db, token=token, password="tide-and-rope", now=now)
    assert (await api.get("/team-members")).json()["data"][1]["status"] == "active"
    assert len((await other_api.get("/team-members")).json()["data"]) == 1


async def test_a_client_does_not_see_the_team(client_api: ApiClient) -> None:
    assert (await client_api.get("/team-members")).status_code == 403


@pytest.mark.parametrize("spelling", ["teamMemberId", "team_member_id"])
async def test_a_campaign_is_looked_after_by_somebody_of_the_team(
    api: ApiClient, db: Db, now: datetime, spelling: str
) -> None:
    await invite(db, api, now)
    member_id = (await api.get("/team-members")).json()["data"][1]["id"]
    campaign_id = await make.campaign(db, api.user_id)
    for wanted in (member_id, None):
        answer = await api.post(f"/campaigns/{campaign_id}/team-member", json={spelling: wanted})
        assert answer.json() == {"ok": True}
        sql = "SELECT team_member_id FROM campaigns WHERE id = %(id)s"
        assert await fetch_value(db, sql, {"id": campaign_id}) == wanted


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, '"teamMemberId" is required'),
        ({"teamMemberId": "x"}, '"teamMemberId" must be a number'),
        ({"teamMemberId": 424242}, "Team member not found"),
        ({"teamMemberId": "of another account"}, "Team member not found"),
    ],
)
async def test_members_that_cannot_be_assigned(
    api: ApiClient, other_api: ApiClient, db: Db, body: dict[str, Any], message: str
) -> None:
    if body.get("teamMemberId") == "of another account":
        body = {"teamMemberId": (await other_api.get("/team-members")).json()["data"][0]["id"]}
    campaign_id = await make.campaign(db, api.user_id)
    answer = await api.post(f"/campaigns/{campaign_id}/team-member", json=body)
    assert (answer.status_code, answer.json()["message"]) == (400, message)
