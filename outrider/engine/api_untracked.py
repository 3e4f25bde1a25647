"""Untracked replies that people give to leads: the engine does with them what it does with matched ones."""

from uuid import UUID

from starlette.responses import Response

from outrider.engine.inbound.attaching import UntrackedReplyNotFound, attach
from outrider.inbox import actions, untracked
from outrider.inbox.wire import Target, done
from outrider.kit.http import Api, Ctx, reply

api = Api("master-inbox", writes_need="reply_master_inbox")


@api.post("/master-inbox/untracked-replies/{reply_id}/attach")
async def attach_untracked_reply(ctx: Ctx, reply_id: str, body: Target) -> Response:
    """Attach an untracked reply to a lead

    From then on it is an answer of this lead in this campaign, with all that follows from one: the sequence stops as
    the campaign wants, webhooks are told, the lead gets a category. Once: then it is no untracked reply any more.
    """
    place = await actions.load_conversation(
        ctx.db,
        ctx.user_id,
        body.email_lead_map_id,
        lead_id=body.lead_id,
        campaign_id=body.campaign_id,
        scope=ctx.client_id,
    )
    wanted = _uuid(reply_id)
    if not await untracked.is_visible(ctx.db, ctx.user_id, wanted, scope=ctx.client_id):
        raise UntrackedReplyNotFound
    match = await attach(ctx.db, ctx.user_id, place, reply_id=wanted, now=ctx.now)
    return reply(
        done(
            "Reply attached to the lead successfully",
            email_lead_map_id=str(match.campaign_lead_id),
            email_stats_id=match.stats_id,
        )
    )


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise UntrackedReplyNotFound from error
