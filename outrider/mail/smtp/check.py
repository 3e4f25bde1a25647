"""Trying a log-in on behalf of the mailbox's owner; every failure is a sentence that says what to do."""

import asyncio

from outrider.mail import network
from outrider.mail.server import CheckResult, Server
from outrider.mail.smtp.connection import Connection
from outrider.mail.smtp.session import SessionRefused
from outrider.mail.tls import TlsContexts

CHECK_SECONDS = 20.0


async def check(
    server: Server,
    *,
    timeout: float = CHECK_SECONDS,  # noqa: ASYNC109 - it is a limit of the answer, not of our patience alone
    tls: TlsContexts | None = None,
) -> CheckResult:
    """Connect, log in, say goodbye."""
    try:
        async with asyncio.timeout(timeout):
            connection = await Connection.open(server, tls=tls or TlsContexts.shared())
            await connection.quit()
    except SessionRefused as refusal:
        return CheckResult(ok=False, error=f"SMTP: {refusal}")
    except OSError as error:
        return CheckResult(ok=False, error=f"SMTP: {network.explain(error, server)}")
    return CheckResult(ok=True)
