"""The forecast over HTTP and on the command line."""

from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import pytest

from outrider.kit.edge import Edge
from tests.cli.conftest import environ, installed, run  # noqa: F401 - fixtures
from tests.engine.sending import Sending
from tests.support.client import ApiClient, fresh_account, fresh_client

Connect = Callable[..., Awaitable[ApiClient]]


@pytest.fixture
async def scene(sending: Sending, make_app: Callable[..., Edge], connect: Connect) -> tuple[ApiClient, int, int]:
    """A campaign in DRAFTED with four leads and one mailbox, which a second one could help: (client, it, that one)."""
    async with sending.database.transaction() as db:
        world = await sending.world(db)
        mailbox_id, other_id = [await sending.mailbox(world, max_email_per_day=2) for _ in range(2)]
        campaign_id = await world.campaign([mailbox_id], steps=2, status="DRAFTED", min_time_between_emails=30)
        await world.leads(campaign_id, 4)
        client = await connect(make_app(sending.database), db, user_id=sending.user_id)
    return client, campaign_id, other_id


async def test_days_steps_mailboxes_and_the_end(scene: tuple[ApiClient, int, int]) -> None:
    api, campaign_id, _ = scene
    answer = await api.get(f"/campaigns/{campaign_id}/forecast")
    assert answer.status_code == 200
    said = answer.json()
    assert said["total_emails"] == 8
    assert said["total_leads"] == 4
    assert said["by_step"] == [{"seq_number": 1, "emails": 4}, {"seq_number": 2, "emails": 4}]
    assert [each["emails"] for each in said["by_mailbox"]] == [8]
    assert said["by_mailbox"][0]["from_email"] == "box1@ours.example"
    assert [day["emails"] for day in said["by_day"]] == [2, 2, 2, 2]
    assert next(day["new_leads"] for day in said["by_day"]) == 2
    assert said["limited_by"]["code"] in ("DAILY_CAP", "ROLLING_CAP")
    assert said["completed_at"] > said["first_email_at"] >= said["from"]
    assert said["status"] == "DRAFTED"
    assert (await api.get(f"/campaigns/{campaign_id}")).json()["status"] == "DRAFTED"


async def test_only_so_many_days_are_listed(scene: tuple[ApiClient, int, int]) -> None:
    api, campaign_id, _ = scene
    said = (await api.get(f"/campaigns/{campaign_id}/forecast", params={"days": 1})).json()
    assert len(said["by_day"]) < 4
    assert said["total_emails"] == 8


async def test_changes_are_tried_out_in_every_spelling(scene: tuple[ApiClient, int, int]) -> None:
    api, campaign_id, other_id = scene
    path = f"/campaigns/{campaign_id}/forecast"
    faster = (await api.get(path, params={"message_per_day": "50", "minTimeBtwEmails": 1})).json()
    assert faster["by_day"][0]["emails"] == 4
    assert faster["what_if"]["max_email_per_day"] == 50
    slower = (await api.get(path, params={"max_new_leads_per_day": 1})).json()
    assert slower["by_day"][0]["emails"] == 1
    other = (await api.get(path, params={"emailAccountIds": f"{other_id}"})).json()
    assert [each["email_account_id"] for each in other["by_mailbox"]] == [other_id]


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        ({"days": 0}, '"days" must be larger than or equal to 1'),
        ({"days": "soon"}, '"days" must be a number'),
        ({"min_time_btw_emails": 0}, '"min_time_btw_emails" must be larger than or equal to 1'),
        ({"email_account_ids": "1"}, "Email account id - 1 not allowed. Permission Error."),
    ],
)
async def test_what_cannot_be_tried(scene: tuple[ApiClient, int, int], params: dict[str, Any], sentence: str) -> None:
    api, campaign_id, _ = scene
    answer = await api.get(f"/campaigns/{campaign_id}/forecast", params=params)
    assert answer.status_code == 400
    assert sentence in answer.json()["message"]


async def test_a_campaign_that_cannot_start_says_why(scene: tuple[ApiClient, int, int]) -> None:
    api, campaign_id, _ = scene
    await api.post(f"/campaigns/{campaign_id}/sequences", json={"sequences": []})
    answer = await api.get(f"/campaigns/{campaign_id}/forecast")
    assert answer.status_code == 400
    assert answer.json()["message"] == "Campaign has no sequences"


async def test_nobody_foresees_the_campaign_of_somebody_else(
    scene: tuple[ApiClient, int, int], sending: Sending, make_app: Callable[..., Edge], connect: Connect
) -> None:
    api, campaign_id, _ = scene
    async with sending.database.transaction() as db:
        app = make_app(sending.database)
        stranger = await connect(app, db, user_id=await fresh_account(db, sending.clock.now()))
        client_id = await fresh_client(db, api.user_id, sending.clock.now())
        client = await connect(app, db, user_id=api.user_id, client_id=client_id)
    for key in (stranger, client):
        assert (await key.get(f"/campaigns/{campaign_id}/forecast")).status_code == 404


async def test_the_command_shows_the_same(scene: tuple[ApiClient, int, int], installed: Any) -> None:  # noqa: F811
    api, campaign_id, _ = scene
    shown = await installed("forecast", str(campaign_id), "--cap", "3")
    assert "box1@ours.example" in shown.stdout
    assert "8 mails to 4 leads. Completed: 20" in shown.stdout
    said = orjson.loads((await installed("forecast", str(campaign_id), "--json", "--gap", "40")).stdout)
    asked = (await api.get(f"/campaigns/{campaign_id}/forecast", params={"min_time_btw_emails": 40})).json()
    assert said.keys() == asked.keys()
    assert said["total_emails"] == asked["total_emails"] == 8
    refused = await installed("forecast", "1")
    assert refused.exit_code == 1
    assert "There is no campaign 1." in refused.output
