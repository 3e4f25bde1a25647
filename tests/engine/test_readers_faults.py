"""Servers that misbehave: each in its own way at first, all at once; of each its mail is taken in, once."""

import asyncio
from contextlib import AsyncExitStack

from tests.engine.sending import Sending
from tests.support.imap_servers import DROP, FaultyImap, faulty_imap

INBOX = '* LIST (\\HasNoChildren) "/" INBOX\r\n'
ONE_FOLDER = INBOX + "{tag} OK done\r\n"
SIZES = "* 1 FETCH (UID 1 RFC822.SIZE 120)\r\n{tag} OK done\r\n"
FOUND = "* SEARCH 1\r\n{tag} OK done\r\n"
OPENED = "* OK [UIDVALIDITY 7] valid\r\n* OK [UIDNEXT 2] next\r\n{tag} OK done\r\n"

FAULTS: dict[str, dict[str, str | list[str]]] = {
    "none": {},
    "no IDLE": {"CAPABILITY": "* CAPABILITY IMAP4rev1\r\n{tag} OK done\r\n"},
    "IDLE is refused": {"IDLE": "{tag} NO not today\r\n"},
    "IDLE breaks off": {"IDLE": [DROP], "UID_SEARCH": ["* SEARCH\r\n{tag} OK done\r\n"]},
    "capabilities only after the log-in": {
        "CAPABILITY": "* CAPABILITY IMAP4rev1\r\n{tag} OK done\r\n",
        "LOGIN": "{tag} OK [CAPABILITY IMAP4rev1 IDLE] in\r\n",
    },
    "no special use, names in UTF-7 and UTF-8": {
        "LIST": INBOX
        + '* LIST () "/" "Entw&APw-rfe"\r\n* LIST () "/" "Gel\xc3\xb6scht"\r\n* LIST () "." &&&\r\n{tag} OK done\r\n'
    },
    "a Junk that cannot be opened": {
        "LIST": f'{INBOX}* LIST (\\Junk) "/" Junk\r\n{{tag}} OK done\r\n',
        "SELECT": ["{tag} NO [NOPERM] not yours\r\n"],
    },
    "the inbox cannot be opened at first": {"SELECT": ["{tag} NO [UNAVAILABLE] later\r\n"]},
    "the log-in is refused for now": {"LOGIN": ["{tag} NO [UNAVAILABLE] try again later\r\n"]},
    "too many mails are announced": {"SELECT": [f"* 99 EXISTS\r\n* 7 RECENT\r\n{OPENED}"]},
    "none is announced": {"SELECT": [f"* 0 EXISTS\r\n{OPENED}"]},
    "no UIDNEXT": {
        "SELECT": ["* 1 EXISTS\r\n{tag} OK done\r\n"],
        "STATUS": "* STATUS INBOX (UIDVALIDITY 7 UIDNEXT 2)\r\n{tag} OK done\r\n",
    },
    "a literal that is too short": {
        "UID_FETCH": [SIZES, "* 1 FETCH (UID 1 BODY[] {5}\r\nFrom: somebody\r\n\r\nx)\r\n{tag} OK done\r\n" + DROP]
    },
    "a literal that ends in the middle": {"UID_FETCH": [SIZES, "* 1 FETCH (UID 1 BODY[] {500}\r\nFrom: a" + DROP]},
    "a literal of nonsense": {"UID_FETCH": [SIZES, "* 1 FETCH (UID 1 BODY[] {12x}\r\n" + DROP]},
    "BYE in the middle": {"UID_SEARCH": ["* BYE [UNAVAILABLE] shutting down\r\n" + DROP]},
    "BYE instead of a greeting": {"GREETING": ["* BYE overloaded\r\n" + DROP]},
    "no greeting": {"GREETING": [DROP]},
    "HTTP instead of IMAP": {"GREETING": ["HTTP/1.1 400 Bad Request\r\n\r\n" + DROP]},
    "flags and expunges unasked": {
        "UID_SEARCH": ["* 7 FETCH (FLAGS (\\Seen))\r\n* 3 EXPUNGE\r\n" + FOUND],
        "UID_FETCH": ["* 2 FETCH (FLAGS ())\r\n* 2 EXPUNGE\r\n" + SIZES],
    },
    "the mail is expunged and comes back": {"UID_FETCH": ["* 1 EXPUNGE\r\n{tag} OK done\r\n"]},
    "the search finds what is not there": {"UID_SEARCH": ["* SEARCH 1 88 99\r\n{tag} OK done\r\n"]},
    "junk between the lines": {"UID_SEARCH": ["* XYZZY nothing happens\r\n* OK [ALERT] read our terms\r\n" + FOUND]},
    "a huge line": {"SELECT": [f"* OK {'x' * 300_000}\r\n{OPENED}"]},
    "an answer without an end": {"UID_SEARCH": ["* SEARCH " + "9" * 5_000_000 + DROP]},
    "BAD for a search": {"UID_SEARCH": ["{tag} BAD syntax\r\n"]},
}


async def test_whatever_servers_do_each_mail_is_taken_in_once(sending: Sending) -> None:
    sending.clock.speed = 1000.0  # waits are short
    async with AsyncExitStack() as stack:
        mailboxes: dict[int, str] = {}
        for number, (name, answers) in enumerate(FAULTS.items()):
            imap = await stack.enter_async_context(faulty_imap(**{"LIST": ONE_FOLDER, **answers}))
            imap.mails[1] = _mail(number)
            mailboxes[await _mailbox(sending, imap)] = name
        async with sending.reading(list(mailboxes)):
            await _until_each_has_one(sending, mailboxes)
    rows = await sending.rows(
        "SELECT mailbox_id, subject, kind FROM messages WHERE direction = 'IN' ORDER BY mailbox_id"
    )
    assert [(mailboxes[row["mailbox_id"]], row["subject"], row["kind"]) for row in rows] == [
        (name, f"mail {number}", "UNTRACKED") for number, name in enumerate(FAULTS)
    ]
    positions = await sending.rows("SELECT mailbox_id, last_uid FROM mailbox_folders WHERE folder = 'INBOX'")
    assert {mailboxes[row["mailbox_id"]]: row["last_uid"] for row in positions} == dict.fromkeys(FAULTS, 1)


def _mail(number: int) -> bytes:
    headers = f"From: kim@orr{number}.example\r\nSubject: mail {number}\r\nMessage-ID: <{number}@orr.example>\r\n"
    return f"{headers}\r\nHello.\r\n".encode()


async def _mailbox(sending: Sending, imap: FaultyImap) -> int:
    """One that has been read before, up to the mail that waits there."""
    async with sending.database.transaction() as db:
        mailbox_id = await sending.mailbox(
            await sending.world(db), imap_host="127.0.0.1", imap_port=imap.server.port, imap_port_type="NONE"
        )
    await sending.execute(
        "INSERT INTO mailbox_folders (mailbox_id, folder, uid_validity, last_uid, checked_at)"  # noqa: S608 - a number
        f" VALUES ({mailbox_id}, 'INBOX', 7, 0, now())"
    )
    return mailbox_id


async def _until_each_has_one(sending: Sending, mailboxes: dict[int, str]) -> None:
    missing = dict(mailboxes)
    try:
        async with asyncio.timeout(120):
            while missing:
                await asyncio.sleep(0.1)
                rows = await sending.rows("SELECT mailbox_id FROM messages WHERE direction = 'IN'")
                missing = {
                    number: name for number, name in missing.items() if number not in {r["mailbox_id"] for r in rows}
                }
    except TimeoutError:
        raise AssertionError(f"nothing was taken in where: {', '.join(missing.values())}") from None
