"""Routes of mailboxes (contract: email-accounts)."""

from typing import Annotated, Any

from fastapi import Query
from starlette.responses import Response

from outrider.kit.crypto import vault
from outrider.kit.errors import Invalid
from outrider.kit.http import Api, Context, Ctx, PathId, reply
from outrider.mailboxes import accounts, actions, servers, store, wire
from outrider.mailboxes.models import Mailbox, MailboxNotFound, OAuthNotConfigured, WarmupStatus
from outrider.mailboxes.store import AccountFilter

api = Api()


class InvalidAccountId(Invalid):
    """Valid account ID is required"""


@api.post("/email-accounts/save", also=["/email-accounts"])
async def save_account(ctx: Ctx, body: wire.AccountSave) -> Response:
    """Create an Email Account"""
    if body.token:
        raise OAuthNotConfigured
    if body.id:
        mailbox = await _update(ctx, body.id, body)
    else:
        body.check_completeness()
        mailbox = await _create(ctx, body)
    warmups = await store.list_warmups(ctx.db, ctx.user_id, [mailbox.id])
    running = [warmup for warmup in warmups if warmup.status is not WarmupStatus.INACTIVE]
    return reply(wire.saved(mailbox, running[0] if running else None))


@api.post("/email-accounts/{email_account_id}", also=["PATCH", "PUT"])
async def update_account(ctx: Ctx, email_account_id: PathId, body: wire.AccountUpdate) -> Response:
    """Update Email Account"""
    await _update(ctx, email_account_id, body)
    return reply(_done("Email account details updated successfully!", email_account_id))


@api.get("/email-accounts/{email_account_id}")
async def get_account(ctx: Ctx, email_account_id: PathId, query: Annotated[wire.AccountQuery, Query()]) -> Response:
    """Fetch Email Account By ID"""
    account = await accounts.find_account(
        ctx.db,
        ctx.user_id,
        email_account_id,
        scope=ctx.client_id,
        now=ctx.now,
        with_campaigns=query.fetch_campaigns,
        with_tags=query.fetch_tags,
    )
    if account is None:
        raise MailboxNotFound(email_account_id)
    return reply(account)


@api.get("/email-accounts")
async def list_accounts(ctx: Ctx, query: Annotated[wire.AccountListQuery, Query()]) -> Response:
    """Fetch all email accounts associated to a user"""
    status = query.email_warmup_status
    shown = AccountFilter(
        scope=ctx.client_id,
        username=query.username or None,
        client_id=query.client_id,
        type=query.esp,
        is_in_use=query.is_in_use,
        is_warmup_active=None if status is None else status is WarmupStatus.ACTIVE,
        is_warmup_blocked=query.is_warmup_blocked,
        is_smtp_success=query.is_smtp_success,
    )
    listed = await accounts.list_accounts(
        ctx.db,
        ctx.user_id,
        shown,
        now=ctx.now,
        offset=query.offset,
        limit=query.limit,
        with_campaigns=query.fetch_campaigns,
    )
    return reply(listed)


@api.post("/email-accounts/{email_account_id}/warmup", also=["PUT /email-accounts/{email_account_id}/warmup-settings"])
async def update_warmup(ctx: Ctx, email_account_id: PathId, body: wire.WarmupUpdate) -> Response:
    """Add/Update Warmup To Email Account"""
    mailbox = await store.lock_mailbox(ctx.db, ctx.user_id, email_account_id, client_id=ctx.client_id)
    mailbox = await actions.change_warmup(ctx.db, mailbox, body.warmup(), now=ctx.now)
    done = _done("Email warmup details updated successfully!", email_account_id)
    return reply({**done, "warmupKey": mailbox.warmup_key})


@api.delete("/email-accounts/{email_account_id}")
async def delete_account(ctx: Ctx, email_account_id: PathId) -> Response:
    """Delete Email Account"""
    if not await actions.delete(ctx.db, ctx.user_id, [email_account_id], scope=ctx.client_id, now=ctx.now):
        raise MailboxNotFound(email_account_id)
    return reply(_done("Email account deleted successfully!", email_account_id))


@api.post("/email-accounts/bulk-delete")
async def delete_accounts(ctx: Ctx, body: wire.AccountIds) -> Response:
    """Bulk delete"""
    wanted = list(dict.fromkeys(body.ids))
    deleted = set(await actions.delete(ctx.db, ctx.user_id, wanted, scope=ctx.client_id, now=ctx.now))
    return reply(
        {
            "ok": True,
            "message": "Email accounts deleted successfully!",
            "deleted": [each for each in wanted if each in deleted],
            "failed": [each for each in wanted if each not in deleted],
        }
    )


@api.put("/email-accounts/suspend/{email_account_id}", also=["POST"])
async def suspend_account(ctx: Ctx, email_account_id: str) -> Response:
    """Suspend Email Account"""
    return await _suspend(ctx, email_account_id, is_suspended=True)


@api.delete("/email-accounts/unsuspend/{email_account_id}", also=["POST"])
async def unsuspend_account(ctx: Ctx, email_account_id: str) -> Response:
    """Unsuspend Email Account"""
    return await _suspend(ctx, email_account_id, is_suspended=False)


@api.post("/email-accounts/{email_account_id}/test-connection", also=["/email-accounts/{email_account_id}/test"])
async def check_account(ctx: Ctx, email_account_id: PathId) -> Response:
    """Test Connection"""
    verdict = await actions.check_connection(
        ctx.db, vault(), ctx.user_id, email_account_id, scope=ctx.client_id, now=ctx.now
    )
    return reply(wire.tested(verdict, email_account_id))


@api.post("/email-accounts/test-connection")
async def check_credentials(_ctx: Ctx, body: wire.ConnectionTest) -> Response:
    """Test the connection of an account that is not stored"""
    credentials = actions.merged(None, body.complete_credentials())
    return reply(wire.tested(await servers.verify(credentials), None))


async def _create(ctx: Context, body: wire.AccountSave) -> Mailbox:
    return await actions.create(
        ctx.db,
        vault(),
        ctx.user_id,
        changes=body.changes(),
        credentials=body.new_credentials(),
        warmup_change=body.warmup(),
        scope=ctx.client_id,
        is_verified=ctx.settings.verify_on_save,
        now=ctx.now,
    )


async def _update(ctx: Context, mailbox_id: int, body: wire.AccountSave | wire.AccountUpdate) -> Mailbox:
    return await actions.update(
        ctx.db,
        vault(),
        ctx.user_id,
        mailbox_id,
        changes=body.changes(),
        credentials=body.credentials(),
        warmup_change=body.warmup(),
        scope=ctx.client_id,
        is_verified=ctx.settings.verify_on_save,
        now=ctx.now,
    )


async def _suspend(ctx: Context, account_id: str, *, is_suspended: bool) -> Response:
    if not account_id.isascii() or not account_id.isdigit():
        raise InvalidAccountId(extra={"success": False})
    mailbox_id = int(account_id)
    await actions.suspend(ctx.db, ctx.user_id, mailbox_id, is_suspended=is_suspended, scope=ctx.client_id, now=ctx.now)
    word = "suspended" if is_suspended else "unsuspended"
    return reply(
        {
            "success": True,
            "ok": True,
            "message": f"Email account {word} successfully",
            "data": {"accountId": mailbox_id, "isSuspended": is_suspended},
        }
    )


def _done(message: str, mailbox_id: int) -> dict[str, Any]:
    return {"ok": True, "message": message, "emailAccountId": mailbox_id}
