"""A sequence under review: broken texts are refused, what would surprise is told (product behaviour 3.5)."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from outrider.campaigns import steps
from outrider.campaigns.models import BrokenText, Step, StepDraft, StepType, Variant, VariantDistribution, VariantDraft
from outrider.content.syntax import TemplateError
from outrider.content.template import compile_body, compile_subject
from outrider.content.variables import STANDARD_FIELDS, fold
from outrider.kit.db import Db

_PAIR = 2
_SMALLEST_TEST_SHARE = 20


@dataclass(frozen=True, slots=True)
class Remark:
    """Something that the author may not have meant; `details` are further keys for programs."""

    code: str
    text: str
    details: Mapping[str, Any] = field(default_factory=dict)


def check_texts(drafts: Sequence[StepDraft]) -> None:
    """Raise BrokenText for the first text that could never be sent. A person's step is read, not sent."""
    for number, draft in enumerate(drafts, start=1):
        if draft.type is StepType.EMAIL:
            for variant in draft.variants:
                _check(variant, f"step {number}, variant {variant.variant_label}")
            if not draft.variants:
                _check(draft, f"step {number}")


def _check(text: StepDraft | VariantDraft, place: str) -> None:
    for field_name, compile_text, source in (
        ("subject", compile_subject, text.subject),
        ("email_body", compile_body, text.email_body),
    ):
        try:
            compile_text(source)
        except TemplateError as error:
            raise BrokenText(field=field_name, place=place, error=error) from error


async def list_remarks(db: Db, user_id: int, campaign_id: int) -> list[Remark]:
    """Names that leave a gap for some lead who is still to get mail, and tests on too few leads."""
    found = [step for step in await steps.list_steps(db, user_id, campaign_id) if step.type is StepType.EMAIL]
    variants: dict[int, list[Variant]] = {}
    for variant in await steps.list_variants(db, user_id, campaign_id):
        variants.setdefault(variant.step_id, []).append(variant)
    gaps = await _list_gaps(db, user_id, campaign_id, found, variants)
    return [*gaps, *(_small_test(step) for step in found if _is_small_test(step, variants.get(step.id, ())))]


def _is_small_test(step: Step, variants: Sequence[Variant]) -> bool:
    share = step.lead_distribution_percentage
    is_test = step.variant_distribution_type is VariantDistribution.AI_EQUAL and len(variants) >= _PAIR
    return is_test and share is not None and share < _SMALLEST_TEST_SHARE


def _small_test(step: Step) -> Remark:
    text = (
        f"Step {step.number} looks for its winner with {step.lead_distribution_percentage} % of the leads. "
        f"Take {_SMALLEST_TEST_SHARE} % or more."
    )
    return Remark("SMALL_TEST_SHARE", text, {"seq_numbers": [step.number]})


async def _list_gaps(
    db: Db, user_id: int, campaign_id: int, found: Sequence[Step], variants: Mapping[int, Sequence[Variant]]
) -> list[Remark]:
    numbers: dict[str, dict[int, None]] = {}
    for step in found:
        for text in variants.get(step.id) or (step,):
            for name in _needed(text):
                numbers.setdefault(name, {})[step.number] = None
    if not numbers:
        return []
    filled = await steps.count_filled_fields(db, user_id, campaign_id)
    total = sum(count for _, count in filled)
    gaps = []
    for name in sorted(numbers):
        count = sum(count for names, count in filled if not _is_among(name, names))
        if count or not (total or _is_among(name, STANDARD_FIELDS)):
            gaps.append(_gap(name, list(numbers[name]), count, total))
    return gaps


def _is_among(name: str, names: Collection[str]) -> bool:
    """Whether a lead with these fields has this one, under whatever spelling."""
    return name in names or fold(name) in map(fold, names)


def _needed(text: Step | Variant) -> Iterable[str]:
    """The names without which this text would have a gap; texts from before they were checked may be broken."""
    try:
        return {*compile_subject(text.subject).unresolved({}), *compile_body(text.email_body).unresolved({})}
    except TemplateError:
        return ()


def _gap(name: str, numbers: list[int], count: int, total: int) -> Remark:
    place = f"{{{{{name}}}}} in step{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}"
    if total:
        some = f"all {total}" if count == total else f"{count} of {total}"
        text = f"{place} is empty for {some} leads. Fill it in, or give the text a fallback."
    else:
        text = f"{place} is no standard field, and no lead has it yet."
    return Remark(
        "MISSING_VARIABLE",
        text,
        {"name": name, "seq_numbers": numbers, "lead_count": count, "total_lead_count": total},
    )
