"""Answers of people to a campaign's mails, lying ready in the maildirs of a Dovecot.

Each is what a mail program would send: text and HTML, what the person wrote above the quoted mail.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Any

import psycopg

from tests.support.dovecot import MAIL_GID, MAIL_UID, Dovecot

_WORDS = (
    "Thanks for the note. This sounds interesting, can you send me some more detail about the pricing?",
    "We already have somebody who does this for us, so there is no need at the moment. All the best for it.",
    "Could we talk on Thursday at ten? My colleague from finance would like to join, she knows the invoices better.",
    "I am not the right person for this, please write to our head of operations instead.",
    "How do you get the data, and where is it kept? We would have to clear that with our security people first.",
    "Not now, please come back to me after the summer when the new budget is there.",
)


@dataclass(frozen=True, slots=True)
class Sent:
    """A mail of the campaign that is answered."""

    message_id: str
    from_email: str
    to_email: str
    subject: str
    html: str

    def answer(self, number: int) -> bytes:
        words = _WORDS[number % len(_WORDS)]
        mail = EmailMessage(policy=SMTP)
        mail["From"] = f"Lead Number {number} <{self.to_email}>"
        mail["To"] = self.from_email
        mail["Subject"] = f"Re: {self.subject}"
        mail["Message-ID"] = f"<answer-{number}@{self.to_email.partition('@')[2]}>"
        mail["In-Reply-To"] = mail["References"] = f"<{self.message_id}>"
        mail["Date"] = "Tue, 03 Mar 2026 10:00:00 +0000"
        mail["Received"] = f"from mx.{number}.example by mail.quaydesk.example; Tue, 03 Mar 2026 10:00:01 +0000"
        quote = f"On Mon, Mar 2, 2026 at 9:14 AM Nora Quist <{self.from_email}> wrote:"
        mail.set_content(f"{words}\n\nRegards\nLead\n\n{quote}\n> Hello,\n> \n> I came across your company.\n")
        mail.add_alternative(
            f"<div>{words}</div><div><br></div><div>Regards<br>Lead</div><div class='gmail_quote'><div>{quote}</div>"
            f"<blockquote>{self.html}</blockquote></div>",
            subtype="html",
        )
        return mail.as_bytes()


def sent_mails(db: psycopg.Connection[Any], campaign_id: int) -> list[Sent]:
    rows = db.execute(
        """
        SELECT m.message_id, m.from_email, m.to_email, m.subject, b.html
          FROM messages AS m
          JOIN message_bodies AS b ON b.message_id = m.id
         WHERE m.campaign_id = %s
           AND m.status = 'SENT'
         ORDER BY m.id
        """,
        [campaign_id],
    ).fetchall()
    return [Sent(*row) for row in rows]


class Post:
    """Mails that lie in the `tmp` of maildirs; `deliver` moves all of them in at once, as a delivery agent does."""

    def __init__(self, dovecot: Dovecot) -> None:
        self._dovecot = dovecot
        self._ready: list[tuple[Path, Path]] = []

    def prepare(self, user: str, mails: Sequence[bytes]) -> None:
        maildir = self._dovecot.directory / "mail" / user
        for part in (maildir, *(maildir / name for name in ("tmp", "new", "cur"))):
            part.mkdir(exist_ok=True)
            os.chown(part, MAIL_UID, MAIL_GID)
        for number, mail in enumerate(mails):
            name = f"{1772500000 + number}.{number}.bench"
            (maildir / "tmp" / name).write_bytes(mail)
            os.chown(maildir / "tmp" / name, MAIL_UID, MAIL_GID)
            self._ready.append((maildir / "tmp" / name, maildir / "new" / name))

    def deliver(self) -> None:
        for lying, delivered in self._ready:
            lying.rename(delivered)
        self._ready.clear()
