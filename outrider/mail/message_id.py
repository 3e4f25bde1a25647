"""Message-IDs and lists of them (RFC 5322 §3.6.4). Canonical = without the angle brackets, as it is stored."""

import re
from uuid import UUID

MAX_MESSAGE_ID = 900  # it has to fit into one header line of 998 octets (RFC 5322 §2.1.1)
MAX_REFERENCES = 200  # of a hostile or very long thread the beginning and the end are kept

_BRACKETED = re.compile(r"<([^<>]{1,2000})>")
_CANONICAL = re.compile(r"[!-;=?-~]+")  # printable ASCII but the brackets
_SPACE = re.compile(r"\s+")


def make_message_id(unique: UUID | str, domain: str) -> str:
    """The canonical Message-ID of a mail of ours: `{stats_id}@{domain of the mailbox}` (product behaviour 2.2)."""
    return f"{unique}@{domain}"


def bracketed(message_id: str) -> str:
    return f"<{message_id}>"


def canonical(header: str) -> str | None:
    """The first Message-ID of a header's value; bare ones, which some programs write, are read too."""
    found = parse_references(header)
    return found[0] if found else None


def is_canonical(message_id: str) -> bool:
    """Whether it can be written into a header as it is."""
    return len(message_id) <= MAX_MESSAGE_ID and _CANONICAL.fullmatch(message_id) is not None


def parse_references(header: str) -> tuple[str, ...]:
    """All Message-IDs of a References or In-Reply-To header in their order, each once; what is none is left out."""
    # Relays fold long identifiers in the middle: white space inside the brackets is not part of them.
    candidates = [_SPACE.sub("", found) for found in _BRACKETED.findall(header)]
    if not candidates:
        candidates = [word for word in header.split() if "@" in word]
    return _bounded(dict.fromkeys(candidate for candidate in candidates if is_canonical(candidate)))


def _bounded(message_ids: dict[str, None]) -> tuple[str, ...]:
    """The first names the thread, the last ones the mail that is answered."""
    kept = tuple(message_ids)
    if len(kept) <= MAX_REFERENCES:
        return kept
    return kept[:1] + kept[1 - MAX_REFERENCES :]
