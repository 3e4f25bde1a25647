"""Routes of the inbox that show (contract: master-inbox). What changes conversations is in `api_actions`."""

from collections import defaultdict
from typing import Annotated, Any

from fastapi import Query
from starlette.responses import Response

from outrider.inbox import untracked, views, wire_views
from outrider.inbox.models import Sort, View
from outrider.inbox.views import Listing
from outrider.kit.http import ANY_KEY, Api, Context, Ctx, PathId, reply
from outrider.messages.history import HistoryItem, list_history
from outrider.users import store as users
from outrider.users.models import Role

api = Api("master-inbox", writes_need=ANY_KEY)
ListQuery = Annotated[wire_views.ListQuery, Query()]


@api.post("/master-inbox/inbox-replies")
async def list_replies(ctx: Ctx, query: ListQuery, body: wire_views.RepliesBody) -> Response:
    """Fetch Inbox Replies"""
    return await _list(ctx, View.REPLIES, query, body)


@api.post("/master-inbox/unread-replies")
async def list_unread(ctx: Ctx, query: ListQuery, body: wire_views.ListBody) -> Response:
    """Fetch Unread Replies"""
    return await _list(ctx, View.UNREAD, query, body)


@api.post("/master-inbox/important", also=["/master-inbox/important-messages"])
async def list_important(ctx: Ctx, query: ListQuery, body: wire_views.ListBody) -> Response:
    """Fetch Important Marked Messages"""
    return await _list(ctx, View.IMPORTANT, query, body)


@api.post("/master-inbox/snoozed", also=["/master-inbox/snoozed-messages"])
async def list_snoozed(ctx: Ctx, query: ListQuery, body: wire_views.ListBody) -> Response:
    """Fetch Snoozed Messages"""
    return await _list(ctx, View.SNOOZED, query, body)


@api.post("/master-inbox/reminders", also=["/master-inbox/reminder-messages"])
async def list_reminders(ctx: Ctx, query: ListQuery, body: wire_views.RemindersBody) -> Response:
    """Fetch Messages with Reminders"""
    return await _list(ctx, View.REMINDERS, query, body, by=Sort.REMINDER_TIME_DESC)


@api.post("/master-inbox/scheduled", also=["/master-inbox/scheduled-messages"])
async def list_scheduled(ctx: Ctx, query: ListQuery, body: wire_views.ScheduledBody) -> Response:
    """Fetch Scheduled Messages"""
    return await _list(ctx, View.SCHEDULED, query, body, by=Sort.SCHEDULED_TIME_DESC)


@api.post("/master-inbox/archived", also=["/master-inbox/archived-messages"])
async def list_archived(ctx: Ctx, query: ListQuery, body: wire_views.ListBody) -> Response:
    """Fetched Archived Messages"""
    return await _list(ctx, View.ARCHIVED, query, body)


@api.post("/master-inbox/sent")
async def list_sent(ctx: Ctx, query: ListQuery, body: wire_views.SentBody) -> Response:
    """Fetch sent messages"""
    return await _list(ctx, View.SENT, query, body)


@api.post("/master-inbox/assigned-me")
async def list_assigned(ctx: Ctx, query: ListQuery, body: wire_views.ListBody) -> Response:
    """Fetch assigned to me

    To the person whose key this is; with an owner's key to anybody.
    """
    person = await users.find_person_of_key(ctx.db, ctx.user_id, ctx.key_id)
    person_id = None if person is None or person.role is Role.OWNER else person.id
    return await _list(ctx, View.ASSIGNED, query, body, person_id=person_id)


@api.post("/master-inbox/views")
async def list_any(ctx: Ctx, query: ListQuery, body: wire_views.AnyBody) -> Response:
    """Fetch custom view"""
    return await _list(ctx, View.ANY, query, body)


@api.get("/master-inbox/untracked-replies")
async def list_untracked(ctx: Ctx, query: Annotated[wire_views.UntrackedQuery, Query()]) -> Response:
    """Fetch Untracked Replies"""
    total, rows = await untracked.list_untracked(
        ctx.db, ctx.user_id, query.filter(), scope=ctx.client_id, offset=query.offset, limit=query.limit
    )
    return reply(wire_views.untracked(rows, total, query, public_url=ctx.settings.public_url))


@api.get("/master-inbox/{id}")
async def get_conversation(ctx: Ctx, id: PathId, query: ListQuery) -> Response:  # noqa: A002 - the wire's name
    """Fetch Master Inbox Lead by ID

    The id is that of the lead in the campaign.
    """
    row = await views.find_row(ctx.db, ctx.user_id, id, scope=ctx.client_id)
    return reply({"ok": True, "data": await _shown(ctx, [row] if row else [], query)})


async def _list(
    ctx: Context,
    view: View,
    query: wire_views.ListQuery,
    body: wire_views.ListBody,
    *,
    by: Sort = Sort.REPLY_TIME_DESC,
    person_id: int | None = None,
) -> Response:
    listing = Listing(
        view=view,
        filter=body.filter(),
        sort=body.sort_by or by,
        offset=body.offset,
        limit=body.limit,
        scope=ctx.client_id,
        person_id=person_id,
        now=ctx.now,
    )
    total, rows = await views.list_rows(ctx.db, ctx.user_id, listing)
    shown = await _shown(ctx, rows, query)
    for each, row in zip(shown, rows, strict=True):
        each.update(wire_views.besides(view, row, ctx.now))
    return reply(wire_views.page(shown, total=total, offset=body.offset, limit=body.limit))


async def _shown(ctx: Context, rows: list[dict[str, Any]], query: wire_views.ListQuery) -> list[dict[str, Any]]:
    mails: dict[int, list[HistoryItem]] = defaultdict(list)
    if query.fetch_message_history:
        for item in await list_history(ctx.db, ctx.user_id, [row["id"] for row in rows]):
            mails[item.campaign_lead_id].append(item)
    return [
        wire_views.conversation(
            row,
            history=mails[row["id"]] if query.fetch_message_history else None,
            public_url=ctx.settings.public_url,
            now=ctx.now,
        )
        for row in rows
    ]
