"""Texts that would have a gap for a lead: sent so, held, or left out, as the campaign says (product behaviour 3.5)."""

from datetime import timedelta
from typing import Any

import pytest

from outrider.campaigns import actions as campaigns
from outrider.campaigns import sequence
from outrider.campaigns.wire_sequence import SequenceSave
from outrider.campaigns.wire_settings import SettingsBody
from outrider.kit.db import execute, fetch_dicts
from outrider.leads import actions as leads
from tests.support import make
from tests.support.world import World

GAP = "Hello {{first_name}} in {{City}}"
NO_GAP = "Hello {{first_name}} in {{City | default: 'town'}}"


async def _campaign(world: World, rule: str, *, steps: int = 2, **changes: Any) -> tuple[int, int]:
    box = await world.mailbox()
    campaign = await world.campaign([box], steps=steps, on_missing_variable=rule, min_time_between_emails=1, **changes)
    await execute(world.db, "UPDATE steps SET email_body = %(text)s WHERE number = 1", {"text": GAP})
    return campaign, box


async def _has_city(world: World, campaign_lead_id: int) -> None:
    await execute(
        world.db,
        """
        UPDATE leads SET custom_fields = '{"city": "Lagos"}'
        WHERE id = (SELECT lead_id FROM campaign_leads WHERE id = %(id)s)
        """,
        {"id": campaign_lead_id},
    )


async def test_gaps_are_sent_unless_the_campaign_says_otherwise(world: World) -> None:
    campaign, _ = await _campaign(world, "blank")
    [lead] = await world.leads(campaign, 1)
    assert [attempt.lead.id for attempt in await world.plan()] == [lead]


async def test_a_lead_without_a_value_is_held_and_the_next_one_goes_in_the_same_round(world: World) -> None:
    campaign, _ = await _campaign(world, "hold")
    missing, fine = await world.leads(campaign, 2)
    await _has_city(world, fine)
    assert [attempt.lead.id for attempt in await world.plan()] == [fine]
    row = await world.row("campaign_leads", missing)
    assert (row["status"], row["hold_code"]) == ("STARTED", "MISSING_VARIABLE")
    assert row["hold_text"] == "The lead has no City. Fill it in, or give the text a fallback."


async def test_a_lead_that_is_held_takes_no_place_of_a_mailbox_or_a_day(world: World) -> None:
    campaign, box = await _campaign(world, "hold", max_new_leads_per_day=1)
    leads_ = await world.leads(campaign, 4)
    await _has_city(world, leads_[3])
    assert [attempt.lead.id for attempt in await world.plan()] == [leads_[3]]
    [day] = await fetch_dicts(world.db, "SELECT new_count, follow_up_count FROM campaign_days")
    assert day == {"new_count": 1, "follow_up_count": 0}
    assert (await world.row("mailbox_states", box))["last_sent_at"] == world.now


async def test_the_cap_of_new_leads_holds_although_more_are_looked_at(world: World) -> None:
    campaign, _ = await _campaign(world, "hold", max_new_leads_per_day=1)
    other = await world.mailbox()
    await make.attach(world.db, world.user_id, campaign, other)
    leads_ = await world.leads(campaign, 3)
    for lead in leads_[1:]:
        await _has_city(world, lead)
    assert [attempt.lead.id for attempt in await world.plan()] == [leads_[1]]


async def _fill_in(world: World, campaign_id: int, lead_id: int) -> None:
    await leads.update(
        world.db,
        world.user_id,
        lead_id,
        {},
        campaign_id=campaign_id,
        custom_fields={"CITY": "Lagos"},
        client_id=None,
        now=world.now,
    )


async def _give_a_fallback(world: World, campaign_id: int, lead_id: int) -> None:
    drafts = SequenceSave.model_validate([{"subject": "Fees", "email_body": NO_GAP}]).drafts()
    await sequence.save(world.db, world.user_id, campaign_id, drafts, client_id=None, now=world.now)


async def _allow_gaps(world: World, campaign_id: int, lead_id: int) -> None:
    changes = SettingsBody.model_validate({"on_missing_variable": "BLANK"}).changes()
    await campaigns.change_settings(world.db, world.user_id, campaign_id, changes, client_id=None, now=world.now)


@pytest.mark.parametrize("mend", [_fill_in, _give_a_fallback, _allow_gaps])
async def test_what_was_missing_is_mended_and_the_lead_goes_at_once(world: World, mend: Any) -> None:
    campaign, _ = await _campaign(world, "hold", steps=1)
    [lead] = await world.leads(campaign, 1)
    assert await world.plan() == []
    row = await world.row("campaign_leads", lead)
    assert row["hold_until"] == world.now + timedelta(hours=1)
    world.later(minutes=1)
    assert await world.plan() == []
    await mend(world, campaign, row["lead_id"])
    assert [attempt.lead.id for attempt in await world.plan()] == [lead]


async def test_a_value_that_comes_by_another_way_is_seen_within_an_hour(world: World) -> None:
    campaign, _ = await _campaign(world, "hold", steps=1)
    [lead] = await world.leads(campaign, 1)
    assert await world.plan() == []
    await _has_city(world, lead)
    world.later(hours=1)
    assert [attempt.lead.id for attempt in await world.plan()] == [lead]


async def test_a_follow_up_is_held_too(world: World) -> None:
    campaign, box = await _campaign(world, "hold")
    await execute(world.db, "UPDATE steps SET email_body = %(text)s WHERE number = 2", {"text": GAP})
    [lead] = await world.leads(campaign, 1)
    await world.change(
        "campaign_leads", lead, status="INPROGRESS", mailbox_id=box, last_step_number=1, due_at=world.now
    )
    assert await world.plan() == []
    assert (await world.row("campaign_leads", lead))["hold_code"] == "MISSING_VARIABLE"


async def test_a_step_is_left_out_and_the_next_one_is_due_after_its_own_delay(world: World) -> None:
    campaign, _ = await _campaign(world, "skip_step")
    await execute(world.db, "UPDATE steps SET subject = 'Once more', delay_days = 2 WHERE number = 2")
    [lead] = await world.leads(campaign, 1)
    assert await world.plan() == []
    row = await world.row("campaign_leads", lead)
    assert (row["status"], row["last_step_number"]) == ("STARTED", 1)
    assert row["due_at"] == world.now + timedelta(days=2)
    [event] = await fetch_dicts(world.db, "SELECT type, campaign_lead_id, details FROM message_events")
    assert (event["type"], event["campaign_lead_id"]) == ("SKIPPED", lead)
    assert (event["details"]["step_number"], event["details"]["missing"]) == (1, ["City"])
    world.later(days=1)
    assert await world.plan() == []
    world.later(days=1)
    [attempt] = await world.plan()
    assert (attempt.step.number, attempt.is_first_mail) == (2, True)


async def test_a_lead_whose_last_step_is_left_out_has_ended(world: World) -> None:
    campaign, _ = await _campaign(world, "skip_step", steps=1)
    [lead] = await world.leads(campaign, 1)
    assert await world.plan() == []
    assert (await world.row("campaign_leads", lead))["status"] == "COMPLETED"


async def test_the_variant_that_would_be_sent_is_the_one_that_is_looked_at(world: World) -> None:
    campaign, _ = await _campaign(world, "hold", steps=1)
    await execute(
        world.db,
        """
        INSERT INTO variants (user_id, campaign_id, step_id, position, variant_label, subject, email_body, created_at,
                              updated_at)
        SELECT user_id, campaign_id, id, label.position, label.name, 'Fees', label.text, created_at, created_at
        FROM steps, (VALUES (1, 'A', %(gap)s), (2, 'B', 'Hello')) AS label (position, name, text)
        """,
        {"gap": GAP},
    )
    leads_ = await world.leads(campaign, 2)
    await _has_city(world, leads_[1])
    sent = []
    for _ in range(2):
        sent += [(attempt.lead.id, attempt.variant.label) for attempt in await world.plan() if attempt.variant]
        await world.settle()
        world.later(minutes=62)
    assert sent == [(leads_[1], "A"), (leads_[0], "B")]
