"""Access tokens of Gmail and Outlook mailboxes: refreshed before they expire, by one process at a time (decision 42).

RFC 6749 §6. The token server is asked without holding a connection: who refreshes is a claim in the mailbox's row. A
refusal (revoked, expired) fails the mailbox until somebody gives it a new token; anything else is tried again.
"""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import httpx

from outrider.config import Endpoints, Settings
from outrider.kit.clock import Clock
from outrider.kit.crypto import SealError, Vault
from outrider.kit.db import Database, Db, execute, fetch_dicts, fetch_value
from outrider.kit.log import get_logger
from outrider.mailboxes import actions
from outrider.mailboxes.models import MailboxType, OAuthNotConfigured, Verdict

log = get_logger("mailboxes")

_BEFORE = timedelta(minutes=10)
_CLAIM = timedelta(seconds=60)
_AT_ONCE = 20
_SECONDS = 20.0
_LIFETIME_SECONDS = 3600  # where the server does not say (RFC 6749 §5.1)
_LOOKS, _BETWEEN_LOOKS_SECONDS = 100, 0.1  # for a refresh that somebody else has begun
_REFUSALS = frozenset({"invalid_grant", "interaction_required", "consent_required", "login_required"})
_ADVICE = "Connect the account again."


@dataclass(frozen=True, slots=True)
class App:
    """How this server is known to a provider."""

    client_id: str
    client_secret: str = field(repr=False)
    endpoints: Endpoints


@dataclass(frozen=True, slots=True)
class Token:
    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    expires_at: datetime


class TokenRefused(Exception):
    """The provider gives no more tokens for this account; the text says why and what to do."""


class TokenUnavailable(Exception):
    """The provider could not be asked, or said nothing of use."""


def app_of(settings: Settings, provider: MailboxType) -> App:
    """Raises OAuthNotConfigured."""
    if provider is MailboxType.GMAIL:
        name, client_id, secret = "GOOGLE", settings.google_client_id, settings.google_client_secret
        endpoints = settings.google_endpoints
    else:
        name, client_id, secret = "MICROSOFT", settings.microsoft_client_id, settings.microsoft_client_secret
        endpoints = settings.microsoft_endpoints
    if not client_id or not secret:
        raise OAuthNotConfigured(name=name)
    return App(client_id, secret, endpoints)


async def ask(http: httpx.AsyncClient, app: App, refresh_token: str, now: datetime) -> Token:
    """A new access token. Raises TokenRefused, TokenUnavailable."""
    form = {
        "grant_type": "refresh_token",
        "client_id": app.client_id,
        "client_secret": app.client_secret,
        "refresh_token": refresh_token,
    }
    try:
        answer = await http.post(app.endpoints.token_url, data=form, timeout=_SECONDS)
        said: Any = answer.json()
    except (httpx.HTTPError, ValueError, OSError) as error:
        raise TokenUnavailable(f"{type(error).__name__}: {error}") from error
    if not isinstance(said, dict):
        raise TokenUnavailable("The answer is no object.")
    if said.get("error") in _REFUSALS:
        raise TokenRefused(f"{said.get('error_description') or said['error']} {_ADVICE}")
    access_token = said.get("access_token")
    if answer.status_code != httpx.codes.OK or not isinstance(access_token, str):
        raise TokenUnavailable(f"{answer.status_code} {said.get('error', '')}")
    lifetime = said.get("expires_in")
    seconds = lifetime if isinstance(lifetime, int) and lifetime > 0 else _LIFETIME_SECONDS
    rotated = said.get("refresh_token")
    return Token(
        access_token,
        rotated if isinstance(rotated, str) and rotated else refresh_token,
        now + timedelta(seconds=seconds),
    )


@dataclass(frozen=True, slots=True)
class Refresher:
    """What refreshing needs; one for a process."""

    database: Database
    settings: Settings
    clock: Clock
    vault: Vault
    http: httpx.AsyncClient

    async def refresh_due(self) -> int:
        """Those that expire soon, of all accounts; how many were looked at."""
        count = 0
        while claimed := await self._claim(None):
            await asyncio.gather(*(self._refresh(row) for row in claimed))
            count += len(claimed)
        return count

    async def refresh(self, mailbox_id: int) -> None:
        """One, if it expires soon. Returns when it is done, also if another process does it."""
        for _ in range(_LOOKS):
            claimed = await self._claim(mailbox_id)
            if claimed:
                await self._refresh(claimed[0])
                return
            if not await self._is_claimed(mailbox_id):
                return
            await asyncio.sleep(_BETWEEN_LOOKS_SECONDS)

    async def _claim(self, mailbox_id: int | None) -> list[dict[str, Any]]:
        now = self.clock.now()
        async with self.database.transaction() as db:
            return await fetch_dicts(
                db,
                """
                UPDATE mailboxes
                SET token_claimed_until = %(claimed_until)s
                WHERE id IN (
                    SELECT id
                    FROM mailboxes
                    WHERE refresh_token IS NOT NULL
                      AND deleted_at IS NULL
                      AND token_expires_at < %(soon)s
                      AND (token_claimed_until IS NULL OR token_claimed_until < %(now)s)
                      AND (%(id)s::bigint IS NULL OR id = %(id)s)
                    ORDER BY token_expires_at
                    LIMIT %(limit)s
                    FOR NO KEY UPDATE SKIP LOCKED
                )
                RETURNING id, user_id, type, refresh_token
                """,
                {
                    "id": mailbox_id,
                    "now": now,
                    "soon": now + _BEFORE,
                    "claimed_until": now + _CLAIM,
                    "limit": _AT_ONCE,
                },
            )

    async def _is_claimed(self, mailbox_id: int) -> bool:
        async with self.database.connection() as db:
            return bool(
                await fetch_value(
                    db,
                    "SELECT token_claimed_until > %(now)s FROM mailboxes WHERE id = %(id)s",
                    {"id": mailbox_id, "now": self.clock.now()},
                )
            )

    async def _refresh(self, row: dict[str, Any]) -> None:
        mailbox_id, sealed = row["id"], row["refresh_token"]
        try:
            app = app_of(self.settings, MailboxType(row["type"]))
            token = await ask(self.http, app, self.vault.open(sealed), self.clock.now())
        except TokenRefused as refusal:
            await self._record_refusal(row, str(refusal))
        except (TokenUnavailable, OAuthNotConfigured, SealError) as error:  # the claim runs out, then again
            log.warning("a token could not be refreshed", mailbox_id=mailbox_id, error=str(error))
        else:
            async with self.database.transaction() as db:
                await _store(db, row, token, vault=self.vault, now=self.clock.now())

    async def _record_refusal(self, row: dict[str, Any], text: str) -> None:
        now = self.clock.now()
        async with self.database.transaction() as db:
            is_same = await execute(
                db,
                """
                UPDATE mailboxes
                SET refresh_token = NULL, token_claimed_until = NULL
                WHERE user_id = %(user_id)s AND id = %(id)s AND refresh_token = %(refresh_token)s
                """,
                row,
            )
            if is_same:
                verdict = Verdict(smtp_error=text, imap_error=text)
                await actions.record_failure(db, row["user_id"], row["id"], verdict, now=now)


async def _store(db: Db, row: dict[str, Any], token: Token, *, vault: Vault, now: datetime) -> None:
    """Unless somebody has given another one meanwhile. Whoever holds the mailbox reads it anew (`updated_at`)."""
    await execute(
        db,
        """
        UPDATE mailboxes
        SET access_token = %(access_token)s,
            refresh_token = %(new_refresh_token)s,
            token_expires_at = %(expires_at)s,
            token_claimed_until = NULL,
            updated_at = %(now)s
        WHERE user_id = %(user_id)s
          AND id = %(id)s
          AND refresh_token = %(refresh_token)s
        """,
        {
            **row,
            "access_token": vault.seal(token.access_token),
            "new_refresh_token": vault.seal(token.refresh_token) if token.refresh_token else None,
            "expires_at": token.expires_at,
            "now": now,
        },
    )
