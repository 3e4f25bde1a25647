"""Routes of mailboxes (contract: email-accounts)."""

from typing import Annotated, Any

from fastapi import Query
from starlette.responses import Response

from outrider.kit.crypto import vault
from outrider.kit.errors import Invalid
from outrider.kit.guard import guarded_client
from outrider.kit.http import Api, Caller, Context, Ctx, FreeCtx, PathId, reply
from outrider.mail.dns import Resolver
from outrider.mailboxes import accounts, actions, api_oauth, servers, store, tracking_domains, wire
from outrider.mailboxes.models import Mailbox, MailboxNotFound, WarmupStatus
from outrider.mailboxes.store import AccountFilter
from outrider.mailboxes.tracking_domains import Checker
from outrider.mailboxes.warmups import list_warmups

api = Api("email-accounts", writes_need="email_accounts")


class InvalidAccountId(Invalid):
    """Valid account ID is required"""


@api.post("/email-accounts/save", also=["/email-accounts"])
async def save_account(ctx: FreeCtx, body: wire.AccountSave) -> Response:
    """Create an Email Account"""
    if body.token is not None:
        return reply(wire.saved_by_token(await api_oauth.save(ctx, body, body.token, body.type)))
    if body.id:
        mailbox = await _update(ctx, body.id, body)
    else:
        body.check_completeness()
        mailbox = await _create(ctx, body)
    async with ctx.database.connection() as db:
        warmups = await list_warmups(db, ctx.user_id, [mailbox.id])
    running = [warmup for warmup in warmups if warmup.status is not WarmupStatus.INACTIVE]
    return reply(wire.saved(mailbox, running[0] if running else None))


@api.post("/email-accounts/{email_account_id}", also=["PATCH", "PUT"])
async def update_account(ctx: FreeCtx, email_account_id: PathId, body: wire.AccountUpdate) -> Response:
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


@api.get("/email-accounts/{email_account_id}/warmup-stats", also=["/email-accounts/{email_account_id}/warmup-status"])
async def get_warmup_stats(ctx: Ctx, email_account_id: PathId) -> Response:
    """Fetch Warmup Stats By Email Account ID"""
    if await store.find_mailbox(ctx.db, ctx.user_id, email_account_id, client_id=ctx.client_id) is None:
        raise MailboxNotFound(email_account_id, extra={"status": "error"})
    return reply(wire.warmup_stats(email_account_id, today=ctx.now.date()))


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
async def check_account(ctx: FreeCtx, email_account_id: PathId) -> Response:
    """Test Connection"""
    async with ctx.database.connection() as db:
        await store.load_mailbox(db, ctx.user_id, email_account_id, client_id=ctx.client_id)
    await api_oauth.refresh(ctx, email_account_id)
    async with ctx.database.connection() as db:
        stored = await actions.load_credentials(db, vault(), ctx.user_id, email_account_id, scope=ctx.client_id)
    verdict = await servers.verify(stored)
    async with ctx.database.transaction() as db:
        await actions.record_check(db, ctx.user_id, email_account_id, verdict, scope=ctx.client_id, now=ctx.now)
    return reply(wire.tested(verdict, email_account_id))


@api.post("/email-accounts/test-connection")
async def check_credentials(_ctx: FreeCtx, body: wire.ConnectionTest) -> Response:
    """Test the connection of an account that is not stored"""
    credentials = actions.merged(None, body.complete_credentials())
    return reply(wire.tested(await servers.verify(credentials), None))


@api.post("/email-accounts/{email_account_id}/check-tracking-domain")
async def check_tracking_domain(ctx: FreeCtx, email_account_id: PathId) -> Response:
    """Check the tracking domain of an email account

    Asks the DNS and the host itself, now; answers what was found. It is also checked when it is set, and daily.
    """
    async with ctx.database.connection() as db:
        await store.load_mailbox(db, ctx.user_id, email_account_id, client_id=ctx.client_id)
    async with guarded_client(ctx.settings) as http:
        checker = Checker(ctx.settings, vault(), Resolver(ctx.settings.dns_resolvers), http)
        await tracking_domains.check(ctx.database, checker, email_account_id, ctx.now)
    async with ctx.database.connection() as db:
        mailbox = await store.load_mailbox(db, ctx.user_id, email_account_id, client_id=ctx.client_id)
    return reply({"ok": True, "data": wire.tracking_domain(mailbox)})


async def _create(ctx: Caller, body: wire.AccountSave) -> Mailbox:
    credentials = actions.merged(None, body.new_credentials())
    async with ctx.database.connection() as db:
        await actions.check_new(db, ctx.user_id, body.changes(), scope=ctx.client_id)
    if ctx.settings.verify_on_save:
        await actions.verify(credentials, mailbox_id=None)
    async with ctx.database.transaction() as db:
        return await actions.create(
            db,
            vault(),
            ctx.user_id,
            changes=body.changes(),
            credentials=credentials,
            warmup_change=body.warmup(),
            scope=ctx.client_id,
            now=ctx.now,
        )


async def _update(ctx: Caller, mailbox_id: int, body: wire.AccountSave | wire.AccountUpdate) -> Mailbox:
    async with ctx.database.connection() as db:
        log_in = await actions.find_log_in(
            db,
            vault(),
            ctx.user_id,
            mailbox_id,
            changes=body.changes(),
            credentials=body.credentials(),
            scope=ctx.client_id,
        )
    if log_in.is_new and ctx.settings.verify_on_save:
        await actions.verify(log_in.wanted, mailbox_id=mailbox_id)
    async with ctx.database.transaction() as db:
        return await actions.update(
            db,
            vault(),
            ctx.user_id,
            mailbox_id,
            changes=body.changes(),
            log_in=log_in,
            warmup_change=body.warmup(),
            scope=ctx.client_id,
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
