"""Campaign mails as the product would write them, and a client that hands them over, for tests of the sandbox."""

from email.message import EmailMessage
from email.policy import SMTP

import aiosmtplib

from outrider.sandbox import Sandbox

SENDER = "me@ours.example"
PASSWORD = "correct horse"


def campaign_mail(
    recipient: str,
    *,
    web: str = "",
    number: int = 1,
    subject: str = "A question about Acme",
    text: str = "Do you still print your invoices?",
    thread: tuple[str, ...] = (),
    unsubscribe: str | None = None,
    one_click: bool = True,
) -> bytes:
    """A mail with pixel, tracked link and List-Unsubscribe, if there is a web server for them."""
    mail = EmailMessage(policy=SMTP.clone(max_line_length=990))
    mail["From"] = f"Mia Meyer <{SENDER}>"
    mail["To"] = recipient
    mail["Subject"] = subject
    mail["Date"] = "Mon, 05 Jan 2026 09:30:00 +0100"
    mail["Message-ID"] = f"<mail-{number}@ours.example>"
    if thread:
        mail["In-Reply-To"] = f"<{thread[-1]}>"
        mail["References"] = " ".join(f"<{each}>" for each in thread)
    unsubscribe = unsubscribe or f"<{web}/u/{number}>, <mailto:{SENDER}?subject=leave-{number}>"
    if web:
        mail["List-Unsubscribe"] = unsubscribe
        if one_click:
            mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    mail.set_content(text)
    mail.add_alternative(_html(text, web, number), subtype="html")
    return mail.as_bytes()


def _html(text: str, web: str, number: int) -> str:
    if not web:
        return f"<p>{text}</p>"
    return (
        f'<p>{text}</p><p><a href="{web}/c/{number}">See how</a></p>'
        f'<a href="{web}/trap" style="display: none">.</a><a href="{web}/u/{number}">Unsubscribe</a>'
        f'<img src="{web}/o/{number}.gif" width="1" height="1">'
    )


async def logged_in(sandbox: Sandbox, *, username: str = SENDER, password: str = PASSWORD) -> aiosmtplib.SMTP:
    client = aiosmtplib.SMTP(hostname=sandbox.host, port=sandbox.smtp_port, use_tls=False, start_tls=False, timeout=10)
    await client.connect()
    try:
        await client.login(username, password)
    except aiosmtplib.SMTPException:
        client.close()
        raise
    return client


async def send(sandbox: Sandbox, *mails: tuple[str, bytes]) -> None:
    """Hand over some mails on one connection."""
    client = await logged_in(sandbox)
    try:
        for recipient, raw in mails:
            await client.sendmail(SENDER, [recipient], raw)
    finally:
        client.close()
