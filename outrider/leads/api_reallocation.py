"""The route that gives one lead another mailbox (contract: campaigns, Update lead email account)."""

from starlette.responses import Response

from outrider.kit.http import Api, Ctx, reply
from outrider.leads import reallocation
from outrider.leads.wire_reallocation import MailboxChoice

api = Api("leads", writes_need="leads")


@api.post("/campaigns/update-lead-email-account")
async def assign_mailbox(ctx: Ctx, body: MailboxChoice) -> Response:
    """Update lead email account

    Its next mails go out from that mailbox, which must be one of the campaign.
    """
    await reallocation.assign(
        ctx.db,
        ctx.user_id,
        body.email_campaign_id,
        body.email_lead_id,
        body.email_account_id,
        override=body.override_lead_email_account,
        client_id=ctx.client_id,
        now=ctx.now,
    )
    return reply({"ok": True, "success": True, "message": "Lead email account updated"})
