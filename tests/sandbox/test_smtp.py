import asyncio
import smtplib
from base64 import b64encode
from contextlib import suppress

import aiosmtplib
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from outrider.sandbox import (
    GREYLISTED,
    LOGIN_BUSY,
    NO_SUCH_USER,
    SERVICE_CLOSING,
    Act,
    Behaviour,
    Fault,
    Moment,
    ReceivedMail,
    Sandbox,
)
from tests.sandbox.writing import PASSWORD, SENDER, campaign_mail, logged_in, send

ANN = "ann@theirs.example"
MAIL = b"Subject: Hi\r\n\r\nText\r\n"
PLAIN = b64encode(f"\0{SENDER}\0{PASSWORD}".encode()).decode()


class Wire:
    """A client that says exactly what the test says."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def connect(cls, sandbox: Sandbox, *, login: bool = True) -> "Wire":
        wire = cls(*await asyncio.open_connection(sandbox.host, sandbox.smtp_port))
        assert (await wire.answer()).startswith("220")
        if login:
            assert (await wire.say("EHLO client"))[:3] == "250"
            assert (await wire.say(f"AUTH PLAIN {PLAIN}"))[:3] == "235"
        return wire

    async def say(self, line: str) -> str:
        self.writer.write(line.encode() + b"\r\n")
        return await self.answer()

    async def answer(self) -> str:
        """What the server says; nothing if it has cut the connection."""
        try:
            return await self._answer()
        except ConnectionError:
            return ""

    async def _answer(self) -> str:
        lines = [(await self.reader.readline()).decode()]
        while lines[-1][3:4] == "-":
            lines.append((await self.reader.readline()).decode())
        return "".join(lines).rstrip()

    async def rest(self) -> bytes:
        return await asyncio.wait_for(self.reader.read(), 20)

    async def close(self) -> None:
        self.writer.close()
        with suppress(ConnectionError):
            await self.writer.wait_closed()


async def next_mail(sandbox: Sandbox) -> ReceivedMail:
    """The next mail that is taken, as soon as it is."""
    taken: asyncio.Queue[ReceivedMail | Act] = asyncio.Queue()
    sandbox.listen(taken.put_nowait)
    mail = await asyncio.wait_for(taken.get(), 20)
    assert isinstance(mail, ReceivedMail)
    return mail


async def test_a_mail_of_the_standard_library_arrives_byte_by_byte(sandbox: Sandbox) -> None:
    raw = campaign_mail(ANN, text=".\n..two dots\nGrüße 🙂")

    def submit() -> None:
        with smtplib.SMTP(sandbox.host, sandbox.smtp_port, timeout=10) as client:
            client.login(SENDER, PASSWORD)
            client.sendmail(SENDER, [ANN, "Bob@Theirs.example"], raw)

    await asyncio.to_thread(submit)
    assert [mail.recipient for mail in sandbox.mails] == [ANN, "bob@theirs.example"]
    assert [(mail.raw, mail.login, mail.envelope_sender) for mail in sandbox.mails] == [(raw, SENDER, SENDER)] * 2


@given(text=st.text(alphabet=".a\r\nä", max_size=60))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, deadline=None)
async def test_dots_and_line_ends_survive_any_text(sandbox: Sandbox, text: str) -> None:
    body = "\r\n".join(text.splitlines()).encode()
    raw = b"Subject: x\r\n\r\n" + body + b"\r\n"
    before = len(sandbox.mails)
    await send(sandbox, (ANN, raw))
    assert [mail.raw for mail in sandbox.mails[before:]] == [raw]


async def test_commands_may_come_all_at_once(sandbox: Sandbox) -> None:
    wire = await Wire.connect(sandbox)
    envelope = f"MAIL FROM:<{SENDER}> BODY=8BITMIME SIZE=100\r\nRCPT TO:<{ANN}>\r\nDATA\r\n".encode()
    wire.writer.write(envelope)
    assert [(await wire.answer())[:3] for _ in range(3)] == ["250", "250", "354"]
    wire.writer.write(MAIL + b".\r\n" + envelope)
    assert [(await wire.answer())[:3] for _ in range(4)] == ["250", "250", "250", "354"]
    wire.writer.write(b".\r\nQUIT\r\n")
    assert [(await wire.answer())[:3] for _ in range(2)] == ["250", "221"]
    assert await wire.rest() == b""
    await wire.close()
    assert [mail.raw for mail in sandbox.mails] == [MAIL, b""]


async def test_a_mail_is_taken_even_if_the_client_dies_right_after_the_dot(sandbox: Sandbox) -> None:
    wire = await Wire.connect(sandbox)
    for line in (f"MAIL FROM:<{SENDER}>", f"RCPT TO:<{ANN}>", "DATA"):
        await wire.say(line)
    wire.writer.write(MAIL + b".\r\n")
    wire.writer.transport.abort()
    assert (await next_mail(sandbox)).raw == MAIL


async def test_half_a_mail_is_no_mail(sandbox: Sandbox) -> None:
    wire = await Wire.connect(sandbox)
    for line in (f"MAIL FROM:<{SENDER}>", f"RCPT TO:<{ANN}>", "DATA"):
        await wire.say(line)
    wire.writer.write(MAIL + b".\r")
    await wire.close()
    await send(sandbox, (ANN, b"Subject: other\r\n\r\n"))
    assert [mail.subject for mail in sandbox.mails] == ["other"]


@pytest.mark.parametrize("share", [number / 20 for number in range(20)])
async def test_a_client_may_die_at_any_moment(sandbox: Sandbox, share: float) -> None:
    script = f"EHLO x\r\nAUTH PLAIN {PLAIN}\r\n" + f"MAIL FROM:<{SENDER}>\r\nRCPT TO:<{ANN}>\r\nDATA\r\n" * 2
    talk = script.replace("DATA\r\n", "DATA\r\n" + MAIL.decode() + ".\r\n").encode()
    _, writer = await asyncio.open_connection(sandbox.host, sandbox.smtp_port)
    writer.write(talk[: int(len(talk) * share)])
    writer.transport.abort()
    await send(sandbox, ("bob@theirs.example", MAIL))
    assert {mail.raw for mail in sandbox.mails} == {MAIL}
    assert len(sandbox.mails_to(ANN)) <= 2


@pytest.mark.parametrize(("username", "password"), [(SENDER, "wrong"), ("nobody@ours.example", PASSWORD), (SENDER, "")])
async def test_only_the_right_password_logs_in(sandbox: Sandbox, username: str, password: str) -> None:
    with pytest.raises(aiosmtplib.SMTPAuthenticationError) as refused:
        await logged_in(sandbox, username=username, password=password)
    assert refused.value.code == 535
    assert sandbox.tally().rejected_logins[username.lower()] >= 1


@pytest.mark.parametrize("initial", [True, False])
async def test_auth_login_and_plain_work_with_and_without_initial_response(sandbox: Sandbox, initial: bool) -> None:
    username, password = (b64encode(text.encode()).decode() for text in (SENDER.upper(), PASSWORD))
    login = await Wire.connect(sandbox, login=False)
    await login.say("EHLO client")
    if initial:
        await login.say(f"AUTH LOGIN {username}")
    else:
        assert await login.say("AUTH login") == "334 VXNlcm5hbWU6"
        await login.say(username)
    assert (await login.say(password))[:3] == "235"
    assert (await login.say(f"AUTH PLAIN {PLAIN}"))[:3] == "503"
    await login.close()
    plain = await Wire.connect(sandbox, login=False)
    await plain.say("EHLO client")
    if not initial:
        assert await plain.say("AUTH PLAIN") == "334"
    assert (await plain.say(f"AUTH PLAIN {PLAIN}" if initial else PLAIN))[:3] == "235"
    await plain.close()


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        (["MAIL FROM:<me@ours.example>"], "503"),
        (["EHLO x", "MAIL FROM:<me@ours.example>"], "530"),
        (["EHLO x", "AUTH PLAIN ???"], "501"),
        (["EHLO x", "AUTH PLAIN YQ=="], "501"),
        (["EHLO x", "AUTH CRAM-MD5"], "504"),
        (["EHLO x", "STARTTLS"], "454"),
        (["BDAT 100 LAST"], "500"),
        (["x" * 5_000], "500"),
        (["NOOP"], "250"),
        (["VRFY ann"], "252"),
        (["HELO x"], "250"),
    ],
)
async def test_before_the_log_in_the_server_answers(sandbox: Sandbox, lines: list[str], code: str) -> None:
    wire = await Wire.connect(sandbox, login=False)
    answers = [await wire.say(line) for line in lines]
    assert answers[-1][:3] == code
    await wire.close()


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        (["MAIL me"], "501"),
        (["MAIL FROM:<>"], "250"),
        (["MAIL FROM:<a@b>", "MAIL FROM:<a@b>"], "503"),
        (["MAIL FROM:<a@b>", "RSET", "MAIL FROM:<a@b>"], "250"),
        (["MAIL FROM:<a@b> SIZE=99999999999"], "552"),
        (["MAIL FROM:<a@b> RET=HDRS"], "555"),
        (["MAIL FROM:<ä@b>"], "553"),
        (["MAIL FROM:<ä@b> SMTPUTF8"], "250"),
        (["RCPT TO:<a@b>"], "503"),
        (["MAIL FROM:<a@b>", "RCPT TO:a@b"], "501"),
        (["MAIL FROM:<a@b>", "RCPT TO:<ab>"], "501"),
        (["MAIL FROM:<a@b>", "RCPT TO:<ö@b>"], "553"),
        (["MAIL FROM:<a@b> SMTPUTF8", "RCPT TO:<ö@b>"], "250"),
        (["MAIL FROM:<a@b>", 'rcpt to:<"a>b"@c>'], "250"),
        (["MAIL FROM:<a@b>", "DATA"], "554"),
    ],
)
async def test_after_the_log_in_the_server_answers(sandbox: Sandbox, lines: list[str], code: str) -> None:
    wire = await Wire.connect(sandbox)
    answers = [await wire.say(line) for line in lines]
    assert answers[-1][:3] == code
    await wire.close()


async def test_a_mail_that_is_too_large_is_refused_and_the_conversation_goes_on(sandbox: Sandbox) -> None:
    wire = await Wire.connect(sandbox)
    for line in (f"MAIL FROM:<{SENDER}>", f"RCPT TO:<{ANN}>", "DATA"):
        await wire.say(line)
    block = (b"x" * 998 + b"\r\n") * 1_000
    for _ in range(27):
        wire.writer.write(block)
        await wire.writer.drain()
    assert (await wire.say("."))[:9] == "552 5.3.4"
    assert (await wire.say("NOOP"))[:3] == "250"
    await wire.close()
    assert sandbox.mails == []


async def test_without_mailboxes_a_sink_needs_no_log_in() -> None:
    async with Sandbox(requires_login=False) as sink:
        client = aiosmtplib.SMTP(hostname=sink.host, port=sink.smtp_port, start_tls=False)
        await client.connect()
        await client.sendmail("any@where.example", [ANN], MAIL)
        await client.quit()
        assert [(mail.login, mail.envelope_sender) for mail in sink.mails] == [(None, "any@where.example")]


async def test_a_recipient_who_does_not_exist_is_refused_with_550(sandbox: Sandbox) -> None:
    sandbox.people[ANN] = Behaviour(bounces_at_rcpt=NO_SUCH_USER)
    with pytest.raises(aiosmtplib.SMTPRecipientsRefused) as refused:
        await send(sandbox, (ANN, MAIL))
    assert (refused.value.recipients[0].code, refused.value.recipients[0].message[:5]) == (550, "5.1.1")
    assert sandbox.tally().people[ANN].bounced_at_rcpt == 1


async def test_a_recipient_can_be_deferred_a_number_of_times(sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault(Moment.RCPT, answer=GREYLISTED, recipient=ANN, times=2))
    wire = await Wire.connect(sandbox)
    await wire.say(f"MAIL FROM:<{SENDER}>")
    answers = [await wire.say(f"RCPT TO:<{ANN}>") for _ in range(3)]
    assert [answer[:9] for answer in answers] == ["451 4.7.1", "451 4.7.1", "250 2.1.5"]
    await wire.close()


@pytest.mark.parametrize(
    ("moment", "said", "is_taken"),
    [
        (Moment.CONNECT, [], False),
        (Moment.LOGIN, ["220", "250"], False),
        (Moment.MAIL, ["220", "250", "235"], False),
        (Moment.RCPT, ["220", "250", "235", "250"], False),
        (Moment.DATA, ["220", "250", "235", "250", "250"], False),
        (Moment.CONTENT, ["220", "250", "235", "250", "250", "354"], False),
        (Moment.DOT, ["220", "250", "235", "250", "250", "354"], False),
        (Moment.ANSWER, ["220", "250", "235", "250", "250", "354"], True),
    ],
)
async def test_the_connection_can_be_dropped_at_any_moment(
    sandbox: Sandbox, moment: Moment, said: list[str], is_taken: bool
) -> None:
    sandbox.faults.add(Fault(moment, drops=True))
    wire = Wire(*await asyncio.open_connection(sandbox.host, sandbox.smtp_port))
    lines = ["EHLO x", f"AUTH PLAIN {PLAIN}", f"MAIL FROM:<{SENDER}>", f"RCPT TO:<{ANN}>", "DATA", MAIL.decode() + "."]
    answers = [await wire.answer()]
    for line in lines:
        if answers[-1] == "":
            break
        answers.append(await wire.say(line))
    assert [answer[:3] for answer in answers] == [*said, ""]
    assert len(sandbox.mails) == is_taken
    await wire.close()
    await send(sandbox, (ANN, MAIL))  # the next one works


@pytest.mark.parametrize("moment", [Moment.MAIL, Moment.DATA, Moment.DOT])
async def test_the_server_can_refuse_at_other_moments_and_go_on(sandbox: Sandbox, moment: Moment) -> None:
    sandbox.faults.add(Fault(moment, answer=SERVICE_CLOSING, mailbox=SENDER))
    client = await logged_in(sandbox)
    with pytest.raises(aiosmtplib.SMTPResponseException) as refused:
        await client.sendmail(SENDER, [ANN], MAIL)
    assert refused.value.code == 421
    client.close()
    await send(sandbox, (ANN, MAIL))
    assert len(sandbox.mails) == 1


async def test_log_ins_can_be_refused_for_a_time(sandbox: Sandbox) -> None:
    fault = sandbox.faults.add(Fault(Moment.LOGIN, answer=LOGIN_BUSY, mailbox=SENDER, times=None))
    with pytest.raises(aiosmtplib.SMTPAuthenticationError) as refused:
        await logged_in(sandbox)
    assert refused.value.code == 454
    sandbox.faults.remove(fault)
    await send(sandbox, (ANN, MAIL))


async def test_a_slow_answer_comes_in_the_end(sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault(Moment.DOT, waits=0.05))
    await send(sandbox, (ANN, MAIL))
    assert len(sandbox.mails) == 1


async def test_a_slow_answer_does_not_keep_the_sandbox_from_stopping() -> None:
    async with Sandbox(requires_login=False) as slow:
        slow.faults.add(Fault(Moment.CONNECT, waits=600))
        _, writer = await asyncio.open_connection(slow.host, slow.smtp_port)
        await asyncio.sleep(0.01)
        async with asyncio.timeout(20):
            await slow.stop()
        writer.close()


async def test_many_clients_at_once_lose_nothing(sandbox: Sandbox) -> None:
    mails = [(f"person{number}@theirs.example", campaign_mail(ANN, number=number)) for number in range(100)]
    await asyncio.gather(*(send(sandbox, *mails[start : start + 10]) for start in range(0, 100, 10)))
    assert {mail.message_id for mail in sandbox.mails} == {f"mail-{number}@ours.example" for number in range(100)}
    assert sorted(mail.number for mail in sandbox.mails) == list(range(1, 101))
