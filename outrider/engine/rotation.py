"""Which mailbox takes which lead, and which text the lead gets.

Product behaviour 1.4, 1.7 and 4: a mailbox serves its own due follow-ups first; a new lead goes to the mailbox that has
been idle longest; the campaign that a mailbox served longest ago comes first; variants go by the largest deficit.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from outrider.engine.facts import LeadFacts, MailboxFacts, Pair, StepFacts, VariantFacts

_NEVER = datetime.min.replace(tzinfo=UTC)
_MOST_VARIANTS = 10


def idle_longest_first(mailboxes: Iterable[MailboxFacts]) -> list[MailboxFacts]:
    """Sort by idleness; ties by the smaller share of the day's cap, then by id."""
    return sorted(mailboxes, key=lambda m: (m.last_sent_at or _NEVER, m.today_count / (m.max_email_per_day or 1), m.id))


def served_longest_ago_first(pairs: Iterable[Pair]) -> list[Pair]:
    return sorted(pairs, key=lambda p: (p.last_sent_at or _NEVER, p.campaign_id))


def next_step(lead: LeadFacts, steps: Sequence[StepFacts]) -> StepFacts | None:
    """Return the step this lead gets next, never one it already got; `steps` in order.

    A lead goes on after the step it got last, found by its id; if that one was removed, by its old number
    (contract: campaigns, Save Campaign Sequence).
    """
    after = next((step.number for step in steps if step.id == lead.last_step_id), lead.last_step_number)
    return next((step for step in steps if step.number > after and step.id not in lead.sent_step_ids), None)


def step_after(step: StepFacts, steps: Sequence[StepFacts], sent_step_ids: Sequence[int]) -> StepFacts | None:
    """Return the step that follows this one and was not sent yet."""
    return next((later for later in steps if later.number > step.number and later.id not in sent_step_ids), None)


def shares(variants: Sequence[VariantFacts], distribution: str) -> list[float]:
    """Return each variant's share in percent. By percentage: the first ten that add up to 100, the last one clipped."""
    if distribution != "MANUAL_PERCENTAGE" or len(variants) == 1:
        return [100 / len(variants)] * len(variants)
    left = 100.0
    result = []
    for position, variant in enumerate(variants):
        share = min(left, float(variant.share or 0)) if position < _MOST_VARIANTS else 0.0
        result.append(share)
        left -= share
    return result


def choose_variant(variants: Sequence[VariantFacts], step: StepFacts, extra: Mapping[int, int]) -> VariantFacts | None:
    """Return the variant that has won, else the one that lags furthest behind its share.

    `extra` counts choices of the same round by id.
    What a variant got that has no share any more is not part of the sum that the others share.
    """
    if not variants:
        return None
    if winner := next((each for each in variants if each.id == step.winner_id), None):
        return winner
    parts = shares(variants, step.distribution)
    takers = [(each, share) for each, share in zip(variants, parts, strict=True) if share > 0]
    if not takers:
        return variants[0]  # everything was switched off: the first one, as before there was a choice
    counts = {each.id: each.assigned_count + extra.get(each.id, 0) for each, _ in takers}
    total = sum(counts.values()) + 1
    return max(takers, key=lambda taker: taker[1] / 100 * total - counts[taker[0].id])[0]  # the first of equals
