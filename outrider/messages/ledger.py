"""The ledger: how a campaign mail gets from the claim to its outcome, at most once.

1 claim: the dispatch is inserted, one for each lead at most, and committed. 2 hand over: the message is written and
the dispatch marked, only by the engine that holds it and only from CLAIMED, and committed. 3 the mail is submitted.
4 the outcome is recorded and the dispatch removed. A unique index on (campaign lead, step) makes a second message, and
with it a second hand-over, impossible. What was claimed and not handed over goes back; what was handed over and has no
outcome is UNKNOWN and never sent again (see `doubt`).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import LiteralString
from uuid import UUID

from outrider.kit.db import Db, as_ids, as_records, execute, fetch_all, fetch_dicts
from outrider.kit.plain import plain
from outrider.messages.models import Claim, Deferral, Outcome, Written


async def claim(db: Db, claims: Sequence[Claim], engine_id: UUID) -> dict[int, int]:
    """Promise these leads a mail each; returns campaign lead -> row of its message to be. One that has a promise is
    left out. Campaigns that are being deleted wait: their dispatches go with them.
    """
    rows = await fetch_dicts(
        db,
        """
        WITH claim AS MATERIALIZED (
            SELECT *
              FROM json_to_recordset(%(claims)s::json)
                   AS claim (campaign_id bigint, campaign_lead_id bigint, mailbox_id bigint, variant_id bigint,
                             claimed_at timestamptz)
        ), campaign AS MATERIALIZED (
            SELECT id FROM campaigns WHERE id IN (SELECT campaign_id FROM claim) FOR KEY SHARE
        )
        INSERT INTO dispatches (message_id, campaign_lead_id, mailbox_id, campaign_id, variant_id, state, engine_id,
                                claimed_at)
        SELECT nextval('messages_id_seq'), campaign_lead_id, mailbox_id, campaign_id, variant_id, 'CLAIMED',
               %(engine_id)s, claimed_at
          FROM claim
          JOIN campaign ON campaign.id = claim.campaign_id
            ON CONFLICT (campaign_lead_id) DO NOTHING
        RETURNING message_id, campaign_lead_id
        """,
        {"claims": as_records(claims), "engine_id": engine_id},
    )
    return {row["campaign_lead_id"]: row["message_id"] for row in rows}


async def claim_again(db: Db, message_ids: Sequence[int], engine_id: UUID, now: datetime) -> set[int]:
    """Claim mails whose next try is due; returns those that this engine got."""
    rows = await fetch_dicts(
        db,
        """
        WITH again AS (
            UPDATE dispatches
               SET state = 'CLAIMED', engine_id = %(engine_id)s, claimed_at = %(now)s, retry_at = NULL
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


async def write(db: Db, mails: Sequence[Written]) -> set[int]:
    """Keep claimed mails as they will leave, QUEUED; returns those that were not written before under another row."""
    rows = await fetch_dicts(
        db,
        """
        WITH mail AS MATERIALIZED (
            SELECT *
              FROM json_to_recordset(%(mails)s::json)
                   AS mail (id bigint, user_id bigint, campaign_id bigint, campaign_lead_id bigint, lead_id bigint,
                            mailbox_id bigint, step_id bigint, step_number integer, variant_id bigint, stats_id uuid,
                            message_id text, from_email text, to_email text, subject text, html text, text text,
                            in_reply_to text, "references" text[], is_open_tracked boolean)
        ), written AS (
            INSERT INTO messages (id, user_id, direction, kind, campaign_id, campaign_lead_id, lead_id, mailbox_id,
                                  step_id, step_number, variant_id, stats_id, message_id, status, from_email, to_email,
                                  claimed_at, created_at, subject, in_reply_to, "references", is_open_tracked)
            SELECT mail.id, mail.user_id, 'OUT', 'CAMPAIGN', mail.campaign_id, mail.campaign_lead_id, mail.lead_id,
                   mail.mailbox_id, mail.step_id, mail.step_number, mail.variant_id, mail.stats_id, mail.message_id,
                   'QUEUED', mail.from_email, mail.to_email, d.claimed_at, d.claimed_at, mail.subject,
                   mail.in_reply_to, nullif(mail."references", '{}'), mail.is_open_tracked
              FROM mail
              JOIN dispatches AS d ON d.message_id = mail.id AND d.state = 'CLAIMED'
                ON CONFLICT DO NOTHING
            RETURNING id
        )
        INSERT INTO message_bodies (message_id, html, text)
        SELECT mail.id, mail.html, mail.text
          FROM mail
          JOIN written ON written.id = mail.id
        RETURNING message_id
        """,
        {"mails": as_records(mails)},
    )
    return {row["message_id"] for row in rows}


async def rewrite(db: Db, mails: Sequence[Written]) -> None:
    """The same for mails that were not taken before: their rows are there."""
    await execute(
        db,
        """
        WITH mail AS (
            SELECT *
              FROM json_to_recordset(%(mails)s::json)
                   AS mail (id bigint, subject text, html text, text text, in_reply_to text, "references" text[],
                            is_open_tracked boolean)
        ), kept AS (
            UPDATE message_bodies AS b
               SET html = mail.html,
                   text = mail.text
              FROM mail
             WHERE b.message_id = mail.id
        )
        UPDATE messages AS m
           SET subject = mail.subject,
               in_reply_to = mail.in_reply_to,
               "references" = nullif(mail."references", '{}'),
               is_open_tracked = mail.is_open_tracked
          FROM mail
         WHERE m.id = mail.id
        """,
        {"mails": as_records(mails)},
    )


@plain(frozen=True, slots=True)
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
    """Remove claimed mails that were not handed over, so that their leads are due again; returns those removed.

    A text that was written while somebody else took the claim away goes, too: it would stand in the way of the next.
    """
    rows = await fetch_dicts(
        db,
        """
        WITH gone AS (
            DELETE FROM dispatches
             WHERE message_id = ANY(%(ids)s)
               AND state = 'CLAIMED'
            RETURNING message_id
        ), unwritten AS (
            DELETE FROM messages AS m
             WHERE m.id = ANY(%(ids)s)
               AND m.status = 'QUEUED'
               AND NOT EXISTS (SELECT FROM dispatches AS d WHERE d.message_id = m.id AND d.state <> 'CLAIMED')
        )
        SELECT message_id FROM gone
        """,
        {"ids": list(message_ids)},
    )
    return {row["message_id"] for row in rows}


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
             WHERE d.message_id = ANY(%(ids)s) -- by index, however small the table was when this was planned
            RETURNING d.message_id, d.attempt_count
        )
        UPDATE messages AS m
           SET status = outcome.status,
               is_doubtful = outcome.status = 'UNKNOWN',
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
           AND m.id = ANY(%(ids)s)
        RETURNING m.id
        """,
        {"outcomes": as_records(outcomes), "ids": as_ids(outcome.id for outcome in outcomes)},
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


@plain(frozen=True, slots=True)
class StrandedClaim:
    """A mail that another engine has claimed and not handed over."""

    message_id: int
    campaign_id: int
    mailbox_id: int
    variant_id: int | None
    claimed_at: datetime
    is_first_step: bool


async def list_stranded_claims(db: Db, engine_id: UUID) -> list[StrandedClaim]:
    """Return what another engine has claimed in mailboxes that this one holds, or in deleted ones; locked."""
    return await fetch_all(
        db,
        StrandedClaim,
        f"""
        SELECT d.message_id, d.campaign_id, d.mailbox_id, d.variant_id, d.claimed_at,
               coalesce((SELECT cl.last_step_number = 0
                           FROM campaign_leads AS cl
                          WHERE cl.id = d.campaign_lead_id), true) AS is_first_step
          FROM dispatches AS d
          {_LEASED}
         WHERE d.state = 'CLAIMED'
           AND {_IS_STRANDED}
           FOR UPDATE OF d
        """,  # noqa: S608 - a constant
        {"engine_id": engine_id},
    )


@plain(frozen=True, slots=True)
class Stranded:
    """A mail that another engine was handing over when it died."""

    message_id: int
    user_id: int
    campaign_lead_id: int
    campaign_id: int
    mailbox_id: int
    step_id: int
    step_number: int
    variant_id: int | None
    stats_id: UUID
    attempt_count: int
    claimed_at: datetime


async def list_stranded(db: Db, engine_id: UUID) -> list[Stranded]:
    """Return the same of mails that were being handed over."""
    return await fetch_all(
        db,
        Stranded,
        f"""
        SELECT d.message_id, m.user_id, d.campaign_lead_id, d.campaign_id, d.mailbox_id, m.step_id, m.step_number,
               m.variant_id, m.stats_id, d.attempt_count, m.claimed_at
          FROM dispatches AS d
          JOIN messages AS m ON m.id = d.message_id
          {_LEASED}
         WHERE d.state = 'HANDING_OVER'
           AND {_IS_STRANDED}
           FOR UPDATE OF d
        """,  # noqa: S608 - a constant
        {"engine_id": engine_id},
    )


# The mailbox is ours now; that of a deleted mailbox, which nobody holds any more, is anybody's.
_LEASED: LiteralString = """
          JOIN mailboxes ON mailboxes.id = d.mailbox_id
          LEFT JOIN mailbox_leases AS lease ON lease.mailbox_id = d.mailbox_id
"""
_IS_STRANDED: LiteralString = """
           d.engine_id <> %(engine_id)s
           AND (lease.engine_id = %(engine_id)s
                OR (lease.engine_id IS NULL AND mailboxes.deleted_at IS NOT NULL))
"""


async def release_idle(db: Db) -> None:
    """Drop mails that wait for another try in vain, for nobody ever took them.

    The lead has left its sequence or has another mailbox, the mailbox its campaign, or the step was removed or has
    variants now: then the lead
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
                    OR EXISTS (SELECT FROM campaign_leads AS cl
                                WHERE cl.id = d.campaign_lead_id AND cl.mailbox_id <> d.mailbox_id)
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


@plain(frozen=True, slots=True)
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


async def delete_events(db: Db, events: Sequence[EventRow]) -> None:
    """What turned out not to have happened: a person's open or click that was a machine's."""
    await execute(
        db,
        """
        DELETE FROM message_events AS e
         USING json_to_recordset(%(events)s::json)
               AS wrong (message_id bigint, type text, occurred_at timestamptz, details jsonb)
         WHERE e.message_id = wrong.message_id
           AND e.type = wrong.type
           AND e.occurred_at = wrong.occurred_at
           AND e.details IS NOT DISTINCT FROM wrong.details
        """,
        {"events": as_records(events)},
    )
