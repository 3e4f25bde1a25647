"""SQL on reminders, notes and tasks, and on replies that belong to no lead."""

from datetime import datetime
from typing import Any

from outrider.inbox.models import Priority, TaskStatus
from outrider.kit.db import Db, execute, fetch_dict, fetch_dicts, fetch_value
from outrider.leads.conversations import Conversation


async def find_message_id(db: Db, user_id: int, campaign_lead_id: int, stats_id: str | None) -> int | None:
    """The latest mail of a conversation with this identity, or the latest of all."""
    message_id: int | None = await fetch_value(
        db,
        """
        SELECT id
          FROM messages
         WHERE user_id = %(user_id)s
           AND campaign_lead_id = %(campaign_lead_id)s
           AND sent_at IS NOT NULL
           AND (%(stats_id)s::text IS NULL OR stats_id::text = lower(%(stats_id)s))
         ORDER BY sent_at DESC, id DESC
         LIMIT 1
        """,
        {"user_id": user_id, "campaign_lead_id": campaign_lead_id, "stats_id": stats_id},
    )
    return message_id


async def insert_reminder(
    db: Db, place: Conversation, *, message_id: int | None, text: str, remind_at: datetime, now: datetime
) -> dict[str, Any]:
    return await _inserted(
        db,
        """
        INSERT INTO reminders (user_id, campaign_lead_id, message_id, text, remind_at, created_at)
        VALUES (%(user_id)s, %(campaign_lead_id)s, %(message_id)s, %(text)s, %(remind_at)s, %(now)s)
        RETURNING id, created_at
        """,
        {
            "user_id": place.user_id,
            "campaign_lead_id": place.id,
            "message_id": message_id,
            "text": text,
            "remind_at": remind_at,
            "now": now,
        },
    )


async def tell_reminders(db: Db, now: datetime) -> list[tuple[int, int]]:
    """Mark what has become due, of all accounts; returns (account, campaign lead)."""
    rows = await fetch_dicts(
        db,
        """
        WITH due AS (
            SELECT id
              FROM reminders
             WHERE remind_at <= %(now)s
               AND told_at IS NULL
               AND done_at IS NULL
             ORDER BY id
               FOR UPDATE SKIP LOCKED
        )
        UPDATE reminders AS r
           SET told_at = %(now)s
          FROM due
         WHERE r.id = due.id
        RETURNING r.user_id, r.campaign_lead_id
        """,
        {"now": now},
    )
    return [(row["user_id"], row["campaign_lead_id"]) for row in rows]


async def finish_reminders(db: Db, user_id: int, campaign_lead_id: int, *, now: datetime) -> None:
    """The lead was answered: those that were due by then are done."""
    await execute(
        db,
        """
        UPDATE reminders
           SET done_at = %(now)s
         WHERE user_id = %(user_id)s
           AND campaign_lead_id = %(campaign_lead_id)s
           AND done_at IS NULL
           AND remind_at <= %(now)s
        """,
        {"user_id": user_id, "campaign_lead_id": campaign_lead_id, "now": now},
    )


async def insert_note(
    db: Db,
    user_id: int,
    lead_id: int,
    *,
    campaign_lead_id: int | None,
    text: str,
    person_id: int | None,
    now: datetime,
) -> dict[str, Any]:
    return await _inserted(
        db,
        """
        INSERT INTO lead_notes (user_id, lead_id, campaign_lead_id, text, person_id, created_at)
        VALUES (%(user_id)s, %(lead_id)s, %(campaign_lead_id)s, %(text)s, %(person_id)s, %(now)s)
        RETURNING id, created_at
        """,
        {
            "user_id": user_id,
            "lead_id": lead_id,
            "campaign_lead_id": campaign_lead_id,
            "text": text,
            "person_id": person_id,
            "now": now,
        },
    )


async def list_notes(db: Db, user_id: int, lead_id: int, *, scope: int | None) -> list[dict[str, Any]]:
    """Of all campaigns of the lead, newest first; with the key of a client those of its campaigns."""
    return await fetch_dicts(
        db,
        """
        SELECT note.id, note.lead_id, note.campaign_lead_id, note.text, people.name AS author, note.created_at
          FROM lead_notes AS note
          LEFT JOIN people ON people.id = note.person_id
         WHERE note.user_id = %(user_id)s
           AND note.lead_id = %(lead_id)s
           AND (%(scope)s::bigint IS NULL
                OR EXISTS (SELECT
                             FROM campaign_leads AS cl
                             JOIN campaigns ON campaigns.id = cl.campaign_id
                            WHERE cl.id = note.campaign_lead_id
                              AND campaigns.client_id = %(scope)s))
         ORDER BY note.id DESC
        """,
        {"user_id": user_id, "lead_id": lead_id, "scope": scope},
    )


async def insert_task(
    db: Db,
    user_id: int,
    lead_id: int,
    *,
    campaign_lead_id: int | None,
    name: str,
    description: str | None,
    priority: Priority,
    due_at: datetime | None,
    person_id: int | None,
    now: datetime,
) -> dict[str, Any]:
    return await _inserted(
        db,
        """
        INSERT INTO lead_tasks (user_id, lead_id, campaign_lead_id, name, description, priority, due_at, status,
                                person_id, created_at, updated_at)
        VALUES (%(user_id)s, %(lead_id)s, %(campaign_lead_id)s, %(name)s, %(description)s, %(priority)s, %(due_at)s,
                'pending', %(person_id)s, %(now)s, %(now)s)
        RETURNING id, created_at
        """,
        {
            "user_id": user_id,
            "lead_id": lead_id,
            "campaign_lead_id": campaign_lead_id,
            "name": name,
            "description": description,
            "priority": priority,
            "due_at": due_at,
            "person_id": person_id,
            "now": now,
        },
    )


async def list_tasks(
    db: Db, user_id: int, *, lead_id: int | None = None, task_id: int | None = None, scope: int | None
) -> list[dict[str, Any]]:
    """Of a lead in all campaigns, newest first, or the one asked for; a client's key sees those of its campaigns."""
    return await fetch_dicts(
        db,
        """
        SELECT task.id, task.lead_id, task.campaign_lead_id, task.name, task.description, task.priority, task.due_at,
               task.status, task.created_at
          FROM lead_tasks AS task
         WHERE task.user_id = %(user_id)s
           AND (%(lead_id)s::bigint IS NULL OR task.lead_id = %(lead_id)s)
           AND (%(task_id)s::bigint IS NULL OR task.id = %(task_id)s)
           AND (%(scope)s::bigint IS NULL
                OR EXISTS (SELECT
                             FROM campaign_leads AS cl
                             JOIN campaigns ON campaigns.id = cl.campaign_id
                            WHERE cl.id = task.campaign_lead_id
                              AND campaigns.client_id = %(scope)s))
         ORDER BY task.id DESC
        """,
        {"user_id": user_id, "lead_id": lead_id, "task_id": task_id, "scope": scope},
    )


async def update_task(
    db: Db,
    user_id: int,
    task_id: int,
    *,
    status: TaskStatus | None,
    name: str | None,
    description: str | None,
    priority: Priority | None,
    due_at: datetime | None,
    now: datetime,
) -> None:
    """Only what is given changes."""
    await execute(
        db,
        """
        UPDATE lead_tasks
           SET status = coalesce(%(status)s, status),
               name = coalesce(%(name)s, name),
               description = coalesce(%(description)s, description),
               priority = coalesce(%(priority)s, priority),
               due_at = coalesce(%(due_at)s, due_at),
               updated_at = %(now)s
         WHERE user_id = %(user_id)s
           AND id = %(id)s
        """,
        {
            "user_id": user_id,
            "id": task_id,
            "status": status,
            "name": name,
            "description": description,
            "priority": priority,
            "due_at": due_at,
            "now": now,
        },
    )


async def _inserted(db: Db, sql: Any, params: dict[str, Any]) -> dict[str, Any]:
    row = await fetch_dict(db, sql, params)
    if row is None:
        raise LookupError("INSERT … RETURNING returned nothing")
    return row
