"""A lead's way through its campaign as the engine moves it: sent, next due, held, ended.

Set-based: one statement for many leads of many accounts. The ids come from rows that the engine has just read, each
with its account; what people do to leads is in `actions`.
"""

from collections.abc import Sequence
from datetime import datetime

from outrider.kit.db import Db, as_ids, as_records, execute, fetch_dicts
from outrider.kit.plain import plain

TEXT_HOLDS = ("TEMPLATE", "EMPTY_SUBJECT", "EMPTY_BODY", "MISSING_VARIABLE")
"""Reasons that lie in a text and in what the lead has for it."""


@plain(frozen=True, slots=True)
class Advance:
    """A lead got a step. `due_at`: when the next one is due; None: it was the last, the lead is COMPLETED."""

    campaign_lead_id: int
    mailbox_id: int
    step_id: int
    step_number: int
    sent_at: datetime
    due_at: datetime | None


async def record_advances(db: Db, advances: Sequence[Advance], now: datetime) -> None:
    """Move leads on. One that was stopped, paused or blocked meanwhile keeps that status.

    One that was re-allocated meanwhile keeps its new mailbox; one whose mailbox has left the campaign meanwhile stops.
    """
    await execute(
        db,
        """
        UPDATE campaign_leads AS cl
           SET mailbox_id = coalesce(cl.mailbox_id, step.mailbox_id),
               last_step_id = step.step_id,
               last_step_number = step.step_number,
               last_sent_at = step.sent_at,
               (status, due_at, hold_reason) = (
                    SELECT next.status,
                           CASE WHEN next.status = 'INPROGRESS' THEN step.due_at END,
                           CASE WHEN next.status = 'STOPPED' AND cl.status <> 'STOPPED' THEN 'MAILBOX_GONE'
                                ELSE cl.hold_reason END
                      FROM (SELECT CASE
                                       WHEN cl.status NOT IN ('STARTED', 'INPROGRESS') THEN cl.status
                                       WHEN step.due_at IS NULL THEN 'COMPLETED'
                                       WHEN (SELECT true
                                               FROM campaign_mailboxes AS cm
                                              WHERE cm.campaign_id = cl.campaign_id
                                                AND cm.mailbox_id = coalesce(cl.mailbox_id, step.mailbox_id))
                                            THEN 'INPROGRESS'
                                       ELSE 'STOPPED'
                                   END AS status) AS next),
               hold_code = NULL,
               hold_text = NULL,
               hold_until = NULL,
               updated_at = %(now)s
          FROM json_to_recordset(%(advances)s::json)
               AS step (campaign_lead_id bigint, mailbox_id bigint, step_id bigint, step_number integer,
                        sent_at timestamptz, due_at timestamptz)
         WHERE cl.id = step.campaign_lead_id
        """,
        # Rows are locked in this order, as by everybody else who changes many.
        {"advances": as_records(sorted(advances, key=lambda advance: advance.campaign_lead_id)), "now": now},
    )


@plain(frozen=True, slots=True)
class Skip:
    """A lead does not get a step. `due_at`: when the next one is due; None: it was the last, the lead is COMPLETED."""

    campaign_lead_id: int
    step_id: int
    step_number: int
    due_at: datetime | None


async def record_skips(db: Db, skips: Sequence[Skip], now: datetime) -> None:
    """Move leads past steps that they do not get. The status is that of mails and stays, but at the end."""
    await execute(
        db,
        """
        UPDATE campaign_leads AS cl
           SET last_step_id = step.step_id,
               last_step_number = step.step_number,
               status = CASE WHEN step.due_at IS NULL THEN 'COMPLETED' ELSE cl.status END,
               due_at = step.due_at,
               hold_code = NULL,
               hold_text = NULL,
               hold_until = NULL,
               updated_at = %(now)s
          FROM json_to_recordset(%(skips)s::json)
               AS step (campaign_lead_id bigint, step_id bigint, step_number integer, due_at timestamptz)
         WHERE cl.id = step.campaign_lead_id
           AND cl.status IN ('STARTED', 'INPROGRESS')
        """,
        {"skips": as_records(sorted(skips, key=lambda skip: skip.campaign_lead_id)), "now": now},
    )


async def record_holds(
    db: Db,
    ids: Sequence[int],
    codes: Sequence[str | None],
    texts: Sequence[str | None],
    until: Sequence[datetime | None],
) -> None:
    """Store the lead's own reason not to be mailed, and when to look again."""
    await execute(
        db,
        """
        UPDATE campaign_leads AS cl
           SET hold_code = hold.code, hold_text = hold.text, hold_until = hold.until
          FROM unnest(%(ids)s::bigint[], %(codes)s::text[], %(texts)s::text[], %(until)s::timestamptz[])
               AS hold (campaign_lead_id, code, text, until)
         WHERE cl.id = hold.campaign_lead_id
        """,
        {"ids": list(ids), "codes": list(codes), "texts": list(texts), "until": list(until)},
    )


async def forget_text_holds(
    db: Db, user_id: int, *, campaign_id: int | None = None, lead_ids: Sequence[int] = ()
) -> None:
    """Let leads of this campaign, or these people everywhere, be looked at anew: their text or values were edited."""
    await execute(
        db,
        """
        UPDATE campaign_leads
           SET hold_code = NULL, hold_text = NULL, hold_until = NULL
         WHERE user_id = %(user_id)s
           AND (campaign_id = %(campaign_id)s OR lead_id = ANY(%(lead_ids)s))
           AND status IN ('STARTED', 'INPROGRESS')
           AND hold_code = ANY(%(codes)s)
        """,
        {
            "user_id": user_id,
            "campaign_id": campaign_id,
            "lead_ids": as_ids(lead_ids),
            "codes": list(TEXT_HOLDS),
        },
    )


async def end(db: Db, campaign_lead_ids: Sequence[int], *, status: str, reason: str, now: datetime) -> list[int]:
    """End the way of leads that are still on it (`status` STOPPED, BLOCKED or PAUSED); returns those it changed."""
    rows = await fetch_dicts(
        db,
        """
        UPDATE campaign_leads
           SET status = %(status)s, hold_reason = %(reason)s, due_at = NULL, updated_at = %(now)s,
               hold_code = NULL, hold_text = NULL, hold_until = NULL
         WHERE id = ANY(%(ids)s)
           AND status IN ('STARTED', 'INPROGRESS', 'PAUSED')
           AND status <> %(status)s
        RETURNING id
        """,
        {"ids": list(campaign_lead_ids), "status": status, "reason": reason, "now": now},
    )
    return [row["id"] for row in rows]


async def complete(db: Db, campaign_lead_ids: Sequence[int], now: datetime) -> None:
    """No step is left for these leads: COMPLETED."""
    await execute(
        db,
        """
        UPDATE campaign_leads
           SET status = 'COMPLETED', due_at = NULL, updated_at = %(now)s
         WHERE id = ANY(%(ids)s)
           AND status IN ('STARTED', 'INPROGRESS')
        """,
        {"ids": list(campaign_lead_ids), "now": now},
    )


async def wait_for_person(db: Db, campaign_lead_ids: Sequence[int], now: datetime) -> None:
    """The next step is a person's to do: nothing is planned until it is done."""
    await execute(
        db,
        """
        UPDATE campaign_leads
           SET due_at = NULL,
               hold_code = 'MANUAL_STEP',
               hold_text = 'The next step is done by a person. Mark it as done to go on.',
               hold_until = NULL,
               updated_at = %(now)s
         WHERE id = ANY(%(ids)s)
        """,
        {"ids": list(campaign_lead_ids), "now": now},
    )


@plain(frozen=True, slots=True)
class Answered:
    """A lead has answered; `ends_sequence`: its campaign stops then."""

    campaign_lead_id: int
    at: datetime
    ends_sequence: bool


async def record_answers(db: Db, answers: Sequence[Answered], *, now: datetime) -> None:
    """Leads that have answered, each once; those still on their way are STOPPED if that ends their sequence."""
    await execute(
        db,
        """
        UPDATE campaign_leads AS cl
           SET last_reply_at = greatest(cl.last_reply_at, next.at),
               status = CASE WHEN next.stops THEN 'STOPPED' ELSE cl.status END,
               hold_reason = CASE WHEN next.stops THEN 'REPLIED' ELSE cl.hold_reason END,
               due_at = CASE WHEN next.stops THEN NULL ELSE cl.due_at END,
               hold_code = CASE WHEN next.stops THEN NULL ELSE cl.hold_code END,
               hold_text = CASE WHEN next.stops THEN NULL ELSE cl.hold_text END,
               hold_until = CASE WHEN next.stops THEN NULL ELSE cl.hold_until END,
               updated_at = %(now)s
          FROM (SELECT lead.id, given.at,
                       given.ends_sequence AND lead.status IN ('STARTED', 'INPROGRESS', 'PAUSED') AS stops
                  FROM json_to_recordset(%(answers)s::json)
                       AS given (campaign_lead_id bigint, at timestamptz, ends_sequence boolean)
                  JOIN campaign_leads AS lead ON lead.id = given.campaign_lead_id
                 ORDER BY lead.id
                   FOR NO KEY UPDATE OF lead) AS next
         WHERE cl.id = next.id
        """,
        {"answers": as_records(answers), "now": now},
    )


async def list_finished_campaigns(db: Db, campaign_ids: Sequence[int]) -> list[tuple[int, int]]:
    """Return (account, campaign) of ACTIVE campaigns with leads of which none is on its way or paused."""
    rows = await fetch_dicts(
        db,
        """
        SELECT c.user_id, c.id
          FROM campaigns AS c
         WHERE c.id = ANY(%(campaign_ids)s)
           AND c.status = 'ACTIVE'
           AND EXISTS (SELECT FROM campaign_leads AS cl WHERE cl.campaign_id = c.id)
           AND NOT EXISTS (SELECT FROM campaign_leads AS cl
                            WHERE cl.campaign_id = c.id AND cl.status IN ('STARTED', 'INPROGRESS', 'PAUSED'))
        """,
        {"campaign_ids": list(campaign_ids)},
    )
    return [(row["user_id"], row["id"]) for row in rows]


async def end_by_rule(
    db: Db, campaign_lead_ids: Sequence[int], *, rules: Sequence[str], reason: str, now: datetime
) -> None:
    """Stop leads whose campaign ends a sequence on this event (`rules`: the settings that say so)."""
    await execute(
        db,
        """
        UPDATE campaign_leads AS cl
           SET status = 'STOPPED', hold_reason = %(reason)s, due_at = NULL, updated_at = %(now)s,
               hold_code = NULL, hold_text = NULL, hold_until = NULL
          FROM campaigns AS c
         WHERE cl.id = ANY(%(ids)s)
           AND c.id = cl.campaign_id
           AND c.stop_lead_settings = ANY(%(rules)s)
           AND cl.status IN ('STARTED', 'INPROGRESS')
        """,
        {"ids": list(campaign_lead_ids), "rules": list(rules), "reason": reason, "now": now},
    )


async def wait_for_return(db: Db, campaign_lead_id: int, until: datetime, *, now: datetime) -> None:
    """The person is away: PAUSED until then, when the lead goes on by itself."""
    await execute(
        db,
        """
        UPDATE campaign_leads
           SET status = 'PAUSED', hold_reason = 'OOO', resume_at = %(until)s, due_at = NULL, updated_at = %(now)s,
               hold_code = NULL, hold_text = NULL, hold_until = NULL
         WHERE id = %(id)s
           AND (status IN ('STARTED', 'INPROGRESS') OR (status = 'PAUSED' AND hold_reason = 'OOO'))
        """,
        {"id": campaign_lead_id, "until": until, "now": now},
    )


async def resume_returned(db: Db, now: datetime) -> None:
    """Leads whose absence is over are due again."""
    await execute(
        db,
        """
        UPDATE campaign_leads AS cl
           SET status = CASE WHEN last_step_number > 0 THEN 'INPROGRESS' ELSE 'STARTED' END,
               hold_reason = NULL, due_at = resume_at, resume_at = NULL, has_returned = true, updated_at = %(now)s
         WHERE status = 'PAUSED'
           AND hold_reason = 'OOO'
           AND resume_at <= %(now)s
        """,
        {"now": now},
    )


async def pause_company(db: Db, campaign_lead_id: int, now: datetime) -> None:
    """Somebody has answered: colleagues in the same campaign are held until a person resumes them (6.7)."""
    await execute(
        db,
        """
        UPDATE campaign_leads AS colleague
           SET status = 'PAUSED', hold_reason = 'DOMAIN_REPLY', due_at = NULL, updated_at = %(now)s,
               hold_code = NULL, hold_text = NULL, hold_until = NULL
          FROM campaign_leads AS own
          JOIN leads AS author ON author.id = own.lead_id
          JOIN leads AS other ON other.user_id = own.user_id AND other.domain = author.domain AND other.id <> author.id
         WHERE own.id = %(id)s
           AND colleague.campaign_id = own.campaign_id
           AND colleague.lead_id = other.id
           AND colleague.status IN ('STARTED', 'INPROGRESS')
        """,
        {"id": campaign_lead_id, "now": now},
    )
