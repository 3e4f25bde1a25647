"""Delivery status notifications (RFC 3464, in the multipart/report of RFC 6522): a mail that failed after all.

Two handwritings, that of Postfix and that of Gmail; which one a domain has does not change.
"""

from datetime import datetime
from email.utils import format_datetime
from zlib import crc32

from outrider.sandbox.letters import Letter, message_id_for
from outrider.sandbox.mails import ReceivedMail
from outrider.sandbox.people import Refusal

_POSTFIX_TEXT = """\
This is the mail system at host {server}.

I'm sorry to have to inform you that your message could not
be delivered to one or more recipients. It's attached below.

For further assistance, please send mail to postmaster.

<{recipient}>: host {server}[127.0.0.1] said: {diagnostic} (in reply to end of DATA command)
"""
_GMAIL_TEXT = """\
** Address not found **

Your message wasn't delivered to {recipient} because the address couldn't be found, or is unable to receive mail.

The response from the remote server was:
{diagnostic}
"""
_REPORT = """\
From: {author} <MAILER-DAEMON@{server}>
To: {sender}
Subject: {subject}
Date: {date}
Message-ID: <{message_id}>
{thread}Auto-Submitted: auto-replied
{extra}MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="{boundary}"

This is a MIME-encapsulated message.

--{boundary}
Content-Type: text/plain; charset=utf-8

{text}
--{boundary}
Content-Type: message/delivery-status

Reporting-MTA: dns; {server}
Arrival-Date: {arrival}

Final-Recipient: rfc822; {recipient}
Original-Recipient: rfc822; {recipient}
Action: failed
Status: {status}
Remote-MTA: dns; mx.{domain}
Diagnostic-Code: smtp; {diagnostic}

--{boundary}
Content-Type: {original_type}

"""


def delivery_report(mail: ReceivedMail, refusal: Refusal, *, now: datetime) -> Letter:
    """The report to the envelope sender that this mail failed."""
    domain = mail.recipient.rpartition("@")[2]
    is_gmail = crc32(domain.encode()) % 2 == 0
    message_id = message_id_for(mail, "bounce", f"mx.{domain}")
    boundary = f"report-{message_id[:16]}"
    diagnostic = refusal.line(mail.recipient)
    text = (_GMAIL_TEXT if is_gmail else _POSTFIX_TEXT).format(
        server=f"mx.{domain}", recipient=mail.recipient, diagnostic=diagnostic
    )
    head = _REPORT.format(
        author="Mail Delivery Subsystem" if is_gmail else "Mail Delivery System",
        subject="Delivery Status Notification (Failure)" if is_gmail else "Undelivered Mail Returned to Sender",
        extra=f"X-Failed-Recipients: {mail.recipient}\n" if is_gmail else "",
        thread=f"In-Reply-To: <{mail.message_id}>\nReferences: <{mail.message_id}>\n" if is_gmail else "",
        server=f"mx.{domain}",
        sender=mail.envelope_sender,
        date=format_datetime(now),
        arrival=format_datetime(mail.at),
        message_id=message_id,
        boundary=boundary,
        text=text,
        recipient=mail.recipient,
        domain=domain,
        status=refusal.enhanced_code,
        diagnostic=diagnostic,
        original_type="message/rfc822" if is_gmail else "text/rfc822-headers",
    )
    original = mail.raw if is_gmail else mail.raw.partition(b"\r\n\r\n")[0] + b"\r\n"
    raw = head.replace("\n", "\r\n").encode() + original + f"\r\n--{boundary}--\r\n".encode()
    return Letter(mail.envelope_sender, message_id, "", raw)
