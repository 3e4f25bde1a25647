"""Why a lead has not got its next mail: exactly one reason for each, from what is stored (invariant 10).

The engine stores what holds campaigns, mailboxes and leads (engine/survey, engine/planner); here the three are put in
order. What can only be mended by a person comes before what passes by itself, and of two waits the longer one counts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from outrider.campaigns.models import BOUNCE_LIMIT, Campaign, CampaignStatus, why_not_active
from outrider.kit.db import Db, fetch_dicts
from outrider.leads.advice import ADVICE


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """A reason. `scope` says whose it is: CAMPAIGN, MAILBOX, LEAD or ENGINE.

    `retry_at`: when it is tried again; None: not before somebody does something.
    """

    scope: str
    code: str
    text: str
    retry_at: datetime | None = None

    @property
    def advice(self) -> str:
        return ADVICE.get(self.code, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason(Why):
    """Why a lead is not mailed just now; `mailbox_id`: its own, or the one that is free first."""

    campaign_lead_id: int
    campaign_id: int
    lead_id: int
    email: str
    status: str
    mailbox_id: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Group(Why):
    """All leads of a campaign with the same reason; `text` is that of most of them, `retry_at` that of the first.

    `is_ended`: no mail is planned for any of them.
    """

    lead_count: int
    is_ended: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderState:
    """A mailbox of a campaign, and what keeps it from sending just now."""

    mailbox_id: int
    from_email: str
    why: Why | None


# `pause` is what keeps the campaign from sending, `box` what keeps the lead's mailbox (for a lead without one: that of
# the campaign which is free first), `next` when the lead is due, `first` the first that keeps it from being mailed.
_REASONS = """
    WITH senders AS (
        SELECT cm.campaign_id, cm.mailbox_id,
               count(*) OVER (PARTITION BY cm.campaign_id) AS sender_count,
               m.from_email, held.code,
               CASE held.code WHEN 'GAP' THEN coalesce(held.text, %(gap)s) ELSE held.text END AS text,
               held.until
          FROM campaign_mailboxes AS cm
          JOIN mailboxes AS m ON m.id = cm.mailbox_id
          JOIN mailbox_states AS s ON s.mailbox_id = cm.mailbox_id
         CROSS JOIN LATERAL (
                SELECT CASE WHEN is_held THEN s.hold_code WHEN cm.next_send_at > %(now)s THEN 'GAP' END AS code,
                       CASE WHEN is_held THEN s.hold_text END AS text,
                       CASE WHEN is_held THEN s.hold_until ELSE cm.next_send_at END AS until
                  FROM (SELECT NOT (s.hold_code = ANY('{IN_FLIGHT,DOMAIN_LIMIT}') AND s.hold_until IS NULL)
                               AND coalesce(s.hold_until > %(now)s, true) AS is_held)
                       AS stored
               ) AS held
         WHERE cm.user_id = %(user_id)s
           AND cm.campaign_id = ANY(%(campaign_ids)s)
    ), first_free AS (
        SELECT DISTINCT ON (campaign_id) campaign_id, mailbox_id, code, until,
               CASE sender_count
                   WHEN 1 THEN text
                   ELSE 'None of the ' || sender_count || ' mailboxes of the campaign can send just now. '
                        || 'The first is ' || from_email || ': ' || text
               END AS text
          FROM senders
         ORDER BY campaign_id, code IS NOT NULL, until NULLS LAST, mailbox_id
    ), reasons AS (
        SELECT place.id AS campaign_lead_id, place.campaign_id, place.lead_id, place.status,
               coalesce(place.mailbox_id, box.mailbox_id) AS mailbox_id, campaigns.status AS campaign_status,
               why.scope, why.code, why.text, why.until
          FROM campaign_leads AS place
          JOIN campaigns ON campaigns.id = place.campaign_id
          LEFT JOIN dispatches AS mail ON mail.campaign_lead_id = place.id
          LEFT JOIN messages AS put_off ON put_off.id = mail.message_id AND mail.state = 'DEFERRED'
          LEFT JOIN senders AS own ON own.campaign_id = place.campaign_id AND own.mailbox_id = place.mailbox_id
          LEFT JOIN first_free ON first_free.campaign_id = place.campaign_id AND place.mailbox_id IS NULL
         CROSS JOIN LATERAL (
                SELECT coalesce(own.mailbox_id, first_free.mailbox_id) AS mailbox_id,
                       coalesce(own.code, first_free.code) AS code,
                       coalesce(own.text, first_free.text) AS text,
                       coalesce(own.until, first_free.until) AS until
               ) AS box
         CROSS JOIN LATERAL (
                SELECT CASE WHEN campaigns.status = 'ACTIVE' THEN campaigns.hold_code
                            WHEN campaigns.hold_code = 'BOUNCE_LIMIT' THEN campaigns.hold_code
                            ELSE 'CAMPAIGN_NOT_ACTIVE' END AS code,
                       campaigns.hold_text AS text,
                       CASE WHEN campaigns.status = 'ACTIVE' THEN campaigns.hold_until END AS until
               ) AS pause
         CROSS JOIN LATERAL (
                SELECT greatest(place.due_at, CASE WHEN mail.state = 'DEFERRED' THEN mail.retry_at END) AS at
               ) AS next
         CROSS JOIN LATERAL (
                SELECT CASE
                           WHEN place.status NOT IN ('STARTED', 'INPROGRESS')
                               THEN 'END'
                           WHEN pause.code IS NOT NULL
                                AND (pause.code <> 'NEW_LEAD_CAP' OR place.last_step_number = 0)
                                AND (pause.until IS NULL
                                     OR (pause.until > %(now)s AND pause.until >= coalesce(next.at, pause.until)))
                               THEN 'PAUSE'
                           WHEN mail.state IN ('CLAIMED', 'HANDING_OVER')
                               THEN 'IN_FLIGHT'
                           WHEN place.hold_code IS NOT NULL
                                AND (place.hold_until IS NULL OR place.hold_until > %(now)s)
                               THEN 'HOLD'
                           WHEN box.code IS NOT NULL
                                AND (box.until IS NULL OR box.until >= coalesce(next.at, box.until))
                               THEN 'BOX'
                           WHEN mail.state = 'DEFERRED' AND mail.retry_at > %(now)s
                               THEN 'PUT_OFF'
                           WHEN place.due_at > %(now)s
                               THEN 'NOT_DUE'
                           WHEN NOT %(is_engine_running)s
                               THEN 'NO_ENGINE'
                           ELSE 'IN_QUEUE'
                       END AS kind
               ) AS first
         CROSS JOIN LATERAL (
                SELECT CASE first.kind
                           WHEN 'END' THEN CASE place.status WHEN 'COMPLETED' THEN 'COMPLETED_BY_HAND'
                                                             ELSE coalesce(place.hold_reason, place.status) END
                           WHEN 'PAUSE' THEN pause.code
                           WHEN 'HOLD' THEN place.hold_code
                           WHEN 'BOX' THEN box.code
                           ELSE first.kind
                       END AS code,
                       CASE first.kind
                           WHEN 'PAUSE' THEN 'CAMPAIGN'
                           WHEN 'BOX' THEN 'MAILBOX'
                           WHEN 'IN_QUEUE' THEN 'CAMPAIGN'
                           WHEN 'NO_ENGINE' THEN 'ENGINE'
                           ELSE 'LEAD'
                       END AS scope,
                       CASE first.kind
                           WHEN 'PAUSE' THEN pause.text
                           WHEN 'HOLD' THEN place.hold_text
                           WHEN 'BOX' THEN box.text
                           WHEN 'PUT_OFF' THEN put_off.reply_text
                       END AS text,
                       CASE first.kind
                           WHEN 'END' THEN CASE place.status WHEN 'PAUSED' THEN place.resume_at END
                           WHEN 'PAUSE' THEN pause.until
                           WHEN 'HOLD' THEN place.hold_until
                           WHEN 'BOX' THEN box.until
                           WHEN 'PUT_OFF' THEN mail.retry_at
                           WHEN 'NOT_DUE' THEN place.due_at
                       END AS until
               ) AS why
         WHERE place.user_id = %(user_id)s
           AND place.campaign_id = ANY(%(campaign_ids)s)
           AND (%(campaign_lead_ids)s::bigint[] IS NULL OR place.id = ANY(%(campaign_lead_ids)s))
           AND (place.status <> 'COMPLETED' OR place.is_completed_by_hand)
    )
"""


async def list_reasons(
    db: Db,
    user_id: int,
    campaign_ids: Sequence[int],
    now: datetime,
    *,
    campaign_lead_ids: Sequence[int] | None = None,
    codes: Sequence[str] | None = None,
    is_engine_running: bool = True,
    offset: int = 0,
    limit: int | None = None,
) -> list[Reason]:
    """Return the reason of each lead of these campaigns that has not got all its mails, by id; or of these leads."""
    rows = await fetch_dicts(
        db,
        _REASONS  # noqa: S608 - constants
        + """
        SELECT reasons.*, leads.email
          FROM reasons
          JOIN leads ON leads.id = reasons.lead_id
         WHERE (%(codes)s::text[] IS NULL OR reasons.code = ANY(%(codes)s))
         ORDER BY reasons.campaign_lead_id
        OFFSET %(offset)s
         LIMIT %(limit)s
        """,
        {
            **_params(user_id, campaign_ids, now, is_engine_running=is_engine_running),
            "campaign_lead_ids": None if campaign_lead_ids is None else list(campaign_lead_ids),
            "codes": None if codes is None else list(codes),
            "offset": offset,
            "limit": limit,
        },
    )
    return [
        Reason(
            campaign_lead_id=row["campaign_lead_id"],
            campaign_id=row["campaign_id"],
            lead_id=row["lead_id"],
            email=row["email"],
            status=row["status"],
            mailbox_id=row["mailbox_id"],
            scope=row["scope"],
            code=row["code"],
            text=_sentence(row),
            retry_at=row["until"],
        )
        for row in rows
    ]


async def summarize(
    db: Db, user_id: int, campaign_id: int, now: datetime, *, is_engine_running: bool = True
) -> list[Group]:
    """Return the reasons of a campaign's leads with how many leads each has, the commonest first."""
    rows = await fetch_dicts(
        db,
        _REASONS  # noqa: S608 - constants
        + """
        SELECT scope, code, min(status) AS status, min(campaign_status) AS campaign_status,
               mode() WITHIN GROUP (ORDER BY text) AS text, count(*) AS lead_count, min(until) AS until,
               bool_and(status NOT IN ('STARTED', 'INPROGRESS')) AS is_ended
          FROM reasons
         GROUP BY scope, code
         ORDER BY lead_count DESC, code
        """,
        _params(user_id, [campaign_id], now, is_engine_running=is_engine_running),
    )
    return [
        Group(
            scope=row["scope"],
            code=row["code"],
            text=_SEVERAL.get(row["code"]) or _sentence(row),
            retry_at=row["until"],
            lead_count=row["lead_count"],
            is_ended=row["is_ended"],
        )
        for row in rows
    ]


async def list_senders(db: Db, user_id: int, campaign_id: int, now: datetime) -> list[SenderState]:
    """Return the mailboxes of a campaign with their reasons."""
    rows = await fetch_dicts(
        db,
        _REASONS  # noqa: S608 - constants
        + "SELECT mailbox_id, from_email, code, text, until FROM senders ORDER BY mailbox_id",
        _params(user_id, [campaign_id], now),
    )
    return [
        SenderState(
            mailbox_id=row["mailbox_id"],
            from_email=row["from_email"],
            why=row["code"] and Why(scope="MAILBOX", code=row["code"], text=row["text"] or "", retry_at=row["until"]),
        )
        for row in rows
    ]


def find_own(campaign: Campaign, now: datetime) -> Why | None:
    """What keeps the whole campaign from sending, if it is the campaign itself."""
    code, text, until = campaign.hold_code, campaign.hold_text or "", campaign.hold_until
    if campaign.status is not CampaignStatus.ACTIVE:
        if code == BOUNCE_LIMIT:
            return Why(scope="CAMPAIGN", code=code, text=text)
        return Why(scope="CAMPAIGN", code="CAMPAIGN_NOT_ACTIVE", text=why_not_active(campaign.status))
    if code is None or code == "NEW_LEAD_CAP" or (until is not None and until <= now):
        return None
    return Why(scope="CAMPAIGN", code=code, text=text, retry_at=until)


def find_standstill(campaign: Campaign, groups: Sequence[Group], now: datetime, *, has_leads: bool) -> Why | None:
    """Why the campaign as a whole stands still; None while a lead is served or about to be.

    When it is not the campaign's own reason, it is that of the leads that go on first.
    """
    if own := find_own(campaign, now):
        return own
    if not has_leads:
        return Why(scope="CAMPAIGN", code="NO_LEADS", text="The campaign has no leads.")
    waiting = [group for group in groups if not group.is_ended] or list(groups)
    if any(group.code in _MOVES for group in waiting):
        return None
    return min(waiting, key=lambda group: (group.retry_at or _NEVER, -group.lead_count), default=None)


_MOVES = {"IN_QUEUE", "IN_FLIGHT"}
_NEVER = datetime.max.replace(tzinfo=UTC)


def _params(
    user_id: int, campaign_ids: Sequence[int], now: datetime, *, is_engine_running: bool = True
) -> dict[str, Any]:
    return {
        "user_id": user_id,
        "campaign_ids": list(campaign_ids),
        "campaign_lead_ids": None,
        "now": now,
        "is_engine_running": is_engine_running,
        "gap": _GAP,
    }


def _sentence(row: dict[str, Any]) -> str:
    """The stored sentence, or the one for what the state of the lead says by itself."""
    code, text, until = row["code"], row["text"], row["until"]
    if code == "CAMPAIGN_NOT_ACTIVE":
        return why_not_active(CampaignStatus(row["campaign_status"]))
    if code == "PUT_OFF":
        said = (text or "no reason was given").rstrip(". ")
        return f"The recipient's mail server asked to try again later: {said}."
    if code == "NOT_DUE":
        return f"The next mail is due {until:%d %b %Y %H:%M} UTC."
    if code == "MANUAL" and row["status"] == "STOPPED":
        return "Stopped by hand."
    return text or _SENTENCES.get(code) or f"The lead is {row['status'].lower()} in this campaign."


_GAP = "The pause between two mails of this campaign from the mailbox is not over."
_SENTENCES = {
    "REPLIED": "The lead has answered.",
    "OPENED": "The lead has opened a mail, which ends its sequence.",
    "CLICKED": "The lead has clicked a link, which ends its sequence.",
    "OOO": "The lead is out of office; the sequence waits.",
    "DOMAIN_REPLY": "Somebody of the same company has answered.",
    "MAILBOX_GONE": "The lead's mailbox was removed. Give it another one to go on.",
    "BOUNCED": "Mail to the lead's address bounced.",
    "UNSUBSCRIBED": "The lead has unsubscribed.",
    "BLOCKLISTED": "The lead is on the block list.",
    "SUBSEQUENCE": "The lead was moved to a subsequence.",
    "SENDER_BOUNCE": "The mail was refused because of the sender. Resume the lead from another mailbox.",
    "DO_NOT_CONTACT": "The lead does not want to be contacted.",
    "WRONG_PERSON": "The lead is the wrong person.",
    "MANUAL": "Paused by hand. Resume the lead to go on.",
    "COMPLETED_BY_HAND": "Marked as complete by hand; the rest of the sequence is not sent.",
    "IN_FLIGHT": "The mail is just being handed over.",
    "NO_ENGINE": "The sending engine is not running.",
    "IN_QUEUE": "The lead waits for its turn.",
}
_SEVERAL = {
    "NOT_DUE": "The next mail is not due yet.",
    "MANUAL": "Paused or stopped by hand.",
    "PUT_OFF": "The recipient's mail server asked to try again later.",
}
