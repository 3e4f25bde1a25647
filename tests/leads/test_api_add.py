"""Adding leads over HTTP: the answer, every check in its order, what is accepted and what is refused."""

from typing import Any

import pytest

from outrider.campaigns.models import CampaignStatusChanged
from outrider.kit.db import Db, execute, fetch_dicts, fetch_value
from outrider.leads.models import LeadsAdded
from tests.support import make
from tests.support.client import ApiClient, fresh_client
from tests.support.events import hearing
from tests.support.leads import add, add_one, person, place
from tests.support.make import NOW


@pytest.fixture
async def campaign_id(api: ApiClient, db: Db) -> int:
    return await make.campaign(db, api.user_id)


async def block(db: Db, user_id: int, entry: str, client_id: int | None = None) -> None:
    await execute(
        db,
        """
        INSERT INTO block_list (user_id, client_id, email_or_domain, source, created_at)
        VALUES (%(user_id)s, %(client_id)s, %(entry)s, 'manual', %(now)s)
        """,
        {"user_id": user_id, "client_id": client_id, "entry": entry, "now": NOW},
    )


async def unsubscribed(db: Db, user_id: int, email: str, client_id: int = 0) -> None:
    await execute(
        db,
        "INSERT INTO unsubscribes VALUES (%(user_id)s, %(email)s, %(client_id)s, %(now)s)",
        {"user_id": user_id, "email": email, "client_id": client_id, "now": NOW},
    )


async def bounced(db: Db, email: str) -> None:
    await execute(db, "INSERT INTO hard_bounces VALUES (%(email)s, %(now)s)", {"email": email, "now": NOW})


def reasons(answer: dict[str, Any]) -> dict[str, str]:
    return {row["email"]: row["reason"] for row in answer["skipped_leads"]}


async def test_the_example_of_the_reference(api: ApiClient, db: Db, campaign_id: int) -> None:
    kim = await add_one(api, campaign_id, "kim@hexly.io")
    await block(db, api.user_id, "blocked.co")
    answer = await add(
        api,
        campaign_id,
        "ada@hexly.io",
        "bo@tarn.dev",
        "nora@@hexly",
        "ADA@hexly.io ",
        "kim@hexly.io",
        "x@blocked.co",
    )
    ids = answer["emailToLeadIdMap"].pop("newlyAddedLeads")
    assert ids.keys() == {"ada@hexly.io", "bo@tarn.dev"}
    assert all(isinstance(each, str) and int(each) > 1_000_000_000 for each in ids.values())
    assert answer == {
        "ok": True,
        "upload_count": 6,
        "total_leads": 2,
        "block_count": 1,
        "duplicate_count": 1,
        "invalid_email_count": 1,
        "invalid_emails": ["nora@@hexly"],
        "already_added_to_campaign": 1,
        "unsubscribed_leads": [],
        "is_lead_limit_exhausted": False,
        "lead_import_stopped_count": 0,
        "bounce_count": 0,
        "emailToLeadIdMap": {"existingLeads": {"kim@hexly.io": str(kim)}, "existingLeadsInOtherCampaigns": {}},
        "added_count": 2,
        "skipped_count": 4,
        "skipped_leads": [
            {"email": "nora@@hexly", "reason": "Invalid email"},
            {"email": "ada@hexly.io", "reason": "Duplicate in upload"},
            {"email": "kim@hexly.io", "reason": "Already exists in this campaign"},
            {"email": "x@blocked.co", "reason": "On global block list"},
        ],
    }


async def test_the_map_of_ids_comes_only_when_asked_for(api: ApiClient, campaign_id: int) -> None:
    answer = await api.post(f"/campaigns/{campaign_id}/leads", json={"lead_list": [{"email": "ada@hexly.io"}]})
    assert "emailToLeadIdMap" not in answer.json()


async def test_a_new_lead_is_started_with_everything_that_was_sent(api: ApiClient, db: Db, campaign_id: int) -> None:
    lead_id = await add_one(
        api,
        campaign_id,
        first_name=" Ada ",
        last_name="Quill",
        phone_number=4670123456,
        company_name="Hexly",
        website="hexly.io",
        location="Lund",
        linkedin_profile="linkedin.com/in/adaquill",
        company_url=None,
        custom_fields={"Title": "CTO", "Seats": 12, "Is new": True, "Note": None},
    )
    row = await person(db, lead_id)
    assert row["first_name"] == "Ada"
    assert row["phone_number"] == "4670123456"
    assert row["company_url"] is None
    assert row["custom_fields"] == {"Title": "CTO", "Seats": 12, "Is new": True, "Note": None}
    mine = await place(db, campaign_id, lead_id)
    assert (mine["status"], mine["hold_reason"], mine["due_at"]) == ("STARTED", None, NOW)
    assert mine["id"] > 3_000_000_000
    assert mine["block_list_ignored_until"] is None


@pytest.mark.parametrize(
    ("email", "stored"),
    [
        ("Ada@HEXLY.io", "ada@hexly.io"),
        ("  ada@hexly.io\t", "ada@hexly.io"),
        ("ada+news@hexly.io", "ada+news@hexly.io"),
        ("o'brien@hexly.io", "o'brien@hexly.io"),
        ("ada@Bücher.example", "ada@xn--bcher-kva.example"),
        ("", None),
        ("ada", None),
        ("ada@hexly", None),
        ("ada@192.0.2.1", None),
        ("ada@[192.0.2.1]", None),
        ("ada@-hexly.io", None),
        ("a da@hexly.io", None),
        ("ada@hexly.io, bo@tarn.dev", None),
        (".ada@hexly.io", None),
        ("ada@hexly..io", None),
    ],
)
async def test_an_address_has_one_spelling_or_is_counted_as_invalid(
    api: ApiClient, campaign_id: int, email: str, stored: str | None
) -> None:
    answer = await add(api, campaign_id, email)
    assert list(answer["emailToLeadIdMap"]["newlyAddedLeads"]) == ([stored] if stored else [])
    assert answer["invalid_emails"] == ([] if stored else [email])


CHECKS = [
    ("Invalid email", "invalid_email_count"),
    ("Duplicate in upload", "duplicate_count"),
    ("Already exists in this campaign", "already_added_to_campaign"),
    ("Unsubscribed", None),
    ("On global block list", "block_count"),
    ("On community bounce list", "bounce_count"),
    ("Exists in another campaign", None),
]


@pytest.mark.parametrize("first", range(2, len(CHECKS)))
async def test_the_first_check_in_the_documented_order_decides(
    api: ApiClient, db: Db, campaign_id: int, first: int
) -> None:
    """The lead fails this check and all that follow it."""
    if first <= 2:
        await add(api, campaign_id, "ada@hexly.io")
    elsewhere = await make.campaign(db, api.user_id)
    await add(api, elsewhere, "ada@hexly.io")
    if first <= 3:
        await unsubscribed(db, api.user_id, "ada@hexly.io")
    if first <= 4:
        await block(db, api.user_id, "ada@hexly.io")
    if first <= 5:
        await bounced(db, "ada@hexly.io")
    answer = await add(api, campaign_id, "ada@hexly.io", ignore_duplicate_leads_in_other_campaign=True)
    reason, counter = CHECKS[first]
    assert reasons(answer) == {"ada@hexly.io": reason}
    assert answer["added_count"] == 0
    for _, name in CHECKS:
        if name is not None:
            assert answer[name] == (1 if name == counter else 0), name
    assert answer["unsubscribed_leads"] == (["ada@hexly.io"] if reason == "Unsubscribed" else [])


async def test_leads_in_other_campaigns_raise_none_of_the_original_counters(
    api: ApiClient, db: Db, campaign_id: int
) -> None:
    elsewhere = await make.campaign(db, api.user_id)
    lead_id = await add_one(api, elsewhere, "ada@hexly.io")
    answer = await add(api, campaign_id, "ada@hexly.io", ignore_duplicate_leads_in_other_campaign=True)
    assert answer["emailToLeadIdMap"] == {
        "newlyAddedLeads": {},
        "existingLeads": {},
        "existingLeadsInOtherCampaigns": {"ada@hexly.io": str(lead_id)},
    }
    again = await add(api, campaign_id, "ada@hexly.io")
    assert again["emailToLeadIdMap"]["newlyAddedLeads"] == {"ada@hexly.io": str(lead_id)}


@pytest.mark.parametrize(
    ("flag", "reason", "held"),
    [
        ("ignore_global_block_list", "On global block list", "block_list_ignored_until"),
        ("ignore_community_bounce_list", "On community bounce list", "bounces_ignored_until"),
        ("ignore_unsubscribe_list", "Unsubscribed", None),
    ],
)
async def test_a_flag_leaves_one_check_out(
    api: ApiClient, db: Db, *, campaign_id: int, flag: str, reason: str, held: str | None
) -> None:
    if reason == "On global block list":
        await block(db, api.user_id, "hexly.io")
    elif reason == "Unsubscribed":
        await unsubscribed(db, api.user_id, "ada@hexly.io")
    else:
        await bounced(db, "ada@hexly.io")
    assert reasons(await add(api, campaign_id, "ada@hexly.io")) == {"ada@hexly.io": reason}
    answer = await add(api, campaign_id, "ada@hexly.io", **{flag: True})
    lead_id = int(answer["emailToLeadIdMap"]["newlyAddedLeads"]["ada@hexly.io"])
    mine = await place(db, campaign_id, lead_id)
    if held is None:
        assert (mine["status"], mine["hold_reason"], mine["due_at"]) == ("STOPPED", "UNSUBSCRIBED", None)
        assert (await person(db, lead_id))["is_unsubscribed"]
    else:
        assert (mine["status"], mine[held]) == ("STARTED", NOW)


async def test_blocking_a_domain_blocks_its_sub_domains_and_nothing_else(
    api: ApiClient, db: Db, campaign_id: int
) -> None:
    await block(db, api.user_id, "rival.io")
    answer = await add(api, campaign_id, "a@rival.io", "b@mail.eu.rival.io", "c@notrival.io", "d@rival.io.example")
    assert reasons(answer).keys() == {"a@rival.io", "b@mail.eu.rival.io"}


async def test_entries_and_unsubscribes_of_a_client_act_on_its_campaigns_only(
    api: ApiClient, db: Db, campaign_id: int
) -> None:
    client_id = await fresh_client(db, api.user_id, NOW)
    clients_campaign = await make.campaign(db, api.user_id, client_id=client_id)
    await block(db, api.user_id, "a@rival.io", client_id)
    await unsubscribed(db, api.user_id, "b@rival.io", client_id)
    assert (await add(api, campaign_id, "a@rival.io", "b@rival.io"))["added_count"] == 2
    assert reasons(await add(api, clients_campaign, "a@rival.io", "b@rival.io")) == {
        "a@rival.io": "On global block list",
        "b@rival.io": "Unsubscribed",
    }


async def test_lists_of_another_account_do_not_matter_but_bounces_do(
    api: ApiClient, other_api: ApiClient, db: Db, campaign_id: int
) -> None:
    await block(db, other_api.user_id, "a@rival.io")
    await unsubscribed(db, other_api.user_id, "b@rival.io")
    await add(other_api, await make.campaign(db, other_api.user_id), "c@rival.io")
    await bounced(db, "d@rival.io")
    answer = await add(
        api,
        campaign_id,
        *(f"{name}@rival.io" for name in "abcd"),
        ignore_duplicate_leads_in_other_campaign=True,
    )
    assert reasons(answer) == {"d@rival.io": "On community bounce list"}


async def test_a_lead_that_is_known_gets_what_is_new_about_it(api: ApiClient, db: Db, campaign_id: int) -> None:
    lead_id = await add_one(
        api, campaign_id, first_name="Ada", company_name="Hexly", custom_fields={"Title": "CTO", "Tier": "A"}
    )
    elsewhere = await make.campaign(db, api.user_id)
    for target in (campaign_id, elsewhere):
        await add(
            api,
            target,
            {
                "email": "ada@hexly.io",
                "first_name": "",
                "last_name": "Quill",
                "company_name": None,
                "custom_fields": {"Title": "CEO", "Tier": "", "Seats": None, "City": "Lund"},
            },
        )
    row = await person(db, lead_id)
    assert (row["first_name"], row["last_name"], row["company_name"]) == ("Ada", "Quill", "Hexly")
    assert row["custom_fields"] == {"Title": "CEO", "Tier": "A", "City": "Lund"}


async def test_a_lead_that_is_skipped_keeps_its_fields(api: ApiClient, db: Db, campaign_id: int) -> None:
    elsewhere = await make.campaign(db, api.user_id)
    lead_id = await add_one(api, elsewhere, first_name="Ada")
    await block(db, api.user_id, "ada@hexly.io")
    await add(api, campaign_id, {"email": "ada@hexly.io", "first_name": "Eve"})
    assert (await person(db, lead_id))["first_name"] == "Ada"


async def test_a_lead_in_the_campaign_is_not_restarted(api: ApiClient, db: Db, campaign_id: int) -> None:
    lead_id = await add_one(api, campaign_id)
    await execute(db, "UPDATE campaign_leads SET status = 'STOPPED', hold_reason = 'REPLIED', due_at = NULL")
    await add(api, campaign_id, "ada@hexly.io")
    assert (await place(db, campaign_id, lead_id))["status"] == "STOPPED"


async def test_leads_keep_the_order_of_the_upload(api: ApiClient, db: Db, campaign_id: int) -> None:
    emails = [f"{name}@hexly.io" for name in ("zoe", "ada", "mia", "bo")]
    await add(api, campaign_id, *emails)
    rows = await fetch_dicts(
        db,
        """
        SELECT leads.email
        FROM campaign_leads
        JOIN leads ON leads.id = lead_id
        WHERE campaign_id = %(id)s
        ORDER BY campaign_leads.id
        """,
        {"id": campaign_id},
    )
    assert [row["email"] for row in rows] == emails


@pytest.mark.parametrize("status", ["DRAFTED", "ACTIVE", "PAUSED", "STOPPED", "COMPLETED", "ARCHIVED"])
async def test_leads_may_be_added_in_every_status_and_only_a_completed_campaign_goes_on(
    api: ApiClient, db: Db, status: str
) -> None:
    campaign_id = await make.campaign(db, api.user_id, status=status)
    with hearing(CampaignStatusChanged, LeadsAdded) as heard:
        await add(api, campaign_id, "ada@hexly.io", "bo@tarn.dev")
    current = await fetch_value(db, "SELECT status FROM campaigns WHERE id = %(id)s", {"id": campaign_id})
    assert current == ("ACTIVE" if status == "COMPLETED" else status)
    changes = [event for event in heard.events if isinstance(event, CampaignStatusChanged)]
    assert len(changes) == (1 if status == "COMPLETED" else 0)
    assert LeadsAdded(api.user_id, campaign_id, 2, NOW) in heard.events


async def test_nothing_added_changes_nothing(api: ApiClient, db: Db) -> None:
    campaign_id = await make.campaign(db, api.user_id, status="COMPLETED")
    with hearing(CampaignStatusChanged, LeadsAdded) as heard:
        answer = await add(api, campaign_id, "nora@@hexly")
    assert (answer["ok"], answer["total_leads"], heard.events) == (True, 0, [])


@pytest.mark.parametrize(
    "lead",
    [
        {
            "email": "ada@hexly.io",
            "firstName": "Ada",
            "lastName": "Quill",
            "companyName": "Hexly",
            "phoneNumber": 461234,
            "linkedinProfile": "in/ada",
            "companyUrl": "hexly.io",
            "customFields": {"Title": "CTO"},
        },
        {
            "email": "ada@hexly.io",
            "first_name": "Ada",
            "last_name": "Quill",
            "company": "Hexly",
            "phone": "461234",
            "linkedin_profile": "in/ada",
            "company_url": "hexly.io",
            "custom_fields": '{"Title": "CTO"}',
        },
        {
            "email": "ada@hexly.io",
            "firstName": "Eve",
            "first_name": "Ada",
            "lastName": "Quill",
            "company": "Other",
            "company_name": "Hexly",
            "phone": "461234",
            "linkedin_profile": "in/ada",
            "company_url": "hexly.io",
            "custom_fields": {"Title": "CTO"},
        },
    ],
)
async def test_other_spellings_of_lead_fields_are_read(
    api: ApiClient, db: Db, campaign_id: int, lead: dict[str, Any]
) -> None:
    answer = await add(api, campaign_id, lead)
    row = await person(db, int(answer["emailToLeadIdMap"]["newlyAddedLeads"]["ada@hexly.io"]))
    names = ("first_name", "last_name", "company_name", "phone_number", "linkedin_profile", "company_url")
    assert [row[name] for name in names] == ["Ada", "Quill", "Hexly", "461234", "in/ada", "hexly.io"]
    assert row["custom_fields"] == {"Title": "CTO"}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("leads/bulk", {"leads": [{"email": "ada@hexly.io"}]}),
        ("leads/", {"leadList": [{"email": "ada@hexly.io"}]}),
        ("leads", {"lead_list": {"email": "ada@hexly.io"}}),
        ("leads", {"lead_list": [{"email": "ada@hexly.io"}], "type": "csv", "allow_duplicate": True}),
        ("leads", {"lead_list": [{"email": "ada@hexly.io"}], "settings": None, "ignore_global_block_list": "true"}),
    ],
)
async def test_other_spellings_of_the_request_are_read(
    api: ApiClient, campaign_id: int, path: str, body: dict[str, Any]
) -> None:
    answer = await api.post(f"/campaigns/{campaign_id}/{path}", json=body)
    assert (answer.status_code, answer.json()["added_count"]) == (200, 1), answer.text


async def test_flags_are_read_beside_the_settings_too_and_the_settings_win(
    api: ApiClient, db: Db, campaign_id: int
) -> None:
    await block(db, api.user_id, "hexly.io")
    lead = {"email": "ada@hexly.io"}
    url = f"/campaigns/{campaign_id}/leads"
    body = {"lead_list": [lead], "ignore_global_block_list": True, "return_lead_ids": True}
    refused = await api.post(url, json={**body, "settings": {"ignore_global_block_list": False}})
    assert refused.json()["block_count"] == 1
    answer = (await api.post(url, json=body)).json()
    assert answer["added_count"] == 1
    assert answer["emailToLeadIdMap"]["newlyAddedLeads"].keys() == {"ada@hexly.io"}


@pytest.mark.parametrize(
    ("body", "message", "key"),
    [
        ({}, '"lead_list" is required', "lead_list"),
        ({"lead_list": []}, '"lead_list" must contain at least 1 items', "lead_list"),
        (
            {"lead_list": [{"email": "a@b.io"}] * 401},
            '"lead_list" must contain less than or equal to 400 items',
            "lead_list",
        ),
        (
            {"lead_list": [{"email": "a@b.io"}, {"email": "b@b.io"}, {"first_name": "Ada"}]},
            '"lead_list[2].email" is required',
            "lead_list.2.email",
        ),
        ({"leads": [{"email": 5}]}, '"lead_list[0].email" must be a string', "lead_list.0.email"),
        ({"lead_list": ["a@b.io"]}, '"lead_list[0]" must be of type object', "lead_list.0"),
        (
            {"lead_list": [{"email": "a@b.io", "first_name": 5}]},
            '"lead_list[0].first_name" must be a string',
            "lead_list.0.first_name",
        ),
        (
            {"lead_list": [{"email": "a@b.io", "title": "CTO", "companyName": {}}]},
            '"lead_list[0].company_name" must be a string',
            "lead_list.0.company_name",
        ),
        (
            {"lead_list": [{"email": "a@b.io", "title": "CTO"}]},
            '"lead_list[0].title" is not allowed',
            "lead_list.0.title",
        ),
        (
            {"lead_list": [{"email": "a@b.io", "custom_fields": [1]}]},
            '"lead_list[0].custom_fields" must be of type object',
            "lead_list.0.custom_fields",
        ),
        (
            {"lead_list": [{"email": "a@b.io", "custom_fields": {"Title": {"a": 1}}}]},
            '"lead_list[0].custom_fields.Title" must be a string',
            "lead_list.0.custom_fields.Title",
        ),
        (
            {"lead_list": [{"email": "a@b.io", "custom_fields": {f"f{i}": 1 for i in range(201)}}]},
            '"lead_list[0].custom_fields" must have less than or equal to 200 keys',
            "lead_list.0.custom_fields",
        ),
        (
            {"lead_list": [{"email": "a@b.io"}], "settings": {"update": True}},
            '"settings.update" is not allowed',
            "settings.update",
        ),
        ({"lead_list": [{"email": "a@b.io"}], "update": True}, '"update" is not allowed', "update"),
        (
            {"lead_list": [{"email": "a@b.io"}], "settings": {"return_lead_ids": "perhaps"}},
            '"settings.return_lead_ids" must be a boolean',
            "settings.return_lead_ids",
        ),
    ],
)
async def test_malformed_requests_are_refused_and_add_nothing(
    api: ApiClient, db: Db, *, campaign_id: int, body: dict[str, Any], message: str, key: str
) -> None:
    answer = await api.post(f"/campaigns/{campaign_id}/leads", json=body)
    assert answer.status_code == 400
    assert answer.json() == {
        "statusCode": 400,
        "error": "Bad Request",
        "message": message,
        "validation": {"source": "body", "keys": [key]},
        "ok": False,
    }
    assert await fetch_value(db, "SELECT count(*) FROM leads") == 0


async def test_400_leads_with_200_custom_fields_are_taken(api: ApiClient, campaign_id: int) -> None:
    leads = [{"email": f"ada{number}@hexly.io"} for number in range(399)]
    wide = {"email": "wide@hexly.io", "custom_fields": {f"field {number}": number for number in range(200)}}
    assert (await add(api, campaign_id, *leads, wide))["added_count"] == 400


async def test_unknown_lead_lists_are_refused(api: ApiClient, campaign_id: int) -> None:
    answer = await api.post(f"/campaigns/{campaign_id}/leads", json={"lead_list_ids": [71]})
    assert (answer.status_code, answer.json()["error"]) == (400, "Lead list not found")


async def test_a_foreign_campaign_is_unknown(
    api: ApiClient, other_api: ApiClient, client_api: ApiClient, campaign_id: int
) -> None:
    for stranger in (other_api, client_api):
        answer = await stranger.post(f"/campaigns/{campaign_id}/leads", json={"lead_list": [{"email": "a@b.io"}]})
        assert (answer.status_code, answer.json()["error"]) == (404, "Campaign not found - Invalid campaign_id.")
    assert (await add(api, campaign_id, "a@b.io"))["added_count"] == 1


async def test_the_key_of_a_client_adds_to_its_own_campaigns(client_api: ApiClient, db: Db) -> None:
    campaign_id = await make.campaign(db, client_api.user_id, client_id=client_api.client_id)
    assert (await add(client_api, campaign_id, "ada@hexly.io"))["added_count"] == 1
