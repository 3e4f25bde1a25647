"""SQL of events and deliveries: written with what happened, claimed, recorded. Attempts are history.

Lock order: rows of webhook_deliveries by id.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from outrider.kit.db import Db, as_records, execute, fetch_all, fetch_dicts
from outrider.webhooks.models import DeliveryState, EventType, Level
from outrider.webhooks.payloads import Payload


@dataclass(frozen=True, slots=True)
class NewEvent:
    """What happened, as it will be told, and to which webhooks. First due at `due_at`."""

    user_id: int
    campaign_id: int | None
    campaign_lead_id: int | None
    event_type: EventType
    occurred_at: datetime
    due_at: datetime
    payload: Payload
    webhook_ids: tuple[int, ...]


async def insert_events(db: Db, events: Sequence[NewEvent]) -> None:
    """Events and their deliveries in one statement; they get their ids in the order given."""
    if not events:
        return
    targets = [(number, webhook_id) for number, event in enumerate(events, 1) for webhook_id in event.webhook_ids]
    await execute(
        db,
        """
        WITH event AS MATERIALIZED (
            SELECT nextval('webhook_events_id_seq') AS id, given.*
            FROM ROWS FROM (
                     json_to_recordset(%(events)s::json)
                         AS (user_id bigint, campaign_id bigint, campaign_lead_id bigint, event_type text,
                             occurred_at timestamptz, due_at timestamptz, payload jsonb)
                 ) WITH ORDINALITY
                 AS given (user_id, campaign_id, campaign_lead_id, event_type, occurred_at, due_at, payload, number)
        ), inserted AS (
            INSERT INTO webhook_events (id, user_id, campaign_id, campaign_lead_id, event_type, occurred_at, payload)
            SELECT id, user_id, campaign_id, campaign_lead_id, event_type, occurred_at, payload
            FROM event
        )
        INSERT INTO webhook_deliveries (user_id, webhook_id, event_id, campaign_lead_id, state, next_attempt_at)
        SELECT event.user_id, target.webhook_id, event.id, event.campaign_lead_id, 'SCHEDULED', event.due_at
        FROM unnest(%(numbers)s::bigint[], %(webhook_ids)s::bigint[]) AS target (number, webhook_id)
        JOIN event ON event.number = target.number
        ORDER BY event.id, target.webhook_id
        """,
        {
            "events": as_records(events),
            "numbers": [number for number, _ in targets],
            "webhook_ids": [webhook_id for _, webhook_id in targets],
        },
    )


async def hasten_replies(db: Db, updates: Sequence[tuple[int, int, datetime]]) -> None:
    """EMAIL_REPLYs that wait for a category of these (user_id, campaign_lead_id) wait no longer than `at`."""
    if not updates:
        return
    user_ids, campaign_lead_ids, times = zip(*updates, strict=True)
    await execute(
        db,
        """
        UPDATE webhook_deliveries
        SET next_attempt_at = updated.at
        FROM unnest(%(user_ids)s::bigint[], %(campaign_lead_ids)s::bigint[], %(times)s::timestamptz[])
             AS updated (user_id, campaign_lead_id, at),
             webhook_events
        WHERE webhook_deliveries.campaign_lead_id = updated.campaign_lead_id
          AND webhook_deliveries.user_id = updated.user_id
          AND webhook_deliveries.state = 'SCHEDULED'
          AND webhook_deliveries.total_attempts = 0
          AND webhook_deliveries.next_attempt_at > updated.at
          AND webhook_events.id = webhook_deliveries.event_id
          AND webhook_events.event_type = 'EMAIL_REPLY'
        """,
        {"user_ids": list(user_ids), "campaign_lead_ids": list(campaign_lead_ids), "times": list(times)},
    )


@dataclass(frozen=True, slots=True)
class Delivery:
    """A claimed delivery, with its webhook as it is now."""

    id: int
    webhook_id: int
    event_id: int
    request_id: UUID
    event_type: EventType
    payload: dict[str, Any]
    attempt_count: int
    total_attempts: int
    leased_until: datetime
    level: Level
    name: str
    url: str
    secret_key: str
    signing_secret: bytes | None
    webhook_created_at: datetime
    is_wanted: bool
    """False: the webhook was deleted or switched off after the event had been recorded."""


async def claim(
    db: Db,
    *,
    now: datetime,
    wall: datetime,
    leased_until: datetime,
    limit: int,
    limit_each: int,
    in_flight: Mapping[int, int],
) -> list[Delivery]:
    """Take what is due, the oldest first, of each webhook only so much as may be in flight (`in_flight`: is already).

    A first attempt is not taken before the earlier events of the same lead have had theirs.
    """
    return await fetch_all(
        db,
        Delivery,
        """
        WITH RECURSIVE pending AS (
            -- the webhooks that wait for something, without looking at all that waits
            (
                SELECT webhook_id
                FROM webhook_deliveries
                WHERE state = 'SCHEDULED'
                  AND next_attempt_at IS NOT NULL
                ORDER BY webhook_id
                LIMIT 1
            )
            UNION ALL
            SELECT (
                SELECT webhook_id
                FROM webhook_deliveries
                WHERE state = 'SCHEDULED'
                  AND next_attempt_at IS NOT NULL
                  AND webhook_id > pending.webhook_id
                ORDER BY webhook_id
                LIMIT 1
            )
            FROM pending
            WHERE pending.webhook_id IS NOT NULL
        ), due AS MATERIALIZED (
            SELECT taken.id
            FROM pending
            LEFT JOIN unnest(%(busy_ids)s::bigint[], %(busy_counts)s::bigint[]) AS busy (webhook_id, count)
                 ON busy.webhook_id = pending.webhook_id
            CROSS JOIN LATERAL (
                SELECT delivery.id, delivery.next_attempt_at
                FROM webhook_deliveries AS delivery
                WHERE delivery.webhook_id = pending.webhook_id
                  AND delivery.state = 'SCHEDULED'
                  AND delivery.next_attempt_at <= %(now)s
                  AND (delivery.leased_until IS NULL OR delivery.leased_until <= %(wall)s)
                  AND (
                      delivery.total_attempts > 0
                      OR NOT EXISTS (
                          SELECT
                          FROM webhook_deliveries AS earlier
                          WHERE earlier.campaign_lead_id = delivery.campaign_lead_id
                            AND earlier.webhook_id = delivery.webhook_id
                            AND earlier.id < delivery.id
                            AND earlier.state = 'SCHEDULED'
                            AND earlier.total_attempts = 0
                            AND earlier.next_attempt_at IS NOT NULL
                      )
                  )
                ORDER BY delivery.next_attempt_at, delivery.id
                LIMIT greatest(%(limit_each)s - coalesce(busy.count, 0), 0)
                FOR UPDATE SKIP LOCKED
            ) AS taken
            ORDER BY taken.next_attempt_at, taken.id
            LIMIT %(limit)s
        )
        UPDATE webhook_deliveries
        SET leased_until = %(leased_until)s
        FROM due, webhooks, webhook_events, accounts
        WHERE webhook_deliveries.id = due.id
          AND webhooks.id = webhook_deliveries.webhook_id
          AND webhook_events.id = webhook_deliveries.event_id
          AND accounts.id = webhook_deliveries.user_id
        RETURNING webhook_deliveries.id, webhook_deliveries.webhook_id, webhook_deliveries.event_id,
                  webhook_deliveries.request_id, webhook_events.event_type, webhook_events.payload,
                  webhook_deliveries.attempt_count, webhook_deliveries.total_attempts,
                  webhook_deliveries.leased_until, webhooks.association_type AS level, webhooks.name,
                  webhooks.webhook_url AS url,
                  coalesce(webhooks.secret_key, accounts.webhook_secret::text) AS secret_key,
                  accounts.webhook_signing_secret AS signing_secret,
                  webhooks.created_at AS webhook_created_at,
                  webhooks.is_active AND webhooks.deleted_at IS NULL AS is_wanted
        """,
        {
            "now": now,
            "wall": wall,
            "leased_until": leased_until,
            "limit": limit,
            "limit_each": limit_each,
            "busy_ids": list(in_flight),
            "busy_counts": list(in_flight.values()),
        },
    )


async def freeze_categories(db: Db, event_ids: Collection[int]) -> dict[int, int]:
    """Write the category that the lead has by now into these EMAIL_REPLY events; by event, where there is one."""
    rows = await fetch_dicts(
        db,
        """
        UPDATE webhook_events
        SET payload = webhook_events.payload || jsonb_build_object('reply_category', campaign_leads.category_id)
        FROM campaign_leads
        WHERE webhook_events.id = ANY(%(ids)s)
          AND campaign_leads.id = webhook_events.campaign_lead_id
          AND campaign_leads.category_id IS NOT NULL
        RETURNING webhook_events.id, campaign_leads.category_id
        """,
        {"ids": list(event_ids)},
    )
    return {row["id"]: row["category_id"] for row in rows}


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one attempt, and what is to become of the delivery."""

    delivery_id: int
    attempt: int
    leased_until: datetime
    attempted_at: datetime
    state: DeliveryState
    next_attempt_at: datetime | None
    status_code: int | None
    error: str | None
    duration_ms: int
    answer: str | None


async def record_results(db: Db, results: Sequence[Result]) -> set[UUID]:
    """Keep the attempts, move the deliveries on; returns the retriggers they belong to.

    A delivery that was cancelled meanwhile, or that another process took over, stays as it is.
    """
    rows = await fetch_dicts(
        db,
        """
        WITH result AS (
            SELECT *
            FROM unnest(%(ids)s::bigint[], %(attempts)s::integer[], %(leased_until)s::timestamptz[],
                        %(attempted_at)s::timestamptz[], %(states)s::text[], %(next_attempt_at)s::timestamptz[],
                        %(status_codes)s::integer[], %(errors)s::text[], %(durations)s::integer[],
                        %(answers)s::text[])
                 AS given (id, attempt, leased_until, attempted_at, state, next_attempt_at, status_code, error,
                           duration_ms, answer)
        ), locked AS MATERIALIZED (
            -- a delivery may be gone, with its campaign
            SELECT id
            FROM webhook_deliveries
            WHERE id = ANY(%(ids)s)
            ORDER BY id
            FOR UPDATE
        ), kept AS (
            INSERT INTO webhook_attempts (delivery_id, attempt, attempted_at, status_code, duration_ms, error, answer)
            SELECT result.id, result.attempt, result.attempted_at, result.status_code, result.duration_ms,
                   result.error, result.answer
            FROM result
            JOIN locked ON locked.id = result.id
        )
        UPDATE webhook_deliveries
        SET state = result.state,
            attempt_count = webhook_deliveries.attempt_count + 1,
            total_attempts = webhook_deliveries.total_attempts + 1,
            next_attempt_at = result.next_attempt_at,
            leased_until = NULL,
            last_attempt_at = result.attempted_at,
            last_success_at = CASE result.state WHEN 'SUCCESSFUL' THEN result.attempted_at
                                                ELSE webhook_deliveries.last_success_at END,
            last_status_code = result.status_code,
            last_error = result.error
        FROM result
        JOIN locked ON locked.id = result.id
        WHERE webhook_deliveries.id = result.id
          AND webhook_deliveries.state = 'SCHEDULED'
          AND webhook_deliveries.leased_until = result.leased_until
        RETURNING webhook_deliveries.retrigger_id
        """,
        {
            "ids": [result.delivery_id for result in results],
            "attempts": [result.attempt for result in results],
            "leased_until": [result.leased_until for result in results],
            "attempted_at": [result.attempted_at for result in results],
            "states": [result.state for result in results],
            "next_attempt_at": [result.next_attempt_at for result in results],
            "status_codes": [result.status_code for result in results],
            "errors": [result.error for result in results],
            "durations": [result.duration_ms for result in results],
            "answers": [result.answer for result in results],
        },
    )
    return {row["retrigger_id"] for row in rows if row["retrigger_id"] is not None}


async def cancel(db: Db, delivery_ids: Collection[int], *, error: str) -> set[UUID]:
    """These deliveries fail without another attempt; returns the retriggers they belong to."""
    rows = await fetch_dicts(
        db,
        """
        WITH locked AS MATERIALIZED (
            SELECT id
            FROM webhook_deliveries
            WHERE id = ANY(%(ids)s)
              AND state = 'SCHEDULED'
            ORDER BY id
            FOR UPDATE
        )
        UPDATE webhook_deliveries
        SET state = 'FAILED',
            next_attempt_at = NULL,
            leased_until = NULL,
            last_error = %(error)s
        FROM locked
        WHERE webhook_deliveries.id = locked.id
        RETURNING webhook_deliveries.retrigger_id
        """,
        {"ids": list(delivery_ids), "error": error},
    )
    return {row["retrigger_id"] for row in rows if row["retrigger_id"] is not None}


async def list_scheduled(db: Db, user_id: int, webhook_id: int) -> list[int]:
    """The deliveries of a webhook that are queued, in flight or to be repeated."""
    rows = await fetch_dicts(
        db,
        """
        SELECT id
        FROM webhook_deliveries
        WHERE user_id = %(user_id)s
          AND webhook_id = %(webhook_id)s
          AND state = 'SCHEDULED'
        """,
        {"user_id": user_id, "webhook_id": webhook_id},
    )
    return [row["id"] for row in rows]


async def release(db: Db, deliveries: Sequence[Delivery]) -> None:
    """Give back what was claimed and not sent."""
    await execute(
        db,
        """
        UPDATE webhook_deliveries
        SET leased_until = NULL
        FROM unnest(%(ids)s::bigint[], %(leased_until)s::timestamptz[]) AS claimed (id, leased_until)
        WHERE webhook_deliveries.id = claimed.id
          AND webhook_deliveries.leased_until = claimed.leased_until
        """,
        {
            "ids": [delivery.id for delivery in deliveries],
            "leased_until": [delivery.leased_until for delivery in deliveries],
        },
    )


async def delete_attempts(db: Db, *, before: datetime, limit: int) -> int:
    """Forget the oldest attempts; how many, so that the caller can go on in small transactions."""
    return await execute(
        db,
        """
        DELETE FROM webhook_attempts
        WHERE id IN (
            SELECT id
            FROM webhook_attempts
            WHERE attempted_at < %(before)s
            ORDER BY attempted_at
            LIMIT %(limit)s
        )
        """,
        {"before": before, "limit": limit},
    )
