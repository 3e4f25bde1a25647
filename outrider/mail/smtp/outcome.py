"""What became of a mail that was to be submitted: one of four values. Nobody outside sees an SMTP exception.

Unknown means: the final dot was or may have been sent and no answer came. Such a mail is never sent again by itself.
"""

from outrider.kit.plain import plain
from outrider.mail.codes import Command, Reason, Scope, classify, is_transient
from outrider.mail.smtp.reply import Reply


@plain(frozen=True, slots=True)
class Accepted:
    """The server has taken the mail (RFC 5321 §4.2.5). `refused`: further recipients it did not want."""

    reply_code: int
    enhanced_code: str | None
    text: str
    refused: tuple[str, ...] = ()


@plain(frozen=True, slots=True)
class _NotAccepted:
    reply_code: int | None
    enhanced_code: str | None
    text: str
    scope: Scope
    reason: Reason


@plain(frozen=True, slots=True)
class Deferred(_NotAccepted):
    """Certainly not taken; it may be tried again."""


@plain(frozen=True, slots=True)
class Rejected(_NotAccepted):
    """Certainly not taken, and it will not be as it is."""


@plain(frozen=True, slots=True)
class Unknown(_NotAccepted):
    """Perhaps taken."""


Outcome = Accepted | Deferred | Rejected | Unknown


def refused(reply: Reply, command: Command) -> Deferred | Rejected:
    verdict = classify(reply.code, reply.enhanced_code, reply.text, command=command)
    kind = Deferred if is_transient(reply.code) else Rejected
    return kind(reply.code, reply.enhanced_code, str(reply), verdict.scope, verdict.reason)


def disconnected(text: str, reason: Reason = Reason.UNREACHABLE) -> Deferred:
    """The connection failed before the content was complete."""
    return Deferred(None, None, text, Scope.CONNECTION, reason)


def in_doubt(text: str, reply: Reply | None = None) -> Unknown:
    code, enhanced = (reply.code, reply.enhanced_code) if reply else (None, None)
    return Unknown(code, enhanced, text, Scope.CONNECTION, Reason.UNREACHABLE)


def unfit(text: str, scope: Scope, reason: Reason) -> Rejected:
    """Nothing was sent, because this server could not have taken it."""
    return Rejected(None, None, text, scope, reason)
