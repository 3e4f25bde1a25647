"""What events do beyond their mail: opens and clicks that end a sequence, bounces that pause a campaign."""

from datetime import datetime, timedelta

import pytest

from outrider.campaigns.models import CampaignStatusChanged
from outrider.engine import bounces
from outrider.engine.bounces import Bounced
from outrider.kit.db import Db, execute
from outrider.kit.events import emit
from outrider.mail.dsn import BounceKind
from outrider.messages.models import LinkClicked, MessageOpened
from tests.support.events import hearing
from tests.support.world import World


async def _campaign(world: World, threshold: str | None) -> tuple[int, list[Bounced]]:
    """A campaign with 20 leads who got its first mail; the bounces that could follow."""
    boxes = [await world.mailbox() for _ in range(20)]
    campaign_id = await world.campaign(boxes, bounce_autopause_threshold=threshold)
    leads = await world.leads(campaign_id, 20)
    attempts = await world.plan()
    assert len(attempts) == len(leads)
    await world.write(attempts)
    await execute(world.db, "UPDATE messages SET status = 'SENT', sent_at = claimed_at")
    return campaign_id, [
        Bounced(
            user_id=world.user_id,
            campaign_id=campaign_id,
            campaign_lead_id=each.lead.id,
            lead_id=each.lead.lead_id,
            message_id=each.message_id,
            email=each.lead.email,
            kind=BounceKind.HARD,
            report_id=None,
            at=world.now,
        )
        for each in attempts
    ]


async def _bounce(db: Db, bounced: Bounced, kind: str = "HARD") -> None:
    await execute(
        db,
        "UPDATE messages SET bounce_kind = %(kind)s, bounced_at = %(at)s WHERE id = %(id)s",
        {"kind": kind, "at": bounced.at, "id": bounced.message_id},
    )
    await bounces.apply(db, [bounced])


@pytest.mark.parametrize(
    ("rule", "event", "expected"),
    [
        ("REPLY_TO_AN_EMAIL", "open", ("INPROGRESS", None)),
        ("REPLY_TO_AN_EMAIL", "click", ("INPROGRESS", None)),
        ("CLICK_ON_A_LINK", "open", ("INPROGRESS", None)),
        ("CLICK_ON_A_LINK", "click", ("STOPPED", "CLICKED")),
        ("OPEN_AN_EMAIL", "open", ("STOPPED", "OPENED")),
        ("OPEN_AN_EMAIL", "click", ("STOPPED", "CLICKED")),
        ("NEVER", "open", ("INPROGRESS", None)),
        ("NEVER", "click", ("INPROGRESS", None)),
    ],
)
async def test_the_rule_of_the_campaign_decides_what_ends_a_sequence(
    world: World, rule: str, event: str, expected: tuple[str, str | None]
) -> None:
    """Answers: tests/engine/test_intake.py."""
    campaign_id = await world.campaign([await world.mailbox()], steps=2, stop_lead_settings=rule)
    [mail] = await world.sent(campaign_id)
    place = (world.user_id, campaign_id, mail["campaign_lead_id"], mail["id"], world.now)
    if event == "open":
        await emit(world.db, MessageOpened(*place, is_first=True))
    else:
        await emit(world.db, LinkClicked(*place, url="https://a.example", is_first_of_link=True))
    lead = await world.row("campaign_leads", mail["campaign_lead_id"])
    assert (lead["status"], lead["hold_reason"]) == expected


@pytest.mark.parametrize("status", ["COMPLETED", "PAUSED", "BLOCKED", "STOPPED"])
async def test_who_is_not_on_the_way_stays_so_after_an_open(world: World, status: str) -> None:
    campaign_id = await world.campaign([await world.mailbox()], steps=2, stop_lead_settings="OPEN_AN_EMAIL")
    [mail] = await world.sent(campaign_id)
    await world.change("campaign_leads", mail["campaign_lead_id"], status=status, hold_reason=None)
    opened = MessageOpened(world.user_id, campaign_id, mail["campaign_lead_id"], mail["id"], world.now, is_first=True)
    await emit(world.db, opened)
    lead = await world.row("campaign_leads", mail["campaign_lead_id"])
    assert (lead["status"], lead["hold_reason"]) == (status, None)


async def test_a_campaign_pauses_when_the_share_of_bounced_leads_reaches_its_limit(world: World) -> None:
    campaign_id, ready = await _campaign(world, "10")
    with hearing(CampaignStatusChanged) as heard:
        await _bounce(world.db, ready[0])
        assert (await world.row("campaigns", campaign_id))["status"] == "ACTIVE"
        await _bounce(world.db, ready[1])
        await _bounce(world.db, ready[2])
    assert (await world.row("campaigns", campaign_id))["status"] == "PAUSED"
    assert [(e.current, e.bounce_rate, e.threshold) for e in heard.events] == [("PAUSED", "10.0", "10")]


@pytest.mark.parametrize(
    ("threshold", "kind", "changes"),
    [
        (None, BounceKind.HARD, {}),
        ("5", BounceKind.SENDER, {}),
        ("5", BounceKind.HARD, {"bounce_measured_from": timedelta(hours=1)}),
    ],
)
async def test_it_goes_on_without_a_limit_for_the_senders_own_fault_and_anew_after_a_restart(
    world: World, threshold: str | None, kind: BounceKind, changes: dict[str, timedelta]
) -> None:
    campaign_id, ready = await _campaign(world, threshold)
    times: dict[str, datetime] = {column: world.now + span for column, span in changes.items()}
    await world.change("campaigns", campaign_id, **times)
    for each in ready[:4]:
        await _bounce(world.db, each if kind is BounceKind.HARD else _by_sender(each), kind)
    assert (await world.row("campaigns", campaign_id))["status"] == "ACTIVE"


def _by_sender(bounced: Bounced) -> Bounced:
    return Bounced(**{name: getattr(bounced, name) for name in bounced.__slots__} | {"kind": BounceKind.SENDER})


async def test_a_few_mails_say_nothing(world: World) -> None:
    campaign_id, ready = await _campaign(world, "5")
    await execute(world.db, "DELETE FROM messages WHERE id = %(id)s", {"id": ready[19].message_id})
    for each in ready[:5]:
        await _bounce(world.db, each)
    assert (await world.row("campaigns", campaign_id))["status"] == "ACTIVE"
