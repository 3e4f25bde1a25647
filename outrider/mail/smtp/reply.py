"""Replies of an SMTP server: read line by line as bytes arrive, within bounds (RFC 5321 §4.2, RFC 2034)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

MAX_LINE_OCTETS = 4096  # RFC 5321 §4.5.3.1.5 says 512; servers with long explanations exist
MAX_LINES = 200
MAX_REPLY_TEXT = 1000  # characters kept of what a server says

_LINE = re.compile(r"([2-5]\d\d)(?:([ -])(.*))?", re.DOTALL)
_ENHANCED = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?:[ \t]+|$)")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


class MalformedReply(ValueError):
    """Not the language of SMTP, or too long to be."""


@dataclass(frozen=True, slots=True)
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
        self._lines: list[str] = []

    @property
    def is_between_replies(self) -> bool:
        return not self._pending and not self._lines

    def feed(self, received: bytes) -> Iterator[Reply]:
        """Replies before the malformed one are still given."""
        *complete, self._pending = (self._pending + received).split(b"\n")
        for line in complete:
            reply = self._take(line)
            if reply is not None:
                yield reply
        if len(self._pending) > MAX_LINE_OCTETS:
            raise MalformedReply("a line without end")

    def _take(self, octets: bytes) -> Reply | None:
        line = _LINE.fullmatch(octets[: MAX_LINE_OCTETS + 1].decode("utf-8", "replace").rstrip("\r"))
        if line is None or len(octets) > MAX_LINE_OCTETS:
            raise MalformedReply("not a reply")
        code, continued, text = line.groups()
        self._lines.append(_UNPRINTABLE.sub(" ", text or "").strip())
        if continued == "-":
            if len(self._lines) > MAX_LINES:
                raise MalformedReply("a reply without end")
            return None
        lines, self._lines = self._lines, []
        return _reply(int(code), lines)


def _reply(code: int, lines: list[str]) -> Reply:
    """The enhanced code may stand on every line (RFC 2034 §4)."""
    enhanced = _ENHANCED.match(lines[0])
    if enhanced is None:
        return Reply(code, None, tuple(lines))
    return Reply(code, enhanced[1], tuple(_ENHANCED.sub("", line, count=1) for line in lines))
