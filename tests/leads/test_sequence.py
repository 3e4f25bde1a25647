"""Leads follow their campaign: a changed sequence, a start, mailboxes that are taken out."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from outrider.campaigns.models import MailboxRemoved
from outrider.kit.db import Db, execute, fetch_value
from outrider.leads.sequence import follow_mailboxes
from tests.support import make
from tests.support.client import ApiClient
from tests.support.leads import add_one, change_place, mail, mark_sent, place
from tests.support.make import NOW

SENT_AT = NOW - timedelta(days=1)


@pytest.fixture
async def campaign_id(api: ApiClient, db: Db) -> int:
    return await make.campaign(db, api.user_id, status="ACTIVE", has_step=False)


async def save(api: ApiClient, campaign_id: int, *steps: dict[str, Any]) -> list[int]:
    """Replace the sequence through the API; returns the ids of its steps."""
    body = {
        "sequences": [
            {"seq_number": number, "email_body": "Hello", "delay_in_days": 3, **step}
            for number, step in enumerate(steps, start=1)
        ]
    }
    answer = await api.post(f"/campaigns/{campaign_id}/sequences", json=body)
    assert answer.status_code == 200, answer.text
    return [step["id"] for step in answer.json()["data"]["sequences"]]


async def sent(api: ApiClient, db: Db, campaign_id: int, step_id: int, number: int, **columns: Any) -> int:
    """A lead that got this step yesterday."""
    lead_id = await add_one(api, campaign_id)
    mailbox_id = await make.mailbox(db, api.user_id)
    await make.attach(db, api.user_id, campaign_id, mailbox_id)
    await mark_sent(db, campaign_id, lead_id, step_id=step_id, number=number, at=SENT_AT, mailbox_id=mailbox_id)
    await mail(db, api.user_id, campaign_id, lead_id, step_id=step_id, sent_at=SENT_AT, **columns)
    return lead_id


async def state(db: Db, campaign_id: int, lead_id: int) -> tuple[Any, ...]:
    mine = await place(db, campaign_id, lead_id)
    return mine["status"], mine["due_at"]


async def test_a_changed_delay_moves_the_date_of_the_next_step(api: ApiClient, db: Db, campaign_id: int) -> None:
    first, second = await save(api, campaign_id, {}, {})
    lead_id = await sent(api, db, campaign_id, first, 1)
    await save(api, campaign_id, {"id": first}, {"id": second, "delay_in_days": 5})
    assert await state(db, campaign_id, lead_id) == ("INPROGRESS", SENT_AT + timedelta(days=5))
    await save(api, campaign_id, {"id": first}, {"id": second, "delay_in_days": 0})
    assert await state(db, campaign_id, lead_id) == ("INPROGRESS", SENT_AT + timedelta(minutes=20))


async def test_the_date_keeps_the_wall_clock_time_of_the_campaign(api: ApiClient, db: Db, campaign_id: int) -> None:
    await execute(db, "UPDATE campaigns SET timezone = 'Europe/Stockholm'")
    first, second = await save(api, campaign_id, {}, {})
    lead_id = await sent(api, db, campaign_id, first, 1)
    before_summer_time = datetime(2026, 3, 27, 9, 0, tzinfo=UTC)
    await change_place(db, campaign_id, lead_id, "last_sent_at = %(at)s", at=before_summer_time)
    await save(api, campaign_id, {"id": first}, {"id": second})
    assert await state(db, campaign_id, lead_id) == ("INPROGRESS", datetime(2026, 3, 30, 8, 0, tzinfo=UTC))


@pytest.mark.parametrize(("delay", "days"), [(1, 1), (4, 4), (5, 7), (6, 8), (12, 16)])
async def test_a_delay_may_count_sending_days_only(
    api: ApiClient, db: Db, campaign_id: int, delay: int, days: int
) -> None:
    """From Monday, with nothing sent at weekends."""
    await api.post(f"/campaigns/{campaign_id}/settings", json={"count_only_sending_days": True})
    first, second = await save(api, campaign_id, {}, {})
    lead_id = await sent(api, db, campaign_id, first, 1)
    await change_place(db, campaign_id, lead_id, "last_sent_at = %(at)s", at=NOW)
    await save(api, campaign_id, {"id": first}, {"id": second, "delay_in_days": delay})
    assert await state(db, campaign_id, lead_id) == ("INPROGRESS", NOW + timedelta(days=days))


async def test_without_a_step_left_a_lead_is_completed(api: ApiClient, db: Db, campaign_id: int) -> None:
    first, _ = await save(api, campaign_id, {}, {})
    lead_id = await sent(api, db, campaign_id, first, 1)
    await save(api, campaign_id, {"id": first})
    assert await state(db, campaign_id, lead_id) == ("COMPLETED", None)


async def test_emptying_the_sequence_leaves_every_status_alone(api: ApiClient, db: Db, campaign_id: int) -> None:
    first, _ = await save(api, campaign_id, {}, {})
    lead_id = await sent(api, db, campaign_id, first, 1)
    await save(api, campaign_id)
    assert (await state(db, campaign_id, lead_id))[0] == "INPROGRESS"


async def test_a_lead_goes_on_after_the_old_number_of_a_step_that_was_removed(
    api: ApiClient, db: Db, campaign_id: int
) -> None:
    _, second = await save(api, campaign_id, {}, {})
    lead_id = await sent(api, db, campaign_id, second, 2)
    await save(api, campaign_id, {}, {}, {"delay_in_days": 4})
    assert await state(db, campaign_id, lead_id) == ("INPROGRESS", SENT_AT + timedelta(days=4))


async def test_a_lead_never_gets_a_step_it_already_got(api: ApiClient, db: Db, campaign_id: int) -> None:
    first, second = await save(api, campaign_id, {}, {})
    lead_id = await sent(api, db, campaign_id, first, 1)
    await mail(db, api.user_id, campaign_id, lead_id, step_id=second)
    await mark_sent(db, campaign_id, lead_id, step_id=second, number=2, at=SENT_AT)
    await save(api, campaign_id, {"id": second}, {"id": first})
    assert await state(db, campaign_id, lead_id) == ("COMPLETED", None)


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ("updated_at = updated_at", "INPROGRESS"),
        ("is_completed_by_hand = true", "COMPLETED"),
        ("last_reply_at = updated_at", "COMPLETED"),
        ("is_unsubscribed = true", "COMPLETED"),
        ("hold_reason = 'REPLIED'", "COMPLETED"),
    ],
)
async def test_who_was_completed_for_lack_of_steps_goes_on_with_new_ones(
    api: ApiClient, db: Db, campaign_id: int, change: Any, status: str
) -> None:
    (first,) = await save(api, campaign_id, {})
    lead_id = await sent(api, db, campaign_id, first, 1)
    await change_place(db, campaign_id, lead_id, "status = 'COMPLETED', due_at = NULL, " + change)
    await save(api, campaign_id, {"id": first}, {})
    due_at = SENT_AT + timedelta(days=3) if status == "INPROGRESS" else None
    assert await state(db, campaign_id, lead_id) == (status, due_at)


async def test_whose_mailbox_left_before_there_were_new_steps_is_stopped_for_that(
    api: ApiClient, db: Db, campaign_id: int
) -> None:
    (first,) = await save(api, campaign_id, {})
    lead_id = await sent(api, db, campaign_id, first, 1)
    gone = await make.mailbox(db, api.user_id)
    await change_place(db, campaign_id, lead_id, "status = 'COMPLETED', due_at = NULL, mailbox_id = %(id)s", id=gone)
    await save(api, campaign_id, {"id": first}, {})
    assert await state(db, campaign_id, lead_id) == ("STOPPED", None)
    assert (await place(db, campaign_id, lead_id))["hold_reason"] == "MAILBOX_GONE"


@pytest.mark.parametrize(
    ("rule", "columns", "status"),
    [
        ("REPLY_TO_AN_EMAIL", {"first_opened_at": NOW, "first_clicked_at": NOW}, "INPROGRESS"),
        ("CLICK_ON_A_LINK", {"first_opened_at": NOW}, "INPROGRESS"),
        ("CLICK_ON_A_LINK", {"first_clicked_at": NOW}, "COMPLETED"),
        ("OPEN_AN_EMAIL", {"first_opened_at": NOW}, "COMPLETED"),
        ("OPEN_AN_EMAIL", {"first_clicked_at": NOW}, "COMPLETED"),
        ("NEVER", {"first_opened_at": NOW, "first_clicked_at": NOW}, "INPROGRESS"),
    ],
)
async def test_what_stops_a_lead_keeps_it_completed(
    api: ApiClient, db: Db, *, campaign_id: int, rule: str, columns: dict[str, Any], status: str
) -> None:
    await execute(db, "UPDATE campaigns SET stop_lead_settings = %(rule)s", {"rule": rule})
    (first,) = await save(api, campaign_id, {})
    lead_id = await sent(api, db, campaign_id, first, 1, **columns)
    await change_place(db, campaign_id, lead_id, "status = 'COMPLETED', due_at = NULL")
    await save(api, campaign_id, {"id": first}, {})
    assert (await state(db, campaign_id, lead_id))[0] == status


async def test_a_campaign_at_rest_takes_up_new_steps_when_it_starts_again(
    api: ApiClient, db: Db, campaign_id: int
) -> None:
    (first,) = await save(api, campaign_id, {})
    lead_id = await sent(api, db, campaign_id, first, 1)
    await change_place(db, campaign_id, lead_id, "status = 'COMPLETED', due_at = NULL")
    await make.attach(db, api.user_id, campaign_id, await make.mailbox(db, api.user_id))
    await execute(db, "UPDATE campaigns SET status = 'COMPLETED'")
    await save(api, campaign_id, {"id": first}, {})
    assert await state(db, campaign_id, lead_id) == ("COMPLETED", None)
    answer = await api.post(f"/campaigns/{campaign_id}/status", json={"status": "START"})
    assert answer.status_code == 200, answer.text
    assert await state(db, campaign_id, lead_id) == ("INPROGRESS", SENT_AT + timedelta(days=3))


@pytest.mark.parametrize("status", ["STARTED", "STOPPED", "BLOCKED", "PAUSED"])
async def test_other_leads_keep_their_status(api: ApiClient, db: Db, campaign_id: int, status: str) -> None:
    first, second = await save(api, campaign_id, {}, {})
    lead_id = await sent(api, db, campaign_id, first, 1)
    due_at = NOW if status == "STARTED" else None
    number = 0 if status == "STARTED" else 1
    await change_place(
        db,
        campaign_id,
        lead_id,
        "status = %(status)s, due_at = %(due)s, last_step_number = %(number)s",
        status=status,
        due=due_at,
        number=number,
    )
    await save(api, campaign_id, {"id": first}, {"id": second, "delay_in_days": 5})
    assert await state(db, campaign_id, lead_id) == (status, due_at)


async def test_a_lead_whose_mail_is_on_its_way_is_left_to_that_mail(api: ApiClient, db: Db, campaign_id: int) -> None:
    first, second = await save(api, campaign_id, {}, {})
    lead_id = await sent(api, db, campaign_id, first, 1)
    message_id = await mail(db, api.user_id, campaign_id, lead_id, step_id=second, status="QUEUED")
    await execute(
        db,
        """
        INSERT INTO dispatches (message_id, campaign_lead_id, mailbox_id, campaign_id, state, engine_id, claimed_at)
        SELECT id, campaign_lead_id, mailbox_id, campaign_id, 'CLAIMED', gen_random_uuid(), created_at
        FROM messages
        WHERE id = %(id)s
        """,
        {"id": message_id},
    )
    await save(api, campaign_id, {"id": first}, {"id": second, "delay_in_days": 5})
    assert await state(db, campaign_id, lead_id) == ("INPROGRESS", SENT_AT)


async def test_a_lead_that_waits_for_a_person_is_announced_once(api: ApiClient, db: Db, campaign_id: int) -> None:
    first, second = await save(api, campaign_id, {}, {"seq_type": "MANUAL"})
    lead_id = await sent(api, db, campaign_id, first, 1)
    await change_place(db, campaign_id, lead_id, "due_at = NULL, hold_code = 'MANUAL_STEP', hold_text = 'x'")
    await save(api, campaign_id, {"id": first}, {"id": second, "seq_type": "MANUAL"})
    assert await state(db, campaign_id, lead_id) == ("INPROGRESS", None)
    assert (await place(db, campaign_id, lead_id))["hold_code"] == "MANUAL_STEP"
    await save(api, campaign_id, {"id": first}, {"id": second, "seq_type": "EMAIL"})
    assert await state(db, campaign_id, lead_id) == ("INPROGRESS", SENT_AT + timedelta(days=3))
    assert (await place(db, campaign_id, lead_id))["hold_code"] is None


# mailboxes -----------------------------------------------------------------------------------------------------------


async def remove(api: ApiClient, campaign_id: int, mailbox_id: int, **more: Any) -> None:
    answer = await api.delete(
        f"/campaigns/{campaign_id}/email-accounts", json={"email_account_ids": [mailbox_id], **more}
    )
    assert answer.status_code == 200, answer.text


async def test_without_their_mailbox_leads_in_mid_sequence_stop_and_new_ones_are_free(
    api: ApiClient, db: Db, campaign_id: int
) -> None:
    gone, kept = [await make.mailbox(db, api.user_id) for _ in range(2)]
    for mailbox_id in (gone, kept):
        await make.attach(db, api.user_id, campaign_id, mailbox_id)
    step_id = await make.step(db, api.user_id, campaign_id)
    leads = {name: await add_one(api, campaign_id, f"{name}@hexly.io") for name in ("new", "mid", "held", "other")}
    await change_place(db, campaign_id, leads["new"], "mailbox_id = %(id)s", id=gone)
    for name, mailbox_id in (("mid", gone), ("held", gone), ("other", kept)):
        await mark_sent(db, campaign_id, leads[name], step_id=step_id, mailbox_id=mailbox_id)
    await change_place(db, campaign_id, leads["held"], "status = 'PAUSED', hold_reason = 'MANUAL'")
    await remove(api, campaign_id, gone)
    rows = {name: await place(db, campaign_id, lead_id) for name, lead_id in leads.items()}
    seen = {name: (row["status"], row["hold_reason"], row["mailbox_id"]) for name, row in rows.items()}
    assert seen == {
        "new": ("STARTED", None, None),
        "mid": ("STOPPED", "MAILBOX_GONE", gone),
        "held": ("PAUSED", "MANUAL", gone),
        "other": ("INPROGRESS", None, kept),
    }
    assert rows["mid"]["due_at"] is None


async def test_reallocated_leads_are_spread_over_the_other_mailboxes(api: ApiClient, db: Db, campaign_id: int) -> None:
    gone, *kept = [await make.mailbox(db, api.user_id) for _ in range(3)]
    for mailbox_id in (gone, *kept):
        await make.attach(db, api.user_id, campaign_id, mailbox_id)
    step_id = await make.step(db, api.user_id, campaign_id)
    leads = [await add_one(api, campaign_id, f"a{number}@hexly.io") for number in range(5)]
    for lead_id in leads:
        await mark_sent(db, campaign_id, lead_id, step_id=step_id, mailbox_id=gone)
    await remove(api, campaign_id, gone, reallocate_leads=True)
    rows = [await place(db, campaign_id, lead_id) for lead_id in leads]
    assert [row["status"] for row in rows] == ["INPROGRESS"] * 5
    assert [row["mailbox_id"] for row in rows] == [kept[0], kept[1], kept[0], kept[1], kept[0]]


async def test_without_another_mailbox_reallocated_leads_stop(api: ApiClient, db: Db, campaign_id: int) -> None:
    await execute(db, "UPDATE campaigns SET status = 'PAUSED'")
    gone = await make.mailbox(db, api.user_id)
    await make.attach(db, api.user_id, campaign_id, gone)
    step_id = await make.step(db, api.user_id, campaign_id)
    lead_id = await add_one(api, campaign_id)
    await mark_sent(db, campaign_id, lead_id, step_id=step_id, mailbox_id=gone)
    await remove(api, campaign_id, gone, reallocate_leads=True)
    assert (await place(db, campaign_id, lead_id))["hold_reason"] == "MAILBOX_GONE"


async def test_leads_of_other_campaigns_and_accounts_are_left_alone(
    api: ApiClient, other_api: ApiClient, db: Db, campaign_id: int
) -> None:
    mailbox_id = await make.mailbox(db, api.user_id)
    other = await make.campaign(db, api.user_id)
    lead_id = await add_one(api, other)
    step_id = await fetch_value(db, "SELECT id FROM steps WHERE campaign_id = %(id)s", {"id": other})
    await mark_sent(db, other, lead_id, step_id=step_id, mailbox_id=mailbox_id)
    for user_id, target in ((api.user_id, campaign_id), (other_api.user_id, other)):
        await follow_mailboxes(db, [MailboxRemoved(user_id, target, (mailbox_id,), reallocate=True, at=NOW)])
    assert (await place(db, other, lead_id))["status"] == "INPROGRESS"
