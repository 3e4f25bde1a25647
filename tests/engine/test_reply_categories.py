"""The category of an answer that comes in: which lead gets it, who is told, and what is left alone."""

from typing import Any

import pytest
from psycopg.types.json import Jsonb

from outrider.kit.db import execute, fetch_dicts, fetch_value
from outrider.leads import actions as leads
from outrider.leads.models import LeadCategoryUpdated, LeadUnsubscribed
from outrider.messages.models import ReplyReceived
from tests.engine.test_intake import Desk
from tests.support.events import hearing
from tests.support.world import World

ALL = [1, 2, 3, 4, 5, 6, 7, 8, 9]


async def open_desk(world: World, *, categories: list[int], **changes: Any) -> Desk:
    return await Desk.open(world, ai_categorisation_options=categories, **changes)


async def verdicts(desk: Desk) -> list[dict[str, Any]]:
    return await fetch_dicts(desk.db, "SELECT * FROM reply_verdicts ORDER BY message_id")


@pytest.mark.parametrize(
    ("categories", "text", "expected"),
    [
        (ALL, "Sounds interesting, tell me more.\n", 1),
        (ALL, "Können wir morgen um 10 Uhr telefonieren?\n", 2),
        (ALL, "Merci, mais cela ne nous intéresse pas.\n", 3),
        (ALL, "¿Cuánto cuesta al mes?\n", 5),
        (ALL, "Ik ben niet de juiste persoon, vraag het aan mijn collega.\n", 7),
        (ALL, "ok\n", 8),
        ([1, 3], "¿Cuánto cuesta al mes?\n", 1),
        ([3], "¿Cuánto cuesta al mes?\n", 8),
        ([], "Sounds interesting, tell me more.\n", None),
        # not what he quotes, not what stands below his name
        (ALL, "No thanks.\n\nOn Mon, 2 Mar 2026 at 09:00, Nora <nora@x.example> wrote:\n> Are you interested?\n", 3),
        (ALL, "Not interested.\n\n-- \nCall me: +49 30 1234567, book a meeting\n", 3),
    ],
)
async def test_an_answer_gets_a_category_that_the_campaign_chooses_from(
    world: World, categories: list[int], text: str, expected: int | None
) -> None:
    desk = await open_desk(world, categories=categories)
    with hearing(LeadCategoryUpdated) as heard:
        await desk.take_in(desk.letter(text=text))
    lead, [mail] = await desk.lead(), await desk.received()
    assert (lead["category_id"], lead["is_category_set_by_hand"]) == (expected, False)
    assert [(event.old_id, event.new_id) for event in heard.events] == ([(None, expected)] if expected else [])
    kept = [(each["message_id"], each["category_id"]) for each in await verdicts(desk)]
    assert kept == ([(mail["id"], expected)] if expected else [])


async def test_a_verdict_is_kept_with_confidence_and_reason(world: World) -> None:
    desk = await open_desk(world, categories=ALL)
    await desk.take_in(desk.letter(text="Das ist uns zu teuer.\n"))
    [verdict] = await verdicts(desk)
    assert (verdict["category_id"], verdict["source"], verdict["user_id"]) == (3, "MODEL", world.user_id)
    assert verdict["reason"] == "Speaks of no money."
    assert 0.6 <= verdict["confidence"] <= 1


async def test_the_answer_is_told_before_its_category(world: World) -> None:
    desk = await open_desk(world, categories=ALL)
    with hearing(ReplyReceived, LeadCategoryUpdated) as heard:
        await desk.take_in(desk.letter(text="Not interested, thanks.\n"))
        await desk.take_in(desk.letter(text="Not interested, thanks.\n"))  # in another folder
    assert [type(event) for event in heard.events] == [ReplyReceived, LeadCategoryUpdated]


@pytest.mark.parametrize(
    ("first", "by_hand", "text", "expected"),
    [
        (1, True, "Not interested, thanks.\n", 1),  # what a person has chosen stays
        (1, False, "Not interested, thanks.\n", 3),
        (1, False, "ok\n", 1),  # says nothing: what is known stays
        (8, False, "Not interested, thanks.\n", 3),
        (4, False, "Sounds interesting, tell me more.\n", 4),  # taken back by a person only
        (None, True, "Not interested, thanks.\n", 3),  # taken away by hand: none is chosen
    ],
)
async def test_a_second_answer_may_change_the_category(
    *, world: World, first: int | None, by_hand: bool, text: str, expected: int
) -> None:
    desk = await open_desk(world, categories=ALL)
    map_id = desk.mail["campaign_lead_id"]
    await leads.set_category(
        desk.db, user_id=world.user_id, campaign_lead_id=map_id, category_id=first, by_hand=by_hand, now=world.now
    )
    await desk.take_in(desk.letter(text=text))
    assert (await desk.lead())["category_id"] == expected
    assert len(await verdicts(desk)) == 1  # kept all the same


@pytest.mark.parametrize(
    ("categories", "settings", "subject", "text", "expected"),
    [
        (ALL, {}, "Automatic reply: Port fees", "I am out of office until Friday.", (6, "HEADERS")),
        ([1, 3], {}, "Automatic reply: Port fees", "I am out of office until Friday.", None),
        ([], {"autoCategorizeOOO": True}, "Automatic reply: Port fees", "I am out of office.", (6, "HEADERS")),
        ([], {}, "Automatic reply: Port fees", "Ada no longer works at Hexly.", (7, "HEADERS")),
        (ALL, {}, "We have received your request [#4711]", "Your ticket was created.", None),
    ],
)
async def test_a_machine_is_not_asked_what_it_means(
    *,
    world: World,
    categories: list[int],
    settings: dict[str, bool],
    subject: str,
    text: str,
    expected: tuple[int, str] | None,
) -> None:
    desk = await open_desk(world, categories=categories, out_of_office_detection_settings=Jsonb(settings))
    await desk.take_in(desk.letter(Subject=subject, Auto_Submitted="auto-replied", text=f"{text}\n"))
    found = [(verdict["category_id"], verdict["source"]) for verdict in await verdicts(desk)]
    assert found == ([expected] if expected else [])
    assert (await desk.lead())["category_id"] == (expected[0] if expected else None)


@pytest.mark.parametrize("categories", [[], ALL])
@pytest.mark.parametrize(
    ("subject", "text"),
    [
        ("Re: Port fees", "Please remove me from your list.\n"),
        ("AW: Port fees", "Bitte nehmen Sie mich aus Ihrem Verteiler.\n"),
        ("Unsubscribe", "\n"),
    ],
)
async def test_who_asks_to_be_left_out_is_unsubscribed(
    world: World, categories: list[int], subject: str, text: str
) -> None:
    desk = await open_desk(world, categories=categories)
    other = await world.campaign([desk.reader.mailbox_id])
    lead_id = desk.mail["lead_id"]
    elsewhere = await fetch_value(
        world.db,
        """
        INSERT INTO campaign_leads (user_id, campaign_id, lead_id, status, created_at, updated_at)
        VALUES (%(user_id)s, %(campaign_id)s, %(lead_id)s, 'STARTED', %(now)s, %(now)s) RETURNING id
        """,
        {"user_id": world.user_id, "campaign_id": other, "lead_id": lead_id, "now": world.now},
    )
    with hearing(LeadUnsubscribed, ReplyReceived) as heard:
        await desk.take_in(desk.letter(Subject=subject, text=text))
    assert (await world.row("leads", lead_id))["is_unsubscribed"] is True
    for map_id in (desk.mail["campaign_lead_id"], elsewhere):
        row = await world.row("campaign_leads", map_id)
        assert (row["status"], row["hold_reason"]) == ("STOPPED", "UNSUBSCRIBED")
    assert [type(event).__name__ for event in heard.events] == ["LeadUnsubscribed"] * 2 + ["ReplyReceived"]
    assert heard.events[0].message_id == desk.mail["id"]
    assert (await desk.sent_mail())["unsubscribed_at"] == world.now
    assert (await desk.lead())["category_id"] == (4 if categories else None)


async def test_a_refusal_is_no_unsubscribe(world: World) -> None:
    desk = await open_desk(world, categories=ALL)
    await desk.take_in(desk.letter(text="You will hear from my lawyer.\n"))
    assert (await desk.lead())["category_id"] == 4  # Do Not Contact: nobody mails him, and it counts as no unsubscribe
    assert (await world.row("leads", desk.mail["lead_id"]))["is_unsubscribed"] is True
    assert await fetch_dicts(desk.db, "SELECT * FROM unsubscribes") == []


async def test_an_own_category_is_chosen_by_its_description(world: World) -> None:
    own = await fetch_value(
        world.db,
        """
        INSERT INTO categories (user_id, name, description, created_at)
        VALUES (%(user_id)s, 'Uses a competitor', 'Has another tool, such as Lemlist or Apollo', %(now)s) RETURNING id
        """,
        {"user_id": world.user_id, "now": world.now},
    )
    desk = await open_desk(world, categories=[1, 3, own])
    await desk.take_in(desk.letter(text="Thanks, but we are on Lemlist.\n"))
    assert (await desk.lead())["category_id"] == own
    [verdict] = await verdicts(desk)
    assert (verdict["source"], verdict["reason"]) == (
        "DESCRIPTION",
        "Fits the description of Uses a competitor: “lemlist”.",
    )


async def test_a_lead_who_was_taken_out_has_no_category_any_more(world: World) -> None:
    desk = await open_desk(world, categories=ALL)
    await execute(desk.db, "DELETE FROM campaign_leads WHERE id = %(id)s", {"id": desk.mail["campaign_lead_id"]})
    assert await desk.take_in(desk.letter(text="Not interested, thanks.\n"))
    assert [mail["kind"] for mail in await desk.received()] == ["REPLY"]


async def test_webhooks_have_the_category_with_the_answer(world: World) -> None:
    desk = await open_desk(world, categories=ALL)
    await execute(
        world.db,
        """
        INSERT INTO webhooks (user_id, association_type, name, webhook_url, event_types, created_at, updated_at)
        VALUES (%(user_id)s, 'user', 'CRM', 'https://hooks.example.net/x', '{EMAIL_REPLY,LEAD_CATEGORY_UPDATED}',
                %(now)s, %(now)s)
        """,
        {"user_id": world.user_id, "now": world.now},
    )
    await desk.take_in(desk.letter(text="Not interested, thanks.\n"))
    told = await fetch_dicts(
        world.db,
        """
        SELECT e.event_type, e.payload, d.next_attempt_at
          FROM webhook_events AS e
          JOIN webhook_deliveries AS d ON d.event_id = e.id
         WHERE e.user_id = %(user_id)s
         ORDER BY e.id
        """,
        {"user_id": world.user_id},
    )
    assert [each["event_type"] for each in told] == ["EMAIL_REPLY", "LEAD_CATEGORY_UPDATED"]
    reply, update = told
    assert reply["next_attempt_at"] <= world.now  # it does not wait for a category: there is one
    assert update["payload"]["lead_category"] == {
        "old_id": None,
        "old_name": None,
        "new_id": 3,
        "new_name": "Not Interested",
    }
    assert update["payload"]["lastReply"]["email_body"].startswith("<")
