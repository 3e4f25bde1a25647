"""Webhooks above campaign level over HTTP: create, get, update, delete, list, test."""

from typing import Any

import pytest

from outrider.kit.db import Db, execute, fetch_value
from outrider.webhooks.models import EventType
from tests.support import make
from tests.support.client import ApiClient, fresh_client
from tests.support.receiver import Receiver, Reply
from tests.webhooks.test_api import DELETED, UNKNOWN_CAMPAIGN, UNKNOWN_WEBHOOK, URL, refused, save

CREATE = "/webhook/create"
BY_DEFAULT = [
    event_type
    for event_type in EventType
    if event_type not in {"FIRST_EMAIL_SENT", "EMAIL_ACCOUNT_DISCONNECTED", "LINKEDIN_DISCONNECTED"}
]


async def test_creating_answers_with_the_whole_object(api: ApiClient) -> None:
    made = await save(api, CREATE, webhook_url=URL, event_types=["EMAIL_SENT"], name="All")
    assert (made["ok"], made["success"], made["message"]) == (True, True, "Webhook created successfully")
    assert (made["association_type"], made["email_campaign_id"], made["client_id"]) == ("user", None, None)
    assert (made["name"], made["event_types"], made["is_active"]) == ("All", ["EMAIL_SENT"], True)
    assert made["data"] == {"id": made["id"], "name": "All", "webhook_url": URL, "event_types": ["EMAIL_SENT"]}


async def test_the_plural_path_creates_too(api: ApiClient) -> None:
    assert (await save(api, "/webhooks", webhook_url=URL))["id"]


async def test_without_events_it_listens_to_almost_all(api: ApiClient) -> None:
    assert (await save(api, CREATE, webhook_url=URL))["event_types"] == BY_DEFAULT


@pytest.mark.parametrize("level", ["user", "USER", 1, "1"])
async def test_spellings_of_the_level(api: ApiClient, level: Any) -> None:
    assert (await save(api, CREATE, webhook_url=URL, association_type=level))["association_type"] == "user"


@pytest.mark.parametrize("level", ["campaign", 3, "Campaign", None])
async def test_a_webhook_of_a_campaign(api: ApiClient, db: Db, level: Any) -> None:
    campaign_id = await make.campaign(db, api.user_id)
    made = await save(api, CREATE, webhook_url=URL, association_type=level, campaign_id=str(campaign_id))
    assert (made["association_type"], made["email_campaign_id"]) == ("campaign", campaign_id)
    assert [each["id"] for each in (await api.get(f"/campaigns/{campaign_id}/webhooks")).json()] == [made["id"]]


@pytest.mark.parametrize("level", ["client", 2, None])
async def test_a_webhook_of_a_client(api: ApiClient, client_api: ApiClient, level: Any) -> None:
    made = await save(api, CREATE, webhook_url=URL, association_type=level, client_id=client_api.client_id)
    assert (made["association_type"], made["client_id"]) == ("client", client_api.client_id)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, '"webhook_url" is required'),
        (
            {"webhook_url": URL, "association_type": "team"},
            '"association_type" must be one of [user, client, campaign]',
        ),
        ({"webhook_url": URL, "association_type": 4}, '"association_type" must be one of [user, client, campaign]'),
        ({"webhook_url": URL, "association_type": "campaign"}, '"email_campaign_id" is required'),
        ({"webhook_url": URL, "association_type": "client"}, '"client_id" is required'),
        ({"webhook_url": URL, "event_types": []}, '"event_types" does not contain 1 required value(s)'),
        ({"webhook_url": URL, "event_types": ["NOPE"]}, "Invalid event_types - NOPE"),
        ({"webhook_url": "nope"}, "Invalid webhook_url - nope"),
        ({"webhook_url": URL, "categories": ["Nope"]}, "Invalid category - Nope"),
        ({"webhook_url": URL, "client_id": 99}, "Client not found - Invalid client_id."),
    ],
)
async def test_what_cannot_be_created(api: ApiClient, body: dict[str, Any], message: str) -> None:
    assert (await refused(api, "POST", CREATE, json=body))["message"] == message
    assert (await api.get("/webhooks")).json() == []


async def test_unknown_and_foreign_targets(api: ApiClient, other_api: ApiClient, db: Db, now: Any) -> None:
    foreign = await make.campaign(db, other_api.user_id)
    for campaign_id in (foreign, 99):
        body = {"webhook_url": URL, "email_campaign_id": campaign_id}
        assert await refused(api, "POST", CREATE, 404, json=body) == UNKNOWN_CAMPAIGN
    body = {"webhook_url": URL, "client_id": await fresh_client(db, other_api.user_id, now)}
    assert (await refused(api, "POST", CREATE, json=body))["message"] == "Client not found - Invalid client_id."


async def test_the_same_address_twice_needs_force(api: ApiClient, db: Db) -> None:
    made = await save(api, CREATE, webhook_url=URL)
    answer = await refused(api, "POST", CREATE, json={"webhook_url": URL})
    assert (answer["message"], answer["id"]) == ("Webhook already exists for this url", made["id"])
    assert (await save(api, CREATE, webhook_url=URL, force_create=True))["id"] != made["id"]
    campaign_id = await make.campaign(db, api.user_id)
    assert (await save(api, CREATE, webhook_url=URL, campaign_id=campaign_id))["id"]


@pytest.mark.parametrize("change", ["is_active = false", "deleted_at = now()"])
async def test_an_address_that_is_not_in_use_is_free(api: ApiClient, db: Db, change: str) -> None:
    await save(api, CREATE, webhook_url=URL)
    await execute(db, f"UPDATE webhooks SET {change}")  # type: ignore[arg-type]  # noqa: S608
    assert (await save(api, CREATE, webhook_url=URL))["id"]


async def test_the_type_is_kept_and_does_nothing(api: ApiClient, db: Db) -> None:
    await save(api, CREATE, webhook_url=URL, webhook_type="zapier")
    assert await fetch_value(db, "SELECT webhook_type FROM webhooks") == "zapier"


async def test_the_key_of_a_client_creates_for_itself(api: ApiClient, client_api: ApiClient, db: Db) -> None:
    made = await save(client_api, CREATE, webhook_url=URL)
    assert (made["association_type"], made["client_id"]) == ("client", client_api.client_id)
    own = await make.campaign(db, api.user_id, client_id=client_api.client_id)
    assert (await save(client_api, CREATE, webhook_url=URL, campaign_id=own))["email_campaign_id"] == own
    answer = await refused(client_api, "POST", CREATE, 403, json={"webhook_url": URL, "association_type": "user"})
    assert answer["message"] == "Permission denied"
    foreign = await make.campaign(db, api.user_id)
    body = {"webhook_url": URL, "campaign_id": foreign}
    assert await refused(client_api, "POST", CREATE, 404, json=body) == UNKNOWN_CAMPAIGN


async def test_the_key_of_a_client_cannot_create_for_a_sister(client_api: ApiClient, db: Db, now: Any) -> None:
    sister = await fresh_client(db, client_api.user_id, now)
    answer = await refused(client_api, "POST", CREATE, json={"webhook_url": URL, "client_id": sister})
    assert answer["message"] == "Client not found - Invalid client_id."


@pytest.mark.parametrize("path", ["/webhook/{id}", "/webhooks/{id}"])
async def test_getting_one_shows_it_twice(api: ApiClient, path: str) -> None:
    made = await save(api, CREATE, webhook_url=URL)
    found = (await api.get(path.format(id=made["id"]))).json()
    data = found.pop("data")
    assert found.pop("ok") is True
    assert found == data
    assert found["secret_key"] == made["secret_key"]
    assert found.keys() == made.keys() - {"ok", "success", "message", "data"}


async def test_an_id_that_is_no_number(api: ApiClient) -> None:
    answer = await refused(api, "GET", "/webhook/list")
    assert answer["message"] == '"webhook_id" must be a number'


OPERATIONS = [
    ("GET", "/webhook/{id}", None),
    ("PUT", "/webhook/update/{id}", {"name": "x"}),
    ("DELETE", "/webhook/delete/{id}", None),
    ("DELETE", "/webhook/delete?id={id}", None),
    ("POST", "/webhook/{id}/test", {}),
]


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_unknown_and_foreign_webhooks_are_not_found(
    api: ApiClient, other_api: ApiClient, client_api: ApiClient, operation: tuple[str, str, Any]
) -> None:
    method, path, body = operation
    foreign = (await save(other_api, CREATE, webhook_url=URL))["id"]
    of_account = (await save(api, CREATE, webhook_url=URL))["id"]
    for client, webhook_id in ((api, foreign), (api, 99), (client_api, of_account)):
        assert await refused(client, method, path.format(id=webhook_id), 404, json=body) == UNKNOWN_WEBHOOK


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/webhook/update/{id}"),
        ("POST", "/webhook/update/{id}"),
        ("PUT", "/webhooks/{id}"),
        ("PATCH", "/webhooks/{id}"),
    ],
)
async def test_updating(api: ApiClient, method: str, path: str) -> None:
    made = await save(api, CREATE, webhook_url=URL, categories=["Interested"])
    body = {"webhook_name": "New", "event_type_map": {"EMAIL_SENT": True}, "categories": [], "enabled": 0}
    answer = await api.request(method, path.format(id=made["id"]), json=body)
    changed = answer.json()
    assert (answer.status_code, changed["message"]) == (200, "Webhook saved successfully")
    assert (changed["name"], changed["event_types"], changed["categories"]) == ("New", ["EMAIL_SENT"], [])
    assert (changed["is_active"], changed["webhook_url"]) == (False, URL)


async def test_the_scope_cannot_be_changed(api: ApiClient, db: Db) -> None:
    made = await save(api, CREATE, webhook_url=URL)
    campaign_id = await make.campaign(db, api.user_id)
    body = {"association_type": "campaign", "email_campaign_id": campaign_id}
    answer = await api.put(f"/webhook/update/{made['id']}", json=body)
    assert answer.json()["association_type"] == "user"
    assert answer.headers["x-ignored-fields"] == "association_type, email_campaign_id"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"event_types": ["NOPE"]}, "Invalid event_types - NOPE"),
        ({"event_types": []}, '"event_types" does not contain 1 required value(s)'),
        ({"webhook_url": "nope"}, "Invalid webhook_url - nope"),
        ({"categories": ["Nope"]}, "Invalid category - Nope"),
    ],
)
async def test_what_cannot_be_updated(api: ApiClient, body: dict[str, Any], message: str) -> None:
    made = await save(api, CREATE, webhook_url=URL)
    answer = await refused(api, "PUT", f"/webhook/update/{made['id']}", json={"name": "New", **body})
    assert answer["message"] == message
    assert (await api.get(f"/webhook/{made['id']}")).json()["name"] == made["name"]


@pytest.mark.parametrize(
    ("path", "has_body"),
    [
        ("/webhook/delete", True),
        ("/webhook/delete/{id}", False),
        ("/webhooks/{id}", False),
        ("/webhook/delete?id={id}", False),
    ],
)
async def test_deleting(api: ApiClient, path: str, has_body: bool) -> None:
    made = await save(api, CREATE, webhook_url=URL)
    body = {"id": made["id"]} if has_body else None
    answer = await api.delete(path.format(id=made["id"]), json=body)
    assert (answer.status_code, answer.json()) == (200, DELETED)
    assert await refused(api, "GET", f"/webhook/{made['id']}", 404) == UNKNOWN_WEBHOOK
    assert await refused(api, "DELETE", path.format(id=made["id"]), 404, json=body) == UNKNOWN_WEBHOOK


async def test_deleting_without_an_id(api: ApiClient) -> None:
    assert (await refused(api, "DELETE", "/webhook/delete"))["message"] == '"id" is required'


@pytest.fixture
async def several(api: ApiClient, client_api: ApiClient, db: Db) -> dict[str, int]:
    """One of the account, one of the client, one of a campaign of the client, one of another campaign."""
    of_client = await make.campaign(db, api.user_id, client_id=client_api.client_id)
    other = await make.campaign(db, api.user_id)
    scopes: dict[str, dict[str, Any]] = {
        "user": {},
        "client": {"client_id": client_api.client_id},
        "campaign": {"campaign_id": of_client},
        "other": {"campaign_id": other},
    }
    made = {name: (await save(api, CREATE, webhook_url=URL, **scope))["id"] for name, scope in scopes.items()}
    return {**made, "of_client": of_client}


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["user", "client", "campaign", "other"]),
        ("?association_type=user", ["user"]),
        ("?association_type=3", ["campaign", "other"]),
        ("?campaign_id={of_client}", ["campaign"]),
        ("?client_id={client}", ["client", "campaign"]),
        ("?offset=1&limit=2", ["client", "campaign"]),
        ("?offset=9", []),
    ],
)
async def test_listing(
    api: ApiClient, client_api: ApiClient, several: dict[str, int], query: str, names: list[str]
) -> None:
    address = f"/webhooks{query.format(of_client=several['of_client'], client=client_api.client_id)}"
    found = (await api.get(address)).json()
    assert [each["id"] for each in found] == [several[name] for name in names]
    assert all("secret_key" not in each for each in found)


async def test_the_key_of_a_client_lists_what_is_its_own(client_api: ApiClient, several: dict[str, int]) -> None:
    found = (await client_api.get("/webhooks")).json()
    assert [each["id"] for each in found] == [several["client"], several["campaign"]]


async def test_a_list_that_is_too_long(api: ApiClient) -> None:
    answer = await refused(api, "GET", "/webhooks?limit=1001")
    assert answer["message"] == '"limit" must be less than or equal to 1000'


@pytest.mark.parametrize("path", ["/webhook/{id}/test", "/webhooks/{id}/test"])
async def test_trying_a_webhook_out(api: ApiClient, db: Db, receiver: Receiver, path: str) -> None:
    receiver.replies = [Reply(204)]
    made = await save(api, CREATE, webhook_url=receiver.url, event_types=["EMAIL_REPLY", "EMAIL_OPEN"])
    answer = (await api.post(path.format(id=made["id"]))).json()
    assert answer == {"ok": True, "status_code": 204, "duration_ms": answer["duration_ms"], "error": None}
    [request] = receiver.requests
    assert request.headers["x-webhook-test"] == "true"
    assert request.headers["x-webhook-level"] == "user"
    assert request.json["event_type"] == "EMAIL_OPEN"
    assert (request.json["webhook_id"], request.json["secret_key"]) == (made["id"], made["secret_key"])
    assert await fetch_value(db, "SELECT count(*) FROM webhook_deliveries") == 0


@pytest.mark.parametrize("event_type", list(EventType))
async def test_trying_out_each_event(api: ApiClient, receiver: Receiver, event_type: str) -> None:
    made = await save(api, CREATE, webhook_url=receiver.url)
    answer = await api.post(f"/webhook/{made['id']}/test", json={"event_type": event_type})
    assert answer.json()["ok"] is True
    payload = receiver.requests[0].json
    assert payload["event_type"] == event_type
    assert payload["description"]
    assert payload["metadata"] == {"webhook_created_at": made["created_at"]}


async def test_a_trial_that_fails_tells_why(api: ApiClient, receiver: Receiver) -> None:
    receiver.replies = [Reply(500)]
    made = await save(api, CREATE, webhook_url=receiver.url)
    answer = await api.post(f"/webhook/{made['id']}/test")
    assert answer.status_code == 200
    assert answer.json().items() >= {"ok": False, "status_code": 500, "error": "HTTP 500"}.items()
    await api.put(f"/webhook/update/{made['id']}", json={"webhook_url": "http://169.254.169.254/"})
    refusal = (await api.post(f"/webhook/{made['id']}/test")).json()
    assert refusal["error"] == "169.254.169.254 is a link-local or metadata address, which is never reached"
    assert refusal["status_code"] is None


async def test_a_trial_of_an_unknown_event(api: ApiClient) -> None:
    made = await save(api, CREATE, webhook_url=URL)
    answer = await refused(api, "POST", f"/webhook/{made['id']}/test", json={"event_type": "NOPE"})
    assert answer["message"] == "Invalid event_types - NOPE"
