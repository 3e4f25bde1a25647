from hypothesis import given
from hypothesis import strategies as st

from outrider.sandbox.people import NO_SUCH_USER, Behaviour, Pace, ReplyKind, UnsubscribeBy, dice
from outrider.sandbox.plan import intentions, is_last_word
from outrider.sandbox.tally import ActKind

behaviours = st.builds(
    Behaviour,
    opens=st.booleans(),
    clicks=st.booleans(),
    replies=st.none() | st.sampled_from(ReplyKind),
    out_of_office=st.booleans(),
    unsubscribes=st.none() | st.sampled_from(UnsubscribeBy),
    bounces_later=st.none() | st.just(NO_SUCH_USER),
    on_mail=st.integers(1, 3),
    keeps_on=st.booleans(),
)


def kinds(behaviour: Behaviour, nth: int = 1) -> list[ActKind]:
    return [each.kind for each in intentions(behaviour, nth=nth, pace=Pace(), random=dice(1))]


def test_people_open_before_they_click_and_click_before_they_answer() -> None:
    behaviour = Behaviour(opens=True, clicks=True, replies=ReplyKind.QUESTION, out_of_office=True)
    assert kinds(behaviour) == [ActKind.OUT_OF_OFFICE, ActKind.OPENED, ActKind.CLICKED, ActKind.REPLIED]


def test_an_answer_waits_for_its_mail() -> None:
    behaviour = Behaviour(opens=True, replies=ReplyKind.INTERESTED, on_mail=2)
    assert kinds(behaviour, nth=1) == [ActKind.OPENED]
    assert kinds(behaviour, nth=2) == [ActKind.OPENED, ActKind.REPLIED]


def test_out_of_office_answers_the_first_mail_only() -> None:
    assert kinds(Behaviour(out_of_office=True), nth=2) == []
    assert kinds(Behaviour(out_of_office=True, keeps_on=True), nth=2) == [ActKind.OUT_OF_OFFICE]


def test_a_mail_that_bounces_is_never_read() -> None:
    assert kinds(Behaviour(opens=True, out_of_office=True, bounces_later=NO_SUCH_USER)) == [ActKind.BOUNCED_LATER]


@given(behaviour=behaviours, nth=st.integers(1, 4), seed=st.integers())
def test_plans_are_in_order_and_end_a_conversation_only_when_it_is_time(
    behaviour: Behaviour, nth: int, seed: int
) -> None:
    plan = intentions(behaviour, nth=nth, pace=Pace(), random=dice(seed))
    times = [each.after for each in plan]
    assert times == sorted(times)
    last_words = {ActKind.REPLIED, ActKind.UNSUBSCRIBED, ActKind.BOUNCED_LATER}
    assert any(each.kind in last_words for each in plan) == is_last_word(behaviour, nth=nth)
