"""`outrider serve` as its operator knows it: a real process tree, with its own PostgreSQL, ended by signals."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from tests.support.database import make_database, make_template
from tests.support.installation import Place, running_installation, wait_until

SECONDS = 60.0
SERVE = (sys.executable, "-m", "outrider.cli", "serve")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """An installation that runs all the time."""
    with running_installation(tmp_path_factory.mktemp("running"), log_level="info") as place:
        yield place


@pytest.fixture(scope="module")
def used_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data of an installation that was started once."""
    folder = tmp_path_factory.mktemp("used")
    with running_installation(folder):
        pass
    return folder


@pytest.fixture
def started_again(used_folder: Path) -> Iterator[Place]:
    """For tests that end it."""
    with running_installation(used_folder, log_level="info") as place:
        yield place


def environment(**settings: object) -> dict[str, str]:
    """Nothing of what is set around the tests."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OUTRIDER_")}
    return {**kept, **{f"OUTRIDER_{name.upper()}": str(value) for name, value in settings.items()}}


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def tree(pid: int) -> set[int]:
    """A process and everything below it."""
    children: set[int] = set()
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            children |= {int(child) for child in path.read_text().split()}
    return {pid}.union(*(tree(child) for child in children))


def command(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    return ""


def is_alive(pid: int) -> bool:
    """Neither gone nor waiting for somebody to take note."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def pid_of(place: Place) -> int:
    assert place.process is not None
    return place.process.pid


def get(place: Place, path: str) -> httpx.Response:
    return httpx.get(f"{place.url}{path}", timeout=10, trust_env=False)


def is_well(place: Place) -> bool:
    with suppress(httpx.TransportError):
        return get(place, "/readyz").is_success
    return False


# --- while it runs


def test_it_says_where_it_runs_and_that_there_is_no_account(place: Place) -> None:
    wait_until(lambda: "Ctrl-C stops it" in place.log, seconds=SECONDS, what="it has greeted")
    assert f"Outrider runs at {place.url} (API: {place.url}/docs). Ctrl-C stops it." in place.log
    assert "outrider account create --email" in place.log


def test_commands_work_beside_it(place: Place) -> None:
    account = place.create_account("ann@ours.example")
    answer = httpx.get(f"{place.url}/api/v1/campaigns", params={"api_key": account.api_key}, trust_env=False)
    assert answer.json() == []
    assert account.password_link.startswith(f"{place.url}/app/set-password/")
    assert is_well(place)


@pytest.mark.parametrize("role", ["web", "engine", "postgres"])
def test_a_process_that_is_killed_is_started_again(place: Place, role: str) -> None:
    name = "bin/postgres -D" if role == "postgres" else f"outrider.cli.{role}"
    said_before = len(place.log)
    [victim] = [pid for pid in tree(pid_of(place)) if name in command(pid)]
    os.kill(victim, signal.SIGKILL)

    def is_replaced() -> bool:
        found = [pid for pid in tree(pid_of(place)) if name in command(pid) and pid != victim and is_alive(pid)]
        return bool(found) and is_well(place)

    wait_until(is_replaced, seconds=SECONDS, what=f"another {role} runs and all is well")
    assert "has ended and is started again" in place.log[said_before:]


# --- its end


def test_a_second_start_answers_and_leaves_nothing_behind(started_again: Place) -> None:
    assert get(started_again, "/healthz").json()["ok"] is True
    checks = get(started_again, "/readyz").json()["checks"]
    assert checks == {"database": "ok", "migrations": "ok", "engine": "ok"}
    processes = tree(pid_of(started_again))
    commands = [command(pid) for pid in processes]
    for part in ("outrider.cli serve", "outrider.cli.web", "outrider.cli.engine", "bin/postgres -D"):
        assert any(part in each for each in commands), part
    assert started_again.stop() == 0
    assert not [command(pid) for pid in processes if is_alive(pid)]
    assert "Traceback" not in started_again.log


def test_ctrl_c_ends_it_in_order_too(started_again: Place) -> None:
    processes = tree(pid_of(started_again))
    os.kill(pid_of(started_again), signal.SIGINT)
    assert started_again.process is not None
    assert started_again.process.wait(SECONDS) == 0
    assert not [command(pid) for pid in processes if is_alive(pid)]


def test_nothing_outlives_it_when_it_is_killed(started_again: Place) -> None:
    """A lost parent must not leave behind an engine that sends or a server that keeps the port."""
    processes = tree(pid_of(started_again))
    os.kill(pid_of(started_again), signal.SIGKILL)
    assert started_again.process is not None
    assert started_again.process.wait(SECONDS) == -signal.SIGKILL
    wait_until(
        lambda: not any(is_alive(pid) for pid in processes), seconds=SECONDS, what="all its processes have ended"
    )
    started_again.start()  # nothing has to be repaired by hand
    assert is_well(started_again)


# --- many machines


@contextmanager
def serving(role: str, database_url: str, folder: Path, port: int) -> Iterator[None]:
    """One machine of several, on the database that they share."""
    environ = environment(database_url=database_url, data_dir=folder, secret_key="a-key-only-for-tests", port=port)
    with (folder / f"{role}.log").open("wb") as log:
        command = [*SERVE, "--role", role]
        process = subprocess.Popen(command, env=environ, stdout=log, stderr=log)  # noqa: S603 - our own program
    try:
        yield
    finally:
        process.terminate()
        status = process.wait(SECONDS)
    assert status == 0, (folder / f"{role}.log").read_text()


async def test_web_and_engine_run_apart(server_url: str, worker_id: str, tmp_path: Path) -> None:
    url = make_database(server_url, f"apart_{worker_id}", await make_template(server_url))
    port = unused_port()

    def checks() -> dict[str, str]:
        with suppress(httpx.TransportError):
            return dict(httpx.get(f"http://127.0.0.1:{port}/readyz", trust_env=False).json()["checks"])
        return {}

    with serving("web", url, tmp_path, port):
        wait_until(lambda: bool(checks()), seconds=SECONDS, what="the web machine answers")
        assert checks() == {"database": "ok", "migrations": "ok", "engine": "no engine has been started"}
        with serving("engine", url, tmp_path, port):
            wait_until(lambda: checks().get("engine") == "ok", seconds=SECONDS, what="the engine machine works")


# --- what cannot be started


def refused(*options: str, **settings: object) -> str:
    """What is said on standard error, when nothing else is said."""
    done = subprocess.run(  # noqa: S603 - our own program
        [*SERVE, *options],
        env=environment(**settings),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "Traceback" not in done.stderr
    return done.stderr


def test_a_port_in_use_is_said(database_url: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        said = refused("--port", str(port), database_url=database_url, data_dir=tmp_path)
    assert f"Cannot listen on 127.0.0.1:{port}: Address already in use. Another server is running there." in said
    assert f"choose another port: --port {port + 1}" in said


def test_an_address_of_another_machine_is_said(database_url: str, tmp_path: Path) -> None:
    said = refused("--host", "192.0.2.1", database_url=database_url, data_dir=tmp_path)
    assert "This machine does not have that address." in said
    assert "--host" in said


def test_a_bad_option_is_said_like_a_bad_setting(database_url: str, tmp_path: Path) -> None:
    said = refused("--port", "0", database_url=database_url, data_dir=tmp_path)
    assert "OUTRIDER_PORT must be a whole number from 1 to 65535" in said


def test_another_secret_key_is_said_before_anything_is_served(used_folder: Path) -> None:
    said = refused("--port", str(unused_port()), data_dir=used_folder / "data", secret_key="a-key-that-was-never-used")
    assert "another secret key" in said
    assert "OUTRIDER_SECRET_KEY" in said
