"""Who takes whom, and which text: the documented order to the letter."""

from collections import Counter
from datetime import timedelta

import pytest

from outrider.engine import rotation
from outrider.engine.facts import VariantFacts
from tests.engine.facts import NOW, lead, mailbox, pair, step, variant


def test_the_mailbox_idle_longest_comes_first_then_the_smaller_share_then_the_lower_id() -> None:
    boxes = [
        mailbox(id=1, last_sent_at=NOW),
        mailbox(id=2, last_sent_at=NOW - timedelta(hours=1)),
        mailbox(id=3),
        mailbox(id=5, last_sent_at=NOW - timedelta(hours=2), today_count=10, max_email_per_day=20),
        mailbox(id=6, last_sent_at=NOW - timedelta(hours=2), today_count=10, max_email_per_day=40),
        mailbox(id=4, last_sent_at=NOW - timedelta(hours=2), today_count=10, max_email_per_day=20),
    ]
    assert [box.id for box in rotation.idle_longest_first(boxes)] == [3, 6, 4, 5, 2, 1]


def test_campaigns_take_turns_on_a_mailbox() -> None:
    pairs = [pair(1, last_sent_at=NOW), pair(2), pair(3, last_sent_at=NOW - timedelta(hours=1))]
    assert [each.campaign_id for each in rotation.served_longest_ago_first(pairs)] == [2, 3, 1]


@pytest.mark.parametrize(
    ("last", "number", "sent", "expected"),
    [
        (None, 0, [], 1),
        (101, 1, [101], 2),
        (102, 2, [101, 102], 3),
        (103, 3, [101, 102, 103], None),
        (999, 1, [999], 2),  # its last step was removed: on by the old number
        (101, 1, [101, 102], 3),  # the second one was got before the sequence was changed
    ],
)
def test_a_lead_goes_on_after_its_last_step_and_never_gets_one_twice(
    last: int | None, number: int, sent: list[int], expected: int | None
) -> None:
    steps = [step(1), step(2), step(3)]
    following = rotation.next_step(lead(last_step_id=last, last_step_number=number, sent_step_ids=sent), steps)
    assert (following.number if following else None) == expected


@pytest.mark.parametrize(
    ("percentages", "expected"),
    [
        ([70, 30], [70, 30]),
        ([60, 60, 20], [60, 40, 0]),  # the last that fits is clipped, the rest get nothing
        ([0, 100], [0, 100]),
        ([10] * 12, [10] * 10 + [0, 0]),  # ten at most
        ([30], [100]),
    ],
)
def test_percentages_are_walked_in_order(percentages: list[float], expected: list[float]) -> None:
    variants = [variant(index + 1, share) for index, share in enumerate(percentages)]
    assert rotation.shares(variants, "MANUAL_PERCENTAGE") == expected


@pytest.mark.parametrize(
    ("distribution", "percentages", "expected"),
    [
        ("MANUAL_EQUAL", [None, None, None], {1: 34, 2: 33, 3: 33}),
        ("AI_EQUAL", [90.0, 5.0, 5.0], {1: 34, 2: 33, 3: 33}),
        ("MANUAL_PERCENTAGE", [70.0, 30.0], {1: 70, 2: 30}),
        ("MANUAL_PERCENTAGE", [0.0, 100.0], {2: 100}),
    ],
)
def test_the_split_is_exact(distribution: str, percentages: list[float | None], expected: dict[int, int]) -> None:
    variants = [variant(index + 1, share) for index, share in enumerate(percentages)]
    chosen = Counter[int]()
    for _ in range(100):
        chosen[_choose(variants, distribution, chosen)] += 1
    assert dict(chosen) == expected


def test_the_split_is_exact_at_any_moment() -> None:
    variants = [variant(1, 60.0), variant(2, 30.0), variant(3, 10.0)]
    chosen = Counter[int]()
    for total in range(1, 201):
        chosen[_choose(variants, "MANUAL_PERCENTAGE", chosen)] += 1
        for each, share in zip(variants, (60, 30, 10), strict=True):
            assert abs(chosen[each.id] - total * share / 100) <= 1


def test_what_a_variant_got_that_is_off_now_does_not_disturb_the_split_of_the_others() -> None:
    variants = [variant(1, 0.0, count=500), variant(2, 70.0), variant(3, 30.0)]
    chosen = Counter[int]()
    for total in range(1, 101):
        chosen[_choose(variants, "MANUAL_PERCENTAGE", chosen)] += 1
        assert abs(chosen[2] - total * 0.7) <= 1
    assert chosen[1] == 0


def _choose(variants: list[VariantFacts], distribution: str, chosen: Counter[int]) -> int:
    found = rotation.choose_variant(variants, step(1, distribution=distribution), chosen)
    assert found is not None
    return found.id


def test_a_step_without_variants_has_none_to_choose() -> None:
    assert rotation.choose_variant([], step(1), {}) is None


def test_a_winner_is_chosen_whatever_the_shares_say_as_long_as_it_exists() -> None:
    variants = [variant(1), variant(2, count=50), variant(3)]
    assert _chosen(variants, winner_id=2) == 2
    assert _chosen(variants, winner_id=9) == 1  # deleted: even again
    assert _chosen(variants, winner_id=None) == 1


def _chosen(variants: list[VariantFacts], *, winner_id: int | None) -> int | None:
    found = rotation.choose_variant(variants, step(1, distribution="AI_EQUAL", winner_id=winner_id), {})
    return found.id if found else None
