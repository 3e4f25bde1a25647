"""Trying a log-in on behalf of the mailbox's owner; every failure is a sentence that says what to do."""

import asyncio

from outrider.mail import network
from outrider.mail.imap.errors import ImapError
from outrider.mail.imap.session import Session
from outrider.mail.server import CheckResult, Server
from outrider.mail.tls import TlsContexts

CHECK_SECONDS = 20.0


async def check(
    server: Server,
    *,
    timeout: float = CHECK_SECONDS,  # noqa: ASYNC109 - it is a limit of the answer, not of our patience alone
    tls: TlsContexts | None = None,
) -> CheckResult:
    """Connect, log in, open the inbox, say goodbye."""
    try:
        async with asyncio.timeout(timeout):
            session = await Session.open(server, tls=tls or TlsContexts.shared())
            await session.select("INBOX")
            await session.log_out()
    except ImapError as error:
        return CheckResult(ok=False, error=f"IMAP: {error}")
    except TimeoutError as error:
        return CheckResult(ok=False, error=f"IMAP: {network.explain(error, server)}")
    return CheckResult(ok=True)
