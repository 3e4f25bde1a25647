"""Saving a sequence: full replacement, in which what carries its id keeps its history.

Contract: campaigns, Save Campaign Sequence.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from outrider.campaigns import review, steps, store, trials
from outrider.campaigns.models import StepDraft, StepsChanged, UnknownStep, VariantDraft
from outrider.campaigns.steps import PlacedVariant
from outrider.kit.db import Db
from outrider.kit.events import emit


async def save(
    db: Db,
    user_id: int,
    campaign_id: int,
    drafts: Sequence[StepDraft],
    *,
    client_id: int | None,
    now: datetime,
) -> list[int]:
    """Replace the sequence by these steps, in this order, in any status; returns their ids."""
    await store.lock_campaign(db, user_id, campaign_id, client_id=client_id)
    _check_ids(drafts, {step.id for step in await steps.list_steps(db, user_id, campaign_id)})
    for draft in drafts:
        draft.check_distribution()
    variants = await steps.list_variants(db, user_id, campaign_id)
    known = {variant.id: variant.step_id for variant in variants}
    usable = [_without_unknown_variants(draft, known) for draft in drafts]
    review.check_texts(usable)

    await steps.retire_sequence(db, user_id, campaign_id, now=now)
    step_ids = await _save_steps(db, user_id, campaign_id, usable, now=now)
    await _save_variants(db, user_id, campaign_id, dict(zip(step_ids, usable, strict=True)), now=now)
    if not drafts:
        await steps.drop_analytics(db, user_id, campaign_id)
    await trials.reopen_trials(db, user_id, campaign_id, now)
    await store.touch(db, user_id, campaign_id, now=now)
    await emit(db, StepsChanged(user_id, campaign_id, at=now, is_emptied=not drafts))
    return step_ids


def _check_ids(drafts: Sequence[StepDraft], known: Collection[int]) -> None:
    """Every id is a step of this campaign, and none occurs twice."""
    left = set(known)
    for draft in drafts:
        if draft.id is None:
            continue
        if draft.id not in left:
            raise UnknownStep(id=draft.id)
        left.remove(draft.id)


def _without_unknown_variants(draft: StepDraft, known: Mapping[int, int]) -> StepDraft:
    """A variant whose id is none of this step's is dropped, and so is a repetition (live behaviour of the original)."""
    kept: dict[int, VariantDraft] = {}
    for position, variant in enumerate(draft.variants):
        if variant.id is None:
            kept[-position - 1] = variant
        elif draft.id is not None and known.get(variant.id) == draft.id:
            kept.setdefault(variant.id, variant)
    if not kept:
        return replace(draft, variants=())
    return replace(draft, variants=tuple(kept.values()), subject="", email_body="")


async def _save_steps(
    db: Db, user_id: int, campaign_id: int, drafts: Sequence[StepDraft], *, now: datetime
) -> list[int]:
    numbered = list(enumerate(drafts, start=1))
    old = {number: draft.id for number, draft in numbered if draft.id is not None}
    await steps.revive_steps(db, user_id, campaign_id, [each for each in numbered if each[0] in old], now=now)
    new = await steps.insert_steps(db, user_id, campaign_id, [each for each in numbered if each[0] not in old], now=now)
    ids = old | new
    return [ids[number] for number, _ in numbered]


async def _save_variants(
    db: Db, user_id: int, campaign_id: int, drafts: Mapping[int, StepDraft], *, now: datetime
) -> None:
    placed = [
        PlacedVariant(step_id, position, variant)
        for step_id, draft in drafts.items()
        for position, variant in enumerate(draft.variants, start=1)
    ]
    await steps.revive_variants(db, user_id, campaign_id, [each for each in placed if each.draft.id], now=now)
    await steps.insert_variants(db, user_id, campaign_id, [each for each in placed if not each.draft.id], now=now)
