"""An installation with two web processes and the limit of the reference; every test has an account of its own."""

from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

import pytest

from outrider.kit.db import Database
from outrider.users import actions
from tests.support.curl import Answer, say
from tests.support.database import make_database, make_template
from tests.support.installation import Place, running_installation


@dataclass(frozen=True, slots=True)
class Caller:
    """One account of the installation. `say` is a request with its key in the query, as in the reference."""

    place: Place
    key: str

    def say(self, method: str, path: str, **options: Any) -> Answer:
        question = "&" if "?" in path else "?"
        return say(method, f"{self.place.url}/api/v1{path}{question}api_key={self.key}", **options)


@pytest.fixture(scope="session")
async def contract_database(server_url: str, worker_id: str) -> str:
    return make_database(server_url, f"contract_{worker_id}", await make_template(server_url))


@pytest.fixture(scope="session")
def place(contract_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """The mail servers of the examples do not exist, so nobody logs in to them."""
    with ExitStack() as stack:
        yield stack.enter_context(
            running_installation(
                tmp_path_factory.mktemp("contract"),
                database_url=contract_database,
                web_workers=2,
                rate_limit_requests=60,
                failed_auth_per_minute=0,
                verify_on_save="false",
            )
        )


@pytest.fixture(scope="session")
async def accounts(place: Place) -> AsyncIterator[Database]:
    pool = await Database.open(place.database_url, max_size=2)
    yield pool
    await pool.close()


@pytest.fixture
async def caller(place: Place, accounts: Database, now: datetime) -> Caller:
    """A fresh account and its key."""
    return await _new_caller(place, accounts, now)


@pytest.fixture
async def other_caller(place: Place, accounts: Database, now: datetime) -> Caller:
    """Another one."""
    return await _new_caller(place, accounts, now)


async def _new_caller(place: Place, accounts: Database, now: datetime) -> Caller:
    async with accounts.transaction() as db:
        made = await actions.create_account(db, email=f"{uuid4().hex}@quaydesk.example", name=None, now=now)
    return Caller(place, made.api_key)
