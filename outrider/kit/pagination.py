"""`offset` and `limit` of lists, with the aliases `skip`, `page` and `page_size` (contract: conventions §8)."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Query
from pydantic import AliasChoices

from outrider.kit.validation import LARGEST_ID, Int

_PAGE_SIZE = 100
"""Of `page` where there is no limit."""
_LAST_PAGE = 10**12


@dataclass(frozen=True, slots=True)
class Page:
    offset: int
    limit: int | None
    """None: all, which is what `LIMIT NULL` means in SQL too."""


def paging(*, max: int = 100, default: int | None = 100) -> Callable[..., Awaitable[Page]]:  # noqa: A002 - reads well where it is used
    """`page: Annotated[Page, Depends(paging(max=1000))]`; without a default all rows are meant."""

    async def read_page(
        offset: Annotated[Int, Query(ge=0, le=LARGEST_ID, validation_alias=AliasChoices("offset", "skip"))] = 0,
        limit: Annotated[
            Int | None, Query(ge=1, le=max, validation_alias=AliasChoices("limit", "page_size"))
        ] = default,
        page: Annotated[Int | None, Query(ge=1, le=_LAST_PAGE, description="1-based, instead of offset")] = None,
    ) -> Page:
        if page is None:
            return Page(offset, limit)
        size = limit or _PAGE_SIZE
        return Page((page - 1) * size, size)

    return read_page
