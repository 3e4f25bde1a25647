"""How much mail of a campaign one company gets in a minute and in an hour."""

from datetime import timedelta

import pytest

from outrider.config import Settings
from outrider.engine.recipients import RecipientLimits
from tests.engine.facts import NOW, lead
from tests.support.world import World


@pytest.mark.parametrize(
    ("per_minute", "per_hour", "minutes_ago", "free_in"),
    [
        (1, 10, [], None),
        (1, 10, [0.5], 0.5),
        (1, 10, [30, 0.5], 0.5),
        (2, 10, [0.75, 0.5], 0.25),
        (2, 10, [0.5], None),
        (1, 3, [50, 20, 10], 10),
        (1, 3, [50, 40, 20, 10], 20),  # one too many was sent before the limit was lowered
        (1, 3, [59, 40, 0.25], 1),
        (0, 3, [0.5, 0.25], None),
        (1, 0, [9, 8, 7, 6, 5, 4, 3, 2], -1),
        (0, 0, [0.1] * 50, None),
    ],
)
def test_the_narrower_limit_decides(
    per_minute: int, per_hour: int, minutes_ago: list[float], free_in: float | None
) -> None:
    recent = [NOW - timedelta(minutes=ago) for ago in minutes_ago]
    expected = None if free_in is None else NOW + timedelta(minutes=free_in)
    assert RecipientLimits(per_minute, per_hour).free_at(recent) == expected


@pytest.mark.parametrize(
    ("email", "is_limited"),
    [
        ("ada@hexly.example", True),
        ("ada@mail.hexly.co.uk", True),
        ("ada@gmail.com", False),
        ("ada@yahoo.co.uk", False),
        ("ada@t-online.de", False),
        ("ada@eu.gmx.net", False),
        ("ada@freebie.example", False),  # by the setting
    ],
)
def test_free_mail_is_exempt(email: str, is_limited: bool) -> None:
    limits = RecipientLimits.of(Settings(free_mail_domains=("freebie.example",)))
    assert limits.concern(lead(email=email, shares_domain=True)) is is_limited
    assert not limits.concern(lead(email=email, shares_domain=False))
    assert not RecipientLimits().concern(lead(email=email, shares_domain=True))


def test_the_defaults_are_one_a_minute_and_ten_an_hour() -> None:
    limits = RecipientLimits.of(Settings())
    assert (limits.per_minute, limits.per_hour) == (1, 10)


async def test_colleagues_are_written_to_one_after_the_other_and_others_pass_them(world: World) -> None:
    world.recipients = RecipientLimits(per_minute=1, per_hour=3)
    boxes = [await world.mailbox() for _ in range(8)]
    campaign_id = await world.campaign(boxes, steps=2, min_time_between_emails=1)
    colleagues = await world.leads(campaign_id, 6)
    others = [(await world.leads(campaign_id, 1, domain=f"other{number}.example"))[0] for number in range(3)]
    sent: list[tuple[int, int]] = []  # minute, lead
    for minute in range(70):
        for _ in range(3):  # the planner comes again and again
            sent += [(minute, attempt.lead.id) for attempt in await world.plan()]
            await world.settle()
        world.later(minutes=1)
    assert [minute for minute, lead_id in sent if lead_id in colleagues] == [0, 1, 2, 60, 61, 62]
    assert [minute for minute, lead_id in sent if lead_id in others] == [0, 0, 0]


async def test_follow_ups_count_and_wait_too(world: World) -> None:
    world.recipients = RecipientLimits(per_minute=1, per_hour=10)
    boxes = [await world.mailbox() for _ in range(2)]
    campaign_id = await world.campaign(boxes, steps=2)
    leads = await world.leads(campaign_id, 2)
    for lead_id, box in zip(leads, boxes, strict=True):
        await world.change(
            "campaign_leads", lead_id, status="INPROGRESS", mailbox_id=box, last_step_number=1, due_at=world.now
        )
    assert len(await world.plan()) == 1
    [held] = [row for lead_id in leads if (row := await world.row("campaign_leads", lead_id))["hold_code"]]
    assert (held["hold_code"], held["hold_until"]) == ("RECIPIENT_DOMAIN", world.now + timedelta(minutes=1))


async def test_each_campaign_has_its_own_count(world: World) -> None:
    world.recipients = RecipientLimits(per_minute=1, per_hour=10)
    for _ in range(2):
        campaign_id = await world.campaign([await world.mailbox() for _ in range(2)])
        await world.leads(campaign_id, 2)
    assert len(await world.plan()) == 2


async def test_people_at_a_free_mail_provider_are_no_colleagues(world: World) -> None:
    world.recipients = RecipientLimits(per_minute=1, per_hour=1)
    await world.leads(await world.campaign([await world.mailbox() for _ in range(3)]), 3, domain="gmail.com")
    assert len(await world.plan()) == 3
