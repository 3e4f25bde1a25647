"""The sandbox's IMAP server: pymap's store in memory, with the folders and answers of a real account.

Beyond pymap: Sent, Junk and Trash with their special use (RFC 6154), log-ins that can be refused for a time,
and an IDLE that also tells what came in just before it began (pymap would wait for the mail after that).
"""

import asyncio
import ssl
from argparse import Namespace
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from datetime import datetime

from proxyprotocol.result import ProxyResultUnknown
from proxyprotocol.sock import SocketInfo
from pymap.backend.dict import Config, Identity, Login, Session
from pymap.backend.dict.filter import FilterSet
from pymap.backend.dict.mailbox import MailboxData, MailboxSet, Message
from pymap.concurrent import Event, Subsystem
from pymap.config import BackendCapability
from pymap.exceptions import InvalidAuth, ResponseError, TemporaryFailure
from pymap.imap import IMAPServer
from pymap.interfaces.login import IdentityInterface
from pymap.parsing.message import AppendMessage
from pymap.parsing.specials import FetchRequirement
from pymap.parsing.specials.flag import Flag, Seen
from pymap.selected import SelectedMailbox
from pymap.user import UserMetadata
from pysasl.creds.server import ServerCredentials
from pysasl.hashing import Cleartext

from outrider.kit.log import get_logger
from outrider.sandbox.accounts import Accounts
from outrider.sandbox.faults import Faults, Moment

log = get_logger("sandbox")

INBOX = "INBOX"
SENT = "Sent"
_client: ContextVar[asyncio.StreamWriter] = ContextVar("client")  # of the connection that is served
SPECIAL_USE = {SENT: b"Sent", "Junk": b"Junk", "Trash": b"Trash"}


class _Config(Config):
    @property
    def greeting(self) -> bytes:
        return b"sandbox ready"  # pymap would ask the DNS for the machine's name at each connection

    @property
    def backend_capability(self) -> BackendCapability:
        return BackendCapability(idle=True, object_id=True, multi_append=True, custom=[b"SPECIAL-USE"])


class _Session(Session):
    async def list_mailboxes(
        self,
        ref_name: str,
        filter_: str,
        subscribed: bool = False,
        selected: SelectedMailbox | None = None,
    ) -> tuple[Iterable[tuple[str, str | None, Sequence[bytes]]], SelectedMailbox | None]:
        entries, selected = await super().list_mailboxes(ref_name, filter_, subscribed, selected)
        return [(name, delimiter, _with_use(name, attributes)) for name, delimiter, attributes in entries], selected

    async def check_mailbox(
        self, selected: SelectedMailbox, *, wait_on: Event | None = None, housekeeping: bool = False
    ) -> SelectedMailbox:
        seen = selected.mod_sequence
        selected = await super().check_mailbox(selected, housekeeping=housekeeping)
        if wait_on is None or selected.mod_sequence != seen:
            return selected
        return await super().check_mailbox(selected, wait_on=wait_on)


def _with_use(name: str, attributes: Sequence[bytes]) -> Sequence[bytes]:
    return [*attributes, SPECIAL_USE[name]] if name in SPECIAL_USE else attributes


class _Identity(Identity):
    def __init__(self, name: str, login: "_Login") -> None:
        super().__init__(name, login, None, frozenset())
        self._stores = login

    @asynccontextmanager
    async def new_session(self) -> AsyncIterator[Session]:
        folders, filters = await self._stores.store_of(self.name)
        yield _Session(self.name, self.config, folders, filters)


class _Login(Login):
    """Log-ins against the sandbox's accounts, and the folders of each."""

    def __init__(self, config: Config, accounts: Accounts, faults: Faults) -> None:
        super().__init__(config)
        self._accounts = accounts
        self._faults = faults
        self._making = asyncio.Lock()

    async def authenticate(self, credentials: ServerCredentials) -> Identity:
        name = credentials.authcid.lower()
        await self._meet_fault(name)
        account = self._accounts.find(name)
        expected = UserMetadata(self.config, credentials.authcid, password=account.password) if account else None
        if expected is None or not credentials.verify(expected):
            self._accounts.rejected_logins[name] += 1
            raise InvalidAuth
        return _Identity(name, self)

    async def authorize(self, authenticated: IdentityInterface, authzid: str) -> Identity:
        if authzid.lower() != authenticated.name:
            raise InvalidAuth
        return _Identity(authenticated.name, self)

    async def _meet_fault(self, name: str) -> None:
        fault = self._faults.due(Moment.IMAP_LOGIN, mailbox=name)
        if fault is None:
            return
        await asyncio.sleep(fault.waits)
        if fault.drops:
            _client.get().transport.abort()
            raise ConnectionAbortedError
        if fault.answer is not None:
            refusal: type[ResponseError] = TemporaryFailure if fault.answer.is_temporary else InvalidAuth
            raise refusal(fault.answer.text)

    async def store_of(self, name: str) -> tuple[MailboxSet, FilterSet]:
        """The folders of an account, made when they are first needed."""
        async with self._making:
            if name not in self.config.set_cache:
                folders = MailboxSet()
                for folder in SPECIAL_USE:
                    await folders.add_mailbox(folder)
                self.config.set_cache[name] = (folders, FilterSet())
            return self.config.set_cache[name]


class ImapServer:
    """Serves the folders of all accounts, and files mail into them."""

    def __init__(self, accounts: Accounts, faults: Faults, *, tls: ssl.SSLContext | None = None) -> None:
        self._config = _configure(tls)
        self._login = _Login(self._config, accounts, faults)
        self._serve = IMAPServer(self._login, self._config)
        self._connections: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int, *, implicit_tls: ssl.SSLContext | None = None) -> int:
        """Listen; the port that was taken."""
        self._server = await asyncio.start_server(self._connected, host, port, ssl=implicit_tls)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        if self._server is None:
            return
        self._server.close()
        await self.drop_connections()
        await self._server.wait_closed()

    async def drop_connections(self) -> None:
        """End every connection as a server that goes down does."""
        connections = list(self._connections)
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)

    async def append(
        self, account: str, raw: bytes, *, at: datetime, folder: str = INBOX, is_seen: bool = False
    ) -> None:
        """File a mail; whoever idles on the folder is told."""
        flags: frozenset[Flag] = frozenset({Seen}) if is_seen else frozenset()
        await (await self._folder(account, folder)).append(AppendMessage(raw, at, flags), recent=True)

    async def contents(self, account: str, folder: str = INBOX) -> list[bytes]:
        """The mails of a folder, oldest first."""
        messages: list[Message] = [message async for message in (await self._folder(account, folder)).messages()]
        loaded = [await message.load_content(FetchRequirement.CONTENT) for message in messages]
        return [bytes(content.get_body()) for content in loaded]

    async def _folder(self, account: str, folder: str) -> MailboxData:
        folders, _ = await self._login.store_of(account.lower())
        return await folders.get_mailbox(folder)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None:
            return
        self._connections.add(task)
        _client.set(writer)
        try:
            await self._serve(reader, writer, SocketInfo.get(writer, ProxyResultUnknown()))
        except (OSError, EOFError, asyncio.CancelledError):
            pass  # the client is gone, or we go
        except Exception:
            log.exception("imap_connection_failed")
        finally:
            writer.close()
            self._connections.discard(task)


def _configure(tls: ssl.SSLContext | None) -> _Config:
    """The options of pymap without its command line.

    Its own password hash would cost 0.2 s per log-in, its default TLS context 40 ms, its worker threads a switch.
    """
    return _Config(
        Namespace(proxy_protocol=None, passlib_cfg=None),
        host=None,
        port=0,
        demo_data=False,
        demo_user="",
        demo_password="",
        subsystem=Subsystem.for_asyncio(),
        cpu_subsystem=Subsystem.for_asyncio(),
        hash_context=Cleartext(),
        ssl_context=tls or ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER),
        tls_enabled=tls is not None,
        invalid_user_sleep=0,
        reject_dnsbl=False,
    )
