"""Mailboxes that log in with a provider's token (contract: email-accounts, Add OAuth Email Account)."""

from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from outrider.kit.crypto import vault
from outrider.kit.guard import guarded_client
from outrider.kit.http import Api, Caller, FreeCtx, reply
from outrider.kit.validation import reject
from outrider.mailboxes import actions, oauth, servers, wire
from outrider.mailboxes.models import Credentials, InvalidToken, Mailbox, MailboxType, PortType
from outrider.mailboxes.oauth import App, Refresher, Token, TokenRefused, TokenUnavailable

api = Api("email-accounts", writes_need="email_accounts")

_PROVIDERS = (MailboxType.GMAIL, MailboxType.OUTLOOK)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A mailbox as it is to be: columns, and the log-in by token."""

    changes: dict[str, Any]
    credentials: dict[str, Any]


@api.post("/email-accounts/save-oauth")
async def save_oauth_account(ctx: FreeCtx, body: wire.OAuthSave) -> Response:
    """Add OAuth Email Account"""
    mailbox = await save(ctx, body, body.found_token(), body.type or body.provider)
    return reply(wire.saved_by_token(mailbox))


async def save(ctx: Caller, body: wire.AccountSave, given: wire.OAuthToken, provider: MailboxType | None) -> Mailbox:
    """Make or change it; the token is tried before, and refreshed if it has no time left."""
    if not body.id:
        _check_completeness(body)
    if provider is None and not body.id:
        reject('"type" is required', key="type")
    if provider not in _PROVIDERS:
        reject('"type" must be one of [GMAIL, OUTLOOK]', key="type")
    token = Token(given.access_token, given.refresh_token or None, given.expires_at(ctx.now))
    if body.id:
        await _see(ctx, body.id)
    else:
        async with ctx.database.connection() as db:
            await actions.check_new(db, ctx.user_id, body.changes(), scope=ctx.client_id)
    app = oauth.app_of(ctx.settings, provider)
    wanted = _wanted(body, provider, app, await _usable(ctx, app, token))
    return await (_update(ctx, body, body.id, wanted) if body.id else _create(ctx, body, wanted))


async def refresh(ctx: Caller, mailbox_id: int) -> None:
    """Before a log-in with what is stored is tried; nothing to do for a mailbox with a password."""
    async with guarded_client(ctx.settings) as http:
        await Refresher(ctx.database, ctx.settings, ctx.clock, vault(), http).refresh(mailbox_id)


def _check_completeness(body: wire.AccountSave) -> None:
    for name in ("from_name", "from_email"):
        if getattr(body, name) is None:
            reject(f'"{name}" is required', key=name)


async def _see(ctx: Caller, mailbox_id: int) -> None:
    """Raise MailboxNotFound before anybody outside is asked."""
    async with ctx.database.connection() as db:
        await actions.load_credentials(db, vault(), ctx.user_id, mailbox_id, scope=ctx.client_id)


async def _usable(ctx: Caller, app: App, token: Token) -> Token:
    if token.expires_at > ctx.now:
        return token
    if token.refresh_token is None:
        raise InvalidToken
    async with guarded_client(ctx.settings) as http:
        try:
            return await oauth.ask(http, app, token.refresh_token, ctx.now)
        except (TokenRefused, TokenUnavailable) as error:
            raise InvalidToken(extra={"error": str(error)}) from error


def _wanted(body: wire.AccountSave, provider: MailboxType, app: App, token: Token) -> Wanted:
    changes = {**body.changes(), "type": provider, "token_expires_at": token.expires_at}
    if body.use_whitelabel_credentials is not None:
        changes["use_whitelabel_credentials"] = body.use_whitelabel_credentials
    smtp, imap = app.endpoints.smtp, app.endpoints.imap
    credentials = {
        "password": None,
        "imap_username": None,
        "imap_password": None,
        "smtp_host": smtp[0],
        "smtp_port": smtp[1],
        "smtp_port_type": PortType(smtp[2]),
        "imap_host": imap[0],
        "imap_port": imap[1],
        "imap_port_type": PortType(imap[2]),
        "access_token": token.access_token,
        "refresh_token": token.refresh_token,
    }
    username = body.user_name or (None if body.id else body.from_email)
    return Wanted(changes, credentials if username is None else {**credentials, "username": username})


async def _create(ctx: Caller, body: wire.AccountSave, wanted: Wanted) -> Mailbox:
    credentials = actions.merged(None, wanted.credentials)
    await _try(ctx, credentials)
    async with ctx.database.transaction() as db:
        return await actions.create(
            db,
            vault(),
            ctx.user_id,
            changes=wanted.changes,
            credentials=credentials,
            warmup_change=body.warmup(),
            scope=ctx.client_id,
            now=ctx.now,
        )


async def _update(ctx: Caller, body: wire.AccountSave, mailbox_id: int, wanted: Wanted) -> Mailbox:
    async with ctx.database.connection() as db:
        log_in = await actions.find_log_in(
            db,
            vault(),
            ctx.user_id,
            mailbox_id,
            changes=wanted.changes,
            credentials=wanted.credentials,
            scope=ctx.client_id,
        )
    await _try(ctx, log_in.wanted)
    async with ctx.database.transaction() as db:
        return await actions.update(
            db,
            vault(),
            ctx.user_id,
            mailbox_id,
            changes=wanted.changes,
            log_in=log_in,
            warmup_change=body.warmup(),
            scope=ctx.client_id,
            now=ctx.now,
        )


async def _try(ctx: Caller, credentials: Credentials) -> None:
    if not ctx.settings.verify_on_save:
        return
    verdict = await servers.verify(credentials)
    if not verdict.is_success:
        raise InvalidToken(extra={"error": verdict.text})
