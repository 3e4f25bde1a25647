"""Subsequences on a database that commits: the mail that leaves, engines that look at once, the forecast."""

import asyncio
from datetime import timedelta
from email.message import EmailMessage
from typing import Any

import pytest

from outrider.campaigns import actions as campaigns
from outrider.campaigns import subsequences as creation
from outrider.campaigns.models import StatusVerb
from outrider.campaigns.wire_subsequences import SubsequenceCreate
from outrider.engine import subsequences
from outrider.engine.foresight import next_moment
from outrider.engine.inbound.arrival import Reader
from outrider.engine.inbound.intake import take_in
from outrider.kit.db import Db
from outrider.leads.subsequences import Cause, Fit, enter
from tests.engine.sending import Sending
from tests.engine.test_forecast import foresee, foreseen, sent
from tests.support import make
from tests.support.world import World

_PATIENCE = 500
STEP = {"seq_number": 1, "seq_delay_details": {"delay_in_days": 0}, "subject": "", "email_body": "As you asked."}


async def begin(world: World, parent_id: int, *conditions: dict[str, Any], **body: Any) -> int:
    """A started subsequence that goes on with the conversation."""
    given = {"parent_campaign_id": parent_id, "conditionEvents": list(conditions), "sequences": [STEP], **body}
    draft = SubsequenceCreate.model_validate(given).draft(None)
    made = await creation.create(world.db, world.user_id, draft, scope=None, now=world.now)
    await campaigns.change_status(world.db, world.user_id, made.id, StatusVerb.START, client_id=None, now=world.now)
    return made.id


async def test_the_mail_that_leaves_answers_the_lead_in_the_same_conversation(sending: Sending) -> None:
    async with sending.database.transaction() as db:
        world = await sending.world(db)
        boxes = [await sending.mailbox(world) for _ in range(3)]
        campaign_id = await world.campaign(boxes, steps=2)
        await begin(world, campaign_id, {"eventType": "REPLY_AN_EMAIL"})
        await world.leads(campaign_id, 1)
    assert await sending.round() == 1
    first = sending.only_mail()
    answer = EmailMessage()
    answer["From"], answer["To"], answer["Subject"] = first.recipient, first.envelope_sender, "Re: Port fees"
    answer["Message-ID"], answer["In-Reply-To"] = "<answer@hexly.example>", f"<{first.message_id}>"
    answer.set_content("What does it cost?\n")
    sending.clock.time += timedelta(hours=1)
    [mail] = await sending.rows("SELECT mailbox_id FROM messages WHERE direction = 'OUT'")
    async with sending.database.transaction() as db:
        reader = Reader(sending.user_id, mail["mailbox_id"], first.envelope_sender or "")
        assert await take_in(db, make.VAULT, reader, answer.as_bytes(), sending.clock.now(), only_matched=False)
    assert await sending.round() == 1
    second = sending.sandbox.mails[-1]
    assert (second.recipient, second.envelope_sender) == (first.recipient, first.envelope_sender)
    assert (second.subject, second.header("In-Reply-To")) == ("Re: Port fees", "<answer@hexly.example>")
    assert second.header("References").split() == [f"<{first.message_id}>", "<answer@hexly.example>"]
    sending.clock.time += timedelta(days=10)
    assert await sending.round() == 0  # nothing more of the parent


async def test_who_wants_the_same_lead_at_the_same_moment_gets_it_once(sending: Sending) -> None:
    """Each looked before the other had committed: it is the index that decides."""
    async with sending.database.transaction() as db:
        world = await sending.world(db)
        campaign_id = await world.campaign([await sending.mailbox(world)])
        wanting = [await begin(world, campaign_id) for _ in range(2)]
        [lead] = await world.leads(campaign_id, 1)

    async def want(subsequence_id: int, hold: asyncio.Event) -> list[int]:
        async with sending.database.transaction() as db:
            moved = await enter(db, [Fit(lead, subsequence_id)], Cause.WORD, now=sending.clock.now())
            await hold.wait()
        return moved

    gate = asyncio.Event()
    tasks = [asyncio.create_task(want(subsequence_id, gate)) for subsequence_id in (*wanting, *wanting)]
    await asyncio.wait(tasks, timeout=0.3)
    gate.set()
    assert sorted(map(len, await asyncio.gather(*tasks))) == [0, 0, 0, 1]
    children = await sending.rows("SELECT id FROM campaign_leads WHERE parent_campaign_lead_id IS NOT NULL")
    assert len(children) == 1


async def test_engines_that_tend_at_once_take_the_silent_once(sending: Sending) -> None:
    async with sending.database.transaction() as db:
        world = await sending.world(db)
        campaign_id = await world.campaign([await sending.mailbox(world)])
        await begin(world, campaign_id, {"eventType": "NO_REPLY"})
        await world.leads(campaign_id, 1)
    assert await sending.round() == 1
    sending.clock.time += timedelta(days=2)

    async def tend() -> None:
        async with sending.database.transaction() as db:
            await subsequences.tend(db, sending.clock.now())

    await asyncio.gather(*(tend() for _ in range(4)))
    children = await sending.rows("SELECT id FROM campaign_leads WHERE parent_campaign_lead_id IS NOT NULL")
    assert len(children) == 1


async def run(sending: Sending) -> None:
    """The engine against real SMTP, with what time brings."""
    for _ in range(_PATIENCE):
        async with sending.database.transaction() as db:
            await subsequences.tend(db, sending.clock.now())
        await sending.round()
        async with sending.database.transaction() as db:
            moment = await _next(db, sending)
        if moment is None:
            return
        sending.clock.time = moment
    raise AssertionError("it does not come to its end")


async def _next(db: Db, sending: Sending) -> Any:
    return await next_moment(db, sending.engine_id, sending.clock.now())


@pytest.mark.parametrize("which", ["the parent", "the subsequence"])
async def test_the_forecast_knows_who_will_be_silent(sending: Sending, which: str) -> None:
    """Their mails use up the caps of the mailboxes that the parent needs for its new leads."""
    async with sending.database.transaction() as db:
        world = await sending.world(db)
        box = await sending.mailbox(world, max_email_per_day=2)
        campaign_id = await world.campaign([box], min_time_between_emails=25)
        subsequence_id = await begin(world, campaign_id, {"eventType": "NO_REPLY"}, min_time_btw_emails=30)
        await world.leads(campaign_id, 5)
    wanted = campaign_id if which == "the parent" else subsequence_id
    result = await foresee(sending, wanted)
    assert not await sending.rows("SELECT FROM campaign_leads WHERE parent_campaign_lead_id IS NOT NULL")
    await run(sending)
    happened = await sent(sending, wanted)
    assert len(happened) == 5
    assert foreseen(result) == happened
    assert result.completed_at == happened[-1][0]
