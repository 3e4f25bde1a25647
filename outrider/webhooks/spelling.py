"""How payloads spell times and Message-IDs (contract: webhooks §5). The other form of a time: `kit.replies.written`."""

from datetime import UTC, datetime

from outrider.mail.message_id import bracketed


def offset_time(time: datetime, *, always_milliseconds: bool = False) -> str:
    """`2026-03-30T09:58:40.311+00:00`, mostly without a fraction on the full second."""
    time = time.astimezone(UTC)
    has_fraction = always_milliseconds or time.microsecond >= 1000  # noqa: PLR2004 - a millisecond
    return time.isoformat(timespec="milliseconds" if has_fraction else "seconds")


def identifier(message_id: str | None) -> str | None:
    return None if message_id is None else bracketed(message_id)
