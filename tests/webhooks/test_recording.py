"""Who is told what: scopes, priority of levels, the category filter; and what is written when."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from outrider.config import Settings, WebhookPriority
from outrider.kit.db import Database, Db, execute, fetch_value
from outrider.kit.events import emit
from outrider.messages.models import LinkClicked, MessageOpened, MessageSent, ReplyReceived
from outrider.webhooks import happenings, recording
from outrider.webhooks.policy import use_settings
from outrider.wiring import wire
from tests.webhooks import scene
from tests.webhooks.scene import CAMPAIGN, CAMPAIGN_LEAD, MAIL, MAILBOX, REPLIED_AT, REPLY, SENT_AT, USER, deliveries

WITH_LEAD: dict[str, Any] = {"user_id": USER, "campaign_id": CAMPAIGN, "campaign_lead_id": CAMPAIGN_LEAD}
SENT = happenings.Sent(**WITH_LEAD, message_id=MAIL, step_number=1, at=SENT_AT)
CLIENT = 31


async def world(db: Db, **campaign: Any) -> None:
    await scene.account(db)
    await scene.client(db, CLIENT)
    await scene.campaign(db, **campaign)
    await scene.mailbox(db)
    await scene.attach(db)
    await scene.lead(db)
    await scene.mail(db)


async def told_ids(db: Db) -> list[int]:
    return sorted(row["webhook_id"] for row in await deliveries(db))


async def test_a_delivery_is_due_at_once_and_knows_its_lead(db: Db) -> None:
    await world(db)
    await scene.webhook(db)
    await recording.record_sent(db, [SENT])
    [row] = await deliveries(db)
    assert (row["user_id"], row["campaign_lead_id"], row["state"]) == (USER, CAMPAIGN_LEAD, "SCHEDULED")
    assert row["next_attempt_at"] == SENT_AT
    assert (row["attempt_count"], row["total_attempts"], row["leased_until"]) == (0, 0, None)


async def test_every_level_covers_what_is_below_it(db: Db) -> None:
    await world(db, client_id=CLIENT)
    use_settings(Settings(webhook_level_priority=WebhookPriority.ALL))
    await scene.client(db, 32)
    await scene.campaign(db, 6000)
    await scene.webhook(db, 1, level="user")
    await scene.webhook(db, 2, level="client", client_id=CLIENT)
    await scene.webhook(db, 3)
    await scene.webhook(db, 4, level="client", client_id=32)
    await scene.webhook(db, 5, campaign_id=6000)
    await recording.record_sent(db, [SENT])
    assert await told_ids(db) == [1, 2, 3]


async def test_a_webhook_of_the_account_goes_before_all_others(db: Db) -> None:
    await world(db, client_id=CLIENT)
    await scene.webhook(db, 1, "EMAIL_SENT", level="user")
    await scene.webhook(db, 2, "EMAIL_SENT", level="client", client_id=CLIENT)
    await scene.webhook(db, 3, "EMAIL_SENT")
    await recording.record_sent(db, [SENT])
    assert await told_ids(db) == [1]


async def test_it_does_so_only_for_events_it_listens_to_and_while_it_is_active(db: Db) -> None:
    await world(db, client_id=CLIENT)
    await scene.webhook(db, 1, "EMAIL_OPEN", level="user")
    await scene.webhook(db, 2, "EMAIL_SENT", level="client", client_id=CLIENT)
    await scene.webhook(db, 3, "EMAIL_SENT")
    await scene.webhook(db, 4, "EMAIL_SENT", level="user", is_active=False)
    await scene.webhook(db, 5, "EMAIL_SENT", level="user", deleted_at=SENT_AT)
    await recording.record_sent(db, [SENT])
    assert await told_ids(db) == [2, 3]


async def test_equal_webhooks_are_all_told(db: Db) -> None:
    await world(db)
    await scene.webhook(db, 1)
    await scene.webhook(db, 2)
    await recording.record_sent(db, [SENT])
    assert await told_ids(db) == [1, 2]
    assert await fetch_value(db, "SELECT count(*) FROM webhook_events") == 1


async def test_a_subsequence_is_covered_by_its_parent(db: Db) -> None:
    await world(db)
    await scene.campaign(db, 6000, parent_campaign_id=CAMPAIGN)
    await scene.webhook(db, 1)
    await scene.webhook(db, 2, campaign_id=6000)
    await execute(db, "UPDATE messages SET campaign_id = 6000")
    await recording.record_sent(db, [replace(SENT, campaign_id=6000)])
    assert await told_ids(db) == [1, 2]


async def test_a_parent_is_not_covered_by_its_subsequence(db: Db) -> None:
    await world(db)
    await scene.campaign(db, 6000, parent_campaign_id=CAMPAIGN)
    await scene.webhook(db, 2, campaign_id=6000)
    await recording.record_sent(db, [SENT])
    assert await told_ids(db) == []


async def test_other_accounts_are_not_told(db: Db) -> None:
    await world(db)
    await scene.account(db, 4712)
    await scene.webhook(db, 1, level="user", user_id=4712)
    await recording.record_sent(db, [SENT])
    assert await told_ids(db) == []


@pytest.mark.parametrize(
    ("category_ids", "new_id", "is_told"),
    [([], 1, True), ([], None, True), ([1, 2], 2, True), ([1, 2], 3, False), ([1, 2], None, False)],
)
async def test_the_category_filter_looks_at_the_new_category(
    db: Db, category_ids: Sequence[int], new_id: int | None, is_told: bool
) -> None:
    await world(db)
    await scene.webhook(db, 1, "LEAD_CATEGORY_UPDATED", "EMAIL_SENT", category_ids=list(category_ids))
    update = happenings.CategoryUpdated(**WITH_LEAD, old_id=1, new_id=new_id, at=SENT_AT)
    await recording.record_category_updated(db, [update])
    assert await told_ids(db) == ([1] if is_told else [])


async def test_other_events_ignore_the_category_filter(db: Db) -> None:
    await world(db)
    await scene.webhook(db, 1, category_ids=[2])
    await recording.record_sent(db, [SENT])
    assert await told_ids(db) == [1]


async def test_untracked_replies_go_to_every_level_once(db: Db) -> None:
    await world(db)
    await execute(db, "UPDATE mailboxes SET client_id = 31")
    await scene.client(db, 32)
    await scene.campaign(db, 6000)
    await scene.attach(db, 6000)
    await scene.campaign(db, 6001)
    await scene.reply(db, kind="UNTRACKED", campaign_id=None, campaign_lead_id=None, lead_id=None)
    await scene.webhook(db, 1, "UNTRACKED_REPLIES", level="user")
    await scene.webhook(db, 2, "UNTRACKED_REPLIES", level="client", client_id=CLIENT)
    await scene.webhook(db, 3, "UNTRACKED_REPLIES")
    await scene.webhook(db, 4, "UNTRACKED_REPLIES", campaign_id=6000)
    await scene.webhook(db, 5, "UNTRACKED_REPLIES", campaign_id=6001)
    await scene.webhook(db, 6, "UNTRACKED_REPLIES", level="client", client_id=32)
    reply = happenings.UntrackedReplyReceived(user_id=USER, mailbox_id=MAILBOX, message_id=REPLY, at=REPLIED_AT)
    await recording.record_untracked_replies(db, [reply])
    assert await told_ids(db) == [1, 2, 3, 4]


async def test_campaigns_are_not_told_of_a_mailbox_that_failed(db: Db) -> None:
    await world(db)
    await execute(db, "UPDATE mailboxes SET client_id = 31")
    await scene.webhook(db, 1, "EMAIL_ACCOUNT_DISCONNECTED", level="user")
    await scene.webhook(db, 2, "EMAIL_ACCOUNT_DISCONNECTED", level="client", client_id=CLIENT)
    await scene.webhook(db, 3, "EMAIL_ACCOUNT_DISCONNECTED")
    await recording.record_disconnected(db, [happenings.Disconnected(user_id=USER, mailbox_id=MAILBOX, at=REPLIED_AT)])
    assert await told_ids(db) == [1, 2]


async def test_a_batch_keeps_its_order_and_may_be_of_several_accounts(db: Db) -> None:
    await world(db)
    await scene.webhook(db, 1)
    await scene.account(db, 4712)
    await scene.campaign(db, 6000, user_id=4712)
    await scene.mail(
        db,
        601,
        user_id=4712,
        campaign_id=6000,
        campaign_lead_id=1,
        lead_id=1,
        stats_id="0c1d2e3f-1111-4222-8333-444455556666",
    )
    await scene.mail(db, 602, step_id=9902, step_number=2, stats_id="0c1d2e3f-1111-4222-8333-444455556667")
    await scene.webhook(db, 2, level="user", user_id=4712)
    foreign = happenings.Sent(
        user_id=4712, campaign_id=6000, campaign_lead_id=1, message_id=601, step_number=1, at=SENT_AT
    )
    second = replace(SENT, message_id=602, step_number=2, at=SENT_AT)
    await recording.record_sent(db, [second, foreign, SENT])
    rows = [(row["user_id"], row["webhook_id"]) for row in await deliveries(db)]
    assert rows == [(USER, 1), (4712, 2), (USER, 1)]
    numbers = await fetch_value(
        db,
        """
        SELECT array_agg(payload -> 'sequence_number' ORDER BY id)
        FROM webhook_events
        WHERE user_id = %(user_id)s
        """,
        {"user_id": USER},
    )
    assert numbers == [2, 1]


async def test_the_id_of_another_account_is_not_read(db: Db) -> None:
    await world(db)
    await scene.account(db, 4712)
    await scene.campaign(db, 6000, user_id=4712)
    await scene.webhook(db, 2, level="user", user_id=4712)
    await recording.record_sent(db, [replace(SENT, user_id=4712, campaign_id=6000)])
    await recording.record_sent(db, [replace(SENT, user_id=4712)])
    assert await told_ids(db) == []


class Counting:
    """Counts the statements of a connection."""

    def __init__(self, db: Db) -> None:
        self.count = 0
        self._cursor = db.cursor

    def cursor(self, **options: Any) -> Any:
        self.count += 1
        return self._cursor(**options)


@pytest.mark.parametrize("has_webhook", [True, False])
async def test_the_number_of_statements_does_not_grow_with_the_number_of_mails(
    db: Db, monkeypatch: pytest.MonkeyPatch, has_webhook: bool
) -> None:
    await world(db)
    await scene.webhook(db, 1, *(["EMAIL_SENT", "FIRST_EMAIL_SENT"] if has_webhook else ["EMAIL_OPEN"]))
    counting = Counting(db)
    monkeypatch.setattr(db, "cursor", counting.cursor)
    await recording.record_sent(db, [SENT] * 40)
    assert counting.count == (3 if has_webhook else 1)
    monkeypatch.undo()
    assert len(await deliveries(db)) == (80 if has_webhook else 0)


async def test_nothing_happened_asks_nothing(db: Db, monkeypatch: pytest.MonkeyPatch) -> None:
    counting = Counting(db)
    monkeypatch.setattr(db, "cursor", counting.cursor)
    for record in (recording.record_sent, recording.record_opened, recording.record_disconnected):
        await record(db, [])
    await recording.record_category_updated(db, [])
    assert counting.count == 0


async def _reply_waits(db: Db) -> None:
    await world(db, ai_categorisation_options=[1, 2])
    await scene.webhook(db, 1, "EMAIL_REPLY")
    await scene.reply(db)
    await recording.record_replied(
        db, [happenings.Replied(**WITH_LEAD, message_id=MAIL, reply_id=REPLY, at=REPLIED_AT)]
    )


async def test_a_reply_waits_for_its_category_for_ten_seconds_at_most(db: Db) -> None:
    await _reply_waits(db)
    [row] = await deliveries(db)
    assert row["next_attempt_at"] == REPLIED_AT + timedelta(seconds=10)


async def test_a_reply_goes_as_soon_as_it_has_a_category(db: Db) -> None:
    await _reply_waits(db)
    at = REPLIED_AT + timedelta(seconds=3)
    update = happenings.CategoryUpdated(**WITH_LEAD, old_id=None, new_id=1, at=at)
    await recording.record_category_updated(db, [update])
    [row] = await deliveries(db)
    assert row["next_attempt_at"] == at


async def test_a_lead_that_has_a_category_does_not_wait(db: Db) -> None:
    await world(db, ai_categorisation_options=[1])
    await execute(db, "UPDATE campaign_leads SET category_id = 2")
    await scene.webhook(db, 1, "EMAIL_REPLY")
    await scene.reply(db)
    await recording.record_replied(
        db, [happenings.Replied(**WITH_LEAD, message_id=MAIL, reply_id=REPLY, at=REPLIED_AT)]
    )
    [row] = await deliveries(db)
    assert row["next_attempt_at"] == REPLIED_AT


async def test_what_was_rolled_back_is_not_told(database: Database) -> None:
    async with database.transaction() as db:
        await world(db)
        await scene.webhook(db)
    with suppress(psycopg.errors.DivisionByZero):
        async with database.transaction() as db:
            await recording.record_sent(db, [SENT])
            assert len(await deliveries(db)) == 1
            await fetch_value(db, "SELECT 1 / 0")
    async with database.transaction() as db:
        assert await deliveries(db) == []


async def test_the_events_of_mails_are_wired(db: Db) -> None:
    wire()
    await world(db)
    await scene.reply(db)
    await scene.webhook(db, 1, "EMAIL_SENT", "EMAIL_OPEN", "EMAIL_LINK_CLICK", "EMAIL_REPLY")
    place = (USER, CAMPAIGN, CAMPAIGN_LEAD)
    await emit(
        db,
        MessageSent(*place, MAIL, SENT_AT, step_number=1),
        MessageOpened(*place, MAIL, SENT_AT, is_first=True),
        MessageOpened(*place, MAIL, SENT_AT, is_first=False),
        LinkClicked(*place, MAIL, SENT_AT, url="https://a.example/", is_first_of_link=True),
        LinkClicked(*place, MAIL, SENT_AT, url="https://a.example/", is_first_of_link=False),
        ReplyReceived(*place, REPLY, REPLIED_AT, answers_id=MAIL, is_counted=True),
        ReplyReceived(*place, REPLY, REPLIED_AT, answers_id=MAIL, is_counted=False),
    )
    told = await fetch_value(db, "SELECT array_agg(event_type ORDER BY id) FROM webhook_events")
    assert told == ["EMAIL_SENT", "EMAIL_OPEN", "EMAIL_LINK_CLICK", "EMAIL_REPLY"]
