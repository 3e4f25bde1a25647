"""An entry of the block list, how one is spelled, and what can be wrong."""

from dataclasses import dataclass
from datetime import datetime

from outrider.kit.errors import NotFound
from outrider.mail.address import InvalidAddress, canonical_domain, parse_address


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
    entry = entry.rpartition("://")[2].removeprefix("mailto:")
    entry = entry.partition("/")[0].partition("?")[0].removeprefix("@").removeprefix("*.")
    try:
        if "@" in entry:
            address = parse_address(entry)
            return address.key if address.has_public_domain else None
        domain = canonical_domain(entry.partition(":")[0].removeprefix("www."))
    except InvalidAddress:
        return None
    return domain if "." in domain else None


def blocking_entries(email: str) -> list[str]:
    """All entries that would block an address: itself, its domain and the domains above it."""
    labels = email.rpartition("@")[2].split(".")
    return [email, *(".".join(labels[start:]) for start in range(len(labels) - 1))]
