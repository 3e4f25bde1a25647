"""What people do with the mails they get: they open, click, answer, are out of office, unsubscribe; some bounce later.

What they do comes in by the doors of the product: tracking hits, tokens of the way out, mails that are read by IMAP.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from email import message_from_bytes
from urllib.parse import urlsplit

from outrider.engine.inbound.arrival import Reader
from outrider.engine.inbound.intake import take_in
from outrider.kit.db import Database, fetch_dicts
from outrider.sandbox import bounces, letters
from outrider.sandbox.letters import Letter, Person
from outrider.sandbox.people import MAILBOX_FULL, NO_SUCH_USER, SPAM_POLICY, Language, ReplyKind
from outrider.tracking import actions as tracking
from outrider.tracking import tokens
from outrider.tracking.models import HitKind, Visit
from outrider.tracking.rules import load_rules
from outrider.tracking.store import insert_visits
from tests.simulation.servers import Submission
from tests.simulation.story import Story
from tests.simulation.world import World, learn_leads
from tests.support import make

Act = Callable[[], Awaitable[None]]
_BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
_RULES = load_rules()
_KINDS = ("answers", "is away", "opens", "clicks", "unsubscribes", "writes to unsubscribe", "bounces")


class People:
    """`react` gives what somebody will do with a mail, and when."""

    def __init__(self, story: Story, world: World, database: Database, *, activity: float) -> None:
        self._story = story
        self._world = world
        self._database = database
        self._activity = activity

    def react(self, got: Submission) -> list[tuple[datetime, Act]]:
        if not got.is_taken or not self._story.happens(self._activity):
            return []
        kind = self._story.random.choice(_KINDS)
        after = timedelta(seconds=self._story.random.choice((90, 3_600, 40_000, 200_000)))
        return [(got.at + after, lambda: self._do(kind, got))]

    async def _do(self, kind: str, got: Submission) -> None:
        self._story.tell(self._world.now, f"{got.address} {kind} (step {got.step_number})")
        await {
            "answers": self._answer,
            "is away": self._be_away,
            "opens": self._open,
            "clicks": self._click,
            "unsubscribes": self._unsubscribe,
            "writes to unsubscribe": self._write_to_unsubscribe,
            "bounces": self._bounce,
        }[kind](got)

    async def _answer(self, got: Submission) -> None:
        letter = letters.reply(
            got.mail, ReplyKind.INTERESTED, person=_person(got), now=self._world.now, random=self._story.random
        )
        campaign = self._world.campaigns[got.campaign_id]
        if campaign.stop_rule != "NEVER" or campaign.parent_id is not None:
            self._world.barred_leads[got.campaign_lead_id] = "has answered"
        self._end_subsequences(got)
        await self._deliver(got, letter)
        self._know(got, letter)

    def _end_subsequences(self, got: Submission) -> None:
        """Those that an answer in the parent ends."""
        for each in self._world.in_subsequences(got.campaign_lead_id):
            where = self._world.leads.get(each)
            if where and self._world.campaigns[where[0]].stops_on_parent_reply:
                self._world.barred_leads[each] = "has answered in the parent"

    def _know(self, got: Submission, letter: Letter) -> None:
        message_id = message_from_bytes(letter.raw)["Message-ID"].strip(" <>")
        self._world.known_mails[self._world.origin(got.campaign_lead_id)].append(message_id)

    async def _be_away(self, got: Submission) -> None:
        letter = letters.out_of_office(got.mail, person=_person(got), now=self._world.now, random=self._story.random)
        campaign = self._world.campaigns[got.campaign_id]
        counts = not (campaign.ignores_out_of_office or campaign.waits_for_return)
        if counts and (campaign.stop_rule != "NEVER" or campaign.parent_id is not None):
            self._world.barred_leads[got.campaign_lead_id] = "was out of office, which counts as an answer"
        if counts:
            self._end_subsequences(got)
        await self._deliver(got, letter)
        if not campaign.ignores_out_of_office:
            self._know(got, letter)

    async def _open(self, got: Submission) -> None:
        await self._hit(got, HitKind.OPEN, None)
        if self._world.campaigns[got.campaign_id].stop_rule == "OPEN_AN_EMAIL":
            self._world.barred_leads[got.campaign_lead_id] = "has opened a mail"

    async def _click(self, got: Submission) -> None:
        await self._hit(got, HitKind.CLICK, f"https://a.example/{got.step_number}")
        if self._world.campaigns[got.campaign_id].stop_rule == "CLICK_ON_A_LINK":
            self._world.barred_leads[got.campaign_lead_id] = "has clicked"

    async def _unsubscribe(self, got: Submission) -> None:
        path = urlsplit(got.mail.unsubscribe_addresses[0]).path
        token = tokens.read_unsubscribe(make.VAULT, path.rpartition("/")[2])
        assert token is not None, "the way out is not ours"
        async with self._database.transaction() as db:
            await tracking.unsubscribe(db, token, self._world.now)
        self._world.barred_addresses[got.address] = "has unsubscribed"

    async def _write_to_unsubscribe(self, got: Submission) -> None:
        mailto = next(each for each in got.mail.unsubscribe_addresses if each.startswith("mailto:"))
        await self._deliver(got, letters.removal_request(got.mail, mailto, person=_person(got), now=self._world.now))
        self._world.barred_addresses[got.address] = "has unsubscribed by mail"

    async def _bounce(self, got: Submission) -> None:
        refusal = self._story.random.choice((NO_SUCH_USER, MAILBOX_FULL, SPAM_POLICY))
        await self._deliver(got, bounces.delivery_report(got.mail, refusal, now=self._world.now))
        if refusal is NO_SUCH_USER:
            self._world.barred_addresses[got.address] = "does not exist"
        elif refusal is SPAM_POLICY and "has answered" not in self._world.barred_leads.get(got.campaign_lead_id, ""):
            self._world.barred_leads[got.campaign_lead_id] = "was refused as spam"

    async def _deliver(self, got: Submission, letter: Letter) -> None:
        """By IMAP: read once or, when the connection breaks off after the reading, twice."""
        box = self._world.mailboxes[got.mailbox_id]
        reader = Reader(self._world.user_id, box.id, box.address)
        for _ in range(1 + self._story.happens(0.2)):
            async with self._database.transaction() as db:
                await take_in(db, make.VAULT, reader, letter.raw, self._world.now, only_matched=False)
                await learn_leads(db, self._world)

    async def _hit(self, got: Submission, kind: HitKind, url: str | None) -> None:
        async with self._database.transaction() as db:
            rows = await fetch_dicts(
                db,
                "SELECT id FROM messages WHERE message_id = %(message_id)s AND direction = 'OUT'",
                {"message_id": got.mail.message_id},
            )
            if rows:  # its lead may have been deleted
                visit = Visit(rows[0]["id"], kind, url, "GET", "192.0.2.7", _BROWSER, None, self._world.now)
                await insert_visits(db, [visit])
                await tracking.judge_waiting(db, _RULES, self._world.now + _RULES.burst_time)
                await learn_leads(db, self._world)


def _person(got: Submission) -> Person:
    return Person(got.address, Language.ENGLISH)
