"""One IMAP session for each leased mailbox: new mail as it arrives, our own mails copied to Sent.

IDLE where the server offers it, else a look every minute. What was read is remembered by (folder, UIDVALIDITY, UID) in
the transaction that processed it. One broken mailbox never stops the others: its task waits and tries again.
"""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import psycopg

from outrider.engine import store
from outrider.engine.inbound.arrival import Reader
from outrider.engine.inbound.desk import Desk
from outrider.kit.clock import Clock
from outrider.kit.crypto import Vault
from outrider.kit.db import Database, Db, describe_failure
from outrider.kit.log import get_logger
from outrider.mail.imap import (
    CommandRefused,
    Folder,
    FolderRole,
    ImapError,
    LoginRefused,
    NoSuchFolder,
    Selected,
    Session,
)
from outrider.mail.imap.answers import Fetched
from outrider.mail.server import Server
from outrider.mail.tls import TlsContexts
from outrider.mailboxes import actions as mailboxes
from outrider.mailboxes import servers, state
from outrider.mailboxes.models import Mailbox, MailboxType
from outrider.mailboxes.state import FolderPosition
from outrider.messages import doubt

log = get_logger("inbound")

_LOOK_SECONDS = 0.5  # for leases that came or went
_IDLE_SECONDS = 20.0  # then Junk is looked at and copies are filed, on the wall
_EDITS_SECONDS = 2.0
_DATABASE_AT_ONCE = 4
_LOG_INS_AT_ONCE = 50
_BATCH = 100
_FIRST_LOOK = 500  # messages of a folder that we see for the first time, if the server does not search by date
_KEPT_COPIES = 1000
_LEAST_PAUSE_SECONDS = 5.0  # between two log-ins, on the wall: also where time runs faster
_RETRY = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=15), timedelta(minutes=60))
_FAILURES = 5
_FAILURES_IN_A_BATCH = 2  # at the same message: then one at a time
_FAILURES_ONE_BY_ONE = 3  # then past it
_COPIES_BY_PROVIDER = frozenset({MailboxType.GMAIL, MailboxType.OUTLOOK})
_READ = (FolderRole.INBOX, FolderRole.JUNK, FolderRole.ALL)  # Gmail's archive has what rules kept out of the inbox


class Gone(Exception):
    """The mailbox is no longer ours to read, or has no IMAP server."""


@dataclass
class Reading:
    """What is known of one mailbox while it is read."""

    mailbox: Mailbox
    server: Server
    copies: deque[bytes]
    positions: dict[str, FolderPosition]
    folders: dict[FolderRole, Folder] = field(default_factory=dict)

    @property
    def reader(self) -> Reader:
        return Reader(self.mailbox.user_id, self.mailbox.id, self.mailbox.from_email)


class Inbound:
    """Reads the mailboxes of one engine."""

    def __init__(self, database: Database, clock: Clock, vault: Vault) -> None:
        self._database = database
        self._clock = clock
        self._vault = vault
        self._tls = TlsContexts()
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._copies: dict[int, deque[bytes]] = {}
        self._failures: Counter[tuple[int, str, int]] = Counter()
        self._desk = Desk(database, clock, vault)
        self._edited_at: dict[int, datetime] = {}
        # Thousands that begin together wait here, not in the pool, where everybody else waits too.
        self._turns = asyncio.Semaphore(_DATABASE_AT_ONCE)
        self._log_ins = asyncio.Semaphore(_LOG_INS_AT_ONCE)

    def keep_copy(self, mailbox_id: int, raw: bytes) -> None:
        """File a sent mail in Sent, soon; while the mailbox cannot be read yet, or any more, the latest are kept."""
        self._copies.setdefault(mailbox_id, deque(maxlen=_KEPT_COPIES)).append(raw)

    async def run(self, leased: Callable[[], Iterable[int]]) -> None:
        """Keep one task for each leased mailbox, until cancelled."""
        helpers = [asyncio.create_task(self._desk.run()), asyncio.create_task(self._watch_edits(leased))]
        try:
            while True:
                wanted = set(leased())
                for mailbox_id in wanted - self._tasks.keys():
                    self._tasks[mailbox_id] = asyncio.create_task(self._read_for_ever(mailbox_id))
                for mailbox_id in self._tasks.keys() - wanted:
                    self._tasks.pop(mailbox_id).cancel()
                for mailbox_id in self._copies.keys() - wanted:
                    del self._copies[mailbox_id]
                await asyncio.sleep(_LOOK_SECONDS)
        finally:
            tasks = (*self._tasks.values(), *helpers)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _watch_edits(self, leased: Callable[[], Iterable[int]]) -> None:
        """When each mailbox was edited, all in one query: those that read them look it up."""
        while True:
            try:
                async with self._connection() as db:
                    self._edited_at = await store.list_edit_times(db, sorted(leased()))
            except psycopg.Error as error:
                log.warning("edits of mailboxes are not seen", reason=describe_failure(error))
            await asyncio.sleep(_EDITS_SECONDS)

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Db]:
        async with self._turns, self._database.connection() as db:
            yield db

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[Db]:
        async with self._turns, self._database.transaction() as db:
            yield db

    async def _read_for_ever(self, mailbox_id: int) -> None:
        failures = 0
        while True:
            try:
                await self._read(mailbox_id)
                failures = 0
            except Gone:
                self._copies.pop(mailbox_id, None)
                await asyncio.sleep(_IDLE_SECONDS)
                continue
            except ImapError as error:
                failures += 1
                await self._record_failure(mailbox_id, error, failures)
            except psycopg.Error as error:
                log.warning("reading waits for the database", mailbox_id=mailbox_id, reason=describe_failure(error))
            except Exception:  # one broken mailbox never stops the others
                failures += 1
                log.exception("reading failed", mailbox_id=mailbox_id)
            wait = _RETRY[min(failures, len(_RETRY)) - 1].total_seconds() if failures else 0.0
            await asyncio.sleep(max(_LEAST_PAUSE_SECONDS, wait / self._clock.speed))

    async def _record_failure(self, mailbox_id: int, error: ImapError, failures: int) -> None:
        """A refused log-in counts at once, network errors after five in a row (decision 39)."""
        log.info("mailbox cannot be read", mailbox_id=mailbox_id, reason=str(error), failures=failures)
        if not isinstance(error, LoginRefused) and failures < _FAILURES:
            return
        async with self._transaction() as db:
            for mailbox in await store.list_mailboxes(db, [mailbox_id]):
                await mailboxes.record_imap_failure(
                    db, mailbox.user_id, mailbox_id, error=str(error), now=self._clock.now()
                )

    async def _read(self, mailbox_id: int) -> None:
        """One session, from log-in until it is lost; returns when the mailbox was edited."""
        reading = await self._load(mailbox_id)
        async with self._log_ins:
            session = await Session.open(reading.server, tls=self._tls)
        try:
            if not reading.mailbox.is_imap_success:
                await self._record_success(reading)
            reading.folders = {folder.role: folder for folder in await session.folders() if folder.role}
            await self._settle_doubtful(session, reading)
            while self._is_unchanged(reading):
                for role in reversed(_READ):  # INBOX last: it is the one we wait in
                    if role in reading.folders:
                        await self._read_if_open(session, reading, reading.folders[role])
                await self._file_copies(session, reading)
                await session.idle(_IDLE_SECONDS)  # at once if something came since INBOX was selected
                if session.is_lost:
                    return
        finally:
            session.close()

    async def _load(self, mailbox_id: int) -> Reading:
        async with self._connection() as db:
            found = await store.list_mailboxes(db, [mailbox_id])
            positions = await state.list_positions(db, mailbox_id)
        server = servers.imap_server(found[0], self._vault) if found else None
        if not found or found[0].deleted_at or server is None:
            raise Gone
        copies = self._copies.setdefault(mailbox_id, deque(maxlen=_KEPT_COPIES))
        return Reading(found[0], server, copies, {position.folder: position for position in positions})

    def _is_unchanged(self, reading: Reading) -> bool:
        edited_at = self._edited_at.get(reading.mailbox.id)
        return edited_at is None or edited_at <= reading.mailbox.updated_at

    async def _record_success(self, reading: Reading) -> None:
        async with self._transaction() as db:
            await mailboxes.record_imap_success(db, reading.mailbox.user_id, reading.mailbox.id, now=self._clock.now())

    async def _read_if_open(self, session: Session, reading: Reading, folder: Folder) -> None:
        """One that is listed and cannot be opened is no reason not to read the inbox."""
        try:
            await self._read_folder(session, reading, folder.name)
        except NoSuchFolder as error:
            if folder.role is FolderRole.INBOX:
                raise
            log.warning("a folder cannot be opened", mailbox_id=reading.mailbox.id, reason=str(error))
            reading.folders = {role: each for role, each in reading.folders.items() if each is not folder}

    async def _read_folder(self, session: Session, reading: Reading, folder: str) -> None:
        """Process what is new in a folder, batch by batch."""
        selected = await session.select(folder)
        position = reading.positions.get(folder)
        is_known = position is not None and position.uid_validity == selected.uid_validity
        if position is not None and is_known:
            last_uid = position.last_uid
        else:
            last_uid = await self._before_what_is_needed(session, reading, selected, position)
        while fetched := await self._fetch(session, reading, folder, last_uid):
            await self._desk.take_in(
                reading.reader,
                fetched,
                folder=folder,
                uid_validity=selected.uid_validity,
                only_matched=position is None,
            )
            last_uid = fetched[-1].uid
            if position is not None:
                reading.positions[folder] = FolderPosition(folder, selected.uid_validity, last_uid)
        if not is_known:
            last_uid = max(last_uid, selected.uid_next - 1)
            reading.positions[folder] = FolderPosition(folder, selected.uid_validity, last_uid)
            await self._remember(reading.mailbox.id, reading.positions[folder])

    async def _before_what_is_needed(
        self, session: Session, reading: Reading, selected: Selected, position: FolderPosition | None
    ) -> int:
        """The last UID that need not be read, of a folder that we see for the first time or whose UIDs are new.

        At first what may answer mails of ours: nothing before there were any. With new UIDVALIDITY what came since the
        folder was read last; what we have had is known by its Message-ID.
        """
        end = selected.uid_next - 1
        since = position.checked_at if position else await self._first_send(reading.mailbox.id)
        if since is None:
            return end
        try:
            uids = await session.uids_since(since)
        except CommandRefused as error:
            log.warning("a folder is not searched by date", mailbox_id=reading.mailbox.id, reason=str(error))
            return max(0, end - _FIRST_LOOK)
        return min([*uids, selected.uid_next]) - 1

    async def _first_send(self, mailbox_id: int) -> datetime | None:
        async with self._connection() as db:
            return await store.find_first_send(db, mailbox_id)

    async def _fetch(self, session: Session, reading: Reading, folder: str, last_uid: int) -> list[Fetched]:
        """The next messages. Where the server broke off twice, one at a time; one it never gives us is passed over."""
        place = (reading.mailbox.id, folder, last_uid)
        failures = self._failures[place]
        if failures > _FAILURES_ONE_BY_ONE:
            for uid in (await session.new_uids(last_uid))[:1]:
                log.warning("a message cannot be fetched", mailbox_id=reading.mailbox.id, folder=folder, uid=uid)
                return await self._fetch(session, reading, folder, uid)
        try:
            fetched = await session.fetch_since(last_uid, limit=1 if failures >= _FAILURES_IN_A_BATCH else _BATCH)
        except ImapError:
            self._failures[place] += 1
            raise
        self._failures.pop(place, None)
        return fetched

    async def _remember(self, mailbox_id: int, position: FolderPosition) -> None:
        async with self._transaction() as db:
            await state.record_positions(db, [(mailbox_id, position)], now=self._clock.now())

    async def _file_copies(self, session: Session, reading: Reading) -> None:
        """Put copies of sent mails into Sent, unless the provider does so by itself (product behaviour 2.7)."""
        folder = reading.folders.get(FolderRole.SENT)
        if folder is None or reading.mailbox.type in _COPIES_BY_PROVIDER:
            reading.copies.clear()
            return
        while reading.copies:
            try:
                await session.append(folder.name, reading.copies[0])
            except CommandRefused as error:  # no room, no right: the mail itself was sent
                log.warning("a sent mail is not copied", mailbox_id=reading.mailbox.id, reason=str(error))
            reading.copies.popleft()

    async def _settle_doubtful(self, session: Session, reading: Reading) -> None:
        """A mail in doubt that lies in Sent was sent (decision 27)."""
        folder = reading.folders.get(FolderRole.SENT)
        if folder is None:
            return
        async with self._connection() as db:
            doubtful = await doubt.list_doubtful(db, reading.mailbox.id)
        for message_id, rfc_id in doubtful:
            try:
                is_there = bool(await session.search_message_id(folder.name, rfc_id))
            except CommandRefused:
                return
            if is_there:
                async with self._transaction() as db:
                    await doubt.settle(db, [message_id])
