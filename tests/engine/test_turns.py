"""Follow-ups and new leads share a day: the rule as a table, the worked examples of the documents day by day."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from outrider.engine import limits, turns
from outrider.engine.facts import DayCounts
from outrider.engine.planner import take_back
from outrider.engine.turns import Kind
from outrider.kit.db import execute
from outrider.leads import progress
from tests.engine.facts import campaign, mailbox, pair
from tests.support.world import World


@pytest.mark.parametrize(
    ("percentage", "day", "sent", "follow_ups", "expected"),
    [
        (100, (0, 0), 0, 0, Kind.FOLLOW_UP),
        (100, (30, 10), 40, 10, Kind.FOLLOW_UP),
        (0, (0, 0), 0, 0, Kind.NEW),
        (0, (30, 10), 40, 10, Kind.NEW),
        # who lags further behind; at a draw the follow-up
        (50, (0, 0), 0, 0, Kind.FOLLOW_UP),
        (50, (0, 1), 1, 1, Kind.NEW),
        (50, (1, 1), 2, 1, Kind.FOLLOW_UP),
        (40, (0, 0), 0, 0, Kind.NEW),
        (40, (1, 0), 1, 0, Kind.FOLLOW_UP),
        (40, (1, 1), 2, 1, Kind.NEW),
        (40, (2, 1), 3, 1, Kind.FOLLOW_UP),
        (40, (2, 2), 4, 2, Kind.NEW),
        # whatever the campaign lacks, a mailbox keeps to its own shares
        (40, (9, 0), 40, 40, Kind.NEW),
        (40, (0, 9), 60, 0, Kind.FOLLOW_UP),
    ],
)
def test_who_lags_furthest_behind_its_share_comes_first(
    percentage: int, day: tuple[int, int], sent: int, follow_ups: int, expected: Kind
) -> None:
    box = mailbox(max_email_per_day=100, today_count=sent, today_follow_up_count=follow_ups)
    assert turns.first_choice(campaign(follow_up_percentage=percentage), DayCounts(*day), box) is expected


@pytest.mark.parametrize("percentage", [0, 1, 10, 33, 40, 50, 75, 99, 100])
def test_the_share_is_exact_at_any_moment(percentage: int) -> None:
    spring, day = campaign(follow_up_percentage=percentage), DayCounts()
    box = mailbox(max_email_per_day=1000)
    for total in range(1, 301):
        if turns.first_choice(spring, day, box) is Kind.NEW:
            day.new_count += 1
        else:
            day.follow_up_count += 1
        assert abs(day.follow_up_count - total * percentage / 100) <= 0.5


def test_first_choices_of_all_campaigns_come_before_what_they_leave_over() -> None:
    first, second = pair(1), pair(2)
    chosen = {1: Kind.FOLLOW_UP, 2: Kind.NEW}
    assert list(turns.in_order([first, second], lambda each: chosen[each.campaign_id])) == [
        (Kind.FOLLOW_UP, first),
        (Kind.NEW, second),
        (Kind.NEW, first),
        (Kind.FOLLOW_UP, second),
    ]


@dataclass(frozen=True)
class Sent:
    day: date
    campaign_id: int
    mailbox_id: int
    step: int
    lead: int
    at: datetime


@dataclass
class Days:
    """The planner over days: whatever it claims is sent at once, and nobody answers."""

    world: World
    sent: list[Sent] = field(default_factory=list)

    async def run(self, count: int, *, every: timedelta = timedelta(minutes=3)) -> None:
        """From now, 09:00, for so many days; every window of the tests is closed by 12:00."""
        for _ in range(count):
            start = self.world.now
            while self.world.now < start + timedelta(hours=3):
                await self._round()
                self.world.now += every
            self.world.now = start + timedelta(days=1)

    async def _round(self) -> None:
        world = self.world
        attempts = await world.plan()
        if not attempts:
            return
        for attempt in attempts:
            self.sent.append(
                Sent(
                    world.now.date(),
                    attempt.campaign.id,
                    attempt.mailbox_id,
                    attempt.step.number,
                    attempt.lead.id,
                    world.now,
                )
            )
        advances = [
            progress.Advance(
                attempt.lead.id,
                attempt.mailbox_id,
                attempt.step.id,
                attempt.step.number,
                world.now,
                limits.next_due(attempt.campaign, attempt.lead, attempt.following, world.now),
            )
            for attempt in attempts
        ]
        await world.write(attempts)
        await progress.record_advances(world.db, advances, world.now)
        await execute(world.db, "DELETE FROM dispatches")

    def by_day(self) -> list[dict[int, int]]:
        """For each day how many mails of which step."""
        days = sorted({mail.day for mail in self.sent})
        return [_counted(mail.step for mail in self.sent if mail.day == day) for day in days]


def _counted(values: Iterable[int]) -> dict[int, int]:
    return dict(sorted(Counter(values).items()))


async def _two_mailboxes_of_40(world: World, *, leads: int = 400, **changes: Any) -> list[int]:
    boxes = [await world.mailbox(max_email_per_day=40) for _ in range(2)]
    campaign_id = await world.campaign(
        boxes, steps=3, min_time_between_emails=2, start_hour="09:00", end_hour="12:00", **changes
    )
    await execute(world.db, "UPDATE steps SET delay_days = 0 WHERE number = 1")
    return await world.leads(campaign_id, leads)


async def test_follow_ups_first_takes_whole_days(world: World) -> None:
    await _two_mailboxes_of_40(world)
    days = Days(world)
    await days.run(4)
    assert days.by_day() == [{1: 80}, {2: 80}, {3: 80}, {1: 80}]
    for day in {mail.day for mail in days.sent}:
        assert set(Counter(mail.mailbox_id for mail in days.sent if mail.day == day).values()) == {40}


async def test_a_share_of_40_percent_gives_32_follow_ups_and_48_new_leads(world: World) -> None:
    leads = await _two_mailboxes_of_40(world, follow_up_percentage=40)
    days = Days(world)
    await days.run(3)
    first, second, third = days.by_day()
    assert (first, second) == ({1: 80}, {1: 48, 2: 32})
    # The 48 that are late go first on the next day, within their share.
    assert third == {1: 48, 2: 32}
    late = [mail.lead for mail in days.sent if mail.step == 2][32:]
    assert set(late) <= set(leads[:80])


async def test_new_leads_first_leaves_follow_ups_the_rest(world: World) -> None:
    await _two_mailboxes_of_40(world, leads=100, follow_up_percentage=0)
    days = Days(world)
    await days.run(3)
    assert days.by_day() == [{1: 80}, {1: 20, 2: 60}, {2: 40, 3: 40}]


async def test_the_cap_of_new_leads_gives_the_rest_to_follow_ups(world: World) -> None:
    await _two_mailboxes_of_40(world, follow_up_percentage=40, max_new_leads_per_day=50)
    days = Days(world)
    await days.run(3)
    # On the third day the 18 that are late come before all others.
    assert days.by_day() == [{1: 50}, {1: 48, 2: 32}, {1: 48, 2: 26, 3: 6}]


async def test_campaigns_take_turns_on_a_mailbox_with_follow_ups_and_with_new_leads(world: World) -> None:
    """The one served longest ago first, however old the other's follow-ups are."""
    box = await world.mailbox(max_email_per_day=30, time_to_wait_minutes=3)
    campaigns = [await world.campaign([box], steps=2, min_time_between_emails=1, end_hour="12:00") for _ in range(3)]
    for age, campaign_id in enumerate(campaigns):
        for lead in await world.leads(campaign_id, 5):
            await world.change(
                "campaign_leads",
                lead,
                status="INPROGRESS",
                mailbox_id=box,
                last_step_number=1,
                due_at=world.now - timedelta(days=3 - age),
            )
        await world.leads(campaign_id, 5)
    days = Days(world)
    await days.run(1)
    assert [mail.campaign_id for mail in days.sent] == campaigns * 10
    assert [mail.step for mail in days.sent] == [2] * 15 + [1] * 15


async def test_mails_of_a_subsequence_count_as_follow_ups_and_keep_their_mailbox(world: World) -> None:
    boxes = [await world.mailbox() for _ in range(2)]
    parent = await world.campaign(boxes, max_new_leads_per_day=1, min_time_between_emails=1)
    await world.leads(parent, 5)
    child = await world.campaign(boxes, max_new_leads_per_day=0, min_time_between_emails=1)
    await world.change("campaigns", child, parent_campaign_id=parent)
    moved = await world.leads(child, 3)
    for lead in moved:
        await world.change("campaign_leads", lead, mailbox_id=boxes[1])
    attempts = {attempt.mailbox_id: attempt for attempt in await world.plan()}
    assert attempts[boxes[1]].lead.id == moved[0]
    assert attempts[boxes[0]].campaign.id == parent
    assert [row["follow_up_count"] for row in await world.rows("campaign_days", campaign_id=child)] == [1]
    assert [row["new_count"] for row in await world.rows("campaign_days", campaign_id=parent)] == [1]
    [day] = await world.rows("mailbox_days", mailbox_id=boxes[1])
    assert (day["campaign_count"], day["follow_up_count"]) == (1, 1)


async def test_a_lead_that_has_a_mailbox_before_its_first_mail_goes_from_no_other(world: World) -> None:
    boxes = [await world.mailbox() for _ in range(2)]
    campaign_id = await world.campaign(boxes)
    bound, free = await world.leads(campaign_id, 2)
    await world.change("campaign_leads", bound, mailbox_id=boxes[1])
    assert {attempt.lead.id: attempt.mailbox_id for attempt in await world.plan()} == {bound: boxes[1], free: boxes[0]}


async def test_what_comes_to_nothing_is_taken_back_from_every_count(world: World) -> None:
    box = await world.mailbox()
    campaign_id = await world.campaign([box], steps=2)
    [lead] = await world.leads(campaign_id, 1)
    await world.change(
        "campaign_leads", lead, status="INPROGRESS", mailbox_id=box, last_step_number=1, due_at=world.now
    )
    await take_back(world.db, await world.plan())
    [day] = await world.rows("mailbox_days", mailbox_id=box)
    assert (day["campaign_count"], day["follow_up_count"]) == (0, 0)
    [day] = await world.rows("campaign_days", campaign_id=campaign_id)
    assert (day["new_count"], day["follow_up_count"]) == (0, 0)
