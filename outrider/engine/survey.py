"""Why nothing is sent, looked at again and again and stored where people see it: per campaign and per mailbox.

The leads' own reasons are stored when the planner meets them; leads/reasons puts the three together (invariant 10:
every lead not sent has one visible reason).
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from outrider.campaigns import actions as campaigns
from outrider.campaigns import pace, winners
from outrider.engine import gates, store, subsequences
from outrider.engine.facts import CampaignFacts, SenderDomain
from outrider.engine.gates import Case, Hold
from outrider.engine.rounds import load_campaigns
from outrider.inbox import actions as inbox
from outrider.kit.db import Db
from outrider.leads import progress, reasons
from outrider.leads.reasons import Reason
from outrider.mailboxes import state


async def tend(db: Db, engine_id: UUID, now: datetime) -> None:
    """What is done again and again, because time has passed: A/B tests, subsequences, snoozes and reminders,
    reasons, and the end of campaigns.

    A campaign ends here if its last lead left by another way than a mail.
    """
    await winners.decide_due(db, now)
    await subsequences.tend(db, now)
    await progress.resume_returned(db, now)
    await inbox.wake(db, now)
    await survey(db, engine_id, now)
    active = await store.list_active_campaign_ids(db)
    for user_id, campaign_id in await progress.list_finished_campaigns(db, active):
        await campaigns.complete(db, user_id, campaign_id, now)


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
    active = list(round_.campaigns.values())
    holds = [gates.first_hold(round_.case(c.id, is_first_mail=True)) for c in active]
    await _store_changes(db, active, holds, pace.record_holds)
    mailboxes = await store.list_leased_mailboxes(db, engine_id, now)
    domains = await _sender_domains(db, active)
    holds = [
        gates.first_hold(Case(now=now, mailbox=box, sender_domain=domains.get((box.user_id, box.domain))))
        for box in mailboxes
    ]
    await _store_changes(db, mailboxes, holds, state.record_holds)


async def _sender_domains(db: Db, active: Sequence[CampaignFacts]) -> dict[tuple[int, str], SenderDomain]:
    """Those whose mailboxes take turns, by account and name; of several campaigns the one with the longest pauses."""
    limited = [campaign.id for campaign in active if campaign.domain_level_rate_limit]
    found = await store.list_sender_domains(db, limited) if limited else []
    found.sort(key=lambda domain: domain.gap_minutes / domain.mailbox_count)
    return {(domain.user_id, domain.domain): domain for domain in found}


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


async def explain(
    db: Db, user_id: int, campaign_id: int, now: datetime, *, campaign_lead_ids: Sequence[int] | None = None
) -> list[Reason]:
    """Return one reason for every lead (or these) of the campaign that is still to get mail, or is kept from it."""
    return await reasons.list_reasons(db, user_id, [campaign_id], now, campaign_lead_ids=campaign_lead_ids)
