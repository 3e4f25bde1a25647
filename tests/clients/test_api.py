"""Clients over HTTP: saving, reading, deleting."""

from datetime import datetime
from typing import Any

import pytest

from outrider.kit.db import Db, execute, fetch_value
from outrider.users.secrets import is_password
from tests.support import make
from tests.support.client import ApiClient, fresh_client
from tests.support.shape import assert_shape, example

CLIENT = {
    "name": "Harbor Lane Studio",
    "email": "Ops@harborlane.example",
    "permission": ["reply_master_inbox"],
    "logo": "Harbor Lane",
    "logo_url": None,
}
PASSWORD = "tide-and-rope-44"


async def save(api: ApiClient, path: str = "/client/save", **changed: Any) -> dict[str, Any]:
    answer = await api.post(path, json={**CLIENT, **changed})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def read(api: ApiClient, client_id: int) -> dict[str, Any]:
    answer = await api.get(f"/client/{client_id}")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


# saving --------------------------------------------------------------------------------------------------------------


async def test_a_new_client_is_answered_in_all_three_shapes(api: ApiClient) -> None:
    made = await save(api, password=PASSWORD)
    shown = example("save_client")
    assert_shape(made, shown)
    told = ("ok", "success", "message", "name", "email", "password", "permission", "logo", "logo_url")
    assert {key: made[key] for key in told} == {key: shown[key] for key in told}
    assert made["clientId"] == made["id"] == made["data"]["id"]
    assert made["data"]["api_key"] is None


@pytest.mark.parametrize("path", ["/client", "/client/", "/clients"])
async def test_aliases_of_saving(api: ApiClient, path: str) -> None:
    assert (await save(api, path))["ok"] is True


async def test_what_a_client_is_without_more_than_its_name(api: ApiClient) -> None:
    made = (await api.post("/client/save", json={"name": " Tarn ", "email": "a@tarn.example", "id": ""})).json()
    account = await read(api, made["id"])
    assert (account["name"], account["permission"], account["is_whitelabel"]) == ("Tarn", ["reply_master_inbox"], False)
    assert (account["is_credit_assigned"], account["email_credits"], account["lead_credits"]) == (False, 0, 0)
    assert (made["password"], account["logo"], account["logo_url"]) == (None, None, None)


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ("campaigns", ["campaigns"]),
        ('["campaigns", "leads"]', ["campaigns", "leads"]),
        (["full_access"], ["full_access"]),
        (["our_own_word"], ["our_own_word"]),
        ([], []),
    ],
)
async def test_spellings_of_rights(api: ApiClient, sent: Any, stored: list[str]) -> None:
    assert (await save(api, permission=sent))["permission"] == stored


async def test_other_spellings(api: ApiClient) -> None:
    made = await save(
        api,
        permission=None,
        permissions=["leads"],
        restricted_category=["4"],
        isCreditAssigned="true",
        emailCredits="500",
        lead_credits=20,
        organization="Harbor Ltd",
        settings={"tone": "calm"},
        uuid="x",
    )
    account = await read(api, made["id"])
    assert account["client_permision"] == {"permission": ["reply_master_inbox"], "retricted_category": [4]}
    assert (account["is_credit_assigned"], account["email_credits"], account["lead_credits"]) == (True, 500, 20)
    assert (account["organization"], account["settings"]) == ("Harbor Ltd", {"tone": "calm"})


@pytest.mark.parametrize(
    ("logo", "logo_url", "is_whitelabel"),
    [(None, None, False), ("", "", False), ("Tarn", None, True), (None, "https://tarn.example/logo.png", True)],
)
async def test_a_brand_makes_a_client_white_label(
    api: ApiClient, logo: str | None, logo_url: str | None, is_whitelabel: bool
) -> None:
    made = await save(api, logo=logo, logo_url=logo_url)
    assert (await read(api, made["id"]))["is_whitelabel"] is is_whitelabel


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"name": None}, '"name" is required'),
        ({"name": " "}, '"name" is not allowed to be empty'),
        ({"name": "x" * 256}, '"name" length must be less than or equal to 255 characters long'),
        ({"email": None}, '"email" is required'),
        ({"email": "ops"}, '"email" must be a valid email'),
        ({"password": "short"}, '"password" length must be at least 8 characters long'),
        ({"password": "x" * 129}, '"password" length must be less than or equal to 128 characters long'),
        ({"permission": 5}, '"permission" must be an array'),
        ({"permission": [5]}, '"permission" must be an array'),
        ({"permission": {"a": 1}}, '"permission" must be an array'),
        ({"permission": ["No!"]}, "Invalid permission - No!"),
        ({"logo_url": "ftp://tarn.example"}, '"logo_url" must be a valid uri'),
        ({"email_credits": -1}, '"email_credits" must be larger than or equal to 0'),
        ({"is_credit_assigned": "perhaps"}, '"is_credit_assigned" must be a boolean'),
    ],
)
async def test_what_is_refused(api: ApiClient, changed: dict[str, Any], message: str) -> None:
    answer = await api.post("/client/save", json={**CLIENT, **changed})
    assert (answer.status_code, answer.json()["message"]) == (400, message)
    assert (await api.get("/client")).json() == []


async def test_an_address_belongs_to_one_client_or_person(api: ApiClient, other_api: ApiClient, db: Db) -> None:
    await save(api)
    owner = await fetch_value(db, "SELECT email FROM people WHERE user_id = %(id)s", {"id": api.user_id})
    for caller, email in ((api, "ops@HARBORLANE.example"), (other_api, "ops@harborlane.example"), (api, owner)):
        answer = await caller.post("/client/save", json={**CLIENT, "email": email})
        assert answer.status_code == 400
        assert answer.json()["error"] == f"Client with email {email.lower()} already exists"


# changing ------------------------------------------------------------------------------------------------------------


async def test_only_what_is_given_changes(api: ApiClient) -> None:
    made = await save(api)
    before = await read(api, made["id"])
    changed = (await api.post("/client/save", json={"id": str(made["id"]), "name": "Tarn"})).json()
    assert_shape(changed, example("save_client"))
    assert (changed["name"], changed["password"]) == ("Tarn", None)
    assert await read(api, made["id"]) == {**before, "name": "Tarn"}


@pytest.mark.parametrize("nothing", [None, ""])
async def test_a_brand_is_cleared(api: ApiClient, nothing: str | None) -> None:
    made = await save(api, logo_url="https://tarn.example/logo.png")
    await api.post("/client/save", json={"id": made["id"], "logo": nothing, "logo_url": nothing})
    account = await read(api, made["id"])
    assert (account["logo"], account["logo_url"], account["name"]) == (None, None, CLIENT["name"])


async def test_rights_are_replaced_as_a_whole(api: ApiClient) -> None:
    made = await save(api, permission=["campaigns", "leads"])
    await api.post("/client/save", json={"id": made["id"], "permission": ["leads"]})
    assert (await read(api, made["id"]))["permission"] == ["leads"]


async def test_an_address_of_another_is_refused(api: ApiClient) -> None:
    first, second = await save(api), await save(api, email="b@tarn.example")
    answer = await api.post("/client/save", json={"id": second["id"], "email": first["email"]})
    assert answer.json()["error"] == f"Client with email {first['email']} already exists"
    same = await api.post("/client/save", json={"id": second["id"], "email": "B@tarn.example"})
    assert same.status_code == 200


async def test_a_password_is_kept_as_a_slow_hash(api: ApiClient, db: Db) -> None:
    made = await save(api, password=PASSWORD)
    sql = "SELECT password_hash FROM clients WHERE id = %(id)s"
    kept = await fetch_value(db, sql, {"id": made["id"]})
    assert await is_password(PASSWORD, kept)
    changed = (await api.post("/client/save", json={"id": made["id"], "password": "rope-and-tide"})).json()
    assert changed["password"] == "rope-and-tide"
    assert await is_password("rope-and-tide", await fetch_value(db, sql, {"id": made["id"]}))


async def test_an_unknown_or_foreign_client_is_not_changed(api: ApiClient, other_api: ApiClient) -> None:
    foreign = await save(other_api)
    for client_id in (424242, foreign["id"]):
        answer = await api.post("/client/save", json={"id": client_id, "name": "Mine"})
        assert (answer.status_code, answer.json()["error"]) == (404, "Client not found - Invalid client id.")
    assert (await read(other_api, foreign["id"]))["name"] == CLIENT["name"]


# a client's own key --------------------------------------------------------------------------------------------------


async def test_a_client_sets_its_own_password_and_nothing_else(client_api: ApiClient, api: ApiClient) -> None:
    own = {"id": client_api.client_id, "password": "rope-and-tide"}
    assert (await client_api.post("/client/save", json=own)).json()["password"] == "rope-and-tide"
    other = await save(api)
    for body in ({**own, "name": "Mine"}, CLIENT, {}, {"id": other["id"], "password": "rope-and-tide"}):
        answer = await client_api.post("/client/save", json=body)
        assert (answer.status_code, answer.json()["error"]) == (403, "Permission denied")


async def test_a_client_sees_itself_only(api: ApiClient, client_api: ApiClient) -> None:
    other = await save(api)
    assert [each["id"] for each in (await client_api.get("/clients")).json()] == [client_api.client_id]
    assert (await client_api.get(f"/client/{client_api.client_id}")).status_code == 200
    assert (await client_api.get(f"/client/{other['id']}")).status_code == 404


@pytest.mark.parametrize(
    ("permissions", "status"),
    [
        ([], 403),
        (["view_only"], 403),
        (["reply_master_inbox"], 403),
        (["leads"], 403),
        (["main key"], 403),
        (["campaigns"], 200),
        (["full_access"], 200),
        (["view_only", "campaigns"], 200),
    ],
)
async def test_a_write_needs_the_right_of_its_area(
    client_api: ApiClient, db: Db, permissions: list[str], status: int
) -> None:
    await execute(
        db,
        "UPDATE clients SET permissions = %(permissions)s WHERE id = %(id)s",
        {"permissions": permissions, "id": client_api.client_id},
    )
    assert (await client_api.post("/campaigns/create", json={"name": "Ours"})).status_code == status
    assert (await client_api.get("/campaigns")).status_code == 200


async def test_hidden_categories_are_not_shown_to_the_client(api: ApiClient, client_api: ApiClient) -> None:
    await api.post("/client/save", json={"id": client_api.client_id, "retricted_category": [1, 4]})
    shown = {each["id"] for each in (await client_api.get("/leads/fetch-categories")).json()}
    everything = {each["id"] for each in (await api.get("/leads/fetch-categories")).json()}
    assert everything - shown == {1, 4}


# reading -------------------------------------------------------------------------------------------------------------


async def test_the_list_is_a_bare_array_by_id(api: ApiClient, other_api: ApiClient) -> None:
    assert (await api.get("/client/")).json() == []
    first, second = await save(api), await save(api, email="b@tarn.example", name="Tarn", logo=None)
    await save(other_api, email="c@tarn.example")
    listed = (await api.get("/client")).json()
    assert [each["id"] for each in listed] == [first["id"], second["id"]]
    assert_shape(listed[0], example("list_clients")[0])
    assert listed[0] == await read(api, first["id"])
    assert "password" not in listed[0]


@pytest.mark.parametrize(
    ("query", "names"),
    [("?search=TARN", ["Tarn"]), ("?offset=1", ["Tarn"]), ("?limit=1", [CLIENT["name"]]), ("?search=nobody", [])],
)
async def test_the_list_is_narrowed_down(api: ApiClient, query: str, names: list[str]) -> None:
    await save(api)
    await save(api, email="b@lake.example", name="Tarn")
    assert [each["name"] for each in (await api.get(f"/client/{query}")).json()] == names


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        ("/client/424242", 404, "Client not found - Invalid client id."),
        ("/client/abc", 400, '"client_id" must be a number'),
    ],
)
async def test_reading_what_is_not_there(api: ApiClient, path: str, status: int, message: str) -> None:
    answer = await api.get(path)
    assert (answer.status_code, answer.json()["message"]) == (status, message)


# deleting ------------------------------------------------------------------------------------------------------------

DELETED = {"ok": True, "success": True, "message": "Client deleted successfully"}


async def test_what_a_client_had_becomes_the_accounts(
    api: ApiClient, client_api: ApiClient, db: Db, now: datetime
) -> None:
    client_id = client_api.client_id
    campaign_id = await make.campaign(db, api.user_id, client_id=client_id)
    mailbox_id = await make.mailbox(db, api.user_id, client_id=client_id)
    await client_api.post("/leads/add-domain-block-list", json={"domain_block_list": ["rival.example"]})
    await api.post("/leads/add-domain-block-list", json={"domain_block_list": ["rival.example"]})
    await client_api.post("/leads/add-domain-block-list", json={"domain_block_list": ["foe.example"]})
    hook = await client_api.post("/webhook/create", json={"webhook_url": "https://x.example", "client_id": client_id})
    await api.post(f"/campaigns/{campaign_id}/leads", json={"lead_list": [{"email": "ada@hexly.example"}]})
    lead_id = (await api.get("/leads/?email=ada@hexly.example")).json()["id"]
    await client_api.post(f"/leads/{lead_id}/unsubscribe")

    assert (await api.delete(f"/client/{client_id}")).json() == DELETED
    assert (await client_api.get("/campaigns")).status_code == 401
    assert (await api.get(f"/client/{client_id}")).status_code == 404
    assert (await api.delete(f"/client/{client_id}")).status_code == 404
    assert (await api.get(f"/webhook/{hook.json()['id']}")).status_code == 404
    assert (await api.get(f"/campaigns/{campaign_id}")).json()["client_id"] is None
    assert (await api.get(f"/email-accounts/{mailbox_id}")).json()["client_id"] is None
    entries = (await api.get("/leads/get-domain-block-list")).json()
    assert sorted((each["email_or_domain"], each["client_id"]) for each in entries) == [
        ("foe.example", None),
        ("rival.example", None),
    ]
    assert (await api.get("/leads/?email=ada@hexly.example")).json()["is_unsubscribed"] is True


async def test_a_client_with_an_active_campaign_stays(api: ApiClient, client_api: ApiClient, db: Db) -> None:
    await make.campaign(db, api.user_id, client_id=client_api.client_id, status="ACTIVE")
    answer = await api.delete(f"/client/{client_api.client_id}")
    assert (answer.status_code, answer.json()["error"]) == (400, "Client has active campaigns")
    assert (await client_api.get("/campaigns")).status_code == 200


@pytest.mark.parametrize("where", ["body", "query"])
async def test_deleting_by_an_id_that_is_not_in_the_path(api: ApiClient, where: str) -> None:
    client_id = (await save(api))["id"]
    if where == "body":
        answer = await api.delete("/client", json={"id": client_id})
    else:
        answer = await api.delete(f"/client?id={client_id}")
    assert answer.json() == DELETED
    assert (await api.delete("/client")).json()["message"] == '"id" is required'


async def test_deleting_is_for_the_account_itself(
    api: ApiClient, other_api: ApiClient, client_api: ApiClient, db: Db, now: datetime
) -> None:
    client_id = await fresh_client(db, api.user_id, now)
    assert (await client_api.delete(f"/client/{client_id}")).status_code == 403
    assert (await other_api.delete(f"/client/{client_id}")).status_code == 404
    assert (await api.get(f"/client/{client_id}")).status_code == 200
