"""The mailboxes of this engine as senders: where to log in, the fixed parts of their mails, kept until they are edited.

Opened passwords live here and nowhere else, and only while the process does.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from outrider.content.variables import sender_values
from outrider.engine import store
from outrider.kit.crypto import Vault
from outrider.kit.db import Db
from outrider.kit.log import get_logger
from outrider.mail import address
from outrider.mail.compose import Skeleton
from outrider.mail.server import Server
from outrider.mailboxes import servers
from outrider.mailboxes.models import Mailbox
from outrider.mailboxes.tracking_domains import host_of

log = get_logger("engine")


@dataclass(frozen=True, slots=True)
class Sender:
    """A mailbox ready to send: `tracking_url` is its own verified host, or the shared one."""

    mailbox: Mailbox
    server: Server | None
    skeleton: Skeleton
    domain: str
    tracking_url: str
    bcc: tuple[str, ...]
    mailto: str
    values: Mapping[str, object]


class Senders:
    """A cache by mailbox; an entry is made again when its mailbox was edited.

    A mailbox that cannot be used, whatever is wrong with it, has none.
    """

    def __init__(self, vault: Vault, *, tracking_url: str) -> None:
        self._vault = vault
        self._tracking_url = tracking_url
        self._senders: dict[int, Sender] = {}

    def __contains__(self, mailbox_id: int) -> bool:
        return mailbox_id in self._senders

    def __getitem__(self, mailbox_id: int) -> Sender:
        return self._senders[mailbox_id]

    async def refresh(self, db: Db, edited_at: Mapping[int, datetime]) -> None:
        """Read what is new or was edited of these mailboxes."""
        stale = [
            mailbox_id
            for mailbox_id, updated_at in edited_at.items()
            if mailbox_id not in self._senders or self._senders[mailbox_id].mailbox.updated_at != updated_at
        ]
        for mailbox in await store.list_mailboxes(db, stale) if stale else ():
            self._senders.pop(mailbox.id, None)
            try:
                self._senders[mailbox.id] = self._make(mailbox)
            except Exception:  # one broken mailbox never stops the others
                log.exception("a mailbox cannot be used", mailbox_id=mailbox.id)

    def _make(self, mailbox: Mailbox) -> Sender:
        own_host = host_of(mailbox.custom_tracking_domain) if mailbox.is_tracking_domain_valid else None
        return Sender(
            mailbox=mailbox,
            server=servers.smtp_server(mailbox, self._vault),
            skeleton=Skeleton.build(
                from_address=mailbox.from_email,
                from_name=mailbox.from_name,
                reply_to=_addresses(mailbox.different_reply_to_address),
            ),
            domain=address.domain_of(mailbox.from_email),
            tracking_url=f"https://{own_host}" if own_host else self._tracking_url,
            values=sender_values(mailbox.from_name, mailbox.from_email, signature=mailbox.signature or ""),
            bcc=_addresses(mailbox.bcc_email),
            mailto=f"mailto:{quote(mailbox.from_email, safe='@+')}",
        )


def _addresses(typed: str | None) -> tuple[str, ...]:
    """As people type them, with any separator."""
    return tuple(map(str, address.parse_address_list(typed or "")))
