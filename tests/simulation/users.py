"""What the people of the account do in mid-flight: pause, resume, edit, block, delete."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

from outrider.campaigns import actions as campaigns
from outrider.campaigns import sequence
from outrider.campaigns.models import NoMailboxes, StatusVerb
from outrider.campaigns.steps import list_steps
from outrider.kit.db import Database, Db, fetch_value
from outrider.kit.errors import Problem
from outrider.leads import actions as leads
from outrider.leads.blocks import actions as blocks
from outrider.leads.subsequences import push
from outrider.mailboxes import actions as mailboxes
from outrider.mailboxes.store import update_daily_caps
from tests.simulation.story import Story
from tests.simulation.world import World, add_leads, learn_leads, random_schedule, random_step


class Users:
    def __init__(self, story: Story, world: World, database: Database) -> None:
        self._story = story
        self._world = world
        self._database = database

    async def act(self) -> None:
        """One random change; what the product refuses is refused, and told."""
        await self._try(self._story.random.choice((*self._holding(), *self._pacing())))

    async def hold(self) -> None:
        """A change that a mail must heed which is claimed and not handed over yet."""
        await self._try(self._story.random.choice(self._holding()))

    async def rearrange(self) -> None:
        """Steps change places while leads are on their way through them."""
        await self._try(self._rearrange_a_sequence)

    async def _try(self, act: Callable[[Db], Awaitable[None]]) -> None:
        self._story.tell(self._world.now, f"somebody wants to {act.__name__.strip('_').replace('_', ' ')}")
        try:
            async with self._database.transaction() as db:
                await act(db)
        except Problem as problem:
            self._story.tell(self._world.now, f"refused: {problem}")
        else:
            async with self._database.transaction() as db:
                await learn_leads(db, self._world)

    def _holding(self) -> tuple[Callable[[Db], Awaitable[None]], ...]:
        return (
            self._pause_a_campaign,
            self._pause_a_lead,
            self._unsubscribe_a_lead,
            self._delete_a_lead,
            self._block_a_domain,
            self._remove_a_mailbox,
            self._suspend_a_mailbox,
            self._push_a_lead,
        )

    def _pacing(self) -> tuple[Callable[[Db], Awaitable[None]], ...]:
        """These act from the next planning on (product behaviour 1.10)."""
        return (
            self._start_the_campaigns,
            self._change_a_schedule,
            self._resume_a_lead,
            self._change_a_cap,
            self._add_leads,
            self._rearrange_a_sequence,
        )

    async def mend(self) -> None:
        """What a person would do at last, so that every story has an end: start, reconnect, unsuspend."""
        user_id, now = self._world.user_id, self._world.now
        async with self._database.transaction() as db:
            for mailbox_id, box in self._world.mailboxes.items():
                await mailboxes.record_smtp_success(db, user_id, mailbox_id, now=now)
                await mailboxes.suspend(db, user_id, mailbox_id, is_suspended=False, scope=None, now=now)
                if box.caps[-1][1] == 0:
                    await self._set_cap(db, mailbox_id, 5)
        async with self._database.transaction() as db:
            await self._start_the_campaigns(db)

    def _any_campaign(self) -> int:
        return self._story.random.choice(sorted(self._world.campaigns))

    def _any_lead(self) -> tuple[int, int, int, str]:
        if not self._world.leads:
            raise Problem("Nobody is left.")
        campaign_lead_id = self._story.random.choice(sorted(self._world.leads))
        return campaign_lead_id, *self._world.leads[campaign_lead_id]

    def _any_mailbox(self) -> int:
        return self._story.random.choice(sorted(self._world.mailboxes))

    async def _pause_a_campaign(self, db: Db) -> None:
        campaign_id = self._any_campaign()
        await campaigns.change_status(
            db, self._world.user_id, campaign_id, StatusVerb.PAUSED, client_id=None, now=self._world.now
        )
        self._world.paused_campaigns.add(campaign_id)

    async def _start_the_campaigns(self, db: Db) -> None:
        for campaign_id in sorted(self._world.campaigns):
            await self._start(db, campaign_id)
        self._world.paused_campaigns.clear()

    async def _start(self, db: Db, campaign_id: int) -> None:
        user_id, now = self._world.user_id, self._world.now
        try:
            await campaigns.change_status(db, user_id, campaign_id, StatusVerb.START, client_id=None, now=now)
        except NoMailboxes:
            boxes = sorted(self._world.mailboxes)[:1]
            await campaigns.add_mailboxes(
                db, user_id, campaign_id, boxes, auto_adjust_warmup=False, client_id=None, now=now
            )
            await campaigns.change_status(db, user_id, campaign_id, StatusVerb.START, client_id=None, now=now)

    async def _change_a_schedule(self, db: Db) -> None:
        campaign_id, now = self._any_campaign(), self._world.now
        changes = random_schedule(self._story.random)
        await campaigns.change_schedule(db, self._world.user_id, campaign_id, changes, client_id=None, now=now)
        campaign = self._world.campaigns[campaign_id]
        campaign.zone, campaign.days = changes["timezone"], changes["days"]
        campaign.start_hour, campaign.end_hour = changes["start_hour"], changes["end_hour"]
        campaign.gaps.append((now, changes["min_time_between_emails"]))
        campaign.new_caps.append((now, changes["max_new_leads_per_day"]))
        self._story.tell(now, f"campaign {campaign_id} now: {changes}")

    async def _pause_a_lead(self, db: Db) -> None:
        campaign_lead_id, campaign_id, lead_id, address = self._any_lead()
        await leads.pause(db, self._world.user_id, campaign_id, lead_id, client_id=None, now=self._world.now)
        status = await fetch_value(db, "SELECT status FROM campaign_leads WHERE id = %(id)s", {"id": campaign_lead_id})
        if status == "PAUSED":  # one that is through stays so, and goes on when the sequence grows
            self._world.barred_leads.setdefault(campaign_lead_id, "is held by hand")
        self._story.tell(self._world.now, f"{address} is {status} in campaign {campaign_id}")

    async def _resume_a_lead(self, db: Db) -> None:
        campaign_lead_id, campaign_id, lead_id, address = self._any_lead()
        delay = self._story.random.choice((None, 0, 3))
        await leads.resume(
            db,
            self._world.user_id,
            campaign_id,
            lead_id,
            delay_days=delay,
            client_id=None,
            now=self._world.now,
        )
        self._world.barred_leads.pop(campaign_lead_id, None)
        self._story.tell(self._world.now, f"{address} is resumed in campaign {campaign_id} after {delay} days")

    async def _unsubscribe_a_lead(self, db: Db) -> None:
        _, _, lead_id, address = self._any_lead()
        await leads.unsubscribe(
            db,
            user_id=self._world.user_id,
            lead_id=lead_id,
            campaign_lead_id=None,
            message_id=None,
            now=self._world.now,
        )
        self._world.barred_addresses[address] = "was unsubscribed"
        self._story.tell(self._world.now, f"{address} is unsubscribed")

    async def _push_a_lead(self, db: Db) -> None:
        campaign_lead_id, campaign_id, _, address = self._any_lead()
        ids = [each.id for each in self._world.campaigns.values() if each.parent_id == campaign_id]
        if ids:
            chosen = self._story.random.choice(ids)
            await push(
                db,
                self._world.user_id,
                campaign_lead_id,
                chosen,
                delay_days=self._story.random.choice((None, 0, 1)),
                ends_on_parent_reply=False,
                client_id=None,
                now=self._world.now,
            )
            self._story.tell(self._world.now, f"{address} is pushed into subsequence {chosen}")

    async def _delete_a_lead(self, db: Db) -> None:
        campaign_lead_id, campaign_id, lead_id, address = self._any_lead()
        await leads.delete_from_campaign(
            db, self._world.user_id, campaign_id, lead_id, client_id=None, now=self._world.now
        )
        self._world.barred_leads[campaign_lead_id] = "was deleted"
        self._story.tell(self._world.now, f"{address} is deleted from campaign {campaign_id}")

    async def _block_a_domain(self, db: Db) -> None:
        _, _, _, address = self._any_lead()
        entry = self._story.random.choice((address, address.rpartition("@")[2]))
        await blocks.add(db, self._world.user_id, [entry], client_id=None, scope=None, now=self._world.now)
        self._world.barred_addresses[entry] = "is on the block list"
        self._story.tell(self._world.now, f"{entry} is blocked")

    async def _remove_a_mailbox(self, db: Db) -> None:
        campaign_id, mailbox_id = self._any_campaign(), self._any_mailbox()
        reallocate = self._story.happens(0.5)
        await campaigns.remove_mailboxes(
            db,
            self._world.user_id,
            campaign_id,
            [mailbox_id],
            reallocate=reallocate,
            client_id=None,
            now=self._world.now,
        )
        self._world.reallocated.update(self._world.leads)
        self._story.tell(self._world.now, f"mailbox {mailbox_id} leaves campaign {campaign_id}, {reallocate=}")

    async def _suspend_a_mailbox(self, db: Db) -> None:
        mailbox_id, is_suspended = self._any_mailbox(), self._story.happens(0.3)
        await mailboxes.suspend(
            db, self._world.user_id, mailbox_id, is_suspended=is_suspended, scope=None, now=self._world.now
        )
        self._story.tell(self._world.now, f"mailbox {mailbox_id}: {is_suspended=}")

    async def _change_a_cap(self, db: Db) -> None:
        mailbox_id, cap = self._any_mailbox(), self._story.random.choice((0, 2, 10))
        await self._set_cap(db, mailbox_id, cap)
        self._story.tell(self._world.now, f"mailbox {mailbox_id} may send {cap} a day")

    async def _set_cap(self, db: Db, mailbox_id: int, cap: int) -> None:
        await update_daily_caps(db, self._world.user_id, [mailbox_id], cap, now=self._world.now)
        self._world.mailboxes[mailbox_id].caps.append((self._world.now, cap))

    async def _rearrange_a_sequence(self, db: Db) -> None:
        """Steps change places, one may be taken out, another added: nobody gets one twice."""
        dice, campaign_id, user_id = self._story.random, self._any_campaign(), self._world.user_id
        kept = [
            replace(random_step(dice, step.number), id=step.id) for step in await list_steps(db, user_id, campaign_id)
        ]
        dice.shuffle(kept)
        if self._story.happens(0.3):
            kept = kept[1:]
        if not kept or self._story.happens(0.3):
            kept.append(random_step(dice, len(kept) + 1))
        await sequence.save(db, user_id, campaign_id, kept, client_id=None, now=self._world.now)
        self._story.tell(self._world.now, f"campaign {campaign_id} has the steps {[draft.id for draft in kept]} now")

    async def _add_leads(self, db: Db) -> None:
        await add_leads(db, self._world, self._any_campaign(), self._story.random.randint(1, 3))
