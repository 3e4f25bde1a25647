"""The process tree of `outrider serve`: PostgreSQL, web processes, an engine, and this one, which looks after them.

A child that dies is started again; SIGTERM lets each finish what is in flight. Every child asks the kernel to be ended
with its parent, so nothing is left behind even by SIGKILL.
"""

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


@dataclass
class Child:
    """One process of the tree, started again whenever it ends by itself."""

    name: str
    command: Sequence[str]
    descriptors: tuple[int, ...] = ()
    process: subprocess.Popen[bytes] | None = None
    started_at: float = field(default=0.0)

    def start(self, environ: Mapping[str, str]) -> None:
        self.started_at = time.monotonic()
        self.process = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-m", "outrider.cli.child", *self.command],
            env=dict(environ),
            pass_fds=self.descriptors,
            start_new_session=True,  # Ctrl-C is for this process alone: it ends its children in order
        )

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None


def listen(host: str, port: int) -> socket.socket:
    """The socket that all web processes share; fails with a sentence if the port is in use."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise Failure(
            f"Cannot listen on {host}:{port}: {error.strerror}. Is another server running there? "
            f"Choose another port: outrider serve --port {port + 1}"
        ) from error
    listener.set_inheritable(True)
    return listener


class Tree:
    """Starts, watches and ends the processes."""

    def __init__(
        self, children: Sequence[Child], *, environ: Mapping[str, str], postgres: EmbeddedPostgres | None
    ) -> None:
        self._children = children
        self._environ = environ
        self._postgres = postgres
        self._is_stopping = False

    def run(self, *, on_started: Callable[[], None]) -> None:
        """Run until SIGTERM or SIGINT, then end all in order."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        for child in self._children:
            child.start(self._environ)
        try:
            on_started()
            while not self._is_stopping:
                self._look_after()
                time.sleep(_POLL_SECONDS)
        finally:
            self._end()

    @property
    def is_stopping(self) -> bool:
        return self._is_stopping

    def _stop(self, _number: int, _frame: object) -> None:
        self._is_stopping = True

    def _look_after(self) -> None:
        if self._postgres is not None and not self._postgres.running:
            log.warning("PostgreSQL has ended and is started again")
            self._postgres.start()
        for child in self._children:
            if not child.is_running and time.monotonic() - child.started_at > _RESTART_SECONDS:
                status = child.process.returncode if child.process else None
                log.warning("a process has ended and is started again", process=child.name, status=status)
                child.start(self._environ)

    def _end(self) -> None:
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


def child_environment(environ: Mapping[str, str], **more: str) -> dict[str, str]:
    """What children are started with: the same settings, the database that is running, nothing to guess."""
    return {**os.environ, **environ, **more}
