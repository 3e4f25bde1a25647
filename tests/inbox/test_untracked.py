"""Replies that belong to no lead, over HTTP."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from outrider.kit.db import Db, execute, fetch_value
from tests.inbox.conversations import write
from tests.support import make
from tests.support.client import ApiClient
from tests.support.make import NOW
from tests.support.shape import assert_shape, example


async def stray(api: ApiClient, db: Db, mailbox_id: int, **given: Any) -> int:
    """A reply that matched nobody."""
    values = {
        "user_id": api.user_id,
        "mailbox_id": mailbox_id,
        "stats_id": uuid4(),
        "message_id": f"{uuid4()}@ext.org",
        "from_email": "ops@ext.org",
        "to_email": "liv@send.hexsales.io",
        "cc": [],
        "subject": "Re: intro",
        "kind": "UNTRACKED",
        "at": NOW,
        **given,
    }
    message_id = await fetch_value(
        db,
        """
        INSERT INTO messages (user_id, direction, kind, mailbox_id, stats_id, message_id, status, from_email, to_email,
                              cc, subject, sent_at, created_at)
        VALUES (%(user_id)s, 'IN', %(kind)s, %(mailbox_id)s, %(stats_id)s, %(message_id)s, 'RECEIVED', %(from_email)s,
                %(to_email)s, %(cc)s, %(subject)s, %(at)s, %(at)s)
        RETURNING id
        """,
        values,
    )
    return int(message_id)


@pytest.fixture
async def mailbox_id(api: ApiClient, db: Db) -> int:
    return await make.mailbox(db, api.user_id)


async def get(api: ApiClient, **params: Any) -> dict[str, Any]:
    said = await api.get("/master-inbox/untracked-replies", params=params)
    assert said.status_code == 200, said.text
    return dict(said.json())


async def senders(api: ApiClient, **params: Any) -> list[str]:
    return [reply["from_email"] for reply in (await get(api, **params))["data"]["data"]["replies"]]


async def test_a_reply_has_the_shape_of_the_reference(api: ApiClient, db: Db, mailbox_id: int) -> None:
    reply_id = await stray(api, db, mailbox_id, cc=["a@ext.org", "b@ext.org"], message_id="x1@ext.org")
    await write(
        db, reply_id, None, "Hello\n\nOn Mon, 2 Mar 2026 at 10:00, Liv Berg <liv@send.hexsales.io> wrote:\n> Hi"
    )
    await execute(
        db,
        """
        INSERT INTO attachments (user_id, message_id, token, name, type, size, content)
        VALUES (%(user_id)s, %(id)s, '8mZ2', 'q.pdf', 'application/pdf', 1024, '')
        """,
        {"user_id": api.user_id, "id": reply_id},
    )
    said = await get(api, fetchBody="true", fetchAttachments="true")
    assert_shape(said, example("untracked_replies"))
    assert said["data"]["replies"] == said["data"]["data"]["replies"]
    [reply] = said["data"]["replies"]
    assert (reply["cc"], reply["message_id"], reply["account_id"]) == (
        "a@ext.org, b@ext.org",
        "<x1@ext.org>",
        mailbox_id,
    )
    assert (reply["visible_text"], reply["has_attachment"]) == ("Hello", True)
    assert reply["body"]["text"].startswith("Hello\n\nOn Mon, 2 Mar")
    assert reply["attachments"][0]["file_url"] == "http://127.0.0.1:8000/files/8mZ2/q.pdf"
    [bare] = (await get(api))["data"]["replies"]
    assert not {"body", "attachments"} & bare.keys()


async def test_filters_and_pages(api: ApiClient, db: Db, mailbox_id: int) -> None:
    await stray(api, db, mailbox_id, from_email="Ann@ext.org", subject="Offer 50%", at=NOW - timedelta(hours=2))
    await stray(api, db, mailbox_id, from_email="bob@ext.org", to_email="other@send.hexsales.io")
    await stray(api, db, mailbox_id, from_email="cat@ext.org")
    await stray(api, db, mailbox_id, from_email="warm@ext.org", kind="BOUNCE")
    assert await senders(api) == ["cat@ext.org", "bob@ext.org", "Ann@ext.org"]
    assert await senders(api, from_email="ann@EXT.org") == ["Ann@ext.org"]
    assert await senders(api, to_email="Other@send.hexsales.io") == ["bob@ext.org"]
    assert await senders(api, subject_line="50%") == ["Ann@ext.org"]
    assert await senders(api, subject_line="nothing") == []
    said = await get(api, limit=2, offset="1")
    assert [reply["from_email"] for reply in said["data"]["replies"]] == ["bob@ext.org", "Ann@ext.org"]
    assert said["data"]["pagination"] == {"limit": 2, "offset": 1, "totalCount": 3, "hasMore": False}
    assert (await get(api, limit=2))["data"]["data"]["pagination"]["hasMore"] is True


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"limit": 101}, '"limit" must be less than or equal to 100'),
        ({"limit": 0}, '"limit" must be larger than or equal to 1'),
        ({"offset": -1}, '"offset" must be larger than or equal to 0'),
        ({"fetchBody": "perhaps"}, '"fetchBody" must be a boolean'),
    ],
)
async def test_a_bad_query_is_refused(api: ApiClient, params: dict[str, Any], message: str) -> None:
    said = await api.get("/master-inbox/untracked-replies", params=params)
    assert (said.status_code, said.json()["message"]) == (400, message)


async def test_everybody_sees_his_own(
    api: ApiClient, other_api: ApiClient, client_api: ApiClient, db: Db, mailbox_id: int
) -> None:
    theirs = await make.mailbox(db, api.user_id, client_id=client_api.client_id)
    await stray(api, db, mailbox_id)
    await stray(api, db, theirs, from_email="client@ext.org")
    assert await senders(other_api) == []
    assert await senders(client_api) == ["client@ext.org"]
    assert len(await senders(api)) == 2
