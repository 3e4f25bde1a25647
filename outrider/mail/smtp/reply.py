"""Replies of an SMTP server: read line by line as bytes arrive, within bounds (RFC 5321 §4.2, RFC 2034)."""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from outrider.kit.plain import plain

MAX_LINE_OCTETS = 4096  # RFC 5321 §4.5.3.1.5 says 512; servers with long explanations exist
MAX_LINES = 200
USUAL_SIZE = 400  # octets received at once that are worth remembering
MAX_REPLY_TEXT = 1000  # characters kept of what a server says

_LINE = re.compile(r"([2-5]\d\d)(?:[ -](.*))?", re.DOTALL)
_ENHANCED = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?:[ \t]+|$)")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


class MalformedReply(ValueError):
    """Not the language of SMTP, or too long to be."""


@plain(frozen=True, slots=True)
class Reply:
    code: int
    enhanced_code: str | None
    lines: tuple[str, ...]  # without codes

    @property
    def text(self) -> str:
        return " ".join(line for line in self.lines if line)[:MAX_REPLY_TEXT]

    def __str__(self) -> str:
        """As a person would quote it."""
        return " ".join(filter(None, (str(self.code), self.enhanced_code, self.text)))

    @property
    def is_positive(self) -> bool:
        return 200 <= self.code < 300  # noqa: PLR2004 - RFC 5321 §4.2.1

    @property
    def is_refusal(self) -> bool:
        return self.code >= 400  # noqa: PLR2004


class ReplyParser:
    """Collects bytes and gives whole replies; after MalformedReply nothing that follows can be trusted."""

    def __init__(self) -> None:
        self._pending = b""
        self._begun: list[bytes] = []  # lines of a reply that goes on

    @property
    def is_between_replies(self) -> bool:
        return not self._pending and not self._begun

    def feed(self, received: bytes) -> Iterable[Reply]:
        """Replies before the malformed one are still given."""
        if len(received) <= USUAL_SIZE and self.is_between_replies:
            replies = _known(received)
            if replies is not None:
                return replies
        return self._read(received)

    def _read(self, received: bytes) -> Iterator[Reply]:
        *complete, self._pending = (self._pending + received).split(b"\n")
        for line in complete:
            if line[3:4] == b"-":
                self._begin(line)
                continue
            reply = _read_reply(tuple(self._begun), line)
            self._begun.clear()
            yield reply
        if len(self._pending) > MAX_LINE_OCTETS:
            raise MalformedReply("a line without end")

    def _begin(self, line: bytes) -> None:
        self._begun.append(line)
        if len(self._begun) > MAX_LINES or len(line) > MAX_LINE_OCTETS:
            raise MalformedReply("a reply without end")


def _read_reply(begun: tuple[bytes, ...], last: bytes) -> Reply:
    """The last line's code counts."""
    codes, lines = zip(*map(_read_line, (*begun, last)), strict=True)
    enhanced = _ENHANCED.match(lines[0])
    if enhanced is None:
        return Reply(codes[-1], None, lines)
    # The enhanced code may stand on every line (RFC 2034 §4).
    return Reply(codes[-1], enhanced[1], tuple(_ENHANCED.sub("", line, count=1) for line in lines))


@lru_cache(maxsize=256)
def _known(received: bytes) -> tuple[Reply, ...] | None:
    """A server says the same few things to every mail. None: something is malformed, or begins and does not end."""
    parser = ReplyParser()
    try:
        replies = tuple(parser._read(received))  # noqa: SLF001 - it is of this module
    except MalformedReply:
        return None
    return replies if parser.is_between_replies else None


def _read_line(octets: bytes) -> tuple[int, str]:
    line = _LINE.fullmatch(octets[: MAX_LINE_OCTETS + 1].decode("utf-8", "replace").rstrip("\r"))
    if line is None or len(octets) > MAX_LINE_OCTETS:
        raise MalformedReply("not a reply")
    return int(line[1]), _UNPRINTABLE.sub(" ", line[2] or "").strip()
