"""A mail of a campaign to somebody who looks at it first (contract: campaigns, Send test email).

What the preview shows, sent at once: neither schedule nor limits are asked, nothing is tracked, counted or kept, and
its links lead nobody out. It has a Message-ID of its own, so that no mail program takes the real one for a repetition.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from outrider.campaigns.models import Campaign, MailboxNotAllowed, NoMailboxes
from outrider.content.text import to_text
from outrider.engine import store
from outrider.engine.gates import Hold
from outrider.engine.preview import Preview, Wanted, preview
from outrider.kit.crypto import Vault
from outrider.kit.db import Db
from outrider.kit.errors import Invalid
from outrider.kit.validation import reject
from outrider.leads.models import LeadNotFound
from outrider.leads.unsubscribes import list_unsubscribed_clients
from outrider.mail.message_id import make_message_id
from outrider.mailboxes.models import Mailbox
from outrider.messages import single


class UnknownLead(Invalid):
    """Lead not found - Invalid lead_id."""


@dataclass(frozen=True, slots=True)
class TrialMail:
    """Ready to be handed over."""

    mailbox: Mailbox
    to: str
    raw: bytes


async def write(
    db: Db,
    campaign: Campaign,
    wanted: Wanted,
    *,
    to: str | None,
    client_id: int | None,
    vault: Vault,
    tracking_url: str,
    now: datetime,
) -> TrialMail:
    """Raise NotSent for what must not go or cannot be made. `to` None: to the lead."""
    user_id = campaign.user_id
    attached = await store.list_senders(db, user_id, campaign.id)
    if wanted.mailbox_id is not None and wanted.mailbox_id not in attached:
        raise MailboxNotAllowed(id=wanted.mailbox_id)
    if not attached:
        raise NoMailboxes
    chosen = Wanted(wanted.lead_id, wanted.step_number, wanted.variant, wanted.mailbox_id or attached[0])
    try:
        shown = await preview(
            db,
            user_id,
            campaign.id,
            chosen,
            client_id=client_id,
            vault=vault,
            tracking_url=tracking_url,
            now=now,
        )
    except LeadNotFound as error:
        raise UnknownLead from error
    recipient = to or _lead_address(shown)
    await single.check(db, shown.sender.mailbox, recipient)
    if {0, campaign.client_id} & await list_unsubscribed_clients(db, user_id, recipient.lower()):
        raise single.not_sent("The recipient has unsubscribed.")
    return TrialMail(shown.sender.mailbox, recipient, _compose(shown, recipient, now))


def _lead_address(shown: Preview) -> str:
    if not shown.draft.lead.id:
        reject('"customEmailAddress" is required', key="customEmailAddress")  # the sample is nobody
    return shown.draft.lead.email


def _compose(shown: Preview, to: str, now: datetime) -> bytes:
    if isinstance(shown.made, Hold):
        raise single.not_sent(shown.made.text)
    written, sender = shown.made.written, shown.sender
    return sender.skeleton.fill(
        to=to,
        subject=written.subject,
        text=written.text or to_text(written.html or ""),
        html=written.html,
        date=now,
        message_id=make_message_id(uuid4(), sender.domain),
        in_reply_to=written.in_reply_to,
        references=written.references,
    )
