"""The mails people write: answers with the original quoted below, out-of-office notes, requests to be removed.

They are what common mail programs send (RFC 5322, RFC 3834), composed with the standard library.
"""

import html
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parsedate_to_datetime
from hashlib import sha256
from random import Random
from urllib.parse import parse_qs, unquote, urlsplit

from outrider.sandbox import phrases
from outrider.sandbox.mails import ReceivedMail, address_of
from outrider.sandbox.people import Language, ReplyKind

_POLICY = SMTP.clone(max_line_length=990)  # folding would tear long Message-IDs in References apart
_ATTRIBUTION_WIDTH = 76
_PLAIN_SHARE = 0.4


@dataclass(frozen=True, slots=True)
class Person:
    """Who writes: the name is made of the address."""

    address: str
    language: Language

    @property
    def name(self) -> str:
        localpart = self.address.partition("@")[0].partition("+")[0]
        words = localpart.replace("_", ".").replace("-", ".").split(".")
        return " ".join(word.capitalize() for word in words if word) or self.address

    @property
    def domain(self) -> str:
        return self.address.rpartition("@")[2]


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail on its way to one of the sender's mailboxes."""

    recipient: str
    message_id: str
    envelope_sender: str
    raw: bytes


def reply(mail: ReceivedMail, kind: ReplyKind, *, person: Person, now: datetime, random: Random) -> Letter:
    """An answer by hand, as Gmail (HTML and text) or as a plain mail program writes it."""
    sender = mail.author
    text = random.choice(phrases.REPLIES[kind, person.language])
    said = text.format(sender=_first_name(sender), name=person.name)
    attribution = _attribution(mail, person.language, now)
    is_plain = random.random() < _PLAIN_SHARE
    prefix = "AW: " if is_plain and person.language is Language.GERMAN else "Re: "
    letter = _begin(mail, prefix + mail.thread_subject, kind=f"reply {kind}", person=person, now=now)
    letter.set_content(f"{said}\n\n{_wrapped(attribution)}\n\n{_quoted(mail.text)}\n")
    if not is_plain:
        letter.add_alternative(_gmail_html(said, attribution, mail), subtype="html")
    return _finished(letter, envelope_sender=person.address)


def out_of_office(mail: ReceivedMail, *, person: Person, now: datetime, random: Random) -> Letter:
    """An automatic answer (RFC 3834): to the envelope sender, from nobody who would take a bounce."""
    until = now + timedelta(days=random.randint(3, 14))
    subject = phrases.OUT_OF_OFFICE_SUBJECT[person.language].format(subject=mail.subject)
    letter = _begin(mail, subject, kind="out of office", person=person, now=now)
    del letter["To"]
    letter["To"] = mail.envelope_sender
    letter["Auto-Submitted"] = "auto-replied"
    letter["X-Auto-Response-Suppress"] = "All"
    text = phrases.OUT_OF_OFFICE[person.language].format(until=until, domain=person.domain, name=person.name)
    letter.set_content(text + "\n")
    return _finished(letter, envelope_sender="")


def removal_request(mail: ReceivedMail, mailto: str, *, person: Person, now: datetime) -> Letter:
    """What a mail program sends for the mailto: form of List-Unsubscribe (RFC 2369, RFC 6068)."""
    parts = urlsplit(mailto)
    fields = parse_qs(parts.query)
    subject = fields.get("subject", ["unsubscribe"])[0]
    letter = _begin(mail, subject, kind="removal", person=person, now=now)
    for thread_header in ("In-Reply-To", "References", "To"):
        del letter[thread_header]
    letter["To"] = unquote(parts.path)
    letter.set_content(fields.get("body", ["unsubscribe"])[0] + "\n")
    return _finished(letter, envelope_sender=person.address)


def message_id_for(mail: ReceivedMail, kind: str, domain: str) -> str:
    """Always the same for the same mail and purpose, so that runs with the same seed are the same."""
    digest = sha256(f"{mail.recipient}/{mail.number}/{mail.message_id}/{kind}".encode()).hexdigest()
    return f"{digest[:32]}@{domain}"


def _begin(mail: ReceivedMail, subject: str, *, kind: str, person: Person, now: datetime) -> EmailMessage:
    is_ascii = person.address.isascii() and str(mail.author).isascii()
    letter = EmailMessage(policy=_POLICY.clone(utf8=not is_ascii))  # RFC 6532 if an address needs it
    letter["From"] = address_of(person.address, name=person.name)
    letter["To"] = mail.author
    letter["Subject"] = subject
    letter["Date"] = format_datetime(now)
    letter["Message-ID"] = f"<{message_id_for(mail, kind, person.domain)}>"
    if mail.message_id:
        letter["In-Reply-To"] = f"<{mail.message_id}>"
        letter["References"] = " ".join(f"<{each}>" for each in (*mail.references, mail.message_id))
    return letter


def _finished(letter: EmailMessage, *, envelope_sender: str) -> Letter:
    recipient = letter["To"].addresses[0].addr_spec
    return Letter(recipient, str(letter["Message-ID"]).strip("<>"), envelope_sender, letter.as_bytes())


def _first_name(sender: Address) -> str:
    return (sender.display_name or sender.username).split(" ")[0]


def _attribution(mail: ReceivedMail, language: Language, now: datetime) -> str:
    written = _written_at(mail) or now
    return phrases.ATTRIBUTION[language].format(
        day=phrases.DAYS[language][written.weekday()],
        month=phrases.MONTHS[language][written.month - 1],
        at=written,
        sender=str(mail.author),
    )


def _written_at(mail: ReceivedMail) -> datetime | None:
    try:
        return parsedate_to_datetime(mail.header("Date"))
    except ValueError:
        return None


def _wrapped(attribution: str) -> str:
    """Gmail breaks a long line before the address."""
    if len(attribution) <= _ATTRIBUTION_WIDTH:
        return attribution
    return attribution.replace(" <", "\n<", 1)


def _quoted(text: str) -> str:
    return "\n".join(f"> {line}".rstrip() for line in text.strip().splitlines())


def _gmail_html(said: str, attribution: str, mail: ReceivedMail) -> str:
    paragraphs = "".join(f"<div>{html.escape(line) or '<br>'}</div>" for line in said.splitlines())
    original = mail.html or f"<pre>{html.escape(mail.text)}</pre>"
    return (
        f'<div dir="ltr">{paragraphs}</div><br><div class="gmail_quote gmail_quote_container">'
        f'<div dir="ltr" class="gmail_attr">{html.escape(attribution)}<br></div>'
        f'<blockquote class="gmail_quote" style="margin:0px 0px 0px 0.8ex;border-left:1px solid rgb(204,204,204);'
        f'padding-left:1ex">{original}</blockquote></div>\n'
    )
