"""A mail world on loopback: an SMTP and an IMAP server, and people who open, click, answer and bounce.

Used by the demo, by our tests, and by anyone who wants a mail sink (`outrider sandbox`, docs/how-to).
It knows nothing of the product and shares no code with its mail layer: what it counts is the independent truth.

The sender's mailboxes are added with `Sandbox.add_mailbox`; every other address is a person whose `Behaviour` is drawn
from `People` by seed and address, or set by hand. People act after delays on the given clock: real HTTP requests to
this machine, real replies and delivery reports into the mailbox's INBOX. `Sandbox.tally` counts, `Sandbox.faults` makes
the servers fail on demand, `Sandbox.settle` waits until everybody has done everything. All is kept in memory.

    mails    one received mail                     smtp, imap, accounts   the servers
    people   behaviours, probabilities, pace       faults                 trouble at a chosen moment
    plan     what somebody makes of a mail, when   letters, bounces       what comes back, and its phrases
    crowd    does it, with a browser               tally                  acts, counts, duplicates
    sandbox  all of it together                    server                 the command `outrider sandbox`
"""

from outrider.sandbox.faults import LOGIN_BUSY, QUOTA_EXCEEDED, SERVICE_CLOSING, Fault, Moment
from outrider.sandbox.mails import ReceivedMail
from outrider.sandbox.people import (
    AT_ONCE,
    GREYLISTED,
    MAILBOX_FULL,
    NO_SUCH_USER,
    SPAM_POLICY,
    Behaviour,
    Language,
    Pace,
    People,
    Refusal,
    ReplyKind,
    UnsubscribeBy,
)
from outrider.sandbox.sandbox import PortInUse, Sandbox, Tls
from outrider.sandbox.server import SandboxOptions, UnreadableOption, read_mailbox, read_people, serve_sandbox
from outrider.sandbox.tally import Act, ActKind, Counts, Duplicate, Tally, by_text, steps_by_phrase

__all__ = [
    "AT_ONCE",
    "GREYLISTED",
    "LOGIN_BUSY",
    "MAILBOX_FULL",
    "NO_SUCH_USER",
    "QUOTA_EXCEEDED",
    "SERVICE_CLOSING",
    "SPAM_POLICY",
    "Act",
    "ActKind",
    "Behaviour",
    "Counts",
    "Duplicate",
    "Fault",
    "Language",
    "Moment",
    "Pace",
    "People",
    "PortInUse",
    "ReceivedMail",
    "Refusal",
    "ReplyKind",
    "Sandbox",
    "SandboxOptions",
    "Tally",
    "Tls",
    "UnreadableOption",
    "UnsubscribeBy",
    "by_text",
    "read_mailbox",
    "read_people",
    "serve_sandbox",
    "steps_by_phrase",
]
