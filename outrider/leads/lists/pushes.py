"""Leads pushed into lists and campaigns: copied, or moved out of where they were.

What is chosen is taken as a whole and worked through in parts; whoever moves leads takes them from where the reader of
the request sees them (`scope`: a client's key).
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from outrider.campaigns import actions as campaigns
from outrider.campaigns.models import Campaign
from outrider.campaigns.store import find_campaign_by_name, load_campaign, lock_campaign
from outrider.kit.db import Db
from outrider.leads import addition
from outrider.leads.judging import Addition, NewLead, Rules, Verdict
from outrider.leads.lists import store
from outrider.leads.lists.models import Push, SameList, UnknownLeadList
from outrider.leads.removal import take_out
from outrider.leads.selection import Selection, list_chosen

_LEADS_AT_ONCE = 5_000


async def to_list(
    db: Db,
    user_id: int,
    list_id: int,
    selection: Selection,
    how: Push,
    *,
    scope: int | None,
    now: datetime,
    campaign_id: int | None = None,
) -> None:
    """Into a list; moved leads leave this campaign, or all of theirs, and are archived."""
    if campaign_id is not None:
        await load_campaign(db, user_id, campaign_id, client_id=scope)
        selection = replace(selection, campaign_ids=[campaign_id])
    await store.lock_list(db, user_id, list_id, scope=scope)
    ids = [lead.id for lead in await list_chosen(db, user_id, selection, scope=scope)]
    await store.insert_members(db, user_id, list_id, ids, is_archived=how is Push.MOVE, now=now)
    if how is Push.MOVE:
        await take_out(db, user_id, ids, campaign_id=campaign_id, client_id=scope, now=now)


async def between_lists(
    db: Db, user_id: int, list_id: int, selection: Selection, how: Push, *, scope: int | None, now: datetime
) -> int:
    """Into another list; moved leads leave the list that is named, or all others. Returns how many were chosen."""
    sources = selection.list_ids or []
    if list_id in sources:
        raise SameList
    for each in sorted({list_id, *sources}):  # in one order, so that two pushes cannot wait for each other
        await store.lock_list(db, user_id, each, scope=scope)
    ids = [lead.id for lead in await list_chosen(db, user_id, selection, scope=scope)]
    await store.insert_members(db, user_id, list_id, ids, now=now)
    if how is Push.MOVE:
        await store.delete_members(db, user_id, ids, list_ids=sources or None, but=list_id, scope=scope)
    return len(ids)


async def find_or_create_campaign(
    db: Db, user_id: int, campaign_id: int | None, name: str | None, *, scope: int | None, now: datetime
) -> Campaign:
    """By its id, else the newest of this name, else a new one."""
    if campaign_id is None and name is not None:
        campaign_id = await find_campaign_by_name(db, user_id, name, client_id=scope)
        if campaign_id is None:
            made = await campaigns.create(db, user_id, name, client_id=None, scope=scope, settings={}, now=now)
            campaign_id = made.id
    return await lock_campaign(db, user_id, campaign_id or 0, client_id=scope)


async def to_campaign(
    db: Db,
    campaign: Campaign,
    selection: Selection,
    how: Push,
    rules: Rules,
    *,
    scope: int | None,
    now: datetime,
) -> Addition:
    """Into a campaign, with the checks of an import; that a lead is in another campaign does not keep a copy out.

    Moved leads leave the lists that they were chosen from, else their other campaigns and all lists; who does not come
    into the campaign stays where he is.
    """
    for list_id in sorted(selection.list_ids or ()):
        await store.lock_list(db, campaign.user_id, list_id, scope=scope)
    if how is Push.COPY:
        rules = replace(rules, ignore_duplicate_leads_in_other_campaign=False)
    added = await _add(db, campaign, selection, rules, scope=scope, now=now)
    if how is Push.MOVE:
        there = {Verdict.ADDED, Verdict.IN_CAMPAIGN}
        ids = [each for each, verdict in zip(added.lead_ids, added.verdicts, strict=True) if each and verdict in there]
        if not selection.list_ids:
            await take_out(db, campaign.user_id, ids, but=campaign.id, client_id=scope, now=now)
        await store.delete_members(db, campaign.user_id, ids, list_ids=selection.list_ids, scope=scope)
    return added


async def add_lists(
    db: Db, campaign: Campaign, list_ids: Sequence[int], rules: Rules, *, scope: int | None, now: datetime
) -> Addition:
    """Everybody in these lists, as if they were uploaded; the caller has locked the campaign."""
    if set(await store.list_ids(db, campaign.user_id, list_ids, scope=scope)) != set(list_ids):
        raise UnknownLeadList
    return await _add(db, campaign, Selection(list_ids=list_ids), rules, scope=scope, now=now)


async def _add(
    db: Db, campaign: Campaign, selection: Selection, rules: Rules, *, scope: int | None, now: datetime
) -> Addition:
    chosen = await list_chosen(db, campaign.user_id, selection, scope=scope)
    whole = Addition([], [], [])
    for start in range(0, len(chosen), _LEADS_AT_ONCE):
        rows = [NewLead(lead.email, {}, {}) for lead in chosen[start : start + _LEADS_AT_ONCE]]
        part = await addition.add(db, campaign, rows, rules, now=now)
        whole.emails.extend(part.emails)
        whole.verdicts.extend(part.verdicts)
        whole.lead_ids.extend(part.lead_ids)
    return whole
