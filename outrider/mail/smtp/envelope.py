"""An envelope and what can be said of it before a byte is sent (RFC 5321 §3.3, RFC 1870, 6152, 6531)."""

import re
from functools import lru_cache
from io import IncrementalNewlineDecoder

from outrider.kit.plain import plain
from outrider.mail.codes import Reason, Scope
from outrider.mail.smtp.outcome import Rejected, unfit
from outrider.mail.smtp.session import Capabilities

# What would end the path or the line. Quoted localparts may hold spaces and brackets.
_PATH = re.compile(r'(?:[^\s<>"\x00-\x1f\x7f-\x9f]+|"[^\x00-\x1f\x7f-\x9f]*"@[^\s<>"\x00-\x1f\x7f-\x9f]+)')
_BARE_LINE_END = re.compile(rb"\r\n|\r|\n")
_SMUGGLED = b"\r\n."


@plain(frozen=True, slots=True)
class Envelope:
    """`recipients[0]` is the lead; the others are blind copies, whose refusal does not fail the mail."""

    sender: str  # NULL_SENDER for none
    recipients: tuple[str, ...]
    data: bytes  # CRLF lines, not dot-stuffed
    smtputf8: bool = False

    def __post_init__(self) -> None:
        if not self.recipients:
            raise ValueError("An envelope has at least one recipient.")

    @property
    def needs_smtputf8(self) -> bool:
        return self.smtputf8 or not "".join((self.sender, *self.recipients)).isascii()


def objection(envelope: Envelope, capabilities: Capabilities) -> Rejected | None:
    """Why this server cannot take it, if it is known beforehand."""
    lead, *copies = envelope.recipients
    if not _PATH.fullmatch(lead):
        return unfit("The recipient's address is not valid.", Scope.RECIPIENT, Reason.UNKNOWN_RECIPIENT)
    if not all(map(_is_path, copies)) or (envelope.sender and not _is_path(envelope.sender)):
        return unfit("The address of the sender or of a copy is not valid.", Scope.SENDER, Reason.SENDER_REFUSED)
    if capabilities.size and len(envelope.data) > capabilities.size:
        limit = f"{capabilities.size / 1_000_000:.1f} MB"
        return unfit(f"The mail is larger than the server takes ({limit}).", Scope.MESSAGE, Reason.TOO_LARGE)
    if envelope.needs_smtputf8:
        return None if capabilities.smtputf8 else _no_smtputf8(envelope)
    if not capabilities.eight_bit_mime and not envelope.data.isascii():
        return unfit("The server takes no 8-bit text.", Scope.MESSAGE, Reason.NOT_SUPPORTED)
    return None


@lru_cache(maxsize=4096)
def _is_path(address: str) -> bool:
    """Remembered: a mailbox and its copies are the same for all its mails."""
    return _PATH.fullmatch(address) is not None


def _no_smtputf8(envelope: Envelope) -> Rejected:
    scope = Scope.SENDER if not envelope.sender.isascii() else Scope.RECIPIENT
    return unfit("The mailbox's server takes no addresses with letters beyond ASCII.", scope, Reason.NOT_SUPPORTED)


def mail_command(envelope: Envelope, capabilities: Capabilities) -> bytes:
    line = f"MAIL FROM:<{envelope.sender}>"
    if capabilities.size is not None:
        line += f" SIZE={len(envelope.data)}"
    if envelope.needs_smtputf8:
        line += " BODY=8BITMIME SMTPUTF8"
    elif capabilities.eight_bit_mime and not envelope.data.isascii():
        line += " BODY=8BITMIME"
    return f"{line}\r\n".encode()


def recipient_command(address: str) -> bytes:
    return f"RCPT TO:<{address}>\r\n".encode()


def dot_stuffed(data: bytes) -> bytes:
    """The content as it goes over the wire, without the final dot (RFC 5321 §4.5.2).

    Bare CR or LF, which some servers take for line ends and others do not, become CRLF: no text can smuggle a mail in.
    """
    if not _has_only_crlf(data):
        data = _BARE_LINE_END.sub(b"\r\n", data)
    if not data.endswith(b"\r\n"):
        data += b"\r\n"
    if data.rfind(_SMUGGLED) >= 0:  # from the end: less than half the time of `in`
        data = data.replace(_SMUGGLED, b"\r\n..")
    return b"." + data if data.startswith(b".") else data


def _has_only_crlf(data: bytes) -> bool:
    """What the decoder of text files notes in passing; counting the three kinds takes four times as long."""
    decoder = IncrementalNewlineDecoder(None, translate=False)
    decoder.decode(data.decode("latin-1"), final=True)
    return decoder.newlines in {None, "\r\n"}
