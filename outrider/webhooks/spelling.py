"""How payloads spell times and Message-IDs (contract: webhooks §5). The other form of a time: `kit.replies.written`."""

from datetime import UTC, datetime

from outrider.mail.message_id import bracketed


def offset_time(time: datetime) -> str:
    """`2026-03-30T09:58:40.311+00:00`, without a fraction on the full second."""
    time = time.astimezone(UTC)
    milliseconds = time.microsecond // 1000
    return time.isoformat(timespec="milliseconds" if milliseconds else "seconds")


def identifier(message_id: str | None) -> str | None:
    return None if message_id is None else bracketed(message_id)
