from outrider.sandbox.faults import Fault, Faults, Moment
from outrider.sandbox.people import GREYLISTED


def test_a_fault_happens_so_many_times() -> None:
    faults = Faults("1")
    fault = faults.add(Fault(Moment.RCPT, answer=GREYLISTED, times=2))
    assert [faults.due(Moment.RCPT) for _ in range(3)] == [fault, fault, None]


def test_a_fault_without_number_lasts_until_it_is_removed() -> None:
    faults = Faults("1")
    fault = faults.add(Fault(Moment.LOGIN, drops=True, times=None))
    assert [faults.due(Moment.LOGIN) for _ in range(3)] == [fault] * 3
    faults.remove(fault)
    assert faults.due(Moment.LOGIN) is None


def test_a_fault_concerns_its_moment_mailbox_and_recipient_only() -> None:
    faults = Faults("1")
    fault = faults.add(Fault(Moment.DOT, mailbox="Me@x", recipient="Ann@y"))
    assert faults.due(Moment.DATA, mailbox="me@x", recipients=("ann@y",)) is None
    assert faults.due(Moment.DOT, mailbox="you@x", recipients=("ann@y",)) is None
    assert faults.due(Moment.DOT, mailbox="me@x", recipients=("bob@y",)) is None
    assert faults.due(Moment.DOT, mailbox="me@x", recipients=("bob@y", "ann@y")) is fault


def test_a_fault_by_chance_happens_sometimes_and_always_the_same_way() -> None:
    def run() -> list[bool]:
        faults = Faults("7")
        faults.add(Fault(Moment.DOT, drops=True, times=None, chance=0.3))
        return [faults.due(Moment.DOT) is not None for _ in range(500)]

    assert run() == run()
    assert 100 < sum(run()) < 200


def test_clearing_ends_all_trouble() -> None:
    faults = Faults("1")
    faults.add(Fault(Moment.CONNECT, times=None))
    faults.clear()
    assert faults.due(Moment.CONNECT) is None
