"""The category of a reply, with how sure it is and why (product behaviour 6.4). Pure: rules, descriptions, model."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from outrider.engine.classify.descriptions import OwnCategory, best_fit
from outrider.engine.classify.model import Guess, trained
from outrider.leads.models import BuiltInCategory

SURE = 0.6  # below, a reply is not categorised

_WORD = re.compile(r"[^\W\d_]")

_WIDER = {
    BuiltInCategory.MEETING_REQUEST: BuiltInCategory.INTERESTED,
    BuiltInCategory.INFORMATION_REQUEST: BuiltInCategory.INTERESTED,
    BuiltInCategory.DO_NOT_CONTACT: BuiltInCategory.NOT_INTERESTED,
}
"""Where the account does not use a category: the wider one that is true of it, too."""


class Source(StrEnum):
    """What decided."""

    RULE = "RULE"
    DESCRIPTION = "DESCRIPTION"
    MODEL = "MODEL"
    ENDPOINT = "ENDPOINT"
    HEADERS = "HEADERS"


@dataclass(frozen=True, slots=True)
class Verdict:
    """`reason` is a sentence for people."""

    category_id: int
    confidence: float
    reason: str
    source: Source

    @property
    def is_decided(self) -> bool:
        return self.category_id != BuiltInCategory.UNCATEGORIZABLE


def classify(text: str, *, allowed: Collection[int], own: Sequence[OwnCategory] = ()) -> Verdict:
    """Choose one of the `allowed` categories for the new text of a reply; 8 where none is sure.

    `own`: the account's own categories among the allowed ones. They are narrower than the built-in ones, so what fits
    them goes there.
    """
    if _WORD.search(text) is None:
        return Verdict(BuiltInCategory.UNCATEGORIZABLE, 1.0, "There are no words in it.", Source.RULE)
    fit = best_fit(text, own)
    if fit and fit.confidence >= SURE:
        words = ", ".join(f"“{word}”" for word in fit.words)
        reason = f"Fits the description of {fit.category.name}: {words}."
        return Verdict(fit.category.id, fit.confidence, reason, Source.DESCRIPTION)
    return _by_model(trained().guess(text), allowed)


def refused(allowed: Collection[int]) -> Verdict:
    """Of somebody who asks for no more mail in plain words (`mail.opt_out`): that needs no learning."""
    chosen = next(
        (each for each in (BuiltInCategory.DO_NOT_CONTACT, BuiltInCategory.NOT_INTERESTED) if each in allowed),
        BuiltInCategory.UNCATEGORIZABLE,
    )
    return Verdict(chosen, 1.0, "Asks for no more mail.", Source.RULE)


def _by_model(guess: Guess, allowed: Collection[int]) -> Verdict:
    likely = _narrowed(guess.probabilities, allowed)
    ranked = sorted(likely.items(), key=lambda each: (-each[1], each[0]))
    best, confidence = ranked[0]
    if best != BuiltInCategory.UNCATEGORIZABLE and confidence >= SURE:
        evidence = ", ".join(guess.evidence)
        reason = f"Speaks of {evidence}." if evidence else "Reads like such replies."
        return Verdict(best, round(confidence, 2), reason, Source.MODEL)
    return Verdict(
        BuiltInCategory.UNCATEGORIZABLE, round(1 - _best_of_decided(likely), 2), _doubt(guess, ranked), Source.MODEL
    )


def _best_of_decided(likely: Mapping[int, float]) -> float:
    return max(
        (value for category, value in likely.items() if category != BuiltInCategory.UNCATEGORIZABLE), default=0.0
    )


def _doubt(guess: Guess, ranked: Sequence[tuple[int, float]]) -> str:
    """Why there is no category."""
    guessed = max(guess.probabilities, key=guess.probabilities.__getitem__)
    if guessed == BuiltInCategory.UNCATEGORIZABLE:
        return "Says too little to tell."
    if guess.probabilities[guessed] >= SURE:
        return f"Reads like {_name(guessed)}, which is not chosen automatically here."
    seen = [f"{_name(category)} {value:.2f}" for category, value in ranked if category in guess.probabilities]
    return f"Not sure: {', '.join(seen[:2])}."


def _narrowed(probabilities: Mapping[int, float], allowed: Collection[int]) -> dict[int, float]:
    """What is likely among the allowed categories; the rest makes it undecided."""
    narrowed = dict.fromkeys((*sorted(allowed & probabilities.keys()), int(BuiltInCategory.UNCATEGORIZABLE)), 0.0)
    for category, value in probabilities.items():
        wider = _WIDER.get(BuiltInCategory(category))
        place = category if category in narrowed else wider if wider in narrowed else BuiltInCategory.UNCATEGORIZABLE
        narrowed[int(place)] += value
    return narrowed


def _name(category: int) -> str:
    return BuiltInCategory(category).name.replace("_", " ").title()
