"""A whole Outrider as its operator runs it: `outrider serve` as a process tree on a folder of its own.

    with running_installation(tmp_path, clock=Clock.starting_at(monday, speed=10_000)) as place:
        account = place.create_account("owner@ours.example")
        async with place.api(account.api_key) as api:
            await api.get("/campaigns")
        os.kill(place.children("engine")[0], signal.SIGKILL)

Without `database_url` it runs its own PostgreSQL. It is ended by SIGTERM, as an operator ends it; what it said is in
`place.log`, and part of the error when it does not start.
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import httpx
import orjson

from outrider.kit.clock import SYSTEM_CLOCK, Clock
from outrider.kit.postgres import EmbeddedPostgres

START_SECONDS = 90.0
STOP_SECONDS = 40.0
_POLL_SECONDS = 0.05
_TRIES = 3
# Not by itself: it is to end with the tests, however they end (prctl(2), Linux). Its words are those of `python -m`.
_WITH_US = """
import ctypes, runpy, sys
getattr(ctypes.CDLL(None), "prctl", lambda *_: None)(1, 15)
runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)
"""


class NotStarted(RuntimeError):
    """The installation has ended, or is not ready, and its log says why."""


@dataclass(frozen=True, slots=True)
class Account:
    """What `outrider account create --json` prints."""

    user_id: int
    email: str
    api_key: str
    password_link: str


@dataclass
class Place:
    """A running installation."""

    folder: Path
    clock: Clock
    environ: dict[str, str]
    port: int = 0
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        path = self.folder / "serve.log"
        return path.read_text("utf-8", "replace") if path.exists() else ""

    @property
    def database_url(self) -> str:
        """For looking at what was stored, and for nothing else."""
        given = self.environ.get("OUTRIDER_DATABASE_URL")
        return given or EmbeddedPostgres(Path(self.environ["OUTRIDER_DATA_DIR"])).start()

    def api(self, api_key: str, **options: Any) -> httpx.AsyncClient:
        """A client of the API like any integration's: base address and key, nothing else."""
        return httpx.AsyncClient(
            base_url=f"{self.url}/api/v1", headers={"x-api-key": api_key}, timeout=60, trust_env=False, **options
        )

    def run(self, *words: str) -> str:
        """A command of the operator on this installation; returns what it printed."""
        done = subprocess.run(  # noqa: S603 - our own program
            [sys.executable, "-m", "outrider.cli", *words],
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=START_SECONDS,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"outrider {' '.join(words)}: {done.stderr}")
        return done.stdout

    def create_account(self, email: str) -> Account:
        return Account(**orjson.loads(self.run("account", "create", "--email", email, "--json")))

    def create_key(self, email: str) -> str:
        """One more key of an account; each has a rate limit of its own."""
        return str(orjson.loads(self.run("key", "create", "--email", email, "--json"))["api_key"])

    def start(self) -> None:
        """Serve, and come back when everything is ready, the engine too."""
        for _ in range(_TRIES):
            self._serve()
            try:
                wait_until(self._is_ready, seconds=START_SECONDS, what="the installation is ready")
                break
            except NotStarted:
                if "Cannot listen" not in self.log:  # somebody else has taken the port meanwhile
                    raise
        else:
            raise NotStarted(self.log)

    def _serve(self) -> None:
        self.port = _free_port()
        self.environ["OUTRIDER_PORT"] = str(self.port)
        with (self.folder / "serve.log").open("wb") as log:
            self.process = _start(self.environ, log, "serve")

    def _is_ready(self) -> bool:
        if self.process is None or self.process.poll() is not None:
            raise NotStarted(self.log)
        if "Traceback" in self.log:  # a child that cannot start is tried again for ever
            raise NotStarted(self.log)
        with suppress(httpx.TransportError):
            return httpx.get(f"{self.url}/readyz", timeout=5, trust_env=False).is_success
        return False

    def stop(self) -> int:
        """SIGTERM; returns the exit status."""
        if self.process is None:
            return 0
        self.process.terminate()
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(STOP_SECONDS)
            raise

    def children(self, role: str) -> list[int]:
        """The processes of the tree that do this work: `web` or `engine`."""
        assert self.process
        return children_of(self.process.pid, role)

    @contextmanager
    def another_engine(self) -> Iterator[int]:
        """A tree on another machine, near enough: nothing in common but the database and the key; yields its pid."""
        environ = {**self.environ, "OUTRIDER_DATABASE_URL": self.database_url}
        with (self.folder / "engine.log").open("wb") as log:
            process = _start(environ, log, "serve", "--role", "engine")
        try:
            yield process.pid
        finally:
            process.terminate()
            process.wait(STOP_SECONDS)


@contextmanager
def running_installation(
    folder: Path,
    *,
    clock: Clock = SYSTEM_CLOCK,
    database_url: str | None = None,
    certificates: Path | None = None,
    **settings: object,
) -> Iterator[Place]:
    """An installation with these settings (by field name), from its start to its orderly end.

    `certificates`: a PEM file that this machine trusts, and nothing else.
    """
    place = Place(folder, clock, _environment(folder, clock, database_url, settings))
    if certificates is not None:
        place.environ["SSL_CERT_FILE"] = str(certificates)
    try:
        place.start()
        yield place
    finally:
        status = place.stop()
    assert status == 0, f"the installation ended with {status}:\n{place.log}"


def children_of(pid: int, role: str) -> list[int]:
    """The processes of this tree that do this work: `web` or `engine`."""
    return [child for child in _children(pid) if f"outrider.cli.{role}" in _command(child)]


def wait_until(holds: Callable[[], bool], *, seconds: float, what: str) -> None:
    """Look again and again until it holds; nobody waits longer than needed, nor for ever."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"after {seconds:.0f} s it is still not so that {what}"
        time.sleep(_POLL_SECONDS)


def _environment(
    folder: Path, clock: Clock, database_url: str | None, settings: Mapping[str, object]
) -> dict[str, str]:
    """Nothing of what is set around the tests, and what every test needs: loopback, no limit."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OUTRIDER_")}
    ours: dict[str, object] = {
        "data_dir": folder / "data",
        "clock": clock.format(),
        "rate_limit_requests": 0,
        "recipient_domain_per_minute": 0,
        "recipient_domain_per_hour": 0,
        "allow_private_networks": "true",
        "log_level": "warning",
    }
    if database_url is not None:
        ours["database_url"] = database_url
    return {**kept, **{f"OUTRIDER_{name.upper()}": str(value) for name, value in {**ours, **settings}.items()}}


def _start(environ: Mapping[str, str], log: IO[bytes], *words: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-c", _WITH_US, "outrider.cli", *words],
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _children(pid: int) -> list[int]:
    """proc_pid_task_children(5): what each thread of a process has started."""
    found: list[int] = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            found += [int(child) for child in path.read_text().split()]
    return found


def _command(pid: int) -> list[str]:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
    return []
