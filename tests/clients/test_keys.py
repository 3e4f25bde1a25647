"""API keys of clients over HTTP: making, listing, resetting, revoking."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

import pytest

from outrider.kit.crypto import set_vault
from outrider.kit.db import Db
from outrider.kit.edge import Edge
from tests.support.client import ApiClient, Rollback, fresh_client
from tests.support.make import VAULT
from tests.support.shape import assert_shape, example

UNKNOWN = "Client not found - Invalid client id."
DELETED = {"ok": True, "success": True, "message": "API key deleted successfully"}


@pytest.fixture
async def client_id(db: Db, api: ApiClient, now: datetime) -> int:
    return await fresh_client(db, api.user_id, now)


async def make_key(api: ApiClient, client_id: int, name: str = "Prod Key") -> dict[str, Any]:
    answer = await api.post("/client/api-key", json={"clientId": client_id, "keyName": name})
    assert answer.status_code == 200, answer.text
    return dict(answer.json()["data"])


async def is_known(api: ApiClient, text: str) -> bool:
    return (await api.request("GET", "/client", key=text)).status_code == 200


async def test_a_new_key_works_at_once_and_sees_its_client(api: ApiClient, client_id: int) -> None:
    answer = (await api.post("/client/api-key", json={"clientId": str(client_id), "keyName": "Prod Key"})).json()
    assert_shape(answer, example("create_client_key"))
    assert (answer["message"], answer["data"]["status"]) == ("API key created successfully", "active")
    seen = (await api.request("GET", "/client", key=answer["data"]["api_key"])).json()
    assert [each["id"] for each in seen] == [client_id]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/client/api-key", {"keyName": "A", "clientId": "{id}"}),
        ("/client/api-key", {"client_id": "{id}", "key_name": "A"}),
        ("/client/{id}/api-key", {"name": "A", "permissions": ["x"]}),
        ("/clients/{id}/api-keys", {"keyName": "A"}),
    ],
)
async def test_aliases_of_making(api: ApiClient, client_id: int, path: str, body: dict[str, Any]) -> None:
    filled = {key: str(client_id) if value == "{id}" else value for key, value in body.items()}
    answer = await api.post(path.format(id=client_id), json=filled)
    assert answer.status_code == 200, answer.text
    assert (answer.json()["data"]["client_id"], answer.json()["data"]["key_name"]) == (client_id, "A")
    assert "x-ignored-fields" not in answer.headers


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ({"keyName": "A"}, 400, '"clientId" is required'),
        ({"clientId": 1}, 400, '"keyName" is required'),
        ({"clientId": 1, "keyName": ""}, 400, '"keyName" is not allowed to be empty'),
        ({"clientId": "x", "keyName": "A"}, 400, '"clientId" must be a number'),
        (
            {"clientId": 1, "keyName": "a/b"},
            400,
            '"keyName" with value "a/b" fails to match the required pattern: /^[A-Za-z0-9 _-]+$/',
        ),
        (
            {"clientId": 1, "keyName": "a" * 101},
            400,
            '"keyName" length must be less than or equal to 100 characters long',
        ),
        ({"clientId": 424242, "keyName": "A"}, 404, UNKNOWN),
    ],
)
async def test_keys_that_cannot_be_made(api: ApiClient, body: dict[str, Any], status: int, message: str) -> None:
    answer = await api.post("/client/api-key", json=body)
    assert (answer.status_code, answer.json()["message"]) == (status, message)


async def test_a_name_is_used_once_by_the_keys_that_work(api: ApiClient, client_id: int) -> None:
    first = await make_key(api, client_id)
    again = await api.post("/client/api-key", json={"clientId": client_id, "keyName": "prod key"})
    assert (again.status_code, again.json()["error"]) == (400, "API key name already exists")
    await api.delete(f"/client/api-key/{first['id']}")
    assert (await make_key(api, client_id, "prod key"))["id"] != first["id"]


async def test_fifty_keys_are_enough(api: ApiClient, client_id: int) -> None:
    for number in range(50):
        await make_key(api, client_id, f"Key {number}")
    answer = await api.post("/client/api-key", json={"clientId": client_id, "keyName": "One more"})
    assert (answer.status_code, answer.json()["error"]) == (400, "API key limit reached")


@pytest.mark.parametrize(
    "path", ["/client/api-key", "/client/{id}/api-key", "/client/{id}/api-keys", "/clients/{id}/api-keys"]
)
async def test_lists_show_the_last_characters(api: ApiClient, client_id: int, path: str) -> None:
    made = await make_key(api, client_id)
    answer = (await api.get(path.format(id=client_id))).json()
    assert (answer["ok"], answer["success"], answer["message"]) == (True, True, "API keys fetched successfully")
    assert answer["data"] == [{**made, "api_key": f"****{made['api_key'][-4:]}"}]


async def test_lists_are_narrowed_down(api: ApiClient, client_id: int, db: Db, now: datetime) -> None:
    other_id = await fresh_client(db, api.user_id, now)
    kept, gone = await make_key(api, client_id), await make_key(api, client_id, "Old")
    other = await make_key(api, other_id, "Other")
    await api.delete(f"/client/api-key/{gone['id']}")
    for query, ids in (
        ("", [kept["id"], other["id"]]),
        (f"?clientId={client_id}", [kept["id"]]),
        (f"?client_id={client_id}&status=INACTIVE", [gone["id"]]),
        ("?status=active&keyName=PROD", [kept["id"]]),
        ("?key_name=nothing", []),
        ("?offset=1&limit=1", [other["id"]]),
        ("?clientId=424242", []),
    ):
        assert [each["id"] for each in (await api.get(f"/client/api-key{query}")).json()["data"]] == ids, query
    (deleted,) = (await api.get("/client/api-key?status=inactive")).json()["data"]
    assert (deleted["status"], deleted["deleted_at"]) == ("inactive", "2026-03-02T09:00:00.000Z")
    bad = await api.get("/client/api-key?status=old")
    assert (bad.status_code, bad.json()["message"]) == (400, '"status" must be one of [active, inactive]')


async def test_the_last_use_is_shown(api: ApiClient, client_id: int) -> None:
    made = await make_key(api, client_id)
    assert made["last_used_at"] is None
    assert await is_known(api, made["api_key"])
    (row,) = (await api.get("/client/api-key")).json()["data"]
    assert row["last_used_at"] is not None


async def test_an_operator_may_want_them_in_full(
    db: Db, now: datetime, make_app: Callable[..., Edge], connect: Callable[..., Awaitable[ApiClient]]
) -> None:
    set_vault(VAULT)
    api = await connect(make_app(Rollback(db), client_keys_plaintext=True), db)
    client_id = await fresh_client(db, api.user_id, now)
    made = await make_key(api, client_id)
    (row,) = (await api.get("/client/api-key")).json()["data"]
    assert row["api_key"] == made["api_key"]


@pytest.mark.parametrize(
    ("path", "in_body"),
    [
        ("/client/api-key/reset/{key}", False),
        ("/client/api-key/{key}/reset", False),
        ("/client/api-key", True),
        ("/client/{id}/api-key/{key}/reset", False),
        ("/clients/{id}/api-keys/{key}/reset", False),
    ],
)
async def test_a_reset_key_is_another_text(api: ApiClient, client_id: int, path: str, in_body: bool) -> None:
    made = await make_key(api, client_id)
    body = {"id": made["id"]} if in_body else None
    answer = await api.put(path.format(key=made["id"], id=client_id), json=body)
    assert answer.status_code == 200, answer.text
    reset = answer.json()
    assert_shape(reset, example("create_client_key"))
    assert (reset["message"], reset["data"]["id"]) == ("API key reset successfully", made["id"])
    assert reset["api_key"] == reset["data"]["api_key"] != made["api_key"]
    assert await is_known(api, reset["api_key"])
    assert not await is_known(api, made["api_key"])


@pytest.mark.parametrize(
    ("path", "in_body"),
    [
        ("/client/api-key/{key}", False),
        ("/client/api-key", True),
        ("/client/{id}/api-key/{key}", False),
        ("/clients/{id}/api-keys/{key}", False),
    ],
)
async def test_a_deleted_key_is_refused_from_then_on(api: ApiClient, client_id: int, path: str, in_body: bool) -> None:
    made = await make_key(api, client_id)
    where, body = path.format(key=made["id"], id=client_id), ({"id": made["id"]} if in_body else None)
    assert (await api.delete(where, json=body)).json() == DELETED
    assert not await is_known(api, made["api_key"])
    again = await api.delete(where, json=body)
    assert (again.status_code, again.json()["error"]) == (404, "API key not found")
    reset = await api.put(f"/client/api-key/reset/{made['id']}")
    assert (reset.status_code, reset.json()["error"]) == (404, "API key not found")


@pytest.mark.parametrize("method", ["DELETE", "PUT"])
async def test_an_id_is_needed(api: ApiClient, method: str) -> None:
    answer = await api.request(method, "/client/api-key", json={})
    assert (answer.status_code, answer.json()["message"]) == (400, '"id" is required')


async def test_a_key_of_another_client_or_account_is_not_found(
    api: ApiClient, other_api: ApiClient, client_api: ApiClient, client_id: int
) -> None:
    made = await make_key(api, client_id)
    paths = [f"/client/api-key/{made['id']}", f"/client/{client_api.client_id}/api-key/{made['id']}"]
    for caller, path in ((other_api, paths[0]), (client_api, paths[0]), (client_api, paths[1]), (api, paths[1])):
        answer = await caller.delete(path)
        assert (answer.status_code, answer.json()["error"]) == (404, "API key not found")
    assert await is_known(api, made["api_key"])


async def test_main_keys_are_no_clients_keys(api: ApiClient) -> None:
    assert (await api.get("/client/api-key")).json()["data"] == []
    assert (await api.delete(f"/client/api-key/{api.key_id}")).status_code == 404


async def test_a_client_has_keys_of_its_own(api: ApiClient, client_api: ApiClient, client_id: int) -> None:
    await make_key(api, client_id)
    made = (await client_api.post("/client/api-key", json={"keyName": "Mine"})).json()["data"]
    assert made["client_id"] == client_api.client_id
    listed = (await client_api.get("/client/api-key")).json()["data"]
    assert {each["client_id"] for each in listed} == {client_api.client_id}
    assert (await client_api.get(f"/client/api-key?clientId={client_id}")).json()["data"] == []
    assert (await client_api.get(f"/client/{client_id}/api-key")).status_code == 404
    for answer in (
        await client_api.post("/client/api-key", json={"keyName": "Theirs", "clientId": client_id}),
        await client_api.post(f"/client/{client_id}/api-key", json={"keyName": "Theirs"}),
    ):
        assert (answer.status_code, answer.json()["error"]) == (403, "Permission denied")
    assert (await client_api.delete(f"/client/api-key/{made['id']}")).json() == DELETED
