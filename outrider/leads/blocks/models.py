"""An entry of the block list, how one is spelled, and what can be wrong."""

import re
from dataclasses import dataclass
from datetime import datetime

from outrider.kit.errors import NotFound
from outrider.leads.emails import email_key
from outrider.mail.address import InvalidAddress, canonical_domain

_BEFORE_DOMAIN = re.compile(r"^(?:@|\*\.|www\.)+")


class BlockEntryNotFound(NotFound):
    """Block list entry not found"""


@dataclass(frozen=True, slots=True)
class BlockEntry:
    id: int
    user_id: int
    client_id: int | None
    email_or_domain: str
    source: str
    created_at: datetime


def normalised_entry(text: str) -> str | None:
    """The spelling that is stored of an address or a domain, however it was copied; None if it is neither.

    Contract: leads, Add Lead/Domain to Global Block List.
    """
    entry = text.strip().lower()
    if entry.startswith("mailto:"):
        return email_key(entry.removeprefix("mailto:").partition("?")[0])
    if "@" in entry[1:] and "://" not in entry:
        return email_key(entry)
    host = entry.rpartition("://")[2].partition("/")[0].partition("?")[0].partition(":")[0]
    try:
        domain = canonical_domain(_BEFORE_DOMAIN.sub("", host))
    except InvalidAddress:
        return None
    return domain if "." in domain and not domain.startswith("[") else None


def blocking_entries(email: str) -> list[str]:
    """All entries that would block an address: itself, its domain and the domains above it."""
    labels = email.rpartition("@")[2].split(".")
    return [email, *(".".join(labels[start:]) for start in range(len(labels) - 1))]
