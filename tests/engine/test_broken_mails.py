"""Broken mails in a real intake: nothing raises, nothing is processed twice, nothing is lost."""

from hashlib import sha256

import pytest

from outrider.engine.inbound.arrival import Reader
from outrider.engine.inbound.intake import take_in
from outrider.kit.db import Db, fetch_dicts
from outrider.mail.dsn import classify_bounce, read_dsns
from outrider.mail.parse import Incoming, parse
from tests.mail.mutations import mutated
from tests.support import make
from tests.support.world import World

PARTS, OF_EACH = 6, 40
OURS = b"5a3e0d1c-7b52-4c0e-8f7d-0a1b2c3d4e5f@send.example"


async def counts(db: Db) -> list[int]:
    """Of all rows that a mail may leave behind."""
    tables = (
        "messages",
        "message_events",
        "auto_replies",
        "attachments",
        "unsubscribes",
        "block_list",
        "webhook_events",
    )
    query = " UNION ALL ".join(f"SELECT {place}, count(*) AS n FROM {name}" for place, name in enumerate(tables))  # noqa: S608
    return [row["n"] for row in await fetch_dicts(db, f"{query} ORDER BY 1")]


def id_of(incoming: Incoming, raw: bytes) -> str:
    return incoming.message_id or f"{sha256(raw).hexdigest()}@no-message-id.invalid"


def is_of_no_interest(incoming: Incoming, reader: Reader) -> bool:
    """Our own mail, or a report that nothing follows from."""
    reports = read_dsns(incoming)
    is_own = (incoming.from_address or "").lower() == reader.address
    return is_own or (bool(reports) and not any(classify_bounce(report) for report in reports))


@pytest.mark.parametrize("part", range(PARTS))
async def test_every_broken_mail_ends_somewhere_and_once(world: World, part: int) -> None:
    mailbox_id = await world.mailbox()
    campaign_id = await world.campaign([mailbox_id], steps=2)
    mails = await world.sent(campaign_id, count=5)
    reader = Reader(world.user_id, mailbox_id, mails[0]["from_email"])
    kept: dict[str, bytes] = {}
    for number in range(part * OF_EACH, (part + 1) * OF_EACH):
        mail = mails[number % len(mails)]
        raw = mutated(number).replace(OURS, mail["message_id"].encode())
        raw = raw.replace(b"ida@nowhere.example", mail["to_email"].encode())
        incoming = parse(raw)
        is_taken = await take_in(world.db, make.VAULT, reader, raw, world.now, only_matched=False)
        if is_taken:
            assert id_of(incoming, raw) not in kept, number
            kept[id_of(incoming, raw)] = raw
        else:
            assert id_of(incoming, raw) in kept or is_of_no_interest(incoming, reader), number
        before = await counts(world.db)
        assert not await take_in(world.db, make.VAULT, reader, raw, world.now, only_matched=False)
        assert await counts(world.db) == before, number
    rows = await fetch_dicts(
        world.db,
        """
        SELECT messages.message_id, message_sources.raw
          FROM messages
          JOIN message_sources ON message_sources.message_id = messages.id
         WHERE direction = 'IN'
        """,
    )
    assert {row["message_id"]: bytes(row["raw"]) for row in rows} == kept
    assert len(kept) > OF_EACH / 3  # the rest are repetitions, reports of delays and our own
