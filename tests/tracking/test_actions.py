"""What becomes of visits: verdicts, counters, events, and what revises them."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from outrider.kit.crypto import set_vault
from outrider.kit.db import execute, fetch_dicts
from outrider.messages import engagement
from outrider.messages.models import LinkClicked, MessageOpened, ReplyReceived
from outrider.tracking import actions, store
from outrider.tracking.models import HitKind, Visit
from outrider.tracking.rules import load_rules
from outrider.wiring import wire
from tests.support import make
from tests.support.events import hearing
from tests.support.world import World

CHROME = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0 Safari/537.36"
APPLE = "Mozilla/5.0"
HOME, OFFICE = "91.65.20.7", "212.18.3.9"


class Mail:
    """A mail that was handed over a minute ago; `visit` brings what comes in, `judge` lets time pass."""

    def __init__(self, world: World, row: dict[str, Any]) -> None:
        self.world = world
        self.id = int(row["id"])
        self.campaign_lead_id = int(row["campaign_lead_id"])
        self.start = world.now

    async def visit(
        self,
        seconds: float,
        link: str | None = None,
        *,
        kind: str | None = None,
        agent: str = CHROME,
        address: str = HOME,
    ) -> None:
        visit = Visit(
            message_id=self.id,
            kind=HitKind(kind or ("CLICK" if link else "OPEN")),
            url=f"https://{link}.example" if link else None,
            method="GET",
            address=address,
            user_agent=agent,
            session_hash=None,
            at=self.start + timedelta(seconds=seconds),
        )
        await store.insert_visits(self.world.db, [visit])

    async def judge(self, seconds: float = 3600) -> int:
        return await actions.judge_waiting(self.world.db, load_rules(), self.start + timedelta(seconds=seconds))

    async def counts(self) -> tuple[int, int, int, int]:
        """Opens and clicks of people, then those of machines."""
        row = await self.world.row("messages", self.id)
        return row["open_count"], row["click_count"], row["machine_open_count"], row["machine_click_count"]

    async def verdicts(self) -> list[tuple[str, str, str | None]]:
        rows = await fetch_dicts(self.world.db, "SELECT verdict, reason, revision FROM tracking_hits ORDER BY id")
        return [(row["verdict"], row["reason"], row["revision"]) for row in rows]


@pytest.fixture
async def mail(world: World) -> Mail:
    set_vault(make.VAULT)
    wire()
    campaign_id = await world.campaign([await world.mailbox()], steps=2)
    [row] = await world.sent(campaign_id)
    await execute(world.db, "UPDATE messages SET sent_at = %(at)s", {"at": world.now - timedelta(minutes=1)})
    return Mail(world, row)


def first(events: Sequence[Any]) -> list[tuple[str, bool]]:
    return [
        ("open", event.is_first) if isinstance(event, MessageOpened) else (event.url[8], event.is_first_of_link)
        for event in events
    ]


async def test_a_visit_waits_until_it_is_known_what_came_with_it(mail: Mail) -> None:
    await mail.visit(0)
    assert await mail.judge(1.9) == 0
    assert await mail.verdicts() == [(None, None, None)]
    assert await mail.judge(2) == 1
    assert await mail.judge(3) == 0
    assert await mail.counts() == (1, 0, 0, 0)


async def test_the_first_open_and_the_first_click_on_each_link_are_told_as_such(mail: Mail) -> None:
    with hearing(MessageOpened, LinkClicked) as heard:
        await mail.visit(0)
        await mail.visit(10)
        await mail.visit(20, "a")
        await mail.judge(60)
        await mail.visit(70)
        await mail.visit(80, "a")
        await mail.visit(90, "b")
        await mail.judge()
    assert first(heard.events) == [
        ("open", True),
        ("open", False),
        ("a", True),
        ("open", False),
        ("a", False),
        ("b", True),
    ]
    assert await mail.counts() == (3, 3, 0, 0)
    assert [kind for kind, _ in await mail.world.events()] == [
        "OPENED",
        "OPENED",
        "CLICKED",
        "OPENED",
        "CLICKED",
        "CLICKED",
    ]
    row = await mail.world.row("messages", mail.id)
    assert (row["first_opened_at"], row["first_clicked_at"]) == (mail.start, mail.start + timedelta(seconds=20))


async def test_only_first_ones_become_webhooks(mail: Mail) -> None:
    await execute(
        mail.world.db,
        """
        INSERT INTO webhooks (user_id, association_type, name, webhook_url, event_types, created_at, updated_at)
        VALUES (%(user_id)s, 'user', 'all', 'https://hooks.example/in', '{EMAIL_OPEN,EMAIL_LINK_CLICK}', now(), now())
        """,
        {"user_id": mail.world.user_id},
    )
    for second in (0, 10):
        await mail.visit(second)
    for second, link in ((20, "a"), (30, "a"), (40, "b")):
        await mail.visit(second, link)
    await mail.judge()
    rows = await fetch_dicts(mail.world.db, "SELECT event_type FROM webhook_events ORDER BY id")
    assert [row["event_type"] for row in rows] == ["EMAIL_OPEN", "EMAIL_LINK_CLICK", "EMAIL_LINK_CLICK"]


async def test_machines_are_kept_and_change_nothing(mail: Mail) -> None:
    await execute(mail.world.db, "UPDATE campaigns SET stop_lead_settings = 'OPEN_AN_EMAIL'")
    with hearing(MessageOpened, LinkClicked) as heard:
        await mail.visit(0, agent=APPLE)
        await mail.visit(10, agent="Barracuda Sentinel (EE)")
        for second, link in ((20, "a"), (20.5, "b"), (21, "c")):
            await mail.visit(second, link)
        await mail.judge()
    assert heard.events == []
    assert await mail.counts() == (0, 0, 2, 3)
    assert [reason for _, reason, _ in await mail.verdicts()] == [
        "APPLE_PREFETCH",
        "SCANNER",
        "BURST",
        "BURST",
        "BURST",
    ]
    assert (await mail.world.row("campaign_leads", mail.campaign_lead_id))["status"] == "INPROGRESS"
    assert await mail.world.events() == []


async def test_the_rest_of_a_burst_that_came_late_takes_its_beginning_along(mail: Mail) -> None:
    """As after an outage of the database: the visits of another web process are stored later."""
    await mail.visit(0, "a")
    await mail.visit(1, "b")
    await mail.judge()
    assert await mail.counts() == (0, 2, 0, 0)
    await mail.visit(2, "c")
    await mail.visit(600, "a")
    await mail.judge()
    assert await mail.counts() == (0, 1, 0, 3)
    assert await mail.verdicts() == [
        ("MACHINE", "BROWSER", "BURST"),
        ("MACHINE", "BROWSER", "BURST"),
        ("MACHINE", "BURST", None),
        ("HUMAN", "BROWSER", None),
    ]
    row = await mail.world.row("messages", mail.id)
    assert row["first_clicked_at"] == mail.start + timedelta(seconds=600)
    assert await mail.world.events() == [("CLICKED", mail.campaign_lead_id)]


async def test_who_goes_into_the_trap_was_a_machine_all_along(mail: Mail) -> None:
    await mail.visit(0)
    await mail.visit(1, address=OFFICE)
    await mail.visit(30, "a")
    await mail.judge(100)
    assert await mail.counts() == (2, 1, 0, 0)
    await mail.visit(200, kind="TRAP")
    await mail.judge()
    assert await mail.verdicts() == [
        ("MACHINE", "BROWSER", "TRAP"),
        ("HUMAN", "BROWSER", None),
        ("MACHINE", "BROWSER", "TRAP"),
        ("MACHINE", "TRAP", None),
    ]
    assert await mail.counts() == (1, 0, 1, 1)
    row = await mail.world.row("messages", mail.id)
    assert (row["first_opened_at"], row["first_clicked_at"]) == (mail.start + timedelta(seconds=1), None)


async def test_an_unseen_fetch_becomes_an_open_when_a_click_shows_that_it_was_read(mail: Mail) -> None:
    with hearing(MessageOpened, LinkClicked) as heard:
        await mail.visit(0, agent=APPLE)
        await mail.visit(5, agent=APPLE)
        await mail.judge(60)
        assert await mail.counts() == (0, 0, 2, 0)
        await mail.visit(90, "a")
        await mail.judge(120)
        await mail.visit(130, "b")
        await mail.judge()
    assert first(heard.events) == [("open", True), ("a", True), ("b", True)]
    assert await mail.counts() == (1, 2, 1, 0)
    assert (await mail.verdicts())[:2] == [
        ("HUMAN", "APPLE_PREFETCH", "HUMAN_HIT"),
        ("MACHINE", "APPLE_PREFETCH", None),
    ]
    assert (await mail.world.row("messages", mail.id))["first_opened_at"] == mail.start


@pytest.mark.parametrize(
    ("visits", "opens", "verdict"),
    [
        ([{"agent": APPLE}], (1, 0), ("HUMAN", "APPLE_PREFETCH", "REPLY")),
        ([{"agent": CHROME}, {"agent": APPLE}], (1, 1), ("HUMAN", "BROWSER", None)),  # it was opened visibly
        ([{"agent": "Barracuda Sentinel (EE)"}], (0, 1), ("MACHINE", "SCANNER", None)),  # a gateway is nobody's open
        ([], (0, 0), None),
    ],
)
async def test_an_answer_shows_that_the_mail_was_read(
    mail: Mail, visits: list[dict[str, str]], opens: tuple[int, int], verdict: tuple[str, str, str | None] | None
) -> None:
    for second, visit in enumerate(visits):
        await mail.visit(second * 10, **visit)
    await mail.judge(100)
    world = mail.world
    row = await world.row("messages", mail.id)
    reply = ReplyReceived(world.user_id, row["campaign_id"], mail.campaign_lead_id, 1, world.now, mail.id, True)
    await actions.confirm_opens(world.db, [reply])
    await actions.confirm_opens(world.db, [reply])
    assert await mail.counts() == (opens[0], 0, opens[1], 0)
    assert (await mail.verdicts())[:1] == ([verdict] if verdict else [])


@pytest.mark.parametrize(
    ("given", "opens", "clicks"),
    [
        ([], 1, 1),
        (["DONT_EMAIL_OPEN"], 0, 1),
        (["DONT_LINK_CLICK"], 1, 0),
        (["DONT_EMAIL_OPEN", "DONT_LINK_CLICK"], 0, 0),
        (["DONT_REPLY_TO_AN_EMAIL"], 1, 1),
    ],
)
async def test_what_a_campaign_does_not_track_is_not_even_kept(
    mail: Mail, given: list[str], opens: int, clicks: int
) -> None:
    await execute(mail.world.db, "UPDATE campaigns SET track_settings = %(given)s", {"given": given})
    await mail.visit(0)
    await mail.visit(10, "a")
    await mail.visit(700, kind="TRAP", address=OFFICE)
    await mail.judge()
    assert await mail.counts() == (opens, clicks, 0, 0)
    kinds = [row["kind"] for row in await fetch_dicts(mail.world.db, "SELECT kind FROM tracking_hits ORDER BY id")]
    assert kinds == ["OPEN"] * opens + ["CLICK", "TRAP"] * clicks


async def test_visits_of_a_mail_that_was_deleted_are_dropped(mail: Mail) -> None:
    await mail.visit(0)
    await execute(mail.world.db, "DELETE FROM campaigns")
    assert await mail.judge() == 0
    assert await mail.verdicts() == []
    await mail.visit(10)
    assert await mail.verdicts() == []


async def test_figures_of_people_equal_the_events_they_are_made_of(mail: Mail) -> None:
    await mail.visit(0)
    await mail.judge()
    await execute(mail.world.db, "UPDATE messages SET open_count = 7")
    await engagement.count_hits(mail.world.db, [engagement.MachineHits(mail.id)])
    assert await mail.counts() == (1, 0, 0, 0)
