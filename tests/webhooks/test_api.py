"""Webhooks of a campaign over HTTP: every spelling clients use, every error, who may see them."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from outrider.kit.db import Db, execute, fetch_value
from outrider.kit.edge import Edge
from outrider.webhooks.models import EventType
from tests.support import make
from tests.support.client import ApiClient, Rollback
from tests.webhooks import scene

URL = "https://hooks.example.net/sl/7f2c"
WHOLE = {"name": "CRM replies", "webhook_url": URL, "event_types": ["EMAIL_REPLY"], "categories": ["Interested"]}


@pytest.fixture
async def campaign_id(api: ApiClient, db: Db) -> int:
    return await make.campaign(db, api.user_id)


@pytest.fixture
async def path(campaign_id: int) -> str:
    return f"/campaigns/{campaign_id}/webhooks"


async def save(api: ApiClient, path: str, **body: Any) -> dict[str, Any]:
    answer = await api.post(path, json=body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def refused(api: ApiClient, method: str, path: str, status: int = 400, **options: Any) -> dict[str, Any]:
    answer = await api.request(method, path, **options)
    assert answer.status_code == status, answer.text
    body = dict(answer.json())
    assert body["ok"] is False
    assert body["statusCode"] == status
    return body


def not_found(text: str) -> dict[str, Any]:
    return {"error": text, "message": text, "statusCode": 404, "ok": False}


UNKNOWN_CAMPAIGN = not_found("Campaign not found - Invalid campaign_id.")
UNKNOWN_WEBHOOK = not_found("Webhook not found - Invalid webhook id.")


async def test_saving_answers_as_the_contract_shows(api: ApiClient, db: Db, path: str, campaign_id: int) -> None:
    await execute(db, "UPDATE accounts SET webhook_secret = %(secret)s", {"secret": scene.SECRET})
    made = await save(api, path, id=None, **WHOLE)
    time = "2026-03-02T09:00:00.000Z"
    expected = {**scene.example("saved"), "email_campaign_id": campaign_id, "created_at": time, "updated_at": time}
    assert made == {**expected, "id": made["id"], "data": {**expected["data"], "id": made["id"]}}
    assert isinstance(made["id"], int)


async def test_fetching_answers_as_the_contract_shows(api: ApiClient, path: str, campaign_id: int) -> None:
    example = scene.example("fetched")[0]
    events = ["LEAD_CATEGORY_UPDATED", "EMAIL_REPLY", "EMAIL_SENT"]
    made = await save(api, path, **{**WHOLE, "event_types": events, "categories": ["Interested", "Meeting Request"]})
    answer = await api.get(path)
    assert answer.json() == [
        {
            **example,
            "id": made["id"],
            "email_campaign_id": campaign_id,
            "created_at": made["created_at"],
            "updated_at": made["created_at"],
        }
    ]


async def test_a_campaign_without_webhooks_has_an_empty_list(api: ApiClient, path: str) -> None:
    assert (await api.get(path)).json() == []


async def test_the_list_is_oldest_first_and_of_this_level_only(api: ApiClient, db: Db, path: str) -> None:
    first = await save(api, path, **WHOLE)
    second = await save(api, path, **WHOLE)
    await api.post("/webhook/create", json={"webhook_url": URL})
    assert [each["id"] for each in (await api.get(path)).json()] == [first["id"], second["id"]]


CLIENTS = [
    {"id": None, "name": "A", "webhook_url": URL, "event_types": ["EMAIL_REPLY"], "categories": ["Interested"]},
    {"id": None, "name": "A", "webhook_url": URL, "event_types": ["EMAIL_REPLY"]},
    {"webhook_id": "", "webhook_name": "A", "webhook_url": URL, "event_types": ["EMAIL_REPLY"], "secret_key": "hush"},
    {"webhook_id": "", "webhook_name": "A", "webhook_url": URL, "event_types": ["EMAIL_REPLY"], "secret_key": ""},
    {"webhook_url": URL, "events": ["EMAIL_REPLY"], "is_active": True},
    {"webhook_url": URL, "events": ["EMAIL_REPLY"], "active": True},
    {"id": 0, "url": URL, "eventTypes": "EMAIL_REPLY", "enabled": "true"},
    {"id": "0", "webhookUrl": URL, "event_type": "EMAIL_REPLY"},
    {"webhook_url": f" {URL} ", "event_type_map": {"EMAIL_REPLY": True, "EMAIL_SENT": False, "EMAIL_OPEN": 0}},
    {"webhook_url": URL, "event_types": '["EMAIL_REPLY"]', "association_type": "campaign", "email_campaign_id": 7},
]


@pytest.mark.parametrize("body", CLIENTS)
async def test_what_every_known_client_sends_is_taken(api: ApiClient, path: str, body: dict[str, Any]) -> None:
    made = await save(api, path, **body)
    assert (made["webhook_url"], made["event_types"]) == (URL, ["EMAIL_REPLY"])
    assert made["event_type_map"] == {"EMAIL_REPLY": True}
    assert made["is_active"] is True
    has_name = "name" in body or "webhook_name" in body
    assert made["name"] == ("A" if has_name else f"Webhook {made['id']}")
    assert made["secret_key"] == (body.get("secret_key") or made["secret_key"])
    assert (await api.get(path)).headers.get("x-ignored-fields") is None


async def test_all_forms_of_events_are_united_in_the_order_of_the_contract(api: ApiClient, path: str) -> None:
    made = await save(
        api,
        path,
        webhook_url=URL,
        event_types=["LEAD_UNSUBSCRIBED", "email_sent"],
        events="EMAIL_BOUNCE, EMAIL_SENT",
        event_type="EMAIL_OPEN",
        event_type_map={"EMAIL_REPLY": 1},
    )
    assert made["event_types"] == ["EMAIL_SENT", "EMAIL_OPEN", "EMAIL_REPLY", "EMAIL_BOUNCE", "LEAD_UNSUBSCRIBED"]


@pytest.mark.parametrize("name", list(EventType))
async def test_every_event_can_be_subscribed(api: ApiClient, path: str, name: str) -> None:
    assert (await save(api, path, webhook_url=URL, event_types=[name]))["event_types"] == [name]


ALIASES = {
    "EMAIL_OPEN": ["EMAIL_OPENED", "OPENED", "LEAD_OPENED", "LEAD_OPEN", "email_opened"],
    "EMAIL_LINK_CLICK": ["EMAIL_CLICKED", "CLICKED", "LEAD_CLICKED", "LEAD_CLICK", "LINK_CLICKED"],
    "EMAIL_REPLY": ["EMAIL_REPLIED", "REPLIED", "LEAD_REPLIED"],
    "EMAIL_BOUNCE": ["EMAIL_BOUNCED", "BOUNCED", "LEAD_BOUNCED"],
    "EMAIL_SENT": ["SENT"],
    "LEAD_UNSUBSCRIBED": ["EMAIL_UNSUBSCRIBED", "UNSUBSCRIBED", "LEAD_UNSUBSCRIBE"],
    "CAMPAIGN_STATUS_CHANGED": ["CAMPAIGN_STATUS_CHANGE"],
    "UNTRACKED_REPLIES": ["UNTRACKED_REPLY"],
}


@pytest.mark.parametrize(("name", "alias"), [(name, alias) for name, aliases in ALIASES.items() for alias in aliases])
async def test_aliases_are_taken_and_never_given(api: ApiClient, path: str, name: str, alias: str) -> None:
    assert (await save(api, path, webhook_url=URL, event_types=[alias]))["event_types"] == [name]


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ({"categories": ["interested", "MEETING REQUEST"]}, ["Interested", "Meeting Request"]),
        ({"categories": [2, "1"]}, ["Meeting Request", "Interested"]),
        ({"category_ids": [1]}, ["Interested"]),
        ({"category_id": 1}, ["Interested"]),
        ({"category_id": "1"}, ["Interested"]),
        ({"category_id_map": {"1": True, "2": False}}, ["Interested"]),
        ({"categories": "Interested", "category_ids": [1, 3]}, ["Interested", "Not Interested"]),
        ({"categories": []}, []),
        ({"categories": None}, []),
        ({}, []),
    ],
)
async def test_categories_by_name_or_id(api: ApiClient, path: str, body: dict[str, Any], names: list[str]) -> None:
    made = await save(api, path, webhook_url=URL, event_types=["EMAIL_REPLY"], **body)
    assert made["categories"] == names
    assert len(made["category_id_map"]) == len(names)


async def test_a_category_of_the_account_is_taken_and_of_another_is_not(
    api: ApiClient, other_api: ApiClient, db: Db, path: str, now: datetime
) -> None:
    for client, name in ((api, "Later"), (other_api, "Foreign")):
        await scene.insert(db, "categories", user_id=client.user_id, name=name, created_at=now)
    body = {"webhook_url": URL, "event_types": ["EMAIL_REPLY"]}
    assert (await save(api, path, **body, categories=["later"]))["categories"] == ["Later"]
    answer = await refused(api, "POST", path, json={**body, "categories": ["Foreign"]})
    assert answer["error"] == answer["message"] == "Invalid category - Foreign"


VALIDATION = [
    ({"event_types": ["EMAIL_REPLY"]}, '"webhook_url" is required', "webhook_url"),
    ({"webhook_url": None, "event_types": ["EMAIL_REPLY"]}, '"webhook_url" is required', "webhook_url"),
    ({"webhook_url": "", "event_types": ["SENT"]}, '"webhook_url" is not allowed to be empty', "webhook_url"),
    ({"webhook_url": 7, "event_types": ["SENT"]}, '"webhook_url" must be a string', "webhook_url"),
    (
        {"webhook_url": "https://a.example/" + "x" * 2048, "event_types": ["SENT"]},
        '"webhook_url" length must be less than or equal to 2048 characters long',
        "webhook_url",
    ),
    ({"webhook_url": URL}, '"event_types" does not contain 1 required value(s)', "event_types"),
    ({"webhook_url": URL, "event_types": []}, '"event_types" does not contain 1 required value(s)', "event_types"),
    ({"webhook_url": URL, "event_types": ""}, '"event_types" does not contain 1 required value(s)', "event_types"),
    (
        {"webhook_url": URL, "event_type_map": {"EMAIL_SENT": False}},
        '"event_types" does not contain 1 required value(s)',
        "event_types",
    ),
    ({"webhook_url": URL, "event_types": [7]}, '"event_types[0]" must be a string', "event_types.0"),
    ({"webhook_url": URL, "event_types": 7}, '"event_types" must be an array', "event_types"),
    ({"webhook_url": URL, "id": "x"}, '"id" must be a number', "id"),
    (
        {"webhook_url": URL, "name": "x" * 256},
        '"name" length must be less than or equal to 255 characters long',
        "name",
    ),
    (
        {"webhook_url": URL, "secret_key": "x" * 256},
        '"secret_key" length must be less than or equal to 255 characters long',
        "secret_key",
    ),
    ({"webhook_url": URL, "is_active": "maybe"}, '"is_active" must be a boolean', "is_active"),
]


@pytest.mark.parametrize(("body", "message", "key"), VALIDATION)
async def test_validation_in_the_words_of_the_original(
    api: ApiClient, path: str, body: dict[str, Any], message: str, key: str
) -> None:
    assert await refused(api, "POST", path, json=body) == {
        "statusCode": 400,
        "error": "Bad Request",
        "message": message,
        "validation": {"source": "body", "keys": [key]},
        "ok": False,
    }
    assert (await api.get(path)).json() == []


@pytest.mark.parametrize(
    "url",
    ["ftp://a.example/", "a.example", "http://", "https:///x", "javascript:alert(1)", "http://a b/", "http://a:b/"],
)
async def test_an_address_that_cannot_be_used_is_refused(api: ApiClient, path: str, url: str) -> None:
    answer = await refused(api, "POST", path, json={**WHOLE, "webhook_url": url})
    assert answer["error"] == answer["message"] == f"Invalid webhook_url - {url}"


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/x", "https://me:pass@a.example:8443/x?y=z#w", "http://[::1]/"])
async def test_other_addresses_are_kept_as_they_are(api: ApiClient, path: str, url: str) -> None:
    assert (await save(api, path, **{**WHOLE, "webhook_url": url}))["webhook_url"] == url


async def test_one_bad_event_refuses_all(api: ApiClient, path: str) -> None:
    answer = await refused(api, "POST", path, json={**WHOLE, "event_types": ["EMAIL_SENT", "NOPE", "NO"]})
    assert answer["error"] == answer["message"] == "Invalid event_types - NOPE"
    assert (await api.get(path)).json() == []


async def test_an_update_changes_what_is_given(
    api: ApiClient, db: Db, path: str, make_app: Callable[..., Edge], connect: Any
) -> None:
    made = await save(api, path, **WHOLE, secret_key="hush")
    await execute(db, "UPDATE webhooks SET created_at = '2026-01-01Z', updated_at = '2026-01-01Z'")
    changed = await save(api, path, id=str(made["id"]), name="New")
    same = ("webhook_url", "event_types", "categories", "secret_key", "is_active", "email_campaign_id")
    assert [changed[key] for key in same] == [made[key] for key in same]
    assert changed["name"] == "New"
    assert changed["created_at"] == "2026-01-01T00:00:00.000Z"
    assert changed["updated_at"] == made["updated_at"]
    assert changed["message"] == "Webhook saved successfully"


async def test_an_update_replaces_events_and_may_clear_the_filter(api: ApiClient, path: str) -> None:
    made = await save(api, path, **WHOLE)
    changed = await save(
        api,
        path,
        webhook_id=made["id"],
        event_types=["EMAIL_SENT"],
        categories=[],
        is_active=False,
        webhook_url="https://new.example/",
        secret_key="new",
    )
    assert (changed["event_types"], changed["categories"], changed["category_id_map"]) == (["EMAIL_SENT"], [], {})
    assert (changed["is_active"], changed["webhook_url"], changed["secret_key"]) == (
        False,
        "https://new.example/",
        "new",
    )


async def test_an_update_with_no_event_is_refused(api: ApiClient, path: str) -> None:
    made = await save(api, path, **WHOLE)
    answer = await refused(api, "POST", path, json={"id": made["id"], "event_types": []})
    assert answer["message"] == '"event_types" does not contain 1 required value(s)'


async def test_only_a_webhook_of_this_campaign_is_updated(
    api: ApiClient, other_api: ApiClient, db: Db, path: str
) -> None:
    sister = f"/campaigns/{await make.campaign(db, api.user_id)}/webhooks"
    made = await save(api, sister, **WHOLE)
    foreign = f"/campaigns/{await make.campaign(db, other_api.user_id)}/webhooks"
    foreign_made = await save(other_api, foreign, **WHOLE)
    of_account = (await api.post("/webhook/create", json={"webhook_url": URL})).json()
    for webhook_id in (made["id"], foreign_made["id"], of_account["id"], 99):
        assert await refused(api, "POST", path, 404, json={"id": webhook_id, "name": "New"}) == UNKNOWN_WEBHOOK
    assert (await api.get(sister)).json()[0]["name"] == "CRM replies"


@pytest.mark.parametrize(
    ("method", "body"),
    [("GET", None), ("POST", WHOLE), ("POST", {"id": 1, "name": "x"}), ("DELETE", {"id": 1})],
)
async def test_unknown_and_foreign_campaigns_are_not_found(
    api: ApiClient, other_api: ApiClient, db: Db, method: str, body: dict[str, Any] | None
) -> None:
    foreign = await make.campaign(db, other_api.user_id)
    for campaign_id in (foreign, 99):
        path = f"/campaigns/{campaign_id}/webhooks"
        assert await refused(api, method, path, 404, json=body) == UNKNOWN_CAMPAIGN


async def test_a_malformed_campaign_id(api: ApiClient) -> None:
    answer = await refused(api, "GET", "/campaigns/abc/webhooks")
    assert answer["message"] == '"campaign_id" must be a number'
    assert answer["validation"] == {"source": "params", "keys": ["campaign_id"]}


async def test_both_slash_forms_answer(api: ApiClient, path: str) -> None:
    assert (await api.get(f"{path}/")).status_code == 200


DELETED = {"ok": True, "success": True, "message": "Webhook deleted successfully"}


@pytest.mark.parametrize(
    ("suffix", "body"),
    [
        ("", {"id": "{id}"}),
        ("", {"webhook_id": "{id}"}),
        ("/{id}", None),
        ("?id={id}", None),
        ("?webhook_id={id}", None),
        ("?webhookId={id}", None),
    ],
)
async def test_deleting_takes_the_id_wherever_it_stands(
    api: ApiClient, path: str, suffix: str, body: dict[str, str] | None
) -> None:
    made = await save(api, path, **WHOLE)
    kept = await save(api, path, **WHOLE)
    address = path + suffix.replace("{id}", str(made["id"]))
    given = dict.fromkeys(body, made["id"]) if body else None
    answer = await api.delete(address, json=given)
    assert (answer.status_code, answer.json()) == (200, DELETED)
    assert [each["id"] for each in (await api.get(path)).json()] == [kept["id"]]
    assert await refused(api, "DELETE", address, 404, json=given) == UNKNOWN_WEBHOOK


@pytest.mark.parametrize("body", [None, {}, {"id": None}, {"id": 0}, {"id": ""}])
async def test_deleting_without_an_id_deletes_nothing(api: ApiClient, path: str, body: Any) -> None:
    await save(api, path, **WHOLE)
    answer = await refused(api, "DELETE", path, json=body)
    assert (answer["message"], answer["error"]) == ('"id" is required', "Bad Request")
    assert len((await api.get(path)).json()) == 1


async def test_only_a_webhook_of_this_campaign_is_deleted(
    api: ApiClient, other_api: ApiClient, db: Db, path: str
) -> None:
    sister = f"/campaigns/{await make.campaign(db, api.user_id)}/webhooks"
    made = await save(api, sister, **WHOLE)
    foreign = f"/campaigns/{await make.campaign(db, other_api.user_id)}/webhooks"
    foreign_made = await save(other_api, foreign, **WHOLE)
    for webhook_id in (made["id"], foreign_made["id"]):
        assert await refused(api, "DELETE", path, 404, json={"id": webhook_id}) == UNKNOWN_WEBHOOK
        assert await refused(api, "DELETE", f"{path}/{webhook_id}", 404) == UNKNOWN_WEBHOOK
    assert len((await api.get(sister)).json()) == len((await other_api.get(foreign)).json()) == 1


async def test_webhooks_go_with_their_campaign(api: ApiClient, db: Db, path: str, campaign_id: int) -> None:
    await save(api, path, **WHOLE)
    assert (await api.delete(f"/campaigns/{campaign_id}")).status_code == 200
    assert await fetch_value(db, "SELECT count(*) FROM webhooks") == 0


async def test_the_key_of_a_client_sees_its_own_campaigns_only(
    api: ApiClient, client_api: ApiClient, db: Db, path: str
) -> None:
    own = f"/campaigns/{await make.campaign(db, api.user_id, client_id=client_api.client_id)}/webhooks"
    made = await save(client_api, own, **WHOLE)
    assert made["client_id"] == client_api.client_id
    assert await refused(client_api, "GET", path, 404) == UNKNOWN_CAMPAIGN
    assert await refused(client_api, "POST", path, 404, json=WHOLE) == UNKNOWN_CAMPAIGN
    assert (await client_api.delete(own, json={"id": made["id"]})).json() == DELETED


@pytest.fixture
async def strict_api(make_app: Callable[..., Edge], db: Db, api: ApiClient, connect: Any) -> ApiClient:
    """The same account on a server that refuses what the original refuses."""
    client: ApiClient = await connect(make_app(Rollback(db), strict_compat=True), db, user_id=api.user_id)
    return client


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"categories": []}, '"categories" does not contain 1 required value(s)'),
        ({"categories": None}, '"categories" is required'),
        ({"event_types": ["EMAIL_OPENED"]}, "Invalid event_types - EMAIL_OPENED"),
        ({"unknown": 1}, '"unknown" is not allowed'),
    ],
)
async def test_strictness_refuses_what_the_original_refuses(
    strict_api: ApiClient, path: str, change: dict[str, Any], message: str
) -> None:
    answer = await refused(strict_api, "POST", path, json={**WHOLE, **change})
    assert answer["message"] == message
    assert (await strict_api.post(path, json=WHOLE)).status_code == 200


async def test_unknown_fields_are_ignored_and_named(api: ApiClient, path: str) -> None:
    answer = await api.post(path, json={**WHOLE, "colour": "blue"})
    assert answer.headers["x-ignored-fields"] == "colour"
