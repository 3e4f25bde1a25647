"""The ledger: how a campaign mail gets from the claim to its outcome, at most once.

1 claim: the message and its dispatch are inserted and committed. 2 hand over: the dispatch is marked, only by the
engine that holds it and only from CLAIMED, and committed. 3 the mail is submitted. 4 the outcome is recorded and the
dispatch removed. A unique index on (campaign lead, step) makes a second claim impossible. What was claimed and not
handed over goes back; what was handed over and has no outcome is UNKNOWN and never sent again (see `doubt`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from outrider.kit.db import Db, as_ids, as_records, execute, fetch_all, fetch_dicts
from outrider.messages.models import Claim, Deferral, Outcome, Written


async def claim(db: Db, claims: Sequence[Claim], engine_id: UUID, now: datetime) -> dict[int, int]:
    """Insert these mails as QUEUED; returns campaign lead -> message row. One that was claimed before is left out."""
    rows = await fetch_dicts(
        db,
        """
        WITH claimed AS (
            INSERT INTO messages (user_id, direction, kind, campaign_id, campaign_lead_id, lead_id, mailbox_id, step_id,
                                  step_number, variant_id, stats_id, message_id, status, from_email, to_email,
                                  claimed_at, created_at)
            SELECT user_id, 'OUT', 'CAMPAIGN', campaign_id, campaign_lead_id, lead_id, mailbox_id, step_id,
                   step_number, variant_id, stats_id, message_id, 'QUEUED', from_email, to_email, %(now)s, %(now)s
              FROM json_to_recordset(%(claims)s::json)
                   AS claim (user_id bigint, campaign_id bigint, campaign_lead_id bigint, lead_id bigint,
                             mailbox_id bigint, step_id bigint, step_number integer, variant_id bigint, stats_id uuid,
                             message_id text, from_email text, to_email text)
                ON CONFLICT DO NOTHING
            RETURNING id, campaign_lead_id, mailbox_id, campaign_id
        ), dispatched AS (
            INSERT INTO dispatches (message_id, campaign_lead_id, mailbox_id, campaign_id, state, engine_id)
            SELECT id, campaign_lead_id, mailbox_id, campaign_id, 'CLAIMED', %(engine_id)s
              FROM claimed
        )
        SELECT id, campaign_lead_id FROM claimed
        """,
        {"claims": as_records(claims), "engine_id": engine_id, "now": now},
    )
    return {row["campaign_lead_id"]: row["id"] for row in rows}


async def claim_again(db: Db, message_ids: Sequence[int], engine_id: UUID, now: datetime) -> set[int]:
    """Claim mails whose next try is due; returns those that this engine got."""
    rows = await fetch_dicts(
        db,
        """
        WITH again AS (
            UPDATE dispatches
               SET state = 'CLAIMED', engine_id = %(engine_id)s, retry_at = NULL
             WHERE message_id = ANY(%(ids)s)
               AND state = 'DEFERRED'
               AND retry_at <= %(now)s
            RETURNING message_id
        )
        UPDATE messages AS m
           SET claimed_at = %(now)s
          FROM again
         WHERE m.id = again.message_id
        RETURNING m.id
        """,
        {"ids": as_ids(message_ids), "engine_id": engine_id, "now": now},
    )
    return {row["id"] for row in rows}


async def write(db: Db, mails: Sequence[Written]) -> None:
    """Keep the texts as they will leave."""
    await execute(
        db,
        """
        WITH written AS (
            SELECT *
              FROM json_to_recordset(%(mails)s::json)
                   AS mail (id bigint, subject text, html text, text text, in_reply_to text, "references" text[],
                            is_open_tracked boolean)
        ), kept AS (
            INSERT INTO message_bodies (message_id, html, text)
            SELECT id, html, text FROM written
                ON CONFLICT (message_id) DO UPDATE SET html = excluded.html, text = excluded.text
        )
        UPDATE messages AS m
           SET subject = written.subject,
               in_reply_to = written.in_reply_to,
               "references" = nullif(written."references", '{}'),
               is_open_tracked = written.is_open_tracked
          FROM written
         WHERE m.id = written.id
        """,
        {"mails": as_records(mails)},
    )


@dataclass(frozen=True, slots=True)
class Handover:
    """A mail that may be submitted now, for the `attempt_count`-th time since `first_tried_at`."""

    message_id: int
    attempt_count: int
    first_tried_at: datetime


async def hand_over(db: Db, message_ids: Sequence[int], engine_id: UUID, now: datetime) -> dict[int, Handover]:
    """Mark mails as being handed over, looking at the gates once more; returns those that may go.

    A pause, reply, block or unsubscribe that was stored a moment ago wins, one that is just being stored too (its lead
    is locked: the mail goes back and is planned anew), and so does a lease that was lost.
    """
    rows = await fetch_all(
        db,
        Handover,
        """
        WITH allowed AS (
            SELECT d.message_id
              FROM dispatches AS d
              JOIN campaign_leads AS cl ON cl.id = d.campaign_lead_id
             WHERE d.message_id = ANY(%(ids)s)
               AND d.state = 'CLAIMED'
               AND d.engine_id = %(engine_id)s
               AND cl.status IN ('STARTED', 'INPROGRESS')
               AND NOT cl.is_unsubscribed
               -- Not joins: single rows are looked up for each mail, whatever the statistics make of fresh tables.
               AND (SELECT NOT l.is_unsubscribed
                           AND (c.client_id IS NULL OR NOT c.client_id = ANY(l.unsubscribed_client_ids))
                           AND c.status = 'ACTIVE'
                      FROM leads AS l
                     CROSS JOIN campaigns AS c
                      JOIN campaign_mailboxes AS cm ON cm.campaign_id = c.id AND cm.mailbox_id = d.mailbox_id
                     WHERE l.id = cl.lead_id
                       AND c.id = cl.campaign_id)
               AND (SELECT m.deleted_at IS NULL AND NOT m.is_suspended
                      FROM mailbox_leases AS lease
                      JOIN mailboxes AS m ON m.id = lease.mailbox_id
                     WHERE lease.mailbox_id = d.mailbox_id
                       AND lease.engine_id = %(engine_id)s)
               FOR NO KEY UPDATE OF cl SKIP LOCKED
        )
        UPDATE dispatches AS d
           SET state = 'HANDING_OVER',
               attempt_count = attempt_count + 1,
               first_tried_at = coalesce(first_tried_at, %(now)s)
          FROM allowed
         WHERE d.message_id = allowed.message_id
           AND d.state = 'CLAIMED'
           AND d.engine_id = %(engine_id)s
        RETURNING d.message_id, d.attempt_count, d.first_tried_at
        """,
        {"ids": as_ids(message_ids), "engine_id": engine_id, "now": now},
    )
    return {row.message_id: row for row in rows}


async def release(db: Db, message_ids: Sequence[int]) -> set[int]:
    """Remove claimed mails that were not handed over, so that their leads are due again; returns those removed."""
    rows = await fetch_dicts(
        db,
        """
        WITH gone AS (
            DELETE FROM dispatches
             WHERE message_id = ANY(%(ids)s)
               AND state = 'CLAIMED'
            RETURNING message_id
        )
        DELETE FROM messages AS m
         USING gone
         WHERE m.id = gone.message_id
        RETURNING m.id
        """,
        {"ids": list(message_ids)},
    )
    return {row["id"] for row in rows}


async def record_outcomes(db: Db, outcomes: Sequence[Outcome]) -> set[int]:
    """Record what became of mails and close their dispatches; returns those that were still open.

    A report that came in faster than the server's answer was recorded stays: the mail was taken and has bounced.
    """
    rows = await fetch_dicts(
        db,
        """
        WITH outcome AS (
            SELECT *
              FROM json_to_recordset(%(outcomes)s::json)
                   AS o (id bigint, status text, sent_at timestamptz, reply_code integer, enhanced_code text,
                         reply_text text, bounce_kind text)
        ), closed AS (
            DELETE FROM dispatches AS d
             USING outcome
             WHERE d.message_id = outcome.id
            RETURNING d.message_id, d.attempt_count
        )
        UPDATE messages AS m
           SET status = outcome.status,
               sent_at = outcome.sent_at,
               attempt_count = closed.attempt_count,
               reply_code = outcome.reply_code,
               enhanced_code = outcome.enhanced_code,
               reply_text = outcome.reply_text,
               bounce_kind = coalesce(outcome.bounce_kind, m.bounce_kind),
               bounced_at = CASE WHEN outcome.bounce_kind IS NULL THEN m.bounced_at ELSE outcome.sent_at END,
               bounce_reason = CASE WHEN outcome.bounce_kind IS NULL THEN m.bounce_reason
                                    ELSE concat_ws(' ', outcome.enhanced_code, outcome.reply_text) END
          FROM outcome
          JOIN closed ON closed.message_id = outcome.id
         WHERE m.id = outcome.id
        RETURNING m.id
        """,
        {"outcomes": as_records(outcomes)},
    )
    return {row["id"] for row in rows}


async def lock_handed_over(db: Db, attempts: Mapping[int, int]) -> set[int]:
    """Return which of these mails are still out with that attempt (`attempts`: row -> its number); locked.

    Others were settled meanwhile: by who took over the mailbox, or by the same result recorded once before.
    """
    rows = await fetch_dicts(
        db,
        """
        SELECT d.message_id
          FROM unnest(%(ids)s::bigint[], %(attempts)s::integer[]) AS given (message_id, attempt)
          JOIN dispatches AS d ON d.message_id = given.message_id AND d.attempt_count = given.attempt
         WHERE d.state = 'HANDING_OVER'
           FOR UPDATE OF d
        """,
        {"ids": list(attempts), "attempts": list(attempts.values())},
    )
    return {row["message_id"] for row in rows}


async def defer(db: Db, deferrals: Sequence[Deferral]) -> None:
    """Put mails that were surely not taken back to due. The caller has them locked."""
    await execute(
        db,
        """
        WITH put_off AS (
            SELECT *
              FROM json_to_recordset(%(deferrals)s::json)
                   AS p (id bigint, retry_at timestamptz, reply_code integer, enhanced_code text, reply_text text,
                         counts boolean)
        ), due AS (
            UPDATE dispatches AS d
               SET state = 'DEFERRED',
                   retry_at = put_off.retry_at,
                   first_tried_at = CASE WHEN put_off.counts THEN d.first_tried_at END
              FROM put_off
             WHERE d.message_id = put_off.id
        )
        UPDATE messages AS m
           SET reply_code = put_off.reply_code,
               enhanced_code = put_off.enhanced_code,
               reply_text = put_off.reply_text
          FROM put_off
         WHERE m.id = put_off.id
        """,
        {"deferrals": as_records(deferrals)},
    )


@dataclass(frozen=True, slots=True)
class Stranded:
    """A mail of a mailbox whose engine is gone."""

    message_id: int
    user_id: int
    campaign_lead_id: int
    campaign_id: int
    mailbox_id: int
    step_id: int
    step_number: int
    variant_id: int | None
    stats_id: UUID
    state: str
    attempt_count: int
    claimed_at: datetime


async def list_stranded(db: Db, engine_id: UUID) -> list[Stranded]:
    """Return the mails that another engine left on their way in mailboxes that this one holds.

    Those of a deleted mailbox, which nobody holds any more, are anybody's.
    """
    return await fetch_all(
        db,
        Stranded,
        """
        SELECT d.message_id, m.user_id, d.campaign_lead_id, d.campaign_id, d.mailbox_id, m.step_id, m.step_number,
               m.variant_id, m.stats_id, d.state, d.attempt_count, m.claimed_at
          FROM dispatches AS d
          JOIN messages AS m ON m.id = d.message_id
          JOIN mailboxes ON mailboxes.id = d.mailbox_id
          LEFT JOIN mailbox_leases AS lease ON lease.mailbox_id = d.mailbox_id
         WHERE d.engine_id <> %(engine_id)s
           AND d.state <> 'DEFERRED'
           AND (lease.engine_id = %(engine_id)s
                OR (lease.engine_id IS NULL AND mailboxes.deleted_at IS NOT NULL))
           FOR UPDATE OF d
        """,
        {"engine_id": engine_id},
    )


async def release_idle(db: Db) -> None:
    """Drop mails that wait for another try in vain, for nobody ever took them.

    The lead has left its sequence, the mailbox its campaign, or the step was removed or has variants now: then the lead
    gets what stands in the sequence. A variant that was deleted goes on for those who are on it.
    """
    await execute(
        db,
        """
        WITH idle AS (
            DELETE FROM dispatches AS d
             USING messages AS m
             WHERE d.state = 'DEFERRED'
               AND m.id = d.message_id
               AND (NOT EXISTS (SELECT FROM campaign_leads AS cl
                                 WHERE cl.id = d.campaign_lead_id AND cl.status IN ('STARTED', 'INPROGRESS'))
                    OR NOT EXISTS (SELECT FROM campaign_mailboxes AS cm
                                    WHERE cm.campaign_id = d.campaign_id AND cm.mailbox_id = d.mailbox_id)
                    OR NOT EXISTS (SELECT FROM steps WHERE steps.id = m.step_id AND steps.deleted_at IS NULL)
                    OR (m.variant_id IS NULL
                        AND EXISTS (SELECT FROM variants AS v
                                     WHERE v.step_id = m.step_id AND v.deleted_at IS NULL)))
            RETURNING d.message_id
        )
        DELETE FROM messages AS m
         USING idle
         WHERE m.id = idle.message_id
        """,
    )


@dataclass(frozen=True, slots=True)
class EventRow:
    """One line of the event list, from which every figure can be counted again."""

    user_id: int
    campaign_id: int | None
    campaign_lead_id: int | None
    message_id: int | None
    type: str
    occurred_at: datetime
    details: dict[str, object] | None = None


async def record_events(db: Db, events: Sequence[EventRow]) -> None:
    await execute(
        db,
        """
        INSERT INTO message_events (user_id, campaign_id, campaign_lead_id, message_id, type, occurred_at, details)
        SELECT *
          FROM json_to_recordset(%(events)s::json)
               AS event (user_id bigint, campaign_id bigint, campaign_lead_id bigint, message_id bigint, type text,
                         occurred_at timestamptz, details jsonb)
        """,
        {"events": as_records(events)},
    )
