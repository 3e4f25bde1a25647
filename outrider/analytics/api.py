"""Routes of the figures of an account: reports over all its campaigns (contract: analytics)."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC
from typing import Annotated, Any

from fastapi import Depends, Query
from starlette.responses import Response

from outrider.analytics import lists, moments, rollup, wire
from outrider.analytics.cohorts import NOTHING, Counts, count_all, count_by
from outrider.analytics.grouping import By
from outrider.analytics.mails import Scope
from outrider.analytics.windows import Days, start_of
from outrider.analytics.wire import answer, ranked
from outrider.analytics.wire_query import (
    DatedQuery,
    DaysQuery,
    Format,
    ListQuery,
    OverviewQuery,
    RowsQuery,
    SentDaysQuery,
    yes_or_no,
)
from outrider.config import ReplyRateOf
from outrider.kit.http import Api, Context, FreeCtx

api = Api("analytics")
Lists = Annotated[ListQuery, Query()]
Dated = Annotated[DatedQuery, Query()]
EventDays = Annotated[DaysQuery, Query()]
SentDays = Annotated[SentDaysQuery, Query()]
Rows = Annotated[RowsQuery, Query()]
Overview = Annotated[OverviewQuery, Query()]


@dataclass(slots=True, kw_only=True)
class CountingContext(Context):
    """The request's transaction, begun after the account's sums were brought up to date."""

    is_rolled: bool


async def _count(caller: FreeCtx) -> AsyncIterator[CountingContext]:
    is_rolled = await rollup.is_current(caller.database, caller.user_id)
    async with caller.database.transaction() as db:
        await rollup.give_room(db)
        told = {each.name: getattr(caller, each.name) for each in fields(caller)}
        yield CountingContext(db=db, is_rolled=is_rolled, **told)


Counting = Annotated[CountingContext, Depends(_count, scope="function")]


def _scope(ctx: CountingContext, query: ListQuery | OverviewQuery) -> Scope:
    return replace(query.scope(ctx.user_id, ctx.client_id), is_rolled=ctx.is_rolled)


def _rate(ctx: Context) -> ReplyRateOf:
    return ctx.settings.analytics_reply_rate_denominator


def _rows(message: str, key: str, rows: Sequence[dict[str, Any]], form: Format) -> Response:
    return answer(message, {key: rows}, rows=rows, form=form, name=key)


@api.get("/analytics/campaign/list", also=["/analytics/campaign-list"])
async def list_campaigns(ctx: Counting, query: Lists) -> Response:
    """Get Campaign List"""
    rows = await lists.list_campaigns(ctx.db, _scope(ctx, query))
    return _rows("Campaign list fetched successfully!", "campaign_list", rows, query.format)


@api.get("/analytics/client/list", also=["/analytics/client-list"])
async def list_clients(ctx: Counting, query: Lists) -> Response:
    """Get Client List"""
    rows = await lists.list_clients(ctx.db, _scope(ctx, query))
    return _rows("Clients fetched successfully", "client_list", rows, query.format)


@api.get("/analytics/client/month-wise-count", also=["/analytics/client-month-wise-count"])
async def count_clients(ctx: Counting, query: Lists) -> Response:
    """Get Month-wise Client Count"""
    months = wire.months_back(ctx.now.astimezone(UTC))
    midnights = [start_of(month, UTC) for month in months]
    counts = await lists.count_clients_by_month(ctx.db, _scope(ctx, query), midnights)
    rows = wire.monthly(months[:-1], counts)
    return _rows("Monthly stats for clients fetched successfully", "monthly_stats", rows, query.format)


@api.get("/analytics/overall-stats-v2")
async def show_overall(ctx: Counting, query: Dated) -> Response:
    """Get Overall Stats"""
    return await _overall(ctx, query, query.days)


@api.get("/analytics/overview", also=["/analytics/overall-stats"])
async def show_overview(ctx: Counting, query: Overview) -> Response:
    """Get Overall Stats of all days

    As Get Overall Stats, but both dates are optional: without them from the first mail to today.
    """
    first = await moments.find_first_sent_at(
        ctx.db, Scope(user_id=ctx.user_id, key_client_id=ctx.client_id, is_rolled=ctx.is_rolled)
    )
    return await _overall(ctx, query, query.days_from(first, ctx.now))


async def _overall(ctx: CountingContext, query: OverviewQuery, days: Days) -> Response:
    scope = _scope(ctx, query)
    counts = await count_all(ctx.db, scope, days.window)
    positive = await moments.count_positive_replies(ctx.db, scope, days.edges)
    row = wire.overall(counts, sum(positive.values()), _rate(ctx))
    return answer(
        "Overall Stats fetched successfully!", {"overall_stats": row}, rows=row, form=query.format, name="overall_stats"
    )


# --- days ------------------------------------------------------------------------------------------------------------


@api.get("/analytics/day-wise-overall-stats", also=["/analytics/day-wise/overall-stats"])
async def show_event_days(ctx: Counting, query: EventDays) -> Response:
    """Get Day-wise Overall Stats"""
    scope, days = _scope(ctx, query), query.days
    counts = await moments.count_events(ctx.db, scope, days.midnights)
    rows = wire.day_rows(days.dates, counts, wire.EVENT_DAY)
    return _rows("Email engagement stats fetched successfully!", "day_wise_stats", rows, query.format)


@api.get("/analytics/day-wise-overall-stats-by-sent-time", also=["/analytics/day-wise/overall-stats-by-sent-time"])
async def show_sent_days(ctx: Counting, query: SentDays) -> Response:
    """Get Day-wise Overall Stats by Sent Time"""
    rows = wire.day_rows(query.days.dates, await _count_sent_days(ctx, query), wire.SENT_DAY)
    message = "Day-wise overall stats by sent time fetched successfully!"
    return _rows(message, "day_wise_stats", rows, query.format)


@api.get("/analytics/day-wise-positive-reply-stats")
async def show_positive_days(ctx: Counting, query: EventDays) -> Response:
    """Get Day-wise Positive Reply Stats"""
    scope, days = _scope(ctx, query), query.days
    counts = await moments.count_positive_replies(ctx.db, scope, days.midnights)
    rows = wire.day_rows(
        days.dates, {day: {"positive_replied": count} for day, count in counts.items()}, wire.POSITIVE_DAY
    )
    return _rows("Email engagement stats fetched successfully!", "day_wise_stats", rows, query.format)


@api.get("/analytics/day-wise-positive-reply-stats-by-sent-time")
async def show_positive_sent_days(ctx: Counting, query: SentDays) -> Response:
    """Get Day-wise Positive Reply Stats by Sent Time"""
    rows = wire.day_rows(query.days.dates, await _count_sent_days(ctx, query), wire.POSITIVE_DAY)
    message = "Day-wise positive reply stats by sent time fetched successfully!"
    return _rows(message, "day_wise_stats", rows, query.format)


async def _count_sent_days(ctx: CountingContext, query: DaysQuery) -> dict[int, Counts]:
    scope, days = _scope(ctx, query), query.days
    rows = await count_by(ctx.db, scope, days.window, By.DAY, midnights=days.midnights)
    return {row["day"]: row for row in rows}


# --- campaigns and clients -------------------------------------------------------------------------------------------


@api.get(
    "/analytics/campaign/overall-stats",
    also=["/analytics/campaign-overall-stats", "/analytics/campaigns/overall-stats"],
)
async def show_campaigns(ctx: Counting, query: Rows) -> Response:
    """Get Campaign Overall Stats"""
    counts = await count_by(ctx.db, _scope(ctx, query), query.window, By.CAMPAIGN)
    rows = [wire.campaign_performance(row, _rate(ctx)) for row in query.page_of(ranked(counts, "campaign_id"))]
    message = "Campaign wise performance fetched successfully!"
    return _rows(message, "campaign_wise_performance", rows, query.format)


@api.get(
    "/analytics/campaign/response-stats",
    also=["/analytics/campaign-response-stats", "/analytics/campaigns/response-stats"],
)
async def show_responses(ctx: Counting, query: Dated) -> Response:
    """Get Campaign Response Stats"""
    counts = await count_by(ctx.db, _scope(ctx, query), query.window, By.CAMPAIGN)
    rows = [wire.campaign_responses(row) for row in ranked(counts, "campaign_id", by=["replied"])]
    return _rows("Campaign wise response stats", "campaign_wise_response_stats", rows, query.format)


@api.get(
    "/analytics/campaign/status-stats",
    also=["/analytics/campaign-status-stats", "/analytics/campaigns/status-stats"],
)
async def show_statuses(ctx: Counting, query: Lists) -> Response:
    """Get Campaign Status Stats"""
    rows = wire.statuses(await lists.count_statuses(ctx.db, _scope(ctx, query)))
    return _rows("Campaign status stats", "campaign_status_stats", rows, query.format)


@api.get(
    "/analytics/client/overall-stats", also=["/analytics/client-overall-stats", "/analytics/clients/overall-stats"]
)
async def show_clients(ctx: Counting, query: Rows) -> Response:
    """Get Client Overall Stats"""
    counts = await count_by(ctx.db, _scope(ctx, query), query.window, By.CLIENT)
    wanted = [row for row in ranked(counts, "client_id") if wire.is_client(row, query.filter)]
    rows = [wire.client_performance(row, _rate(ctx)) for row in query.page_of(wanted)]
    return _rows("Client wise performance fetched successfully!", "client_wise_performance", rows, query.format)


# --- answers ---------------------------------------------------------------------------------------------------------


@api.get("/analytics/campaign/follow-up-reply-rate", also=["/analytics/campaign-follow-up-reply-rate"])
async def show_follow_ups(ctx: Counting, query: Dated) -> Response:
    """Get Follow-up Reply Rate"""
    data = wire.follow_ups(await count_all(ctx.db, _scope(ctx, query), query.window))
    message = "Follow-up reply rate stats fetched successfully!"
    return answer(message, data, rows=data["followup_stats"], form=query.format, name="followup_stats")


@api.get("/analytics/campaign/lead-to-reply-time", also=["/analytics/campaign-lead-to-reply-time"])
async def show_reply_time(ctx: Counting, query: Dated) -> Response:
    """Get Lead to Reply Time"""
    scope = _scope(ctx, query)
    shown = wire.reply_times(await moments.measure_first_replies(ctx.db, scope, query.window))
    return answer(
        "Lead to reply time stats fetched successfully!",
        {"lead_to_reply_time": shown},
        rows=shown["distribution"],
        form=query.format,
        name="lead_to_reply_time",
    )


@api.get("/analytics/campaign/leads-take-for-first-reply", also=["/analytics/campaign-leads-take-for-first-reply"])
async def show_leads_for_reply(ctx: Counting, query: Dated) -> Response:
    """Get Leads Take for First Reply"""
    counts = await count_all(ctx.db, _scope(ctx, query), query.window)
    data = {"leads_take_for_first_reply": wire.leads_for_first_reply(counts)}
    message = "First reply stats fetched successfully!"
    return answer(message, data, rows=data, form=query.format, name="leads_take_for_first_reply")


@api.get("/analytics/lead/category-wise-response", also=["/analytics/lead-category-wise-response"])
async def show_categories(ctx: Counting, query: Dated) -> Response:
    """Get Lead Category-wise Response"""
    scope = _scope(ctx, query)
    shown = wire.categories(await moments.count_categories(ctx.db, scope, query.window))
    return answer(
        "Category-wise responses fetched successfully!",
        {"lead_responses_by_category": shown},
        rows=shown["leadResponseGrouping"],
        form=query.format,
        name="lead_responses_by_category",
    )


@api.get("/analytics/lead/overall-stats", also=["/analytics/lead-overall-stats", "/analytics/leads/overall-stats"])
async def show_leads(ctx: Counting, query: Dated) -> Response:
    """Get Lead Overall Stats"""
    found = await moments.count_new_leads(ctx.db, _scope(ctx, query), query.window)
    shown = wire.lead_stats(found["total"], found["new"])
    message = "Lead stats fetched successfully"
    return answer(message, {"lead_stats": shown}, rows=shown, form=query.format, name="lead_stats")


# --- mailboxes -------------------------------------------------------------------------------------------------------


@api.get("/analytics/mailbox/domain-wise-health-metrics", also=["/analytics/mailbox-domain-wise-health-metrics"])
async def show_domains(ctx: Counting, query: Rows) -> Response:
    """Get Domain-wise Health Metrics"""
    counts = await count_by(ctx.db, _scope(ctx, query), query.window, By.DOMAIN)
    rows = [wire.domain_health(row, _rate(ctx)) for row in query.page_of(ranked(counts, "domain"))]
    return _rows("Domain health metrics fetched successfully", "domain_health_metrics", rows, query.format)


@api.get("/analytics/mailbox/name-wise-health-metrics", also=["/analytics/mailbox-name-wise-health-metrics"])
async def show_addresses(ctx: Counting, query: Rows) -> Response:
    """Get Email-Id-wise Health Metrics"""
    counts = await count_by(ctx.db, _scope(ctx, query), query.window, By.ADDRESS)
    is_bounced = yes_or_no(query.is_bounced)
    wanted = [row for row in ranked(counts, "from_email") if is_bounced is None or (row["bounced"] > 0) is is_bounced]
    rows = [wire.address_health(row, _rate(ctx)) for row in query.page_of(wanted)]
    return _rows("Email health metrics fetched successfully", "email_health_metrics", rows, query.format)


@api.get(
    "/analytics/mailbox/overall-stats",
    also=["/analytics/mailbox-overall-stats", "/analytics/mailboxes/overall-stats"],
)
async def show_mailboxes(ctx: Counting, query: Lists) -> Response:
    """Get Mailbox Overall Stats"""
    row = await lists.count_mailboxes(ctx.db, _scope(ctx, query))
    name = "overall_mailbox_stats"
    message = "Overall mailbox stats fetched successfully!"
    return answer(message, {name: row}, rows=row, form=query.format, name=name)


@api.get(
    "/analytics/mailbox/provider-wise-overall-performance",
    also=["/analytics/mailbox-provider-wise-overall-performance", "/analytics/providers/performance"],
)
async def show_providers(ctx: Counting, query: Dated) -> Response:
    """Get Provider-wise Overall Performance"""
    scope = _scope(ctx, query)
    overall = ranked(await count_by(ctx.db, scope, query.window, By.PROVIDER), "mailbox_type")
    tagged = ranked(await count_by(ctx.db, scope, query.window, By.PROVIDER_AND_TAG), "tag_id")
    tagged.sort(key=lambda row: str(row["mailbox_type"]))
    shown = {
        "overall": [wire.provider_performance(row, _rate(ctx)) for row in overall],
        "tag_wise": [wire.provider_performance(row, _rate(ctx)) for row in tagged],
    }
    return answer(
        "Email providers performance overview fetched successfully",
        {"email_providers_performance_overview": shown},
        rows=[*shown["overall"], *shown["tag_wise"]],
        form=query.format,
        name="email_providers_performance_overview",
    )


@api.get("/analytics/team-board/overall-stats", also=["/analytics/team-board-overall-stats"])
async def show_team(ctx: Counting, query: Dated) -> Response:
    """Get Team Board Overall Stats"""
    scope = _scope(ctx, query)
    counts = {row["team_member_id"]: row for row in await count_by(ctx.db, scope, query.window, By.MEMBER)}
    waited = await moments.measure_answers(ctx.db, scope, query.window)
    rows = [
        wire.team_member(member, counts.get(member["id"], NOTHING), waited.get(member["id"]), _rate(ctx))
        for member in await lists.list_team(ctx.db, ctx.user_id)
        if member["is_active"] or member["id"] in counts
    ]
    rows.sort(key=lambda row: (-row["reply_count"], -row["lead_count"], row["id"]))
    return _rows("Team board overall stats fetched successfully", "team_board_stats", rows, query.format)
