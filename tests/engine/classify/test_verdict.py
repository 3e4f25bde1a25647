"""The category that is chosen: among those the campaign allows, and with a reason."""

import pytest

from outrider.engine.classify.accuracy import ALL
from outrider.engine.classify.descriptions import OwnCategory, best_fit
from outrider.engine.classify.verdict import SURE, Source, Verdict, classify, refused

COMPETITOR = OwnCategory(100_000, "Uses a competitor", "Already has another tool, such as Lemlist or Apollo")
NEXT_YEAR = OwnCategory(100_001, "Next year", '"next year", "new fiscal year", no budget left')
RESELLER = OwnCategory(100_002, "Reseller", "Wants to sell our product: reseller, partnership, affiliate")
HAENDLER = OwnCategory(100_003, "Händler", "Möchte Vertriebspartner oder Wiederverkäufer werden")
OWN = (COMPETITOR, NEXT_YEAR, RESELLER, HAENDLER)


@pytest.mark.parametrize(
    ("text", "allowed", "expected"),
    [
        ("Not interested, thanks", ALL, 3),
        ("Not interested, thanks", {1, 2}, 8),
        ("Call me tomorrow at 3 pm", ALL, 2),
        ("Call me tomorrow at 3 pm", {1, 3}, 1),  # who wants to talk is interested
        ("Call me tomorrow at 3 pm", {3}, 8),
        ("What does it cost per month?", {1}, 1),
        ("What does it cost per month?", {5}, 5),
        ("Please unsubscribe me", ALL, 4),
        ("Please unsubscribe me", {1, 3}, 3),  # a refusal, too
        ("Please unsubscribe me", {1}, 8),
        ("👍", ALL, 8),
        ("", ALL, 8),
        ("hm", ALL, 8),
        ("Ich bin bis Montag im Urlaub.", ALL, 6),
        ("Ich bin bis Montag im Urlaub.", {1, 2, 3}, 8),
    ],
)
def test_a_campaign_gets_only_categories_that_it_allows(text: str, allowed: set[int], expected: int) -> None:
    verdict = classify(text, allowed=allowed)
    assert verdict.category_id == expected
    assert 0 <= verdict.confidence <= 1
    assert verdict.reason.endswith(".")
    assert verdict.is_decided == (expected != 8)
    assert verdict.confidence >= SURE or not verdict.is_decided


@pytest.mark.parametrize(
    ("text", "source", "reason"),
    [
        ("...", Source.RULE, "There are no words in it."),
        ("Das ist uns zu teuer.", Source.MODEL, "Speaks of no money."),
        ("ok", Source.MODEL, "Says too little to tell."),
    ],
)
def test_a_reason_is_a_sentence_for_people(text: str, source: Source, reason: str) -> None:
    verdict = classify(text, allowed=ALL)
    assert (verdict.source, verdict.reason) == (source, reason)


def test_what_a_campaign_does_not_use_is_said() -> None:
    assert classify("Ich bin bis Montag im Urlaub.", allowed={1}).reason == (
        "Reads like Out Of Office, which is not chosen automatically here."
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("We are on Lemlist and quite happy with it.", COMPETITOR),
        ("we use apollo", COMPETITOR),
        ("Please write again next year.", NEXT_YEAR),
        ("In the new fiscal year perhaps.", NEXT_YEAR),
        ("Do you offer a reseller programme?", RESELLER),
        ("Could we become affiliates?", RESELLER),
        ("Wir würden gern Wiederverkäufer werden.", HAENDLER),
        ("No, thank you.", None),
        ("Call me next week.", None),
        ("What a year it was!", None),
        ("", None),
    ],
)
def test_an_own_category_is_found_by_its_description(text: str, expected: OwnCategory | None) -> None:
    fit = best_fit(text, OWN)
    assert (fit.category if fit and fit.confidence >= SURE else None) == expected


@pytest.mark.parametrize("description", ["", " ", "a, b, c", "the lead says that", '"', "\x00", "(", "x" * 5_000])
def test_a_description_that_says_nothing_fits_nothing(description: str) -> None:
    assert best_fit("The lead says that he is interested.", [OwnCategory(100_000, "Odd", description)]) is None


def test_an_own_category_goes_before_the_wider_one() -> None:
    allowed = {1, 3, COMPETITOR.id}
    verdict = classify("No thanks, we have Lemlist.", allowed=allowed, own=[COMPETITOR])
    assert (verdict.category_id, verdict.source) == (COMPETITOR.id, Source.DESCRIPTION)
    assert verdict.reason == "Fits the description of Uses a competitor: “lemlist”."


@pytest.mark.parametrize(("allowed", "expected"), [(ALL, 4), ({1, 3}, 3), ({1}, 8), (set(), 8)])
def test_who_asks_for_no_more_mail_is_as_near_to_do_not_contact_as_is_allowed(allowed: set[int], expected: int) -> None:
    assert refused(allowed) == Verdict(expected, 1.0, "Asks for no more mail.", Source.RULE)
