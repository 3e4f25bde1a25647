"""What comes back through a real Postfix into a real Dovecot ends where it should, and the right webhook tells it."""

from collections import Counter
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest

from tests.e2e.mail_world import ANSWERING, FULL, PASSWORDS, SEA, MailWorld
from tests.support.campaign import Campaign, Port, connect_mailbox, eventually, eventually_equal
from tests.support.installation import Place
from tests.support.receiver import Receiver

SECONDS = 150
REPLIES, AWAY, COLLEAGUE = ANSWERING["dora"], ANSWERING["egon"], ANSWERING["fay"]
ONE_CLICK, SILENT, OPTS_OUT = ANSWERING["gus"], ANSWERING["hal"], ANSWERING["ina"]
GONE_ADDRESS = "nobody@kitworks.example"  # found out after the mail was taken
LEADS = [REPLIES, AWAY, COLLEAGUE, ONE_CLICK, SILENT, OPTS_OUT, GONE_ADDRESS, FULL]
ANSWERED = [REPLIES, AWAY, COLLEAGUE, ONE_CLICK, OPTS_OUT]
SUBJECT = "A word about moorings"
OURS = "&of=moorings"  # another test's server may still tell who had this port before
EVENTS = ["EMAIL_SENT", "EMAIL_REPLY", "EMAIL_BOUNCE", "LEAD_UNSUBSCRIBED", "UNTRACKED_REPLIES"]
STEPS = [
    {"seq_number": 1, "seq_delay_details": {"delay_in_days": 0}, "subject": SUBJECT, "email_body": "<p>Hello</p>"},
    {"seq_number": 2, "seq_delay_details": {"delay_in_days": 5}, "subject": "", "email_body": "<p>And again</p>"},
]
ENDS = {
    REPLIES: ("STOPPED", 1),
    COLLEAGUE: ("STOPPED", 1),
    AWAY: ("COMPLETED", 2),  # held until the return
    GONE_ADDRESS: ("BLOCKED", 0),
    FULL: ("COMPLETED", 0),  # a soft bounce ends nothing
    ONE_CLICK: ("STOPPED", 1),
    OPTS_OUT: ("STOPPED", 1),
    SILENT: ("COMPLETED", 2),  # whatever a forged answer says
}
TOLD = {
    ("EMAIL_REPLY", REPLIES): 1,
    ("EMAIL_REPLY", COLLEAGUE): 1,
    ("EMAIL_REPLY", AWAY): 1,
    ("EMAIL_REPLY", OPTS_OUT): 1,
    ("EMAIL_BOUNCE", GONE_ADDRESS): 1,
    ("EMAIL_BOUNCE", FULL): 2,
    ("LEAD_UNSUBSCRIBED", ONE_CLICK): 1,
    ("LEAD_UNSUBSCRIBED", OPTS_OUT): 1,
    ("UNTRACKED_REPLIES", SEA): 2,  # the stranger and the forger
}


def letter(sender: str, text: str, *, subject: str = f"Re: {SUBJECT}", **headers: str) -> EmailMessage:
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = sender, SEA, subject
    made["Message-ID"] = f"<{uuid4()}@{sender.rpartition('@')[2].strip('>')}>"
    for name, value in headers.items():
        made[name.replace("_", "-")] = value
    made.set_content(text)
    return made


def answer_to(mail: EmailMessage, text: str, **headers: str) -> EmailMessage:
    thread = {"In_Reply_To": mail["Message-ID"], "References": mail["Message-ID"]}
    return letter(mail["To"], text, **(thread | headers))


async def _has_been_read(place: Place) -> None:
    """The first look is over: it takes in nothing but what names a mail of ours."""
    async with await psycopg.AsyncConnection.connect(place.database_url, autocommit=True) as db:

        async def is_known() -> bool:
            cursor = await db.execute("SELECT FROM mailbox_folders WHERE folder = 'INBOX'")
            return cursor.rowcount == 1

        await eventually(is_known, seconds=SECONDS, what="the mailbox has been read")


async def click_once(mail: EmailMessage) -> None:
    """What a mail program does with List-Unsubscribe-Post (RFC 8058)."""
    url = next(part.strip(" <>") for part in mail["List-Unsubscribe"].split(",") if "http" in part)
    async with httpx.AsyncClient(trust_env=False) as http:
        assert (await http.post(url, data={"List-Unsubscribe": "One-Click"})).status_code == 200


@pytest.mark.timeout(420)
async def test_everything_that_comes_back_ends_where_it_should(
    *, world: MailWorld, real_place: Place, real_api: httpx.AsyncClient, receiver: Receiver
) -> None:
    ports = {"smtp": Port(world.postfix.submission_port, "STARTTLS"), "imap": Port(world.dovecot.tls_port, "SSL")}
    mailbox_id = await connect_mailbox(real_api, SEA, PASSWORDS[SEA], **ports)
    campaign = await Campaign.make(
        real_api,
        "Moorings",
        mailbox_ids=[mailbox_id],
        steps=STEPS,
        add_unsubscribe_tag=True,
        out_of_office_detection_settings={"autoReactivateOOO": True},
    )
    webhook = await campaign.add_webhook(receiver.url + OURS, EVENTS)
    await campaign.add_leads([{"email": email} for email in LEADS])
    await _has_been_read(real_place)
    await campaign.start()
    first: dict[str, EmailMessage] = {}

    async def have_mail() -> bool:
        first.update({who: mail for who in ANSWERED for mail in _ours(world, who)[:1] if who not in first})
        return len(first) == len(ANSWERED)

    await eventually(have_mail, seconds=SECONDS, what="everybody who answers has mail")
    now = real_place.clock.now()
    returns_at = now + timedelta(days=2)
    absence = (
        f"Guten Tag,\n\nich bin bis einschließlich {returns_at:%d.%m.%Y} nicht im Büro. In dringenden Fällen wenden "
        f"Sie sich bitte an Frau Petra Lang (petra.lang@egonworks.example).\n"
    )
    date = format_datetime(now)
    await world.send(answer_to(first[REPLIES], "Gladly. Call me on Tuesday.\n"))
    await world.send(letter("Cleo <cleo@fayworks.example>", "Fay asked me to answer: not before May.\n"))
    away = {"subject": "Automatische Antwort: Moorings", "Auto_Submitted": "auto-replied", "Date": date}
    await world.send(answer_to(first[AWAY], absence, **away))
    await click_once(first[ONE_CLICK])
    await world.send(answer_to(first[OPTS_OUT], "Bitte nehmen Sie mich aus Ihrem Verteiler.\n"))
    await world.send(letter("Kim Orr <kim@orr.example>", "Who are you?\n", subject="Question"))
    forged = {"In_Reply_To": f"<{uuid4()}@quaydesk.example>", "Auto_Submitted": "no"}
    await world.send(letter("Hal <hal@halworks-mail.example>", "Unsubscribe us all.\n", **forged))

    async def ends() -> dict[str, tuple[str, int]]:
        return {who: (status, len(_ours(world, who))) for who, status in (await campaign.statuses()).items()}

    await eventually_equal(ends, ENDS, seconds=SECONDS)

    async def told() -> dict[tuple[str, str], int]:
        events = [each for each in payloads(receiver, webhook) if each["event_type"] != "EMAIL_SENT"]
        return Counter((each["event_type"], each["to_email"]) for each in events)

    await eventually_equal(told, TOLD, seconds=SECONDS)
    await _look_closer(campaign, payloads(receiver, webhook), returns_at)


def _ours(world: MailWorld, who: str) -> list[EmailMessage]:
    return [mail for mail in world.mails(who) if SUBJECT in mail["Subject"]]


def payloads(receiver: Receiver, webhook: dict[str, Any]) -> list[dict[str, Any]]:
    ours = [each.json for each in receiver.requests if each.path.endswith(OURS)]
    return [each for each in ours if each["webhook_id"] == webhook["id"]]


async def _look_closer(campaign: Campaign, told: list[dict[str, Any]], returns_at: datetime) -> None:
    """The webhooks say who wrote and what bounced; who was away is written to after the return."""

    def events(name: str) -> dict[str, dict[str, Any]]:
        return {each["to_email"]: each for each in told if each["event_type"] == name}

    who = {
        email: (each["leadCorrespondence"]["replyReceivedFrom"], each["leadCorrespondence"]["repliedCompanyDomain"])
        for email, each in events("EMAIL_REPLY").items()
    }
    assert who[REPLIES] == (REPLIES, "SameCompany")
    assert who[COLLEAGUE] == ("cleo@fayworks.example", "SameCompany")
    bounces = {
        email: (each["bounce_type"], each["bounce_reason"][:5]) for email, each in events("EMAIL_BOUNCE").items()
    }
    assert bounces == {GONE_ADDRESS: ("hard", "5.1.1"), FULL: ("soft", "5.2.2")}
    assert {each["from_email"] for each in told if each["event_type"] == "UNTRACKED_REPLIES"} == {
        "kim@orr.example",
        "hal@halworks-mail.example",
    }
    history = await campaign.history(int((await campaign.leads())[AWAY]["lead"]["id"]))
    assert [item["type"] for item in history] == ["SENT", "REPLY", "SENT"]
    assert history[1]["auto_reply"] == {
        "kind": "OUT_OF_OFFICE",
        "return_date": f"{returns_at:%Y-%m-%d}",
        "replacement": {"name": "Petra Lang", "email": "petra.lang@egonworks.example"},
    }
    assert datetime.fromisoformat(history[2]["time"]).date() > returns_at.date()
