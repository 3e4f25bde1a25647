"""The schedule of repetitions, as a table."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outrider.webhooks.models import DeliveryState
from outrider.webhooks.retries import after
from outrider.webhooks.sending import Answer

NOW = datetime(2026, 3, 30, 12, tzinfo=UTC)
OK = Answer(200, None, is_retryable=False, duration_ms=1)
BUSY = Answer(503, "HTTP 503", is_retryable=True, duration_ms=1)
GONE = Answer(404, "HTTP 404", is_retryable=False, duration_ms=1)
SOON = Answer(503, "HTTP 503", is_retryable=True, duration_ms=1, retry_after=timedelta(seconds=5))
LATER = Answer(429, "HTTP 429", is_retryable=True, duration_ms=1, retry_after=timedelta(minutes=20))


@pytest.mark.parametrize(
    ("answer", "attempt", "state", "minutes"),
    [
        (OK, 1, DeliveryState.SUCCESSFUL, None),
        (OK, 4, DeliveryState.SUCCESSFUL, None),
        (GONE, 1, DeliveryState.FAILED, None),
        (BUSY, 1, DeliveryState.SCHEDULED, 1),
        (BUSY, 2, DeliveryState.SCHEDULED, 5),
        (BUSY, 3, DeliveryState.SCHEDULED, 30),
        (BUSY, 4, DeliveryState.FAILED, None),
        (SOON, 1, DeliveryState.SCHEDULED, 1),
        (LATER, 1, DeliveryState.SCHEDULED, 20),
        (LATER, 3, DeliveryState.SCHEDULED, 30),
        (LATER, 4, DeliveryState.FAILED, None),
    ],
)
def test_the_schedule(answer: Answer, attempt: int, state: DeliveryState, minutes: int | None) -> None:
    found, due_at = after(answer, attempt=attempt, minutes=(1, 5, 30), seed="7", now=NOW)
    assert found is state
    if minutes is None:
        assert due_at is None
    else:
        assert due_at is not None
        assert abs(due_at - NOW - timedelta(minutes=minutes)) <= timedelta(minutes=minutes) * 0.1


def test_a_longer_wait_that_is_asked_for_is_exact() -> None:
    _, due_at = after(LATER, attempt=1, minutes=(1, 5, 30), seed="7", now=NOW)
    assert due_at == NOW + timedelta(minutes=20)


@given(st.text(max_size=20), st.integers(1, 3))
def test_waits_differ_by_ten_per_cent_at_most_and_never_change(seed: str, attempt: int) -> None:
    minutes = (1, 5, 30)
    first = after(BUSY, attempt=attempt, minutes=minutes, seed=seed, now=NOW)
    assert first == after(BUSY, attempt=attempt, minutes=minutes, seed=seed, now=NOW)
    wait = (first[1] or NOW) - NOW
    assert 0.9 <= wait / timedelta(minutes=minutes[attempt - 1]) <= 1.1


def test_without_repetitions_the_first_failure_is_final() -> None:
    assert after(BUSY, attempt=1, minutes=(), seed="7", now=NOW) == (DeliveryState.FAILED, None)
