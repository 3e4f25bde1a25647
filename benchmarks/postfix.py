"""Postfix's test programs: `smtp-sink` takes mail and forgets it, `smtp-source` sends as fast as it can."""

import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.harness import CannotMeasure
from benchmarks.product import free_port

_SESSIONS = 20
_BACKLOG = 1000
_START_SECONDS = 10.0
_SOURCE_SECONDS = 600.0
_SOURCE_HEADER = 110  # octets of the header that smtp-source writes, which its option -l does not count
_COUNTER = re.compile(r"mesg=(\d+)")


def require() -> None:
    """Refuse, with advice, a machine without Postfix."""
    missing = [name for name in ("smtp-sink", "smtp-source") if _find(name) is None]
    if missing:
        raise CannotMeasure(f"{' and '.join(missing)} not found. They come with Postfix: apt-get install postfix")


class Sink:
    """A running smtp-sink that counts the messages it has taken."""

    def __init__(self, port: int, counter: Path) -> None:
        self.port = port
        self._counter = counter

    @property
    def count(self) -> int:
        found = _COUNTER.findall(self._counter.read_text(errors="replace")[-200:])
        return int(found[-1]) if found else 0


@contextmanager
def sink(folder: Path, *, port: int | None = None, dump_to: Path | None = None) -> Iterator[Sink]:
    """`dump_to`: keep every mail as a file there; only to learn how large they are."""
    port = port or free_port()
    counter = folder / f"sink-{time.monotonic_ns()}"
    command = [_program("smtp-sink"), "-c"]
    if os.geteuid() == 0:
        command += ["-u", "nobody"]
    if dump_to is not None:
        dump_to.mkdir(mode=0o777)
        dump_to.chmod(0o777)  # smtp-sink writes as nobody
        command += ["-d", f"{dump_to}/%H%M%S."]
    with counter.open("wb") as output:
        process = subprocess.Popen([*command, f"127.0.0.1:{port}", str(_BACKLOG)], stdout=output)  # noqa: S603
        try:
            _wait_until_listening(process, port)
            yield Sink(port, counter)
        finally:
            process.terminate()
            process.wait()


def source(target: Sink, *, count: int, size: int) -> float:
    """Send `count` mails of `size` octets on 20 connections that stay open; returns the seconds it took."""
    command = [_program("smtp-source"), "-d", "-s", str(_SESSIONS), "-m", str(count), "-l", str(size - _SOURCE_HEADER)]
    before = target.count
    started_at = time.monotonic()
    subprocess.run([*command, f"127.0.0.1:{target.port}"], check=True, timeout=_SOURCE_SECONDS)  # noqa: S603
    seconds = time.monotonic() - started_at
    if target.count - before != count:
        raise CannotMeasure(f"smtp-source sent {count} mails, the sink counted {target.count - before}.")
    return seconds


def mean_size(dumped: Path) -> int:
    """The mean size of dumped mails, without the envelope lines that smtp-sink writes on top."""
    sizes = [len(_content(path.read_bytes())) for path in dumped.iterdir()]
    if not sizes:
        raise CannotMeasure("No mail arrived at the sink.")
    return sum(sizes) // len(sizes)


def _content(raw: bytes) -> bytes:
    """Without the lines that the sink has added; lines end in LF in a dump, in CRLF on the wire."""
    lines = raw.split(b"\n")
    while lines and lines[0].startswith((b"X-", b"Received:", b"\t")):
        lines.pop(0)
    return b"\r\n".join(lines)


def _wait_until_listening(process: "subprocess.Popen[bytes]", port: int) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise CannotMeasure("smtp-sink does not start.")


def _program(name: str) -> str:
    found = _find(name)
    if found is None:
        raise CannotMeasure(f"{name} not found.")
    return found


def _find(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
