"""From a mailbox to the two servers behind it, and trying to log in there.

Port types: contract, email-accounts "Create an Email Account".
"""

import asyncio

from outrider.kit.crypto import Vault
from outrider.mail import imap, smtp
from outrider.mail.server import CheckResult, Server, tls_mode
from outrider.mailboxes.models import Credentials, Mailbox, Verdict

CHECK_SECONDS = 20
_NO_HOST = "No server is set."


def smtp_server(mailbox: Mailbox, vault: Vault) -> Server | None:
    """Where its mail is submitted; None without a host."""
    return smtp_server_of(open_credentials(mailbox, vault))


def imap_server(mailbox: Mailbox, vault: Vault) -> Server | None:
    """Where its mail is read; None without a host."""
    return imap_server_of(open_credentials(mailbox, vault))


def open_credentials(mailbox: Mailbox, vault: Vault) -> Credentials:
    return Credentials(
        username=mailbox.username,
        password=_opened(mailbox.password, vault),
        smtp_host=mailbox.smtp_host,
        smtp_port=mailbox.smtp_port,
        smtp_port_type=mailbox.smtp_port_type,
        imap_host=mailbox.imap_host,
        imap_port=mailbox.imap_port,
        imap_port_type=mailbox.imap_port_type,
        imap_username=mailbox.imap_username,
        imap_password=_opened(mailbox.imap_password, vault),
        access_token=_opened(mailbox.access_token, vault),
        refresh_token=_opened(mailbox.refresh_token, vault),
    )


def smtp_server_of(credentials: Credentials) -> Server | None:
    if not credentials.smtp_host or not credentials.smtp_port:
        return None
    return Server(
        host=credentials.smtp_host,
        port=credentials.smtp_port,
        tls=tls_mode(credentials.smtp_port_type, credentials.smtp_port),
        username=credentials.username,
        password=credentials.password,
        access_token=credentials.access_token,
    )


def imap_server_of(credentials: Credentials) -> Server | None:
    """With the SMTP log-in unless it has one of its own."""
    if not credentials.imap_host or not credentials.imap_port:
        return None
    return Server(
        host=credentials.imap_host,
        port=credentials.imap_port,
        tls=tls_mode(credentials.imap_port_type, credentials.imap_port),
        username=credentials.imap_username or credentials.username,
        password=credentials.imap_password or credentials.password,
        access_token=credentials.access_token,
    )


async def verify(credentials: Credentials) -> Verdict:
    """Log in to both servers at the same time. Takes up to CHECK_SECONDS: nothing may be locked meanwhile."""
    on_smtp, on_imap = await asyncio.gather(
        smtp_error(smtp_server_of(credentials)), _imap_error(imap_server_of(credentials))
    )
    return Verdict(smtp_error=on_smtp, imap_error=on_imap)


async def smtp_error(server: Server | None) -> str | None:
    """Why no log-in for submission works; None if it does."""
    if server is None:
        return _NO_HOST
    return _error_of(await smtp.check(server, timeout=CHECK_SECONDS), "SMTP")


async def _imap_error(server: Server | None) -> str | None:
    if server is None:
        return _NO_HOST
    return _error_of(await imap.check(server, timeout=CHECK_SECONDS), "IMAP")


def _error_of(result: CheckResult, protocol: str) -> str | None:
    """The sentence without the name of the protocol, which is put before it where both may fail."""
    return None if result.ok else (result.error or "The log-in failed.").removeprefix(f"{protocol}: ")


def _opened(sealed: bytes | None, vault: Vault) -> str | None:
    return None if sealed is None else vault.open(sealed)
