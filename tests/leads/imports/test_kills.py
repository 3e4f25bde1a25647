"""An import under a whole installation whose processes are killed by SIGKILL, again and again, in mid-transaction.

A kill is no matter of luck here: the test holds the lock of the campaign until an engine waits for it with a part of
the rows in hand, kills, and lets go.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from outrider.kit.db import Database, execute, fetch_dict, fetch_value
from tests.support.database import make_database, make_template
from tests.support.installation import Place, running_installation, wait_until

ROWS = 12_000
BLOCKED_EVERY, INVALID_EVERY, REPEATED_EVERY = 500, 300, 1_000
SECONDS = 120


def lines() -> Iterator[str]:
    yield "email,first_name,Number"
    for number in range(1, ROWS + 1):
        yield f"{address(number)},Lead {number},{number}"


def address(number: int) -> str:
    if number % BLOCKED_EVERY == 0:
        return f"lead{number}@blocked.example"
    if number % INVALID_EVERY == 0:
        return f"lead{number}@@hexly.example"
    if number % REPEATED_EVERY == 1 and number > 1:
        return "lead1@hexly.example"
    return f"lead{number}@hexly.example"


def skipped() -> dict[int, str]:
    """The row as a spreadsheet numbers it → the reason."""
    reasons = {}
    for number in range(1, ROWS + 1):
        if number % BLOCKED_EVERY == 0:
            reasons[number + 1] = "On global block list"
        elif number % INVALID_EVERY == 0:
            reasons[number + 1] = "Invalid email"
        elif number % REPEATED_EVERY == 1 and number > 1:
            reasons[number + 1] = "Duplicate in upload"
    return reasons


@pytest.fixture
async def place(server_url: str, worker_id: str, tmp_path: Path) -> AsyncIterator[Place]:
    url = make_database(server_url, f"killed_import_{worker_id}", await make_template(server_url))
    with running_installation(tmp_path, database_url=url) as running:
        yield running


async def until(holds: Callable[[], Awaitable[Any]]) -> None:
    async with asyncio.timeout(SECONDS):
        while True:
            if await holds():
                return
            await asyncio.sleep(0.02)


@asynccontextmanager
async def engine_in_the_middle(database: Database, campaign_id: int) -> AsyncIterator[int]:
    """Hold an engine where it is about to add rows; gives how many are done."""
    async with database.transaction() as db:
        await execute(db, "SELECT FROM campaigns WHERE id = %(id)s FOR UPDATE", {"id": campaign_id})
        await until(
            lambda: fetch_value(
                db, "SELECT count(*) FROM pg_stat_activity WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid))"
            )
        )
        yield int(await fetch_value(db, "SELECT max(done_count) FROM lead_imports"))


async def pronounce_dead(database: Database) -> None:
    """What half a minute without a heartbeat does: the job is given to the next worker."""
    async with database.connection() as db:
        await execute(
            db,
            """
            UPDATE procrastinate_workers
            SET last_heartbeat = last_heartbeat - interval '10 minutes'
            WHERE id IN (SELECT worker_id FROM procrastinate_jobs WHERE status = 'doing')
            """,
        )


def kill(place: Place, what: str) -> None:
    assert place.process
    if what == "engine":
        os.kill(place.children("engine")[0], signal.SIGKILL)
        return
    children = [*place.children("engine"), *place.children("web")]
    place.process.kill()
    place.process.wait()
    wait_until(lambda: not any(map(is_running, children)), seconds=SECONDS, what="the whole tree has ended")
    place.start()


def is_running(pid: int) -> bool:
    """A zombie has no words any more."""
    try:
        return bool(Path(f"/proc/{pid}/cmdline").read_bytes())
    except OSError:
        return False


async def test_every_row_comes_in_once_whatever_is_killed(place: Place) -> None:
    account = place.create_account("owner@outrider.example")
    database = await Database.open(place.database_url, max_size=3)
    async with place.api(account.api_key) as api:
        campaign_id = (await api.post("/campaigns/create", json={"name": "Killed"})).json()["id"]
        await api.post("/leads/add-domain-block-list", json={"domain_block_list": ["blocked.example"]})
        path = f"/campaigns/{campaign_id}/leads/import"
        import_id = (
            await api.post(path, content="\n".join(lines()).encode(), headers={"content-type": "text/csv"})
        ).json()["import_id"]

    done: list[int] = []
    for what in ("engine", "all", "engine"):
        async with engine_in_the_middle(database, campaign_id) as count:
            done.append(count)
            kill(place, what)
            await pronounce_dead(database)
        async with database.connection() as db:
            more = "SELECT max(done_count) > %(count)s FROM lead_imports"
            await until(lambda: fetch_value(db, more, {"count": count}))  # noqa: B023 - waited for right here
    assert sorted(set(done)) == done, "each kill came later than the one before"
    assert done[-1] < ROWS

    async with place.api(account.api_key) as api:
        async with database.connection() as db:
            await until(lambda: fetch_value(db, "SELECT bool_and(status = 'COMPLETED') FROM lead_imports"))
        about = (await api.get(f"{path}/{import_id}", params={"limit": 10_000})).json()
        file = (await api.get(f"{path}/{import_id}/skipped")).text.splitlines()
        listed = (await api.get(f"/campaigns/{campaign_id}/leads", params={"limit": 1})).json()
    wanted = skipped()
    assert (about["row_count"], about["done_count"]) == (ROWS, ROWS)
    assert (about["added_count"], about["skipped_count"]) == (ROWS - len(wanted), len(wanted))
    assert {row["row"]: row["reason"] for row in about["skipped_leads"]} == wanted
    assert [int(line.partition(",")[0]) for line in file[1:]] == sorted(wanted)
    assert listed["total_leads"] == str(ROWS - len(wanted))
    async with database.connection() as db:
        assert await fetch_dict(
            db,
            """
            SELECT count(*) AS places, count(DISTINCT lead_id) AS leads,
                   count(*) FILTER (WHERE leads.custom_fields ->> 'Number' = substr(leads.first_name, 6)) AS whole
            FROM campaign_leads
            JOIN leads ON leads.id = lead_id
            """,
        ) == dict.fromkeys(("places", "leads", "whole"), ROWS - len(wanted))
    await database.close()
