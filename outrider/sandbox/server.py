"""The sandbox as a program of its own, for `outrider sandbox`: addresses, a live log of mails, and a last tally.

`serve_sandbox` runs until SIGINT or SIGTERM. With `as_json` each line it writes is one JSON object, for a parent
process or a test in any language: `ready`, `mail`, `act`, and `tally` at the end.
"""

import asyncio
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import Any

import orjson

from outrider.kit.clock import SYSTEM_CLOCK, Clock
from outrider.sandbox.mails import ReceivedMail
from outrider.sandbox.people import Pace, People
from outrider.sandbox.sandbox import Sandbox
from outrider.sandbox.tally import Act, Tally, by_text, steps_by_phrase

SHARES = tuple(each.name for each in fields(People) if each.type is float)
WRITE_AT_ONCE = partial(print, flush=True)  # a parent process waits for the lines


class UnreadableOption(ValueError):
    """An option of `outrider sandbox` cannot be read; the text says what it must look like."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxOptions:
    """What `outrider sandbox` can be told. Without mailboxes everybody may submit mail without logging in.

    `pace` multiplies how long people take: 1 is as in life (minutes to hours), 0 at once.
    `steps` are phrases that tell the steps of a campaign apart, for counting duplicates.
    """

    host: str = "127.0.0.1"
    smtp_port: int = 2525
    imap_port: int = 2143
    seed: str = "0"
    mailboxes: Sequence[tuple[str, str]] = ()
    people: People = field(default_factory=People)
    pace: float = 0.01
    steps: Sequence[str] = ()
    save_to: Path | None = None
    as_json: bool = False


def read_mailbox(text: str) -> tuple[str, str]:
    """The option --mailbox: address:password."""
    address, colon, password = text.partition(":")
    if not colon or "@" not in address or not password:
        raise UnreadableOption(f"A mailbox must look like me@example.com:password, not {text!r}.")
    return address, password


def read_people(text: str) -> People:
    """The option --people: shares by name, for example open=0.6,reply=0.2; what is not named stays as it is."""
    shares: dict[str, Any] = {}
    for part in filter(None, text.replace(" ", "").split(",")):
        name, _, share = part.partition("=")
        if name not in SHARES:
            raise UnreadableOption(f"People have no {name!r}; they have {', '.join(SHARES)}.")
        try:
            shares[name] = float(share)
        except ValueError:
            raise UnreadableOption(f"{name} must be a share like 0.2, not {share!r}.") from None
    try:
        return People(**shares)
    except ValueError as error:
        raise UnreadableOption(f"{error}.") from None


async def serve_sandbox(
    options: SandboxOptions,
    *,
    clock: Clock = SYSTEM_CLOCK,
    write: Callable[[str], None] = WRITE_AT_ONCE,
    stop: asyncio.Event | None = None,
) -> Tally:
    """Run until a signal or `stop`; PortInUse if a port is taken."""
    sandbox = Sandbox(
        people=options.people,
        seed=options.seed,
        clock=clock,
        pace=Pace().times(options.pace),
        host=options.host,
        smtp_port=options.smtp_port,
        imap_port=options.imap_port,
        requires_login=bool(options.mailboxes),
    )
    for address, password in options.mailboxes:
        sandbox.add_mailbox(address, password)
    report = _Report(write, as_json=options.as_json)
    sandbox.listen(report.happened)
    if options.save_to is not None:
        sandbox.listen(_Saver(options.save_to).happened)
    stopped = stop or asyncio.Event()
    with _signals_set(stopped):
        async with sandbox:
            report.ready(sandbox)
            await stopped.wait()
            counted = sandbox.tally(steps_by_phrase(options.steps) if options.steps else by_text)
    report.tally(counted)
    return counted


@contextmanager
def _signals_set(stopped: asyncio.Event) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    signals = (signal.SIGINT, signal.SIGTERM)
    for number in signals:
        loop.add_signal_handler(number, stopped.set)
    try:
        yield
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


class _Report:
    """What is written while it runs."""

    def __init__(self, write: Callable[[str], None], *, as_json: bool) -> None:
        self._write = write
        self._as_json = as_json

    def ready(self, sandbox: Sandbox) -> None:
        if self._as_json:
            self._event("ready", host=sandbox.host, smtp_port=sandbox.smtp_port, imap_port=sandbox.imap_port)
            return
        self._write(f"SMTP  {sandbox.host}:{sandbox.smtp_port}")
        self._write(f"IMAP  {sandbox.host}:{sandbox.imap_port}")
        self._write("Ctrl-C ends it and counts.")

    def happened(self, event: ReceivedMail | Act) -> None:
        if isinstance(event, ReceivedMail):
            self._mail(event)
        else:
            self._act(event)

    def _mail(self, mail: ReceivedMail) -> None:
        if self._as_json:
            names = ("number", "at", "login", "envelope_sender", "recipient", "message_id", "subject")
            self._event("mail", **{name: getattr(mail, name) for name in names})
            return
        self._write(f"{mail.at:%H:%M:%S}  {mail.envelope_sender} -> {mail.recipient}  {mail.subject}")

    def _act(self, act: Act) -> None:
        if self._as_json:
            number = act.mail.number if act.mail else None
            self._event(
                "act",
                kind=act.kind,
                at=act.at,
                recipient=act.recipient,
                mail=number,
                is_done=act.is_done,
                note=act.note,
            )
            return
        failed = "" if act.is_done else f"  in vain: {act.note}"
        self._write(f"{act.at:%H:%M:%S}  {act.recipient} {act.kind.replace('_', ' ')}{failed}")

    def tally(self, counted: Tally) -> None:
        if self._as_json:
            self._event("tally", **counted.as_dict())
            return
        mails = counted.as_dict()["mails"]
        self._write(f"{len(counted.people)} people")
        for name, number in mails.items():
            self._write(f"{number:8,}  {name.replace('_', ' ')}")

    def _event(self, event: str, **values: Any) -> None:
        self._write(orjson.dumps({"event": event, **values}).decode())


class _Saver:
    """Writes each mail into a folder, one file a mail: <recipient>/<number>.eml."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def happened(self, event: ReceivedMail | Act) -> None:
        if not isinstance(event, ReceivedMail):
            return
        folder = self._folder / event.recipient.replace("/", "_")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{event.number:06}.eml").write_bytes(event.raw)
