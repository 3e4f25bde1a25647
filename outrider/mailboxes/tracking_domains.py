"""A mailbox's own host for pixel and links: a CNAME to ours, and a probe over HTTPS (product behaviour 5).

Until both have been seen the shared host is used. What was found is kept with its time and shown.
"""

from datetime import datetime, timedelta
from urllib.parse import urlsplit

import httpx

from outrider.config import Settings
from outrider.kit.crypto import Vault
from outrider.kit.db import Database, Db, execute, fetch_dicts
from outrider.kit.jobs import enqueue
from outrider.kit.log import get_logger
from outrider.mail.dns import DnsUnavailable, Resolver

log = get_logger("mailboxes")

PROBE_PATH = "/.well-known/outrider-tracking"
_CHECK_VALID_AFTER = timedelta(days=1)
_CHECK_OTHERS_AFTER = timedelta(hours=1)
_PROBE_SECONDS = 10.0
_AT_ONCE = 50

JOB = "mailboxes.check_tracking_domain"


async def enqueue_check(db: Db, mailbox_id: int) -> None:
    """When it was set."""
    await enqueue(db, JOB, mailbox_id=mailbox_id)


def host_of(typed: str | None) -> str | None:
    """The host name in what a person typed, with or without scheme and path."""
    text = (typed or "").strip()
    try:
        host = urlsplit(text if "//" in text else f"//{text}").hostname
        return host.encode("idna").decode().lower().rstrip(".") if host else None
    except (ValueError, UnicodeError):
        return None


def proof(vault: Vault, host: str) -> str:
    """What this installation, and no other, answers on a probe under this host."""
    return vault.sign(host.encode(), purpose="tracking.domain").hex()


class Checker:
    """Asks the DNS, then the host itself."""

    def __init__(self, settings: Settings, vault: Vault, resolver: Resolver, http: httpx.AsyncClient) -> None:
        self._our_host = urlsplit(settings.tracking_url).hostname or ""
        self._vault = vault
        self._resolver = resolver
        self._http = http

    async def find_problem(self, typed: str) -> str | None:
        """A sentence that says what is wrong and what to do; None: the host can be used."""
        host = host_of(typed)
        if host is None or "." not in host:
            return f"{typed} is no host name. Use one like track.your-domain.com."
        return await self._problem_of_name(host) or await self._problem_of_host(host)

    async def _problem_of_name(self, host: str) -> str | None:
        if host == self._our_host:
            return None
        try:
            target = await self._resolver.alias(host)
        except DnsUnavailable as error:
            return f"The DNS could not be asked ({error}). It is tried again within the hour."
        if target == self._our_host:
            return None
        wanted = f"Set a CNAME record for {host} to {self._our_host}."
        return f"{host} leads to {target}. {wanted}" if target else f"{host} has no CNAME record. {wanted}"

    async def _problem_of_host(self, host: str) -> str | None:
        url = f"https://{host}{PROBE_PATH}"
        try:
            answer = await self._http.get(url, timeout=_PROBE_SECONDS)
        except httpx.HTTPError as error:
            reason = str(error) or type(error).__name__
            return f"{host} cannot be reached over HTTPS: {reason}. It needs a certificate for its name."
        if answer.text.strip() != proof(self._vault, host):
            return f"{host} does not lead to this installation: {url} answered {answer.status_code}."
        return None


async def check(database: Database, checker: Checker, mailbox_id: int, now: datetime) -> None:
    """Look at the tracking domain of a mailbox, outside of any transaction, and keep what was found."""
    async with database.connection() as db:
        typed = await _find(db, mailbox_id)
    if typed is None:
        return
    problem = await checker.find_problem(typed)
    async with database.transaction() as db:
        await _record(db, mailbox_id, typed, problem, now)
    log.info("tracking domain checked", mailbox_id=mailbox_id, is_valid=problem is None)


async def list_due(db: Db, now: datetime) -> list[int]:
    """Return mailboxes of all accounts whose tracking domain is to be looked at again, the longest ago first."""
    rows = await fetch_dicts(
        db,
        """
        SELECT id
          FROM mailboxes
         WHERE custom_tracking_domain IS NOT NULL
           AND deleted_at IS NULL
           AND (tracking_domain_checked_at IS NULL
                OR tracking_domain_checked_at <= CASE WHEN is_tracking_domain_valid THEN %(valid_before)s
                                                      ELSE %(others_before)s END)
         ORDER BY tracking_domain_checked_at NULLS FIRST, id
         LIMIT %(limit)s
        """,
        {"valid_before": now - _CHECK_VALID_AFTER, "others_before": now - _CHECK_OTHERS_AFTER, "limit": _AT_ONCE},
    )
    return [row["id"] for row in rows]


async def _find(db: Db, mailbox_id: int) -> str | None:
    rows = await fetch_dicts(
        db,
        "SELECT custom_tracking_domain FROM mailboxes WHERE id = %(id)s AND deleted_at IS NULL",
        {"id": mailbox_id},
    )
    return rows[0]["custom_tracking_domain"] if rows else None


async def _record(db: Db, mailbox_id: int, typed: str, problem: str | None, now: datetime) -> None:
    """Unless it was changed meanwhile. Senders read a mailbox anew when `updated_at` moves, so only when need be."""
    await execute(
        db,
        """
        UPDATE mailboxes
           SET is_tracking_domain_valid = %(is_valid)s,
               tracking_domain_error = %(problem)s,
               tracking_domain_checked_at = %(now)s,
               updated_at = CASE WHEN is_tracking_domain_valid = %(is_valid)s THEN updated_at ELSE %(now)s END
         WHERE id = %(id)s
           AND custom_tracking_domain = %(typed)s
        """,
        {"id": mailbox_id, "typed": typed, "problem": problem, "is_valid": problem is None, "now": now},
    )
