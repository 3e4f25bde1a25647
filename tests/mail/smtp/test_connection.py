"""One session against servers that break off, answer late, answer rubbish: what became of the mail is always right.

The table of drop points is `OUTCOMES`: where the server fails, how, and what that makes of the mail.
"""

import asyncio
from collections import deque
from dataclasses import replace

import pytest

from outrider.mail.codes import Reason, Scope
from outrider.mail.smtp import (
    Accepted,
    Connection,
    Deferred,
    Envelope,
    Outcome,
    Rejected,
    Submission,
    Timeouts,
    Unknown,
)
from outrider.mail.smtp.session import SessionRefused
from outrider.mail.smtp.submitter import no_session
from outrider.mail.tls import TlsContexts
from tests.support.smtp_servers import DROP, SILENCE, Fault, FaultySmtp, faults, reply, running
from tests.support.submitting import work

PATIENT = Timeouts(connect=20, command=20, data=20, block=20, termination=20)
SHORT = {
    "CONNECT": replace(PATIENT, command=0.3),
    "MAIL": replace(PATIENT, command=0.3),
    "RCPT": replace(PATIENT, command=0.3),
    "DATA": replace(PATIENT, data=0.3),
    "CONTENT": replace(PATIENT, termination=0.3),
}
MAIL = b"Subject: Hi\r\n\r\n.Hi Jane\r\n"
PIPELINING = ("PIPELINING", "SIZE 30000000", "8BITMIME", "SMTPUTF8")
ONE_BY_ONE = ("SIZE 30000000",)
GARBAGE = Fault(reply="\x00\x01rubbish\r\n")
ENDLESS = Fault(reply="250 " + "x" * 100_000)
HALF = Fault(reply="250-2.0.0 que", drop=True)


def envelope(*recipients: str, data: bytes = MAIL) -> Envelope:
    return Envelope("nora@acme.example", recipients or ("jane@x.example",), data)


async def submit(smtp: FaultySmtp, *envelopes: Envelope, timeouts: Timeouts = PATIENT) -> list[Outcome]:
    try:
        connection = await Connection.open(smtp.server, tls=TlsContexts(), timeouts=timeouts)
    except (OSError, SessionRefused) as error:
        return [no_session(error, smtp.server)]
    outcomes = await work(connection, envelopes)
    if connection.failure:
        outcomes.append(connection.failure)
    await connection.quit()
    return outcomes


OUTCOMES = [
    # where, how, what became of the mail, whom it blames, whether the server has it
    ("CONNECT", DROP, Deferred, Scope.CONNECTION, 0),
    ("CONNECT", SILENCE, Deferred, Scope.CONNECTION, 0),
    ("CONNECT", GARBAGE, Deferred, Scope.CONNECTION, 0),
    ("CONNECT", ENDLESS, Deferred, Scope.CONNECTION, 0),
    ("CONNECT", reply("421 4.3.2 too busy", drop=True), Deferred, Scope.CONNECTION, 0),
    ("CONNECT", reply("554 no service", drop=True), Rejected, Scope.CONNECTION, 0),
    ("EHLO", DROP, Deferred, Scope.CONNECTION, 0),
    ("EHLO", reply("421 4.3.2 too busy", drop=True), Deferred, Scope.CONNECTION, 0),
    ("EHLO", reply("550 go away", drop=True), Deferred, Scope.CONNECTION, 0),
    ("EHLO", reply("502 what?"), Accepted, None, 1),  # then HELO
    ("MAIL", DROP, Deferred, Scope.CONNECTION, 0),
    ("MAIL", SILENCE, Deferred, Scope.CONNECTION, 0),
    ("MAIL", GARBAGE, Deferred, Scope.CONNECTION, 0),
    ("MAIL", reply("354 what?"), Deferred, Scope.CONNECTION, 0),
    ("MAIL", reply("421 4.7.0 closing", drop=True), Deferred, Scope.CONNECTION, 0),
    ("MAIL", reply("451 4.3.0 local error"), Deferred, Scope.CONNECTION, 0),
    ("MAIL", reply("550 5.4.5 Daily user sending limit exceeded"), Rejected, Scope.SENDER, 0),
    ("MAIL", reply("550 5.1.8 bad sender", drop=True), Rejected, Scope.SENDER, 0),
    ("RCPT", DROP, Deferred, Scope.CONNECTION, 0),
    ("RCPT", SILENCE, Deferred, Scope.CONNECTION, 0),
    ("RCPT", reply("450 4.2.0 greylisted"), Deferred, Scope.RECIPIENT, 0),
    ("RCPT", reply("550-5.1.1 no such user\r\n550 5.1.1 here"), Rejected, Scope.RECIPIENT, 0),
    ("RCPT", reply("550 5.1.1 no such user", drop=True), Rejected, Scope.RECIPIENT, 0),
    ("DATA", DROP, Deferred, Scope.CONNECTION, 0),
    ("DATA", SILENCE, Deferred, Scope.CONNECTION, 0),
    ("DATA", GARBAGE, Deferred, Scope.CONNECTION, 0),
    ("DATA", reply("250 what?"), Deferred, Scope.CONNECTION, 0),
    ("DATA", reply("451 4.3.1 no space"), Deferred, Scope.CONNECTION, 0),
    ("DATA", reply("554 5.7.1 not today"), Rejected, Scope.MESSAGE, 0),
    # the final dot was sent
    ("CONTENT", DROP, Unknown, Scope.CONNECTION, 0),
    ("CONTENT", SILENCE, Unknown, Scope.CONNECTION, 0),
    ("CONTENT", GARBAGE, Unknown, Scope.CONNECTION, 0),
    ("CONTENT", ENDLESS, Unknown, Scope.CONNECTION, 0),
    ("CONTENT", HALF, Unknown, Scope.CONNECTION, 0),
    ("CONTENT", reply("354 what?"), Unknown, Scope.CONNECTION, 0),
    ("CONTENT", reply("421 4.3.2 shutting down", drop=True), Deferred, Scope.CONNECTION, 0),
    ("CONTENT", reply("451 4.3.0 queue file write error"), Deferred, Scope.CONNECTION, 0),
    ("CONTENT", reply("554 5.7.1 looks like spam"), Rejected, Scope.MESSAGE, 0),
    ("CONTENT", Fault(delay=0.05), Accepted, None, 1),
    ("QUIT", DROP, Accepted, None, 1),
]


@pytest.mark.parametrize("extensions", [PIPELINING, ONE_BY_ONE], ids=["pipelined", "one by one"])
@pytest.mark.parametrize(("point", "fault", "expected", "scope", "taken"), OUTCOMES)
async def test_the_outcome_is_right_wherever_the_server_fails(  # noqa: PLR0917 - the columns of the table
    extensions: tuple[str, ...], point: str, fault: Fault, expected: type[Outcome], scope: Scope | None, taken: int
) -> None:
    async with running(FaultySmtp(faults({point: fault}), extensions)) as smtp:
        timeouts = SHORT[point] if fault is SILENCE else PATIENT
        (outcome,) = await submit(smtp, envelope(), timeouts=timeouts)
        assert type(outcome) is expected, outcome
        assert getattr(outcome, "scope", None) is scope
        assert len(smtp.mails) == taken
        assert outcome.text


async def test_a_connection_that_breaks_within_a_large_content_is_no_doubt() -> None:
    """The final dot was not sent, so the mail was certainly not taken."""
    large = envelope(data=b"x" * 70 + b"\r\n" + (b"y" * 70 + b"\r\n") * 400_000)
    async with running(FaultySmtp(extensions=PIPELINING, read_content=100)) as smtp:
        (outcome,) = await submit(smtp, large)
    assert isinstance(outcome, Deferred)


async def test_a_refusal_within_the_content_is_believed() -> None:
    large = envelope(data=(b"y" * 70 + b"\r\n") * 400_000)
    fault = Fault(reply="354 go\r\n552 5.3.4 too big\r\n", drop=True)
    async with running(FaultySmtp(faults({"DATA": fault}), PIPELINING)) as smtp:
        (outcome,) = await submit(smtp, large)
    assert isinstance(outcome, Rejected)
    assert outcome.reason is Reason.TOO_LARGE


async def test_a_server_that_hangs_up_at_the_go_ahead_has_not_taken_the_mail_but_we_may_not_know() -> None:
    async with running(FaultySmtp(faults({"DATA": reply("354 go", drop=True)}), PIPELINING)) as smtp:
        (outcome,) = await submit(smtp, envelope())
    assert isinstance(outcome, Deferred | Unknown)


async def test_content_arrives_as_it_was_given() -> None:
    data = b"Subject: x\r\n\r\n.\r\n..\r\n.x\r\n\r\n."
    async with running(FaultySmtp()) as smtp:
        (outcome,) = await submit(smtp, envelope(data=data))
        assert outcome == Accepted(250, "2.0.0", "250 2.0.0 queued")
        assert [mail.content for mail in smtp.mails] == [data + b"\r\n"]
        assert smtp.mails[0].sender == "nora@acme.example"


async def test_large_contents_arrive_whole() -> None:
    data = b"".join(b".%d %s\r\n" % (number, b"x" * 70) for number in range(4000))
    async with running(FaultySmtp()) as smtp:
        outcomes = await submit(smtp, envelope(data=data), envelope(data=data))
        assert all(isinstance(outcome, Accepted) for outcome in outcomes)
        assert [mail.content for mail in smtp.mails] == [data, data]


async def test_commands_go_ahead_of_replies_only_where_that_is_offered() -> None:
    async with running(FaultySmtp(extensions=PIPELINING)) as smtp:
        await submit(smtp, envelope(), envelope())
        assert [line[:4] for line in smtp.is_ahead] == ["MAIL", "RCPT", "MAIL", "RCPT"]
    async with running(FaultySmtp(extensions=ONE_BY_ONE)) as smtp:
        await submit(smtp, envelope(), envelope())
        assert len(smtp.mails) == 2
        assert smtp.is_ahead == []


@pytest.mark.parametrize("extensions", [PIPELINING, ONE_BY_ONE], ids=["pipelined", "one by one"])
@pytest.mark.parametrize("point", ["MAIL", "RCPT", "DATA", "CONTENT"])
async def test_a_refused_mail_does_not_hurt_those_around_it(extensions: tuple[str, ...], point: str) -> None:
    fault = faults({point: [Fault(delay=0), reply("550 5.0.0 no"), Fault(delay=0)]})
    async with running(FaultySmtp(fault, extensions)) as smtp:
        outcomes = await submit(smtp, *(envelope(f"lead{number}@x.example") for number in range(3)))
        assert [type(outcome) for outcome in outcomes] == [Accepted, Rejected, Accepted]
        assert [mail.recipients for mail in smtp.mails] == [["lead0@x.example"], ["lead2@x.example"]]
        assert smtp.connection_count == 1


async def test_a_mail_the_server_cannot_take_is_not_tried_and_the_next_one_is() -> None:
    async with running(FaultySmtp(extensions=("PIPELINING", "SIZE 1000"))) as smtp:
        outcomes = await submit(smtp, envelope(), envelope(data=b"x" * 2000), envelope("ñ@x.example"), envelope())
        assert [type(outcome) for outcome in outcomes] == [Accepted, Rejected, Rejected, Accepted]
        assert sum(line.startswith("MAIL") for line in smtp.lines) == 2


async def test_data_that_is_let_through_after_a_refusal_gets_an_empty_content() -> None:
    """RFC 2920 §3.1: the server accepted DATA although the only recipient was refused."""
    broken = faults({"RCPT": [reply("550 5.1.1 unknown")], "DATA": []})
    async with running(FaultySmtp(broken, PIPELINING)) as smtp:
        outcomes = await submit(smtp, envelope("lead0@x.example"), envelope("lead1@x.example"))
        assert [type(outcome) for outcome in outcomes] == [Rejected, Accepted]
        assert smtp.mails[0].recipients == []
        assert smtp.mails[0].content == b""
        assert smtp.mails[1].recipients == ["lead1@x.example"]


async def test_a_refused_copy_does_not_fail_the_mail() -> None:
    fault = faults({"RCPT": [Fault(delay=0), reply("550 5.1.1 unknown")]})
    async with running(FaultySmtp(fault)) as smtp:
        (outcome,) = await submit(smtp, envelope("jane@x.example", "crm@acme.example"))
        assert isinstance(outcome, Accepted)
        assert outcome.refused == ("crm@acme.example",)
        assert smtp.mails[0].recipients == ["jane@x.example"]


@pytest.mark.parametrize("extensions", [PIPELINING, ONE_BY_ONE], ids=["pipelined", "one by one"])
async def test_copies_do_not_get_what_the_lead_cannot(extensions: tuple[str, ...]) -> None:
    async with running(FaultySmtp(faults({"RCPT": reply("550 5.1.1 unknown")}), extensions)) as smtp:
        outcomes = await submit(smtp, envelope("jane@x.example", "crm@acme.example"), envelope())
        assert [type(outcome) for outcome in outcomes] == [Rejected, Accepted]
        assert [mail.recipients for mail in smtp.mails] == [["jane@x.example"]]


async def test_mails_after_a_lost_connection_are_left_to_the_caller() -> None:
    async with running(FaultySmtp(faults({"CONTENT": [Fault(delay=0), DROP]}))) as smtp:
        connection = await Connection.open(smtp.server, tls=TlsContexts(), timeouts=PATIENT)
        outcomes = await work(connection, [envelope()] * 4)
        assert [type(outcome) for outcome in outcomes] == [Accepted, Unknown]
        assert isinstance(connection.failure, Deferred)
        assert not connection.is_usable


async def test_a_mail_that_joins_the_others_while_they_are_sent_goes_with_them() -> None:
    async with running(FaultySmtp(extensions=PIPELINING)) as smtp:
        connection = await Connection.open(smtp.server, tls=TlsContexts(), timeouts=PATIENT)
        waiting: deque[Submission] = deque()
        told: list[Outcome] = []

        def join(outcome: Outcome) -> None:
            told.append(outcome)
            if len(told) < 3:
                waiting.append(Submission(envelope(f"lead{len(told)}@x.example"), join))

        ended = asyncio.Event()
        waiting.append(Submission(envelope("lead0@x.example"), join))
        connection.work(waiting, ended.set, at_most=1000)
        await ended.wait()
        assert [type(outcome) for outcome in told] == [Accepted] * 3
        assert [mail.recipients for mail in smtp.mails] == [[f"lead{number}@x.example"] for number in range(3)]
        await connection.quit()


async def test_a_connection_stops_at_the_number_of_mails_it_may_carry() -> None:
    """Nothing of the next one was said, so that it can go on another connection."""
    async with running(FaultySmtp(extensions=PIPELINING)) as smtp:
        connection = await Connection.open(smtp.server, tls=TlsContexts(), timeouts=PATIENT)
        assert len(await work(connection, [envelope()] * 4, at_most=3)) == 3
        assert connection.failure is None
        assert sum(line.startswith("MAIL") for line in smtp.lines) == 3
        await connection.quit()


async def test_a_caller_that_fails_does_not_hold_up_the_mails_of_others() -> None:
    def fail(_: Outcome) -> None:
        raise LookupError

    async with running(FaultySmtp()) as smtp:
        connection = await Connection.open(smtp.server, tls=TlsContexts(), timeouts=PATIENT)
        told: list[Outcome] = []
        ended = asyncio.Event()
        connection.work(
            deque([Submission(envelope(), fail), Submission(envelope(), told.append)]), ended.set, at_most=1000
        )
        await ended.wait()
        assert [type(outcome) for outcome in told] == [Accepted]
        assert len(smtp.mails) == 2
        await connection.quit()


async def test_an_internationalised_address_goes_out_with_smtputf8() -> None:
    async with running(FaultySmtp()) as smtp:
        (outcome,) = await submit(smtp, envelope("用户@x.example", data="To: 用户@x.example\r\n\r\nHi\r\n".encode()))
        assert isinstance(outcome, Accepted)
        assert any(line.startswith("MAIL FROM") and line.endswith("SMTPUTF8") for line in smtp.lines)


async def test_our_side_is_named_by_its_address_unless_it_has_a_name() -> None:
    async with running(FaultySmtp()) as smtp:
        await submit(smtp, envelope())
        smtp.server = replace(smtp.server, local_hostname="mail.acme.example")
        await submit(smtp, envelope())
        assert [line for line in smtp.lines if line.startswith("EHLO")] == [
            "EHLO [127.0.0.1]",
            "EHLO mail.acme.example",
        ]
