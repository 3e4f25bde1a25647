"""The sandbox: SMTP and IMAP on loopback in one event loop, and a world of people behind them."""

import asyncio
import errno
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from typing import Self

from outrider.kit.clock import SYSTEM_CLOCK, Clock
from outrider.kit.log import get_logger
from outrider.sandbox import tally
from outrider.sandbox.accounts import Account, Accounts
from outrider.sandbox.crowd import Crowd
from outrider.sandbox.faults import Faults
from outrider.sandbox.imap import INBOX, SENT, ImapServer
from outrider.sandbox.letters import Letter
from outrider.sandbox.mails import ReceivedMail
from outrider.sandbox.people import Pace, People, Refusal
from outrider.sandbox.smtp import SmtpConnection, SmtpHost, Submission
from outrider.sandbox.tally import Act, ActKind, StepOf, Tally

log = get_logger("sandbox")

HOST_NAME = "mail.sandbox.example"


class PortInUse(OSError):
    """Another program listens there; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Tls:
    """A certificate for both servers: offered by STARTTLS, or spoken from the first byte."""

    context: ssl.SSLContext
    is_implicit: bool = False


class Sandbox:
    """A mail sink with people who answer.

    async with Sandbox(seed="7") as sandbox:
        sandbox.add_mailbox("me@ours.example", "secret")
        sandbox.people["ann@theirs.example"] = Behaviour(opens=True, replies=ReplyKind.INTERESTED)
        ...  # send to sandbox.smtp_port, read from sandbox.imap_port
        await sandbox.settle()
        assert sandbox.tally().mails.replied == 1
    """

    def __init__(
        self,
        *,
        people: People | None = None,
        seed: str | int = "0",
        clock: Clock = SYSTEM_CLOCK,
        pace: Pace | None = None,
        host: str = "127.0.0.1",
        smtp_port: int = 0,
        imap_port: int = 0,
        requires_login: bool = True,
        tls: Tls | None = None,
    ) -> None:
        self.host = host
        self.smtp_port = smtp_port
        self.imap_port = imap_port
        self.mails: list[ReceivedMail] = []
        self.acts: list[Act] = []
        self.faults = Faults(str(seed))
        self.accounts = Accounts()
        self.people = Crowd(
            people or People(),
            seed=str(seed),
            pace=pace or Pace(),
            clock=clock,
            deliver=self._deliver,
            record=self._record,
        )
        self._clock = clock
        self._tls = tls
        self._listeners: list[Callable[[ReceivedMail | Act], None]] = []
        starttls = tls.context if tls and not tls.is_implicit else None
        self._imap = ImapServer(self.accounts, self.faults, tls=starttls)
        self._smtp_host = SmtpHost(
            name=HOST_NAME,
            checks_login=self.accounts.checks,
            refuses=self._refuses,
            takes=self._take,
            faults=self.faults,
            requires_login=requires_login,
            tls=starttls,
        )
        self._smtp_connections: set[SmtpConnection] = set()
        self._smtp_server: asyncio.Server | None = None

    # --- running

    async def start(self) -> None:
        """Listen on both ports. PortInUse if one is taken."""
        implicit = self._tls.context if self._tls and self._tls.is_implicit else None
        loop = asyncio.get_running_loop()
        try:
            self._smtp_server = await loop.create_server(self._new_connection, self.host, self.smtp_port, ssl=implicit)
        except OSError as error:
            raise _explained(error, "SMTP", self.host, self.smtp_port) from error
        self.smtp_port = int(self._smtp_server.sockets[0].getsockname()[1])
        try:
            self.imap_port = await self._imap.start(self.host, self.imap_port, implicit_tls=implicit)
        except OSError as error:
            self._smtp_server.close()
            raise _explained(error, "IMAP", self.host, self.imap_port) from error

    async def stop(self) -> None:
        """Cut all connections; what people still had in mind does not happen."""
        if self._smtp_server is not None:
            self._smtp_server.close()
        await self.drop_connections()
        await self.people.close()
        await self._imap.stop()
        if self._smtp_server is not None:
            await self._smtp_server.wait_closed()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def drop_connections(self) -> None:
        """End every SMTP and IMAP connection, as a server that is restarted does."""
        connections = list(self._smtp_connections)
        for connection in connections:
            connection.abort()
        await asyncio.gather(*(connection.task for connection in connections if connection.task))
        await self._imap.drop_connections()

    async def settle(self) -> None:
        """Wait until everybody has done what the mails so far make them do."""
        await self.people.settle()

    def listen(self, listener: Callable[[ReceivedMail | Act], None]) -> None:
        """Be told of each mail and each act when it happens."""
        self._listeners.append(listener)

    # --- the sender's side

    def add_mailbox(self, address: str, password: str, *, copies_to_sent: bool = False) -> None:
        """A mailbox of the sender, for SMTP and IMAP. With `copies_to_sent` the server files what it takes."""
        self.accounts.add(Account(address, password, copies_to_sent=copies_to_sent))

    async def inbox(self, address: str) -> list[bytes]:
        """What a mailbox has received, oldest first."""
        return await self._imap.contents(address)

    async def folder(self, address: str, name: str) -> list[bytes]:
        """The mails in another folder: Sent, Junk, Trash."""
        return await self._imap.contents(address, name)

    async def put(self, address: str, raw: bytes, *, folder: str = INBOX, at: datetime | None = None) -> None:
        """Put a mail into a mailbox's folder, as if somebody had sent it."""
        await self._imap.append(address, raw, at=at or self._clock.now(), folder=folder)

    # --- the truth

    def mails_to(self, address: str) -> list[ReceivedMail]:
        """All mails taken for an address, in the order in which they came."""
        return [mail for mail in self.mails if mail.recipient == address.lower()]

    def tally(self, step_of: StepOf = tally.by_text) -> Tally:
        """Count now. Mails to the sender's own mailboxes are not counted."""
        mails = [mail for mail in self.mails if self.accounts.find(mail.recipient) is None]
        return tally.count(mails, self.acts, step_of=step_of, rejected_logins=self.accounts.rejected_logins)

    # --- what the servers ask

    def _new_connection(self) -> SmtpConnection:
        return SmtpConnection(self._smtp_host, self._smtp_connections)

    def _refuses(self, recipient: str) -> Refusal | None:
        if self.accounts.find(recipient) is not None:
            return None
        refusal = self.people[recipient].bounces_at_rcpt
        if refusal is not None:
            address = recipient.lower()
            self._record(
                Act(kind=ActKind.BOUNCED_AT_RCPT, recipient=address, at=self._clock.now(), note=refusal.line(address))
            )
        return refusal

    async def _take(self, submission: Submission) -> str:
        """Keep the mail, before anything can go wrong, then hand it to its recipients; the queue id."""
        now = self._clock.now()
        mails = [self._keep(submission, recipient, now) for recipient in dict.fromkeys(submission.recipients)]
        account = self.accounts.find(submission.login or "")
        if account is not None and account.copies_to_sent:
            await self._imap.append(account.address, submission.raw, at=now, folder=SENT, is_seen=True)
        for mail in mails:
            if self.accounts.find(mail.recipient) is None:
                self.people.receive(mail)
            else:
                await self._deliver(Letter(mail.recipient, mail.message_id, mail.envelope_sender, mail.raw))
        return f"{mails[0].number:08X}"

    def _keep(self, submission: Submission, recipient: str, now: datetime) -> ReceivedMail:
        mail = ReceivedMail(
            number=len(self.mails) + 1,
            at=now,
            login=submission.login,
            envelope_sender=submission.envelope_sender,
            recipient=recipient.lower(),
            raw=submission.raw,
        )
        self.mails.append(mail)
        self._tell(mail)
        return mail

    async def _deliver(self, letter: Letter) -> bool:
        """Into the INBOX of one of the sender's mailboxes, with the trace a receiving server leaves (RFC 5321 §4.4)."""
        if self.accounts.find(letter.recipient) is None:
            return False
        now = self._clock.now()
        trace = (
            f"Return-Path: <{letter.envelope_sender}>\r\nDelivered-To: {letter.recipient}\r\n"
            f"Received: by {HOST_NAME} with ESMTP\r\n\tfor <{letter.recipient}>; {format_datetime(now)}\r\n"
        )
        await self._imap.append(letter.recipient, trace.encode() + letter.raw, at=now)
        return True

    def _record(self, act: Act) -> None:
        self.acts.append(act)
        self._tell(act)

    def _tell(self, event: ReceivedMail | Act) -> None:
        for listener in self._listeners:
            try:
                listener(event)
            except Exception:  # a full disk or a closed pipe of a listener must not cost a mail
                log.exception("sandbox_listener_failed")


def _explained(error: OSError, protocol: str, host: str, port: int) -> OSError:
    if error.errno != errno.EADDRINUSE:
        return error
    return PortInUse(
        f"{protocol} port {port} on {host} is used by another program. Choose another port, or 0 for a free one."
    )
