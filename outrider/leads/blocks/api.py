"""Routes of the block list (contract: leads, … Global Block List)."""

from typing import Annotated

from fastapi import Depends, Query
from starlette.responses import Response

from outrider.kit.http import Api, Ctx, reply
from outrider.kit.pagination import Page, paging
from outrider.kit.validation import reject
from outrider.leads.blocks import actions, store, wire

api = Api("leads", writes_need="leads")


@api.post("/leads/add-domain-block-list", also=["/leads/global-blocklist", "/leads/block-list"])
async def add_entries(ctx: Ctx, body: wire.AddEntries) -> Response:
    """Add Lead/Domain to Global Block List"""
    result = await actions.add(
        ctx.db, ctx.user_id, body.entries, client_id=body.client_id, scope=ctx.client_id, now=ctx.now
    )
    return reply(wire.added(result))


@api.get("/leads/get-domain-block-list", also=["/leads/global-blocklist", "/leads/domain-block-list"])
async def list_entries(
    ctx: Ctx, query: Annotated[wire.EntryQuery, Query()], page: Annotated[Page, Depends(paging(max=1000))]
) -> Response:
    """Fetch Leads From Global Block List"""
    if ctx.client_id is not None and query.filter_client_id not in {None, ctx.client_id}:
        return reply([])
    entries = await store.list_entries(
        ctx.db,
        ctx.user_id,
        client_id=ctx.client_id or query.filter_client_id,
        part=query.filter_email_or_domain,
        blocking=query.filter_email_with_domain,
        offset=page.offset,
        limit=page.limit,
    )
    return reply([wire.entry_object(entry) for entry in entries])


@api.delete("/leads/delete-domain-block-list", also=["/leads/domain-block-list", "/leads/remove-domain-block-list"])
async def delete_entry(ctx: Ctx, query: Annotated[wire.EntryId, Query()], body: wire.RemoveEntry) -> Response:
    """Delete from block list"""
    entry_id = query.id or body.id
    if entry_id is not None:
        await actions.remove(ctx.db, ctx.user_id, entry_id, scope=ctx.client_id)
    elif body.domain:
        await actions.remove_by_name(ctx.db, ctx.user_id, body.domain, client_id=body.client_id, scope=ctx.client_id)
    else:
        reject('"id" is required', key="id", source="query")
    return reply({"ok": True, "success": True, "message": "Entry deleted successfully"})
