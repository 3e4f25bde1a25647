"""Subsequences: what brings a lead into one, where it stands then, and what ends it there (product behaviour 7)."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from psycopg.errors import UniqueViolation
from psycopg.types.json import Jsonb

from outrider.campaigns import actions as campaigns
from outrider.campaigns import subsequences as creation
from outrider.campaigns.models import CampaignStatusChanged, StatusVerb
from outrider.campaigns.wire_subsequences import SubsequenceCreate
from outrider.engine import subsequences, threads
from outrider.engine.survey import tend
from outrider.kit.db import execute, fetch_dicts
from outrider.leads import actions as leads
from outrider.leads import progress, reallocation
from outrider.leads.models import InSubsequence
from outrider.leads.subsequences import push
from outrider.tracking import actions as tracking
from outrider.tracking import store as hits
from outrider.tracking.models import HitKind, Visit
from outrider.tracking.rules import load_rules
from tests.engine.test_intake import Desk
from tests.support.events import hearing
from tests.support.world import World

ALL = [1, 2, 3, 4, 5, 6, 7, 8, 9]
BROWSER = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0 Safari/537.36"
DAY = timedelta(days=1)
AWAY = {"Subject": "Automatic reply: Port fees", "Auto_Submitted": "auto-replied", "text": "I am out of office.\n"}
SCANNER = "curl/8.5.0"

Condition = dict[str, Any]


def on(event: str, **more: Any) -> Condition:
    return {"eventType": event, **more}


class Stage(Desk):
    """A lead who has got the first mail of two, and the subsequences of its campaign."""

    async def subsequence(self, *conditions: Condition, is_started: bool = True, steps: int = 1, **body: Any) -> int:
        """ACTIVE unless told; its first step goes on with the conversation."""
        given = {
            "parent_campaign_id": self.campaign_id,
            "conditionEvents": list(conditions),
            "sequences": [
                {
                    "seq_number": number,
                    "seq_delay_details": {"delay_in_days": number - 1},
                    "email_body": f"No. {number}",
                }
                for number in range(1, steps + 1)
            ],
            **body,
        }
        draft = SubsequenceCreate.model_validate(given).draft(None)
        made = await creation.create(self.db, self.world.user_id, draft, scope=None, now=self.world.now)
        if is_started:
            await self.ask(made.id, StatusVerb.START)
        return made.id

    async def ask(self, campaign_id: int, verb: StatusVerb) -> None:
        await campaigns.change_status(
            self.db, self.world.user_id, campaign_id, verb, client_id=None, now=self.world.now
        )

    async def answer(self, text: str = "Tell me more.", **changes: str | None) -> None:
        number = len(await self.received()) + 1
        changes = {"Message_ID": f"<answer-{number}@hexly.example>", "Date": None, **changes}
        await self.take_in(self.letter(**{"text": f"{text}\n", **changes}))

    async def visit(self, link: str | None = None, *, mail_id: int | None = None, agent: str = BROWSER) -> None:
        kind = HitKind.CLICK if link else HitKind.OPEN
        await self.world.change("messages", mail_id or self.mail["id"], sent_at=self.world.now - timedelta(hours=1))
        visit = Visit(mail_id or self.mail["id"], kind, link, "GET", "91.65.20.7", agent, None, self.world.now)
        await hits.insert_visits(self.db, [visit])
        await tracking.judge_waiting(self.db, load_rules(), self.world.now + timedelta(seconds=30))
        self.world.later(minutes=5)

    async def choose_category(self, category_id: int) -> None:
        await leads.set_category(
            self.db,
            user_id=self.world.user_id,
            campaign_lead_id=self.mail["campaign_lead_id"],
            category_id=category_id,
            by_hand=True,
            now=self.world.now,
        )

    async def finish(self) -> None:
        """The first mail was the last: COMPLETED, as if it had gone out just now."""
        await progress.complete(self.db, [self.mail["campaign_lead_id"]], self.world.now)
        await self.world.change("messages", self.mail["id"], sent_at=self.world.now)

    async def wait(self, **span: float) -> None:
        self.world.later(**span)
        await subsequences.tend(self.db, self.world.now)

    async def push(self, subsequence_id: int, **given: Any) -> None:
        await push(
            self.db,
            self.world.user_id,
            self.mail["campaign_lead_id"],
            subsequence_id,
            **{"delay_days": None, "ends_on_parent_reply": False, "client_id": None, "now": self.world.now, **given},
        )

    async def children(self) -> list[dict[str, Any]]:
        return await fetch_dicts(
            self.db, "SELECT * FROM campaign_leads WHERE parent_campaign_lead_id IS NOT NULL ORDER BY id"
        )

    async def entered(self) -> list[int]:
        return [child["campaign_id"] for child in await self.children()]

    async def state(self) -> tuple[str, str | None]:
        lead = await self.lead()
        return lead["status"], lead["hold_reason"]


@pytest.fixture
async def stage(world: World) -> Stage:
    return await Stage.open(world, ai_categorisation_options=ALL)


async def happen(stage: Stage, what: str, details: dict[str, Any]) -> None:
    match what:
        case "answer":
            await stage.answer(**details)
        case "open":
            for _ in range(details.get("times", 1)):
                await stage.visit()
        case "scan":
            await stage.visit(agent=SCANNER)
        case "click":
            await stage.visit(details.get("link", "https://a.example/prices"))
        case "category":
            await stage.choose_category(details["id"])
        case "finish":
            await stage.finish()
            await stage.wait(**details)
        case "silence":
            await stage.wait(**details)


@pytest.mark.parametrize(
    ("condition", "what", "details", "enters"),
    [
        (on("REPLY_AN_EMAIL"), "answer", {}, True),
        (on("REPLY_TO_AN_EMAIL", text="PRICE"), "answer", {"text": "What is the  price?"}, True),
        (on("REPLY_AN_EMAIL", text="price list"), "answer", {"text": "Send me the price\nlist"}, True),
        (on("REPLY_AN_EMAIL", text="price"), "answer", {"text": "Tell me more"}, False),
        # what he quotes is not what he says
        (
            on("REPLY_AN_EMAIL", text="price"),
            "answer",
            {"text": "Hm.\n\nOn Mon, 2 Mar 2026 at 09:00, Nora <nora@x.example> wrote:\n> Our price?"},
            False,
        ),
        (on("REPLY_AN_EMAIL", excludedText="not"), "answer", {"text": "Tell me more"}, True),
        (on("REPLY_AN_EMAIL", excludedText="later"), "answer", {"text": "Perhaps later"}, False),
        (on("REPLY_AN_EMAIL", text="price", excludedText="no"), "answer", {"text": "No price please"}, False),
        (on("REPLY_AN_EMAIL", seqNumber=1), "answer", {}, True),
        (on("REPLY_AN_EMAIL", seqNumber=2), "answer", {}, False),
        (on("REPLY_AN_EMAIL"), "answer", AWAY, False),  # a program answers nothing
        (on("REPLY_AN_EMAIL"), "answer", {"text": "Please remove me from your list"}, False),
        (on("REPLY_AN_EMAIL"), "open", {}, False),
        (on("OPEN_AN_EMAIL"), "open", {}, True),
        (on("OPEN_AN_EMAIL"), "click", {}, True),  # whoever clicks has seen it
        (on("OPEN_AN_EMAIL"), "scan", {}, False),
        (on("OPEN_AN_EMAIL", count=3), "open", {"times": 2}, False),
        (on("OPEN_AN_EMAIL", count=3), "open", {"times": 3}, True),
        (on("OPEN_AN_EMAIL", seqNumber=1), "open", {}, True),
        (on("OPEN_AN_EMAIL", seqNumber=2), "open", {}, False),
        (on("OPEN_AN_EMAIL"), "answer", {}, False),
        (on("CLICK_ON_A_LINK"), "click", {}, True),
        (on("CLICK_ON_A_LINK", text="/Prices"), "click", {}, True),
        (on("CLICK_ON_A_LINK", text="/prices"), "click", {"link": "https://a.example/jobs"}, False),
        (on("CLICK_ON_A_LINK"), "open", {}, False),
        (on("LEAD_CATEGORY_UPDATED", categoryId=1), "category", {"id": 1}, True),
        (on("LEAD_CATEGORY_UPDATED", categoryId=1), "category", {"id": 2}, False),
        (on("LEAD_CATEGORY_UPDATED", categoryId=1), "answer", {"text": "Sounds interesting, tell me more."}, True),
        (on("LEAD_CATEGORY_UPDATED", categoryId=3), "answer", {"text": "Not interested, thanks."}, True),
        (on("LEAD_CATEGORY_UPDATED", categoryId=3), "answer", {"text": "Sounds interesting, tell me more."}, False),
        (on("LEAD_CATEGORY_UPDATED", categoryId=6), "answer", AWAY, True),
        (on("LEAD_CATEGORY_UPDATED", categoryId=4), "category", {"id": 4}, False),  # Do Not Contact
        (on("NO_REPLY"), "finish", {"days": 1.1}, True),  # the delay of its last step: a day
        (on("NO_REPLY"), "finish", {"days": 0.9}, False),
        (on("NO_REPLY"), "silence", {"days": 30}, False),  # it is not through
        (on("NO_REPLY", days=3), "silence", {"days": 3}, True),
        (on("NO_REPLY", days=3), "silence", {"days": 2.9}, False),
        (on("NO_REPLY", seqNumber=1), "silence", {"days": 1}, True),
        (on("NO_REPLY", seqNumber=2), "silence", {"days": 30}, False),
        (on("NO_OPEN"), "finish", {"days": 1.1}, True),
        (on("NO_OPEN", days=3), "silence", {"days": 3}, True),
        (on("NO_OPEN", seqNumber=1, days=2), "silence", {"days": 2}, True),
    ],
)
async def test_a_trigger_moves_the_lead(
    *, stage: Stage, condition: Condition, what: str, details: dict[str, Any], enters: bool
) -> None:
    subsequence_id = await stage.subsequence(condition)
    before = await stage.state()
    await happen(stage, what, details)
    assert await stage.entered() == ([subsequence_id] if enters else [])
    if what == "finish":
        assert await stage.state() == ("COMPLETED", None)
    elif enters:
        assert await stage.state() == ("STOPPED", "SUBSEQUENCE")
    elif what in {"open", "click", "silence", "scan"}:
        assert await stage.state() == before


@pytest.mark.parametrize(
    ("condition", "what", "details"),
    [
        (on("NO_REPLY", days=3), "answer", {}),
        (on("NO_OPEN", days=3), "answer", {}),
        (on("NO_OPEN", days=3), "open", {}),
        (on("NO_OPEN", days=3), "click", {}),
        (on("NO_OPEN", seqNumber=1, days=3), "open", {}),
    ],
)
async def test_who_was_heard_of_is_not_silent(
    stage: Stage, condition: Condition, what: str, details: dict[str, Any]
) -> None:
    await stage.subsequence(condition)
    await happen(stage, what, details)
    await stage.wait(days=30)
    assert await stage.entered() == []


async def test_who_answers_though_the_campaign_never_stops_is_silent_about_later_steps(world: World) -> None:
    stage = await Stage.open(world, stop_lead_settings="NEVER")
    any_step = await stage.subsequence(on("NO_REPLY", days=3))
    await stage.answer()
    world.later(hours=1)
    await world.change("messages", stage.mail["id"], sent_at=world.now)  # as if it were the next
    step = await stage.subsequence(on("NO_REPLY", seqNumber=1, days=3))
    await stage.wait(days=3)
    assert (await stage.entered(), any_step) == ([step], any_step)


async def test_nobody_is_blamed_for_not_opening_where_opens_are_not_tracked(stage: Stage) -> None:
    await stage.subsequence(on("NO_OPEN", days=3))
    await stage.world.change("messages", stage.mail["id"], is_open_tracked=False)
    await stage.wait(days=10)
    assert await stage.entered() == []


@pytest.mark.parametrize(
    ("rule", "condition"), [("OPEN_AN_EMAIL", on("OPEN_AN_EMAIL")), ("NEVER", on("REPLY_AN_EMAIL"))]
)
async def test_whatever_rule_the_parent_has_the_event_counts(world: World, rule: str, condition: Condition) -> None:
    stage = await Stage.open(world, stop_lead_settings=rule)
    subsequence_id = await stage.subsequence(condition)
    await (stage.visit() if rule == "OPEN_AN_EMAIL" else stage.answer())
    assert await stage.entered() == [subsequence_id]
    assert await stage.state() == ("STOPPED", "SUBSEQUENCE")


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"autoReactivateOOO": True}, True),
        ({"reactivateOOOwithDelay": 2}, True),
        ({}, False),  # it counts as an answer and waits for nothing
    ],
)
async def test_who_comes_back_goes_on_in_the_subsequence_instead(
    world: World, settings: dict[str, Any], *, expected: bool
) -> None:
    stage = await Stage.open(world, out_of_office_detection_settings=Jsonb(settings))
    subsequence_id = await stage.subsequence(on("OUT_OF_OFFICE_OVER"))
    await stage.answer(**AWAY)
    await stage.wait(days=1)
    assert await stage.entered() == []
    world.later(days=10)
    await tend(stage.db, world.engine_id, world.now)
    assert await stage.entered() == ([subsequence_id] if expected else [])
    assert await stage.state() == ("STOPPED", "SUBSEQUENCE" if expected else "REPLIED")


async def test_the_lead_is_due_from_the_same_mailbox_after_the_delay(stage: Stage) -> None:
    subsequence_id = await stage.subsequence(on("REPLY_AN_EMAIL"), delayForNewLeads=2)
    await stage.world.change("campaign_leads", stage.mail["campaign_lead_id"], provider="GOOGLE")
    await stage.answer()
    [child], parent = await stage.children(), await stage.lead()
    assert (child["campaign_id"], child["lead_id"]) == (subsequence_id, parent["lead_id"])
    assert (child["status"], child["due_at"]) == ("STARTED", stage.world.now + 2 * DAY)
    assert (child["mailbox_id"], child["provider"]) == (parent["mailbox_id"], "GOOGLE")
    assert child["parent_campaign_lead_id"] == parent["id"]
    assert (parent["due_at"], parent["hold_code"]) == (None, None)
    assert await stage.world.plan() == []
    stage.world.later(days=2)
    [attempt] = await stage.world.plan()
    assert (attempt.lead.id, attempt.mailbox_id, attempt.is_first_mail) == (child["id"], parent["mailbox_id"], False)


async def test_the_delay_ends_at_the_same_hour_though_the_clock_is_changed(stage: Stage) -> None:
    stage.world.now = datetime.fromisoformat("2026-03-28T09:30:00+00:00")
    await stage.subsequence(on("REPLY_AN_EMAIL"), delayForNewLeads=2, timezone="Europe/Berlin")
    await stage.answer()
    [child] = await stage.children()
    assert child["due_at"] == datetime.fromisoformat("2026-03-30T08:30:00+00:00")


async def test_without_its_mailbox_the_lead_goes_to_another_one(stage: Stage) -> None:
    other = await stage.world.mailbox()
    subsequence_id = await stage.subsequence(on("REPLY_AN_EMAIL"), email_account_ids=[other])
    removed = [stage.mail["mailbox_id"]]
    await campaigns.remove_mailboxes(
        stage.db, stage.world.user_id, subsequence_id, removed, reallocate=False, client_id=None, now=stage.world.now
    )
    await stage.answer()
    assert [child["mailbox_id"] for child in await stage.children()] == [None]
    stage.world.later(days=1)
    assert [attempt.mailbox_id for attempt in await stage.world.plan()] == [other]


async def test_a_cap_for_new_leads_does_not_hold_a_subsequence(stage: Stage) -> None:
    await stage.subsequence(on("REPLY_AN_EMAIL"), max_new_leads_per_day=0)
    await stage.answer()
    assert len(await stage.world.plan()) == 1
    days = await fetch_dicts(stage.db, "SELECT new_count, follow_up_count FROM campaign_days ORDER BY campaign_id DESC")
    assert days[0] == {"new_count": 0, "follow_up_count": 1}


async def test_the_first_in_the_list_that_fits_takes_the_lead(stage: Stage) -> None:
    """Though the category of an answer is known after the answer."""
    await stage.subsequence(on("REPLY_AN_EMAIL", text="something else"))
    by_category = await stage.subsequence(on("LEAD_CATEGORY_UPDATED", categoryId=1))
    await stage.subsequence(on("REPLY_AN_EMAIL"))
    await stage.answer("Sounds interesting, tell me more.")
    assert await stage.entered() == [by_category]


async def test_conditions_of_one_subsequence_are_alternatives(stage: Stage) -> None:
    subsequence_id = await stage.subsequence(on("REPLY_AN_EMAIL", text="no such words"), on("OPEN_AN_EMAIL"))
    await stage.visit()
    assert await stage.entered() == [subsequence_id]


@pytest.mark.parametrize(
    ("verb", "enters"),
    [
        (None, False),  # DRAFTED
        (StatusVerb.START, True),
        (StatusVerb.PAUSED, False),
        (StatusVerb.STOPPED, False),
        (StatusVerb.ARCHIVED, False),
    ],
)
async def test_only_a_started_subsequence_takes_leads(stage: Stage, verb: StatusVerb | None, *, enters: bool) -> None:
    subsequence_id = await stage.subsequence(on("REPLY_AN_EMAIL"), is_started=False)
    if verb:
        await stage.ask(subsequence_id, StatusVerb.START)
        await stage.ask(subsequence_id, verb)
    await stage.answer()
    assert bool(await stage.entered()) is enters
    assert await stage.state() == ("STOPPED", "SUBSEQUENCE" if enters else "REPLIED")


async def test_one_whose_leads_are_through_is_active_again_when_it_takes_another(stage: Stage) -> None:
    subsequence_id = await stage.subsequence(on("REPLY_AN_EMAIL"))
    await stage.world.change("campaigns", subsequence_id, status="COMPLETED")
    with hearing(CampaignStatusChanged) as heard:
        await stage.answer()
    assert [(event.campaign_id, event.current) for event in heard.events] == [(subsequence_id, "ACTIVE")]
    assert await stage.entered() == [subsequence_id]


@pytest.mark.parametrize("status", ["PAUSED", "STOPPED", "COMPLETED", "ARCHIVED"])
async def test_a_parent_at_rest_stops_no_subsequence(stage: Stage, status: str) -> None:
    await stage.subsequence(on("REPLY_AN_EMAIL"))
    await stage.world.change("campaigns", stage.campaign_id, status=status)
    await stage.answer()
    assert len(await stage.world.plan()) == 1


@pytest.mark.parametrize(("status", "enters"), [("PAUSED", False), ("STOPPED", False), ("COMPLETED", True)])
async def test_silence_counts_while_the_parent_works(stage: Stage, status: str, *, enters: bool) -> None:
    await stage.subsequence(on("NO_REPLY", days=3))
    await stage.world.change("campaigns", stage.campaign_id, status=status)
    await stage.wait(days=4)
    assert bool(await stage.entered()) is enters
    await stage.world.change("campaigns", stage.campaign_id, status="ACTIVE")
    await stage.wait(days=1)  # what was over meanwhile is looked at then
    assert len(await stage.entered()) == 1


async def test_silence_from_before_the_first_start_brings_nobody(stage: Stage) -> None:
    late = await stage.subsequence(on("NO_REPLY", days=3), is_started=False)
    stage.world.later(days=4)
    await stage.ask(late, StatusVerb.START)
    await stage.wait(days=10)
    assert await stage.entered() == []


async def test_silence_during_a_pause_of_the_subsequence_is_caught_up(stage: Stage) -> None:
    subsequence_id = await stage.subsequence(on("NO_REPLY", days=3))
    await stage.ask(subsequence_id, StatusVerb.PAUSED)
    await stage.wait(days=4)
    assert await stage.entered() == []
    await stage.ask(subsequence_id, StatusVerb.START)
    await stage.wait(days=1)
    assert await stage.entered() == [subsequence_id]


async def test_many_who_are_silent_at_once_are_all_taken(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subsequences, "_AT_ONCE", 2)
    others = [row["campaign_lead_id"] for row in await stage.world.sent(stage.campaign_id, count=4)]
    await stage.subsequence(on("NO_REPLY", days=3))
    stage.world.later(days=4)
    for _ in range(3):
        await subsequences.tend(stage.db, stage.world.now)
    parents = {child["parent_campaign_lead_id"] for child in await stage.children()}
    assert parents == {stage.mail["campaign_lead_id"], *others}


@pytest.mark.parametrize(
    ("held", "by_word", "by_deed", "by_person"),
    [
        (("STARTED", None), True, True, True),
        (("INPROGRESS", None), True, True, True),
        (("COMPLETED", None), True, True, True),
        (("STOPPED", "OPENED"), True, True, True),
        (("STOPPED", "REPLIED"), True, False, True),
        (("STOPPED", "MAILBOX_GONE"), True, False, True),
        (("PAUSED", "DOMAIN_REPLY"), True, False, True),
        (("PAUSED", "OOO"), True, False, True),
        (("STOPPED", "MANUAL"), False, False, True),
        (("STOPPED", "WRONG_PERSON"), False, False, True),
        (("STOPPED", "UNSUBSCRIBED"), False, False, True),
        (("BLOCKED", "BOUNCED"), False, False, False),
        (("BLOCKED", "SENDER_BOUNCE"), False, False, False),
    ],
)
async def test_what_holds_a_lead_decides_what_may_move_it(
    *, stage: Stage, held: tuple[str, str | None], by_word: bool, by_deed: bool, by_person: bool
) -> None:
    """A word of the lead is more than a deed; what a person has stopped only a person moves on."""
    lead_id = stage.mail["campaign_lead_id"]
    await stage.subsequence(on("REPLY_AN_EMAIL"), on("CLICK_ON_A_LINK"), on("LEAD_CATEGORY_UPDATED", categoryId=2))
    for act, expected in (
        (stage.answer, by_word),
        (lambda: stage.visit("https://a.example"), by_deed),
        (lambda: stage.choose_category(2), by_person),
    ):
        async with stage.db.transaction(force_rollback=True):
            await stage.world.change("campaign_leads", lead_id, status=held[0], hold_reason=held[1])
            await act()
            assert bool(await stage.entered()) is expected, act


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE leads SET is_unsubscribed = true",
        "UPDATE campaign_leads SET is_unsubscribed = true",
    ],
)
async def test_who_wants_no_mail_enters_nothing(stage: Stage, change: str) -> None:
    await stage.subsequence(on("REPLY_AN_EMAIL"), on("LEAD_CATEGORY_UPDATED", categoryId=2))
    await execute(stage.db, change)  # type: ignore[arg-type]
    await stage.answer()
    await stage.choose_category(2)
    assert await stage.entered() == []


async def test_who_is_on_the_block_list_is_not_mailed_there_either(stage: Stage) -> None:
    await stage.subsequence(on("REPLY_AN_EMAIL"))
    await execute(
        stage.db,
        """
        INSERT INTO block_list (user_id, email_or_domain, source, created_at)
        VALUES (%(user_id)s, 'hexly.example', 'manual', %(now)s)
        """,
        {"user_id": stage.world.user_id, "now": stage.world.now},
    )
    await stage.answer()
    assert await stage.world.plan() == []
    [child] = await stage.children()
    assert (child["status"], child["hold_reason"]) == ("BLOCKED", "BLOCKLISTED")


async def test_nobody_is_in_two_subsequences_at_once(stage: Stage) -> None:
    first = await stage.subsequence(on("OPEN_AN_EMAIL"))
    second = await stage.subsequence(on("CLICK_ON_A_LINK"), on("REPLY_AN_EMAIL"))
    await stage.visit()
    await stage.visit("https://a.example")
    await stage.answer()
    assert await stage.entered() == [first]
    [child] = await stage.children()
    await progress.complete(stage.db, [child["id"]], stage.world.now)
    await stage.answer()
    assert await stage.entered() == [first, second]


async def test_nobody_enters_the_same_twice(stage: Stage) -> None:
    first = await stage.subsequence(on("REPLY_AN_EMAIL"))
    await stage.answer()
    [child] = await stage.children()
    await progress.complete(stage.db, [child["id"]], stage.world.now)
    await stage.answer()
    assert await stage.entered() == [first]


@pytest.mark.parametrize(
    ("status", "last_reply_at", "enters"),
    [
        ("COMPLETED", None, True),
        ("COMPLETED", "2026-03-02T10:00:00Z", False),  # answered there
        ("STOPPED", None, False),  # somebody has stopped it there
        ("BLOCKED", None, False),
    ],
)
async def test_what_was_not_said_begins_no_other_one_where_the_last_did_not_run_out(
    stage: Stage, status: str, last_reply_at: str | None, *, enters: bool
) -> None:
    await stage.subsequence(on("OPEN_AN_EMAIL"))
    await stage.visit()
    [child] = await stage.children()
    await stage.world.change("campaign_leads", child["id"], status=status, last_reply_at=last_reply_at)
    await stage.subsequence(on("CLICK_ON_A_LINK"))
    await stage.visit("https://a.example")
    assert len(await stage.entered()) == 1 + enters


async def test_the_database_itself_allows_one_at_a_time(stage: Stage) -> None:
    """Whoever moves leads, and whatever he has not seen."""
    first, second = await stage.subsequence(), await stage.subsequence()
    await stage.push(first)
    await stage.push(second)
    await stage.db.execute("SAVEPOINT before")
    with pytest.raises(UniqueViolation):
        await execute(stage.db, "UPDATE campaign_leads SET status = 'STARTED' WHERE hold_reason = 'SUBSEQUENCE'")
    await stage.db.execute("ROLLBACK TO before")


@pytest.mark.parametrize(
    ("body", "given", "letter", "expected"),
    [
        ({"stopLeadOnParentCampaignReply": True}, {}, {}, ("STOPPED", "REPLIED")),
        ({}, {"ends_on_parent_reply": True}, {}, ("STOPPED", "REPLIED")),
        ({}, {}, {}, ("STARTED", None)),
        ({"stopLeadOnParentCampaignReply": True}, {}, AWAY, ("STOPPED", "REPLIED")),  # counts as an answer by default
    ],
)
async def test_a_later_answer_in_the_parent_ends_it_where_that_is_wanted(
    stage: Stage, body: dict[str, Any], given: dict[str, Any], letter: dict[str, str], expected: tuple[str, str | None]
) -> None:
    subsequence_id = await stage.subsequence(**body)
    await stage.push(subsequence_id, **given)
    await stage.answer(**letter)
    [child] = await stage.children()
    assert (child["status"], child["hold_reason"]) == expected


async def test_an_absence_that_is_waited_for_ends_nothing(world: World) -> None:
    settings = Jsonb({"autoReactivateOOO": True})
    stage = await Stage.open(world, out_of_office_detection_settings=settings)
    await stage.push(await stage.subsequence(stopLeadOnParentCampaignReply=True))
    await stage.answer(**AWAY)
    assert [child["status"] for child in await stage.children()] == ["STARTED"]


async def test_an_answer_that_ends_one_may_begin_the_next(stage: Stage) -> None:
    first = await stage.subsequence(on("OPEN_AN_EMAIL"), stopLeadOnParentCampaignReply=True)
    second = await stage.subsequence(on("REPLY_AN_EMAIL"))
    await stage.visit()
    await stage.answer()
    assert [(child["campaign_id"], child["status"]) for child in await stage.children()] == [
        (first, "STOPPED"),
        (second, "STARTED"),
    ]


async def send_next(stage: Stage) -> dict[str, Any]:
    """The next mail that is due, as it is kept."""
    [attempt] = await stage.world.plan()
    await stage.world.write([attempt])
    await execute(
        stage.db,
        "UPDATE messages SET status = 'SENT', sent_at = %(now)s WHERE id = %(id)s",
        {"now": stage.world.now, "id": attempt.message_id},
    )
    await execute(stage.db, "DELETE FROM dispatches")
    advance = progress.Advance(
        attempt.lead.id,
        attempt.mailbox_id,
        attempt.step.id,
        attempt.step.number,
        stage.world.now,
        stage.world.now + DAY,
    )
    await progress.record_advances(stage.db, [advance], stage.world.now)
    return await stage.world.row("messages", attempt.message_id)


@pytest.mark.parametrize("rule", ["REPLY_TO_AN_EMAIL", "NEVER"])
async def test_an_answer_to_its_own_mail_always_ends_it(stage: Stage, rule: str) -> None:
    subsequence_id = await stage.subsequence(on("REPLY_AN_EMAIL"), steps=2, stop_lead_settings=rule)
    await stage.answer()
    mail = await send_next(stage)
    await stage.answer(In_Reply_To=f"<{mail['message_id']}>")
    [child] = await stage.children()
    assert (child["campaign_id"], child["status"], child["hold_reason"]) == (subsequence_id, "STOPPED", "REPLIED")
    reply = (await stage.received())[-1]
    assert (reply["campaign_id"], reply["campaign_lead_id"]) == (subsequence_id, child["id"])


async def test_the_conversation_goes_on_after_its_latest_mail(stage: Stage) -> None:
    await stage.subsequence(on("REPLY_AN_EMAIL"), steps=2)
    await stage.answer()
    [child] = await stage.children()
    thread = (await threads.load(stage.db, [child["id"]], in_subsequences=[child["id"]]))[child["id"]]
    ours, theirs = stage.mail["message_id"], "answer-1@hexly.example"
    assert (thread.subject, thread.in_reply_to, thread.references) == ("Port fees", theirs, (ours, theirs))
    assert threads.place("", thread)[0] == "Re: Port fees"
    mail = await send_next(stage)
    await stage.world.change("messages", mail["id"], in_reply_to=theirs)
    thread = (await threads.load(stage.db, [child["id"]], in_subsequences=[child["id"]]))[child["id"]]
    assert (thread.in_reply_to, thread.references) == (mail["message_id"], (ours, theirs, mail["message_id"]))


async def test_a_later_subsequence_goes_on_after_the_mails_of_an_earlier_one(stage: Stage) -> None:
    first, second = await stage.subsequence(), await stage.subsequence()
    await stage.push(first)
    mail = await send_next(stage)
    await stage.world.change("messages", mail["id"], in_reply_to=stage.mail["message_id"])
    await stage.push(second)
    child = (await stage.children())[-1]
    thread = (await threads.load(stage.db, [child["id"]], in_subsequences=[child["id"]]))[child["id"]]
    assert thread.references == (stage.mail["message_id"], mail["message_id"])


async def test_the_parents_mails_end_when_the_subsequence_begins(stage: Stage) -> None:
    """And do not go on when its sequence grows, not even for who was through."""
    await stage.subsequence(on("NO_REPLY"))
    await stage.finish()
    await stage.wait(days=2)
    assert await stage.state() == ("COMPLETED", None)
    await stage.ask(stage.campaign_id, StatusVerb.PAUSED)
    await stage.ask(stage.campaign_id, StatusVerb.START)  # its second step has not been sent
    assert await stage.state() == ("COMPLETED", None)


async def test_a_lead_is_resumed_where_it_is_or_nowhere(stage: Stage) -> None:
    first, second = await stage.subsequence(steps=2), await stage.subsequence(steps=2)
    await stage.push(first)
    await stage.push(second)
    lead = await stage.lead()
    for campaign_id in (stage.campaign_id, first):
        with pytest.raises(InSubsequence):
            await leads.resume(
                stage.db,
                stage.world.user_id,
                campaign_id,
                lead["lead_id"],
                delay_days=None,
                client_id=None,
                now=stage.world.now,
            )
    await leads.stop(stage.db, stage.world.user_id, second, lead["lead_id"], client_id=None, now=stage.world.now)
    await leads.resume(
        stage.db, stage.world.user_id, first, lead["lead_id"], delay_days=None, client_id=None, now=stage.world.now
    )
    assert [child["status"] for child in await stage.children()] == ["STARTED", "STOPPED"]


async def test_who_has_left_for_another_one_is_not_brought_back_with_a_mailbox(stage: Stage) -> None:
    first, second = await stage.subsequence(steps=2), await stage.subsequence(steps=2)
    await stage.push(first)
    [child] = await stage.children()
    await stage.world.change(
        "campaign_leads", child["id"], status="STOPPED", hold_reason="MAILBOX_GONE", mailbox_id=1, last_step_number=1
    )
    await stage.push(second)
    moved = await reallocation.reallocate(stage.db, stage.world.user_id, first, client_id=None, now=stage.world.now)
    assert (moved, [each["status"] for each in await stage.children()]) == (0, ["STOPPED", "STARTED"])


async def test_twice_the_same_event_moves_nobody_twice(stage: Stage) -> None:
    """Mails that are read twice, engines that look at once."""
    await stage.subsequence(on("REPLY_AN_EMAIL"), on("NO_REPLY", days=3))
    letter = stage.letter()
    await stage.take_in(letter)
    await stage.take_in(letter)
    [before] = await stage.children()
    await stage.wait(days=5)
    await stage.wait(days=5)
    assert await stage.children() == [before]
