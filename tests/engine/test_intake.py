"""Mail that comes in ends where it should: each kind, once, with what it changes."""

from datetime import date, timedelta
from email.message import EmailMessage
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from outrider.engine.inbound.arrival import Reader
from outrider.engine.inbound.intake import take_in
from outrider.engine.survey import explain, tend
from outrider.inbox.untracked import UntrackedFilter, list_untracked
from outrider.kit.db import execute, fetch_dicts
from outrider.mail import body
from outrider.mail.parse import parse
from outrider.messages.models import MessageBounced, ReplyReceived, UntrackedReplyReceived
from outrider.tracking import tokens
from tests.support import make
from tests.support.events import hearing
from tests.support.world import World


class Desk:
    """One mailbox that has mailed some people, and what arrives in it."""

    def __init__(self, world: World, mailbox_id: int, campaign_id: int, mail: dict[str, Any]) -> None:
        self.world = world
        self.db = world.db
        self.campaign_id = campaign_id
        self.mail = mail
        self.reader = Reader(world.user_id, mailbox_id, mail["from_email"])

    @classmethod
    async def open(cls, world: World, *, domain: str = "hexly.example", **changes: Any) -> "Desk":
        mailbox_id = await world.mailbox()
        campaign_id = await world.campaign([mailbox_id], steps=2, **changes)
        [mail] = await world.sent(campaign_id, domain=domain)
        return cls(world, mailbox_id, campaign_id, mail)

    def letter(self, **changes: str | None) -> EmailMessage:
        """A plain answer of the lead; a header set to None is left out."""
        letter = EmailMessage()
        headers: dict[str, str | None] = {
            "From": f"Ada <{self.mail['to_email']}>",
            "To": self.mail["from_email"],
            "Subject": "Re: Port fees",
            "Message-ID": "<answer-1@hexly.example>",
            "In-Reply-To": f"<{self.mail['message_id']}>",
            "Date": "Mon, 02 Mar 2026 09:20:00 +0000",
            **{name.replace("_", "-"): value for name, value in changes.items() if name != "text"},
        }
        for name, value in headers.items():
            if value is not None:
                letter[name] = value
        letter.set_content(changes.get("text") or "Tell me more.\n")
        return letter

    async def take_in(self, letter: EmailMessage | bytes, *, only_matched: bool = False) -> bool:
        raw = letter if isinstance(letter, bytes) else letter.as_bytes()
        return await take_in(self.db, make.VAULT, self.reader, raw, self.world.now, only_matched=only_matched)

    async def received(self) -> list[dict[str, Any]]:
        return await fetch_dicts(self.db, "SELECT * FROM messages WHERE direction = 'IN' ORDER BY id")

    async def auto_replies(self) -> list[dict[str, Any]]:
        return await fetch_dicts(self.db, "SELECT * FROM auto_replies ORDER BY message_id")

    async def suppressed(self) -> list[str]:
        rows = await fetch_dicts(self.db, "SELECT email FROM unsubscribes WHERE client_id = 0 ORDER BY email")
        return [row["email"] for row in rows]

    async def lead(self) -> dict[str, Any]:
        return await self.world.row("campaign_leads", self.mail["campaign_lead_id"])

    async def sent_mail(self) -> dict[str, Any]:
        return await self.world.row("messages", self.mail["id"])


@pytest.fixture
async def desk(world: World) -> Desk:
    return await Desk.open(world)


async def test_an_answer_stops_the_lead_and_is_told_once(desk: Desk) -> None:
    with hearing(ReplyReceived) as heard:
        assert await desk.take_in(desk.letter())
        assert not await desk.take_in(desk.letter())  # the same mail in another folder
    [reply] = await desk.received()
    sent = await desk.sent_mail()
    assert (reply["kind"], reply["answers_id"], reply["stats_id"]) == ("REPLY", sent["id"], sent["stats_id"])
    assert (reply["message_id"], reply["from_email"]) == ("answer-1@hexly.example", desk.mail["to_email"])
    assert sent["first_replied_at"] == reply["sent_at"]
    lead = await desk.lead()
    assert (lead["status"], lead["hold_reason"], lead["due_at"]) == ("STOPPED", "REPLIED", None)
    assert lead["last_reply_at"] == reply["sent_at"]
    [event] = heard.events
    assert (event.answers_id, event.message_id, event.is_counted) == (sent["id"], reply["id"], True)
    assert await desk.world.events() == [("REPLIED", lead["id"])]


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"In_Reply_To": None, "References": "<x@y.example> <{id}>"}, "references"),
        ({"In_Reply_To": None}, "address and subject"),
        ({"In_Reply_To": None, "Subject": "Something else"}, "address alone"),
        ({"In_Reply_To": None, "From": "Bo <bo@hexly.example>"}, "company and subject"),
        ({"From": "Somebody <else@other.example>"}, "header, whoever wrote"),
        ({"Subject": "AW: Port fees", "In_Reply_To": None}, "subject with another prefix"),
    ],
)
async def test_an_answer_finds_its_lead(desk: Desk, changes: dict[str, str | None], rule: str) -> None:
    given = {name: value and value.replace("{id}", desk.mail["message_id"]) for name, value in changes.items()}
    assert await desk.take_in(desk.letter(**given)), rule
    assert (await desk.lead())["status"] == "STOPPED"


@pytest.mark.parametrize(
    "changes",
    [
        {"In_Reply_To": None, "From": "Kim <kim@orr.example>"},
        {"In_Reply_To": "<unknown@elsewhere.example>", "From": "Kim <kim@orr.example>"},
        {"In_Reply_To": None, "From": "Bo <bo@hexly.example>", "Subject": "Another matter"},
    ],
)
async def test_a_stranger_is_untracked(desk: Desk, changes: dict[str, str | None]) -> None:
    with hearing(UntrackedReplyReceived) as heard:
        assert await desk.take_in(desk.letter(**changes))
    [mail] = await desk.received()
    assert (mail["kind"], mail["campaign_lead_id"]) == ("UNTRACKED", None)
    assert (await desk.lead())["status"] == "INPROGRESS"
    assert [event.message_id for event in heard.events] == [mail["id"]]


async def test_somebody_at_a_free_mail_provider_is_no_colleague(world: World) -> None:
    desk = await Desk.open(world, domain="gmail.com")
    assert await desk.take_in(desk.letter(In_Reply_To=None, From="Bo <bo@gmail.com>"))
    assert [mail["kind"] for mail in await desk.received()] == ["UNTRACKED"]


async def test_our_own_mail_is_passed_over(desk: Desk) -> None:
    assert not await desk.take_in(desk.letter(From=desk.mail["from_email"]))
    assert await desk.received() == []


async def test_on_the_first_look_only_answers_to_our_mails_are_taken(desk: Desk) -> None:
    stranger = desk.letter(In_Reply_To=None, From="Kim <kim@orr.example>", Message_ID="<k@orr.example>")
    by_address = desk.letter(In_Reply_To=None, Message_ID="<old@hexly.example>")
    assert not await desk.take_in(stranger, only_matched=True)
    assert not await desk.take_in(by_address, only_matched=True)
    assert await desk.take_in(desk.letter(), only_matched=True)
    assert [mail["kind"] for mail in await desk.received()] == ["REPLY"]


async def test_a_reply_that_is_not_tracked_stops_the_lead_all_the_same(world: World) -> None:
    desk = await Desk.open(world, track_settings=["DONT_REPLY_TO_AN_EMAIL"])
    with hearing(ReplyReceived) as heard:
        await desk.take_in(desk.letter())
    assert [event.is_counted for event in heard.events] == [False]
    assert (await desk.sent_mail())["first_replied_at"] is None
    assert (await desk.lead())["status"] == "STOPPED"
    assert await desk.world.events() == []


async def test_never_means_that_a_reply_stops_nothing(world: World) -> None:
    desk = await Desk.open(world, stop_lead_settings="NEVER")
    await desk.take_in(desk.letter())
    assert (await desk.lead())["status"] == "INPROGRESS"


async def test_a_lead_that_got_everything_stays_completed(desk: Desk) -> None:
    await desk.world.change("campaign_leads", desk.mail["campaign_lead_id"], status="COMPLETED", due_at=None)
    await desk.take_in(desk.letter())
    assert (await desk.lead())["status"] == "COMPLETED"
    assert (await desk.sent_mail())["first_replied_at"] is not None


@pytest.mark.parametrize("ignores", [True, False])
async def test_out_of_office_counts_as_the_campaign_says(world: World, ignores: bool) -> None:
    desk = await Desk.open(world)
    await execute(
        desk.db,
        """
        UPDATE campaigns SET out_of_office_detection_settings = jsonb_build_object('ignoreOOOasReply', %(value)s::bool)
        """,
        {"value": ignores},
    )
    letter = desk.letter(
        Subject="Automatic reply: Port fees", Auto_Submitted="auto-replied", text="I am out of office until Friday.\n"
    )
    with hearing(ReplyReceived) as heard:
        assert await desk.take_in(letter)
    sent, lead, [mail] = await desk.sent_mail(), await desk.lead(), await desk.received()
    if ignores:
        assert (mail["kind"], lead["status"], heard.events) == ("AUTO_REPLY", "INPROGRESS", [])
        assert (sent["first_replied_at"], sent["is_reply_ignored"]) == (None, True)
    else:
        assert (mail["kind"], lead["status"], len(heard.events)) == ("REPLY", "STOPPED", 1)


HELD, STOPPED, GOES_ON = ("PAUSED", "OOO"), ("STOPPED", "REPLIED"), ("INPROGRESS", None)


@pytest.mark.parametrize(
    ("settings", "text", "expected", "resumes_at", "category"),
    [
        # the mail came on a Monday, 2 March
        ({}, "until 6 March 2026", STOPPED, None, None),
        ({"ignoreOOOasReply": True}, "until 6 March 2026", GOES_ON, None, None),
        ({"autoReactivateOOO": True}, "until 4 March 2026", HELD, "2026-03-05 00:00", None),
        ({"autoReactivateOOO": True}, "until 6 March 2026", HELD, "2026-03-09 00:00", None),  # a working day later
        ({"autoReactivateOOO": True}, "for a while", HELD, "2026-03-09 09:30", None),  # no date: a week
        ({"autoReactivateOOO": True, "reactivateOOOwithDelay": 3}, "for a while", HELD, "2026-03-05 09:30", None),
        ({"reactivateOOOwithDelay": 14}, "until 4 March 2026", HELD, "2026-03-16 09:30", None),
        ({"reactivateOOOwithDelay": 0}, "until 4 March 2026", HELD, "2026-03-02 09:30", None),
        ({"ignoreOOOasReply": True, "autoReactivateOOO": True}, "until 4 March 2026", HELD, "2026-03-05 00:00", None),
        ({"autoCategorizeOOO": True}, "until 6 March 2026", STOPPED, None, 6),
        ({"ignoreOOOasReply": True, "autoCategorizeOOO": True}, "until 6 March 2026", GOES_ON, None, 6),
    ],
)
async def test_a_lead_who_is_away_waits_as_the_campaign_says(
    *,
    world: World,
    settings: dict[str, Any],
    text: str,
    expected: tuple[str, str | None],
    resumes_at: str | None,
    category: int | None,
) -> None:
    desk = await Desk.open(world, out_of_office_detection_settings=Jsonb(settings))
    letter = desk.letter(
        Subject="Automatic reply: Port fees", Auto_Submitted="auto-replied", text=f"I am out of office {text}.\n"
    )
    assert await desk.take_in(letter)
    lead = await desk.lead()
    assert ((lead["status"], lead["hold_reason"]), lead["category_id"]) == (expected, category)
    assert (lead["resume_at"] and f"{lead['resume_at']:%Y-%m-%d %H:%M}") == resumes_at
    [reason] = await explain(world.db, world.user_id, desk.campaign_id, world.now)
    assert reason.retry_at == (lead["resume_at"] or lead["due_at"])


async def test_a_lead_goes_on_by_itself_when_the_absence_is_over(world: World) -> None:
    desk = await Desk.open(world, out_of_office_detection_settings=Jsonb({"reactivateOOOwithDelay": 2}))
    await desk.take_in(desk.letter(Subject="Automatic reply: Port fees", Auto_Submitted="auto-replied"))
    back = world.now + timedelta(days=2)
    await tend(world.db, world.engine_id, back - timedelta(seconds=1))
    assert (await desk.lead())["status"] == "PAUSED"
    await tend(world.db, world.engine_id, back)
    lead = await desk.lead()
    assert (lead["status"], lead["hold_reason"], lead["due_at"], lead["resume_at"]) == ("INPROGRESS", None, back, None)
    world.now = back
    assert [attempt.lead.id for attempt in await world.plan()] == [lead["id"]]


async def test_a_person_who_paused_a_lead_decides_when_it_goes_on(world: World) -> None:
    desk = await Desk.open(world, out_of_office_detection_settings=Jsonb({"reactivateOOOwithDelay": 2}))
    await world.change(
        "campaign_leads", desk.mail["campaign_lead_id"], status="PAUSED", hold_reason="MANUAL", due_at=None
    )
    await desk.take_in(desk.letter(Subject="Automatic reply: Port fees", Auto_Submitted="auto-replied"))
    await tend(world.db, world.engine_id, world.now + timedelta(days=9))
    lead = await desk.lead()
    assert (lead["status"], lead["hold_reason"], lead["resume_at"]) == ("PAUSED", "MANUAL", None)


@pytest.mark.parametrize(
    ("is_on", "domain", "changes", "colleague"),
    [
        (True, "hexly.example", {}, ("PAUSED", "DOMAIN_REPLY")),
        (False, "hexly.example", {}, ("STARTED", None)),
        (True, "gmail.com", {}, ("STARTED", None)),  # not one company
        (True, "hexly.example", {"Auto_Submitted": "auto-replied"}, ("STARTED", None)),  # no person has answered
    ],
)
async def test_an_answer_holds_colleagues_in_the_same_campaign(
    *, world: World, is_on: bool, domain: str, changes: dict[str, str], colleague: tuple[str, str | None]
) -> None:
    desk = await Desk.open(world, domain=domain, auto_pause_domain_leads_on_reply=is_on)
    [same] = await world.leads(desk.campaign_id, 1, domain=domain)
    [stranger] = await world.leads(desk.campaign_id, 1, domain="tarn.example")
    [ended] = await world.leads(desk.campaign_id, 1, domain=domain)
    await world.change("campaign_leads", ended, status="COMPLETED")
    elsewhere = await world.campaign([desk.reader.mailbox_id])
    [other_campaign] = await world.leads(elsewhere, 1, domain=domain)
    await desk.take_in(desk.letter(**changes))
    states = {}
    for each in (same, stranger, other_campaign, ended):
        row = await world.row("campaign_leads", each)
        states[each] = (row["status"], row["hold_reason"])
    assert states == {
        same: colleague,
        stranger: ("STARTED", None),
        other_campaign: ("STARTED", None),
        ended: ("COMPLETED", None),
    }
    assert (await desk.lead())["hold_reason"] == "REPLIED"


async def test_a_receipt_changes_nothing(desk: Desk) -> None:
    letter = desk.letter(
        Subject="We have received your request [#4711]",
        Auto_Submitted="auto-generated",
        text="Your ticket was created. Please do not reply to this mail.\n",
    )
    with hearing(ReplyReceived) as heard:
        await desk.take_in(letter)
    assert heard.events == []
    assert [mail["kind"] for mail in await desk.received()] == ["AUTO_REPLY"]
    assert (await desk.lead())["status"] == "INPROGRESS"
    assert (await desk.sent_mail())["is_reply_ignored"] is False


async def test_somebody_who_has_left_is_the_wrong_person(desk: Desk) -> None:
    letter = desk.letter(
        Subject="Automatic reply: Port fees",
        Auto_Submitted="auto-replied",
        text="Ada Quill no longer works at Hexly. Please contact bo@hexly.example.\n",
    )
    await desk.take_in(letter)
    lead = await desk.lead()
    assert (lead["status"], lead["hold_reason"], lead["category_id"]) == ("STOPPED", "WRONG_PERSON", 7)
    [told] = await desk.auto_replies()
    assert (told["kind"], told["replacement_email"], told["returns_on"]) == ("GONE", "bo@hexly.example", None)


async def test_what_an_automatic_answer_says_is_kept(desk: Desk) -> None:
    text = "I am out of office until Friday. Please contact Bo Lund (bo.lund@hexly.example).\n"
    await desk.take_in(desk.letter(Subject="Automatic reply: Port fees", Auto_Submitted="auto-replied", text=text))
    stranger = desk.letter(
        In_Reply_To=None, From="Kim <kim@orr.example>", Auto_Submitted="auto-replied", Message_ID="<k@orr.example>"
    )
    await desk.take_in(stranger)
    [told, of_a_stranger] = await desk.auto_replies()
    assert (told["kind"], told["returns_on"], told["evidence"]) == (
        "OUT_OF_OFFICE",
        date(2026, 3, 6),
        "Auto-Submitted: auto-replied",
    )
    assert (told["replacement_name"], told["replacement_email"]) == ("Bo Lund", "bo.lund@hexly.example")
    assert (of_a_stranger["replacement_name"], of_a_stranger["replacement_email"]) == ("", None)


async def test_a_lead_that_went_on_by_itself_can_be_told(world: World) -> None:
    desk = await Desk.open(world, out_of_office_detection_settings=Jsonb({"reactivateOOOwithDelay": 2}))
    await desk.take_in(desk.letter(Subject="Automatic reply: Port fees", Auto_Submitted="auto-replied"))
    assert (await desk.lead())["has_returned"] is False
    await tend(world.db, world.engine_id, world.now + timedelta(days=2))
    assert (await desk.lead())["has_returned"] is True


@pytest.mark.parametrize("text", ["Unsubscribe", "Kein Interesse. Bitte streichen Sie mich aus Ihrem Verteiler."])
async def test_an_answer_that_asks_for_no_more_mail_is_an_unsubscribe(desk: Desk, text: str) -> None:
    with hearing(ReplyReceived) as heard:
        await desk.take_in(desk.letter(text=f"{text}\n"))
    lead, sent = await desk.lead(), await desk.sent_mail()
    assert (lead["status"], lead["hold_reason"]) == ("STOPPED", "UNSUBSCRIBED")
    assert sent["unsubscribed_at"] == desk.world.now
    assert len(heard.events) == 1  # it is an answer, too
    assert await desk.suppressed() == [desk.mail["to_email"]]
    assert sorted(await desk.world.events()) == [("REPLIED", lead["id"]), ("UNSUBSCRIBED", lead["id"])]


async def test_a_colleague_who_asks_for_it_speaks_for_both(desk: Desk) -> None:
    [colleague] = await desk.world.leads(desk.campaign_id, 1, domain="hexly.example")
    lead_id = (await desk.world.row("campaign_leads", colleague))["lead_id"]
    email = (await desk.world.row("leads", lead_id))["email"]
    await desk.take_in(desk.letter(From=f"Bo <{email}>", text="Please remove us from your list.\n"))
    assert await desk.suppressed() == sorted([desk.mail["to_email"], email])
    rows = [await desk.lead(), await desk.world.row("campaign_leads", colleague)]
    assert [(row["status"], row["hold_reason"]) for row in rows] == [("STOPPED", "UNSUBSCRIBED")] * 2


async def test_a_program_cannot_ask_for_it(desk: Desk) -> None:
    await desk.take_in(desk.letter(Auto_Submitted="auto-replied", text="I am away. Please unsubscribe me.\n"))
    assert await desk.suppressed() == []


@pytest.mark.parametrize("is_known", [True, False])
async def test_a_lead_may_ask_for_it_at_another_mailbox(world: World, is_known: bool) -> None:
    desk = await Desk.open(world)
    author = desk.mail["to_email"] if is_known else "kim@orr.example"
    desk.reader = Reader(world.user_id, await world.mailbox(), "other@quaydesk.example")
    await desk.take_in(desk.letter(From=author, In_Reply_To=None, Subject="Stop", text="Stop emailing me.\n"))
    assert [mail["kind"] for mail in await desk.received()] == ["UNTRACKED"]
    assert await desk.suppressed() == ([author] if is_known else [])


def _complaint(desk: Desk, *, feedback_type: str = "abuse", names_mail: bool = True) -> bytes:
    """As providers pass it on (RFC 5965, appendix B)."""
    message_id = f"Message-ID: <{desk.mail['message_id']}>\r\n" if names_mail else ""
    return (
        f"From: <abuse@mail.example>\r\nTo: {desk.mail['from_email']}\r\nSubject: FW: Port fees\r\n"
        "Message-ID: <complaint-1@mail.example>\r\nDate: Mon, 02 Mar 2026 09:21:00 +0000\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type=feedback-report; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: text/plain\r\n\r\nThis is an email abuse report.\r\n"
        "--b\r\nContent-Type: message/feedback-report\r\n\r\n"
        f"Feedback-Type: {feedback_type}\r\nUser-Agent: Loop/1.0\r\nVersion: 1\r\n"
        f"Original-Rcpt-To: <{desk.mail['to_email']}>\r\n\r\n"
        f"--b\r\nContent-Type: message/rfc822\r\n\r\n{message_id}Subject: Port fees\r\n\r\nHi\r\n--b--\r\n"
    ).encode()


@pytest.mark.parametrize("names_mail", [True, False])
async def test_whoever_calls_a_mail_spam_gets_no_more(desk: Desk, names_mail: bool) -> None:
    with hearing(ReplyReceived, UntrackedReplyReceived) as heard:
        assert await desk.take_in(_complaint(desk, names_mail=names_mail))
        assert not await desk.take_in(_complaint(desk, names_mail=names_mail))
    lead = await desk.lead()
    assert (lead["status"], lead["hold_reason"]) == ("STOPPED", "UNSUBSCRIBED")
    assert [mail["kind"] for mail in await desk.received()] == ["COMPLAINT"]
    assert await desk.suppressed() == [desk.mail["to_email"]]
    assert heard.events == []


@pytest.mark.parametrize("feedback_type", ["not-spam", "auth-failure"])
async def test_a_report_that_is_no_complaint_is_only_kept(desk: Desk, feedback_type: str) -> None:
    with hearing(UntrackedReplyReceived) as heard:
        await desk.take_in(_complaint(desk, feedback_type=feedback_type))
    assert [mail["kind"] for mail in await desk.received()] == ["UNTRACKED"]
    assert (await desk.suppressed(), heard.events) == ([], [])


def _report(desk: Desk, *, status: str, words: str, action: str = "failed", names_mail: bool = True) -> bytes:
    original = f"Message-ID: <{desk.mail['message_id']}>\r\nSubject: Port fees\r\n" if names_mail else "Subject: x\r\n"
    return (
        f"From: Mail Delivery System <MAILER-DAEMON@mx.hexly.example>\r\nTo: {desk.mail['from_email']}\r\n"
        "Subject: Undelivered Mail Returned to Sender\r\nMessage-ID: <report-1@mx.hexly.example>\r\n"
        "Date: Mon, 02 Mar 2026 09:21:00 +0000\r\nAuto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
        f"--b\r\nContent-Type: text/plain\r\n\r\nYour message could not be delivered: {words}\r\n"
        "--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.hexly.example\r\n\r\n"
        f"Final-Recipient: rfc822; {desk.mail['to_email']}\r\nAction: {action}\r\nStatus: {status}\r\n"
        f"Diagnostic-Code: smtp; {words}\r\n\r\n"
        f"--b\r\nContent-Type: text/rfc822-headers\r\n\r\n{original}\r\n--b--\r\n"
    ).encode()


@pytest.mark.parametrize("names_mail", [True, False])
async def test_a_hard_bounce_blocks_the_address(desk: Desk, names_mail: bool) -> None:
    report = _report(desk, status="5.1.1", words="550 5.1.1 User unknown", names_mail=names_mail)
    with hearing(MessageBounced) as heard:
        assert await desk.take_in(report)
        assert not await desk.take_in(report)
    sent, lead = await desk.sent_mail(), await desk.lead()
    assert (sent["bounce_kind"], sent["bounced_at"]) == ("HARD", desk.world.now)
    assert "User unknown" in sent["bounce_reason"]
    assert (lead["status"], lead["hold_reason"]) == ("BLOCKED", "BOUNCED")
    [event] = heard.events
    assert event.report_id == (await desk.received())[0]["id"]
    assert await desk.world.events() == [("BOUNCED", lead["id"])]
    [entry] = await fetch_dicts(desk.db, "SELECT email_or_domain FROM block_list")
    assert entry["email_or_domain"] == desk.mail["to_email"]


async def test_a_soft_bounce_leaves_the_lead_in_its_sequence(desk: Desk) -> None:
    assert await desk.take_in(_report(desk, status="4.2.2", words="452 4.2.2 Mailbox full"))
    assert (await desk.sent_mail())["bounce_kind"] == "SOFT"
    assert (await desk.lead())["status"] == "INPROGRESS"


async def test_a_report_about_another_mail_is_kept_and_nobody_is_told(desk: Desk) -> None:
    report = _report(desk, status="5.1.1", words="550 5.1.1 User unknown", names_mail=False)
    report = report.replace(desk.mail["to_email"].encode(), b"somebody@else.example")
    with hearing(MessageBounced, UntrackedReplyReceived) as heard:
        assert not await desk.take_in(report, only_matched=True)
        assert await desk.take_in(report)
    assert [mail["kind"] for mail in await desk.received()] == ["UNTRACKED"]
    assert heard.events == []


async def test_a_delay_is_no_bounce(desk: Desk) -> None:
    report = _report(desk, status="4.4.1", words="connection timed out", action="delayed")
    assert not await desk.take_in(report)
    assert (await desk.sent_mail())["bounce_kind"] is None


async def test_a_bounce_after_an_answer_changes_nothing_for_the_lead(desk: Desk) -> None:
    await desk.take_in(desk.letter())
    await desk.take_in(_report(desk, status="5.1.1", words="550 5.1.1 User unknown"))
    assert (await desk.lead())["status"] == "STOPPED"
    assert (await desk.sent_mail())["bounce_kind"] == "HARD"
    assert await fetch_dicts(desk.db, "SELECT id FROM block_list") == []


async def test_an_answer_that_is_not_tracked_is_one_all_the_same(world: World) -> None:
    desk = await Desk.open(world, track_settings=["DONT_REPLY_TO_AN_EMAIL"])
    await desk.take_in(desk.letter())
    await desk.take_in(_report(desk, status="5.1.1", words="550 5.1.1 User unknown"))
    assert (await desk.lead())["status"] == "STOPPED"


async def test_the_mailto_form_unsubscribes_with_a_genuine_token_only(desk: Desk) -> None:
    path = tokens.unsubscribe_path(make.VAULT, desk.world.user_id, desk.mail["campaign_lead_id"], desk.mail["to_email"])
    token = path.rsplit("/", 1)[1]
    forged = f"{token[:-4]}AAAA"
    await desk.take_in(desk.letter(Subject=f"unsubscribe {forged}", In_Reply_To=None, From="x@z.example"))
    assert (await desk.lead())["status"] == "INPROGRESS"
    await desk.take_in(desk.letter(Subject=f"unsubscribe {token}", In_Reply_To=None, Message_ID="<u@hexly.example>"))
    lead = await desk.lead()
    assert (lead["status"], lead["hold_reason"]) == ("STOPPED", "UNSUBSCRIBED")
    assert (await desk.sent_mail())["unsubscribed_at"] == desk.world.now
    assert await desk.world.events() == [("UNSUBSCRIBED", lead["id"])]


async def test_an_answer_settles_a_mail_in_doubt(desk: Desk) -> None:
    await desk.world.change("messages", desk.mail["id"], status="UNKNOWN", is_doubtful=True, sent_at=None)
    await desk.take_in(desk.letter())
    sent = await desk.sent_mail()
    assert (sent["status"], sent["sent_at"]) == ("SENT", sent["claimed_at"])


async def test_attachments_beyond_the_bounds_are_told_of(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "MAX_ATTACHMENT", 50)
    letter = desk.letter(In_Reply_To=None, From="Kim <kim@orr.example>")
    letter.add_attachment(b"x" * 60, maintype="video", subtype="mp4", filename="film.mp4")
    letter.add_attachment(b"x" * 50, maintype="image", subtype="png", filename="logo.png", cid="<logo@orr>")
    assert await desk.take_in(letter)
    files = await fetch_dicts(desk.db, "SELECT name, size, content, content_id FROM attachments ORDER BY id")
    assert [(file["name"], file["size"], file["content_id"]) for file in files] == [
        ("film.mp4", 60, None),
        ("logo.png", 50, "logo@orr"),
    ]
    assert [file["content"] for file in files] == [None, b"x" * 50]
    _, [reply] = await list_untracked(desk.db, desk.world.user_id, UntrackedFilter(), scope=None, offset=0, limit=9)
    assert [file["is_kept"] for file in reply["attachments"]] == [False, True]


async def test_attachments_and_bytes_are_kept(desk: Desk) -> None:
    letter = desk.letter()
    letter.add_attachment(b"%PDF-1.7", maintype="application", subtype="pdf", filename="spec.pdf")
    await desk.take_in(letter)
    [file] = await fetch_dicts(desk.db, "SELECT name, type, size, content FROM attachments")
    assert (file["name"], file["type"], bytes(file["content"])) == ("spec.pdf", "application/pdf", b"%PDF-1.7")
    [source] = await fetch_dicts(desk.db, "SELECT raw FROM message_sources")
    assert parse(bytes(source["raw"])).message_id == "answer-1@hexly.example"


async def test_garbage_is_kept_and_harms_nobody(desk: Desk) -> None:
    for number, raw in enumerate((b"", b"\x00\xff" * 500, b"From: \n\n", b"Subject: =?utf-8?b?!!!?=\n\nx" * 3)):
        await desk.take_in(raw)
        assert len(await desk.received()) <= number + 1
    assert (await desk.lead())["status"] == "INPROGRESS"
