"""Routes of lists of leads, and of pushes between lists and campaigns (contract: leads, beyond the reference)."""

from typing import Annotated

from fastapi import Depends, Query
from starlette.responses import Response

from outrider.kit.http import Api, Ctx, PathId, reply
from outrider.kit.pagination import Page, paging
from outrider.leads.lists import actions, pushes, store, wire, wire_push

api = Api("leads", writes_need="leads")


@api.post("/lead-list")
async def create_list(ctx: Ctx, body: wire.ListName) -> Response:
    """Create a lead list"""
    made = await actions.create(ctx.db, ctx.user_id, body.list_name, scope=ctx.client_id, now=ctx.now)
    return reply({"ok": True, "data": wire.list_object(made)})


@api.get("/lead-list")
async def list_lists(
    ctx: Ctx,
    query: Annotated[wire.ListQuery, Query()],
    page: Annotated[Page, Depends(paging(max=1000, default=10))],
) -> Response:
    """List lead lists"""
    total, rows = await store.list_lists(
        ctx.db,
        ctx.user_id,
        scope=ctx.client_id,
        name=query.list_name or None,
        tag_ids=query.tag_ids,
        offset=page.offset,
        limit=page.limit,
    )
    return reply({"ok": True, "data": {"lists": [wire.list_object(row) for row in rows], "totalCount": total}})


@api.post("/lead-list/assign-tags")
async def assign_tags(ctx: Ctx, body: wire.AssignTags) -> Response:
    """Assign tags to lead lists"""
    await actions.change_tags(
        ctx.db,
        ctx.user_id,
        body.list_ids,
        add=body.tag_ids or (),
        remove=body.remove_tag_ids or (),
        scope=ctx.client_id,
    )
    return reply({"ok": True, "message": "Tags updated successfully"})


@api.get("/lead-list/{list_id}")
async def get_list(ctx: Ctx, list_id: PathId) -> Response:
    """Get a lead list"""
    found = await store.load_list(ctx.db, ctx.user_id, list_id, scope=ctx.client_id)
    return reply({"ok": True, "data": wire.list_object(found)})


@api.put("/lead-list/{list_id}")
async def update_list(ctx: Ctx, list_id: PathId, body: wire.ListName) -> Response:
    """Rename a lead list"""
    found = await actions.rename(ctx.db, ctx.user_id, list_id, body.list_name, scope=ctx.client_id, now=ctx.now)
    return reply({"ok": True, "data": wire.list_object(found)})


@api.delete("/lead-list/{list_id}")
async def delete_list(ctx: Ctx, list_id: PathId) -> Response:
    """Delete a lead list"""
    await actions.delete(ctx.db, ctx.user_id, list_id, scope=ctx.client_id, now=ctx.now)
    return reply({"ok": True, "message": "Lead list deleted successfully"})


@api.post("/lead-list/{list_id}/import")
async def import_rows(ctx: Ctx, list_id: PathId, body: wire.ImportRows) -> Response:
    """Import leads to a list"""
    outcome = await actions.import_rows(
        ctx.db,
        ctx.user_id,
        list_id,
        body.rows(),
        with_blocked=body.is_block_list_ignored,
        scope=ctx.client_id,
        now=ctx.now,
    )
    return reply(wire.imported(outcome))


@api.post("/leads/push-to-list")
async def push_to_list(ctx: Ctx, body: wire_push.PushToList) -> Response:
    """Move leads to a list

    `action` copy leaves them in their campaigns, too.
    """
    await pushes.to_list(
        ctx.db, ctx.user_id, body.list_id, body.selection(), body.action, scope=ctx.client_id, now=ctx.now
    )
    return reply(wire_push.moved_to_list())


@api.post("/leads/campaign/push-to-list")
async def push_campaign_to_list(ctx: Ctx, body: wire_push.PushFromCampaign) -> Response:
    """Move leads of a campaign to a list"""
    await pushes.to_list(
        ctx.db,
        ctx.user_id,
        body.list_id,
        body.selection(),
        body.action,
        scope=ctx.client_id,
        now=ctx.now,
        campaign_id=body.campaign_id,
    )
    return reply(wire_push.moved_to_list())


@api.post("/leads/push-to-campaign")
async def push_to_campaign(ctx: Ctx, body: wire_push.PushToCampaign) -> Response:
    """Push leads or a list to a campaign"""
    campaign = await pushes.find_or_create_campaign(
        ctx.db, ctx.user_id, body.campaign_id, body.campaign_name, scope=ctx.client_id, now=ctx.now
    )
    added = await pushes.to_campaign(
        ctx.db, campaign, body.selection(), body.action, body.rules(), scope=ctx.client_id, now=ctx.now
    )
    return reply(wire_push.pushed_to_campaign(campaign.id, added))


@api.post("/leads/leads/push-between-lists", also=["/leads/push-between-lists"])
async def push_between_lists(ctx: Ctx, body: wire_push.PushBetweenLists) -> Response:
    """Push leads from one list to another"""
    count = await pushes.between_lists(
        ctx.db, ctx.user_id, body.to_list_id, body.selection(), body.how, scope=ctx.client_id, now=ctx.now
    )
    return reply({"ok": True, "data": {"total_leads_moved": count}})
