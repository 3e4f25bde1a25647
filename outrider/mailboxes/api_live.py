"""Routes that talk to the mailbox's servers now: messages, reconnecting (contract: email-accounts)."""

import asyncio
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Body
from starlette.responses import Response

from outrider.kit.crypto import vault
from outrider.kit.http import ANY_KEY, Api, Caller, Ctx, FreeCtx, PathId, reply
from outrider.mail.imap import ImapError, LoginRefused
from outrider.mailboxes import actions, api_oauth, fetching, reconnects, servers, store
from outrider.mailboxes import wire_fetch as wire
from outrider.mailboxes.fetching import FolderUnknown, Found, Wanted
from outrider.mailboxes.models import MailboxNotFound
from outrider.mailboxes.wire import ReconnectBody

api = Api("email-accounts", writes_need="email_accounts")

_NO_HOST = "No IMAP server is set."


@dataclass(frozen=True, slots=True)
class Failure:
    """Why nothing was read, in the words of the server."""

    error: str
    is_folder: bool = False


@api.post("/email-accounts/{account_id}/fetch-messages", needs=ANY_KEY)
async def fetch_messages(ctx: FreeCtx, account_id: PathId, body: wire.FetchBody) -> Response:
    """Fetch Messages for Email Account"""
    outcome = await _fetch(ctx, account_id, body.wanted(ctx.now))
    match outcome:
        case None:
            raise MailboxNotFound(account_id, extra={"success": False})
        case Failure(is_folder=True):
            raise wire.FolderNotFound(account_id)
        case Failure(error=error):
            raise wire.FetchFailed(account_id, error)
    data = wire.fetched(outcome, with_body=body.include_body)
    return reply({"success": True, "accountId": str(account_id), "data": data})


@api.post("/email-accounts/multi/fetch-messages", needs=ANY_KEY)
async def fetch_messages_in_bulk(ctx: FreeCtx, body: Annotated[wire.FetchItems, Body()]) -> Response:
    """Bulk Fetch Messages for Multiple Email Accounts"""
    wanted = [item.wanted(ctx.now, prefix=f"[{place}].") for place, item in enumerate(body)]
    outcomes = await asyncio.gather(
        *(_fetch(ctx, item.account_id, each) for item, each in zip(body, wanted, strict=True))
    )
    results = [_result(item, outcome) for item, outcome in zip(body, outcomes, strict=True)]
    good = sum(result["status"] == "success" for result in results)
    summary = {"total": len(results), "success": good, "error": len(results) - good}
    return reply({"results": results, "summary": summary})


@api.post("/email-accounts/reconnect-failed-email-accounts", also=["/email-accounts/reconnect"])
async def reconnect_failed_accounts(ctx: Ctx, body: ReconnectBody) -> Response:
    """Reconnect failed email accounts"""
    await reconnects.start(
        ctx.db,
        ctx.user_id,
        body.email_account_ids or None,
        scope=ctx.client_id,
        limit=ctx.settings.reconnects_per_day,
        now=ctx.now,
    )
    return reply(
        {
            "ok": True,
            "message": "Email account(s) added to the queue to reconnect. We will send you an email once completed.",
        }
    )


@api.post("/email-accounts/{email_account_id}/reauth")
async def reauthenticate(ctx: FreeCtx, email_account_id: PathId) -> Response:
    """Reauth one account"""
    async with ctx.database.connection() as db:
        mailbox = await store.load_mailbox(db, ctx.user_id, email_account_id, client_id=ctx.client_id)
    done = {"provider": mailbox.type, "emailAccountId": email_account_id}
    if mailbox.is_connected:
        text = "Email account is already connected"
        return reply({"ok": True, "reauthenticated": False, "skipped": True, "message": text, **done})
    await api_oauth.refresh(ctx, email_account_id)
    async with ctx.database.connection() as db:
        stored = await actions.load_credentials(db, vault(), ctx.user_id, email_account_id, scope=ctx.client_id)
    verdict = await servers.verify(stored)
    async with ctx.database.transaction() as db:
        await actions.record_check(db, ctx.user_id, email_account_id, verdict, scope=ctx.client_id, now=ctx.now)
    text = verdict.text or "Email account reconnected successfully"
    is_good = verdict.is_success
    return reply({"ok": is_good, "reauthenticated": is_good, "skipped": False, "message": text, **done})


async def _fetch(ctx: Caller, mailbox_id: int, wanted: Wanted) -> Found | Failure | None:
    """None: there is no such mailbox. A refused log-in is remembered."""
    async with ctx.database.connection() as db:
        mailbox = await store.find_mailbox(db, ctx.user_id, mailbox_id, client_id=ctx.client_id)
    if mailbox is None:
        return None
    if mailbox.refresh_token is not None:
        await api_oauth.refresh(ctx, mailbox_id)
        async with ctx.database.connection() as db:
            mailbox = await store.load_mailbox(db, ctx.user_id, mailbox_id, client_id=ctx.client_id)
    server = servers.imap_server(mailbox, vault())
    if server is None:
        return Failure(_NO_HOST)
    try:
        return await fetching.fetch(server, wanted)
    except FolderUnknown:
        return Failure("Folder not found", is_folder=True)
    except (ImapError, TimeoutError) as error:
        if isinstance(error, LoginRefused):
            async with ctx.database.transaction() as db:
                await actions.record_imap_failure(db, ctx.user_id, mailbox_id, error=str(error), now=ctx.now)
        return Failure(fetching.explain(error, server))


def _result(item: wire.FetchItem, outcome: Found | Failure | None) -> dict[str, Any]:
    row: dict[str, Any] = {"account_id": item.account_id}
    if isinstance(outcome, Found):
        return {**row, "status": "success", "data": wire.fetched(outcome, with_body=item.include_body)}
    return {**row, "status": "error", "error": outcome.error if outcome else "Account not found"}
