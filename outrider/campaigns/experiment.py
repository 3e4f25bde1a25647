"""An A/B test that finds its winner by numbers (product behaviour 4, decision 10). Pure.

The higher rate wins; of equal rates the variant that was sent more often, then the first. How probable it is that a
variant is really the best is shown beside it; it does not decide.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from fractions import Fraction
from itertools import accumulate, pairwise
from math import exp, lgamma, log, log1p, prod, sqrt

from outrider.campaigns.models import WinningMetric

_DAY = timedelta(days=1)
_WAITS = {
    WinningMetric.OPEN_RATE: _DAY,
    WinningMetric.CLICK_RATE: _DAY,
    WinningMetric.REPLY_RATE: 3 * _DAY,
    WinningMetric.POSITIVE_REPLY_RATE: 3 * _DAY,
}
_MOST_DAYS = 7
PAUSE = timedelta(minutes=15)  # between looks whether the mails of the test are out
_POINTS = 400
_WIDTH = 9  # standard deviations to either side


class DecisionReason(StrEnum):
    HIGHER_RATE = "HIGHER_RATE"
    MORE_SENT = "MORE_SENT"
    FIRST = "FIRST"
    NO_EVENTS = "NO_EVENTS"
    BY_HAND = "BY_HAND"
    TAKEN_BACK = "TAKEN_BACK"


@dataclass(frozen=True, slots=True)
class Figures:
    """What became of one variant's mails in the test."""

    variant_id: int
    label: str
    sent_count: int
    event_count: int

    @property
    def rate(self) -> Fraction:
        return Fraction(self.event_count, self.sent_count or 1)


@dataclass(slots=True)
class Experiment:
    """The test of one step: `wanted` mails in all, of which `sampled` are sent, the last one at `sampled_until`."""

    step_id: int
    metric: WinningMetric
    wanted: int
    sampled: int
    sampled_until: datetime | None
    variants: list[Figures] = field(default_factory=list)

    @property
    def is_sampled(self) -> bool:
        return self.sampled_until is not None and self.sampled >= self.wanted


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a look at a test gives: a winner, or when to look again."""

    look_at: datetime | None = None
    winner: Figures | None = None
    reason: DecisionReason | None = None


def look(test: Experiment, now: datetime) -> Verdict:
    """Look at a test that has two variants or more."""
    if not test.is_sampled or test.sampled_until is None:
        return Verdict(look_at=now + PAUSE)
    ready_at = test.sampled_until + _WAITS[test.metric]
    if now < ready_at:
        return Verdict(look_at=ready_at)
    if any(each.event_count for each in test.variants):
        return _best(test.variants)
    days = (now - ready_at) // _DAY
    if days >= _MOST_DAYS:
        return Verdict(winner=test.variants[0], reason=DecisionReason.NO_EVENTS)
    return Verdict(look_at=ready_at + (days + 1) * _DAY)


def _best(variants: Sequence[Figures]) -> Verdict:
    most = max(each.rate for each in variants)
    best = [each for each in variants if each.rate == most]
    sent = max(each.sent_count for each in best)
    winner, *others = [each for each in best if each.sent_count == sent]
    reason = DecisionReason.HIGHER_RATE if len(best) == 1 else DecisionReason.MORE_SENT
    return Verdict(winner=winner, reason=DecisionReason.FIRST if others else reason)


def probabilities(variants: Sequence[Figures]) -> list[float]:
    """How probable it is that each variant has the highest rate: Beta-Binomial, prior Beta(1, 1), integrated."""
    posteriors = [(1 + each.event_count, 1 + max(each.sent_count - each.event_count, 0)) for each in variants]
    grid = _grid(posteriors)
    steps = [right - left for left, right in pairwise(grid)]
    densities = [_density(alpha, beta, grid) for alpha, beta in posteriors]
    shares = [
        [(left + right) / 2 * step for (left, right), step in zip(pairwise(d), steps, strict=True)] for d in densities
    ]
    below = [[0.0, *accumulate(share)] for share in shares]
    chances = []
    for index, share in enumerate(shares):
        others = [each for position, each in enumerate(below) if position != index]
        best = [
            prod(each[place] + each[place + 1] for each in others) / 2 ** len(others) for place in range(len(steps))
        ]
        chances.append(sum(map(_times, share, best)))
    whole = sum(chances)
    return [chance / whole for chance in chances]


def _times(left: float, right: float) -> float:
    return left * right


def _grid(posteriors: Sequence[tuple[int, int]]) -> list[float]:
    """Rates at which to look: close together where a posterior has its weight."""
    points = set[float]()
    for alpha, beta in posteriors:
        mean = alpha / (alpha + beta)
        reach = _WIDTH * sqrt(mean * (1 - mean) / (alpha + beta + 1))
        low, high = max(mean - reach, 1e-12), min(mean + reach, 1 - 1e-12)
        points.update(low + (high - low) * point / _POINTS for point in range(_POINTS + 1))
    return sorted(points)


def _density(alpha: int, beta: int, grid: Sequence[float]) -> list[float]:
    constant = lgamma(alpha + beta) - lgamma(alpha) - lgamma(beta)
    return [exp(constant + (alpha - 1) * log(rate) + (beta - 1) * log1p(-rate)) for rate in grid]
