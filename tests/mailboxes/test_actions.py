"""What the engine tells mailboxes, and the pure parts of saving."""

from datetime import datetime
from typing import Any

import pytest

from outrider.kit.db import Db, execute
from outrider.mailboxes import actions, store
from outrider.mailboxes.models import Credentials, MailboxDisconnected, PortType
from tests.support import make
from tests.support.client import fresh_account
from tests.support.events import hearing


async def test_a_mailbox_that_fails_is_told_about_once(db: Db, now: datetime) -> None:
    user_id = await fresh_account(db, now)
    mailbox_id = await make.mailbox(db, user_id)
    with hearing(MailboxDisconnected) as heard:
        await actions.record_smtp_failure(db, user_id, mailbox_id, error="535 5.7.8 bad password", now=now)
        await actions.record_imap_failure(db, user_id, mailbox_id, error="NO", now=now)
        await actions.record_smtp_failure(db, user_id, mailbox_id, error="535 again", now=now)
    assert [(event.mailbox_id, event.at) for event in heard.events] == [(mailbox_id, now)]
    mailbox = await store.load_mailbox(db, user_id, mailbox_id, client_id=None)
    assert (mailbox.is_connected, mailbox.is_usable) == (False, False)
    assert (mailbox.smtp_failure_error, mailbox.imap_failure_error) == ("535 again", "NO")


async def test_an_imap_failure_leaves_smtp_alone(db: Db, now: datetime) -> None:
    user_id = await fresh_account(db, now)
    mailbox_id = await make.mailbox(db, user_id)
    await actions.record_imap_failure(db, user_id, mailbox_id, error="NO", now=now)
    mailbox = await store.load_mailbox(db, user_id, mailbox_id, client_id=None)
    assert (mailbox.is_smtp_success, mailbox.is_imap_success) == (True, False)
    assert mailbox.smtp_failure_error is None


async def test_a_deleted_mailbox_does_not_fail(db: Db, now: datetime) -> None:
    user_id = await fresh_account(db, now)
    mailbox_id = await make.mailbox(db, user_id)
    await execute(db, "UPDATE mailboxes SET deleted_at = created_at")
    with hearing(MailboxDisconnected) as heard:
        await actions.record_smtp_failure(db, user_id, mailbox_id, error="535", now=now)
    assert heard.events == []


KNOWN = Credentials(
    username="nora",
    password="secret",
    smtp_host="smtp.brightfold.example",
    smtp_port=465,
    smtp_port_type=PortType.TLS,
    imap_host="imap.brightfold.example",
    imap_port=993,
    imap_port_type=PortType.SSL,
    imap_username="nora.imap",
    imap_password="other",
)


@pytest.mark.parametrize(
    ("given", "changed"),
    [
        ({}, {}),
        ({"smtp_port": 465}, {}),
        ({"smtp_port": 587}, {"smtp_port": 587, "smtp_port_type": "TLS"}),
        ({"imap_port": 143}, {"imap_port": 143, "imap_port_type": "TLS"}),
        ({"smtp_port_type": PortType.SSL}, {"smtp_port_type": "SSL"}),
        ({"password": "new"}, {"password": "new"}),
        ({"imap_username": "", "imap_password": ""}, {"imap_username": None, "imap_password": None}),
        ({"imap_username": "nora"}, {"imap_username": None}),
        ({"password": "other"}, {"password": "other", "imap_password": None}),
    ],
)
def test_credentials_change_by_what_is_given(given: dict[str, Any], changed: dict[str, Any]) -> None:
    wanted = actions.merged(KNOWN, given)
    fields = {name: getattr(wanted, name) for name in Credentials.__slots__}
    assert fields == {name: getattr(KNOWN, name) for name in Credentials.__slots__} | changed


def test_the_warmup_key_is_two_words_of_the_mailbox() -> None:
    keys = {actions.warmup_key(1, f"nora{number}@brightfold.example") for number in range(50)}
    assert len(keys) > 40
    assert all(key.replace("-", "").isalpha() and key.count("-") == 1 for key in keys)
    assert actions.warmup_key(1, "Nora@brightfold.example") == actions.warmup_key(1, "nora@brightfold.example")
