"""A real Postfix and a real Dovecot with people who have their mail there: nothing of the mail world is ours."""

import asyncio
import smtplib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage

from tests.support.dovecot import Dovecot, free_ports, running_dovecot
from tests.support.postfix import Postfix, auth_listener, running_postfix

RITA, JO, SEA = "rita@quaydesk.example", "jo@quaydesk.example", "sea@quaydesk.example"
ADA, BO = "ada@tallow.example", "bo@tallow.example"
REFUSED, UNKNOWN = "refused@tallow.example", "unknown@tallow.example"
FULL = "full@tarn.example"
# Who only answers in `test_real_answers`, each at a company of their own.
ANSWERING = {name: f"{name}@{name}works.example" for name in ("dora", "egon", "fay", "gus", "hal", "ina", "kit")}
PASSWORDS = {
    RITA: "sand-castle-1",
    JO: "sand-castle-2",
    SEA: "sand-castle-3",
    ADA: "hers",
    BO: "his",
    "pat@tarn.example": "theirs",
}
PASSWORDS |= dict.fromkeys(ANSWERING.values(), "theirs")


@dataclass(frozen=True, slots=True)
class MailWorld:
    """Both servers. Unknown people bounce, one is refused at once, one has no more room."""

    dovecot: Dovecot
    postfix: Postfix

    def mails(self, user: str, folder: str = "INBOX") -> list[EmailMessage]:
        """In the order in which they came, read or not."""
        home = self.dovecot.directory / "mail" / user
        maildir = home if folder == "INBOX" else home / f".{folder}"
        files = [path for part in ("new", "cur") for path in (maildir / part).glob("*")]
        ordered = sorted(files, key=lambda path: path.stat().st_mtime_ns)
        return [message_from_bytes(path.read_bytes(), policy=policy.default) for path in ordered]

    async def send(self, letter: EmailMessage) -> None:
        """As any server in the world hands mail over."""
        await asyncio.to_thread(self._send, letter)

    def _send(self, letter: EmailMessage) -> None:
        with smtplib.SMTP("127.0.0.1", self.postfix.relay_port, timeout=60) as relay:
            relay.send_message(letter)


@contextmanager
def running_mail_world() -> Iterator[MailWorld]:
    (auth_port,) = free_ports(1)
    with (
        running_dovecot(PASSWORDS, settings=auth_listener(auth_port)) as dovecot,
        running_postfix(dovecot, auth_port=auth_port, refused=[REFUSED], full=[FULL]) as postfix,
    ):
        yield MailWorld(dovecot, postfix)
