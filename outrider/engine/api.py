"""Routes that the engine answers; no slice may import it. All but the test mail are ours, not the reference's."""

from typing import Annotated

from fastapi import Depends, Query
from starlette.responses import Response

from outrider.campaigns.actions import check_mailboxes
from outrider.campaigns.store import load_campaign
from outrider.engine import preview, trial_mail, wire, wire_forecast
from outrider.engine.forecast import forecast
from outrider.engine.recipients import RecipientLimits
from outrider.kit.crypto import vault
from outrider.kit.http import Api, Caller, Ctx, FreeCtx, PathId, reply
from outrider.kit.pagination import Page, paging
from outrider.leads import reasons
from outrider.leads.listing import has_leads
from outrider.mailboxes import api_oauth
from outrider.mailboxes.state import is_engine_running
from outrider.messages import single

api = Api("campaigns")


@api.get("/campaigns/{campaign_id}/preview")
async def preview_mail(ctx: Ctx, campaign_id: PathId, query: Annotated[wire.PreviewQuery, Query()]) -> Response:
    """Preview a mail of a campaign

    As it would leave, made by what makes it when it leaves; nothing is claimed, sent or counted. Without `lead_id` the
    campaign's first lead (a sample while it has none), without `seq_number` its next step, without `variant` (a label
    or an id) the one it would get, without `email_account_id` its own mailbox.
    """
    db, user_id = ctx.db, ctx.user_id
    await load_campaign(db, user_id, campaign_id, client_id=ctx.client_id)
    if query.email_account_id is not None:
        await check_mailboxes(db, user_id, [query.email_account_id], client_id=ctx.client_id)
    shown = await preview.preview(
        db,
        user_id,
        campaign_id,
        query.wanted(),
        client_id=ctx.client_id,
        vault=vault(),
        tracking_url=ctx.settings.tracking_url,
        now=ctx.now,
    )
    return reply(wire.preview(shown))


@api.post("/campaigns/{campaign_id}/send-test-email", needs="campaigns")
async def send_test_mail(ctx: FreeCtx, campaign_id: PathId, body: wire.TrialRequest) -> Response:
    """Send test email

    At once and outside of everything: the schedule and the limits are not asked, nothing is tracked or counted.
    """
    mail = await _write_test_mail(ctx, campaign_id, body)
    if mail.mailbox.refresh_token is not None:
        await api_oauth.refresh(ctx, mail.mailbox.id)
        mail = await _write_test_mail(ctx, campaign_id, body)
    await single.submit(mail.mailbox, mail.to, mail.raw, vault())
    return reply({"ok": True, "success": True, "message": "Test email sent successfully"})


async def _write_test_mail(ctx: Caller, campaign_id: int, body: wire.TrialRequest) -> trial_mail.TrialMail:
    async with ctx.database.connection() as db:
        campaign = await load_campaign(db, ctx.user_id, campaign_id, client_id=ctx.client_id)
        return await trial_mail.write(
            db,
            campaign,
            body.wanted(),
            to=body.to,
            client_id=ctx.client_id,
            vault=vault(),
            tracking_url=ctx.settings.tracking_url,
            now=ctx.now,
        )


@api.get("/campaigns/{campaign_id}/why-not-sent")
async def why_not_sent(
    ctx: Ctx,
    campaign_id: PathId,
    query: Annotated[wire.WhyNotSentQuery, Query()],
    page: Annotated[Page, Depends(paging(max=1000))],
) -> Response:
    """Why a campaign's mails are not sent

    Of the campaign, of each of its mailboxes and of each lead that has not got all its mails: one reason with a code, a
    sentence, what to do about it, and when it is tried again. `code` narrows the list of leads.
    """
    db, user_id, now = ctx.db, ctx.user_id, ctx.now
    campaign = await load_campaign(db, user_id, campaign_id, client_id=ctx.client_id)
    is_running = await is_engine_running(db, ctx.clock.wall())
    groups = await reasons.summarize(db, user_id, campaign_id, now, is_engine_running=is_running)
    rows = await reasons.list_reasons(
        db,
        user_id,
        [campaign_id],
        now,
        codes=query.codes(),
        is_engine_running=is_running,
        offset=page.offset,
        limit=page.limit,
    )
    why = reasons.find_standstill(campaign, groups, now, has_leads=await has_leads(db, user_id, campaign_id))
    codes = query.codes()
    return reply(
        {
            "ok": True,
            "campaign": wire.campaign_reason(campaign, why),
            "engine": {"is_running": is_running},
            "mailboxes": wire.senders(await reasons.list_senders(db, user_id, campaign_id, now)),
            "summary": wire.groups(groups),
            "total_leads": sum(group.lead_count for group in groups if codes is None or group.code in codes),
            "offset": page.offset,
            "limit": page.limit,
            "data": wire.leads(rows),
        }
    )


@api.get("/campaigns/{campaign_id}/forecast")
async def show_forecast(
    ctx: FreeCtx, campaign_id: PathId, query: Annotated[wire_forecast.ForecastQuery, Query()]
) -> Response:
    """Forecast of a campaign

    What will be sent if nobody answers, by the engine itself on a copy: mails for each day, step and mailbox, the end,
    and what keeps each day from having more. A campaign that does not run is foreseen as if it were started now. Caps,
    the gap and the mailboxes can be given to see what they would change; nothing is changed.
    """
    what_if = query.what_if()
    found = await forecast(
        ctx.database,
        vault(),
        ctx.user_id,
        campaign_id,
        client_id=ctx.client_id,
        now=ctx.now,
        tracking_url=ctx.settings.tracking_url,
        recipients=RecipientLimits.of(ctx.settings),
        what_if=what_if,
    )
    return reply(wire_forecast.shown(found, days=query.days, what_if=what_if))
