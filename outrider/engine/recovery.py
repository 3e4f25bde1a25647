"""What a process that died has left behind, picked up by the engine that now holds its mailboxes (decision 27).

Claimed but not handed over: goes back, the lead is due again. Handed over without an outcome: UNKNOWN, never sent again
by itself; the sequence goes on as if it had been sent, and a trace of the mail (in Sent, opened, answered) settles it.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from outrider.campaigns import pace
from outrider.engine import record, rotation, store
from outrider.engine.facts import StepFacts
from outrider.engine.planner import take_back_uses
from outrider.engine.rounds import Attempt, day_of, load_campaigns
from outrider.kit.db import Db
from outrider.mail.codes import Reason, Scope
from outrider.mail.smtp import Unknown
from outrider.messages import handwritten, ledger
from outrider.messages.ledger import EventRow, Stranded, StrandedClaim
from outrider.messages.models import MessageStatus, Outcome

_IN_DOUBT = Unknown(
    None, None, "The process ended while the mail was being handed over.", Scope.CONNECTION, Reason.OTHER
)


async def recover(db: Db, engine_id: UUID, now: datetime) -> None:
    """Settle the mails that others left on their way in this engine's mailboxes."""
    await handwritten.leave_in_doubt(db, engine_id, now)
    await _release(db, await ledger.list_stranded_claims(db, engine_id), now)
    doubtful = await ledger.list_stranded(db, engine_id)
    if not doubtful:
        return
    attempts = await _attempts(db, doubtful, now)
    results = [
        record.Result(attempts[mail.message_id], _IN_DOUBT, now, mail.attempt_count, mail.claimed_at)
        for mail in doubtful
        if mail.message_id in attempts
    ]
    await record.record(db, results)
    await _close_orphans(db, [mail for mail in doubtful if mail.message_id not in attempts], now)


async def _release(db: Db, claims: Sequence[StrandedClaim], now: datetime) -> None:
    """Give the mails back; what was counted for them is not."""
    if not claims:
        return
    await ledger.release(db, [claim.message_id for claim in claims])
    campaigns = (await load_campaigns(db, {claim.campaign_id for claim in claims}, now)).campaigns
    uses = [
        pace.Use(
            campaign_id=claim.campaign_id,
            mailbox_id=claim.mailbox_id,
            claimed_at=claim.claimed_at,
            next_send_at=claim.claimed_at,
            day=day_of(campaign, claim.claimed_at),
            is_first_mail=claim.is_first_step and campaign.parent_campaign_id is None,
            variant_id=claim.variant_id,
        )
        for claim in claims
        if (campaign := campaigns.get(claim.campaign_id))
    ]
    await take_back_uses(db, uses)


async def _close_orphans(db: Db, mails: Sequence[Stranded], now: datetime) -> None:
    """In doubt as well, but the lead was taken out of the campaign meanwhile: there is nobody to move on."""
    if not mails:
        return
    await ledger.record_outcomes(db, [Outcome(mail.message_id, MessageStatus.UNKNOWN, None) for mail in mails])
    await ledger.record_events(
        db,
        [
            EventRow(mail.user_id, mail.campaign_id, mail.campaign_lead_id, mail.message_id, "FAILED", now)
            for mail in mails
        ],
    )


async def _attempts(db: Db, stranded: Sequence[Stranded], now: datetime) -> dict[int, Attempt]:
    """Bring back what the dead process knew of these mails."""
    round_ = await load_campaigns(db, {mail.campaign_id for mail in stranded}, now)
    leads = {lead.id: lead for lead in await store.list_leads(db, [mail.campaign_lead_id for mail in stranded])}
    attempts = {}
    for mail in stranded:
        campaign, lead = round_.campaigns.get(mail.campaign_id), leads.get(mail.campaign_lead_id)
        if campaign is None or lead is None:
            continue
        steps = round_.steps.get(mail.campaign_id, ())
        step = next((step for step in steps if step.id == mail.step_id), None) or _retired_step(mail)
        variants = round_.variants.get(mail.step_id, ())
        attempts[mail.message_id] = Attempt(
            message_id=mail.message_id,
            stats_id=mail.stats_id,
            campaign=campaign,
            step=step,
            following=rotation.step_after(step, steps, lead.sent_step_ids),
            variant=next((variant for variant in variants if variant.id == mail.variant_id), None),
            lead=lead,
            mailbox_id=mail.mailbox_id,
            claimed_at=mail.claimed_at,
            day=day_of(campaign, mail.claimed_at),
        )
    return attempts


def _retired_step(mail: Stranded) -> StepFacts:
    return StepFacts(mail.step_id, mail.campaign_id, mail.step_number, "EMAIL", 0, "MANUAL_EQUAL", mail.claimed_at)
