"""How a mailbox is read: nothing waits for the next look that could be read at once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.engine.sending import Sending
from tests.support.imap_servers import FaultyImap, faulty_imap

ONE_FOLDER = '* LIST (\\HasNoChildren) "/" INBOX\r\n{tag} OK done\r\n'
NOTHING = "* SEARCH\r\n{tag} OK done\r\n"
NOTHING_BUT_SOMETHING_CAME = "* SEARCH\r\n* 1 EXISTS\r\n{tag} OK done\r\n"


@asynccontextmanager
async def reading(sending: Sending, imap: FaultyImap) -> AsyncIterator[None]:
    """One mailbox on this server is read inside of the block."""
    async with sending.database.transaction() as db:
        mailbox_id = await sending.mailbox(
            await sending.world(db), imap_host="127.0.0.1", imap_port=imap.server.port, imap_port_type="NONE"
        )
    async with sending.reading([mailbox_id]):
        yield


async def test_what_comes_while_a_folder_is_read_is_read_before_it_waits(sending: Sending) -> None:
    async with faulty_imap(LIST=ONE_FOLDER, UID_SEARCH=[NOTHING_BUT_SOMETHING_CAME, NOTHING, NOTHING]) as imap:
        async with reading(sending, imap), asyncio.timeout(60):
            await imap.until("IDLE")
        said = [line.partition(" ")[2] for line in imap.lines]
        assert sum(line.startswith("UID SEARCH") for line in said[: said.index("IDLE")]) == 2
