"""`use_lead_timezone` and `count_only_sending_days`: whose clock counts, and which days."""

from datetime import UTC, datetime, timedelta

import pytest
from psycopg.types.json import Jsonb

from outrider.engine import limits
from outrider.kit.db import execute
from tests.engine.facts import campaign, lead, step
from tests.support.world import World


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@pytest.mark.parametrize(
    ("zone", "now", "opens"),
    [
        # 09:00 to 17:00, where the lead is
        ("America/New_York", "2026-03-02T10:00Z", "2026-03-02T14:00Z"),
        ("America/New_York", "2026-03-02T16:00Z", None),
        ("America/New_York", "2026-03-02T22:00Z", "2026-03-03T14:00Z"),
        ("Asia/Kolkata", "2026-03-02T03:00Z", "2026-03-02T03:30Z"),
        ("Asia/Kolkata", "2026-03-02T10:00Z", None),
        ("Asia/Kathmandu", "2026-03-02T03:00Z", "2026-03-02T03:15Z"),
        ("Australia/Adelaide", "2026-03-01T22:00Z", "2026-03-01T22:30Z"),
        # weekends are the lead's too: in Auckland Monday begins while it is Sunday in the campaign's zone
        ("Pacific/Auckland", "2026-03-01T19:00Z", "2026-03-01T20:00Z"),
        ("Pacific/Auckland", "2026-03-06T04:00Z", "2026-03-08T20:00Z"),
        # both changes of the clock in both hemispheres
        ("Europe/Berlin", "2026-03-27T20:00Z", "2026-03-30T07:00Z"),
        ("Europe/Berlin", "2026-10-23T20:00Z", "2026-10-26T08:00Z"),
        ("Australia/Sydney", "2026-04-03T20:00Z", "2026-04-05T23:00Z"),
        ("Australia/Sydney", "2026-10-02T20:00Z", "2026-10-04T22:00Z"),
        ("nonsense", "2026-03-02T08:00Z", "2026-03-02T09:00Z"),  # the campaign's own zone
    ],
)
def test_the_hours_are_those_where_the_lead_is(zone: str, now: str, opens: str | None) -> None:
    """Leads come one after the other within the first 20 minutes, which are the gap."""
    spring = campaign(use_lead_timezone=True)
    found = limits.lead_opens_at(spring, lead(custom_fields={"timezone": zone}), at(now))
    if opens is None:
        assert found is None
    else:
        assert found is not None
        assert at(opens) <= found < at(opens) + timedelta(minutes=20)


@pytest.mark.parametrize(
    ("sent", "delay", "days", "due"),
    [
        ("2026-03-02T10:30Z", 1, [1, 2, 3, 4, 5], "2026-03-03T10:30Z"),
        ("2026-03-06T10:30Z", 1, [1, 2, 3, 4, 5], "2026-03-09T10:30Z"),  # Friday to Monday
        ("2026-03-06T10:30Z", 2, [1, 2, 3, 4, 5], "2026-03-10T10:30Z"),
        ("2026-03-06T10:30Z", 5, [1, 2, 3, 4, 5], "2026-03-13T10:30Z"),
        ("2026-03-06T10:30Z", 12, [1, 2, 3, 4, 5], "2026-03-24T10:30Z"),
        ("2026-03-07T10:30Z", 5, [1, 2, 3, 4, 5], "2026-03-13T10:30Z"),  # sent on a Saturday, before days were changed
        ("2026-03-07T10:30Z", 6, [1, 2, 3, 4, 5], "2026-03-16T10:30Z"),
        ("2026-03-04T10:30Z", 1, [3], "2026-03-11T10:30Z"),
        ("2026-03-04T10:30Z", 3, [3], "2026-03-25T10:30Z"),
        ("2026-03-05T10:30Z", 2, [0, 1, 2, 3, 4, 5, 6], "2026-03-07T10:30Z"),
        ("2026-03-05T10:30Z", 0, [1, 2, 3, 4, 5], "2026-03-05T10:50Z"),
    ],
)
def test_a_delay_counts_only_days_on_which_something_is_sent(sent: str, delay: int, days: list[int], due: str) -> None:
    spring = campaign(count_only_sending_days=True, days=days)
    assert limits.next_due(spring, lead(), step(2, delay_days=delay), at(sent)) == at(due)


@pytest.mark.parametrize(
    ("zone", "sent", "due"),
    [
        ("Europe/Berlin", "2026-03-27T09:30+01:00", "2026-03-30T09:30+02:00"),
        ("Europe/Berlin", "2026-10-23T09:30+02:00", "2026-10-26T09:30+01:00"),
        ("Australia/Sydney", "2026-04-03T09:30+11:00", "2026-04-06T09:30+10:00"),
        ("Australia/Sydney", "2026-10-02T09:30+10:00", "2026-10-05T09:30+11:00"),
        ("Asia/Kolkata", "2026-03-27T09:30+05:30", "2026-03-30T09:30+05:30"),
    ],
)
def test_three_days_later_is_the_same_time_of_day_where_the_lead_is(zone: str, sent: str, due: str) -> None:
    person = lead(custom_fields={"timezone": zone})
    assert limits.next_due(campaign(use_lead_timezone=True), person, step(2, delay_days=3), at(sent)) == at(due)


async def test_leads_far_away_are_passed_over_until_it_is_day_there(world: World) -> None:
    """09:00 UTC: half past two in India, four in New York; the campaign sends from 08:00 to 18:00."""
    boxes = [await world.mailbox() for _ in range(2)]
    campaign_id = await world.campaign(boxes, use_lead_timezone=True, min_time_between_emails=1)
    american, indian, unknown = await world.leads(campaign_id, 3)
    for lead_id, fields in ((american, {"timezone": "America/New_York"}), (indian, {"timezone": "Asia/Kolkata"})):
        await execute(
            world.db,
            """
            UPDATE leads SET custom_fields = %(fields)s
            WHERE id = (SELECT lead_id FROM campaign_leads WHERE id = %(id)s)
            """,
            {"fields": Jsonb(fields), "id": lead_id},
        )
    assert {attempt.lead.id for attempt in await world.plan()} == {indian, unknown}
    await world.settle()
    row = await world.row("campaign_leads", american)
    assert row["hold_code"] == "OUTSIDE_LEAD_HOURS"
    assert timedelta() <= row["hold_until"] - at("2026-03-02T13:00Z") < timedelta(minutes=1)
    assert "America/New_York" in row["hold_text"]
    world.now = row["hold_until"]
    assert [attempt.lead.id for attempt in await world.plan()] == [american]


async def test_where_leads_have_their_clocks_the_campaigns_night_is_no_hindrance(world: World) -> None:
    campaign_id = await world.campaign([await world.mailbox()], use_lead_timezone=True)
    [lead_id] = await world.leads(campaign_id, 1)
    await execute(world.db, "UPDATE leads SET location = 'Tokyo, Japan'")
    world.now = at("2026-03-03T01:00Z")  # ten in the morning in Tokyo
    assert [attempt.lead.id for attempt in await world.plan()] == [lead_id]
