"""Subjects compared without the words of mail programs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outrider.mail.subject import subject_key


@pytest.mark.parametrize(
    "subject",
    [
        "Idea for Tallow Works",
        "Re: Idea for Tallow Works",
        "RE: Idea  for\tTallow Works ",
        "AW: Idea for Tallow Works",
        "Antw: Idea for Tallow Works",
        "SV: Idea for Tallow Works",
        "TR: Idea for Tallow Works",
        "VS: Idea for Tallow Works",
        "Odp: Idea for Tallow Works",
        "RES: Idea for Tallow Works",
        "Réf : Idea for Tallow Works",
        "回复：Idea for Tallow Works",
        "Fwd: Re: FW: WG: Idea for Tallow Works",
        "Re[2]: Idea for Tallow Works",
        "Re(3): Idea for Tallow Works",
        "Re^2: Idea for Tallow Works",
        "[EXTERNAL] Re: Idea for Tallow Works",
        "Re: [EXT] Re: Idea for Tallow Works",
        "Automatic reply: Idea for Tallow Works",
        "Automatische Antwort: Re: Idea for Tallow Works",
        "Réponse automatique : Idea for Tallow Works",
    ],
)
def test_answers_have_the_key_of_what_they_answer(subject: str) -> None:
    assert subject_key(subject) == "idea for tallow works"


@pytest.mark.parametrize(
    "subject", ["Renewal: terms", "Results", "Restaurants: a list", "[Tallow] news", "Price 2: new"]
)
def test_words_of_the_subject_itself_stay(subject: str) -> None:
    assert subject_key(subject) == subject.lower()


@given(st.text(max_size=60))
def test_the_key_of_a_key_is_itself(subject: str) -> None:
    assert subject_key(subject_key(subject)) == subject_key(subject)
