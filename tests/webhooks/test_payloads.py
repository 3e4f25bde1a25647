"""What receivers get, compared key by key with the contract's examples."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from outrider.kit.db import Db, execute
from outrider.webhooks import delivery, happenings, outbox, recording
from outrider.webhooks.spelling import offset_time
from tests.webhooks import scene
from tests.webhooks.scene import CAMPAIGN, CAMPAIGN_LEAD, MAIL, MAILBOX, REPLIED_AT, REPLY, SENT_AT, USER, example

PLACE: dict[str, Any] = {"user_id": USER, "campaign_id": CAMPAIGN}
WITH_LEAD: dict[str, Any] = {**PLACE, "campaign_lead_id": CAMPAIGN_LEAD}
WITH_MAIL: dict[str, Any] = {**WITH_LEAD, "message_id": MAIL}
LATER = datetime(2026, 5, 1, tzinfo=UTC)


async def told(db: Db) -> list[dict[str, Any]]:
    """What would be sent now, in order."""
    deliveries = await outbox.claim(
        db,
        now=LATER,
        wall=LATER,
        leased_until=LATER + timedelta(minutes=1),
        limit=100,
        limit_each=100,
        in_flight={},
    )
    await delivery._add_categories(db, deliveries)
    return [delivery._parcel(each).payload for each in sorted(deliveries, key=lambda each: each.id)]


async def test_email_sent(db: Db) -> None:
    await scene.play(db, "EMAIL_SENT")
    await recording.record_sent(db, [happenings.Sent(**WITH_MAIL, step_number=1, at=SENT_AT)])
    assert await told(db) == [example("email_sent")]


async def test_the_first_mail_is_told_twice_to_who_wants_both(db: Db) -> None:
    await scene.play(db, "EMAIL_SENT", "FIRST_EMAIL_SENT")
    await recording.record_sent(db, [happenings.Sent(**WITH_MAIL, step_number=1, at=SENT_AT)])
    assert [payload["event_type"] for payload in await told(db)] == ["EMAIL_SENT"]
    await execute(db, "UPDATE webhook_deliveries SET total_attempts = 1")
    first = (await told(db))[-1]
    assert first == {**example("email_sent"), "event_type": "FIRST_EMAIL_SENT"}


async def test_only_step_one_is_a_first_mail(db: Db) -> None:
    await scene.play(db, "FIRST_EMAIL_SENT")
    await recording.record_sent(db, [happenings.Sent(**WITH_MAIL, step_number=2, at=SENT_AT)])
    assert await told(db) == []


async def test_email_open(db: Db) -> None:
    await scene.account(db)
    await scene.client(db)
    await scene.campaign(db, client_id=31)
    await scene.lead(db)
    await scene.mail(db)
    await scene.webhook(db, scene.WEBHOOK, "EMAIL_OPEN")
    at = datetime(2026, 3, 30, 9, 10, 44, 902_000, tzinfo=UTC)
    await recording.record_opened(db, [happenings.Opened(**WITH_MAIL, at=at)])
    assert await told(db) == [example("email_open")]


async def test_email_link_click(db: Db) -> None:
    await scene.play(db, "EMAIL_LINK_CLICK")
    at = datetime(2026, 3, 30, 9, 11, 30, tzinfo=UTC)
    click = happenings.Clicked(**WITH_MAIL, url="https://send.example/pricing?ref=a", at=at)
    await recording.record_clicked(db, [click])
    assert await told(db) == [example("email_link_click")]


async def test_email_reply(db: Db) -> None:
    await scene.play(db, "EMAIL_REPLY")
    await scene.reply(db)
    await execute(db, "UPDATE campaign_leads SET category_id = 1")
    await recording.record_replied(db, [happenings.Replied(**WITH_MAIL, reply_id=REPLY, at=REPLIED_AT)])
    assert await told(db) == [example("email_reply")]


async def test_a_reply_of_a_lead_without_category_has_none(db: Db) -> None:
    await scene.play(db, "EMAIL_REPLY")
    await scene.reply(db)
    await recording.record_replied(db, [happenings.Replied(**WITH_MAIL, reply_id=REPLY, at=REPLIED_AT)])
    [payload] = await told(db)
    assert payload == {key: value for key, value in example("email_reply").items() if key != "reply_category"}


async def test_a_plain_text_reply_is_escaped_and_its_quotes_are_cut(db: Db) -> None:
    await scene.play(db, "EMAIL_REPLY")
    text = "Yes & no <b>\n\nOn Mon, 30 Mar 2026 at 10:00, Jo <jo@send.example> wrote:\n> Hello Mira\n"
    await scene.reply(db, html=None, text=text, cc=["JO@send.example", "kim@orr.example"])
    await recording.record_replied(db, [happenings.Replied(**WITH_MAIL, reply_id=REPLY, at=REPLIED_AT)])
    [payload] = await told(db)
    assert payload["reply_message"]["text"] == payload["preview_text"] == "Yes & no <b>\n"
    assert payload["reply_body"] == payload["reply_message"]["html"]
    assert payload["reply_body"].startswith("<p>Yes &amp; no &lt;b&gt;</p>")
    assert "Hello Mira" in payload["reply_body"]
    assert payload["cc_emails"] == ["kim@orr.example"]


async def test_a_long_reply_has_a_short_preview(db: Db) -> None:
    await scene.play(db, "EMAIL_REPLY")
    await scene.reply(db, html=None, text="word " * 300)
    await recording.record_replied(db, [happenings.Replied(**WITH_MAIL, reply_id=REPLY, at=REPLIED_AT)])
    [payload] = await told(db)
    assert len(payload["preview_text"]) == 500
    assert len(payload["reply_message"]["text"]) > 1000


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b"Message-ID: <a@b.example>\r\n\r\nYes", "<CAK9x+qd71@mail.tallowworks.example>"),
        (b"From: sam@tallowworks.example\r\n\r\nYes", None),
    ],
)
async def test_a_reply_without_a_message_id_has_none(db: Db, raw: bytes, shown: str | None) -> None:
    await scene.play(db, "EMAIL_REPLY")
    await scene.reply(db, raw=raw)
    await recording.record_replied(db, [happenings.Replied(**WITH_MAIL, reply_id=REPLY, at=REPLIED_AT)])
    [payload] = await told(db)
    assert payload["message_id"] == payload["reply_message"]["message_id"] == shown


async def test_a_reply_without_a_sender_is_the_leads(db: Db) -> None:
    await scene.play(db, "EMAIL_REPLY")
    await scene.reply(db, from_email="")
    await recording.record_replied(db, [happenings.Replied(**WITH_MAIL, reply_id=REPLY, at=REPLIED_AT)])
    [payload] = await told(db)
    assert payload["leadCorrespondence"] == {
        "targetLeadEmail": "mira@tallowworks.example",
        "replyReceivedFrom": "mira@tallowworks.example",
        "repliedCompanyDomain": "Unknown",
    }


async def test_who_answered_is_read_from_the_headers(db: Db) -> None:
    await scene.play(db, "EMAIL_REPLY")
    raw = b"From: Jo <jo@send.example>\r\nSender: Kim <kim@orr.example>\r\n\r\nYes"
    await scene.reply(db, from_email="jo@send.example", raw=raw)
    await recording.record_replied(db, [happenings.Replied(**WITH_MAIL, reply_id=REPLY, at=REPLIED_AT)])
    [payload] = await told(db)
    assert payload["leadCorrespondence"] == {
        "targetLeadEmail": "mira@tallowworks.example",
        "replyReceivedFrom": "kim@orr.example",
        "repliedCompanyDomain": "DifferentCompany",
    }


async def test_a_reply_to_a_manual_answer_says_so(db: Db) -> None:
    await scene.play(db, "EMAIL_REPLY")
    await execute(db, "UPDATE messages SET kind = 'MANUAL', step_id = NULL, step_number = NULL, subject = NULL")
    await scene.reply(db)
    await recording.record_replied(db, [happenings.Replied(**WITH_MAIL, reply_id=REPLY, at=REPLIED_AT)])
    [payload] = await told(db)
    assert (payload["reply_source"], payload["sequence_number"], payload["subject"]) == ("MANUAL", 1, "")


async def _bounced_scene(db: Db, **mail_values: Any) -> dict[str, Any]:
    """Another lead, whose mail came back."""
    await scene.play(db, "EMAIL_BOUNCE")
    await scene.lead(
        db, 90418, 120554, email="gone@nowhere.example", first_name="Ida", last_name="Gone", company_name="Nowhere"
    )
    await scene.mail(
        db,
        600,
        html="<p>Hello Ida</p>",
        stats_id="0c1d2e3f-1111-4222-8333-444455556666",
        campaign_lead_id=120554,
        lead_id=90418,
        to_email="gone@nowhere.example",
        subject="Idea for Nowhere",
        status="BOUNCED",
        sent_at=datetime(2026, 3, 30, 8, 1, 10, 23_000, tzinfo=UTC),
        **{"bounce_kind": "HARD", "bounce_reason": "5.1.1 No such user", **mail_values},
    )
    return {**PLACE, "campaign_lead_id": 120554, "message_id": 600}


BOUNCED_AT = datetime(2026, 3, 30, 8, 1, 12, tzinfo=UTC)


async def test_email_bounce_by_a_report(db: Db) -> None:
    place = await _bounced_scene(db)
    await scene.reply(
        db,
        601,
        kind="BOUNCE",
        html=None,
        text="No such user gone@nowhere.example\n",
        message_id="b1.77@mx.nowhere.example",
        from_email="mailer-daemon@mx.nowhere.example",
        sent_at=BOUNCED_AT,
    )
    await recording.record_bounced(db, [happenings.Bounced(**place, report_id=601, at=BOUNCED_AT)])
    assert await told(db) == [example("email_bounce")]


async def test_email_bounce_at_submission_has_no_report(db: Db) -> None:
    place = await _bounced_scene(db, reply_text="No such user <gone>", bounced_at=BOUNCED_AT)
    await recording.record_bounced(db, [happenings.Bounced(**place, report_id=None, at=BOUNCED_AT)])
    [payload] = await told(db)
    said = "No such user &lt;gone&gt;"
    assert payload == {
        **example("email_bounce"),
        "bounce_reply_message_id": None,
        "bounce_reply_email": said,
        "bounce_reply_email_preview": said,
        "bounce_message": {"message_id": None, "html": said, "text": said, "time": "2026-03-30T08:01:12.000Z"},
    }


@pytest.mark.parametrize(
    ("kind", "shown", "is_ours"), [("HARD", "hard", False), ("SOFT", "soft", False), ("SENDER", "block", True)]
)
async def test_kinds_of_bounces(db: Db, kind: str, shown: str, is_ours: bool) -> None:
    place = await _bounced_scene(db, bounce_kind=kind)
    await recording.record_bounced(db, [happenings.Bounced(**place, report_id=None, at=BOUNCED_AT)])
    [payload] = await told(db)
    assert (payload["bounce_type"], payload["is_sender_originated_bounce"]) == (shown, is_ours)


UNSUBSCRIBED_AT = datetime(2026, 3, 31, 7, 15, 9, 940_000, tzinfo=UTC)


async def test_lead_unsubscribed(db: Db) -> None:
    await scene.play(db, "LEAD_UNSUBSCRIBED")
    await recording.record_unsubscribed(db, [happenings.Unsubscribed(**WITH_LEAD, message_id=None, at=UNSUBSCRIBED_AT)])
    assert await told(db) == [example("lead_unsubscribed")]


async def test_lead_unsubscribed_without_any_mail(db: Db) -> None:
    await scene.play(db, "LEAD_UNSUBSCRIBED")
    await execute(db, "DELETE FROM messages")
    await execute(db, "UPDATE campaign_leads SET mailbox_id = NULL")
    await execute(db, "UPDATE leads SET unsubscribed_client_ids = '{31}'")
    await recording.record_unsubscribed(db, [happenings.Unsubscribed(**WITH_LEAD, message_id=None, at=UNSUBSCRIBED_AT)])
    [payload] = await told(db)
    expected = {
        **example("lead_unsubscribed"),
        "from_email": "",
        "sent_message": {"message_id": None, "text": ""},
        "unsubscribed_client_id_map": {"31": True},
    }
    del expected["stats_id"], expected["sequence_number"]
    assert payload == expected


CATEGORY_AT = datetime(2026, 3, 30, 11, 42, 15, 4_000, tzinfo=UTC)


async def test_lead_category_updated(db: Db) -> None:
    await scene.play(db, "LEAD_CATEGORY_UPDATED")
    await execute(db, """UPDATE leads SET website = 'tallowworks.example', custom_fields = '{"tier": "2"}'""")
    await scene.reply(db, html="<div>Sounds good, Tuesday?</div>", cc=[])
    await recording.record_category_updated(
        db, [happenings.CategoryUpdated(**WITH_LEAD, old_id=None, new_id=1, at=CATEGORY_AT)]
    )
    assert await told(db) == [example("lead_category_updated")]


async def test_a_category_that_was_cleared(db: Db) -> None:
    await scene.play(db, "LEAD_CATEGORY_UPDATED")
    await execute(db, "DELETE FROM messages")
    await recording.record_category_updated(
        db, [happenings.CategoryUpdated(**WITH_LEAD, old_id=2, new_id=None, at=CATEGORY_AT)]
    )
    [payload] = await told(db)
    assert payload["lead_category"] == {"old_id": 2, "old_name": "Meeting Request", "new_id": None, "new_name": None}
    assert payload["category"] is payload["lead_category_id"] is payload["lastReply"] is payload["last_reply"] is None
    assert payload["lead_data"]["category"] == {"name": None, "sentiment_type": None}
    assert payload["history"] == []
    assert "stats_id" not in payload


STATUS_AT = datetime(2026, 3, 31, 10, tzinfo=UTC)


async def test_campaign_status_changed(db: Db) -> None:
    await scene.play(db, "CAMPAIGN_STATUS_CHANGED")
    change = happenings.StatusChanged(**PLACE, previous="ACTIVE", current="PAUSED", at=STATUS_AT)
    await recording.record_status_changed(db, [change])
    assert await told(db) == [example("campaign_status_changed")]


async def test_an_auto_pause_tells_the_rate(db: Db) -> None:
    await scene.play(db, "CAMPAIGN_STATUS_CHANGED")
    change = happenings.StatusChanged(
        **PLACE, previous="ACTIVE", current="PAUSED", bounce_rate="5.2", threshold="5", at=STATUS_AT
    )
    await recording.record_status_changed(db, [change])
    [payload] = await told(db)
    assert (payload["bounce_rate"], payload["bounce_autopause_threshold"]) == ("5.2", "5")


UNTRACKED_AT = datetime(2026, 3, 31, 12, tzinfo=UTC)


async def test_untracked_replies(db: Db) -> None:
    await scene.play(db, "UNTRACKED_REPLIES")
    await scene.reply(
        db,
        700,
        kind="UNTRACKED",
        campaign_id=None,
        campaign_lead_id=None,
        lead_id=None,
        message_id="k1@orr.example",
        from_email="kim@orr.example",
        cc=[],
        subject="Question",
        sent_at=UNTRACKED_AT,
        html="<p>Who are you?</p>",
        raw=b"From: Kim Orr <kim@orr.example>\r\nMessage-ID: <k1@orr.example>\r\n\r\nWho are you?",
    )
    reply = happenings.UntrackedReplyReceived(user_id=USER, mailbox_id=MAILBOX, message_id=700, at=UNTRACKED_AT)
    await recording.record_untracked_replies(db, [reply])
    assert await told(db) == [example("untracked_replies")]


async def test_manual_step_reached(db: Db) -> None:
    await scene.play(db, "MANUAL_STEP_REACHED")
    await scene.insert(
        db,
        "steps",
        id=9902,
        user_id=USER,
        campaign_id=CAMPAIGN,
        number=2,
        type="MANUAL",
        delay_days=1,
        subject="",
        email_body="",
        variant_distribution_type="MANUAL_EQUAL",
        created_at=SENT_AT,
        updated_at=SENT_AT,
    )
    at = datetime(2026, 4, 2, 8, tzinfo=UTC)
    reached = happenings.ManualStepReached(**WITH_LEAD, step_id=9902, step_number=2, at=at)
    await recording.record_manual_step_reached(db, [reached])
    assert await told(db) == [{**example("manual_step_reached"), "task_id": None}]


async def test_email_account_disconnected(db: Db) -> None:
    await scene.play(db, "EMAIL_SENT")
    await scene.webhook(db, 8200, "EMAIL_ACCOUNT_DISCONNECTED", level="user")
    await execute(db, "UPDATE mailboxes SET is_smtp_success = false, smtp_failure_error = '535 no'")
    lost = happenings.Disconnected(user_id=USER, mailbox_id=MAILBOX, at=STATUS_AT)
    await recording.record_disconnected(db, [lost])
    assert await told(db) == [
        {
            "email_account_id": MAILBOX,
            "from_email": "jo@send.example",
            "from_name": "Jo",
            "type": "SMTP",
            "is_smtp_success": False,
            "is_imap_success": True,
            "smtp_failure_error": "535 no",
            "imap_failure_error": None,
            "client_id": None,
            "event_timestamp": "2026-03-31T10:00:00+00:00",
            "description": "Email account jo@send.example got disconnected",
            "secret_key": scene.SECRET,
            "metadata": {"webhook_created_at": "2026-03-02T09:14:21.530Z"},
            "webhook_url": "https://hooks.example.net/sl/7f2c",
            "webhook_id": 8200,
            "webhook_name": "CRM replies",
            "event_type": "EMAIL_ACCOUNT_DISCONNECTED",
        }
    ]


async def test_a_plain_text_mail_has_html_made_from_it(db: Db) -> None:
    await scene.play(db, "EMAIL_SENT")
    await execute(db, "UPDATE message_bodies SET html = NULL, text = 'Hello <Mira>'")
    await recording.record_sent(db, [happenings.Sent(**WITH_MAIL, step_number=1, at=SENT_AT)])
    [payload] = await told(db)
    assert payload["sent_message"]["text"] == "Hello <Mira>"
    assert payload["sent_message"]["html"] == payload["sent_message_body"] == "<p>Hello &lt;Mira&gt;</p>"


async def test_a_deleted_lead_is_told_by_its_mail(db: Db) -> None:
    await scene.play(db, "EMAIL_OPEN")
    await execute(db, "DELETE FROM leads")
    await recording.record_opened(db, [happenings.Opened(**WITH_MAIL, at=SENT_AT)])
    [payload] = await told(db)
    assert (payload["to_email"], payload["to_name"]) == ("mira@tallowworks.example", "")


async def test_an_event_is_frozen_and_the_webhook_is_not(db: Db) -> None:
    await scene.play(db, "EMAIL_SENT")
    await recording.record_sent(db, [happenings.Sent(**WITH_MAIL, step_number=1, at=SENT_AT)])
    await execute(db, "UPDATE campaigns SET name = 'Autumn', status = 'PAUSED'")
    await execute(db, "UPDATE webhooks SET name = 'New', webhook_url = 'https://new.example/', secret_key = 'hush'")
    [payload] = await told(db)
    assert payload == {
        **example("email_sent"),
        "webhook_name": "New",
        "webhook_url": "https://new.example/",
        "secret_key": "hush",
    }


@pytest.mark.parametrize(
    ("microsecond", "shown"),
    [(0, "09:58:40+00:00"), (999, "09:58:40+00:00"), (311_999, "09:58:40.311+00:00"), (100_000, "09:58:40.100+00:00")],
)
def test_times_have_a_fraction_only_where_there_is_one(microsecond: int, shown: str) -> None:
    assert offset_time(datetime(2026, 3, 30, 9, 58, 40, microsecond, tzinfo=UTC)) == f"2026-03-30T{shown}"
