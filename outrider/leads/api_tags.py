"""Routes of the tags of leads (contract: leads, Lead tags)."""

from typing import Annotated

from fastapi import Path, Query
from starlette.responses import Response

from outrider.kit.http import Api, Ctx, PathId, reply
from outrider.leads import tags, wire_tags
from outrider.mailboxes.tags import list_tags

api = Api("leads", writes_need="leads")


@api.get("/crm/leads/tags")
async def list_lead_tags(ctx: Ctx, query: Annotated[wire_tags.TagQuery, Query()]) -> Response:
    """Get lead tags

    Without a lead all tags of the account.
    """
    if query.lead_id is None:
        return reply(wire_tags.account_tags(await list_tags(ctx.db, ctx.user_id)))
    found = await tags.list_tags(ctx.db, ctx.user_id, query.lead_id, client_id=ctx.client_id)
    return reply({"ok": True, "data": found})


@api.post("/crm/leads/tags")
async def add_lead_tags(ctx: Ctx, body: wire_tags.AddTags) -> Response:
    """Add tags to a lead"""
    await tags.add(ctx.db, ctx.user_id, body.lead_id, body.tag_ids, client_id=ctx.client_id)
    return reply({"ok": True, "message": "Tags added to lead successfully"})


@api.delete("/crm/leads/tags/{tagMappingId}")
async def remove_lead_tag(ctx: Ctx, tag_mapping_id: Annotated[PathId, Path(alias="tagMappingId")]) -> Response:
    """Remove a tag from a lead"""
    await tags.remove(ctx.db, ctx.user_id, tag_mapping_id, client_id=ctx.client_id)
    return reply({"ok": True, "message": "Tag removed from lead successfully"})
