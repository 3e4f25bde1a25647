"""The names a text may use and what stands behind them for one lead (product behaviour 3.1, 2.4)."""

import re
from collections.abc import Mapping
from functools import lru_cache
from unicodedata import normalize

from markupsafe import Markup

STANDARD_FIELDS = frozenset(
    {
        "first_name",
        "last_name",
        "email",
        "phone_number",
        "company_name",
        "website",
        "location",
        "linkedin_profile",
        "company_url",
    },
)
UNSUBSCRIBE_TEXT = "unsubscribe-text"
SENDER_FIELDS = frozenset(
    {
        "signature",
        "sender-firstname",
        "sender-lastname",
        "sender-name",
        "sender-email",
        "sender-domain",
        UNSUBSCRIBE_TEXT,
    },
)
_EXACT = 2.0**53  # above, a float has no digits after the point anyway
_SEPARATORS = re.compile(r"[\s_-]+")


@lru_cache(maxsize=8192)
def fold(name: str) -> str:
    """The form in which names are compared: without case, with one separator for spaces, dashes and underscores."""
    if not name.isascii():
        name = normalize("NFC", name)
    return _SEPARATORS.sub("_", name.strip()).casefold()


_FOLDED_SENDER_FIELDS = frozenset(fold(name) for name in SENDER_FIELDS)


class Values(dict[str, object]):
    """What one mail is filled with, by name. Blank values are as good as absent."""

    __slots__ = ()

    def find(self, name: str, folded: str) -> object | None:
        """The value of this very name, else of a name that differs in case and separators only."""
        value = self.get(name)
        if not is_blank(value):
            return value
        for spelling in _spellings(tuple(self)).get(folded, ()):
            value = self[spelling]
            if not is_blank(value):
                return value
        return None


@lru_cache(maxsize=512)  # the leads of a campaign mostly have the same fields
def _spellings(names: tuple[str, ...]) -> dict[str, list[str]]:
    """The names that are the same to a reader, those that are not a lead's own first."""
    spellings: dict[str, list[str]] = {}
    for name in sorted(names, key=lambda name: name not in STANDARD_FIELDS | SENDER_FIELDS):
        spellings.setdefault(fold(name), []).append(name)
    return spellings


def mail_values(
    lead: Mapping[str, object],
    *,
    custom: Mapping[str, object] | None = None,
    sender: Mapping[str, object] | None = None,
    unsubscribe_text: str = "",
) -> Values:
    """The values of one mail: a lead's standard fields beat its custom ones, the sender's tokens beat both."""
    values = Values(custom or {})
    for name, value in lead.items():
        if not is_blank(value):
            values[name] = value
    if sender:
        values.update(sender)
    values[UNSUBSCRIBE_TEXT] = unsubscribe_text
    return values


def sender_values(name: str, email: str, *, signature: str = "") -> dict[str, object]:
    """The tokens of a mailbox; the signature is HTML that its owner wrote. The same for all its mails."""
    words = name.split()
    return {
        "sender-name": " ".join(words),
        "sender-firstname": words[0] if words else "",
        "sender-lastname": " ".join(words[1:]),
        "sender-email": email,
        "sender-domain": email.rpartition("@")[2],
        "signature": Markup(signature),  # noqa: S704 # the owner's own HTML, not a lead's
    }


def is_sender_field(name: str) -> bool:
    """Whether a mailbox, not a lead, gives the value."""
    return fold(name) in _FOLDED_SENDER_FIELDS


def is_blank(value: object) -> bool:
    return value is None or (isinstance(value, str) and (not value or value.isspace()))  # makes no other text


def as_text(value: object) -> str:
    """A value as it stands in a mail; HTML that is marked as such stays marked."""
    if isinstance(value, str):
        return value.strip()
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT:
        return str(int(value))  # other programs write 3 as 3.0
    if isinstance(value, list | tuple):
        return ", ".join(as_text(item) for item in value)
    return str(value)
