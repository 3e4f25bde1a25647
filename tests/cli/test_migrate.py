import pytest

from outrider.kit.migrate import read_migrations
from tests.cli.conftest import Run
from tests.support.database import make_database


@pytest.fixture
def empty_database(server_url: str, worker_id: str) -> str:
    return make_database(server_url, f"empty_{worker_id}", "template1")


async def test_an_empty_database_is_brought_up_to_date_once(run: Run, empty_database: str) -> None:
    result = await run("migrate", database_url=empty_database)
    assert result.stdout.split() == [migration.name for migration in read_migrations()]
    result = await run("migrate", database_url=empty_database)
    assert result.stdout == "The database is up to date.\n"
