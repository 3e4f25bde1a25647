"""What changes mailboxes: saving with a log-in test, suspending, deleting, testing.

A log-in test takes up to 20 seconds, so it stands between two transactions: the first finds what is to be tried and
refuses what needs no test, the second writes.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from psycopg.errors import UniqueViolation

from outrider.clients import store as clients
from outrider.kit.crypto import SealError, Vault
from outrider.kit.db import Db
from outrider.kit.errors import NotAllowed
from outrider.kit.events import emit
from outrider.mailboxes import connections, servers, store, tracking_domains, warmup, warmups
from outrider.mailboxes.models import (
    Credentials,
    Mailbox,
    MailboxDisconnected,
    MailboxesDeleted,
    MailboxExists,
    MailboxNotFound,
    MailboxTaken,
    MailboxType,
    PortType,
    UnknownMailbox,
    Verdict,
    VerificationFailed,
)
from outrider.mailboxes.warmup import WarmupChange

_NO_SECRETS: dict[str, Any] = dict.fromkeys(("password", "imap_password", "access_token", "refresh_token"))
_PASSED = Verdict(smtp_error=None, imap_error=None)
_DEFAULTS = {
    "client_id": None,
    "max_email_per_day": 100,
    "time_to_wait_minutes": None,
    "signature": None,
    "custom_tracking_domain": None,
    "bcc_email": None,
    "different_reply_to_address": None,
    "is_suspended": False,
}


async def check_new(db: Db, user_id: int, changes: Mapping[str, Any], *, scope: int | None) -> None:
    """Raise for a mailbox that cannot be created, whatever its log-in; `scope` is the client whose key asks."""
    await _check_client(db, user_id, changes, scope=scope)
    await _check_address(db, user_id, changes["from_email"], scope=scope)


async def create(
    db: Db,
    vault: Vault,
    user_id: int,
    *,
    changes: Mapping[str, Any],
    credentials: Credentials,
    warmup_change: WarmupChange,
    scope: int | None,
    now: datetime,
) -> Mailbox:
    """Store a mailbox whose log-in has been tried."""
    await check_new(db, user_id, changes, scope=scope)
    mailbox_id = await store.insert_mailbox(
        db,
        {
            **_DEFAULTS,
            "client_id": scope,
            "type": MailboxType.of_host(credentials.smtp_host or ""),
            **changes,
            **_columns(credentials, vault),
            "user_id": user_id,
            "warmup_key": warmup_key(user_id, changes["from_email"]),
            "now": now,
        },
    )
    if mailbox_id is None:
        await _check_address(db, user_id, changes["from_email"], scope=scope)
        raise MailboxTaken
    await store.insert_state(db, user_id, mailbox_id, now=now)
    if changes.get("custom_tracking_domain"):
        await tracking_domains.enqueue_check(db, mailbox_id)
    mailbox = await store.load_mailbox(db, user_id, mailbox_id, client_id=scope)
    if warmup_change.is_enabled:
        mailbox = await change_warmup(db, mailbox, warmup_change, now=now)
    return mailbox


@dataclass(frozen=True, slots=True)
class LogIn:
    """The log-in of a stored mailbox, and what it would be after a change."""

    known: Credentials
    wanted: Credentials

    @property
    def is_new(self) -> bool:
        return self.wanted != self.known


async def find_log_in(
    db: Db,
    vault: Vault,
    user_id: int,
    mailbox_id: int,
    *,
    changes: Mapping[str, Any],
    credentials: Mapping[str, Any],
    scope: int | None,
) -> LogIn:
    """What is to be tried before a mailbox is changed; raises for what cannot be changed, whatever its log-in."""
    known = await load_credentials(db, vault, user_id, mailbox_id, scope=scope)
    await _check_client(db, user_id, changes, scope=scope)
    return LogIn(known, merged(known, credentials))


async def load_credentials(db: Db, vault: Vault, user_id: int, mailbox_id: int, *, scope: int | None) -> Credentials:
    """Secrets that cannot be opened any more (another SECRET_KEY) are as good as none: new ones can be given."""
    mailbox = await store.load_mailbox(db, user_id, mailbox_id, client_id=scope)
    try:
        return servers.open_credentials(mailbox, vault)
    except SealError:
        return servers.open_credentials(replace(mailbox, **_NO_SECRETS), vault)


async def update(
    db: Db,
    vault: Vault,
    user_id: int,
    mailbox_id: int,
    *,
    changes: Mapping[str, Any],
    log_in: LogIn,
    warmup_change: WarmupChange,
    scope: int | None,
    now: datetime,
) -> Mailbox:
    """Change what is given; a new log-in has been tried."""
    mailbox = await store.lock_mailbox(db, user_id, mailbox_id, client_id=scope)
    columns = {**changes, **_changed_columns(log_in, vault)}
    if log_in.wanted.smtp_host != log_in.known.smtp_host:
        columns.setdefault("type", MailboxType.of_host(log_in.wanted.smtp_host or ""))
    changed = replace(_with_tracking_domain(mailbox, columns), **columns, updated_at=now)
    if columns:
        await _store(db, changed, scope=scope)
    if changed.custom_tracking_domain != mailbox.custom_tracking_domain and changed.custom_tracking_domain:
        await tracking_domains.enqueue_check(db, mailbox_id)
    if log_in.is_new:
        await _record(db, changed, _PASSED, now=now)
        changed = await store.load_mailbox(db, user_id, mailbox_id, client_id=None)
    if changed.is_suspended != mailbox.is_suspended:
        await warmups.suspend_warmup(db, user_id, mailbox_id, is_suspended=changed.is_suspended, now=now)
    if warmup_change.is_empty:
        return changed
    return await change_warmup(db, changed, warmup_change, now=now)


async def change_warmup(db: Db, mailbox: Mailbox, change: WarmupChange, *, now: datetime) -> Mailbox:
    """Store warmup settings; they begin to exist when warmup is enabled for the first time."""
    known = await warmups.list_warmups(db, mailbox.user_id, [mailbox.id])
    draft = warmup.changed(known[0] if known else None, change, mailbox, now=now)
    if draft is not None:
        await warmups.upsert_warmup(db, draft)
    if change.key is None:
        return mailbox
    await store.update_warmup_key(db, mailbox.user_id, mailbox.id, change.key, now=now)
    return replace(mailbox, warmup_key=change.key)


async def suspend(
    db: Db, user_id: int, mailbox_id: int, *, is_suspended: bool, scope: int | None, now: datetime
) -> None:
    """Suspended mailboxes stay in their campaigns and are passed over; answers are still read."""
    try:
        mailbox = await store.lock_mailbox(db, user_id, mailbox_id, client_id=scope)
    except MailboxNotFound as error:
        raise UnknownMailbox(extra={"success": False}) from error
    if mailbox.is_suspended != is_suspended:
        await store.update_mailbox(db, replace(mailbox, is_suspended=is_suspended, updated_at=now))
        await warmups.suspend_warmup(db, user_id, mailbox_id, is_suspended=is_suspended, now=now)


async def delete(db: Db, user_id: int, mailbox_ids: Sequence[int], *, scope: int | None, now: datetime) -> list[int]:
    """Out of sight, secrets wiped, history kept; which of them were there. Campaigns hear of it by the event."""
    deleted = await store.delete_mailboxes(db, user_id, mailbox_ids, client_id=scope, now=now)
    if deleted:
        await store.delete_tag_mappings(db, user_id, deleted)
        await warmups.end_warmups(db, user_id, deleted, now=now)
        await emit(db, MailboxesDeleted(user_id, tuple(sorted(deleted)), at=now))
    return deleted


async def record_check(
    db: Db, user_id: int, mailbox_id: int, verdict: Verdict, *, scope: int | None, now: datetime
) -> None:
    """Remember how a log-in with what is stored went."""
    mailbox = await store.lock_mailbox(db, user_id, mailbox_id, client_id=scope)
    await _record(db, mailbox, verdict, now=now)
    if mailbox.is_connected and not verdict.is_success:
        await emit(db, MailboxDisconnected(user_id, mailbox_id, at=now))


async def record_smtp_failure(db: Db, user_id: int, mailbox_id: int, *, error: str, now: datetime) -> None:
    """The engine cannot submit from it any more: it has failed until a log-in works again."""
    await record_failure(db, user_id, mailbox_id, Verdict(smtp_error=error, imap_error=None), now=now)


async def record_imap_failure(db: Db, user_id: int, mailbox_id: int, *, error: str, now: datetime) -> None:
    """The engine cannot read it any more: it has failed until a log-in works again."""
    await record_failure(db, user_id, mailbox_id, Verdict(smtp_error=None, imap_error=error), now=now)


async def record_smtp_success(db: Db, user_id: int, mailbox_id: int, *, now: datetime) -> None:
    """The engine can submit from it again."""
    if await connections.record_smtp_success(db, user_id, mailbox_id, now=now):
        await warmups.block_warmup(db, user_id, mailbox_id, reason=None, now=now)


async def record_imap_success(db: Db, user_id: int, mailbox_id: int, *, now: datetime) -> None:
    """The engine can read it again."""
    await connections.record_imap_success(db, user_id, mailbox_id, now=now)


async def verify(credentials: Credentials, *, mailbox_id: int | None) -> None:
    """Raise VerificationFailed for a log-in that does not work."""
    verdict = await servers.verify(credentials)
    if not verdict.is_success:
        raise VerificationFailed(verdict, mailbox_id=mailbox_id)


def merged(known: Credentials | None, given: Mapping[str, Any]) -> Credentials:
    """Known credentials with what was given.

    A new port brings its usual encryption; an IMAP log-in that equals SMTP's is none of its own.
    """
    base = known or Credentials(*[None] * 10)
    wanted = replace(base, **given)
    if "password" in given and "access_token" not in given:
        wanted = replace(wanted, access_token=None, refresh_token=None)  # from a token to a password
    return replace(
        wanted,
        smtp_port_type=_port_type("smtp", wanted.smtp_port, base.smtp_port, base.smtp_port_type, given),
        imap_port_type=_port_type("imap", wanted.imap_port, base.imap_port, base.imap_port_type, given),
        imap_username=None if wanted.imap_username in ("", wanted.username) else wanted.imap_username,
        imap_password=None if wanted.imap_password in ("", wanted.password) else wanted.imap_password,
    )


def _port_type(
    protocol: str, port: int | None, old_port: int | None, old_type: PortType | None, given: Mapping[str, Any]
) -> PortType | None:
    named: PortType | None = given.get(f"{protocol}_port_type")
    if named is not None:
        return named
    if port is None or (port == old_port and old_type is not None):
        return old_type
    return PortType.of_port(port)


def warmup_key(user_id: int, from_email: str) -> str:
    """Two words that mark the warmup mails of a mailbox."""
    digest = hashlib.sha256(f"{user_id} {from_email.lower()}".encode()).digest()
    return f"{_FIRST_WORDS[digest[0] % len(_FIRST_WORDS)]}-{_SECOND_WORDS[digest[1] % len(_SECOND_WORDS)]}"


_FIRST_WORDS = (
    "amber", "birch", "brisk", "calm", "cedar", "clear", "cobalt", "coral", "crisp", "dusky", "early", "fern",
    "flint", "gentle", "golden", "hazel", "ivory", "jolly", "juniper", "keen", "linden", "lively", "lucky", "maple",
    "mellow", "misty", "noble", "olive", "pine", "quiet", "rapid", "rowan", "rustic", "sandy", "silver", "sunny",
)  # fmt: skip
_SECOND_WORDS = (
    "badger", "beaver", "bison", "brook", "canyon", "comet", "crane", "dolphin", "eagle", "falcon", "finch", "fox",
    "glacier", "harbor", "heron", "hill", "island", "kestrel", "lagoon", "lark", "lynx", "marten", "meadow", "moose",
    "orchard", "osprey", "otter", "plume", "puffin", "raven", "ridge", "river", "robin", "summit", "swan", "wren",
)  # fmt: skip


async def _check_client(db: Db, user_id: int, changes: Mapping[str, Any], *, scope: int | None) -> None:
    if "client_id" not in changes:
        return
    if changes["client_id"] is not None:
        await clients.check_reference(db, user_id, changes["client_id"], scope=scope)
    elif scope is not None:
        raise NotAllowed  # a client cannot give its mailbox away


async def _check_address(
    db: Db, user_id: int, from_email: str, *, scope: int | None, own_id: int | None = None
) -> None:
    """An address belongs to one mailbox; raises MailboxExists or MailboxTaken."""
    holder = await store.find_holder(db, from_email)
    if holder is None or holder["id"] == own_id:
        return
    is_visible = holder["user_id"] == user_id and scope in (None, holder["client_id"])
    raise MailboxExists(holder["id"]) if is_visible else MailboxTaken


async def _store(db: Db, mailbox: Mailbox, *, scope: int | None) -> None:
    """Write a mailbox whose address may have become another mailbox's."""
    await _check_address(db, mailbox.user_id, mailbox.from_email, scope=scope, own_id=mailbox.id)
    try:
        async with db.transaction():
            await store.update_mailbox(db, mailbox)
    except UniqueViolation as error:
        raise MailboxTaken from error


async def _record(db: Db, mailbox: Mailbox, verdict: Verdict, *, now: datetime) -> None:
    await connections.record_verdict(db, mailbox.user_id, mailbox.id, verdict, now=now)
    await warmups.block_warmup(db, mailbox.user_id, mailbox.id, reason=verdict.text or None, now=now)


async def record_failure(db: Db, user_id: int, mailbox_id: int, verdict: Verdict, *, now: datetime) -> None:
    """Told once: when a mailbox that worked fails (decision 39)."""
    was_connected = await connections.record_failure(
        db, user_id, mailbox_id, smtp_error=verdict.smtp_error, imap_error=verdict.imap_error, now=now
    )
    if was_connected:
        await warmups.block_warmup(db, user_id, mailbox_id, reason=verdict.text, now=now)
        await emit(db, MailboxDisconnected(user_id, mailbox_id, at=now))


def _changed_columns(log_in: LogIn, vault: Vault) -> dict[str, Any]:
    """Only these: what somebody else has changed during the test stays."""
    columns = _columns(log_in.wanted, vault)
    return {name: columns[name] for name in columns if getattr(log_in.wanted, name) != getattr(log_in.known, name)}


def _columns(credentials: Credentials, vault: Vault) -> dict[str, Any]:
    """What is stored of credentials: secrets sealed."""
    return {
        "username": credentials.username,
        "password": _sealed(credentials.password, vault),
        "smtp_host": credentials.smtp_host,
        "smtp_port": credentials.smtp_port,
        "smtp_port_type": credentials.smtp_port_type,
        "imap_host": credentials.imap_host,
        "imap_port": credentials.imap_port,
        "imap_port_type": credentials.imap_port_type,
        "imap_username": credentials.imap_username,
        "imap_password": _sealed(credentials.imap_password, vault),
        "access_token": _sealed(credentials.access_token, vault),
        "refresh_token": _sealed(credentials.refresh_token, vault),
    }


def _sealed(secret: str | None, vault: Vault) -> bytes | None:
    return None if secret is None else vault.seal(secret)


def _with_tracking_domain(mailbox: Mailbox, changes: Mapping[str, Any]) -> Mailbox:
    """A new tracking domain has to be checked before it is used."""
    if changes.get("custom_tracking_domain", mailbox.custom_tracking_domain) == mailbox.custom_tracking_domain:
        return mailbox
    return replace(mailbox, tracking_domain_checked_at=None, is_tracking_domain_valid=False, tracking_domain_error=None)
