"""A mail as it would leave, made by what makes it when it leaves (product behaviour 3.6).

Nothing is claimed and nothing counted. The choices follow from the mail's identity, which is known before: the preview
of a planned mail is that mail, but for the addresses in it that lead back to us.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from outrider.campaigns.models import NoMailboxes, UnknownVariant
from outrider.engine import rotation, store, threads
from outrider.engine.facts import CampaignFacts, LeadFacts, StepFacts, VariantFacts
from outrider.engine.gates import Hold
from outrider.engine.render import DeadLinks, Rendered, Renderer
from outrider.engine.rounds import Round, load_campaigns, stats_id
from outrider.engine.senders import Sender, Senders
from outrider.engine.threads import Thread
from outrider.kit.crypto import Vault
from outrider.kit.db import Db
from outrider.kit.errors import Conflict, Invalid
from outrider.leads.models import LEAD_FIELDS, LeadNotFound

_SAMPLE = {
    "first_name": "Ada",
    "last_name": "Lovelace",
    "phone_number": "+1 555 0100",
    "company_name": "Analytical Engines",
    "website": "engines.example",
    "location": "London",
    "linkedin_profile": "linkedin.example/in/ada",
    "company_url": "https://engines.example",
}


class UnknownStep(Invalid):
    """Sequence not found"""


class UnusableMailbox(Conflict):
    """The mailbox cannot be used as it is set up. Save its addresses, password and servers again."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be shown: everything that is None is what the engine would take."""

    lead_id: int | None = None
    step_number: int | None = None
    variant: str | None = None
    mailbox_id: int | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """A mail that nobody has claimed."""

    stats_id: UUID
    campaign: CampaignFacts
    step: StepFacts
    variant: VariantFacts | None
    lead: LeadFacts
    message_id: int = 0


@dataclass(frozen=True, slots=True)
class Preview:
    """The mail, or why it could not be made; `missing`: names that leave a gap."""

    draft: Draft
    sender: Sender
    at: datetime
    made: Rendered | Hold
    missing: Sequence[str]
    combinations: int


async def preview(
    db: Db,
    user_id: int,
    campaign_id: int,
    wanted: Wanted,
    *,
    client_id: int | None,
    vault: Vault,
    tracking_url: str,
    now: datetime,
) -> Preview:
    round_ = await load_campaigns(db, [campaign_id], now)
    lead = await _load_lead(db, user_id, campaign_id, wanted.lead_id, now)
    step = _find_step(round_, campaign_id, lead, wanted.step_number)
    chosen = wanted.mailbox_id or lead.retry_mailbox_id or lead.mailbox_id
    chosen = chosen or await _choose_mailbox(db, user_id, campaign_id, client_id=client_id)
    sender = await _load_sender(db, chosen, vault=vault, tracking_url=tracking_url)
    at = _when(round_.campaigns[campaign_id], lead, step, round_.steps[campaign_id], now)
    renderer = Renderer(DeadLinks())
    variants = round_.variants.get(step.id, ())
    draft = _draft(round_, step, _find_variant(variants, step, lead, wanted.variant), lead, vault)
    earlier = [
        _draft(round_, each, _next_variant(round_, each), lead, vault)
        for each in round_.steps[campaign_id]
        if each.number < step.number and each.type == "EMAIL" and each.id not in lead.sent_step_ids
    ]
    await renderer.texts.load(db, [(each.step, each.variant) for each in (*earlier, draft)])
    is_in_subsequence = round_.campaigns[campaign_id].parent_campaign_id is not None
    known = await threads.load(db, [lead.id], in_subsequences=[lead.id] if is_in_subsequence else ())
    thread = known.get(lead.id)
    for each in earlier:
        thread = _follow(renderer, each, sender, thread, at)
    combinations = 0
    made = renderer.make(draft, sender, thread, at)
    if not isinstance(made, Hold) or made.code != "TEMPLATE":
        text = renderer.texts.get(draft.step, draft.variant)
        combinations = text.subject.combinations * text.body.combinations
    missing = renderer.texts.missing(draft.step, draft.variant, lead)
    return Preview(draft, sender, at, made, missing, combinations)


def _follow(renderer: Renderer, draft: Draft, sender: Sender, thread: Thread | None, at: datetime) -> Thread | None:
    """The thread as it will be when this mail, too, has been sent."""
    made = renderer.make(draft, sender, thread, at)
    if isinstance(made, Hold):
        return thread
    written = made.written
    return threads.after(
        thread,
        subject=written.subject,
        is_answer=written.in_reply_to is not None,
        message_id=f"{draft.stats_id}@{sender.domain}",
    )


def _draft(round_: Round, step: StepFacts, variant: VariantFacts | None, lead: LeadFacts, vault: Vault) -> Draft:
    return Draft(
        stats_id=lead.retry_stats_id
        if lead.retry_step_id == step.id and lead.retry_stats_id
        else stats_id(vault, lead.id, step.id),
        campaign=round_.campaigns[step.campaign_id],
        step=step,
        variant=variant,
        lead=lead,
    )


def _find_step(round_: Round, campaign_id: int, lead: LeadFacts, number: int | None) -> StepFacts:
    """The step of this number, else the one that the lead gets next, else the first; only steps that are mails."""
    mails = [step for step in round_.steps.get(campaign_id, ()) if step.type == "EMAIL"]
    if number is not None:
        found = next((step for step in mails if step.number == number), None)
    else:
        found = rotation.next_step(lead, mails) or next(iter(mails), None)
    if found is None:
        raise UnknownStep
    return found


def _find_variant(
    variants: Sequence[VariantFacts], step: StepFacts, lead: LeadFacts, wanted: str | None
) -> VariantFacts | None:
    """The variant of this id or label, else the one that the engine would choose now."""
    if not wanted:
        again = next((each for each in variants if each.id == lead.retry_variant_id), None)
        return again or rotation.choose_variant(variants, step, {})
    for each in variants:
        if wanted == str(each.id) or wanted.casefold() == each.label.casefold():
            return each
    raise UnknownVariant(value=wanted)


def _next_variant(round_: Round, step: StepFacts) -> VariantFacts | None:
    return rotation.choose_variant(round_.variants.get(step.id, ()), step, {})


def _when(
    campaign: CampaignFacts, lead: LeadFacts, step: StepFacts, steps: Sequence[StepFacts], now: datetime
) -> datetime:
    """When the mail goes at the earliest, as far as it is planned: helpers for dates say that day."""
    earliest = max(now, campaign.schedule_start_time or now)
    upcoming = rotation.next_step(lead, steps)
    if upcoming and upcoming.id == step.id:
        earliest = max(earliest, lead.due_at or now)
    window = campaign.schedule.next_window(earliest) if campaign.schedule else None
    return max(earliest, window.opens_at) if window else earliest


async def _load_lead(db: Db, user_id: int, campaign_id: int, lead_id: int | None, now: datetime) -> LeadFacts:
    """Return the lead that is asked for, or the first of the campaign; while it has none, a sample."""
    campaign_lead_id = await store.find_preview_lead(db, user_id, campaign_id, lead_id=lead_id)
    if campaign_lead_id is not None:
        [lead] = await store.list_leads(db, [campaign_lead_id])
        return lead
    if lead_id is not None:
        raise LeadNotFound
    return _sample_lead(user_id, campaign_id, now)


def _sample_lead(user_id: int, campaign_id: int, now: datetime) -> LeadFacts:
    return LeadFacts(
        id=0,
        user_id=user_id,
        campaign_id=campaign_id,
        lead_id=0,
        mailbox_id=None,
        status="STARTED",
        last_step_id=None,
        last_step_number=0,
        due_at=None,
        provider=None,
        created_at=now,
        email="ada@engines.example",
        **{name: _SAMPLE.get(name) for name in LEAD_FIELDS},
        custom_fields={},
        shares_domain=False,
        is_unsubscribed=False,
        unsubscribed_client_ids=(),
        is_unsubscribed_from_campaign=False,
        block_entry=None,
        sent_step_ids=(),
        retry_message_id=None,
        retry_step_id=None,
        retry_variant_id=None,
        retry_stats_id=None,
        retry_mailbox_id=None,
    )


async def _choose_mailbox(db: Db, user_id: int, campaign_id: int, *, client_id: int | None) -> int:
    """Return the mailbox that a new lead would get; texts are often written before any is attached."""
    attached = await store.list_senders(db, user_id, campaign_id)
    chosen = attached[0] if attached else await store.find_first_mailbox(db, user_id, client_id=client_id)
    if chosen is None:
        raise NoMailboxes
    return chosen


async def _load_sender(db: Db, mailbox_id: int, *, vault: Vault, tracking_url: str) -> Sender:
    senders = Senders(vault, tracking_url=tracking_url)
    await senders.refresh(db, await store.list_edit_times(db, [mailbox_id]))
    if mailbox_id not in senders:
        raise UnusableMailbox
    return senders[mailbox_id]
