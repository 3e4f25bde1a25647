"""A campaign from its making to its end, by HTTP and real mail: whatever people do ends where it should.

One campaign is run for all tests of this module; each looks at one side of what came of it.
"""

import csv
import hmac
import io
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.message import EmailMessage
from typing import Any

import httpx
import pytest

from outrider.sandbox import (
    GREYLISTED,
    MAILBOX_FULL,
    NO_SUCH_USER,
    Behaviour,
    Fault,
    Language,
    Moment,
    ReceivedMail,
    ReplyKind,
    Sandbox,
    UnsubscribeBy,
    steps_by_phrase,
)
from tests.support.campaign import Campaign, Port, call, connect_mailbox, eventually_equal
from tests.support.receiver import Receiver, Request
from tests.support.shape import assert_shape, example

STEPS = [
    {
        "seq_number": 1,
        "seq_delay_details": {"delay_in_days": 0},
        "subject": "{Port fees|Harbour fees}, {{first_name}}?",
        "email_body": '<div>Hi {{first_name | default: "there"}}, a question about <a href="https://quaydesk.example/fees">'
        "fees</a>.</div><div>%signature%</div>",
    },
    {
        "seq_number": 2,
        "seq_delay_details": {"delay_in_days": 2},
        "subject": "",
        "email_body": '<div>Coming back to my note. <a href="https://quaydesk.example/case">A case</a></div>',
    },
    {
        "seq_number": 3,
        "seq_delay_details": {"delay_in_days": 2},
        "subject": "Last word",
        "email_body": "<div>{{first_name}}, I close the file on this.</div>",
    },
]
STEP_OF = steps_by_phrase(["a question about", "coming back to my note", "close the file on"])
EVENTS = (
    "EMAIL_SENT",
    "FIRST_EMAIL_SENT",
    "EMAIL_OPEN",
    "EMAIL_LINK_CLICK",
    "EMAIL_REPLY",
    "EMAIL_BOUNCE",
    "LEAD_UNSUBSCRIBED",
    "CAMPAIGN_STATUS_CHANGED",
    "UNTRACKED_REPLIES",
)
SECONDS = 120


@dataclass(frozen=True, slots=True)
class Fate:
    """What a person does, and what must come of it: the lead's status and how many mails were taken for it."""

    behaviour: Behaviour
    status: str
    mail_count: int


PEOPLE = {
    "silent": Fate(Behaviour(), "COMPLETED", 3),
    "opener": Fate(Behaviour(opens=True), "COMPLETED", 3),
    "clicker": Fate(Behaviour(opens=True, clicks=True), "COMPLETED", 3),
    "replier": Fate(Behaviour(opens=True, replies=ReplyKind.INTERESTED), "STOPPED", 1),
    "german": Fate(Behaviour(replies=ReplyKind.QUESTION, language=Language.GERMAN), "STOPPED", 1),
    "late": Fate(Behaviour(replies=ReplyKind.NOT_INTERESTED, on_mail=2), "STOPPED", 2),
    "away": Fate(Behaviour(out_of_office=True), "COMPLETED", 3),
    "one-click": Fate(Behaviour(unsubscribes=UnsubscribeBy.ONE_CLICK), "STOPPED", 1),
    "page": Fate(Behaviour(unsubscribes=UnsubscribeBy.PAGE), "STOPPED", 1),
    "by-mail": Fate(Behaviour(unsubscribes=UnsubscribeBy.MAIL), "STOPPED", 1),
    "refused": Fate(Behaviour(bounces_at_rcpt=NO_SUCH_USER), "BLOCKED", 0),
    "returned": Fate(Behaviour(bounces_later=NO_SUCH_USER), "BLOCKED", 1),
    "full": Fate(Behaviour(bounces_later=MAILBOX_FULL), "COMPLETED", 3),
    "patient": Fate(Behaviour(), "COMPLETED", 3),
}
TAKEN = sum(fate.mail_count for fate in PEOPLE.values())
SENT = TAKEN + 1  # the refused one counts as sent and bounced
STRANGER = "kim@orr.example"
TOLD = {
    "EMAIL_SENT": TAKEN,
    "FIRST_EMAIL_SENT": len(PEOPLE) - 1,
    "EMAIL_OPEN": 3 + 3 + 1,
    "EMAIL_LINK_CLICK": 2,
    "EMAIL_REPLY": 3,
    "EMAIL_BOUNCE": 3,
    "LEAD_UNSUBSCRIBED": 3,
    "CAMPAIGN_STATUS_CHANGED": 2,
    "UNTRACKED_REPLIES": 2,
}


def address(person: str) -> str:
    return f"{person}@{person}-works.example"


def person_of(email: str) -> str:
    return email.partition("@")[0]


@dataclass(frozen=True, slots=True)
class Story:
    """What happened."""

    campaign: Campaign
    sandbox: Sandbox
    mailboxes: tuple[str, ...]
    webhook: dict[str, Any]
    receiver: Receiver

    @property
    def deliveries(self) -> list[Request]:
        """What this campaign's webhook got; other campaigns tell the same receiver."""
        return [each for each in self.receiver.requests if each.json["webhook_id"] == self.webhook["id"]]

    def payloads(self, event: str) -> list[dict[str, Any]]:
        return [each.json for each in self.deliveries if each.json["event_type"] == event]

    def mails(self, person: str) -> list[ReceivedMail]:
        return self.sandbox.mails_to(address(person))

    async def lead_id(self, person: str) -> int:
        return int((await self.campaign.leads())[address(person)]["lead"]["id"])


@pytest.fixture(scope="module")
async def story(api: httpx.AsyncClient, sandbox: Sandbox, receiver: Receiver) -> Story:
    """Two mailboxes, everybody once, a stranger, and the campaign until it is COMPLETED and all is told."""
    mailboxes = ("rita@quaydesk.example", "jo@quaydesk.example")
    ports = {"smtp": Port(sandbox.smtp_port), "imap": Port(sandbox.imap_port)}
    ids = []
    for mailbox in mailboxes:
        sandbox.add_mailbox(mailbox, "sand-castle")
        ids.append(await connect_mailbox(api, mailbox, "sand-castle", signature="<p>Quaydesk</p>", **ports))
    for person, fate in PEOPLE.items():
        sandbox.people[address(person)] = fate.behaviour
    sandbox.faults.add(Fault(Moment.RCPT, answer=GREYLISTED, recipient=address("patient"), times=2))
    campaign = await Campaign.make(
        api,
        "Harbour CFO outreach",
        mailbox_ids=ids,
        steps=STEPS,
        unsubscribe_text="No more mails, please",
        add_unsubscribe_tag=True,
        out_of_office_detection_settings={"ignoreOOOasReply": True},
    )
    webhook = await campaign.add_webhook(receiver.url, EVENTS)
    await campaign.add_leads([{"email": address(person), "first_name": person.title()} for person in PEOPLE])
    await campaign.start()
    await campaign.until_status("COMPLETED", seconds=SECONDS)
    for mailbox in mailboxes:
        await sandbox.put(mailbox, letter_of_a_stranger(mailbox))
    await sandbox.settle()
    finished = Story(campaign, sandbox, mailboxes, webhook, receiver)
    await eventually_equal(lambda: told(finished), TOLD | {"unconfirmed": 0}, seconds=SECONDS)
    return finished


def letter_of_a_stranger(mailbox: str) -> bytes:
    letter = EmailMessage()
    letter["From"], letter["To"], letter["Subject"] = f"Kim Orr <{STRANGER}>", mailbox, "Question"
    letter["Message-ID"] = f"<{mailbox.partition('@')[0]}@orr.example>"
    letter.set_content("Who are you?")
    return letter.as_bytes()


async def told(story: Story) -> dict[str, int]:
    """What the receiver has got, by event; everything counts once it is confirmed."""
    counts = Counter(each.json["event_type"] for each in story.deliveries)
    summary = await story.campaign.webhook_summary()
    return counts | {"unconfirmed": int(summary["sent_count"]) - int(summary["successful_count"])}


async def test_every_lead_ends_where_it_should(story: Story) -> None:
    statuses = {person_of(email): status for email, status in (await story.campaign.statuses()).items()}
    assert statuses == {person: fate.status for person, fate in PEOPLE.items()}


def test_nobody_gets_a_mail_too_much_or_too_little(story: Story) -> None:
    assert {person: len(story.mails(person)) for person in PEOPLE} == {
        person: fate.mail_count for person, fate in PEOPLE.items()
    }
    assert [[STEP_OF(mail) for mail in story.mails(person)] for person in PEOPLE] == [
        list(range(1, fate.mail_count + 1)) for fate in PEOPLE.values()
    ]


async def test_the_figures_are_those_of_the_sandbox(story: Story) -> None:
    people = story.sandbox.tally(STEP_OF).people
    counts = [people[address(person)] for person in PEOPLE]
    figures = await story.campaign.figures()
    assert_shape(figures, example("analytics"))
    assert {name: int(figures[name]) for name in figures if name.endswith("_count")} == {
        "sent_count": sum(each.accepted + each.bounced_at_rcpt for each in counts),
        "unique_sent_count": len(PEOPLE),
        "open_count": sum(each.opened for each in counts),
        "unique_open_count": sum(each.as_flags().opened for each in counts),
        "click_count": sum(each.clicked for each in counts),
        "unique_click_count": sum(each.as_flags().clicked for each in counts),
        "reply_count": sum(each.replied for each in counts),
        "bounce_count": sum(each.bounced for each in counts),
        "unsubscribed_count": sum(each.unsubscribed for each in counts),
        "block_count": 0,
        "drafted_count": 0,
        "total_count": SENT,
        "sequence_count": 3,
    }
    assert figures["sent_count"] == str(SENT)
    ends = Counter(fate.status for fate in PEOPLE.values())
    leads = figures["campaign_lead_stats"]
    assert [leads[name] for name in ("completed", "stopped", "blocked", "paused", "inprogress", "notStarted")] == [
        ends["COMPLETED"],
        ends["STOPPED"],
        ends["BLOCKED"],
        0,
        0,
        0,
    ]


async def test_statistics_list_every_mail(story: Story) -> None:
    statistics = await story.campaign.call("GET", "/statistics", params={"limit": 1000})
    assert_shape(statistics, example("statistics"))
    rows = statistics["data"]
    assert (statistics["total_stats"], len(rows)) == (str(SENT), SENT)
    assert len({row["stats_id"] for row in rows}) == SENT
    assert [row["sent_time"] for row in rows] == sorted(row["sent_time"] for row in rows)
    bounced = {person_of(row["lead_email"]) for row in rows if row["is_bounced"]}
    unsubscribed = {person_of(row["lead_email"]) for row in rows if row["is_unsubscribed"]}
    ignored = {person_of(row["lead_email"]) for row in rows if row["ignore_reply"]}
    assert bounced == {"refused", "returned", "full"}
    assert unsubscribed == {"one-click", "page", "by-mail"}
    assert ignored == {"away"}


async def test_the_history_of_a_conversation(story: Story) -> None:
    lead_id = await story.lead_id("replier")
    history = await story.campaign.call("GET", f"/leads/{lead_id}/message-history")
    assert_shape(history, example("message_history"))
    sent, reply = history["history"]
    (mail,) = story.mails("replier")
    assert (sent["type"], reply["type"]) == ("SENT", "REPLY")
    assert sent["message_id"] == f"<{mail.message_id}>" == f"<{sent['stats_id']}@quaydesk.example>"
    assert (reply["stats_id"], reply["from"], reply["to"]) == (
        sent["stats_id"],
        address("replier"),
        mail.envelope_sender,
    )
    assert sent["open_count"] == 1


async def test_a_report_stands_in_the_history_of_its_lead(story: Story) -> None:
    history = await story.campaign.history(await story.lead_id("returned"))
    assert [item["type"] for item in history] == ["SENT", "REPLY"]
    assert history[1]["from"].lower().startswith("mailer-daemon@")


async def test_follow_ups_stay_in_the_thread(story: Story) -> None:
    first, second, third = story.mails("silent")
    assert first.subject in {"Port fees, Silent?", "Harbour fees, Silent?"}
    assert second.subject == f"Re: {first.subject}"
    assert (second.in_reply_to, second.references) == (first.message_id, (first.message_id,))
    assert (third.subject, third.in_reply_to, third.references) == ("Last word", "", ())
    assert len({mail.envelope_sender for mail in (first, second, third)}) == 1


async def test_both_mailboxes_take_their_share_and_keep_copies(story: Story) -> None:
    senders = Counter(mail.envelope_sender for person in PEOPLE for mail in story.mails(person))
    assert set(senders) == set(story.mailboxes)
    for mailbox in story.mailboxes:
        copies = Counter(await story.sandbox.folder(mailbox, "Sent"))
        assert copies == Counter(mail.raw for mail in story.sandbox.mails if mail.envelope_sender == mailbox)


def test_mails_offer_a_way_out(story: Story) -> None:
    (mail,) = story.mails("one-click")
    assert mail.offers_one_click
    assert [way.partition(":")[0] for way in mail.unsubscribe_addresses] == ["http", "mailto"]
    assert "No more mails, please" in mail.html


async def test_who_unsubscribed_is_known_everywhere(story: Story) -> None:
    for person in ("one-click", "page", "by-mail"):
        lead = await call(story.campaign.api, "GET", "/leads", params={"email": address(person)})
        assert lead["is_unsubscribed"] is True, person


async def test_addresses_that_do_not_exist_are_on_the_block_list(story: Story) -> None:
    entries = await call(story.campaign.api, "GET", "/leads/get-domain-block-list", params={"limit": 1000})
    bounced = {entry["email_or_domain"]: entry["source"] for entry in entries}
    for person in ("refused", "returned"):
        assert bounced[address(person)] == "Smartlead.ai Bounce Detection"
    assert address("full") not in bounced


def test_webhooks_are_signed_and_arrive_once(story: Story) -> None:
    for each in story.deliveries:
        digest = hmac.digest(story.webhook["secret_key"].encode(), each.body, "sha256").hex()
        assert each.headers["x-smartlead-signature"] == f"sha256={digest}"
        assert each.json["secret_key"] == story.webhook["secret_key"]
    ids = [each.headers["x-request-id"] for each in story.deliveries]
    assert len(set(ids)) == len(ids)


def test_webhooks_tell_everything_that_happened(story: Story) -> None:
    assert Counter(each.json["event_type"] for each in story.deliveries) == TOLD
    changes = [(each["previous_status"], each["current_status"]) for each in story.payloads("CAMPAIGN_STATUS_CHANGED")]
    assert changes == [("DRAFTED", "ACTIVE"), ("ACTIVE", "COMPLETED")]


@pytest.mark.parametrize("event", EVENTS)
def test_payloads_have_the_shape_of_the_reference(story: Story, event: str) -> None:
    name = "email_sent" if event == "FIRST_EMAIL_SENT" else event.lower()
    for payload in story.payloads(event):
        wanted = example(name, area="webhooks")
        wanted.pop("reply_category", None)  # nobody has put these leads into a category
        assert_shape(payload, wanted)


def test_replies_are_told_with_what_was_written(story: Story) -> None:
    replies = {person_of(each["to_email"]): each for each in story.payloads("EMAIL_REPLY")}
    assert set(replies) == {"replier", "german", "late"}
    assert [replies[person]["sequence_number"] for person in ("replier", "german", "late")] == [1, 1, 2]
    for person, reply in replies.items():
        assert reply["leadCorrespondence"] == {
            "targetLeadEmail": address(person),
            "replyReceivedFrom": address(person),
            "repliedCompanyDomain": "SameCompany",
        }
        assert reply["sent_message"]["message_id"] == f"<{story.mails(person)[-1].message_id}>"
        assert "a question about" not in reply["preview_text"]


def test_a_stranger_is_told_apart(story: Story) -> None:
    untracked = story.payloads("UNTRACKED_REPLIES")
    assert {each["to_email"] for each in untracked} == set(story.mailboxes)
    assert {(each["from_email"], each["visible_text"].strip()) for each in untracked} == {(STRANGER, "Who are you?")}


async def test_the_summary_counts_what_was_delivered(story: Story) -> None:
    summary = await story.campaign.webhook_summary()
    told = Counter(each.json["event_type"] for each in story.deliveries)
    assert (summary["sent_count"], summary["successful_count"], summary["failed_count"]) == (
        told.total(),
        told.total(),
        0,
    )
    assert summary["event_types"] == told


async def test_one_thing_has_one_number(story: Story) -> None:
    """Mails, opens, clicks, answers, bounces, unsubscribes: whichever report, file or summary is asked."""
    campaign = story.campaign
    mails = (await campaign.call("GET", "/statistics", params={"limit": 1000}))["data"]
    first, last = (datetime.fromisoformat(mails[end]["sent_time"]).date() for end in (0, -1))
    days = {"start_date": str(first), "end_date": str(last + timedelta(days=10)), "timezone": "UTC"}
    one = {"campaign_ids": campaign.id, **days}

    async def report(path: str, **query: Any) -> Any:
        return (await call(campaign.api, "GET", f"/analytics/{path}", params={**one, **query}))["data"]

    def summed(rows: list[dict[str, Any]], *names: str) -> tuple[int, ...]:
        return tuple(sum(int(row[name]) for row in rows) for name in names)

    top = await campaign.figures()
    counts = ("sent_count", "open_count", "click_count", "reply_count", "bounce_count", "unsubscribed_count")
    figures = tuple(int(top[name]) for name in counts)
    assert figures == (
        len(mails),
        sum(row["open_time"] is not None for row in mails),
        sum(row["click_time"] is not None for row in mails),
        sum(row["reply_time"] is not None for row in mails),  # nobody answers twice here
        sum(row["is_bounced"] for row in mails),
        sum(row["is_unsubscribed"] for row in mails),
    )
    sent, opened, clicked, replied, bounced, unsubscribed = figures
    for path in ("/mailbox-statistics", "/sequence-analytics", "/variant-statistics"):
        assert summed((await campaign.call("GET", path))["data"], *counts) == figures
    for path in ("/analytics-by-date", "/top-level-analytics-by-date"):
        assert summed([await campaign.call("GET", path, params=days)], *counts) == figures
    leads = (await campaign.call("GET", "/leads-statistics"))["data"]
    assert summed(leads, "sent_count", "reply_count") == (sent, replied)
    visits = (await campaign.call("GET", "/engagement"))["data"]
    assert (visits["opens"]["human"]["mail_count"], visits["clicks"]["human"]["mail_count"]) == (opened, clicked)
    export = await campaign.api.get(f"/campaigns/{campaign.id}/leads-export")
    lines = list(csv.DictReader(io.StringIO(export.text)))
    hits = ("open_count", "click_count")
    assert summed(lines, "reply_count", *hits) == (replied, *summed(mails, *hits)) == (replied, *summed(leads, *hits))

    names = ("sent", "opened", "replied", "bounced")
    wanted = (sent, opened, replied, bounced)
    overall = (await report("overall-stats-v2"))["overall_stats"]
    assert summed([overall], *names) == wanted
    assert (overall["unique_lead_count"], overall["unique_open_count"]) == (
        int(top["unique_sent_count"]),
        int(top["unique_open_count"]),
    )
    assert summed((await report("campaign/overall-stats"))["campaign_wise_performance"], *names) == wanted
    assert summed((await report("mailbox/name-wise-health-metrics"))["email_health_metrics"], *names) == wanted
    for path in ("day-wise-overall-stats", "day-wise-overall-stats-by-sent-time"):
        rows = [row["email_engagement_metrics"] for row in (await report(path))["day_wise_stats"]]
        assert summed(rows, *names, "unsubscribed") == (*wanted, unsubscribed)
    file = await campaign.api.get("/analytics/overall-stats-v2", params={**one, "format": "csv"})
    assert summed(list(csv.DictReader(io.StringIO(file.text))), *names) == wanted

    told = (await campaign.webhook_summary())["event_types"]
    refused = 1  # counts as sent, and is told as a bounce only
    assert told["EMAIL_SENT"] + refused == sent
    assert (told["EMAIL_OPEN"], told["EMAIL_REPLY"], told["EMAIL_BOUNCE"]) == (opened, replied, bounced)
    assert (told["EMAIL_LINK_CLICK"], told["LEAD_UNSUBSCRIBED"]) == (clicked, unsubscribed)


async def test_the_export_agrees(story: Story) -> None:
    answer = await story.campaign.api.get(f"/campaigns/{story.campaign.id}/leads-export")
    rows = {person_of(row["email"]): row for row in csv.DictReader(io.StringIO(answer.text))}
    assert {person: row["status"] for person, row in rows.items()} == {
        person: fate.status for person, fate in PEOPLE.items()
    }
    assert (rows["clicker"]["click_count"], rows["replier"]["reply_count"], rows["silent"]["open_count"]) == (
        "2",
        "1",
        "0",
    )
    assert rows["late"]["last_email_sequence_sent"] == "2"
