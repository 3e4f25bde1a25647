"""Which variant wins: looked at when it is time, decided by numbers or by a person, and kept with its reason.

Contract: campaigns, Save Campaign Sequence (AI_EQUAL); product behaviour 4; decision 10.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from outrider.campaigns import experiment, steps, store, trials
from outrider.campaigns.experiment import DecisionReason, Experiment
from outrider.campaigns.models import Step, UnknownStepNumber, UnknownVariant, Variant, VariantDistribution
from outrider.campaigns.trials import Decision, Trial
from outrider.kit.db import Db

_PAIR = 2


async def decide_due(db: Db, now: datetime) -> None:
    """Look at the tests whose time has come: a step of the engine. Mostly there is none, and it is two look-ups."""
    await trials.open_trials(db, now)
    due = {trial.step_id: trial for trial in await trials.lock_due_trials(db, now)}
    if not due:
        return
    changed: list[Trial] = []
    decisions: list[Decision] = []
    measured = {test.step_id: test for test in await trials.measure(db, None, list(due))}
    for found in due.values():
        test = measured.get(found.step_id)
        if test is None or len(test.variants) < _PAIR:
            changed.append(replace(found, look_at=now + experiment.PAUSE))
            continue
        verdict, trial = experiment.look(test, now), _sampled(found, test)
        if verdict.winner and verdict.reason:
            decisions.append(_decision(trial, test, verdict.winner.variant_id, verdict.reason, now))
            winner_id = trial.winner_id if trial.is_by_hand else verdict.winner.variant_id
            changed.append(replace(trial, look_at=None, winner_id=winner_id))
        else:
            changed.append(replace(trial, look_at=verdict.look_at))
    await trials.update_trials(db, changed)
    if decisions:
        await trials.insert_decisions(db, decisions)


def _sampled(trial: Trial, test: Experiment) -> Trial:
    """What was a test when its last mail went stays one, however many leads come later."""
    if not test.is_sampled:
        return trial
    return replace(trial, sample_size=test.wanted, sampled_until=test.sampled_until)


def _decision(
    trial: Trial, test: Experiment | None, winner_id: int | None, reason: DecisionReason, now: datetime
) -> Decision:
    return Decision(
        user_id=trial.user_id,
        campaign_id=trial.campaign_id,
        step_id=trial.step_id,
        decided_at=now,
        winner_id=winner_id,
        reason=reason,
        metric=test.metric if test else None,
        figures=figures(test) if test else [],
    )


def figures(test: Experiment) -> list[dict[str, Any]]:
    """The numbers of a test, to be shown and to be kept."""
    chances = experiment.probabilities(test.variants)
    return [
        {
            "seq_variant_id": each.variant_id,
            "variant_label": each.label,
            "sent_count": each.sent_count,
            "event_count": each.event_count,
            "rate": round(float(each.rate) * 100, 2),
            "probability": round(chance, 4),
        }
        for each, chance in zip(test.variants, chances, strict=True)
    ]


async def choose(
    db: Db,
    user_id: int,
    campaign_id: int,
    *,
    step_number: int,
    variant: str | None,
    client_id: int | None,
    now: datetime,
) -> None:
    """A person says which variant all later leads get (its id or label), or leaves it to the numbers again (None)."""
    await store.lock_campaign(db, user_id, campaign_id, client_id=client_id)
    step = _tested_step(await steps.list_steps(db, user_id, campaign_id), step_number)
    winner = None
    if variant is not None:
        winner = _variant(await steps.list_variants(db, user_id, campaign_id), step, variant)
    trial = Trial(step.id, user_id, campaign_id, now, None, None, None, is_by_hand=False)
    await trials.insert_trial(db, trial)
    trial = await trials.lock_trial(db, user_id, campaign_id, step.id) or trial
    [*_, test] = [None, *await trials.measure(db, user_id, [step.id])]
    if winner is not None:
        decision = _decision(trial, test, winner.id, DecisionReason.BY_HAND, now)
        changed = replace(trial, winner_id=winner.id, is_by_hand=True)
    else:
        decided = await _decided_by_numbers(db, trial)
        decision = _decision(trial, test, decided, DecisionReason.TAKEN_BACK, now)
        changed = replace(trial, winner_id=decided, is_by_hand=False)
        if decided is None:
            changed = replace(changed, look_at=trial.look_at or now)
    await trials.update_trials(db, [changed])
    await trials.insert_decisions(db, [decision])


def _tested_step(found: Sequence[Step], number: int) -> Step:
    for step in found:
        if step.number == number and step.variant_distribution_type is VariantDistribution.AI_EQUAL:
            return step
    raise UnknownStepNumber(number=number)


def _variant(found: Sequence[Variant], step: Step, wanted: str) -> Variant:
    for each in found:
        if each.step_id == step.id and wanted.casefold() in {str(each.id), each.variant_label.casefold()}:
            return each
    raise UnknownVariant(value=wanted)


async def _decided_by_numbers(db: Db, trial: Trial) -> int | None:
    """The winner by the last look at the numbers, if it is still there."""
    alive = {each.id for each in await steps.list_variants(db, trial.user_id, trial.campaign_id)}
    people = (DecisionReason.BY_HAND, DecisionReason.TAKEN_BACK)
    winners = [
        each.winner_id
        for each in await trials.list_decisions(db, trial.user_id, trial.campaign_id)
        if each.step_id == trial.step_id and each.reason not in people
    ]
    return winners[-1] if winners and winners[-1] in alive else None


@dataclass(frozen=True, slots=True)
class Overview:
    """A step that looks for its winner, as people see it."""

    step: Step
    trial: Trial | None
    test: Experiment | None
    decisions: list[Decision]


async def list_overviews(db: Db, user_id: int, campaign_id: int) -> list[Overview]:
    tested = [
        step
        for step in await steps.list_steps(db, user_id, campaign_id)
        if step.variant_distribution_type is VariantDistribution.AI_EQUAL
    ]
    if not tested:
        return []
    known = {trial.step_id: trial for trial in await trials.list_trials(db, user_id, campaign_id)}
    measured = {test.step_id: test for test in await trials.measure(db, user_id, [step.id for step in tested])}
    decisions: dict[int, list[Decision]] = {}
    for decision in await trials.list_decisions(db, user_id, campaign_id):
        decisions.setdefault(decision.step_id, []).append(decision)
    return [Overview(step, known.get(step.id), measured.get(step.id), decisions.get(step.id, [])) for step in tested]
