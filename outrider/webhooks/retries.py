"""Whether and when a failed delivery is tried again (contract: webhooks §4, decision 19)."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random

from outrider.webhooks.models import DeliveryState
from outrider.webhooks.sending import Answer

_JITTER = 0.1


def after(
    answer: Answer, *, attempt: int, minutes: Sequence[int], seed: str, now: datetime
) -> tuple[DeliveryState, datetime | None]:
    """The state after the `attempt`-th attempt of a round, and when the next one is due."""
    if answer.error is None:
        return DeliveryState.SUCCESSFUL, None
    if not answer.is_retryable or attempt > len(minutes):
        return DeliveryState.FAILED, None
    jitter = Random(f"{seed}:{attempt}").uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 - spreads load, guards nothing
    wait = timedelta(minutes=minutes[attempt - 1]) * jitter
    return DeliveryState.SCHEDULED, now + max(wait, answer.retry_after or timedelta())
