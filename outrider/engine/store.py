"""What the engine reads, set by set: many mailboxes, campaigns and leads in one statement each, none in a loop.

These queries run over all accounts at once: the engine serves the mailboxes that its process has leased, whosever they
are, and every row it writes back carries its own account.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from outrider.engine.facts import (
    CampaignFacts,
    DayCounts,
    LeadFacts,
    MailboxFacts,
    Pair,
    SenderDomain,
    StepFacts,
    Text,
    VariantFacts,
)
from outrider.kit.db import Db, as_ids, fetch_all, fetch_dicts, fetch_one, fetch_value
from outrider.mail.provider import Provider
from outrider.mailboxes.models import Mailbox

_PLANNING_LOCK = 7431
_DOMAINS_LOCK = 7433


@dataclass(frozen=True, slots=True)
class ReplyFacts:
    """A reply of a person, and the categories that its campaign chooses from."""

    campaign_lead_id: int
    answers_id: int
    html: str | None
    text: str | None
    category_ids: list[int]


async def find_reply(db: Db, user_id: int, message_id: int) -> ReplyFacts | None:
    return await fetch_one(
        db,
        ReplyFacts,
        """
        SELECT m.campaign_lead_id, m.answers_id, b.html, b.text, c.ai_categorisation_options AS category_ids
          FROM messages AS m
          JOIN campaigns AS c ON c.id = m.campaign_id
          JOIN message_bodies AS b ON b.message_id = m.id
         WHERE m.user_id = %(user_id)s
           AND m.id = %(message_id)s
           AND m.kind = 'REPLY'
        """,
        {"user_id": user_id, "message_id": message_id},
    )


async def list_leased_mailboxes(db: Db, engine_id: UUID, now: datetime) -> list[MailboxFacts]:
    """Return the mailboxes of this engine."""
    return await _list_mailboxes(db, engine_id, now, until=None)


async def list_free_mailboxes(db: Db, engine_id: UUID, now: datetime, *, until: datetime) -> list[MailboxFacts]:
    """Return those that serve an ACTIVE campaign and may send now, or by `until`."""
    return await _list_mailboxes(db, engine_id, now, until=until)


async def _list_mailboxes(db: Db, engine_id: UUID, now: datetime, *, until: datetime | None) -> list[MailboxFacts]:
    return await fetch_all(
        db,
        MailboxFacts,
        """
        SELECT m.id, m.user_id, split_part(lower(m.from_email), '@', -1) AS domain, m.type, m.smtp_host, m.is_suspended, m.is_smtp_success, m.smtp_failure_error, m.max_email_per_day,
               m.time_to_wait_minutes, m.updated_at, s.next_send_at, s.last_sent_at, s.backoff_until, s.backoff_reason,
               coalesce(today.campaign_count, 0) AS today_count,
               coalesce(today.follow_up_count, 0) AS today_follow_up_count,
               rolling.claimed_at AS oldest_in_cap_at,
               flight.mail_count AS in_flight_count,
               s.hold_code, s.hold_text, s.hold_until
          FROM mailbox_leases AS lease
          JOIN mailbox_states AS s ON s.mailbox_id = lease.mailbox_id
         CROSS JOIN LATERAL (
                SELECT count(*) AS mail_count
                  FROM (SELECT
                          FROM dispatches
                         WHERE mailbox_id = lease.mailbox_id
                           AND state <> 'DEFERRED'
                         LIMIT 1) AS one
               ) AS flight
         CROSS JOIN LATERAL (
                SELECT *
                  FROM mailboxes
                 WHERE id = lease.mailbox_id
                   AND deleted_at IS NULL
                OFFSET 0 -- looked up one by one, whatever the statistics make of fresh tables
               ) AS m
          LEFT JOIN mailbox_days AS today ON today.mailbox_id = m.id AND today.day = %(today)s
          LEFT JOIN mailbox_days AS yesterday ON yesterday.mailbox_id = m.id AND yesterday.day = %(today)s - 1
          LEFT JOIN LATERAL (
                SELECT claimed_at
                  FROM messages
                 WHERE mailbox_id = m.id
                   AND step_id IS NOT NULL
                   AND claimed_at > %(now)s - interval '1 day'
                   -- The mail before the cap is full again: looked up only when two days together could fill it.
                   AND coalesce(today.campaign_count, 0) + coalesce(yesterday.campaign_count, 0) >= m.max_email_per_day
                 ORDER BY claimed_at DESC
                OFFSET greatest(m.max_email_per_day - 1, 0)
                 LIMIT 1
               ) AS rolling ON true
         WHERE lease.engine_id = %(engine_id)s
           -- Each by itself, so that most mailboxes need no look but the first.
           AND (%(until)s::timestamptz IS NULL OR s.next_send_at <= %(until)s)
           AND (%(until)s::timestamptz IS NULL OR s.backoff_until IS NULL OR s.backoff_until <= %(now)s)
           AND (%(until)s::timestamptz IS NULL OR flight.mail_count = 0)
           AND (%(until)s::timestamptz IS NULL OR (m.is_smtp_success AND NOT m.is_suspended))
           AND (%(until)s::timestamptz IS NULL OR EXISTS (
                SELECT
                  FROM campaign_mailboxes AS cm
                  JOIN campaigns AS c ON c.id = cm.campaign_id
                 WHERE cm.mailbox_id = m.id
                   AND c.status = 'ACTIVE'
                   AND (cm.next_send_at IS NULL OR cm.next_send_at <= %(until)s)
               ))
        """,
        {"engine_id": engine_id, "now": now, "today": now.date(), "until": until},
    )


async def list_pairs(db: Db, mailbox_ids: Sequence[int]) -> list[Pair]:
    """Return which ACTIVE campaigns these mailboxes serve."""
    return await fetch_all(
        db,
        Pair,
        """
        SELECT cm.campaign_id, cm.mailbox_id, cm.next_send_at, cm.last_sent_at
          FROM campaign_mailboxes AS cm
          JOIN campaigns AS c ON c.id = cm.campaign_id
         WHERE cm.mailbox_id = ANY(%(mailbox_ids)s)
           AND c.status = 'ACTIVE'
        """,
        {"mailbox_ids": as_ids(mailbox_ids)},
    )


async def list_attached_ids(db: Db, user_id: int, campaign_id: int) -> list[int]:
    """Return the mailboxes of a campaign."""
    rows = await fetch_dicts(
        db,
        "SELECT mailbox_id FROM campaign_mailboxes WHERE user_id = %(user_id)s AND campaign_id = %(campaign_id)s",
        {"user_id": user_id, "campaign_id": campaign_id},
    )
    return [row["mailbox_id"] for row in rows]


async def list_campaigns(db: Db, campaign_ids: Sequence[int]) -> list[CampaignFacts]:
    return await fetch_all(
        db,
        CampaignFacts,
        """
        SELECT c.id, c.user_id, c.client_id, c.name, c.status, c.timezone, c.days, c.start_hour, c.end_hour,
               c.min_time_between_emails, c.max_new_leads_per_day, c.follow_up_percentage, c.parent_campaign_id,
               c.schedule_start_time, c.track_settings, c.unsubscribe_text, c.add_unsubscribe_tag,
               c.send_as_plain_text, c.force_plain_text, c.on_missing_variable,
               c.enable_ai_esp_matching, c.esp_matching_strict, c.domain_level_rate_limit,
               c.count_only_sending_days, c.use_lead_timezone,
               CASE WHEN c.enable_ai_esp_matching AND c.esp_matching_strict
                    THEN ARRAY(SELECT DISTINCT concat_ws(' ', m.type, m.smtp_host)
                                 FROM campaign_mailboxes AS cm
                                 JOIN mailboxes AS m ON m.id = cm.mailbox_id
                                WHERE cm.campaign_id = c.id
                                  AND m.deleted_at IS NULL
                                  AND m.is_smtp_success
                                  AND NOT m.is_suspended)
                END AS sender_kinds,
               c.hold_code, c.hold_text, c.hold_until,
               (SELECT count(*) FROM campaign_mailboxes AS cm WHERE cm.campaign_id = c.id) AS mailbox_count
          FROM campaigns AS c
         WHERE c.id = ANY(%(campaign_ids)s)
        """,
        {"campaign_ids": as_ids(campaign_ids)},
    )


async def list_active_campaign_ids(db: Db) -> list[int]:
    rows = await fetch_dicts(db, "SELECT id FROM campaigns WHERE status = 'ACTIVE'")
    return [row["id"] for row in rows]


async def count_days(db: Db, days: Mapping[int, date]) -> dict[int, DayCounts]:
    """Return what each campaign has sent on its own local day (`days`: campaign -> local date)."""
    rows = await fetch_dicts(
        db,
        """
        SELECT d.campaign_id, d.new_count, d.follow_up_count
          FROM unnest(%(campaign_ids)s::bigint[], %(days)s::date[]) AS wanted (campaign_id, day)
          JOIN campaign_days AS d ON d.campaign_id = wanted.campaign_id AND d.day = wanted.day
        """,
        {"campaign_ids": list(days), "days": list(days.values())},
    )
    return {row["campaign_id"]: DayCounts(row["new_count"], row["follow_up_count"]) for row in rows}


async def list_steps(db: Db, campaign_ids: Sequence[int]) -> list[StepFacts]:
    """Return the steps of these campaigns in order, without their texts."""
    return await fetch_all(
        db,
        StepFacts,
        """
        SELECT s.id, s.campaign_id, s.number, s.type, s.delay_days, s.variant_distribution_type AS distribution,
               s.updated_at,
               CASE WHEN s.variant_distribution_type = 'AI_EQUAL'
                    THEN (SELECT t.winner_id FROM variant_tests AS t WHERE t.step_id = s.id)
                END AS winner_id
          FROM steps AS s
         WHERE s.campaign_id = ANY(%(campaign_ids)s)
           AND s.deleted_at IS NULL
         ORDER BY s.campaign_id, s.number
        """,
        {"campaign_ids": as_ids(campaign_ids)},
    )


async def list_variants(db: Db, campaign_ids: Sequence[int]) -> list[VariantFacts]:
    return await fetch_all(
        db,
        VariantFacts,
        """
        SELECT v.id, v.step_id, v.variant_label AS label, v.variant_distribution_percentage::float8 AS share,
               coalesce(c.assigned_count, 0) AS assigned_count, v.updated_at
          FROM variants AS v
          LEFT JOIN variant_counts AS c ON c.variant_id = v.id
         WHERE v.campaign_id = ANY(%(campaign_ids)s)
           AND v.deleted_at IS NULL
         ORDER BY v.step_id, v.position
        """,
        {"campaign_ids": as_ids(campaign_ids)},
    )


@dataclass(frozen=True, slots=True)
class Due:
    """A lead whose next step is due, and the mailbox it belongs to."""

    id: int
    campaign_id: int
    mailbox_id: int
    due_at: datetime


async def list_deleted_variants(db: Db, variant_ids: Sequence[int]) -> list[VariantFacts]:
    return await fetch_all(
        db,
        VariantFacts,
        """
        SELECT v.id, v.step_id, v.variant_label AS label, v.variant_distribution_percentage::float8 AS share,
               coalesce(c.assigned_count, 0) AS assigned_count, v.updated_at
          FROM variants AS v
          LEFT JOIN variant_counts AS c ON c.variant_id = v.id
         WHERE v.id = ANY(%(ids)s)
        """,
        {"ids": as_ids(variant_ids)},
    )


async def list_due_follow_ups(db: Db, pairs: Sequence[Pair], until: datetime, *, each: int) -> list[Due]:
    """Return campaign leads whose next step is due by then, a few for each mailbox in each campaign.

    Oldest due first, then the higher step.
    """
    return await fetch_all(
        db,
        Due,
        """
        SELECT due.id, pair.campaign_id, pair.mailbox_id, due.due_at
          FROM unnest(%(campaign_ids)s::bigint[], %(mailbox_ids)s::bigint[]) AS pair (campaign_id, mailbox_id)
         CROSS JOIN LATERAL (
                -- no join: the index gives them in order, and only the first few of a long backlog are read
                SELECT cl.id, cl.due_at
                  FROM campaign_leads AS cl
                 WHERE cl.mailbox_id = pair.mailbox_id
                   AND cl.campaign_id = pair.campaign_id
                   AND cl.status = 'INPROGRESS'
                   AND cl.due_at <= %(until)s
                   AND (cl.hold_until IS NULL OR cl.hold_until <= %(until)s)
                   AND NOT EXISTS (SELECT FROM dispatches AS d WHERE d.campaign_lead_id = cl.id)
                 ORDER BY cl.due_at, cl.last_step_number DESC, cl.id
                 LIMIT %(each)s
               ) AS due
        """,
        {
            "campaign_ids": as_ids(pair.campaign_id for pair in pairs),
            "mailbox_ids": as_ids(pair.mailbox_id for pair in pairs),
            "until": until,
            "each": each,
        },
    )


async def list_due_retries(db: Db, pairs: Sequence[Pair], now: datetime, *, open_for_new: Sequence[int]) -> list[int]:
    """Return the campaign leads of mails that were not taken before and may be tried again now, one per mailbox.

    `open_for_new`: the campaigns that have room for first mails today.
    """
    rows = await fetch_dicts(
        db,
        """
        SELECT DISTINCT ON (d.mailbox_id) d.campaign_lead_id
          FROM unnest(%(campaign_ids)s::bigint[], %(mailbox_ids)s::bigint[]) AS ready (campaign_id, mailbox_id)
          JOIN dispatches AS d ON d.mailbox_id = ready.mailbox_id AND d.campaign_id = ready.campaign_id
          JOIN campaign_leads AS cl ON cl.id = d.campaign_lead_id
         WHERE d.state = 'DEFERRED'
           AND d.retry_at <= %(now)s
           AND (cl.last_step_number > 0 OR d.campaign_id = ANY(%(open_for_new)s))
         ORDER BY d.mailbox_id, d.retry_at
        """,
        {
            "campaign_ids": as_ids(pair.campaign_id for pair in pairs),
            "mailbox_ids": as_ids(pair.mailbox_id for pair in pairs),
            "open_for_new": list(open_for_new),
            "now": now,
        },
    )
    return [row["campaign_lead_id"] for row in rows]


@dataclass(frozen=True, slots=True)
class Wait:
    """When the first lead of its kind may be mailed: a follow-up or retry of this mailbox, or a new lead (None)."""

    campaign_id: int
    mailbox_id: int | None
    at: datetime


async def list_waits(db: Db, pairs: Sequence[Pair], now: datetime) -> list[Wait]:
    """Return the earliest due lead of each kind for these pairs; what is due already has a moment in the past."""
    return await fetch_all(
        db,
        Wait,
        """
        WITH pair AS (
            SELECT * FROM unnest(%(campaign_ids)s::bigint[], %(mailbox_ids)s::bigint[]) AS p (campaign_id, mailbox_id)
        ), campaign AS (
            SELECT DISTINCT campaign_id FROM pair
        )
        SELECT pair.campaign_id, pair.mailbox_id, due.at
          FROM pair
         CROSS JOIN LATERAL (
                SELECT cl.due_at AS at
                  FROM campaign_leads AS cl
                 WHERE cl.mailbox_id = pair.mailbox_id
                   AND cl.campaign_id = pair.campaign_id
                   AND cl.status = 'INPROGRESS'
                   AND cl.due_at IS NOT NULL
                   AND cl.hold_until IS NULL
                 ORDER BY cl.due_at
                 LIMIT 1
               ) AS due
         UNION ALL
        SELECT cl.campaign_id, cl.mailbox_id, min(greatest(cl.due_at, cl.hold_until))
          FROM campaign
          JOIN campaign_leads AS cl ON cl.campaign_id = campaign.campaign_id
         WHERE cl.hold_until IS NOT NULL
           AND cl.status IN ('STARTED', 'INPROGRESS')
           AND (cl.status = 'STARTED' OR cl.due_at IS NOT NULL)
         GROUP BY cl.campaign_id, cl.mailbox_id
         UNION ALL
        SELECT d.campaign_id, d.mailbox_id, min(d.retry_at)
          FROM pair
          JOIN dispatches AS d ON d.mailbox_id = pair.mailbox_id AND d.campaign_id = pair.campaign_id
         WHERE d.state = 'DEFERRED'
         GROUP BY d.campaign_id, d.mailbox_id
         UNION ALL
        SELECT campaign.campaign_id, NULL, %(now)s
          FROM campaign
         CROSS JOIN LATERAL (
                SELECT
                  FROM campaign_leads AS cl
                 WHERE cl.campaign_id = campaign.campaign_id
                   AND cl.status BETWEEN 'STARTED' AND 'STARTED' -- as in lock_new_leads
                   AND cl.due_at IS NULL
                   AND cl.hold_until IS NULL
                   AND cl.hold_code IS DISTINCT FROM 'MANUAL_STEP'
                   AND NOT EXISTS (SELECT FROM dispatches AS d WHERE d.campaign_lead_id = cl.id)
                 ORDER BY cl.status, cl.id
                 LIMIT 1
               ) AS new
         UNION ALL
        SELECT campaign.campaign_id, NULL, later.at
          FROM campaign
         CROSS JOIN LATERAL (
                SELECT cl.due_at AS at
                  FROM campaign_leads AS cl
                 WHERE cl.campaign_id = campaign.campaign_id
                   AND cl.status = 'STARTED'
                   AND cl.due_at IS NOT NULL
                   AND cl.hold_until IS NULL
                 ORDER BY cl.due_at
                 LIMIT 1
               ) AS later
        """,
        {
            "campaign_ids": as_ids(pair.campaign_id for pair in pairs),
            "mailbox_ids": as_ids(pair.mailbox_id for pair in pairs),
            "now": now,
        },
    )


async def next_changes(
    db: Db, campaign_ids: Collection[int], mailbox_ids: Collection[int], after: datetime
) -> dict[str, datetime]:
    """Return the first moment after this one of each kind: a hold, back-off or wait for a retry ends, a lead returns
    (RETURN) or gets its first mail later, an A/B test is looked at (LOOK).
    """
    rows = await fetch_dicts(
        db,
        """
        SELECT 'HOLD' AS kind, min(hold_until) AS at
          FROM campaign_leads
         WHERE campaign_id = ANY(%(campaign_ids)s)
           AND hold_until > %(after)s
         UNION ALL
        SELECT 'RETURN', min(resume_at)
          FROM campaign_leads
         WHERE campaign_id = ANY(%(campaign_ids)s)
           AND resume_at > %(after)s
         UNION ALL
        SELECT 'LATER', min(due_at)
          FROM campaign_leads
         WHERE campaign_id = ANY(%(campaign_ids)s)
           AND status = 'STARTED'
           AND due_at > %(after)s
         UNION ALL
        SELECT 'RETRY', min(retry_at)
          FROM dispatches
         WHERE mailbox_id = ANY(%(mailbox_ids)s)
           AND retry_at > %(after)s
         UNION ALL
        SELECT 'BACKOFF', min(backoff_until)
          FROM mailbox_states
         WHERE mailbox_id = ANY(%(mailbox_ids)s)
           AND backoff_until > %(after)s
         UNION ALL
        SELECT 'LOOK', min(look_at)
          FROM variant_tests
         WHERE campaign_id = ANY(%(campaign_ids)s)
           AND look_at > %(after)s
        """,
        {"campaign_ids": as_ids(campaign_ids), "mailbox_ids": as_ids(mailbox_ids), "after": after},
    )
    return {row["kind"]: row["at"] for row in rows if row["at"] is not None}


async def lock_sender_domains(db: Db, user_ids: Iterable[int]) -> None:
    """Plan campaigns with `domain_level_rate_limit` of these accounts alone: they share their domains."""
    await _lock_each(db, _DOMAINS_LOCK, user_ids)


async def list_sender_domains(db: Db, campaign_ids: Sequence[int]) -> list[SenderDomain]:
    """Return the sender domains of these campaigns, with what all mailboxes of their accounts there are doing."""
    return await fetch_all(
        db,
        SenderDomain,
        """
        WITH own AS MATERIALIZED (
            SELECT c.id AS campaign_id, c.user_id, c.min_time_between_emails AS gap_minutes,
                   split_part(lower(m.from_email), '@', -1) AS domain, count(*) AS mailbox_count
              FROM campaigns AS c
              JOIN campaign_mailboxes AS cm ON cm.campaign_id = c.id
              JOIN mailboxes AS m ON m.id = cm.mailbox_id
             WHERE c.id = ANY(%(campaign_ids)s)
               AND m.deleted_at IS NULL
             GROUP BY c.id, split_part(lower(m.from_email), '@', -1)
        ), busy AS MATERIALIZED (
            SELECT m.user_id, split_part(lower(m.from_email), '@', -1) AS domain, max(s.last_sent_at) AS last_sent_at,
                   bool_or(EXISTS (SELECT
                                     FROM dispatches AS d
                                    WHERE d.mailbox_id = m.id
                                      AND d.state <> 'DEFERRED')) AS is_in_flight
              FROM mailboxes AS m
              JOIN mailbox_states AS s ON s.mailbox_id = m.id
             WHERE m.user_id IN (SELECT user_id FROM own)
               AND m.deleted_at IS NULL
             GROUP BY m.user_id, split_part(lower(m.from_email), '@', -1)
        )
        SELECT own.campaign_id, own.user_id, own.domain, own.gap_minutes, own.mailbox_count, busy.last_sent_at,
               busy.is_in_flight
          FROM own
          JOIN busy ON busy.user_id = own.user_id AND busy.domain = own.domain
        """,
        {"campaign_ids": as_ids(campaign_ids)},
    )


async def list_recent_mails(
    db: Db, recipients: Collection[tuple[int, str]], since: datetime
) -> dict[tuple[int, str], list[datetime]]:
    """Return when each of these (campaign, domain of recipients) got mail since then, in order."""
    rows = await fetch_dicts(
        db,
        """
        SELECT wanted.campaign_id, wanted.domain, mail.claimed_at
          FROM unnest(%(campaign_ids)s::bigint[], %(domains)s::text[]) AS wanted (campaign_id, domain)
          JOIN campaigns AS c ON c.id = wanted.campaign_id
          JOIN leads AS l ON l.user_id = c.user_id AND l.domain = wanted.domain
          JOIN campaign_leads AS cl ON cl.campaign_id = c.id AND cl.lead_id = l.id
         CROSS JOIN LATERAL (
                SELECT d.claimed_at
                  FROM dispatches AS d
                 WHERE d.campaign_lead_id = cl.id
                 UNION ALL
                SELECT m.claimed_at
                  FROM messages AS m
                 WHERE m.campaign_lead_id = cl.id
                   AND m.step_id IS NOT NULL
                   AND NOT EXISTS (SELECT FROM dispatches AS d WHERE d.message_id = m.id)
               ) AS mail
         WHERE mail.claimed_at > %(since)s
         ORDER BY mail.claimed_at
        """,
        {
            "campaign_ids": [campaign_id for campaign_id, _ in recipients],
            "domains": [domain for _, domain in recipients],
            "since": since,
        },
    )
    found: dict[tuple[int, str], list[datetime]] = {key: [] for key in recipients}
    for row in rows:
        found[row["campaign_id"], row["domain"]].append(row["claimed_at"])
    return found


async def list_shared_domains(db: Db) -> list[str]:
    """Return the domains that several leads of a campaign have. For a scratch copy: it reads all leads."""
    rows = await fetch_dicts(
        db,
        """
        SELECT l.domain
          FROM campaign_leads AS cl
          JOIN leads AS l ON l.id = cl.lead_id
         GROUP BY cl.campaign_id, l.domain
        HAVING count(*) > 1
        """,
    )
    return [row["domain"] for row in rows]


async def lock_campaigns(db: Db, campaign_ids: Iterable[int]) -> set[int]:
    """Plan campaigns alone until the end of the transaction, so that their caps and shares are exact; returns which.

    Those that another engine is just planning are left for the next round. It is waited for only if these are all.
    """
    ids = sorted(campaign_ids)
    rows = await fetch_dicts(
        db,
        """
        SELECT id
          FROM unnest(%(ids)s::bigint[]) AS id
         WHERE pg_try_advisory_xact_lock(%(key)s, (id %% 2147483647)::integer)
        """,
        {"key": _PLANNING_LOCK, "ids": ids},
    )
    if rows or not ids:
        return {row["id"] for row in rows}
    await _lock_each(db, _PLANNING_LOCK, ids)
    return set(ids)


async def _lock_each(db: Db, key: int, ids: Iterable[int]) -> None:
    """In the same order for everybody, so that nobody waits for somebody who waits for him."""
    await fetch_dicts(
        db,
        """
        SELECT pg_advisory_xact_lock(%(key)s, (id %% 2147483647)::integer)
          FROM unnest(%(ids)s::bigint[]) AS id
        """,
        {"key": key, "ids": sorted(ids)},
    )


async def lock_new_leads(db: Db, wanted: Mapping[int, int], now: datetime, *, mailbox_ids: Iterable[int]) -> list[int]:
    """Return leads without a first mail in the order of their import (`wanted`: campaign -> how many).

    Locked until the end of the transaction; those that another engine has locked are passed over.
    """
    rows = await fetch_dicts(
        db,
        """
        SELECT new.id
          FROM unnest(%(campaign_ids)s::bigint[], %(counts)s::integer[]) AS wanted (campaign_id, lead_count)
         CROSS JOIN LATERAL (
                SELECT cl.id
                  FROM campaign_leads AS cl
                 WHERE cl.campaign_id = wanted.campaign_id
                   -- As a range, so that only the index by status has this order: no plan reads leads that are done.
                   AND cl.status BETWEEN 'STARTED' AND 'STARTED'
                   AND (cl.due_at IS NULL OR cl.due_at <= %(now)s)
                   AND cl.hold_code IS DISTINCT FROM 'MANUAL_STEP'
                   AND (cl.hold_until IS NULL OR cl.hold_until <= %(now)s)
                   -- A mailbox may have been chosen already: by hand, or by the campaign that the lead came from.
                   AND (cl.mailbox_id IS NULL OR cl.mailbox_id = ANY(%(mailbox_ids)s))
                   AND NOT EXISTS (SELECT FROM dispatches AS d WHERE d.campaign_lead_id = cl.id)
                 ORDER BY cl.status, cl.id
                 LIMIT wanted.lead_count
                   FOR NO KEY UPDATE SKIP LOCKED
               ) AS new
        """,
        {
            "campaign_ids": as_ids(wanted),
            "counts": as_ids(wanted.values()),
            "mailbox_ids": as_ids(mailbox_ids),
            "now": now,
        },
    )
    return [row["id"] for row in rows]


async def lock_leads_of_providers(
    db: Db, wanted: Mapping[tuple[int, Provider], int], now: datetime, *, mailbox_ids: Iterable[int]
) -> list[int]:
    """The same for leads of certain providers (`wanted`: campaign and provider -> how many)."""
    rows = await fetch_dicts(
        db,
        """
        SELECT new.id
          FROM unnest(%(campaign_ids)s::bigint[], %(providers)s::text[], %(counts)s::integer[])
               AS wanted (campaign_id, provider, lead_count)
         CROSS JOIN LATERAL (
                SELECT cl.id
                  FROM campaign_leads AS cl
                 WHERE cl.campaign_id = wanted.campaign_id
                   AND cl.provider = wanted.provider
                   AND cl.status = 'STARTED'
                   AND (cl.due_at IS NULL OR cl.due_at <= %(now)s)
                   AND cl.hold_code IS DISTINCT FROM 'MANUAL_STEP'
                   AND (cl.hold_until IS NULL OR cl.hold_until <= %(now)s)
                   AND (cl.mailbox_id IS NULL OR cl.mailbox_id = ANY(%(mailbox_ids)s))
                   AND NOT EXISTS (SELECT FROM dispatches AS d WHERE d.campaign_lead_id = cl.id)
                 ORDER BY cl.id
                 LIMIT wanted.lead_count
                   FOR NO KEY UPDATE SKIP LOCKED
               ) AS new
        """,
        {
            "campaign_ids": [campaign_id for campaign_id, _ in wanted],
            "providers": [provider for _, provider in wanted],
            "counts": list(wanted.values()),
            "mailbox_ids": as_ids(mailbox_ids),
            "now": now,
        },
    )
    return [row["id"] for row in rows]


async def list_leads(db: Db, campaign_lead_ids: Sequence[int]) -> list[LeadFacts]:
    """Return what gates and texts need of these campaign leads."""
    return await fetch_all(
        db,
        LeadFacts,
        """
        SELECT cl.id, cl.user_id, cl.campaign_id, cl.lead_id, cl.mailbox_id, cl.status, cl.last_step_id,
               cl.last_step_number, cl.due_at, cl.provider, cl.created_at, l.email, l.first_name, l.last_name, l.phone_number, l.company_name,
               l.website, l.location, l.linkedin_profile, l.company_url, l.custom_fields,
               EXISTS (SELECT
                         FROM leads AS other
                        WHERE other.user_id = l.user_id
                          AND other.domain = l.domain
                          AND other.id <> l.id) AS shares_domain,
               l.is_unsubscribed, l.unsubscribed_client_ids, cl.is_unsubscribed AS is_unsubscribed_from_campaign,
               (SELECT b.email_or_domain
                  FROM block_list AS b
                 WHERE b.user_id = cl.user_id
                   AND b.email_or_domain = ANY(
                         ARRAY[l.email, l.domain]
                         || ARRAY(SELECT array_to_string((string_to_array(l.domain, '.'))[part:], '.')
                                    FROM generate_series(2, 6) AS part))
                   AND (b.client_id IS NULL OR b.client_id = c.client_id)
                   AND (cl.block_list_ignored_until IS NULL OR b.created_at > cl.block_list_ignored_until)
                 LIMIT 1) AS block_entry,
               ARRAY(SELECT step_id FROM messages AS m
                      WHERE m.campaign_lead_id = cl.id AND m.step_id IS NOT NULL
                        AND m.id IS DISTINCT FROM d.message_id
                      ORDER BY step_id) AS sent_step_ids, -- ordered: by the index that has this order, also at first
               d.message_id AS retry_message_id, retry.step_id AS retry_step_id, retry.variant_id AS retry_variant_id,
               retry.stats_id AS retry_stats_id, d.mailbox_id AS retry_mailbox_id
          FROM campaign_leads AS cl
          JOIN leads AS l ON l.id = cl.lead_id
          JOIN campaigns AS c ON c.id = cl.campaign_id
          LEFT JOIN dispatches AS d ON d.campaign_lead_id = cl.id AND d.state = 'DEFERRED'
          LEFT JOIN messages AS retry ON retry.id = d.message_id
         WHERE cl.id = ANY(%(ids)s)
        """,
        {"ids": as_ids(campaign_lead_ids)},
    )


async def count_reserved(db: Db, pairs: Sequence[Pair], until: datetime, *, at_most: int) -> dict[int, int]:
    """Return how many follow-ups of each mailbox fall due before `until`, those of a pair counted up to `at_most`."""
    rows = await fetch_dicts(
        db,
        """
        SELECT pair.mailbox_id, sum(due.mail_count)::integer AS mail_count
          FROM unnest(%(campaign_ids)s::bigint[], %(mailbox_ids)s::bigint[]) AS pair (campaign_id, mailbox_id)
         CROSS JOIN LATERAL (
                SELECT count(*) AS mail_count
                  FROM (SELECT
                          FROM campaign_leads AS cl
                         WHERE cl.mailbox_id = pair.mailbox_id
                           AND cl.campaign_id = pair.campaign_id
                           AND cl.status = 'INPROGRESS'
                           AND cl.due_at < %(until)s
                         LIMIT %(at_most)s) AS counted
               ) AS due
         GROUP BY pair.mailbox_id
        """,
        {
            "campaign_ids": as_ids(pair.campaign_id for pair in pairs),
            "mailbox_ids": as_ids(pair.mailbox_id for pair in pairs),
            "until": until,
            "at_most": at_most,
        },
    )
    return {row["mailbox_id"]: row["mail_count"] for row in rows}


async def count_soft_bounce_days(db: Db, user_id: int, email: str, until: datetime) -> int:
    """Return on how many days mail to this address has bounced softly."""
    rows = await fetch_dicts(
        db,
        """
        SELECT count(DISTINCT (m.bounced_at AT TIME ZONE 'UTC')::date) AS day_count
          FROM leads AS l
          JOIN messages AS m ON m.lead_id = l.id
         WHERE l.user_id = %(user_id)s
           AND l.email = %(email)s
           AND m.bounce_kind = 'SOFT'
           AND m.bounced_at <= %(until)s
        """,
        {"user_id": user_id, "email": email, "until": until},
    )
    return int(rows[0]["day_count"])


@dataclass(frozen=True, slots=True)
class Disconnected:
    """A mailbox that cannot submit, and how often it was put off in a row."""

    mailbox_id: int
    backoff_step: int


async def list_disconnected(db: Db, engine_id: UUID, now: datetime, *, limit: int) -> list[Disconnected]:
    """Return mailboxes of this engine whose log-in has failed and is to be tried again."""
    return await fetch_all(
        db,
        Disconnected,
        """
        SELECT s.mailbox_id, s.backoff_step
          FROM mailbox_leases AS lease
          JOIN mailboxes AS m ON m.id = lease.mailbox_id
          JOIN mailbox_states AS s ON s.mailbox_id = m.id
         WHERE lease.engine_id = %(engine_id)s
           AND m.deleted_at IS NULL
           AND NOT m.is_smtp_success
           AND m.smtp_host IS NOT NULL
           AND (s.backoff_until IS NULL OR s.backoff_until <= %(now)s)
         ORDER BY s.backoff_until NULLS FIRST
         LIMIT %(limit)s
        """,
        {"engine_id": engine_id, "now": now, "limit": limit},
    )


@dataclass(frozen=True, slots=True)
class BounceCounts:
    """Leads of a campaign: how many got mail, and to how many of them it bounced for the recipient's sake."""

    contacted: int
    bounced: int


async def count_bounced(db: Db, user_id: int, campaign_id: int, *, since: datetime | None) -> BounceCounts:
    """Count the mails that were sent from `since` on."""
    found = await fetch_all(
        db,
        BounceCounts,
        """
        SELECT count(DISTINCT campaign_lead_id) AS contacted,
               count(DISTINCT campaign_lead_id) FILTER (WHERE bounce_kind IN ('HARD', 'SOFT')) AS bounced
          FROM messages
         WHERE user_id = %(user_id)s
           AND campaign_id = %(campaign_id)s
           AND step_id IS NOT NULL
           AND sent_at >= coalesce(%(since)s::timestamptz, '-infinity')
        """,
        {"user_id": user_id, "campaign_id": campaign_id, "since": since},
    )
    return found[0]


async def list_edit_times(db: Db, mailbox_ids: Sequence[int]) -> dict[int, datetime]:
    sql = "SELECT id, updated_at FROM mailboxes WHERE id = ANY(%(ids)s)"
    return {row["id"]: row["updated_at"] for row in await fetch_dicts(db, sql, {"ids": list(mailbox_ids)})}


async def find_first_send(db: Db, mailbox_id: int) -> datetime | None:
    """When a mailbox sent its first campaign mail: nothing older can have an answer."""
    first: datetime | None = await fetch_value(
        db,
        "SELECT min(claimed_at) FROM messages WHERE mailbox_id = %(mailbox_id)s AND step_id IS NOT NULL",
        {"mailbox_id": mailbox_id},
    )
    return first


async def list_mailboxes(db: Db, mailbox_ids: Sequence[int]) -> list[Mailbox]:
    return await fetch_all(db, Mailbox, "SELECT * FROM mailboxes WHERE id = ANY(%(ids)s)", {"ids": list(mailbox_ids)})


async def find_preview_lead(db: Db, user_id: int, campaign_id: int, *, lead_id: int | None) -> int | None:
    """Return the id in the campaign of this lead, or of its first one."""
    rows = await fetch_dicts(
        db,
        """
        SELECT id
          FROM campaign_leads
         WHERE user_id = %(user_id)s
           AND campaign_id = %(campaign_id)s
           AND (%(lead_id)s::bigint IS NULL OR lead_id = %(lead_id)s)
         ORDER BY id
         LIMIT 1
        """,
        {"user_id": user_id, "campaign_id": campaign_id, "lead_id": lead_id},
    )
    return rows[0]["id"] if rows else None


async def list_senders(db: Db, user_id: int, campaign_id: int) -> list[int]:
    """Return the campaign's mailboxes in the order in which a new lead would get them, those that can send first."""
    rows = await fetch_dicts(
        db,
        """
        SELECT m.id
          FROM campaign_mailboxes AS cm
          JOIN mailboxes AS m ON m.id = cm.mailbox_id
          JOIN mailbox_states AS s ON s.mailbox_id = m.id
         WHERE cm.user_id = %(user_id)s
           AND cm.campaign_id = %(campaign_id)s
           AND m.deleted_at IS NULL
         ORDER BY m.is_suspended OR NOT m.is_smtp_success, s.last_sent_at NULLS FIRST, m.id
        """,
        {"user_id": user_id, "campaign_id": campaign_id},
    )
    return [row["id"] for row in rows]


async def find_first_mailbox(db: Db, user_id: int, *, client_id: int | None) -> int | None:
    """Return the oldest mailbox of the account, with the key of a client that of the client."""
    rows = await fetch_dicts(
        db,
        """
        SELECT id
          FROM mailboxes
         WHERE user_id = %(user_id)s
           AND deleted_at IS NULL
           AND (%(client_id)s::bigint IS NULL OR client_id = %(client_id)s)
         ORDER BY id
         LIMIT 1
        """,
        {"user_id": user_id, "client_id": client_id},
    )
    return rows[0]["id"] if rows else None


async def list_texts(db: Db, step_ids: Sequence[int], variant_ids: Sequence[int]) -> list[Text]:
    """Return subjects and bodies of these steps and variants."""
    return await fetch_all(
        db,
        Text,
        """
        SELECT id AS step_id, NULL::bigint AS variant_id, subject, email_body
          FROM steps
         WHERE id = ANY(%(step_ids)s)
         UNION ALL
        SELECT step_id, id, subject, email_body
          FROM variants
         WHERE id = ANY(%(variant_ids)s)
        """,
        {"step_ids": list(step_ids), "variant_ids": list(variant_ids)},
    )
