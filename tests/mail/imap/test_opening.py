"""Logging in, and what the mailbox's owner is told when that fails."""

import asyncio
import base64
from dataclasses import replace

import pytest

from outrider.mail.imap import (
    ConnectionLost,
    ImapError,
    LoginRefused,
    ServerBusy,
    Session,
    TimedOut,
    Timeouts,
    Unreachable,
    check,
)
from outrider.mail.server import Server, TlsMode
from outrider.mail.tls import TlsContexts
from tests.support.dovecot import StartDovecot
from tests.support.imap_servers import DROP, SILENCE, FaultyImap, faulty_imap

QUICK = Timeouts(command=0.1)  # for servers that say nothing


async def refusal(
    imap: FaultyImap | None = None, *, server: Server | None = None, timeouts: Timeouts | None = None
) -> ImapError:
    described = server or (imap.server if imap else None)
    assert described
    with pytest.raises(ImapError) as raised:
        await Session.open(described, tls=TlsContexts(), timeouts=timeouts)
    return raised.value


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        ("{tag} NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)\r\n", LoginRefused, "Invalid credentials"),
        ("{tag} NO LOGIN failed.\r\n", LoginRefused, "app password"),
        ("{tag} NO [ALERT] Application-specific password required: https://a.example\r\n", LoginRefused, "Application"),
        ("{tag} BAD Command Argument Error. 11\r\n", LoginRefused, "Argument"),
        ("{tag} NO [UNAVAILABLE] Temporary authentication failure.\r\n", ServerBusy, "at the moment"),
        ("{tag} NO [ALERT] Too many simultaneous connections. (Failure)\r\n", ServerBusy, "Too many"),
        ("{tag} BAD User is authenticated but not connected.\r\n", ServerBusy, "not connected"),
        ("* BYE Too many bad log-ins\r\n", ServerBusy, "Too many bad"),
        (DROP, ServerBusy, "broke off at log-in"),
        (SILENCE, TimedOut, "did not answer"),
    ],
)
async def test_a_refused_log_in_says_why(answer: str, kind: type[ImapError], words: str) -> None:
    async with faulty_imap(LOGIN=[answer]) as imap:
        if answer.startswith("* BYE"):
            asyncio.get_running_loop().call_later(0.05, imap.hang_up)
        error = await refusal(imap, timeouts=QUICK if kind is TimedOut else None)
    assert type(error) is kind
    assert words in str(error)


@pytest.mark.parametrize(
    ("greeting", "kind", "words"),
    [
        ("* BYE Too many connections from your address\r\n", ServerBusy, "Too many connections"),
        ("220 mail.send.example ESMTP\r\n", Unreachable, "greeted with 220"),
        ("\x00\x01\x02\r\n", Unreachable, "port"),
        ("* OK" + " x" * 3_000_000, Unreachable, "more than it was asked for"),
        (DROP, Unreachable, "closed the connection"),
        (SILENCE, TimedOut, "did not answer"),
        ("", TimedOut, "did not answer"),
    ],
)
async def test_a_strange_greeting_is_explained(greeting: str, kind: type[ImapError], words: str) -> None:
    async with faulty_imap(GREETING=greeting) as imap:
        error = await refusal(imap, timeouts=QUICK if kind is TimedOut else None)
    assert type(error) is kind
    assert words in str(error)


async def test_user_names_and_passwords_are_quoted() -> None:
    async with faulty_imap() as imap:
        server = replace(imap.server, username='jo "the" send', password="back\\slash")
        await (await Session.open(server, tls=TlsContexts())).log_out()
        assert imap.lines[1].endswith('LOGIN "jo \\"the\\" send" "back\\\\slash"')


async def test_dovecot_takes_passwords_with_any_characters(dovecot: StartDovecot) -> None:
    password = 'p"a\\s s{5}wörd%*'
    server = dovecot({"jo@send.example": password})
    assert (await check(server.server("jo@send.example"))).ok


async def test_a_line_break_in_the_password_sends_no_command() -> None:
    async with faulty_imap() as imap:
        error = await refusal(server=replace(imap.server, password="secret\r\nA1 DELETE INBOX"))
        assert type(error) is LoginRefused
        assert not any("DELETE" in line for line in imap.lines)


async def test_a_token_is_used_instead_of_the_password() -> None:
    capability = "* CAPABILITY IMAP4rev1 SASL-IR AUTH=XOAUTH2\r\n{tag} OK\r\n"
    async with faulty_imap(CAPABILITY=[capability], AUTHENTICATE="{tag} OK [CAPABILITY IMAP4rev1 IDLE] in\r\n") as imap:
        session = await Session.open(replace(imap.server, access_token="ya29"), tls=TlsContexts())
        name, encoded = imap.lines[1].split()[2:]
        assert (name, base64.b64decode(encoded)) == ("XOAUTH2", b"user=jo\x01auth=Bearer ya29\x01\x01")
        assert session.capabilities == {"IMAP4REV1", "IDLE"}
        session.close()


async def test_a_refused_token_ends_the_exchange() -> None:
    async with faulty_imap(
        CAPABILITY="* CAPABILITY IMAP4rev1 SASL-IR AUTH=XOAUTH2\r\n{tag} OK\r\n",
        AUTHENTICATE="+ eyJzdGF0dXMiOiI0MDAifQ==\r\n",
        RESPONSE="{tag} NO [AUTHENTICATIONFAILED] Bad token\r\n",
    ) as imap:
        error = await refusal(server=replace(imap.server, access_token="ya29"))
        assert imap.lines[-1] == ""
    assert type(error) is LoginRefused
    assert "Bad token" in str(error)


async def test_without_initial_responses_the_challenge_is_waited_for() -> None:
    capability = "* CAPABILITY IMAP4rev1 LOGINDISABLED AUTH=PLAIN\r\n{tag} OK\r\n"
    async with faulty_imap(CAPABILITY=[capability], AUTHENTICATE="+ \r\n") as imap:
        session = await Session.open(imap.server, tls=TlsContexts())
        assert base64.b64decode(imap.lines[2]) == b"\0jo\0secret"
        assert "IDLE" in session.capabilities
        session.close()


@pytest.mark.parametrize(
    ("capabilities", "token", "words"),
    [
        ("IMAP4rev1 STARTTLS LOGINDISABLED", None, "without encryption"),
        ("IMAP4rev1 AUTH=PLAIN", "ya29", "access token"),
    ],
)
async def test_no_way_to_log_in_is_explained(capabilities: str, token: str | None, words: str) -> None:
    async with faulty_imap(CAPABILITY=f"* CAPABILITY {capabilities}\r\n{{tag}} OK\r\n") as imap:
        error = await refusal(server=replace(imap.server, access_token=token))
    assert type(error) is LoginRefused
    assert words in str(error)


async def test_starttls_that_is_not_offered_is_not_done_without() -> None:
    async with faulty_imap() as imap:
        error = await refusal(server=replace(imap.server, tls=TlsMode.STARTTLS))
        assert "does not offer STARTTLS" in str(error)
        assert not any("LOGIN" in line for line in imap.lines)


async def test_what_is_said_in_plain_text_after_starttls_does_not_count() -> None:
    capability = "* CAPABILITY IMAP4rev1 STARTTLS\r\n{tag} OK\r\n"
    async with faulty_imap(CAPABILITY=capability, STARTTLS="{tag} OK begin\r\n* PREAUTH you are") as imap:
        error = await refusal(server=replace(imap.server, tls=TlsMode.STARTTLS))
    assert isinstance(error, ConnectionLost | Unreachable)


async def test_a_certificate_nobody_vouches_for_is_refused(dovecot: StartDovecot) -> None:
    server = dovecot({"jo@send.example": "secret"})
    for tls in (TlsMode.IMPLICIT, TlsMode.STARTTLS):
        result = await check(server.server("jo@send.example", tls))
        assert "certificate" in (result.error or "")
        unverified = replace(server.server("jo@send.example", tls), verify_certificates=False)
        assert (await check(unverified)).ok


async def test_the_log_in_test_of_a_mailbox(dovecot: StartDovecot) -> None:
    server = dovecot({"jo@send.example": "secret"})
    good = server.server("jo@send.example")
    assert (await check(good)).ok
    wrong = await check(replace(good, password="wrong"))
    assert not wrong.ok
    assert "refused the log-in of jo@send.example" in (wrong.error or "")
    server.kill()
    assert "nothing listens there" in ((await check(good)).error or "")
    unknown = await check(replace(good, host="no-such-host.invalid"))
    assert "is not known" in (unknown.error or "")


async def test_the_log_in_test_has_a_time_limit() -> None:
    async with faulty_imap(GREETING=SILENCE) as imap:
        result = await check(imap.server, timeout=0.05)
    assert "did not answer in time" in (result.error or "")
