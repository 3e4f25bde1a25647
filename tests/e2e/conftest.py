"""One installation for all campaigns of these tests, on a clock that makes nine seconds of a day, and its mail world.

Another one has a real Postfix and a real Dovecot for its mail world (`real_…`).

The tests do not disturb each other: each has mailboxes, leads and a campaign of its own.
"""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime

import httpx
import pytest

from outrider.kit.clock import Clock
from outrider.sandbox import Pace, People, Sandbox
from tests.e2e.mail_world import MailWorld, running_mail_world
from tests.support.database import make_database, make_template
from tests.support.installation import Account, Place, running_installation
from tests.support.receiver import Receiver, receiving

MONDAY = datetime(2026, 3, 2, 7, 0, tzinfo=UTC)
SPEED = 10_000
NOBODY_ACTS = People(
    open=0, click=0, reply=0, out_of_office=0, unsubscribe=0, bounce_at_rcpt=0, bounce_later=0, german=0
)
REACTION_SECONDS = 0.25  # on the wall: nobody reacts before the server has noted that the mail was taken


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    clock = Clock.starting_at(MONDAY, speed=SPEED)
    folder = tmp_path_factory.mktemp("installation")
    with running_installation(folder, clock=clock, webhook_timeout_seconds=5) as running:
        yield running


@pytest.fixture(scope="session")
def account(place: Place) -> Account:
    return place.create_account("owner@quaydesk.example")


@pytest.fixture(scope="session")
async def api(place: Place, account: Account) -> AsyncIterator[httpx.AsyncClient]:
    async with place.api(account.api_key) as client:
        yield client


@pytest.fixture(scope="session")
async def sandbox(place: Place) -> AsyncIterator[Sandbox]:
    """People do what a test tells them to, and nothing else."""
    pace = Pace(least_wall_seconds=REACTION_SECONDS).times(0.1)
    async with Sandbox(people=NOBODY_ACTS, seed="e2e", clock=place.clock, pace=pace) as running:
        yield running


@pytest.fixture(scope="session")
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as running:
        yield running


@pytest.fixture(scope="session")
def world() -> Iterator[MailWorld]:
    with running_mail_world() as running:
        yield running


@pytest.fixture(scope="session")
async def real_database(server_url: str, worker_id: str) -> str:
    return make_database(server_url, f"real_servers_{worker_id}", await make_template(server_url))


@pytest.fixture(scope="session")
def real_place(world: MailWorld, real_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """It trusts the servers' certificate, as a machine does whose operator has installed it."""
    with running_installation(
        tmp_path_factory.mktemp("real"),
        clock=Clock.starting_at(MONDAY, speed=SPEED),
        database_url=real_database,
        certificates=world.dovecot.certificate,
    ) as running:
        yield running


@pytest.fixture(scope="session")
async def real_api(real_place: Place) -> AsyncIterator[httpx.AsyncClient]:
    async with real_place.api(real_place.create_account("owner@quaydesk.example").api_key) as client:
        yield client
