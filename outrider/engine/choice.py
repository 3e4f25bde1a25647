"""Who is picked in a round: a lead for each free mailbox, as far as there are any.

Product behaviour 1.4 to 1.7. A mail that was put off goes first; then `turns` says whether a mailbox gets one of its
own due follow-ups or a new lead, and of which campaign.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from heapq import heapify, heappop, heappush

from outrider.engine import gates, limits, recipients, rotation, store, turns
from outrider.engine.facts import CampaignFacts, LeadFacts, MailboxFacts, Pair, VariantFacts
from outrider.engine.rounds import MOST_MAILS, Pick, Round
from outrider.engine.store import Due
from outrider.engine.turns import Kind
from outrider.kit.db import Db
from outrider.mail.provider import Provider

_END_OF_TIME = datetime.max.replace(tzinfo=UTC)
_MORE_FOLLOW_UPS = 4  # so many times as many are listed where the first do not pass their gates
_SPARE = 50  # where many may lack a value: those behind them should not wait for the next round


async def pick(db: Db, round_: Round) -> None:
    await _pick_retries(db, round_)
    await _pick_due(db, round_)


async def _pick_retries(db: Db, round_: Round) -> None:
    """A mail that was put off goes before anything else of its mailbox; if its text is gone, it is released soon."""
    ids = await store.list_due_retries(db, round_.ready, round_.now, open_for_new=round_.open_for_new())
    leads = await _list_in_order(db, ids[:MOST_MAILS])
    variants = await _load_variants(db, round_, leads)
    for lead in leads:
        mailbox = round_.mailboxes.get(lead.retry_mailbox_id or 0)
        step = round_.find_step(lead.campaign_id, lead.retry_step_id)
        if mailbox and step and round_.passes(lead) and round_.has_room_for(lead):
            round_.take(Pick(lead, mailbox, step, variants.get(lead.retry_variant_id or 0), round_.now))


async def _load_variants(db: Db, round_: Round, leads: Sequence[LeadFacts]) -> dict[int, VariantFacts]:
    """The variants of mails that are tried again, by id: who is on one is finished with it, also if it was deleted."""
    found = {variant.id: variant for variants in round_.variants.values() for variant in variants}
    deleted = {lead.retry_variant_id for lead in leads if lead.retry_variant_id} - found.keys()
    for variant in await store.list_deleted_variants(db, list(deleted)) if deleted else ():
        found[variant.id] = variant
    return found


async def _pick_due(db: Db, round_: Round) -> None:
    """Each mailbox that is still free gets what its turn is, at the moment from which it may send."""
    queues = Queues()
    await _list_due(db, round_, queues, round_.ready)
    takers = _takers(round_, queues)
    if takers and not round_.is_full:
        queues.new = await _lock_new_leads(db, round_, takers)
    if any(queues.new.values()):
        queues.reserved = await _count_reserved(db, round_, {pair.mailbox_id for pair in takers})
    queues.wanted = _first_wanted(round_, queues)
    visits = _Visits(round_)
    while (mailbox_ids := visits.move_on()) and not round_.is_full:
        await _read_wanted(db, round_, queues)
        _serve_all(round_, mailbox_ids, queues)
        while queues.wanted:
            await _read_wanted(db, round_, queues)
            _serve_all(round_, mailbox_ids, queues)
        visits.come_back(mailbox_ids, queues)


def _first_wanted(round_: Round, queues: "Queues") -> set[tuple[int, int]]:
    """Whose follow-ups will be asked for: in a stretch of time of all, else of each mailbox that of its first turn."""
    if round_.span.is_stretch:
        return set(queues.due)
    wanted = set()
    for mailbox_id, pairs in _by_mailbox(round_).items():
        waiting = [pair for pair in pairs if pair.key in queues.due]
        turns_ = turns.in_order(waiting, partial(_first_choice, round_, round_.mailboxes[mailbox_id]))
        first = next((pair for kind, pair in turns_ if kind is Kind.FOLLOW_UP), None)
        if first:
            wanted.add(first.key)
    return wanted


class _Visits:
    """When which mailbox is asked: in a round of one moment all at once, in a stretch one after the other."""

    def __init__(self, round_: Round) -> None:
        self._round = round_
        self._pairs = _by_mailbox(round_)
        self._moments = [
            (min(round_.opens_at[pair.key] for pair in pairs), mailbox_id) for mailbox_id, pairs in self._pairs.items()
        ]
        heapify(self._moments)

    def move_on(self) -> set[int]:
        """Move the round to the next moment and return who may send from then on; nobody: its span is over."""
        if not self._moments or self._moments[0][0] > self._round.span.until:
            return set()
        self._round.now = self._moments[0][0]
        found = set()
        while self._moments and self._moments[0][0] == self._round.now:
            found.add(heappop(self._moments)[1])
        return found

    def come_back(self, mailbox_ids: Iterable[int], queues: "Queues") -> None:
        """Ask those that got nothing again, when they are ready in another campaign or a follow-up falls due."""
        for mailbox_id in mailbox_ids:
            if mailbox_id not in self._round.mailboxes:
                continue
            moments = [
                moment
                for pair in self._pairs[mailbox_id]
                for moment in (self._round.opens_at[pair.key], queues.next_due(pair.key))
                if moment and moment > self._round.now
            ]
            if moments:
                heappush(self._moments, (min(moments), mailbox_id))


def _serve_all(round_: Round, mailbox_ids: AbstractSet[int], queues: "Queues") -> None:
    """The mailbox that is idle longest first, until one wants a lead that was not read yet.

    Where providers are paired that takes two passes: leads of the mailbox's own provider, then whoever is left.
    """
    has_pairing = any(campaign.enable_ai_esp_matching for campaign in round_.campaigns.values())
    pairs = _by_mailbox(round_, mailbox_ids)
    for is_last in (False, True) if has_pairing else (True,):
        free = [mailbox for mailbox_id in pairs if (mailbox := round_.mailboxes.get(mailbox_id))]
        for mailbox in rotation.idle_longest_first(free):
            if round_.is_full or queues.wanted:
                return
            _serve(round_, mailbox, pairs[mailbox.id], queues, is_last=is_last)


def _first_choice(round_: Round, mailbox: MailboxFacts, pair: Pair) -> Kind:
    return turns.first_choice(round_.campaigns[pair.campaign_id], round_.day(pair.campaign_id), mailbox)


@dataclass
class Queues:
    """Who waits: follow-ups by campaign and mailbox, new leads by campaign, and what is kept free for the former.

    Follow-ups are read when it is their turn: most mailboxes need the first of one campaign only. `due`: who is next;
    `unlisted`: where there may be more behind those; `wanted`: whose turn it is; `depth`: how many are listed of each.
    """

    due: dict[tuple[int, int], list[Due]] = field(default_factory=dict)
    unlisted: set[tuple[int, int]] = field(default_factory=set)
    listed: set[int] = field(default_factory=set)
    wanted: set[tuple[int, int]] = field(default_factory=set)
    depth: int = 1
    follow_ups: dict[tuple[int, int], list[LeadFacts]] = field(default_factory=dict)
    new: dict[int, list[LeadFacts]] = field(default_factory=dict)
    reserved: dict[int, int] = field(default_factory=dict)

    def next_due(self, key: tuple[int, int]) -> datetime | None:
        """When the first falls due of those that were not offered yet."""
        waiting = (*self.follow_ups.get(key, ()), *self.due.get(key, ()))
        return min((each.due_at for each in waiting if each.due_at), default=None)

    def has_unread(self, key: tuple[int, int], now: datetime) -> bool:
        """Whether somebody is due who was not read yet."""
        due = self.due.get(key)
        return due[0].due_at <= now if due else key in self.unlisted


def _by_mailbox(round_: Round, mailbox_ids: AbstractSet[int] | None = None) -> dict[int, list[Pair]]:
    """The pairs of these free mailboxes, of all of them if none are given, that are ready by now."""
    pairs: dict[int, list[Pair]] = {}
    for pair in round_.ready:
        is_asked = mailbox_ids is None or (pair.mailbox_id in mailbox_ids and round_.opens_at[pair.key] <= round_.now)
        if is_asked and pair.mailbox_id in round_.mailboxes:
            pairs.setdefault(pair.mailbox_id, []).append(pair)
    return pairs


def _serve(round_: Round, mailbox: MailboxFacts, pairs: Sequence[Pair], queues: Queues, *, is_last: bool) -> None:
    """Offer the mailbox one lead after the other until it has a mail, or until one is wanted that was not read yet."""
    for kind, pair in turns.in_order(pairs, partial(_first_choice, round_, mailbox)):
        if not round_.sender_domain_is_free(pair):
            continue
        for queue in _queues(round_, kind, pair, mailbox, queues):
            while lead := _next(round_, queue, mailbox, is_last=is_last):
                if round_.passes(lead):
                    round_.offer(lead, mailbox)
                if mailbox.id not in round_.mailboxes:
                    return
        if kind is Kind.FOLLOW_UP and queues.has_unread(pair.key, round_.now):
            queues.wanted.add(pair.key)
            return


def _queues(round_: Round, kind: Kind, pair: Pair, mailbox: MailboxFacts, queues: Queues) -> Iterator[list[LeadFacts]]:
    """Who waits for this mailbox; a first mail of a subsequence follows on what came before."""
    campaign = round_.campaigns[pair.campaign_id]
    is_subsequence = campaign.parent_campaign_id is not None
    if kind is Kind.FOLLOW_UP:
        yield queues.follow_ups.get(pair.key, [])
    if kind is Kind.FOLLOW_UP and queues.has_unread(pair.key, round_.now):
        return
    if is_subsequence == (kind is Kind.FOLLOW_UP) and round_.new_leads_left(campaign.id) > 0:
        reserved = 0 if is_subsequence else queues.reserved.get(mailbox.id, 0)
        if limits.room_for_new_leads(mailbox, reserved, campaign.follow_up_percentage) > 0:
            yield queues.new.get(campaign.id, [])


def _next(round_: Round, queue: list[LeadFacts], mailbox: MailboxFacts, *, is_last: bool) -> LeadFacts | None:
    """Take out the first that may go from this mailbox."""
    for index, lead in enumerate(queue):
        if _suits(round_, lead, mailbox, is_last=is_last):
            return queue.pop(index)
    return None


def _suits(round_: Round, lead: LeadFacts, mailbox: MailboxFacts, *, is_last: bool) -> bool:
    if lead.mailbox_id is not None:
        return lead.mailbox_id == mailbox.id and (lead.due_at is None or lead.due_at <= round_.now)
    campaign = round_.campaigns[lead.campaign_id]
    if not campaign.enable_ai_esp_matching or (lead.provider == mailbox.provider and mailbox.provider.is_known):
        return True
    case = round_.case(campaign.id, lead=lead, mailbox=mailbox)
    return is_last and gates.mailbox_is_of_the_leads_provider(case) is None


async def _list_due(db: Db, round_: Round, queues: Queues, pairs: Sequence[Pair]) -> None:
    """Find out who is next for each mailbox in each campaign. Of many mailboxes those idle longest; the rest wait."""
    free = [pair for pair in pairs if pair.mailbox_id in round_.mailboxes]
    each = queues.depth + (_SPARE if any(round_.passes_many_over(pair.campaign_id) for pair in free) else 0)
    rows = await store.list_due_follow_ups(db, free, round_.span.until, each=each) if free else []
    mailbox_ids = {row.mailbox_id for row in rows}
    if len(mailbox_ids) > MOST_MAILS:
        due = rotation.idle_longest_first(round_.mailboxes[mailbox_id] for mailbox_id in mailbox_ids)
        for mailbox in due[MOST_MAILS:]:
            del round_.mailboxes[mailbox.id]
    found: dict[tuple[int, int], list[Due]] = {}
    for row in rows:
        found.setdefault((row.campaign_id, row.mailbox_id), []).append(row)
    queues.unlisted -= {pair.key for pair in free}
    queues.unlisted |= {key for key, due_leads in found.items() if len(due_leads) == each}
    if queues.listed:
        found = {key: [row for row in due_leads if row.id not in queues.listed] for key, due_leads in found.items()}
    queues.due |= found
    queues.listed.update([row.id for row in rows])


async def _read_wanted(db: Db, round_: Round, queues: Queues) -> None:
    """Read the follow-ups whose turn it is; where those that were listed may not be mailed, those behind them."""
    wanted, queues.wanted = queues.wanted, set()
    while wanted:
        if unlisted := {key for key in wanted if not queues.due.get(key)}:
            queues.depth *= _MORE_FOLLOW_UPS
            await _list_due(db, round_, queues, [pair for pair in round_.ready if pair.key in unlisted])
        ids = [each.id for key in wanted for each in queues.due.pop(key, ())]
        for lead in await _list_candidates(db, round_, ids):
            if lead.mailbox_id is not None:
                queues.follow_ups.setdefault((lead.campaign_id, lead.mailbox_id), []).append(lead)
        wanted = {key for key in wanted if not queues.follow_ups.get(key) and key in queues.unlisted}


def _takers(round_: Round, queues: Queues) -> list[Pair]:
    """Which mailboxes may get a new lead of which campaign in this round."""
    served_at: dict[int, datetime] = {}
    for pair in round_.ready:
        if due := queues.due.get(pair.key):
            at = max(due[0].due_at, round_.opens_at[pair.key])
            served_at[pair.mailbox_id] = min(at, served_at.get(pair.mailbox_id, at))
    open_for_new = set(round_.open_for_new())
    return [
        pair
        for pair in round_.ready
        if pair.mailbox_id in round_.mailboxes
        and pair.campaign_id in open_for_new
        and (
            round_.opens_at[pair.key] < served_at.get(pair.mailbox_id, _END_OF_TIME)
            or not _serves_follow_ups_first(round_.campaigns[pair.campaign_id])
        )
    ]


def _serves_follow_ups_first(campaign: CampaignFacts) -> bool:
    """Whatever the counters say."""
    return campaign.follow_up_percentage == turns.ALL and campaign.parent_campaign_id is None


async def _lock_new_leads(db: Db, round_: Round, takers: Sequence[Pair]) -> dict[int, list[LeadFacts]]:
    """Return new leads in the order of their import, as many as could be needed."""
    wanted: Counter[int] = Counter()
    paired: Counter[tuple[int, Provider]] = Counter()
    for pair in takers:
        campaign = round_.campaigns[pair.campaign_id]
        paired.update((campaign.id, provider) for provider in _wanted_providers(campaign, round_, pair))
        if not campaign.is_pairing_strict:
            wanted[campaign.id] += 1
    ids = await store.lock_new_leads(db, _limited(round_, wanted), round_.now, mailbox_ids=round_.mailboxes)
    if paired:
        limited = {
            (campaign_id, provider): min(count, _most(round_, campaign_id)) + _spare(round_, campaign_id)
            for (campaign_id, provider), count in paired.items()
        }
        ids += await store.lock_leads_of_providers(db, limited, round_.now, mailbox_ids=round_.mailboxes)
        ids = sorted(set(ids))
    queues: dict[int, list[LeadFacts]] = {}
    for lead in await _list_candidates(db, round_, ids):
        queues.setdefault(lead.campaign_id, []).append(lead)
    return queues


def _wanted_providers(campaign: CampaignFacts, round_: Round, pair: Pair) -> list[Provider]:
    """Leads of which providers this mailbox could take, beside those that may go from any."""
    own = round_.mailboxes[pair.mailbox_id].provider
    if not campaign.enable_ai_esp_matching:
        return []
    if campaign.is_pairing_strict:
        return [provider for provider in Provider if provider == own or provider not in campaign.providers]
    return [own] if own.is_known else []


def _limited(round_: Round, wanted: Mapping[int, int]) -> dict[int, int]:
    return {
        campaign_id: min(count, _most(round_, campaign_id)) + _spare(round_, campaign_id)
        for campaign_id, count in wanted.items()
    }


def _most(round_: Round, campaign_id: int) -> int:
    return min(round_.new_leads_left(campaign_id), MOST_MAILS - len(round_.picks))


def _spare(round_: Round, campaign_id: int) -> int:
    return _SPARE if round_.passes_many_over(campaign_id) else 0


async def _count_reserved(db: Db, round_: Round, mailbox_ids: AbstractSet[int]) -> dict[int, int]:
    """Follow-ups that fall due before the last window of today closes keep their place."""
    closes_at = max(
        window.closes_at
        for campaign in round_.campaigns.values()
        if campaign.hours and (window := campaign.hours.window_at(round_.now))
    )
    pairs = [pair for pair in round_.pairs if pair.mailbox_id in mailbox_ids]
    most = max(round_.mailboxes[mailbox_id].max_email_per_day for mailbox_id in mailbox_ids)
    return await store.count_reserved(db, pairs, closes_at, at_most=most)


async def _list_in_order(db: Db, ids: Sequence[int]) -> list[LeadFacts]:
    if not ids:
        return []
    leads = {lead.id: lead for lead in await store.list_leads(db, ids)}
    return [leads[lead_id] for lead_id in ids if lead_id in leads]


async def _list_candidates(db: Db, round_: Round, ids: Sequence[int]) -> list[LeadFacts]:
    """The same, with what their companies have got just now."""
    leads = await _list_in_order(db, ids)
    companies = {(lead.campaign_id, lead.domain) for lead in leads if round_.recipients.concern(lead)}
    if new := companies - round_.recent_mails.keys():
        recent = await store.list_recent_mails(db, sorted(new), round_.span.now - recipients.LONGEST)
        for each in round_.picks:
            recent.get((each.lead.campaign_id, each.lead.domain), []).append(each.at)
        round_.recent_mails |= recent
    return leads
