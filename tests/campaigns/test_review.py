"""Texts under review: broken ones are refused with their place, gaps are told with the number of leads."""

from typing import Any

import pytest

from outrider.kit.db import Db, execute, fetch_value
from tests.support import make
from tests.support.client import ApiClient

BROKEN = "Hello {% if first_name %}"


@pytest.fixture
async def campaign_id(api: ApiClient, db: Db) -> int:
    return await make.campaign(db, api.user_id, has_step=False)


async def add_lead(
    db: Db, user_id: int, campaign_id: int, number: int, *, status: str = "STARTED", **given: Any
) -> None:
    lead_id = await fetch_value(
        db,
        """
        INSERT INTO leads (user_id, email, first_name, company_name, custom_fields, created_at, updated_at)
        VALUES (%(user_id)s, %(email)s, %(first_name)s, %(company_name)s, %(custom_fields)s::jsonb, %(now)s, %(now)s)
        RETURNING id
        """,
        {
            "first_name": "Ada",
            "company_name": None,
            "custom_fields": "{}",
            **given,
            "user_id": user_id,
            "email": f"lead{number}@hexly.example",
            "now": make.NOW,
        },
    )
    await execute(
        db,
        """
        INSERT INTO campaign_leads (user_id, campaign_id, lead_id, status, created_at, updated_at)
        VALUES (%(user_id)s, %(campaign_id)s, %(lead_id)s, %(status)s, %(now)s, %(now)s)
        """,
        {"user_id": user_id, "campaign_id": campaign_id, "lead_id": lead_id, "status": status, "now": make.NOW},
    )


async def save(api: ApiClient, campaign_id: int, *steps: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    answer = await api.post(f"/campaigns/{campaign_id}/sequences", json={"sequences": list(steps)})
    return answer.status_code, answer.json()


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        (
            [{"subject": "Hi", "email_body": BROKEN}],
            'The email_body of step 1 cannot be used. Line 1, at "{% if first_name %}": ',
        ),
        (
            [{"subject": "Hi", "email_body": "Hello"}, {"subject": "{{first_name", "email_body": "Hello"}],
            "The subject of step 2 cannot be used. Line 1, at ",
        ),
        (
            [{"seq_variants": [{"subject": "a", "email_body": "b"}, {"subject": "a", "email_body": "{x|y"}]}],
            'The email_body of step 1, variant B cannot be used. Line 1, at "{x|y": ',
        ),
        (
            [{"subject": "Hi", "email_body": "one\ntwo {{ first_name | capitalise }}"}],
            "The email_body of step 1 cannot be used. Line 2, at ",
        ),
    ],
)
async def test_a_broken_text_is_refused_and_its_place_named(
    api: ApiClient, campaign_id: int, steps: list[dict[str, Any]], message: str
) -> None:
    status, body = await save(api, campaign_id, *steps)
    assert (status, body["ok"]) == (400, False)
    assert body["message"].startswith(message)
    assert body["error"] == body["message"]
    assert (await api.get(f"/campaigns/{campaign_id}/sequences")).json() == []


async def test_a_text_for_a_person_is_not_looked_at(api: ApiClient, campaign_id: int) -> None:
    status, body = await save(api, campaign_id, {"seq_type": "MANUAL", "email_body": BROKEN})
    assert (status, "warnings" in body) == (200, False)


@pytest.mark.parametrize(
    ("body", "people", "warnings"),
    [
        ("Hello {{first_name}}", [], []),
        ("Hello {{first_name}}", [{}, {}], []),
        ("Hello", [{"first_name": None}], []),
        ("{{first_name}}", [{}, {"first_name": None}, {"first_name": "  "}], [("first_name", 2, 3)]),
        ("{{First-Name}}", [{}, {"first_name": None}], [("First-Name", 1, 2)]),
        ("{{first_name | default: 'there'}}", [{"first_name": None}], []),
        ("{% if first_name %}{{first_name}}{% endif %}", [{"first_name": None}], []),
        ("{{city}}", [], [("city", 0, 0)]),
        ("{{city}}", [{}], [("city", 1, 1)]),
        ("{{city}}", [{"custom_fields": '{"City": "Lagos"}'}, {"custom_fields": '{"CITY": ""}'}], [("city", 1, 2)]),
        (
            "{{city}}",
            [{"custom_fields": '{"City": "Lagos"}'}, {"custom_fields": '{"CITY": "Oslo"}'}],
            [],
        ),
        ("{{size}}", [{"custom_fields": '{"size": 12}'}, {"custom_fields": '{"size": null}'}], [("size", 1, 2)]),
        ("{{city}}", [{"status": "COMPLETED"}, {"status": "BLOCKED"}], [("city", 0, 0)]),
        ("{{city}}", [{"status": "PAUSED"}, {"status": "INPROGRESS"}], [("city", 2, 2)]),
        ("{{b}} {{a}}", [{}], [("a", 1, 1), ("b", 1, 1)]),
        ("{{city}}", [{"custom_fields": '{"city": " \\u00a0"}'}], [("city", 1, 1)]),
        ("%sender-name% {{sl_time_of_day}} %signature%", [{}], []),
    ],
)
async def test_names_that_leave_a_gap_are_told_at_the_save_and_at_the_start(
    api: ApiClient,
    db: Db,
    campaign_id: int,
    *,
    body: str,
    people: list[dict[str, Any]],
    warnings: list[tuple[str, int, int]],
) -> None:
    for number, person in enumerate(people):
        await add_lead(db, api.user_id, campaign_id, number, **person)
    await make.attach(db, api.user_id, campaign_id, await make.mailbox(db, api.user_id))
    status, saved = await save(api, campaign_id, {"subject": "Fees", "email_body": body})
    assert status == 200
    started = (await api.post(f"/campaigns/{campaign_id}/status", json={"status": "START"})).json()
    for answer in (saved, started):
        assert answer["ok"] is True
        told = answer.get("warnings", [])
        assert [(each["name"], each["lead_count"], each["total_lead_count"]) for each in told] == warnings
        assert all((each["code"], each["seq_numbers"]) == ("MISSING_VARIABLE", [1]) for each in told)
        assert ("warnings" in answer) is bool(warnings)


async def test_the_sentence_says_where_and_how_many(api: ApiClient, db: Db, campaign_id: int) -> None:
    await add_lead(db, api.user_id, campaign_id, 1, custom_fields='{"city": "Lagos"}')
    await add_lead(db, api.user_id, campaign_id, 2)
    _, body = await save(
        api,
        campaign_id,
        {"subject": "{{city}}", "email_body": "Hello"},
        {"subject": "", "email_body": "{{role}} {{city}}"},
    )
    assert [each["message"] for each in body["warnings"]] == [
        "{{city}} in steps 1, 2 is empty for 1 of 2 leads. Fill it in, or give the text a fallback.",
        "{{role}} in step 2 is empty for all 2 leads. Fill it in, or give the text a fallback.",
    ]


async def test_other_campaigns_and_pauses_are_not_asked(api: ApiClient, db: Db, campaign_id: int) -> None:
    other = await make.campaign(db, api.user_id, has_step=False)
    await add_lead(db, api.user_id, other, 1, custom_fields='{"city": "Lagos"}')
    _, body = await save(api, campaign_id, {"subject": "{{city}}", "email_body": "Hello"})
    assert [each["lead_count"] for each in body["warnings"]] == [0]
    answer = await api.post(f"/campaigns/{campaign_id}/status", json={"status": "PAUSED"})
    assert answer.json() == {"ok": True}


@pytest.mark.parametrize(("share", "codes"), [(19, ["SMALL_TEST_SHARE"]), (20, []), (100, [])])
async def test_a_small_test_is_taken_with_a_warning(
    api: ApiClient, campaign_id: int, share: int, codes: list[str]
) -> None:
    step = {
        "variant_distribution_type": "AI_EQUAL",
        "winning_metric_property": "OPEN_RATE",
        "lead_distribution_percentage": share,
        "seq_variants": [{"subject": "a", "email_body": "b"}, {"subject": "c", "email_body": "d"}],
    }
    status, body = await save(api, campaign_id, step)
    assert status == 200
    assert [each["code"] for each in body.get("warnings", [])] == codes
