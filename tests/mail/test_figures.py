"""How much must be read rightly: of all samples, and of those nobody looked at when the rules were made."""

import pytest

from tests.mail.figures import results, share

RESULTS = results()


@pytest.mark.parametrize("held_out", [False, True])
@pytest.mark.parametrize(
    ("question", "least"), [("bounces", 0.97), ("auto-replies", 0.97), ("return dates", 0.9), ("replacements", 0.9)]
)
def test_enough_mails_are_read_rightly(question: str, least: float, held_out: bool) -> None:
    assert share(RESULTS, question, held_out=held_out) >= least
