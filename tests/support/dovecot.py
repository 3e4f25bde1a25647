"""A real Dovecot on loopback for tests: its own folder and ports, any users, maildir, plain, STARTTLS and TLS.

    def test_something(dovecot: StartDovecot) -> None:
        server = dovecot({"jo@send.example": "secret"})
        server.deliver("jo@send.example", b"Subject: hi\r\n\r\nhello\r\n")

The fixture is made known by a `conftest.py`; `running_dovecot` is the same for fixtures of other scopes.
Skipped only where the binary is missing (Debian: dovecot-imapd); `.ci/run` installs it.
"""

import contextlib
import grp
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from outrider.mail.server import Server, TlsMode

BINARY = shutil.which("dovecot", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
START_SECONDS = 20.0
# Dovecot lets no mail be read as root.
MAIL_UID, MAIL_GID = (os.geteuid(), os.getegid()) if os.geteuid() else (65534, 65534)

FOLDERS = """
namespace inbox {
  inbox = yes
  mailbox Sent {
    auto = subscribe
    special_use = \\Sent
  }
  mailbox Junk {
    auto = subscribe
    special_use = \\Junk
  }
}
"""
# Without root Dovecot can change neither its user nor its root directory.
_AS_PLAIN_USER = """
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
service anvil {{
  chroot =
}}
service imap-login {{
  chroot =
}}
"""


@dataclass(slots=True)
class Dovecot:
    """A running server. `port` speaks plain text and STARTTLS, `tls_port` TLS from the first byte."""

    directory: Path
    port: int
    tls_port: int
    password: dict[str, str]
    host: str = "127.0.0.1"
    process: "subprocess.Popen[bytes] | None" = None
    delivered: int = field(default=0)

    @property
    def certificate(self) -> Path:
        """What a client has to trust."""
        return self.directory / "certificate.pem"

    def server(self, user: str, tls: TlsMode = TlsMode.NONE) -> Server:
        """How a mailbox would describe it."""
        port = self.tls_port if tls is TlsMode.IMPLICIT else self.port
        return Server(self.host, port, tls, username=user, password=self.password[user])

    def deliver(self, user: str, raw: bytes, *, folder: str = "INBOX") -> None:
        """Put a mail into a folder as a delivery agent does: written aside, then moved in."""
        self.delivered += 1
        maildir = self._maildir(user, folder)
        name = f"{time.time_ns()}.{os.getpid()}_{self.delivered}.test"
        (maildir / "tmp" / name).write_bytes(raw)
        os.chown(maildir / "tmp" / name, MAIL_UID, MAIL_GID)
        (maildir / "tmp" / name).rename(maildir / "new" / name)

    def start(self) -> None:
        assert BINARY
        config = self.directory / "dovecot.conf"
        self.process = subprocess.Popen([BINARY, "-F", "-c", str(config)], stderr=subprocess.DEVNULL)  # noqa: S603 - our own words
        deadline = time.monotonic() + START_SECONDS
        while not all(map(answers, (self.port, self.tls_port))):
            if self.process.poll() is not None or time.monotonic() > deadline:
                log = self.directory / "log"
                raise RuntimeError(f"Dovecot did not start: {log.read_text() if log.exists() else 'no log'}")
            time.sleep(0.05)

    def kill(self) -> None:
        """All of its processes at once, without a word to the clients. An orderly end takes seconds."""
        if self.process is None or self.process.poll() is not None:
            return
        children = _descendants(self.process.pid)
        for pid in (self.process.pid, *children):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(timeout=START_SECONDS)

    def _maildir(self, user: str, folder: str) -> Path:
        home = self.directory / "mail" / user
        maildir = home if folder == "INBOX" else home / f".{folder}"
        for path in (home, maildir, *(maildir / part for part in ("tmp", "new", "cur"))):
            path.mkdir(exist_ok=True)
            os.chown(path, MAIL_UID, MAIL_GID)
        return maildir


StartDovecot = Callable[..., Dovecot]


@pytest.fixture
def dovecot() -> Iterator[StartDovecot]:
    """Starts a server for users (address → password), as often as a test likes."""
    with contextlib.ExitStack() as stack:

        def start(users: Mapping[str, str], **options: str) -> Dovecot:
            return stack.enter_context(running_dovecot(users, **options))

        yield start


@contextlib.contextmanager
def running_dovecot(users: Mapping[str, str], *, settings: str = "", folders: str = FOLDERS) -> Iterator[Dovecot]:
    """A server for users (address → password); `settings` are more lines of its configuration."""
    if BINARY is None:
        pytest.skip("Dovecot is not installed (Debian: apt-get install dovecot-imapd)")
    server = _prepare(users, settings + folders)
    try:
        server.start()
        yield server
    finally:
        server.kill()
        shutil.rmtree(server.directory, ignore_errors=True)


def _prepare(users: Mapping[str, str], settings: str) -> Dovecot:
    # Sockets have short names only, so the folder is not pytest's.
    directory = Path(tempfile.mkdtemp(prefix="dovecot-"))
    directory.chmod(0o755)  # its log-in process runs as somebody else
    port, tls_port = free_ports(2)
    _make_certificate(directory)
    (directory / "mail").mkdir()
    os.chown(directory / "mail", MAIL_UID, MAIL_GID)
    (directory / "users").write_text("".join(f"{user}:{{PLAIN}}{password}\n" for user, password in users.items()))
    (directory / "users").chmod(0o644)
    (directory / "dovecot.conf").write_text(_configuration(directory, port, tls_port) + settings)
    return Dovecot(directory, port, tls_port, dict(users))


def _configuration(directory: Path, port: int, tls_port: int) -> str:
    as_plain_user = "" if os.geteuid() == 0 else _AS_PLAIN_USER.format(user=_name(), group=_group())
    return f"""
base_dir = {directory}/run
state_dir = {directory}/state
log_path = {directory}/log
protocols = imap
listen = 127.0.0.1
ssl = yes
ssl_cert = <{directory}/certificate.pem
ssl_key = <{directory}/key.pem
disable_plaintext_auth = no
auth_mechanisms = plain login
first_valid_uid = 1
first_valid_gid = 1
mail_location = maildir:{directory}/mail/%u
mailbox_idle_check_interval = 1 secs
service imap-login {{
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
    ssl = yes
  }}
}}
passdb {{
  driver = passwd-file
  args = username_format=%u {directory}/users
}}
userdb {{
  driver = static
  args = uid={MAIL_UID} gid={MAIL_GID} home={directory}/mail/%u
}}
{as_plain_user}
"""


def _make_certificate(directory: Path) -> None:
    """For 127.0.0.1 and localhost, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=2))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (directory / "certificate.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (directory / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for listener in sockets:
            listener.bind(("127.0.0.1", 0))
        return [listener.getsockname()[1] for listener in sockets]


def answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _descendants(pid: int) -> list[int]:
    """Dovecot forks its services from the master process."""
    found: list[int] = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parent = int(status.read_text().rpartition(")")[2].split()[1])
            if parent == pid:
                found.append(int(status.parent.name))
    return found


def _name() -> str:
    return pwd.getpwuid(os.geteuid()).pw_name


def _group() -> str:
    return grp.getgrgid(os.getegid()).gr_name
