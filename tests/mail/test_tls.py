"""Contexts made once and sessions that are resumed, with asyncio and with uvloop."""

import asyncio
from pathlib import Path

import pytest
import uvloop

from outrider.mail.server import Server, TlsMode
from outrider.mail.smtp import Accepted, Envelope, Submitter
from outrider.mail.tls import MAX_SESSIONS, TlsContexts
from tests.support import submitting
from tests.support.certificates import server_context, write_certificate
from tests.support.smtp_servers import FaultySmtp, running


def test_a_context_is_made_once_for_all_servers() -> None:
    contexts = TlsContexts()
    first, second = (Server(host, 465, TlsMode.IMPLICIT) for host in ("a.example", "b.example"))
    assert contexts.context(first) is contexts.context(second)
    assert contexts.context(
        Server("a.example", 465, TlsMode.IMPLICIT, verify_certificates=False)
    ) is not contexts.context(first)


def test_a_process_has_one_set_of_contexts_unless_it_wants_others() -> None:
    assert TlsContexts.shared() is TlsContexts.shared()


def test_the_hosts_used_longest_ago_are_forgotten() -> None:
    class Holder:
        class session:  # noqa: N801 - stands for an ssl object
            has_ticket = True

    context = TlsContexts().context(Server("a.example", 465, TlsMode.IMPLICIT, verify_certificates=False))
    for number in range(MAX_SESSIONS + 5):
        context.remember(f"{number}.example", Holder())
    assert len(context.sessions) == MAX_SESSIONS
    assert "4.example" not in context.sessions
    context.remember("none.example", None)
    assert "none.example" not in context.sessions


@pytest.mark.parametrize("mode", [TlsMode.IMPLICIT, TlsMode.STARTTLS])
@pytest.mark.parametrize("loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_the_second_connection_resumes_the_session_of_the_first(
    tmp_path: Path, mode: TlsMode, loop_factory: object
) -> None:
    certificate = write_certificate(tmp_path)

    async def submit_on_three_connections() -> FaultySmtp:
        submitter = Submitter(tls=TlsContexts(certificate_authorities=certificate), messages_per_connection=1)
        async with running(FaultySmtp(tls=server_context(certificate)), tls_mode=mode) as smtp:
            for _ in range(3):
                outcome = await submitting.submit(
                    submitter, smtp.server, Envelope("a@x.example", ("b@x.example",), b"Hi\r\n")
                )
                assert isinstance(outcome, Accepted), outcome
            await submitter.close()
            return smtp

    with asyncio.Runner(loop_factory=loop_factory) as runner:  # type: ignore[arg-type]
        smtp = runner.run(submit_on_three_connections())
    assert smtp.connection_count == 3
    assert smtp.resumed_count == 2
