"""Routes of conversations (contract: leads, Fetch Lead Message History Based on Campaign)."""

from itertools import groupby
from operator import attrgetter
from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from outrider.campaigns.store import load_campaign
from outrider.kit.http import ANY_KEY, Api, Ctx, PathId, reply
from outrider.leads.models import LeadNotFound
from outrider.leads.wire import LeadId
from outrider.messages import history, wire

api = Api("leads")


@api.get(
    "/campaigns/{campaign_id}/leads/{leadId}/message-history",
    also=["/campaigns/{campaign_id}/leads/{leadId}/messages"],
)
async def get_message_history(
    ctx: Ctx, campaign_id: PathId, lead_id: LeadId, query: Annotated[wire.HistoryQuery, Query()]
) -> Response:
    """Fetch Lead Message History Based on Campaign"""
    await load_campaign(ctx.db, ctx.user_id, campaign_id, client_id=ctx.client_id)
    places = await history.list_places(ctx.db, ctx.user_id, campaign_id, [lead_id])
    if not places:
        raise LeadNotFound
    items = await history.list_history(ctx.db, ctx.user_id, [places[0].id], after=query.event_time_gt)
    return reply(
        wire.history(
            items, places[0].email, public_url=ctx.settings.public_url, plain_replies=query.show_plain_text_response
        )
    )


@api.get("/leads/{lead_map_id}/sequence-details")
async def get_sequence_details(ctx: Ctx, lead_map_id: PathId, query: Annotated[wire.StepsQuery, Query()]) -> Response:
    """Lead sequence details

    The id is that of the lead in the campaign.
    """
    steps = await history.list_steps(
        ctx.db, ctx.user_id, lead_map_id, campaign_id=query.campaign_id, client_id=ctx.client_id
    )
    if steps is None:
        raise LeadNotFound
    return reply(wire.sequence_details(steps))


@api.post("/campaigns/{campaign_id}/message-history-for-leads/bbfbdsFGHlBr76ruhjvh6fhHL", needs=ANY_KEY)
async def list_message_histories(
    ctx: Ctx, campaign_id: PathId, query: Annotated[wire.BulkQuery, Query()], body: wire.BulkBody
) -> Response:
    """Bulk message history

    The last segment is a literal of the reference, the same for everybody. Leads that are not in the campaign are
    left out.
    """
    await load_campaign(ctx.db, ctx.user_id, campaign_id, client_id=ctx.client_id)
    places = await history.list_places(ctx.db, ctx.user_id, campaign_id, body.lead_ids)
    items = await history.list_history(ctx.db, ctx.user_id, [place.id for place in places], after=query.event_time_gt)
    by_place = attrgetter("campaign_lead_id")
    conversations = {map_id: list(mails) for map_id, mails in groupby(sorted(items, key=by_place), key=by_place)}
    return reply(
        {
            str(place.lead_id): wire.history(
                conversations.get(place.id, []), place.email, public_url=ctx.settings.public_url
            )
            for place in places
        }
    )
