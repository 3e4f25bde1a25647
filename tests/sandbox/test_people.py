from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outrider.sandbox.people import AT_ONCE, GREYLISTED, NO_SUCH_USER, Behaviour, Pace, People, ReplyKind, dice


def draw_many(people: People, *, seed: str = "1", number: int = 4_000) -> list[Behaviour]:
    return [people.draw(dice(seed, f"person{index}@example.com")) for index in range(number)]


def share(people: list[Behaviour], attribute: str) -> float:
    return sum(bool(getattr(one, attribute)) for one in people) / len(people)


def test_everyone_is_the_same_person_again_with_the_same_seed() -> None:
    assert draw_many(People(), number=200) == draw_many(People(), number=200)
    assert draw_many(People(), number=200) != draw_many(People(), seed="2", number=200)


def test_behaviours_come_in_the_shares_asked_for() -> None:
    people = People(open=0.5, click=0.4, reply=0.2, unsubscribe=0.1, bounce_at_rcpt=0.05, bounce_later=0.15)
    crowd = draw_many(people)
    wanted = {"replies": 0.2, "unsubscribes": 0.1, "bounces_at_rcpt": 0.05, "bounces_later": 0.15}
    wanted |= {"opens": 0.5 * 0.8, "clicks": 0.5 * 0.8 * 0.4}
    for attribute, expected in wanted.items():
        assert share(crowd, attribute) == pytest.approx(expected, abs=0.03), attribute


def test_somebody_who_bounces_does_nothing_else() -> None:
    bounced = draw_many(People(bounce_at_rcpt=0.5, bounce_later=0.5, reply=0, unsubscribe=0), number=300)
    assert {(one.opens, one.clicks, one.replies, one.out_of_office) for one in bounced} == {(False, False, None, False)}


@given(seed=st.integers(), reply=st.floats(0, 0.25), unsubscribe=st.floats(0, 0.25), bounce=st.floats(0, 0.25))
def test_final_acts_exclude_each_other(seed: int, reply: float, unsubscribe: float, bounce: float) -> None:
    people = People(reply=reply, unsubscribe=unsubscribe, bounce_at_rcpt=bounce, bounce_later=bounce)
    one = people.draw(dice(seed))
    assert sum(bool(act) for act in (one.replies, one.unsubscribes, one.bounces_at_rcpt, one.bounces_later)) <= 1
    assert 1 <= one.on_mail <= len(people.answered_mails)


def test_replies_are_of_the_kinds_wanted() -> None:
    people = People(reply=0.9, unsubscribe=0, reply_kinds={ReplyKind.MEETING: 3, ReplyKind.REMOVE_ME: 1})
    kinds = Counter(one.replies for one in draw_many(people) if one.replies)
    assert set(kinds) == {ReplyKind.MEETING, ReplyKind.REMOVE_ME}
    assert kinds[ReplyKind.MEETING] > 2 * kinds[ReplyKind.REMOVE_ME]


@pytest.mark.parametrize(("wrong", "said"), [({"open": 1.5}, "open must be a share"), ({"reply": 0.99}, "not more")])
def test_impossible_shares_are_refused(wrong: dict[str, float], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        People(**wrong)  # type: ignore[arg-type]


def test_a_refusal_names_the_recipient() -> None:
    assert NO_SUCH_USER.line("a@b.c") == "550 5.1.1 <a@b.c>: Recipient address rejected: User unknown"
    assert (GREYLISTED.is_temporary, NO_SUCH_USER.is_temporary) == (True, False)


def test_a_pace_can_be_made_faster() -> None:
    assert Pace(opening=(100, 200), least_wall_seconds=0.5).times(0.1).opening == (10, 20)
    assert Pace(least_wall_seconds=0.5).times(0.1).least_wall_seconds == 0.5
    assert AT_ONCE.replying == (0, 0)
