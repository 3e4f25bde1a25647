"""Routes of the figures of one campaign (contract: campaigns)."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from outrider.analytics import store
from outrider.analytics import wire_campaign as wire
from outrider.analytics.wire import csv_lines
from outrider.campaigns import store as campaigns
from outrider.campaigns.models import CampaignNotFound
from outrider.kit.db import Database
from outrider.kit.http import Api, Ctx, PathId, reply, stream_csv

api = Api()

_EXPORTED_AT_ONCE = 1000


@api.get("/campaigns/{campaign_id}/statistics")
async def list_statistics(ctx: Ctx, campaign_id: PathId, query: Annotated[wire.StatisticsQuery, Query()]) -> Response:
    """Fetch Campaign Statistics By Campaign ID"""
    await campaigns.load_campaign(ctx.db, ctx.user_id, campaign_id, client_id=ctx.client_id)
    total, rows = await store.list_statistics(
        ctx.db,
        ctx.user_id,
        campaign_id,
        step_numbers=query.email_sequence_number,
        status=query.email_status,
        sent_from=query.sent_from(),
        sent_before=query.sent_before(),
        offset=query.offset,
        limit=query.limit,
    )
    return reply(wire.statistics(total, rows, query))


@api.get("/campaigns/{campaign_id}/analytics", also=["/campaigns/{campaign_id}/analytics/top-level"])
async def show_top_level(ctx: Ctx, campaign_id: PathId) -> Response:
    """Fetch campaign top level analytics"""
    campaign = await campaigns.find_campaign(ctx.db, ctx.user_id, campaign_id, client_id=ctx.client_id)
    if campaign is None:
        if ctx.settings.strict_compat:
            return reply({})  # as the original: clients test for a missing id (decision 24)
        raise CampaignNotFound
    totals = await store.load_totals(ctx.db, ctx.user_id, campaign_id)
    leads = await store.load_lead_totals(ctx.db, ctx.user_id, campaign_id)
    around = await store.load_surroundings(ctx.db, ctx.user_id, campaign_id)
    return reply(wire.top_level(campaign, totals, leads, around))


@api.get("/campaigns/{campaign_id}/leads-export", also=["/campaigns/{campaign_id}/export"])
async def export_leads(ctx: Ctx, campaign_id: PathId) -> Response:
    """Export data from a campaign"""
    await campaigns.load_campaign(ctx.db, ctx.user_id, campaign_id, client_id=ctx.client_id)
    lines = _export(ctx.database, ctx.user_id, campaign_id)
    return stream_csv(f"sl_campaign_{campaign_id}_leads.csv", lines)


async def _export(database: Database, user_id: int, campaign_id: int) -> AsyncIterator[str]:
    yield csv_lines([wire.EXPORT_COLUMNS])
    after_id = 0
    while True:
        async with database.transaction() as db:
            rows = await store.list_export_rows(db, user_id, campaign_id, after_id=after_id, limit=_EXPORTED_AT_ONCE)
        if not rows:
            return
        after_id = rows[-1]["campaign_lead_map_id"]
        yield csv_lines([wire.export_row(row) for row in rows])
