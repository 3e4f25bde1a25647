"""General settings over HTTP: every field, every spelling, every refusal."""

from datetime import datetime
from typing import Any

import pytest

from outrider.kit.db import Db, execute, fetch_value
from tests.support import make
from tests.support.client import ApiClient


@pytest.fixture
async def campaign_id(api: ApiClient, db: Db) -> int:
    return await make.campaign(db, api.user_id)


async def save(api: ApiClient, campaign_id: int, **body: Any) -> None:
    answer = await api.post(f"/campaigns/{campaign_id}/settings", json=body)
    assert (answer.status_code, answer.json()) == (200, {"ok": True}), answer.text


async def read(api: ApiClient, campaign_id: int) -> dict[str, Any]:
    return dict((await api.get(f"/campaigns/{campaign_id}/settings")).json())


async def refusal(api: ApiClient, campaign_id: int, **body: Any) -> str:
    before = await read(api, campaign_id)
    answer = await api.post(f"/campaigns/{campaign_id}/settings", json=body)
    assert answer.status_code == 400
    assert await read(api, campaign_id) == before
    return str(answer.json()["message"])


async def test_every_setting_reads_back(api: ApiClient, client_api: ApiClient, campaign_id: int) -> None:
    settings = {
        "name": "Renamed",
        "track_settings": ["DONT_TRACK_EMAIL_OPEN"],
        "stop_lead_settings": "CLICK_ON_A_LINK",
        "unsubscribe_text": "",
        "send_as_plain_text": True,
        "force_plain_text": True,
        "follow_up_percentage": 40,
        "client_id": client_api.client_id,
        "enable_ai_esp_matching": True,
        "auto_pause_domain_leads_on_reply": True,
        "ignore_ss_mailbox_sending_limit": True,
        "bounce_autopause_threshold": "5",
        "domain_level_rate_limit": True,
        "esp_matching_strict": True,
        "count_only_sending_days": True,
        "use_lead_timezone": True,
        "add_unsubscribe_tag": True,
        "out_of_office_detection_settings": {
            "ignoreOOOasReply": True,
            "autoReactivateOOO": True,
            "reactivateOOOwithDelay": "3",
            "autoCategorizeOOO": False,
        },
        "ai_categorisation_options": [1, 3, 6],
        "on_missing_variable": "hold",
    }
    await save(api, campaign_id, **settings)
    assert await read(api, campaign_id) == settings | {
        "id": campaign_id,
        "status": "DRAFTED",
        "track_settings": ["DONT_EMAIL_OPEN"],
        "out_of_office_detection_settings": settings["out_of_office_detection_settings"]  # type: ignore[operator]
        | {"reactivateOOOwithDelay": 3},
    }


async def test_an_empty_body_changes_nothing(api: ApiClient, campaign_id: int, db: Db) -> None:
    await execute(db, "UPDATE campaigns SET updated_at = '2020-01-01Z'")
    before = (await api.get(f"/campaigns/{campaign_id}")).json()
    await save(api, campaign_id)
    answer = await api.post(f"/campaigns/{campaign_id}/settings")
    assert answer.json() == {"ok": True}
    assert (await api.get(f"/campaigns/{campaign_id}")).json() == before


async def test_a_change_is_dated(api: ApiClient, campaign_id: int, db: Db, now: datetime) -> None:
    await execute(db, "UPDATE campaigns SET updated_at = '2020-01-01Z'")
    await save(api, campaign_id, name="Other")
    updated_at = await fetch_value(db, "SELECT updated_at FROM campaigns WHERE id = %(id)s", {"id": campaign_id})
    assert updated_at.replace(microsecond=0) == now


@pytest.mark.parametrize("path", ["/settings", ""])
async def test_methods_and_paths(api: ApiClient, campaign_id: int, path: str) -> None:
    for method in ("PUT",) if path == "" else ("POST", "PATCH", "PUT"):
        name = f"By {method}"
        await api.request(method, f"/campaigns/{campaign_id}{path}", json={"name": name})
        assert (await read(api, campaign_id))["name"] == name


async def test_a_post_on_the_campaign_without_schedule_keys_means_settings(api: ApiClient, campaign_id: int) -> None:
    answer = await api.post(f"/campaigns/{campaign_id}", json={"name": "By POST", "follow_up_percentage": "30"})
    assert answer.json() == {"ok": True}
    settings = await read(api, campaign_id)
    assert (settings["name"], settings["follow_up_percentage"]) == ("By POST", 30)
    assert (await api.post(f"/campaigns/{campaign_id}", json={})).json() == {"ok": True}


@pytest.mark.parametrize("name", ["", "   ", None])
async def test_an_empty_name_leaves_the_name(api: ApiClient, campaign_id: int, name: str | None) -> None:
    await save(api, campaign_id, name=name)
    assert (await read(api, campaign_id))["name"] == "Harbour CFO outreach"


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ([], []),
        (
            ["DONT_TRACK_EMAIL_OPEN", "DONT_TRACK_LINK_CLICK", "DONT_TRACK_REPLY_TO_AN_EMAIL"],
            ["DONT_EMAIL_OPEN", "DONT_LINK_CLICK", "DONT_REPLY_TO_AN_EMAIL"],
        ),
        (["DONT_LINK_CLICK", "DONT_TRACK_LINK_CLICK"], ["DONT_LINK_CLICK"]),
        (["TRACK_EMAIL_OPEN", "DONT_LINK_CLICK"], ["DONT_LINK_CLICK"]),
        ("DONT_TRACK_EMAIL_OPEN", ["DONT_EMAIL_OPEN"]),
        ('["DONT_TRACK_EMAIL_OPEN"]', ["DONT_EMAIL_OPEN"]),
        ({"track_open": False, "track_click": True}, ["DONT_EMAIL_OPEN"]),
        ({"trackOpen": "false", "trackClick": 0}, ["DONT_EMAIL_OPEN", "DONT_LINK_CLICK"]),
    ],
)
async def test_forms_of_track_settings(api: ApiClient, campaign_id: int, given: Any, stored: list[str]) -> None:
    await save(api, campaign_id, track_settings=["DONT_TRACK_REPLY_TO_AN_EMAIL"])
    await save(api, campaign_id, track_settings=None)
    assert (await read(api, campaign_id))["track_settings"] == ["DONT_REPLY_TO_AN_EMAIL"]
    await save(api, campaign_id, track_settings=given)
    assert (await read(api, campaign_id))["track_settings"] == stored


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("REPLY_TO_AN_EMAIL", "REPLY_TO_AN_EMAIL"),
        ("OPENED_EMAIL", "OPEN_AN_EMAIL"),
        ("CLICKED_LINK", "CLICK_ON_A_LINK"),
        ("CLICK_ON_LINK", "CLICK_ON_A_LINK"),
        ("NEVER", "NEVER"),
        (["OPEN_AN_EMAIL", "NEVER"], "OPEN_AN_EMAIL"),
        ({"stop_on_reply": True, "stop_on_click": True}, "CLICK_ON_A_LINK"),
        ({"stop_on_reply": True, "stop_on_click": False, "stop_on_open": "true"}, "OPEN_AN_EMAIL"),
        ({"stop_on_reply": True}, "REPLY_TO_AN_EMAIL"),
        ({"stop_on_reply": False}, "NEVER"),
    ],
)
async def test_forms_of_stop_lead_settings(api: ApiClient, campaign_id: int, given: Any, stored: str) -> None:
    await save(api, campaign_id, stop_lead_settings=given)
    assert (await read(api, campaign_id))["stop_lead_settings"] == stored


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"track_settings": ["DONT_BLINK"]}, "Invalid track_settings value - DONT_BLINK"),
        ({"track_settings": [7]}, "Invalid track_settings value - 7"),
        ({"track_settings": {"track_open": "perhaps"}}, 'Invalid track_settings value - {"track_open":"perhaps"}'),
        ({"stop_lead_settings": "SOMETIMES"}, "Invalid stop_lead_settings value - SOMETIMES"),
        ({"stop_lead_settings": []}, "Invalid stop_lead_settings value - null"),
        ({"follow_up_percentage": 101}, '"follow_up_percentage" must be less than or equal to 100'),
        ({"follow_up_percentage": -1}, '"follow_up_percentage" must be larger than or equal to 0'),
        ({"follow_up_percentage": "many"}, '"follow_up_percentage" must be a number'),
        ({"send_as_plain_text": "perhaps"}, '"send_as_plain_text" must be a boolean'),
        ({"bounce_autopause_threshold": "many"}, '"bounce_autopause_threshold" must be a number'),
        ({"bounce_autopause_threshold": "NaN"}, '"bounce_autopause_threshold" must be a number'),
        ({"bounce_autopause_threshold": 101}, '"bounce_autopause_threshold" must be less than or equal to 100'),
        ({"bounce_autopause_threshold": "-1"}, '"bounce_autopause_threshold" must be larger than or equal to 0'),
        ({"ai_categorisation_options": [1, 77]}, "Invalid ai_categorisation_options value - 77"),
        ({"on_missing_variable": "guess"}, '"on_missing_variable" must be one of [blank, hold, skip_step]'),
        ({"client_id": 424242}, "Client not found - Invalid client_id."),
        (
            {"out_of_office_detection_settings": {"autoReactivateOOO": True, "autoCategorizeOOO": True}},
            "autoReactivateOOO and autoCategorizeOOO cannot both be true",
        ),
        (
            {"out_of_office_detection_settings": 5},
            '"out_of_office_detection_settings" must be of type object',
        ),
        (
            {"out_of_office_detection_settings": {"ignoreOOOasReply": "perhaps"}},
            '"out_of_office_detection_settings.ignoreOOOasReply" must be a boolean',
        ),
    ],
)
async def test_nothing_is_saved_when_a_field_is_wrong(
    api: ApiClient, campaign_id: int, body: dict[str, Any], message: str
) -> None:
    assert await refusal(api, campaign_id, name="Never", **body) == message


async def test_out_of_office_settings_are_merged_key_by_key(api: ApiClient, campaign_id: int) -> None:
    await save(api, campaign_id, out_of_office_detection_settings={"autoReactivateOOO": True, "enabled": True})
    await save(api, campaign_id, reactivateOOOwithDelay="5", ignoreOOOasReply="true")
    assert (await read(api, campaign_id))["out_of_office_detection_settings"] == {
        "ignoreOOOasReply": True,
        "autoReactivateOOO": True,
        "reactivateOOOwithDelay": 5,
        "autoCategorizeOOO": False,
    }
    message = await refusal(api, campaign_id, autoCategorizeOOO=True)
    assert message == "autoReactivateOOO and autoCategorizeOOO cannot both be true"
    await save(api, campaign_id, reactivateOOOwithDelay=None)
    assert (await read(api, campaign_id))["out_of_office_detection_settings"]["reactivateOOOwithDelay"] is None


@pytest.mark.parametrize(
    ("given", "stored"), [("5", "5"), (5, "5"), (2.5, "2.5"), ("0", "0"), (100, "100"), (None, None)]
)
async def test_the_bounce_threshold_is_a_string(
    api: ApiClient, campaign_id: int, given: Any, stored: str | None
) -> None:
    await save(api, campaign_id, bounce_autopause_threshold="3")
    await save(api, campaign_id, bounce_autopause_threshold=given)
    assert (await read(api, campaign_id))["bounce_autopause_threshold"] == stored


async def test_categories_by_name_and_by_own_id(
    api: ApiClient, campaign_id: int, db: Db, now: datetime, other_api: ApiClient
) -> None:
    async def category(user_id: int) -> int:
        return int(
            await fetch_value(
                db,
                """
                INSERT INTO categories (user_id, name, created_at)
                VALUES (%(user_id)s, 'Later', %(now)s)
                RETURNING id
                """,
                {"user_id": user_id, "now": now},
            )
        )

    own, foreign = await category(api.user_id), await category(other_api.user_id)
    await save(api, campaign_id, ai_categorization_options=["interested", "Later", 1, str(own)])
    assert (await read(api, campaign_id))["ai_categorisation_options"] == [1, own]
    assert await refusal(api, campaign_id, ai_categorisation_options=[foreign]) == (
        f"Invalid ai_categorisation_options value - {foreign}"
    )
    await save(api, campaign_id, ai_categorisation_options=[])
    assert (await read(api, campaign_id))["ai_categorisation_options"] == []


async def test_null_detaches_the_client_and_removes_the_footer(
    api: ApiClient, client_api: ApiClient, campaign_id: int
) -> None:
    await save(api, campaign_id, client_id=client_api.client_id, unsubscribe_text="Stop", send_as_plain_text=True)
    await save(api, campaign_id, client_id=None, unsubscribe_text=None, send_as_plain_text=None)
    settings = await read(api, campaign_id)
    assert (settings["client_id"], settings["unsubscribe_text"]) == (None, None)
    assert settings["send_as_plain_text"] is True


async def test_the_key_of_a_client_cannot_give_its_campaign_away(client_api: ApiClient, db: Db) -> None:
    campaign_id = await make.campaign(db, client_api.user_id, client_id=client_api.client_id)
    answer = await client_api.post(f"/campaigns/{campaign_id}/settings", json={"client_id": None})
    assert (answer.status_code, answer.json()["message"]) == (403, "Permission denied")


async def test_nested_and_camel_case_bodies(api: ApiClient, campaign_id: int) -> None:
    body = {
        "campaign_id": campaign_id,
        "name": "Nested",
        "status": "ACTIVE",
        "settings": {"trackSettings": ["DONT_TRACK_LINK_CLICK"], "followUpPercentage": "25", "ai_esp_matching": "TRUE"},
    }
    answer = await api.post(f"/campaigns/{campaign_id}/settings", json=body)
    assert answer.json() == {"ok": True}
    assert "x-ignored-fields" not in answer.headers
    settings = await read(api, campaign_id)
    assert settings["name"] == "Nested"
    assert settings["status"] == "DRAFTED"
    assert settings["track_settings"] == ["DONT_LINK_CLICK"]
    assert settings["follow_up_percentage"] == 25
    assert settings["enable_ai_esp_matching"] is True
