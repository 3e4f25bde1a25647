"""The same campaign against a real Postfix and a real Dovecot: nothing of the mail world is ours.

Mail leaves by Postfix's submission port (STARTTLS, log-in checked by Dovecot) and lies in people's maildirs; a person's
answer and Postfix's own delivery report come back into the sender's, which the engine reads from Dovecot over TLS.
"""

from email.message import EmailMessage

import httpx
import pytest

from tests.e2e.mail_world import ADA, BO, JO, PASSWORDS, REFUSED, RITA, UNKNOWN, MailWorld
from tests.support.campaign import Campaign, Port, connect_mailbox, eventually, eventually_equal

SECONDS = 120
ENDS = {ADA: "STOPPED", BO: "COMPLETED", REFUSED: "BLOCKED", UNKNOWN: "BLOCKED"}
FIGURES = {"sent_count": "5", "unique_sent_count": "4", "reply_count": "1", "bounce_count": "2"}
STEPS = [
    {
        "seq_number": 1,
        "seq_delay_details": {"delay_in_days": 0},
        "subject": "Hafengebühren, {{first_name}}?",
        "email_body": '<p>Grüße, {{first_name}} – a question about <a href="https://quaydesk.example/fees">fees</a>.</p>',
    },
    {
        "seq_number": 2,
        "seq_delay_details": {"delay_in_days": 2},
        "subject": "",
        "email_body": "<p>Coming back to my note.</p>",
    },
]


@pytest.fixture(scope="module")
async def campaign(world: MailWorld, real_api: httpx.AsyncClient) -> Campaign:
    """Run to its end: Ada answers the first mail, the others do nothing."""
    smtp = Port(world.postfix.submission_port, "STARTTLS")
    imap = {RITA: Port(world.dovecot.tls_port, "SSL"), JO: Port(world.dovecot.port, "STARTTLS")}
    ids = [await connect_mailbox(real_api, box, PASSWORDS[box], smtp=smtp, imap=imap[box]) for box in (RITA, JO)]
    campaign = await Campaign.make(real_api, "Harbour", mailbox_ids=ids, steps=STEPS, add_unsubscribe_tag=True)
    leads = [ADA, BO, REFUSED, UNKNOWN]
    await campaign.add_leads([{"email": email, "first_name": email.partition("@")[0].title()} for email in leads])
    await campaign.start()

    async def has_written_to_ada() -> bool:
        return bool(world.mails(ADA))

    await eventually(has_written_to_ada, seconds=SECONDS, what="Ada has mail")
    await world.send(answer_to(world.mails(ADA)[0]))
    await campaign.until_status("COMPLETED", seconds=SECONDS)
    await eventually_equal(lambda: outcome(campaign), ENDS | FIGURES, seconds=SECONDS)
    return campaign


def answer_to(mail: EmailMessage) -> EmailMessage:
    """What her mail program makes of it."""
    letter = EmailMessage()
    letter["From"], letter["To"], letter["Subject"] = f"Ada Quill <{ADA}>", mail["From"], f"Re: {mail['Subject']}"
    letter["Message-ID"], letter["In-Reply-To"] = "<reply-1@tallow.example>", mail["Message-ID"]
    letter["References"] = mail["Message-ID"]
    text = mail.get_body(("plain",))
    assert text is not None
    quoted = "\n".join(f"> {line}" for line in text.get_content().splitlines())
    letter.set_content(f"Gern, nächsten Dienstag?\n\nOn Mon, Mar 2, 2026 at 07:00 Rita wrote:\n{quoted}\n")
    return letter


async def outcome(campaign: Campaign) -> dict[str, str]:
    figures = await campaign.figures()
    return await campaign.statuses() | {name: figures[name] for name in FIGURES}


async def test_everybody_ends_where_they_should(campaign: Campaign) -> None:
    assert await outcome(campaign) == ENDS | FIGURES


def test_mail_arrives_as_it_was_written(campaign: Campaign, world: MailWorld) -> None:
    (mail,) = world.mails(ADA)
    assert mail["Subject"] == "Hafengebühren, Ada?"
    assert (mail["To"], mail["Delivered-To"]) == (ADA, ADA)
    html = mail.get_body(("html",))
    assert html is not None
    assert "Grüße, Ada – a question about" in html.get_content()
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert not mail.defects


def test_it_was_submitted_with_a_log_in_over_tls(campaign: Campaign, world: MailWorld) -> None:
    for user in (ADA, BO):
        for mail in world.mails(user):
            assert "with ESMTPSA" in mail["Received"]  # RFC 3848: TLS and authenticated
            assert mail["Return-Path"] == f"<{mail['From'].addresses[0].addr_spec}>"


def test_nobody_is_written_to_after_an_answer(campaign: Campaign, world: MailWorld) -> None:
    assert (len(world.mails(ADA)), len(world.mails(BO))) == (1, 2)


def test_the_follow_up_stays_in_the_thread(campaign: Campaign, world: MailWorld) -> None:
    first, second = world.mails(BO)
    assert second["Subject"] == f"Re: {first['Subject']}"
    assert (second["In-Reply-To"], second["References"]) == (first["Message-ID"], first["Message-ID"])
    assert second["From"] == first["From"]


async def test_the_answer_stands_in_the_history(campaign: Campaign) -> None:
    lead_id = int((await campaign.leads())[ADA]["lead"]["id"])
    sent, reply = await campaign.history(lead_id)
    assert (sent["type"], reply["type"]) == ("SENT", "REPLY")
    assert (reply["message_id"], reply["from"], reply["stats_id"]) == (
        "<reply-1@tallow.example>",
        ADA,
        sent["stats_id"],
    )
    assert "Gern, nächsten Dienstag?" in reply["email_body"]


async def test_postfix_s_own_report_is_understood(campaign: Campaign) -> None:
    """The unknown user was found out after the mail was taken; the other was refused at once."""
    leads = await campaign.leads()
    reported = await campaign.history(int(leads[UNKNOWN]["lead"]["id"]))
    assert [item["type"] for item in reported] == ["SENT", "REPLY"]
    assert reported[1]["subject"] == "Undelivered Mail Returned to Sender"
    refused = await campaign.history(int(leads[REFUSED]["lead"]["id"]))
    assert [item["type"] for item in refused] == ["SENT"]
    blocked = (await campaign.api.get("/leads/get-domain-block-list")).json()
    assert {UNKNOWN, REFUSED} <= {entry["email_or_domain"] for entry in blocked}


async def test_copies_lie_in_the_folder_for_sent_mail(campaign: Campaign, world: MailWorld) -> None:
    def ids(user: str, folder: str = "INBOX") -> set[str]:
        return {mail["Message-ID"] for mail in world.mails(user, folder)}

    async def are_filed() -> bool:
        return ids(ADA) | ids(BO) <= ids(RITA, "Sent") | ids(JO, "Sent")

    await eventually(are_filed, seconds=SECONDS, what="every mail is in Sent")


async def test_a_wrong_password_is_explained(real_api: httpx.AsyncClient, world: MailWorld) -> None:
    body = {
        "from_name": "Bo",
        "from_email": BO,
        "user_name": BO,
        "password": "wrong",
        "smtp_host": "127.0.0.1",
        "smtp_port": world.postfix.submission_port,
        "smtp_port_type": "STARTTLS",
        "imap_host": "127.0.0.1",
        "imap_port": world.dovecot.port,
        "imap_port_type": "STARTTLS",
    }
    answer = await real_api.post("/email-accounts/save", json=body)
    assert (answer.status_code, answer.json()["errorCode"]) == (400, "ACCOUNT_VERIFICATION_FAILED")
    assert answer.json()["error"].startswith("SMTP: 535 5.7.8")
