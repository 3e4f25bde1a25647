"""What must be read rightly, of mails nobody looked at when the rules were made (`make figures` shows it all)."""

import pytest

from tests.mail.figures import results, share

RESULTS = results()


@pytest.mark.parametrize(("question", "least"), [("bounces", 0.94), ("auto-replies", 0.9), ("return dates", 0.45)])
def test_enough_of_the_held_out_mails_is_read_rightly(question: str, least: float) -> None:
    assert share(RESULTS, question, held_out=True) >= least
