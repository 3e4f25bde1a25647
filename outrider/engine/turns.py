"""Whose turn it is on a mailbox: a follow-up or a new lead, and of which campaign.

Product behaviour 1.7. `follow_up_percentage` is the priority share: so much of a day is first offered to follow-ups and
the rest to new leads; what one side does not use goes to the other. Counters of the campaign's day decide, not a toss:
whoever lags furthest behind its share is served. In each mailbox neither side goes beyond its share of the cap while
the other one has something. Campaigns that share a mailbox take turns, the one served longest ago first.
"""

from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum

from outrider.engine.facts import CampaignFacts, DayCounts, MailboxFacts, Pair

ALL = 100  # per cent


class Kind(StrEnum):
    FOLLOW_UP = "FOLLOW_UP"
    NEW = "NEW"

    @property
    def other(self) -> "Kind":
        return Kind.NEW if self is Kind.FOLLOW_UP else Kind.FOLLOW_UP


def first_choice(campaign: CampaignFacts, day: DayCounts, mailbox: MailboxFacts) -> Kind:
    """Return what the campaign's next mail from this mailbox should be, if there is any of the kind."""
    follow_ups, cap = campaign.follow_up_percentage, mailbox.max_email_per_day
    if mailbox.today_follow_up_count * ALL >= cap * follow_ups:
        return Kind.NEW  # the mailbox has sent its share of follow-ups
    if (mailbox.today_count - mailbox.today_follow_up_count) * ALL >= cap * (ALL - follow_ups):
        return Kind.FOLLOW_UP
    total = day.follow_up_count + day.new_count + 1
    lag = follow_ups * total - day.follow_up_count * ALL
    new_lag = (ALL - follow_ups) * total - day.new_count * ALL
    return Kind.FOLLOW_UP if lag >= new_lag else Kind.NEW


def in_order(pairs: Sequence[Pair], choose: Callable[[Pair], Kind]) -> Iterator[tuple[Kind, Pair]]:
    """Yield what a mailbox is offered one after the other: first choices by turns, then what those leave over."""
    firsts = []
    for pair in pairs:
        kind = choose(pair)
        firsts.append((kind, pair))
        yield kind, pair
    for kind, pair in firsts:
        yield kind.other, pair
