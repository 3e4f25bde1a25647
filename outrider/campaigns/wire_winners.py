"""What routes on winners of A/B tests accept and answer. They are ours: the reference has none of them."""

from typing import Annotated, Any

from pydantic import AliasChoices, Field

from outrider.campaigns import winners
from outrider.campaigns.trials import Decision
from outrider.campaigns.winners import Overview
from outrider.kit.validation import Int, TextOrNumber, Wire


class WinnerChoice(Wire):
    """null: the numbers decide again."""

    tolerates = frozenset({"campaign_id"})

    seq_number: Annotated[Int, Field(ge=1)] = Field(validation_alias=AliasChoices("seq_number", "sequence_number"))
    variant: TextOrNumber | None = Field(
        default=None, validation_alias=AliasChoices("variant", "seq_variant_id", "variant_label")
    )


def overview(shown: Overview) -> dict[str, Any]:
    step, trial, test = shown.step, shown.trial, shown.test
    numbers = winners.figures(test) if test else []
    winner_id = trial.winner_id if trial else None
    decided = [each for each in shown.decisions if each.winner_id is not None]
    return {
        "email_campaign_seq_id": step.id,
        "seq_number": step.number,
        "winning_metric_property": step.winning_metric_property,
        "lead_distribution_percentage": step.lead_distribution_percentage,
        "state": _state(shown),
        "winner": next(
            (
                {"seq_variant_id": each["seq_variant_id"], "variant_label": each["variant_label"]}
                for each in numbers
                if each["seq_variant_id"] == winner_id
            ),
            None,
        ),
        "is_by_hand": bool(trial and trial.is_by_hand),
        "decided_at": decided[-1].decided_at if winner_id and decided else None,
        "reason": decided[-1].reason if winner_id and decided else None,
        "test_size": test.wanted if test else None,
        "test_sent_count": test.sampled if test else 0,
        "test_ended_at": trial.sampled_until if trial else None,
        "next_look_at": trial.look_at if trial and trial.sampled_until and not winner_id else None,
        "variants": numbers,
        "decisions": [_decision(each) for each in shown.decisions],
    }


def _state(shown: Overview) -> str:
    """TESTING: mails of the test are still to go. WAITING: for what people do with them. DECIDED."""
    if shown.trial and shown.trial.winner_id:
        return "DECIDED"
    return "WAITING" if shown.trial and shown.trial.sampled_until else "TESTING"


def _decision(decision: Decision) -> dict[str, Any]:
    return {
        "decided_at": decision.decided_at,
        "seq_variant_id": decision.winner_id,
        "reason": decision.reason,
        "winning_metric_property": decision.metric,
        "variants": decision.figures,
    }
