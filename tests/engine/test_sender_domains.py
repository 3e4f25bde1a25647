"""`domain_level_rate_limit`: the mailboxes of one domain send one after the other (product behaviour 1.9)."""

from datetime import datetime, timedelta
from itertools import pairwise

from outrider.engine.survey import survey
from outrider.kit.db import execute
from tests.support.world import World


async def _boxes(world: World, count: int, domain: str = "quay.example") -> list[int]:
    return [await world.mailbox(from_email=f"box{number}@{domain}") for number in range(count)]


async def _sends(world: World, *, minutes: int, every: timedelta = timedelta(seconds=30)) -> list[tuple[float, int]]:
    """When (in minutes from now) which mailbox sends; every mail is taken at once."""
    start, sent = world.now, []
    while world.now < start + timedelta(minutes=minutes):
        sent += [((world.now - start) / timedelta(minutes=1), attempt.mailbox_id) for attempt in await world.plan()]
        await world.settle()
        world.now += every
    return sent


async def test_one_mail_is_in_flight_and_the_gap_is_shared(world: World) -> None:
    boxes = await _boxes(world, 4)
    campaign_id = await world.campaign(boxes, min_time_between_emails=20, domain_level_rate_limit=True)
    await world.leads(campaign_id, 40)
    assert len(await world.plan()) == 1
    world.later(minutes=30)
    assert await world.plan() == []  # the mail is still on its way
    await world.settle()
    sent = await _sends(world, minutes=62)
    pauses = [later - earlier for (earlier, _), (later, _) in pairwise(sent)]
    assert min(pauses) >= 20 / 4
    assert len(sent) >= 10
    assert {mailbox_id for _, mailbox_id in sent} == set(boxes)


async def test_without_the_setting_all_send_at_once(world: World) -> None:
    await world.leads(await world.campaign(await _boxes(world, 4)), 4)
    assert len(await world.plan()) == 4


async def test_another_domain_is_not_concerned(world: World) -> None:
    boxes = await _boxes(world, 2) + await _boxes(world, 2, "tarn.example")
    await world.leads(await world.campaign(boxes, domain_level_rate_limit=True), 4)
    attempts = await world.plan()
    domains = {(await world.row("mailboxes", attempt.mailbox_id))["from_email"].split("@")[1] for attempt in attempts}
    assert (len(attempts), domains) == (2, {"quay.example", "tarn.example"})


async def test_mails_of_other_campaigns_from_the_domain_count(world: World) -> None:
    """Also from a mailbox that the limited campaign does not have."""
    first, second, third = await _boxes(world, 3)
    free = await world.campaign([third])
    await world.leads(free, 1)
    assert len(await world.plan()) == 1
    await world.settle()
    await world.leads(
        await world.campaign([first, second], min_time_between_emails=20, domain_level_rate_limit=True), 2
    )
    assert await world.plan() == []
    world.later(minutes=9)
    assert await world.plan() == []
    world.later(minutes=1)
    assert len(await world.plan()) == 1


async def test_a_mail_that_is_tried_again_takes_its_turn_too(world: World) -> None:
    boxes = await _boxes(world, 2)
    campaign_id = await world.campaign(boxes, min_time_between_emails=20, domain_level_rate_limit=True)
    await world.leads(campaign_id, 2)
    await world.plan()
    later = world.now + timedelta(minutes=25)
    await execute(world.db, "UPDATE dispatches SET state = 'DEFERRED', retry_at = %(at)s", {"at": later})
    world.later(minutes=15)
    assert len(await world.plan()) == 1  # the other lead, from the other mailbox
    world.later(minutes=20)
    assert await world.plan() == []  # that one is still on its way
    await execute(world.db, "DELETE FROM dispatches WHERE state = 'CLAIMED'")
    assert len(await world.plan()) == 1


async def test_the_mailboxes_that_wait_say_so(world: World, now: datetime) -> None:
    boxes = await _boxes(world, 2)
    await world.leads(await world.campaign(boxes, min_time_between_emails=20, domain_level_rate_limit=True), 2)
    [attempt] = await world.plan()
    await world.settle()
    world.later(minutes=2)
    await survey(world.db, world.engine_id, world.now)
    [other] = set(boxes) - {attempt.mailbox_id}
    row = await world.row("mailbox_states", other)
    assert (row["hold_code"], row["hold_until"]) == ("DOMAIN_LIMIT", now + timedelta(minutes=10))
