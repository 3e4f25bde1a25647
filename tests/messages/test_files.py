"""Attachments are downloads, for whoever has the address and nobody else."""

from collections.abc import Awaitable, Callable

import pytest

from outrider.kit.db import Db, fetch_value
from outrider.messages import received
from outrider.messages.received import File
from tests.support.client import ApiClient
from tests.support.world import World


async def test_a_file_is_a_download_whatever_it_says_it_is(api: ApiClient, db: Db, world: World) -> None:
    campaign_id = await world.campaign([await world.mailbox()])
    [mail] = await world.sent(campaign_id)
    await received.insert_files(
        db, world.user_id, mail["id"], [File("ä b.html", "text/html", b"<script>alert(1)</script>")]
    )
    cursor = await db.execute("SELECT token FROM attachments")
    [token] = await cursor.fetchone() or [None]
    answer = await api.request("GET", f"//files/{token}/anything.html", key=None)
    assert answer.status_code == 200
    assert answer.content == b"<script>alert(1)</script>"
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''%C3%A4%20b.html"
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ('a".html', "a%22.html"),
        ("a\r\nSet-Cookie: x=1", "a%0D%0ASet-Cookie%3A%20x%3D1"),
        ("../../etc/passwd", "..%2F..%2Fetc%2Fpasswd"),
        ("価格表.xlsx", "%E4%BE%A1%E6%A0%BC%E8%A1%A8.xlsx"),
    ],
)
async def test_no_name_breaks_out_of_its_header(api: ApiClient, db: Db, world: World, *, name: str, shown: str) -> None:
    campaign_id = await world.campaign([await world.mailbox()])
    [mail] = await world.sent(campaign_id)
    await received.insert_files(db, world.user_id, mail["id"], [File(name, "image/svg+xml", b"<svg/>")])
    token = await fetch_value(db, "SELECT token FROM attachments")
    answer = await api.request("GET", f"//files/{token}/x", key=None)
    assert answer.headers["content-disposition"] == f"attachment; filename*=UTF-8''{shown}"
    assert answer.headers["content-type"] == "application/octet-stream"
    assert "set-cookie" not in answer.headers


async def test_of_a_file_that_was_left_out_name_and_size_are_told(
    api: ApiClient, db: Db, world: World, connect: Callable[..., Awaitable[ApiClient]]
) -> None:
    campaign_id = await world.campaign([await world.mailbox()])
    [mail] = await world.sent(campaign_id)
    left_out = File("film.mov", "video/quicktime", None, size=40_000_000)
    await received.insert_files(db, world.user_id, mail["id"], [left_out, File("a.txt", "text/plain", b"abc")])
    owner = await connect(api.app, db, user_id=world.user_id)
    history = (await owner.get(f"/campaigns/{campaign_id}/leads/{mail['lead_id']}/message-history")).json()["history"]
    film, note = history[0]["attachments"]
    assert (film["file_name"], film["file_size"], note["file_size"]) == ("film.mov", 40_000_000, 3)
    answer = await api.request("GET", "/" + film["file_url"].removeprefix("http://127.0.0.1:8000"), key=None)
    assert answer.status_code == 410
    assert "with the email in the mailbox" in answer.text


async def test_an_unknown_file_is_404(api: ApiClient) -> None:
    assert (await api.request("GET", "//files/nothing/x.pdf", key=None)).status_code == 404
