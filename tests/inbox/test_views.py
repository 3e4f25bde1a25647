"""The views over HTTP: who is in them, in which order, narrowed by what."""

from datetime import timedelta
from typing import Any

import pytest

from outrider.kit.db import Db, execute, fetch_value
from tests.inbox.conversations import SENT_AT, Talk, change, ids, listed, talk
from tests.support import make
from tests.support.client import ApiClient, fresh_client
from tests.support.make import NOW
from tests.support.shape import assert_shape, example

VIEWS = (
    "inbox-replies",
    "unread-replies",
    "important",
    "snoozed",
    "reminders",
    "archived",
    "sent",
    "assigned-me",
    "views",
)
ALIASES = {
    "snoozed-messages": "snoozed",
    "important-messages": "important",
    "reminder-messages": "reminders",
    "archived-messages": "archived",
}


async def test_a_row_has_the_shape_of_the_reference(api: ApiClient, db: Db) -> None:
    here = await talk(api, db, first_name="Ada")
    await make.step(db, api.user_id, here.campaign_id, number=2)
    said = await listed(api, "inbox-replies", fetch_message_history="TRUE")
    assert_shape(said, example("inbox_replies"))
    [row] = said["data"]
    assert (row["email_lead_map_id"], row["email_lead_id"]) == (str(here.id), str(here.lead_id))
    assert (row["revenue"], row["current_sequence_number"], row["sequence_count"]) == ("0.00", 1, 2)
    assert (row["lead_first_name"], row["lead_last_name"]) == ("Ada", None)
    assert [item["type"] for item in row["email_history"]] == ["SENT", "REPLY"]
    assert row["campaign_sending_schedule"] == {
        "tz": "UTC",
        "days": [1, 2, 3, 4, 5],
        "startHour": "08:00",
        "endHour": "18:00",
    }
    assert (said["offset"], said["limit"], said["total_count"]) == (0, 20, 1)
    assert "email_history" not in (await listed(api, "inbox-replies"))["data"][0]


@pytest.mark.parametrize("body", [None, {}, {"filters": None}, {"filters": {"leadCategories": None, "search": ""}}])
async def test_every_part_of_a_body_may_be_missing(api: ApiClient, db: Db, body: Any) -> None:
    here = await talk(api, db)
    assert await ids(api, "inbox-replies", body) == [here.id]


async def test_who_is_in_which_view(api: ApiClient, db: Db) -> None:
    """Each conversation differs from a plain answer in one thing."""
    made = {
        "plain": await talk(api, db, "plain@hexly.io"),
        "read": await talk(api, db, "read@hexly.io"),
        "archived": await talk(api, db, "archived@hexly.io"),
        "snoozed": await talk(api, db, "snoozed@hexly.io"),
        "awake": await talk(api, db, "awake@hexly.io"),
        "important": await talk(api, db, "important@hexly.io"),
        "put away": await talk(api, db, "away@hexly.io"),
        "assigned": await talk(api, db, "assigned@hexly.io"),
        "silent": await talk(api, db, "silent@hexly.io", replied_at=None),
        "new": await talk(api, db, "new@hexly.io", replied_at=None, sent_at=None),
    }
    person_id = await fetch_value(db, "SELECT id FROM people WHERE user_id = %(id)s", {"id": api.user_id})
    await change(db, made["read"], "is_unread = false")
    await change(db, made["archived"], "is_archived = true")
    await change(db, made["snoozed"], "snoozed_until = %(at)s", at=NOW + timedelta(hours=1))
    await change(db, made["awake"], "snoozed_until = %(at)s", at=NOW - timedelta(hours=1))
    await change(db, made["important"], "is_important = true")
    await change(
        db,
        made["put away"],
        "is_important = true, is_archived = true, snoozed_until = %(at)s",
        at=NOW + timedelta(days=1),
    )
    await change(db, made["assigned"], "team_member_id = %(id)s", id=person_id)
    names = {each.id: name for name, each in made.items()}
    shown = {view: {names[each] for each in await ids(api, view)} for view in VIEWS}
    everyone = set(made)
    answered = everyone - {"silent", "new"}
    assert shown == {
        "inbox-replies": answered - {"archived", "snoozed", "put away"},
        "unread-replies": answered - {"archived", "snoozed", "put away", "read"},
        "important": {"important", "put away"},
        "snoozed": {"snoozed", "put away"},
        "reminders": set(),
        "archived": {"archived", "put away"},
        "sent": everyone - {"new"},
        "assigned-me": {"assigned"},
        "views": everyone,
    }


async def test_flags_are_shown(api: ApiClient, db: Db) -> None:
    here = await talk(api, db)
    until = NOW + timedelta(hours=2)
    await change(db, here, "is_important = true, is_archived = true, snoozed_until = %(at)s", at=until)
    [row] = (await listed(api, "snoozed"))["data"]
    assert (row["is_important"], row["is_archived"], row["is_snoozed"]) == (True, True, True)
    assert row["snoozed_until"] == "2026-03-02T11:00:00.000Z"
    assert row["is_ooo_automated_push_lead"] is None
    await change(db, here, "has_returned = true")
    [row] = (await listed(api, "snoozed"))["data"]
    assert row["is_ooo_automated_push_lead"] is True


async def test_the_latest_answer_is_first_and_who_never_answered_last(api: ApiClient, db: Db) -> None:
    early = await talk(api, db, "early@hexly.io", replied_at=NOW - timedelta(hours=2), sent_at=SENT_AT)
    late = await talk(api, db, "late@hexly.io", replied_at=NOW, sent_at=SENT_AT - timedelta(days=1))
    twin = await talk(api, db, "twin@hexly.io", replied_at=NOW, sent_at=SENT_AT + timedelta(hours=1))
    silent = await talk(api, db, "silent@hexly.io", replied_at=None, sent_at=SENT_AT + timedelta(hours=2))
    silent_too = await talk(api, db, "silent2@hexly.io", replied_at=None, sent_at=SENT_AT)
    new = await talk(api, db, "new@hexly.io", replied_at=None, sent_at=None)
    assert await ids(api, "views") == [each.id for each in (twin, late, early, new, silent_too, silent)]
    by_sent = [silent, twin, silent_too, early, late, new]
    assert await ids(api, "views", {"sortBy": "SENT_TIME_DESC"}) == [each.id for each in by_sent]
    assert await ids(api, "inbox-replies", {"sortBy": "SENT_TIME_DESC"}) == [twin.id, early.id, late.id]
    assert await ids(api, "sent", {"sortBy": "REPLY_TIME_DESC"}) == [
        each.id for each in (twin, late, early, silent_too, silent)
    ]


async def test_pages_neither_repeat_nor_skip(api: ApiClient, db: Db) -> None:
    made = [await talk(api, db, f"p{number}@hexly.io", replied_at=NOW) for number in range(5)]
    wanted = [each.id for each in reversed(made)]
    pages = []
    for offset in range(0, 8, 2):
        said = await listed(api, "inbox-replies", {"offset": str(offset), "limit": 2})
        assert (said["offset"], said["limit"]) == (offset, 2)
        assert said["total_count"] == (5 if offset <= 4 else said["total_count"])
        pages += [int(row["email_lead_map_id"]) for row in said["data"]]
    assert pages == wanted
    assert (await listed(api, "inbox-replies", {"offset": 90}))["total_count"] == 5


@pytest.fixture
async def crowd(api: ApiClient, db: Db) -> dict[str, Talk]:
    """Five conversations that differ in everything a filter looks at."""
    client_id = await fresh_client(db, api.user_id, NOW)
    theirs = await make.campaign(db, api.user_id, status="ACTIVE", client_id=client_id)
    made = {
        "ada": await talk(api, db, "ada@hexly.io", first_name="Ada", last_name="Byron", text="What about pricing?"),
        "bo": await talk(
            api, db, "bo@quay.io", first_name="Bo", campaign_id=theirs, replied_at=NOW - timedelta(days=1)
        ),
        "cy": await talk(api, db, "cy@quay.io", replied_at=NOW - timedelta(days=2), text="100%_sure"),
        "di": await talk(api, db, "di@dock.io", replied_at=None),
        "ed": await talk(api, db, "ed@dock.io", replied_at=None, sent_at=None),
    }
    person_id = await fetch_value(db, "SELECT id FROM people WHERE user_id = %(id)s", {"id": api.user_id})
    await change(db, made["ada"], "category_id = 1, team_member_id = %(id)s", id=person_id)
    await change(db, made["bo"], "category_id = 3")
    await execute(db, "UPDATE messages SET first_opened_at = sent_at WHERE id = %(id)s", {"id": made["ada"].mail_id})
    await execute(db, "UPDATE messages SET first_clicked_at = sent_at WHERE id = %(id)s", {"id": made["bo"].mail_id})
    await execute(
        db,
        "UPDATE messages SET bounced_at = sent_at, bounce_kind = 'HARD' WHERE id = %(id)s",
        {"id": made["di"].mail_id},
    )
    await execute(db, "UPDATE leads SET is_unsubscribed = true WHERE id = %(id)s", {"id": made["cy"].lead_id})
    tag_id = await fetch_value(
        db,
        "INSERT INTO tags (user_id, name, color, created_at) VALUES (%(id)s, 'VIP', '#fff', %(now)s) RETURNING id",
        {"id": api.user_id, "now": NOW},
    )
    await execute(
        db,
        "INSERT INTO campaign_tags (campaign_id, tag_id, user_id) VALUES (%(campaign)s, %(tag)s, %(user)s)",
        {"campaign": made["cy"].campaign_id, "tag": tag_id, "user": api.user_id},
    )
    return made


async def found(api: ApiClient, crowd: dict[str, Talk], filters: dict[str, Any], view: str = "views") -> set[str]:
    names = {each.id: name for name, each in crowd.items()}
    said = await listed(api, view, {"filters": filters})
    assert said["total_count"] == len(said["data"])
    return {names[int(row["email_lead_map_id"])] for row in said["data"]}


ALL = {"ada", "bo", "cy", "di", "ed"}


@pytest.mark.parametrize(
    ("filters", "wanted"),
    [
        ({}, ALL),
        ({"search": "HEXLY.IO"}, {"ada"}),
        ({"search": "byron"}, {"ada"}),
        ({"search": "ada byr"}, {"ada"}),
        ({"search": "PRICING"}, {"ada"}),
        ({"search": "quay.io"}, {"bo", "cy"}),
        ({"search": "quick idea"}, {"ada", "bo", "cy"}),
        ({"search": "100%_s"}, {"cy"}),
        ({"search": "%"}, {"cy"}),
        ({"search": "_"}, {"cy"}),
        ({"search": "a\\b"}, set()),
        ({"search": "ed"}, {"ed"}),
        ({"search": "nobody"}, set()),
        ({"leadCategories": {"unassigned": True}}, {"cy", "di", "ed"}),
        ({"leadCategories": {"isAssigned": "true"}}, {"ada", "bo"}),
        ({"leadCategories": {"unassigned": True, "isAssigned": True}}, ALL),
        ({"leadCategories": {"unassigned": False, "isAssigned": False}}, ALL),
        ({"leadCategories": {"categoryIdsIn": [1]}}, {"ada"}),
        ({"leadCategories": {"categoryIdsIn": "3", "unassigned": 1}}, {"bo", "cy", "di", "ed"}),
        ({"leadCategories": {"categoryIdsNotIn": [1]}}, ALL - {"ada"}),
        ({"leadCategories": {"isAssigned": True, "categoryIdsNotIn": [1]}}, {"bo"}),
        ({"lead_categories": {"category_ids_in": [99]}}, set()),
        ({"emailStatus": "Opened"}, {"ada"}),
        ({"emailStatus": ["opened", "CLICKED"]}, {"ada", "bo"}),
        ({"emailStatus": "Replied"}, {"ada", "bo", "cy"}),
        ({"emailStatus": "not_replied"}, {"di"}),
        ({"emailStatus": "Not Replied"}, {"di"}),
        ({"emailStatus": ["Unsubscribed"]}, {"cy"}),
        ({"emailStatus": ["Bounced"]}, {"di"}),
        ({"emailStatus": ["Accepted"]}, {"ada", "bo", "cy"}),
        ({"replyTimeBetween": ["2026-03-01", "2026-03-01"]}, {"bo"}),
        ({"replyTimeBetween": ["2026-03-01T09:00:00Z", "2026-03-02T09:00:00.000Z"]}, {"ada", "bo"}),
        ({"replyTimeBetween": ["2026-03-03", "2026-03-01"]}, set()),
        ({"emailStatus": "Replied", "leadCategories": {"unassigned": True}, "search": "quay"}, {"cy"}),
        ({"campaignId": 1, "search": None}, set()),
    ],
)
async def test_filters(api: ApiClient, crowd: dict[str, Talk], filters: dict[str, Any], wanted: set[str]) -> None:
    assert await found(api, crowd, filters) == wanted


async def test_filters_by_ids(api: ApiClient, db: Db, crowd: dict[str, Talk]) -> None:
    person_id = await fetch_value(db, "SELECT id FROM people WHERE user_id = %(id)s", {"id": api.user_id})
    client_id = await fetch_value(db, "SELECT max(id) FROM clients WHERE user_id = %(id)s", {"id": api.user_id})
    tag_id = await fetch_value(db, "SELECT max(id) FROM tags WHERE user_id = %(id)s", {"id": api.user_id})
    for filters, wanted in (
        ({"campaignId": crowd["bo"].campaign_id}, {"bo"}),
        ({"campaignId": [str(crowd["bo"].campaign_id), crowd["ed"].campaign_id]}, {"bo", "ed"}),
        ({"emailAccountId": [crowd["ada"].mailbox_id, crowd["cy"].mailbox_id]}, {"ada", "cy"}),
        ({"campaignTeamMemberId": person_id}, {"ada"}),
        ({"campaignTagId": [tag_id]}, {"cy"}),
        ({"campaignClientId": client_id}, {"bo"}),
        ({"campaignClientId": client_id + 1}, set()),
        ({"subSequenceId": crowd["bo"].campaign_id}, set()),
    ):
        assert await found(api, crowd, filters) == wanted, filters
    await execute(
        db,
        "UPDATE campaigns SET parent_campaign_id = %(parent)s WHERE id = %(id)s",
        {"parent": crowd["ada"].campaign_id, "id": crowd["bo"].campaign_id},
    )
    assert await found(api, crowd, {"subSequenceId": crowd["bo"].campaign_id}) == {"bo"}
    # one client sends these beside the filters
    assert await ids(api, "views", {"campaign_id": crowd["cy"].campaign_id}) == [crowd["cy"].id]
    assert await ids(api, "views", {"client_id": str(client_id)}) == [crowd["bo"].id]


async def test_every_view_takes_the_filters(api: ApiClient, crowd: dict[str, Talk]) -> None:
    filters = {
        "search": "byron",
        "leadCategories": {"categoryIdsIn": [1], "categoryIdsNotIn": [2]},
        "emailStatus": "Opened",
        "campaignId": crowd["ada"].campaign_id,
        "emailAccountId": crowd["ada"].mailbox_id,
        "replyTimeBetween": ["2026-03-01", "2026-03-03"],
    }
    for view in VIEWS:
        wanted = {"ada"} if view not in {"important", "snoozed", "reminders", "archived"} else set()
        assert await found(api, crowd, filters, view) == wanted, view


async def test_what_an_answer_says_is_found_at_once_with_what_was_written_before(api: ApiClient, db: Db) -> None:
    here = await talk(api, db, text="Köln & Straße")
    for text in ("köln & stra", "HI ADA", "re: quick"):
        assert await ids(api, "inbox-replies", {"filters": {"search": text}}) == [here.id], text


@pytest.mark.parametrize(
    ("view", "body", "message"),
    [
        ("inbox-replies", {"limit": 21}, '"limit" must be less than or equal to 20'),
        ("inbox-replies", {"limit": 0}, '"limit" must be larger than or equal to 1'),
        ("inbox-replies", {"offset": -1}, '"offset" must be larger than or equal to 0'),
        (
            "inbox-replies",
            {"filters": {"campaignId": [1, 2, 3, 4, 5, 6]}},
            '"filters.campaignId" must contain less than or equal to 5 items',
        ),
        (
            "sent",
            {"filters": {"campaignId": list(range(1, 17))}},
            '"filters.campaignId" must contain less than or equal to 15 items',
        ),
        (
            "inbox-replies",
            {"filters": {"emailAccountId": list(range(1, 22))}},
            '"filters.emailAccountId" must contain less than or equal to 20 items',
        ),
        (
            "archived",
            {"filters": {"emailAccountId": list(range(1, 12))}},
            '"filters.emailAccountId" must contain less than or equal to 10 items',
        ),
        (
            "views",
            {"filters": {"leadCategories": {"categoryIdsIn": list(range(1, 12))}}},
            '"filters.leadCategories.categoryIdsIn" must contain less than or equal to 10 items',
        ),
        ("views", {"sortBy": "NEWEST"}, '"sortBy" must be one of [REPLY_TIME_DESC, SENT_TIME_DESC]'),
        ("views", {"sortBy": "REMINDER_TIME_ASC"}, '"sortBy" must be one of [REPLY_TIME_DESC, SENT_TIME_DESC]'),
        (
            "views",
            {"filters": {"search": "x" * 31}},
            '"filters.search" length must be less than or equal to 30 characters long',
        ),
        ("views", {"filters": {"replyTimeBetween": ["2026-03-01"]}}, '"filters.replyTimeBetween" must contain 2 items'),
        (
            "views",
            {"filters": {"replyTimeBetween": ["soon", "later"]}},
            '"filters.replyTimeBetween" must be in ISO 8601 date format',
        ),
        ("views", {"filters": {"emailStatus": "Seen"}}, '"filters.emailStatus[0]" must be one of [Opened, Clicked, '),
        ("views", {"filters": []}, '"filters" must be of type object'),
        ("views", {"filters": {"colour": 1}}, '"filters.colour" is not allowed'),
        ("views", {"status": "open"}, '"status" is not allowed'),
        ("unread-replies", {"filters": {"subSequenceId": 1}}, '"filters.subSequenceId" is not allowed'),
    ],
)
async def test_what_is_wrong_is_said(api: ApiClient, view: str, body: dict[str, Any], message: str) -> None:
    said = await api.post(f"/master-inbox/{view}", json=body)
    assert said.status_code == 400, said.text
    assert said.json()["message"].startswith(message)
    assert said.json()["validation"]["source"] == "body"


async def test_as_many_ids_as_a_view_takes(api: ApiClient, db: Db) -> None:
    here = await talk(api, db)
    boxes = [here.mailbox_id, *range(1, 20)]
    assert await ids(api, "inbox-replies", {"filters": {"emailAccountId": boxes}}) == [here.id]
    assert await ids(api, "sent", {"filters": {"emailAccountId": [*boxes, *range(20, 200)]}}) == [here.id]


@pytest.mark.parametrize("alias", ALIASES)
async def test_aliases(api: ApiClient, db: Db, alias: str) -> None:
    here = await talk(api, db)
    await change(
        db, here, "is_important = true, is_archived = true, snoozed_until = %(at)s", at=NOW + timedelta(days=1)
    )
    assert await listed(api, alias) == await listed(api, ALIASES[alias])


async def test_nobody_sees_what_is_not_his(api: ApiClient, other_api: ApiClient, client_api: ApiClient, db: Db) -> None:
    mine = await talk(api, db)
    theirs = await make.campaign(db, api.user_id, status="ACTIVE", client_id=client_api.client_id)
    of_client = await talk(api, db, "bo@quay.io", campaign_id=theirs)
    for each in (mine, of_client):
        await change(db, each, "is_important = true")
    for view in ("inbox-replies", "unread-replies", "important", "sent", "views"):
        assert await ids(other_api, view) == []
        assert await ids(client_api, view) == [of_client.id]
        assert set(await ids(api, view)) == {mine.id, of_client.id}
        assert await ids(other_api, view, {"filters": {"search": "quay"}}) == []
        assert await ids(client_api, view, {"filters": {"search": "hexly.io"}}) == []
    for caller, place, seen in ((other_api, mine, False), (client_api, mine, False), (client_api, of_client, True)):
        said = await caller.get(f"/master-inbox/{place.id}")
        assert (said.status_code, bool(said.json()["data"])) == (200, seen)


async def test_one_conversation(api: ApiClient, db: Db) -> None:
    here = await talk(api, db)
    said = (await api.get(f"/master-inbox/{here.id}")).json()
    [row] = (await listed(api, "inbox-replies"))["data"]
    assert said == {"ok": True, "data": [row]}
    said = (await api.get(f"/master-inbox/{here.id}", params={"fetch_message_history": 1})).json()
    assert len(said["data"][0]["email_history"]) == 2
    assert (await api.get("/master-inbox/77")).json() == {"ok": True, "data": []}
    wrong = await api.get("/master-inbox/abc")
    assert (wrong.status_code, wrong.json()["message"]) == (400, '"id" must be a number')


async def test_only_what_is_assigned_to_the_person_of_the_key(api: ApiClient, db: Db) -> None:
    """With the key of an owner all that is anybody's."""
    person_id = await fetch_value(
        db,
        """
        INSERT INTO people (user_id, email, name, role, created_at, updated_at)
        VALUES (%(user_id)s, 'liv@team.example', 'Liv', 'member', %(now)s, %(now)s) RETURNING id
        """,
        {"user_id": api.user_id, "now": NOW},
    )
    owner_id = await fetch_value(
        db, "SELECT id FROM people WHERE user_id = %(id)s AND role = 'owner'", {"id": api.user_id}
    )
    of_liv = await talk(api, db, "ada@hexly.io")
    of_owner = await talk(api, db, "bo@quay.io")
    await change(db, of_liv, "team_member_id = %(id)s", id=person_id)
    await change(db, of_owner, "team_member_id = %(id)s", id=owner_id)
    assert set(await ids(api, "assigned-me")) == {of_liv.id, of_owner.id}
    await execute(
        db, "UPDATE api_keys SET person_id = %(person)s WHERE id = %(key)s", {"person": person_id, "key": api.key_id}
    )
    assert await ids(api, "assigned-me") == [of_liv.id]
