"""Routes of subsequences (contract: campaigns, Create Subsequence)."""

from starlette.responses import Response

from outrider.campaigns import subsequences, wire_subsequences
from outrider.kit.http import Api, Context, Ctx, PathId, reply

api = Api("campaigns", writes_need="campaigns")


@api.post("/campaigns/create-subsequence")
async def create_subsequence(ctx: Ctx, body: wire_subsequences.SubsequenceCreate) -> Response:
    """Create Subsequence"""
    return await _create(ctx, body, None)


@api.post("/campaigns/{campaign_id}/create-subsequence")
async def create_subsequence_of(ctx: Ctx, campaign_id: PathId, body: wire_subsequences.SubsequenceCreate) -> Response:
    """Create a subsequence of the campaign in the path"""
    return await _create(ctx, body, campaign_id)


async def _create(ctx: Context, body: wire_subsequences.SubsequenceCreate, parent_id: int | None) -> Response:
    if ctx.settings.strict_compat:
        body.check_strict_gap()
    campaign = await subsequences.create(ctx.db, ctx.user_id, body.draft(parent_id), scope=ctx.client_id, now=ctx.now)
    return reply(wire_subsequences.created(campaign))
