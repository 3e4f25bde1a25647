"""Routes of webhooks: of a campaign, above it, their figures, and delivering again (contract: webhooks)."""

from typing import Annotated

from fastapi import Depends, Query
from starlette.responses import Response

from outrider.kit.errors import NotAllowed
from outrider.kit.http import Api, Context, Ctx, FreeCtx, PathId, reply
from outrider.kit.pagination import Page, paging
from outrider.webhooks import actions, retriggers, store, summary, trial, wire
from outrider.webhooks.models import Level, Scope
from outrider.webhooks.retriggers import Selection

api = Api("webhooks", writes_need="webhooks")

_CAMPAIGN = "/campaigns/{campaign_id}/webhooks"
_SAVED = "Webhook saved successfully"


@api.get(_CAMPAIGN)
async def list_campaign_webhooks(ctx: Ctx, campaign_id: PathId) -> Response:
    """Fetch Webhooks By Campaign ID"""
    await store.check_campaign(ctx.db, ctx.user_id, campaign_id, scope=ctx.client_id)
    found = await store.list_webhooks(
        ctx.db, ctx.user_id, scope=ctx.client_id, level=Level.CAMPAIGN, campaign_id=campaign_id
    )
    return reply([wire.webhook_object(webhook) for webhook in found])


@api.post(_CAMPAIGN)
async def save_campaign_webhook(ctx: Ctx, campaign_id: PathId, body: wire.CampaignWebhookBody) -> Response:
    """Add / Update Campaign Webhook"""
    changes = body.changes(is_strict=ctx.settings.strict_compat)
    await store.check_campaign(ctx.db, ctx.user_id, campaign_id, scope=ctx.client_id)
    if body.id is None:
        target = Scope(Level.CAMPAIGN, campaign_id=campaign_id)
        webhook = await actions.create(ctx.db, ctx.user_id, target, changes, scope=ctx.client_id, now=ctx.now)
    else:
        webhook = await actions.update(
            ctx.db, ctx.user_id, body.id, changes, scope=ctx.client_id, campaign_id=campaign_id, now=ctx.now
        )
    return reply(wire.saved(webhook, _SAVED))


@api.delete(_CAMPAIGN)
async def delete_campaign_webhook(
    ctx: Ctx,
    campaign_id: PathId,
    query: Annotated[wire.WebhookReference, Query()],
    body: wire.WebhookReference,
) -> Response:
    """Delete Campaign Webhook"""
    return await _delete_of_campaign(ctx, campaign_id, wire.required_id(body, query))


@api.delete(f"{_CAMPAIGN}/{{webhook_id}}")
async def delete_campaign_webhook_of_path(ctx: Ctx, campaign_id: PathId, webhook_id: PathId) -> Response:
    """Delete the campaign webhook of the path"""
    return await _delete_of_campaign(ctx, campaign_id, webhook_id)


@api.get(f"{_CAMPAIGN}/summary", also=[f"{_CAMPAIGN}/publish-summary"])
async def get_publish_summary(ctx: Ctx, campaign_id: PathId, query: Annotated[wire.TimeRange, Query()]) -> Response:
    """Get Webhooks Publish Summary"""
    return await _summary(ctx, query, campaign_id)


@api.get("/webhooks/publish-summary")
async def get_account_publish_summary(ctx: Ctx, query: Annotated[wire.AccountTimeRange, Query()]) -> Response:
    """Get the webhooks publish summary of all campaigns"""
    return await _summary(ctx, query, query.campaign_id)


@api.post(f"{_CAMPAIGN}/retrigger-failed-events", also=[f"{_CAMPAIGN}/retrigger"])
async def retrigger_failed_events(ctx: Ctx, campaign_id: PathId, body: wire.RetriggerBody) -> Response:
    """Retrigger Failed Events"""
    return await _retrigger(ctx, body, campaign_id)


@api.post("/webhooks/retrigger-failed-events")
async def retrigger_all_failed_events(ctx: Ctx, body: wire.AccountRetriggerBody) -> Response:
    """Retrigger failed events of all campaigns"""
    return await _retrigger(ctx, body, body.campaign_id)


@api.get(f"{_CAMPAIGN}/retrigger-failed-events", also=[f"{_CAMPAIGN}/retrigger"])
async def list_retriggers(ctx: Ctx, campaign_id: PathId, query: Annotated[wire.RetriggerQuery, Query()]) -> Response:
    """Retrigger Status"""
    await store.check_campaign(ctx.db, ctx.user_id, campaign_id, scope=ctx.client_id)
    return await _retriggers(ctx, query, campaign_id)


@api.get("/webhooks/retrigger-failed-events")
async def list_all_retriggers(ctx: Ctx, query: Annotated[wire.RetriggerQuery, Query()]) -> Response:
    """Retrigger status of all campaigns"""
    return await _retriggers(ctx, query, None)


@api.post("/webhook/create", also=["/webhooks"])
async def create_webhook(ctx: Ctx, body: wire.WebhookCreate) -> Response:
    """Create Webhook"""
    if ctx.client_id is not None and body.association_type is Level.USER:
        raise NotAllowed
    webhook = await actions.create(
        ctx.db,
        ctx.user_id,
        body.target(scope=ctx.client_id),
        body.changes(is_strict=ctx.settings.strict_compat),
        scope=ctx.client_id,
        is_repeatable=body.force_create,
        now=ctx.now,
    )
    return reply(wire.saved(webhook, "Webhook created successfully"))


@api.get("/webhooks")
async def list_webhooks(
    ctx: Ctx,
    query: Annotated[wire.WebhookFilter, Query()],
    page: Annotated[Page, Depends(paging(max=1000))],
) -> Response:
    """List Webhooks"""
    found = await store.list_webhooks(
        ctx.db,
        ctx.user_id,
        scope=ctx.client_id,
        level=query.association_type,
        campaign_id=query.campaign_id,
        client_id=query.client_id,
        offset=page.offset,
        limit=page.limit,
    )
    return reply([wire.webhook_object(webhook) for webhook in found])


@api.get("/webhook/{webhook_id}", also=["/webhooks/{webhook_id}"])
async def get_webhook(ctx: Ctx, webhook_id: PathId) -> Response:
    """Get Webhook"""
    return reply(wire.shown(await store.load_webhook(ctx.db, ctx.user_id, webhook_id, scope=ctx.client_id)))


@api.put(
    "/webhook/update/{webhook_id}",
    also=["POST", "/webhooks/{webhook_id}", "PATCH /webhooks/{webhook_id}"],
)
async def update_webhook(ctx: Ctx, webhook_id: PathId, body: wire.WebhookUpdate) -> Response:
    """Update Webhook"""
    changes = body.changes(is_strict=ctx.settings.strict_compat)
    webhook = await actions.update(ctx.db, ctx.user_id, webhook_id, changes, scope=ctx.client_id, now=ctx.now)
    return reply(wire.saved(webhook, _SAVED))


@api.delete("/webhook/delete")
async def delete_webhook(
    ctx: Ctx, query: Annotated[wire.WebhookReference, Query()], body: wire.WebhookReference
) -> Response:
    """Delete Webhook"""
    return await _delete(ctx, wire.required_id(body, query))


@api.delete("/webhook/delete/{webhook_id}", also=["/webhooks/{webhook_id}"])
async def delete_webhook_of_path(ctx: Ctx, webhook_id: PathId) -> Response:
    """Delete the webhook of the path"""
    return await _delete(ctx, webhook_id)


@api.post("/webhook/{webhook_id}/test", also=["/webhooks/{webhook_id}/test"])
async def test_webhook(ctx: FreeCtx, webhook_id: PathId, body: wire.TrialBody) -> Response:
    """Test Webhook"""
    strict = ctx.settings.strict_compat
    event_type = wire.event_type_named(body.event_type, is_strict=strict) if body.event_type else None
    async with ctx.database.connection() as db:
        webhook = await store.load_webhook(db, ctx.user_id, webhook_id, scope=ctx.client_id)
        sealed = await store.find_signing_secret(db, ctx.user_id)
    answer = await trial.send(webhook, event_type, sealed, settings=ctx.settings, clock=ctx.clock)
    return reply(wire.tested(answer))


async def _delete(ctx: Context, webhook_id: int) -> Response:
    await actions.delete(ctx.db, ctx.user_id, webhook_id, scope=ctx.client_id, now=ctx.now)
    return reply(wire.DELETED)


async def _delete_of_campaign(ctx: Context, campaign_id: int, webhook_id: int) -> Response:
    await store.check_campaign(ctx.db, ctx.user_id, campaign_id, scope=ctx.client_id)
    await actions.delete(ctx.db, ctx.user_id, webhook_id, scope=ctx.client_id, campaign_id=campaign_id, now=ctx.now)
    return reply(wire.DELETED)


async def _summary(ctx: Context, query: wire.TimeRange, campaign_id: int | None) -> Response:
    from_time, to_time = query.bounds(ctx.now, source="query")
    if campaign_id is not None:
        await store.check_campaign(ctx.db, ctx.user_id, campaign_id, scope=ctx.client_id)
    rows = await summary.list_rows(
        ctx.db, ctx.user_id, scope=ctx.client_id, campaign_id=campaign_id, from_time=from_time, to_time=to_time
    )
    newest = await retriggers.list_retriggers(
        ctx.db, ctx.user_id, scope=ctx.client_id, campaign_id=campaign_id, limit=1
    )
    return reply(
        wire.publish_summary(
            rows,
            campaign_id=campaign_id,
            from_time=from_time,
            to_time=to_time,
            retrigger=newest[0] if newest else None,
        )
    )


async def _retrigger(ctx: Context, body: wire.RetriggerBody, campaign_id: int | None) -> Response:
    from_time, to_time = body.bounds(ctx.now, source="body")
    event_types = body.selected(is_strict=ctx.settings.strict_compat)
    if campaign_id is not None:
        await store.check_campaign(ctx.db, ctx.user_id, campaign_id, scope=ctx.client_id)
    selection = Selection(
        from_time=from_time,
        to_time=to_time,
        scope=ctx.client_id,
        campaign_id=campaign_id,
        webhook_id=body.webhook_id,
        event_types=event_types or None,
    )
    return reply(wire.retriggered(await retriggers.start(ctx.db, ctx.user_id, selection, now=ctx.now)))


async def _retriggers(ctx: Context, query: wire.RetriggerQuery, campaign_id: int | None) -> Response:
    found = await retriggers.list_retriggers(
        ctx.db, ctx.user_id, scope=ctx.client_id, campaign_id=campaign_id, retrigger_id=query.retrigger_id
    )
    return reply({"ok": True, "data": [wire.retrigger_object(retrigger) for retrigger in found]})
