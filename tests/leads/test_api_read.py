"""Lists and look-ups of leads over HTTP, and who may see what."""

from datetime import timedelta
from typing import Any

import pytest

from outrider.kit.db import Db, execute
from tests.support import make
from tests.support.client import ApiClient, fresh_client
from tests.support.leads import ADA, add, add_one, change_place, mail, mark_sent, place
from tests.support.make import NOW

LEAD_NOT_FOUND = {
    "ok": False,
    "error": "Lead not found - Invalid lead_id.",
    "message": "Lead not found - Invalid lead_id.",
    "statusCode": 404,
}


@pytest.fixture
async def campaign_id(api: ApiClient, db: Db) -> int:
    return await make.campaign(db, api.user_id)


async def get(api: ApiClient, path: str, **params: Any) -> Any:
    answer = await api.get(path, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def emails(api: ApiClient, campaign_id: int, **params: Any) -> list[str]:
    body = await get(api, f"/campaigns/{campaign_id}/leads", **params)
    return [row["lead"]["email"].partition("@")[0] for row in body["data"]]


# list by campaign ----------------------------------------------------------------------------------------------------


async def test_the_list_of_a_campaign_is_the_example_of_the_reference(api: ApiClient, db: Db, campaign_id: int) -> None:
    lead_id = await add_one(api, campaign_id, **ADA)
    mine = await place(db, campaign_id, lead_id)
    body = await get(api, f"/campaigns/{campaign_id}/leads")
    assert body["data"][0].pop("why_not_sent")["code"] == "CAMPAIGN_NOT_ACTIVE"  # beyond the reference
    assert body == {
        "total_leads": "1",
        "offset": 0,
        "limit": 100,
        "data": [
            {
                "campaign_lead_map_id": str(mine["id"]),
                "lead_category_id": None,
                "status": "STARTED",
                "created_at": "2026-03-02T09:00:00.000Z",
                "lead": {
                    "id": lead_id,
                    "email": "ada@hexly.io",
                    **ADA,
                    "is_unsubscribed": False,
                    "unsubscribed_client_id_map": None,
                },
            }
        ],
    }


async def test_pages_are_in_the_order_of_import_and_the_total_ignores_them(api: ApiClient, campaign_id: int) -> None:
    await add(api, campaign_id, *(f"{name}@hexly.io" for name in "edcba"))
    assert await emails(api, campaign_id, offset=1, limit="2") == ["d", "c"]
    body = await get(api, f"/campaigns/{campaign_id}/leads/", offset=10)
    assert (body["total_leads"], body["offset"], body["data"]) == ("5", 10, [])


async def test_the_list_can_be_narrowed_to_a_status_or_a_category(api: ApiClient, db: Db, campaign_id: int) -> None:
    await add(api, campaign_id, "a@hexly.io", "b@hexly.io")
    paused = await add_one(api, campaign_id, "c@hexly.io")
    await change_place(db, campaign_id, paused, "status = 'PAUSED', category_id = 3")
    assert await emails(api, campaign_id, status="paused") == ["c"]
    assert await emails(api, campaign_id, status="STARTED") == ["a", "b"]
    assert await emails(api, campaign_id, lead_category_id=3) == ["c"]
    assert await emails(api, campaign_id, lead_category_id=1) == []
    assert await emails(api, campaign_id, status="", lead_category_id="", created_at_gt="") == ["a", "b", "c"]


async def test_the_list_can_be_narrowed_by_dates_which_are_strict(api: ApiClient, db: Db, campaign_id: int) -> None:
    first = await add_one(api, campaign_id, "a@hexly.io")
    second = await add_one(api, campaign_id, "b@hexly.io")
    await change_place(db, campaign_id, first, "last_sent_at = %(at)s", at=NOW)
    await change_place(
        db, campaign_id, second, "created_at = %(at)s, last_reply_at = %(at)s", at=NOW + timedelta(hours=1)
    )
    assert await emails(api, campaign_id, created_at_gt="2026-03-02T09:00:00Z") == ["b"]
    assert await emails(api, campaign_id, created_at_gt="2026-03-02") == ["a", "b"]
    assert await emails(api, campaign_id, created_at_gt="2026-03-02 08:59:59.999Z") == ["a", "b"]
    assert await emails(api, campaign_id, last_sent_time_gt="2026-03-02T08:00:00+00:00") == ["a"]
    assert await emails(api, campaign_id, last_sent_time_gt="2026-03-02T09:00:00Z") == []
    assert await emails(api, campaign_id, event_time_gt="2026-03-02T08:00:00Z") == ["a", "b"]
    assert await emails(api, campaign_id, event_time_gt="2026-03-02T09:00:00Z") == ["b"]


async def test_the_list_can_be_narrowed_by_what_became_of_the_mails(api: ApiClient, db: Db, campaign_id: int) -> None:
    step_id = await make.step(db, api.user_id, campaign_id, number=2)
    ids = {name: await add_one(api, campaign_id, f"{name}@hexly.io") for name in "abcdefg"}

    async def sent(name: str, **columns: Any) -> None:
        await mark_sent(db, campaign_id, ids[name], step_id=step_id)
        await mail(db, api.user_id, campaign_id, ids[name], step_id=step_id, **columns)

    await sent("a", first_opened_at=NOW)
    await sent("b", first_opened_at=NOW, first_clicked_at=NOW)
    await sent("c", first_replied_at=NOW)
    await change_place(db, campaign_id, ids["c"], "last_reply_at = %(at)s", at=NOW)
    await sent("d", bounced_at=NOW, bounce_kind="HARD", status="BOUNCED")
    await sent("e", bounced_at=NOW, bounce_kind="SENDER", status="BOUNCED")
    await change_place(db, campaign_id, ids["e"], "category_id = 9")
    await change_place(db, campaign_id, ids["f"], "is_unsubscribed = true")
    await mail(
        db, api.user_id, campaign_id, ids["f"], step_id=None, direction="IN", kind="COMPLAINT", status="RECEIVED"
    )
    expected = {
        "is_opened": "ab",
        "is_clicked": "b",
        "is_replied": "c",
        "is_bounced": "d",
        "is_unsubscribed": "f",
        "is_spam": "f",
        "is_accepted": "abc",
        "not_replied": "abde",
        "is_sender_bounced": "e",
    }
    found = {status: "".join(await emails(api, campaign_id, emailStatus=status)) for status in expected}
    assert found == expected
    body = await get(api, f"/campaigns/{campaign_id}/leads", email_status="is_accepted", limit=1)
    assert body["total_leads"] == "3"


@pytest.mark.parametrize(
    ("params", "message", "key"),
    [
        ({"limit": 101}, '"limit" must be less than or equal to 100', "limit"),
        ({"limit": 0}, '"limit" must be larger than or equal to 1', "limit"),
        ({"offset": -1}, '"offset" must be larger than or equal to 0', "offset"),
        (
            {"status": "DONE"},
            '"status" must be one of [STARTED, INPROGRESS, COMPLETED, PAUSED, STOPPED, BLOCKED]',
            "status",
        ),
        ({"created_at_gt": "yesterday"}, '"created_at_gt" must be in ISO 8601 date format', "created_at_gt"),
        ({"lead_category_id": -3}, '"lead_category_id" must be a positive number', "lead_category_id"),
        (
            {"emailStatus": "read"},
            (
                '"emailStatus" must be one of [is_opened, is_clicked, is_replied, is_bounced, is_unsubscribed, '
                "is_spam, is_accepted, not_replied, is_sender_bounced]"
            ),
            "emailStatus",
        ),
    ],
)
async def test_a_bad_query_is_refused(
    api: ApiClient, campaign_id: int, params: dict[str, Any], message: str, key: str
) -> None:
    answer = await api.get(f"/campaigns/{campaign_id}/leads", params=params)
    assert (answer.status_code, answer.json()["message"]) == (400, message)
    assert answer.json()["validation"] == {"source": "query", "keys": [key]}


# look-ups ------------------------------------------------------------------------------------------------------------


async def test_a_look_up_by_address_is_the_example_of_the_reference(api: ApiClient, db: Db, campaign_id: int) -> None:
    lead_id = await add_one(api, campaign_id, **ADA)
    client_id = await fresh_client(db, api.user_id, NOW)
    other = await make.campaign(db, api.user_id, client_id=client_id, status="ACTIVE")
    await add(api, other, "ada@hexly.io")
    sent_at = NOW + timedelta(seconds=11, milliseconds=117)
    await change_place(
        db,
        other,
        lead_id,
        "category_id = 1, last_sent_at = %(sent)s, last_reply_at = %(reply)s",
        sent=sent_at,
        reply=NOW + timedelta(hours=4),
    )
    body = await get(api, "/leads/", email="ADA@hexly.io")
    why = [each.pop("why_not_sent")["code"] for each in body["lead_campaign_data"]]  # beyond the reference
    assert why == ["CAMPAIGN_NOT_ACTIVE", "NO_ENGINE"]
    assert body == {
        "id": str(lead_id),
        "email": "ada@hexly.io",
        "created_at": "2026-03-02T09:00:00.000Z",
        **ADA,
        "is_unsubscribed": False,
        "unsubscribed_client_id_map": {},
        "lead_campaign_data": [
            {
                "campaign_id": campaign_id,
                "campaign_name": "Harbour CFO outreach",
                "campaign_status": "DRAFTED",
                "campaign_lead_map_id": (await place(db, campaign_id, lead_id))["id"],
                "lead_category_id": None,
                "last_sent_at": None,
                "last_reply_at": None,
                "last_activity_at": None,
                "client_id": None,
                "client_email": None,
            },
            {
                "campaign_id": other,
                "campaign_name": "Harbour CFO outreach",
                "campaign_status": "ACTIVE",
                "campaign_lead_map_id": (await place(db, other, lead_id))["id"],
                "lead_category_id": 1,
                "last_sent_at": "2026-03-02T09:00:11+00:00",
                "last_reply_at": "2026-03-02T13:00:00+00:00",
                "last_activity_at": "2026-03-02T13:00:00+00:00",
                "client_id": client_id,
                "client_email": "ops0@harborlane.example",
            },
        ],
    }


@pytest.mark.parametrize("path", ["/leads", "/leads/", "/leads/by-email", "/leads/email"])
async def test_a_look_up_by_address_has_aliases(api: ApiClient, campaign_id: int, path: str) -> None:
    await add(api, campaign_id, "ada+news@hexly.io")
    assert (await get(api, path, email="ada+news@hexly.io", x=1))["email"] == "ada+news@hexly.io"


async def test_a_plus_that_was_not_encoded_is_understood(api: ApiClient, campaign_id: int) -> None:
    await add(api, campaign_id, "ada+news@hexly.io")
    answer = await api.get("/leads?email=ada+news@hexly.io")
    assert answer.json()["email"] == "ada+news@hexly.io"


@pytest.mark.parametrize("email", ["bo@tarn.dev", "nora@@hexly", "x"])
async def test_an_address_that_is_not_found_is_an_empty_object(api: ApiClient, email: str) -> None:
    assert await get(api, "/leads", email=email) == {}


async def test_a_look_up_needs_an_address(api: ApiClient) -> None:
    answer = await api.get("/leads")
    assert (answer.status_code, answer.json()["message"]) == (400, '"email" is required')


async def test_a_lead_in_no_campaign_has_no_campaign_data(api: ApiClient, db: Db, campaign_id: int) -> None:
    lead_id = await add_one(api, campaign_id)
    await execute(db, "DELETE FROM campaign_leads")
    assert (await get(api, "/leads", email="ada@hexly.io"))["lead_campaign_data"] == []
    assert await get(api, f"/leads/{lead_id}/campaigns") == []


async def test_a_lead_by_id_is_an_array_of_one(api: ApiClient, campaign_id: int) -> None:
    lead_id = await add_one(api, campaign_id, **ADA)
    assert await get(api, f"/leads/{lead_id}") == {
        "ok": True,
        "data": [
            {
                "id": str(lead_id),
                "email": "ada@hexly.io",
                **ADA,
                "is_unsubscribed": False,
                "unsubscribed_client_id_map": {},
                "created_at": "2026-03-02T09:00:00.000Z",
            }
        ],
    }
    assert await get(api, "/leads/1000000999") == {"ok": True, "data": []}


async def test_the_campaigns_of_a_lead_are_a_bare_array_newest_last(api: ApiClient, db: Db, campaign_id: int) -> None:
    newest = await make.campaign(db, api.user_id, status="ACTIVE")
    lead_id = await add_one(api, newest)
    await add(api, campaign_id, "ada@hexly.io")
    assert await get(api, f"/leads/{lead_id}/campaigns") == [
        {"id": campaign_id, "status": "DRAFTED", "name": "Harbour CFO outreach"},
        {"id": newest, "status": "ACTIVE", "name": "Harbour CFO outreach"},
    ]
    answer = await api.get("/leads/1000000999/campaigns")
    assert (answer.status_code, answer.json()) == (404, LEAD_NOT_FOUND)


async def test_all_leads_of_the_account_are_the_example_of_the_reference(
    api: ApiClient, db: Db, campaign_id: int
) -> None:
    lead_id = await add_one(api, campaign_id, **ADA)
    step_id = await make.step(db, api.user_id, campaign_id, number=2)
    await mark_sent(db, campaign_id, lead_id, step_id=step_id, at=NOW + timedelta(seconds=11))
    other = await make.campaign(db, api.user_id)
    await add(api, other, "ada@hexly.io", "bo@tarn.dev")
    body = await get(api, "/leads/global-leads", limit=1)
    assert body == {
        "data": [
            {
                "id": str(lead_id),
                "email": "ada@hexly.io",
                **ADA,
                "created_at": "2026-03-02T09:00:00.000Z",
                "user_id": api.user_id,
                "campaigns": [
                    {
                        "campaign_id": campaign_id,
                        "lead_status": "INPROGRESS",
                        "campaign_name": "Harbour CFO outreach",
                        "lead_added_at": "2026-03-02T09:00:00+00:00",
                        "campaign_status": "DRAFTED",
                        "email_lead_map_id": (await place(db, campaign_id, lead_id))["id"],
                        "lead_last_seq_number": 1,
                        "latest_sent_time": "2026-03-02T09:00:11.000Z",
                    },
                    {
                        "campaign_id": other,
                        "lead_status": "STARTED",
                        "campaign_name": "Harbour CFO outreach",
                        "lead_added_at": "2026-03-02T09:00:00+00:00",
                        "campaign_status": "DRAFTED",
                        "email_lead_map_id": (await place(db, other, lead_id))["id"],
                        "lead_last_seq_number": None,
                        "latest_sent_time": None,
                    },
                ],
            }
        ],
        "skip": 0,
        "limit": 1,
        "hasMore": True,
        "total_leads": 2,
    }
    last = await get(api, "/leads/global-leads", offset="1", limit="1")
    assert ([row["email"] for row in last["data"]], last["skip"], last["hasMore"]) == (["bo@tarn.dev"], 1, False)


async def test_all_leads_can_be_narrowed_to_an_address_or_a_date(api: ApiClient, db: Db, campaign_id: int) -> None:
    await add(api, campaign_id, "ada@hexly.io")
    late = await add_one(api, campaign_id, "bo@tarn.dev")
    await execute(db, "UPDATE leads SET created_at = created_at + interval '1 hour' WHERE id = %(id)s", {"id": late})

    async def found(**params: Any) -> list[str]:
        return [row["email"] for row in (await get(api, "/leads/global-leads", **params))["data"]]

    assert await found(email="ADA@hexly.io") == ["ada@hexly.io"]
    assert await found(email="nobody") == []
    assert await found(created_at_gt="2026-03-02T09:00:00Z") == ["bo@tarn.dev"]
    answer = await api.get("/leads/global-leads", params={"limit": 101})
    assert (answer.status_code, answer.json()["message"]) == (400, '"limit" must be less than or equal to 100')


@pytest.mark.parametrize("path", ["/leads/fetch-categories", "/leads/categories?client_id=3"])
async def test_categories_have_fixed_ids_and_names(api: ApiClient, path: str) -> None:
    rows = await get(api, path)
    assert rows[0] == {
        "id": 1,
        "created_at": "2024-01-01T00:00:00.000Z",
        "name": "Interested",
        "sentiment_type": "positive",
    }
    assert [(row["id"], row["name"], row["sentiment_type"]) for row in rows] == [
        (1, "Interested", "positive"),
        (2, "Meeting Request", "positive"),
        (3, "Not Interested", "negative"),
        (4, "Do Not Contact", "negative"),
        (5, "Information Request", "positive"),
        (6, "Out Of Office", "neutral"),
        (7, "Wrong Person", "neutral"),
        (8, "Uncategorizable by Ai", None),
        (9, "Sender Originated Bounce", None),
    ]


async def test_custom_categories_belong_to_their_account(api: ApiClient, other_api: ApiClient, db: Db) -> None:
    await execute(
        db,
        "INSERT INTO categories (user_id, name, created_at) VALUES (%(user_id)s, 'Later', %(now)s)",
        {"user_id": api.user_id, "now": NOW},
    )
    assert [row["name"] for row in await get(api, "/leads/fetch-categories")][-1] == "Later"
    assert len(await get(other_api, "/leads/fetch-categories")) == 9


# who may see what ----------------------------------------------------------------------------------------------------


async def test_the_two_ids_are_never_interchangeable(api: ApiClient, db: Db, campaign_id: int) -> None:
    lead_id = await add_one(api, campaign_id)
    map_id = (await place(db, campaign_id, lead_id))["id"]
    assert (await get(api, f"/leads/{map_id}"))["data"] == []
    for path in (f"/leads/{map_id}/campaigns", f"/campaigns/{campaign_id}/leads/{map_id}/message-history"):
        assert (await api.get(path)).status_code == 404
    for verb in ("pause", "unsubscribe"):
        answer = await api.post(f"/campaigns/{campaign_id}/leads/{map_id}/{verb}")
        assert (answer.status_code, answer.json()) == (404, LEAD_NOT_FOUND)
    assert (await api.post(f"/leads/{map_id}/unsubscribe")).status_code == 404
    assert (await api.delete(f"/campaigns/{campaign_id}/leads/{map_id}")).status_code == 404


@pytest.mark.parametrize(
    ("lead_id", "message"),
    [
        ("abc", '"leadId" must be a number'),
        ("1.5", '"leadId" must be an integer'),
        ("-1", '"leadId" must be a positive number'),
        ("9223372036854775808", '"leadId" must be a number'),
    ],
)
async def test_a_malformed_lead_id_is_refused(api: ApiClient, campaign_id: int, lead_id: str, message: str) -> None:
    for answer in (
        await api.get(f"/leads/{lead_id}"),
        await api.post(f"/campaigns/{campaign_id}/leads/{lead_id}/pause"),
    ):
        assert (answer.status_code, answer.json()["message"]) == (400, message)
        assert answer.json()["validation"] == {"source": "params", "keys": ["leadId"]}


async def test_another_account_sees_nothing(api: ApiClient, other_api: ApiClient, campaign_id: int) -> None:
    lead_id = await add_one(api, campaign_id)
    assert await get(other_api, "/leads", email="ada@hexly.io") == {}
    assert (await get(other_api, f"/leads/{lead_id}"))["data"] == []
    assert (await get(other_api, "/leads/global-leads"))["data"] == []
    assert (await other_api.get(f"/leads/{lead_id}/campaigns")).status_code == 404
    assert (await other_api.get(f"/campaigns/{campaign_id}/leads")).status_code == 404


async def test_the_key_of_a_client_sees_leads_through_its_own_campaigns(
    api: ApiClient, client_api: ApiClient, db: Db, campaign_id: int
) -> None:
    own = await make.campaign(db, api.user_id, client_id=client_api.client_id)
    shared = await add_one(api, campaign_id, "ada@hexly.io")
    hidden = await add_one(api, campaign_id, "bo@tarn.dev")
    await add(api, own, "ada@hexly.io")
    assert [
        row["campaign_id"] for row in (await get(client_api, "/leads", email="ada@hexly.io"))["lead_campaign_data"]
    ] == [own]
    assert await get(client_api, "/leads", email="bo@tarn.dev") == {}
    assert (await get(client_api, f"/leads/{hidden}"))["data"] == []
    assert [row["id"] for row in await get(client_api, f"/leads/{shared}/campaigns")] == [own]
    body = await get(client_api, "/leads/global-leads")
    assert [(row["id"], len(row["campaigns"])) for row in body["data"]] == [(str(shared), 1)]
    assert (await client_api.get(f"/campaigns/{campaign_id}/leads")).status_code == 404
    assert await emails(client_api, own) == ["ada"]
