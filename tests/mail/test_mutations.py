"""Broken mails are read without an error (`make fuzz` reads fifty thousand)."""

import pytest

from tests.mail.mutations import CHANGES, mutated, read_everything

PARTS, OF_EACH = 20, 150


@pytest.mark.parametrize("part", range(PARTS))
def test_no_broken_mail_makes_anything_raise(part: int) -> None:
    for number in range(part * OF_EACH, (part + 1) * OF_EACH):
        read_everything(mutated(number))


def test_a_broken_mail_is_made_from_its_number_alone() -> None:
    assert [mutated(number) for number in range(50)] == [mutated(number) for number in range(50)]
    assert len({mutated(number) for number in range(50)}) == 50


def test_every_way_to_break_a_mail_is_used() -> None:
    assert len({change.__name__ for change in CHANGES}) == 12
