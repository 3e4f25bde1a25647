"""Routes of leads and of leads in campaigns (contract: leads). The block list and imports have their own."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import Depends, Query
from starlette.responses import Response

from outrider.campaigns.store import load_campaign, lock_campaign
from outrider.kit.http import MAIN_KEY, Api, Context, Ctx, PathId, reply
from outrider.kit.pagination import Page, paging
from outrider.leads import actions, addition, categories, listing, reallocation, reasons, store, wire, wire_add
from outrider.leads.emails import email_key
from outrider.leads.lists import pushes
from outrider.leads.models import CannotResume, DocumentedFailure, LeadNotFound
from outrider.leads.reasons import Reason
from outrider.leads.wire import LeadId
from outrider.mailboxes.state import is_engine_running

api = Api("leads", writes_need="leads")
_SUCCESS = {"ok": True, "data": "success"}


@api.post("/campaigns/{campaign_id}/leads", also=["/campaigns/{campaign_id}/leads/bulk"])
async def add_leads(ctx: Ctx, campaign_id: PathId, body: wire_add.AddLeads) -> Response:
    """Add leads to a campaign by ID"""
    rows = [] if body.lead_list_ids else body.rows()
    campaign = await lock_campaign(ctx.db, ctx.user_id, campaign_id, client_id=ctx.client_id)
    if body.lead_list_ids:
        added = await pushes.add_lists(
            ctx.db, campaign, body.lead_list_ids, body.rules(), scope=ctx.client_id, now=ctx.now
        )
    else:
        added = await addition.add(ctx.db, campaign, rows, body.rules(), now=ctx.now)
    return reply(wire_add.added(added, with_lead_ids=body.wants_lead_ids))


@api.get("/campaigns/{campaign_id}/leads")
async def list_campaign_leads(
    ctx: Ctx,
    campaign_id: PathId,
    query: Annotated[wire.CampaignLeadQuery, Query()],
    page: Annotated[Page, Depends(paging(max=100))],
) -> Response:
    """List all leads by Campaign ID"""
    await load_campaign(ctx.db, ctx.user_id, campaign_id, client_id=ctx.client_id)
    total, rows = await listing.list_campaign_leads(
        ctx.db,
        ctx.user_id,
        campaign_id,
        query.filter(),
        offset=page.offset,
        limit=page.limit,
    )
    why = await _why(ctx, [campaign_id], [row["id"] for row in rows])
    return reply(wire.campaign_leads(total, rows, why, offset=page.offset, limit=page.limit))


@api.get("/leads", also=["/leads/by-email", "/leads/email"])
async def find_lead(ctx: Ctx, query: Annotated[wire.EmailQuery, Query()]) -> Response:
    """Fetch Lead by email address"""
    for address in query.addresses():
        lead = await store.find_lead_by_email(ctx.db, ctx.user_id, address, client_id=ctx.client_id)
        if lead is not None:
            rows = await listing.list_memberships(ctx.db, ctx.user_id, lead.id, client_id=ctx.client_id)
            why = await _why(ctx, [row["campaign_id"] for row in rows], [row["id"] for row in rows])
            return reply({**wire.lead_object(lead), "lead_campaign_data": wire.memberships(rows, why)})
    return reply({})


async def _why(ctx: Context, campaign_ids: Sequence[int], campaign_lead_ids: Sequence[int]) -> dict[int, Reason]:
    """Why these leads have not got their next mail."""
    found = await reasons.list_reasons(
        ctx.db,
        ctx.user_id,
        campaign_ids,
        ctx.now,
        campaign_lead_ids=campaign_lead_ids,
        is_engine_running=await is_engine_running(ctx.db, ctx.clock.wall()),
    )
    return {reason.campaign_lead_id: reason for reason in found}


@api.get("/leads/fetch-categories", also=["/leads/categories"])
async def list_categories(ctx: Ctx) -> Response:
    """Fetch Lead Categories"""
    known = await store.list_categories(ctx.db, ctx.user_id, client_id=ctx.client_id)
    return reply([wire.category_object(category) for category in known])


@api.post("/leads/categories", needs=MAIN_KEY)
async def create_category(ctx: Ctx, body: wire.OwnCategory) -> Response:
    """Create a lead category"""
    category = await categories.create(ctx.db, ctx.user_id, body.fields(), now=ctx.now)
    return reply(wire.own_category_object(category))


@api.patch("/leads/categories/{category_id}", also=["PUT"], needs=MAIN_KEY)
async def change_category(ctx: Ctx, category_id: PathId, body: wire.OwnCategoryChange) -> Response:
    """Change a lead category"""
    category = await categories.change(ctx.db, ctx.user_id, category_id, body.fields())
    return reply(wire.own_category_object(category))


@api.get("/leads/global-leads")
async def list_account_leads(
    ctx: Ctx, query: Annotated[wire.AccountLeadQuery, Query()], page: Annotated[Page, Depends(paging(max=100))]
) -> Response:
    """Fetch All Leads From Entire Account"""
    total, rows = await listing.list_account_leads(
        ctx.db,
        ctx.user_id,
        client_id=ctx.client_id,
        created_after=query.created_at_gt,
        email=query.email and (email_key(query.email) or query.email),
        offset=page.offset,
        limit=page.limit,
    )
    return reply(wire.account_leads(total, rows, user_id=ctx.user_id, offset=page.offset, limit=page.limit))


@api.get("/leads/{leadId}")
async def get_lead(ctx: Ctx, lead_id: LeadId) -> Response:
    """Get lead by ID"""
    lead = await store.find_lead(ctx.db, ctx.user_id, lead_id, client_id=ctx.client_id)
    return reply({"ok": True, "data": [wire.lead_object(lead)] if lead else []})


@api.get("/leads/{leadId}/campaigns")
async def list_campaigns_of_lead(ctx: Ctx, lead_id: LeadId) -> Response:
    """Fetch all Campaigns Using Lead ID"""
    if await store.find_lead(ctx.db, ctx.user_id, lead_id, client_id=ctx.client_id) is None:
        raise LeadNotFound
    rows = await listing.list_memberships(ctx.db, ctx.user_id, lead_id, client_id=ctx.client_id)
    return reply(wire.campaigns_of_lead(rows))


@api.post("/campaigns/{campaign_id}/reallocate-leads")
async def reallocate_leads(ctx: Ctx, campaign_id: PathId) -> Response:
    """Give leads of mailboxes that cannot send to the campaign's other mailboxes"""
    moved = await reallocation.reallocate(ctx.db, ctx.user_id, campaign_id, client_id=ctx.client_id, now=ctx.now)
    return reply({"ok": True, "result": moved})


@api.post("/campaigns/{campaign_id}/leads/{leadId}/pause")
async def pause_lead(ctx: Ctx, campaign_id: PathId, lead_id: LeadId) -> Response:
    """Pause Lead By Campaign ID"""
    await actions.pause(ctx.db, ctx.user_id, campaign_id, lead_id, client_id=ctx.client_id, now=ctx.now)
    return reply(_SUCCESS)


@api.post("/campaigns/{campaign_id}/leads/{leadId}/resume")
async def resume_lead(ctx: Ctx, campaign_id: PathId, lead_id: LeadId, body: wire.Resume) -> Response:
    """Resume Lead By Campaign ID"""
    await _resume(ctx, campaign_id, lead_id, body)
    return reply(_SUCCESS)


async def _resume(ctx: Context, campaign_id: int, lead_id: int, body: wire.Resume) -> None:
    try:
        await actions.resume(
            ctx.db,
            ctx.user_id,
            campaign_id,
            lead_id,
            delay_days=body.resume_lead_with_delay_days,
            client_id=ctx.client_id,
            now=ctx.now,
        )
    except CannotResume as problem:
        if ctx.settings.strict_compat:
            raise DocumentedFailure(problem.text) from problem
        raise


@api.post("/campaigns/{campaign_id}/leads/{leadId}/status", also=["PATCH"])
async def change_lead_status(ctx: Ctx, campaign_id: PathId, lead_id: LeadId, body: wire.StatusChange) -> Response:
    """Change the status of a lead

    For clients that know one route instead of pause, resume and manual-complete; answers like the one it stands for.
    """
    match body.status:
        case wire.StatusVerb.PAUSED:
            await actions.pause(ctx.db, ctx.user_id, campaign_id, lead_id, client_id=ctx.client_id, now=ctx.now)
        case wire.StatusVerb.STOPPED:
            await actions.stop(ctx.db, ctx.user_id, campaign_id, lead_id, client_id=ctx.client_id, now=ctx.now)
        case wire.StatusVerb.COMPLETED:
            return await _complete(ctx, campaign_id, await _map_id(ctx, campaign_id, lead_id))
        case _:
            await _resume(ctx, campaign_id, lead_id, body)
    return reply(_SUCCESS)


@api.post("/campaigns/{campaign_id}/leads/{lead_map_id}/manual-complete")
async def complete_lead(ctx: Ctx, campaign_id: PathId, lead_map_id: PathId) -> Response:
    """Mark lead complete

    The id is that of the lead in the campaign; one client sends the lead's own.
    """
    own = await store.find_campaign_lead_id(ctx.db, ctx.user_id, campaign_id, lead_map_id)
    return await _complete(ctx, campaign_id, own or lead_map_id)


async def _map_id(ctx: Context, campaign_id: int, lead_id: int) -> int:
    await load_campaign(ctx.db, ctx.user_id, campaign_id, client_id=ctx.client_id)
    map_id = await store.find_campaign_lead_id(ctx.db, ctx.user_id, campaign_id, lead_id)
    if map_id is None:
        raise LeadNotFound
    return map_id


async def _complete(ctx: Context, campaign_id: int, map_id: int) -> Response:
    following = await actions.complete_by_hand(
        ctx.db, ctx.user_id, campaign_id, map_id, client_id=ctx.client_id, now=ctx.now
    )
    return reply(wire.completion(following))


@api.delete("/campaigns/{campaign_id}/leads/{leadId}")
async def delete_lead_from_campaign(ctx: Ctx, campaign_id: PathId, lead_id: LeadId) -> Response:
    """Delete Lead By Campaign ID

    Answers the JSON text "success", as near to the original's bare word as JSON comes.
    """
    await actions.delete_from_campaign(ctx.db, ctx.user_id, campaign_id, lead_id, client_id=ctx.client_id, now=ctx.now)
    return reply("success")


@api.delete("/leads/{leadId}")
async def delete_lead(ctx: Ctx, lead_id: LeadId) -> Response:
    """Delete lead globally"""
    await actions.delete(ctx.db, ctx.user_id, lead_id, client_id=ctx.client_id, now=ctx.now)
    return reply({"ok": True, "message": "success"})


@api.post("/campaigns/{campaign_id}/leads/{leadId}/unsubscribe")
async def unsubscribe_from_campaign(ctx: Ctx, campaign_id: PathId, lead_id: LeadId) -> Response:
    """Unsubscribe/Pause Lead From Campaign"""
    await actions.unsubscribe_from_campaign(
        ctx.db, ctx.user_id, campaign_id, lead_id, client_id=ctx.client_id, now=ctx.now
    )
    return reply({"ok": True})


@api.post("/leads/{leadId}/unsubscribe", also=["/leads/{leadId}/unsubscribe-all"])
async def unsubscribe(ctx: Ctx, lead_id: LeadId) -> Response:
    """Unsubscribe Lead From All Campaigns"""
    await actions.unsubscribe(
        ctx.db,
        user_id=ctx.user_id,
        lead_id=lead_id,
        campaign_lead_id=None,
        message_id=None,
        client_id=ctx.client_id,
        now=ctx.now,
    )
    return reply({"ok": True})


@api.post("/campaigns/{campaign_id}/leads/{leadId}")
async def update_lead(ctx: Ctx, campaign_id: PathId, lead_id: LeadId, body: wire.LeadChange) -> Response:
    """Update lead using the Lead ID"""
    await _update(ctx, lead_id, body, campaign_id=campaign_id)
    return reply({"ok": True})


@api.post("/leads/{leadId}", also=["PUT"])
async def update_lead_anywhere(ctx: Ctx, lead_id: LeadId, body: wire.LeadChange) -> Response:
    """Update a lead without naming a campaign"""
    await _update(ctx, lead_id, body, campaign_id=None)
    return reply({"ok": True})


async def _update(ctx: Context, lead_id: int, body: wire.LeadChange, *, campaign_id: int | None) -> None:
    await actions.update(
        ctx.db,
        ctx.user_id,
        lead_id,
        body.fields(),
        campaign_id=campaign_id,
        custom_fields=body.custom_fields or {},
        client_id=ctx.client_id,
        now=ctx.now,
    )


@api.post("/campaigns/{campaign_id}/leads/{leadId}/category")
async def update_category(ctx: Ctx, campaign_id: PathId, lead_id: LeadId, body: wire.CategoryChange) -> Response:
    """Update a lead's category based on their campaign"""
    await actions.change_category(
        ctx.db,
        ctx.user_id,
        campaign_id,
        lead_id,
        body.category_id,
        name=body.category if body.category_id is None else None,
        with_pause=body.pause_lead,
        client_id=ctx.client_id,
        now=ctx.now,
    )
    return reply({"ok": True})
