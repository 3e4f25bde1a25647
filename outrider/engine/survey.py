"""Why nothing is sent, looked at again and again and stored where people see it: per campaign and per mailbox.

The leads' own reasons are stored when the planner meets them; `explain` puts the three together (invariant 10: every
lead not sent has one visible reason).
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from outrider.campaigns import pace
from outrider.engine import gates, store
from outrider.engine.gates import Case, Hold
from outrider.engine.rounds import load_campaigns
from outrider.kit.db import Db
from outrider.mailboxes import state


class Held(Protocol):
    """A row that keeps its reason."""

    @property
    def id(self) -> int: ...
    @property
    def hold_code(self) -> str | None: ...
    @property
    def hold_text(self) -> str | None: ...
    @property
    def hold_until(self) -> datetime | None: ...


async def survey(db: Db, engine_id: UUID, now: datetime) -> None:
    """Store the first failing gate of each ACTIVE campaign and of each mailbox of this engine, where it changed."""
    round_ = await load_campaigns(db, await store.list_active_campaign_ids(db), now)
    campaigns = list(round_.campaigns.values())
    holds = [gates.first_hold(round_.case(c.id, is_first_mail=True)) for c in campaigns]
    await _store_changes(db, campaigns, holds, pace.record_holds)
    mailboxes = await store.list_leased_mailboxes(db, engine_id, now, only_free=False)
    holds = [gates.first_hold(Case(now=now, mailbox=mailbox)) for mailbox in mailboxes]
    await _store_changes(db, mailboxes, holds, state.record_holds)


Record = Callable[
    [Db, Sequence[int], Sequence[str | None], Sequence[str | None], Sequence[datetime | None]], Awaitable[None]
]


async def _store_changes(db: Db, rows: Sequence[Held], holds: Sequence[Hold | None], record: Record) -> None:
    changed = [
        (row, hold)
        for row, hold in zip(rows, holds, strict=True)
        if Hold(row.hold_code or "", row.hold_text or "", row.hold_until) != (hold or _NOTHING)
    ]
    if changed:
        await record(
            db,
            [row.id for row, _ in changed],
            [hold.code if hold else None for _, hold in changed],
            [hold.text if hold else None for _, hold in changed],
            [hold.retry_at if hold else None for _, hold in changed],
        )


_NOTHING = Hold("", "")


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a lead has not got its next mail; `scope` says whose reason it is."""

    campaign_lead_id: int
    scope: str
    code: str
    text: str
    retry_at: datetime | None


async def explain(
    db: Db, user_id: int, campaign_id: int, now: datetime, *, campaign_lead_ids: Sequence[int] | None = None
) -> list[Explanation]:
    """Return one reason for every lead (or these) of the campaign that is still to get mail, or is kept from it."""
    rows = await store.list_unfinished_leads(db, user_id, campaign_id, campaign_lead_ids=campaign_lead_ids)
    return [_explain(row, now) for row in rows]


def _explain(row: store.UnfinishedLead, now: datetime) -> Explanation:
    ended = _ENDINGS.get(row.hold_reason or "") if row.status not in ("STARTED", "INPROGRESS") else None
    if ended or row.status not in ("STARTED", "INPROGRESS"):
        text = ended or f"The lead is {row.status.lower()} in this campaign."
        return Explanation(row.id, "LEAD", row.hold_reason or row.status, text, None)
    if row.campaign_hold_code and not (row.campaign_hold_code == "NEW_LEAD_CAP" and row.status == "INPROGRESS"):
        return Explanation(
            row.id, "CAMPAIGN", row.campaign_hold_code, row.campaign_hold_text or "", row.campaign_hold_until
        )
    if row.hold_code:
        return Explanation(row.id, "LEAD", row.hold_code, row.hold_text or "", row.hold_until)
    if row.due_at and row.due_at > now:
        return Explanation(
            row.id, "LEAD", "NOT_DUE", f"The next mail is due {row.due_at:%d %b %Y %H:%M} UTC.", row.due_at
        )
    if row.mailbox_hold_code:
        return Explanation(
            row.id, "MAILBOX", row.mailbox_hold_code, row.mailbox_hold_text or "", row.mailbox_hold_until
        )
    return Explanation(row.id, "CAMPAIGN", "IN_QUEUE", "The lead waits for its turn.", None)


_ENDINGS = {
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
}
