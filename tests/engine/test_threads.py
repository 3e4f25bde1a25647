"""Conversations: which mail answers which, and the subject it has (product behaviour 2.1)."""

from datetime import timedelta

import pytest

from outrider.engine import threads
from outrider.engine.threads import Thread, after, place
from outrider.kit.db import execute
from tests.engine.sending import Sending
from tests.support.world import World

THREAD = Thread("Port fees", "m1@x", ("m1@x",))


@pytest.mark.parametrize(
    ("subject", "thread", "sent", "answers"),
    [
        ("Port fees", None, "Port fees", False),
        ("", None, "", False),  # held: there is nothing to answer
        ("Re: Port fees", None, "Re: Port fees", False),  # no thread by itself
        ("", THREAD, "Re: Port fees", True),
        ("Re: Port fees", THREAD, "Re: Port fees", True),
        ("RE:Port fees", THREAD, "Re: Port fees", True),
        ("Port fees", THREAD, "Port fees", False),
        ("Re: Another matter", THREAD, "Re: Another matter", False),
        ("Another matter", THREAD, "Another matter", False),
        ("Regarding Port fees", THREAD, "Regarding Port fees", False),
    ],
)
def test_no_subject_or_that_of_the_thread_answers_and_another_begins_anew(
    subject: str, thread: Thread | None, sent: str, answers: bool
) -> None:
    assert place(subject, thread) == (sent, thread if answers else None)


@pytest.mark.parametrize("first", ["Port fees", "Re: Port fees", "RE: Port fees", "re:re: Port fees"])
def test_an_answer_has_exactly_one_prefix(first: str) -> None:
    thread = after(None, subject=first, is_answer=False, message_id="m1@x")
    assert place("", thread)[0] == "Re: Port fees"


def test_a_thread_names_all_its_mails_and_ends_where_another_begins() -> None:
    thread = after(None, subject="Port fees", is_answer=False, message_id="m1@x")
    thread = after(thread, subject="Re: Port fees", is_answer=True, message_id="m2@x")
    assert thread == Thread("Port fees", "m2@x", ("m1@x", "m2@x"))
    assert after(thread, subject="New", is_answer=False, message_id="m3@x") == Thread("New", "m3@x", ("m3@x",))


async def test_answers_of_the_lead_stand_between_our_mails_and_ours_is_the_one_that_is_answered(world: World) -> None:
    campaign = await world.campaign([await world.mailbox()], steps=3)
    [sent] = await world.sent(campaign)
    await execute(
        world.db,
        """
        INSERT INTO messages (user_id, direction, kind, campaign_id, campaign_lead_id, mailbox_id, stats_id, message_id,
                              status, from_email, to_email, subject, sent_at, created_at)
        SELECT user_id, 'IN', given.kind, campaign_id, campaign_lead_id, mailbox_id, stats_id,
               given.kind || '@hexly.example',
               'RECEIVED', to_email, from_email, 'Re: Port fees', sent_at + interval '1 hour', created_at
        FROM messages, (VALUES ('REPLY'), ('AUTO_REPLY')) AS given (kind)
        """,
    )
    found = await threads.load(world.db, [sent["campaign_lead_id"]])
    first = sent["message_id"]
    assert found[sent["campaign_lead_id"]] == Thread("Port fees", first, (first, "REPLY@hexly.example"))


async def test_the_id_that_the_server_gave_is_the_one_that_is_answered(world: World) -> None:
    campaign = await world.campaign([await world.mailbox()], steps=2)
    [sent] = await world.sent(campaign)
    await world.change("messages", sent["id"], server_message_id="rewritten@outlook.example")
    found = await threads.load(world.db, [sent["campaign_lead_id"]])
    assert found[sent["campaign_lead_id"]].references == ("rewritten@outlook.example",)


@pytest.mark.parametrize(
    ("zone", "written"),
    [
        ("UTC", "Mon, 02 Mar 2026 09:00:00 +0000"),
        ("Europe/Lisbon", "Mon, 02 Mar 2026 09:00:00 +0000"),
        ("Asia/Kolkata", "Mon, 02 Mar 2026 14:30:00 +0530"),
        ("America/St_Johns", "Mon, 02 Mar 2026 05:30:00 -0330"),
    ],
)
async def test_the_date_is_in_the_zone_in_which_the_campaign_works(sending: Sending, zone: str, written: str) -> None:
    async with sending.database.transaction() as db:
        world = await sending.world(db)
        hours = {"start_hour": "00:00", "end_hour": "23:59"}
        campaign_id = await world.campaign([await sending.mailbox(world)], timezone=zone, **hours)
        await world.leads(campaign_id, 1)
    assert await sending.round() == 1
    assert sending.only_mail().header("Date") == written


async def test_a_step_takes_up_the_subject_that_its_lead_got_first(sending: Sending) -> None:
    """Whatever variant that was."""
    async with sending.database.transaction() as db:
        world = await sending.world(db)
        campaign_id = await world.campaign([await sending.mailbox(world)], steps=2, min_time_between_emails=1)
        await execute(
            db,
            """
            INSERT INTO variants (user_id, campaign_id, step_id, position, variant_label, subject, email_body,
                                  created_at, updated_at)
            SELECT user_id, campaign_id, id, label.position, label.name, 'Text ' || label.name, 'Hello', created_at,
                   created_at
            FROM steps, (VALUES (1, 'A'), (2, 'B')) AS label (position, name)
            WHERE number = 1
            """,
        )
        await world.leads(campaign_id, 2)
    await sending.rounds(3, every=timedelta(minutes=3))
    sending.clock.time += timedelta(days=1)
    await sending.rounds(3, every=timedelta(minutes=3))
    subjects: dict[str, list[str]] = {}
    for mail in sending.sandbox.mails:
        subjects.setdefault(mail.recipient, []).append(mail.subject)
    assert sorted(subjects.values()) == [["Text A", "Re: Text A"], ["Text B", "Re: Text B"]]
