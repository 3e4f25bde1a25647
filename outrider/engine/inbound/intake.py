"""Mails that came in: what each is and what it changes, many at a time in the caller's transaction, each once.

Order (product behaviour 6.1): our own mail, reports on mails of ours, auto-reply, answer, not ours. Nothing a message
holds can raise past the reader; a mail that cannot be processed is kept as untracked.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from outrider.engine.inbound.answers import take_answers
from outrider.engine.inbound.arrival import Arrival, Kept, Reader, store, store_one
from outrider.engine.inbound.matching import Letter, Match, find_matches
from outrider.engine.inbound.reports import find_reported, take_bounces, take_complaint
from outrider.kit.crypto import Vault
from outrider.kit.db import Db
from outrider.kit.events import emit
from outrider.leads import actions as leads
from outrider.mail.address import domain_of
from outrider.messages import received
from outrider.messages.models import UntrackedReplyReceived
from outrider.tracking import actions as tracking
from outrider.tracking.tokens import Unsubscribe


async def take_in(db: Db, vault: Vault, reader: Reader, raw: bytes, now: datetime, *, only_matched: bool) -> bool:
    """Process one message; False if it was known, or is of no interest."""
    return bool(await take_in_all(db, vault, [Arrival(reader, raw, now, only_matched=only_matched)]))


async def take_in_all(db: Db, vault: Vault, arrivals: Sequence[Arrival]) -> int:
    """Process messages in this order; returns how many of them were new and of interest."""
    waiting = [arrival for arrival in arrivals if not arrival.is_of_no_interest]
    taken = 0
    while waiting:
        wave, waiting = _first_wave(await _sort(db, vault, waiting))
        taken += await _take(db, wave)
    return taken


async def keep(db: Db, arrival: Arrival) -> None:
    """Keep a mail that could not be processed, for people to look at: nothing is lost."""
    await store_one(db, arrival, "UNTRACKED", None)


@dataclass(frozen=True, slots=True)
class _Sorted:
    """A mail and what it is about: mails of ours that it reports on, one that it answers, or a way out."""

    arrival: Arrival
    reported: Sequence[Match | None] = ()
    unsubscribe: Unsubscribe | None = None
    match: Match | None = None

    @property
    def touches(self) -> set[int | tuple[int, str]]:
        """The leads in campaigns it may change, in subsequences and parents too, and their companies where the campaign
        holds these together.
        """
        matches = [match for match in (*self.reported, self.match) if match]
        leads = {number for match in matches for number in (match.campaign_lead_id, match.conversation_id)}
        companies = {(match.campaign_id, domain_of(match.to_email)) for match in matches if match.pauses_company}
        return {*leads, *companies, *([self.unsubscribe.campaign_lead_id] if self.unsubscribe else [])}

    @property
    def is_wanted(self) -> bool:
        arrival, match = self.arrival, self.match
        if not arrival.only_matched or any(self.reported) or self.unsubscribe:
            return True
        return match is not None and match.is_named_in(arrival.incoming.thread_ids)


async def _sort(db: Db, vault: Vault, arrivals: Sequence[Arrival]) -> list[_Sorted]:
    reported = await find_reported(db, arrivals)
    exits = [None if any(found) else each.unsubscribe(vault) for each, found in zip(arrivals, reported, strict=True)]
    letters = [
        Letter(each.reader.user_id, each.reader.mailbox_id, each.incoming)
        for each, found, way_out in zip(arrivals, reported, exits, strict=True)
        if not any(found) and way_out is None
    ]
    matches = iter(await find_matches(db, letters, arrivals[0].now))
    return [
        _Sorted(each, found, way_out, None if any(found) or way_out else next(matches))
        for each, found, way_out in zip(arrivals, reported, exits, strict=True)
    ]


def _first_wave(mails: Sequence[_Sorted]) -> tuple[list[_Sorted], list[Arrival]]:
    """Those that change different leads, whose order does not matter; and the rest, in order, to be sorted anew."""
    touched: set[int | tuple[int, str]] = set()
    wave: list[_Sorted] = []
    rest: list[Arrival] = []
    for mail in mails:
        if mail.touches.isdisjoint(touched):
            wave.append(mail)
        else:
            rest.append(mail.arrival)
        touched |= mail.touches
    return wave, rest


async def _take(db: Db, mails: Sequence[_Sorted]) -> int:
    wanted = [mail for mail in mails if mail.is_wanted]
    letters = [mail for mail in wanted if not any(mail.reported) and mail.unsubscribe is None]
    taken = 0
    for mail in wanted:
        if any(mail.reported):
            taken += await _take_report(db, mail)
        elif mail.unsubscribe is not None:
            await tracking.unsubscribe(db, mail.unsubscribe, mail.arrival.now)
            taken += 1
    taken += await take_answers(db, [(mail.arrival, mail.match) for mail in letters if mail.match])
    return taken + await _take_untracked(db, [mail.arrival for mail in letters if mail.match is None])


async def _take_report(db: Db, mail: _Sorted) -> bool:
    if mail.arrival.complaint is not None:
        return await take_complaint(db, mail.arrival, mail.reported[0])
    return await take_bounces(db, mail.arrival, mail.reported)


async def _take_untracked(db: Db, arrivals: Sequence[Arrival]) -> int:
    """Nobody is told of programs. Who asks for no more mail gets none, from whatever mailbox it came."""
    ids = await store(db, [Kept(arrival, "UNTRACKED") for arrival in arrivals])
    new = [(arrival, message_id) for arrival, message_id in zip(arrivals, ids, strict=True) if message_id is not None]
    await received.insert_auto_replies(
        db, [(each.reader.user_id, message_id, each.auto) for each, message_id in new if each.auto]
    )
    letters = [(each, number) for each, number in new if not (each.auto or each.reports or each.complaint)]
    for each, _ in letters:
        if each.author and each.asks_for_no_more:
            await leads.unsubscribe_known_address(db, user_id=each.reader.user_id, email=each.author, now=each.now)
    await emit(db, *(_untracked(each, number) for each, number in letters))
    return len(new)


def _untracked(arrival: Arrival, message_id: int) -> UntrackedReplyReceived:
    return UntrackedReplyReceived(arrival.reader.user_id, arrival.reader.mailbox_id, message_id, arrival.now)
