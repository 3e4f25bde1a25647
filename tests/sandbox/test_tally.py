from typing import Any

import pytest

from outrider.sandbox.mails import ReceivedMail
from outrider.sandbox.tally import Act, ActKind, Counts, Tally, by_text, count, steps_by_phrase
from tests.sandbox.test_mails import NOW, received
from tests.sandbox.writing import campaign_mail

STEPS = steps_by_phrase(["print your invoices", "quick follow-up", "last mail"])


def mail(recipient: str, text: str, number: int, **options: Any) -> ReceivedMail:
    return received(campaign_mail(recipient, text=text, number=number, **options), recipient=recipient, number=number)


def counted(mails: list[ReceivedMail], acts: list[Act] | None = None) -> Tally:
    return count(mails, acts or [], step_of=STEPS, rejected_logins={})


def test_different_steps_are_no_duplicates() -> None:
    tally = counted([mail("a@x", "Do you print your invoices?", 1), mail("a@x", "A quick   Follow-Up from me", 2)])
    assert (tally.mails.accepted, tally.mails.duplicates, tally.mails.unrecognised) == (2, 0, 0)


def test_the_same_step_twice_is_a_duplicate_whatever_else_the_text_says() -> None:
    twice = [mail("a@x", "Hello, quick follow-up", 1), mail("a@x", "Hi there, quick follow-up", 2)]
    other = mail("b@x", "Hello, quick follow-up", 3)
    tally = counted([*twice, other])
    assert tally.mails.duplicates == 1
    assert [(each.recipient, each.step, list(each.mails)) for each in tally.duplicates] == [("a@x", 2, twice)]


def test_three_of_a_kind_are_two_duplicates_at_one_person() -> None:
    tally = counted([mail("a@x", "last mail", number) for number in range(3)])
    assert (tally.mails.duplicates, tally.persons.duplicates) == (2, 1)


def test_a_mail_of_no_known_step_is_said_to_be_unrecognised() -> None:
    assert counted([mail("a@x", "something else", 1)]).mails.unrecognised == 1


def test_acts_count_per_mail_and_per_person() -> None:
    first, second = mail("a@x", "last mail", 1), mail("a@x", "quick follow-up", 2)
    acts = [Act(kind=ActKind.OPENED, recipient="a@x", at=NOW, mail=each) for each in (first, second)]
    acts.append(Act(kind=ActKind.CLICKED, recipient="a@x", at=NOW, mail=first, is_done=False))
    acts.append(Act(kind=ActKind.BOUNCED_AT_RCPT, recipient="b@x", at=NOW))
    tally = counted([first, second], acts)
    assert (tally.mails.opened, tally.persons.opened, tally.mails.clicked) == (2, 1, 0)
    assert tally.people["b@x"] == Counts(bounced_at_rcpt=1)
    assert tally.as_dict()["people"] == 2


def test_delivered_is_taken_and_not_returned() -> None:
    counts = Counts(accepted=10, bounced_later=2, bounced_at_rcpt=1)
    assert (counts.delivered, counts.bounced) == (8, 3)


@pytest.mark.parametrize(
    ("first", "second", "is_same"),
    [
        ("See http://127.0.0.1/c/abc now", "See  http://127.0.0.1/c/xyz\nnow", True),
        ("You saved 10 %", "You saved 25 %", True),
        ("Hello Ann", "Hello Bob", False),
    ],
)
def test_without_phrases_equal_texts_are_the_same_step(first: str, second: str, is_same: bool) -> None:
    assert (by_text(mail("a@x", first, 1)) == by_text(mail("a@x", second, 2))) is is_same


def test_without_phrases_another_thread_is_another_step() -> None:
    assert by_text(mail("a@x", "Hello", 1, subject="One")) != by_text(mail("a@x", "Hello", 2, subject="Two"))
    assert by_text(mail("a@x", "Hello", 1, subject="One")) == by_text(mail("a@x", "Hello", 2, subject="RE: One"))
