"""Mailboxes of a campaign over HTTP."""

from collections.abc import Iterator
from typing import Any

import pytest

from outrider.campaigns.models import MailboxRemoved
from outrider.kit.db import Db, execute, fetch_value
from tests.support import make
from tests.support.client import ApiClient
from tests.support.events import Heard, hearing


@pytest.fixture
async def campaign_id(api: ApiClient, db: Db) -> int:
    return await make.campaign(db, api.user_id)


@pytest.fixture
def told() -> Iterator[Heard]:
    with hearing(MailboxRemoved) as heard:
        yield heard


async def attached(api: ApiClient, campaign_id: int) -> set[int]:
    return {row["id"] for row in (await api.get(f"/campaigns/{campaign_id}/email-accounts")).json()}


async def add(api: ApiClient, campaign_id: int, **body: Any) -> dict[str, Any]:
    answer = await api.post(f"/campaigns/{campaign_id}/email-accounts", json=body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_adding_answers_one_mapping_for_each_id_in_order(api: ApiClient, campaign_id: int, db: Db) -> None:
    first, second = [await make.mailbox(db, api.user_id) for _ in range(2)]
    body = await add(api, campaign_id, email_account_ids=[second, first])
    assert body["ok"] is True
    assert [(row["email_campaign_id"], row["email_account_id"]) for row in body["result"]] == [
        (campaign_id, second),
        (campaign_id, first),
    ]
    assert all(row.keys() == {"id", "email_campaign_id", "email_account_id", "updated_at"} for row in body["result"])
    assert body["result"][0]["updated_at"].startswith("2026-03-02T09:00:00.")
    assert await attached(api, campaign_id) == {first, second}


async def test_adding_again_refreshes_the_mapping(api: ApiClient, campaign_id: int, db: Db) -> None:
    mailbox_id = await make.mailbox(db, api.user_id)
    (before,) = (await add(api, campaign_id, email_account_ids=[mailbox_id]))["result"]
    await execute(db, "UPDATE campaign_mailboxes SET updated_at = '2020-01-01Z'")
    (after,) = (await add(api, campaign_id, email_account_ids=[mailbox_id, mailbox_id]))["result"]
    assert after["id"] == before["id"]
    assert after["updated_at"].startswith("2026-03-02")


@pytest.mark.parametrize(
    "key", ["email_account_ids", "email_accounts_ids", "emailAccountIDs", "emailAccountIds", "email_account_id"]
)
@pytest.mark.parametrize("form", ["{}", "[{}]", '["{}"]', '"{}"'])
async def test_spellings_of_the_ids(api: ApiClient, campaign_id: int, db: Db, key: str, form: str) -> None:
    mailbox_id = await make.mailbox(db, api.user_id)
    content = f'{{"{key}": {form.format(mailbox_id)}}}'
    answer = await api.post(f"/campaigns/{campaign_id}/email-accounts", content=content)
    assert answer.status_code == 200, answer.text
    assert await attached(api, campaign_id) == {mailbox_id}
    answer = await api.delete(f"/campaigns/{campaign_id}/email-accounts", content=content)
    assert answer.json() == {"ok": True, "result": 1}


@pytest.mark.parametrize("method", ["POST", "DELETE"])
@pytest.mark.parametrize("body", [{}, {"email_account_ids": []}, {"email_account_ids": None}])
async def test_ids_are_required(api: ApiClient, campaign_id: int, method: str, body: dict[str, Any]) -> None:
    answer = await api.request(method, f"/campaigns/{campaign_id}/email-accounts", json=body)
    assert answer.status_code == 400
    assert answer.json()["message"] == '"email_account_ids" is required'


@pytest.mark.parametrize("method", ["POST", "DELETE"])
async def test_an_unknown_mailbox_spoils_the_whole_call(
    api: ApiClient, other_api: ApiClient, campaign_id: int, db: Db, method: str
) -> None:
    own = await make.mailbox(db, api.user_id)
    foreign = await make.mailbox(db, other_api.user_id)
    gone = await make.mailbox(db, api.user_id)
    await execute(db, "UPDATE mailboxes SET deleted_at = created_at WHERE id = %(id)s", {"id": gone})
    for unknown in (foreign, gone, 424242):
        answer = await api.request(
            method, f"/campaigns/{campaign_id}/email-accounts", json={"email_account_ids": [own, unknown]}
        )
        text = f"Email account id - {unknown} not allowed. Permission Error."
        assert answer.status_code == 400
        assert (answer.json()["error"], answer.json()["message"]) == (text, text)
    assert await attached(api, campaign_id) == set()


async def test_mailboxes_that_cannot_send_can_be_attached(api: ApiClient, campaign_id: int, db: Db) -> None:
    mailbox_id = await make.mailbox(db, api.user_id, is_suspended=True)
    await execute(db, "UPDATE mailboxes SET is_smtp_success = false")
    await add(api, campaign_id, email_account_ids=[mailbox_id])


async def test_warmup_gives_way_when_asked_to(api: ApiClient, campaign_id: int, db: Db) -> None:
    mailbox_id = await make.mailbox(db, api.user_id)
    await execute(
        db,
        """
        INSERT INTO mailbox_warmups (mailbox_id, user_id, status, created_at, updated_at)
        SELECT id, user_id, 'ACTIVE', created_at, created_at
        FROM mailboxes
        """,
    )
    await add(api, campaign_id, email_account_ids=[mailbox_id])
    assert await fetch_value(db, "SELECT auto_adjust_warmup FROM mailbox_warmups") is False
    await add(api, campaign_id, email_account_ids=[mailbox_id], auto_adjust_warmup="true")
    assert await fetch_value(db, "SELECT auto_adjust_warmup FROM mailbox_warmups") is True


async def test_removing_counts_what_was_attached(api: ApiClient, campaign_id: int, db: Db, told: Heard) -> None:
    first, second, never = [await make.mailbox(db, api.user_id) for _ in range(3)]
    await add(api, campaign_id, email_account_ids=[first, second])
    answer = await api.delete(
        f"/campaigns/{campaign_id}/email-accounts", json={"email_account_ids": [second, first, never]}
    )
    assert answer.json() == {"ok": True, "result": 2}
    (event,) = told.events
    assert (event.campaign_id, event.mailbox_ids, event.reallocate) == (campaign_id, (first, second), False)
    again = await api.delete(f"/campaigns/{campaign_id}/email-accounts", json={"email_account_ids": [first]})
    assert again.json() == {"ok": True, "result": 0}
    assert len(told.events) == 1


@pytest.mark.parametrize(
    "query",
    ["email_account_id={a}", "email_account_ids={a},{b}", "emailAccountIds[]={a}&emailAccountIds[]={b}"],
)
async def test_removing_by_query(api: ApiClient, campaign_id: int, db: Db, query: str) -> None:
    first, second = [await make.mailbox(db, api.user_id) for _ in range(2)]
    await add(api, campaign_id, email_account_ids=[first, second])
    answer = await api.delete(f"/campaigns/{campaign_id}/email-accounts?{query.format(a=first, b=second)}")
    assert answer.json() == {"ok": True, "result": query.count("{")}


async def test_removing_by_path(api: ApiClient, campaign_id: int, db: Db) -> None:
    mailbox_id = await make.mailbox(db, api.user_id)
    await add(api, campaign_id, email_account_ids=[mailbox_id])
    answer = await api.delete(f"/campaigns/{campaign_id}/email-accounts/{mailbox_id}/")
    assert answer.json() == {"ok": True, "result": 1}
    assert await attached(api, campaign_id) == set()


@pytest.mark.parametrize("where", ["body", "query"])
async def test_leads_can_be_given_to_the_others_at_once(
    api: ApiClient, campaign_id: int, db: Db, told: Heard, where: str
) -> None:
    mailbox_id = await make.mailbox(db, api.user_id)
    await add(api, campaign_id, email_account_ids=[mailbox_id])
    body = {"email_account_ids": [mailbox_id]} | ({"reallocate_leads": True} if where == "body" else {})
    query = "?reallocate_leads=true" if where == "query" else ""
    await api.delete(f"/campaigns/{campaign_id}/email-accounts{query}", json=body)
    assert [event.reallocate for event in told.events] == [True]


async def test_an_active_campaign_keeps_its_last_mailbox(api: ApiClient, db: Db, told: Heard) -> None:
    campaign_id = await make.campaign(db, api.user_id, status="ACTIVE")
    first, second = [await make.mailbox(db, api.user_id) for _ in range(2)]
    await add(api, campaign_id, email_account_ids=[first, second])
    path = f"/campaigns/{campaign_id}/email-accounts"
    answer = await api.delete(path, json={"email_account_ids": [first, second]})
    assert answer.status_code == 400
    assert answer.json()["message"] == "At least one email account must remain in an active campaign"
    assert await attached(api, campaign_id) == {first, second}
    assert told.events == []
    assert (await api.delete(path, json={"email_account_ids": [first]})).json() == {"ok": True, "result": 1}


async def test_the_list_shows_accounts_as_the_list_of_all_does(api: ApiClient, campaign_id: int, db: Db) -> None:
    mailbox_id = await make.mailbox(db, api.user_id)
    await make.mailbox(db, api.user_id)
    await add(api, campaign_id, email_account_ids=[mailbox_id])
    listed = (await api.get(f"/campaigns/{campaign_id}/email-accounts?include_tags=true")).json()
    assert [row["id"] for row in listed] == [mailbox_id]
    (row,) = listed
    assert (row["password"], row["imap_password"], row["tags"]) == (None, None, [])
    assert (row["campaign_count"], row["is_connected_to_campaign"]) == (1, True)


async def test_the_key_of_a_client_uses_its_own_mailboxes(api: ApiClient, client_api: ApiClient, db: Db) -> None:
    campaign_id = await make.campaign(db, api.user_id, client_id=client_api.client_id)
    own = await make.mailbox(db, api.user_id, client_id=client_api.client_id)
    main = await make.mailbox(db, api.user_id)
    answer = await client_api.post(f"/campaigns/{campaign_id}/email-accounts", json={"email_account_ids": [main]})
    assert answer.status_code == 400
    await add(client_api, campaign_id, email_account_ids=[own])
    await add(api, campaign_id, email_account_ids=[main])
    assert await attached(client_api, campaign_id) == {own}
    assert await attached(api, campaign_id) == {own, main}


async def test_a_deleted_account_leaves_even_an_active_campaign(api: ApiClient, db: Db, told: Heard) -> None:
    campaign_id = await make.campaign(db, api.user_id, status="ACTIVE")
    mailbox_id = await make.mailbox(db, api.user_id)
    await add(api, campaign_id, email_account_ids=[mailbox_id])
    await api.delete(f"/email-accounts/{mailbox_id}")
    assert await attached(api, campaign_id) == set()
    assert [(event.campaign_id, event.mailbox_ids, event.reallocate) for event in told.events] == [
        (campaign_id, (mailbox_id,), False)
    ]
    assert (await api.get(f"/campaigns/{campaign_id}")).json()["status"] == "ACTIVE"
