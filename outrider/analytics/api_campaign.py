"""Routes of the figures of one campaign (contract: campaigns)."""

from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import timedelta
from typing import Annotated, Any

from fastapi import Query
from starlette.responses import Response

from outrider.analytics import store
from outrider.analytics import wire_campaign as wire
from outrider.analytics import wire_campaign_query as asked
from outrider.analytics.cohorts import NOTHING, Counts, count_all, count_by
from outrider.analytics.engagement import list_reasons, load_engagement
from outrider.analytics.grouping import By
from outrider.analytics.mails import Scope
from outrider.analytics.moments import count_events
from outrider.analytics.windows import ALWAYS
from outrider.analytics.wire import csv_file
from outrider.campaigns import store as campaigns
from outrider.campaigns.models import CampaignNotFound
from outrider.kit.db import Database
from outrider.kit.errors import Invalid
from outrider.kit.http import Api, Context, Ctx, PathId, reply, stream_csv
from outrider.kit.tables import csv_lines
from outrider.messages.history import HistoryItem, list_history

api = Api("campaigns")

_EXPORTED_AT_ONCE = 1000
_LONGEST_RANGE = timedelta(days=30)


class RangeTooLong(Invalid):
    """Invalid start_date & end_date range. Date difference should be max of 30days."""


class InvalidCampaign(Invalid):
    """Invalid campaign id"""


@api.get("/campaigns/{campaign_id}/statistics")
async def list_statistics(ctx: Ctx, campaign_id: PathId, query: Annotated[asked.StatisticsQuery, Query()]) -> Response:
    """Fetch Campaign Statistics By Campaign ID"""
    await campaigns.load_campaign(ctx.db, ctx.user_id, campaign_id, client_id=ctx.client_id)
    total, rows = await store.list_statistics(
        ctx.db,
        ctx.user_id,
        campaign_id,
        step_numbers=query.email_sequence_number,
        status=query.email_status,
        sent_from=query.window.start,
        sent_before=query.window.end,
        offset=query.offset,
        limit=query.limit,
    )
    shown = wire.statistics(total, rows, query)
    return _table(shown, shown["data"], query, f"sl_campaign_{campaign_id}_statistics")


@api.get("/campaigns/{campaign_id}/analytics", also=["/campaigns/{campaign_id}/analytics/top-level"])
async def show_top_level(ctx: Ctx, campaign_id: PathId) -> Response:
    """Fetch campaign top level analytics"""
    campaign = await campaigns.find_campaign(ctx.db, ctx.user_id, campaign_id, client_id=ctx.client_id)
    if campaign is None:
        return _unknown(ctx)
    counts = await count_all(ctx.db, _scope(ctx, campaign_id))
    leads = await store.load_lead_totals(ctx.db, ctx.user_id, campaign_id)
    around = await store.load_surroundings(ctx.db, ctx.user_id, campaign_id)
    return reply(wire.top_level(campaign, counts, leads, around))


@api.get("/campaigns/{campaign_id}/analytics-by-date", also=["/campaigns/{campaign_id}/statistics/date-range"])
async def show_by_date(ctx: Ctx, campaign_id: PathId, query: Annotated[asked.RangeQuery, Query()]) -> Response:
    """[DEPRECATED] Fetch Campaign Analytics by Date range"""
    days = query.days
    if not timedelta(0) <= days.last - days.first <= _LONGEST_RANGE:
        raise RangeTooLong
    campaign = await campaigns.find_campaign(ctx.db, ctx.user_id, campaign_id, client_id=ctx.client_id)
    if campaign is None:
        raise InvalidCampaign
    counts = await _count_happenings(ctx, campaign_id, query)
    lifetime = await count_all(ctx.db, _scope(ctx, campaign_id))
    leads = await store.load_lead_totals(ctx.db, ctx.user_id, campaign_id)
    shown = wire.by_date(campaign, query, counts, lifetime, leads)
    return _table(shown, [shown], query, f"sl_campaign_{campaign_id}_by_date")


@api.get(
    "/campaigns/{campaign_id}/top-level-analytics-by-date",
    also=["/campaigns/{campaign_id}/analytics/top-level/date-range"],
)
async def show_top_level_by_date(
    ctx: Ctx, campaign_id: PathId, query: Annotated[asked.RangeQuery, Query()]
) -> Response:
    """Top-level analytics by date"""
    window = query.days_in_order.window
    campaign = await campaigns.find_campaign(ctx.db, ctx.user_id, campaign_id, client_id=ctx.client_id)
    if campaign is None:
        return _unknown(ctx)
    scope = _scope(ctx, campaign_id)
    sent = await count_all(ctx.db, scope, window)
    counts = await _count_happenings(ctx, campaign_id, query) | {"stopped_lead_count": sent["stopped_lead_count"]}
    unsent = await store.count_unsent(ctx.db, ctx.user_id, campaign_id, window)
    lifetime = await count_all(ctx.db, scope)
    leads = await store.load_lead_totals(ctx.db, ctx.user_id, campaign_id)
    shown = wire.top_level_by_date(campaign, query, counts, unsent, wire.total(lifetime, leads))
    return _table(shown, [shown], query, f"sl_campaign_{campaign_id}_by_date")


@api.get("/campaigns/{campaign_id}/mailbox-statistics", also=["/campaigns/{campaign_id}/statistics/mailboxes"])
async def list_mailboxes(ctx: Ctx, campaign_id: PathId, query: Annotated[asked.MailboxesQuery, Query()]) -> Response:
    """Fetch Campaign Mailbox Statistics"""
    window = query.window
    campaign = await campaigns.load_campaign(ctx.db, ctx.user_id, campaign_id, client_id=ctx.client_id)
    if query.client_id is not None and query.client_id != campaign.client_id:
        return _table({"ok": True, "data": []}, [], query, f"sl_campaign_{campaign_id}_mailboxes")
    counts = {row["mailbox_id"]: row for row in await count_by(ctx.db, _scope(ctx, campaign_id), window, By.MAILBOX)}
    rows = await store.list_mailboxes(ctx.db, ctx.user_id, campaign_id, offset=query.offset, limit=query.limit)
    data = [wire.mailbox(row, counts.get(row["id"], NOTHING)) for row in rows]
    return _table({"ok": True, "data": data}, data, query, f"sl_campaign_{campaign_id}_mailboxes")


@api.get(
    "/campaigns/{campaign_id}/sequence-analytics",
    also=["/campaigns/{campaign_id}/sequence/analytics", "/campaigns/{campaign_id}/sequences/analytics"],
)
async def list_steps(ctx: Ctx, campaign_id: PathId, query: Annotated[asked.SequenceQuery, Query()]) -> Response:
    """Get Campaign Sequence Analytics"""
    window = query.window
    await campaigns.load_campaign(ctx.db, ctx.user_id, campaign_id, client_id=ctx.client_id)
    counts = {row["step_id"]: row for row in await count_by(ctx.db, _scope(ctx, campaign_id), window, By.STEP)}
    unsent = await store.count_unsent(ctx.db, ctx.user_id, campaign_id, window)
    rows = await store.list_steps(ctx.db, ctx.user_id, campaign_id)
    none = {"skipped": 0, "failed": 0}
    data = [wire.step(row, counts.get(row["id"], NOTHING), unsent.get(row["id"], none)) for row in rows]
    return _table({"ok": True, "data": data}, data, query, f"sl_campaign_{campaign_id}_sequence")


@api.get("/campaigns/{campaign_id}/variant-statistics")
async def list_variants(ctx: Ctx, campaign_id: PathId, query: Annotated[asked.TableQuery, Query()]) -> Response:
    """Variant statistics"""
    await campaigns.load_campaign(ctx.db, ctx.user_id, campaign_id, client_id=ctx.client_id)
    counted = await count_by(ctx.db, _scope(ctx, campaign_id), ALWAYS, By.VARIANT)
    counts = {(row["step_id"], row["variant_id"]): row for row in counted}
    rows = await store.list_variants(ctx.db, ctx.user_id, campaign_id)
    data = [wire.variant(row, counts.get((row["step_id"], row["variant_id"]), NOTHING)) for row in rows]
    return _table({"ok": True, "data": data}, data, query, f"sl_campaign_{campaign_id}_variants")


@api.get(
    "/campaigns/{campaign_id}/leads-statistics",
    also=["/campaigns/{campaign_id}/lead-statistics", "/campaigns/{campaign_id}/statistics/leads"],
)
async def list_leads(ctx: Ctx, campaign_id: PathId, query: Annotated[asked.LeadsQuery, Query()]) -> Response:
    """Lead statistics"""
    await campaigns.load_campaign(ctx.db, ctx.user_id, campaign_id, client_id=ctx.client_id)
    rows = await store.list_leads(
        ctx.db,
        ctx.user_id,
        campaign_id,
        created_after=query.created_at_gt,
        event_after=query.event_time_gt,
        offset=query.offset,
        limit=query.limit + 1,
    )
    histories: defaultdict[int, list[HistoryItem]] = defaultdict(list)
    for item in await list_history(ctx.db, ctx.user_id, [row["id"] for row in rows[: query.limit]]):
        histories[item.campaign_lead_id].append(item)
    shown = wire.leads(rows, histories, query, public_url=ctx.settings.public_url)
    return _table(shown, shown["data"], query, f"sl_campaign_{campaign_id}_leads_statistics")


@api.get("/campaigns/{campaign_id}/engagement")
async def show_engagement(ctx: Ctx, campaign_id: PathId, query: Annotated[asked.SequenceQuery, Query()]) -> Response:
    """What people and what machines did with a campaign's mails

    Hits, mails and leads of both, with the reason of each verdict and how sure it is. `format=csv`: the reasons as a
    file.
    """
    window = query.window
    await campaigns.load_campaign(ctx.db, ctx.user_id, campaign_id, client_id=ctx.client_id)
    scope = _scope(ctx, campaign_id)
    reasons = [wire.reason(row) for row in await list_reasons(ctx.db, scope, window)]
    shown = wire.engagement(await load_engagement(ctx.db, scope, window), reasons)
    return _table({"ok": True, "data": shown}, reasons, query, f"sl_campaign_{campaign_id}_engagement")


@api.get("/campaigns/{campaign_id}/leads-export", also=["/campaigns/{campaign_id}/export"], text="text/csv")
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


def _table(shown: Mapping[str, Any], rows: Sequence[wire.Row], query: asked.TableQuery, name: str) -> Response:
    """The answer, or its rows as a file."""
    return csv_file(name, rows) if query.format == "csv" else reply(shown)


def _scope(ctx: Context, campaign_id: int) -> Scope:
    return Scope(user_id=ctx.user_id, campaign_ids=[campaign_id])


async def _count_happenings(ctx: Context, campaign_id: int, query: asked.RangeQuery) -> Counts:
    """Everything where it happened: sends, opens, clicks, answers."""
    counts = await count_events(ctx.db, _scope(ctx, campaign_id), query.days.edges)
    return counts.get(1, NOTHING)


def _unknown(ctx: Context) -> Response:
    if ctx.settings.strict_compat:
        return reply({})  # as the original: clients test for a missing id (decision 24)
    raise CampaignNotFound
