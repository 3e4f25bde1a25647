"""Attachments are downloads, for whoever has the address and nobody else."""

from outrider.kit.db import Db
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


async def test_an_unknown_file_is_404(api: ApiClient) -> None:
    assert (await api.request("GET", "//files/nothing/x.pdf", key=None)).status_code == 404
