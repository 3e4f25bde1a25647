"""Delivering failed events again: batches of 50, one at a time, at least a second apart (contract: webhooks §1).

All events of a retrigger become SCHEDULED at once, without a time; a batch is released by giving its deliveries one.
Each gets a fresh round of attempts, so a retrigger ends when the last repetition of the last event has.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from outrider.kit.db import Db, execute, fetch_all, fetch_dict, fetch_one, fetch_value
from outrider.kit.jobs import enqueue
from outrider.webhooks.models import BATCH_SIZE, EventType, Retrigger

JOB = "webhooks.retrigger"

_COLUMNS = """
    id, campaign_id, from_time, to_time, status, total_events, processed_events, successful_events, failed_events,
    created_at, updated_at, completed_at
"""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which failed events are meant; `scope` is the client whose key asks, `campaign_id` None all it may see."""

    from_time: datetime
    to_time: datetime
    scope: int | None
    campaign_id: int | None = None
    webhook_id: int | None = None
    event_types: Sequence[EventType] | None = None


async def start(db: Db, user_id: int, selection: Selection, *, now: datetime) -> Retrigger | None:
    """A new retrigger; the running one if that has all such events already; None if there are none."""
    parameters = _parameters(user_id, selection, now)
    retrigger_id = await fetch_value(db, _START, parameters)
    if retrigger_id is None:
        return await _find_running(db, user_id, selection)
    await enqueue(db, JOB, lock=f"{JOB}:{user_id}", user_id=user_id, retrigger_id=str(retrigger_id))
    return (await list_retriggers(db, user_id, scope=None, retrigger_id=retrigger_id))[0]


async def list_retriggers(
    db: Db,
    user_id: int,
    *,
    scope: int | None,
    campaign_id: int | None = None,
    retrigger_id: UUID | None = None,
    limit: int | None = None,
) -> list[Retrigger]:
    """Newest first; without a campaign those of all campaigns, and those that were for all."""
    return await fetch_all(
        db,
        Retrigger,
        f"""
        SELECT {_COLUMNS}
        FROM webhook_retriggers
        WHERE user_id = %(user_id)s
          AND (%(campaign_id)s::bigint IS NULL OR campaign_id = %(campaign_id)s)
          AND (%(retrigger_id)s::uuid IS NULL OR id = %(retrigger_id)s)
          AND (
              %(scope)s::bigint IS NULL
              OR client_id = %(scope)s
              OR campaign_id IN (SELECT id FROM campaigns WHERE user_id = %(user_id)s AND client_id = %(scope)s)
          )
        ORDER BY number DESC
        LIMIT %(limit)s::bigint
        """,  # noqa: S608 - the columns are a constant
        {
            "user_id": user_id,
            "scope": scope,
            "campaign_id": campaign_id,
            "retrigger_id": retrigger_id,
            "limit": limit,
        },
    )


async def release_batch(db: Db, user_id: int, retrigger_id: UUID, *, now: datetime) -> bool:
    """Let the next batch go if the one before has been tried; False if nothing is left to release."""
    row = await fetch_dict(
        db,
        """
        SELECT count(*) FILTER (WHERE next_attempt_at IS NULL) AS waiting,
               count(*) FILTER (WHERE next_attempt_at IS NOT NULL AND attempt_count = 0) AS untried
        FROM webhook_deliveries
        WHERE user_id = %(user_id)s
          AND retrigger_id = %(id)s
          AND state = 'SCHEDULED'
        """,
        {"user_id": user_id, "id": retrigger_id},
    )
    waiting, untried = (row["waiting"], row["untried"]) if row else (0, 0)
    if waiting and not untried:
        await execute(db, _RELEASE, {"user_id": user_id, "id": retrigger_id, "now": now, "size": BATCH_SIZE})
        waiting -= BATCH_SIZE
    await refresh(db, [retrigger_id], now=now)
    return bool(waiting > 0)


async def refresh(db: Db, retrigger_ids: Collection[UUID], *, now: datetime) -> None:
    """Count again how far these have come; the last event ends its retrigger."""
    if not retrigger_ids:
        return
    # a statement of its own: the one that counts has to see what others committed while this one waited
    await execute(
        db,
        """
        SELECT
        FROM webhook_retriggers
        WHERE id = ANY(%(ids)s)
        ORDER BY id
        FOR NO KEY UPDATE
        """,
        {"ids": list(retrigger_ids)},
    )
    await execute(
        db,
        """
        UPDATE webhook_retriggers
        SET processed_events = total_events - counted.untried,
            successful_events = counted.successful,
            failed_events = counted.failed,
            status = CASE WHEN counted.scheduled > 0 THEN 'PROCESSING'
                          WHEN counted.failed > 0 THEN 'COMPLETED_WITH_FAILURES'
                          ELSE 'COMPLETED' END,
            completed_at = CASE WHEN counted.scheduled = 0 THEN %(now)s::timestamptz END,
            updated_at = %(now)s
        FROM (
            SELECT asked.id,
                   count(*) FILTER (WHERE state = 'SCHEDULED') AS scheduled,
                   count(*) FILTER (WHERE state = 'SCHEDULED' AND attempt_count = 0) AS untried,
                   count(*) FILTER (WHERE state = 'SUCCESSFUL') AS successful,
                   count(*) FILTER (WHERE state = 'FAILED') AS failed
            FROM unnest(%(ids)s::uuid[]) AS asked (id)
            LEFT JOIN webhook_deliveries ON webhook_deliveries.retrigger_id = asked.id
            GROUP BY asked.id
        ) AS counted
        WHERE webhook_retriggers.id = counted.id
          AND webhook_retriggers.status IN ('QUEUED', 'PROCESSING')
        """,
        {"ids": list(retrigger_ids), "now": now},
    )


async def give_up(db: Db, user_id: int, retrigger_id: UUID, *, now: datetime) -> None:
    """The job itself broke: what it has not released has failed again."""
    await execute(
        db,
        """
        WITH returned AS (
            UPDATE webhook_deliveries
            SET state = 'FAILED'
            WHERE user_id = %(user_id)s
              AND retrigger_id = %(id)s
              AND state = 'SCHEDULED'
              AND next_attempt_at IS NULL
        )
        UPDATE webhook_retriggers
        SET status = 'FAILED',
            completed_at = %(now)s,
            updated_at = %(now)s
        WHERE user_id = %(user_id)s
          AND id = %(id)s
          AND status IN ('QUEUED', 'PROCESSING')
        """,
        {"user_id": user_id, "id": retrigger_id, "now": now},
    )


async def _find_running(db: Db, user_id: int, selection: Selection) -> Retrigger | None:
    """The newest running retrigger of this campaign, or of all."""
    return await fetch_one(
        db,
        Retrigger,
        f"""
        SELECT {_COLUMNS}
        FROM webhook_retriggers
        WHERE user_id = %(user_id)s
          AND status IN ('QUEUED', 'PROCESSING')
          AND (%(campaign_id)s::bigint IS NULL OR campaign_id IS NULL OR campaign_id = %(campaign_id)s)
          AND (%(scope)s::bigint IS NULL OR client_id = %(scope)s OR campaign_id = %(campaign_id)s)
        ORDER BY number DESC
        LIMIT 1
        """,  # noqa: S608 - the columns are a constant
        {"user_id": user_id, "campaign_id": selection.campaign_id, "scope": selection.scope},
    )


def _parameters(user_id: int, selection: Selection, now: datetime) -> dict[str, Any]:
    event_types = selection.event_types
    return {
        "user_id": user_id,
        "scope": selection.scope,
        "campaign_id": selection.campaign_id,
        "webhook_id": selection.webhook_id,
        "event_types": None if event_types is None else list(event_types),
        "from_time": selection.from_time,
        "to_time": selection.to_time,
        "now": now,
    }


_START = """
    WITH failed AS MATERIALIZED (
        SELECT webhook_deliveries.id
        FROM webhook_deliveries
        JOIN webhook_events ON webhook_events.id = webhook_deliveries.event_id
        JOIN webhooks ON webhooks.id = webhook_deliveries.webhook_id
        LEFT JOIN campaigns AS of_event ON of_event.id = webhook_events.campaign_id
        LEFT JOIN campaigns AS of_webhook ON of_webhook.id = webhooks.campaign_id
        LEFT JOIN webhook_retriggers AS before ON before.id = webhook_deliveries.retrigger_id
        WHERE webhooks.user_id = %(user_id)s
          AND webhook_deliveries.state = 'FAILED'
          AND webhooks.deleted_at IS NULL
          AND webhooks.is_active
          AND webhook_events.occurred_at BETWEEN %(from_time)s AND %(to_time)s
          AND (
              %(campaign_id)s::bigint IS NULL
              OR coalesce(webhook_events.campaign_id, webhooks.campaign_id) = %(campaign_id)s
          )
          AND (%(webhook_id)s::bigint IS NULL OR webhooks.id = %(webhook_id)s)
          AND (%(event_types)s::text[] IS NULL OR webhook_events.event_type = ANY(%(event_types)s))
          AND (
              %(scope)s::bigint IS NULL
              OR (
                  (webhooks.client_id = %(scope)s OR of_webhook.client_id = %(scope)s)
                  AND coalesce(of_event.client_id, %(scope)s) = %(scope)s
              )
          )
          -- events of a retrigger that is still going on belong to that one
          AND (before.status IS NULL OR before.status NOT IN ('QUEUED', 'PROCESSING'))
        ORDER BY webhook_deliveries.id
        FOR UPDATE OF webhook_deliveries
    ), retrigger AS (
        INSERT INTO webhook_retriggers (
            user_id, client_id, campaign_id, from_time, to_time, status, total_events, created_at, updated_at
        )
        SELECT %(user_id)s, %(scope)s, %(campaign_id)s, %(from_time)s, %(to_time)s, 'QUEUED', count(*), %(now)s, %(now)s
        FROM failed
        HAVING count(*) > 0
        RETURNING id
    )
    UPDATE webhook_deliveries
    SET state = 'SCHEDULED',
        is_retriggered = true,
        attempt_count = 0,
        next_attempt_at = NULL,
        retrigger_id = retrigger.id
    FROM failed, retrigger
    WHERE webhook_deliveries.id = failed.id
    RETURNING retrigger.id
"""

_RELEASE = """
    WITH batch AS MATERIALIZED (
        SELECT webhook_deliveries.id
        FROM webhook_deliveries
        JOIN webhook_events ON webhook_events.id = webhook_deliveries.event_id
        WHERE webhook_deliveries.user_id = %(user_id)s
          AND webhook_deliveries.retrigger_id = %(id)s
          AND webhook_deliveries.state = 'SCHEDULED'
          AND webhook_deliveries.next_attempt_at IS NULL
        ORDER BY webhook_events.occurred_at, webhook_deliveries.id
        LIMIT %(size)s
        FOR UPDATE OF webhook_deliveries
    )
    UPDATE webhook_deliveries
    SET next_attempt_at = %(now)s
    FROM batch
    WHERE webhook_deliveries.id = batch.id
"""
