"""B9: the memory of the idle product, and of mailboxes that wait for mail.

The whole product runs (one web process, one engine); its own PostgreSQL is not counted. Memory is PSS, so what the
processes share is counted once. Each mailbox has a connection of its own, with TLS, in IDLE, to a server in another
process. A connection is an open file: the limit (`ulimit -n`) is raised to the most that this user may have, here and
so for the processes that are started; the product itself does not touch it.
"""

import resource
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import campaigning
from benchmarks.harness import CannotMeasure
from benchmarks.idle_imap import IdleServer, serving
from benchmarks.product import Api, Product, free_port
from tests.support.certificates import write_certificate

USUAL, FULL = 1_000, 2_000
_FILES_EACH = 4  # a mailbox needs one; the rest is room
_SETTLE_SECONDS = 10.0
_PATIENCE_SECONDS = 900.0
_POLL_SECONDS = 0.5
_THOUSAND = 1_000


@dataclass(frozen=True, slots=True)
class Memory:
    """Megabytes; less is better. There is no yardstick but the budget."""

    what: str
    megabytes: float
    must: float
    aim: float
    notes: tuple[str, ...] = ()

    @property
    def is_reached(self) -> bool:
        return self.megabytes <= self.must

    def as_dict(self) -> dict[str, Any]:
        return {
            "name": "B9",
            "what": self.what,
            "unit": "MB",
            "value": round(self.megabytes, 1),
            "must": self.must,
            "aim": self.aim,
            "is_reached": self.is_reached,
            "notes": list(self.notes),
        }

    def lines(self) -> list[str]:
        """As people read it."""
        verdict = "MISSED" if not self.is_reached else "aim reached" if self.megabytes <= self.aim else "must reached"
        return [
            f"B9  {self.what}",
            f"    memory     {self.megabytes:>10,.0f} MB   must {self.must:.0f}, aim {self.aim:.0f}: {verdict}",
            *(f"    {note}" for note in self.notes),
        ]


def measure(mailboxes: int) -> list[Memory]:
    """The product without mailboxes, and with so many that wait."""
    files = _raise_limit(mailboxes * _FILES_EACH)
    with tempfile.TemporaryDirectory(prefix="outrider-bench-") as name:
        folder = Path(name)
        certificate = write_certificate(folder)
        product = Product(folder / "data", {"SSL_CERT_FILE": str(certificate)})
        with serving(certificate, port=free_port()) as server, product.running():
            api = Api(product.port, product.account("bench@quaydesk.example"))
            time.sleep(_SETTLE_SECONDS)
            idle = _memory(product)
            for number in range(mailboxes):
                _add(api, number, server.port)
            _wait(server, mailboxes)
            time.sleep(_SETTLE_SECONDS)
            waiting = _memory(product)
            if server.idle_count < mailboxes:
                raise CannotMeasure(f"Only {server.idle_count} of {mailboxes} mailboxes are in IDLE.")
    grown = {kind: waiting[kind] - idle[kind] for kind in idle}
    return [
        Memory(
            what="memory of the idle web and engine processes",
            megabytes=sum(idle.values()),
            must=200,
            aim=120,
            notes=(f"PSS: {_shown(idle)}; without PostgreSQL",),
        ),
        Memory(
            what=f"memory for 1,000 mailboxes in IDLE over TLS, measured with {mailboxes:,} in one process",
            megabytes=sum(grown.values()) * _THOUSAND / mailboxes,
            must=500,
            aim=200,
            notes=(
                f"PSS with {mailboxes:,} mailboxes: {_shown(waiting)}; more than without: {_shown(grown)}",
                f"open files allowed: {files:,}",
            ),
        ),
    ]


def _raise_limit(wanted: int) -> int:
    """Of open files, for this process and all that it starts."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most < wanted:
        raise CannotMeasure(f"{wanted} open files are needed, {most} are allowed: raise the hard limit (ulimit -Hn).")
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most


def _add(api: Api, number: int, port: int) -> None:
    name = campaigning.address(number)
    body = {
        "id": None,
        "from_name": "Nora Quist",
        "from_email": name,
        "user_name": name,
        "password": campaigning.password(number),
        "smtp_host": "localhost",
        "smtp_port": port,
        "smtp_port_type": "SSL",
        "imap_host": "localhost",
        "imap_port": port,
        "imap_port_type": "SSL",
        "max_email_per_day": 10,
    }
    api.call("POST", "/email-accounts/save", body)


def _wait(server: IdleServer, mailboxes: int) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while server.idle_count < mailboxes:
        if time.monotonic() > deadline:
            raise CannotMeasure(f"Only {server.idle_count} of {mailboxes} mailboxes are in IDLE.")
        time.sleep(_POLL_SECONDS)


def _memory(product: Product) -> dict[str, float]:
    """Megabytes of PSS by kind of process; those of PostgreSQL are left out."""
    found = {"parent": 0.0, "web": 0.0, "engine": 0.0}
    for pid in product.process_ids():
        folder = Path("/proc") / str(pid)
        command = (folder / "cmdline").read_bytes()
        if b"outrider.cli" not in command:
            continue
        kind = next((kind for kind in ("web", "engine") if b"outrider.cli." + kind.encode() in command), "parent")
        found[kind] += _pss(folder)
    return found


def _pss(folder: Path) -> float:
    lines = (folder / "smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:"))


def _shown(megabytes: dict[str, float]) -> str:
    return ", ".join(f"{kind} {value:.0f} MB" for kind, value in megabytes.items())
