"""Routes of tags and of who has them (contract: email-accounts). Tags are the account's, shared with its leads."""

from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from outrider.kit.http import ANY_KEY, MAIN_KEY, Api, Context, Ctx, reply
from outrider.kit.validation import reject
from outrider.mailboxes import store, tags
from outrider.mailboxes import wire_tags as wire
from outrider.mailboxes.models import MailboxNotFound, TagNotFound
from outrider.mailboxes.store import AccountFilter

api = Api("email-accounts", writes_need="email_accounts")

_MAPPING = "/email-accounts/tag-mapping"


@api.post(_MAPPING)
async def add_tags(ctx: Ctx, body: wire.TagMapping) -> Response:
    """Add Tags to Email Accounts"""
    body.check()
    outcomes = await tags.add(
        ctx.db, ctx.user_id, await _mailbox_ids(ctx, body), body.tag_ids or [], scope=ctx.client_id
    )
    return reply(wire.mapping(outcomes, message="Tag mapping operation completed", done="added"))


@api.delete(_MAPPING)
async def remove_tags(ctx: Ctx, query: Annotated[wire.TagMapping, Query()], body: wire.TagMapping) -> Response:
    """Remove Tags from Email Accounts"""
    given = body.completed_by(query)
    given.check()
    outcomes = await tags.remove(
        ctx.db, ctx.user_id, await _mailbox_ids(ctx, given), given.tag_ids or [], scope=ctx.client_id
    )
    return reply(wire.mapping(outcomes, message="Tag removal operation completed", done="deleted"))


@api.get("/email-accounts/tags", also=["/tags"])
async def list_tags(ctx: Ctx) -> Response:
    """Get All Tags"""
    return reply([wire.tag_object(tag) for tag in await tags.list_tags(ctx.db, ctx.user_id)])


@api.post("/tags", needs=MAIN_KEY)
async def create_tag(ctx: Ctx, body: wire.TagCreate) -> Response:
    """Create Tag"""
    tag = await tags.find_or_create(ctx.db, ctx.user_id, body.name, body.color or tags.DEFAULT_COLOR, now=ctx.now)
    return reply({"ok": True, "data": wire.tag_object(tag)})


@api.post("/email-accounts/tag-manager", needs=MAIN_KEY)
async def save_tag(ctx: Ctx, body: wire.TagSave) -> Response:
    """Update Email Account Tag"""
    if body.id:
        tag = await tags.update(ctx.db, ctx.user_id, body.id, name=body.name, color=body.color)
        return reply({"ok": True, "message": "Tag updated successfully!", "data": wire.tag_object(tag)})
    if body.name is None:
        reject('"name" is required', key="name")
    tag = await tags.find_or_create(ctx.db, ctx.user_id, body.name, body.color or tags.DEFAULT_COLOR, now=ctx.now)
    return reply({"ok": True, "message": "Tag created successfully!", "data": wire.tag_object(tag)})


@api.post("/email-accounts/tag-list", needs=ANY_KEY)
async def list_tags_of_accounts(ctx: Ctx, body: wire.TagList) -> Response:
    """Get Tag List by Email Addresses"""
    emails = body.emails()
    ids = await tags.find_mailbox_ids(ctx.db, ctx.user_id, emails, scope=ctx.client_id)
    strange = [email for email in emails if email.lower() not in ids]
    if strange:
        raise wire.StrangeEmails(strange)
    shown = AccountFilter(scope=ctx.client_id, ids=list(ids.values()))
    rows = {row["id"]: row for row in await store.list_accounts(ctx.db, ctx.user_id, shown, today=ctx.now.date())}
    found = [wire.tagged(email, rows[ids[email.lower()]]) for email in emails]
    return reply({"success": True, "ok": True, "data": found})


@api.post("/email-accounts/tag", needs=MAIN_KEY)
async def set_tags(ctx: Ctx, body: wire.TagSet) -> Response:
    """Set the tags of email accounts

    For a client that sends the whole set; tags without an id are made.
    """
    visible = await store.list_visible_ids(ctx.db, ctx.user_id, body.email_account_ids, client_id=None)
    for mailbox_id in body.email_account_ids:
        if mailbox_id not in visible:
            raise MailboxNotFound(mailbox_id)
    known = {tag.id for tag in await tags.list_tags(ctx.db, ctx.user_id)}
    wanted = [await _tag_id(ctx, each, known) for each in body.tags]
    await tags.replace(ctx.db, ctx.user_id, body.email_account_ids, wanted)
    return reply({"ok": True, "message": "Tags updated successfully"})


async def _tag_id(ctx: Context, wanted: wire.NamedTag, known: set[int]) -> int:
    if wanted.id is not None:
        if wanted.id not in known:
            raise TagNotFound
        return wanted.id
    if wanted.name is None:
        reject('"name" is required', key="tags")
    color = wanted.color or tags.DEFAULT_COLOR
    return (await tags.find_or_create(ctx.db, ctx.user_id, wanted.name, color, now=ctx.now)).id


async def _mailbox_ids(ctx: Context, body: wire.TagMapping) -> list[int]:
    """Given by id, or by address; an address that is not there is the id 0, which nobody has."""
    if body.email_account_ids:
        return body.email_account_ids
    emails = body.emails or []
    ids = await tags.find_mailbox_ids(ctx.db, ctx.user_id, emails, scope=ctx.client_id)
    return [ids.get(email.lower(), 0) for email in emails]
