"""The replies that train and measure are what they should be; the figures would be a lie otherwise."""

from collections import Counter
from itertools import combinations, product

import pytest

from outrider.cli.classifier import CORPUS
from outrider.engine.classify.features import normalise
from outrider.engine.classify.training import LANGUAGES, Example, read_corpus
from outrider.leads.models import BuiltInCategory

PARTS = ("training", "held_out", "control")
NEARLY_THE_SAME = 0.5  # of the triples of letters that either has
FEWEST = {"training": 10, "held_out": 6, "control": 1}


def triples(example: Example) -> frozenset[str]:
    text = f" {normalise(example.new_text)} "
    return frozenset(text[start : start + 3] for start in range(max(1, len(text) - 2)))


def likeness(one: frozenset[str], other: frozenset[str]) -> float:
    if min(len(one), len(other)) < NEARLY_THE_SAME * max(len(one), len(other)):
        return 0.0  # spares the time
    return len(one & other) / len(one | other)


@pytest.mark.parametrize("part", PARTS)
def test_every_category_is_there_in_every_language(part: str) -> None:
    counts = Counter((each.language, each.category) for each in read_corpus(CORPUS / part))
    wanted = set(product(LANGUAGES, BuiltInCategory))
    assert {key for key, count in counts.items() if count >= FEWEST[part]} == wanted


def test_there_are_enough() -> None:
    assert len(read_corpus(CORPUS / "training")) >= 2_500
    assert len(read_corpus(CORPUS / "held_out")) >= 600
    assert len(read_corpus(CORPUS / "control")) >= 190


@pytest.mark.parametrize("part", PARTS)
def test_nothing_stands_twice_in_a_language(part: str) -> None:
    counts = Counter((each.language, normalise(each.text)) for each in read_corpus(CORPUS / part))
    assert [key for key, count in counts.items() if count > 1] == []


@pytest.mark.parametrize("part", ["held_out", "control"])
def test_what_is_measured_on_is_not_nearly_what_was_learned(part: str) -> None:
    """Whatever the language: `Test` is the same word in four."""
    measured = [(each, triples(each)) for each in read_corpus(CORPUS / part)]
    learned = [(each, triples(each)) for each in read_corpus(CORPUS / "training")]
    alike = [
        (one.text, other.text)
        for one, its in measured
        for other, theirs in learned
        if one.category is other.category and likeness(its, theirs) >= NEARLY_THE_SAME
    ]
    assert alike == []


def test_the_training_part_repeats_no_sentence_with_other_words() -> None:
    """No combinatorial filler: within a language hardly anything is nearly the same."""
    for language in LANGUAGES:
        mine = [triples(each) for each in read_corpus(CORPUS / "training") if each.language == language]
        alike = sum(1 for one, other in combinations(mine, 2) if likeness(one, other) >= 0.7)
        assert alike <= len(mine) // 100, language


def test_replies_come_with_quotes_signatures_and_as_one_word() -> None:
    texts = [each.text for each in read_corpus(CORPUS / "training")]
    assert any("\n> " in text for text in texts)
    assert any("\n-- \n" in text for text in texts)
    assert any(len(text.split()) == 1 for text in texts)
    assert any(len(text.split()) > 30 for text in texts)
