"""What servers answer to SELECT, SEARCH, FETCH and APPEND, as values (RFC 9051 §7).

The library gives an answer as a flat list of lines; a literal is a bytearray after the line that announces it.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from itertools import pairwise

Lines = Sequence[bytes | bytearray]

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_NUMBER = re.compile(rb"\d{1,10}")  # RFC 9051 §9: 32 bits
_OTHER_NEWS = re.compile(rb"^\d+ [A-Z]+", re.IGNORECASE)  # 5 EXPUNGE, 3 FETCH (…), 9 EXISTS (RFC 9051 §7.5)
_FETCH = re.compile(rb"^\d+ FETCH \(", re.IGNORECASE)
_UID = re.compile(rb"\bUID (\d{1,10})\b", re.IGNORECASE)
_SIZE = re.compile(rb"\bRFC822\.SIZE (\d{1,15})\b", re.IGNORECASE)
_FLAGS = re.compile(rb"\bFLAGS \(([^)]*)\)", re.IGNORECASE)
_INTERNAL_DATE = re.compile(
    rb'\bINTERNALDATE "\s?(\d{1,2})-([A-Za-z]{3})-(\d{4}) (\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)"', re.IGNORECASE
)
_BODY_FOLLOWS = re.compile(rb"\bBODY\[\](?:<\d+>)? \{\d+\}$", re.IGNORECASE)
_BODY_QUOTED = re.compile(rb'\bBODY\[\](?:<\d+>)? "((?:[^"\\]|\\.)*)"', re.IGNORECASE)
_ESCAPED = re.compile(rb"\\(.)")


@dataclass(frozen=True, slots=True)
class Fetched:
    uid: int
    internal_date: datetime | None  # when the server got it, UTC
    flags: frozenset[str]
    raw: bytes = field(repr=False)
    size: int = 0  # as the server counts; more than `raw` has if that was cut
    is_cut: bool = False  # `raw` is only the beginning
    is_broken: bool = False  # the server gave more than it had announced: `raw` is not all of it


def status_number(lines: Lines, name: str) -> int | None:
    """UIDVALIDITY or UIDNEXT in the answer to SELECT or STATUS."""
    pattern = re.compile(rb"\b" + name.encode("ascii") + rb" (\d{1,10})\b", re.IGNORECASE)
    found = next((match for match in map(pattern.search, map(bytes, lines)) if match), None)
    return int(found[1]) if found else None


def search_result(lines: Lines) -> list[int]:
    """The numbers of one or more SEARCH lines, ascending; what else the server says meanwhile is left out."""
    found = (bytes(line).split(b"(")[0] for line in lines if not _OTHER_NEWS.match(bytes(line)))
    return sorted({int(word) for line in found for word in line.split() if _NUMBER.fullmatch(word)})


def appended_uid(text: bytes) -> int | None:
    """`[APPENDUID 1 42] done` (RFC 4315)."""
    found = re.search(rb"\[APPENDUID \d+ (\d{1,10})\]", text, re.IGNORECASE)
    return int(found[1]) if found else None


def sizes(lines: Lines) -> dict[int, int]:
    """UID and size of each message of a FETCH answer."""
    return {int(uid[1]): int(size[1]) for uid, size in _both(lines) if uid and size}


def dates(lines: Lines) -> dict[int, datetime]:
    """UID and the moment of receipt of each message of a FETCH answer."""
    found = ((_UID.search(words), _internal_date(words)) for words in map(_words, _groups(lines)))
    return {int(uid[1]): date for uid, date in found if uid and date}


def messages(lines: Lines) -> list[Fetched]:
    """The messages of a FETCH answer that have a UID and a body; what else the server says is left out."""
    found = (_message(group) for group in _groups(lines))
    return sorted((message for message in found if message is not None), key=lambda message: message.uid)


def _both(lines: Lines) -> Iterator[tuple[re.Match[bytes] | None, re.Match[bytes] | None]]:
    for group in _groups(lines):
        words = _words(group)
        yield _UID.search(words), _SIZE.search(words)


def _groups(lines: Lines) -> Iterator[list[bytes | bytearray]]:
    """The lines and literals of each message."""
    group: list[bytes | bytearray] = []
    for line in lines:
        if isinstance(line, bytes) and _FETCH.match(line):
            if group:
                yield group
            group = []
        group.append(line)
    if group:
        yield group


def _message(group: Sequence[bytes | bytearray]) -> Fetched | None:
    words = _words(group)
    uid, body = _UID.search(words), _body(group)
    if uid is None or body is None:
        return None
    flags, size = _FLAGS.search(words), _SIZE.search(words)
    return Fetched(
        uid=int(uid[1]),
        internal_date=_internal_date(words),
        flags=frozenset(flags[1].decode("ascii", "replace").split()) if flags else frozenset(),
        raw=body,
        size=int(size[1]) if size else len(body),
        is_broken=not _ends_well(group),
    )


def _words(group: Sequence[bytes | bytearray]) -> bytes:
    """All but the literals."""
    return b" ".join(line for line in group if isinstance(line, bytes))


def _body(group: Sequence[bytes | bytearray]) -> bytes | None:
    for line, following in zip(group, [*group[1:], b""], strict=True):
        if isinstance(line, bytes) and isinstance(following, bytearray) and _BODY_FOLLOWS.search(line):
            return bytes(following)
    quoted = _BODY_QUOTED.search(_words(group))
    return _ESCAPED.sub(rb"\1", quoted[1]) if quoted else None


def _ends_well(group: Sequence[bytes | bytearray]) -> bool:
    """After a literal the list goes on or is closed; else the body was longer than the server had announced."""
    after = [line for before, line in pairwise(group) if isinstance(before, bytearray)]
    return all(bytes(line).rstrip().endswith((b")", b"}")) for line in after)


def _internal_date(words: bytes) -> datetime | None:
    found = _INTERNAL_DATE.search(words)
    month = found[2].decode("ascii").lower() if found else ""
    if not found or month not in _MONTHS:
        return None
    day, year, hour, minute, second, zone_hours, zone_minutes = map(int, found.group(1, 3, 4, 5, 6, 8, 9))
    offset = timedelta(hours=zone_hours, minutes=zone_minutes)
    zone = timezone(-offset if found[7] == b"-" else offset) if offset < timedelta(hours=24) else UTC
    try:
        return datetime(year, _MONTHS.index(month) + 1, day, hour, minute, second, tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def search_date(day: date) -> str:
    """A date for SEARCH (RFC 9051 §9)."""
    return f"{day.day}-{_MONTHS[day.month - 1].title()}-{day.year:04}"


def internal_date(when: datetime) -> str:
    """A date-time for APPEND (RFC 9051 §9)."""
    utc = when.astimezone(UTC)
    return f'"{utc.day:02}-{_MONTHS[utc.month - 1].title()}-{utc.year:04} {utc:%H:%M:%S} +0000"'
