"""The product as an operator starts it: `outrider serve` on an empty folder, talked to over HTTP, ended by its pid."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Self

import psycopg

from benchmarks.harness import CannotMeasure
from outrider.kit.postgres import connect_url

_READY_SECONDS = 60.0
_STOP_SECONDS = 30.0
_POLL_SECONDS = 0.05


class Product:
    """An installation in a folder of its own. Settings are the defaults but for those named here."""

    def __init__(self, folder: Path, settings: Mapping[str, str]) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        kept = {name: value for name, value in os.environ.items() if not name.startswith("OUTRIDER_")}
        self._environment = {
            **kept,
            "OUTRIDER_DATA_DIR": str(folder),
            "OUTRIDER_PORT": str(self.port),
            "OUTRIDER_RATE_LIMIT_REQUESTS": "0",
            "OUTRIDER_RECIPIENT_DOMAIN_PER_MINUTE": "0",  # the list of a month goes out in a minute here
            "OUTRIDER_RECIPIENT_DOMAIN_PER_HOUR": "0",
            "OUTRIDER_VERIFY_ON_SAVE": "false",
            "OUTRIDER_LOG_LEVEL": "warning",
            **settings,
        }

    @contextmanager
    def running(self) -> Iterator[Self]:
        """Start it, wait until it is ready, and stop it at the end."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "outrider.cli", "serve"], env=self._environment, stdout=subprocess.DEVNULL
        )
        try:
            self._wait_until_ready()
            yield self
        finally:
            self._process.terminate()
            try:
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def account(self, email: str) -> str:
        """Make an account; returns its API key."""
        command = [sys.executable, "-m", "outrider.cli", "account", "create", "--email", email, "--json"]
        done = subprocess.run(command, env=self._environment, capture_output=True, check=True)  # noqa: S603
        return str(json.loads(done.stdout)["api_key"])

    @property
    def url(self) -> str:
        """Its database, as the role that the product uses."""
        url = connect_url(self._folder)
        if url is None:
            raise CannotMeasure("The product's database does not run.")
        return url

    def database(self) -> psycopg.Connection[Any]:
        """A connection to its database."""
        return psycopg.connect(self.url, autocommit=True)

    def process_ids(self) -> list[int]:
        """Its parent process and everything below that, PostgreSQL too."""
        parents: dict[int, int] = {}
        for status in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):
                parents[int(status.parent.name)] = int(status.read_text().rpartition(")")[2].split()[1])
        found = [self._process.pid] if self._process else []
        for pid in found:
            found += [child for child, parent in parents.items() if parent == pid]
        return found

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + _READY_SECONDS
        while time.monotonic() < deadline:
            if self._process and self._process.poll() is not None:
                break
            if self._is_ready():
                return
            time.sleep(_POLL_SECONDS)
        raise CannotMeasure("outrider serve does not become ready; see its messages above.")

    def _is_ready(self) -> bool:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()


class Api:
    """One connection with one key. Bodies may be ready bytes, so that making them is not measured."""

    def __init__(self, port: int, key: str) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=600)
        self.key = key

    def call(self, method: str, path: str, body: Any = None, *, content_type: str = "application/json") -> Any:
        octets = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        headers = {"x-api-key": self.key, "content-type": content_type}
        self._connection.request(method, f"/api/v1{path}", octets, headers)
        answer = self._connection.getresponse()
        content = answer.read()
        if answer.status != 200:
            raise CannotMeasure(f"{method} {path}: {answer.status} {content[:500].decode()}")
        return json.loads(content)

    def import_leads(self, campaign_id: int, csv: bytes) -> int:
        """Upload a CSV file and wait until it is imported; returns how many leads were added."""
        path = f"/campaigns/{campaign_id}/leads/import"
        started = self.call("POST", path, csv, content_type="text/csv")
        while True:
            progress = self.call("GET", f"{path}/{started['import_id']}?limit=1")
            if progress["status"] == "FAILED":
                raise CannotMeasure(f"The import failed: {progress['error']}")
            if progress["status"] == "COMPLETED":
                return int(progress["added_count"])
            time.sleep(_POLL_SECONDS)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
