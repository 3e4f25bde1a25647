"""Our own PostgreSQL starts, stops, survives kills, keeps others out and explains what it cannot do."""
# ruff: noqa: S603, S607 - the programs started here are ours or the system's

import asyncio
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

import psycopg
import pytest

from outrider.kit.db import describe_failure
from outrider.kit.postgres import EmbeddedPostgres, EmbeddedPostgresError, connect_url, program

FAST = {"fsync": "off", "shared_buffers": "16MB"}
HOLD = """
import sys, time
from pathlib import Path
from outrider.kit.postgres import EmbeddedPostgres
print(EmbeddedPostgres(Path(sys.argv[1])).start(), flush=True)
time.sleep(600)
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A DATA_DIR whose cluster has been made; tests leave no server running on it."""
    data_dir = tmp_path_factory.mktemp("made")
    postgres = EmbeddedPostgres(data_dir, settings=FAST)
    postgres.start()
    postgres.stop()
    return data_dir


@pytest.fixture
def postgres(made: Path) -> Iterator[EmbeddedPostgres]:
    postgres = EmbeddedPostgres(made, settings=FAST)
    postgres.start()
    yield postgres
    postgres.stop()


def ask(url: str, sql: str) -> object:
    with psycopg.connect(url, autocommit=True) as db:
        row = db.execute(sql.encode()).fetchone()
        return row[0] if row else None


def run(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as db:
        for statement in statements:
            db.execute(statement.encode())


def postmaster(data_dir: Path) -> int:
    return int((data_dir / "postgres/cluster/postmaster.pid").read_text().split()[0])


def wait_for(condition: Callable[[], bool]) -> None:
    for _ in range(500):
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError("it did not happen")


def test_the_database_is_ready_for_the_product(postgres: EmbeddedPostgres) -> None:
    assert postgres.running
    with psycopg.connect(postgres.url) as db:
        db.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
        assert db.execute("SELECT lower('ÄÖ'), similarity('Straße', 'straße')").fetchone() == ("äö", 1.0)
        assert db.execute(
            "SELECT current_database(), usesuper FROM pg_user WHERE usename = current_user"
        ).fetchone() == (
            "outrider",
            False,
        )
        db.rollback()


def test_nobody_else_can_reach_it(postgres: EmbeddedPostgres, made: Path) -> None:
    folder = made / "postgres"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "cluster").stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / ".s.PGSQL.5432").stat().st_mode) == 0o700
    assert folder.stat().st_uid == os.getuid()
    assert ask(postgres.superuser_url, "SHOW listen_addresses") == ""


def test_root_without_other_users_uses_a_user_namespace(tmp_path: Path) -> None:
    """Inside `unshare --map-root-user` there is no `nobody` to become; as in some containers."""
    command = ["unshare", "--user", "--map-root-user", sys.executable, "-c", HOLD, str(tmp_path)]
    possible = subprocess.run([*command[:3], "true"], capture_output=True, check=False)
    if possible.returncode != 0:
        pytest.skip("user namespaces are not allowed here")
    with subprocess.Popen(command, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline().startswith(b"postgresql://")
        number = postmaster(tmp_path)
        holder.kill()
    wait_for(lambda: not Path(f"/proc/{number}").exists())


def test_closed_folders_above_it_stay_closed(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    postgres = EmbeddedPostgres(closed / "new" / "data", settings=FAST)
    postgres.start()
    postgres.stop()
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700
    assert stat.S_IMODE((closed / "new" / "data").stat().st_mode) == 0o700


def test_what_was_stored_is_there_after_a_stop(postgres: EmbeddedPostgres, made: Path) -> None:
    run(postgres.url, "CREATE TABLE IF NOT EXISTS kept (x int)", "INSERT INTO kept VALUES (1)")
    postgres.stop()
    assert not postgres.running
    assert not (made / "postgres/cluster/postmaster.pid").exists()
    assert connect_url(made) is None
    assert ask(postgres.start(), "SELECT count(*) > 0 FROM kept") is True


def test_starting_twice_is_starting_once(postgres: EmbeddedPostgres, made: Path) -> None:
    number = postmaster(made)
    assert postgres.start() == postgres.url
    assert postmaster(made) == number


def test_a_second_process_connects_and_does_not_stop_it(postgres: EmbeddedPostgres, made: Path) -> None:
    second = EmbeddedPostgres(made)
    assert second.start() == postgres.url == connect_url(made)
    second.stop()
    assert postgres.running
    assert second.running


def test_after_a_kill_it_starts_again_with_what_was_committed(postgres: EmbeddedPostgres, made: Path) -> None:
    run(postgres.url, "CREATE TABLE IF NOT EXISTS killed (x int)", "INSERT INTO killed VALUES (1)")
    os.kill(postmaster(made), signal.SIGKILL)
    wait_for(lambda: not postgres.running)
    assert ask(postgres.start(), "SELECT count(*) > 0 FROM killed") is True


def test_a_kill_while_clients_are_connected_is_survived(postgres: EmbeddedPostgres, made: Path) -> None:
    with psycopg.connect(postgres.url, autocommit=True) as db:
        db.execute("SELECT 1")
        os.kill(postmaster(made), signal.SIGKILL)
        assert ask(postgres.start(), "SELECT 1") == 1


def test_it_goes_cleanly_when_its_process_is_killed(made: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD, str(made)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline().startswith(b"postgresql://")
        number = postmaster(made)
        assert connect_url(made) is not None
        holder.kill()
    wait_for(lambda: not Path(f"/proc/{number}").exists())
    assert not (made / "postgres/cluster/postmaster.pid").exists()
    assert connect_url(made) is None


def test_interrupting_the_terminal_does_not_stop_it(postgres: EmbeddedPostgres, made: Path) -> None:
    assert postgres.running
    assert os.getsid(postmaster(made)) != os.getsid(0)


@pytest.mark.parametrize("number", [os.getpid(), os.getppid(), 4_000_000], ids=["ours", "parent", "nobody's"])
def test_a_stale_pid_file_is_no_obstacle(made: Path, number: int) -> None:
    cluster = made / "postgres/cluster"
    owner = cluster.stat()
    stale = cluster / "postmaster.pid"
    stale.write_text(f"{number}\n{cluster}\n1700000000\n5432\n{made / 'postgres'}\n\n  123 456\nready   \n")
    os.chown(stale, owner.st_uid, owner.st_gid)
    postgres = EmbeddedPostgres(made, settings=FAST)
    try:
        assert ask(postgres.start(), "SELECT 1") == 1
    finally:
        postgres.stop()


def test_a_socket_file_without_a_server_is_no_obstacle(made: Path) -> None:
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(made / "postgres/.s.PGSQL.5432"))
    dead.close()
    postgres = EmbeddedPostgres(made, settings=FAST)
    try:
        assert ask(postgres.start(), "SELECT 1") == 1
    finally:
        postgres.stop()


def test_a_long_path_puts_the_socket_elsewhere(made: Path, tmp_path: Path) -> None:
    data_dir = tmp_path / ("x" * 120)
    shutil.copytree(made, data_dir)
    postgres = EmbeddedPostgres(data_dir, settings=FAST)
    postgres.start()
    try:
        host = Path(str(psycopg.conninfo.conninfo_to_dict(postgres.url)["host"]))
        assert not host.is_relative_to(tmp_path)
        assert stat.S_IMODE(host.stat().st_mode) == 0o700
        assert connect_url(data_dir) == postgres.url
        assert ask(postgres.url, "SELECT 1") == 1
    finally:
        postgres.stop()
    assert not host.exists()


def test_a_set_up_that_was_interrupted_begins_anew(tmp_path: Path) -> None:
    unfinished = tmp_path / "postgres" / "cluster.unfinished"
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("18\n")
    postgres = EmbeddedPostgres(tmp_path, settings=FAST)
    try:
        assert ask(postgres.start(), "SELECT 1") == 1
    finally:
        postgres.stop()
    assert not unfinished.exists()


def test_data_of_another_version_is_refused_with_advice(made: Path, tmp_path: Path) -> None:
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    (tmp_path / "postgres/cluster/PG_VERSION").write_text("12\n")
    with pytest.raises(EmbeddedPostgresError, match=r"another version of PostgreSQL\. Restore a backup"):
        EmbeddedPostgres(tmp_path, settings=FAST).start()


def test_a_folder_that_cannot_be_made_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EmbeddedPostgresError, match="OUTRIDER_DATA_DIR"):
        EmbeddedPostgres(tmp_path / "file").start()


def test_it_is_started_from_the_main_thread_only(tmp_path: Path) -> None:
    raised: list[BaseException] = []

    def start() -> None:
        try:
            EmbeddedPostgres(tmp_path).start()
        except RuntimeError as error:
            raised.append(error)

    thread = Thread(target=start)
    thread.start()
    thread.join()
    assert "main thread" in str(raised[0])


def test_its_programs_are_at_hand() -> None:
    shown = subprocess.run([program("pg_dump"), "--version"], capture_output=True, check=True)
    assert shown.stdout.startswith(b"pg_dump (PostgreSQL) 18")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """A file system of a given size; only root can make one."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def mount(size: str) -> Path:
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "tmpfs", folder], capture_output=True, check=False
        )
        if done.returncode != 0:
            pytest.skip("a small file system cannot be mounted here")
        return folder

    yield mount
    subprocess.run(["umount", "--lazy", folder], capture_output=True, check=False)


def test_a_disk_too_small_for_the_first_start_is_explained(small_disk: Callable[[str], Path]) -> None:
    folder = small_disk("8m")
    with pytest.raises(EmbeddedPostgresError, match=r"The disk is full\. Free some space"):
        EmbeddedPostgres(folder, settings=FAST).start()


def test_a_disk_that_fills_up_is_explained_and_nothing_stored_is_lost(
    made: Path, small_disk: Callable[[str], Path]
) -> None:
    folder = small_disk("96m")
    shutil.copytree(made / "postgres", folder / "postgres")
    postgres = EmbeddedPostgres(folder, settings={**FAST, "fsync": "on"})
    postgres.start()
    try:
        run(postgres.url, "CREATE TABLE big AS SELECT 1 AS x")
        with pytest.raises(psycopg.Error) as raised:
            run(postgres.url, "INSERT INTO big SELECT generate_series(1, 5000000)")
        assert "The disk of the database is full. Free some space" in describe_failure(raised.value)
        assert ask(postgres.start(), "SELECT count(*) FROM big") == 1
    finally:
        postgres.stop()


def test_a_server_that_is_starting_is_waited_for_by_a_second_process(made: Path) -> None:
    async def both() -> list[bytes]:
        command = [sys.executable, "-c", HOLD, str(made)]
        pair = [await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE) for _ in range(2)]
        try:
            return [await one.stdout.readline() for one in pair if one.stdout]
        finally:
            for one in pair:
                one.terminate()
                await one.wait()

    first, second = asyncio.run(both())
    assert first == second
    assert first.startswith(b"postgresql://")
    wait_for(lambda: connect_url(made) is None and not (made / "postgres/cluster/postmaster.pid").exists())
