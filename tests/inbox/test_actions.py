"""What is done to conversations, over HTTP."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from outrider.inbox import actions
from outrider.kit.db import Db, execute, fetch_dicts, fetch_value
from outrider.leads.models import LeadCategoryUpdated
from tests.inbox.conversations import Talk, answer, change, ids, listed, talk
from tests.support import make
from tests.support.client import ApiClient
from tests.support.events import hearing
from tests.support.leads import place
from tests.support.make import NOW

LATER = NOW + timedelta(days=1)
MISSING = {"ok": False, "error": "Lead mapping not found", "message": "Lead mapping not found", "statusCode": 404}
ACTIONS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("PATCH", "change-read-status", {"read_status": True}),
    ("PATCH", "read-status", {"is_read": True}),
    ("PATCH", "mark-unread", {}),
    ("PATCH", "mark-important", {"is_important": True}),
    ("PATCH", "archive", {"is_archived": True}),
    ("PATCH", "snooze", {"snooze_until": "2026-03-03T09:00:00Z"}),
    ("PATCH", "update-category", {"category_id": 1}),
    ("PATCH", "update-revenue", {"revenue": 10}),
    ("POST", "update-team-member", {"team_member_id": None}),
    ("PATCH", "update-team-member", {"team_member_id": None}),
    ("PATCH", "resume-lead", {}),
    ("POST", "set-reminder", {"message": "Call", "reminder_time": "2026-03-03T09:00:00Z"}),
    ("POST", "create-note", {"note_message": "Call in May"}),
    ("POST", "create-lead-note", {"note_message": "Call in May"}),
    ("POST", "create-task", {"name": "Send deck"}),
    ("POST", "create-lead-task", {"name": "Send deck"}),
)


@pytest.fixture
async def here(api: ApiClient, db: Db) -> Talk:
    """A conversation with a second step ahead."""
    made = await talk(api, db)
    await make.step(db, api.user_id, made.campaign_id, number=2)
    return made


async def call(
    api: ApiClient, method: str, path: str, body: dict[str, Any] | None = None, *, status: int = 200
) -> dict[str, Any]:
    said = await api.request(method, path if path.startswith("/") else f"/master-inbox/{path}", json=body)
    assert said.status_code == status, said.text
    return dict(said.json())


async def row(db: Db, here: Talk) -> dict[str, Any]:
    return await place(db, here.campaign_id, here.lead_id)


@pytest.mark.parametrize(("method", "path", "body"), ACTIONS)
async def test_who_is_meant(
    api: ApiClient,
    other_api: ApiClient,
    client_api: ApiClient,
    *,
    here: Talk,
    method: str,
    path: str,
    body: dict[str, Any],
) -> None:
    """By the map id in any spelling, or by lead and campaign; nobody else's."""
    for target in (
        {"email_lead_map_id": here.id},
        {"email_lead_map_id": str(here.id)},
        {"emailLeadMapId": here.id},
        {"lead_id": here.lead_id, "campaign_id": here.campaign_id},
    ):
        assert (await call(api, method, path, {**target, **body}))["ok"] is True
    for wrong in ({"email_lead_map_id": here.lead_id}, {"lead_id": here.id, "campaign_id": here.campaign_id}):
        assert await call(api, method, path, {**wrong, **body}, status=404) == MISSING
    for caller in (other_api, client_api):
        assert await call(caller, method, path, {"email_lead_map_id": here.id, **body}, status=404) == MISSING
    said = await call(api, method, path, body, status=400)
    assert said["message"] == '"email_lead_map_id" is required'
    assert said["validation"] == {"source": "body", "keys": ["email_lead_map_id"]}
    said = await call(api, method, path, {"email_lead_map_id": "abc", **body}, status=400)
    assert said["message"] == '"email_lead_map_id" must be a number'


async def test_read_and_unread(api: ApiClient, here: Talk) -> None:
    target = {"email_lead_map_id": here.id}
    read = {"ok": True, "message": "Lead marked as read successfully", "data": {"success": True, "updated": 1}}
    unread = {**read, "message": "Lead marked as unread successfully"}
    for _ in range(2):
        assert await call(api, "PATCH", "change-read-status", {**target, "read_status": "true"}) == read
        assert await ids(api, "unread-replies") == []
    assert (await listed(api, "inbox-replies"))["data"][0]["has_new_unread_email"] is False
    assert await call(api, "PATCH", "change-read-status", {**target, "read_status": False}) == unread
    assert await ids(api, "unread-replies") == [here.id]
    await call(api, "PATCH", "read-status", {**target, "is_read": 1})
    assert await call(api, "PATCH", "mark-unread", target) == unread
    assert await ids(api, "unread-replies") == [here.id]


async def test_reading_a_view_marks_nothing_as_read(api: ApiClient, here: Talk) -> None:
    await listed(api, "inbox-replies", fetch_message_history=True)
    await api.get(f"/master-inbox/{here.id}")
    assert await ids(api, "unread-replies") == [here.id]


@pytest.mark.parametrize(
    ("path", "flag", "view"), [("mark-important", "is_important", "important"), ("archive", "is_archived", "archived")]
)
async def test_flags_go_on_and_off(api: ApiClient, here: Talk, path: str, flag: str, view: str) -> None:
    for value, seen in ((True, [here.id]), (False, []), (None, [here.id])):
        await call(api, "PATCH", path, {"email_lead_map_id": here.id, flag: value})
        assert await ids(api, view) == seen


async def test_archived_until_the_lead_writes_again(api: ApiClient, db: Db, here: Talk) -> None:
    await call(api, "PATCH", "archive", {"email_lead_map_id": here.id})
    await call(api, "PATCH", "snooze", {"email_lead_map_id": here.id, "snooze_until": "2030-01-01"})
    await call(api, "PATCH", "change-read-status", {"email_lead_map_id": here.id, "read_status": True})
    assert await ids(api, "inbox-replies") == []
    await answer(api, db, here, at=LATER)
    assert (await ids(api, "inbox-replies"), await ids(api, "unread-replies")) == ([here.id], [here.id])
    assert (await ids(api, "archived"), await ids(api, "snoozed")) == ([], [])


async def test_snoozed_until_its_time_then_unread(api: ApiClient, db: Db, here: Talk) -> None:
    target = {"email_lead_map_id": here.id}
    await call(api, "PATCH", "change-read-status", {**target, "read_status": True})
    await call(api, "PATCH", "snooze", {**target, "snooze_until": LATER.isoformat()})
    await actions.wake(db, LATER - timedelta(seconds=1))
    assert (await ids(api, "snoozed"), await ids(api, "inbox-replies")) == ([here.id], [])
    await actions.wake(db, LATER)
    await actions.wake(db, LATER)
    assert (await ids(api, "snoozed"), await ids(api, "unread-replies")) == ([], [here.id])
    await call(api, "PATCH", "snooze", {**target, "snooze_until": LATER.isoformat()})
    await call(api, "PATCH", "snooze", {**target, "snooze_until": None})
    assert await ids(api, "snoozed") == []
    assert (await call(api, "PATCH", "snooze", target, status=400))["message"] == '"snooze_until" is required'


async def test_category(api: ApiClient, db: Db, here: Talk) -> None:
    target = {"email_lead_map_id": here.id}
    done = {"ok": True, "message": "Lead category updated successfully", "data": {"success": True, "updated": 1}}
    with hearing(LeadCategoryUpdated) as heard:
        for body, category_id in (
            ({"category_id": "5"}, 5),
            ({"category": "meeting request"}, 2),
            ({"category_id": 2}, 2),
            ({"category_id": None}, None),
        ):
            assert await call(api, "PATCH", "update-category", {**target, **body}) == done
            assert (await row(db, here))["category_id"] == category_id
    assert [event.new_id for event in heard.events] == [5, 2, None]  # only changes are told
    assert (await row(db, here))["status"] == "INPROGRESS"  # it never pauses
    said = await call(api, "PATCH", "update-category", {**target, "category_id": 99}, status=400)
    assert (said["ok"], said["error"]) == (False, "Invalid category_id.")
    said = await call(api, "PATCH", "update-category", target, status=400)
    assert said["message"] == '"category_id" is required'


async def test_revenue(api: ApiClient, db: Db, here: Talk) -> None:
    target = {"email_lead_map_id": here.id}
    done = {"ok": True, "message": "Lead revenue updated successfully", "data": {"success": True, "updated": 1}}
    for given, kept, shown in ((1200, 1200, "1200.00"), ("99.999", 100, "100.00"), (0, 0, "0.00")):
        assert await call(api, "PATCH", "update-revenue", {**target, "revenue": given}) == done
        assert (await row(db, here))["revenue"] == Decimal(kept)
        assert (await listed(api, "inbox-replies"))["data"][0]["revenue"] == shown
    for wrong, message in (
        ({"revenue": -1}, '"revenue" must be larger than or equal to 0'),
        ({"revenue": "much"}, '"revenue" must be a number'),
        ({}, '"revenue" is required'),
    ):
        assert (await call(api, "PATCH", "update-revenue", {**target, **wrong}, status=400))["message"] == message


async def test_team_member(api: ApiClient, other_api: ApiClient, db: Db, here: Talk) -> None:
    target = {"email_lead_map_id": here.id}
    person = "SELECT id FROM people WHERE user_id = %(id)s"
    mine, foreign = [await fetch_value(db, person, {"id": each.user_id}) for each in (api, other_api)]
    done = {"ok": True, "message": "Lead team member updated successfully"}
    assert await call(api, "POST", "update-team-member", {**target, "team_member_id": mine}) == done
    assert await ids(api, "assigned-me") == [here.id]
    assert (await listed(api, "assigned-me"))["data"][0]["team_member_id"] == mine
    for unknown in (foreign, 99_999):
        said = await call(api, "POST", "update-team-member", {**target, "team_member_id": unknown}, status=404)
        assert (said["ok"], said["error"]) == (False, f"Team member not found with ID {unknown}")
    assert await call(api, "PATCH", "update-team-member", {**target, "team_member_id": None}) == done
    assert await ids(api, "assigned-me") == []


@pytest.mark.parametrize(
    ("body", "due_at"),
    [
        ({}, LATER),
        ({"resume_delay_days": None}, LATER),
        ({"resume_delay_days": 0}, NOW),
        ({"resume_delay_days": "3"}, NOW + timedelta(days=3)),
    ],
)
async def test_resume(api: ApiClient, db: Db, *, here: Talk, body: dict[str, Any], due_at: datetime) -> None:
    await change(db, here, "status = 'STOPPED', hold_reason = 'REPLIED', due_at = NULL")
    await make.attach(db, api.user_id, here.campaign_id, here.mailbox_id)
    step_id = await fetch_value(
        db, "SELECT id FROM steps WHERE campaign_id = %(id)s AND number = 2", {"id": here.campaign_id}
    )
    said = await call(
        api, "PATCH", "resume-lead", {"email_lead_map_id": here.id, "campaign_id": here.campaign_id, **body}
    )
    assert said == {
        "ok": True,
        "message": "Lead resumed successfully",
        "data": {"status": "success", "nextSeqId": step_id},
    }
    mine = await row(db, here)
    assert (mine["status"], mine["hold_reason"], mine["due_at"]) == ("INPROGRESS", None, due_at)
    assert (await listed(api, "inbox-replies"))["data"][0]["email_campaign_seq_id"] == step_id


async def test_what_cannot_be_resumed(api: ApiClient, db: Db, here: Talk) -> None:
    target = {"email_lead_map_id": here.id}
    said = await call(api, "PATCH", "resume-lead", {**target, "campaign_id": here.campaign_id + 1}, status=400)
    assert (said["ok"], said["message"]) == (False, "Invalid campaign_id")
    said = await call(api, "PATCH", "resume-lead", {**target, "resume_delay_days": -1}, status=400)
    assert said["message"] == '"resume_delay_days" must be larger than or equal to 0'
    await execute(db, "UPDATE steps SET deleted_at = %(now)s WHERE number = 2", {"now": NOW})
    await change(db, here, "status = 'COMPLETED'")
    said = await call(api, "PATCH", "resume-lead", target, status=400)
    assert (said["ok"], said["message"]) == (False, "This is the last sequence. You cannot resume this lead.")


async def test_reminders(api: ApiClient, db: Db, here: Talk) -> None:
    target = {"email_lead_map_id": str(here.id), "email_stats_id": str(here.stats_id)}
    said = await call(
        api, "POST", "set-reminder", {**target, "message": "Call Ada", "reminder_time": "2026-03-05T08:00:00.000Z"}
    )
    reminder = said["data"]["reminder"]
    assert said == {
        "ok": True,
        "message": "Reminder set successfully",
        "data": {"success": True, "reminder": {"id": reminder["id"], "created_at": "2026-03-02T09:00:00.000Z"}},
    }
    assert isinstance(reminder["id"], str)
    [shown] = (await listed(api, "reminders"))["data"]
    assert (shown["reminder_time"], shown["reminder_message"]) == ("2026-03-05T08:00:00.000Z", "Call Ada")
    assert (shown["reminder_id"], shown["is_overdue"]) == (reminder["id"], False)
    await call(api, "POST", "set-reminder", {"email_lead_map_id": here.id, "reminder_date": "2026-03-01"})
    said = await listed(api, "reminders", fetch_message_history=1)
    [shown] = said["data"]  # the earliest decides
    assert (shown["reminder_message"], shown["is_overdue"], said["total_count"]) == ("Reminder", True, 1)
    assert len(shown["email_history"]) == 2


async def test_reminders_in_their_order(api: ApiClient, db: Db) -> None:
    made = [await talk(api, db, f"p{number}@hexly.io", replied_at=None) for number in range(3)]
    for each, day in zip(made, (5, 7, 6), strict=True):
        await call(
            api, "POST", "set-reminder", {"email_lead_map_id": each.id, "reminder_time": f"2026-03-0{day}", "note": "x"}
        )
    first, second, third = (each.id for each in made)
    assert await ids(api, "reminders") == [second, third, first]
    assert await ids(api, "reminders", {"sortBy": "REMINDER_TIME_ASC"}) == [first, third, second]
    assert await ids(api, "reminders", {"sortBy": "REMINDER_TIME_ASC", "offset": 1, "limit": 1}) == [third]
    assert await ids(api, "reminders", {"sortBy": "REPLY_TIME_DESC"}) == [third, second, first]
    said = await api.post("/master-inbox/reminders", json={"sortBy": "NEVER"})
    assert said.json()["message"].startswith('"sortBy" must be one of [REMINDER_TIME_DESC, REMINDER_TIME_ASC, ')


async def test_a_reminder_that_becomes_due_makes_unread_once(api: ApiClient, db: Db, here: Talk) -> None:
    target = {"email_lead_map_id": here.id}
    await call(api, "POST", "set-reminder", {**target, "reminder_time": LATER.isoformat()})
    await call(api, "PATCH", "change-read-status", {**target, "read_status": True})
    await actions.wake(db, LATER - timedelta(seconds=1))
    assert await ids(api, "unread-replies") == []
    await actions.wake(db, LATER)
    assert await ids(api, "unread-replies") == [here.id]
    await call(api, "PATCH", "change-read-status", {**target, "read_status": True})
    await actions.wake(db, LATER + timedelta(hours=1))
    assert (await ids(api, "unread-replies"), await ids(api, "reminders")) == ([], [here.id])


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"message": "x"}, '"reminder_time" is required'),
        ({"reminder_time": "tomorrow"}, '"reminder_time" must be in ISO 8601 date format'),
        (
            {"reminder_time": "2026-03-05", "email_stats_id": "7b1c22d0-5a90-4c1e-9b3f-0d2f6f0a7c11"},
            "Invalid email_stats_id",
        ),
        ({"reminder_time": "2026-03-05", "email_stats_id": "nonsense"}, "Invalid email_stats_id"),
        ({"reminder_time": "2026-03-05", "email_stats_id": 12}, "Invalid email_stats_id"),
    ],
)
async def test_reminders_that_are_refused(api: ApiClient, here: Talk, body: dict[str, Any], message: str) -> None:
    said = await call(api, "POST", "set-reminder", {"email_lead_map_id": here.id, **body}, status=400)
    assert said["message"] == message


async def test_notes(api: ApiClient, db: Db, here: Talk) -> None:
    said = await call(api, "POST", "create-note", {"email_lead_map_id": here.id, "note_message": " Call in May "})
    [note] = said["data"]["note"]
    assert said == {
        "ok": True,
        "message": "Note created successfully",
        "data": {"success": True, "note": [{"id": note["id"], "created_at": "2026-03-02T09:00:00.000Z"}]},
    }
    assert isinstance(note["id"], str)
    await call(api, "POST", "/crm/leads/notes", {"lead_id": here.lead_id, "note": "Again"})
    said = await call(api, "GET", f"/crm/leads/notes/{here.lead_id}")
    author = await fetch_value(db, "SELECT name FROM people WHERE user_id = %(id)s", {"id": api.user_id})
    assert said["data"][1] == {
        "id": int(note["id"]),
        "lead_id": here.lead_id,
        "email_lead_map_id": here.id,
        "note_message": "Call in May",
        "created_by": author,
        "created_at": "2026-03-02T09:00:00.000Z",
    }
    assert (said["data"][0]["note_message"], said["data"][0]["email_lead_map_id"]) == ("Again", here.id)
    for body, message in (
        ({}, '"note_message" is required'),
        ({"note": " "}, '"note_message" is not allowed to be empty'),
        ({"note_message": 5}, '"note_message" must be a string'),
    ):
        said = await call(api, "POST", "create-note", {"email_lead_map_id": here.id, **body}, status=400)
        assert said["message"] == message


async def test_tasks(api: ApiClient, db: Db, here: Talk) -> None:
    target = {"email_lead_map_id": here.id}
    said = await call(
        api,
        "POST",
        "create-task",
        {**target, "title": "Send deck", "priority": "high", "due_date": "2026-03-10", "description": "The new one"},
    )
    [task] = said["data"]["task"]
    assert (said["message"], said["data"]["success"]) == ("Task created successfully", True)
    assert task == {"id": task["id"], "created_at": "2026-03-02T09:00:00.000Z"}
    await call(api, "POST", "create-task", {**target, "name": "Call"})
    [call_, deck] = (await call(api, "GET", f"/crm/leads/tasks/{here.lead_id}"))["data"]
    assert deck == {
        "id": int(task["id"]),
        "lead_id": here.lead_id,
        "email_lead_map_id": here.id,
        "name": "Send deck",
        "description": "The new one",
        "priority": "HIGH",
        "due_date": "2026-03-10T00:00:00.000Z",
        "status": "pending",
        "created_at": "2026-03-02T09:00:00.000Z",
    }
    assert (call_["priority"], call_["due_date"], call_["description"]) == ("MEDIUM", None, None)
    said = await call(api, "POST", f"/crm/leads/tasks/{task['id']}", {"status": "Completed", "title": "Sent deck"})
    assert said == {"ok": True, "data": {**deck, "status": "completed", "name": "Sent deck"}}
    for body, message in (
        ({}, '"name" is required'),
        ({"name": ""}, '"name" is not allowed to be empty'),
        ({"name": "x", "priority": "URGENT"}, '"priority" must be one of [LOW, MEDIUM, HIGH]'),
        ({"name": "x", "due_date": "soon"}, '"due_date" must be in ISO 8601 date format'),
    ):
        assert (await call(api, "POST", "create-task", {**target, **body}, status=400))["message"] == message
    said = await call(api, "POST", f"/crm/leads/tasks/{task['id']}", {"status": "later"}, status=400)
    assert said["message"] == '"status" must be one of [pending, completed, cancelled]'


async def test_notes_and_tasks_of_others(
    api: ApiClient, other_api: ApiClient, client_api: ApiClient, *, db: Db, here: Talk
) -> None:
    await call(api, "POST", "create-note", {"email_lead_map_id": here.id, "note": "x"})
    said = await call(api, "POST", "create-task", {"email_lead_map_id": here.id, "name": "x"})
    task_id = said["data"]["task"][0]["id"]
    for caller in (other_api, client_api):
        for what in ("notes", "tasks"):
            assert await call(caller, "GET", f"/crm/leads/{what}/{here.lead_id}") == {"ok": True, "data": []}
        said = await call(caller, "POST", "/crm/leads/notes", {"lead_id": here.lead_id, "note": "x"}, status=404)
        assert said["error"] == "Lead not found - Invalid lead_id."
        await call(caller, "POST", "/crm/leads/tasks", {"lead_id": here.lead_id, "task": "x"}, status=404)
        await call(caller, "POST", f"/crm/leads/tasks/{task_id}", {"status": "completed"}, status=404)
    assert [each["status"] for each in await fetch_dicts(db, "SELECT status FROM lead_tasks")] == ["pending"]
    assert await call(api, "GET", "/crm/leads/notes/77") == {"ok": True, "data": []}
    body = {"lead_id": here.lead_id, "task": "y", "campaign_id": here.campaign_id + 1}
    await call(api, "POST", "/crm/leads/tasks", body, status=404)
    await call(api, "POST", "/crm/leads/tasks", {**body, "campaign_id": here.campaign_id})


async def test_blocking_domains(api: ApiClient, client_api: ApiClient, db: Db, here: Talk) -> None:
    said = await call(
        api, "POST", "block-domains", {"domains": ["hexly.io", "bo@quay.io", "HEXLY.io"], "source": "complaint"}
    )
    assert said == {"ok": True, "message": "Domains blocked successfully", "data": {"blocked_domains": 3}}
    rows = await fetch_dicts(db, "SELECT email_or_domain, source, client_id FROM block_list ORDER BY id")
    assert [(each["email_or_domain"], each["source"], each["client_id"]) for each in rows] == [
        ("hexly.io", "complaint", None),
        ("quay.io", "complaint", None),
    ]
    assert (await row(db, here))["status"] == "BLOCKED"
    await call(client_api, "POST", "block-domains", {"domains": "dock.io"})
    rows = await fetch_dicts(db, "SELECT source, client_id FROM block_list ORDER BY id DESC LIMIT 1")
    assert (rows[0]["source"], rows[0]["client_id"]) == ("manual", client_api.client_id)
    for wrong, message in (({"domains": []}, '"domains" must contain at least 1 items'), ({}, '"domains" is required')):
        assert (await call(api, "POST", "block-domains", wrong, status=400))["message"] == message
