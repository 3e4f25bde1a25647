"""A/B tests with a winner, over HTTP and as the engine looks at them, on a clock that is moved by hand."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from outrider.campaigns import winners
from outrider.kit.db import execute, fetch_value
from tests.support.client import ApiClient
from tests.support.world import World

TWO = [{"subject": "Fees", "email_body": "Hello"}, {"subject": "Costs", "email_body": "Hello"}]
STEP = {
    "seq_number": 1,
    "variant_distribution_type": "AI_EQUAL",
    "winning_metric_property": "OPEN_RATE",
    "lead_distribution_percentage": 40,
    "seq_variants": TWO,
}


@pytest.fixture
async def api(world: World, app: Any, connect: Any) -> ApiClient:
    client: ApiClient = await connect(app, world.db, user_id=world.user_id)
    return client


async def _start(world: World, api: ApiClient, *, leads: int = 10, boxes: int = 2, **changes: Any) -> int:
    """An ACTIVE campaign whose only step is tested on four of ten leads."""
    campaign = await world.campaign([await world.mailbox() for _ in range(boxes)], steps=0)
    await _save(api, campaign, STEP | changes)
    await world.leads(campaign, leads)
    return campaign


async def _save(api: ApiClient, campaign_id: int, *steps: dict[str, Any]) -> None:
    answer = await api.post(f"/campaigns/{campaign_id}/sequences", json={"sequences": list(steps)})
    assert answer.status_code == 200, answer.text


async def _send(world: World, rounds: int) -> list[str]:
    """Rounds of the engine, a look at the tests before each; returns the labels in the order of sending."""
    labels = []
    for _ in range(rounds):
        await winners.decide_due(world.db, world.now)
        attempts = await world.plan()
        labels += [attempt.variant.label for attempt in attempts if attempt.variant]
        await world.write(attempts)
        await execute(
            world.db,
            "UPDATE messages SET status = 'SENT', sent_at = %(now)s WHERE id = ANY(%(ids)s)",
            {"now": world.now, "ids": [attempt.message_id for attempt in attempts]},
        )
        await world.settle()
        world.later(minutes=20)
    return labels


async def _happens(world: World, label: str, column: str, *, count: int = 1) -> None:
    """That many mails of a variant are opened, clicked or answered now."""
    await execute(
        world.db,
        f"""
        UPDATE messages SET {column} = %(now)s
        WHERE id IN (SELECT m.id FROM messages AS m JOIN variants AS v ON v.id = m.variant_id
                     WHERE v.variant_label = %(label)s AND m.{column} IS NULL ORDER BY m.id LIMIT %(count)s)
        """,  # noqa: S608 - columns from the tests
        {"now": world.now, "label": label, "count": count},
    )


async def _look(world: World, **later: float) -> None:
    world.later(**later)
    await winners.decide_due(world.db, world.now)


async def _shown(api: ApiClient, campaign_id: int) -> dict[str, Any]:
    answer = await api.get(f"/campaigns/{campaign_id}/winners")
    assert answer.status_code == 200, answer.text
    [step] = answer.json()["data"]
    return dict(step)


async def _choose(api: ApiClient, campaign_id: int, **body: Any) -> None:
    answer = await api.post(f"/campaigns/{campaign_id}/winners", json={"seq_number": 1, **body})
    assert (answer.status_code, answer.json()) == (200, {"ok": True}), answer.text


def _numbers(shown: dict[str, Any]) -> list[tuple[str, int, int]]:
    return [(each["variant_label"], each["event_count"], each["sent_count"]) for each in shown["variants"]]


async def test_a_test_from_the_first_mail_to_the_decision(world: World, api: ApiClient) -> None:
    campaign = await _start(world, api)
    assert await _send(world, 1) == ["A", "B"]
    shown = await _shown(api, campaign)
    assert (shown["state"], shown["test_size"], shown["test_sent_count"], shown["winner"]) == ("TESTING", 4, 2, None)
    assert await _send(world, 1) == ["A", "B"]
    last = world.now - timedelta(minutes=20)
    await _look(world, minutes=10)
    await _happens(world, "B", "first_opened_at")
    shown = await _shown(api, campaign)
    assert (shown["state"], shown["test_sent_count"]) == ("WAITING", 4)
    assert shown["next_look_at"] == (last + timedelta(days=1)).isoformat().replace("+00:00", ".000Z")
    assert await _send(world, 1) == ["A", "B"]  # evenly until it is decided
    world.now = last + timedelta(days=1) - timedelta(seconds=1)
    await _look(world)
    assert (await _shown(api, campaign))["state"] == "WAITING"
    await _look(world, seconds=1)
    shown = await _shown(api, campaign)
    assert (shown["state"], shown["winner"]["variant_label"], shown["reason"]) == ("DECIDED", "B", "HIGHER_RATE")
    assert shown["decided_at"] == (last + timedelta(days=1)).isoformat().replace("+00:00", ".000Z")
    assert _numbers(shown) == [("A", 0, 2), ("B", 1, 2)]
    assert [each["rate"] for each in shown["variants"]] == [0.0, 50.0]
    assert sum(each["probability"] for each in shown["variants"]) == pytest.approx(1, abs=1e-3)
    [decision] = shown["decisions"]
    assert (decision["seq_variant_id"], decision["reason"]) == (shown["winner"]["seq_variant_id"], "HIGHER_RATE")
    assert decision["variants"] == shown["variants"]
    assert decision["winning_metric_property"] == "OPEN_RATE"
    assert await _send(world, 1) == ["B", "B"]


async def test_what_happens_later_changes_no_decision_and_its_numbers_stay(world: World, api: ApiClient) -> None:
    campaign = await _start(world, api)
    await _send(world, 2)
    await _happens(world, "B", "first_opened_at")
    await _look(world, days=1)
    await _happens(world, "A", "first_opened_at", count=2)
    await _look(world, days=30)
    shown = await _shown(api, campaign)
    assert shown["winner"]["variant_label"] == "B"
    assert [each["event_count"] for each in shown["decisions"][0]["variants"]] == [0, 1]
    assert [each["event_count"] for each in shown["variants"]] == [2, 1]


@pytest.mark.parametrize(
    ("metric", "column", "days"),
    [
        ("OPEN_RATE", "first_opened_at", 1),
        ("CLICK_RATE", "first_clicked_at", 1),
        ("REPLY_RATE", "first_replied_at", 3),
    ],
)
async def test_each_metric_counts_its_own_and_has_its_own_patience(
    world: World, api: ApiClient, *, metric: str, column: str, days: int
) -> None:
    campaign = await _start(world, api, winning_metric_property=metric)
    await _send(world, 2)
    for each in {"first_opened_at", "first_clicked_at", "first_replied_at"} - {column}:
        await _happens(world, "A", each, count=2)
    await _happens(world, "B", column)
    world.now -= timedelta(minutes=20)
    await _look(world, days=days, seconds=-1)
    assert (await _shown(api, campaign))["state"] == "WAITING"
    await _look(world, seconds=1)
    assert (await _shown(api, campaign))["winner"]["variant_label"] == "B"


async def test_only_answers_of_a_positive_category_are_positive(world: World, api: ApiClient) -> None:
    campaign = await _start(world, api, winning_metric_property="POSITIVE_REPLY_RATE")
    await _send(world, 2)
    await _happens(world, "A", "first_replied_at", count=2)
    await _happens(world, "B", "first_replied_at")
    for label, category in (("A", 3), ("B", 1)):
        await execute(
            world.db,
            """
            UPDATE campaign_leads SET category_id = %(category)s
            WHERE id IN (SELECT m.campaign_lead_id FROM messages AS m JOIN variants AS v ON v.id = m.variant_id
                         WHERE v.variant_label = %(label)s)
            """,
            {"category": category, "label": label},
        )
    await _look(world, days=3)
    shown = await _shown(api, campaign)
    assert (shown["winner"]["variant_label"], _numbers(shown)) == ("B", [("A", 0, 2), ("B", 1, 2)])


async def test_machines_decide_nothing(world: World, api: ApiClient) -> None:
    campaign = await _start(world, api)
    await _send(world, 2)
    await execute(world.db, "UPDATE messages SET machine_open_count = 9, machine_click_count = 9")
    await _look(world, days=1)
    shown = await _shown(api, campaign)
    assert (shown["state"], _numbers(shown)) == ("WAITING", [("A", 0, 2), ("B", 0, 2)])


async def test_without_events_it_looks_daily_and_takes_the_first_after_seven_days(world: World, api: ApiClient) -> None:
    campaign = await _start(world, api)
    await _send(world, 2)
    world.now -= timedelta(minutes=20)
    for day in range(1, 9):
        await _look(world, days=1)
        shown = await _shown(api, campaign)
        assert shown["state"] == ("DECIDED" if day == 8 else "WAITING")
    assert (shown["winner"]["variant_label"], shown["reason"]) == ("A", "NO_EVENTS")


async def test_leads_that_come_later_do_not_make_a_finished_test_larger(world: World, api: ApiClient) -> None:
    campaign = await _start(world, api)
    await _send(world, 2)
    await _look(world, minutes=1)
    await world.leads(campaign, 100)
    assert (await _shown(api, campaign))["test_size"] == 4


async def test_leads_that_come_while_it_runs_do_and_blocked_ones_do_not(world: World, api: ApiClient) -> None:
    campaign = await _start(world, api)
    assert (await _shown(api, campaign))["test_size"] == 4
    more = await world.leads(campaign, 11)
    assert (await _shown(api, campaign))["test_size"] == 9  # 40 % of 21, rounded up
    await world.change("campaign_leads", more[0], status="BLOCKED")
    assert (await _shown(api, campaign))["test_size"] == 8


async def test_a_campaign_at_rest_decides_when_it_goes_on(world: World, api: ApiClient) -> None:
    campaign = await _start(world, api)
    await _send(world, 2)
    await _happens(world, "B", "first_opened_at")
    await world.change("campaigns", campaign, status="PAUSED")
    await _look(world, days=9)
    assert (await _shown(api, campaign))["winner"] is None
    await world.change("campaigns", campaign, status="ACTIVE")
    await _look(world)
    assert (await _shown(api, campaign))["winner"]["variant_label"] == "B"


async def test_a_person_chooses_takes_it_back_and_all_is_kept(world: World, api: ApiClient) -> None:
    campaign = await _start(world, api, leads=20)
    await _choose(api, campaign, variant="B")
    assert await _send(world, 2) == ["B"] * 4
    shown = await _shown(api, campaign)
    assert (shown["state"], shown["is_by_hand"], shown["reason"]) == ("DECIDED", True, "BY_HAND")
    await _choose(api, campaign, variant=None)
    shown = await _shown(api, campaign)
    assert (shown["state"], shown["winner"], shown["is_by_hand"]) == ("TESTING", None, False)
    assert await _send(world, 2) == ["A"] * 4  # even again
    await _happens(world, "A", "first_opened_at")
    await _look(world, days=1, hours=1)
    assert (await _shown(api, campaign))["winner"]["variant_label"] == "A"
    await _choose(api, campaign, variant=shown["variants"][1]["seq_variant_id"])
    assert (await _shown(api, campaign))["winner"]["variant_label"] == "B"
    await _choose(api, campaign, variant=None)
    shown = await _shown(api, campaign)
    assert (shown["winner"]["variant_label"], shown["is_by_hand"]) == ("A", False)
    assert [each["reason"] for each in shown["decisions"]] == [
        "BY_HAND",
        "TAKEN_BACK",
        "HIGHER_RATE",
        "BY_HAND",
        "TAKEN_BACK",
    ]


async def test_the_numbers_do_not_overrule_a_person_but_are_kept(world: World, api: ApiClient) -> None:
    campaign = await _start(world, api)
    await _send(world, 2)
    await _happens(world, "A", "first_opened_at")
    await _choose(api, campaign, variant="b")
    await _look(world, days=1)
    shown = await _shown(api, campaign)
    assert (shown["winner"]["variant_label"], shown["is_by_hand"]) == ("B", True)
    assert [each["reason"] for each in shown["decisions"]] == ["BY_HAND", "HIGHER_RATE"]


async def test_a_winner_that_is_deleted_is_none_and_the_others_numbers_decide(world: World, api: ApiClient) -> None:
    third = {"subject": "Tolls", "email_body": "Hello"}
    campaign = await _start(world, api, boxes=3, leads=15, seq_variants=[*TWO, third])
    assert await _send(world, 2) == ["A", "B", "C"] * 2
    await _happens(world, "C", "first_opened_at", count=2)
    await _happens(world, "B", "first_opened_at")
    await _look(world, days=1)
    shown = await _shown(api, campaign)
    assert shown["winner"]["variant_label"] == "C"
    kept = [{"id": each["seq_variant_id"], **text} for each, text in zip(shown["variants"][:2], TWO, strict=True)]
    await _save(api, campaign, STEP | {"id": shown["email_campaign_seq_id"], "seq_variants": kept})
    assert (await _shown(api, campaign))["winner"] is None
    await _look(world)
    shown = await _shown(api, campaign)
    assert (shown["winner"]["variant_label"], _numbers(shown)) == ("B", [("A", 0, 2), ("B", 1, 2)])
    assert len(shown["decisions"]) == 2


async def test_mails_on_their_way_keep_a_variant_that_was_deleted(world: World, api: ApiClient) -> None:
    campaign = await _start(world, api, boxes=1)
    [attempt] = await world.plan()
    assert attempt.variant is not None
    await world.write([attempt])
    await execute(
        world.db,
        "UPDATE dispatches SET state = 'DEFERRED', retry_at = %(now)s",
        {"now": world.now + timedelta(minutes=5)},
    )
    shown = await _shown(api, campaign)
    kept = [{"id": shown["variants"][1]["seq_variant_id"], "subject": "Costs", "email_body": "Hello"}]
    await _save(api, campaign, STEP | {"id": shown["email_campaign_seq_id"], "seq_variants": kept})
    world.later(minutes=30)
    [again] = await world.plan()
    assert again.variant is not None
    assert (again.message_id, again.variant.id) == (attempt.message_id, attempt.variant.id)
    await world.texts.load(world.db, [(again.step, again.variant)])
    assert (
        world.texts.get(again.step, again.variant).subject.render({}, seed=1, now=world.now, zone=ZoneInfo("UTC"))
        == "Fees"
    )


async def test_a_step_that_splits_otherwise_has_no_winner(world: World, api: ApiClient) -> None:
    campaign = await _start(world, api, variant_distribution_type="MANUAL_EQUAL")
    await _look(world)
    answer = await api.get(f"/campaigns/{campaign}/winners")
    assert answer.json() == {"ok": True, "data": []}
    assert await fetch_value(world.db, "SELECT count(*) FROM variant_tests") == 0


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, '"seq_number" is required'),
        ({"seq_number": 2, "variant": "A"}, "Sequence 2 has no A/B test that finds a winner"),
        ({"seq_number": 1, "variant": "Z"}, "Variant not found - Z"),
        ({"seq_number": 0}, '"seq_number" must be larger than or equal to 1'),
    ],
)
async def test_what_cannot_be_chosen_is_refused(
    world: World, api: ApiClient, body: dict[str, Any], message: str
) -> None:
    campaign = await _start(world, api)
    answer = await api.post(f"/campaigns/{campaign}/winners", json=body)
    assert (answer.status_code, answer.json()["message"]) == (400, message)


async def test_other_accounts_see_and_choose_nothing(world: World, api: ApiClient, other_api: ApiClient) -> None:
    campaign = await _start(world, api)
    for answer in (
        await other_api.get(f"/campaigns/{campaign}/winners"),
        await other_api.post(f"/campaigns/{campaign}/winners", json={"seq_number": 1, "variant": "A"}),
    ):
        assert (answer.status_code, answer.json()["message"]) == (404, "Campaign not found - Invalid campaign_id.")


async def test_the_same_state_and_time_give_the_same_decision(world: World, api: ApiClient) -> None:
    campaign = await _start(world, api)
    await _send(world, 2)
    await _happens(world, "B", "first_opened_at")
    seen: list[Sequence[Any]] = []
    for _ in range(2):
        async with world.db.transaction(force_rollback=True):
            await winners.decide_due(world.db, world.now + timedelta(days=1))
            shown = await _shown(api, campaign)
            seen.append((shown["winner"], shown["decisions"], shown["decided_at"]))
    assert seen[0] == seen[1]
    assert seen[0][0] is not None
