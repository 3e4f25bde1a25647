"""Leads and mailboxes of one provider are paired (product behaviour 1.5)."""

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from tests.support.world import World

_DOMAINS = {"GOOGLE": "quay.example", "MICROSOFT": "tarn.example", "OTHER": "loom.example", "GATEWAY": "fjord.example"}


async def _leads(world: World, campaign_id: int, provider: str, count: int) -> list[int]:
    leads = await world.leads(campaign_id, count, domain=_DOMAINS[provider])
    for lead in leads:
        await world.change("campaign_leads", lead, provider=provider)
    return leads


async def _round(world: World) -> dict[tuple[str, str], int]:
    """One round: how many leads of which provider went from mailboxes of which."""
    pairs: Counter[tuple[str, str]] = Counter()
    for attempt in await world.plan():
        mailbox = await world.row("mailboxes", attempt.mailbox_id)
        pairs[attempt.lead.provider or "", mailbox["type"]] += 1
    await world.settle()
    world.later(minutes=30)
    return dict(pairs)


async def _campaign(world: World, types: list[str], **changes: Any) -> int:
    boxes = [await world.mailbox(type=each) for each in types]
    return await world.campaign(boxes, enable_ai_esp_matching=True, max_new_leads_per_day=500, **changes)


async def test_two_and_eight_mailboxes_for_fifty_and_fifty_leads(world: World) -> None:
    """The worked example: the few matching mailboxes are not overloaded, and no lead waits for a match."""
    campaign_id = await _campaign(world, ["GMAIL"] * 2 + ["OUTLOOK"] * 8)
    await _leads(world, campaign_id, "GOOGLE", 50)
    await _leads(world, campaign_id, "MICROSOFT", 50)
    for _ in range(6):
        assert await _round(world) == {("GOOGLE", "GMAIL"): 2, ("MICROSOFT", "OUTLOOK"): 8}
    # Two leads at Microsoft are left: from now on the others serve those at Google.
    assert await _round(world) == {("GOOGLE", "GMAIL"): 2, ("MICROSOFT", "OUTLOOK"): 2, ("GOOGLE", "OUTLOOK"): 6}
    rest = [await _round(world) for _ in range(4)]
    assert rest[:3] == [{("GOOGLE", "GMAIL"): 2, ("GOOGLE", "OUTLOOK"): 8}] * 3
    assert sum(rest[3].values()) == 0


async def test_the_matching_mailbox_gets_the_lead_though_another_was_idle_longer(world: World) -> None:
    campaign_id = await _campaign(world, ["OUTLOOK", "GMAIL"])
    await _leads(world, campaign_id, "GOOGLE", 1)
    assert await _round(world) == {("GOOGLE", "GMAIL"): 1}


async def test_own_servers_and_gateways_match_nobody(world: World) -> None:
    campaign_id = await _campaign(world, ["SMTP", "GMAIL"])
    await _leads(world, campaign_id, "OTHER", 1)
    await _leads(world, campaign_id, "GATEWAY", 1)
    await _leads(world, campaign_id, "GOOGLE", 1)
    assert await _round(world) == {("OTHER", "SMTP"): 1, ("GOOGLE", "GMAIL"): 1}
    assert await _round(world) == {("GATEWAY", "SMTP"): 1}


async def test_the_cap_of_new_leads_holds_over_both_passes(world: World) -> None:
    campaign_id = await _campaign(world, ["GMAIL", "GMAIL", "OUTLOOK", "SMTP"])
    await world.change("campaigns", campaign_id, max_new_leads_per_day=3)
    await _leads(world, campaign_id, "GOOGLE", 4)
    await _leads(world, campaign_id, "MICROSOFT", 4)
    assert sum((await _round(world)).values()) == 3
    assert await _round(world) == {}


async def test_without_the_setting_the_order_of_import_decides(world: World) -> None:
    campaign_id = await _campaign(world, ["OUTLOOK", "GMAIL"])
    await world.change("campaigns", campaign_id, enable_ai_esp_matching=False)
    await _leads(world, campaign_id, "GOOGLE", 1)
    await _leads(world, campaign_id, "MICROSOFT", 1)
    assert await _round(world) == {("GOOGLE", "OUTLOOK"): 1, ("MICROSOFT", "GMAIL"): 1}


async def test_strict_pairing_waits_for_a_mailbox_of_the_leads_provider(world: World) -> None:
    """Leads of whom no mailbox could be go from any."""
    campaign_id = await _campaign(world, ["GMAIL", "OUTLOOK", "OUTLOOK"], esp_matching_strict=True)
    await _leads(world, campaign_id, "GOOGLE", 3)
    await _leads(world, campaign_id, "OTHER", 1)
    await _leads(world, campaign_id, "MICROSOFT", 1)
    assert await _round(world) == {("GOOGLE", "GMAIL"): 1, ("MICROSOFT", "OUTLOOK"): 1, ("OTHER", "OUTLOOK"): 1}
    assert [await _round(world) for _ in range(3)] == [{("GOOGLE", "GMAIL"): 1}, {("GOOGLE", "GMAIL"): 1}, {}]


@pytest.mark.parametrize(
    "changes", [{"is_suspended": True}, {"is_smtp_success": False}, {"deleted_at": "2026-03-01T00:00Z"}]
)
async def test_strict_pairing_waits_for_no_mailbox_that_cannot_send(world: World, changes: dict[str, Any]) -> None:
    boxes = [await world.mailbox(type="GMAIL"), await world.mailbox(type="OUTLOOK")]
    campaign_id = await world.campaign(boxes, enable_ai_esp_matching=True, esp_matching_strict=True)
    await world.change("mailboxes", boxes[0], **changes)
    await _leads(world, campaign_id, "GOOGLE", 1)
    assert await _round(world) == {("GOOGLE", "OUTLOOK"): 1}


async def test_a_lead_that_was_just_added_waits_for_its_look_up_and_not_for_ever(world: World) -> None:
    campaign_id = await _campaign(world, ["GMAIL"])
    [lead] = await world.leads(campaign_id, 1)
    assert await world.plan() == []
    row = await world.row("campaign_leads", lead)
    assert (row["hold_code"], row["hold_until"]) == ("PROVIDER_LOOKUP", world.now + timedelta(minutes=5))
    world.later(minutes=5)
    assert [attempt.lead.id for attempt in await world.plan()] == [lead]


async def test_a_follow_up_goes_from_its_own_mailbox_whatever_the_provider(world: World) -> None:
    boxes = [await world.mailbox(type="GMAIL"), await world.mailbox(type="OUTLOOK")]
    campaign_id = await world.campaign(boxes, steps=2, enable_ai_esp_matching=True, esp_matching_strict=True)
    [lead] = await _leads(world, campaign_id, "GOOGLE", 1)
    await world.change(
        "campaign_leads", lead, status="INPROGRESS", mailbox_id=boxes[1], last_step_number=1, due_at=world.now
    )
    assert [attempt.mailbox_id for attempt in await world.plan()] == [boxes[1]]
