"""A campaign once more: its texts, settings, schedule and mailboxes, without what has happened in it.

Contract: campaigns, Duplicate campaign.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from outrider.campaigns import sequence, steps, store, subsequences
from outrider.campaigns.models import Campaign, Step, StepDraft, UnknownOriginal, Variant, VariantDraft
from outrider.kit.db import Db


async def duplicate(
    db: Db,
    user_id: int,
    campaign_id: int,
    *,
    with_subsequences: bool,
    keeps_client: bool,
    scope: int | None,
    now: datetime,
) -> int:
    """The id of the new campaign, in DRAFTED. What a client's key copies stays the client's."""
    original = await store.find_campaign(db, user_id, campaign_id, client_id=scope)
    if original is None:
        raise UnknownOriginal
    if original.parent_campaign_id is not None:  # they have an order
        await store.lock_campaign(db, user_id, original.parent_campaign_id, client_id=None)
    keeps_client = keeps_client or scope is not None
    copy_id = await _copy(db, original, parent_id=original.parent_campaign_id, keeps_client=keeps_client, now=now)
    if with_subsequences:
        for subsequence in await store.list_subsequences(db, user_id, campaign_id, client_id=scope):
            await _copy(db, subsequence, parent_id=copy_id, keeps_client=keeps_client, now=now)
    return copy_id


async def _copy(db: Db, original: Campaign, *, parent_id: int | None, keeps_client: bool, now: datetime) -> int:
    user_id = original.user_id
    client_id = original.client_id if keeps_client else None
    name = f"{original.name} - copy"
    copy_id = await store.insert_campaign(db, user_id, name, client_id=client_id, parent_campaign_id=parent_id, now=now)
    copy = replace(
        original, id=copy_id, name=name, client_id=client_id, schedule_start_time=None, created_at=now, updated_at=now
    )
    await store.update_campaign(db, copy)
    await store.copy_mailboxes(db, user_id, original.id, copy_id, now=now)
    if parent_id is not None:
        await subsequences.copy(db, user_id, original.id, copy_id, parent_id=parent_id)
    drafts = _drafts(
        await steps.list_steps(db, user_id, original.id), await steps.list_variants(db, user_id, original.id)
    )
    if drafts:
        await sequence.save(db, user_id, copy_id, drafts, client_id=client_id, now=now)
    return copy_id


def _drafts(found: Sequence[Step], variants: Sequence[Variant]) -> list[StepDraft]:
    """The steps as if somebody had written them anew."""
    of_step: defaultdict[int, list[VariantDraft]] = defaultdict(list)
    for variant in variants:
        of_step[variant.step_id].append(
            VariantDraft(
                id=None,
                variant_label=variant.variant_label,
                subject=variant.subject,
                email_body=variant.email_body,
                optional_email_body_1=variant.optional_email_body_1,
                variant_distribution_percentage=variant.variant_distribution_percentage,
            )
        )
    return [
        StepDraft(
            id=None,
            type=step.type,
            delay_days=step.delay_days,
            subject=step.subject,
            email_body=step.email_body,
            variant_distribution_type=step.variant_distribution_type,
            winning_metric_property=step.winning_metric_property,
            lead_distribution_percentage=step.lead_distribution_percentage,
            variants=tuple(of_step[step.id]),
        )
        for step in found
    ]
