"""What brings leads into subsequences, and ends them there (product behaviour 7): answers, opens, clicks, time.

An answer and the category that it gives are looked at together, so that of the subsequences they fit the first takes
the lead. An event that finds the lead in one is over; nothing is made up for later.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from outrider.campaigns import subsequences as clocks
from outrider.engine import triggers
from outrider.engine.triggers import Heard, Silence, Wanted
from outrider.kit.db import Db
from outrider.leads import subsequences
from outrider.leads.models import LeadCategoryUpdated
from outrider.leads.subsequences import Cause, Fit
from outrider.messages.models import LinkClicked, MessageOpened, ReplyReceived

_AT_ONCE = 1_000  # of each trigger and step; the others the next time


async def follow_engagement(db: Db, events: Sequence[MessageOpened | LinkClicked]) -> None:
    fits = await triggers.list_engaged(db, events)
    if fits:
        await subsequences.enter(db, fits, Cause.DEED, now=max(event.at for event in events))


async def follow_chosen_categories(db: Db, events: Sequence[LeadCategoryUpdated]) -> None:
    """By people of the account, who may move leads that they have held before. Those of answers: `follow_answers`."""
    chosen = [event for event in events if event.is_by_hand and event.new_id is not None]
    fits = await triggers.list_categorised(
        db,
        [event.campaign_lead_id for event in chosen],
        [event.new_id for event in chosen if event.new_id is not None],
    )
    if fits:
        await subsequences.enter(db, fits, Cause.PERSON, now=max(event.at for event in chosen))


async def end_answered(db: Db, events: Sequence[ReplyReceived]) -> None:
    """An answer in the parent ends those that end for that, but for one of a program after which the lead waits."""
    ids = [event.campaign_lead_id for event in events if not event.waits]
    if ids:
        await subsequences.end_answered(db, ids, now=max(event.at for event in events))


async def follow_answers(db: Db, heard: Sequence[Heard], *, now: datetime) -> None:
    """Answers to mails of the parent, each of another lead."""
    written = {each.campaign_lead_id: each for each in heard if each.text is not None}
    wanted = await triggers.list_wanted_answers(db, list(written.values())) if written else []
    fits = [
        Fit(each.campaign_lead_id, each.subsequence_id)
        for each in wanted
        if _says(written[each.campaign_lead_id].text or "", each)
    ]
    categories = {each.campaign_lead_id: each.category_id for each in heard if each.category_id is not None}
    if categories:
        fits += await triggers.list_categorised(db, list(categories), list(categories.values()))
    if fits:
        await subsequences.enter(db, fits, Cause.WORD, now=now)


def _says(text: str, wanted: Wanted) -> bool:
    said = _folded(text)
    if wanted.excluded_words and _folded(wanted.excluded_words) in said:
        return False
    return not wanted.words or _folded(wanted.words) in said


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())


async def tend(db: Db, now: datetime) -> None:
    """What time brings: leads who are back, and those of whom nothing was heard. Mostly it is two look-ups."""
    returned = await triggers.list_returned(db, now, limit=_AT_ONCE)
    if returned:
        await subsequences.enter(db, returned, Cause.RETURN, now=now)
    clock_ids = await triggers.lock_clocks(db, now)
    silences = await triggers.list_silent(db, clock_ids, now, each=_AT_ONCE) if clock_ids else []
    if silences:
        fits = [Fit(each.campaign_lead_id, each.subsequence_id) for each in silences]
        await subsequences.enter(db, fits, Cause.DEED, now=now)
    if clock_ids:
        await clocks.record_looks(db, clock_ids, _looked_until(clock_ids, silences, now))


def _looked_until(clock_ids: Sequence[int], silences: Sequence[Silence], now: datetime) -> list[datetime]:
    """Until when each trigger has seen all: where there were too many at once, until the last of them."""
    found: dict[tuple[int, int], list[datetime]] = defaultdict(list)
    for each in silences:
        found[each.trigger_id, each.step_id].append(each.at)
    until = dict.fromkeys(clock_ids, now)
    for (trigger_id, _), moments in found.items():
        if len(moments) >= _AT_ONCE:
            until[trigger_id] = min(until[trigger_id], max(moments))
    return [until[clock_id] for clock_id in clock_ids]
