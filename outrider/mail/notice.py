"""Notices of failed mail that are written for people: who wrote them, about which address, and why it failed.

For servers that send no report of RFC 3464 (`dsn`). Patterns: `rules/bounces.toml`; second opinion: flufl.bounce.
"""

import logging
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from flufl.bounce import all_failures

from outrider.mail.address import InvalidAddress, normalise
from outrider.mail.body import lenient
from outrider.mail.parse import Incoming
from outrider.mail.text import html_to_text

# It logs a traceback for each mail that one of its detectors cannot read.
logging.getLogger("flufl.bounce").setLevel(logging.CRITICAL)

MAX_TEXT = 100_000  # characters
MAX_NOTICE = 20_000  # of them that are the server's own
MAX_SECOND_OPINION = 50_000  # bytes; flufl.bounce looks at each line some sixty times
MAX_RECIPIENTS = 50
MAX_NAME = 200

_ENHANCED_CODE = re.compile(r"(?<![\d.])[245]\.\d{1,3}\.\d{1,3}(?![\d.]*\d)")  # RFC 3463 §2; no IP address
_REPLY_CODE = re.compile(r"(?<![\d.:#])([45]\d\d)(?=[ \-#,;])")
_ADDRESS = re.compile(r"[^\s<>,;:\"()]+@[^\s<>,;:\"()]+")
_BETWEEN_PARAGRAPHS = re.compile(r"\n[ \t]*\n")
_SPACE = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Notice:
    recipient: str | None
    reason: str  # in the words of the notice
    is_late: bool  # not delivered yet; the server goes on trying


def read_notices(incoming: Incoming) -> list[Notice]:
    """What a notice says, per address; nothing if it is none."""
    text = notice_text(incoming)
    if not _is_notice(incoming, text):
        return []
    is_late = _rules().delays.search(f"{incoming.subject}\n{text}") is not None
    return [Notice(address, words_about(text, address), is_late) for address in _failed(incoming, text)]


def whole_text(incoming: Incoming) -> str:
    text = incoming.text if incoming.text is not None else html_to_text(incoming.html or "")
    return text[:MAX_TEXT]


def notice_text(incoming: Incoming) -> str:
    """The server's own words, without the copy of our mail."""
    text = whole_text(incoming)
    copy = _rules().copies.search(text)
    return (text[: copy.start()] if copy else text)[:MAX_NOTICE]


def words_about(text: str, address: str | None) -> str:
    """The reason: the first paragraph after the address that has an answer of a server, or else the first one."""
    start = text.lower().find(address.lower()) if address else -1
    about = text[start + len(address) :] if address and start >= 0 else text
    paragraphs = [_SPACE.sub(" ", block).strip(" <>:.,;") for block in _BETWEEN_PARAGRAPHS.split(about)]
    telling = [block for block in paragraphs if find_reply_code(block) or find_enhanced_code(block)]
    return next(iter(telling or filter(None, paragraphs)), "")


def find_enhanced_code(text: str) -> str | None:
    found = _ENHANCED_CODE.search(text)
    return found[0] if found else None


def find_reply_code(text: str) -> int | None:
    found = _REPLY_CODE.search(text)
    return int(found[1]) if found else None


def read_address(text: str) -> str | None:
    try:
        return normalise(text.strip().strip("<>"))
    except InvalidAddress:
        return None


def _is_notice(incoming: Incoming, text: str) -> bool:
    """Whether a program writes, and writes about a failure."""
    if "X-Failed-Recipients" in incoming.headers:
        return True
    localpart = (incoming.from_address or "").partition("@")[0]
    senders = _rules().senders
    is_program = senders.fullmatch(localpart) or senders.fullmatch(incoming.from_name[:MAX_NAME])
    # Vacation programs use the null sender too (RFC 3834 §3.3), and "cannot be reached" is what they say of people.
    is_vacation = (incoming.headers.get("Auto-Submitted") or "").lower().startswith("auto-replied")
    is_bounce = incoming.headers.get("Return-Path") == "<>" and not is_vacation
    said = f"{incoming.subject}\n{text}"
    return bool(is_program or is_bounce) and bool(_rules().failures.search(said) or _rules().delays.search(said))


def _failed(incoming: Incoming, text: str) -> list[str | None]:
    """The addresses a notice is about; [None] if it does not say."""
    ours = {person.address.lower() for person in (*incoming.to, *incoming.authors)}
    for candidates in _candidates(incoming, text):
        addresses = {address: None for address in map(read_address, candidates) if address}
        failed: list[str | None] = [address for address in addresses if address.lower() not in ours]
        if failed:
            return failed[:MAX_RECIPIENTS]
    return [None]


def _candidates(incoming: Incoming, text: str) -> Iterator[list[str]]:
    """Addresses by what names them, the most certain first."""
    yield _ADDRESS.findall(incoming.headers.get("X-Failed-Recipients") or "")
    for pattern in _rules().recipients:
        yield [found["address"] for found in pattern.finditer(text)]
    if incoming.size > MAX_SECOND_OPINION:
        return
    nobody: frozenset[bytes] = frozenset()
    late, failed = lenient(lambda: all_failures(incoming.message), (nobody, nobody))
    yield [address.decode("ascii", "replace") for address in sorted(failed or late)]


@dataclass(frozen=True, slots=True)
class _Rules:
    senders: re.Pattern[str]
    failures: re.Pattern[str]
    delays: re.Pattern[str]
    copies: re.Pattern[str]
    recipients: tuple[re.Pattern[str], ...]


@cache
def _rules() -> _Rules:
    source = (files("outrider.mail") / "rules" / "bounces.toml").read_text(encoding="utf-8")
    notice = tomllib.loads(source)["notice"]
    return _Rules(
        senders=re.compile(notice["senders"], re.IGNORECASE),
        failures=re.compile("|".join(notice["failures"]), re.IGNORECASE),
        delays=re.compile("|".join(notice["delays"]), re.IGNORECASE),
        copies=re.compile(notice["copies"], re.IGNORECASE | re.MULTILINE),
        recipients=tuple(re.compile(pattern, re.IGNORECASE | re.MULTILINE) for pattern in notice["recipients"]),
    )
