"""What the engine and other slices ask of campaigns."""

import asyncio
from collections.abc import Iterator
from datetime import datetime

import pytest

from outrider.campaigns import actions, store
from outrider.campaigns.models import CampaignNotFound, CampaignStatus, CampaignStatusChanged, MailboxRemoved
from outrider.kit.db import Database, Db, execute, fetch_value
from outrider.mailboxes.models import MailboxesDeleted
from tests.support import make
from tests.support.client import fresh_account
from tests.support.events import Heard, hearing


@pytest.fixture
def changes() -> Iterator[Heard]:
    with hearing(CampaignStatusChanged) as heard:
        yield heard


@pytest.fixture
async def user_id(db: Db, now: datetime) -> int:
    return await fresh_account(db, now)


async def add_lead(
    db: Db, user_id: int, campaign_id: int, status: str, *, email: str = "vera@holmport.example"
) -> None:
    await execute(
        db,
        """
        WITH lead AS (
            INSERT INTO leads (user_id, email, created_at, updated_at)
            VALUES (%(user_id)s, %(email)s, %(now)s, %(now)s)
            RETURNING id
        )
        INSERT INTO campaign_leads (user_id, campaign_id, lead_id, status, created_at, updated_at)
        SELECT %(user_id)s, %(campaign_id)s, id, %(status)s, %(now)s, %(now)s
        FROM lead
        """,
        {"user_id": user_id, "campaign_id": campaign_id, "status": status, "email": email, "now": make.NOW},
    )


async def status_of(db: Db, campaign_id: int) -> str:
    return str(await fetch_value(db, "SELECT status FROM campaigns WHERE id = %(id)s", {"id": campaign_id}))


@pytest.mark.parametrize("lead_status", ["COMPLETED", "STOPPED", "BLOCKED"])
async def test_a_campaign_whose_leads_are_done_completes(
    db: Db, user_id: int, now: datetime, changes: Heard, lead_status: str
) -> None:
    campaign_id = await make.campaign(db, user_id, status="ACTIVE")
    await add_lead(db, user_id, campaign_id, lead_status)
    assert await actions.complete(db, user_id, campaign_id, now)
    assert await status_of(db, campaign_id) == "COMPLETED"
    assert not await actions.complete(db, user_id, campaign_id, now)
    assert [(event.previous, event.current, event.at) for event in changes.events] == [("ACTIVE", "COMPLETED", now)]


@pytest.mark.parametrize("lead_status", ["STARTED", "INPROGRESS", "PAUSED"])
async def test_a_lead_that_may_get_mail_keeps_it_open(
    db: Db, user_id: int, now: datetime, changes: Heard, lead_status: str
) -> None:
    campaign_id = await make.campaign(db, user_id, status="ACTIVE")
    await add_lead(db, user_id, campaign_id, "COMPLETED")
    await add_lead(db, user_id, campaign_id, lead_status, email="ida@client-mail.example")
    assert not await actions.complete(db, user_id, campaign_id, now)
    assert changes.events == []


async def test_a_campaign_without_leads_waits_for_them(db: Db, user_id: int, now: datetime) -> None:
    campaign_id = await make.campaign(db, user_id, status="ACTIVE")
    assert not await actions.complete(db, user_id, campaign_id, now)


@pytest.mark.parametrize("status", ["DRAFTED", "PAUSED", "STOPPED", "ARCHIVED"])
async def test_only_active_campaigns_complete(db: Db, user_id: int, now: datetime, status: str) -> None:
    campaign_id = await make.campaign(db, user_id, status=status)
    await add_lead(db, user_id, campaign_id, "COMPLETED")
    assert not await actions.complete(db, user_id, campaign_id, now)
    assert await status_of(db, campaign_id) == status


async def test_a_completed_campaign_becomes_active_again(db: Db, user_id: int, now: datetime, changes: Heard) -> None:
    campaign_id = await make.campaign(db, user_id, status="COMPLETED")
    assert await actions.reactivate(db, user_id, campaign_id, now)
    assert not await actions.reactivate(db, user_id, campaign_id, now)
    assert [(event.previous, event.current) for event in changes.events] == [("COMPLETED", "ACTIVE")]


async def test_adding_a_lead_does_not_restart_a_stopped_campaign(db: Db, user_id: int, now: datetime) -> None:
    campaign_id = await make.campaign(db, user_id, status="STOPPED")
    assert not await actions.reactivate(db, user_id, campaign_id, now)


async def test_too_many_bounces_pause_and_say_how_many(db: Db, user_id: int, now: datetime, changes: Heard) -> None:
    campaign_id = await make.campaign(db, user_id, status="ACTIVE")
    paused = await actions.auto_pause(db, user_id, campaign_id, bounce_rate="7.5", threshold="5", now=now)
    assert paused
    assert not await actions.auto_pause(db, user_id, campaign_id, bounce_rate="9", threshold="5", now=now)
    (event,) = changes.events
    assert (event.current, event.bounce_rate, event.threshold) == (CampaignStatus.PAUSED, "7.5", "5")


async def test_another_account_cannot_complete_a_campaign(db: Db, user_id: int, now: datetime) -> None:
    campaign_id = await make.campaign(db, user_id, status="ACTIVE")
    stranger = await fresh_account(db, now)
    with pytest.raises(CampaignNotFound):
        await actions.complete(db, stranger, campaign_id, now)


async def test_deleted_mailboxes_leave_every_campaign(db: Db, user_id: int, now: datetime) -> None:
    active, paused = [await make.campaign(db, user_id, status=status) for status in ("ACTIVE", "PAUSED")]
    first, second, kept = [await make.mailbox(db, user_id) for _ in range(3)]
    for campaign_id, mailbox_id in ((active, first), (active, second), (paused, second), (paused, kept)):
        await make.attach(db, user_id, campaign_id, mailbox_id)
    with hearing(MailboxRemoved) as heard:
        await actions.forget_mailboxes(db, [MailboxesDeleted(user_id, (first, second), now)])
    assert [(event.campaign_id, event.mailbox_ids) for event in heard.events] == [
        (active, (first, second)),
        (paused, (second,)),
    ]
    assert await store.count_mailboxes(db, user_id, active) == 0
    assert await status_of(db, active) == "ACTIVE"


async def test_a_lead_that_is_just_being_added_is_not_overlooked(
    database: Database, now: datetime, changes: Heard
) -> None:
    """Completion and an addition at the same time: in the end the campaign is ACTIVE, whoever comes first."""
    async with database.transaction() as db:
        user_id = await fresh_account(db, now)
        campaign_id = await make.campaign(db, user_id, status="ACTIVE")
        await add_lead(db, user_id, campaign_id, "COMPLETED")
    async with database.transaction() as adding:
        await add_lead(adding, user_id, campaign_id, "STARTED", email="ida@client-mail.example")
        await actions.reactivate(adding, user_id, campaign_id, now)

        async def complete() -> bool:
            async with database.transaction() as completing:
                return await actions.complete(completing, user_id, campaign_id, now)

        completion = asyncio.create_task(complete())
        await _wait_for_a_blocked_query(database)
    assert await completion is False
    assert changes.events == []


async def _wait_for_a_blocked_query(database: Database) -> None:
    async with database.connection() as db:
        while not await fetch_value(db, "SELECT count(*) FROM pg_locks WHERE NOT granted"):  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.01)
