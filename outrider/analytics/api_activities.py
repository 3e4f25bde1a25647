"""The route of what has happened to all leads (contract: campaigns, All leads activities)."""

from collections import defaultdict
from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from outrider.analytics import wire_activities as wire
from outrider.analytics.activities import list_active_leads
from outrider.analytics.mails import Scope
from outrider.analytics.wire_campaign_query import ActivitiesQuery
from outrider.kit.http import Api, Ctx, reply
from outrider.messages.history import HistoryItem, list_history

api = Api("campaigns")


@api.get("/campaigns/all-leads-activities")
async def list_activities(ctx: Ctx, query: Annotated[ActivitiesQuery, Query()]) -> Response:
    """All leads activities

    Leads that got, opened, clicked or answered a mail in the time asked for, the latest first, with all their mails.
    `campaign_id` narrows them to one campaign.
    """
    campaign_ids = None if query.campaign_id is None else [query.campaign_id]
    scope = Scope(user_id=ctx.user_id, key_client_id=ctx.client_id, campaign_ids=campaign_ids)
    rows = await list_active_leads(ctx.db, scope, query.window, offset=query.offset, limit=query.limit + 1)
    histories: defaultdict[int, list[HistoryItem]] = defaultdict(list)
    for item in await list_history(ctx.db, ctx.user_id, [row["id"] for row in rows[: query.limit]]):
        histories[item.campaign_lead_id].append(item)
    return reply(wire.activities(rows, histories, query))
