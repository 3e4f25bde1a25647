"""Submitting mail (RFC 6409, 5321): ours, because outcomes are values and pipelining is worth a factor of ten.

`reply` and `channel` are the wire, `session` opens it, `envelope` is what is submitted, `connection` submits it,
`outcome` is what became of it, `submitter` keeps connections open, `check` tries a log-in.
"""

from outrider.mail.codes import Reason, Scope
from outrider.mail.server import CheckResult, Server, TlsMode
from outrider.mail.smtp.check import check
from outrider.mail.smtp.connection import Connection, Submission
from outrider.mail.smtp.envelope import Envelope
from outrider.mail.smtp.outcome import Accepted, Deferred, Outcome, Rejected, Unknown
from outrider.mail.smtp.session import SessionRefused, Timeouts
from outrider.mail.smtp.submitter import Submitter

__all__ = [
    "Accepted",
    "CheckResult",
    "Connection",
    "Deferred",
    "Envelope",
    "Outcome",
    "Reason",
    "Rejected",
    "Scope",
    "Server",
    "SessionRefused",
    "Submission",
    "Submitter",
    "Timeouts",
    "TlsMode",
    "Unknown",
    "check",
]
