"""The independent truth: what the sandbox itself took, saw and did, counted without asking the product.

Two mails are duplicates if they are the same step for the same recipient. The sandbox cannot know steps: the caller
says which step a mail is, best by a phrase in its text (`steps_by_phrase`). Else equal texts are the same (`by_text`).
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

from outrider.sandbox.mails import ReceivedMail

StepOf = Callable[[ReceivedMail], Hashable | None]
_ADDRESS_OR_NUMBER = re.compile(r"https?://\S+|\d+")


class ActKind(StrEnum):
    """What people and their servers do with a mail."""

    BOUNCED_AT_RCPT = "bounced_at_rcpt"
    BOUNCED_LATER = "bounced_later"
    OUT_OF_OFFICE = "out_of_office"
    OPENED = "opened"
    CLICKED = "clicked"
    REPLIED = "replied"
    UNSUBSCRIBED = "unsubscribed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One thing somebody did. `is_done` is false if it had no effect, and `note` says why.

    Otherwise the note is the address that was fetched, or the Message-ID of the mail that was written.
    """

    kind: ActKind
    recipient: str
    at: datetime
    mail: ReceivedMail | None = None
    is_done: bool = True
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Mails of each kind. `opened` counts mails whose images were fetched, `clicked` those with a link fetched."""

    accepted: int = 0
    duplicates: int = 0
    unrecognised: int = 0
    opened: int = 0
    clicked: int = 0
    replied: int = 0
    out_of_office: int = 0
    unsubscribed: int = 0
    bounced_at_rcpt: int = 0
    bounced_later: int = 0

    @property
    def delivered(self) -> int:
        """Taken and not returned."""
        return self.accepted - self.bounced_later

    @property
    def bounced(self) -> int:
        return self.bounced_at_rcpt + self.bounced_later

    @classmethod
    def sum(cls, counts: Iterable[Self]) -> Self:
        each = list(counts)
        return cls(**{column.name: sum(getattr(one, column.name) for one in each) for column in fields(cls)})

    def as_flags(self) -> Self:
        """1 where this is not 0: summed over persons it counts persons."""
        return type(self)(**{name: min(number, 1) for name, number in asdict(self).items()})


@dataclass(frozen=True, slots=True)
class Duplicate:
    """More than one mail of one step to one recipient."""

    recipient: str
    step: Hashable
    mails: tuple[ReceivedMail, ...]


@dataclass(frozen=True, slots=True)
class Tally:
    """Everything, per recipient, summed over mails, and summed over persons."""

    people: Mapping[str, Counts]
    mails: Counts
    persons: Counts
    duplicates: tuple[Duplicate, ...]
    rejected_logins: Mapping[str, int]

    def as_dict(self) -> dict[str, Any]:
        """The sums, for JSON."""
        return {
            "people": len(self.people),
            "mails": asdict(self.mails),
            "persons": asdict(self.persons),
            "rejected_logins": dict(self.rejected_logins),
        }


def count(
    mails: Collection[ReceivedMail], acts: Collection[Act], *, step_of: StepOf, rejected_logins: Mapping[str, int]
) -> Tally:
    """Count what happened to the people who were written to."""
    mails_of: defaultdict[str, list[ReceivedMail]] = defaultdict(list)
    for mail in mails:
        mails_of[mail.recipient].append(mail)
    acts_of: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for act in acts:
        acts_of[act.recipient][act.kind.value] += act.is_done
    duplicates: list[Duplicate] = []
    people: dict[str, Counts] = {}
    for recipient in sorted({*mails_of, *acts_of}):
        steps = _by_step(mails_of[recipient], step_of)
        unrecognised = len(steps.pop(None, []))
        repeated = [Duplicate(recipient, step, tuple(same)) for step, same in steps.items() if len(same) > 1]
        duplicates += repeated
        people[recipient] = Counts(
            accepted=len(mails_of[recipient]),
            duplicates=sum(len(each.mails) - 1 for each in repeated),
            unrecognised=unrecognised,
            **acts_of[recipient],
        )
    return Tally(
        people=people,
        mails=Counts.sum(people.values()),
        persons=Counts.sum(one.as_flags() for one in people.values()),
        duplicates=tuple(duplicates),
        rejected_logins=dict(rejected_logins),
    )


def steps_by_phrase(phrases: Sequence[str]) -> StepOf:
    """The step is the number (from 1) of the first phrase found in the subject or the text; no phrase, no step."""
    wanted = [_plain(phrase) for phrase in phrases]

    def step_of(mail: ReceivedMail) -> int | None:
        text = _plain(f"{mail.subject}\n{mail.text}")
        return next((number for number, phrase in enumerate(wanted, start=1) if phrase in text), None)

    return step_of


def by_text(mail: ReceivedMail) -> Hashable:
    """The same words in the same thread are the same step; numbers and links may differ.

    Spintax makes different words of one step: then name the steps with `steps_by_phrase`.
    """
    return _plain(mail.thread_subject), _plain(_ADDRESS_OR_NUMBER.sub("", mail.text))


def _by_step(mails: Iterable[ReceivedMail], step_of: StepOf) -> dict[Hashable | None, list[ReceivedMail]]:
    steps: defaultdict[Hashable | None, list[ReceivedMail]] = defaultdict(list)
    for mail in mails:
        steps[step_of(mail)].append(mail)
    return dict(steps)


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()
