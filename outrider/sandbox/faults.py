"""Trouble on demand: the servers drop, refuse or wait at a chosen moment.

sandbox.faults.add(Fault(Moment.RCPT, answer=GREYLISTED, recipient="ann@example.com", times=2))
sandbox.faults.add(Fault(Moment.ANSWER, drops=True))          # the mail is taken, the 250 never arrives
sandbox.faults.add(Fault(Moment.LOGIN, answer=LOGIN_BUSY, mailbox="me@ours.example", times=None))
"""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from outrider.sandbox.people import Refusal, dice

LOGIN_BUSY = Refusal(454, "4.7.0", "Temporary authentication failure")
SERVICE_CLOSING = Refusal(421, "4.3.2", "Service shutting down, closing connection")
QUOTA_EXCEEDED = Refusal(550, "5.4.5", "Daily user sending limit exceeded")


class Moment(StrEnum):
    """Where in the conversation, in its order. IMAP knows the log-in only."""

    CONNECT = "connect"
    LOGIN = "login"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"  # the command came and is not answered yet
    CONTENT = "content"  # 354 is said, the mail not read
    DOT = "dot"  # the whole mail is there, it is not taken
    ANSWER = "answer"  # the mail is taken, 250 not said
    IMAP_LOGIN = "imap_login"


@dataclass(frozen=True, slots=True)
class Fault:
    """At this moment, for this mailbox and this recipient (None = any): wait, then drop the connection or answer.

    `times` counts down, None lasts until `remove`. `chance` is the share of occasions on which it happens.
    `waits` is real seconds, because clients time out in real seconds.
    """

    moment: Moment
    answer: Refusal | None = None
    drops: bool = False
    waits: float = 0.0
    mailbox: str | None = None
    recipient: str | None = None
    times: int | None = 1
    chance: float = 1.0

    def concerns(self, moment: Moment, mailbox: str | None, recipients: Collection[str]) -> bool:
        return (
            self.moment is moment
            and (self.mailbox is None or self.mailbox.lower() == mailbox)
            and (self.recipient is None or self.recipient.lower() in recipients)
        )


class Faults:
    """What is planned to go wrong."""

    def __init__(self, seed: str) -> None:
        self._random = dice(seed, "faults")
        self._left: dict[Fault, int | None] = {}

    def add(self, fault: Fault) -> Fault:
        """Plan a fault. The same fault planned again starts counting again."""
        self._left[fault] = fault.times
        return fault

    def remove(self, fault: Fault) -> None:
        self._left.pop(fault, None)

    def clear(self) -> None:
        self._left.clear()

    def due(self, moment: Moment, *, mailbox: str | None = None, recipients: Collection[str] = ()) -> Fault | None:
        """The fault that happens now, counted down; the one planned first wins."""
        for fault, left in self._left.items():
            if fault.concerns(moment, mailbox, recipients) and self._random.random() < fault.chance:
                self._count_down(fault, left)
                return fault
        return None

    def _count_down(self, fault: Fault, left: int | None) -> None:
        if left is None:
            return
        if left > 1:
            self._left[fault] = left - 1
        else:
            del self._left[fault]
