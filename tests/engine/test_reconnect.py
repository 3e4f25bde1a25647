"""Mailboxes that have failed come back by themselves."""

from datetime import timedelta

from outrider.engine.reconnect import reconnect
from outrider.mailboxes.models import MailboxDisconnected
from tests.engine.sending import Sending
from tests.support import make
from tests.support.events import hearing


async def _mailbox_to_mail_from(sending: Sending) -> int:
    async with sending.database.transaction() as db:
        world = await sending.world(db)
        mailbox_id = await sending.mailbox(world)
        await world.leads(await world.campaign([mailbox_id], min_time_between_emails=1), 1)
        return mailbox_id


async def _reconnect(sending: Sending) -> int:
    return await reconnect(
        sending.database,
        sending.clock,  # type: ignore[arg-type]
        make.VAULT,
        engine_id=sending.engine_id,
    )


async def test_a_server_that_was_away_for_hours_is_found_again_and_its_mail_goes(sending: Sending) -> None:
    mailbox_id = await _mailbox_to_mail_from(sending)
    await sending.execute("UPDATE mailboxes SET smtp_port = 1, imap_port = smtp_port")
    await sending.rounds(100, every=timedelta(minutes=1))
    mailbox = await sending.row("mailboxes", mailbox_id)
    assert mailbox["is_smtp_success"] is False
    assert await _reconnect(sending) == 0  # not yet
    sending.clock.time += timedelta(hours=1)
    with hearing(MailboxDisconnected) as heard:
        assert await _reconnect(sending) == 1
        assert await _reconnect(sending) == 0
    assert heard.events == []  # it was told before
    await sending.execute("UPDATE mailboxes SET smtp_port = imap_port")
    sending.clock.time += timedelta(hours=1)
    assert await _reconnect(sending) == 1
    mailbox = await sending.row("mailboxes", mailbox_id)
    assert (mailbox["is_smtp_success"], mailbox["smtp_failure_error"]) == (True, None)
    await sending.round()
    assert len(sending.sandbox.mails) == 1


async def test_a_password_that_cannot_be_opened_says_so_and_waits(sending: Sending) -> None:
    mailbox_id = await _mailbox_to_mail_from(sending)
    await sending.execute("UPDATE mailboxes SET password = 'sealed with another key', is_smtp_success = false")
    assert await _reconnect(sending) == 1
    mailbox = await sending.row("mailboxes", mailbox_id)
    assert "OUTRIDER_SECRET_KEY" in mailbox["smtp_failure_error"]
    state = await sending.row("mailbox_states", mailbox_id)
    assert state["backoff_until"] == sending.clock.time + timedelta(minutes=1)
