"""Answers no person wrote: out of office, receipts, and people who are gone.

RFC 3834 (headers) first, then subject and text in many languages. What counts as evidence: `rules/autoreplies.toml`.
Bounces are recognised before (`dsn`).
"""

import re
import tomllib
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from functools import cache
from importlib.resources import files

from outrider.mail.address import InvalidAddress, normalise
from outrider.mail.contact import find_named
from outrider.mail.parse import Correspondent, Headers, Incoming, local_date
from outrider.mail.patterns import AnyOf
from outrider.mail.quote import new_text
from outrider.mail.return_date import find_return_date

LOOKED_AT = 500  # characters of the new text
MAX_TEXT = 3_000  # in which dates and other people are looked for
MAX_CONTACTS = 5

_ADDRESS = re.compile(r"[A-Za-z0-9._%+'-]{1,64}@[A-Za-z0-9.-]{1,200}\.[A-Za-z]{2,24}")
_SPACE = re.compile(r"\s+")
_BEGIN = r"^[\s\[(*]{0,3}"  # of a subject
_LAST_YEAR = 2_500  # no calendar ends in an absence
_LATE, _EARLY = timedelta(days=60), timedelta(days=1)  # of the Date header, as against now


class AutoReplyKind(StrEnum):
    OUT_OF_OFFICE = "OUT_OF_OFFICE"
    RECEIPT = "RECEIPT"  # a ticket, a confirmation, a challenge, a read receipt: says nothing about the person
    GONE = "GONE"  # does not work there any more, or the address is not read


@dataclass(frozen=True, slots=True)
class AutoReply:
    kind: AutoReplyKind
    evidence: str  # the header or the words that gave it away
    return_date: date | None = None  # the end of the absence as given, the last day or the first one back
    contacts: tuple[str, ...] = ()  # addresses of others the text names
    replacement: Correspondent | None = None  # who may be written to instead; the name may be empty


def detect(incoming: Incoming, *, now: datetime | None = None) -> AutoReply | None:
    """What kind of machine answered; None if a person did, or nothing tells.

    The return date is read as seen by the author, on the day and in the zone of the mail; without one, from `now`.
    """
    text = new_text(incoming)[:MAX_TEXT]
    beginning = _SPACE.sub(" ", text[:LOOKED_AT])
    found = _classify(incoming, beginning)
    if found is None:
        return None
    kind, evidence = found
    contacts = () if kind is AutoReplyKind.RECEIPT else _contacts(incoming, text)
    today = _day_of(incoming, now) if kind is AutoReplyKind.OUT_OF_OFFICE else None
    return AutoReply(
        kind=kind,
        evidence=evidence,
        return_date=find_return_date(f"{incoming.subject}\n\n{text}", today=today) if today else None,
        contacts=contacts,
        replacement=find_named(text, contacts),
    )


def _day_of(incoming: Incoming, now: datetime | None) -> date | None:
    """The day it was written, where it was written; one that cannot be is not believed."""
    written_at = local_date(incoming.headers.get("Date") or "")
    if (
        written_at is None
        or written_at.year > _LAST_YEAR
        or (now is not None and not -_LATE <= written_at - now <= _EARLY)
    ):
        return now.date() if now else None
    return written_at.date()


def _classify(incoming: Incoming, beginning: str) -> tuple[AutoReplyKind, str] | None:
    rules = _rules()
    if _is_read_receipt(incoming):
        return AutoReplyKind.RECEIPT, "disposition-notification"
    by_subject = _first(rules.subjects, incoming.subject)
    by_body = _first(rules.bodies, beginning)
    told = _told(by_subject, by_body)
    automatic = rules.automatic_subject.search(incoming.subject)
    certain = rules.certain(incoming.headers)
    if certain:
        usual_kind, header = certain
        return told or (AutoReplyKind.OUT_OF_OFFICE if automatic else usual_kind), header
    if by_subject:
        return told or by_subject[0], by_subject[1]
    if automatic:
        return told or AutoReplyKind.OUT_OF_OFFICE, automatic[0]
    return by_body and _by_words(incoming, beginning, *by_body)


def _by_words(incoming: Incoming, beginning: str, kind: AutoReplyKind, words: str) -> tuple[AutoReplyKind, str] | None:
    """A person writes too that he is away, or that a colleague has left: it takes something more, and no word to us."""
    rules = _rules()
    hint = rules.hint(incoming.headers)
    if hint:
        return kind, f"{hint}; {words}"
    written_ahead = rules.automatic.search(beginning)
    if written_ahead and kind is AutoReplyKind.OUT_OF_OFFICE and not rules.personal.search(beginning):
        return kind, f"{written_ahead[0]}; {words}"
    return None


def _told(
    by_subject: tuple[AutoReplyKind, str] | None, by_body: tuple[AutoReplyKind, str] | None
) -> AutoReplyKind | None:
    """The kind by what is written: the text knows more than the subject above it, but for receipts."""
    if by_body and (by_subject is None or by_body[0] is not AutoReplyKind.RECEIPT):
        return by_body[0]
    return by_subject[0] if by_subject else None


def _first(
    patterns: tuple[tuple[AutoReplyKind, re.Pattern[str] | AnyOf], ...], text: str
) -> tuple[AutoReplyKind, str] | None:
    for kind, pattern in patterns:
        if found := pattern.search(text):
            return kind, found[0]
    return None


def _is_read_receipt(incoming: Incoming) -> bool:
    """RFC 8098 §3."""
    content_type = (incoming.headers.get("Content-Type") or "").lower()
    return content_type.startswith("multipart/report") and "disposition-notification" in content_type


def _contacts(incoming: Incoming, text: str) -> tuple[str, ...]:
    """The addresses of others, who may be written to instead."""
    known = {person.address.lower() for person in (*incoming.authors, *incoming.to, *incoming.cc, *incoming.reply_to)}
    found: dict[str, None] = {}
    for candidate in _ADDRESS.findall(text):
        try:
            address = normalise(candidate.strip(".'-"))
        except InvalidAddress:
            continue
        if address.lower() not in known:
            found[address] = None
    return tuple(found)[:MAX_CONTACTS]


@dataclass(frozen=True, slots=True)
class _Rules:
    certain_headers: tuple[tuple[str, re.Pattern[str], AutoReplyKind], ...]
    hints: tuple[tuple[str, re.Pattern[str]], ...]
    subjects: tuple[tuple[AutoReplyKind, re.Pattern[str]], ...]
    bodies: tuple[tuple[AutoReplyKind, AnyOf], ...]
    automatic: AnyOf
    automatic_subject: re.Pattern[str]
    personal: AnyOf

    def certain(self, headers: Headers) -> tuple[AutoReplyKind, str] | None:
        for name, pattern, kind in self.certain_headers:
            value = next(filter(pattern.search, headers.get_all(name)), None)
            if value is not None:
                return kind, f"{name}: {value[:80]}"
        return None

    def hint(self, headers: Headers) -> str | None:
        for name, pattern in self.hints:
            value = next(filter(pattern.search, headers.get_all(name)), None)
            if value is not None:
                return f"{name}: {value[:80]}"
        return None


@cache
def _rules() -> _Rules:
    rules = tomllib.loads((files("outrider.mail") / "rules" / "autoreplies.toml").read_text(encoding="utf-8"))
    kinds = (AutoReplyKind.GONE, AutoReplyKind.OUT_OF_OFFICE, AutoReplyKind.RECEIPT)  # the order they are tried in
    headers = rules["headers"]
    return _Rules(
        certain_headers=tuple((name, _compiled(text), AutoReplyKind(kind)) for name, text, kind in headers["certain"]),
        hints=tuple((name, _compiled(value)) for name, value in headers["hints"]),
        subjects=tuple((kind, _any_of(rules[kind]["subject"], begin=_BEGIN)) for kind in kinds),
        bodies=tuple((kind, AnyOf(rules[kind]["body"], re.IGNORECASE)) for kind in kinds),
        automatic=AnyOf(rules["automatic"]["body"], re.IGNORECASE),
        personal=AnyOf(rules["automatic"]["personal"], re.IGNORECASE),
        automatic_subject=_any_of(rules["automatic"]["subject"], begin=_BEGIN),
    )


def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


def _any_of(patterns: list[str], *, begin: str) -> re.Pattern[str]:
    return _compiled(f"{begin}(?:{'|'.join(patterns)})")
