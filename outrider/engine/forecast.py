"""What a campaign will send if nobody answers: the real engine on a scratch copy, on a clock that jumps.

Every mail as it will go: when, to whom, which step, from which mailbox; and for each day what kept it from being more.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import uuid4

from outrider.campaigns import actions as campaigns
from outrider.campaigns.models import Campaign, CampaignStatus, StatusVerb
from outrider.campaigns.store import load_campaign
from outrider.engine import gates, recovery, store
from outrider.engine.gates import Case, Hold
from outrider.engine.recipients import RecipientLimits
from outrider.engine.record import Result
from outrider.engine.rehearsal import Rehearsal
from outrider.engine.rounds import Round, Span, load_campaigns
from outrider.engine.schedule import Schedule, Window
from outrider.engine.scratch import Scratch, scratch_copy
from outrider.engine.survey import explain
from outrider.kit.clock import StandingClock
from outrider.kit.crypto import Vault
from outrider.kit.db import Database, Db
from outrider.mail.smtp import Accepted, Outcome
from outrider.mailboxes import state
from outrider.mailboxes.store import update_daily_caps

_LONGEST = timedelta(days=366)
_TURNS_BETWEEN_SETTLING = 20
_TAKEN: Outcome = Accepted(250, None, "foreseen")
_NOTHING_LEFT = Hold("NOTHING_DUE", "Everything that was due had been sent.")
_PACE = Hold("GAP", "Each mailbox pauses between two mails. A shorter pause or more mailboxes would send more.")
_PASSING = ("GAP", "IN_FLIGHT")
_NO_SENDER = Hold("NO_MAILBOX", "No mailbox of the campaign can send. Reconnect one, or attach others.")


@dataclass(frozen=True, slots=True)
class WhatIf:
    """Changes to try out; None: as it is. `mailbox_ids`: exactly these, instead of those of the campaign."""

    max_email_per_day: int | None = None
    max_new_leads_per_day: int | None = None
    min_time_between_emails: int | None = None
    mailbox_ids: tuple[int, ...] | None = None


_AS_IT_IS = WhatIf()


@dataclass(frozen=True, slots=True)
class ForeseenMail:
    """A mail of the campaign; `day` is the campaign's local date."""

    at: datetime
    day: date
    campaign_lead_id: int
    email: str
    step_number: int
    variant_id: int | None
    mailbox_id: int


@dataclass(frozen=True, slots=True)
class Forecast:
    """All mails of the campaign (as it is, not as it was foreseen) in order, from `since` on.

    `completed_at` None: it does not come to its end within a year, or something stands in its way. `left`: how many
    leads get no more mail, by reason. `binds`: what kept each day from having more mails. `senders`: addresses of the
    mailboxes.
    """

    campaign: Campaign
    since: datetime
    mails: Sequence[ForeseenMail]
    completed_at: datetime | None
    binds: Mapping[date, Hold]
    left: Mapping[tuple[str, str], int]
    senders: Mapping[int, str]

    def binds_most(self) -> Hold | None:
        """What limits the campaign on most days; that nothing was left to send only if nothing else does."""
        days = Counter(self.binds.values())
        limits = [hold for hold, _ in days.most_common() if hold != _NOTHING_LEFT]
        return next(iter([*limits, *days]), None)


async def forecast(
    database: Database,
    vault: Vault,
    user_id: int,
    campaign_id: int,
    *,
    client_id: int | None,
    now: datetime,
    tracking_url: str,
    recipients: RecipientLimits,
    what_if: WhatIf = _AS_IT_IS,
) -> Forecast:
    """Foresee the campaign to its end; one that is not ACTIVE as if it were started now.

    Raises what starting it would raise, and MailboxNotAllowed.
    """
    async with database.transaction() as db:
        campaign = await load_campaign(db, user_id, campaign_id, client_id=client_id)
    tried = what_if.mailbox_ids or ()
    async with scratch_copy(database, user_id, campaign_id, now, mailbox_ids=tried) as scratch:
        await _prepare(scratch.db, user_id, campaign_id, what_if, client_id=client_id, now=now)
        rehearsal = Rehearsal(
            scratch,
            StandingClock(now),
            vault,
            engine_id=uuid4(),
            tracking_url=tracking_url,
            recipients=recipients,
            submit=lambda _mail: _TAKEN,
        )
        await _lease(scratch.db, rehearsal)
        # Leads of one company wait for each other: then every moment is looked at by itself.
        has_colleagues = any(map(recipients.concern_domain, await store.list_shared_domains(scratch.db)))
        return await _Foreseeing(scratch, rehearsal, campaign, in_stretches=not has_colleagues).run()


async def _prepare(
    db: Db, user_id: int, campaign_id: int, what_if: WhatIf, *, client_id: int | None, now: datetime
) -> None:
    """The changes that are tried out, then the start: by the same actions as people do it."""
    if what_if.mailbox_ids is not None:
        await _replace_mailboxes(db, user_id, campaign_id, what_if.mailbox_ids, client_id=client_id, now=now)
    pace = {
        "max_new_leads_per_day": what_if.max_new_leads_per_day,
        "min_time_between_emails": what_if.min_time_between_emails,
    }
    changes = {name: value for name, value in pace.items() if value is not None}
    if changes:
        await campaigns.change_schedule(db, user_id, campaign_id, changes, client_id=client_id, now=now)
    if what_if.max_email_per_day is not None:
        attached = await store.list_attached_ids(db, user_id, campaign_id)
        await update_daily_caps(db, user_id, attached, what_if.max_email_per_day, now=now)
    await campaigns.change_status(db, user_id, campaign_id, StatusVerb.START, client_id=client_id, now=now)


async def _replace_mailboxes(
    db: Db, user_id: int, campaign_id: int, wanted: Sequence[int], *, client_id: int | None, now: datetime
) -> None:
    await campaigns.add_mailboxes(
        db, user_id, campaign_id, wanted, auto_adjust_warmup=False, client_id=client_id, now=now
    )
    gone = sorted(set(await store.list_attached_ids(db, user_id, campaign_id)) - set(wanted))
    if gone:
        await campaigns.remove_mailboxes(db, user_id, campaign_id, gone, reallocate=True, client_id=client_id, now=now)


async def _lease(db: Db, rehearsal: Rehearsal) -> None:
    """Lease all to this engine; what the others are handing over at this moment counts as sent."""
    now = rehearsal.clock.now()
    await state.register_engine(db, rehearsal.engine_id, 0, now)
    mailbox_count, _ = await state.count_shares(db)
    await state.claim_leases(db, rehearsal.engine_id, now, at_most=mailbox_count)
    await recovery.recover(db, rehearsal.engine_id, now)


class _Foreseeing:
    def __init__(self, scratch: Scratch, rehearsal: Rehearsal, campaign: Campaign, *, in_stretches: bool) -> None:
        self._in_stretches = in_stretches
        self._scratch = scratch
        self._db = scratch.db
        self._rehearsal = rehearsal
        self._campaign = campaign
        self._user_id = campaign.user_id
        self._campaign_id = campaign.id
        self._mails: list[ForeseenMail] = []
        self._binds: dict[date, Hold] = {}
        self._schedule: Schedule | None = None

    async def run(self) -> Forecast:
        clock = self._rehearsal.clock
        since = clock.now()
        span: Span | None = Span.at(since)
        is_complete, turns = False, 0
        while span and span.now <= since + _LONGEST and not is_complete:
            await self._note_end_of_day(span.now, is_complete=False)
            clock.move_to(span.now)
            results = await self._rehearsal.turn(span)
            is_complete = await self._note(results)
            clock.move_to(span.until)  # the turn was about all the time until then
            span = await self._rehearsal.next_span(is_stretch=self._in_stretches)
            turns += 1
            if turns % _TURNS_BETWEEN_SETTLING == 0:
                await self._scratch.settle()
        is_complete = is_complete or await self._is_complete()
        await self._note_end_of_day(since + _LONGEST, is_complete=is_complete)
        left = [] if is_complete else await explain(self._db, self._user_id, self._campaign_id, clock.now())
        senders = await store.list_mailboxes(self._db, list({mail.mailbox_id for mail in self._mails}))
        return Forecast(
            campaign=self._campaign,
            since=since,
            mails=self._mails,
            completed_at=(self._mails[-1].at if self._mails else since) if is_complete else None,
            binds=self._binds,
            left=Counter((each.code, each.text) for each in left),
            senders={box.id: box.from_email for box in senders},
        )

    async def _note(self, results: Sequence[Result]) -> bool:
        """Keep the mails of our campaign; returns whether it has come to its end.

        That of a subsequence is known only when nothing happens any more: its parent may send it others.
        """
        ours = [result for result in results if result.attempt.campaign.id == self._campaign_id]
        ours.sort(key=lambda result: result.at)
        self._mails += map(_foreseen, ours)
        if self._campaign.parent_campaign_id is not None or (
            results and all(result.attempt.following for result in ours)
        ):
            return False
        return await self._is_complete()

    async def _is_complete(self) -> bool:
        campaign = await load_campaign(self._db, self._user_id, self._campaign_id, client_id=None)
        return campaign.status is CampaignStatus.COMPLETED

    async def _note_end_of_day(self, moment: datetime, *, is_complete: bool) -> None:
        """Before the clock moves to a later day: why did this one not have more?"""
        day = self._mails[-1].day if self._mails else None
        if day is None or day in self._binds:
            return
        if is_complete:
            self._binds[day] = _NOTHING_LEFT
            return
        if self._schedule and self._schedule.local_day(moment) <= day:
            return
        round_ = await load_campaigns(self._db, [self._campaign_id], self._rehearsal.clock.now())
        self._schedule = round_.campaigns[self._campaign_id].schedule
        if self._schedule and self._schedule.local_day(moment) > day:
            self._binds[day] = await self._what_binds(round_, self._schedule.window_on(day))

    async def _what_binds(self, round_: Round, window: Window | None) -> Hold:
        engine_id, now = self._rehearsal.engine_id, round_.now
        boxes = {box.id: box for box in await store.list_leased_mailboxes(self._db, engine_id, now)}
        pairs = await store.list_pairs(self._db, list(boxes))
        pairs = [pair for pair in pairs if pair.campaign_id == self._campaign_id]
        waits = await store.list_waits(self._db, pairs, now)
        late = [wait for wait in waits if window and wait.at < window.closes_at]
        if not late:
            return _NOTHING_LEFT
        cap = gates.first_hold(round_.case(self._campaign_id, is_first_mail=True))
        if cap and cap.code == "NEW_LEAD_CAP" and all(wait.mailbox_id is None for wait in late):
            return Hold(cap.code, cap.text)
        holds = [gates.first_hold(Case(now=now, mailbox=boxes[pair.mailbox_id])) for pair in pairs]
        lasting = [(hold.code, hold.text) for hold in holds if hold and hold.code not in _PASSING]
        if len(lasting) < len(holds):
            return _PACE
        return Hold(*Counter(lasting).most_common(1)[0][0]) if lasting else _NO_SENDER


def _foreseen(result: Result) -> ForeseenMail:
    attempt = result.attempt
    return ForeseenMail(
        at=result.at,
        day=attempt.day,
        campaign_lead_id=attempt.lead.id,
        email=attempt.lead.email,
        step_number=attempt.step.number,
        variant_id=attempt.variant.id if attempt.variant else None,
        mailbox_id=attempt.mailbox_id,
    )
