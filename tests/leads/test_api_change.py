"""Pause, resume, stop, complete, delete, update and categorise leads over HTTP."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from outrider.campaigns.models import CampaignStatusChanged
from outrider.kit.db import Db, execute, fetch_value
from outrider.kit.edge import Edge
from outrider.leads.models import LeadCategoryUpdated, LeadUnsubscribed
from tests.support import make
from tests.support.client import ApiClient, Rollback, fresh_client
from tests.support.events import hearing
from tests.support.leads import add, add_one, change_place, count_rows, find_place, mail, mark_sent, person, place
from tests.support.make import NOW

NOT_FOUND = "Lead not found - Invalid lead_id."
SUCCESS = {"ok": True, "data": "success"}


@pytest.fixture
async def campaign_id(api: ApiClient, db: Db) -> int:
    return await make.campaign(db, api.user_id)


@pytest.fixture
async def lead_id(api: ApiClient, campaign_id: int) -> int:
    return await add_one(api, campaign_id)


@pytest.fixture
async def step_ids(api: ApiClient, db: Db, campaign_id: int) -> list[int]:
    """Three steps; the second and third with a delay of three and of no days."""
    first = await fetch_value(db, "SELECT id FROM steps WHERE campaign_id = %(id)s", {"id": campaign_id})
    others = [await make.step(db, api.user_id, campaign_id, number=number) for number in (2, 3)]
    await execute(db, "UPDATE steps SET delay_days = CASE number WHEN 2 THEN 3 ELSE 0 END")
    return [first, *others]


async def post(api: ApiClient, path: str, body: Any = None, *, status: int = 200) -> Any:
    answer = await api.post(path, json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


async def state(db: Db, campaign_id: int, lead_id: int) -> tuple[Any, ...]:
    mine = await place(db, campaign_id, lead_id)
    return mine["status"], mine["hold_reason"], mine["due_at"]


# pause and stop ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "reason", "after"),
    [
        ("STARTED", None, ("PAUSED", "MANUAL", None)),
        ("INPROGRESS", None, ("PAUSED", "MANUAL", None)),
        ("PAUSED", "OOO", ("PAUSED", "MANUAL", None)),
        ("STOPPED", "REPLIED", ("STOPPED", "REPLIED", NOW)),
        ("BLOCKED", "BOUNCED", ("BLOCKED", "BOUNCED", NOW)),
        ("COMPLETED", None, ("COMPLETED", None, NOW)),
    ],
)
async def test_pausing_holds_leads_that_are_open(
    api: ApiClient, db: Db, *, campaign_id: int, lead_id: int, status: str, reason: str | None, after: tuple[Any, ...]
) -> None:
    await change_place(
        db,
        campaign_id,
        lead_id,
        "status = %(status)s, hold_reason = %(reason)s, due_at = %(at)s",
        status=status,
        reason=reason,
        at=NOW,
    )
    assert await post(api, f"/campaigns/{campaign_id}/leads/{lead_id}/pause") == SUCCESS
    assert await state(db, campaign_id, lead_id) == after
    assert await post(api, f"/campaigns/{campaign_id}/leads/{lead_id}/pause/", {}) == SUCCESS


@pytest.mark.parametrize("verb", ["pause", "unsubscribe"])
async def test_what_is_unknown_is_404(
    api: ApiClient, other_api: ApiClient, *, client_api: ApiClient, campaign_id: int, lead_id: int, verb: str
) -> None:
    unknown = await post(api, f"/campaigns/{campaign_id}/leads/1000000999/{verb}", status=404)
    assert unknown["error"] == NOT_FOUND
    for stranger in (other_api, client_api):
        foreign = await post(stranger, f"/campaigns/{campaign_id}/leads/{lead_id}/{verb}", status=404)
        assert foreign["error"] == "Campaign not found - Invalid campaign_id."


# resume --------------------------------------------------------------------------------------------------------------


async def test_resuming_a_lead_without_a_mail_starts_it_now(
    api: ApiClient, db: Db, campaign_id: int, lead_id: int
) -> None:
    await post(api, f"/campaigns/{campaign_id}/leads/{lead_id}/pause")
    assert await post(api, f"/campaigns/{campaign_id}/leads/{lead_id}/resume") == SUCCESS
    assert await state(db, campaign_id, lead_id) == ("STARTED", None, NOW)


@pytest.mark.parametrize(
    ("body", "sent_at", "due_at"),
    [
        ({}, NOW - timedelta(days=1), NOW + timedelta(days=2)),
        ({"resume_lead_with_delay_days": None}, NOW - timedelta(days=1), NOW + timedelta(days=2)),
        ({"resume_lead_with_delay_days": 10}, NOW - timedelta(days=1), NOW + timedelta(days=9)),
        ({"resume_lead_with_delay_days": "10"}, NOW - timedelta(days=1), NOW + timedelta(days=9)),
        ({"resumeLeadWithDelayDays": 0}, NOW - timedelta(days=1), NOW),
        ({}, NOW - timedelta(days=30), NOW),
    ],
)
async def test_resuming_counts_from_the_last_mail_and_never_before_now(
    api: ApiClient,
    db: Db,
    *,
    campaign_id: int,
    lead_id: int,
    step_ids: list[int],
    body: dict[str, Any],
    sent_at: datetime,
    due_at: datetime,
) -> None:
    await mark_sent(db, campaign_id, lead_id, step_id=step_ids[0], at=sent_at, mailbox_id=await _attached(api, db))
    await change_place(db, campaign_id, lead_id, "status = 'STOPPED', hold_reason = 'REPLIED', due_at = NULL")
    assert await post(api, f"/campaigns/{campaign_id}/leads/{lead_id}/resume", body) == SUCCESS
    assert await state(db, campaign_id, lead_id) == ("INPROGRESS", None, due_at)


async def _attached(api: ApiClient, db: Db) -> int:
    mailbox_id = await make.mailbox(db, api.user_id)
    campaign_id = await fetch_value(
        db, "SELECT max(id) FROM campaigns WHERE user_id = %(user_id)s", {"user_id": api.user_id}
    )
    await make.attach(db, api.user_id, campaign_id, mailbox_id)
    return mailbox_id


async def test_resuming_keeps_the_wall_clock_time_over_a_change_of_the_clock(
    api: ApiClient, db: Db, campaign_id: int, lead_id: int, step_ids: list[int]
) -> None:
    await execute(db, "UPDATE campaigns SET timezone = 'Europe/Stockholm'")
    sent_at = datetime(2026, 3, 27, 9, 0, tzinfo=UTC)  # two days before summer time
    await mark_sent(db, campaign_id, lead_id, step_id=step_ids[0], at=sent_at, mailbox_id=await _attached(api, db))
    await post(api, f"/campaigns/{campaign_id}/leads/{lead_id}/pause")
    await post(api, f"/campaigns/{campaign_id}/leads/{lead_id}/resume")
    assert (await place(db, campaign_id, lead_id))["due_at"] == datetime(2026, 3, 30, 8, 0, tzinfo=UTC)


async def test_a_step_without_a_delay_is_due_after_the_gap(
    api: ApiClient, db: Db, campaign_id: int, lead_id: int, step_ids: list[int]
) -> None:
    await mark_sent(
        db, campaign_id, lead_id, step_id=step_ids[1], number=2, at=NOW, mailbox_id=await _attached(api, db)
    )
    await post(api, f"/campaigns/{campaign_id}/leads/{lead_id}/pause")
    await post(api, f"/campaigns/{campaign_id}/leads/{lead_id}/resume")
    assert (await place(db, campaign_id, lead_id))["due_at"] == NOW + timedelta(minutes=20)


@pytest.mark.parametrize("status", ["STARTED", "INPROGRESS"])
async def test_resuming_a_lead_on_its_way_changes_nothing(
    api: ApiClient, db: Db, campaign_id: int, lead_id: int, status: str
) -> None:
    later = NOW + timedelta(days=4)
    await change_place(db, campaign_id, lead_id, "status = %(status)s, due_at = %(at)s", status=status, at=later)
    assert await post(api, f"/campaigns/{campaign_id}/leads/{lead_id}/resume") == SUCCESS
    assert await state(db, campaign_id, lead_id) == (status, None, later)


@pytest.mark.parametrize("status", ["STOPPED", "COMPLETED", "PAUSED"])
async def test_without_a_step_left_a_lead_cannot_be_resumed(
    api: ApiClient, db: Db, *, campaign_id: int, lead_id: int, step_ids: list[int], status: str
) -> None:
    await mark_sent(db, campaign_id, lead_id, step_id=step_ids[2], number=3)
    await change_place(db, campaign_id, lead_id, "status = %(status)s", status=status)
    body = await post(api, f"/campaigns/{campaign_id}/leads/{lead_id}/resume", status=400)
    assert body == {
        "ok": False,
        "error": "This is the last sequence. You cannot resume this lead.",
        "message": "This is the last sequence. You cannot resume this lead.",
        "statusCode": 400,
    }


async def test_a_lead_that_is_not_in_the_campaign_cannot_be_resumed(api: ApiClient, db: Db, lead_id: int) -> None:
    other = await make.campaign(db, api.user_id)
    body = await post(api, f"/campaigns/{other}/leads/{lead_id}/resume", status=400)
    assert body["error"] == "Invalid lead id"
    body = await post(api, f"/campaigns/9/leads/{lead_id}/resume", status=404)
    assert body["error"] == "Campaign not found - Invalid campaign_id."


async def test_a_negative_delay_is_refused(api: ApiClient, campaign_id: int, lead_id: int) -> None:
    body = await post(
        api, f"/campaigns/{campaign_id}/leads/{lead_id}/resume", {"resume_lead_with_delay_days": -1}, status=400
    )
    assert body["message"] == '"resume_lead_with_delay_days" must be larger than or equal to 0'


async def test_strict_compatibility_answers_the_documented_500(
    make_app: Callable[..., Edge], connect: Any, api: ApiClient, db: Db, campaign_id: int
) -> None:
    strict = await connect(make_app(Rollback(db), strict_compat=True), db, user_id=api.user_id)
    body = await post(strict, f"/campaigns/{campaign_id}/leads/1000000999/resume", status=500)
    assert (body["error"], body["statusCode"]) == ("Invalid lead id", 500)


@pytest.mark.parametrize(
    "how",
    [
        "UPDATE leads SET is_unsubscribed = true",
        "UPDATE campaign_leads SET is_unsubscribed = true",
        """
        WITH client AS (
            INSERT INTO clients (user_id, name, email, created_at, updated_at)
            SELECT id, '', '', created_at, created_at FROM accounts LIMIT 1
            RETURNING id
        ), moved AS (UPDATE campaigns SET client_id = client.id FROM client)
        UPDATE leads SET unsubscribed_client_ids = ARRAY[client.id] FROM client
        """,
    ],
)
async def test_who_has_unsubscribed_stays_stopped(
    api: ApiClient, db: Db, campaign_id: int, lead_id: int, how: Any
) -> None:
    await change_place(db, campaign_id, lead_id, "status = 'STOPPED', hold_reason = 'UNSUBSCRIBED', due_at = NULL")
    await execute(db, how)
    assert await post(api, f"/campaigns/{campaign_id}/leads/{lead_id}/resume") == SUCCESS
    assert await state(db, campaign_id, lead_id) == ("STOPPED", "UNSUBSCRIBED", None)


@pytest.mark.parametrize("reason", ["BLOCKLISTED", "BOUNCED"])
async def test_who_is_blocked_can_be_resumed_when_the_entry_is_gone(
    api: ApiClient, db: Db, campaign_id: int, lead_id: int, reason: str
) -> None:
    await post(api, "/leads/add-domain-block-list", {"domain_block_list": ["hexly.io"]})
    await change_place(db, campaign_id, lead_id, "hold_reason = %(reason)s", reason=reason)
    assert await post(api, f"/campaigns/{campaign_id}/leads/{lead_id}/resume") == SUCCESS
    assert await state(db, campaign_id, lead_id) == ("BLOCKED", reason, None)
    await execute(db, "DELETE FROM block_list")
    assert await post(api, f"/campaigns/{campaign_id}/leads/{lead_id}/resume") == SUCCESS
    assert await state(db, campaign_id, lead_id) == ("STARTED", None, NOW)
    ignored = (await place(db, campaign_id, lead_id))["bounces_ignored_until"]
    assert ignored == (NOW if reason == "BOUNCED" else None)


async def test_a_bounce_of_our_own_making_can_be_resumed_at_once(
    api: ApiClient, db: Db, campaign_id: int, lead_id: int
) -> None:
    await change_place(db, campaign_id, lead_id, "status = 'BLOCKED', hold_reason = 'SENDER_BOUNCE'")
    await post(api, f"/campaigns/{campaign_id}/leads/{lead_id}/resume")
    assert await state(db, campaign_id, lead_id) == ("STARTED", None, NOW)


async def test_without_its_mailbox_a_lead_waits_to_be_reallocated(
    api: ApiClient, db: Db, campaign_id: int, lead_id: int, step_ids: list[int]
) -> None:
    mailbox_id = await make.mailbox(db, api.user_id)
    await mark_sent(db, campaign_id, lead_id, step_id=step_ids[0], mailbox_id=mailbox_id)
    await post(api, f"/campaigns/{campaign_id}/leads/{lead_id}/pause")
    assert await post(api, f"/campaigns/{campaign_id}/leads/{lead_id}/resume") == SUCCESS
    assert await state(db, campaign_id, lead_id) == ("STOPPED", "MAILBOX_GONE", None)
    await make.attach(db, api.user_id, campaign_id, mailbox_id)
    await post(api, f"/campaigns/{campaign_id}/leads/{lead_id}/resume")
    assert (await state(db, campaign_id, lead_id))[0] == "INPROGRESS"


async def test_resuming_a_lead_sets_a_completed_campaign_going_again(api: ApiClient, db: Db) -> None:
    campaign_id = await make.campaign(db, api.user_id, status="ACTIVE")
    lead_id = await add_one(api, campaign_id)
    await change_place(db, campaign_id, lead_id, "status = 'STOPPED', hold_reason = 'REPLIED'")
    await execute(db, "UPDATE campaigns SET status = 'COMPLETED'")
    with hearing(CampaignStatusChanged) as heard:
        await post(api, f"/campaigns/{campaign_id}/leads/{lead_id}/resume")
    assert [(event.previous, event.current) for event in heard.events] == [("COMPLETED", "ACTIVE")]


# the status route and manual complete --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "before", "after"),
    [
        ("PAUSED", "STARTED", "PAUSED"),
        ("paused", "STARTED", "PAUSED"),
        ("STOPPED", "STARTED", "STOPPED"),
        ("START", "PAUSED", "STARTED"),
        ("INPROGRESS", "PAUSED", "STARTED"),
        ("COMPLETED", "STARTED", "COMPLETED"),
    ],
)
@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_the_status_route_stands_for_the_others(
    api: ApiClient, db: Db, *, campaign_id: int, lead_id: int, word: str, before: str, after: str, method: str
) -> None:
    await change_place(db, campaign_id, lead_id, "status = %(status)s", status=before)
    answer = await api.request(method, f"/campaigns/{campaign_id}/leads/{lead_id}/status", json={"status": word})
    assert answer.status_code == 200
    if after == "COMPLETED":
        assert answer.json()["status"]["isLastSequence"] is False
    else:
        assert answer.json() == SUCCESS
    assert (await place(db, campaign_id, lead_id))["status"] == after


async def test_the_status_route_refuses_other_words_and_map_ids(
    api: ApiClient, db: Db, campaign_id: int, lead_id: int
) -> None:
    url = f"/campaigns/{campaign_id}/leads/{lead_id}/status"
    assert (await post(api, url, {}, status=400))["message"] == '"status" is required'
    body = await post(api, url, {"status": "BLOCKED"}, status=400)
    assert body["message"] == '"status" must be one of [PAUSED, INPROGRESS, START, COMPLETED, STOPPED]'
    map_id = (await place(db, campaign_id, lead_id))["id"]
    url = f"/campaigns/{campaign_id}/leads/{map_id}/status"
    assert (await post(api, url, {"status": "COMPLETED"}, status=404))["error"] == NOT_FOUND


@pytest.mark.parametrize("uses_map_id", [True, False])
async def test_marking_a_lead_complete_tells_what_would_have_followed(
    api: ApiClient, db: Db, *, campaign_id: int, lead_id: int, step_ids: list[int], uses_map_id: bool
) -> None:
    await mark_sent(db, campaign_id, lead_id, step_id=step_ids[0])
    map_id = (await place(db, campaign_id, lead_id))["id"]
    url = f"/campaigns/{campaign_id}/leads/{map_id if uses_map_id else lead_id}/manual-complete"
    expected = {
        "ok": True,
        "status": {"isLastSequence": False, "nextSequence": {"id": step_ids[1], "delayInDays": 3}},
        "success": True,
        "message": "Lead marked as complete",
    }
    assert await post(api, url) == expected
    assert await state(db, campaign_id, lead_id) == ("COMPLETED", None, None)
    assert (await place(db, campaign_id, lead_id))["is_completed_by_hand"]
    assert await post(api, url, {}) == expected


async def test_a_mail_that_waits_for_another_try_is_still_ahead(
    api: ApiClient, db: Db, campaign_id: int, lead_id: int, step_ids: list[int]
) -> None:
    await mark_sent(db, campaign_id, lead_id, step_id=step_ids[0])
    await mail(db, api.user_id, campaign_id, lead_id, step_id=step_ids[0])
    await mail(db, api.user_id, campaign_id, lead_id, step_id=step_ids[1], status="QUEUED", sent_at=NOW)
    body = await post(api, f"/campaigns/{campaign_id}/leads/{lead_id}/manual-complete")
    assert body["status"]["nextSequence"]["id"] == step_ids[1]


async def test_after_the_last_step_nothing_follows(
    api: ApiClient, db: Db, campaign_id: int, lead_id: int, step_ids: list[int]
) -> None:
    await mark_sent(db, campaign_id, lead_id, step_id=step_ids[2], number=3)
    body = await post(api, f"/campaigns/{campaign_id}/leads/{lead_id}/manual-complete")
    assert body["status"] == {"isLastSequence": True, "nextSequence": None}


async def test_a_step_of_a_person_is_done_and_the_next_one_planned(
    api: ApiClient, db: Db, campaign_id: int, lead_id: int, step_ids: list[int]
) -> None:
    await execute(db, "UPDATE steps SET type = 'MANUAL' WHERE id = %(id)s", {"id": step_ids[1]})
    await execute(db, "UPDATE steps SET delay_days = 2 WHERE id = %(id)s", {"id": step_ids[2]})
    await mark_sent(db, campaign_id, lead_id, step_id=step_ids[0], at=NOW - timedelta(days=9))
    await change_place(db, campaign_id, lead_id, "hold_code = 'MANUAL_STEP', hold_text = 'x', due_at = NULL")
    body = await post(api, f"/campaigns/{campaign_id}/leads/{lead_id}/manual-complete")
    assert body["status"] == {"isLastSequence": False, "nextSequence": {"id": step_ids[2], "delayInDays": 2}}
    mine = await place(db, campaign_id, lead_id)
    assert (mine["status"], mine["last_step_number"], mine["due_at"]) == ("INPROGRESS", 2, NOW + timedelta(days=2))
    assert mine["hold_code"] is None


async def test_the_last_step_of_a_person_completes_the_lead(
    api: ApiClient, db: Db, campaign_id: int, lead_id: int, step_ids: list[int]
) -> None:
    await execute(db, "UPDATE steps SET type = 'MANUAL' WHERE id = %(id)s", {"id": step_ids[2]})
    await mark_sent(db, campaign_id, lead_id, step_id=step_ids[1], number=2)
    body = await post(api, f"/campaigns/{campaign_id}/leads/{lead_id}/manual-complete")
    assert body["status"] == {"isLastSequence": True, "nextSequence": None}
    mine = await place(db, campaign_id, lead_id)
    assert (mine["status"], mine["last_step_number"], mine["is_completed_by_hand"]) == ("COMPLETED", 3, False)


async def test_only_leads_of_the_campaign_can_be_completed(api: ApiClient, db: Db, campaign_id: int) -> None:
    other = await make.campaign(db, api.user_id)
    lead_id = await add_one(api, other)
    map_id = (await place(db, other, lead_id))["id"]
    for some_id in (lead_id, map_id, 3_000_000_999):
        body = await post(api, f"/campaigns/{campaign_id}/leads/{some_id}/manual-complete", status=404)
        assert body["error"] == "Lead not found - Invalid lead_map_id."
    body = await post(api, f"/campaigns/9/leads/{map_id}/manual-complete", status=404)
    assert body["error"] == "Campaign not found - Invalid campaign_id."


async def test_a_blocked_lead_is_not_completed(api: ApiClient, db: Db, campaign_id: int, lead_id: int) -> None:
    await change_place(db, campaign_id, lead_id, "status = 'BLOCKED', hold_reason = 'BOUNCED'")
    await post(api, f"/campaigns/{campaign_id}/leads/{lead_id}/manual-complete")
    assert (await state(db, campaign_id, lead_id))[:2] == ("BLOCKED", "BOUNCED")


# delete --------------------------------------------------------------------------------------------------------------


async def test_deleting_from_a_campaign_answers_a_json_text_once(
    api: ApiClient, db: Db, campaign_id: int, lead_id: int
) -> None:
    answer = await api.delete(f"/campaigns/{campaign_id}/leads/{lead_id}")
    assert (answer.status_code, answer.content) == (200, b'"success"')
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    again = await api.delete(f"/campaigns/{campaign_id}/leads/{lead_id}")
    assert (again.status_code, again.json()["error"]) == (404, NOT_FOUND)


async def test_a_lead_is_forgotten_with_its_last_campaign_and_its_mails_keep_counting(
    api: ApiClient, db: Db, campaign_id: int, lead_id: int, step_ids: list[int]
) -> None:
    other = await make.campaign(db, api.user_id)
    await add(api, other, "ada@hexly.io")
    await mail(db, api.user_id, campaign_id, lead_id, step_id=step_ids[0])
    await api.delete(f"/campaigns/{campaign_id}/leads/{lead_id}")
    assert (await person(db, lead_id))["email"] == "ada@hexly.io"
    assert await find_place(db, other, lead_id) is not None
    await api.delete(f"/campaigns/{other}/leads/{lead_id}")
    assert await count_rows(db, "leads") == 0
    assert await count_rows(db, "messages") == 1


async def test_that_a_forgotten_person_wants_no_mail_stays_known(
    api: ApiClient, db: Db, campaign_id: int, lead_id: int
) -> None:
    await post(api, f"/campaigns/{campaign_id}/leads/{lead_id}/category", {"category_id": 4})
    await api.delete(f"/campaigns/{campaign_id}/leads/{lead_id}")
    assert (await add(api, campaign_id, "ada@hexly.io"))["unsubscribed_leads"] == ["ada@hexly.io"]


async def test_deleting_a_lead_takes_it_out_of_everything(
    api: ApiClient, db: Db, campaign_id: int, lead_id: int
) -> None:
    other = await make.campaign(db, api.user_id)
    await add(api, other, "ada@hexly.io")
    answer = await api.delete(f"/leads/{lead_id}")
    assert (answer.status_code, answer.json()) == (200, {"ok": True, "message": "success"})
    assert (await count_rows(db, "leads"), await count_rows(db, "campaign_leads")) == (0, 0)
    again = await api.delete(f"/leads/{lead_id}")
    assert (again.status_code, again.json()["error"]) == (404, NOT_FOUND)


async def test_the_key_of_a_client_deletes_from_its_own_campaigns(
    api: ApiClient, client_api: ApiClient, *, other_api: ApiClient, db: Db, campaign_id: int, lead_id: int
) -> None:
    assert (await other_api.delete(f"/leads/{lead_id}")).status_code == 404
    assert (await client_api.delete(f"/leads/{lead_id}")).status_code == 404
    own = await make.campaign(db, api.user_id, client_id=client_api.client_id)
    await add(api, own, "ada@hexly.io")
    assert (await client_api.delete(f"/leads/{lead_id}")).status_code == 200
    assert await find_place(db, own, lead_id) is None
    assert await find_place(db, campaign_id, lead_id) is not None


# update --------------------------------------------------------------------------------------------------------------


async def test_an_update_changes_only_what_is_sent(api: ApiClient, db: Db, campaign_id: int) -> None:
    lead_id = await add_one(
        api,
        campaign_id,
        first_name="Ada",
        last_name="Quill",
        location="Lund",
        custom_fields={"Title": "CTO", "Tier": "A"},
    )
    body = await post(
        api,
        f"/campaigns/{campaign_id}/leads/{lead_id}/",
        {
            "email": "ada@hexly.io",
            "first_name": " Adah ",
            "location": "",
            "last_name": None,
            "phone_number": 4612,
            "custom_fields": {"Title": "CEO", "Tier": None, "City": "Lund"},
        },
    )
    assert body == {"ok": True}
    row = await person(db, lead_id)
    assert (row["first_name"], row["last_name"], row["location"]) == ("Adah", "Quill", None)
    assert row["phone_number"] == "4612"
    assert row["custom_fields"] == {"Title": "CEO", "City": "Lund"}


@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_a_lead_can_be_updated_without_a_campaign(
    api: ApiClient, db: Db, campaign_id: int, lead_id: int, method: str
) -> None:
    body = {"firstName": "Ada", "company": "Hexly", "phone": 12, "customFields": '{"Title": "CTO"}'}
    answer = await api.request(method, f"/leads/{lead_id}", json=body)
    assert (answer.status_code, answer.json()) == (200, {"ok": True})
    row = await person(db, lead_id)
    assert (row["first_name"], row["company_name"], row["phone_number"]) == ("Ada", "Hexly", "12")
    assert row["custom_fields"] == {"Title": "CTO"}


async def test_an_address_can_be_changed_to_a_free_one(api: ApiClient, db: Db, campaign_id: int, lead_id: int) -> None:
    await add(api, campaign_id, "bo@tarn.dev")
    url = f"/campaigns/{campaign_id}/leads/{lead_id}"
    body = await post(api, url, {"email": "BO@tarn.dev"}, status=400)
    assert body["error"] == "Lead with this email already exists."
    await post(api, url, {"email": " Ada@Quill.example "})
    row = await person(db, lead_id)
    assert (row["email"], row["domain"]) == ("ada@quill.example", "quill.example")


async def test_a_new_address_brings_its_own_unsubscribe(api: ApiClient, db: Db, campaign_id: int, lead_id: int) -> None:
    await execute(
        db,
        "INSERT INTO unsubscribes VALUES (%(user_id)s, 'out@hexly.io', 0, %(now)s)",
        {"user_id": api.user_id, "now": NOW},
    )
    with hearing(LeadUnsubscribed) as heard:
        await post(api, f"/leads/{lead_id}", {"email": "out@hexly.io"})
    assert (await person(db, lead_id))["is_unsubscribed"]
    assert await state(db, campaign_id, lead_id) == ("STOPPED", "UNSUBSCRIBED", None)
    assert heard.events == []  # it was told when it happened


async def test_one_from_a_client_covers_the_client_s_campaigns(
    api: ApiClient, db: Db, campaign_id: int, lead_id: int
) -> None:
    client_id = await fresh_client(db, api.user_id, NOW)
    of_the_client = await make.campaign(db, api.user_id, client_id=client_id)
    await post(
        api, f"/campaigns/{of_the_client}/leads", {"lead_list": [{"email": (await person(db, lead_id))["email"]}]}
    )
    await execute(
        db,
        "INSERT INTO unsubscribes VALUES (%(user_id)s, 'out@hexly.io', %(client_id)s, %(now)s)",
        {"user_id": api.user_id, "client_id": client_id, "now": NOW},
    )
    await post(api, f"/leads/{lead_id}", {"email": "out@hexly.io"})
    row = await person(db, lead_id)
    assert (row["is_unsubscribed"], row["unsubscribed_client_ids"]) == (False, [client_id])
    assert (await state(db, of_the_client, lead_id))[:2] == ("STOPPED", "UNSUBSCRIBED")
    assert (await state(db, campaign_id, lead_id))[:2] == ("STARTED", None)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"email": "nora@@hexly"}, '"email" must be a valid email'),
        ({"title": "CTO"}, '"title" is not allowed'),
        ({"first_name": 5}, '"first_name" must be a string'),
        ({"custom_fields": [1]}, '"custom_fields" must be of type object'),
        ({"custom_fields": {"Title": {}}}, '"custom_fields.Title" must be a string'),
        (
            {"custom_fields": {f"f{i}": 1 for i in range(201)}},
            '"custom_fields" must have less than or equal to 200 keys',
        ),
    ],
)
async def test_a_malformed_update_is_refused(
    api: ApiClient, campaign_id: int, lead_id: int, body: dict[str, Any], message: str
) -> None:
    assert (await post(api, f"/campaigns/{campaign_id}/leads/{lead_id}", body, status=400))["message"] == message


async def test_only_leads_of_the_campaign_are_updated_through_it(
    api: ApiClient, other_api: ApiClient, db: Db, lead_id: int
) -> None:
    other = await make.campaign(db, api.user_id)
    body = await post(api, f"/campaigns/{other}/leads/{lead_id}", {"first_name": "Eve"}, status=404)
    assert (body["ok"], body["error"]) == (False, "Invalid request!")
    body = await post(api, f"/campaigns/9/leads/{lead_id}", {"first_name": "Eve"}, status=404)
    assert body["error"] == "Campaign not found - Invalid campaign_id."
    body = await post(other_api, f"/leads/{lead_id}", {"first_name": "Eve"}, status=404)
    assert body["error"] == NOT_FOUND


# category ------------------------------------------------------------------------------------------------------------


async def test_a_category_is_set_and_taken_away_and_told_when_it_changes(
    api: ApiClient, db: Db, campaign_id: int, lead_id: int
) -> None:
    url = f"/campaigns/{campaign_id}/leads/{lead_id}/category"
    map_id = (await place(db, campaign_id, lead_id))["id"]
    with hearing(LeadCategoryUpdated) as heard:
        for body in ({"category_id": 1}, {"category_id": "1"}, {"category": "meeting REQUEST"}, {"category_id": None}):
            assert await post(api, url, body) == {"ok": True}
    assert heard.events == [
        LeadCategoryUpdated(api.user_id, campaign_id, map_id, None, 1, NOW),
        LeadCategoryUpdated(api.user_id, campaign_id, map_id, 1, 2, NOW),
        LeadCategoryUpdated(api.user_id, campaign_id, map_id, 2, None, NOW),
    ]
    assert (await place(db, campaign_id, lead_id))["category_id"] is None


async def test_a_category_can_pause_the_lead(api: ApiClient, db: Db, campaign_id: int, lead_id: int) -> None:
    url = f"/campaigns/{campaign_id}/leads/{lead_id}/category"
    await post(api, url, {"category_id": 1})
    assert (await place(db, campaign_id, lead_id))["status"] == "STARTED"
    await post(api, url, {"category_id": 1, "pause_lead": "true"})
    assert await state(db, campaign_id, lead_id) == ("PAUSED", "MANUAL", None)


async def test_do_not_contact_stops_the_lead_everywhere_until_a_person_takes_it_away(
    api: ApiClient, db: Db, campaign_id: int, lead_id: int
) -> None:
    other = await make.campaign(db, api.user_id)
    await add(api, other, "ada@hexly.io")
    await post(api, f"/campaigns/{campaign_id}/leads/{lead_id}/category", {"category_id": 4})
    for each in (campaign_id, other):
        assert await state(db, each, lead_id) == ("STOPPED", "DO_NOT_CONTACT", None)
    assert (await person(db, lead_id))["is_unsubscribed"]
    await post(api, f"/campaigns/{other}/leads/{lead_id}/resume")
    assert (await place(db, other, lead_id))["status"] == "STOPPED"
    await post(api, f"/campaigns/{campaign_id}/leads/{lead_id}/category", {"category_id": None})
    assert not (await person(db, lead_id))["is_unsubscribed"]
    await post(api, f"/campaigns/{other}/leads/{lead_id}/resume")
    assert (await place(db, other, lead_id))["status"] == "STARTED"


async def test_taking_do_not_contact_away_does_not_undo_an_unsubscribe(
    api: ApiClient, db: Db, campaign_id: int, lead_id: int
) -> None:
    await post(api, f"/campaigns/{campaign_id}/leads/{lead_id}/category", {"category_id": 4})
    await post(api, f"/leads/{lead_id}/unsubscribe")
    await post(api, f"/campaigns/{campaign_id}/leads/{lead_id}/category", {"category_id": 1})
    assert (await person(db, lead_id))["is_unsubscribed"]


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({}, '"category_id" is required'),
        ({"category_id": "x"}, '"category_id" must be a number'),
        ({"category_id": 77}, "Invalid category_id."),
        ({"category": "Nonsense"}, "Invalid category_id."),
        ({"category_id": 1, "pause_lead": "perhaps"}, '"pause_lead" must be a boolean'),
    ],
)
async def test_a_bad_category_is_refused(
    api: ApiClient, campaign_id: int, lead_id: int, body: dict[str, Any], text: str
) -> None:
    answer = await post(api, f"/campaigns/{campaign_id}/leads/{lead_id}/category", body, status=400)
    assert answer["message"] == text


async def test_a_category_of_another_account_is_unknown(
    api: ApiClient, other_api: ApiClient, db: Db, campaign_id: int, lead_id: int
) -> None:
    category_id = await fetch_value(
        db,
        "INSERT INTO categories (user_id, name, created_at) VALUES (%(id)s, 'Later', %(now)s) RETURNING id",
        {"id": other_api.user_id, "now": NOW},
    )
    url = f"/campaigns/{campaign_id}/leads/{lead_id}/category"
    assert (await post(api, url, {"category_id": category_id}, status=400))["error"] == "Invalid category_id."
    body = await post(api, f"/campaigns/{campaign_id}/leads/1000000999/category", {"category_id": 1}, status=404)
    assert body["error"] == NOT_FOUND
    body = await post(other_api, url, {"category_id": 1}, status=404)
    assert body["error"] == "Campaign not found - Invalid campaign_id."
