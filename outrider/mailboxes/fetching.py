"""Reading a mailbox live for somebody who asks: nothing is stored, no flag changes (contract: email-accounts).

Over a connection of its own, beside that of the engine.
"""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b

from outrider.mail import imap
from outrider.mail.imap import Folder, FolderRole, ImapError, NoSuchFolder, Session
from outrider.mail.message_id import bracketed
from outrider.mail.parse import Incoming, parse
from outrider.mail.server import Server
from outrider.mail.text import html_to_text
from outrider.mail.tls import TlsContexts

SECONDS = 30
_BEGINNING = 65_536  # bytes of a mail whose body is not wanted
_SNIPPET = 200
_ROLES = {**{role.value: role for role in FolderRole}, "SPAM": FolderRole.JUNK}


class FolderUnknown(Exception):
    """The mailbox has no folder of this name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which messages; `folder` None is all of them."""

    first: datetime
    last: datetime
    folder: str | None
    limit: int
    with_body: bool


@dataclass(frozen=True, slots=True)
class Seen:
    """Where a message lies, and when it came in."""

    folder: str
    uid_validity: int
    uid: int
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Letter:
    seen: Seen
    mail: Incoming
    size: int

    @property
    def thread_id(self) -> str:
        """The same for all mails of a conversation: its first mail, hashed."""
        first = next(iter((*self.mail.references, *self.mail.in_reply_to)), self.mail.message_id) or self.key
        return blake2b(first.encode(), digest_size=4).hexdigest()

    @property
    def key(self) -> str:
        return f"{self.seen.folder}.{self.seen.uid_validity}.{self.seen.uid}"

    @property
    def message_id(self) -> str | None:
        return bracketed(self.mail.message_id) if self.mail.message_id else None

    @property
    def snippet(self) -> str:
        text = self.mail.text if self.mail.text is not None else html_to_text(self.mail.html or "")
        return " ".join(text.split())[:_SNIPPET]


@dataclass(frozen=True, slots=True)
class Found:
    """The newest of them, and how many there are."""

    letters: Sequence[Letter]
    total_count: int


async def fetch(server: Server, wanted: Wanted) -> Found:
    """Newest first. Raises ImapError, FolderUnknown, TimeoutError; may take SECONDS."""
    async with asyncio.timeout(SECONDS):
        session = await Session.open(server, tls=TlsContexts.shared())
        try:
            return await _fetch(session, wanted)
        finally:
            session.close()


def explain(error: ImapError | TimeoutError, server: Server) -> str:
    if isinstance(error, ImapError):
        return str(error)
    return f"{server.host} did not give the messages within {SECONDS} seconds."


async def _fetch(session: Session, wanted: Wanted) -> Found:
    seen: list[Seen] = []
    for folder in _chosen(await session.folders(), wanted.folder):
        try:
            selected = await session.select(folder.name, read_only=True)
        except NoSuchFolder as error:
            if wanted.folder is not None:
                raise FolderUnknown from error
            continue  # listed and not to be opened: shared folders are like that
        received = await session.received_between(wanted.first, wanted.last)
        seen += [Seen(folder.name, selected.uid_validity, uid, when) for uid, when in received.items()]
    newest = sorted(seen, key=lambda each: (each.received_at, each.uid), reverse=True)[: wanted.limit]
    bodies = await _bodies(session, newest, wanted)
    return Found([bodies[each] for each in newest if each in bodies], len(seen))


def _chosen(folders: Sequence[Folder], name: str | None) -> list[Folder]:
    """By special use, then by name; Gmail's archive of everything would give each mail twice."""
    usable = [folder for folder in folders if folder.is_selectable]
    if name is None:
        return [folder for folder in usable if folder.role is not FolderRole.ALL]
    role = _ROLES.get(name.upper())
    found = [folder for folder in usable if role is not None and folder.role is role]
    found = found or [folder for folder in usable if folder.name.casefold() == name.casefold()]
    if not found:
        raise FolderUnknown
    return found[:1]


async def _bodies(session: Session, newest: Sequence[Seen], wanted: Wanted) -> Mapping[Seen, Letter]:
    by_folder: dict[str, dict[int, Seen]] = defaultdict(dict)
    for each in newest:
        by_folder[each.folder][each.uid] = each
    letters: dict[Seen, Letter] = {}
    for folder, places in by_folder.items():
        await session.select(folder, read_only=True)
        size = imap.session.MAX_MESSAGE if wanted.with_body else _BEGINNING
        for fetched in await session.fetch(sorted(places), max_size=size):
            mail = await asyncio.to_thread(parse, fetched.raw)
            seen = places[fetched.uid]
            letters[seen] = Letter(seen, mail, fetched.size)
    return letters
