"""The rules by which the numbers of an A/B test decide, and how sure they are."""

from datetime import datetime, timedelta
from math import exp, lgamma, log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outrider.campaigns.experiment import DecisionReason, Experiment, Figures, look, probabilities
from outrider.campaigns.models import WinningMetric
from tests.support.make import NOW

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def variants(*counts: tuple[int, int]) -> list[Figures]:
    """Events and mails of A, B, C …"""
    return [Figures(index, "ABCDEFGHIJ"[index], sent, events) for index, (events, sent) in enumerate(counts)]


def experiment(
    *counts: tuple[int, int],
    metric: WinningMetric = WinningMetric.OPEN_RATE,
    wanted: int = 20,
    sampled: int = 20,
    until: datetime | None = NOW,
) -> Experiment:
    return Experiment(1, metric, wanted, sampled, until, variants(*counts))


@pytest.mark.parametrize(
    ("counts", "label", "reason"),
    [
        (((3, 10), (4, 10)), "B", DecisionReason.HIGHER_RATE),
        (((4, 10), (3, 10)), "A", DecisionReason.HIGHER_RATE),
        (((1, 3), (34, 100)), "B", DecisionReason.HIGHER_RATE),
        (((1, 3), (33, 100)), "A", DecisionReason.HIGHER_RATE),  # the rate, not the sum
        (((2, 4), (3, 6)), "B", DecisionReason.MORE_SENT),
        (((3, 6), (2, 4)), "A", DecisionReason.MORE_SENT),
        (((2, 5), (2, 5)), "A", DecisionReason.FIRST),
        (((0, 5), (2, 5), (2, 5)), "B", DecisionReason.FIRST),
        (((1, 2), (2, 4), (2, 4)), "B", DecisionReason.FIRST),
        (((0, 0), (1, 9)), "B", DecisionReason.HIGHER_RATE),  # nothing was sent: no rate
    ],
)
def test_the_higher_rate_wins_then_more_mails_then_the_first(
    counts: tuple[tuple[int, int], ...], label: str, reason: DecisionReason
) -> None:
    verdict = look(experiment(*counts), NOW + DAY)
    assert verdict.winner is not None
    assert (verdict.winner.label, verdict.reason, verdict.look_at) == (label, reason, None)


@pytest.mark.parametrize(
    ("metric", "hours"),
    [
        (WinningMetric.OPEN_RATE, 24),
        (WinningMetric.CLICK_RATE, 24),
        (WinningMetric.REPLY_RATE, 72),
        (WinningMetric.POSITIVE_REPLY_RATE, 72),
    ],
)
def test_people_have_their_time_after_the_last_mail_of_the_test(metric: WinningMetric, hours: int) -> None:
    test = experiment((3, 10), (4, 10), metric=metric)
    ready_at = NOW + hours * HOUR
    early = look(test, ready_at - timedelta(seconds=1))
    assert (early.winner, early.look_at) == (None, ready_at)
    assert look(test, ready_at).winner is not None


@pytest.mark.parametrize(("sampled", "until"), [(0, None), (19, NOW)])
def test_nothing_is_decided_while_mails_of_the_test_are_to_go(sampled: int, until: datetime | None) -> None:
    verdict = look(experiment((9, 10), (0, 9), sampled=sampled, until=until), NOW + 30 * DAY)
    assert verdict.winner is None
    assert verdict.look_at is not None
    assert verdict.look_at > NOW + 30 * DAY


@pytest.mark.parametrize(
    ("after", "again"),
    [(1 * DAY, 2 * DAY), (1.5 * DAY, 2 * DAY), (2 * DAY, 3 * DAY), (7.9 * DAY, 8 * DAY), (8 * DAY, None)],
)
def test_without_any_event_it_looks_daily_for_seven_days_then_takes_the_first(
    after: timedelta, again: timedelta | None
) -> None:
    verdict = look(experiment((0, 10), (0, 10)), NOW + after)
    assert verdict.look_at == (NOW + again if again else None)
    assert (verdict.winner.label if verdict.winner else None) == (None if again else "A")
    assert verdict.reason == (None if again else DecisionReason.NO_EVENTS)


def test_a_late_event_decides_at_the_next_look() -> None:
    verdict = look(experiment((0, 10), (1, 10)), NOW + 5 * DAY)
    assert verdict.winner is not None
    assert verdict.winner.label == "B"


def _closed_form(first: tuple[int, int], second: tuple[int, int]) -> float:
    """The probability that the second is better, by the sum for whole numbers."""
    (a, b), (c, d) = ((1 + events, 1 + sent - events) for events, sent in (first, second))

    def log_beta(x: int, y: int) -> float:
        return lgamma(x) + lgamma(y) - lgamma(x + y)

    return sum(exp(log_beta(a + i, d + b) - log(d + i) - log_beta(1 + i, d) - log_beta(a, b)) for i in range(c))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ((0, 0), (0, 0)),
        ((10, 100), (15, 100)),
        ((0, 10), (1, 10)),
        ((300, 10_000), (350, 10_000)),
        ((0, 5), (5, 5)),
        ((3, 20), (3_000, 100_000)),
        ((0, 100_000), (2, 100_000)),
    ],
)
def test_the_probability_is_that_of_the_closed_form(first: tuple[int, int], second: tuple[int, int]) -> None:
    assert probabilities(variants(first, second))[1] == pytest.approx(_closed_form(first, second), abs=1e-3)


def test_equal_numbers_are_equally_probable() -> None:
    assert probabilities(variants((5, 50), (5, 50), (5, 50))) == pytest.approx([1 / 3] * 3, abs=1e-3)


counts = st.integers(0, 2_000).flatmap(lambda sent: st.tuples(st.integers(0, sent), st.just(sent)))


@given(st.lists(counts, min_size=2, max_size=4))
def test_probabilities_add_up_to_one(given_counts: list[tuple[int, int]]) -> None:
    chances = probabilities(variants(*given_counts))
    assert sum(chances) == pytest.approx(1)
    assert all(0 <= chance <= 1 for chance in chances)
