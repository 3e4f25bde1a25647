"""A random account: mailboxes, campaigns with their schedules, leads; and what is known of them without the database.

Everything is made by the same actions as the API uses. What invariants are checked against is kept here: the settings
in force, and who may not be mailed any more.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from outrider.campaigns import actions as campaigns
from outrider.campaigns import sequence
from outrider.campaigns.models import StatusVerb, StepDraft, StepType, VariantDistribution, VariantDraft
from outrider.campaigns.store import lock_campaign
from outrider.kit.db import Db, fetch_dicts
from outrider.leads import addition
from outrider.leads.judging import NewLead, Rules
from tests.simulation.story import Story
from tests.support import make
from tests.support.client import fresh_account

ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/St_Johns",
    "Asia/Kolkata",
    "Australia/Sydney",
    "Australia/Lord_Howe",
    "Pacific/Auckland",
)
_DAYS_BEFORE_CHANGES_OF_THE_CLOCK = ((3, 6), (3, 27), (4, 3), (9, 25), (10, 2), (10, 23), (10, 30))
_COMPANIES = ("hexly.example", "quay.example", "brightfold.example", "gmail.com")


@dataclass
class MailboxFacts:
    id: int
    address: str
    caps: list[tuple[datetime, int]]
    gaps: list[tuple[datetime, int]]


@dataclass
class CampaignFacts:
    id: int
    zone: str
    days: list[int]
    start_hour: str
    end_hour: str
    step_count: int
    stop_rule: str
    gaps: list[tuple[datetime, int]]
    new_caps: list[tuple[datetime, int]]
    ignores_out_of_office: bool = False


@dataclass
class World:
    """`barred_*`: who may not be mailed from now on: leads of campaigns, and addresses or domains of the account."""

    story: Story
    user_id: int
    now: datetime
    mailboxes: dict[int, MailboxFacts] = field(default_factory=dict)
    campaigns: dict[int, CampaignFacts] = field(default_factory=dict)
    leads: dict[int, tuple[int, int, str]] = field(default_factory=dict)
    """Campaign lead → campaign, lead, address."""
    barred_leads: dict[int, str] = field(default_factory=dict)
    barred_addresses: dict[str, str] = field(default_factory=dict)
    paused_campaigns: set[int] = field(default_factory=set)
    reallocated: set[int] = field(default_factory=set)
    lead_count: int = 0

    def why_barred(self, campaign_lead_id: int, address: str) -> str | None:
        domain = address.rpartition("@")[2]
        if self.leads[campaign_lead_id][0] in self.paused_campaigns:
            return "its campaign is paused"
        return (
            self.barred_leads.get(campaign_lead_id)
            or self.barred_addresses.get(address)
            or self.barred_addresses.get(domain)
        )


def in_force(values: Sequence[tuple[datetime, int]], since: datetime) -> list[int]:
    """What was in force at any moment from `since` on."""
    before = [value for at, value in values if at <= since]
    return before[-1:] + [value for at, value in values if at > since]


def first_day(story: Story) -> datetime:
    dice = story.random
    if story.happens(0.4):
        month, day = dice.choice(_DAYS_BEFORE_CHANGES_OF_THE_CLOCK)
    else:
        month, day = dice.randint(1, 12), dice.randint(1, 28)
    return datetime(2026, month, day, dice.randint(0, 23), dice.randint(0, 59), dice.randint(1, 59), tzinfo=UTC)


async def build(db: Db, story: Story) -> World:
    now = first_day(story)
    world = World(story, await fresh_account(db, now), now)
    for _ in range(story.random.randint(1, 3)):
        await add_mailbox(db, world)
    for _ in range(story.random.choice((1, 1, 2))):
        await add_campaign(db, world)
    return world


async def add_mailbox(db: Db, world: World) -> int:
    dice = world.story.random
    cap, gap = dice.choice((1, 3, 6, 50, 50)), dice.choice((None, None, 1, 30))
    address = f"box{len(world.mailboxes) + 1}@ours{dice.randint(1, 2)}.example"
    mailbox_id = await make.mailbox(
        db, world.user_id, from_email=address, max_email_per_day=cap, time_to_wait_minutes=gap, now=world.now
    )
    world.mailboxes[mailbox_id] = MailboxFacts(mailbox_id, address, [(world.now, cap)], [(world.now, gap or 0)])
    world.story.tell(world.now, f"mailbox {address} is connected, {cap} a day, gap {gap}")
    return mailbox_id


async def add_campaign(db: Db, world: World) -> int:
    dice, now = world.story.random, world.now
    made = await campaigns.create(
        db, world.user_id, "Simulated", client_id=None, scope=None, settings=_settings(dice), now=now
    )
    schedule = random_schedule(dice)
    await campaigns.change_schedule(db, world.user_id, made.id, schedule, client_id=None, now=now)
    step_count = dice.randint(1, 3)
    drafts = [random_step(dice, number) for number in range(1, step_count + 1)]
    await sequence.save(db, world.user_id, made.id, drafts, client_id=None, now=now)
    boxes = dice.sample(sorted(world.mailboxes), dice.randint(1, len(world.mailboxes)))
    await campaigns.add_mailboxes(db, world.user_id, made.id, boxes, auto_adjust_warmup=False, client_id=None, now=now)
    campaign = await lock_campaign(db, world.user_id, made.id, client_id=None)
    world.campaigns[made.id] = CampaignFacts(
        id=made.id,
        zone=schedule["timezone"],
        days=schedule["days"],
        start_hour=schedule["start_hour"],
        end_hour=schedule["end_hour"],
        step_count=step_count,
        stop_rule=campaign.stop_lead_settings,
        gaps=[(now, schedule["min_time_between_emails"])],
        new_caps=[(now, schedule["max_new_leads_per_day"])],
        ignores_out_of_office=bool(campaign.out_of_office_detection_settings["ignoreOOOasReply"]),
    )
    world.story.tell(
        now,
        f"campaign {made.id}: {schedule['timezone']} {schedule['days']} {schedule['start_hour']}-"
        f"{schedule['end_hour']}, gap {schedule['min_time_between_emails']}, "
        f"{schedule['max_new_leads_per_day']} new a day, {step_count} steps after "
        f"{[draft.delay_days for draft in drafts]} days, mailboxes {boxes}, stops on {campaign.stop_lead_settings}",
    )
    await add_leads(db, world, made.id, dice.randint(2, 7))
    await campaigns.change_status(db, world.user_id, made.id, StatusVerb.START, client_id=None, now=now)
    return made.id


async def add_leads(db: Db, world: World, campaign_id: int, count: int) -> None:
    """Some of them people who are in another campaign already."""
    dice = world.story.random
    rows = []
    known = sorted({address for _, _, address in world.leads.values()})
    for _ in range(count):
        if known and world.story.happens(0.2):
            address = dice.choice(known)
        else:
            world.lead_count += 1
            address = f"lead{world.lead_count}@{dice.choice(_COMPANIES)}"
        rows.append(NewLead(address, {"first_name": dice.choice(("Ada", "Bo"))}, {}))
    campaign = await lock_campaign(db, world.user_id, campaign_id, client_id=None)
    await addition.add(db, campaign, rows, Rules(), now=world.now)
    await learn_leads(db, world)
    world.story.tell(world.now, f"campaign {campaign_id} gets {', '.join(row.email for row in rows)}")


async def learn_leads(db: Db, world: World) -> None:
    rows = await fetch_dicts(
        db,
        """
        SELECT cl.id, cl.campaign_id, cl.lead_id, l.email, cl.status, cl.hold_reason
        FROM campaign_leads AS cl JOIN leads AS l ON l.id = cl.lead_id
        """,
    )
    world.leads = {row["id"]: (row["campaign_id"], row["lead_id"], row["email"]) for row in rows}


def random_schedule(dice: Any) -> dict[str, Any]:
    start = dice.randint(0, 20)
    return {
        "timezone": dice.choice(ZONES),
        "days": sorted(dice.sample(range(7), dice.randint(2, 7))),
        "start_hour": f"{start:02}:{dice.choice((0, 30)):02}",
        "end_hour": f"{dice.randint(start + 1, 23):02}:{dice.choice((0, 59)):02}",
        "min_time_between_emails": dice.choice((1, 10, 20, 60)),
        "max_new_leads_per_day": dice.choice((1, 3, 100)),
    }


def random_step(dice: Any, number: int) -> StepDraft:
    variants: tuple[VariantDraft, ...] = ()
    distribution = VariantDistribution.MANUAL_EQUAL
    subject = "Port fees" if number == 1 else dice.choice(("", "", "Another thought"))
    body = f"Hello {{{{first_name}}}}, {{one|another}} word number {number}. <a href='https://a.example/{number}'>x</a>"
    if dice.random() < 0.3:
        distribution = dice.choice((VariantDistribution.MANUAL_EQUAL, VariantDistribution.MANUAL_PERCENTAGE))
        variants = tuple(
            VariantDraft(None, label, subject, f"{label}: {body}", None, Decimal(share))
            for label, share in (("A", 70), ("B", 30))
        )
    return StepDraft(
        id=None,
        type=StepType.EMAIL,
        delay_days=0 if number == 1 else dice.choice((0, 1, 2, 3)),
        subject=subject,
        email_body=body,
        variant_distribution_type=distribution,
        winning_metric_property=None,
        lead_distribution_percentage=None,
        variants=variants,
    )


def _settings(dice: Any) -> dict[str, Any]:
    return {
        "stop_lead_settings": dice.choice(
            ("REPLY_TO_AN_EMAIL", "REPLY_TO_AN_EMAIL", "OPEN_AN_EMAIL", "CLICK_ON_A_LINK", "NEVER")
        ),
        "follow_up_percentage": dice.choice((0, 40, 100, 100)),
        "add_unsubscribe_tag": True,
        "out_of_office_detection_settings": {"ignoreOOOasReply": dice.random() < 0.5},
    }


DAY = timedelta(days=1)
