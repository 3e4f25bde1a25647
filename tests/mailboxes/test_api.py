"""Mailboxes over HTTP: saving, changing, reading, suspending, deleting."""

from collections.abc import Iterator
from typing import Any

import pytest

from outrider.kit.db import Db, execute, fetch_dict, fetch_value
from outrider.mailboxes.models import MailboxesDeleted
from tests.support import make
from tests.support.client import ApiClient, fresh_client
from tests.support.events import Heard, hearing

ACCOUNT = {
    "from_name": "Nora Quist",
    "from_email": "nora@brightfold.example",
    "user_name": "nora@brightfold.example",
    "password": "tide-and-rope",
    "smtp_host": "smtp.brightfold.example",
    "smtp_port": 465,
    "imap_host": "imap.brightfold.example",
    "imap_port": 993,
}


async def save(api: ApiClient, **changed: Any) -> int:
    answer = await api.post("/email-accounts/save", json={**ACCOUNT, **changed})
    assert answer.status_code == 200, answer.text
    return int(answer.json()["emailAccountId"])


async def read(api: ApiClient, mailbox_id: int, query: str = "") -> dict[str, Any]:
    answer = await api.get(f"/email-accounts/{mailbox_id}/{query}")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def not_found(mailbox_id: int) -> dict[str, Any]:
    return {
        "ok": False,
        "message": "Email account not found!",
        "errorCode": "ACCOUNT_NOT_FOUND",
        "emailAccountId": mailbox_id,
        "error": "Email account not found",
        "statusCode": 404,
    }


# saving --------------------------------------------------------------------------------------------------------------


async def test_creating_answers_the_superset_of_what_clients_read(api: ApiClient) -> None:
    answer = await api.post("/email-accounts/save", json={**ACCOUNT, "warmup_enabled": "true"})
    body = answer.json()
    mailbox_id, key = body["emailAccountId"], body["warmupKey"]
    assert body == {
        "ok": True,
        "message": "Email account added/updated successfully!",
        "emailAccountId": mailbox_id,
        "warmupKey": key,
        "data": {
            "id": mailbox_id,
            "from_email": "nora@brightfold.example",
            "type": "SMTP",
            "is_smtp_success": True,
            "is_imap_success": True,
            "warmup_details": {"status": "ACTIVE", "total_warmup_per_day": 20},
        },
        "email_account": {"id": mailbox_id},
    }
    first, hyphen, second = key.partition("-")
    assert first.isalpha()
    assert first.islower()
    assert hyphen
    assert second.isalpha()


async def test_a_new_account_reads_back_with_the_documented_defaults(api: ApiClient) -> None:
    mailbox_id = await save(api)
    account = await read(api, mailbox_id)
    created_at = account["created_at"]
    assert created_at.startswith("2026-03-02T09:00:00.")
    assert account == {
        "id": mailbox_id,
        "created_at": created_at,
        "updated_at": created_at,
        "user_id": api.user_id,
        "from_name": "Nora Quist",
        "from_email": "nora@brightfold.example",
        "username": "nora@brightfold.example",
        "password": None,
        "smtp_host": "smtp.brightfold.example",
        "smtp_port": 465,
        "smtp_port_type": "SSL",
        "message_per_day": 100,
        "different_reply_to_address": "",
        "is_different_imap_account": False,
        "imap_username": "",
        "imap_password": None,
        "imap_host": "imap.brightfold.example",
        "imap_port": 993,
        "imap_port_type": "SSL",
        "signature": None,
        "custom_tracking_domain": None,
        "custom_tracking_domain_status": None,  # beyond the reference
        "bcc_email": None,
        "is_smtp_success": True,
        "is_imap_success": True,
        "smtp_failure_error": None,
        "imap_failure_error": None,
        "type": "SMTP",
        "daily_sent_count": 0,
        "client_id": None,
        "expires_at": None,
        "minTimeToWaitInMins": None,
        "campaign_count": 0,
        "is_connected_to_campaign": False,
        "is_suspended": False,
        "use_whitelabel_credentials": False,
        "warmup_details": None,
    }


async def test_every_field_of_creation_reads_back(api: ApiClient, client_api: ApiClient) -> None:
    mailbox_id = await save(
        api,
        id=0,
        imap_user_name="nora.imap",
        imap_password="other",
        smtp_port="587",
        smtp_port_type="starttls",
        imap_port=143,
        type="zoho",
        max_email_per_day="40",
        time_to_wait_in_mins=8,
        custom_tracking_url="https://go.brightfold.example",
        bcc="crm@brightfold.example, log@brightfold.example",
        signature="<p>Nora</p>",
        different_reply_to_address="team@brightfold.example",
        client_id=client_api.client_id,
        is_suspended="true",
    )
    expected = {
        "is_different_imap_account": True,
        "imap_username": "nora.imap",
        "imap_password": None,
        "smtp_port": 587,
        "smtp_port_type": "STARTTLS",
        "imap_port_type": "TLS",
        "type": "ZOHO",
        "message_per_day": 40,
        "minTimeToWaitInMins": 8,
        "custom_tracking_domain": "https://go.brightfold.example",
        "bcc_email": "crm@brightfold.example, log@brightfold.example",
        "signature": "<p>Nora</p>",
        "different_reply_to_address": "team@brightfold.example",
        "client_id": client_api.client_id,
        "is_suspended": True,
    }
    assert expected.items() <= (await read(api, mailbox_id)).items()


async def test_secrets_are_sealed_and_never_come_back(api: ApiClient, db: Db) -> None:
    mailbox_id = await save(api, imap_password="other-secret")
    row = await fetch_dict(db, "SELECT password, imap_password FROM mailboxes WHERE id = %(id)s", {"id": mailbox_id})
    assert row is not None
    assert b"tide-and-rope" not in row["password"]
    assert make.VAULT.open(row["password"]) == "tide-and-rope"
    assert make.VAULT.open(row["imap_password"]) == "other-secret"
    for path in ("/email-accounts", f"/email-accounts/{mailbox_id}"):
        text = (await api.get(path)).text
        assert "tide-and-rope" not in text
        assert "other-secret" not in text


async def test_a_new_mailbox_may_send_at_once(api: ApiClient, db: Db) -> None:
    mailbox_id = await save(api)
    row = await fetch_dict(
        db,
        """
        SELECT mailbox_states.user_id, next_send_at <= created_at AS is_free
        FROM mailbox_states
        JOIN mailboxes ON mailboxes.id = mailbox_id
        WHERE mailbox_id = %(id)s
        """,
        {"id": mailbox_id},
    )
    assert row == {"user_id": api.user_id, "is_free": True}


@pytest.mark.parametrize(
    "body",
    [
        {"name": "Nora", "email": "nora@brightfold.example", "username": "nora"},
        {"fromName": "Nora", "fromEmail": "nora@brightfold.example", "smtp_username": "nora"},
    ],
)
async def test_spellings_of_names(api: ApiClient, body: dict[str, Any]) -> None:
    rest = {name: value for name, value in ACCOUNT.items() if name not in {"from_name", "from_email", "user_name"}}
    answer = await api.post("/email-accounts", json={**rest, **body})
    assert answer.status_code == 200, answer.text
    account = await read(api, answer.json()["emailAccountId"])
    assert (account["from_name"], account["username"]) == ("Nora", "nora")


async def test_the_user_name_is_the_address_unless_it_is_given(api: ApiClient) -> None:
    mailbox_id = await save(api, user_name=None)
    assert (await read(api, mailbox_id))["username"] == "nora@brightfold.example"


async def test_an_imap_log_in_equal_to_that_of_smtp_is_none_of_its_own(api: ApiClient) -> None:
    mailbox_id = await save(api, imap_user_name="nora@brightfold.example", imap_password="tide-and-rope")
    account = await read(api, mailbox_id)
    assert (account["is_different_imap_account"], account["imap_username"]) == (False, "")


@pytest.mark.parametrize(
    ("host", "kind"), [("smtp.gmail.com", "GMAIL"), ("smtp.office365.com", "OUTLOOK"), ("smtp.zoho.com", "ZOHO")]
)
async def test_the_type_follows_the_host(api: ApiClient, host: str, kind: str) -> None:
    mailbox_id = await save(api, smtp_host=host)
    assert (await read(api, mailbox_id))["type"] == kind


@pytest.mark.parametrize(
    "field", ["from_name", "from_email", "password", "smtp_host", "smtp_port", "imap_host", "imap_port"]
)
async def test_a_new_account_needs_its_fields(api: ApiClient, field: str) -> None:
    body = {name: value for name, value in ACCOUNT.items() if name != field}
    answer = await api.post("/email-accounts/save", json=body)
    assert answer.status_code == 400
    assert answer.json()["message"] == f'"{field}" is required'
    assert answer.json()["validation"] == {"source": "body", "keys": [field]}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"from_email": "nora"}, '"from_email" must be a valid email'),
        ({"from_name": ""}, '"from_name" is not allowed to be empty'),
        ({"smtp_port": 0}, '"smtp_port" must be larger than or equal to 1'),
        ({"imap_port": 65536}, '"imap_port" must be less than or equal to 65535'),
        ({"smtp_port": "smtp"}, '"smtp_port" must be a number'),
        ({"smtp_port_type": "ROT13"}, '"smtp_port_type" must be one of [SSL, TLS, STARTTLS, NONE]'),
        ({"type": "PIGEON"}, '"type" must be one of [SMTP, GMAIL, ZOHO, OUTLOOK]'),
        ({"max_email_per_day": -1}, '"max_email_per_day" must be larger than or equal to 0'),
        ({"time_to_wait_in_mins": -1}, '"time_to_wait_in_mins" must be larger than or equal to 0'),
        ({"bcc": "crm"}, '"bcc" must be a valid email'),
        ({"different_reply_to_address": "team"}, '"different_reply_to_address" must be a valid email'),
        ({"total_warmup_per_day": 51}, '"total_warmup_per_day" must be less than or equal to 50'),
        ({"warmup_enabled": "perhaps"}, '"warmup_enabled" must be a boolean'),
        ({"client_id": 424242}, "Client not found - Invalid client_id."),
    ],
)
async def test_what_cannot_be_is_refused(api: ApiClient, changed: dict[str, Any], message: str) -> None:
    answer = await api.post("/email-accounts/save", json={**ACCOUNT, **changed})
    assert (answer.status_code, answer.json()["message"]) == (400, message)
    assert (await api.get("/email-accounts")).json() == []


async def test_an_address_is_added_once(api: ApiClient) -> None:
    mailbox_id = await save(api)
    answer = await api.post("/email-accounts/save", json={**ACCOUNT, "from_email": "Nora@Brightfold.example"})
    assert answer.status_code == 400
    assert answer.json() == {
        "ok": False,
        "message": "Email account already exist. Please pass id to update it",
        "error": "Email account already exist. Please pass id to update it",
        "errorCode": "ACCOUNT_ALREADY_EXIST",
        "emailAccountId": mailbox_id,
        "statusCode": 400,
    }


async def test_an_address_of_somebody_else_is_not_shown(
    api: ApiClient, other_api: ApiClient, client_api: ApiClient
) -> None:
    await save(api)
    for stranger in (other_api, client_api):
        answer = await stranger.post("/email-accounts/save", json=ACCOUNT)
        assert answer.status_code == 400
        body = answer.json()
        assert body["message"] == "Email account already added by other user."
        assert (body["errorCode"], body["emailAccountId"]) == ("ACCOUNT_ALREADY_EXIST", None)


async def test_saving_with_an_id_changes_only_what_is_given(api: ApiClient) -> None:
    mailbox_id = await save(api, signature="<p>Old</p>", bcc="crm@brightfold.example", max_email_per_day=40)
    before = await read(api, mailbox_id)
    answer = await api.post("/email-accounts/save", json={"id": str(mailbox_id), "signature": "<p>New</p>"})
    assert answer.json()["emailAccountId"] == mailbox_id
    after = await read(api, mailbox_id)
    assert after == before | {"signature": "<p>New</p>", "updated_at": after["updated_at"]}


async def test_saving_with_an_id_clears_by_an_empty_text_and_keeps_by_null(api: ApiClient) -> None:
    mailbox_id = await save(
        api, signature="<p>Nora</p>", bcc="crm@brightfold.example", different_reply_to_address="a@b.example"
    )
    body = {"id": mailbox_id, "signature": "", "bcc": None, "different_reply_to_address": ""}
    await api.post("/email-accounts/save", json=body)
    account = await read(api, mailbox_id)
    assert (account["signature"], account["bcc_email"], account["different_reply_to_address"]) == (
        None,
        "crm@brightfold.example",
        "",
    )


async def test_saving_with_an_id_of_nobody(api: ApiClient, other_api: ApiClient, client_api: ApiClient) -> None:
    mailbox_id = await save(api)
    for stranger in (other_api, client_api):
        answer = await stranger.post("/email-accounts/save", json={"id": mailbox_id, "from_name": "Mine"})
        assert (answer.status_code, answer.json()) == (404, not_found(mailbox_id))


async def test_an_address_can_be_changed_but_not_to_one_that_is_taken(api: ApiClient) -> None:
    first, second = await save(api), await save(api, from_email="ida@brightfold.example")
    answer = await api.post("/email-accounts/save", json={"id": second, "from_email": "nora@brightfold.example"})
    assert (answer.status_code, answer.json()["emailAccountId"]) == (400, first)
    answer = await api.post("/email-accounts/save", json={"id": second, "from_email": "Ida@brightfold.example"})
    assert answer.status_code == 200
    assert (await read(api, second))["from_email"] == "Ida@brightfold.example"


async def test_the_key_of_a_client_saves_its_own_accounts(client_api: ApiClient, api: ApiClient, db: Db) -> None:
    mailbox_id = await save(client_api)
    assert (await read(api, mailbox_id))["client_id"] == client_api.client_id
    sister = await fresh_client(db, api.user_id, make.NOW)
    answer = await client_api.post("/email-accounts/save", json={"id": mailbox_id, "client_id": sister})
    assert answer.json()["message"] == "Client not found - Invalid client_id."
    answer = await client_api.post("/email-accounts/save", json={"id": mailbox_id, "client_id": 0})
    assert answer.status_code == 403


# changing ------------------------------------------------------------------------------------------------------------


async def test_an_update_changes_what_it_names(api: ApiClient) -> None:
    mailbox_id = await save(api)
    before = await read(api, mailbox_id)
    answer = await api.post(
        f"/email-accounts/{mailbox_id}",
        json={
            "max_email_per_day": "40",
            "from_name": "Nora Q.",
            "custom_tracking_url": "go.brightfold.example",
            "bcc": "crm@brightfold.example",
            "signature": "<p>Nora</p>",
            "time_to_wait_in_mins": 8,
            "different_reply_to_address": "team@brightfold.example",
        },
    )
    assert (answer.status_code, answer.json()) == (
        200,
        {"ok": True, "message": "Email account details updated successfully!", "emailAccountId": mailbox_id},
    )
    after = await read(api, mailbox_id)
    assert after == before | {
        "updated_at": after["updated_at"],
        "message_per_day": 40,
        "from_name": "Nora Q.",
        "custom_tracking_domain": "go.brightfold.example",
        "custom_tracking_domain_status": {"is_verified": False, "checked_at": None, "error": None},
        "bcc_email": "crm@brightfold.example",
        "signature": "<p>Nora</p>",
        "minTimeToWaitInMins": 8,
        "different_reply_to_address": "team@brightfold.example",
    }


@pytest.mark.parametrize("nothing", ["", None])
async def test_an_update_clears_texts(api: ApiClient, nothing: str | None) -> None:
    texts = {
        "custom_tracking_url": "go.brightfold.example",
        "bcc": "crm@brightfold.example",
        "signature": "<p>Nora</p>",
        "different_reply_to_address": "team@brightfold.example",
    }
    mailbox_id = await save(api, **texts)
    await api.patch(f"/email-accounts/{mailbox_id}", json=dict.fromkeys(texts, nothing))
    account = await read(api, mailbox_id)
    assert [account[name] for name in ("custom_tracking_domain", "bcc_email", "signature")] == [None] * 3
    assert account["different_reply_to_address"] == ""


@pytest.mark.parametrize("nobody", [None, 0, "0"])
async def test_an_update_detaches_the_client(api: ApiClient, client_api: ApiClient, nobody: Any) -> None:
    mailbox_id = await save(api, client_id=client_api.client_id, time_to_wait_in_mins=5)
    await api.put(f"/email-accounts/{mailbox_id}", json={"client_id": nobody, "time_to_wait_in_mins": None})
    account = await read(api, mailbox_id)
    assert (account["client_id"], account["minTimeToWaitInMins"]) == (None, None)


async def test_an_empty_update_changes_nothing(api: ApiClient, db: Db) -> None:
    mailbox_id = await save(api)
    await execute(db, "UPDATE mailboxes SET updated_at = '2020-01-01Z'")
    answer = await api.post(f"/email-accounts/{mailbox_id}")
    assert answer.json()["ok"] is True
    assert (await read(api, mailbox_id))["updated_at"] == "2020-01-01T00:00:00.000Z"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"message_per_day": 40}, '"message_per_day" is not allowed'),
        ({"from_email": "other@brightfold.example"}, '"from_email" is not allowed'),
        ({"max_email_per_day": "many"}, '"max_email_per_day" must be a number'),
        ({"is_suspended": "perhaps"}, '"is_suspended" must be a boolean'),
        ({"client_id": 424242}, "Client not found - Invalid client_id."),
    ],
)
async def test_an_update_refuses_the_names_of_reading(api: ApiClient, body: dict[str, Any], message: str) -> None:
    mailbox_id = await save(api)
    answer = await api.post(f"/email-accounts/{mailbox_id}", json=body)
    assert (answer.status_code, answer.json()["message"]) == (400, message)


async def test_a_new_password_is_stored_and_the_imap_one_follows(api: ApiClient, db: Db) -> None:
    mailbox_id = await save(api)
    await execute(db, "UPDATE mailboxes SET is_smtp_success = false, smtp_failure_error = '535'")
    await api.post(f"/email-accounts/{mailbox_id}", json={"password": "new-rope"})
    row = await fetch_dict(db, "SELECT password, imap_password FROM mailboxes WHERE id = %(id)s", {"id": mailbox_id})
    assert row is not None
    assert (make.VAULT.open(row["password"]), row["imap_password"]) == ("new-rope", None)
    account = await read(api, mailbox_id)
    assert (account["is_smtp_success"], account["smtp_failure_error"]) == (True, None)


async def test_a_new_port_brings_its_encryption(api: ApiClient) -> None:
    mailbox_id = await save(api)
    await api.post(f"/email-accounts/{mailbox_id}", json={"smtp_port": 587})
    account = await read(api, mailbox_id)
    assert (account["smtp_port"], account["smtp_port_type"], account["imap_port_type"]) == (587, "TLS", "SSL")
    await api.post(f"/email-accounts/{mailbox_id}", json={"smtp_port": 465, "smtp_port_type": "NONE"})
    assert (await read(api, mailbox_id))["smtp_port_type"] == "NONE"


async def test_a_new_tracking_domain_has_to_be_checked_again(api: ApiClient, db: Db) -> None:
    mailbox_id = await save(api, custom_tracking_url="go.brightfold.example")
    await execute(db, "UPDATE mailboxes SET is_tracking_domain_valid = true, tracking_domain_checked_at = created_at")
    valid = "SELECT is_tracking_domain_valid FROM mailboxes"
    await api.post(f"/email-accounts/{mailbox_id}", json={"custom_tracking_url": "go.brightfold.example"})
    assert await fetch_value(db, valid) is True
    await api.post(f"/email-accounts/{mailbox_id}", json={"custom_tracking_url": "t.brightfold.example"})
    assert await fetch_value(db, valid) is False


# reading -------------------------------------------------------------------------------------------------------------


async def test_campaigns_and_tags_come_when_asked_for(api: ApiClient, db: Db) -> None:
    mailbox_id = await save(api)
    campaigns = [await make.campaign(db, api.user_id) for _ in range(2)]
    for campaign_id in campaigns:
        await make.attach(db, api.user_id, campaign_id, mailbox_id)
    tag_id = await add_tag(db, api.user_id, mailbox_id, "Cold pool")
    tag = {
        "id": tag_id,
        "name": "Cold pool",
        "color": "#7A5CFA",
        "tag_id": tag_id,
        "tag_name": "Cold pool",
        "tag_color": "#7A5CFA",
    }
    account = await read(api, mailbox_id)
    assert "campaign_ids" not in account
    assert "tags" not in account
    assert (account["campaign_count"], account["is_connected_to_campaign"]) == (2, True)
    account = await read(api, mailbox_id, "?fetch_campaigns=True&fetch_tags=true")
    assert (account["campaign_ids"], account["tags"]) == (campaigns, [tag])
    (listed,) = (await api.get("/email-accounts?fetch_campaigns=true")).json()
    assert (listed["campaign_ids"], listed["tags"]) == (campaigns, [tag])
    assert "campaign_ids" not in (await api.get("/email-accounts")).json()[0]


async def add_tag(db: Db, user_id: int, mailbox_id: int, name: str) -> int:
    tag_id: int = await fetch_value(
        db,
        """
        WITH tag AS (
            INSERT INTO tags (user_id, name, color, created_at)
            VALUES (%(user_id)s, %(name)s, '#7A5CFA', %(now)s)
            RETURNING id
        )
        INSERT INTO mailbox_tags (user_id, mailbox_id, tag_id)
        SELECT %(user_id)s, %(mailbox_id)s, id
        FROM tag
        RETURNING tag_id
        """,
        {"user_id": user_id, "mailbox_id": mailbox_id, "name": name, "now": make.NOW},
    )
    return tag_id


async def test_todays_mails_are_counted_in_utc(api: ApiClient, db: Db) -> None:
    mailbox_id = await save(api)
    await execute(
        db,
        """
        INSERT INTO mailbox_days (mailbox_id, day, campaign_count, other_count)
        VALUES (%(id)s, '2026-03-01', 50, 0), (%(id)s, '2026-03-02', 11, 1)
        """,
        {"id": mailbox_id},
    )
    assert (await read(api, mailbox_id))["daily_sent_count"] == 12


async def test_the_list_is_newest_first_and_paged(api: ApiClient) -> None:
    ids = [await save(api, from_email=f"n{number}@brightfold.example") for number in range(3)][::-1]

    async def listed(query: str) -> list[int]:
        return [row["id"] for row in (await api.get(f"/email-accounts/{query}")).json()]

    assert await listed("") == ids
    assert await listed("?limit=2") == ids[:2]
    assert await listed("?limit=2&offset=2") == ids[2:]
    assert await listed("?offset=3") == []


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("limit=101", '"limit" must be less than or equal to 100'),
        ("limit=0", '"limit" must be larger than or equal to 1'),
        ("offset=-1", '"offset" must be larger than or equal to 0'),
        ("esp=PIGEON", '"esp" must be one of [SMTP, GMAIL, ZOHO, OUTLOOK]'),
        ("isInUse=perhaps", '"isInUse" must be a boolean'),
    ],
)
async def test_bad_list_queries_are_named(api: ApiClient, query: str, message: str) -> None:
    answer = await api.get(f"/email-accounts?{query}")
    assert (answer.status_code, answer.json()["message"]) == (400, message)
    assert answer.json()["validation"]["source"] == "query"


async def test_filters_of_the_list(api: ApiClient, client_api: ApiClient, db: Db) -> None:
    plain = await save(api, from_email="plain@brightfold.example", user_name="login-one")
    gmail = await save(
        api, from_email="li_100%@gmail.example", smtp_host="smtp.gmail.com", client_id=client_api.client_id
    )
    warm = await save(api, from_email="warm@brightfold.example", warmup_enabled=True)
    paused = await save(api, from_email="paused@brightfold.example", warmup_enabled=True, is_suspended=True)
    await make.attach(db, api.user_id, await make.campaign(db, api.user_id), plain)
    await execute(db, "UPDATE mailboxes SET is_smtp_success = false WHERE id = %(id)s", {"id": warm})
    await execute(db, "UPDATE mailbox_warmups SET is_warmup_blocked = true WHERE mailbox_id = %(id)s", {"id": warm})

    async def listed(query: str) -> set[int]:
        return {row["id"] for row in (await api.get(f"/email-accounts?{query}")).json()}

    assert await listed("username=LOGIN-ONE") == {plain}
    assert await listed("username=brightfold") == {plain, gmail, warm, paused}
    assert await listed("username=plain@brightfold.example") == {plain}
    assert await listed("username=_100%25") == {gmail}
    assert await listed(f"client_id={client_api.client_id}") == {gmail}
    assert await listed("isInUse=true") == {plain}
    assert await listed("isInUse=false") == {gmail, warm, paused}
    assert await listed("emailWarmupStatus=ACTIVE") == {warm}
    assert await listed("emailWarmupStatus=inactive") == {plain, gmail, paused}
    assert await listed("isSmtpSuccess=false") == {warm}
    assert await listed("isWarmupBlocked=true") == {warm}
    assert await listed("is_warmup_blocked=false") == {plain, gmail, paused}
    assert await listed("esp=gmail") == {gmail}
    assert await listed("esp=SMTP&isInUse=true&username=nobody") == set()
    assert await listed("esp=&isInUse=&something=1") == {plain, gmail, warm, paused}
    assert {row["id"] for row in (await client_api.get("/email-accounts")).json()} == {gmail}


CALLS: list[tuple[str, str, dict[str, Any] | None]] = [
    ("GET", "/{}", None),
    ("POST", "/{}", {"from_name": "Mine"}),
    ("PATCH", "/{}", {}),
    ("DELETE", "/{}", None),
    ("POST", "/{}/warmup", {"warmup_enabled": True}),
    ("POST", "/{}/test-connection", None),
    ("POST", "/{}/test", None),
]


@pytest.mark.parametrize(("method", "path", "body"), CALLS)
async def test_nobody_else_finds_an_account(
    api: ApiClient,
    other_api: ApiClient,
    client_api: ApiClient,
    *,
    method: str,
    path: str,
    body: dict[str, Any] | None,
) -> None:
    mailbox_id = await save(api)
    for stranger in (other_api, client_api):
        answer = await stranger.request(method, "/email-accounts" + path.format(mailbox_id), json=body)
        assert (answer.status_code, answer.json()) == (404, not_found(mailbox_id))
    assert (await other_api.get("/email-accounts")).json() == []
    assert (await read(api, mailbox_id))["from_name"] == "Nora Quist"


@pytest.mark.parametrize(("method", "path", "body"), CALLS)
async def test_an_id_has_to_be_a_number(api: ApiClient, method: str, path: str, body: dict[str, Any] | None) -> None:
    answer = await api.request(method, "/email-accounts" + path.format("abc"), json=body)
    assert answer.status_code == 400
    assert answer.json()["message"] == '"email_account_id" must be a number'
    assert answer.json()["validation"] == {"source": "params", "keys": ["email_account_id"]}


# suspending ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by_hand", [("PUT", "DELETE"), ("POST", "POST")])
async def test_suspending_pauses_the_warmup_too(api: ApiClient, by_hand: tuple[str, str]) -> None:
    mailbox_id = await save(api, warmup_enabled=True)
    suspend, unsuspend = by_hand
    for _ in range(2):
        answer = await api.request(suspend, f"/email-accounts/suspend/{mailbox_id}")
        assert answer.json() == {
            "success": True,
            "ok": True,
            "message": "Email account suspended successfully",
            "data": {"accountId": mailbox_id, "isSuspended": True},
        }
        account = await read(api, mailbox_id)
        assert (account["is_suspended"], account["warmup_details"]["status"]) == (True, "PAUSED")
    answer = await api.request(unsuspend, f"/email-accounts/unsuspend/{mailbox_id}/")
    assert answer.json()["message"] == "Email account unsuspended successfully"
    assert answer.json()["data"] == {"accountId": mailbox_id, "isSuspended": False}
    account = await read(api, mailbox_id)
    assert (account["is_suspended"], account["warmup_details"]["status"]) == (False, "ACTIVE")


async def test_an_update_suspends_as_well(api: ApiClient) -> None:
    mailbox_id = await save(api, warmup_enabled=True)
    await api.post(f"/email-accounts/{mailbox_id}", json={"is_suspended": True})
    account = await read(api, mailbox_id)
    assert (account["is_suspended"], account["warmup_details"]["status"]) == (True, "PAUSED")


async def test_suspending_what_is_not_there(api: ApiClient, other_api: ApiClient) -> None:
    mailbox_id = await save(api)
    answer = await other_api.put(f"/email-accounts/suspend/{mailbox_id}")
    assert answer.status_code == 400
    assert (answer.json()["success"], answer.json()["message"]) == (
        False,
        "Email account not found or does not belong to you",
    )
    for path in ("suspend/abc", "suspend/-1"):
        answer = await api.put(f"/email-accounts/{path}")
        assert answer.status_code == 400
        assert (answer.json()["success"], answer.json()["message"]) == (False, "Valid account ID is required")
    assert (await api.put(f"/email-accounts/suspend/{10**30}")).status_code == 400


# deleting ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def told() -> Iterator[Heard]:
    with hearing(MailboxesDeleted) as heard:
        yield heard


async def test_a_deleted_account_is_gone_and_its_secrets_too(api: ApiClient, db: Db, told: Heard) -> None:
    mailbox_id = await save(api, imap_password="other", warmup_enabled=True)
    await add_tag(db, api.user_id, mailbox_id, "Cold pool")
    answer = await api.delete(f"/email-accounts/{mailbox_id}")
    assert (answer.status_code, answer.json()) == (
        200,
        {"ok": True, "message": "Email account deleted successfully!", "emailAccountId": mailbox_id},
    )
    assert [event.mailbox_ids for event in told.events] == [(mailbox_id,)]
    assert (await api.get("/email-accounts")).json() == []
    for method in ("GET", "DELETE"):
        answer = await api.request(method, f"/email-accounts/{mailbox_id}")
        assert (answer.status_code, answer.json()) == (404, not_found(mailbox_id))
    row = await fetch_dict(
        db,
        """
        SELECT password, imap_password, status, blocked_reason,
               (SELECT count(*) FROM mailbox_tags) AS tag_count
        FROM mailboxes
        JOIN mailbox_warmups ON mailbox_id = mailboxes.id
        """,
    )
    assert row == {
        "password": None,
        "imap_password": None,
        "status": "INACTIVE",
        "blocked_reason": "Email account is deleted by user action",
        "tag_count": 0,
    }


async def test_a_deleted_address_can_be_added_again(api: ApiClient) -> None:
    mailbox_id = await save(api)
    await api.delete(f"/email-accounts/{mailbox_id}")
    assert await save(api) != mailbox_id


async def test_many_at_once(api: ApiClient, other_api: ApiClient, told: Heard) -> None:
    first, second = await save(api), await save(api, from_email="ida@brightfold.example")
    foreign = await save(other_api, from_email="li@elsewhere.example")
    answer = await api.post("/email-accounts/bulk-delete", json={"ids": [second, foreign, first, str(second)]})
    assert answer.json() == {
        "ok": True,
        "message": "Email accounts deleted successfully!",
        "deleted": [second, first],
        "failed": [foreign],
    }
    assert [event.mailbox_ids for event in told.events] == [(first, second)]
    assert len((await other_api.get("/email-accounts")).json()) == 1
