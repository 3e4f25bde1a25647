"""Reading mail (RFC 9051, 3501) on aioimaplib: a session per mailbox that waits for mail and notices every loss.

`protocol` is the wire, `opening` logs in, `connection` asks, `answers` and `folders` read what comes back, `session` is
what others use, `check` tries a log-in, `errors` is all that can go wrong.
"""

from outrider.mail.imap.answers import Fetched
from outrider.mail.imap.check import check
from outrider.mail.imap.connection import Timeouts
from outrider.mail.imap.errors import (
    CommandRefused,
    ConnectionLost,
    ImapError,
    LoginRefused,
    NoSuchFolder,
    ServerBusy,
    TimedOut,
    Unreachable,
)
from outrider.mail.imap.folders import Folder, FolderRole
from outrider.mail.imap.session import Selected, Session, Wake

__all__ = [
    "CommandRefused",
    "ConnectionLost",
    "Fetched",
    "Folder",
    "FolderRole",
    "ImapError",
    "LoginRefused",
    "NoSuchFolder",
    "Selected",
    "ServerBusy",
    "Session",
    "TimedOut",
    "Timeouts",
    "Unreachable",
    "Wake",
    "check",
]
