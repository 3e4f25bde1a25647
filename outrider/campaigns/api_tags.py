"""Routes of tags of campaigns, and of mailboxes by tag (contract: campaigns, newer routes)."""

from starlette.responses import Response

from outrider.campaigns import actions, tags, wire
from outrider.campaigns.store import load_campaign
from outrider.kit.http import Api, Ctx, PathId, reply

api = Api("campaigns", writes_need="campaigns")


@api.post("/campaigns/tags")
async def add_tags(ctx: Ctx, body: wire.CampaignTags) -> Response:
    """Add tags to campaigns"""
    await tags.add(ctx.db, ctx.user_id, body.campaign_ids, body.tag_ids, scope=ctx.client_id)
    return reply({"ok": True})


@api.delete("/campaigns/tags")
async def remove_tags(ctx: Ctx, body: wire.CampaignTags) -> Response:
    """Remove tags from campaigns"""
    await tags.remove(ctx.db, ctx.user_id, body.campaign_ids, body.tag_ids, scope=ctx.client_id)
    return reply({"ok": True})


@api.post("/campaigns/{campaign_id}/email-accounts/by-tag", needs="email_accounts")
async def add_mailboxes_by_tag(ctx: Ctx, campaign_id: PathId, body: wire.TagChoice) -> Response:
    """Add email accounts with a tag to a campaign"""
    await load_campaign(ctx.db, ctx.user_id, campaign_id, client_id=ctx.client_id)
    found = await tags.list_mailbox_ids(ctx.db, ctx.user_id, body.tag_ids, scope=ctx.client_id)
    mappings = await actions.add_mailboxes(
        ctx.db, ctx.user_id, campaign_id, found, auto_adjust_warmup=False, client_id=ctx.client_id, now=ctx.now
    )
    return reply({"ok": True, "result": [wire.attached(mapping) for mapping in mappings]})
