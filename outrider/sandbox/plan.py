"""What a person makes of one mail: which acts, and how long after its delivery. Pure; the chance is handed in."""

from dataclasses import dataclass
from random import Random

from outrider.sandbox.people import Behaviour, Pace, Range
from outrider.sandbox.tally import ActKind


@dataclass(frozen=True, slots=True)
class Intention:
    """An act to come, in seconds after the mail arrived."""

    kind: ActKind
    after: float


def is_last_word(behaviour: Behaviour, *, nth: int) -> bool:
    """Whether the person ends the conversation on the nth mail it gets."""
    return behaviour.has_last_word and nth >= behaviour.on_mail


def intentions(behaviour: Behaviour, *, nth: int, pace: Pace, random: Random) -> tuple[Intention, ...]:
    """The acts on the nth mail, in the order in which they will happen."""
    answers = is_last_word(behaviour, nth=nth)
    if answers and behaviour.bounces_later:
        return (Intention(ActKind.BOUNCED_LATER, _draw(random, pace.bouncing)),)
    read_at = _draw(random, pace.opening)
    plans: list[Intention] = []
    if behaviour.out_of_office and (nth == 1 or behaviour.keeps_on):  # RFC 3834 §2: not again for every mail
        plans.append(Intention(ActKind.OUT_OF_OFFICE, _draw(random, pace.out_of_office)))
    if behaviour.opens:
        plans.append(Intention(ActKind.OPENED, read_at))
    if behaviour.clicks:
        plans.append(Intention(ActKind.CLICKED, read_at + _draw(random, pace.clicking)))
    if answers and behaviour.unsubscribes:
        plans.append(Intention(ActKind.UNSUBSCRIBED, read_at + _draw(random, pace.unsubscribing)))
    if answers and behaviour.replies:
        plans.append(Intention(ActKind.REPLIED, read_at + _draw(random, pace.replying)))
    return tuple(sorted(plans, key=lambda intention: intention.after))


def _draw(random: Random, seconds: Range) -> float:
    return random.uniform(*seconds)
