"""An untracked reply that is given to a lead is from then on what a matched one would have been, once."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from psycopg.types.json import Jsonb

from outrider.engine.inbound.attaching import NeverMailed, NoAnswer, UntrackedReplyNotFound, attach
from outrider.inbox.untracked import UntrackedFilter, list_untracked
from outrider.kit.db import Db, execute, fetch_dicts, fetch_value
from outrider.leads.conversations import find_conversation
from outrider.leads.models import LeadUnsubscribed
from outrider.messages.history import list_history
from outrider.messages.models import ReplyReceived
from tests.engine.test_intake import Desk
from tests.support.client import ApiClient
from tests.support.events import hearing
from tests.support.make import NOW
from tests.support.world import World

_NOBODY = "8d4c2f10-6b7e-4f5a-9c3d-1e2f3a4b5c6d"

STRANGER = {"In_Reply_To": None, "From": "Kim <kim@orr.example>"}


@pytest.fixture
async def desk(world: World) -> Desk:
    return await Desk.open(world)


async def stray(desk: Desk, **changes: str | None) -> int:
    """A reply that matches nobody; returns its row."""
    assert await desk.take_in(desk.letter(**{**STRANGER, **changes}))
    mail = (await desk.received())[-1]
    assert mail["kind"] == "UNTRACKED"
    return int(mail["id"])


async def attached(desk: Desk, row_id: int, *, map_id: int | None = None, days: int = 3) -> None:
    place = await find_conversation(
        desk.db, desk.world.user_id, map_id or desk.mail["campaign_lead_id"], client_id=None
    )
    assert place
    await attach(desk.db, desk.world.user_id, place, row_id=row_id, now=desk.world.now + timedelta(days=days))


async def untracked_count(desk: Desk) -> int:
    total, _ = await list_untracked(desk.db, desk.world.user_id, UntrackedFilter(), scope=None, offset=0, limit=9)
    return total


async def test_it_is_an_answer_with_all_that_follows(desk: Desk) -> None:
    row_id = await stray(desk)
    with hearing(ReplyReceived) as heard:
        await attached(desk, row_id)
    [reply] = await desk.received()
    sent, lead = await desk.sent_mail(), await desk.lead()
    assert (reply["kind"], reply["answers_id"], reply["stats_id"]) == ("REPLY", sent["id"], sent["stats_id"])
    assert (reply["campaign_lead_id"], reply["lead_id"]) == (lead["id"], lead["lead_id"])
    assert (lead["status"], lead["hold_reason"], lead["is_unread"]) == ("STOPPED", "REPLIED", True)
    assert lead["last_reply_at"] == sent["first_replied_at"] == reply["sent_at"]  # when it came, not when it was given
    assert reply["sent_at"] <= desk.world.now
    [event] = heard.events
    assert (event.message_id, event.answers_id, event.is_counted) == (reply["id"], sent["id"], True)
    assert await desk.world.events() == [("REPLIED", lead["id"])]
    assert await untracked_count(desk) == 0
    history = await list_history(desk.db, desk.world.user_id, [lead["id"]])
    assert [item.id for item in history] == [sent["id"], reply["id"]]


async def test_it_is_given_once(desk: Desk) -> None:
    row_id = await stray(desk)
    await attached(desk, row_id)
    with hearing(ReplyReceived) as heard, pytest.raises(UntrackedReplyNotFound):
        await attached(desk, row_id)
    assert not heard.events
    assert len(await desk.world.events()) == 1
    assert not await desk.take_in(desk.letter(**STRANGER))  # the same mail in another folder


async def test_it_answers_the_mail_that_it_names_else_the_latest(desk: Desk) -> None:
    """One whose References were lost on the way, and one that names an older mail of the lead."""
    first = await desk.sent_mail()
    later = await desk.world.row(
        "messages",
        await fetch_value(
            desk.db,
            """
            INSERT INTO messages (user_id, direction, kind, campaign_id, campaign_lead_id, lead_id, mailbox_id, step_id,
                                  step_number, stats_id, message_id, status, from_email, to_email, sent_at, claimed_at,
                                  created_at)
            SELECT user_id, 'OUT', 'CAMPAIGN', campaign_id, campaign_lead_id, lead_id, mailbox_id, step_id + 1, 2,
                   %(stats_id)s, 'later@send.example', 'SENT', from_email, to_email, %(at)s, %(at)s, %(at)s
              FROM messages
             WHERE id = %(id)s
            RETURNING id
            """,
            {"id": first["id"], "stats_id": uuid4(), "at": desk.world.now},
        ),
    )
    nameless = await stray(desk, Message_ID="<a@orr.example>")
    naming = await stray(desk, Message_ID="<b@orr.example>")
    raw = desk.letter(From="Kim <kim@orr.example>").as_bytes()
    await execute(
        desk.db, "UPDATE message_sources SET raw = %(raw)s WHERE message_id = %(id)s", {"raw": raw, "id": naming}
    )
    for row_id in (nameless, naming):
        await attached(desk, row_id)
    assert [mail["answers_id"] for mail in await desk.received()] == [later["id"], first["id"]]


@pytest.mark.parametrize(
    ("settings", "kind", "status"),
    [
        ({"ignoreOOOasReply": False}, "REPLY", "STOPPED"),
        ({"ignoreOOOasReply": True}, "AUTO_REPLY", "INPROGRESS"),
        ({"ignoreOOOasReply": True, "autoReactivateOOO": True}, "AUTO_REPLY", "PAUSED"),
    ],
)
async def test_an_absence_is_what_the_campaign_wants_of_one(
    world: World, settings: dict[str, Any], kind: str, status: str
) -> None:
    desk = await Desk.open(world, out_of_office_detection_settings=Jsonb(settings))
    row_id = await stray(
        desk,
        Subject="Automatic reply: Port fees",
        Auto_Submitted="auto-replied",
        text="I am away until 9 March 2026.\n",
    )
    await attached(desk, row_id, days=1)
    [reply] = await desk.received()
    assert (reply["kind"], (await desk.lead())["status"]) == (kind, status)
    assert len(await desk.auto_replies()) == 1


async def test_who_asks_for_no_more_mail_gets_none(desk: Desk) -> None:
    row_id = await stray(desk, text="Please take me off your list.\n")
    with hearing(LeadUnsubscribed) as heard:
        await attached(desk, row_id)
    assert desk.mail["to_email"] in await desk.suppressed()
    assert len([event for event in heard.events if event.campaign_lead_id == desk.mail["campaign_lead_id"]]) == 1


async def test_a_lead_gets_the_category_of_what_was_said(world: World) -> None:
    desk = await Desk.open(world, ai_categorisation_options=[1, 2, 3, 4, 5, 6, 7])
    await attached(desk, await stray(desk, text="Not interested, thanks.\n"))
    assert (await desk.lead())["category_id"] == 3


async def test_its_text_does_when_its_source_is_gone(world: World) -> None:
    desk = await Desk.open(world, ai_categorisation_options=[1, 2, 3, 4, 5, 6, 7])
    row_id = await stray(desk, text="Not interested, thanks.\n")
    await execute(desk.db, "DELETE FROM message_sources")
    await attached(desk, row_id)
    assert (await desk.lead())["category_id"] == 3


async def test_a_lead_without_a_mail_has_nothing_to_answer(desk: Desk) -> None:
    row_id = await stray(desk)
    [other] = await desk.world.leads(desk.campaign_id, 1)
    with pytest.raises(NeverMailed):
        await attached(desk, row_id, map_id=other)
    assert await untracked_count(desk) == 1


async def test_a_report_is_no_answer(desk: Desk) -> None:
    report = (
        b"From: mailer-daemon@x.example\nSubject: Failed\nMessage-ID: <dsn@x.example>\n"
        b'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\n\n'
        b"--b\n\nIt failed.\n--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; x.example\n\n"
        b"Final-Recipient: rfc822; nobody@unknown.example\nAction: failed\nStatus: 5.1.1\n--b--\n"
    )
    assert await desk.take_in(report)
    [mail] = await desk.received()
    assert mail["kind"] == "UNTRACKED"
    with pytest.raises(NoAnswer):
        await attached(desk, mail["id"])


@pytest.fixture
async def caller(desk: Desk, app: Any, db: Db, connect: Any) -> ApiClient:
    client: ApiClient = await connect(app, db, user_id=desk.world.user_id)
    return client


async def listed(caller: ApiClient) -> list[dict[str, Any]]:
    answer = await caller.get("/master-inbox/untracked-replies")
    return list(answer.json()["data"]["replies"])


@pytest.mark.parametrize("names", [["email_lead_map_id"], ["lead_id", "campaign_id"], ["lead_map_id"]])
async def test_by_the_api_it_leaves_the_list_and_enters_the_inbox(
    desk: Desk, caller: ApiClient, names: list[str]
) -> None:
    await stray(desk)
    [reply] = await listed(caller)
    ids = {
        "email_lead_map_id": str(desk.mail["campaign_lead_id"]),
        "lead_map_id": desk.mail["campaign_lead_id"],
        "lead_id": desk.mail["lead_id"],
        "campaign_id": desk.campaign_id,
    }
    path = f"/master-inbox/untracked-replies/{reply['id']}/attach"
    answer = await caller.post(path, json={name: ids[name] for name in names})
    assert answer.json() == {
        "ok": True,
        "message": "Reply attached to the lead successfully",
        "data": {
            "success": True,
            "email_lead_map_id": str(desk.mail["campaign_lead_id"]),
            "email_stats_id": str(desk.mail["stats_id"]),
        },
    }
    assert await listed(caller) == []
    [row] = (await caller.post("/master-inbox/unread-replies", json={})).json()["data"]
    assert row["email_lead_map_id"] == str(desk.mail["campaign_lead_id"])
    again = await caller.post(path, json={name: ids[name] for name in names})
    assert (again.status_code, again.json()["message"]) == (
        404,
        "Untracked reply not found - it may belong to a lead already.",
    )


@pytest.mark.parametrize(
    ("reply_id", "body", "status", "message"),
    [
        (
            "nonsense",
            {"email_lead_map_id": "{id}"},
            404,
            "Untracked reply not found - it may belong to a lead already.",
        ),
        (
            _NOBODY,
            {"email_lead_map_id": "{id}"},
            404,
            "Untracked reply not found - it may belong to a lead already.",
        ),
        (_NOBODY, {"email_lead_map_id": 1}, 404, "Lead mapping not found"),
        (_NOBODY, {}, 400, '"email_lead_map_id" is required'),
    ],
)
async def test_what_is_wrong_is_said(  # noqa: PLR0917
    desk: Desk, caller: ApiClient, reply_id: str, body: dict[str, Any], status: int, message: str
) -> None:
    filled = {name: desk.mail["campaign_lead_id"] if value == "{id}" else value for name, value in body.items()}
    answer = await caller.post(f"/master-inbox/untracked-replies/{reply_id}/attach", json=filled)
    assert (answer.status_code, answer.json()["message"]) == (status, message)


async def test_a_client_gives_away_only_what_came_to_its_own_mailboxes(
    desk: Desk, app: Any, db: Db, connect: Any
) -> None:
    await stray(desk)
    client_id = await fetch_value(
        db,
        """
        INSERT INTO clients (user_id, name, email, permissions, created_at, updated_at)
        VALUES (%(user_id)s, 'Harbor', 'h@harbor.example', '{full_access}', %(now)s, %(now)s) RETURNING id
        """,
        {"user_id": desk.world.user_id, "now": NOW},
    )
    await desk.world.change("campaigns", desk.campaign_id, client_id=client_id)
    [row] = await fetch_dicts(db, "SELECT stats_id, mailbox_id FROM messages WHERE kind = 'UNTRACKED'")
    caller = await connect(app, db, user_id=desk.world.user_id, client_id=client_id)
    path = f"/master-inbox/untracked-replies/{row['stats_id']}/attach"
    body = {"email_lead_map_id": desk.mail["campaign_lead_id"]}
    assert (await caller.post(path, json=body)).status_code == 404
    await desk.world.change("mailboxes", row["mailbox_id"], client_id=client_id)
    assert (await caller.post(path, json=body)).status_code == 200
