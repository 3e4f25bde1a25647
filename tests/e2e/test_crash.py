"""Engines are killed again and again while a campaign runs: nobody gets a step twice, nothing is lost or unexplained.

Two of them share the mailboxes. One ends by SIGKILL at moments drawn from a seed, in the middle of sending and while it
starts; the other takes over, its supervisor starts another one. Afterwards the product's own books are compared with
each other, and with what the sandbox saw.
"""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass

import httpx
import pytest

from outrider.engine import survey
from outrider.kit.db import Database
from outrider.sandbox import Act, Counts, People, ReceivedMail, Sandbox, steps_by_phrase
from outrider.sandbox.people import dice
from tests.e2e import ledger
from tests.support.campaign import EVERY_HOUR, Campaign, Port, connect_mailbox, eventually, until_equal
from tests.support.installation import Account, Place, children_of
from tests.support.receiver import Receiver

# Each kill waits for another process to start, which a busy machine takes its time for.
pytestmark = pytest.mark.timeout(900)

SEED = "crash"
KILLS = 20
LEADS = 150
AT_START, AT_ONCE = 0.25, 0.3
PATIENCE_SECONDS = 30
SECONDS = 120
DOMAIN = "tallow.example"
PHRASES = ("a question about", "coming back to my note", "close the file on")
STEPS = [
    {
        "seq_number": 1,
        "seq_delay_details": {"delay_in_days": 0},
        "seq_variants": [
            {"subject": "Port fees, {{first_name}}?", "email_body": f"<p>{{Hi|Hello}}, {PHRASES[0]} fees.</p>{link}"}
            for link in ("", '<a href="https://quaydesk.example/fees">fees</a>')
        ],
    },
    {"seq_number": 2, "seq_delay_details": {"delay_in_days": 1}, "email_body": f"<p>I am {PHRASES[1]}.</p>"},
    {
        "seq_number": 3,
        "seq_delay_details": {"delay_in_days": 1},
        "subject": "Last",
        "email_body": f"<p>I {PHRASES[2]} it.</p>",
    },
]
WORLD = People(out_of_office=0.04, reply=0.1, unsubscribe=0.04, bounce_at_rcpt=0.04, bounce_later=0.04)
SCHEDULE = EVERY_HOUR | {"min_time_btw_emails": 15}
"""About ten mails a second from each mailbox: a kill always finds some on their way."""


class Killer:
    """Kills one of the engines below these processes, at a moment that the dice tell."""

    def __init__(self, trees: Sequence[int], sandbox: Sandbox) -> None:
        self.killed: list[int] = []
        self._trees = trees
        self._random = dice(SEED, "killer")
        self._left = 0
        self._enough = asyncio.Event()
        sandbox.listen(self._happened)

    def _happened(self, event: ReceivedMail | Act) -> None:
        """The mail that the engine does not survive is taken and not answered yet."""
        if self._left == 0 or not isinstance(event, ReceivedMail):
            return
        self._left -= 1
        if self._left == 0:
            self._enough.set()
            if self._random.random() < AT_ONCE:
                self.kill()

    async def strike(self) -> None:
        """While one starts, or when they have sent some mails: in the middle of one, or a moment later."""
        await eventually(self._is_alive, seconds=SECONDS, what="an engine has been started")
        before = len(self.killed)
        if self._random.random() < AT_START:
            await asyncio.sleep(self._random.uniform(0, 1.5))
        else:
            self._left = self._random.randint(1, 25)
            self._enough.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._enough.wait(), PATIENCE_SECONDS)
            await asyncio.sleep(self._random.uniform(0, 0.03))
        if len(self.killed) == before:
            self.kill()

    def kill(self) -> None:
        """SIGKILL, as the kernel does when memory runs out, or a machine that is gone."""
        living = self._living()
        if living:
            pid = self._random.choice(living)
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                self.killed.append(pid)

    async def is_started_again(self) -> bool:
        return len(self._living()) == len(self._trees)

    async def _is_alive(self) -> bool:
        return bool(self._living())

    def _living(self) -> list[int]:
        return [pid for tree in self._trees for pid in children_of(tree, "engine") if pid not in self.killed]


@dataclass(frozen=True, slots=True)
class Aftermath:
    """What is left when the campaign is over."""

    campaign: Campaign
    mailbox_ids: list[int]
    user_id: int
    place: Place
    database: Database
    mails: list[ReceivedMail]
    refused: Counter[str]
    duplicates: int
    receiver: Receiver
    killer: Killer
    acts: dict[str, int]
    noted: dict[str, int]

    async def books(self) -> list[ledger.Mail]:
        async with self.database.connection() as db:
            return await ledger.list_mails(db, self.campaign.id)


def lead(number: int) -> str:
    return f"person{number}@{DOMAIN}"


@pytest.fixture(scope="module")
async def aftermath(
    place: Place, account: Account, api: httpx.AsyncClient, sandbox: Sandbox, receiver: Receiver
) -> AsyncIterator[Aftermath]:
    """Two engines share the work, one in the installation, one apart."""
    mailbox_ids = [await connect(api, sandbox, number) for number in range(3)]
    for number in range(LEADS):
        sandbox.people[lead(number)] = WORLD.draw(dice(SEED, number))
    async with AsyncExitStack() as stack:
        assert place.process
        killer = Killer([place.process.pid, stack.enter_context(place.another_engine())], sandbox)
        database = await Database.open(place.database_url, max_size=2)
        stack.push_async_callback(database.close)
        campaign = await make_campaign(api, mailbox_ids, receiver)
        while len(killer.killed) < KILLS and await campaign.status() == "ACTIVE":
            await killer.strike()
        await campaign.until_status("COMPLETED", seconds=SECONDS)
        await sandbox.settle()
        tally = sandbox.tally(steps_by_phrase(PHRASES))
        people = {email: counts for email, counts in tally.people.items() if email.endswith(f"@{DOMAIN}")}
        acts = acts_of(people.values())
        found = await until_equal(lambda: noted(database, campaign), acts, seconds=SECONDS)
        yield Aftermath(
            campaign=campaign,
            mailbox_ids=mailbox_ids,
            user_id=account.user_id,
            place=place,
            database=database,
            mails=[mail for mail in sandbox.mails if mail.recipient in people],
            refused=Counter({email: counts.bounced_at_rcpt for email, counts in people.items()}),
            duplicates=sum(counts.duplicates for counts in people.values()),
            receiver=receiver,
            killer=killer,
            acts=acts,
            noted=found,
        )


async def connect(api: httpx.AsyncClient, sandbox: Sandbox, number: int) -> int:
    """The first mailbox is a plain one; the servers of the others keep what they take, so doubts can be settled."""
    address, is_kept = f"sender{number}@crash-{number}.example", number > 0
    sandbox.add_mailbox(address, "sand-castle", copies_to_sent=is_kept)
    return await connect_mailbox(
        api,
        address,
        "sand-castle",
        smtp=Port(sandbox.smtp_port),
        imap=Port(sandbox.imap_port),
        type="GMAIL" if is_kept else "SMTP",
        max_email_per_day=400,
    )


async def make_campaign(api: httpx.AsyncClient, mailbox_ids: list[int], receiver: Receiver) -> Campaign:
    campaign = await Campaign.make(
        api,
        "Killed again and again",
        mailbox_ids=mailbox_ids,
        steps=STEPS,
        schedule=SCHEDULE,
        unsubscribe_text="No more mails, please",
        add_unsubscribe_tag=True,
    )
    await campaign.add_webhook(receiver.url, ["EMAIL_SENT", "EMAIL_REPLY", "EMAIL_BOUNCE", "CAMPAIGN_STATUS_CHANGED"])
    await campaign.add_leads([{"email": lead(number), "first_name": f"Person {number}"} for number in range(LEADS)])
    await campaign.start()
    return campaign


def acts_of(people: Iterable[Counts]) -> dict[str, int]:
    """What people did, in the product's words; a bounce at RCPT may be one that the engine did not live to hear of."""
    done = Counts.sum(people)
    return {
        "opened": done.opened,
        "clicked": done.clicked,
        "unsubscribed": done.unsubscribed,
        "received": done.replied + done.out_of_office + done.bounced_later,
        "untold": 0,
    }


async def noted(database: Database, campaign: Campaign) -> dict[str, int]:
    """What the product has heard of, and how many webhooks are still on their way."""
    async with database.connection() as db:
        counts = await ledger.count_acts(db, campaign.id)
    summary = await campaign.webhook_summary()
    return counts | {"untold": int(summary["sent_count"]) - int(summary["successful_count"])}


def test_the_engine_was_killed_often_enough(aftermath: Aftermath) -> None:
    assert len(set(aftermath.killer.killed)) >= KILLS


def test_nobody_gets_a_step_twice(aftermath: Aftermath) -> None:
    assert aftermath.duplicates == 0
    steps = Counter((mail.recipient, steps_by_phrase(PHRASES)(mail)) for mail in aftermath.mails)
    assert [key for key, count in steps.items() if count > 1] == []
    assert None not in {step for _, step in steps}


async def test_every_mail_that_left_is_in_the_books(aftermath: Aftermath) -> None:
    """And the other way round: what is called sent was taken; what was not is in doubt and counted as such."""
    books = {mail.message_id: mail for mail in await aftermath.books()}
    taken = {mail.message_id for mail in aftermath.mails}
    assert taken <= books.keys()
    by_status = {
        status: {mail.message_id for mail in books.values() if mail.status == status} for status in ("SENT", "UNKNOWN")
    }
    assert by_status["SENT"] <= taken
    assert taken - by_status["SENT"] <= by_status["UNKNOWN"]
    refused = Counter(mail.to_email for mail in books.values() if mail.status == "BOUNCED")
    assert refused <= aftermath.refused
    lost = aftermath.refused - refused
    doubtful = Counter(mail.to_email for mail in books.values() if mail.status == "UNKNOWN")
    assert lost <= doubtful  # refused, and killed before it was written down
    assert {mail.status for mail in books.values()} <= {"SENT", "UNKNOWN", "BOUNCED"}


def test_what_people_did_is_noted_once(aftermath: Aftermath) -> None:
    assert aftermath.noted == aftermath.acts


async def test_every_lead_has_an_explanation(aftermath: Aftermath) -> None:
    async with aftermath.database.connection() as db:
        leads = await ledger.list_leads(db, aftermath.campaign.id)
        now = aftermath.place.clock.now()
        reasons = {
            reason.campaign_lead_id: reason.text
            for reason in await survey.explain(db, aftermath.user_id, aftermath.campaign.id, now)
        }
    steps: dict[int, list[int]] = {}
    for mail in await aftermath.books():
        steps.setdefault(mail.campaign_lead_id, []).append(mail.step_number)
    assert len(leads) == LEADS
    for each in leads:
        got = sorted(steps.get(each["id"], []))
        assert got == list(range(1, len(got) + 1)), each
        assert each["last_step_number"] == len(got), each
        assert each["due_at"] is None, each
        if each["status"] == "COMPLETED":
            assert len(got) == len(STEPS), each
        else:
            assert (each["status"], bool(each["hold_reason"])) in {("STOPPED", True), ("BLOCKED", True)}, each
            assert reasons[each["id"]], each


async def test_one_mailbox_writes_to_a_lead(aftermath: Aftermath) -> None:
    senders: dict[int, set[int]] = {}
    for mail in await aftermath.books():
        senders.setdefault(mail.campaign_lead_id, set()).add(mail.mailbox_id)
    assert {len(mailbox_ids) for mailbox_ids in senders.values()} == {1}


async def test_counters_equal_events(aftermath: Aftermath) -> None:
    for mail in await aftermath.books():
        assert mail.of("SENT") == (mail.status == "SENT"), mail
        assert mail.of("FAILED") == (mail.status == "UNKNOWN"), mail
        assert mail.of("OPENED") == mail.open_count, mail
        assert mail.of("CLICKED") == mail.click_count, mail
        assert (mail.of("REPLIED") > 0) == mail.is_replied, mail
        assert mail.of("BOUNCED") == mail.is_bounced, mail
        assert mail.of("UNSUBSCRIBED") == mail.is_unsubscribed, mail


async def test_days_and_variants_count_every_mail_once(aftermath: Aftermath) -> None:
    books = await aftermath.books()
    async with aftermath.database.connection() as db:
        days = await ledger.sum_days(db, aftermath.campaign.id)
        by_mailbox = await ledger.sum_mailbox_days(db, aftermath.mailbox_ids)
        counted, found = await ledger.count_variants(db, aftermath.campaign.id)
    first_mails = sum(mail.step_number == 1 for mail in books)
    assert days == {"first_mails": first_mails, "follow_ups": len(books) - first_mails}
    assert by_mailbox == Counter(mail.mailbox_id for mail in books)
    assert counted == found


async def test_the_figures_are_those_of_the_books(aftermath: Aftermath) -> None:
    figures = await aftermath.campaign.figures()
    books = await aftermath.books()
    sent = [mail for mail in books if mail.status in {"SENT", "BOUNCED"}]
    assert int(figures["sent_count"]) == len(sent)
    assert int(figures["open_count"]) == sum(mail.open_count > 0 for mail in sent)
    assert int(figures["click_count"]) == sum(mail.click_count > 0 for mail in sent)
    assert int(figures["bounce_count"]) == sum(mail.is_bounced for mail in sent)
    assert int(figures["reply_count"]) == len({mail.campaign_lead_id for mail in sent if mail.is_replied})


async def test_no_mail_is_left_on_its_way(aftermath: Aftermath) -> None:
    async with aftermath.database.connection() as db:
        assert await ledger.count_dispatches(db, aftermath.campaign.id) == 0


async def test_every_event_reached_its_receiver(aftermath: Aftermath) -> None:
    """At least once: a killed engine cannot know whether the receiver has heard; the request's id tells repeats."""
    requests = [each for each in aftermath.receiver.requests if each.json["campaign_id"] == aftermath.campaign.id]
    once = {each.headers["x-request-id"]: each.json["event_type"] for each in requests}
    summary = await aftermath.campaign.webhook_summary()
    assert Counter(once.values()) == summary["event_types"]
    books = await aftermath.books()
    assert summary["event_types"]["EMAIL_SENT"] == sum(mail.of("SENT") for mail in books)
    assert summary["event_types"]["EMAIL_BOUNCE"] == sum(mail.of("BOUNCED") for mail in books)
    assert summary["event_types"]["EMAIL_REPLY"] == sum(mail.of("REPLIED") for mail in books)


async def test_nothing_is_sent_after_the_end(aftermath: Aftermath, sandbox: Sandbox) -> None:
    """Whatever a new engine finds: half a day later the campaign is as it was."""
    aftermath.killer.kill()
    await eventually(aftermath.killer.is_started_again, seconds=SECONDS, what="another engine has been started")
    count = len(aftermath.mails)
    await aftermath.place.clock.sleep(12 * 3600)
    assert sum(mail.recipient.endswith(f"@{DOMAIN}") for mail in sandbox.mails) == count
    assert await aftermath.campaign.status() == "COMPLETED"
