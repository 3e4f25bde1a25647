"""What people, answers and links do to leads. Locks are taken in one order: campaign, lead, lead in a campaign.

How the engine moves leads along is in `progress`, what a changed sequence does to them in `sequence`.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from outrider.campaigns import actions as campaigns
from outrider.campaigns.models import Campaign, StepType, days_until
from outrider.campaigns.store import load_campaign, lock_campaign
from outrider.kit.db import Db
from outrider.kit.events import emit
from outrider.leads import progress, store, subsequences, unsubscribes
from outrider.leads.blocks import actions as blocks
from outrider.leads.blocks import store as block_store
from outrider.leads.lists import store as lists
from outrider.leads.models import (
    BuiltInCategory,
    CampaignLead,
    CampaignLeadNotFound,
    EmailTaken,
    HoldReason,
    InSubsequence,
    InvalidCategory,
    InvalidLeadId,
    LastStepReached,
    Lead,
    LeadCategoryUpdated,
    LeadNotFound,
    LeadNotInCampaign,
    LeadStatus,
    LeadUnsubscribed,
    StepAhead,
    days_later,
)
from outrider.leads.removal import take_out


async def pause(db: Db, user_id: int, campaign_id: int, lead_id: int, *, client_id: int | None, now: datetime) -> None:
    """Held until a person resumes it; who has ended stays so."""
    campaign_lead = await _find(db, user_id, campaign_id, lead_id, client_id=client_id)
    if campaign_lead.is_open:
        await store.update_status(db, campaign_lead, LeadStatus.PAUSED, reason=HoldReason.MANUAL, now=now)


async def stop(db: Db, user_id: int, campaign_id: int, lead_id: int, *, client_id: int | None, now: datetime) -> None:
    campaign_lead = await _find(db, user_id, campaign_id, lead_id, client_id=client_id)
    if campaign_lead.is_open:
        await store.update_status(db, campaign_lead, LeadStatus.STOPPED, reason=HoldReason.MANUAL, now=now)


async def resume(
    db: Db,
    user_id: int,
    campaign_id: int,
    lead_id: int,
    *,
    delay_days: float | None,
    client_id: int | None,
    now: datetime,
    is_from_now: bool = False,
) -> None:
    """The next step is due `delay_days` after the last mail (or now), or after its own delay; never before now.

    A lead that is on its way, has unsubscribed or is still blocked stays as it is.
    """
    campaign = await lock_campaign(db, user_id, campaign_id, client_id=client_id)
    campaign_lead = await store.find_campaign_lead(db, user_id, campaign_id, lead_id)
    if campaign_lead is None:
        raise InvalidLeadId
    if campaign_lead.is_on_its_way or await _may_not_be_mailed(db, campaign, campaign_lead):
        return
    ahead = await store.list_next_steps(db, campaign_lead)
    if campaign_lead.last_step_number and not ahead:
        raise LastStepReached
    if not await store.has_mailbox(db, campaign_lead):
        await store.update_status(db, campaign_lead, LeadStatus.STOPPED, reason=HoldReason.MAILBOX_GONE, now=now)
        return
    if await subsequences.is_elsewhere(db, user_id, campaign_lead.id):
        raise InSubsequence
    status = LeadStatus.INPROGRESS if campaign_lead.last_sent_at else LeadStatus.STARTED
    if is_from_now and delay_days is not None:
        due_at = days_later(now, delay_days, zone=campaign.timezone)
    else:
        due_at = _due_at(campaign, campaign_lead, ahead, delay_days=delay_days, now=now)
    await store.update_status(db, campaign_lead, status, reason=None, due_at=due_at, now=now)
    if campaign_lead.hold_reason is HoldReason.BOUNCED:
        await store.ignore_bounces_so_far(db, campaign_lead, now=now)
    await campaigns.reactivate(db, user_id, campaign_id, now)


def _due_at(
    campaign: Campaign, campaign_lead: CampaignLead, ahead: list[StepAhead], *, delay_days: float | None, now: datetime
) -> datetime:
    if campaign_lead.last_sent_at is None:
        return now
    if delay_days is None:
        return max(now, _after(campaign, campaign_lead.last_sent_at, ahead[0]))
    return max(now, days_later(campaign_lead.last_sent_at, delay_days, zone=campaign.timezone))


def _after(campaign: Campaign, moment: datetime, step: StepAhead) -> datetime:
    """When a step is due that follows on `moment`; without a delay at the next slot, but not in the same minute."""
    if step.delay_days == 0:
        return moment + timedelta(minutes=max(1, campaign.min_time_between_emails))
    days = step.delay_days
    if campaign.count_only_sending_days:
        days = days_until(moment.astimezone(ZoneInfo(campaign.timezone or "UTC")).date(), days, campaign.days)
    return days_later(moment, days, zone=campaign.timezone)


async def _may_not_be_mailed(db: Db, campaign: Campaign, campaign_lead: CampaignLead) -> bool:
    """Unsubscribed, or blocked by an entry that is still there (contract: leads, Resume Lead)."""
    lead = await store.find_lead(db, campaign.user_id, campaign_lead.lead_id, client_id=None)
    if lead is None or campaign_lead.is_unsubscribed or lead.is_unsubscribed_from(campaign.client_id):
        return True
    if not campaign_lead.is_blocked_for_good:
        return False
    since = campaign_lead.block_list_ignored_until
    return await block_store.is_blocked(db, campaign.user_id, lead.email, client_id=campaign.client_id, since=since)


async def complete_by_hand(
    db: Db, user_id: int, campaign_id: int, campaign_lead_id: int, *, client_id: int | None, now: datetime
) -> StepAhead | None:
    """Mark the step that a person has to do as done, else the whole lead as complete; returns what follows then."""
    campaign = await lock_campaign(db, user_id, campaign_id, client_id=client_id)
    campaign_lead = await store.lock_campaign_lead(db, user_id, campaign_lead_id)
    if campaign_lead.campaign_id != campaign_id:
        raise CampaignLeadNotFound
    ahead = await store.list_next_steps(db, campaign_lead)
    if campaign_lead.is_on_its_way and ahead and ahead[0].type == StepType.MANUAL:
        done, *left = ahead
        due_at = _after(campaign, now, left[0]) if left else None
        await store.record_step_done(db, campaign_lead, done, due_at=due_at, now=now)
        if not left:
            await store.update_status(db, campaign_lead, LeadStatus.COMPLETED, reason=None, now=now)
        return left[0] if left else None
    if campaign_lead.status not in {LeadStatus.COMPLETED, LeadStatus.BLOCKED}:
        await store.update_status(
            db, campaign_lead, LeadStatus.COMPLETED, reason=None, is_completed_by_hand=True, now=now
        )
    return ahead[0] if ahead else None


async def delete_from_campaign(
    db: Db, user_id: int, campaign_id: int, lead_id: int, *, client_id: int | None, now: datetime
) -> None:
    """The mails that were sent keep counting; a lead that is in no other campaign and in no list is forgotten."""
    await load_campaign(db, user_id, campaign_id, client_id=client_id)
    if not await take_out(db, user_id, [lead_id], campaign_id=campaign_id, client_id=client_id, now=now):
        raise LeadNotFound
    await store.delete_lost_leads(db, user_id, [lead_id], now=now)


async def delete(db: Db, user_id: int, lead_id: int, *, client_id: int | None, now: datetime) -> None:
    """Everywhere; with the key of a client in its campaigns and lists."""
    await store.lock_lead(db, user_id, lead_id, client_id=client_id)
    await take_out(db, user_id, [lead_id], client_id=client_id, now=now)
    await lists.delete_members(db, user_id, [lead_id], scope=client_id)
    await store.delete_lost_leads(db, user_id, [lead_id], now=now)


async def unsubscribe_from_campaign(
    db: Db, user_id: int, campaign_id: int, lead_id: int, *, client_id: int | None, now: datetime
) -> None:
    """From this campaign only and for good; telling it twice tells nobody."""
    campaign_lead = await _find(db, user_id, campaign_id, lead_id, client_id=client_id)
    if campaign_lead.is_unsubscribed:
        return
    await store.record_unsubscribed_from_campaign(db, campaign_lead, now=now)
    if campaign_lead.is_open:
        await store.update_status(db, campaign_lead, LeadStatus.STOPPED, reason=HoldReason.UNSUBSCRIBED, now=now)
    await emit(db, LeadUnsubscribed(user_id, campaign_id, campaign_lead.id, lead_id, None, now))


async def unsubscribe(
    db: Db,
    *,
    user_id: int,
    lead_id: int,
    campaign_lead_id: int | None,
    message_id: int | None,
    now: datetime,
    client_id: int | None = None,
) -> None:
    """From the whole account, or from all campaigns of the client whose campaign it answers (decision 31).

    `client_id` is that of a client's key: what it does not see is not touched.
    """
    lead = await store.lock_lead(db, user_id, lead_id, client_id=client_id)
    if client_id is None and campaign_lead_id is not None:
        client_id = await store.find_client_id(db, user_id, campaign_lead_id)
    await _unsubscribe(db, lead, client_id, campaign_lead_id, message_id, now=now)


async def _unsubscribe(
    db: Db,
    lead: Lead,
    client_id: int | None,
    campaign_lead_id: int | None,
    message_id: int | None,
    *,
    now: datetime,
) -> None:
    """Every campaign of the lead is told that is covered now and was not before, ended ones too."""
    covered = await unsubscribes.list_unsubscribed_clients(db, lead.user_id, lead.email)
    await unsubscribes.record_unsubscribe(db, lead, client_id=client_id, now=now)
    mine = await unsubscribes.stop_everywhere(db, lead, client_id=client_id, reason=HoldReason.UNSUBSCRIBED, now=now)
    await emit(
        db,
        *(
            LeadUnsubscribed(
                lead.user_id,
                each["campaign_id"],
                each["id"],
                lead.id,
                message_id if each["id"] == campaign_lead_id else None,
                now,
            )
            for each in mine
            if not each["is_unsubscribed"] and covered.isdisjoint({0, each["client_id"]})
        ),
    )


async def unsubscribe_address(
    db: Db, *, user_id: int, email: str, campaign_lead_id: int | None, now: datetime, message_id: int | None = None
) -> None:
    """What a link in a mail to this address does, also when the lead has been deleted since (decisions 31 and 33)."""
    client_id = None
    if campaign_lead_id is not None:
        client_id = await store.find_client_id(db, user_id, campaign_lead_id)
    for lead_id in await store.list_lead_ids(db, user_id, campaign_lead_id=campaign_lead_id, email=email):
        lead = await store.lock_lead(db, user_id, lead_id, client_id=None)
        await _unsubscribe(db, lead, client_id, campaign_lead_id, message_id, now=now)
    await unsubscribes.insert_unsubscribe(db, user_id, email, client_id=client_id, now=now)


async def unsubscribe_known_address(db: Db, *, user_id: int, email: str, now: datetime) -> None:
    """Of somebody who asks for it without answering a mail; an address that nobody here writes to is left alone."""
    if await store.list_lead_ids(db, user_id, campaign_lead_id=None, email=email):
        await unsubscribe_address(db, user_id=user_id, email=email, campaign_lead_id=None, now=now)


async def set_category(
    db: Db, *, user_id: int, campaign_lead_id: int, category_id: int | None, by_hand: bool, now: datetime
) -> bool:
    """Of the lead in this campaign, returns whether it is another one now.

    What a person has chosen is never overwritten by the program. Nor does it take back Do Not Contact, or make a lead
    uncategorizable who has a category.
    """
    lead = await store.lock_lead(db, user_id, await store.load_lead_id(db, user_id, campaign_lead_id), client_id=None)
    campaign_lead = await store.lock_campaign_lead(db, user_id, campaign_lead_id)
    if not by_hand and _stays(campaign_lead, category_id):
        return False
    await store.update_category(db, campaign_lead, category_id, by_hand=by_hand and category_id is not None, now=now)
    if campaign_lead.category_id == category_id:
        return False
    await _follow_do_not_contact(db, lead, campaign_lead.category_id, category_id, by_hand=by_hand, now=now)
    await emit(
        db,
        LeadCategoryUpdated(
            user_id,
            campaign_lead.campaign_id,
            campaign_lead.id,
            campaign_lead.category_id,
            category_id,
            now,
            is_by_hand=by_hand,
        ),
    )
    return True


def _stays(campaign_lead: CampaignLead, category_id: int | None) -> bool:
    """Whether the program may not replace a category by this one."""
    if campaign_lead.is_category_set_by_hand or campaign_lead.category_id == BuiltInCategory.DO_NOT_CONTACT:
        return True
    return category_id == BuiltInCategory.UNCATEGORIZABLE and campaign_lead.category_id is not None


async def _follow_do_not_contact(
    db: Db, lead: Lead, old_id: int | None, new_id: int | None, *, by_hand: bool, now: datetime
) -> None:
    """Nobody in the account mails the person any more, until a person takes the category away (decision 32)."""
    forbidden = BuiltInCategory.DO_NOT_CONTACT
    if new_id == forbidden:
        await unsubscribes.forbid_contact(db, lead, now=now)
        await unsubscribes.stop_everywhere(db, lead, client_id=None, reason=HoldReason.DO_NOT_CONTACT, now=now)
    elif old_id == forbidden and by_hand:
        await unsubscribes.allow_contact_again(db, lead, category_id=forbidden, now=now)


async def change_category(
    db: Db,
    user_id: int,
    campaign_id: int,
    lead_id: int,
    category_id: int | None,
    *,
    name: str | None,
    with_pause: bool,
    client_id: int | None,
    now: datetime,
) -> None:
    """By hand, by id or by name; neither: the lead has no category any more."""
    await load_campaign(db, user_id, campaign_id, client_id=client_id)
    campaign_lead_id = await store.find_campaign_lead_id(db, user_id, campaign_id, lead_id)
    if campaign_lead_id is None:
        raise LeadNotFound
    if category_id is not None or name is not None:
        category_id = await store.find_category_id(db, user_id, category_id=category_id, name=name)
        if category_id is None:
            raise InvalidCategory
    await set_category(
        db, user_id=user_id, campaign_lead_id=campaign_lead_id, category_id=category_id, by_hand=True, now=now
    )
    if with_pause:
        await pause(db, user_id, campaign_id, lead_id, client_id=client_id, now=now)


async def update(
    db: Db,
    user_id: int,
    lead_id: int,
    fields: Mapping[str, Any],
    *,
    campaign_id: int | None,
    custom_fields: Mapping[str, Any],
    client_id: int | None,
    now: datetime,
) -> None:
    """Edit the person, in every campaign; `campaign_id` is the one that the caller came through."""
    if campaign_id is not None:
        await load_campaign(db, user_id, campaign_id, client_id=client_id)
        if await store.find_campaign_lead_id(db, user_id, campaign_id, lead_id) is None:
            raise LeadNotInCampaign
    lead = await store.lock_lead(db, user_id, lead_id, client_id=client_id)
    email = fields.get("email", lead.email)
    if email != lead.email and await store.find_lead_by_email(db, user_id, email, client_id=None):
        raise EmailTaken
    await store.update_lead(db, lead, fields, custom_fields=custom_fields, now=now)
    await progress.forget_text_holds(db, user_id, lead_ids=[lead_id])
    if email != lead.email:
        await _adopt_unsubscribes(db, replace(lead, email=email), now=now)


async def _adopt_unsubscribes(db: Db, lead: Lead, *, now: datetime) -> None:
    """An address that has unsubscribed is not mailed under another lead either; nobody is told of it again."""
    for client in sorted(await unsubscribes.list_unsubscribed_clients(db, lead.user_id, lead.email)):
        client_id = client or None  # 0: the whole account
        await unsubscribes.record_unsubscribe(db, lead, client_id=client_id, now=now)
        await unsubscribes.stop_everywhere(db, lead, client_id=client_id, reason=HoldReason.UNSUBSCRIBED, now=now)


async def block_bounced_address(db: Db, *, user_id: int, email: str, campaign_lead_id: int, now: datetime) -> None:
    """The address does not exist: nobody mails it any more, and it is known in the whole installation (decision 28)."""
    await block_store.record_hard_bounce(db, email, now=now)
    await blocks.block(
        db, user_id, [email], client_id=None, source=blocks.BOUNCE_SOURCE, reason=HoldReason.BOUNCED, now=now
    )
    await store.block_bounced(db, user_id, campaign_lead_id, now=now)


async def _find(db: Db, user_id: int, campaign_id: int, lead_id: int, *, client_id: int | None) -> CampaignLead:
    await load_campaign(db, user_id, campaign_id, client_id=client_id)
    campaign_lead = await store.find_campaign_lead(db, user_id, campaign_id, lead_id)
    if campaign_lead is None:
        raise LeadNotFound
    return campaign_lead
