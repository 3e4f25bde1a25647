"""The fast way equals the slow one at every moment: while mails go out, things happen to them, and things are deleted.

Both are asked for every figure after each happening. What the slow one says is counted again by `test_recount`, which
the fast one has to pass, too.
"""

import os
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from outrider.analytics import cohorts, jobs, moments, rollup
from outrider.analytics.grouping import By
from outrider.analytics.mails import Scope
from outrider.analytics.rolled import fits, knows
from outrider.analytics.windows import Days, find_zone
from outrider.campaigns import steps
from outrider.campaigns.store import delete_campaign
from outrider.config import Settings
from outrider.kit.clock import StandingClock
from outrider.kit.db import Db, execute, fetch_dicts, fetch_value
from outrider.kit.jobs import JobContext
from outrider.messages import engagement, ledger
from outrider.messages.engagement import MachineHits
from outrider.messages.ledger import EventRow
from outrider.messages.models import Outcome
from tests.analytics.history import Campaign, Client, History, Lead, Mailbox, put, store
from tests.analytics.worked import USER
from tests.support import make
from tests.support.client import ApiClient, Rollback
from tests.support.make import NOW

_HISTORIES = int(os.environ.get("RECOUNT_HISTORIES", "200")) // 4  # each is asked after everything that happens
_PARTS = max(4, _HISTORIES // 25)
SEASON = datetime(2025, 10, 20, tzinfo=UTC)  # Berlin and the Azores go back on the 26th, New York on November 2nd
CAMPAIGNS, CLIENTS = [1001, 1002], [2001, 2002]
LEADS = [f"lead{number}@hexly.example" for number in range(3)]
MAILBOXES = [
    Mailbox(3001, "Ana@Acme.example", "GMAIL", None, (4001,), (1001,)),
    Mailbox(3002, "bob@acme.example", "SMTP", None, (4001, 4002), (1001, 1002)),
    Mailbox(3003, "cy@mail.orbit.example", "OUTLOOK", None, (), (1002,)),
]
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "-0930"]


@dataclass(frozen=True)
class Sent:
    campaign: int
    lead: int
    step: int
    mailbox: int
    at: datetime
    is_tracked: bool


@dataclass(frozen=True)
class Happening:
    """`mail`: which of those that were sent so far."""

    kind: str
    mail: int
    after: timedelta
    number: int


moments_of_mails = st.builds(
    lambda day, hour, minute: SEASON + timedelta(days=day, hours=hour, minutes=minute),
    st.sampled_from([0, 1, 4, 5, 6, 7, 13, 14, 15, 20, 29, 45]),
    st.sampled_from([0, 1, 2, 9, 14, 22, 23]),
    st.sampled_from([0, 14, 15, 44, 59]),
)
delays = st.one_of(
    st.builds(timedelta, minutes=st.integers(0, 3000)), st.builds(timedelta, days=st.sampled_from([3, 14, 20]))
)
mails = st.builds(
    Sent,
    st.integers(0, len(CAMPAIGNS) - 1),
    st.integers(0, len(LEADS) - 1),
    st.integers(1, 4),
    st.sampled_from([0, 0, 0, 1, 2]),  # mostly the same, so that few leads have several senders
    moments_of_mails,
    st.sampled_from([True, True, True, False]),
)
happenings = st.builds(
    Happening,
    st.sampled_from(
        ["OPENED"] * 4
        + ["CLICKED", "REPLIED", "REPLIED", "BOUNCED", "UNSUBSCRIBED", "unopened", "category", "category"]
        + ["member", "client", "taken out", "erased", "emptied", "campaign deleted"]
    ),
    st.integers(0, 30),
    delays,
    st.integers(0, 9),
)


@dataclass(frozen=True)
class Question:
    days: Days
    scope: Scope


@st.composite
def questions(draw: Callable[..., Any]) -> Question:
    first = SEASON.date() + timedelta(days=draw(st.integers(-2, 30)))
    zone = find_zone(draw(st.sampled_from(ZONES)))
    last = first + timedelta(days=draw(st.sampled_from([0, 0, 1, 6, 15, 60])))
    scope = Scope(
        user_id=0,
        client_ids=draw(st.sampled_from([None, None, [2001]])),
        campaign_ids=draw(st.sampled_from([None, None, [1001], [9]])),
        has_client=draw(st.sampled_from([False, False, True])),
    )
    return Question(Days(first, last, zone or UTC), scope)


class World:
    """An account in which things happen one after the other."""

    def __init__(self, db: Db, user_id: int) -> None:
        self.db, self.user_id = db, user_id
        self._mails: list[dict[str, Any]] = []

    async def begin(self) -> None:
        leads = [
            Lead(campaign, email, None, member_id=5001 if number == 0 else None)
            for campaign in CAMPAIGNS
            for number, email in enumerate(LEADS)
        ]
        history = History(
            clients=[Client(id_, f"Client {id_}", NOW, f"ops{id_}@harbour.example") for id_ in CLIENTS],
            campaigns=[Campaign(1001, "One", 2001, step_count=4), Campaign(1002, "Two", None, step_count=4)],
            mailboxes=MAILBOXES,
            leads=leads,
            tags=[(4001, "Warm", "#A3D9C9"), (4002, "Cold", "#D9C3A3")],
            people=[(5001, "Dana"), (5002, "Eli")],
        )
        await store(self.db, self.user_id, history)

    async def send(self, mail: Sent) -> None:
        """As the engine does: written first, sent when its outcome is recorded."""
        campaign_id, email = CAMPAIGNS[mail.campaign], LEADS[mail.lead]
        found = await fetch_dicts(
            self.db,
            """
            SELECT cl.id AS campaign_lead_id, cl.lead_id, s.id AS step_id
              FROM campaign_leads AS cl
              JOIN leads AS l ON l.id = cl.lead_id AND l.email = %(email)s
              JOIN steps AS s ON s.campaign_id = cl.campaign_id AND s.number = %(step)s
             WHERE cl.campaign_id = %(campaign_id)s
               AND NOT EXISTS (SELECT FROM messages AS m WHERE m.campaign_lead_id = cl.id AND m.step_id = s.id)
            """,
            {"campaign_id": campaign_id, "email": email, "step": mail.step},
        )
        if not found:
            return
        mailbox = MAILBOXES[mail.mailbox]
        message_id = int(await fetch_value(self.db, "SELECT nextval('messages_id_seq')"))
        place = {
            "campaign_id": campaign_id,
            "campaign_lead_id": found[0]["campaign_lead_id"],
            "mailbox_id": mailbox.id,
            "claimed_at": mail.at,
        }
        row = place | {
            "id": message_id,
            "user_id": self.user_id,
            "direction": "OUT",
            "kind": "CAMPAIGN",
            "status": "QUEUED",
            "lead_id": found[0]["lead_id"],
            "step_id": found[0]["step_id"],
            "step_number": mail.step,
            "stats_id": UUID(int=message_id),
            "from_email": mailbox.address,
            "to_email": email.title(),
            "is_open_tracked": mail.is_tracked,
            "created_at": mail.at,
        }
        zero = dict.fromkeys(("attempt_count", "open_count", "click_count", "machine_open_count"), 0)
        flags = dict.fromkeys(("is_reply_ignored", "is_read", "is_doubtful"), False)
        await put(self.db, "messages", [row | zero | flags | {"machine_click_count": 0, "cc": []}])
        dispatch = {"message_id": message_id, "state": "HANDING_OVER", "engine_id": uuid4(), "attempt_count": 1}
        await put(self.db, "dispatches", [place | dispatch])
        outcome = Outcome(message_id, "SENT", mail.at, 250, None, "taken")
        assert await ledger.record_outcomes(self.db, [outcome]) == {message_id}
        self._mails.append(row | {"sent_at": mail.at})

    async def happen(self, what: Happening) -> None:
        if self._mails:
            mail = self._mails[what.mail % len(self._mails)]
            await self._happen(what, mail, mail["sent_at"] + what.after)

    async def _happen(self, what: Happening, mail: dict[str, Any], at: datetime) -> None:
        params = {
            "id": mail["id"],
            "at": at,
            "campaign_id": mail["campaign_id"],
            "campaign_lead_id": mail["campaign_lead_id"],
            "category_id": [None, 1, 2, 3, 4, 5, 6, 7, 8, 9][what.number],
            "member_id": [None, 5001, 5002][what.number % 3],
            "client_id": [None, *CLIENTS][what.number % 3],
        }
        match what.kind:
            case "OPENED" | "CLICKED":
                line = EventRow(self.user_id, mail["campaign_id"], mail["campaign_lead_id"], mail["id"], what.kind, at)
                await ledger.record_events(self.db, [line])
                await engagement.count_hits(self.db, [MachineHits(mail["id"])])
            case "unopened":  # its visits were a machine's after all
                await execute(self.db, "DELETE FROM message_events WHERE message_id = %(id)s", params)
                await engagement.count_hits(self.db, [MachineHits(mail["id"])])
            case "REPLIED":
                await engagement.record_replies(self.db, [engagement.Reply(mail["id"], at, is_counted=True)])
            case "BOUNCED":
                kind = ["HARD", "SOFT", "SENDER"][what.number % 3]
                await engagement.record_bounce(self.db, mail["id"], at, kind=kind, reason="5.1.1")
            case "emptied":
                await steps.drop_analytics(self.db, self.user_id, mail["campaign_id"])
            case "campaign deleted":
                await delete_campaign(self.db, self.user_id, mail["campaign_id"])
                self._mails = [each for each in self._mails if each["campaign_id"] != mail["campaign_id"]]
            case "erased":
                await execute(self.db, "DELETE FROM messages WHERE id = %(id)s", params)
                self._mails.remove(mail)
            case _:
                await execute(self.db, _CHANGES[what.kind], params)


_CHANGES = {
    "UNSUBSCRIBED": "UPDATE messages SET unsubscribed_at = %(at)s WHERE id = %(id)s",
    "category": "UPDATE campaign_leads SET category_id = %(category_id)s WHERE id = %(campaign_lead_id)s",
    "member": "UPDATE campaign_leads SET team_member_id = %(member_id)s WHERE id = %(campaign_lead_id)s",
    "client": "UPDATE campaigns SET client_id = %(client_id)s WHERE id = %(campaign_id)s",
    "taken out": "DELETE FROM campaign_leads WHERE id = %(campaign_lead_id)s",
}


@pytest.mark.parametrize("part", range(_PARTS))
@given(story=st.lists(st.one_of(mails, mails, happenings), max_size=25), asked=st.lists(questions(), min_size=3))
@settings(
    max_examples=max(1, _HISTORIES // _PARTS),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
    deadline=None,
)
async def test_both_ways_say_the_same_at_every_moment(
    api: ApiClient, db: Db, part: int, story: Sequence[Sent | Happening], asked: Sequence[Question]
) -> None:
    async with db.transaction(force_rollback=True):
        world = World(db, api.user_id)
        await world.begin()
        for number, each in enumerate(story):
            await (world.send(each) if isinstance(each, Sent) else world.happen(each))
            question = asked[number % len(asked)]
            while await rollup.work_off(db, api.user_id):
                pass
            await _compare(db, question.days, replace(question.scope, user_id=api.user_id))


async def _compare(db: Db, days: Days, slow: Scope) -> None:
    fast = replace(slow, is_rolled=True)
    assert fits(days.midnights)
    for by in filter(knows, By):
        midnights = days.midnights if by is By.DAY else None
        wanted = await cohorts.count_by(db, slow, days.window, by, midnights=midnights)
        counted = await cohorts.count_by(db, fast, days.window, by, midnights=midnights)
        assert _rows(by, counted, _SHOWN[by]) == _rows(by, wanted, _SHOWN[by]), (by, days)
    wanted_days = await moments.count_events(db, slow, days.midnights)
    counted_days = await moments.count_events(db, fast, days.midnights)
    happened = ["sent", "opened", "clicked", "replied", "bounced", "unsubscribed"]
    assert _some(counted_days, happened) == _some(wanted_days, happened)
    positive = moments.count_positive_replies
    assert await positive(db, fast, days.midnights) == await positive(db, slow, days.midnights)
    for measure in (
        moments.count_new_leads,
        moments.measure_first_replies,
        moments.measure_answers,
        moments.count_categories,
    ):
        assert await measure(db, fast, days.window) == await measure(db, slow, days.window), measure.__name__
    assert await moments.find_first_sent_at(db, fast) == await moments.find_first_sent_at(db, slow)


_MAILS = ["sent", "opened", "replied", "bounced", "unique_lead_count", "unique_open_count", "positive_replied"]
_OF_SENDERS = [*_MAILS, "is_all_tracked", "campaign_count"]
_OF_CAMPAIGNS = sorted({*cohorts.NOTHING} - {"sender_bounced", "stopped_lead_count", "unique_click_count"})
_SHOWN = {
    By.EVERYTHING: _OF_CAMPAIGNS,
    By.CAMPAIGN: _OF_CAMPAIGNS,
    By.CLIENT: _OF_CAMPAIGNS,
    By.ADDRESS: [*_OF_SENDERS, "clicked"],
    By.DOMAIN: [*_OF_SENDERS, "clicked"],
    By.PROVIDER: [*_OF_SENDERS, "clicked"],
    By.PROVIDER_AND_TAG: [*_OF_SENDERS, "clicked"],
    By.MEMBER: _OF_SENDERS,
    By.DAY: ["sent", "opened", "replied", "bounced", "unsubscribed", "unique_lead_count", "positive_replied"],
}


def _rows(by: By, rows: Sequence[dict[str, Any]], shown: Sequence[str]) -> list[Any]:
    """Mails of nobody's leads stand in no report."""
    names = [name.strip() for name in by.value.names.split(",")]
    wanted = [row for row in rows if by is not By.MEMBER or row["team_member_id"] is not None]
    return sorted(tuple(str(row[name]) for name in (*names, *shown)) for row in wanted)


def _some(days: dict[int, dict[str, Any]], names: Sequence[str]) -> dict[int, list[int]]:
    return {day: found for day, row in days.items() if any(found := [row[name] for name in names])}


async def test_a_zone_off_the_quarters_is_counted_from_the_mails() -> None:
    day = datetime(2025, 7, 30, tzinfo=UTC).date()
    assert not fits(Days(day, day, find_zone("+05:37") or UTC).midnights)
    assert fits(Days(day, day, find_zone("Asia/Kathmandu") or UTC).midnights)


@pytest.fixture
async def context(db: Db, settings: Settings) -> AsyncIterator[JobContext]:
    async with httpx.AsyncClient() as http:
        yield JobContext(Rollback(db), settings, StandingClock(NOW), make.VAULT, http)


async def test_the_job_works_off_what_is_noted_and_does_so_twice(
    worked: ApiClient, db: Db, context: JobContext
) -> None:
    assert await rollup.list_behind(db) == [USER]
    for _ in range(2):
        await jobs.work_off(context)
        assert await rollup.list_behind(db) == []
        assert await fetch_value(db, "SELECT count(*) FROM counted_mails") == 13
        assert await fetch_value(db, "SELECT sum(sent) FROM mail_quarters") == 13
        assert await fetch_value(db, "SELECT sum(opens) FROM mail_quarters") == 5


@pytest.mark.parametrize(("at_once", "left"), [(12, True), (100, False)])
async def test_who_asks_works_off_a_little_and_is_answered_in_any_case(
    worked: ApiClient, db: Db, monkeypatch: pytest.MonkeyPatch, at_once: int, left: bool
) -> None:
    monkeypatch.setattr(rollup, "AT_ONCE", at_once)
    days = {"start_date": "2025-07-30", "end_date": "2025-08-02"}
    answer = (await worked.get("/analytics/overall-stats-v2", params=days)).json()
    assert answer["data"]["overall_stats"]["sent"] == 11
    assert answer["data"]["overall_stats"]["unique_lead_count"] == 9
    assert bool(await rollup.list_behind(db)) is left
