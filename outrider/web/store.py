"""What the pages read and no slice gives in this form. Reads only."""

from dataclasses import dataclass
from datetime import datetime

from outrider.kit.db import Db, fetch_all, fetch_one, fetch_value


@dataclass(frozen=True, slots=True)
class CampaignLine:
    """A campaign with all that says whether it sends and why not; `total`: how many there are besides this page."""

    id: int
    name: str
    status: str
    track_settings: list[str]
    hold_code: str | None
    hold_text: str | None
    hold_until: datetime | None
    has_schedule: bool
    step_count: int
    lead_count: int
    ended_count: int
    next_due_at: datetime | None
    next_follow_up_at: datetime | None
    mailbox_count: int
    stopped_count: int
    stopped_text: str | None
    resting_count: int
    resting_text: str | None
    free_at: datetime | None
    total: int

    @property
    def tracks_opens(self) -> bool:
        return "DONT_EMAIL_OPEN" not in self.track_settings

    @property
    def tracks_clicks(self) -> bool:
        return "DONT_LINK_CLICK" not in self.track_settings


async def list_campaigns(
    db: Db, user_id: int, *, now: datetime, limit: int = 1, campaign_id: int | None = None
) -> list[CampaignLine]:
    """The newest campaigns, or the one asked for. A gap between two mails is no rest: a sending mailbox is in one."""
    return await fetch_all(
        db,
        CampaignLine,
        """
        SELECT c.id, c.name, c.status, c.track_settings, c.hold_code, c.hold_text, c.hold_until, c.has_schedule,
               c.total, sequence.step_count, places.lead_count, places.ended_count, places.next_due_at,
               places.next_follow_up_at, boxes.mailbox_count, boxes.stopped_count, boxes.stopped_text,
               boxes.resting_count, boxes.resting_text, boxes.free_at
          FROM (SELECT id, name, status, track_settings, hold_code, hold_text, hold_until,
                       timezone IS NOT NULL AS has_schedule, count(*) OVER () AS total
                  FROM campaigns
                 WHERE user_id = %(user_id)s
                   AND (%(campaign_id)s::bigint IS NULL OR id = %(campaign_id)s)
                 ORDER BY id DESC
                 LIMIT %(limit)s) AS c
         CROSS JOIN LATERAL (
                SELECT count(*) AS step_count
                  FROM steps
                 WHERE steps.campaign_id = c.id
                   AND steps.deleted_at IS NULL) AS sequence
         CROSS JOIN LATERAL (
                SELECT count(*) AS lead_count,
                       count(*) FILTER (WHERE status IN ('COMPLETED', 'STOPPED', 'BLOCKED')) AS ended_count,
                       min(due_at) FILTER (WHERE status IN ('STARTED', 'INPROGRESS')) AS next_due_at,
                       min(due_at) FILTER (WHERE status = 'INPROGRESS') AS next_follow_up_at
                  FROM campaign_leads
                 WHERE campaign_leads.campaign_id = c.id) AS places
         CROSS JOIN LATERAL (
                SELECT count(*) AS mailbox_count,
                       count(*) FILTER (WHERE box.is_stopped) AS stopped_count,
                       min(box.from_email || ': ' || box.reason) FILTER (WHERE box.is_stopped) AS stopped_text,
                       count(*) FILTER (WHERE box.is_resting) AS resting_count,
                       min(box.reason) FILTER (WHERE box.is_resting) AS resting_text,
                       min(box.hold_until) FILTER (WHERE box.is_resting) AS free_at
                  FROM (SELECT mailboxes.from_email, state.hold_until,
                               coalesce(state.hold_text, mailboxes.smtp_failure_error, 'suspended') AS reason,
                               NOT mailboxes.is_smtp_success OR mailboxes.is_suspended
                                 OR (coalesce(state.hold_code, 'IN_FLIGHT') <> 'IN_FLIGHT' AND state.hold_until IS NULL)
                                 AS is_stopped,
                               mailboxes.is_smtp_success AND NOT mailboxes.is_suspended
                                 AND state.hold_code <> 'GAP' AND state.hold_until > %(now)s AS is_resting
                          FROM campaign_mailboxes AS used
                          JOIN mailboxes ON mailboxes.id = used.mailbox_id
                          LEFT JOIN mailbox_states AS state ON state.mailbox_id = used.mailbox_id
                         WHERE used.campaign_id = c.id) AS box) AS boxes
         ORDER BY c.id DESC
        """,
        {"user_id": user_id, "campaign_id": campaign_id, "limit": limit, "now": now},
    )


@dataclass(frozen=True, slots=True)
class MailboxLine:
    """A mailbox as it stands today (UTC); the cap counts campaign mails only (decision 17)."""

    id: int
    from_email: str
    from_name: str
    max_email_per_day: int
    is_suspended: bool
    is_smtp_success: bool
    is_imap_success: bool
    smtp_failure_error: str | None
    imap_failure_error: str | None
    hold_code: str | None
    hold_text: str | None
    hold_until: datetime | None
    sent_today: int
    campaign_count: int
    total: int


async def list_mailboxes(
    db: Db, user_id: int, *, now: datetime, limit: int, campaign_id: int | None = None
) -> list[MailboxLine]:
    """Those that cannot work first."""
    return await fetch_all(
        db,
        MailboxLine,
        """
        SELECT mailboxes.id, mailboxes.from_email, mailboxes.from_name, mailboxes.max_email_per_day,
               mailboxes.is_suspended, mailboxes.is_smtp_success, mailboxes.is_imap_success,
               mailboxes.smtp_failure_error, mailboxes.imap_failure_error,
               state.hold_code, state.hold_text, state.hold_until,
               coalesce(day.campaign_count, 0) AS sent_today,
               (SELECT count(*) FROM campaign_mailboxes AS used WHERE used.mailbox_id = mailboxes.id) AS campaign_count,
               count(*) OVER () AS total
          FROM mailboxes
          LEFT JOIN mailbox_states AS state ON state.mailbox_id = mailboxes.id
          LEFT JOIN mailbox_days AS day ON day.mailbox_id = mailboxes.id AND day.day = %(today)s
         WHERE mailboxes.user_id = %(user_id)s
           AND mailboxes.deleted_at IS NULL
           AND (%(campaign_id)s::bigint IS NULL
                OR EXISTS (SELECT FROM campaign_mailboxes AS used
                            WHERE used.mailbox_id = mailboxes.id
                              AND used.campaign_id = %(campaign_id)s))
         ORDER BY mailboxes.is_smtp_success AND mailboxes.is_imap_success, mailboxes.from_email
         LIMIT %(limit)s
        """,
        {"user_id": user_id, "campaign_id": campaign_id, "today": now.date(), "limit": limit},
    )


@dataclass(frozen=True, slots=True)
class EventLine:
    """Something that happened to a mail."""

    type: str
    occurred_at: datetime
    campaign_id: int
    campaign_name: str
    campaign_lead_id: int | None
    email: str | None
    step_number: int | None
    url: str | None


EVENT_TYPES = ("SENT", "OPENED", "CLICKED", "REPLIED", "BOUNCED", "UNSUBSCRIBED", "FAILED")


async def list_events(
    db: Db, user_id: int, *, limit: int, types: tuple[str, ...] = EVENT_TYPES, campaign_id: int | None = None
) -> list[EventLine]:
    """The latest first: a few of each campaign and type by their index, then the latest of all of them."""
    return await fetch_all(
        db,
        EventLine,
        """
        WITH latest AS (
            SELECT recent.id, recent.type, recent.occurred_at, recent.message_id, recent.campaign_lead_id,
                   recent.details, campaigns.id AS campaign_id, campaigns.name AS campaign_name
              FROM campaigns
             CROSS JOIN unnest(%(types)s::text[]) AS wanted (type)
             CROSS JOIN LATERAL (
                    SELECT id, type, occurred_at, message_id, campaign_lead_id, details
                      FROM message_events AS event
                     WHERE event.campaign_id = campaigns.id
                       AND event.type = wanted.type
                     ORDER BY event.occurred_at DESC
                     LIMIT %(limit)s) AS recent
             WHERE campaigns.user_id = %(user_id)s
               AND (%(campaign_id)s::bigint IS NULL OR campaigns.id = %(campaign_id)s)
             ORDER BY recent.occurred_at DESC, recent.id DESC
             LIMIT %(limit)s
        )
        SELECT latest.type, latest.occurred_at, latest.campaign_id, latest.campaign_name, place.id AS campaign_lead_id,
               coalesce(leads.email, messages.to_email) AS email, messages.step_number, latest.details ->> 'url' AS url
          FROM latest
          LEFT JOIN campaign_leads AS place ON place.id = latest.campaign_lead_id
          LEFT JOIN leads ON leads.id = place.lead_id
          LEFT JOIN messages ON messages.id = latest.message_id
         ORDER BY latest.occurred_at DESC, latest.id DESC
        """,
        {"user_id": user_id, "types": list(types), "campaign_id": campaign_id, "limit": limit},
    )


@dataclass(frozen=True, slots=True)
class StepLine:
    """A step; one that was removed is still in the list."""

    id: int
    number: int
    type: str
    delay_days: int
    subject: str
    variant_count: int
    is_removed: bool


async def list_steps(db: Db, user_id: int, campaign_id: int) -> list[StepLine]:
    return await fetch_all(
        db,
        StepLine,
        """
        SELECT step.id, step.number, step.type, step.delay_days,
               coalesce(nullif(step.subject, ''), texts.subject, '') AS subject,
               coalesce(texts.variant_count, 0) AS variant_count,
               step.deleted_at IS NOT NULL AS is_removed
          FROM steps AS step
          LEFT JOIN LATERAL (
                SELECT count(*) AS variant_count, (array_agg(subject ORDER BY position))[1] AS subject
                  FROM variants
                 WHERE variants.step_id = step.id
                   AND variants.deleted_at IS NULL) AS texts ON true
         WHERE step.user_id = %(user_id)s
           AND step.campaign_id = %(campaign_id)s
           AND NOT step.is_analytics_dropped
         ORDER BY step.number, step.id
        """,
        {"user_id": user_id, "campaign_id": campaign_id},
    )


@dataclass(frozen=True, slots=True)
class LeadLine:
    """A lead in a campaign; `id` is the map id of the wire."""

    id: int
    campaign_id: int
    campaign_name: str
    email: str
    first_name: str | None
    last_name: str | None
    company_name: str | None
    status: str
    hold_reason: str | None
    category: str | None
    mailbox: str | None
    last_step_number: int
    last_sent_at: datetime | None
    last_reply_at: datetime | None

    @property
    def name(self) -> str:
        return " ".join(part for part in (self.first_name, self.last_name) if part)


_LEAD = """
    SELECT place.id, place.campaign_id, campaigns.name AS campaign_name, leads.email, leads.first_name,
           leads.last_name, leads.company_name, place.status, place.hold_reason, categories.name AS category,
           mailboxes.from_email AS mailbox, place.last_step_number, place.last_sent_at, place.last_reply_at
      FROM campaign_leads AS place
      JOIN campaigns ON campaigns.id = place.campaign_id
      JOIN leads ON leads.id = place.lead_id
      LEFT JOIN categories ON categories.id = place.category_id
      LEFT JOIN mailboxes ON mailboxes.id = place.mailbox_id
     WHERE place.user_id = %(user_id)s
"""

_CHOSEN = """
    AND place.campaign_id = %(campaign_id)s
    AND (%(status)s::text IS NULL OR place.status = %(status)s)
    AND (%(did)s::text IS NULL
         OR EXISTS (SELECT FROM messages AS mail
                     WHERE mail.campaign_lead_id = place.id
                       AND mail.step_id IS NOT NULL
                       AND mail.sent_at IS NOT NULL
                       AND CASE %(did)s::text
                               WHEN 'opened' THEN mail.first_opened_at IS NOT NULL
                               WHEN 'clicked' THEN mail.first_clicked_at IS NOT NULL
                               WHEN 'replied' THEN mail.first_replied_at IS NOT NULL
                               ELSE true END))
"""


async def list_leads(
    db: Db, user_id: int, campaign_id: int, *, status: str | None, did: str | None, limit: int
) -> tuple[int, list[LeadLine]]:
    """How many leads match, and the first of them in the order of their import; `did`: contacted, opened …"""
    params = {"user_id": user_id, "campaign_id": campaign_id, "status": status, "did": did, "limit": limit}
    total: int = await fetch_value(
        db,
        f"""
        SELECT count(*)
          FROM campaign_leads AS place
         WHERE place.user_id = %(user_id)s {_CHOSEN}
        """,  # noqa: S608 - constants
        params,
    )
    return total, await fetch_all(db, LeadLine, _LEAD + _CHOSEN + " ORDER BY place.id LIMIT %(limit)s", params)


async def find_lead(db: Db, user_id: int, campaign_lead_id: int) -> LeadLine | None:
    return await fetch_one(db, LeadLine, _LEAD + " AND place.id = %(id)s", {"user_id": user_id, "id": campaign_lead_id})


async def find_html(db: Db, user_id: int, message_id: int) -> str | None:
    """The body of a mail of the account, as it was sent or received."""
    html: str | None = await fetch_value(
        db,
        """
        SELECT message_bodies.html
          FROM message_bodies
          JOIN messages ON messages.id = message_bodies.message_id
         WHERE messages.user_id = %(user_id)s
           AND messages.id = %(message_id)s
        """,
        {"user_id": user_id, "message_id": message_id},
    )
    return html


@dataclass(frozen=True, slots=True)
class Picture:
    """An attachment that a mail may show in its text."""

    content_id: str
    content: bytes


async def list_pictures(db: Db, user_id: int, message_id: int, *, largest: int) -> list[Picture]:
    return await fetch_all(
        db,
        Picture,
        """
        SELECT content_id, content
          FROM attachments
         WHERE user_id = %(user_id)s
           AND message_id = %(message_id)s
           AND content_id IS NOT NULL
           AND content IS NOT NULL
           AND size <= %(largest)s
         ORDER BY id
        """,
        {"user_id": user_id, "message_id": message_id, "largest": largest},
    )


async def find_account_name(db: Db, user_id: int) -> str:
    return str(await fetch_value(db, "SELECT name FROM accounts WHERE id = %(user_id)s", {"user_id": user_id}))


async def has_accounts(db: Db) -> bool:
    return bool(await fetch_value(db, "SELECT EXISTS (SELECT FROM accounts)"))
