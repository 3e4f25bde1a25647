"""The process tree of `outrider serve`: PostgreSQL, web processes, an engine, and this one, which looks after them.

A child that dies is started again; SIGTERM lets each finish what is in flight. Every child asks the kernel to be ended
with its parent, so nothing is left behind even by SIGKILL.
"""

import errno
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from outrider.cli.console import Failure
from outrider.kit.log import get_logger
from outrider.kit.postgres import EmbeddedPostgres

log = get_logger("serve")

_POLL_SECONDS = 0.1
_RESTART_SECONDS = 1.0
_FINISH_SECONDS = 20.0
_BACKLOG = 1024
_ADVICE = {
    errno.EADDRINUSE: "Another server is running there. Stop it, or choose another port: --port {next}",
    errno.EACCES: "Ports below 1024 belong to root. Choose another port: --port 8000",
    errno.EADDRNOTAVAIL: "This machine does not have that address. Choose another one by --host, or 0.0.0.0 for all.",
}
_OTHER_ADVICE = "Choose another address by --host."


@dataclass
class Child:
    """One process of the tree, started again whenever it ends by itself; `command`: a module here, its arguments."""

    name: str
    command: Sequence[str]
    descriptors: tuple[int, ...] = ()
    process: subprocess.Popen[bytes] | None = None
    started_at: float = field(default=0.0)

    def start(self, environ: Mapping[str, str]) -> None:
        module, *arguments = self.command
        self.started_at = time.monotonic()
        self.process = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-m", f"outrider.cli.{module}", str(os.getpid()), *arguments],
            env=dict(environ),
            pass_fds=self.descriptors,
            start_new_session=True,  # Ctrl-C is for this process alone: it ends its children in order
        )

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None


def listen(host: str, port: int) -> socket.socket:
    """The socket that all web processes share; fails with a sentence that says what to do."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        advice = _ADVICE.get(error.errno or 0, _OTHER_ADVICE).format(next=port + 1)
        raise Failure(f"Cannot listen on {host}:{port}: {error.strerror}. {advice}") from error
    listener.set_inheritable(True)
    return listener


class Tree:
    """Starts, watches and ends the processes."""

    def __init__(
        self,
        children: Sequence[Child],
        *,
        environ: Mapping[str, str],
        postgres: EmbeddedPostgres | None,
        listener: socket.socket | None = None,
    ) -> None:
        self._children = children
        self._environ = environ
        self._postgres = postgres
        self._listener = listener
        self.is_stopping = False

    def run(self, *, on_started: Callable[[], None]) -> None:
        """Run until SIGTERM or SIGINT, then end all in order."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        self.start()
        try:
            on_started()
            while not self.is_stopping:
                self.look_after()
                time.sleep(_POLL_SECONDS)
        finally:
            self.end()

    def start(self) -> None:
        for child in self._children:
            child.start(self._environ)

    def _stop(self, _number: int, _frame: object) -> None:
        self.is_stopping = True

    def look_after(self) -> None:
        """Start again what has ended by itself."""
        if self._postgres is not None and self._postgres.has_ended:
            log.warning("PostgreSQL has ended and is started again")
            self._postgres.start()
        for child in self._children:
            if not child.is_running and time.monotonic() - child.started_at > _RESTART_SECONDS:
                status = child.process.returncode if child.process else None
                log.warning("a process has ended and is started again", process=child.name, status=status)
                child.start(self._environ)

    def end(self) -> None:
        """Let every process finish what is in flight; kill those that do not."""
        if self._listener is not None:
            self._listener.close()  # with those of the children: who connects now is refused, not left waiting
        running = [child.process for child in self._children if child.process and child.is_running]
        for process in running:
            process.terminate()
        deadline = time.monotonic() + _FINISH_SECONDS
        for process in running:
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                log.warning("a process did not finish in time and is killed", pid=process.pid)
                process.kill()
                process.wait()
