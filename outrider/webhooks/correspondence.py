"""Who really answered, and whether that is the company the mail went to (contract: webhooks §7)."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from outrider.mail.address import InvalidAddress, domain_of, is_free_mail, normalise, registrable_domain
from outrider.webhooks.policy import Policy

SAME, DIFFERENT, UNKNOWN = "SameCompany", "DifferentCompany", "Unknown"
_TOP_LINES = 40
_FORWARDED_FROM = re.compile(r"[>\s]{0,9}\*?(?:From|Von|De|Van|Da|Från|Fra|Od|От)\*?\s?:\*?\s(?P<author>.{3,300})")
_ADDRESS = re.compile(r"[^\s<>()\[\],;:\"]+@[^\s<>()\[\],;:\"]+")


@dataclass(frozen=True, slots=True)
class Reply:
    """The headers of a reply that may name its author: canonical addresses."""

    authors: tuple[str, ...]
    sender: str | None
    reply_to: tuple[str, ...]
    text: str
    """The body, where a forwarded message shows its own header."""

    def candidates(self, own: Collection[str]) -> Iterator[str]:
        """Addresses that may be the author's, the most probable first; `own` are our mailboxes, in lower case."""
        if len(self.authors) == 1:
            yield self.authors[0]
        if self.sender:
            yield self.sender
        yield from self.reply_to
        is_from_us = len(self.authors) == 1 and self.authors[0].lower() in own
        forwarded = forwarded_author(self.text) if is_from_us else None
        if forwarded:
            yield forwarded

    def addresses(self) -> set[str]:
        """All that may have to be compared with our mailboxes, in lower case."""
        return {address.lower() for address in (*self.authors, *self.reply_to, self.sender) if address}


def forwarded_author(text: str) -> str | None:
    """The author in the header block of a forwarded message at the top of the body."""
    for line in text.splitlines()[:_TOP_LINES]:
        header = _FORWARDED_FROM.match(line)
        address = _ADDRESS.search(header["author"]) if header else None
        if address is None:
            continue
        try:
            return normalise(address[0])
        except InvalidAddress:
            continue
    return None


def correspondence(target: str, reply: Reply, own: Collection[str], policy: Policy) -> dict[str, str]:
    """The `leadCorrespondence` of a reply to a mail that went to `target`."""
    author = next((address for address in reply.candidates(own) if address.lower() not in own), None)
    return {
        "targetLeadEmail": target,
        "replyReceivedFrom": author or target,
        "repliedCompanyDomain": UNKNOWN if author is None else _relation(target, author, policy),
    }


def _relation(target: str, author: str, policy: Policy) -> str:
    if _without_tag(target) == _without_tag(author):
        return SAME
    target_domain, author_domain = _registrable(target), _registrable(author)
    if target_domain is None or author_domain is None:
        return UNKNOWN
    if target_domain == author_domain:
        return DIFFERENT if is_free_mail(target_domain, more=policy.free_mail) else SAME
    is_alias = any({target_domain, author_domain} <= company for company in policy.companies)
    return SAME if is_alias else DIFFERENT


def _without_tag(address: str) -> str:
    localpart, _, domain = address.lower().rpartition("@")
    return f"{localpart.partition('+')[0] or localpart}@{domain}"


def _registrable(address: str) -> str | None:
    try:
        return registrable_domain(domain_of(normalise(address)))
    except InvalidAddress:
        return None
