"""What can go wrong between us and an IMAP server. The text of each is a sentence for the mailbox's owner.

ImapError
├── Unreachable        no connection: host name, port, firewall, TLS, certificate
├── LoginRefused       the credentials are wrong or may not be used: trying again does not help
├── ServerBusy         no log-in or no answer now; trying again later does
├── CommandRefused     the server answered NO or BAD to a command
├── NoSuchFolder       … to the choice of a folder
├── TimedOut           no answer in time; the connection is closed
└── ConnectionLost     the connection broke, or the server does not speak IMAP
"""


class ImapError(Exception):
    """The family. After any but CommandRefused and NoSuchFolder the session is of no more use."""


class Unreachable(ImapError):
    pass


class LoginRefused(ImapError):
    pass


class ServerBusy(ImapError):
    pass


class CommandRefused(ImapError):
    pass


class NoSuchFolder(CommandRefused):
    pass


class TimedOut(ImapError):
    pass


class ConnectionLost(ImapError):
    pass
