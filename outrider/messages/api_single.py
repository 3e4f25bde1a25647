"""The route of a mail by itself (contract: email-accounts, Send Single Email)."""

from starlette.responses import Response

from outrider.kit.crypto import vault
from outrider.kit.http import Api, FreeCtx, reply
from outrider.mailboxes import api_oauth, state
from outrider.messages import single
from outrider.messages import wire_single as wire

api = Api("email-accounts", writes_need="email_accounts")


@api.post("/send-email/initiate")
async def send_single_email(ctx: FreeCtx, body: wire.SingleSend) -> Response:
    """Send Single Email"""
    body.check()
    mail = body.mail()
    async with ctx.database.connection() as db:
        mailbox = await single.find_sender(
            db, ctx.user_id, mailbox_id=body.from_email_id, email=body.from_email, scope=ctx.client_id
        )
        await single.check(db, mailbox, mail.to)
    if mailbox.refresh_token is not None:
        await api_oauth.refresh(ctx, mailbox.id)
        async with ctx.database.connection() as db:
            mailbox = await single.find_sender(db, ctx.user_id, mailbox_id=mailbox.id, email=None, scope=ctx.client_id)
    number = await single.send(mailbox, mail, vault(), now=ctx.now)
    async with ctx.database.transaction() as db:
        await state.record_single_send(db, mailbox.id, ctx.now)
    return reply(wire.sent(single.message_id(mailbox, number), number))
