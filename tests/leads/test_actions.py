"""What the engine, links and replies do to leads through the actions."""

from datetime import timedelta
from typing import Any

import pytest

from outrider.kit.db import Db, execute, fetch_dicts
from outrider.leads import actions
from outrider.leads.models import (
    CampaignLeadNotFound,
    LeadCategoryUpdated,
    LeadNotFound,
    LeadUnsubscribed,
    days_later,
)
from tests.support import make
from tests.support.client import ApiClient, fresh_client
from tests.support.events import hearing
from tests.support.leads import add, add_one, change_place, mail, person, place
from tests.support.make import NOW


@pytest.fixture
async def campaign_id(api: ApiClient, db: Db) -> int:
    return await make.campaign(db, api.user_id)


@pytest.fixture
async def lead_id(api: ApiClient, campaign_id: int) -> int:
    return await add_one(api, campaign_id)


async def map_id(db: Db, campaign_id: int, lead_id: int) -> int:
    return int((await place(db, campaign_id, lead_id))["id"])


async def unsubscribes(db: Db) -> list[tuple[str, int]]:
    rows = await fetch_dicts(db, "SELECT email, client_id FROM unsubscribes ORDER BY email, client_id")
    return [(row["email"], row["client_id"]) for row in rows]


# unsubscribe ---------------------------------------------------------------------------------------------------------


async def test_a_mail_of_the_account_unsubscribes_from_the_whole_account(
    api: ApiClient, db: Db, campaign_id: int, lead_id: int
) -> None:
    client_id = await fresh_client(db, api.user_id, NOW)
    clients = await make.campaign(db, api.user_id, client_id=client_id)
    await add(api, clients, "ada@hexly.io")
    mine = await map_id(db, campaign_id, lead_id)
    with hearing(LeadUnsubscribed) as heard:
        await actions.unsubscribe(
            db, user_id=api.user_id, lead_id=lead_id, campaign_lead_id=mine, message_id=7_000_001, now=NOW
        )
    assert [(event.campaign_id, event.message_id) for event in heard.events] == [
        (campaign_id, 7_000_001),
        (clients, None),
    ]
    assert (await person(db, lead_id))["is_unsubscribed"]
    assert await unsubscribes(db) == [("ada@hexly.io", 0)]


async def test_a_mail_of_a_client_unsubscribes_from_that_clients_campaigns(
    api: ApiClient, db: Db, campaign_id: int, lead_id: int
) -> None:
    client_id = await fresh_client(db, api.user_id, NOW)
    first, second = [await make.campaign(db, api.user_id, client_id=client_id) for _ in range(2)]
    for each in (first, second):
        await add(api, each, "ada@hexly.io")
    with hearing(LeadUnsubscribed) as heard:
        for _ in range(2):
            await actions.unsubscribe(
                db,
                user_id=api.user_id,
                lead_id=lead_id,
                campaign_lead_id=await map_id(db, first, lead_id),
                message_id=None,
                now=NOW,
            )
    assert [event.campaign_id for event in heard.events] == [first, second]
    row = await person(db, lead_id)
    assert (row["is_unsubscribed"], row["unsubscribed_client_ids"]) == (False, [client_id])
    assert await unsubscribes(db) == [("ada@hexly.io", client_id)]
    statuses = [(await place(db, each, lead_id))["status"] for each in (campaign_id, first, second)]
    assert statuses == ["STARTED", "STOPPED", "STOPPED"]
    third = await make.campaign(db, api.user_id, client_id=client_id)
    assert (await add(api, third, "ada@hexly.io"))["unsubscribed_leads"] == ["ada@hexly.io"]
    await actions.unsubscribe(db, user_id=api.user_id, lead_id=lead_id, campaign_lead_id=None, message_id=None, now=NOW)
    assert await unsubscribes(db) == [("ada@hexly.io", 0), ("ada@hexly.io", client_id)]


async def test_do_not_contact_is_no_unsubscribe(api: ApiClient, db: Db, campaign_id: int, lead_id: int) -> None:
    mine = await map_id(db, campaign_id, lead_id)
    with hearing(LeadUnsubscribed) as heard:
        await actions.set_category(
            db, user_id=api.user_id, campaign_lead_id=mine, category_id=4, by_hand=False, now=NOW
        )
        assert heard.events == []
        await actions.unsubscribe(
            db, user_id=api.user_id, lead_id=lead_id, campaign_lead_id=mine, message_id=None, now=NOW
        )
    assert [event.campaign_id for event in heard.events] == [campaign_id]


async def test_an_unknown_lead_cannot_unsubscribe(other_api: ApiClient, db: Db, lead_id: int) -> None:
    with pytest.raises(LeadNotFound):
        await actions.unsubscribe(
            db, user_id=other_api.user_id, lead_id=lead_id, campaign_lead_id=None, message_id=None, now=NOW
        )


@pytest.mark.parametrize("deleted", ["nothing", "campaign lead", "lead"])
async def test_a_link_works_also_after_the_lead_was_deleted(
    api: ApiClient, db: Db, campaign_id: int, lead_id: int, deleted: str
) -> None:
    mine = await map_id(db, campaign_id, lead_id)
    other = await make.campaign(db, api.user_id)
    await add(api, other, "ada@hexly.io")
    if deleted == "campaign lead":
        await api.delete(f"/campaigns/{campaign_id}/leads/{lead_id}")
    elif deleted == "lead":
        await api.delete(f"/leads/{lead_id}")
    with hearing(LeadUnsubscribed) as heard:
        for _ in range(2):
            await actions.unsubscribe_address(
                db, user_id=api.user_id, email="ada@hexly.io", campaign_lead_id=mine, now=NOW
            )
    expected = {"nothing": [campaign_id, other], "campaign lead": [other], "lead": []}
    assert [event.campaign_id for event in heard.events] == expected[deleted]
    assert await unsubscribes(db) == [("ada@hexly.io", 0)]
    third = await make.campaign(db, api.user_id)
    assert (await add(api, third, "ada@hexly.io"))["unsubscribed_leads"] == ["ada@hexly.io"]


async def test_a_link_of_a_client_still_knows_its_client_when_the_lead_is_gone(
    api: ApiClient, db: Db, campaign_id: int, lead_id: int
) -> None:
    client_id = await fresh_client(db, api.user_id, NOW)
    clients = await make.campaign(db, api.user_id, client_id=client_id)
    await add(api, clients, "ada@hexly.io")
    mine = await map_id(db, clients, lead_id)
    step_id = await make.step(db, api.user_id, clients, number=2)
    await mail(db, api.user_id, clients, lead_id, step_id=step_id)
    await api.delete(f"/campaigns/{clients}/leads/{lead_id}")
    await actions.unsubscribe_address(db, user_id=api.user_id, email="ada@hexly.io", campaign_lead_id=mine, now=NOW)
    assert await unsubscribes(db) == [("ada@hexly.io", client_id)]
    assert (await place(db, campaign_id, lead_id))["status"] == "STARTED"


async def test_a_link_to_an_old_address_unsubscribes_both(
    api: ApiClient, db: Db, campaign_id: int, lead_id: int
) -> None:
    mine = await map_id(db, campaign_id, lead_id)
    await api.post(f"/leads/{lead_id}", json={"email": "ada@quill.example"})
    await actions.unsubscribe_address(db, user_id=api.user_id, email="ada@hexly.io", campaign_lead_id=mine, now=NOW)
    assert await unsubscribes(db) == [("ada@hexly.io", 0), ("ada@quill.example", 0)]


# categories ----------------------------------------------------------------------------------------------------------


async def test_the_program_never_overwrites_what_a_person_has_chosen(
    api: ApiClient, db: Db, campaign_id: int, lead_id: int
) -> None:
    mine = await map_id(db, campaign_id, lead_id)

    async def set_to(category_id: int | None, *, by_hand: bool) -> int | None:
        await actions.set_category(
            db, user_id=api.user_id, campaign_lead_id=mine, category_id=category_id, by_hand=by_hand, now=NOW
        )
        category: int | None = (await place(db, campaign_id, lead_id))["category_id"]
        return category

    with hearing(LeadCategoryUpdated) as heard:
        assert await set_to(8, by_hand=False) == 8
        assert await set_to(1, by_hand=False) == 1
        assert await set_to(1, by_hand=True) == 1
        assert await set_to(3, by_hand=False) == 1
        assert await set_to(None, by_hand=True) is None
        assert await set_to(5, by_hand=False) == 5
    assert [(event.old_id, event.new_id) for event in heard.events] == [(None, 8), (8, 1), (1, None), (None, 5)]


async def test_only_a_person_lifts_do_not_contact(api: ApiClient, db: Db, campaign_id: int, lead_id: int) -> None:
    mine = await map_id(db, campaign_id, lead_id)
    for category_id, by_hand, is_unsubscribed in (
        (4, False, True),
        (1, False, True),
        (4, False, True),
        (1, True, False),
    ):
        await actions.set_category(
            db, user_id=api.user_id, campaign_lead_id=mine, category_id=category_id, by_hand=by_hand, now=NOW
        )
        assert (await person(db, lead_id))["is_unsubscribed"] is is_unsubscribed


async def test_do_not_contact_holds_as_long_as_one_campaign_says_so(
    api: ApiClient, db: Db, campaign_id: int, lead_id: int
) -> None:
    other = await make.campaign(db, api.user_id)
    await add(api, other, "ada@hexly.io")
    for each, category_id in ((campaign_id, 4), (other, 4), (other, 1)):
        await actions.set_category(
            db,
            user_id=api.user_id,
            campaign_lead_id=await map_id(db, each, lead_id),
            category_id=category_id,
            by_hand=True,
            now=NOW,
        )
    assert (await person(db, lead_id))["is_unsubscribed"]


async def test_the_lead_of_another_account_gets_no_category(
    other_api: ApiClient, db: Db, campaign_id: int, lead_id: int
) -> None:
    with pytest.raises(CampaignLeadNotFound):
        await actions.set_category(
            db,
            user_id=other_api.user_id,
            campaign_lead_id=await map_id(db, campaign_id, lead_id),
            category_id=1,
            by_hand=True,
            now=NOW,
        )


# hard bounces --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "after"),
    [
        ("status = 'INPROGRESS'", ("BLOCKED", "BOUNCED")),
        ("status = 'COMPLETED'", ("BLOCKED", "BOUNCED")),
        ("status = 'STOPPED', hold_reason = 'REPLIED', last_reply_at = updated_at", ("STOPPED", "REPLIED")),
    ],
)
async def test_an_address_that_bounced_is_not_mailed_any_more(
    api: ApiClient, other_api: ApiClient, *, db: Db, campaign_id: int, lead_id: int, change: Any, after: tuple[str, str]
) -> None:
    other = await make.campaign(db, api.user_id)
    done = await make.campaign(db, api.user_id)
    foreign = await make.campaign(db, other_api.user_id)
    for caller, each in ((api, other), (api, done), (other_api, foreign)):
        await add(caller, each, "ada@hexly.io")
    await change_place(db, done, lead_id, "status = 'COMPLETED'")
    await change_place(db, campaign_id, lead_id, change)
    for _ in range(2):
        await actions.block_bounced_address(
            db,
            user_id=api.user_id,
            email="ada@hexly.io",
            campaign_lead_id=await map_id(db, campaign_id, lead_id),
            now=NOW,
        )
    rows = [await place(db, each, lead_id) for each in (campaign_id, other, done)]
    assert [(row["status"], row["hold_reason"]) for row in rows] == [after, ("BLOCKED", "BOUNCED"), ("COMPLETED", None)]
    entries = (await api.get("/leads/get-domain-block-list")).json()
    assert [(entry["email_or_domain"], entry["source"]) for entry in entries] == [
        ("ada@hexly.io", "Smartlead.ai Bounce Detection")
    ]
    again = await make.campaign(db, other_api.user_id)
    answer = await add(other_api, again, "ada@hexly.io")
    assert (answer["bounce_count"], answer["block_count"]) == (1, 0)
    assert (await fetch_dicts(db, "SELECT status FROM campaign_leads WHERE campaign_id = %(id)s", {"id": foreign}))[
        0
    ] == {"status": "STARTED"}


# dates ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "days", "after"),
    [
        (None, 3, timedelta(days=3)),
        ("UTC", 1.5, timedelta(days=1, hours=12)),
        ("Europe/Stockholm", 30, timedelta(days=30) - timedelta(hours=1)),
        ("America/New_York", 7, timedelta(days=7) - timedelta(hours=1)),
        ("Asia/Kolkata", 30, timedelta(days=30)),
    ],
)
def test_days_are_calendar_days_at_the_same_wall_clock_time(zone: str | None, days: float, after: timedelta) -> None:
    assert days_later(NOW, days, zone=zone) - NOW == after


async def test_actions_leave_the_rest_of_the_account_alone(
    api: ApiClient, db: Db, campaign_id: int, lead_id: int
) -> None:
    await add(api, campaign_id, "bo@tarn.dev")
    await execute(db, "UPDATE campaign_leads SET updated_at = updated_at - interval '1 day'")
    await api.post(f"/leads/{lead_id}/unsubscribe")
    await api.post(f"/campaigns/{campaign_id}/leads/{lead_id}/category", json={"category_id": 4})
    rows = await fetch_dicts(
        db, "SELECT status, category_id FROM campaign_leads WHERE updated_at < %(now)s", {"now": NOW}
    )
    assert rows == [{"status": "STARTED", "category_id": None}]
