"""Pages of lists (contract: conventions §8)."""

import pytest

from outrider.kit.pagination import Page, paging
from tests.support.client import ApiClient


@pytest.mark.parametrize(
    ("query", "offset", "limit"),
    [
        ("", 0, 100),
        ("offset=20&limit=10", 20, 10),
        ("skip=20&page_size=10", 20, 10),
        ("page=3&limit=10", 20, 10),
        ("page=3&pageSize=10", 20, 10),
        ("page=1", 0, 100),
        ("offset=%2020&limit=10.0", 20, 10),
    ],
)
async def test_spellings_of_a_page(things: ApiClient, query: str, offset: int, limit: int) -> None:
    answered = (await things.get(f"/things?{query}")).json()
    assert (answered["offset"], answered["limit"]) == (offset, limit)


async def test_without_a_default_all_rows_are_meant() -> None:
    assert await paging(default=None)(offset=0, limit=None, page=None) == Page(0, None)
    assert await paging(default=None)(offset=0, limit=None, page=2) == Page(100, 100)
