"""Routes of campaigns, their settings, schedule, sequence and mailboxes (contract: campaigns)."""

from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from outrider.campaigns import (
    actions,
    copies,
    review,
    sequence,
    steps,
    store,
    winners,
    wire,
    wire_sequence,
    wire_settings,
    wire_winners,
)
from outrider.campaigns.models import Campaign, CampaignNotFound, StatusVerb
from outrider.kit.http import MAIN_KEY, Api, Context, Ctx, PathId, reply
from outrider.mailboxes import accounts
from outrider.mailboxes.store import AccountFilter

api = Api("campaigns", writes_need="campaigns")


@api.post("/campaigns/create", also=["/campaigns"])
async def create_campaign(ctx: Ctx, body: wire_settings.CampaignCreate) -> Response:
    """Create Campaign"""
    campaign = await actions.create(
        ctx.db,
        ctx.user_id,
        body.name or wire.UNTITLED,
        client_id=body.client_id,
        scope=ctx.client_id,
        settings=body.changes(),
        now=ctx.now,
    )
    return reply(wire.created(campaign))


@api.post("/campaigns/{campaign_id}/duplicate")
async def duplicate_campaign(ctx: Ctx, campaign_id: PathId, body: wire.Duplication) -> Response:
    """Duplicate campaign

    Its steps, settings, schedule and mailboxes, as a draft; without its leads, figures and webhooks.
    """
    copy_id = await copies.duplicate(
        ctx.db,
        ctx.user_id,
        campaign_id,
        with_subsequences=body.duplicate_sub_sequence,
        keeps_client=body.duplicate_client_label,
        scope=ctx.client_id,
        now=ctx.now,
    )
    return reply({"ok": True, "newCampaignId": copy_id})


@api.get("/campaigns")
async def list_campaigns(ctx: Ctx, query: Annotated[wire.CampaignListQuery, Query()]) -> Response:
    """List all Campaigns"""
    campaigns = await store.list_campaigns(
        ctx.db,
        ctx.user_id,
        scope=ctx.client_id,
        client_id=query.client_id,
        status=query.status,
        offset=query.offset,
        limit=query.limit,
    )
    if not query.include_tags:
        return reply([wire.campaign_object(campaign) for campaign in campaigns])
    tags = await store.list_tags(ctx.db, ctx.user_id, [campaign.id for campaign in campaigns])
    return reply([wire.campaign_object(campaign, tags=tags.get(campaign.id, [])) for campaign in campaigns])


@api.get("/campaigns/{campaign_id}")
async def get_campaign(ctx: Ctx, campaign_id: PathId, query: Annotated[wire.CampaignQuery, Query()]) -> Response:
    """Get Campaign By Id"""
    campaign = await store.find_campaign(ctx.db, ctx.user_id, campaign_id, client_id=ctx.client_id)
    if campaign is None:
        if ctx.settings.strict_compat:
            return Response()  # the original's quirk: 200 and not a byte (decision 16)
        raise CampaignNotFound
    tags = await store.list_tags(ctx.db, ctx.user_id, [campaign_id]) if query.include_tags else None
    shown = wire.campaign_object(campaign, tags=None if tags is None else tags.get(campaign_id, []))
    return reply({**shown, **wire.further_settings(campaign)})


@api.delete("/campaigns/{campaign_id}")
async def delete_campaign(ctx: Ctx, campaign_id: PathId) -> Response:
    """Delete Campaign"""
    await actions.delete(ctx.db, ctx.user_id, campaign_id, client_id=ctx.client_id)
    return reply({"ok": True})


@api.post("/campaigns/{campaign_id}/status", also=["PATCH", "PUT"])
async def update_status(ctx: Ctx, campaign_id: PathId, body: wire.StatusChange) -> Response:
    """Patch campaign status"""
    await actions.change_status(ctx.db, ctx.user_id, campaign_id, body.status, client_id=ctx.client_id, now=ctx.now)
    is_start = body.status is StatusVerb.START
    warnings = await review.list_remarks(ctx.db, ctx.user_id, campaign_id) if is_start else []
    return reply({"ok": True, **wire_sequence.warnings(warnings)})


@api.post("/campaigns/{campaign_id}/settings", also=["PATCH", "PUT", "PUT /campaigns/{campaign_id}"])
async def update_settings(ctx: Ctx, campaign_id: PathId, body: wire_settings.SettingsBody) -> Response:
    """Update Campaign General Settings"""
    await actions.change_settings(
        ctx.db, ctx.user_id, campaign_id, body.changes(), client_id=ctx.client_id, now=ctx.now
    )
    return reply({"ok": True})


@api.get("/campaigns/{campaign_id}/settings")
async def get_settings(ctx: Ctx, campaign_id: PathId) -> Response:
    """Read settings back"""
    return reply(wire.settings_object(await _load(ctx, campaign_id)))


@api.post("/campaigns/{campaign_id}/schedule", also=["PATCH", "PUT"])
async def update_schedule(ctx: Ctx, campaign_id: PathId, body: wire.ScheduleBody) -> Response:
    """Update Campaign Schedule"""
    await _change_schedule(ctx, campaign_id, body)
    return reply({"ok": True})


@api.post("/campaigns/{campaign_id}")
async def update_campaign(ctx: Ctx, campaign_id: PathId, body: wire.CampaignBody) -> Response:
    """Update schedule or settings, whichever the body has keys of"""
    if body.given:
        await _change_schedule(ctx, campaign_id, body)
    settings = body.settings_changes()
    if settings or not body.given:
        await actions.change_settings(ctx.db, ctx.user_id, campaign_id, settings, client_id=ctx.client_id, now=ctx.now)
    return reply({"ok": True})


@api.post("/campaigns/{campaign_id}/sequences", also=["/campaigns/{campaign_id}/sequence"])
async def save_sequence(ctx: Ctx, campaign_id: PathId, body: wire_sequence.SequenceSave) -> Response:
    """Save Campaign Sequence"""
    step_ids = await sequence.save(
        ctx.db, ctx.user_id, campaign_id, body.drafts(), client_id=ctx.client_id, now=ctx.now
    )
    warnings = await review.list_remarks(ctx.db, ctx.user_id, campaign_id)
    return reply({"ok": True, "data": {"sequences": wire_sequence.saved(step_ids)}, **wire_sequence.warnings(warnings)})


@api.get("/campaigns/{campaign_id}/sequences", also=["/campaigns/{campaign_id}/sequence"])
async def fetch_sequence(ctx: Ctx, campaign_id: PathId) -> Response:
    """Fetch Campaign Sequence By Campaign ID"""
    await _load(ctx, campaign_id)
    found = await steps.list_steps(ctx.db, ctx.user_id, campaign_id)
    variants = await steps.list_variants(ctx.db, ctx.user_id, campaign_id)
    return reply(wire_sequence.sequence(found, variants))


@api.get("/campaigns/{campaign_id}/winners")
async def list_winners(ctx: Ctx, campaign_id: PathId) -> Response:
    """List winners of A/B tests

    Of each step that looks for its winner (AI_EQUAL): how far the test is, the figures of its variants with the
    probability that each is the best, and every decision with the figures of its moment.
    """
    await _load(ctx, campaign_id)
    found = await winners.list_overviews(ctx.db, ctx.user_id, campaign_id)
    return reply({"ok": True, "data": [wire_winners.overview(each) for each in found]})


@api.post("/campaigns/{campaign_id}/winners", also=["PATCH", "PUT"])
async def choose_winner(ctx: Ctx, campaign_id: PathId, body: wire_winners.WinnerChoice) -> Response:
    """Choose the winner of an A/B test

    `variant` (a label or an id) is what all later leads get, whatever the figures say; null leaves it to them again.
    """
    await winners.choose(
        ctx.db,
        ctx.user_id,
        campaign_id,
        step_number=body.seq_number,
        variant=body.variant,
        client_id=ctx.client_id,
        now=ctx.now,
    )
    return reply({"ok": True})


@api.post("/campaigns/{campaign_id}/email-accounts", needs="email_accounts")
async def add_mailboxes(ctx: Ctx, campaign_id: PathId, body: wire.MailboxAddition) -> Response:
    """Add Email Account to a Campaign"""
    mappings = await actions.add_mailboxes(
        ctx.db,
        ctx.user_id,
        campaign_id,
        wire.required_ids(body),
        auto_adjust_warmup=body.auto_adjust_warmup,
        client_id=ctx.client_id,
        now=ctx.now,
    )
    return reply({"ok": True, "result": [wire.attached(mapping) for mapping in mappings]})


@api.delete("/campaigns/{campaign_id}/email-accounts", needs="email_accounts")
async def remove_mailboxes(
    ctx: Ctx, campaign_id: PathId, query: Annotated[wire.MailboxRemoval, Query()], body: wire.MailboxRemoval
) -> Response:
    """Remove Email Account from a Campaign"""
    reallocate = body.reallocate_leads or query.reallocate_leads
    return await _remove(ctx, campaign_id, wire.required_ids(body, query), reallocate=reallocate)


@api.delete("/campaigns/{campaign_id}/email-accounts/{email_account_id}", needs="email_accounts")
async def remove_mailbox(
    ctx: Ctx,
    campaign_id: PathId,
    email_account_id: PathId,
    query: Annotated[wire.MailboxRemoval, Query()],
    body: wire.MailboxRemoval,
) -> Response:
    """Remove the email account of the path from a campaign"""
    reallocate = body.reallocate_leads or query.reallocate_leads
    return await _remove(ctx, campaign_id, [email_account_id], reallocate=reallocate)


@api.get("/campaigns/{campaign_id}/email-accounts")
async def list_mailboxes(ctx: Ctx, campaign_id: PathId) -> Response:
    """List all email accounts per campaign"""
    await _load(ctx, campaign_id)
    shown = AccountFilter(scope=ctx.client_id, campaign_id=campaign_id)
    return reply(await accounts.list_accounts(ctx.db, ctx.user_id, shown, now=ctx.now))


@api.post("/campaigns/{campaign_id}/team-member", needs=MAIN_KEY)
async def assign_team_member(ctx: Ctx, campaign_id: PathId, body: wire.TeamMemberChoice) -> Response:
    """Assign a team member to a campaign"""
    await actions.assign_team_member(ctx.db, ctx.user_id, campaign_id, body.team_member_id, now=ctx.now)
    return reply({"ok": True})


async def _load(ctx: Context, campaign_id: int) -> Campaign:
    return await store.load_campaign(ctx.db, ctx.user_id, campaign_id, client_id=ctx.client_id)


async def _change_schedule(ctx: Context, campaign_id: int, body: wire.ScheduleBody) -> None:
    if ctx.settings.strict_compat:
        body.check_strict_gap()
    await actions.change_schedule(
        ctx.db, ctx.user_id, campaign_id, body.changes(), client_id=ctx.client_id, now=ctx.now
    )


async def _remove(ctx: Context, campaign_id: int, mailbox_ids: list[int], *, reallocate: bool) -> Response:
    removed = await actions.remove_mailboxes(
        ctx.db,
        ctx.user_id,
        campaign_id,
        mailbox_ids,
        reallocate=reallocate,
        client_id=ctx.client_id,
        now=ctx.now,
    )
    return reply({"ok": True, "result": removed})
