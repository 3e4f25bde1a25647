"""B7: replies per second taken in from a real Dovecot, against a bare fetch loop with the same library.

50 mailboxes have sent a campaign and wait in IDLE; then every lead's answer is in their maildirs at once. A reply is
taken in when it is stored, matched to its mail, its lead and its campaign are what they have to be, and the webhook
that tells of it is queued. At the webhook's address somebody listens who never answers: the queue is what is measured.

The yardstick is the loop that anybody would write with aioimaplib: it logs in to as many mailboxes with the same mails,
fetches one mail after another and does nothing with it; all mailboxes at the same time, in as many processes as the
product has engines. What the library does with many mails in one FETCH is told beside it.
"""

import asyncio
import os
import socket
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import psycopg
import uvloop
from aioimaplib import IMAP4

from benchmarks import campaigning, postfix
from benchmarks.answering import Post, Sent, sent_mails
from benchmarks.harness import CannotMeasure, Measurement
from benchmarks.product import Api, Product, free_port
from tests.support import dovecot
from tests.support.dovecot import Dovecot

FULL = 20_000
_MAILBOXES = 50
_AT_ONCE = 1  # mails of a FETCH
_SETTINGS = """
mail_max_userip_connections = 100
service imap-login {
  service_count = 0
}
service imap {
  process_limit = 400
}
"""
_PATIENCE_SECONDS = 600.0
_POLL_SECONDS = 0.02


def measure(leads: int) -> list[Measurement]:
    """Take in an answer of each lead, with the yardstick before and after it."""
    postfix.require()
    if dovecot.BINARY is None:
        raise CannotMeasure("dovecot not found: apt-get install dovecot-imapd")
    boxes = [campaigning.address(number) for number in range(_MAILBOXES)]
    copies = [[f"{name}-{box}" for box in boxes] for name in ("before", "after")]
    passwords = dict.fromkeys((*boxes, *copies[0], *copies[1]), "secret")
    with (
        tempfile.TemporaryDirectory(prefix="outrider-bench-") as name,
        dovecot.running_dovecot(passwords, settings=_SETTINGS) as server,
        socket.create_server(("127.0.0.1", 0), backlog=1000) as receiver,
    ):
        folder = Path(name)
        folder.chmod(0o755)  # smtp-sink runs as nobody
        engines = os.cpu_count() or 1
        settings = {"OUTRIDER_ENGINES": str(engines), "OUTRIDER_ALLOW_PRIVATE_NETWORKS": "true"}
        sender = Product(folder / "data", {**settings, "OUTRIDER_CLOCK": campaigning.clock()})
        with sender.running():
            key, mailbox_ids, mails = _send(sender, folder, leads)
        post = _prepare(server, mails, copies)
        product = Product(folder / "data", settings)
        before = _bare_loop(server, copies[0], leads, engines)
        with product.running(), product.database() as db:
            _read_from(Api(product.port, key), server, mailbox_ids, receiver=receiver.getsockname()[1])
            _wait(db, "SELECT count(*) FROM mailbox_folders WHERE folder = 'INBOX'", _MAILBOXES)
            started_at = time.monotonic()
            post.deliver()
            _wait(db, "SELECT count(*) FROM webhook_deliveries", leads)
            seconds = time.monotonic() - started_at
            counted = {name: _value(db, sql) for name, sql in _COUNTED.items()}
        after = _bare_loop(server, copies[1], leads, engines)
    if set(counted.values()) != {leads}:
        raise CannotMeasure(f"{leads} answers, in the database: {campaigning.shown(counted)}")
    return [
        Measurement(
            name="B7",
            what=f"replies taken in from Dovecot, {_MAILBOXES} mailboxes, {leads:,} replies",
            unit="replies/s",
            value=leads / seconds,
            yardstick=(before + after) / 2,
            against=f"bare aioimaplib, FETCH of {_AT_ONCE}, {engines} processes, before and after",
            must=0.3,
            aim=0.7,
            notes=(
                f"in the database: {campaigning.shown(counted)}",
                f"OUTRIDER_ENGINES={engines}, one for each core; the default is 1, for small machines",
                f"{seconds:.1f} s; the bare loop {before:,.0f} mails/s before, {after:,.0f} after",
                *([] if leads >= FULL else [f"fewer replies than the full size: --leads {FULL}"]),
            ),
        )
    ]


def _send(product: Product, folder: Path, leads: int) -> tuple[str, list[int], list[Sent]]:
    """The campaign that is answered: the account's key, its mailboxes and what they sent."""
    api = Api(product.port, product.account("bench@quaydesk.example"))
    port = free_port()
    mailbox_ids = [campaigning.add_mailbox(api, number, port, port_type="NONE") for number in range(_MAILBOXES)]
    with product.database() as db:  # smtp-sink answers AUTH with a wrong code
        db.execute("UPDATE mailboxes SET imap_host = NULL, username = NULL, password = NULL")
    campaign_id = campaigning.add_campaign(api, mailbox_ids, count=leads)
    with postfix.sink(folder, port=port):
        campaigning.run(api, product, campaign_id, mailbox_count=_MAILBOXES)
    with product.database() as db:
        return api.key, mailbox_ids, sent_mails(db, campaign_id)


def _prepare(server: Dovecot, mails: Sequence[Sent], copies: Sequence[Sequence[str]]) -> Post:
    """The answers lie ready for the product, and are delivered to the mailboxes of the yardstick."""
    by_box: dict[str, list[bytes]] = defaultdict(list)
    for number, mail in enumerate(mails):
        by_box[mail.from_email].append(mail.answer(number))
    for names in copies:
        post = Post(server)
        for name in names:
            post.prepare(name, by_box[name.partition("-")[2]])
        post.deliver()
    post = Post(server)
    for box, answers in by_box.items():
        post.prepare(box, answers)
    return post


def _read_from(api: Api, server: Dovecot, mailbox_ids: Sequence[int], *, receiver: int) -> None:
    body = {
        "name": "replies",
        "webhook_url": f"http://127.0.0.1:{receiver}/",
        "association_type": 1,
        "event_types": ["EMAIL_REPLY"],
    }
    api.call("POST", "/webhook/create", body)
    for number, mailbox_id in enumerate(mailbox_ids):
        imap = {"imap_host": "127.0.0.1", "imap_port": server.port, "imap_port_type": "NONE"}
        log_in = {"user_name": campaigning.address(number), "password": "secret"}
        api.call("POST", f"/email-accounts/{mailbox_id}", {**imap, **log_in})


def _bare_loop(server: Dovecot, names: Sequence[str], expected: int, processes: int) -> float:
    """Mails per second. The processes start before they are measured."""
    shares = [names[first::processes] for first in range(processes)]
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        spans = list(pool.map(_fetch_all, [server.port] * processes, shares))
    if sum(count for _, _, count in spans) != expected:
        raise CannotMeasure("The bare loop has not fetched every mail.")
    return expected / (max(end for _, end, _ in spans) - min(start for start, _, _ in spans))


def _fetch_all(port: int, names: Sequence[str]) -> tuple[float, float, int]:
    """When it began and ended, by the clock that all processes share, and how many mails there were."""

    async def all_of_them() -> int:
        return sum(await asyncio.gather(*(_fetch(port, name) for name in names)))

    started_at = time.monotonic()
    count = uvloop.run(all_of_them())
    return started_at, time.monotonic(), count


async def _fetch(port: int, name: str) -> int:
    imap = IMAP4("127.0.0.1", port, timeout=120)
    await imap.wait_hello_from_server()
    await imap.login(name, "secret")
    await imap.select("INBOX")
    found = await imap.uid_search("ALL", charset=None)
    uids = found.lines[0].decode().split()
    count = 0
    for start in range(0, len(uids), _AT_ONCE):
        answer = await imap.uid("fetch", ",".join(uids[start : start + _AT_ONCE]), "(UID FLAGS BODY.PEEK[])")
        count += sum(isinstance(line, bytearray) for line in answer.lines)
    await imap.logout()
    return count


_COUNTED = {
    "replies stored": "SELECT count(*) FROM messages WHERE direction = 'IN' AND kind = 'REPLY'",
    "mails answered": "SELECT count(DISTINCT answers_id) FROM messages WHERE direction = 'IN'",
    "events": "SELECT count(*) FROM message_events WHERE type = 'REPLIED'",
    "conversations unread": "SELECT count(*) FROM campaign_leads WHERE is_unread AND last_reply_at IS NOT NULL",
    "webhooks queued": "SELECT count(*) FROM webhook_deliveries",
}


def _wait(db: psycopg.Connection[Any], sql: Any, wanted: int) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while (found := _value(db, sql)) < wanted:
        if time.monotonic() > deadline:
            raise CannotMeasure(f"{found} of {wanted}: {sql}")
        time.sleep(_POLL_SECONDS)


def _value(db: psycopg.Connection[Any], sql: Any) -> int:
    row = db.execute(sql).fetchone()
    return int(row[0]) if row else 0
