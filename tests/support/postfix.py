"""A real Postfix on loopback for tests: its own configuration, queue and ports, in front of a Dovecot's mailboxes.

    with running_dovecot(users, settings=auth_listener(port)) as dovecot:
        with running_postfix(dovecot, auth_port=port) as postfix:
            ...  # log in to postfix.submission_port; mail to users lies in their maildirs, other mail bounces

One port takes mail from people who log in (STARTTLS, SASL by Dovecot), the other, as port 25, from anybody on this
machine. Addresses in `refused` are refused in answer to RCPT; unknown users only after the mail was taken, by a report,
and so are those in `full`, who have no more room.
Skipped where it is not installed (Debian: postfix) or cannot run: its master needs root.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.dovecot import MAIL_GID, MAIL_UID, Dovecot, answers, free_ports

BINARY = shutil.which("postfix", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
START_SECONDS = 60.0

_MAIN = """
compatibility_level = 3.6
queue_directory = {directory}/queue
data_directory = {directory}/data
maillog_file = {directory}/log
maillog_file_prefixes = {directory}
myhostname = mx.{domain}
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
biff = no
alias_maps =
local_recipient_maps =
default_transport = error:5.4.4 nothing leaves this machine
transport_maps = texthash:{directory}/full
virtual_transport = virtual
virtual_mailbox_domains = {domains}
virtual_mailbox_maps = texthash:{directory}/users
virtual_mailbox_base = {mail}
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_minimum_uid = 1
smtpd_reject_unlisted_recipient = no
smtpd_recipient_restrictions = check_recipient_access texthash:{directory}/refused
smtpd_relay_restrictions = permit_sasl_authenticated permit_mynetworks reject
smtpd_sasl_type = dovecot
smtpd_sasl_path = inet:127.0.0.1:{auth_port}
smtpd_tls_cert_file = {certificate}
smtpd_tls_key_file = {key}
smtpd_peername_lookup = no
smtp_dns_support_level = disabled
bounce_queue_lifetime = 0
"""
_MASTER = """
127.0.0.1:{relay_port} inet n - n - - smtpd
127.0.0.1:{submission_port} inet n - n - - smtpd
  -o smtpd_tls_security_level=encrypt
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


@dataclass(slots=True)
class Postfix:
    """A running server."""

    directory: Path
    submission_port: int
    relay_port: int

    @property
    def log(self) -> str:
        path = self.directory / "log"
        return path.read_text("utf-8", "replace") if path.exists() else ""

    def start(self) -> None:
        assert BINARY
        done = subprocess.run(  # noqa: S603 - our own words
            [BINARY, "-c", str(self.directory / "conf"), "start"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=START_SECONDS,
            check=False,
        )
        deadline = time.monotonic() + START_SECONDS
        while done.returncode or not (answers(self.submission_port) and answers(self.relay_port)):
            if done.returncode or time.monotonic() > deadline:
                raise RuntimeError(f"Postfix did not start: {done.stderr}{self.log}")
            time.sleep(0.05)

    def stop(self) -> None:
        """The master ends all others. It left its parent, so there is only its pid to go by."""
        try:
            pid = int((self.directory / "queue" / "pid" / "master.pid").read_text())
        except FileNotFoundError:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
            deadline = time.monotonic() + START_SECONDS
            while _runs(pid) and time.monotonic() < deadline:
                time.sleep(0.02)
            os.kill(pid, signal.SIGKILL)


def _runs(pid: int) -> bool:
    """Not gone, and not waiting for a parent that does not ask."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def auth_listener(port: int) -> str:
    """What a Dovecot needs to know to check log-ins for a Postfix."""
    return f"""
service auth {{
  inet_listener {{
    address = 127.0.0.1
    port = {port}
  }}
}}
"""


@contextlib.contextmanager
def running_postfix(
    dovecot: Dovecot, *, auth_port: int, refused: Collection[str] = (), full: Collection[str] = ()
) -> Iterator[Postfix]:
    """Delivers to the users of this Dovecot, which checks the log-ins too."""
    if BINARY is None:
        pytest.skip("Postfix is not installed (Debian: apt-get install postfix)")
    if os.geteuid() != 0:
        pytest.skip("Postfix can only be started by root")
    server = _prepare(dovecot, auth_port, refused, full)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(server.directory, ignore_errors=True)


def _prepare(dovecot: Dovecot, auth_port: int, refused: Collection[str], full: Collection[str]) -> Postfix:
    directory = Path(tempfile.mkdtemp(prefix="postfix-"))
    directory.chmod(0o755)
    for name in ("conf", "queue", "data"):
        (directory / name).mkdir()
    shutil.chown(directory / "data", "postfix")
    users = list(dovecot.password)
    domains = sorted({user.partition("@")[2] for user in users})
    submission_port, relay_port = free_ports(2)
    (directory / "users").write_text("".join(f"{user} {user}/\n" for user in users))
    (directory / "refused").write_text("".join(f"{address} 550 5.1.1 No such user here\n" for address in refused))
    (directory / "full").write_text("".join(f"{address} error:5.2.2 mailbox full\n" for address in full))
    (directory / "conf" / "main.cf").write_text(
        _MAIN.format(
            directory=directory,
            domain=domains[0],
            domains=" ".join(domains),
            mail=dovecot.directory / "mail",
            uid=MAIL_UID,
            gid=MAIL_GID,
            auth_port=auth_port,
            certificate=dovecot.certificate,
            key=dovecot.directory / "key.pem",
        )
    )
    master = _MASTER.format(submission_port=submission_port, relay_port=relay_port)
    (directory / "conf" / "master.cf").write_text(master)
    return Postfix(directory, submission_port, relay_port)
