"""Who lives in the sandbox's world and what they do with mail: one Behaviour per address.

A behaviour is drawn from the probabilities in `People`, always the same one for the same seed and address,
or set by hand: `sandbox.people["ann@example.com"] = Behaviour(replies=ReplyKind.INTERESTED)`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from random import Random
from typing import Self, TypeVar

Choice = TypeVar("Choice")
Range = tuple[float, float]
LOWEST_PERMANENT = 500  # RFC 5321 §4.2.1


class ReplyKind(StrEnum):
    """What somebody answers."""

    INTERESTED = "interested"
    MEETING = "meeting"
    QUESTION = "question"
    NOT_INTERESTED = "not_interested"
    WRONG_PERSON = "wrong_person"
    REMOVE_ME = "remove_me"


class UnsubscribeBy(StrEnum):
    """The way somebody takes to get off the list; the next one is tried if the mail does not offer it."""

    ONE_CLICK = "one_click"
    PAGE = "page"
    MAIL = "mail"


class Language(StrEnum):
    ENGLISH = "en"
    GERMAN = "de"


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a server says when it does not take a mail. `{address}` in the text is the recipient."""

    reply_code: int
    enhanced_code: str
    text: str

    @property
    def is_temporary(self) -> bool:
        return self.reply_code < LOWEST_PERMANENT

    def line(self, address: str) -> str:
        return f"{self.reply_code} {self.enhanced_code} {self.text.replace('{address}', address)}"


NO_SUCH_USER = Refusal(550, "5.1.1", "<{address}>: Recipient address rejected: User unknown")
MAILBOX_FULL = Refusal(552, "5.2.2", "<{address}>: Mailbox is over quota")
SPAM_POLICY = Refusal(554, "5.7.1", "Message rejected as spam by content filter")
GREYLISTED = Refusal(451, "4.7.1", "<{address}>: Recipient address rejected: Greylisted, try again later")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How long people take, in seconds of the sandbox's clock; a click and an answer count from the opening.

    `least_wall_seconds` is the shortest wait in real time: on a fast clock nobody reacts before the sender has
    written down that the mail is sent, as nobody does in the world.
    """

    opening: Range = (120, 7_200)
    clicking: Range = (15, 180)
    replying: Range = (300, 21_600)
    out_of_office: Range = (5, 60)
    unsubscribing: Range = (30, 600)
    bouncing: Range = (5, 300)
    least_wall_seconds: float = 0.0

    def times(self, factor: float) -> Self:
        """The same pace, so many times slower; 0.01 makes minutes of hours."""
        return replace(
            self,
            opening=_scaled(self.opening, factor),
            clicking=_scaled(self.clicking, factor),
            replying=_scaled(self.replying, factor),
            out_of_office=_scaled(self.out_of_office, factor),
            unsubscribing=_scaled(self.unsubscribing, factor),
            bouncing=_scaled(self.bouncing, factor),
        )


def _scaled(seconds: Range, factor: float) -> Range:
    return seconds[0] * factor, seconds[1] * factor


AT_ONCE = Pace().times(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """What one person does. The default reads the mail without images and says nothing.

    Replying, unsubscribing and a late bounce happen once, on mail number `on_mail`, and end it:
    the person does nothing with later mails, unless `keeps_on`.
    """

    opens: bool = False
    clicks: bool = False
    replies: ReplyKind | None = None
    out_of_office: bool = False
    unsubscribes: UnsubscribeBy | None = None
    bounces_at_rcpt: Refusal | None = None
    bounces_later: Refusal | None = None
    on_mail: int = 1
    keeps_on: bool = False
    language: Language = Language.ENGLISH
    pace: Pace | None = None

    @property
    def has_last_word(self) -> bool:
        """Whether this person ends the conversation at some time."""
        return bool(self.replies or self.unsubscribes or self.bounces_later)


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """Probabilities, each a share of all people; a click is a share of those who open.

    Refusing, bouncing, unsubscribing and replying exclude each other.
    """

    open: float = 0.55
    click: float = 0.2
    reply: float = 0.12
    out_of_office: float = 0.05
    unsubscribe: float = 0.03
    bounce_at_rcpt: float = 0.02
    bounce_later: float = 0.02
    german: float = 0.25
    reply_kinds: Mapping[ReplyKind, float] = field(
        default_factory=lambda: {
            ReplyKind.INTERESTED: 3.0,
            ReplyKind.MEETING: 1.0,
            ReplyKind.QUESTION: 2.0,
            ReplyKind.NOT_INTERESTED: 3.0,
            ReplyKind.WRONG_PERSON: 1.0,
        }
    )
    answered_mails: tuple[float, ...] = (5.0, 3.0, 2.0)

    def __post_init__(self) -> None:
        shares = {each.name: getattr(self, each.name) for each in fields(self) if each.type is float}
        for name, share in shares.items():
            if not 0 <= share <= 1:
                raise ValueError(f"{name} must be a share from 0 to 1, not {share}")
        if self.bounce_at_rcpt + self.bounce_later + self.unsubscribe + self.reply > 1:
            raise ValueError("bounce_at_rcpt, bounce_later, unsubscribe and reply may be 1 together, not more")

    def draw(self, random: Random) -> Behaviour:
        """One person of this world."""
        fate = random.random()
        edges = (self.bounce_at_rcpt, self.bounce_later, self.unsubscribe, self.reply)
        refuses, bounces, unsubscribes, replies = _which(fate, edges)
        language = Language.GERMAN if random.random() < self.german else Language.ENGLISH
        if refuses or bounces:
            return Behaviour(
                bounces_at_rcpt=NO_SUCH_USER if refuses else None,
                bounces_later=NO_SUCH_USER if bounces else None,
                language=language,
            )
        opens = random.random() < self.open
        return Behaviour(
            opens=opens,
            clicks=opens and random.random() < self.click,
            replies=_one_of(random, self.reply_kinds) if replies else None,
            out_of_office=random.random() < self.out_of_office,
            unsubscribes=random.choice(list(UnsubscribeBy)[:2]) if unsubscribes else None,
            on_mail=_one_of(random, dict(enumerate(self.answered_mails, start=1))),
            language=language,
        )


def dice(*key: object) -> Random:
    """The dice of one occasion: always the same throws for the same key."""
    return Random("/".join(map(str, key)))  # noqa: S311 - a world to play with, no secret


def _which(point: float, shares: tuple[float, ...]) -> list[bool]:
    """Lay the shares end to end from 0; which of them covers the point, if any."""
    covered = []
    start = 0.0
    for share in shares:
        covered.append(start <= point < start + share)
        start += share
    return covered


def _one_of(random: Random, weights: Mapping[Choice, float]) -> Choice:
    return random.choices(list(weights), weights=list(weights.values()))[0]
