"""Routes that send by hand: answers, forwards, what became of them (contract: master-inbox, Reply To Lead …)."""

from typing import Annotated

from fastapi import Query
from starlette.responses import PlainTextResponse, Response

from outrider.inbox import attachments, replies, wire_replies
from outrider.inbox.models import MailboxGone, ReplyNotFound, ScheduledNotFound
from outrider.inbox.replies import Reply
from outrider.inbox.wire_replies import QUEUED
from outrider.kit.http import Api, Caller, Ctx, FreeCtx, PathId, reply
from outrider.leads.models import DocumentedFailure
from outrider.mail.message_id import canonical
from outrider.messages import handwritten
from outrider.messages.handwritten import Draft

api = Api("master-inbox", writes_need="reply_master_inbox")
_TEXT = frozenset({"text/plain", "text/html", "text/*"})
_GONE = {"status": "error"}


@api.post(
    "/campaigns/{campaign_id}/reply-email-thread",
    also=["/campaigns/{campaign_id}/leads/reply-email-thread"],
    text="text/plain",
)
async def reply_to_lead(ctx: FreeCtx, campaign_id: PathId, body: wire_replies.ReplyBody) -> Response:
    """Reply To Lead From Master Inbox via API

    The engine sends it from the mailbox of the thread, at once or at its time. Answers in plain text only whom nothing
    else suits.
    """
    return await _reply(ctx, campaign_id, body, body.reply())


@api.post("/campaigns/{campaign_id}/leads/{lead_id}/reply", text="text/plain")
async def reply_to_lead_of_path(
    ctx: FreeCtx, campaign_id: PathId, lead_id: PathId, body: wire_replies.LeadReplyBody
) -> Response:
    """Reply to a lead"""
    named = body.model_copy(update={"lead_id": lead_id})
    return await _reply(ctx, campaign_id, body, named.reply())


async def _reply(ctx: Caller, campaign_id: int, body: wire_replies.ReplyBody, asked: Reply) -> Response:
    """What is wrong is said before anything is fetched; no connection is held meanwhile."""
    if body.attachments:
        async with ctx.database.connection() as db:
            await replies.draft_reply(db, ctx.user_id, campaign_id, asked, scope=ctx.client_id, now=ctx.now)
    files = await attachments.fetch(ctx.settings, body.files())
    try:
        async with ctx.database.transaction() as db:
            draft = await replies.draft_reply(db, ctx.user_id, campaign_id, asked, scope=ctx.client_id, now=ctx.now)
            await replies.queue_reply(db, draft, files, now=ctx.now)
    except MailboxGone as problem:
        raise _gone(ctx, problem) from problem
    return PlainTextResponse(QUEUED) if _takes_only_text(ctx) else reply(wire_replies.queued(draft))


@api.post("/campaigns/{campaign_id}/forward-email")
async def forward_mail(ctx: Ctx, campaign_id: PathId, body: wire_replies.ForwardBody) -> Response:
    """Forward a reply"""
    return await _forward(ctx, campaign_id, body)


@api.post("/email-campaigns/forward-reply-email")
async def forward_mail_of_campaign(ctx: Ctx, body: wire_replies.NamedForwardBody) -> Response:
    """Forward a reply of the campaign that the body names"""
    return await _forward(ctx, body.campaign_id, body)


async def _forward(ctx: Ctx, campaign_id: int, body: wire_replies.ForwardBody) -> Response:
    try:
        draft: Draft = await replies.forward(
            ctx.db, ctx.user_id, campaign_id, body.forward(), scope=ctx.client_id, now=ctx.now
        )
    except MailboxGone as problem:
        raise _gone(ctx, problem) from problem
    return reply(wire_replies.forwarded(draft))


@api.get("/master-inbox/reply-status")
async def get_reply_status(ctx: Ctx, query: Annotated[wire_replies.StatusQuery, Query()]) -> Response:
    """Reply status"""
    message_id = canonical(query.message_id)
    row = message_id and await handwritten.find_by_message_id(ctx.db, ctx.user_id, message_id, client_id=ctx.client_id)
    if not row:
        raise ReplyNotFound
    return reply(wire_replies.status(row))


@api.delete("/master-inbox/scheduled/{scheduled_message_id}")
async def cancel_scheduled(ctx: Ctx, scheduled_message_id: PathId) -> Response:
    """Cancel a scheduled message"""
    if not await handwritten.cancel(ctx.db, ctx.user_id, scheduled_message_id, client_id=ctx.client_id, now=ctx.now):
        raise ScheduledNotFound
    return reply({"ok": True, "message": "Scheduled message cancelled successfully", "data": {"success": True}})


def _gone(ctx: Caller, problem: MailboxGone) -> MailboxGone | DocumentedFailure:
    if ctx.settings.strict_compat:
        return DocumentedFailure(problem.text, extra=_GONE)
    return MailboxGone(extra=_GONE)


def _takes_only_text(ctx: Caller) -> bool:
    """Decision 13."""
    accepted = [part.partition(";")[0].strip().lower() for part in ctx.request.headers.get("accept", "").split(",")]
    return bool(accepted) and _TEXT.issuperset(accepted)
