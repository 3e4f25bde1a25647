"""The contract's spellings of a sequence, in and out (contract: Save and Fetch Campaign Sequence)."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import groupby
from typing import Annotated, Any

from pydantic import AliasChoices, BeforeValidator, Field, model_validator

from outrider.campaigns.models import (
    Step,
    StepDraft,
    StepType,
    Variant,
    VariantDistribution,
    VariantDraft,
    WinningMetric,
)
from outrider.campaigns.review import Remark
from outrider.kit.validation import Body, Id, Int, ListOf, Number, TextOrNumber, Wire, reject

_LARGEST_NUMBER = 2**31 - 1
_DELAY = Annotated[Int, Field(ge=0, le=365)]
_OTHER_DISTRIBUTIONS = {"MANUALLY_EQUAL": "MANUAL_EQUAL", "EQUAL": "MANUAL_EQUAL"}


def _distribution(given: Any) -> Any:
    return _OTHER_DISTRIBUTIONS.get(given, given) if isinstance(given, str) else given


class DelayDetails(Wire):
    delay_in_days: _DELAY | None = None


class VariantItem(Wire):
    # what reading gives and writing ignores, so that a sequence can be sent back as it came
    tolerates = frozenset({"is_deleted", "created_at", "updated_at", "email_campaign_seq_id"})

    id: Id | None = None
    variant_label: TextOrNumber | None = Field(
        default=None, validation_alias=AliasChoices("variant_label", "variant_id")
    )
    subject: Body | None = None
    email_body: Body | None = None
    optional_email_body_1: Body | None = None
    variant_distribution_percentage: Annotated[Number, Field(ge=0, le=100)] | None = Field(
        default=None,
        validation_alias=AliasChoices("variant_distribution_percentage", "distribution", "variant_distribution"),
    )

    def draft(self, position: int) -> VariantDraft:
        percentage = self.variant_distribution_percentage
        return VariantDraft(
            id=self.id,
            variant_label=self.variant_label or label(position),
            subject=self.subject or "",
            email_body=self.email_body or "",
            optional_email_body_1=self.optional_email_body_1,
            variant_distribution_percentage=None if percentage is None else Decimal(str(percentage)),
        )


class StepItem(VariantItem):
    """A step; its own label and percentage count only in the form that lists one item for each variant."""

    tolerates = frozenset({"created_at", "updated_at", "email_campaign_id", "is_deleted"})

    seq_number: Annotated[Int, Field(ge=1, le=_LARGEST_NUMBER)] | None = None
    seq_delay_details: DelayDetails | None = None
    delay_in_days: _DELAY | None = None
    seq_type: StepType = StepType.EMAIL
    variant_distribution_type: Annotated[VariantDistribution, BeforeValidator(_distribution)] = (
        VariantDistribution.MANUAL_EQUAL
    )
    winning_metric_property: WinningMetric | None = None
    lead_distribution_percentage: Annotated[Int, Field(ge=1, le=100)] | None = None
    seq_variants: Annotated[ListOf[VariantItem], Field(min_length=1)] | None = Field(
        default=None, validation_alias=AliasChoices("seq_variants", "variants", "sequence_variants")
    )

    @property
    def delay(self) -> int | None:
        nested = self.seq_delay_details.delay_in_days if self.seq_delay_details else None
        return self.delay_in_days if nested is None else nested

    def step(self, *, number: int, variants: Iterable[VariantItem]) -> StepDraft:
        default_delay = 0 if number == 1 else 1
        return StepDraft(
            id=self.id,
            type=self.seq_type,
            delay_days=default_delay if self.delay is None else self.delay,
            subject=self.subject or "",
            email_body=self.email_body or "",
            variant_distribution_type=self.variant_distribution_type,
            winning_metric_property=self.winning_metric_property,
            lead_distribution_percentage=self.lead_distribution_percentage,
            variants=tuple(variant.draft(position) for position, variant in enumerate(variants)),
        )


class SequenceSave(Wire):
    tolerates = frozenset({"campaign_id"})

    sequences: ListOf[StepItem] = Field(validation_alias=AliasChoices("sequences", "sequence"))

    @model_validator(mode="before")
    @classmethod
    def _from_bare_array(cls, given: Any) -> Any:
        return {"sequences": given} if isinstance(given, list) else given

    def drafts(self) -> list[StepDraft]:
        """The steps in order; items of one number that name different variants are one step."""
        for index, item in enumerate(self.sequences):
            _check_test_share(item, index)
        placed = sorted((item.seq_number or index, index, item) for index, item in enumerate(self.sequences, start=1))
        drafts: list[StepDraft] = []
        for _, group in groupby(placed, key=lambda place: place[0]):
            items = [item for _, _, item in group]
            if _is_variant_list(items):
                drafts.append(items[0].step(number=len(drafts) + 1, variants=[_without_id(item) for item in items]))
                continue
            for item in items:
                drafts.append(item.step(number=len(drafts) + 1, variants=item.seq_variants or ()))
        return drafts


def _check_test_share(item: StepItem, index: int) -> None:
    """AI_EQUAL needs to know what wins and how many leads find it out."""
    if item.variant_distribution_type is not VariantDistribution.AI_EQUAL:
        return
    for name in ("winning_metric_property", "lead_distribution_percentage"):
        if getattr(item, name) is None:
            reject(f'"sequences[{index}].{name}" is required', key=f"sequences.{index}.{name}")


def _is_variant_list(items: Sequence[StepItem]) -> bool:
    labels = {item.variant_label for item in items}
    is_flat = all(item.variant_label and item.seq_variants is None for item in items)
    return is_flat and len(items) > 1 and len(labels) == len(items)


def _without_id(item: StepItem) -> VariantItem:
    """An id in that form is the step's, not the variant's."""
    return item.model_copy(update={"id": None})


def label(position: int) -> str:
    """A, B, … Z, AA, AB, …"""
    letters = ""
    number = position + 1
    while number:
        number, letter = divmod(number - 1, 26)
        letters = chr(ord("A") + letter) + letters
    return letters


def saved(step_ids: Sequence[int]) -> list[dict[str, int]]:
    return [{"seqNumber": number, "seq_number": number, "id": id_} for number, id_ in enumerate(step_ids, start=1)]


def warnings(found: Sequence[Remark]) -> dict[str, Any]:
    """Beyond the contract: what would surprise in the texts; the key is there only if something would."""
    shown = [{"code": each.code, "message": each.text, **each.details} for each in found]
    return {"warnings": shown} if shown else {}


def sequence(steps: Sequence[Step], variants: Sequence[Variant]) -> list[dict[str, Any]]:
    by_step: dict[int, list[Variant]] = {}
    for variant in variants:
        by_step.setdefault(variant.step_id, []).append(variant)
    return [_step(each, by_step.get(each.id)) for each in steps]


def _step(step: Step, variants: Sequence[Variant] | None) -> dict[str, Any]:
    return {
        "id": step.id,
        "created_at": step.created_at,
        "updated_at": step.updated_at,
        "email_campaign_id": step.campaign_id,
        "seq_number": step.number,
        "seq_delay_details": {"delayInDays": step.delay_days, "delay_in_days": step.delay_days},
        "subject": "" if variants else step.subject,
        "email_body": "" if variants else step.email_body,
        "seq_type": step.type,
        "variant_distribution_type": step.variant_distribution_type,
        "lead_distribution_percentage": step.lead_distribution_percentage,
        "winning_metric_property": step.winning_metric_property,
        "sequence_variants": [_variant(each) for each in variants] if variants else None,
    }


def _variant(variant: Variant) -> dict[str, Any]:
    return {
        "id": variant.id,
        "created_at": variant.created_at,
        "updated_at": variant.updated_at,
        "is_deleted": variant.deleted_at is not None,
        "subject": variant.subject,
        "email_body": variant.email_body,
        "email_campaign_seq_id": variant.step_id,
        "variant_label": variant.variant_label,
        "optional_email_body_1": variant.optional_email_body_1,
        "variant_distribution_percentage": variant.variant_distribution_percentage,
    }
