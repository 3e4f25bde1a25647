"""Warmup settings: what a change comes to, and over HTTP."""

from typing import Any

import pytest

from outrider.kit.db import Db, execute, fetch_value
from tests.support import make
from tests.support.client import ApiClient


@pytest.fixture
async def mailbox_id(api: ApiClient, db: Db) -> int:
    return await make.mailbox(db, api.user_id)


async def change(api: ApiClient, mailbox_id: int, **body: Any) -> dict[str, Any]:
    answer = await api.post(f"/email-accounts/{mailbox_id}/warmup", json=body)
    assert answer.status_code == 200, answer.text
    return await details(api, mailbox_id)


async def details(api: ApiClient, mailbox_id: int) -> dict[str, Any]:
    account = (await api.get(f"/email-accounts/{mailbox_id}")).json()
    return account["warmup_details"] or {}


async def test_the_answer(api: ApiClient, mailbox_id: int) -> None:
    answer = await api.post(f"/email-accounts/{mailbox_id}/warmup", json={"warmup_enabled": "true"})
    assert answer.json() == {
        "ok": True,
        "message": "Email warmup details updated successfully!",
        "emailAccountId": mailbox_id,
        "warmupKey": "maple-otter",
    }


async def test_enabling_for_the_first_time_takes_the_defaults(api: ApiClient, mailbox_id: int) -> None:
    shown = await change(api, mailbox_id, warmup_enabled=True)
    created_at = shown["created_at"]
    assert shown == {
        "id": shown["id"],
        "status": "ACTIVE",
        "created_at": created_at,
        "warmup_created_at": created_at,
        "reply_rate": 30,
        "warmup_key_id": "maple-otter",
        "blocked_reason": None,
        "total_sent_count": 0,
        "total_spam_count": 0,
        "warmup_min_count": 3,
        "warmup_max_count": 20,
        "is_warmup_blocked": False,
        "max_email_per_day": 20,
        "warmup_reputation": 100,
        "is_rampup_enabled": True,
        "rampup_value": 5,
        "auto_adjust_warmup": False,
        "send_warmups_only_on_weekdays": False,
        "use_custom_domain": False,
        "is_rampup_reached": False,
    }
    (listed,) = (await api.get("/email-accounts")).json()
    assert listed["warmup_details"] == shown | {"warmup_reputation": "100%"}


async def test_never_enabled_is_null(api: ApiClient, mailbox_id: int) -> None:
    assert await change(api, mailbox_id, warmup_enabled=False) == {}
    assert (await change(api, mailbox_id))["status"] == "ACTIVE"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"total_warmup_per_day": "35"}, {"max_email_per_day": 35, "warmup_max_count": 35, "warmup_min_count": 3}),
        ({"total_warmup_per_day": 2}, {"max_email_per_day": 2, "warmup_max_count": 2, "warmup_min_count": 2}),
        ({"maxEmailPerDay": 12}, {"max_email_per_day": 12}),
        ({"daily_rampup": 2}, {"rampup_value": 2, "is_rampup_enabled": True}),
        ({"daily_ramp_up": 2}, {"rampup_value": 2}),
        ({"rampupValue": 7}, {"rampup_value": 7}),
        ({"daily_rampup": 0}, {"is_rampup_enabled": False, "is_rampup_reached": True}),
        ({"daily_rampup": None}, {"is_rampup_enabled": False}),
        ({"isRampupEnabled": False}, {"rampup_value": 5, "is_rampup_enabled": False}),
        ({"reply_rate_percentage": "45"}, {"reply_rate": 45}),
        ({"replyRate": 10}, {"reply_rate": 10}),
        ({"warmup_key_id": "odd key!"}, {"warmup_key_id": "odd key!"}),
        ({"warmup_key_id": None}, {"warmup_key_id": "maple-otter"}),
        ({"autoAdjustWarmup": "true"}, {"auto_adjust_warmup": True}),
        ({"sendWarmupsOnlyOnWeekdays": True}, {"send_warmups_only_on_weekdays": True}),
        ({"useCustomDomain": 1}, {"use_custom_domain": True}),
        ({"warmup_min_count": 5, "warmup_max_count": 9}, {"warmup_min_count": 5, "warmup_max_count": 9}),
        ({"warmup_max_count": 2}, {"warmup_min_count": 2, "warmup_max_count": 2, "max_email_per_day": 20}),
        ({"status": "ACTIVE"}, {"status": "ACTIVE"}),
    ],
)
async def test_spellings_and_what_they_mean(
    api: ApiClient, mailbox_id: int, body: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert expected.items() <= (await change(api, mailbox_id, **body)).items()


async def test_what_is_not_sent_keeps_its_value(api: ApiClient, mailbox_id: int) -> None:
    before = await change(
        api, mailbox_id, total_warmup_per_day=35, daily_rampup=2, reply_rate_percentage=45, warmup_min_count=5
    )
    after = await change(api, mailbox_id, warmup_enabled=True, auto_adjust_warmup=True)
    assert after == before | {"auto_adjust_warmup": True}


async def test_switching_off_and_on_restarts_the_ramp(api: ApiClient, mailbox_id: int, db: Db) -> None:
    await change(api, mailbox_id, warmup_enabled=True)
    await execute(db, "UPDATE mailbox_warmups SET ramp_started_at = '2026-01-01Z'")
    assert (await change(api, mailbox_id, warmup_enabled=True))["is_rampup_reached"] is True
    assert (await change(api, mailbox_id, warmup_enabled=False))["status"] == "INACTIVE"
    shown = await change(api, mailbox_id, warmup_enabled=True)
    assert (shown["status"], shown["is_rampup_reached"]) == ("ACTIVE", False)


async def test_a_suspended_account_stays_paused(api: ApiClient, db: Db) -> None:
    mailbox_id = await make.mailbox(db, api.user_id, is_suspended=True)
    assert (await change(api, mailbox_id, warmup_enabled=True))["status"] == "PAUSED"
    shown = await change(api, mailbox_id, total_warmup_per_day=10)
    assert (shown["status"], shown["max_email_per_day"]) == ("PAUSED", 10)


async def test_enabling_unblocks_when_the_log_in_works(api: ApiClient, mailbox_id: int, db: Db) -> None:
    await change(api, mailbox_id, warmup_enabled=True)
    await execute(db, "UPDATE mailbox_warmups SET is_warmup_blocked = true, blocked_reason = 'IMAP: NO'")
    await execute(db, "UPDATE mailboxes SET is_imap_success = false")
    assert (await change(api, mailbox_id, warmup_enabled=True))["blocked_reason"] == "IMAP: NO"
    await execute(db, "UPDATE mailboxes SET is_imap_success = true")
    shown = await change(api, mailbox_id, warmup_enabled=True)
    assert (shown["is_warmup_blocked"], shown["blocked_reason"]) == (False, None)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"total_warmup_per_day": 51}, '"total_warmup_per_day" must be less than or equal to 50'),
        ({"total_warmup_per_day": 0}, '"total_warmup_per_day" must be larger than or equal to 1'),
        ({"reply_rate_percentage": 101}, '"reply_rate_percentage" must be less than or equal to 100'),
        (
            {"warmup_min_count": 9, "warmup_max_count": 5},
            '"warmup_min_count" must be less than or equal to ref:warmup_max_count',
        ),
        ({"warmup_enabled": "perhaps"}, '"warmup_enabled" must be a boolean'),
    ],
)
async def test_what_cannot_be_is_refused(
    api: ApiClient, mailbox_id: int, db: Db, body: dict[str, Any], message: str
) -> None:
    answer = await api.post(f"/email-accounts/{mailbox_id}/warmup", json=body)
    assert (answer.status_code, answer.json()["message"]) == (400, message)
    assert await fetch_value(db, "SELECT count(*) FROM mailbox_warmups") == 0


async def test_saving_an_account_takes_warmup_settings_too(api: ApiClient, mailbox_id: int) -> None:
    body = {"id": mailbox_id, "warmup_enabled": True, "total_warmup_per_day": None, "daily_rampup": None}
    answer = await api.post("/email-accounts/save", json=body)
    assert answer.json()["data"]["warmup_details"] == {"status": "ACTIVE", "total_warmup_per_day": 20}
    assert (await details(api, mailbox_id))["rampup_value"] == 5
    await api.post(f"/email-accounts/{mailbox_id}", json={"reply_rate_percentage": 50, "warmup_enabled": "false"})
    shown = await details(api, mailbox_id)
    assert (shown["status"], shown["reply_rate"]) == ("INACTIVE", 50)
    answer = await api.post("/email-accounts/save", json={"id": mailbox_id, "from_name": "Nora"})
    assert answer.json()["data"]["warmup_details"] is None


async def test_the_other_path(api: ApiClient, mailbox_id: int) -> None:
    answer = await api.put(f"/email-accounts/{mailbox_id}/warmup-settings", json={"status": "INACTIVE"})
    assert answer.json()["ok"] is True
    assert await details(api, mailbox_id) == {}
