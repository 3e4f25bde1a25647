"""A mail by itself, outside of campaigns (contract: email-accounts, Send Single Email): at once, untracked, not stored.

It counts for the day of its mailbox and is not held back by its cap or gap. Not idempotent: nothing says that two equal
ones are one.
"""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from outrider.kit.crypto import Vault
from outrider.kit.db import Db
from outrider.kit.errors import Invalid, NotFound
from outrider.leads.blocks.store import is_blocked
from outrider.mail.address import InvalidAddress, domain_of, parse_address_list
from outrider.mail.attach import File, attach
from outrider.mail.compose import Skeleton
from outrider.mail.message_id import bracketed, make_message_id
from outrider.mail.smtp import Accepted, Envelope, Outcome, Submitter
from outrider.mail.text import html_to_text
from outrider.mailboxes import servers, store, tags
from outrider.mailboxes.models import Mailbox

_LOOKS_LIKE_HTML = re.compile(r"<[a-zA-Z!/][^>]*>")


class SenderUnknown(NotFound):
    """Email account not found"""


class NotSent(Invalid):
    """{reason}"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SingleMail:
    to: str
    subject: str
    body: str
    from_name: str | None = None
    reply_to: str | None = None
    files: Sequence[File] = ()


async def find_sender(db: Db, user_id: int, *, mailbox_id: int | None, email: str | None, scope: int | None) -> Mailbox:
    """By id or by address."""
    if mailbox_id is None:
        mailbox_id = (await tags.find_mailbox_ids(db, user_id, [email or ""], scope=scope)).get((email or "").lower())
    mailbox = None if mailbox_id is None else await store.find_mailbox(db, user_id, mailbox_id, client_id=scope)
    if mailbox is None:
        raise SenderUnknown(extra={"success": False})
    return mailbox


async def check(db: Db, mailbox: Mailbox, to: str) -> None:
    """Raise NotSent for what must not go."""
    if mailbox.is_suspended:
        raise not_sent("The email account is suspended.")
    if not mailbox.is_smtp_success:
        raise not_sent(f"The email account is disconnected: {mailbox.smtp_failure_error}")
    if await is_blocked(db, mailbox.user_id, to, client_id=mailbox.client_id, since=None):
        raise not_sent("The recipient is on the block list.")


async def send(mailbox: Mailbox, mail: SingleMail, vault: Vault, *, now: datetime) -> UUID:
    """Submit it over a connection of its own; raises NotSent with what the server said."""
    number = uuid4()
    try:
        raw = _compose(mailbox, mail, number, now)
    except InvalidAddress as error:
        raise not_sent(f"An address cannot be used: {error}") from error
    await submit(mailbox, mail.to, raw, vault)
    return number


async def submit(mailbox: Mailbox, to: str, raw: bytes, vault: Vault) -> None:
    """Hand over what is written, at once; raises NotSent with what the server said."""
    server = servers.smtp_server(mailbox, vault)
    if server is None:
        raise not_sent("The email account has no SMTP server.")
    outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
    submitter = Submitter()
    try:
        submitter.submit(server, Envelope(mailbox.from_email, (to,), raw), outcome.set_result)
        said = await outcome
    finally:
        await submitter.close()
    if not isinstance(said, Accepted):
        raise not_sent(said.text)


def message_id(mailbox: Mailbox, number: UUID) -> str:
    """As it stands in the header."""
    return bracketed(_canonical_id(mailbox, number))


def _canonical_id(mailbox: Mailbox, number: UUID) -> str:
    return make_message_id(number, domain_of(mailbox.from_email))


def _compose(mailbox: Mailbox, mail: SingleMail, number: UUID, now: datetime) -> bytes:
    reply_to = parse_address_list(mail.reply_to or mailbox.different_reply_to_address or "")
    skeleton = Skeleton.build(
        from_address=mailbox.from_email,
        from_name=mail.from_name or mailbox.from_name,
        reply_to=tuple(map(str, reply_to)),
    )
    is_html = _LOOKS_LIKE_HTML.search(mail.body) is not None
    raw = skeleton.fill(
        to=mail.to,
        subject=mail.subject,
        text=html_to_text(mail.body) if is_html else mail.body,
        html=mail.body if is_html else None,
        date=now,
        message_id=_canonical_id(mailbox, number),
    )
    return attach(raw, mail.files)


def not_sent(reason: str) -> NotSent:
    return NotSent(reason, extra={"success": False})
