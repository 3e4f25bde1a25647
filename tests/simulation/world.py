"""A random account: mailboxes, campaigns with their schedules, leads; and what is known of them without the database.

Everything is made by the same actions as the API uses. What invariants are checked against is kept here: the settings
in force, and who may not be mailed any more.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from outrider.campaigns import actions as campaigns
from outrider.campaigns import sequence, subsequences
from outrider.campaigns.models import Campaign, StatusVerb, StepDraft, StepType, VariantDistribution, VariantDraft
from outrider.campaigns.store import lock_campaign
from outrider.campaigns.wire_subsequences import SubsequenceCreate
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
    waits_for_return: bool = False
    parent_id: int | None = None
    stops_on_parent_reply: bool = False
    takes_silent: bool = False
    """Whoever is through with the parent and was not heard of."""


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
    origins: dict[int, int] = field(default_factory=dict)
    """In a subsequence: the lead in the parent."""
    known_mails: dict[int, list[str]] = field(default_factory=lambda: defaultdict(list))
    """The Message-IDs of a conversation, by the lead in the campaign in which it began."""
    lead_count: int = 0

    def origin(self, campaign_lead_id: int) -> int:
        return self.origins.get(campaign_lead_id, campaign_lead_id)

    def in_subsequences(self, campaign_lead_id: int) -> list[int]:
        return [each for each, origin in self.origins.items() if origin == campaign_lead_id]

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
        campaign_id = await add_campaign(db, world)
        for _ in range(story.random.choice((0, 0, 1, 2))):
            await add_subsequence(db, world, campaign_id)
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
    world.campaigns[made.id] = _facts(campaign, step_count, now)
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


async def add_subsequence(db: Db, world: World, parent_id: int) -> None:
    dice, now, parent = world.story.random, world.now, world.campaigns[parent_id]
    conditions = dice.sample(_CONDITIONS, dice.randint(1, 2))
    body = {
        "parent_campaign_id": parent_id,
        "conditionEvents": conditions,
        "delayForNewLeads": dice.choice((0, 0, 2)),
        "stopLeadOnParentCampaignReply": world.story.happens(0.5),
    }
    draft = SubsequenceCreate.model_validate(body).draft(None)
    made = await subsequences.create(db, world.user_id, draft, scope=None, now=now)
    drafts = [random_step(dice, number) for number in range(1, dice.randint(1, 2) + 1)]
    drafts[0] = replace(drafts[0], subject=dice.choice(("", "", "Another thought")), variants=())
    await sequence.save(db, world.user_id, made.id, drafts, client_id=None, now=now)
    await campaigns.change_status(db, world.user_id, made.id, StatusVerb.START, client_id=None, now=now)
    facts = _facts(made, len(drafts), now)
    facts.parent_id = parent.id
    facts.stops_on_parent_reply = draft.stops_on_parent_reply
    facts.takes_silent = {"eventType": "NO_REPLY"} in conditions
    world.campaigns[made.id] = facts
    world.story.tell(
        now, f"subsequence {made.id} of campaign {parent_id}: {conditions}, {len(drafts)} steps, {body=!r}"
    )


def _facts(campaign: Campaign, step_count: int, now: datetime) -> CampaignFacts:
    out_of_office = campaign.out_of_office_detection_settings
    assert campaign.timezone is not None
    assert campaign.days is not None
    assert campaign.start_hour is not None
    assert campaign.end_hour is not None
    return CampaignFacts(
        id=campaign.id,
        zone=campaign.timezone,
        days=campaign.days,
        start_hour=campaign.start_hour,
        end_hour=campaign.end_hour,
        step_count=step_count,
        stop_rule=campaign.stop_lead_settings,
        gaps=[(now, campaign.min_time_between_emails)],
        new_caps=[(now, campaign.max_new_leads_per_day)],
        ignores_out_of_office=bool(out_of_office["ignoreOOOasReply"]),
        waits_for_return=bool(out_of_office["autoReactivateOOO"]),
    )


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
        SELECT cl.id, cl.campaign_id, cl.lead_id, l.email, cl.parent_campaign_lead_id
        FROM campaign_leads AS cl JOIN leads AS l ON l.id = cl.lead_id
        ORDER BY cl.id
        """,
    )
    for row in rows:
        if row["parent_campaign_lead_id"] and row["id"] not in world.origins:
            _learn_move(world, row["id"], row["parent_campaign_lead_id"], f"{row['email']} enters {row['campaign_id']}")
    world.leads = {row["id"]: (row["campaign_id"], row["lead_id"], row["email"]) for row in rows}


def _learn_move(world: World, campaign_lead_id: int, origin: int, text: str) -> None:
    """What began before gets no more mail."""
    for left in (origin, *world.in_subsequences(origin)):
        world.barred_leads[left] = "has gone on to a subsequence"
    world.origins[campaign_lead_id] = origin
    world.story.tell(world.now, text)


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
        "out_of_office_detection_settings": dice.choice(
            ({"ignoreOOOasReply": True}, {"ignoreOOOasReply": False}, {"autoReactivateOOO": True})
        ),
        "ai_categorisation_options": dice.choice(([], ["1", "3"])),
    }


_CONDITIONS: list[dict[str, Any]] = [
    {"eventType": "REPLY_AN_EMAIL"},
    {"eventType": "REPLY_AN_EMAIL", "excludedText": "call"},
    {"eventType": "LEAD_CATEGORY_UPDATED", "categoryId": 1},
    {"eventType": "OPEN_AN_EMAIL"},
    {"eventType": "CLICK_ON_A_LINK", "text": "/1"},
    {"eventType": "NO_REPLY"},
    {"eventType": "NO_REPLY", "days": 2},
    {"eventType": "NO_OPEN", "seqNumber": 1, "days": 3},
    {"eventType": "OUT_OF_OFFICE_OVER"},
]


DAY = timedelta(days=1)
