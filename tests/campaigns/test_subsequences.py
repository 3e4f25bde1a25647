"""Subsequences over HTTP: what they are made of, what is refused (contract: campaigns, Create Subsequence)."""

from typing import Any

import pytest

from outrider.kit.db import Db, execute, fetch_dicts, fetch_value
from tests.campaigns.test_api import NOT_FOUND, TIME, get
from tests.support import make
from tests.support.client import ApiClient, fresh_client
from tests.support.make import NOW

TYPES = "REPLY_AN_EMAIL, OPEN_AN_EMAIL, CLICK_ON_A_LINK, LEAD_CATEGORY_UPDATED, NO_REPLY, NO_OPEN, OUT_OF_OFFICE_OVER"
STEP = {"seq_number": 1, "seq_delay_details": {"delay_in_days": 0}, "subject": "", "email_body": "As you asked"}


@pytest.fixture
async def parent(api: ApiClient, db: Db) -> int:
    """ACTIVE, with a mailbox."""
    campaign_id = await make.campaign(db, api.user_id, status="ACTIVE")
    await make.attach(db, api.user_id, campaign_id, await make.mailbox(db, api.user_id))
    return campaign_id


async def create(api: ApiClient, body: Any, path: str = "/campaigns/create-subsequence") -> dict[str, Any]:
    answer = await api.post(path, json=body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def triggers(db: Db, campaign_id: int) -> list[tuple[Any, ...]]:
    rows = await fetch_dicts(
        db,
        """
        SELECT type, category_id, words, excluded_words, step_number, event_count, after_days, event_sub_type
        FROM subsequence_triggers WHERE campaign_id = %(id)s ORDER BY id
        """,
        {"id": campaign_id},
    )
    return [tuple(row.values()) for row in rows]


async def subsequence(db: Db, campaign_id: int) -> dict[str, Any]:
    [row] = await fetch_dicts(db, "SELECT * FROM subsequences WHERE campaign_id = %(id)s", {"id": campaign_id})
    return row


async def test_it_answers_as_the_reference_shows(api: ApiClient, parent: int) -> None:
    made = await create(api, {"parent_campaign_id": parent, "name": "Asked for prices"})
    assert TIME.fullmatch(made.pop("created_at"))
    assert made == {
        "ok": True,
        "id": made["id"],
        "name": "Asked for prices",
        "parent_campaign_id": parent,
        "success": True,
        "subsequence_id": made["id"],
    }


async def test_it_is_a_drafted_campaign_with_the_parents_schedule_settings_and_mailboxes(
    api: ApiClient, db: Db, parent: int
) -> None:
    settings = {"track_settings": ["DONT_EMAIL_OPEN"], "stop_lead_settings": "NEVER", "unsubscribe_text": "No more"}
    await api.post(f"/campaigns/{parent}/settings", json=settings)
    await api.post(f"/campaigns/{parent}/schedule", json={"schedule_start_time": "2026-03-09T08:00:00Z"})
    made = await create(api, {"parent_campaign_id": parent})
    ours, theirs = await get(api, made["id"]), await get(api, parent)
    own = {"id": made["id"], "name": "Untitled Subsequence", "status": "DRAFTED", "parent_campaign_id": parent}
    times = {"created_at": ours["created_at"], "updated_at": ours["created_at"], "schedule_start_time": None}
    assert ours == {**theirs, **own, **times}
    assert (await api.get(f"/campaigns/{made['id']}/sequences")).json() == []
    assert (await api.get(f"/campaigns/{made['id']}/leads")).json()["total_leads"] == "0"
    boxes = "SELECT mailbox_id FROM campaign_mailboxes WHERE campaign_id = %(id)s"
    assert await fetch_dicts(db, boxes, {"id": made["id"]}) == await fetch_dicts(db, boxes, {"id": parent})


async def test_lists_show_subsequences_with_their_parents(api: ApiClient, parent: int) -> None:
    made = await create(api, {"parent_campaign_id": parent})
    listed = (await api.get("/campaigns")).json()
    assert [(each["id"], each["parent_campaign_id"]) for each in listed] == [(made["id"], parent), (parent, None)]
    assert (await api.get(f"/campaigns/{made['id']}/analytics")).json()["parent_campaign_id"] == parent
    assert {each["id"] for each in (await api.get("/analytics/campaign/list")).json()["data"]["campaign_list"]} == {
        made["id"],
        parent,
    }


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"name": "A"}, ("A", 0, False)),
        ({"subsequence_name": "A"}, ("A", 0, False)),
        ({"name": ""}, ("Untitled Subsequence", 0, False)),
        ({"name": None, "delayForNewLeads": "3"}, ("Untitled Subsequence", 3, False)),
        ({"delay_for_new_leads": 2, "stop_lead_on_parent_campaign_reply": "true"}, ("Untitled Subsequence", 2, True)),
        ({"delayForNewLeads": "", "stopLeadOnParentCampaignReply": 1}, ("Untitled Subsequence", 0, True)),
    ],
)
async def test_every_spelling_is_read(
    api: ApiClient, db: Db, parent: int, body: dict[str, Any], expected: tuple[str, int, bool]
) -> None:
    for where in ({"parent_campaign_id": parent}, {"parentCampaignId": str(parent)}):
        made = await create(api, {**where, **body})
        row = await subsequence(db, made["id"])
        assert (made["name"], row["delay_days"], row["stops_on_parent_reply"]) == expected
    made = await create(api, body, f"/campaigns/{parent}/create-subsequence")
    assert made["parent_campaign_id"] == parent


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, []),
        ({"conditionEvents": []}, []),
        ({"conditionEvents": None}, []),
        (
            {"conditionEvents": [{"eventType": "REPLY_AN_EMAIL", "text": " price "}]},
            [("REPLY_AN_EMAIL", None, "price", None, None, 1, None, None)],
        ),
        (
            {"condition_events": [{"event_type": "reply_to_an_email", "event_sub_type": "ANY"}]},
            [("REPLY_AN_EMAIL", None, None, None, None, 1, None, "ANY")],
        ),
        (
            {"conditionEvents": {"eventType": "REPLY_AN_EMAIL", "excludedText": "not now"}},
            [("REPLY_AN_EMAIL", None, None, "not now", None, 1, None, None)],
        ),
        (
            {"conditionEvents": '[{"eventType": "OPEN_AN_EMAIL", "count": "3", "seqNumber": 2}]'},
            [("OPEN_AN_EMAIL", None, None, None, 2, 3, None, None)],
        ),
        (
            {"conditionEvents": [{"eventType": "CLICK_ON_A_LINK", "text": "/prices", "categoryId": None}]},
            [("CLICK_ON_A_LINK", None, "/prices", None, None, 1, None, None)],
        ),
        (
            {"conditionEvents": [{"eventType": "LEAD_CATEGORY_UPDATED", "categoryId": "1"}]},
            [("LEAD_CATEGORY_UPDATED", 1, None, None, None, 1, None, None)],
        ),
        (
            {"conditionEvents": [{"eventType": "LEAD_CATEGORY_UPDATED", "category_id": "meeting request"}]},
            [("LEAD_CATEGORY_UPDATED", 2, None, None, None, 1, None, None)],
        ),
        (  # a category means nothing to other events
            {"conditionEvents": [{"eventType": "OPEN_AN_EMAIL", "categoryId": 1}]},
            [("OPEN_AN_EMAIL", None, None, None, None, 1, None, None)],
        ),
        (
            {"conditionEvents": [{"eventType": "NO_REPLY"}, {"eventType": "NO_OPEN", "days": 4}]},
            [
                ("NO_REPLY", None, None, None, None, 1, None, None),
                ("NO_OPEN", None, None, None, None, 1, 4, None),
            ],
        ),
        (
            {"conditionEvents": [{"eventType": "OUT_OF_OFFICE_OVER"}]},
            [("OUT_OF_OFFICE_OVER", None, None, None, None, 1, None, None)],
        ),
        ({"trigger": "NO_REPLY"}, [("NO_REPLY", None, None, None, None, 1, None, None)]),
        ({"trigger": "opened", "trigger_seq_number": "2"}, [("OPEN_AN_EMAIL", None, None, None, 2, 1, None, None)]),
        ({"trigger": "CLICKED"}, [("CLICK_ON_A_LINK", None, None, None, None, 1, None, None)]),
        ({"trigger": "REPLIED"}, [("REPLY_AN_EMAIL", None, None, None, None, 1, None, None)]),
    ],
)
async def test_conditions_are_kept(
    api: ApiClient, db: Db, parent: int, body: dict[str, Any], expected: list[tuple[Any, ...]]
) -> None:
    made = await create(api, {"parent_campaign_id": parent, **body})
    assert await triggers(db, made["id"]) == expected


@pytest.mark.parametrize(
    ("body", "message", "key"),
    [
        ({"parent_campaign_id": None}, '"parent_campaign_id" is required', "parent_campaign_id"),
        ({"parent_campaign_id": "x"}, '"parent_campaign_id" must be a number', "parent_campaign_id"),
        ({"parent_campaign_id": 0}, '"parent_campaign_id" must be a positive number', "parent_campaign_id"),
        (
            {"conditionEvents": [{"eventType": "SAID_HELLO"}]},
            f'"conditionEvents[0].eventType" must be one of [{TYPES}]',
            "conditionEvents.0.eventType",
        ),
        (
            {"conditionEvents": [{"eventType": "NO_REPLY"}, {}]},
            '"conditionEvents[1].eventType" is required',
            "conditionEvents.1.eventType",
        ),
        (
            {"conditionEvents": [{"eventType": "LEAD_CATEGORY_UPDATED"}]},
            '"conditionEvents[0].categoryId" is required',
            "conditionEvents.0.categoryId",
        ),
        (
            {"conditionEvents": [{"eventType": "NO_REPLY", "days": 0}]},
            '"conditionEvents[0].days" must be larger than or equal to 1',
            "conditionEvents.0.days",
        ),
        ({"delayForNewLeads": -1}, '"delayForNewLeads" must be larger than or equal to 0', "delayForNewLeads"),
        ({"delayForNewLeads": 1.5}, '"delayForNewLeads" must be an integer', "delayForNewLeads"),
        (
            {"stopLeadOnParentCampaignReply": "maybe"},
            '"stopLeadOnParentCampaignReply" must be a boolean',
            "stopLeadOnParentCampaignReply",
        ),
        ({"trigger": "SNEEZED"}, '"trigger" must be one of [NO_REPLY, OPENED, CLICKED, REPLIED]', "trigger"),
        ({"trigger": "NO_REPLY", "trigger_seq_number": 0}, None, "trigger_seq_number"),
    ],
)
async def test_what_cannot_be_read_is_named(
    *, api: ApiClient, db: Db, parent: int, body: dict[str, Any], message: str | None, key: str
) -> None:
    answer = await api.post("/campaigns/create-subsequence", json={"parent_campaign_id": parent, **body})
    said = answer.json()
    assert (answer.status_code, said["error"], said["validation"]) == (
        400,
        "Bad Request",
        {"source": "body", "keys": [key]},
    )
    assert message in (None, said["message"])
    assert not await fetch_value(db, "SELECT count(*) FROM subsequences")


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"client_id": 999_999_999}, "Client not found - Invalid client_id."),
        (
            {"conditionEvents": [{"eventType": "LEAD_CATEGORY_UPDATED", "categoryId": 77}]},
            "Invalid categoryId value - 77",
        ),
        ({"stop_lead_settings": "SOMETIMES"}, "Invalid stop_lead_settings value - SOMETIMES"),
        ({"timezone": "Mars/Base"}, "Invalid timezone - Mars/Base"),
        ({"email_account_ids": [999_999_999]}, "Email account id - 999999999 not allowed. Permission Error."),
        ({"sequences": [{**STEP, "id": 5}]}, "Invalid sequence id - 5"),
    ],
)
async def test_a_reference_that_is_none_makes_nothing(
    api: ApiClient, db: Db, parent: int, body: dict[str, Any], text: str
) -> None:
    answer = await api.post("/campaigns/create-subsequence", json={"parent_campaign_id": parent, **body})
    assert (answer.status_code, answer.json()["message"]) == (400, text)
    assert not await fetch_value(db, "SELECT count(*) FROM subsequences")


async def test_the_parent_has_to_be_there_and_no_subsequence(api: ApiClient, parent: int) -> None:
    answer = await api.post("/campaigns/create-subsequence", json={"parent_campaign_id": 999_999_999})
    assert (answer.status_code, answer.json()) == (404, NOT_FOUND)
    made = await create(api, {"parent_campaign_id": parent})
    for path in ("/campaigns/create-subsequence", f"/campaigns/{made['id']}/create-subsequence"):
        answer = await api.post(path, json={"parent_campaign_id": made["id"]})
        assert (answer.status_code, answer.json()["error"]) == (400, "Parent campaign cannot be a subsequence")


async def test_what_is_sent_with_it_follows_the_rules_of_its_own_endpoint(api: ApiClient, db: Db, parent: int) -> None:
    box = await make.mailbox(db, api.user_id)
    made = await create(
        api,
        {
            "parent_campaign_id": parent,
            "sequences": [STEP],
            "email_account_ids": [box],
            "timezone": "Europe/Lisbon",
            "min_time_btw_emails": 30,
            "stop_lead_settings": "CLICK_ON_A_LINK",
        },
    )
    shown = await get(api, made["id"])
    assert (shown["scheduler_cron_value"]["tz"], shown["min_time_btwn_emails"]) == ("Europe/Lisbon", 30)
    assert shown["stop_lead_settings"] == "CLICK_ON_A_LINK"
    [step] = (await api.get(f"/campaigns/{made['id']}/sequences")).json()
    assert step["email_body"] == "As you asked"
    attached = (await api.get(f"/campaigns/{made['id']}/email-accounts")).json()
    assert len(attached) == 2
    assert (await api.post(f"/campaigns/{made['id']}/status", json={"status": "START"})).status_code == 200


async def test_it_belongs_to_the_parents_client_unless_another_is_named(api: ApiClient, db: Db) -> None:
    client_id, other_id = await fresh_client(db, api.user_id, NOW), await fresh_client(db, api.user_id, NOW)
    parent = await make.campaign(db, api.user_id, client_id=client_id)
    for given, expected in ((None, client_id), (other_id, other_id)):
        made = await create(api, {"parent_campaign_id": parent, "client_id": given})
        assert (await get(api, made["id"]))["client_id"] == expected


async def test_mailboxes_that_the_parent_gets_later_serve_its_subsequences_too(
    api: ApiClient, db: Db, parent: int
) -> None:
    made = await create(api, {"parent_campaign_id": parent})
    box = await make.mailbox(db, api.user_id)
    await api.post(f"/campaigns/{parent}/email-accounts", json={"email_account_ids": [box]})
    shown = (await api.get(f"/campaigns/{made['id']}/email-accounts")).json()
    assert box in {each["id"] for each in shown}
    await api.delete(f"/campaigns/{parent}/email-accounts/{box}")
    shown = (await api.get(f"/campaigns/{made['id']}/email-accounts")).json()
    assert box in {each["id"] for each in shown}  # its leads go on from there


async def test_a_deleted_parent_takes_its_subsequences_along(api: ApiClient, db: Db, parent: int) -> None:
    made = await create(api, {"parent_campaign_id": parent, "trigger": "NO_REPLY"})
    await execute(db, "UPDATE campaigns SET status = 'ACTIVE' WHERE id = %(id)s", {"id": made["id"]})
    assert (await api.delete(f"/campaigns/{parent}")).status_code == 200
    assert (await api.get(f"/campaigns/{made['id']}")).status_code == 404
    assert not await fetch_value(db, "SELECT count(*) FROM subsequence_triggers")
