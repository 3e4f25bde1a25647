"""From connecting to logged in: STARTTLS, AUTH, and what a server offers."""

from base64 import b64decode
from dataclasses import replace
from pathlib import Path

import pytest

from outrider.mail.codes import Reason, Scope
from outrider.mail.server import Server, TlsMode
from outrider.mail.smtp import Connection, Deferred, Envelope, Outcome, Rejected, Submitter, Timeouts
from outrider.mail.smtp.session import Capabilities
from outrider.mail.tls import TlsContexts
from tests.support import submitting
from tests.support.certificates import server_context, write_certificate
from tests.support.smtp_servers import DROP, Fault, FaultySmtp, faults, reply, running

PATIENCE = Timeouts(connect=20, command=20, data=20, block=20, termination=20)
NORA = Server("127.0.0.1", 0, TlsMode.NONE, "nora", "secret")
TOKEN = Server("127.0.0.1", 0, TlsMode.NONE, "nora", access_token="ya29")


async def submit(smtp: FaultySmtp, certificate: Path | None = None) -> Outcome:
    submitter = Submitter(tls=TlsContexts(certificate_authorities=certificate), timeouts=PATIENCE)
    try:
        return await submitting.submit(submitter, smtp.server, Envelope("a@x.example", ("b@x.example",), b"Hi\r\n"))
    finally:
        await submitter.close()


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], Capabilities()),
        (["PIPELINING", "8BITMIME", "SMTPUTF8", "STARTTLS"], Capabilities(True, True, True, True)),
        (["size 35882577", "pipelining"], Capabilities(size=35882577, pipelining=True)),
        (["SIZE"], Capabilities(size=0)),
        (["SIZE many"], Capabilities(size=0)),
        (["AUTH PLAIN login", "AUTH=LOGIN XOAUTH2"], Capabilities(mechanisms=frozenset({"PLAIN", "LOGIN", "XOAUTH2"}))),
        (["", "X-UNKNOWN a b c"], Capabilities()),
    ],
)
def test_what_a_server_offers_is_read(lines: list[str], expected: Capabilities) -> None:
    assert Capabilities.read(lines) == expected


async def test_the_password_goes_out_as_plain_or_by_question_and_answer() -> None:
    async with running(FaultySmtp(server=NORA, extensions=("AUTH LOGIN PLAIN",))) as smtp:
        await submit(smtp)
        (line,) = (line for line in smtp.lines if line.startswith("AUTH"))
        assert b64decode(line.removeprefix("AUTH PLAIN ")) == b"\0nora\0secret"
    questions = faults({"AUTH": reply("334 VXNlcm5hbWU6\r\n334 UGFzc3dvcmQ6\r\n235 2.7.0 ok")})
    async with running(FaultySmtp(questions, ("AUTH LOGIN",), server=NORA)) as smtp:
        await submit(smtp)
        at = smtp.lines.index("AUTH LOGIN")
        assert [b64decode(line) for line in smtp.lines[at + 1 : at + 3]] == [b"nora", b"secret"]


async def test_an_access_token_is_used_instead_of_the_password() -> None:
    async with running(FaultySmtp(server=TOKEN, extensions=("AUTH XOAUTH2",))) as smtp:
        await submit(smtp)
        (line,) = (line for line in smtp.lines if line.startswith("AUTH"))
        assert b64decode(line.removeprefix("AUTH XOAUTH2 ")) == b"user=nora\x01auth=Bearer ya29\x01\x01"


async def test_a_refused_token_is_asked_for_its_reason() -> None:
    refusal = faults({"AUTH": reply("334 eyJzdGF0dXMiOiI0MDEifQ==\r\n535 5.7.8 token expired")})
    async with running(FaultySmtp(refusal, ("AUTH XOAUTH2",), server=TOKEN)) as smtp:
        outcome = await submit(smtp)
        assert isinstance(outcome, Rejected)
        assert (outcome.reply_code, outcome.scope, outcome.reason) == (535, Scope.SENDER, Reason.AUTHENTICATION)


async def test_a_server_that_keeps_asking_is_given_up() -> None:
    endless = faults({"AUTH": Fault(reply="334 \r\n" * 20)})
    async with running(FaultySmtp(endless, ("AUTH PLAIN",), server=NORA)) as smtp:
        assert isinstance(await submit(smtp), Deferred)
        assert "*" in smtp.lines


@pytest.mark.parametrize(
    ("fault", "expected", "scope"),
    [
        (reply("535 5.7.8 authentication failed"), Rejected, Scope.SENDER),
        (reply("454 4.7.0 try later"), Deferred, Scope.SENDER),
        (reply("421 4.7.0 too many log-ins", drop=True), Deferred, Scope.CONNECTION),
        (DROP, Deferred, Scope.CONNECTION),
    ],
)
async def test_a_refused_log_in_blames_the_mailbox(fault: Fault, expected: type[Outcome], scope: Scope) -> None:
    async with running(FaultySmtp(faults({"AUTH": fault}), ("AUTH PLAIN",), server=NORA)) as smtp:
        outcome = await submit(smtp)
        assert type(outcome) is expected
        assert getattr(outcome, "scope", None) is scope
        assert not any(line.startswith("MAIL") for line in smtp.lines)


@pytest.mark.parametrize("offer", [(), ("AUTH CRAM-MD5",)])
async def test_a_server_without_a_log_in_we_speak_is_refused(offer: tuple[str, ...]) -> None:
    async with running(FaultySmtp(extensions=offer, server=NORA)) as smtp:
        outcome = await submit(smtp)
        assert isinstance(outcome, Rejected)
        assert outcome.reason is Reason.AUTHENTICATION


async def test_a_server_that_does_not_want_us_by_any_name_is_refused() -> None:
    async with running(FaultySmtp(faults({"EHLO": reply("554 no"), "HELO": reply("554 5.7.1 not you")}))) as smtp:
        outcome = await submit(smtp)
        assert isinstance(outcome, Rejected)
        assert outcome.scope is Scope.CONNECTION


async def test_after_starttls_the_offer_is_asked_for_again(tmp_path: Path) -> None:
    certificate = write_certificate(tmp_path)
    plain = FaultySmtp(tls=server_context(certificate), extensions=("AUTH PLAIN",), server=NORA)
    async with running(plain, tls_mode=TlsMode.STARTTLS) as smtp:
        outcome = await submit(smtp, certificate)
        assert outcome.reply_code == 250
        verbs = [line.split()[0] for line in smtp.lines]
        assert verbs == ["EHLO", "STARTTLS", "EHLO", "AUTH", "MAIL", "RCPT", "DATA", "QUIT"]


async def test_without_starttls_nothing_is_said_that_needs_it() -> None:
    async with running(FaultySmtp(server=NORA, extensions=("AUTH PLAIN",)), tls_mode=TlsMode.STARTTLS) as smtp:
        outcome = await submit(smtp)
        assert isinstance(outcome, Rejected)
        assert outcome.scope is Scope.CONNECTION
        assert "STARTTLS" in outcome.text
        assert not any(line.startswith("AUTH") for line in smtp.lines)


async def test_on_the_relay_port_starttls_is_taken_if_offered(tmp_path: Path) -> None:
    certificate = write_certificate(tmp_path)
    async with running(FaultySmtp(), tls_mode=TlsMode.STARTTLS_IF_OFFERED) as smtp:
        assert (await submit(smtp)).reply_code == 250
    secure = FaultySmtp(tls=server_context(certificate))
    async with running(secure, tls_mode=TlsMode.STARTTLS_IF_OFFERED) as smtp:
        assert (await submit(smtp, certificate)).reply_code == 250
        assert "STARTTLS" in smtp.lines


async def test_words_slipped_in_before_the_handshake_are_not_believed(tmp_path: Path) -> None:
    """A man in the middle answers the EHLO that is to come after STARTTLS (RFC 3207 §6)."""
    injected = faults({"STARTTLS": reply("220 go ahead\r\n250-evil.example\r\n250 AUTH PLAIN")})
    server = FaultySmtp(injected, tls=server_context(write_certificate(tmp_path)), server=NORA)
    async with running(server, tls_mode=TlsMode.STARTTLS) as smtp:
        assert isinstance(await submit(smtp), Deferred)
        assert not any(line.startswith("AUTH") for line in smtp.lines)


@pytest.mark.parametrize("mode", [TlsMode.IMPLICIT, TlsMode.STARTTLS])
async def test_an_untrusted_certificate_stops_everything_unless_it_is_allowed(tmp_path: Path, mode: TlsMode) -> None:
    context = server_context(write_certificate(tmp_path))
    async with running(FaultySmtp(tls=context, server=NORA, extensions=("AUTH PLAIN",)), tls_mode=mode) as smtp:
        outcome = await submit(smtp)
        assert isinstance(outcome, Deferred)
        assert "certificate" in outcome.text
        assert not any(line.startswith("AUTH") for line in smtp.lines)
        smtp.server = replace(smtp.server, verify_certificates=False)
        assert (await submit(smtp)).reply_code == 250


async def test_opening_a_connection_alone_raises_what_check_explains() -> None:
    async with running(FaultySmtp(faults({"CONNECT": DROP}))) as smtp:
        with pytest.raises(ConnectionResetError, match="closed"):
            await Connection.open(smtp.server, tls=TlsContexts(), timeouts=PATIENCE)
