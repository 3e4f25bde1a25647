"""Routes of leads of the whole account, beyond the reference (contract: leads, List account leads, … overview)."""

from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from outrider.kit.http import Api, Ctx, reply
from outrider.leads import overview, selection, store, wire_account
from outrider.leads.models import LeadNotFound
from outrider.leads.wire import LeadId

api = Api("leads", writes_need="leads")


@api.get("/leads/all")
async def list_all_leads(ctx: Ctx, query: Annotated[wire_account.CursorQuery, Query()]) -> Response:
    """List account leads

    By id; the next page begins after `lastSeenLeadId`.
    """
    leads = await selection.list_page(
        ctx.db,
        ctx.user_id,
        query.selection(),
        scope=ctx.client_id,
        after_id=query.last_seen_lead_id,
        limit=query.limit + 1,  # one more tells whether there are more
    )
    return reply(wire_account.page(leads[: query.limit], has_more=len(leads) > query.limit))


@api.get("/leads/{leadId}/campaign-overview")
async def get_campaign_overview(ctx: Ctx, lead_id: LeadId) -> Response:
    """Lead campaign overview"""
    lead = await store.find_lead(ctx.db, ctx.user_id, lead_id, client_id=ctx.client_id)
    if lead is None:
        raise LeadNotFound
    places = await overview.list_places(ctx.db, ctx.user_id, lead_id, client_id=ctx.client_id)
    provider = await overview.find_provider(ctx.db, lead.domain)
    return reply(wire_account.overview(lead, places, provider))
