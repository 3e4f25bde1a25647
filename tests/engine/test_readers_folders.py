"""Folders of a real Dovecot: what is read of them, at first and when their UIDs are new, and each mail once."""

import asyncio
from contextlib import AbstractAsyncContextManager
from typing import Any

from tests.engine.sending import Sending
from tests.support import make
from tests.support.dovecot import Dovecot, StartDovecot, dovecot
from tests.support.world import World

__all__ = ["dovecot"]

FOLDERS = """
namespace inbox {
  inbox = yes
  mailbox Junk {
    auto = subscribe
    special_use = \\Junk
  }
  mailbox Everything {
    auto = subscribe
    special_use = \\All
  }
}
"""
BOX = "nora@ours.example"


class Case:
    """A mailbox on a Dovecot; `sent` are campaign mails that it has sent."""

    def __init__(self, sending: Sending, server: Dovecot) -> None:
        self.sending = sending
        self.server = server
        self.mailbox_id = 0
        self.sent: list[dict[str, Any]] = []

    async def set_up(self, *, mails: int) -> None:
        async with self.sending.database.transaction() as db:
            world = await self.sending.world(db)
            self.mailbox_id = await self.sending.mailbox(
                world,
                from_email=BOX,
                imap_host="127.0.0.1",
                imap_port=self.server.port,
                imap_port_type="NONE",
                imap_username=BOX,
                imap_password=make.VAULT.seal("secret"),
            )
            if mails:
                self.sent = await self._send(world, mails)

    async def _send(self, world: World, count: int) -> list[dict[str, Any]]:
        campaign_id = await world.campaign([self.mailbox_id])
        return await world.sent(campaign_id, count=count)

    def deliver(
        self, name: str, *, answers: int | None = None, folder: str = "INBOX", date: str = "2026-03-02"
    ) -> None:
        mail = self.sent[answers] if answers is not None else None
        day = {"2026-03-02": "Mon, 02 Mar 2026", "2025-12-01": "Mon, 01 Dec 2025"}[date]
        reference = f"In-Reply-To: <{mail['message_id']}>\r\n" if mail else ""
        author = mail["to_email"] if mail else f"{name}@stranger.example"
        raw = (
            f"From: {author}\r\nTo: {BOX}\r\nSubject: {name}\r\nMessage-ID: <{name}@x.example>\r\n"
            f"Date: {day} 12:00:00 +0000\r\n{reference}\r\nHello.\r\n"
        )
        self.server.deliver(BOX, raw.encode(), folder=folder)

    def reading(self) -> AbstractAsyncContextManager[None]:
        """The mailbox is read inside of the block."""
        return self.sending.reading([self.mailbox_id])

    async def received(self) -> list[tuple[str, str]]:
        rows = await self.sending.rows("SELECT kind, subject FROM messages WHERE direction = 'IN' ORDER BY subject")
        return [(row["kind"], row["subject"]) for row in rows]

    async def folders_known(self) -> set[str]:
        return {row["folder"] for row in await self.sending.rows("SELECT folder FROM mailbox_folders")}

    async def until_received(self, count: int) -> None:
        async with asyncio.timeout(60):
            while len(await self.received()) < count:  # noqa: ASYNC110 - it is a test
                await asyncio.sleep(0.05)

    async def until_known(self) -> None:
        async with asyncio.timeout(60):
            while len(await self.folders_known()) < 3:  # noqa: ASYNC110 - it is a test
                await asyncio.sleep(0.05)


async def _case(sending: Sending, dovecot: StartDovecot, *, mails: int) -> Case:
    case = Case(sending, dovecot({BOX: "secret"}, folders=FOLDERS))
    await case.set_up(mails=mails)
    return case


async def test_a_mail_in_several_folders_is_taken_in_once(sending: Sending, dovecot: StartDovecot) -> None:
    case = await _case(sending, dovecot, mails=3)
    async with case.reading():
        await case.until_known()
        for folder in ("INBOX", "Everything"):
            case.deliver("first", answers=0, folder=folder)
        case.deliver("archived by a rule", answers=1, folder="Everything")
        case.deliver("called spam", answers=2, folder="Junk")
        case.deliver("end")  # in the inbox, which wakes the reader: all folders are looked at
        await case.until_received(4)
        case.deliver("last")
        await case.until_received(5)
    assert await case.received() == [
        ("REPLY", "archived by a rule"),
        ("REPLY", "called spam"),
        ("UNTRACKED", "end"),
        ("REPLY", "first"),
        ("UNTRACKED", "last"),
    ]


async def test_of_a_mailbox_that_has_sent_nothing_nothing_old_is_read(sending: Sending, dovecot: StartDovecot) -> None:
    case = await _case(sending, dovecot, mails=0)
    for number in range(5):
        case.deliver(f"old {number}")
    async with case.reading():
        await case.until_known()
        case.deliver("new")
        await case.until_received(1)
    assert await case.received() == [("UNTRACKED", "new")]


async def test_at_first_only_answers_since_the_first_send_are_taken(sending: Sending, dovecot: StartDovecot) -> None:
    case = await _case(sending, dovecot, mails=2)
    case.deliver("from before", answers=0, date="2025-12-01")  # so it says: it cannot answer what was sent later
    case.deliver("an answer", answers=0)
    case.deliver("of no interest then")
    async with case.reading():
        await case.until_known()
        case.deliver("new")
        await case.until_received(2)
    assert ("UNTRACKED", "of no interest then") not in await case.received()
    assert {("REPLY", "an answer"), ("UNTRACKED", "new")} <= set(await case.received())


async def test_new_uids_make_nothing_be_read_twice_and_lose_nothing(sending: Sending, dovecot: StartDovecot) -> None:
    case = await _case(sending, dovecot, mails=2)
    async with case.reading():
        await case.until_known()
        case.deliver("before", answers=0)
        case.deliver("stranger before")
        await case.until_received(2)
    [before] = await sending.rows("SELECT uid_validity FROM mailbox_folders WHERE folder = 'INBOX'")
    home = case.server.directory / "mail" / BOX
    case.deliver("while nobody looked", answers=1)
    case.deliver("stranger meanwhile")
    for path in home.glob("dovecot*"):
        path.unlink()
    async with case.reading():
        await case.until_received(4)
        case.deliver("after")
        await case.until_received(5)
    [after] = await sending.rows("SELECT uid_validity FROM mailbox_folders WHERE folder = 'INBOX'")
    assert after["uid_validity"] != before["uid_validity"]
    assert await case.received() == [
        ("UNTRACKED", "after"),
        ("REPLY", "before"),
        ("UNTRACKED", "stranger before"),
        ("UNTRACKED", "stranger meanwhile"),
        ("REPLY", "while nobody looked"),
    ]
