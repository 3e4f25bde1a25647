"""The worked data set of the contract, stored in an account of its own."""

from collections.abc import Awaitable, Callable

import pytest

from outrider.kit.db import Db, execute
from outrider.kit.edge import Edge
from tests.analytics.history import store
from tests.analytics.worked import NOW, USER, WORKED
from tests.support.client import ApiClient


@pytest.fixture
async def worked(db: Db, app: Edge, connect: Callable[..., Awaitable[ApiClient]]) -> ApiClient:
    """The main key of the account with the worked data set."""
    # people have small numbers of their own there, which those of other accounts must not reach meanwhile
    await execute(db, "SELECT setval('people_id_seq', greatest(nextval('people_id_seq'), 1000))")
    await execute(
        db,
        "INSERT INTO accounts (id, name, created_at, updated_at) VALUES (%(id)s, 'Worked', %(now)s, %(now)s)",
        {"id": USER, "now": NOW},
    )
    await store(db, USER, WORKED)
    return await connect(app, db, user_id=USER)
