"""Connections that are kept, used again, replaced and closed, without ever making two mails of one."""

import asyncio
from dataclasses import replace

import pytest

from outrider.mail.codes import Reason, Scope
from outrider.mail.server import Server, TlsMode
from outrider.mail.smtp import Accepted, Deferred, Envelope, Outcome, Rejected, Submitter, Timeouts, Unknown
from tests.support.smtp_servers import DROP, SILENCE, USUAL, FaultySmtp, faults, reply, running
from tests.support.submitting import submit, submit_many


def envelope(number: int = 0) -> Envelope:
    return Envelope("nora@acme.example", (f"lead{number}@x.example",), b"Subject: Hi\r\n\r\nHi\r\n")


def envelopes(count: int) -> list[Envelope]:
    return [envelope(number) for number in range(count)]


def leads(smtp: FaultySmtp) -> list[str]:
    return [mail.recipients[0].partition("@")[0] for mail in smtp.mails]


@pytest.fixture
async def submitter() -> Submitter:
    return Submitter(timeouts=Timeouts(connect=20, command=20, data=20, block=20, termination=20))


async def test_mails_of_a_mailbox_share_a_connection(submitter: Submitter) -> None:
    async with running(FaultySmtp()) as smtp:
        for number in range(3):
            assert isinstance(await submit(submitter, smtp.server, envelope(number)), Accepted)
        assert smtp.connection_count == 1
        assert submitter.connection_count == 1
        await submitter.close()
        assert smtp.lines[-1] == "QUIT"
        assert submitter.connection_count == 0


async def test_another_mailbox_of_the_same_server_has_its_own_connection(submitter: Submitter) -> None:
    async with running(FaultySmtp(extensions=("AUTH PLAIN",))) as smtp:
        for username in ("nora", "jane"):
            await submit(submitter, replace(smtp.server, username=username, password="secret"), envelope())
        assert smtp.connection_count == 2
        await submitter.close()


async def test_submissions_at_the_same_time_take_turns(submitter: Submitter) -> None:
    async with running(FaultySmtp()) as smtp:
        outcomes = await asyncio.gather(*(submit(submitter, smtp.server, mail) for mail in envelopes(10)))
        assert all(isinstance(outcome, Accepted) for outcome in outcomes)
        assert smtp.connection_count == 1
        assert sorted(leads(smtp)) == sorted(f"lead{number}" for number in range(10))
        await submitter.close()


async def test_a_connection_carries_no_more_mails_than_allowed() -> None:
    submitter = Submitter(messages_per_connection=2)
    async with running(FaultySmtp()) as smtp:
        outcomes = await submit_many(submitter, smtp.server, envelopes(5))
        assert all(isinstance(outcome, Accepted) for outcome in outcomes)
        assert smtp.connection_count == 3
        assert leads(smtp) == [f"lead{number}" for number in range(5)]
        await submitter.close()


async def test_an_idle_connection_is_closed_politely() -> None:
    submitter = Submitter(idle_seconds=0.05)
    async with running(FaultySmtp()) as smtp:
        await submit(submitter, smtp.server, envelope())
        (conversation,) = smtp.conversations
        await conversation
        assert smtp.lines[-1] == "QUIT"
        assert isinstance(await submit(submitter, smtp.server, envelope(1)), Accepted)
        assert smtp.connection_count == 2
        await submitter.close()


async def test_a_connection_the_server_closed_while_it_was_idle_is_replaced(submitter: Submitter) -> None:
    async with running(FaultySmtp()) as smtp:
        await submit(submitter, smtp.server, envelope(0))
        ((conversation, writer),) = smtp.conversations.items()
        writer.write(b"421 4.4.2 idle for too long\r\n")
        writer.close()
        await asyncio.wait([conversation])
        assert isinstance(await submit(submitter, smtp.server, envelope(1)), Accepted)
        assert leads(smtp) == ["lead0", "lead1"]
        await submitter.close()


@pytest.mark.parametrize("point", ["MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize("fault", [DROP, reply("421 4.4.2 idle for too long", drop=True)], ids=["drop", "421"])
async def test_an_old_connection_that_ends_before_the_content_is_replaced(
    submitter: Submitter, point: str, fault: object
) -> None:
    async with running(FaultySmtp(faults({point: [USUAL, fault]}))) as smtp:  # type: ignore[list-item]
        for number in range(2):
            assert isinstance(await submit(submitter, smtp.server, envelope(number)), Accepted)
        assert leads(smtp) == ["lead0", "lead1"]
        assert smtp.connection_count == 2
        await submitter.close()


async def test_a_new_connection_that_ends_before_the_content_is_not_tried_again(submitter: Submitter) -> None:
    async with running(FaultySmtp(faults({"MAIL": [DROP] * 5}))) as smtp:
        outcomes = await submit_many(submitter, smtp.server, envelopes(3))
        assert [type(outcome) for outcome in outcomes] == [Deferred] * 3
        assert smtp.connection_count == 1
        await submitter.close()


async def test_a_mailbox_whose_connection_failed_is_tried_again_with_its_next_mail(submitter: Submitter) -> None:
    async with running(FaultySmtp(faults({"MAIL": [DROP]}))) as smtp:
        assert isinstance(await submit(submitter, smtp.server, envelope(0)), Deferred)
        assert isinstance(await submit(submitter, smtp.server, envelope(1)), Accepted)
        assert leads(smtp) == ["lead1"]
        await submitter.close()


async def test_a_mail_that_is_submitted_when_another_is_answered_has_its_own_turn(submitter: Submitter) -> None:
    """Also if the other was not taken, and again without an end if nobody is there."""
    told: list[Outcome] = []
    is_done = asyncio.Event()

    async with running(FaultySmtp(faults({"MAIL": [DROP, DROP]}))) as smtp:

        def again(outcome: Outcome) -> None:
            told.append(outcome)
            if isinstance(outcome, Accepted):
                is_done.set()
            else:
                submitter.submit(smtp.server, envelope(), again)

        submitter.submit(smtp.server, envelope(), again)
        await is_done.wait()
        assert [type(outcome) for outcome in told] == [Deferred, Deferred, Accepted]
        await submitter.close()


async def test_a_mail_in_doubt_is_never_sent_on_another_connection(submitter: Submitter) -> None:
    async with running(FaultySmtp(faults({"CONTENT": [USUAL, DROP]}))) as smtp:
        outcomes = await submit_many(submitter, smtp.server, envelopes(4))
        assert [type(outcome) for outcome in outcomes] == [Accepted, Unknown, Accepted, Accepted]
        assert leads(smtp) == ["lead0", "lead2", "lead3"]
        assert smtp.connection_count == 2
        await submitter.close()


async def test_a_server_that_takes_one_mail_per_connection_gets_them_all(submitter: Submitter) -> None:
    async with running(FaultySmtp(faults({"CONTENT": [reply("250 2.0.0 ok", drop=True)] * 4}))) as smtp:
        outcomes = await submit_many(submitter, smtp.server, envelopes(4))
        assert [type(outcome) for outcome in outcomes] == [Accepted] * 4
        assert smtp.connection_count >= 4
        await submitter.close()


async def test_without_a_connection_all_mails_wait(submitter: Submitter) -> None:
    outcomes = await submit_many(submitter, Server("no-such-host.invalid", 587, TlsMode.STARTTLS), envelopes(2))
    assert [type(outcome) for outcome in outcomes] == [Deferred] * 2
    assert {outcome.scope for outcome in outcomes if isinstance(outcome, Deferred)} == {Scope.CONNECTION}
    assert "is not known" in outcomes[0].text


async def test_a_refused_log_in_rejects_all_mails_and_blames_the_mailbox(submitter: Submitter) -> None:
    refusal = faults({"AUTH": reply("535 5.7.8 authentication failed")})
    nora = Server("127.0.0.1", 0, TlsMode.NONE, "nora", "wrong")
    async with running(FaultySmtp(refusal, ("AUTH PLAIN",), server=nora)) as smtp:
        outcomes = await submit_many(submitter, smtp.server, envelopes(2))
    for outcome in outcomes:
        assert isinstance(outcome, Rejected)
        assert (outcome.scope, outcome.reason) == (Scope.SENDER, Reason.AUTHENTICATION)
        assert outcome.text.startswith("535 5.7.8 authentication failed. Check")


async def test_closing_waits_for_the_mail_that_is_under_way(submitter: Submitter) -> None:
    async with running(FaultySmtp(faults({"CONTENT": replace(USUAL, delay=0.05)}))) as smtp:
        task = asyncio.create_task(submit(submitter, smtp.server, envelope()))
        await asyncio.sleep(0)
        await submitter.close()
        assert task.done()
        assert isinstance(task.result(), Accepted)
        assert submitter.connection_count == 0


@pytest.mark.parametrize("is_connected", [True, False])
async def test_nothing_is_begun_once_all_is_given_up(submitter: Submitter, is_connected: bool) -> None:
    """Neither what was to be submitted a moment before, nor what comes later."""
    async with running(FaultySmtp()) as smtp:
        if is_connected:
            await submit(submitter, smtp.server, envelope(0))
        told: list[Outcome] = []
        for number in (1, 2):
            submitter.submit(smtp.server, envelope(number), told.append)
        submitter.give_up()
        told.append(await submit(submitter, smtp.server, envelope(3)))
        await submitter.close()
        assert [type(outcome) for outcome in told] == [Deferred] * 3
        assert leads(smtp) == ["lead0"] * is_connected


async def test_a_long_wait_is_not_cut_by_the_shorter_one_before_it() -> None:
    patience = Timeouts(connect=20, command=0.3, data=0.3, block=20, termination=20)
    submitter = Submitter(timeouts=patience)
    async with running(FaultySmtp(faults({"CONTENT": replace(USUAL, delay=0.5)}))) as smtp:
        assert isinstance(await submit(submitter, smtp.server, envelope()), Accepted)
        await submitter.close()


async def test_no_mails_need_no_connection(submitter: Submitter) -> None:
    assert await submit_many(submitter, Server("127.0.0.1", 1, TlsMode.NONE), []) == []


@pytest.mark.parametrize(
    ("point", "kind"), [("CONNECT", Deferred), ("MAIL", Deferred), ("DATA", Deferred), ("CONTENT", Unknown)]
)
async def test_a_submission_that_is_given_up_ends_at_once_with_what_is_true(
    submitter: Submitter, point: str, kind: type[object]
) -> None:
    async with running(FaultySmtp(faults({point: SILENCE}))) as smtp:
        tasks = [asyncio.create_task(submit(submitter, smtp.server, envelope(number))) for number in range(2)]
        await smtp.has_fallen_silent.wait()
        await asyncio.sleep(0.02)  # the silence comes before the client has read what was said
        submitter.give_up()
        first, second = await asyncio.gather(*tasks)
        assert isinstance(first, kind)
        assert isinstance(second, Deferred)
        await submitter.close()
