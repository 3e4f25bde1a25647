"""What people see when they are logged in, and what they do not see of others."""

import re
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import uuid4

import pytest

from outrider.kit.clock import SYSTEM_CLOCK
from outrider.kit.db import Db, execute
from outrider.mailboxes import state
from outrider.messages import ledger
from outrider.messages.ledger import EventRow
from outrider.messages.verdicts import ReplyVerdict, record
from tests.support import leads, make
from tests.support.client import ApiClient
from tests.web.conftest import Browser, Member

HOSTILE = """<script>alert(1)</script><img src=x onerror=alert(2)><img src="https://spy.example/p.gif">
<form action="https://evil.example"><input name=password></form><a href="javascript:alert(3)">here</a>
<div style="position:fixed;top:0" onclick="alert(4)">covers all</div><iframe src="https://evil.example"></iframe>"""


class World:
    """A campaign of `member` with a mailbox and a lead that got its first email and answered."""

    def __init__(self, campaign_id: int, mailbox_id: int, map_id: int, sent_id: int, reply_id: int) -> None:
        self.campaign_id = campaign_id
        self.mailbox_id = mailbox_id
        self.map_id = map_id
        self.sent_id = sent_id
        self.reply_id = reply_id


@pytest.fixture
async def member_api(app: object, db: Db, member: Member, connect: object) -> ApiClient:
    return await connect(app, db, user_id=member.user_id)  # type: ignore[operator,no-any-return]


@pytest.fixture
async def world(db: Db, member: Member, member_api: ApiClient, now: datetime) -> World:
    user_id = member.user_id
    campaign_id = await make.campaign(db, user_id, has_step=False)
    step_id = await make.step(db, user_id, campaign_id, subject="Port fees <3")
    mailbox_id = await make.mailbox(db, user_id, from_email="liv@hexly.example")
    await make.attach(db, user_id, campaign_id, mailbox_id)
    lead_id = await leads.add_one(member_api, campaign_id, "ada@lovelace.example", first_name="Ada", last_name="L<i>")
    await leads.mark_sent(db, campaign_id, lead_id, step_id=step_id, mailbox_id=mailbox_id)
    await leads.change_place(
        db, campaign_id, lead_id, "status = 'STOPPED', hold_reason = 'REPLIED', last_reply_at = %(at)s", at=now
    )
    map_id = int((await leads.place(db, campaign_id, lead_id))["id"])
    given = {
        "step_id": step_id,
        "mailbox_id": mailbox_id,
        "to_email": "ada@lovelace.example",
        "subject": "Port fees <3",
    }
    sent_id = await leads.mail(
        db,
        user_id,
        campaign_id,
        lead_id,
        **given,
        first_opened_at=now,
        open_count=1,
        first_replied_at=now,  # type: ignore[arg-type]
    )
    reply_id = await leads.mail(
        db,
        user_id,
        campaign_id,
        lead_id,
        step_id=None,
        sent_at=now + timedelta(minutes=1),
        direction="IN",
        kind="REPLY",
        status="RECEIVED",
        from_email="ada@lovelace.example",
        to_email="liv@hexly.example",
        subject="Re: Port fees <3",
        answers_id=sent_id,
        stats_id=uuid4(),
    )
    await _write(db, sent_id, "<p>How are your port fees?</p>", None)
    await _write(db, reply_id, HOSTILE, None)
    await ledger.record_events(
        db,
        [
            EventRow(user_id, campaign_id, map_id, sent_id, "SENT", now),
            EventRow(user_id, campaign_id, map_id, sent_id, "REPLIED", now + timedelta(minutes=1)),
        ],
    )
    return World(campaign_id, mailbox_id, map_id, sent_id, reply_id)


async def _write(db: Db, message_id: int, html: str | None, text: str | None) -> None:
    await execute(
        db,
        "INSERT INTO message_bodies (message_id, html, text) VALUES (%(id)s, %(html)s, %(text)s)",
        {"id": message_id, "html": html, "text": text},
    )


def words(page: str) -> str:
    """The text of a page in one line."""
    return " ".join(re.sub(r"<[^>]+>", " ", page.partition("<main")[2]).split())


async def test_an_empty_account_is_told_what_to_do(browser: Browser) -> None:
    page = await browser.page("/app/")
    for text in ("No campaign yet", "/api/v1/campaigns/create", "No mailbox yet", "/api/v1/email-accounts/save"):
        assert text in page
    assert "outrider key create --email nora@hexly.example" in page
    assert "No reply yet" in await browser.page("/app/master-inbox")


async def test_the_overview_shows_campaigns_mailboxes_and_events(browser: Browser, world: World) -> None:
    text = words(await browser.page("/app/"))
    assert "Harbour CFO outreach Draft Ready. Start it to send. 1 of 1" in text
    assert "liv@hexly.example Nora Quist Ready 0 of 100 1" in text
    assert "Replied step 1 ada@lovelace.example Harbour CFO outreach" in text
    assert text.index("Replied step 1") < text.index("Sent step 1")


async def test_a_hold_is_told_with_its_end(browser: Browser, world: World, db: Db, now: datetime) -> None:
    await execute(
        db,
        """
        UPDATE campaigns
        SET status = 'ACTIVE', hold_code = 'OUTSIDE_WINDOW', hold_text = 'Outside the sending hours.',
            hold_until = %(until)s
        """,
        {"until": now + timedelta(days=1)},
    )
    await state.record_holds(
        db, [world.mailbox_id], ["DAILY_CAP"], ["It has sent its 100."], [now + timedelta(hours=5)]
    )
    for path in ("/app/", f"/app/email-campaign/{world.campaign_id}/analytics"):
        text = words(await browser.page(path))
        assert "Waiting Outside the sending hours. Goes on Tue 3 Mar 09:00 UTC ." in text
        assert "Resting It has sent its 100. Goes on 14:00 UTC ." in text


async def test_a_mailbox_that_cannot_log_in_stops_its_campaign_visibly(
    browser: Browser, world: World, db: Db, now: datetime
) -> None:
    await execute(db, "UPDATE campaigns SET status = 'ACTIVE'")
    await execute(db, "UPDATE mailboxes SET is_smtp_success = false, smtp_failure_error = '535 5.7.8 <refused>'")
    page = await browser.page("/app/")
    assert "Cannot log in" in page
    assert "No mailbox can send. liv@hexly.example: 535 5.7.8 &lt;refused&gt;." in page
    assert "<refused>" not in page


async def test_untracked_figures_are_dashes(browser: Browser, world: World, db: Db) -> None:
    await execute(db, "UPDATE campaigns SET track_settings = '{DONT_EMAIL_OPEN,DONT_LINK_CLICK}'")
    assert words(await browser.page("/app/")).count("–") == 2


async def test_a_silent_engine_is_told(browser: Browser, world: World, db: Db) -> None:
    assert "sending engine does not report" in await browser.page("/app/")
    sql = "INSERT INTO engines (id, lock_key, started_at, heartbeat_at) VALUES (%(id)s, 1, %(wall)s, %(wall)s)"
    await execute(db, sql, {"id": uuid4(), "wall": SYSTEM_CLOCK.wall()})
    assert "sending engine does not report" not in await browser.page("/app/")


async def test_a_campaign_shows_steps_and_leads_with_their_reason(browser: Browser, world: World) -> None:
    page = await browser.page(f"/app/email-campaign/{world.campaign_id}/analytics")
    text = words(page)
    assert "1. Port fees &lt;3 first email 1 1 0 1 0 0" in text
    assert "ada@lovelace.example Ada L&lt;i&gt; Replied The lead has answered. 1 09:00 UTC liv@hexly.example" in text
    assert f"/app/master-inbox?leadMap={world.map_id}" in page


@pytest.mark.parametrize(
    ("query", "is_shown"),
    [
        ("status=STOPPED", True),
        ("status=BLOCKED", False),
        ("did=replied", True),
        ("did=opened", True),
        ("did=clicked", False),
        ("did=contacted", True),
        ("status=%00&did=%27&leads=-1", True),
        ("leads=99999999999999999999999", True),
    ],
)
async def test_leads_can_be_narrowed_down(browser: Browser, world: World, query: str, is_shown: bool) -> None:
    page = await browser.page(f"/app/email-campaign/{world.campaign_id}/analytics?{query}")
    assert ("ada@lovelace.example" in page) is is_shown
    assert ("No lead of this campaign is in this state" in page) is not is_shown


async def test_long_lists_go_on(browser: Browser, member: Member, member_api: ApiClient, db: Db) -> None:
    campaign_id = await make.campaign(db, member.user_id)
    await leads.add(member_api, campaign_id, *(f"lead{number}@many.example" for number in range(60)))
    page = await browser.page(f"/app/email-campaign/{campaign_id}/analytics?status=STARTED")
    assert page.count("@many.example") == 50
    assert "Show 10 more of 60 leads" in page
    more = re.search(r'href="(\?[^"#]+)#leads"', page)
    assert more
    address = f"/app/email-campaign/{campaign_id}/analytics" + more[1].replace("&amp;", "&")
    assert (await browser.page(address)).count("@many.example") == 60


async def test_a_conversation_is_shown_oldest_first(browser: Browser, world: World) -> None:
    page = await browser.page(f"/app/master-inbox?leadMap={world.map_id}")
    assert page.index(f"/app/mail/{world.sent_id}") < page.index(f"/app/mail/{world.reply_id}")
    assert "Ada L&lt;i&gt;" in page
    assert "Images from elsewhere are not loaded" in page
    assert "ada@lovelace.example" in await browser.page("/app/master-inbox")


async def test_a_conversation_says_what_the_program_made_of_a_reply(
    browser: Browser, world: World, member: Member, *, db: Db, now: datetime
) -> None:
    verdict = ReplyVerdict(world.reply_id, 5, 0.934, "MODEL", "Speaks of <b>price.")
    assert await record(db, member.user_id, verdict, now=now)
    assert not await record(db, member.user_id, replace(verdict, category_id=3), now=now)
    text = words(await browser.page(f"/app/master-inbox?leadMap={world.map_id}"))
    assert "Information Request 93 % sure, categorised by the program. Speaks of &lt;b&gt;price." in text


async def test_a_hostile_mail_is_shown_harmlessly(browser: Browser, world: World) -> None:
    answer = await browser.get(f"/app/mail/{world.reply_id}")
    for evil in (
        "<script",
        "onerror",
        "onclick",
        "spy.example",
        "evil.example",
        "<form",
        "<iframe",
        "javascript:",
        "fixed",
    ):
        assert evil not in answer.text
    assert "covers all" in answer.text
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "sandbox allow-popups" in policy
    assert not {"allow-scripts", "allow-same-origin", "allow-forms"} & set(policy.split())
    conversation = await browser.page(f"/app/master-inbox?leadMap={world.map_id}")
    assert '<pre dir="auto">here\ncovers all</pre>' in conversation  # the reply in its author's words only
    for evil in ("spy.example", "evil.example", "alert", "position"):
        assert evil not in conversation


async def test_a_plain_text_mail_is_text(browser: Browser, world: World, db: Db) -> None:
    await execute(
        db,
        "UPDATE message_bodies SET html = NULL, text = '<b>Yes</b>' WHERE message_id = %(id)s",
        {"id": world.reply_id},
    )
    assert '<pre dir="auto">&lt;b&gt;Yes&lt;/b&gt;</pre>' in await browser.page(
        f"/app/master-inbox?leadMap={world.map_id}"
    )
    assert (await browser.get(f"/app/mail/{world.reply_id}")).status_code == 404


async def test_another_account_sees_nothing_of_it(other_browser: Browser, world: World) -> None:
    for path in (
        f"/app/email-campaign/{world.campaign_id}/analytics",
        f"/app/master-inbox?leadMap={world.map_id}",
        f"/app/mail/{world.reply_id}",
    ):
        answer = await other_browser.get(path)
        assert answer.status_code == 404
        assert "not in your account" in answer.text
        assert "ada" not in answer.text
    for path in ("/app/", "/app/master-inbox"):
        page = await other_browser.page(path)
        assert "Harbour CFO outreach" not in page
        assert "ada@lovelace.example" not in page
        assert "liv@hexly.example" not in page


@pytest.mark.parametrize(
    "path",
    [
        "/app/nowhere",
        "/app/email-campaign/0/analytics",
        "/app/email-campaign/abc/analytics",
        "/app/email-campaign/99999999999999999999999/analytics",
        "/app/email-campaign/%C2%B2/analytics",
        "/app/master-inbox?leadMap=9223372036854775808",
        "/app/master-inbox?leadMap=%00",
        "/app/mail/-1",
    ],
)
async def test_what_is_not_there_is_a_page_too(browser: Browser, path: str) -> None:
    answer = await browser.get(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "There is no such page" in answer.text


@pytest.mark.parametrize("path", ["/app/", "/app/master-inbox", "/app/email-campaign/1/analytics", "/app/mail/1"])
async def test_nothing_is_shown_to_nobody(visitor: Browser, member: Member, path: str) -> None:
    answer = await visitor.get(path)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/app/log-in")
