"""Mails on the wire: what they say, how they thread, and what becomes of them whatever the server says."""

import re
from datetime import timedelta

import pytest

from outrider.kit.db import execute
from outrider.leads.reallocation import reallocate
from outrider.messages import ledger
from outrider.sandbox import GREYLISTED, LOGIN_BUSY, NO_SUCH_USER, QUOTA_EXCEEDED, SPAM_POLICY, Behaviour, Fault, Moment
from outrider.sandbox.browser import links
from outrider.sandbox.faults import Refusal
from outrider.tracking import tokens
from tests.engine.sending import TRACKING_URL, Sending
from tests.support import make


async def _campaign(
    sending: Sending, *, leads: int = 1, steps: int = 1, **changes: object
) -> tuple[int, list[int], int]:
    """One mailbox, one campaign; returns (campaign, leads in it, mailbox)."""
    async with sending.database.transaction() as db:
        world = await sending.world(db)
        mailbox_id = await sending.mailbox(world, signature="<p>Nora</p>")
        campaign_id = await world.campaign([mailbox_id], steps=steps, min_time_between_emails=1, **changes)
        return campaign_id, await world.leads(campaign_id, leads), mailbox_id


async def test_a_mail_says_what_the_step_says_and_is_kept_as_it_was(sending: Sending) -> None:
    _, [lead], mailbox_id = await _campaign(
        sending, unsubscribe_text="No more mails", add_unsubscribe_tag=True, track_settings=[]
    )
    await sending.execute(
        """UPDATE steps SET subject = 'Fees, {{first_name}}?',
           email_body = '<p>Hello {{first_name}}, <a href="https://x.example/?a=1&amp;b=2">look</a></p>%%signature%%'"""
    )
    assert await sending.round() == 1
    mail = sending.only_mail()
    [message] = await sending.rows("SELECT * FROM messages")
    [body] = await sending.rows("SELECT * FROM message_bodies")
    assert mail.subject == message["subject"] == "Fees, Ada?"
    assert mail.recipient == message["to_email"]
    assert mail.message_id == message["message_id"]
    assert (message["status"], message["sent_at"]) == ("SENT", sending.clock.time)
    assert "Hello Ada, look (https://x.example/?a=1&b=2)" in mail.text
    assert "<p>Nora</p>" in mail.html
    # What leaves is tracked, what is kept is not.
    assert tokens.open_path(make.VAULT, message["id"]) in mail.html
    link = tokens.click_path(make.VAULT, message["id"], "https://x.example/?a=1&b=2")
    assert f'href="{TRACKING_URL}{link}"' in mail.html
    assert TRACKING_URL not in body["html"].replace("/u/", "").split("No more mails")[0].split("look")[0]
    assert 'href="https://x.example/?a=1&amp;b=2"' in body["html"]
    assert mail.offers_one_click
    way_out = TRACKING_URL + tokens.unsubscribe_path(make.VAULT, sending.user_id, lead, mail.recipient)
    assert way_out in mail.unsubscribe_addresses
    assert f'href="{way_out}"' in mail.html
    row = await sending.row("campaign_leads", lead)
    assert (row["status"], row["mailbox_id"], row["last_step_number"]) == ("COMPLETED", mailbox_id, 1)
    assert [event["type"] for event in await sending.rows("SELECT type FROM message_events")] == ["SENT"]
    assert sending.sent_copies == [(mailbox_id, mail.raw)] or sending.sent_copies[0][0] == mailbox_id


async def test_follow_ups_thread_by_headers_and_subject_until_a_step_has_its_own(sending: Sending) -> None:
    await _campaign(sending, steps=4)
    await sending.execute("UPDATE steps SET subject = 'Another matter' WHERE number = 3")
    for _ in range(4):
        assert await sending.round() == 1
        sending.clock.time += timedelta(days=1)
    first, second, third, fourth = sending.sandbox.mails
    assert second.subject == f"Re: {first.subject}"
    assert (second.in_reply_to, second.references) == (first.message_id, (first.message_id,))
    assert (third.subject, third.in_reply_to, third.references) == ("Another matter", "", ())
    assert fourth.subject == "Re: Another matter"
    assert (fourth.in_reply_to, fourth.references) == (third.message_id, (third.message_id,))


async def test_the_next_step_is_due_at_the_same_time_of_day_counted_from_the_real_send(sending: Sending) -> None:
    _, [lead], _ = await _campaign(sending, steps=2, timezone="Europe/Lisbon")
    await sending.execute("UPDATE steps SET delay_days = 3 WHERE number = 2")
    sending.clock.time += timedelta(hours=2)
    await sending.round()
    row = await sending.row("campaign_leads", lead)
    assert (row["status"], row["due_at"]) == ("INPROGRESS", sending.clock.time + timedelta(days=3))


@pytest.mark.parametrize("setting", ["send_as_plain_text", "force_plain_text"])
async def test_plain_text_has_no_html_no_pixel_and_no_rewritten_link(sending: Sending, setting: str) -> None:
    await _campaign(sending, unsubscribe_text="No more mails", add_unsubscribe_tag=True, **{setting: True})
    await sending.execute("""UPDATE steps SET email_body = '<p>See <a href="https://x.example/">this</a></p>'""")
    await sending.round()
    mail = sending.only_mail()
    assert mail.html == ""
    assert "See this (https://x.example/)" in mail.text
    assert "No more mails" in mail.text
    assert TRACKING_URL not in mail.text
    assert mail.offers_one_click
    [message] = await sending.rows("SELECT is_open_tracked FROM messages")
    assert message["is_open_tracked"] is False


@pytest.mark.parametrize(
    ("body", "settings", "traps"),
    [
        ('<p>See <a href="https://x.example/">this</a> and <a href="https://y.example/">that</a></p>', [], 1),
        ('<p>See <a href="https://x.example/">this</a></p>', ["DONT_LINK_CLICK"], 0),
        ('<p>Write to <a href="mailto:us@ours.example">us</a></p>', [], 0),
        ("Hello", [], 0),
    ],
)
async def test_a_mail_with_counted_links_has_one_that_nobody_sees(
    sending: Sending, body: str, settings: list[str], traps: int
) -> None:
    await _campaign(sending, track_settings=settings)
    await sending.execute(f"UPDATE steps SET email_body = '{body}'")  # noqa: S608 - texts from above
    await sending.round()
    mail = sending.only_mail()
    hidden = re.findall(
        rf'<a href="{TRACKING_URL}(/c/[\w-]+)" style="display:none" aria-hidden="true" tabindex="-1"></a>', mail.html
    )
    assert len(hidden) == traps
    [message] = await sending.rows("SELECT id FROM messages")
    for path in hidden:
        click = tokens.read_click(make.VAULT, path.removeprefix("/c/"))
        assert click is not None
        assert (click.message_id, click.is_trap) == (message["id"], True)
        assert path not in "".join(links(mail.html))  # nor does anybody of the sandbox see it


async def test_what_is_not_to_be_tracked_is_not(sending: Sending) -> None:
    await _campaign(sending, track_settings=["DONT_EMAIL_OPEN", "DONT_LINK_CLICK"])
    await sending.execute("""UPDATE steps SET email_body = '<p>See <a href="https://x.example/">this</a></p>'""")
    await sending.round()
    assert TRACKING_URL not in sending.only_mail().html


async def test_variants_are_split_and_remembered(sending: Sending) -> None:
    await _campaign(sending, leads=10, max_new_leads_per_day=100)
    async with sending.database.transaction() as db:
        for label, share in (("A", 70), ("B", 30)):
            await execute(
                db,
                """
                INSERT INTO variants (user_id, campaign_id, step_id, position, variant_label, subject, email_body,
                                      variant_distribution_percentage, created_at, updated_at)
                SELECT user_id, campaign_id, id, %(position)s, %(label)s, 'Text ' || %(label)s, 'Hello', %(share)s,
                       created_at, created_at FROM steps
                """,
                {"position": ord(label), "label": label, "share": share},
            )
        await execute(db, "UPDATE steps SET variant_distribution_type = 'MANUAL_PERCENTAGE'")
    assert await sending.rounds(12, every=timedelta(minutes=5)) == 10
    subjects = [mail.subject for mail in sending.sandbox.mails]
    assert (subjects.count("Text A"), subjects.count("Text B")) == (7, 3)
    counts = await sending.rows("SELECT assigned_count FROM variant_counts ORDER BY assigned_count")
    assert [row["assigned_count"] for row in counts] == [3, 7]


async def test_a_text_that_cannot_be_rendered_is_held_and_the_others_go(sending: Sending) -> None:
    _, leads, _ = await _campaign(sending, leads=2)
    await sending.execute("UPDATE steps SET subject = '{%% if company_name %%}Fees{%% endif %%}'")
    await sending.execute("UPDATE leads SET company_name = 'Hexly' WHERE email LIKE 'lead2@%%'")
    await sending.rounds(4, every=timedelta(minutes=5))
    assert [mail.recipient for mail in sending.sandbox.mails] == ["lead2@hexly.example"]
    row = await sending.row("campaign_leads", leads[0])
    assert (row["status"], row["hold_code"]) == ("STARTED", "EMPTY_SUBJECT")
    assert await sending.rows("SELECT id FROM messages WHERE status <> 'SENT'") == []
    assert [r["campaign_count"] for r in await sending.rows("SELECT campaign_count FROM mailbox_days")] == [1]


async def test_leads_without_a_text_cost_their_mailbox_no_gap(sending: Sending) -> None:
    await _campaign(sending, leads=6)
    await sending.execute("UPDATE steps SET subject = '{%% if company_name %%}Fees{%% endif %%}'")
    await sending.execute("UPDATE leads SET company_name = 'Hexly' WHERE email ~ '^lead[56]@'")
    assert [await sending.round() for _ in range(6)] == [1, 1, 1, 1, 1, 0]  # all at one moment
    assert [mail.recipient for mail in sending.sandbox.mails] == ["lead5@hexly.example"]
    sending.clock.time += timedelta(minutes=3)
    assert await sending.round() == 1
    assert len(sending.sandbox.mails) == 2


async def test_broken_syntax_is_held_with_its_error(sending: Sending) -> None:
    _, [lead], _ = await _campaign(sending)
    await sending.execute("UPDATE steps SET email_body = 'Hello {%% if first_name %%}'")
    assert await sending.round() == 1
    row = await sending.row("campaign_leads", lead)
    assert row["hold_code"] == "TEMPLATE"
    assert "step 1" in row["hold_text"]
    assert sending.sandbox.mails == []


async def test_a_pause_a_moment_ago_wins(sending: Sending) -> None:
    _, [lead], _ = await _campaign(sending)
    outbound = sending.outbound()
    async with sending.database.transaction() as db:
        attempts = await outbound.plan(db)
    assert len(attempts) == 1
    await sending.execute("UPDATE campaign_leads SET status = 'PAUSED'")
    await outbound.start(attempts)
    await outbound.finish()
    assert sending.sandbox.mails == []
    assert await sending.rows("SELECT id FROM messages") == []
    assert [r["campaign_count"] for r in await sending.rows("SELECT campaign_count FROM mailbox_days")] == [0]
    assert [r["new_count"] for r in await sending.rows("SELECT new_count FROM campaign_days")] == [0]
    assert (await sending.row("campaign_leads", lead))["status"] == "PAUSED"


async def test_a_recipient_refused_for_good_is_sent_and_bounced(sending: Sending) -> None:
    campaign_id, [lead], _ = await _campaign(sending, steps=2)
    sending.sandbox.people["lead1@hexly.example"] = Behaviour(bounces_at_rcpt=NO_SUCH_USER)
    await sending.round()
    [message] = await sending.rows("SELECT * FROM messages")
    assert (message["status"], message["bounce_kind"]) == ("BOUNCED", "HARD")
    assert message["sent_at"] == message["bounced_at"] == sending.clock.time
    row = await sending.row("campaign_leads", lead)
    assert (row["status"], row["hold_reason"], row["due_at"]) == ("BLOCKED", "BOUNCED", None)
    [entry] = await sending.rows("SELECT * FROM block_list")
    assert (entry["email_or_domain"], entry["source"]) == ("lead1@hexly.example", "Smartlead.ai Bounce Detection")
    assert [event["type"] for event in await sending.rows("SELECT type FROM message_events")] == ["BOUNCED"]
    assert (await sending.row("campaigns", campaign_id))["status"] == "COMPLETED"


async def test_a_mail_that_is_not_taken_is_tried_again_after_5_15_and_60_minutes(sending: Sending) -> None:
    _, [lead], _ = await _campaign(sending)
    sending.sandbox.faults.add(Fault(Moment.RCPT, answer=GREYLISTED, times=3))
    start = sending.clock.time
    tries = []
    for _ in range(120):
        if await sending.round():
            tries.append(round((sending.clock.time - start).total_seconds() / 60))
        sending.clock.time += timedelta(minutes=1)
    assert tries == [0, 5, 20, 80]
    [message] = await sending.rows("SELECT * FROM messages")
    assert (message["status"], message["attempt_count"]) == ("SENT", 4)
    assert [r["campaign_count"] for r in await sending.rows("SELECT campaign_count FROM mailbox_days")] == [1]
    assert (await sending.row("campaign_leads", lead))["status"] == "COMPLETED"


async def test_after_a_day_of_trying_it_is_a_soft_bounce(sending: Sending) -> None:
    _, [lead], _ = await _campaign(sending, steps=2, start_hour="00:00", end_hour="23:59")
    sending.sandbox.faults.add(Fault(Moment.RCPT, answer=GREYLISTED, times=None))
    await sending.rounds(160, every=timedelta(minutes=10))
    [message] = await sending.rows("SELECT * FROM messages ORDER BY id LIMIT 1")
    assert (message["status"], message["bounce_kind"]) == ("BOUNCED", "SOFT")
    assert message["bounced_at"] - message["claimed_at"] < timedelta(hours=2)
    assert (await sending.row("campaign_leads", lead))["status"] == "INPROGRESS"


@pytest.mark.parametrize("moment", [Moment.MAIL, Moment.RCPT, Moment.DATA])
async def test_a_connection_that_breaks_before_the_end_is_tried_again(sending: Sending, moment: Moment) -> None:
    await _campaign(sending)
    sending.sandbox.faults.add(Fault(moment, drops=True, times=1))
    await sending.round()
    assert sending.sandbox.mails == []
    await sending.rounds(10, every=timedelta(minutes=2))
    assert len(sending.sandbox.mails) == 1


@pytest.mark.parametrize("moment", [Moment.CONTENT, Moment.DOT, Moment.ANSWER])
async def test_a_mail_in_doubt_is_never_sent_again_and_the_sequence_goes_on(sending: Sending, moment: Moment) -> None:
    _, [lead], _ = await _campaign(sending, steps=2)
    sending.sandbox.faults.add(Fault(moment, drops=True, times=1))
    await sending.round()
    [message] = await sending.rows("SELECT * FROM messages")
    assert (message["status"], message["sent_at"]) == ("UNKNOWN", None)
    assert (await sending.row("campaign_leads", lead))["status"] == "INPROGRESS"
    await sending.rounds(4, every=timedelta(days=1))
    texts = [(mail.recipient, mail.subject) for mail in sending.sandbox.mails]
    assert len(texts) == len(set(texts)) == (2 if moment is Moment.ANSWER else 1)
    assert [event["type"] for event in await sending.rows("SELECT type FROM message_events ORDER BY id")] == [
        "FAILED",
        "SENT",
    ]


async def test_a_refused_log_in_disconnects_the_mailbox_and_the_mail_stays_due(sending: Sending) -> None:
    _, [lead], mailbox_id = await _campaign(sending)
    await sending.execute("UPDATE mailboxes SET username = 'nobody'")
    await sending.round()
    mailbox = await sending.row("mailboxes", mailbox_id)
    assert mailbox["is_smtp_success"] is False
    assert "535" in mailbox["smtp_failure_error"]
    assert (await sending.row("campaign_leads", lead))["status"] == "STARTED"
    assert await sending.rounds(3, every=timedelta(hours=1)) == 0
    await sending.execute("UPDATE mailboxes SET username = from_email, is_smtp_success = true, updated_at = now()")
    await sending.execute("UPDATE mailbox_states SET backoff_until = NULL")
    await sending.execute("UPDATE dispatches SET retry_at = '2026-01-01'")
    await sending.round()
    assert len(sending.sandbox.mails) == 1


async def test_a_busy_server_puts_the_mailbox_off_for_longer_each_time(sending: Sending) -> None:
    _, _, mailbox_id = await _campaign(sending, leads=3)
    sending.sandbox.faults.add(Fault(Moment.LOGIN, answer=LOGIN_BUSY, times=2))
    waits = []
    for _ in range(2):
        await sending.round()
        state = await sending.row("mailbox_states", mailbox_id)
        waits.append(state["backoff_until"] - sending.clock.time)
        sending.clock.time = state["backoff_until"]
    assert waits == sorted(waits)
    assert waits[0] < waits[1]
    await sending.round()
    state = await sending.row("mailbox_states", mailbox_id)
    assert (state["backoff_until"], state["backoff_step"]) == (None, 0)
    assert len(sending.sandbox.mails) == 1


async def test_a_spent_quota_stops_the_mailbox_until_tomorrow_and_no_lead_is_blamed(sending: Sending) -> None:
    _, [lead], mailbox_id = await _campaign(sending)
    sending.sandbox.faults.add(Fault(Moment.MAIL, answer=QUOTA_EXCEEDED, times=1))
    await sending.round()
    state = await sending.row("mailbox_states", mailbox_id)
    assert state["backoff_until"] == sending.clock.time.replace(hour=0) + timedelta(days=1)
    row = await sending.row("campaign_leads", lead)
    assert (row["status"], row["category_id"]) == ("STARTED", None)


async def test_a_mail_refused_for_its_content_blames_the_sender(sending: Sending) -> None:
    _, [lead], _ = await _campaign(sending, steps=2)
    sending.sandbox.faults.add(Fault(Moment.DOT, answer=SPAM_POLICY, times=1))
    await sending.round()
    [message] = await sending.rows("SELECT * FROM messages")
    assert (message["status"], message["bounce_kind"]) == ("BOUNCED", "SENDER")
    row = await sending.row("campaign_leads", lead)
    assert (row["status"], row["hold_reason"], row["category_id"]) == ("BLOCKED", "SENDER_BOUNCE", 9)
    assert await sending.rows("SELECT id FROM block_list") == []


async def test_one_broken_mailbox_does_not_stop_the_others(sending: Sending) -> None:
    async with sending.database.transaction() as db:
        world = await sending.world(db)
        broken, fine = await sending.mailbox(world), await sending.mailbox(world)
        await world.change("mailboxes", broken, smtp_port=1)
        campaign_id = await world.campaign([broken, fine], min_time_between_emails=1)
        await world.leads(campaign_id, 4)
    await sending.rounds(12, every=timedelta(minutes=3))
    assert len(sending.sandbox.mails) >= 3
    assert (await sending.row("mailbox_states", broken))["smtp_failure_count"] >= 1


async def test_a_campaign_without_events_sends_every_step_once_to_every_lead_and_completes(sending: Sending) -> None:
    campaign_id, leads, _ = await _campaign(sending, leads=5, steps=3)
    for _ in range(4):
        await sending.rounds(7, every=timedelta(minutes=5))
        sending.clock.time = (sending.clock.time + timedelta(days=1)).replace(hour=9, minute=30)
    tally = sending.sandbox.tally()
    assert (tally.mails.accepted, tally.mails.duplicates) == (15, 0)
    assert (await sending.row("campaigns", campaign_id))["status"] == "COMPLETED"
    statuses = {(await sending.row("campaign_leads", lead))["status"] for lead in leads}
    assert statuses == {"COMPLETED"}
    assert await sending.rows("SELECT message_id FROM dispatches") == []


async def test_a_mailbox_taken_out_a_moment_ago_sends_nothing_more(sending: Sending) -> None:
    await _campaign(sending)
    outbound = sending.outbound()
    async with sending.database.transaction() as db:
        attempts = await outbound.plan(db)
    assert len(attempts) == 1
    await sending.execute("DELETE FROM campaign_mailboxes")
    await outbound.start(attempts)
    await outbound.finish()
    assert sending.sandbox.mails == []
    assert await sending.rows("SELECT id FROM messages") == []


async def test_a_mail_put_off_in_a_mailbox_that_is_gone_goes_out_from_another(sending: Sending) -> None:
    campaign_id, [lead], mailbox_id = await _campaign(sending)
    sending.sandbox.faults.add(Fault(Moment.RCPT, answer=GREYLISTED, times=1))
    await sending.round()
    async with sending.database.transaction() as db:
        world = await sending.world(db)
        other = await sending.mailbox(world)
        await make.attach(db, sending.user_id, campaign_id, other)
        await execute(db, "DELETE FROM campaign_mailboxes WHERE mailbox_id = %(id)s", {"id": mailbox_id})
        await ledger.release_idle(db)
    await sending.rounds(3, every=timedelta(minutes=10))
    assert len(sending.sandbox.mails) == 1
    assert (await sending.row("campaign_leads", lead))["mailbox_id"] == other


async def test_a_mail_that_cannot_be_prepared_is_set_aside_and_the_others_go(sending: Sending) -> None:
    """An address that import let through and no header may hold: nobody foresaw it."""
    async with sending.database.transaction() as db:
        world = await sending.world(db)
        boxes = [await sending.mailbox(world) for _ in range(2)]
        odd, _ = await world.leads(await world.campaign(boxes), 2)
        await execute(db, "UPDATE leads SET email = 'no address' WHERE email = 'lead1@hexly.example'")
    await sending.rounds(2, every=timedelta(minutes=1))
    assert [mail.recipient for mail in sending.sandbox.mails] == ["lead2@hexly.example"]
    row = await sending.row("campaign_leads", odd)
    assert (row["status"], row["hold_code"]) == ("STARTED", "UNFORESEEN")
    assert row["hold_until"] > sending.clock.time
    assert await sending.rows("SELECT message_id FROM dispatches") == []
    assert [r["new_count"] for r in await sending.rows("SELECT new_count FROM campaign_days")] == [1]


async def test_copies_and_addresses_for_answers_are_separated_as_people_type_them(sending: Sending) -> None:
    await _campaign(sending)
    await sending.execute(
        """UPDATE mailboxes SET bcc_email = 'crm@ours.example; log@ours.example',
           different_reply_to_address = 'one@ours.example, two@ours.example'"""
    )
    await sending.round()
    assert sorted(mail.recipient for mail in sending.sandbox.mails) == [
        "crm@ours.example",
        "lead1@hexly.example",
        "log@ours.example",
    ]
    raw = sending.sandbox.mails[0].raw
    assert b"Reply-To: one@ours.example,\r\n two@ours.example\r\n" in raw
    assert b"crm@" not in raw


async def test_the_way_out_by_mail_is_an_address_whatever_the_mailbox_is_called(sending: Sending) -> None:
    async with sending.database.transaction() as db:
        world = await sending.world(db)
        mailbox_id = await sending.mailbox(world, from_email="what?&100%@ours.example")
        await world.leads(await world.campaign([mailbox_id], add_unsubscribe_tag=True), 1)
    await sending.round()
    ways = sending.only_mail().unsubscribe_addresses
    assert any(way.startswith("mailto:what%3F%26100%25@ours.example?subject=unsubscribe%20") for way in ways)


async def test_a_lead_with_a_new_mailbox_keeps_its_thread(sending: Sending) -> None:
    """Its first mailbox was disconnected; what waited there for another try goes from the new one too."""
    campaign_id, leads, broken = await _campaign(sending, leads=2, steps=2)
    await sending.round()
    sending.clock.time += timedelta(minutes=5)
    sending.sandbox.faults.add(Fault(Moment.RCPT, answer=GREYLISTED, times=1))
    await sending.round()
    async with sending.database.transaction() as db:
        world = await sending.world(db)
        other = await sending.mailbox(world)
        await make.attach(db, sending.user_id, campaign_id, other)
        await world.change("mailboxes", broken, is_smtp_success=False)
        moved = await reallocate(db, sending.user_id, campaign_id, client_id=None, now=sending.clock.time)
        await ledger.release_idle(db)
    assert moved == 2
    sending.clock.time += timedelta(days=1)
    await sending.rounds(4, every=timedelta(minutes=5))
    first, *later = sending.sandbox.mails
    assert {(await sending.row("campaign_leads", lead))["mailbox_id"] for lead in leads} == {other}
    [follow_up] = [mail for mail in later if mail.recipient == first.recipient]
    assert (follow_up.subject, follow_up.in_reply_to) == (f"Re: {first.subject}", first.message_id)
    assert follow_up.references == (first.message_id,)
    assert follow_up.envelope_sender != first.envelope_sender
    assert len({(mail.recipient, mail.subject) for mail in sending.sandbox.mails}) == len(sending.sandbox.mails)


@pytest.mark.parametrize(
    ("moment", "answer"),
    [
        (Moment.MAIL, Refusal(421, "4.7.0", "Try again later, closing connection")),
        (Moment.MAIL, Refusal(450, "4.3.2", "System not accepting mail from you now")),
        (Moment.MAIL, Refusal(451, "4.3.2", "Service unavailable")),
        (Moment.LOGIN, LOGIN_BUSY),
    ],
)
async def test_a_mailbox_learns_how_long_its_provider_wants_to_be_left_alone(
    sending: Sending, moment: Moment, answer: Refusal
) -> None:
    _, _, mailbox_id = await _campaign(sending, leads=2, start_hour="00:00", end_hour="23:59")
    sending.sandbox.faults.add(Fault(moment, answer=answer, times=4))
    waits = []
    for _ in range(4):
        assert await sending.round() == 1
        state = await sending.row("mailbox_states", mailbox_id)
        waits.append((state["backoff_until"] - sending.clock.time) / timedelta(minutes=1))
        sending.clock.time = state["backoff_until"] + timedelta(minutes=1)  # the gap of the campaign is over too
    assert waits in ([5, 15, 60, 60], [1, 5, 15, 60])  # the latter where the connection is to blame
    await sending.round()
    state = await sending.row("mailbox_states", mailbox_id)
    assert (state["backoff_until"], state["backoff_step"]) == (None, 0)
    assert len(sending.sandbox.mails) == 1


@pytest.mark.parametrize(
    ("moment", "answer"),
    [
        (Moment.MAIL, Refusal(550, "5.4.5", "Daily user sending limit exceeded")),
        (Moment.DOT, Refusal(550, "5.4.5", "Daily user sending limit exceeded")),
        (Moment.MAIL, Refusal(452, "4.2.2", "Mailbox full")),  # the sender's own
        (Moment.RCPT, Refusal(550, "5.1.90", "You have reached your daily limit for message recipients")),
    ],
)
async def test_every_way_to_say_that_the_quota_is_spent_waits_for_tomorrow(
    sending: Sending, moment: Moment, answer: Refusal
) -> None:
    _, [lead], mailbox_id = await _campaign(sending)
    sending.sandbox.faults.add(Fault(moment, answer=answer, times=1))
    await sending.round()
    state = await sending.row("mailbox_states", mailbox_id)
    assert state["backoff_until"] == sending.clock.time.replace(hour=0) + timedelta(days=1)
    assert (await sending.row("campaign_leads", lead))["status"] == "STARTED"
    assert await sending.rows("SELECT id FROM block_list") == []
    sending.clock.time = state["backoff_until"].replace(hour=9)
    await sending.rounds(2, every=timedelta(minutes=5))
    assert len(sending.sandbox.mails) == 1
